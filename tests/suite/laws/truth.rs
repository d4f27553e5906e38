//! What is so at one moment, whoever knows it.

use mctg::binding::Flavour;
use mctg::endpoints::NodeReady;
use mctg::sim::cluster::ClusterState;
use mctg::target::{HealthState, TargetGroupArn};

use super::stage::{Slot, Stage};
use super::targets::{self, Kind, Set, set};

/// Slots, as bits.
pub(super) type Slots = u8;

/// What is so at one moment, whoever knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Truth {
    /// What each slot's binding desires.
    pub(super) desired: Vec<Set>,
    /// What each slot's ledger tracks.
    pub(super) ledgers: Vec<Set>,
    /// Which slots have a ledger that is none.
    pub(super) garbled: Slots,
    /// Which slots have a binding that is not being deleted.
    pub(super) bound: Slots,
    /// Which slots have a binding, be it deleted or not.
    pub(super) present: Slots,
    /// Which slots have a binding whose flag is on, whoever's it is.
    pub(super) sharing: Slots,
    /// Which slots have a binding that is neither exclusive nor Auto Mode's.
    pub(super) ours: Slots,
    /// Which slots have their Service.
    pub(super) served: Slots,
    /// What is registered in each group.
    pub(super) registered: Vec<Set>,
    /// Which targets each cluster's pods or instances hold.
    pub(super) held: Vec<Held>,
}

/// What a cluster holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pods: Set,
    instances: Set,
}

impl Held {
    /// The targets of a kind of group.
    pub(super) fn of(self, kind: Kind) -> Set {
        match kind {
            Kind::Ip | Kind::Quic => self.pods,
            Kind::Instance => self.instances,
        }
    }

    pub(super) fn add(&mut self, more: Self) {
        self.pods |= more.pods;
        self.instances |= more.instances;
    }
}

impl Truth {
    /// What each slot's binding claims by its ledger.
    ///
    /// A ledger whose binding is gone or exclusive is an orphan (`product.md` 9, MCTG111): no controller
    /// goes by it, and neither does this program, which does not even read it. So it claims nothing.
    pub(super) fn claimed(&self) -> Vec<Set> {
        let ledgers = self.ledgers.iter().enumerate();
        let shares = |slot: usize| self.sharing & (1 << slot) != 0;
        ledgers.map(|(slot, ledger)| if shares(slot) { *ledger } else { 0 }).collect()
    }

    /// What a slot's binding is: there, not being deleted, this program's, with its Service.
    pub(super) fn standing(&self, slot: usize) -> [bool; 4] {
        [self.present, self.bound, self.ours, self.served].map(|slots| slots & (1 << slot) != 0)
    }
}

impl Stage {
    /// The truth of this moment.
    pub(super) fn truth(&self) -> Truth {
        let mut truth = Truth {
            desired: vec![0; self.slots.len()],
            ledgers: vec![0; self.slots.len()],
            held: vec![Held::default(); self.clusters.len()],
            ..Truth::default()
        };
        for (index, cluster) in self.clusters.iter().enumerate() {
            cluster.with(|state| self.look_at(index, state, &mut truth));
        }
        truth.registered = self.groups.iter().map(|(arn, _)| self.registered(arn)).collect();
        truth
    }

    fn look_at(&self, cluster: usize, state: &mut ClusterState, truth: &mut Truth) {
        let slots = || self.slots.iter().enumerate().filter(|(_, slot)| slot.cluster == cluster);
        let held = &mut truth.held[cluster];
        for pod in state.pods.values() {
            let Some(address) = &pod.pod.address else { continue };
            held.pods |= targets::held(address);
            let slot = slots().find(|(_, slot)| slot.service == pod.service);
            if let Some((number, slot)) = slot.filter(|_| pod.ready) {
                let id = pod.pod.containers.first().and_then(|it| it.quic_server_id.as_deref());
                truth.desired[number] |= match self.kind(slot) {
                    Kind::Ip => targets::of_pod(address, None),
                    Kind::Quic => targets::of_pod(address, id),
                    Kind::Instance => 0,
                };
            }
        }
        for node in state.nodes.values() {
            let id = node.provider_id.rsplit('/').next().unwrap_or_default();
            let places = [targets::of_instance(id, 0), targets::of_instance(id, 1)];
            held.instances |= places[0] | places[1];
            if node.ready != NodeReady::Ready {
                continue;
            }
            for (number, slot) in slots().filter(|(_, slot)| self.kind(slot) == Kind::Instance) {
                truth.desired[number] |= places[slot.place];
            }
        }
        for (number, slot) in slots() {
            let bit = 1 << number;
            let binding = state.binding_mut(slot.namespace, &slot.binding);
            let is_bound = binding.as_ref().is_some_and(|binding| !binding.is_being_deleted());
            truth.present |= if binding.is_some() { bit } else { 0 };
            let shares = binding.as_ref().is_some_and(|it| it.spec.multi_cluster_target_group);
            truth.sharing |= if shares { bit } else { 0 };
            let ours = binding.is_some_and(|binding| {
                binding.spec.multi_cluster_target_group
                    && binding.flavour == Flavour::LoadBalancerController
            });
            let served = state.services.contains_key(&slot.service_key);
            truth.bound |= if is_bound { bit } else { 0 };
            truth.ours |= if ours { bit } else { 0 };
            truth.served |= if served { bit } else { 0 };
            if !is_bound || !served {
                truth.desired[number] = 0;
            }
            let text = state.ledger_text(slot.namespace, &slot.ledger).unwrap_or_default();
            let ledger = targets::of_ledger(text);
            truth.ledgers[number] = ledger.unwrap_or(0);
            truth.garbled |= if ledger.is_none() { bit } else { 0 };
        }
    }

    pub(super) fn kind(&self, slot: &Slot) -> Kind {
        slot.group.map(|group| self.groups[group].1).unwrap_or_default()
    }

    fn registered(&self, arn: &TargetGroupArn) -> Set {
        let listed = self
            .world
            .load_balancers()
            .with(|model| model.describe_target_health(arn.as_str(), &[]))
            .unwrap_or_default();
        let listed = listed.iter().map(|described| &described.description);
        let registered = listed.filter(|listed| listed.health.state != HealthState::Draining);
        set(registered.map(|listed| &listed.target))
    }
}
