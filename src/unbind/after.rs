//! What the group is like once the targets have left. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::taken::{Fate, Taken};
use crate::change::Item;
use crate::facts::Facts;
use crate::share::{self, ALL_ZONES};
use crate::target::{HealthState, Target, TargetDescription};
use crate::view::GroupView;

/// The attribute that says how long connections are drained, and its default in seconds
/// (`facts/elbv2.md` 2).
const DELAY_KEY: &str = "deregistration_delay.timeout_seconds";
const DELAY_DEFAULT: u64 = 300;

/// How many targets a plan lists one by one.
const LISTED_MAX: usize = 10;

/// How long connections of the group are drained, in seconds.
pub(super) fn delay(group: &GroupView<'_>) -> u64 {
    let given = group.facts.attributes.as_ref().ok().and_then(|all| all.get(DELAY_KEY));
    given.and_then(|text| text.parse().ok()).unwrap_or(DELAY_DEFAULT)
}

/// Tells what will go, and what stays for the group.
pub(super) fn tell(item: &mut Item, facts: &Facts, group: &GroupView<'_>, taken: &Taken) {
    let going = &taken.going;
    for listed in going.iter().take(LISTED_MAX) {
        item.detail("out", described(listed));
    }
    if going.len() > LISTED_MAX {
        item.detail("out", format!("and {} more", going.len() - LISTED_MAX));
    }
    if going.is_empty() {
        item.detail("out", "no target: none of its own is registered");
    }
    for (target, fate) in &taken.kept {
        if let Fate::Theirs { who, .. } = fate {
            item.detail("leaves", format!("{target}, which {who} desires"));
        }
    }
    let targets: BTreeSet<Target> = going.iter().map(|listed| listed.target.clone()).collect();
    item.detail("stays", stays(group, &targets));
    for line in shares(facts, group, item, &targets) {
        item.detail("share", line);
    }
    let dark = share::dark_without(group, &targets);
    if !dark.is_empty() && group.healthy().any(|(target, _)| !targets.contains(target)) {
        let serves = if dark.len() == 1 { "serves" } else { "serve" };
        item.detail("zones", format!("{} {serves} nothing after that", dark.join(", ")));
    }
    if !going.is_empty() {
        let seconds = delay(group);
        item.detail(
            "drains",
            format!("connections have {seconds} s to end (deregistration delay)"),
        );
    }
}

fn described(listed: &TargetDescription) -> String {
    let health = &listed.health;
    let zone = listed.availability_zone.as_deref().filter(|zone| *zone != ALL_ZONES);
    let zone = zone.map(|zone| format!(" in {zone}")).unwrap_or_default();
    let reason = health.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("{}, {}{reason}{zone}", listed.target, health.state)
}

/// `3 healthy targets: 2 of sec, 1 that no cluster claims`.
fn stays(group: &GroupView<'_>, going: &BTreeSet<Target>) -> String {
    let mut whose: BTreeMap<String, usize> = BTreeMap::new();
    let mut all = 0;
    for (_, view) in group.healthy().filter(|(target, _)| !going.contains(target)) {
        all += 1;
        let owners = group.owners(view).iter();
        let contexts: BTreeSet<&str> =
            owners.map(|index| group.bindings[*index].cluster.context.as_str()).collect();
        let names: Vec<&str> = contexts.into_iter().collect();
        *whose.entry(names.join(" and ")).or_default() += 1;
    }
    let others = whose.iter().map(|(who, number)| match who.as_str() {
        "" => format!("{number} that no cluster read claims"),
        who => format!("{number} of {who}"),
    });
    let others: Vec<String> = others.collect();
    match all {
        0 => "no healthy target".to_owned(),
        1 => format!("1 healthy target: {}", others.join(", ")),
        all => format!("{all} healthy targets: {}", others.join(", ")),
    }
}

/// The share of every binding that stays, before and after.
fn shares(
    facts: &Facts,
    group: &GroupView<'_>,
    item: &Item,
    going: &BTreeSet<Target>,
) -> Vec<String> {
    let now = share::shares(group);
    let mut after = facts.clone();
    if let Some(Ok(targets)) = after.groups.get_mut(group.arn).map(|group| &mut group.targets) {
        targets.retain(|listed| !going.contains(&listed.target));
    }
    let Some(facts) = after.groups.get(group.arn) else { return Vec::new() };
    let then_group = GroupView::new(&after, group.arn, facts);
    let then = share::shares(&then_group);
    let leaves = item.reference();
    let mut lines = Vec::new();
    for (index, binding) in group.bindings.iter().enumerate() {
        let reference = binding.reference();
        let before = now.by_binding.get(index).copied().flatten();
        let later = then.by_binding.get(index).copied().flatten();
        if let (Some(before), Some(later)) = (before, later)
            && Some(&reference) != leaves.as_ref()
        {
            lines.push(format!("{reference} {} -> {}", percent(before), percent(later)));
        }
    }
    lines
}

fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// How many of some targets are healthy.
pub(super) fn healthy(listed: &[TargetDescription]) -> usize {
    listed.iter().filter(|listed| listed.health.state == HealthState::Healthy).count()
}
