//! What controllers are found by: Leases, Deployments, CronJobs and webhooks.

use jiff::Timestamp;
use serde::Deserialize;

use super::{NamedMeta, PodSpec, StubMeta, nullable};

#[derive(Deserialize)]
pub(in crate::cluster) struct Lease {
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) spec: LeaseSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct LeaseSpec {
    pub(in crate::cluster) renew_time: Option<Timestamp>,
    pub(in crate::cluster) acquire_time: Option<Timestamp>,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct Deployment {
    pub(in crate::cluster) metadata: NamedMeta,
    pub(in crate::cluster) spec: DeploymentSpec,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) status: DeploymentStatus,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct DeploymentSpec {
    pub(in crate::cluster) replicas: Option<u32>,
    pub(in crate::cluster) template: PodTemplate,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct PodTemplate {
    pub(in crate::cluster) spec: PodSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct DeploymentStatus {
    pub(in crate::cluster) ready_replicas: Option<u32>,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct CronJob {
    pub(in crate::cluster) metadata: StubMeta,
    pub(in crate::cluster) spec: CronJobSpec,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) status: CronJobStatus,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct CronJobSpec {
    #[serde(default)]
    pub(in crate::cluster) schedule: String,
    pub(in crate::cluster) suspend: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct CronJobStatus {
    pub(in crate::cluster) last_successful_time: Option<Timestamp>,
}

/// A mutating or validating webhook configuration.
#[derive(Deserialize)]
pub(in crate::cluster) struct WebhookConfiguration {
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) webhooks: Vec<Webhook>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct Webhook {
    pub(in crate::cluster) client_config: WebhookClient,
    #[serde(default)]
    pub(in crate::cluster) failure_policy: String,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) rules: Vec<WebhookRule>,
}

/// Where a webhook is: a Service, or an address outside of the cluster.
#[derive(Deserialize)]
pub(in crate::cluster) struct WebhookClient {
    pub(in crate::cluster) service: Option<WebhookService>,
}

#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cluster) struct WebhookService {
    pub(in crate::cluster) namespace: String,
    pub(in crate::cluster) name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::cluster) struct WebhookRule {
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) api_groups: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) resources: Vec<String>,
}

/// An EndpointSlice, as far as it tells whether somebody is ready.
#[derive(Deserialize)]
pub(in crate::cluster) struct Readiness {
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) endpoints: Vec<ReadyEndpoint>,
}

#[derive(Deserialize)]
pub(in crate::cluster) struct ReadyEndpoint {
    #[serde(default, deserialize_with = "nullable")]
    pub(in crate::cluster) conditions: ReadyCondition,
}

#[derive(Default, Deserialize)]
pub(in crate::cluster) struct ReadyCondition {
    pub(in crate::cluster) ready: Option<bool>,
}
