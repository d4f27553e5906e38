//! Takes bindings out of their target groups, with no target left behind.
//!
//! ```text
//! note      what the binding desires or tracks is kept in a ConfigMap
//! delete    the binding; its controller takes out what its ledger names
//! wait      until those have left the group
//! clean up  what the controller left, the ledger, its finalizer where no controller is, the note
//! ```
//!
//! Every look at the world leads to the next step from whatever state it is in, so that a run which
//! was killed anywhere is made good by the next. Deciding is pure.

mod after;
mod checks;
mod item;
mod look;
pub mod lost;
pub mod note;
mod taken;
mod told;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use self::item::Subject;
use self::note::Found;
use crate::binding::Flavour;
use crate::change::{Item, Mistake, Verb};
use crate::cluster::Cluster;
use crate::elbv2::LoadBalancers;
use crate::facts::{ClusterFacts, Facts, LedgerFault, Reading, Silence};
use crate::findings::quoted;
use crate::ledger::Ledger;
use crate::selection::{NameQuery, QueryKind, Selection};
use crate::view::{self, GroupView};

/// How much longer than connections are drained the clean-up may take (`product.md` 5.2).
pub const MARGIN: Duration = Duration::from_secs(180);

/// The command that takes a binding out of its target group.
pub(crate) fn line(namespace: &str, name: &str, context: &str) -> String {
    let (binding, namespace) = (quoted(&format!("tgb/{name}")), quoted(namespace));
    format!("kubectl mctg unbind {binding} -n {namespace} --context {}", quoted(context))
}

/// The verb `unbind`.
#[derive(Clone, Debug, Default)]
pub struct Unbind {
    /// The context to write to.
    pub context: String,
    /// The bindings chosen in it: by names, which may be of bindings that a note tells of; with no
    /// name, all of the namespace and labels.
    pub selection: Selection,
    /// Whether the last healthy target of a group may go.
    pub allow_empty: bool,
    /// Whether fewer contexts are read than there are.
    pub narrowed: bool,
    /// The contexts that are not among the clusters to observe, as the caller wishes.
    pub left_out: BTreeSet<String>,
    /// What brings the bindings back, where that is kept: the command of the line `undo`; else that is
    /// `bind`, where it can say all that the binding said.
    pub undo: Option<String>,
}

/// What `unbind` reads.
#[derive(Clone, Debug)]
pub struct World {
    /// The clusters and target groups.
    pub facts: Facts,
    /// The notes of this verb in the context that is written to.
    pub notes: Reading<Vec<Found>>,
    /// The ledgers of bindings that are gone, by namespace and binding.
    pub ledgers: BTreeMap<(String, String), Result<Option<Ledger>, LedgerFault>>,
    /// The bindings that were not found and may be there all the same, by namespace and name: why.
    pub unproven: BTreeMap<(String, String), Silence>,
    /// Whether something was changed already.
    pub again: bool,
}

impl World {
    /// Sees that what is not found is gone, and not only unread.
    fn readable(&self, cluster: &ClusterFacts) -> Result<(), Mistake> {
        let silence = cluster.bindings.as_ref().err().or(self.notes.as_ref().err());
        silence.map_or(Ok(()), |silence| Err(Mistake::unread(silence.to_string())))
    }
}

impl Verb for Unbind {
    type World = World;

    const KIND: &'static str = "Unbind";

    async fn observe<C: Cluster, L: LoadBalancers>(
        &self,
        clusters: &[C],
        load_balancers: &L,
        clock: &(impl Fn() -> Timestamp + Sync),
        again: bool,
    ) -> World {
        look::look(self, clusters, load_balancers, clock, again).await
    }

    fn facts<'w>(&self, world: &'w World) -> &'w Facts {
        &world.facts
    }

    fn plan(&self, world: &World, _waited: Duration) -> Result<Vec<Item>, Mistake> {
        let groups = view::groups(&world.facts);
        let subjects = self.subjects(world, &groups)?;
        // The floor is counted over the whole run.
        let mut going = BTreeMap::new();
        Ok(subjects.iter().map(|subject| subject.plan(self, world, &mut going)).collect())
    }
}

impl Unbind {
    /// What was chosen: bindings that are there, and those that only a note tells of.
    fn subjects<'w>(
        &self,
        world: &'w World,
        groups: &'w [GroupView<'w>],
    ) -> Result<Vec<Subject<'w>>, Mistake> {
        let cluster = world.facts.clusters.iter().find(|it| it.context == self.context);
        let Some(cluster) = cluster else {
            return Err(Mistake::new(format!("context `{}` was not read", self.context)));
        };
        if world.again {
            world.readable(cluster)?;
        }
        if cluster.bindings.is_err() {
            let named = self.selection.names.iter().map(NameQuery::to_string);
            let names: Vec<String> = named.collect();
            let name = if names.is_empty() { "every binding".to_owned() } else { names.join(" ") };
            return Ok(vec![Subject::unread(cluster, name)]);
        }
        let mut subjects: Vec<Subject<'w>> = Vec::new();
        let notes = || world.notes.iter().flatten();
        for binding in cluster.bindings() {
            let arn = binding.group.as_ref().ok();
            let group = groups.iter().find(|group| Some(group.arn) == arn);
            let view = group.and_then(|group| {
                group.bindings.iter().position(|view| std::ptr::eq(view.facts, binding))
            });
            // By what it is called, and not by what leads to it or is registered: that is not so any
            // more once it has left.
            let chosen = self.selection.chooses_by_name(&binding.binding, arn);
            if chosen {
                let (namespace, name) = (&binding.binding.namespace, &binding.binding.name);
                let is_ours = binding.binding.flavour == Flavour::LoadBalancerController;
                let note = notes()
                    .find(|note| is_ours && (&note.namespace, &note.binding) == (namespace, name));
                subjects.push(Subject::there(cluster, binding, group.zip(view), note));
            }
        }
        let is_there = |note: &&Found| {
            cluster.bindings().any(|it| {
                it.binding.flavour == Flavour::LoadBalancerController
                    && (&it.binding.namespace, &it.binding.name) == (&note.namespace, &note.binding)
            })
        };
        for note in notes().filter(|note| !is_there(note)).filter(|note| self.chooses(note)) {
            let arn = note.noted.as_ref().ok().map(|noted| &noted.arn);
            let group = groups.iter().find(|group| Some(group.arn) == arn);
            subjects.push(Subject::gone(cluster, note, group));
        }
        subjects.sort_by(|a, b| a.key().cmp(&b.key()));
        if !world.again {
            self.check_names(world, &subjects)?;
        }
        Ok(subjects)
    }

    /// Says whether a note is of a binding that was chosen.
    fn chooses(&self, note: &Found) -> bool {
        match &note.noted {
            Ok(noted) => self.selection.chooses_by_name(&noted.binding, Some(&noted.arn)),
            Err(_) => {
                let place = self.selection.namespace.as_ref();
                let named = |query: &NameQuery| {
                    query.name == note.binding
                        && matches!(query.kind, None | Some(QueryKind::Binding))
                };
                place.is_none_or(|namespace| *namespace == note.namespace)
                    && self.selection.names.iter().any(named)
            }
        }
    }

    /// Sees that every name is one of what was chosen.
    fn check_names(&self, world: &World, subjects: &[Subject<'_>]) -> Result<(), Mistake> {
        let chosen_alone = |query: &NameQuery| {
            let alone = Self {
                selection: Selection { names: vec![query.clone()], ..self.selection.clone() },
                ..self.clone()
            };
            let cluster = world.facts.clusters.iter().find(|it| it.context == self.context);
            let by_name = cluster
                .into_iter()
                .flat_map(|cluster| cluster.bindings())
                .any(|it| alone.selection.chooses_by_name(&it.binding, it.group.as_ref().ok()));
            by_name || world.notes.iter().flatten().any(|note| alone.chooses(note))
        };
        let unknown = self.selection.names.iter().find(|query| !chosen_alone(query));
        let place = match &self.selection.namespace {
            Some(namespace) => format!(" in namespace `{namespace}`"),
            None => String::new(),
        };
        let hint = "kubectl mctg status --all lists what there is";
        match unknown {
            Some(query) => Err(Mistake::new(format!(
                "no binding of context `{}` is called `{query}`{place}",
                self.context
            ))
            .hint(hint)),
            None if subjects.is_empty() && self.selection.names.is_empty() => {
                let message = format!("context `{}` has no such binding{place}", self.context);
                Err(Mistake::new(message).hint(hint))
            }
            None => Ok(()),
        }
    }
}

/// The manifests of the bindings that a plan takes out, for `kubectl apply` to bring them back: one
/// object, or a `List`; none where nothing is taken out.
pub fn saved(items: &[Item]) -> Option<Value> {
    let goes = |item: &&Item| item.changes_anything() && item.refusals().next().is_none();
    let mut manifests: Vec<Value> =
        items.iter().filter(goes).filter_map(|item| item.restores.clone()).collect();
    match manifests.len() {
        0 => None,
        1 => manifests.pop(),
        _ => Some(json!({"apiVersion": "v1", "kind": "List", "items": manifests})),
    }
}

/// How long a plan may well take: the longest of its groups' deregistration delays, and [`MARGIN`].
pub fn patience(items: &[Item]) -> Duration {
    items.iter().filter_map(|item| item.takes).max().unwrap_or(MARGIN)
}

#[cfg(test)]
mod tests;
