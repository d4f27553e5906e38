//! From what was named to its bindings, to the places that hold their flag, to every binding that those
//! decide. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::{KINDS, Request};
use crate::binding::{Binding, Flavour, OwnerKind};
use crate::change::Mistake;
use crate::facts::Silence;
use crate::flag::{self, Field, Said, Source};
use crate::objects::{Key, Kind, Object, Objects, ROUTES};
use crate::stack::{self, Wanted};

/// From how many Services of one namespace on, one list costs less than as many reads.
const LIST_INSTEAD_MIN: usize = 8;

/// What is named on the command line: `svc/web`, all of a kind, or a name alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Its kind; none takes the first that fits of binding, Service, Ingress, Gateway and routes.
    pub kind: Option<Kind>,
    /// Its name; none means all of the kind.
    pub name: Option<String>,
}

/// The words name nothing that has a flag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAsked {
    /// A kind that is not known, or has no flag.
    #[error(
        "`{0}` is no kind with a multi-cluster flag: use svc, ing, gateway, httproute (or another route) or tgb"
    )]
    UnknownKind(String),
    /// A kind with a slash and no name.
    #[error("`{0}/` needs a name")]
    NoName(String),
}

impl Asked {
    /// Reads names as kubectl does: `svc/a tgb/b`, `svc a b`, `svc` for all of them, `a`.
    ///
    /// # Errors
    ///
    /// The word that names nothing.
    pub fn parse(words: &[String]) -> Result<Vec<Self>, InvalidAsked> {
        let known = |word: &str| Kind::parse(word).filter(|kind| KINDS.contains(kind));
        if let Some((first, rest)) = words.split_first()
            && !first.contains('/')
            && let Some(kind) = known(first)
        {
            if rest.is_empty() {
                return Ok(vec![Self { kind: Some(kind), name: None }]);
            }
            if let Some(word) = rest.iter().find(|word| word.contains('/')) {
                return Err(InvalidAsked::UnknownKind(word.clone()));
            }
            let name = |name: &String| Self { kind: Some(kind), name: Some(name.clone()) };
            return Ok(rest.iter().map(name).collect());
        }
        let each = words.iter().map(|word| match word.split_once('/') {
            Some((kind, "")) => Err(InvalidAsked::NoName(kind.to_owned())),
            Some((kind, name)) => match known(kind) {
                Some(kind) => Ok(Self { kind: Some(kind), name: Some(name.to_owned()) }),
                None => Err(InvalidAsked::UnknownKind(kind.to_owned())),
            },
            None => Ok(Self { kind: None, name: Some(word.clone()) }),
        });
        each.collect()
    }

    fn fits(&self, key: &Key) -> bool {
        self.kind.is_none_or(|kind| kind == key.kind)
            && self.name.as_ref().is_none_or(|name| *name == key.name)
    }
}

/// Where a flag is switched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spot {
    /// A field of an object that is there.
    Field(Key, Field),
    /// A TargetGroupConfiguration that is to be made for this Service.
    Create(Key),
}

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

fn spot(source: &Source<'_>) -> Spot {
    Spot::Field(source.object.key.clone(), source.field.clone())
}

/// Says whether a place could have a say in a binding whose sources were not read.
fn may_decide(spot: &Spot, binding: &Binding) -> bool {
    match spot {
        Spot::Field(key, _) | Spot::Create(key) => {
            key.namespace == binding.namespace && binding.owner().is_some()
        }
    }
}

/// The places to switch for one binding of what was named; or why it is none of theirs.
fn spots(
    binding: &Binding,
    named: &Key,
    objects: &Objects,
    on: bool,
) -> Result<Result<BTreeSet<Spot>, String>, Silence> {
    let sources = flag::sources(binding, objects)?;
    let Some(owner) = binding.owner() else {
        return Ok(Ok(sources.iter().map(spot).collect()));
    };
    Ok(match owner.kind {
        OwnerKind::Service => Ok(sources.iter().map(spot).collect()),
        OwnerKind::Ingress | OwnerKind::IngressGroup if on => Ok(ingress_spot(&sources, named)),
        OwnerKind::Gateway if on => gateway_on(binding, &sources, objects)?,
        OwnerKind::Gateway => gateway_off(binding, &sources, objects)?,
        // Any of them that says on is enough to keep it on.
        OwnerKind::Ingress | OwnerKind::IngressGroup => {
            let says_on = sources.iter().filter(|it| it.said != Said::Nothing);
            Ok(says_on.map(spot).collect())
        }
    })
}

/// The one place of an Ingress or its Service: what was named, else the Ingress where it is the only one,
/// else the Service, which decides fewer bindings. One that says on already is enough.
fn ingress_spot(sources: &[Source<'_>], named: &Key) -> BTreeSet<Spot> {
    let ingresses = || sources.iter().filter(|it| it.object.key.kind == Kind::Ingress);
    let chosen = sources
        .iter()
        .find(|it| it.said == Said::On)
        .or_else(|| sources.iter().find(|it| it.object.key == *named))
        .or_else(|| ingresses().next().filter(|_| ingresses().count() == 1))
        .or_else(|| sources.iter().find(|it| it.object.key.kind == Kind::Service));
    chosen.map(spot).into_iter().collect()
}

/// Of a Gateway's places those of the Service's own configuration that say no, and its default.
fn gateway_on(
    binding: &Binding,
    sources: &[Source<'_>],
    objects: &Objects,
) -> Result<Result<BTreeSet<Spot>, String>, Silence> {
    if flag::asked(binding, sources) == Some(true) {
        let first = sources.iter().find(|it| it.said == Said::On);
        return Ok(Ok(first.map(spot).into_iter().collect()));
    }
    let service = stack::service(binding);
    let Some(own) = flag::configuration(&service, objects)? else {
        return Ok(Ok(BTreeSet::from([Spot::Create(service)])));
    };
    let is_own = |it: &&Source<'_>| it.object.key == own.key;
    let by_route = sources.iter().filter(is_own).filter(|it| matches!(it.field, Field::Route(_)));
    let mut spots: BTreeSet<Spot> = by_route.map(spot).collect();
    if spots.is_empty() {
        spots.extend(sources.iter().filter(is_own).map(spot));
    }
    Ok(Ok(spots))
}

fn gateway_off(
    binding: &Binding,
    sources: &[Source<'_>],
    objects: &Objects,
) -> Result<Result<BTreeSet<Spot>, String>, Silence> {
    let own = flag::configuration(&stack::service(binding), objects)?;
    let is_own = |it: &Source<'_>| own.is_some_and(|own: &Object| own.key == it.object.key);
    let on = || sources.iter().filter(|it| it.said == Said::On);
    if let Some(elsewhere) = on().find(|it| !is_own(it)) {
        return Ok(Err(format!(
            "the flag is on in {}, the default of a whole Gateway: switch it off there",
            elsewhere.object.key
        )));
    }
    Ok(Ok(on().map(spot).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_flag_is_named_as_kubectl_names_it() {
        let parse = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
            let asked = Asked::parse(&words).map_err(|error| error.to_string())?;
            let text = |it: &Asked| {
                let kind = it.kind.map_or("?", Kind::as_str);
                format!("{kind}/{}", it.name.as_deref().unwrap_or("*"))
            };
            Ok::<_, String>(asked.iter().map(text).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(parse("svc/a tgb/b").unwrap(), "Service/a TargetGroupBinding/b");
        assert_eq!(parse("ing a b").unwrap(), "Ingress/a Ingress/b");
        assert_eq!(parse("httproutes").unwrap(), "HTTPRoute/*");
        assert_eq!(parse("a").unwrap(), "?/a");
        assert_eq!(parse("").unwrap(), "");
        assert!(parse("pod/a").unwrap_err().contains("`pod` is no kind"));
        assert!(parse("gatewayclass/a").unwrap_err().contains("no kind"));
        assert!(parse("svc/").unwrap_err().contains("needs a name"));
    }
}
