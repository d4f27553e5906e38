//! The attributes that groups and load balancers are made with (`facts/elbv2.md` 2.2, 4.2).

use std::collections::BTreeMap;

use super::{NewGroup, NewLoadBalancer};

/// The attribute that keeps a load balancer from being deleted.
pub(in crate::sim) const DELETION_PROTECTION: &str = "deletion_protection.enabled";

/// The attributes of a new target group.
pub(super) fn group_attributes(new: &NewGroup) -> BTreeMap<String, String> {
    let is_alb = matches!(new.protocol.as_str(), "HTTP" | "HTTPS");
    let common = [
        ("deregistration_delay.timeout_seconds", "300"),
        ("load_balancing.cross_zone.enabled", "use_load_balancer_configuration"),
        ("stickiness.enabled", "false"),
        ("target_group_health.dns_failover.minimum_healthy_targets.count", "1"),
        ("target_group_health.dns_failover.minimum_healthy_targets.percentage", "off"),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.count", "1"),
        ("target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage", "off"),
    ];
    let mut attributes: BTreeMap<String, String> =
        common.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let mut set = |key: &str, value: &str| attributes.insert(key.to_owned(), value.to_owned());
    if is_alb {
        set("load_balancing.algorithm.type", "round_robin");
        set("load_balancing.algorithm.anomaly_mitigation", "off");
        set("slow_start.duration_seconds", "0");
        set("stickiness.type", "lb_cookie");
    } else {
        let is_udp = matches!(new.protocol.as_str(), "UDP" | "TCP_UDP" | "QUIC" | "TCP_QUIC");
        let preserves = is_udp || new.target_type != "ip";
        set("preserve_client_ip.enabled", if preserves { "true" } else { "false" });
        set("proxy_protocol_v2.enabled", "false");
        set("stickiness.type", "source_ip");
        let terminates = matches!(new.protocol.as_str(), "UDP" | "TCP_UDP");
        let terminates = if terminates { "true" } else { "false" };
        set("deregistration_delay.connection_termination.enabled", terminates);
        if !is_udp {
            set("target_health_state.unhealthy.connection_termination.enabled", "true");
            set("target_health_state.unhealthy.draining_interval_seconds", "0");
        }
    }
    attributes
}

/// The attributes of a new load balancer.
pub(super) fn load_balancer_attributes(new: &NewLoadBalancer) -> BTreeMap<String, String> {
    // Cross-zone is off by default for an NLB (4.2), and always on for an ALB.
    let is_alb = new.kind == "application";
    let mut attributes = BTreeMap::from([
        (DELETION_PROTECTION, "false"),
        ("load_balancing.cross_zone.enabled", if is_alb { "true" } else { "false" }),
        ("access_logs.s3.enabled", "false"),
        ("access_logs.s3.bucket", ""),
        ("access_logs.s3.prefix", ""),
        ("ipv6.deny_all_igw_traffic", "false"),
        ("zonal_shift.config.enabled", "false"),
    ]);
    if !is_alb {
        attributes.insert("dns_record.client_routing_policy", "any_availability_zone");
    }
    attributes.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}
