//! ELBv2 for tests: the simulator's model on the AWS wire format, on loopback.

use std::time::Duration;

use mctg::sim::elbv2::{Model, NewGroup, NewLoadBalancer, TargetRequest};
use mctg::sim::steps::Steps;
use mctg::sim::wire::{self, Server};
use mctg::sim::world::VPC;
use mctg::sim::{LoadBalancers, World};
use mctg::target::TargetGroupArn;

use super::programs::Desk;

/// A region of an account with one VPC over three zones, served over the wire; ended when dropped.
///
/// Its time stands still unless a test moves it, and a target is healthy as soon as it is registered:
/// tests that are about waiting change `settings`.
pub(crate) struct Elbv2 {
    world: World,
    server: Server,
}

impl Elbv2 {
    pub(crate) async fn start() -> Self {
        let world = World::new("2026-01-01T00:00:00Z".parse().expect("it is a time"));
        let elbv2 = Self {
            server: wire::serve(world.load_balancers(), ([127, 0, 0, 1], 0).into())
                .await
                .expect("a loopback port is free"),
            world,
        };
        elbv2.with(|model| {
            model.settings.registering = Duration::ZERO;
            model.settings.first_checks = Duration::ZERO;
        });
        elbv2
    }

    /// Its endpoint URL.
    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// What came over the wire, and faults to come.
    pub(crate) fn server(&self) -> &Server {
        &self.server
    }

    /// The model, for another face of it.
    pub(crate) fn load_balancers(&self) -> LoadBalancers {
        self.world.load_balancers()
    }

    /// The steps that every call passes, whoever makes it.
    pub(crate) fn steps(&self) -> &Steps {
        self.world.steps()
    }

    /// Looks at or changes the model behind everybody's back.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut Model) -> T) -> T {
        self.world.load_balancers().with(look)
    }

    /// Adds an `ip` group for TCP behind an NLB of its own that is named like it.
    pub(crate) fn group(&self, name: &str) -> TargetGroupArn {
        self.world.add_group(name)
    }

    /// Adds a group of any kind behind an NLB of its own that is named like it.
    pub(crate) fn group_like(&self, group: &NewGroup) -> TargetGroupArn {
        self.with(|model| {
            let load_balancer = model.create_load_balancer(&NewLoadBalancer::new(&group.name, VPC));
            let group = model.create_target_group(group).expect("the name makes an ARN");
            let listener = model.create_listener(&load_balancer, "TCP", 80, &[(&group, 1)]);
            listener.expect("the group is new");
            group
        })
    }

    /// Registers targets (`id:port`) behind everybody's back.
    pub(crate) fn register(&self, group: &TargetGroupArn, targets: &[impl AsRef<str>]) {
        let targets = requests(targets);
        self.with(|model| model.register_targets(group.as_str(), &targets))
            .expect("the model takes them");
    }

    /// Takes targets out behind everybody's back; they are gone at once.
    pub(crate) fn lose(&self, group: &TargetGroupArn, targets: &[impl AsRef<str>]) {
        let targets = requests(targets);
        self.with(|model| model.deregister_targets(group.as_str(), &targets))
            .expect("the model lets them go");
        self.drain();
    }

    /// Moves time on until whatever was draining is gone.
    pub(crate) fn drain(&self) {
        self.with(|model| model.advance(Duration::from_secs(3_600)));
    }

    /// The targets of a group that are registered, as `id:port`, sorted.
    pub(crate) fn registered(&self, group: &TargetGroupArn) -> Vec<String> {
        self.world.registered(group)
    }

    /// Lets no call fail any more.
    pub(crate) fn forget_faults(&self) {
        self.world.load_balancers().clear_faults();
    }

    /// The changes asked for so far: operation and number of targets.
    pub(crate) fn writes(&self) -> Vec<(String, usize)> {
        let requests = self.server.requests().into_iter();
        requests
            .filter(|request| !request.action.starts_with("Describe"))
            .map(|request| (request.action, request.targets))
            .collect()
    }
}

impl Desk {
    /// Points every AWS client of this desk at a model.
    pub(crate) fn with_elbv2(self, elbv2: &Elbv2) -> Self {
        self.set("AWS_ENDPOINT_URL", elbv2.url())
    }
}

fn requests(targets: &[impl AsRef<str>]) -> Vec<TargetRequest> {
    // As ledgers write them, IPv6 included.
    let parsed = targets
        .iter()
        .flat_map(|text| mctg::ledger::parse(text.as_ref()).expect("tests write `id:port`"));
    parsed.map(|target| TargetRequest::new(&target.id, target.port)).collect()
}
