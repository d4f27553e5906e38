//! Manifests, right by themselves: tests change in them what they are about.

use serde_json::{Value, json};

/// A namespace.
pub(crate) fn namespace(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name } })
}

/// A node that is ready, on an EC2 instance in a zone.
pub(crate) fn node(name: &str, instance: &str, zone: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name, "labels": {
            "kubernetes.io/hostname": name,
            "topology.kubernetes.io/region": zone.trim_end_matches(char::is_alphabetic),
            "topology.kubernetes.io/zone": zone,
        }},
        "spec": { "providerID": format!("aws:///{zone}/{instance}") },
        "status": { "conditions": [condition("Ready", "True")] },
    })
}

/// A pod that is ready, on a node.
pub(crate) fn pod(namespace: &str, name: &str, ip: &str, node: &str) -> Value {
    let ready = ["PodScheduled", "Initialized", "ContainersReady", "Ready"];
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "namespace": namespace, "name": name },
        "spec": {
            "nodeName": node,
            "containers": [{ "name": "web", "image": "example.invalid/web", "ports": [{ "containerPort": 80 }] }],
        },
        "status": {
            "phase": "Running",
            "podIP": ip,
            "podIPs": [{ "ip": ip }],
            "conditions": ready.map(|kind| condition(kind, "True")),
        },
    })
}

/// A condition as nodes and pods have them.
pub(crate) fn condition(kind: &str, status: &str) -> Value {
    json!({ "type": kind, "status": status, "lastTransitionTime": "2026-01-01T00:00:00Z" })
}

/// A Service of a type (`ClusterIP`, `NodePort`, ...) with one port, `http` on 80.
pub(crate) fn service(namespace: &str, name: &str, kind: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": { "namespace": namespace, "name": name },
        "spec": {
            "type": kind,
            "selector": { "app": name },
            "ports": [{ "name": "http", "port": 80, "protocol": "TCP", "targetPort": 80 }],
        },
    })
}

/// The EndpointSlice of a Service, with an endpoint for each of the pods.
pub(crate) fn slice(namespace: &str, service: &str, pods: &[Value]) -> Value {
    let endpoint = |pod: &Value| {
        let mut endpoint = json!({
            "addresses": [pod["status"]["podIP"]],
            "conditions": { "ready": true, "serving": true, "terminating": false },
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": { "kind": "Pod", "namespace": namespace, "name": pod["metadata"]["name"] },
        });
        // As the node's label says: every test has its nodes in these zones.
        let zone = ["us-east-1a", "us-east-1b", "us-east-1c"].into_iter().zip(0..);
        let of_node = |index: &i32| pod["spec"]["nodeName"] == format!("node-{index}");
        if let Some((zone, _)) = zone.into_iter().find(|(_, index)| of_node(index)) {
            endpoint["zone"] = json!(zone);
        }
        endpoint
    };
    let endpoints: Vec<_> = pods.iter().map(endpoint).collect();
    json!({
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "namespace": namespace,
            "name": format!("{service}-slice"),
            "labels": { "kubernetes.io/service-name": service },
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{ "name": "http", "port": 80, "protocol": "TCP" }],
    })
}

/// A multi-cluster binding of a Service's port 80 by pod addresses, named like the Service.
pub(crate) fn binding(namespace: &str, service: &str, arn: &str) -> Value {
    json!({
        "apiVersion": "elbv2.k8s.aws/v1beta1",
        "kind": "TargetGroupBinding",
        "metadata": { "namespace": namespace, "name": service },
        "spec": {
            "targetGroupARN": arn,
            "multiClusterTargetGroup": true,
            "targetType": "ip",
            "ipAddressType": "ipv4",
            "serviceRef": { "name": service, "port": 80 },
        },
    })
}

/// The ConfigMap in which the controller tracks a binding's targets.
pub(crate) fn ledger(namespace: &str, binding: &str, targets: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "namespace": namespace, "name": format!("aws-lbc-targets-{binding}") },
        "data": { "targets": targets },
    })
}

/// The controller's Deployment; `ready` of its `replicas` are.
pub(crate) fn controller(version: &str, replicas: u32, ready: u32) -> Value {
    let labels = json!({ "app.kubernetes.io/name": "aws-load-balancer-controller" });
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": { "namespace": "kube-system", "name": "aws-load-balancer-controller", "labels": labels },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": labels },
            "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{
                    "name": "aws-load-balancer-controller",
                    "image": format!("public.ecr.aws/eks/aws-load-balancer-controller:{version}"),
                    "args": ["--cluster-name=blue", "--ingress-class=alb"],
                }]},
            },
        },
        "status": { "replicas": replicas, "readyReplicas": ready, "availableReplicas": ready },
    })
}

/// What the controller's chart leaves in the way of every change of a binding; `client` says where its
/// webhook is.
pub(crate) fn webhook(client: &Value) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "aws-load-balancer-webhook" },
        "webhooks": [{
            "name": "vtargetgroupbinding.elbv2.k8s.aws",
            "admissionReviewVersions": ["v1", "v1beta1"],
            "clientConfig": client,
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "rules": [{
                "apiGroups": ["elbv2.k8s.aws"],
                "apiVersions": ["v1beta1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["targetgroupbindings"],
            }],
        }],
    })
}

/// The controller's Lease, renewed at a time (RFC 3339 with microseconds).
pub(crate) fn lease(renewed: &str) -> Value {
    json!({
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": { "namespace": "kube-system", "name": "aws-load-balancer-controller-leader" },
        "spec": {
            "holderIdentity": "aws-load-balancer-controller-0",
            "leaseDurationSeconds": 15,
            "leaseTransitions": 1,
            "acquireTime": renewed,
            "renewTime": renewed,
        },
    })
}
