//! The group as it will be: how many targets, who gets which share. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::change::Manifest;
use crate::endpoints::Endpoints;
use crate::facts::{AccountRegion, BindingFacts, ClusterFacts, Facts, GroupFacts, Reading};
use crate::objects::Objects;
use crate::share;
use crate::target::{Health, HealthState, Target, TargetDescription, TargetGroupArn};
use crate::view::GroupView;

use super::manifest;

/// What a group may hold where nobody raised it (`facts/elbv2.md` 3.1).
const TARGETS_PER_GROUP: u64 = 1_000;

/// That limit's name in DescribeAccountLimits.
const LIMIT: &str = "targets-per-target-group";

/// The attributes under which a zone leaves DNS, or traffic goes to unhealthy targets too, by part of
/// the targets (`facts/elbv2.md` 2.2).
const PERCENTAGES: [(&str, &str); 2] = [
    ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "zones leave DNS"),
    (
        "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage",
        "traffic goes to unhealthy targets too",
    ),
];

/// The group before and after.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct After {
    /// How many targets it will hold; none where that is not known.
    pub(super) targets: Option<usize>,
    /// How many it may hold.
    pub(super) limit: u64,
    /// Whether that is AWS's default, as the account's own limit is not known.
    pub(super) is_default: bool,
    /// The share of each context before and after, from 0 to 1.
    pub(super) shares: BTreeMap<String, (Option<f64>, Option<f64>)>,
    /// The thresholds by part of the targets: from which percentage on, and what then.
    pub(super) thresholds: Vec<(u8, &'static str)>,
    /// The percentage that will be healthy before any new target was checked.
    pub(super) healthy_at_first: Option<usize>,
}

impl After {
    /// Looks ahead: all that the binding offers is registered and healthy.
    pub(super) fn of(
        facts: &Facts,
        here: &ClusterFacts,
        arn: &TargetGroupArn,
        manifest: &Manifest,
        offer: &Endpoints,
    ) -> Option<Self> {
        let group = facts.groups.get(arn)?;
        let now = only(facts, arn, group);
        let then = joined(&now, here, arn, manifest, offer);
        let shares_now = by_context(&now, arn);
        let shares_then = by_context(&then, arn);
        let contexts: BTreeSet<&String> = shares_now.keys().chain(shares_then.keys()).collect();
        let share = |shares: &BTreeMap<String, Option<f64>>, context: &String| {
            // Who has no binding serves nothing.
            shares.get(context).copied().unwrap_or(Some(0.0))
        };
        // Without its zone nobody knows which part of a zone's traffic an endpoint will get.
        let zone = |target| offer.desired.get(target).and_then(|it| it.zone.as_ref());
        let cross_zone = GroupView::new(&now, arn, group).cross_zone();
        let is_told = cross_zone == Some(true) || offer.registrable().all(|it| zone(it).is_some());
        let of_context = |context: &String| {
            let then = share(&shares_then, context).filter(|_| is_told);
            (context.clone(), (share(&shares_now, context), then))
        };
        let limits = facts.account_limits.get(&AccountRegion::of(arn));
        let own = limits.and_then(|limits| limits.as_ref().ok()?.get(LIMIT).copied());
        let registered = |facts: &Facts| Some(facts.groups.get(arn)?.registered().count());
        let (before, after) = (registered(&now)?, registered(&then)?);
        let healthy =
            group.registered().filter(|it| it.health.state == HealthState::Healthy).count();
        Some(Self {
            targets: group.targets.is_ok().then_some(after),
            limit: own.unwrap_or(TARGETS_PER_GROUP),
            is_default: own.is_none(),
            shares: contexts.into_iter().map(of_context).collect(),
            thresholds: thresholds(&group.attributes),
            healthy_at_first: (after > before && after > 0).then(|| healthy * 100 / after),
        })
    }

    /// As one line: `5 targets of 500 allowed; share pri 100% -> 67%, sec 0% -> 33%`.
    pub(super) fn line(&self) -> String {
        let mut line = match self.targets {
            Some(targets) => format!("{targets} targets of {} allowed", self.limit),
            None => "how many targets is not known".to_owned(),
        };
        if self.targets.is_some() && self.is_default {
            line.push_str(" by default");
        }
        let known = self.shares.values().any(|(_, after)| after.is_some());
        if known {
            let each = self.shares.iter().map(|(context, (before, after))| {
                let percent = |share: &Option<f64>| share.map_or("?".to_owned(), percent);
                format!("{context} {} -> {}", percent(before), percent(after))
            });
            line.push_str("; share ");
            line.push_str(&each.collect::<Vec<_>>().join(", "));
        }
        line
    }

    /// The thresholds as one line; none where the group has none by percentage.
    pub(super) fn threshold_line(&self) -> Option<String> {
        let each = self.thresholds.iter();
        let told: Vec<String> =
            each.map(|(percent, then)| format!("{then} under {percent}% healthy")).collect();
        (!told.is_empty()).then(|| told.join("; "))
    }

    /// What happens for as long as the new targets are not checked yet.
    pub(super) fn dip(&self) -> Option<(usize, u8, &'static str)> {
        let at_first = self.healthy_at_first?;
        let crossed = self.thresholds.iter().find(|(percent, _)| at_first < usize::from(*percent));
        crossed.map(|(percent, then)| (at_first, *percent, *then))
    }
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

fn thresholds(attributes: &Reading<BTreeMap<String, String>>) -> Vec<(u8, &'static str)> {
    let value = |key: &str| attributes.as_ref().ok()?.get(key)?.parse::<u8>().ok();
    PERCENTAGES.iter().filter_map(|(key, then)| Some((value(key)?, *then))).collect()
}

/// The share of each context that binds the group; none where it is not known.
pub(super) fn by_context(facts: &Facts, arn: &TargetGroupArn) -> BTreeMap<String, Option<f64>> {
    let Some(group) = facts.groups.get(arn) else { return BTreeMap::new() };
    let view = GroupView::new(facts, arn, group);
    let shares = share::shares(&view);
    // A group that nobody serves is no unknown share.
    let serves = view.healthy().next().is_some() || group.targets.is_err();
    let mut by_context: BTreeMap<String, Option<f64>> = BTreeMap::new();
    for (binding, share) in view.bindings.iter().zip(&shares.by_binding) {
        let share = if serves { *share } else { Some(0.0) };
        let sum = by_context.entry(binding.cluster.context.clone()).or_insert(Some(0.0));
        *sum = sum.zip(share).map(|(sum, share)| sum + share);
    }
    by_context
}

/// The facts of one group alone.
fn only(facts: &Facts, arn: &TargetGroupArn, group: &GroupFacts) -> Facts {
    let of_group = |cluster: &ClusterFacts| {
        let bindings = cluster.bindings.as_ref().map(|bindings| {
            let own = bindings.iter().filter(|it| it.group.as_ref() == Ok(arn));
            own.cloned().collect::<Vec<BindingFacts>>()
        });
        ClusterFacts { bindings: bindings.map_err(Clone::clone), ..without_bindings(cluster) }
    };
    Facts {
        observed_at: facts.observed_at,
        clusters: facts.clusters.iter().map(of_group).collect(),
        groups: BTreeMap::from([(arn.clone(), group.clone())]),
        account_limits: BTreeMap::new(),
        narrowed: facts.narrowed,
        left_out: facts.left_out.clone(),
        lost: facts.lost.clone(),
    }
}

fn without_bindings(cluster: &ClusterFacts) -> ClusterFacts {
    let ClusterFacts { context, cluster: entry, eks_name, also, .. } = cluster;
    ClusterFacts {
        context: context.clone(),
        cluster: entry.clone(),
        eks_name: eks_name.clone(),
        also: also.clone(),
        bindings: Ok(Vec::new()),
        bindings_found: cluster.bindings_found,
        hidden: cluster.hidden.clone(),
        controllers: cluster.controllers.clone(),
        reconcilers: Vec::new(),
        has_flag: cluster.has_flag,
        unseen: Vec::new(),
        holders: BTreeMap::new(),
        namesakes: cluster.namesakes.clone(),
        objects: Objects::default(),
        orphans: Vec::new(),
    }
}

/// The same once the binding is there and all it offers is healthy.
fn joined(
    facts: &Facts,
    here: &ClusterFacts,
    arn: &TargetGroupArn,
    manifest: &Manifest,
    offer: &Endpoints,
) -> Facts {
    let mut facts = facts.clone();
    if let Some(cluster) = facts.clusters.iter_mut().find(|it| it.context == here.context)
        && let Ok(bindings) = &mut cluster.bindings
    {
        bindings.retain(|it| {
            it.binding.namespace != manifest.namespace || it.binding.name != manifest.name
        });
        bindings.push(BindingFacts {
            binding: manifest::hypothetical(manifest),
            group: Ok(arn.clone()),
            endpoints: Ok(offer.clone()),
            ledger: Ok(None),
        });
    }
    if let Some(group) = facts.groups.get_mut(arn)
        && let Ok(targets) = &mut group.targets
    {
        let registrable: BTreeSet<&Target> = offer.registrable().collect();
        targets.retain(|listed| !registrable.contains(&listed.target));
        targets.extend(registrable.into_iter().map(|target| TargetDescription {
            target: target.clone(),
            availability_zone: offer.desired.get(target).and_then(|endpoint| endpoint.zone.clone()),
            health: Health::plain(HealthState::Healthy),
        }));
    }
    facts
}
