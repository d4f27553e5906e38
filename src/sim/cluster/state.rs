//! What a cluster holds, and how tests change it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::binding::{
    Binding, BindingSpec, Flavour, IpAddressType, PortRef, ServiceRef, TargetType,
};
use crate::change::{Manifest, Note};
use crate::endpoints::{
    AddressFamily, EndpointSlice, GATE_PREFIX, Node, NodeReady, Pod, PodName, Service, ServicePort,
    ServiceType, SliceEndpoint, SlicePort,
};
use crate::events::Event;
use crate::facts::{Controller, Reconciler, Webhook};
use crate::objects::Object;
use crate::sim::world::zone_of;
use crate::target::TargetGroupArn;

/// What a cluster holds. Maps are keyed `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterState {
    /// The UID of namespace `kube-system`.
    pub identity: String,
    /// The address it is reached by.
    pub endpoint: String,
    bindings: BTreeMap<String, Binding>,
    /// The Services.
    pub services: BTreeMap<String, SimService>,
    /// The pods; EndpointSlices are made of them whenever they are asked for.
    pub pods: BTreeMap<String, SimPod>,
    /// Further EndpointSlices, made by hand.
    pub extra_slices: Vec<EndpointSlice>,
    /// The nodes, by name.
    pub nodes: BTreeMap<String, Node>,
    /// The ConfigMaps that are ledgers.
    pub ledgers: BTreeMap<String, StoredLedger>,
    /// The notes of this program.
    #[serde(default)]
    pub notes: BTreeMap<String, Note>,
    /// The controllers.
    pub controllers: Vec<Controller>,
    /// This program's own CronJobs.
    pub reconcilers: Vec<Reconciler>,
    /// Whether its type TargetGroupBinding has the multi-cluster flag.
    #[serde(default = "yes")]
    pub has_flag: bool,
    /// Whether it lacks that type altogether.
    #[serde(default)]
    pub is_without_type: bool,
    /// Who answers when a binding is created or updated.
    #[serde(default = "nobody_asked")]
    pub webhook: Webhook,
    /// How far its API server's clock is ahead of the world's.
    #[serde(default)]
    pub clock_ahead: SignedDuration,
    /// What is forbidden: by whom (`""` is whoever asks, else `namespace/name` of a ServiceAccount) and
    /// what (`resource.group:verb`).
    #[serde(default)]
    pub denied: BTreeSet<(String, String)>,
    /// Fields that its type TargetGroupBinding lacks, as an older one does.
    #[serde(default)]
    pub lacks_fields: BTreeSet<String>,
    /// The events of this program.
    #[serde(default)]
    pub events: BTreeMap<String, StoredEvent>,
    /// The objects around bindings, by kind, namespace and name. A Service without one is a plain one.
    #[serde(default)]
    pub(super) objects: BTreeMap<String, Object>,
    now: Timestamp,
    pub(super) sequence: u64,
}

fn yes() -> bool {
    true
}

fn nobody_asked() -> Webhook {
    Webhook::Absent
}

/// An event, as it happened last, and how often it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The event.
    pub event: Event,
    /// How often.
    pub count: u32,
}

/// A Service, and where its ports lead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimService {
    /// The Service.
    pub service: Service,
    /// The pods' port behind each of its ports, by name.
    pub target_ports: BTreeMap<String, u16>,
}

/// A pod, and what its Service's EndpointSlice says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimPod {
    /// The pod.
    pub pod: Pod,
    /// The Service that selects it.
    pub service: String,
    /// Whether its endpoint is ready.
    pub ready: bool,
    /// The readiness gates it declares, by condition type: whether each is `True`, where it has a
    /// status.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gates: BTreeMap<String, Option<bool>>,
}

/// A ledger as stored: text, ledger or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLedger {
    /// The text of key `targets`.
    pub text: String,
    /// Its resource version.
    pub version: u64,
    /// When it was last written.
    pub changed_at: Timestamp,
    /// When anybody but the controller last wrote it.
    #[serde(default)]
    pub foreign_write_at: Option<Timestamp>,
    /// Whether the ConfigMap is immutable.
    pub immutable: bool,
    /// The other keys: nobody's business.
    pub other_data: BTreeMap<String, String>,
}

/// A binding to make: multi-cluster, `ip`, IPv4, of port 80, by ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBinding {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its flavour.
    pub flavour: Flavour,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its spec.
    pub spec: BindingSpec,
}

impl NewBinding {
    /// Binds a Service's port 80 to a group.
    pub fn new(namespace: &str, name: &str, service: &str, group: &TargetGroupArn) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            flavour: Flavour::LoadBalancerController,
            labels: BTreeMap::new(),
            spec: BindingSpec {
                target_group_arn: group.to_string(),
                multi_cluster_target_group: true,
                target_type: Some(TargetType::Ip),
                ip_address_type: Some(IpAddressType::Ipv4),
                service_ref: ServiceRef { name: service.to_owned(), port: PortRef::Number(80) },
                ..BindingSpec::default()
            },
        }
    }

    /// Makes it one that the controller generated for its Service.
    #[must_use]
    pub fn generated(mut self) -> Self {
        let namespace = self.namespace.clone();
        let name = self.spec.service_ref.name.clone();
        self.labels.insert("service.k8s.aws/stack-namespace".to_owned(), namespace);
        self.labels.insert("service.k8s.aws/stack-name".to_owned(), name);
        self
    }

    /// Makes it exclusive: without the multi-cluster flag.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.spec.multi_cluster_target_group = false;
        self
    }

    /// Makes it one for nodes.
    #[must_use]
    pub fn instance(mut self) -> Self {
        self.spec.target_type = Some(TargetType::Instance);
        self
    }

    /// Makes it one of EKS Auto Mode.
    #[must_use]
    pub fn auto_mode(mut self) -> Self {
        self.flavour = Flavour::AutoMode;
        self
    }
}

impl SimPod {
    /// The pod as its cluster shows it, with the gates it waits for.
    pub fn whole(&self) -> Pod {
        let unmet = self.gates.iter().filter(|(_, open)| **open != Some(true));
        let names = unmet.filter_map(|(gate, _)| gate.strip_prefix(GATE_PREFIX));
        Pod { unmet_gates: names.map(str::to_owned).collect(), ..self.pod.clone() }
    }
}

impl ClusterState {
    /// Makes a cluster with no node.
    pub fn new(name: &str, now: Timestamp) -> Self {
        Self {
            identity: uid(&format!("{name}/kube-system")),
            endpoint: format!("https://{name}.example"),
            bindings: BTreeMap::new(),
            services: BTreeMap::new(),
            pods: BTreeMap::new(),
            extra_slices: Vec::new(),
            nodes: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            notes: BTreeMap::new(),
            controllers: Vec::new(),
            reconcilers: Vec::new(),
            has_flag: true,
            is_without_type: false,
            webhook: Webhook::Absent,
            clock_ahead: SignedDuration::ZERO,
            denied: BTreeSet::new(),
            lacks_fields: BTreeSet::new(),
            events: BTreeMap::new(),
            objects: BTreeMap::new(),
            now,
            sequence: 0,
        }
    }

    /// The cluster's time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves time on.
    pub fn advance(&mut self, by: SignedDuration) {
        self.now = self.now.saturating_add(by).unwrap_or(Timestamp::MAX);
    }

    /// Adds a ready node.
    pub fn add_node(&mut self, name: &str, zone: &str, instance: &str, address: &str) {
        let labels = [("topology.kubernetes.io/zone", zone), ("kubernetes.io/hostname", name)];
        let node = Node {
            name: name.to_owned(),
            created_at: Some(self.now),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
            taints: Vec::new(),
            provider_id: format!("aws:///{zone}/{instance}"),
            addresses: vec![address.to_owned(), name.to_owned()],
            ready: NodeReady::Ready,
        };
        self.nodes.insert(name.to_owned(), node);
    }

    /// Adds a Service of type LoadBalancer with the one port `http`.
    pub fn add_service(&mut self, namespace: &str, name: &str, port: u16, target_port: u16) {
        self.sequence += 1;
        let node_port = 30_000 + u16::try_from(self.sequence % 2_768).unwrap_or(0);
        let service = Service {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            kind: ServiceType::LoadBalancer,
            labels: BTreeMap::new(),
            families: Vec::new(),
            ports: vec![ServicePort {
                name: "http".to_owned(),
                protocol: "TCP".to_owned(),
                port,
                target_port: Some(PortRef::Number(target_port.into())),
                node_port,
            }],
        };
        let target_ports = BTreeMap::from([("http".to_owned(), target_port)]);
        self.services.insert(key(namespace, name), SimService { service, target_ports });
    }

    /// Adds a ready pod behind a Service, on the first node of its address's zone.
    pub fn add_pod(&mut self, namespace: &str, service: &str, address: &str) -> PodName {
        let zone = zone_of(address);
        let node = self.nodes.values().find(|node| node.zone() == zone).map(|n| n.name.clone());
        self.add_pod_on(namespace, service, address, node.as_deref())
    }

    /// Adds a ready pod behind a Service on a node.
    pub fn add_pod_on(
        &mut self,
        namespace: &str,
        service: &str,
        address: &str,
        node: Option<&str>,
    ) -> PodName {
        self.sequence += 1;
        let name = PodName {
            namespace: namespace.to_owned(),
            name: format!("{service}-7c5d9f-{:05x}", self.sequence),
        };
        let pod = Pod {
            name: name.clone(),
            created_at: Some(self.now),
            deleted_at: None,
            address: Some(address.to_owned()),
            node: node.map(str::to_owned),
            containers_ready: true,
            ready_since: Some(self.now),
            unmet_gates: BTreeSet::new(),
            quic_enabled: false,
            containers: Vec::new(),
        };
        let pod = SimPod { pod, service: service.to_owned(), ready: true, gates: BTreeMap::new() };
        self.pods.insert(name.to_string(), pod);
        name
    }

    /// The pod that holds an address.
    pub fn pod_at(&mut self, address: &str) -> Option<&mut SimPod> {
        self.pods.values_mut().find(|pod| pod.pod.address.as_deref() == Some(address))
    }

    /// Removes the pod that holds an address, at once.
    pub fn remove_pod_at(&mut self, address: &str) {
        self.pods.retain(|_, pod| pod.pod.address.as_deref() != Some(address));
    }

    /// Makes the pod that holds an address ready, or not: containers, conditions and endpoint.
    pub fn set_ready(&mut self, address: &str, ready: bool) {
        let now = self.now;
        if let Some(pod) = self.pod_at(address) {
            pod.ready = ready;
            pod.pod.containers_ready = ready;
            pod.pod.ready_since = ready.then_some(now);
        }
    }

    /// Asks for the deletion of the pod that holds an address: it stays, terminating.
    pub fn terminate(&mut self, address: &str) {
        let now = self.now;
        if let Some(pod) = self.pod_at(address) {
            pod.ready = false;
            pod.pod.deleted_at = Some(now);
        }
    }

    /// Makes a pod wait for a readiness gate: it is not ready until somebody sets it.
    pub fn add_gate(&mut self, address: &str, gate: &str) {
        if let Some(pod) = self.pod_at(address) {
            pod.gates.insert(gate.to_owned(), None);
            pod.ready = false;
            pod.pod.ready_since = None;
        }
    }

    /// Sets a readiness gate of a pod; its kubelet finds it ready when all its gates are open.
    pub(in crate::sim) fn set_gate(&mut self, name: &PodName, gate: &str, open: Option<bool>) {
        let now = self.now;
        let Some(pod) = self.pods.get_mut(&name.to_string()) else { return };
        let Some(status) = pod.gates.get_mut(gate) else { return };
        *status = open;
        let is_ready =
            pod.pod.containers_ready && pod.gates.values().all(|open| *open == Some(true));
        if is_ready != pod.ready {
            pod.ready = is_ready;
            pod.pod.ready_since = is_ready.then_some(now);
        }
    }

    /// Makes a binding.
    pub fn bind(&mut self, new: &NewBinding) {
        self.sequence += 1;
        let binding = Binding {
            namespace: new.namespace.clone(),
            name: new.name.clone(),
            uid: uid(&format!("{}/{}/{}", self.identity, new.name, self.sequence)),
            flavour: new.flavour,
            created_at: Some(self.now),
            changed_at: Some(self.now),
            deleted_at: None,
            has_finalizer: false,
            failure: None,
            labels: new.labels.clone(),
            annotations: BTreeMap::new(),
            spec: new.spec.clone(),
        };
        self.bindings.insert(binding_key(new.flavour, &new.namespace, &new.name), binding);
    }

    /// Makes a binding what a manifest says, or creates it.
    pub(in crate::sim) fn apply(&mut self, manifest: &Manifest) {
        let now = self.now;
        match self.binding_mut(&manifest.namespace, &manifest.name) {
            Some(binding) if binding.spec == manifest.spec => {}
            Some(binding) => {
                binding.spec = manifest.spec.clone();
                binding.changed_at = Some(now);
            }
            None => self.bind(&NewBinding {
                namespace: manifest.namespace.clone(),
                name: manifest.name.clone(),
                flavour: Flavour::LoadBalancerController,
                labels: BTreeMap::new(),
                spec: manifest.spec.clone(),
            }),
        }
    }

    /// Writes a note.
    pub(in crate::sim) fn put_note(
        &mut self,
        namespace: &str,
        name: &str,
        data: &BTreeMap<String, String>,
    ) {
        self.sequence += 1;
        let note = Note { data: data.clone(), version: Some(self.sequence.to_string()) };
        self.notes.insert(key(namespace, name), note);
    }

    /// The bindings of a flavour.
    pub fn bindings(&self, flavour: Flavour) -> impl Iterator<Item = &Binding> {
        self.bindings.values().filter(move |binding| binding.flavour == flavour)
    }

    /// The binding of a name, to change.
    pub fn binding_mut(&mut self, namespace: &str, name: &str) -> Option<&mut Binding> {
        self.bindings.values_mut().find(|b| b.namespace == namespace && b.name == name)
    }

    /// Deletes a binding: with its finalizer it stays, being deleted.
    pub fn delete_binding(&mut self, namespace: &str, name: &str) {
        let now = self.now;
        match self.binding_mut(namespace, name) {
            Some(binding) if binding.has_finalizer => binding.deleted_at = Some(now),
            _ => self.bindings.retain(|_, b| b.namespace != namespace || b.name != name),
        }
    }

    /// Removes bindings that are being deleted and that no finalizer holds.
    pub(in crate::sim) fn collect_bindings(&mut self) {
        self.bindings.retain(|_, binding| binding.has_finalizer || !binding.is_being_deleted());
    }

    /// Writes a ledger's text as somebody who is not the controller, which will not know of it.
    pub fn edit_ledger(&mut self, namespace: &str, name: &str, text: &str) -> u64 {
        let version = self.put_ledger(namespace, name, text);
        let now = self.now;
        if let Some(ledger) = self.ledgers.get_mut(&key(namespace, name)) {
            ledger.foreign_write_at = Some(now);
        }
        version
    }

    /// Writes a ledger's text as the controller would.
    pub fn put_ledger(&mut self, namespace: &str, name: &str, text: &str) -> u64 {
        self.sequence += 1;
        let (now, version) = (self.now, self.sequence);
        let ledger = self.ledgers.entry(key(namespace, name)).or_insert_with(|| StoredLedger {
            text: String::new(),
            version,
            changed_at: now,
            foreign_write_at: None,
            immutable: false,
            other_data: BTreeMap::new(),
        });
        text.clone_into(&mut ledger.text);
        (ledger.version, ledger.changed_at) = (version, now);
        ledger.foreign_write_at = None;
        version
    }

    /// The text of a ledger.
    pub fn ledger_text(&self, namespace: &str, name: &str) -> Option<&str> {
        self.ledgers.get(&key(namespace, name)).map(|ledger| ledger.text.as_str())
    }

    /// The EndpointSlices of a namespace: one for each Service and address family, as its pods are
    /// now, and the extra ones.
    pub fn endpoint_slices(&self, namespace: &str) -> Vec<EndpointSlice> {
        let services = self.services.values().filter(|s| s.service.namespace == namespace);
        let families = [AddressFamily::IPv4, AddressFamily::IPv6];
        services
            .flat_map(|service| families.map(|family| self.slice(service, family)))
            .flatten()
            .chain(self.extra_slices.iter().filter(|s| s.namespace == namespace).cloned())
            .collect()
    }

    fn slice(&self, service: &SimService, family: AddressFamily) -> Option<EndpointSlice> {
        let Service { namespace, name, ports, .. } = &service.service;
        let endpoints: Vec<SliceEndpoint> = self
            .pods
            .values()
            .filter(|pod| pod.service == *name && pod.pod.name.namespace == *namespace)
            .filter(|pod| pod.pod.address.as_deref().is_some_and(|a| family_of(a) == family))
            .map(|pod| self.endpoint(pod))
            .collect();
        let ports = ports
            .iter()
            .map(|port| SlicePort {
                name: port.name.clone(),
                port: service.target_ports.get(&port.name).copied().unwrap_or(port.port),
            })
            .collect();
        (!endpoints.is_empty()).then(|| EndpointSlice {
            namespace: namespace.clone(),
            service: name.clone(),
            family: Some(family),
            ports,
            endpoints,
        })
    }

    fn endpoint(&self, pod: &SimPod) -> SliceEndpoint {
        let node = pod.pod.node.clone();
        let zone = node.as_ref().and_then(|name| self.nodes.get(name)).and_then(Node::zone);
        SliceEndpoint {
            address: pod.pod.address.clone(),
            ready: Some(pod.ready),
            terminating: pod.pod.deleted_at.is_some(),
            pod: Some(pod.pod.name.clone()),
            zone: zone.map(str::to_owned),
            node,
        }
    }
}

/// The key of a namespaced object.
pub(super) fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

fn binding_key(flavour: Flavour, namespace: &str, name: &str) -> String {
    format!("{} {namespace}/{name}", flavour.as_str())
}

fn family_of(address: &str) -> AddressFamily {
    if address.contains(':') { AddressFamily::IPv6 } else { AddressFamily::IPv4 }
}

/// Makes a UID that is the same in every run (FNV-1a of what it is for).
pub(super) fn uid(of: &str) -> String {
    let hash = of.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:08x}-0000-4000-8000-{:012x}", hash >> 32, hash & 0xffff_ffff_ffff)
}
