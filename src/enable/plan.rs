//! What switching a flag comes to: checks, patches, and what must come of them. Pure.

use std::time::Duration;

use super::case::{Case, Concerned};
use super::{Request, World, checks, find, goals, patches};
use crate::change::{Change, Check, Item, Mistake, Verdict};
use crate::facts::Silence;
use crate::findings::{counted, quoted};
use crate::objects::{Key, Kind};
use crate::protection;
use crate::view;

/// Plans everything that was named.
///
/// # Errors
///
/// A name of nothing that is there, or nothing to do at all.
pub(super) fn plan(
    request: &Request,
    on: bool,
    world: &World,
    waited: Duration,
) -> Result<Vec<Item>, Mistake> {
    let bindings = match &world.bindings {
        Ok(bindings) => bindings,
        Err(silence) => return Ok(unread(request, silence)),
    };
    let subjects = find::subjects(request, on, bindings, &world.objects)?;
    if subjects.is_empty() {
        let place = request.namespace.as_ref().map_or_else(
            || format!("context `{}`", request.context),
            |it| format!("namespace `{it}` of context `{}`", request.context),
        );
        return Err(Mistake::new(format!("nothing with a target group was found in {place}"))
            .hint("-n names another namespace, -A takes all, --context another cluster"));
    }
    let views = view::groups(&world.facts);
    let planned = subjects.iter().map(|subject| {
        let case = Case::new(request, world, subject, bindings, &views);
        if on { enable(&case, waited) } else { disable(&case) }
    });
    Ok(planned.collect())
}

/// The items of a cluster that could not be read.
fn unread(request: &Request, silence: &Silence) -> Vec<Item> {
    let namespace = request.namespace.clone().unwrap_or_default();
    let item = |name: String| {
        let mut item = Item::new(&request.context, &namespace, name);
        item.check(Check::new("Bindings", Verdict::Unknown, silence.message.clone()));
        item
    };
    let named = request.names.iter().map(|asked| {
        let name = asked.name.clone().unwrap_or_else(|| "all".to_owned());
        item(asked.kind.map_or_else(|| name.clone(), |kind| format!("{}/{name}", kind.short())))
    });
    let all = request.names.is_empty().then(|| item("all".to_owned()));
    named.chain(all).collect()
}

fn item(case: &Case<'_>) -> Item {
    let Key { kind, namespace, name } = &case.subject.key;
    let mut item = Item::new(&case.request.context, namespace, format!("{}/{name}", kind.short()));
    if let [only] = case.concerned.as_slice() {
        item.binding = Some(only.binding.name.clone());
    }
    item.arn = case.concerned.first().and_then(|it| it.view).map(|(group, _)| group.arn.clone());
    if case.concerned.is_empty() {
        let message = format!("{} has no TargetGroupBinding", case.subject.key);
        let hint = "its controller makes one once it asks for a load balancer: kubectl describe tells why not";
        item.check(Check::refused("NoBinding", message).hint(hint));
    }
    item
}

fn enable(case: &Case<'_>, waited: Duration) -> Item {
    let mut item = item(case);
    let mut patches = patches::switches(case, true);
    let creations = patches::creations(case);
    checks::switchable(case).into_iter().for_each(|check| item.check(check));
    if !patches.is_empty() || !creations.is_empty() {
        before_enable(case, &mut item);
    }
    let protects = patches::protect(case, &mut patches, &mut item);
    for patch in patches.values() {
        patches::describe(patch, &mut item);
        if let Some(check) = checks::managed(case, patch) {
            item.check(check);
        }
    }
    let bindings = counted(case.concerned.len(), "binding");
    if !patches.is_empty() || !creations.is_empty() {
        item.detail("decides", bindings);
    }
    item.changes = creations;
    item.changes.extend(patches.into_values().map(Change::PatchOwner));
    goals::enable(case, protects, waited, &mut item);
    let request = case.request;
    let place = format!("-n {} --context {}", item.namespace, quoted(&request.context));
    if case.concerned.iter().all(Concerned::is_on) {
        item.conclusion =
            format!("{} is multi-cluster: other clusters can bind its target group.", item.name);
    }
    let no_controller = !case.has_controller();
    if no_controller && item.open_goal().is_none() {
        let context = quoted(&request.context);
        let words = case.words();
        item.next(
            "next",
            format!("kubectl mctg reconcile {words} --context {context} --via direct"),
        );
    } else {
        item.next("next", format!("kubectl mctg status {}", case.words()));
    }
    if case.concerned.iter().all(Concerned::is_on)
        && let Some(other) = joins(case)
    {
        let Key { namespace, name, .. } = &case.subject.key;
        let (from, other) = (quoted(&request.context), quoted(other));
        let line =
            format!("kubectl mctg bind svc/{name} -n {namespace} --from {from} --context {other}");
        item.next("", line);
    }
    item.next("undo", format!("kubectl mctg disable {} {place}", item.name));
    item
}

/// The first other context that binds none of the groups of a Service yet, as far as it was read.
fn joins<'a>(case: &'a Case<'_>) -> Option<&'a str> {
    if case.subject.key.kind != Kind::Service {
        return None;
    }
    let groups: Vec<_> =
        case.concerned.iter().map(|it| it.view.map(|(group, _)| group)).collect::<Option<_>>()?;
    let is_free = |context: &str| {
        let mut bindings = groups.iter().flat_map(|group| &group.bindings);
        !groups.is_empty() && bindings.all(|it| it.cluster.context != context)
    };
    let clusters = case.world.facts.clusters.iter();
    let mut read = clusters.filter(|it| it.is_read_in_full() && it.context != case.request.context);
    read.find(|it| is_free(&it.context)).map(|it| it.context.as_str())
}

/// What is looked at before a flag goes on.
fn before_enable(case: &Case<'_>, item: &mut Item) {
    if let Some(cluster) = case.cluster() {
        item.check(checks::controller(case, cluster));
    }
    for it in case.concerned.iter().filter(|it| !it.is_on()) {
        checks::ready(it).into_iter().for_each(|check| item.check(check));
        if let Some(check) = checks::old_ledger(case, it) {
            item.check(check);
        }
    }
    checks::others(case).into_iter().for_each(|check| item.check(check));
    let why = "what these desire is not known, and would stay in the group for ever if it is stale";
    item.check(checks::silence(case, Verdict::NeedsYes, why));
}

fn disable(case: &Case<'_>) -> Item {
    let mut item = item(case);
    let mut patches = patches::switches(case, false);
    checks::switchable(case).into_iter().for_each(|check| item.check(check));
    if !patches.is_empty() {
        if let Some(cluster) = case.cluster() {
            item.check(checks::controller(case, cluster));
        }
        checks::shared(case).into_iter().for_each(|check| item.check(check));
        let why = "these may have bound the target group, and would lose their targets";
        item.check(checks::silence(case, Verdict::Unknown, why));
        let message = "its controller takes out whatever is not its own from now on";
        item.check(Check::new("Exclusive", Verdict::NeedsYes, message));
    }
    if case.request.protect == Some(false) {
        patches::unprotect(case, &mut patches, &mut item);
    }
    for patch in patches.values() {
        patches::describe(patch, &mut item);
        if let Some(check) = checks::managed(case, patch) {
            item.check(check);
        }
    }
    item.changes = patches.into_values().map(Change::PatchOwner).collect();
    goals::disable(case, &mut item);
    let request = case.request;
    let place = format!("-n {} --context {}", item.namespace, quoted(&request.context));
    let keeps = request.protect != Some(false)
        && case
            .owners()
            .iter()
            .any(|owner| protection::of(owner, &case.world.objects).is_ok_and(|found| found.is_on));
    if !case.concerned.iter().any(Concerned::is_on) {
        let left = if keeps {
            format!(
                " Deletion protection stays on; disable {} --deletion-protection=false takes it away.",
                item.name
            )
        } else {
            String::new()
        };
        item.conclusion = format!("{} is exclusive again.{left}", item.name);
    }
    item.next("next", format!("kubectl mctg status {}", case.words()));
    item.next("undo", format!("kubectl mctg enable {} {place}", item.name));
    item
}
