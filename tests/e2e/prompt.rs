//! At a terminal the plugin asks before targets go, and does what it is told.

use mctg::sim::elbv2::Condition;

use crate::bind::{FROM, waiting};
use crate::enable::everything;
use crate::story::snapshot;
use crate::support::objects::binding;
use crate::support::shop::{BLUE, GREEN, Shop, targets};

/// A target that no cluster claims, and that fails its checks.
const FAILING: &str = "10.0.100.8:80";

const PRUNE: &str = "reconcile --prune-unclaimed";

async fn shop() -> Shop {
    let shop = Shop::open().await;
    shop.elbv2.register(&shop.group, &[FAILING]);
    shop.elbv2.with(|model| model.set_condition("10.0.100.8", Condition::Failing));
    shop
}

#[tokio::test]
async fn what_no_cluster_claims_stays_where_the_answer_is_no() {
    let shop = shop().await;
    let before = snapshot(&shop).await;
    for answer in ["n", "", "maybe"] {
        let mut asked = shop.desk.start_at_terminal(PRUNE);
        asked.shows("Do this? [y/N]").await;
        assert!(asked.screen().contains("10.0.100.8:80"), "{}", asked.screen());
        asked.types(answer);
        let (code, screen) = asked.ended().await;
        assert_eq!(code, Some(2), "{screen}");
        assert!(screen.contains("declined: nothing was changed"), "{screen}");
    }
    assert_eq!(shop.elbv2.writes(), []);
    assert_eq!(snapshot(&shop).await, before);
}

#[tokio::test]
async fn what_no_cluster_claims_goes_where_the_answer_is_yes_and_was_shown() {
    let shop = shop().await;
    let mut asked = shop.desk.start_at_terminal(PRUNE);
    asked.shows("Do this? [y/N]").await;
    // While the question stands, another comes to fail: it was not shown, and stays.
    shop.elbv2.register(&shop.group, &["10.0.100.9:80"]);
    shop.elbv2.with(|model| model.set_condition("10.0.100.9", Condition::Failing));
    asked.types("y");
    let (code, screen) = asked.ended().await;
    assert_eq!(code, Some(1), "{screen}");
    assert!(screen.contains("1 deregistered, 1 withheld"), "{screen}");
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN).chain(["10.0.100.9"])));
    assert_eq!(shop.elbv2.writes(), [("DeregisterTargets".to_owned(), 1)]);

    let mut asked = shop.desk.start_at_terminal(PRUNE);
    asked.shows("Do this? [y/N]").await;
    asked.types("yes");
    let (code, screen) = asked.ended().await;
    assert_eq!(code, Some(0), "{screen}");
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)));
}

#[tokio::test]
async fn no_binding_is_taken_out_or_changed_where_the_answer_is_no() {
    let shop = Shop::open().await;
    let before = everything(&shop).await;
    let mut asked = shop.desk.start_at_terminal("unbind svc/shop -n default --context green");
    asked.shows("Do this? [y/N]").await;
    assert!(asked.screen().contains("10.0.79.52:80, healthy"), "{}", asked.screen());
    asked.types("n");
    let (code, screen) = asked.ended().await;
    assert_eq!(code, Some(2), "{screen}");
    assert!(screen.contains("declined: nothing was changed"), "{screen}");
    assert_eq!(everything(&shop).await, before);
}

#[tokio::test]
async fn a_binding_that_differs_stays_where_the_answer_is_no() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let mut by_hand = binding("default", "by-hand", shop.group.as_str());
    by_hand["spec"]["serviceRef"]["name"] = serde_json::json!("shop");
    shop.pair.green.put(by_hand).await;
    standin.settled().await;
    let before = everything(&shop).await;
    let mut asked = shop.desk.start_at_terminal(FROM);
    asked.shows("Do this? [y/N]").await;
    assert!(asked.screen().contains("networking: nothing -> TCP 80"), "{}", asked.screen());
    asked.types("n");
    let (code, screen) = asked.ended().await;
    assert_eq!(code, Some(2), "{screen}");
    assert_eq!(everything(&shop).await, before);
}
