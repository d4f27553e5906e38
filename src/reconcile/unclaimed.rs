//! What was planned and done about targets that no cluster claims, as part of the document.

use super::report::blocked_report;
use crate::apply::GroupDone;
use crate::plan::{Blocked, BlockedReason, GroupPlan, Standing, Via};
use crate::report::{Claim, Outcome, StepResult, UnclaimedPlan, UnclaimedReport};

/// Writes the entry of one group; `done` is none where nothing was tried.
pub(super) fn report(plan: &GroupPlan, done: Option<&GroupDone>, dry_run: bool) -> UnclaimedReport {
    let mut blocked: Vec<&Blocked> = plan.blocked.iter().collect();
    blocked.extend(done.into_iter().flat_map(|done| &done.blocked));
    let (outcome, reason) = outcome(plan, &blocked, done, dry_run);
    let binding = &plan.on_behalf_of;
    UnclaimedReport {
        target_group_arn: plan.arn.clone(),
        on_behalf_of: Claim {
            context: binding.context.clone(),
            namespace: binding.namespace.clone(),
            binding: binding.name.clone(),
        },
        via: Via::Direct,
        outcome,
        reason,
        plan: UnclaimedPlan {
            deregister: plan.deregister.clone(),
            blocked: blocked.into_iter().map(blocked_report).collect(),
        },
        steps: done.map(|done| done.steps.clone()).unwrap_or_default(),
    }
}

fn outcome(
    plan: &GroupPlan,
    blocked: &[&Blocked],
    done: Option<&GroupDone>,
    dry_run: bool,
) -> (Outcome, Option<String>) {
    if let Standing::Failed(reason) = &plan.standing {
        return (Outcome::Failed, Some(reason.clone()));
    }
    let steps = done.map(|done| done.steps.as_slice()).unwrap_or_default();
    let acted = steps.iter().any(|step| step.result == StepResult::Done);
    let failed = steps.iter().find(|step| step.result == StepResult::Failed);
    let asked_for =
        |reason| !matches!(reason, BlockedReason::NotUnhealthy | BlockedReason::Initial);
    let withheld = blocked.iter().any(|blocked| asked_for(blocked.reason));
    match () {
        () if failed.is_some() => {
            let outcome = if acted { Outcome::Partial } else { Outcome::Failed };
            (outcome, failed.and_then(|step| step.error.clone()))
        }
        () if dry_run && !plan.deregister.is_empty() => (Outcome::Planned, plan.not_known.clone()),
        () if withheld => {
            let part =
                if acted { "part of it is withheld" } else { "all there is to do is withheld" };
            (Outcome::Partial, Some(plan.not_known.clone().unwrap_or_else(|| part.to_owned())))
        }
        () if acted => (Outcome::Applied, None),
        () => (Outcome::Skipped, Some("all of these stay unless expressly asked for".to_owned())),
    }
}
