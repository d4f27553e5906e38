//! What a binding asks for, as its CRD spells it (`facts/lbc.md` 1.1).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::LabelSelector;

/// What a binding asks for, in the order of the controller's Go struct.
///
/// The order is part of the contract: the controller's checkpoint hashes this JSON
/// (LBC 3.5, `targetgroupbinding_types.go`, `utils.go`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BindingSpec {
    /// The target group by ARN, as written: not proven to be one.
    #[serde(default, rename = "targetGroupARN", skip_serializing_if = "String::is_empty")]
    pub target_group_arn: String,
    /// The target group by name; the ARN wins where both are given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target_group_name: String,
    /// Whether the group is shared: without it the controller takes out what it does not know.
    #[serde(default, skip_serializing_if = "is_false")]
    pub multi_cluster_target_group: bool,
    /// What is registered: addresses or instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_type: Option<TargetType>,
    /// The group's protocol, such as `TCP` or `QUIC`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_group_protocol: Option<String>,
    /// The Service and port whose endpoints are registered.
    pub service_ref: ServiceRef,
    /// Who may reach the targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub networking: Option<Networking>,
    /// Which nodes are registered, for instance targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<LabelSelector>,
    /// The address family; none means IPv4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address_type: Option<IpAddressType>,
    /// The group's VPC.
    #[serde(default, rename = "vpcID", skip_serializing_if = "String::is_empty")]
    pub vpc_id: String,
    /// The role to assume for ELBv2 calls.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub iam_role_arn_to_assume: String,
    /// The external id of that role.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub assume_role_external_id: String,
}

impl BindingSpec {
    /// Its fields by the names they have in JSON, in LBC 3.5 (`facts/lbc.md` 1.1).
    pub const FIELDS: [&'static str; 12] = [
        "targetGroupARN",
        "targetGroupName",
        "multiClusterTargetGroup",
        "targetType",
        "targetGroupProtocol",
        "serviceRef",
        "networking",
        "nodeSelector",
        "ipAddressType",
        "vpcID",
        "iamRoleArnToAssume",
        "assumeRoleExternalId",
    ];

    /// Says whether targets carry QUIC server ids.
    pub fn is_quic(&self) -> bool {
        matches!(self.target_group_protocol.as_deref(), Some("QUIC" | "TCP_QUIC"))
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What a target group registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetType {
    /// EC2 instances, by id and node port.
    Instance,
    /// Pods, by address.
    Ip,
}

/// The address family of a target group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IpAddressType {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// The Service and port of a binding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceRef {
    /// The Service, in the binding's namespace.
    pub name: String,
    /// The Service's port.
    pub port: PortRef,
}

/// A port by number or by name; a numeric string is a name (`facts/lbc.md` 3, S2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PortRef {
    /// By number.
    Number(i32),
    /// By name.
    Name(String),
}

impl Default for PortRef {
    fn default() -> Self {
        Self::Number(0)
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// The security-group rules a binding asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Networking {
    /// One rule each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ingress: Vec<IngressRule>,
}

/// Peers that may reach ports of the targets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngressRule {
    /// Who.
    #[serde(default)]
    pub from: Vec<Peer>,
    /// Which ports; an empty list opens nothing (LBC 3.5, `networking_manager.go`).
    #[serde(default)]
    pub ports: Vec<NetworkingPort>,
}

/// A peer: an address block or a security group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// An address block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_block: Option<IpBlock>,
    /// A security group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_group: Option<SecurityGroup>,
}

impl Peer {
    /// A security group, by id.
    pub fn security_group(id: &str) -> Self {
        let security_group = Some(SecurityGroup { group_id: id.to_owned() });
        Self { ip_block: None, security_group }
    }

    /// An address block, by CIDR.
    pub fn cidr(cidr: &str) -> Self {
        Self { ip_block: Some(IpBlock { cidr: cidr.to_owned() }), security_group: None }
    }
}

/// An address block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IpBlock {
    /// The CIDR.
    pub cidr: String,
}

/// A security group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Its id.
    #[serde(rename = "groupID")]
    pub group_id: String,
}

/// A port of a networking rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkingPort {
    /// `TCP` or `UDP`; none means TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// The port; none means all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<PortRef>,
}
