//! What a binding says that cannot work.

use super::*;
use crate::binding::{Flavour, IpAddressType};

fn labelled(keys: &[&str]) -> World {
    let mut world = registered("1 5").cluster("blue", "1", "1").cluster("green", "5", "5");
    let tag = ("elbv2.k8s.aws/cluster".to_owned(), "blue-eks".to_owned());
    world.group().tags = Ok([tag].into());
    for cluster in &mut world.facts.clusters {
        cluster.eks_name = Some(format!("{}-eks", cluster.context));
    }
    world.with(|it| {
        for key in keys {
            it.binding.labels.insert((*key).to_owned(), "shop".to_owned());
        }
        it.binding.labels.insert("app".to_owned(), "shop".to_owned());
    })
}

const SERVICE: [&str; 2] = ["service.k8s.aws/stack-name", "service.k8s.aws/stack-namespace"];

#[test]
fn stack_labels_of_another_clusters_group_are_told() {
    let world = labelled(&SERVICE);
    assert_eq!(codes(&world, '1'), "105!");
    let finding = the(&world, "MCTG105");
    assert_eq!(
        finding.message,
        "green web/shop carries the stack labels of the Service shop/shop, and its target group is that of the cluster \
         blue-eks: a controller that reconciles such a Service here deletes the binding."
    );
    assert_eq!(
        finding.fix.as_deref(),
        Some(
            "kubectl --context green -n web label targetgroupbindings.elbv2.k8s.aws shop \
             service.k8s.aws/stack-name- service.k8s.aws/stack-namespace-"
        )
    );
    let group = the(&labelled(&["ingress.k8s.aws/stack"]), "MCTG105");
    assert!(group.message.contains("the Ingress group shop,"), "{}", group.message);
    assert!(group.fix.unwrap().ends_with(" shop ingress.k8s.aws/stack-"));
}

#[test]
fn labels_that_the_controller_may_have_put_there_are_left_alone() {
    assert_eq!(codes(&labelled(&[]), '1'), "", "no stack label");
    let mut own = labelled(&SERVICE);
    own.last().eks_name = Some("blue-eks".to_owned());
    assert_eq!(codes(&own, '1'), "", "the group is this cluster's");
    let mut nameless = labelled(&SERVICE);
    nameless.last().eks_name = None;
    assert_eq!(codes(&nameless, '1'), "");
    let mut silent = labelled(&SERVICE);
    silent.group().tags = Err(crate::testing::silence());
    assert_eq!(codes(&silent, '1'), "");
}

fn rules(ports: &[usize]) -> World {
    let peer =
        Peer { ip_block: Some(IpBlock { cidr: "10.0.0.0/8".to_owned() }), security_group: None };
    let rule = |ports: &usize| IngressRule {
        from: vec![peer.clone()],
        ports: vec![NetworkingPort::default(); *ports],
    };
    let networking = Networking { ingress: ports.iter().map(rule).collect() };
    registered("1 5")
        .cluster("green", "5", "5")
        .cluster("blue", "1", "1")
        .with(|it| it.binding.spec.networking = Some(networking))
}

#[test]
fn a_rule_without_ports_opens_nothing_and_the_fix_lists_them() {
    let world = rules(&[1, 0]);
    assert_eq!(codes(&world, '1'), "109");
    let finding = the(&world, "MCTG109");
    assert!(finding.message.starts_with("A networking rule of blue web/shop has `ports: []`"));
    assert_eq!(
        finding.fix.as_deref(),
        Some(
            "kubectl --context blue -n web patch targetgroupbindings.elbv2.k8s.aws shop --type=json -p \
             '[{\"op\":\"replace\",\"path\":\"/spec/networking/ingress/1/ports\",\
             \"value\":[{\"port\":80,\"protocol\":\"TCP\"}]}]'"
        )
    );
    let udp = rules(&[0, 0])
        .with(|it| it.binding.spec.target_group_protocol = Some("TCP_UDP".to_owned()));
    let finding = the(&udp, "MCTG109");
    assert!(finding.message.starts_with("2 networking rules of blue web/shop have"));
    let fix = finding.fix.unwrap();
    assert!(fix.contains("ingress/0/ports") && fix.contains("ingress/1/ports"), "{fix}");
    assert!(fix.contains(r#"{"port":80,"protocol":"UDP"}"#), "{fix}");
}

#[test]
fn ports_are_not_guessed_and_a_generated_binding_is_its_owners() {
    assert_eq!(the(&rules(&[0]).endpoints_unread(), "MCTG109").fix, None);
    let generated = rules(&[0]).with(|it| {
        for key in SERVICE {
            it.binding.labels.insert(key.to_owned(), "shop".to_owned());
        }
    });
    assert_eq!(the(&generated, "MCTG109").fix, None);
}

#[test]
fn rules_with_ports_or_without_peers_and_those_of_auto_mode_are_fine() {
    assert_eq!(codes(&rules(&[1, 2]), '1'), "");
    let nobody =
        rules(&[0]).with(|it| it.binding.spec.networking.as_mut().unwrap().ingress[0].from.clear());
    assert_eq!(codes(&nobody, '1'), "");
    let auto = rules(&[0]).with(|it| it.binding.flavour = Flavour::AutoMode);
    assert_eq!(codes(&auto, '1'), "", "what its controller makes of it is not known");
}

fn bound(change: impl FnOnce(&mut crate::binding::BindingSpec)) -> World {
    registered("1 5").cluster("blue", "1", "1").cluster("green", "5", "5").with(|it| {
        let spec = &mut it.binding.spec;
        spec.target_type = Some(TargetType::Ip);
        spec.ip_address_type = Some(IpAddressType::Ipv4);
        spec.vpc_id = "vpc-1".to_owned();
        spec.target_group_protocol = Some("TCP".to_owned());
        change(spec);
    })
}

#[test]
fn a_binding_of_another_kind_than_its_group_is_told() {
    let world = bound(|spec| {
        spec.target_type = Some(TargetType::Instance);
        spec.ip_address_type = Some(IpAddressType::Ipv6);
        spec.vpc_id = "vpc-2".to_owned();
        spec.target_group_protocol = Some("UDP".to_owned());
    });
    assert_eq!(codes(&world, '4'), "408!");
    let finding = the(&world, "MCTG408");
    assert_eq!(
        finding.message,
        "green web/shop does not fit its target group shop: it says target type instance, not ip; address family \
         ipv6, not ipv4; VPC vpc-2, not vpc-1; protocol UDP, not TCP. The controller goes by what the binding says."
    );
    assert_eq!(finding.fix, None, "only the protocol can be changed");
}

#[test]
fn a_wrong_protocol_is_mended_where_the_binding_is_nobodys_else() {
    let world = bound(|spec| spec.target_group_protocol = Some("UDP".to_owned()));
    assert_eq!(
        the(&world, "MCTG408").fix.as_deref(),
        Some(
            "kubectl --context green -n web patch targetgroupbindings.elbv2.k8s.aws shop --type=merge -p \
             '{\"spec\":{\"targetGroupProtocol\":\"TCP\"}}'"
        )
    );
    let generated = world.with(|it| {
        for key in SERVICE {
            it.binding.labels.insert(key.to_owned(), "shop".to_owned());
        }
    });
    assert_eq!(the(&generated, "MCTG408").fix, None);
}

#[test]
fn what_a_binding_leaves_open_fits_and_so_does_a_group_that_was_not_read() {
    assert_eq!(codes(&bound(|_| ()), '4'), "");
    let open = |spec: &mut crate::binding::BindingSpec| {
        spec.target_type = None;
        spec.ip_address_type = None;
        spec.vpc_id.clear();
        spec.target_group_protocol = None;
    };
    assert_eq!(codes(&bound(open), '4'), "");
    let mut ipv6 = bound(open);
    ipv6.group().group.as_mut().unwrap().ip_address_type = "ipv6".to_owned();
    assert!(the_first(&ipv6, "MCTG408").contains("address family ipv4, not ipv6"), "none is IPv4");
    let mut silent = bound(|spec| spec.vpc_id = "vpc-2".to_owned());
    silent.group().group = Err(crate::testing::silence());
    assert_eq!(codes(&silent, '4'), "");
}

fn the_first(world: &World, code: &str) -> String {
    found(world).into_iter().find(|it| it.code == code).unwrap().message
}
