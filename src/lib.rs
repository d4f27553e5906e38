//! Share one AWS load balancer between several Kubernetes clusters.

pub mod apply;
pub mod binding;
pub mod checkpoint;
pub mod class;
pub mod cluster;
pub mod elbv2;
pub mod endpoints;
pub mod error;
pub mod facts;
pub mod findings;
pub mod ledger;
pub mod observe;
pub mod owner;
pub mod plan;
pub mod reconcile;
pub mod report;
pub mod selection;
pub mod share;
#[cfg(feature = "sim")]
pub mod sim;
pub mod status;
pub mod target;
#[cfg(test)]
mod testing;
pub mod view;
