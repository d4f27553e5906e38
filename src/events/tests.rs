use std::sync::Mutex;

use super::*;
use crate::facts::Silence;
use crate::plan::Request as PlanRequest;
use crate::reconcile::{Options, Reconciler};
use crate::sim::cluster::{Part, Request};
use crate::sim::{Cluster as Sim, World};
use crate::stop::Stop;

/// Blue and green share a group, and all is well.
struct Shop {
    world: World,
    blue: Sim,
    green: Sim,
}

impl Shop {
    fn new() -> Self {
        let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
        let group = world.add_group("k8s-web-shop");
        let (blue, green) = (world.add_cluster("blue"), world.add_cluster("green"));
        blue.share("web", "shop", &["10.0.0.11", "10.0.64.11"], &group);
        green.share("web", "shop", &["10.0.0.21"], &group);
        world.converge();
        Self { world, blue, green }
    }

    /// Reconciles blue, and returns the warnings.
    async fn run(&self, options: Options) -> Vec<String> {
        let request =
            PlanRequest { contexts: ["blue".to_owned()].into(), ..options.request.clone() };
        let options = Options { request, events: true, ..options };
        let (clusters, elb) = (self.world.clusters(), self.world.load_balancers());
        let warnings = Mutex::new(Vec::new());
        let listener = |progress: Progress<'_>| {
            if let Progress::EventLost(event, silence) = progress {
                warnings.lock().unwrap().push(format!("{}: {silence}", event.reason));
            }
        };
        let reconciler = Reconciler::new(&clusters, &elb, || self.world.now()).options(options);
        let _ = reconciler.run(None, &listener).await;
        let warnings = warnings.lock().unwrap();
        warnings.clone()
    }

    /// Blue's events: how often, kind, reason and message, by reason.
    fn told(&self) -> Vec<String> {
        let events = self.blue.with(|state| state.events.clone());
        let mut told: Vec<String> = events
            .into_values()
            .map(|it| {
                let Event { kind, reason, message, .. } = it.event;
                format!("{}x {} {reason}: {message}", it.count, kind.as_str())
            })
            .collect();
        told.sort();
        told
    }
}

fn with_yes() -> Options {
    let request = PlanRequest { may_deregister: true, ..PlanRequest::default() };
    Options { request, ..Options::default() }
}

#[tokio::test]
async fn a_run_that_finds_nothing_to_do_says_nothing() {
    let shop = Shop::new();
    assert_eq!(shop.run(with_yes()).await, [""; 0]);
    assert_eq!(shop.told(), [""; 0]);
    assert_eq!(shop.blue.count(Request::RecordEvent), 0);
}

#[tokio::test]
async fn what_was_done_is_told_once_for_each_kind_of_it() {
    let shop = Shop::new();
    shop.blue.with(|state| {
        state.add_pod("web", "shop", "10.0.128.11");
        state.remove_pod_at("10.0.0.11");
    });
    shop.run(with_yes()).await;
    insta::assert_snapshot!(shop.told().join("\n"), @r"
    1x Normal Deregistered: deregistered 1 target from k8s-web-shop: 10.0.0.11:8080
    1x Normal LedgerWritten: the ledger tracks 2 targets
    1x Normal Registered: registered 1 target in k8s-web-shop: 10.0.128.11:8080
    ");
    shop.run(with_yes()).await;
    assert_eq!(shop.told().len(), 3, "nothing more happened");
    assert!(shop.green.with(|state| state.events.is_empty()));
}

#[tokio::test]
async fn what_is_withheld_again_and_again_raises_one_count() {
    let shop = Shop::new();
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    for _ in 0..3 {
        shop.run(Options::default()).await;
    }
    insta::assert_snapshot!(
        shop.told().join("\n"),
        @"3x Warning BlockedNeedsYes: withheld (needsYes): deregister 10.0.0.11:8080"
    );
}

#[tokio::test]
async fn whom_it_waits_for_is_told() {
    let shop = Shop::new();
    shop.blue.with(|state| state.remove_pod_at("10.0.0.11"));
    let lost = Silence::new(SilenceReason::Timeout, "no answer");
    shop.green.silence(Part::Everything, lost);
    shop.run(with_yes()).await;
    insta::assert_snapshot!(
        shop.told().join("\n"),
        @"1x Warning BlockedSilent: withheld (silent): deregister 10.0.0.11:8080, waiting on green"
    );
}

#[tokio::test]
async fn a_service_that_is_missing_is_told() {
    let shop = Shop::new();
    shop.blue.with(|state| state.services.clear());
    shop.run(with_yes()).await;
    insta::assert_snapshot!(shop.told().join("\n"), @r"
    1x Normal Deregistered: deregistered 2 targets from k8s-web-shop: 10.0.0.11:8080 10.0.64.11:8080
    1x Normal LedgerDeleted: the ledger is gone
    1x Warning BackendNotFound: service `shop` does not exist: the binding desires no target
    ");
}

#[tokio::test]
async fn what_failed_is_told_with_its_cause() {
    let shop = Shop::new();
    shop.blue.with(|state| {
        state.put_ledger("web", "aws-lbc-targets-shop-http", "\u{1b}[31m no\ntarget");
    });
    shop.run(with_yes()).await;
    let told = shop.told().join("\n");
    assert!(told.starts_with("1x Warning ReconcileFailed: "), "{told}");
    assert!(!told.contains(char::is_control), "{told:?}");
}

#[tokio::test]
async fn an_event_that_cannot_be_written_is_a_warning_and_a_refusal_is_one_for_all() {
    let shop = Shop::new();
    shop.blue.with(|state| {
        state.add_pod("web", "shop", "10.0.128.11");
        state.remove_pod_at("10.0.0.11");
    });
    let refused = Silence::new(SilenceReason::Forbidden, "events is forbidden");
    shop.blue.silence(Part::Requests(Request::RecordEvent), refused);
    assert_eq!(shop.run(with_yes()).await, ["LedgerWritten: events is forbidden"]);
    assert_eq!(shop.blue.count(Request::RecordEvent), 1);
}

#[tokio::test]
async fn a_run_that_was_stopped_writes_no_event() {
    let shop = Shop::new();
    shop.blue.with(|state| state.add_pod("web", "shop", "10.0.128.11"));
    let stop = Stop::default();
    let asks = stop.clone();
    shop.world.steps().on_step(move |step| {
        if step.operation == "RegisterTargets" {
            asks.ask();
        }
    });
    assert_eq!(shop.run(Options { stop: stop.clone(), ..with_yes() }).await, [""; 0]);
    assert!(stop.is_asked(), "it registered");
    assert_eq!(shop.blue.count(Request::RecordEvent), 0);
}

fn event(name: &str, uid: &str, reason: &str) -> Event {
    Event {
        binding: BindingRef {
            context: "blue".to_owned(),
            namespace: "web".to_owned(),
            name: name.to_owned(),
        },
        uid: uid.to_owned(),
        flavour: Flavour::LoadBalancerController,
        kind: Kind::Normal,
        reason: reason.to_owned(),
        message: String::new(),
        at: Timestamp::UNIX_EPOCH,
    }
}

#[test]
fn a_name_tells_binding_and_reason_apart_and_is_one_that_can_be_stored() {
    let name = event("shop", "1", "Registered").name();
    assert_eq!(name, event("shop", "1", "Registered").name());
    assert!(name.starts_with("shop."), "{name}");
    for other in [event("shop", "1", "Deregistered"), event("shop", "2", "Registered")] {
        assert_ne!(name, other.name());
    }
    let long = event(&format!("{}-{}", "a".repeat(235), "b".repeat(17)), "1", "Registered").name();
    assert!(long.len() <= NAME_MAX && long.starts_with("aaa") && !long.contains("-."), "{long}");
}

#[test]
fn a_message_is_bounded_and_cannot_steer_a_terminal() {
    assert_eq!(bounded("short"), "short");
    let long = bounded(&"ü".repeat(MESSAGE_MAX));
    assert!(long.len() <= MESSAGE_MAX && long.len() > MESSAGE_MAX - 4 && long.ends_with('…'));
    assert_eq!(bounded(&"a".repeat(MESSAGE_MAX)).len(), MESSAGE_MAX);
}
