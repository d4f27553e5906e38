//! Waiting: until controllers that were nudged have done their part, then until nothing that was
//! registered is in its first checks any more.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{Planned, Reconciler};
use crate::apply::{self, Done, Listener, Progress};
use crate::binding::BindingRef;
use crate::cluster::Cluster;
use crate::elbv2::{Access, LoadBalancers};
use crate::observe::{self, Detail, Scope};
use crate::plan::{self, BindingPlan, Pass, Plan, Request, Unrepaired};
use crate::target::{Health, HealthState, Target, TargetGroupArn};

/// How often the health of what was registered is looked at while waiting for it.
const HEALTH_INTERVAL: Duration = Duration::from_secs(5);

/// How often it is looked at whether controllers have done their part: they take seconds.
const CONTROLLER_INTERVAL: Duration = Duration::from_secs(3);

/// When a controller that was nudged is nudged once more: for five minutes it goes by the targets it
/// listed before (`facts/lbc.md` 2.2), and a little more lets its clock be late.
const SECOND_NUDGE_AFTER: Duration = Duration::from_secs(315);

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// Until nothing that was registered is `initial`.
    pub directly: Duration,
    /// The same, where a controller was nudged too: it can be blind for five minutes.
    pub through_controller: Duration,
}

impl Wait {
    /// Waits up to so long, whoever acts.
    pub fn up_to(timeout: Duration) -> Self {
        Self { directly: timeout, through_controller: timeout }
    }
}

impl Default for Wait {
    /// Five minutes, and twelve through a controller (`product.md` 5.2).
    fn default() -> Self {
        Self { directly: Duration::from_mins(5), through_controller: Duration::from_mins(12) }
    }
}

/// What was waited for and had not come when time was up.
#[derive(Default)]
pub(super) struct Open {
    /// Whether it was waited for at all.
    pub(super) waited: bool,
    /// What controllers were to do and did not.
    pub(super) unrepaired: BTreeMap<BindingRef, Unrepaired>,
    /// What was registered and is in its first checks still.
    pub(super) initial: BTreeMap<BindingRef, BTreeMap<Target, Health>>,
}

impl<C, L, T> Reconciler<'_, C, L, T>
where
    C: Cluster,
    L: LoadBalancers,
    T: Fn() -> Timestamp + Sync,
{
    /// Waits for all of it, and returns what is open when time is up.
    pub(super) async fn wait(
        &self,
        plan: &Plan,
        done: &mut BTreeMap<BindingRef, Done>,
        wait: Wait,
        listener: Listener<'_>,
    ) -> Open {
        let nudged = done.values().any(|done| done.nudged.is_some());
        let timeout = if nudged { wait.through_controller } else { wait.directly };
        let deadline = Instant::now() + timeout;
        let unrepaired = match nudged {
            true => self.wait_for_controllers(plan, done, deadline, listener).await,
            false => BTreeMap::new(),
        };
        let initial = self.wait_for_health(plan, done, deadline, listener).await;
        Open { waited: true, unrepaired, initial }
    }

    /// Waits until every nudge has done what it was predicted to; once the controller's list of
    /// targets must be new, nudges again, and never a third time.
    async fn wait_for_controllers(
        &self,
        plan: &Plan,
        done: &mut BTreeMap<BindingRef, Done>,
        deadline: Instant,
        listener: Listener<'_>,
    ) -> BTreeMap<BindingRef, Unrepaired> {
        let again_at = Instant::now() + SECOND_NUDGE_AFTER;
        let mut nudged_again = false;
        let mut open = self.unrepaired(done).await;
        while !open.is_empty() && !self.is_over(deadline) {
            listener(Progress::Nudged(&open));
            if !nudged_again && Instant::now() >= again_at {
                nudged_again = true;
                self.nudge_again(plan, &open, done, listener).await;
            }
            let next = Instant::now() + CONTROLLER_INTERVAL;
            let next = if nudged_again { next } else { next.min(again_at.max(Instant::now())) };
            self.options.stop.pause_until(deadline.min(next)).await;
            if !self.options.stop.is_asked() {
                open = self.unrepaired(done).await;
            }
        }
        open
    }

    fn is_over(&self, deadline: Instant) -> bool {
        Instant::now() >= deadline || self.options.stop.is_asked()
    }

    /// Reads the clusters whose controllers were nudged, and says what these have not done yet.
    async fn unrepaired(
        &self,
        done: &BTreeMap<BindingRef, Done>,
    ) -> BTreeMap<BindingRef, Unrepaired> {
        let nudges =
            done.iter().filter_map(|(binding, done)| Some((binding, done.nudged.as_ref()?)));
        let nudges: BTreeMap<&BindingRef, &plan::Nudge> = nudges.collect();
        let scope = Scope {
            selection: self.options.request.selection.clone(),
            detail: Detail::TargetsOnly,
            narrowed: true,
            contexts: Some(nudges.keys().map(|binding| binding.context.clone()).collect()),
            ..Scope::default()
        };
        let facts =
            observe::observe(&self.clusters, &self.load_balancers, &scope, &self.clock).await;
        plan::unrepaired(&facts, &nudges)
    }

    async fn nudge_again(
        &self,
        plan: &Plan,
        open: &BTreeMap<BindingRef, Unrepaired>,
        done: &mut BTreeMap<BindingRef, Done>,
        listener: Listener<'_>,
    ) {
        let only = Some(open.keys().cloned().collect());
        let request = Request { only, ..self.options.request.clone() };
        let Planned { plan: again, .. } = self.read(&request, Pass::Second).await;
        let is_open = |plan: &&BindingPlan| open.contains_key(&plan.binding);
        let first: Vec<&BindingPlan> = plan.bindings.iter().filter(is_open).collect();
        let nudged = apply::nudge_again(
            &self.clusters,
            &self.load_balancers,
            &first,
            &again.bindings,
            listener,
        );
        for more in nudged.await {
            if let Some(done) = done.get_mut(&more.binding) {
                // What the first was to do is what is waited for.
                done.append(Done { nudged: None, ..more });
            }
        }
    }

    /// Waits until nothing that was registered is in its first checks any more.
    async fn wait_for_health(
        &self,
        plan: &Plan,
        done: &BTreeMap<BindingRef, Done>,
        deadline: Instant,
        listener: Listener<'_>,
    ) -> BTreeMap<BindingRef, BTreeMap<Target, Health>> {
        let mut open = self.initial(plan, done).await;
        while !open.is_empty() && !self.is_over(deadline) {
            let all: BTreeMap<Target, Health> =
                open.values().flatten().map(|(t, h)| (t.clone(), h.clone())).collect();
            listener(Progress::Waiting(&all));
            self.options.stop.pause_until(deadline.min(Instant::now() + HEALTH_INTERVAL)).await;
            if !self.options.stop.is_asked() {
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
            let (Some(done), Some(arn), Some(access)) =
                (done.get(&binding.binding), &binding.arn, &binding.access)
            else {
                continue;
            };
            let by_controller = done.nudged.iter().flat_map(|nudge| &nudge.register);
            let registered: BTreeSet<&Target> =
                done.registered.iter().chain(by_controller).collect();
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
                        let each = registered.iter();
                        each.map(|target| ((*target).clone(), unknown.clone())).collect()
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
