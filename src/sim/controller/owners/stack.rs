//! What an owner asks for in AWS, and the bindings that go with it (`facts/lbc.md` 5.2 to 5.4).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use super::objects::ServicePort;
use crate::binding::{
    BindingSpec, IngressRule, IpAddressType, LabelSelector, Networking, NetworkingPort, Peer,
    PortRef, SecurityGroup, ServiceRef, TargetType,
};

/// An owner's wish cannot be understood: nothing is changed for it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BuildError(pub String);

/// Whose labels and tags a stack carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StackKind {
    /// A Service.
    Service,
    /// An Ingress, or a group of them.
    Ingress,
    /// A Gateway with an ALB.
    AlbGateway,
    /// A Gateway with an NLB.
    NlbGateway,
}

/// The name of all that is made for one owner.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StackId {
    /// What kind of owner.
    pub kind: StackKind,
    /// Its namespace; empty for an explicit group of Ingresses.
    pub namespace: String,
    /// Its name, or the group's.
    pub name: String,
}

impl StackId {
    fn prefix(&self) -> &'static str {
        match self.kind {
            StackKind::Service => "service.k8s.aws",
            StackKind::Ingress => "ingress.k8s.aws",
            StackKind::AlbGateway => "gateway.k8s.aws.alb",
            StackKind::NlbGateway => "gateway.k8s.aws.nlb",
        }
    }

    /// What keeps its members from going before what was made for them.
    pub fn finalizer(&self) -> String {
        match self.kind {
            StackKind::Service => "service.k8s.aws/resources".to_owned(),
            StackKind::Ingress if self.is_explicit_group() => {
                format!("group.ingress.k8s.aws/{}", self.name)
            }
            StackKind::Ingress => "ingress.k8s.aws/resources".to_owned(),
            StackKind::AlbGateway => "gateway.k8s.aws/alb".to_owned(),
            StackKind::NlbGateway => "gateway.k8s.aws/nlb".to_owned(),
        }
    }

    pub(super) fn is_explicit_group(&self) -> bool {
        self.namespace.is_empty()
    }

    /// `namespace/name`, or the name of an explicit group.
    pub(super) fn text(&self) -> String {
        if self.is_explicit_group() {
            return self.name.clone();
        }
        format!("{}/{}", self.namespace, self.name)
    }

    /// The labels of its bindings (5.2).
    pub fn labels(&self) -> BTreeMap<String, String> {
        let label =
            |suffix: &str, value: &str| (format!("{}/{suffix}", self.prefix()), value.to_owned());
        if self.is_explicit_group() {
            return [label("stack", &self.name)].into();
        }
        [label("stack-namespace", &self.namespace), label("stack-name", &self.name)].into()
    }

    /// The tags of everything made for it.
    pub fn tags(&self, cluster: &str) -> BTreeMap<String, String> {
        [
            ("elbv2.k8s.aws/cluster".to_owned(), cluster.to_owned()),
            (format!("{}/stack", self.prefix()), self.text()),
        ]
        .into()
    }

    pub(super) fn resource_tag(&self) -> String {
        format!("{}/resource", self.prefix())
    }
}

/// All that is asked for, for one owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// Whose it is.
    pub id: StackId,
    /// The load balancer; none where everything is to go.
    pub load_balancer: Option<WantedLoadBalancer>,
    /// The target groups, by resource id, each with its binding.
    pub groups: BTreeMap<String, WantedGroup>,
}

impl Stack {
    pub(super) fn empty(id: &StackId) -> Self {
        Self { id: id.clone(), load_balancer: None, groups: BTreeMap::new() }
    }
}

/// A load balancer that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedLoadBalancer {
    /// Its name.
    pub name: String,
    /// `network` or `application`.
    pub kind: &'static str,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// The attributes that the owner names; all others are left as they are.
    pub attributes: BTreeMap<String, String>,
    /// Its security groups.
    pub security_groups: BTreeSet<String>,
    /// Its listeners, by port.
    pub listeners: BTreeMap<u16, WantedListener>,
}

/// A listener that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedListener {
    /// Its protocol.
    pub protocol: String,
    /// Where it forwards what no rule takes.
    pub forward: BTreeMap<Forward, u32>,
    /// Where its rules forward, in their order.
    pub rules: Vec<BTreeMap<Forward, u32>>,
}

/// A group that traffic is forwarded to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Forward {
    /// One of this stack, by resource id.
    Own(String),
    /// One of somebody else's, by ARN.
    Foreign(String),
}

/// A target group that is asked for, and its binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedGroup {
    /// Its name, and the binding's.
    pub name: String,
    /// What it registers.
    pub target_type: TargetType,
    /// Its protocol.
    pub protocol: String,
    /// Its port, which no traffic uses.
    pub port: u16,
    /// Its address family.
    pub ip_address_type: IpAddressType,
    /// Its health checks' port.
    pub health_check_port: String,
    /// The binding's namespace.
    pub namespace: String,
    /// The binding's Service.
    pub service: ServiceRef,
    /// Whether it is shared.
    pub multi_cluster: bool,
    /// Who may reach the targets.
    pub networking: Option<Networking>,
    /// Which nodes are registered.
    pub node_selector: Option<LabelSelector>,
}

impl WantedGroup {
    /// The spec of its binding (5.2).
    pub(super) fn spec(&self, arn: &str, vpc_id: &str) -> BindingSpec {
        BindingSpec {
            target_group_arn: arn.to_owned(),
            multi_cluster_target_group: self.multi_cluster,
            target_type: Some(self.target_type),
            target_group_protocol: Some(self.protocol.clone()),
            service_ref: self.service.clone(),
            networking: self.networking.clone(),
            node_selector: self.node_selector.clone(),
            ip_address_type: Some(self.ip_address_type),
            vpc_id: vpc_id.to_owned(),
            ..BindingSpec::default()
        }
    }
}

/// The port that targets are registered with, as rules name it; a named one stays a name.
pub(super) fn target_port(kind: TargetType, port: &ServicePort) -> PortRef {
    match kind {
        TargetType::Instance => PortRef::Number(port.node_port.into()),
        TargetType::Ip => port.target_port.clone(),
    }
}

/// A group's own port (`buildTargetGroupPort`): of a named one nothing is known, so it is 1.
pub(super) fn group_port(kind: TargetType, port: &ServicePort) -> Result<u16, BuildError> {
    let number = match (kind, &port.target_port) {
        (TargetType::Instance, _) => port.node_port,
        (TargetType::Ip, PortRef::Number(number)) => u16::try_from(*number).unwrap_or(0),
        (TargetType::Ip, PortRef::Name(_)) => 1,
    };
    let said = match kind {
        TargetType::Ip => "TargetGroup port is empty. Are you using the correct service type?",
        TargetType::Instance => {
            "TargetGroup port is empty. When using Instance targets, your service be must of type \
             'NodePort' or 'LoadBalancer'"
        }
    };
    if number == 0 { Err(BuildError(said.to_owned())) } else { Ok(number) }
}

/// The health checks' port where it is a number of its own.
pub(super) fn own_check_port(health_check_port: &str, traffic: &PortRef) -> Option<PortRef> {
    let number = health_check_port.parse().ok().map(PortRef::Number)?;
    (number != *traffic).then_some(number)
}

/// A rule that lets a security group reach ports.
pub(super) fn rule(security_group: &str, ports: Vec<(&str, PortRef)>) -> IngressRule {
    let group = SecurityGroup { group_id: security_group.to_owned() };
    let port = |(protocol, port): (&str, PortRef)| NetworkingPort {
        protocol: Some(protocol.to_owned()),
        port: Some(port),
    };
    IngressRule {
        from: vec![Peer { ip_block: None, security_group: Some(group) }],
        ports: ports.into_iter().map(port).collect(),
    }
}

/// The ports that an NLB with security groups needs (5.4).
pub(super) fn nlb_ports(
    protocol: &str,
    traffic: &PortRef,
    health_check_port: &str,
) -> Vec<(&'static str, PortRef)> {
    let own_check = own_check_port(health_check_port, traffic);
    let mut ports = Vec::new();
    if matches!(protocol, "UDP" | "QUIC" | "TCP_UDP" | "TCP_QUIC") {
        ports.push(("UDP", traffic.clone()));
        if protocol.starts_with("TCP_") || own_check.is_none() {
            ports.push(("TCP", traffic.clone()));
        }
    } else {
        ports.push(("TCP", traffic.clone()));
    }
    ports.extend(own_check.map(|port| ("TCP", port)));
    ports
}

/// A name as the controller makes it: two parts cut at eight characters, and ten of a hash.
pub(super) fn name(namespace: &str, name: &str, inputs: &[&str]) -> String {
    format!("k8s-{}-{}-{}", cut(namespace, 8), cut(name, 8), hash(inputs))
}

/// The letters and digits of a text, up to a number of them.
pub(super) fn cut(text: &str, length: usize) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).take(length).collect()
}

pub(super) fn hash(inputs: &[&str]) -> String {
    let digest = Sha256::digest(inputs.concat());
    digest.iter().take(5).fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// How AWS and bindings spell a kind of target.
pub(super) fn type_text(kind: TargetType) -> &'static str {
    match kind {
        TargetType::Ip => "ip",
        TargetType::Instance => "instance",
    }
}

/// The address family that a Service's targets have.
pub(super) fn family(families: &[String]) -> IpAddressType {
    if families.iter().any(|family| family == "IPv6") {
        IpAddressType::Ipv6
    } else {
        IpAddressType::Ipv4
    }
}
