//! The rules of `facts/lbc.md` 1.2, one sentence each.

use std::collections::BTreeMap;

use super::*;
use crate::binding::{Flavour, LabelSelector, PortRef, ServiceRef};
use crate::sim::World;
use crate::sim::elbv2::NewGroup;
use crate::sim::world::VPC;

const OTHER_VPC: &str = "vpc-00000000000000000";

fn model() -> Model {
    let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
    world.load_balancers().with(|model| {
        model.create_target_group(&NewGroup::new("ips", VPC)).unwrap();
        model.create_target_group(&NewGroup::new("nodes", VPC).instance()).unwrap();
        model.create_target_group(&NewGroup::new("six", VPC).ipv6()).unwrap();
        model.create_target_group(&NewGroup::new("quic", VPC).instance().protocol("QUIC")).unwrap();
        let alb = NewGroup { target_type: "alb".to_owned(), ..NewGroup::new("alb", VPC) };
        model.create_target_group(&alb).unwrap();
        model.clone()
    })
}

/// The ARN of a group of the model.
fn arn(name: &str) -> String {
    let model = model();
    model.groups().find(|group| group.arn.name() == name).unwrap().arn.to_string()
}

/// A spec that names a group and nothing else.
fn bare(name: &str) -> BindingSpec {
    BindingSpec {
        target_group_arn: arn(name),
        service_ref: ServiceRef { name: "shop".to_owned(), port: PortRef::Number(80) },
        ..BindingSpec::default()
    }
}

fn full(name: &str) -> BindingSpec {
    fill_in(&bare(name), &model()).unwrap()
}

/// A spec, changed.
fn with(mut spec: BindingSpec, change: impl FnOnce(&mut BindingSpec)) -> BindingSpec {
    change(&mut spec);
    spec
}

fn created(spec: &BindingSpec) -> Result<(), String> {
    check_created(spec, [], &model())
}

fn updated(old: &BindingSpec, new: &BindingSpec) -> Result<(), String> {
    check_updated(new, old, [], VPC, &model())
}

fn stored(name: &str, spec: &BindingSpec) -> Binding {
    Binding {
        namespace: "web".to_owned(),
        name: name.to_owned(),
        uid: name.to_owned(),
        flavour: Flavour::LoadBalancerController,
        created_at: None,
        changed_at: None,
        deleted_at: None,
        has_finalizer: false,
        failure: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        spec: spec.clone(),
    }
}

#[test]
fn what_is_left_out_comes_from_the_group() {
    let ips = full("ips");
    assert_eq!(ips.target_type, Some(TargetType::Ip));
    assert_eq!(ips.ip_address_type, Some(IpAddressType::Ipv4));
    assert_eq!(ips.vpc_id, VPC);
    assert_eq!(ips.target_group_protocol.as_deref(), Some("TCP"));
    assert_eq!(full("nodes").target_type, Some(TargetType::Instance));
    assert_eq!(full("six").ip_address_type, Some(IpAddressType::Ipv6));
}

#[test]
fn what_is_given_is_kept_and_then_nothing_is_asked() {
    let given = with(full("ips"), |spec| spec.target_group_arn = "arn:none".to_owned());
    assert_eq!(fill_in(&given, &model()), Ok(given.clone()));
}

#[test]
fn a_name_is_resolved_where_there_is_no_arn() {
    let named = |name: &str| BindingSpec {
        target_group_arn: String::new(),
        target_group_name: name.to_owned(),
        ..bare("ips")
    };
    assert_eq!(fill_in(&named("ips"), &model()).unwrap().target_group_arn, arn("ips"));
    assert!(fill_in(&named("none"), &model()).unwrap_err().starts_with("TargetGroupNotFound"));
    let neither = "must provide either TargetGroupARN or TargetGroupName";
    assert_eq!(fill_in(&named(""), &model()), Err(neither.to_owned()));
    let both = with(bare("ips"), |spec| spec.target_group_name = "nodes".to_owned());
    assert_eq!(
        fill_in(&both, &model()).unwrap().target_group_arn,
        arn("ips"),
        "it is not compared"
    );
}

#[test]
fn a_group_that_is_not_there_or_of_another_kind_is_refused() {
    let gone = with(bare("ips"), |spec| spec.target_group_arn = arn("ips").replace("/ips/", "/x/"));
    let why = fill_in(&gone, &model()).unwrap_err();
    assert!(why.starts_with("couldn't determine TargetType: TargetGroupNotFound"), "{why}");
    assert_eq!(fill_in(&bare("alb"), &model()), Err("unsupported TargetType: alb".to_owned()));
}

#[test]
fn a_binding_as_it_was_filled_in_is_taken() {
    for name in ["ips", "nodes", "six"] {
        assert_eq!(created(&full(name)), Ok(()), "{name}");
        assert_eq!(updated(&full(name), &full(name)), Ok(()), "{name}");
    }
}

#[test]
fn what_does_not_fit_the_group_is_refused_in_the_controllers_words() {
    let ips = arn("ips");
    let cases: [(BindingSpec, String); 8] = [
        (
            BindingSpec { target_group_arn: String::new(), target_type: None, ..full("ips") },
            "TargetGroupBinding must specify these fields: either TargetGroupARN or \
             TargetGroupName,spec.targetType"
                .to_owned(),
        ),
        (
            with(full("ips"), |spec| spec.node_selector = Some(LabelSelector::default())),
            "TargetGroupBinding cannot set NodeSelector when TargetType is ip".to_owned(),
        ),
        (
            with(full("ips"), |spec| spec.ip_address_type = Some(IpAddressType::Ipv6)),
            format!("invalid IP address type ipv4 for TargetGroup {ips}"),
        ),
        (
            with(full("ips"), |spec| spec.vpc_id = "vpc-1".to_owned()),
            "ValidationError: vpcID vpc-1 failed to satisfy constraint: VPC Id must begin with \
             'vpc-' followed by 8, 17 or 32 lowercase letters (a-f) or numbers."
                .to_owned(),
        ),
        (
            with(full("ips"), |spec| spec.vpc_id = OTHER_VPC.to_owned()),
            format!("invalid VpcID {OTHER_VPC} doesnt match VpcID from TargetGroup {ips}"),
        ),
        (
            with(full("nodes"), |spec| spec.iam_role_arn_to_assume = "arn:role".to_owned()),
            "Unable to use instance target type while using assume role".to_owned(),
        ),
        (
            with(full("ips"), |spec| spec.target_group_protocol = Some("UDP".to_owned())),
            format!("TargetGroup {ips} protocol differs (got UDP, expected TCP)"),
        ),
        (full("quic"), "QUIC protocol is not supported for Instance target types.".to_owned()),
    ];
    for (spec, why) in cases {
        assert_eq!(created(&spec), Err(why));
    }
}

#[test]
fn four_fields_never_change() {
    let all = with(full("nodes"), |spec| {
        spec.target_type = Some(TargetType::Ip);
        spec.ip_address_type = None;
        spec.vpc_id = OTHER_VPC.to_owned();
    });
    let why = updated(&full("ips"), &all).unwrap_err();
    assert_eq!(
        why,
        "TargetGroupBinding update may not change these immutable fields: \
         spec.targetGroupARN,spec.ipAddressType,spec.vpcID"
    );
    let old = with(full("ips"), |spec| {
        spec.ip_address_type = None;
        spec.vpc_id.clear();
    });
    assert_eq!(updated(&old, &full("ips")), Ok(()), "the defaults may be written down");
    let six = with(old.clone(), |spec| spec.ip_address_type = Some(IpAddressType::Ipv6));
    assert!(updated(&old, &six).unwrap_err().ends_with("spec.ipAddressType"));
    let far = with(old.clone(), |spec| spec.vpc_id = OTHER_VPC.to_owned());
    assert!(updated(&old, &far).unwrap_err().ends_with("spec.vpcID"));
    let rest = with(full("ips"), |spec| {
        spec.multi_cluster_target_group = true;
        spec.service_ref.name = "other".to_owned();
        spec.target_group_protocol = Some("UDP".to_owned());
    });
    assert_eq!(updated(&full("ips"), &rest), Ok(()), "and an update asks AWS nothing");
}

#[test]
fn two_bindings_of_one_group_need_the_flag_on_both() {
    let exclusive = full("ips");
    let shared = with(full("ips"), |spec| spec.multi_cluster_target_group = true);
    let others = [stored("a", &shared), stored("b", &shared)];
    assert_eq!(check_created(&shared, &others, &model()), Ok(()));
    let why = check_created(&exclusive, &others, &model()).unwrap_err();
    let ips = arn("ips");
    assert_eq!(
        why,
        format!(
            "TargetGroup {ips} is already bound to following TargetGroupBindings [web/a web/b]. \
             Please enable MultiCluster mode on all TargetGroupBindings referencing {ips} or choose \
             a different Target Group ARN."
        )
    );
    let why = check_updated(&exclusive, &shared, &others, VPC, &model());
    assert!(why.is_err(), "so it cannot be turned off on one of two");
    let others = [stored("a", &exclusive)];
    assert!(check_created(&shared, &others, &model()).is_err());
    assert_eq!(check_created(&full("nodes"), &others, &model()), Ok(()), "another group");
}
