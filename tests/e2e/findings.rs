//! Findings that rest on what only a real API server can show: CronJobs, schemas, readiness gates, and
//! a controller that skips what it should repair; and of the load balancers', as the wire tells them,
//! with the lines beside them pasted.

use mctg::sim::Trouble;
use mctg::sim::elbv2::{ApiError, LoadBalancerFilter, Operation, Paging};
use mctg::sim::faults::Fault;
use serde_json::{Value, json};

use crate::support::cluster::{Cluster, until};
use crate::support::elbv2::Elbv2;
use crate::support::objects::{binding, condition, controller, ledger, pod, slice};
use crate::support::programs::Desk;
use crate::support::servers::programs;
use crate::support::shop::{BLUE, GREEN, LOST, Shop, cron_job, node_of};
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

/// The codes of what is worse than good to know.
fn serious(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().expect("findings").iter();
    let serious = findings.filter(|finding| finding["severity"] != "info");
    serious.filter_map(|finding| finding["code"].as_str()).collect()
}

/// Pastes a line of kubectl into a shell.
async fn paste(shop: &Shop, line: &str) {
    let rest = line.strip_prefix("kubectl ").expect("a line of kubectl");
    let line = format!("{} {rest}", programs().kubectl.display());
    shop.desk.start("/bin/sh".as_ref(), ["-c", &line]).finish().await.ended(0);
}

/// The only load balancer there is.
fn load_balancer(elbv2: &Elbv2) -> String {
    let found = elbv2.with(|model| {
        model.describe_load_balancers(&LoadBalancerFilter::default(), &Paging::default())
    });
    let mut found = found.expect("all of them").items;
    assert_eq!(found.len(), 1);
    found.remove(0).arn
}

#[tokio::test]
async fn a_group_whose_load_balancer_was_deleted_is_told_once() {
    let shop = Shop::open().await;
    let arn = load_balancer(&shop.elbv2);
    shop.elbv2.with(|model| model.delete_load_balancer(&arn)).expect("it is not protected");
    let run = shop.desk.mctg("status").await.ended(1);
    assert!(run.stdout.starts_with("CRITICAL"), "{}", run.stdout);
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let told = findings(&status, "MCTG401");
    assert_eq!(told.len(), 1, "{status:#}");
    assert_eq!(told[0]["targetGroupArn"], shop.group.as_str());
    assert_eq!(serious(&status), ["MCTG401"], "the rest follows");
}

#[tokio::test]
async fn a_zone_that_was_taken_off_the_load_balancer_is_told_with_its_targets() {
    let shop = Shop::open().await;
    let arn = load_balancer(&shop.elbv2);
    shop.elbv2.with(|model| {
        model.edit_load_balancer(&arn, |it| assert!(it.zones.remove("us-east-1c").is_some()));
    });
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let told = findings(&status, "MCTG405");
    assert_eq!(told.len(), 1, "{status:#}");
    let ids: Vec<_> =
        told[0]["targets"].as_array().expect("a list").iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, [BLUE[2], GREEN[1]]);
    let message = told[0]["message"].as_str().expect("a message");
    assert!(message.starts_with("2 targets of blue, green get no traffic"), "{message}");
    assert!(message.ends_with("It serves us-east-1a, us-east-1b."), "{message}");
}

#[tokio::test]
async fn copied_stack_labels_and_rules_without_ports_are_mended_by_the_lines_beside_them() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    let mut named = controller("v3.5.0", 1, 1);
    named["spec"]["template"]["spec"]["containers"][0]["args"] =
        json!(["--cluster-name=green-eks"]);
    green.put(named).await;
    shop.elbv2.with(|model| {
        model.edit_group(&shop.group, |group| {
            group.tags.insert("elbv2.k8s.aws/cluster".to_owned(), "blue-eks".to_owned());
        });
    });
    let mut copied = binding("default", "shop", shop.group.as_str());
    copied["metadata"]["labels"] = json!({
        "service.k8s.aws/stack-namespace": "default",
        "service.k8s.aws/stack-name": "shop",
        "app": "shop",
    });
    green.put(copied.clone()).await;
    let mut open = binding("default", "shop", shop.group.as_str());
    open["spec"]["networking"] = json!({ "ingress": [
        { "from": [{ "ipBlock": { "cidr": "10.0.0.0/8" } }], "ports": [] },
    ]});
    shop.pair.blue.put(open.clone()).await;

    let status = shop.desk.mctg("status -o json").await.json();
    let fix = |code: &str| {
        let told = findings(&status, code);
        assert_eq!(told.len(), 1, "{code}: {status:#}");
        told[0]["fix"].as_str().expect("a line to paste").to_owned()
    };
    paste(&shop, &fix("MCTG105")).await;
    paste(&shop, &fix("MCTG109")).await;
    let stored = green.get(&copied).await.expect("it is there");
    assert_eq!(stored["metadata"]["labels"], json!({ "app": "shop" }));
    let stored = shop.pair.blue.get(&open).await.expect("it is there");
    let ports = &stored["spec"]["networking"]["ingress"][0]["ports"];
    assert_eq!(ports, &json!([{ "protocol": "TCP", "port": 80 }]));
    let status = shop.desk.mctg("status -o json").await.json();
    for code in ["MCTG105", "MCTG109"] {
        assert_eq!(findings(&status, code), Vec::<&Value>::new());
    }
}

#[tokio::test]
async fn a_group_that_is_nearly_full_is_told_and_limits_that_may_not_be_read_are_no_harm() {
    let shop = Shop::open().await;
    shop.elbv2.with(|model| model.set_limit("targets-per-target-group", 6));
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let told = findings(&status, "MCTG413");
    assert_eq!(told.len(), 1, "{status:#}");
    let message = told[0]["message"].as_str().expect("a message");
    assert!(message.contains("has 5 of the 6 targets"), "{message}");

    let server = shop.elbv2.server();
    let user = "arn:aws:iam::111122223333:user/ci";
    let action = Operation::DescribeAccountLimits;
    let denied = ApiError::access_denied(user, action.as_str());
    // Each context's credentials are tried.
    for n in [1, 2] {
        let trouble = Trouble::Refused(denied.clone());
        server.fail_nth(Some(action), n, Fault::before(trouble));
    }
    server.clear_requests();
    let status = shop.desk.mctg("status -o json").await.ended(0).json();
    assert_eq!(status["complete"], true);
    assert_eq!(serious(&status), Vec::<&str>::new());
    assert!(server.count(action) > 0);
    shop.elbv2.forget_faults();
}
