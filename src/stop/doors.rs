//! Both doors, closed once somebody asked to stop.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use futures::FutureExt;
use serde_json::Value;

use super::{Stop, Unheard};
use crate::binding::{Binding, Flavour};
use crate::change::{Manifest, Note};
use crate::cluster::{Cluster, StoredNote, WriteError};
use crate::elbv2::{Access, CallError, LoadBalancers, Registration};
use crate::endpoints::{EndpointSlice, Node, Pod, PodName, PodStub, Service};
use crate::events::Event;
use crate::facts::{
    Controller, LedgerFault, Listener, LoadBalancer, Reading, Reconciler, ServerFacts, Silence,
    SilenceReason, TargetGroup, Webhook,
};
use crate::ledger::Ledger;
use crate::objects::{Key, Kind, Object, Patch};
use crate::permissions::{Question, ServiceAccount};
use crate::target::{Target, TargetDescription, TargetGroupArn};

/// A door that is closed once somebody asked to stop.
///
/// From then on every call fails at once with [`SilenceReason::Stopped`] and reaches nobody. A call
/// that was under way has [`GRACE`](super::GRACE) for its answer, and fails with
/// [`SilenceReason::Timeout`] after that: whether it took effect is not known.
///
/// One call of a door may be several requests. An adapter that is given the same [`Stop`] sends no
/// further one either, and tries none again.
#[derive(Debug)]
pub struct Stoppable<'a, D> {
    door: &'a D,
    stop: Stop,
}

impl<'a, D> Stoppable<'a, D> {
    /// Makes a door heed a request to stop.
    pub fn new(door: &'a D, stop: Stop) -> Self {
        Self { door, stop }
    }

    /// The same door, heeding another request.
    #[must_use]
    pub fn heeding(self, stop: &Stop) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    fn read<'s, T: 's>(
        &'s self,
        call: impl Future<Output = Reading<T>> + 's,
    ) -> impl Future<Output = Reading<T>> + 's {
        let silence = |unheard: Unheard| Err(unheard.silence(false));
        self.stop.call(call).map(move |answer| answer.unwrap_or_else(silence))
    }

    fn read_each<'s, K: Ord + Clone, V: 's>(
        &'s self,
        keys: &'s BTreeSet<K>,
        call: impl Future<Output = BTreeMap<K, Reading<V>>> + 's,
    ) -> impl Future<Output = BTreeMap<K, Reading<V>>> + 's {
        let silences = move |unheard: Unheard| {
            keys.iter().map(|key| (key.clone(), Err(unheard.silence(false)))).collect()
        };
        self.stop.call(call).map(move |answer| answer.unwrap_or_else(silences))
    }

    fn write<'s, T: 's>(
        &'s self,
        call: impl Future<Output = Result<T, WriteError>> + 's,
    ) -> impl Future<Output = Result<T, WriteError>> + 's {
        let failed = |unheard: Unheard| Err(WriteError::Failed(unheard.silence(true)));
        self.stop.call(call).map(move |answer| answer.unwrap_or_else(failed))
    }

    fn change<'s>(
        &'s self,
        call: impl Future<Output = Result<(), CallError>> + 's,
    ) -> impl Future<Output = Result<(), CallError>> + 's {
        let failed = |unheard: Unheard| Err(CallError::Failed(unheard.silence(true)));
        self.stop.call(call).map(move |answer| answer.unwrap_or_else(failed))
    }
}

impl Silence {
    /// Says whether it was not even asked, because the run was stopped: nothing came of it.
    pub fn is_stop(&self) -> bool {
        self.reason == SilenceReason::Stopped
    }
}

impl<C: Cluster> Cluster for Stoppable<'_, C> {
    fn context(&self) -> &str {
        self.door.context()
    }

    fn cluster(&self) -> Option<&str> {
        self.door.cluster()
    }

    fn eks_name(&self) -> Option<&str> {
        self.door.eks_name()
    }

    fn default_namespace(&self) -> &str {
        self.door.default_namespace()
    }

    fn endpoint(&self) -> String {
        self.door.endpoint()
    }

    async fn identity(&self) -> Reading<String> {
        self.read(self.door.identity()).await
    }

    async fn bindings(&self, flavour: Flavour, namespace: Option<&str>) -> Reading<Vec<Binding>> {
        self.read(self.door.bindings(flavour, namespace)).await
    }

    async fn controllers(&self) -> Reading<Vec<Controller>> {
        self.read(self.door.controllers()).await
    }

    async fn reconcilers(&self) -> Reading<Vec<Reconciler>> {
        self.read(self.door.reconcilers()).await
    }

    async fn spec_fields(&self) -> Reading<BTreeSet<String>> {
        self.read(self.door.spec_fields()).await
    }

    async fn has_flag(&self) -> Reading<bool> {
        self.read(self.door.has_flag()).await
    }

    async fn serves(&self, flavour: Flavour) -> Reading<bool> {
        self.read(self.door.serves(flavour)).await
    }

    async fn webhook(&self) -> Reading<Webhook> {
        self.read(self.door.webhook()).await
    }

    async fn server(&self) -> Reading<ServerFacts> {
        self.read(self.door.server()).await
    }

    async fn may(
        &self,
        questions: &[Question],
        service_account: Option<&ServiceAccount>,
    ) -> Reading<Vec<bool>> {
        self.read(self.door.may(questions, service_account)).await
    }

    async fn services(&self, namespace: &str) -> Reading<Vec<Service>> {
        self.read(self.door.services(namespace)).await
    }

    async fn endpoint_slices(&self, namespace: &str) -> Reading<Vec<EndpointSlice>> {
        self.read(self.door.endpoint_slices(namespace)).await
    }

    async fn pod_stubs(&self, namespace: &str) -> Reading<Vec<PodStub>> {
        self.read(self.door.pod_stubs(namespace)).await
    }

    async fn pods(&self, names: &BTreeSet<PodName>) -> Reading<Vec<Pod>> {
        self.read(self.door.pods(names)).await
    }

    async fn pods_with_address(&self, address: &str) -> Reading<Vec<Pod>> {
        self.read(self.door.pods_with_address(address)).await
    }

    async fn nodes(&self) -> Reading<Vec<Node>> {
        self.read(self.door.nodes()).await
    }

    async fn ledgers(
        &self,
        names: &BTreeSet<(String, String)>,
    ) -> BTreeMap<(String, String), Result<Option<Ledger>, LedgerFault>> {
        let silent = |unheard: Unheard| {
            let fault = || LedgerFault::Silent(unheard.silence(false));
            names.iter().map(|name| (name.clone(), Err(fault()))).collect()
        };
        self.stop.call(self.door.ledgers(names)).await.unwrap_or_else(silent)
    }

    async fn object(&self, key: &Key) -> Reading<Option<Object>> {
        self.read(self.door.object(key)).await
    }

    async fn objects(&self, kind: Kind, namespace: Option<&str>) -> Reading<Vec<Object>> {
        self.read(self.door.objects(kind, namespace)).await
    }

    async fn ledger_names(&self, namespace: &str) -> Reading<Vec<String>> {
        self.read(self.door.ledger_names(namespace)).await
    }

    async fn patch_object(&self, patch: &Patch, rehearse: bool) -> Result<Object, WriteError> {
        self.write(self.door.patch_object(patch, rehearse)).await
    }

    async fn create_object(
        &self,
        key: &Key,
        manifest: &Value,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.write(self.door.create_object(key, manifest, rehearse)).await
    }

    async fn write_ledger(
        &self,
        namespace: &str,
        name: &str,
        targets: &BTreeSet<Target>,
        version: Option<&str>,
    ) -> Result<Ledger, WriteError> {
        self.write(self.door.write_ledger(namespace, name, targets, version)).await
    }

    async fn delete_ledger(
        &self,
        namespace: &str,
        name: &str,
        version: &str,
    ) -> Result<(), WriteError> {
        self.write(self.door.delete_ledger(namespace, name, version)).await
    }

    async fn remove_finalizer(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<(), WriteError> {
        self.write(self.door.remove_finalizer(namespace, name, uid)).await
    }

    async fn may_remove_finalizer(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<(), WriteError> {
        self.write(self.door.may_remove_finalizer(namespace, name, uid)).await
    }

    async fn nudge(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        is_absent: bool,
    ) -> Result<(), WriteError> {
        self.write(self.door.nudge(namespace, name, uid, is_absent)).await
    }

    async fn apply_binding(
        &self,
        manifest: &Manifest,
        takes_over: bool,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.write(self.door.apply_binding(manifest, takes_over, rehearse)).await
    }

    async fn delete_binding(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.write(self.door.delete_binding(namespace, name, uid, rehearse)).await
    }

    async fn note(&self, namespace: &str, name: &str) -> Reading<Option<Note>> {
        self.read(self.door.note(namespace, name)).await
    }

    async fn notes(&self, namespace: Option<&str>) -> Reading<Vec<StoredNote>> {
        self.read(self.door.notes(namespace)).await
    }

    async fn write_note(
        &self,
        namespace: &str,
        name: &str,
        note: &Note,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.write(self.door.write_note(namespace, name, note, rehearse)).await
    }

    async fn record_event(&self, event: &Event) -> Result<(), WriteError> {
        self.write(self.door.record_event(event)).await
    }
}

impl<L: LoadBalancers> LoadBalancers for Stoppable<'_, L> {
    fn is_closed(&self) -> bool {
        self.stop.is_asked()
    }

    async fn target_groups(
        &self,
        access: &Access,
        arns: &BTreeSet<TargetGroupArn>,
    ) -> BTreeMap<TargetGroupArn, Reading<TargetGroup>> {
        self.read_each(arns, self.door.target_groups(access, arns)).await
    }

    async fn target_group_by_name(&self, access: &Access, name: &str) -> Reading<TargetGroup> {
        self.read(self.door.target_group_by_name(access, name)).await
    }

    async fn targets(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
    ) -> Reading<Vec<TargetDescription>> {
        self.read(self.door.targets(access, arn)).await
    }

    async fn target_group_attributes(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
    ) -> Reading<BTreeMap<String, String>> {
        self.read(self.door.target_group_attributes(access, arn)).await
    }

    async fn tags(
        &self,
        access: &Access,
        arns: &BTreeSet<TargetGroupArn>,
    ) -> BTreeMap<TargetGroupArn, Reading<BTreeMap<String, String>>> {
        self.read_each(arns, self.door.tags(access, arns)).await
    }

    async fn load_balancers(
        &self,
        access: &Access,
        arns: &BTreeSet<String>,
    ) -> BTreeMap<String, Reading<LoadBalancer>> {
        self.read_each(arns, self.door.load_balancers(access, arns)).await
    }

    async fn load_balancer_attributes(
        &self,
        access: &Access,
        arn: &str,
    ) -> Reading<BTreeMap<String, String>> {
        self.read(self.door.load_balancer_attributes(access, arn)).await
    }

    async fn listeners(&self, access: &Access, arn: &str) -> Reading<Vec<Listener>> {
        self.read(self.door.listeners(access, arn)).await
    }

    async fn account_limits(
        &self,
        access: &Access,
        account: &str,
    ) -> Reading<BTreeMap<String, u64>> {
        self.read(self.door.account_limits(access, account)).await
    }

    async fn register(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[Registration],
    ) -> Result<(), CallError> {
        self.change(self.door.register(access, arn, targets)).await
    }

    async fn deregister(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[TargetDescription],
    ) -> Result<(), CallError> {
        self.change(self.door.deregister(access, arn, targets)).await
    }
}
