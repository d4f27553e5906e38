//! What the command line takes.
//!
//! Flags are called as kubectl calls them. Those of kubectl that name one cluster make no sense
//! for several, and are refused with a reason instead of being ignored.

mod bind;
mod change;
mod check;
mod enable;
mod global;
mod manifests;
mod prune;
mod reconcile;
mod refused;
mod unbind;
mod values;

use std::ffi::OsStr;
use std::path::Path;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};

pub(crate) use self::bind::BindArgs;
pub(crate) use self::change::{ChangeArgs, Rehearsal};
pub(crate) use self::check::CheckArgs;
pub(crate) use self::enable::{DisableArgs, EnableArgs, SwitchArgs};
pub(crate) use self::global::{Color, FailOn, Global, Output};
pub(crate) use self::manifests::{ManifestsArgs, TrustArg};
pub(crate) use self::prune::PruneArgs;
pub(crate) use self::reconcile::{DiffArgs, DryRun, PlanArgs, ReconcileArgs, ViaArg};
pub(crate) use self::refused::Refused;
pub(crate) use self::unbind::{LostArgs, UnbindArgs};
use super::help;

/// The name by which users call this program.
const PLUGIN: &str = "kubectl mctg";

/// See and repair load balancer target groups that several clusters share
#[derive(Debug, Parser)]
#[command(
    name = "kubectl-mctg",
    version,
    after_help = help::TOP,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    styles = STYLES,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(flatten)]
    pub(crate) refused: Refused,
}

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold());

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show who serves what share of each shared target group, what is wrong, and what to do
    #[command(after_help = help::STATUS)]
    Status(StatusArgs),
    /// Tell whether sharing can work: controller, CRD, webhook, permissions, credentials
    #[command(after_help = help::CHECK)]
    Check(CheckArgs),
    /// Show what `reconcile` would change
    #[command(after_help = help::DIFF)]
    Diff(DiffArgs),
    /// Make registered targets and ledgers what the endpoints ask for, once
    #[command(after_help = help::RECONCILE)]
    Reconcile(ReconcileArgs),
    /// Turn a Service, Ingress, Gateway route or binding multi-cluster, once it is safe
    #[command(after_help = help::ENABLE)]
    Enable(Box<EnableArgs>),
    /// Turn it back, where no other cluster has a share
    #[command(after_help = help::DISABLE)]
    Disable(Box<DisableArgs>),
    /// Join a Service of this cluster to a target group that another cluster shares
    #[command(after_help = help::BIND)]
    Bind(Box<BindArgs>),
    /// Take bindings out of their target groups, with no target left behind
    #[command(after_help = help::UNBIND)]
    Unbind(Box<UnbindArgs>),
    /// Print the CronJob, RBAC and IAM policy that `reconcile` needs in a cluster
    #[command(after_help = help::MANIFESTS)]
    Manifests(Box<ManifestsArgs>),
    /// Explain a finding: what it means, why it happens, how to repair it
    #[command(after_help = help::EXPLAIN)]
    Explain(ExplainArgs),
    /// Play the whole story on two simulated clusters
    #[command(after_help = help::DEMO)]
    Demo(DemoArgs),
    /// Print a completion script
    #[command(after_help = help::COMPLETION)]
    Completion(CompletionArgs),
    /// Print the version
    #[command(after_help = help::VERSION)]
    Version,
    /// Complete a command line, as kubectl asks for it
    #[command(name = "__complete", hide = true)]
    Complete(CompleteArgs),
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) names: Names,
    /// Show the target groups of every binding, also those that are not shared
    #[arg(long)]
    pub(crate) all: bool,
}

/// What is named.
#[derive(Args, Clone, Debug)]
pub(crate) struct Names {
    /// TYPE/NAME as in svc/web or tgb/web, TYPE NAME..., or the NAME alone of a binding, owner,
    /// target group, load balancer or target address [default: all]
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// Code or name of a finding [default: list all]
    #[arg(value_name = "CODE")]
    pub(crate) code: Option<String>,
}

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Begin again with a new world
    #[arg(long)]
    pub(crate) reset: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CompletionArgs {
    /// Shell, or kubectl for the script kubectl_complete-mctg
    #[arg(value_enum)]
    pub(crate) shell: CompletionShell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompletionShell {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    Kubectl,
}

#[derive(Args, Debug)]
pub(crate) struct CompleteArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) words: Vec<String>,
}

/// Makes the command tree, called as `argv0` was: `kubectl mctg` where that begins with `kubectl-`,
/// as kubectl calls its plugins, else the file's own name.
pub(crate) fn command(argv0: &OsStr) -> Command {
    named(argv0, Cli::command())
}

fn named(argv0: &OsStr, command: Command) -> Command {
    let file = Path::new(argv0).file_stem().and_then(OsStr::to_str).unwrap_or("kubectl-mctg");
    let called = if file.starts_with("kubectl-") { PLUGIN } else { file };
    let mut command = command.bin_name(called);
    command.build();
    let renamed = |command: Command| {
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        command.after_help(after.replace(PLUGIN, called))
    };
    // A verb that reads no cluster is not served by the flags that choose one.
    let quiet = |command: Command, kept: &[&str]| {
        command.mut_args(|arg| {
            let keep = !arg.is_global_set() || kept.contains(&arg.get_id().as_str());
            if keep { arg } else { arg.hide(true) }
        })
    };
    renamed(command)
        .mut_subcommands(renamed)
        .mut_subcommand("manifests", |verb| {
            quiet(
                verb,
                &[
                    "context",
                    "kubeconfig",
                    "impersonate",
                    "impersonate_group",
                    "request_timeout",
                    "namespace",
                    "selector",
                    "region",
                    "endpoint_url",
                    "no_assume_role",
                    "aws_qps",
                    "output",
                    "color",
                    "verbose",
                ],
            )
            // What a run in a pod refuses.
            .mut_args(|arg| {
                let pruning = ["prune_unclaimed", "include_healthy", "lost"];
                if pruning.contains(&arg.get_id().as_str()) { arg.hide(true) } else { arg }
            })
        })
        .mut_subcommand("check", |verb| {
            let unused = ["selector", "deep", "observe"];
            verb.mut_args(|arg| {
                if unused.contains(&arg.get_id().as_str()) { arg.hide(true) } else { arg }
            })
        })
        .mut_subcommand("explain", |verb| quiet(verb, &["output", "color"]))
        .mut_subcommand("version", |verb| quiet(verb, &["output"]))
        .mut_subcommand("completion", |verb| quiet(verb, &[]))
        .mut_subcommand("demo", |verb| quiet(verb, &["color"]))
}

#[cfg(test)]
mod tests;
