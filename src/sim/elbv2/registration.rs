//! RegisterTargets and DeregisterTargets: identity, idempotency, draining (`facts/elbv2.md` 1.3).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::errors::{ApiError, Kind};
use super::{Group, Model, TargetState};
use crate::target::Target;

/// A target as a call names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TargetRequest {
    /// An address or instance id.
    pub id: String,
    /// A port; none means the group's.
    pub port: Option<i64>,
    /// A zone, or `all`.
    pub zone: Option<String>,
    /// A QUIC server id.
    pub quic_server_id: Option<String>,
}

impl TargetRequest {
    /// Names a target by address and port.
    pub fn new(id: &str, port: u16) -> Self {
        Self { id: id.to_owned(), port: Some(port.into()), ..Self::default() }
    }

    /// Names a zone too.
    #[must_use]
    pub fn zone(mut self, zone: &str) -> Self {
        self.zone = Some(zone.to_owned());
        self
    }

    /// Names a QUIC server id too.
    #[must_use]
    pub fn quic(mut self, server_id: &str) -> Self {
        self.quic_server_id = Some(server_id.to_owned());
        self
    }
}

impl Model {
    /// RegisterTargets. One bad target refuses them all; whether AWS does so too is not known
    /// (`facts/elbv2.md` 9.3).
    ///
    /// # Errors
    ///
    /// `TargetGroupNotFound`, `ValidationError`, `InvalidTarget`, `TooManyTargets`.
    pub fn register_targets(
        &mut self,
        arn: &str,
        requests: &[TargetRequest],
    ) -> Result<(), ApiError> {
        self.check_arn(arn, Kind::TargetGroup)?;
        if requests.is_empty() {
            return Err(no_targets());
        }
        let group = self.group(arn)?;
        let mut accepted = BTreeMap::new();
        for request in requests {
            let target = identify(group, request)?;
            check_quic(group, &target)?;
            let zone = self.place(group, request)?;
            accepted.insert(target, zone);
        }
        self.check_quotas(group, &accepted)?;
        let group = self.group_mut(arn)?;
        for (target, zone) in accepted {
            let known = group.targets.get(&target);
            // Registering once more what is registered has no effect (1.3).
            if known.is_none_or(|known| known.deregistered_at.is_some()) {
                // A draining target starts anew (1.3; kubernetes-sigs/aws-load-balancer-controller#288).
                let state = TargetState { zone, checked_since: None, deregistered_at: None };
                group.targets.insert(target, state);
            }
        }
        self.settle_group(arn);
        Ok(())
    }

    /// DeregisterTargets: a target that does not exist is no error (1.3). A port that does not match
    /// names another target; a zone that differs from the recorded one likewise, as it does in
    /// DescribeTargetHealth (for this call it is not known: `facts/elbv2.md` 9.2).
    ///
    /// # Errors
    ///
    /// `TargetGroupNotFound`, `ValidationError`.
    pub fn deregister_targets(
        &mut self,
        arn: &str,
        requests: &[TargetRequest],
    ) -> Result<(), ApiError> {
        self.check_arn(arn, Kind::TargetGroup)?;
        if requests.is_empty() {
            return Err(no_targets());
        }
        let group = self.group(arn)?;
        let mut named = Vec::new();
        for request in requests {
            identify(group, request)?;
            named.extend(group.targets.keys().filter(|t| group.is_named(request, t)).cloned());
        }
        let now = self.now;
        let group = self.group_mut(arn)?;
        for target in named {
            if let Some(state) = group.targets.get_mut(&target) {
                state.deregistered_at.get_or_insert(now);
            }
        }
        self.settle_group(arn);
        Ok(())
    }

    /// Lets draining targets go once the group's deregistration delay is over (2.2).
    pub(super) fn forget_drained(&mut self) {
        let now = self.now;
        for group in self.groups.values_mut() {
            group.forget_drained(now);
        }
    }
}

impl Group {
    pub(super) fn forget_drained(&mut self, now: Timestamp) {
        let delay = self.deregistration_delay();
        self.targets.retain(|_, state| {
            state.deregistered_at.is_none_or(|since| now.duration_since(since) < delay)
        });
    }

    /// Says whether a request names a target: by id, port and server id where it gives one; a zone
    /// takes part where it is given (1.3).
    pub(super) fn is_named(&self, request: &TargetRequest, target: &Target) -> bool {
        let port = request.port.unwrap_or_else(|| self.port.into());
        let zone = self.targets.get(target).and_then(|state| state.zone.as_ref());
        request.id == target.id
            && port == i64::from(target.port)
            && (request.quic_server_id.is_none() || request.quic_server_id == target.quic_server_id)
            && (request.zone.is_none() || request.zone.as_ref() == zone)
    }

    /// The deregistration delay; always 300 s for QUIC (2.2).
    fn deregistration_delay(&self) -> SignedDuration {
        let attribute = self.attributes.get("deregistration_delay.timeout_seconds");
        let seconds = match attribute.and_then(|text| text.parse().ok()) {
            Some(seconds) if !self.is_quic() => seconds,
            _ => 300,
        };
        SignedDuration::from_secs(seconds)
    }

    pub(super) fn is_quic(&self) -> bool {
        matches!(self.protocol.as_str(), "QUIC" | "TCP_QUIC")
    }
}

fn no_targets() -> ApiError {
    // Unseen text.
    ApiError::validation("Targets cannot be empty")
}

/// Finds the identity of a target: id, port (1 to 65535, the group's by default), server id (1.3).
fn identify(group: &Group, request: &TargetRequest) -> Result<Target, ApiError> {
    let port = request.port.unwrap_or_else(|| group.port.into());
    let bound = if port < 1 { "greater than or equal to 1" } else { "less than or equal to 65535" };
    let port = u16::try_from(port).ok().filter(|port| *port > 0).ok_or_else(|| {
        let constraint = format!("Member must have value {bound}");
        ApiError::constraint(&port.to_string(), "targets.1.member.port", &constraint)
    })?;
    if request.id.is_empty() {
        return Err(ApiError::validation("A target must have an ID"));
    }
    Ok(Target { id: request.id.clone(), port, quic_server_id: request.quic_server_id.clone() })
}

/// A server id is needed for QUIC, refused elsewhere, and stays while its target does (1.3). The
/// texts are unseen.
fn check_quic(group: &Group, target: &Target) -> Result<(), ApiError> {
    let name = format!("{}:{}", target.id, target.port);
    let Some(server_id) = &target.quic_server_id else {
        return if group.is_quic() {
            Err(ApiError::validation(format!("The target '{name}' must have a QUIC server ID")))
        } else {
            Ok(())
        };
    };
    let hex = server_id.strip_prefix("0x").unwrap_or_default();
    let is_lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if !group.is_quic() {
        return Err(ApiError::validation(format!(
            "The target '{name}' cannot have a QUIC server ID in a {} target group",
            group.protocol
        )));
    }
    if hex.len() != 16 || !hex.bytes().all(is_lower_hex) {
        return Err(ApiError::validation(format!("The QUIC server ID '{server_id}' is not valid")));
    }
    let registered = group.targets.iter().filter(|(_, state)| state.deregistered_at.is_none());
    for (other, _) in registered.filter(|(other, _)| *other != target) {
        let same_address = (&other.id, other.port) == (&target.id, target.port);
        if same_address || other.quic_server_id == target.quic_server_id {
            return Err(ApiError::invalid_target(format!(
                "The QUIC server ID '{server_id}' cannot be registered for '{name}' while '{other}' is registered"
            )));
        }
    }
    Ok(())
}
