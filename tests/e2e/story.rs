//! The main path: what happened behind everybody's back is seen, and repaired as far as it may be.

use std::collections::BTreeMap;

use mctg::sim::elbv2::{Condition, Operation};
use serde_json::{Value, json};

use crate::support::objects::{ledger, pod};
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, FOREIGN, GREEN, LEFT, LOST, Shop, serve, share, targets};

/// What a run of the plugin must not change: every object of both clusters, and ELBv2.
pub(crate) async fn snapshot(shop: &Shop) -> (BTreeMap<String, String>, Vec<String>) {
    let mut versions = BTreeMap::new();
    for (name, cluster) in [("blue", &shop.pair.blue), ("green", &shop.pair.green)] {
        for (id, version) in cluster.versions().await {
            versions.insert(format!("{name} {id}"), version);
        }
    }
    (versions, shop.registered())
}

/// The class of each target, by address and port.
fn classes(status: &Value) -> BTreeMap<String, String> {
    let targets = status["targetGroups"][0]["targets"].as_array().expect("targets were read");
    targets
        .iter()
        .map(|target| {
            let class = target["class"].as_str().expect("a class");
            (format!("{}:{}", target["id"].as_str().expect("an id"), target["port"]), class.into())
        })
        .collect()
}

fn codes(document: &Value) -> Vec<&str> {
    let findings = document["findings"].as_array().expect("findings");
    findings.iter().map(|finding| finding["code"].as_str().expect("a code")).collect()
}

/// Takes out what differs from run to run, and what readers of decimal numbers differ in.
fn timeless(mut document: Value) -> Value {
    document["observedAt"] = Value::Null;
    round(&mut document);
    document
}

fn round(value: &mut Value) {
    match value {
        Value::Number(number) if number.is_f64() => {
            *value = json!(number.as_f64().map(|number| format!("{number:.12}")));
        }
        Value::Array(values) => values.iter_mut().for_each(round),
        Value::Object(values) => values.values_mut().for_each(round),
        _ => {}
    }
}

#[tokio::test]
async fn status_shows_both_shares_and_all_that_happened_behind_everybodys_back() {
    let shop = Shop::open().await;
    let status = shop.desk.mctg("status -o json").await.ended(0).json();
    let bindings = &status["targetGroups"][0]["bindings"];
    // Cross-zone is off: blue has the first zone for itself and half of both others.
    let share = |index: usize| bindings[index]["share"].as_f64().expect("it is known");
    assert!((share(0) - 2.0 / 3.0).abs() < 1e-9 && (share(1) - 1.0 / 3.0).abs() < 1e-9);
    assert_eq!(bindings[0]["healthyByZone"]["us-east-1a"], 1);
    assert_eq!(codes(&status), ["MCTG301", "MCTG301"], "the CronJobs stand in for controllers");

    shop.drift().await;
    let finished = shop.desk.mctg("status").await.ended(1);
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let classes = classes(&status);
    assert_eq!(classes[LOST], "missing");
    assert_eq!(classes[FOREIGN], "unclaimed");
    assert_eq!(classes[LEFT], "stale");
    assert_eq!(classes.values().filter(|class| *class == "inSync").count(), 4);
    assert_eq!(codes(&status), ["MCTG201", "MCTG202", "MCTG204", "MCTG301", "MCTG301"]);
    for (target, name) in
        [(LOST, "MCTG201 MissingTargets"), (LEFT, "MCTG202 StaleTargets"), (FOREIGN, "MCTG204")]
    {
        assert!(finished.stdout.contains(target), "{target}:\n{}", finished.stdout);
        assert!(finished.stdout.contains(name), "{name}:\n{}", finished.stdout);
    }
    assert_eq!(finished.stderr, "");
}

#[tokio::test]
async fn text_json_jsonl_yaml_and_the_exit_code_tell_the_same() {
    let shop = Shop::open().await;
    for (drifted, code) in [(false, 0), (true, 1)] {
        if drifted {
            shop.drift().await;
        }
        let json = timeless(shop.desk.mctg("status -o json").await.ended(code).json());
        let yaml = timeless(shop.desk.mctg("status -o yaml").await.ended(code).yaml());
        assert_eq!(json, yaml);
        let mut lines = shop.desk.mctg("status -o jsonl").await.ended(code).json_lines();
        lines.iter_mut().for_each(round);
        assert_eq!(lines.len(), 2, "a line for each binding");
        for (line, binding) in
            lines.iter().zip(json["targetGroups"][0]["bindings"].as_array().expect("bindings"))
        {
            for (key, value) in binding.as_object().expect("an object") {
                assert_eq!(&line[key], value, "{key}: {line:#}");
            }
        }
        let text = shop.desk.mctg("status").await.ended(code).stdout;
        let wide = shop.desk.mctg("status -o wide").await.ended(code).stdout;
        for finding in json["findings"].as_array().expect("findings") {
            let code = finding["code"].as_str().expect("a code");
            assert!(text.contains(code) && wide.contains(code), "{code}:\n{text}\n{wide}");
            if let Some(fix) = finding["fix"].as_str() {
                let unwrapped = text.split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(unwrapped.contains(fix), "{fix}:\n{text}");
            }
        }
        for target in json["targetGroups"][0]["targets"].as_array().expect("targets") {
            let address = format!("{}:{}", target["id"].as_str().expect("an id"), target["port"]);
            assert!(wide.contains(&address), "{address}:\n{wide}");
        }
        let strict = shop.desk.mctg("status --fail-on never -o json").await.ended(0).json();
        assert_eq!(timeless(strict), json, "the threshold moves the exit code alone");
        let diff = if drifted { 1 } else { 0 };
        let json = timeless(shop.desk.mctg("diff -o json --context *").await.ended(diff).json());
        let yaml = timeless(shop.desk.mctg("diff -o yaml --context *").await.ended(diff).yaml());
        assert_eq!(json, yaml);
    }
}

#[tokio::test]
async fn diff_and_dry_run_show_the_plan_and_change_nothing() {
    let shop = Shop::open().await;
    shop.drift().await;
    let before = snapshot(&shop).await;
    for (args, code) in [
        ("diff --context *", 1),
        ("diff --context * -o json", 1),
        ("reconcile --context * --dry-run", 0),
        ("reconcile --context * --dry-run=client --yes -o yaml", 0),
        ("reconcile --context green --dry-run", 0),
    ] {
        let run = shop.desk.mctg(args).await.ended(code);
        assert!(run.stdout.contains(LEFT.trim_end_matches(":80")), "{args}: {}", run.stdout);
    }
    assert_eq!(snapshot(&shop).await, before);
    assert_eq!(shop.elbv2.writes(), []);

    let plan = shop.desk.mctg("diff --context * -o json").await.ended(1).json();
    assert_eq!(plan["dryRun"], true);
    assert_eq!(plan["bindings"][0]["context"], "blue");
    assert_eq!(plan["bindings"][0]["outcome"], "planned");
    assert_eq!(plan["bindings"][0]["plan"]["register"][0]["id"], "10.0.76.84");
    let right = &plan["bindings"][0]["plan"]["ledger"];
    assert_eq!(right["before"], right["after"], "blue's ledger is right");
    assert_eq!(plan["bindings"][1]["plan"]["deregister"][0]["id"], "10.0.151.77");
    let after = &plan["bindings"][1]["plan"]["ledger"]["after"];
    assert_eq!(after, &json!(targets(GREEN)), "sorted");
}

#[tokio::test]
async fn reconcile_repairs_what_it_may_and_a_second_run_plans_nothing() {
    let shop = Shop::open().await;
    shop.drift().await;
    let run = shop.desk.mctg("reconcile --via direct --yes --context *").await.ended(0);
    let mut expected = targets(BLUE.into_iter().chain(GREEN));
    expected.push(FOREIGN.to_owned());
    expected.sort();
    assert_eq!(shop.registered(), expected, "{}", run.stdout);
    assert_eq!(
        shop.elbv2.writes(),
        [("RegisterTargets".to_owned(), 1), ("DeregisterTargets".to_owned(), 1)]
    );
    for (cluster, addresses) in [(&shop.pair.blue, &BLUE[..]), (&shop.pair.green, &GREEN[..])] {
        let stored = cluster.get(&ledger("default", "shop", "")).await.expect("a ledger");
        let expected = targets(addresses.iter().copied()).join(",");
        assert_eq!(stored["data"]["targets"], json!(expected));
    }

    let before = snapshot(&shop).await;
    let diff = shop.desk.mctg("diff --context * -o json").await.ended(0).json();
    for binding in diff["bindings"].as_array().expect("bindings") {
        assert_eq!(binding["outcome"], "inSync", "{binding:#}");
    }
    shop.desk.mctg("reconcile --via direct --yes --context *").await.ended(0);
    assert_eq!(snapshot(&shop).await, before);
    assert_eq!(shop.elbv2.writes().len(), 2);
    // What nobody claims stays until somebody names it; it is healthy, so it is no more than told.
    let status = shop.desk.mctg("status -o json").await.ended(0).json();
    assert_eq!(codes(&status), ["MCTG204", "MCTG301", "MCTG301"]);
}

#[tokio::test]
async fn a_run_writes_to_the_current_context_and_leaves_the_others_alone() {
    let shop = Shop::open().await;
    shop.drift().await;
    let green = shop.pair.green.versions().await;
    let run = shop.desk.mctg("reconcile --yes -o json").await.ended(0).json();
    let touched: Vec<_> = run["bindings"].as_array().expect("bindings").iter().collect();
    assert_eq!(touched.len(), 1, "{run:#}");
    assert_eq!(touched[0]["context"], "blue");
    assert_eq!(shop.elbv2.writes(), [("RegisterTargets".to_owned(), 1)]);
    assert_eq!(shop.pair.green.versions().await, green);
    assert!(shop.registered().contains(&LEFT.to_owned()), "green's is green's to take out");
}

#[tokio::test]
async fn off_a_terminal_and_without_yes_all_but_deregistrations_is_done() {
    let shop = Shop::open().await;
    shop.drift().await;
    let run = shop.desk.mctg("reconcile --context * -o json").await.ended(3).json();
    assert!(shop.registered().contains(&LOST.to_owned()));
    assert!(shop.registered().contains(&LEFT.to_owned()));
    let blocked = &run["bindings"][1]["plan"]["blocked"];
    assert_eq!(blocked[0]["id"], "10.0.151.77");
    assert_eq!(blocked[0]["action"], "deregister");
    assert_eq!(blocked[0]["reason"], "needsYes");
    let text = shop.desk.mctg("reconcile --context *").await.ended(3);
    assert!(text.stdout.contains("--yes"), "{}\n{}", text.stdout, text.stderr);
    let stored = shop.pair.green.get(&ledger("default", "shop", "")).await.expect("a ledger");
    let tracked = stored["data"]["targets"].as_str().expect("text");
    assert!(tracked.contains(LEFT), "what stays registered stays tracked: {tracked}");
}

#[tokio::test]
async fn read_only_refuses_writes_and_nothing_else() {
    let shop = Shop::open().await;
    shop.drift().await;
    let desk =
        Desk::new(&shop.pair.kubeconfig()).with_elbv2(&shop.elbv2).set("MCTG_READ_ONLY", "1");
    let before = snapshot(&shop).await;
    let refused = desk.mctg("reconcile --yes --context *").await.ended(1);
    assert!(refused.stderr.contains("error: ") && refused.stderr.contains("MCTG_READ_ONLY"));
    desk.mctg("reconcile --dry-run --context *").await.ended(0);
    desk.mctg("diff --context *").await.ended(1);
    desk.mctg("status").await.ended(1);
    assert_eq!(snapshot(&shop).await, before);
    assert_eq!(shop.elbv2.writes(), []);
}

#[tokio::test]
async fn a_cap_keeps_a_run_from_taking_out_more_than_it_was_told() {
    let shop = Shop::open().await;
    // Both pods of green are gone and a new one came.
    serve(&shop.pair.green, "shop", &["10.0.151.90"]).await;
    for name in ["shop-52", "shop-60"] {
        shop.pair.green.delete(&pod("default", name, "", "")).await;
    }
    let capped = "reconcile --yes --context green -o json --max-deregister";
    for cap in ["1", "50%", "0"] {
        let run = shop.desk.mctg(&format!("{capped} {cap}")).await.ended(3).json();
        let blocked = run["bindings"][0]["plan"]["blocked"].as_array().expect("a list");
        assert_eq!(blocked.len(), 2, "all of the binding's are withheld: {run:#}");
        assert!(blocked.iter().all(|it| it["reason"] == "cap"), "{run:#}");
    }
    assert!(shop.registered().contains(&"10.0.151.90:80".to_owned()), "what came is registered");
    assert_eq!(shop.elbv2.server().count(Operation::DeregisterTargets), 0);
    shop.desk.mctg(&format!("{capped} 2")).await.ended(0);
    let expected = targets(BLUE.into_iter().chain(["10.0.151.90"]));
    assert_eq!(shop.registered(), expected);
    let wrong = shop.desk.mctg("reconcile --max-deregister many").await.ended(2);
    assert!(wrong.stderr.contains("--max-deregister"), "{}", wrong.stderr);
}

#[tokio::test]
async fn the_last_healthy_target_goes_only_where_that_is_allowed() {
    let shop = Shop::new().await;
    let (blue, group) = (&shop.pair.blue, &shop.group);
    share(blue, &["10.0.12.31"], group).await;
    serve(blue, "shop", &[]).await;
    blue.delete(&pod("default", "shop-31", "", "")).await;
    shop.elbv2.register(group, &["10.0.12.31:80", FOREIGN]);
    shop.elbv2.with(|model| model.set_condition("10.0.100.9", Condition::Failing));
    let run = shop.desk.mctg("reconcile --yes -o json").await.ended(3).json();
    assert_eq!(run["bindings"][0]["plan"]["blocked"][0]["reason"], "lastHealthy", "{run:#}");
    let text = shop.desk.mctg("reconcile --yes").await.ended(3);
    assert!(text.stdout.contains("--allow-empty"), "{}", text.stdout);
    assert_eq!(shop.elbv2.writes(), []);
    shop.desk.mctg("reconcile --yes --allow-empty").await.ended(0);
    assert_eq!(shop.registered(), [FOREIGN]);
}

#[tokio::test]
async fn only_the_targets_of_a_ledger_are_ours() {
    let shop = Shop::open().await;
    shop.drift().await;
    let mut config = ledger("default", "shop", &format!(" {LEFT},10.0.79.52:80 ,,10.0.79.52:80"));
    config["data"]["notes"] = json!("keep");
    config["metadata"]["labels"] = json!({ "team": "shop" });
    config["metadata"]["annotations"] = json!({ "example.com/why": "because" });
    shop.pair.green.put(config.clone()).await;
    shop.desk.mctg("reconcile --yes --context green").await.ended(0);
    let stored = shop.pair.green.get(&config).await.expect("a ledger");
    let sorted = targets(GREEN).join(",");
    assert_eq!(stored["data"], json!({ "targets": sorted, "notes": "keep" }));
    assert_eq!(stored["metadata"]["labels"], json!({ "team": "shop" }));
    assert_eq!(stored["metadata"]["annotations"], json!({ "example.com/why": "because" }));
    let managers = stored["metadata"]["managedFields"].as_array().expect("managers");
    let ours: Vec<_> = managers.iter().filter(|it| it["manager"] == "kubectl-mctg").collect();
    assert_eq!(ours.len(), 1, "{managers:#?}");
    assert_eq!(ours[0]["fieldsV1"], json!({ "f:data": { "f:targets": {} } }));
}

#[tokio::test]
async fn a_first_run_without_a_ledger_registers_and_takes_nothing_out() {
    let shop = Shop::open().await;
    shop.drift().await;
    let config = ledger("default", "shop", "");
    shop.pair.green.delete(&config).await;
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    assert!(codes(&status).contains(&"MCTG107"), "{status:#}");
    assert_eq!(status["targetGroups"][0]["bindings"][1]["tracked"], Value::Null);
    let run = shop.desk.mctg("reconcile --yes --context green -o json").await.ended(0).json();
    assert_eq!(run["bindings"][0]["plan"]["ledger"]["before"], Value::Null);
    assert_eq!(shop.elbv2.writes(), [], "all that green wants is there");
    let stored = shop.pair.green.get(&config).await.expect("it was made");
    assert_eq!(stored["data"]["targets"], json!(targets(GREEN).join(",")));
    assert!(shop.registered().contains(&LEFT.to_owned()), "nothing is known to be green's");
}
