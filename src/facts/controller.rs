//! What works in a cluster: controllers, their webhook, this program's own CronJobs.

use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::binding::{Flavour, TargetType};

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

/// A way in which a controller finds other endpoints than LBC 3.5 by default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// The bindings it concerns; `None` concerns all.
    pub target_type: Option<TargetType>,
    /// What is different, and why.
    pub how: String,
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
