//! A cluster reached through a `kube::Client`.
//!
//! The one place that speaks to a Kubernetes API. It finds no kubeconfig and reads no environment:
//! whoever embeds it hands in a client.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ::kube::Client;
use ::kube::api::ListParams;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OnceCell;

pub use super::errors::explain;

use super::errors::Failure;
use super::http::Door;
use super::objects as wire;
use super::translate;
use super::{Cluster, StoredNote, WriteError};
use crate::binding::{Binding, Flavour};
use crate::change::{Manifest, Note};
use crate::endpoints::{EndpointSlice, Node, Pod, PodName, PodStub, Service};
use crate::events::Event;
use crate::facts::{
    Controller, LedgerFault, Reading, Reconciler, ServerFacts, Silence, SilenceReason, Webhook,
};
use crate::ledger::Ledger;
use crate::objects::{Key, Kind, Object, Patch};
use crate::permissions::{Question, ServiceAccount};
use crate::stop::Stop;
use crate::target::Target;

/// The field manager that writes carry.
pub const FIELD_MANAGER: &str = "kubectl-mctg";

/// The label of this program's own CronJobs.
const RECONCILER_LABEL: &str = "app.kubernetes.io/name=kubectl-mctg";

/// Single objects read at the same time from one cluster.
pub(super) const CONCURRENT_READS_MAX: usize = 16;

/// What a client does not tell about its cluster.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The kubeconfig's cluster entry, where there is one.
    pub cluster: Option<String>,
    /// The cluster's EKS name, where it is known.
    pub eks_name: Option<String>,
    /// The namespace to fall back to; none takes the client's.
    pub default_namespace: Option<String>,
    /// The address and authority that the client reaches: what tells clusters apart where nothing
    /// inside them can be read.
    pub endpoint: String,
    /// The limit of each request with its answer; none leaves it to the client's own timeouts.
    pub timeout: Option<Duration>,
}

/// A cluster behind a `kube::Client`, or one that no client could be made for.
pub struct KubeCluster {
    context: String,
    settings: Settings,
    default_namespace: String,
    door: Result<Door, Silence>,
    /// Set once the server has shown that it is a Kubernetes API.
    proven: OnceCell<()>,
    /// The versions in which kinds that are not built in are served, where that is known.
    versions: Mutex<BTreeMap<Kind, &'static str>>,
}

impl KubeCluster {
    /// Makes a cluster of a client.
    pub fn new(context: impl Into<String>, client: Client, settings: Settings) -> Self {
        let default_namespace = settings
            .default_namespace
            .clone()
            .unwrap_or_else(|| client.default_namespace().to_owned());
        let context = context.into();
        let door = Ok(Door {
            context: crate::error::escape(&context),
            client,
            timeout: settings.timeout,
            stop: Stop::default(),
        });
        Self {
            context,
            settings,
            default_namespace,
            door,
            proven: OnceCell::new(),
            versions: Mutex::default(),
        }
    }

    /// Makes a cluster that answers every question with the same silence: its configuration is so
    /// broken that no client could be made.
    pub fn silent(context: impl Into<String>, silence: Silence, settings: Settings) -> Self {
        let default_namespace =
            settings.default_namespace.clone().unwrap_or_else(|| "default".to_owned());
        let context = context.into();
        Self {
            context,
            settings,
            default_namespace,
            door: Err(silence),
            proven: OnceCell::new(),
            versions: Mutex::default(),
        }
    }

    /// Sends nothing any more once it is asked to stop, and nothing again that failed.
    #[must_use]
    pub fn heeding(mut self, stop: &Stop) -> Self {
        if let Ok(door) = &mut self.door {
            door.stop = stop.clone();
        }
        self
    }

    pub(super) fn door(&self) -> Result<&Door, Failure> {
        self.door.as_ref().map_err(|silence| Failure { status: None, silence: silence.clone() })
    }

    /// The version in which a kind is served, where that was found out.
    pub(super) fn known_version(&self, kind: Kind) -> Option<&'static str> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).get(&kind).copied()
    }

    /// Keeps the version in which a kind is served. That one is not served is not kept: it may come.
    pub(super) fn remember_version(&self, kind: Kind, version: &'static str) {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, version);
    }

    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        params: ListParams,
    ) -> Result<Vec<T>, Failure> {
        Ok(self.door()?.list(what, path, &params, false).await?.0)
    }

    /// Tells a Kubernetes API without a resource type from a server that answers 404 to everything.
    pub(super) async fn prove_kubernetes(&self, what: &str) -> Result<(), Failure> {
        let prove = || async {
            match self.door()?.get::<wire::Groups>(what, "/apis").await {
                Ok(groups) if groups.kind == "APIGroupList" => Ok(()),
                Err(failure) if failure.is_forbidden() => Ok(()),
                Err(failure) if !failure.is_not_found() => Err(failure),
                Ok(_) | Err(_) => Err(Failure {
                    status: None,
                    silence: Silence::new(
                        SilenceReason::Garbled,
                        format!("failed to {what}: what answers there is no Kubernetes API"),
                    ),
                }),
            }
        };
        self.proven.get_or_try_init(prove).await.copied()
    }
}

impl Cluster for KubeCluster {
    fn context(&self) -> &str {
        &self.context
    }

    fn cluster(&self) -> Option<&str> {
        self.settings.cluster.as_deref()
    }

    fn eks_name(&self) -> Option<&str> {
        self.settings.eks_name.as_deref()
    }

    fn default_namespace(&self) -> &str {
        &self.default_namespace
    }

    async fn identity(&self) -> Reading<String> {
        let what = "get namespace `kube-system`";
        let read =
            async { self.door()?.get::<wire::Stub>(what, "/api/v1/namespaces/kube-system").await };
        Ok(read.await.map_err(silence)?.metadata.uid)
    }

    fn endpoint(&self) -> String {
        self.settings.endpoint.clone()
    }

    async fn bindings(&self, flavour: Flavour, namespace: Option<&str>) -> Reading<Vec<Binding>> {
        self.list_bindings(flavour, namespace).await.map_err(silence)
    }

    async fn controllers(&self) -> Reading<Vec<Controller>> {
        self.find_controllers().await.map_err(silence)
    }

    async fn reconcilers(&self) -> Reading<Vec<Reconciler>> {
        let params = ListParams::default().labels(RECONCILER_LABEL);
        let items = self.list("list cronjobs.batch", "/apis/batch/v1/cronjobs", params);
        Ok(items.await.map_err(silence)?.into_iter().map(translate::reconciler).collect())
    }

    /// Every user who is known may read the OpenAPI documents (`system:discovery`); the CRD itself
    /// takes a permission of its own.
    async fn has_flag(&self) -> Reading<bool> {
        Ok(self.spec_fields().await?.contains("multiClusterTargetGroup"))
    }

    async fn spec_fields(&self) -> Reading<BTreeSet<String>> {
        let what = "read the schema of targetgroupbindings.elbv2.k8s.aws";
        let schema = self.read_schema(what).await.map_err(silence)?;
        translate::spec_fields(schema).ok_or_else(|| {
            let message = format!("failed to {what}: the answer does not describe it");
            Silence::new(SilenceReason::Garbled, message)
        })
    }

    async fn serves(&self, flavour: Flavour) -> Reading<bool> {
        self.is_served(flavour).await.map_err(silence)
    }

    async fn webhook(&self) -> Reading<Webhook> {
        self.find_webhook().await.map_err(silence)
    }

    async fn server(&self) -> Reading<ServerFacts> {
        self.ask_version().await.map_err(silence)
    }

    async fn may(
        &self,
        questions: &[Question],
        service_account: Option<&ServiceAccount>,
    ) -> Reading<Vec<bool>> {
        self.review(questions, service_account).await.map_err(silence)
    }

    async fn services(&self, namespace: &str) -> Reading<Vec<Service>> {
        let what = within("list services", Some(namespace));
        let path = format!("/api/v1/namespaces/{namespace}/services");
        let items = self.list(&what, &path, ListParams::default()).await.map_err(silence)?;
        Ok(items.into_iter().map(translate::service).collect())
    }

    async fn endpoint_slices(&self, namespace: &str) -> Reading<Vec<EndpointSlice>> {
        let what = within("list endpointslices.discovery.k8s.io", Some(namespace));
        let path = format!("/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices");
        let params = ListParams::default().labels(translate::SERVICE_NAME_LABEL);
        let items = self.list(&what, &path, params).await.map_err(silence)?;
        Ok(items.into_iter().filter_map(translate::endpoint_slice).collect())
    }

    async fn pod_stubs(&self, namespace: &str) -> Reading<Vec<PodStub>> {
        let what = within("list pods", Some(namespace));
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        let read = async { self.door()?.list(&what, &path, &ListParams::default(), true).await };
        let (items, _) = read.await.map_err(silence)?;
        Ok(items.into_iter().map(translate::pod_stub).collect())
    }

    async fn pods(&self, names: &BTreeSet<PodName>) -> Reading<Vec<Pod>> {
        self.read_pods(names).await.map_err(silence)
    }

    /// Only a pod's first address can be selected by; where that is of the other family the pod is
    /// not found, which makes a guard hold back more, never less.
    async fn pods_with_address(&self, address: &str) -> Reading<Vec<Pod>> {
        let what = format!("list pods with address {}", crate::error::escape(address));
        let params = ListParams::default().fields(&format!("status.podIP={address}"));
        let items = self.list(&what, "/api/v1/pods", params).await.map_err(silence)?;
        Ok(items.into_iter().map(translate::pod).collect())
    }

    async fn nodes(&self) -> Reading<Vec<Node>> {
        let items = self.list("list nodes", "/api/v1/nodes", ListParams::default());
        Ok(items.await.map_err(silence)?.into_iter().map(translate::node).collect())
    }

    async fn ledgers(
        &self,
        names: &BTreeSet<(String, String)>,
    ) -> BTreeMap<(String, String), Result<Option<Ledger>, LedgerFault>> {
        self.read_ledgers(names).await
    }

    async fn object(&self, key: &Key) -> Reading<Option<Object>> {
        self.read_object(key).await.map_err(silence)
    }

    async fn objects(&self, kind: Kind, namespace: Option<&str>) -> Reading<Vec<Object>> {
        self.list_objects(kind, namespace).await.map_err(silence)
    }

    async fn ledger_names(&self, namespace: &str) -> Reading<Vec<String>> {
        self.list_ledger_names(namespace).await.map_err(silence)
    }

    async fn patch_object(&self, patch: &Patch, rehearse: bool) -> Result<Object, WriteError> {
        self.send_patch(patch, rehearse).await
    }

    async fn create_object(
        &self,
        key: &Key,
        manifest: &Value,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.send_manifest(key, manifest, rehearse).await
    }

    async fn write_ledger(
        &self,
        namespace: &str,
        name: &str,
        targets: &BTreeSet<Target>,
        version: Option<&str>,
    ) -> Result<Ledger, WriteError> {
        match version {
            None => self.create_ledger(namespace, name, targets).await,
            Some(version) => self.replace_ledger(namespace, name, targets, version).await,
        }
    }

    async fn delete_ledger(
        &self,
        namespace: &str,
        name: &str,
        version: &str,
    ) -> Result<(), WriteError> {
        self.drop_ledger(namespace, name, version).await
    }

    async fn nudge(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        is_absent: bool,
    ) -> Result<(), WriteError> {
        self.remove_checkpoint(namespace, name, uid, is_absent).await
    }

    async fn remove_finalizer(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<(), WriteError> {
        self.drop_finalizer(namespace, name, uid, false).await
    }

    async fn may_remove_finalizer(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<(), WriteError> {
        self.drop_finalizer(namespace, name, uid, true).await
    }

    async fn apply_binding(
        &self,
        manifest: &Manifest,
        takes_over: bool,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.put_binding(manifest, takes_over, rehearse).await
    }

    async fn delete_binding(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.drop_binding(namespace, name, uid, rehearse).await
    }

    async fn note(&self, namespace: &str, name: &str) -> Reading<Option<Note>> {
        self.get_note(namespace, name).await
    }

    async fn notes(&self, namespace: Option<&str>) -> Reading<Vec<StoredNote>> {
        self.list_notes(namespace).await
    }

    async fn write_note(
        &self,
        namespace: &str,
        name: &str,
        note: &Note,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.put_note(namespace, name, note, rehearse).await
    }

    async fn record_event(&self, event: &Event) -> Result<(), WriteError> {
        self.put_event(event).await
    }
}

fn silence(failure: Failure) -> Silence {
    failure.silence
}

pub(super) fn api(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::LoadBalancerController => "elbv2.k8s.aws",
        Flavour::AutoMode => "eks.amazonaws.com",
    }
}

/// The path of a flavour's API group. `v1alpha1` is served too, with a smaller schema: never used.
pub(super) fn group(flavour: Flavour) -> &'static str {
    match flavour {
        Flavour::LoadBalancerController => "/apis/elbv2.k8s.aws/v1beta1",
        Flavour::AutoMode => "/apis/eks.amazonaws.com/v1",
    }
}

pub(super) fn within(what: &str, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) => format!("{what} in namespace `{namespace}`"),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests;
