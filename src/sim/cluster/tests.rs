use std::collections::BTreeSet;

use super::*;
use crate::binding::Flavour;
use crate::cluster::Cluster as _;
use crate::endpoints::AddressFamily;
use crate::facts::LedgerFault;
use crate::sim::World;
use crate::target::Target;

fn world() -> (World, Cluster, TargetGroupArn) {
    let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
    let group = world.add_group("k8s-web-shop");
    let blue = world.add_cluster("blue");
    blue.share("web", "shop", &["10.0.0.11", "10.0.64.11"], &group);
    (world, blue, group)
}

fn targets(ids: &[&str]) -> BTreeSet<Target> {
    ids.iter().map(|id| Target::new(*id, 8080)).collect()
}

#[tokio::test]
async fn one_line_makes_a_service_with_pods_slices_and_a_binding() {
    let (_, blue, group) = world();
    let bindings = blue.bindings(Flavour::LoadBalancerController, None).await.unwrap();
    assert_eq!((bindings.len(), bindings[0].name.as_str()), (1, "shop-http"));
    assert_eq!(bindings[0].spec.target_group_arn, group.as_str());
    assert_eq!(blue.bindings(Flavour::AutoMode, None).await.unwrap(), []);
    assert_eq!(blue.services("web").await.unwrap().len(), 1);
    let slices = blue.endpoint_slices("web").await.unwrap();
    let zones: Vec<_> = slices[0].endpoints.iter().map(|e| e.zone.as_deref().unwrap()).collect();
    assert_eq!(zones, ["us-east-1a", "us-east-1b"]);
    assert_eq!(slices[0].ports[0].port, 8080);
    assert_eq!(blue.pod_stubs("web").await.unwrap().len(), 2);
    assert_eq!(blue.nodes().await.unwrap().len(), 3);
}

#[tokio::test]
async fn slices_follow_their_pods() {
    let (_, blue, _) = world();
    blue.with(|state| {
        state.set_ready("10.0.0.11", false);
        state.terminate("10.0.64.11");
        state.add_pod("web", "shop", "10.0.128.11");
        state.add_pod("web", "shop", "2001:db8::1");
    });
    let slices = blue.endpoint_slices("web").await.unwrap();
    assert_eq!(
        (slices[0].family, slices[1].family),
        (Some(AddressFamily::IPv4), Some(AddressFamily::IPv6))
    );
    let seen: Vec<_> = slices[0].endpoints.iter().map(|e| (e.ready, e.terminating)).collect();
    assert_eq!(seen, [(Some(false), false), (Some(false), true), (Some(true), false)]);
    blue.with(|state| state.remove_pod_at("10.0.0.11"));
    assert_eq!(blue.endpoint_slices("web").await.unwrap()[0].endpoints.len(), 2);
    assert_eq!(blue.pods_with_address("10.0.0.11").await.unwrap(), []);
    assert_eq!(blue.pods_with_address("10.0.64.11").await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_ledger_is_written_only_over_the_version_that_was_read() {
    let (_, blue, _) = world();
    let name = "aws-lbc-targets-shop-http";
    let one = targets(&["10.0.0.11"]);
    let key = ("web".to_owned(), name.to_owned());
    let names = BTreeSet::from([key.clone()]);
    assert_eq!(blue.ledgers(&names).await[&key], Ok(None));
    let first = blue.write_ledger("web", name, &one, None).await.unwrap();
    assert_eq!(blue.ledgers(&names).await[&key], Ok(Some(first.clone())));
    assert_eq!(blue.write_ledger("web", name, &one, None).await, Err(WriteError::Conflict));
    let two = targets(&["10.0.0.11", "10.0.64.11"]);
    let second = blue.write_ledger("web", name, &two, Some(&first.version)).await.unwrap();
    assert_eq!(
        blue.with(|s| s.ledger_text("web", name).unwrap().to_owned()),
        "10.0.0.11:8080,10.0.64.11:8080"
    );
    let stale = blue.write_ledger("web", name, &one, Some(&first.version)).await;
    assert_eq!(stale, Err(WriteError::Conflict));
    assert_eq!(blue.delete_ledger("web", name, &first.version).await, Err(WriteError::Conflict));
    blue.delete_ledger("web", name, &second.version).await.unwrap();
    blue.delete_ledger("web", name, &second.version).await.unwrap();
    let gone = blue.write_ledger("web", name, &one, Some(&second.version)).await;
    assert_eq!(gone, Err(WriteError::Conflict));
}

#[tokio::test]
async fn what_is_no_ledger_or_immutable_is_a_fault() {
    let (_, blue, _) = world();
    blue.with(|state| {
        state.put_ledger("web", "a", "hello");
        state.put_ledger("web", "b", "");
        state.ledgers.get_mut("web/b").unwrap().immutable = true;
    });
    let names: BTreeSet<_> = ["a", "b"].map(|n| ("web".to_owned(), n.to_owned())).into();
    let ledgers: Vec<_> = blue.ledgers(&names).await.into_values().collect();
    assert!(
        matches!(&ledgers[0], Err(LedgerFault::Invalid { source, .. }) if source.entry == "hello")
    );
    assert!(matches!(&ledgers[1], Err(LedgerFault::Immutable { .. })));
    let write = blue.write_ledger("web", "b", &BTreeSet::new(), Some("999")).await;
    assert_eq!(write, Err(WriteError::Conflict));
}

#[tokio::test]
async fn a_deleted_binding_stays_while_its_finalizer_holds_it() {
    let (_, blue, _) = world();
    let uid = blue.with(|state| {
        let binding = state.binding_mut("web", "shop-http").unwrap();
        binding.has_finalizer = true;
        binding.uid.clone()
    });
    let before = blue.may_remove_finalizer("web", "shop-http", &uid).await;
    assert_eq!(before, Err(WriteError::Conflict), "it is not being deleted");
    let before = blue.remove_finalizer("web", "shop-http", &uid).await;
    assert_eq!(before, Err(WriteError::Conflict), "it is not being deleted");
    blue.with(|state| state.delete_binding("web", "shop-http"));
    let bindings = blue.bindings(Flavour::LoadBalancerController, Some("web")).await.unwrap();
    assert!(bindings[0].is_being_deleted());
    blue.may_remove_finalizer("web", "shop-http", &uid).await.unwrap();
    blue.remove_finalizer("web", "shop-http", "another").await.unwrap();
    assert_eq!(blue.with(|state| state.bindings(Flavour::LoadBalancerController).count()), 1);
    blue.remove_finalizer("web", "shop-http", &uid).await.unwrap();
    assert_eq!(blue.with(|state| state.bindings(Flavour::LoadBalancerController).count()), 0);
    blue.remove_finalizer("web", "shop-http", &uid).await.unwrap();
}

#[tokio::test]
async fn a_cluster_is_silent_wholly_or_in_part() {
    let (_, blue, _) = world();
    let forbidden = Silence::new(SilenceReason::Forbidden, "forbidden");
    blue.silence(Part::OverAllNamespaces(Request::Bindings), forbidden.clone());
    let flavour = Flavour::LoadBalancerController;
    assert_eq!(blue.bindings(flavour, None).await, Err(forbidden.clone()));
    assert_eq!(blue.bindings(flavour, Some("web")).await.unwrap().len(), 1);
    blue.silence(Part::InNamespace(Request::Services, "web"), forbidden.clone());
    assert!(blue.services("web").await.is_err());
    assert_eq!(blue.services("shop").await, Ok(Vec::new()));
    let gone = Silence::new(SilenceReason::Unreachable, "connection refused");
    blue.speak();
    blue.silence(Part::Everything, gone.clone());
    assert_eq!(blue.identity().await, Err(gone.clone()));
    assert_eq!(blue.nodes().await, Err(gone.clone()));
    let write = blue.write_ledger("web", "l", &BTreeSet::new(), None).await;
    assert_eq!(write, Err(WriteError::Failed(gone)));
    blue.speak();
    blue.identity().await.unwrap();
}

#[tokio::test]
async fn a_fault_strikes_before_or_after_the_write() {
    let (_, blue, _) = world();
    let lost = WriteError::Failed(Silence::new(SilenceReason::Timeout, "lost"));
    blue.fail_next(Request::WriteLedger, Fault::before(lost.clone()));
    let one = targets(&["10.0.0.11"]);
    assert_eq!(blue.write_ledger("web", "l", &one, None).await, Err(lost.clone()));
    assert_eq!(blue.with(|state| state.ledger_text("web", "l").map(str::to_owned)), None);
    blue.fail_next(Request::WriteLedger, Fault::after(lost.clone()));
    assert_eq!(blue.write_ledger("web", "l", &one, None).await, Err(lost));
    assert_eq!(
        blue.with(|state| state.ledger_text("web", "l").map(str::to_owned)).as_deref(),
        Some("10.0.0.11:8080")
    );
    assert_eq!(blue.count(Request::WriteLedger), 2);
}

#[tokio::test]
async fn clusters_differ_and_aliases_do_not() {
    let (world, blue, _) = world();
    let green = world.add_cluster("green");
    let alias = blue.alias("blue-admin");
    assert_ne!(blue.identity().await, green.identity().await);
    assert_eq!(blue.identity().await, alias.identity().await);
    assert_eq!((alias.context(), alias.endpoint()), ("blue-admin", blue.endpoint()));
}

#[tokio::test]
async fn a_controller_pass_keeps_other_clusters_targets_unless_exclusive() {
    let (world, blue, group) = world();
    let green = world.add_cluster("green");
    green.share("web", "shop", &["10.0.128.21"], &group);
    world.converge();
    assert_eq!(world.registered(&group), ["10.0.0.11:8080", "10.0.128.21:8080", "10.0.64.11:8080"]);
    blue.with(|state| state.remove_pod_at("10.0.64.11"));
    blue.controller_pass(&world.load_balancers());
    assert_eq!(world.registered(&group), ["10.0.0.11:8080", "10.0.128.21:8080"]);
    let ledger =
        blue.with(|s| s.ledger_text("web", "aws-lbc-targets-shop-http").unwrap().to_owned());
    assert_eq!(ledger, "10.0.0.11:8080");
    blue.with(|state| {
        state.binding_mut("web", "shop-http").unwrap().spec.multi_cluster_target_group = false;
    });
    blue.controller_pass(&world.load_balancers());
    assert_eq!(world.registered(&group), ["10.0.0.11:8080"]);
}
