//! Who holds an address, and since when a pod is ready: read only where a guard or a young
//! difference asks.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::future::join_all;

use super::CONCURRENCY;
use crate::cluster::Cluster;
use crate::concurrent::boxed;
use crate::endpoints::{self, Pod, PodName};
use crate::facts::{Aliveness, ClusterFacts, Facts, Holder, Reading};
use crate::target::Target;
use crate::view;

/// What one cluster is to be asked.
#[derive(Default)]
struct Questions {
    /// Addresses of targets that are tracked and registered, and desired no more.
    addresses: BTreeSet<String>,
    /// Pods behind targets that are desired and not registered.
    pods: BTreeSet<PodName>,
}

/// Reads who holds the addresses of candidates for deregistration, in the acting contexts; and
/// beside a live controller how old each difference is.
pub(super) async fn read<C: Cluster>(
    clusters: &[&C],
    facts: &mut Facts,
    acting: &BTreeSet<String>,
) {
    let questions: Vec<Questions> =
        facts.clusters.iter().map(|cluster| questions(facts, cluster, acting)).collect();
    let answers =
        join_all(clusters.iter().zip(&questions).map(|(cluster, questions)| async move {
            let pods = if questions.pods.is_empty() {
                Ok(Vec::new())
            } else {
                cluster.pods(&questions.pods).await
            };
            (holders(*cluster, &questions.addresses).await, pods)
        }))
        .await;
    for (cluster, (holders, pods)) in facts.clusters.iter_mut().zip(answers) {
        let cost = "what may be another cluster's by now stays registered";
        // One cause is told once, for whichever address.
        let unheld = holders.values().find_map(|held| held.as_ref().err());
        cluster.unseen.extend(unheld.map(|silence| silence.at_the_cost_of(cost)));
        cluster.holders = holders;
        let pods: BTreeMap<PodName, Pod> =
            pods.into_iter().flatten().map(|pod| (pod.name.clone(), pod)).collect();
        for endpoints in cluster
            .bindings
            .iter_mut()
            .flatten()
            .filter_map(|binding| binding.endpoints.as_mut().ok())
        {
            for endpoint in endpoints.desired.values_mut() {
                let pod = endpoint.pod.as_ref().and_then(|name| pods.get(name));
                endpoint.ready_since = pod.and_then(|pod| pod.ready_since).or(endpoint.ready_since);
            }
        }
    }
}

fn questions(facts: &Facts, cluster: &ClusterFacts, acting: &BTreeSet<String>) -> Questions {
    let acts = acting.contains(&cluster.context);
    let mut questions = Questions::default();
    for binding in
        cluster.bindings().filter(|binding| binding.binding.spec.multi_cluster_target_group)
    {
        let beside_controller = cluster.controller(binding.binding.flavour) == Aliveness::Alive;
        let targets = binding
            .group
            .as_ref()
            .ok()
            .and_then(|arn| facts.groups.get(arn)?.targets.as_ref().ok());
        let (Some(targets), true) = (targets, acts || beside_controller) else { continue };
        let view = view::BindingView { cluster, facts: binding };
        let Some(desired) = view.desired() else { continue };
        let registered: BTreeSet<&Target> = targets
            .iter()
            .filter(|listed| listed.is_registered())
            .map(|listed| &listed.target)
            .collect();
        let tracked = view.tracked().flatten().into_iter().flatten();
        let candidates =
            tracked.filter(|target| registered.contains(target) && !desired.contains_key(target));
        questions.addresses.extend(candidates.map(|target| target.id.clone()));
        if beside_controller {
            let missing = desired.iter().filter(|(target, _)| !registered.contains(target));
            questions.pods.extend(missing.filter_map(|(_, endpoint)| endpoint.pod.clone()));
        }
    }
    questions
}

pub(crate) async fn holders<C: Cluster>(
    cluster: &C,
    addresses: &BTreeSet<String>,
) -> BTreeMap<String, Reading<Vec<Holder>>> {
    let is_instance = |id: &&String| id.parse::<std::net::IpAddr>().is_err();
    let (instances, pods): (Vec<&String>, Vec<&String>) = addresses.iter().partition(is_instance);
    let by_pod = pods.into_iter().map(|address| async move {
        let pods = cluster.pods_with_address(address).await;
        (address.clone(), pods.map(|pods| pods.into_iter().map(Holder::Pod).collect()))
    });
    let mut holders: BTreeMap<String, Reading<Vec<Holder>>> =
        boxed(by_pod).buffer_unordered(CONCURRENCY).collect().await;
    if !instances.is_empty() {
        let nodes = cluster.nodes().await;
        for id in instances {
            let named = nodes.as_ref().map(|nodes| {
                let held = nodes
                    .iter()
                    .filter(|node| endpoints::instance_id(&node.provider_id).as_ref() == Some(id));
                held.map(|node| Holder::Node(node.name.clone())).collect()
            });
            holders.insert(id.clone(), named.map_err(Clone::clone));
        }
    }
    holders
}
