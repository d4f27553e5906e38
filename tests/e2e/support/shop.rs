//! The world most tests begin with: blue and green share the target group of the Service `shop`.

use mctg::target::TargetGroupArn;
use serde_json::{Value, json};

use super::cluster::Cluster;
use super::elbv2::Elbv2;
use super::objects::{binding, ledger, node, pod, service, slice};
use super::pool::{Pair, pair};
use super::programs::Desk;

/// Blue's pods, one in each zone.
pub(crate) const BLUE: [&str; 3] = ["10.0.12.31", "10.0.76.84", "10.0.140.17"];
/// Green's pods, in the second and third zone.
pub(crate) const GREEN: [&str; 2] = ["10.0.79.52", "10.0.151.60"];

/// A target of blue that is lost.
pub(crate) const LOST: &str = "10.0.76.84:80";
/// A target that no cluster claims.
pub(crate) const FOREIGN: &str = "10.0.100.9:80";
/// A target of green whose pod is gone.
pub(crate) const LEFT: &str = "10.0.151.77:80";

/// Two real clusters, an ELBv2, and a desk whose kubeconfig has both as `blue` (current) and `green`.
///
/// Everything is as it should be: all pods are ready, in their ledgers, registered and healthy. No
/// controller is there, and this program's CronJob stands in its place, so that `status` is fine.
pub(crate) struct Shop {
    pub(crate) pair: Pair,
    pub(crate) elbv2: Elbv2,
    pub(crate) group: TargetGroupArn,
    pub(crate) desk: Desk,
}

impl Shop {
    pub(crate) async fn open() -> Self {
        let shop = Self::new().await;
        let group = &shop.group;
        tokio::join!(share(&shop.pair.blue, &BLUE, group), share(&shop.pair.green, &GREEN, group));
        shop.elbv2.register(group, &targets(BLUE));
        shop.elbv2.register(group, &targets(GREEN));
        shop
    }

    /// The clusters and the group, with nothing that shares it.
    pub(crate) async fn new() -> Self {
        let pair = pair().await;
        let elbv2 = Elbv2::start().await;
        let group = elbv2.group("k8s-default-shop");
        let desk = Desk::new(&pair.kubeconfig()).with_elbv2(&elbv2);
        for cluster in [&pair.blue, &pair.green] {
            nodes(cluster).await;
            cluster.put(cron_job()).await;
        }
        Self { pair, elbv2, group, desk }
    }

    /// The three things that happen behind everybody's back: blue loses [`LOST`], nobody has put in
    /// [`FOREIGN`], and a pod of green vanished and left [`LEFT`] behind.
    pub(crate) async fn drift(&self) {
        self.elbv2.lose(&self.group, &[LOST]);
        self.elbv2.register(&self.group, &[FOREIGN, LEFT]);
        let mut tracked = targets(GREEN);
        tracked.push(LEFT.to_owned());
        self.pair.green.put(ledger("default", "shop", &tracked.join(","))).await;
    }

    /// The targets registered, as `id:port`, sorted.
    pub(crate) fn registered(&self) -> Vec<String> {
        self.elbv2.registered(&self.group)
    }
}

/// What `registered` says when all of some pods are.
pub(crate) fn targets<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut targets: Vec<_> = addresses.into_iter().map(|it| format!("{it}:80")).collect();
    targets.sort();
    targets
}

/// A node in each of the model's zones.
pub(crate) async fn nodes(cluster: &Cluster) {
    for (index, zone) in ["us-east-1a", "us-east-1b", "us-east-1c"].into_iter().enumerate() {
        cluster.put(node(&format!("node-{index}"), &format!("i-{index:017}"), zone)).await;
    }
}

/// Puts the Service `shop` with its pods, a binding of it, and the ledger that fits.
pub(crate) async fn share(cluster: &Cluster, addresses: &[&str], group: &TargetGroupArn) {
    cluster.put(service("default", "shop", "NodePort")).await;
    serve(cluster, "shop", addresses).await;
    cluster.put(binding("default", "shop", group.as_str())).await;
    cluster.put(ledger("default", "shop", &targets(addresses.iter().copied()).join(","))).await;
}

/// Makes these the ready pods of a Service: pods and EndpointSlice.
pub(crate) async fn serve(cluster: &Cluster, name: &str, addresses: &[&str]) {
    let pods: Vec<Value> = addresses
        .iter()
        .map(|address| {
            let last = address.rsplit('.').next().unwrap_or_default();
            pod("default", &format!("{name}-{last}"), address, node_of(address))
        })
        .collect();
    for pod in &pods {
        cluster.put(pod.clone()).await;
    }
    cluster.put(slice("default", name, &pods)).await;
}

/// The node in the zone of an address.
pub(crate) fn node_of(address: &str) -> &'static str {
    let third = address.split('.').nth(2).and_then(|byte| byte.parse::<u8>().ok());
    match third {
        Some(0..64) => "node-0",
        Some(64..128) => "node-1",
        _ => "node-2",
    }
}

/// This program's CronJob.
pub(crate) fn cron_job() -> Value {
    json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": { "namespace": "kube-system", "name": "kubectl-mctg", "labels": {
            "app.kubernetes.io/name": "kubectl-mctg",
        }},
        "spec": {
            "schedule": "*/5 * * * *",
            "jobTemplate": { "spec": { "template": { "spec": {
                "restartPolicy": "Never",
                "containers": [{ "name": "mctg", "image": "example.invalid/kubectl-mctg" }],
            }}}},
        },
    })
}
