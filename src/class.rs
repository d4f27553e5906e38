//! Which class each target of a group falls in.

use serde::Serialize;

/// The class of a target over the observed clusters; the first that fits wins (`product.md` 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// One address, two owners.
    Contested,
    /// Desired, and the group cannot take it.
    Unregistrable,
    /// Desired and not registered: traffic that should come does not.
    Missing,
    /// On its way out.
    Draining,
    /// Desired, tracked and registered.
    InSync,
    /// Desired and registered, in no ledger: leaks when the pod dies.
    Untracked,
    /// Tracked and registered, no longer an endpoint.
    Stale,
    /// Tracked, neither desired nor registered.
    Phantom,
    /// Registered, claimed by no cluster, and every cluster was read.
    Unclaimed,
    /// Registered, claimed by no cluster that was read.
    Unknown,
}
