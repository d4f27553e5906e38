//! What one context shows.

use futures::future::{join, join3, join5};
use jiff::{SignedDuration, Timestamp};

use super::Options;
use super::aws::{self, Tried};
use super::permitted::{self, Granted};
use crate::binding::{Binding, Flavour};
use crate::cluster::Cluster;
use crate::elbv2::LoadBalancers;
use crate::facts::{Controller, Reading, Reconciler, ServerFacts, Silence, Webhook};
use crate::observe::look as first_look;

/// What one context shows.
pub(super) struct Look {
    pub(super) context: String,
    pub(super) cluster: Option<String>,
    pub(super) eks_name: Option<String>,
    pub(super) identity: Reading<String>,
    pub(super) server: Reading<ServerFacts>,
    /// How far the server's clock is ahead of ours.
    pub(super) ahead: Option<SignedDuration>,
    /// Whether it has the type TargetGroupBinding, and that has the flag.
    pub(super) serves: Reading<bool>,
    pub(super) has_flag: Reading<bool>,
    pub(super) serves_auto_mode: Reading<bool>,
    pub(super) bindings: Reading<Vec<Binding>>,
    /// Why there may be more.
    pub(super) hidden: Vec<Silence>,
    pub(super) controllers: Reading<Vec<Controller>>,
    pub(super) reconcilers: Vec<Reconciler>,
    pub(super) webhook: Reading<Webhook>,
    /// What this user may do, verb by verb.
    pub(super) own: Reading<Vec<Granted>>,
    /// What the ServiceAccount may do, where one was asked for.
    pub(super) account: Option<Reading<Granted>>,
    /// What AWS answered, one entry for each credentials.
    pub(super) aws: Vec<Tried>,
}

/// Looks: everything that nothing else decides goes out at once.
pub(super) async fn look<C: Cluster, L: LoadBalancers>(
    cluster: &C,
    load_balancers: &L,
    options: &Options,
    several: bool,
    clock: &(impl Fn() -> Timestamp + Sync + ?Sized),
) -> Look {
    let server = async {
        let before = clock();
        let server = cluster.server().await;
        (before, clock(), server)
    };
    let types = join3(
        cluster.serves(Flavour::LoadBalancerController),
        cluster.has_flag(),
        cluster.serves(Flavour::AutoMode),
    );
    let account = async {
        match &options.service_account {
            Some(account) => {
                Some(permitted::first(cluster, &permitted::of_account(), Some(account)).await)
            }
            None => None,
        }
    };
    let own = permitted::own(several);
    let (seen, (before, after, server), types, webhook, (own_first, account_first)) = join5(
        first_look::look(cluster),
        server,
        types,
        cluster.webhook(),
        join(permitted::first(cluster, &own, None), account),
    )
    .await;
    let (serves, has_flag, serves_auto_mode) = types;
    let mut bindings = seen.bindings;
    if let (Ok(bindings), Some(namespace)) = (&mut bindings, &options.namespace) {
        bindings.retain(|binding| binding.namespace == *namespace);
    }
    let known: &[Binding] = bindings.as_deref().unwrap_or_default();
    let about =
        permitted::About { bindings: known, is_without_auto_mode: serves_auto_mode == Ok(false) };
    let account_next = async {
        match (account_first, &options.service_account) {
            (Some(first), Some(account)) => {
                let verbs = permitted::of_account();
                let granted =
                    permitted::second(cluster, &verbs, first, Some(account), &about).await;
                Some(granted.map(|mut granted| granted.swap_remove(0)))
            }
            _ => None,
        }
    };
    // Whoever cannot be reached has no bindings to read for, and AWS is not asked for nothing.
    let aws_next = async {
        if server.is_ok() {
            aws::read(cluster, load_balancers, known, options.pre).await
        } else {
            Vec::new()
        }
    };
    let (own, account, aws) =
        join3(permitted::second(cluster, &own, own_first, None, &about), account_next, aws_next)
            .await;
    let ahead =
        server.as_ref().ok().and_then(|server| server.now).map(|now| ahead(now, before, after));
    Look {
        context: cluster.context().to_owned(),
        cluster: cluster.cluster().map(str::to_owned),
        eks_name: cluster.eks_name().map(str::to_owned),
        identity: seen.identity,
        server,
        ahead,
        serves,
        has_flag,
        serves_auto_mode,
        bindings,
        hidden: seen.hidden,
        controllers: seen.controllers,
        reconcilers: seen.reconcilers,
        webhook,
        own,
        account,
        aws,
    }
}

/// How far a clock is ahead that told `now` at some moment between two of ours. It tells whole
/// seconds, so that within one nothing is known.
fn ahead(now: Timestamp, before: Timestamp, after: Timestamp) -> SignedDuration {
    let second = SignedDuration::from_secs(1);
    if now > after {
        now.duration_since(after)
    } else if now.saturating_add(second).unwrap_or(now) < before {
        now.duration_since(before)
    } else {
        SignedDuration::ZERO
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_off_only_by_what_the_answers_way_does_not_explain() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        assert_eq!(ahead(at(100), at(99), at(101)), SignedDuration::ZERO);
        assert_eq!(ahead(at(98), at(99), at(101)), SignedDuration::ZERO, "98.9, told as 98");
        assert_eq!(ahead(at(161), at(99), at(101)), SignedDuration::from_secs(60));
        assert_eq!(ahead(at(39), at(99), at(101)), SignedDuration::from_secs(-60));
    }
}
