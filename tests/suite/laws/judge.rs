//! The laws of `product.md` 2, held against every call of this program.
//!
//! The judge knows the truth of every moment. A law binds a run only to what it could have read: a
//! fact counts against it if it held all the time since its last reading began.

use std::collections::BTreeMap;

use mctg::plan::{Cap, Prune};
use mctg::sim::cluster::Request;
use mctg::sim::controller::Worker;

use super::stage::{Slot, Stage};
use super::targets::{Set, each, words};
use super::truth::{Held, Slots, Truth};

/// Targets by cluster and group.
pub(super) type ByGroup = BTreeMap<(usize, usize), Set>;

/// What a run may do.
#[derive(Clone, Debug, Default)]
pub(super) struct Leave {
    /// The clusters it acts in and reads, as bits.
    pub(super) acting: u8,
    pub(super) seeing: u8,
    /// Whether it may take out the last healthy target.
    pub(super) allow_empty: bool,
    /// Whether nobody said yes to deregistering.
    pub(super) no_yes: bool,
    pub(super) cap: Option<Cap>,
    /// Whether it takes out what no cluster claims.
    pub(super) prune: Option<Prune>,
}

/// What a run was told of the targets of a group.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Listed {
    pub(super) healthy: Set,
    /// In their first checks.
    pub(super) initial: Set,
    /// Not known to serve nobody.
    pub(super) serving: Set,
    pub(super) registered: Set,
}

/// What is known of one run.
#[derive(Clone, Debug, Default)]
pub(super) struct Witness {
    leave: Leave,
    /// What somebody said yes to deregistering; none where nobody was asked.
    approved: Option<ByGroup>,
    /// How many readings it began, since it was said yes to, and which clusters it asked in the last
    /// one.
    readings: usize,
    asked: u8,
    /// Whether something went wrong for it: a call failed, or it was killed.
    pub(super) troubled: bool,
    /// Since its last reading began: what each slot desired all the time, what it tracked at any
    /// time, what its binding claimed by it all the time, what was registered all the time, which addresses each cluster held at any time, which
    /// bindings were this program's at any time.
    desired: Vec<Set>,
    tracked: Vec<Set>,
    always_tracked: Vec<Set>,
    registered: Vec<Set>,
    /// What each slot desired at any time since then: a pod that went wakes its controller by itself.
    ever_desired: Vec<Set>,
    held: Vec<Held>,
    ours: Slots,
    /// What each slot's binding was when that reading began.
    standing: Vec<[bool; 4]>,
    /// What it was told in its last reading.
    ledgers: Vec<Option<Set>>,
    listed: Vec<Listed>,
    /// What it was refused in its last reading: bindings by cluster, the rest by slot.
    bindings_unread: u8,
    endpoints_unread: Slots,
    ledgers_unread: Slots,
    nodes_read: u8,
    /// How much it was ever told that a slot's ledger tracks.
    entries: Vec<usize>,
    /// What it registered and deregistered itself, by group; of what served, by cluster too.
    own: Vec<Set>,
    taken_out: Vec<Set>,
    capped: ByGroup,
    /// By group: what its plan takes out as claimed by no cluster, and what it took out of that.
    prunes: BTreeMap<usize, Set>,
    pruned: BTreeMap<usize, Set>,
}

impl Witness {
    /// What speaks against taking out targets, by what the run could know: laws 1, 3 and 5.
    fn objections(
        &self,
        (cluster, group): (usize, usize),
        targets: Set,
        stage: &Stage,
    ) -> Vec<String> {
        let mut objections = Vec::new();
        let mut object = |law: &str, targets: Set, what: &str| {
            if targets != 0 {
                objections.push(format!("{law}: {} deregistered, {what}", words(targets)));
            }
        };
        let own = || slots_of(stage, Some(cluster), group);
        let ledger = |slot: usize| self.ledgers[slot].unwrap_or(0);
        let ours = own().filter(|slot| self.ours & (1 << slot) != 0);
        let tracked = ours.fold(0, |set, slot| set | ledger(slot));
        object("law 1", targets & !tracked & !self.own[group], "not tracked");
        for slot in slots_of(stage, None, group) {
            let Slot { cluster, binding, .. } = &stage.slots[slot];
            if self.leave.seeing & (1 << cluster) != 0 {
                let what = format!("desired by {binding} of cluster {cluster}");
                object("laws 1, 3 and 5", targets & self.desired[slot], &what);
            }
        }
        let not_held = targets & !self.held[cluster].of(stage.groups[group].1);
        let unread = |slot: &usize| self.endpoints_unread & (1 << slot) != 0;
        let silent_cluster = self.bindings_unread & self.leave.seeing & !(1 << cluster) != 0;
        let silent_binding = slots_of(stage, None, group)
            .any(|slot| stage.slots[slot].cluster != cluster && unread(&slot));
        if silent_cluster || silent_binding {
            object("law 3", not_held, "not held here while somebody is silent");
        }
        let of_unread = own().filter(unread).fold(0, |set, slot| set | ledger(slot));
        let of_read = own().filter(|slot| !unread(slot)).fold(0, |set, slot| set | ledger(slot));
        let by_unread = targets & of_unread & !of_read & !self.own[group];
        object("law 3", by_unread, "its own endpoints unread");
        if self.leave.seeing.count_ones() == 1 {
            let elsewhere = not_held & self.listed[group].healthy & !self.own[group];
            object("law 1", elsewhere, "it answers elsewhere");
        }
        let healthy = self.listed[group].healthy;
        let is_last = healthy & !(self.taken_out[group] | targets) == 0;
        if !self.leave.allow_empty && is_last {
            object("law 5", healthy & targets, "the last that is healthy");
        }
        objections
    }

    /// What speaks against taking out targets because no cluster claims them, by what the run could
    /// know: law 1, and 3, 5 and 7 with it.
    fn objections_to_pruning(&self, group: usize, targets: Set, stage: &Stage) -> Vec<String> {
        let mut objections = Vec::new();
        let mut object = |law: &str, targets: Set, what: &str| {
            if targets != 0 {
                objections.push(format!("{law}: pruned {}, {what}", words(targets)));
            }
        };
        let Some(prune) = self.leave.prune else {
            object("law 1", targets, "unasked");
            return objections;
        };
        let all = (1_u8 << stage.clusters.len()) - 1;
        let is_alone = all.count_ones() == 1;
        if self.leave.seeing != all || is_alone {
            object("law 1", targets, "not every cluster was read, or only one");
        }
        let mut unread = self.bindings_unread != 0;
        for slot in slots_of(stage, None, group) {
            let Slot { cluster, binding, .. } = &stage.slots[slot];
            let what = format!("claimed by {binding} of cluster {cluster}");
            object("law 1", targets & self.desired[slot], &what);
            object("law 1", targets & self.always_tracked[slot], &what);
            unread |= (self.endpoints_unread | self.ledgers_unread) & (1 << slot) != 0;
        }
        if unread {
            object("law 3", targets, "while somebody is silent");
        }
        let Listed { healthy, initial, serving, registered } = self.listed[group];
        let stay = if prune.include_healthy { initial } else { serving };
        object("law 1", targets & stay, "not unhealthy, or in its first checks");
        let is_last = healthy & !(self.taken_out[group] | targets) == 0;
        if !self.leave.allow_empty && is_last {
            object("law 5", healthy & targets, "the last that is healthy");
        }
        let pruned = self.pruned.get(&group).copied().unwrap_or(0) | targets;
        let most = self.leave.cap.map(|cap| cap.of(registered.count_ones() as usize));
        if most.is_some_and(|most| pruned.count_ones() as usize > most) {
            object("law 7", targets, "over the cap");
        }
        objections
    }
}

/// A controller that was made to look at a binding again.
#[derive(Clone, Debug)]
struct Nudged {
    /// What the run knew that did it.
    witness: Witness,
    /// What it showed that the pass would take out.
    planned: Set,
    /// What was registered then.
    registered: Set,
}

/// Watches a history.
#[derive(Debug, Default)]
pub(super) struct Judge {
    pub(super) witnesses: Vec<Witness>,
    /// The runs under way.
    pub(super) under_way: Vec<usize>,
    pub(super) violations: Vec<String>,
    truth: Truth,
    /// What this program registered and is still registered, by group: its cluster, and whether
    /// somebody else has taken it out of a ledger.
    registered_by_us: BTreeMap<(usize, Set), (usize, bool)>,
    /// By slot: the passes that a run made happen and that are not over, in an unchanged world.
    nudged: BTreeMap<usize, Nudged>,
    /// By cluster: what its controller has taken out in the pass it is in.
    lost: BTreeMap<(usize, usize), Set>,
}

impl Judge {
    pub(super) fn new(stage: &Stage) -> Self {
        Self { truth: stage.truth(), ..Self::default() }
    }

    fn blame(&mut self, law: &str, what: &str) {
        self.violations.push(format!("{law}: {what}"));
    }

    /// A run begins; returns its number.
    pub(super) fn begin(&mut self, leave: Leave) -> usize {
        let groups = self.truth.registered.len();
        let (own, taken_out) = (vec![0; groups], vec![0; groups]);
        let entries = vec![0; self.truth.ledgers.len()];
        self.witnesses.push(Witness { leave, own, taken_out, entries, ..Witness::default() });
        let run = self.witnesses.len() - 1;
        self.begin_reading(run);
        self.witnesses[run].readings = 0;
        self.under_way.push(run);
        run
    }

    fn begin_reading(&mut self, run: usize) {
        let truth = &self.truth;
        let slots = truth.desired.len();
        let witness = &mut self.witnesses[run];
        witness.readings += 1;
        witness.asked = 0;
        witness.desired.clone_from(&truth.desired);
        witness.ever_desired.clone_from(&truth.desired);
        witness.tracked.clone_from(&truth.ledgers);
        witness.always_tracked = truth.claimed();
        witness.registered.clone_from(&truth.registered);
        witness.held.clone_from(&truth.held);
        witness.ours = truth.ours;
        witness.standing = (0..slots).map(|slot| truth.standing(slot)).collect();
        witness.ledgers = vec![None; slots];
        witness.listed = vec![Listed::default(); truth.registered.len()];
        witness.bindings_unread = 0;
        witness.endpoints_unread = 0;
        witness.ledgers_unread = 0;
        witness.nodes_read = 0;
    }

    /// A run asks a cluster who it is: each reading begins with that.
    pub(super) fn asks_identity(&mut self, run: usize, cluster: usize) {
        if self.witnesses[run].readings == 0 || self.witnesses[run].asked & (1 << cluster) != 0 {
            self.begin_reading(run);
        }
        self.witnesses[run].asked |= 1 << cluster;
    }

    /// Somebody read a plan, and said yes to what it deregisters: only a reading after that counts.
    pub(super) fn approved(&mut self, run: usize, approved: ByGroup) {
        let witness = &mut self.witnesses[run];
        witness.approved = Some(approved);
        witness.readings = 0;
    }

    /// A request of a run failed.
    pub(super) fn unread(&mut self, run: usize, cluster: usize, request: Request, slots: Slots) {
        let witness = &mut self.witnesses[run];
        witness.troubled = true;
        match request {
            Request::Bindings => witness.bindings_unread |= 1 << cluster,
            Request::ReadLedger => witness.ledgers_unread |= slots & self.truth.present,
            // What was read once in this reading is known.
            Request::Nodes if witness.nodes_read & (1 << cluster) != 0 => {}
            Request::Services | Request::EndpointSlices | Request::Nodes => {
                // Without its Service a binding desires nothing, whatever its slices say.
                let served =
                    if request == Request::Services { Slots::MAX } else { self.truth.served };
                witness.endpoints_unread |= slots & served & self.truth.bound;
            }
            _ => {}
        }
    }

    /// A run read the nodes of a cluster, after all.
    pub(super) fn told_nodes(&mut self, run: usize, cluster: usize, slots: Slots) {
        let witness = &mut self.witnesses[run];
        witness.nodes_read |= 1 << cluster;
        witness.endpoints_unread &= !slots;
    }

    pub(super) fn told_ledger(&mut self, run: usize, slot: usize, ledger: Option<Set>) {
        let witness = &mut self.witnesses[run];
        witness.ledgers[slot] = ledger;
        let entries = ledger.map_or(0, |ledger| ledger.count_ones() as usize);
        witness.entries[slot] = witness.entries[slot].max(entries);
    }

    /// A run was told the targets of a group.
    pub(super) fn told_targets(&mut self, run: usize, group: usize, listed: Listed) {
        self.witnesses[run].listed[group] = listed;
    }

    /// A run shows what it takes out of a group because no cluster claims it.
    pub(super) fn prunes(&mut self, run: usize, group: usize, targets: Set) {
        *self.witnesses[run].prunes.entry(group).or_default() |= targets;
    }

    /// Something happened that was not this program's doing.
    pub(super) fn happened(&mut self, stage: &Stage) {
        let before = self.truth.clone();
        self.look(stage);
        for ((group, target), (_, by_others)) in &mut self.registered_by_us {
            let tracks = |truth: &Truth| {
                stage.slots.iter().enumerate().any(|(index, slot)| {
                    slot.group == Some(*group) && truth.ledgers[index] & target != 0
                })
            };
            *by_others |= tracks(&before) && !tracks(&self.truth);
        }
    }

    /// A run made a controller look at a binding again, or tried to; `planned` is what it showed
    /// that the pass would take out.
    pub(super) fn nudged(&mut self, run: usize, slot: usize, planned: Set, stage: &Stage) {
        let Some(group) = stage.slots[slot].group else { return };
        let witness = self.witnesses[run].clone();
        if witness.readings < 2 {
            self.blame("law 7", "nudged after one reading only");
        }
        let was = |before: &[Set], now: &[Set]| before[slot] == now[slot];
        let is_as_read = was(&witness.desired, &self.truth.desired)
            && was(&witness.ever_desired, &self.truth.desired)
            && was(&witness.tracked, &self.truth.ledgers)
            && witness.standing[slot] == self.truth.standing(slot);
        if !is_as_read {
            // That wakes the controller, nudged or not.
            return;
        }
        // In the middle of a pass it will change what was read, and look again by itself.
        if stage.worker(stage.slots[slot].cluster).as_ref().is_some_and(Worker::is_busy) {
            return;
        }
        let registered = self.truth.registered[group];
        self.nudged.insert(slot, Nudged { witness, planned, registered });
    }

    /// A controller made a call.
    pub(super) fn controller_worked(&mut self, cluster: usize, stage: &Stage) {
        let before = self.truth.registered.clone();
        let nudged = std::mem::take(&mut self.nudged);
        self.happened(stage);
        self.nudged = nudged;
        for (group, before) in before.into_iter().enumerate() {
            *self.lost.entry((cluster, group)).or_default() |=
                before & !self.truth.registered[group];
        }
    }

    /// A controller ended a pass over a slot's binding: one that a run made happen is judged as the
    /// run's own doing.
    pub(super) fn controller_passed(&mut self, slot: usize, stage: &Stage) {
        let (cluster, group) = (stage.slots[slot].cluster, stage.slots[slot].group);
        let lost = group.and_then(|group| self.lost.remove(&(cluster, group))).unwrap_or(0);
        let (Some(nudged), Some(group)) = (self.nudged.remove(&slot), group) else { return };
        let objections = nudged.witness.objections((cluster, group), lost, stage);
        self.violations.extend(objections.into_iter().map(|it| format!("{it}, by a pass of ours")));
        let unplanned = lost & nudged.registered & !nudged.planned;
        if unplanned != 0 {
            self.blame("law 7", &format!("a pass of ours took out {}", words(unplanned)));
        }
    }

    fn look(&mut self, stage: &Stage) {
        let before = std::mem::replace(&mut self.truth, stage.truth());
        let truth = &self.truth;
        self.nudged.retain(|slot, _| {
            let group = stage.slots[*slot].group;
            let desired = |truth: &Truth| {
                let slots = stage.slots.iter().zip(&truth.desired);
                let of_group = slots.filter(|(slot, _)| slot.group == group);
                of_group.map(|(_, desired)| *desired).collect::<Vec<_>>()
            };
            desired(&before) == desired(truth)
                && before.ledgers[*slot] == truth.ledgers[*slot]
                && before.standing(*slot) == truth.standing(*slot)
        });
        for run in &self.under_way {
            let witness = &mut self.witnesses[*run];
            let and = |known: &mut Vec<Set>, now: &[Set]| {
                known.iter_mut().zip(now).for_each(|(known, now)| *known &= now);
            };
            let or = |known: &mut Vec<Set>, now: &[Set]| {
                known.iter_mut().zip(now).for_each(|(known, now)| *known |= now);
            };
            and(&mut witness.desired, &self.truth.desired);
            and(&mut witness.always_tracked, &self.truth.claimed());
            and(&mut witness.registered, &self.truth.registered);
            or(&mut witness.tracked, &self.truth.ledgers);
            or(&mut witness.ever_desired, &self.truth.desired);
            witness.held.iter_mut().zip(&self.truth.held).for_each(|(held, now)| held.add(*now));
            witness.ours |= self.truth.ours;
        }
        let registered = &self.truth.registered;
        self.registered_by_us.retain(|(group, target), _| registered[*group] & target != 0);
    }

    /// A run registers: law 2, before it is registered it is in the ledger.
    pub(super) fn registers(
        &mut self,
        run: usize,
        cluster: usize,
        group: usize,
        targets: Set,
        stage: &Stage,
    ) {
        let tracked = slots_of(stage, Some(cluster), group)
            .fold(0, |set, slot| set | self.witnesses[run].tracked[slot]);
        if targets & !tracked != 0 {
            self.blame("law 2", &format!("{} registered, in no ledger", words(targets & !tracked)));
        }
        if self.witnesses[run].leave.acting & (1 << cluster) == 0 {
            self.blame("law 1", "registered on behalf of a cluster that may not be written to");
        }
        if self.witnesses[run].readings == 0 {
            self.blame("law 7", "registered without a reading after the prompt");
        }
    }

    /// A run has registered, whatever it was told.
    pub(super) fn registered(
        &mut self,
        run: usize,
        cluster: usize,
        group: usize,
        ok: bool,
        stage: &Stage,
    ) {
        let before = self.truth.registered[group];
        self.look(stage);
        let new = self.truth.registered[group] & !before;
        // Whoever mends a ledger that somebody else broke in this moment cannot know what it tracked.
        let garbled =
            slots_of(stage, Some(cluster), group).any(|slot| self.truth.garbled & (1 << slot) != 0);
        for target in each(new) {
            self.registered_by_us.insert((group, target), (cluster, garbled));
        }
        self.witnesses[run].own[group] |= new;
        self.witnesses[run].troubled |= !ok;
    }

    /// A run deregisters: laws 1, 3, 5 and 7.
    pub(super) fn deregisters(
        &mut self,
        run: usize,
        cluster: usize,
        group: usize,
        targets: Set,
        stage: &Stage,
    ) {
        let witness = self.witnesses[run].clone();
        // What a binding may let go of too, it lets go of.
        let prunes = each(targets & witness.prunes.get(&group).copied().unwrap_or(0));
        let pruned = prunes
            .filter(|target| !witness.objections((cluster, group), *target, stage).is_empty())
            .fold(0, |set: Set, target| set | target);
        self.violations.extend(witness.objections_to_pruning(group, pruned, stage));
        let broken = witness.objections((cluster, group), targets & !pruned, stage);
        self.violations.extend(broken);
        if witness.readings < 2 {
            self.blame("law 7", "deregistered after one reading only");
        }
        let by_leave = targets & !witness.own[group];
        self.keeps_to_its_leave(run, (cluster, group), by_leave, pruned, stage);
        *self.witnesses[run].pruned.entry(group).or_default() |= pruned;
        self.witnesses[run].taken_out[group] |= targets;
    }

    /// What is deregistered was said yes to, and is no more than may go.
    fn keeps_to_its_leave(
        &mut self,
        run: usize,
        (cluster, group): (usize, usize),
        targets: Set,
        pruned: Set,
        stage: &Stage,
    ) {
        let witness = &mut self.witnesses[run];
        let mut broken = Vec::new();
        if witness.leave.no_yes && targets != 0 {
            broken.push(format!("{} deregistered, nobody said yes", words(targets)));
        }
        if let Some(approved) = &witness.approved {
            let not_shown = targets & !approved.get(&(cluster, group)).copied().unwrap_or(0);
            if not_shown != 0 {
                broken.push(format!("{} deregistered, not in the plan shown", words(not_shown)));
            }
        }
        let capped = witness.capped.entry((cluster, group)).or_default();
        *capped |= targets & !pruned & witness.listed[group].serving;
        if let Some(cap) = witness.leave.cap {
            let entries = slots_of(stage, Some(cluster), group).map(|slot| witness.entries[slot]);
            let most: usize = entries.map(|entries| cap.of(entries)).sum();
            if capped.count_ones() as usize > most {
                broken.push(format!("{} deregistered, over the cap of {most}", words(*capped)));
            }
        }
        for what in broken {
            self.blame("law 7", &what);
        }
    }

    pub(super) fn changed(&mut self, run: usize, ok: bool, stage: &Stage) {
        self.witnesses[run].troubled |= !ok;
        self.look(stage);
    }

    /// A run has written or deleted a ledger, whatever it was told: laws 2 and 7.
    pub(super) fn wrote_ledger(&mut self, run: usize, slot: usize, ok: bool, stage: &Stage) {
        let before = self.truth.ledgers[slot];
        self.look(stage);
        let witness = &mut self.witnesses[run];
        witness.troubled |= !ok;
        let lost = before & !self.truth.ledgers[slot];
        let witness = witness.clone();
        if lost != 0 && witness.readings < 2 {
            self.blame("law 7", &format!("{} left the ledger after one reading only", words(lost)));
        }
        let unseen = lost & !witness.ledgers[slot].unwrap_or(0);
        if unseen != 0 {
            self.blame("law 7", &format!("{} left the ledger, never read there", words(unseen)));
        }
        if lost & witness.desired[slot] != 0 {
            self.blame("law 2", &format!("{} left the ledger, still desired", words(lost)));
        }
        let Some(group) = stage.slots[slot].group else { return };
        let elsewhere = slots_of(stage, None, group)
            .filter(|other| *other != slot)
            // Handed over to a ledger that somebody deleted meanwhile: no run can know.
            .fold(0, |set, s| set | self.truth.ledgers[s] | witness.tracked[s]);
        let leaked = lost & witness.registered[group] & !elsewhere;
        if leaked != 0 {
            self.blame("law 2", &format!("{} left the ledger, still registered", words(leaked)));
        }
        if witness.readings == 0 {
            self.blame("law 7", "wrote a ledger without a reading after the prompt");
        }
        if witness.ours & (1 << slot) == 0 {
            self.blame("law 1", "wrote the ledger of a binding that is exclusive or Auto Mode's");
        }
        if witness.leave.acting & (1 << stage.slots[slot].cluster) == 0 {
            self.blame("law 1", "wrote a ledger of a cluster that may not be written to");
        }
    }

    /// A run ended, or was killed.
    pub(super) fn end(&mut self, run: usize, killed: bool, disturbed: bool, stage: &Stage) {
        self.look(stage);
        self.witnesses[run].troubled |= killed;
        if killed {
            self.dies(run, stage);
        }
        if !disturbed && !self.witnesses[run].troubled {
            self.has_done_its_work(run, stage);
        }
        self.under_way.retain(|other| *other != run);
        let troubled = self.witnesses.iter().any(|witness| witness.troubled);
        if self.under_way.is_empty() {
            for (group, target, by_others) in self.leaks(stage) {
                // A ledger that somebody else edited while a run died cannot be made good again.
                if !by_others && !troubled {
                    self.blame("law 2", &format!("{} of group {group} leaked", words(target)));
                }
            }
        }
    }

    /// What a run registered after somebody else, another run too, had taken it out of the ledger
    /// cannot be made good by a run that dies there.
    fn dies(&mut self, run: usize, stage: &Stage) {
        let own = &self.witnesses[run].own;
        for ((group, target), (_, by_others)) in &mut self.registered_by_us {
            let mut slots = slots_of(stage, None, *group);
            let is_tracked = slots.any(|slot| self.truth.ledgers[slot] & target != 0);
            *by_others |= own[*group] & target != 0 && !is_tracked;
        }
    }

    /// After a run that nothing and nobody disturbed, all that its clusters desire is tracked and
    /// registered, where no controller is.
    fn has_done_its_work(&mut self, run: usize, stage: &Stage) {
        let acting = self.witnesses[run].leave.acting;
        for (index, slot) in stage.slots.iter().enumerate() {
            let Some(group) = slot.group else { continue };
            let open = self.missing(index, group, stage)
                | (self.truth.desired[index] & !self.truth.ledgers[index]);
            let is_ours = self.truth.ours & (1 << index) != 0 && acting & (1 << slot.cluster) != 0;
            if is_ours && open != 0 && !stage.has_controller(slot.cluster) {
                self.blame("law 4", &format!("{} is not registered after a run", words(open)));
            }
        }
    }

    /// What a slot desires and could have registered.
    pub(super) fn missing(&self, slot: usize, group: usize, stage: &Stage) -> Set {
        let (kind, registered) = (stage.groups[group].1, self.truth.registered[group]);
        let missing = kind.registrable(self.truth.desired[slot]) & !registered;
        missing & !kind.rivals(registered)
    }

    /// What this program registered, and nobody desires or tracks.
    pub(super) fn leaks(&self, stage: &Stage) -> Vec<(usize, Set, bool)> {
        let claimed = |group: usize| {
            slots_of(stage, None, group)
                .fold(0, |set, slot| set | self.truth.ledgers[slot] | self.truth.desired[slot])
        };
        self.registered_by_us
            .iter()
            .filter(|((group, target), _)| claimed(*group) & target == 0)
            .map(|((group, target), (_, by_others))| (*group, *target, *by_others))
            .collect()
    }

    pub(super) fn truth(&self) -> &Truth {
        &self.truth
    }
}

fn slots_of(stage: &Stage, cluster: Option<usize>, group: usize) -> impl Iterator<Item = usize> {
    let slots = stage.slots.iter().enumerate();
    slots
        .filter(move |(_, slot)| {
            slot.group == Some(group) && cluster.is_none_or(|c| slot.cluster == c)
        })
        .map(|(index, _)| index)
}
