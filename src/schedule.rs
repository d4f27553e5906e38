//! The schedule of a CronJob, and its period: when a run is late. Pure.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::ToSpan;
use jiff::civil::Date;

/// How many days are looked at: every leap day and weekday of the Gregorian calendar's rules that
/// come up within a CronJob's life.
const DAYS: i32 = 8 * 366 + 1;

/// The first day looked at; which one is of no matter.
const FIRST_DAY: Date = Date::constant(2024, 1, 1);

const SECONDS_PER_DAY: u64 = 86_400;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// When a CronJob runs, as `spec.schedule` says it: five fields, or a word such as `@hourly`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    minutes: BTreeSet<u8>,
    hours: BTreeSet<u8>,
    days: Days,
    months: BTreeSet<u8>,
}

/// The text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no schedule such as `*/5 * * * *` or `@hourly`")]
pub struct InvalidSchedule(String);

/// Days of the month and of the week; where both are limited, either will do.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Days {
    of_month: Field,
    of_week: Field,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Field {
    values: BTreeSet<u8>,
    is_any: bool,
}

impl Schedule {
    /// Reads a schedule as the CronJob controller does.
    ///
    /// # Errors
    ///
    /// The text is none, or there is no such day.
    pub fn parse(text: &str) -> Result<Self, InvalidSchedule> {
        let invalid = || InvalidSchedule(text.to_owned());
        let fields = match text.trim() {
            "@yearly" | "@annually" => "0 0 1 1 *",
            "@monthly" => "0 0 1 * *",
            "@weekly" => "0 0 * * 0",
            "@daily" | "@midnight" => "0 0 * * *",
            "@hourly" => "0 * * * *",
            fields => fields,
        };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [minutes, hours, of_month, months, of_week] = fields[..] else {
            return Err(invalid());
        };
        let read = |text, range, names| field(text, range, names).ok_or_else(invalid);
        let schedule = Self {
            minutes: read(minutes, 0..=59, &[])?.values,
            hours: read(hours, 0..=23, &[])?.values,
            days: Days {
                of_month: read(of_month, 1..=31, &[])?,
                of_week: read(of_week, 0..=6, &WEEKDAYS)?,
            },
            months: read(months, 1..=12, &MONTHS)?.values,
        };
        if schedule.run_days().next().is_some() { Ok(schedule) } else { Err(invalid()) }
    }

    /// The longest time between two runs.
    pub fn period(&self) -> Duration {
        let of_day: Vec<u64> = self
            .hours
            .iter()
            .flat_map(|hour| self.minutes.iter().map(move |minute| (*hour, *minute)))
            .map(|(hour, minute)| u64::from(hour) * 3_600 + u64::from(minute) * 60)
            .collect();
        let within = of_day.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
        let (Some(first), Some(last)) = (of_day.first(), of_day.last()) else {
            return Duration::ZERO;
        };
        let days: Vec<u64> = self.run_days().collect();
        let between = days
            .windows(2)
            .map(|pair| (pair[1] - pair[0]) * SECONDS_PER_DAY + first - last)
            .max()
            .unwrap_or_default();
        Duration::from_secs(within.max(between))
    }

    /// The days on which it runs, counted from the first one looked at.
    fn run_days(&self) -> impl Iterator<Item = u64> {
        let runs = |day: &i32| {
            FIRST_DAY.checked_add(day.days()).is_ok_and(|date| {
                let month = u8::try_from(date.month()).is_ok_and(|it| self.months.contains(&it));
                month && self.days.hold(date)
            })
        };
        (0..DAYS).filter(runs).filter_map(|day| u64::try_from(day).ok())
    }
}

impl Days {
    fn hold(&self, date: Date) -> bool {
        let weekday = date.weekday().to_sunday_zero_offset();
        let has = |field: &Field, value: i8| {
            u8::try_from(value).is_ok_and(|value| field.values.contains(&value))
        };
        let (of_month, of_week) = (has(&self.of_month, date.day()), has(&self.of_week, weekday));
        if self.of_month.is_any || self.of_week.is_any {
            of_month && of_week
        } else {
            of_month || of_week
        }
    }
}

/// Reads one field: `*`, `?`, `7`, `1-5`, `*/10`, `mon`, and lists of these.
fn field(text: &str, range: RangeInclusive<u8>, names: &[&str]) -> Option<Field> {
    let mut values = BTreeSet::new();
    let mut is_any = false;
    for part in text.split(',') {
        let (span, step) = match part.split_once('/') {
            Some((span, step)) => (span, Some(step.parse::<u8>().ok().filter(|step| *step > 0)?)),
            None => (part, None),
        };
        let (first, last) = match (span, span.split_once('-')) {
            ("*" | "?", _) => {
                is_any |= step.is_none();
                (*range.start(), *range.end())
            }
            (_, Some((first, last))) => (value(first, names, &range)?, value(last, names, &range)?),
            // With a step, one value means from there on.
            (one, None) => {
                let first = value(one, names, &range)?;
                (first, if step.is_some() { *range.end() } else { first })
            }
        };
        if first > last {
            return None;
        }
        values.extend((first..=last).step_by(usize::from(step.unwrap_or(1))));
    }
    Some(Field { values, is_any })
}

fn value(text: &str, names: &[&str], range: &RangeInclusive<u8>) -> Option<u8> {
    let lower = text.to_ascii_lowercase();
    let named = || {
        let place = names.iter().position(|name| *name == lower)?;
        Some(u8::try_from(place).ok()? + range.start())
    };
    text.parse().ok().or_else(named).filter(|value| range.contains(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minutes(text: &str) -> u64 {
        Schedule::parse(text).unwrap().period().as_secs() / 60
    }

    #[test]
    fn the_period_is_the_longest_gap() {
        for (text, expected) in [
            ("*/5 * * * *", 5),
            ("* * * * *", 1),
            ("*/7 * * * *", 7),
            ("0,10 * * * *", 50),
            ("@hourly", 60),
            ("3 */6 * * *", 6 * 60),
            ("0 9-17 * * *", 16 * 60),
            ("@daily", 24 * 60),
            ("*/5 9-17 * * mon-fri", (48 + 24 - 9) * 60 + 5),
            ("@weekly", 7 * 24 * 60),
            ("0 0 1 * *", 31 * 24 * 60),
            ("0 0 1 jan ?", 366 * 24 * 60),
            ("0 0 1,15 * Sun", 7 * 24 * 60),
            ("2/20 * * * *", 20),
        ] {
            assert_eq!(minutes(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for text in [
            "",
            "5",
            "* * * *",
            "* * * * * *",
            "60 * * * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "0 0 31 2 *",
            "0 0 * * 8",
            "@every 5m",
            "TZ=UTC * * * * *",
            "-1 * * * *",
            "a * * * *",
        ] {
            assert!(Schedule::parse(text).is_err(), "{text}");
        }
    }
}
