//! The environment: read here, once, and nowhere else.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use jiff::Timestamp;

/// What the environment says about clusters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    /// `KUBECONFIG`: paths, separated as in `PATH`.
    pub(crate) kubeconfig: Option<OsString>,
    /// The home folder.
    pub(crate) home: Option<PathBuf>,
    /// `XDG_STATE_HOME`, where it is an absolute path: others are to be ignored.
    pub(crate) state_home: Option<PathBuf>,
    /// `MCTG_CONTEXTS`: names and globs, separated by commas.
    pub(crate) contexts: Option<String>,
    /// `HTTPS_PROXY`, in either case.
    pub(crate) https_proxy: Option<String>,
    /// `NO_PROXY`, in either case.
    pub(crate) no_proxy: Option<String>,
    /// Whether a person can be asked: stdin is a terminal.
    pub(crate) can_ask: bool,
}

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> Self {
        Self {
            kubeconfig: variable("KUBECONFIG"),
            home: std::env::home_dir().filter(|home| !home.as_os_str().is_empty()),
            state_home: variable("XDG_STATE_HOME").map(PathBuf::from).filter(|p| p.is_absolute()),
            contexts: text("MCTG_CONTEXTS"),
            https_proxy: text("HTTPS_PROXY").or_else(|| text("https_proxy")),
            no_proxy: text("NO_PROXY").or_else(|| text("no_proxy")),
            can_ask: std::io::stdin().is_terminal(),
        }
    }
}

/// The time, in whole seconds: nothing here is decided by less.
#[expect(clippy::disallowed_methods, reason = "the binary's one clock")]
pub(crate) fn now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second()).unwrap_or(now)
}

#[expect(clippy::disallowed_methods, reason = "the binary's one reader of the environment")]
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

fn text(name: &str) -> Option<String> {
    variable(name).map(|value| value.to_string_lossy().into_owned())
}
