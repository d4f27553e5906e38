//! What is predicted of a pass is what the model of the controller does.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::{Knowledge, pass};
use crate::binding::{CHECKPOINT_ANNOTATION, Flavour};
use crate::ledger;
use crate::sim::controller::{Flags, View, Worker};
use crate::sim::elbv2::{Condition, TargetRequest};
use crate::sim::world::VPC;
use crate::sim::{Cluster, World};
use crate::target::{Target, TargetDescription, TargetGroupArn};

const ADDRESSES: [&str; 6] =
    ["10.0.0.2", "10.0.0.11", "10.0.64.3", "10.0.64.21", "10.0.128.4", "10.0.128.31"];
const LEDGER: &str = "aws-lbc-targets-shop-http";

/// A set of [`ADDRESSES`], as bits.
type Set = u8;

fn addresses(set: Set) -> impl Iterator<Item = &'static str> {
    let numbered = ADDRESSES.into_iter().enumerate();
    numbered.filter(move |(index, _)| set & (1 << index) != 0).map(|(_, address)| address)
}

fn targets(set: Set) -> BTreeSet<Target> {
    addresses(set).map(|address| Target::new(address, 8080)).collect()
}

/// A moment before a pass.
#[derive(Clone, Debug)]
struct Moment {
    pods: Set,
    /// The ledger in memory; none after a restart.
    memory: Option<Set>,
    stored: Option<Set>,
    listed: Set,
    draining: Set,
    failing: Set,
    has_service: bool,
    max_targets: Option<usize>,
}

fn moment() -> impl Strategy<Value = Moment> {
    let set = || 0..(1_u8 << ADDRESSES.len());
    let ledger = || proptest::option::of(set());
    let targets = (set(), set(), set());
    let limit = proptest::option::of(1..8_usize);
    (set(), ledger(), ledger(), targets, proptest::bool::weighted(0.8), limit).prop_map(
        |(pods, memory, stored, (listed, draining, failing), has_service, max_targets)| {
            let (draining, failing) = (draining & listed, failing & listed & !draining);
            Moment { pods, memory, stored, listed, draining, failing, has_service, max_targets }
        },
    )
}

struct Stage {
    world: World,
    blue: Cluster,
    group: TargetGroupArn,
    worker: Worker,
}

impl Stage {
    /// Brings a controller to a moment: what it has in memory it wrote itself once.
    fn new(moment: &Moment) -> Self {
        let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
        let group = world.add_group("k8s-web-shop");
        let blue = world.add_cluster("blue");
        let before: Vec<&str> = addresses(moment.memory.unwrap_or(0)).collect();
        blue.share("web", "shop", &before, &group);
        let flags = Flags { max_targets: moment.max_targets, ..Flags::new(VPC) };
        let mut worker = Worker::start(&blue, &world.load_balancers(), flags);
        worker.run();
        if moment.memory.is_none() {
            worker.restart();
        }
        let stage = Self { world, blue, group, worker };
        stage.call(u8::MAX, false);
        stage.world.advance(Duration::from_secs(3_600));
        stage.call(moment.listed, true);
        stage.world.load_balancers().with(|model| {
            for address in addresses(moment.failing) {
                model.set_condition(address, Condition::FailingGracefully);
            }
        });
        stage.world.advance(Duration::from_secs(3_600));
        stage.call(moment.draining, false);
        stage.blue.with(|state| {
            state.pods.clear();
            for address in addresses(moment.pods) {
                state.add_pod("web", "shop", address);
            }
            if !moment.has_service {
                state.services.clear();
            }
            match moment.stored {
                Some(stored) => {
                    state.edit_ledger("web", LEDGER, &ledger::format(&targets(stored)));
                }
                None => state.ledgers.clear(),
            }
            let binding = state.binding_mut("web", "shop-http").unwrap();
            binding.annotations.remove(CHECKPOINT_ANNOTATION);
        });
        stage
    }

    /// Registers or deregisters behind everybody's back.
    fn call(&self, set: Set, register: bool) {
        let requests: Vec<TargetRequest> =
            addresses(set).map(|address| TargetRequest::new(address, 8080)).collect();
        if requests.is_empty() {
            return;
        }
        let arn = self.group.as_str();
        self.world.load_balancers().with(|model| {
            let called = match register {
                true => model.register_targets(arn, &requests),
                false => model.deregister_targets(arn, &requests),
            };
            called.unwrap();
        });
    }

    fn listed(&self) -> Vec<TargetDescription> {
        let load_balancers = self.world.load_balancers();
        let listed = load_balancers.with(|m| m.describe_target_health(self.group.as_str(), &[]));
        listed.unwrap().into_iter().map(|described| described.description).collect()
    }

    fn registered(&self) -> BTreeSet<Target> {
        let listed = self.listed().into_iter().filter(TargetDescription::is_registered);
        listed.map(|listed| listed.target).collect()
    }

    fn ledger(&self) -> Option<BTreeSet<Target>> {
        let text = self.blue.with(|state| state.ledger_text("web", LEDGER).map(str::to_owned))?;
        Some(ledger::parse(&text).unwrap())
    }

    /// Lets the controller make one pass.
    fn pass(&mut self) {
        self.worker.worked();
        while self.worker.worked().is_empty() {
            assert!(self.worker.step(), "its checkpoint is gone");
        }
    }
}

proptest! {
    #[test]
    fn the_model_does_what_was_predicted(moment in moment()) {
        let mut stage = Stage::new(&moment);
        let (memory, stored) = (moment.memory.map(targets), moment.stored.map(targets));
        let listed = stage.listed();
        let endpoints = stage.blue.with(|state| {
            let view = View::of(state);
            let binding = state.bindings(Flavour::LoadBalancerController).next().unwrap();
            view.endpoints(binding).ok()
        });
        prop_assert_eq!(endpoints.is_some(), moment.has_service);
        let predicted = pass(&Knowledge {
            endpoints: endpoints.as_ref(),
            memory: memory.as_ref(),
            stored: stored.as_ref(),
            listed: &listed,
            max_targets: moment.max_targets,
        });
        let mut registered = stage.registered();
        registered.extend(predicted.register);
        for gone in &predicted.deregister {
            registered.remove(&gone.target);
        }
        let desired = endpoints.map(|endpoints| endpoints.targets());
        let kept = if predicted.writes_ledger { desired } else { stored };
        stage.pass();
        prop_assert_eq!(stage.registered(), registered);
        prop_assert_eq!(stage.ledger(), kept);
    }
}
