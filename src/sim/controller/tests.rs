//! The rules of `facts/lbc.md` 2 and 4, one sentence each.

mod checkpoints;
mod cleaning;
mod ledgers;
mod passing;

use std::sync::Mutex;
use std::time::Duration;

use super::*;
use crate::binding::CHECKPOINT_ANNOTATION;
use crate::sim::cluster::{ClusterState, NewBinding};
use crate::sim::elbv2::{Model, TargetRequest};
use crate::sim::steps::Moment;
use crate::sim::world::VPC;
use crate::sim::{Cluster, World};
use crate::target::TargetGroupArn;

const LEDGER: &str = "aws-lbc-targets-shop-http";
const A: &str = "10.0.0.11";
const B: &str = "10.0.64.11";
/// A target that is no pod's of the cluster.
const FOREIGN: &str = "10.0.96.99";

/// A cluster with the binding `web/shop-http`, and its controller.
struct Stage {
    world: World,
    cluster: Cluster,
    group: TargetGroupArn,
    worker: Worker,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Stage {
    /// The Service has the pods A and B; nothing has been done yet.
    fn new() -> Self {
        Self::with(VPC, |_| {})
    }

    fn with_flags(change: impl FnOnce(&mut Flags)) -> Self {
        Self::with(VPC, change)
    }

    fn with(vpc: &str, change: impl FnOnce(&mut Flags)) -> Self {
        let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
        world.load_balancers().with(|model| {
            model.settings.registering = Duration::ZERO;
            model.settings.first_checks = Duration::ZERO;
        });
        let group = world.add_group("k8s-web-shop");
        let cluster = world.add_cluster("blue");
        cluster.share("web", "shop", &[A, B], &group);
        let mut flags = Flags::new(vpc);
        change(&mut flags);
        let worker = Worker::start(&cluster, &world.load_balancers(), flags);
        let calls: Arc<Mutex<Vec<String>>> = Arc::default();
        let log = Arc::clone(&calls);
        worker.steps().on_step(move |step| {
            if step.moment == Moment::Before {
                log.lock().unwrap().push(step.operation.clone());
            }
        });
        Self { world, cluster, group, worker, calls }
    }

    /// The same, once the controller has nothing to do any more.
    fn settled() -> Self {
        let mut stage = Self::new();
        stage.run();
        stage.worker.worked();
        stage
    }

    /// Lets the controller work until nothing is due, and returns its calls.
    fn run(&mut self) -> Vec<String> {
        self.calls.lock().unwrap().clear();
        self.worker.run();
        self.calls.lock().unwrap().clone()
    }

    /// How the last pass ended.
    fn ended(&mut self) -> Result<Option<Ended>, Failure> {
        self.worker.worked().pop().unwrap().ended
    }

    fn state<T>(&self, look: impl FnOnce(&mut ClusterState) -> T) -> T {
        self.cluster.with(look)
    }

    fn model<T>(&self, look: impl FnOnce(&mut Model) -> T) -> T {
        self.world.load_balancers().with(look)
    }

    fn wait(&self, seconds: u64) {
        self.world.advance(Duration::from_secs(seconds));
    }

    /// Takes the checkpoint away, as somebody does who wants a pass.
    fn force(&mut self) -> Vec<String> {
        self.state(|state| {
            let binding = state.binding_mut("web", "shop-http").unwrap();
            binding.annotations.remove(CHECKPOINT_ANNOTATION);
        });
        self.run()
    }

    /// Forces a pass that sees all targets.
    fn force_seeing(&mut self) -> Vec<String> {
        self.wait(300);
        self.force()
    }

    /// Turns the multi-cluster flag on or off.
    fn share(&self, shared: bool) {
        self.state(|state| {
            let binding = state.binding_mut("web", "shop-http").unwrap();
            binding.spec.multi_cluster_target_group = shared;
        });
    }

    fn register(&self, address: &str) {
        let request = TargetRequest::new(address, 8080);
        self.model(|m| m.register_targets(self.group.as_str(), &[request])).unwrap();
    }

    fn lose(&self, address: &str) {
        let request = TargetRequest::new(address, 8080);
        self.model(|m| m.deregister_targets(self.group.as_str(), &[request])).unwrap();
    }

    fn add_pod(&self, address: &str) {
        self.state(|state| state.add_pod("web", "shop", address));
    }

    fn remove_pod(&self, address: &str) {
        self.state(|state| state.remove_pod_at(address));
    }

    fn write_ledger(&self, addresses: &[&str]) {
        let entries: Vec<_> = addresses.iter().map(|address| format!("{address}:8080")).collect();
        self.state(|state| state.put_ledger("web", LEDGER, &entries.join(",")));
    }

    /// What the ledger names, sorted; none without one.
    fn ledger(&self) -> Option<Vec<String>> {
        let text = self.state(|s| s.ledger_text("web", LEDGER).map(str::to_owned))?;
        let entries = text.split(',').filter(|entry| !entry.is_empty());
        Some(addresses(entries.map(str::to_owned)))
    }

    fn registered(&self) -> Vec<String> {
        addresses(self.world.registered(&self.group))
    }

    fn checkpoint(&self) -> Option<String> {
        self.state(|state| {
            let binding = state.binding_mut("web", "shop-http").unwrap();
            binding.annotations.get(CHECKPOINT_ANNOTATION).cloned()
        })
    }

    fn has_current_checkpoint(&self) -> bool {
        self.checkpoint().is_some_and(|text| text.len() == 87)
    }
}

fn addresses(targets: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut addresses: Vec<String> =
        targets.into_iter().map(|target| target.trim_end_matches(":8080").to_owned()).collect();
    addresses.sort();
    addresses
}

/// The calls that change something.
fn writes(calls: &[String]) -> Vec<&str> {
    let is_read = |call: &&str| call.starts_with("Describe") || call.starts_with("Get");
    calls.iter().map(String::as_str).filter(|call| !is_read(call)).collect()
}
