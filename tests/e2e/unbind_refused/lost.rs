//! What `unbind --lost` refuses: each time no target goes.

use serde_json::Value;

use super::{message, refused};
use crate::enable::everything;
use crate::support::kubeconfig::{Access, Kubeconfig, dead_url};
use crate::support::objects::binding;
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, FOREIGN, GREEN, Shop, targets};

const LOST: &str = "unbind --lost green --context blue --request-timeout 2s";

/// A machine that knows green in another way, and has what `status` said while it was there.
async fn desk(shop: &Shop, green: Access) -> Desk {
    let status = shop.desk.mctg("status -o json").await;
    let kubeconfig =
        Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("green", green);
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    desk.home().write("known.json", &status.stdout);
    desk
}

fn dead(shop: &Shop) -> Access {
    shop.pair.green.admin().at(&dead_url())
}

#[tokio::test]
async fn a_context_where_something_answers_or_that_cannot_be_asked() {
    let shop = Shop::open().await;
    let before = everything(&shop).await;
    let line = format!("{LOST} --yes --known-from known.json");
    let green = || shop.pair.green.admin();
    for (access, code, told) in [
        (green(), 2, "context `green` answers: it is not lost"),
        (
            green().with_token("nobody"),
            2,
            "context `green` is not lost, for something answers there: ",
        ),
        (green().with_exec("exit 1"), 3, "context `green` could not be asked whether it is lost: "),
    ] {
        let run = desk(&shop, access).await.mctg(&line).await;
        run.ends(code).says(told).says("hint: ");
        assert_eq!(run.stdout, "", "{run:#?}");
    }
    assert_eq!(everything(&shop).await, before);
}

#[tokio::test]
async fn what_makes_no_sense() {
    let shop = Shop::open().await;
    let desk = desk(&shop, dead(&shop)).await;
    desk.home().write("other.json", "{}");
    let before = everything(&shop).await;
    for (rest, code, told) in [
        ("--known-from nowhere.json", 3, "failed to read `nowhere.json`: "),
        ("--known-from other.json", 2, "other.json: it is no document of status"),
        ("shop", 2, "`shop` is no target"),
        ("10.0.99.99:80", 2, "`10.0.99.99:80` is in no target group that was read"),
        ("10.0.79.52:80 --target-group-arn nope", 2, "`nope` is no"),
    ] {
        let run = desk.mctg(&format!("{LOST} --yes {rest}")).await;
        run.ends(code).says(told);
        assert!(run.stderr.starts_with("error: "), "{run:#?}");
    }
    let third = shop.pair.kubeconfig().with("red", dead(&shop));
    let third = Desk::new(&third).with_elbv2(&shop.elbv2);
    let line = "unbind --lost red --context blue --observe blue --yes 10.0.79.52:80";
    let run = third.mctg(line).await;
    run.ends(2).says("--lost needs every context of the kubeconfig, and `green` would not be read");
    let never = "unbind --lost red --context blue --yes --known-from known.json";
    desk.mctg(never).await.ends(2);
    let none = desk
        .mctg(&format!(
            "{LOST} --yes --known-from known.json --target-group-arn {}",
            shop.elbv2.group("other")
        ))
        .await;
    none.ends(2).says("it tells of no target that only `green` claimed");
    let read_only = desk.set("MCTG_READ_ONLY", "1");
    let run = read_only.mctg(&format!("{LOST} --yes --known-from known.json")).await;
    run.ends(1).says("MCTG_READ_ONLY is set");
    assert_eq!(everything(&shop).await, before);
}

#[tokio::test]
async fn without_a_yes_off_a_terminal_nothing_goes() {
    let shop = Shop::open().await;
    let desk = desk(&shop, dead(&shop)).await;
    let line = format!("{LOST} --known-from known.json");
    let before = everything(&shop).await;
    let report = desk.mctg(&format!("{line} -o json")).await.ended(3).json();
    let item = &report["items"][0];
    assert_eq!(item["outcome"], "blocked", "{report:#}");
    assert_eq!(message(item, "Unbind"), "2 targets of green leave k8s-default-shop (2 healthy)");
    desk.mctg(&line).await.ends(3).says("Nothing was changed").says("--yes");
    assert_eq!(everything(&shop).await, before);
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)));
}

#[tokio::test]
async fn a_third_cluster_that_is_silent() {
    let shop = Shop::open().await;
    let status = shop.desk.mctg("status -o json").await;
    let kubeconfig = Kubeconfig::default()
        .with("blue", shop.pair.blue.admin())
        .with("green", dead(&shop))
        .with("red", dead(&shop));
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    desk.home().write("known.json", &status.stdout);
    let line = format!("{LOST} --yes --known-from known.json");
    let item = refused(&shop, &desk, &line, 3, "Silent").await;
    assert!(message(&item, "Silent").contains("red"), "{item:#}");
}

#[tokio::test]
async fn the_last_healthy_target_and_a_group_that_nobody_binds() {
    let shop = Shop::open().await;
    let desk = desk(&shop, dead(&shop)).await;
    shop.elbv2.lose(&shop.group, &targets(BLUE));
    let line = format!("{LOST} --yes --known-from known.json");
    let item = refused(&shop, &desk, &line, 1, "LastHealthy").await;
    assert!(message(&item, "LastHealthy").contains("no healthy target of"), "{item:#}");

    shop.pair.blue.delete(&binding("default", "shop", shop.group.as_str())).await;
    let item = refused(&shop, &desk, &line, 1, "Access").await;
    assert!(message(&item, "Access").contains("no binding that was read names it"), "{item:#}");
}

#[tokio::test]
async fn what_another_cluster_claims_or_nobody_named() {
    let shop = Shop::open().await;
    let desk = desk(&shop, dead(&shop)).await;
    shop.elbv2.register(&shop.group, &[FOREIGN]);
    let before = everything(&shop).await;
    let line = format!("{LOST} --yes 10.0.12.31:80");
    let report = desk.mctg(&format!("{line} -o json")).await.ended(0).json();
    let item = &report["items"][0];
    assert_eq!(item["plan"], Value::Array(Vec::new()), "{report:#}");
    assert!(item["details"].to_string().contains("10.0.12.31:80, which blue default/shop desires"));
    desk.mctg(&line).await.ends(0).says("which blue default/shop desires");
    assert_eq!(everything(&shop).await, before);
    // Nothing tells what it had: what may have been its is listed, and stays.
    let item = refused(&shop, &desk, &format!("{LOST} --yes"), 1, "Known").await;
    assert!(message(&item, "Known").contains("nothing tells what green had"), "{item:#}");
}
