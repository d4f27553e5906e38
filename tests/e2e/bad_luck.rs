//! What happens in between: interrupts, lost replies, hand edits, two runs at the same time.

use mctg::sim::Trouble;
use mctg::sim::elbv2::Operation;
use mctg::sim::faults::Fault;
use rustix::process::Signal;
use serde_json::json;

use crate::support::cluster::{Cluster, until};
use crate::support::objects::ledger;
use crate::support::programs::Finished;
use crate::support::shop::{BLUE, GREEN, Shop, targets};
use crate::support::trouble::GONE;

/// Runs until nothing is left to do, and checks that the shop is whole.
async fn heals(shop: &Shop) {
    let desk = shop.machine();
    desk.mctg("reconcile --all-contexts --yes").await.ends(0);
    shop.elbv2.drain();
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)));
    desk.mctg("diff --all-contexts").await.ends(0).says("Nothing to do");
    desk.mctg("status").await.ends(0);
    for (cluster, pods) in [(&shop.pair.blue, &BLUE[..]), (&shop.pair.green, &GREEN)] {
        let text = targets(pods.iter().copied()).join(",");
        let found = cluster.get(&ledger("default", "shop", "")).await.expect("it is there");
        assert_eq!(found["data"], json!({ "targets": text }));
    }
}

#[tokio::test]
async fn an_interrupt_while_waiting_says_what_goes_on() {
    for signal in [Signal::INT, Signal::TERM] {
        let shop = Shop::open().await;
        shop.drift_in_both().await;
        shop.check_slowly();
        let desk = shop.machine();
        let running = desk.start_mctg("reconcile --yes --timeout 60s");
        let looks = || shop.elbv2.server().count(Operation::DescribeTargetHealth);
        until("it registered", async || {
            shop.elbv2.server().count(Operation::DeregisterTargets) > 0
        })
        .await;
        let before = looks();
        until("it waits", async || looks() > before).await;
        running.signal(signal);
        let said = running.finish().await;
        said.ends(130).says("stopping: no new call is made").says_not("Time was up");
        let waits = "In their first health checks, which go on: 10.0.12.31:80.";
        said.says("Stopped in ").says(waits).says("Nothing was left undone. Exit 130.");
        shop.elbv2.drain();
        shop.elbv2.with(|model| model.settings.first_checks = std::time::Duration::ZERO);
        heals(&shop).await;
    }
}

#[tokio::test]
async fn an_interrupt_of_a_reading_verb_changed_nothing() {
    let shop = Shop::open().await;
    shop.trouble(Operation::DescribeTargetHealth, &Trouble::Silent);
    for args in ["status", "diff"] {
        let asked = shop.elbv2.server().count(Operation::DescribeTargetHealth);
        let desk = shop.machine();
        let running = desk.start_mctg(args);
        until("it asks", async || {
            shop.elbv2.server().count(Operation::DescribeTargetHealth) > asked
        })
        .await;
        running.signal(Signal::INT);
        let said = running.finish().await;
        said.ends(130).says("interrupted: nothing was changed");
        assert_eq!(said.stdout, "");
    }
}

#[tokio::test]
async fn time_that_is_up_is_told() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    shop.check_slowly();
    let run = shop.machine().mctg("reconcile --yes --timeout 1s").await;
    run.ends(124).says("Time was up before these became healthy: 10.0.12.31:80.").says("Exit 124.");
    let run = shop.machine().mctg("reconcile --context green --yes --wait=false").await;
    run.ends(0);
}

#[tokio::test]
async fn health_that_cannot_be_read_while_waiting_is_not_health() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    shop.check_slowly();
    // The fourth look is the first of the waiting: plan, before the run, before deregistering.
    let desk = shop.machine();
    let running = desk.start_mctg("reconcile --yes --timeout 2s");
    until("it deregistered", async || shop.elbv2.server().count(Operation::DeregisterTargets) > 0)
        .await;
    shop.refuse(
        Operation::DescribeTargetHealth,
        &mctg::sim::elbv2::ApiError::access_denied("ci", "DescribeTargetHealth"),
    );
    let said = running.finish().await;
    said.says_not("A second run plans nothing");
    assert!(matches!(said.code, Some(3 | 124)), "{said:#?}");
}

#[tokio::test]
async fn replies_that_are_lost_after_the_effect() {
    for operation in [Operation::RegisterTargets, Operation::DeregisterTargets] {
        for trouble in [Trouble::Closed, Trouble::Garbage] {
            let shop = Shop::open().await;
            shop.drift_in_both().await;
            for _ in 0..10 {
                shop.elbv2.server().fail_next(operation, Fault::after(trouble.clone()));
            }
            let run = shop.machine().mctg("reconcile --yes").await;
            assert!(matches!(run.code, Some(0 | 3)), "{run:#?}");
            run.ends(run.code.expect("it ended by itself"));
            shop.elbv2.server().load_balancers().clear_faults();
            heals(&shop).await;
        }
    }
}

#[tokio::test]
async fn a_run_that_is_killed_anywhere_is_picked_up() {
    for operation in [
        Operation::DescribeTargetGroups,
        Operation::RegisterTargets,
        Operation::DescribeTargetHealth,
        Operation::DeregisterTargets,
    ] {
        for after in [false, true] {
            let shop = Shop::open().await;
            shop.drift_in_both().await;
            let silent = match after {
                true => Fault::after(Trouble::Silent),
                false => Fault::before(Trouble::Silent),
            };
            shop.elbv2.server().fail_next(operation, silent);
            let desk = shop.machine();
            let running = desk.start_mctg("reconcile --all-contexts --yes");
            let server = shop.elbv2.server();
            until("it asks", async || server.count(operation) > 0).await;
            assert_eq!(running.kill().await.code, None);
            shop.elbv2.server().load_balancers().clear_faults();
            heals(&shop).await;
        }
    }
}

#[tokio::test]
async fn a_ledger_that_is_edited_by_hand_during_the_run() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    // The registration hangs after its effect; meanwhile somebody writes the ledger.
    shop.elbv2.server().fail_next(
        Operation::RegisterTargets,
        Fault::before(Trouble::Late(std::time::Duration::from_secs(2))),
    );
    let desk = shop.machine();
    let running = desk.start_mctg("reconcile --yes");
    until("it registers", async || shop.elbv2.server().count(Operation::RegisterTargets) > 0).await;
    let text = targets(BLUE.into_iter().chain([GONE[0], "10.0.12.77"])).join(",");
    shop.pair.blue.put(ledger("default", "shop", &text)).await;
    let said = running.finish().await;
    assert!(matches!(said.code, Some(0 | 1 | 3)), "{said:#?}");
    said.ends(said.code.expect("it ended by itself"));
    heals(&shop).await;
}

#[tokio::test]
async fn two_runs_at_the_same_time() {
    for args in [
        ["reconcile --context blue --yes", "reconcile --context blue --yes"],
        ["reconcile --context blue --yes", "reconcile --context green --yes"],
        ["reconcile --all-contexts --yes", "reconcile --all-contexts --yes"],
    ] {
        let shop = Shop::open().await;
        shop.drift_in_both().await;
        let desk = shop.machine();
        let (one, other) = tokio::join!(desk.mctg(args[0]), desk.mctg(args[1]));
        for said in [&one, &other] {
            said.ends(said.code.expect("it ended by itself"));
            assert!(matches!(said.code, Some(0 | 1 | 3)), "{said:#?}");
        }
        heals(&shop).await;
    }
}

/// Lets something happen to blue's servers while targets are being registered; returns what the run
/// said. Whatever that was, nothing is lost, nothing leaks, and the next run repairs the rest.
async fn survives(
    strike: impl AsyncFnOnce(&mut Cluster),
    mend: impl AsyncFnOnce(&mut Cluster),
) -> Finished {
    let mut shop = Shop::open().await;
    shop.drift_in_both().await;
    shop.elbv2.server().fail_next(
        Operation::RegisterTargets,
        Fault::before(Trouble::Late(std::time::Duration::from_secs(2))),
    );
    let desk = shop.machine();
    let running = desk.start_mctg("reconcile --yes --request-timeout 3s");
    until("it registers", async || shop.elbv2.server().count(Operation::RegisterTargets) > 0).await;
    strike(&mut shop.pair.blue).await;
    let said = running.finish().await;
    assert!(matches!(said.code, Some(0 | 3)), "{said:#?}");
    said.ends(said.code.expect("it ended by itself"));
    let registered = shop.registered();
    for kept in targets(BLUE[1..].iter().chain(&GREEN[1..]).copied()) {
        assert!(registered.contains(&kept), "{kept} is lost: {registered:?}\n{said:#?}");
    }
    // What it says about the stale target is what became of it.
    let went = !registered.contains(&format!("{}:80", GONE[0]));
    assert_eq!(went, said.text().contains("1 deregistered"), "{registered:?}\n{said:#?}");
    mend(&mut shop.pair.blue).await;
    until("blue is read", async || desk.mctg("status").await.code != Some(3)).await;
    heals(&shop).await;
    said
}

#[tokio::test]
async fn an_etcd_that_stops_midway_loses_nothing() {
    let said = survives(async |blue| blue.stop_etcd(), Cluster::restart).await;
    said.ends(3).says("Not all done");
}

#[tokio::test]
async fn an_api_server_that_is_restarted_midway_loses_nothing() {
    let restart = async |blue: &mut Cluster| {
        blue.stop_api_server();
        blue.restart().await;
    };
    survives(restart, async |_| {}).await;
}

#[tokio::test]
async fn an_api_server_that_stops_answering_midway_loses_nothing() {
    let hold = async |blue: &mut Cluster| blue.pause_api_server();
    let said = survives(hold, async |blue| blue.resume_api_server()).await;
    said.ends(3).says("its cluster could not be read: failed to list").says("no answer within 3s");
}
