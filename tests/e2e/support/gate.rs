//! A door in front of an API server that can hold one write: where runs are killed.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use kube::Client;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use super::kubeconfig::Access;

/// Passes on what comes in as the administrator's, over plain HTTP on loopback; ended when dropped.
pub(crate) struct Gate {
    access: Access,
    state: Arc<Mutex<State>>,
    task: JoinHandle<Infallible>,
}

/// On which side of the server a write is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// It does not get there.
    Before,
    /// It takes effect, and its answer does not come back.
    After,
}

#[derive(Default)]
struct State {
    writes: usize,
    hold: Option<(usize, Held)>,
    held: bool,
}

impl Gate {
    pub(crate) async fn before(cluster: &Cluster) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(Mutex::new(State::default()));
        let task = tokio::spawn(accept(listener, cluster.client(), Arc::clone(&state)));
        Self { access: cluster.admin().at(&format!("http://{address}")), state, task }
    }

    pub(crate) fn access(&self) -> Access {
        self.access.clone()
    }

    /// Holds the `n`th write from now (1 is the next) for ever.
    pub(crate) fn hold(&self, n: usize, side: Held) {
        *lock(&self.state) = State { hold: Some((n, side)), ..State::default() };
    }

    /// Holds nothing any more.
    pub(crate) fn open(&self) {
        *lock(&self.state) = State::default();
    }

    /// Says whether the write was held, after its effect if it has one.
    pub(crate) fn has_held(&self) -> bool {
        lock(&self.state).held
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("nothing panics while it holds the lock")
}

async fn accept(listener: TcpListener, client: Client, state: Arc<Mutex<State>>) -> Infallible {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (client, state) = (client.clone(), Arc::clone(&state));
        // Ends with its connection, which ends with the program that was killed.
        tokio::spawn(async move {
            let service = service_fn(|request| pass(request, client.clone(), &state));
            let connection = hyper::server::conn::http1::Builder::new();
            let _ = connection.serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn pass(
    request: Request<Incoming>,
    client: Client,
    state: &Mutex<State>,
) -> Result<Response<Full<Bytes>>, kube::Error> {
    let is_write = ![Method::GET, Method::HEAD].contains(request.method())
        && !request.uri().path().contains("accessreviews");
    let held = is_write.then(|| lock(state).count()).flatten();
    if held == Some(Held::Before) {
        lock(state).held = true;
        return std::future::pending().await;
    }
    let (mut head, body) = request.into_parts();
    // The client sets its own.
    head.headers.remove(http::header::HOST);
    head.headers.remove(http::header::AUTHORIZATION);
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let answer = client.send(Request::from_parts(head, body.to_vec().into())).await?;
    let (mut head, body) = answer.into_parts();
    let body = body.collect().await?.to_bytes();
    if held == Some(Held::After) {
        lock(state).held = true;
        return std::future::pending().await;
    }
    // The client has unpacked it.
    for header in [http::header::CONTENT_LENGTH, http::header::TRANSFER_ENCODING] {
        head.headers.remove(header);
    }
    Ok(Response::from_parts(head, Full::new(body)))
}

impl State {
    /// Counts a write, and says whether it is the one to hold.
    fn count(&mut self) -> Option<Held> {
        self.writes += 1;
        self.hold.filter(|(n, _)| *n == self.writes).map(|(_, side)| side)
    }
}
