//! 1xx and 206: what bindings were made for, who else manages groups, ledgers left behind.

use std::collections::BTreeSet;

use super::catalogue::{
    BINDING_LOST, FLAG_NOT_IN_SOURCE, FOREIGN_CONTROLLER, ORPHAN_LEDGER, OWNER_UNPROTECTED,
};
use super::{Finding, Severity, enable_line, quoted};
use crate::binding::{Flavour, Owner, OwnerKind};
use crate::facts::{ClusterFacts, Facts, OrphanLedger};
use crate::flag::{self, Said};
use crate::managers::{self, Standing};
use crate::objects::{Key, Kind, Object};
use crate::owner::{self, Origin};
use crate::protection::{self, Place, Protection};
use crate::selection::Selection;
use crate::stack;
use crate::view::{BindingView, GroupView};

pub(super) fn findings(facts: &Facts, group: &GroupView<'_>, chosen: &[usize]) -> Vec<Finding> {
    let mut findings = foreign_controllers(facts, group);
    if !group.is_shared() {
        return findings;
    }
    let mut told = BTreeSet::new();
    for binding in chosen.iter().map(|index| &group.bindings[*index]) {
        let Some(owner) = binding.facts.binding.owner() else { continue };
        if owner::origin(binding, Some(group.facts)) == Origin::Standalone {
            continue;
        }
        if told.insert((binding.cluster.context.as_str(), format!("{owner:?}"))) {
            findings.extend(unprotected(binding, &owner));
        }
        findings.extend(flag_not_in_source(binding));
    }
    findings.extend(binding_lost(facts, group));
    findings
}

pub(super) fn foreign_controllers(facts: &Facts, group: &GroupView<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for cluster in &facts.clusters {
        let stands_for_it = |it: &&Object| match &it.arn {
            Some(arn) => arn == group.arn.as_str(),
            // It has not told its ARN yet; within an account and region a name is one group's.
            None => it.text(&["name"]) == Some(group.arn.name()),
        };
        let all = cluster.objects.all(Kind::TargetGroup, None).ok().into_iter().flatten();
        for object in all.filter(stands_for_it) {
            let Key { namespace, name, .. } = &object.key;
            let message = format!(
                "{} {namespace}/{name} is a TargetGroup of ACK and stands for the same target group: its controller \
                 takes out what it does not list.",
                cluster.context
            );
            let line = format!(
                "kubectl --context {} -n {namespace} annotate {} {name} \
                 services.k8s.aws/deletion-policy=retain --overwrite",
                quoted(&cluster.context),
                Kind::TargetGroup.qualified()
            );
            findings.push(Finding {
                context: Some(cluster.context.clone()),
                namespace: Some(namespace.clone()),
                ..FOREIGN_CONTROLLER
                    .finding(Severity::Critical, message)
                    .of_group(group.arn)
                    .with_fix(line)
            });
        }
    }
    findings
}

fn unprotected(binding: &BindingView<'_>, owner: &Owner) -> Option<Finding> {
    let cluster = binding.cluster;
    if binding.facts.binding.flavour != Flavour::LoadBalancerController {
        return None;
    }
    let objects = &cluster.objects;
    // What was not read may be protected.
    let Protection { is_on, place } = protection::of(owner, objects).ok()?;
    let is_there = match owner.key() {
        Some(key) => objects.get(&key).ok()?.is_some_and(|it| !it.is_being_deleted),
        None => place != Place::Nowhere,
    };
    if is_on || !is_there {
        return None;
    }
    let named = named(owner);
    let context = &cluster.context;
    let how = match &place {
        Place::Annotation { object, key } if owner.key().as_ref() == Some(&object.key) => {
            format!("its {key} does not say {}=true", crate::attributes::DELETION_PROTECTION)
        }
        Place::Annotation { key, .. } => format!("no Ingress of it has protection in its {key}"),
        Place::Configuration(object) => format!("its {} does not ask for protection", object.key),
        Place::Params(object) => {
            format!(
                "the {} set the attribute, which does not count when an Ingress is deleted",
                object.key
            )
        }
        Place::Class(object) => {
            format!("the {} of its class decides, and does not ask for protection", object.key)
        }
        Place::Nowhere => "it has no LoadBalancerConfiguration that asks for protection".to_owned(),
    };
    let message = format!(
        "{named} of {context} can be deleted, and the load balancer and this target group go with it: {how}."
    );
    let fix = is_written(cluster, &place).then(|| enable_line(binding)).flatten();
    Some(OWNER_UNPROTECTED.finding(Severity::Warning, message).about(binding).with_fix(fix))
}

/// Says whether protection is set there: not where something else decides, or deploys it.
fn is_written(cluster: &ClusterFacts, place: &Place<'_>) -> bool {
    let Ok(Some(patch)) = place.protect() else { return false };
    let object = cluster.objects.get(&patch.key);
    object.is_ok_and(|it| it.is_some_and(|it| managers::program(it).is_none()))
}

fn flag_not_in_source(binding: &BindingView<'_>) -> Option<Finding> {
    let facts = &binding.facts.binding;
    if !facts.spec.multi_cluster_target_group || facts.flavour != Flavour::LoadBalancerController {
        return None;
    }
    let sources = flag::sources(facts, &binding.cluster.objects).ok()?;
    let on: Vec<_> = sources.iter().filter(|source| source.said == Said::On).collect();
    let standings: Vec<Option<Standing>> =
        on.iter().map(|source| managers::standing(source.object, &source.field.path())).collect();
    // One place that stays is enough; of a Gateway's the first that says anything counts.
    let counts = match facts.owner()?.kind {
        OwnerKind::Gateway => standings.get(..1)?,
        _ => &standings[..],
    };
    let foreign = |standing: &Option<Standing>| matches!(standing, Some(Standing::Foreign(_)));
    if counts.is_empty() || !counts.iter().all(foreign) {
        return None;
    }
    let source = on.first()?;
    let program = counts.first()?.as_ref()?.program();
    let message = format!(
        "The flag of {} is set on {}, which {program} deploys, and {program} did not set it: its next apply may \
         drop it.",
        binding.reference(),
        source.object.key
    );
    Some(FLAG_NOT_IN_SOURCE.finding(Severity::Warning, message).about(binding))
}

fn binding_lost(facts: &Facts, group: &GroupView<'_>) -> Option<Finding> {
    let tags = group.facts.tags.as_ref().ok()?;
    let owner = Owner::from_tags(tags)?;
    let name = owner::cluster_name(tags)?;
    let cluster = facts.clusters.iter().find(|it| owner::names(it).any(|it| it == name))?;
    // What was not read in full may hold it.
    let is_there = |it: &&BindingView<'_>| {
        it.cluster.context == cluster.context && it.facts.binding.owner().is_some()
    };
    if !cluster.is_read_in_full() || group.bindings.iter().any(|it| is_there(&it)) {
        return None;
    }
    let objects = &cluster.objects;
    let object = match owner.key() {
        Some(key) => objects.get(&key).ok()??,
        None => *stack::members(&owner.name, objects).ok()?.first()?,
    };
    if !stack::asks(object, objects).ok()? {
        return None;
    }
    let Key { kind, namespace, name } = &object.key;
    let message = format!(
        "{} of {} asks for a load balancer, and its binding of this target group is gone: nothing follows its pods.",
        named(&owner),
        cluster.context
    );
    let line = format!(
        "kubectl --context {} -n {namespace} annotate {} {name} mctg.dev/rebuild={} --overwrite",
        quoted(&cluster.context),
        kind.word(),
        facts.observed_at.as_second()
    );
    Some(Finding {
        context: Some(cluster.context.clone()),
        namespace: Some(namespace.clone()),
        ..BINDING_LOST.finding(Severity::Critical, message).of_group(group.arn).with_fix(line)
    })
}

pub(super) fn orphan_ledgers(
    facts: &Facts,
    groups: &[&GroupView<'_>],
    selection: &Selection,
) -> Vec<Finding> {
    let mut places = BTreeSet::new();
    for group in groups.iter().filter(|group| group.is_shared()) {
        for binding in group.bindings.iter().filter(|it| selection.chooses(group, it)) {
            places.insert((&binding.cluster.context, &binding.facts.binding.namespace));
        }
    }
    let finding = |cluster: &ClusterFacts, orphan: &OrphanLedger| {
        let OrphanLedger { namespace, name, exclusive } = orphan;
        let context = &cluster.context;
        let message = match exclusive {
            Some(binding) => format!(
                "{context} {namespace}: the ConfigMap {name} is a ledger, and its binding {binding} is exclusive: once \
                 that is multi-cluster again, it takes the old ledger for its own."
            ),
            None => format!(
                "{context} {namespace}: the ConfigMap {name} is a ledger without a binding: the next binding of that \
                 name takes it for its own."
            ),
        };
        let line =
            format!("kubectl --context {} -n {namespace} delete configmap {name}", quoted(context));
        Finding {
            context: Some(context.clone()),
            namespace: Some(namespace.clone()),
            binding: exclusive.clone(),
            ..ORPHAN_LEDGER.finding(Severity::Warning, message).with_fix(line)
        }
    };
    let all =
        facts.clusters.iter().flat_map(|it| it.orphans.iter().map(move |orphan| (it, orphan)));
    let own = all.filter(|(it, orphan)| places.contains(&(&it.context, &orphan.namespace)));
    own.map(|(it, orphan)| finding(it, orphan)).collect()
}

/// Names an owner as its users know it.
fn named(owner: &Owner) -> String {
    match owner.key() {
        Some(key) => key.to_string(),
        None => format!("Ingress group {}", owner.name),
    }
}

#[cfg(test)]
mod tests;
