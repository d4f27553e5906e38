//! ELBv2's refusals, with the codes and texts of `facts/elbv2.md` 1.2.
//!
//! Texts that no log or page shows are marked as unseen: show them, never match on them.

use serde::{Deserialize, Serialize};

/// A refusal as it goes over the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ApiError {
    /// AWS's code, such as `TargetGroupNotFound`.
    pub code: String,
    /// AWS's sentence.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
}

impl ApiError {
    /// Makes a refusal.
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status }
    }

    /// `Throttling`, as logs show it (1.2).
    pub fn throttling() -> Self {
        Self::new(400, "Throttling", "Rate exceeded")
    }

    /// A fault of AWS itself.
    pub fn internal_failure() -> Self {
        Self::new(500, "InternalFailure", "The request processing has failed")
    }

    /// Unreadable health (1.1).
    pub fn health_unavailable() -> Self {
        Self::new(
            500,
            "HealthUnavailable",
            "The health of the specified targets could not be retrieved",
        )
    }

    /// An action that the caller's role may not do (1.2).
    pub fn access_denied(role: &str, action: &str) -> Self {
        let message = format!(
            "User: {role} is not authorized to perform: elasticloadbalancing:{action} because no identity-based policy allows it"
        );
        Self::new(403, "AccessDenied", message)
    }

    /// Credentials that are over.
    pub fn expired_token() -> Self {
        Self::new(403, "ExpiredToken", "The security token included in the request is expired")
    }

    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }

    /// A member out of its range. The form is AWS's general one; unseen for ELBv2.
    pub(super) fn constraint(value: &str, member: &str, constraint: &str) -> Self {
        Self::validation(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {constraint}"
        ))
    }

    pub(super) fn malformed_arn(arn: &str, kind: &str) -> Self {
        Self::validation(format!("'{arn}' is not a valid {kind} ARN"))
    }

    pub(super) fn too_many_to_describe(limit: usize, kind: &str) -> Self {
        Self::validation(format!("You cannot describe more than '{limit}' {kind} at a time"))
    }

    pub(super) fn not_found(kind: Kind) -> Self {
        let (code, words) = match kind {
            Kind::TargetGroup => ("TargetGroupNotFound", "target groups"),
            Kind::LoadBalancer => ("LoadBalancerNotFound", "load balancers"),
            Kind::Listener => ("ListenerNotFound", "listeners"),
            Kind::Rule => ("RuleNotFound", "rules"),
        };
        Self::new(400, code, format!("One or more {words} not found"))
    }

    pub(super) fn invalid_target(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidTarget", message)
    }

    pub(super) fn too_many_targets(what: &str, max: u32, on: &str) -> Self {
        let message =
            format!("The maximum number of targets per {what} '{max}' has been reached on {on}");
        Self::new(400, "TooManyTargets", message)
    }
}

/// The kinds of resource that can be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    TargetGroup,
    LoadBalancer,
    Listener,
    Rule,
}

impl Kind {
    /// The kind as ARN errors spell it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::TargetGroup => "target group",
            Self::LoadBalancer => "load balancer",
            Self::Listener => "listener",
            Self::Rule => "listener rule",
        }
    }

    /// How the resource part of its ARN begins.
    pub(super) fn prefix(self) -> &'static str {
        match self {
            Self::TargetGroup => "targetgroup/",
            Self::LoadBalancer => "loadbalancer/",
            Self::Listener => "listener/",
            Self::Rule => "listener-rule/",
        }
    }
}
