//! 1xx: how the group is shared, and what the ledgers say.

use std::collections::BTreeMap;

use super::catalogue::{
    CONTESTED_TARGET, EXCLUSIVE_BINDING, LEDGER_MISSING, LEDGER_UNUSABLE, PHANTOM_TARGETS,
};
use super::{Finding, Severity, counted, enable_line, listed, reconcile_line};
use crate::class::Class;
use crate::facts::{Aliveness, LedgerFault};
use crate::target::Target;
use crate::view::{BindingView, GroupView};

pub(super) fn findings(group: &GroupView<'_>, chosen: &[usize]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = chosen
        .iter()
        .flat_map(|index| {
            [
                exclusive(group, *index),
                ledger_unusable(group, *index),
                ledger_missing(group, *index),
            ]
        })
        .flatten()
        .collect();
    findings.extend(chosen.iter().filter_map(|index| phantoms(group, *index)));
    findings.extend(contested(group, chosen));
    findings
}

fn exclusive(group: &GroupView<'_>, index: usize) -> Option<Finding> {
    let binding = &group.bindings[index];
    if binding.facts.binding.spec.multi_cluster_target_group {
        return None;
    }
    let other = group
        .bindings
        .iter()
        .enumerate()
        .find(|(other, _)| *other != index)
        .map(|(_, other)| other)?;
    let message = format!(
        "{} is exclusive, and {} binds the same target group: its controller takes the other's targets out.",
        binding.reference(),
        other.reference()
    );
    let finding = EXCLUSIVE_BINDING.finding(Severity::Critical, message);
    Some(finding.about(binding).with_fix(enable_line(binding)))
}

fn contested(group: &GroupView<'_>, chosen: &[usize]) -> Option<Finding> {
    let claimants = |of: &crate::view::TargetView<'_>| -> Vec<usize> {
        let mut claimants: Vec<usize> =
            of.desired_by.iter().chain(&of.tracked_by).copied().collect();
        claimants.sort_unstable();
        claimants.dedup();
        claimants
    };
    let contested: BTreeMap<&Target, Vec<usize>> = group
        .targets
        .iter()
        .filter(|(_, of)| of.class == Class::Contested)
        .map(|(target, of)| (*target, claimants(of)))
        .filter(|(_, claimants)| claimants.iter().any(|claimant| chosen.contains(claimant)))
        .collect();
    let (_, first) = contested.first_key_value()?;
    let names: Vec<String> =
        first.iter().map(|index| group.bindings[*index].reference().to_string()).collect();
    let targets: Vec<&Target> = contested.keys().copied().collect();
    let message = format!(
        "{} {} two owners, {}: {}.",
        counted(targets.len(), "target"),
        if targets.len() == 1 { "has" } else { "have" },
        names.join(" and "),
        listed(&targets)
    );
    Some(
        CONTESTED_TARGET
            .finding(Severity::Critical, message)
            .of_group(group.arn)
            .with_targets(targets),
    )
}

fn phantoms(group: &GroupView<'_>, index: usize) -> Option<Finding> {
    let binding = &group.bindings[index];
    let phantom = |of: &crate::view::TargetView<'_>| {
        of.class == Class::Phantom && of.tracked_by.contains(&index)
    };
    let targets: Vec<&Target> = group
        .targets
        .iter()
        .filter(|(_, of)| phantom(of) && !of.pending)
        .map(|(target, _)| *target)
        .collect();
    if targets.is_empty() {
        return None;
    }
    let message = format!(
        "The ledger of {} names {} that nothing desires and ELBv2 does not list: {}. Once such an address is \
         used again, its new owner can lose it.",
        binding.reference(),
        counted(targets.len(), "target"),
        listed(&targets)
    );
    Some(
        PHANTOM_TARGETS
            .finding(Severity::Warning, message)
            .about(binding)
            .with_targets(targets)
            .with_fix(ledger_fix(binding)),
    )
}

fn ledger_missing(group: &GroupView<'_>, index: usize) -> Option<Finding> {
    let binding = &group.bindings[index];
    let desired = binding.desired()?;
    let missing = binding.facts.binding.spec.multi_cluster_target_group
        && matches!(binding.tracked(), Some(None))
        && !desired.is_empty();
    let message = || {
        format!(
            "{} has endpoints and no ledger: what it registers is nobody's once its pod is gone.",
            binding.reference()
        )
    };
    missing.then(|| {
        LEDGER_MISSING
            .finding(Severity::Warning, message())
            .about(binding)
            .with_fix(ledger_fix(binding))
    })
}

fn ledger_unusable(group: &GroupView<'_>, index: usize) -> Option<Finding> {
    let binding = &group.bindings[index];
    match &binding.facts.ledger {
        Err(fault @ (LedgerFault::Invalid { .. } | LedgerFault::Immutable { .. })) => {
            let message = format!(
                "{}: {}. Nothing of this binding is changed while that is so.",
                binding.reference(),
                crate::error::chain(fault)
            );
            Some(LEDGER_UNUSABLE.finding(Severity::Critical, message).about(binding))
        }
        _ => None,
    }
}

/// A controller keeps its own ledger in memory: only where none is at work is writing it a repair.
fn ledger_fix(binding: &BindingView<'_>) -> Option<String> {
    let controller = binding.cluster.controller(binding.facts.binding.flavour);
    (controller == Aliveness::Absent).then(|| reconcile_line(binding))
}
