//! Reads what `unbind` decides by: the world, its own notes, and what bindings left that are gone.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::item::Subject;
use super::note::{self, Found};
use super::{Unbind, World};
use crate::binding::Flavour;
use crate::cluster::{Cluster, StoredNote};
use crate::elbv2::{Access, LoadBalancers};
use crate::facts::{BindingFacts, Facts, Reading, Silence, SilenceReason};
use crate::ledger;
use crate::observe::{self, Detail, Scope, holders};
use crate::selection::QueryKind;
use crate::view;

pub(super) async fn look<C: Cluster, L: LoadBalancers>(
    verb: &Unbind,
    clusters: &[C],
    load_balancers: &L,
    clock: &(impl Fn() -> Timestamp + Sync),
    again: bool,
) -> World {
    let acting = clusters.iter().find(|cluster| cluster.context() == verb.context);
    let notes = match acting {
        Some(cluster) => notes(verb, cluster).await,
        None => Ok(Vec::new()),
    };
    let noted = notes.iter().flatten().filter_map(|note| note.noted.as_ref().ok());
    let groups =
        noted.filter(|noted| verb.selection.chooses_by_name(&noted.binding, Some(&noted.arn)));
    let access = |spec, region| Access::of(&verb.context, spec, region);
    let groups = groups
        .map(|noted| (noted.arn.clone(), access(&noted.binding.spec, noted.arn.region())))
        .collect();
    let scope = Scope {
        selection: verb.selection.clone(),
        detail: if again { Detail::TargetsOnly } else { Detail::Polite },
        narrowed: verb.narrowed,
        left_out: verb.left_out.clone(),
        groups,
        acting: BTreeSet::from([verb.context.clone()]),
        ..Scope::default()
    };
    let facts = observe::observe(clusters, load_balancers, &scope, clock).await;
    let (ledgers, unproven) = (BTreeMap::new(), BTreeMap::new());
    let mut world = World { facts, notes, ledgers, unproven, again };
    if let Some(cluster) = acting {
        of_gone(&mut world, verb, cluster).await;
    }
    world
}

/// Finds the notes by their label; where that may not be listed, those of the names asked for.
async fn notes<C: Cluster>(verb: &Unbind, cluster: &C) -> Reading<Vec<Found>> {
    let namespace = verb.selection.namespace.as_deref();
    let listed = cluster.notes(namespace).await;
    let (Err(silence), Some(namespace)) = (&listed, namespace) else {
        return Ok(listed?.iter().filter_map(Found::of).collect());
    };
    let named = verb.selection.names.iter();
    let by_binding = |kind| matches!(kind, None | Some(QueryKind::Binding));
    if verb.selection.names.iter().any(|query| !by_binding(query.kind)) {
        return Err(silence.clone());
    }
    let mut found = Vec::new();
    for query in named {
        let name = note::name(&query.name);
        if let Some(note) = cluster.note(namespace, &name).await? {
            let stored = StoredNote { namespace: namespace.to_owned(), name, note };
            found.extend(Found::of(&stored));
        }
    }
    Ok(found)
}

/// Reads what is left of bindings that are gone: their ledgers, and who holds the addresses of their
/// targets where that is asked about.
async fn of_gone<C: Cluster>(world: &mut World, verb: &Unbind, cluster: &C) {
    let flavour = Flavour::LoadBalancerController;
    let is_there = |note: &Found| {
        let same = |it: &BindingFacts| {
            it.binding.flavour == flavour
                && (&it.binding.namespace, &it.binding.name) == (&note.namespace, &note.binding)
        };
        of_context(&world.facts, &verb.context).is_some_and(|it| it.bindings().any(same))
    };
    let gone: Vec<&Found> = world.notes.iter().flatten().filter(|note| !is_there(note)).collect();
    if gone.is_empty() {
        return;
    }
    // Where only some namespaces were read, what was not found there may be in another.
    let in_full = of_context(&world.facts, &verb.context).is_some_and(|it| it.hidden.is_empty());
    let mut unproven = BTreeMap::new();
    for note in gone.iter().filter(|_| !in_full) {
        let key = (note.namespace.clone(), note.binding.clone());
        match cluster.bindings(flavour, Some(&note.namespace)).await {
            Err(silence) => {
                unproven.insert(key, silence);
            }
            Ok(bindings) if bindings.iter().any(|it| it.name == note.binding) => {
                let message = "it is in a namespace that was not read with the others";
                unproven.insert(key, Silence::new(SilenceReason::NotAsked, message));
            }
            Ok(_) => {}
        }
    }
    let key = |note: &&Found| (note.namespace.clone(), ledger::name(flavour, &note.binding));
    let ledgers = cluster.ledgers(&gone.iter().map(key).collect()).await;
    let by_binding = gone.iter().filter_map(|note| {
        let ledger = ledgers.get(&key(note))?.clone();
        Some(((note.namespace.clone(), note.binding.clone()), ledger))
    });
    let ledgers: BTreeMap<_, _> = by_binding.collect();
    let addresses = questions(world, verb, &gone);
    (world.ledgers, world.unproven) = (ledgers, unproven);
    if !addresses.is_empty() {
        let held = holders::holders(cluster, &addresses).await;
        let context = &verb.context;
        if let Some(facts) = world.facts.clusters.iter_mut().find(|it| it.context == *context) {
            facts.holders.extend(held);
        }
    }
}

fn questions(world: &World, verb: &Unbind, gone: &[&Found]) -> BTreeSet<String> {
    let Some(cluster) = of_context(&world.facts, &verb.context) else { return BTreeSet::new() };
    let groups = view::groups(&world.facts);
    let mut addresses = BTreeSet::new();
    for note in gone {
        let Ok(noted) = &note.noted else { continue };
        let group = groups.iter().find(|group| *group.arn == noted.arn);
        let subject = Subject::gone(cluster, note, group);
        if let Some(of) = subject.of(world) {
            addresses.extend(of.questions(&noted.targets));
        }
    }
    addresses
}

fn of_context<'w>(facts: &'w Facts, context: &str) -> Option<&'w crate::facts::ClusterFacts> {
    facts.clusters.iter().find(|cluster| cluster.context == context)
}
