//! AWS that refuses, babbles or says nothing: told with its reason, and nothing is changed.

use mctg::sim::Trouble;
use mctg::sim::elbv2::{ApiError, NewGroup, Operation};
use mctg::sim::faults::Fault;
use mctg::sim::world::VPC;
use serde_json::{Value, json};

use crate::support::objects::{binding, ledger, service, slice};
use crate::support::programs::{Desk, Finished};
use crate::support::shop::{BLUE, GREEN, Shop, targets};
use crate::support::sts::Sts;
use crate::support::trouble::GONE;

/// Checks all that holds where a group could not be read; returns what `status` said.
///
/// The four programs run at the same time: they change nothing, and most of their time they wait
/// before they try again.
async fn hides_the_group(shop: &Shop, desk: &Desk, reason: &str) -> Finished {
    let before = shop.world().await;
    let (text, document, run, diff) = tokio::join!(
        desk.mctg("status"),
        desk.mctg("status -o json"),
        desk.mctg("reconcile --all-contexts --yes"),
        desk.mctg("diff"),
    );
    text.ends(3).says("INCOMPLETE").says("AWS did not tell.").says("MCTG903 AwsUnreadable");
    text.says(reason).says("Read 2/2 contexts");
    document.ends(3);
    assert_eq!(document.json()["complete"], false);
    for (context, pods) in [("blue", BLUE.len()), ("green", GREEN.len())] {
        let row = document.row(context);
        assert_eq!((&row["desired"], &row["tracked"]), (&json!(pods), &json!(pods)), "{row:#}");
        assert_eq!((&row["registered"], &row["healthy"]), (&json!(null), &json!(null)), "{row:#}");
        assert_eq!(row["state"], "unknown", "{row:#}");
    }
    run.ends(3).says(reason);
    diff.ends(3).says("Nothing was changed. Exit 3.");
    assert_eq!(shop.world().await, before);
    text
}

/// How many programs [`hides_the_group`] runs; each asks for the group's health once.
const PROGRAMS: usize = 4;

/// How often one call is made that fails in a way that may pass (`facts/elbv2.md` 3.3).
const ATTEMPTS: usize = 4;

#[tokio::test]
async fn credentials_that_are_missing() {
    let shop = Shop::open().await;
    let desk = shop
        .machine()
        .without("AWS_ACCESS_KEY_ID")
        .without("AWS_SECRET_ACCESS_KEY")
        .without("AWS_SESSION_TOKEN");
    hides_the_group(&shop, &desk, "no AWS credentials").await.says("--profile");
    assert_eq!(shop.elbv2.server().requests(), []);
}

#[tokio::test]
async fn a_profile_that_does_not_exist() {
    let shop = Shop::open().await;
    let desk = shop.machine();
    let before = shop.world().await;
    let said = desk.mctg("status --profile prod").await;
    said.ends(3).says("the AWS profile `prod`, named by `--profile`, is not defined");
    assert_eq!(shop.world().await, before);
    assert_eq!(shop.elbv2.server().requests(), []);
    desk.mctg("status --profile bleu=prod").await.ends(2).says("did you mean blue?");
}

fn denied(action: Operation) -> ApiError {
    ApiError::access_denied("arn:aws:iam::111122223333:user/ci", action.as_str())
}

#[tokio::test]
async fn a_registration_that_is_denied_midway() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    shop.refuse(Operation::RegisterTargets, &denied(Operation::RegisterTargets));
    let desk = shop.machine();
    let run = desk.mctg("reconcile --yes").await;
    run.ends(3).says("Not all done").says("elasticloadbalancing:RegisterTargets");
    // The other half of the plan does not wait for it, and nothing is lost.
    let after = shop.elbv2.registered(&shop.group);
    assert!(!after.contains(&"10.0.12.31:80".to_owned()), "{after:?}");
    for kept in ["10.0.76.84:80", "10.0.151.60:80", &format!("{}:80", GONE[1])] {
        assert!(after.contains(&kept.to_owned()), "{kept}: {after:?}");
    }
    let tracked = text_of(&shop.pair.blue.get(&ledger("default", "shop", "")).await);
    assert!(tracked.contains("10.0.12.31:80"), "what was to be registered is tracked: {tracked}");
}

#[tokio::test]
async fn a_deregistration_that_is_denied_leaves_the_target_tracked() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    shop.refuse(Operation::DeregisterTargets, &denied(Operation::DeregisterTargets));
    let run = shop.machine().mctg("reconcile --yes").await;
    run.ends(3).says("1 registered, 0 deregistered").says("elasticloadbalancing:DeregisterTargets");
    let tracked = text_of(&shop.pair.blue.get(&ledger("default", "shop", "")).await);
    assert!(tracked.contains(&format!("{}:80", GONE[0])), "{tracked}");
    assert!(shop.elbv2.registered(&shop.group).contains(&format!("{}:80", GONE[0])));
}

fn text_of(ledger: &Option<Value>) -> String {
    let ledger = ledger.as_ref().expect("the ledger is there");
    ledger["data"]["targets"].as_str().expect("it has targets").to_owned()
}

/// Binds another Service in blue to a group that is bad in some way; `shop` must be told in full.
async fn beside_a_good_binding(spec: Value, reason: &str, reconciled: &str) -> Finished {
    let shop = Shop::open().await;
    let mut other = binding("default", "other", "");
    other["spec"]["targetGroupARN"] = json!(null);
    for (key, value) in spec.as_object().expect("parts of a spec") {
        other["spec"][key] = value.clone();
    }
    let entries = other["spec"].as_object_mut().expect("it is one");
    entries.retain(|_, value| !value.is_null());
    for manifest in [
        service("default", "other", "ClusterIP"),
        slice("default", "other", &[]),
        ledger("default", "other", "10.0.12.55:80"),
        other,
    ] {
        shop.pair.blue.put(manifest).await;
    }
    let before = shop.world().await;
    let other_before = shop.pair.blue.get(&ledger("default", "other", "")).await;
    let desk = shop.machine();
    let text = desk.mctg("status").await;
    text.ends(3).says(reason);
    let document = desk.mctg("status -o json").await;
    document.ends(3).tells_all_of("blue");
    document.tells_all_of("green");
    let run = desk.mctg("reconcile --yes").await;
    run.ends(3).says(reconciled);
    let run = desk.mctg("reconcile --yes -o json").await;
    run.ends(3);
    assert_eq!(run.row("blue")["outcome"], "inSync", "{run:#?}");
    assert_eq!(run.row_of("blue", "other")["outcome"], "failed", "{run:#?}");
    assert_eq!(shop.world().await, before);
    assert_eq!(shop.pair.blue.get(&ledger("default", "other", "")).await, other_before);
    // The good one alone is fine.
    desk.mctg("reconcile tgb/shop --yes").await.ends(0);
    text
}

#[tokio::test]
async fn an_arn_that_is_none() {
    let said = beside_a_good_binding(
        json!({ "targetGroupARN": "arn:aws:elasticloadbalancing:us-east-1" }),
        "arn:aws:elasticloadbalancing:us-east-1",
        "its target group is not known",
    );
    said.await;
}

#[tokio::test]
async fn an_arn_of_another_region() {
    let arn =
        "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/far/0123456789abcdef";
    beside_a_good_binding(json!({ "targetGroupARN": arn }), "far", "target group").await;
}

#[tokio::test]
async fn an_arn_of_another_account() {
    let arn =
        "arn:aws:elasticloadbalancing:us-east-1:999999999999:targetgroup/far/0123456789abcdef";
    let shop = Shop::open().await;
    let mut other = binding("default", "other", arn);
    other["spec"]["serviceRef"]["name"] = json!("shop");
    shop.pair.blue.put(other).await;
    let said = shop.machine().mctg("status").await;
    said.says("far");
    assert!(matches!(said.code, Some(1 | 3)), "{said:#?}");
}

#[tokio::test]
async fn a_group_by_a_name_that_does_not_resolve() {
    let said = beside_a_good_binding(
        json!({ "targetGroupName": "nowhere" }),
        "failed to describe the target group `nowhere`",
        "its target group is not known",
    );
    said.await.says("TargetGroupNotFound");
}

#[tokio::test]
async fn a_group_by_a_name_that_does_resolve_is_as_good_as_an_arn() {
    let shop = Shop::open().await;
    let mut named = binding("default", "shop", "");
    named["spec"]["targetGroupARN"] = json!(null);
    named["spec"]["targetGroupName"] = json!("k8s-default-shop");
    named["spec"].as_object_mut().expect("it is one").retain(|_, value| !value.is_null());
    shop.pair.green.delete(&named).await;
    shop.pair.green.put(named).await;
    let document = shop.machine().mctg("status -o json").await;
    document.ends(0).tells_all_of("blue");
    document.tells_all_of("green");
    shop.drift_in_both().await;
    let run = shop.machine().mctg("reconcile --all-contexts --yes").await;
    run.ends(0).says("2 registered, 2 deregistered");
    assert_eq!(shop.elbv2.registered(&shop.group), targets(BLUE.into_iter().chain(GREEN)));
}

#[tokio::test]
async fn a_group_that_is_gone() {
    let shop = Shop::open().await;
    let gone = shop.elbv2.with(|model| {
        let group = model.create_target_group(&NewGroup::new("gone", VPC)).expect("a fine name");
        model.delete_target_group(&group).expect("nothing uses it");
        group
    });
    for manifest in [
        service("default", "other", "ClusterIP"),
        slice("default", "other", &[]),
        ledger("default", "other", "10.0.12.55:80"),
        binding("default", "other", gone.as_str()),
    ] {
        shop.pair.blue.put(manifest).await;
    }
    let before = shop.world().await;
    let desk = shop.machine();
    desk.mctg("status").await.ends(1).says("MCTG207 TargetGroupGone").says("Exit 1.");
    let document = desk.mctg("status -o json").await;
    document.ends(1).tells_all_of("blue");
    document.tells_all_of("green");
    assert_eq!(document.row_of("blue", "other")["state"], "failing");
    let run = desk.mctg("reconcile --yes").await;
    run.ends(3).says("its target group does not exist any more");
    assert_eq!(shop.world().await, before);
}

#[tokio::test]
async fn a_role_that_is_refused() {
    let shop = Shop::open().await;
    let group = shop.elbv2.group("other");
    let mut other = binding("default", "other", group.as_str());
    other["spec"]["iamRoleArnToAssume"] = json!("arn:aws:iam::111122223333:role/shop");
    for manifest in [
        service("default", "other", "ClusterIP"),
        slice("default", "other", &[]),
        ledger("default", "other", "10.0.12.55:80"),
        other,
    ] {
        shop.pair.blue.put(manifest).await;
    }
    let before = shop.world().await;
    let sts = Sts::strict().await;
    let desk = shop.machine().set("AWS_ENDPOINT_URL_STS", sts.url());
    let text = desk.mctg("status").await;
    text.ends(3).says("the role `arn:aws:iam::111122223333:role/shop`: AccessDenied: User: ");
    text.says("sts:AssumeRole").says("That hides everything of other.");
    let document = desk.mctg("status -o json").await;
    document.ends(3).tells_all_of("blue");
    document.tells_all_of("green");
    desk.mctg("reconcile --yes").await.ends(3).says("its target group could not be read");
    assert_eq!(shop.world().await, before);
    let without = desk.mctg("status --no-assume-role").await;
    assert!(matches!(without.code, Some(0 | 1)), "{without:#?}");
}

/// Every way in which ELBv2 can fail to tell, how often it is asked, and what is told of it.
#[tokio::test]
async fn what_may_pass_is_tried_four_times_and_what_will_not_once() {
    let refused = |status, code, message| Trouble::Refused(ApiError::new(status, code, message));
    let denied = Trouble::Refused(denied(Operation::DescribeTargetHealth));
    let health = "The health of the specified targets could not be retrieved";
    let cases = [
        (refused(400, "Throttling", "Rate exceeded"), ATTEMPTS, "Throttling: Rate exceeded"),
        (refused(400, "ThrottlingException", "Slow"), ATTEMPTS, "ThrottlingException: Slow"),
        (refused(429, "TooManyRequestsException", "Slow"), ATTEMPTS, "TooManyRequestsException: "),
        (refused(500, "InternalFailure", "Oops"), ATTEMPTS, "InternalFailure: Oops"),
        (refused(500, "HealthUnavailable", health), ATTEMPTS, "HealthUnavailable: The health"),
        (refused(503, "ServiceUnavailable", "Later"), ATTEMPTS, "ServiceUnavailable: Later"),
        (Trouble::Closed, ATTEMPTS, "no answer from ELBv2: connection closed"),
        (refused(400, "ValidationError", "No such thing"), 1, "ValidationError: No such thing"),
        (refused(400, "NobodyKnowsThisCode", "Odd"), 1, "NobodyKnowsThisCode: Odd"),
        (Trouble::Garbage, 1, "is not one of ELBv2"),
        // Once with the credentials of each context that binds the group.
        (denied, 2, "is not authorized to perform: elasticloadbalancing:DescribeTargetHealth"),
    ];
    let shop = Shop::open().await;
    let (desk, server) = (shop.machine(), shop.elbv2.server());
    for (trouble, attempts, reason) in cases {
        server.clear_requests();
        shop.trouble(Operation::DescribeTargetHealth, &trouble);
        let said = hides_the_group(&shop, &desk, reason).await;
        said.says("That hides the targets of k8s-default-shop.");
        let asked = server.count(Operation::DescribeTargetHealth);
        assert_eq!(asked, attempts * PROGRAMS, "{trouble:?}");
        shop.elbv2.forget_faults();
    }
    desk.mctg("status").await.ends(0);
}

#[tokio::test]
async fn credentials_that_are_of_no_use() {
    let renew = "renew the credentials (log in again)";
    let shop = Shop::open().await;
    for (code, message, hint) in [
        ("ExpiredToken", "The security token included in the request is expired", renew),
        ("InvalidClientTokenId", "The security token included in the request is invalid", "; the "),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", "; the "),
        // What AWS says where the clock here is wrong.
        ("RequestExpired", "Request has expired", ""),
    ] {
        for operation in Operation::ALL {
            shop.refuse(operation, &ApiError::new(403, code, message));
        }
        let said = hides_the_group(&shop, &shop.machine(), &format!("{code}: {message}")).await;
        said.says(hint);
        shop.elbv2.forget_faults();
    }
}

/// `--request-timeout` bounds an attempt, and three times that all attempts of a call: with the
/// default this would take half a minute.
#[tokio::test]
async fn an_aws_that_says_nothing_costs_time_and_nothing_else() {
    let shop = Shop::open().await;
    shop.trouble(Operation::DescribeTargetHealth, &Trouble::Silent);
    let before = shop.world().await;
    let said = shop.machine().mctg("status --request-timeout 500ms").await;
    said.ends(3).says("ELBv2 did not answer within").says("MCTG903 AwsUnreadable");
    let asked = shop.elbv2.server().count(Operation::DescribeTargetHealth);
    assert!((1..=ATTEMPTS).contains(&asked), "asked {asked} times");
    assert_eq!(shop.world().await, before);
}

/// The same on the way in: what is registered may be, or may not be, and is in a ledger first.
#[tokio::test]
async fn changes_that_run_into_trouble_lose_nothing_and_leak_nothing() {
    let refused = |status, code, message| Trouble::Refused(ApiError::new(status, code, message));
    let shop = Shop::open().await;
    let (desk, server) = (shop.machine(), shop.elbv2.server());
    for operation in [Operation::RegisterTargets, Operation::DeregisterTargets] {
        for (trouble, attempts) in [
            (refused(400, "Throttling", "Rate exceeded"), ATTEMPTS),
            (refused(500, "InternalFailure", "Oops"), ATTEMPTS),
            (Trouble::Closed, ATTEMPTS),
            (refused(400, "ValidationError", "'shop' is not a valid target group ARN"), 1),
            (Trouble::Garbage, 1),
        ] {
            let what = format!("{operation}: {trouble:?}");
            shop.drift_in_both().await;
            server.clear_requests();
            shop.trouble(operation, &trouble);
            let run = desk.mctg("reconcile --yes").await;
            run.ends(3).says("Not all done");
            assert_eq!(server.count(operation), attempts, "{what}");
            shop.elbv2.forget_faults();
            let after = shop.registered();
            for kept in targets(BLUE[1..].iter().chain(&GREEN[1..]).copied()) {
                assert!(after.contains(&kept), "{what}: {kept} is lost: {after:?}");
            }
            let tracked = text_of(&shop.pair.blue.get(&ledger("default", "shop", "")).await);
            for target in targets(BLUE) {
                assert!(tracked.contains(&target), "{what}: {target} leaks: {tracked}");
            }
            let kept = after.contains(&format!("{}:80", GONE[0]));
            assert_eq!(kept, operation == Operation::DeregisterTargets, "{what}: {after:?}");
            assert_eq!(kept, tracked.contains(GONE[0]), "{what}: {tracked}");
            desk.mctg("reconcile --all-contexts --yes").await.ends(0);
            shop.elbv2.drain();
            assert_eq!(shop.registered(), targets(BLUE.into_iter().chain(GREEN)), "{what}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_was_throttled_comes_the_next_time() {
    let shop = Shop::open().await;
    let throttled = || Fault::before(Trouble::Refused(ApiError::throttling()));
    shop.elbv2.server().fail_next(Operation::DescribeTargetHealth, throttled());
    shop.elbv2.server().fail_next(Operation::DescribeTargetGroups, throttled());
    shop.elbv2.server().fail_next(Operation::DescribeTags, throttled());
    let document = shop.machine().mctg("status -o json").await;
    document.ends(0).tells_all_of("blue");
    document.tells_all_of("green");
}

#[tokio::test]
async fn an_endpoint_where_nobody_listens() {
    let shop = Shop::open().await;
    let desk = shop.machine().set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    hides_the_group(&shop, &desk, "no answer from ELBv2: ").await.says("refused");
}

#[tokio::test]
async fn an_endpoint_that_is_no_url() {
    let shop = Shop::open().await;
    let before = shop.world().await;
    let said = shop.machine().mctg("status --endpoint-url nonsense").await;
    said.says("endpoint");
    assert!(matches!(said.code, Some(2 | 3)), "{said:#?}");
    assert_eq!(shop.world().await, before);
}

#[tokio::test]
async fn tags_that_may_not_be_read_hide_no_target() {
    let shop = Shop::open().await;
    shop.refuse(Operation::DescribeTags, &denied(Operation::DescribeTags));
    let document = shop.machine().mctg("status -o json").await;
    document.ends(3).tells_all_of("blue");
    document.tells_all_of("green");
}
