//! Folders for what tests write, removed also when the test process is killed.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder of its own, removed when dropped.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// Makes a new, empty folder whose name starts with `label`.
    pub(crate) fn new(label: &str) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let path = root().join(format!("{label}-{}", COUNT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir_all(&path).expect("a scratch folder can be made");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file into the folder and returns its path.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a scratch file can be written");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What stays, the sweeper takes.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes the folder `$1` once stdin ends, which it does when the test process does, however it ends.
///
/// Servers that die at the same moment may still write, hence the second look.
const SWEEPER: &str = r#"
    trap '' HUP INT TERM
    cat > /dev/null
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        rm -rf "$1" 2> /dev/null && exit
        sleep 0.2
    done
"#;

/// The folder of this test process.
fn root() -> &'static Path {
    // Holds the pipe to the sweeper's stdin, which closes with this process.
    static ROOT: OnceLock<(PathBuf, Child)> = OnceLock::new();
    let (path, _sweeper) = ROOT.get_or_init(|| {
        let path =
            Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("e2e-{}", std::process::id()));
        // A process with this number may have run before, on a machine that was switched off.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the target folder can be written");
        let sweeper = Command::new("sh")
            .args(["-c", SWEEPER, "sweeper"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("sh can be started");
        (path, sweeper)
    });
    path
}
