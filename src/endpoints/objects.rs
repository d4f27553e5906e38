//! The Kubernetes objects that decide endpoints, reduced to the fields that do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::binding::PortRef;

/// A pod's namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PodName {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl fmt::Display for PodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its labels.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its type.
    pub kind: ServiceType,
    /// The address families it is of; empty where it does not tell.
    #[serde(default)]
    pub families: Vec<AddressFamily>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
}

/// The type of a Service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ServiceType {
    /// Reached inside the cluster only.
    ClusterIP,
    /// Reached on a port of every node.
    NodePort,
    /// Reached through a load balancer, and usually on node ports too.
    LoadBalancer,
    /// A DNS alias.
    ExternalName,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePort {
    /// Its name; empty where the only port has none.
    pub name: String,
    /// Its protocol: `TCP`, `UDP` or `SCTP`.
    #[serde(default = "tcp")]
    pub protocol: String,
    /// Its number.
    pub port: u16,
    /// The pods' port behind it, by number or by the name it has there; none means the same number.
    #[serde(default)]
    pub target_port: Option<PortRef>,
    /// Its port on every node; 0 where it has none.
    pub node_port: u16,
}

impl ServicePort {
    /// The pods' port behind it, by number or by the name it has there.
    pub fn target(&self) -> PortRef {
        self.target_port.clone().unwrap_or_else(|| PortRef::Number(self.port.into()))
    }
}

fn tcp() -> String {
    "TCP".to_owned()
}

/// An EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointSlice {
    /// Its namespace.
    pub namespace: String,
    /// The Service it belongs to (label `kubernetes.io/service-name`).
    pub service: String,
    /// Its address family; none for FQDN slices.
    pub family: Option<AddressFamily>,
    /// Its ports.
    pub ports: Vec<SlicePort>,
    /// Its endpoints.
    pub endpoints: Vec<SliceEndpoint>,
}

/// The address family of a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AddressFamily {
    /// IPv4.
    IPv4,
    /// IPv6.
    IPv6,
}

/// A port of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SlicePort {
    /// Its name; empty where it has none.
    pub name: String,
    /// Its number; 0 where it has none.
    pub port: u16,
}

/// An endpoint of an EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SliceEndpoint {
    /// The first of its addresses, the only one that counts.
    pub address: Option<String>,
    /// Whether it is ready; none means unknown, which counts as ready.
    pub ready: Option<bool>,
    /// Whether it is terminating.
    pub terminating: bool,
    /// The pod behind it.
    pub pod: Option<PodName>,
    /// The node it runs on.
    pub node: Option<String>,
    /// That node's zone.
    pub zone: Option<String>,
}

/// A pod's metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PodStub {
    /// Which pod.
    pub name: PodName,
    /// When it was made.
    pub created_at: Option<Timestamp>,
}

/// A pod, read whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Which pod.
    pub name: PodName,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When its deletion was asked for.
    pub deleted_at: Option<Timestamp>,
    /// Its address.
    pub address: Option<String>,
    /// The node it runs on.
    pub node: Option<String>,
    /// Whether its containers are ready (condition `ContainersReady`).
    pub containers_ready: bool,
    /// Since when it is ready (condition `Ready`); none while it is not.
    pub ready_since: Option<Timestamp>,
    /// The bindings whose target-health readiness gates it declares and that are not true: it is not
    /// ready until their controller sets them.
    #[serde(default)]
    pub unmet_gates: BTreeSet<String>,
    /// Whether it carries the annotation that turns QUIC server ids on.
    pub quic_enabled: bool,
    /// Its containers and sidecars, in order.
    pub containers: Vec<Container>,
}

/// A container, as far as QUIC server ids go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// The ports it declares.
    pub ports: Vec<u16>,
    /// The value of its environment variable `AWS_LBC_QUIC_SERVER_ID`, in base64.
    pub quic_server_id: Option<String>,
}

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its taints.
    pub taints: Vec<Taint>,
    /// Its provider id; empty where it has none.
    pub provider_id: String,
    /// Its addresses of every type.
    pub addresses: Vec<String>,
    /// Its condition `Ready`.
    pub ready: NodeReady,
}

impl Node {
    /// Its zone, by label.
    pub fn zone(&self) -> Option<&str> {
        self.labels.get("topology.kubernetes.io/zone").map(String::as_str)
    }

    /// Its region, by label.
    pub fn region(&self) -> Option<&str> {
        self.labels.get("topology.kubernetes.io/region").map(String::as_str)
    }
}

/// A node's condition `Ready`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum NodeReady {
    /// True.
    Ready,
    /// False, or no such condition.
    NotReady,
    /// Unknown: the node's kubelet is silent.
    Unknown,
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its effect.
    pub effect: String,
}
