//! What a verb means to change, as data: complete before the first write, and printable instead.
//!
//! `reconcile` plans targets. `enable`, `disable`, `bind` and `unbind` plan objects: each looks at
//! the world and makes one [`Item`] for each thing that was asked for, with what was checked, what
//! is to be changed now, what is to be changed later, and what is waited for. A [`Runner`] looks again
//! after every wait, so that a verb that was killed anywhere goes on where it was when it is run
//! again.

mod announced;
mod check;
mod progress;
mod run;
mod verb;
mod write;

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

pub use self::check::{Check, Verdict};
pub use self::run::{Event, Listener, Options, Patience, Planned, Runner};
pub use self::verb::{Mistake, Verb};
pub use self::write::{Change, ChangeAction, Manifest, Note};
use crate::binding::BindingRef;
use crate::target::TargetGroupArn;

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

#[cfg(all(test, feature = "sim"))]
mod tests;
