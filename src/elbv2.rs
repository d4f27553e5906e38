//! What ELBv2 must be able to tell and to change.
//!
//! One narrow trait in our own words. `aws` (the adapter) and the simulator implement it; no SDK
//! type passes this door.

mod acknowledged;
pub mod aws;
mod clients;
mod errors;
mod flight;
mod limiter;
mod line;
mod translate;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

#[cfg(feature = "sim")]
pub(crate) use self::errors::{Fault, refused};
use crate::binding::BindingSpec;
use crate::facts::{Listener, LoadBalancer, Reading, Silence, TargetGroup};
use crate::target::{Target, TargetDescription, TargetGroupArn};

/// The most targets of one register or deregister call: ELBv2 intermittently rejects larger ones
/// (`facts/elbv2.md` 1.1).
pub const TARGETS_PER_CALL_MAX: usize = 100;

/// The most ARNs of one describe call (ELBv2 API, DescribeTargetGroups, DescribeTags).
pub const ARNS_PER_CALL_MAX: usize = 20;

/// On whose behalf a call is made: it decides the credentials.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// The context whose profile or exec entry names the credentials.
    pub context: String,
    /// The region, from the ARN; empty where none tells, for the credentials' own region.
    pub region: String,
    /// The role to assume, from the binding.
    pub role: Option<Role>,
}

impl Access {
    /// The access of a binding: its context's credentials, and the role it names.
    pub fn of(context: &str, spec: &BindingSpec, region: &str) -> Self {
        let given = |text: &String| (!text.is_empty()).then(|| text.clone());
        let role = given(&spec.iam_role_arn_to_assume)
            .map(|arn| Role { arn, external_id: given(&spec.assume_role_external_id) });
        Self { context: context.to_owned(), region: region.to_owned(), role }
    }
}

/// A role to assume.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role {
    /// Its ARN.
    pub arn: String,
    /// Its external id.
    pub external_id: Option<String>,
}

/// The load balancers of the accounts that bindings lead to.
///
/// Batches are split to what the API takes; every list is complete (paged through) or a
/// [`Silence`]. Keys that were asked for are all in the answer.
pub trait LoadBalancers: Send + Sync {
    /// Says whether no call is made any more, because the run was asked to [stop](crate::stop):
    /// what is left then is told instead of tried.
    fn is_closed(&self) -> bool {
        false
    }

    /// Describes target groups; one that is gone is a silence of its own, and hides no other.
    fn target_groups(
        &self,
        access: &Access,
        arns: &BTreeSet<TargetGroupArn>,
    ) -> impl Future<Output = BTreeMap<TargetGroupArn, Reading<TargetGroup>>> + Send;

    /// Describes the target group of a name.
    fn target_group_by_name(
        &self,
        access: &Access,
        name: &str,
    ) -> impl Future<Output = Reading<TargetGroup>> + Send;

    /// Lists the targets of a group and their health, draining ones included.
    fn targets(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
    ) -> impl Future<Output = Reading<Vec<TargetDescription>>> + Send;

    /// Lists the attributes of a group.
    fn target_group_attributes(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
    ) -> impl Future<Output = Reading<BTreeMap<String, String>>> + Send;

    /// Lists the tags of groups.
    fn tags(
        &self,
        access: &Access,
        arns: &BTreeSet<TargetGroupArn>,
    ) -> impl Future<Output = BTreeMap<TargetGroupArn, Reading<BTreeMap<String, String>>>> + Send;

    /// Describes load balancers by ARN.
    fn load_balancers(
        &self,
        access: &Access,
        arns: &BTreeSet<String>,
    ) -> impl Future<Output = BTreeMap<String, Reading<LoadBalancer>>> + Send;

    /// Lists the attributes of a load balancer.
    fn load_balancer_attributes(
        &self,
        access: &Access,
        arn: &str,
    ) -> impl Future<Output = Reading<BTreeMap<String, String>>> + Send;

    /// Lists the listeners of a load balancer, with the forward actions of their rules.
    fn listeners(
        &self,
        access: &Access,
        arn: &str,
    ) -> impl Future<Output = Reading<Vec<Listener>>> + Send;

    /// Reads the limits of the account that the access leads to, by the names of
    /// DescribeAccountLimits (`facts/elbv2.md` 3.1). The account's id is that of the ARNs it is
    /// asked for: the calls for them share one client-side limit.
    fn account_limits(
        &self,
        access: &Access,
        account: &str,
    ) -> impl Future<Output = Reading<BTreeMap<String, u64>>> + Send;

    /// Registers at most [`TARGETS_PER_CALL_MAX`] targets; registering one twice is fine.
    ///
    /// # Errors
    ///
    /// [`CallError`], by what can be done about it. Nothing is known to be registered then.
    fn register(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[Registration],
    ) -> impl Future<Output = Result<(), CallError>> + Send;

    /// Deregisters at most [`TARGETS_PER_CALL_MAX`] targets, as they were described; one that is
    /// not registered is fine.
    ///
    /// # Errors
    ///
    /// [`CallError`], by what can be done about it.
    fn deregister(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[TargetDescription],
    ) -> impl Future<Output = Result<(), CallError>> + Send;
}

/// A target to register.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Registration {
    /// Which.
    pub target: Target,
    /// The zone to give: none inside the VPC, `all` or a zone outside (`facts/elbv2.md` 1.4).
    pub availability_zone: Option<String>,
}

/// Why ELBv2 did not register or deregister.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// An address of the batch is outside the VPC and needs a zone (`ValidationError`).
    #[error("{0}")]
    ZoneNeeded(String),
    /// The zone `all` is refused for an address of the batch (`ValidationError`).
    #[error("{0}")]
    ZoneRefused(String),
    /// The group, load balancer or zone is full (`TooManyTargets`).
    #[error("{0}")]
    TooManyTargets(String),
    /// A target of the batch is refused (`InvalidTarget`, other `ValidationError`s).
    #[error("{0}")]
    InvalidTarget(String),
    /// Everything else; whether it took effect is not known.
    #[error(transparent)]
    Failed(Silence),
}
