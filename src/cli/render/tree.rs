//! One tree for each load balancer: listener, target group, a row for each binding, and beneath
//! it the targets that there is something to say about.

mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use mctg::class::Class;
use mctg::error::escape;
use mctg::report::{
    BindingState, BindingStatus, ContextReport, GroupStatus, LoadBalancerStatus, Status,
};

use super::{Align, Look, Names, align, columns, list, wrap};

/// Over so many zones, columns for them are too many to read.
const ZONE_COLUMNS_MAX: usize = 6;

/// Blocks of a share bar.
const BAR: usize = 10;

/// Writes the trees.
pub(super) fn write(
    report: &Status,
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    for (load_balancer, groups) in by_load_balancer(&report.target_groups) {
        writeln!(out)?;
        load_balancer_line(load_balancer, &groups, look, out)?;
        for (index, group) in groups.iter().enumerate() {
            let last = index + 1 == groups.len();
            Block { group, contexts: &report.contexts, names, look, last }.write(out)?;
        }
    }
    Ok(())
}

/// What a group hangs from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Above<'a> {
    Arn(&'a str),
    Nothing,
    Unknown,
}

/// A group behind several load balancers is shown under the first; its line names the others.
fn by_load_balancer(
    groups: &[GroupStatus],
) -> Vec<(Option<&LoadBalancerStatus>, Vec<&GroupStatus>)> {
    let mut trees: BTreeMap<Above<'_>, (Option<&LoadBalancerStatus>, Vec<&GroupStatus>)> =
        BTreeMap::new();
    for group in groups {
        let first = group.load_balancers.as_ref().map(|all| all.first());
        let (above, load_balancer) = match first {
            Some(Some(load_balancer)) => (Above::Arn(&load_balancer.arn), Some(load_balancer)),
            Some(None) => (Above::Nothing, None),
            None => (Above::Unknown, None),
        };
        trees.entry(above).or_insert((load_balancer, Vec::new())).1.push(group);
    }
    trees.into_values().collect()
}

fn load_balancer_line(
    load_balancer: Option<&LoadBalancerStatus>,
    groups: &[&GroupStatus],
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let Some(lb) = load_balancer else {
        let unknown = groups.iter().any(|group| group.load_balancers.is_none());
        let words = if unknown { "(load balancer not known)" } else { "(behind no load balancer)" };
        return writeln!(out, "{words}");
    };
    let kind = match lb.kind.as_str() {
        "network" => "NLB",
        "application" => "ALB",
        "gateway" => "GWLB",
        other => other,
    };
    let mut facts = Vec::new();
    facts.extend(groups.first().map(|group| group.region.clone()));
    facts.extend(lb.scheme.clone());
    facts.extend(lb.state.clone().filter(|state| state != "active"));
    facts.push(match lb.deletion_protection {
        Some(true) => "protected".to_owned(),
        Some(false) => "not protected".to_owned(),
        None => "protection not known".to_owned(),
    });
    headline(&format!("{kind} {}", lb.name), &facts, "   ", look, out)
}

/// Writes a name with facts behind it, or beneath it where the line is too narrow for both.
fn headline(
    left: &str,
    facts: &[String],
    indent: &str,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let left = escape(left);
    let facts = escape(&facts.join(" | "));
    if columns(&left) + 3 + columns(&facts) <= look.width {
        writeln!(out, "{}   {facts}", look.styles.strong(&left))
    } else {
        writeln!(out, "{}", look.styles.strong(&left))?;
        writeln!(out, "{indent}{facts}")
    }
}

/// A target group beneath its load balancer.
struct Block<'a> {
    group: &'a GroupStatus,
    contexts: &'a [ContextReport],
    names: &'a Names,
    look: &'a Look,
    last: bool,
}

/// A line of the table, and what hangs from it.
struct Row {
    mark: char,
    cells: Vec<String>,
    children: Vec<Vec<String>>,
}

impl Block<'_> {
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        self.group_line(out)?;
        let (header, aligns) = self.columns();
        let mut rows: Vec<Row> =
            self.group.bindings.iter().map(|binding| self.binding_row(binding)).collect();
        let silent =
            self.contexts.iter().filter(|context| !context.reachable && context.same_as.is_none());
        rows.extend(silent.map(|context| self.silent_row(context)));
        rows.extend(
            [Class::Unclaimed, Class::Unknown, Class::Draining]
                .into_iter()
                .filter_map(|class| self.unowned_row(class)),
        );

        let mut cells = vec![header];
        cells.extend(rows.iter().map(|row| row.cells.clone()));
        let mut lines = align(&cells, &aligns).into_iter();
        let rail = if self.last { ' ' } else { '│' };
        let head = lines.next().unwrap_or_default();
        writeln!(out, "{rail}  {}", self.look.styles.dim(&head))?;
        for (row, line) in rows.iter().zip(lines) {
            let mark = self.look.styles.mark(row.mark);
            writeln!(out, "{}", format!("{rail}{mark} {line}").trim_end())?;
            self.write_children(rail, &row.children, out)?;
        }
        for line in wrap(&self.note(), self.look.width - 3) {
            writeln!(out, "{rail}  {line}")?;
        }
        Ok(())
    }

    /// In columns where everything is shown, else one sentence each.
    fn write_children(
        &self,
        rail: char,
        children: &[Vec<String>],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let lines: Vec<Vec<String>> = if self.look.wide {
            align(children, &[Align::Left; 5]).into_iter().map(|line| vec![line]).collect()
        } else {
            let text = |cells: &Vec<String>| {
                let facts: Vec<&str> =
                    cells.iter().skip(2).map(String::as_str).filter(|c| !c.is_empty()).collect();
                let head = cells.iter().take(2).cloned().collect::<Vec<_>>().join(" ");
                format!("{head}  {}", facts.join(", "))
            };
            children.iter().map(|cells| wrap_after(&text(cells), self.look.width - 6)).collect()
        };
        for (index, lines) in lines.iter().enumerate() {
            let last = index + 1 == children.len();
            let (branch, stem) = if last { ("└─", "  ") } else { ("├─", "│ ") };
            for (index, line) in lines.iter().enumerate() {
                let lead = if index == 0 { branch } else { stem };
                writeln!(out, "{rail}  {lead} {line}")?;
            }
        }
        Ok(())
    }

    fn group_line(&self, out: &mut dyn Write) -> io::Result<()> {
        let group = self.group;
        let load_balancers = group.load_balancers.as_deref().unwrap_or_default();
        let listeners = match load_balancers.first().map(|lb| &lb.listeners) {
            None => String::new(),
            Some(None) => "listeners not read ── ".to_owned(),
            Some(Some(listeners)) if listeners.is_empty() => "no listener ── ".to_owned(),
            Some(Some(listeners)) => {
                let names: Vec<String> = listeners
                    .iter()
                    .map(|listener| {
                        let protocol = listener.protocol.as_deref().unwrap_or("?");
                        let port = listener.port.map_or("?".to_owned(), |port| port.to_string());
                        let weight = match listener.weight {
                            weight if weight < 1.0 => format!(" (weight {})", percent(weight)),
                            _ => String::new(),
                        };
                        format!("{protocol}:{port}{weight}")
                    })
                    .collect();
                format!("{} ── ", names.join(", "))
            }
        };
        let branch = if self.last { "└─" } else { "├─" };
        let mut facts: Vec<String> = group.target_type.clone().into_iter().collect();
        match &group.health {
            None => facts.push("health not read".to_owned()),
            Some(health) => {
                let states = [
                    (health.healthy, "healthy"),
                    (health.initial, "initial"),
                    (health.unhealthy, "unhealthy"),
                    (health.unused, "unused"),
                    (health.unavailable, "unavailable"),
                    (health.draining, "draining"),
                ];
                let told: Vec<String> = states
                    .into_iter()
                    .filter(|(number, state)| *number > 0 || *state == "healthy")
                    .map(|(number, state)| format!("{number} {state}"))
                    .collect();
                facts.push(told.join(", "));
            }
        }
        facts.push(match group.cross_zone {
            Some(true) => "cross-zone on".to_owned(),
            Some(false) => "cross-zone off".to_owned(),
            None => "cross-zone not known".to_owned(),
        });
        if let [_, others @ ..] = load_balancers
            && !others.is_empty()
        {
            let names: Vec<&str> = others.iter().map(|lb| lb.name.as_str()).collect();
            facts.push(format!("also behind {}", list(&names)));
        }
        let namespaces = self.namespaces();
        if let [namespace] = namespaces.iter().copied().collect::<Vec<_>>()[..]
            && namespace != "default"
        {
            facts.push(format!("namespace {namespace}"));
        }
        let indent = if self.last { "   " } else { "│  " };
        headline(&format!("{branch} {listeners}{}", group.name), &facts, indent, self.look, out)
    }

    fn namespaces(&self) -> BTreeSet<&str> {
        self.group.bindings.iter().map(|binding| binding.namespace.as_str()).collect()
    }

    /// Says whether the short form of the table tells everything.
    fn is_calm(&self) -> bool {
        let settled = |binding: &BindingStatus| {
            binding.state == BindingState::InSync
                && binding.desired.is_some()
                && binding.tracked == binding.desired
                && binding.registered == binding.desired
                && binding.healthy == binding.desired
        };
        let read = |context: &ContextReport| context.reachable || context.same_as.is_some();
        self.group.bindings.iter().all(settled)
            && self.contexts.iter().all(read)
            && self.unowned(Class::Unclaimed).next().is_none()
            && self.unowned(Class::Unknown).next().is_none()
    }

    fn zones(&self) -> BTreeSet<&str> {
        let of_bindings = self
            .group
            .bindings
            .iter()
            .flat_map(|binding| binding.healthy_by_zone.iter().flat_map(BTreeMap::keys));
        let of_load_balancers = self
            .group
            .load_balancers
            .iter()
            .flatten()
            .flat_map(|load_balancer| &load_balancer.availability_zones);
        of_bindings.chain(of_load_balancers).map(String::as_str).collect()
    }

    /// The zone as the table shows it: `1a` for `us-east-1a`, where that stays unique.
    fn short_zone<'z>(&self, zone: &'z str) -> &'z str {
        let short = |zone: &'z str| zone.rsplit('-').next().unwrap_or(zone);
        let zones = self.zones();
        let clash =
            zones.iter().filter(|other| other.rsplit('-').next().unwrap_or(other) == short(zone));
        if clash.count() > 1 { zone } else { short(zone) }
    }

    /// What losing each cluster would leave.
    fn note(&self) -> String {
        let mut sentences = Vec::new();
        if self.group.bindings.iter().any(|binding| self.is_owner(binding)) {
            sentences.push("* owns the load balancer.".to_owned());
        }
        let calm = self.is_calm();
        for lost in &self.group.if_lost {
            let name = self.names.get(&lost.context);
            let zones: Vec<&str> =
                lost.zones_dark.iter().map(|zone| self.short_zone(zone)).collect();
            let dark = match zones.len() {
                0 => None,
                1 => Some(format!("zone {} serves nothing", zones[0])),
                _ => Some(format!("zones {} serve nothing", list(&zones))),
            };
            match (calm && lost.healthy_left > 0, dark) {
                (true, Some(dark)) => sentences.push(format!("Without {name} {dark}.")),
                (true, None) => {}
                (false, _) if lost.healthy_left == 0 => {
                    sentences.push(format!("If {name} goes: nothing is left."));
                }
                (false, Some(dark)) => {
                    let left = left(lost.healthy_left);
                    sentences.push(format!("If {name} goes: {left}, {dark}."));
                }
                (false, None) => {
                    sentences.push(format!("If {name} goes: {}.", left(lost.healthy_left)));
                }
            }
        }
        escape(&sentences.join(" "))
    }
}

/// Breaks a text of at least two words; a double blank survives where the line is not broken.
fn wrap_after(text: &str, width: usize) -> Vec<String> {
    let text = text.trim_end();
    if columns(text) <= width { vec![text.to_owned()] } else { wrap(text, width) }
}

/// The class in words.
pub(super) fn class_word(class: Class) -> &'static str {
    match class {
        Class::Contested => "contested",
        Class::Unregistrable => "unregistrable",
        Class::Missing => "missing",
        Class::Draining => "draining",
        Class::InSync => "in sync",
        Class::Untracked => "untracked",
        Class::Stale => "stale",
        Class::Phantom => "phantom",
        Class::Unclaimed => "unclaimed",
        Class::Unknown => "unknown",
    }
}

fn left(healthy: usize) -> String {
    if healthy == 0 { "nothing left".to_owned() } else { format!("{healthy} left") }
}

/// A number, or a dash for what is not known.
pub(super) fn number(number: Option<usize>) -> String {
    number.map_or("-".to_owned(), |number| number.to_string())
}

pub(super) fn percent(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

/// How many of the bar's blocks are full: never none or all of them unless the share is.
pub(super) fn blocks(share: f64) -> usize {
    let full = (0..=BAR).filter(|full| *full as f64 <= share * BAR as f64 + 0.5).max();
    match full.unwrap_or(0) {
        0 if share > 0.0 => 1,
        BAR if share < 1.0 => BAR - 1,
        full => full,
    }
}
