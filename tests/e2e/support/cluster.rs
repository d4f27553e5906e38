//! A cluster for tests: etcd and a kube-apiserver, and how to put objects into it.
//!
//! There is no controller manager, scheduler or kubelet: nothing happens that a test does not do. A
//! pod with a node stays terminating when it is deleted with a grace period, nothing makes
//! EndpointSlices, and statuses are what tests write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig as KubeKubeconfig};
use kube::core::GroupVersionKind;
use kube::{Client, Config};
use serde_json::{Value, json};

use super::kubeconfig::{Access, Kubeconfig};
use super::scratch::Scratch;
use super::servers::{Server, free_port, programs};

/// How long a server may take to answer before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// The pause between two looks at a condition.
pub(crate) const POLL: Duration = Duration::from_millis(25);

const USERS: usize = 200;

/// etcd and a kube-apiserver with RBAC on loopback ports, ended when dropped.
pub(crate) struct Cluster {
    /// The administrator's client, of the runtime that started the cluster or last called [`Self::connect`].
    client: Client,
    api_server: Option<Server>,
    etcd: Option<Server>,
    ports: Ports,
    tainted: AtomicBool,
    users: AtomicUsize,
    /// What a new cluster contains.
    baseline: BTreeSet<(&'static str, String)>,
    // Last: the servers end before their folder goes.
    folder: Scratch,
}

#[derive(Clone, Copy)]
struct Ports {
    etcd: u16,
    peers: u16,
    api: u16,
}

/// Starting and stopping.
impl Cluster {
    /// Starts a cluster and installs both TargetGroupBinding CRDs.
    pub(crate) async fn start() -> Self {
        let mut cluster = Self::start_bare().await;
        cluster.install_crds().await;
        cluster.baseline =
            cluster.everything().await.into_iter().map(|it| (it.kind, it.id)).collect();
        cluster
    }

    /// Starts a cluster without any CRD.
    pub(crate) async fn start_bare() -> Self {
        // Another process may take a port between the look and the bind.
        let mut failures = Vec::new();
        for _ in 0..3 {
            match Self::try_start().await {
                Ok(cluster) => return cluster,
                Err(failure) => failures.push(failure),
            }
        }
        panic!("no cluster after three attempts:\n{}", failures.join("\n"));
    }

    async fn try_start() -> Result<Self, String> {
        let folder = Scratch::new("cluster");
        let ports = Ports { etcd: free_port(), peers: free_port(), api: free_port() };
        let mut tokens = "admin-token,admin,admin,\"system:masters\"\n".to_owned();
        for user in 0..USERS {
            tokens += &format!("token-{user},user-{user},user-{user}\n");
        }
        folder.write("tokens", tokens);
        let mut etcd = start_etcd(folder.path(), ports);
        let mut api_server = start_api_server(folder.path(), ports);
        let client = ready(folder.path(), ports, &mut [&mut etcd, &mut api_server]).await?;
        Ok(Self {
            client,
            api_server: Some(api_server),
            etcd: Some(etcd),
            ports,
            tainted: AtomicBool::new(false),
            users: AtomicUsize::new(0),
            baseline: BTreeSet::new(),
            folder,
        })
    }

    /// Makes a new administrator's client, for a test with a runtime of its own.
    pub(crate) async fn connect(&mut self) {
        self.client =
            connect(self.folder.path(), self.ports).await.expect("the cluster was ready before");
    }

    /// Stops the API server and leaves etcd: connections are refused.
    pub(crate) fn stop_api_server(&mut self) {
        self.taint();
        self.api_server = None;
    }

    /// Stops etcd: the API server answers with errors or not at all.
    pub(crate) fn stop_etcd(&mut self) {
        self.taint();
        self.etcd = None;
    }

    /// Starts what was stopped, on the same ports with the same data, and waits until it is ready.
    pub(crate) async fn restart(&mut self) {
        let folder = self.folder.path();
        let etcd = self.etcd.get_or_insert_with(|| start_etcd(folder, self.ports));
        let api_server =
            self.api_server.get_or_insert_with(|| start_api_server(folder, self.ports));
        self.client = ready(folder, self.ports, &mut [etcd, api_server])
            .await
            .unwrap_or_else(|why| panic!("{why}"));
    }

    /// Holds the API server: connections are accepted and nothing is answered.
    pub(crate) fn pause_api_server(&self) {
        self.taint();
        self.api_server.as_ref().expect("the API server runs").pause();
    }

    pub(crate) fn resume_api_server(&self) {
        self.api_server.as_ref().expect("the API server runs").resume();
    }

    /// Says whether a test stopped or held a server, so that no other should get the cluster.
    pub(crate) fn is_tainted(&self) -> bool {
        self.tainted.load(Ordering::Relaxed)
    }

    /// No other test should get it.
    pub(crate) fn taint(&self) {
        self.tainted.store(true, Ordering::Relaxed);
    }

    /// The ports of its servers, to see that they are gone.
    pub(crate) fn listening(&self) -> [u16; 2] {
        [self.ports.etcd, self.ports.api]
    }
}

fn start_etcd(folder: &Path, ports: Ports) -> Server {
    let clients = format!("http://127.0.0.1:{}", ports.etcd);
    let peers = format!("http://127.0.0.1:{}", ports.peers);
    let flags = [
        ("data-dir", folder.join("etcd").display().to_string()),
        ("listen-client-urls", clients.clone()),
        ("advertise-client-urls", clients),
        ("listen-peer-urls", peers.clone()),
        ("initial-advertise-peer-urls", peers.clone()),
        ("initial-cluster", format!("default={peers}")),
        ("unsafe-no-fsync", "true".to_owned()),
        ("log-level", "error".to_owned()),
    ];
    Server::start(
        "etcd",
        folder,
        &programs().etcd,
        flags.map(|(name, value)| format!("--{name}={value}")),
    )
}

fn start_api_server(folder: &Path, ports: Ports) -> Server {
    let file = |name: &str| folder.join(name).display().to_string();
    let flags = [
        ("etcd-servers", format!("http://127.0.0.1:{}", ports.etcd)),
        ("secure-port", ports.api.to_string()),
        ("bind-address", "127.0.0.1".to_owned()),
        ("cert-dir", folder.display().to_string()),
        ("service-account-issuer", "https://kubernetes.default.svc".to_owned()),
        // Any key will do: this one the server makes for itself before it looks.
        ("service-account-key-file", file("apiserver.key")),
        ("service-account-signing-key-file", file("apiserver.key")),
        ("authorization-mode", "RBAC".to_owned()),
        ("token-auth-file", file("tokens")),
        // IPv4 first: a Service that asks for nothing has one address, of that family.
        ("service-cluster-ip-range", "10.96.0.0/16,fd00:10:96::/112".to_owned()),
        // Pods need no ServiceAccount: nobody would make one for each namespace.
        ("disable-admission-plugins", "ServiceAccount".to_owned()),
        ("allow-privileged", "true".to_owned()),
    ];
    let program = &programs().kube_apiserver;
    Server::start(
        "kube-apiserver",
        folder,
        program,
        flags.map(|(name, value)| format!("--{name}={value}")),
    )
}

fn certificates(folder: &Path) -> PathBuf {
    folder.join("apiserver.crt")
}

fn access(folder: &Path, ports: Ports, token: &str) -> Access {
    Access::new(&format!("https://127.0.0.1:{}", ports.api), &certificates(folder), token)
}

async fn connect(folder: &Path, ports: Ports) -> Result<Client, String> {
    let kubeconfig =
        Kubeconfig::default().with("it", access(folder, ports, "admin-token")).to_json();
    let kubeconfig: KubeKubeconfig =
        serde_json::from_value(kubeconfig).expect("it is a kubeconfig");
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    let config = config.map_err(|error| error.to_string())?;
    Client::try_from(config).map_err(|error| error.to_string())
}

/// Waits until `/readyz` answers `ok`, or a server has ended.
async fn ready(folder: &Path, ports: Ports, servers: &mut [&mut Server]) -> Result<Client, String> {
    let look = async {
        loop {
            for server in servers.iter_mut() {
                if server.ended().is_some() {
                    return Err(server.last_words());
                }
            }
            // Until the certificate is written there is no client, and no answer after that.
            if let Ok(client) = connect(folder, ports).await {
                let request =
                    http::Request::get("/readyz").body(Vec::new()).expect("a fine request");
                if client.request_text(request).await.is_ok_and(|answer| answer == "ok") {
                    return Ok(client);
                }
            }
            tokio::time::sleep(POLL).await;
        }
    };
    let looked = tokio::time::timeout(PATIENCE, look).await;
    looked.unwrap_or_else(|_| Err(servers.iter().map(|server| server.last_words()).collect()))
}

/// Who may do what.
impl Cluster {
    /// The administrator's access.
    pub(crate) fn admin(&self) -> Access {
        access(self.folder.path(), self.ports, "admin-token")
    }

    /// The access of a user who may do just this, and only once the server knows it.
    pub(crate) async fn user(&self, rules: &[Rule<'_>]) -> Access {
        let number = self.users.fetch_add(1, Ordering::Relaxed);
        assert!(number < USERS, "the token file has no more users");
        let user = format!("user-{number}");
        for (index, rule) in rules.iter().enumerate() {
            let name = format!("{user}-{index}");
            let (role, binding, metadata) = match rule.namespace {
                Some(namespace) => {
                    ("Role", "RoleBinding", json!({ "name": name, "namespace": namespace }))
                }
                None => ("ClusterRole", "ClusterRoleBinding", json!({ "name": name })),
            };
            const RBAC: &str = "rbac.authorization.k8s.io";
            self.put(json!({
                "apiVersion": format!("{RBAC}/v1"), "kind": role, "metadata": metadata,
                "rules": [{ "apiGroups": [rule.group], "resources": [rule.resource], "verbs": rule.verbs }],
            }))
            .await;
            self.put(json!({
                "apiVersion": format!("{RBAC}/v1"), "kind": binding, "metadata": metadata,
                "roleRef": { "apiGroup": RBAC, "kind": role, "name": name },
                "subjects": [{ "apiGroup": RBAC, "kind": "User", "name": user }],
            }))
            .await;
        }
        for rule in rules {
            for verb in rule.verbs {
                until("the server knows the role", async || self.may(&user, rule, verb).await)
                    .await;
            }
        }
        access(self.folder.path(), self.ports, &format!("token-{number}"))
    }

    async fn may(&self, user: &str, rule: &Rule<'_>, verb: &str) -> bool {
        let (resource, subresource) = rule.resource.split_once('/').unwrap_or((rule.resource, ""));
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": { "user": user, "resourceAttributes": {
                "namespace": rule.namespace, "group": rule.group, "resource": resource,
                "subresource": subresource, "verb": verb,
            }},
        });
        let request = http::Request::post("/apis/authorization.k8s.io/v1/subjectaccessreviews")
            .header("content-type", "application/json")
            .body(review.to_string().into_bytes())
            .expect("a fine request");
        let answer: Value = self.client.request(request).await.expect("the administrator may ask");
        answer["status"]["allowed"] == json!(true)
    }
}

/// What a user may do with one resource, in one namespace or everywhere.
pub(crate) struct Rule<'a> {
    pub(crate) namespace: Option<&'a str>,
    pub(crate) group: &'a str,
    pub(crate) resource: &'a str,
    pub(crate) verbs: &'a [&'a str],
}

/// Waits until a condition holds.
pub(crate) async fn until(what: &str, condition: impl AsyncFn() -> bool) {
    let look = async {
        while !condition().await {
            tokio::time::sleep(POLL).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, look).await.is_ok(), "waited too long until {what}");
}

/// The kinds that tests use: API version, kind, plural; cleared away between two tests.
const KINDS: [(&str, &str, &str); 33] = [
    // First: what they refuse could not be cleared away.
    (
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
        "mutatingwebhookconfigurations",
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingWebhookConfiguration",
        "validatingwebhookconfigurations",
    ),
    (
        "admissionregistration.k8s.io/v1",
        "ValidatingAdmissionPolicyBinding",
        "validatingadmissionpolicybindings",
    ),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies"),
    (
        "admissionregistration.k8s.io/v1",
        "MutatingAdmissionPolicyBinding",
        "mutatingadmissionpolicybindings",
    ),
    ("admissionregistration.k8s.io/v1", "MutatingAdmissionPolicy", "mutatingadmissionpolicies"),
    ("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", "targetgroupbindings"),
    ("eks.amazonaws.com/v1", "TargetGroupBinding", "targetgroupbindings"),
    ("v1", "Pod", "pods"),
    ("v1", "Service", "services"),
    ("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
    ("v1", "ConfigMap", "configmaps"),
    ("apps/v1", "Deployment", "deployments"),
    ("batch/v1", "CronJob", "cronjobs"),
    ("coordination.k8s.io/v1", "Lease", "leases"),
    ("networking.k8s.io/v1", "Ingress", "ingresses"),
    ("networking.k8s.io/v1", "IngressClass", "ingressclasses"),
    ("gateway.networking.k8s.io/v1", "Gateway", "gateways"),
    ("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
    ("gateway.networking.k8s.io/v1alpha2", "TCPRoute", "tcproutes"),
    ("gateway.k8s.aws/v1", "TargetGroupConfiguration", "targetgroupconfigurations"),
    ("gateway.k8s.aws/v1", "LoadBalancerConfiguration", "loadbalancerconfigurations"),
    ("elbv2.services.k8s.aws/v1alpha1", "TargetGroup", "targetgroups"),
    ("v1", "ServiceAccount", "serviceaccounts"),
    ("v1", "Event", "events"),
    ("rbac.authorization.k8s.io/v1", "Role", "roles"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings"),
    ("v1", "Node", "nodes"),
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions"),
    // Last: what is in them has to go first.
    ("v1", "Namespace", "namespaces"),
];

const CLUSTER_SCOPED: [&str; 13] = [
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "GatewayClass",
    "IngressClass",
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

/// Objects.
impl Cluster {
    /// Creates or replaces an object, then its status if the manifest has one; returns it as stored.
    ///
    /// Unknown fields are an error, so that no test rests on a field with a typing mistake.
    pub(crate) async fn put(&self, manifest: Value) -> Value {
        self.try_put(manifest.clone()).await.unwrap_or_else(|why| panic!("{why}: {manifest:#}"))
    }

    /// The same, with the server's refusal returned.
    pub(crate) async fn try_put(&self, mut manifest: Value) -> Result<Value, String> {
        let status = manifest.as_object_mut().expect("a manifest is an object").remove("status");
        let at = Place::of(&manifest);
        let api = self.api(&at);
        // What is not the controller's own writing it would not know of.
        let is_ledger = at.kind == "ConfigMap" && at.name.starts_with("aws-lbc-targets-");
        let manager = if is_ledger { "controller" } else { "e2e" };
        let params = PatchParams::apply(manager).force().validation_strict();
        let stored =
            api.patch(&at.name, &params, &Patch::Apply(&manifest)).await.map_err(refusal)?;
        let stored = match status {
            None => stored,
            Some(status) => {
                let metadata = json!({ "name": at.name });
                let manifest = json!({
                    "apiVersion": at.api_version, "kind": at.kind, "metadata": metadata, "status": status,
                });
                api.patch_status(&at.name, &params, &Patch::Apply(&manifest))
                    .await
                    .map_err(refusal)?
            }
        };
        Ok(serde_json::to_value(stored).expect("objects are JSON"))
    }

    /// Creates an object as careless clients do: unknown fields are dropped.
    pub(crate) async fn create(&self, manifest: &Value) -> Result<Value, String> {
        let object = serde_json::from_value(manifest.clone()).expect("a manifest is an object");
        let stored = self.api(&Place::of(manifest)).create(&PostParams::default(), &object).await;
        Ok(serde_json::to_value(stored.map_err(refusal)?).expect("objects are JSON"))
    }

    /// Creates an object in the API server's dry run: as it would be stored.
    pub(crate) async fn rehearse(&self, manifest: &Value) -> Result<Value, String> {
        let object = serde_json::from_value(manifest.clone()).expect("a manifest is an object");
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let stored = self.api(&Place::of(manifest)).create(&params, &object).await;
        Ok(serde_json::to_value(stored.map_err(refusal)?).expect("objects are JSON"))
    }

    /// Reads the object that has the manifest's kind, namespace and name, if it is there.
    pub(crate) async fn get(&self, manifest: &Value) -> Option<Value> {
        let at = Place::of(manifest);
        let object = self.api(&at).get_opt(&at.name).await.expect("the administrator may read");
        object.map(|object| serde_json::to_value(object).expect("objects are JSON"))
    }

    /// All objects of a manifest's kind in its namespace.
    pub(crate) async fn list(&self, like: &Value) -> Vec<Value> {
        let mut at = Place::of(like);
        at.name.clear();
        let listed = self.api(&at).list(&ListParams::default()).await;
        let listed = listed.expect("the administrator may list").into_iter();
        listed.map(|object| serde_json::to_value(object).expect("objects are JSON")).collect()
    }

    /// Deletes the object that has the manifest's kind, namespace and name, with no grace period.
    pub(crate) async fn delete(&self, manifest: &Value) {
        self.delete_with(manifest, &DeleteParams::default().grace_period(0)).await;
    }

    /// Deletes a pod as `kubectl delete` does: with a node and no kubelet it stays terminating.
    pub(crate) async fn delete_gracefully(&self, manifest: &Value) {
        self.delete_with(manifest, &DeleteParams::default()).await;
    }

    async fn delete_with(&self, manifest: &Value, params: &DeleteParams) {
        let at = Place::of(manifest);
        self.api(&at).delete(&at.name, params).await.expect("the administrator may delete");
    }

    fn api(&self, at: &Place) -> Api<DynamicObject> {
        let resource = resource(&at.api_version, &at.kind, at.plural);
        match &at.namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        }
    }

    async fn everything(&self) -> Vec<Found> {
        let mut found = Vec::new();
        for (api_version, kind, plural) in KINDS {
            let api: Api<DynamicObject> =
                Api::all_with(self.client.clone(), &resource(api_version, kind, plural));
            let listed = match api.list(&ListParams::default()).await {
                // Not every cluster has Gateway API.
                Err(kube::Error::Api(status)) if status.code == 404 => continue,
                listed => listed.expect("the administrator may list"),
            };
            for object in listed {
                let metadata = object.metadata;
                let (namespace, name) =
                    (metadata.namespace, metadata.name.expect("objects have names"));
                found.push(Found {
                    kind,
                    id: format!(
                        "{api_version} {}/{name}",
                        namespace.as_deref().unwrap_or_default()
                    ),
                    version: metadata.resource_version.unwrap_or_default(),
                    held: metadata.finalizers.is_some_and(|list| !list.is_empty()),
                    at: Place {
                        api_version: api_version.to_owned(),
                        kind: kind.to_owned(),
                        plural,
                        namespace,
                        name,
                    },
                });
            }
        }
        found
    }

    /// Dates back all that was ever written to an object: it has been as it is for long.
    pub(crate) async fn age(&self, manifest: &Value) {
        let stored = self.get(manifest).await.expect("it is there");
        let managers = stored["metadata"]["managedFields"].as_array().expect("it has managers");
        let at = Place::of(manifest);
        // The server takes no change that is one of times alone: the names go there and back.
        for suffix in ["-of-old", ""] {
            let aged = managers.iter().map(|manager| {
                let mut aged = manager.clone();
                let name = manager["manager"].as_str().unwrap_or_default();
                aged["manager"] = json!(format!("{name}{suffix}"));
                aged["time"] = json!("2026-01-01T00:00:00Z");
                aged
            });
            let patch = json!({ "metadata": { "managedFields": aged.collect::<Vec<_>>() } });
            let params = PatchParams::default();
            let aged = self.api(&at).patch(&at.name, &params, &Patch::Merge(patch)).await;
            aged.expect("the administrator may write");
        }
    }

    /// The administrator's client.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    /// The resource version of every object, but of the Leases that servers and controllers renew.
    pub(crate) async fn versions(&self) -> BTreeMap<String, String> {
        let found = self.everything().await.into_iter().filter(|it| it.kind != "Lease");
        found.map(|it| (format!("{} {}", it.kind, it.id), it.version)).collect()
    }

    /// Deletes all that a new cluster does not contain.
    pub(crate) async fn clear(&self) {
        for Found { kind, id, held, at, .. } in self.everything().await {
            let of_the_server = at.kind == "Lease" && at.name.starts_with("apiserver-");
            if of_the_server || self.baseline.contains(&(kind, id)) {
                continue;
            }
            let api = self.api(&at);
            if held {
                let free = json!({ "metadata": { "finalizers": null } });
                // A webhook that is gone is still asked for a moment.
                until("nothing holds it", async || {
                    let free = Patch::Merge(&free);
                    match api.patch(&at.name, &PatchParams::default(), &free).await {
                        Err(kube::Error::Api(status)) => status.code == 404,
                        answer => answer.is_ok(),
                    }
                })
                .await;
            }
            // What was being deleted went with its finalizers.
            let _ = api.delete(&at.name, &DeleteParams::default().grace_period(0)).await;
            match kind {
                "Namespace" => self.finalize_namespace(&at.name).await,
                // The next one of this name would be deleted in its place.
                "CustomResourceDefinition" => {
                    let gone = async || matches!(api.get_opt(&at.name).await, Ok(None));
                    until("the type is gone", gone).await;
                }
                _ => {}
            }
        }
    }

    /// Does what the controller manager would: lets an empty namespace go.
    async fn finalize_namespace(&self, name: &str) {
        let body = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name }, "spec": { "finalizers": [] },
        });
        let request = http::Request::put(format!("/api/v1/namespaces/{name}/finalize"))
            .header("content-type", "application/json")
            .body(body.to_string().into_bytes())
            .expect("a fine request");
        self.client.request::<Value>(request).await.expect("an empty namespace can go");
    }
}

fn refusal(error: kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message,
        other => other.to_string(),
    }
}

fn resource(api_version: &str, kind: &str, plural: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural)
}

struct Found {
    kind: &'static str,
    id: String,
    held: bool,
    version: String,
    at: Place,
}

/// Where an object is.
struct Place {
    api_version: String,
    kind: String,
    plural: &'static str,
    namespace: Option<String>,
    name: String,
}

impl Place {
    fn of(manifest: &Value) -> Self {
        let text =
            |value: &Value| value.as_str().expect("a manifest has a kind and a name").to_owned();
        let (api_version, kind) = (text(&manifest["apiVersion"]), text(&manifest["kind"]));
        let known = KINDS.iter().find(|(_, known, _)| *known == kind);
        let (_, _, plural) = known.unwrap_or_else(|| panic!("add `{kind}` to KINDS"));
        let namespace = match &manifest["metadata"]["namespace"] {
            _ if CLUSTER_SCOPED.contains(&kind.as_str()) => None,
            Value::String(namespace) => Some(namespace.clone()),
            _ => Some("default".to_owned()),
        };
        Self { api_version, plural, namespace, name: text(&manifest["metadata"]["name"]), kind }
    }
}

/// The CRDs of both controllers, ours (`tests/crds`).
impl Cluster {
    async fn install_crds(&self) {
        for yaml in [
            include_str!("../../crds/elbv2.k8s.aws_targetgroupbindings.yaml"),
            include_str!("../../crds/eks.amazonaws.com_targetgroupbindings.yaml"),
        ] {
            let crd: Value = serde_saphyr::from_str(yaml).expect("the CRDs are YAML");
            self.install_crd(crd).await;
        }
    }

    /// Installs a CRD and waits until its storage version is served.
    pub(crate) async fn install_crd(&self, crd: Value) {
        let stored = self.put(crd).await;
        let versions = stored["spec"]["versions"].as_array().expect("a CRD has versions");
        let version = versions.iter().find(|version| version["storage"] == json!(true));
        let version = version.expect("one version is stored")["name"]
            .as_str()
            .expect("it has a name")
            .to_owned();
        let names = &stored["spec"]["names"];
        let (group, kind) = (
            stored["spec"]["group"].as_str().expect("a group"),
            names["kind"].as_str().expect("a kind"),
        );
        let resource = resource(
            &format!("{group}/{version}"),
            kind,
            names["plural"].as_str().expect("a plural"),
        );
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        until("the CRD is served", async || {
            let established = self.get(&stored).await.is_some_and(|crd| {
                crd["status"]["conditions"].as_array().is_some_and(|conditions| {
                    conditions
                        .iter()
                        .any(|it| it["type"] == "Established" && it["status"] == "True")
                })
            });
            established && api.list(&ListParams::default().limit(1)).await.is_ok()
        })
        .await;
    }
}
