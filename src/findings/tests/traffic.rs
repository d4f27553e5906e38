//! Whether the load balancer reaches the group, and how much fits.

use std::collections::BTreeMap;

use super::*;
use crate::facts::{AccountRegion, Reading, Silence, SilenceReason};
use crate::target::{Target, TargetDescription};
use crate::testing::silence;

/// Two clusters; green's targets are the even ones, in zone `b`.
fn shared(list: &str) -> World {
    registered(list).cluster("blue", "1 3", "1 3").cluster("green", "2 4", "2 4")
}

/// Gives the targets that are unused AWS's reason for it.
fn not_in_use(mut world: World) -> World {
    for listed in world.group().targets.as_mut().unwrap() {
        if listed.health.state == crate::target::HealthState::Unused {
            listed.health.reason = Some("Target.NotInUse".to_owned());
        }
    }
    world
}

fn balancer(world: &mut World) -> &mut crate::facts::LoadBalancerFacts {
    &mut world.group().load_balancers.as_mut().unwrap()[0]
}

fn serving(mut world: World, zones: &[&str]) -> World {
    balancer(&mut world).load_balancer.availability_zones =
        zones.iter().map(|zone| (*zone).to_owned()).collect();
    world
}

mod attachment {
    use super::*;

    fn unattached(list: &str) -> World {
        let mut world = shared(list);
        world.group().group.as_mut().unwrap().load_balancer_arns.clear();
        world.group().load_balancers = Ok(Vec::new());
        world
    }

    #[test]
    fn a_group_behind_no_load_balancer_is_told_once() {
        assert_eq!(codes(&unattached("1~ 2~ 3~ 4~"), '4'), "401!");
        let finding = the(&unattached("1~ 2~ 3~ 4~"), "MCTG401");
        assert_eq!(finding.target_group_arn, Some(crate::testing::arn()));
        // What it was when it still served says nothing.
        assert_eq!(codes(&unattached("1! 2! 3! 4!"), '4'), "401!", "and not 412");
        assert_eq!(codes(&unattached("1 3"), '5'), "", "and not 501");
    }

    #[test]
    fn a_group_that_was_not_read_may_be_attached() {
        let mut world = unattached("1~ 2~ 3~ 4~");
        world.group().group = Err(silence());
        assert_eq!(codes(&world, '4'), "");
    }

    #[test]
    fn a_group_that_no_listener_forwards_to_is_told_once() {
        let mut world = serving(not_in_use(shared("1 2~ 3 4~")), &["a"]);
        balancer(&mut world).listeners = Ok(Vec::new());
        assert_eq!(codes(&world, '4'), "402!", "and not 405");
        assert_eq!(codes(&world, '5'), "", "and not 501");
        let said = the(&world, "MCTG402").message;
        assert_eq!(
            said,
            "No listener or rule of shop forwards to shop: none of its targets gets traffic."
        );
    }

    #[test]
    fn a_rule_that_forwards_is_enough_and_so_is_one_that_was_not_read() {
        let mut by_rule = shared("1 2 3 4");
        let listeners = balancer(&mut by_rule).listeners.as_mut().unwrap();
        listeners[0].forwards[0].rule_arn = Some("rule".to_owned());
        assert_eq!(codes(&by_rule, '4'), "");
        let not_asked = Silence::new(SilenceReason::NotAsked, "not asked for");
        for silence in [silence(), not_asked] {
            let mut unread = shared("1 2 3 4");
            balancer(&mut unread).listeners = Err(silence.clone());
            assert_eq!(codes(&unread, '4'), "");
            unread.group().load_balancers = Err(silence);
            assert_eq!(codes(&unread, '4'), "");
        }
    }
}

mod zones {
    use super::*;

    #[test]
    fn targets_in_a_zone_that_is_not_served_are_told_by_zone() {
        let world = serving(not_in_use(shared("1 2~ 3 4~")), &["a", "c"]);
        assert_eq!(codes(&world, '4'), "405!");
        let finding = the(&world, "MCTG405");
        assert_eq!(
            finding.message,
            "2 targets of green get no traffic, in zones that the load balancer does not serve: b (10.0.0.2:80, \
             10.0.0.4:80). It serves a, c."
        );
        assert_eq!(finding.targets, [target("2"), target("4")]);
    }

    #[test]
    fn that_one_cluster_serves_everything_follows_from_it() {
        assert_eq!(codes(&shared("1 2! 3 4!"), '5'), "501");
        let world = serving(not_in_use(shared("1 2~ 3 4~")), &["a"]);
        assert_eq!(codes(&world, '5'), "");
        let own = serving(not_in_use(shared("1 2! 3~ 4!")), &["b"]);
        assert_eq!(codes(&own, '5'), "501", "green is unhealthy, which is another cause");
    }

    #[test]
    fn a_target_that_is_unused_for_another_reason_is_not_told() {
        let stopped = serving(shared("1 2~ 3 4"), &["a"]);
        assert_eq!(codes(&stopped, '4'), "", "no reason");
        let served = serving(not_in_use(shared("1 2~ 3 4~")), &["a", "b"]);
        assert_eq!(codes(&served, '4'), "", "its zone is enabled by now");
        let draining = serving(not_in_use(shared("1 2- 3 4-")), &["a"]);
        assert_eq!(codes(&draining, '4'), "");
        let mut everywhere = serving(not_in_use(shared("1 2~ 3 4")), &["a"]);
        everywhere.group().targets.as_mut().unwrap()[1].availability_zone = Some("all".to_owned());
        assert_eq!(codes(&everywhere, '4'), "");
    }

    #[test]
    fn zones_that_were_not_read_are_not_missing() {
        let world = serving(not_in_use(shared("1 2~ 3 4~")), &[]);
        assert_eq!(codes(&world, '4'), "");
        let mut unread = not_in_use(shared("1 2~ 3 4~"));
        unread.group().load_balancers = Err(silence());
        assert_eq!(codes(&unread, '4'), "");
    }
}

mod outside_the_vpc {
    use super::*;

    fn outside(protocol: &str, list: &str) -> World {
        let mut world = shared(list);
        world.group().group.as_mut().unwrap().protocol = Some(protocol.to_owned());
        for listed in world.group().targets.as_mut().unwrap() {
            if ["10.0.0.2", "10.0.0.4"].contains(&listed.target.id.as_str()) {
                listed.availability_zone = Some("all".to_owned());
            }
        }
        world
    }

    #[test]
    fn udp_does_not_find_its_way_back() {
        for protocol in ["UDP", "TCP_UDP", "QUIC", "TCP_QUIC"] {
            assert_eq!(codes(&outside(protocol, "1 2 3 4"), '4'), "409!", "{protocol}");
        }
        let finding = the(&outside("TCP_UDP", "1 2 3 4"), "MCTG409");
        assert_eq!(
            finding.message,
            "2 targets of green are outside the load balancer's VPC, and shop is for TCP_UDP: such targets may get \
             requests and cannot answer them: 10.0.0.2:80, 10.0.0.4:80."
        );
        assert_eq!(finding.targets, [target("2"), target("4")]);
    }

    #[test]
    fn other_protocols_do_and_targets_on_their_way_out_need_not() {
        for protocol in ["TCP", "TLS", "HTTP"] {
            assert_eq!(codes(&outside(protocol, "1 2 3 4"), '4'), "", "{protocol}");
        }
        assert_eq!(codes(&outside("UDP", "1 2- 3 4-"), '4'), "");
        assert_eq!(codes(&outside("UDP", "1 3"), '4'), "");
    }
}

mod quotas {
    use super::*;

    const ZONAL: &str = "targets-per-availability-zone-per-network-load-balancer";

    /// So many targets in each of some zones, and what the account allows.
    fn filled(zones: &[(&str, usize)], limits: Reading<&[(&str, u64)]>) -> World {
        let mut world = shared("");
        let mut number = 0_usize;
        let listed = zones.iter().flat_map(|(zone, count)| {
            (0..*count)
                .map(|_| {
                    number += 1;
                    let target = Target::new(format!("10.1.{}.{}", number / 250, number % 250), 80);
                    let health = crate::target::Health::plain(crate::target::HealthState::Healthy);
                    let availability_zone = Some((*zone).to_owned());
                    TargetDescription { target, availability_zone, health }
                })
                .collect::<Vec<_>>()
        });
        world.group().targets = Ok(listed.collect());
        let limits = limits.map(|limits| {
            limits.iter().map(|(name, max)| ((*name).to_owned(), *max)).collect::<BTreeMap<_, _>>()
        });
        let at = AccountRegion::of(&crate::testing::arn());
        world.facts.account_limits.insert(at, limits);
        world
    }

    fn told(world: &World) -> String {
        let found = found(world).into_iter().filter(|it| it.code == "MCTG413");
        found.map(|it| it.message).collect::<Vec<_>>().join("\n")
    }

    const UNKNOWN: &[(&str, u64)] = &[];

    #[test]
    fn over_four_fifths_of_a_groups_limit_is_near() {
        let limits: &[_] = &[("targets-per-target-group", 10)];
        assert_eq!(told(&filled(&[("a", 8)], Ok(limits))), "");
        assert_eq!(
            told(&filled(&[("a", 9)], Ok(limits))),
            "The target group shop has 9 of the 10 targets that it may have in this account. Those beyond are refused."
        );
        let fix = the(&filled(&[("a", 9)], Ok(limits)), "MCTG413").fix.unwrap();
        assert!(fix.ends_with("--service-code elasticloadbalancing --region us-east-1"), "{fix}");
        let mut draining = filled(&[("a", 9)], Ok(limits));
        draining.group().targets.as_mut().unwrap()[0].health.state =
            crate::target::HealthState::Draining;
        assert_eq!(told(&draining), "", "who is on its way out is not counted");
    }

    #[test]
    fn where_the_account_does_not_tell_the_defaults_count_and_that_is_said() {
        assert_eq!(told(&filled(&[("a", 400), ("b", 400)], Err(silence()))), "");
        assert_eq!(
            told(&filled(&[("a", 401), ("b", 400)], Err(silence()))),
            "The zone a of the load balancer shop has 401 of the 500 targets that it may have by AWS's default. Those \
             beyond are refused. The account's own limit is not known: no answer in 10 s"
        );
        let other: &[_] = &[("target-groups", 3_000)];
        let said = told(&filled(&[("a", 401)], Ok(other)));
        assert!(said.contains("500 targets that it may have by AWS's default."), "{said}");
        assert_eq!(codes(&filled(&[("a", 1)], Err(silence())), '9'), "", "and it is not 903");
    }

    #[test]
    fn nobody_who_did_not_ask_is_told() {
        for reason in [SilenceReason::NotAsked, SilenceReason::Stopped] {
            let world = filled(&[("a", 1_000)], Err(Silence::new(reason, "not asked")));
            assert_eq!(told(&world), "");
        }
        let mut world = filled(&[("a", 1_000)], Ok(UNKNOWN));
        world.facts.account_limits.clear();
        assert_eq!(told(&world), "");
    }

    #[test]
    fn across_zones_one_zones_limit_holds_for_all() {
        let full = |cross_zone: &str| {
            let mut world = filled(&[("a", 3), ("b", 3), ("all", 3)], Ok(&[(ZONAL, 10)]));
            let key = "load_balancing.cross_zone.enabled".to_owned();
            world.group().attributes = Ok([(key, cross_zone.to_owned())].into());
            told(&world)
        };
        assert_eq!(full("false"), "");
        assert!(full("true").starts_with("The load balancer shop (cross-zone on) has 9 of the 10"));
        let mut unknown = filled(&[("a", 3), ("b", 3), ("all", 3)], Ok(&[(ZONAL, 10)]));
        unknown.group().attributes = Err(silence());
        assert_eq!(told(&unknown), "", "it may be off");
    }

    #[test]
    fn a_network_load_balancer_and_an_application_one_have_limits_of_their_own() {
        let limits: &[_] = &[
            ("targets-per-network-load-balancer", 10),
            ("targets-per-application-load-balancer", 9),
        ];
        let mut world = filled(&[("a", 5), ("all", 4)], Ok(limits));
        assert!(told(&world).starts_with("The load balancer shop has 9 of the 10 targets"));
        balancer(&mut world).load_balancer.kind = "application".to_owned();
        assert!(told(&world).starts_with("The load balancer shop has 9 of the 9 targets"));
        balancer(&mut world).load_balancer.kind = "gateway".to_owned();
        assert_eq!(told(&world), "");
    }

    #[test]
    fn the_same_targets_are_told_once_by_what_is_fullest() {
        let limits: &[_] = &[("targets-per-target-group", 10), (ZONAL, 9)];
        let said = told(&filled(&[("a", 9)], Ok(limits)));
        assert!(said.starts_with("The zone a of") && !said.contains('\n'), "{said}");
    }

    #[test]
    fn a_load_balancer_of_several_groups_is_told_once_with_all_their_targets() {
        let limits: &[_] = &[("targets-per-network-load-balancer", 10)];
        let mut world = filled(&[("a", 5)], Ok(limits));
        let first = world.facts.groups[&crate::testing::arn()].clone();
        let arn: TargetGroupArn =
            crate::testing::arn().as_str().replace("/shop/", "/till/").parse().unwrap();
        world.facts.groups.insert(arn, first);
        let said = told(&world);
        assert!(said.starts_with("The load balancer shop has 10 of the 10 targets"), "{said}");
        assert!(!said.contains('\n'), "{said}");
    }
}
