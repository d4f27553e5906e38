//! What is written to switch a flag, one patch an object, and to protect what carries it. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::case::Case;
use super::spots::Spot;
use crate::change::{Change, Check, Item, Verdict};
use crate::findings::catalogue::OWNER_UNPROTECTED;
use crate::flag::Field;
use crate::objects::{Key, Kind, Patch};
use crate::protection::{self, Place};

/// The patches that switch every place, one an object.
pub(super) fn switches(case: &Case<'_>, on: bool) -> BTreeMap<Key, Patch> {
    let mut patches = BTreeMap::new();
    let sources = case.concerned.iter().filter_map(|it| it.sources.as_ref().ok()).flatten();
    let mut done: BTreeSet<(Key, Field)> = BTreeSet::new();
    for source in sources {
        let place = (source.object.key.clone(), source.field.clone());
        let spot = Spot::Field(place.0.clone(), place.1.clone());
        if case.subject.spots.contains(&spot) && done.insert(place) {
            add(&mut patches, source.switch(on));
        }
    }
    patches
}

/// The TargetGroupConfigurations to make.
pub(super) fn creations(case: &Case<'_>) -> Vec<Change> {
    let created = case.subject.spots.iter().filter_map(|spot| match spot {
        Spot::Create(service) => Some(service),
        Spot::Field(..) => None,
    });
    let change = |service: &Key| {
        let taken = |name: &str| {
            let key = Key::new(Kind::TargetGroupConfiguration, &service.namespace, name);
            !matches!(case.world.objects.get(&key), Ok(None))
        };
        let name = match taken(&service.name) {
            true => format!("{}-multi-cluster", service.name),
            false => service.name.clone(),
        };
        let key = Key::new(Kind::TargetGroupConfiguration, &service.namespace, &name);
        let manifest = json!({
            "kind": key.kind.as_str(),
            "metadata": {"namespace": key.namespace, "name": key.name},
            "spec": {
                "targetReference": {"kind": "Service", "name": service.name},
                "defaultConfiguration": {"enableMultiCluster": true},
            },
        });
        Change::CreateOwner { key, manifest }
    };
    created.map(change).collect()
}

/// Adds what protects the owners; says whether protection is to come in AWS.
pub(super) fn protect(
    case: &Case<'_>,
    patches: &mut BTreeMap<Key, Patch>,
    item: &mut Item,
) -> bool {
    if case.request.protect == Some(false) {
        return false;
    }
    let mut comes = false;
    for owner in case.owners() {
        let found = match protection::of(&owner, &case.world.objects) {
            Ok(found) => found,
            Err(silence) => {
                let message = format!("whether it is protected is not known: {silence}");
                item.check(Check::of(&OWNER_UNPROTECTED, Verdict::Warning, message));
                continue;
            }
        };
        if found.is_on {
            item.check(Check::passed("Protection", "its owner asks for deletion protection"));
            comes = true;
            continue;
        }
        let named = match &found.place {
            Place::Params(object) => format!(
                "the {} set deletion protection, which does not count when an Ingress is deleted; nothing is \
                 written to them",
                object.key
            ),
            Place::Class(object) => {
                format!(
                    "the {} of its class decides about deletion protection; nothing is written to it",
                    object.key
                )
            }
            Place::Nowhere => {
                "it has no LoadBalancerConfiguration that could ask for deletion protection"
                    .to_owned()
            }
            place => match place.protect() {
                Ok(patch) => {
                    comes = comes || patch.is_some();
                    add(patches, patch);
                    continue;
                }
                Err(invalid) => {
                    let hint = "mend the annotation: its controller refuses it too";
                    let check =
                        Check::of(&OWNER_UNPROTECTED, Verdict::Refused, invalid.to_string());
                    item.check(check.hint(hint));
                    continue;
                }
            },
        };
        item.check(Check::of(&OWNER_UNPROTECTED, Verdict::Warning, named));
    }
    comes
}

/// Takes protection away where it was asked to.
pub(super) fn unprotect(case: &Case<'_>, patches: &mut BTreeMap<Key, Patch>, item: &mut Item) {
    for owner in case.owners() {
        let Ok(found) = protection::of(&owner, &case.world.objects) else { continue };
        if !found.is_on {
            continue;
        }
        match found.place.unprotect() {
            Ok(patch) => add(patches, patch),
            Err(invalid) => {
                item.check(Check::of(&OWNER_UNPROTECTED, Verdict::Warning, invalid.to_string()));
            }
        }
    }
}

/// Tells a patch field by field, so that it can be read.
pub(super) fn describe(patch: &Patch, item: &mut Item) {
    let annotations = patch.body["metadata"]["annotations"].as_object();
    for (key, value) in annotations.into_iter().flatten() {
        let text = match value.as_str() {
            Some(value) => format!("{} {key}: {value}", patch.key),
            None => format!("{} {key} goes", patch.key),
        };
        item.detail("annotate", text);
    }
    if let Some(spec) = patch.body.get("spec") {
        item.detail("set", format!("{} spec {spec}", patch.key));
    }
}

/// Adds a patch to the one of the same object.
fn add(patches: &mut BTreeMap<Key, Patch>, patch: Option<Patch>) {
    let Some(patch) = patch else { return };
    match patches.get_mut(&patch.key) {
        Some(present) => merge_patch(&mut present.body, &patch.body),
        None => {
            patches.insert(patch.key.clone(), patch);
        }
    }
}

/// Puts one patch over another; unlike a merge, what it takes away stays said.
fn merge_patch(patch: &mut serde_json::Value, other: &serde_json::Value) {
    match (patch, other) {
        (serde_json::Value::Object(patch), serde_json::Value::Object(other)) => {
            for (name, value) in other {
                merge_patch(patch.entry(name).or_insert(serde_json::Value::Null), value);
            }
        }
        (patch, other) => *patch = other.clone(),
    }
}
