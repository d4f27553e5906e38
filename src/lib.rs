//! Share one AWS load balancer between several Kubernetes clusters.
//!
//! Each cluster registers its own pods in one shared *target group*, and keeps in a *ledger* (a
//! ConfigMap) which targets are its own. This crate sees who serves what, and repairs what drifted
//! without touching what belongs to another cluster.
//!
//! ```text
//!  kube contexts ── cluster ──┐                    ┌─► status, findings ─► report::Status
//!                             ├─ observe ─► Facts ─┤
//!  ELBv2 ────────── elbv2 ────┘                    └─► plan ─► Plan ─► apply ─► report::Reconcile
//! ```
//!
//! 1. [`cluster`] and [`elbv2`] are the two doors: narrow traits with adapters for `kube` and the
//!    AWS SDK. Nothing else talks to a network.
//! 2. [`observe`] reads every cluster at once into [`facts`]; what could not be read is a fact too.
//! 3. [`endpoints`] says what a cluster asks for, [`ledger`] what it tracks, [`class`] what that
//!    makes of each target. All of deciding is pure.
//! 4. [`plan`] is complete before the first change; printing it is a dry run.
//! 5. [`apply`] carries it out: ledger, register, read again, deregister, ledger.
//! 6. [`reconcile`] does all of that in one call and [`report`]s it, as [`events`] too; it can be
//!    asked to [`stop`].
//!
//! The library never prints, exits, or reads the environment or the clock. Futures are `Send`, so that
//! a run can be spawned, and one that is dropped anywhere leaves a state that the next run repairs.
//! `examples/one_shot.rs` and `examples/operator.rs` embed it; `docs/embedding.md` explains them.
//!
//! With feature `sim` the same runs in memory:
//!
#![cfg_attr(feature = "sim", doc = "```")]
#![cfg_attr(not(feature = "sim"), doc = "```ignore")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use mctg::plan::Request;
//! use mctg::reconcile::{Options, Reconciler};
//! use mctg::sim::World;
//!
//! // Two clusters share a target group; one target of blue was lost behind their backs.
//! let world = World::demo("2026-01-01T12:00:00Z".parse()?);
//! let (clusters, load_balancers) = (world.clusters(), world.load_balancers());
//! let contexts = ["blue".to_owned()].into();
//! let request = Request { contexts, may_deregister: true, ..Request::default() };
//! let reconciler = Reconciler::new(&clusters, &load_balancers, || world.now())
//!     .options(Options { request, ..Options::default() });
//!
//! let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! let report = runtime.block_on(reconciler.run(None, &|_| {}));
//! assert!(report.complete);
//! assert_eq!(report.bindings[0].plan.register[0].to_string(), "10.0.76.84:8080");
//!
//! let second = runtime.block_on(reconciler.plan());
//! assert!(second.plan.bindings.iter().all(|binding| binding.is_empty()));
//! # Ok(())
//! # }
//! ```

pub mod apply;
pub mod attributes;
pub mod bind;
pub mod binding;
pub mod change;
pub mod check;
pub mod checkpoint;
pub mod class;
pub mod cluster;
mod concurrent;
pub mod elbv2;
pub mod enable;
pub mod endpoints;
pub mod error;
pub mod events;
pub mod facts;
pub mod findings;
pub mod flag;
pub mod known_bugs;
pub mod ledger;
pub mod managers;
pub mod objects;
pub mod observe;
pub mod owner;
pub mod permissions;
pub mod plan;
pub mod protection;
pub mod reconcile;
pub mod report;
pub mod schedule;
pub mod selection;
pub mod share;
#[cfg(feature = "sim")]
pub mod sim;
pub mod stack;
pub mod status;
pub mod stop;
pub mod target;
#[cfg(test)]
mod testing;
pub mod unbind;
pub mod view;
