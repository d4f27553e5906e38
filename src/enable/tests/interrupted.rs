//! `enable` and `disable` killed between any two calls, with lost replies, and by two people at once.

use std::sync::{Arc, Mutex};

use futures::future::join;

use super::*;
use crate::sim::faults::Strikes;
use crate::sim::steps::Moment;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    On,
    Off,
}

/// How it all ended.
#[derive(Debug, PartialEq)]
struct End {
    flag: Option<String>,
    attributes: Option<String>,
    is_on: bool,
    ledger: Option<String>,
    registered: BTreeSet<String>,
}

/// A shop before the verb, with everything that is registered watched at every step.
struct Watched {
    shop: Shop,
    broken: Arc<Mutex<Vec<String>>>,
}

impl Watched {
    async fn before(way: Way) -> Self {
        let mut shop = Shop::new();
        if way == Way::Off {
            let report = shop.enable(|_| {}).await;
            assert!(report.complete, "{report:#?}");
        }
        let broken: Arc<Mutex<Vec<String>>> = Arc::default();
        let (sim, group, log) = (shop.sim.clone(), shop.group.clone(), Arc::clone(&broken));
        shop.sim.steps().on_step(move |step| {
            let registered = sim.registered(&group);
            for pod in PODS.iter().filter(|pod| !registered.contains(&format!("{pod}:8080"))) {
                log.lock().unwrap().push(format!("{pod} is gone at {step:?}"));
            }
        });
        Self { shop, broken }
    }

    async fn run(&mut self, way: Way) -> Changes {
        self.try_run(way).await.unwrap()
    }

    async fn try_run(&mut self, way: Way) -> Result<Changes, Mistake> {
        let request = request("svc/shop");
        match way {
            Way::On => self.try_verb(&Enable::new(request)).await,
            Way::Off => self.try_verb(&Disable::new(request)).await,
        }
    }

    async fn try_verb<V: Verb>(&mut self, verb: &V) -> Result<Changes, Mistake> {
        let sim = self.shop.sim.clone();
        let (clusters, elb) = (sim.clusters(), sim.load_balancers());
        let runner = Runner::new(&clusters, &elb, || sim.now(), verb, yes());
        self.shop.while_time_passes(runner.run(None, &|_| {})).await
    }

    async fn run_twice_at_once(&mut self, way: Way) -> (Changes, Changes) {
        let request = || request("svc/shop");
        match way {
            Way::On => self.both(&Enable::new(request()), &Enable::new(request())).await,
            Way::Off => self.both(&Disable::new(request()), &Disable::new(request())).await,
        }
    }

    async fn both<V: Verb>(&mut self, one: &V, other: &V) -> (Changes, Changes) {
        let sim = self.shop.sim.clone();
        let (clusters, elb) = (sim.clusters(), sim.load_balancers());
        let one = Runner::new(&clusters, &elb, || sim.now(), one, yes());
        let other = Runner::new(&clusters, &elb, || sim.now(), other, yes());
        let both = join(one.run(None, &|_| {}), other.run(None, &|_| {}));
        let (one, other) = self.shop.while_time_passes(both).await;
        (one.unwrap(), other.unwrap())
    }

    fn end(&self) -> End {
        assert_eq!(*self.broken.lock().unwrap(), Vec::<String>::new());
        End {
            flag: self.shop.annotation(flag::SERVICE_ANNOTATION),
            attributes: self.shop.annotation(attributes::SERVICE_ANNOTATION),
            is_on: self.shop.is_on(),
            ledger: self.shop.ledger(),
            registered: self.shop.sim.registered(&self.shop.group).into_iter().collect(),
        }
    }
}

/// How it ends where nothing happens in between.
async fn undisturbed(way: Way) -> End {
    let mut watched = Watched::before(way).await;
    let report = watched.run(way).await;
    assert_eq!(only(&report).outcome, ItemOutcome::Applied, "{report:#?}");
    let end = watched.end();
    assert_eq!(end.is_on, way == Way::On);
    end
}

const WAYS: [Way; 2] = [Way::On, Way::Off];

#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_anywhere_is_made_good_by_the_next() {
    for way in WAYS {
        let expected = undisturbed(way).await;
        for step in 0.. {
            let mut watched = Watched::before(way).await;
            let steps = watched.shop.sim.steps().clone();
            let ended = steps.run_until(step, watched.run(way)).await.is_some();
            if !ended {
                let report = watched.run(way).await;
                assert!(report.complete, "{way:?} again after step {step}: {report:#?}");
            }
            assert_eq!(watched.end(), expected, "{way:?} again after step {step}");
            if ended {
                assert!(step > 40, "{way:?}: a run takes more steps than {step}");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_made_good_by_the_next_run() {
    for way in WAYS {
        let expected = undisturbed(way).await;
        for strikes in [Strikes::BeforeEffect, Strikes::AfterEffect] {
            for call in 0.. {
                let mut watched = Watched::before(way).await;
                let steps = watched.shop.sim.steps().clone();
                let before = steps.calls();
                steps.lose(call, strikes);
                let when = format!("{way:?}, call {call} lost {strikes:?}");
                let first = watched.try_run(way).await;
                let made = steps.calls() - before;
                if !first.as_ref().is_ok_and(|report| report.complete) {
                    let second = watched.run(way).await;
                    assert!(second.complete, "{when}: {second:#?}");
                }
                assert_eq!(watched.end(), expected, "{when}: {first:#?}");
                if call >= made {
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_people_at_once_do_no_harm() {
    for way in WAYS {
        let expected = undisturbed(way).await;
        for seed in 0..20 {
            let mut watched = Watched::before(way).await;
            watched.shop.sim.steps().dawdle(seed);
            let (one, other) = watched.run_twice_at_once(way).await;
            for report in [&one, &other] {
                assert!(report.complete, "{way:?}, seed {seed}: {one:#?} {other:#?}");
            }
            assert_eq!(watched.end(), expected, "{way:?}, seed {seed}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_admission_policy_takes_away_is_given_up() {
    let mut shop = Shop::new();
    let blue = shop.blue();
    shop.sim.steps().on_step(move |step| {
        if step.operation == "PatchObject" && step.moment == Moment::After {
            blue.with(|state| {
                let mut object = state.object(&service()).unwrap();
                object.annotations.remove(flag::SERVICE_ANNOTATION);
                state.put_object(object);
            });
        }
    });
    let report = shop.enable(|_| {}).await;
    let item = only(&report);
    assert_eq!(item.outcome, ItemOutcome::Partial, "{report:#?}");
    assert!(item.reason.as_ref().unwrap().contains("an admission policy"), "{report:#?}");
    assert!(!report.complete && !report.timed_out);
    assert_eq!(shop.writes(), 3);
    assert!(!shop.is_on());
}
