//! A stack in AWS: made, changed, and taken away (LBC 3.5, `pkg/deploy/elbv2`).
//!
//! What was made for a stack is found again by its tags. The many calls of the real one happen here
//! at once.

use std::collections::BTreeMap;

use super::Settings;
use super::stack::{
    Forward, Stack, StackId, WantedGroup, WantedListener, WantedLoadBalancer, type_text,
};
use crate::binding::IpAddressType;
use crate::sim::elbv2::{
    ApiError, DELETION_PROTECTION, Group, LoadBalancer, Model, NewGroup, NewLoadBalancer,
};
use crate::target::TargetGroupArn;

/// What a load balancer's resource tag says.
const LOAD_BALANCER: &str = "LoadBalancer";

/// What is there now for a stack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Deployed {
    /// The groups that are asked for, by resource id.
    pub(super) groups: BTreeMap<String, TargetGroupArn>,
    /// The load balancer's host name.
    pub(super) host: Option<String>,
}

/// Makes what is asked for, and takes away the load balancer where none is; groups that nobody asks
/// for any more stay, until their bindings are gone.
pub(super) fn deploy(
    model: &mut Model,
    stack: &Stack,
    settings: &Settings,
) -> Result<Deployed, ApiError> {
    let tags = stack.id.tags(&settings.cluster_name);
    let mut groups = BTreeMap::new();
    for (resource, wanted) in &stack.groups {
        let found = model.groups().find(|group| {
            is_tagged(&group.tags, &tags)
                && group.tags.get(&stack.id.resource_tag()) == Some(resource)
                && is_same_group(group, wanted)
        });
        let arn = match found.map(|group| group.arn.clone()) {
            Some(arn) => arn,
            None => create_group(model, wanted, settings)?,
        };
        let mut tags = tags.clone();
        tags.insert(stack.id.resource_tag(), resource.clone());
        model.edit_group(&arn, |group| {
            group.tags = tags;
            group.health_check_port.clone_from(&wanted.health_check_port);
        });
        groups.insert(resource.clone(), arn);
    }
    let existing = model.load_balancers().find(|it| is_tagged(&it.tags, &tags)).cloned();
    let host = match (&stack.load_balancer, existing) {
        (Some(wanted), existing) => {
            let existing = match existing {
                Some(old) if is_replaced(&old, wanted) => {
                    delete_load_balancer(model, &old.arn)?;
                    None
                }
                existing => existing,
            };
            let arn = match existing {
                Some(existing) => existing.arn,
                None => create_load_balancer(model, wanted, settings),
            };
            let mut tags = tags;
            tags.insert(stack.id.resource_tag(), LOAD_BALANCER.to_owned());
            model.edit_load_balancer(&arn, |load_balancer| {
                load_balancer.tags = tags;
                load_balancer.security_groups.clone_from(&wanted.security_groups);
                // Attributes that the owner does not name stay as they are.
                load_balancer.attributes.extend(wanted.attributes.clone());
            });
            listen(model, &arn, &wanted.listeners, &groups)?;
            model.load_balancers().find(|it| it.arn == arn).map(|it| it.dns_name.to_lowercase())
        }
        (None, Some(existing)) => {
            delete_load_balancer(model, &existing.arn)?;
            None
        }
        (None, None) => None,
    };
    Ok(Deployed { groups, host })
}

/// Deletes the groups of a stack that are not asked for.
pub(super) fn delete_leftovers(
    model: &mut Model,
    id: &StackId,
    wanted: &BTreeMap<String, TargetGroupArn>,
    settings: &Settings,
) -> Result<(), ApiError> {
    let tags = id.tags(&settings.cluster_name);
    let leftovers: Vec<TargetGroupArn> = model
        .groups()
        .filter(|group| is_tagged(&group.tags, &tags))
        .map(|group| group.arn.clone())
        .filter(|arn| !wanted.values().any(|kept| kept == arn))
        .collect();
    leftovers.iter().try_for_each(|arn| model.delete_target_group(arn))
}

fn is_tagged(tags: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| tags.get(key) == Some(value))
}

/// Another type, protocol, port or family is another group.
fn is_same_group(group: &Group, wanted: &WantedGroup) -> bool {
    group.target_type == type_text(wanted.target_type)
        && group.protocol == wanted.protocol
        && group.port == wanted.port
        && group.ip_address_type == family_text(wanted.ip_address_type)
        && group.arn.name() == wanted.name
}

fn is_replaced(existing: &LoadBalancer, wanted: &WantedLoadBalancer) -> bool {
    existing.kind != wanted.kind || existing.scheme != wanted.scheme
}

fn create_group(
    model: &mut Model,
    wanted: &WantedGroup,
    settings: &Settings,
) -> Result<TargetGroupArn, ApiError> {
    model.create_target_group(&NewGroup {
        name: wanted.name.clone(),
        target_type: type_text(wanted.target_type).to_owned(),
        ip_address_type: family_text(wanted.ip_address_type).to_owned(),
        protocol: wanted.protocol.clone(),
        port: wanted.port,
        vpc_id: settings.vpc_id.clone(),
    })
}

fn family_text(family: IpAddressType) -> &'static str {
    match family {
        IpAddressType::Ipv4 => "ipv4",
        IpAddressType::Ipv6 => "ipv6",
    }
}

fn create_load_balancer(
    model: &mut Model,
    wanted: &WantedLoadBalancer,
    settings: &Settings,
) -> String {
    model.create_load_balancer(&NewLoadBalancer {
        name: wanted.name.clone(),
        kind: wanted.kind.to_owned(),
        scheme: wanted.scheme.clone(),
        vpc_id: settings.vpc_id.clone(),
    })
}

/// Protection that the owner does not ask for is no obstacle: the controller turns it off itself
/// (`facts/lbc.md` 5.3).
fn delete_load_balancer(model: &mut Model, arn: &str) -> Result<(), ApiError> {
    model.edit_load_balancer(arn, |load_balancer| {
        load_balancer.attributes.insert(DELETION_PROTECTION.to_owned(), "false".to_owned());
    });
    model.delete_load_balancer(arn)
}

/// Makes a load balancer's listeners those that are asked for; what is right already is not touched.
fn listen(
    model: &mut Model,
    load_balancer: &str,
    wanted: &BTreeMap<u16, WantedListener>,
    groups: &BTreeMap<String, TargetGroupArn>,
) -> Result<(), ApiError> {
    let existing: Vec<(u16, String)> =
        model.listeners_of(load_balancer).map(|it| (it.port, it.arn.clone())).collect();
    for (port, arn) in existing {
        let is_right = wanted.get(&port).is_some_and(|it| is_right(model, &arn, it, groups));
        if !is_right {
            model.delete_listener(&arn)?;
        }
    }
    for (port, listener) in wanted {
        if model.listeners_of(load_balancer).any(|it| it.port == *port) {
            continue;
        }
        let forward = resolved(&listener.forward, groups);
        let forward: Vec<_> = forward.iter().map(|(arn, weight)| (arn, *weight)).collect();
        let arn = model.create_listener(load_balancer, &listener.protocol, *port, &forward)?;
        for (priority, rule) in (1..).zip(&listener.rules) {
            let forward = resolved(rule, groups);
            let forward: Vec<_> = forward.iter().map(|(arn, weight)| (arn, *weight)).collect();
            model.create_rule(&arn, priority, &forward)?;
        }
    }
    Ok(())
}

fn is_right(
    model: &Model,
    arn: &str,
    wanted: &WantedListener,
    groups: &BTreeMap<String, TargetGroupArn>,
) -> bool {
    let as_stored = |forward: &BTreeMap<Forward, u32>| -> BTreeMap<String, u32> {
        let resolved = resolved(forward, groups);
        resolved.into_iter().map(|(arn, weight)| (arn.to_string(), weight)).collect()
    };
    let Some(listener) = model.listener_of(arn) else { return false };
    let rules: BTreeMap<String, BTreeMap<String, u32>> =
        model.rules_of(arn).map(|rule| (rule.priority.clone(), rule.forward.clone())).collect();
    let wanted_rules: BTreeMap<String, BTreeMap<String, u32>> = (1..)
        .zip(&wanted.rules)
        .map(|(n, rule): (u32, _)| (n.to_string(), as_stored(rule)))
        .collect();
    listener.protocol == wanted.protocol
        && listener.forward == as_stored(&wanted.forward)
        && rules == wanted_rules
}

fn resolved(
    forward: &BTreeMap<Forward, u32>,
    groups: &BTreeMap<String, TargetGroupArn>,
) -> BTreeMap<TargetGroupArn, u32> {
    let arn = |to: &Forward| match to {
        Forward::Own(resource) => groups.get(resource).cloned(),
        Forward::Foreign(arn) => arn.parse().ok(),
    };
    forward.iter().filter_map(|(to, weight)| Some((arn(to)?, *weight))).collect()
}
