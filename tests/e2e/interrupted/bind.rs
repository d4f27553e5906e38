//! `bind` killed at each of its writes, or run by two at once: the same command comes to the same end.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::bind::{FROM, only, spec, waiting};
use crate::support::cluster::until;
use crate::support::gate::{Gate, Held};
use crate::support::kubeconfig::Kubeconfig;
use crate::support::objects::{binding, ledger};
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, GREEN, Shop, targets};
use crate::support::standin::StandIn;

/// Green joined: its binding, its ledger, and nobody's target went.
async fn joined(shop: &Shop, standin: &StandIn<'_>, when: &str) {
    let green = &shop.pair.green;
    standin.settled().await;
    let made = only(green).await;
    assert_eq!(made["spec"]["networking"], spec(shop)["networking"], "{when}");
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)), "{when}");
    let name = made["metadata"]["name"].as_str().expect("a name");
    let stored = green.get(&ledger("default", name, "")).await.expect("a ledger");
    let text = stored["data"]["targets"].as_str().expect("targets");
    let tracked: BTreeSet<String> = text.split(',').map(str::to_owned).collect();
    assert_eq!(tracked, targets(GREEN).into_iter().collect(), "{when}");
    assert_eq!(shop.elbv2.writes(), [], "the controller's to do, {when}");
}

/// Green leaves, and leaves nothing behind.
async fn leave(shop: &Shop, standin: &StandIn<'_>, when: &str) {
    let green = &shop.pair.green;
    green.delete(&only(green).await).await;
    standin.settled().await;
    shop.elbv2.drain();
    assert_eq!(shop.registered(), targets(BLUE), "{when}");
}

fn desk(shop: &Shop, gate: &Gate) -> Desk {
    let kubeconfig =
        Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("green", gate.access());
    Desk::new(&kubeconfig).with_elbv2(&shop.elbv2)
}

/// Runs a line, kills it at a write, and runs it again; says what the second run did.
async fn killed(desk: &Desk, gate: &Gate, line: &str, n: usize, side: Held) -> Value {
    let when = format!("{line}, write {n}, {side:?}");
    gate.hold(n, side);
    let run = desk.start_mctg(line);
    until(&when, async || gate.has_held()).await;
    run.kill().await;
    gate.open();
    let again = desk.mctg(&format!("{line} -o json")).await;
    assert_eq!(again.code, Some(0), "{when}: {again:#?}");
    again.json()["items"][0].clone()
}

const SIDES: [Held; 2] = [Held::Before, Held::After];

#[tokio::test]
async fn a_new_binding() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let gate = Gate::before(&shop.pair.green).await;
    let desk = desk(&shop, &gate);
    for side in SIDES {
        let when = format!("{side:?}");
        killed(&desk, &gate, FROM, 1, side).await;
        joined(&shop, &standin, &when).await;
        assert_eq!(only(&shop.pair.green).await["spec"], spec(&shop), "{when}");
        leave(&shop, &standin, &when).await;
    }
    // There is no other write.
    gate.hold(2, Held::Before);
    desk.mctg(FROM).await.ended(0);
    assert!(!gate.has_held());
}

#[tokio::test]
async fn a_ledger_from_before_that_is_discarded_first() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let green = &shop.pair.green;
    let gate = Gate::before(green).await;
    let desk = desk(&shop, &gate);
    let line = format!("{FROM} --discard-ledger --yes");
    // The ledger, the binding.
    for n in [1, 2] {
        for side in SIDES {
            let when = format!("write {n}, {side:?}");
            // It names a target of blue.
            green.put(ledger("default", "shop-http", "10.0.12.31:80")).await;
            killed(&desk, &gate, &line, n, side).await;
            joined(&shop, &standin, &when).await;
            leave(&shop, &standin, &when).await;
        }
    }
}

#[tokio::test]
async fn a_binding_that_is_there_and_differs() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let green = &shop.pair.green;
    let gate = Gate::before(green).await;
    let desk = desk(&shop, &gate);
    let line = format!("{FROM} --yes");
    for side in SIDES {
        let when = format!("{side:?}");
        let mut by_hand = binding("default", "by-hand", shop.group.as_str());
        by_hand["spec"]["serviceRef"] = json!({ "name": "shop", "port": 80 });
        green.put(by_hand).await;
        standin.settled().await;
        killed(&desk, &gate, &line, 1, side).await;
        joined(&shop, &standin, &when).await;
        leave(&shop, &standin, &when).await;
    }
}

#[tokio::test]
async fn two_people_at_once_make_one_binding() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    let old = ledger("default", "shop-http", "10.0.12.31:80");
    for line in [FROM.to_owned(), format!("{FROM} --discard-ledger --yes")] {
        if line != FROM {
            shop.pair.green.put(old.clone()).await;
        }
        let (one, two) = tokio::join!(shop.desk.mctg(&line), shop.desk.mctg(&line));
        one.ended(0);
        two.ended(0);
        joined(&shop, &standin, &line).await;
        leave(&shop, &standin, &line).await;
    }
}

#[tokio::test]
async fn one_who_binds_what_the_other_takes_out() {
    let shop = Shop::new().await;
    let standin = waiting(&shop).await;
    shop.desk.mctg(FROM).await.ended(0);
    let unbind = "unbind svc/shop -n default --context green --yes --wait=false";
    let (bound, unbound) = tokio::join!(shop.desk.mctg(FROM), shop.desk.mctg(unbind));
    // Whoever came first: neither harms blue, and each says how it ended.
    for run in [&bound, &unbound] {
        assert!(matches!(run.code, Some(0 | 1 | 3)), "{run:#?}");
    }
    standin.settled().await;
    let blue = targets(BLUE);
    assert!(blue.iter().all(|it| shop.registered().contains(it)), "{:?}", shop.registered());
}
