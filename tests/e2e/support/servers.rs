//! The server programs, and processes that cannot outlive the tests.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU16, Ordering};
use std::{env, io};

use rustix::process::{Pid, Signal, kill_process};

/// Where the programs are that a cluster needs.
pub(crate) struct Programs {
    pub(crate) etcd: PathBuf,
    pub(crate) kube_apiserver: PathBuf,
    pub(crate) kubectl: PathBuf,
}

/// Finds the programs in `KUBEBUILDER_ASSETS`, else builds them once into `target/servers`.
pub(crate) fn programs() -> &'static Programs {
    static PROGRAMS: OnceLock<Programs> = OnceLock::new();
    PROGRAMS.get_or_init(|| {
        #[expect(
            clippy::disallowed_methods,
            reason = "a convention of the field: tests find servers by it"
        )]
        let folder = match env::var_os("KUBEBUILDER_ASSETS") {
            Some(folder) => PathBuf::from(folder),
            None => built(&target().join("servers")),
        };
        let program = |name: &str| {
            let path = folder.join(name);
            assert!(path.is_file(), "no `{name}` in {}", folder.display());
            path
        };
        Programs {
            etcd: program("etcd"),
            kube_apiserver: program("kube-apiserver"),
            kubectl: program("kubectl"),
        }
    })
}

/// Cargo's target folder.
pub(crate) fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("target/tmp lies in target")
}

/// Runs `make` with a folder unless `folder` was made from the same `recipe` before.
///
/// Test processes that run at the same time wait for the first; a build that was interrupted counts
/// as none, because the recipe is written last.
pub(crate) fn once(folder: &Path, recipe: &str, make: impl FnOnce(&Path)) {
    fs::create_dir_all(folder).expect("the target folder can be written");
    let lock = File::create(folder.with_extension("lock")).expect("a lock file can be made");
    lock.lock().expect("files in the target folder can be locked");
    let stamp = folder.join(".recipe");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == recipe) {
        return;
    }
    make(folder);
    fs::write(stamp, recipe).expect("the target folder can be written");
}

#[expect(clippy::print_stderr, reason = "the first build takes minutes")]
fn built(folder: &Path) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers");
    let read = |name| fs::read_to_string(source.join(name)).expect("tests/servers is complete");
    once(folder, &(read("go.mod") + &read("go.sum")), |folder| {
        let version = read("go.mod")
            .lines()
            .find_map(|line| {
                line.trim().strip_prefix("k8s.io/kubernetes ")?.split(' ').next().map(str::to_owned)
            })
            .expect("go.mod names k8s.io/kubernetes");
        let flags = format!("-s -w -X k8s.io/component-base/version.gitVersion={version}");
        eprintln!("building etcd, kube-apiserver and kubectl {version} (minutes the first time)");
        let status = Command::new("go")
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &flags, "-o"])
            .arg(format!("{}/", folder.display()))
            .arg("tool")
            .current_dir(&source)
            .envs([("CGO_ENABLED", "0"), ("GOTOOLCHAIN", "local")])
            .status()
            .expect("Go 1.26 is needed to build the servers, or KUBEBUILDER_ASSETS");
        assert!(status.success(), "go build: {status}");
        // The folder convention names etcd's `server` package after what it serves.
        fs::rename(folder.join("server"), folder.join("etcd")).expect("etcd was built");
    });
    folder.to_owned()
}

/// Finds a loopback port that nobody listens on.
///
/// Taken below the ports that systems give to outgoing connections, so that a server that was
/// stopped finds its own port free when it starts again.
pub(crate) fn free_port() -> u16 {
    const FIRST: u16 = 20_000;
    const COUNT: u16 = 10_000;
    static NEXT: OnceLock<AtomicU16> = OnceLock::new();
    let next = NEXT.get_or_init(|| {
        // Test processes start at different places.
        let place = std::process::id().wrapping_mul(61) % u32::from(COUNT);
        AtomicU16::new(u16::try_from(place).expect("under ten thousand"))
    });
    (0..COUNT)
        .map(|_| FIRST + next.fetch_add(1, Ordering::Relaxed) % COUNT)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("some port is free")
}

/// A server process, ended when dropped and also when the test process ends in any other way.
///
/// It is started through `sh`, which leaves a watcher behind and becomes the server, so that
/// the child's process id is the server's. The watcher reads a pipe from this process: when that
/// closes without a word, even by `kill -9`, it kills the server.
pub(crate) struct Server {
    name: String,
    child: Child,
    pipe: ChildStdin,
    log: PathBuf,
}

const WATCHED: &str = r#"
    exec 3<&0 < /dev/null
    (trap '' HUP INT TERM; read -r _ <&3 || kill -9 $$) &
    exec "$@" 3<&-
"#;

impl Server {
    /// Starts `program`, with its output appended to `name.log` in `folder`.
    pub(crate) fn start(
        name: &str,
        folder: &Path,
        program: &Path,
        args: impl IntoIterator<Item = String>,
    ) -> Self {
        let log = folder.join(format!("{name}.log"));
        let output =
            File::options().create(true).append(true).open(&log).expect("a log can be made");
        let mut child = Command::new("sh")
            .args(["-c", WATCHED, name])
            .arg(program)
            .args(args)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(output.try_clone().expect("a file can be shared"))
            .stderr(output)
            // Ctrl-C in a terminal goes to the whole group: the tests end first, then the servers.
            .process_group(0)
            .spawn()
            .expect("sh can be started");
        let pipe = child.stdin.take().expect("stdin is piped");
        Self { name: name.to_owned(), child, pipe, log }
    }

    /// Says how the server ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Holds the server (SIGSTOP): its port still accepts connections and nothing answers.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on (SIGCONT).
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("the server runs");
    }

    /// The last lines it wrote, for messages of tests that fail.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let last = lines[lines.len().saturating_sub(20)..].join("\n");
        format!("{} said last:\n{last}", self.name)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        use io::Write;
        // It may have ended by itself: then there is nobody to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
        // The watcher must not kill a number that is free to be used again.
        let _ = self.pipe.write_all(b"ended\n");
    }
}
