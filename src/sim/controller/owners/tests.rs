//! The rules of `facts/lbc.md` 5, one sentence each.

mod gateways;
mod ingresses;
mod services;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use serde_json::{Value, json};

use super::*;
use crate::binding::Flavour;
use crate::sim::World;
use crate::sim::elbv2::{Model, TargetRequest};
use crate::sim::world::VPC;

/// A cluster of owners and bindings, where each call happens at once.
#[derive(Default)]
struct Desk {
    view: Mutex<OwnerView>,
    events: Mutex<Vec<(String, String)>>,
    hosts: Mutex<BTreeMap<Key, String>>,
}

impl Desk {
    fn view<T>(&self, look: impl FnOnce(&mut OwnerView) -> T) -> T {
        look(&mut self.view.lock().unwrap())
    }
}

impl OwnerApi for Desk {
    async fn owners(&self) -> Result<OwnerView, Failure> {
        Ok(self.view(|view| view.clone()))
    }

    async fn create_binding(&self, generated: &GeneratedBinding) -> Result<(), Failure> {
        let GeneratedBinding { namespace, name, labels, spec } = generated.clone();
        let binding = Binding {
            namespace: namespace.clone(),
            name: name.clone(),
            uid: name.clone(),
            flavour: Flavour::LoadBalancerController,
            created_at: None,
            changed_at: None,
            deleted_at: None,
            has_finalizer: true,
            failure: None,
            labels,
            annotations: BTreeMap::new(),
            spec,
        };
        self.view(|view| view.bindings.insert((namespace, name), binding));
        Ok(())
    }

    async fn replace_binding(&self, at: &Key, new: &GeneratedBinding) -> Result<(), Failure> {
        self.view(|view| {
            let binding = view.bindings.get_mut(at).unwrap();
            binding.spec = new.spec.clone();
            binding.labels = new.labels.clone();
            binding.annotations.clear();
        });
        Ok(())
    }

    async fn delete_binding(&self, at: &Key) -> Result<(), Failure> {
        let now = Some("2026-01-01T00:00:00Z".parse().unwrap());
        self.view(|view| view.bindings.get_mut(at).unwrap().deleted_at = now);
        Ok(())
    }

    async fn set_finalizer(
        &self,
        owner: &OwnerRef,
        finalizer: &str,
        held: bool,
    ) -> Result<(), Failure> {
        self.view(|view| {
            let meta = match owner.kind {
                "Service" => &mut view.services.get_mut(&owner.at).unwrap().metadata,
                "Ingress" => &mut view.ingresses.get_mut(&owner.at).unwrap().metadata,
                _ => &mut view.gateways.get_mut(&owner.at).unwrap().metadata,
            };
            if held {
                meta.finalizers.insert(finalizer.to_owned());
                return;
            }
            meta.finalizers.remove(finalizer);
            if meta.is_being_deleted() && meta.finalizers.is_empty() {
                view.services.remove(&owner.at);
                view.ingresses.remove(&owner.at);
                view.gateways.remove(&owner.at);
            }
        });
        Ok(())
    }

    async fn publish(&self, owner: &OwnerRef, host: &str) -> Result<(), Failure> {
        self.hosts.lock().unwrap().insert(owner.at.clone(), host.to_owned());
        Ok(())
    }

    async fn record(&self, owner: &OwnerRef, event: &OwnerEvent) -> Result<(), Failure> {
        let said = format!("{}: {}", event.reason, event.message);
        self.events.lock().unwrap().push((owner.at.1.clone(), said));
        Ok(())
    }
}

/// The cluster `pri-eks`, its controllers, and AWS.
struct Stage {
    world: World,
    owners: Owners<Desk>,
    now: Timestamp,
}

impl Stage {
    fn new() -> Self {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let world = World::new(now);
        let settings = Settings::new("pri-eks", VPC);
        let owners = Owners::new(Desk::default(), world.load_balancers(), settings);
        Self { world, owners, now }
    }

    fn view<T>(&self, look: impl FnOnce(&mut OwnerView) -> T) -> T {
        self.owners.api.view(look)
    }

    fn model<T>(&self, look: impl FnOnce(&mut Model) -> T) -> T {
        self.world.load_balancers().with(look)
    }

    /// Puts a Service.
    fn service(&self, manifest: &Value) {
        let service: Service = serde_json::from_value(manifest.clone()).unwrap();
        self.view(|view| view.services.insert(service.metadata.key(), service));
    }

    /// Lets the controllers work until nothing is due; what failed is told.
    fn run(&self) -> Vec<OwnerWorked> {
        let mut worked = Vec::new();
        for _ in 0..50 {
            match at_once(self.owners.work(self.now)).unwrap() {
                Some(it) => worked.push(it),
                None => return worked,
            }
        }
        panic!("they never rest: {worked:?}");
    }

    /// The one binding.
    fn binding(&self) -> Binding {
        let bindings = self.bindings();
        assert_eq!(bindings.len(), 1, "{bindings:#?}");
        bindings[0].clone()
    }

    fn bindings(&self) -> Vec<Binding> {
        self.view(|view| view.bindings.values().cloned().collect())
    }

    /// Plays the bindings' controller: those that are being deleted go.
    fn let_bindings_go(&mut self) {
        self.view(|view| view.bindings.retain(|_, binding| !binding.is_being_deleted()));
        self.now += SignedDuration::from_secs(1);
    }

    fn groups(&self) -> Vec<String> {
        self.model(|model| model.groups().map(|group| group.arn.name().to_owned()).collect())
    }

    fn load_balancers(&self) -> Vec<String> {
        self.model(|model| model.load_balancers().map(|it| it.name.clone()).collect())
    }

    fn attribute(&self, key: &str) -> Option<String> {
        self.model(|model| model.load_balancers().next()?.attributes.get(key).cloned())
    }

    /// What was said since it was last asked.
    fn said(&self) -> Vec<(String, String)> {
        std::mem::take(&mut self.owners.api.events.lock().unwrap())
    }
}

/// Runs what never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("nothing here waits"),
    }
}

/// A Service `web/shop` with port 80 to 8080, of type LoadBalancer and the controller's class.
fn owner(annotations: Value) -> Value {
    let mut manifest = backend(annotations);
    manifest["spec"]["type"] = json!("LoadBalancer");
    manifest["spec"]["loadBalancerClass"] = json!(LOAD_BALANCER_CLASS);
    manifest
}

/// The same Service as something that others lead to.
fn backend(annotations: Value) -> Value {
    json!({
        "metadata": { "namespace": "web", "name": "shop", "uid": "u-1", "annotations": annotations },
        "spec": { "type": "NodePort", "ports": [
            { "name": "http", "port": 80, "protocol": "TCP", "nodePort": 30080, "targetPort": 8080 },
        ]},
    })
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// The rules of a binding, as `protocol port, ...` a rule.
fn ports(binding: &Binding) -> Vec<String> {
    let rules = &binding.spec.networking.as_ref().unwrap().ingress;
    let text = |port: &crate::binding::NetworkingPort| {
        let number = port.port.as_ref().unwrap();
        format!("{} {number}", port.protocol.as_deref().unwrap())
    };
    rules.iter().map(|rule| rule.ports.iter().map(text).collect::<Vec<_>>().join(", ")).collect()
}
