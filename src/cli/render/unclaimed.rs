//! Targets that no cluster claims, as part of `diff` and `reconcile`: each on a line of its own,
//! for nobody else will ask about them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use mctg::error::escape;
use mctg::plan::BlockedReason;
use mctg::report::{BlockedReport, Outcome, Reconcile, Step, StepResult, UnclaimedReport};
use mctg::target::TargetDescription;

use super::reconcile::{row, target, waiting, why};
use super::{Look, Names, list};

/// Whose the targets are.
pub(crate) const WHOSE: &str = "of no cluster,";

/// Writes the plan of each group.
///
/// # Errors
///
/// Passes on what the writer says.
pub(super) fn plans(
    report: &Reconcile,
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    for group in report.unclaimed.iter().flatten() {
        plan(group, names, look, out)?;
        writeln!(out)?;
    }
    if report.unclaimed.as_ref().is_some_and(Vec::is_empty) {
        writeln!(
            out,
            "Every registered target of these groups belongs to a cluster that was read.\n"
        )?;
    }
    Ok(())
}

fn plan(
    group: &UnclaimedReport,
    names: &Names,
    look: &Look,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = look.styles.strong(&escape(group.target_group_arn.name()));
    writeln!(out, "{name} ── targets that no cluster claims")?;
    for listed in &group.plan.deregister {
        row('-', "deregister", &escape(&described(listed)), look, out)?;
    }
    let mut withheld: BTreeMap<(BlockedReason, &str), Vec<&BlockedReport>> = BTreeMap::new();
    for blocked in &group.plan.blocked {
        let waiting_on = blocked.waiting_on.as_deref().unwrap_or_default();
        withheld.entry((blocked.reason, waiting_on)).or_default().push(blocked);
    }
    for ((reason, waiting_on), blocked) in withheld {
        let ids: Vec<String> = blocked.iter().filter_map(|blocked| target(blocked)).collect();
        let why = match (reason, &group.reason) {
            // It says who was not heard, and what of theirs.
            (BlockedReason::Silent, Some(reason)) => reason.clone(),
            _ => why(reason, &waiting(waiting_on, names)),
        };
        let mark = if asked_for(reason) { 'x' } else { ' ' };
        let word = if asked_for(reason) { "withheld" } else { "stays" };
        row(mark, word, &escape(&format!("{}: {why}", list(&ids))), look, out)?;
    }
    let reason = group.reason.as_deref().unwrap_or("no reason given");
    let is_bare = group.plan.deregister.is_empty() && group.plan.blocked.is_empty();
    match group.outcome {
        Outcome::Failed if is_bare => row('!', "failed", &escape(reason), look, out),
        _ if is_bare => row(' ', "not known", &escape(reason), look, out),
        _ => Ok(()),
    }
}

/// `10.0.37.19:80  unhealthy, Target.Timeout: Request timed out`.
fn described(listed: &TargetDescription) -> String {
    let health = &listed.health;
    let mut text = format!("{}  {}", listed.target, health.state);
    if let Some(reason) = &health.reason {
        text.push_str(&format!(", {reason}"));
    }
    if let Some(description) = &health.description {
        text.push_str(&format!(": {description}"));
    }
    text
}

/// Says whether a target that is withheld was to go at all.
fn asked_for(reason: BlockedReason) -> bool {
    !matches!(reason, BlockedReason::NotUnhealthy | BlockedReason::Initial)
}

/// What is withheld of what was asked for.
pub(super) fn withheld(report: &Reconcile) -> impl Iterator<Item = &BlockedReport> {
    let groups = report.unclaimed.iter().flatten();
    groups.flat_map(|group| &group.plan.blocked).filter(|blocked| asked_for(blocked.reason))
}

/// How many targets a run would deregister.
pub(super) fn deregistrations(report: &Reconcile) -> usize {
    report.unclaimed.iter().flatten().map(|group| group.plan.deregister.len()).sum()
}

/// What was done or tried.
pub(super) fn steps(report: &Reconcile) -> impl Iterator<Item = &Step> {
    report.unclaimed.iter().flatten().flat_map(|group| &group.steps)
}

/// What failed, with the group it concerns.
pub(super) fn failures(report: &Reconcile) -> Vec<(&UnclaimedReport, &Step)> {
    let mut failures = Vec::new();
    for group in report.unclaimed.iter().flatten() {
        let failed = group.steps.iter().filter(|step| step.result == StepResult::Failed);
        failures.extend(failed.map(|step| (group, step)));
    }
    failures
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use mctg::plan::{Action, Via};
    use mctg::report::{API_VERSION, Claim, ContextReport, UnclaimedPlan};
    use mctg::target::{Health, HealthState, Target};

    use super::*;
    use crate::cli::exit::Exit;
    use crate::cli::render::{Styles, reconcile};

    fn context(name: &str, lost: bool) -> ContextReport {
        ContextReport {
            context: name.to_owned(),
            cluster: None,
            reachable: !lost,
            reason: None,
            message: None,
            warnings: Vec::new(),
            same_as: None,
            lost,
            bindings: Some(1),
            controllers: Some(Vec::new()),
        }
    }

    fn listed(id: &str, state: HealthState, reason: Option<&str>) -> TargetDescription {
        let reason = reason.map(str::to_owned);
        let description = reason.as_ref().map(|_| "Request timed out".to_owned());
        TargetDescription {
            target: Target::new(id, 80),
            availability_zone: None,
            health: Health { state, reason, description },
        }
    }

    fn blocked(id: &str, reason: BlockedReason, waiting_on: Option<&str>) -> BlockedReport {
        BlockedReport {
            id: Some(id.to_owned()),
            port: Some(80),
            quic_server_id: None,
            action: Action::Deregister,
            reason,
            waiting_on: waiting_on.map(str::to_owned),
        }
    }

    fn report(groups: Vec<UnclaimedReport>) -> Reconcile {
        Reconcile {
            api_version: API_VERSION,
            kind: "Reconcile",
            observed_at: jiff::Timestamp::UNIX_EPOCH,
            dry_run: true,
            complete: true,
            timed_out: false,
            interrupted: false,
            demo: false,
            contexts: vec![context("blue", false), context("green", true)],
            bindings: Vec::new(),
            unclaimed: Some(groups),
            findings: Vec::new(),
        }
    }

    fn group(outcome: Outcome, reason: Option<&str>, plan: UnclaimedPlan) -> UnclaimedReport {
        UnclaimedReport {
            target_group_arn: "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/shop/b"
                .parse()
                .unwrap(),
            on_behalf_of: Claim {
                context: "blue".to_owned(),
                namespace: "web".to_owned(),
                binding: "shop".to_owned(),
            },
            via: Via::Direct,
            outcome,
            reason: reason.map(str::to_owned),
            plan,
            steps: Vec::new(),
        }
    }

    fn show(report: &Reconcile) -> String {
        let look = Look { styles: Styles::default(), width: Look::WIDTH, wide: false };
        let mut out = Vec::new();
        reconcile::plan(report, &["blue".to_owned()], &look, &mut out).unwrap();
        reconcile::summary(report, Exit::Found, &look, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_target_has_a_line_with_its_health_and_the_reason() {
        let many = (1..=9).map(|n| listed(&format!("10.0.0.{n}"), HealthState::Unhealthy, None));
        let timed_out =
            listed("10.0.1.1\u{1b}[31m", HealthState::Unhealthy, Some("Target.Timeout"));
        let plan = UnclaimedPlan {
            deregister: many.chain([timed_out]).collect(),
            blocked: vec![
                blocked("10.0.2.1", BlockedReason::NotUnhealthy, None),
                blocked("10.0.2.2", BlockedReason::NotUnhealthy, None),
                blocked("10.0.2.3", BlockedReason::Initial, None),
            ],
        };
        assert_snapshot!(show(&report(vec![group(Outcome::Planned, None, plan)])), @r"
        Looked at 1/1 contexts, without green, which was declared lost and does not
        answer; planning for blue, where no controller runs.

        shop ── targets that no cluster claims
          - deregister  10.0.0.1:80 unhealthy
          - deregister  10.0.0.2:80 unhealthy
          - deregister  10.0.0.3:80 unhealthy
          - deregister  10.0.0.4:80 unhealthy
          - deregister  10.0.0.5:80 unhealthy
          - deregister  10.0.0.6:80 unhealthy
          - deregister  10.0.0.7:80 unhealthy
          - deregister  10.0.0.8:80 unhealthy
          - deregister  10.0.0.9:80 unhealthy
          - deregister  10.0.1.1\u{1b}[31m:80 unhealthy, Target.Timeout: Request timed
                        out
            stays       10.0.2.1:80 and 10.0.2.2:80: not unhealthy; --include-healthy
                        takes it out
            stays       10.0.2.3:80: in its first health checks

        A run would deregister 10. Nothing was changed. Exit 1.
        ");
    }

    #[test]
    fn what_is_withheld_says_who_was_not_heard() {
        let plan = UnclaimedPlan {
            deregister: Vec::new(),
            blocked: vec![
                blocked("10.0.2.1", BlockedReason::Silent, Some("red")),
                blocked("10.0.2.2", BlockedReason::Silent, Some("red")),
            ],
        };
        let why = Some("red could not be read in full");
        assert_snapshot!(show(&report(vec![group(Outcome::Partial, why, plan)])), @r"
        Looked at 1/1 contexts, without green, which was declared lost and does not
        answer; planning for blue, where no controller runs.

        shop ── targets that no cluster claims
          x withheld    10.0.2.1:80 and 10.0.2.2:80: red could not be read in full

        Nothing to do, 2 withheld. Nothing was changed. Exit 1.
        ");
        let lines = |outcome| {
            let bare = group(outcome, Some("no answer"), UnclaimedPlan::default());
            let text = show(&report(vec![bare]));
            text.lines().nth(4).unwrap_or_default().to_owned()
        };
        assert_eq!(lines(Outcome::Failed), "  ! failed      no answer");
        assert_eq!(lines(Outcome::Skipped), "    not known   no answer");
    }

    #[test]
    fn that_there_is_none_is_told_too() {
        assert_snapshot!(show(&report(Vec::new())), @r"
        Looked at 1/1 contexts, without green, which was declared lost and does not
        answer; planning for blue, where no controller runs.

        Every registered target of these groups belongs to a cluster that was read.

        Nothing to do. Nothing was changed. Exit 1.
        ");
    }
}
