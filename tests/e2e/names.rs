//! What can be named, and how.

use mctg::sim::elbv2::LoadBalancerFilter;

use crate::support::objects::{binding, service};
use crate::support::shop::{FOREIGN, LOST, Shop, serve};

#[tokio::test]
async fn bindings_are_found_by_every_name_that_people_know() {
    let shop = Shop::open().await;
    shop.elbv2.register(&shop.group, &[FOREIGN]);
    let other = shop.elbv2.group("k8s-default-till");
    let blue = &shop.pair.blue;
    blue.put(service("default", "till", "ClusterIP")).await;
    serve(blue, "till", &["10.0.12.200"]).await;
    let mut second = binding("default", "till-http", other.as_str());
    second["spec"]["serviceRef"]["name"] = "till".into();
    second["metadata"]["labels"] = serde_json::json!({ "team": "till" });
    blue.put(second).await;
    let load_balancer = shop.elbv2.with(|model| {
        let page =
            model.describe_load_balancers(&LoadBalancerFilter::default(), &Default::default());
        let found = page.expect("there are two").items;
        found.into_iter().find(|it| it.name == "k8s-default-shop").expect("it is the first")
    });

    let arn = shop.group.as_str();
    for names in [
        "svc/shop",
        "service/shop",
        "svc shop",
        "tgb/shop",
        "tgb shop",
        "targetgroupbindings shop",
        "shop",
        "k8s-default-shop",
        arn,
        &load_balancer.arn,
        &load_balancer.dns_name,
        &load_balancer.dns_name.to_uppercase(),
        "10.0.79.52",
        LOST,
        FOREIGN,
    ] {
        let status = shop.desk.mctg(&format!("status {names} -o json --fail-on never")).await;
        let status = status.ended(0).json();
        let groups = status["targetGroups"].as_array().expect("groups");
        assert_eq!(groups.len(), 1, "{names}: {status:#}");
        assert_eq!(groups[0]["arn"], arn, "{names}");
    }
    for (args, count) in [
        ("svc/shop svc/till", 2),
        ("svc shop till", 2),
        ("till-http shop", 2),
        ("-l team=till", 1),
        ("-l team!=till", 1),
        ("-n default", 2),
        ("-n other", 0),
        ("-A", 2),
    ] {
        let status = shop.desk.mctg(&format!("status {args} -o json --fail-on never")).await;
        let status = status.ended(0).json();
        assert_eq!(status["targetGroups"].as_array().map(Vec::len), Some(count), "{args}");
    }
    shop.desk.mctg("status 10.0.79.52").await;
    shop.desk.mctg("status -n other").await;

    // Only what is named is changed.
    shop.desk.mctg("reconcile svc/till --yes").await.ended(0);
    assert_eq!(shop.elbv2.registered(&other), ["10.0.12.200:80"]);
}

#[tokio::test]
async fn an_unknown_name_is_a_usage_error_that_says_what_is_there() {
    let shop = Shop::open().await;
    for verb in ["status", "diff", "reconcile --yes"] {
        for (name, near) in [
            ("svc/shap", "shop"),
            ("shopp", "shop"),
            ("tgb/nginx", ""),
            ("10.9.9.9", ""),
            ("pod/shop", ""),
            ("svc", ""),
        ] {
            let run = shop.desk.mctg(&format!("{verb} {name}")).await.ended(2);
            assert!(run.stderr.starts_with("error: "), "{verb} {name}: {}", run.stderr);
            assert!(run.stderr.contains(near), "{verb} {name}: {}", run.stderr);
            assert_eq!(run.stdout, "", "{verb} {name}");
        }
    }
    assert_eq!(shop.elbv2.writes(), []);
}
