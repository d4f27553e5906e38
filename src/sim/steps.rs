//! The moments between calls: where tests change the world, and where runs die.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use futures::future::{Either, select};
use tokio::sync::watch;

use super::faults::Strikes;

/// A moment right before or after a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its number, counted from 0 over the whole world.
    pub number: usize,
    /// Who is called: a context, or `elbv2`.
    pub callee: String,
    /// The operation.
    pub operation: String,
    /// Whether the call is about to be made, or was.
    pub moment: Moment,
}

/// Before or after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// The call is about to be made.
    Before,
    /// The call was made, and its answer is on its way.
    After,
}

type Hook = Arc<dyn Fn(&Step) + Send + Sync>;

/// The steps of a world: every call to its clusters and load balancers passes two of them.
///
/// Of calls made at the same time the order is the runtime's: on a single thread it is the same in
/// every run.
#[derive(Clone)]
pub struct Steps {
    state: Arc<Mutex<State>>,
    /// Whether the run was killed: from then on no call comes back.
    killed: Arc<watch::Sender<bool>>,
}

/// A step that is being passed.
struct Entered {
    step: Step,
    hook: Option<Hook>,
    lost: Option<Strikes>,
    turns: u32,
}

#[derive(Default)]
struct State {
    passed: usize,
    kill_at: Option<usize>,
    calls: usize,
    /// Which calls to lose, by their number.
    losses: BTreeMap<usize, Strikes>,
    hook: Option<Hook>,
    /// How long calls take, in turns of whoever polls them.
    dawdle: Option<u64>,
}

impl Default for Steps {
    fn default() -> Self {
        Self { state: Arc::default(), killed: Arc::new(watch::Sender::new(false)) }
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps").field("passed", &self.passed()).finish_non_exhaustive()
    }
}

impl Steps {
    /// How many steps were passed so far.
    pub fn passed(&self) -> usize {
        self.state().passed
    }

    /// How many calls were made so far.
    pub fn calls(&self) -> usize {
        self.state().calls
    }

    /// Calls `hook` at every step, with nothing locked: it may change any part of the world.
    pub fn on_step(&self, hook: impl Fn(&Step) + Send + Sync + 'static) {
        self.state().hook = Some(Arc::new(hook));
    }

    /// Calls no hook any more.
    pub fn clear_hook(&self) {
        self.state().hook = None;
    }

    /// Lets every call wait a few turns before and after its effect, as `seed` decides: what is
    /// called at the same time interleaves, and a run that is dropped is dropped in all of them.
    pub fn dawdle(&self, seed: u64) {
        self.state().dawdle = Some(seed);
    }

    /// Loses the `n`th call from now (0 is the next) with its answer, whoever is called: the
    /// connection breaks before or after the call's effect.
    pub fn lose(&self, n: usize, strikes: Strikes) {
        let mut state = self.state();
        let call = state.calls + n;
        state.losses.insert(call, strikes);
    }

    /// Runs a future, and kills it when it is about to pass the `n`th step from now (0 is the
    /// next): as `kill -9` would, without another call. None: it was killed. The world is fit for
    /// the next run afterwards.
    pub async fn run_until<F: Future>(&self, n: usize, run: F) -> Option<F::Output> {
        let mut killed = self.killed.subscribe();
        {
            let mut state = self.state();
            state.kill_at = Some(state.passed + n);
        }
        let run = Box::pin(run);
        let died = Box::pin(async move {
            let _ = killed.wait_for(|dead| *dead).await;
        });
        let output = match select(run, died).await {
            Either::Left((output, _)) => Some(output),
            Either::Right(((), _)) => None,
        };
        self.state().kill_at = None;
        self.killed.send_replace(false);
        output
    }

    /// Passes a step, and says how the call is lost, if it is; never returns once the run was
    /// killed.
    pub(super) async fn pass(
        &self,
        callee: &str,
        operation: &str,
        moment: Moment,
    ) -> Option<Strikes> {
        let Some(entered) = self.enter(callee, operation, moment) else {
            self.killed.send_replace(true);
            return std::future::pending().await;
        };
        if let Some(hook) = entered.hook {
            hook(&entered.step);
        }
        for _ in 0..entered.turns {
            turn().await;
        }
        entered.lost
    }

    fn enter(&self, callee: &str, operation: &str, moment: Moment) -> Option<Entered> {
        let mut state = self.state();
        if state.kill_at.is_some_and(|at| state.passed >= at) {
            return None;
        }
        let number = state.passed;
        state.passed += 1;
        let mut lost = None;
        if moment == Moment::Before {
            let call = state.calls;
            state.calls += 1;
            lost = state.losses.remove(&call);
        }
        let (callee, operation) = (callee.to_owned(), operation.to_owned());
        let step = Step { number, callee, operation, moment };
        let turns = state.dawdle.map_or(0, |seed| turns(seed, number));
        Some(Entered { step, hook: state.hook.clone(), lost, turns })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A test that panicked while it held the lock has already failed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many turns a step takes: none to three, mixed well (the finaliser of SplitMix64).
fn turns(seed: u64, number: usize) -> u32 {
    let mut mixed = seed.wrapping_add((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((mixed ^ (mixed >> 31)) % 4) as u32
}

/// Is polled once more before it goes on.
async fn turn() {
    let mut waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn three_calls(steps: &Steps) -> usize {
        for operation in ["a", "b", "c"] {
            steps.pass("blue", operation, Moment::Before).await;
            steps.pass("blue", operation, Moment::After).await;
        }
        3
    }

    #[tokio::test]
    async fn a_run_can_be_killed_at_every_step_and_the_next_one_ends() {
        for n in 0..6 {
            let steps = Steps::default();
            assert_eq!(steps.run_until(n, three_calls(&steps)).await, None, "step {n}");
            assert_eq!(steps.passed(), n);
            assert_eq!(steps.run_until(6, three_calls(&steps)).await, Some(3));
        }
    }

    #[tokio::test]
    async fn a_hook_sees_every_step_in_order() {
        let steps = Steps::default();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        steps.on_step(move |step| log.lock().unwrap().push((step.number, step.operation.clone())));
        three_calls(&steps).await;
        let seen = seen.lock().unwrap().clone();
        let expected = ["a", "a", "b", "b", "c", "c"].map(str::to_owned).into_iter().enumerate();
        assert_eq!(seen, expected.collect::<Vec<_>>());
    }
}
