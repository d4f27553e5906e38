//! A call to AWS once the run is asked to stop: the attempt under way may end, and none follows.
//!
//! The SDK makes several attempts of a call, with pauses between. Only it knows whether one is under
//! way: its interceptors tell the call that they are part of.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use aws_sdk_elasticloadbalancingv2::config::interceptors::{
    BeforeTransmitInterceptorContextRef, FinalizerInterceptorContextRef, InterceptorContext,
};
use aws_sdk_elasticloadbalancingv2::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_elasticloadbalancingv2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_elasticloadbalancingv2::error::BoxError;
use futures::future::{Either, select};

use crate::stop::{Stop, Unheard};

tokio::task_local! {
    static FLIGHT: Flight;
}

/// Where a call is.
#[derive(Clone, Debug, Default)]
struct Flight(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_in_the_air: AtomicBool,
    attempts: AtomicUsize,
}

impl Flight {
    fn is_in_the_air(&self) -> bool {
        self.0.is_in_the_air.load(Ordering::Relaxed)
    }

    fn attempts(&self) -> usize {
        self.0.attempts.load(Ordering::Relaxed)
    }
}

/// Makes a call, unless the run was asked to stop before; ends it between two attempts then, and
/// gives up the attempt that takes too long.
pub(super) async fn fly<T>(stop: &Stop, call: impl Future<Output = T>) -> Result<T, Unheard> {
    if stop.is_asked() {
        return Err(Unheard::NotMade);
    }
    let flight = Flight::default();
    let mut call = pin!(FLIGHT.scope(flight.clone(), call));
    if let Either::Left((answer, _)) = select(call.as_mut(), pin!(stop.asked())).await {
        return Ok(answer);
    }
    let ends = poll_fn(|context| {
        let is_over = |flight: &Flight| {
            let unheard =
                if flight.attempts() == 0 { Unheard::NotMade } else { Unheard::NotRepeated };
            (!flight.is_in_the_air()).then_some(Poll::Ready(Err(unheard)))
        };
        if let Some(over) = is_over(&flight) {
            return over;
        }
        match call.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Ok(answer)),
            Poll::Pending => is_over(&flight).unwrap_or(Poll::Pending),
        }
    });
    match select(ends, pin!(stop.patience_ends())).await {
        Either::Left((answer, _)) => answer,
        Either::Right(((), _)) => Err(Unheard::GivenUp),
    }
}

/// Lets attempts off the ground until the run is asked to stop.
#[derive(Debug)]
pub(super) struct Tower(pub(super) Stop);

impl Intercept for Tower {
    fn name(&self) -> &'static str {
        "Tower"
    }

    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.0.is_asked() {
            return Err(Unheard::NotMade.silence(true).into());
        }
        let _ = FLIGHT.try_with(|flight| {
            flight.0.attempts.fetch_add(1, Ordering::Relaxed);
            flight.0.is_in_the_air.store(true, Ordering::Relaxed);
        });
        Ok(())
    }

    fn read_after_attempt(
        &self,
        _context: &FinalizerInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let _ = FLIGHT.try_with(|flight| flight.0.is_in_the_air.store(false, Ordering::Relaxed));
        Ok(())
    }
}

/// What the last attempt came to is told, instead of a pause before one that will not be made.
impl ClassifyRetry for Tower {
    fn name(&self) -> &'static str {
        "Tower"
    }

    fn classify_retry(&self, _context: &InterceptorContext) -> RetryAction {
        if self.0.is_asked() { RetryAction::RetryForbidden } else { RetryAction::NoActionIndicated }
    }
}
