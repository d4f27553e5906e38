//! Carries plans of changes out: look, ask, change, wait, look again.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use jiff::Timestamp;
use tokio::time::Instant;

use super::announced::narrow;
use super::progress::Progress;
use super::{Change, Goal, Item, Mistake, Verb, Verdict};
use crate::apply;
use crate::cluster::Cluster;
use crate::concurrent::boxed;
use crate::elbv2::LoadBalancers;
use crate::findings;
use crate::report::{API_VERSION, ChangeStep, Changes, ItemOutcome, ItemReport, StepResult};
use crate::status;
use crate::stop::{STOPPED, Stop, Stoppable};
use crate::view;

/// How many items are worked on at once.
const ITEMS_AT_ONCE: usize = 8;

/// How often an item is planned again at once, because somebody else wrote in between.
const CONFLICTS_MAX: usize = 3;

/// Why a write that was made often enough is given up.
const UNDONE: &str = "it was written three times, and each time something else was there after it: \
                      an admission policy or another program changes it back";

/// Why nobody knows how something stands.
const UNSEEN: &str = "somebody else wrote it at the same time, and what is left to do was not seen";

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

/// How long to wait for goals, and how often to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long in all.
    pub timeout: Duration,
    /// How often the world is read meanwhile.
    pub interval: Duration,
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
