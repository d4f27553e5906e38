//! Each rule of `facts/lbc.md` 3, by its number.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::binding::{
    BindingSpec, IpAddressType, LabelExpression, LabelSelector, PortRef, ServiceRef, TargetType,
};

/// A Service with its slices, pods and nodes; every test starts from one that resolves.
struct World {
    spec: BindingSpec,
    service: Option<Service>,
    slices: Vec<EndpointSlice>,
    pods: BTreeMap<PodName, PodStub>,
    whole_pods: BTreeMap<PodName, Pod>,
    nodes: BTreeMap<String, Node>,
}

fn pod_name(name: &str) -> PodName {
    PodName { namespace: "web".to_owned(), name: name.to_owned() }
}

fn endpoint(address: &str, pod: &str) -> SliceEndpoint {
    SliceEndpoint {
        address: Some(address.to_owned()),
        ready: Some(true),
        terminating: false,
        pod: Some(pod_name(pod)),
        node: Some("node-1".to_owned()),
        zone: Some("us-east-1a".to_owned()),
    }
}

fn pod(name: &str) -> Pod {
    Pod {
        name: pod_name(name),
        created_at: None,
        deleted_at: None,
        address: None,
        node: Some("node-1".to_owned()),
        containers_ready: true,
        ready_since: None,
        unmet_gates: BTreeSet::new(),
        quic_enabled: false,
        containers: Vec::new(),
    }
}

fn node(name: &str, ready: NodeReady) -> Node {
    Node {
        name: name.to_owned(),
        created_at: None,
        labels: BTreeMap::from([(
            "topology.kubernetes.io/zone".to_owned(),
            "us-east-1a".to_owned(),
        )]),
        taints: Vec::new(),
        provider_id: format!("aws:///us-east-1a/i-{name}"),
        addresses: Vec::new(),
        ready,
    }
}

fn port(name: &str, port: u16, node_port: u16) -> ServicePort {
    let (name, protocol) = (name.to_owned(), "TCP".to_owned());
    ServicePort { name, protocol, port, target_port: None, node_port }
}

/// Service `shop` with port http=80/30080 over two ready pods on a ready node.
fn world(target_type: TargetType) -> World {
    let service_ref = ServiceRef { name: "shop".to_owned(), port: PortRef::Number(80) };
    let mut world = World {
        spec: BindingSpec { target_type: Some(target_type), service_ref, ..BindingSpec::default() },
        service: Some(Service {
            namespace: "web".to_owned(),
            name: "shop".to_owned(),
            labels: BTreeMap::new(),
            kind: ServiceType::NodePort,
            families: Vec::new(),
            ports: vec![port("http", 80, 30080)],
        }),
        slices: vec![EndpointSlice {
            namespace: "web".to_owned(),
            service: "shop".to_owned(),
            family: Some(AddressFamily::IPv4),
            ports: vec![SlicePort { name: "http".to_owned(), port: 8080 }],
            endpoints: vec![endpoint("10.0.0.1", "a"), endpoint("10.0.0.2", "b")],
        }],
        pods: BTreeMap::new(),
        whole_pods: BTreeMap::new(),
        nodes: BTreeMap::from([("node-1".to_owned(), node("node-1", NodeReady::Ready))]),
    };
    for name in ["a", "b"] {
        world.add_pod(pod(name));
    }
    world
}

impl World {
    fn add_pod(&mut self, pod: Pod) {
        self.pods.insert(pod.name.clone(), PodStub { name: pod.name.clone(), created_at: None });
        self.whole_pods.insert(pod.name.clone(), pod);
    }

    fn endpoint(&mut self, index: usize) -> &mut SliceEndpoint {
        &mut self.slices[0].endpoints[index]
    }

    fn node(&mut self) -> &mut Node {
        self.nodes.get_mut("node-1").unwrap()
    }

    fn resolve(&self) -> Result<Endpoints, Unresolved> {
        let slices: Vec<&EndpointSlice> = self.slices.iter().collect();
        resolve(
            &self.spec,
            &Backend {
                service: self.service.as_ref(),
                slices: &slices,
                pods: &self.pods,
                whole_pods: &self.whole_pods,
                nodes: &self.nodes,
            },
        )
    }

    fn desired(&self) -> Vec<String> {
        self.resolve().unwrap().desired.keys().map(Target::to_string).collect()
    }

    fn left_out(&self) -> Vec<(String, LeftOutReason)> {
        self.resolve().unwrap().left_out.into_iter().map(|out| (out.endpoint, out.reason)).collect()
    }
}

fn out(endpoint: &str, reason: LeftOutReason) -> Vec<(String, LeftOutReason)> {
    vec![(endpoint.to_owned(), reason)]
}

const BOTH: [&str; 2] = ["10.0.0.1:8080", "10.0.0.2:8080"];
const ONE: [&str; 1] = ["10.0.0.1:8080"];

#[test]
fn s2_a_number_is_a_port_and_a_string_is_a_name() {
    let mut world = world(TargetType::Ip);
    assert_eq!(world.desired(), BOTH);
    world.spec.service_ref.port = PortRef::Name("http".to_owned());
    assert_eq!(world.desired(), BOTH);
    world.spec.service_ref.port = PortRef::Name("80".to_owned());
    assert_eq!(
        world.resolve(),
        Err(Unresolved::PortMissing {
            service: "shop".to_owned(),
            port: PortRef::Name("80".to_owned())
        })
    );
}

#[test]
fn s2_the_first_port_that_matches_wins() {
    let mut world = world(TargetType::Ip);
    let udp = port("dns", 80, 0);
    world.service.as_mut().unwrap().ports.push(udp);
    assert_eq!(world.desired(), BOTH);
}

#[test]
fn s3_a_missing_service_and_a_missing_port_are_a_missing_backend() {
    let mut without_service = world(TargetType::Ip);
    without_service.service = None;
    let mut without_port = world(TargetType::Instance);
    without_port.spec.service_ref.port = PortRef::Number(81);
    for world in [without_service, without_port] {
        assert!(world.resolve().unwrap_err().is_backend_missing());
    }
}

#[test]
fn i1_no_slices_are_no_endpoints_and_no_error() {
    let mut world = world(TargetType::Ip);
    world.slices.clear();
    assert_eq!(world.resolve(), Ok(Endpoints::default()));
}

#[test]
fn i2_only_slices_of_the_bindings_family_count() {
    let mut world = world(TargetType::Ip);
    let ipv6 = EndpointSlice {
        family: Some(AddressFamily::IPv6),
        endpoints: vec![endpoint("2001:db8::1", "a")],
        ..world.slices[0].clone()
    };
    world.slices.push(ipv6);
    world.slices.push(EndpointSlice {
        family: None,
        endpoints: vec![endpoint("example.org", "a")],
        ..world.slices[0].clone()
    });
    assert_eq!(world.desired(), BOTH);
    assert!(
        world.left_out().contains(&("2001:db8::1".to_owned(), LeftOutReason::OtherAddressFamily))
    );
    world.spec.ip_address_type = Some(IpAddressType::Ipv6);
    assert_eq!(world.desired(), ["2001:db8::1:8080"]);
}

#[test]
fn i3_a_named_port_takes_the_slice_port_of_its_name() {
    let mut world = world(TargetType::Ip);
    world.slices[0].ports.push(SlicePort { name: "metrics".to_owned(), port: 9090 });
    assert_eq!(world.desired(), BOTH);
    world.slices[0].ports.remove(0);
    assert_eq!(world.desired(), [""; 0]);
    assert_eq!(world.left_out()[0].1, LeftOutReason::OtherPort);
}

#[test]
fn i3_a_port_without_a_name_takes_every_slice_port() {
    let mut world = world(TargetType::Ip);
    world.service.as_mut().unwrap().ports[0].name.clear();
    world.slices[0].ports.push(SlicePort { name: "metrics".to_owned(), port: 9090 });
    world.slices[0].endpoints.pop();
    assert_eq!(world.desired(), ["10.0.0.1:8080", "10.0.0.1:9090"]);
}

#[test]
fn i3_slices_may_resolve_one_port_name_to_different_numbers() {
    let mut world = world(TargetType::Ip);
    let other = EndpointSlice {
        ports: vec![SlicePort { name: "http".to_owned(), port: 9000 }],
        endpoints: vec![world.slices[0].endpoints.pop().unwrap()],
        ..world.slices[0].clone()
    };
    world.slices.push(other);
    assert_eq!(world.desired(), ["10.0.0.1:8080", "10.0.0.2:9000"]);
}

#[test]
fn i3_an_endpoint_without_a_port_number_is_desired_and_cannot_be_registered() {
    let mut world = world(TargetType::Ip);
    world.slices[0].ports[0].port = 0;
    let endpoints = world.resolve().unwrap();
    assert!(
        endpoints
            .desired
            .values()
            .all(|endpoint| endpoint.unregistrable == Some(Unregistrable::NoPort))
    );
    assert_eq!(endpoints.registrable().count(), 0);
}

#[test]
fn i4_an_endpoint_without_a_pod_is_left_out() {
    let mut world = world(TargetType::Ip);
    world.endpoint(1).pod = None;
    assert_eq!(world.desired(), ONE);
    assert_eq!(world.left_out(), out("10.0.0.2", LeftOutReason::NoPod));
}

#[test]
fn i4_an_endpoint_without_an_address_is_left_out() {
    let mut world = world(TargetType::Ip);
    world.endpoint(1).address = None;
    assert_eq!(world.desired(), ONE);
    assert_eq!(world.left_out(), out("", LeftOutReason::NoAddress));
}

#[test]
fn i5_an_endpoint_whose_pod_is_gone_is_left_out() {
    let mut world = world(TargetType::Ip);
    world.pods.remove(&pod_name("b"));
    assert_eq!(world.desired(), ONE);
    assert_eq!(world.left_out(), out("10.0.0.2", LeftOutReason::PodGone));
}

#[test]
fn i6_ready_or_unknown_is_included_even_when_terminating_on_a_dead_node() {
    let mut world = world(TargetType::Ip);
    world.nodes.clear();
    world.whole_pods.clear();
    world.endpoint(0).ready = None;
    world.endpoint(1).terminating = true;
    assert_eq!(world.desired(), BOTH);
}

#[test]
fn i7_not_ready_with_ready_containers_on_a_ready_node_is_included() {
    let mut world = world(TargetType::Ip);
    world.endpoint(1).ready = Some(false);
    assert_eq!(world.desired(), BOTH);
}

#[test]
fn i7_not_ready_is_left_out_by_its_containers_its_node_or_its_end() {
    type Break = fn(&mut World);
    let cases: [(Break, LeftOutReason); 4] = [
        (
            |w| w.add_pod(Pod { containers_ready: false, ..pod("b") }),
            LeftOutReason::ContainersNotReady,
        ),
        (|w| w.add_pod(Pod { node: Some("gone".to_owned()), ..pod("b") }), LeftOutReason::NodeGone),
        (|w| w.node().ready = NodeReady::NotReady, LeftOutReason::NodeNotReady),
        (|w| w.endpoint(1).terminating = true, LeftOutReason::Terminating),
    ];
    for (break_it, reason) in cases {
        let mut world = world(TargetType::Ip);
        world.endpoint(1).ready = Some(false);
        break_it(&mut world);
        assert_eq!(world.desired(), ONE, "{reason:?}");
        assert_eq!(world.left_out(), out("10.0.0.2", reason));
    }
}

#[test]
fn i7_an_unready_pod_that_was_not_read_whole_leaves_the_endpoints_unknown() {
    let mut world = world(TargetType::Ip);
    world.endpoint(1).ready = Some(false);
    world.whole_pods.clear();
    assert!(matches!(world.resolve(), Err(Unresolved::Silent(_))));
    let needed = whole_pods_needed(&world.spec, world.slices.iter());
    assert_eq!(needed.into_iter().collect::<Vec<_>>(), [pod_name("b")]);
}

#[test]
fn i8_what_is_unknown_serves_only_where_nothing_is_ready() {
    let mut world = world(TargetType::Ip);
    world.node().ready = NodeReady::Unknown;
    world.endpoint(1).ready = Some(false);
    world.endpoint(1).terminating = true;
    assert_eq!(world.desired(), ONE);
    assert_eq!(world.left_out(), out("10.0.0.2", LeftOutReason::NodeStateUnknown));
    world.endpoint(0).ready = Some(false);
    assert_eq!(world.desired(), BOTH);
}

#[test]
fn i9_an_endpoint_that_is_listed_twice_is_one_target() {
    let mut world = world(TargetType::Ip);
    world.slices.push(world.slices[0].clone());
    assert_eq!(world.desired(), BOTH);
}

#[test]
fn i10_the_type_of_the_service_does_not_matter_to_pods() {
    for kind in [
        ServiceType::ClusterIP,
        ServiceType::NodePort,
        ServiceType::LoadBalancer,
        ServiceType::ExternalName,
    ] {
        let mut world = world(TargetType::Ip);
        world.service.as_mut().unwrap().kind = kind;
        assert_eq!(world.desired(), BOTH);
    }
}

fn quic_world(containers: Vec<Container>) -> World {
    let mut world = world(TargetType::Ip);
    world.spec.target_group_protocol = Some("QUIC".to_owned());
    world.slices[0].endpoints.truncate(1);
    world.add_pod(Pod { quic_enabled: true, containers, ..pod("a") });
    world
}

fn container(ports: &[u16], id: Option<&str>) -> Container {
    Container { ports: ports.to_vec(), quic_server_id: id.map(str::to_owned) }
}

#[test]
fn i11_a_quic_target_carries_the_server_id_of_the_container_that_serves_its_port() {
    let world = quic_world(vec![
        container(&[9], Some("AAAAAAAAAAE=")),
        container(&[8080], Some("AAAAAAAAAKs=")),
    ]);
    assert_eq!(world.desired(), ["10.0.0.1:8080:0x00000000000000ab"]);
}

#[test]
fn i11_else_of_the_first_container_that_has_one() {
    let world = quic_world(vec![container(&[8080], None), container(&[9], Some("AAAAAAAAAAE="))]);
    assert_eq!(world.desired(), ["10.0.0.1:8080:0x0000000000000001"]);
}

#[test]
fn i11_without_a_server_id_it_is_desired_and_cannot_be_registered() {
    let no_id = quic_world(vec![container(&[8080], Some("not base64!"))]);
    let mut no_annotation = quic_world(vec![container(&[8080], Some("AAAAAAAAAAE="))]);
    no_annotation.whole_pods.get_mut(&pod_name("a")).unwrap().quic_enabled = false;
    for world in [no_id, no_annotation] {
        let endpoints = world.resolve().unwrap();
        let target = Target::new("10.0.0.1", 8080);
        assert_eq!(endpoints.desired[&target].unregistrable, Some(Unregistrable::NoQuicServerId));
    }
}

#[test]
fn i11_outside_quic_groups_a_server_id_is_no_part_of_the_target() {
    let mut world = quic_world(vec![container(&[8080], Some("AAAAAAAAAAE="))]);
    world.spec.target_group_protocol = Some("TCP".to_owned());
    assert_eq!(world.desired(), ONE);
}

#[test]
fn n1_instances_are_registered_with_the_node_port() {
    assert_eq!(world(TargetType::Instance).desired(), ["i-node-1:30080"]);
}

#[test]
fn n1_a_service_without_node_ports_is_an_error_and_no_missing_backend() {
    let mut world = world(TargetType::Instance);
    world.service.as_mut().unwrap().kind = ServiceType::ClusterIP;
    let unresolved = world.resolve().unwrap_err();
    assert_eq!(unresolved, Unresolved::NoNodePorts("shop".to_owned()));
    assert!(!unresolved.is_backend_missing());
}

#[test]
fn n1_without_an_allocated_node_port_nothing_can_be_registered() {
    let mut world = world(TargetType::Instance);
    world.service.as_mut().unwrap().ports[0].node_port = 0;
    assert_eq!(world.resolve().unwrap().registrable().count(), 0);
}

#[test]
fn n2_excluding_labels_exclude_and_the_control_plane_label_does_not() {
    for (key, value, excluded) in [
        ("node-role.kubernetes.io/master", "", true),
        ("node.kubernetes.io/exclude-from-external-load-balancers", "false", true),
        ("alpha.service-controller.kubernetes.io/exclude-balancer", "", true),
        ("eks.amazonaws.com/compute-type", "fargate", true),
        ("eks.amazonaws.com/compute-type", "ec2", false),
        ("node-role.kubernetes.io/control-plane", "", false),
    ] {
        let mut world = world(TargetType::Instance);
        world.node().labels.insert(key.to_owned(), value.to_owned());
        assert_eq!(world.desired().is_empty(), excluded, "{key}={value}");
        assert_eq!(
            world.left_out().first().map(|(_, reason)| *reason),
            excluded.then_some(LeftOutReason::NodeExcluded)
        );
    }
}

fn expression(key: &str, operator: &str, values: &[&str]) -> LabelExpression {
    LabelExpression {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

#[test]
fn n2_the_bindings_selector_selects_as_kubernetes_does() {
    for (expression, selected) in [
        (expression("pool", "In", &["a", "b"]), true),
        (expression("pool", "In", &["b"]), false),
        (expression("pool", "NotIn", &["b"]), true),
        (expression("other", "NotIn", &["b"]), true),
        (expression("pool", "Exists", &[]), true),
        (expression("other", "Exists", &[]), false),
        (expression("pool", "DoesNotExist", &[]), false),
    ] {
        let mut world = world(TargetType::Instance);
        world.node().labels.insert("pool".to_owned(), "a".to_owned());
        let selector = LabelSelector {
            match_expressions: vec![expression.clone()],
            ..LabelSelector::default()
        };
        world.spec.node_selector = Some(selector);
        assert_eq!(!world.desired().is_empty(), selected, "{expression:?}");
    }
}

#[test]
fn n2_an_operator_that_is_none_fails_the_binding() {
    let mut world = world(TargetType::Instance);
    let selector = LabelSelector {
        match_expressions: vec![expression("pool", "Is", &[])],
        ..LabelSelector::default()
    };
    world.spec.node_selector = Some(selector);
    assert_eq!(
        world.resolve(),
        Err(Unresolved::InvalidNodeSelector("`Is` is no operator".to_owned()))
    );
}

#[test]
fn n3_taints_for_removal_exclude() {
    for (key, effect, excluded) in [
        ("ToBeDeletedByClusterAutoscaler", "PreferNoSchedule", true),
        ("karpenter.sh/disrupted", "NoSchedule", true),
        ("karpenter.sh/disrupted", "NoExecute", false),
        ("node.kubernetes.io/unschedulable", "NoSchedule", false),
    ] {
        let mut world = world(TargetType::Instance);
        world.node().taints.push(Taint { key: key.to_owned(), effect: effect.to_owned() });
        assert_eq!(world.desired().is_empty(), excluded, "{key}:{effect}");
    }
}

#[test]
fn n4_only_ready_nodes_serve_and_unknown_ones_where_none_is_ready() {
    let mut world = world(TargetType::Instance);
    world.nodes.insert("node-2".to_owned(), node("node-2", NodeReady::Unknown));
    world.nodes.insert("node-3".to_owned(), node("node-3", NodeReady::NotReady));
    assert_eq!(world.desired(), ["i-node-1:30080"]);
    assert_eq!(
        world.left_out(),
        [
            ("node-2".to_owned(), LeftOutReason::InstanceStateUnknown),
            ("node-3".to_owned(), LeftOutReason::InstanceNotReady)
        ]
    );
    world.node().ready = NodeReady::NotReady;
    assert_eq!(world.desired(), ["i-node-2:30080"]);
}

#[test]
fn n5_the_instance_id_is_the_last_part_of_the_provider_id() {
    for (provider_id, id) in [
        ("aws:///us-east-1a/i-0abc", Some("i-0abc")),
        ("i-0abc", Some("i-0abc")),
        ("eks-hybrid:///us-east-1/cluster/mi-0abc", Some("hybrid-mi-0abc")),
        ("eks-hybrid:///us-east-1/cluster/i-0abc", None),
        ("aws:///us-east-1a/fargate-10.0.0.1", None),
        ("", None),
    ] {
        assert_eq!(instance_id(provider_id).as_deref(), id, "{provider_id}");
    }
}

#[test]
fn n5_one_node_without_an_instance_id_fails_the_whole_binding() {
    let mut world = world(TargetType::Instance);
    let nameless = Node { provider_id: String::new(), ..node("node-2", NodeReady::Ready) };
    world.nodes.insert("node-2".to_owned(), nameless.clone());
    let expected =
        Unresolved::InvalidProviderId { node: "node-2".to_owned(), provider_id: String::new() };
    assert_eq!(world.resolve(), Err(expected));
    // A node that is not selected anyway does no harm.
    world.nodes.insert("node-2".to_owned(), Node { ready: NodeReady::NotReady, ..nameless });
    assert_eq!(world.desired(), ["i-node-1:30080"]);
}

#[test]
fn a_binding_without_a_target_type_is_not_guessed_about() {
    let mut world = world(TargetType::Ip);
    world.spec.target_type = None;
    assert_eq!(world.resolve(), Err(Unresolved::NoTargetType));
}
