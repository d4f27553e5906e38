//! States and reasons (`facts/elbv2.md` 2.1, 2.3, 4.1).

use super::*;

#[test]
fn a_target_is_initial_and_then_healthy_2_1() {
    let mut region = region();
    region.register(&[at("10.0.0.1")]).unwrap();
    assert_eq!(region.listed(), ["10.0.0.1:8080 us-east-1a initial Elb.RegistrationInProgress"]);
    region.advance(30);
    assert_eq!(region.listed(), ["10.0.0.1:8080 us-east-1a initial Elb.InitialHealthChecking"]);
    region.advance(60);
    assert_eq!(region.listed(), ["10.0.0.1:8080 us-east-1a healthy"]);
}

#[test]
fn what_fails_its_checks_is_unhealthy_2_1() {
    let mut region = region();
    region.register(&[at("10.0.0.1"), at("10.0.0.2"), at("10.0.0.3"), at("10.0.0.4")]).unwrap();
    region.model.set_condition("10.0.0.1", Condition::Failing);
    region.model.set_condition("10.0.0.2:8080", Condition::TimingOut);
    region.model.set_condition("10.0.0.3", Condition::FailingGracefully);
    region.model.set_condition("10.0.0.4:80", Condition::Failing);
    assert_eq!(region.states(), vec![HealthState::Initial; 4]);
    region.advance(90);
    assert_eq!(
        region.listed(),
        [
            "10.0.0.1:8080 us-east-1a unhealthy Target.FailedHealthChecks",
            "10.0.0.2:8080 us-east-1a unhealthy Target.Timeout",
            "10.0.0.3:8080 us-east-1a unhealthy.draining Target.FailedHealthChecks",
            "10.0.0.4:8080 us-east-1a healthy",
        ]
    );
    region.deregister(&[at("10.0.0.3")]).unwrap();
    assert_eq!(region.states()[2], HealthState::Draining, "as any other (2.1)");
}

#[test]
fn an_unattached_group_is_not_in_use_2_1() {
    let mut region = region();
    region.register(&[at("10.0.0.1")]).unwrap();
    region.advance(90);
    region.model.delete_listener(&region.listener).unwrap();
    assert_eq!(region.listed(), ["10.0.0.1:8080 us-east-1a unused Target.NotInUse"]);
    let group = region.group.clone();
    region.model.create_listener(&region.load_balancer, "TCP", 80, &[(&group, 0)]).unwrap();
    assert_eq!(region.states(), [HealthState::Initial], "checked anew, whatever the weight");
}

#[test]
fn a_rule_attaches_a_group_too_4_4() {
    let mut region = region();
    let (old, listener) = (region.group.clone(), region.listener.clone());
    region.group = region.model.create_target_group(&NewGroup::new("other", VPC)).unwrap();
    region.register(&[at("10.0.0.1")]).unwrap();
    assert_eq!(region.states(), [HealthState::Unused]);
    let group = region.group.clone();
    let rule = region.model.create_rule(&listener, 1, &[(&old, 1), (&group, 1)]).unwrap();
    assert_eq!(region.states(), [HealthState::Initial]);
    region.model.delete_rule(&rule);
    assert_eq!(region.states(), [HealthState::Unused]);
}

#[test]
fn a_zone_that_is_not_enabled_is_not_in_use_2_1() {
    let mut region = region();
    region.register(&[at("10.0.0.1"), at("10.0.64.1"), at("192.168.0.1").zone("all")]).unwrap();
    region.advance(90);
    region.model.edit_load_balancer(&region.load_balancer.clone(), |load_balancer| {
        load_balancer.zones.remove("us-east-1b");
    });
    let described = region.model.describe_target_health(region.group.as_str(), &[]).unwrap();
    let unused = &described[1].description.health;
    assert_eq!(unused.reason.as_deref(), Some("Target.NotInUse"));
    let words = "Target is in an Availability Zone that is not enabled for the load balancer";
    assert_eq!(unused.description.as_deref(), Some(words));
    let states = [HealthState::Healthy, HealthState::Unused, HealthState::Healthy];
    assert_eq!(region.states(), states, "`all` is in every zone");
}

#[test]
fn a_stopped_instance_is_in_an_invalid_state_2_1() {
    let mut region = region();
    region.group =
        region.model.create_target_group(&NewGroup::new("nodes", VPC).instance()).unwrap();
    region.model.add_instance("i-1", VPC, "us-east-1a");
    region.register(&[at("i-1")]).unwrap();
    region.model.set_instance_state("i-1", InstanceState::Stopped);
    assert_eq!(region.listed(), ["i-1:8080 us-east-1a unused Target.InvalidState"]);
}

#[test]
fn what_was_never_registered_is_answered_when_asked_for_2_1() {
    let region = region();
    assert_eq!(region.asked(&[at("10.0.0.9")]), ["10.0.0.9:8080 - unused Target.NotRegistered"]);
    assert_eq!(region.listed(), Vec::<String>::new());
}

#[test]
fn faults_of_elb_and_its_own_addresses_are_told_apart_2_1() {
    let mut region = region();
    region.register(&[at("10.0.0.1"), at("10.0.0.2")]).unwrap();
    region.model.set_condition("10.0.0.1", Condition::Unusable);
    region.model.set_condition("10.0.0.2", Condition::Unavailable);
    region.advance(90);
    assert_eq!(
        region.listed(),
        [
            "10.0.0.1:8080 us-east-1a unused Target.IpUnusable",
            "10.0.0.2:8080 us-east-1a unavailable Elb.InternalError",
        ]
    );
}

#[test]
fn a_zonal_shift_leaves_health_alone_2_3() {
    let mut region = region();
    region.register(&[at("10.0.0.1"), at("10.0.64.1")]).unwrap();
    region.advance(90);
    region.model.edit_load_balancer(&region.load_balancer.clone(), |load_balancer| {
        load_balancer.shifted_zones.insert("us-east-1b".to_owned());
    });
    let described = region.model.describe_target_health(region.group.as_str(), &[]).unwrap();
    let overrides: Vec<_> = described.iter().map(|d| d.administrative_override).collect();
    assert_eq!(overrides, ["no_override", "zonal_shift_active"]);
    assert_eq!(region.states(), vec![HealthState::Healthy; 2]);
}

#[test]
fn the_checked_port_is_answered_as_a_number_1_1() {
    let mut region = region();
    region.register(&[at("10.0.0.1")]).unwrap();
    let port = |region: &Region| {
        let described = region.model.describe_target_health(region.group.as_str(), &[]).unwrap();
        described[0].health_check_port.clone()
    };
    assert_eq!(port(&region), "8080");
    region.model.edit_group(&region.group.clone(), |g| g.health_check_port = "9000".to_owned());
    assert_eq!(port(&region), "9000");
}
