//! What `bind` refuses on real clusters: each time nothing is written anywhere.

mod controllers;
mod fit;
mod ledgers;
mod unread;

use mctg::sim::elbv2::NewGroup;
use mctg::sim::world::VPC;
use mctg::target::TargetGroupArn;
use serde_json::{Value, json};

use crate::bind::{FROM, open_binding, waiting};
use crate::enable::everything;
use crate::support::cluster::Cluster;
use crate::support::kubeconfig::{Access, Kubeconfig, dead_url};
use crate::support::objects::{binding, controller, ledger, service};
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, GREEN, Shop, serve, share, targets};
use crate::support::standin::StandIn;

/// Blue shares the group; green's controller has seen all there is.
async fn settled(shop: &Shop) -> StandIn<'_> {
    let standin = waiting(shop).await;
    standin.settled().await;
    standin
}

/// Blue shares the group, green has the Service, and its controller shows itself alive without doing
/// anything: nothing moves by itself.
async fn still(shop: &Shop) {
    share(&shop.pair.blue, &BLUE, &shop.group).await;
    shop.pair.blue.put(open_binding("shop", &shop.group)).await;
    shop.elbv2.register(&shop.group, &targets(BLUE));
    deployed(&shop.pair.green).await;
}

/// The Service with its pods, and a controller.
async fn deployed(cluster: &Cluster) {
    cluster.put(service("default", "shop", "NodePort")).await;
    serve(cluster, "shop", &GREEN).await;
    cluster.put(controller("v3.5.0", 1, 1)).await;
}

/// The line by ARN, where rules are made elsewhere.
fn by_arn(group: &TargetGroupArn) -> String {
    format!("bind svc/shop -n default --context green --target-group-arn {group} --no-networking")
}

/// A machine that knows green as somebody else.
fn desk_of(shop: &Shop, green: Access) -> Desk {
    let kubeconfig =
        Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("green", green);
    Desk::new(&kubeconfig).with_elbv2(&shop.elbv2)
}

/// Runs a line that has to end so, and sees that the world is as it was.
async fn refused(shop: &Shop, desk: &Desk, line: &str, code: i32, told: (&str, &str)) -> Value {
    let (verdict, check) = told;
    let before = everything(shop).await;
    let report = desk.mctg(&format!("{line} -o json")).await.ended(code).json();
    let item = report["items"][0].clone();
    let checks = item["checks"].as_array().expect("checks").iter();
    let names: Vec<_> =
        checks.filter(|it| it["verdict"] == verdict).map(|it| it["name"].clone()).collect();
    assert_eq!(names, [check], "{report:#}");
    assert_eq!(item["steps"], json!([]), "{report:#}");
    assert!(!item["next"].to_string().contains("undo"), "there is nothing to take back: {item:#}");
    assert_eq!(everything(shop).await, before, "{line}");
    let text = desk.mctg(line).await.ended(code).stdout;
    assert!(text.contains("Nothing was changed"), "{text}");
    assert_eq!(everything(shop).await, before, "{line}");
    item
}

/// What a check says.
fn message(item: &Value, check: &str) -> String {
    let checks = item["checks"].as_array().expect("checks");
    let found = checks.iter().find(|it| it["name"] == check).expect("it was told");
    found["message"].as_str().unwrap_or_default().to_owned()
}

fn hint(item: &Value, check: &str) -> String {
    let checks = item["checks"].as_array().expect("checks");
    let found = checks.iter().find(|it| it["name"] == check).expect("it was told");
    found["hint"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_exclusive_binding_of_the_group() {
    let shop = Shop::new().await;
    let _standin = settled(&shop).await;
    let mut exclusive = open_binding("shop", &shop.group);
    exclusive["spec"]["multiClusterTargetGroup"] = json!(false);
    shop.pair.blue.put(exclusive).await;
    let item = refused(&shop, &shop.desk, FROM, 1, ("refused", "ExclusiveBinding")).await;
    let line = "kubectl mctg enable tgb/shop -n default --context blue";
    assert_eq!(hint(&item, "ExclusiveBinding"), line);
}

#[tokio::test]
async fn a_service_a_port_or_a_group_that_is_not_there() {
    let shop = Shop::new().await;
    let _standin = settled(&shop).await;
    let desk = &shop.desk;
    let arn = &shop.group;
    let line = format!("bind svc/gone -n default --context green --target-group-arn {arn}");
    refused(&shop, desk, &line, 1, ("refused", "BackendNotFound")).await;
    refused(&shop, desk, &format!("{FROM} --port https"), 1, ("refused", "BackendNotFound")).await;
    let mut gone = arn.to_string();
    gone.truncate(gone.len() - 4);
    let line = format!("bind svc/shop -n default --context green --target-group-arn {gone}0000");
    refused(&shop, desk, &line, 1, ("refused", "TargetGroupGone")).await;
    shop.pair.green.put(service("default", "own", "ClusterIP")).await;
    let line = "bind svc/own -n default --from blue --context green";
    refused(&shop, desk, line, 1, ("refused", "TargetGroup")).await;
}

#[tokio::test]
async fn what_does_not_go_together() {
    let shop = Shop::new().await;
    let _standin = settled(&shop).await;
    shop.pair.green.put(service("default", "inner", "ClusterIP")).await;
    let nodes = shop.elbv2.group_like(&NewGroup::new("nodes", VPC).instance());
    let udp = shop.elbv2.group_like(&NewGroup::new("udp", VPC).protocol("UDP"));
    let line = |service: &str, group| {
        format!(
            "bind svc/{service} -n default --context green --target-group-arn {group} --no-networking"
        )
    };
    refused(&shop, &shop.desk, &line("shop", &udp), 1, ("refused", "BindingMismatch")).await;
    let inner = line("inner", &nodes);
    let report = shop.desk.mctg(&format!("{inner} -o json")).await.ended(1).json();
    let checks = report["items"][0]["checks"].to_string();
    assert!(checks.contains("MCTG408") && checks.contains("no node port"), "{checks}");
}

#[tokio::test]
async fn no_controller_that_would_register_anything() {
    let shop = Shop::new().await;
    let green = &shop.pair.green;
    let whole = settled(&shop).await;
    drop(whole);
    let before = everything(&shop).await;
    let mut plain = StandIn::start(green, &shop.elbv2).await;
    plain.stop().await;
    let report = shop.desk.mctg(&format!("{FROM} -o json")).await.ended(1).json();
    let checks = report["items"][0]["checks"].to_string();
    assert!(checks.contains("MCTG301"), "{checks}");
    let after = everything(&shop).await;
    assert_eq!(after["writes"], before["writes"]);
    assert_eq!(green.list(&binding("default", "", "")).await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_webhook_with_nobody_behind_it() {
    let shop = Shop::new().await;
    let mut standin = settled(&shop).await;
    standin.silence_webhook().await;
    // Its Lease would be renewed in between.
    let before = shop.pair.green.list(&binding("default", "", "")).await;
    let report = shop.desk.mctg(&format!("{FROM} -o json")).await.ended(1).json();
    let item = &report["items"][0];
    let checks = item["checks"].as_array().expect("checks").iter();
    let refused: Vec<_> =
        checks.filter(|it| it["verdict"] == "refused").map(|it| it["name"].clone()).collect();
    assert_eq!(refused, ["WebhookServed"], "{report:#}");
    assert_eq!(shop.pair.green.list(&binding("default", "", "")).await, before);
}

#[tokio::test]
async fn a_name_that_is_taken_and_a_ledger_from_before() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let green = &shop.pair.green;
    let other = shop.elbv2.group("other");
    green.put(binding("default", "taken", other.as_str())).await;
    green.put(ledger("default", "shop-http", "10.0.12.31:80")).await;
    standin.settled().await;
    let desk = &shop.desk;
    refused(&shop, desk, &format!("{FROM} --name taken"), 1, ("refused", "Name")).await;
    let item = refused(&shop, desk, FROM, 1, ("refused", "OrphanLedger")).await;
    assert!(hint(&item, "OrphanLedger").contains("--discard-ledger"));
    // It names a target of blue, which the controller would take out.
    let adopt = format!("{FROM} --adopt-ledger");
    refused(&shop, desk, &adopt, 1, ("refused", "ContestedTarget")).await;
    let discard = format!("{FROM} --discard-ledger");
    refused(&shop, desk, &discard, 3, ("needsYes", "Ledger")).await;
}

#[tokio::test]
async fn nobody_who_may_reach_the_targets() {
    let shop = Shop::new().await;
    let _standin = settled(&shop).await;
    shop.pair.blue.delete(&open_binding("shop", &shop.group)).await;
    let line =
        format!("bind svc/shop -n default --context green --target-group-arn {}", shop.group);
    let item = refused(&shop, &shop.desk, &line, 1, ("refused", "Sources")).await;
    assert!(hint(&item, "Sources").contains("--source-cidr"));
}

#[tokio::test]
async fn an_address_that_another_cluster_has() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    crate::support::shop::serve(&shop.pair.green, "shop", &[BLUE[0]]).await;
    standin.settled().await;
    refused(&shop, &shop.desk, FROM, 1, ("refused", "ContestedTarget")).await;
}

#[tokio::test]
async fn a_context_that_does_not_answer_needs_a_yes() {
    let shop = Shop::new().await;
    let _standin = settled(&shop).await;
    let kubeconfig = Kubeconfig::default()
        .with("blue", shop.pair.blue.admin())
        .with("green", shop.pair.green.admin())
        .with("red", shop.pair.green.admin().at(&dead_url()));
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    refused(&shop, &desk, FROM, 3, ("needsYes", "ContextUnreachable")).await;
    let dead = Kubeconfig::default()
        .with("blue", shop.pair.blue.admin().at(&dead_url()))
        .with("green", shop.pair.green.admin());
    let desk = Desk::new(&dead).with_elbv2(&shop.elbv2);
    let report = desk.mctg(&format!("{FROM} -o json")).await.ended(3).json();
    assert_eq!(report["items"][0]["outcome"], "refused", "{report:#}");
}

#[tokio::test]
async fn what_makes_no_sense_is_said_before_anything_is_read() {
    let shop = Shop::new().await;
    for (line, told) in [
        ("bind svc/shop --context green", "required"),
        ("bind tgb/shop --from blue --context green", "bind joins Services"),
        ("bind --from blue --context green", "needs the NAME"),
        ("bind svc/shop --from bleu --context green", "did you mean blue?"),
        ("bind svc/shop --from green --context green", "is the cluster that"),
        ("bind svc a b --from blue --context green --name x", "one binding"),
        ("bind svc/shop --from blue --context green --name Shop", "no name for a binding"),
        ("bind svc/shop --from blue --context blue,green", "writes to one context"),
        ("bind -A --target-group-arn nope", "is not a target group ARN"),
    ] {
        let told_so = shop.desk.mctg(line).await.ended(2).stderr;
        assert!(told_so.contains(told), "{line}: {told_so}");
    }
}
