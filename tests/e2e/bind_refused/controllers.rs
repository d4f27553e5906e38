//! What stands against a binding in the cluster that it would be written to: its controller, its type.

use serde_json::{Value, json};

use super::{by_arn, deployed, desk_of, hint, message, refused, still};
use crate::bind::FROM;
use crate::bind::open_binding;
use crate::support::cluster::{Cluster, until};
use crate::support::objects::{binding, controller, lease, service};
use crate::support::shop::{BLUE, Shop, nodes, share, targets};

const OLD: &str = "2026-01-01T00:00:00.000000Z";

#[tokio::test]
async fn a_controller_that_is_too_old() {
    let shop = Shop::new().await;
    still(&shop).await;
    let green = &shop.pair.green;
    green.put(controller("v2.9.2", 1, 1)).await;
    let item = refused(&shop, &shop.desk, FROM, 1, ("refused", "ControllerTooOld")).await;
    let told = message(&item, "ControllerTooOld");
    assert_eq!(told, "the controller is v2.9.2, and sharing a target group takes 2.10");
    let way = hint(&item, "ControllerTooOld");
    assert!(way.starts_with("helm --kube-context green upgrade "), "{way}");
    // It shares, but not twice in one cluster.
    green.put(controller("v2.11.0", 1, 1)).await;
    green.put(service("default", "other", "ClusterIP")).await;
    green.put(binding("default", "other", shop.group.as_str())).await;
    let item = refused(&shop, &shop.desk, FROM, 1, ("refused", "ControllerTooOld")).await;
    assert!(message(&item, "ControllerTooOld").contains("take 2.12"), "{item:#}");
}

#[tokio::test]
async fn a_controller_that_is_not_at_work() {
    let shop = Shop::new().await;
    still(&shop).await;
    let green = &shop.pair.green;
    green.put(controller("v3.5.0", 2, 0)).await;
    green.put(lease(OLD)).await;
    let item = refused(&shop, &shop.desk, FROM, 1, ("refused", "ControllerNotAlive")).await;
    let told = message(&item, "ControllerNotAlive");
    assert!(told.contains("has 0 of 2 replicas ready"), "{told}");
    let line = hint(&item, "ControllerNotAlive");
    let rest = line.strip_prefix("kubectl ").expect("a line of kubectl");
    shop.desk.kubectl(rest).await.ended(0);
}

#[tokio::test]
async fn a_controller_that_nobody_may_look_for() {
    let shop = Shop::new().await;
    still(&shop).await;
    let green = &shop.pair.green;
    green.put(controller("v3.5.0", 2, 0)).await;
    let mut rules = super::unread::rules();
    rules.retain(|rule| rule.resource != "deployments");
    let desk = desk_of(&shop, green.user(&rules).await);
    let item = refused(&shop, &desk, FROM, 3, ("unknown", "Controller")).await;
    let told = message(&item, "Controller");
    assert!(told.contains("deployments.apps is forbidden"), "{told}");
}

#[tokio::test]
async fn eks_auto_mode_without_the_controller() {
    let shop = Shop::new().await;
    still(&shop).await;
    let green = &shop.pair.green;
    green.delete(&controller("v3.5.0", 1, 1)).await;
    let mut auto = binding("default", "auto", shop.elbv2.group("auto").as_str());
    auto["apiVersion"] = json!("eks.amazonaws.com/v1");
    auto["spec"]["serviceRef"]["name"] = json!("shop");
    green.put(auto).await;
    let item = refused(&shop, &shop.desk, FROM, 1, ("refused", "ControllerAbsent")).await;
    let told = message(&item, "ControllerAbsent");
    assert!(told.contains("green has EKS Auto Mode"), "{told}");
    assert_eq!(green.list(&binding("default", "", "")).await, Vec::<Value>::new());
}

/// The type without some of its fields, as an older release had it.
fn crd_without(fields: &[&str]) -> Value {
    let yaml = include_str!("../../crds/elbv2.k8s.aws_targetgroupbindings.yaml");
    let mut crd: Value = serde_saphyr::from_str(yaml).expect("the CRD is YAML");
    for version in crd["spec"]["versions"].as_array_mut().expect("a CRD has versions") {
        let spec = &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        for field in fields {
            spec.as_object_mut().expect("a schema").remove(*field);
        }
    }
    crd
}

#[tokio::test]
async fn a_type_that_is_too_old() {
    let shop = Shop::new().await;
    share(&shop.pair.blue, &BLUE, &shop.group).await;
    shop.pair.blue.put(open_binding("shop", &shop.group)).await;
    shop.elbv2.register(&shop.group, &targets(BLUE));
    // No other test is to find its type like that.
    let old = Cluster::start_bare().await;
    let desk = desk_of(&shop, old.admin());
    nodes(&old).await;
    deployed(&old).await;
    let role =
        "--assume-role-arn arn:aws:iam::111122223333:role/shop --external-id four --no-assume-role";
    let by_role = format!("{} {role}", by_arn(&shop.group));
    let cases = [
        ("multiClusterTargetGroup", FROM.to_owned()),
        ("iamRoleArnToAssume", by_role.clone()),
        ("assumeRoleExternalId", by_role),
    ];
    for (field, line) in cases {
        old.install_crd(crd_without(&[field])).await;
        let told = format!("the type TargetGroupBinding of green has no {field}");
        let report = async || desk.mctg(&format!("{line} -o json")).await.json();
        // The server publishes a schema a moment after it took it.
        until(&told, async || report().await.to_string().contains(&told)).await;
        let before = old.versions().await;
        let text = desk.mctg(&line).await;
        text.ends(1).says(&told).says("Nothing was changed");
        text.says("helm show crds eks/aws-load-balancer-controller | kubectl --context green");
        assert_eq!(old.versions().await, before, "{line}");
        assert_eq!(old.list(&binding("default", "", "")).await, Vec::<Value>::new());
    }
    assert_eq!(shop.elbv2.writes(), []);
}
