//! The doors through which this program sees a stage: every call is a step and is told to the judge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use mctg::binding::{Binding, CHECKPOINT_ANNOTATION, Flavour};
use mctg::change::{Manifest, Note};
use mctg::cluster::{Cluster, StoredNote, WriteError};
use mctg::elbv2::{Access, CallError, LoadBalancers, Registration};
use mctg::endpoints::{EndpointSlice, Node, Pod, PodName, PodStub, Service};
use mctg::events::Event;
use mctg::facts::{
    Controller, LedgerFault, Listener, LoadBalancer, Reading, Reconciler, ServerFacts, TargetGroup,
    Webhook,
};
use mctg::ledger::Ledger;
use mctg::objects::{Key, Kind as ObjectKind, Object, Patch};
use mctg::permissions::{Question, ServiceAccount};
use mctg::plan::Plan;
use mctg::sim;
use mctg::sim::cluster::Request;
use mctg::target::{HealthState, Target, TargetDescription, TargetGroupArn};

use super::history::CONTEXTS;
use super::judge::Listed;
use super::planted::Plant;
use super::play::Play;
use super::targets::{Kind, Set, bit, set};
use super::truth::Slots;

/// What the calls of one run share.
pub(super) struct Line {
    pub(super) play: Arc<Play>,
    pub(super) run: usize,
    pub(super) script: super::history::Run,
    /// Whether another run has its turn between two steps of this one.
    yields: bool,
    steps: AtomicUsize,
    /// What the plan shows that passes would take out, by slot.
    going_by_nudge: Mutex<BTreeMap<usize, Set>>,
}

impl Line {
    pub(super) fn new(
        play: Arc<Play>,
        run: usize,
        script: super::history::Run,
        yields: bool,
    ) -> Self {
        Self {
            play,
            run,
            script,
            yields,
            steps: AtomicUsize::new(0),
            going_by_nudge: Mutex::default(),
        }
    }

    /// The plan that is about to be applied.
    pub(super) fn planned(&self, plan: &Plan) {
        let stage = &self.play.stage;
        let mut going = self.going_by_nudge.lock().unwrap_or_else(PoisonError::into_inner);
        for plan in &plan.bindings {
            let slot = stage.slots.iter().position(|slot| {
                CONTEXTS[slot.cluster] == plan.binding.context
                    && slot.namespace == plan.binding.namespace
                    && slot.binding == plan.binding.name
            });
            if let (Some(slot), Some(nudge)) = (slot, &plan.nudge) {
                going.insert(slot, set(nudge.going()));
            }
        }
        for plan in &plan.groups {
            let group = stage.groups.iter().position(|(arn, _)| *arn == plan.arn);
            let going = set(plan.deregister.iter().map(|listed| &listed.target));
            self.play.judge().prunes(self.run, group.expect("a group of the stage"), going);
        }
    }

    fn going_by_nudge(&self, slot: usize) -> Set {
        let going = self.going_by_nudge.lock().unwrap_or_else(PoisonError::into_inner);
        going.get(&slot).copied().unwrap_or(0)
    }

    /// Passes a step: what happens then happens, and a run that is killed there never comes back.
    async fn step(&self) {
        if self.yields {
            let mut has_yielded = false;
            std::future::poll_fn(|context| {
                if std::mem::replace(&mut has_yielded, true) {
                    return Poll::Ready(());
                }
                context.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
        }
        let number = self.steps.fetch_add(1, Ordering::Relaxed);
        for (_, event) in self.script.between.iter().filter(|(at, _)| *at == number) {
            self.play.happen(event);
        }
        if self.script.kill.is_some_and(|kill| number >= kill) {
            // Whatever else is under way dies with it.
            self.play.kill(self.run);
            std::future::pending::<()>().await;
        }
    }

    /// Whether it is asked to take out what no cluster claims and reads less than every cluster.
    pub(super) fn is_narrowed(&self) -> bool {
        let all = (1_u8 << self.play.stage.clusters.len()) - 1;
        self.script.prune.is_some() && self.script.seeing & all != all
    }

    fn has(&self, plant: Plant) -> bool {
        self.play.plant == Some(plant)
    }
}

/// A cluster behind a door.
pub(super) struct ClusterDoor {
    pub(super) inner: sim::Cluster,
    pub(super) index: usize,
    pub(super) line: Arc<Line>,
}

impl ClusterDoor {
    /// Tells the judge what could not be read.
    fn told<T, E>(&self, request: Request, namespace: Option<&str>, answer: &Result<T, E>) {
        let play = &self.line.play;
        if answer.is_err() {
            let slots = self.decided_by(request, namespace);
            play.judge().unread(self.line.run, self.index, request, slots);
        } else if request == Request::Nodes {
            let slots = self.decided_by(request, namespace);
            play.judge().told_nodes(self.line.run, self.index, slots);
        }
    }

    /// The slots whose endpoints a request decides.
    fn decided_by(&self, request: Request, namespace: Option<&str>) -> Slots {
        let stage = &self.line.play.stage;
        let slots = stage.slots.iter().enumerate().filter(|(_, slot)| {
            let of_nodes = stage.kind(slot) == Kind::Instance;
            slot.cluster == self.index
                && namespace.is_none_or(|namespace| namespace == slot.namespace)
                && match request {
                    Request::Nodes => of_nodes,
                    Request::EndpointSlices => !of_nodes,
                    _ => true,
                }
        });
        slots.fold(0, |set: Slots, (index, _)| set | 1 << index)
    }

    fn slot(&self, namespace: &str, ledger: &str) -> Option<usize> {
        let mut slots = self.line.play.stage.slots.iter();
        slots.position(|slot| {
            slot.cluster == self.index && slot.namespace == namespace && slot.ledger == ledger
        })
    }
}

macro_rules! read {
    ($self:ident, $request:expr, $namespace:expr, $call:expr) => {{
        $self.line.step().await;
        let answer = $call.await;
        $self.told($request, $namespace, &answer);
        $self.line.step().await;
        answer
    }};
}

impl Cluster for ClusterDoor {
    fn context(&self) -> &str {
        self.inner.context()
    }

    fn cluster(&self) -> Option<&str> {
        self.inner.cluster()
    }

    fn eks_name(&self) -> Option<&str> {
        self.inner.eks_name()
    }

    fn default_namespace(&self) -> &str {
        self.inner.default_namespace()
    }

    fn endpoint(&self) -> String {
        self.inner.endpoint()
    }

    async fn identity(&self) -> Reading<String> {
        self.line.play.judge().asks_identity(self.line.run, self.index);
        read!(self, Request::Identity, None, self.inner.identity())
    }

    async fn bindings(&self, flavour: Flavour, namespace: Option<&str>) -> Reading<Vec<Binding>> {
        read!(self, Request::Bindings, namespace, self.inner.bindings(flavour, namespace))
    }

    async fn controllers(&self) -> Reading<Vec<Controller>> {
        read!(self, Request::Controllers, None, self.inner.controllers())
    }

    async fn reconcilers(&self) -> Reading<Vec<Reconciler>> {
        self.inner.reconcilers().await
    }

    async fn spec_fields(&self) -> Reading<BTreeSet<String>> {
        self.inner.spec_fields().await
    }

    async fn has_flag(&self) -> Reading<bool> {
        self.inner.has_flag().await
    }

    async fn serves(&self, flavour: Flavour) -> Reading<bool> {
        self.inner.serves(flavour).await
    }

    async fn webhook(&self) -> Reading<Webhook> {
        self.inner.webhook().await
    }

    async fn server(&self) -> Reading<ServerFacts> {
        self.inner.server().await
    }

    async fn may(
        &self,
        questions: &[Question],
        service_account: Option<&ServiceAccount>,
    ) -> Reading<Vec<bool>> {
        self.inner.may(questions, service_account).await
    }

    async fn services(&self, namespace: &str) -> Reading<Vec<Service>> {
        read!(self, Request::Services, Some(namespace), self.inner.services(namespace))
    }

    async fn endpoint_slices(&self, namespace: &str) -> Reading<Vec<EndpointSlice>> {
        read!(self, Request::EndpointSlices, Some(namespace), self.inner.endpoint_slices(namespace))
    }

    async fn pod_stubs(&self, namespace: &str) -> Reading<Vec<PodStub>> {
        read!(self, Request::PodStubs, Some(namespace), self.inner.pod_stubs(namespace))
    }

    async fn pods(&self, names: &BTreeSet<PodName>) -> Reading<Vec<Pod>> {
        read!(self, Request::Pods, None, self.inner.pods(names))
    }

    async fn pods_with_address(&self, address: &str) -> Reading<Vec<Pod>> {
        read!(self, Request::PodsWithAddress, None, self.inner.pods_with_address(address))
    }

    async fn nodes(&self) -> Reading<Vec<Node>> {
        read!(self, Request::Nodes, None, self.inner.nodes())
    }

    async fn ledgers(
        &self,
        names: &BTreeSet<(String, String)>,
    ) -> BTreeMap<(String, String), Result<Option<Ledger>, LedgerFault>> {
        self.line.step().await;
        let answer = self.inner.ledgers(names).await;
        for ((namespace, name), ledger) in &answer {
            let told = ledger.as_ref().ok().and_then(Option::as_ref).map(|l| set(&l.targets));
            if let Some(slot) = self.slot(namespace, name) {
                self.line.play.judge().told_ledger(self.line.run, slot, told);
            }
            self.told(Request::ReadLedger, Some(namespace), ledger);
        }
        self.line.step().await;
        answer
    }

    async fn object(&self, key: &Key) -> Reading<Option<Object>> {
        self.inner.object(key).await
    }

    async fn objects(&self, kind: ObjectKind, namespace: Option<&str>) -> Reading<Vec<Object>> {
        self.inner.objects(kind, namespace).await
    }

    async fn ledger_names(&self, namespace: &str) -> Reading<Vec<String>> {
        self.inner.ledger_names(namespace).await
    }

    async fn patch_object(&self, patch: &Patch, rehearse: bool) -> Result<Object, WriteError> {
        self.inner.patch_object(patch, rehearse).await
    }

    async fn create_object(
        &self,
        key: &Key,
        manifest: &serde_json::Value,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.inner.create_object(key, manifest, rehearse).await
    }

    async fn write_ledger(
        &self,
        namespace: &str,
        name: &str,
        targets: &BTreeSet<Target>,
        version: Option<&str>,
    ) -> Result<Ledger, WriteError> {
        self.line.step().await;
        if self.line.has(Plant::LedgerWrittenAfterwards)
            && self.line.play.defer(self, namespace, name, targets)
        {
            let version = version.unwrap_or_default().to_owned();
            return Ok(Ledger {
                targets: targets.clone(),
                bytes: 0,
                version,
                changed_at: None,
                foreign_write_at: None,
            });
        }
        let key = format!("{namespace}/{name}");
        let current = self.inner.with(|s| s.ledgers.get(&key).map(|l| l.version.to_string()));
        let version =
            if self.line.has(Plant::ConflictsIgnored) { current.as_deref() } else { version };
        let answer = self.inner.write_ledger(namespace, name, targets, version).await;
        if let Some(slot) = self.slot(namespace, name) {
            let play = &self.line.play;
            play.judge().wrote_ledger(self.line.run, slot, answer.is_ok(), &play.stage);
        }
        self.line.step().await;
        answer
    }

    async fn delete_ledger(
        &self,
        namespace: &str,
        name: &str,
        version: &str,
    ) -> Result<(), WriteError> {
        self.line.step().await;
        let answer = self.inner.delete_ledger(namespace, name, version).await;
        if let Some(slot) = self.slot(namespace, name) {
            let play = &self.line.play;
            play.judge().wrote_ledger(self.line.run, slot, answer.is_ok(), &play.stage);
        }
        self.line.step().await;
        answer
    }

    async fn nudge(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        is_absent: bool,
    ) -> Result<(), WriteError> {
        self.line.step().await;
        let answer = self.inner.nudge(namespace, name, uid, is_absent).await;
        let play = &self.line.play;
        let mut slots = play.stage.slots.iter();
        let slot = slots.position(|slot| {
            slot.cluster == self.index && slot.namespace == namespace && slot.binding == name
        });
        let was_reset = self.inner.with(|state| {
            let binding = state.binding_mut(namespace, name);
            let checkpoint = binding.map(|b| b.annotations.get(CHECKPOINT_ANNOTATION).cloned());
            checkpoint.is_some_and(|checkpoint| checkpoint.unwrap_or_default().is_empty())
        });
        if let Some(slot) = slot.filter(|_| was_reset) {
            play.judge().nudged(self.line.run, slot, self.line.going_by_nudge(slot), &play.stage);
        }
        play.judge().changed(self.line.run, answer.is_ok(), &play.stage);
        self.line.step().await;
        answer
    }

    async fn remove_finalizer(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<(), WriteError> {
        self.line.step().await;
        let answer = self.inner.remove_finalizer(namespace, name, uid).await;
        let play = &self.line.play;
        play.judge().changed(self.line.run, answer.is_ok(), &play.stage);
        self.line.step().await;
        answer
    }

    async fn apply_binding(
        &self,
        manifest: &Manifest,
        takes_over: bool,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.inner.apply_binding(manifest, takes_over, rehearse).await
    }

    async fn delete_binding(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.inner.delete_binding(namespace, name, uid, rehearse).await
    }

    async fn note(&self, namespace: &str, name: &str) -> Reading<Option<Note>> {
        self.inner.note(namespace, name).await
    }

    async fn notes(&self, namespace: Option<&str>) -> Reading<Vec<StoredNote>> {
        self.inner.notes(namespace).await
    }

    async fn write_note(
        &self,
        namespace: &str,
        name: &str,
        note: &Note,
        rehearse: bool,
    ) -> Result<(), WriteError> {
        self.inner.write_note(namespace, name, note, rehearse).await
    }

    async fn may_remove_finalizer(
        &self,
        namespace: &str,
        name: &str,
        uid: &str,
    ) -> Result<(), WriteError> {
        self.line.step().await;
        let answer = self.inner.may_remove_finalizer(namespace, name, uid).await;
        self.line.step().await;
        answer
    }

    async fn record_event(&self, event: &Event) -> Result<(), WriteError> {
        self.inner.record_event(event).await
    }
}

/// The load balancers behind a door.
pub(super) struct ElbDoor {
    pub(super) inner: sim::LoadBalancers,
    pub(super) line: Arc<Line>,
}

impl ElbDoor {
    fn group(&self, arn: &TargetGroupArn) -> usize {
        let mut groups = self.line.play.stage.groups.iter();
        groups.position(|(group, _)| group == arn).expect("a group of the stage")
    }

    fn trouble(&self, troubled: bool) {
        if troubled {
            let mut judge = self.line.play.judge();
            judge.witnesses[self.line.run].troubled = true;
        }
    }
}

fn cluster_of(access: &Access) -> usize {
    CONTEXTS.iter().position(|context| *context == access.context).expect("a context of the stage")
}

impl LoadBalancers for ElbDoor {
    async fn target_groups(
        &self,
        access: &Access,
        arns: &BTreeSet<TargetGroupArn>,
    ) -> BTreeMap<TargetGroupArn, Reading<TargetGroup>> {
        self.line.step().await;
        let answer = self.inner.target_groups(access, arns).await;
        self.trouble(answer.values().any(Result::is_err));
        self.line.step().await;
        answer
    }

    async fn target_group_by_name(&self, access: &Access, name: &str) -> Reading<TargetGroup> {
        self.line.step().await;
        let answer = self.inner.target_group_by_name(access, name).await;
        self.trouble(answer.is_err());
        self.line.step().await;
        answer
    }

    async fn targets(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
    ) -> Reading<Vec<TargetDescription>> {
        self.line.step().await;
        let answer = self.inner.targets(access, arn).await;
        let is_in = |states: &[HealthState]| {
            let listed = answer.iter().flatten();
            set(listed.filter(|t| states.contains(&t.health.state)).map(|listed| &listed.target))
        };
        let registered = answer.iter().flatten().filter(|listed| listed.is_registered());
        let listed = Listed {
            healthy: is_in(&[HealthState::Healthy]),
            initial: is_in(&[HealthState::Initial]),
            serving: is_in(&[HealthState::Healthy, HealthState::Initial, HealthState::Unavailable]),
            registered: set(registered.map(|listed| &listed.target)),
        };
        self.line.play.judge().told_targets(self.line.run, self.group(arn), listed);
        self.trouble(answer.is_err());
        self.line.step().await;
        answer
    }

    async fn target_group_attributes(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
    ) -> Reading<BTreeMap<String, String>> {
        self.inner.target_group_attributes(access, arn).await
    }

    async fn tags(
        &self,
        access: &Access,
        arns: &BTreeSet<TargetGroupArn>,
    ) -> BTreeMap<TargetGroupArn, Reading<BTreeMap<String, String>>> {
        self.line.step().await;
        let answer = self.inner.tags(access, arns).await;
        self.line.step().await;
        answer
    }

    async fn load_balancers(
        &self,
        access: &Access,
        arns: &BTreeSet<String>,
    ) -> BTreeMap<String, Reading<LoadBalancer>> {
        self.inner.load_balancers(access, arns).await
    }

    async fn load_balancer_attributes(
        &self,
        access: &Access,
        arn: &str,
    ) -> Reading<BTreeMap<String, String>> {
        self.inner.load_balancer_attributes(access, arn).await
    }

    async fn listeners(&self, access: &Access, arn: &str) -> Reading<Vec<Listener>> {
        self.inner.listeners(access, arn).await
    }

    async fn account_limits(
        &self,
        access: &Access,
        account: &str,
    ) -> Reading<BTreeMap<String, u64>> {
        self.inner.account_limits(access, account).await
    }

    async fn register(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[Registration],
    ) -> Result<(), CallError> {
        self.line.step().await;
        let (group, play) = (self.group(arn), &self.line.play);
        let named = set(targets.iter().map(|registration| &registration.target));
        play.judge().registers(self.line.run, cluster_of(access), group, named, &play.stage);
        let answer = self.inner.register(access, arn, targets).await;
        let refused =
            !matches!(answer, Ok(()) | Err(CallError::ZoneNeeded(_) | CallError::ZoneRefused(_)));
        play.judge().registered(self.line.run, cluster_of(access), group, !refused, &play.stage);
        play.write_deferred();
        self.line.step().await;
        answer
    }

    async fn deregister(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[TargetDescription],
    ) -> Result<(), CallError> {
        self.line.step().await;
        let (group, play) = (self.group(arn), &self.line.play);
        let named = targets.iter().fold(0, |set: Set, listed| set | bit(&listed.target));
        play.judge().deregisters(self.line.run, cluster_of(access), group, named, &play.stage);
        let answer = self.inner.deregister(access, arn, targets).await;
        play.judge().changed(self.line.run, answer.is_ok(), &play.stage);
        self.line.step().await;
        if self.line.has(Plant::FailuresForgotten) { Ok(()) } else { answer }
    }
}
