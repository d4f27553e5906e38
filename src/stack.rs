//! From a generated binding to the objects it was made for, and back. Pure.
//!
//! The controller calls what it makes of one owner a *stack*: a load balancer with its target groups
//! and bindings, made of a Service, a group of Ingresses, or a Gateway with its routes.

mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use self::wanted::{Wanted, wanted};
use crate::binding::{Binding, Owner, OwnerKind, PortRef};
use crate::facts::Silence;
use crate::objects::{Key, Kind, Object, Objects, ROUTES};

/// The class by which a Service asks the AWS Load Balancer Controller for a load balancer.
pub const SERVICE_CLASS: &str = "service.k8s.aws/nlb";

/// The controller of an IngressClass whose Ingresses are the AWS Load Balancer Controller's.
pub const INGRESS_CONTROLLER: &str = "ingress.k8s.aws/alb";

/// The annotation that puts an Ingress into a group.
pub const GROUP_ANNOTATION: &str = "alb.ingress.kubernetes.io/group.name";

/// The older way to name an Ingress's class; it wins over the field.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// The port of a backend that is an action and no Service.
const USE_ANNOTATION: &str = "use-annotation";

impl Owner {
    /// The objects it may be: one, or the Ingresses that say they are of the group.
    pub fn key(&self) -> Option<Key> {
        let kind = match self.kind {
            OwnerKind::Service => Kind::Service,
            OwnerKind::Ingress => Kind::Ingress,
            OwnerKind::Gateway => Kind::Gateway,
            OwnerKind::IngressGroup => return None,
        };
        Some(Key::new(kind, self.namespace.as_deref()?, &self.name))
    }

    /// Reads the owner from the tags that the controller puts on a target group.
    pub fn from_tags(tags: &BTreeMap<String, String>) -> Option<Self> {
        let prefixes = [
            (OwnerKind::Service, "service.k8s.aws"),
            (OwnerKind::Ingress, "ingress.k8s.aws"),
            (OwnerKind::Gateway, "gateway.k8s.aws.alb"),
            (OwnerKind::Gateway, "gateway.k8s.aws.nlb"),
        ];
        prefixes.into_iter().find_map(|(kind, prefix)| {
            let stack = tags.get(&format!("{prefix}/stack"))?;
            Some(match stack.split_once('/') {
                Some((namespace, name)) => {
                    Self { kind, namespace: Some(namespace.to_owned()), name: name.to_owned() }
                }
                None if kind == OwnerKind::Ingress => {
                    Self { kind: OwnerKind::IngressGroup, namespace: None, name: stack.clone() }
                }
                None => return None,
            })
        })
    }
}

/// The LoadBalancerConfigurations of a Gateway: that of its class, and its own.
pub fn configuration_keys(gateway: &Object, objects: &Objects) -> [Option<Key>; 2] {
    let is_ours = |reference: &Value| {
        reference["kind"] == "LoadBalancerConfiguration" && reference["group"] == "gateway.k8s.aws"
    };
    let name = |reference: &Value| reference["name"].as_str().map(str::to_owned);
    let class = gateway.text(&["gatewayClassName"]).map(|it| Key::new(Kind::GatewayClass, "", it));
    let class = class.and_then(|key| objects.get(&key).ok().flatten());
    let of_class = class.and_then(|class| class.at(&["parametersRef"])).filter(|it| is_ours(it));
    let of_class = of_class.and_then(|reference| {
        let namespace = reference["namespace"].as_str()?;
        Some(Key::new(Kind::LoadBalancerConfiguration, namespace, &name(reference)?))
    });
    let own = gateway.at(&["infrastructure", "parametersRef"]).filter(|it| is_ours(it));
    let own = own
        .and_then(name)
        .map(|name| Key::new(Kind::LoadBalancerConfiguration, &gateway.key.namespace, &name));
    [of_class, own]
}

/// The class of an Ingress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class<'a> {
    /// Whether its Ingresses are the AWS Load Balancer Controller's.
    pub is_ours: bool,
    /// Its parameters.
    pub params: Option<&'a Object>,
}

/// Finds the class of an Ingress (LBC 3.5, `pkg/ingress/group_loader.go`).
///
/// # Errors
///
/// The silence where classes or their parameters could not be read.
pub fn class<'a>(ingress: &Object, objects: &'a Objects) -> Result<Class<'a>, Silence> {
    if let Some(class) = ingress.annotation(CLASS_ANNOTATION) {
        return Ok(Class { is_ours: class == "alb", params: None });
    }
    let is_default = |class: &&Object| {
        class.annotation("ingressclass.kubernetes.io/is-default-class") == Some("true")
    };
    let mut classes = objects.all(Kind::IngressClass, None)?;
    let class = match ingress.text(&["ingressClassName"]) {
        Some(name) => classes.find(|class| class.key.name == name),
        None => classes.find(is_default),
    };
    let Some(class) = class else { return Ok(Class { is_ours: false, params: None }) };
    let is_ours = class.text(&["controller"]) == Some(INGRESS_CONTROLLER);
    let params = class.text(&["parameters", "name"]).filter(|_| is_ours);
    let params = match params {
        Some(name) => objects.get(&Key::new(Kind::IngressClassParams, "", name))?,
        None => None,
    };
    Ok(Class { is_ours, params })
}

/// The Ingresses of an explicit group that are not being deleted, in the controller's order.
///
/// # Errors
///
/// The silence where Ingresses or their classes could not be read.
pub fn members<'a>(group: &str, objects: &'a Objects) -> Result<Vec<&'a Object>, Silence> {
    let mut members = Vec::new();
    for ingress in objects.all(Kind::Ingress, None)? {
        if ingress.is_being_deleted {
            continue;
        }
        let class = class(ingress, objects)?;
        let by_class = class.params.and_then(|params| params.text(&["group", "name"]));
        let name = by_class.or_else(|| ingress.annotation(GROUP_ANNOTATION));
        if class.is_ours && name == Some(group) {
            members.push(ingress);
        }
    }
    let order = |it: &&Object| -> (i64, Key) {
        let order = it.annotation("alb.ingress.kubernetes.io/group.order");
        (order.and_then(|order| order.parse().ok()).unwrap_or(0), it.key.clone())
    };
    members.sort_by_cached_key(order);
    Ok(members)
}

/// The Services that an Ingress leads to, with their ports; actions that it names are followed.
pub fn backends(ingress: &Object) -> BTreeSet<(String, PortRef)> {
    let mut backends = BTreeSet::new();
    let paths = ingress.list(&["rules"]).iter().flat_map(|rule| {
        rule["http"]["paths"].as_array().into_iter().flatten().map(|path| &path["backend"])
    });
    for backend in ingress.at(&["defaultBackend"]).into_iter().chain(paths) {
        let service = &backend["service"];
        let Some(name) = service["name"].as_str() else { continue };
        let port = port(&service["port"]["number"]).or_else(|| port(&service["port"]["name"]));
        match port {
            Some(PortRef::Name(port)) if port == USE_ANNOTATION => {
                backends.extend(action(ingress, name));
            }
            Some(port) => {
                backends.insert((name.to_owned(), port));
            }
            None => {}
        }
    }
    backends
}

/// The Services that an action of an Ingress forwards to.
fn action(ingress: &Object, name: &str) -> Vec<(String, PortRef)> {
    let text = ingress.annotation(&format!("alb.ingress.kubernetes.io/actions.{name}"));
    let action: Value =
        text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
    let groups = action["forwardConfig"]["targetGroups"].as_array().into_iter().flatten();
    let service = |group: &Value| {
        Some((group["serviceName"].as_str()?.to_owned(), port(&group["servicePort"])?))
    };
    groups.filter_map(service).collect()
}

fn port(value: &Value) -> Option<PortRef> {
    serde_json::from_value(value.clone()).ok()
}

/// The Services that a route leads to, as keys.
pub fn route_backends(route: &Object) -> BTreeSet<Key> {
    let rules = route.list(&["rules"]).iter();
    let references = rules.flat_map(|rule| rule["backendRefs"].as_array().into_iter().flatten());
    let service = |reference: &Value| {
        let is = |field: &str, value: &str| reference[field].as_str().is_none_or(|it| it == value);
        let namespace = reference["namespace"].as_str().unwrap_or(&route.key.namespace);
        let is_service = is("kind", "Service") && is("group", "");
        is_service
            .then(|| reference["name"].as_str())?
            .map(|it| Key::new(Kind::Service, namespace, it))
    };
    references.filter_map(service).collect()
}

/// The Gateways that a route belongs to.
pub fn route_gateways(route: &Object) -> BTreeSet<Key> {
    let gateway = |reference: &Value| {
        let is_gateway = reference["kind"].as_str().is_none_or(|kind| kind == "Gateway");
        let namespace = reference["namespace"].as_str().unwrap_or(&route.key.namespace);
        is_gateway
            .then(|| reference["name"].as_str())?
            .map(|it| Key::new(Kind::Gateway, namespace, it))
    };
    route.list(&["parentRefs"]).iter().filter_map(gateway).collect()
}

/// The routes of a Gateway that lead to a Service.
///
/// # Errors
///
/// The silence where no kind of route could be read; kinds that a cluster does not have are empty.
pub fn routes<'a>(
    gateway: &Key,
    service: &Key,
    objects: &'a Objects,
) -> Result<Vec<&'a Object>, Silence> {
    let mut routes = Vec::new();
    for kind in ROUTES {
        let leads = |it: &&Object| {
            route_gateways(it).contains(gateway) && route_backends(it).contains(service)
        };
        routes.extend(objects.all(kind, None)?.filter(leads));
    }
    Ok(routes)
}

/// The Service behind a binding.
pub fn service(binding: &Binding) -> Key {
    Key::new(Kind::Service, &binding.namespace, &binding.spec.service_ref.name)
}

/// Says whether an Ingress leads to the Service and port of a binding.
pub fn leads_to(ingress: &Object, binding: &Binding) -> bool {
    let service = &binding.spec.service_ref;
    ingress.key.namespace == binding.namespace
        && backends(ingress).iter().any(|(name, port)| {
            // A binding of an Ingress keeps the port as it is written there (`facts/lbc.md` 5.2).
            *name == service.name && *port == service.port
        })
}

/// The Ingresses that a binding with this owner may be made for.
///
/// # Errors
///
/// The silence where Ingresses or their classes could not be read.
pub fn ingresses<'a>(
    owner: &Owner,
    binding: &Binding,
    objects: &'a Objects,
) -> Result<Vec<&'a Object>, Silence> {
    Ok(match (owner.kind, owner.key()) {
        (OwnerKind::Ingress, Some(key)) => objects.get(&key)?.into_iter().collect(),
        (OwnerKind::IngressGroup, _) => {
            let members = members(&owner.name, objects)?;
            members.into_iter().filter(|it| leads_to(it, binding)).collect()
        }
        _ => Vec::new(),
    })
}

/// Says whether an object asks the AWS Load Balancer Controller for a load balancer.
///
/// # Errors
///
/// The silence where what decides could not be read.
pub fn asks(object: &Object, objects: &Objects) -> Result<bool, Silence> {
    if object.is_being_deleted {
        return Ok(false);
    }
    Ok(match object.key.kind {
        Kind::Service => service_asks(object),
        Kind::Ingress => class(object, objects)?.is_ours,
        Kind::Gateway => match object.text(&["gatewayClassName"]) {
            Some(name) => {
                let class = objects.get(&Key::new(Kind::GatewayClass, "", name))?;
                let controller = class.and_then(|class| class.text(&["controllerName"]));
                matches!(controller, Some("gateway.k8s.aws/alb" | "gateway.k8s.aws/nlb"))
            }
            None => false,
        },
        _ => false,
    })
}

/// Says whether a Service is the controller's (LBC 3.5, `pkg/service/service_utils.go`).
pub(crate) fn service_asks(service: &Object) -> bool {
    if service.text(&["type"]) != Some("LoadBalancer") {
        return false;
    }
    if let Some(class) = service.text(&["loadBalancerClass"]) {
        return class == SERVICE_CLASS;
    }
    let annotation = |name: &str| {
        service.annotation(&format!("service.beta.kubernetes.io/aws-load-balancer-{name}"))
    };
    match annotation("type") {
        Some("nlb-ip") => true,
        Some("external") => matches!(annotation("nlb-target-type"), Some("ip" | "instance")),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
