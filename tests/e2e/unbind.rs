//! `unbind` on real API servers: beside a controller and without one, killed and gone on with, taken
//! back, and a cluster that is lost for good.

use serde_json::{Value, json};

use crate::enable::everything;
use crate::support::cluster::{Cluster, Rule, until};
use crate::support::gate::{Gate, Held};
use crate::support::kubeconfig::{Kubeconfig, dead_url};
use crate::support::objects::{binding, ledger};
use crate::support::programs::{Desk, Finished, Running};
use crate::support::shop::{BLUE, FOREIGN, GREEN, LEFT, Shop, share, targets};
use crate::support::standin::StandIn;

pub(crate) const RUN: &str = "unbind svc/shop -n default --context green --yes";

fn note() -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "namespace": "default", "name": "mctg-unbind-shop" },
    })
}

fn tgb(shop: &Shop) -> Value {
    binding("default", "shop", shop.group.as_str())
}

/// Waits for a run, while what drains leaves.
async fn ended(shop: &Shop, mut run: Running) -> Finished {
    loop {
        shop.elbv2.drain();
        if run.has_ended() {
            return run.finish().await;
        }
        tokio::time::sleep(crate::support::cluster::POLL).await;
    }
}

/// Green has left, and left nothing behind.
pub(crate) async fn left(shop: &Shop, green: &Cluster, when: &str) {
    assert_eq!(shop.registered(), targets(BLUE), "{when}");
    assert_eq!(green.get(&tgb(shop)).await, None, "{when}");
    assert_eq!(green.get(&ledger("default", "shop", "")).await, None, "{when}");
    assert_eq!(green.get(&note()).await, None, "{when}");
}

fn actions(report: &Value) -> Vec<String> {
    let steps = report["items"][0]["steps"].as_array().expect("steps");
    steps.iter().map(|step| step["action"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn without_a_controller_the_plugin_cleans_up() {
    let shop = Shop::open().await;
    let before = everything(&shop).await;
    let plan = shop.desk.mctg(&format!("{RUN} --dry-run")).await.ended(0);
    for line in ["10.0.79.52:80, healthy", "delete TargetGroupBinding default/shop", "300 s to end"]
    {
        assert!(plan.stdout.contains(line), "{line}: {}", plan.stdout);
    }
    assert_eq!(everything(&shop).await, before, "a plan changes nothing");
    let rehearsed =
        shop.desk.mctg(&format!("{RUN} --dry-run=server -o json")).await.ended(0).json();
    assert_eq!(rehearsed["dryRun"], true);
    assert_eq!(everything(&shop).await, before, "nor does a rehearsal");

    let run = shop.desk.start_mctg(&format!("{RUN} -o json"));
    let report = ended(&shop, run).await.ended(0).json();
    assert_eq!(report["kind"], "Unbind");
    assert_eq!(report["items"][0]["outcome"], "applied", "{report:#}");
    let expected = ["writeNote", "deleteBinding", "deregister", "deleteLedger", "deleteNote"];
    assert_eq!(actions(&report), expected);
    assert_eq!(shop.elbv2.writes(), [("DeregisterTargets".to_owned(), 2)]);
    left(&shop, &shop.pair.green, "at the end").await;
    let again = shop.desk.mctg(RUN).await.ended(2);
    assert!(again.stderr.contains("is called `svc/shop`"), "{}", again.stderr);
}

#[tokio::test]
async fn a_controller_cleans_up_what_is_its_own() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    let standin = StandIn::start(green, &shop.elbv2).await;
    standin.settled().await;
    let run = shop.desk.start_mctg(&format!("{RUN} -o json"));
    let report = ended(&shop, run).await.ended(0).json();
    assert_eq!(actions(&report), ["writeNote", "deleteBinding", "deleteNote"]);
    assert_eq!(shop.elbv2.writes(), [], "the controller took them out");
    assert_eq!(standin.writes(), [("DeregisterTargets".to_owned(), 2)]);
    left(&shop, green, "at the end").await;
}

#[tokio::test]
async fn what_the_controller_left_is_taken_out() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    let standin = StandIn::start(green, &shop.elbv2).await;
    standin.settled().await;
    // An earlier run noted a target that no ledger names any more, and was killed.
    shop.elbv2.register(&shop.group, &[LEFT]);
    let gate = Gate::before(green).await;
    let desk = desk(&shop, &gate);
    gate.hold(2, Held::Before);
    let run = desk.start_mctg(RUN);
    until("the deletion is held", async || gate.has_held()).await;
    run.kill().await;
    gate.open();
    let mut noted = green.get(&note()).await.expect("it was noted");
    let named = format!("{},{LEFT}", noted["data"]["targets"].as_str().expect("targets"));
    noted["data"]["targets"] = json!(named);
    noted["metadata"] = json!({
        "namespace": "default",
        "name": "mctg-unbind-shop",
        "labels": noted["metadata"]["labels"],
    });
    green.put(noted).await;
    let run = shop.desk.start_mctg(&format!("{RUN} -o json"));
    let report = ended(&shop, run).await.ended(0).json();
    assert_eq!(actions(&report), ["deleteBinding", "deregister", "deleteNote"], "{report:#}");
    assert_eq!(shop.elbv2.writes(), [("DeregisterTargets".to_owned(), 1)]);
    left(&shop, green, "at the end").await;
}

fn desk(shop: &Shop, gate: &Gate) -> Desk {
    let kubeconfig =
        Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("green", gate.access());
    Desk::new(&kubeconfig).with_elbv2(&shop.elbv2)
}

#[tokio::test]
async fn a_run_that_is_killed_at_any_write_is_gone_on_with_by_the_same_command() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    let gate = Gate::before(green).await;
    let desk = desk(&shop, &gate);
    // Note, binding, ledger, note.
    for n in 1..=4 {
        for side in [Held::Before, Held::After] {
            let when = format!("write {n}, {side:?}");
            share(green, &GREEN, &shop.group).await;
            shop.elbv2.register(&shop.group, &targets(GREEN));
            gate.hold(n, side);
            let run = desk.start_mctg(RUN);
            until(&when, async || {
                shop.elbv2.drain();
                gate.has_held()
            })
            .await;
            run.kill().await;
            gate.open();
            let over = (n, side) == (4, Held::After);
            if !over {
                let run = desk.start_mctg(RUN);
                let run = ended(&shop, run).await;
                assert_eq!(run.code, Some(0), "{when}: {run:#?}");
            }
            left(&shop, green, &when).await;
        }
    }
}

#[tokio::test]
async fn what_drains_is_not_waited_for_where_nobody_wants_to() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    shop.desk.mctg(&format!("{RUN} --wait=false")).await.ended(0);
    assert_eq!(shop.registered(), targets(BLUE));
    assert!(green.get(&note()).await.is_some(), "what drains is remembered");
    let late = shop.desk.mctg(&format!("{RUN} --timeout 1s -o json")).await.ended(124).json();
    assert_eq!(late["timedOut"], true);
    shop.elbv2.drain();
    shop.desk.mctg(RUN).await.ended(0);
    left(&shop, green, "at the end").await;
}

#[tokio::test]
async fn what_is_saved_brings_it_back() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    let before = green.get(&tgb(&shop)).await.expect("it is there")["spec"].clone();
    shop.desk.home().write("taken.yaml", "something else\n");
    let refused = shop.desk.mctg(&format!("{RUN} --save taken.yaml")).await.ended(2);
    assert!(refused.stderr.contains("holds something else"), "{}", refused.stderr);
    assert_eq!(shop.elbv2.writes(), []);
    assert!(green.get(&note()).await.is_none(), "nothing was begun");

    let run = shop.desk.start_mctg(&format!("{RUN} --save shop.yaml"));
    let told = ended(&shop, run).await.ended(0);
    assert!(told.stdout.contains("kubectl apply -f shop.yaml --context green"), "{told:#?}");
    left(&shop, green, "at the end").await;
    shop.desk.kubectl("apply -f shop.yaml --context green").await.ended(0);
    assert_eq!(green.get(&tgb(&shop)).await.expect("it is back")["spec"], before);
    shop.desk.mctg("reconcile --context green --yes").await.ended(0);
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)));
}

#[tokio::test]
async fn two_people_at_once_do_no_harm() {
    let shop = Shop::open().await;
    let (one, other) = (shop.desk.start_mctg(RUN), shop.desk.start_mctg(RUN));
    let (one, other) = tokio::join!(ended(&shop, one), ended(&shop, other));
    for run in [one, other] {
        // Who comes last may find nothing any more.
        assert!(matches!(run.code, Some(0 | 2)), "{run:#?}");
    }
    if shop.pair.green.get(&note()).await.is_some() {
        shop.desk.mctg(RUN).await.ended(0);
    }
    left(&shop, &shop.pair.green, "at the end").await;
}

#[tokio::test]
async fn a_write_that_is_forbidden_is_told_and_the_next_run_goes_on() {
    let shop = Shop::open().await;
    let rule = |group, resource, verbs| Rule { group, resource, verbs, namespace: None };
    let user = shop
        .pair
        .green
        .user(&[
            rule("", "services", &["list"]),
            rule("", "nodes", &["list"]),
            rule("", "pods", &["get", "list"]),
            rule("", "configmaps", &["get", "list", "create"]),
            rule("apps", "deployments", &["list"]),
            rule("batch", "cronjobs", &["list"]),
            rule("coordination.k8s.io", "leases", &["list"]),
            rule("discovery.k8s.io", "endpointslices", &["list"]),
            rule("elbv2.k8s.aws", "targetgroupbindings", &["list"]),
            rule("eks.amazonaws.com", "targetgroupbindings", &["list"]),
        ])
        .await;
    let kubeconfig = Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("green", user);
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    let report = desk.mctg(&format!("{RUN} -o json")).await.ended(3).json();
    let item = &report["items"][0];
    assert_eq!(
        (&item["outcome"], &item["steps"][0]["result"]),
        (&json!("partial"), &json!("done"))
    );
    let error = item["steps"][1]["error"].as_str().expect("it failed");
    assert!(error.contains("forbidden"), "{error}");
    assert_eq!(shop.elbv2.writes(), []);
    let run = shop.desk.start_mctg(RUN);
    ended(&shop, run).await.ended(0);
    left(&shop, &shop.pair.green, "at the end").await;
}

#[tokio::test]
async fn what_only_a_lost_cluster_had_is_known_from_an_earlier_status() {
    let shop = Shop::open().await;
    shop.elbv2.register(&shop.group, &[FOREIGN]);
    let status = shop.desk.mctg("status -o json").await;
    let lost = "unbind --lost green --context blue --yes --request-timeout 2s";
    let answers = shop.desk.mctg(&format!("{lost} 10.0.79.52:80")).await.ended(2);
    assert!(answers.stderr.contains("answers: it is not lost"), "{}", answers.stderr);

    let dead = shop.pair.green.admin().at(&dead_url());
    let kubeconfig = Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("green", dead);
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    desk.home().write("known.json", &status.stdout);
    desk.home().write("other.json", "{}");
    let nothing = desk.mctg(lost).await.ended(1);
    assert!(nothing.stdout.contains("nothing tells what green had"), "{nothing:#?}");
    desk.mctg(&format!("{lost} --known-from other.json")).await.ended(2);
    let plan = desk.mctg(&format!("{lost} --known-from known.json --dry-run")).await.ended(0);
    assert!(plan.stdout.contains("10.0.79.52:80, healthy"), "{}", plan.stdout);
    assert_eq!(shop.elbv2.writes(), []);

    let run = desk.start_mctg(&format!("{lost} --known-from known.json -o json"));
    let report = ended(&shop, run).await.ended(0).json();
    assert_eq!(actions(&report), ["deregister"], "{report:#}");
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(["10.0.100.9"])));
    // What nobody is known to have had is named one by one.
    let run = desk.start_mctg(&format!("{lost} {FOREIGN}"));
    ended(&shop, run).await.ended(0);
    assert_eq!(shop.registered(), targets(BLUE));
    // What an observed binding desires stays, whoever names it.
    let stays = desk.mctg(&format!("{lost} 10.0.12.31:80")).await.ended(0);
    assert!(stays.stdout.contains("which blue default/shop desires"), "{}", stays.stdout);
    assert_eq!(shop.registered(), targets(BLUE));
}
