//! What the whole stand-in makes for owners, and what its webhook says: the ground that the tests of
//! the verbs stand on.

use serde_json::{Value, json};

use crate::support::cluster::{Cluster, until};
use crate::support::objects::{binding, service};
use crate::support::owners::{
    NLB, alb_ingress, gateway, gateway_class, group_configuration, ingress_class, install_gateways,
    load_balancer_configuration, nlb_service, route,
};
use crate::support::shop::{BLUE, Shop, serve, targets};
use crate::support::standin::StandIn;

/// The one binding of a cluster.
async fn only_binding(cluster: &Cluster) -> Value {
    let mut found = cluster.list(&binding("default", "", "")).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[tokio::test]
async fn a_service_gets_its_nlb_and_a_binding_that_follows_it() {
    let shop = Shop::new().await;
    let blue = &shop.pair.blue;
    let standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    serve(blue, "shop", &BLUE).await;
    let mut owner = nlb_service("shop", "ip");
    blue.put(owner.clone()).await;
    standin.settled().await;

    let generated = only_binding(blue).await;
    let name = generated["metadata"]["name"].as_str().expect("a name");
    assert!(name.starts_with("k8s-default-shop-") && name.len() == 27, "{name}");
    let labels = json!({
        "service.k8s.aws/stack-namespace": "default", "service.k8s.aws/stack-name": "shop",
    });
    assert_eq!(generated["metadata"]["labels"], labels);
    assert_eq!(generated["spec"]["multiClusterTargetGroup"], Value::Null);
    assert_eq!(generated["spec"]["targetGroupProtocol"], "TCP");
    let rule = &generated["spec"]["networking"]["ingress"][0];
    assert_eq!(rule["ports"], json!([{ "protocol": "TCP", "port": 80 }]));
    let arn = generated["spec"]["targetGroupARN"].as_str().expect("an ARN").parse();
    let group = arn.expect("it is one");
    assert_eq!(shop.elbv2.registered(&group), targets(BLUE));
    let stored = blue.get(&owner).await.expect("it is there");
    assert_eq!(stored["metadata"]["finalizers"], json!(["service.k8s.aws/resources"]));
    let host = stored["status"]["loadBalancer"]["ingress"][0]["hostname"].as_str();
    assert!(host.is_some_and(|host| host.starts_with("k8s-default-shop-")), "{stored:#}");

    // The flag goes to the binding, and what is edited on the binding is put right with it.
    let label = format!("label targetgroupbindings.elbv2.k8s.aws {name} team=shop");
    assert_eq!(shop.desk.kubectl(&label).await.code, Some(0));
    standin.settled().await;
    assert_eq!(only_binding(blue).await["metadata"]["labels"]["team"], "shop", "nobody looked");
    owner["metadata"]["annotations"][format!("{NLB}-multi-cluster-target-group")] = json!("true");
    owner["metadata"]["annotations"][format!("{NLB}-attributes")] =
        json!("deletion_protection.enabled=true");
    blue.put(owner.clone()).await;
    standin.settled().await;
    let generated = only_binding(blue).await;
    assert_eq!(generated["spec"]["multiClusterTargetGroup"], true);
    assert_eq!(generated["metadata"]["labels"], labels);
    assert_eq!(generated["status"]["observedGeneration"], 2);

    // An owner that asks to be kept is kept.
    blue.delete(&owner).await;
    until("the controller says why", async || {
        let said = shop.desk.kubectl("get events -o jsonpath={.items[*].message}").await.stdout;
        said.contains("deletion_protection is enabled, cannot delete the service: shop")
    })
    .await;
    assert_eq!(shop.elbv2.registered(&group), targets(BLUE));
    let annotate = format!("annotate service shop {NLB}-attributes-");
    assert_eq!(shop.desk.kubectl(&annotate).await.code, Some(0));
    until("the Service is gone", async || blue.get(&owner).await.is_none()).await;
    assert_eq!(blue.list(&binding("default", "", "")).await, Vec::<Value>::new());
    shop.elbv2.with(|model| {
        let gone = model.describe_target_health(group.as_str(), &[]);
        assert_eq!(gone.expect_err("the group went too").code, "TargetGroupNotFound");
    });
}

#[tokio::test]
async fn the_webhook_fills_in_and_refuses_until_nobody_is_behind_it() {
    let shop = Shop::new().await;
    let blue = &shop.pair.blue;
    let mut standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    let arn = shop.group.as_str();
    let mut bare = binding("default", "shop", arn);
    bare["spec"] = json!({ "targetGroupARN": arn, "serviceRef": { "name": "shop", "port": 80 } });
    let stored = blue.put(bare.clone()).await;
    assert_eq!(stored["spec"]["targetType"], "ip");
    assert_eq!(stored["spec"]["ipAddressType"], "ipv4");
    assert_eq!(stored["spec"]["targetGroupProtocol"], "TCP");
    assert!(stored["spec"]["vpcID"].as_str().is_some_and(|id| id.starts_with("vpc-")));

    let second = binding("default", "again", arn);
    let why = blue.try_put(second).await.expect_err("it is exclusive");
    assert!(why.contains("vtargetgroupbinding.elbv2.k8s.aws"), "{why}");
    assert!(
        why.contains("is already bound to following TargetGroupBindings [default/shop]"),
        "{why}"
    );
    let mut moved = bare.clone();
    moved["spec"]["targetType"] = json!("instance");
    let why = blue.try_put(moved).await.expect_err("it is immutable");
    assert!(why.contains("may not change these immutable fields: spec.targetType"), "{why}");

    standin.silence_webhook().await;
    let annotate = "annotate targetgroupbindings.elbv2.k8s.aws shop note=mine";
    let refused = shop.desk.kubectl(annotate).await;
    assert!(refused.stderr.contains("failed calling webhook"), "{refused:?}");
    standin.serve_webhook().await;
    until("somebody answers", async || shop.desk.kubectl(annotate).await.code == Some(0)).await;
}

#[tokio::test]
async fn ingresses_and_gateways_get_theirs_and_take_them_along() {
    let shop = Shop::new().await;
    let blue = &shop.pair.blue;
    install_gateways(blue).await;
    let standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    for name in ["by-ingress", "by-route"] {
        blue.put(service("default", name, "NodePort")).await;
    }
    serve(blue, "by-ingress", &BLUE).await;
    blue.put(ingress_class()).await;
    let mut ingress = alb_ingress("by-ingress", "ip");
    blue.put(ingress.clone()).await;
    blue.put(gateway_class("nlb")).await;
    let owner = gateway("front", "nlb");
    for manifest in [
        owner.clone(),
        route("TCPRoute", "by-route", "front"),
        load_balancer_configuration("front"),
        group_configuration("by-route", "instance"),
    ] {
        blue.put(manifest).await;
    }
    standin.settled().await;
    let by_service = async |name: &str| {
        let all = blue.list(&binding("default", "", "")).await;
        let found = all.into_iter().find(|it| it["spec"]["serviceRef"]["name"] == name);
        found.expect("it was made")
    };
    let of_ingress = by_service("by-ingress").await;
    assert_eq!(of_ingress["metadata"]["labels"]["ingress.k8s.aws/stack-name"], "by-ingress");
    assert_eq!(of_ingress["spec"]["targetGroupProtocol"], "HTTP");
    let of_route = by_service("by-route").await;
    assert_eq!(of_route["metadata"]["labels"]["gateway.k8s.aws.nlb/stack-name"], "front");
    assert_eq!(of_route["spec"]["targetType"], "instance");
    let stored = blue.get(&owner).await.expect("it is there");
    assert_eq!(stored["metadata"]["finalizers"], json!(["gateway.k8s.aws/nlb"]));

    let mut shared = group_configuration("by-route", "instance");
    shared["spec"]["defaultConfiguration"]["enableMultiCluster"] = json!(true);
    blue.put(shared).await;
    ingress["metadata"]["annotations"]["alb.ingress.kubernetes.io/multi-cluster-target-group"] =
        json!("true");
    blue.put(ingress.clone()).await;
    standin.settled().await;
    for name in ["by-ingress", "by-route"] {
        assert_eq!(by_service(name).await["spec"]["multiClusterTargetGroup"], true, "{name}");
    }

    blue.delete(&ingress).await;
    blue.delete(&owner).await;
    until("both are gone", async || {
        blue.get(&ingress).await.is_none() && blue.get(&owner).await.is_none()
    })
    .await;
    assert_eq!(blue.list(&binding("default", "", "")).await, Vec::<Value>::new());
}
