//! The permissions that the README lists are enough, and `status` needs none of those for `reconcile`.

use serde_json::{Value, json};

use crate::support::cluster::{Cluster, Rule};
use crate::support::kubeconfig::{Access, Kubeconfig};
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, LOST, Shop, targets};

const README: &str = include_str!("../../README.md");

/// A rule of a ClusterRole for one resource.
struct Granted {
    group: String,
    resource: String,
    verbs: Vec<String>,
}

/// The rules of a role in the README's YAML. What is granted by name is granted as a whole here.
fn rules_of(role: &str) -> Vec<Granted> {
    let yaml = README.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let documents = yaml.expect("the README lists roles").split("---\n");
    let role = documents
        .map(|text| serde_saphyr::from_str::<Value>(text).expect("they are YAML"))
        .find(|document| document["metadata"]["name"] == json!(role))
        .expect("the README has this role");
    let words = |value: &Value| -> Vec<String> {
        let words = value.as_array().expect("a list").iter();
        words.map(|word| word.as_str().expect("a word").to_owned()).collect()
    };
    let mut granted = Vec::new();
    for rule in role["rules"].as_array().expect("a role has rules") {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                granted.push(Granted {
                    group: group.clone(),
                    resource,
                    verbs: words(&rule["verbs"]),
                });
            }
        }
    }
    granted
}

async fn user(cluster: &Cluster, roles: &[&str]) -> Access {
    let granted: Vec<Granted> = roles.iter().flat_map(|role| rules_of(role)).collect();
    let verbs: Vec<Vec<&str>> =
        granted.iter().map(|it| it.verbs.iter().map(String::as_str).collect()).collect();
    let rules: Vec<Rule<'_>> = granted
        .iter()
        .zip(&verbs)
        .map(|(it, verbs)| Rule {
            namespace: None,
            group: &it.group,
            resource: &it.resource,
            verbs,
        })
        .collect();
    cluster.user(&rules).await
}

async fn desk(shop: &Shop, of_blue: &[&str]) -> Desk {
    let kubeconfig = Kubeconfig::default()
        .with("blue", user(&shop.pair.blue, of_blue).await)
        .with("green", user(&shop.pair.green, &["mctg-read"]).await);
    Desk::new(&kubeconfig).with_elbv2(&shop.elbv2)
}

#[tokio::test]
async fn the_roles_of_the_readme_are_enough() {
    let shop = Shop::open().await;
    let reader = desk(&shop, &["mctg-read"]).await;
    let status = reader.mctg("status -o json").await;
    assert_eq!(status.code, Some(0), "{status:?}");
    assert_eq!(status.json()["complete"], json!(true));

    // Something to register, something to deregister, and so a ledger to write twice.
    shop.elbv2.lose(&shop.group, &[LOST]);
    let stale = "10.0.12.99:80";
    shop.elbv2.register(&shop.group, &[stale]);
    let mut tracked = targets(BLUE);
    tracked.push(stale.to_owned());
    tracked.retain(|target| target != LOST);
    let ledger = crate::support::objects::ledger("default", "shop", &tracked.join(","));
    shop.pair.blue.put(ledger).await;

    let refused = reader.mctg("reconcile --yes --wait=false").await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(!shop.registered().contains(&LOST.to_owned()), "nothing leaks");

    let writer = desk(&shop, &["mctg-read", "mctg-reconcile"]).await;
    let done = writer.mctg("reconcile --yes --wait=false -o json").await;
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.json()["bindings"][0]["outcome"], json!("applied"));
    let registered = shop.registered();
    assert!(registered.contains(&LOST.to_owned()) && !registered.contains(&stale.to_owned()));
}
