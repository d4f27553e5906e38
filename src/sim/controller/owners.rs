//! A model of the controllers that make load balancers for Services, Ingresses and Gateways (LBC 3.5).
//!
//! What an observer can see of them is as in `facts/lbc.md` 5: the names, tags and labels of what they
//! make; that they replace spec, labels and annotations of a generated binding whenever they look at
//! its owner, and delete a binding that carries their labels and a group that is none of theirs; that
//! they look only when an owner changes, and not when a binding does; that they let no owner go that
//! asks to be kept. Certificates, conditions of rules, health-check settings, subnets and quotas are
//! left out: nothing here reads them. The managed security group of each load balancer is left out
//! too, its shared backend group is there.
//!
//! The bindings that they make are the business of [`Controller`](super::Controller), which is another
//! process in this model as it is another queue in the real one.

mod annotations;
mod attributes;
mod deploy;
mod gateway;
mod ingress;
mod objects;
mod service;
mod stack;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

use self::deploy::Deployed;
pub use self::objects::{
    BackendRef, Gateway, GatewayClass, GroupConfiguration, Ingress, LoadBalancerConfiguration,
    Meta, OwnerView, Route, Service,
};
pub use self::stack::{
    BuildError, Forward, Stack, StackId, StackKind, WantedGroup, WantedListener, WantedLoadBalancer,
};
use super::api::{Failure, Key};
use super::memory::after;
use crate::binding::{Binding, BindingSpec, CHECKPOINT_ANNOTATION, CHECKPOINT_TIME_ANNOTATION};
use crate::sim::LoadBalancers;
use crate::sim::elbv2::ApiError;

/// The class by which a Service asks for an NLB.
pub const LOAD_BALANCER_CLASS: &str = "service.k8s.aws/nlb";

/// The controller that an IngressClass names.
pub const INGRESS_CLASS_CONTROLLER: &str = "ingress.k8s.aws/alb";

/// The controller that a GatewayClass names for an ALB.
pub const ALB_GATEWAY_CONTROLLER: &str = "gateway.k8s.aws/alb";

/// The controller that a GatewayClass names for an NLB.
pub const NLB_GATEWAY_CONTROLLER: &str = "gateway.k8s.aws/nlb";

/// The pause after a first failure, or while bindings are on their way out; it doubles.
const BACKOFF: SignedDuration = SignedDuration::from_millis(5);

/// The longest pause after failures.
const BACKOFF_MAX: SignedDuration = SignedDuration::from_secs(1_000);

/// How the controllers were started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `--cluster-name`.
    pub cluster_name: String,
    /// `--aws-vpc-id`.
    pub vpc_id: String,
    /// The shared backend security group, or `--backend-security-group`.
    pub backend_security_group: String,
    /// `--sync-period`: 10 hours.
    pub sync_period: SignedDuration,
}

impl Settings {
    /// The defaults, for a cluster in a VPC.
    pub fn new(cluster_name: &str, vpc_id: &str) -> Self {
        Self {
            cluster_name: cluster_name.to_owned(),
            vpc_id: vpc_id.to_owned(),
            backend_security_group: format!("sg-{}{}", stack::hash(&[cluster_name]), "0000000"),
            sync_period: SignedDuration::from_hours(10),
        }
    }

    fn security_groups(&self) -> BTreeSet<String> {
        [self.backend_security_group.clone()].into()
    }
}

/// A cluster as these controllers reach it.
pub trait OwnerApi: Send + Sync {
    /// What their informers hold.
    fn owners(&self) -> impl Future<Output = Result<OwnerView, Failure>> + Send;

    /// Creates a generated binding.
    fn create_binding(
        &self,
        binding: &GeneratedBinding,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Makes spec and labels of a binding these, and takes all its annotations off.
    fn replace_binding(
        &self,
        at: &Key,
        binding: &GeneratedBinding,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Asks for a binding's deletion.
    fn delete_binding(&self, at: &Key) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Puts a finalizer on an owner, or takes it off.
    fn set_finalizer(
        &self,
        owner: &OwnerRef,
        finalizer: &str,
        held: bool,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Writes the load balancer's host name into an owner's status.
    fn publish(
        &self,
        owner: &OwnerRef,
        host: &str,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Records an event on an owner.
    fn record(
        &self,
        owner: &OwnerRef,
        event: &OwnerEvent,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// An owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnerRef {
    /// `Service`, `Ingress` or `Gateway`.
    pub kind: &'static str,
    /// Where it is.
    pub at: Key,
    /// Its UID.
    pub uid: String,
}

/// What is said of an owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerEvent {
    /// Whether it is a warning.
    pub is_warning: bool,
    /// Its reason.
    pub reason: &'static str,
    /// What it says.
    pub message: String,
}

/// A binding as the controllers make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedBinding {
    /// Its namespace: the Service's.
    pub namespace: String,
    /// Its name: the target group's.
    pub name: String,
    /// The labels of its stack.
    pub labels: BTreeMap<String, String>,
    /// Its spec.
    pub spec: BindingSpec,
}

/// A look at one owner, done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerWorked {
    /// The owner's stack.
    pub stack: StackId,
    /// Whether it is as it should be; false while bindings are on their way out.
    pub ended: Result<bool, Failure>,
}

/// The owner controllers of one cluster: a handle, cheap to clone.
#[derive(Debug)]
pub struct Owners<A> {
    api: Arc<A>,
    load_balancers: LoadBalancers,
    settings: Settings,
    memory: Arc<Mutex<Memory>>,
}

impl<A> Clone for Owners<A> {
    fn clone(&self) -> Self {
        Self {
            api: Arc::clone(&self.api),
            load_balancers: self.load_balancers.clone(),
            settings: self.settings.clone(),
            memory: Arc::clone(&self.memory),
        }
    }
}

/// What the process knows of each stack.
#[derive(Debug, Default)]
struct Memory {
    done: BTreeMap<StackId, Done>,
}

/// A stack as it was last looked at.
#[derive(Debug)]
struct Done {
    fingerprint: String,
    /// When it is looked at again, whatever happens.
    again_at: Timestamp,
    failures: u32,
}

impl<A: OwnerApi> Owners<A> {
    /// Starts the controllers.
    pub fn new(api: A, load_balancers: LoadBalancers, settings: Settings) -> Self {
        Self { api: Arc::new(api), load_balancers, settings, memory: Arc::default() }
    }

    /// Starts them anew: they look at every owner again.
    pub fn restart(&self) {
        self.memory().done.clear();
    }

    /// How they were started.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Looks at the owners, and deals with one that changed; none where nothing is due.
    ///
    /// # Errors
    ///
    /// Where the owners cannot be read. What fails for one of them is in the answer.
    pub async fn work(&self, now: Timestamp) -> Result<Option<OwnerWorked>, Failure> {
        let view = self.api.owners().await?;
        let due = stacks(&view).into_iter().find(|(id, fingerprint)| {
            let memory = self.memory();
            let done = memory.done.get(id);
            done.is_none_or(|done| done.fingerprint != *fingerprint || done.again_at <= now)
        });
        let Some((id, fingerprint)) = due else { return Ok(None) };
        let ended = self.reconcile(&id, &view).await;
        self.note(&id, fingerprint, &ended, now);
        Ok(Some(OwnerWorked { stack: id, ended }))
    }

    fn note(
        &self,
        id: &StackId,
        fingerprint: String,
        ended: &Result<bool, Failure>,
        now: Timestamp,
    ) {
        let mut memory = self.memory();
        let before = memory.done.get(id).filter(|done| done.fingerprint == fingerprint);
        let failures = before.map_or(0, |done| done.failures);
        let pause = BACKOFF.saturating_mul(1_i32.checked_shl(failures).unwrap_or(i32::MAX).max(1));
        let done = match ended {
            Ok(true) => {
                let again_at = after(now, self.settings.sync_period);
                Done { fingerprint, again_at, failures: 0 }
            }
            // The real one waits for its bindings to go; here it comes back to see.
            Ok(false) => Done { fingerprint, again_at: after(now, BACKOFF), failures: 0 },
            Err(_) => Done {
                fingerprint,
                again_at: after(now, pause.min(BACKOFF_MAX)),
                failures: failures.saturating_add(1).min(30),
            },
        };
        memory.done.insert(id.clone(), done);
    }

    async fn reconcile(&self, id: &StackId, view: &OwnerView) -> Result<bool, Failure> {
        let (active, inactive) = members(id, view);
        let everyone: Vec<OwnerRef> = active.iter().chain(&inactive).cloned().collect();
        let stack = match self.build(id, view) {
            Ok(stack) => stack,
            Err(error) => {
                let message = format!("Failed build model due to {error}");
                self.tell(&everyone, true, "FailedBuildModel", message).await?;
                return Err(Failure::new("FailedBuildModel", error.to_string()));
            }
        };
        if stack.load_balancer.is_some() {
            for owner in &active {
                self.hold(owner, view, id, true).await?;
            }
        }
        let deployed = self.deploy(&stack, view).await;
        let (deployed, is_settled) = match deployed {
            Ok(deployed) => deployed,
            Err(failure) => {
                let message = format!("Failed deploy model due to {failure}");
                self.tell(&everyone, true, "FailedDeployModel", message).await?;
                return Err(failure);
            }
        };
        if !is_settled {
            return Ok(false);
        }
        if let Some(host) = &deployed.host {
            for owner in &active {
                self.api.publish(owner, host).await?;
            }
        }
        for owner in &inactive {
            self.hold(owner, view, id, false).await?;
        }
        let said = "Successfully reconciled".to_owned();
        self.tell(&active, false, "SuccessfullyReconciled", said).await?;
        Ok(true)
    }

    fn build(&self, id: &StackId, view: &OwnerView) -> Result<Stack, BuildError> {
        match id.kind {
            StackKind::Service => service::build(id, view, &self.settings),
            StackKind::Ingress => ingress::build(id, view, &self.settings),
            StackKind::AlbGateway | StackKind::NlbGateway => {
                gateway::build(id, view, &self.settings)
            }
        }
    }

    /// Brings AWS and the bindings to what is asked for, in the controller's order: groups, load
    /// balancer and listeners, then bindings that are asked for, then bindings and groups that are
    /// not. Says whether that was all.
    async fn deploy(&self, stack: &Stack, view: &OwnerView) -> Result<(Deployed, bool), Failure> {
        let deployed =
            self.load_balancers.with(|model| deploy::deploy(model, stack, &self.settings));
        let deployed = deployed.map_err(refused)?;
        let labels = stack.id.labels();
        let carries = |binding: &Binding| {
            labels.iter().all(|(key, value)| binding.labels.get(key) == Some(value))
        };
        let mut existing: BTreeMap<&str, &Binding> = view
            .bindings
            .values()
            .filter(|binding| carries(binding))
            .map(|binding| (binding.spec.target_group_arn.as_str(), binding))
            .collect();
        for (resource, wanted) in &stack.groups {
            let Some(arn) = deployed.groups.get(resource) else { continue };
            let generated = GeneratedBinding {
                namespace: wanted.namespace.clone(),
                name: wanted.name.clone(),
                labels: labels.clone(),
                spec: wanted.spec(arn.as_str(), &self.settings.vpc_id),
            };
            match existing.remove(arn.as_str()) {
                None => self.api.create_binding(&generated).await?,
                Some(binding) if is_as_generated(binding, &generated) => {}
                Some(binding) => {
                    let at = (binding.namespace.clone(), binding.name.clone());
                    self.api.replace_binding(&at, &generated).await?;
                }
            }
        }
        for binding in existing.values().filter(|binding| !binding.is_being_deleted()) {
            let at = (binding.namespace.clone(), binding.name.clone());
            self.api.delete_binding(&at).await?;
        }
        if !existing.is_empty() {
            return Ok((deployed, false));
        }
        let deleted = self.load_balancers.with(|model| {
            deploy::delete_leftovers(model, &stack.id, &deployed.groups, &self.settings)
        });
        deleted.map_err(refused)?;
        Ok((deployed, true))
    }

    async fn hold(
        &self,
        owner: &OwnerRef,
        view: &OwnerView,
        id: &StackId,
        held: bool,
    ) -> Result<(), Failure> {
        let finalizer = id.finalizer();
        let meta = match owner.kind {
            "Service" => view.services.get(&owner.at).map(|it| &it.metadata),
            "Ingress" => view.ingresses.get(&owner.at).map(|it| &it.metadata),
            _ => view.gateways.get(&owner.at).map(|it| &it.metadata),
        };
        if meta.is_some_and(|meta| meta.finalizers.contains(&finalizer)) != held {
            self.api.set_finalizer(owner, &finalizer, held).await?;
        }
        Ok(())
    }

    async fn tell(
        &self,
        owners: &[OwnerRef],
        is_warning: bool,
        reason: &'static str,
        message: String,
    ) -> Result<(), Failure> {
        let event = OwnerEvent { is_warning, reason, message };
        for owner in owners {
            self.api.record(owner, &event).await?;
        }
        Ok(())
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // A test that panicked while it held the lock has already failed.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the controllers compare before they write: the checkpoint is not theirs (5.2).
fn is_as_generated(binding: &Binding, generated: &GeneratedBinding) -> bool {
    let of_the_pass = [CHECKPOINT_ANNOTATION, CHECKPOINT_TIME_ANNOTATION];
    binding.spec == generated.spec
        && binding.labels == generated.labels
        && binding.annotations.keys().all(|key| of_the_pass.contains(&key.as_str()))
}

fn refused(error: ApiError) -> Failure {
    Failure::new(&error.code, error.message)
}

/// Every stack that there is or was, with what its owners look like.
fn stacks(view: &OwnerView) -> BTreeMap<StackId, String> {
    let services = view.services.values().filter_map(service::stack_id);
    let ingresses = view.ingresses.values().flat_map(|it| ingress::groups(it, view));
    let gateways = view.gateways.values().filter_map(|it| gateway::stack_id(it, view));
    let ids: BTreeSet<StackId> = services.chain(ingresses).chain(gateways).collect();
    ids.into_iter().map(|id| (id.clone(), fingerprint(&id, view))).collect()
}

/// All that makes the controllers look at a stack again: its owners and what they refer to, and not
/// its bindings.
fn fingerprint(id: &StackId, view: &OwnerView) -> String {
    let services = || {
        let shown = view.services.values();
        let shown = shown.map(|it| format!("{} {:?}", it.metadata.fingerprint(), it.spec));
        shown.collect::<Vec<_>>().join("\n")
    };
    match id.kind {
        StackKind::Service => {
            let service = view.services.get(&(id.namespace.clone(), id.name.clone()));
            service
                .map_or(String::new(), |it| format!("{} {:?}", it.metadata.fingerprint(), it.spec))
        }
        StackKind::Ingress => {
            let members = ingress::members(id, view).into_iter().chain(ingress::inactive(id, view));
            let shown = members.map(|it| format!("{} {:?}", it.metadata.fingerprint(), it.spec));
            shown.collect::<Vec<_>>().join("\n") + &services()
        }
        StackKind::AlbGateway | StackKind::NlbGateway => {
            let gateway = view.gateways.get(&(id.namespace.clone(), id.name.clone()));
            let gateway = gateway.map(|it| format!("{} {:?}", it.metadata.fingerprint(), it.spec));
            let routes = view.routes.values().map(|it| &it.spec);
            let groups = view.group_configurations.values().map(|it| &it.spec);
            let load_balancers = view.load_balancer_configurations.values().map(|it| &it.spec);
            format!(
                "{gateway:?} {:?} {:?} {:?} {}",
                routes.collect::<Vec<_>>(),
                groups.collect::<Vec<_>>(),
                load_balancers.collect::<Vec<_>>(),
                services()
            )
        }
    }
}

/// The owners of a stack: those that ask for it, and those that only hold it yet.
fn members(id: &StackId, view: &OwnerView) -> (Vec<OwnerRef>, Vec<OwnerRef>) {
    let owner = |kind, meta: &Meta| OwnerRef { kind, at: meta.key(), uid: meta.uid.clone() };
    let key = (id.namespace.clone(), id.name.clone());
    match id.kind {
        StackKind::Service => {
            let service = view.services.get(&key);
            split(service.map(|it| (owner("Service", &it.metadata), service::is_supported(it))))
        }
        StackKind::Ingress => {
            let of = |it: &&Ingress| owner("Ingress", &it.metadata);
            (
                ingress::members(id, view).iter().map(of).collect(),
                ingress::inactive(id, view).iter().map(of).collect(),
            )
        }
        StackKind::AlbGateway | StackKind::NlbGateway => {
            let gateway = view.gateways.get(&key);
            split(
                gateway.map(|it| (owner("Gateway", &it.metadata), !it.metadata.is_being_deleted())),
            )
        }
    }
}

fn split(owner: Option<(OwnerRef, bool)>) -> (Vec<OwnerRef>, Vec<OwnerRef>) {
    match owner {
        Some((owner, true)) => (vec![owner], Vec::new()),
        Some((owner, false)) => (Vec::new(), vec![owner]),
        None => (Vec::new(), Vec::new()),
    }
}

#[cfg(test)]
mod tests;
