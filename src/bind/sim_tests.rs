//! `bind` beside a controller at work, on the simulator: all of it, and killed anywhere.

use std::time::Duration;

use super::*;
use crate::binding::{Flavour, IngressRule, Networking, NetworkingPort};
use crate::change::{Options, Patience, Runner, Verdict};
use crate::facts::Webhook;
use crate::report::{Changes, ItemOutcome};
use crate::sim::World;
use crate::sim::cluster::{Cluster as SimCluster, NewBinding, Request as Call};
use crate::sim::controller::{Flags, Worker};
use crate::sim::elbv2::{Condition, NewGroup, NewLoadBalancer};
use crate::sim::world::VPC;

const GREEN: [&str; 2] = ["10.0.0.21", "10.0.64.21"];

/// Blue serves a shared group; green has the same Service, and a controller at work.
struct Shop {
    world: World,
    group: TargetGroupArn,
    load_balancer: String,
    listener: String,
    green: SimCluster,
    controller: Worker,
}

impl Shop {
    fn new() -> Self {
        let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
        let (load_balancer, group, listener) = world.load_balancers().with(|model| {
            let load_balancer = model.create_load_balancer(&NewLoadBalancer::new("shop", VPC));
            let group = model.create_target_group(&NewGroup::new("k8s-web-shop", VPC)).unwrap();
            let listener = model.create_listener(&load_balancer, "TCP", 80, &[(&group, 1)]);
            (load_balancer, group, listener.unwrap())
        });
        world.add_cluster("blue").with(|state| {
            state.add_service("web", "shop", 80, 8080);
            state.add_pod("web", "shop", "10.0.0.11");
            let mut binding = NewBinding::new("web", "k8s-web-shop-1", "shop", &group).generated();
            binding.spec.networking = Some(rule("sg-blue", 8080));
            state.bind(&binding);
        });
        let green = world.add_cluster("green");
        green.with(|state| {
            state.add_service("web", "shop", 80, 8080);
            for address in GREEN {
                state.add_pod("web", "shop", address);
            }
        });
        world.converge();
        let controller = Worker::start(&green, &world.load_balancers(), Flags::new(VPC));
        Self { world, group, load_balancer, listener, green, controller }
    }

    fn request(&self) -> Request {
        Request::new("green", "web", "shop", self.group.clone())
    }

    async fn run(&mut self, request: &Request, options: Options) -> Changes {
        let verb = Bind::new(request.clone());
        let (clusters, elb) = (self.world.clusters(), self.world.load_balancers());
        let (world, controller) = (&self.world, &mut self.controller);
        let runner = Runner::new(&clusters, &elb, || world.now(), &verb, options);
        let time = async {
            loop {
                tokio::time::sleep(Duration::from_secs(1)).await;
                world.advance(Duration::from_secs(1));
                controller.run();
            }
        };
        tokio::select! {
            report = runner.run(None, &|_| {}) => report.unwrap(),
            () = time => unreachable!("it has no end"),
        }
    }

    async fn bind(&mut self) -> Changes {
        let request = self.request();
        self.run(&request, patient()).await
    }

    async fn items(&self, request: &Request) -> Vec<Item> {
        let verb = Bind::new(request.clone());
        let (clusters, elb) = (self.world.clusters(), self.world.load_balancers());
        let world = &self.world;
        let runner = Runner::new(&clusters, &elb, || world.now(), &verb, Options::default());
        runner.plan().await.unwrap().items
    }

    async fn item(&self, request: &Request) -> Item {
        let mut items = self.items(request).await;
        assert_eq!(items.len(), 1, "{items:#?}");
        items.remove(0)
    }

    /// What the plan for the request refuses, by names.
    async fn refusals(&self, request: &Request) -> Vec<&'static str> {
        self.item(request).await.refusals().map(|check| check.name).collect()
    }

    fn binding(&self) -> crate::binding::Binding {
        let all = self.green.with(|state| {
            state.bindings(Flavour::LoadBalancerController).cloned().collect::<Vec<_>>()
        });
        assert_eq!(all.len(), 1, "{all:#?}");
        all[0].clone()
    }
}

fn rule(group: &str, port: i32) -> Networking {
    let port =
        NetworkingPort { protocol: Some("TCP".to_owned()), port: Some(PortRef::Number(port)) };
    let from = vec![Peer::security_group(group)];
    Networking { ingress: vec![IngressRule { from, ports: vec![port] }] }
}

fn patient() -> Options {
    let wait = Patience { timeout: Duration::from_secs(600), interval: Duration::from_secs(2) };
    Options { wait: Some(wait), ..Options::default() }
}

/// Looks seldom: for runs that are made hundreds of times.
fn seldom() -> Options {
    let wait = Patience { timeout: Duration::from_secs(600), interval: Duration::from_secs(30) };
    Options { wait: Some(wait), ..Options::default() }
}

fn outcome(report: &Changes) -> ItemOutcome {
    assert_eq!(report.items.len(), 1, "{report:#?}");
    report.items[0].outcome
}

#[tokio::test(start_paused = true)]
async fn a_service_joins_the_group_and_serves() {
    let mut shop = Shop::new();
    let report = shop.bind().await;
    assert_eq!(outcome(&report), ItemOutcome::Applied, "{report:#?}");
    assert!(report.complete);
    let item = &report.items[0];
    assert_eq!(item.conclusion, "green serves about 75% of svc/shop.");
    assert_eq!(shop.world.registered(&shop.group).len(), 3);
    let binding = shop.binding();
    assert_eq!((binding.namespace.as_str(), binding.name.as_str()), ("web", "shop-http"));
    assert!(binding.labels.is_empty());
    let spec = serde_json::to_value(&binding.spec).unwrap();
    assert_eq!(
        spec,
        serde_json::json!({
            "targetGroupARN": shop.group.as_str(),
            "multiClusterTargetGroup": true,
            "targetType": "ip",
            "targetGroupProtocol": "TCP",
            "serviceRef": {"name": "shop", "port": 80},
            "networking": {"ingress": [{
                "from": [{"securityGroup": {"groupID": "sg-blue"}}],
                "ports": [{"protocol": "TCP", "port": 8080}],
            }]},
            "ipAddressType": "ipv4",
            "vpcID": VPC,
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_run_changes_nothing() {
    let mut shop = Shop::new();
    let _ = shop.bind().await;
    shop.green.clear_calls();
    let report = shop.bind().await;
    assert_eq!(outcome(&report), ItemOutcome::Unchanged, "{report:#?}");
    assert_eq!(shop.green.count(Call::ApplyBinding), 0);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_killed_anywhere_is_run_again_and_comes_to_the_same_end() {
    let mut whole = Shop::new();
    let _ = whole.bind().await;
    let expected = (whole.binding().spec, whole.world.registered(&whole.group));
    // Every step up to the write and well past it; of the long wait for health, some.
    for step in (0..120).chain((120..).step_by(37)) {
        let mut shop = Shop::new();
        let request = shop.request();
        let steps = shop.world.steps().clone();
        let died = steps.run_until(step, shop.run(&request, seldom())).await.is_none();
        let report = shop.run(&request, seldom()).await;
        assert!(report.complete, "killed at {step}: {report:#?}");
        assert_eq!((shop.binding().spec, shop.world.registered(&shop.group)), expected, "{step}");
        if !died {
            assert!(step > 120, "it took {step} steps");
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_runs_at_once_make_one_binding() {
    let mut shop = Shop::new();
    let request = shop.request();
    let other = {
        let verb = Bind::new(request.clone());
        let (clusters, elb) = (shop.world.clusters(), shop.world.load_balancers());
        let world = shop.world.clone();
        async move {
            let runner = Runner::new(&clusters, &elb, || world.now(), &verb, Options::default());
            runner.run(None, &|_| {}).await.unwrap()
        }
    };
    let (one, two) = tokio::join!(shop.run(&request, patient()), other);
    assert!(one.complete, "{one:#?}");
    assert!(matches!(outcome(&two), ItemOutcome::Applied | ItemOutcome::Unchanged), "{two:#?}");
    shop.binding();
}

#[tokio::test(start_paused = true)]
async fn health_that_cannot_come_is_not_waited_for() {
    let mut shop = Shop::new();
    let listener = shop.listener.clone();
    shop.world.load_balancers().with(|model| model.delete_listener(&listener).unwrap());
    let report = shop.bind().await;
    assert_eq!(outcome(&report), ItemOutcome::Applied, "{report:#?}");
    assert!(!report.timed_out);
    let healthy = report.items[0].goals.iter().find(|goal| goal.word == "healthy").unwrap();
    assert!(healthy.state.starts_with("0 of 2; 2 not checked: MCTG401"), "{}", healthy.state);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_fails_its_checks_is_waited_for_until_time_is_out() {
    let mut shop = Shop::new();
    shop.world.load_balancers().with(|model| {
        model.set_condition(GREEN[0], Condition::Failing);
    });
    let report = shop.bind().await;
    assert!(report.timed_out);
    let reason = report.items[0].reason.clone().unwrap();
    assert!(reason.contains(GREEN[0]), "{reason}");
}

#[tokio::test]
async fn what_would_come_of_it_is_told_before() {
    let shop = Shop::new();
    let item = shop.item(&shop.request()).await;
    let details: Vec<String> =
        item.details.iter().map(|detail| format!("{}: {}", detail.label, detail.text)).collect();
    assert_eq!(
        details,
        [
            "targets: 2 ready pods of svc/shop, port 80 (http)",
            "allow: TCP 8080 from sg-blue, as in blue",
            "after: 3 targets of 1000 allowed; share blue 100% -> 25%, green 0% -> 75%",
        ]
    );
    assert!(item.refusals().next().is_none() && item.questions().next().is_none());
}

#[tokio::test]
async fn an_exclusive_binding_of_the_group_forbids_it() {
    let shop = Shop::new();
    shop.world.cluster("blue").unwrap().with(|state| {
        let binding = state.binding_mut("web", "k8s-web-shop-1").unwrap();
        binding.spec.multi_cluster_target_group = false;
    });
    let item = shop.item(&shop.request()).await;
    let check = item.refusals().next().unwrap();
    assert_eq!(check.code, Some("MCTG101"));
    let hint = check.hint.as_deref().unwrap();
    assert_eq!(hint, "kubectl mctg enable svc/shop -n web --context blue");
}

#[tokio::test]
async fn a_service_or_port_that_is_missing_forbids_it() {
    let shop = Shop::new();
    let other = Request::new("green", "web", "till", shop.group.clone());
    assert_eq!(shop.refusals(&other).await, ["BackendNotFound"]);
    let port = Request { port: Some(PortRef::Name("https".to_owned())), ..shop.request() };
    assert_eq!(shop.refusals(&port).await, ["BackendNotFound"]);
}

#[tokio::test]
async fn a_source_that_is_not_among_the_clusters_forbids_it() {
    let shop = Shop::new();
    let nowhere = Request { groups: Groups::From("nowhere".to_owned()), ..shop.request() };
    assert_eq!(shop.refusals(&nowhere).await, ["TargetGroup"]);
}

#[tokio::test]
async fn what_the_group_takes_and_the_service_has_must_go_together() {
    let shop = Shop::new();
    let group = |new: NewGroup| {
        shop.world.load_balancers().with(|model| model.create_target_group(&new).unwrap())
    };
    let new = |name: &str| NewGroup::new(name, VPC);
    let mut request = shop.request();
    let mut refusals = async |new: NewGroup, role: Option<Role>| {
        request.groups = Groups::Arns([group(new)].into());
        request.role = role;
        request.sources = Sources::Given(vec![Peer::cidr("10.0.0.0/8")]);
        shop.refusals(&request).await
    };
    let role = Role { arn: "arn:aws:iam::222233334444:role/shop".to_owned(), external_id: None };
    assert_eq!(refusals(new("ip"), Some(role.clone())).await, [""; 0]);
    assert_eq!(refusals(new("nodes").instance(), None).await, [""; 0]);
    assert_eq!(refusals(new("roles").instance(), Some(role)).await, ["BindingMismatch"]);
    assert_eq!(refusals(new("udp").protocol("UDP"), None).await, ["BindingMismatch"]);
    shop.green.with(|state| {
        let service = state.services.get_mut("web/shop").unwrap();
        service.service.kind = crate::endpoints::ServiceType::ClusterIP;
        service.service.families = vec![crate::endpoints::AddressFamily::IPv4];
    });
    assert_eq!(refusals(new("six").ipv6(), None).await, ["BindingMismatch"]);
    let nodes = refusals(new("none").instance(), None).await;
    assert!(nodes.contains(&"BindingMismatch"), "{nodes:?}");
}

#[tokio::test]
async fn the_controller_here_must_be_alive_and_new_enough() {
    let shop = Shop::new();
    let request = shop.request();
    let with = async |change: &dyn Fn(&mut crate::sim::cluster::ClusterState)| {
        let before = shop.green.with(|state| state.clone());
        shop.green.with(|state| change(state));
        let refusals = shop.refusals(&request).await;
        shop.green.with(|state| *state = before);
        refusals
    };
    assert_eq!(with(&|state| state.controllers.clear()).await, ["ControllerAbsent"]);
    let old = |state: &mut crate::sim::cluster::ClusterState| {
        state.controllers[0].version = Some("v2.9.2".to_owned());
    };
    assert_eq!(with(&old).await, ["ControllerTooOld"]);
    assert_eq!(with(&|state| state.has_flag = false).await, ["ControllerTooOld"]);
    let down = |state: &mut crate::sim::cluster::ClusterState| {
        state.controllers[0].alive = crate::facts::Aliveness::Unknown;
        state.controllers[0].is_down = true;
    };
    assert_eq!(with(&down).await, ["ControllerNotAlive"]);
    let unserved = |state: &mut crate::sim::cluster::ClusterState| {
        state.webhook = Webhook::Unserved("its Service has no ready endpoint".to_owned());
    };
    assert_eq!(with(&unserved).await, ["WebhookServed"]);
}

#[tokio::test]
async fn an_older_type_is_written_without_what_it_lacks() {
    let shop = Shop::new();
    shop.green.with(|state| state.lacks_fields.insert("targetGroupProtocol".to_owned()));
    let item = shop.item(&shop.request()).await;
    let body = item.changes[0].body();
    assert_eq!(body["spec"].get("targetGroupProtocol"), None);
    assert_eq!(body["spec"]["targetType"], "ip");
}

#[tokio::test]
async fn a_name_that_is_taken_gets_the_groups_last_characters() {
    let shop = Shop::new();
    let other = shop.world.add_group("k8s-web-other");
    shop.green.with(|state| state.bind(&NewBinding::new("web", "shop-http", "shop", &other)));
    let item = shop.item(&shop.request()).await;
    let arn = shop.group.as_str();
    assert_eq!(item.binding, Some(format!("shop-http-{}", &arn[arn.len() - 6..])));
    let named = Request { name: Some("shop-http".to_owned()), ..shop.request() };
    assert_eq!(shop.refusals(&named).await, ["Name"]);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_from_before_is_deleted_only_where_it_was_said() {
    let mut shop = Shop::new();
    shop.green.with(|state| state.put_ledger("web", "aws-lbc-targets-shop-http", "10.0.0.11:8080"));
    assert_eq!(shop.refusals(&shop.request()).await, ["OrphanLedger"]);
    let adopted = Request { ledger: OldLedger::Adopted, ..shop.request() };
    assert_eq!(shop.refusals(&adopted).await, ["ContestedTarget"], "it names a target of blue");
    let discarded = Request { ledger: OldLedger::Discarded, ..shop.request() };
    let blocked = shop.run(&discarded, patient()).await;
    assert_eq!(outcome(&blocked), ItemOutcome::Blocked);
    let report = shop.run(&discarded, Options { yes: true, ..patient() }).await;
    assert_eq!(outcome(&report), ItemOutcome::Applied, "{report:#?}");
    assert_eq!(shop.world.registered(&shop.group).len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_adopted_ledger_takes_out_what_nobody_wants() {
    let mut shop = Shop::new();
    shop.world.load_balancers().with(|model| {
        let left = [crate::sim::elbv2::TargetRequest::new("10.0.0.99", 8080)];
        model.register_targets(shop.group.as_str(), &left).unwrap();
    });
    shop.green.with(|state| state.put_ledger("web", "aws-lbc-targets-shop-http", "10.0.0.99:8080"));
    let adopted = Request { ledger: OldLedger::Adopted, ..shop.request() };
    let item = shop.item(&adopted).await;
    assert!(item.questions().any(|check| check.name == "Ledger"), "{:#?}", item.checks);
    let report = shop.run(&adopted, Options { yes: true, ..patient() }).await;
    assert_eq!(outcome(&report), ItemOutcome::Applied, "{report:#?}");
    assert!(!shop.world.registered(&shop.group).contains(&"10.0.0.99:8080".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_binding_that_differs_is_changed_with_a_yes_only() {
    let mut shop = Shop::new();
    shop.green.with(|state| {
        state.bind(&NewBinding::new("web", "by-hand", "shop", &shop.group));
    });
    let request = shop.request();
    let item = shop.item(&request).await;
    assert_eq!(item.binding.as_deref(), Some("by-hand"));
    let differs = item.details.iter().find(|detail| detail.label == "differs").unwrap();
    assert_eq!(differs.text, "networking: nothing -> TCP 8080 from sg-blue");
    assert_eq!(outcome(&shop.bind().await), ItemOutcome::Blocked);
    assert_eq!(shop.binding().spec.networking, None);
    let report = shop.run(&request, Options { yes: true, ..patient() }).await;
    assert_eq!(outcome(&report), ItemOutcome::Applied, "{report:#?}");
    assert_eq!(shop.binding().spec.networking, Some(rule("sg-blue", 8080)));
    assert_eq!(outcome(&shop.bind().await), ItemOutcome::Unchanged);
}

#[tokio::test]
async fn rules_that_let_more_in_than_they_must_are_left() {
    let shop = Shop::new();
    let mut networking = rule("sg-mine", 8080);
    networking.ingress.extend(rule("sg-blue", 8080).ingress);
    shop.green.with(|state| {
        let mut binding = NewBinding::new("web", "by-hand", "shop", &shop.group);
        binding.spec.networking = Some(networking);
        state.bind(&binding);
    });
    assert!(!shop.item(&shop.request()).await.changes_anything());
}

#[tokio::test]
async fn a_silent_context_needs_a_yes() {
    let shop = Shop::new();
    let red = shop.world.add_cluster("red");
    let silence = crate::facts::Silence::new(crate::facts::SilenceReason::Timeout, "no answer");
    red.silence(crate::sim::cluster::Part::Everything, silence);
    let item = shop.item(&shop.request()).await;
    assert!(item.refusals().next().is_none());
    let question = item.questions().next().unwrap();
    assert!(question.message.starts_with("red was not read"), "{}", question.message);
}

#[tokio::test]
async fn an_address_of_two_clusters_forbids_it() {
    let shop = Shop::new();
    shop.green.with(|state| state.add_pod("web", "shop", "10.0.0.11"));
    assert_eq!(shop.refusals(&shop.request()).await, ["ContestedTarget"]);
}

#[tokio::test]
async fn nothing_tells_who_may_reach_the_targets() {
    let shop = Shop::new();
    shop.world.cluster("blue").unwrap().with(|state| {
        state.binding_mut("web", "k8s-web-shop-1").unwrap().spec.networking = None;
    });
    assert_eq!(shop.refusals(&shop.request()).await, ["Sources"]);
    let given =
        Request { sources: Sources::Given(vec![Peer::cidr("10.0.0.0/16")]), ..shop.request() };
    assert_eq!(shop.refusals(&given).await, [""; 0]);
    let unmanaged = Request { sources: Sources::Unmanaged, ..shop.request() };
    let item = shop.item(&unmanaged).await;
    assert_eq!(item.changes[0].body()["spec"].get("networking"), None);
    // The load balancer's own security groups do, where it has any.
    shop.world.load_balancers().with(|model| {
        model.edit_load_balancer(&shop.load_balancer, |it| {
            it.security_groups.insert("sg-front".to_owned());
        });
    });
    let item = shop.item(&shop.request()).await;
    let allow = item.details.iter().find(|detail| detail.label == "allow").unwrap();
    assert_eq!(allow.text, "TCP 8080 from sg-front, the load balancer shop's");
}

#[tokio::test]
async fn every_shared_group_of_every_service_that_is_here_too_is_bound() {
    let shop = Shop::new();
    let (till, other) = (shop.world.add_group("till"), shop.world.add_group("other"));
    let blue = shop.world.cluster("blue").unwrap();
    blue.share("web", "till", &["10.0.0.12"], &till);
    blue.share("pay", "other", &["10.0.0.13"], &other);
    shop.green.with(|state| {
        state.add_service("web", "till", 80, 8080);
        state.add_service("web", "alone", 80, 8080);
    });
    let request = Request {
        services: Services::Chosen { namespace: None, labels: LabelSelector::default() },
        groups: Groups::From("blue".to_owned()),
        sources: Sources::Unmanaged,
        ..shop.request()
    };
    let items = shop.items(&request).await;
    let named: Vec<_> = items.iter().map(|item| (item.name.as_str(), item.arn.clone())).collect();
    assert_eq!(named, [("svc/shop", Some(shop.group.clone())), ("svc/till", Some(till))]);
    assert!(items.iter().all(|item| item.refusals().next().is_none()), "{items:#?}");
}

#[tokio::test]
async fn the_port_goes_by_its_name_and_then_by_its_number() {
    let shop = Shop::new();
    let port = async |ports: &[(&str, u16)]| {
        shop.green.with(|state| {
            let service = &mut state.services.get_mut("web/shop").unwrap().service;
            let port = service.ports[0].clone();
            let of = |(name, number): &(&str, u16)| crate::endpoints::ServicePort {
                name: (*name).to_owned(),
                port: *number,
                ..port.clone()
            };
            service.ports = ports.iter().map(of).collect();
        });
        let request = Request { groups: Groups::From("blue".to_owned()), ..shop.request() };
        let item = shop.item(&request).await;
        item.changes.first().map(|change| change.body()["spec"]["serviceRef"]["port"].clone())
    };
    assert_eq!(port(&[("admin", 80), ("http", 8000)]).await, Some(8000.into()));
    assert_eq!(port(&[("admin", 9000), ("web", 80)]).await, Some(80.into()));
    assert_eq!(port(&[("admin", 9000), ("web", 8000)]).await, None);
}

#[tokio::test]
async fn eks_auto_mode_is_told_and_not_written() {
    let shop = Shop::new();
    shop.green.with(|state| state.controllers[0].flavour = Flavour::AutoMode);
    let item = shop.item(&shop.request()).await;
    let check = item.refusals().next().unwrap();
    assert_eq!((check.name, check.verdict), ("ControllerAbsent", Verdict::Refused));
    assert!(check.message.contains("EKS Auto Mode"), "{}", check.message);
}

#[tokio::test]
async fn ipv6_pods_nodes_and_another_account_are_bound_as_they_are() {
    let shop = Shop::new();
    let make = |new: NewGroup| {
        shop.world.load_balancers().with(|model| model.create_target_group(&new).unwrap())
    };
    let (six, nodes) =
        (make(NewGroup::new("six", VPC).ipv6()), make(NewGroup::new("nodes", VPC).instance()));
    shop.green.with(|state| state.add_pod("web", "shop", "2001:db8::21"));
    let with = |group: TargetGroupArn| Request {
        groups: Groups::Arns([group].into()),
        sources: Sources::Given(vec![Peer::cidr("10.0.0.0/16")]),
        ..shop.request()
    };
    let planned = async |request: &Request| {
        let item = shop.item(request).await;
        (item.changes[0].body()["spec"].clone(), item.details[0].text.clone())
    };
    let (spec, targets) = planned(&with(six)).await;
    assert_eq!(spec["ipAddressType"], "ipv6");
    assert_eq!(targets, "1 ready pod of svc/shop, port 80 (http)");
    let (spec, targets) = planned(&with(nodes)).await;
    let port = &spec["networking"]["ingress"][0]["ports"][0]["port"];
    assert_eq!((&spec["targetType"], port.as_i64()), (&"instance".into(), Some(30_001)));
    assert_eq!(targets, "3 nodes of svc/shop, node port 30001");
    let arn = "arn:aws:iam::222233334444:role/shop".to_owned();
    let role = Some(Role { arn: arn.clone(), external_id: Some("x".to_owned()) });
    let (spec, _) = planned(&Request { role, ..shop.request() }).await;
    assert_eq!(spec["iamRoleArnToAssume"], arn);
    assert_eq!(spec["assumeRoleExternalId"], "x");
    // A cluster whose type has no such fields is told so.
    shop.green.with(|state| state.lacks_fields.insert("iamRoleArnToAssume".to_owned()));
    let role = Some(Role { arn, external_id: None });
    assert_eq!(shop.refusals(&Request { role, ..shop.request() }).await, ["ControllerTooOld"]);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_does_not_follow_is_explained_after_a_minute() {
    let mut shop = Shop::new();
    // The controller looks alive and does nothing.
    let idle = shop.world.add_cluster("idle");
    let elsewhere = Worker::start(&idle, &shop.world.load_balancers(), Flags::new(VPC));
    let stuck = std::mem::replace(&mut shop.controller, elsewhere);
    let report = shop.bind().await;
    drop(stuck);
    assert!(report.timed_out);
    let reason = report.items[0].reason.clone().unwrap();
    assert!(
        reason.starts_with(
            "ledger: no aws-lbc-targets-shop-http yet; the controller has not followed"
        ),
        "{reason}"
    );
}

#[tokio::test(start_paused = true)]
async fn what_to_run_next_repeats_what_was_asked_for() {
    let mut shop = Shop::new();
    let asked = Request {
        groups: Groups::From("blue".to_owned()),
        sources: Sources::Given(vec![Peer::cidr("10.0.0.0/16"), Peer::security_group("sg-1")]),
        name: Some("mine".to_owned()),
        ..shop.request()
    };
    let report = shop.run(&asked, patient()).await;
    let next: Vec<_> =
        report.items[0].next.iter().map(|next| (next.label, next.command.as_str())).collect();
    assert_eq!(
        next,
        [
            ("next", "kubectl mctg status svc/shop -n web"),
            ("undo", "kubectl mctg unbind tgb/mine -n web --context green"),
            (
                "Git",
                "kubectl mctg bind svc/shop -n web --from blue --context green --name mine --source-cidr 10.0.0.0/16 \
                 --source-security-group sg-1 --dry-run=client -o yaml"
            ),
        ]
    );
}
