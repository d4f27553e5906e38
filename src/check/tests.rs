//! `check` on simulated clusters: each line, and what it takes to pass.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::binding::Flavour;
use crate::facts::{Aliveness, Controller, Silence, SilenceReason, Webhook};
use crate::sim::cluster::{ClusterState, NewBinding, Part, Request};
use crate::sim::elbv2::{ApiError, Operation};
use crate::sim::faults::Fault;
use crate::sim::{Cluster, Trouble, World};

fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

fn controller(version: &str) -> Controller {
    Controller {
        flavour: Flavour::LoadBalancerController,
        version: Some(version.to_owned()),
        alive: Aliveness::Alive,
        is_down: false,
        evidence: "Lease renewed 4 s ago".to_owned(),
        cluster_name: None,
        watch_namespace: None,
        leads_since: None,
        max_targets: None,
        sync_period: None,
        differs: Vec::new(),
    }
}

/// A cluster with a controller, its webhook and one shared group.
fn healthy() -> (World, Cluster) {
    let world = World::new(now());
    let group = world.add_group("k8s-web-shop");
    let blue = world.add_cluster("blue");
    blue.share("web", "shop", &["10.0.0.11"], &group);
    blue.with(|state| {
        state.controllers.push(controller("v3.5.0"));
        state.webhook = Webhook::Served;
    });
    (world, blue)
}

async fn run(world: &World, options: &Options) -> Check {
    check(&world.clusters(), &world.load_balancers(), options, &|| world.now()).await
}

/// What did not pass: code and verdict.
fn wrong(report: &Check) -> Vec<String> {
    let wrong = report.results.iter().filter(|it| it.verdict != Verdict::Passed);
    wrong.map(|it| format!("{} {}", it.code, it.verdict.as_str())).collect()
}

async fn with(change: impl FnOnce(&mut ClusterState)) -> Check {
    let (world, blue) = healthy();
    blue.with(change);
    run(&world, &Options::default()).await
}

fn message<'a>(report: &'a Check, code: &str) -> &'a CheckResult {
    report.results.iter().find(|it| it.code == code).unwrap()
}

#[tokio::test]
async fn a_healthy_cluster_passes_every_check() {
    let report = with(|_| {}).await;
    assert_eq!(wrong(&report), [""; 0], "{:#?}", report.results);
    assert!(report.complete && report.findings.is_empty());
    let codes: Vec<_> = report.results.iter().map(|it| &it.code[4..]).collect();
    let all =
        ["601", "602", "603", "604", "605", "606", "607", "607", "607", "609", "610", "611", "612"];
    assert_eq!(codes, all);
}

#[tokio::test]
async fn nothing_is_changed_by_checking() {
    let (world, blue) = healthy();
    let before = blue.with(|state| state.clone());
    run(&world, &Options::default()).await;
    assert_eq!(blue.with(|state| state.clone()), before);
}

#[tokio::test]
async fn a_context_that_does_not_answer_is_one_line_and_leaves_the_report_incomplete() {
    let (world, blue) = healthy();
    blue.silence(Part::Everything, Silence::new(SilenceReason::Timeout, "no answer in 10 s"));
    let report = run(&world, &Options::default()).await;
    assert_eq!(wrong(&report), ["MCTG601 failed"]);
    assert_eq!(report.results.len(), 1);
    assert!(!report.complete);
    assert_eq!(report.findings[0].code, "MCTG901");
}

#[tokio::test]
async fn a_type_that_is_missing_or_too_old_fails_with_the_command_that_mends_it() {
    let missing = with(|state| state.is_without_type = true).await;
    assert_eq!(wrong(&missing), ["MCTG602 failed"]);
    let old = with(|state| state.has_flag = false).await;
    assert_eq!(wrong(&old), ["MCTG602 failed"]);
    let hint = message(&old, "MCTG602").hint.clone().unwrap();
    assert!(hint.starts_with("kubectl --context blue apply --server-side"), "{hint}");
}

#[tokio::test]
async fn a_controller_that_is_absent_is_a_warning_and_before_a_binding_a_failure() {
    assert_eq!(wrong(&with(|state| state.controllers.clear()).await), ["MCTG603 warning"]);
    let (world, blue) = healthy();
    blue.with(|state| state.controllers.clear());
    let pre = Options { pre: true, ..Options::default() };
    assert_eq!(wrong(&run(&world, &pre).await), ["MCTG603 failed"]);
}

#[tokio::test]
async fn a_controller_that_is_too_old_or_down_fails() {
    let old = with(|state| state.controllers[0].version = Some("v2.9.2".to_owned())).await;
    assert_eq!(wrong(&old), ["MCTG603 failed"]);
    let down = with(|state| {
        let controller = &mut state.controllers[0];
        (controller.alive, controller.is_down) = (Aliveness::Unknown, true);
    });
    assert_eq!(wrong(&down.await), ["MCTG603 failed"]);
    let unsure = with(|state| state.controllers[0].alive = Aliveness::Unknown).await;
    assert_eq!(wrong(&unsure), ["MCTG603 unknown"]);
    assert!(!unsure.complete);
}

#[tokio::test]
async fn flags_that_matter_are_a_warning() {
    let watches = with(|state| state.controllers[0].watch_namespace = Some("other".to_owned()));
    assert_eq!(wrong(&watches.await), ["MCTG604 warning"]);
    let own = with(|state| state.controllers[0].watch_namespace = Some("web".to_owned())).await;
    assert_eq!(wrong(&own), [""; 0]);
    let other = with(|state| state.controllers[0].cluster_name = Some("green".to_owned())).await;
    assert_eq!(wrong(&other), ["MCTG604 warning"], "EKS calls it blue");
}

#[tokio::test]
async fn two_controllers_of_one_cluster_name_are_a_warning_in_both() {
    let (world, blue) = healthy();
    let green = world.add_cluster("green");
    for cluster in [&blue, &green] {
        cluster.with(|state| {
            state.controllers = vec![controller("v3.5.0")];
            state.controllers[0].cluster_name = Some("blue".to_owned());
        });
    }
    let report = run(&world, &Options::default()).await;
    let flags = report.results.iter().filter(|it| it.code == "MCTG604");
    let told: Vec<_> = flags.map(|it| it.message.contains("has the same --cluster-name")).collect();
    assert_eq!(told, [true, true]);
}

#[tokio::test]
async fn known_bugs_are_told_where_they_matter() {
    let report = with(|state| state.controllers[0].version = Some("v2.17.1".to_owned())).await;
    assert_eq!(wrong(&report), ["MCTG605 warning"]);
    assert!(message(&report, "MCTG605").message.contains("#4544"));
    let fixed = with(|state| state.controllers[0].version = Some("v3.4.3".to_owned())).await;
    assert_eq!(wrong(&fixed), [""; 0]);
}

#[tokio::test]
async fn a_webhook_with_nobody_behind_it_fails() {
    let report = with(|state| state.webhook = Webhook::Unserved("nobody".to_owned())).await;
    assert_eq!(wrong(&report), ["MCTG606 failed"]);
}

#[tokio::test]
async fn what_a_user_may_not_do_is_named_verb_by_verb() {
    let deny = |rule: &str| {
        let rule = (String::new(), rule.to_owned());
        with(move |state| {
            state.denied.insert(rule);
        })
    };
    let writes = deny("configmaps:patch").await;
    assert_eq!(wrong(&writes), ["MCTG607 warning"]);
    let line = &writes.findings[0].message;
    assert!(
        line.contains("may not run reconcile. Missing: patch configmaps in namespace web"),
        "{line}"
    );
    let reads = deny("nodes:list").await;
    assert_eq!(wrong(&reads), ["MCTG607 failed", "MCTG607 warning", "MCTG607 warning"]);
    let optional = deny("cronjobs.batch:list").await;
    assert_eq!(wrong(&optional), [""; 0]);
    assert!(message(&optional, "MCTG607").message.contains("Done without: list cronjobs.batch"));
}

#[tokio::test]
async fn a_service_account_is_checked_beside_the_user() {
    let (world, blue) = healthy();
    let denied = ("kube-system/mctg".to_owned(), "configmaps:create".to_owned());
    blue.with(|state| state.denied.insert(denied));
    let service_account = Some("kube-system/mctg".parse().unwrap());
    let options = Options { service_account, ..Options::default() };
    assert_eq!(wrong(&run(&world, &options).await), ["MCTG608 failed"]);
    let service_account = Some("kube-system/other".parse().unwrap());
    let options = Options { service_account, ..Options::default() };
    assert_eq!(wrong(&run(&world, &options).await), [""; 0]);
}

#[tokio::test]
async fn a_cluster_where_nothing_is_bound_passes_with_pre_only() {
    let world = World::new(now());
    world.add_cluster("blue").with(|state| state.controllers.push(controller("v3.5.0")));
    assert_eq!(wrong(&run(&world, &Options::default()).await), ["MCTG609 warning"]);
    let pre = Options { pre: true, ..Options::default() };
    assert_eq!(wrong(&run(&world, &pre).await), [""; 0]);
}

#[tokio::test]
async fn the_call_that_aws_refuses_is_named() {
    let (world, _) = healthy();
    let action = "elasticloadbalancing:DescribeTargetHealth";
    let refusal = Trouble::Refused(ApiError::access_denied("role", action));
    world.load_balancers().fail_next(Operation::DescribeTargetHealth, Fault::before(refusal));
    let report = run(&world, &Options::default()).await;
    assert_eq!(wrong(&report), ["MCTG611 failed"]);
    let message = &report.findings[0].message;
    assert!(message.contains("elasticloadbalancing:DescribeTargetHealth"), "{message}");
}

#[tokio::test]
async fn clocks_that_are_apart_are_a_warning_and_far_apart_a_failure() {
    let ahead = |seconds: i64| with(move |it| it.clock_ahead = SignedDuration::from_secs(seconds));
    assert_eq!(wrong(&ahead(20).await), [""; 0]);
    assert_eq!(wrong(&ahead(-90).await), ["MCTG612 warning"]);
    assert_eq!(wrong(&ahead(400).await), ["MCTG612 failed"]);
}

#[tokio::test]
async fn permissions_are_asked_in_few_questions() {
    let (world, blue) = healthy();
    let group = world.add_group("k8s-web-more");
    for number in 0..200 {
        let name = format!("more-{number}");
        blue.with(|state| state.bind(&NewBinding::new("web", &name, "shop", &group)));
    }
    blue.clear_calls();
    run(&world, &Options::default()).await;
    assert_eq!(blue.count(Request::May), 1, "all is granted over the whole cluster");
}
