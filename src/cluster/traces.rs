//! Where to look for controllers, and what it means that one may not look there.

use ::kube::api::ListParams;
use futures::future;
use jiff::Timestamp;

use super::controllers::{self, Trace};
use super::errors::Failure;
use super::kube::{KubeCluster, api, group};
use super::objects as wire;
use crate::binding::Flavour;
use crate::facts::{Controller, Silence};

impl KubeCluster {
    /// Looks for the controllers of both flavours.
    pub(super) async fn find_controllers(&self) -> Result<Vec<Controller>, Failure> {
        let (leases, deployments, auto_mode) =
            future::join3(self.leases(), self.deployments(), self.auto_mode()).await;
        // Where neither could be read at all there is nothing to judge by.
        let (leases, deployments, now) = match (leases, deployments) {
            (Err(failure), Err(_)) => return Err(failure),
            (Ok((leases, now)), deployments) => (leases, deployments.unwrap_or_else(hidden), now),
            (leases, Ok(deployments)) => {
                (leases.map_or_else(hidden, |(leases, _)| leases), deployments, None)
            }
        };
        if let Some(silence) = nothing_shown(&leases, &deployments) {
            return Err(Failure { status: None, silence: silence.clone() });
        }
        let found = controllers::judge(&leases, &deployments, now);
        // Auto Mode that may not be looked for hides its bindings too: those say so.
        Ok(found.into_iter().chain(auto_mode.ok().flatten()).collect())
    }

    async fn leases(&self) -> Result<(Trace<wire::Lease>, Option<Timestamp>), Failure> {
        let what = "list leases.coordination.k8s.io";
        let path = "/apis/coordination.k8s.io/v1";
        let named = ListParams::default().fields(&format!("metadata.name={}", controllers::LEASE));
        let door = self.door()?;
        match door.list(what, &format!("{path}/leases"), &named, false).await {
            Ok((found, now)) => Ok((Trace { found, hidden: None }, now)),
            Err(failure) if failure.is_forbidden() => {
                let namespace = controllers::USUAL_NAMESPACE;
                let path = format!("{path}/namespaces/{namespace}/leases/{}", controllers::LEASE);
                let (found, now) = match door.get_dated(what, &path).await {
                    Ok((lease, now)) => (vec![lease], now),
                    Err(other) if other.is_not_found() => (Vec::new(), None),
                    Err(_) => return Err(failure),
                };
                Ok((Trace { found, hidden: Some(failure.silence) }, now))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn deployments(&self) -> Result<Trace<wire::Deployment>, Failure> {
        let what = "list deployments.apps";
        let labelled = ListParams::default().labels(controllers::LABEL);
        match self.list(what, "/apis/apps/v1/deployments", labelled).await {
            Ok(found) if !found.is_empty() => Ok(Trace { found, hidden: None }),
            // Helm's `nameOverride` changes the label; the image's name stays.
            Ok(_) => {
                let all = self.list(what, "/apis/apps/v1/deployments", ListParams::default());
                let mut found: Vec<wire::Deployment> = all.await?;
                found.retain(controllers::runs_controller);
                Ok(Trace { found, hidden: None })
            }
            Err(failure) if failure.is_forbidden() => {
                let path = format!(
                    "/apis/apps/v1/namespaces/{}/deployments/{}",
                    controllers::USUAL_NAMESPACE,
                    controllers::NAME
                );
                match self.door()?.get(what, &path).await {
                    Ok(found) => Ok(Trace { found: vec![found], hidden: Some(failure.silence) }),
                    Err(other) if other.is_not_found() => {
                        Ok(Trace { found: Vec::new(), hidden: Some(failure.silence) })
                    }
                    Err(_) => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    /// Looks for EKS Auto Mode by what it would serve: one binding of its API group is enough.
    async fn auto_mode(&self) -> Result<Option<Controller>, Failure> {
        let path = format!("{}/targetgroupbindings?limit=1", group(Flavour::AutoMode));
        let what = format!("list targetgroupbindings.{}", api(Flavour::AutoMode));
        match self.door()?.get::<wire::List<wire::Stub>>(&what, &path).await {
            Ok(list) => Ok((!list.items.is_empty()).then(controllers::auto_mode)),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

/// Where one kind of trace is hidden and the other shows nothing, nothing tells whether there is a
/// controller: that is a silence, and no controller of which little is known.
fn nothing_shown<'a>(
    leases: &'a Trace<wire::Lease>,
    deployments: &'a Trace<wire::Deployment>,
) -> Option<&'a Silence> {
    let hidden = leases.hidden.as_ref().or(deployments.hidden.as_ref());
    hidden.filter(|_| leases.found.is_empty() && deployments.found.is_empty())
}

fn hidden<T>(failure: Failure) -> Trace<T> {
    Trace { found: Vec::new(), hidden: Some(failure.silence) }
}
