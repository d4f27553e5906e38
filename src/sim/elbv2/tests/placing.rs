//! Zones, addresses, target types (`facts/elbv2.md` 1.2, 1.4).

use super::*;

fn registered(region: &mut Region, request: TargetRequest) -> String {
    region.register(&[request]).unwrap();
    text(&region.model.describe_target_health(region.group.as_str(), &[]).unwrap()[0]).zone
}

#[test]
fn the_zone_of_an_address_inside_the_vpc_is_filled_in_1_4() {
    assert_eq!(registered(&mut region(), at("10.0.64.1")), "us-east-1b");
    assert_eq!(registered(&mut region(), at("10.0.64.1").zone("us-east-1b")), "us-east-1b");
}

#[test]
fn an_address_inside_the_vpc_takes_no_other_zone_1_2() {
    for zone in ["all", "us-east-1a"] {
        assert_eq!(
            refusal(region().register(&[at("10.0.64.1").zone(zone)])),
            format!(
                "ValidationError: The IP address '10.0.64.1' is within the VPC, and cannot have its Availability Zone overridden to '{zone}' from 'us-east-1b'"
            )
        );
    }
}

#[test]
fn an_address_outside_the_vpc_needs_a_zone_1_2() {
    let mut region = region();
    assert_eq!(
        refusal(region.register(&[at("192.168.0.1")])),
        "ValidationError: You must specify a valid Availability Zone or select 'all' for all enabled Availability zones, since the IP address '192.168.0.1' is outside the VPC"
    );
    region.model.settings.outside_wording = OutsideWording::NotInTheVpc;
    assert_eq!(
        refusal(region.register(&[at("192.168.0.1")])),
        "ValidationError: The Availability Zone is required for IP address '192.168.0.1' because it is not in the VPC"
    );
    assert_eq!(registered(&mut region, at("192.168.0.1").zone("all")), "all");
}

#[test]
fn an_address_in_no_subnet_is_outside_1_2() {
    assert!(refusal(region().register(&[at("10.0.200.1")])).contains("is outside the VPC"));
}

#[test]
fn all_zones_may_be_refused_1_2() {
    let mut region = region();
    region.model.edit_group(&region.group.clone(), |group| group.refuses_all_zones = true);
    let text = refusal(region.register(&[at("192.168.0.1").zone("all")]));
    assert!(text.contains("you must specify an Availability Zone"), "{text}");
    assert_eq!(registered(&mut region, at("192.168.0.1").zone("us-east-1c")), "us-east-1c");
}

#[test]
fn an_alb_group_takes_all_exactly_while_cross_zone_is_on_1_4() {
    let mut model = empty();
    let load_balancer = model.create_load_balancer(&NewLoadBalancer::new("web", VPC).application());
    let group = model.create_target_group(&NewGroup::new("web", VPC).protocol("HTTP")).unwrap();
    let listener = model.create_listener(&load_balancer, "HTTP", 80, &[(&group, 1)]).unwrap();
    let mut region = Region { model, group, load_balancer, listener };
    let zonal = at("192.168.0.1").zone("us-east-1a");
    assert_eq!(
        refusal(region.register(std::slice::from_ref(&zonal))),
        "ValidationError: The Availability Zone for IP address '192.168.0.1' must be 'all' for Application Load Balancer target groups, when not within the VPC"
    );
    region.attribute("load_balancing.cross_zone.enabled", "false");
    let text = refusal(region.register(&[at("192.168.0.1").zone("all")]));
    assert!(text.contains("you must specify an Availability Zone"), "{text}");
    assert_eq!(registered(&mut region, zonal), "us-east-1a");
}

#[test]
fn public_addresses_are_never_taken_1_4() {
    let text = refusal(region().register(&[at("203.0.113.7").zone("all")]));
    assert!(text.starts_with("ValidationError"), "{text}");
    for private in ["10.200.0.1", "172.31.0.1", "192.168.1.1", "100.127.0.1"] {
        assert_eq!(registered(&mut region(), at(private).zone("all")), "all");
    }
}

#[test]
fn an_ipv6_group_takes_its_own_and_peered_addresses_1_4() {
    let mut region = region();
    region.group = region.model.create_target_group(&NewGroup::new("six", VPC).ipv6()).unwrap();
    assert_eq!(
        refusal(region.register(&[at("10.0.0.1")])),
        "ValidationError: The IP address '10.0.0.1' is not a valid IPv6 address"
    );
    assert!(region.register(&[at("2001:db8:2::1").zone("all")]).is_err());
    let mut vpc = Vpc::default().subnet("us-east-1a", "2001:db8:1::/64");
    vpc.peers.insert("vpc-2".to_owned());
    region.model.add_vpc(VPC, vpc);
    region.model.add_vpc("vpc-2", Vpc::default().subnet("us-east-1a", "2001:db8:2::/64"));
    region.register(&[at("2001:db8:2::1").zone("all"), at("2001:db8:1::1")]).unwrap();
}

#[test]
fn the_wrong_kind_of_id_is_refused_1_2() {
    let mut region = region();
    assert_eq!(
        refusal(region.register(&[at("i-1")])),
        "ValidationError: The IP address 'i-1' is not a valid IPv4 address"
    );
    assert!(refusal(region.register(&[at("2001:db8:1::1")])).contains("not a valid IPv4 address"));
    region.group =
        region.model.create_target_group(&NewGroup::new("nodes", VPC).instance()).unwrap();
    assert_eq!(
        refusal(region.register(&[at("10.0.0.1")])),
        "ValidationError: Instance ID '10.0.0.1' is not valid"
    );
}

#[test]
fn an_instance_must_run_in_the_groups_vpc_1_4() {
    let mut region = region();
    region.group =
        region.model.create_target_group(&NewGroup::new("nodes", VPC).instance()).unwrap();
    region.model.add_instance("i-1", VPC, "us-east-1b");
    region.model.add_instance("i-2", "vpc-2", "us-east-1a");
    assert!(refusal(region.register(&[at("i-2")])).starts_with("InvalidTarget"));
    assert!(
        refusal(region.register(&[at("i-1").zone("us-east-1b")])).starts_with("ValidationError")
    );
    region.model.set_instance_state("i-1", InstanceState::Stopped);
    assert_eq!(
        refusal(region.register(&[at("i-1")])),
        "InvalidTarget: The following targets are not in a running state and cannot be registered: 'i-1'"
    );
    region.model.set_instance_state("i-1", InstanceState::Running);
    assert_eq!(registered(&mut region, at("i-1")), "us-east-1b");
}

#[test]
fn one_bad_target_refuses_the_whole_call_1_3() {
    let mut region = region();
    assert!(region.register(&[at("10.0.0.1"), at("192.168.0.1")]).is_err());
    assert_eq!(region.states(), []);
}

#[test]
fn ports_are_1_to_65535_1_1() {
    for port in [-1, 0, 65_536, i64::MAX] {
        let request = TargetRequest { port: Some(port), ..at("10.0.0.1") };
        let text = refusal(region().register(&[request]));
        assert!(
            text.starts_with("ValidationError") && text.contains(&format!("'{port}'")),
            "{text}"
        );
    }
    let edges = [TargetRequest::new("10.0.0.1", 1), TargetRequest::new("10.0.0.1", 65_535)];
    region().register(&edges).unwrap();
}

#[test]
fn empty_lists_are_refused_1_1() {
    assert!(refusal(region().register(&[])).starts_with("ValidationError"));
    assert!(refusal(region().deregister(&[])).starts_with("ValidationError"));
    assert!(refusal(region().model.describe_tags(&[])).starts_with("ValidationError"));
}
