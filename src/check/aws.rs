//! Trying what AWS lets be read: each call that `status` and `reconcile` need, once for each
//! credentials of a context.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use futures::future::{join, join5};

use crate::binding::Binding;
use crate::cluster::Cluster;
use crate::concurrent::boxed;
use crate::elbv2::{Access, LoadBalancers};
use crate::facts::{Reading, Silence, SilenceReason, TargetGroup};
use crate::observe::{CONCURRENCY, groups};
use crate::target::TargetGroupArn;

/// The name of a target group that nobody has. Asking for it takes the credentials, the region and
/// the permission that asking for a real one takes, and the answer that there is none is proof of
/// all three.
const NOBODYS_GROUP: &str = "kubectl-mctg-check";

/// What came of the calls with one access.
pub(super) struct Tried {
    pub(super) access: Access,
    /// How many groups are bound with it; none where nothing is bound.
    pub(super) groups: usize,
    /// The calls, by the action that IAM grants, in the order that one needs another.
    pub(super) calls: Vec<(&'static str, Reading<()>)>,
}

/// What bindings lead to with one access.
#[derive(Default)]
struct Wanted {
    arns: BTreeSet<TargetGroupArn>,
    names: BTreeSet<String>,
}

/// Tries every call with every access of the bindings; where nothing is bound, what can be tried
/// without a group.
pub(super) async fn read<C: Cluster, L: LoadBalancers>(
    cluster: &C,
    load_balancers: &L,
    bindings: &[Binding],
    pre: bool,
) -> Vec<Tried> {
    let wanted = if pre { BTreeMap::new() } else { wanted(cluster.context(), bindings) };
    if wanted.is_empty() {
        return vec![without_group(cluster, load_balancers).await];
    }
    let trying = wanted
        .into_iter()
        .map(|(access, wanted)| async move { with_groups(load_balancers, access, &wanted).await });
    boxed(trying).buffered(CONCURRENCY).collect().await
}

fn wanted(context: &str, bindings: &[Binding]) -> BTreeMap<Access, Wanted> {
    let arn = |binding: &Binding| groups::parse_arn(binding).ok();
    let region = bindings.iter().find_map(arn).map(|arn| arn.region().to_owned());
    let mut all: BTreeMap<Access, Wanted> = BTreeMap::new();
    for binding in bindings {
        if let Some(arn) = arn(binding) {
            let access = Access::of(context, &binding.spec, arn.region());
            all.entry(access).or_default().arns.insert(arn);
        } else if binding.spec.target_group_arn.is_empty() {
            let region = region.as_deref().unwrap_or_default();
            let access = Access::of(context, &binding.spec, region);
            let name = binding.spec.target_group_name.clone();
            all.entry(access).or_default().names.insert(name);
        }
    }
    all
}

async fn without_group<C: Cluster, L: LoadBalancers>(cluster: &C, load_balancers: &L) -> Tried {
    let context = cluster.context().to_owned();
    let access = Access { context, region: String::new(), role: None };
    let (access, answer) = by_name(cluster, load_balancers, access, NOBODYS_GROUP).await;
    Tried { access, groups: 0, calls: vec![("DescribeTargetGroups", answer.map(|_| ()))] }
}

/// Asks for a group by name, in the region of the nodes where none is known otherwise. That there is
/// none is an answer.
async fn by_name<C: Cluster, L: LoadBalancers>(
    cluster: &C,
    load_balancers: &L,
    access: Access,
    name: &str,
) -> (Access, Reading<Option<TargetGroup>>) {
    let answer = load_balancers.target_group_by_name(&access, name).await;
    let has_no_region = access.region.is_empty()
        && answer.as_ref().is_err_and(|silence| silence.reason == SilenceReason::InvalidConfig);
    let region = if has_no_region { groups::region_of_nodes(cluster).await } else { None };
    let Some(region) = region else { return (access, found(answer)) };
    let access = Access { region, ..access };
    let answer = load_balancers.target_group_by_name(&access, name).await;
    (access, found(answer))
}

/// That something is gone, or was named wrong, was told by AWS: the call works.
fn found<T>(answer: Reading<T>) -> Reading<Option<T>> {
    let is_told = |silence: &Silence| {
        matches!(silence.reason, SilenceReason::NotFound | SilenceReason::Invalid)
    };
    match answer {
        Ok(it) => Ok(Some(it)),
        Err(silence) if is_told(&silence) => Ok(None),
        Err(silence) => Err(silence),
    }
}

async fn with_groups<L: LoadBalancers>(
    load_balancers: &L,
    access: Access,
    wanted: &Wanted,
) -> Tried {
    let count = wanted.arns.len() + wanted.names.len();
    let mut groups: Vec<TargetGroup> = Vec::new();
    let mut described = Ok(());
    for answer in load_balancers.target_groups(&access, &wanted.arns).await.into_values() {
        match found(answer) {
            Ok(group) => groups.extend(group),
            Err(silence) => described = described.and(Err(silence)),
        }
    }
    if wanted.arns.is_empty() {
        for name in wanted.names.iter().take(1) {
            match found(load_balancers.target_group_by_name(&access, name).await) {
                Ok(group) => groups.extend(group),
                Err(silence) => described = Err(silence),
            }
        }
    }
    let mut calls = vec![("DescribeTargetGroups", described)];
    // One group shows what is permitted; one behind a load balancer shows most.
    let chosen = groups.iter().find(|it| !it.load_balancer_arns.is_empty()).or(groups.first());
    if let Some(group) = chosen {
        let one = BTreeSet::from([group.arn.clone()]);
        let load_balancer = group.load_balancer_arns.first().map(String::as_str);
        let (health, attributes, tags, described, behind) = join5(
            load_balancers.targets(&access, &group.arn),
            load_balancers.target_group_attributes(&access, &group.arn),
            load_balancers.tags(&access, &one),
            async {
                let arns: BTreeSet<String> = load_balancer.map(str::to_owned).into_iter().collect();
                load_balancers.load_balancers(&access, &arns).await.into_values().next()
            },
            async {
                let arn = load_balancer?;
                let attributes = load_balancers.load_balancer_attributes(&access, arn);
                let listeners = load_balancers.listeners(&access, arn);
                Some(join(attributes, listeners).await)
            },
        )
        .await;
        calls.push(("DescribeTargetHealth", found(health).map(|_| ())));
        calls.push(("DescribeTargetGroupAttributes", found(attributes).map(|_| ())));
        calls.extend(tags.into_values().map(|tags| ("DescribeTags", found(tags).map(|_| ()))));
        calls.extend(described.map(|it| ("DescribeLoadBalancers", found(it).map(|_| ()))));
        if let Some((attributes, listeners)) = behind {
            calls.push(("DescribeLoadBalancerAttributes", found(attributes).map(|_| ())));
            calls.push(("DescribeListeners", found(listeners).map(|_| ())));
        }
    }
    Tried { access, groups: count, calls }
}
