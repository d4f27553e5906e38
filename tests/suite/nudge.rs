//! Waiting for a controller that was nudged: its list of targets is up to five minutes old, so that it
//! is nudged a second time, and never a third.

use std::sync::Mutex;
use std::time::Duration;

use mctg::apply::Progress;
use mctg::plan::{Action, Request, ViaChoice};
use mctg::reconcile::{Options, Reconciler, Wait};
use mctg::report::{BindingReport, Outcome, Reconcile, StepResult};
use mctg::sim::World;
use mctg::sim::controller::{Flags, Worker};
use mctg::sim::elbv2::TargetRequest;
use mctg::sim::world::VPC;
use mctg::target::TargetGroupArn;

const PODS: [&str; 2] = ["10.0.0.11", "10.0.64.11"];

/// Blue, whose controller has all in sync, and has just listed the targets; then one is lost.
struct Shop {
    world: World,
    group: TargetGroupArn,
    controller: Worker,
}

impl Shop {
    fn new() -> Self {
        let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
        let group = world.add_group("k8s-web-shop");
        let blue = world.add_cluster("blue");
        world.add_cluster("green");
        blue.share("web", "shop", &PODS, &group);
        let flags = Flags::new(VPC);
        let mut controller = Worker::start(&blue, &world.load_balancers(), flags);
        controller.run();
        // Healthy when it lists them the last time, so that it lists these no more for five minutes.
        world.advance(Duration::from_secs(600));
        blue.with(|state| {
            let binding = state.binding_mut("web", "shop-http").unwrap();
            binding.annotations.clear();
        });
        controller.run();
        world.advance(Duration::from_secs(90));
        world.load_balancers().with(|model| {
            let lost = [TargetRequest::new(PODS[0], 8080)];
            model.deregister_targets(group.as_str(), &lost).unwrap();
        });
        Self { world, group, controller }
    }

    /// Runs through the controller, which works or does not while it is waited for.
    async fn run(&mut self, works: bool) -> (Reconcile, usize) {
        let request = Request {
            contexts: ["blue".to_owned()].into(),
            via: ViaChoice::Controller,
            may_deregister: true,
            ..Request::default()
        };
        let options = Options { request, wait: Some(Wait::default()), ..Options::default() };
        let clusters = self.world.clusters();
        let elb = self.world.load_balancers();
        let world = &self.world;
        let clock = || world.now();
        let told = Mutex::new(0);
        let listener = |progress: Progress<'_>| {
            if matches!(progress, Progress::Nudged(_)) {
                *told.lock().unwrap() += 1;
            }
        };
        let controller = &mut self.controller;
        let time = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                world.advance(Duration::from_secs(1));
                if works {
                    controller.run();
                }
            }
        };
        let reconciler = Reconciler::new(&clusters, &elb, clock).options(options);
        let report = tokio::select! {
            report = reconciler.run(None, &listener) => report,
            () = time => unreachable!("it has no end"),
        };
        let told = *told.lock().unwrap();
        (report, told)
    }

    fn is_registered(&self, pod: &str) -> bool {
        self.world.registered(&self.group).iter().any(|target| target.starts_with(pod))
    }
}

fn nudges(binding: &BindingReport) -> usize {
    let done = |result| result == StepResult::Done;
    let steps = binding.steps.iter();
    steps.filter(|step| step.action == Action::Nudge && done(step.result)).count()
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_is_blind_to_what_was_lost_is_nudged_once_more() {
    let mut shop = Shop::new();
    let (report, told) = shop.run(true).await;
    let blue = &report.bindings[0];
    assert_eq!((nudges(blue), blue.outcome), (2, Outcome::Applied), "{blue:#?}");
    assert_eq!(blue.plan.nudge.as_ref().unwrap().verified, Some(true));
    assert!(shop.is_registered(PODS[0]) && !report.timed_out);
    assert!(told > 0, "whoever waits is told what for");
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_does_nothing_is_nudged_twice_and_never_a_third_time() {
    let mut shop = Shop::new();
    let (report, _) = shop.run(false).await;
    let blue = &report.bindings[0];
    assert_eq!((nudges(blue), blue.outcome), (2, Outcome::Partial), "{blue:#?}");
    assert!(report.timed_out);
    assert_eq!(blue.waiting_for.len(), 1);
    let reason = blue.reason.as_deref().unwrap_or_default();
    assert!(
        reason.starts_with("after two nudges its controller has not registered 10.0.0.11"),
        "{reason}"
    );
}
