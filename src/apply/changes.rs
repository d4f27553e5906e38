//! One write of a verb that changes objects.

use super::targets;
use crate::change::Change;
use crate::cluster::{Cluster, WriteError};
use crate::elbv2::LoadBalancers;
use crate::report::{ChangeStep, StepResult};

/// What came of one write.
pub(crate) struct Changed {
    /// What is told of it.
    pub(crate) step: ChangeStep,
    /// Whether somebody else wrote in between, so that it must be planned again.
    pub(crate) conflict: bool,
}

/// Makes one change; rehearsed, it is only checked by the API server, and what has no rehearsal is
/// left out.
pub(crate) async fn change<C: Cluster, L: LoadBalancers>(
    cluster: &C,
    load_balancers: &L,
    change: &Change,
    rehearse: bool,
) -> Changed {
    let result = match change {
        Change::ApplyBinding { manifest, takes_over } => {
            cluster.apply_binding(manifest, *takes_over, rehearse).await
        }
        Change::PatchOwner(patch) => cluster.patch_object(patch, rehearse).await.map(|_| ()),
        Change::CreateOwner { key, manifest } => {
            cluster.create_object(key, manifest, rehearse).await
        }
        Change::DeleteBinding { namespace, name, uid } => {
            cluster.delete_binding(namespace, name, uid, rehearse).await
        }
        Change::WriteNote { namespace, name, note } => {
            cluster.write_note(namespace, name, note, rehearse).await
        }
        _ if rehearse => return Changed { step: ChangeStep::skipped(change), conflict: false },
        Change::DeleteNote { namespace, name, version }
        | Change::DeleteLedger { namespace, name, version } => {
            cluster.delete_ledger(namespace, name, version).await
        }
        Change::RemoveFinalizer { namespace, name, uid } => {
            cluster.remove_finalizer(namespace, name, uid).await
        }
        Change::Deregister { access, arn, targets } => {
            let calls = targets::deregister(load_balancers, access, arn, targets).await;
            match calls.failures.into_iter().next() {
                Some(failure) => Err(WriteError::Failed(failure.error)),
                None => Ok(()),
            }
        }
    };
    let conflict = matches!(result, Err(WriteError::Conflict));
    let step = ChangeStep {
        result: if result.is_ok() { StepResult::Done } else { StepResult::Failed },
        error: result.err().map(|error| crate::error::escape(&error.to_string())),
        ..ChangeStep::skipped(change)
    };
    Changed { step, conflict }
}
