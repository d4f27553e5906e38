//! From owners to bindings and back, object by object.

use serde_json::json;

use super::*;

fn object(kind: Kind, name: &str, spec: Value) -> Object {
    Object::new(Key::new(kind, "web", name), spec)
}

fn annotated(mut object: Object, annotations: &[(&str, &str)]) -> Object {
    for (key, value) in annotations {
        object.annotations.insert((*key).to_owned(), (*value).to_owned());
    }
    object
}

fn world(lists: Vec<(Kind, Vec<Object>)>) -> Objects {
    let lists = lists.into_iter().map(|(kind, list)| ((kind, None), Ok(list))).collect();
    Objects { lists, ..Objects::default() }
}

fn ingress(name: &str, class: &str, service: &str) -> Object {
    let backend = json!({"service": {"name": service, "port": {"number": 80}}});
    let rules = json!([{"http": {"paths": [{"path": "/", "backend": backend}]}}]);
    object(Kind::Ingress, name, json!({"ingressClassName": class, "rules": rules}))
}

fn classes() -> Vec<(Kind, Vec<Object>)> {
    let alb = json!({"controller": INGRESS_CONTROLLER, "parameters": {"name": "p"}});
    let params = json!({"group": {"name": "by-class"}});
    vec![
        (
            Kind::IngressClass,
            vec![
                object(Kind::IngressClass, "alb", json!({"controller": INGRESS_CONTROLLER})),
                object(Kind::IngressClass, "grouped", alb),
                object(Kind::IngressClass, "nginx", json!({"controller": "k8s.io/ingress-nginx"})),
            ],
        ),
        (Kind::IngressClassParams, vec![object(Kind::IngressClassParams, "p", params)]),
    ]
}

#[test]
fn a_service_asks_by_its_class_or_else_by_its_annotations() {
    let asks = |spec: Value, annotations: &[(&str, &str)]| {
        service_asks(&annotated(object(Kind::Service, "shop", spec), annotations))
    };
    let kind = ("service.beta.kubernetes.io/aws-load-balancer-type", "external");
    let target = ("service.beta.kubernetes.io/aws-load-balancer-nlb-target-type", "ip");
    assert!(asks(json!({"type": "LoadBalancer", "loadBalancerClass": SERVICE_CLASS}), &[]));
    assert!(asks(json!({"type": "LoadBalancer"}), &[kind, target]));
    assert!(!asks(json!({"type": "LoadBalancer"}), &[kind]));
    assert!(!asks(json!({"type": "LoadBalancer"}), &[]), "the cloud provider's");
    let other = json!({"type": "LoadBalancer", "loadBalancerClass": "example.com/lb"});
    assert!(!asks(other, &[kind, target]), "the class wins");
    assert!(!asks(json!({"type": "ClusterIP"}), &[kind, target]));
}

#[test]
fn a_group_has_the_ingresses_that_say_so_or_whose_class_does() {
    let grouped = |name: &str, class: &str| {
        annotated(ingress(name, class, "shop"), &[(GROUP_ANNOTATION, "shops")])
    };
    let mut lists = classes();
    let mut gone = grouped("gone", "alb");
    gone.is_being_deleted = true;
    lists.push((
        Kind::Ingress,
        vec![
            annotated(grouped("b", "alb"), &[("alb.ingress.kubernetes.io/group.order", "-1")]),
            grouped("a", "alb"),
            grouped("c", "nginx"),
            grouped("d", "grouped"),
            ingress("e", "alb", "shop"),
            gone,
        ],
    ));
    let objects = world(lists);
    let names = |group: &str| -> Vec<String> {
        members(group, &objects).unwrap().iter().map(|it| it.key.name.clone()).collect()
    };
    assert_eq!(names("shops"), ["b", "a"]);
    assert_eq!(names("by-class"), ["d"]);
}

#[test]
fn an_action_leads_to_its_target_groups() {
    let backend = json!({"service": {"name": "split", "port": {"name": "use-annotation"}}});
    let spec = json!({"defaultBackend": backend});
    let action = r#"{"type":"forward","forwardConfig":{"targetGroups":[
            {"serviceName":"a","servicePort":80},{"serviceName":"b","servicePort":"http"},
            {"targetGroupARN":"arn"}]}}"#;
    let it = annotated(
        object(Kind::Ingress, "i", spec),
        &[("alb.ingress.kubernetes.io/actions.split", action)],
    );
    let expected = BTreeSet::from([
        ("a".to_owned(), PortRef::Number(80)),
        ("b".to_owned(), PortRef::Name("http".to_owned())),
    ]);
    assert_eq!(backends(&it), expected);
}

#[test]
fn a_route_leads_from_its_gateways_to_its_services() {
    let spec = json!({
        "parentRefs": [{"name": "gw", "namespace": "infra"}, {"name": "s", "kind": "Service"}],
        "rules": [{"backendRefs": [{"name": "shop"}, {"name": "b", "kind": "Bucket", "group": "x"},
                                   {"name": "other", "namespace": "n"}]}],
    });
    let route = object(Kind::HttpRoute, "r", spec);
    assert_eq!(route_gateways(&route), BTreeSet::from([Key::new(Kind::Gateway, "infra", "gw")]));
    let services = [("n", "other"), ("web", "shop")];
    let services = services.map(|(ns, name)| Key::new(Kind::Service, ns, name));
    assert_eq!(route_backends(&route), BTreeSet::from(services));
}

#[test]
fn tags_name_the_owner() {
    let owner = |key: &str, value: &str| {
        let owner = Owner::from_tags(&BTreeMap::from([(key.to_owned(), value.to_owned())]));
        owner.map(|it| (it.kind, it.namespace.unwrap_or_default(), it.name))
    };
    let is = |kind, ns: &str, name: &str| Some((kind, ns.to_owned(), name.to_owned()));
    assert_eq!(owner("service.k8s.aws/stack", "web/shop"), is(OwnerKind::Service, "web", "shop"));
    assert_eq!(owner("ingress.k8s.aws/stack", "web/i"), is(OwnerKind::Ingress, "web", "i"));
    assert_eq!(owner("ingress.k8s.aws/stack", "g"), is(OwnerKind::IngressGroup, "", "g"));
    assert_eq!(owner("gateway.k8s.aws.nlb/stack", "a/b"), is(OwnerKind::Gateway, "a", "b"));
    assert_eq!(owner("service.k8s.aws/stack", "odd"), None);
}

#[test]
fn what_was_read_names_what_is_read_next_and_that_ends() {
    let owner = Owner {
        kind: OwnerKind::Gateway,
        namespace: Some("web".to_owned()),
        name: "gw".to_owned(),
    };
    let service = Key::new(Kind::Service, "web", "shop");
    let mut objects = Objects::default();
    let next = |objects: &Objects| wanted([(&owner, Some(service.clone()))], objects, false);
    let first = next(&objects);
    assert_eq!(first.single, BTreeSet::from([Key::new(Kind::Gateway, "web", "gw")]));
    let lists = (Kind::TargetGroupConfiguration, Some("web".to_owned()));
    assert_eq!(first.lists, BTreeSet::from([lists.clone()]));
    let reference =
        json!({"group": "gateway.k8s.aws", "kind": "LoadBalancerConfiguration", "name": "own"});
    let spec = json!({"gatewayClassName": "nlb", "infrastructure": {"parametersRef": reference}});
    let gateway = object(Kind::Gateway, "gw", spec);
    objects.single.insert(gateway.key.clone(), Ok(Some(gateway)));
    objects.lists.insert(lists, Ok(Vec::new()));
    let second = next(&objects);
    let expected = [
        Key::new(Kind::GatewayClass, "", "nlb"),
        Key::new(Kind::LoadBalancerConfiguration, "web", "own"),
    ];
    assert_eq!(second.single, BTreeSet::from(expected.clone()));
    for key in expected {
        objects.single.insert(key, Ok(None));
    }
    assert!(next(&objects).is_empty());
}
