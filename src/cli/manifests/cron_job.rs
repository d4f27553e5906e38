//! The CronJob, and what it runs as.

use clap::ValueEnum;
use mctg::plan::Cap;
use serde_json::{Value, json};

use super::{labels, metadata};
use crate::cli::args::{Global, ManifestsArgs, ViaArg};

/// Where the kubeconfig of the peers is mounted.
const PEERS_FOLDER: &str = "/etc/kubectl-mctg/peers";

/// The key of the Secret, and the file in the folder.
const PEERS_KEY: &str = "kubeconfig";

/// For how long a run may take: above the longest that `reconcile` waits for anything (12m), so that
/// Kubernetes never ends one that would have ended by itself.
const DEADLINE_SECONDS: u32 = 15 * 60;

/// How late a run may start. Without a limit the CronJob controller gives up for good after a
/// hundred missed starts.
const STARTING_DEADLINE_SECONDS: u32 = 120;

/// What a run gets to end: it needs four seconds for the call that is under way.
const GRACE_SECONDS: u32 = 10;

/// A user that owns nothing, as distroless images call it.
const NOBODY: u32 = 65_532;

/// The cap that a run without anybody watching has, unless another is given.
const MAX_DEREGISTER: Cap = Cap::Percent(50);

/// Makes the namespace; none where it is one that every cluster has, which is not ours to label.
pub(super) fn namespace(args: &ManifestsArgs) -> Option<Value> {
    let name = &args.job_namespace;
    if name == "default" || name.starts_with("kube-") {
        return None;
    }
    let mut namespace = json!({
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": metadata(name, None),
    });
    for mode in ["enforce", "warn"] {
        namespace["metadata"]["labels"][format!("pod-security.kubernetes.io/{mode}")] =
            json!("restricted");
    }
    Some(namespace)
}

pub(super) fn service_account(args: &ManifestsArgs) -> Value {
    let mut account = json!({
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": metadata(&args.account(), Some(&args.job_namespace)),
        // The pod asks for its token itself: whatever else uses this account gets none.
        "automountServiceAccountToken": false,
    });
    if let Some(role) = &args.role_arn {
        account["metadata"]["annotations"] = json!({ "eks.amazonaws.com/role-arn": role });
    }
    account
}

/// Makes the token of an account that another cluster's run reads with: it does not expire, so that
/// the kubeconfig that holds it goes on working.
pub(super) fn token(args: &ManifestsArgs) -> Value {
    let account = args.account();
    let mut token = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": metadata(&account, Some(&args.job_namespace)),
        "type": "kubernetes.io/service-account-token",
    });
    token["metadata"]["annotations"] = json!({ "kubernetes.io/service-account.name": account });
    token
}

pub(super) fn cron_job(image: &str, args: &ManifestsArgs, global: &Global) -> Value {
    let mut container = json!({
        "name": "reconcile",
        "image": image,
        "args": arguments(args, global),
        "resources": {
            "requests": { "cpu": "50m", "memory": "64Mi" },
            "limits": { "memory": "256Mi" },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": { "drop": ["ALL"] },
            "readOnlyRootFilesystem": true,
        },
    });
    let mut pod = json!({
        "serviceAccountName": args.name,
        "automountServiceAccountToken": true,
        "enableServiceLinks": false,
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": true,
            "runAsUser": NOBODY,
            "runAsGroup": NOBODY,
            "fsGroup": NOBODY,
            "seccompProfile": { "type": "RuntimeDefault" },
        },
    });
    if let Some(secret) = &args.peers_secret {
        container["volumeMounts"] =
            json!([{ "name": "peers", "mountPath": PEERS_FOLDER, "readOnly": true }]);
        pod["volumes"] = json!([{
            "name": "peers",
            "secret": {
                "secretName": secret,
                "defaultMode": 0o440,
                "items": [{ "key": PEERS_KEY, "path": PEERS_KEY }],
            },
        }]);
    }
    pod["containers"] = json!([container]);
    json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(&args.name, Some(&args.job_namespace)),
        "spec": {
            "schedule": args.schedule,
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": STARTING_DEADLINE_SECONDS,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": { "labels": labels() },
                "spec": {
                    "activeDeadlineSeconds": DEADLINE_SECONDS,
                    // The next run repairs what this one left: trying again at once would not.
                    "backoffLimit": 0,
                    "template": { "metadata": { "labels": labels() }, "spec": pod },
                },
            },
        },
    })
}

/// The arguments of a run: what one without anybody watching needs, and exactly the options given.
fn arguments(args: &ManifestsArgs, global: &Global) -> Vec<String> {
    let plan = &args.plan;
    let cap = match plan.max_deregister.unwrap_or(MAX_DEREGISTER) {
        Cap::Count(count) => count.to_string(),
        Cap::Percent(percent) => format!("{percent}%"),
    };
    let mut words: Vec<String> =
        ["reconcile", "--in-cluster", "--yes", "--wait=false"].map(str::to_owned).to_vec();
    words.push(format!("--max-deregister={cap}"));
    words.push("--output=jsonl".to_owned());
    if plan.via != ViaArg::default()
        && let Some(via) = plan.via.to_possible_value()
    {
        words.push(format!("--via={}", via.get_name()));
    }
    let flags = [
        (plan.allow_empty, "--allow-empty"),
        (plan.force, "--force"),
        (global.no_assume_role, "--no-assume-role"),
        (!args.events, "--events=false"),
    ];
    words.extend(flags.iter().filter(|(given, _)| *given).map(|(_, flag)| (*flag).to_owned()));
    let peers = args.peers_secret.as_ref().map(|_| format!("{PEERS_FOLDER}/{PEERS_KEY}"));
    let timeout = Some(global.request_timeout).filter(|time| *time != Global::REQUEST_TIMEOUT);
    let values = [
        ("--namespace", global.namespace.clone()),
        ("--selector", global.selector.clone()),
        ("--region", global.region.clone()),
        ("--endpoint-url", global.endpoint_url.clone()),
        ("--aws-qps", global.aws_qps.map(|rate| rate.to_string())),
        ("--request-timeout", timeout.map(|time| format!("{}ms", time.as_millis()))),
        ("--peers-kubeconfig", peers),
    ];
    let given = values.into_iter().filter_map(|(flag, value)| Some(format!("{flag}={}", value?)));
    words.extend(given);
    words.extend((0..global.verbose).map(|_| "--verbose".to_owned()));
    words.extend(args.names.names.iter().cloned());
    words
}
