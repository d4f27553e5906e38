//! Requests to one API server: bounded in time, paged, repeated where that is safe.

use std::time::Duration;

use ::kube::Client;
use ::kube::api::ListParams;
use ::kube::client::Body;
use ::kube::core::Request;
use ::kube::core::request::Error as BuildError;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::errors::{self, Failure};
use super::objects::List;
use crate::stop::Stop;

/// Objects of one page: the API server's own default for its clients.
const PAGE: u32 = 500;

/// How often a read is sent again when the server is busy, and how long to wait at first.
const RETRIES_MAX: u32 = 2;
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// The longest `Retry-After` that is obeyed within a run.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3);

pub(super) struct Door {
    /// The context that it leads to, for the log.
    pub(super) context: String,
    pub(super) client: Client,
    /// The limit of each request with its answer; none leaves it to the client.
    pub(super) timeout: Option<Duration>,
    /// Asks to send nothing any more.
    pub(super) stop: Stop,
}

/// An answer, and when the server says it gave it.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    pub(super) date: Option<Timestamp>,
}

/// A request as the `kube` crate builds it.
pub(super) type Built = Result<http::Request<Vec<u8>>, BuildError>;

impl Door {
    /// Reads one object. `what` completes "failed to".
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
    ) -> Result<T, Failure> {
        Ok(self.get_dated(what, path).await?.0)
    }

    /// Reads one object, and the server's clock.
    pub(super) async fn get_dated<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
    ) -> Result<(T, Option<Timestamp>), Failure> {
        let build = || http::Request::get(path).body(Vec::new()).map_err(BuildError::BuildRequest);
        let answer = self.read(what, build).await?;
        Ok((parse(what, &answer.body)?, answer.date))
    }

    /// Reads a whole list, page by page; a list that changed too much in between is begun anew, once.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        params: &ListParams,
        metadata_only: bool,
    ) -> Result<(Vec<T>, Option<Timestamp>), Failure> {
        let mut restarted = false;
        let mut items = Vec::new();
        let mut page = params.clone().limit(PAGE);
        loop {
            let build = || {
                let request = Request::new(path);
                if metadata_only { request.list_metadata(&page) } else { request.list(&page) }
            };
            let answer = match self.read(what, build).await {
                Err(failure) if failure.is_gone() && !restarted => {
                    restarted = true;
                    items.clear();
                    page.continue_token = None;
                    continue;
                }
                answer => answer?,
            };
            let list: List<T> = parse(what, &answer.body)?;
            items.extend(list.items);
            match list.metadata.next.filter(|token| !token.is_empty()) {
                Some(token) => page.continue_token = Some(token),
                None => return Ok((items, answer.date)),
            }
        }
    }

    /// Asks something with a body, which changes nothing: sent as a read is.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        body: &[u8],
        headers: &[(&'static str, String)],
    ) -> Result<T, Failure> {
        let build = || {
            let json = http::Request::post(path).header("content-type", "application/json");
            let add = |request: http::request::Builder, (name, value): &(&'static str, String)| {
                request.header(*name, value)
            };
            let request = headers.iter().fold(json, add);
            request.body(body.to_vec()).map_err(BuildError::BuildRequest)
        };
        parse(what, &self.read(what, build).await?.body)
    }

    /// Sends a write, once.
    pub(super) async fn write(&self, what: &str, request: Built) -> Result<Answer, Failure> {
        self.send(what, request, true).await.map_err(|refusal| refusal.failure)
    }

    /// Sends a read; again where the server is busy.
    async fn read(&self, what: &str, build: impl Fn() -> Built) -> Result<Answer, Failure> {
        let mut delay = RETRY_DELAY;
        for _ in 0..RETRIES_MAX {
            match self.send(what, build(), false).await {
                Err(Refusal { failure, retry_after })
                    if matches!(failure.status, Some(429 | 503 | 504))
                        && retry_after.is_none_or(|after| after <= RETRY_AFTER_MAX) =>
                {
                    let pause = tokio::time::sleep(retry_after.unwrap_or(delay));
                    if self.stop.before(pause).await.is_none() {
                        return Err(failure);
                    }
                    delay *= 2;
                }
                answer => return answer.map_err(|refusal| refusal.failure),
            }
        }
        self.send(what, build(), false).await.map_err(|refusal| refusal.failure)
    }

    async fn send(&self, what: &str, request: Built, changes: bool) -> Result<Answer, Refusal> {
        let request = request.map_err(|error| errors::garbled(what, &error))?.map(Body::from);
        let start = Instant::now();
        let exchange = async {
            match self.timeout {
                None => self.exchange(what, request).await,
                Some(limit) => tokio::time::timeout(limit, self.exchange(what, request))
                    .await
                    .unwrap_or_else(|_| Err(errors::timed_out(what, limit).into())),
            }
        };
        let stopped = |unheard| Err(errors::stopped(what, unheard, changes).into());
        let answer = self.stop.call(exchange).await.unwrap_or_else(stopped);
        let (context, millis) = (&self.context, start.elapsed().as_millis());
        match &answer {
            Ok(_) => tracing::debug!(millis, "{context}: {what}"),
            Err(refusal) => tracing::debug!(millis, "{context}: {}", refusal.failure.silence),
        }
        answer
    }

    async fn exchange(&self, what: &str, request: http::Request<Body>) -> Result<Answer, Refusal> {
        let unanswered = |error| Refusal::from(errors::unanswered(what, &error));
        let response = self.client.send(request).await.map_err(unanswered)?;
        let (head, body) = response.into_parts();
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let retry_after = header(http::header::RETRY_AFTER)
            .and_then(|value| value.parse().ok())
            .map(Duration::from_secs);
        let date = header(http::header::DATE)
            .and_then(|value| jiff::fmt::rfc2822::parse(value).ok())
            .map(|date| date.timestamp());
        let body = body.collect_bytes().await.map_err(unanswered)?.to_vec();
        if head.status.is_success() {
            Ok(Answer { body, date })
        } else {
            let failure = errors::refused(what, head.status.as_u16(), &body);
            Err(Refusal { failure, retry_after })
        }
    }
}

struct Refusal {
    failure: Failure,
    retry_after: Option<Duration>,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure, retry_after: None }
    }
}

pub(super) fn parse<T: DeserializeOwned>(what: &str, body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| errors::garbled(what, &error))
}

#[cfg(test)]
pub(super) mod fake {
    //! A server of canned answers, by request.

    use std::sync::{Arc, Mutex};

    use super::*;

    /// The requests that were sent: method and path with query.
    pub(crate) type Log = Arc<Mutex<Vec<String>>>;

    /// Makes a client whose requests are answered by a function of method, path and how many came
    /// before.
    pub(crate) fn client(
        answer: impl Fn(&str, usize) -> (u16, String) + Send + Sync + 'static,
    ) -> (Client, Log) {
        let log = Log::default();
        let seen = Arc::clone(&log);
        let answer = Arc::new(answer);
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let line = format!("{} {}", request.method(), request.uri());
            let mut seen = seen.lock().expect("no panic while locked");
            let (status, body) = answer(&line, seen.len());
            seen.push(line);
            let response = http::Response::builder()
                .status(status)
                .header("retry-after", "0")
                .body(Body::from(body.into_bytes()));
            async move { response }
        });
        (Client::new(service, "default"), log)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::SilenceReason;

    fn door(
        answer: impl Fn(&str, usize) -> (u16, String) + Send + Sync + 'static,
    ) -> (Door, fake::Log) {
        let (client, log) = fake::client(answer);
        (
            Door {
                context: "it".to_owned(),
                client,
                timeout: Some(Duration::from_secs(60)),
                stop: Stop::default(),
            },
            log,
        )
    }

    fn page(items: &str, next: &str) -> (u16, String) {
        (200, format!(r#"{{"metadata":{{"continue":"{next}"}},"items":[{items}]}}"#))
    }

    async fn list(door: &Door) -> Result<Vec<u32>, Failure> {
        Ok(door.list("list it", "/api/v1/it", &ListParams::default(), false).await?.0)
    }

    #[tokio::test]
    async fn a_list_is_read_page_by_page() {
        let (door, log) = door(|line, _| match line {
            "GET /api/v1/it?&limit=500" => page("1,2", "a b"),
            "GET /api/v1/it?&limit=500&continue=a+b" => page("3", ""),
            _ => (400, String::new()),
        });
        assert_eq!(list(&door).await.unwrap(), [1, 2, 3]);
        assert_eq!(log.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_list_whose_token_expired_is_begun_anew_once() {
        let (first, _) = door(|_, before| match before {
            0 => page("1", "t"),
            1 => (410, String::new()),
            2 => page("2", "t"),
            _ => page("3", ""),
        });
        assert_eq!(list(&first).await.unwrap(), [2, 3]);
        let (again, log) =
            door(
                |line, _| {
                    if line.contains("continue") { (410, String::new()) } else { page("1", "t") }
                },
            );
        assert_eq!(list(&again).await.err().and_then(|failure| failure.status), Some(410));
        assert_eq!(log.lock().unwrap().len(), 4);
    }

    #[tokio::test]
    async fn an_answer_without_items_is_no_empty_list() {
        for body in ["{}", "null", "<html>", r#"{"items":{}}"#, r#"{"items":["a"]}"#] {
            let (door, _) = door(move |_, _| (200, body.to_owned()));
            let failure = list(&door).await.err().unwrap();
            assert_eq!(failure.silence.reason, SilenceReason::Garbled, "{body}");
        }
        let (door, _) = door(|_, _| (200, r#"{"items":null}"#.to_owned()));
        assert_eq!(list(&door).await.unwrap(), [0; 0]);
    }

    #[tokio::test]
    async fn a_read_is_repeated_while_the_server_is_busy_and_a_write_is_not() {
        let (busy, log) =
            door(|_, before| if before < 2 { (429, String::new()) } else { page("1", "") });
        assert_eq!(list(&busy).await.unwrap(), [1]);
        assert_eq!(log.lock().unwrap().len(), 3);
        let (busy, log) = door(|_, _| (503, String::new()));
        let request = http::Request::post("/api/v1/it").body(Vec::new());
        let write = busy.write("write it", request.map_err(BuildError::BuildRequest)).await;
        assert_eq!(
            write.err().map(|failure| failure.silence.reason),
            Some(SilenceReason::ServerError)
        );
        assert_eq!(log.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_server_that_never_answers_costs_the_limit() {
        let service = tower::service_fn(|_: http::Request<Body>| {
            std::future::pending::<Result<http::Response<Body>, std::io::Error>>()
        });
        let client = Client::new(service, "default");
        let door = Door {
            context: "it".to_owned(),
            client,
            timeout: Some(Duration::from_millis(10)),
            stop: Stop::default(),
        };
        let failure = list(&door).await.err().unwrap();
        assert_eq!(failure.silence.reason, SilenceReason::Timeout);
        assert_eq!(failure.silence.message, "failed to list it: no answer within 0.01s");
    }

    #[tokio::test(start_paused = true)]
    async fn once_stopped_nothing_is_sent_and_nothing_is_sent_again() {
        let stop = Stop::default();
        let asks = stop.clone();
        let (busy, log) = door(move |_, _| {
            asks.ask();
            (503, String::new())
        });
        let busy = Door { stop, ..busy };
        let failure = list(&busy).await.err().unwrap();
        assert_eq!(failure.silence.reason, SilenceReason::ServerError, "what it said counts");
        let failure = list(&busy).await.err().unwrap();
        assert_eq!(failure.silence.reason, SilenceReason::Stopped);
        assert_eq!(failure.silence.message, "failed to list it: the run was stopped before");
        assert_eq!(log.lock().unwrap().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_write_under_way_has_four_seconds_once_stopped() {
        let stop = Stop::default();
        let asks = stop.clone();
        let service = tower::service_fn(move |_: http::Request<Body>| {
            asks.ask();
            std::future::pending::<Result<http::Response<Body>, std::io::Error>>()
        });
        let client = Client::new(service, "default");
        let door = Door { context: "it".to_owned(), client, timeout: None, stop };
        let start = Instant::now();
        let request = http::Request::post("/api/v1/it").body(Vec::new());
        let answer = door.write("write it", request.map_err(BuildError::BuildRequest)).await;
        assert_eq!(start.elapsed(), crate::stop::GRACE);
        assert_eq!(
            answer.err().unwrap().silence.message,
            "failed to write it: the run was stopped, and no answer came within 4s; it may still take effect"
        );
    }
}
