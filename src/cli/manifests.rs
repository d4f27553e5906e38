//! `manifests`: what `reconcile` needs to run in a cluster, printed and never applied.
//!
//! The rules come from [`mctg::permissions`]; this says for which objects they are granted.

mod alerts;
mod cron_job;
mod iam;
mod roles;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};

use mctg::binding::{Binding, Flavour};
use mctg::cluster::Cluster;
use mctg::elbv2::LoadBalancers;
use mctg::facts::SilenceReason;
use mctg::selection::{NameQuery, Selection};
use mctg::target::TargetGroupArn;
use serde_json::{Value, json};

use super::args::{Global, ManifestsArgs, Output};
use super::error::CliError;
use super::exit::Exit;
use super::render::document;
use super::run::World;
use super::terminal::Terminal;

/// One object, and what is said about each rule where it is a role.
pub(super) struct Document {
    pub(super) object: Value,
    pub(super) comments: Vec<Vec<String>>,
}

impl Document {
    fn plain(object: Value) -> Self {
        Self { object, comments: Vec::new() }
    }
}

/// Which bindings the run is to be about.
#[derive(Default)]
pub(super) struct Subject {
    /// The bindings that were named, as they are now; none where none was.
    named: Option<Vec<Binding>>,
    /// Further bindings of the same target groups, which are read.
    beside: Vec<Binding>,
    /// The namespace they are limited to.
    namespace: Option<String>,
}

/// Says whether a cluster has to be asked: only names are looked up.
pub(crate) fn asks(args: &ManifestsArgs) -> bool {
    !args.names.names.is_empty() && args.trust_policy.is_none()
}

/// Prints for every binding, or for those of one namespace; no cluster is asked.
///
/// # Errors
///
/// What was asked for makes no sense, or stdout cannot be written.
pub(crate) fn unnamed(
    args: &ManifestsArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    check(args, global)?;
    let subject = Subject { namespace: global.namespace.clone(), ..Subject::default() };
    print(&subject, args, global, terminal)
}

/// Looks the names up in the cluster that would be written to, and prints for just these bindings.
///
/// # Errors
///
/// As [`unnamed`]; and where the bindings cannot be read, or a name is not there.
pub(crate) async fn named<C: Cluster, L: LoadBalancers>(
    world: &World<'_, C, L>,
    args: &ManifestsArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    check(args, global)?;
    let mut chosen =
        world.clusters.iter().filter(|cluster| world.writing.contains(cluster.context()));
    let (Some(cluster), None) = (chosen.next(), chosen.next()) else {
        return Err(CliError::usage("manifests are for one cluster")
            .hint("choose it with `--context NAME`, and print once for each"));
    };
    let selection = super::names::selection(&args.names, global)?;
    let bindings = bindings(cluster, global.namespace.as_deref(), terminal).await?;
    let subject = look_up(&selection, bindings, cluster.context())?;
    for binding in subject.named.iter().flatten() {
        let place = format!("{}/{}", binding.namespace, binding.name);
        if binding.flavour == Flavour::AutoMode {
            terminal.note(&format!("warning: {place} is EKS Auto Mode's: reconcile only reads it"));
        } else if !binding.spec.multi_cluster_target_group {
            terminal.note(&format!(
                "warning: {place} is not multi-cluster: reconcile leaves it alone until it is"
            ));
        }
    }
    print(&subject, args, global, terminal)
}

fn check(args: &ManifestsArgs, global: &Global) -> Result<(), CliError> {
    if args.plan.prune.prune_unclaimed {
        return Err(CliError::usage(
            "--prune-unclaimed cannot be used here: a pod does not see all",
        )
        .hint("run it by hand where a kubeconfig has every context"));
    }
    if !global.profile.is_empty() {
        return Err(CliError::usage("--profile cannot be used here: a pod has no AWS profiles")
            .hint("--trust-policy prints what gives the pod a role"));
    }
    if !global.observe.is_empty() {
        return Err(CliError::usage("--observe cannot be used here: a pod sees its own cluster")
            .hint("--peers-secret names a kubeconfig of further clusters to read"));
    }
    if global.peers_kubeconfig.is_some() {
        return Err(CliError::usage("--peers-kubeconfig cannot be used here: it is a file")
            .hint("--peers-secret names the Secret that holds it in the cluster"));
    }
    if matches!(global.output, Output::Wide | Output::Jsonl) {
        return Err(CliError::usage("manifests are YAML or JSON: -o yaml or -o json"));
    }
    if let Some(namespace) = &global.namespace
        && !roles::is_name(namespace)
    {
        return Err(CliError::usage(format!("`{namespace}` is no name of a namespace")));
    }
    Ok(())
}

async fn bindings<C: Cluster>(
    cluster: &C,
    namespace: Option<&str>,
    terminal: &Terminal,
) -> Result<Vec<Binding>, CliError> {
    let mut all = Vec::new();
    for flavour in [Flavour::LoadBalancerController, Flavour::AutoMode] {
        let mut listed = cluster.bindings(flavour, None).await;
        if let Err(silence) = &listed
            && silence.reason == SilenceReason::Forbidden
        {
            let namespace = namespace.unwrap_or_else(|| cluster.default_namespace());
            if let Ok(here) = cluster.bindings(flavour, Some(namespace)).await {
                terminal.note(&format!(
                    "warning: only namespace `{namespace}` was read: {}",
                    silence.message
                ));
                listed = Ok(here);
            }
        }
        match listed {
            Ok(listed) => all.extend(listed),
            Err(silence) => {
                let context = mctg::error::escape(cluster.context());
                return Err(CliError::failed(format!("{context}: {}", silence.message)));
            }
        }
    }
    Ok(all)
}

/// Finds the bindings that are named, and those that share a target group with one of them.
fn look_up(
    selection: &Selection,
    bindings: Vec<Binding>,
    context: &str,
) -> Result<Subject, CliError> {
    let group = |binding: &Binding| binding.spec.target_group_arn.parse::<TargetGroupArn>().ok();
    let chooses = |selection: &Selection, binding: &Binding| {
        selection.chooses_by_name(binding, group(binding).as_ref())
    };
    let unknown = selection.names.iter().find(|query| {
        let alone = Selection { names: vec![(*query).clone()], ..selection.clone() };
        !bindings.iter().any(|binding| chooses(&alone, binding))
    });
    if let Some(NameQuery { name, .. }) = unknown {
        let place = match &selection.namespace {
            Some(namespace) => format!("namespace `{namespace}` of {context}"),
            None => context.to_owned(),
        };
        return Err(CliError::usage(format!("no binding in {place} is called `{name}`")).hint(
            "name a binding, what it is made for, or its target group: what only AWS knows \
             cannot be granted by name",
        ));
    }
    let (named, others): (Vec<Binding>, Vec<Binding>) =
        bindings.into_iter().partition(|binding| chooses(selection, binding));
    let groups: BTreeSet<&str> = named.iter().flat_map(names_of_group).collect();
    let shares = |binding: &Binding| names_of_group(binding).any(|name| groups.contains(name));
    let beside = others.into_iter().filter(shares).collect();
    Ok(Subject { named: Some(named), beside, namespace: selection.namespace.clone() })
}

/// What a binding calls its group: the ARN, the name in it, or the name alone.
fn names_of_group(binding: &Binding) -> impl Iterator<Item = &str> {
    let arn = binding.spec.target_group_arn.as_str();
    let name = arn.split('/').nth(1).unwrap_or(&binding.spec.target_group_name);
    [arn, name].into_iter().filter(|name| !name.is_empty())
}

fn print(
    subject: &Subject,
    args: &ManifestsArgs,
    global: &Global,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let policy = match (args.iam_policy, args.trust_policy) {
        (true, _) => Some(iam::policy(subject, args, global)),
        (false, Some(way)) => Some(iam::trust(way, args)),
        (false, None) => None,
    };
    if let Some(policy) = policy {
        if let Some(warning) = iam::too_long(&policy) {
            terminal.note(&warning);
        }
        return terminal.print(false, |_, out| match global.output {
            Output::Yaml => document::yaml(&policy, out),
            _ => document::json(&policy, out),
        });
    }
    let job = match (&args.image, args.reader) {
        (Some(image), _) => Some(cron_job::cron_job(image, args, global)),
        (None, true) => None,
        (None, false) => {
            return Err(CliError::usage("--image is needed: no image is published yet")
                .hint("docs/in-cluster.md says how to make one"));
        }
    };
    let documents = documents(subject, job, args);
    terminal.print(false, |_, out| match global.output {
        Output::Json => {
            let items: Vec<&Value> = documents.iter().map(|document| &document.object).collect();
            document::json(&json!({ "apiVersion": "v1", "kind": "List", "items": items }), out)
        }
        _ => yaml::write(&documents, out),
    })
}

fn documents(subject: &Subject, job: Option<Value>, args: &ManifestsArgs) -> Vec<Document> {
    let mut documents: Vec<Document> =
        cron_job::namespace(args).map(Document::plain).into_iter().collect();
    documents.push(Document::plain(cron_job::service_account(args)));
    documents.extend(roles::documents(subject, args));
    documents.extend(args.reader.then(|| Document::plain(cron_job::token(args))));
    documents.extend(job.map(Document::plain));
    documents.extend(args.alerts.then(|| Document::plain(alerts::rule(args))));
    documents
}

/// What every object is labelled with: `status` finds this program's CronJobs by it.
fn labels() -> Value {
    json!({ "app.kubernetes.io/name": "kubectl-mctg" })
}

fn metadata(name: &str, namespace: Option<&str>) -> Value {
    let mut metadata = json!({ "name": name, "labels": labels() });
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata
}

/// Bindings by namespace.
fn by_namespace<'a>(
    bindings: impl Iterator<Item = &'a Binding>,
) -> BTreeMap<&'a str, Vec<&'a Binding>> {
    let mut sorted: BTreeMap<&str, Vec<&Binding>> = BTreeMap::new();
    for binding in bindings {
        sorted.entry(&binding.namespace).or_default().push(binding);
    }
    sorted
}

#[cfg(test)]
mod tests;
