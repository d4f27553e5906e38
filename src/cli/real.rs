//! The verbs on real clusters and real load balancers.

use std::collections::BTreeSet;

use mctg::cluster::Cluster as _;
use mctg::cluster::kube::KubeCluster;
use mctg::elbv2::aws::{AwsLoadBalancers, Settings};
use mctg::stop::Stop;

use super::args::{DiffArgs, Global, ReconcileArgs, Verb};
use super::contexts::{self, ContextError, ContextOptions};
use super::credentials::{AwsOptions, Credentials, Profiles};
use super::env::{self, Environment};
use super::error::{CliError, near_misses};
use super::exit::Exit;
use super::run::{self, World};
use super::terminal::Terminal;

/// Runs a verb.
///
/// # Errors
///
/// There are no such contexts, or what the verb itself says.
pub(crate) async fn run(
    verb: &Verb,
    global: &Global,
    environment: &Environment,
    stop: &Stop,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let profiles = Profiles::parse(&global.profile).map_err(CliError::usage)?;
    let chosen = contexts::find(&context_options(verb, global), environment)
        .await
        .map_err(CliError::from)?;
    for context in profiles.contexts() {
        if !chosen.short_names.contains_key(context) {
            let near = near_misses(context, chosen.short_names.keys().map(String::as_str));
            let error = CliError::usage(format!("--profile: there is no context `{context}`"));
            return Err(if near.is_empty() {
                error.hint("CONTEXT=PROFILE names a context of the kubeconfig")
            } else {
                error.hint(format!("did you mean {}?", near.join(", ")))
            });
        }
    }
    let mut names: Vec<String> =
        chosen.reading.iter().map(|context| context.cluster.context().to_owned()).collect();
    // What leaves contexts out speaks of the other kubeconfig.
    names.retain(|name| !chosen.peers.contains(name));
    let is_own = |name: &&str| !chosen.peers.contains(*name);
    let mut clusters: Vec<KubeCluster> = Vec::new();
    let mut aws = AwsOptions {
        profiles,
        region: global.region.clone(),
        endpoint_url: global.endpoint_url.clone(),
        no_assume_role: global.no_assume_role,
        attempt_timeout: Some(global.request_timeout).filter(|time| !time.is_zero()),
        reads_per_second: global.aws_qps,
        https_proxy: environment.https_proxy.clone(),
        no_proxy: environment.no_proxy.clone(),
        ..AwsOptions::default()
    };
    for context in chosen.reading {
        if let Some(profile) = context.aws.profile {
            let name = context.cluster.context().to_owned();
            aws.entry_profiles.insert(name, profile);
        }
        clusters.push(context.cluster.heeding(stop));
    }
    let settings = Settings { stop: stop.clone(), ..aws.settings() };
    let load_balancers = AwsLoadBalancers::with_settings(Credentials::new(aws), settings);
    let world = World {
        clusters: &clusters,
        load_balancers: &load_balancers,
        in_cluster: chosen.writing.contains(contexts::IN_CLUSTER),
        writing: chosen.writing,
        narrowed: chosen.narrowed,
        unread: chosen.unread,
        demo: false,
        leave_out: &|silent| {
            let own: BTreeSet<&str> = silent.iter().copied().filter(is_own).collect();
            if own.is_empty() { None } else { contexts::leave_out(&names, &own) }
        },
        clock: &env::now,
        watch: &|_| {},
        stop: stop.clone(),
    };
    run::verb(&world, verb, global, terminal).await
}

/// What the command line says about contexts.
pub(super) fn context_options(verb: &Verb, global: &Global) -> ContextOptions {
    ContextOptions {
        kubeconfig: global.kubeconfig.clone(),
        contexts: global.context.clone(),
        all_contexts: global.all_contexts,
        observe: global.observe.clone(),
        in_cluster: global.in_cluster,
        peers_kubeconfig: global.peers_kubeconfig.clone(),
        impersonate: global.impersonate.clone(),
        impersonate_groups: global.impersonate_group.clone(),
        request_timeout: Some(global.request_timeout).filter(|time| !time.is_zero()),
        lost: match verb {
            Verb::Diff(DiffArgs { plan, .. }) | Verb::Reconcile(ReconcileArgs { plan, .. }) => {
                plan.prune.lost.clone()
            }
            Verb::Unbind(args) => args.lost.lost.iter().cloned().collect(),
            _ => Vec::new(),
        },
        writes: matches!(
            verb,
            Verb::Unbind(_)
                | Verb::Diff(_)
                | Verb::Reconcile(_)
                | Verb::Enable(_)
                | Verb::Disable(_)
                | Verb::Bind(_)
                | Verb::Manifests(_)
        ),
    }
}

/// The names of all contexts, as far as they can be found.
pub(crate) fn context_names(global: &Global, environment: &Environment) -> Vec<String> {
    let options =
        ContextOptions { kubeconfig: global.kubeconfig.clone(), ..ContextOptions::default() };
    contexts::names(&options, environment).unwrap_or_default()
}

impl From<ContextError> for CliError {
    fn from(error: ContextError) -> Self {
        let message = error.to_string();
        let made = if error.is_usage() { Self::usage(message) } else { Self::failed(message) };
        made.hint(error.hint())
    }
}
