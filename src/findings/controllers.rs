//! 3xx: who serves the bindings, and whether it can.

use jiff::Timestamp;

use super::catalogue::{
    BACKEND_NOT_FOUND, CONTROLLER_ABSENT, CONTROLLER_NOT_ALIVE, CONTROLLER_TOO_OLD, GATE_UNSERVED,
    RECONCILE_STALE, RULES_UNSERVED,
};
use super::{Finding, Severity, counted, minute, quoted};
use crate::binding::{Flavour, IngressRule};
use crate::facts::{Aliveness, ClusterFacts, Controller, Facts, Reconciler};
use crate::schedule::Schedule;
use crate::target::Target;
use crate::view::{BindingView, GroupView};

/// The release with which groups could be shared.
const SHARES_SINCE: [u32; 3] = [2, 10, 0];

pub(super) fn findings(facts: &Facts, groups: &[&GroupView<'_>]) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        facts.clusters.iter().flat_map(|cluster| of_cluster(facts, cluster, groups)).collect();
    for binding in groups.iter().flat_map(|group| &group.bindings) {
        let each = [backend_not_found(binding), gate_unserved(binding), rules_unserved(binding)];
        findings.extend(each.into_iter().flatten());
    }
    findings
}

fn of_cluster(facts: &Facts, cluster: &ClusterFacts, groups: &[&GroupView<'_>]) -> Vec<Finding> {
    let has_own = |group: &&&GroupView<'_>| {
        group.bindings.iter().any(|binding| {
            binding.cluster.context == cluster.context
                && binding.facts.binding.flavour == Flavour::LoadBalancerController
        })
    };
    let own: Vec<_> = groups.iter().filter(has_own).collect();
    if own.is_empty() {
        return Vec::new();
    }
    let shares = own.iter().any(|group| group.is_shared());
    let about = |finding: Finding| Finding { context: Some(cluster.context.clone()), ..finding };
    let each = [
        controller_absent(cluster),
        controller_too_old(cluster).filter(|_| shares),
        controller_not_alive(cluster),
    ];
    let stale = cluster
        .reconcilers
        .iter()
        .filter_map(|reconciler| reconcile_stale(cluster, reconciler, facts.observed_at));
    each.into_iter().flatten().chain(stale).map(about).collect()
}

fn controller_absent(cluster: &ClusterFacts) -> Option<Finding> {
    if cluster.controller(Flavour::LoadBalancerController) != Aliveness::Absent {
        return None;
    }
    let context = &cluster.context;
    // A suspended one stands in for nobody.
    let stand_in = cluster.reconcilers.iter().find(|reconciler| !reconciler.suspended);
    let Some(reconciler) = stand_in else {
        let message = format!(
            "{context} has bindings, and no AWS Load Balancer Controller: nothing follows its pods."
        );
        let fix = format!("kubectl mctg reconcile --context {} --via direct", quoted(context));
        return Some(CONTROLLER_ABSENT.finding(Severity::Warning, message).with_fix(fix));
    };
    let message =
        format!("{context} has no controller; the CronJob {reconciler} is there in its place.");
    Some(CONTROLLER_ABSENT.finding(Severity::Info, message))
}

fn controller_too_old(cluster: &ClusterFacts) -> Option<Finding> {
    let context = &cluster.context;
    let is_old = |controller: &&Controller| {
        controller.alive != Aliveness::Absent && controller.is_before(SHARES_SINCE) == Some(true)
    };
    let old = cluster.controller_of(Flavour::LoadBalancerController).filter(is_old);
    let mut parts = Vec::new();
    if let Some(controller) = old {
        parts.push(format!(
            "{context} runs the AWS Load Balancer Controller {}, and sharing a target group takes 2.10: it takes out \
             whatever is not its own.",
            controller.version.as_deref().unwrap_or_default()
        ));
    }
    if cluster.has_flag == Some(false) {
        parts.push(format!(
            "The type TargetGroupBinding of {context} has no multiClusterTargetGroup: no binding there can be \
             multi-cluster."
        ));
    }
    if parts.is_empty() {
        return None;
    }
    let context = quoted(context);
    let fix = if cluster.has_flag == Some(false) {
        format!(
            "helm show crds eks/aws-load-balancer-controller | kubectl --context {context} apply \
             --server-side --force-conflicts -f -"
        )
    } else {
        format!(
            "helm --kube-context {context} upgrade aws-load-balancer-controller \
             eks/aws-load-balancer-controller -n kube-system --reuse-values"
        )
    };
    Some(CONTROLLER_TOO_OLD.finding(Severity::Critical, parts.join(" ")).with_fix(fix))
}

fn controller_not_alive(cluster: &ClusterFacts) -> Option<Finding> {
    let controller = cluster.controller_of(Flavour::LoadBalancerController)?;
    if !is_down(controller) {
        return None;
    }
    let message = format!(
        "{} has an AWS Load Balancer Controller that is not at work: nothing follows its pods ({}).",
        cluster.context, controller.evidence
    );
    let fix = format!(
        "kubectl --context {} get pods -A -l app.kubernetes.io/name=aws-load-balancer-controller",
        quoted(&cluster.context)
    );
    Some(CONTROLLER_NOT_ALIVE.finding(Severity::Critical, message).with_fix(fix))
}

fn is_down(controller: &Controller) -> bool {
    controller.alive == Aliveness::Unknown && controller.is_down
}

fn reconcile_stale(
    cluster: &ClusterFacts,
    reconciler: &Reconciler,
    observed_at: Timestamp,
) -> Option<Finding> {
    let Reconciler { namespace, name, schedule, suspended, created_at, last_success } = reconciler;
    let since = last_success.or(*created_at)?;
    if observed_at.duration_since(since) <= Schedule::parse(schedule).ok()?.three_periods(since)? {
        return None;
    }
    let (context, since) = (&cluster.context, minute(since));
    let mut message = match last_success {
        Some(_) => format!(
            "The CronJob {reconciler} of {context} last succeeded at {since}, more than three of its periods \
             ({schedule}) ago."
        ),
        None => format!(
            "The CronJob {reconciler} of {context} never succeeded, and was made at {since}, more than three of its \
             periods ({schedule}) ago."
        ),
    };
    let line = format!("kubectl --context {} -n {namespace}", quoted(context));
    let fix = if *suspended {
        message += " It is suspended.";
        format!("{line} patch cronjob {name} --type merge -p '{{\"spec\":{{\"suspend\":false}}}}'")
    } else {
        format!("{line} describe cronjob {name}")
    };
    Some(RECONCILE_STALE.finding(Severity::Warning, message).with_fix(fix))
}

fn backend_not_found(binding: &BindingView<'_>) -> Option<Finding> {
    let unresolved = binding.facts.endpoints.as_ref().err()?;
    if !unresolved.is_backend_missing() || binding.facts.binding.is_being_deleted() {
        return None;
    }
    let message = format!("{}: {unresolved}, so it desires nothing.", binding.reference());
    Some(BACKEND_NOT_FOUND.finding(Severity::Critical, message).about(binding))
}

/// Says whether it is certain that no controller works on a binding; what could not be read may well
/// be at work.
fn is_unserved(binding: &BindingView<'_>) -> bool {
    let flavour = binding.facts.binding.flavour;
    flavour == Flavour::LoadBalancerController
        && (binding.cluster.controller(flavour) == Aliveness::Absent
            || binding.controller().is_some_and(is_down))
}

fn gate_unserved(binding: &BindingView<'_>) -> Option<Finding> {
    let name = &binding.facts.binding.name;
    let desired = binding.desired().filter(|_| is_unserved(binding))?;
    let waiting: Vec<(&Target, _)> =
        desired.iter().filter(|(_, endpoint)| endpoint.unmet_gates.contains(name)).collect();
    let pod = waiting.first()?.1.pod.as_ref()?;
    let pods = match waiting.len() - 1 {
        0 => pod.to_string(),
        more => format!("{pod} and {more} more"),
    };
    let message = format!(
        "{} of {} {} for its readiness gate, which only a controller sets, and none is at work: {pods}.",
        counted(waiting.len(), "pod"),
        binding.reference(),
        if waiting.len() == 1 { "waits" } else { "wait" },
    );
    let targets = waiting.into_iter().map(|(target, _)| target);
    Some(GATE_UNSERVED.finding(Severity::Warning, message).about(binding).with_targets(targets))
}

fn rules_unserved(binding: &BindingView<'_>) -> Option<Finding> {
    let networking = binding.facts.binding.spec.networking.as_ref()?;
    // A rule without peers or ports opens nothing.
    let opens = |rule: &IngressRule| !rule.from.is_empty() && !rule.ports.is_empty();
    if !networking.ingress.iter().any(opens) || !is_unserved(binding) {
        return None;
    }
    let message = format!(
        "{} asks for security-group rules, and no controller is at work to make them; this program makes none.",
        binding.reference()
    );
    Some(RULES_UNSERVED.finding(Severity::Warning, message).about(binding))
}
