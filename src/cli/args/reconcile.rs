//! What `diff` and `reconcile` take.

use std::time::Duration;

use clap::{Args, ValueEnum};
use mctg::plan::{Cap, ViaChoice};

use super::values::{duration, max_deregister};
use super::{Names, PruneArgs};

#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) names: Names,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
}

#[derive(Args, Debug)]
pub(crate) struct ReconcileArgs {
    #[command(flatten)]
    pub(crate) names: Names,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    /// Print the plan and change nothing; `--dry-run` alone means client
    #[arg(long, value_enum, default_value_t, value_name = "MODE", num_args = 0..=1,
          require_equals = true, default_missing_value = "client")]
    pub(crate) dry_run: DryRun,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Wait until controllers have done their part and what was registered passed its first checks
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) wait: bool,
    /// How long to wait [default: 5m, through a controller 12m]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Write events on the bindings for what changed or was withheld [default: in a pod only]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true")]
    pub(crate) events: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    /// Change things
    #[default]
    None,
    /// Print the plan
    Client,
}

/// What bends a plan.
#[derive(Args, Clone, Debug)]
pub(crate) struct PlanArgs {
    /// Who makes the changes
    #[arg(long, value_enum, default_value_t, value_name = "WAY")]
    pub(crate) via: ViaArg,
    /// Deregister nothing for a binding where more than this would go
    #[arg(long, value_name = "N|N%", value_parser = max_deregister, allow_negative_numbers = true)]
    pub(crate) max_deregister: Option<Cap>,
    /// Deregister the last healthy target of a group too
    #[arg(long)]
    pub(crate) allow_empty: bool,
    /// With --via direct: act although a controller is at work, or may be
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) prune: PruneArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViaArg {
    /// Directly where no controller is; beside one, what it would do itself, and the rest by nudging it
    #[default]
    Auto,
    /// By nudging the controller: it is made to look again
    Controller,
    /// Directly
    Direct,
}

impl From<ViaArg> for ViaChoice {
    fn from(arg: ViaArg) -> Self {
        match arg {
            ViaArg::Auto => Self::Auto,
            ViaArg::Controller => Self::Controller,
            ViaArg::Direct => Self::Direct,
        }
    }
}
