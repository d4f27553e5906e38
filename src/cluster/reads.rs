//! Reads that take more than one request: bindings that may not be served, pods and ledgers by name.

use std::collections::{BTreeMap, BTreeSet};

use ::kube::api::ListParams;
use futures::stream::{self, StreamExt, TryStreamExt};

use super::errors::Failure;
use super::kube::{CONCURRENT_READS_MAX, KubeCluster, api, group, within};
use super::objects as wire;
use super::translate;
use crate::binding::{Binding, Flavour};
use crate::endpoints::{Pod, PodName};
use crate::facts::LedgerFault;
use crate::ledger::Ledger;

/// From how many objects of one namespace on, one list costs less than as many reads.
const LIST_INSTEAD_MIN: usize = 24;

impl KubeCluster {
    pub(super) async fn list_bindings(
        &self,
        flavour: Flavour,
        namespace: Option<&str>,
    ) -> Result<Vec<Binding>, Failure> {
        let group = group(flavour);
        let what = within(&format!("list targetgroupbindings.{}", api(flavour)), namespace);
        let path = match namespace {
            Some(namespace) => format!("{group}/namespaces/{namespace}/targetgroupbindings"),
            None => format!("{group}/targetgroupbindings"),
        };
        match self.list(&what, &path, ListParams::default()).await {
            Ok(items) => {
                Ok(items.into_iter().map(|item| translate::binding(flavour, item)).collect())
            }
            Err(failure) if failure.is_not_found() => {
                self.prove_kubernetes(&what).await?;
                Ok(Vec::new())
            }
            Err(failure) if failure.is_forbidden() && !self.serves(flavour, &what).await => {
                Ok(Vec::new())
            }
            Err(failure) => Err(failure),
        }
    }

    /// Says whether the cluster has a flavour's bindings at all: authorization comes before
    /// existence, so a type that is not there is forbidden to whoever was not granted it. Discovery
    /// is open to everybody who is known; where it is not, the type counts as served.
    async fn serves(&self, flavour: Flavour, what: &str) -> bool {
        let Ok(door) = self.door() else { return true };
        match door.get::<wire::Resources>(what, group(flavour)).await {
            Ok(list) => list.resources.iter().any(|it| it.name == "targetgroupbindings"),
            Err(failure) if failure.is_not_found() => self.prove_kubernetes(what).await.is_err(),
            Err(_) => true,
        }
    }

    pub(super) async fn read_pods(&self, names: &BTreeSet<PodName>) -> Result<Vec<Pod>, Failure> {
        let mut pods = Vec::with_capacity(names.len());
        for (namespace, names) in by_namespace(names.iter().map(|n| (&*n.namespace, &*n.name))) {
            pods.extend(self.pods_of_namespace(namespace, names).await?);
        }
        Ok(pods)
    }

    async fn pods_of_namespace(
        &self,
        namespace: &str,
        names: BTreeSet<&str>,
    ) -> Result<Vec<Pod>, Failure> {
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        if names.len() >= LIST_INSTEAD_MIN {
            let what = within("list pods", Some(namespace));
            let all: Vec<wire::Pod> = self.list(&what, &path, ListParams::default()).await?;
            return Ok(all
                .into_iter()
                .filter(|pod| names.contains(pod.metadata.name.as_str()))
                .map(translate::pod)
                .collect());
        }
        let door = self.door()?;
        let read = |name: &str| {
            let what = within(&format!("get pod `{name}`"), Some(namespace));
            let path = format!("{path}/{name}");
            async move {
                match door.get(&what, &path).await {
                    Ok(pod) => Ok(Some(translate::pod(pod))),
                    Err(failure) if failure.is_not_found() => Ok(None),
                    Err(failure) => Err(failure),
                }
            }
        };
        let reads: Vec<_> = names.into_iter().map(read).collect();
        let pods: Vec<Option<Pod>> =
            stream::iter(reads).buffered(CONCURRENT_READS_MAX).try_collect().await?;
        Ok(pods.into_iter().flatten().collect())
    }

    pub(super) async fn read_ledgers(
        &self,
        names: &BTreeSet<(String, String)>,
    ) -> BTreeMap<(String, String), Result<Option<Ledger>, LedgerFault>> {
        let mut ledgers = BTreeMap::new();
        for (namespace, names) in by_namespace(names.iter().map(|(ns, name)| (&**ns, &**name))) {
            ledgers.extend(self.ledgers_of_namespace(namespace, names).await);
        }
        ledgers
    }

    async fn ledgers_of_namespace(
        &self,
        namespace: &str,
        names: BTreeSet<&str>,
    ) -> BTreeMap<(String, String), Result<Option<Ledger>, LedgerFault>> {
        let key = |name: &str| (namespace.to_owned(), name.to_owned());
        let path = format!("/api/v1/namespaces/{namespace}/configmaps");
        if names.len() >= LIST_INSTEAD_MIN {
            let what = within("list configmaps", Some(namespace));
            let all = self.list::<wire::ConfigMap>(&what, &path, ListParams::default()).await;
            // A list needs a permission of its own, and one ConfigMap too odd to read would hide
            // the others: where it fails, the ledgers are read one by one.
            if let Ok(all) = all {
                let mut ledgers: BTreeMap<_, _> =
                    names.iter().map(|name| (key(name), Ok(None))).collect();
                for configmap in all {
                    if names.contains(configmap.metadata.name.as_str()) {
                        let key = key(&configmap.metadata.name);
                        ledgers.insert(key, translate::ledger(configmap).map(Some));
                    }
                }
                return ledgers;
            }
        }
        let read = |name: &str| {
            let (key, what) = (key(name), get_configmap(namespace, name));
            let path = format!("{path}/{name}");
            async move { (key, self.ledger(&what, &path).await) }
        };
        let reads: Vec<_> = names.into_iter().map(read).collect();
        stream::iter(reads).buffered(CONCURRENT_READS_MAX).collect().await
    }

    async fn ledger(&self, what: &str, path: &str) -> Result<Option<Ledger>, LedgerFault> {
        let silent = |failure: Failure| LedgerFault::Silent(failure.silence);
        match self.door().map_err(silent)?.get(what, path).await {
            Ok(configmap) => translate::ledger(configmap).map(Some),
            Err(failure) if failure.is_not_found() => Ok(None),
            Err(failure) => Err(silent(failure)),
        }
    }
}

fn get_configmap(namespace: &str, name: &str) -> String {
    format!("get configmap `{name}` in namespace `{namespace}`")
}

fn by_namespace<'a>(
    names: impl Iterator<Item = (&'a str, &'a str)>,
) -> BTreeMap<&'a str, BTreeSet<&'a str>> {
    let mut sorted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (namespace, name) in names {
        sorted.entry(namespace).or_default().insert(name);
    }
    sorted
}
