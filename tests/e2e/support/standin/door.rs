//! The real world as the controller reaches it.

use std::collections::{BTreeMap, BTreeSet};

use aws_credential_types::Credentials;
use aws_sdk_elasticloadbalancingv2 as elbv2;
use elbv2::config::{BehaviorVersion, Region};
use elbv2::error::{ProvideErrorMetadata, SdkError};
use ipnet::IpNet;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::Client;
use kube::api::{
    Api as KubeApi, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams,
    PostParams,
};
use kube::core::GroupVersionKind;
use mctg::binding::{BindingSpec, CHECKPOINT_ANNOTATION, FINALIZER, Flavour, TargetType};
use mctg::cluster::Cluster as _;
use mctg::cluster::kube::{KubeCluster, Settings};
use mctg::elbv2::Registration;
use mctg::endpoints::{self, EndpointSlice, PodName};
use mctg::facts::Silence;
use mctg::ledger;
use mctg::sim::LoadBalancers;
use mctg::sim::controller::{Api, Failure, Gate, Key, Patch as Change, View};
use mctg::sim::world::REGION;
use mctg::target::{Health, HealthState, Target, TargetDescription};
use serde_json::{Value, json};

/// The field manager of its writes (`facts/lbc.md` 6).
pub(super) const MANAGER: &str = "controller";

/// A kube-apiserver and an ELBv2 endpoint.
pub(super) struct Door {
    client: Client,
    /// For what informers hold: read as the library reads it.
    reader: KubeCluster,
    elbv2: elbv2::Client,
    /// For EC2's DescribeVpcs, which is not on the wire.
    load_balancers: LoadBalancers,
}

impl Door {
    pub(super) fn new(client: Client, endpoint: &str, load_balancers: LoadBalancers) -> Self {
        let config = elbv2::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(Credentials::new("AKIDCONTROLLER", "secret", None, None, "e2e"))
            .endpoint_url(endpoint)
            .http_client(mctg::elbv2::aws::http_client())
            .build();
        Self {
            reader: KubeCluster::new("controller", client.clone(), Settings::default()),
            client,
            elbv2: elbv2::Client::from_conf(config),
            load_balancers,
        }
    }

    fn configmaps(&self, namespace: &str) -> KubeApi<ConfigMap> {
        KubeApi::namespaced(self.client.clone(), namespace)
    }

    fn bindings(&self, namespace: &str) -> KubeApi<DynamicObject> {
        bindings(&self.client, namespace)
    }

    fn pods(&self, namespace: &str) -> KubeApi<Pod> {
        KubeApi::namespaced(self.client.clone(), namespace)
    }

    /// The target-health gates that pods of a namespace declare.
    async fn gates(
        &self,
        namespace: &str,
    ) -> Result<BTreeMap<PodName, BTreeMap<String, Gate>>, Failure> {
        let pods = self.pods(namespace).list(&ListParams::default()).await.map_err(failure)?;
        let gates = |pod: Pod| {
            let name = PodName { namespace: namespace.to_owned(), name: pod.metadata.name? };
            let declared = pod.spec?.readiness_gates?.into_iter().map(|gate| gate.condition_type);
            let conditions = pod.status.and_then(|status| status.conditions).unwrap_or_default();
            let status = |gate: &String| {
                let condition = conditions.iter().find(|condition| condition.type_ == *gate)?;
                Some(condition.status == "True")
            };
            Some((name, declared.map(|gate| (gate.clone(), status(&gate))).collect()))
        };
        Ok(pods.into_iter().filter_map(gates).collect())
    }
}

impl Api for Door {
    /// Slices are read before pods, so that no slice names a pod that was not there yet.
    async fn view(&self) -> Result<View, Failure> {
        let bindings = self.reader.bindings(Flavour::LoadBalancerController, None).await;
        let bindings = bindings.map_err(unread)?;
        let mut view = View::default();
        let namespaces: BTreeSet<&str> =
            bindings.iter().map(|binding| binding.namespace.as_str()).collect();
        for namespace in namespaces {
            for service in self.reader.services(namespace).await.map_err(unread)? {
                view.services.insert((namespace.to_owned(), service.name.clone()), service);
            }
            let slices = self.reader.endpoint_slices(namespace).await.map_err(unread)?;
            let pods = self.reader.pod_stubs(namespace).await.map_err(unread)?;
            view.pods.extend(pods.into_iter().map(|pod| (pod.name.clone(), pod)));
            view.gates.extend(self.gates(namespace).await?);
            let mut by_service: BTreeMap<Key, Vec<EndpointSlice>> = BTreeMap::new();
            for slice in slices {
                let key = (namespace.to_owned(), slice.service.clone());
                by_service.entry(key).or_default().push(slice);
            }
            view.slices.extend(by_service);
        }
        let mut needed = BTreeSet::new();
        for binding in &bindings {
            let service = (binding.namespace.clone(), binding.spec.service_ref.name.clone());
            if binding.spec.target_type == Some(TargetType::Ip) {
                let slices = view.slices.get(&service).into_iter().flatten();
                needed.extend(endpoints::whole_pods_needed(&binding.spec, slices));
            }
        }
        let whole = self.reader.pods(&needed).await.map_err(unread)?;
        view.whole_pods = whole.into_iter().map(|pod| (pod.name.clone(), pod)).collect();
        let nodes = self.reader.nodes().await.map_err(unread)?;
        view.nodes = nodes.into_iter().map(|node| (node.name.clone(), node)).collect();
        let key = |name: &str, namespace: &str| (namespace.to_owned(), name.to_owned());
        view.bindings = bindings.into_iter().map(|it| (key(&it.name, &it.namespace), it)).collect();
        Ok(view)
    }

    async fn read_ledger(&self, namespace: &str, name: &str) -> Result<Option<String>, Failure> {
        let stored = self.configmaps(namespace).get_opt(name).await.map_err(failure)?;
        let text = |stored: ConfigMap| stored.data.unwrap_or_default().remove(ledger::KEY);
        Ok(stored.map(|stored| text(stored).unwrap_or_default()))
    }

    async fn update_ledger(&self, namespace: &str, name: &str, text: &str) -> Result<(), Failure> {
        let configmaps = self.configmaps(namespace);
        configmaps.replace(name, &params(), &bare(namespace, name, text)).await.map_err(failure)?;
        Ok(())
    }

    async fn create_ledger(&self, namespace: &str, name: &str, text: &str) -> Result<(), Failure> {
        let configmaps = self.configmaps(namespace);
        configmaps.create(&params(), &bare(namespace, name, text)).await.map_err(failure)?;
        Ok(())
    }

    async fn delete_ledger(&self, namespace: &str, name: &str) -> Result<(), Failure> {
        let configmaps = self.configmaps(namespace);
        configmaps.delete(name, &DeleteParams::default()).await.map_err(failure)?;
        Ok(())
    }

    async fn patch_binding(&self, (namespace, name): &Key, change: &Change) -> Result<(), Failure> {
        let bindings = self.bindings(namespace);
        loop {
            let patch = match change {
                Change::Checkpoint { value, at } => json!({ "metadata": { "annotations": {
                    CHECKPOINT_ANNOTATION: value,
                    "elbv2.k8s.aws/checkpoint-timestamp": at.as_second().to_string(),
                }}}),
                Change::AddFinalizer | Change::RemoveFinalizer => {
                    let stored = bindings.get(name).await.map_err(failure)?.metadata;
                    let mut finalizers = stored.finalizers.unwrap_or_default();
                    finalizers.retain(|finalizer| finalizer != FINALIZER);
                    if *change == Change::AddFinalizer {
                        finalizers.push(FINALIZER.to_owned());
                    }
                    // Only these patches are of exactly the version that was read.
                    json!({ "metadata": {
                        "finalizers": finalizers, "resourceVersion": stored.resource_version,
                    }})
                }
            };
            let params =
                PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
            match bindings.patch(name, &params, &Patch::Merge(&patch)).await.map_err(failure) {
                Err(failure) if failure.code == "Conflict" => {}
                answer => return answer.map(|_| ()),
            }
        }
    }

    async fn set_gate(
        &self,
        pod: &PodName,
        gate: &str,
        healthy: Option<bool>,
    ) -> Result<(), Failure> {
        let status = healthy.map_or("Unknown", |healthy| if healthy { "True" } else { "False" });
        let patch = json!({ "status": { "conditions": [{ "type": gate, "status": status }] } });
        let params =
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let pods = self.pods(&pod.namespace);
        match pods.patch_status(&pod.name, &params, &Patch::Strategic(&patch)).await {
            Err(error) => Some(failure(error)).filter(|it| !it.is_not_found()).map_or(Ok(()), Err),
            Ok(_) => Ok(()),
        }
    }

    async fn describe_targets(
        &self,
        spec: &BindingSpec,
        only: &[Target],
    ) -> Result<Vec<TargetDescription>, Failure> {
        let only = only.iter().map(|target| {
            let named = elbv2::types::TargetDescription::builder();
            named.id(&target.id).port(target.port.into()).build()
        });
        let only: Vec<_> = only.collect();
        let call = self.elbv2.describe_target_health().target_group_arn(&spec.target_group_arn);
        let answer =
            call.set_targets((!only.is_empty()).then_some(only)).send().await.map_err(refused)?;
        Ok(answer.target_health_descriptions().iter().filter_map(described).collect())
    }

    async fn register(&self, spec: &BindingSpec, targets: &[Registration]) -> Result<(), Failure> {
        let call = self.elbv2.register_targets().target_group_arn(&spec.target_group_arn);
        call.set_targets(Some(named(targets))).send().await.map_err(refused)?;
        Ok(())
    }

    async fn deregister(
        &self,
        spec: &BindingSpec,
        targets: &[Registration],
    ) -> Result<(), Failure> {
        let call = self.elbv2.deregister_targets().target_group_arn(&spec.target_group_arn);
        call.set_targets(Some(named(targets))).send().await.map_err(refused)?;
        Ok(())
    }

    async fn vpc(&self, id: &str) -> Result<Vec<IpNet>, Failure> {
        let ranges = self.load_balancers.with(|model| model.vpc_ranges(id));
        ranges.ok_or_else(|| Failure::new("InvalidVpcID.NotFound", format!("no VPC `{id}`")))
    }
}

/// The bindings of a namespace.
pub(super) fn bindings(client: &Client, namespace: &str) -> KubeApi<DynamicObject> {
    let kind = GroupVersionKind::gvk("elbv2.k8s.aws", "v1beta1", "TargetGroupBinding");
    let resource = ApiResource::from_gvk_with_plural(&kind, "targetgroupbindings");
    KubeApi::namespaced_with(client.clone(), namespace, &resource)
}

pub(super) fn params() -> PostParams {
    PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() }
}

/// A ledger with nothing else in it, and of no version: it replaces whatever is there.
fn bare(namespace: &str, name: &str, text: &str) -> ConfigMap {
    let configmap: Value = json!({
        "metadata": { "namespace": namespace, "name": name },
        "data": { ledger::KEY: text },
    });
    serde_json::from_value(configmap).expect("it is a ConfigMap")
}

fn named(targets: &[Registration]) -> Vec<elbv2::types::TargetDescription> {
    let named = |Registration { target, availability_zone }: &Registration| {
        elbv2::types::TargetDescription::builder()
            .id(&target.id)
            .port(target.port.into())
            .set_availability_zone(availability_zone.clone())
            .set_quic_server_id(target.quic_server_id.clone())
            .build()
    };
    targets.iter().map(named).collect()
}

fn described(from: &elbv2::types::TargetHealthDescription) -> Option<TargetDescription> {
    let (target, health) = (from.target()?, from.target_health()?);
    Some(TargetDescription {
        target: Target {
            id: target.id()?.to_owned(),
            port: u16::try_from(target.port()?).ok()?,
            quic_server_id: target.quic_server_id().map(str::to_owned),
        },
        availability_zone: target.availability_zone().map(str::to_owned),
        health: Health {
            state: HealthState::from(health.state()?.as_str().to_owned()),
            reason: health.reason().map(|reason| reason.as_str().to_owned()),
            description: health.description().map(str::to_owned),
        },
    })
}

pub(super) fn failure(error: kube::Error) -> Failure {
    match error {
        kube::Error::Api(status) => Failure::new(&status.reason, status.message.clone()),
        other => Failure::new("", other.to_string()),
    }
}

pub(super) fn unread(silence: Silence) -> Failure {
    Failure::new("", silence.message)
}

fn refused<E: ProvideErrorMetadata, R>(error: SdkError<E, R>) -> Failure {
    let said = error.message().unwrap_or("no answer came");
    Failure::new(error.code().unwrap_or_default(), said)
}
