//! How far one item is, and what its document says of it.

use std::collections::BTreeSet;

use super::announced::plan_changed;
use super::run::{Event, Listener, Options};
use super::{Change, Check, Item, Verdict};
use crate::report::{ChangeReport, ChangeStep, ItemOutcome, ItemReport, StepResult, When};

/// How often the same write is made before it is given up.
const WRITES_MAX: usize = 3;

/// How far one item is.
pub(super) struct Progress {
    /// As it was planned first: what the document shows as its plan.
    first: Item,
    /// As it was planned last.
    pub(super) item: Item,
    pub(super) steps: Vec<ChangeStep>,
    told: BTreeSet<&'static str>,
    pub(super) conflicts: usize,
    pub(super) has_ended: bool,
    /// Why it is not known what is left to do, after somebody else wrote in between.
    pub(super) unseen: Option<String>,
}

impl Progress {
    pub(super) fn new(item: Item) -> Self {
        let (steps, told) = (Vec::new(), BTreeSet::new());
        let first = item.clone();
        Self { first, item, steps, told, conflicts: 0, has_ended: false, unseen: None }
    }

    /// Tells the goals that came, once each, and the one that is waited for; not while something is to
    /// be done for it first, nor where all of it is as it should be from the start.
    pub(super) fn tell(&mut self, listener: Listener<'_>) {
        let as_it_should_be = !self.first.changes_anything() && self.first.open_goal().is_none();
        let before = self.steps.is_empty() && self.first.changes_anything();
        if before || as_it_should_be || self.has_ended || self.item.refusals().next().is_some() {
            return;
        }
        for goal in &self.item.goals {
            if !goal.is_reached() {
                listener(Event::Waiting(&self.item, goal));
                break;
            }
            if self.told.insert(goal.word) {
                listener(Event::Reached(&self.item, goal));
            }
        }
    }

    /// Whether the same write was made often enough to know that somebody undoes it.
    pub(super) fn was_done_in_vain(&self, change: &Change) -> bool {
        let same = |step: &&ChangeStep| {
            (step.action, step.result) == (change.action(), StepResult::Done)
                && step.object == change.object()
        };
        self.steps.iter().filter(same).count() >= WRITES_MAX
    }

    /// Whether nothing may be changed for it.
    pub(super) fn is_held(&self, options: &Options) -> bool {
        self.item.refusals().next().is_some() || (self.is_unanswered() && !options.yes)
    }

    /// Whether it needs a yes: once begun, the yes was given.
    fn is_unanswered(&self) -> bool {
        self.steps.is_empty()
            && self.conflicts == 0
            && self.first.questions().next().is_some()
            && self.first.changes_anything()
    }

    /// Whether looking again can bring it further.
    pub(super) fn is_open(&self, options: &Options) -> bool {
        let begun = !self.steps.is_empty() || self.first.refusals().next().is_none();
        let held = self.steps.is_empty() && self.is_held(options);
        let changes = !self.item.changes.is_empty() || !self.item.later.is_empty();
        !self.has_ended
            && begun
            && !held
            && (changes
                || self.item.open_goal().is_some()
                || self.just_changed()
                || self.unseen.is_some()
                || self.is_lost_from_sight())
    }

    /// Whether it was begun, and how it stands could not be read.
    fn is_lost_from_sight(&self) -> bool {
        let unknown = |check: &Check| check.verdict == Verdict::Unknown;
        !self.steps.is_empty() && self.item.checks.iter().any(unknown)
    }

    /// Whether nothing was done for it, and nothing is left to do.
    fn is_done_by_another(&self) -> bool {
        self.steps.is_empty() && !self.item.changes_anything()
    }

    /// Whether its goals were planned before its last write.
    fn just_changed(&self) -> bool {
        !self.steps.is_empty() && self.told.len() < self.item.goals.len()
    }

    /// Takes over the plan made of a new look: what it holds of changes must have been announced. An
    /// item that is not planned any more is done, and one that was told to be refused stays so.
    pub(super) fn replan(&mut self, planned: &[Item]) {
        if self.has_ended || self.first.refusals().next().is_some() {
            return;
        }
        self.unseen = None;
        let same = planned.iter().find(|item| item.is_same_as(&self.first));
        // What could not be read has no group, and is not done for that.
        match same.or_else(|| planned.iter().find(|item| item.may_be(&self.first))) {
            Some(item) => {
                self.item = item.clone();
                self.item.changes =
                    item.changes.iter().filter_map(|it| it.announced_by(&self.first)).collect();
                // Another patch than was shown would be waited for in vain.
                let patches = |changes: &[Change]| {
                    changes.iter().filter(|it| matches!(it, Change::PatchOwner(_))).count()
                };
                if patches(&self.item.changes) < patches(&item.changes)
                    && item.refusals().next().is_none()
                {
                    self.item.check(plan_changed());
                }
                // What was begun and must not go on is not waited for; what was not read may be.
                let refused = |check: &Check| check.verdict == Verdict::Refused;
                self.has_ended |= !self.steps.is_empty() && self.item.checks.iter().any(refused);
            }
            None => {
                self.item.changes.clear();
                self.item.later.clear();
                for goal in &mut self.item.goals {
                    goal.waiting = None;
                }
            }
        }
    }

    pub(super) fn report(&self, dry_run: bool, waited: bool) -> ItemReport {
        let (first, last) = (&self.first, &self.item);
        let outcome = self.outcome(dry_run, waited);
        let refusal = || last.refusals().next().map(|check| check.message.clone());
        let question = || {
            let needed = first.questions().next()?;
            Some(format!("needs --yes: {}", needed.message))
        };
        let error = || self.steps.iter().find_map(|step| step.error.clone());
        let unseen = || self.unseen.clone();
        let open = || {
            let goal = last.open_goal()?;
            Some(format!("{}: {}", goal.word, goal.waiting.clone().unwrap_or_default()))
        };
        let reason = match outcome {
            ItemOutcome::Refused => refusal(),
            ItemOutcome::Blocked => question(),
            ItemOutcome::Failed | ItemOutcome::Partial => {
                error().or_else(refusal).or_else(unseen).or_else(open)
            }
            ItemOutcome::Unchanged | ItemOutcome::Planned | ItemOutcome::Applied => None,
        };
        let mut next = last.next.clone();
        // There is nothing to take back.
        let nothing_was_done =
            [ItemOutcome::Failed, ItemOutcome::Blocked, ItemOutcome::Refused].contains(&outcome);
        next.retain(|it| !nothing_was_done || it.label != "undo");
        let now = first.changes.iter().map(|change| ChangeReport::new(change, When::Now));
        let later = first.later.iter().map(|change| ChangeReport::new(change, When::Later));
        ItemReport {
            context: first.context.clone(),
            namespace: first.namespace.clone(),
            name: first.name.clone(),
            binding: last.binding.clone().or_else(|| first.binding.clone()),
            target_group_arn: first.arn.clone(),
            outcome,
            reason,
            checks: if self.steps.is_empty() { last.checks.clone() } else { first.checks.clone() },
            details: first.details.clone(),
            plan: now.chain(later).collect(),
            steps: self.steps.clone(),
            goals: last.goals.clone(),
            conclusion: last.conclusion.clone(),
            next,
        }
    }

    fn outcome(&self, dry_run: bool, waited: bool) -> ItemOutcome {
        let has = |result| self.steps.iter().any(|step| step.result == result);
        let refused = self.item.refusals().next().is_some();
        match () {
            () if has(StepResult::Failed) && has(StepResult::Done) => ItemOutcome::Partial,
            () if has(StepResult::Failed) => ItemOutcome::Failed,
            () if self.has_ended && refused => ItemOutcome::Partial,
            () if self.steps.is_empty() && refused => ItemOutcome::Refused,
            () if dry_run && self.first.changes_anything() => ItemOutcome::Planned,
            () if self.unseen.is_some() && has(StepResult::Done) => ItemOutcome::Partial,
            () if self.unseen.is_some() => ItemOutcome::Failed,
            () if self.steps.is_empty() && self.is_unanswered() => ItemOutcome::Blocked,
            () if self.steps.is_empty() && !self.first.changes_anything() => {
                match self.item.open_goal() {
                    Some(_) if waited => ItemOutcome::Partial,
                    _ => ItemOutcome::Unchanged,
                }
            }
            () if waited
                && (self.item.open_goal().is_some()
                    || !self.item.later.is_empty()
                    || self.is_lost_from_sight()) =>
            {
                ItemOutcome::Partial
            }
            () if self.is_done_by_another() => ItemOutcome::Unchanged,
            () if self.steps.is_empty() => ItemOutcome::Failed,
            () => ItemOutcome::Applied,
        }
    }
}
