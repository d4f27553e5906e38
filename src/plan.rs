//! Facts in, plan out: what would make each binding's targets and ledger as they should be. Pure.
//!
//! The plan is complete before anything is changed, so printing it is a dry run; equal facts give
//! equal plans. Whatever is withheld is in it, with a typed reason. The rules are `product.md` 6.1.

mod binding;
mod claims;
mod controller;
mod finish;
mod floor;
mod guard;
pub(crate) mod predict;
mod prune;
mod unrepaired;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

pub use self::claims::Claims;
pub use self::finish::{Finish, finish};
pub(crate) use self::guard::{Unheard, unheard};
pub(crate) use self::predict::clean_up;
pub(crate) use self::prune::prunes_through;
pub use self::prune::{GroupFinish, GroupPlan, Prune, confirm};
pub use self::unrepaired::{Unrepaired, unrepaired};
use crate::binding::BindingRef;
use crate::elbv2::{Access, Registration};
use crate::facts::{Facts, Silence};
use crate::selection::Selection;
use crate::target::{Target, TargetDescription, TargetGroupArn};
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
    /// Whether targets that no cluster claims are taken out, and which; none leaves them alone.
    pub prune: Option<Prune>,
}

/// Who is asked to act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ViaChoice {
    /// This program where no controller is, else with care beside it (`product.md` 6.2).
    #[default]
    Auto,
    /// This program.
    Direct,
    /// The controller: everything by nudge.
    Controller,
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
    /// Where that was asked for, one entry for each chosen group with targets that no cluster is
    /// known to claim.
    pub groups: Vec<GroupPlan>,
    /// The contexts that were not read in full, and why: what is not planned for them may only not
    /// have been seen.
    pub silences: BTreeMap<String, Silence>,
    /// In a second reading: what observed bindings desire or track.
    pub claims: Claims,
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
    /// What the controller will do when it is made to look again; `None` where it is left alone.
    pub nudge: Option<Nudge>,
    /// Why no nudge would repair what is deferred; `None` where nothing is, or nothing stands in the
    /// way.
    pub obstacle: Option<String>,
    /// What is withheld.
    pub blocked: Vec<Blocked>,
}

/// Making the controller look again, and what its pass will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nudge {
    /// Whether the checkpoint annotation is there to be removed; else it is set to `""`.
    pub removes_checkpoint: bool,
    /// What the pass will register.
    pub register: BTreeSet<Target>,
    /// What the pass will deregister.
    pub deregister: Vec<TargetDescription>,
}

impl Nudge {
    /// The targets that the pass will deregister.
    pub fn going(&self) -> impl Iterator<Item = &Target> {
        self.deregister.iter().map(|listed| &listed.target)
    }
}

impl BindingPlan {
    /// Says whether the plan changes anything.
    pub fn is_empty(&self) -> bool {
        self.register.is_empty()
            && self.deregister.is_empty()
            && !self.ledger.as_ref().is_some_and(LedgerPlan::is_change)
            && !self.remove_finalizer
            && self.nudge.is_none()
    }

    /// Says whether anything is to be done after the second reading.
    pub fn has_second_half(&self) -> bool {
        !self.deregister.is_empty()
            || self.remove_finalizer
            || self.ledger.as_ref().is_some_and(LedgerPlan::loses)
            || self.nudge.is_some()
    }

    /// Says whether targets go by it, whoever takes them out.
    pub fn takes_out(&self) -> bool {
        let by_controller = |nudge: &Nudge| !nudge.deregister.is_empty();
        !self.deregister.is_empty() || self.nudge.as_ref().is_some_and(by_controller)
    }

    /// The targets that go by it, whoever takes them out.
    fn taken_out(&self) -> impl Iterator<Item = &Target> {
        let by_controller = self.nudge.iter().flat_map(Nudge::going);
        self.deregister.iter().map(|listed| &listed.target).chain(by_controller)
    }

    /// Says whether it registers past a controller that is or may be at work, whose ledger is not
    /// ours to write.
    pub fn is_beside_controller(&self) -> bool {
        self.ledger.is_none() && !self.register.is_empty()
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

    /// Withholds the nudge for the sake of what `is_meant` of its deregistrations; all the rest of the
    /// pass waits with it.
    fn withhold_nudge(&mut self, reason: BlockedReason, is_meant: impl Fn(&Target) -> bool) {
        let Some(nudge) = self.nudge.take() else { return };
        let going = nudge.deregister.into_iter().map(|listed| (listed.target, Action::Deregister));
        let coming = nudge.register.into_iter().map(|target| (target, Action::Register));
        self.blocked.extend(going.chain(coming).map(|(target, action)| {
            let meant = action == Action::Deregister && is_meant(&target);
            let (action, reason) = match meant {
                true => (Action::Nudge, reason),
                false => (action, BlockedReason::Deferred),
            };
            Blocked { target: Some(target), action, reason, waiting_on: None }
        }));
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
#[non_exhaustive]
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
    /// Make the controller look again, by its checkpoint.
    Nudge,
}

impl Action {
    /// Says it in words: `write the ledger`.
    pub fn as_words(self) -> &'static str {
        match self {
            Self::WriteLedger => "write the ledger",
            Self::DeleteLedger => "delete the ledger",
            Self::Register => "register",
            Self::Deregister => "deregister",
            Self::RemoveFinalizer => "remove the finalizer",
            Self::Nudge => "nudge the controller",
        }
    }
}

/// Why something is withheld (`product.md` 6.1, 6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
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
    /// No cluster claims the target, and it is not among those that fail for certain; only asked for
    /// expressly does it go.
    NotUnhealthy,
    /// No cluster claims the target, and it is in its first checks: whoever registers it has just
    /// done so.
    Initial,
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
        floor::keep_last_healthy(&groups, &mut plan);
    }
    if pass == Pass::Second {
        plan.claims = Claims::new(facts, &groups);
    }
    let silences = facts
        .clusters
        .iter()
        .filter_map(|cluster| Some((cluster.context.clone(), cluster.silence()?.clone())));
    plan.silences = silences.collect();
    plan.groups = prune::plan(facts, request, &groups, &plan.bindings);
    if let Some(only) = &request.only {
        plan.bindings.retain(|binding| only.contains(&binding.binding));
    }
    for binding in &mut plan.bindings {
        binding::settle(binding);
    }
    plan
}

impl Plan {
    /// Says whether targets go by it, whoever takes them out.
    pub fn deregisters(&self) -> bool {
        self.bindings.iter().any(BindingPlan::takes_out)
            || self.groups.iter().any(|group| !group.deregister.is_empty())
    }

    /// Withholds what would be registered past a controller and is not in `confirmed` too.
    pub fn narrow_registrations_to(&mut self, confirmed: &Self) {
        for binding in self.bindings.iter_mut().filter(|binding| binding.is_beside_controller()) {
            let again = confirmed.bindings.iter().find(|again| again.binding == binding.binding);
            let stays = |target: &Target| again.is_some_and(|it| it.register.contains_key(target));
            let (go, stay): (BTreeMap<_, _>, BTreeMap<_, _>) =
                std::mem::take(&mut binding.register)
                    .into_iter()
                    .partition(|(target, _)| stays(target));
            binding.register = go;
            binding.blocked.extend(stay.into_keys().map(|target| Blocked {
                target: Some(target),
                action: Action::Register,
                reason: BlockedReason::Changed,
                waiting_on: None,
            }));
        }
    }

    /// Withholds every deregistration that `approved` did not hold, a controller's too: what was not
    /// shown is not done.
    pub fn narrow_to(&mut self, approved: &Self) {
        prune::narrow(&mut self.groups, &approved.groups);
        for binding in &mut self.bindings {
            let shown = approved.bindings.iter().find(|shown| shown.binding == binding.binding);
            let predicted = shown.and_then(|shown| shown.nudge.as_ref());
            let predicted: BTreeSet<&Target> =
                predicted.into_iter().flat_map(Nudge::going).collect();
            if binding.nudge.as_ref().is_some_and(|it| !it.going().all(|t| predicted.contains(t))) {
                binding.withhold_nudge(BlockedReason::Changed, |it| !predicted.contains(it));
            }
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

#[cfg(test)]
mod tests;
