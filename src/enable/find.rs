//! From what was named to its bindings, to the places that hold their flag, to every binding that those
//! decide. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::asked::Asked;
use super::spots::{Spot, may_decide, spot, spots};
use super::{KINDS, Request};
use crate::binding::{Binding, Flavour, OwnerKind};
use crate::change::Mistake;
use crate::facts::Silence;
use crate::flag;
use crate::objects::{Key, Kind, Objects, ROUTES};
use crate::stack::{self, Wanted};

/// From how many Services of one namespace on, one list costs less than as many reads.
const LIST_INSTEAD_MIN: usize = 8;

/// One thing that is named, and what switching it comes to.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    /// The object that is named.
    pub(super) key: Key,
    /// The places to switch.
    pub(super) spots: BTreeSet<Spot>,
    /// Its own bindings, and every other one that these places decide: namespace and name.
    pub(super) concerned: BTreeSet<(String, String)>,
    /// Its own bindings whose places are not to be switched here, and why.
    pub(super) foreign: Vec<String>,
    /// What could not be read and decides.
    pub(super) silences: Vec<Silence>,
}

/// Says what is still to be read to find what was named, and to switch it.
pub(super) fn wanted(request: &Request, bindings: &[Binding], objects: &Objects) -> Wanted {
    let relevant = relevant(request, bindings);
    let owners: Vec<_> =
        relevant.iter().filter_map(|it| Some((it.owner()?, Some(stack::service(it))))).collect();
    let owners = owners.iter().map(|(owner, service)| (owner, service.clone()));
    let mut wanted = stack::wanted(owners, objects, true);
    let mut services: BTreeMap<&str, BTreeSet<Key>> = BTreeMap::new();
    for binding in &relevant {
        services.entry(&binding.namespace).or_default().insert(stack::service(binding));
        if binding.owner().is_none() {
            wanted.all(Kind::TargetGroupBinding, Some(&binding.namespace));
        }
    }
    for (namespace, services) in services {
        if services.len() >= LIST_INSTEAD_MIN {
            wanted.all(Kind::Service, Some(namespace));
        } else {
            wanted.single.extend(services);
        }
    }
    if let Some(namespace) = &request.namespace {
        for asked in &request.names {
            if let (Some(kind), Some(name)) = (asked.kind, &asked.name) {
                wanted.single.insert(Key::new(kind, namespace, name));
            }
        }
    }
    wanted.beyond(objects)
}

/// The bindings that may be meant, or decided by what decides those.
fn relevant<'a>(request: &Request, bindings: &'a [Binding]) -> Vec<&'a Binding> {
    let asks_route =
        request.names.iter().any(|it| it.kind.is_none_or(|kind| ROUTES.contains(&kind)));
    let may_be_meant = |it: &&Binding| {
        let Some(namespace) = &request.namespace else { return true };
        let owner = it.owner();
        it.namespace == *namespace
            || owner.is_some_and(|owner| {
                let is_gateway = owner.kind == OwnerKind::Gateway;
                owner.namespace.as_ref() == Some(namespace) || (asks_route && is_gateway)
            })
    };
    let namespaces: BTreeSet<&str> =
        bindings.iter().filter(may_be_meant).map(|it| it.namespace.as_str()).collect();
    bindings.iter().filter(|it| namespaces.contains(it.namespace.as_str())).collect()
}

/// Finds what was named.
///
/// # Errors
///
/// A name of nothing that is there.
pub(super) fn subjects(
    request: &Request,
    on: bool,
    bindings: &[Binding],
    objects: &Objects,
) -> Result<Vec<Subject>, Mistake> {
    let relevant = relevant(request, bindings);
    let mut by_key: BTreeMap<Key, Vec<&Binding>> = BTreeMap::new();
    for binding in &relevant {
        for key in names(binding, objects) {
            by_key.entry(key).or_default().push(binding);
        }
    }
    let here = |key: &Key| request.namespace.as_ref().is_none_or(|it| *it == key.namespace);
    by_key.retain(|key, _| here(key));
    let mut keys: Vec<Key> = Vec::new();
    for asked in &request.names {
        keys.extend(meant(asked, request, &by_key, objects)?);
    }
    if request.names.is_empty() {
        keys.extend(relevant.iter().flat_map(|it| usual_names(it, objects)).filter(here));
    }
    let mut told = BTreeSet::new();
    keys.retain(|key| told.insert(key.clone()));
    let labelled = |key: &Key| -> bool {
        let labels = match objects.get(key) {
            Ok(Some(object)) => object.labels.clone(),
            _ => BTreeMap::new(),
        };
        request.labels.selects(&labels)
    };
    let chosen = keys.into_iter().filter(labelled);
    let subject = |key: Key| {
        let own = by_key.get(&key).cloned().unwrap_or_default();
        subject(key, &own, &relevant, objects, on)
    };
    Ok(chosen.map(subject).collect())
}

/// The objects that one word means.
fn meant(
    asked: &Asked,
    request: &Request,
    by_key: &BTreeMap<Key, Vec<&Binding>>,
    objects: &Objects,
) -> Result<Vec<Key>, Mistake> {
    let Some(name) = &asked.name else {
        return Ok(by_key.keys().filter(|key| asked.fits(key)).cloned().collect());
    };
    if let (Some(kind), Some(namespace)) = (asked.kind, &request.namespace) {
        let key = Key::new(kind, namespace, name);
        if by_key.contains_key(&key) {
            return Ok(vec![key]);
        }
        return match objects.get(&key) {
            Ok(None) => Err(not_there(asked, request, by_key)),
            // It is there, or may be: what it lacks is told with its item.
            Ok(Some(_)) | Err(_) => Ok(vec![key]),
        };
    }
    let is_fit = |kind: Kind| {
        let keys = by_key.keys().filter(move |key| key.kind == kind && asked.fits(key));
        keys.cloned().collect::<Vec<_>>()
    };
    let order = [Kind::TargetGroupBinding].into_iter().chain(KINDS);
    let found = order.map(is_fit).find(|keys| !keys.is_empty());
    found.ok_or_else(|| not_there(asked, request, by_key))
}

fn not_there(asked: &Asked, request: &Request, by_key: &BTreeMap<Key, Vec<&Binding>>) -> Mistake {
    let name = asked.name.as_deref().unwrap_or_default();
    let what = match asked.kind {
        Some(kind) => format!("{} `{}`", kind.as_str(), crate::error::escape(name)),
        None => format!("object with bindings called `{}`", crate::error::escape(name)),
    };
    let place = match &request.namespace {
        Some(namespace) => format!(" in namespace `{}`", crate::error::escape(namespace)),
        None => String::new(),
    };
    let mistake = Mistake::new(format!("no {what}{place} of context `{}`", request.context));
    let mut known: Vec<String> = by_key
        .keys()
        .filter(|key| asked.kind.is_none_or(|kind| kind == key.kind))
        .map(|key| format!("{}/{}", key.kind.word(), key.name))
        .collect();
    known.dedup();
    known.truncate(5);
    if known.is_empty() {
        mistake.hint("-n names another namespace, --context another cluster")
    } else {
        mistake.hint(format!("there is {}", known.join(", ")))
    }
}

/// Everything that a binding can be named by.
fn names(binding: &Binding, objects: &Objects) -> BTreeSet<Key> {
    let service = stack::service(binding);
    let own = Key::new(Kind::TargetGroupBinding, &binding.namespace, &binding.name);
    let mut names = BTreeSet::from([own, service.clone()]);
    if let Some(owner) = binding.owner() {
        names.extend(owner.key());
        let ingresses = stack::ingresses(&owner, binding, objects).unwrap_or_default();
        names.extend(ingresses.into_iter().map(|it| it.key.clone()));
        if let (OwnerKind::Gateway, Some(gateway)) = (owner.kind, owner.key()) {
            let routes = stack::routes(&gateway, &service, objects).unwrap_or_default();
            names.extend(routes.into_iter().map(|it| it.key.clone()));
        }
    }
    names
}

/// What a binding is named by where nothing is named: what it was made for, else itself.
fn usual_names(binding: &Binding, objects: &Objects) -> Vec<Key> {
    let Some(owner) = binding.owner() else {
        return vec![Key::new(Kind::TargetGroupBinding, &binding.namespace, &binding.name)];
    };
    match owner.kind {
        OwnerKind::Service | OwnerKind::Gateway => owner.key().into_iter().collect(),
        OwnerKind::Ingress | OwnerKind::IngressGroup => {
            let ingresses = stack::ingresses(&owner, binding, objects).unwrap_or_default();
            ingresses.into_iter().map(|it| it.key.clone()).collect()
        }
    }
}

fn subject(
    key: Key,
    own: &[&Binding],
    relevant: &[&Binding],
    objects: &Objects,
    on: bool,
) -> Subject {
    let mut subject = Subject {
        spots: BTreeSet::new(),
        concerned: own.iter().map(|it| place(it)).collect(),
        foreign: Vec::new(),
        silences: Vec::new(),
        key,
    };
    for binding in own.iter().filter(|it| it.flavour == Flavour::LoadBalancerController) {
        match spots(binding, &subject.key, objects, on) {
            Ok(Ok(spots)) => subject.spots.extend(spots),
            Ok(Err(why)) => subject.foreign.push(why),
            Err(silence) => subject.silences.push(silence),
        }
    }
    subject.foreign.dedup();
    for binding in relevant.iter().filter(|it| it.flavour == Flavour::LoadBalancerController) {
        let is_decided = match flag::sources(binding, objects) {
            Ok(sources) => sources.iter().any(|it| subject.spots.contains(&spot(it))),
            // Who knows what decides it: where it could be decided here, that is not known.
            Err(silence) => {
                let may_be = subject.spots.iter().any(|spot| may_decide(spot, binding));
                if may_be && !subject.silences.contains(&silence) {
                    subject.silences.push(silence);
                }
                may_be
            }
        };
        let is_made = |spot: &Spot| match spot {
            Spot::Create(service) => {
                *service == stack::service(binding)
                    && binding.owner().is_some_and(|it| it.kind == OwnerKind::Gateway)
            }
            Spot::Field(..) => false,
        };
        if is_decided || subject.spots.iter().any(is_made) {
            subject.concerned.insert(place(binding));
        }
    }
    subject
}

fn place(binding: &Binding) -> (String, String) {
    (binding.namespace.clone(), binding.name.clone())
}
