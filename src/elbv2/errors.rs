//! From the SDK's errors to a reason and one line (`facts/elbv2.md` 1.2).

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_elasticloadbalancingv2::config::http::HttpResponse;
use aws_sdk_elasticloadbalancingv2::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};

use super::CallError;
use crate::error::{chain, escape};
use crate::facts::{Silence, SilenceReason};
use crate::stop::Unheard;

/// What came of a call that failed: its wire code, and what to tell.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    code: Option<String>,
    said: String,
    silence: Silence,
}

impl Fault {
    /// An answer that was understood and cannot be right.
    pub(super) fn garbled(doing: &str, what: &str) -> Self {
        Self::told(doing, SilenceReason::Garbled, format!("the answer has {what}"))
    }

    /// A call that the run was stopped before, or meanwhile.
    pub(super) fn stopped(doing: &str, unheard: Unheard, changes: bool) -> Self {
        Self::told(doing, unheard.reason(), unheard.said(changes).to_owned())
    }

    fn told(doing: &str, reason: SilenceReason, said: String) -> Self {
        let message = escape(&format!("failed to {doing}: {said}"));
        Self { code: None, said, silence: Silence::new(reason, message) }
    }

    pub(super) fn reason(&self) -> SilenceReason {
        self.silence.reason
    }

    /// Says whether one member of a batch may have spoiled it: the whole batch is refused when one
    /// is gone, or is of another region or no ARN at all.
    pub(crate) fn may_be_of_one(&self) -> bool {
        self.code.as_deref().is_some_and(|code| is_not_found(code) || code == "ValidationError")
    }

    /// Says whether the operation does not exist for this kind of load balancer.
    pub(super) fn is_unsupported(&self) -> bool {
        matches!(self.code.as_deref(), Some("UnsupportedProtocol" | "UnsupportedOperation"))
    }
}

impl From<Fault> for Silence {
    fn from(fault: Fault) -> Self {
        fault.silence
    }
}

impl From<Fault> for CallError {
    fn from(fault: Fault) -> Self {
        let message = || fault.silence.message.clone();
        let said = fault.said.to_lowercase();
        match fault.code.as_deref() {
            Some("TooManyTargets" | "TooManyRegistrationsForTargetId") => {
                Self::TooManyTargets(message())
            }
            Some("InvalidTarget") => Self::InvalidTarget(message()),
            Some("ValidationError") if said.contains("is not a valid target group arn") => {
                Self::Failed(fault.silence)
            }
            // `ZoneRefused` first: its wordings name the zone that is not wanted.
            Some("ValidationError")
                if said.contains("you must specify an availability zone")
                    || said.contains("cannot have its availability zone overridden to 'all'") =>
            {
                Self::ZoneRefused(message())
            }
            Some("ValidationError")
                if said.contains("outside the vpc")
                    || said.contains("not in the vpc")
                    || said.contains("must be 'all'") =>
            {
                Self::ZoneNeeded(message())
            }
            Some("ValidationError") => Self::InvalidTarget(message()),
            _ => Self::Failed(fault.silence),
        }
    }
}

/// Translates what the SDK says about a call that was `doing` something.
pub(super) fn fault<E>(doing: &str, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: Error + ProvideErrorMetadata + 'static,
{
    match error {
        SdkError::ServiceError(service) => answered(doing, service.err().meta(), service.raw()),
        SdkError::ResponseError(response) => {
            Fault::told(doing, SilenceReason::Garbled, not_understood(response.raw()))
        }
        SdkError::TimeoutError(_) => Fault::told(doing, SilenceReason::Timeout, late(error)),
        SdkError::DispatchFailure(failure) => {
            let (reason, said) = unsent(error, failure.is_timeout());
            Fault::told(doing, reason, said)
        }
        // The request could not even be made; the SDK's stages say nothing to a user.
        _ => Fault::told(doing, SilenceReason::InvalidConfig, root(error).to_string()),
    }
}

/// Tells why there are no credentials; `whose` they are, as a fragment: "the profile `prod`".
pub(super) fn no_credentials(whose: &str, error: &CredentialsError) -> Silence {
    // A role's credentials that failed for lack of the user's own.
    if let Some(silence) = find::<Silence>(error) {
        return silence.clone();
    }
    if let Some(meta) = find::<ErrorMetadata>(error).filter(|meta| meta.code().is_some()) {
        let code = meta.code().unwrap_or_default();
        let reason = by_code(code).unwrap_or(SilenceReason::Unauthorized);
        let said = format!("{whose}: {}", sentence(code, meta.message()));
        return Silence::new(reason, escape(&said));
    }
    // A profile's provider wraps the failure of the one it is made of.
    let mut error = error;
    while let Some(inner) = error.source().and_then(|source| source.downcast_ref()) {
        error = inner;
    }
    let said = match error {
        CredentialsError::CredentialsNotLoaded(_) => match error.source() {
            Some(source) => format!("{whose}: no credentials: {}", line(source)),
            None => format!("{whose}: no credentials"),
        },
        CredentialsError::ProviderTimedOut(timeout) => {
            let seconds = timeout.timeout_duration().as_secs_f64();
            format!("{whose}: no credentials within {seconds} s")
        }
        _ => match error.source() {
            Some(source) => format!("{whose}: {}", line(source)),
            None => format!("{whose}: {error}"),
        },
    };
    Silence::new(SilenceReason::Unauthorized, escape(&said))
}

/// What a credential process printed ends with an end of line, which is escaped by now.
fn line(error: &dyn Error) -> String {
    chain(error).trim_end_matches("\\n").trim_end().to_owned()
}

fn answered(doing: &str, meta: &ErrorMetadata, raw: &HttpResponse) -> Fault {
    let status = raw.status().as_u16();
    if let Some(code) = meta.code() {
        return refused(doing, code, meta.message(), status);
    }
    let reason = by_status(status).unwrap_or(SilenceReason::Garbled);
    Fault::told(doing, reason, not_understood(raw))
}

/// Sorts a refusal by its wire code and status: the simulator's refusals too.
pub(crate) fn refused(doing: &str, code: &str, message: Option<&str>, status: u16) -> Fault {
    let reason = by_code(code).or_else(|| by_status(status)).unwrap_or(SilenceReason::Invalid);
    let said = sentence(code, message);
    Fault { code: Some(code.to_owned()), ..Fault::told(doing, reason, said) }
}

/// The code, AWS's sentence, and what to do about it where we know. It has no full stop: what is
/// told goes on after it.
fn sentence(code: &str, message: Option<&str>) -> String {
    let remedy = remedy(code);
    match message.map(|message| message.trim().trim_end_matches('.')) {
        Some(message) if !message.is_empty() => format!("{code}: {message}{remedy}"),
        _ => format!("{code}{remedy}"),
    }
}

/// How much is shown of an answer that is none: enough to know a proxy or a portal by.
const SHOWN_MAX: usize = 60;

/// The parser's own words would be a debug dump; the beginning of the answer tells more.
fn not_understood(raw: &HttpResponse) -> String {
    let status = raw.status().as_u16();
    let body = String::from_utf8_lossy(raw.body().bytes().unwrap_or_default());
    let mut shown: String = body.trim().chars().take(SHOWN_MAX).collect();
    if shown.is_empty() {
        return format!("an empty answer (HTTP {status})");
    }
    if shown.len() < body.trim().len() {
        shown.push('…');
    }
    format!("the answer (HTTP {status}) is not one of ELBv2: `{shown}`")
}

/// The SDK says which of its timers it was, and at the end how long that ran.
fn late(error: &(dyn Error + 'static)) -> String {
    let cause = cause(error);
    match cause.rsplit_once("occurred after ") {
        Some((_, time)) => format!("ELBv2 did not answer within {time}"),
        None => format!("ELBv2 did not answer in time: {cause}"),
    }
}

fn by_code(code: &str) -> Option<SilenceReason> {
    Some(match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "TooManyRequestsException"
        | "BandwidthLimitExceeded"
        | "SlowDown" => SilenceReason::Throttled,
        "AccessDenied"
        | "AccessDeniedException"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "OptInRequired" => SilenceReason::Forbidden,
        "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "InvalidAccessKeyId"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "AuthFailure" => SilenceReason::Unauthorized,
        code if is_not_found(code) => SilenceReason::NotFound,
        "ValidationError" | "InvalidTarget" => SilenceReason::Invalid,
        "HealthUnavailable" | "InternalFailure" | "InternalError" | "ServiceUnavailable" => {
            SilenceReason::ServerError
        }
        _ => return None,
    })
}

fn is_not_found(code: &str) -> bool {
    matches!(
        code,
        "TargetGroupNotFound" | "LoadBalancerNotFound" | "ListenerNotFound" | "RuleNotFound"
    )
}

fn by_status(status: u16) -> Option<SilenceReason> {
    match status {
        401 => Some(SilenceReason::Unauthorized),
        403 => Some(SilenceReason::Forbidden),
        429 => Some(SilenceReason::Throttled),
        500.. => Some(SilenceReason::ServerError),
        _ => None,
    }
}

/// What to do about credentials that AWS does not take.
fn remedy(code: &str) -> &'static str {
    match code {
        "ExpiredToken" | "ExpiredTokenException" => "; renew the credentials (log in again)",
        "RequestExpired" => "; set this machine's clock",
        "InvalidClientTokenId" | "UnrecognizedClientException" | "InvalidAccessKeyId" => {
            "; the access key does not exist (any more), or is of another AWS partition"
        }
        "SignatureDoesNotMatch" | "InvalidSignatureException" => {
            "; the secret key is wrong, or this machine's clock"
        }
        _ => "",
    }
}

/// Tells why a request did not get out, or no answer came in.
fn unsent(error: &(dyn Error + 'static), timed_out: bool) -> (SilenceReason, String) {
    if let Some(silence) = find::<Silence>(error) {
        return (silence.reason, silence.message.clone());
    }
    if let Some(error) = find::<CredentialsError>(error) {
        let silence = no_credentials("AWS", error);
        return (silence.reason, silence.message);
    }
    // Past the SDK's stage ("dispatch failure") and kind ("io error"), and hyper's.
    let cause = error.source().map(cause).unwrap_or_default();
    let cause = cause.strip_prefix("client error (Connect): ").unwrap_or(&cause);
    let cause = cause.strip_prefix("client error (SendRequest): ").unwrap_or(cause);
    let lower = cause.to_lowercase();
    if lower.starts_with("failed to apply endpoint") || lower.starts_with("unsupported scheme") {
        // In between is a dump of the whole request.
        let why = cause.rsplit_once("`: ").map_or(cause, |(_, why)| why);
        return (SilenceReason::InvalidConfig, format!("the endpoint URL is of no use: {why}"));
    }
    if lower.contains("auth scheme") {
        return (SilenceReason::Unauthorized, "no AWS credentials are configured".to_owned());
    }
    let reason = if lower.contains("certificate") {
        SilenceReason::CertificateInvalid
    } else if timed_out && !lower.contains("connect") {
        SilenceReason::Timeout
    } else {
        SilenceReason::Unreachable
    };
    (reason, format!("no answer from ELBv2: {cause}"))
}

/// The error's causes without its own text, which only names the SDK's stage.
fn cause(error: &(dyn Error + 'static)) -> String {
    error.source().map_or_else(|| error.to_string(), chain)
}

fn root<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
