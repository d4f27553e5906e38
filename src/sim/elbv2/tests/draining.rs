//! Identity, idempotency and draining (`facts/elbv2.md` 1.3, 2.2).

use super::*;

#[test]
fn identity_is_id_and_port_1_3() {
    let mut region = region();
    region
        .register(&[TargetRequest::new("10.0.0.1", 80), TargetRequest::new("10.0.0.1", 81)])
        .unwrap();
    region.deregister(&[TargetRequest::new("10.0.0.1", 80)]).unwrap();
    let states = [
        "10.0.0.1:80 us-east-1a draining Target.DeregistrationInProgress",
        "10.0.0.1:81 us-east-1a initial Elb.RegistrationInProgress",
    ];
    assert_eq!(region.listed(), states);
}

#[test]
fn a_port_that_is_not_named_is_the_groups_1_3() {
    let mut region = region();
    region
        .register(&[TargetRequest { id: "10.0.0.1".to_owned(), ..TargetRequest::default() }])
        .unwrap();
    assert_eq!(region.listed(), ["10.0.0.1:80 us-east-1a initial Elb.RegistrationInProgress"]);
}

#[test]
fn registering_once_more_has_no_effect_1_3() {
    let mut region = region();
    region.register(&[at("10.0.0.1")]).unwrap();
    region.advance(90);
    region.register(&[at("10.0.0.1"), at("10.0.0.1")]).unwrap();
    assert_eq!(region.listed(), ["10.0.0.1:8080 us-east-1a healthy"]);
}

#[test]
fn deregistering_what_is_not_there_succeeds_1_3() {
    let mut region = region();
    region.register(&[at("10.0.0.1")]).unwrap();
    let before = region.model.clone();
    region.deregister(&[at("10.0.0.2")]).unwrap();
    assert_eq!(region.model, before);
}

#[test]
fn deregistering_with_another_port_changes_nothing_1_3() {
    let mut region = region();
    region.register(&[at("10.0.0.1")]).unwrap();
    let before = region.model.clone();
    region.deregister(&[TargetRequest::new("10.0.0.1", 8081)]).unwrap();
    region.deregister(&[TargetRequest { port: None, ..at("10.0.0.1") }]).unwrap();
    assert_eq!(region.model, before);
}

#[test]
fn a_zone_takes_part_in_look_ups_1_3() {
    let mut region = region();
    region.register(&[at("10.0.0.1")]).unwrap();
    assert_eq!(
        region.asked(&[at("10.0.0.1").zone("us-east-1b")]),
        ["10.0.0.1:8080 us-east-1b unused Target.NotRegistered"]
    );
    region.deregister(&[at("10.0.0.1").zone("us-east-1b")]).unwrap();
    assert_eq!(region.states(), [HealthState::Initial]);
    region.deregister(&[at("10.0.0.1").zone("us-east-1a")]).unwrap();
    assert_eq!(region.states(), [HealthState::Draining]);
}

#[test]
fn a_draining_target_leaves_after_the_groups_delay_2_2() {
    let mut region = region();
    region.attribute("deregistration_delay.timeout_seconds", "120");
    region.register(&[at("10.0.0.1")]).unwrap();
    region.deregister(&[at("10.0.0.1")]).unwrap();
    region.advance(119);
    assert_eq!(region.states(), [HealthState::Draining]);
    region.deregister(&[at("10.0.0.1")]).unwrap();
    region.advance(1);
    assert_eq!(region.states(), [], "a second call does not start the delay anew");
}

#[test]
fn the_delay_is_300_seconds_by_default_and_may_be_none_2_2() {
    let mut region = region();
    region.register(&[at("10.0.0.1"), at("10.0.0.2")]).unwrap();
    region.deregister(&[at("10.0.0.1")]).unwrap();
    region.advance(299);
    assert_eq!(region.states(), [HealthState::Draining, HealthState::Healthy]);
    region.advance(1);
    assert_eq!(region.states(), [HealthState::Healthy]);
    region.attribute("deregistration_delay.timeout_seconds", "0");
    region.deregister(&[at("10.0.0.2")]).unwrap();
    assert_eq!(region.states(), []);
}

#[test]
fn a_draining_target_is_registered_again_1_3() {
    let mut region = region();
    region.register(&[at("10.0.0.1")]).unwrap();
    region.advance(90);
    region.deregister(&[at("10.0.0.1")]).unwrap();
    region.advance(10);
    region.register(&[at("10.0.0.1")]).unwrap();
    assert_eq!(region.states(), [HealthState::Initial]);
    region.advance(300);
    assert_eq!(region.states(), [HealthState::Healthy], "the old delay no longer counts");
}

#[test]
fn quic_targets_have_server_ids_and_keep_them_1_3() {
    let mut region = region();
    region.group =
        region.model.create_target_group(&NewGroup::new("quic", VPC).protocol("QUIC")).unwrap();
    let (one, two) = ("0x00000000000000ab", "0x00000000000000cd");
    assert!(refusal(region.register(&[at("10.0.0.1")])).contains("must have a QUIC server ID"));
    assert!(refusal(region.register(&[at("10.0.0.1").quic("0xAB")])).contains("is not valid"));
    region.register(&[at("10.0.0.1").quic(one)]).unwrap();
    assert!(refusal(region.register(&[at("10.0.0.1").quic(two)])).starts_with("InvalidTarget"));
    assert!(refusal(region.register(&[at("10.0.0.2").quic(one)])).starts_with("InvalidTarget"));
    region.attribute("deregistration_delay.timeout_seconds", "0");
    region.deregister(&[at("10.0.0.1")]).unwrap();
    assert_eq!(region.states(), [HealthState::Draining], "always 300 s for QUIC (2.2)");
    region.register(&[at("10.0.0.1").quic(two)]).unwrap();
    assert_eq!(region.states(), [HealthState::Draining, HealthState::Unused]);
}

#[test]
fn a_server_id_is_refused_outside_quic_1_3() {
    let request = at("10.0.0.1").quic("0x00000000000000ab");
    assert!(refusal(region().register(&[request])).contains("cannot have a QUIC server ID"));
}
