//! What was planned and done, as the document of `diff` and `reconcile`.

use std::collections::BTreeMap;

use super::{Open, unclaimed};
use crate::apply::{Done, GroupDone};
use crate::binding::BindingRef;
use crate::facts::{Aliveness, Facts};
use crate::findings::{self, Finding};
use crate::plan::{
    Action, BindingPlan, Blocked, BlockedReason, Plan, Request, Standing, Unrepaired, ViaChoice,
};
use crate::report::{
    API_VERSION, BindingReport, BlockedReport, LedgerReport, NudgeReport, Outcome, PlanReport,
    Reconcile, Step, StepResult, UnclaimedReport,
};
use crate::status;
use crate::stop::{STOPPED, Stop};
use crate::target::Target;
use crate::view::{self, GroupView};

/// The codes that explain what a reconcile leaves undone; the others are `status`'s to tell.
const TOLD_HERE: [&str; 4] = ["MCTG103", "MCTG112", "MCTG207", "MCTG305"];

pub(super) fn dry_run(facts: &Facts, plan: &Plan, request: &Request) -> Reconcile {
    let bindings =
        plan.bindings.iter().map(|plan| binding_report(plan, None, &Open::default())).collect();
    let unclaimed = plan.groups.iter().map(|plan| unclaimed::report(plan, None, true)).collect();
    document(facts, request, bindings, unclaimed, true)
}

pub(super) fn applied(
    facts: &Facts,
    plan: &Plan,
    request: &Request,
    done: &BTreeMap<BindingRef, Done>,
    open: &Open,
    pruned: &[GroupDone],
) -> Reconcile {
    let nothing_done = |plan: &BindingPlan| Done::nothing(plan.binding.clone());
    let bindings = plan
        .bindings
        .iter()
        .map(|plan| {
            let done = done.get(&plan.binding).cloned().unwrap_or_else(|| nothing_done(plan));
            binding_report(plan, Some(&done), open)
        })
        .collect();
    let unclaimed = plan.groups.iter().map(|plan| {
        unclaimed::report(plan, pruned.iter().find(|done| done.arn == plan.arn), false)
    });
    document(facts, request, bindings, unclaimed.collect(), false)
}

/// Tells what a run that was stopped has left.
///
/// That it was stopped is said once: what was not read for it is no finding, and time that was cut
/// short is none that is up.
pub(super) fn interrupt(report: &mut Reconcile, stop: &Stop) {
    if !stop.is_asked() {
        return;
    }
    (report.interrupted, report.timed_out) = (true, false);
    report.findings.retain(|finding| !finding.message.contains(STOPPED));
    let is_left = |step: &Step| {
        let error = step.error.as_deref().unwrap_or_default();
        step.result == StepResult::Skipped && error.contains(STOPPED)
    };
    if report.unclaimed.iter().flatten().flat_map(|group| &group.steps).any(is_left) {
        report.complete = false;
    }
    for binding in &mut report.bindings {
        if !binding.steps.iter().any(is_left) {
            let is_seen = |nudge: &NudgeReport| nudge.verified != Some(false);
            let is_open = binding.outcome == Outcome::Partial;
            if is_open && !binding.plan.nudge.as_ref().is_none_or(is_seen) {
                binding.reason = Some(format!("{STOPPED} before its controller's work was seen"));
            }
            continue;
        }
        report.complete = false;
        if !binding.steps.iter().any(|step| step.result == StepResult::Failed) {
            let acted = binding.steps.iter().any(|step| step.result == StepResult::Done);
            let (outcome, what) = if acted {
                (Outcome::Partial, "all of it")
            } else {
                (Outcome::Failed, "any of it")
            };
            binding.outcome = outcome;
            binding.reason = Some(format!("{STOPPED} before {what} was done"));
        }
    }
}

fn document(
    facts: &Facts,
    request: &Request,
    bindings: Vec<BindingReport>,
    unclaimed: Vec<UnclaimedReport>,
    dry_run: bool,
) -> Reconcile {
    let groups = view::groups(facts);
    let chosen: Vec<&GroupView<'_>> =
        groups.iter().filter(|g| request.selection.chooses_group(g)).collect();
    let mut findings = findings::diagnose(facts, &chosen, &request.selection);
    findings.retain(|finding| finding.is_incompleteness() || TOLD_HERE.contains(&finding.code));
    let unknown_controller = |binding: &BindingReport| {
        let cluster = facts.clusters.iter().find(|cluster| cluster.context == binding.context);
        let aliveness = cluster
            .map(|cluster| cluster.controller(crate::binding::Flavour::LoadBalancerController));
        // What was asked for directly was refused, which hides nothing.
        let left_over = request.via == ViaChoice::Auto && binding.outcome == Outcome::Deferred;
        left_over && aliveness == Some(Aliveness::Unknown)
    };
    let failed = |binding: &BindingReport| {
        binding.outcome == Outcome::Failed
            || binding.steps.iter().any(|step| step.result == StepResult::Failed)
    };
    let failed_group = |group: &UnclaimedReport| {
        group.outcome == Outcome::Failed
            || group.steps.iter().any(|step| step.result == StepResult::Failed)
    };
    Reconcile {
        api_version: API_VERSION,
        kind: "Reconcile",
        observed_at: facts.observed_at,
        dry_run,
        complete: !findings.iter().any(Finding::is_incompleteness)
            && !bindings.iter().any(|binding| failed(binding) || unknown_controller(binding))
            && !unclaimed.iter().any(failed_group),
        timed_out: bindings.iter().any(|binding| !binding.waiting_for.is_empty()),
        interrupted: false,
        demo: false,
        contexts: status::contexts(facts),
        bindings,
        unclaimed: request.prune.map(|_| unclaimed),
        findings,
    }
}

fn binding_report(plan: &BindingPlan, done: Option<&Done>, open: &Open) -> BindingReport {
    let mut blocked: Vec<&Blocked> = plan.blocked.iter().collect();
    blocked.extend(
        done.into_iter()
            .flat_map(|done| &done.blocked)
            .filter(|second| !plan.blocked.contains(second)),
    );
    let steps: Vec<Step> = done.map(|done| done.steps.clone()).unwrap_or_default();
    let nudged = done.and_then(|done| done.nudged.as_ref());
    let unrepaired = open.unrepaired.get(&plan.binding);
    let (outcome, reason) = match (unrepaired, outcome(plan, &blocked, done)) {
        (Some(open), _) => (Outcome::Partial, Some(left_open(open, &steps))),
        (None, (Outcome::Applied, None)) if nudged.is_some() && !open.waited => {
            let reason =
                "its controller was made to look again, and not waited for: the next run verifies";
            (Outcome::Applied, Some(reason.to_owned()))
        }
        (None, told) => told,
    };
    let initial = open.initial.get(&plan.binding).into_iter().flat_map(BTreeMap::keys);
    BindingReport {
        context: plan.binding.context.clone(),
        namespace: plan.binding.namespace.clone(),
        name: plan.binding.name.clone(),
        target_group_arn: plan.arn.clone(),
        via: plan.via,
        outcome,
        reason,
        plan: PlanReport {
            register: plan.register.keys().cloned().collect(),
            deregister: plan.deregister.iter().map(|listed| listed.target.clone()).collect(),
            ledger: plan.ledger.as_ref().map(|plan| LedgerReport {
                before: plan.before.as_ref().map(entries),
                after: plan.after.as_ref().map(entries),
            }),
            nudge: nudged.or(plan.nudge.as_ref()).map(|nudge| NudgeReport {
                register: nudge.register.iter().cloned().collect(),
                deregister: nudge.going().cloned().collect(),
                verified: nudged.map(|_| open.waited && unrepaired.is_none()),
            }),
            blocked: blocked.into_iter().map(blocked_report).collect(),
        },
        steps,
        waiting_for: unrepaired
            .into_iter()
            .flat_map(Unrepaired::targets)
            .chain(initial)
            .cloned()
            .collect(),
    }
}

/// What a controller did not do in time.
fn left_open(open: &Unrepaired, steps: &[Step]) -> String {
    let list = |targets: &std::collections::BTreeSet<Target>| entries(targets).join(", ");
    let mut left = Vec::new();
    if !open.register.is_empty() {
        left.push(format!("has not registered {}", list(&open.register)));
    }
    if !open.deregister.is_empty() {
        left.push(format!("has not deregistered {}", list(&open.deregister)));
    }
    let is_nudge = |step: &&Step| step.action == Action::Nudge && step.result == StepResult::Done;
    let times = match steps.iter().filter(is_nudge).count() {
        0 | 1 => "one nudge",
        _ => "two nudges",
    };
    format!("after {times} its controller {}: {}", left.join(" and "), open.why)
}

fn entries(targets: &std::collections::BTreeSet<Target>) -> Vec<String> {
    targets.iter().map(Target::to_string).collect()
}

pub(super) fn blocked_report(blocked: &Blocked) -> BlockedReport {
    let target = blocked.target.as_ref();
    BlockedReport {
        id: target.map(|target| target.id.clone()),
        port: target.map(|target| target.port),
        quic_server_id: target.and_then(|target| target.quic_server_id.clone()),
        action: blocked.action,
        reason: blocked.reason,
        waiting_on: blocked.waiting_on.clone(),
    }
}

/// How it ended, and why where that alone does not tell.
fn outcome(
    plan: &BindingPlan,
    blocked: &[&Blocked],
    done: Option<&Done>,
) -> (Outcome, Option<String>) {
    match &plan.standing {
        Standing::Skipped(reason) => return (Outcome::Skipped, Some(reason.clone())),
        Standing::Deferred(reason) if !blocked.is_empty() => {
            return (Outcome::Deferred, Some(reason.clone()));
        }
        Standing::Failed(reason) => return (Outcome::Failed, Some(reason.clone())),
        Standing::Ready | Standing::Deferred(_) => {}
    }
    let deferred = blocked.iter().any(|blocked| blocked.reason == BlockedReason::Deferred);
    let withheld = blocked.iter().any(|blocked| blocked.reason != BlockedReason::Unregistrable);
    let left_to_controller = || {
        let rest = "what is withheld is the controller's to do".to_owned();
        plan.obstacle.clone().unwrap_or(rest)
    };
    let Some(done) = done else {
        return match () {
            () if !plan.is_empty() => (Outcome::Planned, None),
            () if deferred => (Outcome::Deferred, Some(left_to_controller())),
            () if withheld => (Outcome::Partial, Some("all there is to do is withheld".to_owned())),
            () => (Outcome::InSync, None),
        };
    };
    let acted = done.steps.iter().any(|step| step.result == StepResult::Done);
    let undone = done.conflict || done.steps.iter().any(|step| step.result == StepResult::Failed);
    match () {
        () if undone && acted => (Outcome::Partial, first_error(done)),
        () if undone => (Outcome::Failed, first_error(done)),
        () if deferred => (Outcome::Deferred, Some(left_to_controller())),
        () if withheld && acted => (Outcome::Partial, Some("part of it is withheld".to_owned())),
        () if withheld => (Outcome::Partial, Some("all there is to do is withheld".to_owned())),
        () if acted => (Outcome::Applied, None),
        () => (Outcome::InSync, None),
    }
}

fn first_error(done: &Done) -> Option<String> {
    let conflict = || {
        done.conflict.then(|| {
            "somebody else kept writing its ledger; nothing more was done here, run again when they are through"
                .to_owned()
        })
    };
    done.steps
        .iter()
        .filter(|step| step.result == StepResult::Failed)
        .find_map(|step| step.error.clone())
        .or_else(conflict)
}
