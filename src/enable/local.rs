//! The same switch in a manifest instead of a cluster.

use std::collections::BTreeMap;

use serde_json::Value;

use super::asked::Asked;
use crate::attributes::{INGRESS_ANNOTATION, InvalidAttributes, SERVICE_ANNOTATION};
use crate::flag::{self, Field, Said, Source};
use crate::objects::{Key, Kind, Object, Patch, merge};
use crate::protection::Place;
use crate::stack;

/// Why a manifest was not edited.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocalError {
    /// Nothing in it is what was named, or has a flag.
    #[error("{0}")]
    Nothing(String),
    /// An attributes annotation is none.
    #[error("the load balancer attributes of {object}")]
    Attributes {
        /// Whose.
        object: String,
        /// What is wrong.
        source: InvalidAttributes,
    },
}

/// Switches the flag in the documents that are named, or in all that have one; says how many.
///
/// Services that ask for a load balancer, Ingresses, TargetGroupConfigurations and bindings have a flag;
/// `protect` also turns deletion protection on in Services, Ingresses and LoadBalancerConfigurations.
///
/// # Errors
///
/// Nothing to edit, or a list of attributes that is none; the documents are as they were then.
pub fn edit(
    documents: &mut [Value],
    names: &[Asked],
    namespace: Option<&str>,
    on: bool,
    protect: bool,
) -> Result<usize, LocalError> {
    let mut edits: Vec<(usize, Option<usize>, Vec<Patch>)> = Vec::new();
    for (index, document) in documents.iter().enumerate() {
        match document["items"].as_array().filter(|_| document["kind"] == "List") {
            Some(items) => {
                for (item, document) in items.iter().enumerate() {
                    if let Some(patches) = patches(document, names, namespace, on, protect)? {
                        edits.push((index, Some(item), patches));
                    }
                }
            }
            None => {
                if let Some(patches) = patches(document, names, namespace, on, protect)? {
                    edits.push((index, None, patches));
                }
            }
        }
    }
    if edits.is_empty() {
        let what = match names {
            [] => "nothing in the manifest has a multi-cluster flag".to_owned(),
            _ => {
                "nothing in the manifest is what was named and has a multi-cluster flag".to_owned()
            }
        };
        return Err(LocalError::Nothing(what));
    }
    let count = edits.len();
    for (index, item, patches) in edits {
        let document = match item {
            Some(item) => &mut documents[index]["items"][item],
            None => &mut documents[index],
        };
        for patch in patches {
            merge(document, &patch.body);
        }
    }
    Ok(count)
}

/// The patches of one document; none where it has no flag or is not meant.
fn patches(
    document: &Value,
    names: &[Asked],
    namespace: Option<&str>,
    on: bool,
    protect: bool,
) -> Result<Option<Vec<Patch>>, LocalError> {
    let Some(object) = object(document, namespace) else { return Ok(None) };
    let key = &object.key;
    let is_meant = names.is_empty()
        || names.iter().any(|asked| {
            asked.kind.is_none_or(|kind| kind == key.kind)
                && asked.name.as_ref().is_none_or(|name| *name == key.name)
        });
    let is_elsewhere = namespace.is_some_and(|it| !key.namespace.is_empty() && key.namespace != it);
    if !is_meant || is_elsewhere {
        return Ok(None);
    }
    let (source, place) = match key.kind {
        // A Service may be behind an Ingress; which annotation counts is told by what it asks for.
        Kind::Service if stack::service_asks(&object) => {
            let place = Place::Annotation { object: &object, key: SERVICE_ANNOTATION };
            (Some(annotation(&object, flag::SERVICE_ANNOTATION)), Some(place))
        }
        Kind::Service if !names.is_empty() => {
            (Some(annotation(&object, flag::INGRESS_ANNOTATION)), None)
        }
        Kind::Ingress => {
            let place = Place::Annotation { object: &object, key: INGRESS_ANNOTATION };
            (Some(annotation(&object, flag::INGRESS_ANNOTATION)), Some(place))
        }
        Kind::TargetGroupConfiguration => (Some(value(&object, Field::Default)), None),
        Kind::TargetGroupBinding => (Some(value(&object, Field::Spec)), None),
        Kind::LoadBalancerConfiguration if protect && on => {
            (None, Some(Place::Configuration(&object)))
        }
        _ => return Ok(None),
    };
    let mut patches: Vec<Patch> = source.and_then(|source| source.switch(on)).into_iter().collect();
    if let Some(place) = place.filter(|_| protect && on) {
        let patch = place
            .protect()
            .map_err(|source| LocalError::Attributes { object: key.to_string(), source })?;
        patches.extend(patch);
    }
    Ok(Some(patches))
}

fn annotation<'a>(object: &'a Object, key: &'static str) -> Source<'a> {
    let said = object.annotation(key).map_or(Said::Nothing, |text| match flag::parse_bool(text) {
        Some(true) => Said::On,
        Some(false) => Said::Off,
        None => Said::Garbled(text.to_owned()),
    });
    Source { object, field: Field::Annotation(key), said }
}

fn value(object: &Object, field: Field) -> Source<'_> {
    let path = field.path();
    let said = match object.at(&path[1..]) {
        Some(Value::Bool(true)) => Said::On,
        Some(Value::Bool(false)) => Said::Off,
        _ => Said::Nothing,
    };
    Source { object, field, said }
}

/// Reads a document as an object of a known kind.
fn object(document: &Value, namespace: Option<&str>) -> Option<Object> {
    let kind = Kind::ALL.into_iter().find(|kind| document["kind"] == kind.as_str())?;
    let (group, _) = match document["apiVersion"].as_str()?.split_once('/') {
        Some((group, version)) => (group, version),
        None => ("", ""),
    };
    let metadata = &document["metadata"];
    let namespace = metadata["namespace"].as_str().or(namespace).unwrap_or_default();
    let key = Key::new(kind, namespace, metadata["name"].as_str()?);
    let mut object = Object::new(key, document["spec"].clone());
    let annotations: Option<BTreeMap<String, String>> =
        serde_json::from_value(metadata["annotations"].clone()).ok();
    object.annotations = annotations.unwrap_or_default();
    (group == kind.group()).then_some(object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn service(annotations: Value) -> Value {
        json!({"apiVersion": "v1", "kind": "Service",
               "metadata": {"name": "shop", "annotations": annotations},
               "spec": {"type": "LoadBalancer", "loadBalancerClass": stack::SERVICE_CLASS, "x": 1}})
    }

    #[test]
    fn a_manifest_gets_the_flag_and_the_protection_and_keeps_the_rest() {
        let other = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}});
        let mut documents = [service(json!({SERVICE_ANNOTATION: "a=b"})), other.clone()];
        assert_eq!(edit(&mut documents, &[], None, true, true), Ok(1));
        let expected = service(json!({
            SERVICE_ANNOTATION: "deletion_protection.enabled=true,a=b",
            flag::SERVICE_ANNOTATION: "true",
        }));
        assert_eq!(documents, [expected, other]);
        let before = documents.clone();
        edit(&mut documents, &[], None, true, true).unwrap();
        assert_eq!(documents, before, "settles");
        edit(&mut documents, &[], None, false, true).unwrap();
        let expected = service(json!({SERVICE_ANNOTATION: "deletion_protection.enabled=true,a=b"}));
        assert_eq!(documents[0], expected, "protection stays");
    }

    #[test]
    fn only_what_is_named_is_edited_in_lists_too() {
        let binding = |name: &str| {
            json!({"apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding",
                   "metadata": {"name": name}, "spec": {}})
        };
        let mut documents =
            [json!({"kind": "List", "apiVersion": "v1", "items": [binding("a"), binding("b")]})];
        let asked = Asked::parse(&["tgb/b".to_owned()]).unwrap();
        assert_eq!(edit(&mut documents, &asked, None, true, true), Ok(1));
        let items = &documents[0]["items"];
        assert_eq!(items[0]["spec"], json!({}));
        assert_eq!(items[1]["spec"], json!({"multiClusterTargetGroup": true}));
    }

    #[test]
    fn a_manifest_without_a_flag_is_left_alone() {
        let mut documents = [json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}})];
        assert!(matches!(edit(&mut documents, &[], None, true, true), Err(LocalError::Nothing(_))));
        let mut documents = [service(json!({SERVICE_ANNOTATION: "a"}))];
        let before = documents.clone();
        assert!(edit(&mut documents, &[], None, true, true).is_err());
        assert_eq!(documents, before);
    }
}
