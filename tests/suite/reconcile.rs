//! What `reconcile` does, from observing to the report, over the simulator.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mctg::cluster::WriteError;
use mctg::facts::{Silence, SilenceReason};
use mctg::plan::{Action, BlockedReason, Plan, Request as PlanRequest};
use mctg::reconcile::{Options, Reconciler, Wait};
use mctg::report::{BindingReport, Outcome, Reconcile, StepResult};
use mctg::sim::cluster::{NewBinding, Part, Request};
use mctg::sim::elbv2::{ApiError, Operation};
use mctg::sim::faults::Fault;
use mctg::sim::steps::Moment;
use mctg::sim::{Cluster, Trouble, World};
use mctg::target::TargetGroupArn;

const LEDGER: &str = "aws-lbc-targets-shop-http";

/// Blue and green share one group, and all is well.
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
        Self { world, group, blue, green }
    }

    fn pod(&self, cluster: &Cluster, address: &str) {
        cluster.with(|state| state.add_pod("web", "shop", address));
    }

    fn registered(&self) -> String {
        self.world.registered(&self.group).join(" ").replace(":8080", "")
    }

    fn ledger(cluster: &Cluster) -> Option<String> {
        let text = cluster.with(|s| s.ledger_text("web", LEDGER).map(str::to_owned));
        text.map(|text| text.replace(":8080", ""))
    }

    fn reconcile(&self, contexts: &[&str]) -> Reconcile {
        let clusters = self.world.clusters();
        let elb = self.world.load_balancers();
        let reconciler = Reconciler::new(&clusters, &elb, || self.world.now());
        let reconciler = reconciler.options(options(contexts));
        finished(reconciler.run(None, &|_| {}))
    }

    fn plan(&self, contexts: &[&str]) -> Plan {
        let clusters = self.world.clusters();
        let elb = self.world.load_balancers();
        let reconciler = Reconciler::new(&clusters, &elb, || self.world.now());
        finished(reconciler.options(options(contexts)).plan()).plan
    }

    /// Says whether nothing is left to do in blue and green.
    fn is_settled(&self) -> bool {
        self.plan(&["blue", "green"]).bindings.iter().all(mctg::plan::BindingPlan::is_empty)
    }
}

fn options(contexts: &[&str]) -> Options {
    let contexts = contexts.iter().map(|context| (*context).to_owned()).collect();
    let request = PlanRequest { contexts, may_deregister: true, ..PlanRequest::default() };
    Options { request, ..Options::default() }
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

fn timeout() -> Silence {
    Silence::new(SilenceReason::Timeout, "no answer came in time")
}

fn only(report: &Reconcile) -> &BindingReport {
    assert_eq!(report.bindings.len(), 1);
    &report.bindings[0]
}

fn blocked(report: &BindingReport) -> Vec<(String, Action, BlockedReason)> {
    let id = |id: &Option<String>| id.clone().unwrap_or_default();
    report.plan.blocked.iter().map(|b| (id(&b.id), b.action, b.reason)).collect()
}

#[test]
fn what_is_missing_is_registered_and_what_is_stale_is_deregistered_and_then_all_is_right() {
    let shop = Shop::new();
    shop.pod(&shop.blue, "10.0.128.11");
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    let report = shop.reconcile(&["blue"]);
    assert_eq!(only(&report).outcome, Outcome::Applied);
    assert_eq!(shop.registered(), "10.0.0.21 10.0.128.11 10.0.64.11");
    assert_eq!(Shop::ledger(&shop.blue).unwrap(), "10.0.128.11,10.0.64.11");
    assert!(shop.is_settled());
    assert_eq!(only(&shop.reconcile(&["blue"])).outcome, Outcome::InSync);
}

#[test]
fn what_was_lost_behind_their_back_comes_back_in_both_clusters_in_one_run() {
    let shop = Shop::new();
    let requests = ["10.0.0.11", "10.0.0.21"]
        .map(|address| mctg::sim::elbv2::TargetRequest::new(address, 8080));
    let elb = shop.world.load_balancers();
    elb.with(|model| model.deregister_targets(shop.group.as_str(), &requests)).unwrap();
    let report = shop.reconcile(&["blue", "green"]);
    assert!(report.bindings.iter().all(|binding| binding.outcome == Outcome::Applied));
    assert_eq!(shop.registered(), "10.0.0.11 10.0.0.21 10.0.64.11");
}

#[test]
fn a_conflict_on_the_ledger_is_planned_again() {
    let shop = Shop::new();
    shop.pod(&shop.blue, "10.0.128.11");
    shop.blue.fail_next(Request::WriteLedger, Fault::before(WriteError::Conflict));
    let report = shop.reconcile(&["blue"]);
    assert_eq!(only(&report).outcome, Outcome::Applied);
    assert!(shop.registered().contains("10.0.128.11"));
    assert!(shop.is_settled());
}

#[test]
fn a_ledger_that_others_keep_writing_is_given_up_and_said_so() {
    let shop = Shop::new();
    shop.pod(&shop.blue, "10.0.128.11");
    for _ in 0..3 {
        shop.blue.fail_next(Request::WriteLedger, Fault::before(WriteError::Conflict));
    }
    let report = shop.reconcile(&["blue"]);
    assert_eq!(only(&report).outcome, Outcome::Failed);
    assert!(only(&report).reason.as_ref().unwrap().contains("kept writing"));
    assert!(!shop.registered().contains("10.0.128.11"), "it is in no ledger");
}

/// A pod comes, one dies, and one is replaced by one of green.
fn disturb(shop: &Shop) {
    shop.pod(&shop.blue, "10.0.128.11");
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    shop.pod(&shop.green, "10.0.64.21");
}

#[test]
fn a_run_that_is_killed_at_any_step_is_made_good_by_the_next() {
    let mut step = 0;
    loop {
        let shop = Shop::new();
        disturb(&shop);
        let clusters = shop.world.clusters();
        let elb = shop.world.load_balancers();
        let reconciler = Reconciler::new(&clusters, &elb, || shop.world.now());
        let reconciler = reconciler.options(options(&["blue", "green"]));
        let run = reconciler.run(None, &|_| {});
        let ended = finished(shop.world.steps().run_until(step, run)).is_some();
        let ledgers = [&shop.blue, &shop.green].map(|c| Shop::ledger(c).unwrap()).join(",");
        let in_a_ledger = |address: &str| ledgers.split(',').any(|entry| entry == address);
        assert!(shop.registered().split(' ').all(in_a_ledger), "step {step}: {ledgers}");
        let _ = shop.reconcile(&["blue", "green"]);
        assert_eq!(shop.registered(), "10.0.0.21 10.0.128.11 10.0.64.11 10.0.64.21", "step {step}");
        assert!(shop.is_settled(), "step {step}");
        if ended {
            break;
        }
        step += 1;
    }
    assert!(step > 40, "a run has more steps than {step}");
}

#[test]
fn a_reply_that_is_lost_before_or_after_any_call_is_made_good_by_the_next_run() {
    let operations = [Operation::RegisterTargets, Operation::DeregisterTargets];
    let requests = [Request::WriteLedger, Request::ReadLedger, Request::EndpointSlices];
    let lost = |after: bool| if after { Fault::after } else { Fault::before };
    for after in [false, true] {
        for nth in 1..4 {
            for operation in operations {
                let shop = Shop::new();
                disturb(&shop);
                let elb = shop.world.load_balancers();
                elb.fail_nth(Some(operation), nth, lost(after)(Trouble::Closed));
                let _ = shop.reconcile(&["blue", "green"]);
                elb.clear_faults();
                let _ = shop.reconcile(&["blue", "green"]);
                assert!(shop.is_settled(), "{operation:?} {nth} {after}");
                assert_eq!(shop.registered(), "10.0.0.21 10.0.128.11 10.0.64.11 10.0.64.21");
            }
            for request in requests {
                let shop = Shop::new();
                disturb(&shop);
                let failed = WriteError::Failed(timeout());
                let fault = if after { Fault::after(failed) } else { Fault::before(failed) };
                shop.blue.fail_nth(Some(request), nth, fault);
                let _ = shop.reconcile(&["blue", "green"]);
                shop.blue.clear_faults();
                let _ = shop.reconcile(&["blue", "green"]);
                assert!(shop.is_settled(), "{request:?} {nth} {after}");
                assert_eq!(shop.registered(), "10.0.0.21 10.0.128.11 10.0.64.11 10.0.64.21");
            }
        }
    }
}

#[test]
fn where_the_group_is_full_stale_targets_go_first() {
    let shop = Shop::new();
    let elb = shop.world.load_balancers();
    elb.with(|model| model.set_limit("targets-per-target-group", 3));
    shop.pod(&shop.blue, "10.0.128.11");
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    assert_eq!(only(&shop.reconcile(&["blue"])).outcome, Outcome::Applied);
    assert_eq!(shop.registered(), "10.0.0.21 10.0.128.11 10.0.64.11");
}

/// A full group: green's target is stale, and blue's new pod finds no room until it has gone.
fn full() -> Shop {
    let shop = Shop::new();
    shop.world.load_balancers().with(|model| model.set_limit("targets-per-target-group", 3));
    shop.pod(&shop.blue, "10.0.128.11");
    shop.green.with(|state| state.remove_pod_at("10.0.0.21"));
    shop
}

#[test]
fn what_did_not_fit_is_in_its_ledger_when_it_is_tried_again() {
    let shop = full();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (blue, seen) = (shop.blue.clone(), Arc::clone(&calls));
    shop.world.steps().on_step(move |step| {
        if step.operation == "RegisterTargets" && step.moment == Moment::Before {
            let mut seen = seen.lock().unwrap();
            seen.push(Shop::ledger(&blue).unwrap_or_default());
            if seen.len() == 1 {
                blue.with(|state| state.ledgers.remove(&format!("web/{LEDGER}")));
            }
        }
    });
    let _ = shop.reconcile(&["blue", "green"]);
    shop.world.steps().clear_hook();
    assert_eq!(*calls.lock().unwrap(), ["10.0.0.11,10.0.128.11,10.0.64.11"; 2]);
    assert_eq!(shop.registered(), "10.0.0.11 10.0.128.11 10.0.64.11");
    assert!(shop.is_settled());
}

#[test]
fn what_did_not_fit_and_nobody_wants_any_more_is_not_tried_again() {
    let shop = full();
    let blue = shop.blue.clone();
    before(&shop, "RegisterTargets", move || {
        blue.with(|state| state.remove_pod_at("10.0.128.11"));
    });
    let report = shop.reconcile(&["blue", "green"]);
    shop.world.steps().clear_hook();
    assert_eq!(shop.registered(), "10.0.0.11 10.0.64.11");
    let changed = ("10.0.128.11".to_owned(), Action::Register, BlockedReason::Changed);
    assert_eq!(blocked(&report.bindings[0]), [changed]);
    assert!(report.complete);
}

#[test]
fn where_the_group_is_full_and_nothing_is_stale_the_run_fails_and_says_so() {
    let shop = Shop::new();
    let elb = shop.world.load_balancers();
    elb.with(|model| model.set_limit("targets-per-target-group", 3));
    shop.pod(&shop.blue, "10.0.128.11");
    let report = shop.reconcile(&["blue"]);
    assert_eq!(only(&report).outcome, Outcome::Partial);
    assert!(only(&report).steps.iter().any(|step| step.result == StepResult::Failed));
    assert!(!report.complete);
}

#[test]
fn addresses_outside_the_vpc_are_registered_in_all_zones_and_hide_no_others() {
    let shop = Shop::new();
    for address in ["192.168.1.1", "10.0.128.11", "192.168.1.2", "10.0.128.12"] {
        shop.blue.with(|state| {
            let node = state.nodes.keys().next().cloned();
            state.add_pod_on("web", "shop", address, node.as_deref())
        });
    }
    assert_eq!(only(&shop.reconcile(&["blue"])).outcome, Outcome::Applied);
    let elb = shop.world.load_balancers();
    let listed = elb.with(|m| m.describe_target_health(shop.group.as_str(), &[])).unwrap();
    let zone = |address: &str| {
        let found = listed.iter().find(|listed| listed.description.target.id == address);
        found.and_then(|found| found.description.availability_zone.clone())
    };
    assert_eq!(zone("192.168.1.1").as_deref(), Some("all"));
    assert_eq!(zone("192.168.1.2").as_deref(), Some("all"));
    assert_eq!(zone("10.0.128.11").as_deref(), Some("us-east-1c"));
    assert!(zone("10.0.128.12").is_some());
}

#[test]
fn a_target_that_moves_to_another_cluster_is_handed_over_without_a_call() {
    let shop = Shop::new();
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    shop.pod(&shop.green, "10.0.0.11");
    let elb = shop.world.load_balancers();
    elb.clear_calls();
    let _ = shop.reconcile(&["blue", "green"]);
    assert_eq!(elb.count(Operation::DeregisterTargets), 0);
    assert_eq!(Shop::ledger(&shop.blue).unwrap(), "10.0.64.11");
    assert_eq!(Shop::ledger(&shop.green).unwrap(), "10.0.0.11,10.0.0.21");
    assert!(shop.is_settled());
}

#[test]
fn a_target_that_another_cluster_desires_and_does_not_track_is_contested() {
    let shop = Shop::new();
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    shop.pod(&shop.green, "10.0.0.11");
    let report = shop.reconcile(&["blue"]);
    let contested = ("10.0.0.11".to_owned(), Action::Deregister, BlockedReason::Contested);
    assert_eq!(blocked(only(&report)), [contested]);
    assert_eq!(Shop::ledger(&shop.blue).unwrap(), "10.0.0.11,10.0.64.11");
}

/// Calls `change` right before a call is made for the first time.
fn before(shop: &Shop, operation: &'static str, change: impl Fn() + Send + Sync + 'static) {
    let once = std::sync::atomic::AtomicBool::new(false);
    shop.world.steps().on_step(move |step| {
        let is_it = step.operation == operation && step.moment == Moment::Before;
        if is_it && !once.swap(true, std::sync::atomic::Ordering::Relaxed) {
            change();
        }
    });
}

#[test]
fn a_pod_that_comes_back_between_the_two_readings_keeps_its_target() {
    let shop = Shop::new();
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    shop.pod(&shop.blue, "10.0.128.11");
    let blue = shop.blue.clone();
    before(&shop, "RegisterTargets", move || {
        blue.with(|state| state.add_pod("web", "shop", "10.0.0.11"));
    });
    let _ = shop.reconcile(&["blue"]);
    shop.world.steps().clear_hook();
    assert!(shop.registered().contains("10.0.0.11"));
    assert!(Shop::ledger(&shop.blue).unwrap().contains("10.0.0.11"));
}

#[test]
fn what_was_registered_and_is_in_no_ledger_any_more_is_taken_out_again() {
    let shop = Shop::new();
    shop.pod(&shop.blue, "10.0.128.11");
    let blue = shop.blue.clone();
    before(&shop, "RegisterTargets", move || {
        blue.with(|state| {
            state.remove_pod_at("10.0.128.11");
            state.put_ledger("web", LEDGER, "10.0.0.11:8080,10.0.64.11:8080");
        });
    });
    let _ = shop.reconcile(&["blue"]);
    shop.world.steps().clear_hook();
    assert!(!shop.registered().contains("10.0.128.11"));
    assert!(shop.is_settled());
}

#[test]
fn what_was_registered_and_is_another_clusters_by_now_is_not_taken_out_again() {
    let shop = Shop::new();
    shop.pod(&shop.blue, "10.0.128.11");
    let (blue, green) = (shop.blue.clone(), shop.green.clone());
    before(&shop, "RegisterTargets", move || {
        blue.with(|state| {
            state.remove_pod_at("10.0.128.11");
            state.put_ledger("web", LEDGER, "10.0.0.11:8080,10.0.64.11:8080");
        });
        green.with(|state| state.add_pod("web", "shop", "10.0.128.11"));
    });
    let _ = shop.reconcile(&["blue"]);
    shop.world.steps().clear_hook();
    assert!(shop.registered().contains("10.0.128.11"));
}

#[test]
fn a_phantom_that_another_run_registers_meanwhile_stays_tracked() {
    let shop = std::sync::Arc::new(Shop::new());
    let gone = [mctg::sim::elbv2::TargetRequest::new("10.0.0.11", 8080)];
    let elb = shop.world.load_balancers();
    elb.with(|model| model.deregister_targets(shop.group.as_str(), &gone)).unwrap();
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    let other = std::sync::Arc::clone(&shop);
    before(&shop, "WriteLedger", move || {
        other.pod(&other.blue, "10.0.0.11");
        // It is tracked still, so the other run has no ledger to write.
        let _ = other.reconcile(&["blue"]);
    });
    let _ = shop.reconcile(&["blue"]);
    shop.world.steps().clear_hook();
    assert!(shop.registered().contains("10.0.0.11"));
    assert!(Shop::ledger(&shop.blue).unwrap().contains("10.0.0.11"));
}

#[test]
fn a_binding_that_was_made_anew_in_between_loses_nothing() {
    let shop = Shop::new();
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    shop.pod(&shop.blue, "10.0.128.11");
    let (blue, group) = (shop.blue.clone(), shop.group.clone());
    before(&shop, "RegisterTargets", move || {
        blue.with(|state| {
            state.binding_mut("web", "shop-http").unwrap().has_finalizer = false;
            state.delete_binding("web", "shop-http");
            state.bind(&NewBinding::new("web", "shop-http", "shop", &group));
        });
    });
    let _ = shop.reconcile(&["blue"]);
    shop.world.steps().clear_hook();
    assert!(shop.registered().contains("10.0.0.11"), "the next run judges the new binding");
    let _ = shop.reconcile(&["blue"]);
    assert!(shop.is_settled());
}

#[test]
fn while_a_context_is_silent_what_nobody_here_holds_stays() {
    let shop = Shop::new();
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    shop.green.silence(Part::Everything, timeout());
    let report = shop.reconcile(&["blue"]);
    let silent = ("10.0.0.11".to_owned(), Action::Deregister, BlockedReason::Silent);
    assert_eq!(blocked(only(&report)), [silent]);
    assert!(!report.complete);
    shop.green.speak();
    let _ = shop.reconcile(&["blue"]);
    assert_eq!(shop.registered(), "10.0.0.21 10.0.64.11");
}

#[test]
fn without_its_service_a_binding_gives_up_its_targets_and_then_its_ledger() {
    let shop = Shop::new();
    shop.blue.with(|state| state.services.clear());
    assert_eq!(only(&shop.reconcile(&["blue"])).outcome, Outcome::Applied);
    assert_eq!(shop.registered(), "10.0.0.21");
    assert_eq!(Shop::ledger(&shop.blue), None);
    assert!(shop.is_settled());
}

#[test]
fn a_binding_that_is_being_deleted_goes_once_its_targets_and_its_ledger_have() {
    let shop = Shop::new();
    shop.blue.with(|state| state.delete_binding("web", "shop-http"));
    let report = shop.reconcile(&["blue"]);
    let done: Vec<Action> = only(&report).steps.iter().map(|step| step.action).collect();
    assert_eq!(done, [Action::Deregister, Action::DeleteLedger, Action::RemoveFinalizer]);
    assert_eq!(Shop::ledger(&shop.blue), None);
    assert!(shop.blue.with(|state| state.binding_mut("web", "shop-http").is_none()));
}

#[test]
fn the_ledger_stays_where_the_finalizer_could_not_go() {
    let shop = Shop::new();
    shop.blue.with(|state| state.delete_binding("web", "shop-http"));
    let refusal = Silence::new(SilenceReason::ServerError, "failed calling webhook");
    shop.blue.silence(Part::Requests(Request::RemoveFinalizer), refusal);
    let ledger = Shop::ledger(&shop.blue);
    for outcome in [Outcome::Partial, Outcome::Failed] {
        let report = shop.reconcile(&["blue"]);
        let binding = only(&report);
        assert_eq!((binding.outcome, report.complete), (outcome, false));
        assert_eq!(binding.reason.as_deref(), Some("failed calling webhook"));
        let last = binding.steps.last().unwrap();
        assert_eq!((last.action, last.result), (Action::RemoveFinalizer, StepResult::Failed));
        assert_eq!(shop.registered(), "10.0.0.21", "its targets went");
        assert_eq!(Shop::ledger(&shop.blue), ledger);
        assert_eq!(shop.blue.count(Request::DeleteLedger), 0);
    }
    shop.blue.speak();
    assert_eq!(only(&shop.reconcile(&["blue"])).outcome, Outcome::Applied);
    assert_eq!(Shop::ledger(&shop.blue), None);
    assert!(shop.blue.with(|state| state.binding_mut("web", "shop-http").is_none()));
}

#[test]
fn without_its_service_a_ledger_goes_whatever_keeps_a_finalizer() {
    let shop = Shop::new();
    shop.blue.with(|state| state.services.clear());
    shop.blue.silence(Part::Requests(Request::RemoveFinalizer), timeout());
    assert_eq!(only(&shop.reconcile(&["blue"])).outcome, Outcome::Applied);
    assert_eq!(Shop::ledger(&shop.blue), None);
}

#[test]
fn why_a_cluster_fell_silent_before_the_second_reading_is_told() {
    let shop = Shop::new();
    shop.pod(&shop.blue, "10.0.128.11");
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    let blue = shop.blue.clone();
    before(&shop, "RegisterTargets", move || blue.silence(Part::Everything, timeout()));
    let report = shop.reconcile(&["blue"]);
    shop.world.steps().clear_hook();
    let told = only(&report).reason.clone().unwrap_or_default();
    assert!(told.ends_with("its cluster could not be read: no answer came in time"), "{told}");
    assert_eq!(shop.registered(), "10.0.0.11 10.0.0.21 10.0.128.11 10.0.64.11");
}

#[test]
fn the_finalizer_stays_while_somebody_else_writes_the_ledger() {
    let shop = Shop::new();
    shop.blue.with(|state| state.delete_binding("web", "shop-http"));
    for _ in 0..3 {
        shop.blue.fail_next(Request::DeleteLedger, Fault::before(WriteError::Conflict));
    }
    let _ = shop.reconcile(&["blue"]);
    assert!(shop.blue.with(|state| state.binding_mut("web", "shop-http").is_some()));
    assert!(Shop::ledger(&shop.blue).is_some());
}

#[tokio::test(start_paused = true)]
async fn it_waits_until_nothing_it_registered_is_in_its_first_checks() {
    let shop = Shop::new();
    shop.pod(&shop.blue, "10.0.128.11");
    let clusters = shop.world.clusters();
    let elb = shop.world.load_balancers();
    let world = shop.world.clone();
    let started = tokio::time::Instant::now();
    let begun = world.now();
    let clock = {
        let world = world.clone();
        move || world.now()
    };
    // The world's time follows tokio's, which is paused and moves while everybody sleeps.
    world.steps().on_step({
        let world = world.clone();
        move |_| {
            let passed = jiff::SignedDuration::try_from(started.elapsed()).unwrap();
            world.advance_to(begun.checked_add(passed).unwrap());
        }
    });
    let wait = |seconds| Options {
        wait: Some(Wait::up_to(Duration::from_secs(seconds))),
        ..options(&["blue"])
    };
    let reconciler = Reconciler::new(&clusters, &elb, &clock).options(wait(20));
    let early = reconciler.run(None, &|_| {}).await;
    assert!(early.timed_out);
    let waits: BTreeSet<String> =
        early.bindings[0].waiting_for.iter().map(|target| target.id.clone()).collect();
    assert_eq!(waits, BTreeSet::from(["10.0.128.11".to_owned()]));
    shop.pod(&shop.blue, "10.0.128.12");
    elb.fail_nth(Some(Operation::DescribeTargetHealth), 4, Fault::before(Trouble::Closed));
    let reconciler = Reconciler::new(&clusters, &elb, &clock).options(wait(300));
    let late = reconciler.run(None, &|_| {}).await;
    assert!(!late.timed_out);
    let listed = elb.with(|m| m.describe_target_health(shop.group.as_str(), &[])).unwrap();
    assert!(listed.iter().all(|l| l.description.health.state.as_str() == "healthy"));
}

#[tokio::test(start_paused = true)]
async fn no_answer_about_their_health_is_no_end_of_waiting() {
    let shop = Shop::new();
    shop.pod(&shop.blue, "10.0.128.11");
    let elb = shop.world.load_balancers();
    for nth in 2..60 {
        let fault = Fault::before(Trouble::Refused(ApiError::throttling()));
        elb.fail_nth(Some(Operation::DescribeTargetHealth), nth, fault);
    }
    let clusters = shop.world.clusters();
    let options =
        Options { wait: Some(Wait::up_to(Duration::from_secs(30))), ..options(&["blue"]) };
    let reconciler = Reconciler::new(&clusters, &elb, || shop.world.now()).options(options);
    assert!(reconciler.run(None, &|_| {}).await.timed_out);
}

#[test]
fn nothing_goes_that_an_approved_plan_did_not_show() {
    let shop = Shop::new();
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    let approved = shop.plan(&["blue"]);
    shop.blue.with(|state| state.remove_pod_at("10.0.64.11"));
    let clusters = shop.world.clusters();
    let elb = shop.world.load_balancers();
    let reconciler = Reconciler::new(&clusters, &elb, || shop.world.now());
    let reconciler = reconciler.options(options(&["blue"]));
    let report = finished(reconciler.run(Some(&approved), &|_| {}));
    assert_eq!(shop.registered(), "10.0.0.21 10.0.64.11");
    let changed = ("10.0.64.11".to_owned(), Action::Deregister, BlockedReason::Changed);
    assert_eq!(blocked(only(&report)), [changed]);
    assert!(Shop::ledger(&shop.blue).unwrap().contains("10.0.64.11"));
}

#[test]
fn a_binding_that_names_its_group_is_reconciled_like_any_other() {
    let shop = Shop::new();
    shop.blue.with(|state| {
        let binding = state.binding_mut("web", "shop-http").unwrap();
        binding.spec.target_group_arn = String::new();
        binding.spec.target_group_name = "k8s-web-shop".to_owned();
    });
    shop.pod(&shop.blue, "10.0.128.11");
    assert_eq!(only(&shop.reconcile(&["blue"])).outcome, Outcome::Applied);
    assert!(shop.registered().contains("10.0.128.11"));
}

#[test]
fn several_bindings_of_one_group_in_one_cluster_keep_each_its_own_ledger() {
    let shop = Shop::new();
    shop.blue.share("back", "api", &["10.0.128.31"], &shop.group);
    let report = shop.reconcile(&["blue"]);
    assert_eq!(report.bindings.len(), 2);
    assert!(shop.registered().contains("10.0.128.31"));
    shop.blue.with(|state| state.remove_pod_at("10.0.128.31"));
    let _ = shop.reconcile(&["blue"]);
    assert_eq!(shop.registered(), "10.0.0.11 10.0.0.21 10.0.64.11");
    assert_eq!(Shop::ledger(&shop.blue).unwrap(), "10.0.0.11,10.0.64.11");
    assert!(shop.is_settled());
}
