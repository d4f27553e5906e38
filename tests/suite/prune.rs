//! Targets that no cluster claims, from observing to the report, over the simulator.

use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mctg::facts::{Silence, SilenceReason};
use mctg::observe::lost::{self, Verdict};
use mctg::plan::{BlockedReason, Prune, Request as PlanRequest};
use mctg::reconcile::{Options, Reconciler};
use mctg::report::{Outcome, Reconcile, StepResult, UnclaimedReport};
use mctg::sim::cluster::{Part, Request};
use mctg::sim::elbv2::{Condition, Operation, TargetRequest};
use mctg::sim::faults::Fault;
use mctg::sim::steps::Moment;
use mctg::sim::{Cluster, Trouble, World};
use mctg::stop::Stop;
use mctg::target::TargetGroupArn;

/// What blue and green desire, track and have registered.
const OWN: &str = "10.0.0.11 10.0.0.21 10.0.64.11";

/// The same, and what nobody claims and passes its checks.
const LEFT: &str = "10.0.0.11 10.0.0.21 10.0.100.9 10.0.64.11";

/// Blue and green share one group and all is well, but that nobody claims `10.0.100.8`, which
/// fails its checks, and `10.0.100.9`, which passes them.
struct Shop {
    world: World,
    group: TargetGroupArn,
    blue: Cluster,
    green: Cluster,
}

impl Shop {
    fn new() -> Self {
        let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
        let group = world.add_group("k8s-web-shop");
        let blue = world.add_cluster("blue");
        let green = world.add_cluster("green");
        blue.share("web", "shop", &["10.0.0.11", "10.0.64.11"], &group);
        green.share("web", "shop", &["10.0.0.21"], &group);
        world.converge();
        let shop = Self { world, group, blue, green };
        shop.register(&["10.0.100.8", "10.0.100.9"]);
        shop.fails("10.0.100.8");
        shop
    }

    fn register(&self, addresses: &[&str]) {
        let requests: Vec<TargetRequest> =
            addresses.iter().map(|address| TargetRequest::new(address, 8080)).collect();
        let elb = self.world.load_balancers();
        elb.with(|model| model.register_targets(self.group.as_str(), &requests)).unwrap();
        self.world.advance(Duration::from_secs(3_600));
    }

    fn fails(&self, address: &str) {
        let elb = self.world.load_balancers();
        elb.with(|model| model.set_condition(address, Condition::Failing));
    }

    fn registered(&self) -> String {
        self.world.registered(&self.group).join(" ").replace(":8080", "")
    }

    /// Prunes on blue's behalf, with these contexts declared lost.
    fn prune(&self, prune: Prune, lost: &[&str]) -> Reconcile {
        let clusters = self.world.clusters();
        let elb = self.world.load_balancers();
        let request = PlanRequest {
            contexts: BTreeSet::from(["blue".to_owned()]),
            may_deregister: true,
            prune: Some(prune),
            ..PlanRequest::default()
        };
        let lost = lost.iter().map(|context| (*context).to_owned()).collect();
        let options = Options { request, lost, ..Options::default() };
        let reconciler = Reconciler::new(&clusters, &elb, || self.world.now()).options(options);
        finished(reconciler.run(None, &|_| {}))
    }

    fn deregistrations(&self) -> usize {
        self.world.load_balancers().count(Operation::DeregisterTargets)
    }
}

/// Runs a future that never has to wait.
fn finished<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}

fn unhealthy() -> Prune {
    Prune::default()
}

fn all() -> Prune {
    Prune { include_healthy: true }
}

fn dead() -> Silence {
    Silence::new(SilenceReason::Unreachable, "no such host")
}

fn only(report: &Reconcile) -> &UnclaimedReport {
    let groups = report.unclaimed.as_ref().expect("it was asked for");
    assert_eq!(groups.len(), 1, "{groups:#?}");
    &groups[0]
}

/// Writes what is withheld: `address reason`.
fn withheld(report: &UnclaimedReport) -> Vec<(&str, BlockedReason)> {
    let blocked = report.plan.blocked.iter();
    blocked.map(|blocked| (blocked.id.as_deref().expect("a target"), blocked.reason)).collect()
}

#[test]
fn what_is_unhealthy_goes_and_a_second_run_plans_nothing() {
    let shop = Shop::new();
    let report = shop.prune(unhealthy(), &[]);
    assert_eq!(shop.registered(), LEFT);
    let group = only(&report);
    assert_eq!(group.outcome, Outcome::Applied);
    assert_eq!(group.plan.deregister[0].target.to_string(), "10.0.100.8:8080");
    assert_eq!(withheld(group), [("10.0.100.9", BlockedReason::NotUnhealthy)]);
    assert!(report.complete);
    let again = shop.prune(unhealthy(), &[]);
    assert_eq!(only(&again).outcome, Outcome::Skipped);
    assert_eq!(shop.deregistrations(), 1);
}

#[test]
fn with_healthy_ones_included_only_what_clusters_claim_is_left() {
    let shop = Shop::new();
    assert_eq!(only(&shop.prune(all(), &[])).outcome, Outcome::Applied);
    assert_eq!(shop.registered(), OWN);
    assert_eq!(shop.prune(all(), &[]).unclaimed.unwrap().len(), 0);
}

#[test]
fn ledgers_stay_as_they_are() {
    let shop = Shop::new();
    let _ = shop.prune(all(), &[]);
    for cluster in [&shop.blue, &shop.green] {
        assert_eq!(cluster.count(Request::WriteLedger), 0);
    }
}

#[test]
fn while_a_cluster_is_silent_in_any_part_nothing_goes() {
    for part in [
        Part::Everything,
        Part::Requests(Request::EndpointSlices),
        Part::Requests(Request::ReadLedger),
        Part::OverAllNamespaces(Request::Bindings),
    ] {
        let shop = Shop::new();
        let reason = match part {
            Part::OverAllNamespaces(_) => SilenceReason::Forbidden,
            _ => SilenceReason::Timeout,
        };
        shop.green.silence(part, Silence::new(reason, "no answer"));
        let report = shop.prune(all(), &[]);
        let group = only(&report);
        assert!(!group.plan.blocked.is_empty(), "{part:?}");
        assert!(withheld(group).iter().all(|(_, why)| *why == BlockedReason::Silent), "{part:?}");
        assert_eq!(shop.deregistrations(), 0, "{part:?}");
    }
}

#[test]
fn what_only_a_lost_cluster_claimed_goes_where_it_fails() {
    let shop = Shop::new();
    shop.green.silence(Part::Everything, dead());
    shop.fails("10.0.0.21");
    let report = shop.prune(unhealthy(), &["green"]);
    assert_eq!(shop.registered(), "10.0.0.11 10.0.100.9 10.0.64.11");
    assert!(report.complete, "what is lost is not missing: {:#?}", report.findings);
    let green = report.contexts.iter().find(|context| context.context == "green").unwrap();
    assert!(green.lost && !green.reachable);
    // What still answers its checks may serve until somebody says otherwise.
    assert_eq!(withheld(only(&report)), [("10.0.100.9", BlockedReason::NotUnhealthy)]);
}

#[test]
fn a_cluster_that_answers_is_not_lost() {
    let shop = Shop::new();
    shop.fails("10.0.0.21");
    let declared = BTreeSet::from(["green".to_owned()]);
    let verdict = |shop: &Shop| finished(lost::ask(&shop.world.clusters(), &declared));
    assert_eq!(verdict(&shop)["green"], Verdict::Answers(None));
    // Whoever reads it all the same sees that the target is green's.
    let _ = shop.prune(unhealthy(), &["green"]);
    assert!(shop.registered().contains("10.0.0.21"));

    let refused = Silence::new(SilenceReason::Forbidden, "forbidden");
    shop.green.silence(Part::Everything, refused.clone());
    assert_eq!(verdict(&shop)["green"], Verdict::Answers(Some(refused)));
    shop.fails("10.0.100.9");
    let report = shop.prune(unhealthy(), &["green"]);
    assert!(withheld(only(&report)).iter().all(|(_, why)| *why == BlockedReason::Silent));
    assert!(shop.registered().contains("10.0.100.9"));
}

#[test]
fn a_lost_cluster_that_comes_back_meanwhile_keeps_its_targets() {
    let shop = Shop::new();
    shop.green.silence(Part::Everything, dead());
    shop.fails("10.0.0.21");
    let green = shop.green.clone();
    after_health(&shop, move || green.speak());
    let report = shop.prune(unhealthy(), &["green"]);
    assert!(shop.registered().contains("10.0.0.21"));
    assert!(!shop.registered().contains("10.0.100.8"), "that is nobody's still");
    let changed = ("10.0.0.21", BlockedReason::Changed);
    assert!(withheld(only(&report)).contains(&changed), "{report:#?}");
}

/// Calls `change` once the targets of the first reading were listed.
fn after_health(shop: &Shop, change: impl Fn() + Send + Sync + 'static) {
    let once = std::sync::atomic::AtomicBool::new(false);
    shop.world.steps().on_step(move |step| {
        let is_it = step.operation == "DescribeTargetHealth" && step.moment == Moment::After;
        if is_it && !once.swap(true, std::sync::atomic::Ordering::Relaxed) {
            change();
        }
    });
}

#[test]
fn what_a_cluster_comes_to_desire_between_the_two_readings_stays() {
    let shop = Shop::new();
    let green = shop.green.clone();
    after_health(&shop, move || {
        green.with(|state| state.add_pod("web", "shop", "10.0.100.8"));
    });
    let report = shop.prune(unhealthy(), &[]);
    assert!(shop.registered().contains("10.0.100.8"));
    assert_eq!(only(&report).outcome, Outcome::Partial);
    assert!(withheld(only(&report)).contains(&("10.0.100.8", BlockedReason::Changed)));
    assert_eq!(shop.deregistrations(), 0);
}

#[test]
fn bindings_go_by_the_second_reading_too() {
    let shop = Shop::new();
    let blue = shop.blue.clone();
    blue.with(|state| state.add_pod("web", "shop", "10.0.128.11"));
    after_health(&shop, move || blue.with(|state| state.remove_pod_at("10.0.128.11")));
    let report = shop.prune(unhealthy(), &[]);
    assert_eq!(shop.registered(), LEFT);
    assert_eq!(shop.world.load_balancers().count(Operation::RegisterTargets), 0);
    assert!(report.bindings.iter().all(|binding| binding.outcome == Outcome::InSync));
}

#[test]
fn what_recovers_between_the_two_readings_stays() {
    let shop = Shop::new();
    let elb = shop.world.load_balancers();
    after_health(&shop, move || {
        elb.with(|model| model.set_condition("10.0.100.8", Condition::Passing));
    });
    let report = shop.prune(unhealthy(), &[]);
    assert!(shop.registered().contains("10.0.100.8"));
    assert_eq!(
        withheld(only(&report)),
        [("10.0.100.9", BlockedReason::NotUnhealthy), ("10.0.100.8", BlockedReason::NotUnhealthy)]
    );
}

#[test]
fn the_last_healthy_target_stays_whoever_lets_go_of_the_others() {
    let shop = Shop::new();
    for address in ["10.0.0.11", "10.0.64.11"] {
        shop.blue.with(|state| state.remove_pod_at(address));
    }
    shop.fails("10.0.0.21");
    let report = shop.prune(all(), &[]);
    assert!(shop.registered().contains("10.0.100.9"), "{}", shop.registered());
    assert!(withheld(only(&report)).contains(&("10.0.100.9", BlockedReason::LastHealthy)));
}

#[test]
fn more_than_a_hundred_go_in_several_calls_and_a_call_that_fails_is_told() {
    let shop = Shop::new();
    let elb = shop.world.load_balancers();
    let addresses: Vec<String> = (1..=230).map(|n| format!("10.0.101.{n}")).collect();
    for chunk in addresses.chunks(100) {
        shop.register(&chunk.iter().map(String::as_str).collect::<Vec<_>>());
    }
    addresses.iter().for_each(|address| shop.fails(address));
    elb.clear_calls();
    elb.fail_nth(Some(Operation::DeregisterTargets), 2, Fault::before(Trouble::Closed));
    let report = shop.prune(unhealthy(), &[]);
    let calls = elb.calls().into_iter().filter(|c| c.operation == Operation::DeregisterTargets);
    assert_eq!(calls.map(|call| call.targets.len()).collect::<Vec<_>>(), [100, 100, 31]);
    let steps: Vec<(usize, StepResult)> =
        only(&report).steps.iter().map(|step| (step.targets, step.result)).collect();
    assert_eq!(steps, [(131, StepResult::Done), (100, StepResult::Failed)]);
    assert_eq!(only(&report).outcome, Outcome::Partial);
    assert!(!report.complete);
    assert_eq!(only(&shop.prune(unhealthy(), &[])).outcome, Outcome::Applied);
    assert_eq!(shop.registered(), LEFT);
}

#[test]
fn a_run_that_is_killed_at_any_step_has_taken_out_nobodys_target_but_those_planned() {
    let mut step = 0;
    loop {
        let shop = Shop::new();
        let clusters = shop.world.clusters();
        let elb = shop.world.load_balancers();
        let request = PlanRequest {
            contexts: BTreeSet::from(["blue".to_owned()]),
            may_deregister: true,
            prune: Some(unhealthy()),
            ..PlanRequest::default()
        };
        let reconciler = Reconciler::new(&clusters, &elb, || shop.world.now());
        let reconciler = reconciler.options(Options { request, ..Options::default() });
        let run = reconciler.run(None, &|_| {});
        let ended = finished(shop.world.steps().run_until(step, run)).is_some();
        let left: BTreeSet<String> = shop.registered().split(' ').map(str::to_owned).collect();
        for kept in OWN.split(' ').chain(["10.0.100.9"]) {
            assert!(left.contains(kept), "step {step}: {kept}");
        }
        let _ = shop.prune(unhealthy(), &[]);
        assert_eq!(shop.registered(), LEFT, "step {step}");
        if ended {
            break;
        }
        step += 1;
    }
    assert!(step > 20, "a run has more steps than {step}");
}

#[test]
fn a_run_that_is_stopped_takes_out_nothing_more_and_says_so() {
    let shop = Shop::new();
    let clusters = shop.world.clusters();
    let elb = shop.world.load_balancers();
    let request = PlanRequest {
        contexts: BTreeSet::from(["blue".to_owned()]),
        may_deregister: true,
        prune: Some(unhealthy()),
        ..PlanRequest::default()
    };
    let stop = Stop::default();
    let options = Options { request, stop: stop.clone(), ..Options::default() };
    // In the middle of the second reading.
    let readings = std::sync::atomic::AtomicUsize::new(0);
    shop.world.steps().on_step(move |step| {
        let is_it = step.operation == "DescribeTargetHealth" && step.moment == Moment::After;
        if is_it && readings.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1 {
            stop.ask();
        }
    });
    let reconciler = Reconciler::new(&clusters, &elb, || shop.world.now()).options(options);
    let report = finished(reconciler.run(None, &|_| {}));
    assert_eq!(only(&report).steps[0].result, StepResult::Skipped);
    assert_eq!(only(&report).outcome, Outcome::Failed);
    assert!(report.interrupted && !report.complete);
    assert_eq!(shop.deregistrations(), 0);
}
