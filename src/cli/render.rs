//! Reports as text. Meaning is in words and marks; colour only underlines it.
//!
//! Marks: `!` wrong, `?` not known, `*` owns the load balancer.

pub(crate) mod change;
pub(crate) mod check;
pub(crate) mod document;
pub(crate) mod explain;
mod findings;
mod many;
pub(crate) mod reconcile;
pub(crate) mod status;
#[cfg(test)]
mod tests;
mod tree;
pub(crate) mod unclaimed;

use std::collections::BTreeMap;
use std::time::Duration;

use mctg::error::escape;
use mctg::findings::{Finding, Severity};
use mctg::report::{ContextReport, GroupStatus};
use owo_colors::{OwoColorize, Style};
use tabled::builder::Builder;
use tabled::settings::object::Columns;
use tabled::settings::style::Style as TableStyle;
use tabled::settings::{Alignment, Modify, Padding};
use unicode_width::UnicodeWidthStr;

/// Colours; the default has none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Styles {
    bad: Style,
    warn: Style,
    good: Style,
    strong: Style,
    dim: Style,
}

impl Styles {
    /// Colours for a terminal.
    pub(crate) fn colored() -> Self {
        Self {
            bad: Style::new().red().bold(),
            warn: Style::new().yellow().bold(),
            good: Style::new().green().bold(),
            strong: Style::new().bold(),
            dim: Style::new().dimmed(),
        }
    }

    pub(crate) fn bad(&self, text: &str) -> String {
        text.style(self.bad).to_string()
    }

    pub(crate) fn warn(&self, text: &str) -> String {
        text.style(self.warn).to_string()
    }

    pub(crate) fn good(&self, text: &str) -> String {
        text.style(self.good).to_string()
    }

    pub(crate) fn strong(&self, text: &str) -> String {
        text.style(self.strong).to_string()
    }

    pub(crate) fn dim(&self, text: &str) -> String {
        text.style(self.dim).to_string()
    }

    fn severity(&self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Critical => self.bad(text),
            Severity::Warning => self.warn(text),
            Severity::Info => self.strong(text),
        }
    }

    fn mark(&self, mark: char) -> String {
        match mark {
            '!' => self.bad("!"),
            '?' => self.warn("?"),
            other => other.to_string(),
        }
    }
}

/// How to print.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// Colours.
    pub(crate) styles: Styles,
    /// Columns of the terminal.
    pub(crate) width: usize,
    /// Every target, not only those with something to say about.
    pub(crate) wide: bool,
}

impl Look {
    /// The width of a pipe, and of the screens in the documentation.
    pub(crate) const WIDTH: usize = 80;
}

/// Short names of contexts, where they stay unique: an EKS ARN is shortened to its cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Names {
    contexts: BTreeMap<String, String>,
    /// The owner's name of a generated binding, by context, namespace and the binding's own name.
    owners: BTreeMap<(String, String, String), String>,
}

impl Names {
    /// Shortens the names of a report's contexts.
    pub(crate) fn of(contexts: &[ContextReport]) -> Self {
        let names: Vec<&str> = contexts.iter().map(|context| context.context.as_str()).collect();
        Self::of_contexts(&names)
    }

    /// Shortens the names of contexts.
    pub(crate) fn of_contexts(contexts: &[&str]) -> Self {
        let short = |name: &str| match name.split_once(":cluster/") {
            Some((arn, cluster)) if arn.starts_with("arn:") && !cluster.is_empty() => {
                cluster.to_owned()
            }
            _ => name.to_owned(),
        };
        let mut uses: BTreeMap<String, usize> = BTreeMap::new();
        for context in contexts {
            *uses.entry(short(context)).or_default() += 1;
        }
        let choose = |name: &str| {
            let short = short(name);
            escape(if uses.get(&short) == Some(&1) { &short } else { name })
        };
        Self {
            contexts: contexts.iter().map(|c| ((*c).to_owned(), choose(c))).collect(),
            owners: BTreeMap::new(),
        }
    }

    /// Learns the owners of generated bindings: people know those, not the bindings.
    fn with_owners(mut self, groups: &[GroupStatus]) -> Self {
        for binding in groups.iter().flat_map(|group| &group.bindings) {
            if let Some(owner) = &binding.owner {
                let key =
                    (binding.context.clone(), binding.namespace.clone(), binding.name.clone());
                self.owners.insert(key, owner.name.clone());
            }
        }
        self
    }

    /// The binding of a finding, as `namespace/name`; its owner's name where it has one.
    fn binding(&self, finding: &Finding) -> Option<String> {
        let name = finding.binding.clone()?;
        let Some(namespace) = finding.namespace.clone() else {
            return Some(escape(&name));
        };
        let context = finding.context.clone().unwrap_or_default();
        let key = (context, namespace, name);
        let shown = self.owners.get(&key).unwrap_or(&key.2);
        Some(escape(&format!("{}/{shown}", key.1)))
    }

    /// The name to show for a context.
    pub(crate) fn get(&self, context: &str) -> String {
        self.contexts.get(context).cloned().unwrap_or_else(|| escape(context))
    }
}

/// Columns that a text takes on a terminal.
pub(crate) fn columns(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// Breaks a text between words so that no line is wider than `width`, if no word is.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// How the cells of a column stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Lines up cells in columns, two blanks apart, numbers one; no trailing blanks.
pub(crate) fn align(rows: &[Vec<String>], aligns: &[Align]) -> Vec<String> {
    if rows.is_empty() {
        return Vec::new();
    }
    let mut builder = Builder::default();
    for row in rows {
        builder.push_record(row);
    }
    let mut table = builder.build();
    table.with(TableStyle::empty());
    for (index, align) in aligns.iter().enumerate() {
        let alignment = match align {
            Align::Left => Alignment::left(),
            Align::Right => Alignment::right(),
        };
        let numbers = *align == Align::Right && aligns.get(index + 1) == Some(&Align::Right);
        let padding = Padding::new(0, if numbers { 1 } else { 2 }, 0, 0);
        table.with(Modify::new(Columns::one(index)).with(alignment).with(padding));
    }
    table.to_string().lines().map(|line| line.trim_end().to_owned()).collect()
}

/// `1 target`, `2 targets`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// `0.4 s`, `31 s`, `1m32s`.
pub(crate) fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match time.as_secs() {
        0..=19 => format!("{seconds:.1} s"),
        20..=99 => format!("{seconds:.0} s"),
        whole => format!("{}m{:02}s", whole / 60, whole % 60),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list<T: AsRef<str>>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [only] => only.as_ref().to_owned(),
        [first @ .., last] => {
            let first: Vec<&str> = first.iter().map(AsRef::as_ref).collect();
            format!("{} and {}", first.join(", "), last.as_ref())
        }
    }
}
