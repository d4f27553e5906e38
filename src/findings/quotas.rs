//! 413: how much more fits.

use std::collections::BTreeMap;

use super::catalogue::QUOTA_NEAR;
use super::{Finding, Severity};
use crate::facts::{
    AccountRegion, Facts, GroupFacts, LoadBalancer, Reading, Silence, SilenceReason,
};
use crate::share::ALL_ZONES;
use crate::target::TargetGroupArn;
use crate::view::GroupView;

/// A limit: its name in DescribeAccountLimits, and what it is where nobody raised it
/// (`facts/elbv2.md` 3.1).
struct Quota {
    name: &'static str,
    default: u64,
}

const PER_GROUP: Quota = Quota { name: "targets-per-target-group", default: 1_000 };
const PER_NLB: Quota = Quota { name: "targets-per-network-load-balancer", default: 3_000 };
const PER_NLB_ZONE: Quota =
    Quota { name: "targets-per-availability-zone-per-network-load-balancer", default: 500 };
const PER_ALB: Quota = Quota { name: "targets-per-application-load-balancer", default: 1_000 };

/// Above this part of a limit, in percent, it is near.
const NEAR_PERCENT: u64 = 80;

/// Finds what is nearly full; a load balancer with several of the groups is told once.
///
/// Draining targets are not counted, and those of every zone in none: neither is documented.
pub(super) fn findings(facts: &Facts, groups: &[&GroupView<'_>]) -> Vec<Finding> {
    let mut of_load_balancers: BTreeMap<&str, Vec<&GroupFacts>> = BTreeMap::new();
    for group in facts.groups.values() {
        for arn in group.group.iter().flat_map(|group| &group.load_balancer_arns) {
            of_load_balancers.entry(arn).or_default().push(group);
        }
    }
    let mut findings = Vec::new();
    for group in groups {
        let Some(limits) = Limits::of(facts, group.arn) else { continue };
        let mut fullest = group_usage(group, &limits);
        for it in group.facts.load_balancers.iter().flatten() {
            // What remains is told with the first group of it.
            let Some(members) = of_load_balancers.remove(it.load_balancer.arn.as_str()) else {
                continue;
            };
            let usage = load_balancer_usage(&it.load_balancer, &members, &limits);
            if members.len() == 1 {
                // The same targets fill both.
                fullest = fuller(fullest, usage);
            } else {
                findings.extend(usage.map(|usage| usage.finding(group.arn, &limits)));
            }
        }
        findings.extend(fullest.map(|usage| usage.finding(group.arn, &limits)));
    }
    findings
}

/// The limits of an account, or why they are not known.
struct Limits<'a>(&'a Reading<BTreeMap<String, u64>>);

impl<'a> Limits<'a> {
    /// None where nobody asked.
    fn of(facts: &'a Facts, arn: &TargetGroupArn) -> Option<Self> {
        let limits = facts.account_limits.get(&AccountRegion::of(arn))?;
        let unasked = |silence: &Silence| {
            matches!(silence.reason, SilenceReason::NotAsked | SilenceReason::Stopped)
        };
        (!limits.as_ref().is_err_and(unasked)).then_some(Self(limits))
    }

    /// The account's own limit.
    fn own(&self, quota: &Quota) -> Option<u64> {
        self.0.as_ref().ok()?.get(quota.name).copied()
    }
}

/// How full something is.
struct Usage {
    what: String,
    quota: &'static Quota,
    used: u64,
    max: u64,
}

impl Usage {
    /// None where it is not near.
    fn near(what: String, quota: &'static Quota, used: usize, limits: &Limits<'_>) -> Option<Self> {
        let max = limits.own(quota).unwrap_or(quota.default);
        let used = u64::try_from(used).unwrap_or(u64::MAX);
        let is_near = used.saturating_mul(100) > max.saturating_mul(NEAR_PERCENT);
        is_near.then_some(Self { what, quota, used, max })
    }

    fn finding(&self, arn: &TargetGroupArn, limits: &Limits<'_>) -> Finding {
        let Self { what, quota, used, max } = self;
        let mut message = format!("{what} has {used} of the {max} targets that it may have");
        message += match limits {
            Limits(Ok(_)) if limits.own(quota).is_some() => " in this account.",
            _ => " by AWS's default.",
        };
        message += " Those beyond are refused.";
        if let Limits(Err(silence)) = limits {
            message += &format!(" The account's own limit is not known: {silence}");
        }
        let fix = format!(
            "aws service-quotas list-service-quotas --service-code elasticloadbalancing --region {}",
            arn.region()
        );
        QUOTA_NEAR.finding(Severity::Warning, message).of_group(arn).with_fix(fix)
    }
}

fn fuller(one: Option<Usage>, other: Option<Usage>) -> Option<Usage> {
    let part = |usage: &Usage| u128::from(usage.used) * 1_000_000 / u128::from(usage.max.max(1));
    one.into_iter().chain(other).max_by_key(part)
}

fn group_usage(group: &GroupView<'_>, limits: &Limits<'_>) -> Option<Usage> {
    let facts = group.facts.group.as_ref().ok()?;
    if !matches!(facts.target_type.as_str(), "ip" | "instance") {
        // Others take one target, which is no limit that could be raised.
        return None;
    }
    let what = format!("The target group {}", group.arn.name());
    Usage::near(what, &PER_GROUP, group.facts.registered().count(), limits)
}

/// One target in several groups counts in each; of groups that were not read nothing is known, so
/// there may be more.
fn load_balancer_usage(
    load_balancer: &LoadBalancer,
    members: &[&GroupFacts],
    limits: &Limits<'_>,
) -> Option<Usage> {
    let mut zones: BTreeMap<&str, usize> = BTreeMap::new();
    for listed in members.iter().flat_map(|group| group.registered()) {
        *zones.entry(listed.availability_zone.as_deref().unwrap_or(ALL_ZONES)).or_default() += 1;
    }
    let total = zones.values().sum();
    let what = format!("The load balancer {}", load_balancer.name);
    match load_balancer.kind.as_str() {
        "application" => Usage::near(what, &PER_ALB, total, limits),
        // Then one zone's limit holds for all of them together.
        "network" if members.iter().all(|group| group.cross_zone() == Some(true)) => {
            let what = format!("{what} (cross-zone on)");
            Usage::near(what, &PER_NLB_ZONE, total, limits)
        }
        "network" => {
            zones.remove(ALL_ZONES);
            let fullest = zones.into_iter().max_by_key(|(_, used)| *used);
            let of_zone = fullest.and_then(|(zone, used)| {
                let what = format!("The zone {zone} of the load balancer {}", load_balancer.name);
                Usage::near(what, &PER_NLB_ZONE, used, limits)
            });
            fuller(of_zone, Usage::near(what, &PER_NLB, total, limits))
        }
        _ => None,
    }
}
