//! What a cluster holds, and how tests change it.

mod workloads;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::workloads::{SimPod, SimService};
use crate::binding::{
    Binding, BindingSpec, Flavour, IpAddressType, PortRef, ServiceRef, TargetType,
};
use crate::change::{Manifest, Note};
use crate::endpoints::{EndpointSlice, Node};
use crate::events::Event;
use crate::facts::{Controller, Reconciler, Webhook};
use crate::objects::Object;
use crate::target::TargetGroupArn;

/// What a cluster holds. Maps are keyed `namespace/name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterState {
    /// The UID of namespace `kube-system`.
    pub identity: String,
    /// The address it is reached by.
    pub endpoint: String,
    bindings: BTreeMap<String, Binding>,
    /// The Services.
    pub services: BTreeMap<String, SimService>,
    /// The pods; EndpointSlices are made of them whenever they are asked for.
    pub pods: BTreeMap<String, SimPod>,
    /// Further EndpointSlices, made by hand.
    pub extra_slices: Vec<EndpointSlice>,
    /// The nodes, by name.
    pub nodes: BTreeMap<String, Node>,
    /// The ConfigMaps that are ledgers.
    pub ledgers: BTreeMap<String, StoredLedger>,
    /// The notes of this program.
    #[serde(default)]
    pub notes: BTreeMap<String, Note>,
    /// The controllers.
    pub controllers: Vec<Controller>,
    /// This program's own CronJobs.
    pub reconcilers: Vec<Reconciler>,
    /// Whether its type TargetGroupBinding has the multi-cluster flag.
    #[serde(default = "yes")]
    pub has_flag: bool,
    /// Whether it lacks that type altogether.
    #[serde(default)]
    pub is_without_type: bool,
    /// Who answers when a binding is created or updated.
    #[serde(default = "nobody_asked")]
    pub webhook: Webhook,
    /// How far its API server's clock is ahead of the world's.
    #[serde(default)]
    pub clock_ahead: SignedDuration,
    /// What is forbidden: by whom (`""` is whoever asks, else `namespace/name` of a ServiceAccount) and
    /// what (`resource.group:verb`).
    #[serde(default)]
    pub denied: BTreeSet<(String, String)>,
    /// Fields that its type TargetGroupBinding lacks, as an older one does.
    #[serde(default)]
    pub lacks_fields: BTreeSet<String>,
    /// The events of this program.
    #[serde(default)]
    pub events: BTreeMap<String, StoredEvent>,
    /// The objects around bindings, by kind, namespace and name. A Service without one is a plain one.
    #[serde(default)]
    pub(super) objects: BTreeMap<String, Object>,
    now: Timestamp,
    pub(super) sequence: u64,
}

fn yes() -> bool {
    true
}

fn nobody_asked() -> Webhook {
    Webhook::Absent
}

/// An event, as it happened last, and how often it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// The event.
    pub event: Event,
    /// How often.
    pub count: u32,
}

/// A ledger as stored: text, ledger or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredLedger {
    /// The text of key `targets`.
    pub text: String,
    /// Its resource version.
    pub version: u64,
    /// When it was last written.
    pub changed_at: Timestamp,
    /// When anybody but the controller last wrote it.
    #[serde(default)]
    pub foreign_write_at: Option<Timestamp>,
    /// Whether the ConfigMap is immutable.
    pub immutable: bool,
    /// The other keys: nobody's business.
    pub other_data: BTreeMap<String, String>,
}

/// A binding to make: multi-cluster, `ip`, IPv4, of port 80, by ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBinding {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its flavour.
    pub flavour: Flavour,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its spec.
    pub spec: BindingSpec,
}

impl NewBinding {
    /// Binds a Service's port 80 to a group.
    pub fn new(namespace: &str, name: &str, service: &str, group: &TargetGroupArn) -> Self {
        Self {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            flavour: Flavour::LoadBalancerController,
            labels: BTreeMap::new(),
            spec: BindingSpec {
                target_group_arn: group.to_string(),
                multi_cluster_target_group: true,
                target_type: Some(TargetType::Ip),
                ip_address_type: Some(IpAddressType::Ipv4),
                service_ref: ServiceRef { name: service.to_owned(), port: PortRef::Number(80) },
                ..BindingSpec::default()
            },
        }
    }

    /// Makes it one that the controller generated for its Service.
    #[must_use]
    pub fn generated(mut self) -> Self {
        let namespace = self.namespace.clone();
        let name = self.spec.service_ref.name.clone();
        self.labels.insert("service.k8s.aws/stack-namespace".to_owned(), namespace);
        self.labels.insert("service.k8s.aws/stack-name".to_owned(), name);
        self
    }

    /// Makes it exclusive: without the multi-cluster flag.
    #[must_use]
    pub fn exclusive(mut self) -> Self {
        self.spec.multi_cluster_target_group = false;
        self
    }

    /// Makes it one for nodes.
    #[must_use]
    pub fn instance(mut self) -> Self {
        self.spec.target_type = Some(TargetType::Instance);
        self
    }

    /// Makes it one of EKS Auto Mode.
    #[must_use]
    pub fn auto_mode(mut self) -> Self {
        self.flavour = Flavour::AutoMode;
        self
    }
}

impl ClusterState {
    /// Makes a cluster with no node.
    pub fn new(name: &str, now: Timestamp) -> Self {
        Self {
            identity: uid(&format!("{name}/kube-system")),
            endpoint: format!("https://{name}.example"),
            bindings: BTreeMap::new(),
            services: BTreeMap::new(),
            pods: BTreeMap::new(),
            extra_slices: Vec::new(),
            nodes: BTreeMap::new(),
            ledgers: BTreeMap::new(),
            notes: BTreeMap::new(),
            controllers: Vec::new(),
            reconcilers: Vec::new(),
            has_flag: true,
            is_without_type: false,
            webhook: Webhook::Absent,
            clock_ahead: SignedDuration::ZERO,
            denied: BTreeSet::new(),
            lacks_fields: BTreeSet::new(),
            events: BTreeMap::new(),
            objects: BTreeMap::new(),
            now,
            sequence: 0,
        }
    }

    /// The cluster's time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Moves time on.
    pub fn advance(&mut self, by: SignedDuration) {
        self.now = self.now.saturating_add(by).unwrap_or(Timestamp::MAX);
    }

    /// Makes a binding.
    pub fn bind(&mut self, new: &NewBinding) {
        self.sequence += 1;
        let binding = Binding {
            namespace: new.namespace.clone(),
            name: new.name.clone(),
            uid: uid(&format!("{}/{}/{}", self.identity, new.name, self.sequence)),
            flavour: new.flavour,
            created_at: Some(self.now),
            changed_at: Some(self.now),
            deleted_at: None,
            has_finalizer: false,
            failure: None,
            labels: new.labels.clone(),
            annotations: BTreeMap::new(),
            spec: new.spec.clone(),
        };
        self.bindings.insert(binding_key(new.flavour, &new.namespace, &new.name), binding);
    }

    /// Makes a binding what a manifest says, or creates it.
    pub(in crate::sim) fn apply(&mut self, manifest: &Manifest) {
        let now = self.now;
        match self.binding_mut(&manifest.namespace, &manifest.name) {
            Some(binding) if binding.spec == manifest.spec => {}
            Some(binding) => {
                binding.spec = manifest.spec.clone();
                binding.changed_at = Some(now);
            }
            None => self.bind(&NewBinding {
                namespace: manifest.namespace.clone(),
                name: manifest.name.clone(),
                flavour: Flavour::LoadBalancerController,
                labels: BTreeMap::new(),
                spec: manifest.spec.clone(),
            }),
        }
    }

    /// Writes a note.
    pub(in crate::sim) fn put_note(
        &mut self,
        namespace: &str,
        name: &str,
        data: &BTreeMap<String, String>,
    ) {
        self.sequence += 1;
        let note = Note { data: data.clone(), version: Some(self.sequence.to_string()) };
        self.notes.insert(key(namespace, name), note);
    }

    /// The bindings of a flavour.
    pub fn bindings(&self, flavour: Flavour) -> impl Iterator<Item = &Binding> {
        self.bindings.values().filter(move |binding| binding.flavour == flavour)
    }

    /// The binding of a name, to change.
    pub fn binding_mut(&mut self, namespace: &str, name: &str) -> Option<&mut Binding> {
        self.bindings.values_mut().find(|b| b.namespace == namespace && b.name == name)
    }

    /// Deletes a binding: with its finalizer it stays, being deleted.
    pub fn delete_binding(&mut self, namespace: &str, name: &str) {
        let now = self.now;
        match self.binding_mut(namespace, name) {
            Some(binding) if binding.has_finalizer => binding.deleted_at = Some(now),
            _ => self.bindings.retain(|_, b| b.namespace != namespace || b.name != name),
        }
    }

    /// Removes bindings that are being deleted and that no finalizer holds.
    pub(in crate::sim) fn collect_bindings(&mut self) {
        self.bindings.retain(|_, binding| binding.has_finalizer || !binding.is_being_deleted());
    }

    /// Writes a ledger's text as somebody who is not the controller, which will not know of it.
    pub fn edit_ledger(&mut self, namespace: &str, name: &str, text: &str) -> u64 {
        let version = self.put_ledger(namespace, name, text);
        let now = self.now;
        if let Some(ledger) = self.ledgers.get_mut(&key(namespace, name)) {
            ledger.foreign_write_at = Some(now);
        }
        version
    }

    /// Writes a ledger's text as the controller would.
    pub fn put_ledger(&mut self, namespace: &str, name: &str, text: &str) -> u64 {
        self.sequence += 1;
        let (now, version) = (self.now, self.sequence);
        let ledger = self.ledgers.entry(key(namespace, name)).or_insert_with(|| StoredLedger {
            text: String::new(),
            version,
            changed_at: now,
            foreign_write_at: None,
            immutable: false,
            other_data: BTreeMap::new(),
        });
        text.clone_into(&mut ledger.text);
        (ledger.version, ledger.changed_at) = (version, now);
        ledger.foreign_write_at = None;
        version
    }

    /// The text of a ledger.
    pub fn ledger_text(&self, namespace: &str, name: &str) -> Option<&str> {
        self.ledgers.get(&key(namespace, name)).map(|ledger| ledger.text.as_str())
    }
}

/// The key of a namespaced object.
pub(super) fn key(namespace: &str, name: &str) -> String {
    format!("{namespace}/{name}")
}

fn binding_key(flavour: Flavour, namespace: &str, name: &str) -> String {
    format!("{} {namespace}/{name}", flavour.as_str())
}

/// Makes a UID that is the same in every run (FNV-1a of what it is for).
pub(super) fn uid(of: &str) -> String {
    let hash = of.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:08x}-0000-4000-8000-{:012x}", hash >> 32, hash & 0xffff_ffff_ffff)
}
