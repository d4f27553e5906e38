//! What is wrong, how bad it is, and what to do about it. Pure.
//!
//! One file a family, as the codes are grouped; [`catalogue`] says what each finding means.

mod attachment;
pub mod catalogue;
mod controllers;
mod drift;
mod owners;
mod quotas;
mod reading;
mod sharing;
mod specs;
mod targets;
mod traffic;
mod unclaimed;

use jiff::Timestamp;
use serde::Serialize;

use crate::binding::{BindingRef, Flavour, OwnerKind};
use crate::facts::Facts;
use crate::objects::{Key, Kind};
use crate::selection::Selection;
use crate::target::{Target, TargetGroupArn};
use crate::view::{BindingView, GroupView};

/// Finds what is wrong with the groups given, worst first.
///
/// One cause makes one finding. What an annotation on the binding asks to leave out is left out,
/// unless it says that something could not be read.
pub fn diagnose(facts: &Facts, groups: &[&GroupView<'_>], selection: &Selection) -> Vec<Finding> {
    let mut findings = reading::findings(facts, groups, selection);
    findings.extend(controllers::findings(facts, groups));
    findings.extend(owners::orphan_ledgers(facts, groups, selection));
    for group in groups {
        let chosen: Vec<usize> = (0..group.bindings.len())
            .filter(|index| selection.chooses(group, &group.bindings[*index]))
            .collect();
        findings.extend(sharing::findings(group, &chosen));
        findings.extend(owners::findings(facts, group, &chosen));
        findings.extend(specs::findings(group, &chosen));
        findings.extend(targets::findings(group, &chosen, facts.observed_at));
        findings.extend(unclaimed::finding(facts, group));
        findings.extend(traffic::findings(group));
    }
    findings.extend(quotas::findings(facts, groups));
    findings.retain(|finding| !is_left_out(finding, groups));
    let rank = |finding: &Finding| {
        let place = (finding.context.clone(), finding.namespace.clone(), finding.binding.clone());
        (std::cmp::Reverse(finding.severity), finding.code, place, finding.target_group_arn.clone())
    };
    findings.sort_by_cached_key(rank);
    findings
}

/// Finds what could not be read, and no more.
pub(crate) fn unread(facts: &Facts, groups: &[&GroupView<'_>]) -> Vec<Finding> {
    let all = Selection { all: true, ..Selection::default() };
    reading::findings(facts, groups, &all)
}

/// Who else manages a group, as far as it was read.
pub(crate) fn foreign_controllers(facts: &Facts, group: &GroupView<'_>) -> Vec<Finding> {
    owners::foreign_controllers(facts, group)
}

/// What keeps all traffic from a group, as far as it was read.
pub(crate) fn unreached(group: &GroupView<'_>) -> Option<Finding> {
    attachment::unreached(group)
}

/// Says whether the binding that a finding concerns asks to leave it out.
fn is_left_out(finding: &Finding, groups: &[&GroupView<'_>]) -> bool {
    let concerns = |binding: &&BindingView<'_>| {
        let BindingRef { context, namespace, name } = binding.reference();
        finding.context.as_ref() == Some(&context)
            && finding.namespace.as_ref() == Some(&namespace)
            && finding.binding.as_ref() == Some(&name)
    };
    let binding = groups.iter().flat_map(|group| &group.bindings).find(concerns);
    !finding.is_incompleteness()
        && binding.is_some_and(|b| {
            b.facts.binding.ignored_findings().any(|pattern| matches(pattern, finding.code))
        })
}

/// Says whether a code is meant by a pattern: `MCTG201`, `201`, `MCTG2*`, in any case.
pub fn matches(pattern: &str, code: &str) -> bool {
    let pattern = pattern.trim().to_ascii_uppercase();
    let pattern = pattern.strip_prefix("MCTG").unwrap_or(&pattern);
    let code = code.strip_prefix("MCTG").unwrap_or(code);
    match pattern.strip_suffix('*') {
        Some(prefix) => code.starts_with(prefix),
        None => code == pattern,
    }
}

/// How bad a finding is; later is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Will bite later.
    Warning,
    /// Bites now.
    Critical,
}

/// Something that is wrong, with the names in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// `MCTG` and three digits.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How bad it is here.
    pub severity: Severity,
    /// One sentence with the names in it.
    pub message: String,
    /// A line to paste, where one helps; several are lines of their own.
    pub fix: Option<String>,
    /// The context it concerns.
    pub context: Option<String>,
    /// The namespace of the binding it concerns.
    pub namespace: Option<String>,
    /// The binding it concerns.
    pub binding: Option<String>,
    /// The target group it concerns.
    pub target_group_arn: Option<TargetGroupArn>,
    /// The targets it concerns.
    pub targets: Vec<Target>,
}

impl Finding {
    /// Says whether it means that something could not be read: it leads to exit code 3, and nothing
    /// suppresses it.
    pub fn is_incompleteness(&self) -> bool {
        catalogue::is_incompleteness(self.code)
    }

    fn about(self, binding: &BindingView<'_>) -> Self {
        let BindingRef { context, namespace, name } = binding.reference();
        Self {
            context: Some(context),
            namespace: Some(namespace),
            binding: Some(name),
            target_group_arn: binding.facts.group.as_ref().ok().cloned(),
            ..self
        }
    }

    fn of_group(self, arn: &TargetGroupArn) -> Self {
        Self { target_group_arn: Some(arn.clone()), ..self }
    }

    fn with_targets<'a>(self, targets: impl IntoIterator<Item = &'a Target>) -> Self {
        Self { targets: targets.into_iter().cloned().collect(), ..self }
    }

    fn with_fix(self, fix: impl Into<Option<String>>) -> Self {
        Self { fix: fix.into(), ..self }
    }
}

/// The line that reconciles one binding, by the name its users know it by.
fn reconcile_line(binding: &BindingView<'_>) -> String {
    let BindingRef { context, namespace, name } = binding.reference();
    let owner = binding.facts.binding.owner().filter(|owner| owner.kind == OwnerKind::Service);
    let name = owner.map_or_else(|| format!("tgb/{name}"), |owner| format!("svc/{}", owner.name));
    format!("kubectl mctg reconcile {name} -n {namespace} --context {}", quoted(&context))
}

/// The line that switches a binding's flag where it lives, and protects its owner; none where its
/// flavour is not written.
fn enable_line(binding: &BindingView<'_>) -> Option<String> {
    let it = &binding.facts.binding;
    if it.flavour != Flavour::LoadBalancerController {
        return None;
    }
    let own = || Key::new(Kind::TargetGroupBinding, &it.namespace, &it.name);
    // A group of Ingresses has no name of its own: its binding leads to it.
    let Key { kind, namespace, name } =
        it.owner().and_then(|owner| owner.key()).unwrap_or_else(own);
    let context = quoted(&binding.cluster.context);
    let kind = kind.short();
    Some(format!("kubectl mctg enable {kind}/{name} -n {namespace} --context {context}"))
}

/// Quotes a word for a shell where it holds more than plain characters.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+=,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Says a time to the minute.
fn minute(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%MZ").to_string()
}

/// Lists the first few targets, and says how many more there are.
pub(crate) fn listed(targets: &[&Target]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = targets.iter().take(SHOWN).map(ToString::to_string).collect();
    match targets.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Says a number of things, in the singular or the plural.
pub(crate) fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

#[cfg(test)]
mod tests;
