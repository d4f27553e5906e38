//! The first look at a cluster: its bindings, its controllers, and which cluster it is.

use futures::future::join5;

use crate::binding::{Binding, Flavour};
use crate::cluster::Cluster;
use crate::facts::{Controller, Reading, Reconciler, Silence, SilenceReason};

/// What the first look saw.
pub(crate) struct Look<'a, C> {
    pub(crate) cluster: &'a C,
    /// Further contexts that reach the same cluster.
    pub(crate) also: Vec<String>,
    pub(crate) bindings: Reading<Vec<Binding>>,
    pub(crate) hidden: Vec<Silence>,
    pub(crate) controllers: Reading<Vec<Controller>>,
    /// None where they may not be listed: they only make a finding milder.
    pub(crate) reconcilers: Vec<Reconciler>,
    /// What is done without, and what that costs.
    pub(crate) unseen: Vec<Silence>,
    pub(crate) identity: Reading<String>,
}

/// Takes the first look. All requests go out at once: a dead cluster costs its timeout once.
pub(crate) async fn look<C: Cluster>(cluster: &C) -> Look<'_, C> {
    let (identity, own, auto_mode, controllers, reconcilers) = join5(
        cluster.identity(),
        bindings(cluster, Flavour::LoadBalancerController),
        bindings(cluster, Flavour::AutoMode),
        cluster.controllers(),
        cluster.reconcilers(),
    )
    .await;
    let mut hidden = Vec::new();
    let bindings = match (own, auto_mode) {
        (Ok((own, own_hidden)), auto_mode) => {
            hidden.extend(own_hidden);
            let (auto_mode, auto_mode_hidden) =
                auto_mode.unwrap_or_else(|silence| (Vec::new(), Some(silence)));
            hidden.extend(auto_mode_hidden);
            Ok(own.into_iter().chain(auto_mode).collect())
        }
        (Err(silence), _) => Err(silence),
    };
    let holds_bindings =
        bindings.as_ref().is_ok_and(|bindings: &Vec<Binding>| !bindings.is_empty());
    let cost = "whether a CronJob of this program works there is not known";
    let unseen = reconcilers.as_ref().err().filter(|_| holds_bindings);
    let unseen = unseen.map(|silence| silence.at_the_cost_of(cost)).into_iter().collect();
    Look {
        cluster,
        also: Vec::new(),
        bindings,
        hidden,
        controllers,
        reconcilers: reconcilers.unwrap_or_default(),
        unseen,
        identity,
    }
}

/// Lists bindings in all namespaces, or where that is forbidden in the context's own, saying so.
async fn bindings<C: Cluster>(
    cluster: &C,
    flavour: Flavour,
) -> Reading<(Vec<Binding>, Option<Silence>)> {
    match cluster.bindings(flavour, None).await {
        Ok(bindings) => Ok((bindings, None)),
        Err(silence) if silence.reason == SilenceReason::Forbidden => {
            let namespace = cluster.default_namespace();
            let bindings =
                cluster.bindings(flavour, Some(namespace)).await.map_err(|_| silence.clone())?;
            let message = format!("only namespace `{namespace}` was read: {silence}");
            Ok((bindings, Some(Silence::new(SilenceReason::Forbidden, message))))
        }
        Err(silence) => Err(silence),
    }
}

/// Leaves each cluster once: of two contexts that reach the same one the first that could be read
/// stays, and knows the other's name.
pub(crate) fn once_each<C: Cluster>(looks: Vec<Look<'_, C>>) -> Vec<Look<'_, C>> {
    let mut kept: Vec<Look<'_, C>> = Vec::new();
    for mut look in looks {
        match kept.iter_mut().find(|other| other.is_same_cluster(&look)) {
            Some(other) => {
                if other.bindings.is_err() && look.bindings.is_ok() {
                    std::mem::swap(other, &mut look);
                    other.also.append(&mut look.also);
                }
                other.also.push(look.cluster.context().to_owned());
            }
            None => kept.push(look),
        }
    }
    if kept.len() > 1 {
        let cost = "another context of this cluster may count as a cluster of its own";
        for look in kept.iter_mut().filter(|look| look.bindings.is_ok()) {
            look.unseen.extend(look.identity.as_ref().err().map(|it| it.at_the_cost_of(cost)));
        }
    }
    kept
}

impl<C: Cluster> Look<'_, C> {
    /// Compares by the UID of `kube-system`, else by the UID of any binding, else by where the
    /// cluster is reached (`product.md` 5.1).
    fn is_same_cluster(&self, other: &Self) -> bool {
        if let (Ok(own), Ok(others)) = (&self.identity, &other.identity) {
            return own == others;
        }
        let uids = |look: &Self| -> Vec<String> {
            look.bindings.iter().flatten().map(|binding| binding.uid.clone()).collect()
        };
        let (own, others) = (uids(self), uids(other));
        own.iter().any(|uid| others.contains(uid))
            || self.cluster.endpoint() == other.cluster.endpoint()
    }
}
