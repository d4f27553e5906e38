//! What must hold of the cluster that a binding is written to. Pure.

use super::{Subject, unknown};
use crate::binding::Flavour;
use crate::change::{Check, Verdict};
use crate::facts::{Aliveness, ClusterFacts, Webhook};
use crate::findings::Severity;
use crate::findings::catalogue::{
    CONTEXT_UNREACHABLE, CONTROLLER_ABSENT, CONTROLLER_NOT_ALIVE, CONTROLLER_TOO_OLD, KNOWN_BUGS,
    WEBHOOK_SERVED,
};
use crate::known_bugs::{self, Uses};

/// The first release that shares groups (`facts/lbc.md` 1.1).
const SHARES_SINCE: [u32; 3] = [2, 10, 0];

/// The first release whose webhook lets two bindings of one cluster share a group
/// (`facts/lbc.md` 1.2).
const TWICE_SINCE: [u32; 3] = [2, 12, 0];

pub(super) fn checks(it: &Subject<'_>) -> Vec<Check> {
    let Some(here) = it.here else {
        let message = format!("{} was not read", it.request.context);
        return vec![Check::of(&CONTEXT_UNREACHABLE, Verdict::Unknown, message)];
    };
    if let Some(silence) = here.silence() {
        let message = format!("{} was not read: {silence}", here.context);
        return vec![Check::of(&CONTEXT_UNREACHABLE, Verdict::Unknown, message)];
    }
    let mut checks = vec![controller(it, here)];
    checks.extend(version(it, here));
    checks.push(fields(it, here));
    checks.extend(webhook(it, here));
    checks.extend(bugs(it, here));
    checks
}

/// Somebody must register the targets.
fn controller(it: &Subject<'_>, here: &ClusterFacts) -> Check {
    let context = &here.context;
    if let Err(silence) = &here.controllers {
        return unknown("Controller", silence);
    }
    let own = here.controller_of(Flavour::LoadBalancerController);
    let evidence = own.map_or("", |controller| controller.evidence.as_str());
    match here.controller(Flavour::LoadBalancerController) {
        Aliveness::Alive => Check::passed("Controller", format!("alive: {evidence}")),
        Aliveness::Absent if here.controller_of(Flavour::AutoMode).is_some() => {
            let message = format!(
                "{context} has EKS Auto Mode and no AWS Load Balancer Controller: bindings of \
                 {} are read and not written",
                Flavour::AutoMode.resource()
            );
            Check::of(&CONTROLLER_ABSENT, Verdict::Refused, message)
        }
        Aliveness::Absent => {
            let message =
                format!("{context} has no AWS Load Balancer Controller to register anything");
            Check::of(&CONTROLLER_ABSENT, Verdict::Refused, message)
                .hint(format!("kubectl mctg check --pre --context {}", it.context()))
        }
        Aliveness::Unknown if own.is_some_and(|controller| controller.is_down) => {
            let message = format!("the controller of {context} is not at work ({evidence})");
            Check::of(&CONTROLLER_NOT_ALIVE, Verdict::Refused, message).hint(format!(
                "kubectl --context {} get pods -A -l app.kubernetes.io/name=aws-load-balancer-controller",
                it.context()
            ))
        }
        Aliveness::Unknown => {
            let message =
                format!("whether the controller of {context} is at work is not known ({evidence})");
            Check::of(&CONTROLLER_NOT_ALIVE, Verdict::Unknown, message)
        }
    }
}

fn version(it: &Subject<'_>, here: &ClusterFacts) -> Option<Check> {
    let controller = here.controller_of(Flavour::LoadBalancerController)?;
    let version = controller.version.as_deref().unwrap_or("of a version that nothing tells");
    let own = it.candidate.existing.map(|existing| existing.binding.uid.as_str());
    let twice = it.view.is_some_and(|view| {
        view.bindings.iter().any(|binding| {
            binding.cluster.context == here.context
                && Some(binding.facts.binding.uid.as_str()) != own
        })
    });
    let upgrade = format!(
        "helm --kube-context {} upgrade aws-load-balancer-controller eks/aws-load-balancer-controller \
         -n kube-system --reuse-values",
        it.context()
    );
    let refused = |message: String| {
        Check::of(&CONTROLLER_TOO_OLD, Verdict::Refused, message).hint(upgrade.clone())
    };
    Some(if controller.is_before(SHARES_SINCE) == Some(true) {
        refused(format!("the controller is {version}, and sharing a target group takes 2.10"))
    } else if twice && controller.is_before(TWICE_SINCE) == Some(true) {
        refused(format!(
            "the controller is {version}, and two bindings of one group in a cluster take 2.12"
        ))
    } else {
        Check::passed("Version", version)
    })
}

/// The fields that are to be written must be there: Helm does not upgrade types.
fn fields(it: &Subject<'_>, here: &ClusterFacts) -> Check {
    let mut needed = vec!["multiClusterTargetGroup"];
    if it.request.role.is_some() {
        needed.push("iamRoleArnToAssume");
    }
    if it.request.role.as_ref().is_some_and(|role| role.external_id.is_some()) {
        needed.push("assumeRoleExternalId");
    }
    let fields = match &it.world.fields {
        Ok(fields) => fields,
        // A binding with the flag proves it.
        Err(_) if here.has_flag == Some(true) && needed.len() == 1 => {
            return Check::passed("Fields", "multiClusterTargetGroup is there");
        }
        Err(silence) => return unknown("Fields", silence),
    };
    match needed.iter().find(|field| !fields.contains(**field)) {
        None => Check::passed("Fields", "TargetGroupBinding has the fields it takes"),
        Some(field) => {
            let message = format!("the type TargetGroupBinding of {} has no {field}", here.context);
            Check::of(&CONTROLLER_TOO_OLD, Verdict::Refused, message).hint(format!(
                "helm show crds eks/aws-load-balancer-controller | kubectl --context {} apply \
                 --server-side --force-conflicts -f -",
                it.context()
            ))
        }
    }
}

/// With nobody behind the webhook every write of a binding fails.
fn webhook(it: &Subject<'_>, here: &ClusterFacts) -> Option<Check> {
    Some(match &it.world.webhook {
        Ok(Webhook::Served) => Check::passed(WEBHOOK_SERVED.name, "somebody is behind it"),
        Ok(Webhook::Absent) => Check::passed(WEBHOOK_SERVED.name, "none is asked"),
        Ok(Webhook::Unserved(why)) => {
            let message = format!(
                "the API server of {} refuses every binding that is written, because {why}",
                here.context
            );
            Check::of(&WEBHOOK_SERVED, Verdict::Refused, message)
                .hint(format!("kubectl mctg check --context {}", it.context()))
        }
        // The write tells soon enough.
        Err(_) => return None,
    })
}

/// Bugs of this version that the new binding meets.
fn bugs(it: &Subject<'_>, here: &ClusterFacts) -> Vec<Check> {
    let Some(manifest) = it.manifest else { return Vec::new() };
    let controller = here.controller_of(Flavour::LoadBalancerController);
    let version = controller.and_then(|controller| controller.version.as_deref());
    let new = super::super::manifest::hypothetical(manifest);
    let own = it.candidate.existing.map(|existing| existing.binding.uid.clone());
    let others = it.world.bindings.iter().flatten();
    let others: Vec<_> =
        others.filter(|binding| Some(&binding.uid) != own.as_ref()).cloned().collect();
    let before = known_bugs::known_bugs(version, &Uses::of(&others));
    let then = known_bugs::known_bugs(version, &Uses::of(others.iter().chain([&new])));
    then.into_iter()
        .filter(|bug| bug.severity > Severity::Info && !before.contains(bug))
        .map(|bug| {
            let message = format!("a bug of {}: {}", version.unwrap_or_default(), bug.what);
            Check::of(&KNOWN_BUGS, Verdict::Warning, message).hint(format!(
                "{}; {}",
                bug.meanwhile,
                bug.url()
            ))
        })
        .collect()
}
