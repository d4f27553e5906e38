//! The roles: rules of [`mctg::permissions`], for the objects that are meant.

use std::collections::BTreeSet;

use mctg::binding::{Binding, Flavour};
use mctg::ledger;
use mctg::permissions::{self, Objects, Permission, Place, Run};
use serde_json::{Value, json};

use super::{Document, Subject, by_namespace, metadata};
use crate::cli::args::ManifestsArgs;

const RBAC: &str = "rbac.authorization.k8s.io";

/// Whether a text can be a namespace's name.
pub(super) fn is_name(text: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty() && text.len() <= 63 && text.chars().all(is_inner)
}

/// What is granted in one namespace.
struct Grant<'a> {
    namespace: &'a str,
    /// The bindings that are written to; none means all of the namespace.
    writes: Option<Vec<&'a Binding>>,
    /// Further bindings that are only read.
    reads: Vec<&'a Binding>,
}

/// Makes the roles and their bindings.
pub(super) fn documents(subject: &Subject, args: &ManifestsArgs) -> Vec<Document> {
    let grants = grants(subject);
    let run = Run {
        writes: !args.reader,
        tells: false,
        change: None,
        via: args.plan.via.into(),
        events: args.events,
        several_clusters: args.reader || args.peers_secret.is_some(),
        namespaced: !grants.is_empty(),
    };
    let everywhere: Vec<_> = permissions::of(&run)
        .filter(|it| it.place == Place::Cluster || grants.is_empty())
        .map(|it| rule(it, None))
        .collect();
    // Roles of the whole cluster have no namespace to keep two installations apart.
    let name = format!("{}:{}", args.job_namespace, args.account());
    let mut documents = role("ClusterRole", &name, None, everywhere, args);
    for grant in &grants {
        let rules = permissions::of(&run)
            .filter(|it| it.place == Place::Namespace)
            .filter_map(|it| grant.rule(it))
            .collect();
        documents.extend(role("Role", &name, Some(grant.namespace), rules, args));
    }
    documents
}

fn grants(subject: &Subject) -> Vec<Grant<'_>> {
    let Some(named) = &subject.named else {
        let all = |namespace| Grant { namespace, writes: None, reads: Vec::new() };
        return subject.namespace.as_deref().map(all).into_iter().collect();
    };
    let all = by_namespace(named.iter().chain(&subject.beside));
    all.into_iter()
        .map(|(namespace, bindings)| {
            let (writes, reads) = bindings.into_iter().partition(|binding| {
                binding.flavour == Flavour::LoadBalancerController && named.contains(binding)
            });
            Grant { namespace, writes: Some(writes), reads }
        })
        .collect()
}

impl Grant<'_> {
    /// The rule for this namespace; none where it would name nothing, or is not written to.
    fn rule(&self, permission: &Permission) -> Option<(Value, Vec<String>)> {
        let Some(writes) = &self.writes else { return Some(rule(permission, None)) };
        if permission.is_for_changes() && writes.is_empty() {
            return None;
        }
        let read = self.reads.iter().filter(|_| !permission.is_for_changes());
        let bindings = writes.iter().chain(read);
        let names: Option<BTreeSet<String>> = match permission.objects {
            Objects::Any | Objects::These(_) => None,
            Objects::Ledgers => Some(
                bindings
                    .filter(|binding| binding.spec.multi_cluster_target_group || is_ours(binding))
                    .map(|binding| ledger::name(binding.flavour, &binding.name))
                    .collect(),
            ),
            Objects::Bindings => Some(bindings.map(|binding| binding.name.clone()).collect()),
        };
        // No names would mean all objects.
        if names.as_ref().is_some_and(BTreeSet::is_empty) {
            return None;
        }
        Some(rule(permission, names))
    }
}

fn is_ours(binding: &Binding) -> bool {
    binding.flavour == Flavour::LoadBalancerController
}

/// Makes a rule, and what to say about it.
fn rule(permission: &Permission, names: Option<BTreeSet<String>>) -> (Value, Vec<String>) {
    let mut rule = json!({
        "apiGroups": [permission.group],
        "resources": [permission.resource],
        "verbs": permission.verbs,
    });
    match (permission.objects, names) {
        (Objects::These(names), _) => rule["resourceNames"] = json!(names),
        (_, Some(names)) => rule["resourceNames"] = json!(names),
        (_, None) => {}
    }
    let comment = vec![
        format!("{}: {}", permission.need.as_str(), permission.why),
        format!("without it: {}", permission.without),
    ];
    (rule, comment)
}

fn role(
    kind: &str,
    name: &str,
    namespace: Option<&str>,
    rules: Vec<(Value, Vec<String>)>,
    args: &ManifestsArgs,
) -> Vec<Document> {
    let (rules, comments): (Vec<Value>, Vec<Vec<String>>) = rules.into_iter().unzip();
    let role = json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": kind,
        "metadata": metadata(name, namespace),
        "rules": rules,
    });
    let binding = json!({
        "apiVersion": format!("{RBAC}/v1"),
        "kind": format!("{kind}Binding"),
        "metadata": metadata(name, namespace),
        "roleRef": { "apiGroup": RBAC, "kind": kind, "name": name },
        "subjects": [{
            "kind": "ServiceAccount",
            "name": args.account(),
            "namespace": args.job_namespace,
        }],
    });
    vec![Document { object: role, comments }, Document::plain(binding)]
}
