//! Transcripts: hand-made reports as text, plain, at 80 columns.

use std::collections::BTreeMap;
use std::time::Duration;

use insta::assert_snapshot;
use mctg::binding::{Flavour, Owner, OwnerKind, PortRef};
use mctg::class::Class;
use mctg::endpoints::{LeftOut, LeftOutReason, PodName};
use mctg::facts::SilenceReason;
use mctg::findings::{Finding, Severity, catalogue};
use mctg::plan::{Action, BlockedReason, Via};
use mctg::report::{
    API_VERSION, BindingReport, BindingState, BindingStatus, BlockedReport, Claim, ContextReport,
    ControllerReport, GroupStatus, HealthCounts, IfLost, LedgerReport, ListenerStatus,
    LoadBalancerStatus, Outcome, PlanReport, Reconcile, ServiceReport, ShareBasis, Status, Step,
    StepResult, TargetStatus,
};
use mctg::target::{Health, HealthState, Target, TargetGroupArn};

use super::status::Run;
use super::{Look, Styles, document, explain, reconcile, status};
use crate::cli::exit::{self, Exit, Thresholds};

const PRI: &str = "arn:aws:eks:us-east-1:111122223333:cluster/pri-eks-clu1";
const SEC: &str = "sec-eks-clu1";

fn look() -> Look {
    Look { styles: Styles::default(), width: Look::WIDTH, wide: false }
}

fn arn(name: &str) -> TargetGroupArn {
    let text = format!(
        "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/{name}/0123456789abcdef"
    );
    text.parse().unwrap()
}

fn context(name: &str) -> ContextReport {
    ContextReport {
        context: name.to_owned(),
        cluster: None,
        reachable: true,
        reason: None,
        message: None,
        warnings: Vec::new(),
        same_as: None,
        lost: false,
        bindings: Some(1),
        controllers: Some(vec![ControllerReport {
            kind: Flavour::LoadBalancerController,
            version: Some("v3.5.0".to_owned()),
            alive: Some(true),
            evidence: "lease renewed 4 s ago".to_owned(),
        }]),
    }
}

fn silent(name: &str) -> ContextReport {
    ContextReport {
        reachable: false,
        reason: Some(SilenceReason::Timeout),
        message: Some("no answer in 10 s".to_owned()),
        bindings: None,
        controllers: None,
        ..context(name)
    }
}

fn binding(context: &str, name: &str, healthy: &[(&str, usize)], share: f64) -> BindingStatus {
    let number = healthy.iter().map(|(_, number)| number).sum();
    BindingStatus {
        context: context.to_owned(),
        namespace: "default".to_owned(),
        name: name.to_owned(),
        controller: Flavour::LoadBalancerController,
        multi_cluster: true,
        owner: None,
        service: ServiceReport { name: "nginx".to_owned(), port: PortRef::Number(80) },
        desired: Some(number),
        tracked: Some(number),
        registered: Some(number),
        healthy: Some(number),
        healthy_by_zone: Some(healthy.iter().map(|(z, n)| ((*z).to_owned(), *n)).collect()),
        share: Some(share),
        ledger_bytes: Some(44),
        checkpoint: None,
        state: BindingState::InSync,
        problem: None,
        left_out: Vec::new(),
    }
}

fn generated(binding: BindingStatus) -> BindingStatus {
    BindingStatus {
        name: "k8s-default-nginx-8e21c40f7b".to_owned(),
        owner: Some(Owner {
            kind: OwnerKind::Service,
            namespace: Some("default".to_owned()),
            name: "nginx".to_owned(),
        }),
        ..binding
    }
}

fn claim(context: &str, binding: &str) -> Vec<Claim> {
    vec![Claim {
        context: context.to_owned(),
        namespace: "default".to_owned(),
        binding: binding.to_owned(),
    }]
}

fn target(id: &str, class: Class, zone: &str, state: Option<HealthState>) -> TargetStatus {
    TargetStatus {
        id: id.to_owned(),
        port: 80,
        quic_server_id: None,
        availability_zone: Some(zone.to_owned()),
        class,
        pending: false,
        pod: None,
        node: None,
        unregistrable: None,
        health: state.map(Health::plain),
        desired_by: Vec::new(),
        tracked_by: Vec::new(),
    }
}

fn group(bindings: Vec<BindingStatus>, healthy: usize) -> GroupStatus {
    GroupStatus {
        arn: arn("k8s-default-nginx-8e21c40f7b"),
        name: "k8s-default-nginx-8e21c40f7b".to_owned(),
        region: "us-east-1".to_owned(),
        target_type: Some("ip".to_owned()),
        ip_address_type: Some("ipv4".to_owned()),
        protocol: Some("TCP".to_owned()),
        port: Some(80),
        vpc_id: Some("vpc-0a".to_owned()),
        cross_zone: Some(false),
        share_basis: Some(ShareBasis::Zones),
        load_balancers: Some(vec![LoadBalancerStatus {
            arn: "arn:lb".to_owned(),
            name: "k8s-default-nginx-3f9c1b7a2d".to_owned(),
            kind: "network".to_owned(),
            dns_name: None,
            scheme: Some("internet-facing".to_owned()),
            state: Some("active".to_owned()),
            deletion_protection: Some(true),
            availability_zones: Vec::new(),
            listeners: Some(vec![ListenerStatus {
                arn: "arn:listener".to_owned(),
                protocol: Some("TCP".to_owned()),
                port: Some(80),
                weight: 1.0,
            }]),
        }]),
        health: Some(HealthCounts { healthy, ..HealthCounts::default() }),
        bindings,
        targets: Some(Vec::new()),
        if_lost: Vec::new(),
    }
}

fn lost(context: &str, healthy_left: usize, zones_dark: &[&str], owns: bool) -> IfLost {
    IfLost {
        context: context.to_owned(),
        healthy_left,
        share_left: Some(0.5),
        zones_dark: zones_dark.iter().map(|zone| (*zone).to_owned()).collect(),
        owns_load_balancer: Some(owns),
    }
}

fn report(contexts: Vec<ContextReport>, target_groups: Vec<GroupStatus>) -> Status {
    Status {
        api_version: API_VERSION,
        kind: "Status",
        observed_at: "2026-03-14T09:41:07Z".parse().unwrap(),
        complete: true,
        demo: false,
        contexts,
        target_groups,
        findings: Vec::new(),
    }
}

fn healthy_pair() -> Status {
    let pri = binding(PRI, "", &[("us-east-1a", 1), ("us-east-1b", 1), ("us-east-1c", 1)], 0.67);
    let sec = binding(SEC, "nginx-http", &[("us-east-1b", 1), ("us-east-1c", 1)], 0.33);
    let mut group = group(vec![generated(pri), sec], 5);
    group.if_lost = vec![lost(PRI, 2, &["us-east-1a"], true), lost(SEC, 3, &[], false)];
    report(vec![context(PRI), context(SEC)], vec![group])
}

fn drifted_pair() -> Status {
    let mut report = healthy_pair();
    let group = &mut report.target_groups[0];
    let pri = &mut group.bindings[0];
    (pri.registered, pri.healthy, pri.share) = (Some(3), Some(2), Some(0.5));
    pri.desired = Some(4);
    pri.tracked = Some(4);
    pri.healthy_by_zone =
        Some(BTreeMap::from([("us-east-1a".to_owned(), 1), ("us-east-1c".to_owned(), 1)]));
    pri.state = BindingState::Drifted;
    pri.left_out = vec![LeftOut {
        endpoint: "10.0.21.99".to_owned(),
        pod: Some(PodName { namespace: "default".to_owned(), name: "nginx-new".to_owned() }),
        reason: LeftOutReason::ContainersNotReady,
    }];
    group.health =
        Some(HealthCounts { healthy: 4, unhealthy: 1, draining: 1, ..Default::default() });
    let owner = "k8s-default-nginx-8e21c40f7b";
    let missing = TargetStatus {
        pod: Some("default/nginx-7c5d9f-x2k9p".to_owned()),
        node: Some("ip-10-0-21-5.ec2.internal".to_owned()),
        desired_by: claim(PRI, owner),
        tracked_by: claim(PRI, owner),
        ..target("10.0.21.47", Class::Missing, "us-east-1b", None)
    };
    let failing = TargetStatus {
        pod: Some("default/nginx-7c5d9f-aaaaa".to_owned()),
        health: Some(Health {
            state: HealthState::Unhealthy,
            reason: Some("Target.FailedHealthChecks".to_owned()),
            description: None,
        }),
        desired_by: claim(PRI, owner),
        tracked_by: claim(PRI, owner),
        ..target("10.0.21.48", Class::InSync, "us-east-1b", None)
    };
    let fine = TargetStatus {
        pod: Some("default/nginx-bbbbb".to_owned()),
        desired_by: claim(SEC, "nginx-http"),
        tracked_by: claim(SEC, "nginx-http"),
        ..target("10.0.37.19", Class::InSync, "us-east-1b", Some(HealthState::Healthy))
    };
    let unclaimed = target("10.0.99.1", Class::Unclaimed, "us-east-1c", Some(HealthState::Healthy));
    let draining = target("10.0.99.2", Class::Draining, "us-east-1c", Some(HealthState::Draining));
    group.targets = Some(vec![missing, failing, fine, unclaimed, draining]);
    group.if_lost = vec![lost(PRI, 2, &["us-east-1a"], true), lost(SEC, 2, &["us-east-1b"], false)];
    report.findings = vec![Finding {
        fix: Some(
            "kubectl mctg reconcile svc/nginx -n default --context \
             arn:aws:eks:us-east-1:111122223333:cluster/pri-eks-clu1"
                .to_owned(),
        ),
        context: Some(PRI.to_owned()),
        namespace: Some("default".to_owned()),
        binding: Some(owner.to_owned()),
        target_group_arn: Some(arn(owner)),
        targets: vec![Target::new("10.0.21.47", 80)],
        ..catalogue::MISSING_TARGETS.finding(
            Severity::Warning,
            "10.0.21.47:80 is wanted and tracked, and it is not registered: the pod \
             nginx-7c5d9f-x2k9p gets no traffic",
        )
    }];
    report
}

fn half_read_pair() -> Status {
    let mut report = healthy_pair();
    report.complete = false;
    report.contexts[1] = silent(SEC);
    let group = &mut report.target_groups[0];
    group.bindings.truncate(1);
    group.if_lost = vec![];
    let unknown = |id| target(id, Class::Unknown, "us-east-1b", Some(HealthState::Healthy));
    group.targets = Some(vec![unknown("10.0.37.19"), unknown("10.0.52.8")]);
    report.findings = vec![Finding {
        fix: Some(
            "kubectl --context sec-eks-clu1 get --raw /readyz\n\
             kubectl mctg unbind --lost sec-eks-clu1 10.0.37.19:80 10.0.52.8:80 --dry-run"
                .to_owned(),
        ),
        context: Some(SEC.to_owned()),
        ..catalogue::CONTEXT_UNREACHABLE.finding(
            Severity::Critical,
            "sec-eks-clu1 did not answer in 10 s: what it wants and tracks is not known",
        )
    }];
    report
}

fn show(report: &Status, look: &Look) -> String {
    let exit = exit::of_status(report, &Thresholds::default());
    let run = Run { took: Some(Duration::from_millis(420)), exit, ignored: 0, chosen: false };
    let mut out = Vec::new();
    status::write(report, &run, look, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_healthy_pair() {
    assert_snapshot!(show(&healthy_pair(), &look()), @"
    OK  1 shared target group, 2 clusters, 5/5 targets healthy. Nothing to do.

    NLB k8s-default-nginx-3f9c1b7a2d   us-east-1 | internet-facing | protected
    └─ TCP:80 ── k8s-default-nginx-8e21c40f7b   ip | 5 healthy | cross-zone off
       CLUSTER       BINDING         OK/WANT 1a 1b 1c  SHARE            IF LOST
       pri-eks-clu1  svc/nginx *         3/3  1  1  1   67% ███████░░░  2 left
       sec-eks-clu1  tgb/nginx-http      2/2  0  1  1   33% ███░░░░░░░  3 left
       * owns the load balancer. Without pri-eks-clu1 zone 1a serves nothing.

    Read 2/2 contexts, 1/1 target groups in 0.4 s at 2026-03-14 09:41:07Z.
    ");
}

#[test]
fn a_pair_of_which_one_drifted() {
    assert_snapshot!(show(&drifted_pair(), &look()), @"
    WARNING  default/nginx of pri-eks-clu1: ready endpoints get no traffic. 1 shared
             target group, 2 clusters, 4/5 targets healthy.

    NLB k8s-default-nginx-3f9c1b7a2d   us-east-1 | internet-facing | protected
    └─ TCP:80 ── k8s-default-nginx-8e21c40f7b
       ip | 4 healthy, 1 unhealthy, 1 draining | cross-zone off
       CLUSTER       BINDING         WANT TRACK REG OK 1a 1b 1c  SHARE
     ! pri-eks-clu1  svc/nginx *        4     4   3  2  1  0  1   50% █████░░░░░
       ├─ missing 10.0.21.47:80  us-east-1b, pod nginx-7c5d9f-x2k9p
       └─ in sync 10.0.21.48:80 unhealthy Target.FailedHealthChecks, us-east-1b, pod
          nginx-7c5d9f-aaaaa
       sec-eks-clu1  tgb/nginx-http     2     2   2  2  0  1  1   33% ███░░░░░░░
       (unclaimed)   1 target           -     -   1  1  0  0  1  -
       └─ unclaimed 10.0.99.1:80  healthy, us-east-1c
       * owns the load balancer. If pri-eks-clu1 goes: 2 left, zone 1a serves
       nothing. If sec-eks-clu1 goes: 2 left, zone 1b serves nothing.

    MCTG201 MissingTargets  warning  pri-eks-clu1 default/nginx
      10.0.21.47:80 is wanted and tracked, and it is not registered: the pod
      nginx-7c5d9f-x2k9p gets no traffic
      fix  kubectl mctg reconcile svc/nginx -n default --context arn:aws:eks:us-east-1:111122223333:cluster/pri-eks-clu1
      why  kubectl mctg explain MCTG201

    Read 2/2 contexts, 1/1 target groups in 0.4 s at 2026-03-14 09:41:07Z. Exit 1.
    ");
}

#[test]
fn a_pair_of_which_one_drifted_with_every_target() {
    assert_snapshot!(show(&drifted_pair(), &Look { wide: true, ..look() }), @"
    WARNING  default/nginx of pri-eks-clu1: ready endpoints get no traffic. 1 shared
             target group, 2 clusters, 4/5 targets healthy.

    NLB k8s-default-nginx-3f9c1b7a2d   us-east-1 | internet-facing | protected
    └─ TCP:80 ── k8s-default-nginx-8e21c40f7b
       ip | 4 healthy, 1 unhealthy, 1 draining | cross-zone off
       CLUSTER       BINDING         WANT TRACK REG OK 1a 1b 1c  SHARE
     ! pri-eks-clu1  svc/nginx *        4     4   3  2  1  0  1   50% █████░░░░░
       ├─ missing   10.0.21.47:80                                       us-east-1b  pod nginx-7c5d9f-x2k9p on ip-10-0-21-5.ec2.internal
       ├─ in sync   10.0.21.48:80  unhealthy Target.FailedHealthChecks  us-east-1b  pod nginx-7c5d9f-aaaaa
       └─ left out  10.0.21.99     not ready                                        pod default/nginx-new
       sec-eks-clu1  tgb/nginx-http     2     2   2  2  0  1  1   33% ███░░░░░░░
       └─ in sync  10.0.37.19:80  healthy  us-east-1b  pod nginx-bbbbb
       (unclaimed)   1 target           -     -   1  1  0  0  1  -
       └─ unclaimed  10.0.99.1:80  healthy  us-east-1c
       (draining)    1 target           -     -   0  0  0  0  0  -
       └─ draining  10.0.99.2:80  draining  us-east-1c
       * owns the load balancer. If pri-eks-clu1 goes: 2 left, zone 1a serves
       nothing. If sec-eks-clu1 goes: 2 left, zone 1b serves nothing.

    MCTG201 MissingTargets  warning  pri-eks-clu1 default/nginx
      10.0.21.47:80 is wanted and tracked, and it is not registered: the pod
      nginx-7c5d9f-x2k9p gets no traffic
      fix  kubectl mctg reconcile svc/nginx -n default --context arn:aws:eks:us-east-1:111122223333:cluster/pri-eks-clu1
      why  kubectl mctg explain MCTG201

    pri-eks-clu1: aws-load-balancer-controller v3.5.0, alive (lease renewed 4 s ago)
    sec-eks-clu1: aws-load-balancer-controller v3.5.0, alive (lease renewed 4 s ago)

    Read 2/2 contexts, 1/1 target groups in 0.4 s at 2026-03-14 09:41:07Z. Exit 1.
    ");
}

#[test]
fn a_pair_of_which_one_does_not_answer() {
    assert_snapshot!(show(&half_read_pair(), &look()), @"
    INCOMPLETE  sec-eks-clu1 could not be read. 1 shared target group, 1 cluster,
                5/5 targets healthy.

    NLB k8s-default-nginx-3f9c1b7a2d   us-east-1 | internet-facing | protected
    └─ TCP:80 ── k8s-default-nginx-8e21c40f7b   ip | 5 healthy | cross-zone off
       CLUSTER       BINDING    WANT TRACK REG OK 1a 1b 1c  SHARE
       pri-eks-clu1  svc/nginx     3     3   3  3  1  1  1   67% ███████░░░
     ? sec-eks-clu1  not read      -     -   -  -  -  -  -  -
     ? (unknown)     2 targets     -     -   2  2  0  2  0  -
       ├─ unknown 10.0.37.19:80  healthy, us-east-1b
       └─ unknown 10.0.52.8:80  healthy, us-east-1b

    MCTG901 ContextUnreachable  critical  sec-eks-clu1
      sec-eks-clu1 did not answer in 10 s: what it wants and tracks is not known
      fix  kubectl --context sec-eks-clu1 get --raw /readyz
      gone?  kubectl mctg unbind --lost sec-eks-clu1 10.0.37.19:80 10.0.52.8:80 --dry-run
      why  kubectl mctg explain MCTG901

    Read 1/2 contexts, 1/1 target groups in 0.4 s at 2026-03-14 09:41:07Z. Exit 3.
    ");
}

#[test]
fn nothing_that_is_shared() {
    let mut spare = context("spare");
    spare.bindings = Some(0);
    let mut twin = context("twin");
    twin.same_as = Some("pri".to_owned());
    let report = report(vec![context("pri"), spare, twin], Vec::new());
    assert_snapshot!(show(&report, &look()), @"
    OK  No shared target group among 1 binding; --all shows those that are not
        shared.

    twin is the same cluster as pri, read once.
    1 context without a TargetGroupBinding: spare.

    Read 2/2 contexts in 0.4 s at 2026-03-14 09:41:07Z.
    ");
}

#[test]
fn a_binding_that_is_exclusive_and_one_whose_ledger_is_none() {
    let mut report = healthy_pair();
    let group = &mut report.target_groups[0];
    group.cross_zone = None;
    group.load_balancers = None;
    group.bindings[0].state = BindingState::Exclusive;
    group.bindings[0].multi_cluster = false;
    group.bindings[1].state = BindingState::Failing;
    group.bindings[1].tracked = None;
    group.bindings[1].share = None;
    group.bindings[1].healthy_by_zone = None;
    group.bindings[1].namespace = "web".to_owned();
    group.bindings[1].problem =
        Some("the ledger `aws-lbc-targets-nginx-http` holds an entry that is no target".to_owned());
    assert_snapshot!(show(&report, &look()), @"
    OK  1 shared target group, 2 clusters, 5/5 targets healthy.

    (load balancer not known)
    └─ k8s-default-nginx-8e21c40f7b   ip | 5 healthy | cross-zone not known
       CLUSTER       BINDING                 WANT TRACK REG OK 1a 1b 1c  SHARE
     ! pri-eks-clu1  svc/nginx -n default *     3     3   3  3  1  1  1   67% ███████░░░
       └─ exclusive: multiClusterTargetGroup is off
     ! sec-eks-clu1  tgb/nginx-http -n web      2     -   2  2  -  -  -  -
       └─ the ledger `aws-lbc-targets-nginx-http` holds an entry that is no target
       * owns the load balancer. If pri-eks-clu1 goes: 2 left, zone 1a serves
       nothing. If sec-eks-clu1 goes: 3 left.

    Read 2/2 contexts, 1/1 target groups in 0.4 s at 2026-03-14 09:41:07Z.
    ");
}

#[test]
fn many_groups() {
    let mut groups = Vec::new();
    for (name, blue, green) in [
        ("alpha", 4, 6),
        ("checkout", 3, 6),
        ("cart", 8, 2),
        ("delta", 1, 1),
        ("search", 6, 0),
        ("omega", 2, 2),
    ] {
        let all = (blue + green) as f64;
        let mut bindings = vec![
            binding("blue", name, &[("us-east-1a", blue)], blue as f64 / all),
            binding("green", name, &[("us-east-1a", green)], green as f64 / all),
        ];
        for binding in &mut bindings {
            binding.namespace = "shop".to_owned();
            binding.service.name = name.to_owned();
        }
        let mut group = group(bindings, blue + green);
        group.arn = arn(name);
        group.if_lost = vec![
            lost("blue", green, if name == "cart" { &["us-east-1a"] } else { &[] }, false),
            lost("green", blue, &[], false),
        ];
        groups.push(group);
    }
    groups[1].bindings[0].desired = Some(4);
    groups[1].bindings[0].state = BindingState::Drifted;
    let mut report = report(vec![context("blue"), context("green")], groups);
    let about = |rule: &catalogue::Rule, name: &str| Finding {
        context: Some("blue".to_owned()),
        namespace: Some("shop".to_owned()),
        binding: Some(name.to_owned()),
        target_group_arn: Some(arn(name)),
        ..rule.finding(Severity::Warning, "something is wrong with it")
    };
    report.findings = vec![
        about(&catalogue::MISSING_TARGETS, "checkout"),
        about(&catalogue::SINGLE_CLUSTER, "search"),
    ];
    assert_snapshot!(show(&report, &look()), @"
    WARNING  shop/checkout of blue: ready endpoints get no traffic. 6 shared target
             groups, 2 clusters, 41/41 targets healthy.

       SERVICE        blue green  SHARE blue|green      WORST FINDING
     ! shop/checkout   3/4   6/6   33% ███│███████ 67%  MCTG201 MissingTargets
     ! shop/search     6/6   0/0  100% ██████████│  0%  MCTG501 SingleCluster
       4 others                                         none (-o wide lists them)

    Without blue: 5 groups keep serving, 1 goes dark (shop/search), 1 loses a zone.
    Without green: 6 groups keep serving.

    MCTG201 MissingTargets  warning  blue shop/checkout
      something is wrong with it
      why  kubectl mctg explain MCTG201

    MCTG501 SingleCluster  warning  blue shop/search
      something is wrong with it
      why  kubectl mctg explain MCTG501

    Read 2/2 contexts, 6/6 target groups in 0.4 s at 2026-03-14 09:41:07Z. Exit 1.
    ");
}

#[test]
fn every_line_but_what_is_to_be_pasted_fits_80_columns() {
    for report in [healthy_pair(), drifted_pair(), half_read_pair()] {
        for line in show(&report, &look()).lines() {
            let fits = super::columns(line) <= 80
                || ["  fix  ", "  gone?  "].iter().any(|label| line.starts_with(label));
            assert!(fits, "{line}");
        }
    }
}

#[test]
fn nothing_from_outside_steers_the_terminal() {
    let mut report = drifted_pair();
    let evil = "x\u{1b}[2J\u{7}y\nz";
    let group = &mut report.target_groups[0];
    group.name = evil.to_owned();
    group.bindings[0].name = evil.to_owned();
    group.bindings[0].problem = Some(evil.to_owned());
    group.bindings[1].context = evil.to_owned();
    group.if_lost[0].context = evil.to_owned();
    for target in group.targets.iter_mut().flatten() {
        target.pod = Some(evil.to_owned());
        target.id = evil.to_owned();
    }
    report.contexts[0].message = Some(evil.to_owned());
    report.findings[0].message = evil.to_owned();
    report.findings[0].binding = Some(evil.to_owned());
    for wide in [false, true] {
        let text = show(&report, &Look { wide, ..look() });
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with('z')), "{text}");
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    let plain = show(&drifted_pair(), &look());
    let colored = show(&drifted_pair(), &Look { styles: Styles::colored(), ..look() });
    assert_ne!(plain, colored);
    let mut stripped = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        stripped.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    assert_eq!(plain, stripped);
}

fn plan_report(dry_run: bool) -> Reconcile {
    let mut sec = context(SEC);
    sec.controllers = Some(Vec::new());
    Reconcile {
        api_version: API_VERSION,
        kind: "Reconcile",
        observed_at: "2026-03-14T09:41:07Z".parse().unwrap(),
        dry_run,
        complete: true,
        timed_out: false,
        interrupted: false,
        demo: false,
        contexts: vec![context(PRI), sec],
        bindings: vec![
            BindingReport {
                context: SEC.to_owned(),
                namespace: "default".to_owned(),
                name: "nginx-http".to_owned(),
                target_group_arn: Some(arn("k8s-default-nginx-8e21c40f7b")),
                via: Via::Direct,
                outcome: if dry_run { Outcome::Planned } else { Outcome::Partial },
                reason: None,
                plan: PlanReport {
                    register: vec![Target::new("10.0.21.47", 80)],
                    deregister: vec![Target::new("10.0.21.90", 80)],
                    ledger: Some(LedgerReport {
                        before: Some(vec!["10.0.21.90:80".to_owned()]),
                        after: Some(vec!["10.0.21.47:80".to_owned()]),
                    }),
                    nudge: None,
                    blocked: vec![BlockedReport {
                        id: Some("10.0.37.19".to_owned()),
                        port: Some(80),
                        quic_server_id: None,
                        action: Action::Deregister,
                        reason: BlockedReason::Contested,
                        waiting_on: Some(format!("{PRI} default/nginx")),
                    }],
                },
                steps: if dry_run { Vec::new() } else { steps() },
                waiting_for: Vec::new(),
            },
            BindingReport {
                context: SEC.to_owned(),
                namespace: "default".to_owned(),
                name: "old".to_owned(),
                target_group_arn: None,
                via: Via::Direct,
                outcome: Outcome::Skipped,
                reason: Some("its flag is off".to_owned()),
                plan: PlanReport::default(),
                steps: Vec::new(),
                waiting_for: Vec::new(),
            },
            BindingReport {
                context: SEC.to_owned(),
                namespace: "default".to_owned(),
                name: "fine".to_owned(),
                target_group_arn: Some(arn("fine")),
                via: Via::Direct,
                outcome: Outcome::InSync,
                reason: None,
                plan: PlanReport::default(),
                steps: Vec::new(),
                waiting_for: Vec::new(),
            },
        ],
        unclaimed: None,
        findings: Vec::new(),
    }
}

fn steps() -> Vec<Step> {
    let step = |action, error: Option<&str>| Step {
        action,
        via: Via::Direct,
        targets: 1,
        result: if error.is_some() { StepResult::Failed } else { StepResult::Done },
        error: error.map(str::to_owned),
    };
    vec![
        step(Action::WriteLedger, None),
        step(Action::Register, None),
        step(Action::Deregister, Some("ThrottlingException: Rate exceeded")),
    ]
}

fn show_plan(report: &Reconcile, exit: Exit) -> String {
    let mut out = Vec::new();
    reconcile::plan(report, &[SEC.to_owned()], &look(), &mut out).unwrap();
    if report.dry_run {
        reconcile::summary(report, exit, &look(), &mut out).unwrap();
    } else {
        for step in report.bindings.iter().flat_map(|binding| &binding.steps) {
            let line =
                reconcile::step_line(Duration::from_secs(62), "sec default/nginx-http", step);
            out.extend_from_slice(line.as_bytes());
            out.push(b'\n');
        }
        let took = Duration::from_secs(92);
        reconcile::closing(report, took, exit, &look(), &mut out).unwrap();
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn a_difference() {
    let report = plan_report(true);
    assert_snapshot!(show_plan(&report, exit::of_diff(&report)), @"
    Looked at 2/2 contexts; planning for sec-eks-clu1 only, where no controller
    runs.

    sec-eks-clu1 default/nginx-http ── k8s-default-nginx-8e21c40f7b
      + register    10.0.21.47:80
      - deregister  10.0.21.90:80
        ledger      1 -> 1 entry: +10.0.21.47:80 -10.0.21.90:80
      x withheld    deregister 10.0.37.19:80: pri-eks-clu1 default/nginx wants it,
                    and does not track it

    sec-eks-clu1 default/old ── target group not known
        skipped     its flag is off

    1 binding in sync.

    A run would register 1, deregister 1 and write 1 ledger, 1 withheld. Nothing was
    changed. Exit 1.
    ");
}

#[test]
fn a_reconcile_of_which_a_step_failed() {
    let report = plan_report(false);
    assert_snapshot!(show_plan(&report, exit::of_reconcile(&report)), @"
    Looked at 2/2 contexts; writing for sec-eks-clu1 only, where no controller runs.

    sec-eks-clu1 default/nginx-http ── k8s-default-nginx-8e21c40f7b
      + register    10.0.21.47:80
      - deregister  10.0.21.90:80
        ledger      1 -> 1 entry: +10.0.21.47:80 -10.0.21.90:80
      x withheld    deregister 10.0.37.19:80: pri-eks-clu1 default/nginx wants it,
                    and does not track it

    sec-eks-clu1 default/old ── target group not known
        skipped     its flag is off

    1 binding in sync.

       1:02  ledger        1 entry, sec default/nginx-http
       1:02  registered    1 target, sec default/nginx-http
       1:02  failed        to deregister, sec default/nginx-http: ThrottlingException: Rate exceeded
    ! sec-eks-clu1 default/nginx-http: failed to deregister: ThrottlingException:
      Rate exceeded
    Not all done in 92 s: 1 registered, 0 deregistered, 1 withheld. Exit 3.
    ");
}

#[test]
fn a_reconcile_that_was_stopped() {
    let mut report = plan_report(false);
    (report.interrupted, report.complete) = (true, false);
    report.bindings.truncate(1);
    report.bindings[0].reason = Some("the run was stopped before all of it was done".to_owned());
    report.bindings[0].waiting_for = vec![Target::new("10.0.21.47", 80)];
    report.bindings[0].steps.pop();
    report.bindings[0].steps.push(Step {
        action: Action::Deregister,
        via: Via::Direct,
        targets: 1,
        result: StepResult::Skipped,
        error: Some("the run was stopped before".to_owned()),
    });
    let exit = exit::of_reconcile(&report);
    let shown = show_plan(&report, exit);
    let end = shown.split_once("  registered    1 target, sec default/nginx-http\n").unwrap().1;
    assert_snapshot!(end, @"
       1:02  skipped       not tried: to deregister, sec default/nginx-http
    Stopped in 92 s: 1 registered, 0 deregistered, 1 withheld. In their first health
    checks, which go on: 10.0.21.47:80. Not tried: to deregister 1. What was
    registered is in a ledger, and another run picks up from here. Exit 130.
    ");
}

#[test]
fn nothing_to_reconcile() {
    let mut report = plan_report(false);
    report.bindings.drain(..2);
    assert_snapshot!(show_plan(&report, exit::of_reconcile(&report)), @"
    Looked at 2/2 contexts; writing for sec-eks-clu1 only, where no controller runs.

    1 binding in sync.

    Nothing to do.
    ");
}

#[test]
fn an_explanation() {
    let mut out = Vec::new();
    explain::one(&catalogue::LEDGER_MISSING, &look(), &mut out).unwrap();
    assert_snapshot!(String::from_utf8(out).unwrap(), @"
    MCTG107 LedgerMissing
    severity  warning
    when      A multi-cluster binding has endpoints, and its ledger (the ConfigMap
              `aws-lbc-targets-NAME`) does not exist.
    means     Traffic is served, and nobody knows which targets are this cluster's:
              none of them is ever taken out when its pod goes.
    why       The binding is new and no controller made a pass yet, or somebody
              deleted the ConfigMap. A controller that runs does not notice that: it
              read the ConfigMap once, when it started.
    repair    Where no controller runs, reconcile writes it. Nothing is deregistered
              in that run, since nothing is known to be this cluster's.
                kubectl mctg reconcile --context CONTEXT --via direct
              Beside a controller: restart it, and then clear the checkpoint, by
              which it would pass the binding over for a while. It writes the ledger
              in the pass that follows.
                kubectl --context CONTEXT -n kube-system rollout restart deployment aws-load-balancer-controller
                kubectl --context CONTEXT -n NAMESPACE annotate targetgroupbindings.elbv2.k8s.aws NAME elbv2.k8s.aws/checkpoint-
    ");
}

#[test]
fn a_list_of_explanations() {
    let mut out = Vec::new();
    explain::all(catalogue::ALL, &mut out).unwrap();
    assert_snapshot!(String::from_utf8(out).unwrap(), @"
    CODE     NAME                       SEVERITY
    MCTG101  ExclusiveBinding           critical
    MCTG102  ForeignController          critical
    MCTG103  ContestedTarget            critical
    MCTG104  OwnerUnprotected           warning
    MCTG105  StackLabelsOnBinding       critical
    MCTG106  PhantomTargets             warning
    MCTG107  LedgerMissing              warning
    MCTG109  EmptyPortsRule             warning
    MCTG110  FlagNotInSource            warning
    MCTG111  OrphanLedger               warning
    MCTG112  LedgerUnusable             critical
    MCTG201  MissingTargets             critical or warning
    MCTG202  StaleTargets               warning
    MCTG203  UntrackedTargets           warning
    MCTG204  UnclaimedTargets           warning or info
    MCTG205  DriftHidden                critical
    MCTG206  BindingLost                critical
    MCTG207  TargetGroupGone            critical
    MCTG301  ControllerAbsent           warning or info
    MCTG302  ControllerTooOld           critical
    MCTG303  ControllerNotAlive         critical
    MCTG305  BackendNotFound            critical
    MCTG306  ReconcileStale             warning
    MCTG307  GateUnserved               warning
    MCTG308  RulesUnserved              warning
    MCTG401  NotAttached                critical
    MCTG402  NotForwarded               critical
    MCTG405  ZoneNotEnabled             critical
    MCTG408  BindingMismatch            critical
    MCTG409  OutsideVpc                 critical
    MCTG412  FailOpen                   critical
    MCTG413  QuotaNear                  warning
    MCTG501  SingleCluster              warning
    MCTG601  Reachable                  critical
    MCTG602  BindingType                critical
    MCTG603  ControllerReady            critical or warning
    MCTG604  ControllerFlags            warning
    MCTG605  KnownBugs                  critical or warning
    MCTG606  WebhookServed              critical
    MCTG607  Permissions                critical or warning
    MCTG608  ServiceAccountPermissions  critical
    MCTG609  Bound                      warning
    MCTG610  AwsCredentials             critical
    MCTG611  AwsReads                   critical
    MCTG612  Clocks                     critical or warning or info
    MCTG901  ContextUnreachable         critical
    MCTG902  Forbidden                  critical
    MCTG903  AwsUnreadable              critical
    MCTG904  OwnerNotRead               critical

    kubectl mctg explain CODE tells what it means and how to repair it.
    ");
}

#[test]
fn yaml_quotes_what_would_be_read_as_something_else() {
    let words = ["no", "1.0", "0x1F", "null", "~", "", "2026-01-01", "a: b", "- x", "#x", "1e3"];
    let mut out = Vec::new();
    document::yaml(&words, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let back: Vec<serde_json::Value> = serde_saphyr::from_str(&text).unwrap();
    assert_eq!(back, words.map(serde_json::Value::from), "{text}");
    // Read by YAML 1.1 as well, `no` would be false and the date a date.
    for word in ["no", "2026-01-01", "0x1F"] {
        assert!(!text.contains(&format!("- {word}\n")), "{text}");
    }
}

#[test]
fn json_and_yaml_say_the_same() {
    let (mut json, mut yaml) = (Vec::new(), Vec::new());
    document::json(&drifted_pair(), &mut json).unwrap();
    document::yaml(&drifted_pair(), &mut yaml).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let yaml: serde_json::Value =
        serde_saphyr::from_str(&String::from_utf8(yaml).unwrap()).unwrap();
    assert_eq!(json, yaml);
    assert_eq!(json["targetGroups"][0]["bindings"][0]["context"], PRI);
}

#[test]
fn jsonl_has_a_compact_line_for_each_binding() {
    let mut out = Vec::new();
    document::status_lines(&healthy_pair(), &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<_> = lines.iter().map(|l| (&l["kind"], &l["context"], &l["state"])).collect();
    assert_eq!(
        told,
        [
            (&"Status".into(), &PRI.into(), &"inSync".into()),
            (&"Status".into(), &SEC.into(), &"inSync".into())
        ]
    );
}
