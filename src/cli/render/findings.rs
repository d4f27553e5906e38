//! Findings as text: what, where, and the line to paste.

use std::io::{self, Write};

use mctg::error::escape;
use mctg::findings::{Finding, Severity, catalogue};

use super::{Look, Names, count, wrap};

/// Findings beyond so many are counted; those about what could not be read are always shown.
const SHOWN_MAX: usize = 20;

/// Writes findings, worst first as the report has them.
pub(super) fn write(
    findings: &[Finding],
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut left = 0;
    for (index, finding) in findings.iter().enumerate() {
        if index >= SHOWN_MAX && !look.wide && !catalogue::is_incompleteness(finding.code) {
            left += 1;
        } else if finding.severity == Severity::Info && finding.fix.is_none() {
            note(finding, look, out)?;
        } else {
            write_one(finding, names, look, out)?;
        }
    }
    if left > 0 {
        writeln!(out, "\nAnd {}: -o wide shows all.", count(left, "further finding"))?;
    }
    Ok(())
}

/// Writes what is good to know and needs nothing done in one sentence.
fn note(finding: &Finding, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let text = format!("{} {}: {}", finding.code, severity(finding.severity), finding.message);
    writeln!(out)?;
    for (index, line) in wrap(&escape(&text), look.width - 2).iter().enumerate() {
        let indent = if index == 0 { "" } else { "  " };
        writeln!(out, "{indent}{line}")?;
    }
    Ok(())
}

fn write_one(finding: &Finding, names: &Names, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let mut place: Vec<String> = finding.context.iter().map(|context| names.get(context)).collect();
    if let Some(binding) = names.binding(finding) {
        place.push(binding);
    } else if let Some(arn) = &finding.target_group_arn {
        place.push(escape(arn.name()));
    }
    let severity = severity(finding.severity);
    writeln!(
        out,
        "\n{} {}  {}  {}",
        look.styles.strong(finding.code),
        look.styles.strong(finding.name),
        look.styles.severity(finding.severity, severity),
        place.join(" ")
    )?;
    for line in wrap(&escape(&finding.message), look.width - 2) {
        writeln!(out, "  {line}")?;
    }
    // What is to be pasted is never broken.
    for line in finding.fix.iter().flat_map(|fix| fix.lines()) {
        // What to do once a cluster is gone for good is no way to make it answer.
        let label =
            if line.contains("mctg") && line.contains(" unbind --lost ") { "gone?" } else { "fix" };
        writeln!(out, "  {}  {}", look.styles.good(label), escape(line))?;
    }
    writeln!(out, "  {}", look.styles.dim(&format!("why  kubectl mctg explain {}", finding.code)))
}

/// The severity as a word.
pub(crate) fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Critical => "critical",
    }
}
