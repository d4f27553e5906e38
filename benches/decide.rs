//! What deciding costs: `cargo bench --bench decide`, figures in `docs/performance.md`.
//!
//! Nine in ten targets are as they should be; of the rest half is missing and half is stale.

use std::collections::{BTreeMap, BTreeSet};

use divan::Bencher;
use mctg::binding::{Binding, BindingSpec, Flavour, PortRef, ServiceRef, TargetType};
use mctg::endpoints::{
    self, AddressFamily, Backend, Endpoint, EndpointSlice, Endpoints, Node, NodeReady, Pod,
    PodName, PodStub, Service, ServicePort, ServiceType, SliceEndpoint, SlicePort,
};
use mctg::facts::{BindingFacts, ClusterFacts, Facts, GroupFacts, TargetGroup};
use mctg::ledger::{self, Ledger};
use mctg::plan::{Pass, Request, plan};
use mctg::selection::Selection;
use mctg::status::status;
use mctg::target::{Health, HealthState, Target, TargetDescription, TargetGroupArn};

/// Targets in all.
const SIZES: [usize; 3] = [1_000, 10_000, 100_000];

/// Endpoints of one EndpointSlice, as Kubernetes fills them.
const SLICE: usize = 100;

fn main() {
    divan::main();
}

/// Resolves one Service's endpoints, a twentieth of them not ready.
#[divan::bench(args = SIZES)]
fn resolve(bencher: Bencher<'_, '_>, size: usize) {
    let world = Workload::new(size);
    let slices: Vec<&EndpointSlice> = world.slices.iter().collect();
    let backend = Backend {
        service: Some(&world.service),
        slices: &slices,
        pods: &world.pods,
        whole_pods: &world.whole_pods,
        nodes: &world.nodes,
    };
    let spec = spec(&arn(0));
    let found = endpoints::resolve(&spec, &backend).expect("the Service is there");
    assert!(found.desired.len() > size / 2);
    bencher.bench_local(|| endpoints::resolve(&spec, &backend));
}

/// Plans for one of two clusters, 100 targets to a group: what a fleet looks like.
#[divan::bench(args = SIZES)]
fn plan_of_groups_of_100(bencher: Bencher<'_, '_>, size: usize) {
    plan_of(bencher, &facts(size / 100, 100));
}

/// Plans for one of two clusters, all targets in one group: more than AWS allows.
#[divan::bench(args = SIZES)]
fn plan_of_one_group(bencher: Bencher<'_, '_>, size: usize) {
    plan_of(bencher, &facts(1, size));
}

/// Classes, shares and findings of the same fleet.
#[divan::bench(args = SIZES)]
fn status_of_groups_of_100(bencher: Bencher<'_, '_>, size: usize) {
    let facts = facts(size / 100, 100);
    let selection = Selection::default();
    assert_eq!(status(&facts, &selection).target_groups.len(), size / 100);
    bencher.bench_local(|| status(&facts, &selection));
}

fn plan_of(bencher: Bencher<'_, '_>, facts: &Facts) {
    let request = Request {
        contexts: BTreeSet::from(["blue".to_owned()]),
        may_deregister: true,
        ..Request::default()
    };
    let made = plan(facts, &request, Pass::First);
    assert!(made.bindings.iter().all(|b| !b.register.is_empty() && !b.deregister.is_empty()));
    bencher.bench_local(|| plan(facts, &request, Pass::First));
}

fn address(number: usize) -> String {
    format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255)
}

fn target(number: usize) -> Target {
    Target::new(address(number), 8080)
}

fn pod(number: usize) -> PodName {
    PodName { namespace: "shop".to_owned(), name: format!("web-7c5d9f-{number:06}") }
}

fn arn(number: usize) -> TargetGroupArn {
    let text = format!(
        "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/k8s-shop-{number:05}/0123456789abcdef"
    );
    text.parse().expect("it is an ARN")
}

fn spec(arn: &TargetGroupArn) -> BindingSpec {
    BindingSpec {
        target_group_arn: arn.to_string(),
        multi_cluster_target_group: true,
        target_type: Some(TargetType::Ip),
        service_ref: ServiceRef { name: "web".to_owned(), port: PortRef::Number(80) },
        ..BindingSpec::default()
    }
}

/// A Service, its slices, pods and nodes.
struct Workload {
    service: Service,
    slices: Vec<EndpointSlice>,
    pods: BTreeMap<PodName, PodStub>,
    whole_pods: BTreeMap<PodName, Pod>,
    nodes: BTreeMap<String, Node>,
}

impl Workload {
    fn new(size: usize) -> Self {
        let node =
            |number: usize| format!("ip-10-0-{}-{}.ec2.internal", number / 250, number % 250);
        let endpoint = |number: usize| SliceEndpoint {
            address: Some(address(number)),
            ready: Some(!number.is_multiple_of(20)),
            terminating: number.is_multiple_of(20),
            pod: Some(pod(number)),
            node: Some(node(number / 50)),
            zone: Some("us-east-1a".to_owned()),
        };
        let slice = |first: usize| EndpointSlice {
            namespace: "shop".to_owned(),
            service: "web".to_owned(),
            family: Some(AddressFamily::IPv4),
            ports: vec![SlicePort { name: "http".to_owned(), port: 8080 }],
            endpoints: (first..size.min(first + SLICE)).map(endpoint).collect(),
        };
        let stub = |number| (pod(number), PodStub { name: pod(number), created_at: None });
        let whole = |number| {
            let whole = Pod {
                name: pod(number),
                created_at: None,
                deleted_at: None,
                address: Some(address(number)),
                node: Some(node(number / 50)),
                containers_ready: false,
                ready_since: None,
                unmet_gates: BTreeSet::new(),
                quic_enabled: false,
                containers: Vec::new(),
            };
            (pod(number), whole)
        };
        let made = |number: usize| Node {
            name: node(number),
            created_at: None,
            labels: BTreeMap::from([(
                "topology.kubernetes.io/zone".to_owned(),
                "us-east-1a".to_owned(),
            )]),
            taints: Vec::new(),
            provider_id: format!("aws:///us-east-1a/i-{number:017x}"),
            addresses: Vec::new(),
            ready: NodeReady::Ready,
        };
        Self {
            service: Service {
                namespace: "shop".to_owned(),
                name: "web".to_owned(),
                kind: ServiceType::ClusterIP,
                labels: BTreeMap::new(),
                families: Vec::new(),
                ports: vec![ServicePort {
                    name: "http".to_owned(),
                    protocol: "TCP".to_owned(),
                    port: 80,
                    target_port: None,
                    node_port: 0,
                }],
            },
            slices: (0..size).step_by(SLICE).map(slice).collect(),
            pods: (0..size).map(stub).collect(),
            whole_pods: (0..size).step_by(20).map(whole).collect(),
            nodes: (0..=size / 50).map(|number| (node(number), made(number))).collect(),
        }
    }
}

/// Groups of so many targets each, half of them blue's and half green's.
fn facts(groups: usize, targets: usize) -> Facts {
    let cluster = |context: &str, offset: usize| ClusterFacts {
        context: context.to_owned(),
        cluster: Some(context.to_owned()),
        eks_name: None,
        also: Vec::new(),
        bindings: Ok((0..groups)
            .map(|group| {
                binding(group, (group * targets + offset)..(group * targets + offset + targets / 2))
            })
            .collect()),
        bindings_found: groups,
        namesakes: BTreeMap::new(),
        hidden: Vec::new(),
        controllers: Ok(Vec::new()),
        reconcilers: Vec::new(),
        has_flag: Some(true),
        unseen: Vec::new(),
        objects: mctg::objects::Objects::default(),
        orphans: Vec::new(),
        holders: BTreeMap::new(),
    };
    let listed = |number: usize| TargetDescription {
        target: target(number),
        availability_zone: Some("us-east-1a".to_owned()),
        health: Health::plain(HealthState::Healthy),
    };
    let group = |number: usize| {
        let range = number * targets..(number + 1) * targets;
        let facts = GroupFacts {
            group: Ok(TargetGroup {
                arn: arn(number),
                target_type: "ip".to_owned(),
                ip_address_type: "ipv4".to_owned(),
                protocol: Some("TCP".to_owned()),
                port: Some(80),
                health_check_port: None,
                vpc_id: None,
                load_balancer_arns: BTreeSet::new(),
            }),
            targets: Ok(range.filter(|number| !is_missing(*number)).map(listed).collect()),
            attributes: Ok(BTreeMap::new()),
            tags: Ok(BTreeMap::new()),
            load_balancers: Ok(Vec::new()),
        };
        (arn(number), facts)
    };
    Facts {
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        clusters: vec![cluster("blue", 0), cluster("green", targets / 2)],
        groups: (0..groups).map(group).collect(),
        account_limits: BTreeMap::new(),
        narrowed: false,
        left_out: BTreeSet::new(),
        lost: Vec::new(),
    }
}

fn is_missing(number: usize) -> bool {
    number.is_multiple_of(20)
}

fn is_stale(number: usize) -> bool {
    number % 20 == 10
}

fn binding(group: usize, numbers: std::ops::Range<usize>) -> BindingFacts {
    let endpoint = |number: usize| Endpoint {
        pod: Some(pod(number)),
        node: None,
        zone: Some("us-east-1a".to_owned()),
        created_at: None,
        ready_since: None,
        unmet_gates: BTreeSet::new(),
        unregistrable: None,
    };
    let tracked: BTreeSet<Target> = numbers.clone().map(target).collect();
    let desired = numbers.filter(|number| !is_stale(*number));
    let desired = desired.map(|number| (target(number), endpoint(number))).collect();
    BindingFacts {
        binding: Binding {
            namespace: "shop".to_owned(),
            name: format!("web-{group:05}"),
            uid: format!("uid-{group}"),
            flavour: Flavour::LoadBalancerController,
            created_at: None,
            changed_at: None,
            deleted_at: None,
            has_finalizer: false,
            failure: None,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            spec: spec(&arn(group)),
        },
        group: Ok(arn(group)),
        endpoints: Ok(Endpoints { desired, ..Endpoints::default() }),
        ledger: Ok(Some(Ledger {
            bytes: ledger::format(&tracked).len(),
            targets: tracked,
            version: "1".to_owned(),
            changed_at: None,
            foreign_write_at: None,
        })),
    }
}
