//! The objects around bindings: what the controller generates them for, and what sets them up.
//!
//! Services, Ingresses with their classes, Gateways with their routes and configurations, bindings
//! themselves, and the `TargetGroup` of ACK. Of each only what decides about sharing is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::facts::{Reading, Silence, SilenceReason};
use crate::managers::Manager;

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
    fn kept(self) -> &'static [&'static str] {
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

/// Which object: its kind, namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; empty where the kind has none.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Key {
    /// Names an object.
    pub fn new(kind: Kind, namespace: &str, name: &str) -> Self {
        let namespace = if kind.is_namespaced() { namespace.to_owned() } else { String::new() };
        Self { kind, namespace, name: name.to_owned() }
    }
}

/// Writes `Service namespace/name`, or `IngressClass name`.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name } = self;
        if namespace.is_empty() {
            write!(f, "{} {name}", kind.as_str())
        } else {
            write!(f, "{} {namespace}/{name}", kind.as_str())
        }
    }
}

/// An object as its cluster stores it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// Which it is.
    pub key: Key,
    /// Its UID.
    pub uid: String,
    /// Its resource version: a patch that carries it fails if anybody wrote in between.
    pub version: String,
    /// Whether its deletion was asked for.
    pub is_being_deleted: bool,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Who wrote which fields.
    pub managers: Vec<Manager>,
    /// What is kept of its `spec`.
    pub spec: Map<String, Value>,
    /// Its ARN, where it stands for something of AWS (ACK: `status.ackResourceMetadata.arn`).
    pub arn: Option<String>,
}

impl Object {
    /// Makes an object of what a manifest or an API says; what is not kept of `spec` is left out.
    pub fn new(key: Key, spec: Value) -> Self {
        let mut spec = match spec {
            Value::Object(spec) => spec,
            _ => Map::new(),
        };
        spec.retain(|name, _| key.kind.kept().contains(&name.as_str()));
        Self {
            key,
            uid: String::new(),
            version: String::new(),
            is_being_deleted: false,
            annotations: BTreeMap::new(),
            labels: BTreeMap::new(),
            managers: Vec::new(),
            spec,
            arn: None,
        }
    }

    /// An annotation's value.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.get(key).map(String::as_str)
    }

    /// A value of its `spec`, by the names that lead there.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.spec.get(*first)?, |value, name| value.get(*name))
    }

    /// A text of its `spec`, by the names that lead there.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.as_str()
    }

    /// A list of its `spec`, by the names that lead there; empty where there is none.
    pub fn list(&self, path: &[&str]) -> &[Value] {
        self.at(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Makes a patch of exactly this version of it.
    pub fn patch(&self, body: Value) -> Patch {
        Patch { key: self.key.clone(), uid: self.uid.clone(), version: self.version.clone(), body }
    }
}

/// A change of one object: a merge patch (RFC 7386) of exactly the version that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Patch {
    /// The object.
    pub key: Key,
    /// Its UID: another object of that name is left alone.
    pub uid: String,
    /// Its resource version: what somebody wrote in between is left alone.
    pub version: String,
    /// What to merge, without UID and version.
    pub body: Value,
}

impl Patch {
    /// The patch as it is sent: with the UID and the version it is for.
    pub fn guarded(&self) -> Value {
        let guard = json!({"metadata": {"uid": self.uid, "resourceVersion": self.version}});
        let mut body = self.body.clone();
        merge(&mut body, &guard);
        body
    }
}

/// Merges a patch into a value (RFC 7386): `null` takes away, lists are replaced whole.
pub fn merge(value: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    if let Value::Object(value) = value {
        for (name, patch) in patch {
            if patch.is_null() {
                value.remove(name);
            } else {
                merge(value.entry(name).or_insert(Value::Null), patch);
            }
        }
    }
}

/// What was read of one cluster's objects.
///
/// What nobody asked for is a silence too, and never an object that is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    /// Single objects; `None` where there is none.
    pub single: BTreeMap<Key, Reading<Option<Object>>>,
    /// All objects of a kind, over all namespaces or in one.
    pub lists: BTreeMap<(Kind, Option<String>), Reading<Vec<Object>>>,
}

impl Objects {
    /// Finds an object: `None` where it is known that there is none.
    ///
    /// # Errors
    ///
    /// The silence where it was not read, or not asked for.
    pub fn get(&self, key: &Key) -> Result<Option<&Object>, Silence> {
        if let Some(read) = self.single.get(key) {
            return read.as_ref().map(Option::as_ref).map_err(Clone::clone);
        }
        let of = |namespace| Ok(self.all(key.kind, namespace)?.find(|it| it.key == *key));
        of(None).or_else(|_: Silence| of(Some(&key.namespace)))
    }

    /// The objects of a kind, over all namespaces or in one.
    ///
    /// # Errors
    ///
    /// The silence where they were not read, or not asked for.
    pub fn all<'a>(
        &'a self,
        kind: Kind,
        namespace: Option<&str>,
    ) -> Result<impl Iterator<Item = &'a Object> + use<'a>, Silence> {
        let everywhere = self.lists.get(&(kind, None));
        let here = namespace.and_then(|it| self.lists.get(&(kind, Some(it.to_owned()))));
        let wanted = namespace.map(str::to_owned);
        let list = match (everywhere, here) {
            (Some(Ok(list)), _) | (_, Some(Ok(list))) => list,
            (Some(Err(silence)), _) | (_, Some(Err(silence))) => return Err(silence.clone()),
            (None, None) => return Err(not_asked(kind)),
        };
        Ok(list.iter().filter(move |it| wanted.as_ref().is_none_or(|ns| it.key.namespace == *ns)))
    }

    /// What could not be read, each cause once.
    pub fn silences(&self) -> Vec<&Silence> {
        let single = self.single.values().filter_map(|read| read.as_ref().err());
        let lists = self.lists.values().filter_map(|read| read.as_ref().err());
        let mut told = BTreeSet::new();
        single.chain(lists).filter(|silence| told.insert(silence.message.clone())).collect()
    }
}

fn not_asked(kind: Kind) -> Silence {
    Silence::new(SilenceReason::NotAsked, format!("{} were not asked for", kind.qualified()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_as_kubectl_spells_it() {
        for word in ["svc", "service", "services", "Service"] {
            assert_eq!(Kind::parse(word), Some(Kind::Service), "{word}");
        }
        assert_eq!(Kind::parse("ingresses.networking.k8s.io"), Some(Kind::Ingress));
        assert_eq!(Kind::parse("ingresses.v1.networking.k8s.io"), Some(Kind::Ingress));
        assert_eq!(Kind::parse("httproute"), Some(Kind::HttpRoute));
        assert_eq!(Kind::parse("tgb"), Some(Kind::TargetGroupBinding));
        assert_eq!(Kind::parse("ingresses.extensions"), None);
        assert_eq!(Kind::parse("pod"), None);
    }

    #[test]
    fn a_patch_takes_away_what_is_null_and_leaves_the_rest() {
        let mut value = json!({"a": {"b": 1, "c": [1, 2]}, "d": 1});
        merge(&mut value, &json!({"a": {"b": null, "c": [3]}, "e": {"f": null}}));
        assert_eq!(value, json!({"a": {"c": [3]}, "d": 1, "e": {}}));
    }

    #[test]
    fn a_patch_is_sent_with_what_it_is_for() {
        let mut object = Object::new(Key::new(Kind::Service, "web", "shop"), json!({}));
        (object.uid, object.version) = ("u".to_owned(), "7".to_owned());
        let patch = object.patch(json!({"metadata": {"annotations": {"a": "b"}}}));
        let expected =
            json!({"metadata": {"annotations": {"a": "b"}, "uid": "u", "resourceVersion": "7"}});
        assert_eq!(patch.guarded(), expected);
    }

    #[test]
    fn what_was_not_asked_for_is_not_missing() {
        let key = Key::new(Kind::Service, "web", "shop");
        let mut objects = Objects::default();
        assert_eq!(objects.get(&key).unwrap_err().reason, SilenceReason::NotAsked);
        objects.lists.insert((Kind::Service, Some("web".to_owned())), Ok(vec![]));
        assert_eq!(objects.get(&key), Ok(None));
        objects.single.insert(key.clone(), Ok(Some(Object::new(key.clone(), json!({})))));
        assert_eq!(objects.get(&key).unwrap().unwrap().key, key);
    }
}
