//! What is left to do after the second reading: deregister, and let the ledger lose.

use std::collections::BTreeSet;

use super::{BindingPlan, Blocked, LedgerPlan, Standing};
use crate::target::{Target, TargetDescription};

/// The second half of a binding's plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// What both plans deregister, as ELBv2 described it last.
    pub deregister: Vec<TargetDescription>,
    /// Whether the controller's finalizer goes, if nothing is left that it guards.
    pub remove_finalizer: bool,
    /// What the second plan withholds of the first.
    pub blocked: Vec<Blocked>,
    /// The ledger as it was read last.
    pub ledger: Option<LedgerPlan>,
    /// What the ledger must keep, whatever is deregistered.
    keep: BTreeSet<Target>,
    hand_over: BTreeSet<Target>,
}

impl Finish {
    /// The ledger's last state once `deregistered` are gone; `None`: the ConfigMap goes.
    pub fn ledger_after(&self, deregistered: &BTreeSet<Target>) -> Option<BTreeSet<Target>> {
        let gone: BTreeSet<Target> = deregistered.union(&self.hand_over).cloned().collect();
        self.ledger.as_ref()?.without(self.keep.clone(), &gone)
    }

    /// What leaves the ledger only because nothing of that name is registered: entries of `before`
    /// that neither stay, nor were deregistered, nor were handed over.
    pub fn phantoms(&self, deregistered: &BTreeSet<Target>) -> BTreeSet<Target> {
        let before = self.ledger.iter().filter_map(|ledger| ledger.before.as_ref()).flatten();
        let leaves = |target: &&Target| {
            [&self.keep, &self.hand_over, deregistered].iter().all(|set| !set.contains(*target))
        };
        before.filter(leaves).cloned().collect()
    }
}

/// Joins the plan that was shown with the plan of the second reading; `None` where the second
/// reading leaves nothing to act on.
///
/// Only what both deregister goes, and only what leaves the ledger in both leaves it. The ledger keeps
/// what was desired in either reading and what it tracks that is still registered: `D ∪ D₂ ∪ (T ∩ R₂)`.
/// What somebody else put there in between stays too: they may be about to register it.
pub fn finish(first: &BindingPlan, second: &BindingPlan) -> Option<Finish> {
    if second.standing != Standing::Ready || second.uid != first.uid || second.arn != first.arn {
        return None;
    }
    let planned: BTreeSet<&Target> = first.deregister.iter().map(|listed| &listed.target).collect();
    let deregister = second
        .deregister
        .iter()
        .filter(|listed| planned.contains(&listed.target))
        .cloned()
        .collect();
    let withheld =
        |blocked: &&Blocked| blocked.target.as_ref().is_some_and(|target| planned.contains(target));
    let after = second.ledger.iter().filter_map(|ledger| ledger.after.as_ref()).flatten();
    let known = first.ledger.as_ref().map(|ledger| &ledger.gain);
    let is_new = |target: &&Target| !known.is_some_and(|known| known.contains(*target));
    let tracked = second.ledger.iter().filter_map(|ledger| ledger.before.as_ref()).flatten();
    // A phantom of the first reading may be another's live target in the second.
    let stays = |target: &Target| {
        let after = first.ledger.as_ref().and_then(|ledger| ledger.after.as_ref());
        after.is_some_and(|after| after.contains(target))
    };
    let hand_over =
        second.hand_over.iter().filter(|target| known.is_some_and(|k| k.contains(*target)));
    let hand_over = hand_over.filter(|target| !stays(target)).cloned().collect();
    Some(Finish {
        deregister,
        remove_finalizer: first.remove_finalizer && second.remove_finalizer,
        blocked: second.blocked.iter().filter(withheld).cloned().collect(),
        ledger: second.ledger.clone(),
        keep: first
            .desired
            .iter()
            .chain(after)
            .chain(second.going())
            .chain(tracked.filter(is_new))
            .cloned()
            .collect(),
        hand_over,
    })
}
