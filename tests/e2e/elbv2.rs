//! What speaks ELBv2.

use crate::support::moto::Moto;

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
