//! One SDK client for each (credentials, region, role), made when first needed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, future};
use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::{
    Builder, IdentityCache, ProvideCredentials, RuntimeComponents, SharedAsyncSleep,
    SharedCredentialsProvider, SharedHttpClient, StalledStreamProtectionConfig, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tokio::sync::{Mutex as AsyncMutex, OnceCell};
use tokio::time::{Instant, timeout};

use super::aws::{SdkConfigs, Settings};
use super::errors::no_credentials;
use super::flight::Tower;
use super::limiter::Pace;
use super::{Access, Role};
use crate::error::chain;
use crate::facts::{Reading, Silence, SilenceReason};
use crate::stop::Stop;

/// How a role's session is called in the account that owns the role (CloudTrail).
const SESSION_NAME: &str = "kubectl-mctg";

/// For how long credentials that could not be had are not asked for again: a run makes many calls,
/// and each would wait for the same provider to fail.
const REFUSAL_KEPT: Duration = Duration::from_secs(30);

/// The HTTP client of all AWS calls: rustls with ring, as kube's (`facts/elbv2.md` 6.4).
///
/// Two TLS providers in one process make kube's client panic, so whoever makes an [`SdkConfig`] for
/// this library gives it this client, or none.
pub fn http_client() -> SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

/// The same through an HTTPS proxy, but for the hosts of `no_proxy` (a list as in `NO_PROXY`).
///
/// Plain HTTP, such as to the instance metadata, is not sent through it.
///
/// # Errors
///
/// [`SilenceReason::InvalidConfig`], where `proxy` is no URL.
pub fn http_client_through(proxy: &str, no_proxy: Option<&str>) -> Reading<SharedHttpClient> {
    let mut proxy = ProxyConfig::https(proxy).map_err(|error| {
        let text = format!("the HTTPS proxy's URL is of no use: {}", chain(&error));
        Silence::new(SilenceReason::InvalidConfig, text)
    })?;
    if let Some(hosts) = no_proxy {
        proxy = proxy.no_proxy(hosts);
    }
    Ok(aws_smithy_http_client::Builder::new().build_with_connector_fn(
        move |settings, components| {
            let mut connector = Connector::builder().proxy_config(proxy.clone());
            connector.set_connector_settings(settings.cloned());
            connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
            connector.tls_provider(Provider::Rustls(CryptoMode::Ring)).build()
        },
    ))
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    credentials: String,
    region: String,
    role: Option<Role>,
}

/// The clients and the buckets of their accounts.
pub(super) struct Clients {
    configs: Box<dyn SdkConfigs>,
    settings: Settings,
    http: OnceLock<SharedHttpClient>,
    /// By the credentials' name, so that clients of several regions log in once.
    bases: AsyncMutex<BTreeMap<String, Arc<OnceCell<SdkConfig>>>>,
    made: AsyncMutex<BTreeMap<Key, Arc<OnceCell<Client>>>>,
    paces: Mutex<BTreeMap<(String, String), Arc<Pace>>>,
}

impl Clients {
    pub(super) fn new(configs: Box<dyn SdkConfigs>, settings: Settings) -> Self {
        Self {
            configs,
            settings,
            http: OnceLock::new(),
            bases: AsyncMutex::default(),
            made: AsyncMutex::default(),
            paces: Mutex::default(),
        }
    }

    /// Asks to make no call any more.
    pub(super) fn stop(&self) -> &Stop {
        &self.settings.stop
    }

    /// The client for calls on behalf of `access`.
    ///
    /// A configuration that could not be read is read again at the next call.
    pub(super) async fn client(&self, access: &Access) -> Reading<Client> {
        let key = Key {
            credentials: self.configs.credentials(&access.context),
            region: access.region.clone(),
            role: access.role.clone().filter(|_| self.settings.assume_roles),
        };
        let cell = Arc::clone(self.made.lock().await.entry(key.clone()).or_default());
        let client = cell
            .get_or_try_init(|| async {
                let base = self.base(&key.credentials, &access.context).await?;
                self.make(key, base).await
            })
            .await?;
        Ok(client.clone())
    }

    async fn base(&self, credentials: &str, context: &str) -> Reading<SdkConfig> {
        let cell = {
            let mut bases = self.bases.lock().await;
            Arc::clone(bases.entry(credentials.to_owned()).or_default())
        };
        let base = cell
            .get_or_try_init(|| async {
                let config = self.complete(self.configs.config(context).await?);
                Ok::<_, Silence>(self.prompt(config, credentials.to_owned()))
            })
            .await?;
        Ok(base.clone())
    }

    /// The buckets of an account and region; an account that no ARN tells goes by its credentials.
    pub(super) fn pace(&self, access: &Access, account: Option<&str>) -> Arc<Pace> {
        let account = match account.filter(|account| !account.is_empty()) {
            Some(account) => account.to_owned(),
            None => self.configs.credentials(&access.context),
        };
        let mut paces = self.paces.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = paces
            .entry((account, access.region.clone()))
            .or_insert_with(|| Arc::new(Pace::new(self.settings.limits)));
        Arc::clone(pace)
    }

    async fn make(&self, key: Key, mut config: SdkConfig) -> Reading<Client> {
        if !key.region.is_empty() {
            config = config.into_builder().region(Region::new(key.region)).build();
        }
        if config.region().is_none() {
            return Err(Silence::new(
                SilenceReason::InvalidConfig,
                format!("no AWS region is known for {}", key.credentials),
            ));
        }
        if let Some(role) = key.role {
            let whose = format!("the role `{}`", role.arn);
            let mut assumed = AssumeRoleProvider::builder(&role.arn)
                .session_name(SESSION_NAME)
                .configure(&config);
            if let Some(external_id) = role.external_id {
                assumed = assumed.external_id(external_id);
            }
            let assumed = SharedCredentialsProvider::new(assumed.build().await);
            config = config.into_builder().credentials_provider(assumed).build();
            config = self.prompt(config, whose);
        }
        let mut builder = Builder::from(&config);
        // For ELBv2 alone: STS, SSO and the rest stay where they are.
        if let Some(url) = &self.settings.endpoint_url {
            builder = builder.endpoint_url(url);
        }
        let tower = || Tower(self.settings.stop.clone());
        Ok(Client::from_conf(builder.interceptor(tower()).retry_classifier(tower()).build()))
    }

    /// Bounds how long its credentials may take; `whose` they are is told when they fail.
    fn prompt(&self, config: SdkConfig, whose: String) -> SdkConfig {
        let Some(inner) = config.credentials_provider() else { return config };
        let patience = self.settings.credentials_timeout;
        let provider = Prompt { inner, whose, patience, refusal: AsyncMutex::default() };
        config
            .into_builder()
            .credentials_provider(SharedCredentialsProvider::new(provider))
            // Its own, whatever cache came along: some keep nothing, or are nobody's but theirs.
            .identity_cache(IdentityCache::lazy().build())
            .build()
    }

    /// Sets what an SDK configuration leaves open, and what it must not decide: it may ask for
    /// adaptive retries, which wait 20 s after the first throttle, and has no read timeout.
    fn complete(&self, config: SdkConfig) -> SdkConfig {
        let settings = &self.settings;
        let version = config.behavior_version().unwrap_or_else(BehaviorVersion::latest);
        let http =
            config.http_client().unwrap_or_else(|| self.http.get_or_init(http_client).clone());
        let sleep = config.sleep_impl().unwrap_or_else(|| SharedAsyncSleep::new(TokioSleep::new()));
        let app_name = AppName::new(concat!("kubectl-mctg-", env!("CARGO_PKG_VERSION"))).ok();
        let app_name = config.app_name().cloned().or(app_name);
        let has_clock = config.time_source().is_some();
        let mut builder = config.into_builder();
        builder.set_app_name(app_name);
        if !has_clock {
            builder = builder.time_source(SystemTimeSource::new());
        }
        builder
            .behavior_version(version)
            .http_client(http)
            .sleep_impl(sleep)
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(settings.attempts)
                    .with_initial_backoff(settings.first_backoff),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(settings.connect_timeout)
                    .operation_attempt_timeout(settings.attempt_timeout)
                    .operation_timeout(settings.operation_timeout)
                    .build(),
            )
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build())
            .build()
    }
}

/// Credentials that come soon or not at all.
///
/// A provider that fails, such as a metadata service where there is none, is not asked again for
/// [`REFUSAL_KEPT`]; its failure is told as a [`Silence`].
#[derive(Debug)]
struct Prompt {
    inner: SharedCredentialsProvider,
    whose: String,
    patience: Duration,
    refusal: AsyncMutex<Option<(Instant, Silence)>>,
}

impl Prompt {
    async fn credentials(&self) -> provider::Result {
        let mut refusal = self.refusal.lock().await;
        if let Some((at, silence)) = &*refusal
            && at.elapsed() < REFUSAL_KEPT
        {
            return Err(CredentialsError::provider_error(silence.clone()));
        }
        let answer = match timeout(self.patience, self.inner.provide_credentials()).await {
            Ok(answer) => answer,
            Err(_) => Err(CredentialsError::provider_timed_out(self.patience)),
        };
        answer.map_err(|error| {
            let silence = no_credentials(&self.whose, &error);
            *refusal = Some((Instant::now(), silence.clone()));
            CredentialsError::provider_error(silence)
        })
    }
}

impl ProvideCredentials for Prompt {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
