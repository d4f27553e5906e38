//! 3xx: who serves the bindings, and whether it can.

use super::catalogue::{BACKEND_NOT_FOUND, CONTROLLER_ABSENT};
use super::{Finding, Severity, quoted};
use crate::binding::Flavour;
use crate::facts::{Aliveness, ClusterFacts, Facts};
use crate::view::GroupView;

pub(super) fn findings(facts: &Facts, groups: &[&GroupView<'_>]) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        facts.clusters.iter().filter_map(|cluster| controller_absent(cluster, groups)).collect();
    for binding in groups.iter().flat_map(|group| &group.bindings) {
        let Err(unresolved) = &binding.facts.endpoints else { continue };
        if unresolved.is_backend_missing() && !binding.facts.binding.is_being_deleted() {
            let message = format!("{}: {unresolved}, so it desires nothing.", binding.reference());
            findings.push(BACKEND_NOT_FOUND.finding(Severity::Critical, message).about(binding));
        }
    }
    findings
}

fn controller_absent(cluster: &ClusterFacts, groups: &[&GroupView<'_>]) -> Option<Finding> {
    let flavour = Flavour::LoadBalancerController;
    let own = |binding: &&crate::view::BindingView<'_>| {
        binding.cluster.context == cluster.context && binding.facts.binding.flavour == flavour
    };
    let bindings = groups.iter().flat_map(|group| &group.bindings).filter(own).count();
    if bindings == 0 || cluster.controller(flavour) != Aliveness::Absent {
        return None;
    }
    let context = &cluster.context;
    let (severity, message) = match cluster.reconcilers.iter().find(|it| !it.suspended) {
        Some(cron_job) => (
            Severity::Info,
            format!(
                "{context} has no controller; the CronJob {cron_job} reconciles its bindings in its place."
            ),
        ),
        None => (
            Severity::Warning,
            format!(
                "{context} has bindings, and no AWS Load Balancer Controller: nothing follows its pods."
            ),
        ),
    };
    let fix = cluster
        .reconcilers
        .is_empty()
        .then(|| format!("kubectl mctg reconcile --context {} --via direct", quoted(context)));
    let finding = CONTROLLER_ABSENT.finding(severity, message).with_fix(fix);
    Some(Finding { context: Some(context.clone()), ..finding })
}
