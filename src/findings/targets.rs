//! 2xx: targets that are not as they should be.

use jiff::Timestamp;

use super::catalogue::{MISSING_TARGETS, STALE_TARGETS, TARGET_GROUP_GONE, UNTRACKED_TARGETS};
use super::drift::Drift;
use super::{Finding, Severity, counted, listed, reconcile_line};
use crate::class::Class;
use crate::facts::{Aliveness, SilenceReason};
use crate::target::Target;
use crate::view::{BindingView, GroupView, TargetView};

pub(super) fn findings(
    group: &GroupView<'_>,
    chosen: &[usize],
    observed_at: Timestamp,
) -> Vec<Finding> {
    let gone =
        matches!(&group.facts.group, Err(silence) if silence.reason == SilenceReason::NotFound);
    if gone {
        // Whatever else is wrong with its targets comes from that.
        return chosen.iter().map(|index| group_gone(group, &group.bindings[*index])).collect();
    }
    let mut findings = Vec::new();
    for index in chosen {
        let mut drift = Drift::of(group, *index);
        // One cause, one finding: what its controller skips is not told again.
        findings.extend(drift.take_hidden().map(|hidden| hidden.finding(observed_at)));
        findings.extend(
            [missing(&drift), stale(&drift), untracked(group, *index)].into_iter().flatten(),
        );
    }
    findings
}

fn group_gone(group: &GroupView<'_>, binding: &BindingView<'_>) -> Finding {
    let message = format!(
        "{} binds the target group {}, which does not exist any more: its endpoints get no traffic.",
        binding.reference(),
        group.arn.name()
    );
    TARGET_GROUP_GONE.finding(Severity::Critical, message).about(binding)
}

fn missing(drift: &Drift<'_>) -> Option<Finding> {
    let (binding, targets) = (drift.binding(), &drift.missing);
    if targets.is_empty() {
        return None;
    }
    let any_registered =
        drift.group.targets.values().any(|of| drift.claims(of) && of.is_registered());
    let severity = if any_registered { Severity::Warning } else { Severity::Critical };
    let mut message = format!(
        "{} of {} {} no traffic: desired, and not registered: {}.",
        counted(targets.len(), "ready endpoint"),
        binding.reference(),
        if targets.len() == 1 { "gets" } else { "get" },
        listed(targets)
    );
    message += &drift.difference();
    if let Some(limit) = drift.limit() {
        message += &format!(
            " Its controller registers no more: the group has {limit} targets, its \
             --max-targets-per-target-group."
        );
    }
    Some(
        MISSING_TARGETS
            .finding(severity, message)
            .about(binding)
            .with_targets(targets.iter().copied())
            .with_fix(drift.is_registered_by_reconcile().then(|| reconcile_line(binding))),
    )
}

fn stale(drift: &Drift<'_>) -> Option<Finding> {
    let (binding, targets) = (drift.binding(), &drift.stale);
    if targets.is_empty() {
        return None;
    }
    let message = format!(
        "{} of {} {} still registered and no longer an endpoint: {}.{}",
        counted(targets.len(), "target"),
        binding.reference(),
        if targets.len() == 1 { "is" } else { "are" },
        listed(targets),
        drift.difference()
    );
    Some(
        STALE_TARGETS
            .finding(Severity::Warning, message)
            .about(binding)
            .with_targets(targets.iter().copied())
            .with_fix(drift.is_deregistered_by_reconcile().then(|| reconcile_line(binding))),
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
pub(super) fn of_class<'a>(
    group: &GroupView<'a>,
    class: Class,
    holds: impl Fn(&TargetView<'a>) -> bool,
) -> Vec<&'a Target> {
    let chosen =
        group.targets.iter().filter(|(_, of)| of.class == class && !of.pending && holds(of));
    chosen.map(|(target, _)| *target).collect()
}

/// Nothing but writing the ledger repairs these, and beside a controller that is its own.
fn direct_fix(binding: &BindingView<'_>) -> Option<String> {
    let controller = binding.cluster.controller(binding.facts.binding.flavour);
    (controller == Aliveness::Absent).then(|| reconcile_line(binding))
}
