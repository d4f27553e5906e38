//! What was looked at before anything is changed, and what came of it.

use serde::Serialize;

/// Something that was looked at before anything is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// The finding it would be, where there is one: `MCTG101`.
    pub code: Option<&'static str>,
    /// That finding's name; else what was looked at.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen, as one line.
    pub message: String,
    /// What to do about it; a command stands alone.
    pub hint: Option<String>,
}

impl Check {
    /// A check with its outcome.
    pub fn new(name: &'static str, verdict: Verdict, message: impl Into<String>) -> Self {
        Self { code: None, name, verdict, message: message.into(), hint: None }
    }

    /// A check that found nothing wrong.
    pub fn passed(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Passed, message)
    }

    /// A check that forbids the change.
    pub fn refused(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Refused, message)
    }

    /// The check of a finding's rule, under its code and name.
    pub fn of(
        rule: &crate::findings::catalogue::Rule,
        verdict: Verdict,
        message: impl Into<String>,
    ) -> Self {
        Self { code: Some(rule.code), ..Self::new(rule.name, verdict, message) }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Fine.
    Passed,
    /// It goes on, and somebody should know.
    Warning,
    /// Somebody has to say yes first.
    NeedsYes,
    /// It must not be done; nothing is changed.
    Refused,
    /// What it depends on could not be read; nothing is changed.
    Unknown,
}

impl Verdict {
    /// Says whether nothing may be changed.
    pub fn refuses(self) -> bool {
        matches!(self, Self::Refused | Self::Unknown)
    }
}
