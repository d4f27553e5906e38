//! Observe, plan and apply in one call, and the report of it.

mod report;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::apply::{self, Done, Listener, Progress};
use crate::binding::BindingRef;
use crate::cluster::Cluster;
use crate::elbv2::{Access, LoadBalancers};
use crate::events;
use crate::facts::Facts;
use crate::observe::{self, Detail, Scope};
use crate::plan::{self, Pass, Plan, Request};
use crate::report::Reconcile;
use crate::stop::{Stop, Stoppable};
use crate::target::{Health, HealthState, Target, TargetGroupArn};

/// How often a binding is planned again because somebody else wrote its ledger in between.
const ROUNDS_MAX: usize = 3;

/// How often the health of what was registered is looked at while waiting for it.
const WAIT_INTERVAL: Duration = Duration::from_secs(5);

/// Reconciles bindings once: observes, plans, and applies.
///
/// It never prints and never reads the environment; the clock is the caller's. Dropping the future
/// of any method between two calls leaves a state that the next run repairs.
pub struct Reconciler<'a, C, L, T> {
    clusters: Vec<Stoppable<'a, C>>,
    load_balancers: Stoppable<'a, L>,
    clock: T,
    options: Options,
}

/// Writes the document of a plan that is not applied, or not yet.
pub fn describe(facts: &Facts, plan: &Plan, request: &Request) -> Reconcile {
    report::dry_run(facts, plan, request)
}

/// How to reconcile.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What to plan for, and within which limits.
    pub request: Request,
    /// Whether fewer contexts are read than there are.
    pub narrowed: bool,
    /// How long to wait until nothing that was registered is `initial`; none does not wait.
    pub wait: Option<Duration>,
    /// Whether to write [events](crate::events) on the bindings for what changed or was withheld.
    pub events: bool,
    /// Asks the run to end early: it makes no call any more, and reports what was left. The
    /// adapters of both doors take the same handle, so that they try nothing again either.
    pub stop: Stop,
}

/// A plan and the facts it was made from.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What was observed.
    pub facts: Facts,
    /// What is to be done about it.
    pub plan: Plan,
}

impl Planned {
    /// Writes the document of a dry run.
    pub fn report(&self, request: &Request) -> Reconcile {
        describe(&self.facts, &self.plan, request)
    }
}

impl<'a, C, L, T> Reconciler<'a, C, L, T>
where
    C: Cluster,
    L: LoadBalancers,
    T: Fn() -> Timestamp + Sync,
{
    /// Makes a reconciler over the clusters to observe; [`Request::contexts`] says which of them may
    /// be written to.
    pub fn new(clusters: &'a [C], load_balancers: &'a L, clock: T) -> Self {
        let options = Options::default();
        let heed = |cluster| Stoppable::new(cluster, options.stop.clone());
        let clusters = clusters.iter().map(heed).collect();
        let load_balancers = Stoppable::new(load_balancers, options.stop.clone());
        Self { clusters, load_balancers, clock, options }
    }

    /// Sets how to reconcile.
    #[must_use]
    pub fn options(self, options: Options) -> Self {
        let heed = |cluster: Stoppable<'a, C>| cluster.heeding(&options.stop);
        let clusters = self.clusters.into_iter().map(heed).collect();
        let load_balancers = self.load_balancers.heeding(&options.stop);
        Self { clusters, load_balancers, options, ..self }
    }

    /// Observes and plans; changes nothing.
    pub async fn plan(&self) -> Planned {
        self.read(&self.options.request, Pass::First).await
    }

    /// Observes, plans and applies.
    ///
    /// With `approved`, the plan that somebody said yes to, nothing is deregistered that it did not
    /// hold: the world may have changed while they read it.
    pub async fn run(&self, approved: Option<&Plan>, listener: Listener<'_>) -> Reconcile {
        let mut first = self.plan().await;
        if let Some(approved) = approved {
            first.plan.narrow_to(approved);
        }
        let mut done = BTreeMap::new();
        let mut again = self.round(&first, &self.options.request, &mut done, listener).await;
        for _ in 1..ROUNDS_MAX {
            if again.is_empty() || self.options.stop.is_asked() {
                break;
            }
            let request = Request { only: Some(again), ..self.options.request.clone() };
            let mut planned = self.read(&request, Pass::First).await;
            planned.plan.narrow_to(&first.plan);
            again = self.round(&planned, &request, &mut done, listener).await;
        }
        let Planned { facts, plan } = first;
        let open = match self.options.wait {
            Some(timeout) => self.wait(&plan, &done, timeout, listener).await,
            None => BTreeMap::new(),
        };
        let mut report = report::applied(&facts, &plan, &self.options.request, &done, &open);
        report::interrupt(&mut report, &self.options.stop);
        if self.options.events && !report.interrupted {
            let events = events::of(&facts, &report, (self.clock)());
            events::record(&self.clusters, &events, listener).await;
        }
        report
    }

    /// Applies one plan, and returns the bindings that somebody else wrote to in between.
    async fn round(
        &self,
        planned: &Planned,
        request: &Request,
        done: &mut BTreeMap<BindingRef, Done>,
        listener: Listener<'_>,
    ) -> BTreeSet<BindingRef> {
        let Planned { facts, plan } = planned;
        listener(Progress::Planned(facts, plan));
        let read_again = async || self.read(request, Pass::Second).await.plan;
        let round =
            apply::apply(&self.clusters, &self.load_balancers, plan, read_again, listener).await;
        let conflicts =
            round.iter().filter(|done| done.conflict).map(|done| done.binding.clone()).collect();
        for later in round {
            done.entry(later.binding.clone())
                .or_insert_with(|| Done::nothing(later.binding.clone()))
                .append(later);
        }
        conflicts
    }

    async fn read(&self, request: &Request, pass: Pass) -> Planned {
        let scope = Scope {
            selection: request.selection.clone(),
            detail: Detail::TargetsOnly,
            narrowed: self.options.narrowed,
            acting: request.contexts.clone(),
        };
        let facts =
            observe::observe(&self.clusters, &self.load_balancers, &scope, &self.clock).await;
        let plan = plan::plan(&facts, request, pass);
        Planned { facts, plan }
    }

    /// Waits until nothing that was registered is in its first checks any more, and returns what
    /// still is when time is up.
    async fn wait(
        &self,
        plan: &Plan,
        done: &BTreeMap<BindingRef, Done>,
        timeout: Duration,
        listener: Listener<'_>,
    ) -> BTreeMap<BindingRef, BTreeMap<Target, Health>> {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut open = self.initial(plan, done).await;
        let is_asked_to_stop = || self.options.stop.is_asked();
        while !open.is_empty() && tokio::time::Instant::now() < deadline && !is_asked_to_stop() {
            let all: BTreeMap<Target, Health> =
                open.values().flatten().map(|(t, h)| (t.clone(), h.clone())).collect();
            listener(Progress::Waiting(&all));
            let next = deadline.min(tokio::time::Instant::now() + WAIT_INTERVAL);
            self.options.stop.pause_until(next).await;
            if !is_asked_to_stop() {
                open = self.initial(plan, done).await;
            }
        }
        open
    }

    async fn initial(
        &self,
        plan: &Plan,
        done: &BTreeMap<BindingRef, Done>,
    ) -> BTreeMap<BindingRef, BTreeMap<Target, Health>> {
        let mut listed: BTreeMap<(&TargetGroupArn, &Access), BTreeMap<Target, Health>> =
            BTreeMap::new();
        let mut open = BTreeMap::new();
        for binding in &plan.bindings {
            let registered = done.get(&binding.binding).map(|done| &done.registered);
            let (Some(registered), Some(arn), Some(access)) =
                (registered, &binding.arn, &binding.access)
            else {
                continue;
            };
            if registered.is_empty() {
                continue;
            }
            if let Entry::Vacant(entry) = listed.entry((arn, access)) {
                entry.insert(match self.load_balancers.targets(access, arn).await {
                    Ok(targets) => {
                        targets.into_iter().map(|listed| (listed.target, listed.health)).collect()
                    }
                    // No answer is no news: they may be in their first checks still.
                    Err(silence) => {
                        let unknown = Health {
                            description: Some(silence.message),
                            ..Health::plain(HealthState::Initial)
                        };
                        registered.iter().map(|target| (target.clone(), unknown.clone())).collect()
                    }
                });
            }
            let in_first_checks: BTreeMap<Target, Health> = listed[&(arn, access)]
                .iter()
                .filter(|(target, health)| {
                    registered.contains(target) && health.state == HealthState::Initial
                })
                .map(|(target, health)| (target.clone(), health.clone()))
                .collect();
            if !in_first_checks.is_empty() {
                open.insert(binding.binding.clone(), in_first_checks);
            }
        }
        open
    }
}
