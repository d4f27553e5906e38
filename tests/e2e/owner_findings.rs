//! Findings about what bindings were made for, on real clusters beside the whole stand-in; the line that
//! each offers mends it.

use serde_json::{Value, json};

use crate::support::cluster::{Cluster, until};
use crate::support::objects::{binding, ledger};
use crate::support::owners::{adopt_by_ack, nlb_service};
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, GREEN, Shop, serve, share, targets};
use crate::support::standin::StandIn;

/// Blue's Service with a multi-cluster binding of its own, which green shares.
async fn shared<'a>(shop: &'a Shop) -> (StandIn<'a>, String) {
    let blue = &shop.pair.blue;
    let standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    serve(blue, "web", &BLUE).await;
    blue.put(nlb_service("web", "ip")).await;
    standin.settled().await;
    let enabled = "enable svc/web -n default --deletion-protection=false";
    shop.desk.mctg(enabled).await.ended(0);
    let generated = blue.list(&binding("default", "", "")).await.remove(0);
    let arn = generated["spec"]["targetGroupARN"].as_str().expect("an ARN");
    let group = arn.parse().expect("it is one");
    share(&shop.pair.green, &GREEN, &group).await;
    shop.elbv2.register(&group, &targets(GREEN));
    standin.settled().await;
    (standin, generated["metadata"]["name"].as_str().expect("a name").to_owned())
}

async fn found(desk: &Desk, code: &str) -> Vec<Value> {
    let status = desk.mctg("status -o json").await.json();
    let findings = status["findings"].as_array().expect("findings").iter();
    findings.filter(|it| it["code"] == code).cloned().collect()
}

/// Runs the line that a finding offers.
async fn mend(desk: &Desk, finding: &Value) {
    let line = finding["fix"].as_str().expect("a line to paste");
    if let Some(words) = line.strip_prefix("kubectl mctg ") {
        desk.mctg(words).await.ended(0);
        return;
    }
    let words = line.strip_prefix("kubectl ").expect("one of kubectl's");
    assert_eq!(desk.kubectl(words).await.code, Some(0), "{line}");
}

async fn generated(cluster: &Cluster) -> Vec<Value> {
    cluster.list(&binding("default", "", "")).await
}

#[tokio::test]
async fn an_owner_that_can_be_deleted_is_protected_by_the_line_beside_it() {
    let shop = Shop::new().await;
    let (standin, _) = shared(&shop).await;
    let told = found(&shop.desk, "MCTG104").await;
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["context"], &told[0]["severity"]), (&json!("blue"), &json!("warning")));
    mend(&shop.desk, &told[0]).await;
    standin.settled().await;
    assert_eq!(found(&shop.desk, "MCTG104").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_generated_binding_that_is_gone_comes_back_by_the_line_beside_it() {
    let shop = Shop::new().await;
    let (standin, name) = shared(&shop).await;
    shop.pair.blue.delete(&binding("default", &name, "")).await;
    until("the controller let it go", async || generated(&shop.pair.blue).await.is_empty()).await;
    standin.settled().await;
    let told = found(&shop.desk, "MCTG206").await;
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["context"], &told[0]["severity"]), (&json!("blue"), &json!("critical")));
    mend(&shop.desk, &told[0]).await;
    until("it is there again", async || generated(&shop.pair.blue).await.len() == 1).await;
    standin.settled().await;
    assert_eq!(found(&shop.desk, "MCTG206").await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_ledger_that_was_left_behind_is_found_where_configmaps_may_be_listed() {
    let shop = Shop::new().await;
    let (_standin, _) = shared(&shop).await;
    let left = ledger("default", "gone", "10.0.12.99:80");
    shop.pair.blue.put(left.clone()).await;
    let told = found(&shop.desk, "MCTG111").await;
    assert_eq!(told.len(), 1);
    assert!(told[0]["message"].as_str().is_some_and(|it| it.contains("aws-lbc-targets-gone")));
    mend(&shop.desk, &told[0]).await;
    assert_eq!(shop.pair.blue.get(&left).await, None);
    assert_eq!(found(&shop.desk, "MCTG111").await, Vec::<Value>::new());
}

#[tokio::test]
async fn an_ack_target_group_for_the_same_group_is_found() {
    let shop = Shop::new().await;
    let (_standin, _) = shared(&shop).await;
    assert_eq!(found(&shop.desk, "MCTG102").await, Vec::<Value>::new(), "there is no such type");
    let green = &shop.pair.green;
    let arn = generated(&shop.pair.blue).await.remove(0)["spec"]["targetGroupARN"].clone();
    adopt_by_ack(green, arn.as_str().expect("an ARN")).await;
    let told = found(&shop.desk, "MCTG102").await;
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["context"], &told[0]["severity"]), (&json!("green"), &json!("critical")));
    mend_in(&shop, &told[0]).await;
}

/// The line keeps the target group when the resource is deleted.
async fn mend_in(shop: &Shop, finding: &Value) {
    mend(&shop.desk, finding).await;
    let stored = shop
        .desk
        .kubectl("--context green get targetgroups.elbv2.services.k8s.aws adopted -o yaml")
        .await;
    assert!(stored.stdout.contains("services.k8s.aws/deletion-policy: retain"), "{stored:?}");
}
