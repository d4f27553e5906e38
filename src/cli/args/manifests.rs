//! What `manifests` takes.

use std::time::Duration;

use clap::{Args, ValueEnum};
use mctg::schedule::Schedule;

use super::{Names, PlanArgs};

/// The namespace the CronJob goes to, unless another is named.
const JOB_NAMESPACE: &str = "mctg-system";

#[derive(Args, Clone, Debug)]
pub(crate) struct ManifestsArgs {
    #[command(flatten)]
    pub(crate) names: Names,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
    /// Image that holds kubectl-mctg as its entry point; none is published yet
    #[arg(long, value_name = "IMAGE", value_parser = image, help_heading = "CronJob")]
    pub(crate) image: Option<String>,
    /// When to run, as a CronJob says it
    #[arg(long, value_name = "CRON", value_parser = schedule, default_value = "*/5 * * * *",
          help_heading = "CronJob")]
    pub(crate) schedule: String,
    /// Namespace of the CronJob
    #[arg(long, value_name = "NAMESPACE", value_parser = dns_label, default_value = JOB_NAMESPACE,
          help_heading = "CronJob")]
    pub(crate) job_namespace: String,
    /// Name of the CronJob, its ServiceAccount and its roles
    #[arg(long, value_name = "NAME", value_parser = job_name, default_value = "kubectl-mctg",
          help_heading = "CronJob")]
    pub(crate) name: String,
    /// Secret in the CronJob's namespace whose key `kubeconfig` reaches further clusters, only to
    /// be read
    #[arg(long, value_name = "SECRET", value_parser = dns_subdomain, help_heading = "CronJob")]
    pub(crate) peers_secret: Option<String>,
    /// IAM role for the ServiceAccount, where IRSA is used; Pod Identity needs none here
    #[arg(long, value_name = "ARN", value_parser = role_arn, help_heading = "CronJob")]
    pub(crate) role_arn: Option<String>,
    /// Let runs write events on the bindings
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set,
          help_heading = "CronJob")]
    pub(crate) events: bool,
    /// Add a PrometheusRule: a run failed, or none succeeded for three periods
    #[arg(long, help_heading = "CronJob")]
    pub(crate) alerts: bool,
    /// Print what another cluster's run needs to read this one instead: a ServiceAccount that may
    /// change nothing, and its token
    #[arg(long, help_heading = "CronJob",
          conflicts_with_all = ["image", "alerts", "peers_secret", "role_arn", "iam_policy", "trust_policy"])]
    pub(crate) reader: bool,
    /// Print the IAM policy instead
    #[arg(long, help_heading = "IAM", conflicts_with = "trust_policy")]
    pub(crate) iam_policy: bool,
    /// Print the trust policy of the IAM role instead
    #[arg(long, value_enum, value_name = "WAY", help_heading = "IAM")]
    pub(crate) trust_policy: Option<TrustArg>,
    /// The cluster's IAM OIDC provider, for IRSA
    #[arg(long, value_name = "ARN", value_parser = oidc_provider, help_heading = "IAM",
          required_if_eq("trust_policy", "irsa"))]
    pub(crate) oidc_provider: Option<String>,
    /// Role that bindings name as iamRoleArnToAssume, repeatable; those of bindings that are named
    /// are found
    #[arg(long, value_name = "ARN", value_parser = role_arn, help_heading = "IAM")]
    pub(crate) assume_role: Vec<String>,
}

/// How pods get an IAM role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TrustArg {
    /// EKS Pod Identity
    PodIdentity,
    /// IAM roles for service accounts
    Irsa,
}

impl ManifestsArgs {
    /// The ServiceAccount's name: a cluster may hold the CronJob and be read by another.
    pub(crate) fn account(&self) -> String {
        if self.reader { format!("{}-reader", self.name) } else { self.name.clone() }
    }

    /// The longest time between two runs.
    pub(crate) fn period(&self) -> Duration {
        // It was parsed before it was taken.
        Schedule::parse(&self.schedule).map_or(Duration::ZERO, |schedule| schedule.period())
    }
}

fn image(text: &str) -> Result<String, String> {
    let is_one =
        !text.is_empty() && !text.starts_with('-') && text.chars().all(|c| c.is_ascii_graphic());
    if is_one { Ok(text.to_owned()) } else { Err(format!("`{text}` is no image")) }
}

fn schedule(text: &str) -> Result<String, String> {
    Schedule::parse(text).map(|_| text.trim().to_owned()).map_err(|error| error.to_string())
}

fn dns_label(text: &str) -> Result<String, String> {
    label(text, 63)
}

/// A CronJob's name leaves room for what the controller adds to those of its jobs.
fn job_name(text: &str) -> Result<String, String> {
    label(text, 52)
}

fn label(text: &str, length_max: usize) -> Result<String, String> {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_label = !text.is_empty()
        && text.len() <= length_max
        && text.chars().all(is_inner)
        && !text.starts_with('-')
        && !text.ends_with('-');
    match is_label {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "`{text}` is no name of at most {length_max} lower-case letters, digits and `-`"
        )),
    }
}

fn dns_subdomain(text: &str) -> Result<String, String> {
    let is_name = text.len() <= 253 && text.split('.').all(|part| label(part, 253).is_ok());
    if is_name { Ok(text.to_owned()) } else { Err(format!("`{text}` is no name of a Secret")) }
}

fn role_arn(text: &str) -> Result<String, String> {
    arn(text, "role/").ok_or_else(|| {
        format!("`{text}` is no role such as arn:aws:iam::111122223333:role/kubectl-mctg")
    })
}

fn oidc_provider(text: &str) -> Result<String, String> {
    arn(text, "oidc-provider/").ok_or_else(|| {
        format!(
            "`{text}` is no OIDC provider such as arn:aws:iam::111122223333:oidc-provider/\
             oidc.eks.us-east-1.amazonaws.com/id/EXAMPLE"
        )
    })
}

fn arn(text: &str, kind: &str) -> Option<String> {
    let fields: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = fields[..] else { return None };
    let is_sound = partition.starts_with("aws")
        && account.len() == 12
        && account.chars().all(|c| c.is_ascii_digit())
        && resource.strip_prefix(kind).is_some_and(|name| !name.is_empty())
        && text.chars().all(|c| c.is_ascii_graphic() && !"\"\\*".contains(c));
    is_sound.then(|| text.to_owned())
}
