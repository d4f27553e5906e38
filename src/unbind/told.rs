//! What is told of a binding: what must come, what holds at the end, what takes it back. Pure.

use std::collections::BTreeSet;

use super::item::{Sight, count};
use super::note;
use crate::change::Goal;
use crate::facts::{Aliveness, SilenceReason};
use crate::findings::quoted;
use crate::target::Target;

impl Sight<'_> {
    pub(super) fn goals(&self) -> Vec<Goal> {
        vec![self.noted(), self.deleted(), self.left(), self.ledger_gone()]
    }

    fn noted(&self) -> Goal {
        let name = note::name(&self.subject.name);
        match self.subject.noted() {
            Some(noted) => {
                Goal::reached("noted", format!("{} in {name}", count(noted.targets.len())))
            }
            None => Goal::waiting("noted", "not yet", format!("{name} is not written")),
        }
    }

    fn deleted(&self) -> Goal {
        let Some(there) = self.subject.there else {
            let state = format!("{}/{} is gone", self.subject.namespace, self.subject.name);
            return Goal::reached("deleted", state);
        };
        if !there.binding.is_being_deleted() {
            return Goal::waiting("deleted", "still there", "it is not deleted yet");
        }
        let why = match (&there.binding.failure, self.controller) {
            (Some(failure), _) => format!("its controller could not clean up: {failure}"),
            _ if !there.binding.has_finalizer => "somebody else's finalizer holds it".to_owned(),
            (None, Aliveness::Alive) => "its controller has not let go of it yet".to_owned(),
            (None, Aliveness::Unknown) => {
                "its controller has to let go of it, and is not known to be at work".to_owned()
            }
            (None, Aliveness::Absent) => "its finalizer is still on it".to_owned(),
        };
        Goal::waiting("deleted", "being deleted", why)
    }

    fn left(&self) -> Goal {
        let (all, still) = (self.all.len(), self.taken.still_there());
        let state = format!("{} of {all}", all - still.min(all));
        if still == 0 {
            return Goal::reached("left", state);
        }
        let first = self.taken.going.first().or(self.taken.draining.first());
        let why = match (first, self.taken.kept.keys().next()) {
            (Some(listed), _) => format!("{} is {}", listed.target, listed.health.state),
            (None, Some(kept)) => format!("{kept} is withheld"),
            (None, None) => String::new(),
        };
        Goal::waiting("left", state, why)
    }

    fn ledger_gone(&self) -> Goal {
        match self.subject.ledger(self.world) {
            Ok(None) => Goal::reached("ledger", format!("{} is gone", self.ledger_name())),
            Ok(Some(_)) => {
                Goal::waiting("ledger", "still there", format!("{} is there", self.ledger_name()))
            }
            Err(fault) => Goal::waiting("ledger", "not known", crate::error::chain(fault)),
        }
    }

    pub(super) fn conclusion(&self) -> String {
        let context = &self.subject.cluster.context;
        let Some(group) = self.subject.group else { return String::new() };
        let name = group.arn.name();
        let gone = group.facts.group.as_ref().is_err_and(|it| it.reason == SilenceReason::NotFound);
        let others = group.bindings.iter().enumerate().filter(|(at, binding)| {
            binding.cluster.context == *context && Some(*at) != self.subject.index
        });
        if gone {
            format!("{name} was gone before.")
        } else if others.count() > 0 {
            format!("{context} has other bindings of {name}.")
        } else {
            let left: BTreeSet<&Target> = self.taken.going.iter().map(|it| &it.target).collect();
            let left = group.healthy().filter(|(target, _)| !left.contains(target)).count();
            let healthy = match left {
                0 => "no healthy target".to_owned(),
                1 => "1 healthy target".to_owned(),
                all => format!("{all} healthy targets"),
            };
            format!("{context} serves nothing of {name} any more; {healthy} left.")
        }
    }

    /// The command that goes on where this run ends.
    pub(super) fn go_on(&self) -> String {
        let subject = self.subject;
        let mut command = super::line(&subject.namespace, &subject.name, &subject.cluster.context);
        if self.verb.allow_empty {
            command.push_str(" --allow-empty");
        }
        command
    }

    /// The command that joins the group again, where it can say all that the binding said.
    pub(super) fn bind(&self) -> Option<String> {
        let (spec, arn) = (&self.binding()?.spec, self.subject.arn()?);
        if !spec.multi_cluster_target_group || spec.node_selector.is_some() {
            return None;
        }
        let mut command = format!(
            "kubectl mctg bind svc/{} -n {} --context {} --target-group-arn {} --port {} --name {}",
            quoted(&spec.service_ref.name),
            quoted(&self.subject.namespace),
            quoted(&self.subject.cluster.context),
            quoted(arn.as_str()),
            quoted(&spec.service_ref.port.to_string()),
            quoted(&self.subject.name)
        );
        for (flag, word) in [
            ("assume-role-arn", &spec.iam_role_arn_to_assume),
            ("external-id", &spec.assume_role_external_id),
        ] {
            if !word.is_empty() {
                command.push_str(&format!(" --{flag} {}", quoted(word)));
            }
        }
        if spec.networking.is_none() {
            command.push_str(" --no-networking");
        }
        Some(command)
    }
}
