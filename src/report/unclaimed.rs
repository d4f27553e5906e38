//! What became of targets that no cluster claims.

use serde::Serialize;

use super::{BlockedReport, Claim, Outcome, Step};
use crate::plan::Via;
use crate::target::{TargetDescription, TargetGroupArn};

/// What became of the targets of one group that no cluster claims.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnclaimedReport {
    /// The group.
    pub target_group_arn: TargetGroupArn,
    /// The binding on whose behalf ELBv2 is called.
    pub on_behalf_of: Claim,
    /// Who acts: always this program.
    pub via: Via,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where the outcome alone does not tell.
    pub reason: Option<String>,
    /// What was planned.
    pub plan: UnclaimedPlan,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

/// What was planned for the targets of one group that no cluster claims.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UnclaimedPlan {
    /// Targets to deregister, as ELBv2 described them.
    pub deregister: Vec<TargetDescription>,
    /// What is withheld.
    pub blocked: Vec<BlockedReport>,
}
