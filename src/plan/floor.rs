//! The floor: a group's last healthy target stays.

use std::collections::BTreeSet;

use super::{Action, BindingPlan, Blocked, BlockedReason, Plan, position};
use crate::target::{HealthState, Target, TargetDescription};
use crate::view::GroupView;

/// Withholds every deregistration that would take a group's last healthy target, counted over the
/// whole run.
pub(super) fn keep_last_healthy(groups: &[GroupView<'_>], plan: &mut Plan) {
    let mut letting_go: Vec<Vec<&mut BindingPlan>> = groups.iter().map(|_| vec![]).collect();
    for binding in plan.bindings.iter_mut().filter(|binding| binding.takes_out()) {
        if let Some(at) = binding.arn.as_ref().and_then(|arn| position(groups, arn)) {
            letting_go[at].push(binding);
        }
    }
    for (group, bindings) in groups.iter().zip(letting_go) {
        if bindings.is_empty() {
            continue;
        }
        let mut left = group.healthy().count();
        // Two bindings may let go of one target.
        let mut going = BTreeSet::new();
        for binding in bindings {
            keep_last(binding, &mut left, &mut going);
            keep_from_controller(binding, &mut left, &mut going);
        }
    }
}

fn keep_last(binding: &mut BindingPlan, left: &mut usize, going: &mut BTreeSet<Target>) {
    let (go, stay): (Vec<_>, Vec<_>) =
        std::mem::take(&mut binding.deregister).into_iter().partition(|target| {
            let counts = is_healthy(target) && !going.contains(&target.target);
            let last = counts && *left == 1;
            if counts && !last {
                *left -= 1;
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

/// A controller's pass is withheld as a whole: nobody can tell it to leave one target.
fn keep_from_controller(binding: &mut BindingPlan, left: &mut usize, going: &mut BTreeSet<Target>) {
    let Some(nudge) = &binding.nudge else { return };
    let counted = nudge.deregister.iter().filter(|listed| is_healthy(listed));
    let counted: Vec<Target> =
        counted.map(|listed| listed.target.clone()).filter(|t| !going.contains(t)).collect();
    if !counted.is_empty() && counted.len() >= *left {
        binding.withhold_nudge(BlockedReason::LastHealthy, |target| counted.contains(target));
    } else {
        *left -= counted.len();
        going.extend(counted);
    }
}

fn is_healthy(listed: &TargetDescription) -> bool {
    listed.health.state == HealthState::Healthy
}
