//! Who else has a say in the group: exclusive bindings, other controllers, other claims. Pure.

use super::Subject;
use crate::binding::{Binding, BindingRef, Owner, OwnerKind};
use crate::change::{Check, Verdict};
use crate::endpoints::Endpoints;
use crate::findings::catalogue::{CONTESTED_TARGET, EXCLUSIVE_BINDING, FOREIGN_CONTROLLER};
use crate::findings::{self, counted, listed, quoted};
use crate::objects::Kind;
use crate::target::Target;

/// An exclusive binding of the group takes out whatever is not its own, here as anywhere.
pub(super) fn exclusive(it: &Subject<'_>) -> Vec<Check> {
    let Some(view) = it.view else { return Vec::new() };
    let exclusive = view
        .bindings
        .iter()
        .filter(|binding| !binding.facts.binding.spec.multi_cluster_target_group);
    let mut checks: Vec<Check> = exclusive
        .map(|binding| {
            let BindingRef { context, namespace, name } = binding.reference();
            let message = format!(
                "{namespace}/{name} in {context} is exclusive; its controller would remove the new targets at once"
            );
            Check::of(&EXCLUSIVE_BINDING, Verdict::Refused, message)
                .hint(sharing_line(&context, &binding.facts.binding))
        })
        .collect();
    if checks.is_empty() {
        let message = match view.bindings.len() {
            0 => "no observed binding of the group yet".to_owned(),
            number => format!("{} of the group, multi-cluster", counted(number, "binding")),
        };
        checks.push(Check::passed(EXCLUSIVE_BINDING.name, message));
    }
    checks
}

/// The line that makes a binding multi-cluster: at its owner, where it has one.
fn sharing_line(context: &str, binding: &Binding) -> String {
    let name = match binding.owner() {
        Some(Owner { kind: OwnerKind::Service, name, .. }) => format!("svc/{name}"),
        _ => format!("tgb/{}", binding.name),
    };
    format!("kubectl mctg enable {name} -n {} --context {}", binding.namespace, quoted(context))
}

/// Another controller that manages the group takes out what it does not list.
pub(super) fn foreign(it: &Subject<'_>) -> Vec<Check> {
    let Some(view) = it.view else { return Vec::new() };
    let found = findings::foreign_controllers(&it.world.facts, view);
    let mut checks: Vec<Check> = found
        .into_iter()
        .map(|finding| {
            let check = Check::of(&FOREIGN_CONTROLLER, Verdict::Refused, finding.message);
            Check { hint: finding.fix, ..check }
        })
        .collect();
    let list = (Kind::TargetGroup, None);
    let unread = it.here.and_then(|here| here.objects.lists.get(&list)?.as_ref().err());
    if let Some(silence) = unread {
        let message = format!("whether something else manages the group is not known: {silence}");
        checks.push(Check::of(&FOREIGN_CONTROLLER, Verdict::Warning, message));
    }
    if checks.is_empty() {
        checks.push(Check::passed(FOREIGN_CONTROLLER.name, "nothing else manages the group"));
    }
    checks
}

/// Addresses that two clusters have: each would take the other's target out when its pod goes.
pub(super) fn contested(it: &Subject<'_>, offer: &Endpoints) -> Option<Check> {
    let view = it.view?;
    let own = it.candidate.existing.map(|existing| existing.binding.uid.as_str());
    let is_other = |index: &usize| Some(view.bindings[*index].facts.binding.uid.as_str()) != own;
    let contested: Vec<&Target> = offer
        .desired
        .keys()
        .filter(|target| {
            let claims = view.targets.get(target);
            claims.is_some_and(|it| it.desired_by.iter().chain(&it.tracked_by).any(&is_other))
        })
        .collect();
    let first = view.targets.get(contested.first()?)?;
    let owner = first.desired_by.iter().chain(&first.tracked_by).find(|index| is_other(index))?;
    let message = format!(
        "{} of {} claimed by {} too: {}",
        counted(contested.len(), "target"),
        it.service(),
        view.bindings[*owner].reference(),
        listed(&contested)
    );
    Some(Check::of(&CONTESTED_TARGET, Verdict::Refused, message))
}
