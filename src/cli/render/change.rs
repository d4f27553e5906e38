//! `enable`, `disable`, `bind` and `unbind` as text: what was looked at, the plan, what came of it.

use std::io::{self, Write};
use std::time::Duration;

use mctg::change::{ChangeAction, Check, Event, Item, Verdict};
use mctg::error::escape;
use mctg::report::{ChangeReport, ChangeStep, Changes, ItemOutcome, ItemReport, StepResult, When};

use super::status::demo_mark;
use super::{Look, Names, count, elapsed, findings, list, wrap};
use crate::cli::exit::Exit;

/// Columns before what a plan comes to.
const INDENT: usize = 6;

/// Columns before what goes on about a refused check: under the name that follows its code.
const REFUSED: usize = 10;

/// Columns of a detail's word.
const LABEL: usize = 10;

/// Writes what was looked at, and the plan of each item.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn plan(
    report: &Changes,
    preface: &[String],
    demo: bool,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    if demo {
        demo_mark(look, out)?;
    }
    let names = Names::of(&report.contexts);
    let read = report.contexts.iter().filter(|context| context.reachable).count();
    let all = report.contexts.iter().filter(|context| context.same_as.is_none()).count();
    let mut above = format!("Looked at {read}/{all} contexts.");
    for sentence in preface {
        above.push(' ');
        above.push_str(&escape(sentence));
    }
    for line in wrap(&above, look.width) {
        writeln!(out, "{line}")?;
    }
    let planned: Vec<&ItemReport> = report.items.iter().filter(|item| !is_refused(item)).collect();
    if planned.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    for line in wrap(&format!("Plan: {}", in_short(&planned, &names)), look.width) {
        writeln!(out, "{}", look.styles.strong(&line))?;
    }
    for item in planned {
        item_plan(item, look, out)?;
    }
    writeln!(out)
}

/// `create 1 TargetGroupBinding in sec, change nothing else`.
fn in_short(items: &[&ItemReport], names: &Names) -> String {
    let mut kinds: Vec<((&str, &str), usize)> = Vec::new();
    for change in items.iter().flat_map(|item| &item.plan) {
        let object = change.object.split_once(' ').map_or("", |(kind, _)| kind);
        let kind = (change.action.as_words(), object);
        match kinds.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, number)) => *number += 1,
            None => kinds.push((kind, 1)),
        }
    }
    if kinds.is_empty() {
        return "nothing to change".to_owned();
    }
    let told: Vec<String> = kinds
        .into_iter()
        .map(|((action, object), number)| match object {
            "" => action.trim_end_matches(" of").to_owned(),
            "Ingress" if number > 1 => format!("{action} {number} Ingresses"),
            _ => format!("{action} {}", count(number, object)),
        })
        .collect();
    let context = items.first().map(|item| names.get(&item.context)).unwrap_or_default();
    format!("{} in {context}, change nothing else", list(&told))
}

fn item_plan(item: &ItemReport, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let mark = mark_of_plan(&item.plan);
    let binding = item.binding.as_ref().map(|name| format!("{}/{name}", item.namespace));
    let what = binding.unwrap_or_else(|| match item.namespace.as_str() {
        "" => item.name.clone(),
        namespace => format!("{} in {namespace}", item.name),
    });
    let group = item.target_group_arn.as_ref().map(|arn| format!(" ── {}", arn.name()));
    let head = format!("{what}{}", group.unwrap_or_default());
    writeln!(out, "  {mark} {}", look.styles.strong(&escape(&head)))?;
    for detail in &item.details {
        labelled(detail.label, &detail.text, look, out)?;
    }
    for change in &item.plan {
        let label = if change.when == When::Later { "later" } else { "change" };
        let text = format!("{} {}", change.action.as_words(), change.object);
        labelled(label, &text, look, out)?;
    }
    let passed = item.checks.iter().filter(|check| check.verdict == Verdict::Passed).count();
    if look.wide {
        for check in &item.checks {
            labelled(
                "check",
                &format!("{} {}: {}", mark_of(check), title(check), check.message),
                look,
                out,
            )?;
        }
    } else if passed > 0 {
        labelled("checks", &format!("{passed} passed (-v lists them)"), look, out)?;
    }
    for check in item.checks.iter().filter(|check| check.verdict != Verdict::Passed) {
        let label = match check.verdict {
            Verdict::NeedsYes => "yes?",
            _ => "warning",
        };
        if !look.wide {
            labelled(label, &format!("{}: {}", title(check), check.message), look, out)?;
        }
        if let Some(hint) = &check.hint {
            labelled("", hint, look, out)?;
        }
    }
    if item.plan.is_empty() {
        labelled("", "as it should be: nothing to change", look, out)?;
    }
    Ok(())
}

/// What becomes of an item: nothing, something goes, something comes, or what is there changes.
fn mark_of_plan(plan: &[ChangeReport]) -> char {
    let has = |wanted: &[ChangeAction]| plan.iter().any(|change| wanted.contains(&change.action));
    match () {
        () if plan.is_empty() => '=',
        () if has(&[ChangeAction::DeleteBinding, ChangeAction::Deregister]) => '-',
        () if has(&[ChangeAction::ApplyBinding]) => '+',
        () if has(&[ChangeAction::PatchOwner, ChangeAction::CreateOwner]) => '~',
        // What is left of something that went before.
        () => '-',
    }
}

fn mark_of(check: &Check) -> &'static str {
    match check.verdict {
        Verdict::Passed => "ok",
        Verdict::Warning => "!",
        Verdict::NeedsYes => "yes?",
        Verdict::Refused => "no",
        Verdict::Unknown => "?",
    }
}

fn title(check: &Check) -> String {
    match check.code {
        Some(code) => format!("{code} {}", check.name),
        None => check.name.to_owned(),
    }
}

/// Writes `      label    text`, broken where it is too wide; commands stay whole.
fn labelled(label: &str, text: &str, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let width = look.width.saturating_sub(INDENT + LABEL);
    let mut label = label;
    let lines =
        if text.starts_with("kubectl ") { vec![escape(text)] } else { wrap(&escape(text), width) };
    for line in lines {
        writeln!(out, "{:INDENT$}{label:<LABEL$}{line}", "")?;
        label = "";
    }
    Ok(())
}

/// A line of what is done while it is done: a write, a goal that came, one that is waited for.
pub(crate) fn event_line(event: Event<'_>, several: bool) -> String {
    let of = |item: &Item| {
        if several { format!(", {}/{}", item.namespace, item.name) } else { String::new() }
    };
    match event {
        Event::Step(item, step) => step_line(step, &of(item)),
        Event::Reached(item, goal) => format!("{:<12} {}{}", goal.word, goal.state, of(item)),
        Event::Waiting(item, goal) => {
            let why = goal.waiting.as_deref().unwrap_or_default();
            let state = [goal.state.as_str(), why].map(str::trim);
            let state: Vec<&str> = state.into_iter().filter(|it| !it.is_empty()).collect();
            format!("{:<12} {}{}: {}", "waiting", goal.word, of(item), state.join("; "))
        }
        // Nobody is kept waiting for what there are no words for yet.
        _ => String::new(),
    }
}

fn step_line(step: &ChangeStep, of: &str) -> String {
    let ChangeStep { action, object, .. } = step;
    match step.result {
        StepResult::Done if step.targets > 0 => {
            format!("{:<12} {} of {object}{of}", action.as_done(), count(step.targets, "target"))
        }
        StepResult::Done => format!("{:<12} {object}{of}", action.as_done()),
        StepResult::Failed => {
            let error = step.error.as_deref().unwrap_or("no reason given");
            format!("{:<12} to {} {object}{of}: {error}", "failed", action.as_words())
        }
        StepResult::Skipped => {
            format!("{:<12} not tried: {} {object}{of}", "skipped", action.as_words())
        }
    }
}

/// Writes how it ended: what was refused and why, what was done, what to run next.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn closing(
    report: &Changes,
    took: Duration,
    exit: Exit,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = Names::of(&report.contexts);
    for item in report.items.iter().filter(|item| is_refused(item)) {
        refusal(item, report.kind, &names, look, out)?;
    }
    if !report.findings.is_empty() {
        let mut text = Vec::new();
        findings::write(&report.findings, &names, look, &mut text)?;
        out.write_all(text.trim_ascii_start())?;
        writeln!(out)?;
    }
    let of = |wanted: ItemOutcome| {
        report.items.iter().filter(move |item| item.outcome == wanted).count()
    };
    for item in &report.items {
        if let (ItemOutcome::Failed | ItemOutcome::Partial | ItemOutcome::Blocked, Some(reason)) =
            (item.outcome, &item.reason)
        {
            let text = format!("{} in {}: {}", item.name, item.namespace, escape(reason));
            paragraph(&format!("{} {text}", look.styles.bad("!")), look, out)?;
        }
    }
    let touched = report
        .items
        .iter()
        .any(|item| item.steps.iter().any(|step| step.result == StepResult::Done));
    let undone = of(ItemOutcome::Failed) + of(ItemOutcome::Partial) + of(ItemOutcome::Blocked);
    let mut text = match () {
        () if report.interrupted && touched => format!("Stopped after {}.", elapsed(took)),
        () if report.dry_run => {
            let checked = if touched { "The API server took every write. " } else { "" };
            format!("{checked}Nothing was changed.")
        }
        () if !touched && of(ItemOutcome::Unchanged) == report.items.len() => {
            "Nothing to change.".to_owned()
        }
        () if !touched => "Nothing was changed in any cluster or in AWS.".to_owned(),
        () if undone > 0 => format!("Not all done in {}.", elapsed(took)),
        () => format!("Done in {}.", elapsed(took)),
    };
    let begun_in_vain = of(ItemOutcome::Failed) + of(ItemOutcome::Partial);
    if begun_in_vain > 0 && !report.dry_run {
        text.push_str(" The same command again goes on from here.");
    }
    for item in report.items.iter().filter(|item| item.outcome == ItemOutcome::Applied) {
        if !item.conclusion.is_empty() {
            text.push(' ');
            text.push_str(&escape(&item.conclusion));
        }
    }
    if exit != Exit::Fine {
        text.push_str(&format!(" Exit {}.", exit.code()));
    }
    paragraph(&text, look, out)?;
    // A plan is not gone on from, and there is nothing to take back.
    let of_what_was_done = |label: &str| matches!(label, "next" | "undo");
    for item in report.items.iter().filter(|item| !is_refused(item)) {
        let next = item.next.iter();
        for next in next.filter(|it| !report.dry_run || !of_what_was_done(it.label)) {
            writeln!(out, "  {:<5} {}", next.label, escape(&next.command))?;
        }
    }
    Ok(())
}

/// Writes why nothing was done for an item.
fn refusal(
    item: &ItemReport,
    kind: &str,
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let refusing: Vec<&Check> =
        item.checks.iter().filter(|check| check.verdict.refuses()).collect();
    let head = format!(
        "{} {} in {} was not {}: {} of {} checks failed",
        look.styles.bad("error:"),
        escape(&item.name),
        names.get(&item.context),
        past(kind),
        refusing.len(),
        item.checks.len(),
    );
    paragraph(&head, look, out)?;
    for check in refusing {
        let text = format!("{}: {}", title(check), check.message);
        let mut indent = 2;
        for line in wrap(&escape(&text), look.width.saturating_sub(REFUSED)) {
            writeln!(out, "{:indent$}{line}", "")?;
            indent = REFUSED;
        }
        if let Some(hint) = &check.hint {
            writeln!(out, "  {} {}", look.styles.strong("hint:"), escape(hint))?;
        }
    }
    Ok(())
}

/// `Bind` done: `bound`.
fn past(kind: &str) -> &'static str {
    match kind {
        "Bind" => "bound",
        "Unbind" => "unbound",
        "Enable" => "enabled",
        _ => "disabled",
    }
}

fn is_refused(item: &ItemReport) -> bool {
    item.outcome == ItemOutcome::Refused
}

fn paragraph(text: &str, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    for line in wrap(text, look.width) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
