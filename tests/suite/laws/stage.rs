//! The world a history is played in, and what happens to it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mctg::binding::Flavour;
use mctg::cluster::WriteError;
use mctg::endpoints::{Container, NodeReady};
use mctg::facts::{Aliveness, Controller, Silence, SilenceReason};
use mctg::ledger;
use mctg::sim::cluster::{ClusterState, NewBinding, Part as SilentPart, Request};
use mctg::sim::controller::{Flags, Worker};
use mctg::sim::elbv2::{ApiError, Condition, Model, NewGroup, TargetRequest};
use mctg::sim::faults::{Fault, Strikes};
use mctg::sim::world::{VPC, ZONES};
use mctg::sim::{Cluster, Trouble, World};
use mctg::target::{Target, TargetGroupArn};

use super::history::{Bound, CONTEXTS, ElbTrouble, Event, Layout, Mode, Part, SLOTS_PER_CLUSTER};
use super::targets::{self, ADDRESSES, CROWD, INSTANCES, Kind, NODE_PORT, PORT};

/// The namespaces of the two slots of a cluster; the first one is the contexts' default.
const NAMESPACES: [&str; SLOTS_PER_CLUSTER] = ["default", "back"];

/// The world a history is played in.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) clusters: Vec<Cluster>,
    pub(super) groups: Vec<(TargetGroupArn, Kind)>,
    pub(super) slots: Vec<Slot>,
    /// The controllers, by cluster.
    pub(super) workers: Vec<Mutex<Option<Worker>>>,
}

/// Where a binding can be.
pub(super) struct Slot {
    pub(super) cluster: usize,
    /// Which of its cluster it is.
    pub(super) place: usize,
    pub(super) namespace: &'static str,
    pub(super) service: String,
    pub(super) binding: String,
    pub(super) ledger: String,
    pub(super) service_key: String,
    /// The group it binds; none where the slot stays empty.
    pub(super) group: Option<usize>,
    bound: Option<Bound>,
}

impl Stage {
    pub(super) fn new(layout: &Layout) -> Self {
        let start = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
        let world = World::new(start);
        let groups = layout.groups.iter().enumerate();
        let groups = groups.map(|(index, kind)| (add_group(&world, index, *kind), *kind)).collect();
        if let Some(quota) = layout.quota {
            world.load_balancers().with(|model| model.set_limit("targets-per-target-group", quota));
        }
        let clusters: Vec<Cluster> = layout
            .controllers
            .iter()
            .zip(CONTEXTS)
            .map(|(alive, context)| {
                let cluster = world.add_cluster(context);
                cluster.with(|state| state.controllers = controllers(*alive));
                cluster
            })
            .collect();
        for (index, id) in INSTANCES.iter().enumerate() {
            let zone = ZONES[index % ZONES.len()].0;
            world.load_balancers().with(|model| model.add_instance(id, VPC, zone));
        }
        let slots = layout.slots.iter().enumerate().map(|(index, bound)| {
            let place = index % SLOTS_PER_CLUSTER;
            let service = format!("web{place}");
            let binding = format!("{service}-http");
            let auto_mode = bound.is_some_and(|bound| bound.mode == Mode::Auto);
            let flavour =
                if auto_mode { Flavour::AutoMode } else { Flavour::LoadBalancerController };
            Slot {
                cluster: index / SLOTS_PER_CLUSTER,
                place,
                namespace: NAMESPACES[place],
                ledger: ledger::name(flavour, &binding),
                service_key: format!("{}/{service}", NAMESPACES[place]),
                service,
                binding,
                group: bound.map(|bound| bound.group),
                bound: *bound,
            }
        });
        let workers = layout.controllers.iter().map(|_| Mutex::default()).collect();
        let stage = Self { slots: slots.collect(), world, clusters, groups, workers };
        for (cluster, alive) in layout.controllers.iter().enumerate() {
            if *alive != Aliveness::Absent {
                stage.start_controller(cluster);
            }
        }
        for index in 0..stage.slots.len() {
            stage.serve(index);
            stage.bind(index);
        }
        stage
    }

    /// Whether a slot's cluster has a controller that is alive or not known to be absent.
    pub(super) fn has_controller(&self, cluster: usize) -> bool {
        self.clusters[cluster].with(|state| !state.controllers.is_empty())
    }

    /// Lets something happen; a run is not its to play.
    pub(super) fn happen(&self, event: &Event) {
        match event {
            Event::Converge => self.converge(),
            Event::PodUp { slot, address, variant } => {
                self.pod_up(*slot, ADDRESSES[*address], targets::server_id(*variant, *address));
            }
            Event::PodDown { address } => {
                self.each_cluster(|state| state.remove_pod_at(ADDRESSES[*address]));
            }
            Event::Ready { address, ready } => {
                self.each_cluster(|state| state.set_ready(ADDRESSES[*address], *ready));
            }
            Event::CrowdUp { slot } => {
                for number in 0..CROWD {
                    self.pod_up(*slot, &targets::crowd_address(number), None);
                }
            }
            Event::CrowdDown { slot } => {
                let slot = &self.slots[*slot];
                self.clusters[slot.cluster].with(|state| {
                    let is_of_crowd = |address: &str| address.starts_with("10.0.32.");
                    state.pods.retain(|_, pod| {
                        pod.service != slot.service
                            || !pod.pod.address.as_deref().is_some_and(is_of_crowd)
                    });
                });
            }
            Event::NodeUp { cluster, instance } => self.node_up(*cluster, *instance),
            Event::NodeDown { instance } => {
                self.each_cluster(|state| {
                    state.nodes.retain(|_, node| !node.provider_id.ends_with(INSTANCES[*instance]));
                });
            }
            Event::NodeReady { instance, ready } => self.each_cluster(|state| {
                for node in state.nodes.values_mut() {
                    if node.provider_id.ends_with(INSTANCES[*instance]) {
                        node.ready = if *ready { NodeReady::Ready } else { NodeReady::NotReady };
                    }
                }
            }),
            Event::Health { number, passing } => {
                let condition = if *passing { Condition::Passing } else { Condition::Failing };
                for kind in [Kind::Ip, Kind::Instance] {
                    let id = kind.target(*number).id;
                    self.elbv2(|model| model.set_condition(&id, condition));
                }
            }
            Event::ServiceDown { slot } => {
                let slot = &self.slots[*slot];
                self.clusters[slot.cluster].with(|state| state.services.remove(&slot.service_key));
            }
            Event::ServiceUp { slot } => self.serve(*slot),
            Event::Unbind { slot } => {
                let slot = &self.slots[*slot];
                self.clusters[slot.cluster]
                    .with(|state| state.delete_binding(slot.namespace, &slot.binding));
            }
            Event::Bind { slot } => self.bind(*slot),
            Event::Flag { slot, on } => {
                let slot = &self.slots[*slot];
                self.clusters[slot.cluster].with(|state| {
                    if let Some(binding) = state.binding_mut(slot.namespace, &slot.binding) {
                        binding.spec.multi_cluster_target_group = *on;
                    }
                });
            }
            Event::RegisterByHand { group, number } => {
                let (arn, kind) = &self.groups[*group];
                self.register(arn, &kind.target(*number));
            }
            Event::DeregisterByHand { group, number } => {
                let (arn, kind) = &self.groups[*group];
                let request = request(&kind.target(*number));
                self.elbv2(|m| m.deregister_targets(arn.as_str(), &[request])).expect("it is fine");
            }
            Event::LedgerAdd { .. }
            | Event::LedgerDrop { .. }
            | Event::LedgerGone { .. }
            | Event::LedgerGarbage { .. } => self.tamper(event),
            Event::ControllerRestarts { cluster } => {
                if let Some(worker) = &mut *self.worker(*cluster) {
                    worker.restart();
                }
            }
            Event::ControllerStops { cluster } => self.stop_controller(*cluster),
            Event::ControllerStarts { cluster } => self.start_controller(*cluster),
            Event::Wait { seconds } => self.world.advance(Duration::from_secs(*seconds)),
            Event::Silence { .. }
            | Event::Speak { .. }
            | Event::ClusterFault { .. }
            | Event::ElbFault { .. }
            | Event::ElbOutage { .. } => self.trouble(event),
            Event::Run(_) | Event::AtOnce { .. } | Event::ControllerWorks { .. } => {
                unreachable!("these are played call by call, they do not just happen")
            }
        }
    }

    pub(super) fn worker(&self, cluster: usize) -> MutexGuard<'_, Option<Worker>> {
        self.workers[cluster].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a controller where none is.
    pub(super) fn start_controller(&self, cluster: usize) {
        let mut worker = self.worker(cluster);
        if worker.is_none() {
            let load_balancers = self.world.load_balancers();
            let started = Worker::start(&self.clusters[cluster], &load_balancers, Flags::new(VPC));
            *worker = Some(started);
        }
    }

    fn stop_controller(&self, cluster: usize) {
        if let Some(worker) = self.worker(cluster).take() {
            worker.stop();
        }
    }

    /// Somebody else edits a ledger.
    fn tamper(&self, event: &Event) {
        match event {
            Event::LedgerAdd { slot, number } => self.edit_ledger(*slot, |entries, kind| {
                if !entries.split(',').any(|entry| entry == kind.target(*number).to_string()) {
                    *entries = format!("{entries},{}", kind.target(*number));
                }
            }),
            Event::LedgerDrop { slot, number } => self.edit_ledger(*slot, |entries, kind| {
                let target = kind.target(*number).to_string();
                let left = entries.split(',').filter(|entry| *entry != target);
                *entries = left.collect::<Vec<_>>().join(",");
            }),
            Event::LedgerGone { slot } => {
                let slot = &self.slots[*slot];
                self.clusters[slot.cluster].with(|state| {
                    state.ledgers.remove(&format!("{}/{}", slot.namespace, slot.ledger))
                });
            }
            Event::LedgerGarbage { slot } => {
                let slot = &self.slots[*slot];
                self.clusters[slot.cluster]
                    .with(|state| state.edit_ledger(slot.namespace, &slot.ledger, "no ledger"));
            }
            _ => {}
        }
    }

    /// Something does not answer, or answers wrongly.
    fn trouble(&self, event: &Event) {
        let load_balancers = self.world.load_balancers();
        match event {
            Event::Silence { cluster, part, forbidden } => {
                self.silence(*cluster, *part, *forbidden);
            }
            Event::Speak { cluster } => self.clusters[*cluster].speak(),
            Event::ClusterFault { cluster, request, nth, after, conflict } => {
                let trouble = match conflict {
                    true => WriteError::Conflict,
                    false => WriteError::Failed(silence()),
                };
                // A conflict is an answer: it never hides an effect.
                let strikes =
                    if *after && !conflict { Strikes::AfterEffect } else { Strikes::BeforeEffect };
                let fault = Fault { strikes, trouble };
                self.clusters[*cluster].fail_nth(Some(*request), *nth, fault);
            }
            Event::ElbFault { operation, nth, trouble } => {
                let refused = |status, code: &str| {
                    Fault::before(Trouble::Refused(ApiError::new(status, code, "it was refused")))
                };
                let fault = match trouble {
                    ElbTrouble::LostBefore => Fault::before(Trouble::Closed),
                    ElbTrouble::LostAfter => Fault::after(Trouble::Closed),
                    ElbTrouble::Throttled => {
                        Fault::before(Trouble::Refused(ApiError::throttling()))
                    }
                    ElbTrouble::Refused => refused(400, "ValidationError"),
                    ElbTrouble::Broken => {
                        Fault::before(Trouble::Refused(ApiError::internal_failure()))
                    }
                    ElbTrouble::Garbage => Fault::after(Trouble::Garbage),
                };
                load_balancers.fail_nth(Some(*operation), *nth, fault);
            }
            Event::ElbOutage { calls } => {
                for _ in 0..*calls {
                    load_balancers.fail_nth(None, 1, Fault::before(Trouble::Silent));
                }
            }
            _ => {}
        }
    }

    /// Everything answers again, nothing is faulty, no controller is there, and what drained is gone.
    pub(super) fn calm(&self) {
        for (index, cluster) in self.clusters.iter().enumerate() {
            cluster.speak();
            cluster.clear_faults();
            self.stop_controller(index);
        }
        for slot in &self.slots {
            self.clusters[slot.cluster].with(|state| {
                let text = state.ledger_text(slot.namespace, &slot.ledger);
                if text.is_some_and(|text| ledger::parse(text).is_err()) {
                    state.edit_ledger(slot.namespace, &slot.ledger, "");
                }
            });
        }
        self.world.load_balancers().clear_faults();
        self.elbv2(|model| model.set_limit("targets-per-target-group", 1_000));
        self.world.advance(Duration::from_secs(400));
    }

    fn elbv2<T>(&self, look: impl FnOnce(&mut Model) -> T) -> T {
        self.world.load_balancers().with(look)
    }

    fn each_cluster(&self, change: impl Fn(&mut ClusterState)) {
        for cluster in &self.clusters {
            cluster.with(|state| change(state));
        }
    }

    /// Registers a target as somebody else would; a group that refuses it refuses it.
    fn register(&self, arn: &TargetGroupArn, target: &Target) {
        self.elbv2(|model| {
            let _ = model
                .register_targets(arn.as_str(), &[request(target)])
                .or_else(|_| model.register_targets(arn.as_str(), &[request(target).zone("all")]));
        });
    }

    /// Registers and tracks what is desired, as a run long ago would have.
    fn converge(&self) {
        let truth = self.truth();
        for (index, slot) in self.slots.iter().enumerate() {
            let Some((arn, kind)) = slot.group.map(|group| &self.groups[group]) else { continue };
            // Controllers do that themselves.
            if truth.ours & (1 << index) == 0 || self.worker(slot.cluster).is_some() {
                continue;
            }
            let numbers = (0..2 * INSTANCES.len()).map(|number| kind.target(number));
            let crowd = (0..CROWD).map(|n| Target::new(targets::crowd_address(n), PORT));
            let mut desired: Vec<Target> = numbers.collect();
            if *kind == Kind::Ip {
                desired.extend(crowd);
            }
            desired.sort();
            desired.dedup();
            desired.retain(|target| truth.desired[index] & targets::bit(target) != 0);
            for target in &desired {
                self.register(arn, target);
            }
            let entries: Vec<String> = desired.iter().map(ToString::to_string).collect();
            self.clusters[slot.cluster].with(|state| {
                state.edit_ledger(slot.namespace, &slot.ledger, &entries.join(","));
            });
        }
        for cluster in 0..self.clusters.len() {
            if let Some(worker) = &mut *self.worker(cluster) {
                worker.run();
                drop(worker.worked());
            }
        }
        self.world.advance(Duration::from_secs(100));
    }

    fn pod_up(&self, slot: usize, address: &str, server_id: Option<&str>) {
        let taken = self.clusters.iter().any(|c| c.with(|s| s.pod_at(address).is_some()));
        let slot = &self.slots[slot];
        if !taken {
            self.clusters[slot.cluster].with(|state| {
                let zone = state.nodes.keys().next().cloned();
                state.add_pod_on(slot.namespace, &slot.service, address, zone.as_deref());
                if let Some(pod) = state.pod_at(address) {
                    let quic_server_id = server_id.map(str::to_owned);
                    pod.pod.quic_enabled = true;
                    pod.pod.containers = vec![Container { ports: vec![PORT], quic_server_id }];
                }
            });
        }
    }

    fn node_up(&self, cluster: usize, instance: usize) {
        let id = INSTANCES[instance];
        let taken = self.clusters.iter().any(|cluster| {
            cluster.with(|state| state.nodes.values().any(|node| node.provider_id.ends_with(id)))
        });
        if !taken {
            let zone = ZONES[instance % ZONES.len()].0;
            let address = format!("10.0.{}.{}", 64 * (instance % 3) + 62, instance);
            let name = format!("node-{instance}");
            self.clusters[cluster].with(|state| state.add_node(&name, zone, id, &address));
        }
    }

    fn serve(&self, slot: usize) {
        let slot = &self.slots[slot];
        self.clusters[slot.cluster].with(|state| {
            if !state.services.contains_key(&slot.service_key) {
                state.add_service(slot.namespace, &slot.service, 80, PORT);
            }
            let node_port = NODE_PORT + u16::from(slot.place == 1);
            if let Some(service) = state.services.get_mut(&slot.service_key) {
                service.service.ports[0].node_port = node_port;
            }
        });
    }

    fn bind(&self, slot: usize) {
        let slot = &self.slots[slot];
        let Some(bound) = slot.bound else { return };
        let (group, kind) = &self.groups[bound.group];
        self.clusters[slot.cluster].with(|state| {
            if state.binding_mut(slot.namespace, &slot.binding).is_some() {
                return;
            }
            let mut new = NewBinding::new(slot.namespace, &slot.binding, &slot.service, group);
            match bound.mode {
                Mode::Shared => {}
                Mode::Exclusive => new = new.exclusive(),
                Mode::Auto => new = new.auto_mode(),
            }
            match kind {
                Kind::Ip => {}
                Kind::Instance => new = new.instance(),
                Kind::Quic => new.spec.target_group_protocol = Some("QUIC".to_owned()),
            }
            if bound.by_name {
                new.spec.target_group_arn = String::new();
                new.spec.target_group_name = group.name().to_owned();
            }
            state.bind(&new);
            if let Some(binding) = state.binding_mut(slot.namespace, &slot.binding) {
                // Half of them were a controller's before.
                binding.has_finalizer = slot.cluster == 0;
            }
        });
    }

    fn edit_ledger(&self, slot: usize, edit: impl FnOnce(&mut String, Kind)) {
        let slot = &self.slots[slot];
        let kind = self.kind(slot);
        self.clusters[slot.cluster].with(|state| {
            let text = state.ledger_text(slot.namespace, &slot.ledger).map(str::to_owned);
            if let Some(mut text) = text {
                edit(&mut text, kind);
                state.edit_ledger(slot.namespace, &slot.ledger, text.trim_matches(','));
            }
        });
    }

    fn silence(&self, cluster: usize, part: Part, forbidden: bool) {
        let cluster = &self.clusters[cluster];
        let reason = match forbidden {
            true => Silence::new(SilenceReason::Forbidden, "forbidden"),
            false => silence(),
        };
        match part {
            Part::Everything => cluster.silence(SilentPart::Everything, reason),
            Part::Requests(request) => cluster.silence(SilentPart::Requests(request), reason),
            Part::OverAllNamespaces => cluster.silence(
                SilentPart::OverAllNamespaces(Request::Bindings),
                Silence::new(SilenceReason::Forbidden, "forbidden"),
            ),
            Part::InNamespace(request, slot) => {
                let namespace = self.slots[slot].namespace;
                cluster.silence(SilentPart::InNamespace(request, namespace), reason);
            }
        }
    }
}

fn add_group(world: &World, index: usize, kind: Kind) -> TargetGroupArn {
    let name = format!("shared-{index}");
    let group = match kind {
        Kind::Ip => return world.add_group(&name),
        Kind::Instance => NewGroup::new(&name, VPC).instance(),
        Kind::Quic => NewGroup::new(&name, VPC).protocol("QUIC"),
    };
    world.load_balancers().with(|model| {
        let load_balancer = mctg::sim::elbv2::NewLoadBalancer::new(&name, VPC);
        let load_balancer = model.create_load_balancer(&load_balancer);
        let group = model.create_target_group(&group).expect("the name makes an ARN");
        let listener =
            model.create_listener(&load_balancer, &group_protocol(kind), 80, &[(&group, 1)]);
        listener.expect("the group is new");
        group
    })
}

fn group_protocol(kind: Kind) -> String {
    if kind == Kind::Quic { "QUIC" } else { "TCP" }.to_owned()
}

fn request(target: &Target) -> TargetRequest {
    let request = TargetRequest::new(&target.id, target.port);
    match &target.quic_server_id {
        Some(server_id) => request.quic(server_id),
        None => request,
    }
}

fn silence() -> Silence {
    Silence::new(SilenceReason::Timeout, "no answer came in time")
}

/// What is seen of a controller whose Lease or Deployment cannot be read; the others show themselves.
fn controllers(alive: Aliveness) -> Vec<Controller> {
    let controller = Controller {
        flavour: Flavour::LoadBalancerController,
        version: None,
        alive,
        is_down: false,
        evidence: String::new(),
        cluster_name: None,
        watch_namespace: None,
        leads_since: None,
        max_targets: None,
        sync_period: None,
        differs: Vec::new(),
    };
    if alive == Aliveness::Unknown { vec![controller] } else { Vec::new() }
}
