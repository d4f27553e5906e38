//! Exit codes, from the same reports that text and JSON come from (`product.md` 5.3).
//!
//! Pure. Of several that apply, the first of 130, 124, 3, 2, 1 wins.

use std::process::ExitCode;

use globset::{Glob, GlobSet, GlobSetBuilder};
use mctg::findings::{Finding, Severity, catalogue};
use mctg::plan::{Action, BlockedReason};
use mctg::report::{
    BindingReport, BlockedReport, Changes, ItemOutcome, ItemReport, LedgerReport, Outcome,
    Reconcile, Status, StepResult, UnclaimedReport,
};

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
        self.ignores_code(finding.code)
    }

    /// Says the same of the findings of a code.
    pub(crate) fn ignores_code(&self, code: &str) -> bool {
        !catalogue::is_incompleteness(code) && self.ignored.is_match(code)
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
    of_findings(report.complete, &report.findings, thresholds)
}

/// The exit code of a verb that is judged by what it finds: `status` and `check`.
pub(crate) fn of_findings(complete: bool, findings: &[Finding], thresholds: &Thresholds) -> Exit {
    let unread = |finding: &Finding| catalogue::is_incompleteness(finding.code);
    if !complete || findings.iter().any(unread) {
        Exit::Incomplete
    } else if findings.iter().any(|finding| thresholds.counts(finding)) {
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
    } else if report.bindings.iter().any(changes)
        || unclaimed(report).any(|group| !group.plan.deregister.is_empty())
    {
        Exit::Found
    } else {
        Exit::Fine
    }
}

/// The exit code of `reconcile`, dry or not.
pub(crate) fn of_reconcile(report: &Reconcile) -> Exit {
    let mut worst = report.bindings.iter().map(of_binding).max().unwrap_or(Exit::Fine);
    worst = worst.max(unclaimed(report).map(of_unclaimed).max().unwrap_or(Exit::Fine));
    if !report.complete {
        worst = worst.max(Exit::Incomplete);
    }
    match () {
        () if report.interrupted => Exit::Interrupted,
        () if report.timed_out => Exit::TimedOut,
        () => worst,
    }
}

/// The exit code of a verb that changes objects, dry or not.
pub(crate) fn of_changes(report: &Changes) -> Exit {
    let refused = |item: &ItemReport| item.outcome == ItemOutcome::Refused;
    match () {
        () if report.interrupted => Exit::Interrupted,
        () if report.timed_out => Exit::TimedOut,
        () if !report.complete => Exit::Incomplete,
        () if report.items.iter().any(refused) => Exit::Found,
        () => Exit::Fine,
    }
}

fn of_binding(binding: &BindingReport) -> Exit {
    let failed_step = binding.steps.iter().any(|step| step.result == StepResult::Failed);
    let blocked = binding.plan.blocked.iter().map(of_blocked).max();
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

fn unclaimed(report: &Reconcile) -> impl Iterator<Item = &UnclaimedReport> {
    report.unclaimed.iter().flatten()
}

fn of_unclaimed(group: &UnclaimedReport) -> Exit {
    let failed = group.outcome == Outcome::Failed
        || group.steps.iter().any(|step| step.result == StepResult::Failed);
    let blocked = group.plan.blocked.iter().map(of_blocked).max();
    let failed = if failed { Exit::Incomplete } else { Exit::Fine };
    failed.max(blocked.unwrap_or(Exit::Fine))
}

fn of_blocked(blocked: &BlockedReport) -> Exit {
    match blocked.reason {
        // A withheld nudge leaves drift that nobody repairs.
        _ if blocked.action == Action::Nudge && is_harmless(blocked.reason) => Exit::Found,
        BlockedReason::Contested
        | BlockedReason::AnswersElsewhere
        | BlockedReason::Pending
        | BlockedReason::Unregistrable
        | BlockedReason::NotUnhealthy
        | BlockedReason::Initial => Exit::Fine,
        BlockedReason::Deferred | BlockedReason::Changed => Exit::Found,
        // `silent`, `lastHealthy`, `cap` and `needsYes`; and what is not judged here yet is no success.
        _ => Exit::Incomplete,
    }
}

fn is_harmless(reason: BlockedReason) -> bool {
    matches!(reason, BlockedReason::Contested | BlockedReason::AnswersElsewhere)
}

/// Says whether a binding's plan changes anything.
fn changes(binding: &BindingReport) -> bool {
    let plan = &binding.plan;
    binding.outcome == Outcome::Planned
        || !plan.register.is_empty()
        || !plan.deregister.is_empty()
        || plan.nudge.is_some()
        || plan.ledger.as_ref().is_some_and(LedgerReport::is_change)
}

#[cfg(test)]
mod tests;
