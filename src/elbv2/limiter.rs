//! Politeness: the account's API buckets are shared with every controller (`product.md` 7.3).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

/// The most calls in flight to one account and region: enough to hide the latency of the calls
/// that the buckets let through, few enough to leave the account's own buckets some room.
const IN_FLIGHT_MAX: usize = 10;

/// How often something may happen: `burst` times at once, then `per_second`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// The tokens of a full bucket; at least one is always taken to be there.
    pub burst: u32,
    /// The tokens that come back each second; nothing above zero means no limit.
    pub per_second: f64,
}

/// The client-side limits of calls to one account and region.
///
/// AWS gives all callers of an account and region together 40 reads and then 10 a second, 20
/// registrations and then 4 a second (`facts/elbv2.md` 3.2). The default leaves most of that to
/// the controllers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Calls that read: a burst of 30, then 5 a second.
    pub reads: Rate,
    /// Calls that change: a burst of 10, then 1 a second.
    pub writes: Rate,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            reads: Rate { burst: 30, per_second: 5.0 },
            writes: Rate { burst: 10, per_second: 1.0 },
        }
    }
}

impl Limits {
    /// Scales the default so that `reads_per_second` reads go out once the burst is spent.
    ///
    /// Bursts and writes keep their proportion, and one call at a time is always possible.
    pub fn of_reads_per_second(reads_per_second: f64) -> Self {
        let usual = Self::default();
        let factor = reads_per_second / usual.reads.per_second;
        let scaled = |rate: Rate| Rate {
            // A float that does not fit saturates, and NaN becomes zero.
            burst: ((f64::from(rate.burst) * factor) as u32).max(1),
            per_second: rate.per_second * factor,
        };
        Self { reads: scaled(usual.reads), writes: scaled(usual.writes) }
    }
}

/// The buckets of one account and region.
#[derive(Debug)]
pub(super) struct Pace {
    reads: Bucket,
    writes: Bucket,
    in_flight: Semaphore,
}

impl Pace {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            reads: Bucket::new(limits.reads),
            writes: Bucket::new(limits.writes),
            in_flight: Semaphore::new(IN_FLIGHT_MAX),
        }
    }

    /// Waits until a call that reads may go out; the call is in flight until the permit drops.
    pub(super) async fn read(&self) -> Option<SemaphorePermit<'_>> {
        self.reads.take().await;
        self.in_flight.acquire().await.ok()
    }

    /// Waits until a call that changes something may go out.
    pub(super) async fn write(&self) -> Option<SemaphorePermit<'_>> {
        self.writes.take().await;
        self.in_flight.acquire().await.ok()
    }
}

/// A token bucket that keeps only the moment at which it will be full again.
#[derive(Debug)]
struct Bucket {
    interval: Duration,
    burst: u32,
    full_at: Mutex<Option<Instant>>,
}

impl Bucket {
    fn new(rate: Rate) -> Self {
        let interval = if rate.per_second > 0.0 { rate.per_second.recip() } else { 0.0 };
        Self {
            interval: Duration::try_from_secs_f64(interval).unwrap_or_default(),
            burst: rate.burst.max(1),
            full_at: Mutex::new(None),
        }
    }

    async fn take(&self) {
        sleep_until(self.reserve(Instant::now())).await;
    }

    /// Takes a token, perhaps one of the future, and says from when on it is good.
    fn reserve(&self, now: Instant) -> Instant {
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        let full = full_at.unwrap_or(now).max(now) + self.interval;
        *full_at = Some(full);
        full.checked_sub(self.interval * self.burst).unwrap_or(now).max(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_out_at_once_and_the_rest_at_the_rate() {
        let bucket = Bucket::new(Rate { burst: 3, per_second: 2.0 });
        let start = Instant::now();
        let mut waited = Vec::new();
        for _ in 0..5 {
            bucket.take().await;
            waited.push(start.elapsed().as_millis());
        }
        assert_eq!(waited, [0, 0, 0, 500, 1000]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_fills_up_to_its_burst_and_no_further() {
        let bucket = Bucket::new(Rate { burst: 2, per_second: 1.0 });
        for _ in 0..2 {
            bucket.take().await;
        }
        tokio::time::advance(Duration::from_secs(60)).await;
        let start = Instant::now();
        for _ in 0..3 {
            bucket.take().await;
        }
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn reads_do_not_wait_for_writes() {
        let pace = Pace::new(Limits::default());
        let start = Instant::now();
        for _ in 0..10 {
            drop(pace.write().await);
        }
        drop(pace.read().await);
        assert_eq!(start.elapsed(), Duration::ZERO);
        drop(pace.write().await);
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[test]
    fn a_rate_scales_bursts_and_writes_along() {
        assert_eq!(Limits::of_reads_per_second(5.0), Limits::default());
        let slow = Limits::of_reads_per_second(0.1);
        assert_eq!((slow.reads.burst, slow.writes.burst), (1, 1));
        assert!(slow.writes.per_second > 0.0 && slow.writes.per_second < 0.1);
    }
}
