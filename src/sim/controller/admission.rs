//! What the controller's webhook makes of a binding that is created or updated (`facts/lbc.md` 1.2;
//! LBC 3.5, `webhooks/elbv2`). Pure: the AWS side is a model to look into.

use crate::binding::{Binding, BindingSpec, IpAddressType, TargetType};
use crate::sim::elbv2::{ApiError, Group, GroupFilter, Model, Paging};

/// The path under which it fills in what is missing.
pub const MUTATE_PATH: &str = "/mutate-elbv2-k8s-aws-v1beta1-targetgroupbinding";

/// The path under which it refuses.
pub const VALIDATE_PATH: &str = "/validate-elbv2-k8s-aws-v1beta1-targetgroupbinding";

/// Fills in what a new binding leaves out; an updated one it leaves as it is.
///
/// # Errors
///
/// Why it is refused, in the controller's words.
pub fn fill_in(spec: &BindingSpec, model: &Model) -> Result<BindingSpec, String> {
    let mut spec = spec.clone();
    if spec.target_group_arn.is_empty() && spec.target_group_name.is_empty() {
        return Err("must provide either TargetGroupARN or TargetGroupName".to_owned());
    }
    if spec.target_group_arn.is_empty() {
        spec.target_group_arn = by_name(&spec, model)?.arn.to_string();
    }
    if spec.target_type.is_none() {
        let group = by_arn(&spec, model).map_err(wrap("couldn't determine TargetType"))?;
        spec.target_type = Some(match group.target_type.as_str() {
            "instance" => TargetType::Instance,
            "ip" => TargetType::Ip,
            other => return Err(format!("unsupported TargetType: {other}")),
        });
    }
    if spec.ip_address_type.is_none() {
        spec.ip_address_type = Some(family(&spec, model)?);
    }
    if spec.vpc_id.is_empty() {
        let group = by_arn(&spec, model).map_err(wrap("unable to get target group VpcID"))?;
        spec.vpc_id = group.vpc_id;
    }
    if spec.target_group_protocol.is_none() {
        let group = by_arn(&spec, model);
        let group = group.map_err(wrap("couldn't determine TargetGroup protocol"))?;
        spec.target_group_protocol = Some(group.protocol);
    }
    Ok(spec)
}

/// Judges a new binding, as it was filled in; `others` are the cluster's bindings.
///
/// # Errors
///
/// Why it is refused, in the controller's words.
pub fn check_created<'a>(
    spec: &BindingSpec,
    others: impl IntoIterator<Item = &'a Binding>,
    model: &Model,
) -> Result<(), String> {
    let spec = required(spec, model)?;
    check_node_selector(&spec)?;
    check_duplicates(&spec, others)?;
    let family = family(&spec, model)?;
    if spec.ip_address_type.unwrap_or(IpAddressType::Ipv4) != family {
        let family = if family == IpAddressType::Ipv6 { "ipv6" } else { "ipv4" };
        let arn = &spec.target_group_arn;
        return Err(format!("invalid IP address type {family} for TargetGroup {arn}"));
    }
    check_vpc(&spec, model)?;
    check_role(&spec)?;
    check_protocol(&spec, model)
}

/// Judges an update, be it of metadata alone; `others` are the cluster's other bindings, and
/// `vpc_id` is the controller's own.
///
/// # Errors
///
/// Why it is refused, in the controller's words.
pub fn check_updated<'a>(
    spec: &BindingSpec,
    old: &BindingSpec,
    others: impl IntoIterator<Item = &'a Binding>,
    vpc_id: &str,
    model: &Model,
) -> Result<(), String> {
    let spec = required(spec, model)?;
    check_immutable(&spec, old, vpc_id)?;
    check_node_selector(&spec)?;
    check_role(&spec)?;
    check_duplicates(&spec, others)
}

/// The spec with its group's ARN, which a name alone is resolved to for the checks.
fn required(spec: &BindingSpec, model: &Model) -> Result<BindingSpec, String> {
    let mut spec = spec.clone();
    let mut absent = Vec::new();
    if spec.target_group_arn.is_empty() && spec.target_group_name.is_empty() {
        absent.push("either TargetGroupARN or TargetGroupName");
    } else if spec.target_group_arn.is_empty() {
        let said = format!("searching TargetGroup with name {}", spec.target_group_name);
        spec.target_group_arn = by_name(&spec, model).map_err(wrap(&said))?.arn.to_string();
    }
    if spec.target_type.is_none() {
        absent.push("spec.targetType");
    }
    if absent.is_empty() {
        return Ok(spec);
    }
    Err(format!("TargetGroupBinding must specify these fields: {}", absent.join(",")))
}

fn check_immutable(spec: &BindingSpec, old: &BindingSpec, vpc_id: &str) -> Result<(), String> {
    let ipv4 = IpAddressType::Ipv4;
    let vpc_changed = match (old.vpc_id.as_str(), spec.vpc_id.as_str()) {
        ("", new) => !new.is_empty() && new != vpc_id,
        (old, new) => old != new,
    };
    let family_changed = match (old.ip_address_type, spec.ip_address_type) {
        (None, Some(new)) => new != ipv4,
        (old, new) => old != new,
    };
    let changed = [
        ("spec.targetGroupARN", spec.target_group_arn != old.target_group_arn),
        ("spec.targetType", spec.target_type != old.target_type),
        ("spec.ipAddressType", family_changed),
        ("spec.vpcID", vpc_changed),
    ];
    let changed: Vec<&str> =
        changed.into_iter().filter(|(_, changed)| *changed).map(|(field, _)| field).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let said = "TargetGroupBinding update may not change these immutable fields";
    Err(format!("{said}: {}", changed.join(",")))
}

fn check_node_selector(spec: &BindingSpec) -> Result<(), String> {
    if spec.target_type == Some(TargetType::Ip) && spec.node_selector.is_some() {
        return Err("TargetGroupBinding cannot set NodeSelector when TargetType is ip".to_owned());
    }
    Ok(())
}

fn check_duplicates<'a>(
    spec: &BindingSpec,
    others: impl IntoIterator<Item = &'a Binding>,
) -> Result<(), String> {
    let arn = &spec.target_group_arn;
    let same: Vec<&Binding> =
        others.into_iter().filter(|other| other.spec.target_group_arn == *arn).collect();
    let all_shared = spec.multi_cluster_target_group
        && same.iter().all(|other| other.spec.multi_cluster_target_group);
    if same.is_empty() || all_shared {
        return Ok(());
    }
    let names: Vec<String> =
        same.iter().map(|other| format!("{}/{}", other.namespace, other.name)).collect();
    Err(format!(
        "TargetGroup {arn} is already bound to following TargetGroupBindings [{}]. Please enable \
         MultiCluster mode on all TargetGroupBindings referencing {arn} or choose a different Target \
         Group ARN.",
        names.join(" ")
    ))
}

fn check_vpc(spec: &BindingSpec, model: &Model) -> Result<(), String> {
    let id = &spec.vpc_id;
    if id.is_empty() {
        return Ok(());
    }
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let is_id = id
        .strip_prefix("vpc-")
        .is_some_and(|rest| matches!(rest.len(), 8 | 17 | 32) && rest.chars().all(is_hex));
    if !is_id {
        return Err(format!(
            "ValidationError: vpcID {id} failed to satisfy constraint: VPC Id must begin with 'vpc-' \
             followed by 8, 17 or 32 lowercase letters (a-f) or numbers."
        ));
    }
    let group = by_arn(spec, model).map_err(wrap("unable to get target group VpcID"))?;
    if group.vpc_id != *id {
        let arn = &spec.target_group_arn;
        return Err(format!("invalid VpcID {id} doesnt match VpcID from TargetGroup {arn}"));
    }
    Ok(())
}

fn check_role(spec: &BindingSpec) -> Result<(), String> {
    let with_role = !spec.iam_role_arn_to_assume.is_empty();
    if with_role && spec.target_type == Some(TargetType::Instance) {
        return Err("Unable to use instance target type while using assume role".to_owned());
    }
    Ok(())
}

fn check_protocol(spec: &BindingSpec, model: &Model) -> Result<(), String> {
    let Some(protocol) = &spec.target_group_protocol else { return Ok(()) };
    // The wording is the controller's.
    let group = by_arn(spec, model).map_err(wrap("unable to get target group VpcID"))?;
    if group.protocol != *protocol {
        return Err(format!(
            "TargetGroup {} protocol differs (got {protocol}, expected {})",
            spec.target_group_arn, group.protocol
        ));
    }
    if spec.is_quic() && spec.target_type == Some(TargetType::Instance) {
        return Err("QUIC protocol is not supported for Instance target types.".to_owned());
    }
    Ok(())
}

fn family(spec: &BindingSpec, model: &Model) -> Result<IpAddressType, String> {
    let group = by_arn(spec, model);
    let group = group.map_err(wrap("unable to get target group IP address type"))?;
    Ok(match group.ip_address_type.as_str() {
        "ipv6" => IpAddressType::Ipv6,
        _ => IpAddressType::Ipv4,
    })
}

fn by_arn(spec: &BindingSpec, model: &Model) -> Result<Group, String> {
    let arns = vec![spec.target_group_arn.clone()];
    one(spec, model, &spec.target_group_arn, GroupFilter { arns, ..GroupFilter::default() })
}

fn by_name(spec: &BindingSpec, model: &Model) -> Result<Group, String> {
    let names = vec![spec.target_group_name.clone()];
    one(spec, model, &spec.target_group_name, GroupFilter { names, ..GroupFilter::default() })
}

fn one(
    spec: &BindingSpec,
    model: &Model,
    asked: &str,
    filter: GroupFilter,
) -> Result<Group, String> {
    let role = &spec.iam_role_arn_to_assume;
    if !role.is_empty() && model.is_denied(role) {
        return Err(said(&ApiError::access_denied(role, "DescribeTargetGroups")));
    }
    let found = model.describe_target_groups(&filter, &Paging::default()).map_err(|e| said(&e))?;
    let [group] = <[Group; 1]>::try_from(found.items).map_err(|groups| {
        format!("expecting a single targetGroup with query [{asked}] but got {}", groups.len())
    })?;
    Ok(group)
}

fn said(error: &ApiError) -> String {
    format!("{}: {}", error.code, error.message)
}

fn wrap(what: &str) -> impl Fn(String) -> String + '_ {
    move |why| format!("{what}: {why}")
}

#[cfg(test)]
mod tests;
