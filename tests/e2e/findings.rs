//! Findings that rest on what only a real API server can show: CronJobs, schemas, readiness gates, and
//! a controller that skips what it should repair.

use serde_json::{Value, json};

use crate::support::cluster::{Cluster, until};
use crate::support::objects::{binding, condition, controller, ledger, pod, slice};
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, LOST, Shop, cron_job, node_of};
use crate::support::standin::StandIn;

/// The findings of a document with this code.
fn findings<'a>(document: &'a Value, code: &str) -> Vec<&'a Value> {
    let findings = document["findings"].as_array().expect("findings").iter();
    findings.filter(|finding| finding["code"] == code).collect()
}

#[tokio::test]
async fn drift_that_a_live_controller_skips_is_told_and_repaired_by_the_line_beside_it() {
    let shop = Shop::open().await;
    let blue = &shop.pair.blue;
    let standin = StandIn::start(blue, &shop.elbv2).await;
    standin.settled().await;
    // It has been so for long: no difference is young.
    blue.age(&ledger("default", "shop", "")).await;
    blue.age(&binding("default", "shop", "")).await;
    standin.settled().await;
    shop.elbv2.lose(&shop.group, &[LOST]);
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let hidden = findings(&status, "MCTG205");
    assert_eq!(hidden.len(), 1, "{status:#}");
    assert_eq!(hidden[0]["targets"], json!([{ "id": "10.0.76.84", "port": 80 }]));
    let message = hidden[0]["message"].as_str().expect("a message");
    assert!(message.contains("looks again after"), "{message}");
    assert_eq!(findings(&status, "MCTG201"), Vec::<&Value>::new());
    let text = shop.desk.mctg("status").await.ended(1).stdout;
    assert!(text.starts_with("CRITICAL"), "{text}");

    let fix = hidden[0]["fix"].as_str().expect("a line to paste");
    let words = fix.strip_prefix("kubectl mctg ").expect("one of ours");
    shop.desk.mctg(&format!("{words} --yes")).await.ended(0);
    assert!(shop.registered().contains(&LOST.to_owned()));
    shop.desk.mctg("status").await.ended(0);
}

#[tokio::test]
async fn a_controller_that_should_be_at_work_and_is_not_is_critical() {
    let shop = Shop::open().await;
    shop.pair.blue.put(controller("v3.5.0", 2, 0)).await;
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let down = findings(&status, "MCTG303");
    assert_eq!(down.len(), 1, "{status:#}");
    assert_eq!((&down[0]["context"], &down[0]["severity"]), (&json!("blue"), &json!("critical")));
}

#[tokio::test]
async fn a_type_from_before_sharing_is_too_old() {
    let shop = Shop::open().await;
    let old = Cluster::start_bare().await;
    let crd = include_str!("../crds/elbv2.k8s.aws_targetgroupbindings.yaml");
    let mut crd: Value = serde_saphyr::from_str(crd).expect("the CRDs are YAML");
    for version in crd["spec"]["versions"].as_array_mut().expect("versions") {
        let schema = &mut version["schema"]["openAPIV3Schema"];
        let fields = &mut schema["properties"]["spec"]["properties"];
        let removed = fields.as_object_mut().expect("fields").remove("multiClusterTargetGroup");
        assert!(removed.is_some());
    }
    old.install_crd(crd).await;
    let stored = old.create(&binding("default", "shop", shop.group.as_str())).await;
    let stored = stored.expect("the field is dropped, and no error");
    assert_eq!(stored["spec"]["multiClusterTargetGroup"], Value::Null);

    let kubeconfig = shop.pair.kubeconfig().with("old", old.admin());
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    // The API server publishes the schema a moment after it serves the type.
    until("the old type is told", async || {
        let status = desk.mctg("status -o json").await.ended(1).json();
        let told = findings(&status, "MCTG302");
        told.len() == 1 && told[0]["context"] == "old"
    })
    .await;
}

#[tokio::test]
async fn a_cron_job_without_success_for_long_is_told() {
    let shop = Shop::open().await;
    let mut stale = cron_job();
    stale["status"] = json!({ "lastSuccessfulTime": "2026-01-01T06:29:00Z" });
    shop.pair.blue.put(stale.clone()).await;
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let told = findings(&status, "MCTG306");
    assert_eq!(told.len(), 1, "{status:#}");
    assert_eq!(told[0]["context"], "blue");
    let message = told[0]["message"].as_str().expect("a message");
    assert!(message.contains("kube-system/kubectl-mctg"), "{message}");
    assert!(message.contains("2026-01-01 06:29Z"), "{message}");

    stale["spec"]["suspend"] = json!(true);
    shop.pair.blue.put(stale).await;
    let status = shop.desk.mctg("status").await.ended(1).stdout;
    assert!(status.contains("suspended"), "{status}");
}

#[tokio::test]
async fn gates_and_rules_that_no_controller_sees_to_are_told() {
    let shop = Shop::open().await;
    let mut waiting = pod("default", "shop-waits", "10.0.12.99", "node-0");
    let gate = "target-health.elbv2.k8s.aws/shop";
    waiting["spec"]["readinessGates"] = json!([{ "conditionType": gate }]);
    let mut conditions = vec![condition("ContainersReady", "True"), condition("Ready", "False")];
    waiting["status"]["conditions"] = json!(conditions);
    shop.pair.blue.put(waiting.clone()).await;
    let mut pods = vec![waiting.clone()];
    for address in BLUE {
        let last = address.rsplit('.').next().expect("an address");
        pods.push(pod("default", &format!("shop-{last}"), address, node_of(address)));
    }
    let mut slice = slice("default", "shop", &pods);
    slice["endpoints"][0]["conditions"] = json!({ "ready": false });
    shop.pair.blue.put(slice).await;
    let mut asking = binding("default", "shop", shop.group.as_str());
    asking["spec"]["networking"] = json!({ "ingress": [{
        "from": [{ "ipBlock": { "cidr": "10.0.0.0/8" } }],
        "ports": [{ "port": 80, "protocol": "TCP" }],
    }]});
    shop.pair.blue.put(asking).await;
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let gates = findings(&status, "MCTG307");
    assert_eq!(gates.len(), 1, "{status:#}");
    assert_eq!(gates[0]["targets"], json!([{ "id": "10.0.12.99", "port": 80 }]));
    assert_eq!(findings(&status, "MCTG308").len(), 1, "{status:#}");

    conditions.push(condition(gate, "True"));
    waiting["status"]["conditions"] = json!(conditions);
    shop.pair.blue.put(waiting).await;
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    assert_eq!(findings(&status, "MCTG307"), Vec::<&Value>::new());
}
