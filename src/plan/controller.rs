//! The plan beside a controller that is or may be at work (`product.md` 6.2).
//!
//! What is missing, tracked and covered by a current checkpoint is registered directly: the
//! controller would, and can take it out later. Everything else is the controller's. It is nudged
//! (made to look again) only after its pass was predicted and found lawful; what no pass repairs is
//! named as deferred.

use std::collections::BTreeSet;

use super::binding::{Own, Work, blocked};
use super::guard::{Fate, Guard};
use super::predict::{self, Knowledge, Passing};
use super::{Action, BindingPlan, Blocked, BlockedReason, Nudge, Standing, ViaChoice};
use crate::binding::{Binding, CHECKPOINT_ANNOTATION, CHECKPOINT_TIME_ANNOTATION};
use crate::checkpoint::Checkpoint;
use crate::facts::{Aliveness, Controller};
use crate::ledger::Ledger;
use crate::target::{Target, TargetDescription};

/// How long the controller goes by the targets it listed before, in seconds (`facts/lbc.md` 2.2).
pub(crate) const TARGET_CACHE_SECONDS: i64 = 300;

/// Plans for a binding whose controller is or may be at work.
pub(super) fn plan(work: &Work<'_>, plan: &mut BindingPlan, guard: &Guard<'_>) {
    let beside = Beside::new(work);
    let refused = matches!(plan.standing, Standing::Deferred(_));
    let missing = work.missing(plan);
    if work.request.via == ViaChoice::Auto && !refused {
        for (target, zone) in &missing {
            if beside.may_register(target, plan) {
                plan.register.insert(target.clone(), zone.clone());
            }
        }
    }
    let mut rewrites = false;
    if !refused {
        plan.obstacle = beside.obstacle();
        if plan.obstacle.is_none() {
            let passing = beside.predict();
            rewrites = passing.writes_ledger;
            plan.nudge = beside.nudge(passing, plan, guard);
        }
    }
    let missing: Vec<&Target> = missing.iter().map(|(target, _)| target).collect();
    defer_the_rest(work, plan, &missing, rewrites);
    if !plan.blocked.iter().any(|blocked| blocked.reason == BlockedReason::Deferred) {
        plan.obstacle = None;
    }
}

/// A binding beside its controller.
struct Beside<'a> {
    work: &'a Work<'a>,
    controller: Option<&'a Controller>,
    checkpoint: Option<Checkpoint>,
}

impl<'a> Beside<'a> {
    fn new(work: &'a Work<'a>) -> Self {
        Self { work, controller: work.binding.controller(), checkpoint: work.binding.checkpoint() }
    }

    /// Says whether a missing target may be registered past the controller: it would do that too,
    /// were it not for its checkpoint, and its ledger lets it take the target out later.
    fn may_register(&self, target: &Target, plan: &BindingPlan) -> bool {
        self.work.tracked.is_some_and(|tracked| tracked.contains(target))
            && self.checkpoint == Some(Checkpoint::Current)
            && !self.work.binding.is_ledger_unpredictable()
            && !self.was_at_the_group_lately()
            && !self.is_full(plan.register.len())
    }

    /// Says whether so many more would go to the limit that the controller was given.
    fn is_full(&self, more: usize) -> bool {
        let limit = self.controller.and_then(|controller| controller.max_targets);
        let listed = self.work.group.facts.targets.as_ref().map_or(0, Vec::len);
        limit.is_some_and(|limit| listed + more >= limit)
    }

    /// Says whether the controller has just finished with another binding of this group here: until
    /// its list of targets is old, it would not see ours.
    fn was_at_the_group_lately(&self) -> bool {
        let now = self.work.facts.observed_at.as_second();
        let written = |binding: &Binding| {
            let text = binding.annotations.get(CHECKPOINT_TIME_ANNOTATION)?;
            text.parse::<i64>().ok()
        };
        let here = self.work.group.bindings.iter().enumerate().filter(|(index, binding)| {
            *index != self.work.index
                && binding.cluster.context == self.work.binding.cluster.context
        });
        here.filter_map(|(_, binding)| written(&binding.facts.binding))
            .any(|written| now - written < TARGET_CACHE_SECONDS)
    }

    fn ledger(&self) -> Option<&'a Ledger> {
        self.work.binding.facts.ledger.as_ref().ok()?.as_ref()
    }

    /// Why the controller is not made to look again, however much there is to do.
    fn obstacle(&self) -> Option<String> {
        let alive = self.controller.map(|controller| controller.alive);
        if alive != Some(Aliveness::Alive) {
            return Some("whether its controller is at work is not known".to_owned());
        }
        if self.work.binding.has_another_ledger() {
            return Some(
                "its ledger was written by somebody else while the controller has its own in memory"
                    .to_owned(),
            );
        }
        if let Some(other) = self.work.binding.shares_memory_with() {
            return Some(format!(
                "its controller is or may be older than v3.5.0, and such a one cannot tell its ledger from that of \
                 {other} in memory, and may go by either: upgrade the controller to v3.5.0"
            ));
        }
        let never_passed = matches!(self.checkpoint, Some(Checkpoint::Absent));
        if self.ledger().is_none() && !never_passed {
            return Some(
                "its ledger is lost, and what the controller has in memory is not known".to_owned(),
            );
        }
        let how = self.work.binding.difference()?;
        Some(format!("its controller may find other endpoints: {how}"))
    }

    /// Predicts its next full pass; what only one of two states of its memory would write counts as
    /// forgotten, and not as repaired.
    fn predict(&self) -> Passing {
        let facts = self.work.binding.facts;
        let (Ok(listed), false) =
            (&self.work.group.facts.targets, self.checkpoint.is_none() && !self.cleans_up())
        else {
            return Passing::default();
        };
        let known = Knowledge {
            endpoints: facts.endpoints.as_ref().ok().filter(|_| !self.cleans_up()),
            memory: self.work.tracked,
            stored: self.work.tracked,
            listed,
            max_targets: self.controller.and_then(|controller| controller.max_targets),
        };
        let settled = predict::pass(&known);
        let fresh = predict::pass(&Knowledge { memory: None, ..known });
        Passing {
            writes_ledger: settled.writes_ledger && fresh.writes_ledger,
            forgets: settled.forgets.union(&fresh.forgets).cloned().collect(),
            ..settled
        }
    }

    fn cleans_up(&self) -> bool {
        let facts = self.work.binding.facts;
        facts.binding.is_being_deleted()
            || facts.endpoints.as_ref().is_err_and(|unresolved| unresolved.is_backend_missing())
    }

    /// The nudge, where its pass would repair something and break nothing.
    fn nudge(&self, passing: Passing, plan: &mut BindingPlan, guard: &Guard<'_>) -> Option<Nudge> {
        let register: BTreeSet<Target> = passing
            .register
            .into_iter()
            .filter(|target| !plan.register.contains_key(target))
            .collect();
        let going = passing.deregister.iter().map(|listed| &listed.target);
        // A difference too young to count is no reason to, but comes along.
        if register.iter().chain(going).all(|target| self.work.is_pending(target)) {
            return None;
        }
        let withheld = self.withheld(&passing.deregister, &passing.forgets, guard);
        if !withheld.is_empty() {
            plan.blocked.extend(withheld);
            return None;
        }
        let annotations = &self.work.binding.facts.binding.annotations;
        Some(Nudge {
            removes_checkpoint: annotations.contains_key(CHECKPOINT_ANNOTATION),
            register,
            deregister: passing.deregister,
        })
    }

    /// What stands in the way of a pass: it would break a law, the cap, or what nobody said yes to.
    fn withheld(
        &self,
        going: &[TargetDescription],
        forgets: &BTreeSet<Target>,
        guard: &Guard<'_>,
    ) -> Vec<Blocked> {
        let nudge = |target: &Target, reason| blocked(target, Action::Nudge, reason);
        let mut withheld = Vec::new();
        for listed in going {
            let (reason, waiting_on) = match guard.judge(listed) {
                Fate::Deregister if !self.work.request.may_deregister => {
                    (BlockedReason::NeedsYes, None)
                }
                Fate::Deregister => continue,
                // The other one tracks it, which the controller cannot know: it would take it out.
                Fate::HandOver => (BlockedReason::Contested, guard.other_owner(&listed.target)),
                Fate::Blocked(reason, waiting_on) => (reason, waiting_on),
            };
            withheld.push(Blocked { waiting_on, ..nudge(&listed.target, reason) });
        }
        if self.work.is_over_cap(going) {
            withheld.extend(going.iter().map(|listed| nudge(&listed.target, BlockedReason::Cap)));
        }
        // What another binding wants may be registered by the time the pass comes to it.
        let is_phantom = |own: &Own<'_>| own.tracked && !own.desired && own.registered().is_none();
        for own in self.work.own().filter(is_phantom) {
            if let Some(other) = guard.other_owner(own.target) {
                let waiting_on = Some(other);
                let reason = BlockedReason::Contested;
                withheld.push(Blocked { waiting_on, ..nudge(own.target, reason) });
            }
        }
        withheld.extend(forgets.iter().map(|target| nudge(target, BlockedReason::Deferred)));
        withheld
    }
}

/// Names what neither this program nor the controller's next pass repairs.
fn defer_the_rest(work: &Work<'_>, plan: &mut BindingPlan, missing: &[&Target], rewrites: bool) {
    let flavour = work.binding.facts.binding.flavour;
    let deferred = |target: &Target, action| Blocked {
        waiting_on: Some(flavour.as_str().to_owned()),
        ..blocked(target, action, BlockedReason::Deferred)
    };
    let rest = |target: &Target, action| {
        if work.is_pending(target) {
            blocked(target, action, BlockedReason::Pending)
        } else {
            deferred(target, action)
        }
    };
    let by_pass = |target: &Target| {
        let going = |nudge: &Nudge| nudge.deregister.iter().any(|listed| listed.target == *target);
        plan.nudge.as_ref().is_some_and(|nudge| nudge.register.contains(target) || going(nudge))
    };
    let told = |target: &Target| {
        plan.blocked.iter().any(|blocked| blocked.target.as_ref() == Some(target))
    };
    let mut left = Vec::new();
    let done = |target: &Target| plan.register.contains_key(target) || by_pass(target);
    left.extend(
        missing.iter().filter(|target| !done(target)).map(|t| deferred(t, Action::Register)),
    );
    for listed in work.candidates().filter(|listed| !by_pass(&listed.target)) {
        if !told(&listed.target) {
            left.push(rest(&listed.target, Action::Deregister));
        }
    }
    if plan.nudge.is_none() || !rewrites {
        // Differences of the ledger alone: what it should gain, and phantoms.
        let is_gain = |own: &Own<'_>| own.desired && !own.tracked;
        let is_phantom = |own: &Own<'_>| !own.desired && own.registered().is_none();
        let own = work.own().filter(|own| is_gain(own) || is_phantom(own));
        left.extend(own.map(|own| rest(own.target, Action::WriteLedger)));
    }
    plan.blocked.extend(left);
}
