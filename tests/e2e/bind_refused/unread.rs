//! What could not be read or may not be written: it is named, and nothing is bound on a guess.

use mctg::sim::elbv2::{ApiError, Operation};
use serde_json::{Value, json};

use super::{by_arn, desk_of, message, refused, still};
use crate::bind::{FROM, open_binding};
use crate::enable::everything;
use crate::support::cluster::Rule;
use crate::support::kubeconfig::{Kubeconfig, dead_url};
use crate::support::objects::binding;
use crate::support::programs::Desk;
use crate::support::shop::Shop;
use crate::support::sts::Sts;

/// All that `bind` reads in the cluster it writes to, and no write.
pub(super) fn rules() -> Vec<Rule<'static>> {
    let rule = |group, resource, verbs| Rule { group, resource, verbs, namespace: None };
    vec![
        rule("", "services", &["get", "list"]),
        rule("", "nodes", &["list"]),
        rule("", "pods", &["get", "list"]),
        rule("", "configmaps", &["get", "list"]),
        rule("apps", "deployments", &["list"]),
        rule("batch", "cronjobs", &["list"]),
        rule("coordination.k8s.io", "leases", &["list"]),
        rule("discovery.k8s.io", "endpointslices", &["list"]),
        rule("elbv2.k8s.aws", "targetgroupbindings", &["get", "list"]),
        rule("eks.amazonaws.com", "targetgroupbindings", &["list"]),
        rule("apiextensions.k8s.io", "customresourcedefinitions", &["get"]),
        rule("admissionregistration.k8s.io", "validatingwebhookconfigurations", &["list"]),
        rule("admissionregistration.k8s.io", "mutatingwebhookconfigurations", &["list"]),
    ]
}

#[tokio::test]
async fn what_a_user_may_not_read() {
    let shop = Shop::new().await;
    still(&shop).await;
    for (resource, check) in [("services", "Service"), ("endpointslices", "Endpoints")] {
        let mut rules = rules();
        rules.retain(|rule| rule.resource != resource);
        let desk = desk_of(&shop, shop.pair.green.user(&rules).await);
        let item = refused(&shop, &desk, FROM, 3, ("unknown", check)).await;
        let told = message(&item, check);
        assert!(told.contains("forbidden") && told.contains(resource), "{told}");
    }
}

#[tokio::test]
async fn what_a_user_may_not_write_fails_and_leaves_the_world_as_it_was() {
    let shop = Shop::new().await;
    still(&shop).await;
    let desk = desk_of(&shop, shop.pair.green.user(&rules()).await);
    let before = everything(&shop).await;
    let report = desk.mctg(&format!("{FROM} -o json")).await.ended(3).json();
    let item = &report["items"][0];
    assert_eq!(
        (&item["outcome"], &item["steps"][0]["result"]),
        (&json!("failed"), &json!("failed"))
    );
    let text = desk.mctg(FROM).await;
    text.ends(3).says("forbidden").says("Nothing was changed");
    desk.mctg(&format!("{FROM} --dry-run=server")).await.ends(3).says("forbidden");
    assert_eq!(everything(&shop).await, before);
}

#[tokio::test]
async fn a_group_that_aws_does_not_tell_about() {
    let shop = Shop::new().await;
    still(&shop).await;
    let operation = Operation::DescribeTargetGroups;
    let user = "arn:aws:iam::111122223333:user/ci";
    shop.refuse(operation, &ApiError::access_denied(user, operation.as_str()));
    let item = refused(&shop, &shop.desk, FROM, 3, ("unknown", "AwsUnreadable")).await;
    let told = message(&item, "AwsUnreadable");
    assert!(told.contains("elasticloadbalancing:DescribeTargetGroups"), "{told}");
}

#[tokio::test]
async fn a_load_balancer_whose_security_groups_aws_does_not_tell() {
    let shop = Shop::new().await;
    still(&shop).await;
    shop.pair.blue.delete(&open_binding("shop", &shop.group)).await;
    let operation = Operation::DescribeLoadBalancers;
    let user = "arn:aws:iam::111122223333:user/ci";
    shop.refuse(operation, &ApiError::access_denied(user, operation.as_str()));
    let line =
        format!("bind svc/shop -n default --context green --target-group-arn {}", shop.group);
    let item = refused(&shop, &shop.desk, &line, 3, ("unknown", "Sources")).await;
    let told = message(&item, "Sources");
    assert!(told.contains("elasticloadbalancing:DescribeLoadBalancers"), "{told}");
}

#[tokio::test]
async fn a_role_that_may_not_be_assumed() {
    let shop = Shop::new().await;
    still(&shop).await;
    let sts = Sts::strict().await;
    let desk = desk_of(&shop, shop.pair.green.admin()).set("AWS_ENDPOINT_URL_STS", sts.url());
    let role = "arn:aws:iam::111122223333:role/shop";
    let group = shop.elbv2.group("theirs");
    let line = format!("{} --assume-role-arn {role} --external-id four", by_arn(&group));
    let item = refused(&shop, &desk, &line, 3, ("unknown", "AwsUnreadable")).await;
    let told = message(&item, "AwsUnreadable");
    assert!(told.contains(role) && told.contains("AccessDenied"), "{told}");
    assert!(sts.asked().iter().all(|it| it.contains("ExternalId=four")), "{:?}", sts.asked());
}

/// A machine on which one of the two contexts leads nowhere.
fn without(shop: &Shop, context: &str) -> Desk {
    let access = |name: &str, cluster: &crate::support::cluster::Cluster| match name == context {
        true => cluster.admin().at(&dead_url()),
        false => cluster.admin(),
    };
    let kubeconfig = Kubeconfig::default()
        .with("blue", access("blue", &shop.pair.blue))
        .with("green", access("green", &shop.pair.green));
    Desk::new(&kubeconfig).with_elbv2(&shop.elbv2)
}

#[tokio::test]
async fn the_context_that_is_written_to_or_taken_from() {
    let shop = Shop::new().await;
    still(&shop).await;
    let desk = without(&shop, "green");
    let report = desk.mctg(&format!("{FROM} -o json")).await.ended(3).json();
    let told: Vec<&str> = refusals(&report);
    assert!(told.contains(&"ContextUnreachable"), "{report:#}");
    assert!(!report.to_string().contains("does not exist"), "silence is not emptiness: {report:#}");

    let desk = without(&shop, "blue");
    let item = refused(&shop, &desk, FROM, 3, ("unknown", "ContextUnreachable")).await;
    let told = message(&item, "ContextUnreachable");
    assert!(told.starts_with("what blue shares is not known: "), "{told}");
    assert!(
        !item.to_string().contains("binds no target group"),
        "silence is not emptiness: {item:#}"
    );
    let all = desk.mctg("bind -A --from blue --context green").await;
    all.ends(3).says("error: what blue shares is not known: ");
    assert_eq!(shop.pair.green.list(&binding("default", "", "")).await, Vec::<Value>::new());
}

fn refusals(report: &Value) -> Vec<&str> {
    let checks = report["items"][0]["checks"].as_array().expect("checks").iter();
    let refuses = |it: &&Value| it["verdict"] == "refused" || it["verdict"] == "unknown";
    checks.filter(refuses).filter_map(|it| it["name"].as_str()).collect()
}
