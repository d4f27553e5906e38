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
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::attributes;
    use crate::managers::Manager;
    use crate::testing::{World, arn, registered, silence};
    use crate::view;

    /// Blue's binding is generated for Service `shop`, green's is standalone.
    fn world() -> World {
        registered("1 2")
            .cluster("blue", "1", "1")
            .with(|it| {
                let labels = [("stack-namespace", "web"), ("stack-name", "shop")];
                let labels =
                    labels.map(|(key, value)| (format!("service.k8s.aws/{key}"), value.to_owned()));
                it.binding.labels.extend(labels);
            })
            .cluster("green", "2", "2")
    }

    fn service(annotations: &[(&str, &str)]) -> Object {
        let spec = json!({"type": "LoadBalancer", "loadBalancerClass": stack::SERVICE_CLASS});
        let mut object = Object::new(Key::new(Kind::Service, "web", "shop"), spec);
        for (key, value) in annotations {
            object.annotations.insert((*key).to_owned(), (*value).to_owned());
        }
        object
    }

    /// The same, with what blue says of the Service.
    fn with(mut world: World, read: crate::facts::Reading<Option<Object>>) -> World {
        let key = Key::new(Kind::Service, "web", "shop");
        world.facts.clusters[0].objects.single.insert(key, read);
        world
    }

    fn found(world: &World) -> Vec<Finding> {
        let groups = view::groups(&world.facts);
        let all: Vec<_> = groups.iter().collect();
        let found = super::super::diagnose(&world.facts, &all, &Selection::default());
        let own = ["102", "104", "110", "111", "206"];
        found.into_iter().filter(|it| own.contains(&&it.code[4..])).collect()
    }

    fn codes(world: &World) -> String {
        found(world).iter().map(|it| it.code[4..].to_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_owner_that_can_be_deleted_is_told_with_the_line_that_protects_it() {
        let world = with(world(), Ok(Some(service(&[(attributes::SERVICE_ANNOTATION, "a=b")]))));
        assert_eq!(codes(&world), "104");
        let finding = &found(&world)[0];
        assert_eq!(
            finding.message,
            "Service web/shop of blue can be deleted, and the load balancer and this target group go with it: its \
             service.beta.kubernetes.io/aws-load-balancer-attributes does not say deletion_protection.enabled=true."
        );
        assert_eq!(
            finding.fix.as_deref(),
            Some("kubectl mctg enable svc/shop -n web --context blue")
        );
    }

    #[test]
    fn an_owner_that_is_protected_gone_or_unread_is_not() {
        let protected = [(attributes::SERVICE_ANNOTATION, "deletion_protection.enabled=true")];
        assert_eq!(codes(&with(world(), Ok(Some(service(&protected))))), "");
        assert_eq!(codes(&with(world(), Ok(None))), "");
        assert_eq!(codes(&with(world(), Err(silence()))), "");
        assert_eq!(codes(&world()), "");
    }

    #[test]
    fn a_flag_that_git_does_not_know_is_told() {
        let protected = (attributes::SERVICE_ANNOTATION, "deletion_protection.enabled=true");
        let flagged = |setter: &str, labelled: bool| {
            let mut it = service(&[protected, (flag::SERVICE_ANNOTATION, "true")]);
            if labelled {
                it.labels.insert("argocd.argoproj.io/instance".to_owned(), "shop".to_owned());
            }
            let fields = json!({"f:metadata": {"f:annotations": {format!("f:{}", flag::SERVICE_ANNOTATION): {}}}});
            let Value::Object(fields) = fields else { unreachable!() };
            it.managers.push(Manager { name: setter.to_owned(), fields });
            with(world(), Ok(Some(it)))
        };
        assert_eq!(codes(&flagged("kubectl-annotate", true)), "110");
        assert_eq!(codes(&flagged("argocd-controller", true)), "");
        assert_eq!(codes(&flagged("kubectl-annotate", false)), "");
        let finding = found(&flagged("kubectl-annotate", true)).remove(0);
        assert_eq!(
            finding.message,
            "The flag of blue web/shop is set on Service web/shop, which Argo CD deploys, and Argo CD did not set it: \
             its next apply may drop it."
        );
    }

    /// Green's binding alone, of a group that blue made for Service `shop`.
    fn lost() -> World {
        let mut world = registered("1 2").cluster("blue", "", None).cluster("green", "2", "2");
        world.facts.clusters[0].bindings = Ok(Vec::new());
        world.facts.clusters[0].eks_name = Some("blue".to_owned());
        let tags = [("elbv2.k8s.aws/cluster", "blue"), ("service.k8s.aws/stack", "web/shop")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
        world.group().tags = Ok(tags.into());
        world
    }

    #[test]
    fn an_owner_whose_binding_is_gone_is_told() {
        let world = with(lost(), Ok(Some(service(&[]))));
        assert_eq!(codes(&world), "206");
        let fix = found(&world)[0].fix.clone().unwrap();
        assert!(
            fix.starts_with(
                "kubectl --context blue -n web annotate service shop mctg.dev/rebuild="
            )
        );
    }

    #[test]
    fn a_binding_is_lost_only_where_its_owner_is_there_and_all_was_read() {
        assert_eq!(codes(&with(lost(), Ok(None))), "");
        assert_eq!(codes(&with(lost(), Err(silence()))), "");
        let mut cluster_ip = service(&[]);
        cluster_ip.spec.insert("type".to_owned(), json!("ClusterIP"));
        assert_eq!(codes(&with(lost(), Ok(Some(cluster_ip)))), "");
        let mut unread = with(lost(), Ok(Some(service(&[]))));
        unread.facts.clusters[0].hidden.push(silence());
        assert_eq!(codes(&unread), "");
    }

    #[test]
    fn an_ack_target_group_of_the_same_arn_or_not_yet_any_is_told() {
        let ack = |told: Option<String>, name: &str| {
            let mut object =
                Object::new(Key::new(Kind::TargetGroup, "infra", "tg"), json!({"name": name}));
            object.arn = told;
            let mut world = world();
            let list = (Kind::TargetGroup, None);
            world.facts.clusters[1].objects.lists.insert(list, Ok(vec![object]));
            codes(&world)
        };
        assert_eq!(ack(Some(arn().to_string()), "x"), "102");
        assert_eq!(ack(None, arn().name()), "102");
        assert_eq!(ack(Some("arn:other".to_owned()), arn().name()), "", "another account's");
        assert_eq!(ack(None, "x"), "");
    }

    #[test]
    fn an_orphan_ledger_is_told_where_a_shared_group_is_bound() {
        let orphan = |namespace: &str, exclusive: Option<&str>| {
            let mut world = world();
            world.facts.clusters[0].orphans.push(OrphanLedger {
                namespace: namespace.to_owned(),
                name: "aws-lbc-targets-old".to_owned(),
                exclusive: exclusive.map(str::to_owned),
            });
            world
        };
        assert_eq!(codes(&orphan("web", None)), "111");
        assert_eq!(codes(&orphan("web", Some("old"))), "111");
        assert_eq!(codes(&orphan("elsewhere", None)), "");
        let fix = found(&orphan("web", None))[0].fix.clone();
        assert_eq!(
            fix.as_deref(),
            Some("kubectl --context blue -n web delete configmap aws-lbc-targets-old")
        );
    }
}
