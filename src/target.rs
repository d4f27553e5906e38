//! What ELBv2 lists: targets, their health, and the target group they belong to.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One target of a group: an address or instance, and a port.
///
/// Identity is what the controller compares (LBC 3.5, `targets_manager_types.go`): `id:port`, and
/// for QUIC groups the server id as well. The zone is no part of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// A pod's IP address (IPv6 without brackets), or an instance id.
    pub id: String,
    /// The port that serves.
    pub port: u16,
    /// `0x` and lower-case hex, in QUIC and TCP_QUIC groups only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quic_server_id: Option<String>,
}

impl Target {
    /// Makes a target without a QUIC server id.
    pub fn new(id: impl Into<String>, port: u16) -> Self {
        Self { id: id.into(), port, quic_server_id: None }
    }
}

/// Writes the identifier that ledgers and checkpoints use: `id:port[:0xhex]`.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.id, self.port)?;
        match &self.quic_server_id {
            Some(server_id) => write!(f, ":{server_id}"),
            None => Ok(()),
        }
    }
}

/// A target as ELBv2 describes it.
///
/// `availability_zone` is kept as it was answered: a deregistration sends the exact description
/// back (ELBv2 API, DeregisterTargets; `facts/elbv2.md` 1.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetDescription {
    /// Which target.
    #[serde(flatten)]
    pub target: Target,
    /// The zone ELBv2 recorded, or `all` for an address outside the VPC.
    pub availability_zone: Option<String>,
    /// Its health at the time of the answer.
    pub health: Health,
}

impl TargetDescription {
    /// Says whether the target counts as registered: listed, and not `draining`.
    ///
    /// `unhealthy.draining` is registered: it keeps connections and has not been deregistered.
    pub fn is_registered(&self) -> bool {
        self.health.state != HealthState::Draining
    }
}

/// The health ELBv2 reports for a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// The state.
    pub state: HealthState,
    /// AWS's reason code, such as `Target.FailedHealthChecks`; none while healthy.
    pub reason: Option<String>,
    /// AWS's sentence about it: to show, never to parse.
    pub description: Option<String>,
}

impl Health {
    /// Makes a health that AWS gives no reason for.
    pub fn plain(state: HealthState) -> Self {
        Self { state, reason: None, description: None }
    }
}

/// A health state, spelled as AWS spells it (ELBv2 API, TargetHealth).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum HealthState {
    /// Being registered, or in its first checks.
    Initial,
    /// Serving.
    Healthy,
    /// Failing its checks.
    Unhealthy,
    /// Failing its checks, and keeping old connections for a grace period (NLB).
    UnhealthyDraining,
    /// Registered and never checked: see the reason.
    Unused,
    /// Deregistered; leaves when its connections are done.
    Draining,
    /// Health checks are off, or ELB has a fault.
    Unavailable,
    /// A state that AWS invented after this was written.
    Other(String),
}

impl HealthState {
    /// The state as AWS spells it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Initial => "initial",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::UnhealthyDraining => "unhealthy.draining",
            Self::Unused => "unused",
            Self::Draining => "draining",
            Self::Unavailable => "unavailable",
            Self::Other(state) => state,
        }
    }
}

impl From<String> for HealthState {
    fn from(state: String) -> Self {
        match state.as_str() {
            "initial" => Self::Initial,
            "healthy" => Self::Healthy,
            "unhealthy" => Self::Unhealthy,
            "unhealthy.draining" => Self::UnhealthyDraining,
            "unused" => Self::Unused,
            "draining" => Self::Draining,
            "unavailable" => Self::Unavailable,
            _ => Self::Other(state),
        }
    }
}

impl From<HealthState> for String {
    fn from(state: HealthState) -> Self {
        state.as_str().to_owned()
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The ARN of a target group, known to be well formed.
///
/// The region comes from here and never from the environment: ELBv2 answers an ARN of another
/// region with a `ValidationError` (`facts/elbv2.md` 1.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TargetGroupArn(String);

/// The text is no target group ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a target group ARN")]
pub struct InvalidArn(pub String);

impl TargetGroupArn {
    /// The whole ARN.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition, such as `aws` or `aws-cn`.
    pub fn partition(&self) -> &str {
        self.field(1)
    }

    /// The region, such as `us-east-1`.
    pub fn region(&self) -> &str {
        self.field(3)
    }

    /// The account id.
    pub fn account(&self) -> &str {
        self.field(4)
    }

    /// The target group's name.
    pub fn name(&self) -> &str {
        self.0.split('/').nth(1).unwrap_or_default()
    }

    fn field(&self, index: usize) -> &str {
        self.0.split(':').nth(index).unwrap_or_default()
    }
}

impl FromStr for TargetGroupArn {
    type Err = InvalidArn;

    fn from_str(text: &str) -> Result<Self, InvalidArn> {
        let fields: Vec<&str> = text.split(':').collect();
        let resource: Vec<&str> = text.split('/').collect();
        let well_formed = matches!(fields[..], ["arn", partition, "elasticloadbalancing", region, _, _]
            if !partition.is_empty() && !region.is_empty())
            && fields[5].starts_with("targetgroup/")
            && matches!(resource[..], [_, name, id] if !name.is_empty() && !id.is_empty())
            && !text.contains(|c: char| c.is_whitespace() || c.is_control());
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidArn(text.to_owned())) }
    }
}

impl TryFrom<String> for TargetGroupArn {
    type Error = InvalidArn;

    fn try_from(text: String) -> Result<Self, InvalidArn> {
        text.parse()
    }
}

impl From<TargetGroupArn> for String {
    fn from(arn: TargetGroupArn) -> Self {
        arn.0
    }
}

impl AsRef<str> for TargetGroupArn {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for TargetGroupArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_written_as_the_controller_writes_it() {
        let mut target = Target::new("2001:db8::1", 80);
        assert_eq!(target.to_string(), "2001:db8::1:80");
        target.quic_server_id = Some("0x00000000000000ab".to_owned());
        assert_eq!(target.to_string(), "2001:db8::1:80:0x00000000000000ab");
    }

    #[test]
    fn an_unhealthy_draining_target_is_still_registered() {
        let listed = |state| TargetDescription {
            target: Target::new("10.0.0.1", 80),
            availability_zone: None,
            health: Health::plain(state),
        };
        assert!(listed(HealthState::UnhealthyDraining).is_registered());
        assert!(!listed(HealthState::Draining).is_registered());
    }

    #[test]
    fn an_arn_tells_its_partition_region_account_and_name() {
        let text = "arn:aws-cn:elasticloadbalancing:cn-north-1:111122223333:targetgroup/k8s-web/0123456789abcdef";
        let arn: TargetGroupArn = text.parse().unwrap();
        assert_eq!(
            (arn.partition(), arn.region(), arn.account(), arn.name()),
            ("aws-cn", "cn-north-1", "111122223333", "k8s-web")
        );
    }

    #[test]
    fn what_is_no_target_group_arn_is_refused() {
        for text in [
            "",
            "k8s-web",
            "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/a/b",
            "arn:aws:elasticloadbalancing::1:targetgroup/a/b",
            "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a",
            "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b\n",
        ] {
            assert_eq!(text.parse::<TargetGroupArn>(), Err(InvalidArn(text.to_owned())));
        }
    }
}
