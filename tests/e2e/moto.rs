//! Every call to ELBv2, answered by moto and by our own model: what is read of both is the same.
//!
//! What only one of us could have got wrong shows as a difference. Where moto is known to answer
//! otherwise than AWS, the gap is named by its number in `facts/elbv2.md` 8, and what is compared
//! leaves it out.

use std::collections::{BTreeMap, BTreeSet};

use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use mctg::elbv2::aws::{AwsLoadBalancers, Settings};
use mctg::elbv2::{Access, LoadBalancers, Registration, Role};
use mctg::facts::{Reading, Silence, SilenceReason};
use mctg::sim::elbv2::{NewGroup, NewLoadBalancer, Operation};
use mctg::sim::world::{REGION, VPC, ZONES};
use mctg::target::{HealthState, Target, TargetDescription, TargetGroupArn};
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::elbv2::Elbv2;
use crate::support::moto::Moto;
use crate::support::objects::pod;
use crate::support::pool::pair;
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, nodes, serve, share};

/// More than one call takes, so that batches are split: `web`, `pages` and these.
const MANY: usize = 30;

/// More than moto puts on a page (50), so that markers are followed.
const RULES: u32 = 60;

const PROTECTION: &str = "deletion_protection.enabled";
const CROSS_ZONE: &str = "load_balancing.cross_zone.enabled";
const DELAY: &str = "deregistration_delay.timeout_seconds";

/// One of the two that answer, and what it calls the things of the scene.
struct Side {
    aws: AwsLoadBalancers,
    groups: BTreeMap<String, TargetGroupArn>,
    network: String,
    application: String,
    /// Whatever only this side calls so, and the name that both sides' answers are told with.
    names: Vec<(String, String)>,
}

fn adapter(config: SdkConfig, url: &str) -> AwsLoadBalancers {
    let settings = Settings { endpoint_url: Some(url.to_owned()), ..Settings::default() };
    AwsLoadBalancers::with_settings(config, settings)
}

fn config() -> SdkConfig {
    let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
    SdkConfig::builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build()
}

fn access() -> Access {
    Access { context: "blue".to_owned(), region: REGION.to_owned(), role: None }
}

fn many(n: usize) -> String {
    format!("many-{n:02}")
}

/// The scene on our own model.
fn on_the_model(elbv2: &Elbv2) -> Side {
    let mut names = vec![(VPC.to_owned(), "VPC".to_owned())];
    let (groups, network, application) = elbv2.with(|model| {
        let internal =
            NewLoadBalancer { scheme: "internal".to_owned(), ..NewLoadBalancer::new("net", VPC) };
        let network = model.create_load_balancer(&internal);
        let application =
            model.create_load_balancer(&NewLoadBalancer::new("app", VPC).application());
        let mut groups = BTreeMap::new();
        let mut group = |new: &NewGroup| {
            let arn = model.create_target_group(new).expect("the name makes an ARN");
            groups.insert(new.name.clone(), arn.clone());
            arn
        };
        let (web, spare) = (group(&NewGroup::new("web", VPC)), group(&NewGroup::new("spare", VPC)));
        let pages = group(&NewGroup::new("pages", VPC).protocol("HTTP"));
        group(&NewGroup::new("machines", VPC).instance());
        for n in 0..MANY {
            group(&NewGroup::new(&many(n), VPC));
        }
        let weights = [(&web, 3), (&spare, 0)];
        let listener = model.create_listener(&network, "TCP", 80, &weights).expect("both are new");
        names.push((listener, "listener of net".to_owned()));
        let listener = model.create_listener(&application, "HTTP", 80, &[(&pages, 1)]);
        let listener = listener.expect("the group is new");
        for n in 1..=RULES {
            let rule = model.create_rule(&listener, n, &[(&pages, n)]).expect("as the listener");
            names.push((rule, format!("rule {n}")));
        }
        names.push((listener, "listener of app".to_owned()));
        model.edit_group(&web, |web| {
            web.tags.insert("elbv2.k8s.aws/cluster".to_owned(), "<pri> & \"co\"".to_owned());
            web.attributes.insert(CROSS_ZONE.to_owned(), "true".to_owned());
        });
        model.edit_load_balancer(&network, |network| {
            network.attributes.insert(PROTECTION.to_owned(), "true".to_owned());
        });
        (groups, network, application)
    });
    Side { aws: adapter(config(), &elbv2.url()), groups, network, application, names }.named()
}

/// The same scene at moto, made by hand-written requests.
async fn at_moto(moto: &Moto) -> Side {
    let vpc = moto.make("ec2", "CreateVpc", "CidrBlock=10.0.0.0/16", "vpcId").await;
    let mut names = vec![(vpc.clone(), "VPC".to_owned())];
    let mut subnets = String::new();
    for (n, (zone, cidr)) in (1..).zip(ZONES) {
        let query = format!("VpcId={vpc}&CidrBlock={cidr}&AvailabilityZone={zone}");
        let subnet = moto.make("ec2", "CreateSubnet", &query, "subnetId").await;
        subnets += &format!("&Subnets.member.{n}={subnet}");
    }
    let balancer = async |query: &str| {
        moto.make("elbv2", "CreateLoadBalancer", &format!("{query}{subnets}"), "LoadBalancerArn")
            .await
    };
    // Its ARN says `app` (gap 18), which only names are made of.
    let network = balancer("Name=net&Type=network&Scheme=internal").await;
    let application = balancer("Name=app&Type=application&Scheme=internet-facing").await;
    let mut groups = BTreeMap::new();
    let kinds = [("web", "TCP", "ip"), ("spare", "TCP", "ip"), ("pages", "HTTP", "ip")];
    let kinds = kinds.into_iter().chain([("machines", "TCP", "instance")]);
    let kinds = kinds.map(|(name, protocol, kind)| (name.to_owned(), protocol, kind));
    for (name, protocol, kind) in kinds.chain((0..MANY).map(|n| (many(n), "TCP", "ip"))) {
        let query =
            format!("Name={name}&Protocol={protocol}&Port=80&TargetType={kind}&VpcId={vpc}");
        let arn = moto.make("elbv2", "CreateTargetGroup", &query, "TargetGroupArn").await;
        groups.insert(name, arn.parse::<TargetGroupArn>().expect("moto makes ARNs as AWS does"));
    }
    let forward = |list: &str, weights: &[(&str, u32)]| {
        let mut query = format!("&{list}.member.1.Type=forward");
        for (n, (name, weight)) in (1..).zip(weights) {
            let tuple = format!("{list}.member.1.ForwardConfig.TargetGroups.member.{n}");
            let arn = &groups[*name];
            query += &format!("&{tuple}.TargetGroupArn={arn}&{tuple}.Weight={weight}");
        }
        query
    };
    let listener = async |balancer: &str, protocol: &str, weights: &[(&str, u32)]| {
        let actions = forward("DefaultActions", weights);
        let query = format!("LoadBalancerArn={balancer}&Protocol={protocol}&Port=80{actions}");
        moto.make("elbv2", "CreateListener", &query, "ListenerArn").await
    };
    let of_net = listener(&network, "TCP", &[("web", 3), ("spare", 0)]).await;
    names.push((of_net, "listener of net".to_owned()));
    let of_app = listener(&application, "HTTP", &[("pages", 1)]).await;
    for n in 1..=RULES {
        let condition = format!(
            "Conditions.member.1.Field=path-pattern&Conditions.member.1.Values.member.1=/{n}"
        );
        let actions = forward("Actions", &[("pages", n)]);
        let query = format!("ListenerArn={of_app}&Priority={n}&{condition}{actions}");
        let rule = moto.make("elbv2", "CreateRule", &query, "RuleArn").await;
        names.push((rule, format!("rule {n}")));
    }
    names.push((of_app, "listener of app".to_owned()));
    let web = &groups["web"];
    let tag =
        "Tags.member.1.Key=elbv2.k8s.aws/cluster&Tags.member.1.Value=%3Cpri%3E%20%26%20%22co%22";
    moto.ask("elbv2", "AddTags", &format!("ResourceArns.member.1={web}&{tag}")).await;
    let attribute =
        |key: &str| format!("Attributes.member.1.Key={key}&Attributes.member.1.Value=true");
    let query = format!("TargetGroupArn={web}&{}", attribute(CROSS_ZONE));
    moto.ask("elbv2", "ModifyTargetGroupAttributes", &query).await;
    let query = format!("LoadBalancerArn={network}&{}", attribute(PROTECTION));
    moto.ask("elbv2", "ModifyLoadBalancerAttributes", &query).await;
    Side { aws: adapter(config(), &moto.url()), groups, network, application, names }.named()
}

impl Side {
    fn named(mut self) -> Self {
        for (name, arn) in &self.groups {
            self.names.push((arn.to_string(), format!("group {name}")));
        }
        self.names.push((self.network.clone(), "balancer net".to_owned()));
        self.names.push((self.application.clone(), "balancer app".to_owned()));
        self
    }

    /// A group's ARN; of a name that the scene does not have, one that leads nowhere.
    fn group(&self, name: &str) -> TargetGroupArn {
        let found = self.groups.get(name).cloned();
        found.unwrap_or_else(|| {
            let web = self.groups["web"].as_str();
            web.replace("/web/", &format!("/{name}/")).parse().expect("it is one still")
        })
    }

    fn all_groups(&self) -> BTreeSet<TargetGroupArn> {
        self.groups.values().cloned().chain([self.group("gone")]).collect()
    }

    /// What was read, in words that both sides share.
    fn told<T: Serialize>(&self, reading: &Reading<T>) -> Value {
        let told = match reading {
            Ok(read) => json!({ "read": read }),
            Err(silence) => json!({ "silent": told_silence(silence) }),
        };
        let text = self
            .names
            .iter()
            .fold(told.to_string(), |text, (theirs, ours)| text.replace(theirs.as_str(), ours));
        serde_json::from_str(&text).expect("names need no escapes")
    }

    async fn targets(&self, group: &str) -> Reading<Vec<TargetDescription>> {
        let mut listed = self.aws.targets(&access(), &self.group(group)).await?;
        listed.sort_by(|one, other| one.target.cmp(&other.target));
        for target in &mut listed {
            // Never told (gap 2).
            target.availability_zone = None;
        }
        Ok(listed)
    }

    async fn register(&self, group: &str, ids: &[&str]) -> String {
        let registrations: Vec<Registration> = ids
            .iter()
            .map(|id| Registration { target: Target::new(*id, 80), availability_zone: None })
            .collect();
        let answer = self.aws.register(&access(), &self.group(group), &registrations).await;
        answer.map_or_else(|error| error.to_string(), |()| "done".to_owned())
    }

    async fn deregister(&self, group: &str, targets: &[TargetDescription]) -> String {
        let answer = self.aws.deregister(&access(), &self.group(group), targets).await;
        answer.map_or_else(|error| error.to_string(), |()| "done".to_owned())
    }

    /// All that can be read of the scene, by what it is.
    async fn read_everything(&self) -> BTreeMap<String, Value> {
        let mut all = BTreeMap::new();
        let access = access();
        let groups = self.aws.target_groups(&access, &self.all_groups()).await;
        for (arn, group) in &groups {
            all.insert(format!("group {}", arn.name()), self.told(group));
        }
        for name in ["web", "nobody"] {
            let group = self.aws.target_group_by_name(&access, name).await;
            all.insert(format!("group by name {name}"), self.told(&group));
        }
        // Tags of a group that is gone are empty (gap 16).
        let tagged = self.groups.values().cloned().collect();
        for (arn, tags) in &self.aws.tags(&access, &tagged).await {
            all.insert(format!("tags of {}", arn.name()), self.told(tags));
        }
        for name in ["web", "machines", "gone"] {
            let attributes = self.aws.target_group_attributes(&access, &self.group(name)).await;
            // Most keys are missing or another kind's (gap 20).
            let attributes = attributes.map(|mut attributes| {
                attributes.retain(|key, _| key == DELAY || name == "web" && key == CROSS_ZONE);
                attributes
            });
            all.insert(format!("attributes of {name}"), self.told(&attributes));
            all.insert(format!("targets of {name}"), self.told(&self.targets(name).await));
        }
        let limits = self.aws.account_limits(&access, self.group("web").account()).await;
        // Another, older list (gap 22), of which this is the same.
        let limits = limits.map(|mut limits| {
            limits.retain(|name, _| name == "target-groups");
            limits
        });
        all.insert("limits".to_owned(), self.told(&limits));
        let (rest, _) = self.network.rsplit_once('/').expect("an ARN ends with its id");
        let gone = format!("{rest}/0123456789abcdef");
        for (name, arn) in [("net", &self.network), ("app", &self.application), ("gone", &gone)] {
            let described = self.aws.load_balancers(&access, &[arn.clone()].into()).await;
            let balancer = described[arn].clone().map(|mut balancer| {
                // Another form (gap 18), but there.
                assert!(balancer.dns_name.take().is_some_and(|name| name.contains(".elb.")));
                balancer
            });
            all.insert(format!("balancer {name}"), self.told(&balancer));
            let attributes = self.aws.load_balancer_attributes(&access, arn).await;
            // Only some keys (gap 21).
            let attributes = attributes.map(|mut attributes| {
                attributes.retain(|key, _| key == PROTECTION);
                attributes
            });
            all.insert(format!("attributes of {name}"), self.told(&attributes));
            let listeners = self.aws.listeners(&access, arn).await;
            all.insert(format!("listeners of {name}"), self.told(&listeners));
        }
        all
    }
}

/// Why, and the words but the server's own: both have the code, and each its own message.
fn told_silence(silence: &Silence) -> Value {
    let mut parts = silence.message.splitn(3, ": ");
    let known = [parts.next(), parts.next()];
    json!({ "reason": format!("{:?}", silence.reason), "message": known })
}

fn same(moto: &BTreeMap<String, Value>, model: &BTreeMap<String, Value>) {
    for (what, told) in moto {
        assert_eq!(Some(told), model.get(what), "{what}: moto, and the model");
    }
    assert_eq!(moto.len(), model.len());
}

/// What the adapter asks for; another one that the model knows is nobody's yet.
fn asked_by_the_adapter() -> BTreeSet<Operation> {
    let not_asked = Operation::ModifyLoadBalancerAttributes;
    Operation::ALL.into_iter().filter(|operation| *operation != not_asked).collect()
}

#[tokio::test]
async fn moto_and_the_model_answer_every_call_of_ours_alike() {
    let (moto, elbv2) = (Moto::start().await, Elbv2::start().await);
    // All those calls in one future are more than a test's stack holds.
    let (theirs, ours) = (Box::pin(at_moto(&moto)).await, on_the_model(&elbv2));
    let told = Box::pin(theirs.read_everything()).await;
    same(&told, &Box::pin(ours.read_everything()).await);
    // Not all of it is silence.
    assert_eq!(told["group web"]["read"]["load_balancer_arns"], json!(["balancer net"]));
    assert_eq!(told["group gone"]["silent"]["reason"], "NotFound");
    assert_eq!(told["balancer gone"]["silent"]["reason"], "NotFound");
    assert_eq!(told["limits"]["read"]["target-groups"], 3_000);
    assert_eq!(told["tags of web"]["read"]["elbv2.k8s.aws/cluster"], "<pri> & \"co\"");
    assert_eq!(told["attributes of net"]["read"][PROTECTION], "true");
    let forwards = told["listeners of app"]["read"][0]["forwards"].as_array().expect("a list");
    assert_eq!(forwards.len(), 1 + RULES as usize, "every page of rules is read");
    let net = &told["listeners of net"]["read"][0]["forwards"][0]["weights"];
    assert_eq!(net, &json!({ "group web": 3, "group spare": 0 }));

    for side in [&theirs, &ours] {
        let outcomes = [
            side.register("web", &["10.0.0.11", "10.0.64.12", "10.0.128.13"]).await,
            // Again: no harm.
            side.register("web", &["10.0.0.11"]).await,
        ];
        assert_eq!(outcomes, ["done", "done"]);
        let all: Vec<String> = (1..=100).map(|n| format!("10.0.1.{n}")).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(side.register("spare", &all).await, "done", "a hundred at once");
        assert_eq!(side.targets("spare").await.map(|listed| listed.len()), Ok(100));
        let listed = side.targets("web").await.expect("it is there");
        let states: Vec<_> =
            listed.iter().map(|it| (it.target.to_string(), &it.health.state)).collect();
        let healthy = ["10.0.0.11:80", "10.0.64.12:80", "10.0.128.13:80"]
            .map(|target| (target.to_owned(), &HealthState::Healthy));
        assert_eq!(BTreeMap::from_iter(states), BTreeMap::from(healthy));
        let gone = listed.iter().filter(|it| it.target.id == "10.0.64.12").cloned();
        let gone: Vec<TargetDescription> = gone.collect();
        assert_eq!(side.deregister("web", &gone).await, "done");
        let mut left = side.targets("web").await.expect("it is there");
        // Moto lets it vanish, AWS and the model let it drain (gap 7).
        left.retain(TargetDescription::is_registered);
        let left: BTreeSet<String> = left.iter().map(|it| it.target.to_string()).collect();
        assert_eq!(left, ["10.0.0.11:80", "10.0.128.13:80"].map(str::to_owned).into());
        let found =
            "failed to {} in us-east-1: TargetGroupNotFound: One or more target groups not found";
        assert_eq!(
            [
                side.register("gone", &["10.0.0.1"]).await,
                side.deregister("gone", &listed[..1]).await
            ],
            ["register 1 target in `gone`", "deregister 1 target from `gone`"]
                .map(|doing| found.replace("{}", doing))
        );
    }
    // AWS and the model take a target that is not there (gap 5): this is how a refusal would look.
    let nowhere = TargetDescription {
        target: Target::new("10.0.0.99", 80),
        ..ours.targets("web").await.expect("it is there")[0].clone()
    };
    assert_eq!(ours.deregister("web", std::slice::from_ref(&nowhere)).await, "done");
    let refused = theirs.deregister("web", &[nowhere]).await;
    assert!(refused.contains("us-east-1: InvalidTarget: "), "{refused}");

    let asked: BTreeSet<String> =
        elbv2.server().requests().into_iter().map(|request| request.action).collect();
    let expected = asked_by_the_adapter();
    assert_eq!(asked, expected.iter().map(ToString::to_string).collect());
}

/// Roles and accounts are moto's: the group is in another account, where only the role leads.
#[tokio::test]
async fn a_role_of_another_account_is_assumed_with_its_external_id() {
    let moto = Moto::start().await;
    let role = "arn:aws:iam::444455556666:role/shared";
    let query = format!("RoleArn={role}&RoleSessionName=setup");
    let there = moto.with_key(moto.make("sts", "AssumeRole", &query, "AccessKeyId").await);
    let vpc = there.make("ec2", "CreateVpc", "CidrBlock=10.0.0.0/16", "vpcId").await;
    let query = format!("Name=far&Protocol=TCP&Port=80&TargetType=ip&VpcId={vpc}");
    let arn = there.make("elbv2", "CreateTargetGroup", &query, "TargetGroupArn").await;
    let arn: TargetGroupArn = arn.parse().expect("moto makes ARNs as AWS does");
    assert_eq!(arn.account(), "444455556666");

    // STS goes by the configuration's endpoint.
    let config = config().into_builder().endpoint_url(moto.url()).build();
    let aws = adapter(config, &moto.url());
    let external_id = Some("ticket-7".to_owned());
    let with_role = Access { role: Some(Role { arn: role.to_owned(), external_id }), ..access() };
    let target = Registration { target: Target::new("10.0.0.11", 80), availability_zone: None };
    aws.register(&with_role, &arn, &[target]).await.expect("the role may");
    assert_eq!(aws.targets(&with_role, &arn).await.map(|listed| listed.len()), Ok(1));
    let without = aws.targets(&access(), &arn).await.unwrap_err();
    assert_eq!(without.reason, SilenceReason::NotFound, "{without}");

    let data = moto.data().await;
    let sessions = data["sts"]["AssumedRole"].as_array().expect("roles were assumed");
    let of = |session: &Value| {
        ["role_arn", "session_name", "external_id"]
            .map(|key| session[key].as_str().map(str::to_owned))
    };
    let expected = [role, "kubectl-mctg", "ticket-7"].map(|text| Some(text.to_owned()));
    assert!(sessions.iter().any(|session| of(session) == expected), "{sessions:#?}");
}

/// What moto answers is not ours: the plugin reads and writes it all the same.
#[tokio::test]
async fn the_plugin_reads_and_repairs_a_group_of_moto() {
    let moto = Moto::start().await;
    let vpc = moto.make("ec2", "CreateVpc", "CidrBlock=10.0.0.0/16", "vpcId").await;
    let query = format!("Name=shop&Protocol=TCP&Port=80&TargetType=ip&VpcId={vpc}");
    let arn = moto.make("elbv2", "CreateTargetGroup", &query, "TargetGroupArn").await;
    let pair = pair().await;
    let group = arn.parse().expect("moto makes ARNs as AWS does");
    nodes(&pair.blue).await;
    share(&pair.blue, &BLUE, &group).await;
    let desk = Desk::new(&pair.kubeconfig()).set("AWS_ENDPOINT_URL", moto.url());

    let status = desk.mctg("status -o json").await.ended(1).json();
    assert_eq!(status["targetGroups"][0]["name"], "shop", "{status:#}");
    desk.mctg("reconcile --yes").await.ended(0);
    serve(&pair.blue, "shop", &BLUE[..2]).await;
    pair.blue.delete(&pod("default", "shop-17", "", "")).await;
    desk.mctg("reconcile --yes").await.ended(0);
    let query = format!("TargetGroupArn={arn}");
    let health = moto.ask("elbv2", "DescribeTargetHealth", &query).await;
    for (address, registered) in BLUE.into_iter().zip([true, true, false]) {
        assert_eq!(health.contains(&format!("<Id>{address}</Id>")), registered, "{health}");
    }
    desk.mctg("diff").await.ended(0);
}
