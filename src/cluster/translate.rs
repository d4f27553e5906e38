//! From what the Kubernetes API sends to our own words; pure.

use jiff::Timestamp;

use super::objects as wire;
use crate::binding::{Binding, FINALIZER, Flavour};
use crate::endpoints::{
    AddressFamily, Container, EndpointSlice, Node, NodeReady, Pod, PodName, PodStub, Service,
    ServicePort, ServiceType, SliceEndpoint, SlicePort, Taint,
};
use crate::facts::LedgerFault;
use crate::ledger::{self, Ledger};

/// The label that says which Service an EndpointSlice belongs to.
pub(super) const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

const QUIC_ANNOTATION: &str =
    "service.beta.kubernetes.io/aws-load-balancer-quic-enabled-containers";
const QUIC_VARIABLE: &str = "AWS_LBC_QUIC_SERVER_ID";

/// Annotations that are kept: the controller's and this program's. Others can be large
/// (`kubectl.kubernetes.io/last-applied-configuration`) and mean nothing here.
const ANNOTATION_PREFIXES: [&str; 3] = ["elbv2.k8s.aws/", "eks.amazonaws.com/", "mctg.dev/"];

pub(super) fn binding(flavour: Flavour, from: wire::TargetGroupBinding) -> Binding {
    let wire::TargetGroupBinding { metadata, spec } = from;
    let changed_at = last_change(&metadata, |fields| fields.spec.is_some());
    let has_finalizer = metadata.finalizers.iter().any(|finalizer| finalizer == FINALIZER);
    let mut annotations = metadata.annotations;
    annotations.retain(|key, _| ANNOTATION_PREFIXES.iter().any(|prefix| key.starts_with(prefix)));
    Binding {
        namespace: metadata.namespace,
        name: metadata.name,
        uid: metadata.uid,
        flavour,
        created_at: metadata.creation_timestamp,
        changed_at,
        deleted_at: metadata.deletion_timestamp,
        has_finalizer,
        labels: metadata.labels,
        annotations,
        spec,
    }
}

/// Reads a ledger.
///
/// # Errors
///
/// An immutable ConfigMap is a fault even where its text is fine: nobody can write it, so nothing
/// may be registered for it. `binaryData` is not looked at, as the controller does not.
pub(super) fn ledger(from: wire::ConfigMap) -> Result<Ledger, LedgerFault> {
    let changed_at = last_change(&from.metadata, |fields| {
        fields.data.as_ref().is_some_and(|data| data.targets.is_some())
    });
    let configmap = from.metadata.name;
    let text = from.data.targets.unwrap_or_default();
    let targets = ledger::parse(&text)
        .map_err(|source| LedgerFault::Invalid { configmap: configmap.clone(), source })?;
    if from.immutable == Some(true) {
        return Err(LedgerFault::Immutable { configmap });
    }
    let bytes = text.len();
    Ok(Ledger { targets, bytes, version: from.metadata.resource_version, changed_at })
}

/// The latest write, over all managers, to the main resource's fields in question.
fn last_change(meta: &wire::Meta, touches: impl Fn(&wire::Fields) -> bool) -> Option<Timestamp> {
    meta.managed_fields
        .iter()
        .filter(|entry| entry.subresource.is_empty() && touches(&entry.fields))
        .filter_map(|entry| entry.time)
        .max()
}

pub(super) fn service(from: wire::Service) -> Service {
    let kind = match from.spec.kind.as_deref() {
        Some("NodePort") => ServiceType::NodePort,
        Some("LoadBalancer") => ServiceType::LoadBalancer,
        Some("ExternalName") => ServiceType::ExternalName,
        _ => ServiceType::ClusterIP,
    };
    let port = |port: wire::ServicePort| ServicePort {
        name: port.name.unwrap_or_default(),
        port: port.port,
        node_port: port.node_port.unwrap_or_default(),
    };
    Service {
        namespace: from.metadata.namespace,
        name: from.metadata.name,
        kind,
        ports: from.spec.ports.into_iter().map(port).collect(),
    }
}

/// Translates a slice; none where no label names its Service.
pub(super) fn endpoint_slice(mut from: wire::EndpointSlice) -> Option<EndpointSlice> {
    let service = from.metadata.labels.remove(SERVICE_NAME_LABEL)?;
    let family = match from.address_type.as_str() {
        "IPv4" => Some(AddressFamily::IPv4),
        "IPv6" => Some(AddressFamily::IPv6),
        _ => None,
    };
    let namespace = from.metadata.namespace;
    let port = |port: wire::SlicePort| SlicePort {
        name: port.name.unwrap_or_default(),
        port: port.port.unwrap_or_default(),
    };
    let endpoint = |endpoint: wire::SliceEndpoint| SliceEndpoint {
        address: endpoint.addresses.into_iter().next(),
        ready: endpoint.conditions.ready,
        terminating: endpoint.conditions.terminating == Some(true),
        pod: endpoint.target_ref.filter(|target| target.kind == "Pod").map(|target| PodName {
            namespace: if target.namespace.is_empty() {
                namespace.clone()
            } else {
                target.namespace
            },
            name: target.name,
        }),
        node: endpoint.node_name,
        zone: endpoint.zone,
    };
    let endpoints = from.endpoints.into_iter().map(endpoint).collect();
    Some(EndpointSlice {
        service,
        family,
        ports: from.ports.into_iter().map(port).collect(),
        endpoints,
        namespace,
    })
}

pub(super) fn pod_stub(from: wire::Stub) -> PodStub {
    let wire::StubMeta { name, namespace, creation_timestamp, .. } = from.metadata;
    PodStub { name: PodName { namespace, name }, created_at: creation_timestamp }
}

pub(super) fn pod(from: wire::Pod) -> Pod {
    let condition = |kind: &str| {
        from.status.conditions.iter().find(|c| c.kind == kind).filter(|c| c.status == "True")
    };
    let containers_ready = condition("ContainersReady").is_some();
    let ready_since = condition("Ready").and_then(|c| c.last_transition_time);
    // Sidecars are init containers that are restarted for ever; LBC looks at both, in this order.
    let sidecars = from
        .spec
        .init_containers
        .into_iter()
        .filter(|c| c.restart_policy.as_deref() == Some("Always"));
    let containers = from.spec.containers.into_iter().chain(sidecars).map(container).collect();
    Pod {
        name: PodName { namespace: from.metadata.namespace, name: from.metadata.name },
        created_at: from.metadata.creation_timestamp,
        deleted_at: from.metadata.deletion_timestamp,
        address: from.status.pod_ip.filter(|address| !address.is_empty()),
        node: from.spec.node_name.filter(|node| !node.is_empty()),
        containers_ready,
        ready_since,
        quic_enabled: from.metadata.annotations.contains_key(QUIC_ANNOTATION),
        containers,
    }
}

fn container(from: wire::Container) -> Container {
    Container {
        ports: from.ports.iter().map(|port| port.container_port).collect(),
        quic_server_id: from
            .env
            .into_iter()
            .find(|variable| variable.name == QUIC_VARIABLE)
            .and_then(|variable| variable.value),
    }
}

pub(super) fn node(from: wire::Node) -> Node {
    let condition = from.status.conditions.iter().find(|c| c.kind == "Ready");
    let ready = match condition.map(|c| c.status.as_str()) {
        Some("True") => NodeReady::Ready,
        Some("Unknown") => NodeReady::Unknown,
        _ => NodeReady::NotReady,
    };
    let taint = |taint: wire::Taint| Taint { key: taint.key, effect: taint.effect };
    Node {
        name: from.metadata.name,
        created_at: from.metadata.creation_timestamp,
        labels: from.metadata.labels,
        taints: from.spec.taints.into_iter().map(taint).collect(),
        provider_id: from.spec.provider_id,
        addresses: from.status.addresses.into_iter().map(|a| a.address).collect(),
        ready,
    }
}
