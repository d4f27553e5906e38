//! What `enable` and `disable` refuse on real clusters: each time nothing is written anywhere.

use serde_json::{Value, json};

use crate::enable::everything;
use crate::support::cluster::Cluster;
use crate::support::kubeconfig::{Kubeconfig, dead_url};
use crate::support::objects::{binding, ledger, pod, slice};
use crate::support::owners::nlb_service;
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, FOREIGN, Shop, node_of, serve};
use crate::support::standin::StandIn;

/// Blue with a Service that its controller serves, exclusively.
async fn web<'a>(shop: &'a Shop, owner: Value) -> StandIn<'a> {
    let blue = &shop.pair.blue;
    let standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    serve(blue, "web", &BLUE).await;
    blue.put(owner).await;
    standin.settled().await;
    standin
}

async fn generated(cluster: &Cluster) -> Value {
    cluster.list(&binding("default", "", "")).await.remove(0)
}

/// Runs a verb that has to end so, and sees that the world is as it was.
async fn refused(shop: &Shop, desk: &Desk, line: &str, code: i32, check: &str, verdict: &str) {
    let before = everything(shop).await;
    let report = desk.mctg(&format!("{line} -o json")).await.ended(code).json();
    let checks = report["items"][0]["checks"].as_array().expect("checks").iter();
    let told: Vec<_> =
        checks.filter(|it| it["verdict"] == verdict).map(|it| it["name"].clone()).collect();
    assert_eq!(told, [check], "{report:#}");
    assert_eq!(report["items"][0]["steps"], json!([]), "{report:#}");
    assert_eq!(everything(shop).await, before, "{line}");
    let text = desk.mctg(line).await.ended(code).stdout;
    assert!(text.contains("Nothing was changed"), "{text}");
    assert_eq!(everything(shop).await, before, "{line}");
}

const ENABLE: &str = "enable svc/web -n default";

#[tokio::test]
async fn a_pod_that_is_not_registered_yet() {
    let shop = Shop::new().await;
    let mut standin = web(&shop, nlb_service("web", "ip")).await;
    standin.kill().await;
    let blue = &shop.pair.blue;
    let late = "10.0.12.77";
    let mut pods: Vec<Value> = BLUE
        .iter()
        .map(|it| {
            pod("default", &format!("web-{}", it.rsplit('.').next().unwrap()), it, node_of(it))
        })
        .collect();
    pods.push(pod("default", "web-late", late, node_of(late)));
    blue.put(pods[3].clone()).await;
    blue.put(slice("default", "web", &pods)).await;
    refused(&shop, &shop.desk, ENABLE, 1, "MissingTargets", "refused").await;
}

#[tokio::test]
async fn a_target_that_nobody_would_take_out_needs_a_yes() {
    let shop = Shop::new().await;
    let mut standin = web(&shop, nlb_service("web", "ip")).await;
    // An exclusive binding's controller would take it out at once.
    standin.kill().await;
    let arn = generated(&shop.pair.blue).await["spec"]["targetGroupARN"].clone();
    let group = arn.as_str().expect("an ARN").parse().expect("it is one");
    shop.elbv2.register(&group, &[FOREIGN]);
    refused(&shop, &shop.desk, ENABLE, 3, "LeftTargets", "needsYes").await;
}

#[tokio::test]
async fn a_ledger_from_before() {
    let shop = Shop::new().await;
    let standin = web(&shop, nlb_service("web", "ip")).await;
    let name = generated(&shop.pair.blue).await["metadata"]["name"].clone();
    let old = ledger("default", name.as_str().expect("a name"), "10.0.12.99:80");
    shop.pair.blue.put(old).await;
    refused(&shop, &shop.desk, ENABLE, 1, "OrphanLedger", "refused").await;
    drop(standin);
}

#[tokio::test]
async fn what_git_deploys() {
    let shop = Shop::new().await;
    let mut owner = nlb_service("web", "ip");
    owner["metadata"]["labels"] = json!({ "kustomize.toolkit.fluxcd.io/name": "shop" });
    let standin = web(&shop, owner).await;
    refused(&shop, &shop.desk, ENABLE, 1, "DeployedElsewhere", "refused").await;
    let text = shop.desk.mctg(ENABLE).await.ended(1).stdout;
    assert!(
        text.contains("multi-cluster-target-group") && text.contains("--force-conflicts"),
        "{text}"
    );
    drop(standin);
}

#[tokio::test]
async fn attributes_that_are_none() {
    let shop = Shop::new().await;
    let mut standin = web(&shop, nlb_service("web", "ip")).await;
    let annotate =
        "annotate service web service.beta.kubernetes.io/aws-load-balancer-attributes=none";
    assert_eq!(shop.desk.kubectl(annotate).await.code, Some(0));
    // It would tell so again and again.
    standin.kill().await;
    refused(&shop, &shop.desk, ENABLE, 1, "OwnerUnprotected", "refused").await;
}

#[tokio::test]
async fn no_controller_that_would_heed_it() {
    let shop = Shop::new().await;
    let mut standin = web(&shop, nlb_service("web", "ip")).await;
    standin.stop().await;
    refused(&shop, &shop.desk, ENABLE, 1, "ControllerAbsent", "refused").await;
}

#[tokio::test]
async fn a_context_that_does_not_answer() {
    let shop = Shop::new().await;
    let standin = web(&shop, nlb_service("web", "ip")).await;
    let kubeconfig = Kubeconfig::default()
        .with("blue", shop.pair.blue.admin())
        .with("green", shop.pair.green.admin().at(&dead_url()));
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    refused(&shop, &desk, ENABLE, 3, "ContextUnreachable", "needsYes").await;
    let yes = desk.mctg(&format!("{ENABLE} --yes -o json")).await.ended(3).json();
    assert_eq!(yes["items"][0]["outcome"], "applied", "{yes:#}");
    standin.settled().await;
    let disable = "disable svc/web -n default --yes";
    refused(&shop, &desk, disable, 3, "ContextUnreachable", "unknown").await;
}

#[tokio::test]
async fn targets_that_are_not_this_clusters_forbid_the_way_back() {
    let shop = Shop::new().await;
    let standin = web(&shop, nlb_service("web", "ip")).await;
    shop.desk.mctg(ENABLE).await.ended(0);
    let arn = generated(&shop.pair.blue).await["spec"]["targetGroupARN"].clone();
    let group = arn.as_str().expect("an ARN").parse().expect("it is one");
    shop.elbv2.register(&group, &[FOREIGN]);
    standin.settled().await;
    let disable = "disable svc/web -n default --yes";
    refused(&shop, &shop.desk, disable, 1, "ForeignTargets", "refused").await;
}

#[tokio::test]
async fn nothing_is_written_where_that_is_forbidden_or_nothing_is_named() {
    let shop = Shop::new().await;
    let standin = web(&shop, nlb_service("web", "ip")).await;
    let before = everything(&shop).await;
    let desk =
        Desk::new(&shop.pair.kubeconfig()).with_elbv2(&shop.elbv2).set("MCTG_READ_ONLY", "1");
    desk.mctg(ENABLE).await.ended(1);
    shop.desk.mctg("enable").await.ended(2);
    shop.desk.mctg("enable svc/wep -n default").await.ended(2);
    shop.desk.mctg("enable pod/web").await.ended(2);
    shop.desk.mctg("enable svc/web -n default --context blue,green").await.ended(2);
    assert_eq!(everything(&shop).await, before);
    drop(standin);
}
