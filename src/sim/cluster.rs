//! A cluster in memory, behind the trait that the library uses.

mod access;
mod controller;
mod owners;
mod state;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

pub use self::state::{ClusterState, NewBinding, SimPod, SimService, StoredEvent, StoredLedger};
use super::faults::{Fault, Script, Strikes};
use super::steps::{Moment, Steps};
use crate::cluster::WriteError;
use crate::facts::{Silence, SilenceReason};
use crate::stop::{Stop, Unheard};
use crate::target::TargetGroupArn;

/// A cluster in memory: a handle, cheap to clone, that implements
/// [`Cluster`](crate::cluster::Cluster).
#[derive(Clone)]
pub struct Cluster {
    context: String,
    cluster: Option<String>,
    eks_name: Option<String>,
    default_namespace: String,
    shared: Arc<Mutex<Shared>>,
    steps: Steps,
    stop: Stop,
}

struct Shared {
    state: ClusterState,
    script: Script<Request, WriteError>,
    calls: Vec<Request>,
    silences: Vec<SilentPart>,
}

/// The requests a cluster can be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "one for each method of the trait")]
pub enum Request {
    Identity,
    Bindings,
    Controllers,
    Reconcilers,
    /// Read the schema of bindings.
    Schema,
    /// Ask whether the cluster has a type.
    Types,
    Webhook,
    Server,
    May,
    Services,
    EndpointSlices,
    PodStubs,
    Pods,
    PodsWithAddress,
    Nodes,
    ReadLedger,
    /// Read an object around bindings.
    ReadObject,
    /// List objects around bindings.
    ListObjects,
    /// List the names of ledgers.
    LedgerNames,
    /// Patch an object around bindings.
    PatchObject,
    /// Create an object around bindings.
    CreateObject,
    WriteLedger,
    DeleteLedger,
    RemoveFinalizer,
    /// Ask whether the finalizer could be removed.
    TryFinalizer,
    /// Make a controller look again.
    Nudge,
    RecordEvent,
    ApplyBinding,
    DeleteBinding,
    ReadNote,
    ReadNotes,
    WriteNote,
}

impl Request {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "Identity",
            Self::Bindings => "Bindings",
            Self::Controllers => "Controllers",
            Self::Reconcilers => "Reconcilers",
            Self::Schema => "Schema",
            Self::Types => "Types",
            Self::Webhook => "Webhook",
            Self::Server => "Server",
            Self::May => "May",
            Self::Services => "Services",
            Self::EndpointSlices => "EndpointSlices",
            Self::PodStubs => "PodStubs",
            Self::Pods => "Pods",
            Self::PodsWithAddress => "PodsWithAddress",
            Self::Nodes => "Nodes",
            Self::ReadLedger => "ReadLedger",
            Self::ReadObject => "ReadObject",
            Self::ListObjects => "ListObjects",
            Self::LedgerNames => "LedgerNames",
            Self::PatchObject => "PatchObject",
            Self::CreateObject => "CreateObject",
            Self::WriteLedger => "WriteLedger",
            Self::DeleteLedger => "DeleteLedger",
            Self::RemoveFinalizer => "RemoveFinalizer",
            Self::TryFinalizer => "TryFinalizer",
            Self::Nudge => "Nudge",
            Self::RecordEvent => "RecordEvent",
            Self::ApplyBinding => "ApplyBinding",
            Self::DeleteBinding => "DeleteBinding",
            Self::ReadNote => "ReadNote",
            Self::ReadNotes => "ReadNotes",
            Self::WriteNote => "WriteNote",
        }
    }
}

/// What part of a cluster is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// All of it.
    Everything,
    /// One kind of request.
    Requests(Request),
    /// One kind of request over all namespaces at once: what a namespaced Role leaves out.
    OverAllNamespaces(Request),
    /// One kind of request in one namespace.
    InNamespace(Request, &'a str),
}

struct SilentPart {
    request: Option<Request>,
    namespace: Where,
    silence: Silence,
}

/// Where a silence, or a request, applies.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Where {
    Anywhere,
    AllNamespaces,
    Namespace(String),
}

impl SilentPart {
    fn covers(&self, request: Request, namespace: &Where) -> bool {
        // The rehearsal is the same request: whoever refuses the one refuses the other.
        let request = match request {
            Request::TryFinalizer => Request::RemoveFinalizer,
            other => other,
        };
        self.request.is_none_or(|silent| silent == request)
            && (self.namespace == Where::Anywhere || self.namespace == *namespace)
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("context", &self.context).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Reaches a cluster through a context, on a world's steps.
    pub fn new(context: &str, state: ClusterState, steps: Steps) -> Self {
        let shared =
            Shared { state, script: Script::default(), calls: Vec::new(), silences: Vec::new() };
        Self {
            context: context.to_owned(),
            cluster: Some(context.to_owned()),
            eks_name: Some(context.to_owned()),
            default_namespace: "default".to_owned(),
            shared: Arc::new(Mutex::new(shared)),
            steps,
            stop: Stop::default(),
        }
    }

    /// Reaches the same cluster through another context.
    #[must_use]
    pub fn alias(&self, context: &str) -> Self {
        Self { context: context.to_owned(), ..self.clone() }
    }

    /// The same handle, whose kubeconfig tells no EKS name.
    #[must_use]
    pub fn without_eks_name(mut self) -> Self {
        self.eks_name = None;
        self
    }

    /// The same handle, which sends nothing any more once it is asked to stop: one call of the trait
    /// may be several requests.
    #[must_use]
    pub fn heeding(mut self, stop: &Stop) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Looks at or changes the cluster behind the caller's back: no step, no fault, not counted.
    pub fn with<T>(&self, look: impl FnOnce(&mut ClusterState) -> T) -> T {
        look(&mut self.shared().state)
    }

    /// Makes a Service with ready pods at these addresses, and a multi-cluster binding
    /// `<service>-http` of it. The Service's port is 80, the pods' 8080.
    pub fn share(&self, namespace: &str, service: &str, pods: &[&str], group: &TargetGroupArn) {
        self.with(|state| {
            state.add_service(namespace, service, 80, 8080);
            for address in pods {
                state.add_pod(namespace, service, address);
            }
            let name = format!("{service}-http");
            state.bind(&NewBinding::new(namespace, &name, service, group));
        });
    }

    /// The requests so far, in order.
    pub fn calls(&self) -> Vec<Request> {
        self.shared().calls.clone()
    }

    /// How many requests of a kind were sent.
    pub fn count(&self, request: Request) -> usize {
        self.shared().calls.iter().filter(|call| **call == request).count()
    }

    /// Forgets the requests so far.
    pub fn clear_calls(&self) {
        self.shared().calls.clear();
    }

    /// Makes a part of the cluster silent until [`Self::speak`].
    pub fn silence(&self, part: Part<'_>, silence: Silence) {
        let (request, namespace) = match part {
            Part::Everything => (None, Where::Anywhere),
            Part::Requests(request) => (Some(request), Where::Anywhere),
            Part::OverAllNamespaces(request) => (Some(request), Where::AllNamespaces),
            Part::InNamespace(request, namespace) => {
                (Some(request), Where::Namespace(namespace.to_owned()))
            }
        };
        self.shared().silences.push(SilentPart { request, namespace, silence });
    }

    /// Makes the whole cluster answer again.
    pub fn speak(&self) {
        self.shared().silences.clear();
    }

    /// Makes the next request of a kind fail.
    pub fn fail_next(&self, request: Request, fault: Fault<WriteError>) {
        self.fail_nth(Some(request), 1, fault);
    }

    /// Makes the `n`th request from now fail (1 is the next): of a kind, or of all.
    pub fn fail_nth(&self, request: Option<Request>, n: usize, fault: Fault<WriteError>) {
        self.shared().script.add(request, n, fault);
    }

    /// Forgets the faults that did not strike.
    pub fn clear_faults(&self) {
        self.shared().script.clear();
    }

    async fn read<T>(
        &self,
        request: Request,
        namespace: Where,
        effect: impl FnOnce(&ClusterState) -> T,
    ) -> Result<T, Silence> {
        self.call(request, namespace, |state| Ok(effect(state))).await.map_err(
            |error| match error {
                WriteError::Failed(silence) => silence,
                WriteError::Conflict => Silence::new(SilenceReason::ServerError, "Conflict"),
            },
        )
    }

    async fn call<T>(
        &self,
        request: Request,
        namespace: Where,
        effect: impl FnOnce(&mut ClusterState) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        if self.stop.is_asked() {
            return Err(WriteError::Failed(Unheard::NotMade.silence(true)));
        }
        let lost = self.steps.pass(&self.context, request.as_str(), Moment::Before).await;
        let answer = self.shared().answer(request, &namespace, lost, effect);
        self.steps.pass(&self.context, request.as_str(), Moment::After).await;
        answer
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // A test that panicked while it held the lock has already failed.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn answer<T>(
        &mut self,
        request: Request,
        namespace: &Where,
        lost: Option<Strikes>,
        effect: impl FnOnce(&mut ClusterState) -> Result<T, WriteError>,
    ) -> Result<T, WriteError> {
        self.calls.push(request);
        if let Some(part) = self.silences.iter().find(|part| part.covers(request, namespace)) {
            return Err(WriteError::Failed(part.silence.clone()));
        }
        let lost = lost.map(|strikes| Fault { strikes, trouble: connection_lost() });
        match lost.or_else(|| self.script.strike(request)) {
            None => effect(&mut self.state),
            Some(Fault { strikes: Strikes::BeforeEffect, trouble }) => Err(trouble),
            Some(Fault { strikes: Strikes::AfterEffect, trouble }) => {
                // Whatever came of it, nobody hears of it.
                let _ = effect(&mut self.state);
                Err(trouble)
            }
        }
    }
}

fn connection_lost() -> WriteError {
    let message = "the connection was closed before an answer came";
    WriteError::Failed(Silence::new(SilenceReason::Unreachable, message))
}

#[cfg(test)]
mod tests;
