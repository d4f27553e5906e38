//! The order of a pass, and its calls (`facts/lbc.md` 4).

use super::*;
use crate::binding::FINALIZER;
use crate::sim::elbv2::NewGroup;
use crate::sim::faults::Strikes;

#[test]
fn the_finalizer_comes_first() {
    let mut stage = Stage::new();
    let calls = stage.run();
    assert_eq!(
        calls,
        [
            "PatchTargetGroupBinding",
            "DescribeTargetHealth",
            "UpdateConfigMap",
            "CreateConfigMap",
            "DescribeVpcs",
            "RegisterTargets",
            "PatchTargetGroupBinding",
        ],
        "{FINALIZER}"
    );
    assert!(stage.state(|s| s.binding_mut("web", "shop-http").unwrap().has_finalizer));
}

#[test]
fn a_draining_target_with_an_endpoint_is_registered_again() {
    let mut stage = Stage::new();
    stage.register(A);
    stage.lose(A);
    stage.run();
    assert_eq!(stage.registered(), [A, B]);
}

#[test]
fn a_draining_target_without_an_endpoint_is_not_deregistered_again() {
    let mut stage = Stage::settled();
    stage.remove_pod(A);
    stage.lose(A);
    stage.wait(299);
    let calls = stage.force();
    assert!(!calls.contains(&"DeregisterTargets".to_owned()), "{calls:?}");
}

#[test]
fn a_target_is_deregistered_with_the_zone_it_was_listed_with() {
    let mut stage = Stage::new();
    stage.add_pod("192.168.7.7");
    stage.run();
    assert_eq!(stage.registered(), [A, B, "192.168.7.7"]);
    stage.remove_pod("192.168.7.7");
    stage.wait(300);
    stage.run();
    // The model takes a deregistration for another target's where the zone is not `all`.
    assert_eq!(stage.registered(), [A, B]);
}

#[test]
fn an_address_outside_the_vpc_is_registered_with_the_zone_all() {
    let mut stage = Stage::new();
    stage.add_pod("192.168.7.7");
    stage.run();
    let listed = stage.model(|m| m.describe_target_health(stage.group.as_str(), &[])).unwrap();
    let zones: Vec<_> =
        listed.iter().map(|it| it.description.availability_zone.as_deref().unwrap()).collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1b", "all"]);
}

#[test]
fn where_the_zone_all_is_refused_the_nodes_zone_is_taken_and_remembered() {
    let mut stage = Stage::new();
    stage.model(|m| m.edit_group(&stage.group, |group| group.refuses_all_zones = true));
    stage.state(|state| {
        let node = state.nodes.keys().next().cloned();
        state.add_pod_on("web", "shop", "192.168.7.7", node.as_deref());
        state.add_pod_on("web", "shop", "192.168.7.8", node.as_deref());
    });
    let registrations =
        |calls: Vec<String>| calls.iter().filter(|call| *call == "RegisterTargets").count();
    let calls = stage.run();
    assert_eq!(registrations(calls), 2);
    assert_eq!(stage.registered(), [A, B, "192.168.7.7", "192.168.7.8"]);
    stage.lose("192.168.7.7");
    let calls = stage.force_seeing();
    assert_eq!(registrations(calls), 1);
}

#[test]
fn calls_carry_two_hundred_targets_at_most() {
    let mut stage = Stage::new();
    for number in 0..400 {
        stage.add_pod(&format!("10.0.{}.{}", 20 + number / 200, 20 + number % 200));
    }
    let calls = stage.run();
    assert_eq!(calls.iter().filter(|call| *call == "RegisterTargets").count(), 3);
    assert_eq!(stage.registered().len(), 402);
    stage.state(|state| state.pods.clear());
    stage.wait(300);
    let calls = stage.run();
    assert_eq!(calls.iter().filter(|call| *call == "DeregisterTargets").count(), 3);
    assert_eq!(stage.registered(), [""; 0]);
}

#[test]
fn of_too_many_endpoints_the_first_by_identifier_are_taken_and_that_is_a_success() {
    let mut stage = Stage::with_flags(|flags| flags.max_targets = Some(3));
    stage.register(FOREIGN);
    stage.add_pod("10.0.0.2");
    stage.run();
    // Text order: 10.0.0.11 before 10.0.0.2.
    assert_eq!(stage.registered(), [A, "10.0.0.2", FOREIGN]);
    assert_eq!(stage.ledger().unwrap(), [A, "10.0.0.2", B], "with what was left out");
    assert!(stage.has_current_checkpoint());
    stage.lose(FOREIGN);
    stage.wait(300);
    stage.run();
    assert_eq!(stage.registered(), [A, "10.0.0.2"], "nothing makes it come back");
}

#[test]
fn a_group_beyond_the_limit_fails_every_pass_that_would_register() {
    let mut stage = Stage::with_flags(|flags| flags.max_targets = Some(1));
    stage.register(FOREIGN);
    stage.register("10.0.128.98");
    stage.run();
    assert_eq!(stage.ended().unwrap_err().code, "panic");
    assert_eq!(stage.registered(), ["10.0.128.98", FOREIGN]);
    assert_eq!(stage.ledger().unwrap(), [A, B]);
}

#[test]
fn instances_are_registered_by_node_port_and_without_a_zone() {
    let mut stage = Stage::new();
    let group = stage
        .model(|model| model.create_target_group(&NewGroup::new("nodes", VPC).instance()))
        .unwrap();
    stage.state(|s| s.bind(&NewBinding::new("web", "nodes", "shop", &group).instance()));
    stage.run();
    assert_eq!(stage.world.registered(&group).len(), 3);
    let node = stage.state(|state| state.nodes.keys().next().cloned()).unwrap();
    stage.state(|state| state.nodes.remove(&node));
    stage.wait(300);
    stage.run();
    assert_eq!(stage.world.registered(&group).len(), 2, "a node woke it");
}

#[test]
fn a_service_that_has_no_node_ports_fails_and_leaves_targets_as_they_are() {
    let mut stage = Stage::new();
    let group = stage
        .model(|model| model.create_target_group(&NewGroup::new("nodes", VPC).instance()))
        .unwrap();
    stage.state(|s| s.bind(&NewBinding::new("web", "nodes", "shop", &group).instance()));
    stage.run();
    stage.worker.worked();
    stage.state(|state| {
        let service = state.services.get_mut("web/shop").unwrap();
        service.service.kind = crate::endpoints::ServiceType::ClusterIP;
    });
    stage.worker.controller().wake("web", "nodes", stage.world.now());
    assert_eq!(stage.run(), [""; 0]);
    assert_eq!(stage.ended().unwrap_err().code, "Unresolved");
    assert_eq!(stage.world.registered(&group).len(), 3);
}

#[test]
fn a_quic_pod_without_a_server_id_is_tracked_and_not_registered() {
    let mut stage = Stage::new();
    let group = stage
        .model(|model| model.create_target_group(&NewGroup::new("quic", VPC).protocol("QUIC")))
        .unwrap();
    stage.state(|state| {
        let mut new = NewBinding::new("web", "quic", "shop", &group);
        new.spec.target_group_protocol = Some("QUIC".to_owned());
        state.bind(&new);
        let pod = &mut state.pod_at(A).unwrap().pod;
        pod.quic_enabled = true;
        pod.containers = vec![crate::endpoints::Container {
            ports: vec![8080],
            quic_server_id: Some("AAAAAAAAAKs=".to_owned()),
        }];
    });
    stage.run();
    assert_eq!(stage.world.registered(&group), [format!("{A}:8080:0x00000000000000ab")]);
    let text = stage.state(|s| s.ledger_text("web", "aws-lbc-targets-quic").unwrap().to_owned());
    assert!(text.contains(&format!("{B}:8080")), "{text}");
}

#[test]
fn a_pass_that_fails_is_tried_again_later_and_later() {
    let mut stage = Stage::new();
    stage.state(|state| {
        let spec = &mut state.binding_mut("web", "shop-http").unwrap().spec;
        spec.target_group_arn = spec.target_group_arn.replace("shop", "gone");
    });
    let pause = |stage: &Stage| {
        stage.worker.controller().due().duration_since(stage.world.now()).as_millis()
    };
    stage.run();
    assert_eq!(stage.ended().unwrap_err().code, "TargetGroupNotFound");
    let mut pauses = vec![pause(&stage)];
    for _ in 0..20 {
        let due = stage.worker.controller().due();
        stage.world.advance_to(due);
        stage.run();
        pauses.push(pause(&stage));
    }
    assert_eq!(pauses[..4], [10, 20, 40, 80], "its finalizer woke it once more");
    assert_eq!(pauses.last(), Some(&1_000_000));
}

/// The world as it is right for two pods, one of which came and one of which went.
fn is_right(stage: &Stage) -> bool {
    stage.registered() == ["10.0.0.12", B] && stage.ledger().unwrap() == ["10.0.0.12", B]
}

#[test]
fn killed_between_any_two_calls_it_is_right_after_the_next_start() {
    for calls in 0..9 {
        let mut stage = Stage::settled();
        stage.remove_pod(A);
        stage.add_pod("10.0.0.12");
        stage.wait(300);
        for _ in 0..calls {
            stage.worker.step();
        }
        stage.worker.restart();
        stage.run();
        assert!(is_right(&stage), "after {calls} calls");
        assert!(stage.has_current_checkpoint());
    }
}

#[test]
fn whatever_reply_is_lost_it_is_right_in_the_end() {
    for strikes in [Strikes::BeforeEffect, Strikes::AfterEffect] {
        for call in 0..7 {
            let mut stage = Stage::settled();
            stage.remove_pod(A);
            stage.add_pod("10.0.0.12");
            stage.wait(300);
            stage.worker.steps().lose(call, strikes);
            stage.run();
            stage.wait(1);
            stage.run();
            assert!(is_right(&stage), "{call} {strikes:?}");
        }
    }
}

#[test]
fn two_controllers_step_in_each_others_passes_and_keep_each_others_targets() {
    let mut stage = Stage::new();
    let green = stage.world.add_cluster("green");
    green.share("web", "shop", &["10.0.0.21"], &stage.group);
    let mut other = Worker::start(&green, &stage.world.load_balancers(), Flags::new(VPC));
    while stage.worker.step() | other.step() {}
    assert_eq!(stage.registered(), [A, "10.0.0.21", B]);
    stage.remove_pod(A);
    green.with(|state| state.remove_pod_at("10.0.0.21"));
    stage.wait(300);
    while stage.worker.step() | other.step() {}
    assert_eq!(stage.registered(), [B]);
}
