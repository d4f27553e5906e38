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
    let everything_read =
        facts.clusters.len() > 1 && facts.clusters.iter().all(|cluster| cluster.is_read_in_full());
    let cells = Cells::of(&group.bindings, group.facts.targets.is_ok(), everything_read);
    for (target, view) in &mut group.targets {
        let unregistrable = |binding: usize| {
            group.bindings[binding]
                .endpoint(target)
                .is_some_and(|endpoint| endpoint.unregistrable.is_some())
        };
        let unregistrable =
            !view.desired_by.is_empty() && view.desired_by.iter().all(|b| unregistrable(*b));
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
    /// cell that turns, and what makes a target contested is a pair of which one half is known.
    fn class(&self, view: &TargetView<'_>, unregistrable: bool) -> Class {
        let presences: &[Presence] = match view.listed.map(TargetDescription::is_registered) {
            Some(true) => &[Presence::Registered],
            Some(false) => &[Presence::Draining],
            None if self.targets_read => &[Presence::Absent],
            None => &[Presence::Absent, Presence::Draining, Presence::Registered],
        };
        let class = self.row(&view.desired_by, &view.tracked_by, presences[0], unregistrable);
        let certain = presences.iter().all(|presence| {
            let holds = |desired: &[usize], tracked: &[usize]| {
                self.row(desired, tracked, *presence, unregistrable) == class
            };
            holds(&view.desired_by, &view.tracked_by)
                && self
                    .desires_unread
                    .iter()
                    .all(|b| holds(&with(&view.desired_by, *b), &view.tracked_by))
                && self
                    .tracks_unread
                    .iter()
                    .all(|b| holds(&view.desired_by, &with(&view.tracked_by, *b)))
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
