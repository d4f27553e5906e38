//! One item for each Service and group: checks, the binding, what comes of it. Pure.

use std::time::Duration;

use super::after::{self, After};
use super::candidate::{self, Candidate};
use super::networking::{self, Found, Origin};
use super::preflight::{self, Subject};
use super::world::World;
use super::{Groups, NAME_MAX, OldLedger, Request, Services, goals, manifest};
use crate::binding::{OwnerKind, TargetType};
use crate::change::{Change, Item, Manifest, Mistake, Verdict};
use crate::endpoints::Endpoints;
use crate::facts::Facts;
use crate::findings::{counted, quoted};
use crate::ledger;
use crate::owner::{self, Standing};
use crate::unbind;
use crate::view::GroupView;

/// Plans what was asked for.
pub(super) fn plan(
    request: &Request,
    world: &World,
    waited: Duration,
) -> Result<Vec<Item>, Mistake> {
    sanity(request, world)?;
    let candidates = candidate::all(request, world);
    if candidates.is_empty()
        && let (Groups::From(from), Services::Chosen { .. }) = (&request.groups, &request.services)
    {
        if let Some(silence) = candidate::source_silence(request, world) {
            let message = format!("what {from} shares is not known: {silence}");
            return Err(Mistake::unread(message));
        }
        let message = format!(
            "nothing to bind: {from} shares no target group of a Service that is chosen and exists in {} too",
            request.context
        );
        return Err(
            Mistake::new(message).hint(format!("kubectl mctg status --context {}", quoted(from)))
        );
    }
    Ok(candidates.iter().map(|candidate| item(request, world, candidate, waited)).collect())
}

/// The bindings as they are to be, but for what a check forbids.
pub(super) fn manifests(request: &Request, world: &World) -> Vec<Manifest> {
    let candidates = candidate::all(request, world);
    let allowed = candidates.iter().filter(|candidate| {
        let item = item(request, world, candidate, Duration::ZERO);
        item.refusals().next().is_none()
    });
    allowed.filter_map(|candidate| manifest::of(request, world, candidate)).collect()
}

/// What makes no sense whatever the world is like.
fn sanity(request: &Request, world: &World) -> Result<(), Mistake> {
    if let Some(name) = &request.name {
        if !is_name(name) {
            return Err(Mistake::new(format!(
                "`{name}` is no name for a binding: up to {NAME_MAX} lower-case letters, digits, `-` and `.`, as its \
                 ledger's name is longer"
            )));
        }
        let several = match (&request.services, &request.groups) {
            (Services::Named(names), Groups::Arns(arns)) => names.len().max(arns.len()) > 1,
            (Services::Named(names), Groups::From(_)) => names.len() > 1,
            (Services::Chosen { .. }, _) => true,
        };
        if several {
            return Err(Mistake::new("--name is for one binding, and several were asked for"));
        }
    }
    if let Groups::From(from) = &request.groups
        && let (Some(here), Some(there)) = (world.cluster(&request.context), world.cluster(from))
        && here.context == there.context
    {
        return Err(Mistake::new(format!(
            "--from {from} is the cluster that --context {} writes to",
            request.context
        )));
    }
    Ok(())
}

/// Says whether a text can name an object that has a ledger.
pub(super) fn is_name(text: &str) -> bool {
    let is_part = |part: &str| {
        let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        !part.is_empty()
            && part.chars().all(is_inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= NAME_MAX && text.split('.').all(is_part)
}

fn item(request: &Request, world: &World, candidate: &Candidate<'_>, waited: Duration) -> Item {
    let mut item = Item::new(&request.context, &candidate.namespace, candidate.named());
    item.arn.clone_from(&candidate.arn);
    let manifest = manifest::of(request, world, candidate);
    item.binding = manifest.as_ref().map(|manifest| manifest.name.clone());
    let group = candidate.arn.as_ref().and_then(|arn| world.facts.groups.get_key_value(arn));
    let view = group.map(|(arn, group)| GroupView::new(&world.facts, arn, group));
    let offer = offer(world, candidate, manifest.as_ref());
    let here = world.cluster(&request.context);
    let after = match (here, &candidate.arn, &manifest, offer) {
        (Some(here), Some(arn), Some(manifest), Some(Ok(offer))) => {
            After::of(&world.facts, here, arn, manifest, offer)
        }
        _ => None,
    };
    let subject = Subject {
        request,
        world,
        candidate,
        here,
        view: view.as_ref(),
        manifest: manifest.as_ref(),
        offer,
        after: after.as_ref(),
    };
    item.checks = preflight::checks(&subject);
    let Some(manifest) = &manifest else { return item };
    if is_done(candidate, manifest) {
        // What would forbid it now forbids nothing any more.
        for check in item.checks.iter_mut().filter(|check| check.verdict != Verdict::Passed) {
            check.verdict = Verdict::Warning;
        }
    } else {
        item.changes = changes(request, world, candidate, manifest);
    }
    details(&mut item, &subject);
    if let Some(view) = &view {
        item.goals = goals::of(manifest, candidate.existing, view, waited);
        item.conclusion = conclusion(request, world, candidate, view);
    }
    item.next = Vec::new();
    let place = format!("-n {}", candidate.namespace);
    item.next("next", format!("kubectl mctg status {} {place}", candidate.named()));
    if !item.changes.is_empty() || candidate.existing.is_some() {
        let undo = unbind::line(&candidate.namespace, &manifest.name, &request.context);
        item.next("undo", undo);
    }
    let is_own = candidate.existing.is_none_or(|existing| existing.binding.owner().is_none());
    if let Some(arn) = candidate.arn.as_ref().filter(|_| is_own) {
        item.next("Git", git_line(request, candidate, arn.as_str()));
    }
    item
}

/// The line that prints the manifest for Git.
fn git_line(request: &Request, candidate: &Candidate<'_>, arn: &str) -> String {
    let (named, namespace) = (candidate.named(), &candidate.namespace);
    let mut line = format!("kubectl mctg bind {named} -n {namespace}");
    match &request.groups {
        Groups::From(from) => line.push_str(&format!(" --from {}", quoted(from))),
        Groups::Arns(_) => line.push_str(&format!(" --target-group-arn {arn}")),
    }
    line.push_str(&format!(" --context {}", quoted(&request.context)));
    if let Some(port) = &request.port {
        line.push_str(&format!(" --port {}", quoted(&port.to_string())));
    }
    if let Some(name) = &request.name {
        line.push_str(&format!(" --name {name}"));
    }
    match &request.sources {
        super::Sources::Found => {}
        super::Sources::Unmanaged => line.push_str(" --no-networking"),
        super::Sources::Given(peers) => {
            for peer in peers {
                if let Some(group) = &peer.security_group {
                    line.push_str(&format!(" --source-security-group {}", quoted(&group.group_id)));
                }
                if let Some(block) = &peer.ip_block {
                    line.push_str(&format!(" --source-cidr {}", quoted(&block.cidr)));
                }
            }
        }
    }
    if let Some(role) = &request.role {
        line.push_str(&format!(" --assume-role-arn {}", quoted(&role.arn)));
        if let Some(id) = &role.external_id {
            line.push_str(&format!(" --external-id {}", quoted(id)));
        }
    }
    line.push_str(" --dry-run=client -o yaml");
    line
}

/// What the binding's endpoints ask for: as read where it is there already, else as they would.
pub(super) fn offer<'a>(
    world: &'a World,
    candidate: &Candidate<'a>,
    manifest: Option<&Manifest>,
) -> Option<Result<&'a Endpoints, &'a crate::endpoints::Unresolved>> {
    match (candidate.existing, manifest) {
        (Some(existing), Some(manifest)) if existing.binding.spec == manifest.spec => {
            Some(existing.endpoints.as_ref())
        }
        _ => world.offers.get(&candidate.key()).map(Result::as_ref),
    }
}

/// Says whether the binding is there, and as it is to be.
pub(super) fn is_done(candidate: &Candidate<'_>, manifest: &Manifest) -> bool {
    candidate.existing.is_some_and(|existing| {
        existing.binding.spec == manifest.spec
            && manifest.spec.multi_cluster_target_group
            && !existing.binding.is_being_deleted()
    })
}

fn changes(
    request: &Request,
    world: &World,
    candidate: &Candidate<'_>,
    manifest: &Manifest,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let configmap = ledger::name(crate::binding::Flavour::LoadBalancerController, &manifest.name);
    let key = (manifest.namespace.clone(), configmap);
    if candidate.existing.is_none()
        && request.ledger == OldLedger::Discarded
        && let Some(Ok(Some(ledger))) = world.ledgers.get(&key)
    {
        changes.push(Change::DeleteLedger {
            namespace: key.0,
            name: key.1,
            version: ledger.version.clone(),
        });
    }
    let takes_over = candidate.existing.is_some();
    changes.push(Change::ApplyBinding { manifest: manifest.clone(), takes_over });
    changes
}

fn details(item: &mut Item, subject: &Subject<'_>) {
    let Subject { candidate, manifest, offer, after, .. } = subject;
    let Some(manifest) = manifest else { return };
    if let (Some(Ok(offer)), Ok(port)) = (offer, &candidate.port) {
        let number = offer.registrable().count();
        let named = candidate.named();
        let text = match manifest.spec.target_type {
            Some(TargetType::Instance) => {
                format!("{} of {named}, node port {}", counted(number, "node"), port.node_port)
            }
            _ => {
                let name =
                    if port.name.is_empty() { String::new() } else { format!(" ({})", port.name) };
                format!("{} of {named}, port {}{name}", counted(number, "ready pod"), port.port)
            }
        };
        item.detail("targets", text);
    }
    if let Some(existing) = candidate.existing {
        for line in manifest::differences(&existing.binding.spec, &manifest.spec) {
            item.detail("differs", line);
        }
    } else {
        let rules = networking::describe(manifest.spec.networking.as_ref());
        let text = match networking::find(subject.request, subject.world, candidate) {
            Found::Peers(_, Origin::Bindings(bindings)) => {
                let contexts: std::collections::BTreeSet<String> =
                    bindings.into_iter().map(|it| it.context).collect();
                let contexts: Vec<String> = contexts.into_iter().collect();
                format!("{rules}, as in {}", networking::join(&contexts))
            }
            Found::Peers(_, Origin::LoadBalancer(name)) => {
                format!("{rules}, the load balancer {name}'s")
            }
            Found::Peers(_, Origin::Given) => rules,
            Found::Unmanaged => "nothing: --no-networking leaves that to others".to_owned(),
            Found::Nothing | Found::Unknown(_) => "not known".to_owned(),
        };
        item.detail("allow", text);
    }
    if let Some(after) = after {
        item.detail("after", after.line());
        if let Some(line) = after.threshold_line() {
            item.detail("health", line);
        }
    }
}

/// What holds once it is done: who serves what.
fn conclusion(
    request: &Request,
    world: &World,
    candidate: &Candidate<'_>,
    view: &GroupView<'_>,
) -> String {
    let here = world.cluster(&request.context).map(|cluster| cluster.context.clone());
    let shares = after::by_context(&world.facts, view.arn);
    let share = here.and_then(|here| shares.get(&here).copied().flatten());
    match share {
        Some(share) => format!(
            "{} serves about {} of {}.",
            request.context,
            after::percent(share),
            candidate.named()
        ),
        None => String::new(),
    }
}

/// Whose the load balancer is, where that is one answer.
pub(super) fn preface(world: &World) -> Vec<String> {
    let mut owners: Vec<String> = Vec::new();
    for (arn, group) in &world.facts.groups {
        let view = GroupView::new(&world.facts, arn, group);
        let told = owner(&world.facts, &view).unwrap_or_default();
        if !owners.contains(&told) {
            owners.push(told);
        }
    }
    match &owners[..] {
        [only] if !only.is_empty() => vec![format!("The load balancer belongs to {only}.")],
        _ => Vec::new(),
    }
}

fn owner(facts: &Facts, view: &GroupView<'_>) -> Option<String> {
    let Standing::Read(context) = owner::standing(facts, view) else { return None };
    let of_context = view.bindings.iter().filter(|it| it.cluster.context == context);
    let owner = of_context.filter_map(|it| it.facts.binding.owner()).next();
    Some(match owner {
        Some(owner) => {
            let kind = match owner.kind {
                OwnerKind::Service => "svc/",
                OwnerKind::Ingress => "ing/",
                OwnerKind::IngressGroup => "the Ingress group ",
                OwnerKind::Gateway => "gateway/",
            };
            format!("{kind}{} in {context}", owner.name)
        }
        None => context,
    })
}
