//! From what a request came to, to a [`Silence`]: the right reason, and the root cause once.

use std::error::Error;
use std::io;
use std::time::Duration;

use ::kube::client::AuthError;

use super::objects::Status;
use crate::cluster::WriteError;
use crate::error;
use crate::facts::{Silence, SilenceReason};
use crate::stop::Unheard;

/// A request that brought no answer that can be used.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The HTTP status, where there was an answer.
    pub(super) status: Option<u16>,
    /// Why.
    pub(super) silence: Silence,
}

impl Failure {
    pub(super) fn is_not_found(&self) -> bool {
        self.status == Some(404)
    }

    pub(super) fn is_conflict(&self) -> bool {
        self.status == Some(409)
    }

    /// A continue token or resource version is too old.
    pub(super) fn is_gone(&self) -> bool {
        self.status == Some(410)
    }

    pub(super) fn is_forbidden(&self) -> bool {
        self.status == Some(403)
    }
}

impl From<Failure> for WriteError {
    fn from(failure: Failure) -> Self {
        if failure.is_conflict() { Self::Conflict } else { Self::Failed(failure.silence) }
    }
}

/// An answer with a status that says no. `what` completes "failed to".
pub(super) fn refused(what: &str, status: u16, body: &[u8]) -> Failure {
    let text = match serde_json::from_slice::<Status>(body) {
        Ok(answer) if answer.kind == "Status" => answer.message,
        _ => first_line(body),
    };
    let reason = match status {
        401 => SilenceReason::Unauthorized,
        403 => SilenceReason::Forbidden,
        404 | 410 => SilenceReason::NotFound,
        429 => SilenceReason::Throttled,
        408 | 504 => SilenceReason::Timeout,
        400..=499 => SilenceReason::Invalid,
        500..=599 => SilenceReason::ServerError,
        _ => SilenceReason::Garbled,
    };
    let cause = match status {
        401 => "the API server does not accept the credentials (401 Unauthorized)".to_owned(),
        403 | 422 if !text.is_empty() => text.clone(),
        _ if text.is_empty() => format!("the API server answered {status}"),
        _ => format!("the API server answered {status}: {text}"),
    };
    let cause = if is_of_controllers_webhook(&text) { format!("{cause}; {MEND}") } else { cause };
    Failure { status: Some(status), silence: silence(reason, what, &cause) }
}

/// What to do about a webhook that has nobody behind it (`facts/lbc.md` 1.2: both objects have this name).
const MEND: &str = "nobody answers for the controller's webhook: bring the controller up, or if it is gone \
    for good delete the MutatingWebhookConfiguration and the ValidatingWebhookConfiguration \
    `aws-load-balancer-webhook`";

/// Says whether a refusal is not the controller's: its webhook could not be asked.
fn is_of_controllers_webhook(text: &str) -> bool {
    text.contains("failed calling webhook") && text.contains("elbv2.k8s.aws")
}

/// An answer that is not what was asked for.
pub(super) fn garbled(what: &str, cause: &dyn Error) -> Failure {
    let cause = format!("the answer is no Kubernetes object: {}", error::chain(cause));
    Failure { status: None, silence: silence(SilenceReason::Garbled, what, &cause) }
}

/// No answer in time.
pub(super) fn timed_out(what: &str, limit: Duration) -> Failure {
    let cause = format!("no answer within {}", seconds(limit));
    Failure { status: None, silence: silence(SilenceReason::Timeout, what, &cause) }
}

/// A request that the run was stopped before, or meanwhile.
pub(super) fn stopped(what: &str, unheard: Unheard, changes: bool) -> Failure {
    Failure { status: None, silence: silence(unheard.reason(), what, unheard.said(changes)) }
}

/// A request that was not answered at all.
pub(super) fn unanswered(what: &str, error: &::kube::Error) -> Failure {
    let (reason, cause) = explain(error);
    Failure { status: None, silence: silence(reason, what, &cause) }
}

/// Says why a client of the `kube` crate brought no answer: the kind of failure, and its cause.
///
/// A [`Silence`] anywhere among the causes is taken as it is: a client whose middleware finds
/// credentials can say in our words why it found none.
pub fn explain(error: &::kube::Error) -> (SilenceReason, String) {
    let root: &(dyn Error + 'static) = error;
    let mut causes = Vec::new();
    let mut next = Some(root);
    while let Some(cause) = next {
        causes.push(cause);
        next = cause.source();
    }
    if let Some(silence) = causes.iter().find_map(|cause| cause.downcast_ref::<Silence>()) {
        return (silence.reason, silence.message.clone());
    }
    if let Some(auth) = causes.iter().find_map(|cause| cause.downcast_ref::<AuthError>()) {
        return (SilenceReason::CredentialPlugin, explain_auth(auth));
    }
    // The outermost layer only says which part of the client noticed.
    let text = error.source().map_or_else(|| error::chain(root), error::chain);
    let text = ["client error (Connect): ", "client error (SendRequest): "]
        .iter()
        .find_map(|layer| text.strip_prefix(layer))
        .map_or_else(|| unquote(&text), unquote);
    let timed_out = causes
        .iter()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::TimedOut);
    // rustls' own type is hidden inside an io::Error; its text is stable and says what it is.
    let reason = if text.contains("invalid peer certificate") {
        SilenceReason::CertificateInvalid
    } else if timed_out {
        SilenceReason::Timeout
    } else if text.contains("corrupt message") || text.contains("invalid HTTP version") {
        SilenceReason::Garbled
    } else if matches!(error, ::kube::Error::Service(_) | ::kube::Error::HyperError(_)) {
        SilenceReason::Unreachable
    } else {
        SilenceReason::InvalidConfig
    };
    (reason, text)
}

/// Puts paths in backticks, which the `kube` crate quotes twice.
fn unquote(text: &str) -> String {
    text.replace("'\"", "`").replace("\"'", "`")
}

/// The `kube` crate prints what a plugin wrote as a byte array, secrets and all: only its last line
/// of stderr is fit to show.
fn explain_auth(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { cmd, out } => {
            let said = error::last_line(&out.stderr);
            let said = if said.is_empty() { String::new() } else { format!(": {said}") };
            format!("the credential plugin `{}` failed ({}){said}", error::escape(cmd), out.status)
        }
        other => error::chain(other),
    }
}

fn silence(reason: SilenceReason, what: &str, cause: &str) -> Silence {
    Silence::new(reason, format!("failed to {what}: {}", error::escape(cause.trim())))
}

/// Writes a duration as people give it: `10s`, `1.5s`.
pub(super) fn seconds(limit: Duration) -> String {
    format!("{}s", limit.as_secs_f64())
}

fn first_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    error::shorten(text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(status: u16, body: &str) -> (SilenceReason, String) {
        let failure = refused("list nodes", status, body.as_bytes());
        (failure.silence.reason, failure.silence.message)
    }

    #[test]
    fn a_refusal_says_what_the_server_said_and_nothing_else() {
        let body = r#"{"kind":"Status","message":"nodes is forbidden: User \"ci\" cannot list resource \"nodes\" in API group \"\" at the cluster scope","reason":"Forbidden","code":403}"#;
        assert_eq!(
            message(403, body),
            (
                SilenceReason::Forbidden,
                "failed to list nodes: nodes is forbidden: User \"ci\" cannot list resource \"nodes\" in API group \"\" at the cluster scope".to_owned()
            )
        );
    }

    #[test]
    fn a_webhook_with_nobody_behind_it_is_mended_by_what_the_error_says() {
        let text = |webhook: &str| {
            let said = format!(
                r#"Internal error occurred: failed calling webhook "{webhook}": failed to call webhook: Post "https://x.kube-system.svc:443/": no endpoints available for service "x""#
            );
            let body = serde_json::json!({ "kind": "Status", "message": said, "code": 500 });
            message(500, &body.to_string()).1
        };
        let told = text("vtargetgroupbinding.elbv2.k8s.aws");
        assert!(told.contains("no endpoints available"), "{told}");
        assert!(
            told.ends_with("ValidatingWebhookConfiguration `aws-load-balancer-webhook`"),
            "{told}"
        );
        let told = text("validate.kyverno.svc");
        assert!(told.ends_with("no endpoints available for service \"x\""), "{told}");
    }

    #[test]
    fn a_foreign_page_is_cut_to_its_first_line_and_escaped() {
        let page = format!("\n<html>\u{1b}[2J{}\nmore", "x".repeat(500));
        let (reason, text) = message(502, &page);
        assert_eq!(reason, SilenceReason::ServerError);
        assert!(
            text.starts_with(
                "failed to list nodes: the API server answered 502: <html>\\u{1b}[2Jx"
            )
        );
        assert!(text.ends_with("x…") && !text.contains("more"), "{text}");
    }

    #[test]
    fn an_empty_answer_still_says_its_status() {
        assert_eq!(
            message(500, ""),
            (
                SilenceReason::ServerError,
                "failed to list nodes: the API server answered 500".to_owned()
            )
        );
    }

    #[test]
    fn each_status_has_its_reason() {
        for (status, reason) in [
            (401, SilenceReason::Unauthorized),
            (404, SilenceReason::NotFound),
            (422, SilenceReason::Invalid),
            (429, SilenceReason::Throttled),
            (503, SilenceReason::ServerError),
            (504, SilenceReason::Timeout),
            (302, SilenceReason::Garbled),
        ] {
            assert_eq!(message(status, "").0, reason, "{status}");
        }
    }

    #[test]
    fn a_silence_inside_a_client_error_is_taken_as_it_is() {
        let inner = Silence::new(SilenceReason::CredentialPlugin, "the plugin `aws` did not end");
        let failure = unanswered("list nodes", &::kube::Error::Service(Box::new(inner)));
        assert_eq!(failure.silence.reason, SilenceReason::CredentialPlugin);
        assert_eq!(failure.silence.message, "failed to list nodes: the plugin `aws` did not end");
    }

    #[test]
    fn a_failed_plugin_shows_its_last_line_and_never_its_output() {
        use std::os::unix::process::ExitStatusExt;
        let out = std::process::Output {
            status: std::process::ExitStatus::from_raw(255 << 8),
            stdout: b"secret-token".to_vec(),
            stderr: b"usage: ...\nUnable to locate credentials\n\n".to_vec(),
        };
        let error = ::kube::Error::Auth(AuthError::AuthExecRun {
            cmd: "aws".to_owned(),
            out: Box::new(out),
        });
        assert_eq!(
            explain(&error),
            (
                SilenceReason::CredentialPlugin,
                "the credential plugin `aws` failed (exit status: 255): Unable to locate credentials"
                    .to_owned()
            )
        );
    }
}
