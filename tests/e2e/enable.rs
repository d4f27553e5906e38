//! `enable` and `disable` on real clusters, beside the whole stand-in: for each kind of owner the flag
//! goes where the controller reads it, and everything that follows is waited for.

use mctg::sim::world::VPC;
use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::objects::{binding, service};
use crate::support::owners::{
    NLB, alb_ingress, gateway, gateway_class, group_configuration, ingress_class, install_gateways,
    load_balancer_configuration, nlb_service, route,
};
use crate::support::shop::{BLUE, GREEN, Shop, serve, share, targets};
use crate::support::standin::StandIn;

const ALB: &str = "alb.ingress.kubernetes.io";
const PROTECTED: &str = "deletion_protection.enabled=true";

/// The versions of all objects of both clusters, and what ELBv2 was asked to change.
pub(crate) async fn everything(shop: &Shop) -> Value {
    let (mut blue, mut green) = (shop.pair.blue.versions().await, shop.pair.green.versions().await);
    // There are hundreds of roles, and nothing here has to do with any.
    blue.retain(|id, _| !id.contains("Role"));
    green.retain(|id, _| !id.contains("Role"));
    json!({ "blue": blue, "green": green, "writes": shop.elbv2.writes() })
}

/// The binding that was made for a Service.
async fn generated(cluster: &Cluster, service: &str) -> Value {
    let all = cluster.list(&binding("default", "", "")).await;
    let found = all.into_iter().find(|it| it["spec"]["serviceRef"]["name"] == service);
    found.unwrap_or_else(|| panic!("no binding of {service}"))
}

async fn annotation(cluster: &Cluster, manifest: &Value, key: &str) -> Value {
    let stored = cluster.get(manifest).await.expect("it is there");
    stored["metadata"]["annotations"][key].clone()
}

/// Blue with a Service of its own that its controller serves, settled.
async fn with_service<'a>(shop: &'a Shop, name: &str) -> (StandIn<'a>, Value) {
    let blue = &shop.pair.blue;
    let standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    let mut owner = nlb_service(name, "ip");
    owner["metadata"]["annotations"][format!("{NLB}-attributes")] =
        json!(r"load_balancing.cross_zone.enabled=true , access_logs.s3.prefix=a\,b");
    serve(blue, name, &BLUE).await;
    blue.put(owner.clone()).await;
    standin.settled().await;
    (standin, owner)
}

#[tokio::test]
async fn a_service_is_enabled_and_taken_back() {
    let shop = Shop::new().await;
    let blue = &shop.pair.blue;
    let (standin, owner) = with_service(&shop, "web").await;
    let arn = generated(blue, "web").await["spec"]["targetGroupARN"].clone();
    let group = arn.as_str().expect("an ARN").parse().expect("it is one");

    let before = everything(&shop).await;
    let dry = shop.desk.mctg("enable svc/web -n default --dry-run -o json").await.ended(0).json();
    assert_eq!((&dry["kind"], &dry["dryRun"]), (&json!("Enable"), &json!(true)));
    assert_eq!(dry["items"][0]["outcome"], "planned");
    let annotations = &dry["items"][0]["plan"][0]["body"]["metadata"]["annotations"];
    let flag = format!("{NLB}-multi-cluster-target-group");
    assert_eq!(annotations[&flag], "true");
    shop.desk.mctg("enable svc/web -n default --dry-run=server").await.ended(0);
    assert_eq!(everything(&shop).await, before, "nothing was changed");

    let done = shop.desk.mctg("enable svc/web -n default -o json").await.ended(0).json();
    let item = &done["items"][0];
    assert_eq!(item["outcome"], "applied", "{done:#}");
    let goals = item["goals"].as_array().expect("goals").iter().map(|goal| goal["word"].clone());
    assert_eq!(goals.collect::<Vec<_>>(), ["flag", "ledger", "registered", "protected"]);
    assert_eq!(annotation(blue, &owner, &flag).await, "true");
    let attributes = annotation(blue, &owner, &format!("{NLB}-attributes")).await;
    let kept = r"load_balancing.cross_zone.enabled=true , access_logs.s3.prefix=a\,b";
    assert_eq!(attributes, format!("{PROTECTED},{kept}"));
    assert_eq!(generated(blue, "web").await["spec"]["multiClusterTargetGroup"], true);
    assert_eq!(shop.elbv2.registered(&group), targets(BLUE));

    let again = shop.desk.mctg("enable svc/web -n default").await.ended(0);
    assert!(again.stdout.contains("Nothing to change."), "{again:?}");

    let refused = shop.desk.mctg("disable svc/web -n default -o json").await.ended(3).json();
    assert_eq!(refused["items"][0]["outcome"], "blocked", "it asks");
    let back = shop.desk.mctg("disable svc/web -n default --yes").await.ended(0);
    assert!(back.stdout.contains("is exclusive again"), "{back:?}");
    assert_eq!(annotation(blue, &owner, &flag).await, Value::Null);
    let name = generated(blue, "web").await["metadata"]["name"].clone();
    let name = name.as_str().expect("a name");
    assert_eq!(generated(blue, "web").await["spec"]["multiClusterTargetGroup"], Value::Null);
    let ledger = crate::support::objects::ledger("default", name, "");
    assert_eq!(blue.get(&ledger).await, None);
    assert_eq!(shop.elbv2.registered(&group), targets(BLUE), "its own stay");
    let attributes = annotation(blue, &owner, &format!("{NLB}-attributes")).await;
    assert_eq!(attributes, format!("{PROTECTED},{kept}"), "protection stays");
    shop.desk.mctg("disable svc/web -n default --deletion-protection=false").await.ended(0);
    let attributes = annotation(blue, &owner, &format!("{NLB}-attributes")).await;
    assert_eq!(attributes, format!("deletion_protection.enabled=false,{kept}"));
    drop(standin);
}

#[tokio::test]
async fn an_ingress_or_the_service_behind_it_is_enabled() {
    let shop = Shop::new().await;
    let blue = &shop.pair.blue;
    let standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    blue.put(ingress_class()).await;
    for (name, pods) in [("shop", &BLUE[..]), ("cart", &GREEN[..])] {
        blue.put(service("default", name, "NodePort")).await;
        serve(blue, name, pods).await;
        let mut ingress = alb_ingress(name, "ip");
        ingress["metadata"]["annotations"][format!("{ALB}/group.name")] = json!("front");
        blue.put(ingress).await;
    }
    standin.settled().await;
    let labels = generated(blue, "shop").await["metadata"]["labels"].clone();
    assert_eq!(labels["ingress.k8s.aws/stack"], "front", "an explicit group");

    shop.desk.mctg("enable ing/shop -n default").await.ended(0);
    let ingress = alb_ingress("shop", "ip");
    let flag = format!("{ALB}/multi-cluster-target-group");
    assert_eq!(annotation(blue, &ingress, &flag).await, "true");
    let attributes = format!("{ALB}/load-balancer-attributes");
    assert_eq!(annotation(blue, &alb_ingress("cart", "ip"), &attributes).await, PROTECTED);
    assert_eq!(generated(blue, "shop").await["spec"]["multiClusterTargetGroup"], true);
    assert_eq!(generated(blue, "cart").await["spec"]["multiClusterTargetGroup"], Value::Null);

    // The group is protected by one of its members; the Service's own annotation counts as well.
    shop.desk.mctg("enable svc/cart -n default").await.ended(0);
    assert_eq!(annotation(blue, &service("default", "cart", "NodePort"), &flag).await, "true");
    assert_eq!(annotation(blue, &alb_ingress("cart", "ip"), &flag).await, Value::Null);
    assert_eq!(generated(blue, "cart").await["spec"]["multiClusterTargetGroup"], true);

    shop.desk.mctg("disable ing -n default --yes").await.ended(0);
    for name in ["shop", "cart"] {
        assert_eq!(generated(blue, name).await["spec"]["multiClusterTargetGroup"], Value::Null);
    }
}

#[tokio::test]
async fn a_gateways_route_is_enabled_in_the_configuration_of_its_service() {
    let shop = Shop::new().await;
    let blue = &shop.pair.blue;
    install_gateways(blue).await;
    let standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    // Without a configuration a Service's targets are instances: those of the nodes.
    shop.elbv2.with(|model| {
        for (index, zone) in ["us-east-1a", "us-east-1b", "us-east-1c"].into_iter().enumerate() {
            model.add_instance(&format!("i-{index:017}"), VPC, zone);
        }
    });
    blue.put(gateway_class("nlb")).await;
    let configuration = load_balancer_configuration("front");
    blue.put(configuration.clone()).await;
    blue.put(gateway("front", "nlb")).await;
    for (name, pods) in [("shop", &BLUE[..]), ("cart", &GREEN[..])] {
        blue.put(service("default", name, "NodePort")).await;
        serve(blue, name, pods).await;
        blue.put(route("TCPRoute", name, "front")).await;
    }
    let of_shop = group_configuration("shop", "ip");
    blue.put(of_shop.clone()).await;
    standin.settled().await;

    shop.desk.mctg("enable tcproute/shop -n default").await.ended(0);
    let stored = blue.get(&of_shop).await.expect("it is there");
    let expected = json!({ "targetType": "ip", "enableMultiCluster": true });
    assert_eq!(stored["spec"]["defaultConfiguration"], expected);
    let stored = blue.get(&configuration).await.expect("it is there");
    let entry = json!([{ "key": "deletion_protection.enabled", "value": "true" }]);
    assert_eq!(stored["spec"]["loadBalancerAttributes"], entry);
    assert_eq!(stored["spec"]["scheme"], "internal", "the rest stays");
    assert_eq!(generated(blue, "shop").await["spec"]["multiClusterTargetGroup"], true);
    assert_eq!(generated(blue, "cart").await["spec"]["multiClusterTargetGroup"], Value::Null);

    // Where a Service has no configuration, it gets one.
    shop.desk.mctg("enable tcproute/cart -n default").await.ended(0);
    let made = blue.get(&group_configuration("cart", "ip")).await.expect("it was made");
    assert_eq!(made["spec"]["targetReference"]["name"], "cart");
    assert_eq!(generated(blue, "cart").await["spec"]["multiClusterTargetGroup"], true);

    shop.desk.mctg("disable gateway/front -n default --yes").await.ended(0);
    for name in ["shop", "cart"] {
        assert_eq!(generated(blue, name).await["spec"]["multiClusterTargetGroup"], Value::Null);
    }
}

#[tokio::test]
async fn a_binding_made_by_hand_is_switched_itself() {
    let shop = Shop::new().await;
    let blue = &shop.pair.blue;
    let standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    blue.put(service("default", "shop", "NodePort")).await;
    serve(blue, "shop", &BLUE).await;
    let mut own = binding("default", "shop", shop.group.as_str());
    own["spec"]["multiClusterTargetGroup"] = json!(false);
    blue.put(own.clone()).await;
    standin.settled().await;
    shop.desk.mctg("enable tgb/shop -n default").await.ended(0);
    let stored = blue.get(&own).await.expect("it is there");
    assert_eq!(stored["spec"]["multiClusterTargetGroup"], true);
    assert_eq!(shop.registered(), targets(BLUE));
    shop.desk.mctg("disable tgb/shop -n default --yes").await.ended(0);
    let stored = blue.get(&own).await.expect("it is there");
    assert_eq!(stored["spec"]["multiClusterTargetGroup"], false);
    assert_eq!(shop.registered(), targets(BLUE));
}

#[tokio::test]
async fn several_are_enabled_at_once_and_one_that_is_refused_holds_up_no_other() {
    let shop = Shop::new().await;
    let blue = &shop.pair.blue;
    let (standin, _) = with_service(&shop, "web").await;
    serve(blue, "cart", &GREEN).await;
    let mut cart = nlb_service("cart", "ip");
    cart["metadata"]["labels"] = json!({ "argocd.argoproj.io/instance": "cart" });
    blue.put(cart.clone()).await;
    standin.settled().await;

    let done = shop.desk.mctg("enable svc -n default -o json").await.ended(1).json();
    let outcome = |name: &str| {
        let items = done["items"].as_array().expect("items").iter();
        let found = items.filter(|item| item["name"] == name).collect::<Vec<_>>();
        assert_eq!(found.len(), 1, "{done:#}");
        found[0]["outcome"].clone()
    };
    assert_eq!((outcome("svc/web"), outcome("svc/cart")), (json!("applied"), json!("refused")));
    assert_eq!(generated(blue, "cart").await["spec"]["multiClusterTargetGroup"], Value::Null);

    let forced = "enable -A -l argocd.argoproj.io/instance=cart --force-conflicts";
    shop.desk.mctg(forced).await.ended(0);
    assert_eq!(generated(blue, "cart").await["spec"]["multiClusterTargetGroup"], true);
    // The flag is not what Argo CD wrote: it may drop it.
    let status = shop.desk.mctg("status svc/cart -n default -o json").await.json();
    let findings = status["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|it| it["code"] == "MCTG110"), "{status:#}");
}

#[tokio::test]
async fn a_manifest_is_edited_without_any_cluster() {
    let shop = Shop::new().await;
    let mut owner = nlb_service("web", "ip");
    owner["spec"]["externalTrafficPolicy"] = json!("Local");
    let desk = crate::support::programs::Desk::new(&Default::default()).without("KUBECONFIG");
    let text = serde_json::to_string(&owner).expect("it is JSON");
    std::fs::write(desk.home().path().join("web.yaml"), text).expect("the home can be written");
    let edited = desk.mctg("enable svc/web --local -f web.yaml -o yaml").await.ended(0).yaml();
    owner["metadata"]["annotations"][format!("{NLB}-multi-cluster-target-group")] = json!("true");
    owner["metadata"]["annotations"][format!("{NLB}-attributes")] = json!(PROTECTED);
    assert_eq!(edited, owner);
    // What is printed is what kubectl takes.
    shop.pair.blue.put(edited).await;
    desk.mctg("enable svc/other --local -f web.yaml").await.ended(2);
    desk.mctg("enable svc/web --local -f none.yaml").await.ended(2);
    let off = desk.mctg("disable svc/web --local -f web.yaml -o json").await.ended(0).json();
    assert_eq!(off["metadata"]["annotations"].as_object().map(serde_json::Map::len), Some(1));
}

#[tokio::test]
async fn what_two_clusters_share_is_not_taken_back() {
    let shop = Shop::new().await;
    let (standin, _) = with_service(&shop, "web").await;
    shop.desk.mctg("enable svc/web -n default").await.ended(0);
    let arn = generated(&shop.pair.blue, "web").await["spec"]["targetGroupARN"].clone();
    let group = arn.as_str().expect("an ARN").parse().expect("it is one");
    share(&shop.pair.green, &GREEN, &group).await;
    shop.elbv2.register(&group, &targets(GREEN));
    standin.settled().await;
    let before = everything(&shop).await;
    let refused = shop.desk.mctg("disable svc/web -n default --yes -o json").await.ended(1).json();
    assert_eq!(refused["items"][0]["outcome"], "refused");
    let checks = refused["items"][0]["checks"].as_array().expect("checks").iter();
    let refusing: Vec<_> = checks.filter(|it| it["verdict"] == "refused").collect();
    assert_eq!(
        (&refusing[0]["name"], &refusing[1]["name"]),
        (&json!("Shared"), &json!("ForeignTargets"))
    );
    assert_eq!(everything(&shop).await, before);
}
