//! What ELBv2 said: target groups, load balancers, and what leads from one to the other.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::Reading;
use crate::target::{TargetDescription, TargetGroupArn};

/// What ELBv2 said about one target group.
#[derive(Clone, Debug)]
pub struct GroupFacts {
    /// The group itself. [`SilenceReason::NotFound`](super::SilenceReason::NotFound): it is gone.
    pub group: Reading<TargetGroup>,
    /// Its targets, draining ones included.
    pub targets: Reading<Vec<TargetDescription>>,
    /// Its attributes.
    pub attributes: Reading<BTreeMap<String, String>>,
    /// Its tags.
    pub tags: Reading<BTreeMap<String, String>>,
    /// The load balancers it is attached to, with what leads to the group.
    pub load_balancers: Reading<Vec<LoadBalancerFacts>>,
}

impl GroupFacts {
    /// Whether targets are reached across zones; `None` where that is not known.
    ///
    /// The group's own attribute wins over the load balancer's, whose default is off for an NLB and
    /// on for an ALB (`facts/elbv2.md` 2.2, 4.2).
    pub fn cross_zone(&self) -> Option<bool> {
        const KEY: &str = "load_balancing.cross_zone.enabled";
        let own = self.attributes.as_ref().ok()?.get(KEY).map(String::as_str);
        match own {
            Some("true") => return Some(true),
            Some("false") => return Some(false),
            _ => {}
        }
        let load_balancer = self.load_balancers.as_ref().ok()?.first()?;
        let inherited = load_balancer.attributes.as_ref().ok()?.get(KEY).map(String::as_str);
        Some(
            inherited
                .map_or(load_balancer.load_balancer.kind == "application", |value| value == "true"),
        )
    }

    /// The targets that are registered, where they were read.
    pub fn registered(&self) -> impl Iterator<Item = &TargetDescription> {
        self.targets.iter().flatten().filter(|listed| listed.is_registered())
    }
}

/// A target group's settings (ELBv2 API, TargetGroup).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: TargetGroupArn,
    /// `ip`, `instance`, `alb` or `lambda`, as AWS spells it.
    pub target_type: String,
    /// `ipv4` or `ipv6`.
    pub ip_address_type: String,
    /// Its protocol; none for lambda.
    pub protocol: Option<String>,
    /// Its default port, which no controller's data path uses.
    pub port: Option<u16>,
    /// Its VPC; none for lambda.
    pub vpc_id: Option<String>,
    /// The port of its health checks: `traffic-port` or a number; none where AWS tells none.
    #[serde(default)]
    pub health_check_port: Option<String>,
    /// The ARNs of the load balancers that forward to it.
    pub load_balancer_arns: BTreeSet<String>,
}

/// A load balancer, and how it leads to the group.
#[derive(Clone, Debug)]
pub struct LoadBalancerFacts {
    /// The load balancer.
    pub load_balancer: LoadBalancer,
    /// Its attributes.
    pub attributes: Reading<BTreeMap<String, String>>,
    /// The listeners whose default action or rules forward to the group.
    pub listeners: Reading<Vec<Listener>>,
}

/// A load balancer's settings (ELBv2 API, LoadBalancer).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `network`, `application` or `gateway`.
    pub kind: String,
    /// Its DNS name.
    pub dns_name: Option<String>,
    /// `internal` or `internet-facing`.
    pub scheme: Option<String>,
    /// `active`, `provisioning`, `active_impaired` or `failed`.
    pub state: Option<String>,
    /// The zones it serves, by name.
    pub availability_zones: BTreeSet<String>,
    /// Its security groups; empty for an NLB made without any.
    pub security_groups: BTreeSet<String>,
}

/// A listener with every action of it (default and rules) that can forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Its ARN.
    pub arn: String,
    /// Its port.
    pub port: Option<u16>,
    /// Its protocol.
    pub protocol: Option<String>,
    /// The forward actions, default action first.
    pub forwards: Vec<Forward>,
}

/// One forward action: target groups by weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The rule's ARN; none for the default action.
    pub rule_arn: Option<String>,
    /// The weight of each group: 0 to 999.
    pub weights: BTreeMap<String, u32>,
}

impl Forward {
    /// The part of the action's weight that a group gets, from 0 to 1; `None` where the action does
    /// not name it.
    pub fn part(&self, arn: &TargetGroupArn) -> Option<f64> {
        let weight = *self.weights.get(arn.as_str())?;
        let total: u32 = self.weights.values().sum();
        Some(if total == 0 { 0.0 } else { f64::from(weight) / f64::from(total) })
    }
}
