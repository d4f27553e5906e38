//! The rules of `product.md` 5.3: which exit code each report comes to.

use mctg::findings::catalogue::{
    CONTEXT_UNREACHABLE, MISSING_TARGETS, Rule, STALE_TARGETS, UNCLAIMED_TARGETS,
};
use mctg::plan::{Action, Via};
use mctg::report::{API_VERSION, BlockedReport, Claim, PlanReport, Step, UnclaimedPlan};
use mctg::target::{Health, HealthState, Target, TargetDescription};

use super::*;

fn status(complete: bool, findings: &[(&Rule, Severity)]) -> Status {
    Status {
        api_version: API_VERSION,
        kind: "Status",
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        complete,
        demo: false,
        contexts: Vec::new(),
        target_groups: Vec::new(),
        findings: findings.iter().map(|(rule, s)| rule.finding(*s, "")).collect(),
    }
}

fn code(fail_on: FailOn, ignore: &[&str], report: &Status) -> u8 {
    let ignore: Vec<String> = ignore.iter().map(|code| (*code).to_owned()).collect();
    of_status(report, &Thresholds::new(fail_on, &ignore).unwrap()).code()
}

#[test]
fn status_fails_on_a_warning_or_worse_unless_told_otherwise() {
    use FailOn as F;
    use Severity as S;
    let with = |severity| status(true, &[(&MISSING_TARGETS, severity)]);
    for (fail_on, severity, expected) in [
        (F::Warning, S::Info, 0),
        (F::Warning, S::Warning, 1),
        (F::Warning, S::Critical, 1),
        (F::Critical, S::Warning, 0),
        (F::Critical, S::Critical, 1),
        (F::Info, S::Info, 1),
        (F::Never, S::Critical, 0),
    ] {
        assert_eq!(code(fail_on, &[], &with(severity)), expected, "{fail_on:?} {severity:?}");
    }
    assert_eq!(code(F::Warning, &[], &status(true, &[])), 0);
}

#[test]
fn an_ignored_finding_counts_for_nothing_but_one_about_silence_always_does() {
    let two = status(
        true,
        &[(&MISSING_TARGETS, Severity::Critical), (&UNCLAIMED_TARGETS, Severity::Warning)],
    );
    for (ignore, expected) in [
        (&["MCTG201"][..], 1),
        (&["MCTG201", "MCTG204"], 0),
        (&["MCTG2*"], 0),
        (&["mctg2*"], 0),
        (&["201", "204"], 0),
    ] {
        assert_eq!(code(FailOn::Warning, ignore, &two), expected, "{ignore:?}");
    }
    let silent = status(false, &[(&CONTEXT_UNREACHABLE, Severity::Critical)]);
    assert_eq!(code(FailOn::Never, &["MCTG9*"], &silent), 3);
    assert_eq!(code(FailOn::Never, &["*"], &status(false, &[])), 3);
}

#[test]
fn what_could_not_be_read_wins_over_what_was_found() {
    let both = status(
        false,
        &[(&STALE_TARGETS, Severity::Warning), (&CONTEXT_UNREACHABLE, Severity::Critical)],
    );
    assert_eq!(code(FailOn::Warning, &[], &both), 3);
}

#[test]
fn a_pattern_that_is_no_glob_is_refused() {
    assert!(Thresholds::new(FailOn::Warning, &["MCTG[".to_owned()]).is_err());
}

fn reconcile(bindings: Vec<BindingReport>) -> Reconcile {
    Reconcile {
        api_version: API_VERSION,
        kind: "Reconcile",
        observed_at: jiff::Timestamp::UNIX_EPOCH,
        dry_run: false,
        complete: true,
        timed_out: false,
        interrupted: false,
        demo: false,
        contexts: Vec::new(),
        bindings,
        unclaimed: None,
        findings: Vec::new(),
    }
}

fn binding(outcome: Outcome) -> BindingReport {
    BindingReport {
        context: "a".to_owned(),
        namespace: "b".to_owned(),
        name: "c".to_owned(),
        target_group_arn: None,
        via: Via::Direct,
        outcome,
        reason: None,
        plan: PlanReport::default(),
        steps: Vec::new(),
        waiting_for: Vec::new(),
    }
}

fn blocked(reason: BlockedReason) -> BindingReport {
    let mut binding = binding(Outcome::Partial);
    binding.plan.blocked.push(BlockedReport {
        id: Some("10.0.0.1".to_owned()),
        port: Some(80),
        quic_server_id: None,
        action: Action::Deregister,
        reason,
        waiting_on: None,
    });
    binding
}

#[test]
fn reconcile_ends_as_its_bindings_did() {
    for (outcome, expected) in [
        (Outcome::InSync, 0),
        (Outcome::Planned, 0),
        (Outcome::Applied, 0),
        (Outcome::Partial, 0),
        (Outcome::Skipped, 0),
        (Outcome::Deferred, 1),
        (Outcome::Failed, 3),
    ] {
        let report = reconcile(vec![binding(Outcome::InSync), binding(outcome)]);
        assert_eq!(of_reconcile(&report).code(), expected, "{outcome:?}");
    }
    assert_eq!(of_reconcile(&reconcile(Vec::new())).code(), 0);
    assert_eq!(of_reconcile(&Reconcile { complete: false, ..reconcile(Vec::new()) }).code(), 3);
}

#[test]
fn what_is_withheld_counts_by_its_reason() {
    for (reason, expected) in [
        (BlockedReason::Contested, 0),
        (BlockedReason::AnswersElsewhere, 0),
        (BlockedReason::Pending, 0),
        (BlockedReason::Unregistrable, 0),
        (BlockedReason::Deferred, 1),
        (BlockedReason::Changed, 1),
        (BlockedReason::Silent, 3),
        (BlockedReason::LastHealthy, 3),
        (BlockedReason::Cap, 3),
        (BlockedReason::NeedsYes, 3),
    ] {
        let report = reconcile(vec![blocked(reason)]);
        assert_eq!(of_reconcile(&report).code(), expected, "{reason:?}");
        assert_eq!(of_diff(&report).code(), 0, "what is only blocked is no difference");
    }
}

fn unclaimed(outcome: Outcome, reasons: &[BlockedReason]) -> Reconcile {
    let blocked = |reason: &BlockedReason| {
        let report = blocked(*reason);
        report.plan.blocked.into_iter().next().unwrap()
    };
    let group = UnclaimedReport {
        target_group_arn: "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/a/b"
            .parse()
            .unwrap(),
        on_behalf_of: Claim {
            context: "a".to_owned(),
            namespace: "b".to_owned(),
            binding: "c".to_owned(),
        },
        via: Via::Direct,
        outcome,
        reason: None,
        plan: UnclaimedPlan {
            deregister: Vec::new(),
            blocked: reasons.iter().map(blocked).collect(),
        },
        steps: Vec::new(),
    };
    Reconcile { unclaimed: Some(vec![group]), ..reconcile(vec![binding(Outcome::InSync)]) }
}

#[test]
fn what_no_cluster_claims_counts_as_what_is_a_bindings() {
    use BlockedReason as B;
    for (outcome, reasons, expected) in [
        (Outcome::Applied, &[][..], 0),
        (Outcome::Skipped, &[B::NotUnhealthy, B::Initial], 0),
        (Outcome::Partial, &[B::Changed, B::NotUnhealthy], 1),
        (Outcome::Partial, &[B::Silent], 3),
        (Outcome::Partial, &[B::Cap, B::Changed], 3),
        (Outcome::Failed, &[], 3),
    ] {
        let report = unclaimed(outcome, reasons);
        assert_eq!(of_reconcile(&report).code(), expected, "{outcome:?} {reasons:?}");
        assert_eq!(of_diff(&report).code(), 0, "what is only blocked is no difference");
    }
    let mut goes = unclaimed(Outcome::Planned, &[]);
    goes.unclaimed.as_mut().unwrap()[0].plan.deregister.push(TargetDescription {
        target: Target::new("10.0.0.1", 80),
        availability_zone: None,
        health: Health::plain(HealthState::Unhealthy),
    });
    assert_eq!(of_diff(&goes).code(), 1);
    assert_eq!(of_reconcile(&goes).code(), 0);
}

#[test]
fn time_that_was_up_wins_over_what_failed() {
    let report = Reconcile { timed_out: true, ..reconcile(vec![binding(Outcome::Failed)]) };
    assert_eq!(of_reconcile(&report).code(), 124);
}

#[test]
fn a_failed_step_is_a_failure() {
    let mut failed = binding(Outcome::Partial);
    failed.steps.push(Step {
        action: Action::Register,
        via: Via::Direct,
        targets: 1,
        result: StepResult::Failed,
        error: None,
    });
    assert_eq!(of_reconcile(&reconcile(vec![failed])).code(), 3);
}

#[test]
fn a_difference_is_1_in_diff_and_0_in_a_dry_run() {
    let mut registers = binding(Outcome::Planned);
    registers.plan.register.push(Target::new("10.0.0.1", 80));
    let mut writes = binding(Outcome::Planned);
    writes.plan.ledger = Some(LedgerReport { before: None, after: Some(Vec::new()) });
    for difference in [registers, writes] {
        let report = reconcile(vec![difference]);
        assert_eq!(of_diff(&report).code(), 1);
        assert_eq!(of_reconcile(&report).code(), 0);
    }
    assert_eq!(of_diff(&reconcile(vec![binding(Outcome::Deferred)])).code(), 0);
    assert_eq!(of_diff(&Reconcile { complete: false, ..reconcile(Vec::new()) }).code(), 3);
}
