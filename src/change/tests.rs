//! What the engine promises to every verb, shown by a verb that paints Services.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::cluster::WriteError;
use crate::elbv2::LoadBalancers;
use crate::facts::{Facts, Reading, Silence, SilenceReason};
use crate::objects::{Key, Kind, Object, Patch};
use crate::report::{Changes, ItemOutcome, ItemReport, StepResult};
use crate::sim::cluster::{Part, Request};
use crate::sim::faults::Fault;
use crate::sim::steps::Moment;
use crate::sim::{self, World as Sim};
use crate::stop::Stop;

const PAINTED: &str = "example.com/painted";
const LABELLED: &str = "example.com/labelled";
const DRY: &str = "example.com/dry";

/// Paints all Services whose names begin with an item's: `a` is `a-1`, `a-2` and so on, in this order.
#[derive(Default)]
struct Paint {
    items: Vec<&'static str>,
    /// What must not be painted.
    refused: BTreeSet<&'static str>,
    /// What is painted only if somebody says yes.
    asked: BTreeSet<&'static str>,
    /// Whether they are labelled too, in the same write.
    labels: bool,
    /// Whether paint is waited for until it is dry.
    dries: bool,
    /// Whether nothing is painted before it is dry.
    primed: bool,
}

struct Walls {
    facts: Facts,
    services: Reading<Vec<Object>>,
}

impl Verb for Paint {
    type World = Walls;

    const KIND: &'static str = "Paint";

    async fn observe<C: crate::cluster::Cluster, L: LoadBalancers>(
        &self,
        clusters: &[C],
        _load_balancers: &L,
        clock: &(impl Fn() -> Timestamp + Sync),
        _again: bool,
    ) -> Walls {
        let services = clusters[0].objects(Kind::Service, None).await;
        let facts = Facts {
            observed_at: clock(),
            clusters: Vec::new(),
            groups: BTreeMap::new(),
            account_limits: BTreeMap::new(),
            narrowed: false,
            left_out: BTreeSet::new(),
            lost: Vec::new(),
        };
        Walls { facts, services }
    }

    fn facts<'w>(&self, world: &'w Walls) -> &'w Facts {
        &world.facts
    }

    fn plan(&self, world: &Walls, _waited: Duration) -> Result<Vec<Item>, Mistake> {
        let services = world.services.as_ref().map_err(|it| Mistake::new(it.to_string()))?;
        Ok(self.items.iter().map(|name| self.item(name, services)).collect())
    }
}

impl Paint {
    fn of(items: &[&'static str]) -> Self {
        Self { items: items.to_vec(), ..Self::default() }
    }

    fn item(&self, name: &'static str, services: &[Object]) -> Item {
        let mut item = Item::new("blue", "web", name);
        if self.refused.contains(name) {
            item.check(Check::refused("Listed", "it is a listed building"));
        }
        if self.asked.contains(name) {
            item.check(Check::new("Colour", Verdict::NeedsYes, "the colour is loud"));
        }
        let own = services.iter().filter(|it| it.key.name.starts_with(name));
        let mut wet = 0;
        for service in own {
            let marks = if self.labels { vec![LABELLED, PAINTED] } else { vec![PAINTED] };
            let lacks: BTreeMap<_, _> = marks
                .into_iter()
                .filter(|mark| service.annotation(mark).is_none())
                .map(|mark| (mark, "yes"))
                .collect();
            if !lacks.is_empty() {
                item.changes.push(Change::PatchOwner(Patch {
                    key: service.key.clone(),
                    uid: service.uid.clone(),
                    version: service.version.clone(),
                    body: json!({ "metadata": { "annotations": lacks } }),
                }));
            }
            wet += usize::from(service.annotation(DRY).is_none());
        }
        item.goals.push(match item.changes.len() {
            0 => Goal::reached("painted", "all"),
            left => Goal::waiting("painted", "", format!("{left} to go")),
        });
        if self.primed && wet > 0 {
            item.later = std::mem::take(&mut item.changes);
        }
        if self.dries {
            item.goals.push(match wet {
                0 => Goal::reached("dry", "all"),
                _ => Goal::waiting("dry", "", format!("{wet} are wet")),
            });
        }
        item
    }
}

/// Services `a-1`, `a-2`, `a-3`, `b-1`; nothing is painted.
struct Town {
    sim: Sim,
}

impl Town {
    fn new() -> Self {
        let sim = Sim::new("2026-01-01T00:00:00Z".parse().unwrap());
        sim.add_cluster("blue").with(|state| {
            for name in ["a-1", "a-2", "a-3", "b-1"] {
                state.add_service("web", name, 80, 8080);
            }
        });
        Self { sim }
    }

    fn blue(&self) -> sim::Cluster {
        self.sim.cluster("blue").unwrap()
    }

    fn annotate(&self, name: &str, annotation: &str) {
        self.blue().with(|state| state.annotate(&key(name), annotation, "yes"));
    }

    fn painted(&self) -> String {
        let services = self.blue().with(|state| state.objects(Kind::Service));
        let painted = services.into_iter().filter(|it| it.annotation(PAINTED).is_some());
        painted.map(|it| it.key.name).collect::<Vec<_>>().join(" ")
    }

    fn writes(&self) -> usize {
        self.blue().count(Request::PatchObject)
    }

    /// Does something whenever a patch is about to be sent, or was.
    fn on_patch(&self, moment: Moment, act: impl Fn(&sim::Cluster) + Send + Sync + 'static) {
        let blue = self.blue();
        self.sim.steps().on_step(move |step| {
            if step.operation == "PatchObject" && step.moment == moment {
                act(&blue);
            }
        });
    }

    async fn run(&self, verb: &Paint, options: Options) -> Changes {
        self.run_as_shown(verb, options, None).await
    }

    async fn run_as_shown(
        &self,
        verb: &Paint,
        options: Options,
        shown: Option<&Planned>,
    ) -> Changes {
        let (clusters, elb) = (self.sim.clusters(), self.sim.load_balancers());
        let runner = Runner::new(&clusters, &elb, || self.sim.now(), verb, options);
        runner.run(shown, &|_| {}).await.unwrap()
    }

    async fn plan(&self, verb: &Paint) -> Planned {
        let (clusters, elb) = (self.sim.clusters(), self.sim.load_balancers());
        let runner = Runner::new(&clusters, &elb, || self.sim.now(), verb, Options::default());
        runner.plan().await.unwrap()
    }
}

fn key(name: &str) -> Key {
    Key::new(Kind::Service, "web", name)
}

fn waiting() -> Options {
    let patience = Patience { timeout: Duration::from_secs(60), interval: Duration::from_secs(5) };
    Options { wait: Some(patience), ..Options::default() }
}

/// Beside waiting, the way of `--wait=false`.
fn both_ways() -> [Options; 2] {
    [waiting(), Options::default()]
}

fn item<'r>(report: &'r Changes, name: &str) -> &'r ItemReport {
    report.items.iter().find(|it| it.name == name).unwrap()
}

fn reason<'r>(report: &'r Changes, name: &str) -> &'r str {
    item(report, name).reason.as_deref().unwrap_or_default()
}

fn results(report: &Changes, name: &str) -> Vec<StepResult> {
    item(report, name).steps.iter().map(|step| step.result).collect()
}

/// Writes an object as it is, so that its version moves on.
fn touch(blue: &sim::Cluster, name: &str) {
    blue.with(|state| {
        let object = state.object(&key(name)).unwrap();
        state.put_object(object);
    });
}

fn wash(blue: &sim::Cluster, name: &str, mark: &str) {
    blue.with(|state| {
        let mut object = state.object(&key(name)).unwrap();
        object.annotations.remove(mark);
        state.put_object(object);
    });
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_stays_as_it_is_and_the_rest_is_done() {
    let town = Town::new();
    let verb = Paint { refused: BTreeSet::from(["a"]), ..Paint::of(&["a", "b"]) };
    let report = town.run(&verb, Options { yes: true, ..waiting() }).await;
    assert_eq!(item(&report, "a").outcome, ItemOutcome::Refused);
    assert_eq!(reason(&report, "a"), "it is a listed building");
    assert_eq!(item(&report, "b").outcome, ItemOutcome::Applied);
    assert_eq!(town.painted(), "b-1");
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_yes_waits_for_none_and_holds_up_no_other() {
    let town = Town::new();
    let verb = Paint { asked: BTreeSet::from(["a"]), ..Paint::of(&["a", "b"]) };
    let report = town.run(&verb, waiting()).await;
    assert_eq!(item(&report, "a").outcome, ItemOutcome::Blocked);
    assert_eq!(reason(&report, "a"), "needs --yes: the colour is loud");
    assert!(!report.complete && !report.timed_out);
    assert_eq!(town.painted(), "b-1");
    let report = town.run(&verb, Options { yes: true, ..waiting() }).await;
    assert_eq!(item(&report, "a").outcome, ItemOutcome::Applied);
    assert_eq!(item(&report, "b").outcome, ItemOutcome::Unchanged);
    let again = town.run(&verb, waiting()).await;
    assert!(again.complete, "where nothing is to be changed nobody is asked: {again:#?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_that_was_not_shown() {
    let town = Town::new();
    let verb = Paint::of(&["a", "b"]);
    town.annotate("a-2", PAINTED);
    let shown = town.plan(&verb).await;
    wash(&town.blue(), "a-2", PAINTED);
    let report = town.run_as_shown(&verb, waiting(), Some(&shown)).await;
    assert_eq!(item(&report, "a").outcome, ItemOutcome::Refused);
    assert_eq!(reason(&report, "a"), "the world changed since the plan was shown");
    assert_eq!(town.painted(), "b-1");
}

#[tokio::test(start_paused = true)]
async fn what_somebody_did_meanwhile_is_not_done_again() {
    let town = Town::new();
    let verb = Paint { labels: true, ..Paint::of(&["a"]) };
    let shown = town.plan(&verb).await;
    for mark in [PAINTED, LABELLED] {
        town.annotate("a-2", mark);
    }
    // Half of a write that was shown was shown.
    town.annotate("a-3", LABELLED);
    let report = town.run_as_shown(&verb, waiting(), Some(&shown)).await;
    assert_eq!(item(&report, "a").outcome, ItemOutcome::Applied, "{report:#?}");
    assert_eq!((town.painted().as_str(), town.writes()), ("a-1 a-2 a-3", 2));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_writes_in_between_is_planned_again() {
    for options in both_ways() {
        let town = Town::new();
        town.on_patch(Moment::Before, {
            let left = std::sync::atomic::AtomicUsize::new(2);
            move |blue| {
                let one_less = |left: usize| left.checked_sub(1);
                use std::sync::atomic::Ordering::Relaxed;
                if left.fetch_update(Relaxed, Relaxed, one_less).is_ok() {
                    touch(blue, "a-1");
                }
            }
        });
        let report = town.run(&Paint::of(&["a"]), options).await;
        assert_eq!(item(&report, "a").outcome, ItemOutcome::Applied, "{report:#?}");
        assert_eq!(results(&report, "a"), [StepResult::Done; 3]);
        assert_eq!((town.painted().as_str(), town.writes()), ("a-1 a-2 a-3", 5));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_each_time_in_between_is_given_up() {
    for options in both_ways() {
        let town = Town::new();
        town.on_patch(Moment::Before, |blue| touch(blue, "a-2"));
        let report = town.run(&Paint::of(&["a", "b"]), options).await;
        assert_eq!(item(&report, "a").outcome, ItemOutcome::Partial, "{report:#?}");
        use StepResult::{Done, Failed, Skipped};
        assert_eq!(results(&report, "a"), [Done, Failed, Skipped]);
        assert_eq!(item(&report, "b").outcome, ItemOutcome::Applied);
        assert!(!report.complete);
        assert_eq!((town.painted().as_str(), town.writes()), ("a-1 b-1", 6));
    }
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_did_in_between_is_as_it_should_be() {
    for options in both_ways() {
        let town = Town::new();
        town.on_patch(Moment::Before, |blue| {
            blue.with(|state| state.annotate(&key("b-1"), PAINTED, "yes"));
        });
        let report = town.run(&Paint::of(&["b"]), options).await;
        assert_eq!(item(&report, "b").outcome, ItemOutcome::Unchanged, "{report:#?}");
        assert!(report.complete);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_to_be_done_later_and_somebody_else_does_is_as_it_should_be() {
    let town = Town::new();
    let blue = town.blue();
    let begun = tokio::time::Instant::now();
    town.sim.steps().on_step(move |_| {
        if begun.elapsed() >= Duration::from_secs(20) {
            for mark in [DRY, PAINTED] {
                blue.with(|state| state.annotate(&key("b-1"), mark, "yes"));
            }
        }
    });
    let verb = Paint { dries: true, primed: true, ..Paint::of(&["b"]) };
    let report = town.run(&verb, waiting()).await;
    assert_eq!(item(&report, "b").outcome, ItemOutcome::Unchanged, "{report:#?}");
    assert!(report.complete && !report.timed_out);
    assert_eq!(town.writes(), 0);
}

#[tokio::test(start_paused = true)]
async fn how_it_stands_after_a_write_in_between_has_to_be_read() {
    for options in both_ways() {
        let town = Town::new();
        let silence = Silence::new(SilenceReason::Timeout, "no answer in 10 s");
        town.on_patch(Moment::Before, move |blue| {
            if blue.count(Request::PatchObject) == 1 {
                touch(blue, "a-2");
                blue.silence(Part::Requests(Request::ListObjects), silence.clone());
            }
        });
        let report = town.run(&Paint::of(&["a"]), options).await;
        assert_eq!(item(&report, "a").outcome, ItemOutcome::Partial, "{report:#?}");
        assert!(reason(&report, "a").contains("no answer in 10 s"), "{report:#?}");
        assert!(!report.complete);
        assert_eq!(town.painted(), "a-1");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_undone_each_time_is_written_three_times() {
    for labels in [false, true] {
        for options in both_ways() {
            let town = Town::new();
            town.on_patch(Moment::After, |blue| wash(blue, "a-1", PAINTED));
            let report = town.run(&Paint { labels, ..Paint::of(&["a", "b"]) }, options).await;
            assert_eq!(item(&report, "a").outcome, ItemOutcome::Partial, "{report:#?}");
            assert!(reason(&report, "a").contains("changes it back"), "{report:#?}");
            assert!(!report.complete && !report.timed_out);
            assert_eq!(item(&report, "b").outcome, ItemOutcome::Applied);
            // Once each, and the first twice more.
            assert_eq!((town.painted().as_str(), town.writes()), ("a-2 a-3 b-1", 6));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_shown_is_not_written_later_on_and_that_is_told() {
    for options in both_ways() {
        let town = Town::new();
        let verb = Paint { labels: true, ..Paint::of(&["a"]) };
        town.annotate("a-2", LABELLED);
        town.on_patch(Moment::After, |blue| wash(blue, "a-2", LABELLED));
        let report = town.run(&verb, options).await;
        assert_eq!(item(&report, "a").outcome, ItemOutcome::Partial, "{report:#?}");
        assert_eq!(reason(&report, "a"), "the world changed since the plan was shown");
        assert!(!report.timed_out);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_ends_its_item_and_the_next_run_goes_on() {
    let town = Town::new();
    let silence = Silence::new(SilenceReason::Forbidden, "forbidden: no paint");
    town.blue().fail_nth(Some(Request::PatchObject), 3, Fault::before(WriteError::Failed(silence)));
    let report = town.run(&Paint::of(&["a"]), waiting()).await;
    use StepResult::{Done, Failed};
    assert_eq!(results(&report, "a"), [Done, Done, Failed]);
    assert_eq!(item(&report, "a").outcome, ItemOutcome::Partial);
    assert!(reason(&report, "a").contains("no paint"), "{report:#?}");
    assert!(!report.complete);
    let again = town.run(&Paint::of(&["a"]), waiting()).await;
    assert_eq!(results(&again, "a"), [Done]);
    assert!(again.complete);
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_sends_everything_and_stores_nothing() {
    let town = Town::new();
    let verb = Paint { refused: BTreeSet::from(["b"]), ..Paint::of(&["a", "b"]) };
    let report = town.run(&verb, Options { rehearse: true, ..waiting() }).await;
    assert_eq!(item(&report, "a").outcome, ItemOutcome::Planned);
    assert_eq!(item(&report, "b").outcome, ItemOutcome::Refused);
    assert!(report.dry_run && !report.timed_out);
    assert_eq!((town.painted().as_str(), town.writes()), ("", 3));
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_it_to_stop_gets_a_report_of_what_was_done() {
    for options in both_ways() {
        let town = Town::new();
        let stop = Stop::default();
        let asked = stop.clone();
        town.on_patch(Moment::After, move |_| asked.ask());
        let report = town.run(&Paint::of(&["a"]), Options { stop, ..options }).await;
        assert!(report.interrupted && !report.complete, "{report:#?}");
        use StepResult::{Done, Failed, Skipped};
        assert_eq!(results(&report, "a"), [Done, Failed, Skipped]);
        assert_eq!(town.painted(), "a-1");
    }
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_in_time_is_told_and_what_comes_is_waited_for() {
    let verb = Paint { dries: true, ..Paint::of(&["b"]) };
    let town = Town::new();
    let report = town.run(&verb, waiting()).await;
    assert!(report.timed_out && !report.complete);
    assert_eq!(item(&report, "b").outcome, ItemOutcome::Partial);
    assert_eq!(reason(&report, "b"), "dry: 1 are wet");
    assert_eq!(town.painted(), "b-1");

    let blue = town.blue();
    let begun = tokio::time::Instant::now();
    town.sim.steps().on_step(move |_| {
        if begun.elapsed() >= Duration::from_secs(20) {
            blue.with(|state| state.annotate(&key("b-1"), DRY, "yes"));
        }
    });
    let report = town.run(&verb, waiting()).await;
    assert!(report.complete && !report.timed_out, "{report:#?}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_waited_for_where_nobody_wants_to() {
    let town = Town::new();
    let verb = Paint { dries: true, ..Paint::of(&["b"]) };
    let begun = tokio::time::Instant::now();
    let report = town.run(&verb, Options::default()).await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(item(&report, "b").outcome, ItemOutcome::Applied, "{report:#?}");
    assert!(report.complete && !report.timed_out);
}
