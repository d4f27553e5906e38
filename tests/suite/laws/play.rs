//! Plays a history and returns what laws it broke.

use std::collections::BTreeSet;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use mctg::apply::Progress;
use mctg::plan::{Plan, Request, ViaChoice};
use mctg::reconcile::{Options, Reconciler};
use mctg::report::StepResult;
use mctg::target::Target;

use super::history::{CONTEXTS, Event, History, Run};
use super::judge::{ByGroup, Judge, Leave};
use super::make::Dice;
use super::planted::{self, Plant};
use super::stage::Stage;
use super::tap::{ClusterDoor, ElbDoor, Line};
use super::targets::{Set, set, words};

/// A history being played.
pub(super) struct Play {
    pub(super) stage: Stage,
    judge: Mutex<Judge>,
    pub(super) plant: Option<Plant>,
    /// Whether groups may be full, so that not all can be registered.
    has_quota: bool,
    has_successors: bool,
    killed: Mutex<BTreeSet<usize>>,
    deferred: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    /// Itself, for the runs in runs.
    this: std::sync::Weak<Self>,
}

/// How many calls of a controller are played in a row: one that fails for ever comes back for ever.
const CALLS_MAX: usize = 200;

/// A run under way.
type Running = Pin<Box<dyn Future<Output = bool>>>;

/// Reconciles as the program does; true if no step failed.
async fn reconcile(doors: &[ClusterDoor], elb: &ElbDoor, request: Request, line: &Line) -> bool {
    let clock = || line.play.stage.world.now();
    let options = Options { request, narrowed: line.is_narrowed(), ..Options::default() };
    let reconciler = Reconciler::new(doors, elb, clock).options(options);
    let mut approved = None;
    if let Some(events) = &line.script.prompt {
        let plan = reconciler.plan().await.plan;
        line.play.prompt(line, &plan, events);
        approved = (line.play.plant != Some(Plant::ApprovalForgotten)).then_some(plan);
    }
    let listener = |progress: Progress<'_>| {
        if let Progress::Planned(_, plan) = progress {
            line.planned(plan);
        }
    };
    let report = reconciler.run(approved.as_ref(), &listener).await;
    let mut steps = report.bindings.iter().flat_map(|binding| &binding.steps);
    steps.all(|step| step.result == StepResult::Done)
}

/// Plays a history to its end, and says which laws were broken.
pub(super) fn play(history: &History, plant: Option<Plant>) -> Vec<String> {
    let stage = Stage::new(&history.layout);
    let judge = Mutex::new(Judge::new(&stage));
    let play = Arc::new_cyclic(|this| Play {
        judge,
        stage,
        plant,
        has_quota: history.layout.quota.is_some(),
        has_successors: history.layout.succession,
        killed: Mutex::default(),
        deferred: Mutex::default(),
        this: this.clone(),
    });
    for event in &history.events {
        play.happen(event);
    }
    if history.layout.settles {
        play.settle();
    }
    std::mem::take(&mut play.judge().violations)
}

impl Play {
    pub(super) fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn happen(&self, event: &Event) {
        match event {
            Event::Run(run) => {
                self.run(run, false);
            }
            Event::AtOnce { runs, order } => self.at_once(runs, *order),
            Event::ControllerWorks { cluster, calls } => self.controller_works(*cluster, *calls),
            _ => {
                self.stage.happen(event);
                self.judge().happened(&self.stage);
            }
        }
    }

    pub(super) fn kill(&self, run: usize) {
        self.killed.lock().unwrap_or_else(PoisonError::into_inner).insert(run);
    }

    /// Keeps a ledger's first write for later (a planted fault).
    pub(super) fn defer(
        &self,
        door: &ClusterDoor,
        namespace: &str,
        name: &str,
        targets: &BTreeSet<Target>,
    ) -> bool {
        let cluster = door.inner.clone();
        let text = mctg::ledger::format(targets);
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        let write = move || {
            cluster.with(|state| state.put_ledger(&namespace, &name, &text));
        };
        self.deferred.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(write));
        true
    }

    pub(super) fn write_deferred(&self) {
        let writes =
            std::mem::take(&mut *self.deferred.lock().unwrap_or_else(PoisonError::into_inner));
        for write in writes {
            write();
        }
    }

    /// Lets this program run; true if it ended without a failed step.
    fn run(&self, script: &Run, allow_empty: bool) -> bool {
        let Some((run, future)) = self.begin(script, allow_empty, false) else { return true };
        let mut future = future;
        loop {
            if let Some(ended) = self.poll(run, script, &mut future) {
                return ended.unwrap_or(false);
            }
        }
    }

    /// Lets a controller make its next calls, as many as are due.
    fn controller_works(&self, cluster: usize, calls: usize) {
        for _ in 0..calls.min(CALLS_MAX) {
            let worked = {
                let mut worker = self.stage.worker(cluster);
                let Some(worker) = worker.as_mut() else { return };
                if !worker.step() {
                    return;
                }
                worker.worked()
            };
            self.judge().controller_worked(cluster, &self.stage);
            for worked in worked {
                let slot = self.stage.slots.iter().position(|slot| {
                    slot.cluster == cluster
                        && slot.namespace == worked.binding.0
                        && slot.binding == worked.binding.1
                });
                if let Some(slot) = slot.filter(|_| !matches!(worked.ended, Ok(None))) {
                    self.judge().controller_passed(slot, &self.stage);
                }
            }
        }
    }

    /// Lets two runs go on by turns.
    fn at_once(&self, scripts: &[Run; 2], order: u64) {
        let mut dice = Dice::new(order);
        let runs = scripts.iter().map(|script| (script, self.begin(script, false, true)));
        let mut under_way: Vec<_> =
            runs.filter_map(|(script, begun)| begun.map(|(run, it)| (script, run, it))).collect();
        while !under_way.is_empty() {
            let turn = dice.below(under_way.len());
            let (script, run, future) = &mut under_way[turn];
            if self.poll(*run, script, future).is_some() {
                drop(under_way.remove(turn));
            }
        }
    }

    /// Polls a run; what is returned is how it ended, if it did: none inside where it was killed.
    fn poll(&self, run: usize, script: &Run, future: &mut Running) -> Option<Option<bool>> {
        let ended = match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => {
                let killed = self.killed.lock().unwrap_or_else(PoisonError::into_inner);
                if !killed.contains(&run) {
                    return None;
                }
                None
            }
        };
        let alone = self.judge().under_way.len() == 1;
        // Where no controller is, a run that leaves all to controllers does nothing.
        let disturbed = !script.between.is_empty()
            || self.has_quota
            || !alone
            || self.crossed(run)
            || script.via == ViaChoice::Controller;
        self.judge().end(run, ended.is_none(), disturbed, &self.stage);
        Some(ended)
    }

    /// Whether another run began after it and ended before it: it is not alone with its world.
    fn crossed(&self, run: usize) -> bool {
        self.judge().witnesses.len() > run + 1
    }

    /// Begins a run, unless it sees nothing.
    fn begin(&self, script: &Run, allow_empty: bool, yields: bool) -> Option<(usize, Running)> {
        let clusters = self.stage.clusters.len();
        let all = (1_u8 << clusters) - 1;
        let (acting, seeing) = (script.acting & all, script.seeing & all);
        if seeing == 0 {
            return None;
        }
        let (no_yes, cap, prune) = (script.no_yes, script.cap, script.prune);
        let run = self.judge().begin(Leave { acting, seeing, allow_empty, no_yes, cap, prune });
        let play = self.this.upgrade().expect("it is being played");
        let line = Arc::new(Line::new(Arc::clone(&play), run, script.clone(), yields));
        let doors: Vec<ClusterDoor> = (0..clusters)
            .filter(|index| seeing & (1 << index) != 0)
            .map(|index| ClusterDoor {
                inner: self.stage.clusters[index].clone(),
                index,
                line: Arc::clone(&line),
            })
            .collect();
        let elb = ElbDoor { inner: self.stage.world.load_balancers(), line: Arc::clone(&line) };
        let contexts = CONTEXTS.iter().enumerate().filter(|(index, _)| acting & (1 << index) != 0);
        let request = Request {
            contexts: contexts.map(|(_, context)| (*context).to_owned()).collect(),
            via: script.via,
            force: script.force,
            prune: script.prune,
            allow_empty: allow_empty || self.plant == Some(Plant::FloorIgnored),
            may_deregister: !no_yes || self.plant == Some(Plant::YesAssumed),
            max_deregister: cap.filter(|_| self.plant != Some(Plant::CapForgotten)),
            ..Request::default()
        };
        let plant = self.plant.filter(|plant| plant.is_in_the_plan());
        Some((
            run,
            Box::pin(async move {
                match plant {
                    Some(plant) => planted::run(&doors, &elb, &request, plant, &line).await,
                    None => reconcile(&doors, &elb, request, &line).await,
                }
            }),
        ))
    }

    /// A plan was read by somebody, who said yes to it; what happens meanwhile happens.
    pub(super) fn prompt(&self, line: &Line, plan: &Plan, events: &[Event]) {
        for event in events {
            self.happen(event);
        }
        let mut approved = ByGroup::new();
        for binding in &plan.bindings {
            let cluster = CONTEXTS.iter().position(|it| **it == binding.binding.context);
            let group =
                self.stage.groups.iter().position(|(arn, _)| Some(arn) == binding.arn.as_ref());
            if let (Some(cluster), Some(group)) = (cluster, group) {
                let going = set(binding.deregister.iter().map(|listed| &listed.target));
                *approved.entry((cluster, group)).or_default() |= going;
            }
        }
        for group in &plan.groups {
            let cluster = CONTEXTS.iter().position(|it| **it == group.on_behalf_of.context);
            let index = self.stage.groups.iter().position(|(arn, _)| *arn == group.arn);
            if let (Some(cluster), Some(index)) = (cluster, index) {
                let going = set(group.deregister.iter().map(|listed| &listed.target));
                *approved.entry((cluster, index)).or_default() |= going;
            }
        }
        self.judge().approved(line.run, approved);
    }

    /// Laws 2 and 4: once everything is calm, a run makes everything right and the next one plans
    /// nothing.
    fn settle(&self) {
        if !self.judge().violations.is_empty() {
            return;
        }
        self.stage.calm();
        self.judge().happened(&self.stage);
        for witness in &mut self.judge().witnesses {
            witness.troubled = false;
        }
        let everybody = Run { acting: u8::MAX, seeing: u8::MAX, ..Run::default() };
        let mut broken = Vec::new();
        let ended_well = self.run(&everybody, true);
        let truth = self.judge().truth().clone();
        let rivals = self.stage.slots.iter().enumerate().any(|(index, slot)| {
            let Some(group) = slot.group else { return false };
            self.stage.groups[group].1.rivals(truth.registered[group]) & truth.desired[index] != 0
        });
        // Where somebody else's QUIC target is in the way, nothing can be done about it.
        if !ended_well && !rivals {
            broken.push("law 4: a run on a calm world failed".to_owned());
        }
        broken.extend(self.next_plan().filter(|_| !rivals));
        for (index, slot) in self.stage.slots.iter().enumerate() {
            let Some(group) = slot.group else { continue };
            let name = format!("{} of cluster {}", slot.binding, slot.cluster);
            if truth.ours & (1 << index) == 0 {
                continue;
            }
            let missing = self.judge().missing(index, group, &self.stage);
            if missing != 0 {
                broken.push(format!("law 4: {} of {name} is still missing", words(missing)));
            }
            let untracked = truth.desired[index] & !truth.ledgers[index];
            if untracked != 0 {
                broken.push(format!("law 2: {} of {name} is untracked", words(untracked)));
            }
            // What is desired where this program does not write is contested for ever.
            let others = self.stage.slots.iter().enumerate();
            let others = others.filter(|(other, slot)| {
                slot.group == Some(group) && truth.ours & (1 << other) == 0
            });
            let others = others.fold(0, |set: Set, (other, _)| set | truth.desired[other]);
            let stale = truth.ledgers[index] & !truth.desired[index] & !others;
            // A run that sees one cluster leaves what answers elsewhere; an orphan is nobody's.
            if stale != 0 && self.stage.clusters.len() > 1 && truth.bound & (1 << index) != 0 {
                broken.push(format!("law 4: {} of {name} is still tracked", words(stale)));
            }
        }
        if self.has_successors && !rivals && broken.is_empty() {
            broken.extend(self.succession());
        }
        self.judge().violations.extend(broken);
    }

    /// Controllers that take over find nothing to change: what is registered and tracked is what they
    /// would have made.
    fn succession(&self) -> Option<String> {
        let truth = self.stage.truth();
        let slots = || self.stage.slots.iter().enumerate();
        // An exclusive binding's would empty the others; of one address desired twice each is sure.
        let exclusive = truth.present & !truth.ours != 0;
        let contested = slots().any(|(index, slot)| {
            let others = slots().filter(|(other, it)| *other != index && it.group == slot.group);
            let others = others
                .fold(0, |set: Set, (other, _)| set | truth.desired[other] | truth.ledgers[other]);
            slot.group.is_some() && (truth.desired[index] | truth.ledgers[index]) & others != 0
        });
        let stale = slots().any(|(index, _)| truth.ledgers[index] & !truth.desired[index] != 0);
        if exclusive || contested || stale {
            return None;
        }
        for cluster in 0..self.stage.clusters.len() {
            self.stage.start_controller(cluster);
            self.controller_works(cluster, usize::MAX);
        }
        let after = self.stage.truth();
        let changed = after.registered != truth.registered || after.ledgers != truth.ledgers;
        changed.then(|| format!("law 4: controllers that take over change {truth:?} to {after:?}"))
    }

    /// What the run after a run plans: nothing.
    fn next_plan(&self) -> Option<String> {
        let reconciler = {
            let contexts = CONTEXTS.iter().map(|context| (*context).to_owned()).collect();
            let request =
                Request { contexts, allow_empty: true, may_deregister: true, ..Request::default() };
            Options { request, ..Options::default() }
        };
        let load_balancers = self.stage.world.load_balancers();
        let clock = || self.stage.world.now();
        let planner =
            Reconciler::new(&self.stage.clusters, &load_balancers, clock).options(reconciler);
        let planned = pin!(planner.plan()).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(planned) = planned else {
            return Some("law 4: the next run hangs".to_owned());
        };
        let open = planned.plan.bindings.iter().find(|binding| !binding.is_empty());
        open.map(|plan| format!("law 4: the next run plans {plan:?}"))
    }
}
