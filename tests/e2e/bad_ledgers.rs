//! Ledgers that are none, or cannot be written.

use serde_json::{Value, json};

use crate::support::objects::{binding, ledger, service};
use crate::support::programs::Finished;
use crate::support::shop::{GREEN, Shop, targets};

/// Gives green a ledger that is of no use; blue must be told in full, and nothing is changed.
async fn of_no_use(ledger: Value, reason: &str) -> Finished {
    let shop = Shop::open().await;
    shop.elbv2.lose(&shop.group, &["10.0.79.52:80"]);
    shop.pair.green.delete(&crate::support::objects::ledger("default", "shop", "")).await;
    shop.pair.green.create(&ledger).await.expect("the server takes it");
    let before = shop.world().await;
    let desk = shop.machine();
    let text = desk.mctg("status").await;
    text.says("MCTG112").says(reason);
    let document = desk.mctg("status -o json").await;
    document.ends(text.code.expect("it ended by itself")).counts_all_of("blue");
    assert_eq!(document.row("green")["state"], "failing");
    let run = desk.mctg("reconcile --context green --yes").await;
    run.ends(3).says(reason).says("Nothing was done");
    assert_eq!(shop.world().await, before);
    text
}

#[tokio::test]
async fn a_text_that_is_no_ledger() {
    let said = of_no_use(ledger("default", "shop", "10.0.79.52:80,hello"), "`hello`").await;
    said.ends(1);
}

#[tokio::test]
async fn a_text_that_would_steer_a_terminal() {
    let said =
        of_no_use(ledger("default", "shop", "10.0.79.52:80,\u{1b}[2Jgone"), "aws-lbc-targets-shop");
    let said = said.await;
    said.ends(1);
    assert!(!said.stdout.contains('\u{1b}'), "{said:#?}");
}

#[tokio::test]
async fn a_ledger_that_is_immutable() {
    let mut immutable = ledger("default", "shop", "10.0.151.60:80");
    immutable["immutable"] = json!(true);
    of_no_use(immutable, "immutable").await.ends(1);
}

#[tokio::test]
async fn a_config_map_without_targets_is_an_empty_ledger() {
    let shop = Shop::open().await;
    let mut empty = ledger("default", "shop", "");
    empty["data"] = json!({ "other": "stays" });
    shop.pair.green.delete(&empty).await;
    shop.pair.green.create(&empty).await.expect("the server takes it");
    let run = shop.machine().mctg("reconcile --context green --yes").await;
    run.ends(0).says("0 registered, 0 deregistered");
    let after = shop.pair.green.get(&empty).await.expect("it is there");
    assert_eq!(after["data"], json!({ "other": "stays", "targets": targets(GREEN).join(",") }));
}

#[tokio::test]
async fn a_service_that_is_gone() {
    let shop = Shop::open().await;
    shop.pair.green.delete(&service("default", "shop", "ClusterIP")).await;
    let desk = shop.machine();
    desk.mctg("status").await.ends(1).says("MCTG305 BackendNotFound");
    let document = desk.mctg("status -o json").await;
    document.ends(1).tells_all_of("blue");
    assert_eq!(document.row("green")["state"], "failing");
}

#[tokio::test]
async fn a_binding_that_is_exclusive_is_left_alone() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    let mut exclusive = binding("default", "shop", shop.group.as_str());
    exclusive["spec"]["multiClusterTargetGroup"] = json!(false);
    shop.pair.green.delete(&exclusive).await;
    shop.pair.green.put(exclusive).await;
    let before = shop.world().await;
    let run = shop.machine().mctg("reconcile --context green --yes").await;
    run.ends(0).says("it is exclusive");
    assert_eq!(shop.world().await, before);
}
