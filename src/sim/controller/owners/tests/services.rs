//! Services: `facts/lbc.md` 5.1 to 5.4.

use super::*;
use crate::binding::{IpAddressType, PortRef, TargetType};

const PREFIX: &str = "service.beta.kubernetes.io/aws-load-balancer-";

/// Annotations under the Service prefix.
fn annotated<const N: usize>(pairs: [(&str, &str); N]) -> Value {
    let pairs = pairs.map(|(key, value)| (format!("{PREFIX}{key}"), json!(value)));
    Value::Object(pairs.into_iter().collect())
}

#[test]
fn a_service_of_the_class_gets_an_nlb_a_listener_a_group_and_a_binding() {
    let stage = Stage::new();
    stage.service(&owner(json!({})));
    stage.run();
    let binding = stage.binding();
    assert_eq!(stage.groups(), [binding.name.as_str()], "5.2: named like the group");
    assert!(binding.name.starts_with("k8s-web-shop-") && binding.name.len() == 23);
    let labels =
        pairs([("service.k8s.aws/stack-namespace", "web"), ("service.k8s.aws/stack-name", "shop")]);
    assert_eq!(binding.labels, labels);
    assert_eq!(binding.spec.target_type, Some(TargetType::Instance), "the default");
    assert_eq!(binding.spec.target_group_protocol.as_deref(), Some("TCP"));
    assert_eq!(binding.spec.ip_address_type, Some(IpAddressType::Ipv4));
    assert_eq!(binding.spec.vpc_id, VPC);
    assert_eq!(binding.spec.service_ref.port, PortRef::Number(80));
    assert_eq!(ports(&binding), ["TCP 30080"], "5.4: the node port");
    stage.model(|model| {
        let group = model.groups().next().unwrap();
        let tags = pairs([
            ("elbv2.k8s.aws/cluster", "pri-eks"),
            ("service.k8s.aws/stack", "web/shop"),
            ("service.k8s.aws/resource", "web/shop:80"),
        ]);
        assert_eq!(group.tags, tags);
        assert!(model.load_balancer_arns(group).len() == 1, "a listener forwards to it");
    });
    stage.view(|view| {
        let held = &view.services.values().next().unwrap().metadata.finalizers;
        assert!(held.contains("service.k8s.aws/resources"));
    });
    assert_eq!(stage.owners.api.hosts.lock().unwrap().len(), 1);
    assert_eq!(stage.run(), [], "it looks once");
}

#[test]
fn a_service_of_another_class_or_without_one_is_left_alone() {
    let stage = Stage::new();
    let mut other = owner(annotated([("type", "external"), ("nlb-target-type", "ip")]));
    other["spec"]["loadBalancerClass"] = json!("eks.amazonaws.com/nlb");
    stage.service(&other);
    assert_eq!(stage.run(), []);
    let mut none = owner(annotated([("type", "external")]));
    none["spec"]["loadBalancerClass"] = Value::Null;
    stage.service(&none);
    assert_eq!(stage.run(), [], "external alone says too little");
    none = owner(annotated([("type", "external"), ("nlb-target-type", "ip")]));
    none["spec"]["loadBalancerClass"] = Value::Null;
    stage.service(&none);
    assert_eq!(stage.run().len(), 1);
    assert_eq!(ports(&stage.binding()), ["TCP 8080"], "pods are reached by their own port");
}

#[test]
fn the_flag_is_a_truth_as_go_reads_it_and_goes_to_the_binding() {
    for (text, shared) in [("true", true), ("T", true), ("1", true), ("False", false), ("0", false)]
    {
        let stage = Stage::new();
        stage.service(&owner(annotated([("multi-cluster-target-group", text)])));
        stage.run();
        assert_eq!(stage.binding().spec.multi_cluster_target_group, shared, "{text}");
    }
    let stage = Stage::new();
    stage.service(&owner(annotated([("multi-cluster-target-group", "yes")])));
    assert!(at_once(stage.owners.work(stage.now)).unwrap().unwrap().ended.is_err());
    assert!(stage.said()[0].1.starts_with("FailedBuildModel: Failed build model due to"));
    assert_eq!(stage.bindings(), []);
}

#[test]
fn a_binding_is_put_right_only_when_its_owner_changes() {
    let stage = Stage::new();
    stage.service(&owner(json!({})));
    stage.run();
    stage.view(|view| {
        let binding = view.bindings.values_mut().next().unwrap();
        binding.spec.multi_cluster_target_group = true;
        binding.labels.insert("team".to_owned(), "shop".to_owned());
        binding.annotations = pairs([("note", "mine"), (CHECKPOINT_ANNOTATION, "x/y")]);
    });
    assert_eq!(stage.run(), [], "5.2: bindings wake nobody here");
    stage.service(&owner(annotated([("attributes", "access_logs.s3.enabled=false")])));
    stage.run();
    let binding = stage.binding();
    assert!(!binding.spec.multi_cluster_target_group, "the edit is reverted");
    assert_eq!((binding.labels.len(), binding.annotations.len()), (2, 0), "2.2: so is all else");
}

#[test]
fn a_checkpoint_is_no_difference() {
    let stage = Stage::new();
    stage.service(&owner(json!({})));
    stage.run();
    let annotations = pairs([(CHECKPOINT_ANNOTATION, "x/y"), (CHECKPOINT_TIME_ANNOTATION, "1")]);
    stage.view(|view| {
        view.bindings.values_mut().next().unwrap().annotations = annotations.clone();
    });
    stage.service(&owner(annotated([("attributes", "access_logs.s3.enabled=false")])));
    stage.run();
    assert_eq!(stage.binding().annotations, annotations);
}

#[test]
fn a_lost_binding_returns_when_its_owner_changes_and_not_before() {
    let stage = Stage::new();
    stage.service(&owner(json!({})));
    stage.run();
    stage.view(|view| view.bindings.clear());
    assert_eq!(stage.run(), [], "#4880");
    stage.service(&owner(annotated([("attributes", "access_logs.s3.enabled=false")])));
    stage.run();
    assert_eq!(stage.bindings().len(), 1);
}

#[test]
fn a_restart_looks_at_every_owner() {
    let stage = Stage::new();
    stage.service(&owner(json!({})));
    stage.run();
    stage.view(|view| view.bindings.clear());
    stage.owners.restart();
    stage.run();
    assert_eq!(stage.bindings().len(), 1);
}

#[test]
fn a_binding_with_stack_labels_and_another_group_is_deleted() {
    let mut stage = Stage::new();
    stage.service(&owner(json!({})));
    stage.run();
    stage.view(|view| {
        let mut copied = view.bindings.values().next().unwrap().clone();
        "copied".clone_into(&mut copied.name);
        copied.spec.target_group_arn = "arn:another".to_owned();
        view.bindings.insert(("web".to_owned(), "copied".to_owned()), copied);
    });
    stage.service(&owner(annotated([("attributes", "access_logs.s3.enabled=false")])));
    stage.run();
    stage.let_bindings_go();
    stage.run();
    assert_ne!(stage.binding().name, "copied");
}

#[test]
fn attributes_are_set_and_those_not_named_any_more_stay() {
    let stage = Stage::new();
    let protection = "deletion_protection.enabled";
    stage.service(&owner(annotated([("attributes", "deletion_protection.enabled=true")])));
    stage.run();
    assert_eq!(stage.attribute(protection).as_deref(), Some("true"));
    stage.service(&owner(json!({})));
    stage.run();
    assert_eq!(stage.attribute(protection).as_deref(), Some("true"));
}

#[test]
fn an_owner_that_asks_to_be_kept_is_not_let_go() {
    let stage = Stage::new();
    let mut manifest = owner(annotated([("attributes", "deletion_protection.enabled=true")]));
    stage.service(&manifest);
    stage.run();
    stage.said();
    manifest["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    manifest["metadata"]["finalizers"] = json!(["service.k8s.aws/resources"]);
    stage.service(&manifest);
    assert!(at_once(stage.owners.work(stage.now)).unwrap().unwrap().ended.is_err());
    let said = "FailedBuildModel: Failed build model due to deletion_protection is enabled, cannot \
                delete the service: shop";
    assert_eq!(stage.said(), [("shop".to_owned(), said.to_owned())]);
    assert_eq!((stage.bindings().len(), stage.groups().len()), (1, 1));
}

#[test]
fn an_owner_takes_everything_along_whoever_has_targets_there() {
    let mut stage = Stage::new();
    let mut manifest = owner(json!({}));
    stage.service(&manifest);
    stage.run();
    let arn = stage.binding().spec.target_group_arn;
    stage.model(|model| {
        let other = TargetRequest::new("i-00000000000000009", 30080);
        model.add_instance("i-00000000000000009", VPC, "us-east-1a");
        model.register_targets(&arn, &[other]).unwrap();
        let load_balancer = model.load_balancers().next().unwrap().arn.clone();
        model.edit_load_balancer(&load_balancer, |it| {
            it.attributes.insert("deletion_protection.enabled".to_owned(), "true".to_owned());
        });
    });
    manifest["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    manifest["metadata"]["finalizers"] = json!(["service.k8s.aws/resources"]);
    stage.service(&manifest);
    let worked = stage.run();
    assert_eq!(worked.last().unwrap().ended, Ok(false), "its binding is on its way out");
    assert_eq!(stage.load_balancers(), [""; 0], "5.3: AWS's own protection is turned off");
    assert_eq!(stage.groups().len(), 1);
    stage.let_bindings_go();
    stage.run();
    assert_eq!(stage.groups(), [""; 0]);
    assert_eq!(stage.view(|view| view.services.len()), 0);
}

#[test]
fn rules_follow_protocol_and_health_checks() {
    let cases = [
        ("TCP", "traffic-port", "TCP 8080"),
        ("TCP", "9090", "TCP 8080, TCP 9090"),
        ("TCP", "8080", "TCP 8080"),
        ("UDP", "traffic-port", "UDP 8080, TCP 8080"),
        ("UDP", "9090", "UDP 8080, TCP 9090"),
    ];
    for (protocol, check, expected) in cases {
        let stage = Stage::new();
        let mut manifest =
            owner(annotated([("nlb-target-type", "ip"), ("healthcheck-port", check)]));
        manifest["spec"]["ports"][0]["protocol"] = json!(protocol);
        stage.service(&manifest);
        stage.run();
        assert_eq!(ports(&stage.binding()), [expected], "{protocol} {check}");
    }
}

#[test]
fn a_named_target_port_stays_a_name() {
    let stage = Stage::new();
    let mut manifest = owner(annotated([("nlb-target-type", "ip")]));
    manifest["spec"]["ports"][0]["targetPort"] = json!("web");
    stage.service(&manifest);
    stage.run();
    assert_eq!(ports(&stage.binding()), ["TCP web"]);
    stage.model(|model| assert_eq!(model.groups().next().unwrap().port, 1));
}
