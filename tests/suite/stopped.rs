//! A run that is asked to stop, over the simulator: at any step, nothing is called any more, the
//! report is true, and the next run makes it good.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mctg::binding::Flavour;
use mctg::facts::{Aliveness, Controller, SilenceReason};
use mctg::plan::{Action, Request as PlanRequest};
use mctg::reconcile::{Options, Reconciler, Wait};
use mctg::report::{Outcome, Reconcile, StepResult};
use mctg::sim::steps::Moment;
use mctg::sim::{Cluster, World};
use mctg::stop::Stop;
use mctg::target::TargetGroupArn;

const LEDGER: &str = "aws-lbc-targets-shop-http";

/// Blue and green share a group, and in both a pod was replaced; one binding of blue's is going.
struct Shop {
    world: World,
    group: TargetGroupArn,
}

impl Shop {
    fn new() -> Self {
        let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
        let group = world.add_group("k8s-web-shop");
        let (blue, green) = (world.add_cluster("blue"), world.add_cluster("green"));
        blue.share("web", "shop", &["10.0.0.11", "10.0.64.11"], &group);
        blue.share("old", "shop", &["10.0.0.31"], &group);
        green.share("web", "shop", &["10.0.0.21", "10.0.64.21"], &group);
        world.converge();
        for (cluster, gone, new) in
            [(&blue, "10.0.0.11", "10.0.128.11"), (&green, "10.0.0.21", "10.0.128.21")]
        {
            cluster.with(|state| {
                state.add_pod("web", "shop", new);
                state.remove_pod_at(gone);
            });
        }
        blue.with(|state| state.delete_binding("old", "shop-http"));
        Self { world, group }
    }

    /// Lets a controller be at work in blue, which has been for longer than its memory.
    fn beside_a_controller(self) -> Self {
        self.cluster("blue").with(|state| {
            state.controllers.push(Controller {
                flavour: Flavour::LoadBalancerController,
                version: Some("v3.5.0".to_owned()),
                alive: Aliveness::Alive,
                evidence: "lease renewed 4 s ago".to_owned(),
                cluster_name: None,
                watch_namespace: None,
                leads_since: Some(state.now()),
                max_targets: None,
                differs: Vec::new(),
                is_down: false,
                sync_period: None,
            });
        });
        self.world.advance(Duration::from_secs(3600));
        self
    }

    async fn run(&self, stop: &Stop, wait: Option<Wait>) -> Reconcile {
        let contexts = ["blue", "green"].map(str::to_owned).into();
        let request = PlanRequest { contexts, may_deregister: true, ..PlanRequest::default() };
        let options = Options { request, wait, stop: stop.clone(), ..Options::default() };
        let clusters = self.world.clusters().into_iter().map(|cluster| cluster.heeding(stop));
        let (clusters, elb): (Vec<Cluster>, _) = (clusters.collect(), self.world.load_balancers());
        let clock = || self.world.now();
        Reconciler::new(&clusters, &elb, clock).options(options).run(None, &|_| {}).await
    }

    /// Asks to stop at the `n`th step from now, and returns the steps that are passed after it.
    fn stop_at(&self, n: usize, stop: &Stop) -> Arc<Mutex<Vec<String>>> {
        let after = Arc::new(Mutex::new(Vec::new()));
        let (stop, first) = (stop.clone(), self.world.steps().passed());
        let log = Arc::clone(&after);
        self.world.steps().on_step(move |step| {
            if stop.is_asked() && step.moment == Moment::Before {
                log.lock().unwrap().push(format!("{} {}", step.callee, step.operation));
            }
            if step.number == first + n {
                stop.ask();
            }
        });
        after
    }

    fn cluster(&self, name: &str) -> Cluster {
        let mut clusters = self.world.clusters().into_iter();
        clusters.find(|cluster| mctg::cluster::Cluster::context(cluster) == name).unwrap()
    }

    /// What is in any ledger.
    fn tracked(&self) -> BTreeSet<String> {
        let mut tracked = BTreeSet::new();
        for cluster in [self.cluster("blue"), self.cluster("green")] {
            for namespace in ["web", "old"] {
                let text = cluster.with(|s| s.ledger_text(namespace, LEDGER).map(str::to_owned));
                let text = text.unwrap_or_default();
                tracked.extend(text.split(',').filter(|it| !it.is_empty()).map(str::to_owned));
            }
        }
        tracked
    }

    fn registered(&self) -> BTreeSet<String> {
        self.world.registered(&self.group).into_iter().collect()
    }

    fn is_right(&self) -> bool {
        let right = ["10.0.128.11", "10.0.128.21", "10.0.64.11", "10.0.64.21"];
        let right: BTreeSet<String> = right.iter().map(|id| format!("{id}:8080")).collect();
        self.registered() == right
            && self.tracked() == right
            && self.cluster("blue").with(|state| state.binding_mut("old", "shop-http").is_none())
    }

    /// How many changes of each kind were asked for.
    fn changes(&self) -> BTreeMap<Action, usize> {
        use mctg::sim::cluster::Request;
        use mctg::sim::elbv2::Operation;
        let mut changes = BTreeMap::new();
        let requests = [
            (Request::WriteLedger, Action::WriteLedger),
            (Request::DeleteLedger, Action::DeleteLedger),
            (Request::RemoveFinalizer, Action::RemoveFinalizer),
            (Request::Nudge, Action::Nudge),
        ];
        for cluster in [self.cluster("blue"), self.cluster("green")] {
            for (request, action) in requests {
                *changes.entry(action).or_default() += cluster.count(request);
            }
        }
        let elb = self.world.load_balancers();
        changes.insert(Action::Register, elb.count(Operation::RegisterTargets));
        changes.insert(Action::Deregister, elb.count(Operation::DeregisterTargets));
        changes.retain(|_, count| *count > 0);
        changes
    }
}

fn done(report: &Reconcile) -> BTreeMap<Action, usize> {
    let mut done = BTreeMap::new();
    for step in report.bindings.iter().flat_map(|binding| &binding.steps) {
        if step.result == StepResult::Done {
            *done.entry(step.action).or_default() += 1;
        }
    }
    done
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_stopped_at_any_step_calls_nobody_any_more_and_its_report_is_true() {
    let steps = {
        let shop = Shop::new();
        let report = shop.run(&Stop::default(), None).await;
        assert!(report.complete && !report.interrupted && shop.is_right(), "{report:#?}");
        shop.world.steps().passed()
    };
    assert!(steps > 60, "{steps}");
    let mut unfinished = 0;
    for n in 0..steps {
        let (shop, stop) = (Shop::new(), Stop::default());
        let after = shop.stop_at(n, &stop);
        let report = shop.run(&stop, None).await;
        let when = format!("step {n} of {steps}: {report:#?}");
        assert!(stop.is_asked(), "{when}");
        assert_eq!(*after.lock().unwrap(), [""; 0], "called after all, {when}");
        assert!(report.interrupted, "{when}");
        assert_eq!(done(&report), shop.changes(), "what was done, {when}");
        assert_eq!(report.complete, shop.is_right(), "whether anything is left, {when}");
        for binding in &report.bindings {
            for step in &binding.steps {
                // Nothing went wrong here, so that nothing is told as failed.
                assert_ne!(step.result, StepResult::Failed, "{when}");
            }
            let settled = [Outcome::Applied, Outcome::InSync].contains(&binding.outcome);
            let skipped = binding.steps.iter().any(|step| step.result == StepResult::Skipped);
            assert!(!(settled && skipped), "{when}");
        }
        for finding in &report.findings {
            assert!(!finding.message.contains("stopped"), "{when}");
        }
        let leaked: Vec<String> = shop.registered().difference(&shop.tracked()).cloned().collect();
        assert_eq!(leaked, [""; 0], "{when}");
        unfinished += usize::from(!report.complete);
        shop.world.steps().clear_hook();
        let next = shop.run(&Stop::default(), None).await;
        assert!(next.complete && !next.interrupted && shop.is_right(), "{next:#?}, after {when}");
    }
    assert!(unfinished > 40, "{unfinished} of {steps}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_was_stopped_before_it_began_asks_nobody() {
    let (shop, stop) = (Shop::new(), Stop::default());
    stop.ask();
    let report = shop.run(&stop, Some(Wait::default())).await;
    assert_eq!(shop.world.steps().passed(), 0);
    assert!(report.interrupted && !report.complete && !report.timed_out);
    for context in &report.contexts {
        assert_eq!((context.reachable, context.reason), (false, Some(SilenceReason::Stopped)));
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_for_health_ends_at_once_and_is_no_time_that_is_up() {
    let (shop, stop) = (Shop::new(), Stop::default());
    let start = tokio::time::Instant::now();
    let asks = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        stop.ask();
    };
    let run = shop.run(&stop, Some(Wait::default()));
    let (report, ()) = tokio::join!(run, asks);
    assert_eq!(start.elapsed(), Duration::from_secs(7));
    assert!(report.interrupted && !report.timed_out);
    assert!(report.complete, "all of it was done: {report:#?}");
    let waits = report.bindings.iter().flat_map(|binding| &binding.waiting_for);
    let waits: BTreeSet<String> = waits.map(ToString::to_string).collect();
    assert_eq!(waits, ["10.0.128.11:8080", "10.0.128.21:8080"].map(str::to_owned).into());
}

#[tokio::test(start_paused = true)]
async fn beside_a_controller_what_it_was_not_asked_for_is_left_and_told() {
    let steps = {
        let shop = Shop::new().beside_a_controller();
        let report = shop.run(&Stop::default(), None).await;
        assert_eq!(done(&report).get(&Action::Nudge), Some(&2), "{report:#?}");
        shop.world.steps().passed()
    };
    let mut unasked = 0;
    for n in 0..steps {
        let (shop, stop) = (Shop::new().beside_a_controller(), Stop::default());
        let after = shop.stop_at(n, &stop);
        let report = shop.run(&stop, Some(Wait::default())).await;
        let when = format!("step {n} of {steps}: {report:#?}");
        assert_eq!(*after.lock().unwrap(), [""; 0], "called after all, {when}");
        assert_eq!(done(&report), shop.changes(), "what was done, {when}");
        assert!(report.interrupted && !report.timed_out, "{when}");
        if done(&report).contains_key(&Action::Nudge) {
            for binding in &report.bindings {
                let nudge = binding.plan.nudge.as_ref();
                assert!(nudge.is_none_or(|nudge| nudge.verified != Some(true)), "{when}");
                let reason = binding.reason.as_deref().unwrap_or_default();
                assert!(!reason.contains("could not be read"), "{when}");
            }
            continue;
        }
        unasked += 1;
        assert!(!report.complete, "{when}");
        for binding in &report.bindings {
            for blocked in &binding.plan.blocked {
                assert_ne!(blocked.action, Action::Nudge, "it is not withheld, {when}");
            }
        }
    }
    assert!(unasked > 20, "{unasked} of {steps}");
}
