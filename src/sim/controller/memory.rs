//! What the controller remembers, and a restart forgets.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};

use super::api::{Key, View};
use super::queue::Queue;
use crate::target::{Health, HealthState, Target, TargetDescription};

/// Everything in the process.
#[derive(Debug)]
pub(super) struct Memory {
    pub(super) leads_since: Timestamp,
    /// The ledgers as read or written last: what is here is never read again (`facts/lbc.md` 2.1).
    pub(super) ledgers: BTreeMap<String, BTreeSet<String>>,
    /// The targets of groups, by ARN: for five minutes (2.2).
    pub(super) targets: Expiring<String, Vec<Listed>>,
    /// The address ranges of VPCs: for ten minutes; none where a role cannot see it: for five (4).
    pub(super) vpcs: Expiring<String, Option<Vec<IpNet>>>,
    /// The bindings whose addresses outside the VPC need the zone of their node: for an hour (4).
    pub(super) needs_zone: Expiring<Key, ()>,
    pub(super) queue: Queue,
    /// What the informers held when they were last looked at.
    pub(super) seen: Option<View>,
}

impl Memory {
    pub(super) fn new(now: Timestamp, sync_period: SignedDuration) -> Self {
        Self {
            leads_since: now,
            ledgers: BTreeMap::new(),
            targets: Expiring::default(),
            vpcs: Expiring::default(),
            needs_zone: Expiring::default(),
            queue: Queue::new(now, sync_period),
            seen: None,
        }
    }
}

/// A target as the controller remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) target: Target,
    pub(super) zone: Option<String>,
    /// None where it was registered or deregistered since it was listed.
    pub(super) health: Option<Health>,
}

impl Listed {
    pub(super) fn is_healthy(&self) -> bool {
        self.is(&[HealthState::Healthy])
    }

    /// Both kinds of draining count (`facts/lbc.md` 4).
    pub(super) fn is_draining(&self) -> bool {
        self.is(&[HealthState::Draining, HealthState::UnhealthyDraining])
    }

    /// What ELBv2 answers when it is asked for a target by name that it does not have.
    pub(super) fn is_not_registered(&self) -> bool {
        let reason = self.health.as_ref().and_then(|health| health.reason.as_deref());
        self.is(&[HealthState::Unused]) && reason == Some("Target.NotRegistered")
    }

    fn is(&self, states: &[HealthState]) -> bool {
        self.health.as_ref().is_some_and(|health| states.contains(&health.state))
    }
}

impl From<TargetDescription> for Listed {
    fn from(described: TargetDescription) -> Self {
        let TargetDescription { target, availability_zone, health } = described;
        Self { target, zone: availability_zone, health: Some(health) }
    }
}

/// A map whose entries are forgotten in time.
#[derive(Debug)]
pub(super) struct Expiring<K, V>(BTreeMap<K, (Timestamp, V)>);

impl<K, V> Default for Expiring<K, V> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<K: Ord, V> Expiring<K, V> {
    pub(super) fn get(&self, key: &K, now: Timestamp) -> Option<&V> {
        self.0.get(key).filter(|(until, _)| now < *until).map(|(_, value)| value)
    }

    /// Changes a value that is remembered; it is not remembered longer for that.
    pub(super) fn get_mut(&mut self, key: &K, now: Timestamp) -> Option<&mut V> {
        self.0.get_mut(key).filter(|(until, _)| now < *until).map(|(_, value)| value)
    }

    pub(super) fn insert(&mut self, key: K, value: V, now: Timestamp, ttl: SignedDuration) {
        self.0.insert(key, (after(now, ttl), value));
    }
}

/// The time a while after another.
pub(super) fn after(now: Timestamp, by: SignedDuration) -> Timestamp {
    now.saturating_add(by).unwrap_or(Timestamp::MAX)
}
