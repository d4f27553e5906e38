//! Carries plans of changes out: look, ask, change, wait, look again.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::time::Instant;

use super::{Change, Check, Goal, Item, Patience, Verdict};
use crate::apply;
use crate::cluster::Cluster;
use crate::concurrent::boxed;
use crate::elbv2::LoadBalancers;
use crate::facts::Facts;
use crate::findings;
use crate::report::{API_VERSION, ChangeReport, ChangeStep, Changes, ItemOutcome, ItemReport};
use crate::report::{StepResult, When};
use crate::status;
use crate::stop::{STOPPED, Stop, Stoppable};
use crate::view;

/// How many items are worked on at once.
const ITEMS_AT_ONCE: usize = 8;

/// How often an item is planned again at once, because somebody else wrote in between.
const CONFLICTS_MAX: usize = 3;

/// How often the same write is made before it is given up.
const WRITES_MAX: usize = 3;

/// Why it is given up.
const UNDONE: &str = "it was written three times, and each time something else was there after it: \
                      an admission policy or another program changes it back";

/// Why nobody knows how something stands.
const UNSEEN: &str = "somebody else wrote it at the same time, and what is left to do was not seen";

/// A verb that changes objects.
///
/// [`plan`](Self::plan) is pure and says what is to be done *now*: it is asked again after every wait,
/// and must come to an end (no changes, no open goals) in a world that is as the verb wants it.
pub trait Verb: Send + Sync {
    /// What it reads.
    type World: Send + Sync;

    /// The kind of its document: `Bind`.
    const KIND: &'static str;

    /// Reads what it needs. `again` is true while something is waited for: what cannot have changed
    /// need not be read then.
    fn observe<C: Cluster, L: LoadBalancers>(
        &self,
        clusters: &[C],
        load_balancers: &L,
        clock: &(impl Fn() -> Timestamp + Sync),
        again: bool,
    ) -> impl Future<Output = Self::World> + Send;

    /// The facts among what was read.
    fn facts<'w>(&self, world: &'w Self::World) -> &'w Facts;

    /// Decides. `waited` is the time since the first change.
    ///
    /// # Errors
    ///
    /// What was asked for makes no sense or is not there: nothing is changed. Once something was
    /// changed, that it is not known how things stand.
    fn plan(&self, world: &Self::World, waited: Duration) -> Result<Vec<Item>, Mistake>;

    /// What stands above the plan, a sentence each.
    fn preface(&self, _world: &Self::World) -> Vec<String> {
        Vec::new()
    }
}

/// What was asked for makes no sense or is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Mistake {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Mistake {
    /// Makes a mistake.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// How to carry changes out.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether somebody said yes to whatever needs it.
    pub yes: bool,
    /// Whether writes are only sent to be checked (the API server's dry run).
    pub rehearse: bool,
    /// How long to wait for goals; none does not wait.
    pub wait: Option<Patience>,
    /// Asks the run to end early, with its report.
    pub stop: Stop,
}

/// What is told while it is done.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A write that ended.
    Step(&'a Item, &'a ChangeStep),
    /// A goal that came.
    Reached(&'a Item, &'a Goal),
    /// A goal that is waited for.
    Waiting(&'a Item, &'a Goal),
}

/// Who is told.
pub type Listener<'a> = &'a (dyn Fn(Event<'_>) + Send + Sync);

/// A plan, and what it was made from as far as documents tell it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// One for each thing that was asked for.
    pub items: Vec<Item>,
    /// What stands above the plan.
    pub preface: Vec<String>,
    document: Changes,
}

impl Planned {
    /// The document of a plan that is not carried out, or not yet.
    pub fn report(&self) -> Changes {
        let items = self.items.iter().map(|item| Progress::new(item.clone()).report(true, false));
        finished(Changes { dry_run: true, items: items.collect(), ..self.document.clone() })
    }

    /// Says whether anything needs a yes.
    pub fn asks(&self) -> bool {
        self.items
            .iter()
            .any(|item| item.refusals().next().is_none() && item.questions().next().is_some())
    }
}

/// Carries a verb out over some clusters and load balancers.
pub struct Runner<'a, C, L, T, V> {
    clusters: Vec<Stoppable<'a, C>>,
    load_balancers: Stoppable<'a, L>,
    clock: T,
    verb: &'a V,
    options: Options,
}

impl<'a, C, L, T, V> Runner<'a, C, L, T, V>
where
    C: Cluster,
    L: LoadBalancers,
    T: Fn() -> Timestamp + Sync,
    V: Verb,
{
    /// Makes a runner over the clusters to observe.
    pub fn new(
        clusters: &'a [C],
        load_balancers: &'a L,
        clock: T,
        verb: &'a V,
        options: Options,
    ) -> Self {
        let heed = |cluster| Stoppable::new(cluster, options.stop.clone());
        let clusters = clusters.iter().map(heed).collect();
        let load_balancers = Stoppable::new(load_balancers, options.stop.clone());
        Self { clusters, load_balancers, clock, verb, options }
    }

    /// Looks and plans; changes nothing.
    ///
    /// # Errors
    ///
    /// What was asked for makes no sense or is not there.
    pub async fn plan(&self) -> Result<Planned, Mistake> {
        self.look(Duration::ZERO, false).await
    }

    /// Carries the verb out. With `approved`, the plan that somebody said yes to, nothing is changed
    /// that it did not hold.
    ///
    /// # Errors
    ///
    /// What was asked for makes no sense or is not there; nothing was changed then.
    pub async fn run(
        &self,
        approved: Option<&Planned>,
        listener: Listener<'_>,
    ) -> Result<Changes, Mistake> {
        let mut first = self.plan().await?;
        // A controller takes out what a deleted binding had registered.
        let takes_out = |change: &Change| {
            matches!(change, Change::Deregister { .. } | Change::DeleteBinding { .. })
        };
        // Before a deregistration the world is read again: only what both plans hold goes.
        if approved.is_none() && first.items.iter().any(|item| item.changes.iter().any(takes_out)) {
            let second = self.plan().await?;
            let shown = std::mem::replace(&mut first, second);
            narrow(&mut first.items, &shown.items);
        }
        if let Some(approved) = approved {
            narrow(&mut first.items, &approved.items);
        }
        let Planned { items, document, .. } = first;
        let mut all: Vec<Progress> = items.into_iter().map(Progress::new).collect();
        let started = Instant::now();
        let mut timed_out = false;
        let mut conflicts = 0;
        loop {
            let round = all.iter_mut().map(|progress| self.advance(progress, listener));
            let moved: Vec<Moved> = boxed(round).buffered(ITEMS_AT_ONCE).collect().await;
            let is_open = all.iter().any(|progress| progress.is_open(&self.options));
            if self.options.stop.is_asked() || self.options.rehearse || !is_open {
                break;
            }
            let conflict = moved.contains(&Moved::Conflict) && conflicts < CONFLICTS_MAX;
            if conflict {
                conflicts += 1;
            } else if let Some(patience) = self.options.wait {
                if started.elapsed() >= patience.timeout {
                    timed_out = true;
                    break;
                }
                // What was changed is looked at at once; what takes its time, after a while.
                if !moved.contains(&Moved::Changed) {
                    let next = Instant::now() + patience.interval;
                    self.options.stop.pause_until(next.min(started + patience.timeout)).await;
                }
            } else if !moved.contains(&Moved::Changed) {
                // Nobody waits; but what can be done at once is done.
                break;
            }
            if self.options.stop.is_asked() {
                break;
            }
            let again = self.look(started.elapsed(), true).await;
            if self.options.stop.is_asked() {
                continue;
            }
            match again {
                Ok(planned) => all.iter_mut().for_each(|it| it.replan(&planned.items)),
                // What could not be looked at is as it was.
                Err(mistake) => {
                    for progress in &mut all {
                        progress.item.changes.clear();
                        if let Some(unseen) = &mut progress.unseen {
                            *unseen = format!("{UNSEEN}: {mistake}");
                        }
                    }
                }
            }
        }
        let waited = self.options.wait.is_some();
        let items =
            all.iter().map(|progress| progress.report(self.options.rehearse, waited)).collect();
        let interrupted = self.options.stop.is_asked();
        Ok(finished(Changes {
            dry_run: self.options.rehearse,
            timed_out,
            interrupted,
            items,
            ..document
        }))
    }

    async fn look(&self, waited: Duration, again: bool) -> Result<Planned, Mistake> {
        let world =
            self.verb.observe(&self.clusters, &self.load_balancers, &self.clock, again).await;
        let items = self.verb.plan(&world, waited)?;
        let facts = self.verb.facts(&world);
        let views = view::groups(facts);
        let shown: BTreeSet<_> = items.iter().filter_map(|item| item.arn.as_ref()).collect();
        let groups: Vec<_> = views.iter().filter(|view| shown.contains(view.arn)).collect();
        let document = Changes {
            api_version: API_VERSION,
            kind: V::KIND,
            observed_at: facts.observed_at,
            dry_run: false,
            complete: true,
            timed_out: false,
            interrupted: false,
            demo: false,
            contexts: status::contexts(facts),
            items: Vec::new(),
            findings: findings::unread(facts, &groups),
        };
        Ok(Planned { items, preface: self.verb.preface(&world), document })
    }

    /// Does what is to be done now for one item.
    async fn advance(&self, progress: &mut Progress, listener: Listener<'_>) -> Moved {
        progress.tell(listener);
        if progress.has_ended || progress.is_held(&self.options) {
            return Moved::Nothing;
        }
        let context = &progress.item.context;
        let Some(cluster) = self.clusters.iter().find(|it| it.context() == context) else {
            return Moved::Nothing;
        };
        let mut moved = Moved::Nothing;
        let mut changes = std::mem::take(&mut progress.item.changes).into_iter();
        for change in changes.by_ref() {
            if progress.was_done_in_vain(&change) {
                let error = Some(UNDONE.to_owned());
                let step = ChangeStep {
                    result: StepResult::Failed,
                    error,
                    ..ChangeStep::skipped(&change)
                };
                listener(Event::Step(&progress.item, &step));
                progress.steps.push(step);
                progress.has_ended = true;
                return Moved::Changed;
            }
            let rehearse = self.options.rehearse;
            let done = apply::change(cluster, &self.load_balancers, &change, rehearse).await;
            if done.conflict && progress.conflicts < CONFLICTS_MAX {
                progress.conflicts += 1;
                progress.unseen = Some(UNSEEN.to_owned());
                return Moved::Conflict;
            }
            listener(Event::Step(&progress.item, &done.step));
            let failed = done.step.result == StepResult::Failed;
            progress.steps.push(done.step);
            moved = Moved::Changed;
            if failed {
                progress.has_ended = true;
                break;
            }
        }
        // What the failure left undone is told too.
        for change in changes {
            let step = ChangeStep::skipped(&change);
            listener(Event::Step(&progress.item, &step));
            progress.steps.push(step);
        }
        moved
    }
}

/// What came of one item's turn.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Moved {
    Nothing,
    Changed,
    Conflict,
}

/// Keeps of each item only what another plan announced; where that drops a change other than a
/// target that need not go, the item is refused: the world is not what was shown.
fn narrow(items: &mut [Item], shown: &[Item]) {
    for item in items {
        let announced = shown.iter().find(|other| other.is_same_as(item));
        let before = item.changes.len();
        item.changes = match announced {
            Some(plan) => item.changes.iter().filter_map(|it| it.announced_by(plan)).collect(),
            None => Vec::new(),
        };
        let dropped_a_write = item.changes.len() < before;
        if dropped_a_write && item.refusals().next().is_none() {
            item.check(plan_changed());
        }
    }
}

fn plan_changed() -> Check {
    let message = "the world changed since the plan was shown";
    Check::refused("PlanChanged", message).hint("run it again to see the new plan")
}

/// How far one item is.
struct Progress {
    /// As it was planned first: what the document shows as its plan.
    first: Item,
    /// As it was planned last.
    item: Item,
    steps: Vec<ChangeStep>,
    told: BTreeSet<&'static str>,
    conflicts: usize,
    has_ended: bool,
    /// Why it is not known what is left to do, after somebody else wrote in between.
    unseen: Option<String>,
}

impl Progress {
    fn new(item: Item) -> Self {
        let (steps, told) = (Vec::new(), BTreeSet::new());
        let first = item.clone();
        Self { first, item, steps, told, conflicts: 0, has_ended: false, unseen: None }
    }

    /// Tells the goals that came, once each, and the one that is waited for; not while something is to
    /// be done for it first, nor where all of it is as it should be from the start.
    fn tell(&mut self, listener: Listener<'_>) {
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
    fn was_done_in_vain(&self, change: &Change) -> bool {
        let same = |step: &&ChangeStep| {
            (step.action, step.result) == (change.action(), StepResult::Done)
                && step.object == change.object()
        };
        self.steps.iter().filter(same).count() >= WRITES_MAX
    }

    /// Whether nothing may be changed for it.
    fn is_held(&self, options: &Options) -> bool {
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
    fn is_open(&self, options: &Options) -> bool {
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

    /// Whether it met another's write, and after it nothing was left to do.
    fn is_done_by_another(&self) -> bool {
        self.conflicts > 0 && !self.item.changes_anything()
    }

    /// Whether its goals were planned before its last write.
    fn just_changed(&self) -> bool {
        !self.steps.is_empty() && self.told.len() < self.item.goals.len()
    }

    /// Takes over the plan made of a new look: what it holds of changes must have been announced. An
    /// item that is not planned any more is done, and one that was told to be refused stays so.
    fn replan(&mut self, planned: &[Item]) {
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

    fn report(&self, dry_run: bool, waited: bool) -> ItemReport {
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
        next.retain(|it| outcome != ItemOutcome::Failed || it.label != "undo");
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
            // Somebody else did it in between.
            () if self.steps.is_empty() && self.is_done_by_another() => ItemOutcome::Unchanged,
            () if self.steps.is_empty() => ItemOutcome::Failed,
            () => ItemOutcome::Applied,
        }
    }
}

/// Sums up: whether everything was read and done, and that a run which was stopped has not found out
/// anything by that.
fn finished(mut report: Changes) -> Changes {
    if report.interrupted {
        report.findings.retain(|finding| !finding.message.contains(STOPPED));
    }
    let unknown =
        |item: &ItemReport| item.checks.iter().any(|check| check.verdict == Verdict::Unknown);
    let undone = |item: &ItemReport| match item.outcome {
        ItemOutcome::Failed | ItemOutcome::Partial | ItemOutcome::Blocked => true,
        ItemOutcome::Refused => unknown(item),
        ItemOutcome::Unchanged | ItemOutcome::Planned | ItemOutcome::Applied => false,
    };
    let unread = report.findings.iter().any(crate::findings::Finding::is_incompleteness);
    report.complete = !unread && !report.items.iter().any(undone);
    report
}
