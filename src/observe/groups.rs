//! Target groups: found by name, then read with their targets and tags.

use std::collections::BTreeMap;

use futures::StreamExt;
use futures::future::join3;

use super::access::Accesses;
use super::look::Look;
use super::{CONCURRENCY, Named};
use crate::binding::Binding;
use crate::cluster::Cluster;
use crate::concurrent::boxed;
use crate::elbv2::{Access, LoadBalancers};
use crate::endpoints::Node;
use crate::facts::{GroupFacts, Reading, Silence, SilenceReason};
use crate::target::TargetGroupArn;

/// Reads a binding's ARN.
pub(crate) fn parse_arn(binding: &Binding) -> Reading<TargetGroupArn> {
    let text = &binding.spec.target_group_arn;
    text.parse()
        .map_err(|invalid| Silence::new(SilenceReason::Invalid, crate::error::chain(&invalid)))
}

/// Resolves the groups of bindings that name theirs instead of giving its ARN.
///
/// The region is the one that other bindings of the cluster lead to, else the one that the caller
/// of AWS was told, else that of the cluster's nodes (`product.md` 5.2).
pub(super) async fn resolve_names<C: Cluster, L: LoadBalancers>(
    load_balancers: &L,
    looks: &[Look<'_, C>],
) -> Named {
    let asking = looks.iter().flat_map(|look| {
        let context = look.cluster.context();
        let bindings = look.bindings.iter().flatten();
        let region = bindings
            .clone()
            .find_map(|binding| parse_arn(binding).ok())
            .map(|arn| arn.region().to_owned());
        let region = region.unwrap_or_default();
        bindings.filter(|binding| binding.spec.target_group_arn.is_empty()).map(move |binding| {
            let access = Access::of(context, &binding.spec, &region);
            async move {
                let group = by_name(load_balancers, look.cluster, access, binding).await;
                let key = (context.to_owned(), binding.namespace.clone(), binding.name.clone());
                (key, group)
            }
        })
    });
    boxed(asking).buffer_unordered(CONCURRENCY).collect().await
}

async fn by_name<C: Cluster, L: LoadBalancers>(
    load_balancers: &L,
    cluster: &C,
    access: Access,
    binding: &Binding,
) -> Reading<TargetGroupArn> {
    let name = &binding.spec.target_group_name;
    let group = load_balancers.target_group_by_name(&access, name).await;
    let no_region = access.region.is_empty()
        && group.as_ref().is_err_and(|silence| silence.reason == SilenceReason::InvalidConfig);
    let region = if no_region { region_of_nodes(cluster).await } else { None };
    let group = match region {
        Some(region) => {
            load_balancers.target_group_by_name(&Access { region, ..access }, name).await
        }
        None => group,
    };
    group.map(|group| group.arn)
}

/// The region that the cluster's nodes are in, where they can be read and agree.
pub(crate) async fn region_of_nodes<C: Cluster>(cluster: &C) -> Option<String> {
    let nodes = cluster.nodes().await.ok()?;
    let mut regions = nodes.iter().filter_map(Node::region);
    let first = regions.next()?;
    regions.all(|region| region == first).then(|| first.to_owned())
}

/// Reads groups with their targets and tags, all at once.
pub(super) async fn read<L: LoadBalancers>(
    load_balancers: &L,
    accesses: &Accesses,
) -> BTreeMap<TargetGroupArn, GroupFacts> {
    let keys: BTreeMap<_, _> = accesses.groups().map(|arn| (arn.clone(), arn.clone())).collect();
    let (mut groups, mut targets, mut tags) = join3(
        accesses.ask_in_batches(&keys, |access, arns| async move {
            load_balancers.target_groups(&access, &arns).await
        }),
        accesses.ask_each(accesses.groups(), |access, arn| async move {
            load_balancers.targets(&access, arn).await
        }),
        accesses.ask_in_batches(&keys, |access, arns| async move {
            load_balancers.tags(&access, &arns).await
        }),
    )
    .await;
    let not_asked = || Silence::new(SilenceReason::NotAsked, "not asked for");
    accesses
        .groups()
        .map(|arn| {
            let facts = GroupFacts {
                group: groups.remove(arn).unwrap_or_else(|| Err(not_asked())),
                targets: targets.remove(arn).unwrap_or_else(|| Err(not_asked())),
                tags: tags.remove(arn).unwrap_or_else(|| Err(not_asked())),
                attributes: Err(not_asked()),
                load_balancers: Err(not_asked()),
            };
            (arn.clone(), facts)
        })
        .collect()
}
