//! Share one AWS load balancer between several Kubernetes clusters.

pub mod binding;
pub mod class;
pub mod cluster;
pub mod elbv2;
pub mod endpoints;
pub mod facts;
pub mod findings;
pub mod ledger;
pub mod plan;
pub mod report;
#[cfg(feature = "sim")]
pub mod sim;
pub mod target;
