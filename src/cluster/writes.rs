//! The few writes to a cluster, each over exactly the version that was read.

use std::collections::BTreeSet;

use ::kube::api::{DeleteParams, Patch, PatchParams, Preconditions, ValidationDirective};
use ::kube::core::Request;
use ::kube::core::request::Error as BuildError;
use serde_json::{Value, json};

use super::WriteError;
use super::errors::Failure;
use super::http as door;
use super::kube::{FIELD_MANAGER, KubeCluster, group};
use super::objects as wire;
use super::translate;
use crate::binding::{CHECKPOINT_ANNOTATION, FINALIZER, Flavour};
use crate::events::Event;
use crate::facts::{Silence, SilenceReason};
use crate::ledger::{self, Ledger};
use crate::target::Target;

impl KubeCluster {
    /// Creates a ledger; one that is there already is a conflict (409 as well).
    pub(super) async fn create_ledger(
        &self,
        namespace: &str,
        name: &str,
        targets: &BTreeSet<Target>,
    ) -> Result<Ledger, WriteError> {
        let what = format!("create configmap `{name}` in namespace `{namespace}`");
        let configmap = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace},
            "data": {ledger::KEY: ledger::format(targets)},
        });
        let path = configmaps(namespace);
        let request = http::Request::post(format!(
            "{path}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict"
        ))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(configmap.to_string().into_bytes())
        .map_err(BuildError::BuildRequest);
        stored(&what, &self.door()?.write(&what, request).await?.body)
    }

    /// Replaces the text of a ledger; one that is gone is a conflict: somebody deleted it in between.
    pub(super) async fn replace_ledger(
        &self,
        namespace: &str,
        name: &str,
        targets: &BTreeSet<Target>,
        version: &str,
    ) -> Result<Ledger, WriteError> {
        let what = format!("patch configmap `{name}` in namespace `{namespace}`");
        let patch = json!({
            "metadata": {"resourceVersion": version},
            "data": {ledger::KEY: ledger::format(targets)},
        });
        match self.patch(&what, &configmaps(namespace), name, &patch).await {
            Ok(body) => stored(&what, &body),
            Err(failure) if failure.is_not_found() => Err(WriteError::Conflict),
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn drop_ledger(
        &self,
        namespace: &str,
        name: &str,
        version: &str,
    ) -> Result<(), WriteError> {
        let what = format!("delete configmap `{name}` in namespace `{namespace}`");
        let path = configmaps(namespace);
        let params = DeleteParams::default()
            .preconditions(Preconditions { resource_version: Some(version.to_owned()), uid: None });
        match self.door()?.write(&what, Request::new(path).delete(name, &params)).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_not_found() => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn drop_finalizer(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        let group = group(Flavour::LoadBalancerController);
        let path = format!("{group}/namespaces/{namespace}/targetgroupbindings");
        let what = format!("take the finalizer off targetgroupbinding `{namespace}/{name}`");
        let object = format!("{path}/{name}");
        let meta = match self.door()?.get::<wire::TargetGroupBinding>(&what, &object).await {
            Ok(binding) if binding.metadata.uid == uid => binding.metadata,
            Ok(_) => return Ok(()),
            Err(failure) if failure.is_not_found() => return Ok(()),
            Err(failure) => return Err(failure.into()),
        };
        if !meta.finalizers.iter().any(|finalizer| finalizer == FINALIZER) {
            return Ok(());
        }
        // Only a deletion makes this a clean-up; without one, what was observed was another world.
        if meta.deletion_timestamp.is_none() {
            return Err(WriteError::Conflict);
        }
        let rest: Vec<&String> =
            meta.finalizers.iter().filter(|finalizer| *finalizer != FINALIZER).collect();
        let patch =
            json!({"metadata": {"resourceVersion": meta.resource_version, "finalizers": rest}});
        match self.patch_or_try(&what, &path, name, &patch, rehearse).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_not_found() => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn remove_checkpoint(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        is_absent: bool,
    ) -> Result<(), WriteError> {
        let group = group(Flavour::LoadBalancerController);
        let path = format!("{group}/namespaces/{namespace}/targetgroupbindings");
        let what = format!("patch targetgroupbinding `{namespace}/{name}`");
        let value = if is_absent { json!("") } else { Value::Null };
        // A UID that differs is refused as a conflict: it is another binding of that name.
        let patch =
            json!({"metadata": {"uid": uid, "annotations": {CHECKPOINT_ANNOTATION: value}}});
        match self.patch(&what, &path, name, &patch).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_not_found() => Err(WriteError::Conflict),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Counts an event that is there already, and creates one that is not.
    pub(super) async fn put_event(&self, event: &Event) -> Result<(), WriteError> {
        let namespace = &event.binding.namespace;
        let path = format!("/api/v1/namespaces/{namespace}/events");
        let name = event.name();
        let what = |verb| format!("{verb} event `{name}` in namespace `{namespace}`");
        let object = format!("{path}/{name}");
        match self.door()?.get::<wire::StoredEvent>(&what("get"), &object).await {
            Ok(stored) => {
                let patch = json!({
                    "count": stored.count.unwrap_or_default().max(1).saturating_add(1),
                    "lastTimestamp": event.at,
                    "message": event.message,
                    "type": event.kind.as_str(),
                });
                self.patch(&what("patch"), &path, &name, &patch).await?;
            }
            Err(failure) if failure.is_not_found() => {
                let body = translate::event(event, &name).to_string().into_bytes();
                let request = http::Request::post(format!(
                    "{path}?fieldManager={FIELD_MANAGER}&fieldValidation=Strict"
                ))
                .header(http::header::CONTENT_TYPE, "application/json")
                .body(body)
                .map_err(BuildError::BuildRequest);
                self.door()?.write(&what("create"), request).await?;
            }
            Err(failure) => return Err(failure.into()),
        }
        Ok(())
    }

    async fn patch(
        &self,
        what: &str,
        path: &str,
        name: &str,
        patch: &Value,
    ) -> Result<Vec<u8>, Failure> {
        self.patch_or_try(what, path, name, patch, false).await
    }

    async fn patch_or_try(
        &self,
        what: &str,
        path: &str,
        name: &str,
        patch: &Value,
        rehearse: bool,
    ) -> Result<Vec<u8>, Failure> {
        let params = PatchParams {
            dry_run: rehearse,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::default()
        };
        let request = Request::new(path).patch(name, &params, &Patch::Merge(patch));
        Ok(self.door()?.write(what, request).await?.body)
    }
}

/// Reads the ledger that a write left.
fn stored(what: &str, body: &[u8]) -> Result<Ledger, WriteError> {
    let configmap = door::parse(what, body)?;
    translate::ledger(configmap).map_err(|fault| {
        WriteError::Failed(Silence::new(SilenceReason::Garbled, fault.to_string()))
    })
}

fn configmaps(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}
