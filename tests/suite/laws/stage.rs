//! The world a history is played in, what happens to it, and the truth about it.

use std::time::Duration;

use mctg::binding::Flavour;
use mctg::cluster::WriteError;
use mctg::facts::{Aliveness, Controller, Silence, SilenceReason};
use mctg::sim::cluster::{NewBinding, Part as SilentPart, Request};
use mctg::sim::elbv2::{ApiError, Condition, TargetRequest};
use mctg::sim::faults::{Fault, Strikes};
use mctg::sim::{Cluster, Trouble, World};
use mctg::target::{HealthState, Target, TargetGroupArn};

use super::history::{ADDRESSES, CONTEXTS, Event, Layout, Part, SLOTS_PER_CLUSTER};

/// A set of addresses, as bits: every pod serves at the same port, so that an address is a target.
pub(super) type Set = u16;

/// The port that all pods serve at.
const PORT: u16 = 8080;

/// The namespaces of the two slots of a cluster; the first one is the contexts' default.
const NAMESPACES: [&str; SLOTS_PER_CLUSTER] = ["default", "back"];

/// The world a history is played in.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) clusters: Vec<Cluster>,
    pub(super) groups: Vec<TargetGroupArn>,
    pub(super) slots: Vec<Slot>,
}

/// Where a binding can be.
pub(super) struct Slot {
    pub(super) cluster: usize,
    pub(super) namespace: &'static str,
    pub(super) service: String,
    pub(super) binding: String,
    pub(super) ledger: String,
    service_key: String,
    /// The group it binds; none where the slot stays empty.
    pub(super) group: Option<usize>,
    by_name: bool,
}

/// What is so at one moment, whoever knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Truth {
    /// What each slot's binding desires.
    pub(super) desired: Vec<Set>,
    /// What each slot's ledger tracks.
    pub(super) ledgers: Vec<Set>,
    /// Which slots have a binding that is not being deleted, as bits.
    pub(super) bound: Set,
    /// Which slots have their Service, as bits.
    pub(super) served: Set,
    /// What is registered in each group.
    pub(super) registered: Vec<Set>,
    /// Which addresses each cluster's pods hold.
    pub(super) held: Vec<Set>,
}

pub(super) fn bit(target: &Target) -> Set {
    if target.port == PORT { bit_of(&target.id) } else { 0 }
}

fn bit_of(address: &str) -> Set {
    let index = ADDRESSES.iter().position(|known| *known == address);
    index.map_or(0, |index| 1 << index)
}

pub(super) fn set<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Set {
    targets.into_iter().fold(0, |set, target| set | bit(target))
}

/// Writes a set for people.
pub(super) fn words(set: Set) -> String {
    let named = ADDRESSES.iter().enumerate().filter(|(index, _)| set & (1 << index) != 0);
    named.map(|(_, address)| *address).collect::<Vec<_>>().join(" ")
}

impl Stage {
    pub(super) fn new(layout: &Layout) -> Self {
        let start = "2026-01-01T00:00:00Z".parse().expect("a timestamp");
        let world = World::new(start);
        let groups: Vec<TargetGroupArn> =
            (0..layout.groups).map(|index| world.add_group(&format!("shared-{index}"))).collect();
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
        let slots = layout.slots.iter().enumerate().map(|(index, bound)| {
            let place = index % SLOTS_PER_CLUSTER;
            let service = format!("web{place}");
            let binding = format!("{service}-http");
            Slot {
                cluster: index / SLOTS_PER_CLUSTER,
                namespace: NAMESPACES[place],
                ledger: mctg::ledger::name(Flavour::LoadBalancerController, &binding),
                service_key: format!("{}/{service}", NAMESPACES[place]),
                service,
                binding,
                group: bound.map(|bound| bound.group),
                by_name: bound.is_some_and(|bound| bound.by_name),
            }
        });
        let stage = Self { slots: slots.collect(), world, clusters, groups };
        for index in 0..stage.slots.len() {
            stage.serve(index);
            stage.bind(index);
        }
        stage
    }

    /// The truth of this moment.
    pub(super) fn truth(&self) -> Truth {
        let mut truth = Truth {
            desired: vec![0; self.slots.len()],
            ledgers: vec![0; self.slots.len()],
            held: vec![0; self.clusters.len()],
            ..Truth::default()
        };
        for (index, cluster) in self.clusters.iter().enumerate() {
            cluster.with(|state| {
                for pod in state.pods.values() {
                    let Some(address) = &pod.pod.address else { continue };
                    let bit = bit_of(address);
                    truth.held[index] |= bit;
                    if !pod.ready {
                        continue;
                    }
                    let slot = self
                        .slots
                        .iter()
                        .position(|slot| slot.cluster == index && slot.service == pod.service);
                    if let Some(slot) = slot {
                        truth.desired[slot] |= bit;
                    }
                }
                for (number, slot) in self.slots.iter().enumerate() {
                    if slot.cluster != index {
                        continue;
                    }
                    let binding = state.binding_mut(slot.namespace, &slot.binding);
                    let is_bound = binding.is_some_and(|binding| !binding.is_being_deleted());
                    let served = state.services.contains_key(&slot.service_key);
                    truth.bound |= Set::from(is_bound) << number;
                    truth.served |= Set::from(served) << number;
                    if !is_bound || !served {
                        truth.desired[number] = 0;
                    }
                    let text = state.ledger_text(slot.namespace, &slot.ledger).unwrap_or_default();
                    let entries = text.split(',').filter_map(|entry| entry.strip_suffix(":8080"));
                    truth.ledgers[number] = entries.fold(0, |set, address| set | bit_of(address));
                }
            });
        }
        truth.registered = self.groups.iter().map(|group| self.listed(group, |_| true)).collect();
        truth
    }

    /// The targets of a group that are registered and in such a state.
    fn listed(&self, group: &TargetGroupArn, is_in: impl Fn(&HealthState) -> bool) -> Set {
        let listed = self
            .world
            .load_balancers()
            .with(|model| model.describe_target_health(group.as_str(), &[]))
            .unwrap_or_default();
        let descriptions = listed.iter().map(|described| &described.description);
        let wanted =
            descriptions.filter(|listed| listed.is_registered() && is_in(&listed.health.state));
        set(wanted.map(|listed| &listed.target))
    }

    pub(super) fn has_controller(&self, cluster: usize) -> bool {
        self.clusters[cluster].with(|state| !state.controllers.is_empty())
    }

    /// Lets something happen; a run is not its to play.
    pub(super) fn happen(&self, event: &Event) {
        let load_balancers = self.world.load_balancers();
        match event {
            Event::PodUp { slot, address } => self.pod_up(*slot, ADDRESSES[*address]),
            Event::PodDown { address } => {
                for cluster in &self.clusters {
                    cluster.with(|state| state.remove_pod_at(ADDRESSES[*address]));
                }
            }
            Event::Ready { address, ready } => {
                for cluster in &self.clusters {
                    cluster.with(|state| state.set_ready(ADDRESSES[*address], *ready));
                }
            }
            Event::Health { address, passing } => {
                let condition = if *passing { Condition::Passing } else { Condition::Failing };
                load_balancers.with(|m| m.set_condition(ADDRESSES[*address], condition));
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
            Event::RegisterByHand { group, address } => {
                let request = TargetRequest::new(ADDRESSES[*address], PORT);
                let arn = self.groups[*group].as_str();
                let outside = request.clone().zone("all");
                // A group that is full refuses it, as it refuses everybody.
                let _ = load_balancers.with(|m| {
                    m.register_targets(arn, &[request])
                        .or_else(|_| m.register_targets(arn, &[outside]))
                });
            }
            Event::DeregisterByHand { group, address } => {
                let request = TargetRequest::new(ADDRESSES[*address], PORT);
                let arn = self.groups[*group].as_str();
                load_balancers.with(|m| m.deregister_targets(arn, &[request])).expect("it is fine");
            }
            Event::LedgerAdd { slot, address } => self.edit_ledger(*slot, |set| set | 1 << address),
            Event::LedgerDrop { slot, address } => {
                self.edit_ledger(*slot, |set| set & !(1 << address));
            }
            Event::LedgerGone { slot } => {
                let slot = &self.slots[*slot];
                self.clusters[slot.cluster].with(|state| {
                    state.ledgers.remove(&format!("{}/{}", slot.namespace, slot.ledger))
                });
            }
            Event::LedgerGarbage { slot } => {
                let slot = &self.slots[*slot];
                self.clusters[slot.cluster]
                    .with(|state| state.put_ledger(slot.namespace, &slot.ledger, "no ledger"));
            }
            Event::ControllerPass { cluster } => {
                self.clusters[*cluster].controller_pass(&load_balancers);
            }
            Event::Wait { seconds } => self.world.advance(Duration::from_secs(*seconds)),
            Event::Silence { cluster, part } => self.silence(*cluster, *part),
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
            Event::ElbFault { operation, nth, after, throttled } => {
                let fault = match (throttled, after) {
                    (true, _) => Fault::before(Trouble::Refused(ApiError::throttling())),
                    (false, true) => Fault::after(Trouble::Closed),
                    (false, false) => Fault::before(Trouble::Closed),
                };
                load_balancers.fail_nth(Some(*operation), *nth, fault);
            }
            Event::Run(_) => unreachable!("runs are played, they do not just happen"),
        }
    }

    /// Everything answers again, nothing is faulty, no controller is there, and what drained is gone.
    pub(super) fn calm(&self) {
        for cluster in &self.clusters {
            cluster.speak();
            cluster.clear_faults();
            cluster.with(|state| state.controllers.clear());
        }
        for slot in &self.slots {
            self.clusters[slot.cluster].with(|state| {
                if state.ledger_text(slot.namespace, &slot.ledger) == Some("no ledger") {
                    state.put_ledger(slot.namespace, &slot.ledger, "");
                }
            });
        }
        let load_balancers = self.world.load_balancers();
        load_balancers.clear_faults();
        load_balancers.with(|model| model.set_limit("targets-per-target-group", 1_000));
        self.world.advance(Duration::from_secs(400));
    }

    fn pod_up(&self, slot: usize, address: &str) {
        let taken = self.clusters.iter().any(|c| c.with(|s| s.pod_at(address).is_some()));
        let slot = &self.slots[slot];
        if !taken {
            self.clusters[slot.cluster].with(|state| {
                let zone = state.nodes.keys().next().cloned();
                state.add_pod_on(slot.namespace, &slot.service, address, zone.as_deref());
            });
        }
    }

    fn serve(&self, slot: usize) {
        let slot = &self.slots[slot];
        self.clusters[slot.cluster].with(|state| {
            if !state.services.contains_key(&slot.service_key) {
                state.add_service(slot.namespace, &slot.service, 80, PORT);
            }
        });
    }

    fn bind(&self, slot: usize) {
        let slot = &self.slots[slot];
        let Some(group) = slot.group else { return };
        self.clusters[slot.cluster].with(|state| {
            if state.binding_mut(slot.namespace, &slot.binding).is_some() {
                return;
            }
            let group = &self.groups[group];
            let mut new = NewBinding::new(slot.namespace, &slot.binding, &slot.service, group);
            if slot.by_name {
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

    fn edit_ledger(&self, slot: usize, edit: impl FnOnce(Set) -> Set) {
        let slot_ = &self.slots[slot];
        let before = self.truth().ledgers[slot];
        let after = edit(before);
        let entries: Vec<String> = ADDRESSES
            .iter()
            .enumerate()
            .filter(|(index, _)| after & (1 << index) != 0)
            .map(|(_, address)| format!("{address}:{PORT}"))
            .collect();
        self.clusters[slot_.cluster].with(|state| {
            if state.ledger_text(slot_.namespace, &slot_.ledger).is_some() {
                state.put_ledger(slot_.namespace, &slot_.ledger, &entries.join(","));
            }
        });
    }

    fn silence(&self, cluster: usize, part: Part) {
        let cluster = &self.clusters[cluster];
        match part {
            Part::Everything => cluster.silence(SilentPart::Everything, silence()),
            Part::Requests(request) => cluster.silence(SilentPart::Requests(request), silence()),
            Part::OverAllNamespaces => cluster.silence(
                SilentPart::OverAllNamespaces(Request::Bindings),
                Silence::new(SilenceReason::Forbidden, "forbidden"),
            ),
            Part::InNamespace(request, slot) => {
                let namespace = self.slots[slot].namespace;
                cluster.silence(SilentPart::InNamespace(request, namespace), silence());
            }
        }
    }
}

fn silence() -> Silence {
    Silence::new(SilenceReason::Timeout, "no answer came in time")
}

fn controllers(alive: Aliveness) -> Vec<Controller> {
    let controller = Controller {
        flavour: Flavour::LoadBalancerController,
        version: None,
        alive,
        is_down: false,
        evidence: String::new(),
        cluster_name: None,
        leads_since: None,
        max_targets: None,
        sync_period: None,
        differs: Vec::new(),
    };
    if alive == Aliveness::Absent { Vec::new() } else { vec![controller] }
}
