//! What would make a binding's targets and ledger as they should be.

use serde::Serialize;

/// Who makes the changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Via {
    /// This program.
    Direct,
    /// The cluster's controller.
    Controller,
}

/// Something that can be done to a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// Write the ledger.
    WriteLedger,
    /// Delete the ledger of a binding that has no Service any more.
    DeleteLedger,
    /// Register targets.
    Register,
    /// Deregister targets.
    Deregister,
    /// Take the finalizer off a binding that is being deleted.
    RemoveFinalizer,
}

/// Why something is withheld (`product.md` 6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum BlockedReason {
    /// Another observed binding desires the target and does not track it.
    Contested,
    /// A context is silent, and nothing here holds the address any more.
    Silent,
    /// The target is healthy, nothing here holds its address, and other clusters are not observed.
    AnswersElsewhere,
    /// It is the group's last healthy target.
    LastHealthy,
    /// More than `--max-deregister` would go.
    Cap,
    /// Nobody said yes.
    NeedsYes,
    /// The endpoints, the ledger or the group could not be read.
    Unknown,
    /// The difference is too young to count.
    Pending,
    /// The world changed between the two readings.
    Changed,
}
