//! One binding: what of it there is, and so what is to be done next. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::note::{self, Found, Noted};
use super::taken::{Of, Taken};
use super::{MARGIN, Unbind, World, after, checks};
use crate::change::{Change, Check, Goal, Item, Verdict};
use crate::elbv2::Access;
use crate::facts::{Aliveness, BindingFacts, ClusterFacts, LedgerFault};
use crate::ledger::{self, Ledger};
use crate::target::{Target, TargetDescription, TargetGroupArn};
use crate::view::GroupView;

/// What is taken out of each group by the items before, so that the floor is kept over all of them.
pub(super) type Going<'w> = BTreeMap<&'w TargetGroupArn, BTreeSet<Target>>;

/// A binding that was chosen.
pub(super) struct Subject<'w> {
    pub(super) cluster: &'w ClusterFacts,
    pub(super) namespace: String,
    pub(super) name: String,
    /// As it is; none once it is gone.
    pub(super) there: Option<&'w BindingFacts>,
    pub(super) group: Option<&'w GroupView<'w>>,
    /// Its place among the bindings of the group.
    pub(super) index: Option<usize>,
    pub(super) note: Option<&'w Found>,
}

/// What is planned from.
pub(super) struct Sight<'w> {
    pub(super) subject: &'w Subject<'w>,
    pub(super) verb: &'w Unbind,
    pub(super) world: &'w World,
    /// What it desires or tracks, or did.
    pub(super) all: BTreeSet<Target>,
    pub(super) taken: Taken,
    /// What its controller takes out once the binding is deleted.
    pub(super) predicted: Vec<TargetDescription>,
    pub(super) controller: Aliveness,
}

impl<'w> Subject<'w> {
    /// The cluster was not read: nothing is known.
    pub(super) fn unread(cluster: &'w ClusterFacts, name: String) -> Self {
        let namespace = String::new();
        Self { cluster, namespace, name, there: None, group: None, index: None, note: None }
    }

    pub(super) fn there(
        cluster: &'w ClusterFacts,
        binding: &'w BindingFacts,
        group: Option<(&'w GroupView<'w>, usize)>,
        note: Option<&'w Found>,
    ) -> Self {
        Self {
            cluster,
            namespace: binding.binding.namespace.clone(),
            name: binding.binding.name.clone(),
            there: Some(binding),
            group: group.map(|(group, _)| group),
            index: group.map(|(_, index)| index),
            note,
        }
    }

    pub(super) fn gone(
        cluster: &'w ClusterFacts,
        note: &'w Found,
        group: Option<&'w GroupView<'w>>,
    ) -> Self {
        let (namespace, name) = (note.namespace.clone(), note.binding.clone());
        Self { cluster, namespace, name, there: None, group, index: None, note: Some(note) }
    }

    pub(super) fn key(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }

    /// What its note says; none where there is no note or it cannot be read.
    pub(super) fn noted(&self) -> Option<&'w Noted> {
        self.note?.noted.as_ref().ok()
    }

    /// Whether its note is of an earlier binding of its name.
    pub(super) fn is_new(&self) -> bool {
        let other = |there: &BindingFacts| {
            self.noted().is_some_and(|noted| noted.binding.uid != there.binding.uid)
        };
        self.there.is_some_and(other)
    }

    pub(super) fn arn(&self) -> Option<&'w TargetGroupArn> {
        let of_binding = self.there.and_then(|there| there.group.as_ref().ok());
        of_binding.or_else(|| self.noted().map(|noted| &noted.arn))
    }

    pub(super) fn ledger(&self, world: &'w World) -> Result<Option<&'w Ledger>, &'w LedgerFault> {
        let ledger = match self.there {
            Some(there) => Some(&there.ledger),
            None => world.ledgers.get(&(self.namespace.clone(), self.name.clone())),
        };
        ledger.map_or(Ok(None), |ledger| ledger.as_ref().map(Option::as_ref))
    }

    /// What it desires or tracks, as far as its endpoints, its ledger and its note tell.
    pub(super) fn all(&self, world: &'w World) -> BTreeSet<Target> {
        let mut all: BTreeSet<Target> = self.endpoints().into_iter().cloned().collect();
        let is_shared = self.there.is_none_or(|it| it.binding.spec.multi_cluster_target_group);
        if is_shared && let Ok(Some(ledger)) = self.ledger(world) {
            all.extend(ledger.targets.iter().cloned());
        }
        if !self.is_new() {
            all.extend(self.noted().into_iter().flat_map(|noted| noted.targets.iter().cloned()));
        }
        all
    }

    /// What its Service's endpoints ask for, whether it is being deleted or not.
    fn endpoints(&self) -> BTreeSet<&'w Target> {
        let endpoints = self.there.and_then(|there| there.endpoints.as_ref().ok());
        endpoints.into_iter().flat_map(|endpoints| endpoints.desired.keys()).collect()
    }

    pub(super) fn of<'a>(&'a self, world: &'a World) -> Option<Of<'a>> {
        let (facts, cluster, index) = (&world.facts, self.cluster, self.index);
        Some(Of { facts, group: self.group?, cluster, namespace: &self.namespace, index })
    }

    /// Plans from how things stand.
    pub(super) fn plan(
        &'w self,
        verb: &'w Unbind,
        world: &'w World,
        going: &mut Going<'w>,
    ) -> Item {
        // What was not read is called as it was asked for.
        let is_read = self.cluster.bindings.is_ok();
        let name = if is_read { format!("tgb/{}", self.name) } else { self.name.clone() };
        let mut item = Item::new(&self.cluster.context, &self.namespace, name);
        item.binding = is_read.then(|| self.name.clone());
        item.arn = self.arn().cloned();
        if let Some(unknown) = checks::unread(self, world) {
            item.goals.push(Goal::waiting("left", "not known", unknown.message.clone()));
            item.check(unknown);
            return item;
        }
        let all = self.all(world);
        let taken = self.of(world).map(|of| of.sort(&all, &self.endpoints())).unwrap_or_default();
        let flavour = crate::binding::Flavour::LoadBalancerController;
        let controller = self.cluster.controller(flavour);
        let predicted = self.predicted(world, controller);
        let sight = Sight { subject: self, verb, world, all, taken, predicted, controller };
        sight.plan(item, going)
    }

    fn predicted(&self, world: &World, controller: Aliveness) -> Vec<TargetDescription> {
        let (Some(there), Some(group)) = (self.there, self.group) else { return Vec::new() };
        if controller == Aliveness::Absent {
            return Vec::new();
        }
        let listed = group.facts.targets.as_deref().unwrap_or_default();
        let ledger = self.ledger(world).ok().flatten().map(|ledger| &ledger.targets);
        crate::plan::clean_up(there.binding.spec.multi_cluster_target_group, ledger, listed)
    }
}

/// What is to be done now, and what once that is over.
#[derive(Default)]
struct Steps {
    now: Vec<Change>,
    later: Vec<Change>,
}

impl<'w> Sight<'w> {
    fn plan(&self, mut item: Item, going: &mut Going<'w>) -> Item {
        let subject = self.subject;
        checks::check(self, &mut item, going);
        let steps = match subject.there {
            Some(there) if there.binding.is_being_deleted() => self.being_deleted(there),
            Some(there) => self.there(there),
            None => self.gone(),
        };
        (item.changes, item.later) = (steps.now, steps.later);
        if let Some(group) = subject.group {
            if item.refusals().next().is_none() {
                after::tell(&mut item, &self.world.facts, group, &self.taken);
            }
            item.takes = Some(Duration::from_secs(after::delay(group)) + MARGIN);
        }
        item.restores = self.binding().map(note::manifest);
        item.goals = self.goals();
        item.conclusion = self.conclusion();
        let is_begun = subject.there.is_none_or(|there| there.binding.is_being_deleted());
        if is_begun && item.open_goal().is_some() {
            item.next("next", self.go_on());
        } else if let Some(undo) = self.verb.undo.clone().or_else(|| self.bind()) {
            item.next("undo", undo);
        }
        item
    }

    /// The binding as it is, or as its note tells.
    pub(super) fn binding(&self) -> Option<&'w crate::binding::Binding> {
        let noted = || self.subject.noted().map(|noted| &noted.binding);
        self.subject.there.map(|there| &there.binding).or_else(noted)
    }

    fn there(&self, there: &BindingFacts) -> Steps {
        let mut now: Vec<Change> = self.write_note().into_iter().collect();
        now.push(Change::DeleteBinding {
            namespace: there.binding.namespace.clone(),
            name: there.binding.name.clone(),
            uid: there.binding.uid.clone(),
        });
        let mut later: Vec<Change> = self.deregister().into_iter().collect();
        later.extend(self.delete_ledger());
        later.extend(self.remove_finalizer(there));
        later.extend(self.delete_note());
        Steps { now, later }
    }

    fn being_deleted(&self, there: &BindingFacts) -> Steps {
        let mut steps = Steps { now: self.write_note().into_iter().collect(), later: Vec::new() };
        let rest = self.delete_ledger().into_iter().chain(self.remove_finalizer(there));
        match self.deregister() {
            // The controller's finalizer is there: it is about to.
            _ if self.controller != Aliveness::Absent => {
                steps.later.extend(self.deregister());
                steps.later.extend(self.delete_ledger());
            }
            Some(deregister) => {
                steps.now.push(deregister);
                steps.later.extend(rest);
            }
            None if self.taken.is_out() => steps.now.extend(rest),
            None => steps.later.extend(rest),
        }
        steps.later.extend(self.delete_note());
        steps
    }

    fn gone(&self) -> Steps {
        let mut steps = Steps::default();
        if let Some(deregister) = self.deregister() {
            steps.now.push(deregister);
            steps.later.extend(self.delete_ledger());
            steps.later.extend(self.delete_note());
        } else if self.taken.is_out() {
            steps.now.extend(self.delete_ledger());
            // It goes last, and only when nothing is left to go on for.
            let is_over = steps.now.is_empty() && self.taken.has_left();
            if is_over { &mut steps.now } else { &mut steps.later }.extend(self.delete_note());
        } else {
            steps.later.extend(self.delete_ledger());
            steps.later.extend(self.delete_note());
        }
        steps
    }

    /// The note, where it does not say all there is to say yet.
    fn write_note(&self) -> Option<Change> {
        let (there, arn) = (self.subject.there?, self.subject.arn()?);
        let noted = self.subject.noted().filter(|_| !self.subject.is_new());
        if noted.is_some_and(|noted| noted.targets.is_superset(&self.all)) {
            return None;
        }
        let (binding, targets) = (there.binding.clone(), self.all.clone());
        let noted = Noted { binding, arn: arn.clone(), targets };
        let version = self.subject.note.and_then(|note| note.version.clone());
        Some(Change::WriteNote {
            namespace: self.subject.namespace.clone(),
            name: note::name(&self.subject.name),
            note: noted.to_note(version),
        })
    }

    fn delete_note(&self) -> Option<Change> {
        let version = self.subject.note.and_then(|note| note.version.clone());
        Some(Change::DeleteNote {
            namespace: self.subject.namespace.clone(),
            name: note::name(&self.subject.name),
            // It is not written yet where it is to be deleted later.
            version: version.unwrap_or_default(),
        })
    }

    fn deregister(&self) -> Option<Change> {
        let (binding, arn) = (self.binding()?, self.subject.arn()?);
        let context = &self.subject.cluster.context;
        (!self.taken.going.is_empty()).then(|| Change::Deregister {
            access: Access::of(context, &binding.spec, arn.region()),
            arn: arn.clone(),
            targets: self.taken.going.clone(),
        })
    }

    fn delete_ledger(&self) -> Option<Change> {
        let ledger = self.subject.ledger(self.world).ok()??;
        Some(Change::DeleteLedger {
            namespace: self.subject.namespace.clone(),
            name: self.ledger_name(),
            version: ledger.version.clone(),
        })
    }

    pub(super) fn ledger_name(&self) -> String {
        let flavour = crate::binding::Flavour::LoadBalancerController;
        ledger::name(flavour, &self.subject.name)
    }

    /// A controller that may be at work takes its finalizer off itself.
    fn remove_finalizer(&self, there: &BindingFacts) -> Option<Change> {
        let is_ours = self.controller == Aliveness::Absent && there.binding.has_finalizer;
        is_ours.then(|| Change::RemoveFinalizer {
            namespace: there.binding.namespace.clone(),
            name: there.binding.name.clone(),
            uid: there.binding.uid.clone(),
        })
    }
}

/// `2 targets`.
pub(super) fn count(targets: usize) -> String {
    if targets == 1 { "1 target".to_owned() } else { format!("{targets} targets") }
}

/// A check that depends on something that could not be read.
pub(super) fn unknown(name: &'static str, message: String) -> Check {
    Check::new(name, Verdict::Unknown, message)
}
