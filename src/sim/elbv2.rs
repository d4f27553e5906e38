//! A model of ELBv2 that follows `facts/elbv2.md` 1 to 3; each rule names its section.
//!
//! Pure and synchronous: one operation is one method, time is a value that [`Model::advance`]
//! moves, and the whole state is data that serde can write. It is one region of one account, as one
//! endpoint of AWS is.

mod attributes;
mod describe;
mod errors;
mod health;
mod network;
mod operation;
mod page;
mod placement;
mod quotas;
mod registration;
mod setup;
mod throttle;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub(in crate::sim) use self::attributes::DELETION_PROTECTION;
pub use self::describe::{GroupFilter, ListenerFilter, LoadBalancerFilter, RuleFilter};
pub use self::errors::ApiError;
pub use self::health::{Condition, Described, TargetQuery};
pub use self::network::{Instance, InstanceState, Subnet, Vpc};
pub use self::operation::Operation;
pub use self::page::{Page, Paging};
pub use self::registration::TargetRequest;
pub use self::setup::{NewGroup, NewLoadBalancer};
pub use self::throttle::Throttle;
use crate::target::{Target, TargetGroupArn};

/// One region of one account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Model {
    now: Timestamp,
    region: String,
    account: String,
    sequence: u64,
    /// How long things take, and which of several documented behaviours holds.
    pub settings: Settings,
    vpcs: BTreeMap<String, Vpc>,
    instances: BTreeMap<String, Instance>,
    groups: BTreeMap<String, Group>,
    load_balancers: BTreeMap<String, LoadBalancer>,
    listeners: BTreeMap<String, Listener>,
    rules: BTreeMap<String, Rule>,
    conditions: BTreeMap<String, Condition>,
    limits: BTreeMap<String, u32>,
    denied_roles: BTreeSet<String>,
    throttle: Option<Throttle>,
}

/// How long things take, and which of several documented behaviours holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How long a target is `initial/Elb.RegistrationInProgress`.
    pub registering: Duration,
    /// How long after that it is `initial/Elb.InitialHealthChecking`. Together users measure 90 s
    /// to 3 min (`facts/elbv2.md` 1.3).
    pub first_checks: Duration,
    /// The wording for an address outside the VPC without a zone: both are in real logs
    /// (`facts/elbv2.md` 1.2).
    pub outside_wording: OutsideWording,
    /// The most items of one page, whatever is asked for: real pages hold up to 400.
    pub page_size_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            registering: Duration::from_secs(30),
            first_checks: Duration::from_secs(60),
            outside_wording: OutsideWording::OutsideTheVpc,
            page_size_max: page::PAGE_SIZE_MAX,
        }
    }
}

/// A wording of the refusal of an address outside the VPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutsideWording {
    /// `... since the IP address '...' is outside the VPC`.
    OutsideTheVpc,
    /// `... because it is not in the VPC`.
    NotInTheVpc,
}

/// A target group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its ARN.
    pub arn: TargetGroupArn,
    /// `ip`, `instance`, `alb` or `lambda`.
    pub target_type: String,
    /// `ipv4` or `ipv6`.
    pub ip_address_type: String,
    /// Its protocol.
    pub protocol: String,
    /// Its default port.
    pub port: u16,
    /// Its VPC.
    pub vpc_id: String,
    /// `traffic-port` or a number.
    pub health_check_port: String,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether the zone `all` is refused for it, whatever its kind (`facts/elbv2.md` 1.2, row 6).
    pub refuses_all_zones: bool,
    #[serde(with = "entries")]
    targets: BTreeMap<Target, TargetState>,
}

/// A registered or draining target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TargetState {
    zone: Option<String>,
    /// Since when it is checked; none while nothing checks it.
    checked_since: Option<Timestamp>,
    deregistered_at: Option<Timestamp>,
}

/// A load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancer {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `network`, `application` or `gateway`.
    pub kind: String,
    /// Its DNS name.
    pub dns_name: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// `active`, `provisioning`, `active_impaired` or `failed`.
    pub state: String,
    /// Its VPC.
    pub vpc_id: String,
    /// `ipv4` or `dualstack`.
    pub ip_address_type: String,
    /// The zones it serves, and its subnet there.
    pub zones: BTreeMap<String, String>,
    /// The zones shifted away from (`facts/elbv2.md` 2.3).
    pub shifted_zones: BTreeSet<String>,
    /// Its security groups.
    pub security_groups: BTreeSet<String>,
    /// Its attributes.
    pub attributes: BTreeMap<String, String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listener {
    /// Its ARN.
    pub arn: String,
    /// The load balancer it is of.
    pub load_balancer_arn: String,
    /// Its port.
    pub port: u16,
    /// Its protocol.
    pub protocol: String,
    /// The default action: target groups by weight.
    pub forward: BTreeMap<String, u32>,
}

/// A rule of a listener.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Its ARN.
    pub arn: String,
    /// The listener it is of.
    pub listener_arn: String,
    /// Its priority, or `default`.
    pub priority: String,
    /// The action: target groups by weight.
    pub forward: BTreeMap<String, u32>,
}

impl Rule {
    /// Says whether it is the listener's default action.
    pub fn is_default(&self) -> bool {
        self.priority == "default"
    }
}

impl Model {
    /// Makes an empty region whose time is `now`.
    pub fn new(region: &str, account: &str, now: Timestamp) -> Self {
        Self {
            now,
            region: region.to_owned(),
            account: account.to_owned(),
            sequence: 0,
            settings: Settings::default(),
            vpcs: BTreeMap::new(),
            instances: BTreeMap::new(),
            groups: BTreeMap::new(),
            load_balancers: BTreeMap::new(),
            listeners: BTreeMap::new(),
            rules: BTreeMap::new(),
            conditions: BTreeMap::new(),
            limits: quotas::defaults(),
            denied_roles: BTreeSet::new(),
            throttle: None,
        }
    }

    /// The model's time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// Moves time on: targets get healthy, drained ones leave, buckets refill.
    pub fn advance(&mut self, by: Duration) {
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        self.advance_to(self.now.saturating_add(by).unwrap_or(Timestamp::MAX));
    }

    /// Moves time on to `now`; time never goes back.
    pub fn advance_to(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        self.forget_drained();
    }

    /// Brings what follows from the rest up to date; every change ends with it.
    fn settle(&mut self) {
        self.forget_drained();
        self.start_checks();
    }

    /// The same for one group, where nothing else changed.
    fn settle_group(&mut self, arn: &str) {
        if let Some(group) = self.groups.get_mut(arn) {
            group.forget_drained(self.now);
        }
        self.start_checks_of(arn);
    }

    /// Makes the next id: as long as AWS's, and the same in every run.
    fn next_id(&mut self) -> String {
        self.sequence += 1;
        format!("{:016x}", self.sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }
}

/// Writes a map whose keys are no strings as a list of pairs, which JSON can hold.
mod entries {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &BTreeMap<K, V>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map)
    }

    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests;
