//! Targets that no cluster claims, as part of `diff` and `reconcile`: each on a line of its own,
//! for nobody else will ask about them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use mctg::error::escape;
use mctg::plan::BlockedReason;
use mctg::report::{BlockedReport, Outcome, Reconcile, Step, StepResult, UnclaimedReport};
use mctg::target::TargetDescription;

use super::reconcile::{row, target, waiting, why};
use super::{Look, Names, list};

/// Whose the targets are.
pub(crate) const WHOSE: &str = "of no cluster,";

/// Writes the plan of each group.
///
/// # Errors
///
/// Passes on what the writer says.
pub(super) fn plans(
    report: &Reconcile,
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    for group in report.unclaimed.iter().flatten() {
        plan(group, names, look, out)?;
        writeln!(out)?;
    }
    if report.unclaimed.as_ref().is_some_and(Vec::is_empty) {
        writeln!(out, "Every registered target belongs to a cluster that was read.\n")?;
    }
    Ok(())
}

fn plan(
    group: &UnclaimedReport,
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = look.styles.strong(&escape(group.target_group_arn.name()));
    writeln!(out, "{name} ── targets that no cluster claims")?;
    for listed in &group.plan.deregister {
        row('-', "deregister", &escape(&described(listed)), look, out)?;
    }
    let mut withheld: BTreeMap<(BlockedReason, &str), Vec<&BlockedReport>> = BTreeMap::new();
    for blocked in &group.plan.blocked {
        let waiting_on = blocked.waiting_on.as_deref().unwrap_or_default();
        withheld.entry((blocked.reason, waiting_on)).or_default().push(blocked);
    }
    for ((reason, waiting_on), blocked) in withheld {
        let ids: Vec<String> = blocked.iter().filter_map(|blocked| target(blocked)).collect();
        let why = match (reason, &group.reason) {
            // It says who was not heard, and what of theirs.
            (BlockedReason::Silent, Some(reason)) => reason.clone(),
            _ => why(reason, &waiting(waiting_on, names)),
        };
        let mark = if asked_for(reason) { 'x' } else { ' ' };
        let word = if asked_for(reason) { "withheld" } else { "stays" };
        row(mark, word, &escape(&format!("{}: {why}", list(&ids))), look, out)?;
    }
    if group.outcome == Outcome::Failed && group.steps.is_empty() {
        let reason = group.reason.as_deref().unwrap_or("no reason given");
        row('!', "failed", &escape(reason), look, out)?;
    }
    Ok(())
}

/// `10.0.37.19:80  unhealthy, Target.Timeout: Request timed out`.
fn described(listed: &TargetDescription) -> String {
    let health = &listed.health;
    let mut text = format!("{}  {}", listed.target, health.state);
    if let Some(reason) = &health.reason {
        text.push_str(&format!(", {reason}"));
    }
    if let Some(description) = &health.description {
        text.push_str(&format!(": {description}"));
    }
    text
}

/// Says whether a target that is withheld was to go at all.
fn asked_for(reason: BlockedReason) -> bool {
    !matches!(reason, BlockedReason::NotUnhealthy | BlockedReason::Initial)
}

/// What is withheld of what was asked for.
pub(super) fn withheld(report: &Reconcile) -> impl Iterator<Item = &BlockedReport> {
    let groups = report.unclaimed.iter().flatten();
    groups.flat_map(|group| &group.plan.blocked).filter(|blocked| asked_for(blocked.reason))
}

/// How many targets a run would deregister.
pub(super) fn deregistrations(report: &Reconcile) -> usize {
    report.unclaimed.iter().flatten().map(|group| group.plan.deregister.len()).sum()
}

/// What was done or tried.
pub(super) fn steps(report: &Reconcile) -> impl Iterator<Item = &Step> {
    report.unclaimed.iter().flatten().flat_map(|group| &group.steps)
}

/// What failed, with the group it concerns.
pub(super) fn failures(report: &Reconcile) -> Vec<(&UnclaimedReport, &Step)> {
    let mut failures = Vec::new();
    for group in report.unclaimed.iter().flatten() {
        let failed = group.steps.iter().filter(|step| step.result == StepResult::Failed);
        failures.extend(failed.map(|step| (group, step)));
    }
    failures
}
