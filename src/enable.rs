//! `enable` and `disable`: the multi-cluster flag, switched where it lives, and only where that is safe.
//!
//! ```text
//! what was named ─► its bindings ─► the places that hold their flag ─► every binding those decide
//!                                                     │                         │ all must be ready
//!                                                     └─► patches, and what must come of them
//! ```
//!
//! A generated binding is switched at its owner: the controller reverts what is edited on the binding,
//! and empties the other clusters' targets on the way (`facts/lbc.md` 5.2).

mod asked;
mod case;
mod checks;
mod find;
mod goals;
mod local;
mod patches;
mod plan;
mod spots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;

pub use self::asked::{Asked, InvalidAsked};
pub use self::local::{LocalError, edit};
use crate::attributes::DELETION_PROTECTION;
use crate::binding::{Binding, Flavour, LabelSelector};
use crate::change::{Item, Mistake, Verb};
use crate::cluster::Cluster;
use crate::elbv2::{Access, LoadBalancers};
use crate::facts::{Facts, LedgerFault, Reading, Silence};
use crate::ledger::{self, Ledger};
use crate::objects::{Kind, Objects};
use crate::observe::{self, Detail, Scope, owners};
use crate::selection::{NameQuery, QueryKind, Selection};
use crate::target::TargetGroupArn;

/// What to switch, and how.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// The context to write to.
    pub context: String,
    /// What is named; empty means everything that has a binding there.
    pub names: Vec<Asked>,
    /// The namespace of what is named; none means all.
    pub namespace: Option<String>,
    /// Only objects with these labels.
    pub labels: LabelSelector,
    /// What to do about deletion protection; none turns it on with the flag, and leaves it on without.
    pub protect: Option<bool>,
    /// Whether to write what another program deploys too.
    pub force_conflicts: bool,
    /// Whether fewer contexts are read than there are.
    pub narrowed: bool,
    /// The contexts that are not read, as the caller wishes.
    pub left_out: BTreeSet<String>,
}

/// Turns bindings multi-cluster.
#[derive(Debug)]
pub struct Enable(Switch);

/// Turns bindings exclusive again.
#[derive(Debug)]
pub struct Disable(Switch);

impl Enable {
    /// Makes the verb of a request.
    pub fn new(request: Request) -> Self {
        Self(Switch { request, on: true, seen: Mutex::default() })
    }
}

impl Disable {
    /// Makes the verb of a request.
    pub fn new(request: Request) -> Self {
        Self(Switch { request, on: false, seen: Mutex::default() })
    }
}

#[derive(Debug)]
struct Switch {
    request: Request,
    on: bool,
    /// The load balancers of the groups that were read, which do not change while anything is waited
    /// for.
    seen: Mutex<BTreeMap<TargetGroupArn, BTreeSet<String>>>,
}

/// What a switch is decided by.
#[derive(Debug)]
pub struct World {
    facts: Facts,
    /// Every binding of the cluster that is written to.
    bindings: Reading<Vec<Binding>>,
    /// What they were made for.
    objects: Objects,
    /// The ledgers of the bindings concerned, of exclusive ones too, by namespace and binding.
    ledgers: BTreeMap<(String, String), Result<Option<Ledger>, LedgerFault>>,
    /// Whether each load balancer of the groups concerned is protected in AWS.
    protected: BTreeMap<TargetGroupArn, Vec<(String, Reading<bool>)>>,
}

impl Switch {
    async fn observe<C: Cluster, L: LoadBalancers>(
        &self,
        clusters: &[C],
        load_balancers: &L,
        clock: &(impl Fn() -> Timestamp + Sync),
        again: bool,
    ) -> World {
        let request = &self.request;
        let acting = clusters.iter().find(|it| it.context() == request.context);
        let (bindings, objects) = match acting {
            Some(cluster) => self.look(cluster).await,
            None => (Ok(Vec::new()), Objects::default()),
        };
        let concerned: BTreeSet<(String, String)> = match &bindings {
            Ok(all) => find::subjects(request, self.on, all, &objects)
                .map(|subjects| subjects.into_iter().flat_map(|it| it.concerned).collect())
                .unwrap_or_default(),
            Err(_) => BTreeSet::new(),
        };
        let query = |(_, name): &(String, String)| NameQuery {
            kind: Some(QueryKind::Binding),
            name: name.clone(),
        };
        // Nothing to judge: which contexts answer is all that is told.
        let nowhere = concerned.is_empty().then(String::new);
        let names = concerned.iter().map(query).collect();
        let scope = Scope {
            selection: Selection { names, namespace: nowhere, ..Selection::default() },
            detail: if again { Detail::TargetsOnly } else { Detail::Polite },
            narrowed: request.narrowed,
            left_out: request.left_out.clone(),
            ..Scope::default()
        };
        let mut facts = observe::observe(clusters, load_balancers, &scope, clock).await;
        let ledgers = match acting {
            Some(cluster) => read_ledgers(cluster, &concerned).await,
            None => BTreeMap::new(),
        };
        let protected = self.protected(&facts, load_balancers, again).await;
        facts.observed_at = clock();
        World { facts, bindings, objects, ledgers, protected }
    }

    /// Reads every binding of the cluster that is written to, and what those were made for that may be
    /// meant.
    async fn look<C: Cluster>(&self, cluster: &C) -> (Reading<Vec<Binding>>, Objects) {
        let mut objects = Objects::default();
        let bindings = match self.bindings(cluster).await {
            Ok(bindings) => bindings,
            Err(silence) => return (Err(silence), objects),
        };
        // What was read names what is read next; each round reads at least one thing more.
        loop {
            let wanted = find::wanted(&self.request, &bindings, &objects);
            if wanted.is_empty() {
                break;
            }
            owners::fetch(cluster, &mut objects, wanted).await;
        }
        (Ok(bindings), objects)
    }

    async fn bindings<C: Cluster>(&self, cluster: &C) -> Reading<Vec<Binding>> {
        let mut all = cluster.bindings(Flavour::LoadBalancerController, None).await;
        if let (Err(silence), Some(namespace)) = (&all, &self.request.namespace)
            && silence.reason == crate::facts::SilenceReason::Forbidden
        {
            all = cluster.bindings(Flavour::LoadBalancerController, Some(namespace)).await;
        }
        let mut all = all?;
        // They are named to be refused: who may not read them, or has none, cannot mean them.
        let of_auto_mode = cluster.bindings(Flavour::AutoMode, self.request.namespace.as_deref());
        all.extend(of_auto_mode.await.unwrap_or_default());
        Ok(all)
    }

    /// Reads whether load balancers are protected; later on of those only that were found first.
    async fn protected<L: LoadBalancers>(
        &self,
        facts: &Facts,
        load_balancers: &L,
        again: bool,
    ) -> BTreeMap<TargetGroupArn, Vec<(String, Reading<bool>)>> {
        let is_on = |attributes: &BTreeMap<String, String>| {
            attributes.get(DELETION_PROTECTION).is_some_and(|value| value == "true")
        };
        if !again {
            let mut seen = BTreeMap::new();
            let mut protected = BTreeMap::new();
            for (arn, group) in &facts.groups {
                let all = group.load_balancers.iter().flatten();
                let told = |it: &crate::facts::LoadBalancerFacts| {
                    let attributes = it.attributes.as_ref().map(is_on).map_err(Silence::clone);
                    (it.load_balancer.arn.clone(), attributes)
                };
                let all: Vec<_> = all.map(told).collect();
                seen.insert(arn.clone(), all.iter().map(|(arn, _)| arn.clone()).collect());
                protected.insert(arn.clone(), all);
            }
            *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
            return protected;
        }
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let own = facts.clusters.iter().find(|it| it.context == self.request.context);
        let access = |arn: &TargetGroupArn| {
            let binding = own?.bindings().find(|it| it.group.as_ref() == Ok(arn))?;
            Some(Access::of(&self.request.context, &binding.binding.spec, arn.region()))
        };
        let asking = seen.into_iter().filter_map(|(arn, all)| {
            let access = access(&arn)?;
            Some(async move {
                let each = all.into_iter().map(|name| {
                    let access = &access;
                    async move {
                        let told = load_balancers.load_balancer_attributes(access, &name).await;
                        (name, told.map(|attributes| is_on(&attributes)))
                    }
                });
                (arn, join_all(each).await)
            })
        });
        join_all(asking).await.into_iter().collect()
    }
}

async fn read_ledgers<C: Cluster>(
    cluster: &C,
    bindings: &BTreeSet<(String, String)>,
) -> BTreeMap<(String, String), Result<Option<Ledger>, LedgerFault>> {
    let name = |binding: &str| ledger::name(Flavour::LoadBalancerController, binding);
    let names = bindings.iter().map(|(namespace, it)| (namespace.clone(), name(it))).collect();
    let mut read = cluster.ledgers(&names).await;
    let own = bindings
        .iter()
        .filter_map(|key| Some((key.clone(), read.remove(&(key.0.clone(), name(&key.1)))?)));
    own.collect()
}

macro_rules! verb {
    ($verb:ty, $kind:literal) => {
        impl Verb for $verb {
            type World = World;

            const KIND: &'static str = $kind;

            async fn observe<C: Cluster, L: LoadBalancers>(
                &self,
                clusters: &[C],
                load_balancers: &L,
                clock: &(impl Fn() -> Timestamp + Sync),
                again: bool,
            ) -> World {
                self.0.observe(clusters, load_balancers, clock, again).await
            }

            fn facts<'w>(&self, world: &'w World) -> &'w Facts {
                &world.facts
            }

            fn plan(&self, world: &World, waited: Duration) -> Result<Vec<Item>, Mistake> {
                plan::plan(&self.0.request, self.0.on, world, waited)
            }
        }
    };
}

verb!(Enable, "Enable");
verb!(Disable, "Disable");

/// The kinds that can be named.
pub(crate) const KINDS: [Kind; 9] = [
    Kind::Service,
    Kind::Ingress,
    Kind::Gateway,
    Kind::HttpRoute,
    Kind::GrpcRoute,
    Kind::TcpRoute,
    Kind::UdpRoute,
    Kind::TlsRoute,
    Kind::TargetGroupBinding,
];

#[cfg(all(test, feature = "sim"))]
mod tests;
