//! Cleanup: of a binding that is being deleted, or whose Service or port is missing
//! (`facts/lbc.md` 4, Cleanup).

use super::api::{Api, Failure};
use super::pass::Pass;

impl<A: Api> Pass<'_, A> {
    /// Deregisters what is this binding's, drops its ledger, and lets its pods be ready. It does not
    /// wait for what drains.
    pub(super) async fn clean_up(&self) -> Result<(), Failure> {
        match self.take_out().await {
            Err(failure) if !is_swallowed(&failure) => return Err(failure),
            Ok(()) | Err(_) => {}
        }
        self.drop_ledger().await?;
        self.open_gates().await
    }

    /// Everything listed is up for it, draining targets too; without a ledger nothing goes.
    async fn take_out(&self) -> Result<(), Failure> {
        let listed = self.list_targets().await?;
        self.deregister_tracked(listed).await?;
        Ok(())
    }
}

/// A group that is gone or was never one holds no targets to take out.
fn is_swallowed(failure: &Failure) -> bool {
    ["TargetGroupNotFound", "InvalidTarget", "ValidationError"].contains(&failure.code.as_str())
}
