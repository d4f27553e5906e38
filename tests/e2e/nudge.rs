//! Through a controller: what `reconcile` makes it do, what it keeps it from, and what it says of one
//! that does nothing.

use std::time::Duration;

use serde_json::Value;

use crate::support::objects::{binding, lease, ledger};
use crate::support::shop::{BLUE, FOREIGN, LOST, Shop, serve, targets};
use crate::support::standin::StandIn;

/// For longer than the controller remembers targets.
pub(crate) const FORGOTTEN: Duration = Duration::from_secs(301);

/// What was a target of blue until somebody took it out, and its pod went.
pub(crate) const GONE: &str = "10.0.140.17:80";

impl Shop {
    /// A shop whose controller in blue has all in sync, and has had for long.
    pub(crate) async fn served(&self) -> StandIn<'_> {
        let standin = StandIn::start(&self.pair.blue, &self.elbv2).await;
        standin.settled().await;
        self.grow_old().await;
        standin
    }

    /// No difference is young any more.
    async fn grow_old(&self) {
        self.pair.blue.age(&ledger("default", "shop", "")).await;
        self.pair.blue.age(&binding("default", "shop", "")).await;
    }

    /// Leaves [`GONE`] stale where blue's controller does not see it: it was taken out behind its
    /// back, so that a pass left the ledger as it was, and was put back.
    pub(crate) async fn leave_stale(&self, standin: &StandIn<'_>) {
        self.elbv2.lose(&self.group, &[GONE]);
        standin.later(FORGOTTEN);
        serve(&self.pair.blue, "shop", &BLUE[..2]).await;
        standin.settled().await;
        self.elbv2.register(&self.group, &[GONE]);
        self.grow_old().await;
    }

    async fn tracked_text(&self) -> String {
        let stored = self.pair.blue.get(&ledger("default", "shop", "")).await.expect("it is there");
        let mut entries: Vec<String> = stored["data"]["targets"]
            .as_str()
            .expect("it has targets")
            .split(',')
            .map(str::to_owned)
            .collect();
        entries.sort();
        entries.join(",")
    }
}

fn nudges(binding: &Value) -> usize {
    let steps = binding["steps"].as_array().expect("steps");
    steps.iter().filter(|step| step["action"] == "nudge").count()
}

#[tokio::test]
async fn what_a_live_controller_lost_behind_its_back_is_registered_directly() {
    let shop = Shop::open().await;
    let standin = shop.served().await;
    shop.elbv2.lose(&shop.group, &[LOST]);
    let run = shop.desk.mctg("reconcile --yes -o json").await.ended(0).json();
    assert_eq!(run["bindings"][0]["outcome"], "applied", "{run:#}");
    assert_eq!(shop.elbv2.writes(), [("RegisterTargets".to_owned(), 1)]);
    shop.desk.mctg("diff").await.ended(0);
    standin.later(FORGOTTEN);
    let wrote = standin.writes();
    shop.desk.mctg("reconcile --yes").await.ended(0);
    assert_eq!(standin.writes(), wrote, "the controller that looks again has nothing to change");
}

#[tokio::test]
async fn auto_repairs_the_rest_through_the_controller_and_sees_it_done() {
    let shop = Shop::open().await;
    let standin = shop.served().await;
    shop.leave_stale(&standin).await;
    let status = shop.desk.mctg("status -o json").await.ended(1).json();
    let found = &status["targetGroups"][0]["bindings"][0];
    assert_eq!((&found["checkpoint"], &found["state"]), (&"current".into(), &"drifted".into()));
    standin.later(FORGOTTEN);
    let before = standin.writes().len();

    let run = shop.desk.mctg("reconcile --yes -o json").await.ended(0).json();
    let blue = &run["bindings"][0];
    assert_eq!(blue["outcome"], "applied", "{run:#}");
    assert_eq!(nudges(blue), 1, "{run:#}");
    assert_eq!(blue["plan"]["nudge"]["verified"], true, "{run:#}");
    assert_eq!(shop.elbv2.writes(), [], "it was the controller");
    assert_eq!(standin.writes()[before..], [("DeregisterTargets".to_owned(), 1)]);
    assert!(!shop.registered().contains(&GONE.to_owned()));
    assert_eq!(shop.tracked_text().await, targets(BLUE[..2].iter().copied()).join(","));
    shop.desk.mctg("diff").await.ended(0);
}

#[tokio::test]
async fn via_controller_even_what_is_missing_is_a_nudge_and_progress_is_told() {
    let shop = Shop::open().await;
    let standin = shop.served().await;
    shop.elbv2.lose(&shop.group, &[LOST]);
    standin.later(FORGOTTEN);
    let run = shop.desk.mctg("reconcile --via controller --yes").await.ended(0);
    assert!(run.stdout.contains("by its controller, which is made to look again"), "{run:#?}");
    assert!(run.stdout.contains("1 by the controller"), "{run:#?}");
    assert!(run.stderr.contains("nudged"), "{run:#?}");
    assert_eq!(shop.elbv2.writes(), []);
    assert!(shop.registered().contains(&LOST.to_owned()));
}

#[tokio::test]
async fn a_nudge_that_would_take_out_a_pod_of_another_cluster_is_withheld() {
    let shop = Shop::open().await;
    let standin = shop.served().await;
    shop.leave_stale(&standin).await;
    // The address is a pod of green now.
    let green = &shop.pair.green;
    serve(green, "shop", &["10.0.79.52", "10.0.151.60", "10.0.140.17"]).await;
    green.put(ledger("default", "shop", "10.0.79.52:80,10.0.151.60:80,10.0.140.17:80")).await;
    standin.later(FORGOTTEN);
    let wrote = standin.writes();
    let run = shop.desk.mctg("reconcile --yes -o json").await.ended(1).json();
    let blocked = &run["bindings"][0]["plan"]["blocked"][0];
    assert_eq!(blocked["action"], "nudge", "{run:#}");
    assert_eq!(blocked["reason"], "contested", "{run:#}");
    assert_eq!(blocked["waitingOn"], "green default/shop", "{run:#}");
    standin.settled().await;
    assert_eq!(standin.writes(), wrote);
    let text = shop.desk.mctg("reconcile --yes").await.ended(1);
    assert!(text.stdout.contains("its controller would take out 10.0.140.17:80"), "{text:#?}");
}

#[tokio::test]
async fn a_controller_that_does_nothing_is_waited_for_and_told_of() {
    let shop = Shop::open().await;
    let mut standin = shop.served().await;
    shop.leave_stale(&standin).await;
    standin.kill().await;
    let run = shop.desk.mctg("reconcile --yes --timeout 2s").await.ended(124);
    assert!(run.stderr.contains("waiting       for the controller"), "{run:#?}");
    let told = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    let late = format!("after one nudge its controller has not deregistered {GONE}");
    assert!(told.contains(&late), "{run:#?}");
    assert!(shop.registered().contains(&GONE.to_owned()));
    // Once it works again, it does what it was told.
    standin.later(FORGOTTEN);
    standin.restart().await;
    standin.settled().await;
    assert!(!shop.registered().contains(&GONE.to_owned()));
}

#[tokio::test]
async fn a_ledger_that_somebody_else_wrote_beside_a_live_controller_is_beyond_a_nudge() {
    let shop = Shop::open().await;
    let standin = shop.served().await;
    shop.elbv2.lose(&shop.group, &[LOST]);
    let tracked = shop.tracked_text().await;
    let patch = format!(
        "patch configmap aws-lbc-targets-shop --type merge -p {{\"data\":{{\"targets\":\"{tracked},{FOREIGN}\"}}}}"
    );
    assert_eq!(shop.desk.kubectl(&patch).await.code, Some(0));
    let now = standin.leads_since();
    // Later than a minute ago it would only be young; the Lease says since when the controller leads.
    shop.pair.blue.age(&ledger("default", "shop", "")).await;
    shop.pair.blue.put(lease("2026-01-01T00:00:00.000000Z")).await;
    let run = shop.desk.mctg("reconcile --yes --wait=false -o json").await.ended(1).json();
    assert!(now > jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(run["bindings"][0]["outcome"], "deferred", "{run:#}");
    let reason = run["bindings"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("written by somebody else"), "{run:#}");
    assert_eq!(shop.elbv2.writes(), []);
}
