//! Exit codes, from the same reports that text and JSON come from (`product.md` 5.3).
//!
//! Pure. Of several that apply, the first of 130, 124, 3, 2, 1 wins.

use std::process::ExitCode;

use globset::{Glob, GlobSet, GlobSetBuilder};
use mctg::findings::{Finding, Severity, catalogue};
use mctg::plan::BlockedReason;
use mctg::report::{BindingReport, Outcome, Reconcile, Status, StepResult};

use super::args::FailOn;

/// How a run ended; later wins over earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Fine, or done.
    Fine,
    /// A finding, a difference, or something withheld.
    Found,
    /// Usage, an unknown name, or declined at the prompt.
    Usage,
    /// Something could not be read or done.
    Incomplete,
    /// Timed out waiting.
    TimedOut,
    /// Interrupted.
    Interrupted,
}

impl Exit {
    /// The number.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Found => 1,
            Self::Usage => 2,
            Self::Incomplete => 3,
            Self::TimedOut => 124,
            Self::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Which findings count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Thresholds {
    fail_on: FailOn,
    ignored: GlobSet,
}

impl Thresholds {
    /// Makes thresholds of `--fail-on` and `--ignore`.
    ///
    /// # Errors
    ///
    /// Returns the pattern that is no glob.
    pub(crate) fn new(fail_on: FailOn, ignore: &[String]) -> Result<Self, String> {
        let mut ignored = GlobSetBuilder::new();
        for code in ignore {
            let code = code.trim().to_ascii_uppercase();
            let digits = !code.is_empty() && code.chars().all(|c| c.is_ascii_digit());
            let code = if digits { format!("MCTG{code}") } else { code };
            ignored.add(Glob::new(&code).map_err(|_| code.clone())?);
        }
        Ok(Self { fail_on, ignored: ignored.build().unwrap_or_default() })
    }

    /// Says whether a finding was asked to be left out; what could not be read never is.
    pub(crate) fn ignores(&self, finding: &Finding) -> bool {
        !catalogue::is_incompleteness(finding.code) && self.ignored.is_match(finding.code)
    }

    fn counts(&self, finding: &Finding) -> bool {
        let bad_enough = match self.fail_on {
            FailOn::Critical => finding.severity >= Severity::Critical,
            FailOn::Warning => finding.severity >= Severity::Warning,
            FailOn::Info => true,
            FailOn::Never => false,
        };
        bad_enough && !self.ignores(finding)
    }
}

/// The exit code of `status`.
pub(crate) fn of_status(report: &Status, thresholds: &Thresholds) -> Exit {
    let unread = |finding: &Finding| catalogue::is_incompleteness(finding.code);
    if !report.complete || report.findings.iter().any(unread) {
        Exit::Incomplete
    } else if report.findings.iter().any(|finding| thresholds.counts(finding)) {
        Exit::Found
    } else {
        Exit::Fine
    }
}

/// The exit code of `diff`: what is only blocked, deferred or pending is no difference.
pub(crate) fn of_diff(report: &Reconcile) -> Exit {
    let failed = |binding: &BindingReport| binding.outcome == Outcome::Failed;
    if !report.complete || report.bindings.iter().any(failed) {
        Exit::Incomplete
    } else if report.bindings.iter().any(changes) {
        Exit::Found
    } else {
        Exit::Fine
    }
}

/// The exit code of `reconcile`, dry or not.
pub(crate) fn of_reconcile(report: &Reconcile) -> Exit {
    let worst = report.bindings.iter().map(of_binding).max().unwrap_or(Exit::Fine);
    if report.complete { worst } else { worst.max(Exit::Incomplete) }
}

fn of_binding(binding: &BindingReport) -> Exit {
    let failed_step = binding.steps.iter().any(|step| step.result == StepResult::Failed);
    let blocked = binding.plan.blocked.iter().map(|blocked| of_blocked(blocked.reason)).max();
    let outcome = match binding.outcome {
        Outcome::Failed => Exit::Incomplete,
        Outcome::Deferred => Exit::Found,
        Outcome::InSync
        | Outcome::Planned
        | Outcome::Applied
        | Outcome::Partial
        | Outcome::Skipped => Exit::Fine,
    };
    let step = if failed_step { Exit::Incomplete } else { Exit::Fine };
    outcome.max(step).max(blocked.unwrap_or(Exit::Fine))
}

fn of_blocked(reason: BlockedReason) -> Exit {
    match reason {
        BlockedReason::Contested
        | BlockedReason::AnswersElsewhere
        | BlockedReason::Pending
        | BlockedReason::Unregistrable => Exit::Fine,
        BlockedReason::Deferred | BlockedReason::Changed => Exit::Found,
        BlockedReason::Silent
        | BlockedReason::LastHealthy
        | BlockedReason::Cap
        | BlockedReason::NeedsYes => Exit::Incomplete,
    }
}

/// Says whether a binding's plan changes anything.
fn changes(binding: &BindingReport) -> bool {
    let plan = &binding.plan;
    binding.outcome == Outcome::Planned
        || !plan.register.is_empty()
        || !plan.deregister.is_empty()
        || plan.ledger.as_ref().is_some_and(|ledger| ledger.before != ledger.after)
}
