//! The real SDK against the served model: each operation, refusal and fault.

use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::retry::RetryConfig;
use aws_sdk_elasticloadbalancingv2::config::timeout::TimeoutConfig;
use aws_sdk_elasticloadbalancingv2::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_elasticloadbalancingv2::operation::RequestId;
use aws_sdk_elasticloadbalancingv2::types::{
    LoadBalancerAttribute, TargetDescription, TargetHealthStateEnum,
};

use super::*;
use crate::sim::World;
use crate::target::TargetGroupArn;

struct Scene {
    world: World,
    server: Server,
    client: Client,
    group: TargetGroupArn,
    load_balancer: String,
}

async fn scene() -> Scene {
    let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
    let group = world.add_group("k8s-web-shop");
    let load_balancer = world.load_balancers().with(|model| {
        model.edit_group(&group, |group| {
            group.tags.insert("owner".to_owned(), "<blue> & \"co\"".to_owned());
        });
        let filter = crate::sim::elbv2::LoadBalancerFilter::default();
        let page = model.describe_load_balancers(&filter, &Default::default()).unwrap();
        page.items[0].arn.clone()
    });
    let server = serve(world.load_balancers(), ([127, 0, 0, 1], 0).into()).await.unwrap();
    let client = client(&server, 1);
    Scene { world, server, client, group, load_balancer }
}

fn client(server: &Server, attempts: u32) -> Client {
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(5));
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "tests"))
        .endpoint_url(server.url())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .retry_config(
            RetryConfig::standard()
                .with_max_attempts(attempts)
                .with_initial_backoff(Duration::from_millis(1)),
        )
        .timeout_config(timeouts.build())
        .build();
    Client::from_conf(config)
}

fn target(id: &str) -> TargetDescription {
    TargetDescription::builder().id(id).port(8080).build()
}

/// `Code: message` of a refusal.
fn refusal<E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    answer: Result<impl std::fmt::Debug, SdkError<E, R>>,
) -> String {
    let error = answer.unwrap_err();
    format!("{}: {}", error.code().unwrap_or("-"), error.message().unwrap_or("-"))
}

impl Scene {
    async fn register(&self, ids: &[&str]) {
        let targets = ids.iter().map(|id| target(id)).collect();
        let arn = self.group.as_str();
        let call = self.client.register_targets().target_group_arn(arn);
        call.set_targets(Some(targets)).send().await.unwrap();
    }

    async fn states(&self) -> Vec<(String, TargetHealthStateEnum)> {
        let call = self.client.describe_target_health().target_group_arn(self.group.as_str());
        let answer = call.send().await.unwrap();
        let state = |d: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
            let id = d.target().unwrap().id().unwrap().to_owned();
            (id, d.target_health().unwrap().state().unwrap().clone())
        };
        answer.target_health_descriptions().iter().map(state).collect()
    }
}

#[tokio::test]
async fn targets_are_registered_described_and_deregistered() {
    let scene = scene().await;
    scene.register(&["10.0.0.1", "10.0.64.1"]).await;
    let arn = scene.group.as_str();
    let call = scene.client.describe_target_health().target_group_arn(arn);
    let answer = call.clone().send().await.unwrap();
    assert!(answer.request_id().is_some());
    let first = &answer.target_health_descriptions()[0];
    let described = first.target().unwrap();
    assert_eq!(
        (described.id(), described.port(), described.availability_zone()),
        (Some("10.0.0.1"), Some(8080), Some("us-east-1a"))
    );
    assert_eq!(first.health_check_port(), Some("8080"));
    let health = first.target_health().unwrap();
    assert_eq!(health.state(), Some(&TargetHealthStateEnum::Initial));
    assert_eq!(health.reason().unwrap().as_str(), "Elb.RegistrationInProgress");
    assert_eq!(first.administrative_override().unwrap().state().unwrap().as_str(), "no_override");

    let one = call.targets(target("10.0.9.9")).send().await.unwrap();
    let one = &one.target_health_descriptions()[0];
    let reason = one.target_health().unwrap().reason().unwrap().as_str().to_owned();
    assert_eq!(reason, "Target.NotRegistered");

    scene.world.advance(Duration::from_secs(90));
    let call = scene.client.deregister_targets().target_group_arn(arn);
    call.targets(described.clone()).send().await.unwrap();
    assert_eq!(
        scene.states().await,
        [
            ("10.0.0.1".to_owned(), TargetHealthStateEnum::Draining),
            ("10.0.64.1".to_owned(), TargetHealthStateEnum::Healthy),
        ]
    );
}

#[tokio::test]
async fn more_than_nine_targets_keep_their_numbers() {
    let scene = scene().await;
    let ids: Vec<String> = (0..100).map(|n| format!("10.0.0.{n}")).collect();
    scene.register(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(scene.states().await.len(), 100);
    assert_eq!(scene.server.requests()[0].targets, 100);
    let calls = scene.world.load_balancers().calls();
    assert_eq!(calls[0].targets.len(), 100);
}

#[tokio::test]
async fn groups_and_their_attributes_and_tags_are_described() {
    let scene = scene().await;
    let arn = scene.group.as_str();
    let answer = scene.client.describe_target_groups().target_group_arns(arn).send().await.unwrap();
    let group = &answer.target_groups()[0];
    assert_eq!(group.target_group_arn(), Some(arn));
    assert_eq!(group.target_group_name(), Some("k8s-web-shop"));
    assert_eq!(group.protocol().unwrap().as_str(), "TCP");
    assert_eq!((group.port(), group.vpc_id()), (Some(80), Some(crate::sim::world::VPC)));
    assert_eq!(group.target_type().unwrap().as_str(), "ip");
    assert_eq!(group.ip_address_type().unwrap().as_str(), "ipv4");
    assert_eq!(group.load_balancer_arns(), std::slice::from_ref(&scene.load_balancer));

    let call = scene.client.describe_target_group_attributes().target_group_arn(arn);
    let attributes = call.send().await.unwrap();
    let delay = attributes
        .attributes()
        .iter()
        .find(|a| a.key() == Some("deregistration_delay.timeout_seconds"));
    assert_eq!(delay.unwrap().value(), Some("300"));

    let call = scene.client.describe_tags().resource_arns(arn);
    let tags = call.resource_arns(&scene.load_balancer).send().await.unwrap();
    let tags = tags.tag_descriptions();
    assert_eq!((tags.len(), tags[0].resource_arn()), (2, Some(arn)));
    assert_eq!(tags[0].tags()[0].value(), Some("<blue> & \"co\""));
}

#[tokio::test]
async fn load_balancers_listeners_and_rules_are_described() {
    let scene = scene().await;
    let arn = scene.load_balancer.as_str();
    let answer =
        scene.client.describe_load_balancers().load_balancer_arns(arn).send().await.unwrap();
    let load_balancer = &answer.load_balancers()[0];
    assert_eq!(load_balancer.load_balancer_name(), Some("k8s-web-shop"));
    assert!(load_balancer.dns_name().unwrap().ends_with(".elb.us-east-1.amazonaws.com"));
    assert_eq!(load_balancer.scheme().unwrap().as_str(), "internet-facing");
    assert_eq!(load_balancer.r#type().unwrap().as_str(), "network");
    assert_eq!(load_balancer.state().unwrap().code().unwrap().as_str(), "active");
    let zones: Vec<_> =
        load_balancer.availability_zones().iter().filter_map(|z| z.zone_name()).collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1b", "us-east-1c"]);

    let call = scene.client.describe_listeners().load_balancer_arn(arn);
    let listeners = call.send().await.unwrap();
    let listener = &listeners.listeners()[0];
    assert_eq!((listener.port(), listener.protocol().unwrap().as_str()), (Some(80), "TCP"));
    let action = &listener.default_actions()[0];
    assert_eq!(action.target_group_arn(), Some(scene.group.as_str()));
    let tuple = &action.forward_config().unwrap().target_groups()[0];
    assert_eq!((tuple.target_group_arn(), tuple.weight()), (Some(scene.group.as_str()), Some(1)));

    let listener_arn = listener.listener_arn().unwrap();
    scene.world.load_balancers().with(|model| {
        model.create_rule(listener_arn, 5, &[(&scene.group, 0)]).unwrap();
    });
    let rules = scene.client.describe_rules().listener_arn(listener_arn).send().await.unwrap();
    let rules: Vec<_> = rules.rules().iter().map(|r| (r.priority(), r.is_default())).collect();
    assert_eq!(rules, [(Some("5"), Some(false)), (Some("default"), Some(true))]);
}

#[tokio::test]
async fn load_balancer_attributes_are_modified() {
    let scene = scene().await;
    let arn = scene.load_balancer.as_str();
    let on = LoadBalancerAttribute::builder().key("deletion_protection.enabled").value("true");
    let call = scene.client.modify_load_balancer_attributes().load_balancer_arn(arn);
    let answer = call.attributes(on.build()).send().await.unwrap();
    assert!(answer.attributes().len() > 1);
    let call = scene.client.describe_load_balancer_attributes().load_balancer_arn(arn);
    let answer = call.send().await.unwrap();
    let protection =
        answer.attributes().iter().find(|a| a.key() == Some("deletion_protection.enabled"));
    assert_eq!(protection.unwrap().value(), Some("true"));
}

#[tokio::test]
async fn account_limits_are_described() {
    let scene = scene().await;
    let limits = scene.client.describe_account_limits().send().await.unwrap();
    let limit = limits.limits().iter().find(|l| l.name() == Some("targets-per-target-group"));
    assert_eq!(limit.unwrap().max(), Some("1000"));
}

#[tokio::test]
async fn paginators_read_every_page() {
    let scene = scene().await;
    scene.world.load_balancers().with(|model| model.settings.page_size_max = 2);
    for n in 0..4 {
        scene.world.add_group(&format!("g{n}"));
    }
    let mut groups = scene.client.describe_target_groups().into_paginator().items().send();
    let mut names = Vec::new();
    while let Some(group) = groups.next().await {
        names.push(group.unwrap().target_group_name().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["g0", "g1", "g2", "g3", "k8s-web-shop"]);
    assert_eq!(scene.server.count(Operation::DescribeTargetGroups), 3);
    let load_balancers = scene.client.describe_load_balancers().into_paginator().items().send();
    assert_eq!(load_balancers.collect::<Result<Vec<_>, _>>().await.unwrap().len(), 5);
    let limits = scene.client.describe_account_limits().into_paginator().items().send();
    assert_eq!(limits.collect::<Result<Vec<_>, _>>().await.unwrap().len(), 7);
}

#[tokio::test]
async fn refusals_carry_code_message_and_request_id() {
    let scene = scene().await;
    let gone = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/a/0123456789abcdef";
    let answer = scene.client.describe_target_groups().target_group_arns(gone).send().await;
    let error = answer.unwrap_err();
    assert!(error.request_id().is_some());
    assert!(error.as_service_error().unwrap().is_target_group_not_found_exception());
    assert_eq!(error.code(), Some("TargetGroupNotFound"));

    let foreign = gone.replace("us-east-1", "eu-west-1");
    let call = scene.client.describe_target_health().target_group_arn(&foreign);
    assert_eq!(
        refusal(call.send().await),
        format!("ValidationError: '{foreign}' is not a valid target group ARN")
    );

    let call = scene.client.register_targets().target_group_arn(scene.group.as_str());
    assert!(
        refusal(call.clone().targets(target("192.168.0.1")).send().await)
            .contains("since the IP address '192.168.0.1' is outside the VPC")
    );
    let port = TargetDescription::builder().id("10.0.0.1").port(70_000).build();
    assert!(refusal(call.clone().targets(port).send().await).starts_with("ValidationError"));
    assert!(
        refusal(call.clone().set_targets(Some(Vec::new())).send().await)
            .starts_with("ValidationError")
    );
    scene.world.load_balancers().with(|model| model.set_limit("targets-per-target-group", 0));
    let error = call.targets(target("10.0.0.1")).send().await.unwrap_err();
    assert!(error.as_service_error().unwrap().is_too_many_targets_exception());

    let call = scene.client.describe_load_balancers().load_balancer_arns("nope");
    assert!(refusal(call.send().await).starts_with("ValidationError"));
}

#[tokio::test]
async fn scripted_refusals_have_their_status_and_code() {
    let scene = scene().await;
    let call = || scene.client.describe_target_health().target_group_arn(scene.group.as_str());
    for (status, code) in [
        (400, "Throttling"),
        (429, "TooManyRequestsException"),
        (500, "HealthUnavailable"),
        (503, "ServiceUnavailable"),
        (403, "ExpiredToken"),
    ] {
        let error = ApiError::new(status, code, "as scripted");
        scene
            .server
            .fail_next(Operation::DescribeTargetHealth, Fault::before(Trouble::Refused(error)));
        let error = call().send().await.unwrap_err();
        assert_eq!(error.raw_response().unwrap().status().as_u16(), status);
        assert_eq!((error.code(), error.message()), (Some(code), Some("as scripted")));
    }
    call().send().await.unwrap();
}

#[tokio::test]
async fn a_connection_is_closed_before_or_after_the_effect() {
    let scene = scene().await;
    let call = || {
        let call = scene.client.register_targets().target_group_arn(scene.group.as_str());
        call.targets(target("10.0.0.1")).send()
    };
    let fail = |fault| scene.server.fail_next(Operation::RegisterTargets, fault);
    fail(Fault::before(Trouble::Closed));
    assert!(matches!(call().await.unwrap_err(), SdkError::DispatchFailure(_)));
    assert!(scene.world.registered(&scene.group).is_empty());
    fail(Fault::after(Trouble::Closed));
    assert!(matches!(call().await.unwrap_err(), SdkError::DispatchFailure(_)));
    assert_eq!(scene.world.registered(&scene.group), ["10.0.0.1:8080"]);
    call().await.unwrap();
}

#[tokio::test]
async fn garbage_is_no_answer() {
    let scene = scene().await;
    scene.server.fail_next(Operation::DescribeTargetHealth, Fault::before(Trouble::Garbage));
    let call = scene.client.describe_target_health().target_group_arn(scene.group.as_str());
    let answer = call.send().await;
    assert!(
        matches!(answer, Err(SdkError::ResponseError(_) | SdkError::ServiceError(_))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn an_answer_may_be_late_or_never_come() {
    let scene = scene().await;
    let call = scene.client.describe_target_health().target_group_arn(scene.group.as_str());
    let late = Fault::before(Trouble::Late(Duration::from_millis(5)));
    scene.server.fail_next(Operation::DescribeTargetHealth, late);
    call.clone().send().await.unwrap();
    scene.server.fail_next(Operation::DescribeTargetHealth, Fault::after(Trouble::Silent));
    let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_millis(50)).build();
    let hasty =
        call.customize().config_override(Config::builder().timeout_config(timeouts)).send().await;
    assert!(matches!(hasty, Err(SdkError::TimeoutError(_))), "{hasty:?}");
}

#[tokio::test]
async fn the_sdk_retries_what_is_throttled_and_each_attempt_is_logged() {
    let scene = scene().await;
    let client = client(&scene.server, 3);
    for _ in 0..2 {
        let throttled = Trouble::Refused(ApiError::throttling());
        scene.server.fail_next(Operation::DescribeTags, Fault::before(throttled));
    }
    client.describe_tags().resource_arns(scene.group.as_str()).send().await.unwrap();
    let requests = scene.server.requests();
    assert_eq!(requests.len(), 3);
    let first = &requests[0];
    assert_eq!(first.action, "DescribeTags");
    assert_eq!(first.region.as_deref(), Some("us-east-1"));
    assert_eq!(first.access_key.as_deref(), Some("AKIDEXAMPLE"));
    assert!(first.user_agent.as_deref().is_some_and(|agent| agent.contains("aws-sdk-rust")));
}

#[tokio::test]
async fn time_follows_a_clock_that_is_handed_in() {
    let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
    let later: Timestamp = "2026-01-01T01:00:00Z".parse().unwrap();
    let address = ([127, 0, 0, 1], 0).into();
    let server = serve_by(world.load_balancers(), address, move || later).await.unwrap();
    client(&server, 1).describe_account_limits().send().await.unwrap();
    assert_eq!(world.now(), later);
}

#[tokio::test]
async fn a_dropped_server_answers_nobody() {
    let scene = scene().await;
    let client = client(&scene.server, 1);
    let url = scene.server.url();
    drop(scene.server);
    let failed = client.describe_account_limits().send().await;
    assert!(failed.is_err(), "something still answers at {url}");
}
