//! Which AWS credentials a context's calls are made with (`product.md` 5.2).

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig, imds};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{
    ProvideCredentials, SharedCredentialsProvider, future as provided,
};
use aws_sdk_elasticloadbalancingv2::config::SharedHttpClient;
use futures::future::{BoxFuture, FutureExt};
use mctg::elbv2::aws::{Limits, SdkConfigs, Settings, http_client, http_client_through};
use mctg::error::chain;
use mctg::facts::{Reading, Silence, SilenceReason};

/// What the command line says about AWS.
#[derive(Clone, Debug, Default)]
pub(crate) struct AwsOptions {
    /// `--profile`.
    pub(crate) profiles: Profiles,
    /// The profile that a context's own exec entry names, by context.
    pub(crate) entry_profiles: BTreeMap<String, String>,
    /// `--region`: where no ARN tells it.
    pub(crate) region: Option<String>,
    /// `--endpoint-url`: of ELBv2 alone.
    pub(crate) endpoint_url: Option<String>,
    /// `--no-assume-role`.
    pub(crate) no_assume_role: bool,
    /// `--request-timeout`: of one attempt.
    pub(crate) attempt_timeout: Option<Duration>,
    /// `--aws-qps`.
    pub(crate) reads_per_second: Option<f64>,
    /// `HTTPS_PROXY`.
    pub(crate) https_proxy: Option<String>,
    /// `NO_PROXY`.
    pub(crate) no_proxy: Option<String>,
}

impl AwsOptions {
    /// How the adapter is to call AWS.
    pub(crate) fn settings(&self) -> Settings {
        let usual = Settings::default();
        let attempt_timeout = self.attempt_timeout.unwrap_or(usual.attempt_timeout);
        Settings {
            endpoint_url: self.endpoint_url.clone(),
            assume_roles: !self.no_assume_role,
            limits: self.reads_per_second.map_or_else(Limits::default, Limits::of_reads_per_second),
            attempt_timeout,
            // As many attempts that take their time as in the default.
            operation_timeout: attempt_timeout.saturating_mul(OPERATION_PER_ATTEMPT),
            ..usual
        }
    }
}

/// How often the time of one attempt all attempts of a call may take.
const OPERATION_PER_ATTEMPT: u32 = 3;

/// What `--profile` was given: `NAME` once, `CONTEXT=NAME` for each context.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profiles {
    every: Option<String>,
    by_context: BTreeMap<String, String>,
}

impl Profiles {
    /// Reads the values of `--profile`.
    ///
    /// # Errors
    ///
    /// The sentence to show: an empty name, or two profiles for the same contexts.
    pub(crate) fn parse(values: &[String]) -> Result<Self, String> {
        let mut profiles = Self::default();
        for value in values {
            // A context may hold an equals sign, a profile hardly does.
            let (context, name) = match value.rsplit_once('=') {
                Some((context, name)) => (Some(context), name),
                None => (None, value.as_str()),
            };
            if name.is_empty() || context == Some("") {
                return Err(format!("--profile `{value}`: expected NAME or CONTEXT=NAME"));
            }
            let before = match context {
                Some(context) => profiles.by_context.insert(context.to_owned(), name.to_owned()),
                None => profiles.every.replace(name.to_owned()),
            };
            if let Some(before) = before.filter(|before| before != name) {
                let whose = context.map_or_else(
                    || "every context".to_owned(),
                    |context| format!("the context `{context}`"),
                );
                return Err(format!("--profile names both `{before}` and `{name}` for {whose}"));
            }
        }
        Ok(profiles)
    }

    /// The contexts that were named, to check against the kubeconfig.
    pub(crate) fn contexts(&self) -> impl Iterator<Item = &str> {
        self.by_context.keys().map(String::as_str)
    }

    fn of(&self, context: &str) -> Option<&str> {
        self.by_context.get(context).or(self.every.as_ref()).map(String::as_str)
    }
}

/// Loads the SDK configuration of each context, when it is first needed.
///
/// A profile that does not exist, or holds nothing, is a silence of the contexts that use it.
#[derive(Debug)]
pub(crate) struct Credentials {
    options: AwsOptions,
    http: Reading<SharedHttpClient>,
    #[cfg(test)]
    files: Option<ProfileFiles>,
}

#[cfg(test)]
#[expect(deprecated, reason = "the new name is in a crate that only this would need")]
type ProfileFiles = aws_config::profile::profile_file::ProfileFiles;

/// Whose credentials a context uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source<'a> {
    /// A profile that `--profile` names.
    Flag(&'a str),
    /// The profile of the context's own exec entry.
    Entry(&'a str),
    /// Environment, default profile, web identity, container, instance.
    Chain,
}

impl Source<'_> {
    fn profile(&self) -> Option<&str> {
        match self {
            Self::Flag(name) | Self::Entry(name) => Some(name),
            Self::Chain => None,
        }
    }

    /// What to tell where it has no credentials at all.
    fn missing(&self) -> String {
        match self {
            Self::Flag(name) => format!(
                "the AWS profile `{name}`, named by `--profile`, is not defined or holds no credentials; \
                 `aws configure list-profiles` shows those that are"
            ),
            Self::Entry(name) => format!(
                "the AWS profile `{name}`, named by the context's kubeconfig entry, is not defined or \
                 holds no credentials; define it, or name another with `--profile`"
            ),
            Self::Chain => {
                "no AWS credentials: not in the environment, a profile, a web identity, a \
                 container or an instance; log in, or name a profile with `--profile`"
                    .to_owned()
            }
        }
    }
}

impl Credentials {
    /// Keeps the options; nothing is loaded yet.
    pub(crate) fn new(options: AwsOptions) -> Self {
        let http = match &options.https_proxy {
            Some(proxy) => http_client_through(proxy, options.no_proxy.as_deref()),
            None => Ok(http_client()),
        };
        Self {
            options,
            http,
            #[cfg(test)]
            files: None,
        }
    }

    fn source(&self, context: &str) -> Source<'_> {
        match (self.options.profiles.of(context), self.options.entry_profiles.get(context)) {
            (Some(name), _) => Source::Flag(name),
            (None, Some(name)) => Source::Entry(name),
            (None, None) => Source::Chain,
        }
    }

    async fn load(&self, source: Source<'_>) -> Reading<SdkConfig> {
        let http = self.http.clone()?;
        let retry = RetryConfig::standard().with_max_attempts(SIGN_IN_ATTEMPTS);
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(SIGN_IN_TIMEOUT)
            .operation_attempt_timeout(SIGN_IN_TIMEOUT)
            .build();
        let region = self.region(source).await;
        // STS needs a region even where the calls to come bring their own.
        let sign_in = region.clone().unwrap_or_else(|| Region::from_static("us-east-1"));
        let provider_config = ProviderConfig::without_region()
            .with_http_client(http.clone())
            .with_retry_config(retry.clone())
            .with_timeout_config(timeouts.clone())
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_region(Some(sign_in.clone()));
        let provider = self.provider(source, &provider_config, sign_in).await;
        // Retries given here keep the SDK from reading `AWS_RETRY_MODE`, which it panics on.
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http)
            .retry_config(retry)
            .timeout_config(timeouts)
            .region(region)
            .credentials_provider(Explained {
                provider,
                missing: source.missing(),
                profile: source.profile().map(str::to_owned),
            });
        if let Ok(name) = AppName::new(concat!("kubectl-mctg-", env!("CARGO_PKG_VERSION"))) {
            loader = loader.app_name(name);
        }
        if let Some(profile) = source.profile() {
            loader = loader.profile_name(profile);
        }
        Ok(loader.load().await)
    }

    /// The flag's, the environment's, the profile's; the instance metadata are not asked: every ARN
    /// tells its region, and off EC2 the question costs seconds.
    async fn region(&self, source: Source<'_>) -> Option<Region> {
        let mut profile = ProfileFileRegionProvider::builder();
        if let Some(name) = source.profile() {
            profile = profile.profile_name(name);
        }
        RegionProviderChain::first_try(self.options.region.clone().map(Region::new))
            .or_else(EnvironmentVariableRegionProvider::new())
            .or_else(profile.build())
            .region()
            .await
    }

    async fn provider(
        &self,
        source: Source<'_>,
        config: &ProviderConfig,
        region: Region,
    ) -> SharedCredentialsProvider {
        // A profile that was named is the only source, as in the AWS CLI: going on to the next would
        // change an account that nobody named.
        if let Some(name) = source.profile() {
            let profile = ProfileFileCredentialsProvider::builder().configure(config);
            #[cfg(test)]
            let profile = match self.files.clone() {
                Some(files) => profile.profile_files(files),
                None => profile,
            };
            return SharedCredentialsProvider::new(profile.profile_name(name).build());
        }
        let metadata = imds::Client::builder()
            .configure(config)
            .max_attempts(1)
            .connect_timeout(METADATA_TIMEOUT)
            .read_timeout(METADATA_TIMEOUT)
            .operation_timeout(METADATA_TIMEOUT)
            .build();
        let chain = DefaultCredentialsChain::builder()
            .configure(config.clone())
            .imds_client(metadata)
            // Given, so that the chain does not ask the metadata for one.
            .region(region)
            .build()
            .await;
        SharedCredentialsProvider::new(chain)
    }
}

/// Signing in is asked again once: the run waits for it.
const SIGN_IN_ATTEMPTS: u32 = 2;
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(5);

/// On EC2 the metadata answer within milliseconds; elsewhere the address leads nowhere.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

impl SdkConfigs for Credentials {
    fn credentials(&self, context: &str) -> String {
        match self.source(context).profile() {
            Some(name) => format!("the AWS profile `{name}`"),
            None => "the default AWS credentials".to_owned(),
        }
    }

    fn config<'a>(&'a self, context: &'a str) -> BoxFuture<'a, Reading<SdkConfig>> {
        self.load(self.source(context)).boxed()
    }
}

/// Credentials that say what is missing in the words of the command line.
#[derive(Debug)]
struct Explained {
    provider: SharedCredentialsProvider,
    missing: String,
    profile: Option<String>,
}

impl Explained {
    fn explain(&self, error: CredentialsError) -> CredentialsError {
        let cause = root(&error).to_string();
        let missing = match (&error, &self.profile) {
            (CredentialsError::CredentialsNotLoaded(_), _) => self.missing.clone(),
            // The last of the chain: off EC2 its failure only means that there is none.
            (_, None) if chain(&error).contains("IMDS") => self.missing.clone(),
            (_, Some(profile)) if cause.contains("SSO") => format!(
                "the AWS profile `{profile}` is not logged in: {cause}; \
                 log in with `aws sso login --profile {profile}`"
            ),
            _ => return error,
        };
        CredentialsError::provider_error(Silence::new(SilenceReason::Unauthorized, missing))
    }
}

fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

impl ProvideCredentials for Explained {
    fn provide_credentials<'a>(&'a self) -> provided::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        provided::ProvideCredentials::new(async {
            self.provider.provide_credentials().await.map_err(|error| self.explain(error))
        })
    }
}

#[cfg(test)]
mod tests;
