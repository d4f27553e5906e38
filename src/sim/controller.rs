//! A model of the AWS Load Balancer Controller's TargetGroupBinding controller (LBC 3.5).
//!
//! What an observer of bindings, ledgers and target groups can see of it is as in `facts/lbc.md`:
//! its memory, which outlives what is written behind its back (2.1, 2.2); its checkpoint and what
//! makes it look again (2.2); endpoints, by the library's own rules (3); the order of a pass and of
//! a cleanup (4). Security groups, events and status conditions are left out: nothing here reads
//! them. It takes one binding at a time, where the real one takes three.
//!
//! One model, two faces: it reaches the world through an [`Api`], over the simulator's memory
//! ([`Worker`]) or, in the end-to-end tests, over a real kube-apiserver and the AWS wire. It knows no
//! clock: every call says what time it is.
//!
//! # When it works
//!
//! [`Controller::work`] looks at the world as informers would ([`Controller::look`]), notes which
//! bindings that wakes, and takes the one that is due: whoever runs the model calls it until nothing
//! is. A binding is woken
//!
//! - by the first look after a start, and again every [`Flags::sync_period`];
//! - by any change of its own, annotations included;
//! - for `ip`: by its Service's EndpointSlices, and by readiness gates that name it;
//! - for `instance`: by nodes, and by its Service;
//! - by a pass of it that failed (5 ms later, then twice as much each time, up to 1000 s) or that waits
//!   for a readiness gate (15 s).
//!
//! # Where it dies
//!
//! Each request to the world is one call of the [`Api`]. A future of [`Controller::work`] that is
//! dropped is a process that was killed: [`Controller::restart`] is what comes after it.

pub mod admission;
mod api;
mod cleanup;
mod gates;
mod ledger;
mod memory;
pub mod owners;
mod pass;
mod queue;
mod simulated;
mod targets;
mod worker;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

pub use self::api::{Api, Failure, Gate, Key, Patch, View};
use self::memory::Memory;
pub use self::pass::Ended;
pub use self::queue::Worked;
pub use self::simulated::SimApi;
pub use self::worker::Worker;

/// How the controller was started: its command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flags {
    /// `--max-targets-per-target-group`; none is its default, no limit.
    pub max_targets: Option<usize>,
    /// `--aws-vpc-id`.
    pub vpc_id: String,
    /// `--sync-period`: 10 hours.
    pub sync_period: SignedDuration,
    /// Its version; before v3.5.0 it has one ledger in memory for `a/b-c` and `a-b/c`.
    pub version: &'static str,
}

impl Flags {
    /// The defaults, in a VPC.
    pub fn new(vpc_id: &str) -> Self {
        let sync_period = SignedDuration::from_hours(10);
        Self { max_targets: None, vpc_id: vpc_id.to_owned(), sync_period, version: "v3.5.0" }
    }
}

/// A controller: a handle, cheap to clone.
#[derive(Debug)]
pub struct Controller<A> {
    api: Arc<A>,
    flags: Flags,
    memory: Arc<Mutex<Memory>>,
}

impl<A> Clone for Controller<A> {
    fn clone(&self) -> Self {
        Self {
            api: Arc::clone(&self.api),
            flags: self.flags.clone(),
            memory: Arc::clone(&self.memory),
        }
    }
}

impl<A: Api> Controller<A> {
    /// Starts a controller, which leads from now on.
    pub fn new(api: A, flags: Flags, now: Timestamp) -> Self {
        let memory = Memory::new(now, flags.sync_period);
        Self { api: Arc::new(api), flags, memory: Arc::new(Mutex::new(memory)) }
    }

    /// Starts it anew: everything it knew is lost, and it leads from now on.
    pub fn restart(&self, now: Timestamp) {
        *self.memory() = Memory::new(now, self.flags.sync_period);
    }

    /// Since when it leads: the `acquireTime` of its Lease.
    pub fn leads_since(&self) -> Timestamp {
        self.memory().leads_since
    }

    /// How it was started.
    pub fn flags(&self) -> &Flags {
        &self.flags
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // A test that panicked while it held the lock has already failed.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
