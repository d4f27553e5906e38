//! What is told: the documents that text, JSON, YAML and the exit code come from.
//!
//! Field names and meanings are `product.md` section 8. Absent knowledge is `null`, never 0.

mod changes;
mod check;
mod reconcile;
mod status;
mod unclaimed;

use serde::Serialize;

pub use self::changes::*;
pub use self::check::*;
pub use self::reconcile::*;
pub use self::status::*;
pub use self::unclaimed::*;
use crate::binding::Flavour;
use crate::facts::SilenceReason;

/// The version of every document.
pub const API_VERSION: &str = "mctg/v1";

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What became of a context.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContextReport {
    /// The context's full name.
    pub context: String,
    /// The kubeconfig's cluster entry.
    pub cluster: Option<String>,
    /// Whether its bindings were read.
    pub reachable: bool,
    /// Why not, or what was hidden.
    pub reason: Option<SilenceReason>,
    /// The same in words.
    pub message: Option<String>,
    /// What could not be read and was done without, and what that costs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The context that was read in its place, where both reach the same cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
    /// Whether it was declared gone for good, and did not answer: nothing waits for it; left out
    /// where not.
    #[serde(skip_serializing_if = "is_false")]
    pub lost: bool,
    /// How many bindings it holds; `null` where they were not read.
    pub bindings: Option<usize>,
    /// The controllers found; `null` where that is not known.
    pub controllers: Option<Vec<ControllerReport>>,
}

/// A controller of a cluster.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ControllerReport {
    /// Which controller.
    pub kind: Flavour,
    /// Its version; `null` where nothing tells.
    pub version: Option<String>,
    /// Whether it is at work; `null` where that is not certain.
    pub alive: Option<bool>,
    /// What shows that.
    pub evidence: String,
}
