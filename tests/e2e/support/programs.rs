//! Runs the built plugin and kubectl in a clean environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use super::kubeconfig::Kubeconfig;
use super::scratch::Scratch;
use super::servers::programs;
use super::terminal::AtTerminal;

/// A program that takes longer is killed and the test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// A user's machine: a home folder, a kubeconfig, and nothing else of ours in the environment.
pub(crate) struct Desk {
    home: Scratch,
    env: BTreeMap<String, OsString>,
}

impl Desk {
    pub(crate) fn new(kubeconfig: &Kubeconfig) -> Self {
        let home = Scratch::new("home");
        let kubeconfig = kubeconfig.write(&home, "kubeconfig");
        let bin = Path::new(MCTG).parent().expect("the plugin lies in a folder");
        #[expect(clippy::disallowed_methods, reason = "programs must be found")]
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path =
            std::env::join_paths([bin.to_owned()].into_iter().chain(std::env::split_paths(&path)))
                .expect("cargo's folder has no separator in its name");
        let env = [
            ("PATH", path),
            ("HOME", home.path().into()),
            ("KUBECONFIG", kubeconfig.into()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".into()),
            ("AWS_SECRET_ACCESS_KEY", "secret".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            // No test reaches the real AWS: nobody listens here.
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1".into()),
        ];
        Self { home, env: env.map(|(name, value)| (name.to_owned(), value)).into() }
    }

    /// Sets a variable.
    pub(crate) fn set(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.insert(name.to_owned(), value.as_ref().to_owned());
        self
    }

    /// Takes a variable away.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.env.remove(name);
        self
    }

    pub(crate) fn home(&self) -> &Scratch {
        &self.home
    }

    /// Runs the plugin to its end; arguments are separated by blanks.
    pub(crate) async fn mctg(&self, args: &str) -> Finished {
        self.start_mctg(args).finish().await
    }

    /// Runs kubectl to its end; arguments are separated by blanks.
    pub(crate) async fn kubectl(&self, args: &str) -> Finished {
        self.start(&programs().kubectl, args.split_whitespace()).finish().await
    }

    /// Starts kubectl with arguments that may hold blanks or nothing.
    pub(crate) fn start_kubectl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Running {
        self.start(&programs().kubectl, args)
    }

    /// Puts the home folder on the `PATH`.
    pub(crate) fn on_path(mut self) -> Self {
        let mut path = self.home.path().as_os_str().to_owned();
        path.push(":");
        path.push(&self.env["PATH"]);
        self.env.insert("PATH".to_owned(), path);
        self
    }

    /// Starts the plugin, to be killed or interrupted midway.
    pub(crate) fn start_mctg(&self, args: &str) -> Running {
        self.start(Path::new(MCTG), args.split_whitespace())
    }

    /// Starts the plugin at a terminal, where it can ask.
    pub(crate) fn start_at_terminal(&self, args: &str) -> AtTerminal {
        let mut command = std::process::Command::new(MCTG);
        command.args(args.split_whitespace()).env_clear().envs(&self.env);
        command.env("TERM", "dumb").current_dir(self.home.path());
        AtTerminal::start(command)
    }

    /// Starts an example of the package.
    pub(crate) fn start_example<'a>(
        &self,
        name: &str,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Running {
        self.start(&examples().join(name), args)
    }

    /// Starts any program.
    pub(crate) fn start<'a>(
        &self,
        program: &Path,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Running {
        let mut command = Command::new(program);
        command.args(args).env_clear().envs(&self.env).current_dir(self.home.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let what = format!("{:?}", command.as_std());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{what}: {error}"));
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        Running { what, child, stdout, stderr }
    }
}

const MCTG: &str = env!("CARGO_BIN_EXE_kubectl-mctg");

/// The folder of the built examples: `cargo test --test e2e` builds none by itself.
fn examples() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(MCTG).parent().expect("the plugin lies in a folder");
        // As this test was built, so that nothing but the examples is left to build.
        let profile = match folder.file_name().and_then(OsStr::to_str) {
            None | Some("debug") => "dev",
            Some(profile) => profile,
        };
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo
            .args(["build", "--locked", "--quiet", "--examples", "--features", "e2e"])
            .args(["--profile", profile])
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        // What cargo tells a test about its package would make build scripts of dependencies run
        // again, and with them half of all there is.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                cargo.env_remove(&name);
            }
        }
        let status = cargo.status();
        assert!(status.expect("cargo runs this test").success(), "the examples are built");
        folder.join("examples")
    })
}

fn drain(pipe: Option<impl AsyncRead + Unpin + Send + 'static>) -> JoinHandle<String> {
    let mut pipe = pipe.expect("it is piped");
    tokio::spawn(async move {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).await.expect("a pipe can be read");
        String::from_utf8(bytes).expect("output is UTF-8")
    })
}

/// A program that runs; killed when dropped.
pub(crate) struct Running {
    what: String,
    child: Child,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Running {
    /// Waits for its end.
    pub(crate) async fn finish(mut self) -> Finished {
        let code = match tokio::time::timeout(PATIENCE, self.child.wait()).await {
            Ok(status) => status.expect("a child can be waited for").code(),
            Err(_) => {
                self.child.kill().await.expect("a child can be killed");
                panic!("still running: {}\n{}", self.what, self.stderr.await.expect("it was read"));
            }
        };
        Finished {
            code,
            stdout: self.stdout.await.expect("it was read"),
            stderr: self.stderr.await.expect("it was read"),
        }
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) async fn kill(mut self) -> Finished {
        self.child.start_kill().expect("a child can be killed");
        self.finish().await
    }

    /// Says whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Sends it a signal: Ctrl-C is INT, and a pod that has to go gets TERM.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = self.child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        kill_process(pid.expect("it was not waited for"), signal).expect("it runs");
    }
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; none if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    /// Fails with all that was said unless the exit code is this one.
    #[track_caller]
    pub(crate) fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Its stdout as one YAML document.
    #[track_caller]
    pub(crate) fn yaml(&self) -> Value {
        serde_saphyr::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not YAML ({error}): {self:#?}"))
    }

    /// Its stdout as compact JSON documents, one a line.
    #[track_caller]
    pub(crate) fn json_lines(&self) -> Vec<Value> {
        let parse = |line| {
            serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("not JSON ({error}): {line}: {self:#?}"))
        };
        self.stdout.lines().map(parse).collect()
    }

    /// Its stdout as one JSON document.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {self:#?}"))
    }
}
