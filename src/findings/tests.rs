//! When each finding is raised, what it says, and what it gives way to.

mod specs;
mod traffic;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::binding::{
    CHECKPOINT_TIME_ANNOTATION, Flavour, IngressRule, IpBlock, Networking, NetworkingPort, Peer,
    TargetType,
};
use crate::facts::{Aliveness, Controller, Difference, Reconciler};
use crate::testing::{World, registered, target};
use crate::view;

fn found(world: &World) -> Vec<Finding> {
    let groups = view::groups(&world.facts);
    diagnose(&world.facts, &groups.iter().collect::<Vec<_>>(), &Selection::default())
}

/// The codes of a family (`2`: 2xx), each with `!` where it is critical and `i` where it is info.
fn codes(world: &World, family: char) -> String {
    let mark = |finding: &Finding| match finding.severity {
        Severity::Critical => "!",
        Severity::Warning => "",
        Severity::Info => "i",
    };
    let found = found(world);
    let own = found.iter().filter(|finding| finding.code[4..].starts_with(family));
    own.map(|it| format!("{}{}", &it.code[4..], mark(it))).collect::<Vec<_>>().join(" ")
}

fn the(world: &World, code: &str) -> Finding {
    let found = found(world);
    let is_it = |finding: &&Finding| finding.code == code;
    assert_eq!(found.iter().filter(is_it).count(), 1, "{code} among {found:#?}");
    found.into_iter().find(|finding| finding.code == code).unwrap()
}

/// A time on the day of every observation here.
fn at(time: &str) -> Timestamp {
    format!("2026-01-01T{time}Z").parse().unwrap()
}

const RECONCILE: &str = "kubectl mctg reconcile tgb/shop -n web --context blue";

#[test]
fn an_exclusive_binding_is_switched_by_the_name_it_is_known_by() {
    let world = |owner: &[(&str, &str)]| {
        let labels = owner.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        registered("1 2").cluster("green", "2", "2").cluster("blue", "1", "1").with(|it| {
            it.binding.spec.multi_cluster_target_group = false;
            it.binding.labels.extend(labels);
        })
    };
    let fix = |world: World| the(&world, "MCTG101").fix;
    let by_hand = "kubectl mctg enable tgb/shop -n web --context blue";
    assert_eq!(fix(world(&[])).as_deref(), Some(by_hand));
    for (kind, name) in [
        ("service.k8s.aws", "svc/api"),
        ("ingress.k8s.aws", "ing/api"),
        ("gateway.k8s.aws.alb", "gateway/api"),
    ] {
        let [of, named] = ["namespace", "name"].map(|it| format!("{kind}/stack-{it}"));
        let line = format!("kubectl mctg enable {name} -n edge --context blue");
        assert_eq!(fix(world(&[(&of, "edge"), (&named, "api")])), Some(line));
    }
    let auto = world(&[]).with(|it| it.binding.flavour = Flavour::AutoMode);
    assert_eq!(fix(auto), None, "it is not written");
}

#[test]
fn a_cluster_that_may_be_gone_comes_with_the_plan_for_that() {
    let fix = |world: &World| the(world, "MCTG901").fix.unwrap();
    let ask = "kubectl --context green get --raw /readyz";
    let blue = |list| registered(list).cluster("blue", "1", "1");
    let gone = "kubectl mctg unbind --lost green 10.0.0.2:80 10.0.0.3:80 --context blue --dry-run";
    assert_eq!(fix(&blue("1 2 3").silent("green")), format!("{ask}\n{gone}"));
    assert_eq!(fix(&blue("1").silent("green")), ask, "nothing may be its own");
    let many = blue("1 2 3 4 5 6 7 8 9 10 11").silent("green");
    assert!(fix(&many).ends_with(" green --known-from STATUS.json --context blue --dry-run"));
    let mut answers = blue("1 2").silent("green");
    answers.last().bindings = Err(crate::facts::Silence::new(
        crate::facts::SilenceReason::Unauthorized,
        "the server does not know the user",
    ));
    assert_eq!(fix(&answers), ask, "it is there");
    let two = blue("1 2").silent("green").silent("red");
    let fixes: Vec<_> = found(&two).into_iter().filter_map(|it| it.fix).collect();
    assert!(fixes.iter().all(|fix| !fix.contains("--lost")), "{fixes:?}");
}

mod drift {
    use super::*;

    /// Blue lost 2 and kept 3, with a controller.
    fn drifted(alive: Aliveness) -> World {
        registered("1 3").cluster("blue", "1 2", "1 2 3").controller(alive)
    }

    fn finished(world: World, at: Timestamp) -> World {
        world.checkpoint().with(|it| {
            let seconds = at.as_second().to_string();
            it.binding.annotations.insert(CHECKPOINT_TIME_ANNOTATION.to_owned(), seconds);
        })
    }

    #[test]
    fn what_a_live_controller_skips_is_hidden_and_told_once() {
        let world = finished(drifted(Aliveness::Alive), at("06:29:00"));
        assert_eq!(codes(&world, '2'), "205!");
        let finding = the(&world, "MCTG205");
        assert_eq!(
            finding.message,
            "blue web/shop: 10.0.0.2:80 is desired and not registered; 10.0.0.3:80 is registered and no longer an \
             endpoint. Its checkpoint is current since 2026-01-01 06:29Z, so its controller skips it."
        );
        assert_eq!(finding.fix.as_deref(), Some(RECONCILE));
        assert_eq!(finding.targets, [target("2"), target("3")]);
        assert_eq!(finding.binding.as_deref(), Some("shop"));
    }

    #[test]
    fn it_takes_a_live_controller_and_a_current_checkpoint() {
        for alive in [Aliveness::Absent, Aliveness::Unknown] {
            assert_eq!(codes(&drifted(alive).checkpoint(), '2'), "201 202");
        }
        assert_eq!(codes(&drifted(Aliveness::Alive), '2'), "201 202", "no checkpoint");
        let spec_changed = drifted(Aliveness::Alive)
            .checkpoint()
            .with(|it| it.binding.spec.vpc_id = "vpc-2".to_owned());
        assert_eq!(codes(&spec_changed, '2'), "201 202");
        let in_sync = registered("1").cluster("blue", "1", "1").controller(Aliveness::Alive);
        assert_eq!(codes(&in_sync.checkpoint(), '2'), "");
    }

    #[test]
    fn a_young_difference_is_not_hidden_yet() {
        let world = finished(drifted(Aliveness::Alive), at("11:59:30"))
            .with(|it| it.binding.changed_at = Some(at("11:59:30")));
        assert_eq!(codes(&world, '2'), "");
    }

    #[test]
    fn an_exclusive_binding_is_none_that_reconcile_could_help() {
        let world = registered("1")
            .cluster("blue", "1 2", None)
            .controller(Aliveness::Alive)
            .with(|it| it.binding.spec.multi_cluster_target_group = false)
            .checkpoint();
        assert_eq!(codes(&world, '2'), "201");
        assert_eq!(the(&world, "MCTG201").fix, None);
    }

    #[test]
    fn a_controller_that_waits_for_a_gate_does_not_skip() {
        let wait = |gate: &'static str| {
            drifted(Aliveness::Alive).checkpoint().with(move |it| {
                let endpoints = it.endpoints.as_mut().unwrap();
                let first = endpoints.desired.get_mut(&target("1")).unwrap();
                first.unmet_gates.insert(gate.to_owned());
            })
        };
        assert_eq!(codes(&wait("shop"), '2'), "201 202");
        assert_eq!(codes(&wait("another"), '2'), "205!");
    }

    #[test]
    fn what_its_limit_leaves_out_is_not_hidden() {
        let limited = |limit| {
            drifted(Aliveness::Alive)
                .checkpoint()
                .with_controller(|it| it.max_targets = Some(limit))
        };
        assert_eq!(codes(&limited(3), '2'), "205!");
        assert_eq!(codes(&limited(2), '2'), "205! 201");
        let missing = the(&limited(2), "MCTG201");
        assert!(missing.message.ends_with("has 2 targets, its --max-targets-per-target-group."));
        assert_eq!(missing.fix, None);
    }

    #[test]
    fn a_current_checkpoint_proves_that_a_version_changes_nothing_here() {
        let differs = |it: &mut Controller| {
            let how = "v2.13.4 reads Endpoints, not EndpointSlices".to_owned();
            it.differs = vec![Difference { target_type: Some(TargetType::Ip), how }];
        };
        let current = drifted(Aliveness::Alive).checkpoint().with_controller(differs);
        assert_eq!(codes(&current, '2'), "205!");
        let behind = drifted(Aliveness::Alive).with_controller(differs);
        assert_eq!(codes(&behind, '2'), "201 202");
        for code in ["MCTG201", "MCTG202"] {
            let finding = the(&behind, code);
            let named = "Its controller may find other endpoints: v2.13.4 reads Endpoints, not EndpointSlices.";
            assert!(finding.message.ends_with(named), "{}", finding.message);
            assert_eq!(finding.fix, None, "reconcile defers");
        }
        let absent = drifted(Aliveness::Absent).with_controller(differs);
        assert!(!the(&absent, "MCTG201").message.contains("may find"));
        let other_type = |it: &mut Controller| {
            differs(it);
            it.differs[0].target_type = Some(TargetType::Instance);
        };
        let other = drifted(Aliveness::Alive).with_controller(other_type);
        assert!(!the(&other, "MCTG201").message.contains("may find"));
    }

    #[test]
    fn when_it_looks_again_is_said_where_it_can_be_known() {
        let again = |finished_at: &str, change: fn(&mut Controller)| {
            let world =
                finished(drifted(Aliveness::Alive), at(finished_at)).with_controller(|it| {
                    it.leads_since = Some(at("01:00:00"));
                    it.sync_period = Some(SignedDuration::from_hours(10));
                    change(it);
                });
            let message = the(&world, "MCTG205").message;
            message.split_once(" again after ").map(|(_, time)| time.to_owned())
        };
        let time = |time: &str| Some(format!("2026-01-01 {time}Z."));
        assert_eq!(again("06:29:00", |_| ()), time("16:59"), "its sync period and half an hour");
        // It went through everything after it had started; that must be over.
        assert_eq!(again("06:29:00", |it| it.leads_since = Some(at("07:00:00"))), None);
        assert_eq!(again("06:29:00", |it| it.leads_since = Some(at("11:45:00"))), time("12:15"));
        assert_eq!(
            again("06:29:00", |it| {
                it.leads_since = Some(at("11:45:00"));
                it.version = Some("v2.13.2".to_owned());
            }),
            time("16:59"),
            "then it went by the annotation, restarted or not"
        );
        assert_eq!(again("00:30:00", |it| it.leads_since = Some(at("00:10:00"))), None, "over");
        assert_eq!(again("06:29:00", |it| it.leads_since = None), None);
        assert_eq!(again("06:29:00", |it| it.sync_period = None), None);
        assert_eq!(again("06:29:00", |it| it.version = None), None);
    }

    #[test]
    fn reconcile_is_offered_where_it_would_do_something() {
        let fixes = |world: &World| {
            let fix = |code: &str| {
                let found = found(world);
                let fix = found.iter().find(|it| it.code == code).map(|it| it.fix.clone());
                assert!(fix.clone().flatten().is_none_or(|line| line == RECONCILE));
                fix.map_or('-', |fix| if fix.is_some() { 'y' } else { 'n' })
            };
            ["MCTG201", "MCTG202", "MCTG203", "MCTG205"].map(fix).iter().collect::<String>()
        };
        assert_eq!(fixes(&drifted(Aliveness::Absent)), "yy--");
        assert_eq!(fixes(&drifted(Aliveness::Alive)), "yy--", "by a nudge");
        assert_eq!(fixes(&drifted(Aliveness::Unknown)), "nn--");
        assert_eq!(fixes(&drifted(Aliveness::Unknown).checkpoint()), "yn--", "directly");
        let foreign = |world: World| {
            let mut written = world.with(|it| {
                let ledger = it.ledger.as_mut().unwrap().as_mut().unwrap();
                ledger.foreign_write_at = Some(at("08:00:00"));
            });
            written = written.with_controller(|it| it.leads_since = Some(at("07:00:00")));
            written
        };
        assert_eq!(fixes(&foreign(drifted(Aliveness::Alive))), "nn--");
        assert_eq!(fixes(&foreign(drifted(Aliveness::Alive).checkpoint())), "---n");
        let lost = registered("1").cluster("blue", "1 2", None).controller(Aliveness::Alive);
        assert_eq!(fixes(&lost), "y---", "it never passed, so it writes one");
        let lost = registered("1").cluster("blue", "1 2", None).controller(Aliveness::Alive);
        assert_eq!(fixes(&lost.checkpoint()), "---n");
        let untracked = |alive| registered("1 2").cluster("blue", "1 2", "1").controller(alive);
        assert_eq!(fixes(&untracked(Aliveness::Absent)), "--y-");
        assert_eq!(fixes(&untracked(Aliveness::Alive)), "--n-", "the ledger is in its memory");
    }
}

mod controllers {
    use super::*;

    fn shared() -> World {
        registered("1 5")
            .cluster("green", "5", "5")
            .controller(Aliveness::Alive)
            .cluster("blue", "1", "1")
    }

    #[test]
    fn a_release_from_before_sharing_is_too_old() {
        let runs = |version: &str| {
            let version = Some(version.to_owned());
            shared().controller(Aliveness::Alive).with_controller(|it| it.version = version)
        };
        assert_eq!(codes(&runs("v2.9.2"), '3'), "302!");
        let finding = the(&runs("v2.9.2"), "MCTG302");
        assert!(finding.message.starts_with("blue runs the AWS Load Balancer Controller v2.9.2"));
        assert_eq!(finding.context.as_deref(), Some("blue"));
        for fine in ["v2.10.0", "2.10.0-rc1", "v3.5.0", "latest"] {
            assert_eq!(codes(&runs(fine), '3'), "", "{fine}");
        }
    }

    #[test]
    fn one_that_is_too_old_and_scaled_to_nothing_is_only_absent() {
        let old = |it: &mut Controller| it.version = Some("v2.9.2".to_owned());
        assert_eq!(codes(&shared().controller(Aliveness::Absent).with_controller(old), '3'), "301");
        assert_eq!(
            codes(&shared().controller(Aliveness::Unknown).with_controller(old), '3'),
            "302!"
        );
    }

    #[test]
    fn a_type_without_the_flag_is_too_old_and_one_that_is_not_known_is_not() {
        let knows = |has_flag| {
            let mut world = shared().controller(Aliveness::Alive);
            world.last().has_flag = has_flag;
            world
        };
        assert_eq!(codes(&knows(Some(false)), '3'), "302!");
        let finding = the(&knows(Some(false)), "MCTG302");
        assert!(finding.fix.unwrap().starts_with("helm show crds "), "Helm upgrades no CRDs");
        assert_eq!(codes(&knows(Some(true)), '3'), "");
        assert_eq!(codes(&knows(None), '3'), "");
    }

    #[test]
    fn who_shares_nothing_may_be_old() {
        let mut world = registered("1")
            .cluster("blue", "1", None)
            .with(|it| it.binding.spec.multi_cluster_target_group = false)
            .controller(Aliveness::Alive);
        world.last().has_flag = Some(false);
        assert_eq!(codes(&world, '3'), "");
    }

    #[test]
    fn a_controller_that_should_be_at_work_and_is_not_is_told() {
        let down = shared().controller(Aliveness::Unknown).with_controller(|it| it.is_down = true);
        assert_eq!(codes(&down, '3'), "303!");
        assert!(the(&down, "MCTG303").message.contains("lease renewed 4 s ago"), "its evidence");
        assert_eq!(codes(&shared().controller(Aliveness::Unknown), '3'), "", "unread is not down");
        let other_group = shared().with(|it| it.group = Err(crate::testing::silence()));
        let down =
            other_group.controller(Aliveness::Unknown).with_controller(|it| it.is_down = true);
        assert_eq!(codes(&down, '3'), "", "it serves no binding that is looked at");
    }

    fn cron_job(last_success: Option<&str>, created_at: &str) -> Reconciler {
        Reconciler {
            namespace: "kube-system".to_owned(),
            name: "kubectl-mctg".to_owned(),
            schedule: "*/5 * * * *".to_owned(),
            suspended: false,
            created_at: Some(at(created_at)),
            last_success: last_success.map(at),
        }
    }

    fn with_cron_job(cron_job: Reconciler) -> World {
        let mut world = shared();
        world.last().reconcilers.push(cron_job);
        world
    }

    #[test]
    fn a_cron_job_that_does_its_work_stands_in_for_the_controller() {
        assert_eq!(codes(&shared(), '3'), "301");
        assert_eq!(codes(&with_cron_job(cron_job(Some("11:45:00"), "01:00:00")), '3'), "301i");
        assert_eq!(codes(&with_cron_job(cron_job(None, "11:45:00")), '3'), "301i", "it is new");
    }

    #[test]
    fn a_cron_job_without_success_for_three_periods_is_stale() {
        let stale = with_cron_job(cron_job(Some("11:44:59"), "01:00:00"));
        assert_eq!(codes(&stale, '3'), "306 301i");
        let finding = the(&stale, "MCTG306");
        assert_eq!(
            finding.message,
            "The CronJob kube-system/kubectl-mctg of blue last succeeded at 2026-01-01 11:44Z, more than three of its \
             periods (*/5 * * * *) ago."
        );
        let fix = "kubectl --context blue -n kube-system describe cronjob kubectl-mctg";
        assert_eq!(finding.fix.as_deref(), Some(fix));
        let never = with_cron_job(cron_job(None, "11:44:59"));
        assert!(the(&never, "MCTG306").message.contains("never succeeded"));
    }

    #[test]
    fn a_cron_job_that_is_suspended_stands_in_for_nobody_and_is_stale_in_time() {
        let suspended = |last_success: &str| {
            let cron_job = cron_job(Some(last_success), "01:00:00");
            with_cron_job(Reconciler { suspended: true, ..cron_job })
        };
        assert_eq!(codes(&suspended("11:50:00"), '3'), "301");
        assert_eq!(codes(&suspended("11:00:00"), '3'), "301 306");
        let finding = the(&suspended("11:00:00"), "MCTG306");
        assert!(finding.message.ends_with(" It is suspended."));
        assert!(finding.fix.unwrap().ends_with(r#"-p '{"spec":{"suspend":false}}'"#));
    }

    #[test]
    fn a_schedule_or_time_that_is_not_known_makes_nothing_stale() {
        let cron_job = || cron_job(None, "01:00:00");
        let odd = Reconciler { schedule: "@every 5m".to_owned(), ..cron_job() };
        assert_eq!(codes(&with_cron_job(odd), '3'), "301i");
        let timeless = Reconciler { created_at: None, ..cron_job() };
        assert_eq!(codes(&with_cron_job(timeless), '3'), "301i");
    }

    fn waiting(alive: Aliveness, gates: &[&str]) -> World {
        shared().controller(alive).with(|it| {
            let endpoints = it.endpoints.as_mut().unwrap();
            let endpoint = endpoints.desired.get_mut(&target("1")).unwrap();
            endpoint.unmet_gates = gates.iter().map(|gate| (*gate).to_owned()).collect();
        })
    }

    #[test]
    fn a_gate_that_no_controller_sets_is_told() {
        let world = waiting(Aliveness::Absent, &["other", "shop"]);
        assert_eq!(codes(&world, '3'), "301 307");
        let finding = the(&world, "MCTG307");
        assert_eq!(
            finding.message,
            "1 pod of blue web/shop waits for its readiness gate, which only a controller sets, and none is at work: \
             web/pod-1."
        );
        assert_eq!(finding.targets, [target("1")]);
        let down = waiting(Aliveness::Unknown, &["shop"]).with_controller(|it| it.is_down = true);
        assert_eq!(codes(&down, '3'), "303! 307");
    }

    #[test]
    fn a_gate_of_another_binding_or_beside_a_controller_is_none_of_its_concern() {
        assert_eq!(codes(&waiting(Aliveness::Absent, &["other"]), '3'), "301");
        assert_eq!(codes(&waiting(Aliveness::Alive, &["shop"]), '3'), "");
        assert_eq!(codes(&waiting(Aliveness::Unknown, &["shop"]), '3'), "", "it may be at work");
    }

    fn asking(alive: Aliveness, peers: usize, ports: usize) -> World {
        let cidr = "10.0.0.0/8".to_owned();
        let peer = Peer { ip_block: Some(IpBlock { cidr }), security_group: None };
        let rule =
            IngressRule { from: vec![peer; peers], ports: vec![NetworkingPort::default(); ports] };
        let networking = Networking { ingress: vec![rule] };
        shared().controller(alive).with(|it| it.binding.spec.networking = Some(networking))
    }

    #[test]
    fn rules_that_no_controller_makes_are_told() {
        let world = asking(Aliveness::Absent, 1, 1);
        assert_eq!(codes(&world, '3'), "301 308");
        assert_eq!(
            the(&world, "MCTG308").message,
            "blue web/shop asks for security-group rules, and no controller is at work to make them; this program \
             makes none."
        );
        let down = asking(Aliveness::Unknown, 1, 1).with_controller(|it| it.is_down = true);
        assert_eq!(codes(&down, '3'), "303! 308");
    }

    #[test]
    fn no_rules_or_a_controller_that_may_make_them_is_fine() {
        assert_eq!(codes(&asking(Aliveness::Alive, 1, 1), '3'), "");
        assert_eq!(codes(&asking(Aliveness::Unknown, 1, 1), '3'), "");
        assert_eq!(codes(&asking(Aliveness::Absent, 0, 1), '3'), "301");
        assert_eq!(codes(&asking(Aliveness::Absent, 1, 0), '3'), "301");
    }
}
