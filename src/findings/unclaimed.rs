//! 204: targets that belong to no cluster that was read.

use super::catalogue::UNCLAIMED_TARGETS;
use super::{Finding, Severity, counted, listed, reconcile_line};
use crate::class::Class;
use crate::facts::Facts;
use crate::plan;
use crate::target::{HealthState, Target};
use crate::view::GroupView;

pub(super) fn finding(facts: &Facts, group: &GroupView<'_>) -> Option<Finding> {
    let unclaimed = group.targets.iter().filter(|(_, of)| of.class == Class::Unclaimed);
    let targets: Vec<&Target> = unclaimed.map(|(target, _)| *target).collect();
    if targets.is_empty() {
        return None;
    }
    let serves = |target: &&Target| {
        let state = group.targets[*target].listed.map(|listed| &listed.health.state);
        matches!(state, Some(HealthState::Healthy | HealthState::Initial))
    };
    let severity = if targets.iter().all(serves) { Severity::Info } else { Severity::Warning };
    let message = format!(
        "{} of {} {} to no cluster that was read: {}. Registered by hand, or left by a cluster that is gone.",
        counted(targets.len(), "target"),
        group.arn.name(),
        if targets.len() == 1 { "belongs" } else { "belong" },
        listed(&targets)
    );
    let fix = plan::prunes_through(facts, group)
        .map(|binding| format!("{} --prune-unclaimed", reconcile_line(&binding)));
    Some(
        UNCLAIMED_TARGETS
            .finding(severity, message)
            .of_group(group.arn)
            .with_targets(targets)
            .with_fix(fix),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, registered, silence};
    use crate::view;

    /// The severity and the fix.
    fn check(world: &World) -> Option<(Severity, Option<String>)> {
        let groups = view::groups(&world.facts);
        finding(&world.facts, &groups[0]).map(|finding| (finding.severity, finding.fix))
    }

    fn shop(list: &str) -> World {
        registered(list).cluster("blue", "1", "1").cluster("green", "2", "2")
    }

    #[test]
    fn what_fails_its_checks_has_a_fix_and_what_serves_is_only_told() {
        let fix = "kubectl mctg reconcile tgb/shop -n web --context blue --prune-unclaimed";
        assert_eq!(check(&shop("1 2 8! 9")), Some((Severity::Warning, Some(fix.to_owned()))));
        assert_eq!(check(&shop("1 2 9")), Some((Severity::Info, None)));
        assert_eq!(check(&shop("1 2 9~")), Some((Severity::Warning, None)));
        assert_eq!(check(&shop("1 2")), None);
    }

    #[test]
    fn a_fix_that_would_be_refused_is_not_offered() {
        let mut left_out = shop("1 2 8!");
        left_out.facts.left_out.insert("red".to_owned());
        let mut narrowed = shop("1 2 8!");
        narrowed.facts.narrowed = true;
        let mut no_tags = shop("1 2 8!");
        no_tags.group().tags = Err(silence());
        let exclusive = registered("8!").cluster("blue", "", "").with(|binding| {
            binding.binding.spec.multi_cluster_target_group = false;
        });
        let mut no_binding = exclusive.cluster("green", "", "");
        no_binding.last().bindings = Ok(Vec::new());
        for world in [left_out, narrowed, no_tags, no_binding] {
            assert_eq!(check(&world), Some((Severity::Warning, None)));
        }
    }
}
