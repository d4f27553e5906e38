//! A Service of its own load balancer, an NLB (LBC 3.5, `pkg/service`).

use std::collections::BTreeMap;

use super::annotations::Annotations;
use super::attributes::{is_protected, refused_deletion};
use super::objects::{OwnerView, Service, ServicePort};
use super::stack::{
    self, BuildError, Forward, Stack, StackId, StackKind, WantedGroup, WantedListener,
    WantedLoadBalancer,
};
use super::{LOAD_BALANCER_CLASS, Settings};
use crate::binding::{LabelSelector, Networking, PortRef, ServiceRef, TargetType};
use crate::sim::controller::api::Key;

const ATTRIBUTES: &str = "attributes";

/// The stack of a Service, where it is or was an owner.
pub(super) fn stack_id(service: &Service) -> Option<StackId> {
    let (namespace, name) = service.metadata.key();
    let id = StackId { kind: StackKind::Service, namespace, name };
    let was = service.metadata.finalizers.contains(&id.finalizer());
    (was || is_supported(service)).then_some(id)
}

/// `IsServiceSupported`: by class, else by annotation.
pub(super) fn is_supported(service: &Service) -> bool {
    if service.metadata.is_being_deleted() {
        return false;
    }
    if let Some(class) = &service.spec.load_balancer_class {
        return class == LOAD_BALANCER_CLASS;
    }
    let annotations = Annotations::of_service(&service.metadata.annotations);
    match annotations.text("type") {
        Some("nlb-ip") => true,
        Some("external") => {
            matches!(annotations.text("nlb-target-type"), Some("ip" | "instance"))
        }
        _ => false,
    }
}

/// What a Service asks for.
pub(super) fn build(
    id: &StackId,
    view: &OwnerView,
    settings: &Settings,
) -> Result<Stack, BuildError> {
    let Some(service) = view.services.get(&key(id)) else { return Ok(Stack::empty(id)) };
    let annotations = Annotations::of_service(&service.metadata.annotations);
    let attributes = annotations.map(ATTRIBUTES)?;
    if !is_supported(service) {
        if is_protected(&attributes)? {
            return Err(refused_deletion("service", &id.name));
        }
        return Ok(Stack::empty(id));
    }
    let scheme = annotations.text("scheme").unwrap_or("internal").to_owned();
    let mut groups = BTreeMap::new();
    let mut listeners = BTreeMap::new();
    for port in &service.spec.ports {
        let resource = format!("{}:{}", id.text(), port.port);
        let group = group(service, port, annotations, settings)?;
        let listener = WantedListener {
            protocol: group.protocol.clone(),
            forward: [(Forward::Own(resource.clone()), 1)].into(),
            rules: Vec::new(),
        };
        listeners.insert(port.port, listener);
        groups.insert(resource, group);
    }
    let inputs = [settings.cluster_name.as_str(), &service.metadata.uid, &scheme];
    let name = stack::name(&id.namespace, &id.name, &inputs);
    let load_balancer = WantedLoadBalancer {
        name: annotations.text("name").map_or(name, str::to_owned),
        kind: "network",
        scheme,
        attributes,
        security_groups: settings.security_groups(),
        listeners,
    };
    Ok(Stack { id: id.clone(), load_balancer: Some(load_balancer), groups })
}

fn key(id: &StackId) -> Key {
    (id.namespace.clone(), id.name.clone())
}

fn group(
    service: &Service,
    port: &ServicePort,
    annotations: Annotations<'_>,
    settings: &Settings,
) -> Result<WantedGroup, BuildError> {
    let (namespace, name) = service.metadata.key();
    let kind = target_type(service, annotations)?;
    let health_check_port =
        annotations.text("healthcheck-port").unwrap_or("traffic-port").to_owned();
    let target_port = stack::target_port(kind, port);
    let port_text = stack::group_port(kind, port)?.to_string();
    let protocol = &port.protocol;
    let inputs = [
        settings.cluster_name.as_str(),
        &service.metadata.uid,
        &port_text,
        &port.port.to_string(),
        stack::type_text(kind),
        protocol,
        annotations.text("healthcheck-protocol").unwrap_or("TCP"),
        annotations.text("healthcheck-interval").unwrap_or("10"),
    ];
    let ports = stack::nlb_ports(protocol, &target_port, &health_check_port);
    let labels = annotations.map("target-node-labels")?;
    let selects = kind == TargetType::Instance && !labels.is_empty();
    Ok(WantedGroup {
        name: stack::name(&namespace, &name, &inputs),
        target_type: kind,
        protocol: protocol.clone(),
        port: stack::group_port(kind, port)?,
        ip_address_type: stack::family(&service.spec.ip_families),
        health_check_port,
        namespace,
        service: ServiceRef { name, port: PortRef::Number(port.port.into()) },
        multi_cluster: annotations.flag("multi-cluster-target-group")?.unwrap_or(false),
        networking: Some(Networking {
            ingress: vec![stack::rule(&settings.backend_security_group, ports)],
        }),
        node_selector: selects
            .then(|| LabelSelector { match_labels: labels, match_expressions: Vec::new() }),
    })
}

fn target_type(service: &Service, annotations: Annotations<'_>) -> Result<TargetType, BuildError> {
    let wanted = annotations.text("nlb-target-type").unwrap_or("instance");
    if annotations.text("type") == Some("nlb-ip") || wanted == "ip" {
        return Ok(TargetType::Ip);
    }
    if service.spec.kind == "ClusterIP" {
        let said = "unsupported service type \"ClusterIP\" for load balancer target type";
        return Err(BuildError(format!("{said} \"{wanted}\"")));
    }
    Ok(TargetType::Instance)
}
