//! Where the multi-cluster flag of a binding lives, and what is said there. Pure.
//!
//! A standalone binding carries it itself. A generated one gets it from its owner: the controller
//! reverts what is edited on the binding, and empties the other clusters' targets on the way
//! (`facts/lbc.md` 5.1, 5.2).

use serde_json::{Value, json};

use crate::binding::{Binding, OwnerKind};
use crate::facts::Silence;
use crate::objects::{Key, Kind, Object, Objects, Patch};
use crate::stack;

/// The annotation of a Service that makes its bindings multi-cluster.
pub const SERVICE_ANNOTATION: &str =
    "service.beta.kubernetes.io/aws-load-balancer-multi-cluster-target-group";

/// The annotation of an Ingress, or of a Service behind one, that makes bindings multi-cluster.
pub const INGRESS_ANNOTATION: &str = "alb.ingress.kubernetes.io/multi-cluster-target-group";

/// Reads a truth value as Go's `strconv.ParseBool` does, and so the controller.
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

/// What an object says about the flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// On.
    On,
    /// Off, in so many words.
    Off,
    /// Nothing, which is off.
    Nothing,
    /// What no controller understands: it makes nothing of its owner until it is mended.
    Garbled(String),
}

impl Said {
    fn of_annotation(object: &Object, key: &str) -> Self {
        match object.annotation(key) {
            None => Self::Nothing,
            Some(text) => match parse_bool(text) {
                Some(true) => Self::On,
                Some(false) => Self::Off,
                None => Self::Garbled(text.to_owned()),
            },
        }
    }

    fn of_value(value: Option<&Value>) -> Self {
        match value {
            Some(Value::Bool(true)) => Self::On,
            Some(Value::Bool(false)) => Self::Off,
            None | Some(Value::Null) => Self::Nothing,
            Some(other) => Self::Garbled(other.to_string()),
        }
    }
}

/// The field of an object that holds the flag.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// An annotation.
    Annotation(&'static str),
    /// `spec.defaultConfiguration` of a TargetGroupConfiguration.
    Default,
    /// An entry of `spec.routeConfigurations` of a TargetGroupConfiguration.
    Route(usize),
    /// `spec.multiClusterTargetGroup` of a binding.
    Spec,
}

impl Field {
    /// The names that lead to it, as managed fields have them; lists are owned as a whole.
    pub fn path(&self) -> Vec<&'static str> {
        match self {
            Self::Annotation(key) => vec!["metadata", "annotations", key],
            Self::Default => vec!["spec", "defaultConfiguration", "enableMultiCluster"],
            Self::Route(_) => vec!["spec", "routeConfigurations"],
            Self::Spec => vec!["spec", "multiClusterTargetGroup"],
        }
    }
}

/// One place that has a say in a binding's flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// The object.
    pub object: &'a Object,
    /// Where in it.
    pub field: Field,
    /// What it says.
    pub said: Said,
}

impl<'a> Source<'a> {
    fn annotation(object: &'a Object, key: &'static str) -> Self {
        Self { object, field: Field::Annotation(key), said: Said::of_annotation(object, key) }
    }

    /// The patch that makes it say `on`, or off; none where it says so already.
    ///
    /// Off takes an annotation away, and a boolean to false.
    pub fn switch(&self, on: bool) -> Option<Patch> {
        let done =
            if on { self.said == Said::On } else { matches!(self.said, Said::Off | Said::Nothing) };
        if done {
            return None;
        }
        let body = match &self.field {
            Field::Annotation(key) => {
                let value = if on { json!("true") } else { Value::Null };
                json!({"metadata": {"annotations": {*key: value}}})
            }
            Field::Default => json!({"spec": {"defaultConfiguration": {"enableMultiCluster": on}}}),
            Field::Spec => json!({"spec": {"multiClusterTargetGroup": on}}),
            Field::Route(index) => {
                // A merge patch replaces lists whole, so the others come along as they are.
                let mut routes = self.object.list(&["routeConfigurations"]).to_vec();
                if let Some(route) = routes.get_mut(*index) {
                    route["targetGroupProps"]["enableMultiCluster"] = json!(on);
                }
                json!({"spec": {"routeConfigurations": routes}})
            }
        };
        Some(self.object.patch(body))
    }
}

/// Finds the places that have a say in a generated binding's flag, the strongest first.
///
/// Empty where the owner is gone, or where no object has a place for it yet.
///
/// # Errors
///
/// The silence where an object that decides could not be read.
pub fn sources<'a>(binding: &Binding, objects: &'a Objects) -> Result<Vec<Source<'a>>, Silence> {
    let Some(owner) = binding.owner() else {
        let key = Key::new(Kind::TargetGroupBinding, &binding.namespace, &binding.name);
        let object = objects.get(&key)?;
        let said = |it: &Object| Said::of_value(it.at(&["multiClusterTargetGroup"]));
        let source = |it: &'a Object| Source { object: it, field: Field::Spec, said: said(it) };
        return Ok(object.map(source).into_iter().collect());
    };
    let mut sources = Vec::new();
    match owner.kind {
        OwnerKind::Service => {
            if let Some(key) = owner.key() {
                let service = objects.get(&key)?;
                sources.extend(service.map(|it| Source::annotation(it, SERVICE_ANNOTATION)));
            }
        }
        OwnerKind::Ingress | OwnerKind::IngressGroup => {
            let ingresses = stack::ingresses(&owner, binding, objects)?;
            let annotation = |it| Source::annotation(it, INGRESS_ANNOTATION);
            sources.extend(ingresses.into_iter().map(annotation));
            let service = objects.get(&stack::service(binding))?;
            sources.extend(service.map(annotation));
        }
        OwnerKind::Gateway => {
            if let Some(gateway) = owner.key() {
                gateway_sources(&gateway, binding, objects, &mut sources)?;
            }
        }
    }
    Ok(sources)
}

/// Says whether the owner asks for the flag; none where no place says anything, or one is garbled.
///
/// An Ingress or the Service behind it is enough. Of a Gateway's places the first that says anything
/// counts (`facts/lbc.md` 5.1).
pub fn asked(binding: &Binding, sources: &[Source<'_>]) -> Option<bool> {
    let is_gateway = binding.owner().is_some_and(|owner| owner.kind == OwnerKind::Gateway);
    if is_gateway {
        return sources.iter().find_map(|source| match source.said {
            Said::On => Some(true),
            Said::Off => Some(false),
            Said::Nothing | Said::Garbled(_) => None,
        });
    }
    if sources.iter().any(|source| source.said == Said::On) {
        return Some(true);
    }
    sources.iter().any(|source| source.said == Said::Off).then_some(false)
}

fn gateway_sources<'a>(
    gateway: &Key,
    binding: &Binding,
    objects: &'a Objects,
    sources: &mut Vec<Source<'a>>,
) -> Result<(), Silence> {
    let service = stack::service(binding);
    if let Some(own) = configuration(&service, objects)? {
        let by_route = own.list(&["routeConfigurations"]);
        if by_route.iter().any(|it| !said_by(it).is_nothing()) {
            let routes = stack::routes(gateway, &service, objects)?;
            let mut chosen: Vec<usize> =
                routes.iter().filter_map(|route| best_match(by_route, &route.key)).collect();
            chosen.sort_unstable();
            chosen.dedup();
            sources.extend(chosen.into_iter().map(|index| Source {
                object: own,
                field: Field::Route(index),
                said: said_by(&by_route[index]),
            }));
            sources.retain(|it| !matches!(it.field, Field::Route(_)) || !it.said.is_nothing());
        }
        sources.push(default_of(own));
    }
    if let Some(gateway) = objects.get(gateway)? {
        // The class's configuration wins over the Gateway's own, unless it says otherwise.
        let mut configurations = Vec::new();
        for key in stack::configuration_keys(gateway, objects).into_iter().flatten() {
            configurations.extend(objects.get(&key)?);
        }
        let prefers_gateway = configurations.first().and_then(|it| it.text(&["mergingMode"]))
            == Some("prefer-gateway");
        if prefers_gateway {
            configurations.reverse();
        }
        for it in configurations {
            if let Some(name) = it.text(&["defaultTargetGroupConfiguration", "name"]) {
                let key = Key::new(Kind::TargetGroupConfiguration, &it.key.namespace, name);
                sources.extend(objects.get(&key)?.map(default_of));
            }
        }
    }
    Ok(())
}

impl Said {
    fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

fn said_by(route: &Value) -> Said {
    Said::of_value(route["targetGroupProps"].get("enableMultiCluster"))
}

fn default_of(configuration: &Object) -> Source<'_> {
    let said = Said::of_value(configuration.at(&["defaultConfiguration", "enableMultiCluster"]));
    Source { object: configuration, field: Field::Default, said }
}

/// The TargetGroupConfiguration of a Service.
///
/// # Errors
///
/// The silence where they could not be read.
pub fn configuration<'a>(
    service: &Key,
    objects: &'a Objects,
) -> Result<Option<&'a Object>, Silence> {
    let is_its_own = |it: &&Object| {
        it.text(&["targetReference", "name"]) == Some(&service.name)
            && it.text(&["targetReference", "kind"]).is_none_or(|kind| kind == "Service")
    };
    let mut all = objects.all(Kind::TargetGroupConfiguration, Some(&service.namespace))?;
    Ok(all.find(is_its_own))
}

/// The entry that fits a route best: by name, else by namespace, else by kind
/// (LBC 3.5, `pkg/gateway/tg_config_constructor.go`).
fn best_match(entries: &[Value], route: &Key) -> Option<usize> {
    let text = |entry: &Value, field: &str| -> String {
        entry["routeIdentifier"][field].as_str().unwrap_or_default().to_owned()
    };
    let mut best: Option<(u8, usize)> = None;
    for (index, entry) in entries.iter().enumerate() {
        let (namespace, name) = (text(entry, "namespace"), text(entry, "name"));
        if text(entry, "kind") != route.kind.as_str() {
            continue;
        }
        let rank = if namespace == route.namespace && name == route.name {
            3
        } else if !name.is_empty() {
            continue;
        } else if namespace == route.namespace {
            2
        } else if namespace.is_empty() {
            1
        } else {
            continue;
        };
        if best.is_none_or(|(found, _)| rank > found) {
            best = Some((rank, index));
        }
    }
    best.map(|(_, index)| index)
}

#[cfg(test)]
mod tests;
