//! What `unbind` takes.

use std::path::PathBuf;

use clap::Args;

use super::ChangeArgs;

#[derive(Args, Clone, Debug)]
pub(crate) struct UnbindArgs {
    /// TYPE/NAME as in svc/web or tgb/web, TYPE NAME..., or the NAME alone of a binding, Service or
    /// target group; with --lost the targets to take out, as ADDRESS:PORT
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    /// Every binding of the namespace
    #[arg(long, conflicts_with = "names")]
    pub(crate) all: bool,
    /// Write the bindings to FILE first, for `kubectl apply -f` to bring them back; - is stdout
    #[arg(long, value_name = "FILE")]
    pub(crate) save: Option<PathBuf>,
    /// Take the last healthy targets of a group out too
    #[arg(long)]
    pub(crate) allow_empty: bool,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) lost: LostArgs,
}

/// A cluster that is gone for good.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "A cluster that is gone for good")]
pub(crate) struct LostArgs {
    /// Context whose cluster is gone for good: take out what only it claimed; refused where it
    /// answers
    #[arg(long, value_name = "CONTEXT", conflicts_with_all = ["all", "save", "selector"])]
    pub(crate) lost: Option<String>,
    /// With --lost: the target groups that it was in, repeatable [default: those of --known-from]
    #[arg(long, value_name = "ARN", value_delimiter = ',', requires = "lost")]
    pub(crate) target_group_arn: Vec<String>,
    /// With --lost: what `kubectl mctg status -o json` printed while it was there; - is stdin
    #[arg(long, value_name = "STATUS.json", requires = "lost", conflicts_with = "names")]
    pub(crate) known_from: Option<PathBuf>,
}
