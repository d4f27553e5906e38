//! Whether a Service and a group go together: type, address family, VPC and protocol. Pure.

use super::Subject;
use crate::bind::manifest;
use crate::binding::{Binding, IpAddressType, TargetType};
use crate::change::{Check, Verdict};
use crate::endpoints::{AddressFamily, Service, ServicePort, ServiceType};
use crate::facts::TargetGroup;
use crate::findings::catalogue::BINDING_MISMATCH;
use crate::unbind;

/// What the controller's webhook would refuse, and what could never serve (`facts/lbc.md` 1.2,
/// `facts/elbv2.md` 1.4).
pub(super) fn check(
    it: &Subject<'_>,
    group: &TargetGroup,
    service: &Service,
    port: &ServicePort,
) -> Check {
    let problems = problems(it, group, service, port);
    if problems.is_empty() {
        return Check::passed(
            BINDING_MISMATCH.name,
            "type, address family, VPC and protocol go together",
        );
    }
    let check = Check::of(&BINDING_MISMATCH, Verdict::Refused, problems.join("; "));
    match it.candidate.existing {
        // What is immutable takes a new binding.
        Some(existing) if existing.binding.owner().is_none() => {
            let (namespace, name) = (&existing.binding.namespace, &existing.binding.name);
            check.hint(unbind::line(namespace, name, &it.request.context))
        }
        _ => check,
    }
}

fn problems(
    it: &Subject<'_>,
    group: &TargetGroup,
    service: &Service,
    port: &ServicePort,
) -> Vec<String> {
    let name = group.arn.name();
    let Some(target_type) = manifest::target_type(group) else {
        return vec![format!(
            "{name} takes targets of type {}, not pods or nodes",
            group.target_type
        )];
    };
    let mut problems = Vec::new();
    let protocol = group.protocol.as_deref().unwrap_or_default();
    let is_instance = target_type == TargetType::Instance;
    if is_instance {
        let has_ports = matches!(service.kind, ServiceType::NodePort | ServiceType::LoadBalancer);
        if !has_ports || port.node_port == 0 {
            problems.push(format!(
                "{name} takes nodes, and port {} of Service {} has no node port",
                port.port,
                it.service()
            ));
        }
        if matches!(protocol, "QUIC" | "TCP_QUIC") {
            problems.push(format!("{name} is for {protocol}, which no node can take"));
        }
        let has_role = it.request.role.is_some()
            || it.manifest.is_some_and(|it| !it.spec.iam_role_arn_to_assume.is_empty());
        if has_role {
            problems.push(format!(
                "{name} takes nodes, which cannot be registered through an assumed role"
            ));
        }
    } else {
        let family = match manifest::family(group) {
            IpAddressType::Ipv4 => AddressFamily::IPv4,
            IpAddressType::Ipv6 => AddressFamily::IPv6,
        };
        if !service.families.is_empty() && !service.families.contains(&family) {
            let message = format!(
                "{name} takes {} addresses, and Service {} has none",
                group.ip_address_type,
                it.service()
            );
            problems.push(message);
        }
    }
    let fits = match protocol {
        "UDP" | "QUIC" => port.protocol == "UDP",
        "TCP_UDP" | "TCP_QUIC" => port.protocol != "SCTP",
        _ => port.protocol == "TCP",
    };
    if !fits {
        problems.push(format!(
            "{name} is for {protocol}, and port {} for {}",
            port.port, port.protocol
        ));
    }
    problems.extend(other_vpc(it, group, is_instance));
    if let Some(existing) = it.candidate.existing {
        problems.extend(immutable(&existing.binding, group, target_type));
    }
    problems
}

/// Another VPC than this cluster's, where its controller told which that is: only addresses that
/// speak TCP can be registered from there.
fn other_vpc(it: &Subject<'_>, group: &TargetGroup, is_instance: bool) -> Option<String> {
    let of_group = group.vpc_id.as_deref()?;
    let generated = it.world.bindings.iter().flatten().filter(|binding| {
        binding.owner().is_some()
            && binding.spec.target_group_arn != group.arn.as_str()
            && !binding.spec.vpc_id.is_empty()
    });
    let own = generated.map(|binding| binding.spec.vpc_id.as_str()).next()?;
    let needs_own = is_instance
        || matches!(group.protocol.as_deref(), Some("UDP" | "TCP_UDP" | "QUIC" | "TCP_QUIC"));
    (own != of_group && needs_own).then(|| {
        let what =
            if is_instance { "nodes" } else { group.protocol.as_deref().unwrap_or_default() };
        format!(
            "{} is in {of_group} and takes {what}, and {} is in {own}",
            group.arn.name(),
            it.request.context
        )
    })
}

/// What a binding that is there says otherwise and cannot change.
fn immutable(binding: &Binding, group: &TargetGroup, target_type: TargetType) -> Vec<String> {
    let spec = &binding.spec;
    let mut problems = Vec::new();
    if spec.target_type.is_some_and(|own| own != target_type) {
        problems.push(format!("{} has another targetType for good", binding.name));
    }
    if spec.ip_address_type.unwrap_or(IpAddressType::Ipv4) != manifest::family(group) {
        problems.push(format!("{} has another ipAddressType for good", binding.name));
    }
    if !spec.vpc_id.is_empty() && group.vpc_id.as_ref().is_some_and(|vpc| *vpc != spec.vpc_id) {
        problems.push(format!("{} has another vpcID for good", binding.name));
    }
    problems
}
