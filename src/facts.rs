//! What was observed, silence included.
//!
//! A cluster, a permission or an answer that is missing is a [`Silence`] with a reason, never an
//! empty set: whatever depends on it can then say so.

mod cluster;
mod controller;
mod group;
mod silence;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

pub use self::cluster::{
    BindingFacts, ClusterFacts, Holder, LedgerFault, OrphanLedger, ServerFacts,
};
pub(crate) use self::controller::release;
pub use self::controller::{Aliveness, Controller, Difference, Reconciler, Webhook};
pub use self::group::{
    Forward, GroupFacts, Listener, LoadBalancer, LoadBalancerFacts, TargetGroup,
};
pub use self::silence::{Reading, Silence, SilenceReason};
use crate::target::TargetGroupArn;

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
