//! Owners that can be deleted, or whose flag is not set where it is deployed.

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
    assert_eq!(finding.fix.as_deref(), Some("kubectl mctg enable svc/shop -n web --context blue"));
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
        fix.starts_with("kubectl --context blue -n web annotate service shop mctg.dev/rebuild=")
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
