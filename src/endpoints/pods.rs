//! `ip` targets: pods by address (rules I1 to I11).

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{
    AddressFamily, Backend, Endpoint, EndpointSlice, Endpoints, LeftOut, LeftOutReason, Node,
    NodeReady, Pod, PodName, ServicePort, SliceEndpoint, Unregistrable, Unresolved,
};
use crate::binding::{BindingSpec, IpAddressType};
use crate::facts::{Silence, SilenceReason};
use crate::target::Target;

/// Names the pods that must be read whole to resolve a binding: those behind endpoints that are not
/// ready (I7), and in QUIC groups all of them (I11).
pub fn whole_pods_needed<'a>(
    spec: &BindingSpec,
    slices: impl Iterator<Item = &'a EndpointSlice>,
) -> BTreeSet<PodName> {
    let family = family(spec);
    slices
        .filter(|slice| slice.family == Some(family))
        .flat_map(|slice| &slice.endpoints)
        .filter(|endpoint| spec.is_quic() || !is_ready(endpoint))
        .filter_map(|endpoint| endpoint.pod.clone())
        .collect()
}

pub(super) fn resolve(
    spec: &BindingSpec,
    port: &ServicePort,
    backend: &Backend<'_>,
) -> Result<Endpoints, Unresolved> {
    let mut sorting = Sorting::default();
    let family = family(spec);
    for slice in backend.slices {
        if slice.family != Some(family) {
            sorting.leave_out_all(slice, LeftOutReason::OtherAddressFamily);
            continue;
        }
        // A Service port without a name takes every port of the slice (I3).
        let mut ports =
            slice.ports.iter().filter(|p| port.name.is_empty() || p.name == port.name).peekable();
        if ports.peek().is_none() {
            sorting.leave_out_all(slice, LeftOutReason::OtherPort);
        }
        for slice_port in ports {
            for endpoint in &slice.endpoints {
                sorting.sort(spec, slice_port.port, endpoint, backend)?;
            }
        }
    }
    Ok(sorting.finish())
}

fn family(spec: &BindingSpec) -> AddressFamily {
    match spec.ip_address_type {
        Some(IpAddressType::Ipv6) => AddressFamily::IPv6,
        Some(IpAddressType::Ipv4) | None => AddressFamily::IPv4,
    }
}

/// Unknown counts as ready, as Kubernetes recommends (I6).
fn is_ready(endpoint: &SliceEndpoint) -> bool {
    endpoint.ready != Some(false)
}

/// The three heaps the controller sorts endpoints into.
#[derive(Default)]
struct Sorting {
    ready: Vec<(Target, Endpoint)>,
    unknown: Vec<(Target, Endpoint)>,
    left_out: Vec<LeftOut>,
}

impl Sorting {
    fn sort(
        &mut self,
        spec: &BindingSpec,
        port: u16,
        endpoint: &SliceEndpoint,
        backend: &Backend<'_>,
    ) -> Result<(), Unresolved> {
        let Some(name) = &endpoint.pod else {
            self.leave_out(endpoint, LeftOutReason::NoPod);
            return Ok(());
        };
        let Some(address) = &endpoint.address else {
            self.leave_out(endpoint, LeftOutReason::NoAddress);
            return Ok(());
        };
        let Some(stub) = backend.pods.get(name) else {
            self.leave_out(endpoint, LeftOutReason::PodGone);
            return Ok(());
        };
        let pod = backend.whole_pods.get(name);
        if pod.is_none() && (spec.is_quic() || !is_ready(endpoint)) {
            return Err(Unresolved::Silent(pod_not_read(name)));
        }
        let quic_server_id =
            pod.filter(|_| spec.is_quic()).and_then(|pod| quic_server_id(pod, port));
        let unregistrable = match () {
            () if port == 0 => Some(Unregistrable::NoPort),
            () if spec.is_quic() && quic_server_id.is_none() => Some(Unregistrable::NoQuicServerId),
            () => None,
        };
        let target = Target { id: address.clone(), port, quic_server_id };
        let desired = Endpoint {
            pod: Some(name.clone()),
            node: endpoint.node.clone().or_else(|| pod.and_then(|pod| pod.node.clone())),
            zone: endpoint.zone.clone(),
            created_at: stub.created_at,
            ready_since: pod.and_then(|pod| pod.ready_since),
            unmet_gates: pod.map(|pod| pod.unmet_gates.clone()).unwrap_or_default(),
            unregistrable,
        };
        let verdict = match pod {
            Some(pod) if !is_ready(endpoint) => judge_unready(endpoint, pod, backend),
            _ => Verdict::Ready,
        };
        match verdict {
            Verdict::Ready => self.ready.push((target, desired)),
            Verdict::Unknown => self.unknown.push((target, desired)),
            Verdict::Out(reason) => self.leave_out(endpoint, reason),
        }
        Ok(())
    }

    /// Where nothing is ready, what is unknown serves (I8).
    fn finish(mut self) -> Endpoints {
        let desired = if self.ready.is_empty() {
            self.unknown
        } else {
            self.left_out.extend(self.unknown.into_iter().map(|(target, endpoint)| LeftOut {
                endpoint: target.id,
                pod: endpoint.pod,
                reason: LeftOutReason::NodeStateUnknown,
            }));
            self.ready
        };
        Endpoints::new(desired, self.left_out)
    }

    fn leave_out(&mut self, endpoint: &SliceEndpoint, reason: LeftOutReason) {
        let address = endpoint.address.clone().unwrap_or_default();
        self.left_out.push(LeftOut { endpoint: address, pod: endpoint.pod.clone(), reason });
    }

    fn leave_out_all(&mut self, slice: &EndpointSlice, reason: LeftOutReason) {
        for endpoint in &slice.endpoints {
            self.leave_out(endpoint, reason);
        }
    }
}

enum Verdict {
    Ready,
    Unknown,
    Out(LeftOutReason),
}

/// Judges an endpoint that is not ready (I7): its containers decide, then its node.
///
/// Not ready with all containers ready is how a pod that waits for its readiness gate gets registered.
fn judge_unready(endpoint: &SliceEndpoint, pod: &Pod, backend: &Backend<'_>) -> Verdict {
    if !pod.containers_ready {
        return Verdict::Out(LeftOutReason::ContainersNotReady);
    }
    let node: Option<&Node> = pod.node.as_ref().and_then(|name| backend.nodes.get(name));
    match node.map(|node| node.ready) {
        None => Verdict::Out(LeftOutReason::NodeGone),
        Some(NodeReady::NotReady) => Verdict::Out(LeftOutReason::NodeNotReady),
        Some(NodeReady::Unknown) => Verdict::Unknown,
        Some(NodeReady::Ready) if endpoint.terminating => Verdict::Out(LeftOutReason::Terminating),
        Some(NodeReady::Ready) => Verdict::Ready,
    }
}

/// Finds the QUIC server id of a pod's port: that of the container that declares the port, else of
/// the first container that has one (I11; LBC 3.5, `pod_info.go`).
fn quic_server_id(pod: &Pod, port: u16) -> Option<String> {
    if !pod.quic_enabled {
        return None;
    }
    let ids = || {
        pod.containers.iter().filter_map(|container| {
            let bytes = BASE64.decode(container.quic_server_id.as_ref()?).ok()?;
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            Some((container, format!("0x{hex}")))
        })
    };
    // Of two containers that declare the same port the controller's map keeps the later one.
    let declared = ids().rfind(|(container, _)| container.ports.contains(&port));
    declared.or_else(|| ids().next()).map(|(_, id)| id)
}

fn pod_not_read(name: &PodName) -> Silence {
    Silence::new(SilenceReason::NotAsked, format!("pod `{name}` was not read whole"))
}
