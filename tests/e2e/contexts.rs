//! Which clusters are read, and as whom.

use serde_json::{Value, json};

use crate::support::cluster::{Cluster, Rule};
use crate::support::kubeconfig::Kubeconfig;
use crate::support::programs::Desk;
use crate::support::shop::{GREEN, LEFT, Shop};

fn read(status: &Value) -> Vec<(&str, bool)> {
    let contexts = status["contexts"].as_array().expect("contexts");
    let one = |context: &'_ Value| context["reachable"].as_bool().expect("known");
    contexts.iter().map(|it| (it["context"].as_str().expect("a name"), one(it))).collect()
}

#[tokio::test]
async fn two_contexts_that_reach_the_same_cluster_count_once() {
    let shop = Shop::open().await;
    let twice = shop.pair.kubeconfig().with("again", shop.pair.blue.admin()).current("again");
    let desk = Desk::new(&twice).with_elbv2(&shop.elbv2);
    let status = desk.mctg("status -o json").await.ended(0).json();
    let bindings = status["targetGroups"][0]["bindings"].as_array().expect("bindings");
    let contexts: Vec<_> = bindings.iter().map(|it| it["context"].as_str()).collect();
    assert_eq!(contexts, [Some("again"), Some("green")], "the current one first");
    let same: Vec<_> =
        status["contexts"].as_array().expect("contexts").iter().map(|it| &it["sameAs"]).collect();
    assert_eq!(same.iter().filter(|it| ***it == json!("again")).count(), 1, "{status:#}");
    let text = desk.mctg("status").await.ended(0);
    assert!(text.stdout.contains("same cluster"), "{}", text.stdout);

    // Written through either name, it is one cluster still.
    shop.drift().await;
    let run = desk.mctg("reconcile --context blue,again,green --yes -o json").await.ended(0).json();
    assert_eq!(run["bindings"].as_array().map(Vec::len), Some(2), "{run:#}");
    assert_eq!(shop.elbv2.writes().len(), 2);
    let lone = desk.mctg("reconcile --context blue --yes -o json").await.ended(0).json();
    assert_eq!(lone["bindings"].as_array().map(Vec::len), Some(1), "{lone:#}");
}

#[tokio::test]
async fn contexts_without_the_crd_are_read_and_fold() {
    let shop = Shop::open().await;
    let bare = Cluster::start_bare().await;
    let kubeconfig = shop.pair.kubeconfig().with("bare", bare.admin());
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    let status = desk.mctg("status -o json").await.ended(0).json();
    assert_eq!(read(&status), [("blue", true), ("green", true), ("bare", true)]);
    assert_eq!(status["contexts"][2]["bindings"], 0);
    let text = desk.mctg("status").await.ended(0);
    assert!(text.stdout.contains("3/3 contexts"), "{}", text.stdout);
}

#[tokio::test]
async fn the_reading_set_is_flags_then_the_environment_then_all() {
    let shop = Shop::open().await;
    let dead = shop.pair.blue.admin().at("https://127.0.0.1:1");
    let kubeconfig = shop.pair.kubeconfig().with("dead", dead);
    let desk = || Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    let all = desk().mctg("status -o json").await.ended(3).json();
    assert_eq!(read(&all), [("blue", true), ("green", true), ("dead", false)]);
    let text = desk().mctg("status").await.ended(3);
    let said = format!("{}{}", text.stdout, text.stderr);
    assert!(said.contains("MCTG_CONTEXTS="), "how to leave it out: {said}");

    for (environment, args, expected, code) in [
        (None, "--context blue,green", &["blue", "green"][..], 0),
        (None, "--context green --context blue", &["green", "blue"], 0),
        (None, "--context b* --context gre?n", &["blue", "green"], 0),
        (Some("gr*,blue"), "", &["blue", "green"], 0),
        (Some("green"), "", &["green"], 0),
        (Some("green"), "--context blue,green", &["blue", "green"], 0),
        (Some("blue,green"), "--all-contexts", &["blue", "green", "dead"], 3),
    ] {
        let desk = match environment {
            Some(globs) => desk().set("MCTG_CONTEXTS", globs),
            None => desk(),
        };
        let status = desk.mctg(&format!("status -o json {args}")).await.ended(code).json();
        let names: Vec<_> = read(&status).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, expected, "{environment:?} {args}");
    }
    for wrong in ["--context blu", "--context nope*", "--context green,grean"] {
        let refused = desk().mctg(&format!("status {wrong}")).await.ended(2);
        assert!(refused.stderr.starts_with("error: "), "{}", refused.stderr);
        assert!(refused.stderr.contains("hint: "), "{}", refused.stderr);
    }
    // What a silent context may desire is not taken out by a guess.
    shop.elbv2.register(&shop.group, &[LEFT]);
    let mut tracked = crate::support::shop::targets(GREEN);
    tracked.push(LEFT.to_owned());
    let ledger = crate::support::objects::ledger("default", "shop", &tracked.join(","));
    shop.pair.green.put(ledger).await;
    let run = desk().mctg("reconcile --context green --yes -o json").await.ended(3).json();
    let blocked = &run["bindings"][0]["plan"]["blocked"][0];
    assert_eq!((&blocked["reason"], &blocked["waitingOn"]), (&json!("silent"), &json!("dead")));
    desk().mctg("reconcile --context green --yes").await.ended(3);
    assert_eq!(shop.elbv2.writes(), []);
    desk().mctg("reconcile --context green --observe blue,green --yes").await.ended(0);
    assert!(!shop.registered().contains(&LEFT.to_owned()));
}

#[tokio::test]
async fn a_user_of_one_namespace_sees_it_and_is_told() {
    let shop = Shop::open().await;
    let rule = |group, resource| Rule {
        namespace: Some("default"),
        group,
        resource,
        verbs: &["get", "list"],
    };
    let user = shop
        .pair
        .green
        .user(&[
            rule("elbv2.k8s.aws", "targetgroupbindings"),
            rule("eks.amazonaws.com", "targetgroupbindings"),
            rule("", "services"),
            rule("", "configmaps"),
            rule("", "pods"),
            rule("discovery.k8s.io", "endpointslices"),
        ])
        .await;
    let kubeconfig = Kubeconfig::default()
        .with("blue", shop.pair.blue.admin())
        .with("green", user)
        .namespace("default");
    let desk = Desk::new(&kubeconfig).with_elbv2(&shop.elbv2);
    let status = desk.mctg("status -o json").await.json();
    let green = &status["targetGroups"][0]["bindings"][1];
    assert_eq!((&green["desired"], &green["tracked"]), (&json!(2), &json!(2)), "{status:#}");
    let text = desk.mctg("status").await;
    assert!(text.stdout.contains("only namespace `default` was read"), "{text:#?}");
    assert!(text.stdout.contains("MCTG902"), "{text:#?}");
    assert_eq!(text.code, Some(3));
}
