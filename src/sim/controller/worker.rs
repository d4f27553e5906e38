//! A controller at work in a simulated cluster, one call at a time.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use ipnet::IpNet;

use super::api::{Api, Failure, Key, Patch, View};
use super::queue::Worked;
use super::{Controller, Flags};
use crate::binding::{BindingSpec, CHECKPOINT_ANNOTATION, Flavour};
use crate::elbv2::Registration;
use crate::endpoints::{EndpointSlice, PodName, PodStub};
use crate::facts::{self, Aliveness};
use crate::sim::LoadBalancers;
use crate::sim::cluster::{Cluster, ClusterState};
use crate::sim::elbv2::{ApiError, Model, Operation, TargetRequest};
use crate::sim::faults::Strikes;
use crate::sim::steps::{Moment, Steps};
use crate::target::{Target, TargetDescription};

/// The annotation that says when the checkpoint was written.
const CHECKPOINT_TIME_ANNOTATION: &str = "elbv2.k8s.aws/checkpoint-timestamp";

/// A simulated world as a controller reaches it.
///
/// Its calls pass steps of their own, so that they are not mistaken for this program's: a controller
/// has its own network.
#[derive(Clone, Debug)]
pub struct SimApi {
    cluster: Cluster,
    load_balancers: LoadBalancers,
    steps: Steps,
}

impl SimApi {
    /// Makes one call: it happens when it is polled for the second time, so that whoever polls decides
    /// when.
    async fn call<T>(
        &self,
        callee: &str,
        operation: &str,
        effect: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let mut was_polled = false;
        std::future::poll_fn(|context| {
            if std::mem::replace(&mut was_polled, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        let lost = self.steps.pass(callee, operation, Moment::Before).await;
        let answer = match lost {
            Some(Strikes::BeforeEffect) => None,
            Some(Strikes::AfterEffect) => {
                // Whatever came of it, nobody hears of it.
                let _ = effect();
                None
            }
            None => Some(effect()),
        };
        self.steps.pass(callee, operation, Moment::After).await;
        answer.unwrap_or_else(|| {
            Err(Failure::new("", "the connection was closed before an answer came"))
        })
    }

    async fn ask_cluster<T>(
        &self,
        operation: &str,
        effect: impl FnOnce(&mut ClusterState) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.call("cluster", operation, || self.cluster.with(effect)).await
    }

    async fn ask_elbv2<T>(
        &self,
        spec: &BindingSpec,
        operation: Operation,
        effect: impl FnOnce(&mut Model) -> Result<T, ApiError>,
    ) -> Result<T, Failure> {
        let role = &spec.iam_role_arn_to_assume;
        let effect = |model: &mut Model| {
            if !role.is_empty() && model.is_denied(role) {
                return Err(ApiError::access_denied(role, operation.as_str()));
            }
            model.admit(operation)?;
            effect(model)
        };
        let refused = |error: ApiError| Failure::new(&error.code, error.message);
        self.call("elbv2", operation.as_str(), || self.load_balancers.with(effect).map_err(refused))
            .await
    }
}

impl Api for SimApi {
    async fn view(&self) -> Result<View, Failure> {
        Ok(self.cluster.with(|state| View::of(state)))
    }

    async fn read_ledger(&self, namespace: &str, name: &str) -> Result<Option<String>, Failure> {
        self.ask_cluster("GetConfigMap", |state| {
            Ok(state.ledger_text(namespace, name).map(str::to_owned))
        })
        .await
    }

    async fn update_ledger(&self, namespace: &str, name: &str, text: &str) -> Result<(), Failure> {
        self.ask_cluster("UpdateConfigMap", |state| {
            let key = format!("{namespace}/{name}");
            let stored = state.ledgers.get_mut(&key).ok_or_else(|| not_found(&key))?;
            if stored.immutable {
                let said = "data: Forbidden: field is immutable when `immutable` is set";
                return Err(Failure::new("Invalid", said));
            }
            // A write that changes nothing leaves no trace: the text stays the other manager's.
            let is_same = stored.text == text;
            let foreign_write_at = stored.foreign_write_at.filter(|_| is_same);
            if is_same && stored.other_data.is_empty() {
                return Ok(());
            }
            stored.other_data.clear();
            state.put_ledger(namespace, name, text);
            if let Some(stored) = state.ledgers.get_mut(&key) {
                stored.foreign_write_at = foreign_write_at;
            }
            Ok(())
        })
        .await
    }

    async fn create_ledger(&self, namespace: &str, name: &str, text: &str) -> Result<(), Failure> {
        self.ask_cluster("CreateConfigMap", |state| {
            if state.ledger_text(namespace, name).is_some() {
                return Err(Failure::new("AlreadyExists", format!("`{name}` already exists")));
            }
            state.put_ledger(namespace, name, text);
            Ok(())
        })
        .await
    }

    async fn delete_ledger(&self, namespace: &str, name: &str) -> Result<(), Failure> {
        self.ask_cluster("DeleteConfigMap", |state| {
            let key = format!("{namespace}/{name}");
            state.ledgers.remove(&key).map(|_| ()).ok_or_else(|| not_found(&key))
        })
        .await
    }

    async fn patch_binding(&self, (namespace, name): &Key, patch: &Patch) -> Result<(), Failure> {
        self.ask_cluster("PatchTargetGroupBinding", |state| {
            let binding = state.binding_mut(namespace, name);
            let binding = binding.ok_or_else(|| not_found(&format!("{namespace}/{name}")))?;
            match patch {
                Patch::AddFinalizer => binding.has_finalizer = true,
                Patch::RemoveFinalizer => binding.has_finalizer = false,
                Patch::Checkpoint { value, at } => {
                    let at = at.as_second().to_string();
                    let annotations = &mut binding.annotations;
                    annotations.insert(CHECKPOINT_ANNOTATION.to_owned(), value.clone());
                    annotations.insert(CHECKPOINT_TIME_ANNOTATION.to_owned(), at);
                }
            }
            state.collect_bindings();
            Ok(())
        })
        .await
    }

    async fn set_gate(
        &self,
        pod: &PodName,
        gate: &str,
        healthy: Option<bool>,
    ) -> Result<(), Failure> {
        self.ask_cluster("PatchPodStatus", |state| {
            state.set_gate(pod, gate, healthy);
            Ok(())
        })
        .await
    }

    async fn describe_targets(
        &self,
        spec: &BindingSpec,
        only: &[Target],
    ) -> Result<Vec<TargetDescription>, Failure> {
        let only: Vec<TargetRequest> =
            only.iter().map(|target| TargetRequest::new(&target.id, target.port)).collect();
        let described = self
            .ask_elbv2(spec, Operation::DescribeTargetHealth, |model| {
                model.describe_target_health(&spec.target_group_arn, &only)
            })
            .await?;
        Ok(described.into_iter().map(|described| described.description).collect())
    }

    async fn register(&self, spec: &BindingSpec, targets: &[Registration]) -> Result<(), Failure> {
        let requests = requests(targets);
        self.ask_elbv2(spec, Operation::RegisterTargets, |model| {
            model.register_targets(&spec.target_group_arn, &requests)
        })
        .await
    }

    async fn deregister(
        &self,
        spec: &BindingSpec,
        targets: &[Registration],
    ) -> Result<(), Failure> {
        let requests = requests(targets);
        self.ask_elbv2(spec, Operation::DeregisterTargets, |model| {
            model.deregister_targets(&spec.target_group_arn, &requests)
        })
        .await
    }

    async fn vpc(&self, id: &str) -> Result<Vec<IpNet>, Failure> {
        self.call("ec2", "DescribeVpcs", || {
            let ranges = self.load_balancers.with(|model| model.vpc_ranges(id));
            ranges.ok_or_else(|| {
                let said = format!("The vpc ID '{id}' does not exist");
                Failure::new("InvalidVpcID.NotFound", said)
            })
        })
        .await
    }
}

fn not_found(what: &str) -> Failure {
    Failure::new(Failure::NOT_FOUND, format!("`{what}` not found"))
}

fn requests(targets: &[Registration]) -> Vec<TargetRequest> {
    let request = |registration: &Registration| TargetRequest {
        id: registration.target.id.clone(),
        port: Some(registration.target.port.into()),
        zone: registration.availability_zone.clone(),
        quic_server_id: registration.target.quic_server_id.clone(),
    };
    targets.iter().map(request).collect()
}

impl View {
    /// What informers of a simulated cluster hold.
    pub(in crate::sim) fn of(state: &ClusterState) -> Self {
        let bindings = state.bindings(Flavour::LoadBalancerController);
        let namespaces = state.services.values().map(|service| &service.service.namespace);
        let mut slices: BTreeMap<Key, Vec<EndpointSlice>> = BTreeMap::new();
        let namespaces: std::collections::BTreeSet<&String> =
            namespaces.chain(bindings.map(|binding| &binding.namespace)).collect();
        for slice in namespaces.into_iter().flat_map(|namespace| state.endpoint_slices(namespace)) {
            let key = (slice.namespace.clone(), slice.service.clone());
            slices.entry(key).or_default().push(slice);
        }
        let pods = || state.pods.values();
        Self {
            bindings: state
                .bindings(Flavour::LoadBalancerController)
                .map(|b| ((b.namespace.clone(), b.name.clone()), b.clone()))
                .collect(),
            services: state
                .services
                .values()
                .map(|s| &s.service)
                .map(|s| ((s.namespace.clone(), s.name.clone()), s.clone()))
                .collect(),
            slices,
            pods: pods()
                .map(|p| PodStub { name: p.pod.name.clone(), created_at: p.pod.created_at })
                .map(|stub| (stub.name.clone(), stub))
                .collect(),
            whole_pods: pods().map(|p| (p.pod.name.clone(), p.pod.clone())).collect(),
            gates: pods()
                .filter(|p| !p.gates.is_empty())
                .map(|p| (p.pod.name.clone(), p.gates.clone()))
                .collect(),
            nodes: state.nodes.clone(),
        }
    }
}

type Work = Pin<Box<dyn Future<Output = Result<Option<Worked>, Failure>> + Send>>;

/// A controller at work in a simulated cluster: whoever holds it decides when each of its calls
/// happens, and when it dies.
pub struct Worker {
    controller: Controller<SimApi>,
    cluster: Cluster,
    steps: Steps,
    /// What is under way: everything up to the next call is done.
    work: Option<Work>,
    done: Vec<Worked>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("controller", &self.controller).finish_non_exhaustive()
    }
}

impl Worker {
    /// Starts a controller in a cluster; nothing happens before it is stepped.
    pub fn start(cluster: &Cluster, load_balancers: &LoadBalancers, flags: Flags) -> Self {
        let steps = Steps::default();
        let api = SimApi {
            cluster: cluster.clone(),
            load_balancers: load_balancers.clone(),
            steps: steps.clone(),
        };
        let now = cluster.with(|state| state.now());
        let controller = Controller::new(api, flags, now);
        let worker =
            Self { controller, cluster: cluster.clone(), steps, work: None, done: Vec::new() };
        worker.show();
        worker
    }

    /// Scales it to nothing: it is no longer there.
    pub fn stop(self) {
        let is_other = |it: &facts::Controller| it.flavour != Flavour::LoadBalancerController;
        self.cluster.with(|state| state.controllers.retain(is_other));
    }

    /// Shows since when it leads, and its limit, to whoever looks for controllers; where the cluster
    /// shows one already, whether that is alive stays as it is.
    fn show(&self) {
        let leads_since = Some(self.controller.leads_since());
        let max_targets = self.controller.flags().max_targets;
        let sync_period = Some(self.controller.flags().sync_period);
        self.cluster.with(|state| {
            let is_shown =
                |it: &&mut facts::Controller| it.flavour == Flavour::LoadBalancerController;
            match state.controllers.iter_mut().find(is_shown) {
                Some(shown) => {
                    (shown.leads_since, shown.max_targets) = (leads_since, max_targets);
                    shown.sync_period = sync_period;
                }
                None => state.controllers.push(facts::Controller {
                    flavour: Flavour::LoadBalancerController,
                    version: Some("v3.5.0".to_owned()),
                    alive: Aliveness::Alive,
                    is_down: false,
                    evidence: "Lease renewed 0 s ago".to_owned(),
                    cluster_name: None,
                    leads_since,
                    max_targets,
                    sync_period,
                    differs: Vec::new(),
                }),
            }
        });
    }

    /// The controller.
    pub fn controller(&self) -> &Controller<SimApi> {
        &self.controller
    }

    /// The steps of its own calls: [`Steps::lose`] loses their replies.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// Makes its next call; false where nothing is due. All that follows from the answer is done, up
    /// to the call after that.
    pub fn step(&mut self) -> bool {
        // A pass can end without a call: what is due next comes into its place.
        loop {
            if self.work.is_some() {
                self.poll();
                return true;
            }
            let done = self.done.len();
            let (controller, now) = (self.controller.clone(), self.cluster.with(|s| s.now()));
            self.work = Some(Box::pin(async move { controller.work(now).await }));
            self.poll();
            if self.work.is_none() && self.done.len() == done {
                return false;
            }
        }
    }

    /// Lets it work until nothing is due.
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// Says whether it is between two calls of one piece of work.
    pub fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    /// Kills it where it is, and starts it anew: it remembers nothing.
    pub fn restart(&mut self) {
        self.work = None;
        self.controller.restart(self.cluster.with(|state| state.now()));
        self.show();
    }

    /// The pieces of work that it did since it was last asked, in order.
    pub fn worked(&mut self) -> Vec<Worked> {
        std::mem::take(&mut self.done)
    }

    fn poll(&mut self) {
        let Some(work) = &mut self.work else { return };
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(worked) = work.as_mut().poll(&mut context) {
            self.work = None;
            // Looking at a simulated world does not fail.
            self.done.extend(worked.ok().flatten());
        }
    }
}
