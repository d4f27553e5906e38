//! Beside a controller that is at work: the stand-in does what the real one does, and the plugin sees
//! what came of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::cluster::{Cluster, until};
use crate::support::objects::{binding, lease, ledger, service};
use crate::support::shop::{BLUE, GREEN, LEFT, LOST, Shop, serve, targets};
use crate::support::standin::StandIn;

/// For longer than the controller remembers targets.
const FORGOTTEN: Duration = Duration::from_secs(301);

impl Shop {
    /// A shop of which blue has the Service with its pods and a binding, and nothing that a
    /// controller would have made.
    async fn ordered() -> Self {
        let shop = Self::new().await;
        shop.order(&shop.pair.blue, &BLUE).await;
        shop
    }

    async fn order(&self, cluster: &Cluster, pods: &[&str]) {
        cluster.put(service("default", "shop", "NodePort")).await;
        serve(cluster, "shop", pods).await;
        cluster.put(self.binding()).await;
    }

    fn binding(&self) -> Value {
        binding("default", "shop", self.group.as_str())
    }

    /// A controller in blue that has done all it finds to do.
    async fn standin(&self) -> StandIn<'_> {
        let standin = StandIn::start(&self.pair.blue, &self.elbv2).await;
        standin.settled().await;
        standin
    }

    /// Takes the checkpoint away, and waits until the controller has done what it does about that.
    async fn force(&self, standin: &StandIn<'_>) {
        let annotate = "annotate targetgroupbindings.elbv2.k8s.aws shop elbv2.k8s.aws/checkpoint-";
        let done = self.desk.kubectl(annotate).await;
        assert_eq!(done.code, Some(0), "{done:?}");
        standin.settled().await;
        assert_eq!(checkpoint(&self.pair.blue, self).await.len(), 87);
    }

    async fn tracked(&self) -> Vec<String> {
        let stored = self.pair.blue.get(&ledger("default", "shop", "")).await.expect("it is there");
        let text = stored["data"]["targets"].as_str().expect("it has targets").to_owned();
        let mut tracked: Vec<String> = text.split(',').map(str::to_owned).collect();
        tracked.sort();
        tracked
    }
}

async fn checkpoint(cluster: &Cluster, shop: &Shop) -> String {
    let stored = cluster.get(&shop.binding()).await.expect("it is there");
    let checkpoint = &stored["metadata"]["annotations"]["elbv2.k8s.aws/checkpoint"];
    checkpoint.as_str().unwrap_or_default().to_owned()
}

/// The managers that wrote a field of the main resource, with their operation.
fn writers<'a>(stored: &'a Value, field: &str) -> Vec<(&'a str, &'a str)> {
    let managers = stored["metadata"]["managedFields"].as_array().expect("managers");
    let wrote = managers.iter().filter(|it| {
        it["subresource"].is_null()
            && !it["fieldsV1"].pointer(field).unwrap_or(&Value::Null).is_null()
    });
    wrote.map(|it| (text(&it["manager"]), text(&it["operation"]))).collect()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[tokio::test]
async fn controllers_register_pods_and_leave_what_the_plugin_reads_as_done() {
    let shop = Shop::ordered().await;
    shop.order(&shop.pair.green, &GREEN).await;
    let blue = shop.standin().await;
    let green = StandIn::start(&shop.pair.green, &shop.elbv2).await;
    green.settled().await;
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)));
    assert_eq!(blue.writes(), [("RegisterTargets".to_owned(), 3)]);
    assert_eq!(green.writes(), [("RegisterTargets".to_owned(), 2)]);
    assert_eq!(shop.tracked().await, targets(BLUE));

    let status = shop.desk.mctg("status -o json").await.ended(0).json();
    for (index, pods) in [(0, 3), (1, 2)] {
        let found = &status["targetGroups"][0]["bindings"][index];
        assert_eq!(found["checkpoint"], "current", "{found:#}");
        assert_eq!(found["state"], "inSync", "{found:#}");
        assert_eq!(found["tracked"], pods, "{found:#}");
        assert_eq!(status["contexts"][index]["controllers"][0]["alive"], true);
    }
    shop.desk.mctg("diff --context *").await.ended(0);
    shop.desk.mctg("reconcile --context * --yes").await.ended(0);
    assert_eq!(shop.elbv2.writes(), [], "there is nothing to do beside them");
}

#[tokio::test]
async fn a_controller_writes_under_its_own_name_and_shows_when_it_took_over() {
    let shop = Shop::ordered().await;
    let mut standin = shop.standin().await;
    let blue = &shop.pair.blue;
    let controller = [("controller", "Update")];
    let stored = blue.get(&ledger("default", "shop", "")).await.expect("it wrote one");
    assert_eq!(writers(&stored, "/f:data"), controller);
    assert_eq!(stored["metadata"]["labels"], Value::Null);
    let stored = blue.get(&shop.binding()).await.expect("it is there");
    assert_eq!(writers(&stored, "/f:metadata/f:annotations"), controller);
    assert_eq!(stored["metadata"]["finalizers"], json!(["elbv2.k8s.aws/resources"]));

    let acquired = async || {
        let stored = blue.get(&lease("")).await.expect("it holds one");
        text(&stored["spec"]["acquireTime"]).parse::<jiff::Timestamp>().expect("a time")
    };
    let renewed = async || {
        let stored = blue.get(&lease("")).await.expect("it holds one");
        text(&stored["spec"]["renewTime"]).to_owned()
    };
    let first = renewed().await;
    until("the Lease is renewed", async || renewed().await != first).await;
    let before = acquired().await;
    assert!(standin.leads_since() <= before);
    standin.restart().await;
    assert!(acquired().await > before);
}

#[tokio::test]
async fn a_target_lost_behind_its_back_stays_away_until_the_checkpoint_is_removed() {
    let shop = Shop::ordered().await;
    let standin = shop.standin().await;
    shop.elbv2.lose(&shop.group, &[LOST]);
    let annotate = "annotate targetgroupbindings.elbv2.k8s.aws shop note=mine";
    assert_eq!(shop.desk.kubectl(annotate).await.code, Some(0));
    standin.settled().await;
    assert!(!shop.registered().contains(&LOST.to_owned()), "it skips what it takes for done");
    shop.force(&standin).await;
    assert_eq!(shop.registered(), targets(BLUE));
}

#[tokio::test]
async fn a_healthy_target_that_was_lost_is_not_missed_for_five_minutes() {
    let shop = Shop::ordered().await;
    let standin = shop.standin().await;
    // It lists what it registered itself, and finds it healthy.
    shop.force(&standin).await;
    shop.elbv2.lose(&shop.group, &[LOST]);
    shop.force(&standin).await;
    assert!(!shop.registered().contains(&LOST.to_owned()), "its cache hides it");
    standin.later(FORGOTTEN);
    shop.force(&standin).await;
    assert_eq!(shop.registered(), targets(BLUE));
}

#[tokio::test]
async fn a_ledger_that_others_wrote_counts_only_after_a_restart() {
    let shop = Shop::ordered().await;
    let mut standin = shop.standin().await;
    shop.elbv2.register(&shop.group, &[LEFT]);
    let mut tracked = targets(BLUE);
    tracked.push(LEFT.to_owned());
    shop.pair.blue.put(ledger("default", "shop", &tracked.join(","))).await;
    standin.later(FORGOTTEN);
    shop.force(&standin).await;
    assert!(shop.registered().contains(&LEFT.to_owned()), "it goes by its memory");
    standin.restart().await;
    standin.settled().await;
    assert!(shop.registered().contains(&LEFT.to_owned()), "its checkpoint is current");
    shop.force(&standin).await;
    assert_eq!(shop.registered(), targets(BLUE));
    assert_eq!(shop.tracked().await, targets(BLUE));
}

#[tokio::test]
async fn pods_that_come_and_go_are_followed_and_a_deleted_binding_is_let_go() {
    let shop = Shop::ordered().await;
    let standin = shop.standin().await;
    let blue = &shop.pair.blue;
    standin.later(FORGOTTEN);
    serve(blue, "shop", &[BLUE[0], "10.0.76.91"]).await;
    standin.settled().await;
    assert_eq!(shop.registered(), targets([BLUE[0], "10.0.76.91"]));
    assert_eq!(shop.tracked().await, targets([BLUE[0], "10.0.76.91"]));
    standin.later(FORGOTTEN);
    blue.delete(&shop.binding()).await;
    until("the binding is gone", async || blue.get(&shop.binding()).await.is_none()).await;
    assert_eq!(shop.registered(), [""; 0]);
    assert_eq!(blue.get(&ledger("default", "shop", "")).await, None);
}

#[tokio::test]
async fn a_controller_that_is_stopped_is_absent_and_follows_nothing() {
    let shop = Shop::ordered().await;
    let mut standin = shop.standin().await;
    standin.stop().await;
    serve(&shop.pair.blue, "shop", &BLUE[..1]).await;
    let run = shop.desk.mctg("reconcile --yes -o json").await.ended(0).json();
    assert_eq!(run["bindings"][0]["via"], "direct", "{run:#}");
    assert_eq!(shop.registered(), targets([BLUE[0]]));
    assert_eq!(shop.elbv2.writes(), [("DeregisterTargets".to_owned(), 2)]);
    assert_eq!(standin.writes(), [("RegisterTargets".to_owned(), 3)]);
}
