//! What can go wrong with a shop, and how to see that nothing else does.

use std::time::Duration;

use mctg::sim::Trouble;
use mctg::sim::elbv2::{ApiError, Operation};
use mctg::sim::faults::Fault;
use serde_json::{Value, json};

use super::kubeconfig::Kubeconfig;
use super::objects::{binding, ledger};
use super::programs::{Desk, Finished};
use super::shop::{BLUE, GREEN, Shop, targets};

/// The target in each cluster that [`Shop::drift_in_both`] takes out.
pub(crate) const LOST: [&str; 2] = [BLUE[0], GREEN[0]];

/// What each cluster tracks besides, once it drifted: no pod has it any more.
pub(crate) const GONE: [&str; 2] = ["10.0.12.91", "10.0.79.92"];

impl Shop {
    /// In both clusters: one pod lost its target, and a target that is tracked lost its pod.
    pub(crate) async fn drift_in_both(&self) {
        self.elbv2.lose(&self.group, &targets(LOST));
        self.elbv2.register(&self.group, &targets(GONE));
        let clusters = [(&self.pair.blue, &BLUE[..], GONE[0]), (&self.pair.green, &GREEN, GONE[1])];
        for (cluster, pods, gone) in clusters {
            let tracked = targets(pods.iter().copied().chain([gone])).join(",");
            cluster.put(ledger("default", "shop", &tracked)).await;
        }
    }

    /// A machine with another kubeconfig, and AWS credentials that nobody must see.
    pub(crate) fn desk_with(&self, kubeconfig: &Kubeconfig) -> Desk {
        Desk::new(kubeconfig)
            .set("AWS_ACCESS_KEY_ID", SECRETS[0])
            .set("AWS_SECRET_ACCESS_KEY", SECRETS[1])
            .set("AWS_SESSION_TOKEN", SECRETS[2])
            .with_elbv2(&self.elbv2)
    }

    /// The same with both contexts, of the administrator.
    pub(crate) fn machine(&self) -> Desk {
        self.desk_with(&self.pair.kubeconfig())
    }

    /// All that a run could change: bindings, ledgers with their versions, targets and the writes
    /// that ELBv2 was asked for.
    pub(crate) async fn world(&self) -> Value {
        let mut objects = Vec::new();
        for cluster in [&self.pair.blue, &self.pair.green] {
            for manifest in
                [binding("default", "shop", self.group.as_str()), ledger("default", "shop", "")]
            {
                objects.push(cluster.get(&manifest).await);
            }
        }
        let targets = self.elbv2.registered(&self.group);
        json!({ "objects": objects, "targets": targets, "writes": self.elbv2.writes() })
    }

    /// Lets every call of an operation be refused from now on.
    pub(crate) fn refuse(&self, operation: Operation, error: &ApiError) {
        self.trouble(operation, &Trouble::Refused(error.clone()));
    }

    /// Lets every call of an operation run into trouble from now on, and have no effect.
    pub(crate) fn trouble(&self, operation: Operation, trouble: &Trouble) {
        // More than any test makes.
        for _ in 0..100 {
            self.elbv2.server().fail_next(operation, Fault::before(trouble.clone()));
        }
    }

    /// Lets what is registered from now on stay `initial`: time stands still here.
    pub(crate) fn check_slowly(&self) {
        self.elbv2.with(|model| model.settings.first_checks = Duration::from_secs(60));
    }
}

/// What must never be seen: access key, secret key, session token.
pub(crate) const SECRETS: [&str; 3] =
    ["AKIDTHATNOBODYSEES", "secretKeyThatNobodySees", "sessionTokenThatNobodySees"];

/// Reading a `Status` document.
impl Finished {
    /// The report of a context.
    #[track_caller]
    pub(crate) fn context(&self, name: &str) -> Value {
        let document = self.json();
        let contexts = document["contexts"].as_array().expect("every document has contexts");
        let found = contexts.iter().find(|context| context["context"] == name).cloned();
        found.unwrap_or_else(|| panic!("no context `{name}`: {self:#?}"))
    }

    /// The row of a context's binding `default/shop`, in a `Status` or a `Reconcile`.
    #[track_caller]
    pub(crate) fn row(&self, context: &str) -> Value {
        self.row_of(context, "shop")
    }

    /// The row of a context's binding in `default`.
    #[track_caller]
    pub(crate) fn row_of(&self, context: &str, name: &str) -> Value {
        let document = self.json();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut rows = list(&document["bindings"]);
        rows.extend(
            list(&document["targetGroups"]).iter().flat_map(|group| list(&group["bindings"])),
        );
        let found = rows.into_iter().find(|row| row["context"] == context && row["name"] == name);
        found.unwrap_or_else(|| panic!("no binding `{name}` of `{context}`: {self:#?}"))
    }

    /// The codes of its findings.
    #[track_caller]
    pub(crate) fn codes(&self) -> Vec<String> {
        let document = self.json();
        let findings = document["findings"].as_array().expect("every document has findings");
        findings.iter().map(|it| it["code"].as_str().expect("a code").to_owned()).collect()
    }

    /// Checks that a cluster's share is told in full: its pods, tracked, registered and healthy.
    #[track_caller]
    pub(crate) fn tells_all_of(&self, context: &str) {
        self.counts_all_of(context);
        let row = self.row(context);
        assert_eq!(row["state"], "inSync", "{row:#}");
    }

    /// The same, with whatever state that adds up to.
    #[track_caller]
    pub(crate) fn counts_all_of(&self, context: &str) {
        assert_eq!(self.context(context)["reachable"], true, "{}", self.context(context));
        let row = self.row(context);
        let pods = if context == "blue" { BLUE.len() } else { GREEN.len() };
        for count in ["desired", "tracked", "registered", "healthy"] {
            assert_eq!(row[count], pods, "{count} of {context}: {row:#}");
        }
    }
}
