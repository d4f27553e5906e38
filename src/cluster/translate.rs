//! From what the Kubernetes API sends to our own words; pure.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::objects as wire;
use crate::binding::{Binding, FINALIZER, Flavour, PortRef};
use crate::endpoints::{
    AddressFamily, Container, EndpointSlice, GATE_PREFIX, Node, NodeReady, Pod, PodName, PodStub,
    Service, ServicePort, ServiceType, SliceEndpoint, SlicePort, Taint,
};
use crate::events::{self, Event};
use crate::facts::{LedgerFault, Reconciler};
use crate::ledger::{self, Ledger};

/// The label that says which Service an EndpointSlice belongs to.
pub(super) const SERVICE_NAME_LABEL: &str = "kubernetes.io/service-name";

const QUIC_ANNOTATION: &str =
    "service.beta.kubernetes.io/aws-load-balancer-quic-enabled-containers";
pub(super) const QUIC_VARIABLE: &str = "AWS_LBC_QUIC_SERVER_ID";

/// Annotations that are kept: the controller's and this program's. Others can be large
/// (`kubectl.kubernetes.io/last-applied-configuration`) and mean nothing here.
const ANNOTATION_PREFIXES: [&str; 3] = ["elbv2.k8s.aws/", "eks.amazonaws.com/", "mctg.dev/"];

pub(super) fn binding(flavour: Flavour, from: wire::TargetGroupBinding) -> Binding {
    let wire::TargetGroupBinding { metadata, spec, status } = from;
    let changed_at = last_change(&metadata, |entry| entry.fields.spec.is_some());
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
        failure: failure(status),
        labels: metadata.labels,
        annotations,
        spec,
    }
}

/// Says whether a webhook must answer before a binding of the controller is stored. Policies for
/// every resource are somebody else's.
pub(super) fn must_pass_bindings(hook: &wire::Webhook) -> bool {
    let names = |list: &[String], name: &str| list.iter().any(|it| it == name);
    hook.failure_policy != "Ignore"
        && hook.rules.iter().any(|rule| {
            names(&rule.api_groups, "elbv2.k8s.aws")
                && (names(&rule.resources, "targetgroupbindings") || names(&rule.resources, "*"))
        })
}

/// The controller writes the condition `Ready` only where a clean-up failed (`facts/lbc.md` 4).
fn failure(status: wire::BindingStatus) -> Option<String> {
    let failed = |condition: &wire::Condition| {
        condition.kind == "Ready" && condition.status == "False" && !condition.message.is_empty()
    };
    status.conditions.into_iter().find(failed).map(|condition| condition.message)
}

/// Reads a ledger.
///
/// # Errors
///
/// An immutable ConfigMap is a fault even where its text is fine: nobody can write it, so nothing
/// may be registered for it. `binaryData` is not looked at, as the controller does not.
pub(super) fn ledger(from: wire::ConfigMap) -> Result<Ledger, LedgerFault> {
    let writes_text = |entry: &wire::ManagedFields| {
        entry.fields.data.as_ref().is_some_and(|data| data.targets.is_some())
    };
    let changed_at = last_change(&from.metadata, writes_text);
    let foreign_write_at = last_change(&from.metadata, |entry| {
        writes_text(entry) && entry.manager != ledger::CONTROLLER_FIELD_MANAGER
    });
    let configmap = from.metadata.name;
    let text = from.data.targets.unwrap_or_default();
    let targets = ledger::parse(&text)
        .map_err(|source| LedgerFault::Invalid { configmap: configmap.clone(), source })?;
    if from.immutable == Some(true) {
        return Err(LedgerFault::Immutable { configmap });
    }
    let bytes = text.len();
    let version = from.metadata.resource_version;
    Ok(Ledger { targets, bytes, version, changed_at, foreign_write_at })
}

/// The latest write, over the managers in question, to the main resource's fields in question.
fn last_change(
    meta: &wire::Meta,
    touches: impl Fn(&wire::ManagedFields) -> bool,
) -> Option<Timestamp> {
    meta.managed_fields
        .iter()
        .filter(|entry| entry.subresource.is_empty() && touches(entry))
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
        protocol: port.protocol.unwrap_or_else(|| "TCP".to_owned()),
        port: port.port,
        target_port: port.target_port.filter(|port| *port != PortRef::Number(0)),
        node_port: port.node_port.unwrap_or_default(),
    };
    Service {
        namespace: from.metadata.namespace,
        name: from.metadata.name,
        labels: from.metadata.labels,
        kind,
        families: from.spec.ip_families.iter().filter_map(|it| family(it)).collect(),
        ports: from.spec.ports.into_iter().map(port).collect(),
    }
}

fn family(word: &str) -> Option<AddressFamily> {
    match word {
        "IPv4" => Some(AddressFamily::IPv4),
        "IPv6" => Some(AddressFamily::IPv6),
        _ => None,
    }
}

/// Translates a slice; none where no label names its Service.
pub(super) fn endpoint_slice(mut from: wire::EndpointSlice) -> Option<EndpointSlice> {
    let service = from.metadata.labels.remove(SERVICE_NAME_LABEL)?;
    let family = family(&from.address_type);
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
    let gates = from.spec.readiness_gates.iter().map(|gate| gate.condition_type.as_str());
    let unmet_gates = gates
        .filter(|gate| condition(gate).is_none())
        .filter_map(|gate| gate.strip_prefix(GATE_PREFIX))
        .map(str::to_owned)
        .collect();
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
        unmet_gates,
        quic_enabled: from.metadata.annotations.contains_key(QUIC_ANNOTATION),
        containers,
    }
}

pub(super) fn reconciler(from: wire::CronJob) -> Reconciler {
    let wire::StubMeta { name, namespace, creation_timestamp, .. } = from.metadata;
    Reconciler {
        namespace,
        name,
        schedule: from.spec.schedule,
        suspended: from.spec.suspend == Some(true),
        created_at: creation_timestamp,
        last_success: from.status.last_successful_time,
    }
}

/// The fields of the bindings' spec; none where the document does not describe it.
pub(super) fn spec_fields(from: wire::OpenApi) -> Option<BTreeSet<String>> {
    let is_binding =
        |kind: &wire::Kind| kind.group == "elbv2.k8s.aws" && kind.kind == "TargetGroupBinding";
    let mut schemas = from.components.schemas.into_values();
    let spec = schemas.find(|schema| schema.kinds.iter().any(is_binding))?.properties.spec?;
    Some(spec.properties?.into_keys().collect())
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

/// An event that happened for the first time.
pub(super) fn event(event: &Event, name: &str) -> Value {
    let api_version = super::kube::group(event.flavour).trim_start_matches("/apis/");
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": event.binding.namespace},
        "involvedObject": {
            "apiVersion": api_version,
            "kind": "TargetGroupBinding",
            "namespace": event.binding.namespace,
            "name": event.binding.name,
            "uid": event.uid,
        },
        "type": event.kind.as_str(),
        "reason": event.reason,
        "message": event.message,
        "count": 1,
        "firstTimestamp": event.at,
        "lastTimestamp": event.at,
        "source": {"component": events::COMPONENT},
        "reportingComponent": events::COMPONENT,
        "reportingInstance": "",
    })
}

#[cfg(test)]
mod tests;
