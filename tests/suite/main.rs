//! Tests that need nothing but the toolchain, by what they protect.

mod documents;
mod krew;
mod laws;
mod package;
mod prune;
mod reconcile;
mod stopped;
