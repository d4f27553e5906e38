//! Kubeconfigs with any contexts, good and bad.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::scratch::Scratch;
use super::servers::free_port;

/// How a context reaches its cluster: a kubeconfig's cluster and user entry.
#[derive(Clone)]
pub(crate) struct Access {
    cluster: Value,
    user: Value,
}

impl Access {
    /// Reaches `server` (a URL), trusting the certificates in the file `ca`, with a bearer token.
    pub(crate) fn new(server: &str, ca: &Path, token: &str) -> Self {
        Self {
            cluster: json!({ "server": server, "certificate-authority": ca }),
            user: json!({ "token": token }),
        }
    }

    /// The same with another server.
    pub(crate) fn at(mut self, server: &str) -> Self {
        self.cluster["server"] = json!(server);
        self
    }

    /// The same with another certificate authority: `ca.with_ca_of(&other)` fits no more.
    pub(crate) fn with_ca_of(mut self, other: &Self) -> Self {
        self.cluster["certificate-authority"] = other.cluster["certificate-authority"].clone();
        self
    }

    /// The same with another bearer token.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        self.user = json!({ "token": token });
        self
    }

    /// The same with credentials from an exec plugin: `script` is run by `sh`.
    pub(crate) fn with_exec(mut self, script: &str) -> Self {
        self.user = json!({ "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": "sh",
            "args": ["-c", script],
            "interactiveMode": "IfAvailable",
        }});
        self
    }

    /// The same as a pod finds it.
    pub(crate) fn service_account(&self) -> ServiceAccount {
        let text = |value: &Value| value.as_str().expect("it was written as text").to_owned();
        let server = text(&self.cluster["server"]);
        let address = server.trim_start_matches("https://");
        let (host, port) = address.rsplit_once(':').expect("a port of its own");
        ServiceAccount {
            host: host.to_owned(),
            port: port.to_owned(),
            ca: text(&self.cluster["certificate-authority"]).into(),
            token: text(&self.user["token"]),
        }
    }

    /// A script for [`Self::with_exec`] that gives out this access's own token.
    pub(crate) fn exec_script(&self) -> String {
        let credential = json!({
            "apiVersion": "client.authentication.k8s.io/v1",
            "kind": "ExecCredential",
            "status": self.user,
        });
        format!("printf %s '{credential}'")
    }
}

/// How a pod reaches its cluster.
pub(crate) struct ServiceAccount {
    pub(crate) host: String,
    pub(crate) port: String,
    pub(crate) ca: PathBuf,
    pub(crate) token: String,
}

/// A kubeconfig in the making; the first context is the current one unless another is chosen.
#[derive(Clone, Default)]
pub(crate) struct Kubeconfig {
    contexts: Vec<(String, Access, Option<String>)>,
    current: Option<String>,
}

impl Kubeconfig {
    pub(crate) fn with(mut self, context: &str, access: Access) -> Self {
        self.contexts.push((context.to_owned(), access, None));
        self
    }

    /// Sets the namespace of the context added last.
    pub(crate) fn namespace(mut self, namespace: &str) -> Self {
        self.contexts.last_mut().expect("a context was added").2 = Some(namespace.to_owned());
        self
    }

    pub(crate) fn current(mut self, context: &str) -> Self {
        self.current = Some(context.to_owned());
        self
    }

    pub(crate) fn to_json(&self) -> Value {
        let first = self.contexts.first().map(|(name, ..)| name.clone());
        let entries = |make: fn(&str, &Access, Option<&str>) -> Value| -> Vec<Value> {
            self.contexts
                .iter()
                .map(|(name, to, namespace)| make(name, to, namespace.as_deref()))
                .collect()
        };
        json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self.current.clone().or(first),
            "clusters": entries(|name, to, _| json!({ "name": name, "cluster": to.cluster })),
            "users": entries(|name, to, _| json!({ "name": format!("{name}-user"), "user": to.user })),
            "contexts": entries(|name, _, namespace| {
                let mut context = json!({ "cluster": name, "user": format!("{name}-user") });
                if let Some(namespace) = namespace {
                    context["namespace"] = json!(namespace);
                }
                json!({ "name": name, "context": context })
            }),
        })
    }

    /// Writes it (JSON is YAML) and returns its path.
    pub(crate) fn write(&self, folder: &Scratch, name: &str) -> PathBuf {
        folder.write(name, self.to_json().to_string())
    }
}

/// A server URL where nobody listens.
pub(crate) fn dead_url() -> String {
    format!("https://127.0.0.1:{}", free_port())
}

/// A port that accepts connections and never answers.
pub(crate) struct SilentPort(TcpListener);

impl SilentPort {
    pub(crate) fn open() -> Self {
        // Nobody calls accept(): the kernel completes the handshake and that is all.
        Self(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free"))
    }

    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.0.local_addr().expect("it is bound"))
    }
}
