//! What `bind` reads: the observed facts, and beside them the cluster that is written to.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join, join_all, join3, join4};
use jiff::Timestamp;

use super::candidate::{self, Candidate, Key};
use super::{Groups, Request, Services, manifest};
use crate::binding::{Binding, Flavour};
use crate::cluster::Cluster;
use crate::elbv2::LoadBalancers;
use crate::endpoints::{Endpoints, Service, Unresolved};
use crate::facts::{
    ClusterFacts, Facts, LedgerFault, LoadBalancerFacts, Reading, Silence, SilenceReason, Webhook,
};
use crate::ledger::{self, Ledger};
use crate::objects::Kind;
use crate::observe::endpoints::offered;
use crate::observe::{self, Scope};
use crate::target::TargetGroupArn;

/// What a plan to bind is made from.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) facts: Facts,
    /// The bindings of the cluster that is written to, those of other groups too.
    pub(super) bindings: Reading<Vec<Binding>>,
    /// The fields that bindings have there.
    pub(super) fields: Reading<BTreeSet<String>>,
    /// Who is behind the webhook that its bindings pass.
    pub(super) webhook: Reading<Webhook>,
    /// The Services by context and namespace.
    pub(super) services: BTreeMap<(String, String), Reading<BTreeMap<String, Service>>>,
    /// What the candidates' endpoints would ask for.
    pub(super) offers: BTreeMap<Key, Result<Endpoints, Unresolved>>,
    /// The ledgers of the candidates' names.
    pub(super) ledgers: BTreeMap<(String, String), Result<Option<Ledger>, LedgerFault>>,
}

impl World {
    /// The cluster behind a context, by whichever name it was read.
    pub(super) fn cluster(&self, context: &str) -> Option<&ClusterFacts> {
        let reaches = |cluster: &&ClusterFacts| {
            cluster.context == context || cluster.also.iter().any(|also| also == context)
        };
        self.facts.clusters.iter().find(reaches)
    }

    /// The cluster whose bindings tell which groups are asked for, where one does and was observed.
    pub(super) fn source(&self, groups: &Groups) -> Option<&ClusterFacts> {
        self.cluster(groups.source()?)
    }

    /// A Service, where its namespace was read and it is there.
    pub(super) fn service(&self, context: &str, namespace: &str, name: &str) -> Option<&Service> {
        let key = (context.to_owned(), namespace.to_owned());
        self.services.get(&key)?.as_ref().ok()?.get(name)
    }

    /// Why the Services of a namespace are not known.
    pub(super) fn services_unread(&self, context: &str, namespace: &str) -> Option<Silence> {
        match self.services.get(&(context.to_owned(), namespace.to_owned())) {
            Some(Ok(_)) => None,
            Some(Err(silence)) => Some(silence.clone()),
            None => Some(not_asked()),
        }
    }
}

fn not_asked() -> Silence {
    Silence::new(SilenceReason::NotAsked, "nobody asked")
}

/// What does not change while something is waited for.
#[derive(Debug, Default)]
pub(super) struct Seen {
    fields: Option<Reading<BTreeSet<String>>>,
    webhook: Option<Reading<Webhook>>,
    groups: BTreeMap<TargetGroupArn, About>,
}

/// A group's attributes, and what leads to it.
#[derive(Debug)]
struct About {
    attributes: Reading<BTreeMap<String, String>>,
    load_balancers: Reading<Vec<LoadBalancerFacts>>,
}

impl Seen {
    pub(super) fn of(world: &World) -> Self {
        let about = |(arn, facts): (&TargetGroupArn, &crate::facts::GroupFacts)| {
            let (attributes, load_balancers) =
                (facts.attributes.clone(), facts.load_balancers.clone());
            (arn.clone(), About { attributes, load_balancers })
        };
        let groups = world.facts.groups.iter().map(about).collect();
        let (fields, webhook) = (Some(world.fields.clone()), Some(world.webhook.clone()));
        Self { fields, webhook, groups }
    }

    /// Adds to a look what it did not ask for again.
    pub(super) fn recall(&self, world: &mut World) {
        if let Some(fields) = &self.fields {
            world.fields = fields.clone();
        }
        if let Some(webhook) = &self.webhook {
            world.webhook = webhook.clone();
        }
        for (arn, facts) in &mut world.facts.groups {
            if let Some(about) = self.groups.get(arn) {
                facts.attributes = about.attributes.clone();
                facts.load_balancers = about.load_balancers.clone();
            }
        }
    }
}

/// Reads the clusters and groups, then the Services that bindings of these groups register here and
/// there, then what the candidates made of them would offer.
pub(super) async fn read<C: Cluster, L: LoadBalancers>(
    clusters: &[C],
    load_balancers: &L,
    request: &Request,
    scope: &Scope,
    clock: &(impl Fn() -> Timestamp + Sync),
    again: bool,
) -> World {
    let here = clusters.iter().find(|cluster| cluster.context() == request.context);
    let bindings = async {
        match here {
            Some(cluster) => cluster.bindings(Flavour::LoadBalancerController, None).await,
            None => Err(not_asked()),
        }
    };
    let setting = async {
        match here {
            Some(cluster) if !again => {
                let managers = async { Some(cluster.objects(Kind::TargetGroup, None).await) };
                join3(cluster.spec_fields(), cluster.webhook(), managers).await
            }
            _ => (Err(not_asked()), Err(not_asked()), None),
        }
    };
    let named = namespaces_asked(request);
    let early = join_all(named.iter().map(|namespace| async {
        let services = match here {
            Some(cluster) => services(cluster, namespace).await,
            None => Err(not_asked()),
        };
        ((request.context.clone(), namespace.clone()), services)
    }));
    let observed = observe::observe(clusters, load_balancers, scope, clock);
    let (mut facts, bindings, (fields, webhook, managers), early) =
        join4(observed, bindings, setting, early).await;
    let reaches = |it: &&mut ClusterFacts| {
        it.context == request.context || it.also.contains(&request.context)
    };
    if let (Some(managers), Some(here)) = (managers, facts.clusters.iter_mut().find(reaches)) {
        here.objects.lists.insert((Kind::TargetGroup, None), managers);
    }
    let mut world = World {
        facts,
        bindings,
        fields,
        webhook,
        services: early.into_iter().collect(),
        offers: BTreeMap::new(),
        ledgers: BTreeMap::new(),
    };
    let wanted = services_wanted(request, &world);
    let reading = wanted.iter().filter_map(|key| {
        let cluster = clusters.iter().find(|cluster| cluster.context() == key.0)?;
        Some(async move { (key.clone(), services(cluster, &key.1).await) })
    });
    world.services.extend(join_all(reading).await);
    if let Some(cluster) = here {
        read_offers(cluster, request, &mut world).await;
    }
    world
}

async fn services<C: Cluster>(cluster: &C, namespace: &str) -> Reading<BTreeMap<String, Service>> {
    let services = cluster.services(namespace).await?;
    Ok(services.into_iter().map(|service| (service.name.clone(), service)).collect())
}

/// The namespaces that the request names.
fn namespaces_asked(request: &Request) -> BTreeSet<String> {
    match &request.services {
        Services::Named(names) => names.iter().map(|(namespace, _)| namespace.clone()).collect(),
        Services::Chosen { namespace, .. } => namespace.iter().cloned().collect(),
    }
}

/// The contexts and namespaces whose Services tell what a port is called, or exist here too.
fn services_wanted(request: &Request, world: &World) -> BTreeSet<(String, String)> {
    let mut wanted = BTreeSet::new();
    for cluster in &world.facts.clusters {
        let named = cluster.bindings().filter(|it| it.group.is_ok());
        for binding in named.filter(|it| it.binding.flavour == Flavour::LoadBalancerController) {
            let namespace = &binding.binding.namespace;
            wanted.insert((cluster.context.clone(), namespace.clone()));
            if matches!(request.services, Services::Chosen { .. }) {
                wanted.insert((request.context.clone(), namespace.clone()));
            }
        }
    }
    wanted.retain(|key| !world.services.contains_key(key));
    wanted
}

/// Reads what the candidates' endpoints ask for, and the ledgers of their names.
async fn read_offers<C: Cluster>(cluster: &C, request: &Request, world: &mut World) {
    let candidates: Vec<Candidate<'_>> = candidate::all(request, world);
    let planned: Vec<(Key, Binding)> = candidates
        .iter()
        .filter_map(|candidate| {
            let manifest = manifest::of(request, world, candidate)?;
            let binding = manifest::hypothetical(&manifest);
            Some((candidate.key(), binding))
        })
        .collect();
    let names = planned.iter().map(|(_, binding)| {
        (binding.namespace.clone(), ledger::name(binding.flavour, &binding.name))
    });
    let names: BTreeSet<_> = names.collect();
    let (keys, bindings): (Vec<Key>, Vec<Binding>) = planned.into_iter().unzip();
    let (offers, ledgers) = join(offered(cluster, &bindings), cluster.ledgers(&names)).await;
    world.offers = keys.into_iter().zip(offers).collect();
    world.ledgers = ledgers;
}
