//! SIGTERM and Ctrl-C: no new call, no retry, a little time for the one under way, a true report.

use mctg::sim::Trouble;
use mctg::sim::elbv2::Operation;
use mctg::sim::faults::Fault;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::cluster::{POLL, until};
use crate::support::gate::{Gate, Held};
use crate::support::kubeconfig::Kubeconfig;
use crate::support::objects::ledger;
use crate::support::programs::Finished;
use crate::support::shop::{BLUE, GREEN, Shop, targets};
use crate::support::trouble::{GONE, LOST};

const RUN: &str = "reconcile --yes --context blue";

/// Blue lost a target, and a tracked target lost its pod: a run registers, deregisters, and then
/// writes the ledger.
async fn shop() -> Shop {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    shop
}

/// Another run repairs all of blue.
async fn heals(shop: &Shop) {
    shop.elbv2.forget_faults();
    shop.desk.mctg(RUN).await.ends(0);
    let expected = BLUE.into_iter().chain(GREEN).filter(|it| *it != LOST[1]).chain([GONE[1]]);
    assert_eq!(shop.registered(), targets(expected));
    let stored = shop.pair.blue.get(&ledger("default", "shop", "")).await.expect("a ledger");
    assert_eq!(stored["data"], json!({ "targets": targets(BLUE).join(",") }));
    shop.desk.mctg("diff --context blue").await.ends(0).says("Nothing to do");
}

/// Action, result and error of each step.
fn steps(document: &Value) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let steps = document["bindings"][0]["steps"].as_array().expect("a binding has steps");
    let step = |it: &Value| (text(&it["action"]), text(&it["result"]), text(&it["error"]));
    steps.iter().map(step).collect()
}

/// Checks what is true of every run that was stopped with something left.
#[track_caller]
fn was_stopped(said: &Finished) -> Value {
    said.ends(130).says("stopping: no new call is made");
    let document = said.json();
    assert_eq!(document["interrupted"], true, "{document:#}");
    assert_eq!(document["complete"], false, "{document:#}");
    assert_eq!(document["timedOut"], false, "{document:#}");
    assert_eq!(document["findings"], json!([]), "{document:#}");
    document
}

#[tokio::test]
async fn a_registration_that_hangs_has_its_time_and_is_told_as_not_known() {
    for fault in [Fault::before(Trouble::Silent), Fault::after(Trouble::Silent)] {
        let shop = shop().await;
        let server = shop.elbv2.server();
        server.fail_next(Operation::RegisterTargets, fault);
        let run = shop.desk.start_mctg(&format!("{RUN} -o json"));
        until("it registers", async || server.count(Operation::RegisterTargets) > 0).await;
        let before = server.requests().len();
        run.signal(Signal::TERM);
        let said = run.finish().await;
        let document = was_stopped(&said);
        assert_eq!(server.requests().len(), before, "called after all: {:?}", server.requests());
        let steps = steps(&document);
        let [register, deregister] = &steps[..] else { panic!("{steps:?}") };
        assert_eq!((&*register.0, &*register.1), ("register", "failed"));
        assert!(
            register.2.ends_with(
                "the run was stopped, and no answer came within 4s; it may still take effect"
            ),
            "{register:?}"
        );
        let left = ("deregister", "skipped", "the run was stopped before");
        assert_eq!((&*deregister.0, &*deregister.1, &*deregister.2), left);
        assert_eq!(document["bindings"][0]["outcome"], "failed");
        heals(&shop).await;
    }
}

#[tokio::test]
async fn an_answer_that_comes_in_time_is_in_the_report_and_nothing_follows() {
    let shop = shop().await;
    let server = shop.elbv2.server();
    let late = Trouble::Late(std::time::Duration::from_secs(2));
    server.fail_next(Operation::RegisterTargets, Fault::before(late));
    let run = shop.desk.start_mctg(&format!("{RUN} -o json"));
    until("it registers", async || server.count(Operation::RegisterTargets) > 0).await;
    let before = server.requests().len();
    run.signal(Signal::TERM);
    let document = was_stopped(&run.finish().await);
    assert_eq!(server.requests().len(), before, "called after all: {:?}", server.requests());
    let results: Vec<String> = steps(&document).into_iter().map(|(a, r, _)| a + " " + &r).collect();
    assert_eq!(results, ["register done", "deregister skipped"]);
    let binding = &document["bindings"][0];
    assert_eq!(binding["outcome"], "partial");
    assert_eq!(binding["reason"], "the run was stopped before all of it was done");
    assert!(shop.registered().contains(&format!("{}:80", LOST[0])));
    heals(&shop).await;
}

#[tokio::test]
async fn a_throttled_call_is_not_tried_again() {
    let shop = shop().await;
    let server = shop.elbv2.server();
    let throttling = mctg::sim::elbv2::ApiError::throttling();
    shop.refuse(Operation::RegisterTargets, &throttling);
    let run = shop.desk.start_mctg(&format!("{RUN} -o json"));
    until("it registers", async || server.count(Operation::RegisterTargets) > 0).await;
    run.signal(Signal::TERM);
    let document = was_stopped(&run.finish().await);
    // The second attempt may have been on its way; the other two were not made.
    let attempts = server.count(Operation::RegisterTargets);
    assert!(attempts < 4, "{attempts}");
    let (action, result, _) = &steps(&document)[0];
    assert_eq!((&**action, &**result), ("register", "failed"));
    heals(&shop).await;
}

#[tokio::test]
async fn a_ledger_whose_write_hangs_is_told_and_nothing_is_registered_after_it() {
    for side in [Held::Before, Held::After] {
        let shop = Shop::open().await;
        // One more pod: the ledger gains before anything is registered.
        shop.pair.blue.put(ledger("default", "shop", &targets([BLUE[0], BLUE[2]]).join(","))).await;
        shop.elbv2.lose(&shop.group, &targets([BLUE[1]]));
        let gate = Gate::before(&shop.pair.blue).await;
        let kubeconfig = Kubeconfig::default()
            .with("blue", gate.access())
            .with("green", shop.pair.green.admin());
        let desk = shop.desk_with(&kubeconfig);
        gate.hold(1, side);
        let run = desk.start_mctg(&format!("{RUN} -o json"));
        until("the write is held", async || gate.has_held()).await;
        run.signal(Signal::TERM);
        let document = was_stopped(&run.finish().await);
        let steps = steps(&document);
        let [write, register] = &steps[..] else { panic!("{steps:?}") };
        assert_eq!((&*write.0, &*write.1), ("writeLedger", "failed"));
        assert!(write.2.ends_with("within 4s; it may still take effect"), "{write:?}");
        assert_eq!((&*register.0, &*register.1), ("register", "skipped"));
        assert_eq!(shop.elbv2.server().count(Operation::RegisterTargets), 0);
        gate.open();
        desk.mctg(RUN).await.ends(0);
        assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)));
    }
}

#[tokio::test]
async fn a_run_that_is_stopped_while_it_reads_did_nothing_and_says_so_in_every_format() {
    for output in ["table", "json", "jsonl", "yaml"] {
        let shop = shop().await;
        shop.trouble(Operation::DescribeTargetHealth, &Trouble::Silent);
        let server = shop.elbv2.server();
        let run = shop.desk.start_mctg(&format!("{RUN} -o {output}"));
        until("it asks", async || server.count(Operation::DescribeTargetHealth) > 0).await;
        run.signal(Signal::TERM);
        let said = run.finish().await;
        said.ends(130).says("stopping: ").says_not("MCTG_CONTEXTS").says_not("MCTG90");
        assert_eq!(shop.elbv2.writes(), [], "{output}");
        match output {
            "table" => {
                said.says("Nothing was done").says("another run picks up from here. Exit 130.");
            }
            "jsonl" => {
                let [line] = &said.json_lines()[..] else { panic!("{said:#?}") };
                assert_eq!(
                    (&line["interrupted"], &line["complete"]),
                    (&json!(true), &json!(false))
                );
                assert_eq!(line["steps"], json!([]));
            }
            "json" => {
                was_stopped(&said);
            }
            _ => assert_eq!(said.yaml()["interrupted"], true),
        }
        heals(&shop).await;
    }
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once() {
    let shop = shop().await;
    let server = shop.elbv2.server();
    shop.trouble(Operation::RegisterTargets, &Trouble::Silent);
    let mut run = shop.desk.start_mctg(&format!("{RUN} -o json"));
    until("it registers", async || server.count(Operation::RegisterTargets) > 0).await;
    // Two that come at the same moment are one.
    while !run.has_ended() {
        run.signal(Signal::INT);
        tokio::time::sleep(POLL).await;
    }
    let said = run.finish().await;
    said.ends(130).says("interrupted: the call under way may still take effect");
    assert_eq!(said.stdout, "", "it had no time for a report");
    heals(&shop).await;
}
