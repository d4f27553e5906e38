//! The laws of `product.md` 2, tried on many small histories.
//!
//! A history is a world of one to three clusters and what happens in it: pods come, die and leave
//! their addresses to others, ledgers are edited, clusters fall silent, replies are lost, controllers
//! pass, and this program runs, in one cluster or in several, at once and inside one another, and is
//! killed at any step. The [judge](judge) sees every call and knows the truth.
//!
//! `MCTG_SIM_RUNS` says how many histories, `MCTG_SIM_FROM` the first one's seed, `MCTG_SIM_SEED`
//! plays one.

mod history;
mod judge;
mod make;
mod planted;
mod play;
mod stage;
mod tap;
mod targets;
mod truth;

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use self::history::History;
use self::play::play;

/// How many histories are played unless `MCTG_SIM_RUNS` says otherwise.
const HISTORIES: u64 = 20_000;

/// How many histories that break a law are looked for before the rest is left alone.
const FAILURES_MAX: usize = 10;

#[expect(clippy::disallowed_methods, reason = "a count and a seed are given to a test this way")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn the_laws_hold_in_every_history() {
    if let Some(seed) = number("MCTG_SIM_SEED") {
        tell(seed, &BTreeSet::from([seed]));
        return;
    }
    let from = number("MCTG_SIM_FROM").unwrap_or(0);
    let end = from + number("MCTG_SIM_RUNS").unwrap_or(HISTORIES);
    let (next, failed) = (AtomicU64::new(from), Mutex::new(BTreeSet::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end || failed.lock().expect("no test panicked").len() >= FAILURES_MAX
                    {
                        break;
                    }
                    if !play(&History::of(seed), None).is_empty() {
                        failed.lock().expect("no test panicked").insert(seed);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no test panicked");
    if let Some(seed) = failed.first() {
        tell(*seed, &failed);
    }
}

/// Plays the history of a seed, and where a law is broken panics with the shortest history that
/// still breaks one, and with all the seeds that `failed`.
fn tell(seed: u64, failed: &BTreeSet<u64>) {
    let history = History::of(seed);
    if play(&history, None).is_empty() {
        return;
    }
    let shortest = history.shrink(|history| !play(history, None).is_empty());
    let mut text = format!("{:#?}\n", shortest.layout);
    for event in &shortest.events {
        let _ = writeln!(text, "{event:?}");
    }
    for violation in play(&shortest, None) {
        let _ = writeln!(text, "  {violation}");
    }
    panic!(
        "a law is broken in the histories of seeds {failed:?}; \
         the shortest of seed {seed} that still breaks one:\n{text}\
         replay: MCTG_SIM_SEED={seed} cargo test --test suite the_laws_hold"
    );
}

#[test]
fn equal_seeds_make_equal_histories() {
    assert_eq!(format!("{:?}", History::of(7)), format!("{:?}", History::of(7)));
    assert_ne!(format!("{:?}", History::of(7)), format!("{:?}", History::of(8)));
}
