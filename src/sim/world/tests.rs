use super::*;
use crate::binding::Flavour;
use crate::elbv2::{Access, CallError, LoadBalancers as _, Registration};
use crate::facts::SilenceReason;
use crate::sim::elbv2::{ApiError, Operation};
use crate::sim::faults::{Fault, Strikes};
use crate::sim::{Call, Trouble};
use crate::target::{HealthState, Target, TargetDescription};

fn now() -> Timestamp {
    "2026-11-23T12:00:00Z".parse().unwrap()
}

fn access() -> Access {
    Access { context: "blue".to_owned(), region: REGION.to_owned(), role: None }
}

fn registration(id: &str, zone: Option<&str>) -> Registration {
    let availability_zone = zone.map(str::to_owned);
    Registration { target: Target::new(id, 8080), availability_zone }
}

async fn states(world: &World, group: &TargetGroupArn) -> Vec<(String, HealthState)> {
    let targets = world.load_balancers().targets(&access(), group).await.unwrap();
    targets.into_iter().map(|d| (d.target.to_string(), d.health.state)).collect()
}

fn demo_group(world: &World) -> TargetGroupArn {
    let blue = world.cluster("blue").unwrap();
    let arn = blue.with(|state| {
        let mut bindings = state.bindings(Flavour::LoadBalancerController);
        bindings.next().unwrap().spec.target_group_arn.clone()
    });
    arn.parse().unwrap()
}

#[tokio::test]
async fn the_demo_starts_with_one_lost_target() {
    let world = World::demo(now());
    let group = demo_group(&world);
    assert_eq!(world.now(), now());
    let healthy = |id: &str| (format!("{id}:8080"), HealthState::Healthy);
    assert_eq!(
        states(&world, &group).await,
        ["10.0.12.31", "10.0.140.17", "10.0.151.60", "10.0.79.52"].map(healthy)
    );
    let ledger = |context: &str, name: &str| {
        let cluster = world.cluster(context).unwrap();
        cluster.with(|state| state.ledger_text("web", name).unwrap().to_owned())
    };
    assert_eq!(
        ledger("blue", "aws-lbc-targets-k8s-web-shop-8e21c40f7b"),
        "10.0.12.31:8080,10.0.140.17:8080,10.0.76.84:8080"
    );
    assert_eq!(ledger("green", "aws-lbc-targets-shop-http"), "10.0.151.60:8080,10.0.79.52:8080");
}

#[tokio::test]
async fn the_demo_is_as_product_5_4_says() {
    let world = World::demo(now());
    let group = demo_group(&world);
    let load_balancers = world.load_balancers();
    let arns = std::collections::BTreeSet::from([group.clone()]);
    let found = load_balancers.target_groups(&access(), &arns).await;
    let arn = found[&group].as_ref().unwrap().load_balancer_arns.first().unwrap().clone();
    let attributes = load_balancers.load_balancer_attributes(&access(), &arn).await.unwrap();
    assert_eq!(attributes["deletion_protection.enabled"], "true");
    assert_eq!(attributes["load_balancing.cross_zone.enabled"], "false");
    let listeners = load_balancers.listeners(&access(), &arn).await.unwrap();
    assert_eq!(listeners[0].forwards[0].weights[group.as_str()], 1);
    let tags = load_balancers.tags(&access(), &arns).await;
    assert_eq!(tags[&group].as_ref().unwrap()["elbv2.k8s.aws/cluster"], "blue");
    for (context, generated) in [("blue", true), ("green", false)] {
        let cluster = world.cluster(context).unwrap();
        cluster.with(|state| {
            let binding = state.bindings(Flavour::LoadBalancerController).next().unwrap();
            assert_eq!(binding.owner().is_some(), generated, "{context}");
            assert!(binding.spec.multi_cluster_target_group);
            assert!(state.controllers.is_empty());
        });
    }
}

#[tokio::test]
async fn a_world_that_was_saved_goes_on_where_it_was() {
    let world = World::demo(now());
    let group = demo_group(&world);
    let lost = [registration("10.0.76.84", None)];
    world.load_balancers().register(&access(), &group, &lost).await.unwrap();
    let text = world.save().unwrap();
    let loaded = World::load(&text).unwrap();
    assert_eq!(loaded.save().unwrap(), text);
    let state = |states: Vec<(String, HealthState)>| {
        states.into_iter().find(|(id, _)| id == "10.0.76.84:8080").unwrap().1
    };
    assert_eq!(state(states(&loaded, &group).await), HealthState::Initial);
    loaded.advance_to("2026-11-23T12:02:00Z".parse().unwrap());
    assert_eq!(state(states(&loaded, &group).await), HealthState::Healthy);
    loaded.advance_to(now());
    assert_eq!(loaded.now().to_string(), "2026-11-23T12:02:00Z", "time never goes back");
    let blue = loaded.cluster("blue").unwrap();
    assert_eq!(blue.with(|state| state.now()), loaded.now());
}

#[test]
fn what_is_no_world_is_refused() {
    for text in ["", "{}", "[]", "{\"clusters\":[]}"] {
        assert!(World::load(text).is_err(), "{text}");
    }
}

#[test]
fn equal_worlds_are_equal() {
    assert_eq!(World::demo(now()).save().unwrap(), World::demo(now()).save().unwrap());
}

#[tokio::test]
async fn refusals_are_told_by_what_can_be_done() {
    let world = World::new(now());
    let group = world.add_group("g");
    let load_balancers = world.load_balancers();
    let register = async |id: &str, zone: Option<&str>| {
        load_balancers.register(&access(), &group, &[registration(id, zone)]).await
    };
    assert!(matches!(register("192.168.0.1", None).await, Err(CallError::ZoneNeeded(_))));
    assert!(matches!(register("10.0.0.1", Some("all")).await, Err(CallError::ZoneRefused(_))));
    assert!(matches!(register("203.0.113.1", None).await, Err(CallError::InvalidTarget(_))));
    load_balancers.with(|model| {
        model.edit_group(&group, |group| group.refuses_all_zones = true);
    });
    assert!(matches!(register("192.168.0.1", Some("all")).await, Err(CallError::ZoneRefused(_))));
    load_balancers.with(|model| model.set_limit("targets-per-target-group", 0));
    assert!(matches!(register("10.0.0.1", None).await, Err(CallError::TooManyTargets(_))));
    let gone: TargetGroupArn = format!("{}0", group.as_str()).parse().unwrap();
    let refused =
        load_balancers.register(&access(), &gone, &[registration("10.0.0.1", None)]).await;
    assert!(matches!(refused, Err(CallError::Failed(s)) if s.reason == SilenceReason::NotFound));
}

#[tokio::test]
async fn a_group_that_is_gone_hides_no_other() {
    let world = World::new(now());
    let group = world.add_group("g");
    let gone: TargetGroupArn = format!("{}0", group.as_str()).parse().unwrap();
    let arns = std::collections::BTreeSet::from([group.clone(), gone.clone()]);
    let found = world.load_balancers().target_groups(&access(), &arns).await;
    assert!(found[&group].is_ok());
    assert_eq!(found[&gone].as_ref().unwrap_err().reason, SilenceReason::NotFound);
    let tags = world.load_balancers().tags(&access(), &arns).await;
    assert!(tags[&group].is_ok() && tags[&gone].is_err());
}

#[tokio::test]
async fn a_lost_reply_hides_an_effect() {
    let world = World::new(now());
    let group = world.add_group("g");
    let load_balancers = world.load_balancers();
    load_balancers.fail_next(Operation::RegisterTargets, Fault::after(Trouble::Closed));
    let call = [registration("10.0.0.1", None)];
    let lost = load_balancers.register(&access(), &group, &call).await;
    assert!(matches!(lost, Err(CallError::Failed(s)) if s.reason == SilenceReason::Unreachable));
    assert_eq!(world.registered(&group), ["10.0.0.1:8080"]);
    let operation = Operation::RegisterTargets;
    let expected = [Call { operation, targets: vec![Target::new("10.0.0.1", 8080)] }];
    assert_eq!(load_balancers.calls(), expected);
    for (trouble, reason) in [
        (Trouble::Garbage, SilenceReason::Garbled),
        (Trouble::Silent, SilenceReason::Timeout),
        (Trouble::Refused(ApiError::throttling()), SilenceReason::Throttled),
        (Trouble::Refused(ApiError::expired_token()), SilenceReason::Unauthorized),
        (Trouble::Refused(ApiError::health_unavailable()), SilenceReason::ServerError),
        (Trouble::Refused(ApiError::access_denied("r", "a")), SilenceReason::Forbidden),
    ] {
        load_balancers.fail_next(Operation::DescribeTargetHealth, Fault::before(trouble));
        let silence = load_balancers.targets(&access(), &group).await.unwrap_err();
        assert_eq!(silence.reason, reason);
    }
}

#[tokio::test]
async fn what_was_described_is_deregistered() {
    let world = World::new(now());
    let group = world.add_group("g");
    let load_balancers = world.load_balancers();
    let outside = [registration("192.168.0.1", Some("all"))];
    load_balancers.register(&access(), &group, &outside).await.unwrap();
    let described: Vec<TargetDescription> =
        load_balancers.targets(&access(), &group).await.unwrap();
    load_balancers.deregister(&access(), &group, &described).await.unwrap();
    assert!(world.registered(&group).is_empty());
}

#[tokio::test]
async fn a_denied_role_may_do_nothing() {
    let world = World::new(now());
    let group = world.add_group("g");
    let role = crate::elbv2::Role { arn: "arn:aws:iam::1:role/x".to_owned(), external_id: None };
    world.load_balancers().with(|model| model.deny_role(&role.arn));
    let access = Access { role: Some(role), ..access() };
    let silence = world.load_balancers().targets(&access, &group).await.unwrap_err();
    assert_eq!(silence.reason, SilenceReason::Forbidden);
}

#[tokio::test]
async fn a_run_is_killed_between_any_two_calls() {
    let world = World::new(now());
    let group = world.add_group("g");
    let run = async |world: &World| {
        let load_balancers = world.load_balancers();
        let call = [registration("10.0.0.1", None)];
        load_balancers.register(&access(), &group, &call).await.unwrap();
    };
    assert_eq!(world.steps().run_until(0, run(&world)).await, None);
    assert!(world.registered(&group).is_empty());
    assert_eq!(world.steps().run_until(1, run(&world)).await, None);
    assert_eq!(world.registered(&group), ["10.0.0.1:8080"]);
    assert_eq!(world.steps().run_until(2, run(&world)).await, Some(()));
}

#[tokio::test]
async fn any_call_is_lost_by_its_number() {
    let world = World::new(now());
    let group = world.add_group("g");
    let blue = world.add_cluster("blue");
    let targets = std::collections::BTreeSet::from([Target::new("10.0.0.1", 8080)]);
    let run = async || {
        let identity = blue.identity().await.is_ok();
        let write = blue.write_ledger("web", "l", &targets, None).await.is_ok();
        let call = [registration("10.0.0.1", None)];
        let register = world.load_balancers().register(&access(), &group, &call).await.is_ok();
        (identity, write, register)
    };
    world.steps().lose(0, Strikes::BeforeEffect);
    world.steps().lose(1, Strikes::AfterEffect);
    world.steps().lose(2, Strikes::BeforeEffect);
    assert_eq!(run().await, (false, false, false));
    assert!(blue.with(|state| state.ledger_text("web", "l").is_some()), "written, unheard");
    assert!(world.registered(&group).is_empty());
    assert_eq!(run().await, (true, false, true), "the ledger is there by now");
}
