//! The objects around bindings: what the controller generates them for, and what sets them up.
//!
//! Services, Ingresses with their classes, Gateways with their routes and configurations, bindings
//! themselves, and the `TargetGroup` of ACK. Of each only what decides about sharing is kept.

mod kind;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use self::kind::{Kind, ROUTES};
use crate::facts::{Reading, Silence, SilenceReason};
use crate::managers::Manager;

/// Which object: its kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty where the kind has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// Names an object.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        let namespace = if kind.is_namespaced() { namespace.to_owned() } else { String::new() };
        Self { kind, namespace, name: name.to_owned() }
    }
}

/// Writes `Service namespace/name`, or `IngressClass name`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name } = self;
        if namespace.is_empty() {
            write!(f, "{} {name}", kind.as_str())
        } else {
            write!(f, "{} {namespace}/{name}", kind.as_str())
        }
    }
}

/// An object as its cluster stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Which it is.
    pub key: Key,
    /// Its UID.
    pub uid: String,
    /// Its resource version: a patch that carries it fails if anybody wrote in between.
    pub version: String,
    /// Whether its deletion was asked for.
    pub is_being_deleted: bool,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Who wrote which fields.
    pub managers: Vec<Manager>,
    /// What is kept of its `spec`.
    pub spec: Map<String, Value>,
    /// Its ARN, where it stands for something of AWS (ACK: `status.ackResourceMetadata.arn`).
    pub arn: Option<String>,
}

impl Object {
    /// Makes an object of what a manifest or an API says; what is not kept of `spec` is left out.
    pub fn new(key: Key, spec: Value) -> Self {
        let mut spec = match spec {
            Value::Object(spec) => spec,
            _ => Map::new(),
        };
        spec.retain(|name, _| key.kind.kept().contains(&name.as_str()));
        Self {
            key,
            uid: String::new(),
            version: String::new(),
            is_being_deleted: false,
            annotations: BTreeMap::new(),
            labels: BTreeMap::new(),
            managers: Vec::new(),
            spec,
            arn: None,
        }
    }

    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }

    /// A value of its `spec`, by the names that lead there.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.spec.get(*first)?, |value, name| value.get(*name))
    }

    /// A text of its `spec`, by the names that lead there.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// A list of its `spec`, by the names that lead there; empty where there is none.
    pub fn list(&self, path: &[&str]) -> &[Value] {
        self.at(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Makes a patch of exactly this version of it.
    pub fn patch(&self, body: Value) -> Patch {
        Patch { key: self.key.clone(), uid: self.uid.clone(), version: self.version.clone(), body }
    }
}

/// A change of one object: a merge patch (RFC 7386) of exactly the version that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The object.
    pub key: Key,
    /// Its UID: another object of that name is left alone.
    pub uid: String,
    /// Its resource version: what somebody wrote in between is left alone.
    pub version: String,
    /// What to merge, without UID and version.
    pub body: Value,
}

impl Patch {
    /// The patch as it is sent: with the UID and the version it is for.
    pub fn guarded(&self) -> Value {
        let guard = json!({"metadata": {"uid": self.uid, "resourceVersion": self.version}});
        let mut body = self.body.clone();
        merge(&mut body, &guard);
        body
    }
}

/// Merges a patch into a value (RFC 7386): `null` takes away, lists are replaced whole.
pub fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Value::Object(value) = value {
        for (name, patch) in patch {
            if patch.is_null() {
                value.remove(name);
            } else {
                merge(value.entry(name).or_insert(Value::Null), patch);
            }
        }
    }
}

/// What was read of one cluster's objects.
///
/// What nobody asked for is a silence too, and never an object that is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Single objects; `None` where there is none.
    pub single: BTreeMap<Key, Reading<Option<Object>>>,
    /// All objects of a kind, over all namespaces or in one.
    pub lists: BTreeMap<(Kind, Option<String>), Reading<Vec<Object>>>,
}

impl Objects {
    /// Finds an object: `None` where it is known that there is none.
    ///
    /// # Errors
    ///
    /// The silence where it was not read, or not asked for.
    pub fn get(&self, key: &Key) -> Result<Option<&Object>, Silence> {
        if let Some(read) = self.single.get(key) {
            return read.as_ref().map(Option::as_ref).map_err(Clone::clone);
        }
        let of = |namespace| Ok(self.all(key.kind, namespace)?.find(|it| it.key == *key));
        of(None).or_else(|_: Silence| of(Some(&key.namespace)))
    }

    /// The objects of a kind, over all namespaces or in one.
    ///
    /// # Errors
    ///
    /// The silence where they were not read, or not asked for.
    pub fn all<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&str>,
    ) -> Result<impl Iterator<Item = &'a Object> + use<'a>, Silence> {
        let everywhere = self.lists.get(&(kind, None));
        let here = namespace.and_then(|it| self.lists.get(&(kind, Some(it.to_owned()))));
        let wanted = namespace.map(str::to_owned);
        let list = match (everywhere, here) {
            (Some(Ok(list)), _) | (_, Some(Ok(list))) => list,
            (Some(Err(silence)), _) | (_, Some(Err(silence))) => return Err(silence.clone()),
            (None, None) => return Err(not_asked(kind)),
        };
        Ok(list.iter().filter(move |it| wanted.as_ref().is_none_or(|ns| it.key.namespace == *ns)))
    }

    /// What could not be read, each cause once.
    pub fn silences(&self) -> Vec<&Silence> {
        let single = self.single.values().filter_map(|read| read.as_ref().err());
        let lists = self.lists.values().filter_map(|read| read.as_ref().err());
        let mut told = BTreeSet::new();
        single.chain(lists).filter(|silence| told.insert(silence.message.clone())).collect()
    }
}

fn not_asked(kind: Kind) -> Silence {
    Silence::new(SilenceReason::NotAsked, format!("{} were not asked for", kind.qualified()))
}

#[cfg(test)]
mod tests;
