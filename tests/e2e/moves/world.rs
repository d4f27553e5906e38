//! Two clusters with all their controllers, an ELBv2 whose time passes, and the truth that `status`
//! has to agree with.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::Duration;

use mctg::sim::world::{VPC, ZONES};
use mctg::target::TargetGroupArn;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::law::Law;
use crate::support::cluster::{Cluster, until};
use crate::support::elbv2::Elbv2;
use crate::support::kubeconfig::Kubeconfig;
use crate::support::objects::{binding, condition, ledger, node, pod, service};
use crate::support::owners::{NLB, alb_ingress, ingress_class, nlb_service};
use crate::support::pool::{Pair, pair};
use crate::support::programs::{Desk, Finished};
use crate::support::shop::{node_of, serve};
use crate::support::standin::StandIn;

/// How often the model's time moves, and by how much: five minutes of draining pass in a second.
const TICK: Duration = Duration::from_millis(50);
const TICK_BY: Duration = Duration::from_secs(15);

/// How long controllers may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is shared: the load balancer of which kind of owner, and what its group registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    NlbIp,
    NlbInstance,
    AlbIp,
    AlbInstance,
}

impl Kind {
    fn target_type(self) -> &'static str {
        match self {
            Self::NlbIp | Self::AlbIp => "ip",
            Self::NlbInstance | Self::AlbInstance => "instance",
        }
    }

    fn is_alb(self) -> bool {
        matches!(self, Self::AlbIp | Self::AlbInstance)
    }

    /// The owner as the verbs take it.
    pub(crate) fn owner(self) -> &'static str {
        if self.is_alb() { "ingress/nginx" } else { "svc/nginx" }
    }
}

/// Both clusters, as the contexts `pri` (current) and `sec`.
pub(crate) struct World {
    pair: Pair,
    pub(crate) elbv2: Elbv2,
    pub(crate) desk: Desk,
    pub(crate) kind: Kind,
    pub(crate) law: Law,
    _time: JoinSet<()>,
}

impl World {
    pub(crate) async fn new(kind: Kind) -> Self {
        let pair = pair().await;
        let elbv2 = Elbv2::start().await;
        let desk = Desk::new(&Self::contexts(&pair)).with_elbv2(&elbv2);
        let law = Law::over(&elbv2);
        let load_balancers = elbv2.load_balancers();
        let mut time = JoinSet::new();
        time.spawn(async move {
            loop {
                tokio::time::sleep(TICK).await;
                load_balancers.with(|model| model.advance(TICK_BY));
            }
        });
        Self { pair, elbv2, desk, kind, law, _time: time }
    }

    fn contexts(pair: &Pair) -> Kubeconfig {
        Kubeconfig::default().with("pri", pair.blue.admin()).with("sec", pair.green.admin())
    }

    /// A desk from which `sec` cannot be reached any more.
    pub(crate) fn desk_without_sec(&self) -> Desk {
        let dead = self.pair.green.admin().at(&crate::support::kubeconfig::dead_url());
        let contexts = Kubeconfig::default().with("pri", self.pair.blue.admin()).with("sec", dead);
        Desk::new(&contexts).with_elbv2(&self.elbv2)
    }

    /// Runs the plugin, which has to end well.
    pub(crate) async fn mctg(&self, args: &str) -> Finished {
        self.desk.mctg(args).await.ended(0)
    }

    /// What a run must not change: every object of both clusters, and what is registered.
    pub(crate) async fn snapshot(&self) -> (Vec<BTreeMap<String, String>>, usize) {
        let versions = vec![self.pair.blue.versions().await, self.pair.green.versions().await];
        (versions, self.elbv2.writes().len())
    }
}

/// One of the clusters.
pub(crate) struct Side<'w> {
    world: &'w World,
    pub(crate) cluster: &'w Cluster,
    pub(crate) context: &'static str,
    pub(crate) standin: StandIn<'w>,
    /// Its nodes, each with its instance and zone.
    nodes: Vec<(String, String, &'static str)>,
    /// What it has to offer now.
    targets: Mutex<BTreeSet<String>>,
    /// Whether a binding asks for that.
    joined: Mutex<bool>,
}

impl<'w> Side<'w> {
    pub(crate) async fn pri(world: &'w World) -> Self {
        Self::start(world, &world.pair.blue, "pri", 1).await
    }

    pub(crate) async fn sec(world: &'w World) -> Self {
        Self::start(world, &world.pair.green, "sec", 2).await
    }

    /// A cluster with a node in each zone and all its controllers.
    async fn start(
        world: &'w World,
        cluster: &'w Cluster,
        context: &'static str,
        number: usize,
    ) -> Self {
        let nodes: Vec<_> = (0..3)
            .map(|index| {
                (format!("node-{index}"), format!("i-{number}{index:016}"), ZONES[index].0)
            })
            .collect();
        for (name, instance, zone) in &nodes {
            world.elbv2.with(|model| model.add_instance(instance, VPC, zone));
            cluster.put(node(name, instance, zone)).await;
        }
        let standin = StandIn::whole(cluster, &world.elbv2, &format!("{context}-eks")).await;
        Self {
            world,
            cluster,
            context,
            standin,
            nodes,
            targets: Mutex::default(),
            joined: Mutex::new(false),
        }
    }

    /// Deploys the Service with an owner of its load balancer, which may ask to be shared at once.
    pub(crate) async fn own(&self, pods: &[&str], shared: bool) {
        let kind = self.world.kind;
        if kind.is_alb() {
            self.cluster.put(ingress_class()).await;
            self.cluster.put(service("default", "nginx", "NodePort")).await;
        }
        let mut owner = if kind.is_alb() {
            alb_ingress("nginx", kind.target_type())
        } else {
            nlb_service("nginx", kind.target_type())
        };
        if shared {
            let prefix = if kind.is_alb() { "alb.ingress.kubernetes.io/" } else { NLB };
            let joint = if kind.is_alb() { "" } else { "-" };
            let flag = format!("{prefix}{joint}multi-cluster-target-group");
            owner["metadata"]["annotations"][flag] = json!("true");
        }
        self.cluster.put(owner).await;
        self.offer(pods).await;
        self.join();
        self.standin.settled().await;
    }

    /// Deploys the Service alone.
    pub(crate) async fn deploy(&self, pods: &[&str]) {
        self.cluster.put(service("default", "nginx", "NodePort")).await;
        self.offer(pods).await;
    }

    /// Makes these its ready pods; for a group of instances as many of its nodes are ready.
    pub(crate) async fn offer(&self, pods: &[&str]) {
        let offered = self.offered(pods).await;
        // What goes is wanted no more from here on, what comes once it is there.
        let kept: BTreeSet<String> = self.targets().intersection(&offered).cloned().collect();
        self.want(kept);
        if self.world.kind.target_type() == "ip" {
            serve(self.cluster, "nginx", pods).await;
            let listed = self.cluster.list(&pod("default", "", "", "")).await;
            for gone in
                listed.iter().filter(|it| !pods.iter().any(|ip| it["status"]["podIP"] == *ip))
            {
                let name = gone["metadata"]["name"].as_str().expect("it has a name");
                self.cluster.delete(&pod("default", name, "", node_of(name))).await;
            }
        } else {
            for (index, (name, instance, zone)) in self.nodes.iter().enumerate() {
                let mut manifest = node(name, instance, zone);
                let status = if index < pods.len() { "True" } else { "False" };
                manifest["status"]["conditions"] = json!([condition("Ready", status)]);
                self.cluster.put(manifest).await;
            }
        }
        self.want(offered);
    }

    /// What the controller would register for these pods.
    async fn offered(&self, pods: &[&str]) -> BTreeSet<String> {
        if self.world.kind.target_type() == "ip" {
            return pods.iter().map(|address| format!("{address}:80")).collect();
        }
        let stored = self.cluster.get(&service("default", "nginx", "")).await.expect("it is there");
        let port = &stored["spec"]["ports"][0]["nodePort"];
        let ready = self.nodes.iter().take(pods.len());
        ready.map(|(_, instance, _)| format!("{instance}:{port}")).collect()
    }

    fn targets(&self) -> BTreeSet<String> {
        self.targets.lock().expect("nothing panics with it").clone()
    }

    fn want(&self, targets: BTreeSet<String>) {
        let joined = *self.joined.lock().expect("nothing panics with it");
        self.world.law.want(self.context, if joined { targets.clone() } else { BTreeSet::new() });
        *self.targets.lock().expect("nothing panics with it") = targets;
    }

    /// From here on a binding asks for what it has to offer.
    pub(crate) fn join(&self) {
        *self.joined.lock().expect("nothing panics with it") = true;
        self.want(self.targets());
    }

    /// From here on none does.
    pub(crate) fn leave(&self) {
        *self.joined.lock().expect("nothing panics with it") = false;
        self.want(self.targets());
    }

    /// The bindings here.
    pub(crate) async fn bindings(&self) -> Vec<Value> {
        self.cluster.list(&binding("default", "", "")).await
    }

    /// The one binding of the Service here.
    pub(crate) async fn binding(&self) -> Value {
        let mut found = self.bindings().await;
        assert_eq!(found.len(), 1, "{found:#?}");
        found.remove(0)
    }

    /// The group that it binds.
    pub(crate) async fn group(&self) -> TargetGroupArn {
        let found = self.binding().await;
        let arn = found["spec"]["targetGroupARN"].as_str().expect("it has one");
        arn.parse().expect("it is one")
    }

    async fn tracked(&self, name: &str) -> Option<BTreeSet<String>> {
        let stored = self.cluster.get(&ledger("default", name, "")).await?;
        let text = stored["data"]["targets"].as_str().unwrap_or_default();
        Some(text.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect())
    }
}

/// Waits until the group has what these clusters offer and no more, and checks that everybody agrees:
/// ELBv2, the ledgers, and `status`.
pub(crate) async fn agree(world: &World, group: &TargetGroupArn, sides: &[&Side<'_>]) -> Value {
    let expected: BTreeSet<String> = sides.iter().flat_map(|side| side.targets()).collect();
    let listed = || -> BTreeSet<String> {
        let listed = world.elbv2.with(|model| model.describe_target_health(group.as_str(), &[]));
        let listed = listed.expect("the group is there").into_iter();
        listed.map(|it| it.description.target.to_string()).collect()
    };
    for side in sides {
        side.standin.settled().await;
    }
    // Where that does not come about, it is told what is there instead.
    let comes = until("the group has what is offered", async || listed() == expected);
    if tokio::time::timeout(PATIENCE, comes).await.is_err() {
        assert_eq!(listed(), expected);
    }
    let mut exclusive = true;
    for side in sides {
        let found = side.binding().await;
        let name = found["metadata"]["name"].as_str().expect("a name");
        if found["spec"]["multiClusterTargetGroup"] == true {
            exclusive = false;
            let tracked = side.tracked(name).await;
            assert_eq!(tracked, Some(side.targets()), "the ledger of {}", side.context);
        }
    }

    let all = if exclusive { " --all" } else { "" };
    let run = world.desk.mctg(&format!("status -o json{all}")).await;
    let status = run.json();
    assert_eq!(status["complete"], true, "{status:#}");
    assert!(matches!(run.code, Some(0 | 1)), "{status:#}");
    let groups = status["targetGroups"].as_array().expect("groups");
    assert_eq!(groups.len(), 1, "{status:#}");
    assert_eq!(groups[0]["arn"], group.as_str());
    let shown =
        |target: &Value| format!("{}:{}", target["id"].as_str().expect("an id"), target["port"]);
    let targets = groups[0]["targets"].as_array().expect("targets");
    let told: BTreeSet<String> = targets.iter().map(shown).collect();
    assert_eq!(told, expected, "{status:#}");
    for target in targets {
        assert_eq!(target["health"]["state"], "healthy", "{target:#}");
        let by = target["desiredBy"].as_array().expect("claims");
        let whose: Vec<_> =
            by.iter().map(|it| it["context"].as_str().expect("a context")).collect();
        let owner = sides.iter().find(|side| side.targets().contains(&shown(target)));
        assert_eq!(whose, [owner.expect("somebody offers it").context], "{target:#}");
        if !exclusive {
            assert_eq!(target["class"], "inSync", "{target:#}");
        }
    }
    let rows = groups[0]["bindings"].as_array().expect("bindings");
    assert_eq!(rows.len(), sides.len(), "{status:#}");
    let mut shares = 0.0;
    for (row, side) in rows.iter().zip(sides) {
        let offered = side.targets().len();
        assert_eq!(row["context"], side.context);
        assert_eq!(row["multiCluster"], !exclusive, "{row:#}");
        for count in ["desired", "registered", "healthy"] {
            assert_eq!(row[count], offered, "{count}: {row:#}");
        }
        if !exclusive {
            assert_eq!(row["tracked"], offered, "{row:#}");
            assert_eq!(row["state"], "inSync", "{row:#}");
            assert_eq!(row["checkpoint"], "current", "{row:#}");
        }
        shares += row["share"].as_f64().unwrap_or_default();
    }
    let full = if expected.is_empty() { 0.0 } else { 1.0 };
    assert!((shares - full).abs() < 1e-9, "{status:#}");
    world.law.held();
    status
}

/// The codes of a document's findings.
pub(crate) fn codes(document: &Value) -> BTreeSet<String> {
    let findings = document["findings"].as_array().expect("findings");
    findings.iter().map(|it| it["code"].as_str().expect("a code").to_owned()).collect()
}
