//! From the SDK's types to our own words, and back.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_elasticloadbalancingv2::types;

use super::Registration;
use crate::facts::{Forward, Listener, LoadBalancer, TargetGroup};
use crate::target::{Health, HealthState, Target, TargetDescription, TargetGroupArn};

/// An answer that lacks what ELBv2 promises, as a fragment: "a target without a port".
pub(super) type Missing = String;

pub(super) fn target_group(group: &types::TargetGroup) -> Result<TargetGroup, Missing> {
    let arn = group.target_group_arn().ok_or("a target group without an ARN")?;
    Ok(TargetGroup {
        arn: arn.parse::<TargetGroupArn>().map_err(|invalid| invalid.to_string())?,
        target_type: group
            .target_type()
            .map(|kind| kind.as_str().to_owned())
            .ok_or_else(|| format!("the target group `{arn}` without a target type"))?,
        // Groups of before IPv6 were all IPv4 (ELBv2 API, TargetGroup).
        ip_address_type: group
            .ip_address_type()
            .map_or_else(|| "ipv4".to_owned(), |kind| kind.as_str().to_owned()),
        protocol: group.protocol().map(|protocol| protocol.as_str().to_owned()),
        port: group.port().and_then(port),
        vpc_id: group.vpc_id().map(str::to_owned),
        health_check_port: group.health_check_port().map(str::to_owned),
        load_balancer_arns: group.load_balancer_arns().iter().cloned().collect(),
    })
}

pub(super) fn described(
    description: &types::TargetHealthDescription,
) -> Result<TargetDescription, Missing> {
    let target = description.target().ok_or("a health without a target")?;
    let id = target.id().ok_or("a target without an id")?;
    let health = description.target_health();
    let state = health
        .and_then(types::TargetHealth::state)
        .ok_or_else(|| format!("the target `{id}` without a health"))?;
    Ok(TargetDescription {
        target: Target {
            id: id.to_owned(),
            port: target
                .port()
                .and_then(port)
                .ok_or_else(|| format!("the target `{id}` without a port"))?,
            quic_server_id: target.quic_server_id().map(str::to_owned),
        },
        availability_zone: target.availability_zone().map(str::to_owned),
        health: Health {
            state: HealthState::from(state.as_str().to_owned()),
            reason: health
                .and_then(types::TargetHealth::reason)
                .map(|reason| reason.as_str().to_owned()),
            description: health.and_then(types::TargetHealth::description).map(str::to_owned),
        },
    })
}

pub(super) fn load_balancer(balancer: &types::LoadBalancer) -> Result<LoadBalancer, Missing> {
    let arn = balancer.load_balancer_arn().ok_or("a load balancer without an ARN")?;
    Ok(LoadBalancer {
        arn: arn.to_owned(),
        name: balancer
            .load_balancer_name()
            .ok_or_else(|| format!("the load balancer `{arn}` without a name"))?
            .to_owned(),
        kind: balancer
            .r#type()
            .map(|kind| kind.as_str().to_owned())
            .ok_or_else(|| format!("the load balancer `{arn}` without a type"))?,
        dns_name: balancer.dns_name().map(str::to_owned),
        scheme: balancer.scheme().map(|scheme| scheme.as_str().to_owned()),
        state: balancer
            .state()
            .and_then(types::LoadBalancerState::code)
            .map(|code| code.as_str().to_owned()),
        availability_zones: balancer
            .availability_zones()
            .iter()
            .filter_map(|zone| zone.zone_name().map(str::to_owned))
            .collect(),
        security_groups: balancer.security_groups().iter().cloned().collect::<BTreeSet<_>>(),
    })
}

/// A listener with its default action; the rules come on top.
pub(super) fn listener(listener: &types::Listener) -> Result<Listener, Missing> {
    Ok(Listener {
        arn: listener.listener_arn().ok_or("a listener without an ARN")?.to_owned(),
        port: listener.port().and_then(port),
        protocol: listener.protocol().map(|protocol| protocol.as_str().to_owned()),
        forwards: forwards(None, listener.default_actions()),
    })
}

/// The forward actions of a rule; the default rule repeats the listener's default action.
pub(super) fn rule(rule: &types::Rule) -> Vec<Forward> {
    if rule.is_default().unwrap_or_default() {
        return Vec::new();
    }
    forwards(rule.rule_arn(), rule.actions())
}

fn forwards(rule_arn: Option<&str>, actions: &[types::Action]) -> Vec<Forward> {
    actions
        .iter()
        .filter(|action| action.r#type() == Some(&types::ActionTypeEnum::Forward))
        .map(|action| {
            let mut weights: BTreeMap<String, u32> = action
                .forward_config()
                .map(types::ForwardActionConfig::target_groups)
                .unwrap_or_default()
                .iter()
                .filter_map(|tuple| {
                    // A group without a weight has its default, 1 (ELBv2 API, TargetGroupTuple).
                    let weight = tuple.weight().unwrap_or(1).max(0).unsigned_abs();
                    Some((tuple.target_group_arn()?.to_owned(), weight))
                })
                .collect();
            // Both forms may name the same group; it counts once, with its weight.
            if let Some(arn) = action.target_group_arn() {
                weights.entry(arn.to_owned()).or_insert(1);
            }
            Forward { rule_arn: rule_arn.map(str::to_owned), weights }
        })
        .collect()
}

pub(super) fn tags(tags: &[types::Tag]) -> BTreeMap<String, String> {
    tags.iter()
        .filter_map(|tag| Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned())))
        .collect()
}

pub(super) fn registration(registration: &Registration) -> types::TargetDescription {
    sent(&registration.target, registration.availability_zone.clone())
}

/// The exact description that ELBv2 gave, zone included (`facts/elbv2.md` 1.3).
pub(super) fn deregistration(description: &TargetDescription) -> types::TargetDescription {
    sent(&description.target, description.availability_zone.clone())
}

fn sent(target: &Target, availability_zone: Option<String>) -> types::TargetDescription {
    types::TargetDescription::builder()
        .id(&target.id)
        .port(i32::from(target.port))
        .set_availability_zone(availability_zone)
        .set_quic_server_id(target.quic_server_id.clone())
        .build()
}

fn port(port: i32) -> Option<u16> {
    u16::try_from(port).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(arn: &str, weight: Option<i32>) -> types::TargetGroupTuple {
        types::TargetGroupTuple::builder().target_group_arn(arn).set_weight(weight).build()
    }

    fn forward(arn: Option<&str>, tuples: Vec<types::TargetGroupTuple>) -> types::Action {
        types::Action::builder()
            .r#type(types::ActionTypeEnum::Forward)
            .set_target_group_arn(arn.map(str::to_owned))
            .forward_config(
                types::ForwardActionConfig::builder().set_target_groups(Some(tuples)).build(),
            )
            .build()
    }

    #[test]
    fn a_group_named_in_both_forms_counts_once_with_its_weight() {
        let action = forward(Some("a"), vec![tuple("a", Some(0))]);
        assert_eq!(forwards(None, &[action])[0].weights, BTreeMap::from([("a".to_owned(), 0)]));
    }

    #[test]
    fn a_group_without_a_weight_has_the_weight_one() {
        let action = forward(None, vec![tuple("a", None), tuple("b", Some(7))]);
        let weights = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 7)]);
        assert_eq!(forwards(None, &[action])[0].weights, weights);
    }

    #[test]
    fn an_action_that_does_not_forward_leads_nowhere() {
        let action = types::Action::builder()
            .r#type(types::ActionTypeEnum::FixedResponse)
            .target_group_arn("a")
            .build();
        assert_eq!(forwards(None, &[action]), []);
    }

    #[test]
    fn the_default_rule_repeats_the_default_action_and_is_left_out() {
        let of = |is_default| {
            rule(
                &types::Rule::builder()
                    .rule_arn("r")
                    .is_default(is_default)
                    .actions(forward(Some("a"), Vec::new()))
                    .build(),
            )
        };
        assert_eq!(of(true), []);
        assert_eq!(of(false)[0].rule_arn.as_deref(), Some("r"));
    }

    #[test]
    fn a_target_is_deregistered_as_it_was_described() {
        let description = types::TargetHealthDescription::builder()
            .target(
                types::TargetDescription::builder()
                    .id("10.0.0.1")
                    .port(443)
                    .availability_zone("all")
                    .quic_server_id("0x00000000000000ab")
                    .build(),
            )
            .target_health(
                types::TargetHealth::builder()
                    .state(types::TargetHealthStateEnum::UnhealthyDraining)
                    .build(),
            )
            .build();
        let ours = described(&description).unwrap();
        assert_eq!(ours.health.state, HealthState::UnhealthyDraining);
        assert_eq!(Some(&deregistration(&ours)), description.target());
    }

    #[test]
    fn a_health_of_tomorrow_is_kept_as_it_is_spelled() {
        let description = types::TargetHealthDescription::builder()
            .target(types::TargetDescription::builder().id("10.0.0.1").port(80).build())
            .target_health(
                types::TargetHealth::builder()
                    .state(types::TargetHealthStateEnum::from("brand.new"))
                    .build(),
            )
            .build();
        let state = described(&description).unwrap().health.state;
        assert_eq!(state, HealthState::Other("brand.new".to_owned()));
    }

    #[test]
    fn an_answer_that_lacks_a_port_says_so() {
        let description = types::TargetHealthDescription::builder()
            .target(types::TargetDescription::builder().id("10.0.0.1").build())
            .target_health(
                types::TargetHealth::builder().state(types::TargetHealthStateEnum::Healthy).build(),
            )
            .build();
        assert_eq!(described(&description).unwrap_err(), "the target `10.0.0.1` without a port");
    }
}
