//! The controllers over the simulated world, beside the bindings' controller.

use super::*;
use crate::objects::{Key as ObjectKey, Kind};
use crate::sim::controller::{Flags, Worker};
use crate::stack::SERVICE_CLASS;

const FLAG: &str = "service.beta.kubernetes.io/aws-load-balancer-multi-cluster-target-group";

#[test]
fn an_annotation_of_a_service_reaches_its_binding_and_its_ledger() {
    let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
    let cluster = world.add_cluster("blue");
    let key = ObjectKey::new(Kind::Service, "web", "shop");
    cluster.with(|state| {
        state.add_service("web", "shop", 80, 8080);
        state.add_pod("web", "shop", "10.0.0.11");
        state.annotate(&key, "service.beta.kubernetes.io/aws-load-balancer-nlb-target-type", "ip");
        let stored = state.object(&key).unwrap();
        assert_eq!(stored.text(&["loadBalancerClass"]), Some(SERVICE_CLASS));
    });
    let owners = Owners::simulated(&cluster, &world.load_balancers());
    let mut controller = Worker::start(&cluster, &world.load_balancers(), Flags::new(VPC));
    assert_eq!(owners.run().len(), 1);
    controller.run();
    let binding = |cluster: &crate::sim::Cluster| {
        cluster
            .with(|state| state.bindings(Flavour::LoadBalancerController).next().unwrap().clone())
    };
    let generated = binding(&cluster);
    assert!(!generated.spec.multi_cluster_target_group);
    let group = generated.spec.target_group_arn.parse().unwrap();
    assert_eq!(world.registered(&group), ["10.0.0.11:8080"]);
    cluster.with(|state| state.annotate(&key, FLAG, "true"));
    owners.run();
    controller.run();
    assert!(binding(&cluster).spec.multi_cluster_target_group);
    let ledger = format!("aws-lbc-targets-{}", generated.name);
    let text = cluster.with(|state| state.ledger_text("web", &ledger).map(str::to_owned));
    assert_eq!(text.as_deref(), Some("10.0.0.11:8080"));
    assert_eq!(owners.run(), []);
    let said: Vec<_> = owners.said().into_iter().map(|(_, event)| event.reason).collect();
    assert_eq!(said, ["SuccessfullyReconciled", "SuccessfullyReconciled"]);
}
