//! Gateways: `facts/lbc.md` 5.1 to 5.4.

use super::*;
use crate::binding::TargetType;

impl Stage {
    /// A Gateway `web/gw` with a listener on port 80, a route `web/shop` to the Service of that name.
    fn with_route(controller: &str, protocol: &str, kind: &str) -> Self {
        let stage = Self::new();
        stage.service(&backend(json!({})));
        let class = json!({ "spec": { "controllerName": controller } });
        let route: Route = serde_json::from_value(json!({
            "metadata": { "namespace": "web", "name": "shop" },
            "spec": {
                "parentRefs": [{ "name": "gw" }],
                "rules": [{ "backendRefs": [{ "name": "shop", "port": 80 }] }],
            },
        }))
        .unwrap();
        stage.view(|view| {
            let class = serde_json::from_value(class).unwrap();
            view.gateway_classes.insert("lbc".to_owned(), class);
            view.routes.insert((kind.to_owned(), route.metadata.key()), route);
        });
        stage.gateway(&gateway(protocol));
        stage
    }

    fn gateway(&self, manifest: &Value) {
        let gateway: Gateway = serde_json::from_value(manifest.clone()).unwrap();
        self.view(|view| view.gateways.insert(gateway.metadata.key(), gateway));
    }

    fn group_configuration(&self, spec: &Value) {
        let metadata = json!({ "namespace": "web", "name": "shop" });
        let manifest = json!({ "metadata": metadata, "spec": spec });
        let parsed: GroupConfiguration = serde_json::from_value(manifest).unwrap();
        self.view(|view| view.group_configurations.insert(parsed.metadata.key(), parsed));
    }
}

fn gateway(protocol: &str) -> Value {
    json!({
        "metadata": { "namespace": "web", "name": "gw" },
        "spec": {
            "gatewayClassName": "lbc",
            "listeners": [{ "name": "main", "port": 80, "protocol": protocol }],
            "infrastructure": { "parametersRef": { "name": "conf" } },
        },
    })
}

#[test]
fn routes_make_groups_behind_an_alb_or_an_nlb() {
    let cases = [
        (ALB_GATEWAY_CONTROLLER, "HTTP", "HTTPRoute", "alb", "application"),
        (NLB_GATEWAY_CONTROLLER, "TCP", "TCPRoute", "nlb", "network"),
    ];
    for (controller, protocol, kind, short, load_balancer) in cases {
        let stage = Stage::with_route(controller, protocol, kind);
        stage.run();
        let (namespace, name) = (
            format!("gateway.k8s.aws.{short}/stack-namespace"),
            format!("gateway.k8s.aws.{short}/stack-name"),
        );
        assert_eq!(stage.binding().labels, pairs([(&namespace, "web"), (&name, "gw")]));
        assert_eq!(stage.binding().spec.target_group_protocol.as_deref(), Some(protocol));
        assert!(stage.binding().name.starts_with("k8s-web-shop-"));
        stage.model(|model| {
            assert_eq!(model.load_balancers().next().unwrap().kind, load_balancer);
            assert_eq!(model.load_balancer_arns(model.groups().next().unwrap()).len(), 1);
        });
    }
}

#[test]
fn a_route_of_another_kind_or_gateway_leads_nowhere() {
    let stage = Stage::with_route(ALB_GATEWAY_CONTROLLER, "HTTP", "TCPRoute");
    stage.run();
    assert_eq!(stage.bindings(), []);
}

#[test]
fn the_configuration_of_the_route_wins_over_the_default_and_the_exact_one_over_its_kind() {
    let of = |shared: bool| json!({ "enableMultiCluster": shared });
    let route = |name: &str, shared: bool| {
        let mut identifier = json!({ "routeKind": "TCPRoute" });
        if !name.is_empty() {
            identifier["routeNamespace"] = json!("web");
            identifier["routeName"] = json!(name);
        }
        json!({ "routeIdentifier": identifier, "targetGroupProps": of(shared) })
    };
    let reference = json!({ "name": "shop" });
    let cases = [
        (json!({ "targetReference": reference }), false),
        (json!({ "targetReference": reference, "defaultConfiguration": of(true) }), true),
        (
            json!({ "targetReference": { "name": "other" }, "defaultConfiguration": of(true) }),
            false,
        ),
        (
            json!({ "targetReference": reference, "defaultConfiguration": of(false),
                "routeConfigurations": [route("", true)] }),
            true,
        ),
        (
            json!({ "targetReference": reference, "defaultConfiguration": of(true),
                "routeConfigurations": [route("", true), route("shop", false)] }),
            false,
        ),
        (
            json!({ "targetReference": reference, "defaultConfiguration": of(true),
                "routeConfigurations": [route("other", false)] }),
            true,
        ),
    ];
    for (spec, shared) in cases {
        let stage = Stage::with_route(NLB_GATEWAY_CONTROLLER, "TCP", "TCPRoute");
        stage.group_configuration(&spec);
        stage.run();
        assert_eq!(stage.binding().spec.multi_cluster_target_group, shared, "{spec}");
    }
}

#[test]
fn a_change_of_the_configuration_reaches_the_binding() {
    let stage = Stage::with_route(NLB_GATEWAY_CONTROLLER, "TCP", "TCPRoute");
    stage.run();
    assert_eq!(stage.binding().spec.target_type, Some(TargetType::Instance));
    stage.group_configuration(&json!({
        "targetReference": { "name": "shop" },
        "defaultConfiguration": { "enableMultiCluster": true },
    }));
    stage.run();
    assert!(stage.binding().spec.multi_cluster_target_group);
}

#[test]
fn a_gateway_whose_configuration_asks_to_be_kept_is_not_let_go() {
    let mut stage = Stage::with_route(NLB_GATEWAY_CONTROLLER, "TCP", "TCPRoute");
    let put = |stage: &Stage, value: &str| {
        let configuration: LoadBalancerConfiguration = serde_json::from_value(json!({
            "metadata": { "namespace": "web", "name": "conf" },
            "spec": { "loadBalancerAttributes": [
                { "key": "deletion_protection.enabled", "value": value },
            ]},
        }))
        .unwrap();
        let key = configuration.metadata.key();
        stage.view(|view| view.load_balancer_configurations.insert(key, configuration));
    };
    put(&stage, "true");
    stage.run();
    assert_eq!(stage.attribute("deletion_protection.enabled").as_deref(), Some("true"));
    let mut manifest = gateway("TCP");
    manifest["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    manifest["metadata"]["finalizers"] = json!(["gateway.k8s.aws/nlb"]);
    stage.gateway(&manifest);
    stage.said();
    assert!(at_once(stage.owners.work(stage.now)).unwrap().unwrap().ended.is_err());
    assert!(stage.said()[0].1.ends_with("cannot delete the gateway: gw"));
    put(&stage, "false");
    stage.now += SignedDuration::from_secs(1);
    stage.run();
    stage.let_bindings_go();
    stage.run();
    assert_eq!((stage.load_balancers().len(), stage.groups().len()), (0, 0));
    assert_eq!(stage.view(|view| view.gateways.len()), 0);
}
