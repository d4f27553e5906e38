//! Who decides about a flag, for each kind of owner.

use std::collections::BTreeMap;

use super::*;
use crate::testing::registered;

fn object(kind: Kind, name: &str, spec: Value) -> Object {
    Object::new(Key::new(kind, "web", name), spec)
}

/// A binding of Service `shop` generated for an owner, by its stack labels.
fn binding(labels: &[(&str, &str)]) -> Binding {
    let mut world = registered("").cluster("blue", "", None);
    let mut binding = world.last().bindings().next().unwrap().binding.clone();
    binding.labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    binding
}

fn single(objects: Vec<Object>) -> Objects {
    let single: BTreeMap<_, _> =
        objects.into_iter().map(|it| (it.key.clone(), Ok(Some(it)))).collect();
    Objects { single, ..Objects::default() }
}

#[test]
fn a_truth_value_is_read_as_go_reads_it() {
    for text in ["1", "t", "T", "TRUE", "true", "True"] {
        assert_eq!(parse_bool(text), Some(true));
    }
    for text in ["0", "f", "F", "FALSE", "false", "False"] {
        assert_eq!(parse_bool(text), Some(false));
    }
    for text in ["", "yes", "on", " true", "tRUE"] {
        assert_eq!(parse_bool(text), None, "{text}");
    }
}

#[test]
fn a_service_is_asked_by_its_own_annotation_only() {
    let of_service =
        [("service.k8s.aws/stack-namespace", "web"), ("service.k8s.aws/stack-name", "shop")];
    let binding = binding(&of_service);
    let mut service = object(Kind::Service, "shop", json!({}));
    service.annotations.insert(INGRESS_ANNOTATION.to_owned(), "true".to_owned());
    let objects = single(vec![service.clone()]);
    let found = sources(&binding, &objects).unwrap();
    assert_eq!(found[0].said, Said::Nothing);
    assert_eq!(asked(&binding, &found), None);
    let patch = found[0].switch(true).unwrap();
    assert_eq!(patch.body, json!({"metadata": {"annotations": {SERVICE_ANNOTATION: "true"}}}));
    assert_eq!(found[0].switch(false), None, "it is off");

    service.annotations.insert(SERVICE_ANNOTATION.to_owned(), "yes".to_owned());
    let objects = single(vec![service]);
    let found = sources(&binding, &objects).unwrap();
    assert_eq!(found[0].said, Said::Garbled("yes".to_owned()));
    let off = found[0].switch(false).unwrap();
    assert_eq!(off.body, json!({"metadata": {"annotations": {SERVICE_ANNOTATION: null}}}));
}

#[test]
fn an_ingress_or_the_service_behind_it_is_enough() {
    let of_ingress =
        [("ingress.k8s.aws/stack-namespace", "web"), ("ingress.k8s.aws/stack-name", "i")];
    let binding = binding(&of_ingress);
    let said = |ingress: &str, service: &str| {
        let mut both =
            [object(Kind::Ingress, "i", json!({})), object(Kind::Service, "shop", json!({}))];
        for (it, value) in both.iter_mut().zip([ingress, service]) {
            it.annotations.insert(INGRESS_ANNOTATION.to_owned(), value.to_owned());
        }
        let objects = single(both.to_vec());
        asked(&binding, &sources(&binding, &objects).unwrap())
    };
    assert_eq!(said("true", "false"), Some(true));
    assert_eq!(said("false", "true"), Some(true), "an Ingress cannot say no for a Service");
    assert_eq!(said("false", "false"), Some(false));
}

#[test]
fn an_owner_that_was_not_read_has_not_said_no() {
    let of_service =
        [("service.k8s.aws/stack-namespace", "web"), ("service.k8s.aws/stack-name", "shop")];
    assert!(sources(&binding(&of_service), &Objects::default()).is_err());
}

#[test]
fn of_a_gateways_places_the_first_that_says_anything_counts() {
    let of_gateway =
        [("gateway.k8s.aws.alb/stack-namespace", "web"), ("gateway.k8s.aws.alb/stack-name", "gw")];
    let binding = binding(&of_gateway);
    let entry = |namespace: &str, name: &str, on: Value| {
        json!({"routeIdentifier": {"kind": "HTTPRoute", "namespace": namespace, "name": name},
                   "targetGroupProps": {"enableMultiCluster": on}})
    };
    let world = |entries: Vec<Value>, default: Value| {
        let spec = json!({
            "targetReference": {"name": "shop"},
            "defaultConfiguration": {"enableMultiCluster": default, "targetType": "ip"},
            "routeConfigurations": entries,
        });
        let mut objects =
            single(vec![object(Kind::Gateway, "gw", json!({"gatewayClassName": "alb"}))]);
        let configuration = object(Kind::TargetGroupConfiguration, "shop-config", spec);
        let of_web = (Kind::TargetGroupConfiguration, Some("web".to_owned()));
        objects.lists.insert(of_web, Ok(vec![configuration]));
        let route =
            json!({"parentRefs": [{"name": "gw"}], "rules": [{"backendRefs": [{"name": "shop"}]}]});
        for kind in crate::objects::ROUTES {
            objects.lists.insert((kind, None), Ok(vec![]));
        }
        let routes = vec![object(Kind::HttpRoute, "r", route)];
        objects.lists.insert((Kind::HttpRoute, None), Ok(routes));
        objects
    };
    let said = |entries: Vec<Value>, default: Value| {
        let objects = world(entries, default);
        asked(&binding, &sources(&binding, &objects).unwrap())
    };
    assert_eq!(said(vec![], json!(true)), Some(true));
    assert_eq!(said(vec![], Value::Null), None);
    assert_eq!(said(vec![entry("web", "r", json!(false))], json!(true)), Some(false));
    let both = vec![entry("", "", json!(true)), entry("web", "", json!(false))];
    assert_eq!(said(both, Value::Null), Some(false), "the namespace fits better than the kind");
    assert_eq!(said(vec![entry("web", "other", json!(true))], json!(false)), Some(false));
    assert_eq!(said(vec![entry("web", "r", Value::Null)], json!(true)), Some(true));

    let objects =
        world(vec![entry("x", "y", json!(true)), entry("web", "r", json!(false))], json!(null));
    let found = sources(&binding, &objects).unwrap();
    assert_eq!(found[0].field, Field::Route(1));
    let patch = found[0].switch(true).unwrap().body;
    let routes = patch["spec"]["routeConfigurations"].as_array().unwrap();
    assert_eq!(routes[0], entry("x", "y", json!(true)), "the others come along");
    assert_eq!(routes[1]["targetGroupProps"]["enableMultiCluster"], json!(true));
    let default = found[1].switch(true).unwrap().body;
    assert_eq!(default, json!({"spec": {"defaultConfiguration": {"enableMultiCluster": true}}}));
}
