//! Which clusters to read and which to write, and a way to reach each.
//!
//! Everything that can be known to be wrong is said here, before the first request. What is wrong
//! with one context alone is no error: its cluster is silent, and the others are read.

mod aws;
mod choose;
mod connect;
mod exec;
mod kubeconfig;
mod proxy;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use mctg::cluster::kube::KubeCluster;
use mctg::error;

pub(crate) use self::aws::AwsHints;
use self::kubeconfig::Source;
use super::env::Environment;

/// The name of the context that the service account of a pod makes.
pub(crate) const IN_CLUSTER: &str = "in-cluster";

/// What the command line says about contexts.
#[derive(Clone, Debug, Default)]
pub(crate) struct ContextOptions {
    /// `--kubeconfig`.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// `--context`: names and globs; entries may hold several, separated by commas.
    pub(crate) contexts: Vec<String>,
    /// `--all-contexts`.
    pub(crate) all_contexts: bool,
    /// `--observe`, of changing verbs: as `contexts`.
    pub(crate) observe: Vec<String>,
    /// `--in-cluster`.
    pub(crate) in_cluster: bool,
    /// `--peers-kubeconfig`.
    pub(crate) peers_kubeconfig: Option<PathBuf>,
    /// `--as`.
    pub(crate) impersonate: Option<String>,
    /// `--as-group`.
    pub(crate) impersonate_groups: Vec<String>,
    /// `--request-timeout`; none waits for ever.
    pub(crate) request_timeout: Option<Duration>,
    /// `--lost`: names of contexts whose clusters are gone for good.
    pub(crate) lost: Vec<String>,
    /// Whether the verb changes something, or plans to: `--context` then says where to write.
    pub(crate) writes: bool,
}

/// What a run does not read, or may not be able to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Unread {
    /// The contexts of the kubeconfig that are not in the reading set.
    pub(crate) left_out: BTreeSet<String>,
    /// Those of the reading set that were declared gone for good.
    pub(crate) lost: BTreeSet<String>,
    /// Whether there is no kubeconfig, but the service account of a pod.
    pub(crate) in_pod: bool,
}

/// The contexts of a run.
pub(crate) struct Contexts {
    /// The reading set. Contexts that are written to come first, then the current one, then the
    /// others in the order given, else that of the kubeconfig.
    pub(crate) reading: Vec<Context>,
    /// The names of those that are written to; empty for reading verbs.
    pub(crate) writing: BTreeSet<String>,
    /// Whether the reading set was narrowed, so that an owner that was not read is no surprise
    /// (`product.md` 7.5): by `--context` of a reading verb, by `--observe`, or in a pod.
    /// `MCTG_CONTEXTS` says which contexts belong together, and narrows nothing.
    pub(crate) narrowed: bool,
    /// What is not read, or may not be able to.
    pub(crate) unread: Unread,
    /// The contexts of `--peers-kubeconfig`.
    pub(crate) peers: BTreeSet<String>,
    /// For tables: context names, EKS ARNs shortened to the cluster's name where that is unique.
    pub(crate) short_names: BTreeMap<String, String>,
}

/// The command that leaves contexts out of what is read from now on; none where none is left.
pub(crate) fn leave_out(reading: &[String], silent: &BTreeSet<&str>) -> Option<String> {
    let rest: Vec<&str> =
        reading.iter().map(String::as_str).filter(|name| !silent.contains(name)).collect();
    let list = rest.join(",");
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ',' | '.' | '_' | '-' | ':' | '/' | '@');
    let list = match list.chars().all(is_plain) {
        true => list,
        false => format!("'{}'", list.replace('\'', r"'\''")),
    };
    (!rest.is_empty()).then(|| format!("export MCTG_CONTEXTS={}", error::escape(&list)))
}

/// One context, and how to reach what is behind it.
pub(crate) struct Context {
    /// Its cluster; silent where no client could be made.
    pub(crate) cluster: KubeCluster,
    /// What its entry says about AWS.
    pub(crate) aws: AwsHints,
}

/// Why there are no contexts to work with. Texts are whole: there is no further cause to print.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ContextError {
    /// A name or glob that fits no context.
    #[error("no context `{pattern}` in {place}")]
    Unknown {
        /// What was asked for.
        pattern: String,
        /// Where it was looked for.
        place: String,
        /// What to do.
        hint: String,
    },
    /// A glob that is none.
    #[error("`{pattern}` is no valid glob: {cause}")]
    InvalidGlob {
        /// What was asked for.
        pattern: String,
        /// What is wrong with it.
        cause: String,
    },
    /// No kubeconfig, or one without contexts.
    #[error("{what}")]
    Nothing {
        /// What is missing.
        what: String,
        /// What to do.
        hint: String,
    },
    /// A kubeconfig that cannot be read or understood.
    #[error("failed to read kubeconfig `{path}`: {cause}")]
    Broken {
        /// Which.
        path: String,
        /// Why.
        cause: String,
    },
    /// A context that is to be written to, and was declared gone for good.
    #[error("context `{context}` cannot be written to and be lost")]
    WritesToLost {
        /// Which.
        context: String,
    },
    /// A changing verb was pointed at a cluster that is only there to be read.
    #[error("`{pattern}` is a context of --peers-kubeconfig, and those are only read")]
    ReadOnly {
        /// What was asked for.
        pattern: String,
    },
    /// One name in both kubeconfigs.
    #[error("context `{name}` is in {own} and in {peers} too")]
    Twice {
        /// The name.
        name: String,
        /// Where it is.
        own: String,
        /// Where it is too.
        peers: String,
    },
    /// `--in-cluster` outside of a pod.
    #[error("failed to use the service account of this pod: {cause}")]
    NotInCluster {
        /// Why.
        cause: String,
    },
}

impl ContextError {
    /// What to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Unknown { hint, .. } | Self::Nothing { hint, .. } => hint.clone(),
            Self::InvalidGlob { .. } => "`*` stands for any text, `?` for one character".to_owned(),
            Self::Broken { path, .. } => {
                format!("see what kubectl says: kubectl config view --kubeconfig {path}")
            }
            Self::WritesToLost { .. } => {
                "choose where to write with `--context NAME`; by default it is the current context"
                    .to_owned()
            }
            Self::ReadOnly { .. } => {
                "write to it from its own cluster, or by `--kubeconfig`".to_owned()
            }
            Self::Twice { .. } => "call one of them something else".to_owned(),
            Self::NotInCluster { .. } => "leave out `--in-cluster` outside of a pod".to_owned(),
        }
    }

    /// Whether the user asked for something that is not there (exit code 2), or a file could not
    /// be read (3).
    pub(crate) fn is_usage(&self) -> bool {
        !matches!(self, Self::Broken { .. } | Self::NotInCluster { .. })
    }
}

/// Finds the contexts of a run. Makes no request and starts no plugin.
///
/// Must be called within a Tokio runtime: the clients start their workers.
///
/// # Errors
///
/// [`ContextError`]: nothing was asked of any cluster.
pub(crate) async fn find(
    options: &ContextOptions,
    environment: &Environment,
) -> Result<Contexts, ContextError> {
    let source = Source::find(options, environment)?;
    let peers = Source::peers(options, &source)?;
    let mut names = source.names();
    names.extend(peers.iter().flat_map(Source::names));
    let chosen = choose::choose(options, environment.contexts.as_deref(), &source, peers.as_ref())?;
    let mut reading = Vec::with_capacity(chosen.reading.len());
    for name in &chosen.reading {
        let of_peer = peers.as_ref().filter(|peers| peers.names().contains(name));
        let from = of_peer.unwrap_or(&source);
        let mut context = connect::context(name, from, options, environment).await;
        if of_peer.is_some() {
            // Their entries are there to reach clusters: AWS is asked with this run's credentials.
            context.aws = AwsHints::default();
        }
        reading.push(context);
    }
    Ok(Contexts {
        reading,
        writing: chosen.writing,
        narrowed: chosen.narrowed,
        unread: chosen.unread,
        peers: peers.iter().flat_map(Source::names).collect(),
        short_names: aws::short_names(&names),
    })
}

#[cfg(test)]
mod tests;

/// The names of all contexts, for completion.
///
/// # Errors
///
/// [`ContextError`]: there are none to offer.
pub(crate) fn names(
    options: &ContextOptions,
    environment: &Environment,
) -> Result<Vec<String>, ContextError> {
    Ok(Source::find(options, environment)?.names())
}

/// Chooses among contexts that no kubeconfig defines, the first of them being the current one: the
/// names to read, those to write to, whether that is less than all, and what is not read.
///
/// # Errors
///
/// [`ContextError`]: a name or glob that fits none of them.
pub(crate) fn choose_among(
    names: &[String],
    options: &ContextOptions,
) -> Result<(Vec<String>, BTreeSet<String>, bool, Unread), ContextError> {
    let source = Source::listing(names, "of the simulated clusters");
    let chosen = choose::choose(options, None, &source, None)?;
    Ok((chosen.reading, chosen.writing, chosen.narrowed, chosen.unread))
}
