//! Alerts over kube-state-metrics: a run failed, or none succeeded for long.

use serde_json::{Value, json};

use super::metadata;
use crate::cli::args::ManifestsArgs;

/// After how many periods without a success something is wrong (`product.md` 9, 306).
const PERIODS: u64 = 3;

pub(super) fn rule(args: &ManifestsArgs) -> Value {
    let (namespace, name) = (&args.job_namespace, &args.name);
    let limit = args.period().as_secs() * PERIODS;
    let job = format!(r#"namespace="{namespace}",job_name=~"{name}-[0-9]+""#);
    let cron_job = format!(r#"namespace="{namespace}",cronjob="{name}""#);
    // A failed job stays in the history until others push it out: only young ones count.
    let failed = format!(
        "max by (namespace, job_name) (kube_job_failed{{{job},condition=\"true\"}}) > 0 and on \
         (namespace, job_name) (time() - max by (namespace, job_name) \
         (kube_job_status_start_time{{{job}}})) < {limit}"
    );
    // One that never succeeded counts from when it was made.
    let stale = format!(
        "time() - max by (namespace, cronjob) \
         (kube_cronjob_status_last_successful_time{{{cron_job}}} or \
         kube_cronjob_created{{{cron_job}}}) > {limit}"
    );
    let alert = |name: &str, expr: String, severity: &str, summary: &str, what: String| {
        json!({
            "alert": name,
            "expr": expr,
            "labels": { "severity": severity },
            "annotations": { "summary": summary, "description": what },
        })
    };
    json!({
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": metadata(name, Some(namespace)),
        "spec": { "groups": [{
            "name": name,
            "rules": [
                alert(
                    "MctgReconcileFailed",
                    failed,
                    "warning",
                    "A reconcile of shared target groups failed.",
                    format!(
                        "See what it said: kubectl -n {namespace} logs \
                         job/{{{{ $labels.job_name }}}}"
                    ),
                ),
                alert(
                    "MctgReconcileStale",
                    stale,
                    "critical",
                    "No reconcile of shared target groups succeeded for three periods.",
                    format!(
                        "Lost targets stay lost meanwhile. See whether it runs: \
                         kubectl -n {namespace} get cronjob,job,pod"
                    ),
                ),
            ],
        }]},
    })
}
