//! A client that keeps to its limits: single calls, pages, batches.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::future::Future;
use std::sync::Arc;

use aws_sdk_elasticloadbalancingv2::Client;
use aws_sdk_elasticloadbalancingv2::config::http::HttpResponse;
use aws_sdk_elasticloadbalancingv2::error::{ProvideErrorMetadata, SdkError};
use futures::future::join_all;
use tokio::time::Instant;

use super::ARNS_PER_CALL_MAX;
use super::errors::{Fault, fault};
use super::flight;
use super::limiter::Pace;
use crate::facts::{Reading, Silence, SilenceReason};
use crate::stop::{Stop, Unheard};

/// What an answer has whose list is not even there.
pub(super) const NO_LIST: &str = "no list";

/// A client, and how often it may be used.
pub(super) struct Line {
    pub(super) client: Client,
    pub(super) region: String,
    pub(super) pace: Arc<Pace>,
    /// Asks to make no call any more.
    pub(super) stop: Stop,
}

impl Line {
    /// Makes a call that reads, when it is its turn; `doing` completes "failed to".
    pub(super) async fn read<T, E>(
        &self,
        doing: &str,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Fault>
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let Some(_in_flight) = self.stop.before(self.pace.read()).await else {
            return Err(self.stopped(doing, Unheard::NotMade, false));
        };
        self.call(doing, call, false).await
    }

    /// Makes a call that changes something, when it is its turn.
    pub(super) async fn write<T, E>(
        &self,
        doing: &str,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    ) -> Result<T, Fault>
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let Some(_in_flight) = self.stop.before(self.pace.write()).await else {
            return Err(self.stopped(doing, Unheard::NotMade, true));
        };
        self.call(doing, call, true).await
    }

    async fn call<T, E>(
        &self,
        doing: &str,
        call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        changes: bool,
    ) -> Result<T, Fault>
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let start = Instant::now();
        let answer = flight::fly(&self.stop, call).await;
        let answer = answer.map_err(|unheard| self.stopped(doing, unheard, changes))?;
        let doing = format!("{doing} in {}", self.region);
        let millis = start.elapsed().as_millis();
        match answer {
            Ok(answer) => {
                tracing::debug!(millis, "ELBv2: {doing}");
                Ok(answer)
            }
            Err(error) => {
                let fault = fault(&doing, &error);
                tracing::debug!(millis, "ELBv2: {}", Silence::from(fault.clone()));
                Err(fault)
            }
        }
    }

    fn stopped(&self, doing: &str, unheard: Unheard, changes: bool) -> Fault {
        Fault::stopped(&format!("{doing} in {}", self.region), unheard, changes)
    }

    pub(super) fn garbled(&self, doing: &str, what: &str) -> Fault {
        Fault::garbled(&format!("{doing} in {}", self.region), what)
    }

    /// Reads every page; `page` takes the marker of the one before.
    pub(super) async fn pages<T, E, F>(
        &self,
        doing: &str,
        page: impl Fn(Option<String>) -> F,
    ) -> Result<Vec<T>, Fault>
    where
        E: Error + ProvideErrorMetadata + 'static,
        F: Future<Output = Result<(Option<Vec<T>>, Option<String>), SdkError<E, HttpResponse>>>,
    {
        let mut all = Vec::new();
        let mut seen = BTreeSet::new();
        let mut marker = None;
        loop {
            let (items, next) = self.read(doing, page(marker)).await?;
            // An empty list is there all the same; one that is missing is no answer.
            all.extend(items.ok_or_else(|| self.garbled(doing, NO_LIST))?);
            match next.filter(|next| !next.is_empty()) {
                None => return Ok(all),
                Some(next) if !seen.insert(next.clone()) => {
                    return Err(self.garbled(doing, "a page that leads back to an earlier one"));
                }
                Some(next) => marker = Some(next),
            }
        }
    }
}

/// Describes keys in batches of [`ARNS_PER_CALL_MAX`].
///
/// ELBv2 refuses a whole batch when one of it is gone, or of another region; such a batch is halved
/// until that one is alone, so that it hides no other. A key that an answer leaves out is gone.
pub(super) async fn in_batches<K, V, F>(
    keys: &BTreeSet<K>,
    describe: impl Fn(Vec<K>) -> F + Sync,
) -> BTreeMap<K, Reading<V>>
where
    K: Ord + Clone + AsRef<str> + Send + Sync,
    V: Send,
    F: Future<Output = Result<Vec<(K, Reading<V>)>, Fault>> + Send,
{
    let keys: Vec<K> = keys.iter().cloned().collect();
    let batches = keys.chunks(ARNS_PER_CALL_MAX).map(|batch| {
        let describe = &describe;
        async move {
            let mut found = BTreeMap::new();
            let mut pending = vec![batch];
            while let Some(batch) = pending.pop() {
                match describe(batch.to_vec()).await {
                    Ok(answers) => {
                        for key in batch {
                            let text = format!("`{}` is not in ELBv2's answer", key.as_ref());
                            let silence = Silence::new(SilenceReason::NotFound, text);
                            found.insert(key.clone(), Err(silence));
                        }
                        for (key, answer) in answers {
                            // What was not asked for is not answered.
                            found.entry(key).and_modify(|slot| *slot = answer);
                        }
                    }
                    Err(fault) if fault.may_be_of_one() && batch.len() > 1 => {
                        let (front, back) = batch.split_at(batch.len() / 2);
                        pending.extend([back, front]);
                    }
                    Err(fault) => {
                        let silence = Silence::from(fault);
                        found.extend(batch.iter().map(|key| (key.clone(), Err(silence.clone()))));
                    }
                }
            }
            found
        }
    });
    join_all(batches).await.into_iter().flatten().collect()
}
