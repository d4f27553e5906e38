//! Bindings of every kind: instance, IPv6, exclusive, several, by name, going, broken, Auto Mode.

use mctg::sim::elbv2::NewGroup;
use mctg::sim::world::{VPC, ZONES};
use serde_json::{Value, json};

use crate::support::objects::{binding, ledger, pod, service, slice};
use crate::support::shop::{BLUE, GREEN, Shop, serve, share, targets};

#[tokio::test]
async fn instances_are_registered_by_node_port() {
    let shop = Shop::new().await;
    let group = shop.elbv2.group_like(&NewGroup::new("nodes", VPC).instance());
    shop.elbv2.with(|model| {
        for (index, (zone, _)) in ZONES.iter().enumerate() {
            model.add_instance(&format!("i-{index:017}"), VPC, zone);
        }
    });
    let stored = shop.pair.blue.put(service("default", "shop", "NodePort")).await;
    let port = stored["spec"]["ports"][0]["nodePort"].as_u64().expect("it was given one");
    let mut own = binding("default", "shop", group.as_str());
    own["spec"]["targetType"] = json!("instance");
    shop.pair.blue.put(own.clone()).await;
    let run = shop.desk.mctg("reconcile --yes -o json").await.ended(0);
    let expected: Vec<_> = (0..3).map(|index| format!("i-{index:017}:{port}")).collect();
    assert_eq!(shop.elbv2.registered(&group), expected, "{run:#?}");
    let wide = shop.desk.mctg("status -o wide --ignore MCTG501").await.ended(0);
    assert!(wide.stdout.contains("node-2"), "{}", wide.stdout);

    own["spec"]["nodeSelector"] =
        json!({ "matchLabels": { "topology.kubernetes.io/zone": "us-east-1b" } });
    shop.pair.blue.put(own).await;
    shop.desk.mctg("reconcile --yes").await.ended(0);
    assert_eq!(shop.elbv2.registered(&group), expected[1..2]);
}

#[tokio::test]
async fn ipv6_addresses_are_registered_and_tracked_as_the_controller_writes_them() {
    let shop = Shop::new().await;
    let group = shop.elbv2.group_like(&NewGroup::new("six", VPC).ipv6());
    shop.elbv2.with(|model| {
        let vpc = mctg::sim::elbv2::Vpc::default().subnet("us-east-1a", "2600:1f18::/64");
        model.add_vpc(VPC, vpc);
    });
    let mut stored = service("default", "shop", "ClusterIP");
    stored["spec"]["ipFamilies"] = json!(["IPv4"]);
    shop.pair.blue.put(stored).await;
    let pods = [pod("default", "six", "2600:1f18::5", "node-0")];
    shop.pair.blue.put(pods[0].clone()).await;
    let mut endpoints = slice("default", "shop", &pods);
    endpoints["addressType"] = json!("IPv6");
    shop.pair.blue.put(endpoints).await;
    let mut own = binding("default", "shop", group.as_str());
    own["spec"]["ipAddressType"] = json!("ipv6");
    shop.pair.blue.put(own).await;
    shop.desk.mctg("reconcile --yes").await.ended(0);
    let registered = shop.elbv2.registered(&group);
    assert_eq!(registered.len(), 1, "{registered:?}");
    let tracked = shop.pair.blue.get(&ledger("default", "shop", "")).await.expect("a ledger");
    assert_eq!(tracked["data"]["targets"], "2600:1f18::5:80");
    shop.desk.mctg("diff").await.ended(0);
    shop.desk.mctg("status -o wide --ignore 501").await.ended(0);
}

#[tokio::test]
async fn an_exclusive_binding_is_reported_and_left_alone() {
    let shop = Shop::open().await;
    let mut own = binding("default", "shop", shop.group.as_str());
    own["spec"]["multiClusterTargetGroup"] = json!(false);
    shop.pair.green.put(own).await;
    shop.drift().await;
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    assert_eq!(status["findings"][0]["code"], "MCTG101", "{:#}", status["findings"]);
    assert_eq!(status["findings"][0]["severity"], "critical");
    assert_eq!(status["targetGroups"][0]["bindings"][1]["state"], "exclusive");
    shop.desk.mctg("status").await.ended(1);
    let run = shop.desk.mctg("reconcile --context green --yes -o json").await.ended(0).json();
    assert_eq!(run["bindings"][0]["outcome"], "skipped", "{run:#}");
    let text = shop.desk.mctg("reconcile --context green --yes").await.ended(0);
    assert!(text.stdout.contains("skipped"), "{}", text.stdout);
    assert_eq!(shop.elbv2.writes(), []);
}

#[tokio::test]
async fn several_bindings_of_a_group_keep_each_its_own() {
    let shop = Shop::open().await;
    shop.drift().await;
    let blue = &shop.pair.blue;
    blue.put(service("default", "till", "ClusterIP")).await;
    serve(blue, "till", &["10.0.12.200"]).await;
    blue.put(binding("default", "till", shop.group.as_str())).await;
    shop.desk.mctg("status").await.ended(1);
    let run = shop.desk.mctg("reconcile --context * --yes -o json").await.ended(0).json();
    assert_eq!(run["bindings"].as_array().map(Vec::len), Some(3), "{run:#}");
    let tracked = blue.get(&ledger("default", "till", "")).await.expect("a ledger");
    assert_eq!(tracked["data"]["targets"], "10.0.12.200:80");
    assert_eq!(shop.registered().len(), 7);
    shop.desk.mctg("diff --context *").await.ended(0);
}

#[tokio::test]
async fn a_binding_by_name_is_resolved() {
    let shop = Shop::open().await;
    let mut own = binding("default", "shop", "");
    own["spec"].as_object_mut().expect("an object").remove("targetGroupARN");
    own["spec"]["targetGroupName"] = json!("k8s-default-shop");
    shop.pair.green.put(own).await;
    shop.drift().await;
    // The nodes tell the region that no ARN does.
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let bindings = status["targetGroups"][0]["bindings"].as_array().expect("bindings");
    assert_eq!(bindings.len(), 2, "{status:#}");
    shop.desk.mctg("reconcile --context * --yes").await.ended(0);
    shop.desk.mctg("diff --context *").await.ended(0);
}

#[tokio::test]
async fn a_binding_that_is_being_deleted_is_cleaned_up_and_let_go() {
    let shop = Shop::open().await;
    let mut own = binding("default", "shop", shop.group.as_str());
    own["metadata"]["finalizers"] = json!(["elbv2.k8s.aws/resources"]);
    shop.pair.green.put(own.clone()).await;
    shop.pair.green.delete(&own).await;
    assert!(shop.pair.green.get(&own).await.is_some(), "its finalizer holds it");
    shop.desk.mctg("status").await;
    let run = shop.desk.mctg("reconcile --context green --yes").await.ended(0);
    assert_eq!(shop.registered(), targets(BLUE), "{run:#?}");
    assert_eq!(shop.pair.green.get(&own).await, None);
    assert_eq!(shop.pair.green.get(&ledger("default", "shop", "")).await, None);
    shop.desk.mctg("diff --context *").await.ended(0);
}

#[tokio::test]
async fn without_its_service_a_binding_desires_nothing_and_its_targets_go() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    green.delete(&service("default", "shop", "")).await;
    for address in GREEN {
        let last = address.rsplit('.').next().expect("an address");
        green.delete(&pod("default", &format!("shop-{last}"), "", "")).await;
    }
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    assert_eq!(status["targetGroups"][0]["bindings"][1]["state"], "failing");
    shop.desk.mctg("status").await.ended(1);
    let run = shop.desk.mctg("reconcile --context green --yes").await.ended(0);
    assert_eq!(shop.registered(), targets(BLUE), "{run:#?}");
    assert_eq!(green.get(&ledger("default", "shop", "")).await, None);
    let again = shop.desk.mctg("reconcile --context green --yes -o json").await.ended(0).json();
    assert_eq!(again["bindings"][0]["steps"], json!([]), "{again:#}");
}

#[tokio::test]
async fn an_auto_mode_binding_is_read_and_not_written() {
    let shop = Shop::new().await;
    share(&shop.pair.blue, &BLUE, &shop.group).await;
    let green = &shop.pair.green;
    green.put(service("default", "shop", "NodePort")).await;
    serve(green, "shop", &GREEN).await;
    let mut own = binding("default", "shop", shop.group.as_str());
    own["apiVersion"] = json!("eks.amazonaws.com/v1");
    green.put(own).await;
    let mut tracked = ledger("default", "shop", &targets(GREEN).join(","));
    tracked["metadata"]["name"] = json!("eks-lbc-targets-shop");
    green.put(tracked).await;
    shop.elbv2.register(&shop.group, &targets(BLUE));
    shop.elbv2.register(&shop.group, &targets([GREEN[0]]));
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let auto = &status["targetGroups"][0]["bindings"][1];
    assert_eq!(auto["controller"], "eks-auto-mode", "{auto:#}");
    assert_eq!((&auto["desired"], &auto["tracked"]), (&json!(2), &json!(2)));
    assert_eq!(auto["registered"], 1);
    shop.desk.mctg("status").await.ended(1);
    let before = green.versions().await;
    let run = shop.desk.mctg("reconcile --context green --yes -o json").await.json();
    assert_ne!(run["bindings"][0]["outcome"], "applied", "{run:#}");
    shop.desk.mctg("reconcile --context green --yes").await;
    assert_eq!(shop.elbv2.writes(), []);
    assert_eq!(green.versions().await, before);
    let missing = &status["findings"][0];
    assert_eq!(missing["code"], "MCTG201");
    assert_eq!(missing["fix"], Value::Null, "nothing is offered that would be skipped");
}
