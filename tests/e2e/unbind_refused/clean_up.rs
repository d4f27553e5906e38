//! Clean-ups that nobody can predict, bindings that are another's, and notes that cannot be read.

use serde_json::{Value, json};

use super::{RUN, message, refused};
use crate::enable::everything;
use crate::support::cluster::until;
use crate::support::kubeconfig::Kubeconfig;
use crate::support::objects::{binding, controller, ledger};
use crate::support::programs::Desk;
use crate::support::shop::{GREEN, LEFT, Shop, targets};
use crate::support::standin::StandIn;

const TGB: &str = "unbind tgb/shop -n default --context green --yes";

#[expect(clippy::disallowed_methods, reason = "the API server's clock is the machine's")]
fn second() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// What the only check that has one tells to do.
fn hint(item: &Value) -> &str {
    let checks = item["checks"].as_array().expect("checks");
    checks.iter().find_map(|it| it["hint"].as_str()).expect("a hint")
}

#[tokio::test]
async fn a_binding_of_eks_auto_mode() {
    let shop = Shop::open().await;
    let mut auto = binding("default", "auto", shop.elbv2.group("auto").as_str());
    auto["apiVersion"] = json!("eks.amazonaws.com/v1");
    auto["spec"]["serviceRef"]["name"] = json!("shop");
    shop.pair.green.put(auto).await;
    let line = "unbind tgb/auto -n default --context green --yes";
    let item = refused(&shop, &shop.desk, line, 1, "AutoMode").await;
    assert!(message(&item, "AutoMode").contains("read and never written"), "{item:#}");
}

#[tokio::test]
async fn a_ledger_that_somebody_else_wrote_while_the_controller_had_its_own_in_memory() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    let mut standin = StandIn::start(green, &shop.elbv2).await;
    standin.settled().await;
    let data = format!(r#"{{"data":{{"targets":"{}"}}}}"#, targets(GREEN).join(",") + "," + LEFT);
    let patch =
        format!("patch configmap aws-lbc-targets-shop -n default --context green -p {data}");
    shop.desk.kubectl(&patch).await.ended(0);
    standin.settled().await;
    let item = refused(&shop, &shop.desk, RUN, 1, "CleanUp").await;
    assert!(message(&item, "CleanUp").contains("written by somebody else"), "{item:#}");
    // What is told to do about it does; writes are stamped by the second.
    let written = second();
    until("that second is over", async || second() > written).await;
    standin.restart().await;
    standin.settled().await;
    shop.desk.mctg(&format!("{RUN} --dry-run")).await.ended(0);
}

#[tokio::test]
async fn a_ledger_that_is_lost_while_the_controller_is_at_work() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    let mut standin = StandIn::start(green, &shop.elbv2).await;
    standin.settled().await;
    green.delete(&ledger("default", "shop", "")).await;
    standin.settled().await;
    let item = refused(&shop, &shop.desk, RUN, 1, "CleanUp").await;
    assert!(message(&item, "CleanUp").contains("its ledger is lost"), "{item:#}");
    // A restart alone does not bring it back. What is told does.
    standin.restart().await;
    standin.settled().await;
    assert_eq!(green.get(&ledger("default", "shop", "")).await, None);
    let line = hint(&item).split_once(": kubectl ").expect("a command").1;
    shop.desk.kubectl(line).await.ended(0);
    standin.settled().await;
    assert!(green.get(&ledger("default", "shop", "")).await.is_some());
    shop.desk.mctg(&format!("{RUN} --dry-run")).await.ended(0);
}

#[tokio::test]
async fn what_is_healthy_and_nobodys_where_no_other_cluster_was_read() {
    let shop = Shop::open().await;
    shop.drift().await;
    let green = || shop.pair.green.admin();
    let alone = Kubeconfig::default().with("green", green());
    let twice = alone.clone().with("again", green());
    for kubeconfig in [alone, twice] {
        let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
        let item = refused(&shop, &desk, RUN, 1, "AnswersElsewhere").await;
        let told = message(&item, "AnswersElsewhere");
        assert!(told.starts_with("10.0.151.77:80 is healthy and nothing here holds"), "{told}");
    }
    assert!(shop.registered().contains(&LEFT.to_owned()));
}

#[tokio::test]
async fn a_ledger_or_a_note_that_is_none() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    green.put(ledger("default", "shop", "ten")).await;
    let item = refused(&shop, &shop.desk, RUN, 1, "Ledger").await;
    assert!(message(&item, "Ledger").contains("aws-lbc-targets-shop"), "{item:#}");

    green.put(ledger("default", "shop", &targets(GREEN).join(","))).await;
    shop.desk.mctg(&format!("{RUN} --wait=false")).await.ended(0);
    let patch = r#"patch configmap mctg-unbind-shop -n default --context green -p {"data":{"targets":"ten"}}"#;
    shop.desk.kubectl(patch).await.ended(0);
    let item = refused(&shop, &shop.desk, TGB, 1, "Note").await;
    let told = message(&item, "Note");
    assert!(told.starts_with("the note mctg-unbind-shop cannot be read: "), "{told}");
    let way = "kubectl delete configmap mctg-unbind-shop -n default --context green";
    assert!(hint(&item).ends_with(way), "{item:#}");
}

#[tokio::test]
async fn a_binding_whose_group_is_not_known() {
    let shop = Shop::open().await;
    let mut named = binding("default", "named", "");
    named["spec"] = json!({
        "targetGroupName": "nowhere", "multiClusterTargetGroup": true, "targetType": "ip",
        "serviceRef": { "name": "shop", "port": 80 },
    });
    shop.pair.green.put(named).await;
    let line = "unbind tgb/named -n default --context green --yes";
    let item = refused(&shop, &shop.desk, line, 3, "TargetGroup").await;
    assert!(message(&item, "TargetGroup").contains("nowhere"), "{item:#}");
}

#[tokio::test]
async fn a_controller_whose_state_is_not_known_forbids_nothing_and_is_told() {
    let shop = Shop::open().await;
    shop.pair.green.put(controller("v3.5.0", 2, 0)).await;
    let before = everything(&shop).await;
    let report = shop.desk.mctg(&format!("{RUN} --dry-run -o json")).await.ended(0).json();
    let checks = report["items"][0]["checks"].as_array().expect("checks").iter();
    let warnings: Vec<&Value> = checks.filter(|it| it["verdict"] == "warning").collect();
    assert_eq!(warnings.len(), 1, "{report:#}");
    assert_eq!(warnings[0]["name"], "Controller");
    assert_eq!(everything(&shop).await, before);
}
