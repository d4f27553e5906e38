//! Who may own a target that this binding tracks and does not desire.

use super::{BlockedReason, Pass, Request};
use crate::binding::BindingRef;
use crate::facts::{ClusterFacts, Facts, Holder};
use crate::owner::{self, Standing as Ownership};
use crate::target::{HealthState, Target, TargetDescription};
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
    /// Who in another cluster may desire a target and was not heard.
    unheard: Option<String>,
    /// Which binding of this cluster may desire it and was not heard: who holds its address tells
    /// nothing then.
    unheard_here: Option<String>,
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
        let Unheard { here: unheard_here, anywhere: unheard } =
            unheard(facts, group, &binding.cluster.context, Some(index));
        Self { facts, request, pass, group, binding, index, unheard, unheard_here }
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
        if self.unheard_here.is_some() {
            return Fate::Blocked(BlockedReason::Silent, self.unheard_here.clone());
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

    /// Another binding that desires a target.
    pub(super) fn other_owner(&self, target: &Target) -> Option<String> {
        let desired_by = &self.group.targets.get(target)?.desired_by;
        let other = desired_by.iter().find(|other| **other != self.index)?;
        Some(self.group.bindings[*other].reference().to_string())
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
    ///
    /// While namespaces of this cluster are hidden, a binding there may desire what their pods hold:
    /// only a pod of this binding's own namespace proves anything.
    fn is_held_here(&self, target: &TargetDescription) -> bool {
        let cluster = self.binding.cluster;
        let proves = |holder: &Holder| match holder {
            Holder::Pod(pod) => pod.name.namespace == self.binding.facts.binding.namespace,
            Holder::Node(_) => false,
        };
        let holders = cluster.holders.get(&target.target.id);
        holders
            .and_then(|holders| holders.as_ref().ok())
            .into_iter()
            .flatten()
            .any(|holder| cluster.is_read_in_full() || proves(holder))
    }
}

/// Who may desire targets of a group and was not heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unheard {
    /// In the acting cluster: who holds an address tells nothing then.
    pub(crate) here: Option<String>,
    /// Anywhere.
    pub(crate) anywhere: Option<String>,
}

/// Names who may desire targets of the group and was not heard, in the cluster behind `own` and in
/// general: a silent context, a binding whose endpoints or group are not known, or an owner that was
/// not read. The binding at `except` is the acting one.
pub(crate) fn unheard(
    facts: &Facts,
    group: &GroupView<'_>,
    own: &str,
    except: Option<usize>,
) -> Unheard {
    let silent = |cluster: &ClusterFacts| cluster.silence().map(|_| cluster.context.clone());
    let others = group.bindings.iter().enumerate().filter(|(other, _)| Some(*other) != except);
    let unread = others.map(|(_, other)| other).filter(|other| other.desired().is_none());
    let mut unread: Vec<BindingRef> = unread.map(BindingView::reference).collect();
    for cluster in &facts.clusters {
        let may_be_of_group = cluster.bindings().filter(|binding| binding.may_name(group.arn));
        unread.extend(may_be_of_group.map(|binding| binding.reference(&cluster.context)));
    }
    let unread_owner = || match owner::standing(facts, group) {
        Ownership::NotRead(name) => Some(name),
        _ => None,
    };
    let here = unread.iter().find(|binding| binding.context == own).map(BindingRef::to_string);
    let anywhere = facts.clusters.iter().find_map(silent);
    let anywhere = anywhere.or_else(|| unread.first().map(BindingRef::to_string));
    Unheard { here, anywhere: anywhere.or_else(unread_owner) }
}
