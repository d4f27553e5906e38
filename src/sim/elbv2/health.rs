//! DescribeTargetHealth: states and reasons (`facts/elbv2.md` 2.1), derived from what is known of a
//! target whenever it is asked for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::errors::{ApiError, Kind};
use super::{Group, InstanceState, LoadBalancer, Model, TargetRequest, TargetState};
use crate::target::{Health, HealthState, Target, TargetDescription};

/// How a target answers its checks: tests set it per address or per `address:port`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Condition {
    /// It passes.
    Passing,
    /// It fails: `unhealthy`.
    Failing,
    /// It does not answer in time: `unhealthy`.
    TimingOut,
    /// It fails and keeps its old connections for a grace period: `unhealthy.draining`.
    FailingGracefully,
    /// Its address belongs to a load balancer: `unused/Target.IpUnusable`.
    Unusable,
    /// ELB itself is at fault: `unavailable/Elb.InternalError`.
    Unavailable,
}

/// Which targets to describe: none means all that are listed.
pub type TargetQuery = TargetRequest;

/// A target as DescribeTargetHealth answers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The target, its zone and health.
    pub description: TargetDescription,
    /// The port that is checked.
    pub health_check_port: String,
    /// `no_override` or `zonal_shift_active` (2.3).
    pub administrative_override: &'static str,
}

impl Model {
    /// DescribeTargetHealth: never paginated; draining targets are listed, drained ones are not.
    ///
    /// # Errors
    ///
    /// `TargetGroupNotFound`, `ValidationError`.
    pub fn describe_target_health(
        &self,
        arn: &str,
        queries: &[TargetQuery],
    ) -> Result<Vec<Described>, ApiError> {
        self.check_arn(arn, Kind::TargetGroup)?;
        let group = self.group(arn)?;
        let load_balancers: Vec<&LoadBalancer> = self.load_balancers_of(arn).collect();
        let describe = |(target, state): (&Target, &TargetState)| {
            self.describe(group, &load_balancers, target, state)
        };
        if queries.is_empty() {
            return Ok(group.targets.iter().map(describe).collect());
        }
        let described = queries.iter().map(|query| {
            let mut found =
                group.targets.iter().filter(|(target, _)| group.is_named(query, target));
            match found.next() {
                Some(found) => describe(found),
                None => not_registered(group, query),
            }
        });
        Ok(described.collect())
    }

    fn describe(
        &self,
        group: &Group,
        load_balancers: &[&LoadBalancer],
        target: &Target,
        state: &TargetState,
    ) -> Described {
        let shifted = |load_balancer: &&LoadBalancer| {
            state.zone.as_ref().is_some_and(|zone| load_balancer.shifted_zones.contains(zone))
        };
        let is_shifted = load_balancers.iter().any(shifted);
        Described {
            description: TargetDescription {
                target: target.clone(),
                availability_zone: state.zone.clone(),
                health: self.health(group, load_balancers, target, state),
            },
            health_check_port: health_check_port(group, target.port),
            administrative_override: if is_shifted { "zonal_shift_active" } else { "no_override" },
        }
    }

    fn health(
        &self,
        group: &Group,
        load_balancers: &[&LoadBalancer],
        target: &Target,
        state: &TargetState,
    ) -> Health {
        let condition = self.condition(target);
        if state.deregistered_at.is_some() {
            return health(
                HealthState::Draining,
                "Target.DeregistrationInProgress",
                "Target deregistration is in progress",
            );
        }
        if condition == Condition::Unusable {
            return health(
                HealthState::Unused,
                "Target.IpUnusable",
                "The target IP address is in use by a load balancer",
            );
        }
        let stopped = self
            .instances
            .get(&target.id)
            .is_some_and(|instance| instance.state != InstanceState::Running);
        if group.target_type == "instance" && stopped {
            return health(
                HealthState::Unused,
                "Target.InvalidState",
                "Target is in the stopped state",
            );
        }
        match (use_of(load_balancers, state), state.checked_since) {
            (Use::Unattached, _) => health(
                HealthState::Unused,
                "Target.NotInUse",
                "Target group is not configured to receive traffic from the load balancer",
            ),
            (Use::ZoneNotEnabled, _) => health(
                HealthState::Unused,
                "Target.NotInUse",
                "Target is in an Availability Zone that is not enabled for the load balancer",
            ),
            (Use::Checked, since) => self.checked(condition, since.unwrap_or(self.now)),
        }
    }

    fn checked(&self, condition: Condition, since: Timestamp) -> Health {
        let age = self.now.duration_since(since);
        let seconds =
            |duration: Duration| SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX);
        let registering = seconds(self.settings.registering);
        if age < registering {
            return health(
                HealthState::Initial,
                "Elb.RegistrationInProgress",
                "Target registration is in progress",
            );
        }
        if age < registering.saturating_add(seconds(self.settings.first_checks)) {
            return health(
                HealthState::Initial,
                "Elb.InitialHealthChecking",
                "Initial health checks in progress",
            );
        }
        match condition {
            Condition::Passing | Condition::Unusable => Health::plain(HealthState::Healthy),
            Condition::Failing => {
                health(HealthState::Unhealthy, "Target.FailedHealthChecks", "Health checks failed")
            }
            Condition::TimingOut => {
                health(HealthState::Unhealthy, "Target.Timeout", "Request timed out")
            }
            Condition::FailingGracefully => health(
                HealthState::UnhealthyDraining,
                "Target.FailedHealthChecks",
                "Health checks failed",
            ),
            Condition::Unavailable => health(
                HealthState::Unavailable,
                "Elb.InternalError",
                "Health checks are not available due to an internal error",
            ),
        }
    }

    fn condition(&self, target: &Target) -> Condition {
        let of_port = self.conditions.get(&format!("{}:{}", target.id, target.port));
        of_port.or_else(|| self.conditions.get(&target.id)).copied().unwrap_or(Condition::Passing)
    }

    /// Starts and stops the checks of every group, as listeners and zones come and go.
    pub(super) fn start_checks(&mut self) {
        let arns: Vec<String> = self.groups.keys().cloned().collect();
        for arn in arns {
            self.start_checks_of(&arn);
        }
    }

    /// Starts and stops the checks of a group's targets.
    pub(super) fn start_checks_of(&mut self, arn: &str) {
        let load_balancers: Vec<LoadBalancer> = self.load_balancers_of(arn).cloned().collect();
        let load_balancers: Vec<&LoadBalancer> = load_balancers.iter().collect();
        let now = self.now;
        let Some(group) = self.groups.get_mut(arn) else { return };
        for state in group.targets.values_mut() {
            if use_of(&load_balancers, state) != Use::Checked {
                state.checked_since = None;
            } else if state.checked_since.is_none() {
                state.checked_since = Some(now);
            }
        }
    }
}

/// A health check needs a listener or rule and an enabled zone (2.1).
fn use_of(load_balancers: &[&LoadBalancer], state: &TargetState) -> Use {
    let enabled = |load_balancer: &&LoadBalancer| match state.zone.as_deref() {
        None | Some("all") => true,
        Some(zone) => load_balancer.zones.contains_key(zone),
    };
    match load_balancers {
        [] => Use::Unattached,
        some if some.iter().any(enabled) => Use::Checked,
        _ => Use::ZoneNotEnabled,
    }
}

/// Whether anything checks a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Checked,
    Unattached,
    ZoneNotEnabled,
}

fn health(state: HealthState, reason: &str, description: &str) -> Health {
    Health { state, reason: Some(reason.to_owned()), description: Some(description.to_owned()) }
}

/// `traffic-port` is answered as the number it stands for.
fn health_check_port(group: &Group, port: u16) -> String {
    match group.health_check_port.as_str() {
        "traffic-port" => port.to_string(),
        number => number.to_owned(),
    }
}

/// Asked for by name and not in the group: `unused/Target.NotRegistered`.
fn not_registered(group: &Group, query: &TargetQuery) -> Described {
    let port = query.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(group.port);
    Described {
        description: TargetDescription {
            target: Target {
                id: query.id.clone(),
                port,
                quic_server_id: query.quic_server_id.clone(),
            },
            availability_zone: query.zone.clone(),
            health: health(
                HealthState::Unused,
                "Target.NotRegistered",
                "Target is not registered to the target group",
            ),
        },
        health_check_port: health_check_port(group, port),
        administrative_override: "no_override",
    }
}
