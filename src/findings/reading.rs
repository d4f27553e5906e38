//! 90x: what could not be read, and what that hides.

use std::collections::{BTreeMap, BTreeSet};

use super::catalogue::{AWS_UNREADABLE, CONTEXT_UNREACHABLE, FORBIDDEN, OWNER_NOT_READ, Rule};
use super::{Finding, Severity, counted, quoted};
use crate::class::Class;
use crate::endpoints::Unresolved;
use crate::facts::{
    BindingFacts, ClusterFacts, Facts, GroupFacts, LedgerFault, Silence, SilenceReason,
};
use crate::owner::{self, Standing};
use crate::selection::Selection;
use crate::target::TargetGroupArn;
use crate::view::GroupView;

pub(super) fn findings(
    facts: &Facts,
    groups: &[&GroupView<'_>],
    selection: &Selection,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        facts.clusters.iter().flat_map(|cluster| of_cluster(cluster, groups)).collect();
    for finding in &mut findings {
        if let (Some(gone), Some(fix)) = (gone_line(facts, groups, finding), &mut finding.fix) {
            *fix = format!("{fix}\n{gone}");
        }
    }
    findings.extend(of_aws(facts, groups, selection));
    findings.extend(groups.iter().filter_map(|group| owner_not_read(facts, group)));
    findings
}

/// What a cluster hides: everything, some namespaces, or parts of some bindings. Equal causes are
/// told once.
fn of_cluster(cluster: &ClusterFacts, groups: &[&GroupView<'_>]) -> Vec<Finding> {
    let finding = |silence: &Silence, hides: &str| {
        let rule: &Rule = if silence.reason == SilenceReason::Forbidden {
            &FORBIDDEN
        } else {
            &CONTEXT_UNREACHABLE
        };
        let message =
            format!("{}: {} That hides {hides}.", cluster.context, sentence(&silence.message));
        let context = quoted(&cluster.context);
        let fix = match silence.reason {
            SilenceReason::Forbidden => format!("kubectl --context {context} auth can-i --list"),
            _ => format!("kubectl --context {context} get --raw /readyz"),
        };
        Finding {
            context: Some(cluster.context.clone()),
            ..rule.finding(Severity::Critical, message).with_fix(fix)
        }
    };
    if let Err(silence) = &cluster.bindings {
        return vec![finding(silence, "what it desires and tracks, and which bindings it has")];
    }
    let mut findings: Vec<Finding> = cluster
        .hidden
        .iter()
        .map(|silence| finding(silence, "the bindings of its other namespaces"))
        .collect();
    let own = || {
        groups
            .iter()
            .flat_map(|group| &group.bindings)
            .filter(|b| b.cluster.context == cluster.context)
    };
    if let Err(silence) = &cluster.controllers
        && own().next().is_some()
    {
        findings.push(finding(silence, "whether a controller is at work"));
    }
    let mut hidden: BTreeMap<(String, &str), (&Silence, usize)> = BTreeMap::new();
    for binding in own() {
        for (silence, hides) in of_binding(binding.facts) {
            hidden.entry((silence.message.clone(), hides)).or_insert((silence, 0)).1 += 1;
        }
    }
    findings.extend(hidden.iter().map(|((_, hides), (silence, bindings))| {
        finding(silence, &format!("{hides} of {}", counted(*bindings, "binding")))
    }));
    findings
}

/// How many targets are named one by one to say what a cluster had.
const NAMED_TARGETS_MAX: usize = 8;

/// The plan for a cluster that may be gone for good: none where its server answers, where nothing may
/// be its own, or where others were not read either, as that would be refused.
fn gone_line(facts: &Facts, groups: &[&GroupView<'_>], finding: &Finding) -> Option<String> {
    let unread: Vec<&ClusterFacts> =
        facts.clusters.iter().filter(|cluster| !cluster.is_read_in_full()).collect();
    let [cluster] = unread[..] else { return None };
    let silence = cluster.bindings.as_ref().err()?;
    if finding.context.as_ref() != Some(&cluster.context)
        || !matches!(silence.reason, SilenceReason::Unreachable | SilenceReason::Timeout)
    {
        return None;
    }
    let mut targets = BTreeSet::new();
    let mut from = None;
    for group in groups {
        let unknown = group.targets.iter().filter(|(_, of)| of.class == Class::Unknown);
        let before = targets.len();
        targets.extend(unknown.map(|(target, _)| target.to_string()));
        if targets.len() > before {
            from = from.or_else(|| group.bindings.first());
        }
    }
    let known = match targets.len() {
        0 => return None,
        1..=NAMED_TARGETS_MAX => targets.into_iter().collect::<Vec<_>>().join(" "),
        _ => "--known-from STATUS.json".to_owned(),
    };
    let lost = quoted(&cluster.context);
    let context = quoted(&from?.cluster.context);
    Some(format!("kubectl mctg unbind --lost {lost} {known} --context {context} --dry-run"))
}

fn of_binding(binding: &BindingFacts) -> impl Iterator<Item = (&Silence, &'static str)> {
    let endpoints = match &binding.endpoints {
        Err(Unresolved::Silent(silence)) => Some((silence, "the endpoints")),
        _ => None,
    };
    let ledger = match &binding.ledger {
        Err(LedgerFault::Silent(silence)) => Some((silence, "the ledger")),
        _ => None,
    };
    endpoints.into_iter().chain(ledger)
}

/// What ELBv2 did not tell; equal causes are told once for all their groups.
fn of_aws(facts: &Facts, groups: &[&GroupView<'_>], selection: &Selection) -> Vec<Finding> {
    let mut causes: BTreeMap<(&str, &str), Vec<&TargetGroupArn>> = BTreeMap::new();
    for group in groups {
        if let Some((silence, hides)) = of_group(group.facts) {
            causes.entry((&silence.message, hides)).or_default().push(group.arn);
        }
    }
    let mut findings: Vec<Finding> = causes
        .into_iter()
        .map(|((message, hides), arns)| {
            let of = if let [arn] = arns[..] {
                arn.name().to_owned()
            } else {
                counted(arns.len(), "target group")
            };
            let finding = AWS_UNREADABLE.finding(
                Severity::Critical,
                format!("{} That hides {hides} of {of}.", sentence(message)),
            );
            if let [arn] = arns[..] { finding.of_group(arn) } else { finding }
        })
        .collect();
    for (cluster, binding) in facts.clusters.iter().flat_map(|c| c.bindings().map(move |b| (c, b)))
    {
        // One that was not asked for matters only where it may be of a group that was.
        let name = &binding.binding.spec.target_group_name;
        let matters = || {
            selection.chooses_by_name(&binding.binding, None)
                || groups.iter().any(|group| group.arn.name() == name)
        };
        if let Err(binding_silence) = &binding.group
            && matters()
        {
            let reference = binding.reference(&cluster.context);
            let silence = sentence(&binding_silence.message);
            let message = format!("The target group of {reference} is not known: {silence}");
            // An ARN that is none is wrong in the binding; AWS was not even asked.
            let fix = (binding_silence.reason == SilenceReason::Invalid).then(|| {
                format!(
                    "kubectl --context {} -n {} edit targetgroupbindings.elbv2.k8s.aws {}",
                    quoted(&reference.context),
                    reference.namespace,
                    reference.name
                )
            });
            let finding = AWS_UNREADABLE.finding(Severity::Critical, message).with_fix(fix);
            findings.push(Finding {
                context: Some(reference.context),
                namespace: Some(reference.namespace),
                binding: Some(reference.name),
                ..finding
            });
        }
    }
    findings
}

/// The first thing that is not known of a group decides the rest; what was not asked for, or is
/// gone, is nothing unread.
fn of_group(group: &GroupFacts) -> Option<(&Silence, &'static str)> {
    let unread = |silence: &&Silence| {
        !matches!(silence.reason, SilenceReason::NotAsked | SilenceReason::NotFound)
    };
    let listeners = || {
        let load_balancers = group.load_balancers.iter().flatten();
        load_balancers
            .flat_map(|lb| [lb.attributes.as_ref().err(), lb.listeners.as_ref().err()])
            .flatten()
            .next()
    };
    let each = [
        (group.group.as_ref().err(), "everything"),
        (group.targets.as_ref().err(), "the targets"),
        (group.attributes.as_ref().err(), "the attributes"),
        (group.tags.as_ref().err(), "the tags"),
        (group.load_balancers.as_ref().err(), "the load balancers"),
        (listeners(), "the listeners"),
    ];
    each.into_iter().find_map(|(silence, hides)| Some((silence.filter(unread)?, hides)))
}

/// Ends a fragment that somebody else may have ended already.
fn sentence(fragment: &str) -> String {
    let ended = fragment.ends_with(['.', '?', '!', '…']);
    if ended { fragment.to_owned() } else { format!("{fragment}.") }
}

fn owner_not_read(facts: &Facts, group: &GroupView<'_>) -> Option<Finding> {
    let Standing::NotRead(owner) = owner::standing(facts, group) else { return None };
    let message = format!(
        "{} belongs to the cluster {owner}, which is not among the contexts that were read: what it desires and \
         tracks is not known.",
        group.arn.name()
    );
    Some(OWNER_NOT_READ.finding(Severity::Critical, message).of_group(group.arn))
}
