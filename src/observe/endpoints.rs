//! The endpoints and ledgers of a cluster's bindings.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join, join_all, join3};

use super::look::Look;
use super::{Detail, Named, group_of};
use crate::binding::{Binding, Flavour, TargetType};
use crate::cluster::Cluster;
use crate::endpoints::{
    self, Backend, EndpointSlice, Endpoints, Node, Pod, PodName, PodStub, Service, Unresolved,
};
use crate::facts::{BindingFacts, ClusterFacts, LedgerFault, Reading, Silence, SilenceReason};
use crate::ledger::{self, Ledger};
use crate::objects::Objects;
use crate::target::TargetGroupArn;

/// Reads what the bindings of the chosen groups desire and track; bindings of other groups are left
/// out, those whose group is not known are not.
pub(super) async fn read<C: Cluster>(
    look: &Look<'_, C>,
    named: &Named,
    chosen: &BTreeSet<TargetGroupArn>,
    detail: Detail,
) -> ClusterFacts {
    let cluster = look.cluster;
    let (bindings, has_flag) = match &look.bindings {
        Err(silence) => (Err(silence.clone()), None),
        Ok(bindings) => {
            let chosen: Vec<(&Binding, Reading<TargetGroupArn>)> = bindings
                .iter()
                .map(|binding| (binding, group_of(cluster.context(), binding, named)))
                .filter(|(_, group)| group.as_ref().map_or(true, |arn| chosen.contains(arn)))
                .collect();
            // What is only told is not asked for where something is to be done.
            let is_told = !chosen.is_empty() && detail != Detail::TargetsOnly;
            let served = if is_told { bindings.as_slice() } else { &[] };
            let (bindings, has_flag) =
                join(read_bindings(cluster, chosen), has_flag(cluster, served)).await;
            (Ok(bindings), has_flag)
        }
    };
    ClusterFacts {
        context: cluster.context().to_owned(),
        cluster: cluster.cluster().map(str::to_owned),
        eks_name: cluster.eks_name().map(str::to_owned),
        also: look.also.clone(),
        bindings_found: look.bindings.as_ref().map_or(0, Vec::len),
        namesakes: ledger::namesakes(look.bindings.iter().flatten()),
        bindings,
        hidden: look.hidden.clone(),
        controllers: look.controllers.clone(),
        reconcilers: look.reconcilers.clone(),
        has_flag,
        unseen: look.unseen.clone(),
        holders: BTreeMap::new(),
        objects: Objects::default(),
        orphans: Vec::new(),
    }
}

/// Whether the flag is in the bindings' type; none where that is not known.
///
/// The API server leaves out of an object what its type does not have, so one binding with the flag
/// on proves it. The schema (a hundred kilobytes) is asked for only where all are exclusive, and
/// while their endpoints are read.
async fn has_flag<C: Cluster>(cluster: &C, bindings: &[Binding]) -> Option<bool> {
    let mut own = bindings.iter().filter(|it| it.flavour == Flavour::LoadBalancerController);
    if own.clone().any(|binding| binding.spec.multi_cluster_target_group) {
        return Some(true);
    }
    own.next()?;
    // A schema that was not told makes no finding.
    cluster.has_flag().await.ok()
}

/// What the endpoints of some bindings ask for, whether these exist or not.
pub(crate) async fn offered<C: Cluster>(
    cluster: &C,
    bindings: &[Binding],
) -> Vec<Result<Endpoints, Unresolved>> {
    let bindings: Vec<&Binding> = bindings.iter().collect();
    let world = Workloads::read(cluster, &bindings).await;
    bindings.into_iter().map(|binding| world.resolve(binding)).collect()
}

async fn read_bindings<C: Cluster>(
    cluster: &C,
    chosen: Vec<(&Binding, Reading<TargetGroupArn>)>,
) -> Vec<BindingFacts> {
    let bindings: Vec<&Binding> = chosen.iter().map(|(binding, _)| *binding).collect();
    let ledger_key = |binding: &Binding| {
        (binding.namespace.clone(), ledger::name(binding.flavour, &binding.name))
    };
    let with_ledger = bindings.iter().filter(|binding| binding.spec.multi_cluster_target_group);
    let ledger_names: BTreeSet<(String, String)> =
        with_ledger.map(|binding| ledger_key(binding)).collect();
    let (world, ledgers) =
        join(Workloads::read(cluster, &bindings), cluster.ledgers(&ledger_names)).await;
    let ledger = |binding: &Binding| -> Result<Option<Ledger>, LedgerFault> {
        ledgers.get(&ledger_key(binding)).cloned().unwrap_or(Ok(None))
    };
    chosen
        .into_iter()
        .map(|(binding, group)| BindingFacts {
            endpoints: world.resolve(binding),
            ledger: ledger(binding),
            group,
            binding: binding.clone(),
        })
        .collect()
}

/// The Services, slices, pods and nodes that decide what bindings desire.
struct Workloads {
    namespaces: BTreeMap<String, Namespace>,
    pods: BTreeMap<PodName, PodStub>,
    pods_unread: BTreeMap<String, Silence>,
    whole_pods: Reading<BTreeMap<PodName, Pod>>,
    nodes: Reading<BTreeMap<String, Node>>,
}

/// The Services and slices of one namespace.
struct Namespace {
    services: Reading<BTreeMap<String, Service>>,
    slices: Reading<BTreeMap<String, Vec<EndpointSlice>>>,
}

impl Workloads {
    /// Reads the namespaces that hold bindings, and of pods and nodes only what the rules need.
    async fn read<C: Cluster>(cluster: &C, bindings: &[&Binding]) -> Self {
        let wants_pods =
            |binding: &&Binding| binding.spec.target_type != Some(TargetType::Instance);
        let all: BTreeSet<&str> =
            bindings.iter().map(|binding| binding.namespace.as_str()).collect();
        let with_pods: BTreeSet<&str> = bindings
            .iter()
            .copied()
            .filter(wants_pods)
            .map(|binding| binding.namespace.as_str())
            .collect();
        let (namespaces, stubs) = join(
            join_all(all.iter().map(|namespace| {
                Namespace::read(cluster, namespace, with_pods.contains(namespace))
            })),
            join_all(
                with_pods
                    .iter()
                    .map(|namespace| async { (*namespace, cluster.pod_stubs(namespace).await) }),
            ),
        )
        .await;
        let namespaces: BTreeMap<String, Namespace> =
            all.iter().map(|name| (*name).to_owned()).zip(namespaces).collect();
        let mut workloads = Self {
            namespaces,
            pods: BTreeMap::new(),
            pods_unread: BTreeMap::new(),
            whole_pods: Ok(BTreeMap::new()),
            nodes: Ok(BTreeMap::new()),
        };
        workloads.add_stubs(stubs);
        let elsewhere = workloads.pod_namespaces_elsewhere(bindings, &with_pods);
        let more = elsewhere
            .iter()
            .map(|namespace| async { (namespace.as_str(), cluster.pod_stubs(namespace).await) });
        workloads.add_stubs(join_all(more).await);
        workloads.read_whole(cluster, bindings).await;
        workloads
    }

    fn add_stubs(&mut self, stubs: Vec<(&str, Reading<Vec<PodStub>>)>) {
        for (namespace, stubs) in stubs {
            match stubs {
                Ok(stubs) => {
                    self.pods.extend(stubs.into_iter().map(|stub| (stub.name.clone(), stub)));
                }
                Err(silence) => {
                    self.pods_unread.insert(namespace.to_owned(), silence);
                }
            }
        }
    }

    /// Endpoints may name pods of another namespace (I4).
    fn pod_namespaces_elsewhere(
        &self,
        bindings: &[&Binding],
        read: &BTreeSet<&str>,
    ) -> BTreeSet<String> {
        let slices = bindings.iter().flat_map(|binding| self.slices(binding));
        let pods =
            slices.flat_map(|slice| &slice.endpoints).filter_map(|endpoint| endpoint.pod.as_ref());
        pods.map(|pod| &pod.namespace)
            .filter(|namespace| !read.contains(namespace.as_str()))
            .cloned()
            .collect()
    }

    async fn read_whole<C: Cluster>(&mut self, cluster: &C, bindings: &[&Binding]) {
        let ip = |binding: &&&Binding| binding.spec.target_type == Some(TargetType::Ip);
        let needed: BTreeSet<PodName> = bindings
            .iter()
            .filter(ip)
            .flat_map(|binding| endpoints::whole_pods_needed(&binding.spec, self.slices(binding)))
            .filter(|name| self.pods.contains_key(name))
            .collect();
        let needs_nodes = !needed.is_empty() || !bindings.iter().all(|binding| ip(&binding));
        let (whole_pods, nodes) = join(
            async { if needed.is_empty() { Ok(Vec::new()) } else { cluster.pods(&needed).await } },
            async { if needs_nodes { cluster.nodes().await } else { Ok(Vec::new()) } },
        )
        .await;
        self.nodes =
            nodes.map(|nodes| nodes.into_iter().map(|node| (node.name.clone(), node)).collect());
        let whole_pods: Reading<BTreeMap<PodName, Pod>> =
            whole_pods.map(|pods| pods.into_iter().map(|pod| (pod.name.clone(), pod)).collect());
        if let Ok(whole) = &whole_pods {
            // A pod that went away since its metadata was listed is no pod any more.
            self.pods.retain(|name, _| !needed.contains(name) || whole.contains_key(name));
        }
        self.whole_pods = whole_pods;
    }

    fn slices(&self, binding: &Binding) -> impl Iterator<Item = &EndpointSlice> {
        let slices = self
            .namespaces
            .get(&binding.namespace)
            .and_then(|namespace| namespace.slices.as_ref().ok());
        slices.and_then(|slices| slices.get(&binding.spec.service_ref.name)).into_iter().flatten()
    }

    /// Resolves a binding's endpoints, or says what could not be read of what decides them.
    fn resolve(&self, binding: &Binding) -> Result<Endpoints, Unresolved> {
        let silent = |silence: &Silence| Unresolved::Silent(silence.clone());
        let not_asked = || {
            Unresolved::Silent(Silence::new(SilenceReason::NotAsked, "its namespace was not read"))
        };
        let namespace = self.namespaces.get(&binding.namespace).ok_or_else(not_asked)?;
        let services = namespace.services.as_ref().map_err(silent)?;
        let service = services.get(&binding.spec.service_ref.name);
        let (none, no_nodes) = (BTreeMap::new(), BTreeMap::new());
        let mut backend =
            Backend { service, slices: &[], pods: &self.pods, whole_pods: &none, nodes: &no_nodes };
        if binding.spec.target_type == Some(TargetType::Instance) {
            backend.nodes = self.nodes.as_ref().map_err(silent)?;
            return endpoints::resolve(&binding.spec, &backend);
        }
        namespace.slices.as_ref().map_err(silent)?;
        let slices: Vec<&EndpointSlice> = self.slices(binding).collect();
        backend.slices = &slices;
        let pods = slices
            .iter()
            .flat_map(|slice| &slice.endpoints)
            .filter_map(|endpoint| endpoint.pod.as_ref());
        let unread =
            pods.map(|pod| &pod.namespace).find_map(|namespace| self.pods_unread.get(namespace));
        if let Some(silence) = unread {
            return Err(silent(silence));
        }
        if !endpoints::whole_pods_needed(&binding.spec, slices.iter().copied()).is_empty() {
            backend.whole_pods = self.whole_pods.as_ref().map_err(silent)?;
            backend.nodes = self.nodes.as_ref().map_err(silent)?;
        }
        endpoints::resolve(&binding.spec, &backend)
    }
}

impl Namespace {
    async fn read<C: Cluster>(cluster: &C, name: &str, with_slices: bool) -> Self {
        let no_slices = async {
            if with_slices { cluster.endpoint_slices(name).await } else { Ok(Vec::new()) }
        };
        let (services, slices, ()) = join3(cluster.services(name), no_slices, async {}).await;
        let by_service = |slices: Vec<EndpointSlice>| {
            let mut by_service: BTreeMap<String, Vec<EndpointSlice>> = BTreeMap::new();
            for slice in slices {
                by_service.entry(slice.service.clone()).or_default().push(slice);
            }
            by_service
        };
        Self {
            services: services
                .map(|services| services.into_iter().map(|s| (s.name.clone(), s)).collect()),
            slices: slices.map(by_service),
        }
    }
}
