//! The binding as it is to be. Pure.

use std::collections::BTreeMap;

use super::Request;
use super::candidate::{self, Candidate};
use super::networking::{self, Found};
use super::world::World;
use crate::binding::{
    Binding, BindingSpec, Flavour, IpAddressType, Networking, ServiceRef, TargetType,
};
use crate::change::Manifest;
use crate::endpoints::service_port;
use crate::facts::TargetGroup;

/// The binding of a candidate; none where its group, Service or port is not known, or the group takes
/// neither pods nor nodes.
///
/// Every field is set that the controller's webhook would set (`facts/lbc.md` 1.2), where bindings here
/// have it. One that exists keeps what does not stand in the way, and a generated one all of it: its
/// controller reverts every edit.
pub(super) fn of(request: &Request, world: &World, candidate: &Candidate<'_>) -> Option<Manifest> {
    let arn = candidate.arn.as_ref()?;
    let group = world.facts.groups.get(arn)?.group.as_ref().ok()?;
    let (service, port) = (candidate.service?, candidate.port.as_ref().ok().copied()?);
    let target_type = target_type(group)?;
    let found = networking::find(request, world, candidate);
    let rule = match found {
        Found::Peers(peers, _) => {
            let main = networking::main_port(target_type, port);
            networking::rule(peers, networking::ports(group, &main))
        }
        Found::Unmanaged | Found::Nothing | Found::Unknown(_) => None,
    };
    let spec = match candidate.existing {
        Some(existing) if existing.binding.owner().is_some() => existing.binding.spec.clone(),
        Some(existing) => {
            let mut spec = existing.binding.spec.clone();
            if service_port(service, &spec.service_ref.port) != Some(port) {
                spec.service_ref.port = candidate::reference(service, port);
            }
            spec.target_type = spec.target_type.or(Some(target_type));
            if spec.target_group_protocol.is_some() || is_quic(group) {
                spec.target_group_protocol = group.protocol.clone();
            }
            if let Some(rule) = rule {
                spec.networking = Some(networking::with(spec.networking.as_ref(), rule));
            }
            add_role(&mut spec, request);
            spec
        }
        None => {
            let mut spec = BindingSpec {
                target_group_arn: arn.to_string(),
                multi_cluster_target_group: true,
                target_type: Some(target_type),
                target_group_protocol: group.protocol.clone().filter(|_| has_protocol(world)),
                service_ref: ServiceRef {
                    name: service.name.clone(),
                    port: candidate::reference(service, port),
                },
                networking: rule.map(|rule| Networking { ingress: vec![rule] }),
                ip_address_type: Some(family(group)),
                vpc_id: group.vpc_id.clone().unwrap_or_default(),
                ..BindingSpec::default()
            };
            add_role(&mut spec, request);
            spec
        }
    };
    let (namespace, name) = (candidate.namespace.clone(), candidate.name.clone());
    Some(Manifest { namespace, name, spec })
}

fn add_role(spec: &mut BindingSpec, request: &Request) {
    if let Some(role) = &request.role {
        spec.iam_role_arn_to_assume.clone_from(&role.arn);
        spec.assume_role_external_id = role.external_id.clone().unwrap_or_default();
    }
}

/// Strict writes refuse a field that an older type does not have.
fn has_protocol(world: &World) -> bool {
    world.fields.as_ref().is_ok_and(|fields| fields.contains("targetGroupProtocol"))
}

fn is_quic(group: &TargetGroup) -> bool {
    matches!(group.protocol.as_deref(), Some("QUIC" | "TCP_QUIC"))
}

/// What the group registers; none for one of functions or load balancers.
pub(super) fn target_type(group: &TargetGroup) -> Option<TargetType> {
    match group.target_type.as_str() {
        "ip" => Some(TargetType::Ip),
        "instance" => Some(TargetType::Instance),
        _ => None,
    }
}

/// The group's address family.
pub(super) fn family(group: &TargetGroup) -> IpAddressType {
    if group.ip_address_type == "ipv6" { IpAddressType::Ipv6 } else { IpAddressType::Ipv4 }
}

/// The binding as it would be stored.
pub(super) fn hypothetical(manifest: &Manifest) -> Binding {
    Binding {
        namespace: manifest.namespace.clone(),
        name: manifest.name.clone(),
        uid: String::new(),
        flavour: Flavour::LoadBalancerController,
        created_at: None,
        changed_at: None,
        deleted_at: None,
        has_finalizer: false,
        failure: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        spec: manifest.spec.clone(),
    }
}

/// How a binding differs from what it is to be, a line each.
pub(super) fn differences(is: &BindingSpec, to_be: &BindingSpec) -> Vec<String> {
    let shown = |text: &str| if text.is_empty() { "none".to_owned() } else { text.to_owned() };
    let target_type = |spec: &BindingSpec| match spec.target_type {
        Some(TargetType::Ip) => "ip",
        Some(TargetType::Instance) => "instance",
        None => "none",
    };
    let protocol = |spec: &BindingSpec| spec.target_group_protocol.clone().unwrap_or_default();
    let rules = |spec: &BindingSpec| networking::describe(spec.networking.as_ref());
    let fields = [
        ("targetType", target_type(is).to_owned(), target_type(to_be).to_owned()),
        ("targetGroupProtocol", shown(&protocol(is)), shown(&protocol(to_be))),
        ("serviceRef.port", is.service_ref.port.to_string(), to_be.service_ref.port.to_string()),
        ("networking", rules(is), rules(to_be)),
        (
            "iamRoleArnToAssume",
            shown(&is.iam_role_arn_to_assume),
            shown(&to_be.iam_role_arn_to_assume),
        ),
        (
            "assumeRoleExternalId",
            shown(&is.assume_role_external_id),
            shown(&to_be.assume_role_external_id),
        ),
    ];
    let changed = fields.into_iter().filter(|(_, is, to_be)| is != to_be);
    changed.map(|(field, is, to_be)| format!("{field}: {is} -> {to_be}")).collect()
}
