//! What a verb means to change, as data: complete before the first write, and printable instead.
//!
//! `reconcile` plans targets. `enable`, `disable`, `bind` and `unbind` plan objects: each looks at
//! the world and makes one [`Item`] for each thing that was asked for, with what was checked, what
//! is to be changed now, what is to be changed later, and what is waited for. A [`Runner`] looks again
//! after every wait, so that a verb that was killed anywhere goes on where it was when it is run
//! again.

mod run;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::run::{Event, Listener, Mistake, Options, Planned, Runner, Verb};
use crate::binding::{BindingRef, BindingSpec};
use crate::elbv2::Access;
use crate::objects::{Key, Patch};
use crate::target::{TargetDescription, TargetGroupArn};

/// One thing that was asked for: a Service to bind, a binding to take out, an owner to switch.
#[derive(Clone, Debug)]
pub struct Item {
    /// The context that is written to.
    pub context: String,
    /// The namespace.
    pub namespace: String,
    /// What was named, as kubectl would: `svc/web`.
    pub name: String,
    /// The binding it is about, by name, whether it exists yet or not; none where that is not known.
    pub binding: Option<String>,
    /// Its target group; none where that is not known.
    pub arn: Option<TargetGroupArn>,
    /// What was looked at before anything is changed.
    pub checks: Vec<Check>,
    /// What the plan comes to, a line each: what will be registered, who may reach it, what it will
    /// look like after.
    pub details: Vec<Detail>,
    /// What is to be changed, in this order. Nothing is changed while a check refuses.
    pub changes: Vec<Change>,
    /// What is to be changed once what is waited for has come.
    pub later: Vec<Change>,
    /// What must come of it, in the order in which it comes.
    pub goals: Vec<Goal>,
    /// What holds now that all goals are reached, as a sentence; empty says nothing.
    pub conclusion: String,
    /// What to run next, and what takes it back.
    pub next: Vec<Next>,
    /// How long what is waited for may well take; none leaves that to the verb.
    pub takes: Option<Duration>,
    /// What is taken away, as `kubectl apply` would bring it back.
    pub restores: Option<Value>,
}

impl Item {
    /// An item about something that was named, with nothing looked at yet.
    pub fn new(context: &str, namespace: &str, name: impl Into<String>) -> Self {
        Self {
            context: context.to_owned(),
            namespace: namespace.to_owned(),
            name: name.into(),
            binding: None,
            arn: None,
            checks: Vec::new(),
            details: Vec::new(),
            changes: Vec::new(),
            later: Vec::new(),
            goals: Vec::new(),
            conclusion: String::new(),
            next: Vec::new(),
            takes: None,
            restores: None,
        }
    }

    /// The binding's reference, where its name is known.
    pub fn reference(&self) -> Option<BindingRef> {
        Some(BindingRef {
            context: self.context.clone(),
            namespace: self.namespace.clone(),
            name: self.binding.clone()?,
        })
    }

    /// Says whether two plans are about the same thing.
    pub fn is_same_as(&self, other: &Self) -> bool {
        (&self.context, &self.namespace, &self.name, &self.arn)
            == (&other.context, &other.namespace, &other.name, &other.arn)
    }

    /// Says whether two plans may be about the same thing: the group of one of them is not known.
    fn may_be(&self, other: &Self) -> bool {
        (&self.context, &self.namespace, &self.name)
            == (&other.context, &other.namespace, &other.name)
            && (self.arn.is_none() || other.arn.is_none())
    }

    /// The checks that forbid every change.
    pub fn refusals(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.verdict.refuses())
    }

    /// The checks that need a yes.
    pub fn questions(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.verdict == Verdict::NeedsYes)
    }

    /// Says whether anything is to be changed, now or later.
    pub fn changes_anything(&self) -> bool {
        !self.changes.is_empty() || !self.later.is_empty()
    }

    /// The first goal that is not reached.
    pub fn open_goal(&self) -> Option<&Goal> {
        self.goals.iter().find(|goal| !goal.is_reached())
    }

    /// Adds what was looked at.
    pub fn check(&mut self, check: Check) {
        self.checks.push(check);
    }

    /// Adds a line of what the plan comes to.
    pub fn detail(&mut self, label: &'static str, text: impl Into<String>) {
        self.details.push(Detail { label, text: text.into() });
    }

    /// Adds a command to go on with.
    pub fn next(&mut self, label: &'static str, command: impl Into<String>) {
        self.next.push(Next { label, command: command.into() });
    }
}

/// Something that was looked at before anything is changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Check {
    /// The finding it would be, where there is one: `MCTG101`.
    pub code: Option<&'static str>,
    /// That finding's name; else what was looked at.
    pub name: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// What was seen, as one line.
    pub message: String,
    /// What to do about it; a command stands alone.
    pub hint: Option<String>,
}

impl Check {
    /// A check with its outcome.
    pub fn new(name: &'static str, verdict: Verdict, message: impl Into<String>) -> Self {
        Self { code: None, name, verdict, message: message.into(), hint: None }
    }

    /// A check that found nothing wrong.
    pub fn passed(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Passed, message)
    }

    /// A check that forbids the change.
    pub fn refused(name: &'static str, message: impl Into<String>) -> Self {
        Self::new(name, Verdict::Refused, message)
    }

    /// The check of a finding's rule, under its code and name.
    pub fn of(
        rule: &crate::findings::catalogue::Rule,
        verdict: Verdict,
        message: impl Into<String>,
    ) -> Self {
        Self { code: Some(rule.code), ..Self::new(rule.name, verdict, message) }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Fine.
    Passed,
    /// It goes on, and somebody should know.
    Warning,
    /// Somebody has to say yes first.
    NeedsYes,
    /// It must not be done; nothing is changed.
    Refused,
    /// What it depends on could not be read; nothing is changed.
    Unknown,
}

impl Verdict {
    /// Says whether nothing may be changed.
    pub fn refuses(self) -> bool {
        matches!(self, Self::Refused | Self::Unknown)
    }
}

/// A line of what a plan comes to: `targets  2 ready pods`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Detail {
    /// One word.
    pub label: &'static str,
    /// The rest of the line.
    pub text: String,
}

/// A command to go on with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Next {
    /// What it is for, in one word: `next`, `undo`, `repair`.
    pub label: &'static str,
    /// The command, to be pasted.
    pub command: String,
}

/// Something that must come of the changes: told once it has come, waited for until then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Goal {
    /// What it is, in one word: `ledger`, `registered`, `healthy`.
    pub word: &'static str,
    /// How far it is: `2 of 2`.
    pub state: String,
    /// Why it has not come yet; none once it has.
    pub waiting: Option<String>,
}

impl Goal {
    /// A goal that is reached.
    pub fn reached(word: &'static str, state: impl Into<String>) -> Self {
        Self { word, state: state.into(), waiting: None }
    }

    /// A goal that is waited for.
    pub fn waiting(word: &'static str, state: impl Into<String>, why: impl Into<String>) -> Self {
        Self { word, state: state.into(), waiting: Some(why.into()) }
    }

    /// Says whether it has come.
    pub fn is_reached(&self) -> bool {
        self.waiting.is_none()
    }
}

/// A binding as it is to be: what `kubectl apply` would be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What it asks for.
    pub spec: BindingSpec,
}

impl Manifest {
    /// The object, ready to be applied.
    ///
    /// `v1beta1`: a write through `v1alpha1` loses fields (`facts/lbc.md` 1.1).
    pub fn to_value(&self) -> Value {
        json!({
            "apiVersion": "elbv2.k8s.aws/v1beta1",
            "kind": "TargetGroupBinding",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": self.spec,
        })
    }
}

/// One write.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Creates a binding, or makes it what the manifest says.
    ApplyBinding {
        /// What it is to be.
        manifest: Manifest,
        /// Whether fields are taken over that another manager set to something else.
        takes_over: bool,
    },
    /// Merges a patch into the owner of bindings, or into what sets it up.
    PatchOwner(Patch),
    /// Creates an object that sets bindings up, where there is none.
    CreateOwner {
        /// Which.
        key: Key,
        /// The object, ready to be created but for its API version.
        manifest: Value,
    },
    /// Deletes a binding of exactly this UID.
    DeleteBinding {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its UID.
        uid: String,
    },
    /// Keeps something in a ConfigMap of this program.
    WriteNote {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// What it is to hold; `version` is that of the note it replaces.
        note: Note,
    },
    /// Deletes a note of exactly this version.
    DeleteNote {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its resource version.
        version: String,
    },
    /// Deletes a ledger of exactly this version.
    DeleteLedger {
        /// Its namespace.
        namespace: String,
        /// The ConfigMap's name.
        name: String,
        /// Its resource version.
        version: String,
    },
    /// Takes the controller's finalizer off a binding that is being deleted.
    RemoveFinalizer {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its UID.
        uid: String,
    },
    /// Takes targets out of a group, exactly as they were described.
    Deregister {
        /// On whose behalf.
        access: Access,
        /// The group.
        arn: TargetGroupArn,
        /// The targets.
        targets: Vec<TargetDescription>,
    },
}

/// What is kept in a ConfigMap of this program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its data.
    pub data: BTreeMap<String, String>,
    /// Its resource version; none before it is written.
    pub version: Option<String>,
}

/// The kinds of change, as reports name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum ChangeAction {
    /// A binding is created or changed.
    ApplyBinding,
    /// An owner of bindings is patched, or what sets it up.
    PatchOwner,
    /// An object that sets bindings up is created.
    CreateOwner,
    /// A binding is deleted.
    DeleteBinding,
    /// A note of this program is written.
    WriteNote,
    /// It is deleted.
    DeleteNote,
    /// A ledger is deleted.
    DeleteLedger,
    /// The controller's finalizer is taken off.
    RemoveFinalizer,
    /// Targets are taken out.
    Deregister,
}

impl ChangeAction {
    /// The action as words: completes "failed to".
    pub fn as_words(self) -> &'static str {
        match self {
            Self::ApplyBinding => "apply",
            Self::PatchOwner => "patch",
            Self::CreateOwner => "create",
            Self::DeleteBinding | Self::DeleteNote | Self::DeleteLedger => "delete",
            Self::WriteNote => "write",
            Self::RemoveFinalizer => "take the finalizer off",
            Self::Deregister => "deregister targets of",
        }
    }

    /// The action once it is done, in one word.
    pub fn as_done(self) -> &'static str {
        match self {
            Self::ApplyBinding => "applied",
            Self::PatchOwner => "patched",
            Self::CreateOwner => "created",
            Self::DeleteBinding | Self::DeleteNote | Self::DeleteLedger => "deleted",
            Self::WriteNote => "written",
            Self::RemoveFinalizer => "finalizer",
            Self::Deregister => "deregistered",
        }
    }
}

impl Change {
    /// What kind of change it is.
    pub fn action(&self) -> ChangeAction {
        match self {
            Self::ApplyBinding { .. } => ChangeAction::ApplyBinding,
            Self::PatchOwner(_) => ChangeAction::PatchOwner,
            Self::CreateOwner { .. } => ChangeAction::CreateOwner,
            Self::DeleteBinding { .. } => ChangeAction::DeleteBinding,
            Self::WriteNote { .. } => ChangeAction::WriteNote,
            Self::DeleteNote { .. } => ChangeAction::DeleteNote,
            Self::DeleteLedger { .. } => ChangeAction::DeleteLedger,
            Self::RemoveFinalizer { .. } => ChangeAction::RemoveFinalizer,
            Self::Deregister { .. } => ChangeAction::Deregister,
        }
    }

    /// What is changed: `TargetGroupBinding web/shop`.
    pub fn object(&self) -> String {
        match self {
            Self::ApplyBinding { manifest: Manifest { namespace, name, .. }, .. }
            | Self::DeleteBinding { namespace, name, .. }
            | Self::RemoveFinalizer { namespace, name, .. } => {
                format!("TargetGroupBinding {namespace}/{name}")
            }
            Self::PatchOwner(Patch { key, .. }) | Self::CreateOwner { key, .. } => key.to_string(),
            Self::WriteNote { namespace, name, .. }
            | Self::DeleteNote { namespace, name, .. }
            | Self::DeleteLedger { namespace, name, .. } => format!("ConfigMap {namespace}/{name}"),
            Self::Deregister { arn, .. } => arn.name().to_owned(),
        }
    }

    /// How many targets it takes out.
    pub fn targets(&self) -> usize {
        match self {
            Self::Deregister { targets, .. } => targets.len(),
            _ => 0,
        }
    }

    /// The object or patch that is sent, as a document shows it; null where nothing is.
    pub fn body(&self) -> Value {
        match self {
            Self::ApplyBinding { manifest, .. } => manifest.to_value(),
            Self::PatchOwner(patch) => patch.body.clone(),
            Self::CreateOwner { manifest, .. } => manifest.clone(),
            Self::WriteNote { note, .. } => json!({"data": note.data}),
            Self::Deregister { targets, .. } => {
                let targets: Vec<String> =
                    targets.iter().map(|listed| listed.target.to_string()).collect();
                json!({"targets": targets})
            }
            _ => Value::Null,
        }
    }

    /// What of this change was announced by another plan: all of it, some of its targets, or
    /// nothing. Resource versions may have moved since; what is written may not.
    fn announced_by(&self, plan: &Item) -> Option<Self> {
        let announced = plan.changes.iter().chain(&plan.later);
        let same =
            |other: &&Self| other.action() == self.action() && other.object() == self.object();
        match self {
            Self::Deregister { access, arn, targets } => {
                let named: BTreeSet<_> = announced
                    .filter(same)
                    .flat_map(|change| match change {
                        Self::Deregister { targets, .. } => targets.as_slice(),
                        _ => &[],
                    })
                    .map(|listed| &listed.target)
                    .collect();
                let targets: Vec<_> = targets
                    .iter()
                    .filter(|listed| named.contains(&listed.target))
                    .cloned()
                    .collect();
                (!targets.is_empty()).then(|| Self::Deregister {
                    access: access.clone(),
                    arn: arn.clone(),
                    targets,
                })
            }
            Self::ApplyBinding { manifest, .. } => announced
                .filter(same)
                .any(|other| matches!(other, Self::ApplyBinding { manifest: shown, .. } if shown == manifest))
                .then(|| self.clone()),
            Self::PatchOwner(patch) => announced
                .filter(same)
                .any(|other| is_part_of(&patch.body, &other.body()))
                .then(|| self.clone()),
            Self::CreateOwner { .. } => announced
                .filter(same)
                .any(|other| other.body() == self.body())
                .then(|| self.clone()),
            _ => announced.into_iter().any(|other| same(&other)).then(|| self.clone()),
        }
    }
}

/// Says whether all that a patch sets is set to the same by another.
fn is_part_of(patch: &Value, other: &Value) -> bool {
    match (patch, other) {
        (Value::Object(own), Value::Object(other)) => {
            own.iter().all(|(name, value)| other.get(name).is_some_and(|it| is_part_of(value, it)))
        }
        _ => patch == other,
    }
}

/// Writes the change as its document does: `apply TargetGroupBinding web/shop`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.action().as_words(), self.object())
    }
}

/// How long to wait for goals, and how often to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How long in all.
    pub timeout: Duration,
    /// How often the world is read meanwhile.
    pub interval: Duration,
}

#[cfg(all(test, feature = "sim"))]
mod tests;
