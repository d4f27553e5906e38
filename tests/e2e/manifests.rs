//! What `manifests` prints is what it takes to run in a cluster: it applies as it is, it is admitted
//! where Pod Security is restricted, and every rule of it is needed for what it says.

use mctg::permissions::{self, Need, Permission, Place, Run};
use mctg::plan::ViaChoice;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::nudge::{FORGOTTEN, GONE};
use crate::support::cluster::{Cluster, until};
use crate::support::kubeconfig::Kubeconfig;
use crate::support::objects::{binding, ledger, pod, service, slice};
use crate::support::pod;
use crate::support::programs::Desk;
use crate::support::shop::{BLUE, LOST, Shop, cron_job, node_of, targets};

const IMAGE: &str = "--image registry.example/mctg:1";
const ACCOUNT: &str = "system:serviceaccount:mctg-system:kubectl-mctg";

/// A target that blue tracks, and whose pod is gone.
const STALE: &str = "10.0.12.99:80";

/// Everything that a run may meet: a target that is lost, one that is stale, a pod that is not
/// ready, a binding without a ledger, and one that is being deleted.
struct Trouble {
    shop: Shop,
    fresh: mctg::target::TargetGroupArn,
}

impl Trouble {
    async fn open() -> Self {
        let shop = Shop::open().await;
        let fresh = shop.elbv2.group("k8s-default-fresh");
        let trouble = Self { shop, fresh };
        let blue = &trouble.shop.pair.blue;
        let mut slow = pod("default", "shop-slow", "10.0.12.50", node_of("10.0.12.50"));
        for condition in slow["status"]["conditions"].as_array_mut().expect("it has conditions") {
            if condition["type"] == "Ready" || condition["type"] == "ContainersReady" {
                condition["status"] = json!("False");
            }
        }
        blue.put(slow.clone()).await;
        let pods: Vec<Value> = BLUE
            .iter()
            .map(|it| {
                let last = it.rsplit('.').next().unwrap_or_default();
                pod("default", &format!("shop-{last}"), it, node_of(it))
            })
            .chain([slow])
            .collect();
        let mut slice_of_shop = slice("default", "shop", &pods);
        slice_of_shop["endpoints"][3]["conditions"] = json!({ "ready": false, "serving": false });
        blue.put(slice_of_shop).await;
        blue.put(service("default", "fresh", "ClusterIP")).await;
        let new = pod("default", "fresh-1", "10.0.12.60", node_of("10.0.12.60"));
        blue.put(new.clone()).await;
        blue.put(slice("default", "fresh", &[new])).await;
        blue.put(binding("default", "fresh", trouble.fresh.as_str())).await;
        trouble.renew().await;
        trouble
    }

    /// Makes all of it as it was before a run.
    async fn renew(&self) {
        let (blue, elbv2, group) = (&self.shop.pair.blue, &self.shop.elbv2, &self.shop.group);
        elbv2.lose(group, &[LOST]);
        elbv2.register(group, &[STALE]);
        let tracked: Vec<String> = targets(BLUE).into_iter().chain([STALE.to_owned()]).collect();
        blue.put(ledger("default", "shop", &tracked.join(","))).await;
        elbv2.lose(&self.fresh, &["10.0.12.60:80"]);
        let none = ledger("default", "fresh", "");
        if blue.get(&none).await.is_some() {
            blue.delete(&none).await;
        }
        // Of the events some stay, to be counted, and some are new.
        let events: Value = get(blue, "/api/v1/namespaces/default/events").await;
        for event in events["items"].as_array().expect("a list") {
            if event["reason"] == "Registered" {
                blue.delete(&json!({
                    "apiVersion": "v1",
                    "kind": "Event",
                    "metadata": event["metadata"],
                }))
                .await;
            }
        }
        let mut gone = binding("default", "gone", group.as_str());
        gone["metadata"]["finalizers"] = json!(["elbv2.k8s.aws/resources"]);
        blue.put(ledger("default", "gone", "10.0.12.250:80")).await;
        if blue.get(&gone).await.is_none() {
            blue.put(gone.clone()).await;
            blue.delete(&gone).await;
        }
    }

    /// Says whether a run did all there is to do.
    async fn is_over(&self) -> bool {
        let registered = self.shop.registered();
        let blue = &self.shop.pair.blue;
        let of_shop = blue.get(&ledger("default", "shop", "")).await.expect("it is there");
        let tracked = of_shop["data"]["targets"].as_str().unwrap_or_default();
        registered.contains(&LOST.to_owned())
            && !registered.contains(&STALE.to_owned())
            && !tracked.split(',').any(|it| it == STALE)
            && self.shop.elbv2.registered(&self.fresh) == ["10.0.12.60:80"]
            && blue.get(&ledger("default", "fresh", "")).await.is_some()
            && blue.get(&ledger("default", "gone", "")).await.is_none()
            && blue.get(&binding("default", "gone", "")).await.is_none()
    }
}

/// The manifests for some options, as objects.
async fn printed(desk: &Desk, options: &str) -> Vec<Value> {
    let list = desk.mctg(&format!("manifests {IMAGE} -o json {options}")).await.ended(0).json();
    list["items"].as_array().expect("it is a List").clone()
}

/// A rule of a printed role, with one verb.
#[derive(Clone, Debug)]
struct Granted {
    /// The role it stands in.
    role: usize,
    rule: Value,
    verb: String,
    permission: &'static Permission,
}

impl Granted {
    fn resource(&self) -> (&'static str, &'static str) {
        (self.permission.group, self.permission.resource)
    }

    /// What the API server says where it is not granted.
    fn refusal(&self) -> String {
        let (group, resource) = self.resource();
        format!("cannot {} resource \"{resource}\" in API group \"{group}\"", self.verb)
    }
}

/// The ServiceAccount of the manifests, with just the rules that a test leaves it.
struct Account {
    roles: Vec<Value>,
    rules: Vec<Granted>,
    /// What the server knows that it may do.
    granted: Mutex<Vec<Granted>>,
    desk: Desk,
}

impl Account {
    /// Applies what is printed, and becomes its ServiceAccount.
    async fn of(shop: &Shop, options: &str) -> Self {
        let blue = &shop.pair.blue;
        let mut roles = Vec::new();
        for object in printed(&shop.desk, options).await {
            blue.put(object.clone()).await;
            if object["kind"] == "Role" || object["kind"] == "ClusterRole" {
                roles.push(object);
            }
        }
        let rules = rules_of(&roles);
        let access = blue.admin().with_token(&token(blue, "kubectl-mctg").await);
        let desk = Desk::new(&Kubeconfig::default().with("blue", access)).with_elbv2(&shop.elbv2);
        Kubeconfig::default().with("green", shop.pair.green.admin()).write(desk.home(), "peers");
        let account = Self { roles, rules, granted: Mutex::default(), desk };
        account.grant(blue, &account.rules).await;
        account
    }

    fn rules(&self, need: Need) -> Vec<Granted> {
        self.rules.iter().filter(|it| it.permission.need == need).cloned().collect()
    }

    /// Grants just these, and waits until the server knows.
    async fn grant(&self, cluster: &Cluster, granted: &[Granted]) {
        for (index, role) in self.roles.iter().enumerate() {
            let mut role = role.clone();
            let of_role = granted.iter().filter(|it| it.role == index);
            role["rules"] = of_role
                .map(|it| {
                    let mut rule = it.rule.clone();
                    rule["verbs"] = json!([it.verb]);
                    rule
                })
                .collect();
            cluster.put(role).await;
        }
        let mut before = self.granted.lock().await;
        for it in &self.rules {
            let same = |other: &Granted| {
                let place = self.roles[other.role]["metadata"]["namespace"] == json!(null)
                    || other.role == it.role;
                place && other.resource() == it.resource() && other.verb == it.verb
            };
            let expected = granted.iter().any(same);
            if before.iter().any(same) == expected {
                continue;
            }
            let namespace = &self.roles[it.role]["metadata"]["namespace"];
            until("the server knows the roles", async || {
                may(cluster, it, namespace).await == expected
            })
            .await;
        }
        *before = granted.to_vec();
    }
}

fn rules_of(roles: &[Value]) -> Vec<Granted> {
    let run = Run {
        writes: true,
        change: None,
        events: true,
        several_clusters: true,
        via: ViaChoice::Auto,
        namespaced: roles.iter().any(|role| role["kind"] == "Role"),
        ..Run::default()
    };
    let mut rules = Vec::new();
    for (index, role) in roles.iter().enumerate() {
        for rule in role["rules"].as_array().expect("a role has rules") {
            for verb in rule["verbs"].as_array().expect("a rule has verbs") {
                let verb = verb.as_str().expect("a word").to_owned();
                let fits = |it: &&Permission| {
                    let place = match role["kind"] == "Role" {
                        true => it.place == Place::Namespace,
                        false => !run.namespaced || it.place == Place::Cluster,
                    };
                    place
                        && rule["apiGroups"] == json!([it.group])
                        && rule["resources"] == json!([it.resource])
                        && it.verbs.contains(&verb.as_str())
                };
                let mut permissions = permissions::of(&run).filter(fits);
                let (Some(permission), None) = (permissions.next(), permissions.next()) else {
                    panic!("one rule of the table: {rule}");
                };
                rules.push(Granted { role: index, rule: rule.clone(), verb, permission });
            }
        }
    }
    rules
}

/// A token as the kubelet would mount it.
async fn token(cluster: &Cluster, account: &str) -> String {
    let path = format!("/api/v1/namespaces/mctg-system/serviceaccounts/{account}/token");
    let body = json!({
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": { "expirationSeconds": 3600 },
    });
    let answer = post(cluster, &path, &body).await;
    answer["status"]["token"].as_str().expect("it is given out").to_owned()
}

async fn may(cluster: &Cluster, it: &Granted, namespace: &Value) -> bool {
    let (group, resource) = it.resource();
    let groups = ["serviceaccounts", "serviceaccounts:mctg-system", "authenticated"];
    let body = json!({
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": ACCOUNT,
            "groups": groups.map(|group| format!("system:{group}")),
            "resourceAttributes": {
                "namespace": namespace,
                "group": group,
                "resource": resource,
                "verb": it.verb,
                "name": it.rule["resourceNames"][0],
            },
        },
    });
    let path = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
    post(cluster, path, &body).await["status"]["allowed"] == json!(true)
}

async fn get(cluster: &Cluster, path: &str) -> Value {
    let request = http::Request::get(path).body(Vec::new()).expect("a fine request");
    cluster.client().request(request).await.expect("the administrator may read")
}

async fn post(cluster: &Cluster, path: &str, body: &Value) -> Value {
    let request = http::Request::post(path)
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .expect("a fine request");
    cluster.client().request(request).await.expect("the administrator may ask")
}

/// Every text in a document.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => fields.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// Takes away one rule after the other.
async fn every_rule_is_needed(options: &str, run: &str) {
    let trouble = Trouble::open().await;
    let blue = &trouble.shop.pair.blue;
    let account = Account::of(&trouble.shop, options).await;
    let run =
        format!("reconcile --yes --wait=false --events --peers-kubeconfig peers -o json {run}");

    // All of them: nothing is missed.
    let done = account.desk.mctg(&run).await.ended(0);
    assert!(!done.stderr.contains("warning:"), "{done:#?}");
    assert!(trouble.is_over().await, "{done:#?}");

    // Without one that is optional: it warns, names it and goes on.
    let all = account.rules.clone();
    for without in account.rules(Need::Optional) {
        let rest: Vec<Granted> = all
            .iter()
            .filter(|it| it.permission != without.permission || it.verb != without.verb)
            .cloned()
            .collect();
        account.grant(blue, &rest).await;
        trouble.renew().await;
        let done = account.desk.mctg(&run).await.ended(0);
        let warning = done.stderr.lines().find(|line| line.contains(&without.refusal()));
        assert!(warning.is_some_and(|it| it.starts_with("warning: ")), "{without:?} {done:#?}");
        assert!(trouble.is_over().await, "{without:?} {done:#?}");
    }

    // What is required is enough.
    let required = account.rules(Need::Required);
    account.grant(blue, &required).await;
    trouble.renew().await;
    let done = account.desk.mctg(&run).await.ended(0);
    assert!(trouble.is_over().await, "{done:#?}");

    // Without one of those: it fails, and says which.
    for without in &required {
        let rest: Vec<Granted> = required
            .iter()
            .filter(|it| it.permission != without.permission || it.verb != without.verb)
            .cloned()
            .collect();
        account.grant(blue, &rest).await;
        trouble.renew().await;
        let failed = account.desk.mctg(&run).await.ended(3);
        let report = failed.json();
        let told = texts(&report).iter().any(|text| text.contains(&without.refusal()));
        assert!(told, "{}: {failed:#?}", without.refusal());
        assert!(!trouble.is_over().await, "{without:?}");
    }
}

#[tokio::test]
async fn every_rule_for_all_namespaces_is_needed() {
    every_rule_is_needed("--peers-secret peers", "").await;
}

#[tokio::test]
async fn every_rule_for_named_bindings_is_needed() {
    let named = "tgb/shop tgb/fresh tgb/gone -n default";
    every_rule_is_needed(&format!("--peers-secret peers {named}"), named).await;
}

#[tokio::test]
async fn a_nudge_needs_the_patch_of_bindings_and_says_so_where_that_is_missing() {
    let shop = Shop::open().await;
    let standin = shop.served().await;
    shop.leave_stale(&standin).await;
    standin.later(FORGOTTEN);
    let account = Account::of(&shop, "--peers-secret peers").await;
    let required = account.rules(Need::Required);
    let is_patch =
        |it: &Granted| it.permission.resource == "targetgroupbindings" && it.verb == "patch";
    let (patch, rest): (Vec<Granted>, Vec<Granted>) = required.iter().cloned().partition(is_patch);
    let [patch] = patch.as_slice() else { panic!("one rule: {patch:?}") };
    account.grant(&shop.pair.blue, &rest).await;
    let wrote = standin.writes();
    let run = "reconcile --yes --wait=false --peers-kubeconfig peers -o json";
    let failed = account.desk.mctg(run).await.ended(3);
    let report = failed.json();
    let step = &report["bindings"][0]["steps"][0];
    assert_eq!(
        (&step["action"], &step["result"]),
        (&json!("nudge"), &json!("failed")),
        "{report:#}"
    );
    let told = step["error"].as_str().unwrap_or_default();
    assert!(told.contains(&patch.refusal()), "{told}");
    standin.settled().await;
    assert_eq!(standin.writes(), wrote);
    assert!(shop.registered().contains(&GONE.to_owned()));

    account.grant(&shop.pair.blue, &required).await;
    account.desk.mctg(run).await.ended(0);
    standin.settled().await;
    assert!(!shop.registered().contains(&GONE.to_owned()));
}

#[tokio::test]
async fn with_what_is_printed_every_option_works() {
    let trouble = Trouble::open().await;
    for (options, choice) in
        [("", ""), ("-n default", "-n default"), ("svc/shop fresh gone", "svc/shop fresh gone")]
    {
        trouble.renew().await;
        let account = Account::of(&trouble.shop, &format!("--peers-secret peers {options}")).await;
        for verb in [
            "status",
            "status --all --deep",
            "status --peers-kubeconfig peers",
            "diff",
            "diff --via direct",
            "diff --via controller",
            "diff --peers-kubeconfig peers --allow-empty",
            "reconcile --dry-run",
            "reconcile --yes --max-deregister=50%",
            "reconcile --yes --wait=false --via direct --force --allow-empty -l !x",
            "reconcile --yes --events --timeout 1m",
            "reconcile --yes --no-assume-role --request-timeout 20s --aws-qps 50",
        ] {
            trouble.renew().await;
            let run = account.desk.mctg(&format!("{verb} -o json {choice}")).await;
            assert!(run.code == Some(0) || run.code == Some(1), "{options}: {verb}: {run:#?}");
            assert_eq!(run.json()["complete"], json!(true), "{options}: {verb}: {run:#?}");
            assert!(!run.stderr.contains("warning:"), "{options}: {verb}: {run:#?}");
        }
    }
}

#[tokio::test]
async fn what_is_printed_applies_as_it_is_and_its_pod_is_admitted() {
    let shop = Shop::open().await;
    let blue = &shop.pair.blue;
    for options in ["", "--peers-secret peers svc/shop"] {
        let yaml = shop.desk.mctg(&format!("manifests {IMAGE} {options}")).await.ended(0).stdout;
        let file = shop.desk.home().write("manifests.yaml", yaml);
        let apply = format!("apply -f {}", file.display());
        // The server cannot try what goes into a namespace that is not there.
        blue.put(json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "mctg-system" },
        }))
        .await;
        for run in [format!("{apply} --dry-run=server"), apply.clone()] {
            let applied = shop.desk.kubectl(&run).await.ended(0);
            let noise = applied.stderr.lines().filter(|line| !line.contains("last-applied"));
            assert_eq!(noise.collect::<Vec<_>>(), [""; 0], "{run}");
        }
        let again = shop.desk.kubectl(&apply).await.ended(0);
        assert!(again.stdout.lines().all(|line| line.ends_with(" unchanged")), "{again:#?}");
    }
    let job = json!({
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": { "namespace": "mctg-system", "name": "kubectl-mctg" },
    });
    let job = blue.get(&job).await.expect("it was applied");
    let template = &job["spec"]["jobTemplate"]["spec"]["template"];
    let mut pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "namespace": "mctg-system", "name": "run" },
        "spec": template["spec"],
    });
    blue.try_put(pod.clone()).await.expect("Pod Security admits it");
    // And it looks: a pod that asks for more is refused.
    pod["metadata"]["name"] = json!("root");
    pod["spec"]["securityContext"]["runAsNonRoot"] = json!(false);
    let refused = blue.try_put(pod).await.expect_err("Pod Security is restricted");
    assert!(refused.contains("restricted"), "{refused}");
    // status sees it as what works in the place of a controller.
    blue.delete(&cron_job()).await;
    let status = shop.desk.mctg("status -o json --context blue").await.json();
    let told = texts(&status["findings"]);
    assert!(told.iter().any(|text| text.contains("CronJob mctg-system/kubectl-mctg")), "{told:?}");
}

#[tokio::test]
async fn what_the_cron_job_runs_works_as_in_a_pod() {
    let trouble = Trouble::open().await;
    let (shop, blue) = (&trouble.shop, &trouble.shop.pair.blue);
    let account = Account::of(&trouble.shop, "--peers-secret peers").await;
    let admin = shop.pair.kubeconfig().to_json();
    let ca = admin["clusters"][0]["cluster"]["certificate-authority"].as_str().expect("a file");
    let folder = account.desk.home().path().join("serviceaccount");
    std::fs::create_dir(&folder).expect("it is ours");
    std::fs::copy(ca, folder.join("ca.crt")).expect("it can be read");
    std::fs::write(folder.join("token"), token(blue, "kubectl-mctg").await).expect("it is ours");
    std::fs::write(folder.join("namespace"), "mctg-system").expect("it is ours");
    let [_, port] = blue.listening();
    let desk = Desk::new(&Kubeconfig::default())
        .with_elbv2(&shop.elbv2)
        .without("KUBECONFIG")
        .set("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .set("KUBERNETES_SERVICE_PORT", port.to_string());
    if !pod::is_possible(&desk, &folder).await {
        return;
    }
    let as_in_a_pod = async |args: &[&str]| {
        let words: Vec<&str> = ["kubectl-mctg"].iter().chain(args).copied().collect();
        pod::start(&desk, &folder, &words).finish().await
    };

    // With nothing but its own cluster in sight: what is healthy and held by nobody stays.
    let alone = printed(&shop.desk, "").await;
    let args = arguments(&alone);
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    shop.elbv2.server().clear_requests();
    let run = as_in_a_pod(&args).await.ended(0);
    for line in run.json_lines() {
        assert_eq!(line["context"], "in-cluster");
    }
    assert!(shop.registered().contains(&LOST.to_owned()), "{run:#?}");
    assert!(shop.registered().contains(&STALE.to_owned()), "{run:#?}");

    // With the peers' kubeconfig: nobody claims it, so it goes.
    let beside = printed(&shop.desk, "--peers-secret peers").await;
    let peers = account.desk.home().path().join("peers").display().to_string();
    let mounted = "/etc/kubectl-mctg/peers/kubeconfig";
    let args: Vec<String> =
        arguments(&beside).iter().map(|word| word.replace(mounted, &peers)).collect();
    assert!(args.iter().any(|word| word.ends_with(&peers)), "{args:?}");
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    trouble.renew().await;
    let green = shop.pair.green.versions().await;
    let run = as_in_a_pod(&args).await.ended(0);
    assert!(trouble.is_over().await, "{run:#?}");
    assert_eq!(shop.pair.green.versions().await, green, "peers are only read");

    // Without any flag the service account is found as well.
    let status = as_in_a_pod(&["status", "-o", "json"]).await;
    assert_eq!(status.json()["contexts"][0]["context"], "in-cluster");

    // And AWS was asked for nothing that the policy does not allow.
    let policy = shop.desk.mctg("manifests --iam-policy").await.ended(0).json();
    let allowed: Vec<&str> = texts(&policy);
    shop.elbv2.server().clear_requests();
    trouble.renew().await;
    as_in_a_pod(&args).await.ended(0);
    for request in shop.elbv2.server().requests() {
        let action = format!("elasticloadbalancing:{}", request.action);
        assert!(allowed.contains(&action.as_str()), "{action}");
    }
}

/// The arguments of the CronJob.
fn arguments(objects: &[Value]) -> Vec<String> {
    let job = objects.iter().find(|it| it["kind"] == "CronJob").expect("there is one");
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    serde_json::from_value(pod["containers"][0]["args"].clone()).expect("they are words")
}

#[tokio::test]
async fn peers_are_read_beside_and_never_written_to() {
    let shop = Shop::open().await;
    shop.drift().await;
    let desk = Desk::new(&Kubeconfig::default().with("blue", shop.pair.blue.admin()))
        .with_elbv2(&shop.elbv2);
    // As the account that is printed for it: what a peer may do is enough.
    let green = &shop.pair.green;
    let reader = shop.desk.mctg("manifests --reader -o json").await.ended(0).json();
    for object in reader["items"].as_array().expect("it is a List") {
        if object["kind"] != "Secret" {
            green.put(object.clone()).await;
        }
    }
    let token = token(green, "kubectl-mctg-reader").await;
    let reader = green.admin().with_token(&token);
    Kubeconfig::default().with("green", reader).write(desk.home(), "peers");
    until("the server knows the role", async || {
        let status = desk.mctg("status --peers-kubeconfig peers -o json").await;
        status.json()["complete"] == json!(true) && !status.stderr.contains("warning:")
    })
    .await;
    let status = desk.mctg("status --peers-kubeconfig peers -o json").await.ended(1).json();
    let contexts = status["contexts"].as_array().expect("a list").iter();
    let names: Vec<&str> = contexts.filter_map(|it| it["context"].as_str()).collect();
    assert_eq!(names, ["blue", "green"]);

    let before = shop.pair.green.versions().await;
    for args in ["reconcile --context green", "reconcile --context gr*", "diff --context green"] {
        let refused = desk.mctg(&format!("{args} --yes --peers-kubeconfig peers")).await;
        let refused = match args.starts_with("diff") {
            true => desk.mctg(&format!("{args} --peers-kubeconfig peers")).await,
            false => refused,
        };
        assert_eq!(refused.code, Some(2), "{refused:#?}");
        assert!(refused.stderr.contains("only read"), "{refused:#?}");
    }
    let all = "reconcile --all-contexts --yes --wait=false --peers-kubeconfig peers";
    desk.mctg(all).await.ended(0);
    assert!(shop.registered().contains(&LOST.to_owned()));
    assert_eq!(shop.pair.green.versions().await, before);

    // A file that holds this cluster too: it counts once, and is still the one to write to.
    shop.elbv2.lose(&shop.group, &[LOST]);
    Kubeconfig::default()
        .with("green", shop.pair.green.admin())
        .with("blue-too", shop.pair.blue.admin())
        .write(desk.home(), "both");
    let run = desk.mctg("reconcile --yes --wait=false --peers-kubeconfig both -o json").await;
    let run = run.ended(0).json();
    let same = run["contexts"].as_array().expect("a list").iter();
    assert!(same.clone().any(|it| it["context"] == "blue-too" && it["sameAs"] == "blue"));
    assert!(shop.registered().contains(&LOST.to_owned()));

    for (peers, code) in [("missing", 2), ("broken", 3), ("twice", 2)] {
        desk.home().write("broken", "contexts: [");
        Kubeconfig::default().with("blue", shop.pair.green.admin()).write(desk.home(), "twice");
        let run = desk.mctg(&format!("status --peers-kubeconfig {peers}")).await.ended(code);
        assert!(run.stderr.contains(peers), "{run:#?}");
    }
}

#[tokio::test]
async fn names_are_looked_up_in_one_cluster_and_nothing_is_changed() {
    let shop = Shop::open().await;
    let before = shop.pair.blue.versions().await;
    let green = printed(&shop.desk, "svc/shop --context green").await;
    let policy = shop.desk.mctg("manifests --iam-policy svc/shop").await.ended(0).json();
    assert!(texts(&policy).contains(&shop.group.as_str()), "{policy:#}");
    assert!(green.iter().any(|it| it["kind"] == "Role"));
    for (args, code) in [
        (format!("{IMAGE} nothing-like-it"), 2),
        (format!("{IMAGE} svc/shop --context blue,green"), 2),
        ("svc/shop".to_owned(), 2),
        (format!("{IMAGE} svc/shop --kubeconfig nowhere"), 2),
    ] {
        let run = shop.desk.mctg(&format!("manifests {args}")).await.ended(code);
        assert!(run.stdout.is_empty() && run.stderr.starts_with("error: "), "{run:#?}");
    }
    // Without names no cluster is asked, so that none is needed.
    shop.desk.mctg(&format!("manifests {IMAGE} --kubeconfig nowhere")).await.ended(0);
    assert_eq!(shop.pair.blue.versions().await, before);
}
