//! 2xx: targets that are not as they should be.

use super::catalogue::{MISSING_TARGETS, STALE_TARGETS, TARGET_GROUP_GONE, UNTRACKED_TARGETS};
use super::{Finding, Severity, counted, listed, reconcile_line};
use crate::binding::Flavour;
use crate::class::Class;
use crate::facts::{Aliveness, SilenceReason};
use crate::target::Target;
use crate::view::{BindingView, GroupView, TargetView};

pub(super) fn findings(group: &GroupView<'_>, chosen: &[usize]) -> Vec<Finding> {
    let gone =
        matches!(&group.facts.group, Err(silence) if silence.reason == SilenceReason::NotFound);
    if gone {
        // Whatever else is wrong with its targets comes from that.
        return chosen.iter().map(|index| group_gone(group, &group.bindings[*index])).collect();
    }
    chosen
        .iter()
        .flat_map(|index| [missing(group, *index), stale(group, *index), untracked(group, *index)])
        .flatten()
        .collect()
}

fn group_gone(group: &GroupView<'_>, binding: &BindingView<'_>) -> Finding {
    let message = format!(
        "{} binds the target group {}, which does not exist any more: its endpoints get no traffic.",
        binding.reference(),
        group.arn.name()
    );
    TARGET_GROUP_GONE.finding(Severity::Critical, message).about(binding)
}

fn missing(group: &GroupView<'_>, index: usize) -> Option<Finding> {
    let binding = &group.bindings[index];
    let targets = of_class(group, Class::Missing, |of| of.desired_by.contains(&index));
    if targets.is_empty() {
        return None;
    }
    let claims =
        |of: &TargetView<'_>| of.desired_by.contains(&index) || of.tracked_by.contains(&index);
    let any_registered = group.targets.values().any(|of| claims(of) && of.is_registered());
    let severity = if any_registered { Severity::Warning } else { Severity::Critical };
    let message = format!(
        "{} of {} {} no traffic: desired, and not registered: {}.",
        counted(targets.len(), "ready endpoint"),
        binding.reference(),
        if targets.len() == 1 { "gets" } else { "get" },
        listed(&targets)
    );
    Some(
        MISSING_TARGETS
            .finding(severity, message)
            .about(binding)
            .with_targets(targets)
            .with_fix(is_ours(binding).then(|| reconcile_line(binding))),
    )
}

fn stale(group: &GroupView<'_>, index: usize) -> Option<Finding> {
    let binding = &group.bindings[index];
    let targets = of_class(group, Class::Stale, |of| of.tracked_by.contains(&index));
    if targets.is_empty() {
        return None;
    }
    let message = format!(
        "{} of {} {} still registered and no longer an endpoint: {}.",
        counted(targets.len(), "target"),
        binding.reference(),
        if targets.len() == 1 { "is" } else { "are" },
        listed(&targets)
    );
    Some(
        STALE_TARGETS
            .finding(Severity::Warning, message)
            .about(binding)
            .with_targets(targets)
            .with_fix(direct_fix(binding)),
    )
}

fn untracked(group: &GroupView<'_>, index: usize) -> Option<Finding> {
    let binding = &group.bindings[index];
    if matches!(binding.tracked(), Some(None)) {
        // Without a ledger everything is untracked: 107 says it once.
        return None;
    }
    let targets = of_class(group, Class::Untracked, |of| of.desired_by.contains(&index));
    if targets.is_empty() || !binding.facts.binding.spec.multi_cluster_target_group {
        return None;
    }
    let message = format!(
        "{} of {} {} in no ledger, and would stay registered when the pod is gone: {}.",
        counted(targets.len(), "target"),
        binding.reference(),
        if targets.len() == 1 { "is" } else { "are" },
        listed(&targets)
    );
    Some(
        UNTRACKED_TARGETS
            .finding(Severity::Warning, message)
            .about(binding)
            .with_targets(targets)
            .with_fix(direct_fix(binding)),
    )
}

/// The targets of a class that are past their pending time.
fn of_class<'a>(
    group: &GroupView<'a>,
    class: Class,
    holds: impl Fn(&TargetView<'a>) -> bool,
) -> Vec<&'a Target> {
    let chosen =
        group.targets.iter().filter(|(_, of)| of.class == class && !of.pending && holds(of));
    chosen.map(|(target, _)| *target).collect()
}

/// Says whether `reconcile` acts on a binding at all: not on exclusive ones, nor on Auto Mode's.
fn is_ours(binding: &BindingView<'_>) -> bool {
    let binding = &binding.facts.binding;
    binding.spec.multi_cluster_target_group && binding.flavour == Flavour::LoadBalancerController
}

/// Beside a controller these are its to repair.
fn direct_fix(binding: &BindingView<'_>) -> Option<String> {
    let controller = binding.cluster.controller(binding.facts.binding.flavour);
    (controller == Aliveness::Absent).then(|| reconcile_line(binding))
}
