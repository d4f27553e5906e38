//! What speaks ELBv2.

use mctg::sim::elbv2::Operation;

use crate::support::shop::{BLUE, GREEN, Shop, targets};

#[tokio::test]
async fn the_plugin_reads_two_clusters_and_the_model_on_the_wire() {
    let shop = Shop::open().await;
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)));
    let status = shop.desk.mctg("status").await;
    assert_eq!(status.code, Some(0), "{status:#?}");
    assert!(shop.elbv2.server().count(Operation::DescribeTargetHealth) > 0);
    assert_eq!(shop.elbv2.writes(), []);
    let agents: Vec<_> =
        shop.elbv2.server().requests().into_iter().filter_map(|it| it.user_agent).collect();
    assert!(agents.iter().all(|agent| agent.contains("kubectl-mctg")), "{agents:?}");
}
