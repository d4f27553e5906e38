//! Who wakes the controller, and when it comes back by itself (`facts/lbc.md` 2.2, 3).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Controller;
use super::api::{Api, Failure, Key, Patch, View};
use super::gates::gate_of;
use super::memory::{Expiring, after};
use super::pass::Ended;
use crate::binding::{Binding, TargetType};
use crate::endpoints::Node;

/// The shortest time after a skip at which the checkpoint is reset.
const DEFERRED: SignedDuration = SignedDuration::from_mins(30);

/// What is added to it at most, so that not all bindings are looked at at once.
const JITTER_SECONDS: u64 = 15 * 60;

/// The pause after a first failure; it doubles with each further one.
const BACKOFF: SignedDuration = SignedDuration::from_millis(5);

/// The longest pause after failures (`--targetgroupbinding-max-exponential-backoff-delay`).
const BACKOFF_MAX: SignedDuration = SignedDuration::from_secs(1_000);

/// A piece of work that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worked {
    /// The binding.
    pub binding: Key,
    /// How the pass over it ended; none where its checkpoint was reset instead.
    pub ended: Result<Option<Ended>, Failure>,
}

/// What is due, and when.
#[derive(Debug)]
pub(super) struct Queue {
    sync_period: SignedDuration,
    resync_at: Timestamp,
    passes: BTreeMap<Key, Timestamp>,
    failures: BTreeMap<Key, u32>,
    /// Bindings that were passed over, or deferred, less than a sync period ago.
    processed: Expiring<Key, ()>,
    /// Bindings whose checkpoint will be reset.
    deferred: BTreeMap<Key, Timestamp>,
}

enum Due {
    Reset(Key),
    Pass(Key),
}

impl Queue {
    pub(super) fn new(now: Timestamp, sync_period: SignedDuration) -> Self {
        Self {
            sync_period,
            resync_at: after(now, sync_period),
            passes: BTreeMap::new(),
            failures: BTreeMap::new(),
            processed: Expiring::default(),
            deferred: BTreeMap::new(),
        }
    }

    fn wake(&mut self, key: &Key, at: Timestamp) {
        let due = self.passes.entry(key.clone()).or_insert(at);
        *due = at.min(*due);
    }

    /// When the next thing is due.
    fn next(&self) -> Option<Timestamp> {
        self.passes.values().chain(self.deferred.values()).min().copied()
    }

    fn take(&mut self, now: Timestamp) -> Option<Due> {
        if let Some(key) = first_due(&self.deferred, now) {
            self.deferred.remove(&key);
            return Some(Due::Reset(key));
        }
        let key = first_due(&self.passes, now)?;
        self.passes.remove(&key);
        Some(Due::Pass(key))
    }

    /// A skip asks for a whole pass later, unless there was one less than a sync period ago.
    fn skipped(&mut self, key: &Key, now: Timestamp) {
        if self.processed.get(key, now).is_none() {
            self.defer(key, now);
        }
    }

    fn defer(&mut self, key: &Key, now: Timestamp) {
        self.processed.insert(key.clone(), (), now, self.sync_period);
        self.deferred.insert(key.clone(), after(now, DEFERRED + jitter(key)));
    }

    fn processed(&mut self, key: &Key, now: Timestamp) {
        if self.processed.get(key, now).is_none() {
            self.processed.insert(key.clone(), (), now, self.sync_period);
        }
    }

    fn failed(&mut self, key: &Key, now: Timestamp) {
        let failures = self.failures.entry(key.clone()).or_default();
        let pause = BACKOFF.saturating_mul(1_i32.checked_shl(*failures).unwrap_or(i32::MAX).max(1));
        *failures = failures.saturating_add(1).min(30);
        self.wake(key, after(now, pause.min(BACKOFF_MAX)));
    }
}

fn first_due(queue: &BTreeMap<Key, Timestamp>, now: Timestamp) -> Option<Key> {
    let due = queue.iter().filter(|(_, at)| **at <= now);
    due.min_by_key(|(_, at)| **at).map(|(key, _)| key.clone())
}

/// Nothing here is random: each binding has its own delay (FNV-1a of its name), equal in every run.
fn jitter((namespace, name): &Key) -> SignedDuration {
    let hash =
        namespace.bytes().chain(name.bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    SignedDuration::from_secs(i64::try_from(hash % JITTER_SECONDS).unwrap_or(0))
}

impl<A: Api> Controller<A> {
    /// Wakes a binding, as an event would that the model does not see by itself.
    pub fn wake(&self, namespace: &str, name: &str, now: Timestamp) {
        self.memory().queue.wake(&(namespace.to_owned(), name.to_owned()), now);
    }

    /// When something is due that no change of the world has to bring about: a retry, a requeue, a
    /// reset of a checkpoint or the resync.
    pub fn due(&self) -> Timestamp {
        let memory = self.memory();
        let queue = &memory.queue;
        queue.next().map_or(queue.resync_at, |next| next.min(queue.resync_at))
    }

    /// Looks at what the informers hold, and wakes the bindings whose part of it changed.
    ///
    /// # Errors
    ///
    /// Where that could not be read; nothing is woken then.
    pub async fn look(&self, now: Timestamp) -> Result<View, Failure> {
        let view = self.api.view().await?;
        let mut memory = self.memory();
        let resync = now >= memory.queue.resync_at;
        if resync {
            memory.queue.resync_at = after(now, memory.queue.sync_period);
        }
        let seen = memory.seen.take();
        for (key, binding) in &view.bindings {
            let is_woken =
                resync || seen.as_ref().is_none_or(|seen| concerns(binding, key, seen, &view));
            if is_woken {
                memory.queue.wake(key, now);
            }
        }
        memory.seen = Some(view.clone());
        Ok(view)
    }

    /// Looks, and does the one thing that is due first; none where nothing is.
    ///
    /// # Errors
    ///
    /// Where the world could not be looked at.
    pub async fn work(&self, now: Timestamp) -> Result<Option<Worked>, Failure> {
        let view = self.look(now).await?;
        let due = self.memory().queue.take(now);
        Ok(match due {
            None => None,
            Some(Due::Reset(key)) => Some(self.reset(key, now).await),
            Some(Due::Pass(key)) => Some(self.pass(&view, key, now).await),
        })
    }

    async fn pass(&self, view: &View, key: Key, now: Timestamp) -> Worked {
        let ended = self.reconcile(view, &key, now).await;
        let queue = &mut self.memory().queue;
        match &ended {
            Err(_) => queue.failed(&key, now),
            Ok(ended) => {
                queue.failures.remove(&key);
                match ended {
                    Ended::Skipped => queue.skipped(&key, now),
                    Ended::Done | Ended::CleanedUp => queue.processed(&key, now),
                    Ended::Gone | Ended::Waiting => {}
                }
                if let Some(pause) = ended.comes_back_after() {
                    queue.wake(&key, after(now, pause));
                }
            }
        }
        Worked { binding: key, ended: ended.map(Some) }
    }

    /// Empties the checkpoint of a binding that was skipped half an hour ago; the change of its
    /// annotation wakes it.
    async fn reset(&self, key: Key, now: Timestamp) -> Worked {
        let patch = Patch::Checkpoint { value: String::new(), at: now };
        let ended = match self.api.patch_binding(&key, &patch).await {
            Err(failure) if !failure.is_not_found() => {
                self.memory().queue.defer(&key, now);
                Err(failure)
            }
            Ok(()) | Err(_) => Ok(None),
        };
        Worked { binding: key, ended }
    }
}

/// Says whether a change between two looks is an event for a binding (3, Which events).
fn concerns(binding: &Binding, key: &Key, seen: &View, view: &View) -> bool {
    if seen.bindings.get(key) != Some(binding) {
        return true;
    }
    let service = view.service_key(binding);
    match binding.spec.target_type {
        Some(TargetType::Ip) => {
            seen.slices.get(&service) != view.slices.get(&service)
                || gates(binding, seen) != gates(binding, view)
        }
        Some(TargetType::Instance) => {
            seen.services.get(&service).map(|service| &service.ports)
                != view.services.get(&service).map(|service| &service.ports)
                || suitability(seen) != suitability(view)
        }
        None => false,
    }
}

fn gates(binding: &Binding, view: &View) -> Vec<(String, Option<bool>)> {
    let gate = gate_of(binding);
    let pods = view.gates.iter().filter(|(pod, _)| pod.namespace == binding.namespace);
    pods.filter_map(|(pod, gates)| Some((pod.name.clone(), *gates.get(&gate)?))).collect()
}

/// What decides whether a node is registered. The real one looks at what follows from it, and is
/// woken a little less often.
fn suitability(view: &View) -> Vec<Node> {
    let parts =
        |node: &Node| Node { provider_id: String::new(), addresses: Vec::new(), ..node.clone() };
    view.nodes.values().map(parts).collect()
}
