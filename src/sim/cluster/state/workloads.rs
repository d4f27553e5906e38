//! Nodes, Services and pods of a cluster, and the EndpointSlices that come of them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ClusterState, key};
use crate::binding::PortRef;
use crate::endpoints::{
    AddressFamily, EndpointSlice, GATE_PREFIX, Node, NodeReady, Pod, PodName, Service, ServicePort,
    ServiceType, SliceEndpoint, SlicePort,
};
use crate::sim::world::zone_of;

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

impl SimPod {
    /// The pod as its cluster shows it, with the gates it waits for.
    pub fn whole(&self) -> Pod {
        let unmet = self.gates.iter().filter(|(_, open)| **open != Some(true));
        let names = unmet.filter_map(|(gate, _)| gate.strip_prefix(GATE_PREFIX));
        Pod { unmet_gates: names.map(str::to_owned).collect(), ..self.pod.clone() }
    }
}

impl ClusterState {
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

fn family_of(address: &str) -> AddressFamily {
    if address.contains(':') { AddressFamily::IPv6 } else { AddressFamily::IPv4 }
}
