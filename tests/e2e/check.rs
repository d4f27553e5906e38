//! `check` on real API servers: what passes, and each thing that keeps sharing from working.

use mctg::sim::Trouble;
use mctg::sim::elbv2::{ApiError, Operation};
use serde_json::{Value, json};

use crate::support::cluster::{Cluster, Rule, until};
use crate::support::kubeconfig::{Kubeconfig, dead_url};
use crate::support::objects::{controller, pod, slice};
use crate::support::programs::{Desk, Finished};
use crate::support::shop::Shop;

/// What did not pass: context, code and verdict.
fn wrong(document: &Finished) -> Vec<String> {
    let document = document.json();
    let results = document["results"].as_array().expect("it has results").iter();
    let wrong = results.filter(|it| it["verdict"] != "passed");
    let word = |value: &Value| value.as_str().expect("a word").to_owned();
    wrong
        .map(|it| [word(&it["context"]), word(&it["code"]), word(&it["verdict"])].join(" "))
        .collect()
}

pub(crate) fn crd() -> Value {
    let yaml = include_str!("../crds/elbv2.k8s.aws_targetgroupbindings.yaml");
    serde_saphyr::from_str(yaml).expect("the CRD is YAML")
}

/// The controller's webhook, with its Service in `kube-system`.
fn webhook() -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "aws-load-balancer-webhook" },
        "webhooks": [{
            "name": "vtargetgroupbinding.elbv2.k8s.aws",
            "admissionReviewVersions": ["v1beta1"],
            "sideEffects": "None",
            "failurePolicy": "Fail",
            "clientConfig": { "service": {
                "namespace": "kube-system", "name": "aws-load-balancer-webhook-service",
                "path": "/validate-elbv2-k8s-aws-v1beta1-targetgroupbinding",
            }},
            "rules": [{
                "apiGroups": ["elbv2.k8s.aws"], "apiVersions": ["v1beta1"],
                "operations": ["CREATE", "UPDATE"], "resources": ["targetgroupbindings"],
            }],
        }],
    })
}

#[tokio::test]
async fn clusters_in_which_all_is_well_pass_and_nothing_is_changed() {
    let shop = Shop::open().await;
    for cluster in [&shop.pair.blue, &shop.pair.green] {
        cluster.put(controller("v3.5.0", 2, 2)).await;
    }
    let only_own_name = shop.desk.mctg("check --context blue -o json").await;
    assert_eq!(wrong(&only_own_name.ended(0)), [""; 0]);
    let before = (shop.pair.blue.versions().await, shop.elbv2.writes());
    let both = shop.desk.mctg("check").await;
    // The controllers of the tests share one --cluster-name.
    both.ends(1).says("MCTG604 ControllerFlags").says("has the same --cluster-name blue");
    shop.desk.mctg("check --ignore MCTG604").await.ends(0).says("1 ignored");
    assert_eq!((shop.pair.blue.versions().await, shop.elbv2.writes()), before);
    let lines = shop.desk.mctg("check --context blue -o jsonl").await.ended(0).json_lines();
    assert!(lines.len() > 9 && lines.iter().all(|line| line["kind"] == "Check"), "{lines:#?}");
}

#[tokio::test]
async fn a_cluster_where_nothing_is_bound_passes_before_the_first_binding() {
    let shop = Shop::new().await;
    shop.pair.blue.put(controller("v3.5.0", 2, 2)).await;
    // A cluster that was just made publishes the schema of its types a moment later.
    until("nothing but a binding is missing", async || {
        let empty = shop.desk.mctg("check --context blue -o json").await;
        empty.code == Some(1) && wrong(&empty) == ["blue MCTG609 warning"]
    })
    .await;
    shop.desk.mctg("check --pre --context blue").await.ends(0).says("OK 1 context");
    let none = shop.desk.mctg("check --pre --context green -o json").await;
    assert_eq!(wrong(&none.ended(1)), ["green MCTG603 failed"]);
}

#[tokio::test]
async fn a_type_that_is_missing_or_lacks_the_field_is_named_with_its_remedy() {
    let cluster = Cluster::start_bare().await;
    let desk = Desk::new(&Kubeconfig::default().with("bare", cluster.admin()));
    let desk = desk.set("AWS_REGION", "us-east-1");
    let type_of = async || {
        let document = desk.mctg("check --pre -o json").await.json();
        let results = document["results"].as_array().expect("it has results").clone();
        results.into_iter().find(|it| it["code"] == "MCTG602").expect("the type is checked")
    };
    let missing = type_of().await;
    assert_eq!(missing["verdict"], "failed", "{missing:#}");
    let hint = missing["hint"].as_str().expect("there is a hint");
    assert!(hint.starts_with("kubectl --context bare apply --server-side"), "{hint}");

    let mut old = crd();
    for version in old["spec"]["versions"].as_array_mut().expect("a CRD has versions") {
        let spec = &mut version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        spec.as_object_mut().expect("a schema").remove("multiClusterTargetGroup");
    }
    cluster.install_crd(old).await;
    until("the schema is published", async || {
        let message = type_of().await["message"].to_string();
        message.contains("has no multiClusterTargetGroup")
    })
    .await;
    assert_eq!(type_of().await["verdict"], "failed");
    cluster.install_crd(crd()).await;
    until("the new schema is published", async || type_of().await["verdict"] == "passed").await;
}

#[tokio::test]
async fn a_webhook_with_nobody_behind_it_fails_until_somebody_is() {
    let shop = Shop::open().await;
    let blue = &shop.pair.blue;
    blue.put(webhook()).await;
    let unserved = shop.desk.mctg("check --context blue").await;
    unserved.ends(1).says("CRITICAL").says("MCTG606 WebhookServed failed");
    unserved.says("aws-load-balancer-webhook-service of the webhook has no ready endpoint");
    let ready = pod("kube-system", "controller-0", "10.0.12.2", "node-a");
    blue.put(slice("kube-system", "aws-load-balancer-webhook-service", &[ready])).await;
    let served = shop.desk.mctg("check --context blue -o json").await;
    assert_eq!(wrong(&served.ended(0)), [""; 0]);
}

#[tokio::test]
async fn what_a_user_may_not_do_is_named() {
    let shop = Shop::open().await;
    let reads = ["targetgroupbindings"];
    let rules = reads.map(|resource| Rule {
        namespace: None,
        group: "elbv2.k8s.aws",
        resource,
        verbs: &["list"],
    });
    let access = shop.pair.blue.user(&rules).await;
    let desk = shop.desk_with(&Kubeconfig::default().with("blue", access));
    let document = desk.mctg("check -o json").await;
    let told = wrong(&document);
    assert_eq!(document.code, Some(3), "{document:#?}");
    for line in [
        "blue MCTG603 unknown",
        "blue MCTG606 unknown",
        "blue MCTG607 failed",
        "blue MCTG607 warning",
    ] {
        assert!(told.contains(&line.to_owned()), "{line}: {told:?}");
    }
    let text = desk.mctg("check").await;
    text.ends(3).says("INCOMPLETE").says("This user may not run status and diff. Missing: ");
    text.says("list nodes").says("list services in namespace default");
    text.says("get configmaps in namespace default");
}

#[tokio::test]
async fn a_service_account_with_the_roles_of_manifests_passes_and_another_does_not() {
    let shop = Shop::open().await;
    let image = format!("example.com/kubectl-mctg@sha256:{}", "0".repeat(64));
    let printed = shop
        .desk
        .mctg(&format!("manifests svc/shop -n default --context blue --image {image} -o json"))
        .await;
    let printed = printed.ended(0).json();
    for object in printed["items"].as_array().expect("a list").clone() {
        let kind = object["kind"].as_str().unwrap_or_default();
        if kind.contains("Role") || ["Namespace", "ServiceAccount"].contains(&kind) {
            shop.pair.blue.put(object).await;
        }
    }
    let account = printed["items"]
        .as_array()
        .and_then(|items| items.iter().find(|it| it["kind"] == "ServiceAccount"))
        .expect("there is one");
    let name = |key: &str| account["metadata"][key].as_str().expect("it has a name").to_owned();
    let account = format!("{}/{}", name("namespace"), name("name"));
    let asked = format!("check --context blue -o json --service-account {account}");
    until("the server knows the roles", async || wrong(&shop.desk.mctg(&asked).await).is_empty())
        .await;
    let other = shop.desk.mctg("check --context blue -o json --service-account default/nobody");
    assert_eq!(wrong(&other.await.ended(1)), ["blue MCTG608 failed"]);
    shop.desk.mctg("check --service-account nobody").await.ends(2).says("NAMESPACE/NAME");
}

#[tokio::test]
async fn a_context_that_does_not_answer_hides_no_other() {
    let shop = Shop::open().await;
    let kubeconfig = Kubeconfig::default()
        .with("blue", shop.pair.blue.admin())
        .with("bad", shop.pair.green.admin().at(&dead_url()));
    let desk = shop.desk_with(&kubeconfig);
    let document = desk.mctg("check -o json").await;
    assert_eq!(wrong(&document), ["bad MCTG601 failed"]);
    document.ends(3);
    assert_eq!(document.json()["findings"][0]["code"], "MCTG901");
    desk.mctg("check --ignore MCTG601").await.ends(3).says("MCTG601 Reachable failed");
}

#[tokio::test]
async fn aws_that_refuses_a_call_or_the_credentials_is_named() {
    let shop = Shop::open().await;
    let operation = Operation::DescribeTargetHealth;
    let refusal = ApiError::access_denied("arn:aws:iam::111122223333:user/ci", operation.as_str());
    shop.trouble(operation, &Trouble::Refused(refusal));
    let refused = shop.desk.mctg("check --context blue").await;
    refused.ends(1).says("MCTG611 AwsReads failed");
    refused.says("elasticloadbalancing:DescribeTargetHealth");
    let nobody = shop
        .machine()
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .without("AWS_SESSION_TOKEN");
    let document = nobody.mctg("check --context blue -o json").await;
    assert_eq!(wrong(&document.ended(1)), ["blue MCTG610 failed"]);
}
