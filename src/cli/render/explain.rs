//! `explain` as text.

use std::io::{self, Write};

use mctg::findings::catalogue::Rule;

use super::{Align, Look, align, wrap};

/// Writes what a finding means and how it is repaired.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn one(rule: &Rule, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    let title = format!("{} {}", rule.code, rule.name);
    writeln!(out, "{}", look.styles.strong(&title))?;
    paragraph("severity", rule.severity, look, out)?;
    paragraph("when", rule.when, look, out)?;
    paragraph("means", rule.meaning, look, out)?;
    paragraph("why", rule.why, look, out)?;
    for (index, repair) in rule.repair.iter().enumerate() {
        paragraph(if index == 0 { "repair" } else { "" }, repair.text, look, out)?;
        for command in repair.commands {
            writeln!(out, "{:INDENT$}  {}", "", look.styles.good(command))?;
        }
    }
    Ok(())
}

/// Columns of the longest label, and two blanks.
const INDENT: usize = 10;

fn paragraph(label: &str, text: &str, look: &Look, out: &mut dyn Write) -> io::Result<()> {
    for (index, line) in wrap(text, look.width - INDENT).iter().enumerate() {
        let label = if index == 0 { label } else { "" };
        writeln!(out, "{}{line}", look.styles.dim(&format!("{label:INDENT$}")))?;
    }
    Ok(())
}

/// Lists all findings.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn all(rules: &[&Rule], out: &mut dyn Write) -> io::Result<()> {
    let mut rows = vec![["CODE", "NAME", "SEVERITY"].map(str::to_owned).to_vec()];
    rows.extend(rules.iter().map(|rule| {
        // The condition is told where the finding is explained.
        let words = ["critical", "warning", "info"];
        let levels: Vec<&str> =
            words.into_iter().filter(|word| rule.severity.contains(word)).collect();
        vec![rule.code.to_owned(), rule.name.to_owned(), levels.join(" or ")]
    }));
    for line in align(&rows, &[Align::Left; 3]) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "\nkubectl mctg explain CODE tells what it means and how to repair it.")
}
