//! The trait's methods.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::state::{SimPod, StoredEvent, StoredLedger, key};
use super::{Cluster, Request, Where};
use crate::binding::{Binding, BindingSpec, CHECKPOINT_ANNOTATION, Flavour};
use crate::change::{Manifest, Note};
use crate::cluster::{Cluster as Door, StoredNote, WriteError};
use crate::endpoints::{EndpointSlice, Node, Pod, PodName, PodStub, Service};
use crate::events::Event;
use crate::facts::{
    Controller, LedgerFault, Reading, Reconciler, ServerFacts, Silence, SilenceReason, Webhook,
};
use crate::ledger::{self, Ledger};
use crate::objects::{Key, Kind, Object, Patch};
use crate::permissions::{Question, ServiceAccount};
use crate::target::Target;

impl From<Option<&str>> for Where {
    fn from(namespace: Option<&str>) -> Self {
        namespace.map_or(Self::AllNamespaces, |namespace| Self::Namespace(namespace.to_owned()))
    }
}

impl Door for Cluster {
    fn context(&self) -> &str {
        &self.context
    }

    fn cluster(&self) -> Option<&str> {
        self.cluster.as_deref()
    }

    fn eks_name(&self) -> Option<&str> {
        self.eks_name.as_deref()
    }

    fn default_namespace(&self) -> &str {
        &self.default_namespace
    }

    async fn identity(&self) -> Reading<String> {
        let namespace = Where::Namespace("kube-system".to_owned());
        self.read(Request::Identity, namespace, |state| state.identity.clone()).await
    }

    fn endpoint(&self) -> String {
        self.with(|state| state.endpoint.clone())
    }

    async fn bindings(&self, flavour: Flavour, namespace: Option<&str>) -> Reading<Vec<Binding>> {
        self.read(Request::Bindings, namespace.into(), |state| {
            let asked = |b: &&Binding| namespace.is_none_or(|namespace| b.namespace == namespace);
            state.bindings(flavour).filter(asked).cloned().collect()
        })
        .await
    }

    async fn controllers(&self) -> Reading<Vec<Controller>> {
        self.read(Request::Controllers, Where::AllNamespaces, |s| s.controllers.clone()).await
    }

    async fn reconcilers(&self) -> Reading<Vec<Reconciler>> {
        self.read(Request::Reconcilers, Where::AllNamespaces, |state| state.reconcilers.clone())
            .await
    }

    async fn has_flag(&self) -> Reading<bool> {
        self.read(Request::Schema, Where::AllNamespaces, |state| state.has_flag).await
    }

    async fn serves(&self, flavour: Flavour) -> Reading<bool> {
        self.read(Request::Types, Where::AllNamespaces, |state| match flavour {
            Flavour::LoadBalancerController => !state.is_without_type,
            Flavour::AutoMode => state.bindings(flavour).next().is_some(),
        })
        .await
    }

    async fn webhook(&self) -> Reading<Webhook> {
        self.read(Request::Webhook, Where::AllNamespaces, |state| state.webhook.clone()).await
    }

    async fn server(&self) -> Reading<ServerFacts> {
        self.read(Request::Server, Where::AllNamespaces, |state| ServerFacts {
            version: "v1.35.0".to_owned(),
            now: Some(state.now() + state.clock_ahead),
        })
        .await
    }

    async fn may(
        &self,
        questions: &[Question],
        service_account: Option<&ServiceAccount>,
    ) -> Reading<Vec<bool>> {
        self.read(Request::May, Where::AllNamespaces, |state| {
            let who = service_account.map(ToString::to_string).unwrap_or_default();
            let denied = |question: &Question| {
                state.denied.contains(&(who.clone(), question.resource_and_verb()))
            };
            questions.iter().map(|question| !denied(question)).collect()
        })
        .await
    }

    async fn spec_fields(&self) -> Reading<BTreeSet<String>> {
        self.read(Request::Schema, Where::AllNamespaces, |state| {
            let lacks = |field: &&str| {
                state.lacks_fields.contains(*field)
                    || (*field == "multiClusterTargetGroup" && !state.has_flag)
            };
            BindingSpec::FIELDS
                .iter()
                .filter(|field| !lacks(field))
                .map(|it| (*it).to_owned())
                .collect()
        })
        .await
    }

    async fn services(&self, namespace: &str) -> Reading<Vec<Service>> {
        self.read(Request::Services, Some(namespace).into(), |state| {
            let services = state.services.values().map(|service| &service.service);
            services.filter(|service| service.namespace == namespace).cloned().collect()
        })
        .await
    }

    async fn endpoint_slices(&self, namespace: &str) -> Reading<Vec<EndpointSlice>> {
        self.read(Request::EndpointSlices, Some(namespace).into(), |state| {
            state.endpoint_slices(namespace)
        })
        .await
    }

    async fn pod_stubs(&self, namespace: &str) -> Reading<Vec<PodStub>> {
        self.read(Request::PodStubs, Some(namespace).into(), |state| {
            let pods = state.pods.values().map(|pod| &pod.pod);
            pods.filter(|pod| pod.name.namespace == namespace)
                .map(|pod| PodStub { name: pod.name.clone(), created_at: pod.created_at })
                .collect()
        })
        .await
    }

    async fn pods(&self, names: &BTreeSet<PodName>) -> Reading<Vec<Pod>> {
        let mut pods = Vec::new();
        for name in names {
            let namespace = Some(name.namespace.as_str()).into();
            let pod = self
                .read(Request::Pods, namespace, |s| s.pods.get(&name.to_string()).cloned())
                .await?;
            pods.extend(pod.map(|pod| pod.whole()));
        }
        Ok(pods)
    }

    async fn pods_with_address(&self, address: &str) -> Reading<Vec<Pod>> {
        self.read(Request::PodsWithAddress, Where::AllNamespaces, |state| {
            let holds = |pod: &&SimPod| pod.pod.address.as_deref() == Some(address);
            state.pods.values().filter(holds).map(SimPod::whole).collect()
        })
        .await
    }

    async fn nodes(&self) -> Reading<Vec<Node>> {
        self.read(Request::Nodes, Where::AllNamespaces, |s| s.nodes.values().cloned().collect())
            .await
    }

    async fn ledgers(
        &self,
        names: &BTreeSet<(String, String)>,
    ) -> BTreeMap<(String, String), Result<Option<Ledger>, LedgerFault>> {
        let mut ledgers = BTreeMap::new();
        for (namespace, name) in names {
            let stored = self
                .read(Request::ReadLedger, Some(namespace.as_str()).into(), |state| {
                    state.ledgers.get(&key(namespace, name)).cloned()
                })
                .await;
            let ledger = match stored {
                Err(silence) => Err(LedgerFault::Silent(silence)),
                Ok(None) => Ok(None),
                Ok(Some(stored)) => read_ledger(name, &stored).map(Some),
            };
            ledgers.insert((namespace.clone(), name.clone()), ledger);
        }
        ledgers
    }

    async fn object(&self, key: &Key) -> Reading<Option<Object>> {
        let namespace = Some(key.namespace.as_str()).filter(|it| !it.is_empty()).into();
        self.read(Request::ReadObject, namespace, |state| state.object(key)).await
    }

    async fn objects(&self, kind: Kind, namespace: Option<&str>) -> Reading<Vec<Object>> {
        self.read(Request::ListObjects, namespace.into(), |state| {
            let asked = |it: &Object| namespace.is_none_or(|ns| it.key.namespace == ns);
            state.objects(kind).into_iter().filter(asked).collect()
        })
        .await
    }

    async fn ledger_names(&self, namespace: &str) -> Reading<Vec<String>> {
        self.read(Request::LedgerNames, Some(namespace).into(), |state| {
            let names = state.ledgers.keys().filter_map(|key| key.split_once('/'));
            let own =
                names.filter(|(ns, name)| *ns == namespace && ledger::binding_of(name).is_some());
            own.map(|(_, name)| name.to_owned()).collect()
        })
        .await
    }

    async fn patch_object(&self, patch: &Patch, rehearse: bool) -> Result<Object, WriteError> {
        let namespace = Some(patch.key.namespace.as_str()).filter(|it| !it.is_empty()).into();
        self.call(Request::PatchObject, namespace, |state| {
            state.patch_object(patch, rehearse).ok_or(WriteError::Conflict)
        })
        .await
    }

    async fn create_object(
        &self,
        key: &Key,
        manifest: &Value,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.call(Request::CreateObject, Some(key.namespace.as_str()).into(), |state| {
            if state.object(key).is_some() {
                return Err(WriteError::Conflict);
            }
            if !rehearse {
                state.put_object(Object::new(key.clone(), manifest["spec"].clone()));
            }
            Ok(())
        })
        .await
    }

    async fn write_ledger(
        &self,
        namespace: &str,
        name: &str,
        targets: &BTreeSet<Target>,
        version: Option<&str>,
    ) -> Result<Ledger, WriteError> {
        self.call(Request::WriteLedger, Some(namespace).into(), |state| {
            let stored = state.ledgers.get(&key(namespace, name));
            if stored.map(|stored| stored.version.to_string()).as_deref() != version {
                return Err(WriteError::Conflict);
            }
            if stored.is_some_and(|stored| stored.immutable) {
                return Err(WriteError::Failed(Silence::new(
                    SilenceReason::Invalid,
                    format!("ConfigMap \"{name}\" is invalid: data: Forbidden: field is immutable when `immutable` is set"),
                )));
            }
            let text = ledger::format(targets);
            let version = state.edit_ledger(namespace, name, &text).to_string();
            let (bytes, targets, now) = (text.len(), targets.clone(), Some(state.now()));
            Ok(Ledger { targets, bytes, version, changed_at: now, foreign_write_at: now })
        })
        .await
    }

    async fn delete_ledger(
        &self,
        namespace: &str,
        name: &str,
        version: &str,
    ) -> Result<(), WriteError> {
        self.call(Request::DeleteLedger, Some(namespace).into(), |state| {
            let key = key(namespace, name);
            if let Some(note) = state.notes.get(&key) {
                if note.version.as_deref() != Some(version) {
                    return Err(WriteError::Conflict);
                }
                state.notes.remove(&key);
                return Ok(());
            }
            match state.ledgers.get(&key) {
                Some(stored) if stored.version.to_string() != version => Err(WriteError::Conflict),
                _ => {
                    state.ledgers.remove(&key);
                    Ok(())
                }
            }
        })
        .await
    }

    async fn nudge(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        is_absent: bool,
    ) -> Result<(), WriteError> {
        self.call(Request::Nudge, Some(namespace).into(), |state| {
            match state.binding_mut(namespace, name).filter(|binding| binding.uid == uid) {
                Some(binding) if is_absent => {
                    binding.annotations.insert(CHECKPOINT_ANNOTATION.to_owned(), String::new());
                }
                Some(binding) => {
                    binding.annotations.remove(CHECKPOINT_ANNOTATION);
                }
                None => return Err(WriteError::Conflict),
            }
            Ok(())
        })
        .await
    }

    async fn remove_finalizer(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<(), WriteError> {
        self.call(Request::RemoveFinalizer, Some(namespace).into(), |state| {
            match state.binding_mut(namespace, name) {
                Some(binding) if binding.uid == uid && binding.has_finalizer => {
                    // It is being deleted, or it is not what the caller saw.
                    if !binding.is_being_deleted() {
                        return Err(WriteError::Conflict);
                    }
                    binding.has_finalizer = false;
                }
                _ => return Ok(()),
            }
            state.collect_bindings();
            Ok(())
        })
        .await
    }

    async fn apply_binding(
        &self,
        manifest: &Manifest,
        // Simulated fields have no managers.
        _takes_over: bool,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.call(Request::ApplyBinding, Some(manifest.namespace.as_str()).into(), |state| {
            if !rehearse {
                state.apply(manifest);
            }
            Ok(())
        })
        .await
    }

    async fn delete_binding(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.call(Request::DeleteBinding, Some(namespace).into(), |state| {
            match state.binding_mut(namespace, name) {
                Some(binding) if binding.uid != uid => Err(WriteError::Conflict),
                Some(binding) if binding.is_being_deleted() => Ok(()),
                Some(_) if !rehearse => {
                    state.delete_binding(namespace, name);
                    Ok(())
                }
                _ => Ok(()),
            }
        })
        .await
    }

    async fn note(&self, namespace: &str, name: &str) -> Reading<Option<Note>> {
        self.read(Request::ReadNote, Some(namespace).into(), |state| {
            state.notes.get(&key(namespace, name)).cloned()
        })
        .await
    }

    async fn notes(&self, namespace: Option<&str>) -> Reading<Vec<StoredNote>> {
        self.read(Request::ReadNotes, namespace.into(), |state| {
            let all = state.notes.iter().filter_map(|(key, note)| {
                let (namespace, name) = key.split_once('/')?;
                let (namespace, name) = (namespace.to_owned(), name.to_owned());
                Some(StoredNote { namespace, name, note: note.clone() })
            });
            all.filter(|stored| namespace.is_none_or(|only| only == stored.namespace)).collect()
        })
        .await
    }

    async fn write_note(
        &self,
        namespace: &str,
        name: &str,
        note: &Note,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.call(Request::WriteNote, Some(namespace).into(), |state| {
            let stored = state.notes.get(&key(namespace, name));
            if stored.and_then(|stored| stored.version.clone()) != note.version {
                return Err(WriteError::Conflict);
            }
            if !rehearse {
                state.put_note(namespace, name, &note.data);
            }
            Ok(())
        })
        .await
    }

    async fn may_remove_finalizer(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<(), WriteError> {
        self.call(Request::TryFinalizer, Some(namespace).into(), |state| {
            let binding = state.binding_mut(namespace, name);
            match binding.filter(|binding| binding.uid == uid && binding.has_finalizer) {
                Some(binding) if !binding.is_being_deleted() => Err(WriteError::Conflict),
                _ => Ok(()),
            }
        })
        .await
    }

    async fn record_event(&self, event: &Event) -> Result<(), WriteError> {
        self.call(Request::RecordEvent, Some(event.binding.namespace.as_str()).into(), |state| {
            let key = key(&event.binding.namespace, &event.name());
            let count = state.events.get(&key).map_or(0, |stored| stored.count);
            state.events.insert(key, StoredEvent { event: event.clone(), count: count + 1 });
            Ok(())
        })
        .await
    }
}

fn read_ledger(name: &str, stored: &StoredLedger) -> Result<Ledger, LedgerFault> {
    if stored.immutable {
        return Err(LedgerFault::Immutable { configmap: name.to_owned() });
    }
    let targets = ledger::parse(&stored.text)
        .map_err(|source| LedgerFault::Invalid { configmap: name.to_owned(), source })?;
    Ok(Ledger {
        targets,
        bytes: stored.text.len(),
        version: stored.version.to_string(),
        changed_at: Some(stored.changed_at),
        foreign_write_at: stored.foreign_write_at,
    })
}
