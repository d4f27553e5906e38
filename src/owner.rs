//! Which cluster a target group belongs to: the one whose controller made it. Pure.

use std::collections::BTreeMap;

use crate::facts::{ClusterFacts, Facts};
use crate::view::GroupView;

/// The tags that name a group's cluster: the controller's, and EKS Auto Mode's
/// (`facts/lbc.md` 5.2, 6).
const CLUSTER_TAGS: [&str; 2] = ["elbv2.k8s.aws/cluster", "eks:eks-cluster-name"];

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
    let generated = group.bindings.iter().find(|binding| binding.facts.binding.owner().is_some());
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
    cluster_name(group.facts.tags.as_ref().ok()?)
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
