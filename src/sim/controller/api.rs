//! What the controller asks of the world, and what it sees of it.

use std::collections::BTreeMap;
use std::future::Future;

use ipnet::IpNet;
use jiff::Timestamp;

use crate::binding::{Binding, BindingSpec};
use crate::elbv2::Registration;
use crate::endpoints::{
    self, Backend, EndpointSlice, Endpoints, Node, Pod, PodName, PodStub, Service, Unresolved,
};
use crate::target::{Target, TargetDescription};

/// A namespace and a name in it.
pub type Key = (String, String);

/// The world as a controller reaches it: each method but [`Api::view`] is one request.
pub trait Api: Send + Sync {
    /// What its informers hold. Informers watch: in the model it costs no request.
    fn view(&self) -> impl Future<Output = Result<View, Failure>> + Send;

    /// Reads a ledger's text past all caches: none where the ConfigMap does not exist; without the
    /// key the text is empty.
    fn read_ledger(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Result<Option<String>, Failure>> + Send;

    /// Replaces a ledger, whoever wrote it and whatever else was in it.
    ///
    /// # Errors
    ///
    /// [`Failure::NOT_FOUND`] where it does not exist.
    fn update_ledger(
        &self,
        namespace: &str,
        name: &str,
        text: &str,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Creates a ledger.
    fn create_ledger(
        &self,
        namespace: &str,
        name: &str,
        text: &str,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Deletes a ledger of any version.
    ///
    /// # Errors
    ///
    /// [`Failure::NOT_FOUND`] where it does not exist.
    fn delete_ledger(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Patches a binding, of whatever version it is.
    ///
    /// # Errors
    ///
    /// [`Failure::NOT_FOUND`] where it does not exist.
    fn patch_binding(
        &self,
        binding: &Key,
        patch: &Patch,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Sets a readiness gate of a pod.
    fn set_gate(
        &self,
        pod: &PodName,
        gate: &str,
        healthy: Option<bool>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// DescribeTargetHealth, of all targets or of `only` these by id and port.
    fn describe_targets(
        &self,
        spec: &BindingSpec,
        only: &[Target],
    ) -> impl Future<Output = Result<Vec<TargetDescription>, Failure>> + Send;

    /// RegisterTargets.
    fn register(
        &self,
        spec: &BindingSpec,
        targets: &[Registration],
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// DeregisterTargets, with the zones that were listed.
    fn deregister(
        &self,
        spec: &BindingSpec,
        targets: &[Registration],
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The address ranges of a VPC (EC2's DescribeVpcs).
    fn vpc(&self, id: &str) -> impl Future<Output = Result<Vec<IpNet>, Failure>> + Send;
}

/// Why a request failed; whether it took effect is not known where the code is empty.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Failure {
    /// What kind of failure, as the API server's reason or AWS's code has it; empty where no answer came.
    pub code: String,
    /// What was said.
    pub message: String,
}

impl Failure {
    /// The API server's word for what does not exist.
    pub const NOT_FOUND: &str = "NotFound";

    /// Makes a failure.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into() }
    }

    /// Says whether the object does not exist.
    pub fn is_not_found(&self) -> bool {
        self.code == Self::NOT_FOUND
    }
}

/// A change of a binding's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Puts the controller's finalizer on.
    AddFinalizer,
    /// Takes it off.
    RemoveFinalizer,
    /// Writes the checkpoint, perhaps an empty one, and when that was.
    Checkpoint {
        /// The annotation's value.
        value: String,
        /// The time of the writing.
        at: Timestamp,
    },
}

/// A target-health readiness gate that a pod declares: whether it is `True`, where it has a status.
pub type Gate = Option<bool>;

/// What the controller's informers hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The bindings.
    pub bindings: BTreeMap<Key, Binding>,
    /// The Services.
    pub services: BTreeMap<Key, Service>,
    /// The EndpointSlices by namespace and Service.
    pub slices: BTreeMap<Key, Vec<EndpointSlice>>,
    /// The pods.
    pub pods: BTreeMap<PodName, PodStub>,
    /// Those pods whole that [`endpoints::whole_pods_needed`] asks for, or more of them.
    pub whole_pods: BTreeMap<PodName, Pod>,
    /// The readiness gates that pods declare, by pod and condition type.
    pub gates: BTreeMap<PodName, BTreeMap<String, Gate>>,
    /// The nodes, by name.
    pub nodes: BTreeMap<String, Node>,
}

impl View {
    /// Resolves a binding's endpoints, by the library's rules.
    ///
    /// # Errors
    ///
    /// Why they are not known, or that the Service or its port is missing.
    pub fn endpoints(&self, binding: &Binding) -> Result<Endpoints, Unresolved> {
        let key = self.service_key(binding);
        let slices: Vec<&EndpointSlice> = self.slices.get(&key).into_iter().flatten().collect();
        let backend = Backend {
            service: self.services.get(&key),
            slices: &slices,
            pods: &self.pods,
            whole_pods: &self.whole_pods,
            nodes: &self.nodes,
        };
        endpoints::resolve(&binding.spec, &backend)
    }

    /// The namespace and name of a binding's Service.
    pub(super) fn service_key(&self, binding: &Binding) -> Key {
        (binding.namespace.clone(), binding.spec.service_ref.name.clone())
    }
}
