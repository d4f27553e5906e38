//! Events on the binding, as `kubectl describe` shows them.

use serde_json::{Value, json};

use crate::support::cluster::{Cluster, Rule};
use crate::support::kubeconfig::{Access, Kubeconfig};
use crate::support::objects::service;
use crate::support::programs::Desk;
use crate::support::shop::{LOST, Shop};

const RUN: &str = "reconcile --yes --wait=false --context blue --events";

/// The binding's events: count, type, reason and message, by reason.
async fn events(desk: &Desk) -> Vec<String> {
    let said = desk.kubectl("get events --context blue -o json").await.ended(0);
    let document = said.json();
    let text = |it: &Value| {
        let [kind, reason, message] = ["type", "reason", "message"].map(|key| it[key].as_str());
        let words = [kind, reason, message].map(|word| word.unwrap_or("nothing"));
        format!("{}x {} {}: {}", it["count"], words[0], words[1], words[2])
    };
    let mut events: Vec<String> =
        document["items"].as_array().expect("a list").iter().map(text).collect();
    events.sort();
    events
}

#[tokio::test]
async fn what_a_run_does_is_described_on_the_binding() {
    let shop = Shop::open().await;
    shop.elbv2.lose(&shop.group, &[LOST]);
    shop.desk.mctg(RUN).await.ends(0);
    let registered =
        format!("1x Normal Registered: registered 1 target in k8s-default-shop: {LOST}");
    assert_eq!(events(&shop.desk).await, [&*registered]);
    let described =
        shop.desk.kubectl("describe targetgroupbindings.elbv2.k8s.aws shop --context blue").await;
    described.says("Registered").says("kubectl-mctg").says(&format!("k8s-default-shop: {LOST}"));

    shop.desk.mctg(RUN).await.ends(0);
    assert_eq!(events(&shop.desk).await, [&*registered], "nothing happened");

    shop.elbv2.lose(&shop.group, &[LOST]);
    shop.desk.mctg(RUN).await.ends(0);
    assert_eq!(events(&shop.desk).await, [registered.replace("1x", "2x")]);
}

#[tokio::test]
async fn what_is_withheld_or_missing_is_a_warning() {
    let shop = Shop::open().await;
    shop.pair.blue.delete(&service("default", "shop", "NodePort")).await;
    let run = RUN.replace(" --yes", "");
    for _ in 0..2 {
        shop.desk.mctg(&run).await.ends(3);
    }
    let events = events(&shop.desk).await;
    let [missing, withheld] = &events[..] else { panic!("{events:#?}") };
    assert_eq!(
        missing,
        "2x Warning BackendNotFound: service `shop` does not exist: the binding desires no target"
    );
    assert!(
        withheld.starts_with("2x Warning BlockedNeedsYes: withheld (needsYes): deregister 10.0."),
        "{withheld}"
    );
}

#[tokio::test]
async fn no_event_is_written_outside_of_a_pod_or_by_a_dry_run_unless_asked_for() {
    let shop = Shop::open().await;
    shop.elbv2.lose(&shop.group, &[LOST]);
    shop.desk.mctg("reconcile --dry-run --context blue --events").await.ends(0);
    shop.desk.mctg("diff --context blue").await.ends(1);
    shop.desk.mctg("reconcile --yes --wait=false --context blue").await.ends(0);
    assert_eq!(events(&shop.desk).await, [""; 0]);
}

/// May do all that a reconcile needs, but for events only what is listed.
async fn access(cluster: &Cluster, verbs: &[&str]) -> Access {
    let read = ["get", "list", "watch"];
    let write = ["get", "list", "create", "patch", "delete"];
    let rule = |group, resource, verbs| Rule { namespace: None, group, resource, verbs };
    let rules = [
        rule("elbv2.k8s.aws", "targetgroupbindings", &read[..]),
        rule("eks.amazonaws.com", "targetgroupbindings", &read),
        rule("", "services", &read),
        rule("", "pods", &read),
        rule("", "nodes", &read),
        rule("", "namespaces", &read),
        rule("", "configmaps", &write),
        rule("discovery.k8s.io", "endpointslices", &read),
        rule("coordination.k8s.io", "leases", &read),
        rule("apps", "deployments", &read),
        rule("batch", "cronjobs", &read),
        rule("", "events", verbs),
    ];
    cluster.user(&rules[..if verbs.is_empty() { rules.len() - 1 } else { rules.len() }]).await
}

#[tokio::test]
async fn an_event_that_may_not_be_written_is_a_warning_and_fails_nothing() {
    let shop = Shop::open().await;
    for verbs in [&[][..], &["get"], &["get", "create", "patch"]] {
        shop.elbv2.lose(&shop.group, &[LOST]);
        let access = access(&shop.pair.blue, verbs).await;
        let kubeconfig =
            Kubeconfig::default().with("blue", access).with("green", shop.pair.green.admin());
        let run = shop.desk_with(&kubeconfig).mctg(&format!("{RUN} -o json")).await;
        run.ends(0);
        assert_eq!(run.json()["complete"], json!(true));
        let warning = "warning: no event `Registered` on blue default/shop: ";
        match verbs.len() {
            3 => run.says_not(warning),
            _ => run.says(warning).says("events"),
        };
    }
    assert_eq!(events(&shop.desk).await.len(), 1);
}
