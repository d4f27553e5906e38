//! A `TargetGroupBinding`: what joins a Service of a cluster to a target group.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which binding: its context, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BindingRef {
    /// The context that reaches its cluster.
    pub context: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Writes `context namespace/name`.
impl fmt::Display for BindingRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.context, self.namespace, self.name)
    }
}

/// A binding as its cluster stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    pub uid: String,
    /// Whose API group it is of.
    pub flavour: Flavour,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When its spec last changed, as far as its managed fields tell.
    pub changed_at: Option<Timestamp>,
    /// When its deletion was asked for.
    pub deleted_at: Option<Timestamp>,
    /// Whether the controller's finalizer [`FINALIZER`] is on it.
    pub has_finalizer: bool,
    /// What its controller last failed at when it cleaned up (its condition `Ready`); none where that
    /// says nothing.
    #[serde(default)]
    pub failure: Option<String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// The annotations of the controller and of this program, others left out.
    pub annotations: BTreeMap<String, String>,
    /// What it asks for.
    pub spec: BindingSpec,
}

/// The finalizer that the controller puts on every binding it reconciles (LBC 3.5, `resource_manager.go`).
pub const FINALIZER: &str = "elbv2.k8s.aws/resources";

/// The annotation that holds the controller's checkpoint (LBC 3.5, `pkg/annotations/constants.go`).
pub const CHECKPOINT_ANNOTATION: &str = "elbv2.k8s.aws/checkpoint";

/// The annotation that says when the checkpoint was written, in seconds since 1970.
pub const CHECKPOINT_TIME_ANNOTATION: &str = "elbv2.k8s.aws/checkpoint-timestamp";

/// The annotation that lists finding codes to leave out for a binding.
pub const IGNORE_ANNOTATION: &str = "mctg.dev/ignore";

impl Binding {
    /// The binding's reference in `context`.
    pub fn reference(&self, context: &str) -> BindingRef {
        BindingRef {
            context: context.to_owned(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// Says whether its deletion was asked for.
    pub fn is_being_deleted(&self) -> bool {
        self.deleted_at.is_some()
    }

    /// Finds the object whose stack labels this binding carries.
    ///
    /// A binding with an owner is *generated*: the controller made it and reverts every edit
    /// (LBC 3.5, `pkg/deploy/tracking/provider.go`). The labels alone do not prove that the owner
    /// exists.
    pub fn owner(&self) -> Option<Owner> {
        let label = |key: &str| self.labels.get(key).map(String::as_str);
        STACK_LABELS
            .iter()
            .find_map(|(kind, prefix)| {
                let name = label(&format!("{prefix}/stack-name"))?;
                let namespace = label(&format!("{prefix}/stack-namespace"))?;
                Some(Owner {
                    kind: *kind,
                    namespace: Some(namespace.to_owned()),
                    name: name.to_owned(),
                })
            })
            .or_else(|| {
                let group = label(GROUP_LABEL)?;
                Some(Owner {
                    kind: OwnerKind::IngressGroup,
                    namespace: None,
                    name: group.to_owned(),
                })
            })
    }

    /// The keys of the stack labels it carries: what an owner is told by.
    pub fn stack_labels(&self) -> impl Iterator<Item = &str> {
        let is_one = |key: &&str| {
            let named = STACK_LABELS.iter().any(|(_, prefix)| {
                let name = key.strip_prefix(prefix);
                matches!(name, Some("/stack-name" | "/stack-namespace"))
            });
            named || *key == GROUP_LABEL
        };
        self.labels.keys().map(String::as_str).filter(is_one)
    }

    /// Lists the finding codes (globs) that the binding's [`IGNORE_ANNOTATION`] asks to leave out.
    pub fn ignored_findings(&self) -> impl Iterator<Item = &str> {
        let list = self.annotations.get(IGNORE_ANNOTATION).map_or("", String::as_str);
        list.split(',').map(str::trim).filter(|code| !code.is_empty())
    }
}

/// The label that names the stack of an explicit Ingress group.
const GROUP_LABEL: &str = "ingress.k8s.aws/stack";

const STACK_LABELS: [(OwnerKind, &str); 4] = [
    (OwnerKind::Service, "service.k8s.aws"),
    (OwnerKind::Ingress, "ingress.k8s.aws"),
    (OwnerKind::Gateway, "gateway.k8s.aws.alb"),
    (OwnerKind::Gateway, "gateway.k8s.aws.nlb"),
];

/// The object a generated binding was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// What kind of object it is.
    pub kind: OwnerKind,
    /// Its namespace; none for an Ingress group, which spans namespaces.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

/// The kinds of object that the controller makes bindings for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OwnerKind {
    /// A Service of type LoadBalancer.
    Service,
    /// An Ingress that is a group of its own.
    Ingress,
    /// An explicit Ingress group (`alb.ingress.kubernetes.io/group.name`).
    IngressGroup,
    /// A Gateway.
    Gateway,
}

impl OwnerKind {
    /// The kind in words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Ingress => "Ingress",
            Self::IngressGroup => "Ingress group",
            Self::Gateway => "Gateway",
        }
    }
}

/// Whose API group a binding is of, and so which controller serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Flavour {
    /// `elbv2.k8s.aws/v1beta1`: the AWS Load Balancer Controller.
    #[serde(rename = "aws-load-balancer-controller")]
    LoadBalancerController,
    /// `eks.amazonaws.com/v1`: EKS Auto Mode.
    #[serde(rename = "eks-auto-mode")]
    AutoMode,
}

impl Flavour {
    /// The controller's name as reports print it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoadBalancerController => "aws-load-balancer-controller",
            Self::AutoMode => "eks-auto-mode",
        }
    }

    /// The bindings' resource, as kubectl takes it whatever else has that name.
    pub fn resource(self) -> &'static str {
        match self {
            Self::LoadBalancerController => "targetgroupbindings.elbv2.k8s.aws",
            Self::AutoMode => "targetgroupbindings.eks.amazonaws.com",
        }
    }
}

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

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
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

/// A Kubernetes label selector.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LabelSelector {
    /// Labels that must have these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: BTreeMap<String, String>,
    /// Expressions that must hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<LabelExpression>,
}

impl LabelSelector {
    /// Says what is wrong with the selector, if anything is.
    ///
    /// # Errors
    ///
    /// An operator that is none, or one with values it does not take.
    pub fn validate(&self) -> Result<(), String> {
        for LabelExpression { key, operator, values } in &self.match_expressions {
            match operator.as_str() {
                "In" | "NotIn" if values.is_empty() => {
                    return Err(format!("`{operator}` of `{key}` needs values"));
                }
                "Exists" | "DoesNotExist" if !values.is_empty() => {
                    return Err(format!("`{operator}` of `{key}` takes no values"));
                }
                "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
                _ => return Err(format!("`{operator}` is no operator")),
            }
        }
        Ok(())
    }

    /// Matches labels as Kubernetes does: an empty selector matches all, and `NotIn` also holds where
    /// the label is absent.
    pub fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        let by_label = self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value));
        by_label && self.match_expressions.iter().all(|expression| expression.holds(labels))
    }
}

impl LabelExpression {
    fn holds(&self, labels: &BTreeMap<String, String>) -> bool {
        let value = labels.get(&self.key);
        match self.operator.as_str() {
            "In" => value.is_some_and(|value| self.values.contains(value)),
            "NotIn" => !value.is_some_and(|value| self.values.contains(value)),
            "Exists" => value.is_some(),
            _ => value.is_none(),
        }
    }
}

/// One expression of a label selector.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelExpression {
    /// The label's key.
    pub key: String,
    /// `In`, `NotIn`, `Exists` or `DoesNotExist`, as written.
    pub operator: String,
    /// The values of `In` and `NotIn`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

#[cfg(test)]
mod tests;
