//! Making a controller look again.

use std::collections::BTreeSet;

use super::{Done, Listener, Worker};
use crate::cluster::{Cluster, WriteError};
use crate::elbv2::LoadBalancers;
use crate::facts::{Silence, SilenceReason};
use crate::plan::{Action, BindingPlan, Blocked, BlockedReason, Nudge, Standing};
use crate::target::Target;

/// Nudges once more the controllers that `first` nudged, where `again` still calls for it.
pub(crate) async fn nudge_again<C: Cluster, L: LoadBalancers>(
    clusters: &[C],
    load_balancers: &L,
    first: &[&BindingPlan],
    again: &[BindingPlan],
    listener: Listener<'_>,
) -> Vec<Done> {
    let mut done = Vec::new();
    for plan in first {
        let Some(mut worker) = Worker::new(clusters, load_balancers, plan, listener) else {
            continue;
        };
        worker.nudge(again.iter().find(|again| again.binding == plan.binding)).await;
        done.push(worker.finish());
    }
    done
}

impl<C: Cluster, L: LoadBalancers> Worker<'_, C, L> {
    /// Nudges the controller, if the second reading predicts a pass too, and one that takes out
    /// nothing that was not planned.
    pub(super) async fn nudge(&mut self, second: Option<&BindingPlan>) {
        let Some(planned) = &self.plan.nudge else { return };
        let is_same = |second: &&BindingPlan| {
            second.standing == Standing::Ready
                && second.uid == self.plan.uid
                && second.arn == self.plan.arn
        };
        let Some(second) = second.filter(is_same).filter(|_| self.goes_on()) else { return };
        let Some(nudge) = &second.nudge else {
            let withheld = second.blocked.iter().filter(|it| it.action == Action::Nudge);
            self.done.blocked.extend(withheld.cloned());
            return;
        };
        let planned: BTreeSet<&Target> = planned.going().collect();
        let new: Vec<&Target> = nudge.going().filter(|target| !planned.contains(target)).collect();
        if !new.is_empty() {
            self.done.blocked.extend(new.into_iter().map(|target| Blocked {
                target: Some(target.clone()),
                action: Action::Nudge,
                reason: BlockedReason::Changed,
                waiting_on: None,
            }));
            return;
        }
        self.wake(nudge.clone()).await;
    }

    async fn wake(&mut self, nudge: Nudge) {
        let (binding, is_absent) = (&self.plan.binding, !nudge.removes_checkpoint);
        let told = self
            .cluster
            .nudge(&binding.namespace, &binding.name, &self.plan.uid, is_absent)
            .await
            .map_err(|error| match error {
                WriteError::Conflict => {
                    let message = "the binding was made anew in between: run again";
                    Silence::new(SilenceReason::NotFound, message)
                }
                WriteError::Failed(silence) => silence,
            });
        let targets = nudge.register.len() + nudge.deregister.len();
        if told.is_ok() {
            self.done.nudged = Some(nudge);
        }
        self.told(Action::Nudge, targets, told);
    }
}
