//! What a binding has in its target group, and which of it may be taken out. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::{ClusterFacts, Facts, Holder};
use crate::plan::{Unheard, unheard};
use crate::target::{HealthState, Target, TargetDescription};
use crate::view::GroupView;

/// Whose the targets are.
#[derive(Clone, Copy)]
pub(super) struct Of<'a> {
    pub(super) facts: &'a Facts,
    pub(super) group: &'a GroupView<'a>,
    pub(super) cluster: &'a ClusterFacts,
    pub(super) namespace: &'a str,
    /// The binding among those of the group; none once it is gone.
    pub(super) index: Option<usize>,
}

/// What is to become of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It may go.
    Goes,
    /// Another binding desires it; whether that one tracks it too.
    Theirs { who: String, is_tracked: bool },
    /// Somebody who may desire it was not heard, and nothing here holds its address.
    Silent(String),
    /// It is healthy, nothing here holds its address, and no other cluster was read.
    Elsewhere,
}

/// The targets of a binding in its group, by what becomes of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    /// What may go, as ELBv2 lists it.
    pub(super) going: Vec<TargetDescription>,
    /// What is on its way out.
    pub(super) draining: Vec<TargetDescription>,
    /// What is not to go, and why.
    pub(super) kept: BTreeMap<Target, Fate>,
}

impl<'a> Of<'a> {
    /// Sorts targets by what becomes of them; those of `endpoints` are this cluster's own for certain.
    pub(super) fn sort(&self, all: &BTreeSet<Target>, endpoints: &BTreeSet<&Target>) -> Taken {
        let unheard = self.unheard();
        let mut taken = Taken::default();
        for target in all {
            let Some(listed) = self.listed(target) else { continue };
            if !listed.is_registered() {
                taken.draining.push(listed.clone());
                continue;
            }
            match self.fate(listed, endpoints.contains(target), &unheard) {
                Fate::Goes => taken.going.push(listed.clone()),
                fate => {
                    taken.kept.insert(target.clone(), fate);
                }
            }
        }
        taken
    }

    /// The target as ELBv2 lists it, draining or not.
    fn listed(&self, target: &Target) -> Option<&'a TargetDescription> {
        self.group.targets.get(target)?.listed
    }

    /// Another binding that desires a target, and whether that one tracks it.
    pub(super) fn theirs(&self, target: &Target) -> Option<Fate> {
        let view = self.group.targets.get(target)?;
        let other = *view.desired_by.iter().find(|other| Some(**other) != self.index)?;
        Some(Fate::Theirs {
            who: self.group.bindings[other].reference().to_string(),
            is_tracked: view.tracked_by.contains(&other),
        })
    }

    fn unheard(&self) -> Unheard {
        unheard(self.facts, self.group, &self.cluster.context, self.index)
    }

    /// Judges as `reconcile` does (`product.md` 6.1).
    fn fate(&self, listed: &TargetDescription, is_endpoint: bool, unheard: &Unheard) -> Fate {
        if let Some(theirs) = self.theirs(&listed.target) {
            return theirs;
        }
        if is_endpoint {
            return Fate::Goes;
        }
        if let Some(here) = &unheard.here {
            return Fate::Silent(here.clone());
        }
        if self.is_held_here(&listed.target) {
            return Fate::Goes;
        }
        if let Some(anywhere) = &unheard.anywhere {
            return Fate::Silent(anywhere.clone());
        }
        let alone = self.facts.clusters.len() + self.facts.lost.len() == 1;
        if alone && listed.health.state == HealthState::Healthy {
            return Fate::Elsewhere;
        }
        Fate::Goes
    }

    /// Says whether a pod or node of this cluster is known to hold the target's address; while
    /// namespaces are hidden, only a pod of the binding's own namespace proves anything.
    fn is_held_here(&self, target: &Target) -> bool {
        let proves = |holder: &Holder| match holder {
            Holder::Pod(pod) => pod.name.namespace == self.namespace,
            Holder::Node(_) => false,
        };
        let holders = self.cluster.holders.get(&target.id).and_then(|held| held.as_ref().ok());
        let mut holders = holders.into_iter().flatten();
        holders.any(|holder| self.cluster.is_read_in_full() || proves(holder))
    }

    /// The addresses of which somebody has to say who holds them before they may go.
    pub(super) fn questions(&self, all: &BTreeSet<Target>) -> BTreeSet<String> {
        let unheard = self.unheard();
        let asks = |target: &&Target| {
            let listed = self.listed(target).filter(|listed| listed.is_registered());
            listed.is_some_and(|listed| self.fate(listed, false, &unheard) != Fate::Goes)
                && self.theirs(target).is_none()
        };
        all.iter().filter(asks).map(|target| target.id.clone()).collect()
    }
}

impl Taken {
    /// Whether nothing of it is registered any more but what others desire.
    pub(super) fn is_out(&self) -> bool {
        self.going.is_empty() && self.kept.values().all(|fate| matches!(fate, Fate::Theirs { .. }))
    }

    /// Whether nothing of it is listed any more but what others desire.
    pub(super) fn has_left(&self) -> bool {
        self.is_out() && self.draining.is_empty()
    }

    /// How many are still listed and not others'.
    pub(super) fn still_there(&self) -> usize {
        let kept = self.kept.values().filter(|fate| !matches!(fate, Fate::Theirs { .. }));
        self.going.len() + self.draining.len() + kept.count()
    }
}
