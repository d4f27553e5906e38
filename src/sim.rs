//! In-memory clusters and load balancers, for tests, `demo` and embedders' tests.
//!
//! A [`World`] holds [`Cluster`]s and [`LoadBalancers`] that share one time, which only the caller
//! moves. Both implement the traits of [`crate::cluster`] and [`crate::elbv2`]; the load balancers
//! can also be served over the AWS Query wire format ([`wire`]): one model, two faces. Nothing here
//! is random, so that equal worlds behave equally.
//!
//! Every call passes two [`steps`]: tests can change the world or kill the run at each of them, and
//! [`faults`] can be scripted before or after a call's effect.

pub mod cluster;
pub mod controller;
mod demo;
pub mod elbv2;
pub mod faults;
mod load_balancers;
pub mod steps;
pub mod wire;
pub mod world;

pub use self::cluster::Cluster;
pub use self::load_balancers::{Call, LoadBalancers, Trouble};
pub use self::world::{InvalidWorld, World};
