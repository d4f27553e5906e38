//! Programs as in a pod: the files of a ServiceAccount where a kubelet would put them.
//!
//! Their path is fixed, so that the program runs in a mount namespace of its own, as containers do.

use std::path::Path;

use super::programs::{Desk, Running};

/// Puts the files of `$1` where a pod has them, and becomes the rest of the words.
const POD: &str = r#"
    set -e
    mount -t tmpfs tmpfs "$(realpath /var/run)"
    mkdir -p /var/run/secrets/kubernetes.io/serviceaccount
    cp "$1/token" "$1/ca.crt" "$1/namespace" /var/run/secrets/kubernetes.io/serviceaccount
    shift
    exec "$@"
"#;

/// Starts a program with the ServiceAccount whose files lie in a folder.
pub(crate) fn start(desk: &Desk, account: &Path, words: &[&str]) -> Running {
    let account = account.to_str().expect("a path is text");
    let own = ["-rm", "sh", "-c", POD, "sh", account].into_iter();
    desk.start(Path::new("unshare"), own.chain(words.iter().copied()))
}

/// Says whether this machine lets anybody make namespaces; if not, says so in the log too.
#[expect(clippy::print_stderr, reason = "whoever reads the log has to know what was not tested")]
pub(crate) async fn is_possible(desk: &Desk, account: &Path) -> bool {
    let possible = start(desk, account, &["true"]).finish().await.code == Some(0);
    if !possible {
        eprintln!("no user and mount namespaces here: not tested as in a pod");
    }
    possible
}
