//! Ingresses: `facts/lbc.md` 5.1 to 5.4.

use super::*;

const FLAG: &str = "alb.ingress.kubernetes.io/multi-cluster-target-group";
const ATTRIBUTES: &str = "alb.ingress.kubernetes.io/load-balancer-attributes";

fn ingress(name: &str, annotations: Value) -> Value {
    json!({
        "metadata": { "namespace": "web", "name": name, "annotations": annotations },
        "spec": {
            "ingressClassName": "alb",
            "rules": [{ "http": { "paths": [
                { "backend": { "service": { "name": "shop", "port": { "number": 80 } } } },
            ]}}],
        },
    })
}

impl Stage {
    fn with_backend(annotations: Value) -> Self {
        let stage = Self::new();
        let class = ("alb".to_owned(), INGRESS_CLASS_CONTROLLER.to_owned());
        stage.view(|view| view.ingress_classes.extend([class]));
        stage.service(&backend(annotations));
        stage
    }

    fn ingress(&self, manifest: &Value) {
        let mut ingress: Ingress = serde_json::from_value(manifest.clone()).unwrap();
        self.view(|view| {
            let key = ingress.metadata.key();
            if let Some(stored) = view.ingresses.get(&key) {
                ingress.metadata.finalizers.extend(stored.metadata.finalizers.clone());
            }
            view.ingresses.insert(key, ingress);
        });
    }

    fn held(&self, name: &str) -> Vec<String> {
        self.view(|view| {
            let stored = &view.ingresses[&("web".to_owned(), name.to_owned())];
            stored.metadata.finalizers.iter().cloned().collect()
        })
    }
}

#[test]
fn an_ingress_alone_gets_an_alb_and_a_binding_with_its_name() {
    let stage = Stage::with_backend(json!({}));
    stage.ingress(&ingress("shop", json!({})));
    stage.run();
    let labels =
        pairs([("ingress.k8s.aws/stack-namespace", "web"), ("ingress.k8s.aws/stack-name", "shop")]);
    assert_eq!(stage.binding().labels, labels);
    assert_eq!(stage.binding().spec.target_group_protocol.as_deref(), Some("HTTP"));
    assert_eq!(ports(&stage.binding()), ["TCP 30080"]);
    assert_eq!(stage.held("shop"), ["ingress.k8s.aws/resources"]);
    stage.model(|model| {
        let group = model.groups().next().unwrap();
        assert_eq!(group.tags["ingress.k8s.aws/resource"], "web/shop-shop:80");
        assert_eq!(model.load_balancers().next().unwrap().kind, "application");
        assert_eq!(model.load_balancer_arns(group).len(), 1, "a rule forwards to it");
    });
}

#[test]
fn a_group_is_one_load_balancer_and_each_member_has_groups_of_its_own() {
    let stage = Stage::with_backend(json!({}));
    let group = json!({ "alb.ingress.kubernetes.io/group.name": "front" });
    stage.ingress(&ingress("one", group.clone()));
    stage.ingress(&ingress("two", group));
    stage.run();
    assert_eq!((stage.load_balancers().len(), stage.bindings().len()), (1, 2));
    for binding in stage.bindings() {
        assert_eq!(binding.labels, pairs([("ingress.k8s.aws/stack", "front")]));
    }
    assert_eq!(stage.held("one"), ["group.ingress.k8s.aws/front"]);
}

#[test]
fn the_flag_of_the_ingress_or_of_the_service_is_enough() {
    let cases = [
        (json!({}), json!({}), false),
        (json!({ FLAG: "true" }), json!({}), true),
        (json!({}), json!({ FLAG: "true" }), true),
        (json!({ FLAG: "false" }), json!({ FLAG: "true" }), true),
        (json!({ FLAG: "true" }), json!({ FLAG: "nonsense" }), true),
    ];
    for (of_ingress, of_service, shared) in cases {
        let stage = Stage::with_backend(of_service.clone());
        stage.ingress(&ingress("shop", of_ingress.clone()));
        stage.run();
        let flag = stage.binding().spec.multi_cluster_target_group;
        assert_eq!(flag, shared, "{of_ingress} {of_service}");
    }
}

#[test]
fn an_action_forwards_to_services_and_to_groups_of_others_by_weight() {
    let stage = Stage::with_backend(json!({}));
    let foreign = stage.model(|model| {
        let new = crate::sim::elbv2::NewGroup::new("theirs", VPC);
        model.create_target_group(&new).unwrap().to_string()
    });
    let action = json!({ "type": "forward", "forwardConfig": { "targetGroups": [
        { "serviceName": "shop", "servicePort": "80", "weight": 20 },
        { "targetGroupARN": foreign, "weight": 80 },
    ]}});
    let mut manifest =
        ingress("shop", json!({ "alb.ingress.kubernetes.io/actions.split": action.to_string() }));
    manifest["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"] =
        json!({ "name": "split", "port": { "name": "use-annotation" } });
    stage.ingress(&manifest);
    stage.run();
    let own = stage.binding().spec.target_group_arn;
    stage.model(|model| {
        let load_balancer = model.load_balancers().next().unwrap().arn.clone();
        let listener = model.listeners_of(&load_balancer).next().unwrap().arn.clone();
        let forward = &model.rules_of(&listener).next().unwrap().forward;
        assert_eq!(*forward, BTreeMap::from([(own, 20), (foreign, 80)]));
    });
}

#[test]
fn a_member_that_asks_to_be_kept_holds_the_group() {
    let stage = Stage::with_backend(json!({}));
    let group = "alb.ingress.kubernetes.io/group.name";
    stage.ingress(&ingress("one", json!({ group: "front" })));
    let kept = json!({ group: "front", ATTRIBUTES: "deletion_protection.enabled=true" });
    let mut two = ingress("two", kept);
    stage.ingress(&two);
    stage.run();
    stage.said();
    two["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    stage.ingress(&two);
    assert!(at_once(stage.owners.work(stage.now)).unwrap().unwrap().ended.is_err());
    let said = "FailedBuildModel: Failed build model due to deletion_protection is enabled, cannot \
                delete the ingress: two";
    assert!(stage.said().iter().all(|(_, message)| message == said));
    assert_eq!(stage.held("two"), ["group.ingress.k8s.aws/front"]);
}

#[test]
fn a_member_that_leaves_takes_its_own_along_and_nothing_else() {
    let mut stage = Stage::with_backend(json!({}));
    let group = json!({ "alb.ingress.kubernetes.io/group.name": "front" });
    stage.ingress(&ingress("one", group.clone()));
    let mut two = ingress("two", group);
    stage.ingress(&two);
    stage.run();
    two["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    stage.ingress(&two);
    stage.run();
    stage.let_bindings_go();
    stage.run();
    assert_eq!((stage.load_balancers().len(), stage.bindings().len()), (1, 1));
    assert_eq!(stage.groups().len(), 1);
    assert_eq!(stage.view(|view| view.ingresses.len()), 1);
}

#[test]
fn members_that_disagree_about_an_attribute_build_nothing() {
    let stage = Stage::with_backend(json!({}));
    let group = "alb.ingress.kubernetes.io/group.name";
    for (name, value) in [("one", "true"), ("two", "false")] {
        let attribute = format!("deletion_protection.enabled={value}");
        stage.ingress(&ingress(name, json!({ group: "front", ATTRIBUTES: attribute })));
    }
    assert!(at_once(stage.owners.work(stage.now)).unwrap().unwrap().ended.is_err());
    assert!(stage.said()[0].1.contains("conflicting"));
}
