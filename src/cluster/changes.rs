//! Writes of whole objects: bindings, and the notes of this program.

use std::collections::BTreeMap;

use ::kube::api::{
    DeleteParams, ListParams, Patch, PatchParams, Preconditions, ValidationDirective,
};
use ::kube::core::Request;
use ::kube::core::request::Error as BuildError;
use serde_json::json;

use super::kube::{FIELD_MANAGER, KubeCluster, group, within};
use super::objects as wire;
use super::{NOTE_LABEL, StoredNote, WriteError};
use crate::binding::Flavour;
use crate::change::{Manifest, Note};
use crate::facts::Reading;

impl KubeCluster {
    pub(super) async fn put_binding(
        &self,
        manifest: &Manifest,
        takes_over: bool,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        let Manifest { namespace, name, .. } = manifest;
        let what = format!("apply targetgroupbinding `{namespace}/{name}`");
        let params = PatchParams {
            dry_run: rehearse,
            force: takes_over,
            field_manager: Some(FIELD_MANAGER.to_owned()),
            field_validation: Some(ValidationDirective::Strict),
        };
        let patch = Patch::Apply(manifest.to_value());
        let request = Request::new(bindings(namespace)).patch(name, &params, &patch);
        self.door()?.write(&what, request).await?;
        Ok(())
    }

    pub(super) async fn drop_binding(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        let what = format!("delete targetgroupbinding `{namespace}/{name}`");
        let params = DeleteParams { dry_run: rehearse, ..DeleteParams::default() }
            .preconditions(Preconditions { resource_version: None, uid: Some(uid.to_owned()) });
        let request = Request::new(bindings(namespace)).delete(name, &params);
        match self.door()?.write(&what, request).await {
            Ok(_) => Ok(()),
            Err(failure) if failure.is_not_found() => Ok(()),
            Err(failure) => Err(failure.into()),
        }
    }

    pub(super) async fn get_note(&self, namespace: &str, name: &str) -> Reading<Option<Note>> {
        let what = format!("get configmap `{name}` in namespace `{namespace}`");
        let path = format!("/api/v1/namespaces/{namespace}/configmaps/{name}");
        let door = self.door().map_err(|failure| failure.silence)?;
        match door.get::<wire::NoteMap>(&what, &path).await {
            Ok(configmap) => Ok(Some(Note {
                data: configmap.data,
                version: Some(configmap.metadata.resource_version),
            })),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure.silence),
        }
    }

    pub(super) async fn list_notes(&self, namespace: Option<&str>) -> Reading<Vec<StoredNote>> {
        let what = within("list configmaps", namespace);
        let path = match namespace {
            Some(namespace) => format!("/api/v1/namespaces/{namespace}/configmaps"),
            None => "/api/v1/configmaps".to_owned(),
        };
        let (label, value) = NOTE_LABEL;
        let params = ListParams::default().labels(&format!("{label}={value}"));
        let all = self.list::<wire::NoteMap>(&what, &path, params).await;
        let all = all.map_err(|failure| failure.silence)?;
        let stored = all.into_iter().map(|configmap| StoredNote {
            namespace: configmap.metadata.namespace,
            name: configmap.metadata.name,
            note: Note { data: configmap.data, version: Some(configmap.metadata.resource_version) },
        });
        Ok(stored.collect())
    }

    pub(super) async fn put_note(
        &self,
        namespace: &str,
        name: &str,
        note: &Note,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        let path = format!("/api/v1/namespaces/{namespace}/configmaps");
        let mut query = format!("fieldManager={FIELD_MANAGER}&fieldValidation=Strict");
        if rehearse {
            query.push_str("&dryRun=All");
        }
        let mut configmap = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": BTreeMap::from([NOTE_LABEL]),
            },
            "data": note.data,
        });
        let (verb, request) = match &note.version {
            None => ("create", http::Request::post(format!("{path}?{query}"))),
            Some(version) => {
                configmap["metadata"]["resourceVersion"] = json!(version);
                ("replace", http::Request::put(format!("{path}/{name}?{query}")))
            }
        };
        let what = format!("{verb} configmap `{name}` in namespace `{namespace}`");
        let request = request
            .header(http::header::CONTENT_TYPE, "application/json")
            .body(configmap.to_string().into_bytes())
            .map_err(BuildError::BuildRequest);
        match self.door()?.write(&what, request).await {
            Ok(_) => Ok(()),
            // Somebody deleted it in between.
            Err(failure) if note.version.is_some() && failure.is_not_found() => {
                Err(WriteError::Conflict)
            }
            Err(failure) => Err(failure.into()),
        }
    }
}

fn bindings(namespace: &str) -> String {
    let group = group(Flavour::LoadBalancerController);
    format!("{group}/namespaces/{namespace}/targetgroupbindings")
}
