//! The TargetGroupBinding CRDs of the tests behave as the controllers' own.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::cluster::Cluster;
use crate::support::pool::pair;

/// What becomes of a manifest.
#[derive(Clone, Debug, PartialEq)]
enum Fate {
    /// Stored as it was sent.
    Kept,
    /// Stored, with this spec.
    Pruned(Value),
    /// Refused, naming this.
    Refused(&'static str),
}

use Fate::{Kept, Pruned, Refused};

const LBC: &str = "elbv2.k8s.aws/v1beta1";
const LBC_OLD: &str = "elbv2.k8s.aws/v1alpha1";
const AUTO: &str = "eks.amazonaws.com/v1";

fn cases() -> Vec<(&'static str, Value, Fate)> {
    let service = json!({ "name": "web", "port": 80 });
    let everything = json!({
        "targetGroupARN": "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b",
        "targetGroupName": "a",
        "multiClusterTargetGroup": true,
        "targetType": "ip",
        "targetGroupProtocol": "TCP_QUIC",
        "serviceRef": { "name": "web", "port": "http" },
        "networking": { "ingress": [{
            "from": [{ "ipBlock": { "cidr": "10.0.0.0/8" } }, { "securityGroup": { "groupID": "sg-1" } }],
            "ports": [{ "port": "http", "protocol": "TCP" }, { "port": 80 }, {}],
        }]},
        "nodeSelector": {
            "matchLabels": { "a": "b" },
            "matchExpressions": [{ "key": "k", "operator": "In", "values": ["v"] }],
        },
        "ipAddressType": "ipv6",
        "vpcID": "vpc-1",
        "iamRoleArnToAssume": "arn:aws:iam::1:role/r",
        "assumeRoleExternalId": "x",
    });
    let without = |names: &[&str]| {
        let mut spec = everything.clone();
        spec.as_object_mut()
            .expect("a spec is an object")
            .retain(|name, _| !names.contains(&name.as_str()));
        spec
    };
    let only = |name: &str, value: Value| json!({ "serviceRef": service, name: value });
    let ingress = |rule: Value| only("networking", json!({ "ingress": [rule] }));
    let small = ["targetGroupProtocol", "nodeSelector", "ipAddressType", "vpcID"];
    let mut auto = without(&["targetGroupName", "iamRoleArnToAssume", "assumeRoleExternalId"]);
    auto["networking"] = json!({ "ingress": [{ "from": [{ "securityGroup": { "groupID": "sg-1" } }], "ports": [] }]});
    vec![
        (LBC, everything.clone(), Kept),
        (LBC, json!({ "serviceRef": service }), Kept),
        (LBC, only("targetGroupARN", json!("")), Kept),
        (LBC, only("vpcID", json!("not a VPC")), Kept),
        (LBC, only("multiClusterTargetGroup", json!(false)), Kept),
        (
            LBC,
            only("multiClusterTargetGroup", json!("true")),
            Refused("spec.multiClusterTargetGroup"),
        ),
        (LBC, json!({}), Refused("spec.serviceRef")),
        (LBC, json!({ "serviceRef": { "name": "web" } }), Refused("spec.serviceRef.port")),
        (LBC, json!({ "serviceRef": { "port": 80 } }), Refused("spec.serviceRef.name")),
        (
            LBC,
            json!({ "serviceRef": { "name": "web", "port": 1.5 } }),
            Refused("spec.serviceRef.port"),
        ),
        (LBC, only("targetType", json!("lambda")), Refused("spec.targetType")),
        (LBC, only("ipAddressType", json!("dualstack")), Refused("spec.ipAddressType")),
        (LBC, only("targetGroupProtocol", json!("tcp")), Refused("spec.targetGroupProtocol")),
        (LBC, ingress(json!({ "from": [], "ports": [] })), Kept),
        (LBC, ingress(json!({ "from": [] })), Refused("spec.networking.ingress[0].ports")),
        (LBC, ingress(json!({ "ports": [] })), Refused("spec.networking.ingress[0].from")),
        (
            LBC,
            ingress(json!({ "from": [{ "ipBlock": {} }], "ports": [] })),
            Refused("ipBlock.cidr"),
        ),
        (
            LBC,
            ingress(json!({ "from": [{ "securityGroup": {} }], "ports": [] })),
            Refused("securityGroup.groupID"),
        ),
        (
            LBC,
            ingress(json!({ "from": [], "ports": [{ "protocol": "ICMP" }] })),
            Refused("ports[0].protocol"),
        ),
        (LBC, only("nodeSelector", json!({})), Kept),
        (
            LBC,
            only("nodeSelector", json!({ "matchExpressions": [{ "key": "k" }] })),
            Refused("operator"),
        ),
        (LBC, only("maxTargets", json!(5)), Pruned(json!({ "serviceRef": service }))),
        (
            LBC,
            json!({ "serviceRef": { "name": "web", "port": 80, "namespace": "x" } }),
            Pruned(json!({ "serviceRef": service })),
        ),
        (LBC_OLD, without(&small), Kept),
        // Read through the smaller schema, the rest is gone.
        (LBC_OLD, everything.clone(), Pruned(without(&small))),
        (LBC_OLD, json!({}), Refused("spec.serviceRef")),
        (AUTO, auto.clone(), Kept),
        (AUTO, json!({ "serviceRef": service }), Refused("spec.targetType")),
        (AUTO, json!({ "targetType": "ip" }), Refused("spec.serviceRef")),
        (
            AUTO,
            {
                let mut named = auto.clone();
                named["targetGroupName"] = json!("a");
                named
            },
            Pruned(auto),
        ),
    ]
}

#[tokio::test]
async fn the_crds_keep_prune_and_refuse_what_the_controllers_do() {
    let pair = pair().await;
    for (index, (api_version, spec, expected)) in cases().into_iter().enumerate() {
        let fate = fate(&pair.blue, index, api_version, &spec).await;
        assert_fate(fate, &expected, api_version, &spec);
    }
}

/// The controller's CRD is not part of this repository; beside it, it is compared with.
#[tokio::test]
async fn the_controllers_own_crd_does_the_same_where_it_lies_beside_the_repository() {
    const REAL: &str = "shared/crds/elbv2.k8s.aws_targetgroupbindings.yaml";
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let Some(real) = here.ancestors().map(|folder| folder.join(REAL)).find(|path| path.is_file())
    else {
        return;
    };
    let real = std::fs::read_to_string(real).expect("the CRD can be read");
    let real: Value = serde_saphyr::from_str(&real).expect("the CRD is YAML");
    let ours = include_str!("../crds/elbv2.k8s.aws_targetgroupbindings.yaml");
    let ours: Value = serde_saphyr::from_str(ours).expect("the CRD is YAML");
    assert_eq!(meaning(&ours["spec"]), meaning(&real["spec"]));

    let cluster = Cluster::start_bare().await;
    cluster.install_crd(real).await;
    for (index, (api_version, spec, expected)) in cases().into_iter().enumerate() {
        if api_version != AUTO {
            let fate = fate(&cluster, index, api_version, &spec).await;
            assert_fate(fate, &expected, api_version, &spec);
        }
    }
}

/// A CRD's spec without its descriptions, and with sets in order.
fn meaning(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(name, value)| !(*name == "description" && value.is_string()))
            .map(|(name, value)| {
                let mut value = meaning(value);
                if let ("required", Value::Array(names)) = (name.as_str(), &mut value) {
                    names.sort_by_key(Value::to_string);
                }
                (name.clone(), value)
            })
            .collect(),
        Value::Array(list) => list.iter().map(meaning).collect(),
        other => other.clone(),
    }
}

/// What came of it: the stored spec, or the server's words.
async fn fate(
    cluster: &Cluster,
    index: usize,
    api_version: &str,
    spec: &Value,
) -> Result<Value, String> {
    let manifest = json!({
        "apiVersion": api_version,
        "kind": "TargetGroupBinding",
        "metadata": { "name": format!("case-{index}"), "namespace": "default" },
        "spec": spec,
    });
    Ok(cluster.create(&manifest).await?["spec"].clone())
}

#[track_caller]
fn assert_fate(fate: Result<Value, String>, expected: &Fate, api_version: &str, spec: &Value) {
    let what = format!("{api_version} {spec:#}");
    match (fate, expected) {
        (Ok(stored), Kept) => assert_eq!(stored, *spec, "{what}"),
        (Ok(stored), Pruned(kept)) => assert_eq!(stored, *kept, "{what}"),
        (Err(why), Refused(field)) => assert!(why.contains(field), "{why}: {what}"),
        (fate, expected) => panic!("{fate:?} instead of {expected:?}: {what}"),
    }
}
