//! The rules for targets that no cluster claims (`product.md` 6.2), one sentence each.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::facts::{LedgerFault, LostContext, Silence};
use crate::plan::{self, Cap, Pass, Plan};
use crate::selection::{NameQuery, Selection};
use crate::testing::{World, arn, registered, silence, words};

fn request() -> Request {
    Request {
        contexts: BTreeSet::from(["blue".to_owned()]),
        may_deregister: true,
        prune: Some(Prune::default()),
        ..Request::default()
    }
}

fn including_healthy(request: &mut Request) {
    request.prune = Some(Prune { include_healthy: true });
}

fn planned(world: &World, change: impl FnOnce(&mut Request)) -> Plan {
    let mut request = request();
    change(&mut request);
    plan::plan(&world.facts, &request, Pass::First)
}

/// Writes a group's plan: `-` deregisters, `=` stays and why.
fn describe(plan: &GroupPlan) -> String {
    let mut parts = Vec::new();
    if let Standing::Failed(reason) = &plan.standing {
        parts.push(format!("failed: {reason}"));
    }
    parts.extend(plan.deregister.iter().map(|listed| format!("-{}", words([&listed.target]))));
    parts.extend(plan.blocked.iter().map(|blocked| {
        let waiting = blocked.waiting_on.as_ref().map(|on| format!("({on})")).unwrap_or_default();
        format!("={} {:?}{waiting}", words(&blocked.target), blocked.reason)
    }));
    parts.extend(plan.not_known.clone());
    parts.join(", ")
}

fn pruned_with(world: &World, change: impl FnOnce(&mut Request)) -> String {
    planned(world, change).groups.iter().map(describe).collect::<Vec<_>>().join(" | ")
}

fn pruned(world: &World) -> String {
    pruned_with(world, |_| {})
}

/// Blue and green are in sync; what else is registered is nobody's.
fn shop(registered_too: &str) -> World {
    registered(&format!("1 2 {registered_too}"))
        .cluster("blue", "1", "1")
        .cluster("green", "2", "2")
}

/// Declares that a context is gone for good, and did not answer.
fn lost(mut world: World, context: &str, eks_name: Option<&str>) -> World {
    world.facts.lost.push(LostContext {
        context: context.to_owned(),
        cluster: None,
        eks_name: eks_name.map(str::to_owned),
        silence: silence(),
    });
    world
}

/// Says in the group's tags whose it is.
fn owned_by(mut world: World, cluster: &str) -> World {
    let tag = ("elbv2.k8s.aws/cluster".to_owned(), cluster.to_owned());
    world.group().tags = Ok(BTreeMap::from([tag]));
    world
}

#[test]
fn nothing_that_no_cluster_claims_is_touched_unless_somebody_asks() {
    assert_eq!(pruned_with(&shop("8! 9"), |request| request.prune = None), "");
    assert_eq!(planned(&shop("8! 9"), |request| request.prune = None).bindings[0].deregister, []);
}

#[test]
fn what_is_unhealthy_goes_and_what_may_serve_stays() {
    assert_eq!(pruned(&shop("5 6? 7~ 8! 9-")), "-8, =5 NotUnhealthy, =6 Initial, =7 NotUnhealthy");
}

#[test]
fn of_what_is_never_checked_only_an_instance_that_is_stopped_or_gone_goes() {
    let because = |reason: &str| {
        let mut world = shop("7~");
        let targets = world.group().targets.as_mut().unwrap();
        targets[2].health.reason = Some(reason.to_owned());
        pruned(&world)
    };
    assert_eq!(because("Target.InvalidState"), "-7");
    assert_eq!(because("Target.NotInUse"), "=7 NotUnhealthy");
}

#[test]
fn a_target_that_keeps_old_connections_and_fails_its_checks_goes() {
    let mut world = shop("8!");
    world.group().targets.as_mut().unwrap()[2].health.state = HealthState::UnhealthyDraining;
    assert_eq!(pruned(&world), "-8");
}

#[test]
fn with_include_healthy_all_go_but_those_in_their_first_checks() {
    assert_eq!(pruned_with(&shop("5 6? 7~ 8! 9-"), including_healthy), "-5, -7, -8, =6 Initial");
}

#[test]
fn what_a_cluster_desires_or_tracks_is_never_unclaimed() {
    let world = registered("1! 2! 3! 4!").cluster("blue", "1", "2").cluster("green", "3", "3 4");
    let plan = planned(&world, including_healthy);
    assert_eq!(plan.groups, []);
}

#[test]
fn a_group_that_no_acting_binding_leads_to_is_left_alone() {
    let elsewhere = |request: &mut Request| request.contexts = BTreeSet::from(["red".to_owned()]);
    assert_eq!(pruned_with(&shop("8!"), elsewhere), "");
    let exclusive = registered("8!").cluster("blue", "", "").with(|binding| {
        binding.binding.spec.multi_cluster_target_group = false;
    });
    assert_eq!(pruned(&exclusive.cluster("green", "", "")), "");
}

#[test]
fn names_and_namespaces_choose_groups_by_their_acting_bindings() {
    let named = |name: &str| {
        let query = NameQuery { kind: None, name: name.to_owned() };
        let selection = Selection { names: vec![query], ..Selection::default() };
        pruned_with(&shop("8!"), |request| request.selection = selection)
    };
    assert_eq!(named("shop"), "-8");
    assert_eq!(named("another"), "");
    let of_namespace = Selection { namespace: Some("another".to_owned()), ..Selection::default() };
    assert_eq!(pruned_with(&shop("8!"), |request| request.selection = of_namespace), "");
}

#[test]
fn elbv2_is_called_on_behalf_of_the_acting_binding() {
    let plan = planned(&shop("8!"), |_| {});
    assert_eq!(plan.groups[0].on_behalf_of.to_string(), "blue web/shop");
    assert_eq!(plan.groups[0].access.context, "blue");
}

#[test]
fn while_a_context_is_silent_nothing_goes() {
    let world = shop("7 8!").silent("red");
    assert_eq!(pruned(&world), "=8 Silent(red), red could not be read in full");
    assert_eq!(
        pruned_with(&world, including_healthy),
        "=7 Silent(red), =8 Silent(red), red could not be read in full"
    );
}

#[test]
fn while_namespaces_are_hidden_nothing_goes() {
    let mut world = shop("8!");
    world.last().hidden.push(silence());
    assert_eq!(pruned(&world), "=8 Silent(green), green could not be read in full");
}

#[test]
fn while_endpoints_or_a_ledger_of_the_group_are_not_known_nothing_goes() {
    let expected = "=8 Silent(green web/shop), green web/shop may claim it, and its endpoints or its ledger \
                    could not be read";
    assert_eq!(pruned(&shop("8!").endpoints_unread()), expected);
    let fault = || LedgerFault::Silent(silence());
    assert_eq!(pruned(&shop("8!").with(|binding| binding.ledger = Err(fault()))), expected);
}

#[test]
fn while_a_binding_may_name_the_group_nothing_goes() {
    let world = shop("8!").binding("named", "", "").with(|binding| {
        binding.binding.spec.target_group_arn.clear();
        arn().name().clone_into(&mut binding.binding.spec.target_group_name);
        binding.group = Err(silence());
    });
    assert_eq!(
        pruned(&world),
        "=8 Silent(green web/named), green web/named may claim it, and its target group is not known"
    );
}

#[test]
fn while_a_context_is_left_out_nothing_goes() {
    let mut world = shop("8!");
    world.facts.left_out.insert("red".to_owned());
    assert_eq!(pruned(&world), "=8 Silent(red), red was not read");
    let mut world = shop("8!");
    world.facts.narrowed = true;
    assert_eq!(pruned(&world), "=8 Silent, not every context of the kubeconfig was read");
}

#[test]
fn a_cluster_that_is_read_alone_calls_nothing_unclaimed() {
    let world = registered("1 8!").cluster("blue", "1", "1");
    assert_eq!(
        pruned(&world),
        "=8 Silent, only one cluster was read, and what it does not claim may be another's"
    );
}

#[test]
fn a_cluster_that_is_gone_for_good_claims_nothing() {
    let alone = registered("1 8! 9").cluster("blue", "1", "1");
    assert_eq!(pruned(&lost(alone, "green", None)), "-8, =9 NotUnhealthy");
}

#[test]
fn while_the_groups_owner_was_not_read_nothing_goes() {
    let named = |mut world: World| {
        for (index, cluster) in world.facts.clusters.iter_mut().enumerate() {
            cluster.eks_name = Some(format!("eks-{index}"));
        }
        world
    };
    assert_eq!(pruned(&owned_by(named(shop("8!")), "eks-0")), "-8");
    assert_eq!(
        pruned(&owned_by(named(shop("8!")), "eks-9")),
        "=8 Silent(eks-9), eks-9 owns the group, and is not among the contexts that were read"
    );
    let gone = lost(owned_by(named(shop("8!")), "eks-9"), "red", Some("eks-9"));
    assert_eq!(pruned(&gone), "-8", "the owner is gone for good");
    let another = lost(owned_by(named(shop("8!")), "eks-9"), "red", Some("eks-8"));
    assert!(pruned(&another).starts_with("=8 Silent(eks-9)"), "another is");
}

#[test]
fn while_the_tags_that_name_the_owner_are_not_known_nothing_goes() {
    let mut world = shop("8!");
    world.group().tags = Err(silence());
    assert_eq!(
        pruned(&world),
        "=8 Silent, the group's tags, which name its owner, could not be read: no answer in 10 s"
    );
}

#[test]
fn targets_that_could_not_be_read_are_no_empty_group() {
    let mut world = shop("8!");
    world.group().targets = Err(silence());
    assert_eq!(pruned(&world), "failed: its targets could not be read: no answer in 10 s");
    world.group().targets = Err(Silence::new(SilenceReason::NotFound, "gone"));
    assert_eq!(pruned(&world), "");
}

#[test]
fn a_cap_counts_every_target_against_those_registered() {
    let capped = |cap| pruned_with(&shop("7! 8!"), |request| request.max_deregister = Some(cap));
    assert_eq!(capped(Cap::Count(2)), "-7, -8");
    assert_eq!(capped(Cap::Count(1)), "=7 Cap, =8 Cap");
    assert_eq!(capped(Cap::Percent(50)), "-7, -8");
    assert_eq!(capped(Cap::Percent(49)), "=7 Cap, =8 Cap");
}

#[test]
fn without_a_yes_everything_stays() {
    let plan = pruned_with(&shop("7! 8!"), |request| request.may_deregister = false);
    assert_eq!(plan, "=7 NeedsYes, =8 NeedsYes");
}

#[test]
fn the_last_healthy_target_stays() {
    let world = registered("1! 8 9").cluster("blue", "1", "1").cluster("green", "", "");
    assert_eq!(pruned_with(&world, including_healthy), "-8, =9 LastHealthy");
    let empties = |request: &mut Request| {
        including_healthy(request);
        request.allow_empty = true;
    };
    assert_eq!(pruned_with(&world, empties), "-8, -9");
}

#[test]
fn the_last_healthy_target_is_counted_with_what_bindings_let_go() {
    // Blue lets go of 3, and 9 is the last one then.
    let world = registered("3 9").cluster("blue", "", "3").cluster("green", "", "");
    let plan = planned(&world, including_healthy);
    assert_eq!(plan.bindings[0].deregister.len(), 1);
    assert_eq!(describe(&plan.groups[0]), "=9 LastHealthy");
}

#[test]
fn what_was_not_shown_does_not_go() {
    let shown = planned(&shop("8!"), |_| {});
    let mut now = planned(&shop("7! 8!"), |_| {});
    now.narrow_to(&shown);
    assert_eq!(describe(&now.groups[0]), "-8, =7 Changed");
    now.narrow_to(&Plan::default());
    assert_eq!(describe(&now.groups[0]), "=7 Changed, =8 Changed");
}

#[test]
fn a_later_round_leaves_them_to_the_first() {
    let later = |request: &mut Request| request.only = Some(BTreeSet::new());
    assert_eq!(pruned_with(&shop("8!"), later), "");
}

/// Writes what is left of the first plan after the second.
fn confirmed(first: &World, second: &World) -> String {
    let plans = [first, second].map(|world| planned(world, including_healthy).groups);
    match confirm(&plans[0][0], plans[1].first()) {
        Err(reason) => format!("not at all: {reason}"),
        Ok(GroupFinish { deregister, blocked }) => {
            let stays = |b: &Blocked| format!("={} {:?}", words(&b.target), b.reason);
            let goes = |listed: &TargetDescription| {
                format!("-{} {}", words([&listed.target]), listed.health.state)
            };
            let parts = deregister.iter().map(goes).chain(blocked.iter().map(stays));
            parts.collect::<Vec<_>>().join(", ")
        }
    }
}

#[test]
fn only_what_both_readings_take_out_goes_as_it_was_described_last() {
    assert_eq!(confirmed(&shop("7 8!"), &shop("7! 8! 9!")), "-7 unhealthy, -8 unhealthy");
    assert_eq!(confirmed(&shop("7 8!"), &shop("7? 8!")), "-8 unhealthy, =7 Initial");
    let claimed = registered("1 2 7 8!").cluster("blue", "1 8", "1").cluster("green", "2", "2");
    assert_eq!(confirmed(&shop("7 8!"), &claimed), "-7 healthy, =8 Changed");
    let silent = shop("7 8!").silent("red");
    assert_eq!(confirmed(&shop("7 8!"), &silent), "=7 Silent, =8 Silent");
    assert_eq!(confirmed(&shop("8!"), &shop("")), "=8 Changed");
    let mut unread = shop("8!");
    unread.group().targets = Err(silence());
    assert!(confirmed(&shop("8!"), &unread).starts_with("not at all: "));
}
