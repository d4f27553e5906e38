//! Who may own a target that this binding tracks and does not desire.

use super::{BlockedReason, Pass, Request};
use crate::facts::{Facts, Silence};
use crate::owner::{self, Standing as Ownership};
use crate::target::{HealthState, TargetDescription};
use crate::view::{BindingView, GroupView};

/// What is to become of a candidate: tracked, registered, and not desired here.
pub(super) enum Fate {
    /// It goes.
    Deregister,
    /// It leaves our ledger without a call: its new owner tracks it.
    HandOver,
    /// It stays.
    Blocked(BlockedReason, Option<String>),
}

/// Judges the candidates of one binding.
pub(super) struct Guard<'a> {
    facts: &'a Facts,
    request: &'a Request,
    pass: Pass,
    group: &'a GroupView<'a>,
    binding: BindingView<'a>,
    index: usize,
    /// Who may desire a target and was not heard.
    unheard: Option<String>,
}

impl<'a> Guard<'a> {
    pub(super) fn new(
        facts: &'a Facts,
        request: &'a Request,
        pass: Pass,
        group: &'a GroupView<'a>,
        index: usize,
    ) -> Self {
        let binding = group.bindings[index];
        Self { facts, request, pass, group, binding, index, unheard: unheard(facts, group, index) }
    }

    pub(super) fn judge(&self, target: &TargetDescription) -> Fate {
        let desired_by = &self.group.targets[&target.target].desired_by;
        if let Some(other) = desired_by.iter().find(|other| **other != self.index) {
            let other = *other;
            let waiting_on = Some(self.group.bindings[other].reference().to_string());
            return if self.is_tracked_by(other, target) {
                Fate::HandOver
            } else {
                Fate::Blocked(BlockedReason::Contested, waiting_on)
            };
        }
        if self.unheard.is_some() && !self.is_held_here(target) {
            return Fate::Blocked(BlockedReason::Silent, self.unheard.clone());
        }
        let alone = self.facts.clusters.len() == 1;
        if alone && target.health.state == HealthState::Healthy && !self.is_held_here(target) {
            return Fate::Blocked(BlockedReason::AnswersElsewhere, None);
        }
        Fate::Deregister
    }

    /// Says whether a binding that desires the target tracks it too, or will before ours lets go.
    fn is_tracked_by(&self, other: usize, target: &TargetDescription) -> bool {
        let binding = &self.group.bindings[other];
        let tracked =
            binding.tracked().flatten().is_some_and(|tracked| tracked.contains(&target.target));
        tracked
            || (self.pass == Pass::First
                && super::binding::gains_ledger(self.request, self.group, other))
    }

    /// Says whether a pod or node of this cluster is known to hold the target's address.
    fn is_held_here(&self, target: &TargetDescription) -> bool {
        let holders = self.binding.cluster.holders.get(&target.target.id);
        holders.and_then(|holders| holders.as_ref().ok()).is_some_and(|holders| !holders.is_empty())
    }
}

/// Names somebody who may desire targets of the group and was not heard: a silent context, a
/// binding whose endpoints are not known, or an owner that was not read.
fn unheard(facts: &Facts, group: &GroupView<'_>, index: usize) -> Option<String> {
    let silent = |cluster: &crate::facts::ClusterFacts| {
        cluster.silence().map(|_: &Silence| cluster.context.clone())
    };
    let silent_context = facts.clusters.iter().find_map(silent);
    let unread_binding = || {
        let others = group.bindings.iter().enumerate().filter(|(other, _)| *other != index);
        others
            .map(|(_, other)| other)
            .find(|other| other.desired().is_none())
            .map(|other| other.reference().to_string())
    };
    let unread_owner = || match owner::standing(facts, group) {
        Ownership::NotRead(name) => Some(name),
        _ => None,
    };
    silent_context.or_else(unread_binding).or_else(unread_owner)
}
