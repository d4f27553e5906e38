//! What the bindings of shared groups were made for, and what else has a say in their groups.
//!
//! Only told, and done without where it is not permitted: it costs certainty, and hides no target.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::future::{join, join_all};

use super::CONCURRENCY;
use super::look::Look;
use crate::binding::{Binding, Owner};
use crate::cluster::Cluster;
use crate::concurrent::boxed;
use crate::facts::{ClusterFacts, GroupFacts, OrphanLedger, Silence, SilenceReason};
use crate::ledger;
use crate::objects::{Key, Kind, Objects};
use crate::owner;
use crate::stack;
use crate::target::TargetGroupArn;

/// How often what was read may name more: an owner, its class, that one's configuration, and the
/// default configuration that one names. One more round finds that nothing is left.
const ROUNDS_MAX: usize = 6;

/// What to ask one cluster.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// The owners of its bindings of shared groups, with the Services behind the bindings; and those
    /// that tags name and that have no binding any more.
    owners: Vec<(Owner, Option<Key>)>,
    /// The namespaces of those bindings.
    namespaces: BTreeSet<String>,
}

/// What a cluster said of owners.
#[derive(Debug, Default)]
pub(super) struct Answers {
    pub(super) objects: Objects,
    pub(super) orphans: Vec<OrphanLedger>,
    pub(super) unseen: Vec<Silence>,
}

/// Finds out what to ask each cluster, in their order.
pub(super) fn questions(
    clusters: &[ClusterFacts],
    groups: &BTreeMap<TargetGroupArn, GroupFacts>,
) -> Vec<Questions> {
    let mut by_group: BTreeMap<&TargetGroupArn, Vec<(usize, &Binding)>> = BTreeMap::new();
    for (index, cluster) in clusters.iter().enumerate() {
        for facts in cluster.bindings() {
            if let Ok(arn) = &facts.group {
                by_group.entry(arn).or_default().push((index, &facts.binding));
            }
        }
    }
    let is_shared = |bindings: &Vec<(usize, &Binding)>| {
        bindings.len() > 1 || bindings.iter().any(|(_, it)| it.spec.multi_cluster_target_group)
    };
    by_group.retain(|_, bindings| is_shared(bindings));
    let mut questions: Vec<Questions> = clusters.iter().map(|_| Questions::default()).collect();
    for (arn, bindings) in by_group {
        for (index, binding) in &bindings {
            let own = &mut questions[*index];
            own.namespaces.insert(binding.namespace.clone());
            own.owners.extend(binding.owner().map(|it| (it, Some(stack::service(binding)))));
        }
        let tags = groups.get(arn).and_then(|group| group.tags.as_ref().ok());
        let Some(tags) = tags else { continue };
        let (Some(name), Some(owner)) = (owner::cluster_name(tags), Owner::from_tags(tags)) else {
            continue;
        };
        for (index, cluster) in clusters.iter().enumerate() {
            let is_generated = |(at, it): &(usize, &Binding)| *at == index && it.owner().is_some();
            if owner::names(cluster).any(|it| it == name) && !bindings.iter().any(is_generated) {
                questions[index].owners.push((owner.clone(), None));
            }
        }
    }
    questions
}

/// Asks each cluster, in their order.
pub(super) async fn read<C: Cluster>(
    looks: &[Look<'_, C>],
    questions: Vec<Questions>,
) -> Vec<Answers> {
    join_all(looks.iter().zip(questions).map(|(look, questions)| of_cluster(look, questions))).await
}

async fn of_cluster<C: Cluster>(look: &Look<'_, C>, questions: Questions) -> Answers {
    if questions.owners.is_empty() && questions.namespaces.is_empty() {
        return Answers::default();
    }
    let cluster = look.cluster;
    let owners = async {
        let mut objects = Objects::default();
        let mut lists = BTreeSet::new();
        if !questions.namespaces.is_empty() {
            lists.insert((Kind::TargetGroup, None));
        }
        for _ in 0..ROUNDS_MAX {
            let owners = questions.owners.iter().map(|(owner, service)| (owner, service.clone()));
            let mut wanted = stack::wanted(owners, &objects, false);
            wanted.lists.append(&mut lists);
            if wanted.is_empty() {
                break;
            }
            fetch(cluster, &mut objects, wanted).await;
        }
        objects
    };
    let (objects, orphans) = join(owners, orphans(look, &questions.namespaces)).await;
    let cost =
        "what its bindings were made for, and who else manages their groups, is not known in full";
    let is_news = |silence: &&&Silence| silence.reason != SilenceReason::Stopped;
    let unseen = objects.silences().iter().find(is_news).map(|it| it.at_the_cost_of(cost));
    Answers { objects, orphans, unseen: unseen.into_iter().collect() }
}

/// Reads objects and lists, a bounded number at once.
pub(crate) async fn fetch<C: Cluster>(cluster: &C, objects: &mut Objects, wanted: stack::Wanted) {
    let single = wanted.single.into_iter().map(|key| async move {
        let read = cluster.object(&key).await;
        (key, read)
    });
    let lists = wanted.lists.into_iter().map(|list| async move {
        let read = cluster.objects(list.0, list.1.as_deref()).await;
        (list, read)
    });
    let (single, lists): (Vec<_>, Vec<_>) = join(
        boxed(single).buffer_unordered(CONCURRENCY).collect(),
        boxed(lists).buffer_unordered(CONCURRENCY).collect(),
    )
    .await;
    objects.single.extend(single);
    objects.lists.extend(lists);
}

/// The ledgers that no multi-cluster binding goes with; none where they may not be listed.
async fn orphans<C: Cluster>(
    look: &Look<'_, C>,
    namespaces: &BTreeSet<String>,
) -> Vec<OrphanLedger> {
    let asking = namespaces
        .iter()
        .map(|namespace| async move { (namespace, look.cluster.ledger_names(namespace).await) });
    let names: Vec<_> = boxed(asking).buffered(CONCURRENCY).collect().await;
    let mut orphans = Vec::new();
    for (namespace, names) in names {
        for name in names.into_iter().flatten() {
            let Some((flavour, binding)) = ledger::binding_of(&name) else { continue };
            let is_it = |it: &&Binding| {
                it.flavour == flavour && it.namespace == *namespace && it.name == binding
            };
            let found = look.bindings.iter().flatten().find(is_it);
            if found.is_none_or(|it| !it.spec.multi_cluster_target_group) {
                orphans.push(OrphanLedger {
                    namespace: namespace.clone(),
                    name: name.clone(),
                    exclusive: found.map(|it| it.name.clone()),
                });
            }
        }
    }
    orphans
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Facts;
    use crate::observe::{Detail, Scope, observe};
    use crate::sim::World;
    use crate::sim::cluster::{NewBinding, Part, Request};

    fn world() -> (World, TargetGroupArn) {
        let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
        let group = world.add_group("k8s-web-shop");
        world.add_cluster("blue").with(|state| {
            state.add_service("web", "shop", 80, 8080);
            state.add_pod("web", "shop", "10.0.0.11");
            state.bind(&NewBinding::new("web", "k8s-web-shop", "shop", &group).generated());
        });
        world.add_cluster("green").share("web", "shop", &["10.0.0.12"], &group);
        (world, group)
    }

    async fn observed(world: &World, detail: Detail) -> Facts {
        let scope = Scope { detail, ..Scope::default() };
        observe(&world.clusters(), &world.load_balancers(), &scope, &|| world.now()).await
    }

    fn shop() -> Key {
        Key::new(Kind::Service, "web", "shop")
    }

    #[tokio::test]
    async fn the_owner_of_a_shared_groups_binding_is_read_where_it_is_told() {
        let (world, _) = world();
        let facts = observed(&world, Detail::Polite).await;
        assert!(facts.clusters[0].objects.get(&shop()).unwrap().is_some());
        assert!(facts.clusters[1].objects.get(&shop()).is_err(), "a standalone one has no owner");
        let blue = &world.clusters()[0];
        assert_eq!((blue.count(Request::ReadObject), blue.count(Request::ListObjects)), (1, 1));
        blue.clear_calls();
        observed(&world, Detail::TargetsOnly).await;
        assert_eq!((blue.count(Request::ReadObject), blue.count(Request::LedgerNames)), (0, 0));
    }

    #[tokio::test]
    async fn an_owner_that_may_not_be_read_costs_certainty_and_nothing_else() {
        let (world, _) = world();
        let silence = Silence::new(SilenceReason::Forbidden, "forbidden");
        for request in [Request::ReadObject, Request::ListObjects, Request::LedgerNames] {
            world.clusters()[0].silence(Part::Requests(request), silence.clone());
        }
        let facts = observed(&world, Detail::Polite).await;
        let blue = &facts.clusters[0];
        assert!(blue.is_read_in_full());
        assert_eq!(blue.unseen.len(), 1, "told once: {:?}", blue.unseen);
        assert!(blue.orphans.is_empty());
    }

    #[tokio::test]
    async fn a_ledger_is_an_orphan_without_a_multi_cluster_binding() {
        let (world, _) = world();
        let group = world.add_group("other");
        world.clusters()[0].with(|state| {
            state.put_ledger("web", "aws-lbc-targets-k8s-web-shop", "10.0.0.11:80");
            state.put_ledger("web", "aws-lbc-targets-gone", "10.0.0.9:80");
            state.put_ledger("web", "aws-lbc-targets-alone", "");
            state.put_ledger("elsewhere", "aws-lbc-targets-gone", "");
            state.bind(&NewBinding::new("web", "alone", "shop", &group).exclusive());
        });
        let facts = observed(&world, Detail::Polite).await;
        let orphans: Vec<_> = facts.clusters[0]
            .orphans
            .iter()
            .map(|it| (it.name.as_str(), it.exclusive.as_deref()))
            .collect();
        let expected = [("aws-lbc-targets-alone", Some("alone")), ("aws-lbc-targets-gone", None)];
        assert_eq!(orphans, expected);
    }

    #[tokio::test]
    async fn an_owner_without_its_binding_is_found_by_the_groups_tags() {
        let (world, group) = world();
        let blue = &world.clusters()[0];
        blue.with(|state| state.delete_binding("web", "k8s-web-shop"));
        world.load_balancers().with(|model| {
            let tags = [("elbv2.k8s.aws/cluster", "blue"), ("service.k8s.aws/stack", "web/shop")];
            let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned()));
            model.edit_group(&group, |group| group.tags.extend(tags));
        });
        let facts = observed(&world, Detail::Polite).await;
        assert!(facts.clusters[0].objects.get(&shop()).unwrap().is_some());
        assert!(
            facts.clusters[1].objects.get(&shop()).is_err(),
            "only the owner's cluster is asked"
        );
    }
}
