//! A controller at work in a simulated cluster, one call at a time.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::api::Failure;
use super::queue::Worked;
use super::simulated::SimApi;
use super::{Controller, Flags};
use crate::binding::Flavour;
use crate::facts::{self, Aliveness};
use crate::sim::LoadBalancers;
use crate::sim::cluster::Cluster;
use crate::sim::steps::Steps;

type Work = Pin<Box<dyn Future<Output = Result<Option<Worked>, Failure>> + Send>>;

/// A controller at work in a simulated cluster: whoever holds it decides when each of its calls
/// happens, and when it dies.
pub struct Worker {
    controller: Controller<SimApi>,
    cluster: Cluster,
    steps: Steps,
    /// What is under way: everything up to the next call is done.
    work: Option<Work>,
    done: Vec<Worked>,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("controller", &self.controller).finish_non_exhaustive()
    }
}

impl Worker {
    /// Starts a controller in a cluster; nothing happens before it is stepped.
    pub fn start(cluster: &Cluster, load_balancers: &LoadBalancers, flags: Flags) -> Self {
        let steps = Steps::default();
        let api = SimApi {
            cluster: cluster.clone(),
            load_balancers: load_balancers.clone(),
            steps: steps.clone(),
        };
        let now = cluster.with(|state| state.now());
        let controller = Controller::new(api, flags, now);
        let worker =
            Self { controller, cluster: cluster.clone(), steps, work: None, done: Vec::new() };
        worker.show();
        worker
    }

    /// Scales it to nothing: it is no longer there.
    pub fn stop(self) {
        let is_other = |it: &facts::Controller| it.flavour != Flavour::LoadBalancerController;
        self.cluster.with(|state| state.controllers.retain(is_other));
    }

    /// Shows since when it leads, and its limit, to whoever looks for controllers; where the cluster
    /// shows one already, whether that is alive stays as it is.
    fn show(&self) {
        let leads_since = Some(self.controller.leads_since());
        let max_targets = self.controller.flags().max_targets;
        let sync_period = Some(self.controller.flags().sync_period);
        self.cluster.with(|state| {
            let is_shown =
                |it: &&mut facts::Controller| it.flavour == Flavour::LoadBalancerController;
            match state.controllers.iter_mut().find(is_shown) {
                Some(shown) => {
                    (shown.leads_since, shown.max_targets) = (leads_since, max_targets);
                    shown.sync_period = sync_period;
                }
                None => state.controllers.push(facts::Controller {
                    flavour: Flavour::LoadBalancerController,
                    version: Some(self.controller.flags().version.to_owned()),
                    alive: Aliveness::Alive,
                    is_down: false,
                    evidence: "Lease renewed 0 s ago".to_owned(),
                    cluster_name: None,
                    watch_namespace: None,
                    leads_since,
                    max_targets,
                    sync_period,
                    differs: Vec::new(),
                }),
            }
        });
    }

    /// The controller.
    pub fn controller(&self) -> &Controller<SimApi> {
        &self.controller
    }

    /// The steps of its own calls: [`Steps::lose`] loses their replies.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// Makes its next call; false where nothing is due. All that follows from the answer is done, up
    /// to the call after that.
    pub fn step(&mut self) -> bool {
        // A pass can end without a call: what is due next comes into its place.
        loop {
            if self.work.is_some() {
                self.poll();
                return true;
            }
            let done = self.done.len();
            let (controller, now) = (self.controller.clone(), self.cluster.with(|s| s.now()));
            self.work = Some(Box::pin(async move { controller.work(now).await }));
            self.poll();
            if self.work.is_none() && self.done.len() == done {
                return false;
            }
        }
    }

    /// Lets it work until nothing is due.
    pub fn run(&mut self) {
        while self.step() {}
    }

    /// Says whether it is between two calls of one piece of work.
    pub fn is_busy(&self) -> bool {
        self.work.is_some()
    }

    /// Kills it where it is, and starts it anew: it remembers nothing.
    pub fn restart(&mut self) {
        self.work = None;
        self.controller.restart(self.cluster.with(|state| state.now()));
        self.show();
    }

    /// The pieces of work that it did since it was last asked, in order.
    pub fn worked(&mut self) -> Vec<Worked> {
        std::mem::take(&mut self.done)
    }

    fn poll(&mut self) {
        let Some(work) = &mut self.work else { return };
        let mut context = Context::from_waker(Waker::noop());
        if let Poll::Ready(worked) = work.as_mut().poll(&mut context) {
            self.work = None;
            // Looking at a simulated world does not fail.
            self.done.extend(worked.ok().flatten());
        }
    }
}
