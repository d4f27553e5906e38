//! Services, groups and bindings that do not go together, and what is told beside a plan.

use mctg::sim::elbv2::NewGroup;
use mctg::sim::world::VPC;
use serde_json::{Value, json};

use super::{by_arn, hint, message, refused, still};
use crate::bind::FROM;
use crate::enable::everything;
use crate::support::objects::{binding, controller, service};
use crate::support::owners::adopt_by_ack;
use crate::support::shop::{BLUE, Shop, targets};

const ROLE: &str = "arn:aws:iam::111122223333:role/shop";

#[tokio::test]
async fn a_group_that_takes_other_targets() {
    let shop = Shop::new().await;
    still(&shop).await;
    let nodes = NewGroup::new("nodes", VPC).instance();
    let lambda = NewGroup { target_type: "lambda".to_owned(), ..NewGroup::new("code", VPC) };
    let quic = NewGroup::new("quic", VPC).instance().protocol("QUIC");
    let cases = [
        (
            NewGroup::new("six", VPC).ipv6(),
            "",
            "six takes ipv6 addresses, and Service default/shop has none",
        ),
        (lambda, "", "code takes targets of type lambda, not pods or nodes"),
        (quic, "", "quic is for QUIC, which no node can take"),
        (
            nodes,
            "--no-assume-role --assume-role-arn ",
            "cannot be registered through an assumed role",
        ),
    ];
    for (group, flags, told) in cases {
        let line = by_arn(&shop.elbv2.group_like(&group));
        let line = if flags.is_empty() { line } else { format!("{line} {flags}{ROLE}") };
        let item = refused(&shop, &shop.desk, &line, 1, ("refused", "BindingMismatch")).await;
        let message = message(&item, "BindingMismatch");
        assert!(message.contains(told), "{told}: {message}");
    }
}

#[tokio::test]
async fn nodes_of_another_vpc() {
    let shop = Shop::new().await;
    still(&shop).await;
    let mut generated = binding("default", "own", shop.elbv2.group("own").as_str());
    generated["metadata"]["labels"] = json!({
        "service.k8s.aws/stack-namespace": "default",
        "service.k8s.aws/stack-name": "own",
    });
    generated["spec"]["vpcID"] = json!("vpc-0123456789abcdef0");
    let green = &shop.pair.green;
    green.put(service("default", "own", "LoadBalancer")).await;
    green.put(generated).await;
    let nodes = shop.elbv2.group_like(&NewGroup::new("nodes", VPC).instance());
    let item = refused(&shop, &shop.desk, &by_arn(&nodes), 1, ("refused", "BindingMismatch")).await;
    let told = message(&item, "BindingMismatch");
    assert!(
        told.contains(&format!("nodes is in {VPC} and takes nodes, and green is in")),
        "{told}"
    );
}

#[tokio::test]
async fn a_service_that_cannot_be_bound() {
    let shop = Shop::new().await;
    still(&shop).await;
    let green = &shop.pair.green;
    let mut two = service("default", "two", "ClusterIP");
    two["spec"]["ports"] = json!([
        { "name": "http", "port": 80, "protocol": "TCP" },
        { "name": "admin", "port": 8080, "protocol": "TCP" },
    ]);
    let alias = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "namespace": "default", "name": "alias" },
        "spec": { "type": "ExternalName", "externalName": "shop.example.com" },
    });
    green.put(two).await;
    green.put(alias).await;
    let line =
        |name: &str| by_arn(&shop.elbv2.group(name)).replace("svc/shop", &format!("svc/{name}"));
    let item = refused(&shop, &shop.desk, &line("two"), 1, ("refused", "Port")).await;
    let told = message(&item, "Port");
    assert_eq!(
        told,
        "Service default/two has the ports 80 (http) and 8080 (admin), and nothing tells which"
    );
    let item = refused(&shop, &shop.desk, &line("alias"), 1, ("refused", "BackendNotFound")).await;
    assert!(message(&item, "BackendNotFound").contains("is a DNS alias"), "{item:#}");
}

#[tokio::test]
async fn a_binding_that_is_there_and_cannot_become_what_it_has_to_be() {
    let shop = Shop::new().await;
    still(&shop).await;
    let green = &shop.pair.green;
    let mut six = binding("default", "six", shop.group.as_str());
    six["spec"]["serviceRef"]["name"] = json!("shop");
    six["spec"]["ipAddressType"] = json!("ipv6");
    green.put(six.clone()).await;
    let item = refused(&shop, &shop.desk, FROM, 1, ("refused", "BindingMismatch")).await;
    assert_eq!(message(&item, "BindingMismatch"), "six has another ipAddressType for good");
    let way = "kubectl mctg unbind tgb/six -n default --context green";
    assert_eq!(hint(&item, "BindingMismatch"), way);
    green.delete(&six).await;

    let mut leaving = binding("default", "leaving", shop.group.as_str());
    leaving["spec"]["serviceRef"]["name"] = json!("shop");
    leaving["metadata"]["finalizers"] = json!(["elbv2.k8s.aws/resources"]);
    green.put(leaving.clone()).await;
    green.delete(&leaving).await;
    let item = refused(&shop, &shop.desk, FROM, 1, ("refused", "Binding")).await;
    assert_eq!(message(&item, "Binding"), "default/leaving binds it and is being deleted");
}

#[tokio::test]
async fn a_group_that_ack_manages() {
    let shop = Shop::new().await;
    still(&shop).await;
    adopt_by_ack(&shop.pair.green, shop.group.as_str()).await;
    let item = refused(&shop, &shop.desk, FROM, 1, ("refused", "ForeignController")).await;
    let checks = item["checks"].to_string();
    assert!(checks.contains("MCTG102"), "{checks}");
    assert!(hint(&item, "ForeignController").starts_with("kubectl "), "{item:#}");
}

/// What a plan warns of, and binds all the same.
async fn warned(shop: &Shop, line: &str) -> Vec<String> {
    let before = everything(shop).await;
    let report = shop.desk.mctg(&format!("{line} --dry-run -o jsonl")).await.ended(0).json_lines();
    assert_eq!(everything(shop).await, before, "{line}");
    let checks = report[0]["checks"].as_array().expect("checks").iter();
    let warnings = checks.filter(|it| it["verdict"] == "warning");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    warnings.map(|it| format!("{}: {}", text(&it["name"]), text(&it["message"]))).collect()
}

#[tokio::test]
async fn what_is_worth_knowing_beforehand_is_told_and_forbids_nothing() {
    let shop = Shop::new().await;
    still(&shop).await;
    let green = &shop.pair.green;
    assert_eq!(warned(&shop, FROM).await, [""; 0]);
    let key = "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage";
    shop.elbv2.with(|model| {
        model.edit_group(&shop.group, |group| {
            group.attributes.insert(key.to_owned(), "75".to_owned());
        });
        model.set_limit("targets-per-target-group", 6);
    });
    let mut small = controller("v3.5.0", 1, 1);
    let args = &mut small["spec"]["template"]["spec"]["containers"][0]["args"];
    args.as_array_mut().expect("flags").push(json!("--max-targets-per-target-group=4"));
    green.put(small).await;
    green.put(service("default", "shop", "LoadBalancer")).await;
    let warnings = warned(&shop, FROM).await;
    let told = [
        "OwnLoadBalancer: Service default/shop is of type LoadBalancer",
        "QuotaNear: the group will hold 5 targets of 6 allowed",
        "ControllerLimit: the controller here registers up to 4 in all",
        "MinimumHealth: until the new targets are checked 60% of the group is healthy, and under 75% \
         traffic goes to unhealthy targets too",
    ];
    assert_eq!(warnings.len(), told.len(), "{warnings:#?}");
    for (warning, told) in warnings.iter().zip(told) {
        assert!(warning.starts_with(told), "{told}: {warning}");
    }
    let plan = shop.desk.mctg(&format!("{FROM} --dry-run")).await;
    plan.ends(0)
        .says("MinimumHealth: until the new targets are checked 60% of the group is healthy");
    assert_eq!(shop.registered(), targets(BLUE));
}
