//! Plays a history and returns what laws it broke.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use mctg::plan::{Request, ViaChoice};
use mctg::reconcile::{Options, Reconciler};
use mctg::report::StepResult;
use mctg::target::Target;

use super::history::{CONTEXTS, Event, History, Run};
use super::judge::Judge;
use super::planted::{self, Plant};
use super::stage::{Stage, words};
use super::tap::{ClusterDoor, ElbDoor, Line};

/// A history being played.
pub(super) struct Play {
    pub(super) stage: Stage,
    judge: Mutex<Judge>,
    pub(super) plant: Option<Plant>,
    /// Whether groups may be full, so that not all can be registered.
    has_quota: bool,
    killed: Mutex<BTreeSet<usize>>,
    deferred: Mutex<Vec<Box<dyn FnOnce() + Send>>>,
    /// Itself, for the runs in runs.
    this: std::sync::Weak<Self>,
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
        killed: Mutex::default(),
        deferred: Mutex::default(),
        this: this.clone(),
    });
    for event in &history.events {
        play.happen(event);
    }
    play.settle();
    std::mem::take(&mut play.judge().violations)
}

impl Play {
    pub(super) fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn happen(&self, event: &Event) {
        if let Event::Run(run) = event {
            self.run(run, false);
        } else {
            self.stage.happen(event);
            self.judge().happened(&self.stage);
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
        let clusters = self.stage.clusters.len();
        let all = (1_u8 << clusters) - 1;
        let (acting, seeing) = (script.acting & all, script.seeing & all);
        if seeing == 0 {
            return true;
        }
        let run = self.judge().begin(acting, seeing, allow_empty);
        let play = self.this.upgrade().expect("it is being played");
        let line = Arc::new(Line::new(play, run, script.clone()));
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
            via: ViaChoice::Auto,
            allow_empty: allow_empty || self.plant == Some(Plant::FloorIgnored),
            may_deregister: true,
            ..Request::default()
        };
        let clock = || self.stage.world.now();
        let ended = if self.plant.is_some_and(Plant::is_in_the_plan) {
            let world = &self.stage.world;
            let run = planted::run(&doors, &elb, &request, self.plant, world);
            self.drive(line.run, run)
        } else {
            let options = Options { request, ..Options::default() };
            let reconciler = Reconciler::new(&doors, &elb, clock).options(options);
            let run = async {
                let report = reconciler.run(None, &|_| {}).await;
                let steps = report.bindings.iter().flat_map(|binding| &binding.steps);
                steps.into_iter().all(|step| step.result == StepResult::Done)
            };
            self.drive(line.run, run)
        };
        let disturbed = !script.between.is_empty() || self.has_quota;
        self.judge().end(line.run, ended.is_none(), disturbed, &self.stage);
        ended.unwrap_or(false)
    }

    /// Polls a run to its end or its death: nothing in a stage is ever waited for.
    fn drive(&self, run: usize, future: impl Future<Output = bool>) -> Option<bool> {
        let mut future = pin!(future);
        let mut context = Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return Some(output);
            }
            if self.killed.lock().unwrap_or_else(PoisonError::into_inner).contains(&run) {
                return None;
            }
        }
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
        if !self.run(&everybody, true) {
            broken.push("law 4: a run on a calm world failed".to_owned());
        }
        broken.extend(self.next_plan());
        let truth = self.judge().truth().clone();
        for (index, slot) in self.stage.slots.iter().enumerate() {
            let Some(group) = slot.group else { continue };
            let name = format!("{} of cluster {}", slot.binding, slot.cluster);
            let missing = truth.desired[index] & !truth.registered[group];
            if missing != 0 {
                broken.push(format!("law 4: {} of {name} is still missing", words(missing)));
            }
            let untracked = truth.desired[index] & !truth.ledgers[index];
            if untracked != 0 {
                broken.push(format!("law 2: {} of {name} is untracked", words(untracked)));
            }
            let stale = truth.ledgers[index] & !truth.desired[index];
            // A run that sees one cluster leaves what answers elsewhere; an orphan is nobody's.
            if stale != 0 && self.stage.clusters.len() > 1 && truth.bound & (1 << index) != 0 {
                broken.push(format!("law 4: {} of {name} is still tracked", words(stale)));
            }
        }
        self.judge().violations.extend(broken);
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
