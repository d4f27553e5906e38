//! Credential plugins: programs that print a token or a client certificate.
//!
//! The `kube` crate would run them too, but blocking, without a limit of time, with our stdin.

use std::process::Stdio;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::{SignedDuration, Timestamp};
use kube::config::{AuthInfo, ExecConfig, ExecInteractiveMode};
use mctg::error;
use mctg::facts::{Silence, SilenceReason};
use serde::Deserialize;
use serde_json::json;
use tokio::process::{Child, Command};
use tokio::sync::Semaphore;

/// How long before they expire credentials count as expired: a request takes its time.
const MARGIN: SignedDuration = SignedDuration::from_secs(60);

/// Plugins that run at the same time: each may be an interpreter that starts for a second, and fifty
/// at once would all miss their limit.
static PLACES: Semaphore = Semaphore::const_new(8);

/// What a plugin gave.
pub(super) struct Credentials {
    token: Option<String>,
    /// Certificate and key, in PEM.
    identity: Option<(String, String)>,
    expires: Option<Timestamp>,
}

impl Credentials {
    /// Says whether they are no good any more, or will not be for long.
    pub(super) fn are_expiring(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| now.saturating_add(MARGIN).unwrap_or(now) >= expires)
    }

    /// Puts them where the plugin was named.
    pub(super) fn put_into(&self, auth: &mut AuthInfo) -> Result<(), serde_json::Error> {
        let encode = |pem: &String| BASE64.encode(pem);
        // Secrets have a type of another crate; reading them as a kubeconfig does makes it.
        let read: AuthInfo = serde_json::from_value(json!({
            "token": self.token,
            "client-certificate-data": self.identity.as_ref().map(|(certificate, _)| encode(certificate)),
            "client-key-data": self.identity.as_ref().map(|(_, key)| encode(key)),
        }))?;
        auth.exec = None;
        auth.token = read.token;
        auth.client_certificate_data = read.client_certificate_data;
        auth.client_key_data = read.client_key_data;
        Ok(())
    }
}

/// Runs a plugin and reads what it prints.
///
/// It gets our stdin only where a person sits there and its entry does not forbid it. Dropping the
/// future ends it, and whatever it started.
pub(super) async fn run(
    plugin: &ExecConfig,
    can_ask: bool,
    limit: Option<Duration>,
) -> Result<Credentials, Silence> {
    let name = error::escape(plugin.command.as_deref().unwrap_or_default());
    let fail = |what: String| {
        Silence::new(
            SilenceReason::CredentialPlugin,
            format!("the credential plugin `{name}` {what}"),
        )
    };
    let mode = plugin.interactive_mode.as_ref();
    if mode == Some(&ExecInteractiveMode::Always) && !can_ask {
        return Err(fail("wants to ask a person, and stdin is no terminal".to_owned()));
    }
    let asks = can_ask && mode != Some(&ExecInteractiveMode::Never);
    let mut command = command(plugin, asks).map_err(&fail)?;
    // The limit is the plugin's own: waiting for a place does not count. It is never closed.
    let _place = PLACES.acquire().await;
    let child = command.spawn().map_err(|error| {
        let hint = plugin.install_hint.as_deref().map(str::trim).filter(|hint| !hint.is_empty());
        let hint = hint.map(|hint| format!(" ({})", error::escape(hint))).unwrap_or_default();
        fail(format!("could not be started: {error}{hint}"))
    })?;
    let mut guard = Group { leader: child.id().filter(|_| !asks) };
    let output = Child::wait_with_output(child);
    let output = match limit {
        None => output.await,
        Some(limit) => match tokio::time::timeout(limit, output).await {
            Ok(output) => output,
            Err(_) => {
                return Err(fail(format!("did not end within {}s", limit.as_secs_f64())));
            }
        },
    };
    guard.leader = None;
    let output = output.map_err(|error| fail(format!("could not be run: {error}")))?;
    if !output.status.success() {
        let said = error::last_line(&output.stderr);
        let said = if said.is_empty() { String::new() } else { format!(": {said}") };
        return Err(fail(format!("failed ({}){said}", output.status)));
    }
    parse(&output.stdout).map_err(fail)
}

fn command(plugin: &ExecConfig, asks: bool) -> Result<Command, String> {
    let program = plugin.command.as_deref().filter(|command| !command.is_empty());
    let mut command = Command::new(program.ok_or("has no command")?);
    command.args(plugin.args.iter().flatten());
    for entry in plugin.env.iter().flatten() {
        if let (Some(name), Some(value)) = (entry.get("name"), entry.get("value")) {
            command.env(name, value);
        }
    }
    let info = json!({
        "apiVersion": plugin.api_version,
        "kind": "ExecCredential",
        "spec": {"interactive": asks, "cluster": plugin.cluster},
    });
    command.env("KUBERNETES_EXEC_INFO", info.to_string());
    command.stdout(Stdio::piped()).kill_on_drop(true);
    if asks {
        command.stdin(Stdio::inherit()).stderr(Stdio::inherit());
    } else {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        // A group of its own can be ended with all it started. One that may ask stays in ours:
        // a terminal lets only the group in front read.
        #[cfg(unix)]
        command.process_group(0);
    }
    Ok(command)
}

/// Ends a plugin's process group unless it has ended by itself.
struct Group {
    leader: Option<u32>,
}

impl Drop for Group {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader
            && let Some(leader) =
                i32::try_from(leader).ok().and_then(rustix::process::Pid::from_raw)
        {
            // Gone already is fine.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
    expiration_timestamp: Option<Timestamp>,
}

fn parse(stdout: &[u8]) -> Result<Credentials, String> {
    // What was printed may be a secret in a wrong form: it is not shown.
    let answer: Answer = serde_json::from_slice(stdout)
        .map_err(|e| format!("printed no credential: line {}, column {}", e.line(), e.column()))?;
    let status = answer.status.ok_or("printed a credential without a status")?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let token = given(status.token);
    let identity = given(status.client_certificate_data).zip(given(status.client_key_data));
    if token.is_none() && identity.is_none() {
        return Err("printed a credential with neither token nor certificate".to_owned());
    }
    Ok(Credentials { token, identity, expires: status.expiration_timestamp })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(script: &str) -> ExecConfig {
        serde_json::from_value(json!({"command": "sh", "args": ["-c", script]})).unwrap()
    }

    async fn failure(script: &str) -> String {
        let silence = run(&plugin(script), false, Some(Duration::from_millis(300))).await;
        let silence = silence.err().unwrap();
        assert_eq!(silence.reason, SilenceReason::CredentialPlugin);
        silence.message
    }

    #[tokio::test]
    async fn a_plugin_that_fails_shows_its_last_line() {
        assert_eq!(
            failure("echo secret; echo usage >&2; echo 'no \x1bsession' >&2; exit 4").await,
            "the credential plugin `sh` failed (exit status: 4): no \\u{1b}session"
        );
    }

    #[tokio::test]
    async fn a_plugin_that_asks_gets_no_answer() {
        let message = failure("read -r answer || exit 5").await;
        assert_eq!(message, "the credential plugin `sh` failed (exit status: 5)");
    }

    #[tokio::test]
    async fn a_plugin_that_hangs_is_ended_with_all_it_started() {
        let folder = std::env::temp_dir().join(format!("mctg-exec-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("pid");
        let script = format!("sleep 600 & echo $! > {}; wait", file.display());
        assert_eq!(failure(&script).await, "the credential plugin `sh` did not end within 0.3s");
        let pid = std::fs::read_to_string(&file).unwrap();
        let state = format!("/proc/{}/stat", pid.trim());
        // A killed child of nobody may stay a zombie where no init reaps it.
        let is_gone = || std::fs::read_to_string(&state).map_or(true, |stat| stat.contains(") Z "));
        while !is_gone() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[tokio::test]
    async fn what_is_no_credential_is_never_shown() {
        let message = failure("echo hunter2").await;
        assert_eq!(message, "the credential plugin `sh` printed no credential: line 1, column 1");
        assert_eq!(
            failure("echo '{\"status\":{}}'").await,
            "the credential plugin `sh` printed a credential with neither token nor certificate"
        );
    }

    #[tokio::test]
    async fn a_plugin_that_is_not_installed_shows_how_to_install_it() {
        let plugin: ExecConfig = serde_json::from_value(
            json!({"command": "/nowhere/aws", "installHint": "install the AWS CLI"}),
        )
        .unwrap();
        let silence = run(&plugin, false, None).await.err().unwrap();
        assert_eq!(
            silence.message,
            "the credential plugin `/nowhere/aws` could not be started: No such file or directory (os error 2) (install the AWS CLI)"
        );
    }

    #[tokio::test]
    async fn a_certificate_takes_the_plugins_place() {
        let script = r#"echo '{"status":{"clientCertificateData":"C","clientKeyData":"K"}}'"#;
        let credentials = run(&plugin(script), false, None).await.ok().unwrap();
        let mut auth = AuthInfo { exec: Some(plugin(script)), ..AuthInfo::default() };
        credentials.put_into(&mut auth).unwrap();
        let written = serde_json::to_value(&auth).unwrap();
        assert_eq!(written["client-certificate-data"], "Qw==");
        assert_eq!(written["client-key-data"], "Sw==");
        assert_eq!(written["exec"], json!(null));
    }

    #[tokio::test]
    async fn credentials_expire_a_minute_early() {
        let script =
            r#"echo '{"status":{"token":"t","expirationTimestamp":"2026-11-23T12:00:00Z"}}'"#;
        let credentials = run(&plugin(script), false, None).await.ok().unwrap();
        let at = |time: &str| credentials.are_expiring(time.parse().unwrap());
        assert!(!at("2026-11-23T11:58:59Z"));
        assert!(at("2026-11-23T11:59:00Z"));
    }
}
