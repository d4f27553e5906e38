//! A controller in a real cluster: the simulator's model of it (`mctg::sim::controller`), on a real
//! kube-apiserver and over the AWS wire.
//!
//! What it writes it writes as the real one does: as field manager `controller`, with merge patches
//! and updates that carry no resource version; its Lease and its Deployment are there. It looks for
//! what changed ten times a second.
//!
//! [`StandIn::whole`] is all of it: the controllers of Services, Ingresses and Gateways, the admission
//! webhook, events and the observed generation too.

mod door;
mod owners;
mod webhook;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Client;
use kube::api::{Api, Patch, PatchParams};
use mctg::sim::controller::owners::{Owners, Settings};
use mctg::sim::controller::{Controller, Ended, Failure, Flags, Worked};
use mctg::sim::wire::{self, Server};
use mctg::sim::world::VPC;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::door::Door;
use self::owners::{OwnerDoor, tell};
use self::webhook::Webhook;
use super::cluster::{Cluster, until};
use super::elbv2::Elbv2;
use super::objects::{self, lease};

/// The pause between two looks at the cluster.
const LOOK: Duration = Duration::from_millis(100);

/// How often the real one renews its Lease (`facts/lbc.md` 6).
const RENEWAL: Duration = Duration::from_secs(2);

/// A time so long ago that whatever was renewed then is stale.
const LONG_AGO: &str = "2026-01-01T00:00:00.000000Z";

/// A controller at work in a cluster, in the background; killed when dropped.
pub(crate) struct StandIn<'a> {
    cluster: &'a Cluster,
    controller: Controller<Door>,
    /// Its own way to ELBv2, so that what it asks for is not mistaken for the plugin's.
    server: Server,
    clock: Clock,
    /// The process: empty while it is stopped.
    tasks: JoinSet<()>,
    idle: watch::Sender<u64>,
    rest: Option<Rest>,
}

/// What not every test needs.
struct Rest {
    owners: Owners<OwnerDoor>,
    idle: watch::Sender<u64>,
    webhook: Webhook,
    /// The webhook's server, apart from the process so that it can be dead alone.
    serving: JoinSet<()>,
}

/// A clock that tests can put forward: the machine's, since a server stamps what it stores by it.
#[derive(Clone, Default)]
struct Clock(Arc<AtomicU64>);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the API server's clock is the machine's")]
    fn machine() -> Timestamp {
        Timestamp::now()
    }

    fn now(&self) -> Timestamp {
        let ahead = i64::try_from(self.0.load(Ordering::Relaxed)).expect("tests skip hours");
        Self::machine() + SignedDuration::from_secs(ahead)
    }
}

impl<'a> StandIn<'a> {
    /// Starts a controller with the default flags.
    pub(crate) async fn start(cluster: &'a Cluster, elbv2: &Elbv2) -> Self {
        Self::start_with(cluster, elbv2, |_| {}).await
    }

    /// Starts a controller with other flags.
    pub(crate) async fn start_with(
        cluster: &'a Cluster,
        elbv2: &Elbv2,
        change: impl FnOnce(&mut Flags),
    ) -> Self {
        let mut standin = Self::new(cluster, elbv2, change).await;
        standin.run().await;
        standin
    }

    /// Starts all of it, in a cluster of this name.
    pub(crate) async fn whole(cluster: &'a Cluster, elbv2: &Elbv2, name: &str) -> Self {
        let mut standin = Self::new(cluster, elbv2, |_| {}).await;
        let (webhook, listener) = Webhook::install(cluster, elbv2.load_balancers()).await;
        let mut serving = JoinSet::new();
        serving.spawn(webhook.serve(listener));
        Webhook::show(cluster, true).await;
        Webhook::asked(cluster).await;
        let door = OwnerDoor::new(cluster.client()).await;
        let owners = Owners::new(door, elbv2.load_balancers(), Settings::new(name, VPC));
        standin.rest = Some(Rest { owners, idle: watch::Sender::new(0), webhook, serving });
        standin.run().await;
        standin
    }

    async fn new(cluster: &'a Cluster, elbv2: &Elbv2, change: impl FnOnce(&mut Flags)) -> Self {
        let mut flags = Flags::new(VPC);
        change(&mut flags);
        let load_balancers = elbv2.load_balancers();
        let server = wire::serve(load_balancers.clone(), ([127, 0, 0, 1], 0).into()).await;
        let server = server.expect("a loopback port is free");
        let door = Door::new(cluster.client(), &server.url(), load_balancers);
        Self {
            cluster,
            controller: Controller::new(door, flags, Clock::machine()),
            server,
            clock: Clock::default(),
            tasks: JoinSet::new(),
            idle: watch::Sender::new(0),
            rest: None,
        }
    }

    /// Ends it wherever it is, and starts it anew: it remembers nothing.
    pub(crate) async fn restart(&mut self) {
        self.kill().await;
        self.controller.restart(self.clock.now());
        if let Some(rest) = &self.rest {
            rest.owners.restart();
        }
        self.serve_webhook().await;
        self.run().await;
    }

    /// Scales it to nothing; its Lease is left to grow old, and already has.
    pub(crate) async fn stop(&mut self) {
        self.kill().await;
        if self.rest.is_some() {
            Webhook::show(self.cluster, false).await;
        }
        self.cluster.put(objects::controller("v3.5.0", 0, 0)).await;
        self.cluster.put(lease(LONG_AGO)).await;
    }

    /// Ends it wherever it is, as `kill -9` does: its Lease stays fresh for a while, and its
    /// Deployment as it was. [`Self::restart`] starts it again.
    pub(crate) async fn kill(&mut self) {
        self.tasks.shutdown().await;
        if let Some(rest) = &mut self.rest {
            rest.serving.shutdown().await;
        }
    }

    /// Lets its webhook answer nobody, while the rest of it goes on; its Service has no endpoint.
    pub(crate) async fn silence_webhook(&mut self) {
        let rest = self.rest.as_mut().expect("only the whole has a webhook");
        rest.serving.shutdown().await;
        Webhook::show(self.cluster, false).await;
    }

    /// Lets its webhook answer, where it has one that does not.
    pub(crate) async fn serve_webhook(&mut self) {
        let Some(rest) = &mut self.rest else { return };
        if rest.serving.is_empty() {
            let listener = rest.webhook.listen().await;
            rest.serving.spawn(rest.webhook.serve(listener));
            Webhook::show(self.cluster, true).await;
        }
    }

    /// Puts its clock forward: its caches grow old, and what it deferred comes due. Nothing else is
    /// later for that.
    pub(crate) fn later(&self, by: Duration) {
        self.clock.0.fetch_add(by.as_secs(), Ordering::Relaxed);
    }

    /// Waits until it has seen the cluster as it is now, and has nothing to do about it.
    pub(crate) async fn settled(&self) {
        // The look that is under way may have begun before: the one after it has not. What the owners'
        // controllers do is work for the bindings', and not the other way round but when a binding is
        // waited for: then they are not idle.
        if let Some(rest) = &self.rest {
            let before = *rest.idle.borrow();
            let idle = async || *rest.idle.borrow() >= before + 2;
            until("the owners' controllers have nothing to do", idle).await;
        }
        let before = *self.idle.borrow();
        until("the controller has nothing to do", async || *self.idle.borrow() >= before + 2).await;
    }

    /// What it asked ELBv2 to change: operation and number of targets.
    pub(crate) fn writes(&self) -> Vec<(String, usize)> {
        let requests = self.server.requests().into_iter();
        requests
            .filter(|request| !request.action.starts_with("Describe"))
            .map(|request| (request.action, request.targets))
            .collect()
    }

    /// Since when it leads.
    pub(crate) fn leads_since(&self) -> Timestamp {
        self.controller.leads_since()
    }

    /// Shows a Deployment and a Lease, and begins to work.
    async fn run(&mut self) {
        let mut deployment = objects::controller("v3.5.0", 1, 1);
        if let Some(max) = self.controller.flags().max_targets {
            let args = &mut deployment["spec"]["template"]["spec"]["containers"][0]["args"];
            let flag = json!(format!("--max-targets-per-target-group={max}"));
            args.as_array_mut().expect("it has arguments").push(flag);
        }
        if let Some(rest) = &self.rest {
            let args = &mut deployment["spec"]["template"]["spec"]["containers"][0]["args"];
            args[0] = json!(format!("--cluster-name={}", rest.owners.settings().cluster_name));
            let (owners, clock) = (rest.owners.clone(), self.clock.clone());
            self.tasks.spawn(own(owners, clock, rest.idle.clone()));
        }
        self.cluster.put(deployment).await;
        let acquired = Clock::machine();
        renew(&self.cluster.client(), acquired).await;
        self.tasks.spawn(keep(self.cluster.client(), acquired));
        let (controller, clock) = (self.controller.clone(), self.clock.clone());
        let tells = self.rest.is_some().then(|| self.cluster.client());
        self.tasks.spawn(work(controller, clock, self.idle.clone(), tells));
    }
}

/// Works; with a client to tell by, it says what it did.
async fn work(
    controller: Controller<Door>,
    clock: Clock,
    idle: watch::Sender<u64>,
    tells: Option<Client>,
) {
    loop {
        match controller.work(clock.now()).await {
            Ok(Some(worked)) => {
                if let Some(client) = &tells {
                    // A server that a test stopped is told nothing.
                    let _ = report(client, &worked).await;
                }
                continue;
            }
            Ok(None) => idle.send_modify(|looks| *looks += 1),
            // A server that a test stopped: it is looked at again.
            Err(_) => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// What the real one records of a pass: events, and the generation it has observed.
async fn report(client: &Client, worked: &Worked) -> Result<(), Failure> {
    let (namespace, name) = &worked.binding;
    let bindings = door::bindings(client, namespace);
    let Some(stored) = bindings.get_opt(name).await.map_err(door::failure)? else { return Ok(()) };
    let involved = json!({
        "apiVersion": "elbv2.k8s.aws/v1beta1", "kind": "TargetGroupBinding",
        "namespace": namespace, "name": name, "uid": stored.metadata.uid,
    });
    let component = "targetGroupBinding";
    match &worked.ended {
        Err(why) => {
            let said = format!("Failed reconcile due to {why}");
            return tell(client, component, &involved, true, "FailedReconcile", &said).await;
        }
        Ok(Some(Ended::CleanedUp)) => {
            let service = &stored.data["spec"]["serviceRef"]["name"];
            let said = format!("backend not found: services {service} not found");
            tell(client, component, &involved, true, "BackendNotFound", &said).await?;
        }
        Ok(Some(Ended::Done)) => {}
        Ok(_) => return Ok(()),
    }
    let status = json!({ "status": { "observedGeneration": stored.metadata.generation } });
    let params =
        PatchParams { field_manager: Some(door::MANAGER.to_owned()), ..Default::default() };
    bindings.patch_status(name, &params, &Patch::Merge(&status)).await.map_err(door::failure)?;
    let said = "Successfully reconciled";
    tell(client, component, &involved, false, "SuccessfullyReconciled", said).await
}

/// Plays the controllers of owners.
async fn own(owners: Owners<OwnerDoor>, clock: Clock, idle: watch::Sender<u64>) {
    loop {
        match owners.work(clock.now()).await {
            Ok(Some(worked)) if worked.ended == Ok(true) => continue,
            // Bindings are on their way out, or something is wrong with the owner.
            Ok(Some(worked)) if worked.ended.is_ok() => {}
            Ok(_) => idle.send_modify(|looks| *looks += 1),
            // A server that a test stopped: it is looked at again.
            Err(_) => {}
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn keep(client: Client, acquired: Timestamp) {
    loop {
        tokio::time::sleep(RENEWAL).await;
        renew(&client, acquired).await;
    }
}

async fn renew(client: &Client, acquired: Timestamp) {
    let mut manifest = lease(&format!("{:.6}", Clock::machine()));
    manifest["spec"]["acquireTime"] = json!(format!("{acquired:.6}"));
    let name = manifest["metadata"]["name"].as_str().expect("it has a name").to_owned();
    let leases: Api<Lease> = Api::namespaced(client.clone(), "kube-system");
    let params = PatchParams::apply("e2e").force();
    // A server that a test stopped renews nothing, as it would not for the real one.
    let _ = leases.patch(&name, &params, &Patch::Apply(&manifest)).await;
}
