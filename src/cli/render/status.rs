//! `status` as text: the verdict, what serves what, what is wrong, what was read.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::time::Duration;

use mctg::error::escape;
use mctg::findings::{Finding, Severity, catalogue};
use mctg::report::{BindingState, ContextReport, GroupStatus, HealthCounts, Status};

use super::{Look, Names, count, elapsed, findings, list, many, tree, wrap};
use crate::cli::exit::Exit;

/// Over so many groups, those that are fine share one line.
const GROUPS_IN_FULL_MAX: usize = 5;

/// What the run knows beside the report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// How long it took, where that is known.
    pub(crate) took: Option<Duration>,
    /// How it ends.
    pub(crate) exit: Exit,
    /// How many findings were left out because the user asked for it.
    pub(crate) ignored: usize,
    /// Whether `-n` or `-l` chose among what was read.
    pub(crate) chosen: bool,
}

/// Writes a status.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn write(
    report: &Status,
    run: &Run,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = Names::of(&report.contexts).with_owners(&report.target_groups);
    if report.demo {
        demo_mark(look, out)?;
    }
    verdict(report, run, &names, look, out)?;
    if report.target_groups.len() > GROUPS_IN_FULL_MAX && !look.wide {
        many::write(report, &names, look, out)?;
    } else {
        tree::write(report, &names, look, out)?;
    }
    findings::write(&report.findings, &names, look, out)?;
    contexts(&report.contexts, &names, look, out)?;
    footer(report, run, look, out)
}

/// Says that the world is simulated.
pub(crate) fn demo_mark(look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let words = "two simulated clusters; nothing real is read or changed.";
    writeln!(out, "{}  {words}\n", look.styles.strong("DEMO"))
}

fn verdict(
    report: &Status,
    run: &Run,
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let worst = report.findings.iter().map(|finding| finding.severity).max();
    let (word, painted) = match worst {
        _ if !report.complete => ("INCOMPLETE", look.styles.warn("INCOMPLETE")),
        Some(Severity::Critical) => ("CRITICAL", look.styles.bad("CRITICAL")),
        Some(Severity::Warning) => ("WARNING", look.styles.warn("WARNING")),
        Some(Severity::Info) | None => ("OK", look.styles.good("OK")),
    };
    let mut text = Vec::new();
    if !report.complete {
        text.push(unread(report, names));
    }
    let telling = report
        .findings
        .iter()
        .filter(|finding| !catalogue::is_incompleteness(finding.code))
        .max_by(|a, b| a.severity.cmp(&b.severity).then(b.code.cmp(a.code)))
        .filter(|finding| finding.severity > Severity::Info);
    if let Some(finding) = telling
        && let Some(rule) = catalogue::find(finding.code)
    {
        let subject = subject(finding, names);
        text.push(if subject.is_empty() {
            format!("{}.", rule.gist)
        } else {
            format!("{subject}: {}.", rule.gist)
        });
    }
    text.push(totals(report, run));
    let fine = report.complete && worst.is_none_or(|worst| worst == Severity::Info);
    if fine && !report.target_groups.is_empty() && is_calm(report) {
        text.push("Nothing to do.".to_owned());
    }
    let indent = word.len() + 2;
    for (index, line) in wrap(&text.join(" "), look.width - indent).iter().enumerate() {
        if index == 0 {
            writeln!(out, "{painted}  {line}")?;
        } else {
            writeln!(out, "{:indent$}{line}", "")?;
        }
    }
    Ok(())
}

/// Says whether everything is as it should be, healthy included.
fn is_calm(report: &Status) -> bool {
    report.target_groups.iter().flat_map(|group| &group.bindings).all(|binding| {
        binding.state == BindingState::InSync && binding.healthy == binding.registered
    })
}

/// Names what a finding is about: `default/nginx of pri`, a group, a context.
fn subject(finding: &Finding, names: &Names) -> String {
    let context = finding.context.as_deref().map(|context| names.get(context));
    let binding = names.binding(finding);
    match (binding, context, &finding.target_group_arn) {
        (Some(binding), Some(context), _) => format!("{binding} of {context}"),
        (Some(binding), None, _) => binding,
        (None, _, Some(arn)) => escape(arn.name()),
        (None, Some(context), None) => context,
        (None, None, None) => String::new(),
    }
}

/// Says in one sentence what could not be read.
fn unread(report: &Status, names: &Names) -> String {
    let silent: Vec<String> = report
        .contexts
        .iter()
        .filter(|context| !context.reachable && context.same_as.is_none())
        .map(|context| names.get(&context.context))
        .collect();
    let mut sentences = Vec::new();
    if !silent.is_empty() {
        sentences.push(format!("{} could not be read.", list(&silent)));
    }
    let mut told = BTreeSet::new();
    for finding in &report.findings {
        // A context that is silent was named already.
        let new = finding.code != "MCTG901" && told.insert(finding.code);
        if catalogue::is_incompleteness(finding.code)
            && new
            && let Some(rule) = catalogue::find(finding.code)
        {
            let subject = subject(finding, names);
            let colon = if subject.is_empty() { "" } else { ": " };
            sentences.push(format!("{subject}{colon}{}.", rule.gist));
        }
    }
    if sentences.is_empty() {
        "Not everything could be read.".to_owned()
    } else {
        sentences.join(" ")
    }
}

/// `1 shared target group, 2 clusters, 5/5 targets healthy.`
fn totals(report: &Status, run: &Run) -> String {
    let groups = &report.target_groups;
    let read: Vec<&ContextReport> =
        report.contexts.iter().filter(|context| context.same_as.is_none()).collect();
    if groups.is_empty() {
        let bindings: usize = read.iter().filter_map(|context| context.bindings).sum();
        return match (read.iter().any(|context| context.reachable), bindings) {
            (false, _) => "Nothing was read.".to_owned(),
            (true, 0) => "No TargetGroupBinding in what was read.".to_owned(),
            (true, _) if run.chosen => format!(
                "No binding of a shared target group was chosen, among {} that were read.",
                count(bindings, "binding")
            ),
            (true, _) => format!(
                "No shared target group among {}; --all shows those that are not shared.",
                count(bindings, "binding")
            ),
        };
    }
    let shared = groups.iter().all(is_shared);
    let clusters: BTreeSet<&str> = groups
        .iter()
        .flat_map(|group| &group.bindings)
        .map(|binding| binding.context.as_str())
        .collect();
    let health: Vec<&HealthCounts> =
        groups.iter().filter_map(|group| group.health.as_ref()).collect();
    let healthy: usize = health.iter().map(|health| health.healthy).sum();
    let all: usize = health.iter().map(|health| registered(health)).sum();
    let mut text = format!(
        "{}, {}, ",
        count(groups.len(), if shared { "shared target group" } else { "target group" }),
        count(clusters.len(), "cluster")
    );
    if health.len() < groups.len() {
        let unknown = groups.len() - health.len();
        text.push_str(&format!("health of {} not known, ", count(unknown, "group")));
    }
    text.push_str(&format!("{healthy}/{} healthy.", count(all, "target")));
    text
}

/// Targets that count as registered: all but those on their way out.
pub(super) fn registered(health: &HealthCounts) -> usize {
    health.healthy + health.initial + health.unhealthy + health.unused + health.unavailable
}

pub(super) fn is_shared(group: &GroupStatus) -> bool {
    group.bindings.len() > 1 || group.bindings.iter().any(|binding| binding.multi_cluster)
}

/// Tells of contexts what no tree shows: duplicates, hidden parts, those without bindings.
fn contexts(
    contexts: &[ContextReport],
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut lines = Vec::new();
    for context in contexts {
        let name = names.get(&context.context);
        if let Some(other) = &context.same_as {
            lines.push(format!("{name} is the same cluster as {}, read once.", names.get(other)));
        } else if let (true, Some(message)) = (context.reachable, &context.message) {
            lines.push(format!("{name}: {}", escape(message)));
        }
        if look.wide && context.same_as.is_none() {
            for controller in context.controllers.iter().flatten() {
                let alive = match controller.alive {
                    Some(true) => "alive",
                    Some(false) => "absent",
                    None => "state not known",
                };
                let version = controller.version.as_deref().unwrap_or("version not known");
                let words = format!(
                    "{name}: {} {version}, {alive} ({})",
                    controller.kind.as_str(),
                    controller.evidence
                );
                lines.push(escape(&words));
            }
        }
    }
    let empty: Vec<String> = contexts
        .iter()
        .filter(|context| context.bindings == Some(0) && context.same_as.is_none())
        .map(|context| names.get(&context.context))
        .collect();
    if !empty.is_empty() {
        lines.push(format!(
            "{} without a TargetGroupBinding: {}.",
            count(empty.len(), "context"),
            list(&empty)
        ));
    }
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    for line in lines {
        for line in wrap(&line, look.width) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn footer(report: &Status, run: &Run, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let mut text = read_line(&report.contexts);
    if !report.target_groups.is_empty() {
        let read = report.target_groups.iter().filter(|group| group.health.is_some()).count();
        text.push_str(&format!(", {read}/{} target groups", report.target_groups.len()));
    }
    if let Some(took) = run.took {
        text.push_str(&format!(" in {}", elapsed(took)));
    }
    text.push_str(&format!(" at {}.", report.observed_at.strftime("%F %TZ")));
    if run.ignored > 0 {
        text.push_str(&format!(" {} ignored.", count(run.ignored, "finding")));
    }
    if run.exit != Exit::Fine {
        text.push_str(&format!(" Exit {}.", run.exit.code()));
    }
    writeln!(out)?;
    for line in wrap(&text, look.width) {
        writeln!(out, "{}", look.styles.dim(&line))?;
    }
    Ok(())
}

/// `Read 2/3 contexts`; contexts of one cluster count once.
pub(super) fn read_line(contexts: &[ContextReport]) -> String {
    let own = || contexts.iter().filter(|context| context.same_as.is_none() && !context.lost);
    let read = own().filter(|context| context.reachable).count();
    format!("Read {read}/{} contexts", own().count())
}
