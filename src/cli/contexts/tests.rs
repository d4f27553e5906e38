//! Contexts from files to answers, against sockets of our own.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mctg::cluster::Cluster as _;
use mctg::facts::SilenceReason;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mctg-contexts-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn kubeconfig(contexts: &[(&str, &str, Value)]) -> String {
    let list = |make: &dyn Fn(&str, &str, &Value) -> Value| -> Vec<Value> {
        contexts.iter().map(|(name, server, user)| make(name, server, user)).collect()
    };
    json!({
        "current-context": contexts.first().map(|context| context.0),
        "clusters": list(&|name, server, _| json!({"name": name, "cluster": {"server": server}})),
        "users": list(&|name, _, user| json!({"name": name, "user": user})),
        "contexts": list(&|name, _, _| json!({"name": name, "context": {"cluster": name, "user": name}})),
    })
    .to_string()
}

fn explicit(path: &Path) -> ContextOptions {
    ContextOptions {
        kubeconfig: Some(path.to_owned()),
        request_timeout: Some(Duration::from_secs(30)),
        ..ContextOptions::default()
    }
}

async fn one(server: &str, user: Value, change: impl FnOnce(&mut ContextOptions)) -> Context {
    let folder = Folder::new();
    let path = folder.write("config", kubeconfig(&[("it", server, user)]));
    let mut options = explicit(&path);
    change(&mut options);
    let mut found = find(&options, &Environment::default()).await.ok().unwrap();
    found.reading.remove(0)
}

async fn failure(options: &ContextOptions, environment: &Environment) -> ContextError {
    find(options, environment).await.err().unwrap()
}

/// An API server of one answer; it keeps the heads of what it was asked.
async fn server(status: &'static str, body: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            seen.lock().unwrap().push(String::from_utf8(head).unwrap().to_lowercase());
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    (url, heads)
}

const NAMESPACE: &str = r#"{"metadata":{"name":"kube-system","uid":"u-1"}}"#;

#[tokio::test]
async fn requests_carry_our_name_and_whom_we_act_as() {
    let (url, heads) = server("200 OK", NAMESPACE).await;
    let context = one(&url, json!({"token": "t-1", "as": "somebody"}), |options| {
        options.impersonate = Some("jane".to_owned());
        options.impersonate_groups = vec!["ops".to_owned(), "dev".to_owned()];
    })
    .await;
    assert_eq!(context.cluster.identity().await, Ok("u-1".to_owned()));
    let head = heads.lock().unwrap().remove(0);
    for line in [
        concat!("user-agent: kubectl-mctg/", env!("CARGO_PKG_VERSION"), "\r\n"),
        "authorization: bearer t-1\r\n",
        "impersonate-user: jane\r\n",
        "impersonate-group: ops\r\n",
        "impersonate-group: dev\r\n",
    ] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert!(!head.contains("somebody"), "{head}");
}

#[tokio::test]
async fn a_dead_context_costs_its_timeout_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let context = one(&url, json!({}), |options| {
        options.request_timeout = Some(Duration::from_millis(50));
    })
    .await;
    let first = context.cluster.identity().await.unwrap_err();
    assert_eq!(first.reason, SilenceReason::Timeout);
    assert_eq!(
        first.message,
        format!("failed to get namespace `kube-system`: {url} gave no answer within 0.05s")
    );
    let second = context.cluster.nodes().await.unwrap_err();
    assert_eq!(second.message, format!("failed to list nodes: {url} gave no answer within 0.05s"));
    // The second question never reached the port.
    let _held = listener.accept().await.unwrap();
    let more = tokio::time::timeout(Duration::from_millis(20), listener.accept()).await;
    assert!(more.is_err());
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    drop(listener);
    let context = one(&url, json!({}), |_| {}).await;
    let silence = context.cluster.identity().await.unwrap_err();
    assert_eq!(silence.reason, SilenceReason::Unreachable);
    assert_eq!(
        silence.message,
        format!(
            "failed to get namespace `kube-system`: {url}: tcp connect error: Connection refused (os error 111)"
        )
    );
}

#[tokio::test]
async fn what_speaks_no_tls_or_no_json_is_garbled() {
    let (url, _) = server("200 OK", "<html>sign in</html>").await;
    let silence = one(&url, json!({}), |_| {}).await.cluster.identity().await.unwrap_err();
    assert_eq!(silence.reason, SilenceReason::Garbled);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    let silence = one(&url, json!({}), |_| {}).await.cluster.identity().await.unwrap_err();
    assert_eq!(silence.reason, SilenceReason::Garbled, "{silence}");
}

fn plugin(script: &str) -> Value {
    json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "sh",
        "args": ["-c", script],
        "env": [{"name": "AWS_PROFILE", "value": "ops"}],
    }})
}

#[tokio::test]
async fn a_plugin_runs_once_for_all_questions_and_again_when_its_token_is_refused() {
    let folder = Folder::new();
    let runs = folder.0.join("runs");
    let script =
        format!(r#"echo run >> {}; echo '{{"status":{{"token":"from-plugin"}}}}'"#, runs.display());
    let count = || std::fs::read_to_string(&runs).unwrap_or_default().lines().count();
    let (url, heads) = server("200 OK", NAMESPACE).await;
    let context = one(&url, plugin(&script), |_| {}).await;
    assert_eq!(count(), 0, "nothing runs before the first question");
    assert_eq!(context.aws.profile.as_deref(), Some("ops"));
    let it = &context.cluster;
    let (first, second) = tokio::join!(it.identity(), it.identity());
    assert!(first.is_ok() && second.is_ok());
    assert_eq!(count(), 1);
    assert!(heads.lock().unwrap()[0].contains("authorization: bearer from-plugin\r\n"));

    let (url, _) = server("401 Unauthorized", "").await;
    let context = one(&url, plugin(&script), |_| {}).await;
    for runs in 2..4 {
        let silence = context.cluster.identity().await.unwrap_err();
        assert_eq!(silence.reason, SilenceReason::Unauthorized);
        assert_eq!(count(), runs);
    }
}

#[tokio::test]
async fn a_plugin_that_hangs_costs_its_timeout_once_and_is_named() {
    let folder = Folder::new();
    let runs = folder.0.join("runs");
    let script = format!("echo run >> {}; sleep 600", runs.display());
    let context = one("http://127.0.0.1:1", plugin(&script), |options| {
        options.request_timeout = Some(Duration::from_millis(300));
    })
    .await;
    let it = &context.cluster;
    let (first, second) = tokio::join!(it.identity(), it.nodes());
    for (silence, what) in
        [(first.unwrap_err(), "get namespace `kube-system`"), (second.unwrap_err(), "list nodes")]
    {
        assert_eq!(silence.reason, SilenceReason::CredentialPlugin);
        assert_eq!(
            silence.message,
            format!("failed to {what}: the credential plugin `sh` did not end within 0.3s")
        );
    }
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "run\n");
}

#[tokio::test]
async fn one_broken_context_hides_no_other() {
    let (url, _) = server("200 OK", NAMESPACE).await;
    let folder = Folder::new();
    let mut config: Value = serde_json::from_str(&kubeconfig(&[
        ("good", &url, json!({})),
        ("no-ca", "https://127.0.0.1:1", json!({})),
        (
            "no-key",
            "https://127.0.0.1:1",
            json!({"client-certificate": "gone.crt", "client-key": "gone.key"}),
        ),
        ("no-url", "no url", json!({})),
    ]))
    .unwrap();
    config["clusters"][1]["cluster"]["certificate-authority"] = json!("gone.crt");
    config["contexts"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "no-cluster", "context": {"cluster": "gone"}}));
    let path = folder.write("config", config.to_string());
    let found = find(&explicit(&path), &Environment::default()).await.ok().unwrap();
    let mut said = BTreeMap::new();
    for context in &found.reading {
        let answer = context.cluster.identity().await;
        said.insert(
            context.cluster.context().to_owned(),
            answer.map_err(|silence| {
                assert_eq!(silence.reason, SilenceReason::InvalidConfig);
                silence.message.replace(&folder.0.display().to_string(), "DIR")
            }),
        );
    }
    assert_eq!(said["good"], Ok("u-1".to_owned()));
    let reason = |name: &str| said[name].clone().unwrap_err();
    assert_eq!(
        reason("no-ca"),
        "context `no-ca` cannot be used: failed to load certificate authority: failed to read file `DIR/gone.crt`: No such file or directory (os error 2)"
    );
    assert_eq!(
        reason("no-key"),
        "failed to get namespace `kube-system`: failed to load client certificate: failed to read file `DIR/gone.crt`: No such file or directory (os error 2)"
    );
    assert!(
        reason("no-url")
            .starts_with("context `no-url` cannot be used: failed to parse cluster url")
    );
    assert_eq!(
        reason("no-cluster"),
        "context `no-cluster` cannot be used: failed to load the cluster of context: gone"
    );
}

#[tokio::test]
async fn several_kubeconfigs_are_merged_and_missing_ones_skipped() {
    let folder = Folder::new();
    let first = folder.write("a", kubeconfig(&[("blue", "http://127.0.0.1:1", json!({}))]));
    let second = folder.write(
        "b",
        kubeconfig(&[
            ("green", "http://127.0.0.1:2", json!({})),
            ("blue", "http://127.0.0.1:3", json!({})),
        ]),
    );
    let list = std::env::join_paths([first, folder.0.join("gone"), second]).unwrap();
    let environment = Environment { kubeconfig: Some(list), ..Environment::default() };
    let found = find(&ContextOptions::default(), &environment).await.ok().unwrap();
    let names: Vec<_> = found.reading.iter().map(|context| context.cluster.context()).collect();
    assert_eq!(names, ["blue", "green"]);
    assert!(found.reading[0].cluster.endpoint().starts_with("http://127.0.0.1:1/"));
    assert!(!found.narrowed && found.writing.is_empty());
}

#[tokio::test]
async fn a_kubeconfig_that_is_missing_empty_or_broken_says_so() {
    let folder = Folder::new();
    let home = Environment { home: Some(folder.0.clone()), ..Environment::default() };
    let nothing = failure(&ContextOptions::default(), &home).await;
    let place = folder.0.join(".kube/config").display().to_string();
    assert_eq!(nothing.to_string(), format!("there is no kubeconfig at `{place}`"));
    assert!(nothing.is_usage() && nothing.hint().contains("--kubeconfig"));

    let gone = failure(&explicit(&folder.0.join("gone")), &home).await;
    assert!(gone.is_usage() && gone.to_string().starts_with("there is no kubeconfig `"));
    for text in ["", "apiVersion: v1\nkind: Config\n", "contexts: null"] {
        let path = folder.write("empty", text);
        let empty = failure(&explicit(&path), &home).await;
        assert_eq!(empty.to_string(), format!("kubeconfig `{}` has no contexts", path.display()));
        assert!(empty.is_usage());
    }
    for text in [
        "users:\n- name: a\n  user: {token: hunter2\n",
        "users: [{name: a, user: {token: [hunter2]}}]",
        "users: hunter2",
        "hunter2",
        "\u{0}hunter2",
    ] {
        let path = folder.write("broken", text);
        let broken = failure(&explicit(&path), &home).await;
        let said = broken.to_string();
        assert!(matches!(broken, ContextError::Broken { .. }) && !broken.is_usage(), "{said}");
        assert!(!said.contains("hunter2") && !said.contains('\n'), "{said}");
    }
    let path = folder.write("broken", "users: [{name: a, user: {token: [hunter2]}}]");
    assert_eq!(
        failure(&explicit(&path), &home).await.to_string(),
        format!(
            "failed to read kubeconfig `{}`: line 1, column 33: expected string scalar",
            path.display()
        )
    );
    let folder_itself = failure(&explicit(&folder.0), &home).await;
    assert!(folder_itself.to_string().ends_with("it is a folder"), "{folder_itself}");
}

#[tokio::test]
async fn outside_of_a_pod_the_service_account_cannot_be_forced() {
    let options = ContextOptions { in_cluster: true, ..ContextOptions::default() };
    let refused = failure(&options, &Environment::default()).await;
    assert!(!refused.is_usage());
    assert!(refused.to_string().starts_with("failed to use the service account of this pod: "));
}

#[tokio::test]
async fn contexts_that_are_silent_can_be_left_out_from_now_on() {
    let folder = Folder::new();
    let names = ["blue", "it's *", "arn:aws:eks:us-east-1:1:cluster/red"];
    let path =
        folder.write("config", kubeconfig(&names.map(|it| (it, "http://127.0.0.1:1", json!({})))));
    let found = find(&explicit(&path), &Environment::default()).await.ok().unwrap();
    let reading: Vec<String> =
        found.reading.iter().map(|context| context.cluster.context().to_owned()).collect();
    let without = |names: &[&str]| leave_out(&reading, &names.iter().copied().collect());
    assert_eq!(
        without(&["it's *"]).as_deref(),
        Some("export MCTG_CONTEXTS=blue,arn:aws:eks:us-east-1:1:cluster/red")
    );
    assert_eq!(without(&["blue", names[2]]).as_deref(), Some(r"export MCTG_CONTEXTS='it'\''s *'"));
    assert_eq!(without(&names), None);
}

#[tokio::test]
async fn a_proxy_is_asked_for_what_no_proxy_does_not_except() {
    let (proxy, heads) = server("502 Bad Gateway", "").await;
    let folder = Folder::new();
    let mut config: Value =
        serde_json::from_str(&kubeconfig(&[("it", "https://cluster.invalid", json!({}))])).unwrap();
    let mut ask = async |environment: &Environment, own: Option<&str>| {
        config["clusters"][0]["cluster"]["proxy-url"] = json!(own);
        let path = folder.write("config", config.to_string());
        let found = find(&explicit(&path), environment).await.ok().unwrap();
        let silence = found.reading[0].cluster.identity().await.unwrap_err();
        assert_eq!(silence.reason, SilenceReason::Unreachable, "{silence}");
        std::mem::take(&mut *heads.lock().unwrap()).concat()
    };
    let by_environment = Environment { https_proxy: Some(proxy.clone()), ..Environment::default() };
    assert!(ask(&by_environment, None).await.starts_with("connect cluster.invalid:443 "));
    let excepted = Environment { no_proxy: Some(".invalid".to_owned()), ..by_environment };
    assert_eq!(ask(&excepted, None).await, "");
    assert!(ask(&excepted, Some(&proxy)).await.starts_with("connect cluster.invalid:443 "));
}
