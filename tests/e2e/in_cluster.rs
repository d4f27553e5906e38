//! As in a pod: a ServiceAccount, and no kubeconfig.

use rustix::process::Signal;
use serde_json::json;

use mctg::sim::Trouble;
use mctg::sim::elbv2::Operation;

use crate::support::cluster::until;
use crate::support::pod;
use crate::support::programs::{Desk, Running};
use crate::support::shop::{BLUE, GREEN, LOST, Shop, targets};
use crate::support::trouble::GONE;

/// A pod in blue, as a user who may do anything there.
struct Pod(Desk);

impl Pod {
    /// None where this machine lets nobody make namespaces.
    async fn of(shop: &Shop) -> Option<Self> {
        let account = shop.pair.blue.admin().service_account();
        let desk = Desk::new(&shop.pair.kubeconfig())
            .without("KUBECONFIG")
            .set("KUBERNETES_SERVICE_HOST", &account.host)
            .set("KUBERNETES_SERVICE_PORT", &account.port)
            .with_elbv2(&shop.elbv2);
        desk.home().write("token", &account.token);
        desk.home().write("ca.crt", std::fs::read(&account.ca).expect("the server has one"));
        desk.home().write("namespace", "default");
        let is_possible = pod::is_possible(&desk, desk.home().path()).await;
        is_possible.then_some(Self(desk))
    }

    fn mctg(&self, args: &str) -> Running {
        let words: Vec<&str> =
            ["kubectl-mctg"].into_iter().chain(args.split_whitespace()).collect();
        pod::start(&self.0, self.0.home().path(), &words)
    }
}

#[tokio::test]
async fn a_run_in_a_pod_writes_to_its_own_cluster_and_tells_it_on_the_binding() {
    let shop = Shop::open().await;
    let Some(pod) = Pod::of(&shop).await else { return };
    shop.drift_in_both().await;
    let run = pod.mctg("reconcile --yes --wait=false -o jsonl").finish().await;
    run.ends(0);
    let [line] = &run.json_lines()[..] else { panic!("{run:#?}") };
    assert_eq!(line["context"], "in-cluster");
    assert_eq!(line["plan"]["register"], json!([{ "id": BLUE[0], "port": 80 }]));
    // The other cluster is not seen from here: what is healthy may be its.
    assert_eq!(line["plan"]["blocked"][0]["reason"], "answersElsewhere", "{line:#}");
    assert_eq!(line["interrupted"], false);
    let described =
        shop.desk.kubectl("describe targetgroupbindings.elbv2.k8s.aws shop --context blue").await;
    described.says("Registered").says("BlockedAnswersElsewhere").says(GONE[0]);

    pod.mctg("reconcile --yes --wait=false --events=false").finish().await.ends(0);
    pod.mctg("reconcile --yes --wait=false --in-cluster").finish().await.ends(0);
    let events = shop.desk.kubectl("get events --context blue -o json").await.json();
    let counts: Vec<_> = events["items"].as_array().expect("a list").iter().collect();
    let count = |reason: &str| {
        let found = counts.iter().find(|it| it["reason"] == reason);
        found.map(|it| it["count"].clone())
    };
    assert_eq!(count("BlockedAnswersElsewhere"), Some(json!(2)), "{events:#}");
    assert_eq!(count("Registered"), Some(json!(1)), "{events:#}");
}

#[tokio::test]
async fn a_pod_that_has_to_go_says_what_it_did_and_the_next_one_goes_on() {
    let shop = Shop::open().await;
    let Some(pod) = Pod::of(&shop).await else { return };
    shop.elbv2.lose(&shop.group, &[LOST]);
    shop.trouble(Operation::RegisterTargets, &Trouble::Silent);
    let server = shop.elbv2.server();
    let run = pod.mctg("reconcile --yes --wait=false -o jsonl");
    until("it registers", async || server.count(Operation::RegisterTargets) > 0).await;
    run.signal(Signal::TERM);
    let said = run.finish().await;
    said.ends(130);
    let [line] = &said.json_lines()[..] else { panic!("{said:#?}") };
    assert_eq!((&line["interrupted"], &line["complete"]), (&json!(true), &json!(false)));
    assert_eq!(line["steps"][0]["result"], "failed", "{line:#}");
    assert_eq!(server.count(Operation::RegisterTargets), 1);
    shop.elbv2.forget_faults();
    pod.mctg("reconcile --yes --wait=false -o jsonl").finish().await.ends(0);
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)));
}
