//! The rules of `product.md` 6.1, one sentence each.

mod beside;

use std::collections::BTreeSet;

use super::*;
use crate::endpoints::{Unregistrable, Unresolved};
use crate::facts::{Aliveness, LedgerFault};
use crate::ledger::InvalidLedger;
use crate::target::HealthState;
use crate::testing::{World, now, registered, silence, target, targets, words};

fn request(contexts: &[&str]) -> Request {
    Request {
        contexts: contexts.iter().map(|context| (*context).to_owned()).collect(),
        may_deregister: true,
        ..Request::default()
    }
}

fn ledger(entries: Option<&BTreeSet<Target>>) -> String {
    entries.map_or("none".to_owned(), |entries| format!("[{}]", words(entries)))
}

/// Writes a binding's plan: `+` registers, `-` deregisters, `~` hands over, the ledger's way, and what
/// is withheld.
fn describe(plan: &BindingPlan) -> String {
    let mut parts = Vec::new();
    match &plan.standing {
        Standing::Ready => {}
        Standing::Skipped(reason) => parts.push(format!("skipped: {reason}")),
        Standing::Deferred(_) => parts.push("deferred".to_owned()),
        Standing::Failed(reason) => parts.push(format!("failed: {reason}")),
    }
    parts.extend(plan.register.keys().map(|target| format!("+{}", words([target]))));
    parts.extend(plan.deregister.iter().map(|listed| format!("-{}", words([&listed.target]))));
    parts.extend(plan.hand_over.iter().map(|target| format!("~{}", words([target]))));
    if let Some(plan) = plan.ledger.as_ref().filter(|ledger| ledger.is_change() || ledger.gains()) {
        let mut way = vec![ledger(plan.before.as_ref())];
        way.extend(plan.gains().then(|| ledger(Some(&plan.gain))));
        way.extend(plan.loses().then(|| ledger(plan.after.as_ref())));
        parts.push(way.join(" > "));
    }
    parts.extend(plan.nudge.as_ref().map(|nudge| {
        let how = if nudge.removes_checkpoint { "nudge" } else { "first nudge" };
        format!("{how} +[{}] -[{}]", words(&nudge.register), words(nudge.going()))
    }));
    parts.extend(plan.remove_finalizer.then(|| "finalizer goes".to_owned()));
    parts.extend(plan.blocked.iter().map(|blocked| {
        let target = blocked.target.as_ref().map(|target| words([target])).unwrap_or_default();
        let waiting = blocked.waiting_on.as_ref().map(|on| format!("({on})")).unwrap_or_default();
        format!("{:?} {target} {:?}{waiting}", blocked.action, blocked.reason)
    }));
    parts.join(", ")
}

fn planned(world: &World, request: &Request) -> Plan {
    plan(&world.facts, request, Pass::First)
}

/// Describes the plan for blue, the first cluster.
fn blue(world: &World) -> String {
    blue_with(world, |_| {})
}

fn blue_with(world: &World, change: impl FnOnce(&mut Request)) -> String {
    let mut request = request(&["blue"]);
    change(&mut request);
    planned(world, &request).bindings.iter().map(describe).collect::<Vec<_>>().join(" | ")
}

/// A second cluster that is read and claims nothing, so that no guard speaks.
fn watched(world: World) -> World {
    world.cluster("green", "", "")
}

#[test]
fn a_group_that_is_right_plans_nothing() {
    let world = watched(registered("1 2").cluster("blue", "1 2", "1 2"));
    assert!(planned(&world, &request(&["blue"])).bindings[0].is_empty());
}

#[test]
fn what_is_desired_and_not_registered_is_registered_after_the_ledger_gained_it() {
    assert_eq!(blue(&watched(registered("1").cluster("blue", "1 2", "1"))), "+2, [1] > [1 2]");
}

#[test]
fn a_draining_target_that_is_an_endpoint_again_is_registered_again() {
    assert_eq!(blue(&watched(registered("1-").cluster("blue", "1", "1"))), "+1");
}

#[test]
fn what_is_tracked_and_registered_and_no_endpoint_is_deregistered_before_the_ledger_loses_it() {
    assert_eq!(blue(&watched(registered("1 3").cluster("blue", "1", "1 3"))), "-3, [1 3] > [1]");
}

#[test]
fn an_unhealthy_draining_target_is_deregistered_too() {
    let mut world = watched(registered("1 3").cluster("blue", "1", "1 3"));
    world.group().targets.as_mut().unwrap()[1].health.state = HealthState::UnhealthyDraining;
    assert_eq!(blue(&world), "-3, [1 3] > [1]");
}

#[test]
fn phantoms_leave_only_in_the_last_write() {
    assert_eq!(
        blue(&watched(registered("1").cluster("blue", "1 2", "1 9"))),
        "+2, [1 9] > [1 2 9] > [1 2]"
    );
}

#[test]
fn the_first_run_takes_nothing_out_and_the_ledger_becomes_what_is_desired() {
    assert_eq!(blue(&watched(registered("1 9").cluster("blue", "1 2", None))), "+2, none > [1 2]");
}

#[test]
fn an_empty_ledger_is_no_missing_ledger() {
    assert_eq!(blue(&watched(registered("1 9").cluster("blue", "1", ""))), "[] > [1]");
}

#[test]
fn what_no_ledger_tracks_is_never_touched() {
    assert_eq!(blue(&watched(registered("1 8! 9").cluster("blue", "1", "1"))), "");
}

#[test]
fn another_clusters_targets_are_never_touched() {
    let world = registered("1 5").cluster("blue", "1", "1").cluster("green", "", "5");
    assert_eq!(blue(&world), "");
}

#[test]
fn what_another_binding_desires_and_tracks_is_handed_over_without_a_call() {
    let world = registered("1 5").cluster("blue", "1", "1 5").cluster("green", "5", "5");
    assert_eq!(blue(&world), "~5, [1 5] > [1]");
}

#[test]
fn what_another_binding_desires_and_does_not_track_is_contested_and_stays_in_our_ledger() {
    let world = registered("1 5").cluster("blue", "1", "1 5").cluster("green", "5", "");
    assert_eq!(blue(&world), "Deregister 5 Contested(green web/shop)");
}

#[test]
fn what_another_binding_gains_in_this_run_is_handed_over() {
    let world = registered("1 5").cluster("blue", "1", "1 5").cluster("green", "5", "");
    let both = planned(&world, &request(&["blue", "green"]));
    assert_eq!(describe(&both.bindings[0]), "~5, [1 5] > [1]");
    assert_eq!(describe(&both.bindings[1]), "[] > [5]");
}

#[test]
fn on_the_second_reading_only_a_ledger_that_was_really_written_counts() {
    let world = registered("1 5").cluster("blue", "1", "1 5").cluster("green", "5", "");
    let second = plan(&world.facts, &request(&["blue", "green"]), Pass::Second);
    assert_eq!(describe(&second.bindings[0]), "Deregister 5 Contested(green web/shop)");
}

#[test]
fn another_binding_that_is_being_deleted_desires_nothing() {
    let world = registered("1 5").cluster("blue", "1", "1 5").cluster("green", "5", "5");
    let world = world.with(|binding| binding.binding.deleted_at = Some(now()));
    assert_eq!(blue(&world), "-5, [1 5] > [1]");
}

#[test]
fn while_a_context_is_silent_only_an_address_that_is_proven_ours_goes() {
    let silent = || registered("1 3 4").cluster("blue", "1", "1 3 4").held("4").silent("green");
    assert_eq!(blue(&silent()), "-4, [1 3 4] > [1 3], Deregister 3 Silent(green)");
}

#[test]
fn a_hidden_namespace_silences_a_context() {
    let mut world = watched(registered("1 3").cluster("blue", "1", "1 3"));
    world.last().hidden.push(silence());
    assert_eq!(blue(&world), "Deregister 3 Silent(green)");
}

#[test]
fn a_binding_whose_endpoints_are_unread_silences_its_group() {
    let world = watched(registered("1 3").cluster("blue", "1", "1 3")).endpoints_unread();
    assert_eq!(blue(&world), "Deregister 3 Silent(green web/shop)");
}

#[test]
fn an_address_whose_holders_could_not_be_read_is_not_proven_ours() {
    let mut world = registered("1 3").cluster("blue", "1", "1 3");
    world.last().holders.insert("10.0.0.3".to_owned(), Err(silence()));
    assert_eq!(blue(&world.silent("green")), "Deregister 3 Silent(green)");
}

#[test]
fn while_the_owner_was_not_read_only_an_address_that_is_proven_ours_goes() {
    let owned = |narrowed| {
        let mut world = watched(registered("1 3").cluster("blue", "1", "1 3"));
        world.group().tags = Ok([("elbv2.k8s.aws/cluster".to_owned(), "owner".to_owned())].into());
        for cluster in &mut world.facts.clusters {
            cluster.eks_name = Some(format!("{}-eks", cluster.context));
        }
        world.facts.narrowed = narrowed;
        blue(&world)
    };
    assert_eq!(owned(false), "Deregister 3 Silent(owner)");
    assert_eq!(
        owned(true),
        "-3, [1 3] > [1]",
        "who narrows the reading set knows what they leave out"
    );
}

#[test]
fn alone_a_healthy_target_whose_address_nobody_here_holds_answers_elsewhere() {
    let alone = registered("1 3 4! 5").cluster("blue", "1", "1 3 4 5").held("5");
    assert_eq!(blue(&alone), "-4, -5, [1 3 4 5] > [1 3], Deregister 3 AnswersElsewhere");
}

#[test]
fn the_last_healthy_target_of_a_group_stays() {
    let world = || watched(registered("2 3 4!").cluster("blue", "1", "1 2 3 4"));
    assert_eq!(blue(&world()), "+1, -2, -4, [1 2 3 4] > [1 3], Deregister 3 LastHealthy");
    assert_eq!(
        blue_with(&world(), |request| request.allow_empty = true),
        "+1, -2, -3, -4, [1 2 3 4] > [1]"
    );
}

#[test]
fn the_last_healthy_target_is_counted_over_the_whole_run() {
    let world = registered("3 4").cluster("blue", "", "3").cluster("green", "", "4");
    let both = planned(&world, &request(&["blue", "green"]));
    assert_eq!(describe(&both.bindings[0]), "-3, [3] > []");
    assert_eq!(describe(&both.bindings[1]), "Deregister 4 LastHealthy");
}

#[test]
fn over_the_cap_nothing_of_the_binding_goes() {
    let world = || watched(registered("1 2 3 4 5!").cluster("blue", "1 2", "1 2 3 4 5"));
    let withheld = "Deregister 3 Cap, Deregister 4 Cap, Deregister 5 Cap";
    assert_eq!(
        blue_with(&world(), |request| request.max_deregister = Some(Cap::Count(1))),
        withheld
    );
    assert_eq!(
        blue_with(&world(), |request| request.max_deregister = Some(Cap::Percent(39))),
        withheld
    );
    let within = "-3, -4, -5, [1 2 3 4 5] > [1 2]";
    assert_eq!(
        blue_with(&world(), |request| request.max_deregister = Some(Cap::Count(2))),
        within,
        "5 serves nobody"
    );
    assert_eq!(
        blue_with(&world(), |request| request.max_deregister = Some(Cap::Percent(40))),
        within
    );
}

#[test]
fn without_a_yes_nothing_is_deregistered_and_the_rest_is_done() {
    let world = watched(registered("1 3").cluster("blue", "1 2", "1 3"));
    let plan = blue_with(&world, |request| request.may_deregister = false);
    assert_eq!(plan, "+2, [1 3] > [1 2 3], Deregister 3 NeedsYes");
}

#[test]
fn without_its_service_a_binding_gives_up_what_it_tracks_and_then_its_ledger() {
    let missing = |binding: &mut crate::facts::BindingFacts| {
        binding.endpoints = Err(Unresolved::ServiceMissing("shop".to_owned()));
    };
    let world = watched(registered("3 9").cluster("blue", "", "3").with(missing));
    assert_eq!(blue(&world), "-3, [3] > none");
    let without_ledger = watched(registered("3").cluster("blue", "", None).with(missing));
    assert_eq!(blue(&without_ledger), "", "no ledger is made for it");
    let kept = registered("3 9").cluster("blue", "", "3").with(missing).silent("green");
    assert_eq!(blue(&kept), "Deregister 3 Silent(green)", "the guards hold, and the ledger stays");
}

#[test]
fn a_binding_that_is_being_deleted_loses_its_finalizer_last() {
    let deleted = |binding: &mut crate::facts::BindingFacts| {
        binding.binding.deleted_at = Some(now());
        binding.binding.has_finalizer = true;
    };
    let world = watched(registered("1 3 9").cluster("blue", "1", "1 3").with(deleted));
    assert_eq!(blue(&world), "-1, -3, [1 3] > none, finalizer goes");
    let withheld =
        registered("1 3 9").cluster("blue", "1", "1 3").held("1").with(deleted).silent("green");
    assert_eq!(
        blue(&withheld),
        "-1, [1 3] > [3], Deregister 3 Silent(green)",
        "not while a target is left"
    );
    let without_ledger = watched(registered("9").cluster("blue", "", None).with(deleted));
    assert_eq!(blue(&without_ledger), "finalizer goes");
}

#[test]
fn what_is_not_known_changes_nothing() {
    let blue_world = || watched(registered("1 3").cluster("blue", "1 2", "1 3"));
    type Break = fn(&mut crate::facts::BindingFacts);
    let cases: [(Break, &str); 5] = [
        (
            |b| b.endpoints = Err(Unresolved::Silent(silence())),
            "failed: its endpoints could not be read in full: no answer in 10 s",
        ),
        (
            |b| b.endpoints = Err(Unresolved::NoNodePorts("shop".to_owned())),
            "failed: service `shop` is neither of type NodePort nor LoadBalancer",
        ),
        (
            |b| b.ledger = Err(LedgerFault::Silent(silence())),
            "failed: its ledger could not be read: no answer in 10 s",
        ),
        (
            |b| {
                let source = InvalidLedger { entry: "hello".to_owned() };
                b.ledger = Err(LedgerFault::Invalid { configmap: "cm".to_owned(), source });
            },
            "failed: the ledger `cm` holds an entry that is no target: `hello` is no `id:port`",
        ),
        (
            |b| b.ledger = Err(LedgerFault::Immutable { configmap: "cm".to_owned() }),
            "failed: the ConfigMap `cm` is immutable",
        ),
    ];
    for (break_it, expected) in cases {
        let mut world = blue_world();
        break_it(&mut world.facts.clusters[0].bindings.as_mut().unwrap()[0]);
        assert_eq!(blue(&world), expected);
    }
    let mut unread = blue_world();
    unread.group().targets = Err(silence());
    assert_eq!(
        blue(&unread),
        "failed: the targets of its group could not be read: no answer in 10 s"
    );
}

#[test]
fn what_the_group_cannot_take_is_tracked_and_not_registered() {
    let world = watched(registered("").cluster("blue", "1", None).with(|binding| {
        let endpoints = binding.endpoints.as_mut().unwrap();
        endpoints.desired.get_mut(&target("1")).unwrap().unregistrable =
            Some(Unregistrable::NoQuicServerId);
    }));
    assert_eq!(blue(&world), "none > [1], Register 1 Unregistrable");
}

#[test]
fn a_ledger_over_the_limit_fails_before_anything_is_registered() {
    let world = watched(registered("").cluster("blue", "1", None).with(|binding| {
        let endpoints = binding.endpoints.as_mut().unwrap();
        let one = endpoints.desired[&target("1")].clone();
        let many = (0..70_000).map(|i| {
            (Target::new(format!("10.{}.{}.{}", i >> 16, i >> 8 & 255, i & 255), 80), one.clone())
        });
        endpoints.desired = many.collect();
    }));
    let plan = &planned(&world, &request(&["blue"])).bindings[0];
    assert!(plan.is_empty());
    assert!(describe(plan).starts_with("failed: its ledger would take "), "{}", describe(plan));
}

#[test]
fn exclusive_bindings_and_those_of_auto_mode_are_left_alone() {
    let exclusive = watched(registered("3").cluster("blue", "1", "3"));
    let exclusive = |change: fn(&mut crate::binding::Binding)| {
        let mut world = World { facts: exclusive.facts.clone() };
        change(&mut world.facts.clusters[0].bindings.as_mut().unwrap()[0].binding);
        blue(&world)
    };
    let off = exclusive(|binding| binding.spec.multi_cluster_target_group = false);
    assert_eq!(off, "skipped: it is exclusive: its flag multiClusterTargetGroup is off");
    let auto_mode = exclusive(|binding| binding.flavour = crate::binding::Flavour::AutoMode);
    assert_eq!(auto_mode, "skipped: it is EKS Auto Mode's: read and reported, never written");
}

#[test]
fn directly_beside_a_controller_needs_force() {
    let world = || watched(registered("").cluster("blue", "1", "1").controller(Aliveness::Alive));
    let direct = |request: &mut Request| request.via = ViaChoice::Direct;
    assert_eq!(
        blue_with(&world(), direct),
        "deferred, Register 1 Deferred(aws-load-balancer-controller)"
    );
    let forced = |request: &mut Request| {
        direct(request);
        request.force = true;
    };
    assert_eq!(blue_with(&world(), forced), "+1");
}

#[test]
fn only_chosen_bindings_of_the_contexts_to_write_to_are_planned_for() {
    let world = registered("")
        .cluster("blue", "1", "1")
        .binding("cart", "2", "2")
        .cluster("green", "3", "3");
    let names = Selection::parse_names(&["tgb/cart".to_owned()]).unwrap();
    let plan = planned(
        &world,
        &Request { selection: Selection { names, ..Selection::default() }, ..request(&["blue"]) },
    );
    assert_eq!(plan.bindings.len(), 1);
    assert_eq!(describe(&plan.bindings[0]), "+2");
}

#[test]
fn what_was_not_shown_is_not_taken_out() {
    let shown =
        planned(&watched(registered("1 3").cluster("blue", "1", "1 3")), &request(&["blue"]));
    let later = watched(registered("1 3 4").cluster("blue", "1", "1 3 4"));
    let mut plan = planned(&later, &request(&["blue"]));
    plan.narrow_to(&shown);
    assert_eq!(describe(&plan.bindings[0]), "-3, [1 3 4] > [1 4], Deregister 4 Changed");
}

#[test]
fn the_second_half_takes_out_only_what_both_readings_do_and_keeps_the_rest_tracked() {
    let first =
        planned(&watched(registered("1 3 4").cluster("blue", "1 2", "1 3 4")), &request(&["blue"]));
    // Meanwhile 4 is an endpoint again, and 5 was tracked and left.
    let later = watched(registered("1 2? 3 4 5").cluster("blue", "1 2 4", "1 2 3 4 5"));
    let second = plan(&later.facts, &request(&["blue"]), Pass::Second);
    let finish = finish(&first.bindings[0], &second.bindings[0]).unwrap();
    assert_eq!(words(finish.deregister.iter().map(|listed| &listed.target)), "3");
    assert_eq!(finish.ledger_after(&targets("3")), Some(targets("1 2 4 5")));
    assert_eq!(
        finish.ledger_after(&targets("")),
        Some(targets("1 2 3 4 5")),
        "what failed to go stays tracked"
    );
}

#[test]
fn the_second_half_acts_on_nothing_that_can_no_longer_be_acted_on() {
    let first =
        planned(&watched(registered("1 3").cluster("blue", "1", "1 3")), &request(&["blue"]));
    let unread = watched(registered("1 3").cluster("blue", "1", "1 3").endpoints_unread());
    let second = plan(&unread.facts, &request(&["blue"]), Pass::Second);
    assert_eq!(finish(&first.bindings[0], &second.bindings[0]), None);
}

#[test]
fn what_somebody_else_put_into_the_ledger_in_between_stays() {
    let first = planned(&watched(registered("1").cluster("blue", "1", "1 9")), &request(&["blue"]));
    let later = watched(registered("1").cluster("blue", "1", "1 8 9"));
    let second = plan(&later.facts, &request(&["blue"]), Pass::Second);
    let finish = finish(&first.bindings[0], &second.bindings[0]).unwrap();
    assert_eq!(finish.ledger_after(&targets("")), Some(targets("1 8")), "8 may be on its way");
}

#[test]
fn a_phantom_that_is_anothers_live_target_by_now_is_handed_over_at_once() {
    let facts = |listed| registered(listed).cluster("blue", "1", "1 5").cluster("green", "5", "5");
    let first = planned(&facts("1"), &request(&["blue"]));
    let second = plan(&facts("1 5").facts, &request(&["blue"]), Pass::Second);
    let finish = finish(&first.bindings[0], &second.bindings[0]).unwrap();
    assert_eq!(finish.ledger_after(&targets("")), Some(targets("1")));
}

#[test]
fn who_holds_an_address_proves_nothing_while_a_binding_of_the_same_cluster_is_unread() {
    let world = registered("1 3")
        .cluster("blue", "1", "1 3")
        .held("3")
        .binding("other", "", "")
        .endpoints_unread();
    let world = watched(world);
    let plan = planned(&world, &request(&["blue"]));
    let waits = plan.bindings.iter().find(|plan| plan.binding.name == "shop").map(describe);
    assert_eq!(waits.unwrap(), "Deregister 3 Silent(blue web/other)");
}

#[test]
fn while_namespaces_are_hidden_only_pods_of_the_bindings_own_prove_an_address() {
    let hidden = |namespace: &str| {
        let mut world = registered("1 3").cluster("blue", "1", "1 3").held("3");
        world.last().hidden.push(silence());
        for holder in world.last().holders.values_mut().flatten().flatten() {
            if let crate::facts::Holder::Pod(pod) = holder {
                pod.name.namespace = namespace.to_owned();
            }
        }
        blue(&watched(world))
    };
    assert_eq!(hidden("web"), "-3, [1 3] > [1]");
    assert_eq!(hidden("elsewhere"), "Deregister 3 Silent(blue)");
}

#[test]
fn a_binding_by_name_whose_group_is_not_known_may_desire_what_this_group_lists() {
    let by_name = |name: &str, group: crate::facts::Silence| {
        let name = name.to_owned();
        let world = registered("1 3").cluster("blue", "1", "1 3").cluster("green", "", "");
        blue(&world.with(move |binding| {
            binding.binding.spec.target_group_arn = String::new();
            binding.binding.spec.target_group_name = name;
            binding.group = Err(group);
        }))
    };
    let group = crate::testing::arn();
    assert_eq!(by_name(group.name(), silence()), "Deregister 3 Silent(green web/shop)");
    assert_eq!(by_name("another", silence()), "-3, [1 3] > [1]");
}

#[test]
fn a_target_that_two_bindings_let_go_of_counts_once() {
    let world = registered("1 3").cluster("blue", "1", "1 3").binding("other", "", "3").held("3");
    let plan = planned(&watched(world), &request(&["blue"]));
    let plans: Vec<String> = plan.bindings.iter().map(describe).collect();
    assert_eq!(plans, ["-3, [3] > []", "-3, [1 3] > [1]"]);
}
