//! What is missing and stale of one binding, and what its controller does about it.

use jiff::{SignedDuration, Timestamp};

use super::catalogue::DRIFT_HIDDEN;
use super::targets::of_class;
use super::{Finding, Severity, listed, minute, reconcile_line};
use crate::binding::{CHECKPOINT_TIME_ANNOTATION, Flavour};
use crate::checkpoint::Checkpoint;
use crate::class::Class;
use crate::facts::{Aliveness, Controller};
use crate::target::Target;
use crate::view::{BindingView, GroupView, TargetView};

/// How long the controller puts a binding off that it skipped for longer than its sync period, at
/// least (`facts/lbc.md` 2.2).
const DEFERRED_MIN: SignedDuration = SignedDuration::from_mins(30);

/// The release since which the controller keeps in memory what it has looked at lately, so that it
/// looks at everything again after a restart (`facts/lbc.md` 2.2).
const REMEMBERS_SINCE: [u32; 3] = [2, 13, 3];

/// What is missing and stale of one binding, beyond what is pending.
pub(super) struct Drift<'a> {
    pub(super) group: &'a GroupView<'a>,
    index: usize,
    pub(super) missing: Vec<&'a Target>,
    pub(super) stale: Vec<&'a Target>,
}

impl<'a> Drift<'a> {
    pub(super) fn of(group: &'a GroupView<'a>, index: usize) -> Self {
        Self {
            group,
            index,
            missing: of_class(group, Class::Missing, |of| of.desired_by.contains(&index)),
            stale: of_class(group, Class::Stale, |of| of.tracked_by.contains(&index)),
        }
    }

    pub(super) fn binding(&self) -> &'a BindingView<'a> {
        &self.group.bindings[self.index]
    }

    pub(super) fn claims(&self, of: &TargetView<'_>) -> bool {
        of.desired_by.contains(&self.index) || of.tracked_by.contains(&self.index)
    }

    /// Takes out what a live controller skips, if there is any.
    pub(super) fn take_hidden(&mut self) -> Option<Self> {
        if !self.is_skipped() {
            return None;
        }
        // What the controller left out for its limit it did look at.
        let missing =
            if self.limit().is_none() { std::mem::take(&mut self.missing) } else { Vec::new() };
        let stale = std::mem::take(&mut self.stale);
        let hidden = Self { group: self.group, index: self.index, missing, stale };
        (!hidden.missing.is_empty() || !hidden.stale.is_empty()).then_some(hidden)
    }

    /// Says whether a live controller skips the binding: it does while its checkpoint is what it
    /// would compute now.
    ///
    /// `product.md` 7.1 wants nothing of the kind said where the controller's version or flags change
    /// the endpoints. A checkpoint that is current as *we* compute it holds the hash of the very
    /// endpoints that the controller found: it proves that they are ours, whatever its version and
    /// flags might have changed. So it is said then; where endpoints do differ no checkpoint is ever
    /// current here, and the difference is named with what is missing or stale.
    fn is_skipped(&self) -> bool {
        let binding = self.binding();
        // A pod that waits for the controller's gate makes it look each time (`facts/lbc.md` 2.2).
        let name = &binding.facts.binding.name;
        let awaited = |endpoints: &std::collections::BTreeMap<_, crate::endpoints::Endpoint>| {
            endpoints.values().any(|endpoint| endpoint.unmet_gates.contains(name))
        };
        self.is_ours()
            && self.aliveness() == Aliveness::Alive
            && binding.checkpoint() == Some(Checkpoint::Current)
            && !binding.desired().is_some_and(awaited)
    }

    /// Says whether `reconcile` acts on the binding at all: not on exclusive ones, nor on Auto Mode's.
    fn is_ours(&self) -> bool {
        let binding = &self.binding().facts.binding;
        binding.spec.multi_cluster_target_group
            && binding.flavour == Flavour::LoadBalancerController
    }

    fn aliveness(&self) -> Aliveness {
        let binding = self.binding();
        binding.cluster.controller(binding.facts.binding.flavour)
    }

    /// The limit that the controller was given, where the group has reached it.
    pub(super) fn limit(&self) -> Option<usize> {
        let limit = self.binding().controller()?.max_targets?;
        let listed = self.group.facts.targets.as_ref().ok()?.len();
        (self.aliveness() != Aliveness::Absent && listed >= limit).then_some(limit)
    }

    /// Names, as a further sentence, why the controller may not agree that anything is wrong.
    pub(super) fn difference(&self) -> String {
        match self.binding().difference() {
            Some(how) if self.aliveness() != Aliveness::Absent => {
                format!(" Its controller may find other endpoints: {how}.")
            }
            _ => String::new(),
        }
    }

    /// Says whether `reconcile` would register what is missing, itself or by a nudge.
    pub(super) fn is_registered_by_reconcile(&self) -> bool {
        let binding = self.binding();
        let tracked = binding.tracked().flatten();
        let is_tracked =
            |target: &&Target| tracked.is_some_and(|tracked| tracked.contains(*target));
        let directly = || {
            binding.checkpoint() == Some(Checkpoint::Current)
                && !binding.is_ledger_unpredictable()
                && self.missing.iter().any(is_tracked)
        };
        self.is_ours()
            && match self.aliveness() {
                Aliveness::Absent => true,
                Aliveness::Unknown => self.limit().is_none() && directly(),
                Aliveness::Alive => self.limit().is_none() && (directly() || self.is_nudged()),
            }
    }

    /// Says whether `reconcile` would deregister what is stale, itself or by a nudge.
    pub(super) fn is_deregistered_by_reconcile(&self) -> bool {
        self.is_ours()
            && match self.aliveness() {
                Aliveness::Absent => true,
                Aliveness::Unknown => false,
                Aliveness::Alive => self.is_nudged(),
            }
    }

    /// Says whether nothing known of the binding itself keeps `reconcile` from nudging its live
    /// controller.
    fn is_nudged(&self) -> bool {
        let binding = self.binding();
        let is_lost =
            binding.tracked() == Some(None) && binding.checkpoint() != Some(Checkpoint::Absent);
        !is_lost && !binding.is_ledger_unpredictable() && binding.difference().is_none()
    }

    /// Tells what its controller skips: all of it has one cause.
    pub(super) fn finding(&self, observed_at: Timestamp) -> Finding {
        let binding = self.binding();
        let part = |targets: &[&Target], what: &str| {
            let be = if targets.len() == 1 { "is" } else { "are" };
            (!targets.is_empty()).then(|| format!("{} {be} {what}", listed(targets)))
        };
        let parts = [
            part(&self.missing, "desired and not registered"),
            part(&self.stale, "registered and no longer an endpoint"),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        let finished = finished_at(binding);
        let since = finished.map(|at| format!(" since {}", minute(at))).unwrap_or_default();
        let again = finished
            .zip(binding.controller())
            .and_then(|(at, controller)| looks_again(controller, at))
            .filter(|at| *at > observed_at)
            .map(|at| format!(" Unless something changes, it looks again after {}.", minute(at)))
            .unwrap_or_default();
        let message = format!(
            "{}: {}. Its checkpoint is current{since}, so its controller skips it.{again}",
            binding.reference(),
            parts.join("; "),
        );
        let is_repaired = self.is_registered_by_reconcile() && !self.missing.is_empty()
            || self.is_deregistered_by_reconcile() && !self.stale.is_empty();
        DRIFT_HIDDEN
            .finding(Severity::Critical, message)
            .about(binding)
            .with_targets(self.missing.iter().chain(&self.stale).copied())
            .with_fix(is_repaired.then(|| reconcile_line(binding)))
    }
}

/// When the controller was last through with a binding.
fn finished_at(binding: &BindingView<'_>) -> Option<Timestamp> {
    let text = binding.facts.binding.annotations.get(CHECKPOINT_TIME_ANNOTATION)?;
    Timestamp::from_second(text.parse().ok()?).ok()
}

/// The earliest time at which a controller looks again at a binding that it was through with at
/// `finished` and that stays as it is (`facts/lbc.md` 2.2); none where too little is known of it.
fn looks_again(controller: &Controller, finished: Timestamp) -> Option<Timestamp> {
    let leads_since = controller.leads_since?;
    let remembers = !controller.is_before(REMEMBERS_SINCE)?;
    let due = if remembers && leads_since > finished {
        leads_since
    } else {
        finished.checked_add(controller.sync_period?).ok()?
    };
    due.checked_add(DEFERRED_MIN).ok()
}
