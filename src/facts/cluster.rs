//! What one cluster said: its bindings with their endpoints and ledgers, and what is around them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Aliveness, Controller, Reading, Reconciler, Silence, SilenceReason};
use crate::binding::{Binding, BindingRef, Flavour};
use crate::endpoints::{Endpoints, Pod, Unresolved};
use crate::ledger::{InvalidLedger, Ledger};
use crate::objects::Objects;
use crate::target::TargetGroupArn;

/// What one cluster said.
#[derive(Clone, Debug)]
pub struct ClusterFacts {
    /// The context it was read through.
    pub context: String,
    /// The kubeconfig's cluster entry, where there is one.
    pub cluster: Option<String>,
    /// The name AWS knows the cluster by: its EKS name, where the kubeconfig tells it.
    pub eks_name: Option<String>,
    /// Further contexts of the reading set that reach the same cluster.
    pub also: Vec<String>,
    /// Its bindings of both flavours. Silent: nothing is known of what it desires and tracks.
    pub bindings: Reading<Vec<BindingFacts>>,
    /// How many bindings it holds, those of other groups included.
    pub bindings_found: usize,
    /// Bindings whose ledgers an old controller cannot tell apart in memory, those of other groups
    /// included ([`ledger::namesakes`](crate::ledger::namesakes)).
    pub namesakes: BTreeMap<(String, String), String>,
    /// Parts that were hidden although bindings were read: namespaces, a flavour.
    pub hidden: Vec<Silence>,
    /// The controllers found.
    pub controllers: Reading<Vec<Controller>>,
    /// This program's own CronJobs found there, suspended ones included.
    pub reconcilers: Vec<Reconciler>,
    /// Whether its type TargetGroupBinding has the field `multiClusterTargetGroup`, which came with
    /// LBC 2.10; `None` where that is not known.
    pub has_flag: Option<bool>,
    /// What could not be read and is done without: it costs certainty, and hides no binding,
    /// endpoint or ledger. Each text says what it costs.
    pub unseen: Vec<Silence>,
    /// For addresses that a guard asks about: the pods or nodes that hold them here.
    pub holders: BTreeMap<String, Reading<Vec<Holder>>>,
    /// What its bindings of shared groups were made for, and what sets that up; where it is only to be
    /// known what to register, nobody asked.
    pub objects: Objects,
    /// Ledgers without a multi-cluster binding, in the namespaces of bindings of shared groups and
    /// where they may be listed.
    pub orphans: Vec<OrphanLedger>,
}

impl ClusterFacts {
    /// Says whether all its bindings were read.
    pub fn is_read_in_full(&self) -> bool {
        self.bindings.is_ok() && self.hidden.is_empty()
    }

    /// The reason why it was not read in full, if it was not.
    pub fn silence(&self) -> Option<&Silence> {
        self.bindings.as_ref().err().or(self.hidden.first())
    }

    /// The bindings that were read.
    pub fn bindings(&self) -> impl Iterator<Item = &BindingFacts> {
        self.bindings.iter().flatten()
    }

    /// The controller that serves bindings of a flavour: alive, absent, or not known.
    pub fn controller(&self, flavour: Flavour) -> Aliveness {
        match &self.controllers {
            Err(_) => Aliveness::Unknown,
            Ok(_) => self.controller_of(flavour).map_or(Aliveness::Absent, |found| found.alive),
        }
    }

    /// What was found of the controller that serves bindings of a flavour; of several the one that is
    /// most alive.
    pub fn controller_of(&self, flavour: Flavour) -> Option<&Controller> {
        let found = self.controllers.iter().flatten();
        found.filter(|controller| controller.flavour == flavour).max_by_key(|found| found.alive)
    }
}

/// What was read about one binding.
#[derive(Clone, Debug)]
pub struct BindingFacts {
    /// The binding.
    pub binding: Binding,
    /// Its target group; by name it takes an answer from AWS to know.
    pub group: Reading<TargetGroupArn>,
    /// What its Service's endpoints ask for, or why that is not known.
    pub endpoints: Result<Endpoints, Unresolved>,
    /// Its ledger; `None` where the ConfigMap does not exist.
    pub ledger: Result<Option<Ledger>, LedgerFault>,
}

impl BindingFacts {
    /// The binding's reference in `context`.
    pub fn reference(&self, context: &str) -> BindingRef {
        self.binding.reference(context)
    }

    /// Says whether it names this group, and it could not be found out which group that is.
    pub fn may_name(&self, group: &TargetGroupArn) -> bool {
        let spec = &self.binding.spec;
        let not_known = |silence: &Silence| silence.reason != SilenceReason::NotFound;
        spec.target_group_arn.is_empty()
            && spec.target_group_name == group.name()
            && self.group.as_ref().is_err_and(not_known)
    }
}

/// Why a ledger is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerFault {
    /// It could not be read.
    #[error(transparent)]
    Silent(Silence),
    /// Its text is no ledger.
    #[error("the ledger `{configmap}` holds an entry that is no target")]
    Invalid {
        /// The ConfigMap's name.
        configmap: String,
        /// The first entry that could not be read.
        source: InvalidLedger,
    },
    /// Its ConfigMap is immutable: neither the controller nor this program can write it.
    #[error("the ConfigMap `{configmap}` is immutable")]
    Immutable {
        /// The ConfigMap's name.
        configmap: String,
    },
}

/// A ledger that no multi-cluster binding goes with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanLedger {
    /// Its namespace.
    pub namespace: String,
    /// The ConfigMap's name.
    pub name: String,
    /// The binding of its name, where that is there and exclusive.
    pub exclusive: Option<String>,
}

/// A pod or node that holds an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A pod, perhaps one on its way out.
    Pod(Pod),
    /// A node, by name.
    Node(String),
}

/// What an API server says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// Its version, such as `v1.33.1`.
    pub version: String,
    /// Its clock, to the second, where it told.
    pub now: Option<Timestamp>,
}
