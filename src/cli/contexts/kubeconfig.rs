//! Where contexts come from: kubeconfigs, or the service account of a pod.

use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{Cluster, Kubeconfig, KubeconfigError, NamedContext};
use mctg::error;

use super::{ContextError, ContextOptions, IN_CLUSTER};
use crate::cli::env::Environment;

/// What defines the contexts.
#[derive(Debug)]
pub(super) enum Source {
    /// Kubeconfigs, merged.
    Files {
        /// All of them as one.
        config: Box<Kubeconfig>,
        /// Where they are, for messages.
        place: String,
    },
    /// A pod's service account.
    Pod(Box<Config>),
}

impl Source {
    /// Finds it as kubectl does: `--kubeconfig`, else `KUBECONFIG`, else `~/.kube/config`, else a
    /// pod's service account.
    pub(super) fn find(
        options: &ContextOptions,
        environment: &Environment,
    ) -> Result<Self, ContextError> {
        if options.in_cluster {
            let config = Config::incluster_env();
            let config =
                config.map_err(|e| ContextError::NotInCluster { cause: error::chain(&e) })?;
            return Ok(Self::Pod(Box::new(config)));
        }
        let (paths, explicit) = match (&options.kubeconfig, &environment.kubeconfig) {
            (Some(path), _) => (vec![path.clone()], true),
            (None, Some(list)) => {
                (std::env::split_paths(list).filter(|p| !p.as_os_str().is_empty()).collect(), false)
            }
            (None, None) => {
                let home = environment.home.as_ref();
                (home.map(|home| home.join(".kube/config")).into_iter().collect(), false)
            }
        };
        let place = paths.iter().map(|p| format!("`{}`", show(p))).collect::<Vec<_>>().join(", ");
        let config = read(&paths, explicit)?;
        if config.contexts.is_empty() {
            // A service account serves where nobody asked for a file.
            if !explicit && let Ok(config) = Config::incluster_env() {
                return Ok(Self::Pod(Box::new(config)));
            }
            return Err(nothing(&paths, &place));
        }
        Ok(Self::Files { config: Box::new(config), place })
    }

    /// Reads the kubeconfig of the peers, if there is one: contexts beside those of `own`.
    pub(super) fn peers(
        options: &ContextOptions,
        own: &Self,
    ) -> Result<Option<Self>, ContextError> {
        let Some(path) = &options.peers_kubeconfig else { return Ok(None) };
        let place = format!("`{}`", show(path));
        let config = read(std::slice::from_ref(path), true)?;
        if config.contexts.is_empty() {
            return Err(ContextError::Nothing {
                what: format!("kubeconfig {place} has no contexts"),
                hint: "leave out `--peers-kubeconfig` where there are no peers".to_owned(),
            });
        }
        let peers = Self::Files { config: Box::new(config), place };
        let names = own.names();
        match peers.names().into_iter().find(|name| names.contains(name)) {
            None => Ok(Some(peers)),
            Some(name) => Err(ContextError::Twice {
                name: error::escape(&name),
                own: own.place(),
                peers: peers.place(),
            }),
        }
    }

    /// Contexts that lead nowhere, by name; the first is the current one.
    pub(super) fn listing(names: &[String], place: &str) -> Self {
        let context = |name: &String| NamedContext { name: name.clone(), ..Default::default() };
        let config = Kubeconfig {
            contexts: names.iter().map(context).collect(),
            current_context: names.first().cloned(),
            ..Default::default()
        };
        Self::Files { config: Box::new(config), place: place.to_owned() }
    }

    /// The names of all contexts, each once, in the order of the files.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        match self {
            Self::Pod(_) => names.push(IN_CLUSTER.to_owned()),
            Self::Files { config, .. } => {
                for context in &config.contexts {
                    if !names.contains(&context.name) {
                        names.push(context.name.clone());
                    }
                }
            }
        }
        names
    }

    /// The current context, where it is set and exists.
    pub(super) fn current(&self) -> Option<&str> {
        match self {
            Self::Pod(_) => Some(IN_CLUSTER),
            Self::Files { config, .. } => {
                let current = config.current_context.as_deref()?;
                config.contexts.iter().any(|context| context.name == current).then_some(current)
            }
        }
    }

    /// What the file says is current, existing or not.
    pub(super) fn current_as_written(&self) -> Option<&str> {
        match self {
            Self::Pod(_) => Some(IN_CLUSTER),
            Self::Files { config, .. } => {
                config.current_context.as_deref().filter(|current| !current.is_empty())
            }
        }
    }

    /// Where the contexts were looked for.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Pod(_) => "this pod".to_owned(),
            Self::Files { place, .. } => format!("kubeconfig {place}"),
        }
    }

    /// The cluster entry of a context.
    pub(super) fn cluster(&self, name: &str) -> Option<(&str, Option<&Cluster>)> {
        let Self::Files { config, .. } = self else { return None };
        let context = config.contexts.iter().find(|c| c.name == name)?.context.as_ref()?;
        let entry = config.clusters.iter().find(|c| c.name == context.cluster);
        Some((&context.cluster, entry.and_then(|entry| entry.cluster.as_ref())))
    }
}

/// Reads and merges; the first file to set a value wins. A file that is missing is skipped unless
/// it was named on the command line, as kubectl does.
fn read(paths: &[PathBuf], explicit: bool) -> Result<Kubeconfig, ContextError> {
    let mut merged = Kubeconfig::default();
    for path in paths {
        let broken = |cause: String| ContextError::Broken { path: show(path), cause };
        match std::fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && explicit => {
                return Err(ContextError::Nothing {
                    what: format!("there is no kubeconfig `{}`", show(path)),
                    hint: "name an existing file with `--kubeconfig`".to_owned(),
                });
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(broken(error.to_string())),
            Ok(metadata) if metadata.is_dir() => return Err(broken("it is a folder".to_owned())),
            Ok(_) => {}
        }
        let next = Kubeconfig::read_from(path).map_err(|error| broken(explain(&error)))?;
        merged = merged.merge(next).map_err(|error| broken(explain(&error)))?;
    }
    Ok(merged)
}

/// The parser quotes the lines around a mistake, and those may be somebody's token: only where and
/// what is said.
pub(super) fn explain(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => {
            let bare = error.without_snippet();
            let place = error
                .location()
                .map(|at| format!("line {}, column {}: ", at.line(), at.column()))
                .unwrap_or_default();
            let text = bare.to_string();
            let text = text.lines().next().unwrap_or_default();
            let text = text.split(" at line ").next().unwrap_or_default();
            // A type mismatch quotes the value.
            let text = text.split([':', '`', '"']).next().unwrap_or_default().trim_end();
            format!("{place}{}", error::escape(text))
        }
        KubeconfigError::ReadConfig(source, _) => source.to_string(),
        // Paths are printed quoted twice.
        error => error::chain(error).replace("'\"", "`").replace("\"'", "`"),
    }
}

fn nothing(paths: &[PathBuf], place: &str) -> ContextError {
    let exists = paths.iter().any(|path| path.exists());
    let what = match (exists, place) {
        (true, place) => format!("kubeconfig {place} has no contexts"),
        (false, "") => "there is no kubeconfig, and no home folder to look for one".to_owned(),
        (false, place) => format!("there is no kubeconfig at {place}"),
    };
    let hint = "make one, for EKS with `aws eks update-kubeconfig --name CLUSTER`, or name one with \
                `--kubeconfig`";
    ContextError::Nothing { what, hint: hint.to_owned() }
}

fn show(path: &Path) -> String {
    error::escape(&path.display().to_string())
}
