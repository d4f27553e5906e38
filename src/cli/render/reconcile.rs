//! `diff` and `reconcile` as text: what would be done, what is withheld and why, what was done.

mod closing;
mod progress;

use std::collections::BTreeMap;
use std::io::{self, Write};

use mctg::error::escape;
use mctg::plan::{Action, BlockedReason, Via};
use mctg::report::{BindingReport, BlockedReport, ContextReport, LedgerReport, Outcome, Reconcile};
use mctg::target::Target;

pub(crate) use self::closing::closing;
pub(crate) use self::progress::{
    progress_line, step_line, waiting_for_controller, waiting_for_health,
};
use super::status::{demo_mark, read_line};
use super::unclaimed;
use super::{Look, Names, count, findings, list, wrap};
use crate::cli::exit::Exit;

/// Up to so many targets get a line each; more are run together.
const TARGET_LINES_MAX: usize = 8;

/// Columns before the targets of a plan: mark, word, blanks.
const INDENT: usize = 16;

/// Writes what was looked at, and the plan of each binding.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn plan(
    report: &Reconcile,
    writing: &[String],
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = Names::of(&report.contexts);
    if report.demo {
        demo_mark(look, out)?;
    }
    for line in wrap(&looked_at(report, writing, &names), look.width) {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    bindings(&report.bindings, &names, look, out)?;
    unclaimed::plans(report, &names, look, out)
}

/// Writes the plan of each binding; those that are in sync share a line.
///
/// # Errors
///
/// Passes on what the writer says.
fn bindings(
    bindings: &[BindingReport],
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let quiet = |binding: &&BindingReport| {
        binding.outcome == Outcome::InSync && binding.plan.blocked.is_empty()
    };
    let in_sync = bindings.iter().filter(quiet).count();
    for binding in bindings.iter().filter(|binding| !quiet(binding) || look.wide) {
        binding_plan(binding, names, look, out)?;
        writeln!(out)?;
    }
    if in_sync > 0 && !look.wide {
        writeln!(out, "{} in sync.\n", count(in_sync, "binding"))?;
    }
    Ok(())
}

/// Writes how `diff` or a dry run ends.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn summary(
    report: &Reconcile,
    exit: Exit,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = Names::of(&report.contexts);
    tell_findings(report, &names, look, out)?;
    let mut todo = Vec::new();
    let plans = || report.bindings.iter().map(|binding| &binding.plan);
    let register: usize = plans().map(|plan| plan.register.len()).sum();
    let deregister: usize = plans().map(|plan| plan.deregister.len()).sum();
    let deregister = deregister + unclaimed::deregistrations(report);
    let ledgers =
        plans().filter_map(|plan| plan.ledger.as_ref()).filter(|it| it.is_change()).count();
    if register > 0 {
        todo.push(format!("register {register}"));
    }
    if deregister > 0 {
        todo.push(format!("deregister {deregister}"));
    }
    if ledgers > 0 {
        todo.push(format!("write {}", count(ledgers, "ledger")));
    }
    let nudges = plans().filter(|plan| plan.nudge.is_some()).count();
    if nudges > 0 {
        todo.push(format!("nudge the controller for {}", count(nudges, "binding")));
    }
    let mut text = if todo.is_empty() {
        "Nothing to do".to_owned()
    } else {
        format!("A run would {}", list(&todo))
    };
    text.push_str(&withheld(report));
    text.push_str(". Nothing was changed.");
    if exit != Exit::Fine {
        text.push_str(&format!(" Exit {}.", exit.code()));
    }
    paragraph(&text, look, out)
}

fn paragraph(text: &str, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    for line in wrap(text, look.width) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// `Looked at 2/2 contexts; writing for pri only, where no controller runs.`
fn looked_at(report: &Reconcile, writing: &[String], names: &Names) -> String {
    let read = read_line(&report.contexts).replacen("Read", "Looked at", 1);
    let shown: Vec<String> = writing.iter().map(|context| names.get(context)).collect();
    let beside = match writing {
        [only] => report
            .contexts
            .iter()
            .find(|context| context.context == *only)
            .map(beside)
            .unwrap_or_default(),
        _ => String::new(),
    };
    let verb = if report.dry_run { "planning" } else { "writing" };
    let all = report.contexts.iter().filter(|context| !context.lost).count();
    let only = if all > shown.len() { " only" } else { "" };
    let lost: Vec<String> = report
        .contexts
        .iter()
        .filter(|context| context.lost)
        .map(|context| names.get(&context.context))
        .collect();
    let without = match lost.len() {
        0 => String::new(),
        1 => format!(", without {}, which was declared lost and does not answer", lost[0]),
        _ => format!(", without {}, which were declared lost and do not answer", list(&lost)),
    };
    format!("{read}{without}; {verb} for {}{only}{beside}.", list(&shown))
}

fn beside(context: &ContextReport) -> String {
    let Some(controllers) = &context.controllers else {
        return ", whose controller is not known".to_owned();
    };
    let alive = controllers.iter().find(|controller| controller.alive == Some(true));
    let unknown = controllers.iter().any(|controller| controller.alive.is_none());
    match alive {
        Some(controller) => escape(&format!(
            ", beside its controller ({} {}, {})",
            controller.kind.as_str(),
            controller.version.as_deref().unwrap_or("of a version not known"),
            controller.evidence
        )),
        None if unknown => ", whose controller may be at work".to_owned(),
        None => ", where no controller runs".to_owned(),
    }
}

fn binding_name(binding: &BindingReport, names: &Names) -> String {
    let name = escape(&format!("{}/{}", binding.namespace, binding.name));
    format!("{} {name}", names.get(&binding.context))
}

fn binding_plan(
    binding: &BindingReport,
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let group = binding
        .target_group_arn
        .as_ref()
        .map_or("target group not known".to_owned(), |arn| escape(arn.name()));
    let name = look.styles.strong(&binding_name(binding, names));
    writeln!(out, "{name} ── {group}")?;

    let plan = &binding.plan;
    // Beside a controller, only what it tracks already is registered here.
    let by = match binding.via {
        Via::Controller if plan.ledger.is_none() => "directly: wanted, and already in the ledger",
        Via::Controller | Via::Direct => "",
    };
    targets('+', "register", &plan.register, by, look, out)?;
    targets('-', "deregister", &plan.deregister, "", look, out)?;
    if let Some(nudge) = &plan.nudge {
        let by = "by its controller, which is made to look again";
        targets('+', "register", &nudge.register, by, look, out)?;
        targets('-', "deregister", &nudge.deregister, by, look, out)?;
    }
    if let Some(ledger) = plan.ledger.as_ref().filter(|ledger| ledger.is_change()) {
        row(' ', "ledger", &ledger_change(ledger), look, out)?;
    }
    let mut withheld: BTreeMap<(Action, BlockedReason, &str), Vec<&BlockedReport>> =
        BTreeMap::new();
    for blocked in &plan.blocked {
        let waiting_on = blocked.waiting_on.as_deref().unwrap_or_default();
        withheld.entry((blocked.action, blocked.reason, waiting_on)).or_default().push(blocked);
    }
    for ((held, reason, waiting_on), blocked) in withheld {
        let ids: Vec<String> = blocked.iter().filter_map(|blocked| target(blocked)).collect();
        let what = if ids.is_empty() {
            held.as_words().to_owned()
        } else {
            format!("{} {}", held.as_words(), list(&ids))
        };
        let text = if held == Action::Nudge {
            let why = why_not_nudged(reason, &waiting(waiting_on, names));
            format!("the nudge: its controller would take out {}, {why}", list(&ids))
        } else {
            format!("{what}: {}", why(reason, &waiting(waiting_on, names)))
        };
        row('x', "withheld", &escape(&text), look, out)?;
    }
    let word = match binding.outcome {
        Outcome::Deferred => Some("deferred"),
        Outcome::Failed => Some("failed"),
        Outcome::Skipped => Some("skipped"),
        Outcome::Partial => binding.reason.is_some().then_some("partly"),
        Outcome::InSync | Outcome::Planned | Outcome::Applied => {
            binding.reason.is_some().then_some("note")
        }
    };
    if let Some(word) = word {
        let mark = if binding.outcome == Outcome::Failed { '!' } else { ' ' };
        let reason = binding.reason.as_deref().unwrap_or("no reason given");
        row(mark, word, &escape(reason), look, out)?;
    }
    if binding.outcome == Outcome::InSync && plan.blocked.is_empty() && binding.reason.is_none() {
        row(' ', "in sync", "", look, out)?;
    }
    Ok(())
}

/// `sec default/nginx` with the context's short name.
pub(super) fn waiting(waiting_on: &str, names: &Names) -> String {
    match waiting_on.split_once(' ') {
        Some((context, rest)) => format!("{} {rest}", names.get(context)),
        None => names.get(waiting_on),
    }
}

fn targets(
    mark: char,
    word: &str,
    targets: &[Target],
    note: &str,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    if targets.len() > TARGET_LINES_MAX {
        let all: Vec<String> = targets.iter().map(ToString::to_string).collect();
        let text = format!("{} {note}: {}", count(targets.len(), "target"), all.join(", "));
        return row(mark, word, &escape(&text.replace(" :", ":")), look, out);
    }
    for target in targets {
        row(mark, word, escape(&format!("{target}  {note}")).trim_end(), look, out)?;
    }
    Ok(())
}

pub(super) fn row(
    mark: char,
    word: &str,
    text: &str,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let lines = wrap(text, look.width - INDENT);
    let first = lines.first().map(String::as_str).unwrap_or_default();
    let painted = match mark {
        '+' => look.styles.good("+"),
        '-' | 'x' => look.styles.warn(&mark.to_string()),
        mark => look.styles.mark(mark),
    };
    writeln!(out, "{}", format!("  {painted} {word:<11} {first}").trim_end())?;
    for line in lines.iter().skip(1) {
        writeln!(out, "{:INDENT$}{line}", "")?;
    }
    Ok(())
}

fn ledger_change(ledger: &LedgerReport) -> String {
    let entries = |number: usize| {
        if number == 1 { "1 entry".to_owned() } else { format!("{number} entries") }
    };
    match (&ledger.before, &ledger.after) {
        (None, None) => "none".to_owned(),
        (None, Some(after)) => format!("made, with {}", entries(after.len())),
        (Some(before), None) => format!("deleted, with {}", entries(before.len())),
        (Some(before), Some(after)) => {
            let gained: Vec<String> =
                after.iter().filter(|e| !before.contains(e)).map(|e| format!("+{e}")).collect();
            let lost: Vec<String> =
                before.iter().filter(|e| !after.contains(e)).map(|e| format!("-{e}")).collect();
            let change: Vec<String> = gained.into_iter().chain(lost).collect();
            escape(&format!("{} -> {}: {}", before.len(), entries(after.len()), change.join(" ")))
        }
    }
}

pub(super) fn target(blocked: &BlockedReport) -> Option<String> {
    let target = Target {
        id: blocked.id.clone()?,
        port: blocked.port?,
        quic_server_id: blocked.quic_server_id.clone(),
    };
    Some(target.to_string())
}

/// Findings stand after a blank line, which bindings have left already, and leave one.
fn tell_findings(
    report: &Reconcile,
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    if report.findings.is_empty() {
        return Ok(());
    }
    let mut text = Vec::new();
    findings::write(&report.findings, names, look, &mut text)?;
    let nothing_before = report.bindings.is_empty() && report.unclaimed.is_none();
    let text = if nothing_before { &text } else { text.trim_ascii_start() };
    out.write_all(text)?;
    writeln!(out)
}

/// `, 2 withheld`: what the group cannot take is nobody's decision, and not counted.
fn withheld(report: &Reconcile) -> String {
    let withheld = report
        .bindings
        .iter()
        .flat_map(|binding| &binding.plan.blocked)
        .filter(|blocked| blocked.reason != BlockedReason::Unregistrable)
        .chain(unclaimed::withheld(report))
        .count();
    if withheld == 0 { String::new() } else { format!(", {withheld} withheld") }
}

/// Why a pass of the controller is not made to happen.
fn why_not_nudged(reason: BlockedReason, waiting_on: &str) -> String {
    match reason {
        BlockedReason::Contested => format!("which {waiting_on} wants"),
        BlockedReason::Silent => format!("and {waiting_on} could not be read"),
        BlockedReason::LastHealthy => "the group's last healthy target".to_owned(),
        BlockedReason::Deferred => "or forget it while it drains".to_owned(),
        reason => why(reason, waiting_on),
    }
}

pub(super) fn why(reason: BlockedReason, waiting_on: &str) -> String {
    match reason {
        BlockedReason::Contested => format!("{waiting_on} wants it, and does not track it"),
        BlockedReason::Silent => {
            format!("{waiting_on} could not be read, and may serve from there")
        }
        BlockedReason::AnswersElsewhere => {
            "healthy, and nothing here has its address: another cluster may".to_owned()
        }
        BlockedReason::LastHealthy => {
            "the last healthy target of the group; --allow-empty takes it out".to_owned()
        }
        BlockedReason::Cap => "more than --max-deregister would go".to_owned(),
        BlockedReason::NeedsYes => "nobody said yes; --yes does".to_owned(),
        BlockedReason::Pending => "under a minute old; the next run judges again".to_owned(),
        BlockedReason::Deferred => "it is the controller's to do".to_owned(),
        BlockedReason::Unregistrable => "the group cannot take it".to_owned(),
        BlockedReason::Changed => {
            "the world changed meanwhile; the next run judges again".to_owned()
        }
        BlockedReason::NotUnhealthy => "not unhealthy; --include-healthy takes it out".to_owned(),
        BlockedReason::Initial => "in its first health checks".to_owned(),
        _ => "for a reason that `-o json` names".to_owned(),
    }
}
