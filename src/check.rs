//! Can sharing work here? What `kubectl mctg check` asks each cluster and AWS, and what it makes of
//! the answers.
//!
//! ```text
//! look      server, types, bindings, controllers, webhook, permissions: all at once, context by context
//! try       the read calls of AWS, on the groups bound there; permissions in single namespaces
//! judge     one line a code, and a finding for each that is not passed (pure)
//! ```
//!
//! A context is checked for itself, also where it reaches the cluster of another: its user and its
//! AWS credentials may be others.

mod aws;
mod lines;
mod look;
mod permitted;

use jiff::Timestamp;

use self::look::Look;
use crate::cluster::Cluster;
use crate::elbv2::LoadBalancers;
use crate::findings::Finding;
use crate::permissions::ServiceAccount;
use crate::report::{API_VERSION, Check, CheckResult, ContextReport, Verdict};

/// What to check.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether it is a cluster where nothing is bound yet: a controller must be there, a binding need
    /// not.
    pub pre: bool,
    /// A ServiceAccount whose permissions for `reconcile` are checked too.
    pub service_account: Option<ServiceAccount>,
    /// The namespace whose bindings matter; none means all.
    pub namespace: Option<String>,
}

/// Checks every context, all at once.
///
/// Nothing is changed. One check that fails stops no other; a context that does not answer costs its
/// timeout once.
pub async fn check<C: Cluster, L: LoadBalancers>(
    clusters: &[C],
    load_balancers: &L,
    options: &Options,
    clock: &(impl Fn() -> Timestamp + Sync + ?Sized),
) -> Check {
    let several = clusters.len() > 1;
    let looking =
        clusters.iter().map(|cluster| look::look(cluster, load_balancers, options, several, clock));
    let looks = futures::future::join_all(looking).await;
    report(&looks, options, clock())
}

/// Makes the report of what was seen; pure.
fn report(looks: &[Look], options: &Options, observed_at: Timestamp) -> Check {
    let mut results = Vec::new();
    let mut findings: Vec<Finding> = Vec::new();
    for look in looks {
        for line in lines::of(look, looks, options) {
            let lines::Line { rule, verdict, message, hint, finding } = line;
            if let Some((told_as, severity)) = finding {
                let text = format!("{}: {message}", look.context);
                let finding = told_as.finding(severity, text);
                findings.push(Finding {
                    context: Some(look.context.clone()),
                    fix: hint.clone(),
                    ..finding
                });
            }
            results.push(CheckResult {
                context: look.context.clone(),
                code: rule.code,
                name: rule.name,
                verdict,
                message,
                hint,
            });
        }
    }
    findings.sort_by(|a, b| (b.severity, a.code).cmp(&(a.severity, b.code)));
    Check {
        api_version: API_VERSION,
        kind: "Check",
        observed_at,
        complete: !findings.iter().any(Finding::is_incompleteness),
        demo: false,
        pre: options.pre,
        contexts: looks.iter().map(context).collect(),
        results,
        findings,
    }
}

fn context(look: &Look) -> ContextReport {
    let silence = look.server.as_ref().err().or(look.bindings.as_ref().err());
    ContextReport {
        context: look.context.clone(),
        cluster: look.cluster.clone(),
        reachable: look.server.is_ok(),
        reason: silence.map(|silence| silence.reason),
        message: silence.map(|silence| silence.message.clone()),
        warnings: Vec::new(),
        same_as: None,
        lost: false,
        bindings: look.bindings.as_ref().ok().map(Vec::len),
        controllers: look
            .controllers
            .as_ref()
            .ok()
            .map(|found| found.iter().map(crate::status::controller).collect()),
    }
}

impl Verdict {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests;
