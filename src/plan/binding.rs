//! The plan of one binding.

use std::collections::{BTreeMap, BTreeSet};

use super::controller;
use super::guard::{Fate, Guard};
use super::{
    Action, BindingPlan, Blocked, BlockedReason, LedgerPlan, Pass, Request, Standing, Via,
    ViaChoice,
};
use crate::binding::Flavour;
use crate::elbv2::Access;
use crate::endpoints::Unresolved;
use crate::facts::{Aliveness, BindingFacts, ClusterFacts, Facts, LedgerFault, SilenceReason};
use crate::ledger;
use crate::target::{HealthState, Target, TargetDescription};
use crate::view::{self, BindingView, GroupView};

/// Plans for a binding whose group is not known; none where it is not ours to reconcile anyway.
pub(super) fn without_group(cluster: &ClusterFacts, binding: &BindingFacts) -> Option<BindingPlan> {
    let reason = match &binding.group {
        Err(silence) => format!("its target group is not known: {silence}"),
        Ok(arn) => format!("its target group {arn} was not read"),
    };
    let standing = match not_ours(binding) {
        Some(standing) => standing,
        None => Standing::Failed(reason),
    };
    Some(empty(cluster, binding, standing))
}

/// Plans for one binding of a group.
pub(super) fn plan(
    facts: &Facts,
    request: &Request,
    pass: Pass,
    group: &GroupView<'_>,
    index: usize,
) -> BindingPlan {
    let binding = group.bindings[index];
    let mut plan = empty(binding.cluster, binding.facts, standing(request, group, &binding));
    if plan.standing != Standing::Ready && !matches!(plan.standing, Standing::Deferred(_)) {
        return plan;
    }
    let (Some(desired), Some(tracked)) = (binding.desired(), binding.tracked()) else {
        return plan;
    };
    plan.desired = desired.keys().cloned().collect();
    let guard = Guard::new(facts, request, pass, group, index);
    let work = Work { facts, request, group, binding, index, tracked };
    if matches!(plan.standing, Standing::Deferred(_)) || acts_beside_controller(request, &binding) {
        controller::plan(&work, &mut plan, &guard);
    } else {
        work.directly(&mut plan, &guard);
    }
    plan
}

/// Says whether another binding's ledger will have gained all it desires before any ledger loses.
pub(super) fn gains_ledger(request: &Request, group: &GroupView<'_>, index: usize) -> bool {
    let binding = group.bindings[index];
    request.contexts.contains(&binding.cluster.context)
        && request.selection.chooses(group, &binding)
        && standing(request, group, &binding) == Standing::Ready
        && !acts_beside_controller(request, &binding)
}

fn empty(cluster: &ClusterFacts, binding: &BindingFacts, standing: Standing) -> BindingPlan {
    let arn = binding.group.as_ref().ok().cloned();
    let alive = cluster.controller(binding.binding.flavour) == Aliveness::Alive;
    BindingPlan {
        binding: binding.reference(&cluster.context),
        uid: binding.binding.uid.clone(),
        access: arn
            .as_ref()
            .map(|arn| Access::of(&cluster.context, &binding.binding.spec, arn.region())),
        arn,
        via: if alive { Via::Controller } else { Via::Direct },
        standing,
        desired: BTreeSet::new(),
        register: BTreeMap::new(),
        deregister: Vec::new(),
        hand_over: BTreeSet::new(),
        ledger: None,
        remove_finalizer: false,
        nudge: None,
        obstacle: None,
        blocked: Vec::new(),
    }
}

pub(super) fn not_ours(binding: &BindingFacts) -> Option<Standing> {
    if binding.binding.flavour == Flavour::AutoMode {
        return Some(Standing::Skipped(
            "it is EKS Auto Mode's: read and reported, never written".to_owned(),
        ));
    }
    if !binding.binding.spec.multi_cluster_target_group {
        return Some(Standing::Skipped(
            "it is exclusive: its flag multiClusterTargetGroup is off".to_owned(),
        ));
    }
    None
}

/// Says whether a binding can be acted on: whose it is, what is known of it, who else acts.
fn standing(request: &Request, group: &GroupView<'_>, binding: &BindingView<'_>) -> Standing {
    if let Some(standing) = not_ours(binding.facts) {
        return standing;
    }
    let failed = |reason: String| Standing::Failed(reason);
    match &group.facts.group {
        Err(silence) if silence.reason == SilenceReason::NotFound => {
            return failed("its target group does not exist any more".to_owned());
        }
        Err(silence) => return failed(format!("its target group could not be read: {silence}")),
        Ok(_) => {}
    }
    if let Err(silence) = &group.facts.targets {
        return failed(format!("the targets of its group could not be read: {silence}"));
    }
    if let Err(fault) = &binding.facts.ledger {
        let text = crate::error::chain(fault);
        return match fault {
            LedgerFault::Silent(_) => failed(format!("its ledger could not be read: {text}")),
            LedgerFault::Invalid { .. } | LedgerFault::Immutable { .. } => failed(text),
        };
    }
    if binding.desired().is_none()
        && let Err(unresolved) = &binding.facts.endpoints
    {
        return match unresolved {
            Unresolved::Silent(silence) => {
                failed(format!("its endpoints could not be read in full: {silence}"))
            }
            other => failed(other.to_string()),
        };
    }
    let controller = binding.cluster.controller(binding.facts.binding.flavour);
    match (request.via, controller) {
        (ViaChoice::Direct, Aliveness::Alive | Aliveness::Unknown) if !request.force => {
            let state =
                if controller == Aliveness::Alive { "alive" } else { "not known to be absent" };
            Standing::Deferred(format!(
                "a controller is {state} here: it keeps its own ledger in memory and would overwrite ours; \
                 scale it to 0 first, or take that risk with --force"
            ))
        }
        (ViaChoice::Controller, Aliveness::Absent | Aliveness::Unknown) => Standing::Deferred(
            "no controller is known to be at work here that could be told to look again; \
             without --via this program acts itself where none is"
                .to_owned(),
        ),
        _ => Standing::Ready,
    }
}

/// Under `auto` almost everything is left to a controller that is or may be at work.
fn acts_beside_controller(request: &Request, binding: &BindingView<'_>) -> bool {
    let controller = binding.cluster.controller(binding.facts.binding.flavour);
    match request.via {
        ViaChoice::Auto => controller != Aliveness::Absent,
        ViaChoice::Controller => true,
        ViaChoice::Direct => false,
    }
}

/// What one binding's plan is made of.
pub(super) struct Work<'a> {
    pub(super) facts: &'a Facts,
    pub(super) request: &'a Request,
    pub(super) group: &'a GroupView<'a>,
    pub(super) binding: BindingView<'a>,
    pub(super) index: usize,
    pub(super) tracked: Option<&'a BTreeSet<Target>>,
}

/// A target that the binding desires, tracks, or both.
pub(super) struct Own<'a> {
    pub(super) target: &'a Target,
    pub(super) listed: Option<&'a TargetDescription>,
    pub(super) desired: bool,
    pub(super) tracked: bool,
}

impl<'a> Own<'a> {
    /// As ELBv2 lists it, where it is registered.
    pub(super) fn registered(&self) -> Option<&'a TargetDescription> {
        self.listed.filter(|listed| listed.is_registered())
    }
}

impl Work<'_> {
    /// Acts as the controller would, with the guards of `product.md` 6.1.
    fn directly(&self, plan: &mut BindingPlan, guard: &Guard<'_>) {
        for (target, zone) in self.missing(plan) {
            plan.register.insert(target, zone);
        }
        for listed in self.candidates() {
            match guard.judge(listed) {
                _ if self.is_pending(&listed.target) => {
                    plan.blocked.push(blocked(
                        &listed.target,
                        Action::Deregister,
                        BlockedReason::Pending,
                    ));
                }
                Fate::Deregister => plan.deregister.push(listed.clone()),
                Fate::HandOver => {
                    plan.hand_over.insert(listed.target.clone());
                }
                Fate::Blocked(reason, waiting_on) => {
                    plan.blocked.push(Blocked {
                        waiting_on,
                        ..blocked(&listed.target, Action::Deregister, reason)
                    });
                }
            }
        }
        self.keep_cap(plan);
        if !self.request.may_deregister {
            withhold_all(plan, BlockedReason::NeedsYes);
        }
        self.plan_ledger(plan);
    }

    /// The registrable targets that are not registered, each with its node's zone; those the group
    /// cannot take, and those too young to count, are named as blocked.
    pub(super) fn missing(&self, plan: &mut BindingPlan) -> Vec<(Target, Option<String>)> {
        let mut missing = Vec::new();
        for own in self.own().filter(|own| own.desired && own.registered().is_none()) {
            let target = own.target;
            let Some(endpoint) = self.binding.endpoint(target) else { continue };
            if endpoint.unregistrable.is_some() {
                plan.blocked.push(blocked(target, Action::Register, BlockedReason::Unregistrable));
            } else if self.is_pending(target) {
                plan.blocked.push(blocked(target, Action::Register, BlockedReason::Pending));
            } else {
                missing.push((target.clone(), endpoint.zone.clone()));
            }
        }
        missing
    }

    /// The targets that are tracked, registered and not desired.
    pub(super) fn candidates(&self) -> impl Iterator<Item = &TargetDescription> {
        self.own().filter(|own| !own.desired).filter_map(|own| own.registered())
    }

    /// What the binding desires or tracks, in one walk over the group: few bindings share one.
    pub(super) fn own(&self) -> impl Iterator<Item = Own<'_>> {
        self.group.targets.iter().filter_map(|(target, view)| {
            let desired = view.desired_by.contains(&self.index);
            let tracked = view.tracked_by.contains(&self.index);
            (desired || tracked).then_some(Own { target, listed: view.listed, desired, tracked })
        })
    }

    pub(super) fn is_pending(&self, target: &Target) -> bool {
        view::is_pending(self.facts.observed_at, &self.binding, target)
    }

    /// Withholds all deregistrations where more would go than allowed.
    fn keep_cap(&self, plan: &mut BindingPlan) {
        if self.is_over_cap(&plan.deregister) {
            withhold_all(plan, BlockedReason::Cap);
        }
    }

    /// Says whether more would go than allowed; targets that serve nobody (`unhealthy`, `unused`) do
    /// not count.
    pub(super) fn is_over_cap(&self, going: &[TargetDescription]) -> bool {
        let Some(cap) = self.request.max_deregister else { return false };
        let serves = |listed: &&TargetDescription| {
            !matches!(
                listed.health.state,
                HealthState::Unhealthy | HealthState::UnhealthyDraining | HealthState::Unused
            )
        };
        going.iter().filter(serves).count() > cap.of(self.tracked.map_or(0, BTreeSet::len))
    }

    /// Names the ledger, its first write, and what it would keep; [`settle`] finds its last write.
    fn plan_ledger(&self, plan: &mut BindingPlan) {
        let binding = &self.binding.facts.binding;
        let gone = binding.is_being_deleted() || self.binding.facts.endpoints.is_err();
        plan.remove_finalizer = binding.is_being_deleted() && binding.has_finalizer;
        if gone && self.tracked.is_none() {
            return;
        }
        let gain: BTreeSet<Target> = self.own().map(|own| own.target.clone()).collect();
        let bytes = ledger::format(&gain).len();
        if bytes > ledger::BYTES_MAX {
            let reason = format!(
                "its ledger would take {bytes} bytes, and a ConfigMap holds {} at the most: \
                 split the Service over several bindings",
                ledger::BYTES_MAX
            );
            *plan = empty(self.binding.cluster, self.binding.facts, Standing::Failed(reason));
            return;
        }
        let kept = self.own().filter(|own| own.desired || own.registered().is_some());
        let after = kept.map(|own| own.target.clone()).collect();
        let stored = self.binding.facts.ledger.as_ref().ok().and_then(Option::as_ref);
        plan.ledger = Some(LedgerPlan {
            name: ledger::name(binding.flavour, &binding.name),
            before: self.tracked.cloned(),
            version: stored.map(|ledger| ledger.version.clone()),
            gain,
            after: Some(after),
            goes_when_empty: gone,
        });
    }
}

/// Takes out of the ledger's last state what really goes, once every guard has spoken.
///
/// A ledger whose binding has no Service any more goes with its last entry, and only then the
/// controller's finalizer.
pub(super) fn settle(plan: &mut BindingPlan) {
    plan.blocked.sort_by(|a, b| (a.action, &a.target).cmp(&(b.action, &b.target)));
    let gone: BTreeSet<Target> = plan.going().cloned().collect();
    let Some(ledger) = &mut plan.ledger else { return };
    ledger.after = ledger.after.take().and_then(|after| ledger.without(after, &gone));
    plan.remove_finalizer &= ledger.after.is_none();
}

pub(super) fn blocked(target: &Target, action: Action, reason: BlockedReason) -> Blocked {
    Blocked { target: Some(target.clone()), action, reason, waiting_on: None }
}

fn withhold_all(plan: &mut BindingPlan, reason: BlockedReason) {
    let withheld = std::mem::take(&mut plan.deregister);
    plan.blocked
        .extend(withheld.iter().map(|listed| blocked(&listed.target, Action::Deregister, reason)));
}
