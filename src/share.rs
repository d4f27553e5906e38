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

/// The zones that serve now and would serve nothing without some targets.
pub fn dark_without(group: &GroupView<'_>, going: &BTreeSet<Target>) -> Vec<String> {
    let healthy: Vec<_> = group.healthy().collect();
    let left: Vec<_> =
        healthy.iter().filter(|(target, _)| !going.contains(*target)).copied().collect();
    zones_dark(group, &healthy, &left)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, arn, registered, silence};

    /// Writes the shares of a world's bindings in percent, and how they were computed.
    fn percents(world: &World) -> (Vec<Option<i64>>, Option<ShareBasis>) {
        let view = GroupView::new(
            &world.facts,
            world.facts.groups.keys().next().unwrap(),
            &world.facts.groups[&arn()],
        );
        let shares = shares(&view);
        #[expect(clippy::cast_possible_truncation, reason = "a percentage")]
        let percent = |share: &Option<f64>| share.map(|share| (share * 100.0).round() as i64);
        (shares.by_binding.iter().map(percent).collect(), shares.basis)
    }

    fn lost(world: &World) -> Vec<IfLost> {
        let view = GroupView::new(
            &world.facts,
            world.facts.groups.keys().next().unwrap(),
            &world.facts.groups[&arn()],
        );
        if_lost(&view, &shares(&view), Some("blue"))
    }

    fn cross_zone(mut world: World) -> World {
        let on = ("load_balancing.cross_zone.enabled".to_owned(), "true".to_owned());
        world.group().attributes = Ok(BTreeMap::from([on]));
        world
    }

    #[test]
    fn with_cross_zone_off_every_zone_in_service_gets_an_equal_part() {
        // Zone a: 1, 3 of blue; 5 of green. Zone b: 2 of green alone.
        let world =
            registered("1 3 5 2").cluster("blue", "1 3", "1 3").cluster("green", "5 2", "5 2");
        assert_eq!(percents(&world), (vec![Some(33), Some(67)], Some(ShareBasis::Zones)));
    }

    #[test]
    fn with_cross_zone_on_every_healthy_target_gets_an_equal_part() {
        let world = cross_zone(
            registered("1 3 5 2").cluster("blue", "1 3", "1 3").cluster("green", "5 2", "5 2"),
        );
        assert_eq!(percents(&world), (vec![Some(50), Some(50)], Some(ShareBasis::Targets)));
    }

    #[test]
    fn only_healthy_targets_count() {
        let world = cross_zone(
            registered("1 3! 5? 2").cluster("blue", "1 3", "1 3").cluster("green", "5 2", "5 2"),
        );
        assert_eq!(percents(&world).0, [Some(50), Some(50)]);
        let none = registered("1!").cluster("blue", "1", "1");
        assert_eq!(percents(&none), (vec![None], None));
    }

    #[test]
    fn a_target_outside_the_vpc_serves_every_zone() {
        let mut world =
            registered("1 3 2").cluster("blue", "1", "1").cluster("green", "3 2", "3 2");
        world.group().targets.as_mut().unwrap()[0].availability_zone = Some(ALL_ZONES.to_owned());
        assert_eq!(percents(&world).0, [Some(50), Some(50)]);
    }

    #[test]
    fn the_listeners_weight_scales_every_share() {
        let mut world =
            cross_zone(registered("1 2").cluster("blue", "1", "1").cluster("green", "2", "2"));
        let listeners =
            world.group().load_balancers.as_mut().unwrap()[0].listeners.as_mut().unwrap();
        listeners[0].forwards[0].weights.insert("another group".to_owned(), 3);
        assert_eq!(percents(&world).0, [Some(13), Some(13)]);
    }

    #[test]
    fn what_nobody_claims_takes_its_part_too() {
        let world = cross_zone(registered("1 9").cluster("blue", "1", "1"));
        assert_eq!(percents(&world).0, [Some(50)]);
    }

    #[test]
    fn what_is_not_known_is_no_share() {
        let mut world = registered("1").cluster("blue", "1", "1");
        world.group().attributes = Err(silence());
        assert_eq!(percents(&world), (vec![None], None));
    }

    #[test]
    fn losing_a_cluster_leaves_what_is_not_its_own_and_darkens_its_zones() {
        let world = registered("1 3 2 9").cluster("blue", "1 3", "1 3").cluster("green", "2", "2");
        let lost = lost(&world);
        assert_eq!(
            (lost[0].context.as_str(), lost[0].healthy_left, &lost[0].zones_dark),
            ("blue", 2, &vec![])
        );
        assert_eq!((lost[1].context.as_str(), lost[1].healthy_left), ("green", 3));
        assert_eq!(lost[1].zones_dark, ["b"]);
        assert_eq!(
            (lost[0].owns_load_balancer, lost[1].owns_load_balancer),
            (Some(true), Some(false))
        );
    }

    #[test]
    fn with_cross_zone_on_no_zone_goes_dark_while_anything_is_healthy() {
        let world =
            cross_zone(registered("1 2").cluster("blue", "1", "1").cluster("green", "2", "2"));
        assert!(lost(&world).iter().all(|lost| lost.zones_dark.is_empty()));
    }
}
