//! Tests that need nothing but the toolchain, by what they protect.

mod cancel;
mod documents;
mod embedding;
mod krew;
mod laws;
mod nudge;
mod package;
mod prune;
mod reconcile;
mod stopped;
mod unbind;
