//! Services, Ingresses and Gateways as their controllers reach them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Event;
use kube::Client;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::core::GroupVersionKind;
use mctg::binding::Flavour;
use mctg::cluster::Cluster as _;
use mctg::cluster::kube::{KubeCluster, Settings};
use mctg::sim::controller::owners::{GeneratedBinding, OwnerApi, OwnerEvent, OwnerRef, OwnerView};
use mctg::sim::controller::{Failure, Key};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::door::{MANAGER, failure, params, unread};

/// A kind of object: API version, kind, plural.
type Kind = (&'static str, &'static str, &'static str);

const SERVICES: Kind = ("v1", "Service", "services");
const INGRESSES: Kind = ("networking.k8s.io/v1", "Ingress", "ingresses");
const INGRESS_CLASSES: Kind = ("networking.k8s.io/v1", "IngressClass", "ingressclasses");
const GATEWAYS: Kind = ("gateway.networking.k8s.io/v1", "Gateway", "gateways");
const GATEWAY_CLASSES: Kind = ("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses");
const ROUTES: [Kind; 2] = [
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
    ("gateway.networking.k8s.io/v1alpha2", "TCPRoute", "tcproutes"),
];
const GROUP_CONFIGURATIONS: Kind =
    ("gateway.k8s.aws/v1", "TargetGroupConfiguration", "targetgroupconfigurations");
const LOAD_BALANCER_CONFIGURATIONS: Kind =
    ("gateway.k8s.aws/v1", "LoadBalancerConfiguration", "loadbalancerconfigurations");
const BINDINGS: Kind = ("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", "targetgroupbindings");

/// A kube-apiserver.
pub(super) struct OwnerDoor {
    client: Client,
    reader: KubeCluster,
    /// Whether the CRDs of Gateway API are there: looked at once, as the real one does.
    has_gateways: bool,
}

impl OwnerDoor {
    pub(super) async fn new(client: Client) -> Self {
        let reader = KubeCluster::new("controller", client.clone(), Settings::default());
        let door = Self { client, reader, has_gateways: false };
        let has_gateways = door.api(GATEWAYS, None).list(&ListParams::default()).await.is_ok();
        Self { has_gateways, ..door }
    }

    fn api(&self, (api_version, kind, plural): Kind, at: Option<&Key>) -> Api<DynamicObject> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let kind = GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, plural);
        match at {
            Some((namespace, _)) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    fn owner(&self, owner: &OwnerRef) -> Api<DynamicObject> {
        self.api(kind_of(owner), Some(&owner.at))
    }

    /// All objects of a kind; none where the type is not there.
    async fn all<T: DeserializeOwned>(&self, kind: Kind) -> Result<BTreeMap<Key, T>, Failure> {
        let list = match self.api(kind, None).list(&ListParams::default()).await {
            Ok(list) => list,
            Err(error) => {
                let failure = failure(error);
                return if failure.is_not_found() { Ok(BTreeMap::new()) } else { Err(failure) };
            }
        };
        let mut all = BTreeMap::new();
        for object in list {
            let metadata = &object.metadata;
            let namespace = metadata.namespace.clone().unwrap_or_default();
            let key = (namespace, metadata.name.clone().unwrap_or_default());
            let value = serde_json::to_value(&object).expect("objects are JSON");
            let parsed = serde_json::from_value(value)
                .map_err(|error| Failure::new("", format!("{} {key:?}: {error}", kind.1)))?;
            all.insert(key, parsed);
        }
        Ok(all)
    }
}

fn kind_of(owner: &OwnerRef) -> Kind {
    match owner.kind {
        "Service" => SERVICES,
        "Ingress" => INGRESSES,
        _ => GATEWAYS,
    }
}

impl OwnerApi for OwnerDoor {
    async fn owners(&self) -> Result<OwnerView, Failure> {
        let bindings = self.reader.bindings(Flavour::LoadBalancerController, None).await;
        let bindings = bindings.map_err(unread)?.into_iter();
        let classes: BTreeMap<Key, Value> = self.all(INGRESS_CLASSES).await?;
        let controller = |class: Value| class["spec"]["controller"].as_str().map(str::to_owned);
        let classes = classes.into_iter().filter_map(|(key, it)| Some((key.1, controller(it)?)));
        let mut view = OwnerView {
            services: self.all(SERVICES).await?,
            ingresses: self.all(INGRESSES).await?,
            ingress_classes: classes.collect(),
            bindings: bindings.map(|it| ((it.namespace.clone(), it.name.clone()), it)).collect(),
            ..OwnerView::default()
        };
        if self.has_gateways {
            view.gateways = self.all(GATEWAYS).await?;
            let classes = self.all(GATEWAY_CLASSES).await?.into_iter();
            view.gateway_classes = classes.map(|((_, name), class)| (name, class)).collect();
            for kind in ROUTES {
                let routes = self.all(kind).await?.into_iter();
                view.routes.extend(routes.map(|(key, it)| ((kind.1.to_owned(), key), it)));
            }
            view.group_configurations = self.all(GROUP_CONFIGURATIONS).await?;
            view.load_balancer_configurations = self.all(LOAD_BALANCER_CONFIGURATIONS).await?;
        }
        Ok(view)
    }

    async fn create_binding(&self, binding: &GeneratedBinding) -> Result<(), Failure> {
        let at = (binding.namespace.clone(), binding.name.clone());
        let object: DynamicObject = serde_json::from_value(json!({
            "apiVersion": BINDINGS.0, "kind": BINDINGS.1,
            "metadata": { "namespace": binding.namespace, "name": binding.name, "labels": binding.labels },
            "spec": binding.spec,
        }))
        .expect("it is an object");
        self.api(BINDINGS, Some(&at)).create(&params(), &object).await.map_err(failure)?;
        Ok(())
    }

    async fn replace_binding(&self, at: &Key, binding: &GeneratedBinding) -> Result<(), Failure> {
        let api = self.api(BINDINGS, Some(at));
        let stored = api.get(&at.1).await.map_err(failure)?;
        let stored = serde_json::to_value(stored).expect("objects are JSON");
        let of = |value: &Value| value.as_object().cloned().unwrap_or_default();
        let spec = serde_json::to_value(&binding.spec).expect("a spec is JSON");
        let labels = serde_json::to_value(&binding.labels).expect("labels are JSON");
        let patch = json!({
            "metadata": {
                "annotations": null,
                "labels": difference(&of(&stored["metadata"]["labels"]), &of(&labels)),
            },
            "spec": difference(&of(&stored["spec"]), &of(&spec)),
        });
        api.patch(&at.1, &written(), &Patch::Merge(&patch)).await.map_err(failure)?;
        Ok(())
    }

    async fn delete_binding(&self, at: &Key) -> Result<(), Failure> {
        let deleted = self.api(BINDINGS, Some(at)).delete(&at.1, &DeleteParams::default()).await;
        match deleted.map_err(failure) {
            Err(failure) if !failure.is_not_found() => Err(failure),
            _ => Ok(()),
        }
    }

    async fn set_finalizer(
        &self,
        owner: &OwnerRef,
        finalizer: &str,
        held: bool,
    ) -> Result<(), Failure> {
        let api = self.owner(owner);
        let Some(stored) = api.get_opt(&owner.at.1).await.map_err(failure)? else {
            return Ok(());
        };
        let mut finalizers = stored.metadata.finalizers.unwrap_or_default();
        finalizers.retain(|it| it != finalizer);
        if held {
            finalizers.push(finalizer.to_owned());
        }
        let patch = json!({ "metadata": {
            "finalizers": finalizers, "resourceVersion": stored.metadata.resource_version,
        }});
        api.patch(&owner.at.1, &written(), &Patch::Merge(&patch)).await.map_err(failure)?;
        Ok(())
    }

    async fn publish(&self, owner: &OwnerRef, host: &str) -> Result<(), Failure> {
        let status = match owner.kind {
            "Gateway" => json!({ "addresses": [{ "type": "Hostname", "value": host }] }),
            _ => json!({ "loadBalancer": { "ingress": [{ "hostname": host }] } }),
        };
        let patch = Patch::Merge(json!({ "status": status }));
        let published = self.owner(owner).patch_status(&owner.at.1, &written(), &patch).await;
        published.map_err(failure)?;
        Ok(())
    }

    async fn record(&self, owner: &OwnerRef, event: &OwnerEvent) -> Result<(), Failure> {
        let (api_version, kind, _) = kind_of(owner);
        let involved = json!({
            "apiVersion": api_version, "kind": kind, "uid": owner.uid,
            "namespace": owner.at.0, "name": owner.at.1,
        });
        let component = kind.to_lowercase();
        let OwnerEvent { is_warning, reason, message } = event;
        tell(&self.client, &component, &involved, *is_warning, reason, message).await
    }
}

fn written() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// The merge patch that makes one object of another.
fn difference(old: &Map<String, Value>, new: &Map<String, Value>) -> Value {
    let mut patch: Map<String, Value> = old
        .keys()
        .filter(|key| !new.contains_key(*key))
        .map(|it| (it.clone(), json!(null)))
        .collect();
    for (key, value) in new {
        match (old.get(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => {
                patch.insert(key.clone(), difference(old, new));
            }
            (Some(old), new) if old == new => {}
            _ => {
                patch.insert(key.clone(), value.clone());
            }
        }
    }
    Value::Object(patch)
}

/// Records an event; one that says the same again is counted.
pub(super) async fn tell(
    client: &Client,
    component: &str,
    involved: &Value,
    is_warning: bool,
    reason: &str,
    message: &str,
) -> Result<(), Failure> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let namespace = text(&involved["namespace"]);
    let events: Api<Event> = Api::namespaced(client.clone(), &namespace);
    let said =
        message.bytes().fold(5_381_u64, |hash, byte| hash.wrapping_mul(33) ^ u64::from(byte));
    let name = format!("{}.{}.{said:x}", text(&involved["name"]), reason.to_lowercase());
    let stored = events.get_opt(&name).await.map_err(failure)?;
    let now = super::Clock::machine();
    let count = stored.as_ref().and_then(|event| event.count).unwrap_or(0) + 1;
    if stored.is_some() {
        let patch = Patch::Merge(json!({ "count": count, "lastTimestamp": format!("{now:.0}") }));
        events.patch(&name, &written(), &patch).await.map_err(failure)?;
        return Ok(());
    }
    let event: Event = serde_json::from_value(json!({
        "metadata": { "namespace": namespace, "name": name },
        "involvedObject": involved,
        "reason": reason,
        "message": message,
        "type": if is_warning { "Warning" } else { "Normal" },
        "source": { "component": component },
        "count": count,
        "firstTimestamp": format!("{now:.0}"),
        "lastTimestamp": format!("{now:.0}"),
    }))
    .expect("it is an event");
    let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
    events.create(&params, &event).await.map_err(failure)?;
    Ok(())
}
