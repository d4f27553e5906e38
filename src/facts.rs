//! What was observed, silence included.
//!
//! A cluster, a permission or an answer that is missing is a [`Silence`] with a reason, never an
//! empty set: whatever depends on it can then say so.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::binding::{Binding, BindingRef, Flavour, TargetType};
use crate::endpoints::{Endpoints, Pod, Unresolved};
use crate::ledger::{InvalidLedger, Ledger};
use crate::objects::Objects;
use crate::target::{TargetDescription, TargetGroupArn};

/// Everything one observation saw.
#[derive(Clone, Debug)]
pub struct Facts {
    /// When the observation ended, by the caller's clock.
    pub observed_at: Timestamp,
    /// The clusters of the reading set, in the order the contexts were given; each cluster once.
    pub clusters: Vec<ClusterFacts>,
    /// The target groups that observed bindings name.
    pub groups: BTreeMap<TargetGroupArn, GroupFacts>,
    /// The limits of each account and region that a group is in, by the names of
    /// DescribeAccountLimits; none where they were not asked for.
    pub account_limits: BTreeMap<AccountRegion, Reading<BTreeMap<String, u64>>>,
    /// Whether the reading set was narrowed to less than every context of the kubeconfig, so that
    /// an owner that was not read is no surprise (`product.md` 7.5).
    pub narrowed: bool,
    /// Contexts that belong to the kubeconfig and were not read, as the caller wished.
    pub left_out: BTreeSet<String>,
    /// Contexts that somebody declared gone for good and that did not answer: they claim nothing,
    /// and are no [`clusters`](Self::clusters).
    pub lost: Vec<LostContext>,
}

impl Facts {
    /// Says whether everything was read that could claim a target of the group: every cluster in
    /// full, and more than one, those counted that are gone for good.
    pub fn is_complete_for(&self, group: &TargetGroupArn) -> bool {
        let read = |cluster: &ClusterFacts| {
            cluster.is_read_in_full() && !cluster.bindings().any(|it| it.may_name(group))
        };
        self.clusters.len() + self.lost.len() > 1 && self.clusters.iter().all(read)
    }
}

/// A region of an account: what AWS limits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountRegion {
    /// The account's id.
    pub account: String,
    /// The region.
    pub region: String,
}

impl AccountRegion {
    /// Where a target group is.
    pub fn of(arn: &TargetGroupArn) -> Self {
        Self { account: arn.account().to_owned(), region: arn.region().to_owned() }
    }
}

/// A context that is gone for good: somebody said so, and it did not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostContext {
    /// Its name.
    pub context: String,
    /// The kubeconfig's cluster entry, where there is one.
    pub cluster: Option<String>,
    /// The name AWS knew the cluster by, where the kubeconfig tells it.
    pub eks_name: Option<String>,
    /// What came of asking it.
    pub silence: Silence,
}

/// What could be read, or why it could not.
pub type Reading<T> = Result<T, Silence>;

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// What kind of failure it was.
    pub reason: SilenceReason,
    /// What was tried and what came back, as one line.
    pub message: String,
}

impl Silence {
    /// Makes a silence.
    pub fn new(reason: SilenceReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// The same, with what it costs.
    pub(crate) fn at_the_cost_of(&self, cost: &str) -> Self {
        Self::new(self.reason, format!("{}; {cost}", self.message))
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Silence {}

/// The kinds of failure that leave something unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SilenceReason {
    /// The context's own configuration is broken: a missing file, an unreadable certificate.
    InvalidConfig,
    /// Nothing answers at the address.
    Unreachable,
    /// Something accepted and did not answer in time.
    Timeout,
    /// The server's certificate is not signed by the context's authority.
    CertificateInvalid,
    /// An exec credential plugin failed or did not end.
    CredentialPlugin,
    /// The server does not know this user (401), or AWS has no or no valid credentials.
    Unauthorized,
    /// The user is known and may not do this (403).
    Forbidden,
    /// The object does not exist.
    NotFound,
    /// AWS or the API server is throttling, and went on after the retries.
    Throttled,
    /// The answer could not be understood.
    Garbled,
    /// The server answered with a failure of its own (500 and the like).
    ServerError,
    /// The request was refused as invalid, such as an ARN that is none.
    Invalid,
    /// It was not asked for, to be polite; `--deep` asks.
    NotAsked,
    /// It was not asked for, because the run was asked to [stop](crate::stop).
    Stopped,
}

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

/// A pod or node that holds an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A pod, perhaps one on its way out.
    Pod(Pod),
    /// A node, by name.
    Node(String),
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

/// A controller that was found in a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controller {
    /// Which bindings it serves.
    pub flavour: Flavour,
    /// Its version, such as `v3.5.0`; none where nothing tells.
    pub version: Option<String>,
    /// Whether it is at work.
    pub alive: Aliveness,
    /// Whether it is certain that it should be at work and is not: everything could be read, its
    /// Deployment wants replicas and has none ready, and no Lease is fresh. It may come up any
    /// moment, so it is not [absent](Aliveness::Absent).
    pub is_down: bool,
    /// What shows that, as one line: "lease renewed 4 s ago".
    pub evidence: String,
    /// Its `--cluster-name`, where its Deployment was read.
    pub cluster_name: Option<String>,
    /// Its `--watch-namespace`: the only namespace whose bindings it serves; none means all.
    #[serde(default)]
    pub watch_namespace: Option<String>,
    /// When the process that leads took over, by its Lease: since then it keeps ledgers in memory.
    pub leads_since: Option<Timestamp>,
    /// Its `--max-targets-per-target-group`; none is no limit.
    pub max_targets: Option<usize>,
    /// Its `--sync-period`, or the default; none where its Deployment was not read.
    pub sync_period: Option<SignedDuration>,
    /// How its version or flags make it find other endpoints than LBC 3.5 does by default.
    pub differs: Vec<Difference>,
}

impl Controller {
    /// Says whether it is of a release before this one; none where its version does not tell.
    pub fn is_before(&self, release: [u32; 3]) -> Option<bool> {
        Some(self::release(self.version.as_deref()?)? < release)
    }
}

/// Reads `v3.5.0`, with or without what follows the numbers.
pub(crate) fn release(version: &str) -> Option<[u32; 3]> {
    let numbers = version.strip_prefix('v').unwrap_or(version).split(['-', '+']).next()?;
    let mut parts = numbers.split('.').map(str::parse);
    let mut part = || parts.next()?.ok();
    Some([part()?, part()?, part().unwrap_or(0)])
}

/// Who answers when a binding is created or updated: the controller's webhook completes and checks
/// every one (`facts/lbc.md` 1.2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Webhook {
    /// No webhook is asked: bindings are stored as they are sent.
    Absent,
    /// Somebody is behind it, or it is outside of the cluster.
    Served,
    /// Nobody is behind it, and the API server refuses every binding that is created or updated: why,
    /// to complete "because ...".
    Unserved(String),
}

/// What an API server says about itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerFacts {
    /// Its version, such as `v1.33.1`.
    pub version: String,
    /// Its clock, to the second, where it told.
    pub now: Option<Timestamp>,
}

/// A CronJob of this program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciler {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// When it runs, as cron writes it.
    pub schedule: String,
    /// Whether it is suspended: it runs no more until somebody resumes it.
    pub suspended: bool,
    /// When it was made.
    pub created_at: Option<Timestamp>,
    /// When a run of it last succeeded; none where none ever did.
    pub last_success: Option<Timestamp>,
}

/// Writes `namespace/name`.
impl fmt::Display for Reconciler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A way in which a controller finds other endpoints than LBC 3.5 by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The bindings it concerns; `None` concerns all.
    pub target_type: Option<TargetType>,
    /// What is different, and why.
    pub how: String,
}

/// Whether a controller is at work (`product.md` 6.2); later values win over earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Aliveness {
    /// Both its Lease and its Deployments could be read, and neither shows one at work.
    Absent,
    /// Neither is certain.
    Unknown,
    /// Its Lease is fresh, or a replica is ready.
    Alive,
}

/// What ELBv2 said about one target group.
#[derive(Clone, Debug)]
pub struct GroupFacts {
    /// The group itself. [`SilenceReason::NotFound`]: it is gone.
    pub group: Reading<TargetGroup>,
    /// Its targets, draining ones included.
    pub targets: Reading<Vec<TargetDescription>>,
    /// Its attributes.
    pub attributes: Reading<BTreeMap<String, String>>,
    /// Its tags.
    pub tags: Reading<BTreeMap<String, String>>,
    /// The load balancers it is attached to, with what leads to the group.
    pub load_balancers: Reading<Vec<LoadBalancerFacts>>,
}

impl GroupFacts {
    /// Whether targets are reached across zones; `None` where that is not known.
    ///
    /// The group's own attribute wins over the load balancer's, whose default is off for an NLB and
    /// on for an ALB (`facts/elbv2.md` 2.2, 4.2).
    pub fn cross_zone(&self) -> Option<bool> {
        const KEY: &str = "load_balancing.cross_zone.enabled";
        let own = self.attributes.as_ref().ok()?.get(KEY).map(String::as_str);
        match own {
            Some("true") => return Some(true),
            Some("false") => return Some(false),
            _ => {}
        }
        let load_balancer = self.load_balancers.as_ref().ok()?.first()?;
        let inherited = load_balancer.attributes.as_ref().ok()?.get(KEY).map(String::as_str);
        Some(
            inherited
                .map_or(load_balancer.load_balancer.kind == "application", |value| value == "true"),
        )
    }

    /// The targets that are registered, where they were read.
    pub fn registered(&self) -> impl Iterator<Item = &TargetDescription> {
        self.targets.iter().flatten().filter(|listed| listed.is_registered())
    }
}

/// A target group's settings (ELBv2 API, TargetGroup).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// Its ARN.
    pub arn: TargetGroupArn,
    /// `ip`, `instance`, `alb` or `lambda`, as AWS spells it.
    pub target_type: String,
    /// `ipv4` or `ipv6`.
    pub ip_address_type: String,
    /// Its protocol; none for lambda.
    pub protocol: Option<String>,
    /// Its default port, which no controller's data path uses.
    pub port: Option<u16>,
    /// Its VPC; none for lambda.
    pub vpc_id: Option<String>,
    /// The port of its health checks: `traffic-port` or a number; none where AWS tells none.
    #[serde(default)]
    pub health_check_port: Option<String>,
    /// The ARNs of the load balancers that forward to it.
    pub load_balancer_arns: BTreeSet<String>,
}

/// A load balancer, and how it leads to the group.
#[derive(Clone, Debug)]
pub struct LoadBalancerFacts {
    /// The load balancer.
    pub load_balancer: LoadBalancer,
    /// Its attributes.
    pub attributes: Reading<BTreeMap<String, String>>,
    /// The listeners whose default action or rules forward to the group.
    pub listeners: Reading<Vec<Listener>>,
}

/// A load balancer's settings (ELBv2 API, LoadBalancer).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `network`, `application` or `gateway`.
    pub kind: String,
    /// Its DNS name.
    pub dns_name: Option<String>,
    /// `internal` or `internet-facing`.
    pub scheme: Option<String>,
    /// `active`, `provisioning`, `active_impaired` or `failed`.
    pub state: Option<String>,
    /// The zones it serves, by name.
    pub availability_zones: BTreeSet<String>,
    /// Its security groups; empty for an NLB made without any.
    pub security_groups: BTreeSet<String>,
}

/// A listener with every action of it (default and rules) that can forward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Its ARN.
    pub arn: String,
    /// Its port.
    pub port: Option<u16>,
    /// Its protocol.
    pub protocol: Option<String>,
    /// The forward actions, default action first.
    pub forwards: Vec<Forward>,
}

/// One forward action: target groups by weight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// The rule's ARN; none for the default action.
    pub rule_arn: Option<String>,
    /// The weight of each group: 0 to 999.
    pub weights: BTreeMap<String, u32>,
}

impl Forward {
    /// The part of the action's weight that a group gets, from 0 to 1; `None` where the action does
    /// not name it.
    pub fn part(&self, arn: &TargetGroupArn) -> Option<f64> {
        let weight = *self.weights.get(arn.as_str())?;
        let total: u32 = self.weights.values().sum();
        Some(if total == 0 { 0.0 } else { f64::from(weight) / f64::from(total) })
    }
}
