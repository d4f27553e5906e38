//! The built plugin on real servers: kube-apiservers with etcd, kubectl, ELBv2 on the wire.
//!
//! `cargo test --features e2e --test e2e`; `tests/servers/README.md` says where the servers come from.

mod bad_aws;
mod bad_contexts;
mod bad_input;
mod bad_ledgers;
mod bad_luck;
mod beside;
mod bind;
mod bind_refused;
mod check;
mod cluster;
mod contexts;
mod controllers;
mod crds;
mod elbv2;
mod embedding;
mod enable;
mod enable_refused;
mod events;
mod figures;
mod findings;
mod generated;
mod house;
mod in_cluster;
mod interrupted;
mod killed;
mod kinds;
mod manifests;
mod moto;
mod moves;
mod names;
mod nudge;
mod owner_findings;
mod permissions;
mod plugin;
mod prompt;
mod prune;
mod shape;
mod stopped;
mod story;
mod support;
mod unbind;
mod unbind_refused;
mod walkthrough;
mod webhook;
