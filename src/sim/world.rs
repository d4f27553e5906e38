//! Clusters and load balancers under one time.

use std::io::Read;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::cluster::{Cluster, ClusterState};
use super::elbv2::{Model, NewGroup, NewLoadBalancer, Vpc};
use super::load_balancers::LoadBalancers;
use super::steps::Steps;
use crate::cluster::Cluster as _;
use crate::target::TargetGroupArn;

/// The VPC that every world has.
pub const VPC: &str = "vpc-0a1b2c3d4e5f60718";

/// The region that every world is in.
pub const REGION: &str = "us-east-1";

/// Its zones, each with the part of the VPC that its subnet has.
pub const ZONES: [(&str, &str); 3] = [
    ("us-east-1a", "10.0.0.0/18"),
    ("us-east-1b", "10.0.64.0/18"),
    ("us-east-1c", "10.0.128.0/18"),
];

/// The zone that an address of the VPC is in.
pub(super) fn zone_of(address: &str) -> Option<&'static str> {
    let address: std::net::IpAddr = address.parse().ok()?;
    let holds = |cidr: &str| cidr.parse::<IpNet>().is_ok_and(|cidr| cidr.contains(&address));
    ZONES.iter().find(|(_, cidr)| holds(cidr)).map(|(zone, _)| *zone)
}

const ACCOUNT: &str = "111122223333";

/// Clusters and load balancers under one time, which only the caller moves.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use mctg::sim::World;
///
/// let world = World::new("2026-01-01T00:00:00Z".parse()?);
/// let group = world.add_group("k8s-web-shop");
/// world.add_cluster("blue").share("web", "shop", &["10.0.0.11", "10.0.64.11"], &group);
/// world.add_cluster("green").share("web", "shop", &["10.0.0.21"], &group);
/// world.converge();
/// assert_eq!(world.registered(&group), ["10.0.0.11:8080", "10.0.0.21:8080", "10.0.64.11:8080"]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct World {
    clusters: Arc<Mutex<Vec<Cluster>>>,
    load_balancers: LoadBalancers,
    steps: Steps,
}

/// A world as JSON holds it.
#[derive(Serialize, Deserialize)]
struct Saved {
    clusters: Vec<SavedCluster>,
    load_balancers: Model,
}

#[derive(Serialize, Deserialize)]
struct SavedCluster {
    context: String,
    state: ClusterState,
}

/// The text is no saved world.
#[derive(Debug, thiserror::Error)]
#[error("failed to read a saved world")]
pub struct InvalidWorld {
    source: serde_json::Error,
}

impl World {
    /// Makes a world with one VPC over three zones, and nothing in it.
    pub fn new(now: Timestamp) -> Self {
        let mut model = Model::new(REGION, ACCOUNT, now);
        let vpc = ZONES.iter().fold(Vpc::default(), |vpc, (zone, cidr)| vpc.subnet(zone, cidr));
        model.add_vpc(VPC, vpc);
        Self::of(model)
    }

    fn of(model: Model) -> Self {
        let steps = Steps::default();
        let load_balancers = LoadBalancers::new(model, steps.clone());
        Self { clusters: Arc::default(), load_balancers, steps }
    }

    /// Adds a cluster with one node in each zone.
    pub fn add_cluster(&self, context: &str) -> Cluster {
        let mut state = ClusterState::new(context, self.now());
        let number = self.clusters().len() + 1;
        for (index, (zone, _)) in ZONES.iter().enumerate() {
            let address = format!("10.0.{}.{}", index * 64 + 63, number);
            let name = format!("ip-{}.ec2.internal", address.replace('.', "-"));
            let instance = format!("i-{number:08x}{index:09x}");
            state.add_node(&name, zone, &instance, &address);
            self.load_balancers.with(|model| model.add_instance(&instance, VPC, zone));
        }
        self.adopt(context, state)
    }

    fn adopt(&self, context: &str, state: ClusterState) -> Cluster {
        let cluster = Cluster::new(context, state, self.steps.clone());
        self.lock().push(cluster.clone());
        cluster
    }

    /// Adds an `ip` group behind an NLB of its own, on a listener TCP:80.
    ///
    /// # Panics
    ///
    /// Where the name makes no ARN: tests give it.
    pub fn add_group(&self, name: &str) -> TargetGroupArn {
        self.load_balancers.with(|model| {
            let load_balancer = model.create_load_balancer(&NewLoadBalancer::new(name, VPC));
            let group = model.create_target_group(&NewGroup::new(name, VPC));
            let group = group.expect("the name makes an ARN");
            let listener = model.create_listener(&load_balancer, "TCP", 80, &[(&group, 1)]);
            listener.expect("the group is new");
            group
        })
    }

    /// The clusters, in the order they were added.
    pub fn clusters(&self) -> Vec<Cluster> {
        self.lock().clone()
    }

    /// The cluster behind a context.
    pub fn cluster(&self, context: &str) -> Option<Cluster> {
        self.clusters().into_iter().find(|cluster| cluster.context() == context)
    }

    /// The load balancers.
    pub fn load_balancers(&self) -> LoadBalancers {
        self.load_balancers.clone()
    }

    /// The steps that every call passes.
    pub fn steps(&self) -> &Steps {
        &self.steps
    }

    /// The world's time.
    pub fn now(&self) -> Timestamp {
        self.load_balancers.with(|model| model.now())
    }

    /// Moves time on, for everything at once.
    pub fn advance(&self, by: Duration) {
        self.load_balancers.with(|model| model.advance(by));
        let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
        for cluster in self.clusters() {
            cluster.with(|state| state.advance(by));
        }
    }

    /// Moves time on to `now`; time never goes back.
    pub fn advance_to(&self, now: Timestamp) {
        // A clock that was set back leaves the world where it is.
        let by = now.duration_since(self.now());
        self.advance(Duration::try_from(by).unwrap_or(Duration::ZERO));
    }

    /// Lets every cluster's controller make a pass, and waits until what it registered has been
    /// checked and what it deregistered has left.
    pub fn converge(&self) {
        for cluster in self.clusters() {
            cluster.controller_pass(&self.load_balancers);
        }
        self.advance(Duration::from_secs(3_600));
    }

    /// The targets of a group that are registered, as `id:port`.
    pub fn registered(&self, group: &TargetGroupArn) -> Vec<String> {
        let listed = self.load_balancers.with(|m| m.describe_target_health(group.as_str(), &[]));
        let listed = listed.into_iter().flatten().map(|described| described.description);
        listed.filter(|d| d.is_registered()).map(|d| d.target.to_string()).collect()
    }

    /// Writes the world as JSON: faults to come, silences, hooks, calls and aliases are left out.
    ///
    /// # Errors
    ///
    /// None that this world's types can cause.
    pub fn save(&self) -> Result<String, serde_json::Error> {
        let clusters = self.clusters().into_iter().map(|cluster| SavedCluster {
            context: cluster.context().to_owned(),
            state: cluster.with(|state| state.clone()),
        });
        let saved = Saved {
            clusters: clusters.collect(),
            load_balancers: self.load_balancers.with(|model| model.clone()),
        };
        serde_json::to_string_pretty(&saved)
    }

    /// Reads a world that [`Self::save`] wrote. Its time is the one it was saved at:
    /// [`Self::advance_to`] brings it up to the present.
    ///
    /// # Errors
    ///
    /// [`InvalidWorld`] for any other text.
    pub fn load(text: &str) -> Result<Self, InvalidWorld> {
        Self::read(text.as_bytes())
    }

    /// Reads a world as [`Self::load`] does.
    ///
    /// # Errors
    ///
    /// [`InvalidWorld`] where the text is none, or could not be read.
    pub fn read(reader: impl Read) -> Result<Self, InvalidWorld> {
        let saved: Saved =
            serde_json::from_reader(reader).map_err(|source| InvalidWorld { source })?;
        let world = Self::of(saved.load_balancers);
        for cluster in saved.clusters {
            world.adopt(&cluster.context, cluster.state);
        }
        Ok(world)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Cluster>> {
        self.clusters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
