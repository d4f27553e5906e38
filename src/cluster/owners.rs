//! The objects around bindings, read and patched as they come: their types are not compiled in.

use ::kube::api::{ListParams, Patch as KubePatch, PatchParams, ValidationDirective};
use ::kube::core::Request;
use ::kube::core::request::Error as BuildError;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::WriteError;
use super::errors::Failure;
use super::http as door;
use super::kube::{FIELD_MANAGER, KubeCluster};
use super::objects as wire;
use crate::facts::{Silence, SilenceReason};
use crate::ledger;
use crate::managers::Manager;
use crate::objects::{Key, Kind, Object, Patch};

/// What the controller, kubectl and Helm leave on an object and nobody here asks for; large.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[derive(Deserialize)]
struct Stored {
    metadata: Meta,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Meta {
    name: String,
    #[serde(default)]
    namespace: String,
    #[serde(default)]
    uid: String,
    #[serde(default)]
    resource_version: String,
    deletion_timestamp: Option<String>,
    #[serde(default)]
    labels: Option<std::collections::BTreeMap<String, String>>,
    #[serde(default)]
    annotations: Option<std::collections::BTreeMap<String, String>>,
    #[serde(default)]
    managed_fields: Option<Vec<ManagedFields>>,
}

#[derive(Deserialize)]
struct ManagedFields {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    subresource: String,
    #[serde(default, rename = "fieldsV1")]
    fields: Option<Map<String, Value>>,
}

impl KubeCluster {
    pub(super) async fn read_object(&self, key: &Key) -> Result<Option<Object>, Failure> {
        let what = format!("get {}", told(key));
        let Some(path) = self.path(key.kind, &key.namespace, &what).await? else { return Ok(None) };
        match self.door()?.get::<Stored>(&what, &format!("{path}/{}", key.name)).await {
            Ok(stored) => Ok(Some(translate(key.kind, stored))),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn list_objects(
        &self,
        kind: Kind,
        namespace: Option<&str>,
    ) -> Result<Vec<Object>, Failure> {
        let what = super::kube::within(&format!("list {}", kind.qualified()), namespace);
        let path = self.path(kind, namespace.unwrap_or_default(), &what).await?;
        let Some(path) = path else { return Ok(Vec::new()) };
        match self.list::<Stored>(&what, &path, ListParams::default()).await {
            Ok(items) => Ok(items.into_iter().map(|it| translate(kind, it)).collect()),
            Err(failure) if failure.is_not_found() => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    pub(super) async fn send_patch(
        &self,
        patch: &Patch,
        rehearse: bool,
    ) -> Result<Object, WriteError> {
        let Patch { key, .. } = patch;
        let what = format!("patch {}", told(key));
        let path = self.path(key.kind, &key.namespace, &what).await?;
        let path = path.ok_or(WriteError::Conflict)?;
        let params = PatchParams {
            dry_run: rehearse,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        let body = patch.guarded();
        let request = Request::new(path).patch(&key.name, &params, &KubePatch::Merge(&body));
        match self.door()?.write(&what, request).await {
            Ok(answer) => Ok(translate(key.kind, door::parse(&what, &answer.body)?)),
            Err(failure) if failure.is_not_found() => Err(WriteError::Conflict),
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn send_manifest(
        &self,
        key: &Key,
        manifest: &Value,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        let what = format!("create {}", told(key));
        let missing = || {
            let message = format!("failed to {what}: the cluster does not have that type");
            WriteError::Failed(Silence::new(SilenceReason::NotFound, message))
        };
        let path = self.path(key.kind, &key.namespace, &what).await?.ok_or_else(missing)?;
        let version = self.version(key.kind, &what).await?.ok_or_else(missing)?;
        let mut manifest = manifest.clone();
        manifest["apiVersion"] = match key.kind.group() {
            "" => version.into(),
            group => format!("{group}/{version}").into(),
        };
        let rehearsal = if rehearse { "&dryRun=All" } else { "" };
        let request = http::Request::post(format!(
            "{path}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict{rehearsal}"
        ))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(manifest.to_string().into_bytes())
        .map_err(BuildError::BuildRequest);
        self.door()?.write(&what, request).await?;
        Ok(())
    }

    /// Lists names alone: what ConfigMaps hold is nobody's business.
    pub(super) async fn list_ledger_names(&self, namespace: &str) -> Result<Vec<String>, Failure> {
        let what = super::kube::within("list configmaps", Some(namespace));
        let path = format!("/api/v1/namespaces/{namespace}/configmaps");
        let (items, _): (Vec<wire::Stub>, _) =
            self.door()?.list(&what, &path, &ListParams::default(), true).await?;
        let names = items.into_iter().map(|it| it.metadata.name);
        Ok(names.filter(|name| ledger::binding_of(name).is_some()).collect())
    }

    /// The path of a kind's objects; none where the cluster does not have the kind.
    async fn path(
        &self,
        kind: Kind,
        namespace: &str,
        what: &str,
    ) -> Result<Option<String>, Failure> {
        let Some(version) = self.version(kind, what).await? else { return Ok(None) };
        let root = match kind.group() {
            "" => "/api".to_owned(),
            group => format!("/apis/{group}"),
        };
        let within = match namespace {
            "" => String::new(),
            namespace => format!("/namespaces/{namespace}"),
        };
        Ok(Some(format!("{root}/{version}{within}/{}", kind.plural())))
    }

    /// The best version in which the cluster serves a kind that is not built in. Discovery is open to
    /// everybody who is known; where it is not, the best one is taken on trust.
    async fn version(&self, kind: Kind, what: &str) -> Result<Option<&'static str>, Failure> {
        let best = kind.versions().first().copied();
        if kind.is_built_in() {
            return Ok(best);
        }
        if let Some(known) = self.known_version(kind) {
            return Ok(Some(known));
        }
        for version in kind.versions() {
            let path = format!("/apis/{}/{version}", kind.group());
            match self.door()?.get::<wire::Resources>(what, &path).await {
                Ok(list) if list.resources.iter().any(|it| it.name == kind.plural()) => {
                    self.remember_version(kind, version);
                    return Ok(Some(version));
                }
                Ok(_) => {}
                Err(failure) if failure.is_not_found() => {}
                Err(failure) if failure.is_forbidden() => return Ok(best),
                Err(failure) => return Err(failure),
            }
        }
        Ok(None)
    }
}

fn told(key: &Key) -> String {
    let Key { kind, namespace, name } = key;
    let what = format!("{} `{}`", kind.qualified(), crate::error::escape(name));
    let namespace = Some(namespace.as_str()).filter(|namespace| !namespace.is_empty());
    super::kube::within(&what, namespace)
}

fn translate(kind: Kind, from: Stored) -> Object {
    let Stored { metadata, spec, status } = from;
    let mut object = Object::new(Key::new(kind, &metadata.namespace, &metadata.name), spec);
    object.uid = metadata.uid;
    object.version = metadata.resource_version;
    object.is_being_deleted = metadata.deletion_timestamp.is_some();
    object.labels = metadata.labels.unwrap_or_default();
    object.annotations = metadata.annotations.unwrap_or_default();
    object.annotations.remove(LAST_APPLIED);
    let entries = metadata.managed_fields.unwrap_or_default().into_iter();
    let of_main = entries.filter(|entry| entry.subresource.is_empty());
    object.managers = of_main
        .map(|entry| Manager { name: entry.manager, fields: entry.fields.unwrap_or_default() })
        .collect();
    let arn = status["ackResourceMetadata"]["arn"].as_str().map(str::to_owned);
    object.arn = arn.filter(|_| kind == Kind::TargetGroup);
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cluster::Cluster as _;
    use crate::cluster::http::fake;
    use crate::cluster::kube::Settings;

    fn cluster(
        answer: impl Fn(&str, usize) -> (u16, String) + Send + Sync + 'static,
    ) -> (KubeCluster, fake::Log) {
        let (client, log) = fake::client(answer);
        (KubeCluster::new("it", client, Settings::default()), log)
    }

    const SERVICE: &str = r#"{"metadata":{"name":"shop","namespace":"web","uid":"u","resourceVersion":"7",
        "annotations":{"a":"b","kubectl.kubernetes.io/last-applied-configuration":"{}"},
        "managedFields":[{"manager":"helm","fieldsV1":{"f:spec":{"f:type":{}}}},
                         {"manager":"x","subresource":"status","fieldsV1":{}}]},
        "spec":{"type":"LoadBalancer","clusterIP":"10.0.0.1","ports":[{"port":80}]}}"#;

    #[tokio::test]
    async fn an_object_is_reduced_to_what_decides() {
        let (it, _) = cluster(|_, _| (200, SERVICE.to_owned()));
        let key = Key::new(Kind::Service, "web", "shop");
        let object = it.object(&key).await.unwrap().unwrap();
        assert_eq!((object.uid.as_str(), object.version.as_str()), ("u", "7"));
        assert_eq!(object.annotations.keys().collect::<Vec<_>>(), ["a"]);
        assert_eq!(object.spec.keys().collect::<Vec<_>>(), ["ports", "type"]);
        assert_eq!(object.managers.len(), 1);
        assert!(object.managers[0].owns(&["spec", "type"]));
    }

    #[tokio::test]
    async fn a_kind_is_read_in_the_best_version_that_is_served_and_asked_for_once() {
        let (it, log) = cluster(|line, _| match line {
            "GET /apis/gateway.k8s.aws/v1beta1" => {
                (200, r#"{"resources":[{"name":"targetgroupconfigurations"}]}"#.to_owned())
            }
            line if line.contains("/v1beta1/namespaces/web/targetgroupconfigurations?") => {
                (200, r#"{"items":[]}"#.to_owned())
            }
            _ => (404, String::new()),
        });
        for _ in 0..2 {
            let list = it.objects(Kind::TargetGroupConfiguration, Some("web")).await;
            assert_eq!(list, Ok(vec![]));
        }
        assert_eq!(log.lock().unwrap().len(), 4, "two versions are looked for, then two lists");
        assert_eq!(it.objects(Kind::TargetGroup, None).await, Ok(vec![]), "no such type");
        assert_eq!(
            log.lock().unwrap().last().unwrap(),
            "GET /apis/elbv2.services.k8s.aws/v1alpha1"
        );
    }

    #[tokio::test]
    async fn a_patch_is_strict_guarded_and_can_be_rehearsed() {
        let (it, log) = cluster(|_, _| (200, SERVICE.to_owned()));
        let mut object = Object::new(Key::new(Kind::Service, "web", "shop"), json!({}));
        (object.uid, object.version) = ("u".to_owned(), "7".to_owned());
        let patch = object.patch(json!({"metadata": {"annotations": {"a": "c"}}}));
        it.patch_object(&patch, true).await.unwrap();
        it.patch_object(&patch, false).await.unwrap();
        let log = log.lock().unwrap();
        assert!(log[0].starts_with("PATCH /api/v1/namespaces/web/services/shop?"), "{log:?}");
        assert!(log.iter().all(|it| it.contains("fieldValidation=Strict")), "{log:?}");
        assert!(log.iter().all(|it| it.contains("fieldManager=kubectl-mctg")), "{log:?}");
        assert!(log[0].contains("dryRun=All") && !log[1].contains("dryRun"), "{log:?}");
    }

    #[tokio::test]
    async fn an_object_that_changed_or_went_is_a_conflict() {
        for status in [404, 409] {
            let (it, _) = cluster(move |_, _| (status, String::new()));
            let object = Object::new(Key::new(Kind::Service, "web", "shop"), json!({}));
            let patched = it.patch_object(&object.patch(json!({})), false).await;
            assert_eq!(patched, Err(WriteError::Conflict), "{status}");
        }
    }

    #[tokio::test]
    async fn of_configmaps_only_the_names_of_ledgers_are_told() {
        let (it, log) = cluster(|_, _| {
            let names = [
                "aws-lbc-targets-shop",
                "kube-root-ca.crt",
                "eks-lbc-targets-a",
                "aws-lbc-targets-",
            ];
            let items = names.map(|name| format!(r#"{{"metadata":{{"name":"{name}"}}}}"#));
            (200, format!(r#"{{"items":[{}]}}"#, items.join(",")))
        });
        let names = it.ledger_names("web").await.unwrap();
        assert_eq!(names, ["aws-lbc-targets-shop", "eks-lbc-targets-a"]);
        assert_eq!(log.lock().unwrap()[0], "GET /api/v1/namespaces/web/configmaps?&limit=500");
    }
}
