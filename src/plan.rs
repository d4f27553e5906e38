//! Facts in, plan out: what would make each binding's targets and ledger as they should be. Pure.
//!
//! The plan is complete before anything is changed, so printing it is a dry run; equal facts give
//! equal plans. Whatever is withheld is in it, with a typed reason. The rules are `product.md` 6.1.

mod binding;
mod finish;
mod guard;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use self::finish::{Finish, finish};
use crate::binding::BindingRef;
use crate::elbv2::{Access, Registration};
use crate::facts::Facts;
use crate::selection::Selection;
use crate::target::{HealthState, Target, TargetDescription, TargetGroupArn};
use crate::view::{self, GroupView};

/// What to plan for, and within which limits.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The contexts that may be written to.
    pub contexts: BTreeSet<String>,
    /// The bindings chosen in them.
    pub selection: Selection,
    /// Of these, only the ones listed here; none means all.
    pub only: Option<BTreeSet<BindingRef>>,
    /// Who is to act.
    pub via: ViaChoice,
    /// Whether to act beside a controller that is alive or not known to be absent.
    pub force: bool,
    /// Whether the last healthy target of a group may go.
    pub allow_empty: bool,
    /// How many of a binding's tracked targets may go in one run.
    pub max_deregister: Option<Cap>,
    /// Whether somebody said yes to deregistering.
    pub may_deregister: bool,
}

/// Who is asked to act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ViaChoice {
    /// This program where no controller is, else with care beside it (`product.md` 6.2).
    #[default]
    Auto,
    /// This program.
    Direct,
}

/// A limit on how many of a binding's tracked targets may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cap {
    /// So many.
    Count(usize),
    /// So many of a hundred, rounded down.
    Percent(usize),
}

impl Cap {
    /// The number of targets it allows, of so many tracked.
    pub fn of(self, tracked: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => tracked.saturating_mul(percent) / 100,
        }
    }
}

/// Which reading of the world a plan is made from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// Before the first change.
    First,
    /// After ledgers gained and targets were registered: nothing is taken on trust any more.
    Second,
}

/// What is to be done, binding by binding.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One entry for each binding chosen, by context, namespace and name.
    pub bindings: Vec<BindingPlan>,
}

/// What is to be done for one binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindingPlan {
    /// Which binding.
    pub binding: BindingRef,
    /// Its UID, so that no other binding of that name is taken for it.
    pub uid: String,
    /// Its target group; `None` where that is not known.
    pub arn: Option<TargetGroupArn>,
    /// On whose behalf ELBv2 is called.
    pub access: Option<Access>,
    /// Who acts.
    pub via: Via,
    /// Whether it can be acted on, and if not, why.
    pub standing: Standing,
    /// The desired targets, as they were when this was planned.
    pub desired: BTreeSet<Target>,
    /// What to register, with the zone to fall back to.
    pub register: BTreeMap<Target, Option<String>>,
    /// What to deregister, as ELBv2 described it.
    pub deregister: Vec<TargetDescription>,
    /// What leaves the ledger without a call, because another binding desires and tracks it.
    pub hand_over: BTreeSet<Target>,
    /// The ledger; `None` where there is none, and none is to be made.
    pub ledger: Option<LedgerPlan>,
    /// Whether the controller's finalizer goes at the end.
    pub remove_finalizer: bool,
    /// What is withheld.
    pub blocked: Vec<Blocked>,
    /// In a second reading: what observed bindings of the group desire or track, this one included;
    /// `None` where somebody who may desire its targets was not heard.
    pub claimed: Option<BTreeSet<Target>>,
}

impl BindingPlan {
    /// Says whether the plan changes anything.
    pub fn is_empty(&self) -> bool {
        self.register.is_empty()
            && self.deregister.is_empty()
            && !self.ledger.as_ref().is_some_and(LedgerPlan::is_change)
            && !self.remove_finalizer
    }

    /// Says whether anything is to be done after the second reading.
    pub fn has_second_half(&self) -> bool {
        !self.deregister.is_empty()
            || self.remove_finalizer
            || self.ledger.as_ref().is_some_and(LedgerPlan::loses)
    }

    /// What to register, in the order of the targets; no zone is given at first.
    pub fn registrations(&self) -> Vec<Registration> {
        let plain =
            |target: &Target| Registration { target: target.clone(), availability_zone: None };
        self.register.keys().map(plain).collect()
    }

    /// Withholds a deregistration after the ledger's last state was found: the target stays in it.
    fn keep(&mut self, target: Target, reason: BlockedReason) {
        if let Some(ledger) = &mut self.ledger {
            ledger.after.get_or_insert_default().insert(target.clone());
        }
        self.remove_finalizer = false;
        self.blocked.push(Blocked {
            target: Some(target),
            action: Action::Deregister,
            reason,
            waiting_on: None,
        });
    }

    /// The targets that leave the ledger: deregistered ones, and handed-over ones.
    fn going(&self) -> impl Iterator<Item = &Target> {
        self.deregister.iter().map(|listed| &listed.target).chain(&self.hand_over)
    }
}

/// A binding's ledger, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerPlan {
    /// The ConfigMap's name.
    pub name: String,
    /// What it tracks now; `None` where there is no ConfigMap.
    pub before: Option<BTreeSet<Target>>,
    /// The version that was read; `None` where there is no ConfigMap.
    pub version: Option<String>,
    /// What it tracks before anything is registered: all of before, and all that is desired.
    pub gain: BTreeSet<Target>,
    /// What it tracks in the end; `None`: the ConfigMap goes.
    pub after: Option<BTreeSet<Target>>,
    /// Whether the ConfigMap goes with its last entry, as the binding has no Service any more.
    pub goes_when_empty: bool,
}

impl LedgerPlan {
    /// Says whether the ledger is written before anything is registered.
    pub fn gains(&self) -> bool {
        self.before.as_ref() != Some(&self.gain)
    }

    /// Says whether the ledger is written or deleted at the end.
    pub fn loses(&self) -> bool {
        self.after.as_ref() != Some(&self.gain)
    }

    /// Says whether it does not stay as it is.
    pub fn is_change(&self) -> bool {
        self.before != self.after
    }

    /// What is left of some entries without those that went; `None`: the ConfigMap goes.
    fn without(
        &self,
        mut entries: BTreeSet<Target>,
        gone: &BTreeSet<Target>,
    ) -> Option<BTreeSet<Target>> {
        entries.retain(|target| !gone.contains(target));
        (!entries.is_empty() || !self.goes_when_empty).then_some(entries)
    }
}

/// Whether a binding can be acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can.
    Ready,
    /// It is not this program's to reconcile.
    Skipped(String),
    /// It is the controller's, or needs `--force`.
    Deferred(String),
    /// It cannot, because something is wrong or not known.
    Failed(String),
}

/// Something withheld, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Which target; `None` where it is about the ledger.
    pub target: Option<Target>,
    /// What is withheld.
    pub action: Action,
    /// Why.
    pub reason: BlockedReason,
    /// Whom it waits for.
    pub waiting_on: Option<String>,
}

/// Who makes the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Via {
    /// This program.
    Direct,
    /// The cluster's controller.
    Controller,
}

/// Something that can be done to a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Write the ledger.
    WriteLedger,
    /// Delete the ledger of a binding that has no Service any more.
    DeleteLedger,
    /// Register targets.
    Register,
    /// Deregister targets.
    Deregister,
    /// Take the finalizer off a binding that is being deleted.
    RemoveFinalizer,
}

/// Why something is withheld (`product.md` 6.1, 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BlockedReason {
    /// Another observed binding desires the target and does not track it.
    Contested,
    /// Somebody who may desire the target is silent, and nothing here holds its address any more.
    Silent,
    /// The target is healthy, nothing here holds its address, and other clusters are not observed.
    AnswersElsewhere,
    /// It is the group's last healthy target.
    LastHealthy,
    /// More than `--max-deregister` would go.
    Cap,
    /// Nobody said yes.
    NeedsYes,
    /// The difference is too young to count.
    Pending,
    /// It is the controller's to do.
    Deferred,
    /// The group cannot take the target.
    Unregistrable,
    /// The world changed between the two readings; the next run judges again.
    Changed,
}

/// Plans the changes that make every chosen binding's targets and ledger as they should be.
///
/// # Laws
///
/// A target is deregistered only if the binding's own ledger tracks it and no observed binding
/// desires it; while a cluster that may desire it is silent, it stays unless its address is proven
/// to be this cluster's. The last healthy target of a group stays.
pub fn plan(facts: &Facts, request: &Request, pass: Pass) -> Plan {
    let groups = view::groups(facts);
    let mut plan = Plan::default();
    for cluster in
        facts.clusters.iter().filter(|cluster| request.contexts.contains(&cluster.context))
    {
        for binding in cluster.bindings() {
            let arn = binding.group.as_ref().ok();
            match arn.and_then(|arn| position(&groups, arn)).map(|at| &groups[at]) {
                Some(group) => {
                    let chosen = group.bindings.iter().position(|candidate| {
                        std::ptr::eq(candidate.facts, binding)
                            && request.selection.chooses(group, candidate)
                    });
                    plan.bindings.extend(
                        chosen.map(|index| binding::plan(facts, request, pass, group, index)),
                    );
                }
                None if request.selection.chooses_by_name(&binding.binding, arn) => {
                    plan.bindings.extend(binding::without_group(cluster, binding));
                }
                None => {}
            }
        }
    }
    plan.bindings.sort_by(|a, b| a.binding.cmp(&b.binding));
    if !request.allow_empty {
        let mut letting_go: Vec<Vec<&mut BindingPlan>> = groups.iter().map(|_| vec![]).collect();
        for binding in plan.bindings.iter_mut().filter(|it| !it.deregister.is_empty()) {
            if let Some(at) = binding.arn.as_ref().and_then(|arn| position(&groups, arn)) {
                letting_go[at].push(binding);
            }
        }
        for (group, bindings) in groups.iter().zip(letting_go) {
            keep_last_healthy(group, bindings);
        }
    }
    if let Some(only) = &request.only {
        plan.bindings.retain(|binding| only.contains(&binding.binding));
    }
    for binding in &mut plan.bindings {
        binding::settle(binding);
    }
    plan
}

impl Plan {
    /// Withholds every deregistration that `approved` did not hold: what was not shown is not done.
    pub fn narrow_to(&mut self, approved: &Self) {
        for binding in &mut self.bindings {
            let shown = approved.bindings.iter().find(|shown| shown.binding == binding.binding);
            let shown: BTreeSet<&Target> = shown
                .into_iter()
                .flat_map(|shown| &shown.deregister)
                .map(|listed| &listed.target)
                .collect();
            let (go, stay): (Vec<_>, Vec<_>) = std::mem::take(&mut binding.deregister)
                .into_iter()
                .partition(|listed| shown.contains(&listed.target));
            binding.deregister = go;
            for listed in stay {
                binding.keep(listed.target, BlockedReason::Changed);
            }
        }
    }
}

/// Finds a group: they are sorted by ARN.
fn position(groups: &[GroupView<'_>], arn: &TargetGroupArn) -> Option<usize> {
    groups.binary_search_by_key(&arn, |group| group.arn).ok()
}

/// Withholds the deregistration that would take a group's last healthy target, counted over the
/// whole run: `bindings` are all those of the group that would let go of one.
fn keep_last_healthy(group: &GroupView<'_>, bindings: Vec<&mut BindingPlan>) {
    if bindings.is_empty() {
        return;
    }
    let mut left = group.healthy().count();
    // Two bindings may let go of one target.
    let mut going = BTreeSet::new();
    for binding in bindings {
        let (go, stay): (Vec<_>, Vec<_>) =
            std::mem::take(&mut binding.deregister).into_iter().partition(|target| {
                let healthy = target.health.state == HealthState::Healthy;
                let counts = healthy && !going.contains(&target.target);
                let last = counts && left == 1;
                if counts && !last {
                    left -= 1;
                    going.insert(target.target.clone());
                }
                !last
            });
        binding.deregister = go;
        binding.blocked.extend(stay.into_iter().map(|target| Blocked {
            target: Some(target.target),
            action: Action::Deregister,
            reason: BlockedReason::LastHealthy,
            waiting_on: None,
        }));
    }
}

#[cfg(test)]
mod tests;
