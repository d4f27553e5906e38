//! The objects around bindings in a simulated cluster.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::state::{ClusterState, uid};
use crate::binding::{Binding, Flavour};
use crate::ledger::CONTROLLER_FIELD_MANAGER;
use crate::managers::Manager;
use crate::objects::{Key, Kind, Object, Patch, merge};

/// The field manager of this program's writes.
const FIELD_MANAGER: &str = "kubectl-mctg";

impl ClusterState {
    /// Stores an object around bindings, with a UID and a version of its own.
    pub fn put_object(&mut self, mut object: Object) {
        self.sequence += 1;
        if object.uid.is_empty() {
            object.uid = uid(&format!("{}/{}/{}", self.identity, object.key, self.sequence));
        }
        object.version = self.sequence.to_string();
        self.objects.insert(object.key.to_string(), object);
    }

    /// Removes an object around bindings.
    pub fn remove_object(&mut self, key: &Key) {
        self.objects.remove(&key.to_string());
        if key.kind == Kind::Service {
            self.services.remove(&super::state::key(&key.namespace, &key.name));
        }
    }

    /// Annotates an object that is there.
    pub fn annotate(&mut self, key: &Key, annotation: &str, value: &str) {
        if let Some(mut object) = self.object(key) {
            object.annotations.insert(annotation.to_owned(), value.to_owned());
            self.put_object(object);
        }
    }

    /// An object as its cluster shows it.
    pub fn object(&self, key: &Key) -> Option<Object> {
        match key.kind {
            Kind::TargetGroupBinding => {
                let mut bindings = self.bindings(Flavour::LoadBalancerController);
                let is_it = |it: &&Binding| it.namespace == key.namespace && it.name == key.name;
                bindings.find(is_it).map(binding)
            }
            Kind::Service => {
                let stored = self.objects.get(&key.to_string()).cloned();
                stored.or_else(|| self.plain_service(key))
            }
            _ => self.objects.get(&key.to_string()).cloned(),
        }
    }

    /// The objects of a kind.
    pub fn objects(&self, kind: Kind) -> Vec<Object> {
        let mut keys: Vec<Key> = match kind {
            Kind::TargetGroupBinding => {
                let bindings = self.bindings(Flavour::LoadBalancerController);
                bindings.map(|it| Key::new(kind, &it.namespace, &it.name)).collect()
            }
            Kind::Service => {
                let services = self.services.values().map(|it| &it.service);
                services.map(|it| Key::new(kind, &it.namespace, &it.name)).collect()
            }
            _ => Vec::new(),
        };
        let stored = self.objects.values().map(|it| &it.key).filter(|key| key.kind == kind);
        keys.extend(stored.cloned());
        keys.sort();
        keys.dedup();
        keys.iter().filter_map(|key| self.object(key)).collect()
    }

    /// A Service that nobody said more of.
    fn plain_service(&self, key: &Key) -> Option<Object> {
        let service = self.services.get(&super::state::key(&key.namespace, &key.name))?;
        let ports =
            service.service.ports.iter().map(
                |port| json!({"name": port.name, "port": port.port, "nodePort": port.node_port}),
            );
        let spec = json!({
            "type": format!("{:?}", service.service.kind),
            "loadBalancerClass": crate::stack::SERVICE_CLASS,
            "ports": ports.collect::<Vec<_>>(),
        });
        let mut object = Object::new(key.clone(), spec);
        object.uid = uid(&format!("{}/{key}", self.identity));
        object.version = "1".to_owned();
        Some(object)
    }

    /// Merges a patch into the object it is for; none where that is not there in this version.
    pub(super) fn patch_object(&mut self, patch: &Patch, rehearse: bool) -> Option<Object> {
        let stored = self.object(&patch.key)?;
        if stored.uid != patch.uid || stored.version != patch.version {
            return None;
        }
        let mut object = merged(stored, &patch.body);
        if rehearse {
            return Some(object);
        }
        self.sequence += 1;
        object.version = self.sequence.to_string();
        if patch.key.kind == Kind::TargetGroupBinding {
            let now = self.now();
            let it = self.binding_mut(&patch.key.namespace, &patch.key.name)?;
            let flag = object.at(&["multiClusterTargetGroup"]).and_then(Value::as_bool);
            it.spec.multi_cluster_target_group = flag.unwrap_or(false);
            it.changed_at = Some(now);
            return Some(binding(it));
        }
        self.objects.insert(object.key.to_string(), object.clone());
        Some(object)
    }
}

/// A binding as the object that it is.
fn binding(from: &Binding) -> Object {
    let spec = serde_json::to_value(&from.spec).unwrap_or_default();
    let mut object =
        Object::new(Key::new(Kind::TargetGroupBinding, &from.namespace, &from.name), spec);
    object.uid.clone_from(&from.uid);
    // What it asks for is all that is ever patched of it here.
    object.version =
        format!("{}-{}", from.spec.multi_cluster_target_group, from.deleted_at.is_some());
    object.is_being_deleted = from.is_being_deleted();
    object.labels.clone_from(&from.labels);
    object.annotations.clone_from(&from.annotations);
    if from.owner().is_some() {
        let fields = fields(&json!({"spec": {"multiClusterTargetGroup": true}}));
        object.managers.push(Manager { name: CONTROLLER_FIELD_MANAGER.to_owned(), fields });
    }
    object
}

fn merged(object: Object, patch: &Value) -> Object {
    let mut whole = json!({
        "metadata": {"annotations": object.annotations, "labels": object.labels},
        "spec": object.spec,
    });
    merge(&mut whole, patch);
    let text = |value: &Value| -> BTreeMap<String, String> {
        serde_json::from_value(value.clone()).unwrap_or_default()
    };
    let mut managers = object.managers;
    let written = fields(patch);
    managers.retain(|manager| manager.name != FIELD_MANAGER);
    managers.push(Manager { name: FIELD_MANAGER.to_owned(), fields: written });
    Object {
        annotations: text(&whole["metadata"]["annotations"]),
        labels: text(&whole["metadata"]["labels"]),
        spec: whole["spec"].as_object().cloned().unwrap_or_default(),
        managers,
        ..object
    }
}

/// What managed fields say of whoever wrote these values.
fn fields(of: &Value) -> serde_json::Map<String, Value> {
    let own = of.as_object().into_iter().flatten();
    own.map(|(name, value)| (format!("f:{name}"), Value::Object(fields(value)))).collect()
}
