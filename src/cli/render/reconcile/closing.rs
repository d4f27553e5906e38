//! How `reconcile` ended: what was done, by whom, what is left and why.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use mctg::error::escape;
use mctg::plan::Action;
use mctg::report::{BindingReport, Outcome, Reconcile, Step, StepResult};
use mctg::target::Target;

use super::super::{Look, Names, count, elapsed, list, unclaimed, wrap};
use super::{binding_name, paragraph, tell_findings, withheld};
use crate::cli::exit::Exit;

/// Writes how `reconcile` ended.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn closing(
    report: &Reconcile,
    took: Duration,
    exit: Exit,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = Names::of(&report.contexts);
    for binding in &report.bindings {
        let failed = binding.steps.iter().filter(|step| step.result == StepResult::Failed);
        for step in failed {
            failure(&binding_name(binding, &names), step, look, out)?;
        }
        // What a controller has not done in time, and what is known of why.
        if report.timed_out
            && is_unverified(binding)
            && let Some(reason) = &binding.reason
        {
            marked(&format!("{}: {}", binding_name(binding, &names), escape(reason)), look, out)?;
        }
    }
    for (group, step) in unclaimed::failures(report) {
        failure(&escape(group.target_group_arn.name()), step, look, out)?;
    }
    tell_findings(report, &names, look, out)?;
    let sum = |wanted: Action| -> usize {
        let steps = report.bindings.iter().flat_map(|binding| &binding.steps);
        steps
            .chain(unclaimed::steps(report))
            .filter(|step| step.action == wanted && step.result == StepResult::Done)
            .map(|step| step.targets)
            .sum()
    };
    let failed = report.bindings.iter().any(|binding| {
        binding.outcome == Outcome::Failed
            || binding.steps.iter().any(|step| step.result == StepResult::Failed)
    }) || !unclaimed::failures(report).is_empty();
    let head = match () {
        () if report.interrupted => "Stopped",
        () if failed || report.timed_out => "Not all done",
        () => "Done",
    };
    let tried = report.bindings.iter().any(|binding| !binding.steps.is_empty())
        || unclaimed::steps(report).next().is_some();
    let withheld_any = report.bindings.iter().any(|b| !b.plan.blocked.is_empty())
        || unclaimed::withheld(report).next().is_some();
    let mut text = if !tried && !failed && !withheld_any && exit == Exit::Fine {
        "Nothing to do.".to_owned()
    } else if tried {
        format!(
            "{head} in {}: {} registered, {} deregistered{}{}.",
            elapsed(took),
            sum(Action::Register),
            sum(Action::Deregister),
            by_controllers(report),
            withheld(report)
        )
    } else {
        format!("Nothing was done ({}){}.", elapsed(took), withheld(report))
    };
    let is_its = |binding: &BindingReport, target: &Target| {
        let nudge = binding.plan.nudge.iter().filter(|nudge| nudge.verified == Some(false));
        nudge.flat_map(|nudge| nudge.register.iter().chain(&nudge.deregister)).any(|t| t == target)
    };
    let initial = report
        .bindings
        .iter()
        .flat_map(|binding| binding.waiting_for.iter().filter(|target| !is_its(binding, target)));
    let waiting: Vec<String> = initial.map(ToString::to_string).collect();
    if !waiting.is_empty() && !report.interrupted {
        let waiting = escape(&waiting.join(", "));
        text.push_str(&format!(" Time was up before these became healthy: {waiting}."));
    }
    if report.interrupted {
        text.push_str(&goes_on(report));
        text.push_str(&left(report));
    }
    let verified = |binding: &BindingReport| {
        binding.plan.nudge.as_ref().is_none_or(|it| it.verified == Some(true))
    };
    if tried && exit == Exit::Fine && !withheld_any && report.bindings.iter().all(verified) {
        text.push_str(" A second run plans nothing.");
    } else if exit != Exit::Fine {
        text.push_str(&format!(" Exit {}.", exit.code()));
    }
    paragraph(&text, look, out)
}

/// `, 2 by the controller`: what nudged controllers did; or that they were nudged, where that was
/// not waited for.
fn by_controllers(report: &Reconcile) -> String {
    let (mut done, mut open, mut unseen) = (0, 0, 0);
    for binding in &report.bindings {
        let Some(nudge) = &binding.plan.nudge else { continue };
        let targets = || nudge.register.iter().chain(&nudge.deregister);
        let late = targets().filter(|target| binding.waiting_for.contains(target)).count();
        match nudge.verified {
            Some(true) => done += targets().count(),
            Some(false) if late > 0 => {
                (done, open) = (done + targets().count() - late, open + late);
            }
            Some(false) => unseen += 1,
            None => {}
        }
    }
    let mut text = String::new();
    if done > 0 {
        text.push_str(&format!(", {done} by the controller"));
    }
    if open > 0 {
        text.push_str(&format!(", {open} still the controller's to do"));
    }
    if unseen > 0 {
        text.push_str(", its controller nudged");
    }
    text
}

/// What goes on without a run that was stopped.
fn goes_on(report: &Reconcile) -> String {
    let mut text = String::new();
    let checked: Vec<String> = report
        .bindings
        .iter()
        .filter(|binding| !is_unverified(binding))
        .flat_map(|binding| &binding.waiting_for)
        .map(ToString::to_string)
        .collect();
    if !checked.is_empty() {
        let checked = escape(&checked.join(", "));
        text.push_str(&format!(" In their first health checks, which go on: {checked}."));
    }
    let nudged = report.bindings.iter().filter(|binding| is_unverified(binding)).count();
    if nudged > 0 {
        let of = count(nudged, "binding");
        text.push_str(&format!(
            " The controller goes on with {of}, which it was made to look at again; the next run verifies."
        ));
    }
    text
}

/// Says whether its controller was nudged, and not all of what that was to do was seen done.
fn is_unverified(binding: &BindingReport) -> bool {
    binding.plan.nudge.as_ref().is_some_and(|nudge| nudge.verified == Some(false))
}

/// What a run that was stopped leaves: law 2 makes it little.
fn left(report: &Reconcile) -> String {
    let mut left: BTreeMap<Action, usize> = BTreeMap::new();
    let steps = report.bindings.iter().flat_map(|binding| &binding.steps);
    let steps = steps.chain(unclaimed::steps(report));
    for step in steps.filter(|step| step.result == StepResult::Skipped) {
        *left.entry(step.action).or_default() += step.targets;
    }
    let each: Vec<String> = left
        .into_iter()
        .map(|(what, targets)| match what {
            Action::Register | Action::Deregister => format!("{} {targets}", what.as_words()),
            _ => what.as_words().to_owned(),
        })
        .collect();
    match () {
        () if !each.is_empty() => format!(
            " Not tried: to {}. What was registered is in a ledger, and another run picks up from here.",
            list(&each)
        ),
        () if report.complete => " Nothing was left undone.".to_owned(),
        () => " What was registered is in a ledger, and another run picks up from here.".to_owned(),
    }
}

fn failure(name: &str, step: &Step, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let error = escape(step.error.as_deref().unwrap_or("no reason given"));
    marked(&format!("{name}: failed to {}: {error}", step.action.as_words()), look, out)
}

fn marked(what: &str, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    for (index, line) in wrap(what, look.width - 2).iter().enumerate() {
        let mark = if index == 0 { look.styles.bad("!") } else { " ".to_owned() };
        writeln!(out, "{mark} {line}")?;
    }
    Ok(())
}
