//! `check` as text: the verdict, then context by context what did not pass.

use std::io::{self, Write};
use std::time::Duration;

use mctg::error::escape;
use mctg::findings::{Severity, catalogue};
use mctg::report::{Check, CheckResult, Verdict};

use super::status::demo_mark;
use super::{Look, Names, count, elapsed, wrap};
use crate::cli::exit::Exit;

/// What the run knows beside the report.
pub(crate) struct Run<'a> {
    /// How long it took, where that is known.
    pub(crate) took: Option<Duration>,
    /// How it ends.
    pub(crate) exit: Exit,
    /// Whether what passed is listed too.
    pub(crate) all: bool,
    /// Whether a code was asked to be left out.
    pub(crate) ignores: &'a dyn Fn(&str) -> bool,
}

/// Writes a check.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn write(
    report: &Check,
    run: &Run<'_>,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = Names::of(&report.contexts);
    if report.demo {
        demo_mark(look, out)?;
    }
    verdict(report, run, &names, look, out)?;
    for context in &report.contexts {
        let own: Vec<&CheckResult> =
            report.results.iter().filter(|it| it.context == context.context).collect();
        let ignored = |it: &CheckResult| it.verdict != Verdict::Passed && is_ignored(it, run);
        let shown = |it: &&&CheckResult| run.all || (it.verdict != Verdict::Passed && !ignored(it));
        writeln!(out, "\n{}", look.styles.strong(&names.get(&context.context)))?;
        for result in own.iter().filter(shown) {
            line(result, look, out)?;
        }
        let passed = own.iter().filter(|it| it.verdict == Verdict::Passed).count();
        let left_out = own.iter().filter(|it| ignored(it)).count();
        if !run.all {
            let mut text = Vec::new();
            if passed > 0 {
                text.push(format!("{} passed (-o wide lists them)", count(passed, "check")));
            }
            if left_out > 0 {
                text.push(format!("{left_out} ignored"));
            }
            if !text.is_empty() {
                writeln!(out, "   {}", text.join(", "))?;
            }
        }
    }
    footer(report, run, look, out)
}

/// What could not be read is never left out.
fn is_ignored(result: &CheckResult, run: &Run<'_>) -> bool {
    !is_unread(result) && (run.ignores)(result.code)
}

fn is_unread(result: &CheckResult) -> bool {
    result.code == catalogue::REACHABLE.code || result.verdict == Verdict::Unknown
}

fn verdict(
    report: &Check,
    run: &Run<'_>,
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
    let wrong: Vec<&CheckResult> = report
        .results
        .iter()
        .filter(|it| it.verdict != Verdict::Passed && !is_ignored(it, run))
        .collect();
    let contexts = count(report.contexts.len(), "context");
    let total = count(report.results.len(), "check");
    let text = match wrong.iter().max_by_key(|it| rank(it)) {
        None => format!("{contexts}, {total} passed."),
        Some(worst) => {
            let gist = catalogue::find(worst.code).map_or("", |rule| rule.gist);
            let gist = if worst.verdict == Verdict::Unknown && !is_reachable(worst) {
                format!("{} could not be checked", worst.name)
            } else {
                gist.to_owned()
            };
            format!(
                "{}: {gist}. {} of {total} in {contexts} did not pass.",
                names.get(&worst.context),
                wrong.len()
            )
        }
    };
    let indent = word.len() + 2;
    for (index, line) in wrap(&text, look.width - indent).iter().enumerate() {
        if index == 0 {
            writeln!(out, "{painted}  {line}")?;
        } else {
            writeln!(out, "{:indent$}{line}", "")?;
        }
    }
    Ok(())
}

fn is_reachable(result: &CheckResult) -> bool {
    result.code == catalogue::REACHABLE.code
}

/// Which line tells most: what is not known, then what is wrong, the lower code first.
fn rank(result: &CheckResult) -> (u8, std::cmp::Reverse<&'static str>) {
    let rank = match result.verdict {
        _ if is_reachable(result) => 4,
        Verdict::Unknown => 3,
        Verdict::Failed => 2,
        Verdict::Warning => 1,
        Verdict::Passed => 0,
    };
    (rank, std::cmp::Reverse(result.code))
}

fn line(result: &CheckResult, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let (mark, painted) = match result.verdict {
        Verdict::Passed => (" ".to_owned(), look.styles.good("passed")),
        Verdict::Warning => (look.styles.mark('!'), look.styles.warn("warning")),
        Verdict::Failed => (look.styles.mark('!'), look.styles.bad("failed")),
        Verdict::Unknown => (look.styles.mark('?'), look.styles.warn("unknown")),
    };
    writeln!(out, " {mark} {} {}  {painted}", result.code, look.styles.strong(result.name))?;
    for line in wrap(&escape(&result.message), look.width - 5) {
        writeln!(out, "     {line}")?;
    }
    // What is to be pasted is never broken.
    if let Some(hint) = &result.hint {
        writeln!(out, "     {}  {}", look.styles.good("fix"), escape(hint))?;
    }
    if result.verdict == Verdict::Passed {
        return Ok(());
    }
    writeln!(out, "     {}", look.styles.dim(&format!("why  kubectl mctg explain {}", result.code)))
}

fn footer(report: &Check, run: &Run<'_>, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let reached = report.contexts.iter().filter(|context| context.reachable).count();
    let mut text = format!("Checked {reached}/{} contexts", report.contexts.len());
    if let Some(took) = run.took {
        text.push_str(&format!(" in {}", elapsed(took)));
    }
    text.push_str(&format!(" at {}.", report.observed_at.strftime("%F %TZ")));
    if run.exit != Exit::Fine {
        text.push_str(&format!(" Exit {}.", run.exit.code()));
    }
    writeln!(out, "\n{}", look.styles.dim(&text))
}
