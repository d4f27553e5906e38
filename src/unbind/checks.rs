//! What forbids taking a binding out. Pure.

use std::collections::BTreeSet;

use super::World;
use super::after;
use super::item::{Going, Sight, Subject, count, unknown};
use super::note::name as note_name;
use super::taken::Fate;
use crate::binding::{CHECKPOINT_ANNOTATION, Flavour, OwnerKind};
use crate::change::{Check, Item, Verdict};
use crate::facts::{Aliveness, BindingFacts, LedgerFault, SilenceReason};
use crate::findings::{catalogue, quoted};
use crate::ledger::{self, BYTES_MAX};
use crate::owner::{self, Origin};
use crate::target::Target;
use crate::view::BindingView;

/// What was not read and has to be, before anything else can be said.
pub(super) fn unread(subject: &Subject<'_>, world: &World) -> Option<Check> {
    if let Err(silence) = &subject.cluster.bindings {
        let message = format!("its cluster could not be read: {silence}");
        return Some(unknown("Cluster", message));
    }
    if let Err(silence) = &world.notes
        && subject.note.is_none()
    {
        let message = format!("whether it was begun before could not be read: {silence}");
        return Some(unknown("Note", message));
    }
    if let Some(Err(wrong)) = subject.note.map(|note| &note.noted) {
        let message = format!("the note {} cannot be read: {wrong}", note_name(&subject.name));
        let hint = delete_note(subject);
        return Some(Check::refused("Note", message).hint(hint));
    }
    if let Some(there) = subject.there {
        return of_binding(subject, there);
    }
    let key = (subject.namespace.clone(), subject.name.clone());
    if let Some(silence) = world.unproven.get(&key) {
        let message = format!("whether the binding is gone is not known: {silence}");
        return Some(unknown("Binding", message));
    }
    match subject.group {
        Some(group) => targets_unread(&group.facts.targets),
        None => Some(unknown("TargetGroup", "its target group was not read".to_owned())),
    }
}

/// What tells that it is not ours, and what of it is not known.
fn of_binding(subject: &Subject<'_>, there: &BindingFacts) -> Option<Check> {
    let binding = &there.binding;
    if binding.flavour == Flavour::AutoMode {
        let message = "it is EKS Auto Mode's, whose bindings are read and never written";
        return Some(Check::refused("AutoMode", message));
    }
    if let Some(generated) = generated(subject, there) {
        return Some(generated);
    }
    if let Err(silence) = &there.group {
        return Some(unknown("TargetGroup", format!("its target group is not known: {silence}")));
    }
    let Some(group) = subject.group else {
        return Some(unknown("TargetGroup", "its target group was not read".to_owned()));
    };
    if let Some(unread) = targets_unread(&group.facts.targets) {
        return Some(unread);
    }
    if let Err(unresolved) = &there.endpoints
        && !unresolved.is_backend_missing()
    {
        return Some(unknown("Endpoints", format!("what it desires is not known: {unresolved}")));
    }
    match &there.ledger {
        Ok(_) | Err(LedgerFault::Immutable { .. }) => None,
        Err(fault @ LedgerFault::Silent(_)) => {
            let text = crate::error::chain(fault);
            Some(unknown("Ledger", format!("what it tracks is not known: {text}")))
        }
        Err(fault @ LedgerFault::Invalid { .. }) => {
            Some(Check::refused("Ledger", crate::error::chain(fault)))
        }
    }
}

/// A generated binding is its owner's: what happens to it is said there.
fn generated(subject: &Subject<'_>, there: &BindingFacts) -> Option<Check> {
    let owner = there.binding.owner()?;
    let view = BindingView { cluster: subject.cluster, facts: there };
    let made = match owner::origin(&view, subject.group.map(|group| group.facts)) {
        Origin::Standalone => return None,
        Origin::Generated => "its controller made it",
        Origin::NotKnown => "by its labels its controller made it",
    };
    let words = match &owner.namespace {
        Some(namespace) => format!("{} {namespace}/{}", owner.kind.as_str(), owner.name),
        None => format!("{} {}", owner.kind.as_str(), owner.name),
    };
    let message = format!(
        "{made} for the {words}, which has the load balancer: with that it comes and goes, and without pods \
         it serves nothing"
    );
    let check = Check::refused("Generated", message);
    let kind = match owner.kind {
        OwnerKind::Service => "svc",
        OwnerKind::Ingress => "ing",
        OwnerKind::Gateway => "gateway",
        OwnerKind::IngressGroup => return Some(check),
    };
    Some(check.hint(format!(
        "kubectl mctg disable {kind}/{} -n {} --context {}",
        quoted(&owner.name),
        quoted(owner.namespace.as_deref().unwrap_or(&subject.namespace)),
        quoted(&subject.cluster.context)
    )))
}

fn targets_unread<T>(targets: &crate::facts::Reading<T>) -> Option<Check> {
    match targets {
        Err(silence) if silence.reason != SilenceReason::NotFound => {
            let message = format!("the targets of its group could not be read: {silence}");
            Some(unknown("Targets", message))
        }
        _ => None,
    }
}

/// Looks at everything that must hold before the next step.
pub(super) fn check<'w>(sight: &Sight<'w>, item: &mut Item, going: &mut Going<'w>) {
    if sight.subject.is_new() {
        let message = "a binding of that name was made again since an earlier run noted it";
        item.check(Check::refused("MadeAgain", message).hint(delete_note(sight.subject)));
        return;
    }
    let is_begun = sight.subject.there.is_none_or(|there| there.binding.is_being_deleted());
    if !is_begun {
        standing(sight, item);
        note_fits(sight, item);
        exclusive(sight, item);
        predictable(sight, item);
        contested(sight, item);
    }
    silent(sight, item);
    floor(sight, item, going);
    let group = sight.subject.group.map_or("its group", |group| group.arn.name());
    let leaving = &sight.taken.going;
    if !leaving.is_empty() {
        let message = format!(
            "{} {} {group} ({} healthy)",
            count(leaving.len()),
            if leaving.len() == 1 { "leaves" } else { "leave" },
            after::healthy(leaving),
        );
        item.check(Check::new("Unbind", Verdict::NeedsYes, message));
    } else if !is_begun {
        item.check(Check::new("Unbind", Verdict::NeedsYes, "the binding is deleted"));
    }
}

/// Who is there to clean up.
fn standing(sight: &Sight<'_>, item: &mut Item) {
    item.check(match sight.controller {
        Aliveness::Alive => Check::passed("Controller", "its controller is alive and cleans up"),
        Aliveness::Absent => {
            Check::passed("Controller", "no controller is here: this program cleans up")
        }
        Aliveness::Unknown => Check::new(
            "Controller",
            Verdict::Warning,
            "whether its controller is at work is not known: the binding stays until one lets go of it",
        ),
    });
}

fn note_fits(sight: &Sight<'_>, item: &mut Item) {
    let bytes = ledger::format(&sight.all).len();
    if bytes > BYTES_MAX {
        let message =
            format!("what it desires or tracks takes {bytes} bytes, and a note holds {BYTES_MAX}");
        item.check(Check::refused("Note", message));
    }
}

/// An exclusive binding's clean-up empties the group.
fn exclusive(sight: &Sight<'_>, item: &mut Item) {
    let (Some(there), Some(group)) = (sight.subject.there, sight.subject.group) else { return };
    if there.binding.spec.multi_cluster_target_group {
        return;
    }
    let registered = group.facts.targets.iter().flatten().filter(|listed| listed.is_registered());
    let foreign: Vec<&Target> =
        registered.map(|listed| &listed.target).filter(|it| !sight.all.contains(it)).collect();
    item.check(match foreign.first() {
        None => Check::passed("Exclusive", "it is exclusive, and no other target is registered"),
        Some(first) => Check::of(
            &catalogue::EXCLUSIVE_BINDING,
            Verdict::Refused,
            format!(
                "it is exclusive, and its group holds {} that are not its own, such as {first}: they \
                 would be taken out",
                count(foreign.len())
            ),
        ),
    });
}

/// A clean-up that nobody can predict is not set off (`product.md` 6.2).
fn predictable(sight: &Sight<'_>, item: &mut Item) {
    let (Some(there), Some(group), Some(index)) =
        (sight.subject.there, sight.subject.group, sight.subject.index)
    else {
        return;
    };
    if sight.controller == Aliveness::Absent || !there.binding.spec.multi_cluster_target_group {
        return;
    }
    let view = &group.bindings[index];
    let has_ledger = there.ledger.as_ref().is_ok_and(Option::is_some);
    let never_passed = view.checkpoint() == Some(crate::checkpoint::Checkpoint::Absent);
    let (why, hint) = if view.has_another_ledger() {
        (
            "its ledger was written by somebody else while its controller has its own in memory",
            "restart the controller, which then goes by the ledger that is stored".to_owned(),
        )
    } else if !has_ledger && !never_passed && sight.controller == Aliveness::Alive {
        // A restart alone does not bring it back: the controller passes over what its checkpoint fits.
        (
            "its ledger is lost, and what its controller has in memory is not known",
            format!(
                "restart the controller, then let it look again: kubectl annotate {} {} {}- -n {} --context {}",
                Flavour::LoadBalancerController.resource(),
                quoted(&sight.subject.name),
                CHECKPOINT_ANNOTATION,
                quoted(&sight.subject.namespace),
                quoted(&sight.subject.cluster.context)
            ),
        )
    } else {
        return;
    };
    let message = format!("what its controller would take out cannot be told: {why}");
    item.check(Check::refused("CleanUp", message).hint(hint));
}

/// Nothing goes that another observed binding desires, whoever takes it out.
fn contested(sight: &Sight<'_>, item: &mut Item) {
    let subject = sight.subject;
    let Some(of) = subject.of(sight.world) else { return };
    let tracked = subject.ledger(sight.world).ok().flatten();
    let tracked = || tracked.into_iter().flat_map(|ledger| &ledger.targets);
    let by_controller = sight.controller != Aliveness::Absent;
    let mut contested: Vec<(&Target, String)> = Vec::new();
    if by_controller {
        // What another one desires and is not registered yet may be by the time of the clean-up.
        let taken: BTreeSet<&Target> =
            sight.predicted.iter().map(|listed| &listed.target).chain(tracked()).collect();
        for target in taken {
            if let Some(Fate::Theirs { who, .. }) = of.theirs(target) {
                contested.push((target, who));
            }
        }
    } else {
        // Whoever tracks it last must not let go of it.
        for target in tracked() {
            if let Some(Fate::Theirs { who, is_tracked: false }) = sight.taken.kept.get(target) {
                contested.push((target, who.clone()));
            }
        }
    }
    let Some((target, who)) = contested.first() else {
        item.check(Check::passed("Contested", "nothing of it is desired by another binding"));
        return;
    };
    let more = match contested.len() {
        1 => String::new(),
        all => format!(" (and {} more)", all - 1),
    };
    let message = if by_controller {
        format!(
            "its ledger names {target}{more}, which {who} desires: the clean-up would take it out"
        )
    } else {
        format!("{target}{more} is desired by {who}, whose ledger does not name it yet")
    };
    item.check(Check::of(&catalogue::CONTESTED_TARGET, Verdict::Refused, message));
}

/// What may be another cluster's stays while that is not heard, and the ledger with it.
fn silent(sight: &Sight<'_>, item: &mut Item) {
    let Some(of) = sight.subject.of(sight.world) else { return };
    let predicted: BTreeSet<Target> =
        sight.predicted.iter().map(|listed| listed.target.clone()).collect();
    let others: BTreeSet<Target> = predicted.difference(&sight.all).cloned().collect();
    let others = of.sort(&others, &BTreeSet::new()).kept;
    for (target, fate) in sight.taken.kept.iter().chain(&others) {
        match fate {
            Fate::Silent(who) => item.check(unknown(
                "Silent",
                format!("{target} may be another cluster's by now, and {who} was not heard"),
            )),
            Fate::Elsewhere => item.check(
                Check::refused(
                    "AnswersElsewhere",
                    format!(
                        "{target} is healthy and nothing here holds its address: another cluster's, it \
                         seems, and none was read"
                    ),
                )
                .hint("--observe names the contexts to read"),
            ),
            Fate::Goes | Fate::Theirs { .. } => {}
        }
    }
}

/// The last healthy target stays.
fn floor<'w>(sight: &Sight<'w>, item: &mut Item, going: &mut Going<'w>) {
    let Some(group) = sight.subject.group else { return };
    // What a controller is about to take out cannot be held back any more.
    let is_under_way = sight.subject.there.is_some_and(|it| it.binding.is_being_deleted());
    if is_under_way && sight.controller != Aliveness::Absent {
        return;
    }
    let out: BTreeSet<Target> = sight
        .taken
        .going
        .iter()
        .chain(&sight.predicted)
        .map(|listed| listed.target.clone())
        .collect();
    let before = going.entry(group.arn).or_default();
    let stays = |target: &Target| !out.contains(target) && !before.contains(target);
    let left = group.healthy().filter(|(target, _)| stays(target)).count();
    let takes_healthy =
        group.healthy().any(|(target, _)| out.contains(target) && !before.contains(target));
    if left == 0 && takes_healthy && !sight.verb.allow_empty {
        let message = format!("no healthy target of {} would be left", group.arn.name());
        item.check(
            Check::refused("LastHealthy", message).hint("--allow-empty takes it out anyway"),
        );
        return;
    }
    if takes_healthy {
        let message = match left {
            1 => "1 healthy target stays".to_owned(),
            left => format!("{left} healthy targets stay"),
        };
        item.check(Check::passed("LastHealthy", message));
    }
    before.extend(out);
}

fn delete_note(subject: &Subject<'_>) -> String {
    format!(
        "if nothing of it is needed any more: kubectl delete configmap {} -n {} --context {}",
        quoted(&note_name(&subject.name)),
        quoted(&subject.namespace),
        quoted(&subject.cluster.context)
    )
}
