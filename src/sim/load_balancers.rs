//! The model behind the trait that the library uses.

mod access;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::elbv2::{ApiError, Model, Operation};
use super::faults::{Fault, Script, Strikes};
use super::steps::{Moment, Steps};
use crate::target::Target;

/// Load balancers in memory: a handle, cheap to clone, that implements
/// [`LoadBalancers`](crate::elbv2::LoadBalancers).
///
/// It asks as AWS is asked, operation by operation and page by page, so that faults and steps strike
/// where they would.
#[derive(Clone)]
pub struct LoadBalancers {
    shared: Arc<Mutex<Shared>>,
    steps: Steps,
}

struct Shared {
    model: Model,
    script: Script<Operation, Trouble>,
    calls: Vec<Call>,
}

/// A call that was made, whatever came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The operation.
    pub operation: Operation,
    /// The targets it named.
    pub targets: Vec<Target>,
}

/// What a caller gets instead of its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A refusal.
    Refused(ApiError),
    /// The connection is closed without an answer.
    Closed,
    /// An answer that is none.
    Garbage,
    /// No answer, ever.
    Silent,
    /// The right answer, late. Memory knows no time, so only the wire face is late.
    Late(Duration),
}

/// Why a call has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    Refused(ApiError),
    Closed,
    Garbage,
    Silent,
}

/// What came of a call, and how late.
pub(super) struct Outcome<T> {
    pub(super) answer: Result<T, NoAnswer>,
    pub(super) late: Duration,
}

impl fmt::Debug for LoadBalancers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadBalancers").field("calls", &self.calls().len()).finish_non_exhaustive()
    }
}

impl LoadBalancers {
    /// Serves a model, on a world's steps.
    pub fn new(model: Model, steps: Steps) -> Self {
        let shared = Shared { model, script: Script::default(), calls: Vec::new() };
        Self { shared: Arc::new(Mutex::new(shared)), steps }
    }

    /// Looks at or changes the model behind the caller's back: no step, no fault, not counted.
    pub fn with<T>(&self, look: impl FnOnce(&mut Model) -> T) -> T {
        look(&mut self.shared().model)
    }

    /// The calls so far, in order.
    pub fn calls(&self) -> Vec<Call> {
        self.shared().calls.clone()
    }

    /// How many calls of an operation were made.
    pub fn count(&self, operation: Operation) -> usize {
        self.shared().calls.iter().filter(|call| call.operation == operation).count()
    }

    /// Forgets the calls so far.
    pub fn clear_calls(&self) {
        self.shared().calls.clear();
    }

    /// Makes the next call of an operation fail.
    pub fn fail_next(&self, operation: Operation, fault: Fault<Trouble>) {
        self.fail_nth(Some(operation), 1, fault);
    }

    /// Makes the `n`th call from now fail (1 is the next): of an operation, or of all.
    pub fn fail_nth(&self, operation: Option<Operation>, n: usize, fault: Fault<Trouble>) {
        self.shared().script.add(operation, n, fault);
    }

    /// Forgets the faults that did not strike.
    pub fn clear_faults(&self) {
        self.shared().script.clear();
    }

    /// Makes a call: a step, a fault perhaps, the effect, a fault perhaps, a step.
    pub(super) async fn call<T>(
        &self,
        operation: Operation,
        targets: Vec<Target>,
        effect: impl FnOnce(&mut Model) -> Result<T, ApiError>,
    ) -> Outcome<T> {
        let lost = self.steps.pass("elbv2", operation.as_str(), Moment::Before).await;
        let outcome = self.shared().strike(operation, targets, lost, effect);
        self.steps.pass("elbv2", operation.as_str(), Moment::After).await;
        outcome
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        // A test that panicked while it held the lock has already failed.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn strike<T>(
        &mut self,
        operation: Operation,
        targets: Vec<Target>,
        lost: Option<Strikes>,
        effect: impl FnOnce(&mut Model) -> Result<T, ApiError>,
    ) -> Outcome<T> {
        self.calls.push(Call { operation, targets });
        let lost = lost.map(|strikes| Fault { strikes, trouble: Trouble::Closed });
        let fault = lost.or_else(|| self.script.strike(operation));
        let late = match &fault {
            Some(Fault { trouble: Trouble::Late(late), .. }) => *late,
            _ => Duration::ZERO,
        };
        let no_answer = fault.and_then(|fault| {
            let no_answer = match fault.trouble {
                Trouble::Refused(error) => NoAnswer::Refused(error),
                Trouble::Closed => NoAnswer::Closed,
                Trouble::Garbage => NoAnswer::Garbage,
                Trouble::Silent => NoAnswer::Silent,
                Trouble::Late(_) => return None,
            };
            Some((fault.strikes, no_answer))
        });
        if let Some((Strikes::BeforeEffect, no_answer)) = no_answer {
            return Outcome { answer: Err(no_answer), late };
        }
        let answer = match self.model.admit(operation) {
            Ok(()) => effect(&mut self.model),
            Err(error) => Err(error),
        };
        let answer = match no_answer {
            Some((_, no_answer)) => Err(no_answer),
            None => answer.map_err(NoAnswer::Refused),
        };
        Outcome { answer, late }
    }
}
