//! The document of `check`.

use jiff::Timestamp;
use serde::Serialize;

use super::{ContextReport, is_false};
use crate::findings::Finding;

/// The document of `check`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// [`API_VERSION`](super::API_VERSION).
    pub api_version: &'static str,
    /// `Check`.
    pub kind: &'static str,
    /// When the last answer came.
    pub observed_at: Timestamp,
    /// Whether everything asked for could be read; false leads to exit code 3.
    pub complete: bool,
    /// Whether the world is simulated; left out where it is not.
    #[serde(skip_serializing_if = "is_false")]
    pub demo: bool,
    /// Whether nothing needs to be bound yet (`--pre`).
    pub pre: bool,
    /// One entry for each context of the reading set.
    pub contexts: Vec<ContextReport>,
    /// One entry for each check, by context and code; those that passed too.
    pub results: Vec<CheckResult>,
    /// What did not pass, worst first.
    pub findings: Vec<Finding>,
}

/// What came of one check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckResult {
    /// The context that was checked.
    pub context: String,
    /// `MCTG6` and two digits: what was checked.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen, as one sentence or a few.
    pub message: String,
    /// A line to paste, where one helps.
    pub hint: Option<String>,
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// It is as it should be.
    Passed,
    /// It works, or not in full.
    Warning,
    /// It does not work.
    Failed,
    /// What decides it could not be read.
    Unknown,
}
