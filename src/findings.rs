//! What is wrong, how bad it is, and what to do about it.

pub mod catalogue;

use serde::Serialize;

use crate::target::{Target, TargetGroupArn};

/// How bad a finding is; later is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Will bite later.
    Warning,
    /// Bites now.
    Critical,
}

/// Something that is wrong, with the names in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `MCTG` and three digits.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How bad it is here.
    pub severity: Severity,
    /// One sentence with the names in it.
    pub message: String,
    /// A line to paste, where one helps.
    pub fix: Option<String>,
    /// The context it concerns.
    pub context: Option<String>,
    /// The namespace of the binding it concerns.
    pub namespace: Option<String>,
    /// The binding it concerns.
    pub binding: Option<String>,
    /// The target group it concerns.
    pub target_group_arn: Option<TargetGroupArn>,
    /// The targets it concerns.
    pub targets: Vec<Target>,
}
