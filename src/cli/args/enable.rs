//! The flags of `enable` and `disable`.

use std::path::PathBuf;

use clap::Args;

use super::ChangeArgs;

#[derive(Args, Debug)]
pub(crate) struct EnableArgs {
    #[command(flatten)]
    pub(crate) switch: SwitchArgs,
    /// Protect the load balancer from deletion too, where the controller heeds it
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) deletion_protection: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DisableArgs {
    #[command(flatten)]
    pub(crate) switch: SwitchArgs,
    /// With =false: take the protection from deletion away too [default: leave it as it is]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub(crate) deletion_protection: Option<bool>,
}

/// What is switched, and how.
#[derive(Args, Debug)]
pub(crate) struct SwitchArgs {
    /// TYPE/NAME as in svc/web, ing/web, httproute/web or tgb/web, TYPE NAME..., TYPE alone for all of
    /// it, or the NAME alone
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    /// Write what Argo CD, Flux, Helm or Terraform deploys too
    #[arg(long)]
    pub(crate) force_conflicts: bool,
    /// Edit a manifest and print it; no cluster is asked
    #[arg(long, requires = "filename")]
    pub(crate) local: bool,
    /// With --local: the manifest, YAML or JSON; - reads stdin
    #[arg(short, long, value_name = "FILE", requires = "local")]
    pub(crate) filename: Option<PathBuf>,
}
