//! 105, 109 and 408: what a binding says that cannot work, whatever its targets are.

use super::catalogue::{BINDING_MISMATCH, EMPTY_PORTS_RULE, STACK_LABELS_ON_BINDING};
use super::{Finding, Severity, quoted};
use crate::binding::{Binding, BindingRef, Flavour, IpAddressType, TargetType};
use crate::owner::{self, Origin};
use crate::view::{BindingView, GroupView};

pub(super) fn findings(group: &GroupView<'_>, chosen: &[usize]) -> Vec<Finding> {
    let each = chosen.iter().map(|index| &group.bindings[*index]).flat_map(|binding| {
        let origin = owner::origin(binding, Some(group.facts));
        [
            stack_labels(group, binding, origin),
            empty_ports(binding, origin),
            mismatch(group, binding, origin),
        ]
    });
    each.flatten().collect()
}

/// Labels of a stack that is not this binding's (`facts/lbc.md` 5.2).
fn stack_labels(
    group: &GroupView<'_>,
    binding: &BindingView<'_>,
    origin: Origin,
) -> Option<Finding> {
    let of = &binding.facts.binding;
    let owner = of.owner().filter(|_| origin == Origin::Standalone)?;
    let made_for = match owner.namespace {
        Some(namespace) => format!("{} {namespace}/{}", owner.kind.as_str(), owner.name),
        None => format!("{} {}", owner.kind.as_str(), owner.name),
    };
    let maker = owner::cluster_tag(group).unwrap_or_default();
    let message = format!(
        "{} carries the stack labels of the {made_for}, and its target group is that of the cluster {maker}: a \
         controller that reconciles such a {} here deletes the binding.",
        binding.reference(),
        owner.kind.as_str()
    );
    let removed = of.stack_labels().fold(String::new(), |line, key| format!("{line} {key}-"));
    let fix = kubectl(binding, "label", &removed);
    Some(STACK_LABELS_ON_BINDING.finding(Severity::Critical, message).about(binding).with_fix(fix))
}

/// The controller makes no permission of a rule without ports (`facts/lbc.md` 5.5).
fn empty_ports(binding: &BindingView<'_>, origin: Origin) -> Option<Finding> {
    let of = &binding.facts.binding;
    if of.flavour != Flavour::LoadBalancerController {
        return None;
    }
    let rules = of.spec.networking.iter().flat_map(|networking| &networking.ingress).enumerate();
    let empty: Vec<usize> = rules
        .filter(|(_, rule)| rule.ports.is_empty() && !rule.from.is_empty())
        .map(|(index, _)| index)
        .collect();
    let of_rules = match empty.len() {
        0 => return None,
        1 => "A networking rule".to_owned(),
        many => format!("{many} networking rules"),
    };
    let message = format!(
        "{of_rules} of {} {} `ports: []`, which opens nothing: the controller makes a rule of each port that is \
         listed.",
        binding.reference(),
        if empty.len() == 1 { "has" } else { "have" }
    );
    let ports = (origin == Origin::Standalone).then(|| ports(binding)).flatten();
    let fix = ports.map(|ports| {
        let path = |index: &usize| format!("/spec/networking/ingress/{index}/ports");
        let patches: Vec<_> = empty
            .iter()
            .map(|at| serde_json::json!({ "op": "replace", "path": path(at), "value": ports }))
            .collect();
        let patches = serde_json::Value::from(patches).to_string();
        kubectl(binding, "patch", &format!(" --type=json -p {}", quoted(&patches)))
    });
    Some(EMPTY_PORTS_RULE.finding(Severity::Warning, message).about(binding).with_fix(fix))
}

/// The ports that its targets listen on, as a rule lists them; none where that is not known.
///
/// Health checks go over TCP to the same port unless the group says otherwise.
fn ports(binding: &BindingView<'_>) -> Option<Vec<serde_json::Value>> {
    let protocols: &[&str] = match binding.facts.binding.spec.target_group_protocol.as_deref() {
        Some("UDP" | "TCP_UDP" | "QUIC" | "TCP_QUIC") => &["TCP", "UDP"],
        _ => &["TCP"],
    };
    let mut numbers: Vec<u16> = binding.desired()?.keys().map(|target| target.port).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let port = |number: &u16| {
        let number = *number;
        let of = move |it: &&str| serde_json::json!({ "protocol": it, "port": number });
        protocols.iter().map(of).collect::<Vec<_>>()
    };
    let ports: Vec<_> = numbers.iter().flat_map(port).collect();
    (!ports.is_empty()).then_some(ports)
}

/// What the controller's webhook compares when a binding is made (`facts/lbc.md` 1.2).
fn mismatch(group: &GroupView<'_>, binding: &BindingView<'_>, origin: Origin) -> Option<Finding> {
    let (spec, of) = (&binding.facts.binding.spec, group.facts.group.as_ref().ok()?);
    let target_type = spec.target_type.map(|target_type| match target_type {
        TargetType::Instance => "instance",
        TargetType::Ip => "ip",
    });
    // A binding without an address family is for IPv4.
    let family = match spec.ip_address_type.unwrap_or(IpAddressType::Ipv4) {
        IpAddressType::Ipv4 => "ipv4",
        IpAddressType::Ipv6 => "ipv6",
    };
    let vpc = Some(spec.vpc_id.as_str()).filter(|vpc| !vpc.is_empty());
    let protocol = spec.target_group_protocol.as_deref();
    let differences: Vec<_> = [
        ("target type", target_type, Some(of.target_type.as_str())),
        ("address family", Some(family), Some(of.ip_address_type.as_str())),
        ("VPC", vpc, of.vpc_id.as_deref()),
        ("protocol", protocol, of.protocol.as_deref()),
    ]
    .into_iter()
    .filter_map(|(what, asked, is)| Some((what, asked?, is?)))
    .filter(|(_, asked, is)| asked != is)
    .collect();
    let (_, _, is) = differences.first()?;
    let said: Vec<String> =
        differences.iter().map(|(what, asked, is)| format!("{what} {asked}, not {is}")).collect();
    let message = format!(
        "{} does not fit its target group {}: it says {}. The controller goes by what the binding says.",
        binding.reference(),
        group.arn.name(),
        said.join("; ")
    );
    // The rest cannot be changed in a binding, and a generated one is its owner's.
    let only_protocol = matches!(differences[..], [("protocol", ..)]);
    let fix = (only_protocol && origin == Origin::Standalone).then(|| {
        let patch = serde_json::json!({ "spec": { "targetGroupProtocol": is } }).to_string();
        kubectl(binding, "patch", &format!(" --type=merge -p {}", quoted(&patch)))
    });
    Some(BINDING_MISMATCH.finding(Severity::Critical, message).about(binding).with_fix(fix))
}

/// A line of kubectl about the binding.
fn kubectl(binding: &BindingView<'_>, verb: &str, rest: &str) -> String {
    let BindingRef { context, namespace, name } = binding.reference();
    let Binding { flavour, .. } = binding.facts.binding;
    format!(
        "kubectl --context {} -n {namespace} {verb} {} {name}{rest}",
        quoted(&context),
        flavour.resource()
    )
}
