//! `unbind` killed at each of its calls: at AWS, beside a controller, and for a cluster that is lost.

use mctg::sim::Trouble;
use mctg::sim::elbv2::Operation;
use mctg::sim::faults::Fault;

use crate::support::cluster::{POLL, until};
use crate::support::gate::{Gate, Held};
use crate::support::kubeconfig::{Kubeconfig, dead_url};
use crate::support::programs::{Desk, Finished, Running};
use crate::support::shop::{BLUE, GREEN, Shop, share, targets};
use crate::support::standin::StandIn;
use crate::unbind::{RUN, left};

/// Waits for a run, while what drains leaves.
async fn ended(shop: &Shop, mut run: Running) -> Finished {
    while !run.has_ended() {
        shop.elbv2.drain();
        tokio::time::sleep(POLL).await;
    }
    run.finish().await
}

/// Kills a run while its one deregistration has no answer.
async fn killed_at_aws(shop: &Shop, desk: &Desk, line: &str, fault: Fault<Trouble>) {
    shop.elbv2.server().clear_requests();
    shop.elbv2.server().fail_next(Operation::DeregisterTargets, fault);
    let run = desk.start_mctg(line);
    let asked = async || shop.elbv2.server().count(Operation::DeregisterTargets) > 0;
    until("it asks for the deregistration", asked).await;
    run.kill().await;
    shop.elbv2.forget_faults();
    let run = desk.start_mctg(line);
    let run = ended(shop, run).await;
    assert_eq!(run.code, Some(0), "{run:#?}");
}

fn both_sides() -> [Fault<Trouble>; 2] {
    [Fault::before(Trouble::Silent), Fault::after(Trouble::Silent)]
}

#[tokio::test]
async fn at_its_call_to_aws() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    for fault in both_sides() {
        let when = format!("{:?}", fault.strikes);
        share(green, &GREEN, &shop.group).await;
        shop.elbv2.register(&shop.group, &targets(GREEN));
        killed_at_aws(&shop, &shop.desk, RUN, fault).await;
        left(&shop, green, &when).await;
    }
}

#[tokio::test]
async fn beside_a_controller_that_goes_on_meanwhile() {
    let shop = Shop::open().await;
    let green = &shop.pair.green;
    let standin = StandIn::start(green, &shop.elbv2).await;
    let gate = Gate::before(green).await;
    let kubeconfig =
        Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("green", gate.access());
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    // Note, binding, note.
    for n in 1..=3 {
        for side in [Held::Before, Held::After] {
            let when = format!("write {n}, {side:?}");
            share(green, &GREEN, &shop.group).await;
            shop.elbv2.register(&shop.group, &targets(GREEN));
            standin.settled().await;
            gate.hold(n, side);
            let run = desk.start_mctg(RUN);
            until(&when, async || {
                shop.elbv2.drain();
                gate.has_held()
            })
            .await;
            run.kill().await;
            gate.open();
            standin.settled().await;
            if (n, side) != (3, Held::After) {
                let run = desk.start_mctg(RUN);
                let run = ended(&shop, run).await;
                assert_eq!(run.code, Some(0), "{when}: {run:#?}");
            }
            left(&shop, green, &when).await;
        }
    }
    assert_eq!(shop.elbv2.writes(), [], "the controller took them out");
}

#[tokio::test]
async fn for_a_lost_cluster() {
    let shop = Shop::open().await;
    let status = shop.desk.mctg("status -o json").await;
    let dead = shop.pair.green.admin().at(&dead_url());
    let kubeconfig = Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("green", dead);
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    desk.home().write("known.json", &status.stdout);
    let line = "unbind --lost green --context blue --yes --known-from known.json";
    for fault in both_sides() {
        shop.elbv2.register(&shop.group, &targets(GREEN));
        killed_at_aws(&shop, &desk, line, fault).await;
        assert_eq!(shop.registered(), targets(BLUE));
    }
}

#[tokio::test]
async fn two_who_take_out_a_lost_cluster_at_once() {
    let shop = Shop::open().await;
    let status = shop.desk.mctg("status -o json").await;
    let dead = shop.pair.green.admin().at(&dead_url());
    let kubeconfig = Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("green", dead);
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    desk.home().write("known.json", &status.stdout);
    let line = "unbind --lost green --context blue --yes --known-from known.json";
    let (one, other) = (desk.start_mctg(line), desk.start_mctg(line));
    let (one, other) = tokio::join!(ended(&shop, one), ended(&shop, other));
    one.ended(0);
    other.ended(0);
    assert_eq!(shop.registered(), targets(BLUE));
}
