//! What is done while it is done, and what is waited for: a line each.

use std::collections::BTreeMap;
use std::time::Duration;

use mctg::binding::BindingRef;
use mctg::error::escape;
use mctg::plan::{Action, Unrepaired};
use mctg::report::{Step, StepResult};
use mctg::target::{Health, Target};

use super::super::count;

/// A line of what is done while it is done: `   0:03  registered  2 targets`.
pub(crate) fn step_line(at: Duration, place: &str, step: &Step) -> String {
    let (word, thing) = match step.action {
        Action::WriteLedger => {
            ("ledger", count(step.targets, "entry").replace("entrys", "entries"))
        }
        Action::DeleteLedger => ("ledger", "deleted".to_owned()),
        Action::Register => ("registered", count(step.targets, "target")),
        Action::Deregister => ("deregistered", count(step.targets, "target")),
        Action::RemoveFinalizer => ("finalizer", "removed".to_owned()),
        Action::Nudge => ("nudged", "the controller, to look again".to_owned()),
        other => ("done", other.as_words().to_owned()),
    };
    let line = match step.result {
        StepResult::Done => format!("{word:<13} {thing}, {place}"),
        StepResult::Failed => {
            let error = step.error.as_deref().unwrap_or("no reason given");
            format!("{:<13} to {}, {place}: {error}", "failed", step.action.as_words())
        }
        StepResult::Skipped => {
            format!("{:<13} not tried: to {}, {place}", "skipped", step.action.as_words())
        }
    };
    progress_line(at, &line)
}

/// A line of progress: `   0:03  text`.
pub(crate) fn progress_line(at: Duration, text: &str) -> String {
    let seconds = at.as_secs();
    let text = escape(text);
    format!("{:>4}:{:02}  {}", seconds / 60, seconds % 60, text.trim_end())
}

/// `waiting  for the controllers of 2 bindings: 3 targets are open`.
pub(crate) fn waiting_for_controller(open: &BTreeMap<BindingRef, Unrepaired>) -> String {
    let targets = open.values().flat_map(Unrepaired::targets).count();
    let whose = match open.len() {
        1 => "the controller".to_owned(),
        bindings => format!("the controllers of {bindings} bindings"),
    };
    let why = open.values().next().map(|open| open.why.as_str()).unwrap_or_default();
    format!("{:<13} for {whose}: {} open; {why}", "waiting", count(targets, "target"))
}

/// `waiting  for 2 targets to become healthy; 10.0.0.1:80 Elb.InitialHealthChecking`.
pub(crate) fn waiting_for_health(targets: &BTreeMap<Target, Health>) -> String {
    let count = count(targets.len(), "target");
    let first = targets.iter().next();
    let reason = first.map(|(target, health)| match &health.reason {
        Some(reason) => format!("; {target} {reason}"),
        None => format!("; {target} {}", health.state),
    });
    format!("{:<13} for {count} to become healthy{}", "waiting", reason.unwrap_or_default())
}
