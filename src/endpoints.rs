//! Service, EndpointSlices, Pods and Nodes in; desired targets out, and why the rest is not.
//!
//! This follows the controller's resolver rule by rule: compatibility is decided here. The rules
//! are numbered as in `facts/lbc.md` 3 (LBC 3.5, `pkg/backend/endpoint_resolver.go`). Pure, and
//! linear in the number of endpoints.

mod instances;
mod objects;
mod pods;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

pub use self::instances::instance_id;
pub use self::objects::{
    AddressFamily, Container, EndpointSlice, Node, NodeReady, Pod, PodName, PodStub, Service,
    ServicePort, ServiceType, SliceEndpoint, SlicePort, Taint,
};
pub use self::pods::whole_pods_needed;
use crate::binding::{BindingSpec, PortRef, TargetType};
use crate::facts::Silence;
use crate::target::Target;

/// What the condition type of a controller's readiness gate begins with; the binding's name follows
/// (`facts/lbc.md` 3).
pub const GATE_PREFIX: &str = "target-health.elbv2.k8s.aws/";

/// What a cluster offers behind one Service, as far as it was read.
#[derive(Clone, Copy, Debug)]
pub struct Backend<'a> {
    /// The Service; none where it does not exist.
    pub service: Option<&'a Service>,
    /// The EndpointSlices that carry the Service's name.
    pub slices: &'a [&'a EndpointSlice],
    /// The pods that exist, by name.
    pub pods: &'a BTreeMap<PodName, PodStub>,
    /// Those of them that were read whole; [`whole_pods_needed`] says which must be.
    pub whole_pods: &'a BTreeMap<PodName, Pod>,
    /// The nodes, by name.
    pub nodes: &'a BTreeMap<String, Node>,
}

/// The endpoints of one binding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// What the endpoints ask for, once each, with where it comes from.
    pub desired: BTreeMap<Target, Endpoint>,
    /// What is no target, and why.
    pub left_out: Vec<LeftOut>,
    /// Targets that were listed again, with when their pod was made: the controller's checkpoint
    /// counts them.
    pub repeats: Vec<(Target, Option<Timestamp>)>,
}

impl Endpoints {
    /// Makes endpoints of what was resolved, in the order it was listed.
    fn new(
        resolved: impl IntoIterator<Item = (Target, Endpoint)>,
        mut left_out: Vec<LeftOut>,
    ) -> Self {
        left_out.sort();
        left_out.dedup();
        let mut endpoints = Self { left_out, ..Self::default() };
        for (target, endpoint) in resolved {
            if let Some(known) = endpoints.desired.get(&target) {
                endpoints.repeats.push((target, known.created_at));
            } else {
                endpoints.desired.insert(target, endpoint);
            }
        }
        endpoints
    }

    /// The desired targets that the group can take.
    pub fn registrable(&self) -> impl Iterator<Item = &Target> {
        self.desired
            .iter()
            .filter(|(_, endpoint)| endpoint.unregistrable.is_none())
            .map(|(target, _)| target)
    }

    /// The desired targets as a set.
    pub fn targets(&self) -> BTreeSet<Target> {
        self.desired.keys().cloned().collect()
    }
}

/// Where a desired target comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The pod, for `ip` targets.
    pub pod: Option<PodName>,
    /// The node: the instance itself, or the one the pod runs on.
    pub node: Option<String>,
    /// The node's zone.
    pub zone: Option<String>,
    /// When the pod or node was made: part of the controller's checkpoint.
    pub created_at: Option<Timestamp>,
    /// When the pod became ready, where the pod was read whole.
    pub ready_since: Option<Timestamp>,
    /// The bindings whose target-health readiness gates its pod waits for.
    pub unmet_gates: BTreeSet<String>,
    /// Why the group cannot take it, if it cannot.
    pub unregistrable: Option<Unregistrable>,
}

/// Why a group cannot take a desired target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Unregistrable {
    /// A QUIC group takes no target without a server id, and the pod has none (I11).
    NoQuicServerId,
    /// The endpoint or Service has no port number: nothing can be registered on port 0 (I3, N1).
    NoPort,
}

/// An endpoint that is no target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LeftOut {
    /// The address, or the node's name.
    pub endpoint: String,
    /// The pod, where the endpoint names one.
    pub pod: Option<PodName>,
    /// Why it is none.
    pub reason: LeftOutReason,
}

/// Why an endpoint is no target; each names its rule in `facts/lbc.md` 3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum LeftOutReason {
    /// Its slice is of the other address family (I2).
    OtherAddressFamily,
    /// Its slice has no port of the Service port's name (I3).
    OtherPort,
    /// No pod stands behind it (I4).
    NoPod,
    /// It has no address (I4).
    NoAddress,
    /// Its pod does not exist (any more) (I5).
    PodGone,
    /// Not ready, and its containers are not ready either (I7).
    ContainersNotReady,
    /// Not ready, and its node does not exist (I7).
    NodeGone,
    /// Not ready, and its node is not ready (I7).
    NodeNotReady,
    /// Not ready, and terminating (I7).
    Terminating,
    /// Not ready on a node whose state is unknown, while others are ready (I8).
    NodeStateUnknown,
    /// The node carries a label that excludes it from load balancers (N2).
    NodeExcluded,
    /// The binding's node selector does not select it (N2).
    NodeNotSelected,
    /// The node is tainted for removal (N3).
    NodeTainted,
    /// The node is not ready (N4).
    InstanceNotReady,
    /// The node's state is unknown, while others are ready (N4).
    InstanceStateUnknown,
}

impl LeftOutReason {
    /// Says it in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherAddressFamily => "of the other address family",
            Self::OtherPort => "another port than the Service's",
            Self::NoPod => "no pod behind it",
            Self::NoAddress => "no address",
            Self::PodGone => "pod does not exist",
            Self::ContainersNotReady => "not ready",
            Self::NodeGone => "not ready, node does not exist",
            Self::NodeNotReady => "not ready, node not ready",
            Self::Terminating => "terminating",
            Self::NodeStateUnknown => "not ready, node state unknown",
            Self::NodeExcluded => "node excluded by label",
            Self::NodeNotSelected => "node not selected",
            Self::NodeTainted => "node tainted for removal",
            Self::InstanceNotReady => "node not ready",
            Self::InstanceStateUnknown => "node state unknown",
        }
    }
}

/// Why the endpoints of a binding are not known, or ask for nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolved {
    /// Something that decides them could not be read.
    #[error(transparent)]
    Silent(Silence),
    /// The Service does not exist (S3): the binding desires nothing.
    #[error("service `{0}` does not exist")]
    ServiceMissing(String),
    /// The Service has no such port (S3): the binding desires nothing.
    #[error("service `{service}` has no port `{port}`")]
    PortMissing {
        /// The Service.
        service: String,
        /// The port asked for.
        port: PortRef,
    },
    /// Instances are reached through node ports, and the Service has none (N1).
    #[error("service `{0}` is neither of type NodePort nor LoadBalancer")]
    NoNodePorts(String),
    /// The binding's node selector is not valid (N2).
    #[error("the node selector is not valid: {0}")]
    InvalidNodeSelector(String),
    /// A node's provider id names no instance; one such node fails the whole binding (N5).
    #[error("node `{node}` has the provider id `{provider_id}`, which names no instance")]
    InvalidProviderId {
        /// The node.
        node: String,
        /// Its provider id, perhaps empty.
        provider_id: String,
    },
    /// The binding does not say whether it registers addresses or instances.
    #[error("the binding has no target type")]
    NoTargetType,
}

impl Unresolved {
    /// Says whether the Service or its port is missing: the controller then cleans up
    /// (`facts/lbc.md` 4, Cleanup), and nothing is desired.
    pub fn is_backend_missing(&self) -> bool {
        matches!(self, Self::ServiceMissing(_) | Self::PortMissing { .. })
    }
}

/// Resolves the targets that a binding's endpoints ask for.
///
/// # Errors
///
/// Returns why they are not known: see [`Unresolved`]. No endpoints at all is no error.
pub fn resolve(spec: &BindingSpec, backend: &Backend<'_>) -> Result<Endpoints, Unresolved> {
    let name = &spec.service_ref.name;
    let service = backend.service.ok_or_else(|| Unresolved::ServiceMissing(name.clone()))?;
    let port = service_port(service, &spec.service_ref.port).ok_or_else(|| {
        Unresolved::PortMissing { service: name.clone(), port: spec.service_ref.port.clone() }
    })?;
    match spec.target_type {
        Some(TargetType::Ip) => pods::resolve(spec, port, backend),
        Some(TargetType::Instance) => instances::resolve(spec, service, port, backend.nodes),
        None => Err(Unresolved::NoTargetType),
    }
}

/// Finds the Service's port: a name equals the name, a number the port; the first match wins (S2).
pub fn service_port<'a>(service: &'a Service, port: &PortRef) -> Option<&'a ServicePort> {
    service.ports.iter().find(|candidate| match port {
        PortRef::Name(name) => candidate.name == *name,
        PortRef::Number(number) => i32::from(candidate.port) == *number,
    })
}

#[cfg(test)]
mod tests;
