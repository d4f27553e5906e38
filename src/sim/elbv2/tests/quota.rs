//! Quotas and throttling (`facts/elbv2.md` 3.1, 3.2).

use super::*;

fn many(prefix: &str, count: usize) -> Vec<TargetRequest> {
    (0..count).map(|n| at(&format!("{prefix}.{}.{}", n / 250, n % 250))).collect()
}

#[test]
fn a_group_is_full_at_its_quota_3_1() {
    let mut region = region();
    region.model.set_limit("targets-per-target-group", 3);
    region.register(&many("10.0", 3)).unwrap();
    let text = refusal(region.register(&[at("10.0.1.1")]));
    assert!(
        text.starts_with(
            "TooManyTargets: The maximum number of targets per target group '3' has been reached"
        ),
        "{text}"
    );
    region.register(&many("10.0", 3)).unwrap();
    region.deregister(&[at("10.0.0.0")]).unwrap();
    region.register(&[at("10.0.1.1")]).unwrap();
}

#[test]
fn the_default_quota_of_a_group_is_1000_3_1() {
    let mut region = region();
    region.model.delete_listener(&region.listener.clone()).unwrap();
    region.register(&many("10.0", 1_000)).unwrap();
    assert!(refusal(region.register(&[at("10.0.64.1")])).contains("'1000'"));
}

#[test]
fn a_zone_of_an_nlb_is_full_at_500_3_1() {
    let mut region = region();
    region.register(&many("10.0", 500)).unwrap();
    assert!(refusal(region.register(&[at("10.0.60.1")])).starts_with("TooManyTargets"));
    region.register(&[at("10.0.64.1")]).unwrap();
    region.register(&many("10.0", 500)).expect("what is registered is not counted again");
}

#[test]
fn with_cross_zone_on_an_nlb_is_full_at_500_3_1() {
    let mut region = region();
    region.attribute("load_balancing.cross_zone.enabled", "true");
    region.register(&many("10.0", 499)).unwrap();
    region.register(&[at("10.0.64.1")]).unwrap();
    let text = refusal(region.register(&[at("10.0.128.1")]));
    let expected = format!(
        "TooManyTargets: The maximum number of targets per load balancer '500' has been reached on load balancer '{}'",
        region.load_balancer
    );
    assert_eq!(text, expected);
}

#[test]
fn a_target_in_two_groups_of_an_nlb_counts_twice_3_1() {
    let mut region = region();
    region.model.set_limit("targets-per-network-load-balancer", 3);
    region.register(&many("10.0", 2)).unwrap();
    let other = region.model.create_target_group(&NewGroup::new("other", VPC)).unwrap();
    region.model.create_listener(&region.load_balancer.clone(), "TCP", 81, &[(&other, 1)]).unwrap();
    region.group = other;
    assert!(refusal(region.register(&many("10.0", 2))).starts_with("TooManyTargets"));
    region.register(&many("10.0", 1)).unwrap();
}

#[test]
fn buckets_empty_and_refill_3_2() {
    let mut model = empty();
    for _ in 0..1_000 {
        model.admit(Operation::DescribeTargetHealth).unwrap();
    }
    model.set_throttle(Some(Throttle::documented(model.now())));
    for _ in 0..20 {
        model.admit(Operation::RegisterTargets).unwrap();
    }
    assert_eq!(refusal(model.admit(Operation::DeregisterTargets)), "Throttling: Rate exceeded");
    model.admit(Operation::DescribeTags).unwrap();
    model.advance(Duration::from_secs(1));
    for _ in 0..4 {
        model.admit(Operation::DeregisterTargets).unwrap();
    }
    assert!(model.admit(Operation::RegisterTargets).is_err());
}
