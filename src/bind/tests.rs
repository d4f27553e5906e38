//! The rules of `bind` that need no world.

use super::networking::{describe, main_port, ports, rule, with};
use super::plan::is_name;
use crate::binding::{IngressRule, Networking, NetworkingPort, Peer, PortRef, TargetType};
use crate::endpoints::ServicePort;
use crate::facts::TargetGroup;
use crate::testing::arn;

fn group(protocol: &str, health_check_port: &str) -> TargetGroup {
    TargetGroup {
        arn: arn(),
        target_type: "ip".to_owned(),
        ip_address_type: "ipv4".to_owned(),
        protocol: Some(protocol.to_owned()),
        port: Some(80),
        vpc_id: Some("vpc-1".to_owned()),
        health_check_port: Some(health_check_port.to_owned()),
        load_balancer_arns: std::collections::BTreeSet::new(),
    }
}

/// The ports to open, as messages name them.
fn open(protocol: &str, health_check_port: &str, main: &PortRef) -> String {
    let rule =
        rule(vec![Peer::security_group("sg-1")], ports(&group(protocol, health_check_port), main));
    describe(Some(&Networking { ingress: rule.into_iter().collect() }))
}

fn number(port: i32) -> PortRef {
    PortRef::Number(port)
}

#[test]
fn a_group_for_tcp_opens_its_port_and_that_of_its_checks() {
    for protocol in ["TCP", "TLS", "HTTP", "HTTPS"] {
        assert_eq!(open(protocol, "traffic-port", &number(8080)), "TCP 8080 from sg-1");
        assert_eq!(open(protocol, "8080", &number(8080)), "TCP 8080 from sg-1");
        assert_eq!(open(protocol, "9000", &number(8080)), "TCP 8080 and TCP 9000 from sg-1");
    }
}

#[test]
fn checks_of_a_group_for_udp_come_over_tcp() {
    for protocol in ["UDP", "QUIC"] {
        assert_eq!(open(protocol, "traffic-port", &number(53)), "UDP 53 and TCP 53 from sg-1");
        assert_eq!(open(protocol, "53", &number(53)), "UDP 53 and TCP 53 from sg-1");
        assert_eq!(open(protocol, "9000", &number(53)), "UDP 53 and TCP 9000 from sg-1");
    }
}

#[test]
fn a_group_for_both_opens_both_whatever_its_checks_take() {
    for protocol in ["TCP_UDP", "TCP_QUIC"] {
        assert_eq!(open(protocol, "traffic-port", &number(53)), "UDP 53 and TCP 53 from sg-1");
        let own = "UDP 53, TCP 53 and TCP 9000 from sg-1";
        assert_eq!(open(protocol, "9000", &number(53)), own);
    }
}

#[test]
fn a_named_target_port_stays_a_name_and_nodes_have_their_own() {
    let port = ServicePort {
        name: "http".to_owned(),
        protocol: "TCP".to_owned(),
        port: 80,
        target_port: Some(PortRef::Name("web".to_owned())),
        node_port: 30080,
    };
    let web = main_port(TargetType::Ip, &port);
    assert_eq!(open("TCP", "traffic-port", &web), "TCP web from sg-1");
    assert_eq!(open("TCP", "8080", &web), "TCP web and TCP 8080 from sg-1");
    assert_eq!(main_port(TargetType::Instance, &port), number(30080));
    let plain = ServicePort { target_port: None, ..port };
    assert_eq!(main_port(TargetType::Ip, &plain), number(80));
}

#[test]
fn no_rule_is_written_that_opens_nothing() {
    assert_eq!(rule(Vec::new(), ports(&group("TCP", "traffic-port"), &number(80))), None);
    assert_eq!(rule(vec![Peer::cidr("10.0.0.0/8")], Vec::new()), None);
}

fn opening(peer: Peer, port: Option<PortRef>) -> IngressRule {
    IngressRule { from: vec![peer], ports: vec![NetworkingPort { protocol: None, port }] }
}

#[test]
fn what_a_binding_opens_already_stays_open_and_what_it_lacks_is_added() {
    let wanted = || opening(Peer::security_group("sg-1"), Some(number(80)));
    let known = |rules: &[IngressRule]| Networking { ingress: rules.to_vec() };
    let same = known(&[wanted()]);
    assert_eq!(with(Some(&same), wanted()), same);
    let all = known(&[opening(Peer::security_group("sg-1"), None)]);
    assert_eq!(with(Some(&all), wanted()), all, "a rule without a port is for all");
    let other = opening(Peer::cidr("10.0.0.0/8"), Some(number(80)));
    let added = known(&[other.clone(), wanted()]);
    assert_eq!(with(Some(&known(&[other])), wanted()), added);
    assert_eq!(with(None, wanted()), same);
    let nothing = IngressRule { from: vec![Peer::security_group("sg-1")], ports: Vec::new() };
    assert_eq!(with(Some(&known(&[nothing])), wanted()), same, "`ports: []` opens nothing");
}

#[test]
fn a_name_leaves_room_for_that_of_its_ledger() {
    assert!(["shop-http", "a.b-c", "0"].into_iter().all(is_name));
    assert!(["", "Shop", "-a", "a-", "a..b", "a_b", "a/b"].into_iter().all(|name| !is_name(name)));
    assert!(is_name(&"a".repeat(237)) && !is_name(&"a".repeat(238)));
}
