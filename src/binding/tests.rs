//! What the labels of a binding say about its owner.

use super::*;

fn binding(labels: &[(&str, &str)]) -> Binding {
    Binding {
        namespace: "default".to_owned(),
        name: "nginx".to_owned(),
        uid: "u".to_owned(),
        flavour: Flavour::LoadBalancerController,
        created_at: None,
        changed_at: None,
        deleted_at: None,
        has_finalizer: false,
        failure: None,
        labels: labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
        annotations: BTreeMap::new(),
        spec: BindingSpec::default(),
    }
}

#[test]
fn stack_labels_name_the_owner() {
    let owner =
        |labels: &[(&str, &str)]| binding(labels).owner().map(|owner| (owner.kind, owner.name));
    assert_eq!(owner(&[]), None);
    assert_eq!(
        owner(&[
            ("service.k8s.aws/stack-namespace", "default"),
            ("service.k8s.aws/stack-name", "nginx")
        ]),
        Some((OwnerKind::Service, "nginx".to_owned()))
    );
    assert_eq!(
        owner(&[
            ("gateway.k8s.aws.nlb/stack-namespace", "a"),
            ("gateway.k8s.aws.nlb/stack-name", "gw")
        ]),
        Some((OwnerKind::Gateway, "gw".to_owned()))
    );
    assert_eq!(
        owner(&[("ingress.k8s.aws/stack", "shop")]),
        Some((OwnerKind::IngressGroup, "shop".to_owned()))
    );
}

#[test]
fn the_spec_is_written_in_the_order_the_controller_hashes() {
    let text = r#"{"targetGroupARN":"arn","multiClusterTargetGroup":true,"targetType":"ip","serviceRef":{"name":"nginx","port":80},"networking":{"ingress":[{"from":[{"securityGroup":{"groupID":"sg-1"}}],"ports":[{"protocol":"TCP","port":"http"}]}]},"nodeSelector":{"matchLabels":{"a":"b"}},"ipAddressType":"ipv4","vpcID":"vpc-1"}"#;
    let spec: BindingSpec = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&spec).unwrap(), text);
}
