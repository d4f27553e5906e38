//! Gateways and the routes attached to them (LBC 3.5, `pkg/gateway`).

use std::collections::BTreeMap;

use super::attributes::{is_protected, refused_deletion};
use super::objects::{
    BackendRef, Gateway, GatewayListener, GroupProperties, OwnerView, Route, RouteIdentifier,
};
use super::stack::{
    self, BuildError, Forward, Stack, StackId, StackKind, WantedGroup, WantedListener,
    WantedLoadBalancer,
};
use super::{ALB_GATEWAY_CONTROLLER, NLB_GATEWAY_CONTROLLER, Settings};
use crate::binding::{Networking, PortRef, ServiceRef, TargetType};
use crate::sim::controller::api::Key;

/// The stack of a Gateway whose class is the controller's.
pub(super) fn stack_id(gateway: &Gateway, view: &OwnerView) -> Option<StackId> {
    let class = view.gateway_classes.get(&gateway.spec.gateway_class_name)?;
    let kind = match class.spec.controller_name.as_str() {
        ALB_GATEWAY_CONTROLLER => StackKind::AlbGateway,
        NLB_GATEWAY_CONTROLLER => StackKind::NlbGateway,
        _ => return None,
    };
    let (namespace, name) = gateway.metadata.key();
    Some(StackId { kind, namespace, name })
}

/// What a Gateway asks for.
pub(super) fn build(
    id: &StackId,
    view: &OwnerView,
    settings: &Settings,
) -> Result<Stack, BuildError> {
    let key = (id.namespace.clone(), id.name.clone());
    let Some(gateway) = view.gateways.get(&key) else { return Ok(Stack::empty(id)) };
    let (scheme, attributes) = configuration(gateway, view);
    if gateway.metadata.is_being_deleted() {
        // A value that is none counts as false here.
        if is_protected(&attributes).unwrap_or(false) {
            return Err(refused_deletion("gateway", &id.name));
        }
        return Ok(Stack::empty(id));
    }
    let mut groups = BTreeMap::new();
    let mut listeners = BTreeMap::new();
    for listener in &gateway.spec.listeners {
        let mut wanted =
            WantedListener { protocol: listener.protocol.clone(), ..WantedListener::default() };
        for (kind, route) in attached(gateway, listener, view) {
            for rule in &route.spec.rules {
                let mut forward = BTreeMap::new();
                for backend in &rule.backend_refs {
                    let at = At { id, view, settings, listener, kind, route };
                    let (resource, group) = at.group(backend)?;
                    groups.insert(resource.clone(), group);
                    forward.insert(Forward::Own(resource), backend.weight.unwrap_or(1));
                }
                if id.kind == StackKind::AlbGateway {
                    wanted.rules.push(forward);
                } else {
                    wanted.forward.extend(forward);
                }
            }
        }
        // Without a route there is nothing to forward to, and no listener.
        if !wanted.forward.is_empty() || !wanted.rules.is_empty() {
            listeners.insert(listener.port, wanted);
        }
    }
    let inputs = [settings.cluster_name.as_str(), &gateway.metadata.uid, &scheme];
    let load_balancer = WantedLoadBalancer {
        name: stack::name(&id.namespace, &id.name, &inputs),
        kind: if id.kind == StackKind::AlbGateway { "application" } else { "network" },
        scheme,
        attributes,
        security_groups: settings.security_groups(),
        listeners,
    };
    Ok(Stack { id: id.clone(), load_balancer: Some(load_balancer), groups })
}

/// The scheme and attributes of its LoadBalancerConfigurations: its class's wins over its own
/// (`prefer-gateway-class`, the default).
fn configuration(gateway: &Gateway, view: &OwnerView) -> (String, BTreeMap<String, String>) {
    let of_class = view.gateway_classes.get(&gateway.spec.gateway_class_name).and_then(|class| {
        let named = class.spec.parameters_ref.as_ref()?;
        view.load_balancer_configurations.get(&(named.namespace.clone()?, named.name.clone()))
    });
    let own = gateway.spec.infrastructure.as_ref().and_then(|it| it.parameters_ref.as_ref());
    let own = own.and_then(|named| {
        let key = (gateway.metadata.namespace.clone(), named.name.clone());
        view.load_balancer_configurations.get(&key)
    });
    let mut scheme = "internal".to_owned();
    let mut attributes = BTreeMap::new();
    for configuration in [own, of_class].into_iter().flatten() {
        scheme = configuration.spec.scheme.clone().unwrap_or(scheme);
        let named = configuration.spec.load_balancer_attributes.iter();
        attributes.extend(named.map(|it| (it.key.clone(), it.value.clone())));
    }
    (scheme, attributes)
}

/// The routes attached to a listener, with their kinds.
fn attached<'a>(
    gateway: &Gateway,
    listener: &GatewayListener,
    view: &'a OwnerView,
) -> Vec<(&'a str, &'a Route)> {
    let fits = |kind: &str| match listener.protocol.as_str() {
        "HTTP" | "HTTPS" => matches!(kind, "HTTPRoute" | "GRPCRoute"),
        "TLS" => matches!(kind, "TLSRoute" | "TCPRoute"),
        "UDP" => kind == "UDPRoute",
        _ => kind == "TCPRoute",
    };
    let asks = |route: &Route| {
        route.spec.parent_refs.iter().any(|parent| {
            let namespace = parent.namespace.as_ref().unwrap_or(&route.metadata.namespace);
            (namespace, &parent.name) == (&gateway.metadata.namespace, &gateway.metadata.name)
                && parent.section_name.as_ref().is_none_or(|section| *section == listener.name)
        })
    };
    let routes = view.routes.iter().filter(|((kind, _), route)| fits(kind) && asks(route));
    routes.map(|((kind, _), route)| (kind.as_str(), route)).collect()
}

/// A route at a listener.
struct At<'a> {
    id: &'a StackId,
    view: &'a OwnerView,
    settings: &'a Settings,
    listener: &'a GatewayListener,
    kind: &'a str,
    route: &'a Route,
}

impl At<'_> {
    fn group(&self, backend: &BackendRef) -> Result<(String, WantedGroup), BuildError> {
        let route = &self.route.metadata;
        let namespace = backend.namespace.clone().unwrap_or_else(|| route.namespace.clone());
        let key = (namespace, backend.name.clone());
        let service = self.view.services.get(&key);
        let service = service
            .ok_or_else(|| BuildError(format!("services \"{}\" not found", backend.name)))?;
        let (namespace, name) = key.clone();
        let number = PortRef::Number(backend.port.into());
        let port = service.port(&number).ok_or_else(|| {
            BuildError(format!("unable to find port {number} on service {namespace}/{name}"))
        })?;
        let properties = properties(&key, self.kind, self.route, self.view);
        let kind = match properties.target_type.as_deref() {
            Some("ip") => TargetType::Ip,
            _ => TargetType::Instance,
        };
        let is_alb = self.id.kind == StackKind::AlbGateway;
        let protocol = properties.protocol.clone().unwrap_or_else(|| {
            if is_alb { "HTTP".to_owned() } else { self.listener.protocol.clone() }
        });
        let target_port = stack::target_port(kind, port);
        let inputs = [
            self.settings.cluster_name.as_str(),
            &self.id.namespace,
            &self.id.name,
            &route.namespace,
            &route.name,
            self.kind,
            &namespace,
            &name,
            &target_port.to_string(),
            stack::type_text(kind),
            &protocol,
            if is_alb { "HTTP1" } else { "" },
        ];
        let own_name = stack::name(&route.namespace, &route.name, &inputs);
        let security_group = &self.settings.backend_security_group;
        // One rule a port, with the checks' after an UDP-like protocol's.
        let mut ports = stack::nlb_ports(&protocol, &target_port, "traffic-port");
        ports.dedup();
        let rules = ports.into_iter().map(|port| stack::rule(security_group, vec![port]));
        let resource = format!(
            "{}:{}-{}:{}-{}:{}",
            self.id.text(),
            route.namespace,
            route.name,
            self.kind,
            format_args!("{namespace}-{name}"),
            target_port
        );
        let group = WantedGroup {
            name: properties.target_group_name.clone().unwrap_or(own_name),
            target_type: kind,
            protocol,
            port: stack::group_port(kind, port)?,
            ip_address_type: stack::family(&service.spec.ip_families),
            health_check_port: "traffic-port".to_owned(),
            namespace,
            service: ServiceRef { name, port: number },
            multi_cluster: properties.enable_multi_cluster.unwrap_or(false),
            networking: Some(Networking { ingress: rules.collect() }),
            node_selector: properties.node_selector.filter(|_| kind == TargetType::Instance),
        };
        Ok((resource, group))
    }
}

/// What TargetGroupConfigurations say of a Service behind a route (5.1): what the most exact match of
/// the route says, else what holds for all.
fn properties(service: &Key, kind: &str, route: &Route, view: &OwnerView) -> GroupProperties {
    let about = view.group_configurations.values().find(|configuration| {
        let target = configuration.spec.target_reference.as_ref();
        configuration.metadata.namespace == service.0
            && target.is_some_and(|target| {
                target.name == service.1 && target.kind.as_deref().is_none_or(|it| it == "Service")
            })
    });
    let Some(configuration) = about else { return GroupProperties::default() };
    let exactness = |identifier: &RouteIdentifier| {
        let RouteIdentifier { route_kind, route_namespace, route_name } = identifier;
        let (namespace, name) = route.metadata.key();
        let fits = route_kind == kind
            && (route_namespace.is_empty() || *route_namespace == namespace)
            && (route_name.is_empty() || *route_name == name);
        let given = usize::from(!route_namespace.is_empty()) + usize::from(!route_name.is_empty());
        fits.then_some(given)
    };
    let routes = configuration.spec.route_configurations.iter();
    let best = routes
        .filter_map(|it| Some((exactness(&it.route_identifier)?, &it.target_group_props)))
        .max_by_key(|(exactness, _)| *exactness)
        .map(|(_, properties)| properties.clone())
        .unwrap_or_default();
    let all = configuration.spec.default_configuration.clone();
    GroupProperties {
        enable_multi_cluster: best.enable_multi_cluster.or(all.enable_multi_cluster),
        target_type: best.target_type.or(all.target_type),
        protocol: best.protocol.or(all.protocol),
        target_group_name: best.target_group_name.or(all.target_group_name),
        node_selector: best.node_selector.or(all.node_selector),
    }
}
