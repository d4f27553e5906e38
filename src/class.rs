//! Which class each target of a group falls in. Pure.

use serde::Serialize;

use crate::facts::Facts;
use crate::target::TargetDescription;
use crate::view::{self, BindingView, GroupView, TargetView};

/// The class of a target over the observed clusters; the first that fits wins (`product.md` 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Class {
    /// One address, two owners.
    Contested,
    /// Desired, and the group cannot take it.
    Unregistrable,
    /// Desired and not registered: traffic that should come does not.
    Missing,
    /// On its way out.
    Draining,
    /// Desired, tracked and registered.
    InSync,
    /// Desired and registered, in no ledger: leaks when the pod dies.
    Untracked,
    /// Tracked and registered, no longer an endpoint.
    Stale,
    /// Tracked, neither desired nor registered.
    Phantom,
    /// Registered, claimed by no cluster, and every cluster was read.
    Unclaimed,
    /// Registered, claimed by no cluster that was read.
    Unknown,
}

impl Class {
    /// The class as reports spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Contested => "contested",
            Self::Unregistrable => "unregistrable",
            Self::Missing => "missing",
            Self::Draining => "draining",
            Self::InSync => "inSync",
            Self::Untracked => "untracked",
            Self::Stale => "stale",
            Self::Phantom => "phantom",
            Self::Unclaimed => "unclaimed",
            Self::Unknown => "unknown",
        }
    }

    /// Says whether it makes a binding drift.
    pub fn is_drift(self) -> bool {
        matches!(
            self,
            Self::Contested | Self::Missing | Self::Untracked | Self::Stale | Self::Phantom
        )
    }
}

/// Says where a target is in its group.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    Absent,
    Draining,
    Registered,
}

/// Gives every target of a view its class, and says whether its difference is pending.
pub(crate) fn classify(facts: &Facts, group: &mut GroupView<'_>) {
    let everything_read = facts.is_complete_for(group.arn);
    let cells = Cells::of(&group.bindings, group.facts.targets.is_ok(), everything_read);
    for (target, view) in &mut group.targets {
        let unregistrable = |binding: usize| {
            group.bindings[binding]
                .endpoint(target)
                .is_some_and(|endpoint| endpoint.unregistrable.is_some())
        };
        // What is registered was taken, whatever the endpoint says.
        let unregistrable = !view.is_registered()
            && !view.desired_by.is_empty()
            && view.desired_by.iter().all(|b| unregistrable(*b));
        view.class = cells.class(view, unregistrable);
        let claimants = || view.desired_by.iter().chain(&view.tracked_by);
        view.pending = view.class.is_drift()
            && view.class != Class::Contested
            && claimants().any(|binding| {
                view::is_pending(facts.observed_at, &group.bindings[*binding], target)
            });
    }
}

/// What is known of a group's bindings, and which cells of the table could not be read.
struct Cells<'a> {
    bindings: &'a [BindingView<'a>],
    desires_unread: Vec<usize>,
    tracks_unread: Vec<usize>,
    targets_read: bool,
    everything_read: bool,
}

impl<'a> Cells<'a> {
    fn of(bindings: &'a [BindingView<'a>], targets_read: bool, everything_read: bool) -> Self {
        let unread = |is_unread: fn(&BindingView<'_>) -> bool| {
            bindings
                .iter()
                .enumerate()
                .filter(|(_, b)| is_unread(b))
                .map(|(index, _)| index)
                .collect()
        };
        Self {
            bindings,
            desires_unread: unread(|binding| binding.desired().is_none()),
            // Exclusive bindings keep no ledger: nothing of theirs is unread.
            tracks_unread: unread(|binding| binding.tracked().is_none()),
            targets_read,
            everything_read,
        }
    }

    /// The class, or unknown where a cell that could not be read would decide it.
    ///
    /// Turning one unread cell at a time is enough: every row but `contested` is lost by the first
    /// cell that turns. A binding that is not known to claim the target counts only where nobody
    /// is: like a silent context it may contest anything, and one bad binding hides no good one.
    fn class(&self, view: &TargetView<'_>, unregistrable: bool) -> Class {
        let presences: &[Presence] = match view.listed.map(TargetDescription::is_registered) {
            Some(true) => &[Presence::Registered],
            Some(false) => &[Presence::Draining],
            None if self.targets_read => &[Presence::Absent],
            None => &[Presence::Absent, Presence::Draining, Presence::Registered],
        };
        let (desired, tracked) = (&view.desired_by, &view.tracked_by);
        let unclaimed = desired.is_empty() && tracked.is_empty();
        let counts = |b: &&usize| unclaimed || desired.contains(b) || tracked.contains(b);
        let class = self.row(desired, tracked, presences[0], unregistrable);
        let certain = presences.iter().all(|presence| {
            let holds = |desired: &[usize], tracked: &[usize]| {
                self.row(desired, tracked, *presence, unregistrable) == class
            };
            let mut desires = self.desires_unread.iter().filter(counts);
            let mut tracks = self.tracks_unread.iter().filter(counts);
            holds(desired, tracked)
                && desires.all(|b| holds(&with(desired, *b), tracked))
                && tracks.all(|b| holds(desired, &with(tracked, *b)))
        });
        if certain { class } else { Class::Unknown }
    }

    /// The first row of the table that fits.
    fn row(
        &self,
        desired_by: &[usize],
        tracked_by: &[usize],
        presence: Presence,
        unregistrable: bool,
    ) -> Class {
        let desired = !desired_by.is_empty();
        let tracked = !tracked_by.is_empty();
        let registered = presence == Presence::Registered;
        let in_one_binding = desired_by.iter().any(|binding| tracked_by.contains(binding));
        match () {
            () if self.is_contested(desired_by, tracked_by) => Class::Contested,
            () if desired && !registered && unregistrable => Class::Unregistrable,
            () if desired && !registered => Class::Missing,
            () if presence == Presence::Draining => Class::Draining,
            () if desired && in_one_binding => Class::InSync,
            () if desired => Class::Untracked,
            () if tracked && registered => Class::Stale,
            () if tracked => Class::Phantom,
            () if self.everything_read => Class::Unclaimed,
            () => Class::Unknown,
        }
    }

    /// One address, two owners: two clusters desire it, or one binding desires what another tracks
    /// without desiring it.
    fn is_contested(&self, desired_by: &[usize], tracked_by: &[usize]) -> bool {
        let context = |binding: usize| &self.bindings[binding].cluster.context;
        let two_clusters =
            desired_by.iter().any(|binding| context(*binding) != context(desired_by[0]));
        let only_tracked = tracked_by.iter().any(|binding| !desired_by.contains(binding));
        two_clusters || (!desired_by.is_empty() && only_tracked)
    }
}

fn with(bindings: &[usize], binding: usize) -> Vec<usize> {
    let mut more = bindings.to_vec();
    if !more.contains(&binding) {
        more.push(binding);
    }
    more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::Unregistrable;
    use crate::facts::{Aliveness, Silence, SilenceReason};
    use crate::testing::{World, arn, now, registered, silence, target, words};
    use crate::view::GroupView;

    /// Writes the classes of a world: `class: targets`, `*` behind a pending one.
    fn classes(world: &World) -> String {
        let view = GroupView::new(
            &world.facts,
            world.facts.groups.keys().next().unwrap(),
            &world.facts.groups[&arn()],
        );
        let class = |(target, of): (&&crate::target::Target, &crate::view::TargetView<'_>)| {
            format!(
                "{}={}{}",
                words([*target]),
                of.class.as_str(),
                if of.pending { "*" } else { "" }
            )
        };
        view.targets.iter().map(class).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_row_of_the_table_fits() {
        let world = registered("1 2 3 4 5- 9")
            .cluster("blue", "1 2 6", "1 3 6 7")
            .cluster("green", "4", "4");
        assert_eq!(
            classes(&world),
            "1=inSync 2=untracked 3=stale 4=inSync 5=draining 6=missing 7=phantom 9=unclaimed"
        );
    }

    #[test]
    fn a_desired_target_that_drains_is_missing() {
        assert_eq!(classes(&registered("1-").cluster("blue", "1", "1")), "1=missing");
    }

    #[test]
    fn a_target_two_clusters_desire_is_contested() {
        let world = registered("1").cluster("blue", "1", "1").cluster("green", "1", "");
        assert_eq!(classes(&world), "1=contested");
    }

    #[test]
    fn a_target_one_desires_and_another_only_tracks_is_contested() {
        let world = registered("1").cluster("blue", "1", "1").cluster("green", "", "1");
        assert_eq!(classes(&world), "1=contested");
        let in_one_cluster = registered("1").cluster("blue", "1", "1").binding("other", "", "1");
        assert_eq!(classes(&in_one_cluster), "1=contested");
    }

    #[test]
    fn two_bindings_of_one_cluster_may_desire_one_target() {
        let world = registered("1 2").cluster("blue", "1 2", "1 2").binding("other", "1", "1");
        assert_eq!(classes(&world), "1=inSync 2=inSync");
    }

    #[test]
    fn desired_by_one_binding_and_tracked_by_the_same_is_what_counts() {
        let world = registered("1").cluster("blue", "1", "").binding("other", "", "");
        assert_eq!(classes(&world), "1=untracked");
    }

    #[test]
    fn what_the_group_cannot_take_is_unregistrable_and_no_drift() {
        let world = registered("").cluster("blue", "1", "1").with(|binding| {
            let endpoints = binding.endpoints.as_mut().unwrap();
            endpoints.desired.get_mut(&target("1")).unwrap().unregistrable =
                Some(Unregistrable::NoQuicServerId);
        });
        assert_eq!(classes(&world), "1=unregistrable");
        assert!(!Class::Unregistrable.is_drift());
    }

    #[test]
    fn nothing_is_unclaimed_while_somebody_is_silent_or_alone() {
        assert_eq!(classes(&registered("9").cluster("blue", "", "")), "9=unknown");
        assert_eq!(classes(&registered("9").cluster("blue", "", "").silent("green")), "9=unknown");
        let mut world = registered("9").cluster("blue", "", "").cluster("green", "", "");
        world.last().hidden.push(silence());
        assert_eq!(classes(&world), "9=unknown");
    }

    #[test]
    fn nothing_is_unclaimed_while_a_binding_names_the_group_and_cannot_be_resolved() {
        let named = |name: &str, reason| {
            let world = registered("9").cluster("blue", "", "").cluster("green", "", "");
            let world = world.binding("named", "", "");
            classes(&world.with(|binding| {
                binding.binding.spec.target_group_arn.clear();
                name.clone_into(&mut binding.binding.spec.target_group_name);
                binding.group = Err(Silence::new(reason, "no answer"));
            }))
        };
        let name = arn().name().to_owned();
        assert_eq!(named(&name, SilenceReason::Forbidden), "9=unknown");
        assert_eq!(named(&name, SilenceReason::NotFound), "9=unclaimed");
        assert_eq!(named("another", SilenceReason::Forbidden), "9=unclaimed");
    }

    #[test]
    fn a_cell_that_could_not_be_read_makes_the_class_unknown_where_it_decides() {
        let world = registered("2 9")
            .cluster("blue", "1", "1")
            .cluster("green", "", "2")
            .endpoints_unread();
        // Green may desire both: 2 would be in sync, 9 untracked.
        assert_eq!(classes(&world), "1=missing 2=unknown 9=unknown");
    }

    #[test]
    fn a_bad_binding_hides_no_good_one() {
        let good = || registered("1 2").cluster("blue", "1", "1 2").cluster("green", "", "");
        assert_eq!(classes(&good().endpoints_unread()), "1=inSync 2=stale");
        let bad_ledger = good().with(|binding| {
            binding.ledger = Err(crate::facts::LedgerFault::Silent(silence()));
        });
        assert_eq!(classes(&bad_ledger), "1=inSync 2=stale");
    }

    #[test]
    fn a_cell_that_could_not_be_read_does_not_matter_where_the_row_fits_either_way() {
        let contested = registered("1").cluster("blue", "1", "1").cluster("red", "1", "1");
        let world = contested.with(|binding| {
            binding.ledger = Err(crate::facts::LedgerFault::Silent(silence()));
        });
        assert_eq!(classes(&world), "1=contested");
    }

    #[test]
    fn without_an_answer_of_elbv2_only_what_it_cannot_decide_is_known() {
        let mut world = registered("").cluster("blue", "1 2", "1 3").cluster("green", "2", "2");
        world.group().targets = Err(silence());
        assert_eq!(classes(&world), "1=unknown 2=contested 3=unknown");
    }

    #[test]
    fn a_binding_that_is_being_deleted_desires_nothing() {
        let world = registered("1")
            .cluster("blue", "1", "1")
            .with(|binding| binding.binding.deleted_at = Some(now()));
        assert_eq!(classes(&world), "1=stale");
    }

    #[test]
    fn a_young_difference_is_pending_beside_a_live_controller_only() {
        let young = |alive| {
            let world = registered("").cluster("blue", "1", "1").controller(alive);
            classes(&world.with(|binding| {
                let endpoints = binding.endpoints.as_mut().unwrap();
                endpoints.desired.get_mut(&target("1")).unwrap().ready_since = Some(now());
            }))
        };
        assert_eq!(young(Aliveness::Alive), "1=missing*");
        assert_eq!(young(Aliveness::Absent), "1=missing");
        assert_eq!(young(Aliveness::Unknown), "1=missing");
    }
}
