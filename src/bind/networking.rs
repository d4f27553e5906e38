//! Who may reach the targets, and on which ports (`facts/lbc.md` 5.4). Pure.

use std::collections::BTreeSet;

use super::candidate::Candidate;
use super::world::World;
use super::{Request, Sources};
use crate::binding::{
    BindingRef, IngressRule, Networking, NetworkingPort, Peer, PortRef, TargetType,
};
use crate::endpoints::ServicePort;
use crate::facts::{BindingFacts, ClusterFacts, Silence, TargetGroup};

/// Who may reach the targets of a candidate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// These, and what says so.
    Peers(Vec<Peer>, Origin),
    /// That is taken care of elsewhere.
    Unmanaged,
    /// Nothing tells.
    Nothing,
    /// It could not be read.
    Unknown(Silence),
}

/// What says who may reach the targets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Bindings that the group has already.
    Bindings(BTreeSet<BindingRef>),
    /// The security groups of a load balancer.
    LoadBalancer(String),
    /// Whoever asked.
    Given,
}

/// Finds who may reach the targets: everybody whom another binding of the group lets in, else the
/// load balancer.
pub(super) fn find(request: &Request, world: &World, candidate: &Candidate<'_>) -> Found {
    match &request.sources {
        Sources::Unmanaged => return Found::Unmanaged,
        Sources::Given(peers) => return Found::Peers(peers.clone(), Origin::Given),
        Sources::Found => {}
    }
    let Some(arn) = &candidate.arn else { return Found::Nothing };
    let is_own = |binding: &BindingFacts| {
        candidate.existing.is_some_and(|own| own.binding.uid == binding.binding.uid)
    };
    let all = world.facts.clusters.iter().flat_map(|cluster: &ClusterFacts| {
        cluster.bindings().map(move |binding| (cluster, binding))
    });
    let others = all
        .filter(|(_, binding)| binding.group.as_ref() == Ok(arn) && !is_own(binding))
        .filter(|(_, binding)| !binding.binding.is_being_deleted());
    let mut peers = Vec::new();
    let mut origin = BTreeSet::new();
    for (cluster, binding) in others {
        let own = peers_of(binding.binding.spec.networking.as_ref());
        if !own.is_empty() {
            origin.insert(binding.reference(&cluster.context));
        }
        for peer in own {
            if !peers.contains(peer) {
                peers.push(peer.clone());
            }
        }
    }
    if !peers.is_empty() {
        peers.sort_by_key(peer_name);
        return Found::Peers(peers, Origin::Bindings(origin));
    }
    match world.facts.groups.get(arn).map(|group| &group.load_balancers) {
        None => Found::Nothing,
        Some(Err(silence)) => Found::Unknown(silence.clone()),
        Some(Ok(load_balancers)) => {
            let with_groups =
                load_balancers.iter().find(|it| !it.load_balancer.security_groups.is_empty());
            with_groups.map_or(Found::Nothing, |it| {
                let groups = it.load_balancer.security_groups.iter();
                let peers = groups.map(|id| Peer::security_group(id)).collect();
                Found::Peers(peers, Origin::LoadBalancer(it.load_balancer.name.clone()))
            })
        }
    }
}

/// The peers that rules let in; one without ports opens nothing (`facts/lbc.md` 5.5).
fn peers_of(networking: Option<&Networking>) -> Vec<&Peer> {
    let rules = networking.into_iter().flat_map(|networking| &networking.ingress);
    rules.filter(|rule| !rule.ports.is_empty()).flat_map(|rule| &rule.from).collect()
}

/// The port that the group's traffic comes to: of the pods, by number or name, or of the nodes.
pub(super) fn main_port(target_type: TargetType, port: &ServicePort) -> PortRef {
    match target_type {
        TargetType::Ip => port.target(),
        TargetType::Instance => PortRef::Number(port.node_port.into()),
    }
}

/// The ports that must be open: for the traffic, and for the health checks where those come to
/// another port, or over TCP beside UDP.
pub(super) fn ports(group: &TargetGroup, main: &PortRef) -> Vec<NetworkingPort> {
    let open = |protocol: &str, port: &PortRef| NetworkingPort {
        protocol: Some(protocol.to_owned()),
        port: Some(port.clone()),
    };
    // Whatever is no number is the traffic's own port.
    let own = group.health_check_port.as_deref().and_then(|port| port.parse::<u16>().ok());
    let own = own.map(|port| PortRef::Number(port.into())).filter(|port| port != main);
    let mut ports = Vec::new();
    match group.protocol.as_deref() {
        Some("UDP" | "QUIC") => {
            ports.push(open("UDP", main));
            if own.is_none() {
                ports.push(open("TCP", main));
            }
        }
        Some("TCP_UDP" | "TCP_QUIC") => {
            ports.push(open("UDP", main));
            ports.push(open("TCP", main));
        }
        _ => ports.push(open("TCP", main)),
    }
    ports.extend(own.map(|port| open("TCP", &port)));
    ports
}

/// The one rule that lets these peers come to these ports; none where it would open nothing.
pub(super) fn rule(peers: Vec<Peer>, ports: Vec<NetworkingPort>) -> Option<IngressRule> {
    (!peers.is_empty() && !ports.is_empty()).then_some(IngressRule { from: peers, ports })
}

/// Everything that rules open: who, over what, to which port.
type Opening = (String, String, Option<PortRef>);

fn openings(networking: Option<&Networking>) -> BTreeSet<Opening> {
    let rules = networking.into_iter().flat_map(|networking| &networking.ingress);
    rules
        .flat_map(|rule| {
            rule.from.iter().flat_map(|peer| {
                rule.ports.iter().map(|port| {
                    let protocol = port.protocol.clone().unwrap_or_else(|| "TCP".to_owned());
                    (peer_name(peer), protocol, port.port.clone())
                })
            })
        })
        .collect()
}

/// The rules of a binding with what they lack: what they open already stays open.
pub(super) fn with(known: Option<&Networking>, rule: IngressRule) -> Networking {
    let wanted = Networking { ingress: vec![rule] };
    let has = openings(known);
    let is_open = |(peer, protocol, port): &Opening| {
        let all_ports = (peer.clone(), protocol.clone(), None);
        has.contains(&(peer.clone(), protocol.clone(), port.clone())) || has.contains(&all_ports)
    };
    if openings(Some(&wanted)).iter().all(is_open) {
        return known.cloned().unwrap_or_default();
    }
    let mut networking = known.cloned().unwrap_or_default();
    networking.ingress.retain(|rule| !rule.ports.is_empty());
    networking.ingress.extend(wanted.ingress);
    networking
}

/// Says what rules open: `TCP 80 from sg-1 and 10.0.0.0/8`.
pub(super) fn describe(networking: Option<&Networking>) -> String {
    let rules = networking.into_iter().flat_map(|networking| &networking.ingress);
    let told: Vec<String> = rules
        .filter(|rule| !rule.ports.is_empty() && !rule.from.is_empty())
        .map(|rule| {
            let ports: Vec<String> = rule.ports.iter().map(port_name).collect();
            let peers: Vec<String> = rule.from.iter().map(peer_name).collect();
            format!("{} from {}", join(&ports), join(&peers))
        })
        .collect();
    if told.is_empty() { "nothing".to_owned() } else { told.join("; ") }
}

fn port_name(port: &NetworkingPort) -> String {
    let protocol = port.protocol.as_deref().unwrap_or("TCP");
    match &port.port {
        Some(port) => format!("{protocol} {port}"),
        None => format!("all {protocol}"),
    }
}

fn peer_name(peer: &Peer) -> String {
    let group = peer.security_group.as_ref().map(|group| group.group_id.clone());
    group.or_else(|| peer.ip_block.as_ref().map(|block| block.cidr.clone())).unwrap_or_default()
}

/// Joins words as a sentence does.
pub(super) fn join(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
