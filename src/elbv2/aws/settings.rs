//! How the adapter calls AWS: with which credentials, how often, how long.

use std::time::Duration;

use aws_config::SdkConfig;
use futures::future::{BoxFuture, FutureExt, ready};

use crate::elbv2::limiter::Limits;
use crate::facts::Reading;
use crate::stop::Stop;

/// Where the SDK configuration of a context's calls comes from.
///
/// An [`SdkConfig`] is one: it serves every context.
pub trait SdkConfigs: Send + Sync {
    /// Names the credentials of a context, as a fragment to show: "the profile `prod`".
    ///
    /// Contexts whose credentials have the same name share their clients.
    fn credentials(&self, context: &str) -> String;

    /// Makes the configuration of a context: its credentials, and a region for calls that have no
    /// ARN. Retries and timeouts are the adapter's ([`Settings`]).
    fn config<'a>(&'a self, context: &'a str) -> BoxFuture<'a, Reading<SdkConfig>>;
}

impl SdkConfigs for SdkConfig {
    fn credentials(&self, _context: &str) -> String {
        "the given AWS configuration".to_owned()
    }

    fn config<'a>(&'a self, _context: &'a str) -> BoxFuture<'a, Reading<SdkConfig>> {
        ready(Ok(self.clone())).boxed()
    }
}

/// How the adapter calls AWS.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The ELBv2 endpoint, in place of the region's own; STS and the rest keep theirs.
    pub endpoint_url: Option<String>,
    /// Whether the roles that bindings name are assumed; else the context's own credentials serve.
    pub assume_roles: bool,
    /// The client-side limits, for each account and region.
    pub limits: Limits,
    /// The most attempts of one call, the first included. Retries are the SDK's standard ones, with
    /// jitter; adaptive ones wait 20 s after the first throttle (`facts/elbv2.md` 3.3).
    pub attempts: u32,
    /// The bound of the first, random, wait between attempts; it doubles each time.
    pub first_backoff: Duration,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long one attempt may take.
    pub attempt_timeout: Duration,
    /// How long all attempts of a call may take together.
    pub operation_timeout: Duration,
    /// How long credentials may take to come.
    pub credentials_timeout: Duration,
    /// Asks to make no call any more, and none again that failed.
    pub stop: Stop,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint_url: None,
            assume_roles: true,
            limits: Limits::default(),
            attempts: 4,
            first_backoff: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(3),
            attempt_timeout: Duration::from_secs(10),
            operation_timeout: Duration::from_secs(30),
            credentials_timeout: Duration::from_secs(10),
            stop: Stop::default(),
        }
    }
}
