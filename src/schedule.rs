//! The schedule of a CronJob: how long it may go without a run. Pure.

use croner::Cron;
use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// How many of its periods a CronJob may go without success (`product.md` 9, 306).
pub const PERIODS: u32 = 3;

/// How far a CronJob's time zone can move its runs against UTC, by which they are counted here.
const ZONE_MAX: SignedDuration = SignedDuration::from_hours(25);

/// How many runs are looked at for the longest pause: a week's worth of a run a minute.
const RUNS_MAX: usize = 7 * 24 * 60 + 1;

/// When a CronJob runs, as `spec.schedule` says it: five fields, or a word such as `@hourly`.
#[derive(Clone, Debug)]
pub struct Schedule(Cron);

/// The text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no schedule such as `*/5 * * * *` or `@hourly`")]
pub struct InvalidSchedule(String);

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    ///
    /// The text is none, or there is no such day.
    pub fn parse(text: &str) -> Result<Self, InvalidSchedule> {
        let invalid = || InvalidSchedule(text.to_owned());
        let fields = text.split_whitespace().count();
        if fields != 5 && !(fields == 1 && text.trim().starts_with('@')) {
            return Err(invalid());
        }
        let schedule = Self(text.trim().parse().map_err(|_| invalid())?);
        if schedule.pauses().next().is_none() { Err(invalid()) } else { Ok(schedule) }
    }

    /// The longest pause between two runs.
    pub fn period(&self) -> SignedDuration {
        self.pauses().max().unwrap_or_default()
    }

    /// Measures three periods as it runs around a time: where runs are not evenly spread, the longest
    /// three.
    pub fn three_periods(&self, around: Timestamp) -> Option<SignedDuration> {
        let start = around.checked_sub(ZONE_MAX).ok()?;
        let end = around.checked_add(ZONE_MAX).ok()?;
        let periods = PERIODS as usize;
        let mut later = 0;
        let runs = self.runs_after(start).take_while(|run| {
            later += usize::from(*run > end);
            later <= periods + 1
        });
        let runs: Vec<Timestamp> = runs.collect();
        runs.windows(periods + 1).map(|runs| runs[periods].duration_since(runs[0])).max()
    }

    fn pauses(&self) -> impl Iterator<Item = SignedDuration> {
        // Which day is the first is of no matter.
        let first = date(2024, 1, 1).at(0, 0, 0, 0).to_zoned(TimeZone::UTC);
        let first = first.map_or(Timestamp::UNIX_EPOCH, |first| first.timestamp());
        let runs = || self.runs_after(first).take(RUNS_MAX);
        runs().zip(runs().skip(1)).map(|(run, next)| next.duration_since(run))
    }

    fn runs_after(&self, start: Timestamp) -> impl Iterator<Item = Timestamp> {
        self.0.iter_after(start.to_zoned(TimeZone::UTC)).map(|run| run.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In minutes, around Friday 2026-01-02 02:01Z.
    fn minutes(schedule: &str) -> i64 {
        let friday = "2026-01-02T02:01:00Z".parse().unwrap();
        Schedule::parse(schedule).unwrap().three_periods(friday).unwrap().as_mins()
    }

    #[test]
    fn even_schedules_have_three_equal_periods() {
        assert_eq!(minutes("*/5 * * * *"), 15);
        assert_eq!(minutes("@hourly"), 180);
        assert_eq!(minutes("0 2 * * *"), 3 * 24 * 60);
        assert_eq!(minutes("0 3 * * 1"), 3 * 7 * 24 * 60);
    }

    #[test]
    fn pauses_count_where_they_lie_among_the_next_three_runs() {
        assert_eq!(minutes("0 2 * * 1-5"), 5 * 24 * 60, "over the weekend");
        assert_eq!(minutes("*/10 8-17 * * *"), 20 + 14 * 60 + 10, "over the night");
    }

    #[test]
    fn a_period_is_the_longest_pause() {
        let minutes = |schedule| Schedule::parse(schedule).unwrap().period().as_mins();
        assert_eq!(minutes("*/5 * * * *"), 5);
        assert_eq!(minutes("0 2 * * 1-5"), 3 * 24 * 60, "over the weekend");
        assert_eq!(minutes("* 0-22 * * *"), 61);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in ["", "often", "@every 5m", "* * * *", "0 0 31 2 *", "0 0 0 1 1 *"] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
