//! `enable` and `disable` over the simulator, beside a controller that follows its owner.

mod interrupted;

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use super::*;
use crate::attributes;
use crate::binding::OwnerKind;
use crate::change::{Options, Patience, Runner, Verdict};
use crate::facts::{Aliveness, Controller as Found, SilenceReason};
use crate::flag;
use crate::objects::Key;
use crate::report::{Changes, ItemOutcome, ItemReport};
use crate::sim;
use crate::sim::World as Sim;
use crate::sim::cluster::{NewBinding, Part, Request as Sent};
use crate::sim::controller::{Flags, Worker};
use crate::sim::elbv2::{NewGroup, NewLoadBalancer, TargetRequest};
use crate::sim::world::VPC;

const PODS: [&str; 2] = ["10.0.0.11", "10.0.64.11"];
const NAME: &str = "k8s-web-shop-8e21c40f7b";

/// Blue with an exclusive binding that its controller made for Service `web/shop`; green with nothing.
struct Shop {
    sim: Sim,
    group: TargetGroupArn,
    load_balancer: String,
    controller: Worker,
    /// Whether the controller follows its owners.
    follows: bool,
}

fn service() -> Key {
    Key::new(Kind::Service, "web", "shop")
}

impl Shop {
    fn new() -> Self {
        let sim = Sim::new("2026-01-01T00:00:00Z".parse().unwrap());
        let (group, load_balancer) = sim.load_balancers().with(|model| {
            let load_balancer =
                model.create_load_balancer(&NewLoadBalancer::new("k8s-web-shop-3f9c1b7a2d", VPC));
            let group = model.create_target_group(&NewGroup::new(NAME, VPC)).unwrap();
            model.create_listener(&load_balancer, "TCP", 80, &[(&group, 1)]).unwrap();
            (group, load_balancer)
        });
        let blue = sim.add_cluster("blue");
        sim.add_cluster("green");
        blue.with(|state| {
            state.add_service("web", "shop", 80, 8080);
            for pod in PODS {
                state.add_pod("web", "shop", pod);
            }
            let binding = NewBinding::new("web", NAME, "shop", &group).generated().exclusive();
            state.bind(&binding);
            state.controllers = vec![alive()];
        });
        let mut controller = Worker::start(&blue, &sim.load_balancers(), Flags::new(VPC));
        controller.run();
        sim.advance(Duration::from_secs(600));
        controller.run();
        Self { sim, group, load_balancer, controller, follows: true }
    }

    fn blue(&self) -> sim::Cluster {
        self.sim.cluster("blue").unwrap()
    }

    /// What the part of the controller does that follows owners (`facts/lbc.md` 5.2).
    fn follow(&self) {
        let protected = self.blue().with(|state| {
            let object = state.object(&service());
            let said = |key: &str| object.as_ref()?.annotation(key).map(str::to_owned);
            let on = said(flag::SERVICE_ANNOTATION).is_some_and(|it| it == "true");
            if let Some(binding) = state.binding_mut("web", NAME)
                && binding.owner().is_some_and(|it| it.kind == OwnerKind::Service)
                && binding.spec.multi_cluster_target_group != on
            {
                binding.spec.multi_cluster_target_group = on;
                binding.annotations.clear();
            }
            let attributes = said(attributes::SERVICE_ANNOTATION).unwrap_or_default();
            attributes::is_protected(&attributes) == Ok(true)
        });
        self.sim.load_balancers().with(|model| {
            model.edit_load_balancer(&self.load_balancer, |it| {
                it.attributes.insert(DELETION_PROTECTION.to_owned(), protected.to_string());
            });
        });
    }

    async fn carry_out<V: Verb>(&mut self, verb: &V, options: Options) -> Changes {
        let clusters = self.sim.clusters();
        let elb = self.sim.load_balancers();
        let sim = self.sim.clone();
        let runner = Runner::new(&clusters, &elb, || sim.now(), verb, options);
        self.while_time_passes(async { runner.run(None, &|_| {}).await.unwrap() }).await
    }

    async fn while_time_passes<T>(&mut self, run: impl Future<Output = T>) -> T {
        let time = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                self.sim.advance(Duration::from_secs(1));
                if self.follows {
                    self.follow();
                    self.controller.run();
                }
            }
        };
        tokio::select! {
            report = run => report,
            () = time => unreachable!("it has no end"),
        }
    }

    async fn enable(&mut self, change: impl FnOnce(&mut Request)) -> Changes {
        let mut request = request("svc/shop");
        change(&mut request);
        self.carry_out(&Enable::new(request), waiting()).await
    }

    async fn disable(&mut self) -> Changes {
        self.carry_out(&Disable::new(request("svc/shop")), waiting()).await
    }

    fn annotation(&self, key: &str) -> Option<String> {
        self.blue().with(|state| state.object(&service())?.annotation(key).map(str::to_owned))
    }

    fn is_on(&self) -> bool {
        self.blue().with(|it| it.binding_mut("web", NAME).unwrap().spec.multi_cluster_target_group)
    }

    fn ledger(&self) -> Option<String> {
        let name = format!("aws-lbc-targets-{NAME}");
        self.blue().with(|state| state.ledger_text("web", &name).map(str::to_owned))
    }

    fn register(&self, address: &str) {
        self.sim.load_balancers().with(|model| {
            let target = [TargetRequest::new(address, 8080)];
            model.register_targets(self.group.as_str(), &target).unwrap();
        });
    }

    fn bind_in_green(&self) {
        let green = self.sim.cluster("green").unwrap();
        green.share("web", "shop", &["10.0.0.99"], &self.group);
        self.register("10.0.0.99");
    }

    fn writes(&self) -> usize {
        let writes = [Sent::PatchObject, Sent::CreateObject, Sent::DeleteLedger];
        self.sim
            .clusters()
            .iter()
            .map(|it| writes.iter().map(|w| it.count(*w)).sum::<usize>())
            .sum()
    }
}

fn alive() -> Found {
    Found {
        flavour: Flavour::LoadBalancerController,
        version: Some("v3.5.0".to_owned()),
        alive: Aliveness::Alive,
        is_down: false,
        evidence: "lease renewed 4 s ago".to_owned(),
        cluster_name: None,
        leads_since: None,
        max_targets: None,
        watch_namespace: None,
        sync_period: None,
        differs: Vec::new(),
    }
}

fn request(name: &str) -> Request {
    Request {
        context: "blue".to_owned(),
        names: Asked::parse(&[name.to_owned()]).unwrap(),
        namespace: Some("web".to_owned()),
        ..Request::default()
    }
}

/// Nobody says yes.
fn waiting() -> Options {
    let patience = Patience { timeout: Duration::from_secs(300), interval: Duration::from_secs(2) };
    Options { wait: Some(patience), ..Options::default() }
}

fn yes() -> Options {
    Options { yes: true, ..waiting() }
}

fn only(report: &Changes) -> &ItemReport {
    assert_eq!(report.items.len(), 1, "{report:#?}");
    &report.items[0]
}

/// The names of the checks that came out so.
fn checks(report: &Changes, verdict: Verdict) -> String {
    let of = only(report).checks.iter().filter(|check| check.verdict == verdict);
    of.map(|check| check.name).collect::<Vec<_>>().join(" ")
}

fn goals(report: &Changes) -> String {
    let goals = only(report).goals.iter();
    let told =
        goals.map(|goal| format!("{}{}", goal.word, if goal.is_reached() { "" } else { "?" }));
    told.collect::<Vec<_>>().join(" ")
}

#[tokio::test(start_paused = true)]
async fn a_service_is_annotated_and_all_of_it_is_waited_for() {
    let mut shop = Shop::new();
    let before = BTreeSet::from_iter(shop.sim.registered(&shop.group));
    let report = shop.enable(|_| {}).await;
    let item = only(&report);
    assert_eq!(item.outcome, ItemOutcome::Applied, "{report:#?}");
    assert!(report.complete);
    assert_eq!(goals(&report), "flag ledger registered protected");
    assert_eq!(shop.annotation(flag::SERVICE_ANNOTATION).as_deref(), Some("true"));
    let protection = "deletion_protection.enabled=true";
    assert_eq!(shop.annotation(attributes::SERVICE_ANNOTATION).as_deref(), Some(protection));
    assert!(shop.is_on());
    assert_eq!(shop.ledger().unwrap().split(',').count(), 2);
    assert_eq!(BTreeSet::from_iter(shop.sim.registered(&shop.group)), before);
    assert_eq!(shop.writes(), 1, "one patch");

    let again = shop.enable(|_| {}).await;
    assert_eq!(only(&again).outcome, ItemOutcome::Unchanged, "{again:#?}");
    assert_eq!(shop.writes(), 1);
    let bind = "kubectl mctg bind svc/shop -n web --from blue --context green";
    let offers = |it: &Changes| only(it).next.iter().any(|next| next.command == bind);
    assert!(offers(&report) && offers(&again), "{again:#?}");
    shop.bind_in_green();
    assert!(!offers(&shop.enable(|_| {}).await), "green binds it already");
}

#[tokio::test(start_paused = true)]
async fn attributes_that_are_there_stay_and_protection_can_be_left_out() {
    let mut shop = Shop::new();
    shop.blue().with(|it| it.annotate(&service(), attributes::SERVICE_ANNOTATION, r"a=b\,c , d=e"));
    let report = shop.enable(|it| it.protect = Some(false)).await;
    assert_eq!(goals(&report), "flag ledger registered");
    assert_eq!(shop.annotation(attributes::SERVICE_ANNOTATION).as_deref(), Some(r"a=b\,c , d=e"));
    let report = shop.enable(|_| {}).await;
    assert_eq!(only(&report).outcome, ItemOutcome::Applied);
    let merged = r"deletion_protection.enabled=true,a=b\,c , d=e";
    assert_eq!(shop.annotation(attributes::SERVICE_ANNOTATION).as_deref(), Some(merged));
}

#[tokio::test(start_paused = true)]
async fn what_nobody_asks_for_needs_a_yes_and_what_another_cluster_asks_for_does_not() {
    let mut shop = Shop::new();
    shop.follows = false;
    shop.bind_in_green();
    let report = shop.carry_out(&Enable::new(request("svc/shop")), Options::default()).await;
    assert_eq!(checks(&report, Verdict::NeedsYes), "");

    let mut shop = Shop::new();
    shop.register("10.0.0.99");
    let held = shop.enable(|_| {}).await;
    assert_eq!(only(&held).outcome, ItemOutcome::Blocked, "{held:#?}");
    assert_eq!(checks(&held, Verdict::NeedsYes), "LeftTargets");
    assert!(!held.complete);
    assert_eq!(shop.writes(), 0);
    let done = shop.carry_out(&Enable::new(request("svc/shop")), yes()).await;
    assert_eq!(only(&done).outcome, ItemOutcome::Applied);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_not_registered_makes_it_not_ready() {
    let mut shop = Shop::new();
    shop.blue().with(|state| state.add_pod("web", "shop", "10.0.0.12"));
    let report = shop.enable(|_| {}).await;
    assert_eq!(checks(&report, Verdict::Refused), "MissingTargets");
    assert_eq!((only(&report).outcome, shop.writes()), (ItemOutcome::Refused, 0));
}

#[tokio::test(start_paused = true)]
async fn a_ledger_from_before_is_refused_unless_it_is_what_is_desired() {
    let mut shop = Shop::new();
    let name = format!("aws-lbc-targets-{NAME}");
    shop.blue().with(|state| state.edit_ledger("web", &name, "10.0.0.9:8080"));
    let report = shop.enable(|_| {}).await;
    assert_eq!(checks(&report, Verdict::Refused), "OrphanLedger");
    assert_eq!(shop.writes(), 0);
    let desired = format!("{}:8080,{}:8080", PODS[1], PODS[0]);
    shop.blue().with(|state| state.edit_ledger("web", &name, &desired));
    assert_eq!(only(&shop.enable(|_| {}).await).outcome, ItemOutcome::Applied);
}

#[tokio::test(start_paused = true)]
async fn a_silent_context_needs_a_yes_to_enable_and_forbids_to_disable() {
    let silence = Silence::new(SilenceReason::Timeout, "no answer in 10 s");
    let mut shop = Shop::new();
    shop.sim.cluster("green").unwrap().silence(Part::Everything, silence.clone());
    let report = shop.enable(|_| {}).await;
    assert_eq!(checks(&report, Verdict::NeedsYes), "ContextUnreachable");
    assert_eq!(shop.writes(), 0);
    let done = shop.carry_out(&Enable::new(request("svc/shop")), yes()).await;
    assert_eq!(only(&done).outcome, ItemOutcome::Applied);
    let writes = shop.writes();
    let report = shop.carry_out(&Disable::new(request("svc/shop")), yes()).await;
    assert_eq!(checks(&report, Verdict::Unknown), "ContextUnreachable");
    assert!(!report.complete);
    assert_eq!((only(&report).outcome, shop.writes()), (ItemOutcome::Refused, writes));
}

#[tokio::test(start_paused = true)]
async fn what_git_deploys_is_not_written_unless_forced() {
    let mut shop = Shop::new();
    shop.blue().with(|state| {
        let mut object = state.object(&service()).unwrap();
        object.labels.insert("argocd.argoproj.io/instance".to_owned(), "shop".to_owned());
        state.put_object(object);
    });
    let report = shop.enable(|_| {}).await;
    assert_eq!(checks(&report, Verdict::Refused), "DeployedElsewhere");
    let hint = only(&report).checks.iter().find_map(|check| check.hint.clone()).unwrap();
    assert!(
        hint.contains(flag::SERVICE_ANNOTATION) && hint.contains("--force-conflicts"),
        "{hint}"
    );
    assert_eq!(shop.writes(), 0);
    let done = shop.enable(|it| it.force_conflicts = true).await;
    assert_eq!(only(&done).outcome, ItemOutcome::Applied);
    assert_eq!(checks(&done, Verdict::Warning), "DeployedElsewhere");
}

#[tokio::test(start_paused = true)]
async fn without_a_controller_that_knows_the_flag_nothing_is_switched() {
    for (change, check) in [
        (
            &(|state: &mut sim::cluster::ClusterState| state.controllers.clear())
                as &dyn Fn(&mut _),
            "ControllerAbsent",
        ),
        (&|state: &mut sim::cluster::ClusterState| state.has_flag = false, "ControllerTooOld"),
        (
            &|state: &mut sim::cluster::ClusterState| {
                state.controllers[0].version = Some("v2.9.2".to_owned());
            },
            "ControllerTooOld",
        ),
    ] {
        let mut shop = Shop::new();
        shop.blue().with(change);
        let report = shop.enable(|_| {}).await;
        assert_eq!(checks(&report, Verdict::Refused), check);
        assert_eq!(shop.writes(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_controller_that_does_not_follow_runs_into_the_timeout_and_another_run_goes_on() {
    let mut shop = Shop::new();
    shop.follows = false;
    let report = shop.enable(|_| {}).await;
    assert!(report.timed_out);
    assert_eq!(only(&report).outcome, ItemOutcome::Partial);
    assert_eq!(goals(&report), "flag? ledger? registered protected?");
    shop.follows = true;
    let again = shop.enable(|_| {}).await;
    assert_eq!(goals(&again), "flag ledger registered protected");
    assert!(again.complete, "{again:#?}");
    assert_eq!(shop.writes(), 1, "nothing was written again");
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_does_not_follow_is_explained_after_a_minute() {
    let mut shop = Shop::new();
    shop.follows = false;
    shop.blue().with(|state| {
        state.annotate(&service(), flag::SERVICE_ANNOTATION, "true");
        let attributes = "deletion_protection.enabled=true";
        state.annotate(&service(), attributes::SERVICE_ANNOTATION, attributes);
        state.edit_ledger("web", &format!("aws-lbc-targets-{NAME}"), "10.0.0.9:8080");
    });
    shop.follow();
    let report = shop.enable(|_| {}).await;
    assert!(report.timed_out);
    let reason = only(&report).reason.clone().unwrap();
    assert!(reason.contains("keep an old ledger in memory"), "{reason}");
    assert!(only(&report).next.iter().any(|next| next.command.contains("rollout restart")));
}

#[tokio::test(start_paused = true)]
async fn the_way_back_takes_the_flag_and_the_ledger_and_keeps_the_protection() {
    let mut shop = Shop::new();
    let _ = shop.enable(|_| {}).await;
    let before = BTreeSet::from_iter(shop.sim.registered(&shop.group));
    let held = shop.disable().await;
    assert_eq!(only(&held).outcome, ItemOutcome::Blocked, "it asks");
    assert!(shop.is_on());
    let report = shop.carry_out(&Disable::new(request("svc/shop")), yes()).await;
    assert_eq!(only(&report).outcome, ItemOutcome::Applied, "{report:#?}");
    assert_eq!(goals(&report), "flag passed ledger");
    assert_eq!((shop.is_on(), shop.ledger()), (false, None));
    assert_eq!(shop.annotation(flag::SERVICE_ANNOTATION), None);
    assert!(shop.annotation(attributes::SERVICE_ANNOTATION).is_some());
    assert_eq!(BTreeSet::from_iter(shop.sim.registered(&shop.group)), before);
    let again = shop.disable().await;
    assert_eq!(only(&again).outcome, ItemOutcome::Unchanged, "{again:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_share_that_anybody_else_has_is_not_taken_from_them() {
    let mut shop = Shop::new();
    let _ = shop.enable(|_| {}).await;
    let writes = shop.writes();
    shop.register("10.0.0.98");
    let report = shop.carry_out(&Disable::new(request("svc/shop")), yes()).await;
    assert_eq!(checks(&report, Verdict::Refused), "ForeignTargets");
    shop.bind_in_green();
    let report = shop.carry_out(&Disable::new(request("svc/shop")), yes()).await;
    assert_eq!(checks(&report, Verdict::Refused), "Shared ForeignTargets");
    assert_eq!(shop.writes(), writes);
    assert!(shop.is_on());
}

#[tokio::test(start_paused = true)]
async fn a_standalone_binding_is_switched_in_its_spec() {
    let mut shop = Shop::new();
    shop.blue().with(|state| {
        state.binding_mut("web", NAME).unwrap().labels.clear();
    });
    let verb = Enable::new(request(&format!("tgb/{NAME}")));
    let report = shop.carry_out(&verb, waiting()).await;
    assert_eq!(only(&report).outcome, ItemOutcome::Applied, "{report:#?}");
    assert_eq!(goals(&report), "flag ledger registered");
    assert_eq!(shop.annotation(flag::SERVICE_ANNOTATION), None);
    assert!(shop.is_on());
}

#[tokio::test(start_paused = true)]
async fn a_name_of_nothing_is_a_mistake() {
    let shop = Shop::new();
    let clusters = shop.sim.clusters();
    let elb = shop.sim.load_balancers();
    let plan = async |name: &str| {
        let verb = Enable::new(request(name));
        let runner = Runner::new(&clusters, &elb, || shop.sim.now(), &verb, Options::default());
        runner.plan().await.map(|planned| planned.items)
    };
    let mistake = plan("svc/shup").await.unwrap_err();
    assert_eq!(mistake.message, "no Service `shup` in namespace `web` of context `blue`");
    assert_eq!(mistake.hint.as_deref(), Some("there is service/shop"));
    shop.blue().with(|state| state.add_service("web", "plain", 80, 8080));
    let items = plan("svc/plain").await.unwrap();
    assert_eq!(items[0].refusals().next().unwrap().name, "NoBinding");
    for name in [NAME, "shop", &format!("tgb/{NAME}")] {
        assert_eq!(plan(name).await.unwrap()[0].changes.len(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_somebody_wrote_in_between_is_planned_again() {
    let mut shop = Shop::new();
    let fault = sim::faults::Fault {
        strikes: sim::faults::Strikes::BeforeEffect,
        trouble: crate::cluster::WriteError::Conflict,
    };
    shop.blue().fail_next(Sent::PatchObject, fault);
    let report = shop.enable(|_| {}).await;
    assert_eq!(only(&report).outcome, ItemOutcome::Applied);
    assert_eq!(shop.writes(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rehearsal_is_sent_and_nothing_is_stored() {
    let mut shop = Shop::new();
    let options = Options { rehearse: true, ..Options::default() };
    let report = shop.carry_out(&Enable::new(request("svc/shop")), options).await;
    assert_eq!(only(&report).outcome, ItemOutcome::Planned);
    assert_eq!(shop.annotation(flag::SERVICE_ANNOTATION), None);
    assert_eq!(shop.blue().count(Sent::PatchObject), 1);
}
