//! What a cluster must be able to tell and to change.
//!
//! One narrow trait in our own words. `kube` (the adapter) and the simulator implement it; no
//! Kubernetes type passes this door.

mod changes;
mod controllers;
mod differences;
mod errors;
mod http;
pub mod kube;
mod objects;
mod owners;
mod preflight;
mod reads;
mod traces;
mod translate;
mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use serde_json::Value;

use crate::binding::{Binding, Flavour};
use crate::change::{Manifest, Note};
use crate::endpoints::{EndpointSlice, Node, Pod, PodName, PodStub, Service};
use crate::events::Event;
use crate::facts::{Controller, LedgerFault, Reading, Reconciler, ServerFacts, Silence, Webhook};
use crate::ledger::Ledger;
use crate::objects::{Key, Kind, Object, Patch};
use crate::permissions::{Question, ServiceAccount};
use crate::target::Target;

/// A cluster behind one context.
///
/// Every list is complete (paged through) or a [`Silence`]; a resource type that the cluster does
/// not have is an empty list. `namespace: None` means all namespaces. Dropping a future between
/// calls leaves nothing half done: each method is at most one write.
pub trait Cluster: Send + Sync {
    /// The context's name.
    fn context(&self) -> &str;

    /// The kubeconfig's cluster entry, where there is one.
    fn cluster(&self) -> Option<&str>;

    /// The cluster's EKS name, where the configuration tells it.
    fn eks_name(&self) -> Option<&str>;

    /// The namespace to fall back to where a list over all namespaces is forbidden.
    fn default_namespace(&self) -> &str;

    /// What tells one cluster from another: the UID of namespace `kube-system`.
    fn identity(&self) -> impl Future<Output = Reading<String>> + Send;

    /// The address and authority it is reached by: its identity where nothing better is readable.
    fn endpoint(&self) -> String;

    /// The bindings of one flavour.
    fn bindings(
        &self,
        flavour: Flavour,
        namespace: Option<&str>,
    ) -> impl Future<Output = Reading<Vec<Binding>>> + Send;

    /// The controllers of both flavours that are or could be at work.
    fn controllers(&self) -> impl Future<Output = Reading<Vec<Controller>>> + Send;

    /// This program's own CronJobs, suspended ones too: those with the label
    /// `app.kubernetes.io/name: kubectl-mctg`.
    fn reconcilers(&self) -> impl Future<Output = Reading<Vec<Reconciler>>> + Send;

    /// Whether the type TargetGroupBinding of the AWS Load Balancer Controller has the field
    /// `multiClusterTargetGroup`.
    fn has_flag(&self) -> impl Future<Output = Reading<bool>> + Send;

    /// Whether the cluster has the type TargetGroupBinding of a flavour.
    fn serves(&self, flavour: Flavour) -> impl Future<Output = Reading<bool>> + Send;

    /// Whether somebody is behind the webhook that every binding of the AWS Load Balancer Controller
    /// passes when it is created or updated.
    fn webhook(&self) -> impl Future<Output = Reading<Webhook>> + Send;

    /// Which API server it is, and what time it is there.
    fn server(&self) -> impl Future<Output = Reading<ServerFacts>> + Send;

    /// Whether this user, or a ServiceAccount, may do each of these; in the order asked.
    fn may(
        &self,
        questions: &[Question],
        service_account: Option<&ServiceAccount>,
    ) -> impl Future<Output = Reading<Vec<bool>>> + Send;

    /// The fields that the spec of the AWS Load Balancer Controller's TargetGroupBinding has here:
    /// what is written beside them would be refused.
    fn spec_fields(&self) -> impl Future<Output = Reading<BTreeSet<String>>> + Send;

    /// The Services of a namespace.
    fn services(&self, namespace: &str) -> impl Future<Output = Reading<Vec<Service>>> + Send;

    /// The EndpointSlices of a namespace that belong to a Service.
    fn endpoint_slices(
        &self,
        namespace: &str,
    ) -> impl Future<Output = Reading<Vec<EndpointSlice>>> + Send;

    /// The names and creation times of a namespace's pods: metadata only.
    fn pod_stubs(&self, namespace: &str) -> impl Future<Output = Reading<Vec<PodStub>>> + Send;

    /// The pods named, whole; one that no longer exists is left out.
    fn pods(&self, names: &BTreeSet<PodName>) -> impl Future<Output = Reading<Vec<Pod>>> + Send;

    /// The pods of all namespaces that hold an address (`status.podIP`).
    fn pods_with_address(&self, address: &str) -> impl Future<Output = Reading<Vec<Pod>>> + Send;

    /// The nodes.
    fn nodes(&self) -> impl Future<Output = Reading<Vec<Node>>> + Send;

    /// The ledgers of the bindings named (namespace, ConfigMap name); `None` where there is none.
    fn ledgers(
        &self,
        names: &BTreeSet<(String, String)>,
    ) -> impl Future<Output = BTreeMap<(String, String), Result<Option<Ledger>, LedgerFault>>> + Send;

    /// An object around bindings: an owner of one, or what sets it up. `None` where there is none, or
    /// the cluster does not have its kind.
    fn object(&self, key: &Key) -> impl Future<Output = Reading<Option<Object>>> + Send;

    /// The objects of a kind.
    fn objects(
        &self,
        kind: Kind,
        namespace: Option<&str>,
    ) -> impl Future<Output = Reading<Vec<Object>>> + Send;

    /// The names of a namespace's ConfigMaps that are ledgers by their names, whether or not a
    /// binding goes with them.
    fn ledger_names(&self, namespace: &str) -> impl Future<Output = Reading<Vec<String>>> + Send;

    /// Merges a patch into exactly the version of an object that it is for. `rehearse` has it judged,
    /// by webhooks too, and not stored. Tells the object as it is then.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] where somebody wrote it in between, it is another object of that
    /// name, or it is gone.
    fn patch_object(
        &self,
        patch: &Patch,
        rehearse: bool,
    ) -> impl Future<Output = Result<Object, WriteError>> + Send;

    /// Creates an object around bindings from its manifest, in the version that is served. `rehearse` as
    /// in [`patch_object`](Self::patch_object).
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] where there is one of that name already.
    fn create_object(
        &self,
        key: &Key,
        manifest: &Value,
        rehearse: bool,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Writes a ledger: creates it where `version` is none, else replaces `data.targets` of exactly
    /// that version. Other keys, labels and annotations stay.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] where somebody wrote (or created, or deleted) it in between.
    fn write_ledger(
        &self,
        namespace: &str,
        name: &str,
        targets: &BTreeSet<Target>,
        version: Option<&str>,
    ) -> impl Future<Output = Result<Ledger, WriteError>> + Send;

    /// Deletes a ledger of exactly that version; one that is gone is fine.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] where somebody wrote it in between.
    fn delete_ledger(
        &self,
        namespace: &str,
        name: &str,
        version: &str,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Makes the controller look at a binding again, whatever its checkpoint says: removes the
    /// checkpoint annotation, or sets it to `""` where it `is_absent`; every change of the binding wakes
    /// the controller (`facts/lbc.md` 2.2).
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] where it is another binding of that name (other UID), or gone.
    fn nudge(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        is_absent: bool,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Takes the controller's finalizer off a binding that is being deleted; no finalizer, or no
    /// such binding (same UID) any more, is fine.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] where the binding changed in between.
    fn remove_finalizer(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Creates a binding, or makes it what the manifest says, by server-side apply; nothing changes
    /// where it is that already. With `takes_over`, fields that another manager set are set too. With
    /// `rehearse` the API server checks it and changes nothing.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] where another manager set a field to something else.
    fn apply_binding(
        &self,
        manifest: &Manifest,
        takes_over: bool,
        rehearse: bool,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Deletes a binding of exactly this UID; one that is gone is fine. With `rehearse` the API server
    /// checks it and changes nothing.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] where it is another binding of that name.
    fn delete_binding(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        rehearse: bool,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Reads a note of this program (a ConfigMap); `None` where there is none.
    fn note(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Reading<Option<Note>>> + Send;

    /// Reads all notes of this program: the ConfigMaps with the label [`NOTE_LABEL`].
    fn notes(
        &self,
        namespace: Option<&str>,
    ) -> impl Future<Output = Reading<Vec<StoredNote>>> + Send;

    /// Writes a note: creates it where it has no version, else replaces exactly that version. With
    /// `rehearse` the API server checks it and changes nothing. It is deleted as a ledger is.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] where somebody wrote (or created, or deleted) it in between.
    fn write_note(
        &self,
        namespace: &str,
        name: &str,
        note: &Note,
        rehearse: bool,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Asks whether [`Self::remove_finalizer`] would be let through, and changes nothing: it goes through
    /// permissions and admission as the removal does, so that whatever guards the binding has its say
    /// before what the finalizer stands for is given up.
    ///
    /// # Errors
    ///
    /// What the removal would be refused with.
    fn may_remove_finalizer(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> impl Future<Output = Result<(), WriteError>> + Send;

    /// Writes an event: creates the object of its [name](Event::name), or where that is there
    /// already raises its count and tells the latest message and time.
    ///
    /// # Errors
    ///
    /// [`WriteError::Conflict`] where somebody wrote it at the same time.
    fn record_event(&self, event: &Event) -> impl Future<Output = Result<(), WriteError>> + Send;
}

/// The label, and its value, of this program's notes.
pub const NOTE_LABEL: (&str, &str) = ("app.kubernetes.io/managed-by", "kubectl-mctg");

/// A note, and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredNote {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it holds.
    pub note: Note,
}

/// Why a write to a cluster did not happen, or may not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// Somebody else wrote the object in between: observe and plan again.
    #[error("somebody else wrote it in between")]
    Conflict,
    /// Refused or lost; whether it took effect is not known unless the reason says so.
    #[error(transparent)]
    Failed(Silence),
}
