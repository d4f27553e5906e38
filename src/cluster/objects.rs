//! What the Kubernetes API sends, reduced to the fields used.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::binding::{BindingSpec, PortRef};

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

#[derive(Deserialize)]
pub(super) struct Service {
    pub(super) metadata: ServiceMeta,
    pub(super) spec: ServiceSpec,
}

#[derive(Deserialize)]
pub(super) struct ServiceMeta {
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServiceSpec {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) ip_families: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) ports: Vec<ServicePort>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ServicePort {
    pub(super) name: Option<String>,
    pub(super) protocol: Option<String>,
    pub(super) port: u16,
    pub(super) target_port: Option<PortRef>,
    pub(super) node_port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct EndpointSlice {
    pub(super) metadata: LabelledMeta,
    pub(super) address_type: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) endpoints: Vec<SliceEndpoint>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) ports: Vec<SlicePort>,
}

#[derive(Deserialize)]
pub(super) struct LabelledMeta {
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct SlicePort {
    pub(super) name: Option<String>,
    pub(super) port: Option<u16>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct SliceEndpoint {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) addresses: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) conditions: EndpointConditions,
    pub(super) target_ref: Option<TargetRef>,
    pub(super) node_name: Option<String>,
    pub(super) zone: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct EndpointConditions {
    pub(super) ready: Option<bool>,
    pub(super) terminating: Option<bool>,
}

#[derive(Deserialize)]
pub(super) struct TargetRef {
    #[serde(default)]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default)]
    pub(super) name: String,
}

#[derive(Deserialize)]
pub(super) struct Pod {
    pub(super) metadata: PodMeta,
    pub(super) spec: PodSpec,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) status: PodStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodMeta {
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    pub(super) creation_timestamp: Option<Timestamp>,
    pub(super) deletion_timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) annotations: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PodSpec {
    pub(super) node_name: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) init_containers: Vec<Container>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) readiness_gates: Vec<ReadinessGate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ReadinessGate {
    pub(super) condition_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) image: Option<String>,
    pub(super) restart_policy: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) command: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) args: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) ports: Vec<ContainerPort>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) env: Vec<EnvVar>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ContainerPort {
    pub(super) container_port: u16,
}

#[derive(Deserialize)]
pub(super) struct EnvVar {
    pub(super) name: String,
    pub(super) value: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct PodStatus {
    #[serde(rename = "podIP")]
    pub(super) pod_ip: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) conditions: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    pub(super) last_transition_time: Option<Timestamp>,
    #[serde(default)]
    pub(super) message: String,
}

#[derive(Deserialize)]
pub(super) struct Node {
    pub(super) metadata: NodeMeta,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) spec: NodeSpec,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) status: NodeStatus,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeMeta {
    pub(super) name: String,
    pub(super) creation_timestamp: Option<Timestamp>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
pub(super) struct NodeSpec {
    #[serde(default, rename = "providerID")]
    pub(super) provider_id: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) taints: Vec<Taint>,
}

#[derive(Deserialize)]
pub(super) struct Taint {
    pub(super) key: String,
    #[serde(default)]
    pub(super) effect: String,
}

#[derive(Default, Deserialize)]
pub(super) struct NodeStatus {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) addresses: Vec<NodeAddress>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) conditions: Vec<Condition>,
}

#[derive(Deserialize)]
pub(super) struct NodeAddress {
    pub(super) address: String,
}

#[derive(Deserialize)]
pub(super) struct Lease {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) spec: LeaseSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct LeaseSpec {
    pub(super) renew_time: Option<Timestamp>,
    pub(super) acquire_time: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(super) struct Deployment {
    pub(super) metadata: DeploymentMeta,
    pub(super) spec: DeploymentSpec,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) status: DeploymentStatus,
}

#[derive(Deserialize)]
pub(super) struct DeploymentMeta {
    pub(super) name: String,
    #[serde(default)]
    pub(super) namespace: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct DeploymentSpec {
    pub(super) replicas: Option<u32>,
    pub(super) template: PodTemplate,
}

#[derive(Deserialize)]
pub(super) struct PodTemplate {
    pub(super) spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeploymentStatus {
    pub(super) ready_replicas: Option<u32>,
}

#[derive(Deserialize)]
pub(super) struct CronJob {
    pub(super) metadata: StubMeta,
    pub(super) spec: CronJobSpec,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) status: CronJobStatus,
}

#[derive(Deserialize)]
pub(super) struct CronJobSpec {
    #[serde(default)]
    pub(super) schedule: String,
    pub(super) suspend: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CronJobStatus {
    pub(super) last_successful_time: Option<Timestamp>,
}

/// What `/version` tells.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Version {
    pub(super) git_version: String,
}

/// A mutating or validating webhook configuration.
#[derive(Deserialize)]
pub(super) struct WebhookConfiguration {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) webhooks: Vec<Webhook>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Webhook {
    pub(super) client_config: WebhookClient,
    #[serde(default)]
    pub(super) failure_policy: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) rules: Vec<WebhookRule>,
}

/// Where a webhook is: a Service, or an address outside of the cluster.
#[derive(Deserialize)]
pub(super) struct WebhookClient {
    pub(super) service: Option<WebhookService>,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WebhookService {
    pub(super) namespace: String,
    pub(super) name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WebhookRule {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) api_groups: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(super) resources: Vec<String>,
}

/// An EndpointSlice, as far as it tells whether somebody is ready.
#[derive(Deserialize)]
pub(super) struct Readiness {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) endpoints: Vec<ReadyEndpoint>,
}

#[derive(Deserialize)]
pub(super) struct ReadyEndpoint {
    #[serde(default, deserialize_with = "nullable")]
    pub(super) conditions: ReadyCondition,
}

#[derive(Default, Deserialize)]
pub(super) struct ReadyCondition {
    pub(super) ready: Option<bool>,
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
