//! What the Kubernetes API sends, reduced to the fields used.

mod controllers;
mod endpoints;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

pub(super) use self::controllers::*;
pub(super) use self::endpoints::*;
use crate::binding::BindingSpec;

/// Reads `null` as the default: Go writes an empty slice that way.
fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list. `items` must be there: an answer without it is no list, and not an empty one.
#[derive(Deserialize)]
pub(super) struct List<T> {
    #[serde(default)]
    pub(super) metadata: ListMeta,
    #[serde(deserialize_with = "nullable", bound(deserialize = "T: Deserialize<'de>"))]
    pub(super) items: Vec<T>,
}

#[derive(Default, Deserialize)]
pub(super) struct ListMeta {
    #[serde(default, rename = "continue")]
    pub(super) next: Option<String>,
}

/// What an object is found by.
#[derive(Deserialize)]
pub(super) struct NamedMeta {
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) labels: BTreeMap<String, String>,
}

/// The failure that the API server describes in a body.
#[derive(Deserialize)]
pub(super) struct Status {
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) message: String,
}

/// The list of API groups: only a Kubernetes API has one.
#[derive(Deserialize)]
pub(super) struct Groups {
    pub(super) kind: String,
}

/// The resource types of an API group's version.
#[derive(Deserialize)]
pub(super) struct Resources {
    pub(super) resources: Vec<ResourceType>,
}

#[derive(Deserialize)]
pub(super) struct ResourceType {
    pub(super) name: String,
}

/// The OpenAPI document of an API group's version, as far as it tells of TargetGroupBinding.
#[derive(Deserialize)]
pub(super) struct OpenApi {
    pub(super) components: Components,
}

#[derive(Deserialize)]
pub(super) struct Components {
    pub(super) schemas: BTreeMap<String, Schema>,
}

#[derive(Deserialize)]
pub(super) struct Schema {
    #[serde(default, rename = "x-kubernetes-group-version-kind", deserialize_with = "nullable")]
    pub(super) kinds: Vec<Kind>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) properties: KindProperties,
}

#[derive(Deserialize)]
pub(super) struct Kind {
    pub(super) group: String,
    pub(super) kind: String,
}

#[derive(Default, Deserialize)]
pub(super) struct KindProperties {
    pub(super) spec: Option<SpecSchema>,
}

#[derive(Deserialize)]
pub(super) struct SpecSchema {
    pub(super) properties: Option<BTreeMap<String, IgnoredAny>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Meta {
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default)]
    pub(super) uid: String,
    #[serde(default)]
    pub(super) resource_version: String,
    pub(super) creation_timestamp: Option<Timestamp>,
    pub(super) deletion_timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) annotations: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) finalizers: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) managed_fields: Vec<ManagedFields>,
}

/// What one manager wrote, and when it last did.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ManagedFields {
    #[serde(default)]
    pub(super) manager: String,
    pub(super) time: Option<Timestamp>,
    #[serde(default)]
    pub(super) subresource: String,
    #[serde(default, rename = "fieldsV1", deserialize_with = "nullable")]
    pub(super) fields: Fields,
}

#[derive(Default, Deserialize)]
pub(super) struct Fields {
    #[serde(rename = "f:spec")]
    pub(super) spec: Option<IgnoredAny>,
    #[serde(rename = "f:data")]
    pub(super) data: Option<DataFields>,
}

#[derive(Deserialize)]
pub(super) struct DataFields {
    #[serde(rename = "f:targets")]
    pub(super) targets: Option<IgnoredAny>,
}

/// A name and when it was made, all that a list of pods needs: labels, managed fields and the like
/// are skipped while reading.
#[derive(Deserialize)]
pub(super) struct Stub {
    pub(super) metadata: StubMeta,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StubMeta {
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default)]
    pub(super) uid: String,
    pub(super) creation_timestamp: Option<Timestamp>,
}

/// An event: how often it happened.
#[derive(Deserialize)]
pub(super) struct StoredEvent {
    pub(super) count: Option<i32>,
}

#[derive(Deserialize)]
pub(super) struct TargetGroupBinding {
    pub(super) metadata: Meta,
    pub(super) spec: BindingSpec,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) status: BindingStatus,
}

#[derive(Default, Deserialize)]
pub(super) struct BindingStatus {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) conditions: Vec<Condition>,
}

#[derive(Deserialize)]
pub(super) struct ConfigMap {
    pub(super) metadata: Meta,
    #[serde(default)]
    pub(super) immutable: Option<bool>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) data: LedgerData,
}

/// A ConfigMap of this program's own, whole.
#[derive(Deserialize)]
pub(super) struct NoteMap {
    pub(super) metadata: Meta,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) data: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
pub(super) struct LedgerData {
    pub(super) targets: Option<String>,
}

/// What `/version` tells.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub(super) git_version: String,
}

/// The answer to a question about permissions.
#[derive(Deserialize)]
pub(super) struct Review {
    pub(super) status: ReviewStatus,
}

#[derive(Deserialize)]
pub(super) struct ReviewStatus {
    #[serde(default)]
    pub(super) allowed: bool,
}
