//! What of a plan another plan announced: only that is done once somebody said yes to it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Change, Check, Item};

/// Keeps of each item only what another plan announced; where that drops a change other than a
/// target that need not go, the item is refused: the world is not what was shown.
pub(super) fn narrow(items: &mut [Item], shown: &[Item]) {
    for item in items {
        let announced = shown.iter().find(|other| other.is_same_as(item));
        let before = item.changes.len();
        item.changes = match announced {
            Some(plan) => item.changes.iter().filter_map(|it| it.announced_by(plan)).collect(),
            None => Vec::new(),
        };
        let dropped_a_write = item.changes.len() < before;
        if dropped_a_write && item.refusals().next().is_none() {
            item.check(plan_changed());
        }
    }
}

/// The check of an item whose plan is another now than was shown.
pub(super) fn plan_changed() -> Check {
    let message = "the world changed since the plan was shown";
    Check::refused("PlanChanged", message).hint("run it again to see the new plan")
}

impl Change {
    /// What of this change was announced by another plan: all of it, some of its targets, or
    /// nothing. Resource versions may have moved since; what is written may not.
    pub(super) fn announced_by(&self, plan: &Item) -> Option<Self> {
        let announced = plan.changes.iter().chain(&plan.later);
        let same =
            |other: &&Self| other.action() == self.action() && other.object() == self.object();
        match self {
            Self::Deregister { access, arn, targets } => {
                let named: BTreeSet<_> = announced
                    .filter(same)
                    .flat_map(|change| match change {
                        Self::Deregister { targets, .. } => targets.as_slice(),
                        _ => &[],
                    })
                    .map(|listed| &listed.target)
                    .collect();
                let targets: Vec<_> = targets
                    .iter()
                    .filter(|listed| named.contains(&listed.target))
                    .cloned()
                    .collect();
                (!targets.is_empty()).then(|| Self::Deregister {
                    access: access.clone(),
                    arn: arn.clone(),
                    targets,
                })
            }
            Self::ApplyBinding { manifest, .. } => announced
                .filter(same)
                .any(|other| matches!(other, Self::ApplyBinding { manifest: shown, .. } if shown == manifest))
                .then(|| self.clone()),
            Self::PatchOwner(patch) => announced
                .filter(same)
                .any(|other| is_part_of(&patch.body, &other.body()))
                .then(|| self.clone()),
            Self::CreateOwner { .. } => announced
                .filter(same)
                .any(|other| other.body() == self.body())
                .then(|| self.clone()),
            _ => announced.into_iter().any(|other| same(&other)).then(|| self.clone()),
        }
    }
}

/// Says whether all that a patch sets is set to the same by another.
fn is_part_of(patch: &Value, other: &Value) -> bool {
    match (patch, other) {
        (Value::Object(own), Value::Object(other)) => {
            own.iter().all(|(name, value)| other.get(name).is_some_and(|it| is_part_of(value, it)))
        }
        _ => patch == other,
    }
}
