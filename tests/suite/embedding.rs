//! The public face, as another crate sees it: what can be sent between threads, spawned, and made.

use std::sync::Arc;

use mctg::apply::{Listener, apply};
use mctg::cluster::Cluster;
use mctg::cluster::kube::KubeCluster;
use mctg::elbv2::LoadBalancers;
use mctg::elbv2::aws::AwsLoadBalancers;
use mctg::observe::{Scope, observe};
use mctg::plan::{Plan, Request};
use mctg::reconcile::{Options, Planned, Reconciler};
use mctg::report::Reconcile;
use mctg::sim::World;

fn is_send<T: Send>(value: T) -> T {
    value
}

fn is_send_and_sync<T: Send + Sync>() {}

#[test]
fn everything_public_can_be_shared_between_threads() {
    is_send_and_sync::<mctg::facts::Facts>();
    is_send_and_sync::<Scope>();
    is_send_and_sync::<Request>();
    is_send_and_sync::<Plan>();
    is_send_and_sync::<Planned>();
    is_send_and_sync::<Options>();
    is_send_and_sync::<mctg::apply::Done>();
    is_send_and_sync::<Reconcile>();
    is_send_and_sync::<mctg::report::Status>();
    is_send_and_sync::<mctg::findings::Finding>();
    is_send_and_sync::<mctg::selection::Selection>();
    is_send_and_sync::<mctg::binding::Binding>();
    is_send_and_sync::<mctg::ledger::Ledger>();
    is_send_and_sync::<mctg::target::TargetDescription>();
    is_send_and_sync::<mctg::cluster::WriteError>();
    is_send_and_sync::<mctg::elbv2::CallError>();
    is_send_and_sync::<KubeCluster>();
    is_send_and_sync::<AwsLoadBalancers>();
    is_send_and_sync::<mctg::elbv2::aws::Settings>();
    is_send_and_sync::<World>();
    is_send_and_sync::<mctg::sim::Cluster>();
    is_send_and_sync::<mctg::sim::LoadBalancers>();
    is_send_and_sync::<Reconciler<'_, KubeCluster, AwsLoadBalancers, fn() -> jiff::Timestamp>>();
}

/// Spawns a run as a generic embedder does: nothing is known of the two sides but their traits.
async fn spawned<C, L>(clusters: Vec<C>, load_balancers: L, world: World) -> Reconcile
where
    C: Cluster + 'static,
    L: LoadBalancers + 'static,
{
    let request = Request {
        contexts: ["blue".to_owned()].into(),
        may_deregister: true,
        ..Request::default()
    };
    let run = tokio::spawn(async move {
        let options = Options { request, ..Options::default() };
        let reconciler =
            Reconciler::new(&clusters, &load_balancers, || world.now()).options(options);
        let planned = reconciler.plan().await;
        reconciler.run(Some(&planned.plan), &|_| {}).await
    });
    run.await.expect("it never panics")
}

#[tokio::test]
async fn a_run_can_be_spawned() {
    let world = World::demo("2026-01-01T12:00:00Z".parse().unwrap());
    let report = spawned(world.clusters(), world.load_balancers(), world.clone()).await;
    assert!(report.complete);
    assert_eq!(report.bindings[0].plan.register.len(), 1);
}

#[tokio::test]
async fn each_part_of_a_run_can_be_spawned_on_its_own() {
    let world = World::demo("2026-01-01T12:00:00Z".parse().unwrap());
    let (clusters, load_balancers) = (Arc::new(world.clusters()), world.load_balancers());
    let request = Request { contexts: ["blue".to_owned()].into(), ..Request::default() };
    let clock = {
        let world = world.clone();
        move || world.now()
    };
    let facts = {
        let (clusters, load_balancers) = (Arc::clone(&clusters), load_balancers.clone());
        let run =
            async move { observe(&clusters, &load_balancers, &Scope::default(), &clock).await };
        tokio::spawn(run).await.unwrap()
    };
    let plan = mctg::plan::plan(&facts, &request, mctg::plan::Pass::First);
    let done = tokio::spawn(async move {
        let second = Plan::default();
        let listener: Listener<'_> = &|_| {};
        apply(&clusters, &load_balancers, &plan, async || second, listener).await
    });
    let done = done.await.unwrap();
    assert_eq!(done.iter().map(|done| done.registered.len()).collect::<Vec<_>>(), [1]);
}

/// Never called: that it compiles is the test.
#[expect(dead_code, reason = "that it compiles is the test")]
fn futures_over_the_real_adapters_are_send(
    clusters: &[KubeCluster],
    load_balancers: &AwsLoadBalancers,
    clock: fn() -> jiff::Timestamp,
) {
    let reconciler = is_send(Reconciler::new(clusters, load_balancers, clock));
    drop(is_send(reconciler.plan()));
    drop(is_send(reconciler.run(None, &|_| {})));
    let scope = Scope::default();
    drop(is_send(observe(clusters, load_balancers, &scope, &clock)));
}

/// The blocks of `docs/embedding.md` are parts of the examples, which are built and run.
#[test]
fn the_page_on_embedding_shows_the_examples_as_they_are() {
    let read = |path: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        std::fs::read_to_string(path).unwrap()
    };
    let examples = ["one_shot", "operator"].map(|name| read(&format!("examples/{name}.rs")));
    let page = read("docs/embedding.md");
    let blocks: Vec<&str> = page
        .split("```rust\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default())
        .collect();
    assert_eq!(blocks.len(), 3);
    for block in blocks {
        assert!(examples.iter().any(|example| example.contains(block)), "of no example:\n{block}");
    }
}
