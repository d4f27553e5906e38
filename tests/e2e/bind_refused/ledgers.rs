//! Ledgers that lie there from before, under the name of the binding to come.

use super::{desk_of, hint, message, refused, still};
use crate::bind::FROM;
use crate::support::kubeconfig::{Kubeconfig, dead_url};
use crate::support::objects::ledger;
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, LEFT, Shop, targets};

const ADOPT: &str = "bind svc/shop -n default --from blue --context green --adopt-ledger";

#[tokio::test]
async fn one_that_is_none() {
    let shop = Shop::new().await;
    still(&shop).await;
    shop.pair.green.put(ledger("default", "shop-http", "ten")).await;
    let item = refused(&shop, &shop.desk, FROM, 1, ("refused", "LedgerUnusable")).await;
    let line = hint(&item, "LedgerUnusable");
    let rest = line.strip_prefix("kubectl ").expect("a line of kubectl");
    shop.desk.kubectl(rest).await.ended(0);
    shop.desk.mctg(&format!("{FROM} --dry-run")).await.ended(0);
}

#[tokio::test]
async fn one_that_names_what_nobody_wants_needs_a_yes_and_the_last_healthy_target_stays() {
    let shop = Shop::new().await;
    still(&shop).await;
    shop.pair.green.put(ledger("default", "shop-http", LEFT)).await;
    shop.elbv2.register(&shop.group, &[LEFT]);
    let item = refused(&shop, &shop.desk, ADOPT, 3, ("needsYes", "Ledger")).await;
    let told = message(&item, "Ledger");
    assert!(
        told.contains("takes out 1 target that nobody wants any more: 10.0.151.77:80"),
        "{told}"
    );

    shop.elbv2.lose(&shop.group, &targets(BLUE));
    let item = refused(&shop, &shop.desk, ADOPT, 1, ("refused", "Ledger")).await;
    assert!(message(&item, "Ledger").contains("the last healthy target"), "{item:#}");
}

#[tokio::test]
async fn one_that_names_what_a_silent_cluster_may_want() {
    let shop = Shop::new().await;
    still(&shop).await;
    shop.pair.green.put(ledger("default", "shop-http", LEFT)).await;
    shop.elbv2.register(&shop.group, &[LEFT]);
    let kubeconfig = Kubeconfig::default()
        .with("blue", shop.pair.blue.admin())
        .with("green", shop.pair.green.admin())
        .with("red", shop.pair.green.admin().at(&dead_url()));
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    let line = format!("{ADOPT} --yes");
    let item = refused(&shop, &desk, &line, 3, ("unknown", "Ledger")).await;
    assert!(message(&item, "Ledger").contains("a context that was not read may want"), "{item:#}");
}

#[tokio::test]
async fn one_that_nobody_may_read() {
    let shop = Shop::new().await;
    still(&shop).await;
    let mut rules = super::unread::rules();
    rules.retain(|rule| rule.resource != "configmaps");
    let desk = desk_of(&shop, shop.pair.green.user(&rules).await);
    let item = refused(&shop, &desk, FROM, 3, ("unknown", "Ledger")).await;
    assert!(message(&item, "Ledger").contains("forbidden"), "{item:#}");
}
