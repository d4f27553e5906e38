//! Registering and deregistering in calls that ELBv2 takes.

use std::collections::{BTreeMap, BTreeSet};

use crate::elbv2::{Access, CallError, LoadBalancers, Registration, TARGETS_PER_CALL_MAX};
use crate::facts::{Silence, SilenceReason};
use crate::share::ALL_ZONES;
use crate::target::{Target, TargetDescription, TargetGroupArn};

/// What came of some calls.
#[derive(Default)]
pub(super) struct Calls {
    pub(super) done: BTreeSet<Target>,
    pub(super) failures: Vec<Failure>,
}

/// Targets that a call was refused for, or may not have taken.
pub(super) struct Failure {
    pub(super) targets: Vec<Target>,
    pub(super) error: Silence,
    pub(super) is_full: bool,
}

/// Registers targets, finding the zone that each must be given.
///
/// An address outside the VPC needs a zone, and ELBv2 refuses the whole call for one: it goes again
/// with zone `all`. Only a call that is refused both ways is halved; where `all` is refused for a
/// single target, its node's zone is given (`facts/elbv2.md` 1.2, 1.4). A call refused for one
/// invalid target is halved too, so that it hides no other.
pub(super) async fn register<L: LoadBalancers>(
    load_balancers: &L,
    access: &Access,
    arn: &TargetGroupArn,
    targets: &[Target],
    node_zones: &BTreeMap<Target, Option<String>>,
) -> Calls {
    let mut calls = Calls::default();
    let chunks = targets.chunks(TARGETS_PER_CALL_MAX);
    let mut batches: Vec<Batch> =
        chunks.rev().map(|chunk| Batch { targets: chunk.to_vec(), zone: Zone::None }).collect();
    while let Some(batch) = batches.pop() {
        let error =
            match load_balancers.register(access, arn, &batch.registrations(node_zones)).await {
                Ok(()) => {
                    calls.done.extend(batch.targets);
                    continue;
                }
                Err(error) => error,
            };
        match batch.after(&error) {
            Some(next) => batches.extend(next),
            None => {
                let is_final = matches!(error, CallError::Failed(_));
                calls.fail(batch.targets, &error);
                if is_final {
                    // What the rest would meet is the same: it is left to the next run.
                    for rest in batches.drain(..) {
                        calls.fail(rest.targets, &error);
                    }
                }
            }
        }
    }
    calls
}

/// Deregisters targets exactly as they were described.
pub(super) async fn deregister<L: LoadBalancers>(
    load_balancers: &L,
    access: &Access,
    arn: &TargetGroupArn,
    targets: &[TargetDescription],
) -> Calls {
    let mut calls = Calls::default();
    for chunk in targets.chunks(TARGETS_PER_CALL_MAX) {
        let each = chunk.iter().map(|listed| listed.target.clone());
        match load_balancers.deregister(access, arn, chunk).await {
            Ok(()) => calls.done.extend(each),
            Err(error) => calls.fail(each.collect(), &error),
        }
    }
    calls
}

impl Calls {
    fn fail(&mut self, targets: Vec<Target>, error: &CallError) {
        let silence = match error {
            CallError::Failed(silence) => silence.clone(),
            refused => Silence::new(SilenceReason::Invalid, refused.to_string()),
        };
        self.failures.push(Failure {
            targets,
            error: silence,
            // A QUIC target of the same address is refused until the old one has gone.
            is_full: matches!(error, CallError::TooManyTargets(_) | CallError::InvalidTarget(_)),
        });
    }
}

/// The zone that a batch is registered with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Zone {
    None,
    All,
    OfNode,
}

struct Batch {
    targets: Vec<Target>,
    zone: Zone,
}

impl Batch {
    fn registrations(&self, node_zones: &BTreeMap<Target, Option<String>>) -> Vec<Registration> {
        let zone = |target: &Target| match self.zone {
            Zone::None => None,
            Zone::All => Some(ALL_ZONES.to_owned()),
            Zone::OfNode => node_zones.get(target).cloned().flatten(),
        };
        self.targets
            .iter()
            .map(|target| Registration { target: target.clone(), availability_zone: zone(target) })
            .collect()
    }

    /// What to try after a refusal; none where nothing is left to try.
    fn after(&self, error: &CallError) -> Option<Vec<Self>> {
        match (error, self.zone) {
            (CallError::ZoneNeeded(_), Zone::None) => {
                Some(vec![Self { targets: self.targets.clone(), zone: Zone::All }])
            }
            (
                CallError::ZoneNeeded(_) | CallError::ZoneRefused(_) | CallError::InvalidTarget(_),
                _,
            ) if self.targets.len() > 1 => Some(self.halves()),
            (CallError::ZoneNeeded(_) | CallError::ZoneRefused(_), Zone::All) => {
                Some(vec![Self { targets: self.targets.clone(), zone: Zone::OfNode }])
            }
            _ => None,
        }
    }

    /// Both halves begin again without a zone; the first half is tried first.
    fn halves(&self) -> Vec<Self> {
        let (first, second) = self.targets.split_at(self.targets.len() / 2);
        [second, first].map(|half| Self { targets: half.to_vec(), zone: Zone::None }).into()
    }
}
