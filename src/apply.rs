//! A plan in, a report of what was done out: the only code that changes anything.
//!
//! It has no choices of its own. For each binding the ledger gains, then targets are registered;
//! the world is read again; then what both plans deregister goes, and only then do ledgers lose.
//! Dropping the future between two calls leaves a state that the next run repairs: whatever was
//! registered is in a ledger.

mod changes;
mod nudge;
mod prune;
mod targets;

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;

pub(crate) use self::changes::change;
pub(crate) use self::nudge::nudge_again;
pub use self::prune::{GroupDone, prune};
use self::targets::Failure;
use crate::binding::{BindingRef, Flavour};
use crate::cluster::{Cluster, WriteError};
use crate::concurrent::boxed;
use crate::elbv2::{Access, LoadBalancers};
use crate::events::Event;
use crate::facts::{Facts, Silence, SilenceReason};
use crate::ledger::{self, Ledger};
use crate::plan::{
    self, Action, BindingPlan, Blocked, BlockedReason, Claims, Finish, LedgerPlan, Nudge, Plan,
    Standing, Unrepaired, Via,
};
use crate::report::{Step, StepResult};
use crate::stop::Unheard;
use crate::target::{Health, HealthState, Target, TargetDescription, TargetGroupArn};

/// How many bindings are worked on at once.
const BINDINGS_AT_ONCE: usize = 8;

/// What was done for one binding.
#[derive(Clone, Debug)]
#[must_use = "it says what was and what was not done"]
pub struct Done {
    /// Which binding.
    pub binding: BindingRef,
    /// What was done or tried, in order.
    pub steps: Vec<Step>,
    /// What was registered.
    pub registered: BTreeSet<Target>,
    /// What was deregistered.
    pub deregistered: BTreeSet<Target>,
    /// What the controller was made to do.
    pub nudged: Option<Nudge>,
    /// What the second reading withheld.
    pub blocked: Vec<Blocked>,
    /// Whether somebody else wrote the ledger in between, so that it must be planned again.
    pub conflict: bool,
}

impl Done {
    /// Nothing was done for a binding.
    pub fn nothing(binding: BindingRef) -> Self {
        Self {
            binding,
            steps: Vec::new(),
            registered: BTreeSet::new(),
            deregistered: BTreeSet::new(),
            nudged: None,
            blocked: Vec::new(),
            conflict: false,
        }
    }

    /// Adds what a later round did.
    pub(crate) fn append(&mut self, later: Self) {
        self.steps.extend(later.steps);
        self.registered.extend(later.registered);
        self.deregistered.extend(later.deregistered);
        self.nudged = later.nudged.or(self.nudged.take());
        self.blocked.extend(later.blocked);
        self.conflict = later.conflict;
    }

    /// Says whether any step failed.
    pub fn has_failed(&self) -> bool {
        self.steps.iter().any(|step| step.result == StepResult::Failed)
    }
}

/// What is told while it is done.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Progress<'a> {
    /// What was observed, and the plan about to be applied.
    Planned(&'a Facts, &'a Plan),
    /// A step that ended.
    Step(&'a BindingRef, &'a Step),
    /// What controllers that were nudged have not done yet.
    Nudged(&'a BTreeMap<BindingRef, Unrepaired>),
    /// A step that ended, about targets of a group that no cluster claims.
    GroupStep(&'a TargetGroupArn, &'a Step),
    /// Registered targets that are not past their first checks yet.
    Waiting(&'a BTreeMap<Target, Health>),
    /// An event that could not be written, and why: nothing else comes of that.
    EventLost(&'a Event, &'a Silence),
}

/// Who is told. Embedders that do not care pass `&|_| {}`.
pub type Listener<'a> = &'a (dyn Fn(Progress<'_>) + Send + Sync);

/// Applies a plan. `read_again` is called once, after targets were registered, if anything is to be
/// taken out: it makes the plan of the second reading.
///
/// A step that fails ends its binding's work and no other's.
pub async fn apply<C: Cluster, L: LoadBalancers>(
    clusters: &[C],
    load_balancers: &L,
    plan: &Plan,
    read_again: impl AsyncFnOnce() -> Plan,
    listener: Listener<'_>,
) -> Vec<Done> {
    let is_ready = |plan: &&BindingPlan| plan.standing == Standing::Ready && !plan.is_empty();
    let ready: Vec<&BindingPlan> = plan.bindings.iter().filter(is_ready).collect();
    let making_room = ready.iter().filter(|plan| !plan.deregister.is_empty());
    let making_room: BTreeSet<&TargetGroupArn> =
        making_room.filter_map(|plan| plan.arn.as_ref()).collect();
    let workers =
        ready.iter().filter_map(|plan| Worker::new(clusters, load_balancers, plan, listener));
    let workers =
        workers.map(|worker| Worker { room_comes: making_room.contains(worker.arn), ..worker });
    let mut workers: Vec<_> =
        boxed(workers.map(Worker::gained)).buffered(BINDINGS_AT_ONCE).collect().await;
    let must_read_again = workers.iter().any(|worker| worker.goes_on() && worker.must_read_again());
    if must_read_again || lost_anything(&workers).await {
        let second_plan = read_again().await;
        let claims = &second_plan.claims;
        let mut finishing = Vec::new();
        for mut worker in workers {
            let second =
                second_plan.bindings.iter().find(|second| second.binding == worker.plan.binding);
            let finish = second.and_then(|second| plan::finish(worker.plan, second));
            let silence = second_plan.silences.get(&worker.plan.binding.context);
            worker.deregister(second, silence, finish.as_ref()).await;
            finishing.push((worker, second, finish));
        }
        workers = Vec::new();
        for (mut worker, second, finish) in finishing {
            worker.take_back(claims).await;
            worker.lose(finish.as_ref()).await;
            worker.register_the_rest(second, finish.as_ref()).await;
            worker.track_what_stays(second, finish.as_ref()).await;
            worker.nudge(second).await;
            workers.push(worker);
        }
    }
    workers.into_iter().map(Worker::finish).collect()
}

/// Says whether a ledger does not track any more what was just registered: somebody else wrote it
/// after it was read, and nothing may leak.
async fn lost_anything<C: Cluster, L: LoadBalancers>(workers: &[Worker<'_, C, L>]) -> bool {
    let asking = workers.iter().filter(|worker| !worker.done.registered.is_empty());
    let lost = asking.map(Worker::has_lost_entries);
    boxed(lost).buffered(BINDINGS_AT_ONCE).any(std::future::ready).await
}

/// One binding's work.
struct Worker<'a, C, L> {
    cluster: &'a C,
    load_balancers: &'a L,
    plan: &'a BindingPlan,
    arn: &'a TargetGroupArn,
    access: &'a Access,
    listener: Listener<'a>,
    done: Done,
    /// Whether targets of the group will go in this run, whichever binding tracks them.
    room_comes: bool,
    /// What did not fit, to be tried again once targets have gone.
    full: Vec<Target>,
}

impl<'a, C: Cluster, L: LoadBalancers> Worker<'a, C, L> {
    /// Takes on a plan; none where its cluster or its group is not known.
    fn new(
        clusters: &'a [C],
        load_balancers: &'a L,
        plan: &'a BindingPlan,
        listener: Listener<'a>,
    ) -> Option<Self> {
        let cluster = clusters.iter().find(|cluster| cluster.context() == plan.binding.context)?;
        let (arn, access) = (plan.arn.as_ref()?, plan.access.as_ref()?);
        let done = Done::nothing(plan.binding.clone());
        let (room_comes, full) = (false, Vec::new());
        Some(Self { cluster, load_balancers, plan, arn, access, listener, done, room_comes, full })
    }

    /// Says whether the world must be read again: for what comes then, and after a registration past
    /// a controller, which may have changed its mind meanwhile.
    fn must_read_again(&self) -> bool {
        let past_controller = self.plan.is_beside_controller() && !self.done.registered.is_empty();
        self.plan.has_second_half() || past_controller
    }

    /// The same, once its ledger has gained and its targets are registered.
    async fn gained(mut self) -> Self {
        self.gain().await;
        self
    }

    /// Writes the ledger before anything is registered, so that nothing can leak.
    async fn gain(&mut self) {
        if let Some(ledger) = self.plan.ledger.as_ref().filter(|ledger| ledger.gains()) {
            let namespace = &self.plan.binding.namespace;
            let version = ledger.version.as_deref();
            let written =
                self.cluster.write_ledger(namespace, &ledger.name, &ledger.gain, version).await;
            self.told_write(Action::WriteLedger, ledger.gain.len(), written.map(|_| ()));
        }
        if !self.goes_on() {
            self.skip(Action::Register, self.plan.register.len());
            return;
        }
        self.register(self.plan.register.keys().cloned().collect(), false).await;
    }

    /// Registers targets; those that do not fit are kept for later unless this `is_last`.
    async fn register(&mut self, targets: Vec<Target>, is_last: bool) {
        if targets.is_empty() {
            return;
        }
        let zones = &self.plan.register;
        let outcome =
            targets::register(self.load_balancers, self.access, self.arn, &targets, zones).await;
        self.done.registered.extend(outcome.done.iter().cloned());
        if !outcome.done.is_empty() {
            self.told(Action::Register, outcome.done.len(), Ok(()));
        }
        for Failure { targets, error, is_full } in outcome.failures {
            if is_full && self.room_comes && !is_last {
                self.full.extend(targets);
            } else {
                self.told(Action::Register, targets.len(), Err(error));
            }
        }
    }

    /// Tries again what did not fit, now that targets have gone: what the second reading calls for too.
    ///
    /// Its ledger was ours to write, and has just been written where it did not hold all that is
    /// desired, or it is a controller's, and then the second reading found the target tracked.
    async fn register_the_rest(&mut self, second: Option<&BindingPlan>, finish: Option<&Finish>) {
        let Some(second) = second.filter(|_| finish.is_some() && self.goes_on()) else { return };
        let rest = std::mem::take(&mut self.full);
        let (rest, changed): (Vec<Target>, Vec<Target>) =
            rest.into_iter().partition(|target| second.register.contains_key(target));
        self.done.blocked.extend(changed.into_iter().map(|target| Blocked {
            target: Some(target),
            action: Action::Register,
            reason: BlockedReason::Changed,
            waiting_on: None,
        }));
        self.register(rest, true).await;
    }

    async fn deregister(
        &mut self,
        second: Option<&BindingPlan>,
        silence: Option<&Silence>,
        finish: Option<&Finish>,
    ) {
        let Some(finish) = finish.filter(|_| !self.done.conflict) else {
            if self.goes_on() && self.plan.has_second_half() {
                self.not_confirmed(second, silence);
            } else {
                self.skip(Action::Deregister, self.plan.deregister.len());
            }
            return;
        };
        self.done.blocked.extend(finish.blocked.iter().cloned());
        self.take_out(&finish.deregister).await;
    }

    /// Tells why the second half of the plan is not done: the second reading does not bear it out.
    fn not_confirmed(&mut self, second: Option<&BindingPlan>, silence: Option<&Silence>) {
        let reason = match second.map(|second| &second.standing) {
            Some(Standing::Failed(reason) | Standing::Skipped(reason)) => reason.clone(),
            Some(Standing::Ready | Standing::Deferred(_)) => "the binding has changed".to_owned(),
            None => match silence {
                Some(silence) => format!("its cluster could not be read: {silence}"),
                None => "the binding was not found any more".to_owned(),
            },
        };
        let message = format!("not done, for the world read again does not confirm it: {reason}");
        let (action, targets) = match self.plan.deregister.len() {
            0 if self.plan.ledger.as_ref().is_some_and(LedgerPlan::loses) => {
                (Action::WriteLedger, 0)
            }
            0 if self.plan.nudge.is_some() => (Action::Nudge, 0),
            0 => (Action::RemoveFinalizer, 0),
            targets => (Action::Deregister, targets),
        };
        let silence = match self.load_balancers.is_closed() {
            true => Unheard::NotMade.silence(true),
            false => Silence::new(SilenceReason::NotAsked, message),
        };
        self.told(action, targets, Err(silence));
    }

    async fn take_out(&mut self, targets: &[TargetDescription]) {
        if targets.is_empty() {
            return;
        }
        let outcome =
            targets::deregister(self.load_balancers, self.access, self.arn, targets).await;
        if !outcome.done.is_empty() {
            self.told(Action::Deregister, outcome.done.len(), Ok(()));
        }
        self.done.deregistered.extend(outcome.done);
        for Failure { targets, error, .. } in outcome.failures {
            self.told(Action::Deregister, targets.len(), Err(error));
        }
    }

    /// Writes the ledger's last state, or deletes a ledger whose binding has no Service any more.
    async fn lose(&mut self, finish: Option<&Finish>) {
        let Some(finish) = finish.filter(|_| !self.done.conflict) else { return };
        let namespace = &self.plan.binding.namespace;
        let after = finish.ledger_after(&self.done.deregistered);
        if !self.may_let_go(finish, after.as_ref()).await {
            return;
        }
        if let Some(ledger) = &finish.ledger
            && ledger.before != after
        {
            match (&after, &ledger.version) {
                (Some(after), version) => {
                    let written = self
                        .cluster
                        .write_ledger(namespace, &ledger.name, after, version.as_deref())
                        .await;
                    let version = written.as_ref().ok().map(|ledger| ledger.version.clone());
                    self.told_write(Action::WriteLedger, after.len(), written.map(|_| ()));
                    if let Some(version) = version {
                        let phantoms = finish.phantoms(&self.done.deregistered);
                        self.keep_what_came_back(&ledger.name, after, &phantoms, &version).await;
                    }
                }
                (None, Some(version)) => {
                    let deleted =
                        self.cluster.delete_ledger(namespace, &ledger.name, version).await;
                    self.told_write(Action::DeleteLedger, 0, deleted);
                }
                (None, None) => {}
            }
        }
        let all_done = !self.done.has_failed() && !self.done.conflict;
        if finish.remove_finalizer && after.is_none() && all_done {
            let removed = self
                .cluster
                .remove_finalizer(namespace, &self.plan.binding.name, &self.plan.uid)
                .await;
            self.told_write(Action::RemoveFinalizer, 0, removed);
        }
    }

    /// Says whether nothing stands in the way of the last two steps of a binding that is being deleted:
    /// where its finalizer could not go, its ledger stays too, for whoever cleans up after us.
    async fn may_let_go(&mut self, finish: &Finish, after: Option<&BTreeSet<Target>>) -> bool {
        let stored = finish.ledger.as_ref().and_then(|ledger| ledger.version.as_ref());
        if !finish.remove_finalizer || after.is_some() || stored.is_none() {
            return true;
        }
        let BindingRef { namespace, name, .. } = &self.plan.binding;
        match self.cluster.may_remove_finalizer(namespace, name, &self.plan.uid).await {
            Ok(()) => true,
            refused => {
                self.told_write(Action::RemoveFinalizer, 0, refused);
                false
            }
        }
    }

    /// Tracks phantoms again that were registered while the ledger lost them: another run in this
    /// cluster, whose pod came back in between, saw them tracked and wrote no ledger.
    async fn keep_what_came_back(
        &mut self,
        name: &str,
        after: &BTreeSet<Target>,
        phantoms: &BTreeSet<Target>,
        version: &str,
    ) {
        if phantoms.is_empty() {
            return;
        }
        // No answer: the next run finds what is desired and not tracked.
        let listed = self.load_balancers.targets(self.access, self.arn).await.unwrap_or_default();
        let came_back = listed.into_iter().filter(TargetDescription::is_registered);
        let came_back = came_back.map(|listed| listed.target).filter(|t| phantoms.contains(t));
        let kept: BTreeSet<Target> = came_back.chain(after.iter().cloned()).collect();
        if kept.len() > after.len() {
            let namespace = &self.plan.binding.namespace;
            let written = self.cluster.write_ledger(namespace, name, &kept, Some(version)).await;
            self.told_write(Action::WriteLedger, kept.len(), written.map(|_| ()));
        }
    }

    /// Takes out what this run registered and neither endpoints nor ledgers name any more.
    ///
    /// Where somebody was not heard who may have come to desire it, and where taking it out fails,
    /// the ledger tracks it again, and the next run judges.
    async fn take_back(&mut self, claims: &Claims) {
        let orphans = claims.unclaimed(self.arn, &self.done.registered).into_iter();
        let orphans: Vec<TargetDescription> = orphans
            .map(|target| TargetDescription {
                target: target.clone(),
                availability_zone: None,
                health: Health::plain(HealthState::Initial),
            })
            .collect();
        self.take_out(&orphans).await;
    }

    /// Tracks again what this run registered, where the ledger was lost meanwhile and the targets stay:
    /// whether anybody desires them is not known, and the next run judges.
    async fn track_what_stays(&mut self, second: Option<&BindingPlan>, finish: Option<&Finish>) {
        // A binding that became exclusive meanwhile has a controller that takes out what it does not know.
        if second.is_some_and(|second| matches!(second.standing, Standing::Skipped(_))) {
            return;
        }
        let left: BTreeSet<Target> =
            self.done.registered.difference(&self.done.deregistered).cloned().collect();
        let known = finish.and_then(|finish| finish.ledger.as_ref()?.before.as_ref());
        let is_tracked = known.map_or(left.is_empty(), |known| left.is_subset(known));
        // Beside a controller the ledger is not ours to write.
        if is_tracked || self.done.conflict || self.plan.is_beside_controller() {
            return;
        }
        let (namespace, name) = (&self.plan.binding.namespace, self.ledger_name());
        let Some(stored) = self.stored_ledger().await else { return };
        let (tracked, version) =
            stored.map(|ledger| (ledger.targets, Some(ledger.version))).unwrap_or_default();
        if left.is_subset(&tracked) {
            return;
        }
        let all: BTreeSet<Target> = tracked.into_iter().chain(left).collect();
        let written = self.cluster.write_ledger(namespace, &name, &all, version.as_deref()).await;
        self.told_write(Action::WriteLedger, all.len(), written.map(|_| ()));
    }

    /// Says whether the ledger does not track all that was registered any more.
    async fn has_lost_entries(&self) -> bool {
        // It cannot be read: whoever reads it again will not do better.
        let Some(ledger) = self.stored_ledger().await else { return false };
        let tracked = ledger.map(|ledger| ledger.targets).unwrap_or_default();
        !self.done.registered.is_subset(&tracked)
    }

    /// Reads the binding's ledger as it is now: `Some(None)` without a ConfigMap, `None` where that is
    /// not known.
    async fn stored_ledger(&self) -> Option<Option<Ledger>> {
        let key = (self.plan.binding.namespace.clone(), self.ledger_name());
        let (_, ledger) = self.cluster.ledgers(&BTreeSet::from([key])).await.pop_first()?;
        ledger.ok()
    }

    fn ledger_name(&self) -> String {
        ledger::name(Flavour::LoadBalancerController, &self.plan.binding.name)
    }

    /// Says whether nothing stands in the way of this binding's further steps.
    fn goes_on(&self) -> bool {
        !self.done.conflict
            && !self
                .done
                .steps
                .iter()
                .any(|s| s.action == Action::WriteLedger && s.result != StepResult::Done)
    }

    fn told_write(&mut self, action: Action, targets: usize, result: Result<(), WriteError>) {
        match result {
            Ok(()) => self.told(action, targets, Ok(())),
            Err(WriteError::Conflict) => {
                self.done.conflict = true;
                self.skip(action, targets);
            }
            Err(WriteError::Failed(silence)) => self.told(action, targets, Err(silence)),
        }
    }

    fn told(&mut self, action: Action, targets: usize, result: Result<(), Silence>) {
        let (result, error) = match result {
            Ok(()) => (StepResult::Done, None),
            // Nothing can have come of what was not even tried.
            Err(silence) if silence.is_stop() => (StepResult::Skipped, Some(silence.message)),
            Err(silence) => (StepResult::Failed, Some(silence.message)),
        };
        let via = if action == Action::Nudge { Via::Controller } else { Via::Direct };
        self.record(Step { action, via, targets, result, error });
    }

    fn skip(&mut self, action: Action, targets: usize) {
        if targets > 0 {
            let error = match self.load_balancers.is_closed() {
                true => Some(Unheard::NotMade.silence(true).message),
                false => self.done.conflict.then(|| WriteError::Conflict.to_string()),
            };
            self.record(Step {
                action,
                via: Via::Direct,
                targets,
                result: StepResult::Skipped,
                error,
            });
        }
    }

    fn record(&mut self, step: Step) {
        (self.listener)(Progress::Step(&self.plan.binding, &step));
        self.done.steps.push(step);
    }

    fn finish(mut self) -> Done {
        self.skip(Action::Register, self.full.len());
        self.done
    }
}
