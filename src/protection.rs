//! Whether an owner can be deleted and takes its load balancer along. Pure.
//!
//! The controller refuses to delete the load balancer of an owner whose attributes say
//! `deletion_protection.enabled=true`. Set in AWS alone it protects nothing: the controller switches
//! it off itself, and then deletes (`facts/lbc.md` 5.3).

use serde_json::{Value, json};

use crate::attributes::{self, DELETION_PROTECTION, InvalidAttributes};
use crate::binding::{Owner, OwnerKind};
use crate::facts::Silence;
use crate::flag::parse_bool;
use crate::objects::{Object, Objects, Patch};
use crate::stack;

/// How an owner is protected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection<'a> {
    /// Whether the controller would heed it.
    pub is_on: bool,
    /// Where it is written, or would be.
    pub place: Place<'a>,
}

/// Where an owner's protection is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// The attributes annotation of this object, which may hold other attributes.
    Annotation {
        /// The object.
        object: &'a Object,
        /// The annotation.
        key: &'static str,
    },
    /// The attributes of this LoadBalancerConfiguration.
    Configuration(&'a Object),
    /// These IngressClassParams set it, and win over what Ingresses say.
    Params(&'a Object),
    /// The configuration of the Gateway's class sets it, and wins over the Gateway's own.
    Class(&'a Object),
    /// Nowhere: the owner is not there, or the Gateway has no LoadBalancerConfiguration.
    Nowhere,
}

impl Place<'_> {
    /// The names that lead to the field, as managed fields have them.
    pub fn path(&self) -> Vec<&'static str> {
        match self {
            Self::Annotation { key, .. } => vec!["metadata", "annotations", key],
            _ => vec!["spec", "loadBalancerAttributes"],
        }
    }

    /// The patch that turns protection on beside whatever else is set there; none where it is not to
    /// be written there.
    ///
    /// # Errors
    ///
    /// The entry of the annotation that is no attribute: the controller refuses that list too.
    pub fn protect(&self) -> Result<Option<Patch>, InvalidAttributes> {
        self.set("true")
    }

    /// The patch that turns protection off, in so many words; none where it is not to be written there.
    ///
    /// # Errors
    ///
    /// As [`protect`](Self::protect).
    pub fn unprotect(&self) -> Result<Option<Patch>, InvalidAttributes> {
        self.set("false")
    }

    fn set(&self, value: &str) -> Result<Option<Patch>, InvalidAttributes> {
        Ok(match self {
            Self::Annotation { object, key } => {
                let text = object.annotation(key).unwrap_or_default();
                let set = attributes::set(text, DELETION_PROTECTION, value)?;
                (set != text)
                    .then(|| object.patch(json!({"metadata": {"annotations": {*key: set}}})))
            }
            Self::Configuration(object) => {
                let mut list = object.list(&["loadBalancerAttributes"]).to_vec();
                let entry = json!({"key": DELETION_PROTECTION, "value": value});
                match list.iter_mut().find(|it| it["key"] == DELETION_PROTECTION) {
                    Some(it) => *it = entry,
                    None => list.push(entry),
                }
                Some(object.patch(json!({"spec": {"loadBalancerAttributes": list}})))
            }
            Self::Params(_) | Self::Class(_) | Self::Nowhere => None,
        })
    }
}

/// Finds out how an owner is protected.
///
/// # Errors
///
/// The silence where what decides could not be read.
pub fn of<'a>(owner: &Owner, objects: &'a Objects) -> Result<Protection<'a>, Silence> {
    let nowhere = Protection { is_on: false, place: Place::Nowhere };
    let object = match owner.key() {
        Some(key) => match objects.get(&key)? {
            Some(object) => Some(object),
            None => return Ok(nowhere),
        },
        None => None,
    };
    match (owner.kind, object) {
        (OwnerKind::Service, Some(service)) => {
            Ok(by_annotation(&[service], attributes::SERVICE_ANNOTATION))
        }
        (OwnerKind::Gateway, Some(gateway)) => of_gateway(gateway, objects),
        (OwnerKind::Ingress, Some(ingress)) => of_ingresses(&[ingress], objects),
        (OwnerKind::IngressGroup, _) => {
            of_ingresses(&stack::members(&owner.name, objects)?, objects)
        }
        (_, None) => Ok(nowhere),
    }
}

/// The member that has it protects a whole group; else the one that sets attributes is the place for
/// it, else the first.
fn by_annotation<'a>(objects: &[&'a Object], key: &'static str) -> Protection<'a> {
    let protects = |it: &&&Object| {
        it.annotation(key).is_some_and(|text| attributes::is_protected(text) == Ok(true))
    };
    let protecting = objects.iter().find(protects);
    let place = protecting
        .or_else(|| objects.iter().find(|it| it.annotation(key).is_some()))
        .or_else(|| objects.first());
    let place = place.map_or(Place::Nowhere, |object| Place::Annotation { object, key });
    Protection { is_on: protecting.is_some(), place }
}

fn of_ingresses<'a>(
    ingresses: &[&'a Object],
    objects: &'a Objects,
) -> Result<Protection<'a>, Silence> {
    let mut found = by_annotation(ingresses, attributes::INGRESS_ANNOTATION);
    if let Some(first) = ingresses.first()
        && let Some(params) = stack::class(first, objects)?.params
        && value(params).is_some()
    {
        // On deletion only the annotation is heeded, in AWS only the parameters.
        found.place = Place::Params(params);
    }
    Ok(found)
}

fn of_gateway<'a>(gateway: &Object, objects: &'a Objects) -> Result<Protection<'a>, Silence> {
    if let Some(class) = gateway.text(&["gatewayClassName"]) {
        objects.get(&crate::objects::Key::new(crate::objects::Kind::GatewayClass, "", class))?;
    }
    let [of_class, own] = stack::configuration_keys(gateway, objects);
    let read = |key: Option<crate::objects::Key>| match key {
        Some(key) => objects.get(&key),
        None => Ok(None),
    };
    let (of_class, own) = (read(of_class)?, read(own)?);
    let prefers_gateway =
        of_class.and_then(|it| it.text(&["mergingMode"])) == Some("prefer-gateway");
    let said = |it: Option<&'a Object>| it.and_then(value);
    let is_on = if prefers_gateway {
        said(own).or_else(|| said(of_class))
    } else {
        said(of_class).or_else(|| said(own))
    };
    let place = match (of_class, own) {
        (Some(class), _) if said(Some(class)).is_some() && !prefers_gateway => Place::Class(class),
        (_, Some(own)) => Place::Configuration(own),
        (Some(class), None) => Place::Class(class),
        (None, None) => Place::Nowhere,
    };
    Ok(Protection { is_on: is_on == Some(true), place })
}

/// What a list of attributes says; a value that is none is false (LBC 3.5, `base_model_builder.go`).
fn value(object: &Object) -> Option<bool> {
    let list = object.list(&["loadBalancerAttributes"]);
    let entry = list.iter().find(|it| it["key"] == DELETION_PROTECTION)?;
    Some(entry.get("value").and_then(Value::as_str).and_then(parse_bool).unwrap_or(false))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::{Key, Kind};

    fn object(kind: Kind, name: &str, spec: Value) -> Object {
        Object::new(Key::new(kind, "web", name), spec)
    }

    fn owner(kind: OwnerKind, name: &str) -> Owner {
        let namespace = (kind != OwnerKind::IngressGroup).then(|| "web".to_owned());
        Owner { kind, namespace, name: name.to_owned() }
    }

    fn objects(all: Vec<Object>) -> Objects {
        let single = all.into_iter().map(|it| (it.key.clone(), Ok(Some(it)))).collect();
        Objects { single, ..Objects::default() }
    }

    #[test]
    fn a_services_annotation_protects_it_and_takes_it_beside_what_is_there() {
        let mut service = object(Kind::Service, "shop", json!({}));
        service.annotations.insert(attributes::SERVICE_ANNOTATION.to_owned(), "a=b".to_owned());
        let world = objects(vec![service]);
        let found = of(&owner(OwnerKind::Service, "shop"), &world).unwrap();
        assert!(!found.is_on);
        let patch = found.place.protect().unwrap().unwrap().body;
        let expected = "deletion_protection.enabled=true,a=b";
        assert_eq!(
            patch,
            json!({"metadata": {"annotations": {attributes::SERVICE_ANNOTATION: expected}}})
        );
    }

    fn gateway_world(class: Value, own: Value) -> Objects {
        let reference = |name: &str| {
            json!({"group": "gateway.k8s.aws", "kind": "LoadBalancerConfiguration",
                   "name": name, "namespace": "web"})
        };
        let gateway = json!({"gatewayClassName": "alb", "infrastructure": {"parametersRef": reference("own")}});
        objects(vec![
            object(Kind::Gateway, "gw", gateway),
            object(Kind::GatewayClass, "alb", json!({"parametersRef": reference("class")})),
            object(Kind::LoadBalancerConfiguration, "class", class),
            object(Kind::LoadBalancerConfiguration, "own", own),
        ])
    }

    fn list(value: &str) -> Value {
        json!({"loadBalancerAttributes": [{"key": "idle", "value": "1"},
                                          {"key": DELETION_PROTECTION, "value": value}]})
    }

    #[test]
    fn a_gateway_is_protected_by_its_configuration_and_its_classes_wins() {
        let found = |class: Value, own: Value| {
            let world = gateway_world(class, own);
            let found = of(&owner(OwnerKind::Gateway, "gw"), &world).unwrap();
            (found.is_on, found.place.protect().unwrap().map(|it| it.body))
        };
        let merged = json!({"spec": list("true")});
        assert_eq!(found(json!({}), list("false")), (false, Some(merged)));
        assert!(found(json!({}), list("true")).0);
        assert_eq!(found(list("false"), list("true")), (false, None), "the class says no");
        let mut polite = list("false");
        polite["mergingMode"] = json!("prefer-gateway");
        assert!(found(polite, list("true")).0);
    }

    #[test]
    fn params_that_set_it_are_named_and_protect_nothing_on_deletion() {
        let class = json!({"controller": stack::INGRESS_CONTROLLER, "parameters": {"name": "p"}});
        let mut world =
            objects(vec![object(Kind::Ingress, "i", json!({"ingressClassName": "alb"}))]);
        let classes = vec![object(Kind::IngressClass, "alb", class)];
        world.lists.insert((Kind::IngressClass, None), Ok(classes));
        let params = vec![object(Kind::IngressClassParams, "p", list("true"))];
        world.lists.insert((Kind::IngressClassParams, None), Ok(params));
        let found = of(&owner(OwnerKind::Ingress, "i"), &world).unwrap();
        assert!(!found.is_on);
        assert!(matches!(found.place, Place::Params(_)));
        assert_eq!(found.place.protect(), Ok(None));
    }
}
