//! What leads to a group: load balancers, their listeners and rules, and attributes.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join3;

use super::access::Accesses;
use crate::elbv2::LoadBalancers;
use crate::facts::{GroupFacts, LoadBalancerFacts, Reading, Silence, SilenceReason};
use crate::target::{HealthState, TargetGroupArn};

/// Reads the load balancers of every group: few calls, as ARNs go in batches.
pub(super) async fn read_load_balancers<L: LoadBalancers>(
    load_balancers: &L,
    accesses: &Accesses,
    groups: &mut BTreeMap<TargetGroupArn, GroupFacts>,
) {
    let keys = load_balancers_of(groups, |_| true);
    let described = accesses
        .ask_in_batches(&keys, |access, arns| async move {
            load_balancers.load_balancers(&access, &arns).await
        })
        .await;
    for facts in groups.values_mut() {
        facts.load_balancers = facts.group.clone().and_then(|group| {
            let each = group.load_balancer_arns.iter().map(|arn| {
                let load_balancer =
                    described.get(arn).cloned().unwrap_or_else(|| Err(not_asked()))?;
                Ok(LoadBalancerFacts {
                    load_balancer,
                    attributes: Err(not_asked()),
                    listeners: Err(not_asked()),
                })
            });
            each.collect()
        });
    }
}

/// Reads attributes, listeners and rules: of all groups, or only of those that are troubled.
pub(super) async fn read<L: LoadBalancers>(
    load_balancers: &L,
    accesses: &Accesses,
    groups: &mut BTreeMap<TargetGroupArn, GroupFacts>,
    all: bool,
) {
    let wanted = |facts: &GroupFacts| all || is_troubled(facts);
    let arns: BTreeSet<TargetGroupArn> = groups
        .iter()
        .filter(|(_, facts)| wanted(facts) && facts.group.is_ok())
        .map(|(arn, _)| arn.clone())
        .collect();
    let keys = load_balancers_of(groups, wanted);
    let by_load_balancer: BTreeMap<&TargetGroupArn, Vec<&String>> =
        keys.iter().fold(BTreeMap::new(), |mut map, (lb, arn)| {
            map.entry(arn).or_insert_with(Vec::new).push(lb);
            map
        });
    let owners: Vec<&TargetGroupArn> = by_load_balancer.keys().copied().collect();
    let first = |arn: &TargetGroupArn| by_load_balancer.get(arn).cloned().unwrap_or_default();
    let (mut attributes, load_balancer_attributes, listeners) = join3(
        accesses.ask_each(&arns, |access, arn| async move {
            load_balancers.target_group_attributes(&access, arn).await
        }),
        accesses.ask_each(owners.iter().copied(), |access, arn| {
            let lbs = first(arn);
            async move {
                let mut answers = BTreeMap::new();
                for lb in lbs {
                    answers.insert(
                        lb.clone(),
                        load_balancers.load_balancer_attributes(&access, lb).await?,
                    );
                }
                Ok(answers)
            }
        }),
        accesses.ask_each(owners.iter().copied(), |access, arn| {
            let lbs = first(arn);
            async move {
                let mut answers = BTreeMap::new();
                for lb in lbs {
                    answers.insert(lb.clone(), load_balancers.listeners(&access, lb).await?);
                }
                Ok(answers)
            }
        }),
    )
    .await;
    let of = |lb: &String| keys.get(lb);
    for (arn, facts) in groups.iter_mut() {
        if let Some(answer) = attributes.remove(arn) {
            facts.attributes = answer;
        }
        let Ok(each) = &mut facts.load_balancers else { continue };
        for facts in each {
            let lb = &facts.load_balancer.arn;
            let Some(owner) = of(lb) else { continue };
            facts.attributes = pick(load_balancer_attributes.get(owner), lb);
            facts.listeners = pick(listeners.get(owner), lb).map(|mut listeners| {
                listeners.retain(|listener| {
                    listener.forwards.iter().any(|f| f.weights.contains_key(arn.as_str()))
                });
                listeners
            });
        }
    }
}

fn pick<T: Clone>(answers: Option<&Reading<BTreeMap<String, T>>>, key: &str) -> Reading<T> {
    match answers {
        Some(Ok(answers)) => answers.get(key).cloned().ok_or_else(not_asked),
        Some(Err(silence)) => Err(silence.clone()),
        None => Err(not_asked()),
    }
}

/// The load balancers of groups, each with one group whose accesses may read it.
fn load_balancers_of(
    groups: &BTreeMap<TargetGroupArn, GroupFacts>,
    wanted: impl Fn(&GroupFacts) -> bool,
) -> BTreeMap<String, TargetGroupArn> {
    let wanted = groups.iter().filter(|(_, facts)| wanted(facts));
    wanted
        .filter_map(|(arn, facts)| Some((arn, facts.group.as_ref().ok()?)))
        .flat_map(|(arn, group)| {
            group.load_balancer_arns.iter().map(move |lb| (lb.clone(), arn.clone()))
        })
        .collect()
}

/// A group is worth a closer look when a target of it does not serve, or none is there at all.
fn is_troubled(facts: &GroupFacts) -> bool {
    match &facts.targets {
        Err(_) => true,
        Ok(targets) => {
            targets.is_empty()
                || targets.iter().any(|t| {
                    !matches!(t.health.state, HealthState::Healthy | HealthState::Draining)
                })
        }
    }
}

fn not_asked() -> Silence {
    Silence::new(
        SilenceReason::NotAsked,
        "not asked for, to spare the account's API limits; --deep asks",
    )
}
