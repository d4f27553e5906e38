//! Targets that no cluster claims.

use clap::Args;

/// What is to become of targets that no cluster claims.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Targets that no cluster claims")]
pub(crate) struct PruneArgs {
    /// Deregister them too, where they are unhealthy or their instance is stopped or gone; every
    /// context of the kubeconfig must be read
    #[arg(long)]
    pub(crate) prune_unclaimed: bool,
    /// With --prune-unclaimed: all that are past their first health checks
    #[arg(long, requires = "prune_unclaimed")]
    pub(crate) include_healthy: bool,
    /// With --prune-unclaimed: context whose cluster is gone for good and claims nothing any more,
    /// repeatable; refused where it answers
    #[arg(long, value_name = "CONTEXT", value_delimiter = ',', requires = "prune_unclaimed")]
    pub(crate) lost: Vec<String>,
}
