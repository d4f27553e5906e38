//! A client for one context, which finds its credentials when it is first used.
//!
//! Nothing here fails the run: what is wrong with a context makes its cluster silent.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderValue, Request, Response};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::config::{ExecConfig, KubeConfigOptions};
use kube::{Client, Config};
use mctg::cluster::kube::{KubeCluster, Settings, explain};
use mctg::error;
use mctg::facts::{Silence, SilenceReason};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tower::Layer;
use tower::util::{MapErr, option_layer};

use super::exec::{self, Credentials};
use super::kubeconfig::{self, Source};
use super::{Context, ContextOptions, aws, proxy};
use crate::cli::env::{self, Environment};

/// What the API server logs us as.
const AGENT: &str = concat!("kubectl-mctg/", env!("CARGO_PKG_VERSION"));

/// For how long a context that never answered is not tried again: within one look at the world it
/// costs its timeout once, and a watch still sees it come back.
const GIVEN_UP_FOR: Duration = Duration::from_secs(30);

/// Makes one context of the run.
pub(super) async fn context(
    name: &str,
    source: &Source,
    options: &ContextOptions,
    environment: &Environment,
) -> Context {
    let entry = source.cluster(name);
    let config = config(name, source, options, environment).await;
    let exec = config.as_ref().ok().and_then(|config| config.auth_info.exec.as_ref());
    let cluster_name = entry.map(|(cluster, _)| cluster);
    let aws = aws::hints(cluster_name, exec);
    let mut settings = Settings {
        cluster: cluster_name.map(str::to_owned),
        eks_name: aws::eks_name(cluster_name, exec),
        ..Settings::default()
    };
    let cluster = match config {
        Err(silence) => {
            // Two contexts without an address are not one cluster.
            settings.endpoint = format!("context {name}");
            KubeCluster::silent(name, silence, settings)
        }
        Ok(config) => {
            settings.endpoint = endpoint(&config);
            let namespace = config.default_namespace.clone();
            settings.default_namespace = Some(namespace.clone());
            let connection = Connection::new(config, options.request_timeout, environment.can_ask);
            let connection = Arc::new(connection);
            let service = tower::service_fn(move |request| {
                let connection = Arc::clone(&connection);
                async move { connection.send(request).await }
            });
            KubeCluster::new(name, Client::new(service, namespace), settings)
        }
    };
    Context { cluster, aws }
}

async fn config(
    name: &str,
    source: &Source,
    options: &ContextOptions,
    environment: &Environment,
) -> Result<Config, Silence> {
    let broken = |cause: &str| {
        let text = format!("context `{}` cannot be used: {cause}", error::escape(name));
        Silence::new(SilenceReason::InvalidConfig, text)
    };
    let mut config = match source {
        Source::Pod(config) => (**config).clone(),
        Source::Files { config, .. } => {
            let chosen = KubeConfigOptions {
                context: Some(name.to_owned()),
                ..KubeConfigOptions::default()
            };
            let config = Config::from_custom_kubeconfig((**config).clone(), &chosen);
            config.await.map_err(|error| broken(&kubeconfig::explain(&error)))?
        }
    };
    if config.cluster_url.host().is_none() {
        return Err(broken(&format!(
            "its server `{}` is no address",
            error::escape(&config.cluster_url.to_string())
        )));
    }
    config.proxy_url = None;
    if let Some(proxy) = proxy_of(name, source, &config, environment) {
        let invalid = |_| broken("its proxy is no URL");
        config.proxy_url = Some(proxy.parse().map_err(invalid)?);
    }
    // Reads are repeated one level up, and writes are not: the answer may have been lost.
    config.default_retry = false;
    config.connect_timeout = options.request_timeout;
    config.write_timeout = options.request_timeout;
    config.headers.push((USER_AGENT, HeaderValue::from_static(AGENT)));
    let auth = &mut config.auth_info;
    if let Some(user) = &options.impersonate {
        auth.impersonate = Some(user.clone());
        auth.impersonate_groups = None;
        auth.impersonate_uid = None;
        auth.impersonate_user_extra = None;
    }
    if !options.impersonate_groups.is_empty() {
        auth.impersonate_groups = Some(options.impersonate_groups.clone());
    }
    Ok(config)
}

/// Its own entry's proxy, else the environment's where nothing excepts the server.
fn proxy_of(
    name: &str,
    source: &Source,
    config: &Config,
    environment: &Environment,
) -> Option<String> {
    let entry = source.cluster(name).and_then(|(_, cluster)| cluster?.proxy_url.clone());
    let own = entry.filter(|proxy| !proxy.is_empty());
    own.or_else(|| {
        let url = &config.cluster_url;
        let no_proxy = environment.no_proxy.as_deref().unwrap_or_default();
        let excepted = proxy::is_excepted(url.host()?, url.port_u16(), no_proxy);
        environment.https_proxy.clone().filter(|_| !excepted)
    })
}

/// The server and the authority it must be signed by: two clusters behind one address that is
/// forwarded differ in the latter.
fn endpoint(config: &Config) -> String {
    let mut hasher = DefaultHasher::new();
    config.root_cert.hash(&mut hasher);
    config.tls_server_name.hash(&mut hasher);
    format!("{} {:016x}", config.cluster_url, hasher.finish())
}

/// A connection to one API server: the credentials, and whether it is worth trying.
struct Connection {
    config: Config,
    plugin: Option<ExecConfig>,
    timeout: Option<Duration>,
    can_ask: bool,
    state: Mutex<State>,
    given_up: std::sync::Mutex<Option<(Silence, Instant)>>,
    has_answered: AtomicBool,
}

enum State {
    New,
    Ready(Client, Option<Credentials>),
    Failed(Silence, Instant),
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Makes a client as kube would, whose connections send at once.
///
/// By default what is small waits until all that was sent before is acknowledged: the first request
/// of every connection for the end of its handshake, which the server acknowledges up to 40 ms late.
fn client(config: Config) -> kube::Result<Client> {
    if config.proxy_url.is_some() {
        return Ok(ClientBuilder::try_from(config)?.build());
    }
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(config.connect_timeout);
    let connector = config.rustls_https_connector_with_connector(connector)?;
    let http = hyper_util::client::legacy::Builder::new(TokioExecutor::new()).build(connector);
    let http = MapErr::new(http, BoxError::from);
    let http = config.extra_headers_layer()?.layer(http);
    let http = option_layer(config.auth_layer()?).layer(http);
    Ok(Client::new(config.base_uri_layer().layer(http), config.default_namespace))
}

impl Connection {
    fn new(mut config: Config, timeout: Option<Duration>, can_ask: bool) -> Self {
        // A token in the file goes before a plugin, as in kubectl.
        let auth = &mut config.auth_info;
        let has_token = auth.token.is_some() || auth.token_file.is_some();
        let plugin = auth.exec.take().filter(|_| !has_token);
        Self {
            config,
            plugin,
            timeout,
            can_ask,
            state: Mutex::new(State::New),
            given_up: std::sync::Mutex::new(None),
            has_answered: AtomicBool::new(false),
        }
    }

    async fn send(&self, request: Request<Body>) -> Result<Response<Body>, BoxError> {
        if let Some(silence) = self.given_up() {
            return Err(silence.into());
        }
        let client = self.client().await?;
        let exchange = async {
            let (head, body) = client.send(request).await?.into_parts();
            Ok::<_, kube::Error>(Response::from_parts(head, body.collect_bytes().await?))
        };
        let late = |limit: Duration| {
            let text = format!("{} gave no answer within {}s", self.server(), limit.as_secs_f64());
            Silence::new(SilenceReason::Timeout, text)
        };
        let answer = match self.timeout {
            None => exchange.await,
            Some(limit) => match tokio::time::timeout(limit, exchange).await {
                Ok(answer) => answer,
                Err(_) => return Err(self.give_up(late(limit)).into()),
            },
        };
        let answer = answer.map_err(|error| {
            let (reason, cause) = explain(&error);
            // The client's own timer runs as long as ours, and may be the first to ring.
            self.give_up(match self.timeout.filter(|_| reason == SilenceReason::Timeout) {
                Some(limit) => late(limit),
                None => Silence::new(reason, format!("{}: {cause}", self.server())),
            })
        })?;
        self.has_answered.store(true, Ordering::Relaxed);
        if answer.status() == http::StatusCode::UNAUTHORIZED && self.plugin.is_some() {
            // Whatever the plugin said about their life, these are no good: the next request asks it
            // again.
            *self.state.lock().await = State::New;
        }
        let (head, body) = answer.into_parts();
        Ok(Response::from_parts(head, Body::from(body.to_vec())))
    }

    /// The client with credentials that are good for now; all who wait share one run of the plugin.
    async fn client(&self) -> Result<Client, Silence> {
        let mut state = self.state.lock().await;
        match &*state {
            State::Ready(client, credentials)
                if credentials.as_ref().is_none_or(|c| !c.are_expiring(env::now())) =>
            {
                return Ok(client.clone());
            }
            State::Failed(silence, since) if since.elapsed() < GIVEN_UP_FOR => {
                return Err(silence.clone());
            }
            _ => {}
        }
        match self.connect().await {
            Ok((client, credentials)) => {
                *state = State::Ready(client.clone(), credentials);
                Ok(client)
            }
            Err(silence) => {
                *state = State::Failed(silence.clone(), Instant::now());
                Err(silence)
            }
        }
    }

    async fn connect(&self) -> Result<(Client, Option<Credentials>), Silence> {
        let mut config = self.config.clone();
        let invalid = |cause: String| Silence::new(SilenceReason::InvalidConfig, cause);
        let credentials = match &self.plugin {
            None => None,
            Some(plugin) => {
                let credentials = exec::run(plugin, self.can_ask, self.timeout).await?;
                let put = credentials.put_into(&mut config.auth_info);
                put.map_err(|error| invalid(error::chain(&error)))?;
                Some(credentials)
            }
        };
        let client = client(config).map_err(|error| {
            let (reason, cause) = explain(&error);
            Silence::new(reason, cause)
        })?;
        Ok((client, credentials))
    }

    fn server(&self) -> String {
        error::escape(self.config.cluster_url.to_string().trim_end_matches('/'))
    }

    fn given_up(&self) -> Option<Silence> {
        let given_up = self.given_up.lock().ok()?;
        let (silence, since) = given_up.as_ref()?;
        (since.elapsed() < GIVEN_UP_FOR).then(|| silence.clone())
    }

    /// Remembers a failure where the server never answered; one that did may just have hiccuped.
    fn give_up(&self, silence: Silence) -> Silence {
        if !self.has_answered.load(Ordering::Relaxed)
            && let Ok(mut given_up) = self.given_up.lock()
        {
            *given_up = Some((silence.clone(), Instant::now()));
        }
        silence
    }
}
