//! A `TargetGroupBinding`: what joins a Service of a cluster to a target group.

mod selector;
mod spec;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::selector::{LabelExpression, LabelSelector};
pub use self::spec::{
    BindingSpec, IngressRule, IpAddressType, IpBlock, Networking, NetworkingPort, Peer, PortRef,
    SecurityGroup, ServiceRef, TargetType,
};

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

#[cfg(test)]
mod tests;
