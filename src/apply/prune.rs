//! Takes out what no cluster claims. No ledger is concerned, so that nothing is to be written.

use std::collections::BTreeSet;

use super::{Listener, Progress, targets};
use crate::elbv2::LoadBalancers;
use crate::facts::{Silence, SilenceReason};
use crate::plan::{self, Action, Blocked, GroupPlan, Via};
use crate::report::{Step, StepResult};
use crate::stop::Unheard;
use crate::target::{Target, TargetGroupArn};

/// What was done about the targets of one group that no cluster claims.
#[derive(Clone, Debug)]
#[must_use = "it says what was and what was not done"]
pub struct GroupDone {
    /// Which group.
    pub arn: TargetGroupArn,
    /// What was done or tried, in order: a line for what went, one for each call that failed.
    pub steps: Vec<Step>,
    /// What was deregistered.
    pub deregistered: BTreeSet<Target>,
    /// What the second reading withheld.
    pub blocked: Vec<Blocked>,
}

/// Deregisters what both plans deregister. A group that fails does not stop the next.
pub async fn prune<L: LoadBalancers>(
    load_balancers: &L,
    first: &[GroupPlan],
    second: &[GroupPlan],
    listener: Listener<'_>,
) -> Vec<GroupDone> {
    let mut all = Vec::new();
    for group in first.iter().filter(|group| !group.deregister.is_empty()) {
        let mut done = GroupDone {
            arn: group.arn.clone(),
            steps: Vec::new(),
            deregistered: BTreeSet::new(),
            blocked: Vec::new(),
        };
        let again = second.iter().find(|second| second.arn == group.arn);
        match plan::confirm(group, again) {
            Ok(finish) => {
                done.blocked = finish.blocked;
                let calls = targets::deregister(
                    load_balancers,
                    &group.access,
                    &group.arn,
                    &finish.deregister,
                )
                .await;
                if !calls.done.is_empty() {
                    done.told(calls.done.len(), None, listener);
                }
                for failure in calls.failures {
                    done.told(failure.targets.len(), Some(failure.error), listener);
                }
                done.deregistered = calls.done;
            }
            Err(reason) => {
                let message =
                    format!("not done, for the world read again does not confirm it: {reason}");
                let silence = match load_balancers.is_closed() {
                    true => Unheard::NotMade.silence(true),
                    false => Silence::new(SilenceReason::NotAsked, message),
                };
                done.told(group.deregister.len(), Some(silence), listener);
            }
        }
        all.push(done);
    }
    all
}

impl GroupDone {
    fn told(&mut self, targets: usize, error: Option<Silence>, listener: Listener<'_>) {
        let result = match &error {
            None => StepResult::Done,
            // Nothing can have come of what was not even tried.
            Some(silence) if silence.is_stop() => StepResult::Skipped,
            Some(_) => StepResult::Failed,
        };
        let error = error.map(|silence| silence.message);
        let step = Step { action: Action::Deregister, via: Via::Direct, targets, result, error };
        listener(Progress::GroupStep(&self.arn, &step));
        self.steps.push(step);
    }
}
