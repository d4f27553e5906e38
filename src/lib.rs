//! Share one AWS load balancer between several Kubernetes clusters.

pub mod binding;
pub mod cluster;
pub mod elbv2;
pub mod endpoints;
pub mod facts;
pub mod ledger;
pub mod target;
