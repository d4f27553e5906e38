//! What must come of a switch, and what is waited for meanwhile. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use super::case::{Case, Concerned};
use crate::binding::Flavour;
use crate::change::{Change, Goal, Item};
use crate::checkpoint::Checkpoint;
use crate::findings::{counted, quoted};
use crate::ledger;
use crate::target::Target;
use crate::view::TargetView;

/// How long a ledger may take to follow, once the flag is on the binding, before its controller is
/// thought to keep an old one in memory (`facts/lbc.md` 2.1).
const LEDGER_FOLLOWS: Duration = Duration::from_secs(60);

/// What must come of a flag that goes on, and of the protection that goes with it.
pub(super) fn enable(case: &Case<'_>, protects: bool, waited: Duration, item: &mut Item) {
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

/// What must come of a flag that goes off; the ledger goes once its controller has passed without the flag.
pub(super) fn disable(case: &Case<'_>, item: &mut Item) {
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
