//! A request to stop, and the SDK's attempts: against the simulator's model on the wire.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use aws_sdk_elasticloadbalancingv2::config::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_async::rt::sleep::TokioSleep;
use tokio::sync::Notify;

use super::tests::{access, config};
use super::*;
use crate::sim::elbv2::{ApiError, Operation};
use crate::sim::faults::Fault;
use crate::sim::steps::Moment;
use crate::sim::wire::{Server, serve};
use crate::sim::{LoadBalancers as LoadBalancersInMemory, Trouble, World};
use crate::stop::Stop;
use crate::target::Target;

struct Region {
    world: World,
    server: Server,
    group: TargetGroupArn,
    aws: AwsLoadBalancers,
    stop: Stop,
    /// Told when a pause before another attempt begins.
    pauses: Arc<Notify>,
}

/// Time as ever, but for the pause between two attempts to register, which never ends: by then
/// every timeout is running.
#[derive(Debug)]
struct Pauses {
    elbv2: LoadBalancersInMemory,
    begun: Arc<Notify>,
}

impl AsyncSleep for Pauses {
    fn sleep(&self, duration: Duration) -> Sleep {
        if self.elbv2.count(Operation::RegisterTargets) == 0 {
            return TokioSleep::new().sleep(duration);
        }
        self.begun.notify_one();
        Sleep::new(std::future::pending())
    }
}

impl Region {
    async fn new() -> Self {
        let world = World::new("2026-01-01T12:00:00Z".parse().unwrap());
        let group = world.add_group("shop");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = serve(world.load_balancers(), address).await.unwrap();
        let stop = Stop::default();
        let settings = Settings {
            endpoint_url: Some(server.url()),
            stop: stop.clone(),
            ..Settings::default()
        };
        let pauses = Arc::new(Notify::new());
        let sleep = Pauses { elbv2: world.load_balancers(), begun: Arc::clone(&pauses) };
        let config = config().into_builder().sleep_impl(SharedAsyncSleep::new(sleep)).build();
        let aws = AwsLoadBalancers::with_settings(config, settings);
        Self { world, server, group, aws, stop, pauses }
    }

    /// Asks to stop while a registration is under way, before or after its effect.
    fn stop_while_registering(&self, moment: Moment) {
        let stop = self.stop.clone();
        self.world.steps().on_step(move |step| {
            if step.operation == Operation::RegisterTargets.as_str() && step.moment == moment {
                stop.ask();
            }
        });
    }

    async fn register(&self) -> Result<(), CallError> {
        let target = Registration { target: Target::new("10.0.0.3", 80), availability_zone: None };
        self.aws.register(&access(), &self.group, &[target]).await
    }

    fn attempts(&self) -> usize {
        self.server.count(Operation::RegisterTargets)
    }
}

fn failure(answer: Result<(), CallError>) -> (SilenceReason, String) {
    match answer {
        Err(CallError::Failed(silence)) => (silence.reason, silence.message),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_answer_that_comes_after_somebody_asked_is_heard() {
    let region = Region::new().await;
    region.stop_while_registering(Moment::Before);
    assert_eq!(region.register().await, Ok(()));
    assert!(region.stop.is_asked());
    let (reason, message) = failure(region.register().await);
    assert_eq!((reason, region.attempts()), (SilenceReason::Stopped, 1));
    assert_eq!(message, "the run was stopped before");
}

#[tokio::test]
async fn a_refusal_that_comes_after_somebody_asked_is_told_and_not_tried_again() {
    let region = Region::new().await;
    let throttled = Fault::before(Trouble::Refused(ApiError::throttling()));
    region.server.fail_next(Operation::RegisterTargets, throttled);
    region.stop_while_registering(Moment::Before);
    let (reason, _) = failure(region.register().await);
    assert_eq!((reason, region.attempts()), (SilenceReason::Throttled, 1));
}

#[tokio::test]
async fn the_pause_before_another_attempt_ends_at_once_and_none_is_made() {
    let region = Region::new().await;
    let lost = Fault::after(Trouble::Closed);
    region.server.fail_next(Operation::RegisterTargets, lost);
    let asks = async {
        region.pauses.notified().await;
        region.stop.ask();
    };
    let (answer, ()) = tokio::join!(region.register(), asks);
    let (reason, message) = failure(answer);
    assert_eq!((reason, region.attempts()), (SilenceReason::Timeout, 1));
    assert_eq!(
        message,
        "failed to register 1 target in `shop` in us-east-1: the run was stopped before it was tried again; it may have taken effect"
    );
}

#[tokio::test]
async fn a_call_that_waits_for_its_turn_is_not_made() {
    let region = Region::new().await;
    // The burst of writes is ten; the next one would have to wait for a second.
    for _ in 0..10 {
        region.register().await.unwrap();
    }
    let asks = async {
        tokio::task::yield_now().await;
        region.stop.ask();
    };
    let (answer, ()) = tokio::join!(region.register(), asks);
    let (reason, message) = failure(answer);
    assert_eq!((reason, region.attempts()), (SilenceReason::Stopped, 10));
    assert_eq!(
        message,
        "failed to register 1 target in `shop` in us-east-1: the run was stopped before"
    );
}
