//! An answer, or why there is none: a missing answer is never an empty one.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What could be read, or why it could not.
pub type Reading<T> = Result<T, Silence>;

/// Why something could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    /// What kind of failure it was.
    pub reason: SilenceReason,
    /// What was tried and what came back, as one line.
    pub message: String,
}

impl Silence {
    /// Makes a silence.
    pub fn new(reason: SilenceReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// The same, with what it costs.
    pub(crate) fn at_the_cost_of(&self, cost: &str) -> Self {
        Self::new(self.reason, format!("{}; {cost}", self.message))
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Silence {}

/// The kinds of failure that leave something unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SilenceReason {
    /// The context's own configuration is broken: a missing file, an unreadable certificate.
    InvalidConfig,
    /// Nothing answers at the address.
    Unreachable,
    /// Something accepted and did not answer in time.
    Timeout,
    /// The server's certificate is not signed by the context's authority.
    CertificateInvalid,
    /// An exec credential plugin failed or did not end.
    CredentialPlugin,
    /// The server does not know this user (401), or AWS has no or no valid credentials.
    Unauthorized,
    /// The user is known and may not do this (403).
    Forbidden,
    /// The object does not exist.
    NotFound,
    /// AWS or the API server is throttling, and went on after the retries.
    Throttled,
    /// The answer could not be understood.
    Garbled,
    /// The server answered with a failure of its own (500 and the like).
    ServerError,
    /// The request was refused as invalid, such as an ARN that is none.
    Invalid,
    /// It was not asked for, to be polite; `--deep` asks.
    NotAsked,
    /// It was not asked for, because the run was asked to [stop](crate::stop).
    Stopped,
}
