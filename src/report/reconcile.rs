//! The document of `diff` and `reconcile`.

use jiff::Timestamp;
use serde::Serialize;

use super::{ContextReport, UnclaimedReport, is_false};
use crate::findings::Finding;
use crate::plan::{Action, BlockedReason, Via};
use crate::target::{Target, TargetGroupArn};

/// The document of `diff` and `reconcile`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use = "the report says what was and what was not done"]
pub struct Reconcile {
    /// [`API_VERSION`](super::API_VERSION).
    pub api_version: &'static str,
    /// `Reconcile`.
    pub kind: &'static str,
    /// When the first observation ended.
    pub observed_at: Timestamp,
    /// Whether this is a plan that was printed instead of applied.
    pub dry_run: bool,
    /// Whether everything needed could be read and done.
    pub complete: bool,
    /// Whether time ran out while a controller had not done its part, or targets were in their first
    /// checks; leads to exit code 124.
    pub timed_out: bool,
    /// Whether the run was asked to stop before it was through; leads to exit code 130.
    pub interrupted: bool,
    /// Whether the world is simulated; left out where it is not.
    #[serde(skip_serializing_if = "is_false")]
    pub demo: bool,
    /// One entry for each context of the reading set.
    pub contexts: Vec<ContextReport>,
    /// One entry for each binding chosen.
    pub bindings: Vec<BindingReport>,
    /// One entry for each group with targets that no cluster is known to claim; left out where
    /// nobody asked for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unclaimed: Option<Vec<UnclaimedReport>>,
    /// What was found to be wrong.
    pub findings: Vec<Finding>,
}

/// What became of a binding.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingReport {
    /// Its context.
    pub context: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its target group; `null` where not even that is known.
    pub target_group_arn: Option<TargetGroupArn>,
    /// Who acts.
    pub via: Via,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, where the outcome alone does not tell.
    pub reason: Option<String>,
    /// What was planned.
    pub plan: PlanReport,
    /// What was done, in order.
    pub steps: Vec<Step>,
    /// What was waited for when time ran out: what a nudged controller has not done, and what was
    /// registered and still is in its first checks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting_for: Vec<Target>,
}

/// How a binding's reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Nothing was to be done.
    InSync,
    /// There is something to do, and this was a dry run.
    Planned,
    /// All of it was done.
    Applied,
    /// Some of it was done, or parts were blocked.
    Partial,
    /// It is the controller's to do, or an operator's.
    Deferred,
    /// It could not be done.
    Failed,
    /// The binding is not this program's to reconcile.
    Skipped,
}

/// A binding's plan, in words of the document.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlanReport {
    /// Targets to register.
    pub register: Vec<Target>,
    /// Targets to deregister.
    pub deregister: Vec<Target>,
    /// The ledger before and after; `null` where it is not known, or the controller's to write.
    pub ledger: Option<LedgerReport>,
    /// What the controller is made to do by a nudge; `null` where it is left alone.
    pub nudge: Option<NudgeReport>,
    /// What is withheld.
    pub blocked: Vec<BlockedReport>,
}

/// What a controller will do when it is made to look again, as predicted.
#[derive(Clone, Debug, Serialize)]
pub struct NudgeReport {
    /// Targets that it will register.
    pub register: Vec<Target>,
    /// Targets that it will deregister.
    pub deregister: Vec<Target>,
    /// Whether ELBv2 shows all of it done; `null` where the controller was not nudged.
    pub verified: Option<bool>,
}

/// A ledger before and after the run: equal where it stays as it is.
#[derive(Clone, Debug, Serialize)]
pub struct LedgerReport {
    /// Its entries now; `null` where there is no ConfigMap.
    pub before: Option<Vec<String>>,
    /// Its entries after the last write; `null` where the ConfigMap goes.
    pub after: Option<Vec<String>>,
}

impl LedgerReport {
    /// Says whether it does not stay as it is.
    pub fn is_change(&self) -> bool {
        self.before != self.after
    }
}

/// Something withheld, and why.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockedReport {
    /// The target's id; `null` where the whole action is withheld.
    pub id: Option<String>,
    /// Its port.
    pub port: Option<u16>,
    /// Its QUIC server id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quic_server_id: Option<String>,
    /// What is withheld.
    pub action: Action,
    /// Why.
    pub reason: BlockedReason,
    /// Whom it waits for.
    pub waiting_on: Option<String>,
}

/// One thing that was done or tried.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// What.
    pub action: Action,
    /// By whom.
    pub via: Via,
    /// How many targets it concerned.
    pub targets: usize,
    /// How it went.
    pub result: StepResult,
    /// What went wrong, or why it was not tried, as one line.
    pub error: Option<String>,
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StepResult {
    /// Done.
    Done,
    /// Tried, and it failed.
    Failed,
    /// Not tried, because an earlier step failed, the plan changed, or the run was stopped.
    Skipped,
}
