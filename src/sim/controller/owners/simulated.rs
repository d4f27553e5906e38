//! A simulated cluster as the owners' controllers reach it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    GeneratedBinding, OwnerApi, OwnerEvent, OwnerRef, OwnerView, OwnerWorked, Owners, Settings,
};
use crate::binding::Flavour;
use crate::objects::{self, Kind, Object, ROUTES};
use crate::sim::cluster::{Cluster, ClusterState, NewBinding};
use crate::sim::controller::api::{Failure, Key};
use crate::sim::{LoadBalancers, world};

/// A simulated cluster as the owners' controllers reach it: their calls take no time, and fail never.
#[derive(Debug)]
pub struct SimOwners {
    cluster: Cluster,
    held: Mutex<BTreeSet<(OwnerRef, String)>>,
    events: Mutex<Vec<(OwnerRef, OwnerEvent)>>,
}

impl Owners<SimOwners> {
    /// Starts the owners' controllers of a simulated cluster, which is named like its context.
    pub fn simulated(cluster: &Cluster, load_balancers: &LoadBalancers) -> Self {
        let api = SimOwners {
            cluster: cluster.clone(),
            held: Mutex::default(),
            events: Mutex::default(),
        };
        let name = crate::cluster::Cluster::context(cluster);
        Self::new(api, load_balancers.clone(), Settings::new(name, world::VPC))
    }

    /// Deals with every owner that changed, and returns what was done.
    pub fn run(&self) -> Vec<OwnerWorked> {
        let mut worked = Vec::new();
        loop {
            let now = self.api.cluster.with(|state| state.now());
            let work = std::pin::pin!(self.work(now));
            let Poll::Ready(Ok(Some(done))) = work.poll(&mut Context::from_waker(Waker::noop()))
            else {
                return worked;
            };
            worked.push(done);
        }
    }

    /// What was said of owners since it was last asked.
    pub fn said(&self) -> Vec<(OwnerRef, OwnerEvent)> {
        std::mem::take(&mut lock(&self.api.events))
    }
}

impl SimOwners {
    /// The objects of a kind, as the API server would show them.
    fn all<T: DeserializeOwned>(&self, state: &ClusterState, kind: Kind) -> BTreeMap<Key, T> {
        let held = lock(&self.held);
        let shown = state.objects(kind).into_iter().filter_map(|object| {
            let key = (object.key.namespace.clone(), object.key.name.clone());
            let of_it =
                |(owner, _): &&(OwnerRef, String)| (owner.kind, &owner.at) == (kind.as_str(), &key);
            let finalizers = held.iter().filter(of_it).map(|(_, name)| name.as_str()).collect();
            Some((key, serde_json::from_value(manifest(state, &object, finalizers)).ok()?))
        });
        shown.collect()
    }
}

/// An object as JSON, with what the simulated world keeps elsewhere or not at all: a Service's target
/// ports, and a Gateway's listener on port 80.
fn manifest(state: &ClusterState, object: &Object, finalizers: Vec<&str>) -> Value {
    let objects::Key { kind, namespace, name } = &object.key;
    let mut spec = Value::Object(object.spec.clone());
    if *kind == Kind::Gateway && spec["listeners"].is_null() {
        let class = objects::Key::new(
            Kind::GatewayClass,
            "",
            spec["gatewayClassName"].as_str().unwrap_or_default(),
        );
        let class = state.object(&class);
        let is_nlb = class
            .is_some_and(|it| it.text(&["controllerName"]) == Some(super::NLB_GATEWAY_CONTROLLER));
        let protocol = if is_nlb { "TCP" } else { "HTTP" };
        spec["listeners"] = json!([{ "name": "main", "port": 80, "protocol": protocol }]);
    }
    let service = state.services.get(&format!("{namespace}/{name}"));
    if let (Kind::Service, Some(service)) = (kind, service) {
        let port = |port: &crate::endpoints::ServicePort| {
            let target = service.target_ports.get(&port.name).copied().unwrap_or(port.port);
            json!({
                "name": port.name, "port": port.port, "protocol": "TCP",
                "nodePort": port.node_port, "targetPort": target,
            })
        };
        spec["ports"] = service.service.ports.iter().map(port).collect();
    }
    json!({
        "metadata": {
            "namespace": namespace,
            "name": name,
            "uid": object.uid,
            "annotations": object.annotations,
            "finalizers": finalizers,
            "deletionTimestamp": object.is_being_deleted.then_some("2026-01-01T00:00:00Z"),
        },
        "spec": spec,
    })
}

impl OwnerApi for SimOwners {
    async fn owners(&self) -> Result<OwnerView, Failure> {
        Ok(self.cluster.with(|state| {
            let classes = state.objects(Kind::IngressClass).into_iter().filter_map(|class| {
                Some((class.key.name.clone(), class.text(&["controller"])?.to_owned()))
            });
            let gateway_classes = self.all(state, Kind::GatewayClass).into_iter();
            let bindings = state.bindings(Flavour::LoadBalancerController);
            OwnerView {
                services: self.all(state, Kind::Service),
                ingresses: self.all(state, Kind::Ingress),
                ingress_classes: classes.collect(),
                gateways: self.all(state, Kind::Gateway),
                gateway_classes: gateway_classes.map(|((_, name), it)| (name, it)).collect(),
                routes: ROUTES
                    .into_iter()
                    .flat_map(|kind| {
                        let routes = self.all(state, kind).into_iter();
                        routes.map(move |(key, it)| ((kind.as_str().to_owned(), key), it))
                    })
                    .collect(),
                group_configurations: self.all(state, Kind::TargetGroupConfiguration),
                load_balancer_configurations: self.all(state, Kind::LoadBalancerConfiguration),
                bindings: bindings
                    .map(|it| ((it.namespace.clone(), it.name.clone()), it.clone()))
                    .collect(),
            }
        }))
    }

    async fn create_binding(&self, generated: &GeneratedBinding) -> Result<(), Failure> {
        let GeneratedBinding { namespace, name, labels, spec } = generated.clone();
        let flavour = Flavour::LoadBalancerController;
        let new = NewBinding { namespace, name, flavour, labels, spec };
        self.cluster.with(|state| state.bind(&new));
        Ok(())
    }

    async fn replace_binding(
        &self,
        (namespace, name): &Key,
        generated: &GeneratedBinding,
    ) -> Result<(), Failure> {
        self.cluster.with(|state| {
            let now = state.now();
            let Some(binding) = state.binding_mut(namespace, name) else { return };
            binding.spec = generated.spec.clone();
            binding.labels = generated.labels.clone();
            binding.annotations.clear();
            binding.changed_at = Some(now);
        });
        Ok(())
    }

    async fn delete_binding(&self, (namespace, name): &Key) -> Result<(), Failure> {
        self.cluster.with(|state| state.delete_binding(namespace, name));
        Ok(())
    }

    async fn set_finalizer(
        &self,
        owner: &OwnerRef,
        finalizer: &str,
        held: bool,
    ) -> Result<(), Failure> {
        let holds = {
            let mut all = lock(&self.held);
            let entry = (owner.clone(), finalizer.to_owned());
            if held {
                all.insert(entry);
            } else {
                all.remove(&entry);
            }
            all.iter().any(|(it, _)| it == owner)
        };
        let kind = Kind::ALL.into_iter().find(|kind| kind.as_str() == owner.kind);
        let Some(kind) = kind else { return Ok(()) };
        let key = objects::Key::new(kind, &owner.at.0, &owner.at.1);
        self.cluster.with(|state| {
            if !holds && state.object(&key).is_some_and(|object| object.is_being_deleted) {
                state.remove_object(&key);
            }
        });
        Ok(())
    }

    async fn publish(&self, _owner: &OwnerRef, _host: &str) -> Result<(), Failure> {
        // The simulated world shows no host names.
        Ok(())
    }

    async fn record(&self, owner: &OwnerRef, event: &OwnerEvent) -> Result<(), Failure> {
        lock(&self.events).push((owner.clone(), event.clone()));
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A test that panicked while it held the lock has already failed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
