//! 401, 402, 405 and 409: whether the load balancer can reach the group and its targets at all.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{NOT_ATTACHED, NOT_FORWARDED, OUTSIDE_VPC, ZONE_NOT_ENABLED};
use super::{Finding, Severity, counted, listed};
use crate::share::ALL_ZONES;
use crate::target::{HealthState, Target, TargetDescription};
use crate::view::GroupView;

/// The reason of a target that nothing checks: its group is used by no listener, or its zone is not
/// enabled (`facts/elbv2.md` 2.1).
const NOT_IN_USE: &str = "Target.NotInUse";

/// What keeps all traffic from the group; whatever else is wrong with its traffic follows from it.
pub(super) fn unreached(group: &GroupView<'_>) -> Option<Finding> {
    not_attached(group).or_else(|| not_forwarded(group))
}

fn not_attached(group: &GroupView<'_>) -> Option<Finding> {
    let facts = group.facts.group.as_ref().ok()?;
    if !facts.load_balancer_arns.is_empty() {
        return None;
    }
    let message = format!(
        "{} is behind no load balancer: none of its targets gets traffic or is even checked.",
        group.arn.name()
    );
    Some(NOT_ATTACHED.finding(Severity::Critical, message).of_group(group.arn))
}

/// Only where every listener and rule of every load balancer was read.
fn not_forwarded(group: &GroupView<'_>) -> Option<Finding> {
    let load_balancers = group.facts.load_balancers.as_ref().ok()?;
    for load_balancer in load_balancers {
        let listeners = load_balancer.listeners.as_ref().ok()?;
        let forwards = listeners.iter().flat_map(|listener| &listener.forwards);
        if forwards.into_iter().any(|it| it.weights.contains_key(group.arn.as_str())) {
            return None;
        }
    }
    let names: Vec<&str> = load_balancers.iter().map(|it| it.load_balancer.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let message = format!(
        "No listener or rule of {} forwards to {}: none of its targets gets traffic.",
        names.join(" or "),
        group.arn.name()
    );
    Some(NOT_FORWARDED.finding(Severity::Critical, message).of_group(group.arn))
}

/// Targets in zones that the load balancer does not serve.
pub(super) struct DarkZones<'a> {
    by_zone: BTreeMap<&'a str, Vec<&'a Target>>,
    enabled: BTreeSet<&'a str>,
    /// The clusters they are of.
    contexts: BTreeSet<&'a str>,
}

impl<'a> DarkZones<'a> {
    /// Finds them; none where the load balancers or the targets were not read.
    pub(super) fn of(group: &GroupView<'a>) -> Option<Self> {
        let load_balancers = group.facts.load_balancers.as_ref().ok()?;
        let enabled: BTreeSet<&str> = load_balancers
            .iter()
            .flat_map(|it| &it.load_balancer.availability_zones)
            .map(String::as_str)
            .collect();
        if enabled.is_empty() {
            return None;
        }
        let mut by_zone: BTreeMap<&str, Vec<&Target>> = BTreeMap::new();
        let mut contexts = BTreeSet::new();
        for (target, view) in &group.targets {
            let Some(zone) = view.listed.and_then(unused_in) else { continue };
            if enabled.contains(zone) {
                continue;
            }
            by_zone.entry(zone).or_default().push(*target);
            let owners = group.owners(view).iter();
            contexts.extend(owners.map(|it| group.bindings[*it].cluster.context.as_str()));
        }
        (!by_zone.is_empty()).then_some(Self { by_zone, enabled, contexts })
    }

    /// Says whether another cluster than this one loses targets to it.
    pub(super) fn concern_another_than(&self, context: &str) -> bool {
        self.contexts.iter().any(|it| *it != context)
    }

    pub(super) fn finding(&self, group: &GroupView<'_>) -> Finding {
        let targets: Vec<&Target> = self.by_zone.values().flatten().copied().collect();
        let zones: Vec<String> = self
            .by_zone
            .iter()
            .map(|(zone, targets)| format!("{zone} ({})", listed(targets)))
            .collect();
        let of = match join(&self.contexts) {
            contexts if contexts.is_empty() => group.arn.name().to_owned(),
            contexts => contexts,
        };
        let message = format!(
            "{} of {of} {} no traffic, in zones that the load balancer does not serve: {}. It serves {}.",
            counted(targets.len(), "target"),
            if targets.len() == 1 { "gets" } else { "get" },
            zones.join(", "),
            join(&self.enabled)
        );
        ZONE_NOT_ENABLED
            .finding(Severity::Critical, message)
            .of_group(group.arn)
            .with_targets(targets)
    }
}

/// The zone of a target that nothing checks, where it is in one.
fn unused_in(listed: &TargetDescription) -> Option<&str> {
    let is_unused = listed.health.state == HealthState::Unused
        && listed.health.reason.as_deref() == Some(NOT_IN_USE);
    listed.availability_zone.as_deref().filter(|zone| is_unused && *zone != ALL_ZONES)
}

/// Answers of targets outside the VPC do not find their way back (`facts/elbv2.md` 1.4).
pub(super) fn outside_vpc(group: &GroupView<'_>) -> Option<Finding> {
    let facts = group.facts.group.as_ref().ok()?;
    let protocol = facts.protocol.as_deref()?;
    if !matches!(protocol, "UDP" | "TCP_UDP" | "QUIC" | "TCP_QUIC") {
        return None;
    }
    let outside =
        |listed: &&TargetDescription| listed.availability_zone.as_deref() == Some(ALL_ZONES);
    let targets: Vec<&Target> =
        group.facts.registered().filter(outside).map(|listed| &listed.target).collect();
    if targets.is_empty() {
        return None;
    }
    let contexts: BTreeSet<&str> = targets
        .iter()
        .filter_map(|target| group.targets.get(target))
        .flat_map(|view| group.owners(view))
        .map(|owner| group.bindings[*owner].cluster.context.as_str())
        .collect();
    let of = match join(&contexts) {
        contexts if contexts.is_empty() => group.arn.name().to_owned(),
        contexts => contexts,
    };
    let message = format!(
        "{} of {of} {} outside the load balancer's VPC, and {} is for {protocol}: such targets may get requests and \
         cannot answer them: {}.",
        counted(targets.len(), "target"),
        if targets.len() == 1 { "is" } else { "are" },
        group.arn.name(),
        listed(&targets)
    );
    Some(OUTSIDE_VPC.finding(Severity::Critical, message).of_group(group.arn).with_targets(targets))
}

fn join(words: &BTreeSet<&str>) -> String {
    words.iter().copied().collect::<Vec<_>>().join(", ")
}
