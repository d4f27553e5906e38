//! Many target groups: a line for each that is in trouble, and one for all that are fine.

use std::collections::BTreeSet;
use std::io::{self, Write};

use mctg::error::escape;
use mctg::findings::{Finding, Severity};
use mctg::report::{BindingState, GroupStatus, Status};

use super::tree::{blocks, number, percent};
use super::{Align, Look, Names, align, count, list, wrap};

/// Over so many clusters there is no room for a column each.
const CLUSTER_COLUMNS_MAX: usize = 3;

/// Writes the lines.
pub(super) fn write(
    report: &Status,
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let clusters: Vec<&str> = report
        .target_groups
        .iter()
        .flat_map(|group| &group.bindings)
        .map(|binding| binding.context.as_str())
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    let table = Table { report, names, clusters };
    let (troubled, fine): (Vec<_>, Vec<_>) =
        report.target_groups.iter().partition(|group| table.mark(group) != ' ');

    let (header, aligns) = table.header();
    let mut marks = vec![' '];
    let mut rows = vec![header];
    for group in &troubled {
        marks.push(table.mark(group));
        rows.push(table.row(group));
    }
    if !fine.is_empty() {
        let others = if troubled.is_empty() { "all" } else { "others" };
        let mut row = vec![format!("{} {others}", fine.len())];
        row.resize(rows[0].len() - 1, String::new());
        row.push("none (-o wide lists them)".to_owned());
        marks.push(' ');
        rows.push(row);
    }
    writeln!(out)?;
    for (mark, line) in marks.iter().zip(align(&rows, &aligns)) {
        writeln!(out, " {} {line}", look.styles.mark(*mark))?;
    }
    let losses: Vec<String> =
        table.clusters.iter().filter_map(|context| table.loss(context)).collect();
    if !losses.is_empty() {
        writeln!(out)?;
    }
    for loss in losses {
        for line in wrap(&loss, look.width) {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

struct Table<'a> {
    report: &'a Status,
    names: &'a Names,
    clusters: Vec<&'a str>,
}

impl Table<'_> {
    fn worst(&self, group: &GroupStatus) -> Option<&Finding> {
        let findings = self.report.findings.iter();
        findings
            .filter(|finding| finding.target_group_arn.as_ref() == Some(&group.arn))
            .max_by(|a, b| a.severity.cmp(&b.severity).then(b.code.cmp(a.code)))
    }

    /// `!` wrong, `?` not known; blank where nothing is to be said.
    fn mark(&self, group: &GroupStatus) -> char {
        let state = |wanted: BindingState| group.bindings.iter().any(|b| b.state == wanted);
        let bad = state(BindingState::Failing) || state(BindingState::Drifted);
        match self.worst(group).map(|finding| finding.severity) {
            Some(Severity::Critical | Severity::Warning) => '!',
            _ if bad => '!',
            _ if state(BindingState::Unknown) || group.health.is_none() => '?',
            _ => ' ',
        }
    }

    fn header(&self) -> (Vec<String>, Vec<Align>) {
        let mut header = vec!["SERVICE".to_owned()];
        let mut aligns = vec![Align::Left];
        if self.clusters.len() <= CLUSTER_COLUMNS_MAX {
            header.extend(self.clusters.iter().map(|context| self.names.get(context)));
            aligns.extend(self.clusters.iter().map(|_| Align::Right));
        } else {
            header.extend(["CLUSTERS".to_owned(), "OK/WANT".to_owned()]);
            aligns.extend([Align::Right, Align::Right]);
        }
        if let [a, b] = self.clusters[..] {
            header.push(format!("SHARE {}|{}", self.names.get(a), self.names.get(b)));
            aligns.push(Align::Left);
        }
        header.push("WORST FINDING".to_owned());
        aligns.push(Align::Left);
        (header, aligns)
    }

    fn row(&self, group: &GroupStatus) -> Vec<String> {
        let mut row = vec![service(group)];
        if self.clusters.len() <= CLUSTER_COLUMNS_MAX {
            row.extend(
                self.clusters.iter().map(|context| healthy_of_desired(group, Some(context))),
            );
        } else {
            let bound: BTreeSet<&str> =
                group.bindings.iter().map(|binding| binding.context.as_str()).collect();
            row.extend([bound.len().to_string(), healthy_of_desired(group, None)]);
        }
        if let [a, b] = self.clusters[..] {
            row.push(shares(share_of(group, a), share_of(group, b)));
        }
        row.push(match self.worst(group) {
            Some(finding) => format!("{} {}", finding.code, finding.name),
            None => "-".to_owned(),
        });
        row
    }

    /// `Without blue: 210 groups keep serving, 1 goes dark (shop/search), 3 lose a zone.`
    fn loss(&self, context: &str) -> Option<String> {
        let lost = |group: &GroupStatus| {
            group
                .if_lost
                .iter()
                .find(|lost| lost.context == context)
                .map(|lost| (lost.healthy_left > 0, !lost.zones_dark.is_empty()))
        };
        let (mut serving, mut thin, mut dark) = (0, 0, Vec::new());
        for group in &self.report.target_groups {
            match lost(group) {
                Some((false, _)) => dark.push(service(group)),
                Some((true, zones_dark)) => {
                    serving += 1;
                    thin += usize::from(zones_dark);
                }
                None => {}
            }
        }
        if serving == 0 && dark.is_empty() {
            return None;
        }
        let keep = if serving == 1 { "keeps" } else { "keep" };
        let mut text = format!(
            "Without {}: {} {keep} serving",
            self.names.get(context),
            count(serving, "group")
        );
        if !dark.is_empty() {
            let goes = if dark.len() == 1 { "goes" } else { "go" };
            let named = if dark.len() <= 3 { format!(" ({})", list(&dark)) } else { String::new() };
            text.push_str(&format!(", {} {goes} dark{named}", dark.len()));
        }
        if thin > 0 {
            let lose = if thin == 1 { "loses" } else { "lose" };
            text.push_str(&format!(", {thin} {lose} a zone"));
        }
        text.push('.');
        Some(text)
    }
}

/// What people call the group: the Service of its first binding.
fn service(group: &GroupStatus) -> String {
    escape(&match group.bindings.first() {
        Some(binding) => format!("{}/{}", binding.namespace, binding.service.name),
        None => group.name.clone(),
    })
}

fn healthy_of_desired(group: &GroupStatus, context: Option<&str>) -> String {
    let chosen =
        || group.bindings.iter().filter(|binding| context.is_none_or(|c| c == binding.context));
    if chosen().next().is_none() {
        return "-".to_owned();
    }
    let healthy: Option<usize> = chosen().map(|binding| binding.healthy).sum();
    let desired: Option<usize> = chosen().map(|binding| binding.desired).sum();
    format!("{}/{}", number(healthy), number(desired))
}

fn share_of(group: &GroupStatus, context: &str) -> Option<f64> {
    group.bindings.iter().filter(|binding| binding.context == context).map(|b| b.share).sum()
}

/// `38% ████│██████ 62%`
fn shares(a: Option<f64>, b: Option<f64>) -> String {
    match (a, b) {
        (Some(a), Some(b)) if a + b > 0.0 => {
            let left = blocks(a / (a + b));
            let bar = format!("{}│{}", "█".repeat(left), "█".repeat(10 - left));
            format!("{:>4} {bar} {:>3}", percent(a), percent(b))
        }
        _ => "-".to_owned(),
    }
}
