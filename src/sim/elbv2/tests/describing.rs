//! The other operations (`facts/elbv2.md` 1.1, 1.2, 4.1).

use super::*;

fn groups(filter: &GroupFilter) -> Result<Vec<String>, ApiError> {
    let region = region();
    let page = region.model.describe_target_groups(filter, &Paging::default())?;
    Ok(page.items.iter().map(|group| group.arn.name().to_owned()).collect())
}

fn arns(arns: &[&str]) -> GroupFilter {
    let arns = arns.iter().map(|arn| (*arn).to_owned()).collect();
    GroupFilter { arns, ..GroupFilter::default() }
}

#[test]
fn what_is_no_target_group_arn_of_this_region_is_a_validation_error_1_2() {
    for arn in [
        "nope",
        "",
        "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/a/0123456789abcdef",
        "arn:aws:elasticloadbalancing:us-east-1:111122223333:loadbalancer/net/a/0123456789abcdef",
    ] {
        let expected = format!("ValidationError: '{arn}' is not a valid target group ARN");
        assert_eq!(refusal(groups(&arns(&[arn]))), expected);
        let mut region = region();
        assert_eq!(refusal(region.model.describe_target_health(arn, &[])), expected);
        assert_eq!(refusal(region.model.register_targets(arn, &[at("10.0.0.1")])), expected);
        assert_eq!(refusal(region.model.deregister_targets(arn, &[at("10.0.0.1")])), expected);
    }
}

#[test]
fn a_group_that_is_gone_is_not_found_1_1() {
    let arn = "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/a/0123456789abcdef";
    let expected = "TargetGroupNotFound: One or more target groups not found";
    let mut region = region();
    assert_eq!(refusal(groups(&arns(&[arn]))), expected);
    assert_eq!(refusal(region.model.describe_target_health(arn, &[])), expected);
    assert_eq!(refusal(region.model.describe_target_group_attributes(arn)), expected);
    assert_eq!(refusal(region.model.describe_tags(&[arn.to_owned()])), expected);
    assert_eq!(refusal(region.model.register_targets(arn, &[at("10.0.0.1")])), expected);
    assert_eq!(refusal(region.model.deregister_targets(arn, &[at("10.0.0.1")])), expected);
}

#[test]
fn groups_are_found_by_arn_name_and_load_balancer_1_1() {
    let by_name = GroupFilter { names: vec!["k8s-web-shop".to_owned()], ..GroupFilter::default() };
    assert_eq!(groups(&by_name).unwrap(), ["k8s-web-shop"]);
    assert_eq!(groups(&GroupFilter::default()).unwrap(), ["k8s-web-shop"]);
    let region = region();
    let by_load_balancer = GroupFilter {
        load_balancer_arn: Some(region.load_balancer.clone()),
        ..GroupFilter::default()
    };
    assert_eq!(groups(&by_load_balancer).unwrap(), ["k8s-web-shop"]);
    let two = GroupFilter { names: vec!["a".to_owned()], ..by_load_balancer };
    assert!(refusal(groups(&two)).starts_with("ValidationError"));
}

#[test]
fn more_than_20_arns_are_refused_1_1() {
    let region = region();
    let filter = arns(&[region.group.as_str(); 21]);
    assert_eq!(
        refusal(groups(&filter)),
        "ValidationError: You cannot describe more than '20' target groups at a time"
    );
    let filter = LoadBalancerFilter { arns: vec![region.load_balancer; 21], names: Vec::new() };
    assert!(region.model.describe_load_balancers(&filter, &Paging::default()).is_err());
    assert!(region.model.describe_tags(&vec![region.group.to_string(); 21]).is_err());
    region.model.describe_tags(&vec![region.group.to_string(); 20]).unwrap();
}

#[test]
fn pages_are_read_by_their_markers_1_1() {
    let mut model = empty();
    for n in 0..5 {
        model.create_target_group(&NewGroup::new(&format!("g{n}"), VPC)).unwrap();
    }
    let mut paging = Paging { marker: None, size: Some(2) };
    let mut sizes = Vec::new();
    let mut seen = BTreeSet::new();
    loop {
        let page = model.describe_target_groups(&GroupFilter::default(), &paging).unwrap();
        sizes.push(page.items.len());
        seen.extend(page.items.into_iter().map(|group| group.arn));
        match page.next {
            Some(next) => paging.marker = Some(next),
            None => break,
        }
    }
    assert_eq!((sizes, seen.len()), (vec![2, 2, 1], 5));
    for bad in [
        Paging { marker: None, size: Some(401) },
        Paging { marker: None, size: Some(0) },
        Paging { marker: Some("x".to_owned()), size: None },
    ] {
        assert!(
            refusal(model.describe_target_groups(&GroupFilter::default(), &bad))
                .starts_with("ValidationError")
        );
    }
}

#[test]
fn a_group_has_one_load_balancer_4_1() {
    let mut region = region();
    let other = region.model.create_load_balancer(&NewLoadBalancer::new("other", VPC));
    let group = region.group.clone();
    assert!(refusal(region.model.create_listener(&other, "TCP", 80, &[(&group, 1)])).starts_with(
        "TargetGroupAssociationLimit: The following target groups cannot be associated with more than one load balancer"
    ));
    region.model.create_listener(&region.load_balancer.clone(), "TCP", 81, &[(&group, 1)]).unwrap();
}

#[test]
fn load_balancer_arns_follow_listeners_4_1() {
    let mut region = region();
    region.register(&[at("10.0.0.1")]).unwrap();
    let arns = |region: &Region| {
        region.model.load_balancer_arns(region.model.group(region.group.as_str()).unwrap())
    };
    assert_eq!(arns(&region), [region.load_balancer.clone()]);
    assert!(
        refusal(region.model.delete_target_group(&region.group.clone()))
            .starts_with("ResourceInUse")
    );
    region.model.delete_load_balancer(&region.load_balancer.clone()).unwrap();
    assert_eq!(arns(&region), Vec::<String>::new());
    assert_eq!(region.listed(), ["10.0.0.1:8080 us-east-1a unused Target.NotInUse"]);
    region.model.delete_target_group(&region.group.clone()).unwrap();
}

#[test]
fn deletion_protection_protects_1_2() {
    let mut region = region();
    let arn = region.load_balancer.clone();
    let on = [("deletion_protection.enabled".to_owned(), "true".to_owned())];
    let attributes = region.model.modify_load_balancer_attributes(&arn, &on).unwrap();
    assert_eq!(attributes["deletion_protection.enabled"], "true");
    assert!(attributes.len() > 1, "all of them are answered (1.1)");
    let text = refusal(region.model.delete_load_balancer(&arn));
    assert!(text.starts_with("OperationNotPermitted") && text.contains("deletion protection"));
    let unknown = [("nope".to_owned(), "true".to_owned())];
    assert!(
        refusal(region.model.modify_load_balancer_attributes(&arn, &unknown))
            .starts_with("InvalidConfigurationRequest")
    );
}

#[test]
fn the_default_action_is_the_last_rule_1_1() {
    let mut region = region();
    let group = region.group.clone();
    region.model.create_rule(&region.listener.clone(), 7, &[(&group, 0)]).unwrap();
    let filter = RuleFilter { listener_arn: Some(region.listener), arns: Vec::new() };
    let rules = region.model.describe_rules(&filter, &Paging::default()).unwrap().items;
    let seen: Vec<_> =
        rules.iter().map(|r| (r.priority.as_str(), r.forward[group.as_str()])).collect();
    assert_eq!(seen, [("7", 0), ("default", 1)]);
}

#[test]
fn group_attributes_follow_the_protocol_2_2() {
    let mut model = empty();
    let mut keys = |protocol| {
        let group = NewGroup::new("g", VPC).protocol(protocol);
        let arn = model.create_target_group(&group).unwrap();
        model.describe_target_group_attributes(arn.as_str()).unwrap()
    };
    assert_eq!(keys("TCP")["preserve_client_ip.enabled"], "false");
    assert_eq!(keys("UDP")["preserve_client_ip.enabled"], "true");
    assert!(!keys("UDP").contains_key("target_health_state.unhealthy.draining_interval_seconds"));
    assert!(!keys("HTTP").contains_key("preserve_client_ip.enabled"));
}
