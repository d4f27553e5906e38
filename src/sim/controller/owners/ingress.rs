//! Ingresses, alone or in groups, and their ALB (LBC 3.5, `pkg/ingress`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::annotations::Annotations;
use super::attributes::{is_protected, refused_deletion};
use super::objects::{Ingress, IngressBackend, IngressService, OwnerView, Service};
use super::stack::{
    self, BuildError, Forward, Stack, StackId, StackKind, WantedGroup, WantedListener,
    WantedLoadBalancer,
};
use super::{INGRESS_CLASS_CONTROLLER, Settings};
use crate::binding::{Networking, PortRef, ServiceRef, TargetType};

const ATTRIBUTES: &str = "load-balancer-attributes";

/// The port name that stands for an action.
const ACTION: &str = "use-annotation";

/// The group of an Ingress that the controller serves; none while it is being deleted, or of another
/// class.
pub(super) fn active_group(ingress: &Ingress, view: &OwnerView) -> Option<StackId> {
    if ingress.metadata.is_being_deleted() {
        return None;
    }
    // The annotation is the older way, and needs no IngressClass.
    let by_annotation = ingress.metadata.annotations.get("kubernetes.io/ingress.class");
    let is_ours = match (by_annotation, &ingress.spec.ingress_class_name) {
        (Some(class), _) => class == "alb",
        (None, Some(class)) => {
            view.ingress_classes.get(class).is_some_and(|it| it == INGRESS_CLASS_CONTROLLER)
        }
        (None, None) => false,
    };
    let annotations = Annotations::of_ingress(&ingress.metadata.annotations);
    let (namespace, name) = match annotations.text("group.name") {
        Some(group) => (String::new(), group.to_owned()),
        None => ingress.metadata.key(),
    };
    is_ours.then_some(StackId { kind: StackKind::Ingress, namespace, name })
}

/// The groups that an Ingress is or was in.
pub(super) fn groups(ingress: &Ingress, view: &OwnerView) -> Vec<StackId> {
    let kind = StackKind::Ingress;
    let of_finalizer = |finalizer: &String| {
        if finalizer == "ingress.k8s.aws/resources" {
            let (namespace, name) = ingress.metadata.key();
            return Some(StackId { kind, namespace, name });
        }
        let name = finalizer.strip_prefix("group.ingress.k8s.aws/")?.to_owned();
        Some(StackId { kind, namespace: String::new(), name })
    };
    let held = ingress.metadata.finalizers.iter().filter_map(of_finalizer);
    held.chain(active_group(ingress, view)).collect()
}

/// The members of a group, in the order of `group.order`.
pub(super) fn members<'a>(id: &StackId, view: &'a OwnerView) -> Vec<&'a Ingress> {
    let active = view.ingresses.values();
    let mut members: Vec<&Ingress> =
        active.filter(|ingress| active_group(ingress, view).as_ref() == Some(id)).collect();
    members.sort_by_key(|ingress| {
        let order = Annotations::of_ingress(&ingress.metadata.annotations).text("group.order");
        (order.and_then(|order| order.parse::<i64>().ok()).unwrap_or(0), ingress.metadata.key())
    });
    members
}

/// Those that hold the group's finalizer and are no members any more.
pub(super) fn inactive<'a>(id: &StackId, view: &'a OwnerView) -> Vec<&'a Ingress> {
    let of_this_name = |ingress: &&Ingress| {
        id.is_explicit_group() || ingress.metadata.key() == (id.namespace.clone(), id.name.clone())
    };
    let held = view.ingresses.values().filter(of_this_name);
    held.filter(|ingress| ingress.metadata.finalizers.contains(&id.finalizer()))
        .filter(|ingress| active_group(ingress, view).as_ref() != Some(id))
        .collect()
}

/// What a group asks for.
pub(super) fn build(
    id: &StackId,
    view: &OwnerView,
    settings: &Settings,
) -> Result<Stack, BuildError> {
    for ingress in inactive(id, view).into_iter().filter(|it| it.metadata.is_being_deleted()) {
        let annotations = Annotations::of_ingress(&ingress.metadata.annotations);
        if is_protected(&annotations.map(ATTRIBUTES)?)? {
            return Err(refused_deletion("ingress", &ingress.metadata.name));
        }
    }
    let members = members(id, view);
    if members.is_empty() {
        return Ok(Stack::empty(id));
    }
    let mut attributes = BTreeMap::new();
    let mut scheme = "internal";
    let mut build = Build { id, view, settings, groups: BTreeMap::new() };
    let mut listener = WantedListener { protocol: "HTTP".to_owned(), ..WantedListener::default() };
    for ingress in members {
        let annotations = Annotations::of_ingress(&ingress.metadata.annotations);
        for (key, value) in annotations.map(ATTRIBUTES)? {
            let known = attributes.entry(key.clone()).or_insert_with(|| value.clone());
            if *known != value {
                let said = format!("conflicting loadBalancerAttribute {key}: {known} | {value}");
                return Err(BuildError(said));
            }
        }
        scheme = annotations.text("scheme").unwrap_or(scheme);
        let paths = ingress.spec.rules.iter().filter_map(|rule| rule.http.as_ref());
        for path in paths.flat_map(|http| &http.paths) {
            listener.rules.push(build.forward(ingress, &path.backend)?);
        }
        if let Some(backend) = &ingress.spec.default_backend {
            listener.forward = build.forward(ingress, backend)?;
        }
    }
    let hash_inputs = [settings.cluster_name.as_str(), &id.text(), scheme];
    let name = if id.is_explicit_group() {
        format!("k8s-{}-{}", stack::cut(&id.name, 17), stack::hash(&hash_inputs))
    } else {
        stack::name(&id.namespace, &id.name, &hash_inputs)
    };
    let load_balancer = WantedLoadBalancer {
        name,
        kind: "application",
        scheme: scheme.to_owned(),
        attributes,
        security_groups: settings.security_groups(),
        listeners: [(80, listener)].into(),
    };
    Ok(Stack { id: id.clone(), load_balancer: Some(load_balancer), groups: build.groups })
}

struct Build<'a> {
    id: &'a StackId,
    view: &'a OwnerView,
    settings: &'a Settings,
    groups: BTreeMap<String, WantedGroup>,
}

/// An action as annotations write it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Action {
    #[serde(default, rename = "targetGroupARN")]
    target_group_arn: Option<String>,
    #[serde(default)]
    forward_config: ForwardConfig,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ForwardConfig {
    #[serde(default)]
    target_groups: Vec<ActionGroup>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ActionGroup {
    #[serde(default, rename = "targetGroupARN")]
    target_group_arn: Option<String>,
    #[serde(default)]
    service_name: Option<String>,
    #[serde(default)]
    service_port: Option<PortRef>,
    #[serde(default)]
    weight: Option<u32>,
}

impl Build<'_> {
    /// Where a backend leads: a Service, or the action of its name.
    fn forward(
        &mut self,
        ingress: &Ingress,
        backend: &IngressBackend,
    ) -> Result<BTreeMap<Forward, u32>, BuildError> {
        let Some(IngressService { name, port }) = &backend.service else {
            return Err(BuildError("missing required \"service\" field".to_owned()));
        };
        if port.name.as_deref() == Some(ACTION) {
            return self.action(ingress, name);
        }
        let named = port.name.clone().map(PortRef::Name);
        let port = port.number.map(PortRef::Number).or(named).unwrap_or_default();
        Ok([(self.group(ingress, name, &port)?, 1)].into())
    }

    fn action(
        &mut self,
        ingress: &Ingress,
        name: &str,
    ) -> Result<BTreeMap<Forward, u32>, BuildError> {
        let annotations = Annotations::of_ingress(&ingress.metadata.annotations);
        let key = format!("actions.{name}");
        let raw = annotations.text(&key);
        let raw = raw.ok_or_else(|| BuildError(format!("missing actions.{name} configuration")))?;
        let action: Action = serde_json::from_str(raw).map_err(|error| {
            BuildError(format!("failed to parse json annotation, actions.{name}: {error}"))
        })?;
        let mut forward = BTreeMap::new();
        forward.extend(action.target_group_arn.map(|arn| (Forward::Foreign(arn), 1)));
        for group in action.forward_config.target_groups {
            let to = match (group.target_group_arn, group.service_name, group.service_port) {
                (Some(arn), _, _) => Forward::Foreign(arn),
                (None, Some(service), Some(port)) => {
                    // Old manifests write a port's number as text.
                    let port = match port {
                        PortRef::Name(text) => {
                            text.parse().map_or(PortRef::Name(text), PortRef::Number)
                        }
                        number => number,
                    };
                    self.group(ingress, &service, &port)?
                }
                _ => return Err(BuildError("missing serviceName or servicePort".to_owned())),
            };
            forward.insert(to, group.weight.unwrap_or(1));
        }
        Ok(forward)
    }

    /// The group of a Service's port behind an Ingress: each pair has its own.
    fn group(
        &mut self,
        ingress: &Ingress,
        name: &str,
        port: &PortRef,
    ) -> Result<Forward, BuildError> {
        let (namespace, ingress_name) = ingress.metadata.key();
        let resource = format!("{namespace}/{ingress_name}-{name}:{port}");
        if !self.groups.contains_key(&resource) {
            let service = self.view.services.get(&(namespace, name.to_owned()));
            let service =
                service.ok_or_else(|| BuildError(format!("services \"{name}\" not found")))?;
            let group = self.wanted(ingress, service, port)?;
            self.groups.insert(resource.clone(), group);
        }
        Ok(Forward::Own(resource))
    }

    fn wanted(
        &self,
        ingress: &Ingress,
        service: &Service,
        port: &PortRef,
    ) -> Result<WantedGroup, BuildError> {
        let (namespace, name) = service.metadata.key();
        let of_ingress = Annotations::of_ingress(&ingress.metadata.annotations);
        let of_service = Annotations::of_ingress(&service.metadata.annotations);
        let text = |suffix| of_ingress.text(suffix).or_else(|| of_service.text(suffix));
        let service_port = service.port(port).ok_or_else(|| {
            BuildError(format!("unable to find port {port} on service {namespace}/{name}"))
        })?;
        let kind = match text("target-type").unwrap_or("instance") {
            "instance" => TargetType::Instance,
            "ip" => TargetType::Ip,
            other => return Err(BuildError(format!("unknown targetType: {other}"))),
        };
        let protocol = text("backend-protocol").unwrap_or("HTTP").to_owned();
        let number = stack::group_port(kind, service_port)?;
        let inputs = [
            self.settings.cluster_name.as_str(),
            &self.id.text(),
            &ingress.metadata.namespace,
            &ingress.metadata.name,
            &service.metadata.uid,
            &port.to_string(),
            &number.to_string(),
            stack::type_text(kind),
            &protocol,
            text("backend-protocol-version").unwrap_or("HTTP1"),
        ];
        let health_check_port = text("healthcheck-port").unwrap_or("traffic-port").to_owned();
        let target_port = stack::target_port(kind, service_port);
        let checks = (health_check_port != "traffic-port").then(|| {
            health_check_port
                .parse()
                .map_or_else(|_| PortRef::Name(health_check_port.clone()), PortRef::Number)
        });
        let security_group = &self.settings.backend_security_group;
        let ports = [Some(target_port), checks].into_iter().flatten();
        let ingress_rules = ports.map(|port| stack::rule(security_group, vec![("TCP", port)]));
        // The Service's value is not even read where the Ingress's is true.
        let flag = "multi-cluster-target-group";
        let shared = match of_ingress.flag(flag)? {
            Some(true) => true,
            _ => of_service.flag(flag)?.unwrap_or(false),
        };
        Ok(WantedGroup {
            name: stack::name(&namespace, &name, &inputs),
            target_type: kind,
            protocol,
            port: number,
            ip_address_type: stack::family(&service.spec.ip_families),
            health_check_port,
            namespace,
            service: ServiceRef { name, port: port.clone() },
            multi_cluster: shared,
            networking: Some(Networking { ingress: ingress_rules.collect() }),
            node_selector: None,
        })
    }
}
