//! What could not be read: nothing is taken out on a guess.

use mctg::sim::elbv2::{ApiError, Operation};

use super::{RUN, message, refused};
use crate::support::cluster::Rule;
use crate::support::kubeconfig::{Kubeconfig, dead_url};
use crate::support::programs::Desk;
use crate::support::shop::Shop;

fn rules() -> Vec<Rule<'static>> {
    let rule = |group, resource, verbs| Rule { group, resource, verbs, namespace: None };
    vec![
        rule("", "services", &["list"]),
        rule("", "nodes", &["list"]),
        rule("", "pods", &["get", "list"]),
        rule("", "configmaps", &["get", "list", "create"]),
        rule("apps", "deployments", &["list"]),
        rule("batch", "cronjobs", &["list"]),
        rule("coordination.k8s.io", "leases", &["list"]),
        rule("discovery.k8s.io", "endpointslices", &["list"]),
        rule("elbv2.k8s.aws", "targetgroupbindings", &["list", "delete"]),
        rule("eks.amazonaws.com", "targetgroupbindings", &["list"]),
    ]
}

fn desk_of(shop: &Shop, green: crate::support::kubeconfig::Access) -> Desk {
    let kubeconfig =
        Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("green", green);
    Desk::new(&kubeconfig).with_elbv2(&shop.elbv2)
}

#[tokio::test]
async fn what_a_user_may_not_read() {
    let shop = Shop::open().await;
    for (resource, check) in [
        ("endpointslices", "Endpoints"),
        ("configmaps", "Note"),
        ("targetgroupbindings", "Cluster"),
    ] {
        let mut rules = rules();
        rules.retain(|rule| rule.resource != resource);
        let desk = desk_of(&shop, shop.pair.green.user(&rules).await);
        let item = refused(&shop, &desk, RUN, 3, check).await;
        let told = message(&item, check);
        assert!(told.contains("forbidden") && told.contains(resource), "{told}");
    }
}

#[tokio::test]
async fn a_cluster_that_does_not_answer() {
    let shop = Shop::open().await;
    let desk = desk_of(&shop, shop.pair.green.admin().at(&dead_url()));
    let item = refused(&shop, &desk, RUN, 3, "Cluster").await;
    assert!(message(&item, "Cluster").starts_with("its cluster could not be read: "), "{item:#}");
    assert_eq!(item["name"], "svc/shop", "as it was asked for");
    let all = desk.mctg("unbind --all -n default --context green --yes").await;
    all.ends(3).says("error: every binding in green was not unbound");
}

#[tokio::test]
async fn targets_that_aws_does_not_list() {
    let shop = Shop::open().await;
    let operation = Operation::DescribeTargetHealth;
    let user = "arn:aws:iam::111122223333:user/ci";
    shop.refuse(operation, &ApiError::access_denied(user, operation.as_str()));
    let item = refused(&shop, &shop.desk, RUN, 3, "Targets").await;
    let told = message(&item, "Targets");
    assert!(told.contains("elasticloadbalancing:DescribeTargetHealth"), "{told}");
}

#[tokio::test]
async fn whether_a_binding_is_gone_where_its_namespace_may_not_be_looked_at() {
    let shop = Shop::open().await;
    shop.desk.mctg(&format!("{RUN} --wait=false")).await.ended(0);
    let mut rules = rules();
    let bindings = |rule: &mut Rule<'static>| {
        if rule.resource == "targetgroupbindings" {
            rule.namespace = Some("kube-system");
        }
    };
    rules.iter_mut().for_each(bindings);
    let green = shop.pair.green.user(&rules).await;
    let kubeconfig = Kubeconfig::default()
        .with("blue", shop.pair.blue.admin())
        .with("green", green)
        .namespace("kube-system");
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    let line = "unbind tgb/shop -n default --context green --yes";
    let item = refused(&shop, &desk, line, 3, "Binding").await;
    let told = message(&item, "Binding");
    assert!(told.contains("forbidden"), "{told}");
}
