//! What is printed, for each option.

use std::ffi::OsStr;

use clap::FromArgMatches;
use mctg::permissions::{self, Run};
use mctg::sim::World;
use mctg::sim::cluster::NewBinding;

use super::*;
use crate::cli::args::{self, Cli, Verb};

fn parse(line: &str) -> (ManifestsArgs, Global) {
    let words = ["kubectl-mctg", "manifests"].into_iter().chain(line.split_whitespace());
    let matches = args::command(OsStr::new("kubectl-mctg")).try_get_matches_from(words).unwrap();
    let cli = Cli::from_arg_matches(&matches).unwrap();
    let Verb::Manifests(args) = cli.verb else { panic!("{line}") };
    (*args, cli.global)
}

/// Two bindings in `web`, one of which shares its target group with one in `shop`.
async fn subject(line: &str) -> (Subject, ManifestsArgs, Global) {
    let (args, global) = parse(line);
    if args.names.names.is_empty() {
        let subject = Subject { namespace: global.namespace.clone(), ..Subject::default() };
        return (subject, args, global);
    }
    let world = World::new("2026-01-01T00:00:00Z".parse().unwrap());
    let (web, api) = (world.add_group("web"), world.add_group("api"));
    let cluster = world.add_cluster("blue");
    cluster.with(|state| {
        state.bind(&NewBinding::new("shop", "web", "web", &web));
        state.bind(&NewBinding::new("web", "web", "web", &web));
        let mut elsewhere = NewBinding::new("web", "api", "api", &api);
        elsewhere.spec.iam_role_arn_to_assume = "arn:aws:iam::1:role/api".to_owned();
        state.bind(&elsewhere);
    });
    let mut bindings = Vec::new();
    for flavour in [Flavour::LoadBalancerController, Flavour::AutoMode] {
        bindings.extend(cluster.bindings(flavour, None).await.unwrap());
    }
    let selection = super::super::names::selection(&args.names, &global).unwrap();
    (look_up(&selection, bindings, "blue").unwrap(), args, global)
}

async fn print(line: &str) -> Vec<Document> {
    let (subject, args, global) = subject(line).await;
    let job = cron_job::cron_job("registry.example/mctg:1", &args, &global);
    documents(&subject, (!args.reader).then_some(job), &args)
}

async fn kinds(line: &str) -> Vec<String> {
    let place = |object: &Value| {
        let (kind, metadata) = (object["kind"].as_str().unwrap(), &object["metadata"]);
        let namespace = metadata["namespace"].as_str().map(|it| format!("{it}/"));
        format!("{kind} {}{}", namespace.unwrap_or_default(), metadata["name"].as_str().unwrap())
    };
    print(line).await.iter().map(|document| place(&document.object)).collect()
}

async fn arguments(line: &str) -> Vec<String> {
    let documents = print(line).await;
    let job = documents.iter().find(|it| it.object["kind"] == "CronJob").unwrap();
    let pod = &job.object["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    serde_json::from_value(pod["containers"][0]["args"].clone()).unwrap()
}

/// `resource verbs [names]` of a role's rules.
fn rules(role: &Document) -> Vec<String> {
    let words = |value: &Value| {
        let words: Vec<String> = serde_json::from_value(value.clone()).unwrap_or_default();
        words.join(",")
    };
    let rules = role.object["rules"].as_array().unwrap().iter();
    rules
        .map(|rule| {
            let names = words(&rule["resourceNames"]);
            let line = format!("{} {} {names}", words(&rule["resources"]), words(&rule["verbs"]));
            line.trim_end().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn everything_is_one_cluster_role_unless_bindings_or_a_namespace_are_named() {
    insta::assert_snapshot!(kinds("").await.join("\n"), @r"
    Namespace mctg-system
    ServiceAccount mctg-system/kubectl-mctg
    ClusterRole mctg-system:kubectl-mctg
    ClusterRoleBinding mctg-system:kubectl-mctg
    CronJob mctg-system/kubectl-mctg
    ");
    insta::assert_snapshot!(kinds("-n web --job-namespace kube-system --alerts --name x").await.join("\n"), @r"
    ServiceAccount kube-system/x
    ClusterRole kube-system:x
    ClusterRoleBinding kube-system:x
    Role web/kube-system:x
    RoleBinding web/kube-system:x
    CronJob kube-system/x
    PrometheusRule kube-system/x
    ");
    insta::assert_snapshot!(kinds("tgb/web -n web").await.join("\n"), @r"
    Namespace mctg-system
    ServiceAccount mctg-system/kubectl-mctg
    ClusterRole mctg-system:kubectl-mctg
    ClusterRoleBinding mctg-system:kubectl-mctg
    Role shop/mctg-system:kubectl-mctg
    RoleBinding shop/mctg-system:kubectl-mctg
    Role web/mctg-system:kubectl-mctg
    RoleBinding web/mctg-system:kubectl-mctg
    CronJob mctg-system/kubectl-mctg
    ");
}

#[tokio::test]
async fn what_is_named_is_written_by_name_and_what_shares_its_group_is_only_read() {
    let documents = print("tgb/web api -n web").await;
    let role = |namespace: &str| {
        let mut roles = documents.iter().filter(|it| it.object["kind"] == "Role");
        roles.find(|it| it.object["metadata"]["namespace"] == namespace).unwrap()
    };
    insta::assert_snapshot!(rules(role("web")).join("\n"), @r"
    services list
    endpointslices list
    pods get,list
    configmaps get aws-lbc-targets-api,aws-lbc-targets-web
    configmaps patch,delete aws-lbc-targets-api,aws-lbc-targets-web
    configmaps create
    targetgroupbindings get api,web
    targetgroupbindings patch api,web
    events get,create,patch
    ");
    insta::assert_snapshot!(rules(role("shop")).join("\n"), @r"
    services list
    endpointslices list
    pods get,list
    configmaps get aws-lbc-targets-web
    ");
}

#[tokio::test]
async fn a_reader_is_an_account_of_its_own_that_may_change_nothing() {
    insta::assert_snapshot!(kinds("--reader").await.join("\n"), @r"
    Namespace mctg-system
    ServiceAccount mctg-system/kubectl-mctg-reader
    ClusterRole mctg-system:kubectl-mctg-reader
    ClusterRoleBinding mctg-system:kubectl-mctg-reader
    Secret mctg-system/kubectl-mctg-reader
    ");
    for line in ["--reader", "--reader web api"] {
        for role in print(line).await.iter().filter(|it| !it.comments.is_empty()) {
            for rule in role.object["rules"].as_array().unwrap() {
                for verb in rule["verbs"].as_array().unwrap() {
                    assert!(["get", "list"].contains(&verb.as_str().unwrap()), "{rule}");
                }
            }
        }
    }
}

#[tokio::test]
async fn each_rule_says_whether_it_is_required() {
    for line in ["", "-n web", "web api", "--peers-secret peers"] {
        for role in print(line).await.iter().filter(|it| !it.comments.is_empty()) {
            assert_eq!(role.comments.len(), role.object["rules"].as_array().unwrap().len());
            for comment in &role.comments {
                let first = &comment[0];
                assert!(first.starts_with("required: ") || first.starts_with("optional: "));
            }
        }
    }
}

#[tokio::test]
async fn no_rule_escapes() {
    for (line, peers) in [("", false), ("--peers-secret peers", true)] {
        let run = Run { writes: true, events: true, several_clusters: peers, ..Run::default() };
        let documents = print(line).await;
        let role = documents.iter().find(|it| it.object["kind"] == "ClusterRole").unwrap();
        let table = permissions::of(&run).count();
        assert_eq!(role.object["rules"].as_array().unwrap().len(), table);
    }
}

#[tokio::test]
async fn the_run_gets_exactly_the_options_given() {
    insta::assert_snapshot!(arguments("").await.join(" "), @"reconcile --in-cluster --yes --wait=false --max-deregister=50% --output=jsonl");
    let line = "web api -n web -l !test --via=direct --force --allow-empty --max-deregister 3 \
                --region eu-west-1 --endpoint-url http://localhost:1 --no-assume-role --aws-qps 2 \
                --request-timeout 1m --peers-secret peers --events=false -vv";
    insta::assert_snapshot!(arguments(line).await.join(" "), @"reconcile --in-cluster --yes --wait=false --max-deregister=3 --output=jsonl --via=direct --allow-empty --force --no-assume-role --events=false --namespace=web --selector=!test --region=eu-west-1 --endpoint-url=http://localhost:1 --aws-qps=2 --request-timeout=60000ms --peers-kubeconfig=/etc/kubectl-mctg/peers/kubeconfig --verbose --verbose web api");
}

#[tokio::test]
async fn what_the_job_runs_is_a_command_line_of_this_program() {
    for line in ["", "web api -n web --via=direct --aws-qps 0.5 --peers-secret peers -v"] {
        let words = std::iter::once("kubectl-mctg".to_owned()).chain(arguments(line).await);
        let command = args::command(OsStr::new("kubectl-mctg"));
        let matches = command.try_get_matches_from(words).unwrap();
        let cli = Cli::from_arg_matches(&matches).unwrap();
        let Verb::Reconcile(reconcile) = cli.verb else { panic!("{line}") };
        assert!(reconcile.yes && !reconcile.wait && cli.global.in_cluster);
        assert!(reconcile.plan.max_deregister.is_some());
        assert_eq!(cli.global.output, Output::Jsonl);
    }
}

#[tokio::test]
async fn the_yaml_is_the_same_as_the_json() {
    for line in ["--alerts --peers-secret peers", "web api"] {
        let documents = print(line).await;
        let mut text = Vec::new();
        yaml::write(&documents, &mut text).unwrap();
        let text = String::from_utf8(text).unwrap();
        let read: Vec<Value> =
            text.split("\n---\n").map(|one| serde_saphyr::from_str(one).unwrap()).collect();
        let objects: Vec<Value> = documents.into_iter().map(|it| it.object).collect();
        assert_eq!(read, objects);
    }
}

async fn policy(line: &str) -> Value {
    let (subject, args, global) = subject(line).await;
    iam::policy(&subject, &args, &global)
}

fn statement<'a>(policy: &'a Value, sid: &str) -> Option<&'a Value> {
    policy["Statement"].as_array().unwrap().iter().find(|it| it["Sid"] == sid)
}

#[tokio::test]
async fn the_policy_changes_targets_of_the_groups_named_and_no_others() {
    let all = policy("").await;
    assert_eq!(
        statement(&all, "ChangeTargets").unwrap()["Resource"],
        json!(["arn:aws:elasticloadbalancing:*:*:targetgroup/*/*"])
    );
    let china = policy("--region cn-north-1").await;
    assert_eq!(
        statement(&china, "ChangeTargets").unwrap()["Resource"],
        json!(["arn:aws-cn:elasticloadbalancing:cn-north-1:*:targetgroup/*/*"])
    );
    let named = policy("web").await;
    let resources = statement(&named, "ChangeTargets").unwrap()["Resource"].as_array().unwrap();
    assert_eq!(resources.len(), 1);
    assert!(resources[0].as_str().unwrap().contains(":targetgroup/web/"));
    assert!(statement(&named, "AssumeRolesOfBindings").is_none());
}

#[tokio::test]
async fn a_run_that_leaves_all_to_controllers_changes_nothing_in_aws() {
    let policy = policy("--via controller").await;
    assert!(statement(&policy, "ChangeTargets").is_none());
    assert!(statement(&policy, "ReadTargetGroups").is_some());
}

#[tokio::test]
async fn a_role_that_bindings_name_is_assumed_and_does_the_rest_itself() {
    let named = policy("api").await;
    assert!(statement(&named, "ChangeTargets").is_none());
    assert_eq!(
        statement(&named, "AssumeRolesOfBindings").unwrap()["Resource"],
        json!(["arn:aws:iam::1:role/api"])
    );
    let refused = policy("api --no-assume-role").await;
    assert!(statement(&refused, "AssumeRolesOfBindings").is_none());
    assert!(statement(&refused, "ChangeTargets").is_some());
    let given = policy("--assume-role arn:aws:iam::111122223333:role/x").await;
    assert!(statement(&given, "ChangeTargets").is_some());
    assert_eq!(
        statement(&given, "AssumeRolesOfBindings").unwrap()["Resource"],
        json!(["arn:aws:iam::111122223333:role/x"])
    );
}

#[test]
fn trust_is_for_this_service_account_alone() {
    let trust = |line: &str| {
        let (args, _) = parse(line);
        iam::trust(args.trust_policy.unwrap(), &args)["Statement"][0].clone()
    };
    let pod = trust("--trust-policy pod-identity --job-namespace ops --name x");
    assert_eq!(pod["Principal"]["Service"], "pods.eks.amazonaws.com");
    let tags = &pod["Condition"]["StringEquals"];
    assert_eq!(tags["aws:RequestTag/kubernetes-namespace"], "ops");
    assert_eq!(tags["aws:RequestTag/kubernetes-service-account"], "x");
    let provider = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/1";
    let irsa = trust(&format!("--trust-policy irsa --oidc-provider {provider}"));
    assert_eq!(irsa["Principal"]["Federated"], provider);
    assert_eq!(
        irsa["Condition"]["StringEquals"]["oidc.example/id/1:sub"],
        "system:serviceaccount:mctg-system:kubectl-mctg"
    );
}

#[test]
fn a_policy_that_iam_would_refuse_is_told() {
    let short = json!({ "Statement": [] });
    assert_eq!(iam::too_long(&short), None);
    let long = json!({ "Resource": vec!["arn:aws:elasticloadbalancing"; 300] });
    assert!(iam::too_long(&long).unwrap().contains("IAM takes 6144"));
}

#[tokio::test]
async fn alerts_wait_for_three_periods_of_the_schedule() {
    for (schedule, limit) in [("@hourly", "10800"), ("@daily", "259200")] {
        let documents = print(&format!("--alerts --schedule {schedule}")).await;
        let rule = &documents.last().unwrap().object;
        assert_eq!(rule["kind"], "PrometheusRule");
        for alert in rule["spec"]["groups"][0]["rules"].as_array().unwrap() {
            assert!(alert["expr"].as_str().unwrap().ends_with(limit), "{alert:#}");
        }
    }
}

#[tokio::test]
async fn a_name_that_no_binding_has_is_a_mistake() {
    let (args, global) = parse("svc/wbe");
    let selection = super::super::names::selection(&args.names, &global).unwrap();
    let error = look_up(&selection, Vec::new(), "blue").err().unwrap();
    assert_eq!(error.exit, Exit::Usage);
}

#[test]
fn options_that_mean_nothing_in_a_pod_are_refused() {
    for line in [
        "--profile ops",
        "--observe a",
        "--peers-kubeconfig f",
        "-o wide",
        "-n A",
        "--prune-unclaimed",
    ] {
        let (args, global) = parse(line);
        assert_eq!(check(&args, &global).unwrap_err().exit, Exit::Usage, "{line}");
    }
    for line in [
        "--schedule 5m",
        "--job-namespace A",
        "--role-arn x",
        "--oidc-provider arn:aws:iam::1:role/x",
        "--trust-policy irsa",
        "--iam-policy --trust-policy pod-identity",
        "--peers-secret a/b",
        "--image -x",
        "--reader --image a",
    ] {
        let words = ["kubectl-mctg", "manifests"].into_iter().chain(line.split_whitespace());
        let parsed = args::command(OsStr::new("kubectl-mctg")).try_get_matches_from(words);
        assert_eq!(parsed.unwrap_err().exit_code(), 2, "{line}");
    }
}
