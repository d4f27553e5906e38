//! `bind` on real API servers, beside a controller with its webhook: by ARN and from another context,
//! pods and nodes, one and many.

mod beyond;

use serde_json::{Value, json};

use mctg::sim::elbv2::NewGroup;
use mctg::sim::world::VPC;
use mctg::target::TargetGroupArn;

use crate::enable::everything;
use crate::support::cluster::Cluster;
use crate::support::objects::{binding, ledger, service};
use crate::support::shop::{BLUE, GREEN, Shop, serve, share, targets};
use crate::support::standin::StandIn;

pub(crate) const FROM: &str = "bind svc/shop -n default --from blue --context green";

/// Blue shares the group and lets a security group in; green has the Service, and a controller.
pub(crate) async fn waiting(shop: &Shop) -> StandIn<'_> {
    let green = &shop.pair.green;
    share(&shop.pair.blue, &BLUE, &shop.group).await;
    shop.pair.blue.put(open_binding("shop", &shop.group)).await;
    shop.elbv2.register(&shop.group, &targets(BLUE));
    green.put(service("default", "shop", "NodePort")).await;
    serve(green, "shop", &GREEN).await;
    StandIn::whole(green, &shop.elbv2, "green-eks").await
}

/// A binding that lets `sg-0b1ue` come to its pods.
pub(crate) fn open_binding(name: &str, group: &TargetGroupArn) -> Value {
    let mut binding = binding("default", name, group.as_str());
    binding["spec"]["networking"] = json!({ "ingress": [{
        "from": [{ "securityGroup": { "groupID": "sg-0b1ue" } }],
        "ports": [{ "protocol": "TCP", "port": 80 }],
    }] });
    binding
}

async fn bindings(cluster: &Cluster) -> Vec<Value> {
    cluster.list(&binding("default", "", "")).await
}

pub(crate) async fn only(cluster: &Cluster) -> Value {
    let mut all = bindings(cluster).await;
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

pub(crate) fn spec(shop: &Shop) -> Value {
    json!({
        "targetGroupARN": shop.group.as_str(),
        "multiClusterTargetGroup": true,
        "targetType": "ip",
        "targetGroupProtocol": "TCP",
        "serviceRef": { "name": "shop", "port": 80 },
        "networking": { "ingress": [{
            "from": [{ "securityGroup": { "groupID": "sg-0b1ue" } }],
            "ports": [{ "protocol": "TCP", "port": 80 }],
        }] },
        "ipAddressType": "ipv4",
        "vpcID": VPC,
    })
}

#[tokio::test]
async fn a_second_cluster_joins_and_serves() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let before = everything(&shop).await;
    let plan = shop.desk.mctg(&format!("{FROM} --dry-run")).await.ended(0).stdout;
    for line in [
        "Plan: apply 1 TargetGroupBinding in green, change nothing else",
        "+ default/shop-http",
        "2 ready pods of svc/shop, port 80 (http)",
        "TCP 80 from sg-0b1ue, as in blue",
        "5 targets of 1000 allowed; share blue 100% ->",
        "--dry-run=client -o yaml",
    ] {
        assert!(plan.contains(line), "{line}: {plan}");
    }
    assert!(!plan.contains("undo"), "there is nothing to take back: {plan}");
    shop.desk.mctg(&format!("{FROM} --dry-run=server")).await.ended(0);
    assert_eq!(everything(&shop).await, before, "neither plan nor rehearsal changes anything");

    let done = shop.desk.mctg(&format!("{FROM} -o json")).await.ended(0).json();
    assert_eq!((&done["kind"], &done["complete"]), (&json!("Bind"), &json!(true)));
    let item = &done["items"][0];
    assert_eq!((&item["outcome"], &item["binding"]), (&json!("applied"), &json!("shop-http")));
    let goals = item["goals"].as_array().expect("goals").iter().map(|goal| goal["word"].clone());
    assert_eq!(goals.collect::<Vec<_>>(), ["ledger", "registered", "healthy"]);
    assert!(item["conclusion"].as_str().expect("a sentence").starts_with("green serves about "));
    let undo = item["next"].to_string();
    assert!(undo.contains("unbind tgb/shop-http -n default --context green"), "{undo}");
    assert_eq!(only(&shop.pair.green).await["spec"], spec(&shop));
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)));
    assert_eq!(shop.elbv2.writes(), [], "the controller registers");

    standin.settled().await;
    let before = everything(&shop).await;
    let again = shop.desk.mctg(&format!("{FROM} -o json")).await.ended(0).json();
    assert_eq!(again["items"][0]["outcome"], "unchanged", "{again:#}");
    let text = shop.desk.mctg(FROM).await.ended(0).stdout;
    assert!(text.contains("Nothing to change."), "{text}");
    assert_eq!(everything(&shop).await, before, "a second run writes nothing");
}

#[tokio::test]
async fn a_manifest_is_what_kubectl_applies() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let before = everything(&shop).await;
    let printed = shop.desk.mctg(&format!("{FROM} --dry-run=client -o yaml")).await.ended(0);
    assert_eq!(everything(&shop).await, before);
    assert_eq!(printed.yaml()["spec"], spec(&shop));
    shop.desk.home().write("shop.yaml", &printed.stdout);
    shop.desk.kubectl("apply -f shop.yaml --context green").await.ended(0);
    standin.settled().await;
    assert_eq!(only(&shop.pair.green).await["spec"], spec(&shop), "the webhook adds nothing");
    let again = shop.desk.mctg(&format!("{FROM} -o json")).await.ended(0).json();
    assert_eq!(again["items"][0]["outcome"], "unchanged", "{again:#}");
    let same = shop.desk.mctg(&format!("{FROM} --dry-run=client -o json")).await.ended(0).json();
    assert_eq!(same["spec"], spec(&shop));
}

#[tokio::test]
async fn by_its_arn_a_group_is_joined_that_nobody_binds_yet() {
    let shop = Shop::new().await;
    let green = &shop.pair.green;
    green.put(service("default", "shop", "NodePort")).await;
    serve(green, "shop", &GREEN).await;
    let standin = StandIn::whole(green, &shop.elbv2, "green-eks").await;
    let line = format!(
        "bind --service shop -n default --context green --target-group-arn {} --name by-arn \
         --source-cidr 10.0.0.0/16 --wait=false",
        shop.group
    );
    shop.desk.mctg(&line).await.ended(0);
    standin.settled().await;
    let made = only(green).await;
    assert_eq!(made["metadata"]["name"], "by-arn");
    let from = &made["spec"]["networking"]["ingress"][0]["from"];
    assert_eq!(*from, json!([{ "ipBlock": { "cidr": "10.0.0.0/16" } }]));
    assert_eq!(shop.registered(), targets(GREEN));
}

#[tokio::test]
async fn every_service_that_both_have_is_bound_and_no_other() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let (blue, green) = (&shop.pair.blue, &shop.pair.green);
    let till = shop.elbv2.group("k8s-default-till");
    blue.put(open_binding("till", &till)).await;
    blue.put(open_binding("alone", &shop.elbv2.group("k8s-default-alone"))).await;
    green.put(service("default", "till", "ClusterIP")).await;
    green.put(service("default", "own", "ClusterIP")).await;
    let all = "bind -A --from blue --context green";
    let printed = shop.desk.mctg(&format!("{all} --dry-run=client -o yaml")).await.ended(0).yaml();
    assert_eq!(printed["kind"], "List");
    let names = |list: &Value| -> Vec<Value> {
        let items = list.as_array().expect("items").iter();
        items.map(|item| item["metadata"]["name"].clone()).collect()
    };
    assert_eq!(names(&printed["items"]), ["shop-http", "till-http"]);
    let done = shop.desk.mctg(&format!("{all} -o json")).await.ended(0).json();
    let outcomes = done["items"].as_array().expect("items").iter().map(|it| it["outcome"].clone());
    assert_eq!(outcomes.collect::<Vec<_>>(), ["applied", "applied"], "{done:#}");
    standin.settled().await;
    assert_eq!(names(&Value::from(bindings(green).await)), ["shop-http", "till-http"]);
    let none = shop.desk.mctg("bind -l app=none --from blue --context green").await.ended(2);
    assert!(none.stderr.contains("nothing to bind"), "{}", none.stderr);
}

#[tokio::test]
async fn what_one_item_refuses_keeps_no_other_from_being_bound() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let green = &shop.pair.green;
    let line = "bind svc shop gone -n default --from blue --context green -o json";
    let done = shop.desk.mctg(line).await.ended(1).json();
    let items = done["items"].as_array().expect("items");
    let told: Vec<_> = items.iter().map(|it| (it["name"].clone(), it["outcome"].clone())).collect();
    let expected = [("svc/gone", "refused"), ("svc/shop", "applied")];
    assert_eq!(told, expected.map(|(name, outcome)| (json!(name), json!(outcome))), "{done:#}");
    standin.settled().await;
    assert_eq!(only(green).await["spec"], spec(&shop));
}

#[tokio::test]
async fn nodes_are_bound_too() {
    let shop = Shop::new().await;
    let green = &shop.pair.green;
    let mut service = service("default", "shop", "NodePort");
    service["spec"]["ports"][0]["nodePort"] = json!(30080);
    green.put(service).await;
    serve(green, "shop", &GREEN).await;
    let standin = StandIn::whole(green, &shop.elbv2, "green-eks").await;
    shop.elbv2.with(|model| {
        for (index, zone) in ["us-east-1a", "us-east-1b", "us-east-1c"].into_iter().enumerate() {
            model.add_instance(&format!("i-{index:017}"), VPC, zone);
        }
    });
    let nodes = shop.elbv2.group_like(&NewGroup::new("nodes", VPC).instance());
    let line = format!(
        "bind svc/shop -n default --context green --target-group-arn {nodes} --source-cidr 10.0.0.0/16 -o json"
    );
    let done = shop.desk.mctg(&line).await.ended(0).json();
    assert_eq!(done["items"][0]["outcome"], "applied", "{done:#}");
    let made = only(green).await;
    assert_eq!(made["spec"]["targetType"], "instance");
    assert_eq!(made["spec"]["networking"]["ingress"][0]["ports"][0]["port"], 30080);
    assert_eq!(shop.elbv2.registered(&nodes).len(), 3);
    drop(standin);
}

#[tokio::test]
async fn a_binding_that_differs_is_changed_with_a_yes_alone() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let green = &shop.pair.green;
    let mut by_hand = binding("default", "by-hand", shop.group.as_str());
    by_hand["spec"]["serviceRef"] = json!({ "name": "shop", "port": 80 });
    green.put(by_hand).await;
    standin.settled().await;
    let before = everything(&shop).await;
    let blocked = shop.desk.mctg(FROM).await.ended(3).stdout;
    for line in ["networking: nothing -> TCP 80 from sg-0b1ue", "needs --yes"] {
        assert!(blocked.contains(line), "{line}: {blocked}");
    }
    assert_eq!(everything(&shop).await, before);
    shop.desk.mctg(&format!("{FROM} --yes")).await.ended(0);
    let made = only(green).await;
    assert_eq!(made["metadata"]["name"], "by-hand");
    assert_eq!(made["spec"]["networking"], spec(&shop)["networking"]);
    let again = shop.desk.mctg(&format!("{FROM} -o json")).await.ended(0).json();
    assert_eq!(again["items"][0]["outcome"], "unchanged", "{again:#}");
}

#[tokio::test]
async fn a_ledger_from_before_goes_first_where_that_was_said() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let green = &shop.pair.green;
    green.put(ledger("default", "shop-http", "10.0.12.31:80")).await;
    let done =
        shop.desk.mctg(&format!("{FROM} --discard-ledger --yes -o json")).await.ended(0).json();
    let steps = done["items"][0]["steps"].as_array().expect("steps").iter();
    let actions: Vec<_> = steps.map(|step| step["action"].clone()).collect();
    assert_eq!(actions, ["deleteLedger", "applyBinding"], "{done:#}");
    standin.settled().await;
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)));
}
