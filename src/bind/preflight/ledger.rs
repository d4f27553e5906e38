//! A ledger of the binding's name that lies there from before: its controller would take what it
//! names for its own (`facts/lbc.md` 2.1). Pure.

use super::Subject;
use crate::bind::OldLedger;
use crate::binding::Flavour;
use crate::change::{Check, Verdict};
use crate::facts::LedgerFault;
use crate::findings::catalogue::{CONTESTED_TARGET, LEDGER_UNUSABLE, ORPHAN_LEDGER};
use crate::findings::{counted, listed};
use crate::ledger::{self, Ledger};
use crate::plan::predict::{self, Knowledge, Passing};
use crate::target::Target;

pub(super) fn checks(it: &Subject<'_>) -> Vec<Check> {
    let Some(manifest) = it.manifest.filter(|_| it.candidate.existing.is_none()) else {
        return Vec::new();
    };
    let configmap = ledger::name(Flavour::LoadBalancerController, &manifest.name);
    let key = (manifest.namespace.clone(), configmap.clone());
    let place = format!("{}/{configmap}", manifest.namespace);
    match it.world.ledgers.get(&key) {
        None => Vec::new(),
        Some(Ok(None)) => vec![Check::passed("Ledger", "no old one of that name")],
        Some(Err(LedgerFault::Silent(silence))) => vec![super::unknown("Ledger", silence)],
        Some(Err(fault)) => {
            let message = format!("{place} lies there from before: {}", crate::error::chain(fault));
            vec![
                Check::of(&LEDGER_UNUSABLE, Verdict::Refused, message)
                    .hint(format!("{} delete configmap {configmap}", it.kubectl())),
            ]
        }
        Some(Ok(Some(old))) => match it.request.ledger {
            OldLedger::Refused => {
                let message = format!(
                    "the ledger {place} lies there from before, with {}: the controller would take them for its own",
                    counted(old.targets.len(), "target")
                );
                vec![
                    Check::of(&ORPHAN_LEDGER, Verdict::Refused, message)
                        .hint("--discard-ledger deletes it first; --adopt-ledger keeps it"),
                ]
            }
            OldLedger::Discarded => {
                let message = format!("{place} lies there from before, and is deleted first");
                vec![Check::new("Ledger", Verdict::NeedsYes, message)]
            }
            OldLedger::Adopted => adopted(it, old, &place),
        },
    }
}

/// What the controller's first pass with it would do: it must not take out what others have.
fn adopted(it: &Subject<'_>, old: &Ledger, place: &str) -> Vec<Check> {
    let (Some(view), Some(Ok(offer))) = (it.view, it.offer) else {
        return vec![Check::new(
            "Ledger",
            Verdict::Unknown,
            "what would be registered is not known",
        )];
    };
    let listed_targets = match &view.facts.targets {
        Ok(targets) => targets,
        Err(silence) => return vec![super::unknown("Ledger", silence)],
    };
    let controller = it.here.and_then(|here| here.controller_of(Flavour::LoadBalancerController));
    let Passing { deregister, .. } = predict::pass(&Knowledge {
        endpoints: Some(offer),
        memory: None,
        stored: Some(&old.targets),
        listed: listed_targets,
        max_targets: controller.and_then(|controller| controller.max_targets),
    });
    let going: Vec<&Target> = deregister.iter().map(|listed| &listed.target).collect();
    let claimed: Vec<&Target> = going
        .iter()
        .copied()
        .filter(|target| {
            let claims = view.targets.get(target);
            claims.is_some_and(|it| !it.desired_by.is_empty() || !it.tracked_by.is_empty())
        })
        .collect();
    if !claimed.is_empty() {
        let message = format!(
            "with {place} the controller would take out {} of other clusters: {}",
            counted(claimed.len(), "target"),
            listed(&claimed)
        );
        return vec![
            Check::of(&CONTESTED_TARGET, Verdict::Refused, message)
                .hint("--discard-ledger deletes it first"),
        ];
    }
    let is_silent = it.world.facts.clusters.iter().any(|cluster| !cluster.is_read_in_full());
    if is_silent && !going.is_empty() {
        let message = format!(
            "with {place} the controller would take out {}, which a context that was not read may want: {}",
            counted(going.len(), "target"),
            listed(&going)
        );
        return vec![Check::new("Ledger", Verdict::Unknown, message)];
    }
    let is_healthy = |target: &Target| view.targets.get(target).is_some_and(|it| it.is_healthy());
    let healthy = view.healthy().count();
    let healthy_going = going.iter().filter(|target| is_healthy(target)).count();
    if healthy > 0 && healthy == healthy_going {
        let message = format!("with {place} the controller would take out the last healthy target");
        return vec![Check::refused("Ledger", message).hint("--discard-ledger deletes it first")];
    }
    if going.is_empty() {
        return vec![Check::passed(
            "Ledger",
            format!("{place} is adopted, and nothing goes by it"),
        )];
    }
    let message = format!(
        "with {place} the controller takes out {} that nobody wants any more: {}",
        counted(going.len(), "target"),
        listed(&going)
    );
    vec![Check::new("Ledger", Verdict::NeedsYes, message)]
}
