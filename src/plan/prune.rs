//! What becomes of targets that no cluster claims, group by group (`product.md` 6.2).
//!
//! Only where somebody asked for it. What no cluster claims is unclaimed, never assumed leaked: it
//! goes where everything that could claim it was read or is gone for good, and by default only
//! where it serves nobody for certain.

use std::collections::BTreeSet;

use super::{Action, BindingPlan, Blocked, BlockedReason, Request, Standing, binding};
use crate::binding::BindingRef;
use crate::class::Class;
use crate::elbv2::Access;
use crate::facts::{Facts, SilenceReason};
use crate::owner;
use crate::target::{HealthState, Target, TargetDescription, TargetGroupArn};
use crate::view::{BindingView, GroupView, TargetView};

/// AWS's reason for an instance that is stopped or terminated (ELBv2 API, `TargetHealth`).
const INVALID_STATE: &str = "Target.InvalidState";

/// Which targets that no cluster claims are taken out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prune {
    /// Not only those that are `unhealthy` or `unused/Target.InvalidState`, but all that are past
    /// their first checks.
    pub include_healthy: bool,
}

/// What is to be done about the targets of one group that no cluster claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupPlan {
    /// Which group.
    pub arn: TargetGroupArn,
    /// The binding on whose behalf ELBv2 is called.
    pub on_behalf_of: BindingRef,
    /// Its access.
    pub access: Access,
    /// Whether the group could be looked at.
    pub standing: Standing,
    /// What to deregister, as ELBv2 described it.
    pub deregister: Vec<TargetDescription>,
    /// What is withheld.
    pub blocked: Vec<Blocked>,
    /// Why nobody can say that a target is unclaimed, where that is so.
    pub not_known: Option<String>,
}

/// What is left of a [`GroupPlan`] after the second reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFinish {
    /// What both plans deregister, as ELBv2 described it last.
    pub deregister: Vec<TargetDescription>,
    /// What the second plan withholds of the first.
    pub blocked: Vec<Blocked>,
}

/// Plans for every group that an acting binding leads to.
///
/// A later round of a run, for bindings that somebody else wrote to, leaves them alone.
pub(super) fn plan(
    facts: &Facts,
    request: &Request,
    groups: &[GroupView<'_>],
    bindings: &[BindingPlan],
) -> Vec<GroupPlan> {
    let Some(prune) = request.prune.filter(|_| request.only.is_none()) else { return Vec::new() };
    let plans = groups.iter().filter_map(|group| {
        let acting = acting(request, group)?;
        of_group(facts, request, prune, group, &acting, bindings)
    });
    plans.collect()
}

/// Joins the plan that was shown with the plan of the second reading.
///
/// # Errors
///
/// Why the second reading does not bear the first out at all.
pub fn confirm(first: &GroupPlan, second: Option<&GroupPlan>) -> Result<GroupFinish, String> {
    if let Some(Standing::Failed(reason)) = second.map(|second| &second.standing) {
        return Err(reason.clone());
    }
    let again = second.map(|second| second.deregister.as_slice()).unwrap_or_default();
    let withheld = second.map(|second| second.blocked.as_slice()).unwrap_or_default();
    let mut finish = GroupFinish { deregister: Vec::new(), blocked: Vec::new() };
    for planned in &first.deregister {
        let same = |target: &Target| *target == planned.target;
        if let Some(listed) = again.iter().find(|listed| same(&listed.target)) {
            finish.deregister.push(listed.clone());
        } else {
            let why = withheld.iter().find(|blocked| blocked.target.as_ref().is_some_and(same));
            let changed = || blocked(&planned.target, BlockedReason::Changed);
            finish.blocked.push(why.cloned().unwrap_or_else(changed));
        }
    }
    Ok(finish)
}

/// The first binding on whose behalf a run over these contexts would take unclaimed targets out;
/// none where it would take out nothing.
pub(crate) fn prunes_through<'a>(facts: &Facts, group: &GroupView<'a>) -> Option<BindingView<'a>> {
    let goes = |view: &TargetView<'_>| {
        let listed = nobodys(view).filter(|_| view.class == Class::Unclaimed);
        listed.is_some_and(|listed| stays(Prune::default(), listed).is_none())
    };
    let acts = |binding: &&BindingView<'_>| binding::not_ours(binding.facts).is_none();
    let any = group.targets.values().any(goes) && unheard(facts, group).is_none();
    group.bindings.iter().find(acts).filter(|_| any).copied()
}

/// Withholds every deregistration that `approved` did not hold.
pub(super) fn narrow(groups: &mut [GroupPlan], approved: &[GroupPlan]) {
    for group in groups {
        let shown = approved.iter().find(|shown| shown.arn == group.arn);
        let shown = shown.map(|shown| shown.deregister.as_slice()).unwrap_or_default();
        group.withhold(BlockedReason::Changed, |listed| {
            !shown.iter().any(|shown| shown.target == listed.target)
        });
    }
}

/// The binding on whose behalf a group is pruned: the first that this run may act for at all.
fn acting<'a>(request: &Request, group: &GroupView<'a>) -> Option<BindingView<'a>> {
    let acts = |binding: &&BindingView<'_>| {
        request.contexts.contains(&binding.cluster.context)
            && request.selection.chooses(group, binding)
            && binding::not_ours(binding.facts).is_none()
    };
    group.bindings.iter().find(acts).copied()
}

fn of_group(
    facts: &Facts,
    request: &Request,
    prune: Prune,
    group: &GroupView<'_>,
    acting: &BindingView<'_>,
    bindings: &[BindingPlan],
) -> Option<GroupPlan> {
    let mut plan = GroupPlan {
        arn: group.arn.clone(),
        on_behalf_of: acting.reference(),
        access: Access::of(&acting.cluster.context, &acting.facts.binding.spec, group.arn.region()),
        standing: Standing::Ready,
        deregister: Vec::new(),
        blocked: Vec::new(),
        not_known: None,
    };
    match &group.facts.targets {
        Ok(_) => {}
        // What does not exist holds nothing.
        Err(silence) if silence.reason == SilenceReason::NotFound => return None,
        Err(silence) => {
            plan.standing = Standing::Failed(format!("its targets could not be read: {silence}"));
            return Some(plan);
        }
    }
    let unheard = unheard(facts, group);
    for view in group.targets.values() {
        let Some(listed) = nobodys(view) else { continue };
        let known = unheard.is_none() && view.class == Class::Unclaimed;
        match stays(prune, listed) {
            None if known => plan.deregister.push(listed.clone()),
            None => plan.blocked.push(Blocked {
                waiting_on: unheard.as_ref().and_then(|unheard| unheard.whom.clone()),
                ..blocked(&listed.target, BlockedReason::Silent)
            }),
            Some(reason) if known => plan.blocked.push(blocked(&listed.target, reason)),
            // It may well be somebody's, and nobody asked to take it out.
            Some(_) => {}
        }
    }
    let is_silent = plan.blocked.iter().any(|blocked| blocked.reason == BlockedReason::Silent);
    plan.not_known = unheard.map(|unheard| unheard.why).filter(|_| is_silent);
    if plan.deregister.is_empty() && plan.blocked.is_empty() {
        return None;
    }
    plan.keep_limits(request, group, bindings);
    plan.blocked.sort_by(|a, b| a.target.cmp(&b.target));
    Some(plan)
}

/// A target as ELBv2 lists it, where it is registered and nobody is known to desire or track it.
fn nobodys<'a>(view: &TargetView<'a>) -> Option<&'a TargetDescription> {
    let claimed = !view.desired_by.is_empty() || !view.tracked_by.is_empty();
    view.listed.filter(|listed| listed.is_registered() && !claimed)
}

/// Why a target stays although no cluster claims it; `None`: it goes.
fn stays(prune: Prune, listed: &TargetDescription) -> Option<BlockedReason> {
    let reason = listed.health.reason.as_deref();
    match &listed.health.state {
        HealthState::Initial => Some(BlockedReason::Initial),
        HealthState::Unhealthy | HealthState::UnhealthyDraining => None,
        HealthState::Unused if reason == Some(INVALID_STATE) => None,
        _ if prune.include_healthy => None,
        _ => Some(BlockedReason::NotUnhealthy),
    }
}

/// Who may claim targets of the group and was not heard.
struct Unheard {
    /// A context, a binding, or the group's owner; none where nobody in particular is missing.
    whom: Option<String>,
    why: String,
}

/// Finds who may claim targets of the group and was not heard: a context that was left out or is
/// silent in part, a binding whose endpoints, ledger or group are not known, an owner that was not
/// read.
fn unheard(facts: &Facts, group: &GroupView<'_>) -> Option<Unheard> {
    let someone =
        |whom: String, why: &str| Unheard { why: format!("{whom} {why}"), whom: Some(whom) };
    let nobody = |why: &str| Unheard { whom: None, why: why.to_owned() };
    if let Some(context) = facts.left_out.first() {
        return Some(someone(context.clone(), "was not read"));
    }
    if facts.narrowed {
        return Some(nobody("not every context of the kubeconfig was read"));
    }
    if let Some(cluster) = facts.clusters.iter().find(|cluster| !cluster.is_read_in_full()) {
        return Some(someone(cluster.context.clone(), "could not be read in full"));
    }
    let unread =
        |binding: &&BindingView<'_>| binding.desired().is_none() || binding.tracked().is_none();
    if let Some(binding) = group.bindings.iter().find(unread) {
        let why = "may claim it, and its endpoints or its ledger could not be read";
        return Some(someone(binding.reference().to_string(), why));
    }
    for cluster in &facts.clusters {
        if let Some(binding) = cluster.bindings().find(|binding| binding.may_name(group.arn)) {
            let why = "may claim it, and its target group is not known";
            return Some(someone(binding.reference(&cluster.context).to_string(), why));
        }
    }
    if !facts.is_complete_for(group.arn) {
        return Some(nobody(
            "only one cluster was read, and what it does not claim may be another's",
        ));
    }
    match owner::standing(facts, group) {
        owner::Standing::Read(_) | owner::Standing::Lost(_) => None,
        owner::Standing::NotRead(name) => {
            Some(someone(name, "owns the group, and is not among the contexts that were read"))
        }
        owner::Standing::NotKnown => group.facts.tags.as_ref().err().map(|silence| {
            nobody(&format!("the group's tags, which name its owner, could not be read: {silence}"))
        }),
    }
}

impl GroupPlan {
    /// Keeps the cap, the need for somebody's yes, and the floor.
    ///
    /// Unlike in a binding's cap every target counts: here health is what chooses them.
    fn keep_limits(&mut self, request: &Request, group: &GroupView<'_>, bindings: &[BindingPlan]) {
        let registered = group.targets.values().filter(|view| view.is_registered()).count();
        if request.max_deregister.is_some_and(|cap| self.deregister.len() > cap.of(registered)) {
            self.withhold(BlockedReason::Cap, |_| true);
        }
        if !request.may_deregister {
            self.withhold(BlockedReason::NeedsYes, |_| true);
        }
        if request.allow_empty {
            return;
        }
        let of_group = bindings.iter().filter(|binding| binding.arn.as_ref() == Some(group.arn));
        // Whoever takes them out.
        let going: BTreeSet<&Target> = of_group.flat_map(BindingPlan::taken_out).collect();
        let mut left = group.healthy().filter(|(target, _)| !going.contains(target)).count();
        self.withhold(BlockedReason::LastHealthy, |listed| {
            let counts = listed.health.state == HealthState::Healthy;
            let last = counts && left <= 1;
            if counts && !last {
                left -= 1;
            }
            last
        });
    }

    /// Withholds what is to be kept.
    fn withhold(
        &mut self,
        reason: BlockedReason,
        mut keeps: impl FnMut(&TargetDescription) -> bool,
    ) {
        let (stay, go): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.deregister).into_iter().partition(|listed| keeps(listed));
        self.deregister = go;
        self.blocked.extend(stay.iter().map(|listed| blocked(&listed.target, reason)));
    }
}

fn blocked(target: &Target, reason: BlockedReason) -> Blocked {
    Blocked { target: Some(target.clone()), action: Action::Deregister, reason, waiting_on: None }
}

#[cfg(test)]
mod tests;
