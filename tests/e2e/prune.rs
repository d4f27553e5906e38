//! Targets that no cluster claims: what `--prune-unclaimed` takes out, and all that keeps it from it.

use std::time::Duration;

use mctg::sim::Trouble;
use mctg::sim::elbv2::{Condition, Operation};
use mctg::sim::faults::Fault;
use serde_json::{Value, json};

use crate::story::snapshot;
use crate::support::cluster::until;
use crate::support::kubeconfig::{Access, Kubeconfig, SilentPort, dead_url};
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, FOREIGN, GREEN, Shop, serve, share, targets};

/// A target that no cluster claims, and that fails its checks.
const FAILING: &str = "10.0.100.8:80";

/// A shop where all is well, but for two targets that nobody claims: [`FOREIGN`] passes its checks
/// and [`FAILING`] does not.
async fn shop() -> Shop {
    let shop = Shop::open().await;
    shop.elbv2.register(&shop.group, &[FOREIGN, FAILING]);
    fails(&shop, "10.0.100.8");
    shop
}

fn fails(shop: &Shop, address: &str) {
    shop.elbv2.with(|model| model.set_condition(address, Condition::Failing));
}

/// The desk of somebody whose context `green` leads elsewhere.
fn desk(shop: &Shop, green: Access) -> Desk {
    let kubeconfig = Kubeconfig::default().with("blue", shop.pair.blue.admin());
    shop.desk_with(&kubeconfig.with("green", green))
}

/// What is registered besides blue's and green's own targets.
fn others(shop: &Shop) -> Vec<String> {
    let own = targets(BLUE.into_iter().chain(GREEN));
    shop.registered().into_iter().filter(|target| !own.contains(target)).collect()
}

/// The address and reason of each target that is withheld.
fn withheld(run: &Value) -> Vec<(&str, &str)> {
    let blocked = run["unclaimed"][0]["plan"]["blocked"].as_array().expect("a list");
    let mut withheld = Vec::new();
    for it in blocked {
        withheld.push((it["id"].as_str().expect("an id"), it["reason"].as_str().expect("a word")));
    }
    withheld
}

#[tokio::test]
async fn what_fails_its_checks_goes_what_passes_them_stays_and_no_object_changes() {
    let shop = shop().await;
    let (versions, _) = snapshot(&shop).await;
    let told = shop.desk.mctg("status").await;
    told.ends(1).says("reconcile tgb/shop -n default --context blue --prune-unclaimed");

    let diff = shop.desk.mctg("diff --prune-unclaimed").await;
    diff.ends(1).says("- deregister 10.0.100.8:80 unhealthy, Target.FailedHealthChecks");
    diff.says("A run would deregister 1. Nothing was changed. Exit 1.");
    assert_eq!(shop.elbv2.writes(), []);

    let run = shop.desk.mctg("reconcile --prune-unclaimed --yes -o json").await.ended(0).json();
    let group = &run["unclaimed"][0];
    assert_eq!(group["outcome"], "applied", "{run:#}");
    assert_eq!(group["plan"]["deregister"][0]["id"], "10.0.100.8");
    assert_eq!(group["plan"]["deregister"][0]["health"]["state"], "unhealthy");
    assert_eq!(
        group["onBehalfOf"],
        json!({ "context": "blue", "namespace": "default", "binding": "shop" })
    );
    assert_eq!(withheld(&run), [("10.0.100.9", "notUnhealthy")]);
    assert_eq!(shop.elbv2.writes(), [("DeregisterTargets".to_owned(), 1)]);
    assert_eq!(others(&shop), [FOREIGN]);
    assert_eq!(snapshot(&shop).await.0, versions, "no object of either cluster changed");

    shop.desk.mctg("diff --prune-unclaimed").await.ends(0).says("Nothing to do");
    let lines = shop.desk.mctg("reconcile --prune-unclaimed --yes -o jsonl").await.ended(0);
    let lines = lines.json_lines();
    assert_eq!(lines.last().expect("a line")["unclaimed"]["outcome"], "skipped", "{lines:#?}");

    shop.desk.mctg("reconcile --prune-unclaimed --include-healthy --yes").await.ends(0);
    assert_eq!(others(&shop), [""; 0]);
    assert_eq!(snapshot(&shop).await.0, versions);
    let run = shop.desk.mctg("diff --prune-unclaimed --include-healthy").await;
    run.ends(0).says("Every registered target belongs to a cluster that was read.");
}

#[tokio::test]
async fn without_the_flag_nothing_of_it_is_touched_or_told() {
    let shop = shop().await;
    let run = shop.desk.mctg("reconcile --yes --context * -o json").await.ended(0).json();
    assert_eq!(run.get("unclaimed"), None, "{run:#}");
    assert_eq!(others(&shop), [FAILING, FOREIGN]);
    for flags in ["--include-healthy", "--lost green"] {
        let refused = shop.desk.mctg(&format!("reconcile {flags}")).await;
        refused.ended(2);
    }
}

#[tokio::test]
async fn what_would_leave_a_context_unread_is_refused_and_changes_nothing() {
    let shop = shop().await;
    let before = snapshot(&shop).await;
    let desk = || Desk::new(&shop.pair.kubeconfig()).with_elbv2(&shop.elbv2);
    let run = "reconcile --prune-unclaimed --yes";
    for (desk, run, says) in [
        (desk(), format!("{run} --observe blue"), "`green` would not be read"),
        (desk().set("MCTG_CONTEXTS", "blue"), run.to_owned(), "`green` would not be read"),
        (desk(), format!("{run} --lost green"), "context `green` answers: it is not lost"),
        (desk(), format!("{run} --lost gren"), "did you mean `green`?"),
        (desk(), format!("{run} --lost blue"), "`blue` cannot be written to and be lost"),
        (desk(), "diff --prune-unclaimed --lost green".to_owned(), "it is not lost"),
    ] {
        let refused = desk.mctg(&run).await;
        refused.ends(2).says("error: ");
        assert!(refused.stderr.contains(says), "{run}: {}", refused.stderr);
        assert_eq!(refused.stdout, "", "{run}");
    }
    let all = desk().set("MCTG_CONTEXTS", "blue").mctg("diff --prune-unclaimed --observe *").await;
    all.ends(1);
    assert_eq!(snapshot(&shop).await, before);
    assert_eq!(shop.elbv2.writes(), []);
}

#[tokio::test]
async fn while_a_context_is_silent_nothing_goes_until_it_is_declared_lost() {
    let shop = shop().await;
    fails(&shop, "10.0.79.52");
    let before = snapshot(&shop).await;
    let silent = SilentPort::open();
    for green in [dead_url(), silent.url()] {
        let desk = desk(&shop, shop.pair.green.admin().at(&green));
        let run = "reconcile --prune-unclaimed --yes --request-timeout 2s";
        let text = desk.mctg(run).await;
        text.ends(3).says("green could not be read in full");
        text.says("hint: if the cluster of green is gone for good: --lost green");
        text.says_not("MCTG_CONTEXTS");
        let run = desk.mctg(&format!("{run} -o json")).await.ended(3).json();
        assert_eq!(
            withheld(&run),
            [("10.0.100.8", "silent"), ("10.0.79.52", "silent")],
            "green's own fails too, and may well be green's"
        );
        assert_eq!(run["unclaimed"][0]["plan"]["blocked"][0]["waitingOn"], "green");
    }
    assert_eq!(snapshot(&shop).await, before);
    assert_eq!(shop.elbv2.writes(), []);

    let desk = desk(&shop, shop.pair.green.admin().at(&silent.url()));
    let run = "reconcile --prune-unclaimed --yes --lost green --request-timeout 2s";
    let text = desk.mctg(&format!("{run} --dry-run")).await;
    text.ends(0).says("Looked at 1/1 contexts, without green, which is gone for good");
    assert_eq!(shop.elbv2.writes(), []);
    let run = desk.mctg(&format!("{run} -o json")).await.ended(0);
    let green = run.context("green");
    assert_eq!((&green["lost"], &green["reachable"]), (&json!(true), &json!(false)), "{green:#}");
    assert_eq!(run.json()["complete"], true);
    let left = targets(BLUE.into_iter().chain(["10.0.100.9", GREEN[1]]));
    assert_eq!(shop.registered(), left, "what passes its checks may serve");
}

#[tokio::test]
async fn a_context_that_answers_badly_is_not_lost() {
    let shop = shop().await;
    let before = snapshot(&shop).await;
    let admin = || shop.pair.green.admin();
    for (green, code, says) in [
        (admin().with_token("nobody"), 2, "is not lost, for something answers there"),
        (
            admin().with_ca_of(&shop.pair.blue.admin()),
            2,
            "is not lost, for something answers there",
        ),
        (admin().with_exec("exit 1"), 3, "could not be asked whether it is lost"),
    ] {
        let run = desk(&shop, green).mctg("reconcile --prune-unclaimed --yes --lost green").await;
        run.ends(code).says("kubectl config delete-context green");
        assert!(run.stderr.contains(says), "{}", run.stderr);
    }
    assert_eq!(snapshot(&shop).await, before);
    assert_eq!(shop.elbv2.writes(), []);
}

#[tokio::test]
async fn off_a_terminal_and_without_yes_it_is_withheld() {
    let shop = shop().await;
    let run = shop.desk.mctg("reconcile --prune-unclaimed -o json").await.ended(3).json();
    assert_eq!(withheld(&run), [("10.0.100.8", "needsYes"), ("10.0.100.9", "notUnhealthy")]);
    shop.desk.mctg("reconcile --prune-unclaimed").await.ends(3).says("--yes");
    assert_eq!(shop.elbv2.writes(), []);
}

#[tokio::test]
async fn a_cap_and_the_last_healthy_target_hold_here_too() {
    let shop = Shop::new().await;
    shop.elbv2.register(&shop.group, &[FOREIGN, FAILING]);
    fails(&shop, "10.0.100.8");
    share(&shop.pair.blue, &[], &shop.group).await;
    let run = "reconcile --prune-unclaimed --include-healthy --yes -o json";
    let capped = shop.desk.mctg(&format!("{run} --max-deregister 50%")).await.ended(3).json();
    assert_eq!(withheld(&capped), [("10.0.100.8", "cap"), ("10.0.100.9", "cap")]);
    let last = shop.desk.mctg(run).await.ended(3).json();
    assert_eq!(withheld(&last), [("10.0.100.9", "lastHealthy")]);
    assert_eq!(shop.registered(), [FOREIGN]);
    shop.desk.mctg(&format!("{run} --allow-empty")).await.ended(0);
    assert_eq!(shop.registered(), [""; 0]);
}

#[tokio::test]
async fn what_recovers_or_is_claimed_between_the_two_readings_stays() {
    let shop = shop().await;
    shop.elbv2.register(&shop.group, &["10.0.79.90:80"]);
    fails(&shop, "10.0.79.90");
    // The first reading's answer is right, and late: what happens meanwhile only the second sees.
    let late = Trouble::Late(Duration::from_secs(3));
    shop.elbv2.server().fail_next(Operation::DescribeTargetHealth, Fault::before(late));
    let run = shop.desk.start_mctg("reconcile --prune-unclaimed --yes -o json");
    until("the first reading asks", async || {
        shop.elbv2.server().count(Operation::DescribeTargetHealth) > 0
    })
    .await;
    shop.elbv2.with(|model| model.set_condition("10.0.100.8", Condition::Passing));
    let come = ["10.0.79.52", "10.0.151.60", "10.0.79.90"];
    serve(&shop.pair.green, "shop", &come).await;
    let run = run.finish().await.ended(1).json();
    let withheld = withheld(&run);
    assert!(withheld.contains(&("10.0.100.8", "notUnhealthy")), "{run:#}");
    assert!(withheld.contains(&("10.0.79.90", "changed")), "{run:#}");
    assert_eq!(shop.elbv2.writes(), []);
}

#[tokio::test]
async fn a_call_that_fails_is_told_and_the_next_run_makes_it_good() {
    let shop = shop().await;
    shop.elbv2.server().fail_next(Operation::DeregisterTargets, Fault::after(Trouble::Closed));
    let run = shop.desk.mctg("reconcile --prune-unclaimed --yes -o json").await;
    // The call is made again where its answer was lost, or the failure is told.
    let steps = &run.json()["unclaimed"][0]["steps"];
    assert_eq!(steps.as_array().map(Vec::len), Some(1), "{run:#?}");
    shop.desk.mctg("reconcile --prune-unclaimed --yes").await.ends(0);
    assert_eq!(others(&shop), [FOREIGN]);
}
