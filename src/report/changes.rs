//! The document of `enable`, `disable`, `bind` and `unbind`.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::{ContextReport, StepResult, is_false};
use crate::change::{Change, ChangeAction, Check, Detail, Goal, Next};
use crate::findings::Finding;
use crate::target::TargetGroupArn;

/// The document of a verb that changes objects.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[must_use = "the report says what was and what was not done"]
pub struct Changes {
    /// [`API_VERSION`](super::API_VERSION).
    pub api_version: &'static str,
    /// `Enable`, `Disable`, `Bind` or `Unbind`.
    pub kind: &'static str,
    /// When the first observation ended.
    pub observed_at: Timestamp,
    /// Whether nothing was changed: a plan that was printed, or that the API server only checked.
    pub dry_run: bool,
    /// Whether everything needed could be read and done.
    pub complete: bool,
    /// Whether time ran out while something was waited for; leads to exit code 124.
    pub timed_out: bool,
    /// Whether the run was asked to stop before it was through; leads to exit code 130.
    pub interrupted: bool,
    /// Whether the world is simulated; left out where it is not.
    #[serde(skip_serializing_if = "is_false")]
    pub demo: bool,
    /// One entry for each context of the reading set.
    pub contexts: Vec<ContextReport>,
    /// One entry for each thing that was asked for.
    pub items: Vec<ItemReport>,
    /// What could not be read.
    pub findings: Vec<Finding>,
}

/// What became of one thing that was asked for.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ItemReport {
    /// The context that is written to.
    pub context: String,
    /// The namespace.
    pub namespace: String,
    /// What was named, as kubectl would: `svc/web`.
    pub name: String,
    /// The binding it is about; `null` where that is not known.
    pub binding: Option<String>,
    /// Its target group; `null` where that is not known.
    pub target_group_arn: Option<TargetGroupArn>,
    /// How it ended.
    pub outcome: ItemOutcome,
    /// Why, where the outcome alone does not tell.
    pub reason: Option<String>,
    /// What was looked at before anything was changed.
    pub checks: Vec<Check>,
    /// What the plan comes to.
    pub details: Vec<Detail>,
    /// The changes that were planned, in order.
    pub plan: Vec<ChangeReport>,
    /// What was done, in order.
    pub steps: Vec<ChangeStep>,
    /// What must come of it, and what of that has not come.
    pub goals: Vec<Goal>,
    /// What holds at the end, as a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub conclusion: String,
    /// What to run next, and what takes it back.
    pub next: Vec<Next>,
}

/// How an item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ItemOutcome {
    /// It is as it should be: it was already, or somebody else saw to it meanwhile.
    Unchanged,
    /// There is something to change, and this was a dry run.
    Planned,
    /// All of it was done.
    Applied,
    /// Some of it was done, or has not come yet.
    Partial,
    /// A check forbids it; nothing was changed.
    Refused,
    /// It needs a yes; nothing was changed.
    Blocked,
    /// It could not be done.
    Failed,
}

/// A change as it was planned.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeReport {
    /// What kind of change.
    pub action: ChangeAction,
    /// What is changed: `TargetGroupBinding web/shop`.
    pub object: String,
    /// When.
    pub when: When,
    /// The manifest, patch or targets; `null` where there is none.
    pub body: Value,
}

impl ChangeReport {
    /// Describes a change.
    pub fn new(change: &Change, when: When) -> Self {
        Self { action: change.action(), object: change.object(), when, body: change.body() }
    }
}

/// When a change is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum When {
    /// At once.
    Now,
    /// Once what is waited for has come.
    Later,
}

/// One write that was done or tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeStep {
    /// What.
    pub action: ChangeAction,
    /// Of what.
    pub object: String,
    /// How many targets it concerned.
    pub targets: usize,
    /// How it went.
    pub result: StepResult,
    /// What went wrong, as one line.
    pub error: Option<String>,
}

impl ChangeStep {
    /// A change that was not tried.
    pub fn skipped(change: &Change) -> Self {
        Self {
            action: change.action(),
            object: change.object(),
            targets: change.targets(),
            result: StepResult::Skipped,
            error: None,
        }
    }
}
