//! A report as events on the bindings: where `kubectl describe` looks.
//!
//! [`of`] is pure: what changed is `Normal`, what was withheld or failed is a `Warning`, and a run
//! that found nothing to do says nothing. There is one object for each binding and reason; what
//! happens again raises its count (`product.md` 6.3).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use futures::stream::{self, StreamExt};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::apply::{Listener, Progress};
use crate::binding::{BindingRef, Flavour};
use crate::cluster::{Cluster, WriteError};
use crate::endpoints::Unresolved;
use crate::error::escape;
use crate::facts::{BindingFacts, Facts, SilenceReason};
use crate::plan::{Action, BlockedReason};
use crate::report::{BindingReport, BlockedReport, Outcome, Reconcile, Step, StepResult};
use crate::target::Target;

/// Who writes the events, as their source and reporting component.
pub const COMPONENT: &str = "kubectl-mctg";

/// The longest message, in bytes: what Kubernetes' own recorders keep to.
pub const MESSAGE_MAX: usize = 1024;

/// The longest name of an object (a DNS subdomain).
const NAME_MAX: usize = 253;

/// How many events are written to a cluster at once.
const EVENTS_AT_ONCE: usize = 8;

/// Something that happened to a binding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Which binding.
    pub binding: BindingRef,
    /// Its UID.
    pub uid: String,
    /// Whose API group it is of.
    pub flavour: Flavour,
    /// How bad it is.
    pub kind: Kind,
    /// What happened, in one word: `Registered`, `BackendNotFound`, `BlockedContested`.
    pub reason: String,
    /// The same in a sentence: at most [`MESSAGE_MAX`] bytes, with no control character.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// How bad an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// Something was done.
    Normal,
    /// Something was withheld, failed, or is missing.
    Warning,
}

impl Kind {
    /// As Kubernetes calls it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        }
    }
}

impl Event {
    /// The object's name: the same for the same binding and reason, so that what happens again is
    /// counted, and another for a binding that was made anew under the same name.
    pub fn name(&self) -> String {
        let digest = Sha256::digest(format!("{}/{}", self.uid, self.reason));
        let mut hash = String::new();
        for byte in &digest[..8] {
            // Writing to a string does not fail.
            let _ = write!(hash, "{byte:02x}");
        }
        let binding: String = self.binding.name.chars().take(NAME_MAX - 1 - hash.len()).collect();
        // Each part of a name begins and ends with a letter or digit.
        format!("{}.{hash}", binding.trim_end_matches(['-', '.']))
    }
}

/// Writes a report as events that happened at a time; none for a dry run.
pub fn of(facts: &Facts, report: &Reconcile, at: Timestamp) -> Vec<Event> {
    if report.dry_run {
        return Vec::new();
    }
    let mut events = Vec::new();
    for binding in &report.bindings {
        let cluster = facts.clusters.iter().find(|cluster| cluster.context == binding.context);
        let is_it = |it: &&BindingFacts| {
            it.binding.namespace == binding.namespace && it.binding.name == binding.name
        };
        let Some(found) = cluster.and_then(|cluster| cluster.bindings().find(is_it)) else {
            continue;
        };
        let told = done(binding).into_iter().chain(wrong(binding, found));
        events.extend(told.map(|(kind, reason, message)| Event {
            binding: found.reference(&binding.context),
            uid: found.binding.uid.clone(),
            flavour: found.binding.flavour,
            kind,
            reason,
            message: bounded(&escape(&message)),
            at,
        }));
    }
    events
}

type Told = (Kind, String, String);

/// What was done, one entry for each kind of step.
fn done(binding: &BindingReport) -> Vec<Told> {
    let mut targets: BTreeMap<Action, usize> = BTreeMap::new();
    for step in binding.steps.iter().filter(|step| step.result == StepResult::Done) {
        let sum = targets.entry(step.action).or_default();
        match step.action {
            // Each write tells all that the ledger holds: the last one counts.
            Action::WriteLedger => *sum = step.targets,
            _ => *sum += step.targets,
        }
    }
    let group = binding.target_group_arn.as_ref().map_or("its target group", |arn| arn.name());
    let plan = &binding.plan;
    let told = |(action, count): (Action, usize)| {
        let (reason, message) = match action {
            Action::WriteLedger => ("LedgerWritten", format!("the ledger tracks {}", some(count))),
            Action::DeleteLedger => ("LedgerDeleted", "the ledger is gone".to_owned()),
            Action::Register => {
                let which = which(count, &plan.register);
                ("Registered", format!("registered {} in {group}{which}", some(count)))
            }
            Action::Deregister => {
                let which = which(count, &plan.deregister);
                ("Deregistered", format!("deregistered {} from {group}{which}", some(count)))
            }
            Action::RemoveFinalizer => {
                ("FinalizerRemoved", "the controller's finalizer is gone".to_owned())
            }
            Action::Nudge => ("Nudged", "its controller was made to look again".to_owned()),
        };
        (Kind::Normal, reason.to_owned(), message)
    };
    targets.into_iter().map(told).collect()
}

/// What is missing, failed, or was withheld.
fn wrong(binding: &BindingReport, found: &BindingFacts) -> Vec<Told> {
    let mut told = Vec::new();
    if let Err(missing @ (Unresolved::ServiceMissing(_) | Unresolved::PortMissing { .. })) =
        &found.endpoints
        && binding.outcome != Outcome::Skipped
    {
        let message = format!("{missing}: the binding desires no target");
        told.push(("BackendNotFound".to_owned(), message));
    }
    let failed = |step: &&Step| step.result == StepResult::Failed;
    let failure = binding.steps.iter().find(failed).and_then(|step| step.error.clone());
    // A reason that is not about what was withheld: somebody else kept writing the ledger.
    let gave_up = binding.outcome == Outcome::Partial && binding.plan.blocked.is_empty();
    if failure.is_some() || binding.outcome == Outcome::Failed || gave_up {
        let message = failure.or_else(|| binding.reason.clone());
        told.push((
            "ReconcileFailed".to_owned(),
            message.unwrap_or_else(|| "no reason given".to_owned()),
        ));
    }
    let mut withheld: BTreeMap<BlockedReason, Vec<&BlockedReport>> = BTreeMap::new();
    for blocked in binding.plan.blocked.iter().filter(|blocked| is_worth_telling(blocked.reason)) {
        withheld.entry(blocked.reason).or_default().push(blocked);
    }
    told.extend(withheld.into_iter().map(|(reason, blocked)| {
        let word = word(reason);
        let head: String = word.chars().take(1).flat_map(char::to_uppercase).collect();
        let tail: String = word.chars().skip(1).collect();
        (format!("Blocked{head}{tail}"), withheld_text(&word, &blocked))
    }));
    told.into_iter().map(|(reason, message)| (Kind::Warning, reason, message)).collect()
}

/// What is too young to count is gone within a minute, and what the group cannot take is nobody's
/// decision.
fn is_worth_telling(reason: BlockedReason) -> bool {
    !matches!(reason, BlockedReason::Pending | BlockedReason::Unregistrable)
}

/// The word that documents have for it.
fn word(reason: BlockedReason) -> String {
    let value = serde_json::to_value(reason);
    value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// `withheld (contested): deregister 10.0.0.9:80, waiting on green web/shop`
fn withheld_text(word: &str, blocked: &[&BlockedReport]) -> String {
    let mut each: BTreeMap<(Action, Option<&str>), Vec<String>> = BTreeMap::new();
    for it in blocked {
        let target = it.id.clone().zip(it.port).map(|(id, port)| {
            Target { id, port, quic_server_id: it.quic_server_id.clone() }.to_string()
        });
        each.entry((it.action, it.waiting_on.as_deref())).or_default().extend(target);
    }
    let each = each.into_iter().map(|((action, waiting_on), targets)| {
        let mut text = action.as_words().to_owned();
        if !targets.is_empty() {
            let _ = write!(text, " {}", targets.join(" "));
        }
        if let Some(waiting_on) = waiting_on {
            let _ = write!(text, ", waiting on {waiting_on}");
        }
        text
    });
    format!("withheld ({word}): {}", each.collect::<Vec<_>>().join("; "))
}

fn some(targets: usize) -> String {
    if targets == 1 { "1 target".to_owned() } else { format!("{targets} targets") }
}

/// The targets, where all that were planned were done; of others a report has the number alone.
fn which(done: usize, planned: &[Target]) -> String {
    if done != planned.len() || done == 0 {
        return String::new();
    }
    let planned: Vec<String> = planned.iter().map(Target::to_string).collect();
    format!(": {}", planned.join(" "))
}

fn bounded(message: &str) -> String {
    if message.len() <= MESSAGE_MAX {
        return message.to_owned();
    }
    let fits = |(at, c): (usize, char)| at + c.len_utf8() + '…'.len_utf8() <= MESSAGE_MAX;
    let mut text: String =
        message.char_indices().take_while(|it| fits(*it)).map(|(_, c)| c).collect();
    text.push('…');
    text
}

/// Writes events to their clusters, and tells the listener of those that could not be written.
///
/// An event is worth no failure. Where a cluster refuses the first one, it is not asked again.
pub async fn record<C: Cluster>(clusters: &[C], events: &[Event], listener: Listener<'_>) {
    let mut by_context: BTreeMap<&str, Vec<&Event>> = BTreeMap::new();
    for event in events {
        by_context.entry(&event.binding.context).or_default().push(event);
    }
    for (context, events) in by_context {
        let Some(cluster) = clusters.iter().find(|cluster| cluster.context() == context) else {
            continue;
        };
        let told = async |event: &Event| match cluster.record_event(event).await {
            // Somebody else wrote it at the same time, and counted.
            Ok(()) | Err(WriteError::Conflict) => true,
            Err(WriteError::Failed(silence)) => {
                listener(Progress::EventLost(event, &silence));
                !matches!(silence.reason, SilenceReason::Forbidden | SilenceReason::Stopped)
            }
        };
        let Some((first, rest)) = events.split_first() else { continue };
        if told(first).await {
            let rest: Vec<_> = rest.iter().map(|event| told(event)).collect();
            stream::iter(rest).buffered(EVENTS_AT_ONCE).for_each(|_| async {}).await;
        }
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests;
