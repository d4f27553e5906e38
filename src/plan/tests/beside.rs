//! The rules of `product.md` 6.2: beside a controller.

use super::*;
use crate::facts::Difference;

const LBC: &str = "(aws-load-balancer-controller)";

/// Blue beside a live controller that is through with what it wants and tracks, and a second cluster
/// that is read and wants nothing.
fn alive(listed: &str, desired: &str, tracked: impl Into<Option<&'static str>>) -> World {
    registered(listed).cluster("blue", desired, tracked).controller(Aliveness::Alive).checkpoint()
}

fn cap(request: &mut Request) {
    request.max_deregister = Some(Cap::Count(1));
}

fn obstacle(world: &World) -> String {
    let plan = planned(world, &request(&["blue"])).bindings.remove(0);
    plan.obstacle.unwrap_or_default()
}

#[test]
fn what_is_missing_tracked_and_covered_by_a_current_checkpoint_is_registered_directly() {
    assert_eq!(blue(&watched(alive("1", "1 2", "1 2"))), "+2");
}

#[test]
fn the_rest_is_the_controllers_which_is_nudged() {
    let world = watched(alive("1 3", "1 2 4", "1 2 3"));
    assert_eq!(blue(&world), "+2, nudge +[4] -[3]");
}

#[test]
fn a_binding_that_no_controller_has_seen_yet_is_nudged_by_an_empty_checkpoint() {
    let world = registered("").cluster("blue", "1", None).controller(Aliveness::Alive);
    assert_eq!(blue(&watched(world)), "first nudge +[1] -[]");
}

#[test]
fn without_a_current_checkpoint_nothing_is_registered_past_the_controller() {
    let world = registered("1").cluster("blue", "1 2", "1 2").controller(Aliveness::Alive);
    assert_eq!(blue(&watched(world)), "first nudge +[2] -[]");
}

#[test]
fn via_controller_everything_is_a_nudge() {
    let controller = |request: &mut Request| request.via = ViaChoice::Controller;
    assert_eq!(blue_with(&watched(alive("1 3", "1 2", "1 2 3")), controller), "nudge +[2] -[3]");
    let absent = watched(registered("").cluster("blue", "1", "1"));
    assert_eq!(blue_with(&absent, controller), format!("deferred, Register 1 Deferred{LBC}"));
}

#[test]
fn a_controller_that_may_be_at_work_is_not_nudged() {
    let world =
        registered("3").cluster("blue", "1 2", "1 3").controller(Aliveness::Unknown).checkpoint();
    let world = watched(world);
    assert_eq!(
        blue(&world),
        format!(
            "+1, WriteLedger 2 Deferred{LBC}, Register 2 Deferred{LBC}, Deregister 3 Deferred{LBC}"
        )
    );
    assert_eq!(obstacle(&world), "whether its controller is at work is not known");
}

#[test]
fn a_young_difference_is_left_to_a_live_controller() {
    let world = watched(alive("3", "1", "1 3").with(|binding| {
        binding.binding.changed_at = Some(now());
    }));
    assert_eq!(blue(&world), "Register 1 Pending, Deregister 3 Pending");
}

#[test]
fn the_controllers_own_limit_is_kept_and_what_it_leaves_out_is_deferred() {
    let limited = |limit| {
        let world = alive("1", "1 2 3", "1 2 3").with_controller(|c| c.max_targets = Some(limit));
        blue(&watched(world))
    };
    assert_eq!(limited(3), "+2, +3");
    assert_eq!(limited(2), format!("+2, Register 3 Deferred{LBC}"));
    // A pass goes by the same limit.
    let world = alive("1", "1 2 3", "1").with_controller(|c| c.max_targets = Some(2));
    assert_eq!(blue(&watched(world)), format!("nudge +[2] -[], Register 3 Deferred{LBC}"));
}

#[test]
fn nothing_is_registered_past_a_controller_that_was_at_the_group_lately() {
    let at = |seconds_ago: i64| {
        let world = alive("1", "1 2", "1 2").binding("cart", "1", "1").with(|binding| {
            let written = (now().as_second() - seconds_ago).to_string();
            let key = crate::binding::CHECKPOINT_TIME_ANNOTATION.to_owned();
            binding.binding.annotations.insert(key, written);
        });
        let mut plan = planned(&watched(world), &request(&["blue"]));
        describe(&plan.bindings.remove(1))
    };
    assert_eq!(at(299), "nudge +[2] -[]");
    assert_eq!(at(300), "+2");
}

#[test]
fn a_ledger_that_somebody_else_wrote_since_the_controller_leads_is_beyond_it() {
    let written = |seconds_ago: i64| {
        let earlier =
            move |ago: i64| jiff::Timestamp::from_second(now().as_second() - ago).unwrap();
        watched(
            alive("1 3", "1 2", "1 2 3")
                .with_controller(|controller| controller.leads_since = Some(earlier(3600)))
                .with(|binding| {
                    let ledger = binding.ledger.as_mut().unwrap().as_mut().unwrap();
                    ledger.foreign_write_at = Some(earlier(seconds_ago));
                }),
        )
    };
    assert_eq!(blue(&written(3601)), "+2, nudge +[] -[3]");
    let deferred = format!("Register 2 Deferred{LBC}, Deregister 3 Deferred{LBC}");
    assert_eq!(blue(&written(3600)), deferred);
    assert!(obstacle(&written(0)).contains("written by somebody else"));
}

#[test]
fn a_ledger_that_an_old_controller_cannot_tell_from_another_is_beyond_it() {
    let named_alike = |namespace: &str, version: Option<&str>| {
        let mut world = alive("1 3", "1 2", "1 2 3")
            .with_controller(|controller| controller.version = version.map(str::to_owned))
            .with(|binding| binding.binding.name = "a-shop".to_owned());
        let own = world.last().bindings().next().unwrap().binding.clone();
        let mut other = own.clone();
        (other.namespace, other.name) = (namespace.to_owned(), "shop".to_owned());
        world.last().namesakes = crate::ledger::namesakes([&own, &other].into_iter());
        watched(world)
    };
    let deferred = format!("Register 2 Deferred{LBC}, Deregister 3 Deferred{LBC}");
    for version in [Some("v3.4.3"), None] {
        assert_eq!(blue(&named_alike("web-a", version)), deferred);
        let told = obstacle(&named_alike("web-a", version));
        assert!(told.contains("web-a/shop") && told.ends_with("to v3.5.0"), "{told}");
    }
    assert_eq!(blue(&named_alike("web-a", Some("v3.5.0"))), "+2, nudge +[] -[3]");
    assert_eq!(blue(&named_alike("web-b", Some("v3.4.3"))), "+2, nudge +[] -[3]");
}

#[test]
fn differences_of_the_ledger_alone_are_beyond_a_nudge() {
    // 2 is untracked, 9 a phantom.
    let world = watched(alive("1 2", "1 2", "1 9"));
    assert_eq!(blue(&world), format!("WriteLedger 2 Deferred{LBC}, WriteLedger 9 Deferred{LBC}"));
    // A pass that registers or deregisters writes the ledger too.
    let world = watched(alive("1 2 3", "1 2", "1 3 9"));
    assert_eq!(blue(&world), "nudge +[] -[3]");
}

#[test]
fn a_lost_ledger_is_beyond_a_nudge() {
    let world = watched(alive("1", "1 2", None));
    assert_eq!(
        blue(&world),
        format!(
            "WriteLedger 1 Deferred{LBC}, WriteLedger 2 Deferred{LBC}, Register 2 Deferred{LBC}"
        )
    );
    assert!(obstacle(&world).starts_with("its ledger is lost"));
}

#[test]
fn a_controller_that_may_find_other_endpoints_is_nudged_only_if_its_checkpoint_proves_it_does_not()
{
    let old = |world: World| {
        watched(world.with_controller(|controller| {
            controller.differs =
                vec![Difference { target_type: None, how: "it is old".to_owned() }];
        }))
    };
    assert_eq!(blue(&old(alive("1 3", "1", "1 3"))), "nudge +[] -[3]");
    let unproven = old(registered("1 3").cluster("blue", "1", "1 3").controller(Aliveness::Alive));
    assert_eq!(blue(&unproven), format!("Deregister 3 Deferred{LBC}"));
    assert_eq!(obstacle(&unproven), "its controller may find other endpoints: it is old");
}

#[test]
fn a_nudge_is_withheld_where_its_pass_would_take_out_what_another_cluster_wants() {
    let world = || alive("1 3", "1 2", "1 3");
    // Whether the other one tracks it or not: the controller cannot know.
    for tracked in ["", "3"] {
        assert_eq!(
            blue(&world().cluster("green", "3", tracked)),
            format!(
                "WriteLedger 2 Deferred{LBC}, Register 2 Deferred{LBC}, \
                 Nudge 3 Contested(green web/shop)"
            )
        );
    }
}

#[test]
fn a_nudge_is_withheld_while_its_ledger_names_what_another_cluster_is_about_to_register() {
    let world = alive("1", "1 2", "1 9").cluster("green", "9", "9");
    assert!(blue(&world).ends_with("Nudge 9 Contested(green web/shop)"));
}

#[test]
fn a_nudge_is_withheld_while_somebody_who_may_want_what_goes_is_silent() {
    let world = alive("1 3", "1", "1 3").silent("green");
    assert_eq!(blue(&world), "Nudge 3 Silent(green)");
}

#[test]
fn a_nudge_is_withheld_above_the_cap_at_the_floor_and_without_a_yes() {
    let over = watched(alive("1 3 5", "1", "1 3 5"));
    assert_eq!(blue_with(&over, cap), "Nudge 3 Cap, Nudge 5 Cap");
    let last = watched(alive("3", "1", "1 3"));
    assert_eq!(blue(&last), "+1, Nudge 3 LastHealthy");
    let unasked = |request: &mut Request| request.may_deregister = false;
    let world = watched(alive("1 3", "1 2", "1 2 3"));
    assert_eq!(blue_with(&world, unasked), "+2, Nudge 3 NeedsYes");
    // A pass that takes nothing out needs no yes.
    let world = watched(alive("1", "1 2", "1"));
    assert_eq!(blue_with(&world, unasked), "nudge +[2] -[]");
}

#[test]
fn a_nudge_is_withheld_where_the_pass_would_forget_what_is_still_registered() {
    let mut world = watched(alive("1 3", "1 2", "1 3"));
    world.group().targets.as_mut().unwrap()[1].health.state = HealthState::UnhealthyDraining;
    assert!(blue(&world).contains("Nudge 3 Deferred"), "{}", blue(&world));
}

#[test]
fn a_clean_up_is_predicted_like_a_pass() {
    let world = |held: &str| {
        let deleted = alive("1 3", "", "1 9").with(|binding| {
            binding.binding.deleted_at = Some("2026-01-01T00:00:00Z".parse().unwrap());
        });
        deleted.cluster("green", held, "")
    };
    assert_eq!(blue(&world("3")), "nudge +[] -[1]");
    assert!(blue(&world("1 3")).contains("Nudge 1 Contested(green web/shop)"));
}

#[test]
fn a_nudge_whose_pass_takes_out_what_was_not_shown_is_withheld() {
    let shown = planned(&watched(alive("1 3", "1", "1 3")), &request(&["blue"]));
    let mut plan = planned(&watched(alive("1 3 4", "1 2", "1 3 4")), &request(&["blue"]));
    plan.narrow_to(&shown);
    let told = describe(&plan.bindings[0]);
    assert!(told.contains("Nudge 4 Changed") && !told.contains("nudge +"), "{told}");
}
