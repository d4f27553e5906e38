//! What speaks ELBv2.

use mctg::sim::elbv2::Operation;

use crate::support::moto::Moto;
use crate::support::objects::pod;
use crate::support::pool::pair;
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, GREEN, Shop, nodes, serve, share, targets};

#[tokio::test]
async fn moto_answers_the_query_protocol() {
    let moto = Moto::start().await;
    let (status, answer) = moto
        .call(
            "elasticloadbalancing",
            "Action=DescribeTargetGroups&Version=2015-12-01&Names.member.1=none",
        )
        .await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer.contains("<Code>TargetGroupNotFound</Code>"), "{answer}");
    let (status, answer) =
        moto.call("elasticloadbalancing", "Action=DescribeTargetGroups&Version=2015-12-01").await;
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("<DescribeTargetGroupsResult>"), "{answer}");
}

/// What moto answers is not ours: the plugin reads and writes it all the same.
#[tokio::test]
async fn the_plugin_reads_and_repairs_a_group_of_moto() {
    let moto = Moto::start().await;
    let vpcs = moto.call("ec2", "Action=DescribeVpcs&Version=2016-11-15").await.1;
    let vpc = between(&vpcs, "<vpcId>", "</vpcId>");
    let query = format!(
        "Action=CreateTargetGroup&Version=2015-12-01&Name=shop&Protocol=TCP&Port=80&TargetType=ip&VpcId={vpc}"
    );
    let made = moto.call("elasticloadbalancing", &query).await.1;
    let arn = between(&made, "<TargetGroupArn>", "</TargetGroupArn>");
    let pair = pair().await;
    let group = arn.parse().expect("moto makes ARNs as AWS does");
    nodes(&pair.blue).await;
    share(&pair.blue, &BLUE, &group).await;
    let desk = Desk::new(&pair.kubeconfig()).set("AWS_ENDPOINT_URL", moto.url());

    let status = desk.mctg("status -o json").await.ended(1).json();
    assert_eq!(status["targetGroups"][0]["name"], "shop", "{status:#}");
    desk.mctg("reconcile --yes").await.ended(0);
    serve(&pair.blue, "shop", &BLUE[..2]).await;
    pair.blue.delete(&pod("default", "shop-17", "", "")).await;
    desk.mctg("reconcile --yes").await.ended(0);
    let query = format!("Action=DescribeTargetHealth&Version=2015-12-01&TargetGroupArn={arn}");
    let health = moto.call("elasticloadbalancing", &query).await.1;
    for (address, registered) in BLUE.into_iter().zip([true, true, false]) {
        assert_eq!(health.contains(&format!("<Id>{address}</Id>")), registered, "{health}");
    }
    desk.mctg("diff").await.ended(0);
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let rest = text.split_once(start).unwrap_or_else(|| panic!("no {start}: {text}")).1;
    rest.split_once(end).unwrap_or_else(|| panic!("no {end}: {text}")).0
}

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
