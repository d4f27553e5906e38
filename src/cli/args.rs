//! What the command line takes.
//!
//! Flags are called as kubectl calls them. Those of kubectl that name one cluster make no sense
//! for several, and are refused with a reason instead of being ignored.

mod bind;
mod change;
mod check;
mod enable;
mod manifests;
mod prune;
mod refused;
mod unbind;
mod values;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Command, CommandFactory, Parser, Subcommand, ValueEnum};
use mctg::plan::{Cap, ViaChoice};

pub(crate) use self::bind::BindArgs;
pub(crate) use self::change::{ChangeArgs, Rehearsal};
pub(crate) use self::check::CheckArgs;
pub(crate) use self::enable::{DisableArgs, EnableArgs, SwitchArgs};
pub(crate) use self::manifests::{ManifestsArgs, TrustArg};
pub(crate) use self::prune::PruneArgs;
pub(crate) use self::refused::Refused;
pub(crate) use self::unbind::{LostArgs, UnbindArgs};
use self::values::{duration, endpoint_url, max_deregister, rate};
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

/// The flags of every verb.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Context to read, or for changing verbs to write to: names and globs, repeatable, or
    /// separated by commas
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        global = true,
        help_heading = "Clusters"
    )]
    pub(crate) context: Vec<String>,
    /// Take every context of the kubeconfig, whatever MCTG_CONTEXTS says
    #[arg(long, global = true, help_heading = "Clusters", conflicts_with = "context")]
    pub(crate) all_contexts: bool,
    /// For changing verbs: contexts to read beside those to write to [default: as `status`]
    #[arg(
        long,
        value_name = "NAME",
        value_delimiter = ',',
        global = true,
        help_heading = "Clusters"
    )]
    pub(crate) observe: Vec<String>,
    /// Kubeconfig to use instead of KUBECONFIG or ~/.kube/config
    #[arg(long, value_name = "FILE", global = true, help_heading = "Clusters")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Use the ServiceAccount of the pod this runs in
    #[arg(long, global = true, help_heading = "Clusters")]
    pub(crate) in_cluster: bool,
    /// Kubeconfig of further clusters, all of which are read and none written to
    #[arg(long, value_name = "FILE", global = true, help_heading = "Clusters")]
    pub(crate) peers_kubeconfig: Option<PathBuf>,
    /// User to impersonate in every cluster
    #[arg(long = "as", value_name = "USER", global = true, help_heading = "Clusters")]
    pub(crate) impersonate: Option<String>,
    /// Group to impersonate in every cluster, repeatable
    #[arg(long = "as-group", value_name = "GROUP", global = true, help_heading = "Clusters")]
    pub(crate) impersonate_group: Vec<String>,
    /// How long to wait for one answer of an API server or of AWS, such as 10s or 1m; 0 waits for ever
    /// (for AWS: 10s)
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s", global = true,
          hide_default_value = false, help_heading = "Clusters")]
    pub(crate) request_timeout: Duration,

    /// Namespace whose bindings are shown or changed
    #[arg(
        short,
        long,
        value_name = "NAMESPACE",
        global = true,
        help_heading = "What to show or change"
    )]
    pub(crate) namespace: Option<String>,
    /// All namespaces
    #[arg(
        short = 'A',
        long,
        global = true,
        conflicts_with = "namespace",
        help_heading = "What to show or change"
    )]
    pub(crate) all_namespaces: bool,
    /// Labels that the bindings must have, as in `app=web,tier!=test`
    #[arg(
        short = 'l',
        long,
        value_name = "SELECTOR",
        global = true,
        help_heading = "What to show or change"
    )]
    pub(crate) selector: Option<String>,
    /// Ask AWS for attributes, listeners and rules of more than 20 target groups too
    #[arg(long, global = true, help_heading = "What to show or change")]
    pub(crate) deep: bool,

    /// AWS profile, or CONTEXT=PROFILE, repeatable [default: that of the context's own entry]
    #[arg(long, value_name = "[CONTEXT=]PROFILE", global = true, help_heading = "AWS")]
    pub(crate) profile: Vec<String>,
    /// AWS region where no ARN tells it
    #[arg(long, value_name = "REGION", global = true, help_heading = "AWS")]
    pub(crate) region: Option<String>,
    /// Address of the Elastic Load Balancing API
    #[arg(value_parser = endpoint_url, long, value_name = "URL", global = true, help_heading = "AWS")]
    pub(crate) endpoint_url: Option<String>,
    /// Do not assume the roles that bindings name
    #[arg(long, global = true, help_heading = "AWS")]
    pub(crate) no_assume_role: bool,
    /// Calls a second that AWS is asked at most, after a burst [default: reads 5, writes 1]
    #[arg(long, value_name = "NUMBER", value_parser = rate, global = true, help_heading = "AWS")]
    pub(crate) aws_qps: Option<f64>,

    /// Format
    #[arg(
        short,
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        global = true,
        help_heading = "Output"
    )]
    pub(crate) output: Output,
    /// Findings that lead to exit code 1: this bad or worse
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "SEVERITY",
        global = true,
        help_heading = "Output"
    )]
    pub(crate) fail_on: FailOn,
    /// Findings to leave out, by code or glob such as MCTG2*, repeatable; never what could not be
    /// read
    #[arg(
        long,
        value_name = "CODE",
        value_delimiter = ',',
        global = true,
        help_heading = "Output"
    )]
    pub(crate) ignore: Vec<String>,
    /// When to colour
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        global = true,
        help_heading = "Output"
    )]
    pub(crate) color: Color,
    /// Log calls and times to stderr; twice for more
    #[arg(short, long, action = clap::ArgAction::Count, global = true, help_heading = "Output")]
    pub(crate) verbose: u8,
    /// Run on two simulated clusters: nothing real is read or changed
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) demo: bool,
}

impl Global {
    /// The default of `--request-timeout`.
    pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Text for people
    #[default]
    Table,
    /// The same with every target
    Wide,
    /// One document
    Json,
    /// One compact line for each binding
    Jsonl,
    /// One document
    Yaml,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    Critical,
    #[default]
    Warning,
    Info,
    Never,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Args, Debug)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) names: Names,
    /// Show the target groups of every binding, also those that are not shared
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) names: Names,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
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
