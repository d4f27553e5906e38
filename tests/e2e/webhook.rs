//! The controller's webhook has nobody behind it: every change of a binding is refused.

use serde_json::{Value, json};

use crate::nudge::FORGOTTEN;
use crate::support::cluster::until;
use crate::support::kubeconfig::dead_url;
use crate::support::objects::{binding, ledger, webhook};
use crate::support::shop::{BLUE, GREEN, LOST, Shop, targets};

const FINALIZER: &str = "elbv2.k8s.aws/resources";

/// How the error says what to do.
const MEND: &str = "bring the controller up, or if it is gone for good delete the \
    MutatingWebhookConfiguration and the ValidatingWebhookConfiguration `aws-load-balancer-webhook`";

impl Shop {
    fn bound(&self) -> Value {
        binding("default", "shop", self.group.as_str())
    }

    /// Says whether blue's server lets anybody change the binding.
    async fn admits(&self) -> bool {
        let patch =
            "annotate targetgroupbindings.elbv2.k8s.aws shop --dry-run=server --overwrite a=b";
        self.desk.kubectl(patch).await.code == Some(0)
    }

    async fn break_webhook(&self, client: Value) {
        self.pair.blue.put(webhook(&client)).await;
        until("the webhook is in the way", async || !self.admits().await).await;
    }

    async fn mend_webhook(&self) {
        self.pair.blue.delete(&webhook(&Value::Null)).await;
        until("the webhook is out of the way", async || self.admits().await).await;
    }
}

/// The action, the result and the error of each step of the only binding.
fn steps(run: &Value) -> Vec<(&str, &str, &str)> {
    let steps = run["bindings"][0]["steps"].as_array().expect("steps");
    fn text(value: &Value) -> &str {
        value.as_str().unwrap_or_default()
    }
    steps.iter().map(|it| (text(&it["action"]), text(&it["result"]), text(&it["error"]))).collect()
}

#[tokio::test]
async fn a_binding_that_is_being_deleted_keeps_ledger_and_finalizer_until_that_is_mended() {
    let shop = Shop::open().await;
    let blue = &shop.pair.blue;
    let mut held = shop.bound();
    held["metadata"]["finalizers"] = json!([FINALIZER]);
    blue.put(held.clone()).await;
    blue.delete(&held).await;
    // As a chart leaves it that was taken away without its webhooks: not even the Service is there.
    let service =
        json!({ "namespace": "kube-system", "name": "aws-load-balancer-webhook-service" });
    shop.break_webhook(json!({ "service": service })).await;
    let tracked = blue.get(&ledger("default", "shop", "")).await;

    let run = shop.desk.mctg("reconcile --yes -o json").await.ended(3).json();
    let [deregister, (action, result, error)] = steps(&run)[..] else { panic!("two: {run:#}") };
    assert_eq!(deregister, ("deregister", "done", ""), "{run:#}");
    assert_eq!((action, result), ("removeFinalizer", "failed"), "{run:#}");
    assert!(error.contains("failed calling webhook") && error.ends_with(MEND), "{error}");
    assert_eq!(run["bindings"][0]["outcome"], "partial", "{run:#}");
    assert_eq!(run["bindings"][0]["reason"], error);
    shop.elbv2.drain();
    for _ in 0..2 {
        assert_eq!(shop.registered(), targets(GREEN));
        assert_eq!(blue.get(&ledger("default", "shop", "")).await, tracked, "nobody wrote it");
        let stored = blue.get(&held).await.expect("it is held");
        assert_eq!(stored["metadata"]["finalizers"], json!([FINALIZER]));
        shop.desk.mctg("reconcile --yes").await.ends(3).says(MEND);
    }
    shop.desk.mctg("diff").await.ends(1);

    shop.mend_webhook().await;
    shop.desk.mctg("reconcile --yes").await.ends(0);
    assert_eq!(blue.get(&held).await, None);
    assert_eq!(blue.get(&ledger("default", "shop", "")).await, None);
    assert_eq!(shop.registered(), targets(GREEN));
}

#[tokio::test]
async fn a_service_that_is_gone_needs_no_change_of_a_binding() {
    let shop = Shop::open().await;
    let blue = &shop.pair.blue;
    shop.break_webhook(json!({ "url": dead_url() })).await;
    blue.delete(&crate::support::objects::service("default", "shop", "NodePort")).await;
    shop.desk.mctg("reconcile --yes").await.ends(0);
    assert_eq!(shop.registered(), targets(GREEN));
    assert_eq!(blue.get(&ledger("default", "shop", "")).await, None);
    shop.mend_webhook().await;
}

#[tokio::test]
async fn a_nudge_that_is_refused_is_told_and_nothing_is_lost() {
    let shop = Shop::open().await;
    let standin = shop.served().await;
    shop.elbv2.lose(&shop.group, &[LOST]);
    standin.later(FORGOTTEN);
    shop.break_webhook(json!({ "url": dead_url() })).await;
    let before = (shop.pair.blue.get(&shop.bound()).await, standin.writes());

    let run = shop.desk.mctg("reconcile --via controller --yes -o json").await.ended(3).json();
    let [(action, result, error)] = steps(&run)[..] else { panic!("one: {run:#}") };
    assert_eq!((action, result), ("nudge", "failed"), "{run:#}");
    assert!(error.contains("failed calling webhook") && error.ends_with(MEND), "{error}");
    shop.desk.mctg("reconcile --via controller --yes").await.ends(3).says(MEND);
    standin.settled().await;
    assert_eq!((shop.pair.blue.get(&shop.bound()).await, standin.writes()), before);
    assert_eq!(shop.elbv2.writes(), []);

    shop.mend_webhook().await;
    shop.desk.mctg("reconcile --via controller --yes").await.ends(0);
    assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)));
}
