//! What `unbind` refuses on real clusters: each time nothing is written anywhere.

mod clean_up;
mod lost;
mod unread;

use serde_json::{Value, json};

use crate::enable::everything;
use crate::support::kubeconfig::{Kubeconfig, dead_url};
use crate::support::objects::{binding, ledger};
use crate::support::owners::nlb_service;
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, FOREIGN, GREEN, LEFT, Shop, serve, targets};
use crate::support::standin::StandIn;

const RUN: &str = "unbind svc/shop -n default --context green --yes";

/// Runs it, and sees that a check forbids it and that the world is as it was.
async fn refused(shop: &Shop, desk: &Desk, line: &str, code: i32, check: &str) -> Value {
    let before = everything(shop).await;
    let report = desk.mctg(&format!("{line} -o json")).await.ended(code).json();
    let item = &report["items"][0];
    let checks = item["checks"].as_array().expect("checks").iter();
    let forbids = |it: &&Value| it["verdict"] == "refused" || it["verdict"] == "unknown";
    let told: Vec<_> = checks.filter(forbids).map(|it| it["name"].clone()).collect();
    assert_eq!(told, [check], "{report:#}");
    assert_eq!(item["steps"], json!([]), "{report:#}");
    assert!(!item["next"].to_string().contains("undo"), "there is nothing to take back: {item:#}");
    let text = desk.mctg(line).await.ended(code).stdout;
    assert!(text.contains("Nothing was changed"), "{text}");
    assert_eq!(everything(shop).await, before, "{line}");
    item.clone()
}

/// What a check says.
fn message(item: &Value, check: &str) -> String {
    let checks = item["checks"].as_array().expect("checks");
    let found = checks.iter().find(|it| it["name"] == check).expect("it was told");
    found["message"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn a_generated_binding() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    let mut standin = StandIn::whole(green, &shop.elbv2, "green-eks").await;
    serve(green, "web", &["10.0.79.60"]).await;
    green.put(nlb_service("web", "ip")).await;
    standin.settled().await;
    standin.kill().await;
    let line = "unbind svc/web -n default --context green --yes";
    refused(&shop, &shop.desk, line, 1, "Generated").await;
    let told = shop.desk.mctg(line).await;
    assert!(
        told.stdout.contains("kubectl mctg disable svc/web -n default --context green"),
        "{told:#?}"
    );
}

#[tokio::test]
async fn an_exclusive_one_beside_foreign_targets() {
    let shop = Shop::open().await;
    let mut exclusive = binding("default", "shop", shop.group.as_str());
    exclusive["spec"]["multiClusterTargetGroup"] = json!(false);
    shop.pair.green.put(exclusive).await;
    refused(&shop, &shop.desk, RUN, 1, "ExclusiveBinding").await;
}

#[tokio::test]
async fn the_last_healthy_targets() {
    let shop = Shop::open().await;
    shop.elbv2.lose(&shop.group, &targets(BLUE));
    refused(&shop, &shop.desk, RUN, 1, "LastHealthy").await;
    shop.desk.mctg(&format!("{RUN} --allow-empty --wait=false")).await.ended(0);
    assert_eq!(shop.registered(), [""; 0]);
}

#[tokio::test]
async fn a_clean_up_that_would_take_another_clusters_target() {
    let shop = Shop::open().await;
    let tracked = targets(GREEN.into_iter().chain([BLUE[0]])).join(",");
    shop.pair.green.put(ledger("default", "shop", &tracked)).await;
    let mut standin = StandIn::start(&shop.pair.green, &shop.elbv2).await;
    standin.kill().await;
    shop.pair.green.put(ledger("default", "shop", &tracked)).await;
    refused(&shop, &shop.desk, RUN, 1, "ContestedTarget").await;
}

#[tokio::test]
async fn a_target_that_may_be_a_silent_clusters() {
    let shop = Shop::open().await;
    shop.drift().await;
    let dead = shop.pair.blue.admin().at(&dead_url());
    let kubeconfig =
        Kubeconfig::default().with("blue", dead).with("green", shop.pair.green.admin());
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    refused(&shop, &desk, &format!("{RUN} --request-timeout 2s"), 3, "Silent").await;
    assert!(shop.registered().contains(&LEFT.to_owned()));
    assert!(shop.registered().contains(&FOREIGN.to_owned()));
}

#[tokio::test]
async fn a_binding_that_was_made_again() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    shop.desk.mctg(&format!("{RUN} --wait=false")).await.ended(0);
    green.put(binding("default", "shop", shop.group.as_str())).await;
    refused(&shop, &shop.desk, RUN, 1, "MadeAgain").await;
    let told = shop.desk.mctg(RUN).await;
    let way = "kubectl delete configmap mctg-unbind-shop -n default --context green";
    assert!(told.stdout.contains(way), "{told:#?}");
}

#[tokio::test]
async fn without_a_yes_off_a_terminal_nothing_is_done() {
    let shop = Shop::open().await;
    let before = everything(&shop).await;
    let run = "unbind tgb/shop -n default --context green";
    let report = shop.desk.mctg(&format!("{run} -o json")).await.ended(3).json();
    assert_eq!(report["items"][0]["outcome"], "blocked", "{report:#}");
    for line in ["unbind --context green", "unbind nothing -n default", "unbind svc/shop --all"] {
        shop.desk.mctg(line).await.ended(2);
    }
    let read_only = Desk::new(&shop.pair.kubeconfig()).with_elbv2(&shop.elbv2);
    read_only.set("MCTG_READ_ONLY", "1").mctg(RUN).await.ended(1);
    assert_eq!(everything(&shop).await, before);
}
