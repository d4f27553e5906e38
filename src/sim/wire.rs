//! The model on the AWS Query wire format, over plain HTTP on a loopback address.
//!
//! It only translates (`facts/elbv2.md` 0, "Protocol"): forms to operations, answers to XML, scripted
//! [`Trouble`] to what it looks like on a connection.

mod answer;
mod form;
mod xml;

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use self::form::Form;
use super::elbv2::{ApiError, Operation};
use super::faults::Fault;
use super::load_balancers::{LoadBalancers, NoAnswer, Trouble};

/// The version of the API.
const VERSION: &str = "2015-12-01";

/// Serves a model. Its time is moved by nobody but the test.
///
/// # Errors
///
/// Where the address cannot be listened on; port 0 takes a free one.
pub async fn serve(load_balancers: LoadBalancers, address: SocketAddr) -> io::Result<Server> {
    listen(load_balancers, address, None).await
}

/// Serves a model whose time follows a clock: before each request it is moved on to what `now`
/// says.
///
/// # Errors
///
/// As [`serve`].
pub async fn serve_by(
    load_balancers: LoadBalancers,
    address: SocketAddr,
    now: impl Fn() -> Timestamp + Send + Sync + 'static,
) -> io::Result<Server> {
    listen(load_balancers, address, Some(Arc::new(now))).await
}

type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A served model. Dropping it closes the address and every connection.
pub struct Server {
    address: SocketAddr,
    face: Face,
    task: JoinHandle<Infallible>,
}

/// A request that came in, in the order of coming in, whatever was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WireRequest {
    /// Its action, as written.
    pub action: String,
    /// How many targets it names.
    pub targets: usize,
    /// The region it was signed for.
    pub region: Option<String>,
    /// The access key it was signed with.
    pub access_key: Option<String>,
    /// Who sent it.
    pub user_agent: Option<String>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    /// The endpoint URL.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The model behind it.
    pub fn load_balancers(&self) -> &LoadBalancers {
        &self.face.load_balancers
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<WireRequest> {
        self.face.log().clone()
    }

    /// How many requests of an operation came in.
    pub fn count(&self, operation: Operation) -> usize {
        self.face.log().iter().filter(|request| request.action == operation.as_str()).count()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.face.log().clear();
    }

    /// Makes the next request of an operation fail.
    pub fn fail_next(&self, operation: Operation, fault: Fault<Trouble>) {
        self.face.load_balancers.fail_next(operation, fault);
    }

    /// Makes the `n`th request from now fail (1 is the next): of an operation, or of all.
    pub fn fail_nth(&self, operation: Option<Operation>, n: usize, fault: Fault<Trouble>) {
        self.face.load_balancers.fail_nth(operation, n, fault);
    }
}

async fn listen(
    load_balancers: LoadBalancers,
    address: SocketAddr,
    clock: Option<Clock>,
) -> io::Result<Server> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let face = Face { load_balancers, clock, log: Arc::default() };
    let task = tokio::spawn(accept(listener, face.clone()));
    Ok(Server { address, face, task })
}

/// Serves connections until it is aborted, which closes them all.
async fn accept(listener: TcpListener, face: Face) -> Infallible {
    let mut connections = JoinSet::new();
    loop {
        // A connection that was gone before it was accepted is no reason to stop.
        if let Ok((stream, _)) = listener.accept().await {
            connections.spawn(serve_connection(stream, face.clone()));
        }
        while connections.try_join_next().is_some() {}
    }
}

async fn serve_connection(stream: TcpStream, face: Face) {
    let service = service_fn(|request| face.respond(request));
    let connection = hyper::server::conn::http1::Builder::new();
    // Scripted faults end connections; so do clients.
    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
}

/// The wire face of the model.
#[derive(Clone)]
struct Face {
    load_balancers: LoadBalancers,
    clock: Option<Clock>,
    log: Arc<Mutex<Vec<WireRequest>>>,
}

/// The connection is closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer")]
struct Closed;

impl Face {
    async fn respond(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
        if let Some(clock) = &self.clock {
            let now = clock();
            self.load_balancers.with(|model| model.advance_to(now));
        }
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
        let form = Form::parse(&body);
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let authorization = header(AUTHORIZATION);
        let id = self.note(&form, authorization, header(USER_AGENT));
        if head.method != Method::POST {
            let error = ApiError::new(405, "MethodNotAllowed", "Only POST is understood");
            return Ok(refusal(&error, &id));
        }
        if authorization.is_none() {
            let message = "Request is missing Authentication Token";
            return Ok(refusal(&ApiError::new(403, "MissingAuthenticationToken", message), &id));
        }
        let action = form.get("Action").unwrap_or_default();
        let operation: Operation = match action.parse() {
            Ok(operation) if form.get("Version") == Some(VERSION) => operation,
            _ => {
                let message = format!(
                    "Could not find operation {action} for version {}",
                    form.get("Version").unwrap_or_default()
                );
                return Ok(refusal(&ApiError::new(400, "InvalidAction", message), &id));
            }
        };
        let answer = |model: &mut super::elbv2::Model| answer::answer(operation, model, &form);
        let outcome = self.load_balancers.call(operation, form.named_targets(), answer).await;
        if !outcome.late.is_zero() {
            tokio::time::sleep(outcome.late).await;
        }
        match outcome.answer {
            Ok(result) => Ok(reply(200, &id, xml::response(operation, &result, &id))),
            Err(NoAnswer::Refused(error)) => Ok(refusal(&error, &id)),
            Err(NoAnswer::Garbage) => Ok(reply(200, &id, "\u{1}\u{2}<not<xml".to_owned())),
            Err(NoAnswer::Closed) => Err(Closed),
            Err(NoAnswer::Silent) => std::future::pending().await,
        }
    }

    /// Logs a request, and gives it its id.
    fn note(&self, form: &Form, authorization: Option<&str>, user_agent: Option<&str>) -> String {
        // `AWS4-HMAC-SHA256 Credential=<key>/<date>/<region>/<service>/aws4_request, ...`
        let scope = authorization.and_then(|text| text.split("Credential=").nth(1));
        let mut scope = scope.into_iter().flat_map(|scope| scope.split('/'));
        let mut log = self.log();
        log.push(WireRequest {
            action: form.get("Action").unwrap_or_default().to_owned(),
            targets: form.named_targets().len(),
            access_key: scope.next().map(str::to_owned),
            region: scope.nth(1).map(str::to_owned),
            user_agent: user_agent.map(str::to_owned),
        });
        format!("00000000-0000-4000-8000-{:012}", log.len())
    }

    fn log(&self) -> MutexGuard<'_, Vec<WireRequest>> {
        // A test that panicked while it held the lock has already failed.
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refusal(error: &ApiError, id: &str) -> Response<Full<Bytes>> {
    reply(error.status, id, xml::error_response(error, id))
}

fn reply(status: u16, id: &str, body: String) -> Response<Full<Bytes>> {
    let response = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, "text/xml")
        .header("x-amzn-requestid", id)
        .body(Full::new(Bytes::from(body)));
    // Only a scripted status that is none can be refused.
    response.unwrap_or_else(|_| Response::new(Full::new(Bytes::from_static(b"bad status"))))
}

#[cfg(test)]
mod tests;
