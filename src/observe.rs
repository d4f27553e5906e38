//! Reads the world: every cluster at once, then the target groups that their bindings name.
//!
//! A cluster, permission or answer that is missing becomes a [`Silence`](crate::facts::Silence) in the facts; nothing here
//! fails as a whole.
//!
//! ```text
//! look      bindings and controllers of every cluster; the same cluster counts once
//! choose    the groups the caller is interested in
//! read      their endpoints and ledgers  ║  their targets and tags  ║  the accounts' limits
//! details   attributes, load balancers, listeners  ║  what shared groups' bindings were made for
//! holders   who holds an address that a guard asks about
//! ```

mod access;
mod details;
pub(crate) mod endpoints;
pub(crate) mod groups;
pub(crate) mod holders;
mod limits;
pub(crate) mod look;
pub mod lost;
pub(crate) mod owners;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::{join, join_all, join3};
use jiff::Timestamp;

use self::access::Accesses;
use self::look::Look;
use crate::binding::Binding;
use crate::cluster::Cluster;
use crate::elbv2::{Access, LoadBalancers};
use crate::facts::{Facts, Reading};
use crate::selection::Selection;
use crate::target::TargetGroupArn;

/// How many requests of one kind to one cluster or account are under way at once.
pub(crate) const CONCURRENCY: usize = 16;

/// Above how many groups attributes, listeners and rules are read only where they are asked for or
/// something is wrong: the account's API buckets are shared (`product.md` 7.3).
pub const DETAILED_GROUPS_MAX: usize = 20;

/// What to observe.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// What the caller is interested in: the groups of these bindings are read, with every binding
    /// of them.
    pub selection: Selection,
    /// Whether other groups are read instead.
    pub wanted: Wanted,
    /// How much to read about load balancers.
    pub detail: Detail,
    /// Whether fewer contexts are read than there are.
    pub narrowed: bool,
    /// Of the clusters given, only those of these contexts; none means all.
    pub contexts: Option<BTreeSet<String>>,
    /// The contexts that are not among the clusters to observe, as the caller wishes.
    pub left_out: BTreeSet<String>,
    /// Of the clusters to observe, those that somebody declared gone for good: each is asked, and
    /// one that answers is read as any other.
    pub lost: BTreeSet<String>,
    /// Groups to read whether or not a binding names them, each with who may read it where none does.
    pub groups: BTreeMap<TargetGroupArn, Access>,
    /// The contexts whose targets may be deregistered: who holds their addresses is read too.
    pub acting: BTreeSet<String>,
}

/// Which groups are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// Those that the selection chooses, and those of [`Scope::groups`].
    #[default]
    Selected,
    /// Those of [`Scope::groups`] alone.
    Asked,
    /// Those that bindings of a context name.
    Of {
        /// The context.
        context: String,
        /// The Services (namespace, name) of these bindings; none means all.
        services: Option<BTreeSet<(String, String)>>,
    },
}

/// How much to read about load balancers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing: targets are enough.
    TargetsOnly,
    /// Everything of up to [`DETAILED_GROUPS_MAX`] groups; of more, only of those that were named
    /// or are troubled.
    #[default]
    Polite,
    /// Everything of all groups.
    Deep,
}

/// Observes clusters, and the target groups their bindings name.
///
/// Clusters are read concurrently, so a dead one costs its timeout once and hides no other. Two
/// contexts that turn out to reach the same cluster count once, the earlier one first. The clock is
/// read when the observation ends.
pub async fn observe<C: Cluster, L: LoadBalancers>(
    clusters: &[C],
    load_balancers: &L,
    scope: &Scope,
    clock: &(impl Fn() -> Timestamp + Sync),
) -> Facts {
    let is_asked =
        |cluster: &&C| scope.contexts.as_ref().is_none_or(|only| only.contains(cluster.context()));
    let looks = join_all(clusters.iter().filter(is_asked).map(look::look)).await;
    let (looks, lost) = lost::leave_out(looks, &scope.lost);
    let looks = look::once_each(looks);
    let named = groups::resolve_names(load_balancers, &looks).await;
    let (chosen, by_aws_name) = choose(&looks, &named, scope);
    let accesses = Accesses::of(&looks, &named, &chosen, &scope.groups);
    let (mut cluster_facts, mut group_facts, account_limits) = join3(
        join_all(looks.iter().map(|look| endpoints::read(look, &named, &chosen, scope.detail))),
        groups::read(load_balancers, &accesses),
        limits::read(load_balancers, &accesses, scope.detail),
    )
    .await;
    let named_by_user = !scope.selection.names.is_empty();
    match scope.detail {
        Detail::TargetsOnly if by_aws_name => {
            details::read_load_balancers(load_balancers, &accesses, &mut group_facts).await;
        }
        Detail::TargetsOnly => {}
        Detail::Polite | Detail::Deep => {
            let all = scope.detail == Detail::Deep
                || named_by_user
                || group_facts.len() <= DETAILED_GROUPS_MAX;
            let questions = owners::questions(&cluster_facts, &group_facts);
            let details = async {
                details::read_load_balancers(load_balancers, &accesses, &mut group_facts).await;
                details::read(load_balancers, &accesses, &mut group_facts, all).await;
            };
            let ((), answers) = join(details, owners::read(&looks, questions)).await;
            for (facts, answers) in cluster_facts.iter_mut().zip(answers) {
                facts.objects = answers.objects;
                facts.orphans = answers.orphans;
                facts.unseen.extend(answers.unseen);
            }
        }
    }
    let mut facts = Facts {
        observed_at: clock(),
        clusters: cluster_facts,
        groups: group_facts,
        account_limits,
        narrowed: scope.narrowed,
        left_out: scope.left_out.clone(),
        lost,
    };
    let readers: Vec<&C> = looks.iter().map(|look| look.cluster).collect();
    holders::read(&readers, &mut facts, &scope.acting).await;
    facts.observed_at = clock();
    facts
}

/// Where each binding leads: what was learnt of groups that are named instead of given by ARN.
type Named = BTreeMap<(String, String, String), Reading<TargetGroupArn>>;

/// Finds a binding's group: its ARN, or what its name was resolved to.
fn group_of(context: &str, binding: &Binding, named: &Named) -> Reading<TargetGroupArn> {
    let key = (context.to_owned(), binding.namespace.clone(), binding.name.clone());
    named.get(&key).cloned().unwrap_or_else(|| groups::parse_arn(binding))
}

/// Chooses the groups to read; says too whether some name may be one that only AWS knows.
fn choose<C: Cluster>(
    looks: &[Look<'_, C>],
    named: &Named,
    scope: &Scope,
) -> (BTreeSet<TargetGroupArn>, bool) {
    match &scope.wanted {
        Wanted::Selected => {}
        Wanted::Asked => return (scope.groups.keys().cloned().collect(), false),
        Wanted::Of { context, services } => {
            let reaches = |look: &&Look<'_, C>| {
                look.cluster.context() == context || look.also.contains(context)
            };
            let is_asked = |binding: &&Binding| {
                let service = (binding.namespace.clone(), binding.spec.service_ref.name.clone());
                services.as_ref().is_none_or(|only| only.contains(&service))
            };
            let of = |look: &Look<'_, C>| {
                let bindings = look.bindings.iter().flatten().filter(is_asked);
                let arn = |it| group_of(look.cluster.context(), it, named).ok();
                bindings.filter_map(arn).collect::<Vec<_>>()
            };
            return (looks.iter().filter(reaches).flat_map(of).collect(), false);
        }
    }
    let asked = || scope.groups.keys().cloned();
    let mut by_group: BTreeMap<TargetGroupArn, Vec<&Binding>> =
        asked().map(|arn| (arn, Vec::new())).collect();
    for look in looks {
        for binding in look.bindings.iter().flatten() {
            if let Ok(arn) = group_of(look.cluster.context(), binding, named) {
                by_group.entry(arn).or_default().push(binding);
            }
        }
    }
    match scope.selection.groups_to_read(&by_group) {
        Some(chosen) => (chosen.into_iter().chain(asked()).collect(), false),
        None => (by_group.into_keys().collect(), true),
    }
}

#[cfg(all(test, feature = "sim"))]
mod tests {
    use super::*;
    use crate::endpoints::Unresolved;
    use crate::facts::{Silence, SilenceReason};
    use crate::sim::World;
    use crate::sim::cluster::{NewBinding, Part, Request};
    use crate::sim::elbv2::Operation;

    #[tokio::test]
    async fn s1_a_service_is_looked_for_in_the_bindings_own_namespace_only() {
        let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
        let group = world.add_group("k8s-web-shop");
        world.add_cluster("blue").with(|state| {
            state.add_service("other", "shop", 80, 8080);
            state.add_pod("other", "shop", "10.0.0.11");
            state.bind(&NewBinding::new("web", "shop", "shop", &group));
        });
        let clock = || world.now();
        let facts =
            observe(&world.clusters(), &world.load_balancers(), &Scope::default(), &clock).await;
        let binding = facts.clusters[0].bindings().next().unwrap();
        assert_eq!(binding.endpoints, Err(Unresolved::ServiceMissing("shop".to_owned())));
    }

    #[tokio::test]
    async fn the_schema_is_asked_for_only_where_no_binding_proves_what_it_would_tell() {
        let observed = async |bindings: &[bool], detail: Detail, part: Option<Part<'_>>| {
            let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
            let group = world.add_group("k8s-web-shop");
            let blue = world.add_cluster("blue");
            blue.with(|state| {
                state.has_flag = false;
                state.add_service("web", "shop", 80, 8080);
                for (number, shares) in bindings.iter().enumerate() {
                    let name = format!("shop-{number}");
                    let binding = NewBinding::new("web", &name, "shop", &group);
                    state.bind(&if *shares { binding } else { binding.exclusive() });
                }
            });
            if let Some(part) = part {
                let silence = Silence::new(SilenceReason::Forbidden, "forbidden");
                blue.silence(part, silence);
            }
            let scope = Scope { detail, ..Scope::default() };
            let clock = || world.now();
            let facts = observe(&world.clusters(), &world.load_balancers(), &scope, &clock).await;
            (facts.clusters[0].has_flag, blue.count(Request::Schema))
        };
        assert_eq!(observed(&[false, true], Detail::Polite, None).await, (Some(true), 0));
        assert_eq!(observed(&[false, false], Detail::Polite, None).await, (Some(false), 1));
        assert_eq!(observed(&[], Detail::Polite, None).await, (None, 0));
        assert_eq!(observed(&[false, false], Detail::TargetsOnly, None).await, (None, 0));
        let silent = Some(Part::Requests(Request::Schema));
        let observed = observed(&[false, false], Detail::Polite, silent).await;
        assert_eq!(observed, (None, 1), "what was not told is not known");
    }

    #[tokio::test]
    async fn the_limits_of_an_account_are_asked_for_once_and_not_where_targets_are_enough() {
        let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
        for name in ["shop", "till"] {
            let group = world.add_group(name);
            for context in ["blue", "green"] {
                let known = world.cluster(context);
                let cluster = known.unwrap_or_else(|| world.add_cluster(context));
                cluster.share("web", name, &[], &group);
            }
        }
        let observed = async |detail: Detail| {
            let (scope, clock) = (Scope { detail, ..Scope::default() }, || world.now());
            let elb = world.load_balancers();
            elb.clear_calls();
            let facts = observe(&world.clusters(), &elb, &scope, &clock).await;
            assert_eq!(facts.groups.len(), 2);
            (facts.account_limits, elb.count(Operation::DescribeAccountLimits))
        };
        assert_eq!(observed(Detail::TargetsOnly).await, (BTreeMap::new(), 0));
        for detail in [Detail::Polite, Detail::Deep] {
            let (limits, asked) = observed(detail).await;
            assert_eq!((limits.len(), asked), (1, 1));
            let of_account = limits.into_values().next().unwrap().unwrap();
            assert_eq!(of_account["targets-per-target-group"], 1_000);
        }
        // Every page of it, where there are several.
        world.load_balancers().with(|model| model.settings.page_size_max = 2);
        let (limits, asked) = observed(Detail::Polite).await;
        assert_eq!(asked, 4);
        assert_eq!(limits.into_values().next().unwrap().map(|it| it.len()), Ok(7));
    }
}
