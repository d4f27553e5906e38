//! The flags of every verb.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::{duration, endpoint_url, rate};

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
