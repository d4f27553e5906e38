//! The account's token buckets (`facts/elbv2.md` 3.2), off unless a test turns them on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Operation;
use super::errors::ApiError;

/// The buckets of one account and region.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    account: Bucket,
    reads: Bucket,
    registrations: Bucket,
    changes: Bucket,
}

impl Throttle {
    /// Makes full buckets of the documented sizes.
    pub fn documented(now: Timestamp) -> Self {
        Self {
            account: Bucket::full(40, 10, now),
            reads: Bucket::full(40, 10, now),
            registrations: Bucket::full(20, 4, now),
            changes: Bucket::full(20, 3, now),
        }
    }

    /// Takes one token of every bucket that counts the operation.
    pub(super) fn take(&mut self, operation: Operation, now: Timestamp) -> Result<(), ApiError> {
        let own = match operation {
            Operation::RegisterTargets | Operation::DeregisterTargets => &mut self.registrations,
            _ if operation.is_read() => &mut self.reads,
            _ => &mut self.changes,
        };
        own.refill(now);
        self.account.refill(now);
        if own.millis < TOKEN || self.account.millis < TOKEN {
            return Err(ApiError::throttling());
        }
        own.millis -= TOKEN;
        self.account.millis -= TOKEN;
        Ok(())
    }
}

/// One token, in thousandths: refilling by milliseconds then needs no fractions.
const TOKEN: u64 = 1_000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Bucket {
    capacity: u64,
    per_second: u64,
    millis: u64,
    refilled_at: Timestamp,
}

impl Bucket {
    fn full(capacity: u64, per_second: u64, now: Timestamp) -> Self {
        Self { capacity, per_second, millis: capacity * TOKEN, refilled_at: now }
    }

    fn refill(&mut self, now: Timestamp) {
        let elapsed = now.duration_since(self.refilled_at).as_millis();
        let elapsed = u64::try_from(elapsed).unwrap_or(0);
        let gained = elapsed.saturating_mul(self.per_second);
        self.millis = self.millis.saturating_add(gained).min(self.capacity * TOKEN);
        self.refilled_at = now;
    }
}
