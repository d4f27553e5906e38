//! Whether a controller made a binding, and which cluster's made the target group. Pure.

use std::collections::BTreeMap;

use crate::facts::{ClusterFacts, Controller, Facts, GroupFacts};
use crate::view::{BindingView, GroupView};

/// The tags that name a group's cluster: the controller's, and EKS Auto Mode's
/// (`facts/lbc.md` 5.2, 6).
const CLUSTER_TAGS: [&str; 2] = ["elbv2.k8s.aws/cluster", "eks:eks-cluster-name"];

/// Who made a binding (`product.md` 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The controller, for a Service, Ingress or Gateway: it reverts whatever else changes it.
    Generated,
    /// Somebody by hand. Stack labels on it are a copy, and make the controller delete it once it
    /// deals with what they name (`facts/lbc.md` 5.2).
    Standalone,
    /// It carries stack labels, and nothing proves or disproves them.
    NotKnown,
}

/// Finds out who made a binding, from its labels and the tags of its group.
///
/// Without stack labels it is standalone. With them, the tags decide: a controller makes bindings
/// only of groups it made, and tags those with its cluster's name. Tags of this cluster prove the
/// labels; those of another one disprove them where this cluster's name is known and differs: the
/// controller's `--cluster-name`, or the EKS name where no controller could have another one. What is
/// silent, not tagged or not known leaves [`Origin::NotKnown`].
///
/// `group` is what ELBv2 said about the binding's group, where it was asked.
pub fn origin(binding: &BindingView<'_>, group: Option<&GroupFacts>) -> Origin {
    if binding.facts.binding.owner().is_none() {
        return Origin::Standalone;
    }
    let Some(tag) = group.and_then(tagged_cluster) else { return Origin::NotKnown };
    if names(binding.cluster).any(|name| name == tag) {
        return Origin::Generated;
    }
    let all_named = |found: &Vec<Controller>| found.iter().all(|it| it.cluster_name.is_some());
    let is_named = binding.cluster.controllers.as_ref().is_ok_and(all_named)
        && names(binding.cluster).next().is_some();
    if is_named { Origin::Standalone } else { Origin::NotKnown }
}

/// Whether the owner of a group was read (`product.md` 7.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// This context's cluster is the owner.
    Read(String),
    /// The owner is gone for good: it was this context's cluster.
    Lost(String),
    /// The owner has this name, and no context that was read is it.
    NotRead(String),
    /// Nothing tells: no tag, tags not readable, or a cluster whose name cannot be learnt.
    NotKnown,
}

/// Finds out whether a group's owner is among the clusters that were read.
///
/// A cluster that holds a generated binding of the group is its owner, and so is one whose
/// controller or EKS name equals the tag. An owner that is not among them is only certain where
/// every name is known and the reading set was not narrowed.
pub fn standing(facts: &Facts, group: &GroupView<'_>) -> Standing {
    let may_be_generated =
        |binding: &&BindingView<'_>| origin(binding, Some(group.facts)) != Origin::Standalone;
    let generated = group.bindings.iter().find(may_be_generated);
    if let Some(binding) = generated {
        return Standing::Read(binding.cluster.context.clone());
    }
    let Some(name) = cluster_tag(group) else { return Standing::NotKnown };
    if let Some(cluster) =
        facts.clusters.iter().find(|cluster| names(cluster).any(|candidate| candidate == name))
    {
        return Standing::Read(cluster.context.clone());
    }
    if let Some(lost) = facts.lost.iter().find(|lost| lost.eks_name.as_deref() == Some(name)) {
        return Standing::Lost(lost.context.clone());
    }
    let name_not_known = facts.clusters.iter().any(|cluster| names(cluster).next().is_none())
        || facts.lost.iter().any(|lost| lost.eks_name.is_none());
    if facts.narrowed || name_not_known {
        Standing::NotKnown
    } else {
        Standing::NotRead(name.to_owned())
    }
}

/// The cluster name that the group's tags give.
pub fn cluster_tag<'a>(group: &GroupView<'a>) -> Option<&'a str> {
    tagged_cluster(group.facts)
}

fn tagged_cluster(group: &GroupFacts) -> Option<&str> {
    cluster_name(group.tags.as_ref().ok()?)
}

/// The cluster name that tags of AWS give.
pub(crate) fn cluster_name(tags: &BTreeMap<String, String>) -> Option<&str> {
    CLUSTER_TAGS.iter().find_map(|key| tags.get(*key)).map(String::as_str)
}

/// The names AWS may know a cluster by.
pub(crate) fn names(cluster: &ClusterFacts) -> impl Iterator<Item = &str> {
    let of_controllers =
        cluster.controllers.iter().flatten().filter_map(|c| c.cluster_name.as_deref());
    of_controllers.chain(cluster.eks_name.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Aliveness;
    use crate::testing::{World, registered, silence};
    use crate::view;

    /// Green's binding carries the labels of blue's Service, whose controller tagged the group.
    fn copied() -> World {
        let mut world = registered("1 5").cluster("green", "5", "5").with(|it| {
            for key in ["service.k8s.aws/stack-namespace", "service.k8s.aws/stack-name"] {
                it.binding.labels.insert(key.to_owned(), "shop".to_owned());
            }
        });
        let tag = ("elbv2.k8s.aws/cluster".to_owned(), "blue".to_owned());
        world.group().tags = Ok([tag].into());
        world
    }

    fn origin_of(world: &World) -> Origin {
        let groups = view::groups(&world.facts);
        origin(&groups[0].bindings[0], Some(groups[0].facts))
    }

    fn with_controller(name: Option<&str>) -> World {
        copied()
            .controller(Aliveness::Alive)
            .with_controller(|it| it.cluster_name = name.map(str::to_owned))
    }

    #[test]
    fn tags_prove_and_disprove_stack_labels() {
        assert_eq!(origin_of(&with_controller(Some("blue"))), Origin::Generated);
        assert_eq!(origin_of(&with_controller(Some("green"))), Origin::Standalone);
        let without = with_controller(Some("blue")).with(|it| it.binding.labels.clear());
        assert_eq!(origin_of(&without), Origin::Standalone, "no label, no owner");
    }

    #[test]
    fn what_is_not_known_disproves_nothing() {
        assert_eq!(origin_of(&copied()), Origin::NotKnown, "the cluster has no name");
        let mut named = copied();
        named.last().eks_name = Some("green".to_owned());
        assert_eq!(origin_of(&named), Origin::Standalone, "no controller could have another");
        named.last().controllers = Err(silence());
        assert_eq!(origin_of(&named), Origin::NotKnown, "a controller may have another");
        let mut unread = with_controller(None);
        unread.last().eks_name = Some("green".to_owned());
        assert_eq!(origin_of(&unread), Origin::NotKnown, "its Deployment was not read");
        let mut silent = with_controller(Some("green"));
        silent.group().tags = Err(silence());
        assert_eq!(origin_of(&silent), Origin::NotKnown);
        silent.group().tags = Ok([].into());
        assert_eq!(origin_of(&silent), Origin::NotKnown, "no controller tagged it");
        let groups = view::groups(&silent.facts);
        assert_eq!(origin(&groups[0].bindings[0], None), Origin::NotKnown);
    }

    #[test]
    fn copied_labels_make_no_cluster_the_owner() {
        let owner = |world: &World| standing(&world.facts, &view::groups(&world.facts)[0]);
        assert_eq!(owner(&copied()), Standing::Read("green".to_owned()));
        let disproved = with_controller(Some("green"));
        assert_eq!(owner(&disproved), Standing::NotRead("blue".to_owned()));
    }
}
