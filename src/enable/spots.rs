//! The places where a binding's flag is switched. Pure.

use std::collections::BTreeSet;

use crate::binding::{Binding, OwnerKind};
use crate::facts::Silence;
use crate::flag::{self, Field, Said, Source};
use crate::objects::{Key, Kind, Object, Objects};
use crate::stack;

/// Where a flag is switched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spot {
    /// A field of an object that is there.
    Field(Key, Field),
    /// A TargetGroupConfiguration that is to be made for this Service.
    Create(Key),
}

/// The places to switch for one binding of what was named; or why it is none of theirs.
pub(super) fn spots(
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

pub(super) fn spot(source: &Source<'_>) -> Spot {
    Spot::Field(source.object.key.clone(), source.field.clone())
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

/// Says whether a place could have a say in a binding whose sources were not read.
pub(super) fn may_decide(spot: &Spot, binding: &Binding) -> bool {
    match spot {
        Spot::Field(key, _) | Spot::Create(key) => {
            key.namespace == binding.namespace && binding.owner().is_some()
        }
    }
}
