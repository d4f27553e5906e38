//! What a nudged controller has not done yet. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::Nudge;
use crate::binding::BindingRef;
use crate::checkpoint::{self, Checkpoint};
use crate::facts::Facts;
use crate::target::Target;
use crate::view;

/// What a controller was to do and has not done, and what tells why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unrepaired {
    /// Still desired, and not registered.
    pub register: BTreeSet<Target>,
    /// Still not desired, and registered.
    pub deregister: BTreeSet<Target>,
    /// Why, as far as can be seen.
    pub why: String,
}

impl Unrepaired {
    /// All its targets.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.register.iter().chain(&self.deregister)
    }
}

/// Compares what each nudge was to do with what is observed now.
///
/// A target that nobody wants any more, or that is wanted again, is not waited for. Where the binding
/// cannot be read, all of it may still be open.
pub fn unrepaired(
    facts: &Facts,
    nudges: &BTreeMap<&BindingRef, &Nudge>,
) -> BTreeMap<BindingRef, Unrepaired> {
    let groups = view::groups(facts);
    let bindings = || {
        groups.iter().flat_map(|group| group.bindings.iter().map(move |binding| (group, binding)))
    };
    let each = nudges.iter().map(|(reference, nudge)| {
        let found = bindings().find(|(_, binding)| binding.reference() == **reference);
        let read = found
            .filter(|(group, _)| group.facts.targets.is_ok())
            .and_then(|(group, binding)| Some((group, binding, binding.desired()?)));
        let Some((group, binding, desired)) = read else {
            let unknown = Unrepaired {
                register: nudge.register.clone(),
                deregister: nudge.going().cloned().collect(),
                why: "its cluster or its target group could not be read".to_owned(),
            };
            return ((*reference).clone(), unknown);
        };
        let is_registered =
            |target: &Target| group.targets.get(target).is_some_and(|view| view.is_registered());
        let coming = nudge.register.iter();
        let going = nudge.going();
        let open = Unrepaired {
            register: coming
                .filter(|target| desired.contains_key(*target) && !is_registered(target))
                .cloned()
                .collect(),
            deregister: going
                .filter(|target| !desired.contains_key(*target) && is_registered(target))
                .cloned()
                .collect(),
            why: why(binding.facts.endpoints.as_ref().map_or(Checkpoint::Reset, |endpoints| {
                checkpoint::compare(&binding.facts.binding, endpoints)
            }))
            .to_owned(),
        };
        ((*reference).clone(), open)
    });
    each.filter(|(_, open)| open.targets().next().is_some()).collect()
}

fn why(checkpoint: Checkpoint) -> &'static str {
    match checkpoint {
        Checkpoint::Current => {
            "it looked and considers the binding done: for five minutes it goes by the targets it \
             listed before"
        }
        Checkpoint::Stale => "it is behind: its checkpoint is of other endpoints or another spec",
        Checkpoint::Reset | Checkpoint::Absent => {
            "it has not looked yet, or it fails: `kubectl describe` shows the binding's events"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{World, registered, targets, words};

    fn open(world: &World, register: &str, deregister: &str) -> String {
        let listed = |target: Target| crate::target::TargetDescription {
            target,
            availability_zone: None,
            health: crate::target::Health::plain(crate::target::HealthState::Healthy),
        };
        let nudge = Nudge {
            removes_checkpoint: true,
            register: targets(register),
            deregister: targets(deregister).into_iter().map(listed).collect(),
        };
        let binding = &world.facts.clusters[0].bindings().next().unwrap().binding;
        let reference = binding.reference("blue");
        let open = unrepaired(&world.facts, &BTreeMap::from([(&reference, &nudge)]));
        let open = open.get(&reference).cloned().unwrap_or_default();
        format!("+[{}] -[{}]", words(&open.register), words(&open.deregister))
    }

    #[test]
    fn what_came_and_what_went_is_not_open() {
        let world = registered("1 2 3-").cluster("blue", "1 2", "1 2");
        assert_eq!(open(&world, "2", "3"), "+[] -[]");
    }

    #[test]
    fn what_did_not_come_or_did_not_go_is_open() {
        let world = registered("1 3").cluster("blue", "1 2", "1 2 3");
        assert_eq!(open(&world, "2", "3"), "+[2] -[3]");
    }

    #[test]
    fn what_is_not_wanted_any_more_or_wanted_again_is_not_waited_for() {
        let world = registered("1 3").cluster("blue", "1 3", "1 2 3");
        assert_eq!(open(&world, "2", "3"), "+[] -[]");
    }

    #[test]
    fn a_binding_that_cannot_be_read_leaves_all_of_it_open() {
        let world = registered("1 2").cluster("blue", "1 2", "1 2").endpoints_unread();
        assert_eq!(open(&world, "2", "3"), "+[2] -[3]");
    }
}
