//! The flags of every verb that changes objects.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::duration;

/// Whether and how things are changed.
#[derive(Args, Clone, Debug)]
pub(crate) struct ChangeArgs {
    /// Print the plan and change nothing; `--dry-run` alone means client, and server has the API
    /// server check every write too
    #[arg(long, value_enum, default_value_t, value_name = "MODE", num_args = 0..=1,
          require_equals = true, default_missing_value = "client")]
    pub(crate) dry_run: Rehearsal,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Wait until all of it has come
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    pub(crate) wait: bool,
    /// How long to wait, such as 90s or 10m
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
}

/// Who checks a plan that is not carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rehearsal {
    /// Change things
    #[default]
    None,
    /// Print the plan
    Client,
    /// Print the plan, and have the API server check every write
    Server,
}
