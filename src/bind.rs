//! `bind`: joins a Service of one cluster to a target group that another cluster shares.
//!
//! What is asked for is a [`Request`]; everything that it leaves open is found: the group's settings
//! from ELBv2, who may reach the pods from the bindings that other clusters have of it, the port and
//! the node ports from this Service.
//!
//! ```text
//! observe   the clusters, the groups, the Services, what they would offer, the names that are taken
//! choose    one candidate for each Service and group: its port, its binding
//! plan      the binding as it is to be  ║  what forbids it  ║  the group as it will be
//! ```
//!
//! Only the binding is written; its controller does the rest, and is waited for. A run that was
//! killed anywhere is run again, and comes to the same end.

mod after;
mod candidate;
mod goals;
mod manifest;
mod networking;
mod plan;
mod preflight;
mod world;

#[cfg(all(test, feature = "sim"))]
mod sim_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use jiff::Timestamp;

pub use self::world::World;
use crate::binding::{LabelSelector, Peer, PortRef};
use crate::change::{Item, Manifest, Mistake, Verb};
use crate::cluster::Cluster;
use crate::elbv2::{Access, LoadBalancers, Role};
use crate::facts::Facts;
use crate::observe::{Detail, Scope, Wanted};
use crate::target::TargetGroupArn;

/// The longest name a binding may have: its ledger's is sixteen characters longer, and ends at 253
/// (`facts/lbc.md` 2.1).
pub const NAME_MAX: usize = 237;

/// What is to be bound, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The context that is written to.
    pub context: String,
    /// Which Services.
    pub services: Services,
    /// To which target groups.
    pub groups: Groups,
    /// The Service's port; none finds it.
    pub port: Option<PortRef>,
    /// The binding's name; none finds one.
    pub name: Option<String>,
    /// Who may reach the targets.
    pub sources: Sources,
    /// The role that the controller assumes to reach the group, which is another account's.
    pub role: Option<Role>,
    /// What becomes of a ledger of the binding's name that lies there from before.
    pub ledger: OldLedger,
    /// Whether fewer contexts are read than there are.
    pub narrowed: bool,
    /// The contexts that are not read, as the caller wishes.
    pub left_out: BTreeSet<String>,
}

impl Request {
    /// Asks for one Service and one group, and leaves the rest to be found.
    pub fn new(context: &str, namespace: &str, service: &str, group: TargetGroupArn) -> Self {
        let service = (namespace.to_owned(), service.to_owned());
        Self {
            context: context.to_owned(),
            services: Services::Named([service].into()),
            groups: Groups::Arns([group].into()),
            port: None,
            name: None,
            sources: Sources::Found,
            role: None,
            ledger: OldLedger::Refused,
            narrowed: false,
            left_out: BTreeSet::new(),
        }
    }
}

/// Which Services are bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Services {
    /// These, by namespace and name.
    Named(BTreeSet<(String, String)>),
    /// Those that exist in both clusters.
    Chosen {
        /// Of this namespace only.
        namespace: Option<String>,
        /// With these labels in the cluster that is written to.
        labels: LabelSelector,
    },
}

/// Which target groups Services are bound to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// These.
    Arns(BTreeSet<TargetGroupArn>),
    /// Those that this context's bindings of the same Service share.
    From(String),
}

impl Groups {
    /// The context that tells which, where one does.
    fn source(&self) -> Option<&str> {
        match self {
            Self::From(context) => Some(context),
            Self::Arns(_) => None,
        }
    }
}

/// Who may reach the targets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sources {
    /// Whoever may reach those of the other clusters.
    #[default]
    Found,
    /// These.
    Given(Vec<Peer>),
    /// That is taken care of elsewhere: the binding says nothing about it.
    Unmanaged,
}

/// What becomes of a ledger of the binding's name that lies there from before: the new binding's
/// controller would take what it names for its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OldLedger {
    /// Nothing is bound.
    #[default]
    Refused,
    /// It is this cluster's: what it names and nobody wants any more is taken out.
    Adopted,
    /// It is deleted first.
    Discarded,
}

/// Joins Services to target groups: [`Verb`] as [`crate::change`] carries it out.
#[derive(Debug)]
pub struct Bind {
    request: Request,
    /// What does not change while something is waited for, from the last whole look.
    seen: Mutex<world::Seen>,
}

impl Bind {
    /// Takes a request.
    pub fn new(request: Request) -> Self {
        Self { request, seen: Mutex::default() }
    }

    /// The bindings as they are to be, those that are there already too; none of what a check
    /// forbids.
    pub fn manifests(&self, world: &World) -> Vec<Manifest> {
        plan::manifests(&self.request, world)
    }

    fn scope(&self, again: bool) -> Scope {
        let request = &self.request;
        let wanted = match (&request.groups, &request.services) {
            (Groups::Arns(_), _) => Wanted::Asked,
            (Groups::From(context), Services::Named(services)) => {
                Wanted::Of { context: context.clone(), services: Some(services.clone()) }
            }
            (Groups::From(context), Services::Chosen { .. }) => {
                Wanted::Of { context: context.clone(), services: None }
            }
        };
        let access = |arn: &TargetGroupArn| Access {
            context: request.context.clone(),
            region: arn.region().to_owned(),
            role: request.role.clone(),
        };
        let groups = match &request.groups {
            Groups::Arns(arns) => arns.iter().map(|arn| (arn.clone(), access(arn))).collect(),
            Groups::From(_) => BTreeMap::new(),
        };
        Scope {
            wanted,
            groups,
            detail: if again { Detail::TargetsOnly } else { Detail::Polite },
            narrowed: request.narrowed,
            left_out: request.left_out.clone(),
            ..Scope::default()
        }
    }
}

impl Verb for Bind {
    type World = World;

    const KIND: &'static str = "Bind";

    async fn observe<C: Cluster, L: LoadBalancers>(
        &self,
        clusters: &[C],
        load_balancers: &L,
        clock: &(impl Fn() -> Timestamp + Sync),
        again: bool,
    ) -> World {
        let scope = self.scope(again);
        let mut world =
            world::read(clusters, load_balancers, &self.request, &scope, clock, again).await;
        // A look that panicked left what it knew as it was.
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if again {
            seen.recall(&mut world);
        } else {
            *seen = world::Seen::of(&world);
        }
        world
    }

    fn facts<'w>(&self, world: &'w World) -> &'w Facts {
        &world.facts
    }

    fn plan(&self, world: &World, waited: Duration) -> Result<Vec<Item>, Mistake> {
        plan::plan(&self.request, world, waited)
    }

    fn preface(&self, world: &World) -> Vec<String> {
        plan::preface(world)
    }
}
