//! The whole move on two real API servers, with all controllers: from one cluster to two, through the
//! loss of either, and back. After each step `status` agrees with the truth; law 5 holds throughout.

mod law;
pub(crate) mod world;

use std::collections::BTreeSet;

use std::time::Duration;

use serde_json::Value;

use self::world::{Kind, Side, World, agree, codes};
use crate::support::cluster::until;
use crate::support::objects::binding;

/// The security group of a load balancer that no controller made.
const FRONT: &str = "sg-00000000000000001";

/// For longer than the controller remembers targets.
const FORGOTTEN: Duration = Duration::from_secs(301);

const PRI: [&str; 3] = ["10.0.12.31", "10.0.76.84", "10.0.140.17"];
const SEC: [&str; 2] = ["10.0.79.52", "10.0.151.60"];
const AFTER: [&str; 3] = ["10.0.12.41", "10.0.76.94", "10.0.140.27"];

/// Runs a verb twice: the second run changes nothing.
async fn twice(world: &World, args: &str) {
    world.mctg(args).await;
    let before = world.snapshot().await;
    world.mctg(args).await;
    assert_eq!(world.snapshot().await, before, "{args}");
}

/// An existing Service of one cluster becomes shared, a second cluster joins, either one fails and
/// comes back, and all of it is undone.
async fn an_existing_service_is_shared_and_comes_back(kind: Kind) {
    let world = World::new(kind).await;
    let (pri, sec) = tokio::join!(Side::pri(&world), Side::sec(&world));
    pri.own(&PRI, false).await;
    let group = pri.group().await;
    agree(&world, &group, &[&pri]).await;
    world.mctg("check --pre --context *").await;

    twice(&world, &format!("enable {} -n default --context pri --yes", kind.owner())).await;
    assert_eq!(pri.binding().await["spec"]["multiClusterTargetGroup"], true);
    agree(&world, &group, &[&pri]).await;

    sec.deploy(&SEC).await;
    sec.join();
    twice(&world, "bind svc/nginx -n default --from pri --context sec --yes").await;
    let status = agree(&world, &group, &[&pri, &sec]).await;
    assert_eq!(codes(&status), BTreeSet::new(), "{status:#}");
    assert_eq!(sec.group().await, group);
    world.mctg("check --context *").await;
    assert_eq!(world.elbv2.writes(), [], "up to here AWS was only read");

    fails_over(&world, &pri, &sec).await;
    fails_over(&world, &sec, &pri).await;

    sec.leave();
    twice_unbound(&world, "sec").await;
    agree(&world, &group, &[&pri]).await;
    assert_eq!(sec.bindings().await, Vec::<Value>::new());

    world.mctg(&format!("disable {} -n default --context pri --yes", kind.owner())).await;
    assert_ne!(pri.binding().await["spec"]["multiClusterTargetGroup"], true);
    agree(&world, &group, &[&pri]).await;
    asked_only_what_the_readme_allows(&world);
}

/// The README's IAM policy is enough for the whole move.
fn asked_only_what_the_readme_allows(world: &World) {
    let readme = include_str!("../../README.md");
    let policy = readme.split("```json\n").nth(1).and_then(|text| text.split("```").next());
    let policy: Value = serde_json::from_str(policy.expect("a policy")).expect("it is JSON");
    let statements = policy["Statement"].as_array().expect("statements").iter();
    let allowed: BTreeSet<String> = statements
        .flat_map(|statement| statement["Action"].as_array().expect("actions"))
        .filter_map(|action| Some(action.as_str()?.split_once(':')?.1.to_owned()))
        .collect();
    let asked: BTreeSet<String> =
        world.elbv2.server().requests().into_iter().map(|request| request.action).collect();
    assert!(asked.is_subset(&allowed), "{asked:?} of {allowed:?}");
}

/// All pods of one cluster go and others come back.
async fn fails_over(world: &World, lost: &Side<'_>, left: &Side<'_>) {
    let group = lost.group().await;
    let (before, after) =
        if lost.context == "pri" { (&PRI[..], &AFTER[..]) } else { (&SEC[..], &SEC[..]) };
    lost.offer(&[]).await;
    let order = if lost.context == "pri" { [lost, left] } else { [left, lost] };
    let status = agree(world, &group, &order).await;
    assert!(codes(&status).contains("MCTG501"), "{status:#}");
    lost.offer(after).await;
    agree(world, &group, &order).await;
    lost.offer(before).await;
    let status = agree(world, &group, &order).await;
    assert_eq!(codes(&status), BTreeSet::new(), "{status:#}");
}

/// Unbinds the Service of a context, and finds nothing left to unbind.
async fn twice_unbound(world: &World, context: &str) {
    let args = format!("unbind svc/nginx -n default --context {context} --yes");
    world.mctg(&args).await;
    let before = world.snapshot().await;
    let again = world.desk.mctg(&args).await.ended(2);
    assert!(again.stderr.contains("is called `svc/nginx`"), "{again:?}");
    assert_eq!(world.snapshot().await, before, "{args}");
}

#[tokio::test]
async fn an_nlb_by_pods_is_shared_and_comes_back() {
    an_existing_service_is_shared_and_comes_back(Kind::NlbIp).await;
}

#[tokio::test]
async fn an_nlb_by_nodes_is_shared_and_comes_back() {
    an_existing_service_is_shared_and_comes_back(Kind::NlbInstance).await;
}

#[tokio::test]
async fn an_alb_by_pods_is_shared_and_comes_back() {
    an_existing_service_is_shared_and_comes_back(Kind::AlbIp).await;
}

#[tokio::test]
async fn an_alb_by_nodes_is_shared_and_comes_back() {
    an_existing_service_is_shared_and_comes_back(Kind::AlbInstance).await;
}

#[tokio::test]
async fn a_new_service_is_shared_from_its_first_day() {
    let world = World::new(Kind::NlbIp).await;
    let (pri, sec) = tokio::join!(Side::pri(&world), Side::sec(&world));
    pri.own(&PRI, true).await;
    let group = pri.group().await;
    agree(&world, &group, &[&pri]).await;
    // It is shared already: what is left to do is to keep it from being deleted.
    twice(&world, "enable svc/nginx -n default --context pri --yes").await;
    sec.deploy(&SEC).await;
    sec.join();
    twice(&world, "bind svc/nginx -n default --from pri --context sec --yes").await;
    let status = agree(&world, &group, &[&pri, &sec]).await;
    assert_eq!(codes(&status), BTreeSet::new(), "{status:#}");
}

#[tokio::test]
async fn a_cluster_is_replaced_by_a_new_one() {
    let world = World::new(Kind::NlbIp).await;
    // The load balancer is nobody's: neither cluster made it.
    let group = world.elbv2.group("k8s-shared-nginx");
    world.elbv2.with(|model| {
        let listed = model.describe_target_groups(&Default::default(), &Default::default());
        let load_balancer =
            model.load_balancer_arns(&listed.expect("it is there").items[0]).remove(0);
        model.edit_load_balancer(&load_balancer, |load_balancer| {
            load_balancer.security_groups = [FRONT.to_owned()].into();
        });
    });
    let (old, new) = tokio::join!(Side::pri(&world), Side::sec(&world));
    old.deploy(&PRI).await;
    old.join();
    let arn = group.as_str();
    twice(
        &world,
        &format!("bind svc/nginx -n default --target-group-arn {arn} --context pri --yes"),
    )
    .await;
    let allowed = &old.binding().await["spec"]["networking"]["ingress"][0];
    assert_eq!(allowed["from"][0]["securityGroup"]["groupID"], FRONT, "{allowed:#}");
    agree(&world, &group, &[&old]).await;
    new.deploy(&SEC).await;
    new.join();
    twice(&world, "bind svc/nginx -n default --from pri --context sec --yes").await;
    agree(&world, &group, &[&old, &new]).await;

    old.offer(&[]).await;
    agree(&world, &group, &[&old, &new]).await;
    old.leave();
    twice_unbound(&world, "pri").await;
    agree(&world, &group, &[&new]).await;
}

#[tokio::test]
async fn a_cluster_that_is_lost_for_good_leaves_nothing_behind() {
    let world = World::new(Kind::NlbIp).await;
    let (pri, mut sec) = tokio::join!(Side::pri(&world), Side::sec(&world));
    pri.own(&PRI, true).await;
    let group = pri.group().await;
    sec.deploy(&SEC).await;
    sec.join();
    world.mctg("bind svc/nginx -n default --from pri --context sec --yes").await;
    let known = agree(&world, &group, &[&pri, &sec]).await;
    world.desk.home().write("known.json", known.to_string());

    sec.standin.kill().await;
    sec.leave();
    let desk = world.desk_without_sec();
    let status = desk.mctg("status -o json").await.ended(3).json();
    assert!(codes(&status).contains("MCTG901"), "{status:#}");
    assert!(status.to_string().contains("kubectl mctg unbind --lost sec 10."), "{status:#}");
    assert_eq!(world.elbv2.registered(&group).len(), 5, "nobody assumes anything");
    let guess = desk.mctg("unbind --lost sec --context pri --dry-run").await.ended(1);
    for line in guess.stdout.lines().filter(|line| line.contains("hint: ")) {
        let named = line.split_once("kubectl mctg ").expect("a command").1;
        let plan = desk.mctg(named).await.ended(0);
        assert!(plan.stdout.contains("2 targets of sec leave"), "{plan:#?}");
    }
    assert!(guess.stdout.contains("hint: "), "{guess:#?}");
    assert_eq!(world.elbv2.registered(&group).len(), 5, "nothing tells whose they are");
    let known = world.desk.home().path().join("known.json");
    let lost = format!(
        "unbind --lost sec --target-group-arn {group} --known-from {} --context pri --yes",
        known.display()
    );
    desk.mctg(&lost).await.ended(0);
    let only_pri = desk.mctg("status -o json --context pri").await.json();
    assert_eq!(only_pri["targetGroups"][0]["bindings"][0]["registered"], 3, "{only_pri:#}");
    assert_eq!(world.elbv2.registered(&group).len(), 3);
    world.law.held();
}

#[tokio::test]
async fn without_enable_a_second_cluster_would_be_emptied_and_the_watch_would_see_it() {
    let world = World::new(Kind::NlbIp).await;
    let (pri, sec) = tokio::join!(Side::pri(&world), Side::sec(&world));
    pri.own(&PRI, false).await;
    let group = pri.group().await;
    sec.deploy(&SEC).await;
    sec.join();
    let refused = world.desk.mctg("bind svc/nginx -n default --from pri --context sec --yes").await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    let told = format!("{}{}", refused.stdout, refused.stderr);
    assert!(told.contains("kubectl mctg enable svc/nginx -n default --context pri"), "{told}");
    assert_eq!(sec.bindings().await, Vec::<Value>::new());

    // By hand nobody refuses it: the webhook looks at its own cluster alone.
    sec.cluster.put(binding("default", "nginx", group.as_str())).await;
    until("it is registered", async || world.elbv2.registered(&group).len() == 5).await;
    sec.standin.settled().await;
    world.law.held();
    pri.standin.later(FORGOTTEN);
    pri.offer(&AFTER).await;
    until("the first cluster took it out", async || world.law.broken().len() == 1).await;
    let told = world.law.broken().concat();
    assert!(told.contains("DeregisterTargets") && told.contains("10.0.79.52:80"), "{told}");
}
