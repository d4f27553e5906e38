//! What observed bindings desire or track, whichever of them a run acts for.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::Facts;
use crate::owner::{self, Standing as Ownership};
use crate::target::{Target, TargetGroupArn};
use crate::view::GroupView;

/// What observed bindings of each group desire or track, as far as all were heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// The groups that were read; none inside where somebody who may desire its targets was not heard.
    groups: BTreeMap<TargetGroupArn, Option<BTreeSet<Target>>>,
    /// The groups that bindings name; `None` where some binding or its group is not known.
    named: Option<BTreeSet<TargetGroupArn>>,
}

impl Claims {
    pub(super) fn new(facts: &Facts, groups: &[GroupView<'_>]) -> Self {
        let heard = facts.clusters.iter().all(|cluster| cluster.silence().is_none());
        let bindings = || facts.clusters.iter().flat_map(|cluster| cluster.bindings());
        let named = bindings().map(|binding| binding.group.as_ref().ok().cloned());
        let named = if heard { named.collect() } else { None };
        let claims = groups.iter().map(|group| {
            let known = heard
                && !bindings().any(|binding| binding.may_name(group.arn))
                && !matches!(owner::standing(facts, group), Ownership::NotRead(_))
                && group.bindings.iter().all(|it| it.desired().is_some() && it.tracked().is_some());
            let claimed = group
                .targets
                .iter()
                .filter(|(_, view)| !view.desired_by.is_empty() || !view.tracked_by.is_empty());
            let claimed = claimed.map(|(target, _)| (*target).clone());
            (group.arn.clone(), known.then(|| claimed.collect()))
        });
        Self { groups: claims.collect(), named }
    }

    /// What of some targets nobody claims; nothing where that is not known.
    pub(crate) fn unclaimed<'a>(
        &self,
        group: &TargetGroupArn,
        targets: &'a BTreeSet<Target>,
    ) -> Vec<&'a Target> {
        let claimed = match self.groups.get(group) {
            Some(None) => return Vec::new(),
            Some(Some(claimed)) => Some(claimed),
            // No binding names it any more.
            None if self.named.as_ref().is_some_and(|named| !named.contains(group)) => None,
            None => return Vec::new(),
        };
        let is_claimed = |target: &Target| claimed.is_some_and(|it| it.contains(target));
        targets.iter().filter(|target| !is_claimed(target)).collect()
    }
}
