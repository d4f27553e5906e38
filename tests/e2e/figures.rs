//! Not a test: the servers that `benches/compare.py` measures against.

use std::io::Read;
use std::time::Duration;

use tokio::time::Instant;

use crate::moves::world::{Kind, Side, World};
use crate::support::shop::Shop;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "holds servers until its stdin ends"]
#[expect(clippy::print_stdout, reason = "the addresses go to the script that started this one")]
async fn holds_a_shop() {
    let shop = Shop::open().await;
    let kubeconfig = shop.desk.home().path().join("kubeconfig");
    println!("\nshop {} {} {}", kubeconfig.display(), shop.elbv2.url(), shop.group);
    // Ends when the script lets go of the pipe.
    let held = tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0]));
    let _ = held.await;
}

/// How long the program itself acts in the whole move, the controllers' part aside: each command
/// without its waits, and `unbind` a second time for what it does once all has drained.
#[tokio::test]
#[ignore = "measures: `cargo test --features e2e --test e2e acts_in -- --ignored --nocapture`"]
#[expect(clippy::print_stdout, reason = "the figures are for people")]
async fn the_program_acts_in() {
    let world = World::new(Kind::NlbIp).await;
    let (pri, sec) = tokio::join!(Side::pri(&world), Side::sec(&world));
    pri.own(&["10.0.12.31", "10.0.76.84", "10.0.140.17"], false).await;
    sec.deploy(&["10.0.79.52", "10.0.151.60"]).await;
    sec.join();
    let mut sum = Duration::ZERO;
    for (verb, place) in [
        ("check --pre", ""),
        ("enable svc/nginx", "-n default --context pri --yes --wait=false"),
        ("bind svc/nginx", "-n default --from pri --context sec --yes --wait=false"),
        ("status", ""),
        ("unbind svc/nginx", "-n default --context sec --yes --wait=false"),
        ("unbind tgb/nginx-http", "-n default --context sec --yes"),
        ("disable svc/nginx", "-n default --context pri --yes --wait=false"),
    ] {
        let started = Instant::now();
        let ended = world.desk.mctg(&format!("{verb} {place}")).await;
        let took = started.elapsed();
        println!("{:>6} ms  {verb}  (exit {:?})", took.as_millis(), ended.code);
        sum += took;
        tokio::join!(pri.standin.settled(), sec.standin.settled());
        world.elbv2.drain();
    }
    println!("{:>6} ms  in all", sum.as_millis());
}
