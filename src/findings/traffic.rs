//! 4xx and 5xx: whether the load balancer serves, and what one cluster's loss would mean.

use std::collections::BTreeSet;

use super::attachment::{self, DarkZones};
use super::catalogue::{FAIL_OPEN, SINGLE_CLUSTER};
use super::{Finding, Severity, counted};
use crate::target::HealthState;
use crate::view::GroupView;

pub(super) fn findings(group: &GroupView<'_>) -> Vec<Finding> {
    // One cause, one finding: where nothing leads to the group, the rest follows from that.
    if let Some(finding) = attachment::unreached(group) {
        return vec![finding];
    }
    let dark = DarkZones::of(group);
    let single = single_cluster(group).filter(|finding| {
        // The other cluster is there, and its zones are the reason.
        let only = finding.context.as_deref().unwrap_or_default();
        !dark.as_ref().is_some_and(|dark| dark.concern_another_than(only))
    });
    let dark = dark.as_ref().map(|dark| dark.finding(group));
    let each = [dark, attachment::outside_vpc(group), fail_open(group), single];
    each.into_iter().flatten().collect()
}

/// Nothing healthy among what is registered: traffic goes to all of it (`facts/elbv2.md` 4.7).
fn fail_open(group: &GroupView<'_>) -> Option<Finding> {
    let targets = group.facts.targets.as_ref().ok()?;
    let registered: Vec<_> = targets.iter().filter(|listed| listed.is_registered()).collect();
    // Where nothing is even checked, the group is behind no load balancer.
    let in_use = registered.iter().any(|listed| listed.health.state != HealthState::Unused);
    let healthy = registered.iter().any(|listed| listed.health.state == HealthState::Healthy);
    if healthy || !in_use {
        return None;
    }
    let message = format!(
        "None of the {} of {} is healthy: the load balancer sends traffic to all of them.",
        counted(registered.len(), "registered target"),
        group.arn.name()
    );
    Some(FAIL_OPEN.finding(Severity::Critical, message).of_group(group.arn))
}

fn single_cluster(group: &GroupView<'_>) -> Option<Finding> {
    let mut contexts = BTreeSet::new();
    let mut healthy = 0;
    for (_, target) in group.healthy() {
        healthy += 1;
        let owners = group.owners(target);
        if owners.is_empty() {
            return None;
        }
        contexts.extend(owners.iter().map(|owner| group.bindings[*owner].cluster.context.as_str()));
    }
    let (Some(only), 1) = (contexts.first(), contexts.len()) else { return None };
    if !group.is_shared() {
        return None;
    }
    let message = format!(
        "{only} serves everything: all {} of {} {} its own, so nothing is left if it goes.",
        counted(healthy, "healthy target"),
        group.arn.name(),
        if healthy == 1 { "is" } else { "are" }
    );
    let finding = SINGLE_CLUSTER.finding(Severity::Warning, message).of_group(group.arn);
    Some(Finding { context: Some((*only).to_owned()), ..finding })
}
