//! The Kubernetes adapter on real API servers: what it reads, what it writes, what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use kube::config::{KubeConfigOptions, Kubeconfig as KubeKubeconfig};
use kube::{Client, Config};
use mctg::binding::{FINALIZER, Flavour};
use mctg::cluster::kube::{KubeCluster, Settings};
use mctg::cluster::{Cluster as _, WriteError};
use mctg::endpoints::{NodeReady, PodName, ServiceType};
use mctg::facts::{Aliveness, LedgerFault, Reconciler, SilenceReason};
use mctg::ledger;
use mctg::target::Target;
use serde_json::{Value, json};

use crate::support::cluster::{Cluster, Rule, until};
use crate::support::kubeconfig::{Access, Kubeconfig, SilentPort, dead_url};
use crate::support::objects;
use crate::support::pool::pair;
use crate::support::programs::Desk;

const GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef";

async fn adapter(access: Access) -> KubeCluster {
    adapter_within(access, None).await
}

async fn adapter_within(access: Access, timeout: Option<Duration>) -> KubeCluster {
    let kubeconfig = Kubeconfig::default().with("it", access).to_json();
    let kubeconfig: KubeKubeconfig = serde_json::from_value(kubeconfig).expect("a kubeconfig");
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.expect("a good one");
    let client = Client::try_from(config).expect("a client");
    KubeCluster::new("it", client, Settings { timeout, ..Settings::default() })
}

#[expect(clippy::disallowed_methods, reason = "tests have a clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

fn targets(list: &str) -> BTreeSet<Target> {
    ledger::parse(list).expect("a ledger")
}

fn key(name: &str) -> (String, String) {
    ("default".to_owned(), format!("aws-lbc-targets-{name}"))
}

#[tokio::test]
async fn what_the_rules_need_is_read() {
    let pair = pair().await;
    let blue = &pair.blue;
    blue.put(objects::namespace("shop")).await;
    let mut ready = objects::pod("shop", "web-1", "10.0.0.1", "blue-1");
    ready["metadata"]["annotations"] =
        json!({"service.beta.kubernetes.io/aws-load-balancer-quic-enabled-containers": "web"});
    ready["spec"]["containers"][0]["env"] =
        json!([{"name": "AWS_LBC_QUIC_SERVER_ID", "value": "q80="}]);
    let mut unready = objects::pod("shop", "web-2", "10.0.0.2", "blue-1");
    unready["status"]["conditions"] = json!([
        objects::condition("ContainersReady", "False"),
        objects::condition("Ready", "False")
    ]);
    let mut node = objects::node("blue-1", "i-00000000000000001", "us-east-1a");
    node["spec"]["taints"] = json!([{"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}]);
    node["status"]["addresses"] = json!([{"type": "InternalIP", "address": "10.0.9.1"}]);
    let mut binding = objects::binding("shop", "web", GROUP);
    binding["metadata"]["finalizers"] = json!([FINALIZER]);
    binding["metadata"]["annotations"] = json!({"elbv2.k8s.aws/checkpoint": "c", "note": "mine"});
    for manifest in [
        node,
        ready.clone(),
        unready.clone(),
        objects::service("shop", "web", "NodePort"),
        objects::slice("shop", "web", &[ready, unready]),
        binding,
    ] {
        blue.put(manifest).await;
    }
    // One that belongs to no Service is not listed.
    let mut loose = objects::slice("shop", "loose", &[]);
    loose["metadata"]["labels"] = json!({});
    blue.put(loose).await;

    let it = adapter(blue.admin()).await;
    let bindings = it.bindings(Flavour::LoadBalancerController, None).await.expect("readable");
    let [binding] = &bindings[..] else { panic!("{bindings:?}") };
    assert_eq!((&*binding.namespace, &*binding.name), ("shop", "web"));
    assert_eq!(binding.spec.target_group_arn, GROUP);
    assert!(binding.has_finalizer && binding.spec.multi_cluster_target_group);
    assert_eq!(binding.annotations.keys().collect::<Vec<_>>(), ["elbv2.k8s.aws/checkpoint"]);
    assert_eq!(binding.changed_at, binding.created_at);
    assert!(binding.changed_at.is_some() && binding.deleted_at.is_none());
    assert_eq!(it.bindings(Flavour::AutoMode, Some("shop")).await, Ok(vec![]));
    assert_eq!(it.bindings(Flavour::LoadBalancerController, Some("default")).await, Ok(vec![]));

    let services = it.services("shop").await.expect("readable");
    assert_eq!((services.len(), services[0].kind), (1, ServiceType::NodePort));
    let port = &services[0].ports[0];
    assert_eq!((&*port.name, port.port), ("http", 80));
    assert!(port.node_port >= 30000);

    let slices = it.endpoint_slices("shop").await.expect("readable");
    assert_eq!((slices.len(), &*slices[0].service), (1, "web"));
    let endpoint = &slices[0].endpoints[0];
    let web_1 = PodName { namespace: "shop".to_owned(), name: "web-1".to_owned() };
    assert_eq!(endpoint.address.as_deref(), Some("10.0.0.1"));
    assert_eq!((endpoint.ready, endpoint.terminating), (Some(true), false));
    assert_eq!(endpoint.pod, Some(web_1.clone()));

    let stubs = it.pod_stubs("shop").await.expect("readable");
    let names: Vec<_> = stubs.iter().map(|stub| stub.name.to_string()).collect();
    assert_eq!(names, ["shop/web-1", "shop/web-2"]);
    assert!(stubs.iter().all(|stub| stub.created_at.is_some()));

    let asked = ["web-1", "web-2", "gone"]
        .map(|name| PodName { namespace: "shop".to_owned(), name: name.to_owned() });
    let pods = it.pods(&asked.into()).await.expect("readable");
    let [first, second] = &pods[..] else { panic!("{pods:?}") };
    assert_eq!(first.name, web_1);
    assert_eq!(
        (first.address.as_deref(), first.node.as_deref()),
        (Some("10.0.0.1"), Some("blue-1"))
    );
    assert!(first.containers_ready && first.ready_since.is_some() && first.quic_enabled);
    assert_eq!(first.containers[0].ports, [80]);
    assert_eq!(first.containers[0].quic_server_id.as_deref(), Some("q80="));
    assert!(!second.containers_ready && second.ready_since.is_none() && !second.quic_enabled);
    assert_eq!(it.pods_with_address("10.0.0.1").await.as_deref(), Ok(&pods[..1]));
    assert_eq!(it.pods_with_address("10.9.9.9").await, Ok(vec![]));

    let nodes = it.nodes().await.expect("readable");
    let [node] = &nodes[..] else { panic!("{nodes:?}") };
    assert_eq!((node.ready, node.zone()), (NodeReady::Ready, Some("us-east-1a")));
    assert_eq!(node.provider_id, "aws:///us-east-1a/i-00000000000000001");
    assert_eq!(node.addresses, ["10.0.9.1"]);
    assert_eq!(node.taints[0].effect, "NoSchedule");

    let green = adapter(pair.green.admin()).await;
    let (own, other) = (it.identity().await, green.identity().await);
    assert!(own.is_ok() && own != other);
    assert_eq!(it.identity().await, own);
}

#[tokio::test]
async fn a_binding_changes_when_its_spec_does_and_not_when_it_is_annotated() {
    let pair = pair().await;
    let mut manifest = objects::binding("default", "web", GROUP);
    pair.blue.put(manifest.clone()).await;
    let it = adapter(pair.blue.admin()).await;
    let read = async || {
        it.bindings(Flavour::LoadBalancerController, None).await.expect("readable").remove(0)
    };
    let first = read().await;
    // API times have whole seconds.
    let next_second = async |since: Option<Timestamp>| {
        until("the second is over", async || {
            since.is_some_and(|since| now().as_second() > since.as_second())
        })
        .await;
    };
    // Another manager's annotations are an entry of their own.
    next_second(first.changed_at).await;
    let desk = Desk::new(&pair.kubeconfig());
    let annotated = desk.kubectl("annotate targetgroupbindings.elbv2.k8s.aws web note=mine").await;
    assert_eq!(annotated.code, Some(0), "{annotated:?}");
    assert_eq!(read().await.changed_at, first.changed_at);
    manifest["spec"]["multiClusterTargetGroup"] = json!(false);
    pair.blue.put(manifest).await;
    assert!(read().await.changed_at > first.changed_at);
}

#[tokio::test]
async fn ledgers_are_read_whatever_their_text() {
    let pair = pair().await;
    let mut frozen = objects::ledger("default", "frozen", "10.0.0.1:80");
    frozen["immutable"] = json!(true);
    let mut bare = objects::ledger("default", "bare", "");
    bare.as_object_mut().expect("an object").remove("data");
    let mut binary = objects::ledger("default", "binary", "10.0.0.1:80");
    binary["binaryData"] = json!({"other": "AAE="});
    for manifest in [
        objects::ledger("default", "web", "10.0.0.2:80, 10.0.0.1:80,"),
        objects::ledger("default", "empty", ""),
        objects::ledger("default", "text", "10.0.0.1:80,hello\u{1b}[2J"),
        frozen,
        bare,
        binary,
    ] {
        pair.blue.put(manifest).await;
    }
    let it = adapter(pair.blue.admin()).await;
    let names = ["web", "empty", "text", "frozen", "bare", "binary", "gone"].map(key);
    let mut ledgers = it.ledgers(&names.into()).await;
    let web = ledgers.remove(&key("web")).expect("asked for").expect("fine").expect("there");
    assert_eq!(web.targets, targets("10.0.0.1:80,10.0.0.2:80"));
    assert_eq!(web.bytes, "10.0.0.2:80, 10.0.0.1:80,".len());
    assert!(web.changed_at.is_some() && !web.version.is_empty());
    for (name, expected) in [("empty", ""), ("bare", ""), ("binary", "10.0.0.1:80")] {
        let read = ledgers.remove(&key(name)).expect("asked for").expect("fine").expect("there");
        assert_eq!(read.targets, targets(expected), "{name}");
    }
    assert_eq!(ledgers.remove(&key("gone")), Some(Ok(None)));
    let text = ledgers.remove(&key("text")).expect("asked for");
    assert!(matches!(text, Err(LedgerFault::Invalid { .. })), "{text:?}");
    let frozen = ledgers.remove(&key("frozen")).expect("asked for");
    assert!(matches!(frozen, Err(LedgerFault::Immutable { .. })), "{frozen:?}");
    assert!(ledgers.is_empty());
}

/// More than one page, listed where that is allowed and read one by one where it is not.
#[tokio::test]
async fn many_ledgers_are_read_in_pages_or_one_by_one() {
    let pair = pair().await;
    let blue = &pair.blue;
    let many: Vec<String> = (0..520).map(|number| format!("web-{number:03}")).collect();
    for part in many.chunks(20) {
        let put = part.iter().map(|name| async move {
            let target = format!("10.0.0.{}:80", name.len());
            blue.create(&objects::ledger("default", name, &target)).await.expect("created");
        });
        join_all(put).await;
    }
    let names: BTreeSet<_> = many.iter().map(|name| key(name)).chain([key("gone")]).collect();
    let read = adapter(blue.admin()).await.ledgers(&names).await;
    let found = |read: &BTreeMap<_, Result<Option<ledger::Ledger>, LedgerFault>>| {
        read.values().filter(|it| it.as_ref().is_ok_and(Option::is_some)).count()
    };
    assert_eq!((read.len(), found(&read)), (521, 520));
    let get_only = blue.user(&[Rule {
        namespace: Some("default"),
        group: "",
        resource: "configmaps",
        verbs: &["get"],
    }]);
    let one_by_one = adapter(get_only.await).await.ledgers(&names).await;
    assert_eq!(one_by_one, read);
}

#[tokio::test]
async fn a_ledger_is_written_only_over_the_version_that_was_read() {
    let pair = pair().await;
    let it = adapter(pair.blue.admin()).await;
    let name = "aws-lbc-targets-web";
    let write = async |list: &str, version: Option<&str>| {
        it.write_ledger("default", name, &targets(list), version).await
    };
    let made = write("10.0.0.1:80", None).await.expect("created");
    assert_eq!(made.targets, targets("10.0.0.1:80"));
    assert!(made.changed_at.is_some());
    assert_eq!(write("", None).await, Err(WriteError::Conflict), "it is there already");

    // What others keep in it stays.
    let mut others = objects::ledger("default", "web", "");
    others["data"] = json!({"note": "mine"});
    others["metadata"]["labels"] = json!({"team": "shop"});
    others["metadata"]["annotations"] = json!({"why": "because"});
    pair.blue.put(others.clone()).await;
    assert_eq!(
        write("10.0.0.2:80", Some(&made.version)).await,
        Err(WriteError::Conflict),
        "somebody wrote in between"
    );
    let read = it.ledgers(&[key("web")].into()).await.remove(&key("web"));
    let read = read.expect("asked for").expect("fine").expect("there");
    assert_eq!(read.targets, made.targets);
    let written = write("10.0.0.2:80,10.0.0.1:80", Some(&read.version)).await.expect("written");
    assert_ne!(written.version, read.version);
    let stored = pair.blue.get(&others).await.expect("there");
    assert_eq!(stored["data"], json!({"note": "mine", "targets": "10.0.0.1:80,10.0.0.2:80"}));
    assert_eq!(stored["metadata"]["labels"]["team"], "shop");
    assert_eq!(stored["metadata"]["annotations"]["why"], "because");
    let managers = stored["metadata"]["managedFields"].as_array().expect("managers");
    let ours = managers.iter().find(|it| it["manager"] == "kubectl-mctg").expect("we are one");
    assert_eq!(ours["fieldsV1"]["f:data"]["f:targets"], json!({}));

    let delete = async |version: &str| it.delete_ledger("default", name, version).await;
    assert_eq!(delete(&read.version).await, Err(WriteError::Conflict), "it was written since");
    assert_eq!(delete(&written.version).await, Ok(()));
    assert_eq!(delete(&written.version).await, Ok(()), "gone is fine");
    assert_eq!(pair.blue.get(&others).await, None);
    assert_eq!(
        write("", Some(&written.version)).await,
        Err(WriteError::Conflict),
        "somebody deleted it in between"
    );
    assert_eq!(pair.blue.get(&others).await, None);
}

#[tokio::test]
async fn a_ledger_that_nobody_can_write_stays_as_it_is() {
    let pair = pair().await;
    let mut frozen = objects::ledger("default", "web", "10.0.0.1:80");
    frozen["immutable"] = json!(true);
    let stored = pair.blue.put(frozen.clone()).await;
    let it = adapter(pair.blue.admin()).await;
    let version = stored["metadata"]["resourceVersion"].as_str();
    let refused = it.write_ledger("default", "aws-lbc-targets-web", &targets(""), version).await;
    let Err(WriteError::Failed(silence)) = refused else { panic!("{refused:?}") };
    assert_eq!(silence.reason, SilenceReason::Invalid);
    assert!(silence.message.contains("immutable"), "{silence}");
    assert_eq!(pair.blue.get(&frozen).await, Some(stored));
}

#[tokio::test]
async fn the_finalizer_goes_only_from_the_binding_that_is_being_deleted() {
    let pair = pair().await;
    let it = adapter(pair.blue.admin()).await;
    let mut manifest = objects::binding("default", "web", GROUP);
    manifest["metadata"]["finalizers"] = json!([FINALIZER, "example.com/other"]);
    let stored = pair.blue.put(manifest.clone()).await;
    let uid = stored["metadata"]["uid"].as_str().expect("a UID");
    let remove = async |uid: &str| it.remove_finalizer("default", "web", uid).await;
    let may_remove = async |uid: &str| it.may_remove_finalizer("default", "web", uid).await;
    assert_eq!(may_remove(uid).await, Err(WriteError::Conflict), "nobody deleted it");
    assert_eq!(remove(uid).await, Err(WriteError::Conflict), "nobody deleted it");
    pair.blue.delete(&manifest).await;
    assert_eq!(remove("another").await, Ok(()));
    assert_eq!(may_remove(uid).await, Ok(()), "it was only tried");
    let finalizers = async || {
        let stored = pair.blue.get(&manifest).await;
        stored.map_or(Value::Null, |stored| stored["metadata"]["finalizers"].clone())
    };
    assert_eq!(finalizers().await, json!([FINALIZER, "example.com/other"]));
    assert_eq!(remove(uid).await, Ok(()));
    assert_eq!(finalizers().await, json!(["example.com/other"]));
    assert_eq!(remove(uid).await, Ok(()), "taken off already");
    assert_eq!(it.remove_finalizer("default", "gone", uid).await, Ok(()));
}

#[tokio::test]
async fn a_cluster_without_the_crd_has_no_bindings() {
    let bare = Cluster::start_bare().await;
    let it = adapter(bare.admin()).await;
    let nobody = adapter(bare.user(&[]).await).await;
    for flavour in [Flavour::LoadBalancerController, Flavour::AutoMode] {
        assert_eq!(it.bindings(flavour, None).await, Ok(vec![]));
        assert_eq!(it.bindings(flavour, Some("default")).await, Ok(vec![]));
        // Forbidden is said before missing, and discovery tells them apart.
        assert_eq!(nobody.bindings(flavour, None).await, Ok(vec![]));
    }
    assert_eq!(it.controllers().await, Ok(vec![]));
}

#[tokio::test]
async fn what_is_forbidden_is_said_with_resource_verb_and_user() {
    let pair = pair().await;
    let it = adapter(pair.blue.user(&[]).await).await;
    let silence = it.bindings(Flavour::LoadBalancerController, None).await.expect_err("forbidden");
    assert_eq!(silence.reason, SilenceReason::Forbidden);
    let user = silence.message.split('"').nth(1).expect("the user is named").to_owned();
    assert_eq!(
        silence.message,
        format!(
            "failed to list targetgroupbindings.elbv2.k8s.aws: targetgroupbindings.elbv2.k8s.aws is forbidden: \
             User \"{user}\" cannot list resource \"targetgroupbindings\" in API group \"elbv2.k8s.aws\" at the cluster scope"
        )
    );
    for reason in [
        it.services("default").await.map(drop),
        it.pod_stubs("default").await.map(drop),
        it.nodes().await.map(drop),
        it.controllers().await.map(drop),
        it.identity().await.map(drop),
    ] {
        assert_eq!(reason.map_err(|silence| silence.reason), Err(SilenceReason::Forbidden));
    }
    let ledgers = it.ledgers(&[key("web")].into()).await;
    assert!(matches!(&ledgers[&key("web")], Err(LedgerFault::Silent(_))), "{ledgers:?}");
    let write = it.write_ledger("default", "aws-lbc-targets-web", &targets(""), None).await;
    assert!(matches!(&write, Err(WriteError::Failed(s)) if s.reason == SilenceReason::Forbidden));
}

#[tokio::test]
async fn what_does_not_answer_says_why_once() {
    let pair = pair().await;
    let (blue, green) = (pair.blue.admin(), pair.green.admin());
    let silent = SilentPort::open();
    let second = Some(Duration::from_secs(1));
    for (access, reason, said) in [
        (blue.clone().with_token("nobody"), SilenceReason::Unauthorized, "401 Unauthorized"),
        (
            blue.clone().with_ca_of(&green),
            SilenceReason::CertificateInvalid,
            "invalid peer certificate",
        ),
        (blue.clone().at(&dead_url()), SilenceReason::Unreachable, "Connection refused"),
        (
            blue.clone().at("https://no-such-host.invalid"),
            SilenceReason::Unreachable,
            "failed to lookup address information",
        ),
        (blue.clone().at(&silent.url()), SilenceReason::Timeout, "no answer within 1s"),
    ] {
        let it = adapter_within(access, second).await;
        let silence = it.nodes().await.expect_err("nothing can be read");
        assert_eq!(silence.reason, reason, "{silence}");
        assert_eq!(silence.message.matches(said).count(), 1, "{silence}");
        assert!(silence.message.starts_with("failed to list nodes: "), "{silence}");
        assert!(!silence.message.contains(['\n', '{']), "{silence}");
    }
}

#[tokio::test]
async fn a_server_that_lost_its_store_is_a_server_error_or_silent() {
    let mut cluster = Cluster::start().await;
    let it = adapter_within(cluster.admin(), Some(Duration::from_secs(5))).await;
    assert!(it.nodes().await.is_ok());
    cluster.stop_etcd();
    let silence = it.ledgers(&[key("web")].into()).await.remove(&key("web"));
    let Some(Err(LedgerFault::Silent(silence))) = silence else { panic!("{silence:?}") };
    assert!(
        [SilenceReason::ServerError, SilenceReason::Timeout].contains(&silence.reason),
        "{silence:?}"
    );
}

#[tokio::test]
async fn a_controller_is_alive_absent_or_unknown_by_its_lease_and_replicas() {
    let pair = pair().await;
    let blue = &pair.blue;
    let it = adapter(blue.admin()).await;
    let judged = async |it: &KubeCluster| {
        let found = it.controllers().await.expect("readable");
        found.into_iter().next()
    };
    assert_eq!(judged(&it).await, None);

    blue.put(objects::lease("2026-01-01T00:00:00.000000Z")).await;
    assert_eq!(judged(&it).await.map(|c| c.alive), Some(Aliveness::Absent), "an old Lease");
    blue.put(objects::controller("v3.5.0", 2, 0)).await;
    let unknown = judged(&it).await.expect("found");
    assert_eq!(unknown.alive, Aliveness::Unknown);
    assert_eq!(unknown.version.as_deref(), Some("v3.5.0"));
    assert_eq!(unknown.cluster_name.as_deref(), Some("blue"));
    blue.put(objects::controller("v3.5.0", 0, 0)).await;
    assert_eq!(judged(&it).await.map(|c| c.alive), Some(Aliveness::Absent), "no replicas wanted");

    // Fresh by the API server's clock, which here is this machine's.
    blue.put(objects::lease(&format!("{:.6}", now()))).await;
    assert_eq!(judged(&it).await.map(|c| c.alive), Some(Aliveness::Alive), "a fresh Lease");
    blue.delete(&objects::lease("")).await;
    blue.put(objects::controller("v3.5.0", 2, 1)).await;
    assert_eq!(judged(&it).await.map(|c| c.alive), Some(Aliveness::Alive), "a ready replica");

    // Who may read only where it usually is learns that it is there, never that it is not.
    let rules =
        [("apps", "deployments"), ("coordination.k8s.io", "leases")].map(|(group, resource)| {
            Rule { namespace: Some("kube-system"), group, resource, verbs: &["get"] }
        });
    let local = adapter(blue.user(&rules).await).await;
    assert_eq!(judged(&local).await.map(|c| c.alive), Some(Aliveness::Alive));
    blue.put(objects::controller("v3.5.0", 0, 0)).await;
    let unsure = judged(&local).await.expect("something is said");
    assert_eq!(unsure.alive, Aliveness::Unknown);
    assert!(unsure.evidence.contains("cannot list resource \"leases\""), "{unsure:?}");
    assert_eq!(judged(&it).await.map(|c| c.alive), Some(Aliveness::Absent));
}

#[tokio::test]
async fn a_controller_without_its_label_is_known_by_its_image() {
    let pair = pair().await;
    let mut renamed = objects::controller("v2.13.0", 1, 1);
    renamed["metadata"]["name"] = json!("lbc");
    let labels = json!({"app.kubernetes.io/name": "lbc"});
    renamed["metadata"]["labels"] = labels.clone();
    renamed["spec"]["selector"]["matchLabels"] = labels.clone();
    renamed["spec"]["template"]["metadata"]["labels"] = labels;
    pair.blue.put(renamed).await;
    let found = adapter(pair.blue.admin()).await.controllers().await.expect("readable");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].version.as_deref(), Some("v2.13.0"));
    assert_eq!(found[0].alive, Aliveness::Alive);
}

#[tokio::test]
async fn auto_mode_is_seen_by_its_bindings_and_its_life_is_not_known() {
    let pair = pair().await;
    let it = adapter(pair.blue.admin()).await;
    assert_eq!(it.controllers().await, Ok(vec![]));
    let mut binding = objects::binding("default", "web", GROUP);
    binding["apiVersion"] = json!("eks.amazonaws.com/v1");
    pair.blue.put(binding).await;
    let bindings = it.bindings(Flavour::AutoMode, None).await.expect("readable");
    assert_eq!((bindings.len(), bindings[0].flavour), (1, Flavour::AutoMode));
    let found = it.controllers().await.expect("readable");
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].flavour, found[0].alive), (Flavour::AutoMode, Aliveness::Unknown));
}

#[tokio::test]
async fn this_programs_cronjobs_are_found_with_when_they_last_succeeded() {
    let pair = pair().await;
    let cronjob = |name: &str, label: &str, suspend: bool| {
        json!({
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {
                "namespace": "default",
                "name": name,
                "labels": {"app.kubernetes.io/name": label},
            },
            "spec": {
                "schedule": "*/5 * * * *",
                "suspend": suspend,
                "jobTemplate": {"spec": {"template": {"spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "it", "image": "example.invalid/it"}],
                }}}},
            },
        })
    };
    let mut ours = cronjob("ours", "kubectl-mctg", false);
    ours["status"] = json!({ "lastSuccessfulTime": "2026-01-01T06:29:00Z" });
    for manifest in
        [ours, cronjob("asleep", "kubectl-mctg", true), cronjob("other", "backup", false)]
    {
        pair.blue.put(manifest).await;
    }
    let it = adapter(pair.blue.admin()).await;
    let found = it.reconcilers().await.expect("readable");
    let told = |it: &Reconciler| (it.to_string(), it.suspended, it.last_success);
    let success = "2026-01-01T06:29:00Z".parse().expect("a time");
    assert_eq!(
        found.iter().map(told).collect::<Vec<_>>(),
        [
            ("default/asleep".to_owned(), true, None),
            ("default/ours".to_owned(), false, Some(success))
        ]
    );
    assert!(found.iter().all(|it| it.schedule == "*/5 * * * *" && it.created_at.is_some()));
}

#[tokio::test]
async fn whoever_is_known_may_learn_whether_bindings_can_have_the_flag() {
    let pair = pair().await;
    let it = adapter(pair.blue.user(&[]).await).await;
    until("the schema is published", async || it.has_flag().await.is_ok()).await;
    assert_eq!(it.has_flag().await, Ok(true));
    let bare = Cluster::start_bare().await;
    let it = adapter(bare.admin()).await;
    assert_eq!(it.has_flag().await.map_err(|it| it.reason), Err(SilenceReason::NotFound));
}
