//! `kill -9` between any two calls leaves a state that the next run repairs.

use std::collections::BTreeSet;

use mctg::sim::Trouble;
use mctg::sim::faults::Fault;
use serde_json::json;

use crate::support::cluster::until;
use crate::support::gate::{Gate, Held};
use crate::support::objects::{ledger, pod};
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, FOREIGN, GREEN, Shop, serve, targets};

/// Blue's pods after one was replaced: a run grows the ledger, registers, deregisters, shrinks it.
const REPLACED: [&str; 3] = [BLUE[0], "10.0.76.90", BLUE[2]];

const RUN: &str = "reconcile --yes --via direct --context blue -o json";

async fn shop() -> Shop {
    let shop = Shop::open().await;
    shop.elbv2.register(&shop.group, &[FOREIGN]);
    serve(&shop.pair.blue, "shop", &REPLACED).await;
    shop.pair.blue.delete(&pod("default", "shop-84", "", "")).await;
    shop
}

impl Shop {
    /// Blue's pod was just replaced and nothing was done about it yet.
    async fn before_the_run(&self) {
        self.elbv2.lose(&self.group, &["10.0.76.90:80"]);
        self.elbv2.register(&self.group, &["10.0.76.84:80"]);
        self.pair.blue.put(ledger("default", "shop", &targets(BLUE).join(","))).await;
    }

    /// Every target is in a ledger, but the one that nobody tracks: nothing leaks.
    async fn nothing_has_leaked(&self, when: &str) {
        let mut tracked = BTreeSet::from([FOREIGN.to_owned()]);
        for cluster in [&self.pair.blue, &self.pair.green] {
            let stored = cluster.get(&ledger("default", "shop", "")).await.expect("a ledger");
            let text = stored["data"]["targets"].as_str().expect("text");
            tracked.extend(text.split(',').map(str::to_owned));
        }
        for target in self.registered() {
            assert!(tracked.contains(&target), "{when}: {target} is tracked by nobody");
        }
    }

    /// The next run repairs it all, and leaves nothing to do.
    async fn the_next_run_repairs_it(&self, desk: &Desk, when: &str) {
        let run = desk.mctg(RUN).await;
        assert_eq!(run.code, Some(0), "{when}: {run:#?}");
        let expected = targets(REPLACED.into_iter().chain(GREEN).chain(["10.0.100.9"]));
        assert_eq!(self.registered(), expected, "{when}");
        let stored = self.pair.blue.get(&ledger("default", "shop", "")).await.expect("a ledger");
        assert_eq!(stored["data"], json!({ "targets": targets(REPLACED).join(",") }), "{when}");
        let diff = desk.mctg("diff --context blue").await;
        assert_eq!(diff.code, Some(0), "{when}: {diff:#?}");
    }
}

#[tokio::test]
async fn a_run_killed_at_any_call_to_aws_is_repaired_by_the_next() {
    let shop = shop().await;
    let mut killed = 0;
    for n in 1.. {
        let mut unharmed = true;
        // Which call is the nth may differ: reads are made at the same time.
        for fault in [Fault::before(Trouble::Silent), Fault::after(Trouble::Silent)] {
            shop.before_the_run().await;
            shop.elbv2.server().clear_requests();
            let when = format!("call {n}, {:?}", fault.strikes);
            shop.elbv2.server().fail_nth(None, n, fault);
            let mut run = shop.desk.start_mctg(RUN);
            let mut ended = false;
            while !ended && shop.elbv2.server().requests().len() < n {
                tokio::time::sleep(crate::support::cluster::POLL).await;
                ended = run.has_ended();
            }
            if ended {
                shop.elbv2.forget_faults();
            } else {
                run.kill().await;
                unharmed = false;
                killed += 1;
            }
            shop.nothing_has_leaked(&when).await;
            shop.the_next_run_repairs_it(&shop.desk, &when).await;
        }
        if unharmed {
            break;
        }
    }
    // Observing once takes more than this; what is written comes on top.
    assert!(killed > 10, "killed {killed} runs");
}

#[tokio::test]
async fn a_run_killed_at_any_write_to_a_cluster_is_repaired_by_the_next() {
    let shop = shop().await;
    let gate = Gate::before(&shop.pair.blue).await;
    let kubeconfig = crate::support::kubeconfig::Kubeconfig::default()
        .with("blue", gate.access())
        .with("green", shop.pair.green.admin());
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    for n in [1, 2] {
        for side in [Held::Before, Held::After] {
            let when = format!("write {n}, {side:?}");
            shop.before_the_run().await;
            gate.hold(n, side);
            let run = desk.start_mctg(RUN);
            until("the write is held", async || gate.has_held()).await;
            run.kill().await;
            gate.open();
            shop.nothing_has_leaked(&when).await;
            shop.the_next_run_repairs_it(&desk, &when).await;
        }
    }
    shop.before_the_run().await;
    gate.hold(3, Held::Before);
    let run = desk.mctg(RUN).await.ended(0);
    assert!(!gate.has_held(), "a run writes the ledger twice: {run:#?}");
}
