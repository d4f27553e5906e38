//! Observe, plan and apply in one call, and the report of it.

mod report;
mod unclaimed;
mod wait;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use self::wait::Open;
pub use self::wait::Wait;
use crate::apply::{self, Done, GroupDone, Listener, Progress};
use crate::binding::BindingRef;
use crate::cluster::Cluster;
use crate::elbv2::LoadBalancers;
use crate::events;
use crate::facts::Facts;
use crate::observe::{self, Detail, Scope};
use crate::plan::{self, Pass, Plan, Request};
use crate::report::Reconcile;
use crate::stop::{Stop, Stoppable};

/// How often a binding is planned again because somebody else wrote its ledger in between.
const ROUNDS_MAX: usize = 3;

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
    /// The contexts that are not among the clusters, as the caller wishes.
    pub left_out: BTreeSet<String>,
    /// Of the clusters, those that somebody declared gone for good (see
    /// [`observe::lost`]).
    pub lost: BTreeSet<String>,
    /// How long to wait for controllers that were nudged, and until nothing that was registered is
    /// `initial`; none does not wait.
    pub wait: Option<Wait>,
    /// Whether to write [events] on the bindings for what changed or was withheld.
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
        let pruned = self.prune(&mut first, listener).await;
        let mut done = BTreeMap::new();
        self.confirm(&mut first.plan).await;
        let mut again = self.round(&first, &self.options.request, &mut done, listener).await;
        for _ in 1..ROUNDS_MAX {
            if again.is_empty() || self.options.stop.is_asked() {
                break;
            }
            let request = Request { only: Some(again), ..self.options.request.clone() };
            let mut planned = self.read(&request, Pass::First).await;
            planned.plan.narrow_to(&first.plan);
            self.confirm(&mut planned.plan).await;
            again = self.round(&planned, &request, &mut done, listener).await;
        }
        let Planned { facts, plan } = first;
        let open = match self.options.wait {
            Some(wait) => self.wait(&plan, &mut done, wait, listener).await,
            None => Open::default(),
        };
        let mut report =
            report::applied(&facts, &plan, &self.options.request, &done, &open, &pruned);
        report::interrupt(&mut report, &self.options.stop);
        if self.options.events && !report.interrupted {
            let events = events::of(&facts, &report, (self.clock)());
            events::record(&self.clusters, &events, listener).await;
        }
        report
    }

    /// Takes out what no cluster claims: the world is read again, and only what both plans
    /// deregister goes.
    ///
    /// First of all, so that whatever bindings let go of is counted from what is left then; and the
    /// bindings are planned anew from what was read last, within what was planned before.
    async fn prune(&self, first: &mut Planned, listener: Listener<'_>) -> Vec<GroupDone> {
        if first.plan.groups.iter().all(|group| group.deregister.is_empty()) {
            return Vec::new();
        }
        listener(Progress::Planned(&first.facts, &first.plan));
        let request = &self.options.request;
        let Planned { facts, plan: second } = self.read(request, Pass::Second).await;
        let groups = std::mem::take(&mut first.plan.groups);
        let pruned = if self.options.stop.is_asked() {
            apply::prune(&self.load_balancers, &groups, &[], listener).await
        } else {
            let pruned =
                apply::prune(&self.load_balancers, &groups, &second.groups, listener).await;
            let mut plan = plan::plan(&facts, request, Pass::First);
            plan.narrow_to(&first.plan);
            *first = Planned { facts, plan };
            pruned
        };
        first.plan.groups = groups;
        pruned
    }

    /// Reads once more the endpoints and ledgers of what is to be registered past controllers, and
    /// withholds what they do not bear out: other contexts may have taken their time to answer.
    async fn confirm(&self, plan: &mut Plan) {
        let past_controller = plan.bindings.iter().filter(|binding| binding.is_beside_controller());
        let contexts: BTreeSet<String> =
            past_controller.map(|binding| binding.binding.context.clone()).collect();
        if contexts.is_empty() {
            return;
        }
        let scope = Scope {
            selection: self.options.request.selection.clone(),
            detail: Detail::TargetsOnly,
            narrowed: true,
            contexts: Some(contexts),
            ..Scope::default()
        };
        let facts =
            observe::observe(&self.clusters, &self.load_balancers, &scope, &self.clock).await;
        // Of what was stopped nothing is registered anyway, and that is what is told.
        if !self.options.stop.is_asked() {
            plan.narrow_registrations_to(&plan::plan(&facts, &self.options.request, Pass::First));
        }
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
        let read_again = async || self.read_again(request).await;
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

    /// Plans from a second reading; one that was stopped confirms nothing, and withholds nothing
    /// either.
    async fn read_again(&self, request: &Request) -> Plan {
        let plan = self.read(request, Pass::Second).await.plan;
        if self.options.stop.is_asked() { Plan::default() } else { plan }
    }

    async fn read(&self, request: &Request, pass: Pass) -> Planned {
        let scope = Scope {
            selection: request.selection.clone(),
            detail: Detail::TargetsOnly,
            narrowed: self.options.narrowed,
            contexts: None,
            left_out: self.options.left_out.clone(),
            lost: self.options.lost.clone(),
            acting: request.contexts.clone(),
            ..Scope::default()
        };
        let facts =
            observe::observe(&self.clusters, &self.load_balancers, &scope, &self.clock).await;
        let plan = plan::plan(&facts, request, pass);
        Planned { facts, plan }
    }
}
