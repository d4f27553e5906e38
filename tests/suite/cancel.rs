//! Dropping a run anywhere, as `timeout`, `select!` or an aborted task do, leaves a state that the
//! next run repairs.
//!
//! Unlike a run that is killed between two calls, one that is dropped may leave several calls under
//! way, some of them with an effect that nobody was told.

use std::collections::BTreeSet;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mctg::plan::Request;
use mctg::reconcile::{Options, Reconciler, Wait};
use mctg::report::{Outcome, Reconcile};
use mctg::sim::{Cluster, World};
use mctg::target::TargetGroupArn;
use proptest::prelude::*;

const CONTEXTS: [&str; 2] = ["blue", "green"];

/// Two Services, each with a group that both clusters share.
const SERVICES: [&str; 2] = ["shop", "cart"];

/// What happened to one pod since the last run.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Fine,
    /// Its target was taken out behind everybody's back.
    Lost,
    /// It died.
    Dead,
    /// It died, and another one came.
    Replaced,
    /// It came.
    New,
}

const FATES: [Fate; 5] = [Fate::Fine, Fate::Lost, Fate::Dead, Fate::Replaced, Fate::New];

/// For each cluster and Service, what happened to its two pods; the third is always fine.
type Fates = [[[Fate; 2]; SERVICES.len()]; CONTEXTS.len()];

struct Stage {
    world: World,
    groups: Vec<TargetGroupArn>,
    /// The targets that should be registered in the end.
    desired: BTreeSet<String>,
}

fn address(cluster: usize, service: usize, pod: usize) -> String {
    // A single digit, so that whoever replaces it is ten times as far.
    format!("10.0.{}.{}", 64 * pod, 1 + 2 * cluster + service)
}

impl Stage {
    fn set(fates: &Fates) -> Self {
        let world = World::new("2026-01-01T00:00:00Z".parse().expect("it is a time"));
        let groups: Vec<_> =
            SERVICES.iter().map(|name| world.add_group(&format!("k8s-web-{name}"))).collect();
        let clusters: Vec<Cluster> =
            CONTEXTS.iter().map(|context| world.add_cluster(context)).collect();
        for (c, cluster) in clusters.iter().enumerate() {
            for (s, service) in SERVICES.iter().enumerate() {
                let is_there = |pod: &usize| *pod == 2 || !matches!(fates[c][s][*pod], Fate::New);
                let pods: Vec<String> =
                    (0..3).filter(is_there).map(|pod| address(c, s, pod)).collect();
                let pods: Vec<&str> = pods.iter().map(String::as_str).collect();
                cluster.share("web", service, &pods, &groups[s]);
            }
        }
        world.converge();
        let mut stage = Self { world, groups, desired: BTreeSet::new() };
        for (c, cluster) in clusters.iter().enumerate() {
            for (s, pods) in fates[c].iter().enumerate() {
                for (pod, fate) in pods.iter().enumerate() {
                    stage.strike(cluster, s, &address(c, s, pod), *fate);
                }
                stage.desired.insert(format!("{}:8080", address(c, s, 2)));
            }
        }
        stage
    }

    fn strike(&mut self, cluster: &Cluster, service: usize, address: &str, fate: Fate) {
        let come = |address: &str| {
            cluster.with(|state| state.add_pod("web", SERVICES[service], address));
            format!("{address}:8080")
        };
        match fate {
            Fate::Fine => {}
            Fate::Lost => self.world.load_balancers().with(|model| {
                let lost = mctg::sim::elbv2::TargetRequest::new(address, 8080);
                let group = self.groups[service].as_str();
                model.deregister_targets(group, &[lost]).expect("it was registered");
            }),
            Fate::Dead => cluster.with(|state| state.remove_pod_at(address)),
            Fate::Replaced => {
                cluster.with(|state| state.remove_pod_at(address));
                self.desired.insert(come(&format!("{address}0")));
            }
            Fate::New => {
                self.desired.insert(come(address));
            }
        }
        if matches!(fate, Fate::Fine | Fate::Lost) {
            self.desired.insert(format!("{address}:8080"));
        }
    }

    fn registered(&self) -> BTreeSet<String> {
        self.groups.iter().flat_map(|group| self.world.registered(group)).collect()
    }

    fn tracked(&self) -> BTreeSet<String> {
        let mut tracked = BTreeSet::new();
        for cluster in self.world.clusters() {
            for service in SERVICES {
                let name = format!("aws-lbc-targets-{service}-http");
                let text = cluster.with(|state| state.ledger_text("web", &name).map(str::to_owned));
                tracked.extend(text.iter().flat_map(|text| text.split(',')).map(str::to_owned));
            }
        }
        tracked
    }

    /// Runs, and drops the run after it was polled `polls` times; the report, if it ended before.
    fn run(&self, polls: usize) -> Option<Reconcile> {
        let (clusters, load_balancers) = (self.world.clusters(), self.world.load_balancers());
        let reconciler = Reconciler::new(&clusters, &load_balancers, || self.world.now());
        let reconciler = reconciler.options(options(None));
        let mut run = pin!(reconciler.run(None, &|_| {}));
        let mut context = Context::from_waker(Waker::noop());
        (0..polls).find_map(|_| match run.as_mut().poll(&mut context) {
            Poll::Ready(report) => Some(report),
            Poll::Pending => None,
        })
    }

    /// Checks what holds at any time (`product.md` 2, laws 2 and 5).
    fn check_laws(&self, served_before: &BTreeSet<String>, when: &str) {
        let (registered, tracked) = (self.registered(), self.tracked());
        let leaked: Vec<_> = registered.difference(&tracked).collect();
        assert!(leaked.is_empty(), "{when}: {leaked:?} are in no ledger");
        let gone: Vec<_> = served_before.difference(&registered).collect();
        assert!(gone.is_empty(), "{when}: {gone:?} were desired and registered");
    }

    /// Checks that a run to the end makes everything as it should be.
    fn check_repair(&self, when: &str) {
        let report = self.run(usize::MAX).expect("it ends");
        assert!(report.complete, "{when}: {report:#?}");
        assert_eq!(self.registered(), self.desired, "{when}");
        assert_eq!(self.tracked(), self.desired, "{when}");
        let second = self.run(usize::MAX).expect("it ends");
        let in_sync = second.bindings.iter().all(|it| it.outcome == Outcome::InSync);
        assert!(in_sync, "{when}: {second:#?}");
    }

    /// Drops runs after so many polls each, and checks the laws after every one.
    fn drop_runs(&self, polls: &[usize]) -> bool {
        let mut ended = false;
        for polls in polls {
            let served: BTreeSet<_> =
                self.registered().intersection(&self.desired).cloned().collect();
            ended = self.run(*polls).is_some();
            self.check_laws(&served, &format!("dropped after {polls} polls"));
        }
        ended
    }
}

fn options(wait: Option<Duration>) -> Options {
    let contexts = CONTEXTS.map(str::to_owned).into();
    let request = Request { contexts, may_deregister: true, ..Request::default() };
    Options { request, wait: wait.map(Wait::up_to), ..Options::default() }
}

/// Something of everything.
const BUSY: Fates = [
    [[Fate::Lost, Fate::Replaced], [Fate::Dead, Fate::New]],
    [[Fate::New, Fate::Dead], [Fate::Replaced, Fate::Lost]],
];

#[test]
fn a_run_that_is_dropped_at_any_poll_is_made_good_by_the_next() {
    for seed in 0..3 {
        let mut dropped = 0;
        loop {
            let stage = Stage::set(&BUSY);
            stage.world.steps().dawdle(seed);
            if stage.drop_runs(&[dropped]) {
                break;
            }
            stage.check_repair(&format!("seed {seed}, {dropped} polls"));
            dropped += 1;
        }
        assert!(dropped > 40, "a run takes more polls than {dropped}");
    }
}

fn any_fates() -> impl Strategy<Value = Fates> {
    let fate = prop::sample::select(FATES.to_vec());
    prop::array::uniform2(prop::array::uniform2(prop::array::uniform2(fate)))
}

proptest! {
    #[test]
    fn runs_that_are_dropped_one_after_the_other_are_made_good_by_the_next(
        fates in any_fates(),
        seed in any::<u64>(),
        polls in prop::collection::vec(0_usize..120, 1..5),
    ) {
        let stage = Stage::set(&fates);
        stage.world.steps().dawdle(seed);
        stage.drop_runs(&polls);
        stage.check_repair(&format!("{polls:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_dropped_while_it_waits_for_health_has_nothing_left_to_do() {
    let stage = Stage::set(&BUSY);
    let (clusters, load_balancers) = (stage.world.clusters(), stage.world.load_balancers());
    let reconciler = Reconciler::new(&clusters, &load_balancers, || stage.world.now());
    let reconciler = reconciler.options(options(Some(Duration::from_secs(600))));
    let run = reconciler.run(None, &|_| {});
    // Time stands still in the world: what was registered stays in its first checks.
    let dropped = tokio::time::timeout(Duration::from_secs(60), run).await;
    assert!(dropped.is_err(), "it waits");
    assert_eq!(stage.registered(), stage.desired);
    assert_eq!(stage.tracked(), stage.desired);
    stage.check_repair("after the wait");
}
