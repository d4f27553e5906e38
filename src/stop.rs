//! Asking a run to end: no new call, a little time for the one under way, then the report.
//!
//! Whoever embeds the library decides when: on a signal, when leadership is lost, when its own
//! deadline nears. It keeps a clone of the [`Stop`] that it put into
//! [`Options`](crate::reconcile::Options), and asks. The run then ends by itself, soon, with a report
//! that tells what was done and what was not; the next run repairs the rest.

mod doors;

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

pub use self::doors::Stoppable;
use crate::facts::{Silence, SilenceReason};

/// How long a call that is under way may still take: an answer that comes is worth more than none,
/// and whoever asks a pod to go does not wait for ever (`product.md` 6.3).
pub const GRACE: Duration = Duration::from_secs(4);

/// A request to stop, shared by all of its clones; once made it cannot be taken back.
#[derive(Clone, Debug)]
pub struct Stop {
    asked_at: watch::Sender<Option<Instant>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { asked_at: watch::Sender::new(None) }
    }
}

/// Handles are equal when they are clones of each other.
impl PartialEq for Stop {
    fn eq(&self, other: &Self) -> bool {
        self.asked_at.same_channel(&other.asked_at)
    }
}

impl Stop {
    /// Asks whatever heeds this to stop. Asking again changes nothing.
    pub fn ask(&self) {
        self.asked_at.send_if_modified(|asked_at| {
            let is_first = asked_at.is_none();
            asked_at.get_or_insert_with(Instant::now);
            is_first
        });
    }

    /// Says whether somebody asked.
    pub fn is_asked(&self) -> bool {
        self.asked_at.borrow().is_some()
    }

    /// Waits until somebody asks.
    pub async fn asked(&self) {
        self.asked_at_last().await;
    }

    /// Pauses until a time, or until somebody asks.
    pub async fn pause_until(&self, time: Instant) {
        self.before(sleep_until(time)).await;
    }

    /// Waits for something that is no call: none where somebody asked before it came.
    pub(crate) async fn before<T>(&self, waiting: impl Future<Output = T>) -> Option<T> {
        if self.is_asked() {
            return None;
        }
        match select(pin!(waiting), pin!(self.asked())).await {
            Either::Left((came, _)) => Some(came),
            Either::Right(((), _)) => None,
        }
    }

    /// Makes a call, unless somebody asked before; gives it up where it outlasts [`GRACE`].
    ///
    /// The call is boxed: futures in futures in futures are more than the compiler lays out by
    /// default, and that limit is the embedder's.
    pub(crate) fn call<'s, T>(
        &'s self,
        call: impl Future<Output = T> + 's,
    ) -> impl Future<Output = Result<T, Unheard>> + 's
    where
        T: 's,
    {
        let call = Box::pin(call);
        async move {
            if self.is_asked() {
                return Err(Unheard::NotMade);
            }
            // The call is polled first: an answer that is there is heard.
            match select(call, pin!(self.patience_ends())).await {
                Either::Left((answer, _)) => Ok(answer),
                Either::Right(((), _)) => Err(Unheard::GivenUp),
            }
        }
    }

    /// Waits until somebody asked and [`GRACE`] is over.
    pub(crate) async fn patience_ends(&self) {
        let asked_at = self.asked_at_last().await;
        sleep_until(asked_at + GRACE).await;
    }

    async fn asked_at_last(&self) -> Instant {
        let mut watched = self.asked_at.subscribe();
        match watched.wait_for(Option::is_some).await.map(|asked_at| *asked_at) {
            Ok(Some(asked_at)) => asked_at,
            // The sender is ours, so that it cannot go away meanwhile.
            _ => std::future::pending().await,
        }
    }
}

/// Why a call has no answer, once somebody asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unheard {
    /// It was not made.
    NotMade,
    /// It was made, and no answer came within [`GRACE`].
    GivenUp,
    /// It was made, had no answer that is one, and was not made again.
    NotRepeated,
}

impl Unheard {
    /// The reason: what was not even asked has one of its own, since nothing can have come of it.
    pub(crate) fn reason(self) -> SilenceReason {
        match self {
            Self::NotMade => SilenceReason::Stopped,
            Self::GivenUp | Self::NotRepeated => SilenceReason::Timeout,
        }
    }

    /// What to tell, as a fragment; a change that was made may have come to something.
    pub(crate) fn said(self, changes: bool) -> &'static str {
        match (self, changes) {
            (Self::NotMade, _) => "the run was stopped before",
            (Self::GivenUp, false) => "the run was stopped, and no answer came within 4s",
            (Self::GivenUp, true) => {
                "the run was stopped, and no answer came within 4s; it may still take effect"
            }
            (Self::NotRepeated, false) => "the run was stopped before it was tried again",
            (Self::NotRepeated, true) => {
                "the run was stopped before it was tried again; it may have taken effect"
            }
        }
    }

    pub(crate) fn silence(self, changes: bool) -> Silence {
        Silence::new(self.reason(), self.said(changes))
    }
}

/// What every text of [`Unheard`] begins with.
pub(crate) const STOPPED: &str = "the run was stopped";

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn before_anybody_asks_calls_are_made_and_waits_end_in_their_time() {
        let stop = Stop::default();
        let start = Instant::now();
        stop.pause_until(start + Duration::from_secs(60)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(60));
        let slow = tokio::time::sleep(Duration::from_secs(60));
        assert_eq!(stop.call(slow).await, Ok(()));
        assert!(!stop.is_asked());
    }

    #[tokio::test(start_paused = true)]
    async fn afterwards_no_call_is_made_and_no_wait_lasts() {
        let stop = Stop::default();
        stop.clone().ask();
        let start = Instant::now();
        assert_eq!(stop.call(ready(())).await, Err(Unheard::NotMade));
        assert_eq!(stop.before(ready(())).await, None);
        stop.pause_until(start + Duration::from_secs(60)).await;
        stop.asked().await;
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_under_way_is_given_four_seconds_from_when_it_was_asked() {
        let stop = Stop::default();
        let start = Instant::now();
        let asks = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stop.ask();
            tokio::time::sleep(Duration::from_secs(1)).await;
            // Impatience does not make it longer.
            stop.ask();
        };
        let silent = stop.call(pending::<()>());
        let (answer, ()) = futures::future::join(silent, asks).await;
        assert_eq!((answer, start.elapsed()), (Err(Unheard::GivenUp), Duration::from_secs(5)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_comes_in_time_is_heard() {
        let stop = Stop::default();
        let call = stop.call(async {
            stop.ask();
            tokio::time::sleep(Duration::from_secs(3)).await;
            "done"
        });
        assert_eq!(call.await, Ok("done"));
    }
}
