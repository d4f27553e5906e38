//! The command line over the library.

#![allow(dead_code, clippy::allow_attributes, reason = "until the verbs are there")]

mod contexts;
mod env;
mod credentials;
