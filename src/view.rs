//! The facts of one target group, joined by target: who desires, who tracks, what is registered.
//!
//! A view borrows the facts and adds nothing but the join; it is linear in the number of targets.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::binding::BindingRef;
use crate::checkpoint::{self, Checkpoint};
use crate::class::{self, Class};
use crate::endpoints::{Endpoint, Unresolved};
use crate::facts::{Aliveness, BindingFacts, ClusterFacts, Controller, Facts, GroupFacts, Holder};
use crate::ledger;
use crate::target::{HealthState, Target, TargetDescription, TargetGroupArn};

/// How young a difference is left to a live controller, in seconds (`product.md` 3).
pub const PENDING_SECONDS: i64 = 60;

/// One target group with everything observed about it.
#[derive(Debug)]
pub struct GroupView<'a> {
    /// Its ARN.
    pub arn: &'a TargetGroupArn,
    /// What ELBv2 said.
    pub facts: &'a GroupFacts,
    /// The observed bindings of it, by context, namespace and name.
    pub bindings: Vec<BindingView<'a>>,
    /// Every target that is listed, desired or tracked.
    pub targets: BTreeMap<&'a Target, TargetView<'a>>,
}

/// One observed binding of the group.
#[derive(Clone, Copy, Debug)]
pub struct BindingView<'a> {
    /// The cluster it is in.
    pub cluster: &'a ClusterFacts,
    /// The binding.
    pub facts: &'a BindingFacts,
}

/// One target of the group.
#[derive(Clone, Debug)]
pub struct TargetView<'a> {
    /// As ELBv2 lists it, draining or not.
    pub listed: Option<&'a TargetDescription>,
    /// Indices into [`GroupView::bindings`] of those that desire it.
    pub desired_by: Vec<usize>,
    /// Indices into [`GroupView::bindings`] of those whose ledgers track it.
    pub tracked_by: Vec<usize>,
    /// Its class.
    pub class: Class,
    /// Whether the difference is too young to count.
    pub pending: bool,
}

impl TargetView<'_> {
    /// Says whether it is registered.
    pub fn is_registered(&self) -> bool {
        self.listed.is_some_and(TargetDescription::is_registered)
    }

    /// Says whether it is healthy.
    pub fn is_healthy(&self) -> bool {
        self.listed.is_some_and(|listed| listed.health.state == HealthState::Healthy)
    }
}

impl<'a> BindingView<'a> {
    /// The binding's reference.
    pub fn reference(&self) -> BindingRef {
        self.facts.reference(&self.cluster.context)
    }

    /// Where the targets it desires come from; `None` where that is not known.
    ///
    /// A binding that is being deleted, or without its Service or port, desires nothing.
    pub fn desired(&self) -> Option<&'a BTreeMap<Target, Endpoint>> {
        static NOTHING: BTreeMap<Target, Endpoint> = BTreeMap::new();
        match &self.facts.endpoints {
            _ if self.facts.binding.is_being_deleted() => Some(&NOTHING),
            Ok(endpoints) => Some(&endpoints.desired),
            Err(unresolved) if unresolved.is_backend_missing() => Some(&NOTHING),
            Err(_) => None,
        }
    }

    /// What its ledger tracks: `Some(None)` without a ConfigMap, `None` where that is not known.
    pub fn tracked(&self) -> Option<Option<&'a BTreeSet<Target>>> {
        match &self.facts.ledger {
            Ok(ledger) => Some(ledger.as_ref().map(|ledger| &ledger.targets)),
            Err(_) => None,
        }
    }

    /// The endpoint behind a desired target.
    pub fn endpoint(&self, target: &Target) -> Option<&'a Endpoint> {
        self.desired()?.get(target)
    }

    /// What was found of the controller that serves it.
    pub fn controller(&self) -> Option<&'a Controller> {
        self.cluster.controller_of(self.facts.binding.flavour)
    }

    /// How the controller's checkpoint compares with its endpoints and spec; none where those are not
    /// known.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        let endpoints = self.facts.endpoints.as_ref().ok()?;
        Some(checkpoint::compare(&self.facts.binding, endpoints))
    }

    /// Why its controller may find other endpoints than were found here, if it may.
    ///
    /// A current checkpoint proves that it finds the same.
    pub fn difference(&self) -> Option<&'a str> {
        if self.checkpoint() == Some(Checkpoint::Current) {
            return None;
        }
        let target_type = self.facts.binding.spec.target_type;
        let mut differs = self.controller().into_iter().flat_map(|controller| &controller.differs);
        let difference =
            differs.find(|it| it.target_type.is_none() || it.target_type == target_type)?;
        Some(&difference.how)
    }

    /// Says whether its ledger is not the one that its controller works by: anybody else wrote it
    /// after the controller began to lead, which keeps its own in memory (`facts/lbc.md` 2.1).
    pub fn has_another_ledger(&self) -> bool {
        let ledger = self.facts.ledger.as_ref().ok().and_then(Option::as_ref);
        let Some(written) = ledger.and_then(|ledger| ledger.foreign_write_at) else {
            return false;
        };
        let leads_since = self.controller().and_then(|controller| controller.leads_since);
        // Writes are stamped by the second, Leases are not: within one nobody knows which came first.
        leads_since.is_none_or(|since| written.as_second() >= since.as_second())
    }

    /// The binding, as `namespace/name`, whose ledger its controller may take for this one's: its
    /// release is before the one that tells them apart, or not known (`facts/lbc.md` 2.1).
    pub fn shares_memory_with(&self) -> Option<&'a str> {
        let binding = &self.facts.binding;
        let key = (binding.namespace.clone(), binding.name.clone());
        let other = self.cluster.namesakes.get(&key)?;
        let is_before = self.controller()?.is_before(ledger::TOLD_APART_SINCE);
        (is_before != Some(false)).then_some(other)
    }

    /// Says whether what its controller has in memory is, or may be, not the ledger that is stored.
    pub fn is_ledger_unpredictable(&self) -> bool {
        self.has_another_ledger() || self.shares_memory_with().is_some()
    }

    /// Why its endpoints or its ledger are not known, or its Service is missing.
    pub fn problem(&self) -> Option<String> {
        let unresolved = self.facts.endpoints.as_ref().err().map(Unresolved::to_string);
        unresolved.or_else(|| match &self.facts.ledger {
            Ok(_) => None,
            Err(fault) => Some(crate::error::chain(fault)),
        })
    }
}

impl<'a> GroupView<'a> {
    /// Joins the facts of one group.
    pub fn new(facts: &'a Facts, arn: &'a TargetGroupArn, group: &'a GroupFacts) -> Self {
        let of_this_group =
            each_binding(facts).filter(|binding| binding.facts.group.as_ref() == Ok(arn));
        Self::of(facts, arn, group, of_this_group.collect())
    }

    fn of(
        facts: &'a Facts,
        arn: &'a TargetGroupArn,
        group: &'a GroupFacts,
        mut bindings: Vec<BindingView<'a>>,
    ) -> Self {
        bindings.sort_by_cached_key(BindingView::reference);
        let targets = join(&bindings, group);
        let mut view = Self { arn, facts: group, bindings, targets };
        class::classify(facts, &mut view);
        view
    }

    /// Says whether the group is shared or meant to be: a flag is on, or two bindings name it.
    pub fn is_shared(&self) -> bool {
        self.bindings.len() > 1
            || self.bindings.iter().any(|b| b.facts.binding.spec.multi_cluster_target_group)
    }

    /// The healthy targets that are registered.
    pub fn healthy(&self) -> impl Iterator<Item = (&'a Target, &TargetView<'a>)> {
        self.targets
            .iter()
            .filter(|(_, view)| view.is_healthy())
            .map(|(target, view)| (*target, view))
    }

    /// The bindings a target belongs to: those that desire it, else those that track it.
    pub fn owners<'v>(&self, target: &'v TargetView<'a>) -> &'v [usize] {
        if target.desired_by.is_empty() { &target.tracked_by } else { &target.desired_by }
    }

    /// The part of its listeners' weight that the group gets, from 0 to 1; `None` where not known.
    ///
    /// Where actions give it different parts, the largest counts.
    pub fn weight(&self) -> Option<f64> {
        let load_balancers = self.facts.load_balancers.as_ref().ok()?;
        let mut parts = Vec::new();
        for load_balancer in load_balancers {
            for listener in load_balancer.listeners.as_ref().ok()? {
                parts.extend(listener.forwards.iter().filter_map(|forward| forward.part(self.arn)));
            }
        }
        parts.into_iter().reduce(f64::max)
    }

    /// Whether targets are reached across zones; `None` where that is not known.
    pub fn cross_zone(&self) -> Option<bool> {
        self.facts.cross_zone()
    }
}

/// Joins the targets of every group that was observed, by ARN.
pub fn groups(facts: &Facts) -> Vec<GroupView<'_>> {
    let mut bindings: BTreeMap<&TargetGroupArn, Vec<BindingView<'_>>> = BTreeMap::new();
    for binding in each_binding(facts) {
        if let Ok(arn) = &binding.facts.group {
            bindings.entry(arn).or_default().push(binding);
        }
    }
    let groups = facts.groups.iter();
    groups
        .map(|(arn, group)| {
            GroupView::of(facts, arn, group, bindings.remove(arn).unwrap_or_default())
        })
        .collect()
}

fn each_binding(facts: &Facts) -> impl Iterator<Item = BindingView<'_>> {
    let clusters = facts.clusters.iter();
    clusters.flat_map(|cluster| cluster.bindings().map(move |facts| BindingView { cluster, facts }))
}

/// Who says what about a target.
#[derive(Clone, Copy)]
enum Word<'a> {
    Listed(&'a TargetDescription),
    Desired(usize),
    Tracked(usize),
}

/// Sorted runs are merged: that takes fewer comparisons than looking up each target in a map.
fn join<'a>(
    bindings: &[BindingView<'a>],
    group: &'a GroupFacts,
) -> BTreeMap<&'a Target, TargetView<'a>> {
    let listed = group.targets.iter().flatten();
    let mut words: Vec<(&'a Target, Word<'a>)> =
        listed.map(|listed| (&listed.target, Word::Listed(listed))).collect();
    for (index, binding) in bindings.iter().enumerate() {
        let desired = binding.desired().into_iter().flat_map(BTreeMap::keys);
        words.extend(desired.map(|target| (target, Word::Desired(index))));
        let tracked = binding.tracked().flatten().into_iter().flatten();
        words.extend(tracked.map(|target| (target, Word::Tracked(index))));
    }
    // Stable: the last that is listed wins, and bindings stay in their order.
    words.sort_by(|a, b| a.0.cmp(b.0));
    let views = words.chunk_by(|a, b| a.0 == b.0).map(|words| {
        let mut view = TargetView {
            listed: None,
            desired_by: Vec::new(),
            tracked_by: Vec::new(),
            class: Class::Unknown,
            pending: false,
        };
        for (_, word) in words {
            match word {
                Word::Listed(listed) => view.listed = Some(listed),
                Word::Desired(index) => view.desired_by.push(*index),
                Word::Tracked(index) => view.tracked_by.push(*index),
            }
        }
        (words[0].0, view)
    });
    views.collect()
}

/// Says whether a binding's difference on a target is too young to count.
///
/// Only beside a live controller, which needs its time: the pod just became ready or is just being
/// deleted, or the binding or its ledger just changed.
pub fn is_pending(now: Timestamp, binding: &BindingView<'_>, target: &Target) -> bool {
    if binding.cluster.controller(binding.facts.binding.flavour) != Aliveness::Alive {
        return false;
    }
    let binding_facts = &binding.facts.binding;
    let ledger = binding.facts.ledger.as_ref().ok().and_then(Option::as_ref);
    let ready_since = binding.endpoint(target).and_then(|endpoint| endpoint.ready_since);
    let holders = binding.cluster.holders.get(&target.id).and_then(|holders| holders.as_ref().ok());
    let deletions = holders.into_iter().flatten().filter_map(|holder| match holder {
        Holder::Pod(pod) => pod.deleted_at,
        Holder::Node(_) => None,
    });
    [
        binding_facts.changed_at,
        binding_facts.deleted_at,
        ledger.and_then(|ledger| ledger.changed_at),
        ready_since,
    ]
    .into_iter()
    .flatten()
    .chain(deletions)
    .any(|changed_at| now.as_second() - changed_at.as_second() < PENDING_SECONDS)
}
