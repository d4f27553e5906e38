//! IPv6, and groups of another account: bound as any other.

use mctg::sim::elbv2::{NewGroup, Vpc};
use mctg::sim::world::VPC;
use serde_json::json;

use super::only;
use crate::enable::everything;
use crate::support::objects::{ledger, pod, service, slice};
use crate::support::programs::Desk;
use crate::support::shop::{GREEN, Shop, serve, targets};
use crate::support::standin::StandIn;
use crate::support::sts::Sts;

#[tokio::test]
async fn pods_with_ipv6_addresses_join_a_group_of_ipv6() {
    let shop = Shop::new().await;
    let green = &shop.pair.green;
    let group = shop.elbv2.group_like(&NewGroup::new("six", VPC).ipv6());
    shop.elbv2.with(|model| {
        model.add_vpc(VPC, Vpc::default().subnet("us-east-1a", "2600:1f18::/64"));
    });
    let mut six = service("default", "shop", "ClusterIP");
    six["spec"]["ipFamilies"] = json!(["IPv6"]);
    six["spec"]["ipFamilyPolicy"] = json!("SingleStack");
    green.put(six).await;
    let pod = pod("default", "shop-six", "2600:1f18::5", "node-0");
    green.put(pod.clone()).await;
    let mut endpoints = slice("default", "shop", &[pod]);
    endpoints["addressType"] = json!("IPv6");
    green.put(endpoints).await;
    let standin = StandIn::whole(green, &shop.elbv2, "green-eks").await;
    let line = format!(
        "bind svc/shop -n default --context green --target-group-arn {group} --source-cidr 2600:1f18::/64"
    );
    let done = shop.desk.mctg(&format!("{line} -o json")).await.ended(0).json();
    assert_eq!(done["items"][0]["outcome"], "applied", "{done:#}");
    let made = only(green).await;
    assert_eq!(made["spec"]["ipAddressType"], "ipv6");
    let from = &made["spec"]["networking"]["ingress"][0]["from"];
    assert_eq!(*from, json!([{ "ipBlock": { "cidr": "2600:1f18::/64" } }]));
    assert_eq!(shop.elbv2.registered(&group).len(), 1);
    let tracked = green.get(&ledger("default", "shop-http", "")).await.expect("a ledger");
    assert_eq!(tracked["data"]["targets"], "2600:1f18::5:80");
    standin.settled().await;
    let before = everything(&shop).await;
    let again = shop.desk.mctg(&format!("{line} -o json")).await.ended(0).json();
    assert_eq!(again["items"][0]["outcome"], "unchanged", "{again:#}");
    assert_eq!(everything(&shop).await, before);
}

#[tokio::test]
async fn a_group_of_another_account_is_joined_through_a_role() {
    let shop = Shop::new().await;
    let green = &shop.pair.green;
    green.put(service("default", "shop", "ClusterIP")).await;
    serve(green, "shop", &GREEN).await;
    let standin = StandIn::whole(green, &shop.elbv2, "green-eks").await;
    let sts = Sts::generous().await;
    let desk = Desk::new(&shop.pair.kubeconfig()).with_elbv2(&shop.elbv2);
    let desk = desk.set("AWS_ENDPOINT_URL_STS", sts.url());
    let role = "arn:aws:iam::111122223333:role/shop";
    let line = format!(
        "bind svc/shop -n default --context green --target-group-arn {} --no-networking \
         --assume-role-arn {role} --external-id four",
        shop.group
    );
    let done = desk.mctg(&format!("{line} -o json")).await.ended(0).json();
    assert_eq!(done["items"][0]["outcome"], "applied", "{done:#}");
    let made = only(green).await;
    assert_eq!(made["spec"]["iamRoleArnToAssume"], role);
    assert_eq!(made["spec"]["assumeRoleExternalId"], "four");
    assert_eq!(shop.registered(), targets(GREEN));
    let asked = sts.asked();
    assert!(
        !asked.is_empty() && asked.iter().all(|it| it.contains("ExternalId=four")),
        "{asked:?}"
    );
    standin.settled().await;
    let before = everything(&shop).await;
    let again = desk.mctg(&format!("{line} -o json")).await.ended(0).json();
    assert_eq!(again["items"][0]["outcome"], "unchanged", "{again:#}");
    // The way back leads through the role too.
    let back = "unbind svc/shop -n default --context green --allow-empty --dry-run -o json";
    let plan = desk.mctg(back).await.ended(0).json();
    assert_eq!(plan["items"][0]["outcome"], "planned", "{plan:#}");
    let strict = Sts::strict().await;
    let refused = desk.set("AWS_ENDPOINT_URL_STS", strict.url()).mctg(back).await;
    assert_eq!(refused.code, Some(3), "{refused:#?}");
    assert_eq!(everything(&shop).await, before);
}
