//! How long a schedule may go without success. Pure.

use croner::Cron;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How many of its periods a CronJob may go without success (`product.md` 9, 306).
const PERIODS: usize = 3;

/// How far a CronJob's time zone can move its runs against UTC, by which they are counted here.
const ZONE_MAX: SignedDuration = SignedDuration::from_hours(25);

/// Measures three periods of a cron schedule as it runs around a time: of a schedule whose runs are
/// not evenly spread the longest three. None where the schedule cannot be read.
pub(super) fn three_periods(schedule: &str, around: Timestamp) -> Option<SignedDuration> {
    let cron: Cron = schedule.parse().ok()?;
    let start = around.checked_sub(ZONE_MAX).ok()?.to_zoned(TimeZone::UTC);
    let end = around.checked_add(ZONE_MAX).ok()?;
    let mut later = 0;
    let runs: Vec<Timestamp> = cron
        .iter_after(start)
        .map(|run| run.timestamp())
        .take_while(|run| {
            later += usize::from(*run > end);
            later <= PERIODS + 1
        })
        .collect();
    runs.windows(PERIODS + 1).map(|runs| runs[PERIODS].duration_since(runs[0])).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In minutes, around Friday 2026-01-02 02:01Z.
    fn minutes(schedule: &str) -> Option<i64> {
        let friday = "2026-01-02T02:01:00Z".parse().unwrap();
        three_periods(schedule, friday).map(|length| length.as_mins())
    }

    #[test]
    fn even_schedules_have_three_equal_periods() {
        assert_eq!(minutes("*/5 * * * *"), Some(15));
        assert_eq!(minutes("@hourly"), Some(180));
        assert_eq!(minutes("0 2 * * *"), Some(3 * 24 * 60));
        assert_eq!(minutes("0 3 * * 1"), Some(3 * 7 * 24 * 60));
    }

    #[test]
    fn pauses_count_where_they_lie_among_the_next_three_runs() {
        assert_eq!(minutes("0 2 * * 1-5"), Some(5 * 24 * 60), "over the weekend");
        assert_eq!(minutes("*/10 8-17 * * *"), Some(20 + 14 * 60 + 10), "over the night");
    }

    #[test]
    fn what_is_no_schedule_has_no_period() {
        for schedule in ["", "often", "@every 5m", "* * * *", "0 0 31 2 *"] {
            assert_eq!(minutes(schedule), None, "{schedule}");
        }
    }
}
