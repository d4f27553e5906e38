//! What somebody may do of what each verb needs: asked over the whole cluster first, and where that
//! is denied in the namespaces of the bindings, by name where a rule can name its objects.

use std::collections::{BTreeMap, BTreeSet};

use crate::binding::{Binding, Flavour};
use crate::cluster::Cluster;
use crate::facts::Reading;
use crate::ledger;
use crate::permissions::{self, Need, Objects, Permission, Place, Question, Run, ServiceAccount};

/// How many bindings are asked for by name: more of them would be answered alike.
const NAMED_BINDINGS_MAX: usize = 50;

/// Answers so far.
pub(super) type Answers = BTreeMap<Question, bool>;

/// What may be done of what a verb needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    /// The verbs that need it.
    pub(super) verbs: &'static str,
    /// Whether they change anything.
    pub(super) writes: bool,
    /// What may not be done.
    pub(super) missing: Vec<Missing>,
}

/// Part of a rule that is not granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    pub(super) permission: &'static Permission,
    pub(super) verbs: Vec<&'static str>,
    /// Where; empty means everywhere.
    pub(super) namespaces: BTreeSet<String>,
}

impl Missing {
    /// Says whether the verb fails for it.
    pub(super) fn is_required(&self) -> bool {
        self.permission.need == Need::Required
    }

    /// `get and list on pods in namespaces a and b`.
    pub(super) fn describe(&self) -> String {
        let what = self.permission.full_resource();
        let verbs = self.verbs.join(", ");
        let namespaces: Vec<&str> = self.namespaces.iter().map(String::as_str).collect();
        match namespaces[..] {
            [] => format!("{verbs} {what}"),
            [only] => format!("{verbs} {what} in namespace {only}"),
            _ => format!("{verbs} {what} in namespaces {}", namespaces.join(", ")),
        }
    }
}

/// What the permissions are for.
pub(super) struct About<'a> {
    pub(super) bindings: &'a [Binding],
    /// Whether the cluster has no bindings of EKS Auto Mode, so that nobody needs to list them.
    pub(super) is_without_auto_mode: bool,
}

/// The runs that a user may want, by their verbs.
pub(super) fn own(several: bool) -> Vec<(&'static str, Run)> {
    permissions::VERBS
        .iter()
        .map(|(verbs, run)| (*verbs, Run { several_clusters: several, ..*run }))
        .collect()
}

/// The run that a ServiceAccount is for: what `manifests` prints.
pub(super) fn of_account() -> Vec<(&'static str, Run)> {
    vec![("reconcile", Run { writes: true, events: true, ..Run::default() })]
}

/// Asks over the whole cluster.
pub(super) async fn first<C: Cluster>(
    cluster: &C,
    runs: &[(&'static str, Run)],
    account: Option<&ServiceAccount>,
) -> Reading<Answers> {
    let needed = runs.iter().flat_map(|(_, run)| permissions::of(run));
    let questions: BTreeSet<Question> =
        needed.flat_map(|it| it.verbs.iter().flat_map(move |verb| everywhere(it, verb))).collect();
    ask(cluster, questions, account).await
}

/// Asks in the namespaces of the bindings what is not granted over the whole cluster, and judges.
pub(super) async fn second<C: Cluster>(
    cluster: &C,
    runs: &[(&'static str, Run)],
    first: Reading<Answers>,
    account: Option<&ServiceAccount>,
    about: &About<'_>,
) -> Reading<Vec<Granted>> {
    let mut answers = first?;
    let needed = runs.iter().flat_map(|(_, run)| permissions::of(run));
    let denied = needed.filter(|it| it.place == Place::Namespace).flat_map(|it| {
        let denied = it.verbs.iter().filter(|verb| !is_granted(&answers, &everywhere(it, verb)));
        denied.map(move |verb| (it, *verb))
    });
    let questions: BTreeSet<Question> = denied
        .flat_map(|(it, verb)| in_namespaces(it, verb, about).into_values().flatten())
        .collect();
    if !questions.is_empty() {
        answers.append(&mut ask(cluster, questions, account).await?);
    }
    Ok(runs.iter().map(|(verbs, run)| granted(verbs, run, &answers, about)).collect())
}

async fn ask<C: Cluster>(
    cluster: &C,
    questions: BTreeSet<Question>,
    account: Option<&ServiceAccount>,
) -> Reading<Answers> {
    let questions: Vec<Question> = questions.into_iter().collect();
    let answers = cluster.may(&questions, account).await?;
    Ok(questions.into_iter().zip(answers).collect())
}

fn granted(verbs: &'static str, run: &Run, answers: &Answers, about: &About<'_>) -> Granted {
    let is_served =
        |it: &&Permission| !(about.is_without_auto_mode && it.group == "eks.amazonaws.com");
    let missing = permissions::of(run)
        .filter(is_served)
        .filter_map(|permission| {
            let mut missing =
                Missing { permission, verbs: Vec::new(), namespaces: BTreeSet::new() };
            for verb in permission.verbs {
                if is_granted(answers, &everywhere(permission, verb)) {
                    continue;
                }
                let places = match permission.place {
                    Place::Cluster => BTreeMap::new(),
                    Place::Namespace => in_namespaces(permission, verb, about),
                };
                let is_bound = permission.place == Place::Namespace && !about.bindings.is_empty();
                let denied: Vec<String> = places
                    .into_iter()
                    .filter(|(_, questions)| !is_granted(answers, questions))
                    .map(|(namespace, _)| namespace)
                    .collect();
                if !is_bound || !denied.is_empty() {
                    missing.verbs.push(verb);
                    missing.namespaces.extend(denied);
                }
            }
            (!missing.verbs.is_empty()).then_some(missing)
        })
        .collect();
    Granted { verbs, writes: run.writes || run.unbinds, missing }
}

fn is_granted(answers: &Answers, questions: &[Question]) -> bool {
    questions.iter().all(|question| answers.get(question) == Some(&true))
}

fn question(permission: &Permission, verb: &str) -> Question {
    Question {
        group: permission.group.to_owned(),
        resource: permission.resource.to_owned(),
        verb: verb.to_owned(),
        namespace: None,
        name: None,
    }
}

/// What to ask over the whole cluster. Where a rule names its objects, that is all that is needed.
fn everywhere(permission: &Permission, verb: &str) -> Vec<Question> {
    let question = question(permission, verb);
    match permission.objects {
        Objects::These(names) => names
            .iter()
            .map(|name| Question { name: Some((*name).to_owned()), ..question.clone() })
            .collect(),
        Objects::Any | Objects::Ledgers | Objects::Bindings => vec![question],
    }
}

/// What to ask in each namespace that holds bindings; namespaces in which the rule is for none of
/// them are left out.
fn in_namespaces(
    permission: &Permission,
    verb: &str,
    about: &About<'_>,
) -> BTreeMap<String, Vec<Question>> {
    let mut places: BTreeMap<String, Vec<Question>> = BTreeMap::new();
    for binding in about.bindings.iter().take(NAMED_BINDINGS_MAX) {
        let is_ours = binding.flavour == Flavour::LoadBalancerController;
        if permission.is_for_changes() && !is_ours {
            continue;
        }
        let name = match permission.objects {
            Objects::Ledgers => Some(ledger::name(binding.flavour, &binding.name)),
            Objects::Bindings => Some(binding.name.clone()),
            Objects::Any | Objects::These(_) => None,
        };
        let namespace = binding.namespace.clone();
        let question =
            Question { namespace: Some(namespace.clone()), name, ..question(permission, verb) };
        let questions = places.entry(namespace).or_default();
        if !questions.contains(&question) {
            questions.push(question);
        }
    }
    places
}
