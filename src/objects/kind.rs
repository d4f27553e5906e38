//! The kinds of object that are read, and how each is spelled.

use serde::{Deserialize, Serialize};

/// The kinds of object that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the kind of that name")]
pub enum Kind {
    Service,
    Ingress,
    IngressClass,
    IngressClassParams,
    Gateway,
    GatewayClass,
    #[serde(rename = "HTTPRoute")]
    HttpRoute,
    #[serde(rename = "GRPCRoute")]
    GrpcRoute,
    #[serde(rename = "TCPRoute")]
    TcpRoute,
    #[serde(rename = "UDPRoute")]
    UdpRoute,
    #[serde(rename = "TLSRoute")]
    TlsRoute,
    TargetGroupConfiguration,
    LoadBalancerConfiguration,
    TargetGroupBinding,
    /// `TargetGroup` of AWS Controllers for Kubernetes (ACK).
    TargetGroup,
}

/// The kinds of route that lead from a Gateway to Services.
pub const ROUTES: [Kind; 5] =
    [Kind::HttpRoute, Kind::GrpcRoute, Kind::TcpRoute, Kind::UdpRoute, Kind::TlsRoute];

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::Service,
        Self::Ingress,
        Self::IngressClass,
        Self::IngressClassParams,
        Self::Gateway,
        Self::GatewayClass,
        Self::HttpRoute,
        Self::GrpcRoute,
        Self::TcpRoute,
        Self::UdpRoute,
        Self::TlsRoute,
        Self::TargetGroupConfiguration,
        Self::LoadBalancerConfiguration,
        Self::TargetGroupBinding,
        Self::TargetGroup,
    ];

    /// As manifests spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Service => "Service",
            Self::Ingress => "Ingress",
            Self::IngressClass => "IngressClass",
            Self::IngressClassParams => "IngressClassParams",
            Self::Gateway => "Gateway",
            Self::GatewayClass => "GatewayClass",
            Self::HttpRoute => "HTTPRoute",
            Self::GrpcRoute => "GRPCRoute",
            Self::TcpRoute => "TCPRoute",
            Self::UdpRoute => "UDPRoute",
            Self::TlsRoute => "TLSRoute",
            Self::TargetGroupConfiguration => "TargetGroupConfiguration",
            Self::LoadBalancerConfiguration => "LoadBalancerConfiguration",
            Self::TargetGroupBinding => "TargetGroupBinding",
            Self::TargetGroup => "TargetGroup",
        }
    }

    /// As its path in the API and kubectl spell it: plural, in lower case.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Service => "services",
            Self::Ingress => "ingresses",
            Self::IngressClass => "ingressclasses",
            Self::IngressClassParams => "ingressclassparams",
            Self::Gateway => "gateways",
            Self::GatewayClass => "gatewayclasses",
            Self::HttpRoute => "httproutes",
            Self::GrpcRoute => "grpcroutes",
            Self::TcpRoute => "tcproutes",
            Self::UdpRoute => "udproutes",
            Self::TlsRoute => "tlsroutes",
            Self::TargetGroupConfiguration => "targetgroupconfigurations",
            Self::LoadBalancerConfiguration => "loadbalancerconfigurations",
            Self::TargetGroupBinding => "targetgroupbindings",
            Self::TargetGroup => "targetgroups",
        }
    }

    /// Its API group; empty for the core one.
    pub fn group(self) -> &'static str {
        match self {
            Self::Service => "",
            Self::Ingress | Self::IngressClass => "networking.k8s.io",
            Self::IngressClassParams | Self::TargetGroupBinding => "elbv2.k8s.aws",
            Self::Gateway
            | Self::GatewayClass
            | Self::HttpRoute
            | Self::GrpcRoute
            | Self::TcpRoute
            | Self::UdpRoute
            | Self::TlsRoute => "gateway.networking.k8s.io",
            Self::TargetGroupConfiguration | Self::LoadBalancerConfiguration => "gateway.k8s.aws",
            Self::TargetGroup => "elbv2.services.k8s.aws",
        }
    }

    /// The versions of its API that are understood, best first.
    pub fn versions(self) -> &'static [&'static str] {
        match self {
            Self::Service | Self::Ingress | Self::IngressClass => &["v1"],
            Self::IngressClassParams | Self::TargetGroupBinding => &["v1beta1"],
            Self::Gateway | Self::GatewayClass | Self::HttpRoute => &["v1", "v1beta1"],
            Self::GrpcRoute => &["v1", "v1alpha2"],
            Self::TcpRoute | Self::UdpRoute => &["v1", "v1alpha2"],
            Self::TlsRoute => &["v1", "v1alpha3", "v1alpha2"],
            Self::TargetGroupConfiguration | Self::LoadBalancerConfiguration => &["v1", "v1beta1"],
            Self::TargetGroup => &["v1alpha1"],
        }
    }

    /// Whether every Kubernetes API server serves it.
    pub fn is_built_in(self) -> bool {
        matches!(self, Self::Service | Self::Ingress | Self::IngressClass)
    }

    /// Whether it lives in a namespace.
    pub fn is_namespaced(self) -> bool {
        !matches!(self, Self::IngressClass | Self::IngressClassParams | Self::GatewayClass)
    }

    /// As kubectl names it without doubt: `ingressclassparams.elbv2.k8s.aws`.
    pub fn qualified(self) -> String {
        match self.group() {
            "" => self.plural().to_owned(),
            group => format!("{}.{group}", self.plural()),
        }
    }

    /// The word that is short and clear in a command: `service`, `httproute`.
    pub fn word(self) -> String {
        self.as_str().to_ascii_lowercase()
    }

    /// The word that kubectl's users type: `svc`, `ing`, `tgb`, else the [`word`](Self::word).
    pub fn short(self) -> String {
        match self {
            Self::Service => "svc".to_owned(),
            Self::Ingress => "ing".to_owned(),
            Self::TargetGroupBinding => "tgb".to_owned(),
            other => other.word(),
        }
    }

    /// Reads a kind as kubectl spells it: singular, plural, short and qualified forms.
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        let (name, group) = word.split_once('.').unwrap_or((&word, ""));
        let short = match name {
            "svc" => Some(Self::Service),
            "ing" => Some(Self::Ingress),
            "gtw" => Some(Self::Gateway),
            "gc" => Some(Self::GatewayClass),
            "tgb" => Some(Self::TargetGroupBinding),
            _ => None,
        };
        let is_meant = |kind: &Self| {
            let own = kind.group();
            let version_and_group = group.split_once('.').map_or("", |(_, rest)| rest);
            (name == kind.word() || name == kind.plural())
                && (group.is_empty() || group == own || version_and_group == own)
        };
        short.or_else(|| Self::ALL.into_iter().find(is_meant))
    }

    /// The parts of `spec` that are kept.
    pub(super) fn kept(self) -> &'static [&'static str] {
        match self {
            Self::Service => &["type", "loadBalancerClass", "ports"],
            Self::Ingress => &["ingressClassName", "defaultBackend", "rules"],
            Self::IngressClass => &["controller", "parameters"],
            Self::IngressClassParams => &["group", "loadBalancerAttributes"],
            Self::Gateway => &["gatewayClassName", "infrastructure"],
            Self::GatewayClass => &["controllerName", "parametersRef"],
            Self::HttpRoute
            | Self::GrpcRoute
            | Self::TcpRoute
            | Self::UdpRoute
            | Self::TlsRoute => &["parentRefs", "rules"],
            Self::TargetGroupConfiguration => {
                &["targetReference", "defaultConfiguration", "routeConfigurations"]
            }
            Self::LoadBalancerConfiguration => {
                &["mergingMode", "loadBalancerAttributes", "defaultTargetGroupConfiguration"]
            }
            Self::TargetGroupBinding => {
                &["multiClusterTargetGroup", "targetGroupARN", "serviceRef"]
            }
            Self::TargetGroup => &["name"],
        }
    }
}
