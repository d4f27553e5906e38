//! The document of `status`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{ContextReport, is_false};
use crate::binding::{Flavour, Owner, PortRef};
use crate::checkpoint::Checkpoint;
use crate::class::Class;
use crate::endpoints::LeftOut;
use crate::findings::Finding;
use crate::target::{Health, TargetGroupArn};

/// The document of `status`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// [`API_VERSION`](super::API_VERSION).
    pub api_version: &'static str,
    /// `Status`.
    pub kind: &'static str,
    /// When the observation ended.
    pub observed_at: Timestamp,
    /// Whether everything asked for could be read; false leads to exit code 3.
    pub complete: bool,
    /// Whether the world is simulated; left out where it is not.
    #[serde(skip_serializing_if = "is_false")]
    pub demo: bool,
    /// One entry for each context of the reading set.
    pub contexts: Vec<ContextReport>,
    /// The target groups chosen, by ARN.
    pub target_groups: Vec<GroupStatus>,
    /// What is wrong, worst first.
    pub findings: Vec<Finding>,
}

/// A target group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupStatus {
    /// Its ARN.
    pub arn: TargetGroupArn,
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// `ip` or `instance`.
    pub target_type: Option<String>,
    /// `ipv4` or `ipv6`.
    pub ip_address_type: Option<String>,
    /// Its protocol.
    pub protocol: Option<String>,
    /// Its default port.
    pub port: Option<u16>,
    /// Its VPC.
    pub vpc_id: Option<String>,
    /// Whether targets are reached across zones; `null` where that is not known.
    pub cross_zone: Option<bool>,
    /// How shares were computed; `null` where none is healthy or it is not known.
    pub share_basis: Option<ShareBasis>,
    /// The load balancers it is attached to; `null` where that is not known.
    pub load_balancers: Option<Vec<LoadBalancerStatus>>,
    /// Its targets by health; `null` where they could not be read.
    pub health: Option<HealthCounts>,
    /// The bindings of observed clusters, by context, namespace and name.
    pub bindings: Vec<BindingStatus>,
    /// Its targets: registered, draining, desired and tracked ones; `null` where they could not be read.
    pub targets: Option<Vec<TargetStatus>>,
    /// What losing each cluster would leave.
    pub if_lost: Vec<IfLost>,
}

/// How shares were computed (`product.md` 5.4, status).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ShareBasis {
    /// Cross-zone off: each zone in service gets an equal part.
    Zones,
    /// Cross-zone on: each healthy target gets an equal part.
    Targets,
}

/// A load balancer of a group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancerStatus {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `network` or `application`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its DNS name.
    pub dns_name: Option<String>,
    /// `internal` or `internet-facing`.
    pub scheme: Option<String>,
    /// `active` and the like.
    pub state: Option<String>,
    /// Whether AWS refuses to delete it; `null` where that is not known.
    pub deletion_protection: Option<bool>,
    /// The zones it serves.
    pub availability_zones: Vec<String>,
    /// The listeners that forward to the group; `null` where they could not be read.
    pub listeners: Option<Vec<ListenerStatus>>,
}

/// A listener that forwards to the group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    /// Its ARN.
    pub arn: String,
    /// Its protocol.
    pub protocol: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// The group's part of the weights of the action that names it, from 0 to 1.
    pub weight: f64,
}

/// Targets counted by health state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCounts {
    /// Serving.
    pub healthy: usize,
    /// In their first checks.
    pub initial: usize,
    /// Failing their checks (`unhealthy.draining` included).
    pub unhealthy: usize,
    /// On their way out.
    pub draining: usize,
    /// Never checked.
    pub unused: usize,
    /// Checks off, a fault of ELB, or a state this program does not know.
    pub unavailable: usize,
}

/// A binding of a group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingStatus {
    /// Its context.
    pub context: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Whose API group it is of.
    pub controller: Flavour,
    /// Whether its flag is on.
    pub multi_cluster: bool,
    /// The object it was made for, by its stack labels.
    pub owner: Option<Owner>,
    /// The Service whose endpoints it registers.
    pub service: ServiceReport,
    /// How many targets its endpoints ask for; `null` where that is not known.
    pub desired: Option<usize>,
    /// How many targets its ledger tracks; `null` without a readable ledger.
    pub tracked: Option<usize>,
    /// How many of desired and tracked are registered.
    pub registered: Option<usize>,
    /// How many of those are healthy.
    pub healthy: Option<usize>,
    /// The same by zone.
    pub healthy_by_zone: Option<BTreeMap<String, usize>>,
    /// The part of new connections it should get, from 0 to 1; `null` when none is healthy.
    pub share: Option<f64>,
    /// The size of its ledger in bytes.
    pub ledger_bytes: Option<usize>,
    /// How the controller's checkpoint compares with endpoints and spec; `null` where not known.
    pub checkpoint: Option<Checkpoint>,
    /// The one word for it.
    pub state: BindingState,
    /// Why its endpoints or its ledger are not known, in words.
    pub problem: Option<String>,
    /// Its endpoints that are no targets, and why.
    pub left_out: Vec<LeftOut>,
}

/// The Service and port of a binding.
#[derive(Clone, Debug, Serialize)]
pub struct ServiceReport {
    /// The Service.
    pub name: String,
    /// The port, by name or number.
    pub port: PortRef,
}

/// The state of a binding: the first that applies, in this order (`product.md` 8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BindingState {
    /// Something that decides it could not be read.
    Unknown,
    /// Its group is gone, its Service or port is missing, or its ledger is none.
    Failing,
    /// Its flag is off.
    Exclusive,
    /// A target is missing, stale, untracked, phantom or contested.
    Drifted,
    /// A difference is too young to count.
    Pending,
    /// Everything is as it should be.
    InSync,
}

/// A target of a group.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// Its address or instance id.
    pub id: String,
    /// Its port.
    pub port: u16,
    /// Its QUIC server id.
    pub quic_server_id: Option<String>,
    /// The zone ELBv2 recorded.
    pub availability_zone: Option<String>,
    /// Its class.
    pub class: Class,
    /// Whether the difference is too young to count.
    pub pending: bool,
    /// The pod that asks for it, as `namespace/name`.
    pub pod: Option<String>,
    /// The node that asks for it or runs that pod.
    pub node: Option<String>,
    /// Why the group cannot take it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unregistrable: Option<crate::endpoints::Unregistrable>,
    /// Its health; `null` where ELBv2 does not list it.
    pub health: Option<Health>,
    /// The bindings that desire it.
    pub desired_by: Vec<Claim>,
    /// The bindings whose ledgers track it.
    pub tracked_by: Vec<Claim>,
}

/// A binding that claims a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Claim {
    /// Its context.
    pub context: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub binding: String,
}

/// What losing a cluster would leave of a group.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IfLost {
    /// The cluster's context.
    pub context: String,
    /// How many healthy targets would be left.
    pub healthy_left: usize,
    /// The part of new connections that the others get today, from 0 to 1; `null` where not known.
    pub share_left: Option<f64>,
    /// Zones that serve now and would serve nothing.
    pub zones_dark: Vec<String>,
    /// Whether the load balancer belongs to that cluster and would go with it.
    pub owns_load_balancer: Option<bool>,
}
