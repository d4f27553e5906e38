//! What must come of a binding, and how far it is. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::change::{Goal, Manifest};
use crate::endpoints::Unresolved;
use crate::facts::BindingFacts;
use crate::findings;
use crate::ledger;
use crate::target::{HealthState, Target};
use crate::view::GroupView;

/// After how long a ledger that does not follow is no matter of patience any more.
const LEDGER_SECONDS: u64 = 60;

/// The reason of a target that nothing checks (`facts/elbv2.md` 2.1).
const NOT_IN_USE: &str = "Target.NotInUse";

/// The goals of a binding that is there, or is to be made.
pub(super) fn of(
    manifest: &Manifest,
    existing: Option<&BindingFacts>,
    group: &GroupView<'_>,
    waited: Duration,
) -> Vec<Goal> {
    let flavour = crate::binding::Flavour::LoadBalancerController;
    let configmap = ledger::name(flavour, &manifest.name);
    let Some(existing) = existing else {
        let first = "the binding is not there yet";
        let open = |word| Goal::waiting(word, "", first);
        return vec![open("ledger"), open("registered"), open("healthy")];
    };
    let endpoints = match &existing.endpoints {
        Ok(endpoints) => endpoints,
        Err(unresolved) => {
            let why = match unresolved {
                Unresolved::Silent(silence) => silence.message.clone(),
                other => other.to_string(),
            };
            let open = |word| Goal::waiting(word, "", why.clone());
            return vec![open("ledger"), open("registered"), open("healthy")];
        }
    };
    let desired = endpoints.targets();
    let registrable: BTreeSet<&Target> = endpoints.registrable().collect();
    vec![
        ledger_goal(existing, &desired, &configmap, waited),
        registered(group, &registrable),
        healthy(group, &registrable),
    ]
}

fn ledger_goal(
    existing: &BindingFacts,
    desired: &BTreeSet<Target>,
    configmap: &str,
    waited: Duration,
) -> Goal {
    let state = format!("{} in {configmap}", findings::counted(desired.len(), "target"));
    let why = match &existing.ledger {
        Ok(Some(ledger)) if ledger.targets == *desired => return Goal::reached("ledger", state),
        Ok(Some(ledger)) => {
            let tracked = ledger.targets.intersection(desired).count();
            let other = ledger.targets.len() - tracked;
            match other {
                0 => format!("{configmap} holds {tracked} of {}", desired.len()),
                _ => format!("{configmap} holds {tracked} of {}, and {other} more", desired.len()),
            }
        }
        Ok(None) => format!("no {configmap} yet"),
        Err(fault) => crate::error::chain(fault),
    };
    let why = if waited.as_secs() >= LEDGER_SECONDS {
        format!(
            "{why}; the controller has not followed for a minute: its log and the events of the binding say why, and \
             one that keeps an old ledger in memory follows once it is restarted"
        )
    } else {
        why
    };
    Goal::waiting("ledger", "", why)
}

fn registered(group: &GroupView<'_>, registrable: &BTreeSet<&Target>) -> Goal {
    let is_there =
        |target: &&&Target| group.targets.get(**target).is_some_and(|it| it.is_registered());
    let there = registrable.iter().filter(is_there).count();
    let state = format!("{there} of {}", registrable.len());
    if there == registrable.len() && group.facts.targets.is_ok() {
        return Goal::reached("registered", state);
    }
    let why = match &group.facts.targets {
        Err(silence) => silence.message.clone(),
        Ok(_) => {
            let first = registrable.iter().find(|it| !is_there(it));
            first.map_or_else(String::new, |target| format!("{target} is not registered yet"))
        }
    };
    Goal::waiting("registered", state, why)
}

/// Health that cannot come is not waited for: what nothing checks, because no listener leads there or
/// its zone is not enabled.
fn healthy(group: &GroupView<'_>, registrable: &BTreeSet<&Target>) -> Goal {
    let listed: Vec<_> = registrable
        .iter()
        .filter_map(|target| group.targets.get(*target)?.listed)
        .filter(|listed| listed.is_registered())
        .collect();
    let healthy = listed.iter().filter(|it| it.health.state == HealthState::Healthy).count();
    let unchecked: Vec<_> = listed
        .iter()
        .filter(|it| it.health.state == HealthState::Unused)
        .filter(|it| it.health.reason.as_deref() == Some(NOT_IN_USE))
        .collect();
    let mut state = format!("{healthy} of {}", registrable.len());
    if let Some(first) = unchecked.first() {
        let why = match findings::unreached(group) {
            Some(finding) => format!("{} {}", finding.code, finding.message),
            None => first.health.description.clone().unwrap_or_default(),
        };
        state = format!("{state}; {} not checked: {}", unchecked.len(), why.trim_end_matches('.'));
    }
    if healthy + unchecked.len() == registrable.len() && group.facts.targets.is_ok() {
        return Goal::reached("healthy", state);
    }
    let open = listed.iter().find(|it| {
        it.health.state != HealthState::Healthy && it.health.reason.as_deref() != Some(NOT_IN_USE)
    });
    let why = match open {
        None => "not registered yet".to_owned(),
        Some(listed) => {
            let reason = listed.health.reason.as_deref();
            format!("{} {}", listed.target, reason.unwrap_or(listed.health.state.as_str()))
        }
    };
    Goal::waiting("healthy", state, why)
}
