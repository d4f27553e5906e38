//! Objects as the API server sends them, and what is kept of them.

use serde_json::{Value, json};

use super::*;

fn read<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn time(text: &str) -> Option<Timestamp> {
    Some(text.parse().unwrap())
}

#[test]
fn a_binding_changes_when_some_manager_writes_its_spec() {
    let binding = binding(
        Flavour::LoadBalancerController,
        read(json!({
            "metadata": {
                "name": "web", "namespace": "shop", "uid": "u",
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "mctg.dev/ignore": "x"},
                "finalizers": ["other"],
                "managedFields": [
                    {"manager": "kubectl", "time": "2026-11-23T10:00:00Z", "fieldsV1": {"f:spec": {"f:serviceRef": {}}}},
                    {"manager": "helm", "time": "2026-11-23T11:00:00Z", "fieldsV1": {"f:spec": {}}},
                    {"manager": "controller", "time": "2026-11-23T12:00:00Z", "fieldsV1": {"f:metadata": {}}},
                    {"manager": "controller", "time": "2026-11-23T13:00:00Z", "subresource": "status", "fieldsV1": {"f:spec": {}}},
                    {"manager": "ancient"},
                ],
            },
            "spec": {"serviceRef": {"name": "web", "port": 80}, "aFieldOfTomorrow": 1},
        })),
    );
    assert_eq!(binding.changed_at, time("2026-11-23T11:00:00Z"));
    assert!(!binding.has_finalizer);
    assert_eq!(binding.annotations.keys().collect::<Vec<_>>(), ["mctg.dev/ignore"]);
}

#[test]
fn a_ledger_changes_when_its_own_key_does() {
    let ledger = ledger(read(json!({
            "metadata": {
                "name": "l", "resourceVersion": "7",
                "managedFields": [
                    {"time": "2026-11-23T10:00:00Z", "fieldsV1": {"f:data": {".": {}, "f:targets": {}}}},
                    {"time": "2026-11-23T11:00:00Z", "fieldsV1": {"f:data": {"f:note": {}}}},
                ],
            },
            "data": {"targets": "10.0.0.1:80", "note": "mine"},
        })))
        .unwrap();
    assert_eq!(ledger.changed_at, time("2026-11-23T10:00:00Z"));
    assert_eq!((ledger.bytes, &*ledger.version), (11, "7"));
}

#[test]
fn a_slice_without_endpoints_or_ports_is_written_with_null() {
    let slice = |service: &str, kind: &str| {
        endpoint_slice(read(json!({
            "metadata": {"name": "s", "namespace": "shop", "labels": {SERVICE_NAME_LABEL: service}},
            "addressType": kind, "endpoints": null, "ports": null,
        })))
    };
    let empty = slice("web", "FQDN").unwrap();
    assert_eq!((empty.family, empty.endpoints.len(), empty.ports.len()), (None, 0, 0));
    assert_eq!(slice("web", "IPv6").unwrap().family, Some(AddressFamily::IPv6));
    let unlabelled = json!({"metadata": {"name": "s"}, "addressType": "IPv4"});
    assert_eq!(endpoint_slice(read(unlabelled)), None);
}

#[test]
fn only_pods_stand_behind_endpoints_in_the_slices_namespace_unless_said_otherwise() {
    let slice = endpoint_slice(read(json!({
        "metadata": {"name": "s", "namespace": "shop", "labels": {SERVICE_NAME_LABEL: "web"}},
        "addressType": "IPv4",
        "ports": [{"name": null, "port": null}],
        "endpoints": [
            {"addresses": ["10.0.0.1", "10.0.0.2"], "targetRef": {"kind": "Pod", "name": "a"}},
            {"addresses": [], "targetRef": {"kind": "Pod", "namespace": "other", "name": "b"},
             "conditions": {"ready": false, "terminating": true}},
            {"addresses": ["10.0.0.3"], "targetRef": {"kind": "Node", "name": "c"}},
        ],
    })))
    .unwrap();
    let pods: Vec<_> =
        slice.endpoints.iter().map(|it| it.pod.as_ref().map(PodName::to_string)).collect();
    assert_eq!(pods, [Some("shop/a".to_owned()), Some("other/b".to_owned()), None]);
    assert_eq!(slice.endpoints[0].address.as_deref(), Some("10.0.0.1"));
    assert_eq!((slice.endpoints[0].ready, slice.endpoints[0].terminating), (None, false));
    assert_eq!(slice.endpoints[1].address, None);
    assert_eq!((slice.endpoints[1].ready, slice.endpoints[1].terminating), (Some(false), true));
    assert_eq!((&*slice.ports[0].name, slice.ports[0].port), ("", 0));
}

#[test]
fn sidecars_come_after_containers_and_other_init_containers_not_at_all() {
    let container = |port: u16, policy: Option<&str>| {
        json!({"name": "c", "restartPolicy": policy, "ports": [{"containerPort": port}],
                "env": [{"name": "A"}, {"name": "AWS_LBC_QUIC_SERVER_ID", "value": "id"}]})
    };
    let pod = pod(read(json!({
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {
            "initContainers": [container(1, None), container(2, Some("Always"))],
            "containers": [container(3, None)],
        },
    })));
    let ports: Vec<_> = pod.containers.iter().flat_map(|it| it.ports.clone()).collect();
    assert_eq!(ports, [3, 2]);
    assert_eq!(pod.containers[0].quic_server_id.as_deref(), Some("id"));
    assert!(!pod.containers_ready && pod.ready_since.is_none() && pod.address.is_none());
}

#[test]
fn a_pod_waits_for_the_gates_it_declares_that_are_not_true() {
    let pod = pod(read(json!({
        "metadata": {"name": "a", "namespace": "shop"},
        "spec": {"readinessGates": [
            {"conditionType": "target-health.elbv2.k8s.aws/met"},
            {"conditionType": "target-health.elbv2.k8s.aws/unmet"},
            {"conditionType": "target-health.elbv2.k8s.aws/unset"},
            {"conditionType": "example.com/other"},
        ]},
        "status": {"conditions": [
            {"type": "target-health.elbv2.k8s.aws/met", "status": "True"},
            {"type": "target-health.elbv2.k8s.aws/unmet", "status": "False"},
            {"type": "target-health.elbv2.k8s.aws/undeclared", "status": "False"},
        ]},
    })));
    assert_eq!(pod.unmet_gates.into_iter().collect::<Vec<_>>(), ["unmet", "unset"]);
}

#[test]
fn the_flag_is_looked_for_in_the_spec_of_the_bindings_own_type() {
    let kinds =
        |kind: &str| json!([{"group": "elbv2.k8s.aws", "version": "v1beta1", "kind": kind}]);
    let document = |spec: Value| {
        spec_fields(read(json!({"components": {"schemas": {
            "List": {"x-kubernetes-group-version-kind": kinds("TargetGroupBindingList"), "properties": {"items": {}}},
            "Meta": {"type": "object"},
            "Params": {"x-kubernetes-group-version-kind": kinds("IngressClassParams"),
                "properties": {"spec": {"properties": {"multiClusterTargetGroup": {}}}}},
            "it": {"x-kubernetes-group-version-kind": kinds("TargetGroupBinding"), "properties": {"spec": spec}},
        }}})))
    };
    let properties =
        json!({"serviceRef": {"type": "object"}, "multiClusterTargetGroup": {"type": "boolean"}});
    let fields = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    let both = fields(&["multiClusterTargetGroup", "serviceRef"]);
    assert_eq!(document(json!({ "properties": properties })), both);
    assert_eq!(document(json!({"properties": {"serviceRef": {}}})), fields(&["serviceRef"]));
    assert_eq!(document(json!({"x-kubernetes-preserve-unknown-fields": true})), None);
    assert_eq!(spec_fields(read(json!({"components": {"schemas": {}}}))), None);
}

#[test]
fn a_node_without_the_condition_is_not_ready() {
    let node = |conditions: Value| {
        node(read(json!({"metadata": {"name": "n"}, "status": {"conditions": conditions}}))).ready
    };
    let condition = |status: &str| json!([{"type": "Ready", "status": status}]);
    assert_eq!(node(json!(null)), NodeReady::NotReady);
    assert_eq!(node(condition("True")), NodeReady::Ready);
    assert_eq!(node(condition("False")), NodeReady::NotReady);
    assert_eq!(node(condition("Unknown")), NodeReady::Unknown);
}
