//! What `unbind` does, from observing to the report, over the simulator: beside a controller and
//! without one, killed anywhere, with lost replies, and by two people at once.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join;
use mctg::change::{Mistake, Options, Patience, Runner};
use mctg::report::{Changes, ItemOutcome};
use mctg::selection::Selection;
use mctg::sim::cluster::NewBinding;
use mctg::sim::controller::{Flags, Worker};
use mctg::sim::faults::Strikes;
use mctg::sim::steps::Moment;
use mctg::sim::world::VPC;
use mctg::sim::{Cluster, World};
use mctg::target::TargetGroupArn;
use mctg::unbind::Unbind;

const LEDGER: &str = "aws-lbc-targets-shop-http";
const NOTE: &str = "web/mctg-unbind-shop-http";
const BLUE: [&str; 2] = ["10.0.0.11", "10.0.64.11"];
const GREEN: &str = "10.0.0.21";

/// Who cleans up in blue.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Who {
    Controller,
    /// No controller is there any more, and left its finalizer.
    Nobody,
    /// No controller was ever there.
    NobodyEver,
}

/// Blue and green share one group, and blue is to leave it.
struct Shop {
    world: World,
    group: TargetGroupArn,
    blue: Cluster,
    worker: Option<Arc<Mutex<Worker>>>,
    broken: Arc<Mutex<Vec<String>>>,
}

impl Shop {
    fn new(who: Who) -> Self {
        let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
        let group = world.add_group("k8s-web-shop");
        let blue = world.add_cluster("blue");
        let green = world.add_cluster("green");
        blue.share("web", "shop", &BLUE, &group);
        green.share("web", "shop", &[GREEN], &group);
        world.converge();
        if who == Who::NobodyEver {
            blue.with(|state| state.binding_mut("web", "shop-http").unwrap().has_finalizer = false);
        }
        let worker = (who == Who::Controller).then(|| {
            let mut worker = Worker::start(&blue, &world.load_balancers(), Flags::new(VPC));
            worker.run();
            Arc::new(Mutex::new(worker))
        });
        let shop = Self { world, group, blue, worker, broken: Arc::default() };
        shop.watch();
        shop
    }

    /// At every step the controller makes a call, and what must hold at any time is looked at; every
    /// look at the bindings takes time.
    fn watch(&self) {
        let (world, group, blue) = (self.world.clone(), self.group.clone(), self.blue.clone());
        let (worker, broken) = (self.worker.clone(), Arc::clone(&self.broken));
        self.world.steps().on_step(move |step| {
            if step.operation == "Bindings" && step.moment == Moment::Before {
                world.advance(Duration::from_secs(40));
            }
            if let Some(worker) = &worker {
                worker.lock().unwrap().step();
            }
            let found = broken_laws(&world, &group, &blue);
            broken.lock().unwrap().extend(found);
        });
    }

    fn registered(&self) -> BTreeSet<String> {
        self.world.registered(&self.group).into_iter().collect()
    }

    async fn unbind(&self) -> Result<Changes, Mistake> {
        self.unbind_of("tgb/shop-http").await
    }

    async fn unbind_of(&self, name: &str) -> Result<Changes, Mistake> {
        let (clusters, elb) = (self.world.clusters(), self.world.load_balancers());
        let names = Selection::parse_names(&[name.to_owned()]).unwrap();
        let selection = Selection { names, ..Selection::default() };
        let verb = Unbind { context: "blue".to_owned(), selection, ..Unbind::default() };
        let patience =
            Patience { timeout: Duration::from_secs(300), interval: Duration::from_secs(5) };
        let options = Options { yes: true, wait: Some(patience), ..Options::default() };
        let runner = Runner::new(&clusters, &elb, || self.world.now(), &verb, options);
        runner.run(None, &|_| {}).await
    }

    /// Checks that blue has left for good, and nothing of it is left behind.
    fn check_left(&self, when: &str) {
        let listed = self.world.load_balancers().with(|model| {
            let listed = model.describe_target_health(self.group.as_str(), &[]).unwrap();
            listed.into_iter().map(|it| it.description.target.id).collect::<Vec<_>>()
        });
        assert_eq!(listed, [GREEN], "{when}");
        self.blue.with(|state| {
            assert!(
                state.binding_mut("web", "shop-http").is_none(),
                "{when}: the binding is there"
            );
            assert_eq!(state.ledger_text("web", LEDGER), None, "{when}");
            assert_eq!(state.notes.get(NOTE), None, "{when}");
        });
        self.check_laws(when);
    }

    fn check_laws(&self, when: &str) {
        assert_eq!(*self.broken.lock().unwrap(), Vec::<String>::new(), "{when}");
    }
}

/// What must hold at any time: green's target is registered, and what of blue is registered is known
/// to somebody who will take it out.
fn broken_laws(world: &World, group: &TargetGroupArn, blue: &Cluster) -> Vec<String> {
    let registered = world.registered(group);
    let mut broken = Vec::new();
    if !registered.contains(&format!("{GREEN}:8080")) {
        broken.push("green's target is gone".to_owned());
    }
    blue.with(|state| {
        let ledger = state.ledger_text("web", LEDGER).unwrap_or_default().to_owned();
        let note = state.notes.get(NOTE).and_then(|note| note.data.get("targets").cloned());
        let known = format!("{ledger},{}", note.unwrap_or_default());
        for target in registered.iter().filter(|target| !target.starts_with(GREEN)) {
            if !known.split(',').any(|known| known == target) {
                broken.push(format!("{target} is in no ledger and no note"));
            }
        }
    });
    broken
}

const ALL: [Who; 3] = [Who::Controller, Who::Nobody, Who::NobodyEver];

#[tokio::test(start_paused = true)]
async fn a_binding_leaves_with_its_targets_its_ledger_and_its_note() {
    for who in ALL {
        let shop = Shop::new(who);
        let report = shop.unbind().await.unwrap();
        assert_eq!(report.items[0].outcome, ItemOutcome::Applied, "{who:?}: {report:#?}");
        assert!(report.complete);
        shop.check_left(&format!("{who:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_anywhere_is_made_good_by_the_next() {
    for who in ALL {
        for step in 0.. {
            let shop = Shop::new(who);
            let ended = shop.world.steps().run_until(step, shop.unbind()).await.is_some();
            shop.check_laws(&format!("{who:?} killed at step {step}"));
            let when = format!("{who:?} again after step {step}");
            if !ended {
                match shop.unbind_of("svc/shop").await {
                    Ok(report) => assert!(report.complete, "{when}: {report:#?}"),
                    Err(nothing_left) => {
                        assert!(shop.blue.with(|s| s.notes.is_empty()), "{nothing_left}");
                    }
                }
            }
            shop.check_left(&when);
            if ended {
                assert!(step > 60, "{who:?}: a run takes more steps than {step}");
                break;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_reply_is_made_good_by_the_next_run() {
    for who in ALL {
        for strikes in [Strikes::BeforeEffect, Strikes::AfterEffect] {
            for call in 0.. {
                let shop = Shop::new(who);
                let before = shop.world.steps().calls();
                shop.world.steps().lose(call, strikes);
                let first = shop.unbind().await;
                let made = shop.world.steps().calls() - before;
                let when = format!("{who:?}, call {call} lost {strikes:?}");
                shop.check_laws(&when);
                let left = |shop: &Shop| {
                    shop.blue.with(|s| {
                        s.binding_mut("web", "shop-http").is_some() || !s.notes.is_empty()
                    })
                };
                if left(&shop) {
                    let done = first.as_ref().is_ok_and(|report| report.complete);
                    assert!(
                        !done,
                        "{when}: it was said to be done: {first:#?} {:?}",
                        shop.blue.calls()
                    );
                    let second = shop.unbind().await.unwrap();
                    assert!(second.complete, "{when}: {second:#?}");
                }
                shop.check_left(&when);
                if call >= made {
                    break;
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_people_at_once_do_no_harm() {
    for who in ALL {
        for seed in 0..20 {
            let shop = Shop::new(who);
            shop.world.steps().dawdle(seed);
            let (one, other) = join(shop.unbind(), shop.unbind()).await;
            let when = format!("{who:?}, seed {seed}: {one:#?} {other:#?}");
            for report in [one, other].into_iter().flatten() {
                assert!(report.complete, "{when}");
            }
            shop.check_left(&when);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_is_made_again_meanwhile_stays_with_its_targets() {
    let shop = Shop::new(Who::Nobody);
    let (blue, group) = (shop.blue.clone(), shop.group.clone());
    let steps = shop.world.steps().clone();
    steps.on_step(move |step| {
        if step.operation == "RemoveFinalizer" && step.moment == Moment::After {
            blue.with(|state| {
                state.bind(&NewBinding::new("web", "shop-http", "shop", &group));
                let new = state.binding_mut("web", "shop-http").unwrap();
                new.uid = "made again".to_owned();
            });
        }
    });
    let report = shop.unbind().await.unwrap();
    assert_eq!(report.items[0].outcome, ItemOutcome::Partial);
    let reason = report.items[0].reason.clone().unwrap();
    assert!(reason.contains("made again"), "{reason}");
    assert!(shop.blue.with(|state| state.binding_mut("web", "shop-http").is_some()));
}

#[tokio::test(start_paused = true)]
async fn what_the_controller_could_not_take_out_goes_all_the_same() {
    let shop = Shop::new(Who::Controller);
    // A target of its own that its ledger does not name any more.
    shop.worker.as_ref().unwrap().lock().unwrap().run();
    let report = shop.unbind().await.unwrap();
    assert_eq!(report.items[0].outcome, ItemOutcome::Applied);
    assert_eq!(shop.registered(), BTreeSet::from([format!("{GREEN}:8080")]));
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_who_does_not_want_to_and_the_next_run_goes_on() {
    let shop = Shop::new(Who::Nobody);
    // No time passes while it runs.
    shop.world.steps().clear_hook();
    let (clusters, elb) = (shop.world.clusters(), shop.world.load_balancers());
    let names = Selection::parse_names(&["tgb/shop-http".to_owned()]).unwrap();
    let selection = Selection { names, ..Selection::default() };
    let verb = Unbind { context: "blue".to_owned(), selection, ..Unbind::default() };
    let options = Options { yes: true, ..Options::default() };
    let runner = Runner::new(&clusters, &elb, || shop.world.now(), &verb, options);
    let report = runner.run(None, &|_| {}).await.unwrap();
    assert_eq!(report.items[0].outcome, ItemOutcome::Applied, "{report:#?}");
    assert_eq!(shop.registered(), BTreeSet::from([format!("{GREEN}:8080")]));
    assert!(shop.blue.with(|state| state.notes.contains_key(NOTE)), "what drains is remembered");
    shop.watch();
    let report = shop.unbind().await.unwrap();
    assert!(report.complete);
    shop.check_left("after the second run");
}

#[tokio::test(start_paused = true)]
async fn of_several_bindings_one_that_is_refused_holds_up_no_other() {
    let shop = Shop::new(Who::Nobody);
    let cart = shop.world.add_group("k8s-web-cart");
    shop.world.steps().clear_hook();
    shop.blue.share("web", "cart", &["10.0.0.12"], &cart);
    shop.world.converge();
    shop.watch();
    let (clusters, elb) = (shop.world.clusters(), shop.world.load_balancers());
    let selection = Selection { all: true, ..Selection::default() };
    let verb = Unbind { context: "blue".to_owned(), selection, ..Unbind::default() };
    let patience = Patience { timeout: Duration::from_secs(300), interval: Duration::from_secs(5) };
    let options = Options { yes: true, wait: Some(patience), ..Options::default() };
    let runner = Runner::new(&clusters, &elb, || shop.world.now(), &verb, options);
    let report = runner.run(None, &|_| {}).await.unwrap();
    let outcomes: Vec<_> = report.items.iter().map(|it| (it.name.as_str(), it.outcome)).collect();
    let expected =
        [("tgb/cart-http", ItemOutcome::Refused), ("tgb/shop-http", ItemOutcome::Applied)];
    assert_eq!(outcomes, expected, "{report:#?}");
    shop.check_left("the other one");
    assert_eq!(shop.world.registered(&cart), ["10.0.0.12:8080"]);
    assert!(shop.blue.with(|state| state.notes.is_empty()), "nothing of it was begun");
}
