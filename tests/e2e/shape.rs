//! The documents have every field of the contract (`product.md` 8), each of its type.

use serde_json::{Value, json};

use crate::support::objects::controller;
use crate::support::shop::Shop;

/// The contract's own example of a status: its fields and types are what is compared.
const STATUS: &str = r#"{"apiVersion":"mctg/v1","kind":"Status","observedAt":"2026-01-01T00:00:00Z","complete":true,
 "contexts":[{"context":"pri","cluster":"pri-eks-clu1","reachable":true,"reason":null,"message":null,
   "controllers":[{"kind":"aws-load-balancer-controller","version":"v3.5.0","alive":true}]}],
 "targetGroups":[{"arn":"...","name":"...","region":"us-east-1","targetType":"ip","ipAddressType":"ipv4","protocol":"TCP","port":80,"vpcId":"...","shareBasis":"zones",
   "loadBalancers":[{"arn":"...","name":"...","type":"network","dnsName":"...","scheme":"internal","state":"active","deletionProtection":true}],
   "health":{"healthy":4,"initial":0,"unhealthy":0,"draining":0,"unused":0,"unavailable":0},
   "bindings":[{"context":"pri","namespace":"default","name":"nginx","controller":"aws-load-balancer-controller","multiCluster":true,
     "owner":{"kind":"Service","name":"nginx"},"service":{"name":"nginx","port":80},
     "desired":3,"tracked":3,"registered":3,"healthy":3,"healthyByZone":{"us-east-1a":3},"share":0.75,"ledgerBytes":44,"checkpoint":"current","state":"inSync"}],
   "targets":[{"id":"10.0.0.1","port":80,"quicServerId":null,"availabilityZone":"us-east-1a","class":"inSync","pending":false,"pod":"default/nginx-1","node":"n",
     "health":{"state":"healthy","reason":null,"description":null},
     "desiredBy":[{"context":"pri","namespace":"default","binding":"nginx"}],"trackedBy":[{"context":"pri","namespace":"default","binding":"nginx"}]}],
   "ifLost":[{"context":"pri","healthyLeft":1,"shareLeft":0.25,"zonesDark":["us-east-1a"],"ownsLoadBalancer":true}]}],
 "findings":[{"code":"MCTG101","name":"ExclusiveBinding","severity":"critical","message":"...","fix":"kubectl mctg enable ...",
   "context":"sec","namespace":"default","binding":"nginx","targetGroupArn":"...","targets":[{"id":"10.0.0.1","port":80}]}]}"#;

const RECONCILE: &str = r#"{"apiVersion":"mctg/v1","kind":"Reconcile","dryRun":false,"complete":true,"contexts":[],
 "bindings":[{"context":"pri","namespace":"default","name":"nginx","targetGroupArn":"...","via":"direct","outcome":"applied","reason":null,
   "plan":{"register":[{"id":"10.0.0.1","port":80}],"deregister":[{"id":"10.0.0.1","port":80}],"ledger":{"before":["10.0.0.9:80"],"after":["10.0.0.1:80"]},
     "blocked":[{"id":"10.0.0.9","port":80,"action":"deregister","reason":"contested","waitingOn":"sec default/nginx"}]},
   "steps":[{"action":"register","via":"direct","targets":1,"result":"done","error":null}]}],
 "findings":[]}"#;

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// Adds to `wrong` what of `contract` is not in `found`, or is of another type; `null` fits any.
fn compare(contract: &Value, found: &Value, at: &str, wrong: &mut Vec<String>) {
    // A map by zone or the like has no fixed fields.
    let is_map = at.ends_with("healthyByZone");
    match (contract, found) {
        (_, Value::Null) | (Value::Null, Value::String(_)) => {}
        (Value::Object(contract), Value::Object(found)) if !is_map => {
            for (key, contract) in contract {
                match found.get(key) {
                    Some(found) => compare(contract, found, &format!("{at}.{key}"), wrong),
                    None => wrong.push(format!("{at}.{key} is missing")),
                }
            }
        }
        (Value::Array(contract), Value::Array(found)) => {
            for found in found {
                let Some(contract) = contract.first() else { continue };
                compare(contract, found, at, wrong);
            }
        }
        _ if kind(contract) == kind(found) => {}
        _ => wrong.push(format!("{at} is {}, not {}", kind(found), kind(contract))),
    }
}

fn fits(contract: &str, found: &Value) {
    let contract: Value = serde_json::from_str(contract).expect("the contract is JSON");
    let mut wrong = Vec::new();
    compare(&contract, found, "", &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?} in {found:#}");
    assert_eq!(
        (&found["apiVersion"], &found["kind"]),
        (&contract["apiVersion"], &contract["kind"])
    );
}

#[tokio::test]
async fn status_has_every_field_of_the_contract() {
    let shop = Shop::open().await;
    shop.drift().await;
    shop.pair.blue.put(controller("v3.5.0", 1, 1)).await;
    let status = shop.desk.mctg("status -o json").await.json();
    fits(STATUS, &status);
    // Where something is known it is not null.
    let group = &status["targetGroups"][0];
    for key in ["targetType", "ipAddressType", "protocol", "port", "vpcId", "shareBasis"] {
        assert_ne!(group[key], Value::Null, "{key}");
    }
    for binding in group["bindings"].as_array().expect("bindings") {
        for key in ["desired", "tracked", "registered", "healthy", "share", "ledgerBytes", "state"]
        {
            assert_ne!(binding[key], Value::Null, "{key}");
        }
        assert_eq!(binding["owner"], Value::Null, "made by hand");
    }
    let counted: u64 = group["health"]
        .as_object()
        .expect("counts")
        .values()
        .map(|count| count.as_u64().expect("a count"))
        .sum();
    assert_eq!(counted, 6);
    let observed: jiff::Timestamp =
        status["observedAt"].as_str().expect("text").parse().expect("RFC 3339");
    assert!(observed > "2026-01-01T00:00:00Z".parse().expect("a time"));
}

#[tokio::test]
async fn diff_and_reconcile_have_every_field_of_the_contract() {
    let shop = Shop::open().await;
    shop.drift().await;
    let diff = shop.desk.mctg("diff --context * -o json").await.ended(1).json();
    fits(RECONCILE, &diff);
    assert_eq!(diff["bindings"][0]["steps"], json!([]));
    let held = shop.desk.mctg("reconcile --context * -o json").await.ended(3).json();
    fits(RECONCILE, &held);
    let run = shop.desk.mctg("reconcile --context * --yes -o json").await.ended(0).json();
    fits(RECONCILE, &run);
    assert_eq!((&diff["dryRun"], &run["dryRun"]), (&json!(true), &json!(false)));
    let lines = shop.desk.mctg("reconcile --context * --yes -o jsonl").await.ended(0);
    assert_eq!(lines.json_lines().len(), 2);
}
