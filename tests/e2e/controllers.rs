//! Beside a controller: alive, unknown or absent decides what a run does itself.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::cluster::Cluster;
use crate::support::objects::{binding, controller, lease, ledger, pod};
use crate::support::shop::{BLUE, LEFT, LOST, Shop, serve};

const OLD: &str = "2026-01-01T00:00:00.000000Z";

impl Shop {
    /// Puts a controller into both clusters.
    async fn controllers(&self, replicas: u32, ready: u32) {
        for cluster in [&self.pair.blue, &self.pair.green] {
            cluster.put(controller("v3.5.0", replicas, ready)).await;
        }
    }

    /// Lets time pass: no difference is young any more.
    async fn wait(&self) {
        for cluster in [&self.pair.blue, &self.pair.green] {
            cluster.age(&ledger("default", "shop", "")).await;
            cluster.age(&binding("default", "shop", "")).await;
        }
    }
}

/// Leaves the checkpoint that the controller would, computed by itself (`facts/lbc.md` 2.2).
async fn checkpoint(cluster: &Cluster, addresses: &[&str], binding: Value) {
    let mut endpoints = Vec::new();
    for address in addresses {
        let last = address.rsplit('.').next().expect("an address");
        let pod = cluster.get(&pod("default", &format!("shop-{last}"), "", "")).await;
        let created = pod.expect("it is there")["metadata"]["creationTimestamp"].clone();
        let created: jiff::Timestamp = serde_json::from_value(created).expect("a time");
        endpoints.push(format!("{address}:80:{}", created.as_millisecond()));
    }
    endpoints.sort();
    let spec = &binding["spec"];
    let spec = format!(
        r#"{{"targetGroupARN":{},"multiClusterTargetGroup":true,"targetType":"ip","serviceRef":{{"name":"shop","port":80}},"ipAddressType":"ipv4"}}"#,
        spec["targetGroupARN"]
    );
    let hash = |text: &str| URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()));
    let checkpoint = format!("{}/{}", hash(&endpoints.join(",")), hash(&spec));
    let mut binding = binding.clone();
    binding["metadata"]["annotations"] = json!({ "elbv2.k8s.aws/checkpoint": checkpoint });
    cluster.put(binding).await;
}

#[tokio::test]
async fn beside_a_live_controller_only_what_its_checkpoint_covers_is_registered() {
    let shop = Shop::open().await;
    shop.drift().await;
    shop.controllers(2, 2).await;
    let own = binding("default", "shop", shop.group.as_str());
    checkpoint(&shop.pair.blue, &BLUE, own).await;
    shop.wait().await;
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let bindings = &status["targetGroups"][0]["bindings"];
    assert_eq!(bindings[0]["checkpoint"], "current", "{bindings:#}");
    assert_eq!(bindings[1]["checkpoint"], "absent");
    let found = &status["contexts"][0]["controllers"][0];
    assert_eq!(found["kind"], "aws-load-balancer-controller");
    assert_eq!((&found["version"], &found["alive"]), (&json!("v3.5.0"), &json!(true)));

    let diff = shop.desk.mctg("diff --context * -o json").await;
    let run = shop.desk.mctg("reconcile --context * --yes --wait=false -o json").await;
    let bindings = run.ended(0).json()["bindings"].clone();
    assert_eq!(diff.ended(1).json()["dryRun"], true);
    assert_eq!(bindings[0]["via"], "controller", "{bindings:#}");
    assert_eq!(bindings[0]["steps"][0]["action"], "register", "{bindings:#}");
    assert_eq!(bindings[0]["steps"][0]["via"], "direct", "{bindings:#}");
    // The rest is its to do, and it was told to look.
    assert_eq!(bindings[1]["steps"][0]["action"], "nudge", "{bindings:#}");
    assert_eq!(bindings[1]["steps"][0]["via"], "controller", "{bindings:#}");
    assert_eq!(bindings[1]["plan"]["nudge"]["deregister"][0]["id"], "10.0.151.77");
    assert_eq!(bindings[1]["plan"]["nudge"]["verified"], false);
    assert_eq!(shop.elbv2.writes(), [("RegisterTargets".to_owned(), 1)]);
    assert!(shop.registered().contains(&LOST.to_owned()));
    assert!(shop.registered().contains(&LEFT.to_owned()), "the controller's to take out");
}

#[tokio::test]
async fn a_fresh_lease_alone_is_a_live_controller_that_nothing_is_taken_from() {
    let shop = Shop::open().await;
    shop.drift().await;
    #[expect(clippy::disallowed_methods, reason = "the API server's clock is the machine's")]
    let now = jiff::Timestamp::now();
    for cluster in [&shop.pair.blue, &shop.pair.green] {
        cluster.put(lease(&format!("{now:.6}"))).await;
    }
    shop.wait().await;
    let run = shop.desk.mctg("reconcile --context green --yes --wait=false -o json").await;
    for binding in run.ended(0).json()["bindings"].as_array().expect("bindings") {
        assert_eq!(binding["via"], "controller", "{binding:#}");
        assert_eq!(binding["steps"][0]["action"], "nudge", "{binding:#}");
    }
    assert_eq!(shop.elbv2.writes(), []);
}

#[tokio::test]
async fn acting_directly_beside_a_live_controller_takes_force() {
    let shop = Shop::open().await;
    shop.drift().await;
    shop.controllers(1, 1).await;
    shop.wait().await;
    let refused = shop.desk.mctg("reconcile --via direct --yes --context *").await.ended(1);
    let said = format!("{}{}", refused.stdout, refused.stderr);
    assert!(said.contains("--force"), "{said}");
    assert_eq!(shop.elbv2.writes(), []);
    let forced = shop.desk.mctg("reconcile --via direct --force --yes --context *").await.ended(0);
    assert_eq!(shop.elbv2.writes().len(), 2, "{forced:#?}");
    shop.desk.mctg("diff --via direct --force --context *").await.ended(0);
}

#[tokio::test]
async fn a_controller_that_wants_replicas_and_has_none_is_unknown_and_nothing_is_taken_from_it() {
    let shop = Shop::open().await;
    shop.drift().await;
    shop.controllers(2, 0).await;
    let run = shop.desk.mctg("reconcile --context * --yes -o json").await.ended(3).json();
    assert_eq!(run["contexts"][0]["controllers"][0]["alive"], Value::Null, "{run:#}");
    // Without a checkpoint it is not known what it would do itself.
    assert_eq!(shop.elbv2.writes(), []);
    assert!(shop.registered().contains(&LEFT.to_owned()));
    let text = shop.desk.mctg("reconcile --context * --yes").await.ended(3);
    assert!(text.stdout.contains("10.0.151.77"), "{}", text.stdout);
    let refused = shop.desk.mctg("reconcile --via direct --yes --context *").await.ended(1);
    assert!(format!("{}{}", refused.stdout, refused.stderr).contains("--force"));
}

#[tokio::test]
async fn a_controller_scaled_to_nothing_is_absent_and_a_run_acts_in_its_place() {
    let shop = Shop::open().await;
    shop.drift().await;
    shop.controllers(0, 0).await;
    shop.pair.blue.put(lease(OLD)).await;
    let run = shop.desk.mctg("reconcile --context * --yes -o json").await.ended(0).json();
    assert_eq!(run["bindings"][0]["via"], "direct");
    assert_eq!(shop.elbv2.writes().len(), 2);
}

#[tokio::test]
async fn a_difference_that_is_young_is_left_to_a_live_controller() {
    let shop = Shop::open().await;
    shop.controllers(1, 1).await;
    // A pod that just became ready.
    #[expect(clippy::disallowed_methods, reason = "the API server's clock is the machine's")]
    let now = jiff::Timestamp::now().to_string();
    let addresses = [BLUE[0], BLUE[1], BLUE[2], "10.0.76.91"];
    serve(&shop.pair.blue, "shop", &addresses).await;
    let mut fresh = pod("default", "shop-91", "10.0.76.91", "node-1");
    for condition in fresh["status"]["conditions"].as_array_mut().expect("conditions") {
        condition["lastTransitionTime"] = json!(now);
    }
    shop.pair.blue.put(fresh).await;
    let status = shop.desk.mctg("status -o json").await.ended(0).json();
    let binding = &status["targetGroups"][0]["bindings"][0];
    assert_eq!(binding["state"], "pending", "{binding:#}");
    shop.desk.mctg("status").await.ended(0);
    shop.desk.mctg("diff").await.ended(0);
    shop.desk.mctg("reconcile --yes").await.ended(0);
    assert_eq!(shop.elbv2.writes(), []);
    assert!(shop.pair.blue.get(&ledger("default", "shop", "")).await.is_some());
}
