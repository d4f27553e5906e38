//! Operations: a form in, the XML of the result out.

use std::collections::BTreeMap;

use super::form::Form;
use super::xml::Xml;
use crate::sim::elbv2::{
    ApiError, Described, Group, GroupFilter, Listener, ListenerFilter, LoadBalancer,
    LoadBalancerFilter, Model, Operation, Page, Rule, RuleFilter,
};

/// Does what a form asks for.
pub(super) fn answer(
    operation: Operation,
    model: &mut Model,
    form: &Form,
) -> Result<String, ApiError> {
    let owned = |path: &str| form.get(path).map(str::to_owned);
    let mut xml = Xml::default();
    match operation {
        Operation::RegisterTargets => {
            model.register_targets(form.required("TargetGroupArn")?, &form.targets()?)?;
        }
        Operation::DeregisterTargets => {
            model.deregister_targets(form.required("TargetGroupArn")?, &form.targets()?)?;
        }
        Operation::DescribeTargetHealth => {
            let arn = form.required("TargetGroupArn")?;
            let described = model.describe_target_health(arn, &form.targets()?)?;
            xml.list("TargetHealthDescriptions", described, |xml, target| health(xml, &target));
        }
        Operation::DescribeTargetGroups => {
            let filter = GroupFilter {
                load_balancer_arn: owned("LoadBalancerArn"),
                arns: form.list("TargetGroupArns"),
                names: form.list("Names"),
            };
            let found = model.describe_target_groups(&filter, &form.paging()?)?;
            page(&mut xml, "TargetGroups", found, |xml, found| group(xml, model, &found));
        }
        Operation::DescribeTargetGroupAttributes => {
            let arn = form.required("TargetGroupArn")?;
            attributes(&mut xml, "Attributes", &model.describe_target_group_attributes(arn)?);
        }
        Operation::DescribeLoadBalancers => {
            let filter = LoadBalancerFilter {
                arns: form.list("LoadBalancerArns"),
                names: form.list("Names"),
            };
            let found = model.describe_load_balancers(&filter, &form.paging()?)?;
            page(&mut xml, "LoadBalancers", found, |xml, found| load_balancer(xml, &found));
        }
        Operation::DescribeLoadBalancerAttributes => {
            let arn = form.required("LoadBalancerArn")?;
            attributes(&mut xml, "Attributes", &model.describe_load_balancer_attributes(arn)?);
        }
        Operation::ModifyLoadBalancerAttributes => {
            let arn = form.required("LoadBalancerArn")?;
            let after = model.modify_load_balancer_attributes(arn, &form.attributes())?;
            attributes(&mut xml, "Attributes", &after);
        }
        Operation::DescribeTags => {
            let described = model.describe_tags(&form.list("ResourceArns"))?;
            xml.list("TagDescriptions", described, |xml, (arn, tags)| {
                xml.text("ResourceArn", &arn);
                attributes(xml, "Tags", &tags);
            });
        }
        Operation::DescribeListeners => {
            let filter = ListenerFilter {
                load_balancer_arn: owned("LoadBalancerArn"),
                arns: form.list("ListenerArns"),
            };
            let found = model.describe_listeners(&filter, &form.paging()?)?;
            page(&mut xml, "Listeners", found, |xml, found| listener(xml, &found));
        }
        Operation::DescribeRules => {
            let filter =
                RuleFilter { listener_arn: owned("ListenerArn"), arns: form.list("RuleArns") };
            let found = model.describe_rules(&filter, &form.paging()?)?;
            page(&mut xml, "Rules", found, |xml, found| rule(xml, &found));
        }
        Operation::DescribeAccountLimits => {
            let found = model.describe_account_limits(&form.paging()?)?;
            page(&mut xml, "Limits", found, |xml, (name, max)| {
                xml.text("Name", &name);
                xml.text("Max", &max.to_string());
            });
        }
    }
    Ok(xml.into_string())
}

fn page<T>(xml: &mut Xml, name: &str, page: Page<T>, write: impl FnMut(&mut Xml, T)) {
    xml.list(name, page.items, write);
    xml.optional("NextMarker", page.next.as_deref());
}

fn attributes(xml: &mut Xml, name: &str, attributes: &BTreeMap<String, String>) {
    xml.list(name, attributes, |xml, (key, value)| {
        xml.text("Key", key);
        xml.text("Value", value);
    });
}

fn texts(xml: &mut Xml, name: &str, texts: impl IntoIterator<Item = impl AsRef<str>>) {
    xml.list(name, texts, |xml, text| xml.escaped(text.as_ref()));
}

fn health(xml: &mut Xml, described: &Described) {
    let description = &described.description;
    xml.element("Target", |xml| {
        xml.text("Id", &description.target.id);
        xml.text("Port", &description.target.port.to_string());
        xml.optional("AvailabilityZone", description.availability_zone.as_deref());
        xml.optional("QuicServerId", description.target.quic_server_id.as_deref());
    });
    xml.text("HealthCheckPort", &described.health_check_port);
    xml.element("TargetHealth", |xml| {
        xml.text("State", description.health.state.as_str());
        xml.optional("Reason", description.health.reason.as_deref());
        xml.optional("Description", description.health.description.as_deref());
    });
    xml.element("AdministrativeOverride", |xml| {
        xml.text("State", described.administrative_override);
    });
}

fn group(xml: &mut Xml, model: &Model, group: &Group) {
    xml.text("TargetGroupArn", group.arn.as_str());
    xml.text("TargetGroupName", group.arn.name());
    xml.text("Protocol", &group.protocol);
    xml.text("Port", &group.port.to_string());
    xml.text("VpcId", &group.vpc_id);
    xml.text("HealthCheckProtocol", "TCP");
    xml.text("HealthCheckPort", &group.health_check_port);
    xml.text("HealthCheckEnabled", "true");
    texts(xml, "LoadBalancerArns", model.load_balancer_arns(group));
    xml.text("TargetType", &group.target_type);
    xml.text("IpAddressType", &group.ip_address_type);
}

fn load_balancer(xml: &mut Xml, load_balancer: &LoadBalancer) {
    xml.text("LoadBalancerArn", &load_balancer.arn);
    xml.text("DNSName", &load_balancer.dns_name);
    xml.text("LoadBalancerName", &load_balancer.name);
    xml.text("Scheme", &load_balancer.scheme);
    xml.text("VpcId", &load_balancer.vpc_id);
    xml.element("State", |xml| xml.text("Code", &load_balancer.state));
    xml.text("Type", &load_balancer.kind);
    xml.list("AvailabilityZones", &load_balancer.zones, |xml, (zone, subnet)| {
        xml.text("ZoneName", zone);
        xml.text("SubnetId", subnet);
    });
    texts(xml, "SecurityGroups", &load_balancer.security_groups);
    xml.text("IpAddressType", &load_balancer.ip_address_type);
}

fn listener(xml: &mut Xml, listener: &Listener) {
    xml.text("ListenerArn", &listener.arn);
    xml.text("LoadBalancerArn", &listener.load_balancer_arn);
    xml.text("Port", &listener.port.to_string());
    xml.text("Protocol", &listener.protocol);
    xml.list("DefaultActions", [&listener.forward], forward);
}

fn rule(xml: &mut Xml, rule: &Rule) {
    xml.text("RuleArn", &rule.arn);
    xml.text("Priority", &rule.priority);
    xml.list("Conditions", std::iter::empty::<()>(), |_, ()| {});
    xml.list("Actions", [&rule.forward], forward);
    xml.text("IsDefault", if rule.is_default() { "true" } else { "false" });
}

/// A forward action; of a single group the short form is there too (4.4).
fn forward(xml: &mut Xml, weights: &BTreeMap<String, u32>) {
    xml.text("Type", "forward");
    if let (1, Some(arn)) = (weights.len(), weights.keys().next()) {
        xml.text("TargetGroupArn", arn);
    }
    xml.element("ForwardConfig", |xml| {
        xml.list("TargetGroups", weights, |xml, (arn, weight)| {
            xml.text("TargetGroupArn", arn);
            xml.text("Weight", &weight.to_string());
        });
    });
}
