//! Share one AWS load balancer between several Kubernetes clusters.

pub mod binding;
pub mod ledger;
pub mod target;
