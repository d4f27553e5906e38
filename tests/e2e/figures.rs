//! Not a test: the servers that `benches/compare.py` measures against.

use std::io::Read;

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
