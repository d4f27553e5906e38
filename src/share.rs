//! Which part of the new connections each cluster should get, and what losing it would leave. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::report::{IfLost, ShareBasis};
use crate::target::Target;
use crate::view::{GroupView, TargetView};

/// The zone ELBv2 gives to addresses outside the VPC: every zonal node reaches them
/// (`facts/elbv2.md` 1.4).
pub const ALL_ZONES: &str = "all";

/// The shares of a group's bindings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shares {
    /// How they were computed; `None` where none is healthy, or cross-zone or weights are not known.
    pub basis: Option<ShareBasis>,
    /// The share of each binding, by its index in [`GroupView::bindings`], from 0 to 1.
    pub by_binding: Vec<Option<f64>>,
    /// The sum of all shares, those of targets nobody claims included: the group's weight.
    pub total: Option<f64>,
}

/// Computes the shares of a group (`product.md` 5.4, status).
///
/// With cross-zone off every zone in service gets an equal part of the connections, and divides it
/// among its healthy targets; with cross-zone on all healthy targets get an equal part. A target
/// that several bindings claim counts for each of them in part.
pub fn shares(group: &GroupView<'_>) -> Shares {
    let unknown = Shares { basis: None, by_binding: vec![None; group.bindings.len()], total: None };
    let healthy: Vec<_> = group.healthy().collect();
    let (Some(cross_zone), Some(weight)) = (group.cross_zone(), group.weight()) else {
        return unknown;
    };
    if healthy.is_empty() || group.facts.targets.is_err() {
        return unknown;
    }
    let part_of_each: Vec<f64> = if cross_zone {
        let part = 1.0 / count(healthy.len());
        vec![part; healthy.len()]
    } else {
        parts_by_zone(group, &healthy)
    };
    let mut by_binding = vec![0.0; group.bindings.len()];
    for ((_, target), part) in healthy.iter().zip(&part_of_each) {
        let owners = group.owners(target);
        for owner in owners {
            by_binding[*owner] += weight * part / count(owners.len());
        }
    }
    // A binding whose endpoints and ledger are both unread may own any of it.
    let share = |index: usize, share: f64| {
        let binding = &group.bindings[index];
        let known = binding.desired().is_some() || binding.tracked().flatten().is_some();
        known.then_some(share)
    };
    Shares {
        basis: Some(if cross_zone { ShareBasis::Targets } else { ShareBasis::Zones }),
        by_binding: by_binding
            .into_iter()
            .enumerate()
            .map(|(index, part)| share(index, part))
            .collect(),
        total: Some(weight),
    }
}

/// The part of each healthy target where every zone in service serves an equal part.
fn parts_by_zone(group: &GroupView<'_>, healthy: &[(&Target, &TargetView<'_>)]) -> Vec<f64> {
    let zones = zones_in_service(group, healthy);
    let mut healthy_in: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, target) in healthy {
        for zone in zones_of(target, &zones) {
            *healthy_in.entry(zone).or_default() += 1;
        }
    }
    let of_zone = |zone: &str| 1.0 / count(zones.len()) / count(healthy_in[zone]);
    healthy.iter().map(|(_, target)| zones_of(target, &zones).map(of_zone).sum()).collect()
}

/// The zones that have a healthy target; with targets of every zone, all zones that are enabled.
fn zones_in_service<'a>(
    group: &'a GroupView<'_>,
    healthy: &[(&Target, &TargetView<'a>)],
) -> BTreeSet<&'a str> {
    let mut zones: BTreeSet<&str> = healthy.iter().filter_map(|(_, target)| zone(target)).collect();
    if zones.remove(ALL_ZONES) {
        let load_balancers = group.facts.load_balancers.iter().flatten();
        zones.extend(
            load_balancers.flat_map(|lb| &lb.load_balancer.availability_zones).map(String::as_str),
        );
        if zones.is_empty() {
            zones.insert(ALL_ZONES);
        }
    }
    zones
}

fn zones_of<'a>(
    target: &TargetView<'a>,
    zones: &BTreeSet<&'a str>,
) -> impl Iterator<Item = &'a str> {
    let own = zone(target);
    zones.iter().copied().filter(move |candidate| own == Some(*candidate) || own == Some(ALL_ZONES))
}

fn zone<'a>(target: &TargetView<'a>) -> Option<&'a str> {
    target.listed.and_then(|listed| listed.availability_zone.as_deref())
}

/// Says for each cluster of a group what losing it would leave.
///
/// Nothing is said where the group's targets could not be read.
pub fn if_lost(group: &GroupView<'_>, shares: &Shares, owner: Option<&str>) -> Vec<IfLost> {
    if group.facts.targets.is_err() {
        return Vec::new();
    }
    let contexts: BTreeSet<&str> =
        group.bindings.iter().map(|binding| binding.cluster.context.as_str()).collect();
    let healthy: Vec<_> = group.healthy().collect();
    contexts
        .into_iter()
        .map(|context| {
            let in_context = |index: &usize| group.bindings[*index].cluster.context == context;
            let left: Vec<_> = healthy
                .iter()
                .filter(|(_, target)| {
                    let owners = group.owners(target);
                    owners.is_empty() || !owners.iter().all(in_context)
                })
                .copied()
                .collect();
            let lost: Option<f64> =
                (0..group.bindings.len()).filter(in_context).map(|i| shares.by_binding[i]).sum();
            IfLost {
                context: context.to_owned(),
                healthy_left: left.len(),
                share_left: shares.total.zip(lost).map(|(total, lost)| (total - lost).max(0.0)),
                zones_dark: zones_dark(group, &healthy, &left),
                owns_load_balancer: owner.map(|owner| owner == context),
            }
        })
        .collect()
}

/// The zones that serve now and would serve nothing; with cross-zone on any healthy target serves
/// every zone.
fn zones_dark(
    group: &GroupView<'_>,
    healthy: &[(&Target, &TargetView<'_>)],
    left: &[(&Target, &TargetView<'_>)],
) -> Vec<String> {
    let now = zones_in_service(group, healthy);
    let crosses = group.cross_zone() == Some(true) && !left.is_empty();
    let then = if crosses { now.clone() } else { zones_in_service(group, left) };
    now.difference(&then).map(|zone| (*zone).to_owned()).collect()
}

#[expect(clippy::cast_precision_loss, reason = "counts of targets are far below 2^52")]
fn count(targets: usize) -> f64 {
    targets as f64
}
