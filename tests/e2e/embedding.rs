//! The examples, run as programs: what embeds the library works outside of the simulator too.

use rustix::process::Signal;
use serde_json::json;

use crate::support::cluster::until;
use crate::support::kubeconfig::Kubeconfig;
use crate::support::objects::ledger;
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, FOREIGN, GREEN, LOST, Shop, serve, targets};

/// A machine whose current context is blue, as a pod there sees the world.
fn in_blue(shop: &Shop) -> Desk {
    let kubeconfig = Kubeconfig::default().with("blue", shop.pair.blue.admin());
    Desk::new(&kubeconfig).with_elbv2(&shop.elbv2).set("AWS_REGION", "us-east-1")
}

async fn tracked_by_blue(shop: &Shop) -> serde_json::Value {
    let ledger = shop.pair.blue.get(&ledger("default", "shop", "")).await;
    ledger.expect("the ledger is there")["data"]["targets"].clone()
}

#[tokio::test]
async fn one_shot_repairs_what_is_missing_and_prints_the_report() {
    let shop = Shop::open().await;
    shop.drift().await;
    let desk = in_blue(&shop);
    let said = desk.start_example("one_shot", ["tgb/shop"]).finish().await.ended(0);
    let report = said.json();
    assert_eq!((&report["kind"], &report["complete"]), (&json!("Reconcile"), &json!(true)));
    assert_eq!(said.row_of("here", "shop")["outcome"], "applied", "{report:#}");
    assert!(shop.registered().contains(&LOST.to_owned()), "{report:#}");
    assert!(shop.registered().contains(&FOREIGN.to_owned()), "what nobody tracks stays");

    let said = desk.start_example("one_shot", []).finish().await.ended(0);
    assert_eq!(said.row_of("here", "shop")["outcome"], "inSync");
    // A cluster that does not answer is told, and is no success.
    let nowhere = Desk::new(&Kubeconfig::default().with("blue", shop.pair.blue.admin()))
        .set("AWS_REGION", "us-east-1");
    let said = nowhere.start_example("one_shot", []).finish().await.ended(1);
    assert_eq!(said.json()["complete"], false);
}

#[tokio::test]
async fn the_operator_follows_a_service_and_ends_on_a_signal() {
    let shop = Shop::open().await;
    shop.elbv2.lose(&shop.group, &[LOST]);
    let desk = in_blue(&shop);
    let mut operator = desk.start_example("operator", []);
    until("it repairs what it finds", async || shop.registered().contains(&LOST.to_owned())).await;

    // A pod comes, and another one is not ready any more.
    let now = ["10.0.12.44", BLUE[0], BLUE[1]];
    serve(&shop.pair.blue, "shop", &now).await;
    let expected = targets(now.into_iter().chain(GREEN));
    until("it follows the endpoints", async || shop.registered() == expected).await;
    let text = json!(targets(now).join(","));
    until("the ledger follows", async || tracked_by_blue(&shop).await == text).await;
    assert!(!operator.has_ended());

    operator.signal(Signal::TERM);
    let said = operator.finish().await.ended(0);
    assert!(said.stderr.contains("default/shop: Register 1\n"), "{said:#?}");
    assert!(said.stderr.ends_with("stopped\n"), "{said:#?}");
    desk.mctg("diff").await.ended(0);
}
