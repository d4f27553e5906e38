//! What endpoints are made of: Services, EndpointSlices, Pods and Nodes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::{NamedMeta, nullable};
use crate::binding::PortRef;

#[derive(Deserialize)]
pub(in crate::cluster) struct Service {
    pub(in crate::cluster) metadata: NamedMeta,
    pub(in crate::cluster) spec: ServiceSpec,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct ServiceSpec {
    #[serde(rename = "type")]
    pub(in crate::cluster) kind: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) ip_families: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) ports: Vec<ServicePort>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct ServicePort {
    pub(in crate::cluster) name: Option<String>,
    pub(in crate::cluster) protocol: Option<String>,
    pub(in crate::cluster) port: u16,
    pub(in crate::cluster) target_port: Option<PortRef>,
    pub(in crate::cluster) node_port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct EndpointSlice {
    pub(in crate::cluster) metadata: LabelledMeta,
    pub(in crate::cluster) address_type: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) endpoints: Vec<SliceEndpoint>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) ports: Vec<SlicePort>,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct LabelledMeta {
    #[serde(default)]
    pub(in crate::cluster) namespace: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct SlicePort {
    pub(in crate::cluster) name: Option<String>,
    pub(in crate::cluster) port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct SliceEndpoint {
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) addresses: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) conditions: EndpointConditions,
    pub(in crate::cluster) target_ref: Option<TargetRef>,
    pub(in crate::cluster) node_name: Option<String>,
    pub(in crate::cluster) zone: Option<String>,
}

#[derive(Default, Deserialize)]
pub(in crate::cluster) struct EndpointConditions {
    pub(in crate::cluster) ready: Option<bool>,
    pub(in crate::cluster) terminating: Option<bool>,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct TargetRef {
    #[serde(default)]
    pub(in crate::cluster) kind: String,
    #[serde(default)]
    pub(in crate::cluster) namespace: String,
    #[serde(default)]
    pub(in crate::cluster) name: String,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct Pod {
    pub(in crate::cluster) metadata: PodMeta,
    pub(in crate::cluster) spec: PodSpec,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) status: PodStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct PodMeta {
    pub(in crate::cluster) name: String,
    #[serde(default)]
    pub(in crate::cluster) namespace: String,
    pub(in crate::cluster) creation_timestamp: Option<Timestamp>,
    pub(in crate::cluster) deletion_timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct PodSpec {
    pub(in crate::cluster) node_name: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) readiness_gates: Vec<ReadinessGate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct ReadinessGate {
    pub(in crate::cluster) condition_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct Container {
    pub(in crate::cluster) image: Option<String>,
    pub(in crate::cluster) restart_policy: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) command: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) args: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) ports: Vec<ContainerPort>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) env: Vec<EnvVar>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct ContainerPort {
    pub(in crate::cluster) container_port: u16,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct EnvVar {
    pub(in crate::cluster) name: String,
    pub(in crate::cluster) value: Option<String>,
}

#[derive(Default, Deserialize)]
pub(in crate::cluster) struct PodStatus {
    #[serde(rename = "podIP")]
    pub(in crate::cluster) pod_ip: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct Condition {
    #[serde(rename = "type")]
    pub(in crate::cluster) kind: String,
    pub(in crate::cluster) status: String,
    pub(in crate::cluster) last_transition_time: Option<Timestamp>,
    #[serde(default)]
    pub(in crate::cluster) message: String,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct Node {
    pub(in crate::cluster) metadata: NodeMeta,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) spec: NodeSpec,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) status: NodeStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct NodeMeta {
    pub(in crate::cluster) name: String,
    pub(in crate::cluster) creation_timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
pub(in crate::cluster) struct NodeSpec {
    #[serde(default, rename = "providerID")]
    pub(in crate::cluster) provider_id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) taints: Vec<Taint>,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct Taint {
    pub(in crate::cluster) key: String,
    #[serde(default)]
    pub(in crate::cluster) effect: String,
}

#[derive(Default, Deserialize)]
pub(in crate::cluster) struct NodeStatus {
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) addresses: Vec<NodeAddress>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) conditions: Vec<Condition>,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct NodeAddress {
    pub(in crate::cluster) address: String,
}
