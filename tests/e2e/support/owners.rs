//! Owners of load balancers: Services, Ingresses, Gateways, and the types that Gateways need.

use serde_json::{Value, json};

use super::cluster::Cluster;
use super::objects::service;

/// The prefix of a Service's annotations.
pub(crate) const NLB: &str = "service.beta.kubernetes.io/aws-load-balancer";

/// A Service in namespace `default` with an NLB of its own, for `ip` or `instance` targets.
pub(crate) fn nlb_service(name: &str, target_type: &str) -> Value {
    let mut owner = service("default", name, "LoadBalancer");
    owner["spec"]["loadBalancerClass"] = json!("service.k8s.aws/nlb");
    owner["metadata"]["annotations"] = json!({ format!("{NLB}-nlb-target-type"): target_type });
    owner
}

/// The class of Ingresses that the controller serves.
pub(crate) fn ingress_class() -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": { "name": "alb" },
        "spec": { "controller": "ingress.k8s.aws/alb" },
    })
}

/// An Ingress in namespace `default` whose ALB leads to port 80 of the Service of its name.
pub(crate) fn alb_ingress(name: &str, target_type: &str) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": { "namespace": "default", "name": name, "annotations": {
            "alb.ingress.kubernetes.io/target-type": target_type,
        }},
        "spec": {
            "ingressClassName": "alb",
            "rules": [{ "http": { "paths": [{
                "path": "/",
                "pathType": "Prefix",
                "backend": { "service": { "name": name, "port": { "number": 80 } } },
            }]}}],
        },
    })
}

/// A GatewayClass for an `alb` or an `nlb`, named so.
pub(crate) fn gateway_class(kind: &str) -> Value {
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": { "name": kind },
        "spec": { "controllerName": format!("gateway.k8s.aws/{kind}") },
    })
}

/// A Gateway in namespace `default` with a listener on port 80, and its LoadBalancerConfiguration of
/// the same name.
pub(crate) fn gateway(name: &str, class: &str) -> Value {
    let protocol = if class == "alb" { "HTTP" } else { "TCP" };
    json!({
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": { "namespace": "default", "name": name },
        "spec": {
            "gatewayClassName": class,
            "infrastructure": { "parametersRef": {
                "group": "gateway.k8s.aws", "kind": "LoadBalancerConfiguration", "name": name,
            }},
            "listeners": [{ "name": "main", "port": 80, "protocol": protocol }],
        },
    })
}

/// A route (`HTTPRoute` or `TCPRoute`) from a Gateway to port 80 of the Service of its name.
pub(crate) fn route(kind: &str, name: &str, gateway: &str) -> Value {
    let version = if kind == "HTTPRoute" { "v1" } else { "v1alpha2" };
    json!({
        "apiVersion": format!("gateway.networking.k8s.io/{version}"),
        "kind": kind,
        "metadata": { "namespace": "default", "name": name },
        "spec": {
            "parentRefs": [{ "name": gateway }],
            "rules": [{ "backendRefs": [{ "name": name, "port": 80 }] }],
        },
    })
}

/// The TargetGroupConfiguration of a Service.
pub(crate) fn group_configuration(service: &str, target_type: &str) -> Value {
    json!({
        "apiVersion": "gateway.k8s.aws/v1",
        "kind": "TargetGroupConfiguration",
        "metadata": { "namespace": "default", "name": service },
        "spec": {
            "targetReference": { "name": service },
            "defaultConfiguration": { "targetType": target_type },
        },
    })
}

/// The LoadBalancerConfiguration of a Gateway.
pub(crate) fn load_balancer_configuration(gateway: &str) -> Value {
    json!({
        "apiVersion": "gateway.k8s.aws/v1",
        "kind": "LoadBalancerConfiguration",
        "metadata": { "namespace": "default", "name": gateway },
        "spec": { "scheme": "internal" },
    })
}

/// Installs the types of Gateway API and of its configurations, as far as tests use them: their specs
/// are taken as they come.
pub(crate) async fn install_gateways(cluster: &Cluster) {
    let api = "gateway.networking.k8s.io";
    let aws = "gateway.k8s.aws";
    for (group, version, kind, plural, scope) in [
        (api, "v1", "GatewayClass", "gatewayclasses", "Cluster"),
        (api, "v1", "Gateway", "gateways", "Namespaced"),
        (api, "v1", "HTTPRoute", "httproutes", "Namespaced"),
        (api, "v1alpha2", "TCPRoute", "tcproutes", "Namespaced"),
        (aws, "v1", "TargetGroupConfiguration", "targetgroupconfigurations", "Namespaced"),
        (aws, "v1", "LoadBalancerConfiguration", "loadbalancerconfigurations", "Namespaced"),
    ] {
        let any = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
        let schema = json!({ "type": "object", "properties": { "spec": any, "status": any } });
        let mut crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": { "name": format!("{plural}.{group}") },
            "spec": {
                "group": group,
                "scope": scope,
                "names": { "kind": kind, "plural": plural, "singular": kind.to_lowercase() },
                "versions": [{
                    "name": version,
                    "served": true,
                    "storage": true,
                    "subresources": { "status": {} },
                    "schema": { "openAPIV3Schema": schema },
                }],
            },
        });
        if group.ends_with("k8s.io") {
            // Groups of Kubernetes' own have to say who approved them.
            let approved = json!({ "api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/1" });
            crd["metadata"]["annotations"] = approved;
        }
        cluster.install_crd(crd).await;
    }
}

/// Installs ACK's type of target groups, and one of it that manages a group.
pub(crate) async fn adopt_by_ack(cluster: &Cluster, arn: &str) {
    let any = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let schema = json!({ "type": "object", "properties": { "spec": any, "status": any } });
    let crd = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": { "name": "targetgroups.elbv2.services.k8s.aws" },
        "spec": {
            "group": "elbv2.services.k8s.aws",
            "scope": "Namespaced",
            "names": { "kind": "TargetGroup", "plural": "targetgroups", "singular": "targetgroup" },
            "versions": [{
                "name": "v1alpha1", "served": true, "storage": true,
                "subresources": { "status": {} },
                "schema": { "openAPIV3Schema": schema },
            }],
        },
    });
    cluster.install_crd(crd).await;
    let group = json!({
        "apiVersion": "elbv2.services.k8s.aws/v1alpha1",
        "kind": "TargetGroup",
        "metadata": { "namespace": "default", "name": "adopted" },
        "spec": { "name": "another" },
        "status": { "ackResourceMetadata": { "arn": arn } },
    });
    cluster.put(group).await;
}
