//! What `enable` and `disable` refuse on real clusters: each time nothing is written anywhere.

use serde_json::{Value, json};

use crate::check::crd;
use crate::enable::everything;
use crate::support::cluster::{Cluster, Rule, until};
use crate::support::kubeconfig::{Kubeconfig, dead_url};
use crate::support::objects::{binding, controller, ledger, pod, service, slice};
use crate::support::owners::{
    gateway, gateway_class, group_configuration, install_gateways, load_balancer_configuration,
    nlb_service, route,
};
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, FOREIGN, GREEN, Shop, node_of, serve, share, targets};
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

/// Takes the flag out of the type, as a release before 2.10 has it, and waits until that is seen.
async fn without_the_flag(cluster: &Cluster, is_seen: impl AsyncFn() -> bool) {
    let mut old = crd();
    for version in old["spec"]["versions"].as_array_mut().expect("a CRD has versions") {
        let spec = &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        spec.as_object_mut().expect("a schema").remove("multiClusterTargetGroup");
    }
    cluster.taint();
    cluster.install_crd(old).await;
    until("the old schema is published", is_seen).await;
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

#[tokio::test]
async fn a_controller_that_cannot_share_yet() {
    let shop = Shop::new().await;
    let mut standin = web(&shop, nlb_service("web", "ip")).await;
    standin.kill().await;
    let mut old = controller("v2.9.2", 1, 1);
    let args = &mut old["spec"]["template"]["spec"]["containers"][0]["args"];
    args[0] = json!("--cluster-name=blue-eks");
    shop.pair.blue.put(old).await;
    refused(&shop, &shop.desk, ENABLE, 1, "ControllerTooOld", "refused").await;
}

#[tokio::test]
async fn a_type_without_the_field() {
    let shop = Shop::new().await;
    let mut standin = web(&shop, nlb_service("web", "ip")).await;
    standin.kill().await;
    without_the_flag(&shop.pair.blue, async || {
        let report = shop.desk.mctg(&format!("{ENABLE} --dry-run -o json")).await.json();
        report["items"][0]["checks"].to_string().contains("has no multiClusterTargetGroup")
    })
    .await;
    refused(&shop, &shop.desk, ENABLE, 1, "ControllerTooOld", "refused").await;
    let text = shop.desk.mctg(ENABLE).await.ended(1).stdout;
    assert!(text.contains("helm show crds eks/aws-load-balancer-controller"), "{text}");
}

#[tokio::test]
async fn what_eks_auto_mode_has() {
    let shop = Shop::new().await;
    let green = &shop.pair.green;
    green.put(service("default", "shop", "NodePort")).await;
    serve(green, "shop", &GREEN).await;
    let mut auto = binding("default", "shop", shop.group.as_str());
    auto["apiVersion"] = json!("eks.amazonaws.com/v1");
    auto["spec"]["multiClusterTargetGroup"] = json!(false);
    green.put(auto).await;
    let line = "enable tgb/shop -n default --context green";
    let before = everything(&shop).await;
    let report = shop.desk.mctg(&format!("{line} -o json")).await.ended(1).json();
    let checks = report["items"][0]["checks"].to_string();
    assert!(checks.contains("EKS Auto Mode's, which this program reads"), "{report:#}");
    assert_eq!(report["items"][0]["steps"], json!([]));
    assert_eq!(everything(&shop).await, before);
}

#[tokio::test]
async fn what_has_no_binding_or_is_on_its_way_out() {
    let shop = Shop::new().await;
    let mut standin = web(&shop, nlb_service("web", "ip")).await;
    let blue = &shop.pair.blue;
    blue.put(service("default", "plain", "ClusterIP")).await;
    refused(&shop, &shop.desk, "enable svc/plain -n default", 1, "NoBinding", "refused").await;
    standin.kill().await;
    blue.delete_gracefully(&generated(blue).await).await;
    let report = shop.desk.mctg(&format!("{ENABLE} -o json")).await.ended(1).json();
    let checks = report["items"][0]["checks"].to_string();
    assert!(checks.contains("is being deleted"), "{report:#}");
}

#[tokio::test]
async fn a_binding_with_the_labels_of_what_is_not_there() {
    let shop = Shop::new().await;
    let mut standin = web(&shop, nlb_service("web", "ip")).await;
    standin.kill().await;
    let made = generated(&shop.pair.blue).await;
    // As it was copied to another cluster: the group is tagged as the first one's.
    let green = &shop.pair.green;
    let mut copied = binding("default", "copied", made["spec"]["targetGroupARN"].as_str().unwrap());
    copied["spec"]["serviceRef"] = json!({ "name": "web", "port": 80 });
    copied["spec"]["multiClusterTargetGroup"] = json!(false);
    copied["metadata"]["labels"] = made["metadata"]["labels"].clone();
    green.put(service("default", "web", "NodePort")).await;
    serve(green, "web", &GREEN).await;
    green.put(copied).await;
    let before = everything(&shop).await;
    let line = "enable tgb/copied -n default --context green";
    let report = shop.desk.mctg(&format!("{line} -o json")).await.ended(1).json();
    assert_eq!(report["items"][0]["outcome"], "refused", "{report:#}");
    assert_eq!(everything(&shop).await, before);
}

#[tokio::test]
async fn what_may_not_be_read() {
    let shop = Shop::new().await;
    let mut standin = web(&shop, nlb_service("web", "ip")).await;
    standin.kill().await;
    let rule = |group, resource, verbs| Rule { group, resource, verbs, namespace: None };
    let all = ["get", "list", "patch"];
    let mut rules = vec![
        rule("elbv2.k8s.aws", "targetgroupbindings", &all[..]),
        rule("eks.amazonaws.com", "targetgroupbindings", &all[..]),
        rule("discovery.k8s.io", "endpointslices", &all[..]),
        rule("apps", "deployments", &all[..]),
        rule("coordination.k8s.io", "leases", &all[..]),
        rule("networking.k8s.io", "*", &all[..]),
    ];
    rules.extend(["services", "nodes", "pods", "namespaces"].map(|it| rule("", it, &all[..])));
    let user = shop.pair.blue.user(&rules).await;
    let kubeconfig =
        Kubeconfig::default().with("blue", user).with("green", shop.pair.green.admin());
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    refused(&shop, &desk, ENABLE, 3, "Ledger", "unknown").await;
}

#[tokio::test]
async fn two_that_share_forbid_the_way_back_of_either() {
    let shop = Shop::open().await;
    let _standin = StandIn::start(&shop.pair.blue, &shop.elbv2).await;
    share(&shop.pair.green, &GREEN, &shop.group).await;
    shop.elbv2.register(&shop.group, &targets(GREEN));
    let line = "disable tgb/shop -n default --context blue --yes";
    let before = everything(&shop).await;
    let text = shop.desk.mctg(line).await.ended(1).stdout;
    assert!(text.contains("kubectl mctg unbind tgb/shop -n default --context green"), "{text}");
    assert_eq!(everything(&shop).await["writes"], before["writes"]);
}

#[tokio::test]
async fn a_binding_whose_owner_is_gone() {
    let shop = Shop::new().await;
    let mut standin = web(&shop, nlb_service("web", "ip")).await;
    standin.kill().await;
    let blue = &shop.pair.blue;
    let made = generated(blue).await;
    // Its finalizers go with it, and its binding is left.
    blue.delete(&service("default", "web", "LoadBalancer")).await;
    let free = "patch service web --type=merge -p {\"metadata\":{\"finalizers\":null}}";
    shop.desk.kubectl(free).await;
    until("it is gone", async || {
        blue.get(&service("default", "web", "LoadBalancer")).await.is_none()
    })
    .await;
    let name = made["metadata"]["name"].as_str().expect("a name");
    let line = format!("enable tgb/{name} -n default");
    let before = everything(&shop).await;
    let report = shop.desk.mctg(&format!("{line} -o json")).await.ended(1).json();
    let checks = report["items"][0]["checks"].as_array().expect("checks").clone();
    let told = checks.iter().find(|it| it["name"] == "OwnerGone").expect("it is told");
    assert_eq!(told["verdict"], "refused", "{report:#}");
    assert_eq!(everything(&shop).await, before);
    let hint = told["hint"].as_str().and_then(|it| it.strip_prefix("kubectl ")).expect("a command");
    let shown = shop.desk.kubectl(hint).await.ended(0).stdout;
    assert!(shown.contains("service.k8s.aws/stack-name=web"), "{shown}");
}

#[tokio::test]
async fn a_default_of_a_whole_gateway_is_not_switched_off_for_one_service() {
    let shop = Shop::new().await;
    let blue = &shop.pair.blue;
    install_gateways(blue).await;
    let mut standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    blue.put(gateway_class("nlb")).await;
    let mut configuration = load_balancer_configuration("front");
    configuration["spec"]["defaultTargetGroupConfiguration"] = json!({ "name": "all" });
    blue.put(configuration).await;
    let mut all = group_configuration("all", "ip");
    all["spec"].as_object_mut().expect("a spec").remove("targetReference");
    all["spec"]["defaultConfiguration"]["enableMultiCluster"] = json!(true);
    blue.put(all).await;
    blue.put(service("default", "web", "NodePort")).await;
    serve(blue, "web", &BLUE).await;
    blue.put(gateway("front", "nlb")).await;
    blue.put(route("TCPRoute", "web", "front")).await;
    standin.settled().await;
    // The stand-in knows no defaults of Gateways: the flag is set as the real one would.
    let name = generated(blue).await["metadata"]["name"].clone();
    let patch = format!(
        "patch targetgroupbindings.elbv2.k8s.aws {} --type=merge -p {}",
        name.as_str().expect("a name"),
        json!({ "spec": { "multiClusterTargetGroup": true } })
    );
    shop.desk.kubectl(&patch).await.ended(0);
    standin.settled().await;
    standin.kill().await;
    let line = "disable tcproute/web -n default --yes";
    refused(&shop, &shop.desk, line, 1, "SetElsewhere", "refused").await;
    let text = shop.desk.mctg(line).await.ended(1).stdout;
    assert!(text.contains("switch it off there"), "{text}");
}

#[tokio::test]
async fn an_owner_that_may_not_be_read() {
    let shop = Shop::new().await;
    let mut standin = web(&shop, nlb_service("web", "ip")).await;
    standin.kill().await;
    let name = generated(&shop.pair.blue).await["metadata"]["name"].clone();
    let rule = |group, resource, verbs| Rule { group, resource, verbs, namespace: None };
    let all = ["get", "list", "patch"];
    let mut rules = vec![
        rule("elbv2.k8s.aws", "targetgroupbindings", &all[..]),
        rule("eks.amazonaws.com", "targetgroupbindings", &all[..]),
        rule("discovery.k8s.io", "endpointslices", &all[..]),
        rule("apps", "deployments", &all[..]),
        rule("coordination.k8s.io", "leases", &all[..]),
        rule("networking.k8s.io", "*", &all[..]),
        rule("", "services", &["list"]),
    ];
    rules.extend(["configmaps", "nodes", "pods", "namespaces"].map(|it| rule("", it, &all[..])));
    let user = shop.pair.blue.user(&rules).await;
    let kubeconfig =
        Kubeconfig::default().with("blue", user).with("green", shop.pair.green.admin());
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    let line = format!("enable tgb/{} -n default", name.as_str().expect("a name"));
    let before = everything(&shop).await;
    let report = desk.mctg(&format!("{line} -o json")).await.ended(3).json();
    assert_eq!(report["items"][0]["outcome"], "refused", "{report:#}");
    let checks = report["items"][0]["checks"].to_string();
    assert!(checks.contains("OwnerUnread"), "{report:#}");
    assert_eq!(everything(&shop).await, before);
}
