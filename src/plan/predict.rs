//! What a controller's pass over one multi-cluster binding would do (LBC 3.5, `resource_manager.go`). Pure.
//!
//! A pass is made to happen only after it was predicted and found lawful: the controller knows
//! nothing of other clusters, and of its own ledger only what it has in memory.

use std::collections::BTreeSet;

use crate::endpoints::Endpoints;
use crate::target::{HealthState, Target, TargetDescription};

/// What the controller goes by.
#[derive(Clone, Copy)]
pub(crate) struct Knowledge<'a> {
    /// The endpoints it resolves; `None` where it cleans up, because the binding is being deleted or
    /// its Service or port is missing.
    pub(crate) endpoints: Option<&'a Endpoints>,
    /// The ledger it has in memory; `None` after a restart, until it needs one.
    pub(crate) memory: Option<&'a BTreeSet<Target>>,
    /// The ledger that is stored, which it reads only while it has none in memory.
    pub(crate) stored: Option<&'a BTreeSet<Target>>,
    /// What ELBv2 lists.
    pub(crate) listed: &'a [TargetDescription],
    /// Its `--max-targets-per-target-group`.
    pub(crate) max_targets: Option<usize>,
}

/// What a pass does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passing {
    /// What it registers.
    pub(crate) register: BTreeSet<Target>,
    /// What it deregisters.
    pub(crate) deregister: Vec<TargetDescription>,
    /// Whether it writes its ledger anew, with all endpoints and nothing else, or deletes it.
    pub(crate) writes_ledger: bool,
    /// What is registered, and in its ledger no more after that: nobody would ever take it out.
    pub(crate) forgets: BTreeSet<Target>,
}

/// Predicts a full pass (`facts/lbc.md` 2.1, 4).
pub(crate) fn pass(known: &Knowledge<'_>) -> Passing {
    // In memory it wins over what is stored; without either, nothing is known to be its own.
    let ledger = known.memory.or(known.stored);
    let own =
        |listed: &&TargetDescription| ledger.is_some_and(|ledger| ledger.contains(&listed.target));
    let Some(endpoints) = known.endpoints else {
        let registered = known.listed.iter().filter(|listed| listed.is_registered());
        let deregister = registered.filter(own).cloned().collect();
        return Passing { deregister, writes_ledger: true, ..Passing::default() };
    };
    let desired = &endpoints.desired;
    // Draining targets, and unhealthy ones that drain, are left out when matching.
    let matched = |listed: &&TargetDescription| {
        !matches!(listed.health.state, HealthState::Draining | HealthState::UnhealthyDraining)
    };
    let registered: BTreeSet<&Target> =
        known.listed.iter().filter(matched).map(|listed| &listed.target).collect();
    let unmatched_endpoints: Vec<&Target> =
        desired.keys().filter(|target| !registered.contains(target)).collect();
    let unmatched_targets: Vec<&TargetDescription> = known
        .listed
        .iter()
        .filter(matched)
        .filter(|listed| !desired.contains_key(&listed.target))
        .collect();
    let deregister: Vec<TargetDescription> =
        unmatched_targets.iter().copied().filter(own).cloned().collect();
    // Unmatched targets are what the ledger is asked about, and with that it comes into memory.
    let in_memory =
        known.memory.is_some() || (known.stored.is_some() && !unmatched_targets.is_empty());
    let writes_ledger = !unmatched_endpoints.is_empty() || !deregister.is_empty() || !in_memory;
    let forgotten = |listed: &&TargetDescription| {
        writes_ledger
            && listed.health.state == HealthState::UnhealthyDraining
            && !desired.contains_key(&listed.target)
    };
    let forgets = known.listed.iter().filter(forgotten).filter(own);
    Passing {
        register: registered_within(known, unmatched_endpoints, endpoints),
        forgets: forgets.map(|listed| listed.target.clone()).collect(),
        deregister,
        writes_ledger,
    }
}

/// Predicts what the controller takes out when a binding is deleted: what its ledger names, and of an
/// exclusive one all that is registered (`facts/lbc.md` 4, Cleanup).
pub(crate) fn clean_up(
    is_shared: bool,
    ledger: Option<&BTreeSet<Target>>,
    listed: &[TargetDescription],
) -> Vec<TargetDescription> {
    if !is_shared {
        return listed.iter().filter(|listed| listed.is_registered()).cloned().collect();
    }
    let known =
        Knowledge { endpoints: None, memory: ledger, stored: ledger, listed, max_targets: None };
    pass(&known).deregister
}

/// The limit counts everything that is listed, other clusters' and draining targets too, and takes
/// the first in the order of identifiers; only then what the group cannot take is dropped.
fn registered_within(
    known: &Knowledge<'_>,
    mut unmatched: Vec<&Target>,
    endpoints: &Endpoints,
) -> BTreeSet<Target> {
    unmatched.sort_by_cached_key(|target| target.to_string());
    let room = known.max_targets.map_or(usize::MAX, |max| max.saturating_sub(known.listed.len()));
    let registrable = |target: &&&Target| endpoints.desired[**target].unregistrable.is_none();
    unmatched.iter().take(room).filter(registrable).map(|target| (*target).clone()).collect()
}

#[cfg(all(test, feature = "sim"))]
mod played;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::Unregistrable;
    use crate::testing::{World, arn, registered, target, targets, words};

    /// What the controller that serves the last binding goes by: its ledger is in memory.
    fn knowledge(world: &World) -> Knowledge<'_> {
        let binding = world.facts.clusters.last().unwrap().bindings().last().unwrap();
        let stored = binding.ledger.as_ref().unwrap().as_ref().map(|ledger| &ledger.targets);
        Knowledge {
            endpoints: binding.endpoints.as_ref().ok(),
            memory: stored,
            stored,
            listed: world.facts.groups[&arn()].targets.as_ref().unwrap(),
            max_targets: None,
        }
    }

    /// Writes a pass: `+` registers, `-` deregisters, `!` writes the ledger, `?` forgets.
    fn told(known: &Knowledge<'_>) -> String {
        let passing = pass(known);
        let deregister = passing.deregister.iter().map(|listed| &listed.target);
        let mut text = format!("+[{}] -[{}]", words(&passing.register), words(deregister));
        if passing.writes_ledger {
            text.push_str(" !");
        }
        if !passing.forgets.is_empty() {
            text.push_str(&format!(" ?[{}]", words(&passing.forgets)));
        }
        text
    }

    fn predict(world: &World) -> String {
        told(&knowledge(world))
    }

    #[test]
    fn a_binding_in_sync_is_left_as_it_is() {
        assert_eq!(predict(&registered("1 9").cluster("blue", "1", "1")), "+[] -[]");
    }

    #[test]
    fn what_is_missing_is_registered_and_the_ledger_written_in_full() {
        assert_eq!(predict(&registered("1").cluster("blue", "1 2", "1")), "+[2] -[] !");
    }

    #[test]
    fn only_what_the_ledger_names_is_deregistered() {
        assert_eq!(predict(&registered("1 3 9").cluster("blue", "1", "1 3")), "+[] -[3] !");
    }

    #[test]
    fn without_a_ledger_nothing_is_deregistered_and_one_is_written() {
        assert_eq!(predict(&registered("1 3").cluster("blue", "1", None)), "+[] -[] !");
    }

    #[test]
    fn what_the_filter_leaves_over_does_not_rewrite_the_ledger() {
        assert_eq!(predict(&registered("1 9").cluster("blue", "1", "1 5")), "+[] -[]");
    }

    #[test]
    fn the_ledger_in_memory_wins_over_the_one_that_is_stored() {
        let world = registered("1 3 5").cluster("blue", "1", "1 3");
        let memory = targets("1 5");
        let known = Knowledge { memory: Some(&memory), ..knowledge(&world) };
        assert_eq!(told(&known), "+[] -[5] !");
    }

    #[test]
    fn the_first_pass_after_a_restart_reads_the_ledger_only_for_unmatched_targets() {
        let world = registered("1 9").cluster("blue", "1", "1 5");
        assert_eq!(told(&Knowledge { memory: None, ..knowledge(&world) }), "+[] -[]");
        // With none unmatched, it writes the ledger without having read it.
        let world = registered("1").cluster("blue", "1", "1 5");
        assert_eq!(told(&Knowledge { memory: None, ..knowledge(&world) }), "+[] -[] !");
    }

    #[test]
    fn draining_targets_do_not_match() {
        assert_eq!(predict(&registered("1- 3-").cluster("blue", "1", "1 3")), "+[1] -[] !");
    }

    #[test]
    fn an_unhealthy_target_that_drains_is_left_in_the_group_and_forgotten() {
        let mut world = registered("1 3").cluster("blue", "1", "1 3");
        for listed in world.group().targets.as_mut().unwrap() {
            listed.health.state = HealthState::UnhealthyDraining;
        }
        assert_eq!(predict(&world), "+[1] -[] ! ?[3]");
    }

    #[test]
    fn the_limit_counts_all_that_is_listed_and_takes_the_first_by_identifier() {
        let world = registered("1 9-").cluster("blue", "1 2 10 3", "1");
        let limited = |max| told(&Knowledge { max_targets: Some(max), ..knowledge(&world) });
        assert_eq!(limited(3), "+[10] -[] !");
        assert_eq!(limited(1), "+[] -[] !");
    }

    #[test]
    fn what_the_group_cannot_take_is_dropped_after_the_limit_was_applied() {
        let world = registered("").cluster("blue", "1 2", "").with(|binding| {
            let endpoints = binding.endpoints.as_mut().unwrap();
            endpoints.desired.get_mut(&target("1")).unwrap().unregistrable =
                Some(Unregistrable::NoQuicServerId);
        });
        assert_eq!(told(&Knowledge { max_targets: Some(1), ..knowledge(&world) }), "+[] -[] !");
        assert_eq!(predict(&world), "+[2] -[] !");
    }

    #[test]
    fn a_clean_up_takes_out_what_the_ledger_names_and_nothing_without_one() {
        let world = registered("1 3- 9").cluster("blue", "1", "1 3");
        assert_eq!(told(&Knowledge { endpoints: None, ..knowledge(&world) }), "+[] -[1] !");
        let world = registered("1 9").cluster("blue", "1", None);
        assert_eq!(told(&Knowledge { endpoints: None, ..knowledge(&world) }), "+[] -[] !");
    }
}
