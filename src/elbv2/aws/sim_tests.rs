//! Against the model of the simulator, served on the wire.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::tests::{access, config};
use super::*;
use crate::sim::World;
use crate::sim::elbv2::Operation;
use crate::sim::wire::{Server, serve};
use crate::target::{HealthState, Target};

async fn served(world: &World) -> (Server, AwsLoadBalancers) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = serve(world.load_balancers(), address).await.unwrap();
    let settings = Settings { endpoint_url: Some(server.url()), ..Settings::default() };
    let aws = AwsLoadBalancers::with_settings(config(), settings);
    (server, aws)
}

fn world() -> (World, TargetGroupArn) {
    let world = World::new("2026-01-01T12:00:00Z".parse().unwrap());
    let group = world.add_group("shop");
    (world, group)
}

#[tokio::test]
async fn a_target_is_registered_once_drains_and_leaves() {
    let (world, group) = world();
    let (server, aws) = served(&world).await;
    let target = Registration { target: Target::new("10.0.0.3", 80), availability_zone: None };
    for _ in 0..2 {
        aws.register(&access(), &group, std::slice::from_ref(&target)).await.unwrap();
    }
    let listed = aws.targets(&access(), &group).await.unwrap();
    let states: Vec<_> = listed.iter().map(|it| (&it.target, &it.health.state)).collect();
    assert_eq!(states, [(&target.target, &HealthState::Initial)]);
    assert!(listed[0].availability_zone.is_some(), "ELBv2 fills the zone in");
    for _ in 0..2 {
        aws.deregister(&access(), &group, &listed).await.unwrap();
    }
    let listed = aws.targets(&access(), &group).await.unwrap();
    assert!(listed.iter().all(|target| !target.is_registered()), "{listed:?}");
    world.advance(Duration::from_secs(3600));
    assert_eq!(aws.targets(&access(), &group).await, Ok(Vec::new()));
    assert_eq!(server.count(Operation::DeregisterTargets), 2);
}

#[tokio::test]
async fn both_faces_of_the_model_describe_the_same() {
    let (world, group) = world();
    let (_server, aws) = served(&world).await;
    let model = world.load_balancers();
    let access = access();
    let asked = [group.clone()].into();
    let groups = aws.target_groups(&access, &asked).await;
    assert_eq!(groups, model.target_groups(&access, &asked).await);
    let balancers = groups[&group].as_ref().unwrap().load_balancer_arns.clone();
    assert_eq!(balancers.len(), 1);
    assert_eq!(
        aws.load_balancers(&access, &balancers).await,
        model.load_balancers(&access, &balancers).await
    );
    for arn in &balancers {
        let listeners = aws.listeners(&access, arn).await;
        assert!(listeners.as_ref().is_ok_and(|listeners| !listeners.is_empty()));
        assert_eq!(listeners, model.listeners(&access, arn).await);
        let attributes = aws.load_balancer_attributes(&access, arn).await;
        assert_eq!(attributes, model.load_balancer_attributes(&access, arn).await);
    }
    assert_eq!(aws.tags(&access, &asked).await, model.tags(&access, &asked).await);
    world.load_balancers().with(|model| model.settings.page_size_max = 2);
    let limits = aws.account_limits(&access, group.account()).await;
    assert_eq!(limits.as_ref().map(BTreeMap::len), Ok(7), "every page of them");
    assert_eq!(limits, model.account_limits(&access, group.account()).await);
    assert_eq!(
        aws.target_group_attributes(&access, &group).await,
        model.target_group_attributes(&access, &group).await
    );
}

#[tokio::test]
async fn the_models_refusals_are_understood() {
    let (world, group) = world();
    let (_server, aws) = served(&world).await;
    let register = async |id: &str, zone: Option<&str>| {
        let availability_zone = zone.map(str::to_owned);
        let target = Registration { target: Target::new(id, 80), availability_zone };
        aws.register(&access(), &group, &[target]).await
    };
    let outside = register("192.168.9.9", None).await;
    assert!(matches!(outside, Err(CallError::ZoneNeeded(_))), "{outside:?}");
    assert_eq!(register("192.168.9.9", Some("all")).await, Ok(()));
    let inside = register("10.0.0.3", Some("all")).await;
    assert!(matches!(inside, Err(CallError::ZoneRefused(_))), "{inside:?}");
    let odd = register("i-0123456789abcdef0", None).await;
    assert!(matches!(odd, Err(CallError::InvalidTarget(_))), "{odd:?}");
    let gone: TargetGroupArn = group.as_str().replace("shop", "gone").parse().unwrap();
    let groups = aws.target_groups(&access(), &[group.clone(), gone.clone()].into()).await;
    assert!(groups[&group].is_ok());
    assert_eq!(groups[&gone].as_ref().unwrap_err().reason, SilenceReason::NotFound);
    assert_eq!(aws.targets(&access(), &gone).await.unwrap_err().reason, SilenceReason::NotFound);
}
