//! Faults planted on purpose: each must be found, or the net has a hole.

use std::collections::BTreeSet;

use mctg::apply;
use mctg::cluster::Cluster;
use mctg::elbv2::LoadBalancers;
use mctg::endpoints::{Endpoints, Unresolved};
use mctg::facts::{Facts, Holder};
use mctg::observe::{self, Detail, Scope};
use mctg::plan::{self, Action, BindingPlan, Blocked, BlockedReason, Nudge, Pass, Plan, Request};
use mctg::target::HealthState;
use mctg::target::Target;

use super::history::History;
use super::play::play;
use super::tap::Line;

/// A fault in the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plant {
    /// The way faults are planted, without one.
    Nothing,
    // At the doors.
    LedgerWrittenAfterwards,
    ConflictsIgnored,
    FailuresForgotten,
    FloorIgnored,
    // In the facts or the plan.
    EverythingTrackedAnywhereGoes,
    SilenceIsEmptiness,
    DrainingIsRegistered,
    EverythingIsHeldHere,
    NoSecondReading,
    PhantomsGoFirst,
    HandedOverToNobody,
    ContestedGoes,
    PhantomsStay,
    ExclusiveIsShared,
    UnpredictedNudge,
    // About what no cluster claims.
    TrackedIsUnclaimed,
    UnknownIsUnclaimed,
    HealthyIsUnclaimed,
    // Around the prompt.
    ApprovalForgotten,
    StalePlanApplied,
    YesAssumed,
    CapForgotten,
}

impl Plant {
    /// Says whether it is made between observing, planning and applying.
    pub(super) fn is_in_the_plan(self) -> bool {
        !matches!(
            self,
            Self::LedgerWrittenAfterwards
                | Self::ConflictsIgnored
                | Self::FailuresForgotten
                | Self::FloorIgnored
                | Self::ApprovalForgotten
                | Self::YesAssumed
                | Self::CapForgotten
        )
    }

    fn change_facts(self, facts: &mut Facts) {
        match self {
            Self::SilenceIsEmptiness => {
                for cluster in &mut facts.clusters {
                    cluster.hidden.clear();
                    if cluster.bindings.is_err() {
                        cluster.bindings = Ok(Vec::new());
                    }
                    for binding in cluster.bindings.iter_mut().flatten() {
                        if matches!(binding.endpoints, Err(Unresolved::Silent(_))) {
                            binding.endpoints = Ok(Endpoints::default());
                        }
                    }
                }
            }
            Self::DrainingIsRegistered => {
                let listed = facts.groups.values_mut().filter_map(|g| g.targets.as_mut().ok());
                for target in listed.flatten() {
                    if target.health.state == HealthState::Draining {
                        target.health.state = HealthState::Unused;
                    }
                }
            }
            Self::EverythingIsHeldHere => {
                let tracked: BTreeSet<String> = facts
                    .clusters
                    .iter()
                    .flat_map(|cluster| cluster.bindings())
                    .filter_map(|b| b.ledger.as_ref().ok().and_then(Option::as_ref))
                    .flat_map(|ledger| ledger.targets.iter().map(|target| target.id.clone()))
                    .collect();
                for cluster in &mut facts.clusters {
                    for address in &tracked {
                        let node = Ok(vec![Holder::Node("a-node".to_owned())]);
                        cluster.holders.insert(address.clone(), node);
                    }
                }
            }
            Self::ExclusiveIsShared => {
                let clusters = facts.clusters.iter_mut();
                for binding in clusters.flat_map(|cluster| cluster.bindings.iter_mut().flatten()) {
                    binding.binding.spec.multi_cluster_target_group = true;
                }
            }
            _ => {}
        }
    }

    fn change_plan(self, plan: &mut Plan, facts: &Facts, pass: Pass) {
        for group in &mut plan.groups {
            let goes = |blocked: &Blocked| match self {
                Self::UnknownIsUnclaimed => blocked.reason == BlockedReason::Silent,
                Self::HealthyIsUnclaimed => blocked.reason == BlockedReason::NotUnhealthy,
                _ => false,
            };
            let going: BTreeSet<&Target> = match self {
                Self::TrackedIsUnclaimed => {
                    let desired = |target: &&Target| {
                        plan.bindings.iter().any(|binding| binding.desired.contains(*target))
                    };
                    let listed = facts.groups[&group.arn].targets.iter().flatten();
                    listed.map(|listed| &listed.target).filter(|it| !desired(it)).collect()
                }
                _ => {
                    let withheld = group.blocked.iter().filter(|blocked| goes(blocked));
                    withheld.filter_map(|blocked| blocked.target.as_ref()).collect()
                }
            };
            let listed = facts.groups[&group.arn].targets.iter().flatten();
            let listed = listed.filter(|it| it.is_registered() && going.contains(&it.target));
            let new = listed.filter(|it| !group.deregister.contains(it)).cloned();
            let new: Vec<_> = new.collect();
            group.deregister.extend(new);
        }
        for binding in &mut plan.bindings {
            if self == Self::UnpredictedNudge {
                nudge_anyway(binding);
            }
            let Some(arn) = &binding.arn else { continue };
            let Some(ledger) = &mut binding.ledger else { continue };
            match self {
                Self::EverythingTrackedAnywhereGoes => {
                    let tracked: BTreeSet<&Target> = facts
                        .clusters
                        .iter()
                        .flat_map(|cluster| cluster.bindings())
                        .filter_map(|b| b.ledger.as_ref().ok().and_then(Option::as_ref))
                        .flat_map(|ledger| &ledger.targets)
                        .collect();
                    binding.deregister = facts.groups[arn]
                        .targets
                        .iter()
                        .flatten()
                        .filter(|t| t.is_registered() && tracked.contains(&t.target))
                        .filter(|t| !binding.desired.contains(&t.target))
                        .cloned()
                        .collect();
                }
                Self::PhantomsGoFirst if pass == Pass::First => {
                    if let Some(after) = &ledger.after {
                        let going = binding.deregister.iter().map(|listed| listed.target.clone());
                        ledger.gain = after.iter().cloned().chain(going).collect();
                    }
                }
                Self::PhantomsStay => {
                    let before = ledger.before.iter().flatten().cloned();
                    ledger.after.get_or_insert_default().extend(before);
                    for listed in &binding.deregister {
                        ledger.after.get_or_insert_default().remove(&listed.target);
                    }
                }
                Self::HandedOverToNobody | Self::ContestedGoes => {
                    let contested: BTreeSet<Target> = binding
                        .blocked
                        .iter()
                        .filter(|b| b.reason == BlockedReason::Contested)
                        .filter(|b| b.action == Action::Deregister)
                        .filter_map(|b| b.target.clone())
                        .collect();
                    if self == Self::HandedOverToNobody {
                        binding.hand_over.extend(contested);
                    } else {
                        let listed = facts.groups[arn].targets.iter().flatten();
                        let listed = listed.filter(|listed| contested.contains(&listed.target));
                        binding.deregister.extend(listed.cloned());
                    }
                }
                _ => {}
            }
        }
    }
}

/// Makes the controller look again although its pass was found to break a law.
fn nudge_anyway(plan: &mut BindingPlan) {
    let withheld = plan.blocked.iter().filter(|blocked| blocked.action == Action::Nudge);
    if withheld.count() > 0 {
        let (register, deregister) = (BTreeSet::new(), Vec::new());
        plan.nudge = Some(Nudge { removes_checkpoint: true, register, deregister });
    }
}

/// Observes, plans and applies as a run does, with a fault in between.
pub(super) async fn run<C: Cluster, L: LoadBalancers>(
    clusters: &[C],
    load_balancers: &L,
    request: &Request,
    plant: Plant,
    line: &Line,
) -> bool {
    let clock = || line.play.stage.world.now();
    let read = async |pass: Pass| {
        let scope = Scope {
            detail: Detail::TargetsOnly,
            contexts: None,
            narrowed: line.is_narrowed(),
            acting: request.contexts.clone(),
            ..Scope::default()
        };
        let mut facts = observe::observe(clusters, load_balancers, &scope, &clock).await;
        plant.change_facts(&mut facts);
        let mut plan = plan::plan(&facts, request, pass);
        plant.change_plan(&mut plan, &facts, pass);
        plan
    };
    let mut first = read(Pass::First).await;
    if let Some(events) = &line.script.prompt {
        line.play.prompt(line, &first, events);
        if plant != Plant::StalePlanApplied {
            let approved = std::mem::replace(&mut first, read(Pass::First).await);
            first.narrow_to(&approved);
        }
    }
    let read_again = async || {
        if plant == Plant::NoSecondReading { first.clone() } else { read(Pass::Second).await }
    };
    if first.groups.iter().any(|group| !group.deregister.is_empty()) {
        line.planned(&first);
        let second = read(Pass::Second).await;
        let done = apply::prune(load_balancers, &first.groups, &second.groups, &|_| {}).await;
        drop(done);
    }
    line.planned(&first);
    let done = apply::apply(clusters, load_balancers, &first, read_again, &|_| {}).await;
    done.iter().all(|done| !done.has_failed() && !done.conflict)
}

/// How many histories it may take at the most to find a planted fault.
const HISTORIES_MAX: u64 = 20_000;

/// Plays histories until one breaks the law that the fault is against; panics where the net has a
/// hole.
fn is_found(plant: Plant, law: &str) {
    let found = (0..HISTORIES_MAX).any(|seed| {
        let broken = play(&History::of(seed), Some(plant));
        broken.iter().any(|violation| violation.starts_with(law))
    });
    assert!(found, "{plant:?} was not found in {HISTORIES_MAX} histories");
}

macro_rules! planted {
    ($($name:ident: $plant:ident against $law:literal,)*) => {
        $(#[test]
        fn $name() {
            is_found(Plant::$plant, $law);
        })*
    };
}

planted! {
    a_ledger_that_is_written_after_the_registration_is_found:
        LedgerWrittenAfterwards against "law 2",
    a_write_that_does_not_heed_conflicts_is_found: ConflictsIgnored against "law 7",
    a_failed_deregistration_that_leaves_the_ledger_is_found: FailuresForgotten against "law 2",
    a_floor_that_is_ignored_is_found: FloorIgnored against "law 5",
    deregistering_what_any_ledger_tracks_is_found: EverythingTrackedAnywhereGoes against "law 1",
    silence_that_is_read_as_emptiness_is_found: SilenceIsEmptiness against "law 3",
    draining_that_counts_as_registered_is_found: DrainingIsRegistered against "law 4",
    addresses_that_are_thought_to_be_held_here_are_found: EverythingIsHeldHere against "law 3",
    a_plan_applied_without_a_second_reading_is_found: NoSecondReading against "law 7",
    phantoms_that_leave_in_the_first_write_are_found: PhantomsGoFirst against "law 7",
    a_target_handed_over_to_nobody_is_found: HandedOverToNobody against "law 2",
    a_contested_target_that_is_deregistered_is_found: ContestedGoes against "laws 1, 3 and 5",
    phantoms_that_never_leave_are_found: PhantomsStay against "law 4",
    an_exclusive_binding_that_is_written_for_is_found: ExclusiveIsShared against "law 1",
    a_plan_that_goes_beyond_what_was_approved_is_found: ApprovalForgotten against "law 7",
    a_stale_plan_applied_after_a_prompt_is_found: StalePlanApplied against "law 7",
    a_yes_that_nobody_said_is_found: YesAssumed against "law 7",
    a_nudge_whose_pass_breaks_a_law_is_found: UnpredictedNudge against "laws 1, 3 and 5",
    what_is_tracked_and_taken_for_unclaimed_is_found: TrackedIsUnclaimed against "law 1: pruned",
    what_may_be_claimed_and_is_taken_for_unclaimed_is_found:
        UnknownIsUnclaimed against "law 3: pruned",
    a_healthy_target_that_is_pruned_unasked_is_found: HealthyIsUnclaimed against "law 1: pruned",
    a_cap_that_is_forgotten_is_found: CapForgotten against "law 7",
}

#[test]
fn what_plants_the_faults_breaks_no_law_itself() {
    for seed in 0..200 {
        let broken = play(&History::of(seed), Some(Plant::Nothing));
        assert!(broken.is_empty(), "seed {seed}: {broken:?}");
    }
}
