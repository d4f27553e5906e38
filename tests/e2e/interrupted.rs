//! Verbs that are killed, run by two at once, refused, undone or forbidden midway: the report says what
//! was done and what was not, and the same command goes on.

mod bind;
mod unbind;

use serde_json::{Value, json};

use crate::enable::everything;
use crate::support::cluster::{Cluster, Rule, until};
use crate::support::gate::{Gate, Held};
use crate::support::kubeconfig::Kubeconfig;
use crate::support::objects::{binding, ledger, namespace, pod, slice};
use crate::support::owners::{NLB, nlb_service};
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, Shop, node_of, serve, targets};
use crate::support::standin::StandIn;

const ENABLE: &str = "enable svc/web -n default";
const DISABLE: &str = "disable svc/web -n default --yes";
const UNBIND: &str = "unbind svc/shop -n default --context green --yes";

/// Blue with a Service that its controller serves, exclusively.
async fn web(shop: &Shop) -> StandIn<'_> {
    let blue = &shop.pair.blue;
    let standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    serve(blue, "web", &BLUE).await;
    blue.put(nlb_service("web", "ip")).await;
    standin.settled().await;
    standin
}

async fn generated(cluster: &Cluster, namespace: &str) -> Value {
    cluster.list(&binding(namespace, "", "")).await.remove(0)
}

/// Checks whether blue's Service is multi-cluster, with its ledger, and that no target has gone.
async fn is_enabled(shop: &Shop, yes: bool, when: &str) {
    let made = generated(&shop.pair.blue, "default").await;
    assert_eq!(made["spec"]["multiClusterTargetGroup"] == json!(true), yes, "{when}");
    let name = made["metadata"]["name"].as_str().expect("a name");
    let ledger = shop.pair.blue.get(&ledger("default", name, "")).await;
    assert_eq!(ledger.is_some(), yes, "{when}");
    let group = made["spec"]["targetGroupARN"].as_str().expect("an ARN");
    let group = group.parse().expect("it is one");
    assert_eq!(shop.elbv2.registered(&group), targets(BLUE), "{when}");
}

#[tokio::test]
async fn a_switch_that_is_killed_at_any_write_is_made_good_by_the_same_command() {
    let shop = Shop::new().await;
    let standin = web(&shop).await;
    let gate = Gate::before(&shop.pair.blue).await;
    let kubeconfig =
        Kubeconfig::default().with("blue", gate.access()).with("green", shop.pair.green.admin());
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    // The Service. Once disabled, a controller keeps the old ledger in memory: it is not enabled again.
    for (line, side, on) in [(ENABLE, Held::After, true), (DISABLE, Held::Before, false)] {
        let when = format!("{line}, {side:?}");
        gate.hold(1, side);
        let run = desk.start_mctg(line);
        until(&when, async || gate.has_held()).await;
        run.kill().await;
        gate.open();
        let again = desk.mctg(line).await;
        assert_eq!(again.code, Some(0), "{when}: {again:#?}");
        is_enabled(&shop, on, &when).await;
    }
    drop(standin);
}

#[tokio::test]
async fn two_people_who_switch_at_once_do_no_harm() {
    let shop = Shop::new().await;
    let standin = web(&shop).await;
    for (line, on) in [(ENABLE, true), (DISABLE, false)] {
        let (one, other) = (shop.desk.start_mctg(line), shop.desk.start_mctg(line));
        let (one, other) = tokio::join!(one.finish(), other.finish());
        one.ended(0);
        other.ended(0);
        is_enabled(&shop, on, line).await;
    }
    drop(standin);
}

/// A policy of a kind with its binding: which operation of which resource it is about, and what it does.
fn policy(kind: &str, group: &str, resource: &str, operation: &str, does: &Value) -> [Value; 2] {
    let api_version = "admissionregistration.k8s.io/v1";
    let metadata = json!({ "name": "frozen.example.com" });
    let mut spec = json!({
        "failurePolicy": "Fail",
        "matchConstraints": { "resourceRules": [{
            "apiGroups": [group],
            "apiVersions": ["*"],
            "operations": [operation],
            "resources": [resource],
        }]},
    });
    for (name, value) in does.as_object().expect("fields") {
        spec[name] = value.clone();
    }
    let mut bound = json!({ "policyName": "frozen.example.com" });
    if kind == "ValidatingAdmissionPolicy" {
        bound["validationActions"] = json!(["Deny"]);
    }
    [
        json!({ "apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec }),
        json!({
            "apiVersion": api_version,
            "kind": format!("{kind}Binding"),
            "metadata": metadata,
            "spec": bound,
        }),
    ]
}

fn refusing(group: &str, resource: &str, operation: &str) -> [Value; 2] {
    let does =
        json!({ "validations": [{ "expression": "false", "message": "frozen until Monday" }] });
    policy("ValidatingAdmissionPolicy", group, resource, operation, &does)
}

/// Puts a policy in the way and waits until it is: until kubectl's line ends so.
async fn in_the_way(shop: &Shop, cluster: &Cluster, policy: &[Value; 2], line: &str) {
    for manifest in policy {
        cluster.put(manifest.clone()).await;
    }
    until("it is in the way", async || shop.desk.kubectl(line).await.code != Some(0)).await;
}

async fn out_of_the_way(shop: &Shop, cluster: &Cluster, policy: &[Value; 2], line: &str) {
    for manifest in policy {
        cluster.delete(manifest).await;
    }
    until("it is out of the way", async || shop.desk.kubectl(line).await.code == Some(0)).await;
}

/// The action and the result of each step of an item.
fn steps(item: &Value) -> Vec<(&str, &str)> {
    fn text(value: &Value) -> &str {
        value.as_str().unwrap_or_default()
    }
    let steps = item["steps"].as_array().expect("steps").iter();
    steps.map(|it| (text(&it["action"]), text(&it["result"]))).collect()
}

#[tokio::test]
async fn a_deletion_that_is_refused_leaves_the_rest_undone() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    let policy = refusing("elbv2.k8s.aws", "targetgroupbindings", "DELETE");
    let line = "--context green delete targetgroupbindings.elbv2.k8s.aws shop --dry-run=server";
    in_the_way(&shop, green, &policy, line).await;
    let before = shop.world().await;
    let report = shop.desk.mctg(&format!("{UNBIND} -o json")).await.ended(3).json();
    let item = &report["items"][0];
    assert_eq!(item["outcome"], "partial", "{report:#}");
    assert_eq!(steps(item)[..2], [("writeNote", "done"), ("deleteBinding", "failed")]);
    assert!(steps(item)[2..].iter().all(|step| step.1 == "skipped"), "{report:#}");
    let reason = item["reason"].as_str().expect("a reason");
    assert!(reason.contains("frozen until Monday"), "{reason}");
    let told = shop.desk.mctg(UNBIND).await.ended(3);
    for text in ["frozen until Monday", "The same command again goes on from here", "Exit 3."] {
        assert!(in_one_line(&told.stdout).contains(text), "{text}: {told:#?}");
    }
    assert_eq!(shop.world().await, before, "only the note was written");

    out_of_the_way(&shop, green, &policy, line).await;
    let mut run = shop.desk.start_mctg(UNBIND);
    while !run.has_ended() {
        shop.elbv2.drain();
        tokio::time::sleep(crate::support::cluster::POLL).await;
    }
    run.finish().await.ended(0);
    assert_eq!(shop.registered(), targets(BLUE));
}

const ANNOTATE: &str = "--context blue annotate service web a=b --overwrite --dry-run=server";

#[tokio::test]
async fn a_patch_that_is_refused_changes_nothing() {
    let shop = Shop::new().await;
    let standin = web(&shop).await;
    let blue = &shop.pair.blue;
    let policy = refusing("", "services", "UPDATE");
    in_the_way(&shop, blue, &policy, ANNOTATE).await;
    let before = everything(&shop).await;
    let report = shop.desk.mctg(&format!("{ENABLE} -o json")).await.ended(3).json();
    let item = &report["items"][0];
    assert_eq!(
        (&item["outcome"], &steps(item)[..]),
        (&json!("failed"), &[("patchOwner", "failed")][..])
    );
    assert!(item["reason"].as_str().expect("a reason").contains("frozen until Monday"));
    let next = item["next"].as_array().expect("commands").iter().map(|it| it["label"].clone());
    assert_eq!(next.collect::<Vec<_>>(), ["next"], "there is nothing to take back");
    let told = shop.desk.mctg(ENABLE).await.ended(3);
    for text in ["frozen until Monday", "Nothing was changed", "The same command again"] {
        assert!(told.stdout.contains(text), "{text}: {told:#?}");
    }
    // The rehearsal tells it beforehand.
    shop.desk.mctg(&format!("{ENABLE} --dry-run=server")).await.ended(3);
    assert_eq!(everything(&shop).await, before);
    out_of_the_way(&shop, blue, &policy, ANNOTATE).await;
    shop.desk.mctg(ENABLE).await.ended(0);
    is_enabled(&shop, true, "at the end").await;
    drop(standin);
}

#[tokio::test]
async fn what_an_admission_policy_takes_away_again_is_given_up_and_told() {
    let shop = Shop::new().await;
    let standin = web(&shop).await;
    let blue = &shop.pair.blue;
    let flag = format!("{NLB}-multi-cluster-target-group");
    let has = |it: &str| {
        format!("has(object.metadata.annotations) && '{it}' in object.metadata.annotations")
    };
    let does = json!({
        "reinvocationPolicy": "Never",
        "matchConditions": [{ "name": "flagged", "expression": has(&flag) }],
        "mutations": [{ "patchType": "JSONPatch", "jsonPatch": { "expression": format!(
            "[JSONPatch{{op: 'remove', path: '/metadata/annotations/' + jsonpatch.escapeKey('{flag}')}}]"
        )}}],
    });
    let policy = policy("MutatingAdmissionPolicy", "", "services", "UPDATE", &does);
    for manifest in &policy {
        blue.put(manifest.clone()).await;
    }
    let annotate = format!("annotate service web {flag}=true --overwrite --dry-run=server -o json");
    let is_taken_away = async || {
        let answer = shop.desk.kubectl(&annotate).await.ended(0).json();
        answer["metadata"]["annotations"][&flag].is_null()
    };
    until("it is in the way", is_taken_away).await;

    for wait in ["", "--wait=false"] {
        let report = shop.desk.mctg(&format!("{ENABLE} {wait} -o json")).await.ended(3).json();
        let item = &report["items"][0];
        assert_eq!(item["outcome"], "partial", "{report:#}");
        let patch = |result| ("patchOwner", result);
        assert_eq!(steps(item), [patch("done"), patch("done"), patch("done"), patch("failed")]);
        assert!(item["reason"].as_str().expect("a reason").contains("an admission policy"));
    }
    is_enabled(&shop, false, "meanwhile").await;
    for manifest in &policy {
        blue.delete(manifest).await;
    }
    until("it is out of the way", async || !is_taken_away().await).await;
    shop.desk.mctg(ENABLE).await.ended(0);
    is_enabled(&shop, true, "at the end").await;
    drop(standin);
}

#[tokio::test]
async fn one_of_several_that_is_forbidden_holds_up_no_other() {
    let shop = Shop::new().await;
    let blue = &shop.pair.blue;
    let standin = StandIn::whole(blue, &shop.elbv2, "blue-eks").await;
    let places = ["alpha", "beta", "gamma"];
    for (index, place) in places.into_iter().enumerate() {
        let address = BLUE[index];
        let pod = pod(place, "web-1", address, node_of(address));
        let mut owner = nlb_service("web", "ip");
        owner["metadata"]["namespace"] = json!(place);
        for manifest in [namespace(place), pod.clone(), slice(place, "web", &[pod]), owner] {
            blue.put(manifest).await;
        }
    }
    standin.settled().await;
    let rule = |group, resource, verbs| Rule { group, resource, verbs, namespace: None };
    let patches = |place| Rule { namespace: Some(place), ..rule("", "services", &["patch"]) };
    let user = blue
        .user(&[
            rule("", "services", &["get", "list"]),
            rule("", "nodes", &["list"]),
            rule("", "pods", &["get", "list"]),
            rule("", "configmaps", &["get", "list"]),
            rule("apps", "deployments", &["list"]),
            rule("batch", "cronjobs", &["list"]),
            rule("coordination.k8s.io", "leases", &["list"]),
            rule("discovery.k8s.io", "endpointslices", &["list"]),
            rule("elbv2.k8s.aws", "targetgroupbindings", &["list"]),
            rule("eks.amazonaws.com", "targetgroupbindings", &["list"]),
            rule("apiextensions.k8s.io", "customresourcedefinitions", &["get"]),
            patches("alpha"),
            patches("gamma"),
        ])
        .await;
    let kubeconfig =
        Kubeconfig::default().with("blue", user).with("green", shop.pair.green.admin());
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    let report = desk.mctg("enable -A -o json").await.ended(3).json();
    let items = report["items"].as_array().expect("items");
    let told: Vec<_> = items.iter().map(|it| (&it["namespace"], &it["outcome"])).collect();
    let expected = [json!("applied"), json!("failed"), json!("applied")];
    let expected: Vec<_> = places.iter().map(|it| json!(it)).zip(expected).collect();
    assert_eq!(told, expected.iter().map(|it| (&it.0, &it.1)).collect::<Vec<_>>(), "{report:#}");
    let reason = items[1]["reason"].as_str().expect("a reason");
    assert!(reason.contains("forbidden"), "{reason}");
    for (place, on) in places.into_iter().zip([true, false, true]) {
        let made = generated(blue, place).await;
        assert_eq!(made["spec"]["multiClusterTargetGroup"] == json!(true), on, "{place}");
    }
    let again = desk.mctg("enable -A").await.ended(3);
    for text in ["svc/web in beta: ", "forbidden", "The same command again goes on from here"] {
        assert!(in_one_line(&again.stdout).contains(text), "{text}: {again:#?}");
    }
    shop.desk.mctg("enable -A").await.ended(0);
    assert_eq!(generated(blue, "beta").await["spec"]["multiClusterTargetGroup"], true);
    drop(standin);
}

/// A text whose lines were broken to fit a width.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
