//! What switching a flag comes to: patches, and what must come of them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::find::{self, Spot, Subject};
use super::{Request, World, checks};
use crate::binding::{Binding, BindingRef, Flavour, Owner};
use crate::change::{Change, Check, Goal, Item, Mistake, Verdict};
use crate::checkpoint::Checkpoint;
use crate::facts::{Aliveness, BindingFacts, ClusterFacts, Silence};
use crate::findings::catalogue::OWNER_UNPROTECTED;
use crate::findings::{counted, quoted};
use crate::flag::{self, Field, Source};
use crate::ledger;
use crate::objects::{Key, Kind, Patch};
use crate::owner::{self, Origin};
use crate::protection::{self, Place};
use crate::stack;
use crate::target::Target;
use crate::view::{self, GroupView, TargetView};

/// How long a ledger may take to follow, once the flag is on the binding, before its controller is
/// thought to keep an old one in memory (`facts/lbc.md` 2.1).
const LEDGER_FOLLOWS: Duration = Duration::from_secs(60);

/// One thing that was named, with all that decides about it.
pub(super) struct Case<'a> {
    pub(super) request: &'a Request,
    pub(super) world: &'a World,
    pub(super) subject: &'a Subject,
    pub(super) concerned: Vec<Concerned<'a>>,
}

/// A binding that a switch decides.
pub(super) struct Concerned<'a> {
    pub(super) binding: &'a Binding,
    pub(super) facts: Option<&'a BindingFacts>,
    pub(super) view: Option<(&'a GroupView<'a>, usize)>,
    /// What holds its flag.
    pub(super) sources: Result<Vec<Source<'a>>, Silence>,
}

impl Concerned<'_> {
    pub(super) fn key(&self) -> (String, String) {
        (self.binding.namespace.clone(), self.binding.name.clone())
    }

    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.binding.namespace, self.binding.name)
    }

    /// Says whether it was copied with its labels, so that no owner here decides it.
    pub(super) fn has_copied_labels(&self) -> bool {
        self.binding.owner().is_some()
            && self.view.is_some_and(|(group, index)| {
                owner::origin(&group.bindings[index], Some(group.facts)) == Origin::Standalone
            })
    }

    fn is_on(&self) -> bool {
        self.binding.spec.multi_cluster_target_group
    }
}

impl Case<'_> {
    /// Says whether it is known that what a binding was made for is not there.
    pub(super) fn has_no_owner(&self, it: &Concerned<'_>) -> bool {
        let Some(owner) = it.binding.owner() else { return false };
        match owner.key() {
            Some(key) => self.world.objects.get(&key) == Ok(None),
            None => {
                let members = stack::ingresses(&owner, it.binding, &self.world.objects);
                members.is_ok_and(|members| members.is_empty())
            }
        }
    }

    /// The words by which `status` and `reconcile` find what was switched.
    fn words(&self) -> String {
        let Key { kind, namespace, name } = &self.subject.key;
        if matches!(kind, Kind::Service | Kind::TargetGroupBinding) {
            return format!("{}/{name} -n {namespace}", kind.short());
        }
        let mut namespaces: Vec<&str> =
            self.concerned.iter().map(|it| it.binding.namespace.as_str()).collect();
        namespaces.dedup();
        let all = self.concerned.iter().map(|it| format!("tgb/{}", it.binding.name));
        match namespaces.as_slice() {
            [only] => format!("{} -n {only}", all.collect::<Vec<_>>().join(" ")),
            _ => all.collect::<Vec<_>>().join(" "),
        }
    }

    pub(super) fn is_concerned(&self, reference: &BindingRef) -> bool {
        reference.context == self.request.context
            && self
                .subject
                .concerned
                .contains(&(reference.namespace.clone(), reference.name.clone()))
    }

    fn cluster(&self) -> Option<&ClusterFacts> {
        self.world.facts.clusters.iter().find(|it| it.context == self.request.context)
    }

    fn has_controller(&self) -> bool {
        let flavour = Flavour::LoadBalancerController;
        self.cluster().is_some_and(|it| it.controller(flavour) != Aliveness::Absent)
    }

    /// The owners of what is generated, each once.
    fn owners(&self) -> Vec<Owner> {
        let mut owners: Vec<Owner> = Vec::new();
        for owner in self.concerned.iter().filter_map(|it| it.binding.owner()) {
            if !owners.contains(&owner) {
                owners.push(owner);
            }
        }
        owners
    }
}

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
        let case = case(request, world, subject, bindings, &views);
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

fn case<'a>(
    request: &'a Request,
    world: &'a World,
    subject: &'a Subject,
    bindings: &'a [Binding],
    views: &'a [GroupView<'a>],
) -> Case<'a> {
    let cluster = world.facts.clusters.iter().find(|it| it.context == request.context);
    let concerned = bindings
        .iter()
        .filter(|it| subject.concerned.contains(&(it.namespace.clone(), it.name.clone())))
        .map(|listed| {
            let is_it = |it: &&BindingFacts| {
                let found = &it.binding;
                (&found.namespace, &found.name, found.flavour)
                    == (&listed.namespace, &listed.name, listed.flavour)
            };
            let facts = cluster.and_then(|cluster| cluster.bindings().find(is_it));
            let view = facts.and_then(|facts| {
                let arn = facts.group.as_ref().ok()?;
                let group = views.iter().find(|view| view.arn == arn)?;
                let index = group.bindings.iter().position(|it| std::ptr::eq(it.facts, facts))?;
                Some((group, index))
            });
            let binding = facts.map_or(listed, |facts| &facts.binding);
            let sources = flag::sources(binding, &world.objects);
            Concerned { binding, facts, view, sources }
        })
        .collect();
    Case { request, world, subject, concerned }
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

/// The patches that switch every place, one an object.
fn switches(case: &Case<'_>, on: bool) -> BTreeMap<Key, Patch> {
    let mut patches = BTreeMap::new();
    let sources = case.concerned.iter().filter_map(|it| it.sources.as_ref().ok()).flatten();
    let mut done: BTreeSet<(Key, Field)> = BTreeSet::new();
    for source in sources {
        let place = (source.object.key.clone(), source.field.clone());
        let spot = Spot::Field(place.0.clone(), place.1.clone());
        if case.subject.spots.contains(&spot) && done.insert(place) {
            add(&mut patches, source.switch(on));
        }
    }
    patches
}

/// Adds a patch to the one of the same object.
fn add(patches: &mut BTreeMap<Key, Patch>, patch: Option<Patch>) {
    let Some(patch) = patch else { return };
    match patches.get_mut(&patch.key) {
        Some(present) => merge_patch(&mut present.body, &patch.body),
        None => {
            patches.insert(patch.key.clone(), patch);
        }
    }
}

/// Puts one patch over another; unlike a merge, what it takes away stays said.
fn merge_patch(patch: &mut serde_json::Value, other: &serde_json::Value) {
    match (patch, other) {
        (serde_json::Value::Object(patch), serde_json::Value::Object(other)) => {
            for (name, value) in other {
                merge_patch(patch.entry(name).or_insert(serde_json::Value::Null), value);
            }
        }
        (patch, other) => *patch = other.clone(),
    }
}

/// The TargetGroupConfigurations to make.
fn creations(case: &Case<'_>) -> Vec<Change> {
    let created = case.subject.spots.iter().filter_map(|spot| match spot {
        Spot::Create(service) => Some(service),
        Spot::Field(..) => None,
    });
    let change = |service: &Key| {
        let taken = |name: &str| {
            let key = Key::new(Kind::TargetGroupConfiguration, &service.namespace, name);
            !matches!(case.world.objects.get(&key), Ok(None))
        };
        let name = match taken(&service.name) {
            true => format!("{}-multi-cluster", service.name),
            false => service.name.clone(),
        };
        let key = Key::new(Kind::TargetGroupConfiguration, &service.namespace, &name);
        let manifest = json!({
            "kind": key.kind.as_str(),
            "metadata": {"namespace": key.namespace, "name": key.name},
            "spec": {
                "targetReference": {"kind": "Service", "name": service.name},
                "defaultConfiguration": {"enableMultiCluster": true},
            },
        });
        Change::CreateOwner { key, manifest }
    };
    created.map(change).collect()
}

fn enable(case: &Case<'_>, waited: Duration) -> Item {
    let mut item = item(case);
    let mut patches = switches(case, true);
    let creations = creations(case);
    checks::switchable(case).into_iter().for_each(|check| item.check(check));
    if !patches.is_empty() || !creations.is_empty() {
        before_enable(case, &mut item);
    }
    let protects = protect(case, &mut patches, &mut item);
    for patch in patches.values() {
        describe(patch, &mut item);
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
    enable_goals(case, protects, waited, &mut item);
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

/// Tells a patch field by field, so that it can be read.
fn describe(patch: &Patch, item: &mut Item) {
    let annotations = patch.body["metadata"]["annotations"].as_object();
    for (key, value) in annotations.into_iter().flatten() {
        let text = match value.as_str() {
            Some(value) => format!("{} {key}={value}", patch.key),
            None => format!("{} {key} goes", patch.key),
        };
        item.detail("annotate", text);
    }
    if let Some(spec) = patch.body.get("spec") {
        item.detail("set", format!("{} spec {spec}", patch.key));
    }
}

/// Adds what protects the owners; says whether protection is to come in AWS.
fn protect(case: &Case<'_>, patches: &mut BTreeMap<Key, Patch>, item: &mut Item) -> bool {
    if case.request.protect == Some(false) {
        return false;
    }
    let mut comes = false;
    for owner in case.owners() {
        let found = match protection::of(&owner, &case.world.objects) {
            Ok(found) => found,
            Err(silence) => {
                let message = format!("whether it is protected is not known: {silence}");
                item.check(Check::of(&OWNER_UNPROTECTED, Verdict::Warning, message));
                continue;
            }
        };
        if found.is_on {
            item.check(Check::passed("Protection", "its owner asks for deletion protection"));
            comes = true;
            continue;
        }
        let named = match &found.place {
            Place::Params(object) => format!(
                "the {} set deletion protection, which does not count when an Ingress is deleted; nothing is \
                 written to them",
                object.key
            ),
            Place::Class(object) => {
                format!(
                    "the {} of its class decides about deletion protection; nothing is written to it",
                    object.key
                )
            }
            Place::Nowhere => {
                "it has no LoadBalancerConfiguration that could ask for deletion protection"
                    .to_owned()
            }
            place => match place.protect() {
                Ok(patch) => {
                    comes = comes || patch.is_some();
                    add(patches, patch);
                    continue;
                }
                Err(invalid) => {
                    let hint = "mend the annotation: its controller refuses it too";
                    let check =
                        Check::of(&OWNER_UNPROTECTED, Verdict::Refused, invalid.to_string());
                    item.check(check.hint(hint));
                    continue;
                }
            },
        };
        item.check(Check::of(&OWNER_UNPROTECTED, Verdict::Warning, named));
    }
    comes
}

/// Sums a goal up over bindings: the first that waits says why.
fn goal<'a>(
    word: &'static str,
    all: impl IntoIterator<Item = Result<String, (String, String)>> + 'a,
) -> Option<Goal> {
    let (mut reached, mut waiting) = (Vec::new(), None);
    for each in all {
        match each {
            Ok(state) => reached.push(state),
            Err(why) => waiting = waiting.or(Some(why)),
        }
    }
    match waiting {
        Some((state, why)) => Some(Goal::waiting(word, state, why)),
        None => {
            let state = match reached.as_slice() {
                [] => return None,
                [only] => only.clone(),
                [first, rest @ ..] => format!("{first}, and {} more", rest.len()),
            };
            Some(Goal::reached(word, state))
        }
    }
}

fn enable_goals(case: &Case<'_>, protects: bool, waited: Duration, item: &mut Item) {
    let concerned =
        || case.concerned.iter().filter(|it| it.binding.flavour == Flavour::LoadBalancerController);
    let flags = concerned().map(|it| match it.is_on() {
        true => Ok(it.name()),
        false => Err((String::new(), format!("{} is not multi-cluster yet", it.name()))),
    });
    item.goals.extend(goal("flag", flags));
    if case.has_controller() {
        item.goals.extend(goal("ledger", concerned().map(|it| ledger_follows(it))));
        let behind = concerned().find(|it| it.is_on() && ledger_follows(it).is_err());
        if let Some(behind) = behind.filter(|_| waited >= LEDGER_FOLLOWS) {
            old_memory(case, behind, item);
        }
    }
    item.goals.extend(goal("registered", concerned().map(registered)));
    if protects && case.has_controller() {
        item.goals.extend(goal("protected", protected(case)));
    }
}

/// Whether the ledger is what the binding desires.
fn ledger_follows(it: &Concerned<'_>) -> Result<String, (String, String)> {
    let configmap = ledger::name(it.binding.flavour, &it.binding.name);
    let wait = |why: String| Err((String::new(), why));
    if !it.is_on() {
        return wait(format!("{configmap} comes with the flag"));
    }
    let Some((group, index)) = it.view else {
        return wait(format!("{} could not be read", it.name()));
    };
    let binding = &group.bindings[index];
    match (binding.desired(), &binding.facts.ledger) {
        (Some(desired), Ok(Some(ledger))) => {
            if desired.keys().eq(ledger.targets.iter()) {
                Ok(format!("{} in {configmap}", counted(desired.len(), "target")))
            } else {
                wait(format!(
                    "{configmap} lists {}, of {} desired",
                    counted(ledger.targets.len(), "target"),
                    desired.len()
                ))
            }
        }
        (Some(_), Ok(None)) => wait(format!("{configmap} is not there yet")),
        (None, _) => wait(binding.problem().unwrap_or_default()),
        (_, Err(fault)) => wait(crate::error::chain(fault)),
    }
}

/// What to do about a controller that works by a ledger it read long ago.
fn old_memory(case: &Case<'_>, it: &Concerned<'_>, item: &mut Item) {
    let configmap = ledger::name(it.binding.flavour, &it.binding.name);
    if let Some(goal) = item.goals.iter_mut().find(|goal| goal.word == "ledger")
        && let Some(why) = &mut goal.waiting
    {
        why.push_str("; its controller may keep an old ledger in memory: delete the ConfigMap and restart it");
    }
    let context = quoted(&case.request.context);
    let namespace = &it.binding.namespace;
    item.next(
        "repair",
        format!("kubectl --context {context} -n {namespace} delete configmap {configmap} --ignore-not-found"),
    );
    item.next(
        "",
        format!(
            "kubectl --context {context} -n kube-system rollout restart deployment aws-load-balancer-controller"
        ),
    );
}

/// Whether everything that can be registered is.
fn registered(it: &Concerned<'_>) -> Result<String, (String, String)> {
    let wait = |why: String| Err((String::new(), why));
    let Some((group, index)) = it.view else {
        return wait(format!("{} could not be read", it.name()));
    };
    let binding = &group.bindings[index];
    let (Some(desired), Ok(_)) = (binding.desired(), &group.facts.targets) else {
        return wait(
            binding.problem().unwrap_or_else(|| "its targets could not be read".to_owned()),
        );
    };
    let all: Vec<&Target> = desired
        .iter()
        .filter(|(_, endpoint)| endpoint.unregistrable.is_none())
        .map(|(target, _)| target)
        .collect();
    let is_registered =
        |it: &&&Target| group.targets.get(**it).is_some_and(TargetView::is_registered);
    let here = all.iter().filter(is_registered).count();
    let state = format!("{here} of {}", all.len());
    if here == all.len() { Ok(state) } else { Err((state, format!("{} lacks targets", it.name()))) }
}

/// Whether the load balancers are protected in AWS.
fn protected<'a>(
    case: &'a Case<'_>,
) -> impl Iterator<Item = Result<String, (String, String)>> + 'a {
    let groups: BTreeSet<_> = case
        .concerned
        .iter()
        .filter(|it| it.binding.owner().is_some())
        .filter_map(|it| it.view.map(|(group, _)| group.arn))
        .collect();
    let mut told = BTreeSet::new();
    let all = groups.into_iter().filter_map(|arn| case.world.protected.get(arn)).flatten();
    all.filter(move |(name, _)| told.insert(name.clone())).map(|(arn, protected)| {
        let name = arn.split('/').nth(2).unwrap_or(arn);
        match protected {
            Ok(true) => Ok(format!("{name} cannot be deleted")),
            Ok(false) => Err((String::new(), format!("{name} is not protected in AWS yet"))),
            Err(silence) => Err((String::new(), silence.message.clone())),
        }
    })
}

fn disable(case: &Case<'_>) -> Item {
    let mut item = item(case);
    let mut patches = switches(case, false);
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
        unprotect(case, &mut patches, &mut item);
    }
    for patch in patches.values() {
        describe(patch, &mut item);
        if let Some(check) = checks::managed(case, patch) {
            item.check(check);
        }
    }
    item.changes = patches.into_values().map(Change::PatchOwner).collect();
    disable_goals(case, &mut item);
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

/// Takes protection away where it was asked to.
fn unprotect(case: &Case<'_>, patches: &mut BTreeMap<Key, Patch>, item: &mut Item) {
    for owner in case.owners() {
        let Ok(found) = protection::of(&owner, &case.world.objects) else { continue };
        if !found.is_on {
            continue;
        }
        match found.place.unprotect() {
            Ok(patch) => add(patches, patch),
            Err(invalid) => {
                item.check(Check::of(&OWNER_UNPROTECTED, Verdict::Warning, invalid.to_string()));
            }
        }
    }
}

/// What must come of it; the ledger goes once its controller has passed without the flag.
fn disable_goals(case: &Case<'_>, item: &mut Item) {
    let concerned =
        || case.concerned.iter().filter(|it| it.binding.flavour == Flavour::LoadBalancerController);
    let flags = concerned().map(|it| match it.is_on() {
        false => Ok(format!("{} is exclusive", it.name())),
        true => Err((String::new(), format!("{} is multi-cluster still", it.name()))),
    });
    item.goals.extend(goal("flag", flags));
    let has_controller = case.has_controller();
    let passed = |it: &Concerned<'_>| {
        let checkpoint = it.view.and_then(|(group, index)| group.bindings[index].checkpoint());
        !it.is_on() && (!has_controller || checkpoint == Some(Checkpoint::Current))
    };
    if has_controller {
        let passes = concerned().map(|it| match passed(it) {
            true => Ok(it.name()),
            false => {
                Err((String::new(), format!("the controller has not passed {} yet", it.name())))
            }
        });
        item.goals.extend(goal("passed", passes));
    }
    let mut gone = Vec::new();
    for it in concerned() {
        let name = ledger::name(it.binding.flavour, &it.binding.name);
        match case.world.ledgers.get(&it.key()) {
            Some(Ok(Some(ledger))) => {
                let change = Change::DeleteLedger {
                    namespace: it.binding.namespace.clone(),
                    name: name.clone(),
                    version: ledger.version.clone(),
                };
                // Its controller may write it until it has passed.
                if passed(it) {
                    item.changes.push(change);
                } else {
                    item.later.push(change);
                }
                gone.push(Err((String::new(), format!("{name} is there still"))));
            }
            Some(Err(fault)) => gone.push(Err((String::new(), crate::error::chain(fault)))),
            Some(Ok(None)) | None => gone.push(Ok(format!("{name} is gone"))),
        }
    }
    item.goals.extend(goal("ledger", gone));
}
