//! A pass over one binding, in the controller's order (`facts/lbc.md` 4).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::Controller;
use super::api::{Api, Failure, Key, Patch, View};
use super::memory::{Listed, Memory};
use crate::binding::{Binding, CHECKPOINT_ANNOTATION, TargetType};
use crate::checkpoint;
use crate::endpoints::{Endpoint, Endpoints};
use crate::target::Target;

/// How often a pass comes back for a readiness gate (`--targetgroupbinding-requeue-duration`).
const REQUEUE: SignedDuration = SignedDuration::from_secs(15);

/// How a pass ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The binding is gone, or was let go.
    Gone,
    /// The checkpoint was current: nothing was looked at.
    Skipped,
    /// The Service or its port is missing: everything of the binding's was taken out.
    CleanedUp,
    /// The pass went to its end, and left its checkpoint.
    Done,
    /// It comes back later: a readiness gate is not yet `True`.
    Waiting,
}

/// A pass over one binding.
pub(super) struct Pass<'a, A> {
    pub(super) controller: &'a Controller<A>,
    pub(super) view: &'a View,
    pub(super) key: &'a Key,
    pub(super) binding: &'a Binding,
    pub(super) now: Timestamp,
}

/// Endpoints and targets side by side, each by identifier: unmatched ones are handled in its order,
/// which is that of text (4, Matching).
pub(super) struct Matching<'a> {
    pub(super) matched: Vec<(&'a Target, &'a Endpoint, Listed)>,
    pub(super) endpoints: Vec<(&'a Target, &'a Endpoint)>,
    pub(super) targets: Vec<Listed>,
}

impl<'a> Matching<'a> {
    /// Targets that are draining do not count: one with a live endpoint is registered again, and one
    /// without is not deregistered twice.
    fn of(endpoints: &'a Endpoints, listed: &[Listed]) -> Self {
        let mut targets: BTreeMap<String, &Listed> = listed
            .iter()
            .filter(|listed| !listed.is_draining())
            .map(|listed| (listed.target.to_string(), listed))
            .collect();
        let by_text: BTreeMap<String, (&Target, &Endpoint)> = endpoints
            .desired
            .iter()
            .map(|(target, endpoint)| (target.to_string(), (target, endpoint)))
            .collect();
        let mut matching = Self { matched: Vec::new(), endpoints: Vec::new(), targets: Vec::new() };
        for (text, (target, endpoint)) in by_text {
            match targets.remove(&text) {
                Some(listed) => matching.matched.push((target, endpoint, listed.clone())),
                None => matching.endpoints.push((target, endpoint)),
            }
        }
        matching.targets = targets.into_values().cloned().collect();
        matching
    }
}

impl<A: Api> Controller<A> {
    /// Reconciles one binding, as its informers show it.
    pub(super) async fn reconcile(
        &self,
        view: &View,
        key: &Key,
        now: Timestamp,
    ) -> Result<Ended, Failure> {
        let Some(binding) = view.bindings.get(key) else { return Ok(Ended::Gone) };
        let pass = Pass { controller: self, view, key, binding, now };
        if binding.is_being_deleted() {
            if binding.has_finalizer {
                pass.clean_up().await?;
                self.api.patch_binding(key, &Patch::RemoveFinalizer).await?;
            }
            return Ok(Ended::Gone);
        }
        if !binding.has_finalizer {
            self.api.patch_binding(key, &Patch::AddFinalizer).await?;
        }
        pass.run().await
    }
}

impl<A: Api> Pass<'_, A> {
    pub(super) fn api(&self) -> &A {
        &self.controller.api
    }

    /// Looks at the memory, which no request may be made with.
    pub(super) fn remember<T>(&self, look: impl FnOnce(&mut Memory) -> T) -> T {
        look(&mut self.controller.memory())
    }

    async fn run(&self) -> Result<Ended, Failure> {
        let old = self.binding.annotations.get(CHECKPOINT_ANNOTATION).map_or("", String::as_str);
        let endpoints = match self.view.endpoints(self.binding) {
            Ok(endpoints) => endpoints,
            Err(unresolved) if unresolved.is_backend_missing() => {
                self.clean_up().await?;
                // Since 2.14: without it, the Service coming back as it was would be skipped (#4355).
                self.save("", old).await?;
                return Ok(Ended::CleanedUp);
            }
            Err(unresolved) => return Err(Failure::new("Unresolved", unresolved.to_string())),
        };
        let new = checkpoint::compute(&self.binding.spec, &endpoints);
        if new == old && !self.has_pending_gate(&endpoints) {
            return Ok(Ended::Skipped);
        }
        self.whole(&endpoints, &new, old).await
    }

    /// A whole pass: from the list of targets to the checkpoint.
    async fn whole(&self, endpoints: &Endpoints, new: &str, old: &str) -> Result<Ended, Failure> {
        let listed = self.list_targets().await?;
        let matching = Matching::of(endpoints, &listed);
        let changes = !matching.endpoints.is_empty() || !matching.targets.is_empty();
        if changes || self.waits_for_gate(&matching.matched) {
            // Foreign targets count as unmatched as well (2.2 a).
            self.save("", old).await?;
        }
        let mut write = false;
        if !matching.targets.is_empty() {
            write = self.deregister_tracked(matching.targets).await?;
        }
        let mut registered = Vec::new();
        if !matching.endpoints.is_empty() {
            // Before anything is registered, so that nothing is whose owner would be forgotten; after
            // the deregistrations, which needed the old entries (2.1, rule 1).
            write = false;
            self.write_ledger(true, endpoints).await?;
            registered = self.within_limit(matching.endpoints, listed.len())?;
            self.register(&registered).await?;
        }
        self.write_ledger(write, endpoints).await?;
        if self.update_gates(&matching.matched, &registered).await? {
            return Ok(Ended::Waiting);
        }
        self.save(new, old).await?;
        Ok(Ended::Done)
    }

    /// Takes as many endpoints as there is room for, the first ones by identifier. What is left out
    /// is in the ledger, and no reason to come back (4, max-targets).
    fn within_limit<'e>(
        &self,
        mut endpoints: Vec<(&'e Target, &'e Endpoint)>,
        listed: usize,
    ) -> Result<Vec<(&'e Target, &'e Endpoint)>, Failure> {
        let Some(max) = self.controller.flags.max_targets.filter(|max| *max > 0) else {
            return Ok(endpoints);
        };
        if endpoints.len() + listed > max {
            // The real one counts what is listed, draining and foreign targets too, and panics where
            // that is more than the limit already: the pass never ends.
            let room = max.checked_sub(listed).ok_or_else(|| {
                Failure::new("panic", "slice bounds out of range: more targets than the limit")
            })?;
            endpoints.truncate(room);
        }
        Ok(endpoints)
    }

    /// Writes the checkpoint, unless it is what it was when the pass began (2.2 b).
    async fn save(&self, value: &str, old: &str) -> Result<(), Failure> {
        if value == old {
            return Ok(());
        }
        let patch = Patch::Checkpoint { value: value.to_owned(), at: self.now };
        self.api().patch_binding(self.key, &patch).await
    }

    pub(super) fn is_ip(&self) -> bool {
        self.binding.spec.target_type == Some(TargetType::Ip)
    }
}

impl Ended {
    /// When the binding is looked at again without being woken, if it is.
    pub(super) fn comes_back_after(self) -> Option<SignedDuration> {
        (self == Self::Waiting).then_some(REQUEUE)
    }
}
