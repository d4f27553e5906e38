//! The objects that own load balancers, as far as the controller looks at them.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::binding::{Binding, LabelSelector, PortRef};
use crate::sim::controller::api::Key;

/// What the owner controllers' informers hold.
#[derive(Clone, Debug, Default)]
pub struct OwnerView {
    /// The Services: owners, and what Ingresses and routes lead to.
    pub services: BTreeMap<Key, Service>,
    /// The Ingresses.
    pub ingresses: BTreeMap<Key, Ingress>,
    /// The controllers of IngressClasses, by the classes' names.
    pub ingress_classes: BTreeMap<String, String>,
    /// The Gateways.
    pub gateways: BTreeMap<Key, Gateway>,
    /// The GatewayClasses.
    pub gateway_classes: BTreeMap<String, GatewayClass>,
    /// The routes, by kind and name.
    pub routes: BTreeMap<(String, Key), Route>,
    /// The TargetGroupConfigurations.
    pub group_configurations: BTreeMap<Key, GroupConfiguration>,
    /// The LoadBalancerConfigurations.
    pub load_balancer_configurations: BTreeMap<Key, LoadBalancerConfiguration>,
    /// The bindings.
    pub bindings: BTreeMap<Key, Binding>,
}

/// The metadata of an owner.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// Its namespace.
    #[serde(default)]
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its UID.
    #[serde(default)]
    pub uid: String,
    /// Its annotations.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    /// Its finalizers.
    #[serde(default)]
    pub finalizers: BTreeSet<String>,
    /// When its deletion was asked for.
    #[serde(default)]
    pub deletion_timestamp: Option<String>,
}

impl Meta {
    /// Its namespace and name.
    pub fn key(&self) -> Key {
        (self.namespace.clone(), self.name.clone())
    }

    /// Says whether it is being deleted.
    pub fn is_being_deleted(&self) -> bool {
        self.deletion_timestamp.is_some()
    }

    /// What of it makes the controller look again: its own finalizers do not.
    pub(super) fn fingerprint(&self) -> String {
        let Self { namespace, name, uid, annotations, deletion_timestamp, .. } = self;
        format!("{namespace}/{name} {uid} {annotations:?} {deletion_timestamp:?}")
    }
}

/// A Service.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Service {
    /// Its metadata.
    pub metadata: Meta,
    /// Its spec.
    pub spec: ServiceSpec,
}

/// A Service's spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceSpec {
    /// Its type.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// Which controller makes its load balancer.
    #[serde(default)]
    pub load_balancer_class: Option<String>,
    /// Its ports.
    #[serde(default)]
    pub ports: Vec<ServicePort>,
    /// Its address families.
    #[serde(default)]
    pub ip_families: Vec<String>,
}

/// A port of a Service.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its number.
    pub port: u16,
    /// `TCP` or `UDP`.
    #[serde(default)]
    pub protocol: String,
    /// The port on nodes; 0 where there is none.
    #[serde(default)]
    pub node_port: u16,
    /// The port of pods.
    #[serde(default)]
    pub target_port: PortRef,
}

impl Service {
    /// The port of a number or name.
    pub fn port(&self, port: &PortRef) -> Option<&ServicePort> {
        self.spec.ports.iter().find(|candidate| match port {
            PortRef::Number(number) => i32::from(candidate.port) == *number,
            PortRef::Name(name) => candidate.name == *name,
        })
    }
}

/// An Ingress.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Ingress {
    /// Its metadata.
    pub metadata: Meta,
    /// Its spec.
    #[serde(default)]
    pub spec: IngressSpec,
}

/// An Ingress's spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressSpec {
    /// Its class.
    #[serde(default)]
    pub ingress_class_name: Option<String>,
    /// Where everything goes that no rule takes.
    #[serde(default)]
    pub default_backend: Option<IngressBackend>,
    /// Its rules.
    #[serde(default)]
    pub rules: Vec<IngressRule>,
}

/// A rule of an Ingress.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct IngressRule {
    /// Its paths.
    #[serde(default)]
    pub http: Option<IngressPaths>,
}

/// The paths of a rule.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct IngressPaths {
    /// Each of them.
    #[serde(default)]
    pub paths: Vec<IngressPath>,
}

/// A path of a rule.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct IngressPath {
    /// Where it leads.
    pub backend: IngressBackend,
}

/// Where an Ingress leads.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct IngressBackend {
    /// The Service, or the action of that name.
    #[serde(default)]
    pub service: Option<IngressService>,
}

/// A Service that an Ingress leads to.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct IngressService {
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: IngressPort,
}

/// A port by number or name; the name `use-annotation` means an action.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct IngressPort {
    /// Its name.
    #[serde(default)]
    pub name: Option<String>,
    /// Its number.
    #[serde(default)]
    pub number: Option<i32>,
}

/// A Gateway.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Gateway {
    /// Its metadata.
    pub metadata: Meta,
    /// Its spec.
    pub spec: GatewaySpec,
}

/// A Gateway's spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewaySpec {
    /// Its class.
    pub gateway_class_name: String,
    /// Its listeners.
    #[serde(default)]
    pub listeners: Vec<GatewayListener>,
    /// What it says of what is made for it.
    #[serde(default)]
    pub infrastructure: Option<Infrastructure>,
}

/// What a Gateway says of what is made for it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Infrastructure {
    /// Its LoadBalancerConfiguration.
    #[serde(default)]
    pub parameters_ref: Option<ParametersRef>,
}

/// A reference to a LoadBalancerConfiguration.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct ParametersRef {
    /// Its name.
    pub name: String,
    /// Its namespace, where a GatewayClass names it.
    #[serde(default)]
    pub namespace: Option<String>,
}

/// A listener of a Gateway.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct GatewayListener {
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: u16,
    /// `HTTP`, `HTTPS`, `TCP`, `UDP` or `TLS`.
    pub protocol: String,
}

/// A GatewayClass.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct GatewayClass {
    /// Its spec.
    pub spec: GatewayClassSpec,
}

/// A GatewayClass's spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayClassSpec {
    /// Which controller serves it.
    pub controller_name: String,
    /// Its LoadBalancerConfiguration.
    #[serde(default)]
    pub parameters_ref: Option<ParametersRef>,
}

/// A route of any kind.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Route {
    /// Its metadata.
    pub metadata: Meta,
    /// Its spec.
    pub spec: RouteSpec,
}

/// A route's spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteSpec {
    /// The Gateways it asks to be attached to.
    #[serde(default)]
    pub parent_refs: Vec<ParentRef>,
    /// Its rules.
    #[serde(default)]
    pub rules: Vec<RouteRule>,
}

/// A Gateway that a route asks to be attached to.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ParentRef {
    /// Its name.
    pub name: String,
    /// Its namespace; none means the route's.
    #[serde(default)]
    pub namespace: Option<String>,
    /// The one listener.
    #[serde(default)]
    pub section_name: Option<String>,
}

/// A rule of a route.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteRule {
    /// Where it leads, by weight.
    #[serde(default)]
    pub backend_refs: Vec<BackendRef>,
}

/// A Service that a route leads to.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct BackendRef {
    /// Its name.
    pub name: String,
    /// Its namespace; none means the route's.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Its port.
    #[serde(default)]
    pub port: u16,
    /// Its weight; none means 1.
    #[serde(default)]
    pub weight: Option<u32>,
}

/// A TargetGroupConfiguration.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct GroupConfiguration {
    /// Its metadata.
    pub metadata: Meta,
    /// Its spec.
    pub spec: GroupConfigurationSpec,
}

/// A TargetGroupConfiguration's spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupConfigurationSpec {
    /// The Service it is about.
    #[serde(default)]
    pub target_reference: Option<TargetReference>,
    /// What holds for all routes.
    #[serde(default)]
    pub default_configuration: GroupProperties,
    /// What holds for some routes.
    #[serde(default)]
    pub route_configurations: Vec<RouteConfiguration>,
}

/// The Service a TargetGroupConfiguration is about.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct TargetReference {
    /// Its kind; none means a Service.
    #[serde(default)]
    pub kind: Option<String>,
    /// Its name.
    pub name: String,
}

/// What holds for some routes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteConfiguration {
    /// Which routes.
    #[serde(default)]
    pub route_identifier: RouteIdentifier,
    /// What holds for them.
    #[serde(default)]
    pub target_group_props: GroupProperties,
}

/// Which routes: the most exact match wins.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouteIdentifier {
    /// Their kind.
    #[serde(default)]
    pub route_kind: String,
    /// Their namespace.
    #[serde(default)]
    pub route_namespace: String,
    /// Their name.
    #[serde(default)]
    pub route_name: String,
}

/// What a target group should be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupProperties {
    /// Whether it is shared.
    #[serde(default)]
    pub enable_multi_cluster: Option<bool>,
    /// What it registers.
    #[serde(default)]
    pub target_type: Option<String>,
    /// Its protocol.
    #[serde(default)]
    pub protocol: Option<String>,
    /// Its name.
    #[serde(default)]
    pub target_group_name: Option<String>,
    /// Which nodes.
    #[serde(default)]
    pub node_selector: Option<LabelSelector>,
}

/// A LoadBalancerConfiguration.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct LoadBalancerConfiguration {
    /// Its metadata.
    pub metadata: Meta,
    /// Its spec.
    #[serde(default)]
    pub spec: LoadBalancerConfigurationSpec,
}

/// A LoadBalancerConfiguration's spec.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadBalancerConfigurationSpec {
    /// `internal` or `internet-facing`.
    #[serde(default)]
    pub scheme: Option<String>,
    /// The load balancer's attributes.
    #[serde(default)]
    pub load_balancer_attributes: Vec<Attribute>,
}

/// An attribute of a load balancer.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Attribute {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
}
