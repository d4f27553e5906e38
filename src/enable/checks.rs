//! What is looked at before a flag is switched. Pure.

use std::collections::BTreeSet;

use super::case::{Case, Concerned};
use crate::binding::{BindingRef, Flavour};
use crate::change::{Check, Verdict};
use crate::facts::{Aliveness, ClusterFacts, Controller, LedgerFault};
use crate::findings::catalogue::{
    CONTEXT_UNREACHABLE, CONTROLLER_ABSENT, CONTROLLER_NOT_ALIVE, CONTROLLER_TOO_OLD,
    EXCLUSIVE_BINDING, FOREIGN_CONTROLLER, MISSING_TARGETS, ORPHAN_LEDGER, STACK_LABELS_ON_BINDING,
};
use crate::findings::{counted, listed, quoted};
use crate::ledger;
use crate::managers;
use crate::objects::{Kind, Patch};
use crate::target::Target;
use crate::unbind;
use crate::view::{GroupView, TargetView};

/// The release with which groups could be shared.
const SHARES_SINCE: [u32; 3] = [2, 10, 0];

/// Whether the bindings can be switched at all.
pub(super) fn switchable(case: &Case<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for it in &case.concerned {
        let name = it.name();
        if it.binding.flavour == Flavour::AutoMode {
            let message =
                format!("{name} is EKS Auto Mode's, which this program reads and does not write");
            checks.push(Check::refused("AutoMode", message));
        } else if it.binding.is_being_deleted() {
            checks.push(Check::refused("BeingDeleted", format!("{name} is being deleted")));
        } else if it.has_copied_labels() {
            let message = format!("{name} carries the stack labels of another cluster's owner");
            let hint = "take the labels off, and run it again for the binding itself";
            checks.push(Check::of(&STACK_LABELS_ON_BINDING, Verdict::Refused, message).hint(hint));
        } else if case.has_no_owner(it) {
            let message =
                format!("what {name} was made for is gone, so that there is no place for its flag");
            let hint = format!(
                "kubectl --context {} -n {} get targetgroupbindings.elbv2.k8s.aws {} --show-labels",
                quoted(&case.request.context),
                it.binding.namespace,
                it.binding.name
            );
            checks.push(Check::refused("OwnerGone", message).hint(hint));
        }
    }
    for silence in &case.subject.silences {
        checks.push(Check::new("OwnerUnread", Verdict::Unknown, silence.message.clone()));
    }
    for why in &case.subject.foreign {
        checks.push(Check::refused("SetElsewhere", why.clone()));
    }
    checks
}

/// Whether there is a controller that knows the flag and acts on it.
pub(super) fn controller(case: &Case<'_>, cluster: &ClusterFacts) -> Check {
    let context = &cluster.context;
    let flavour = Flavour::LoadBalancerController;
    let found = cluster.controller_of(flavour);
    let alive = cluster.controller(flavour);
    let version =
        |it: &Controller| it.version.clone().unwrap_or_else(|| "of unknown version".to_owned());
    if cluster.has_flag == Some(false) {
        let message =
            format!("the type TargetGroupBinding of {context} has no multiClusterTargetGroup");
        return Check::of(&CONTROLLER_TOO_OLD, Verdict::Refused, message).hint(format!(
            "helm show crds eks/aws-load-balancer-controller | kubectl --context {} apply --server-side \
             --force-conflicts -f -",
            quoted(context)
        ));
    }
    if let Some(old) = found.filter(|it| it.is_before(SHARES_SINCE) == Some(true))
        && alive != Aliveness::Absent
    {
        let message =
            format!("the controller of {context} is {}, and sharing takes 2.10", version(old));
        return Check::of(&CONTROLLER_TOO_OLD, Verdict::Refused, message);
    }
    let is_generated = case.concerned.iter().any(|it| it.binding.owner().is_some());
    match (alive, found) {
        (Aliveness::Absent, _) if is_generated => {
            let message = format!("no controller is in {context} that would heed it");
            Check::of(&CONTROLLER_ABSENT, Verdict::Refused, message)
                .hint("scale the AWS Load Balancer Controller up, and run it again")
        }
        (Aliveness::Absent, _) => {
            let message = format!(
                "no controller is in {context} to keep a ledger; reconcile does in its place"
            );
            Check::of(&CONTROLLER_ABSENT, Verdict::Warning, message)
        }
        (Aliveness::Unknown, Some(it)) if it.is_down => {
            let message = format!("the controller of {context} is not at work ({})", it.evidence);
            Check::of(&CONTROLLER_NOT_ALIVE, Verdict::Warning, message)
        }
        (Aliveness::Unknown, _) => {
            let message = format!("whether a controller is at work in {context} is not known");
            Check::new("Controller", Verdict::Warning, message)
        }
        (Aliveness::Alive, found) => {
            let version = found.map(version).unwrap_or_default();
            Check::passed("Controller", format!("{version} is at work in {context}"))
        }
    }
}

/// Whether a binding that is exclusive can be turned without leaving anything behind.
pub(super) fn ready(it: &Concerned<'_>) -> Vec<Check> {
    let name = it.name();
    let Some((group, index)) = it.view else {
        let why = match &it.facts.map(|facts| &facts.group) {
            Some(Err(silence)) => silence.message.clone(),
            _ => "its target group was not read".to_owned(),
        };
        return vec![Check::new("Ready", Verdict::Unknown, format!("{name}: {why}"))];
    };
    let binding = &group.bindings[index];
    let (Some(desired), Ok(_)) = (binding.desired(), &group.facts.targets) else {
        let why = binding
            .problem()
            .or_else(|| group.facts.targets.as_ref().err().map(|silence| silence.message.clone()));
        let message = format!("{name}: {}", why.unwrap_or_default());
        return vec![Check::new("Ready", Verdict::Unknown, message)];
    };
    let mut checks = Vec::new();
    let registrable = desired.iter().filter(|(_, endpoint)| endpoint.unregistrable.is_none());
    let registrable: Vec<&Target> = registrable.map(|(target, _)| target).collect();
    let is_registered =
        |target: &&Target| group.targets.get(*target).is_some_and(TargetView::is_registered);
    let missing: Vec<&Target> =
        registrable.iter().copied().filter(|it| !is_registered(it)).collect();
    if missing.is_empty() {
        let message = format!("{name}: {} of {} registered", registrable.len(), registrable.len());
        checks.push(Check::passed("Ready", message));
    } else {
        let message = format!(
            "{name}: {} that it asks for {} not registered: {}",
            counted(missing.len(), "target"),
            if missing.len() == 1 { "is" } else { "are" },
            listed(&missing)
        );
        checks.push(
            Check::of(&MISSING_TARGETS, Verdict::Refused, message)
                .hint("wait until its controller has registered them, and run it again"),
        );
    }
    let left = left_behind(group);
    if !left.is_empty() {
        let message = format!(
            "{name}: {} registered that no binding that was read asks for, and nobody will take out any more: {}",
            match left.len() {
                1 => "1 target is".to_owned(),
                more => format!("{more} targets are"),
            },
            listed(&left)
        );
        checks.push(Check::new("LeftTargets", Verdict::NeedsYes, message));
    }
    checks
}

/// The registered targets that neither this binding nor any other observed one desires.
fn left_behind<'a>(group: &'a GroupView<'_>) -> Vec<&'a Target> {
    let left =
        group.targets.iter().filter(|(_, of)| of.is_registered() && of.desired_by.is_empty());
    left.map(|(target, _)| *target).collect()
}

/// Whether a ledger from before lies there that is not what the binding desires.
pub(super) fn old_ledger(case: &Case<'_>, it: &Concerned<'_>) -> Option<Check> {
    let name = it.name();
    let configmap = ledger::name(it.binding.flavour, &it.binding.name);
    let delete = || {
        format!(
            "kubectl --context {} -n {} delete configmap {configmap}",
            quoted(&case.request.context),
            it.binding.namespace
        )
    };
    let desired: Option<BTreeSet<&Target>> = it
        .view
        .and_then(|(group, index)| group.bindings[index].desired())
        .map(|desired| desired.keys().collect());
    match case.world.ledgers.get(&it.key())? {
        Ok(None) => Some(Check::passed("Ledger", format!("{name}: no ledger from before"))),
        Ok(Some(old)) if desired.as_ref() == Some(&old.targets.iter().collect()) => {
            Some(Check::passed("Ledger", format!("{name}: its ledger is what it desires")))
        }
        Ok(Some(old)) => {
            let message = format!(
                "{name}: the ConfigMap {configmap} from before lists {}; its controller would take those for its own",
                counted(old.targets.len(), "target")
            );
            Some(Check::of(&ORPHAN_LEDGER, Verdict::Refused, message).hint(delete()))
        }
        Err(LedgerFault::Silent(silence)) => {
            Some(Check::new("Ledger", Verdict::Unknown, format!("{name}: {silence}")))
        }
        Err(fault) => {
            let message = format!("{name}: {}", crate::error::chain(fault));
            Some(Check::of(&ORPHAN_LEDGER, Verdict::Refused, message).hint(delete()))
        }
    }
}

/// The contexts that could not be read in full.
pub(super) fn silent<'a>(case: &Case<'a>) -> Vec<&'a ClusterFacts> {
    case.world.facts.clusters.iter().filter(|it| !it.is_read_in_full()).collect()
}

/// A check about contexts that could not be read; none where all were.
pub(super) fn silence(case: &Case<'_>, verdict: Verdict, why: &str) -> Check {
    let silent = silent(case);
    if silent.is_empty() {
        let message = format!("{} read", counted(case.world.facts.clusters.len(), "context"));
        return Check::passed("Contexts", message);
    }
    let told = |it: &&ClusterFacts| match it.silence() {
        Some(silence) => format!("{}: {}", it.context, silence.message),
        None => it.context.clone(),
    };
    let told: Vec<String> = silent.iter().map(told).collect();
    let message = format!("{why}: {}", told.join("; "));
    Check::of(&CONTEXT_UNREACHABLE, verdict, message)
}

/// What else acts on the groups: exclusive bindings of others, ACK.
pub(super) fn others(case: &Case<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    let groups: BTreeSet<_> =
        case.concerned.iter().filter_map(|it| it.view.map(|(group, _)| group.arn)).collect();
    for it in &case.concerned {
        let Some((group, index)) = it.view else { continue };
        for (other, binding) in group.bindings.iter().enumerate() {
            let is_concerned = case.is_concerned(&binding.reference());
            if other != index
                && !is_concerned
                && !binding.facts.binding.spec.multi_cluster_target_group
            {
                let message = format!(
                    "{} is exclusive too: its controller takes out what is not its own until it is switched as well",
                    binding.reference()
                );
                checks.push(Check::of(&EXCLUSIVE_BINDING, Verdict::Warning, message));
            }
        }
    }
    for cluster in &case.world.facts.clusters {
        let all = cluster.objects.all(Kind::TargetGroup, None).ok().into_iter().flatten();
        for ack in all {
            if groups.iter().any(|arn| ack.arn.as_deref() == Some(arn.as_str())) {
                let message =
                    format!("{} of {} manages the target group too", ack.key, cluster.context);
                checks.push(Check::of(&FOREIGN_CONTROLLER, Verdict::Warning, message));
            }
        }
    }
    checks
}

/// Whether another program deploys what is to be patched.
pub(super) fn managed(case: &Case<'_>, patch: &Patch) -> Option<Check> {
    let object = case.world.objects.get(&patch.key).ok()??;
    let program = managers::program(object)?;
    let what = patch.body.to_string();
    if case.request.force_conflicts {
        let message =
            format!("{} is deployed by {program}: what is written here may not last", patch.key);
        return Some(Check::new("DeployedElsewhere", Verdict::Warning, message));
    }
    let message = format!("{} is deployed by {program}, whose next apply may undo this", patch.key);
    let hint = format!(
        "merge this where it comes from: {what}; --force-conflicts writes to the cluster all the same"
    );
    Some(Check::refused("DeployedElsewhere", message).hint(hint))
}

/// What stands against switching the flag off, beside silence: other bindings, and targets that are not
/// this cluster's own.
pub(super) fn shared(case: &Case<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    for it in &case.concerned {
        let name = it.name();
        let Some((group, index)) = it.view else {
            let why = it.facts.and_then(|facts| facts.group.as_ref().err()).map_or_else(
                || "its target group was not read".to_owned(),
                |silence| silence.message.clone(),
            );
            checks.push(Check::new("Shared", Verdict::Unknown, format!("{name}: {why}")));
            continue;
        };
        let others = group.bindings.iter().enumerate().filter(|(other, _)| *other != index);
        let others: Vec<BindingRef> = others.map(|(_, binding)| binding.reference()).collect();
        if let Some(first) = others.first() {
            let named: Vec<String> = others.iter().map(ToString::to_string).collect();
            let message = format!(
                "{name}: {} the same target group, and {} targets would be taken out",
                match named.as_slice() {
                    [one] => format!("{one} binds"),
                    all => format!("{} bind", all.join(" and ")),
                },
                if others.len() == 1 { "its" } else { "their" }
            );
            let hint = unbind::line(&first.namespace, &first.name, &first.context);
            checks.push(Check::refused("Shared", message).hint(hint));
        }
        let binding = &group.bindings[index];
        let tracked = match case.world.ledgers.get(&it.key()) {
            Some(Ok(ledger)) => ledger.as_ref().map(|it| &it.targets),
            Some(Err(fault)) => {
                let message = format!("{name}: {}", crate::error::chain(fault));
                checks.push(Check::new("Shared", Verdict::Unknown, message));
                continue;
            }
            None => None,
        };
        let (Some(desired), Ok(_)) = (binding.desired(), &group.facts.targets) else {
            let why = binding.problem().or_else(|| {
                group.facts.targets.as_ref().err().map(|silence| silence.message.clone())
            });
            let message = format!("{name}: {}", why.unwrap_or_default());
            checks.push(Check::new("Shared", Verdict::Unknown, message));
            continue;
        };
        let is_own = |target: &Target| {
            desired.contains_key(target) || tracked.is_some_and(|it| it.contains(target))
        };
        let foreign: Vec<&Target> = group
            .targets
            .iter()
            .filter(|(target, of)| of.is_registered() && !is_own(target))
            .map(|(target, _)| *target)
            .collect();
        if foreign.is_empty() {
            checks.push(Check::passed(
                "Shared",
                format!("{name}: nobody else's target is in its group"),
            ));
        } else {
            let message = format!(
                "{name}: {} registered that {} not this cluster's own, and would be taken out: {}",
                if foreign.len() == 1 {
                    "1 target is".to_owned()
                } else {
                    format!("{} targets are", foreign.len())
                },
                if foreign.len() == 1 { "is" } else { "are" },
                listed(&foreign)
            );
            checks.push(Check::refused("ForeignTargets", message));
        }
    }
    checks
}
