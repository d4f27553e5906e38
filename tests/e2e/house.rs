//! The house keeps its promises: servers end with the tests, pairs are clean, bad contexts are bad.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::support::cluster::{Cluster, Rule, until};
use crate::support::kubeconfig::{Kubeconfig, SilentPort, dead_url};
use crate::support::objects::{
    binding, condition, controller, lease, ledger, namespace, node, pod, service, slice,
};
use crate::support::pool::pair;
use crate::support::programs::Desk;

const GROUP: &str =
    "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/web/0123456789abcdef";

fn is_listening(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// Not a test: what the next one starts and kills.
#[tokio::test]
#[ignore = "holds servers until it is killed"]
#[expect(clippy::print_stdout, reason = "the ports go to the test that started this one")]
async fn holds_servers() {
    let cluster = Cluster::start().await;
    let [etcd, api_server] = cluster.listening();
    println!("\nlistening {etcd} {api_server}");
    // Returns when the test that started this one lets go of the pipe.
    let _ = std::io::stdin().read(&mut [0]);
}

fn hold_servers() -> (Child, [u16; 2]) {
    let mut child = Command::new(std::env::current_exe().expect("a test knows itself"))
        .args(["--exact", "house::holds_servers", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a test can be started");
    let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
    let line = stdout
        .lines()
        .map(|line| line.expect("output is UTF-8"))
        .find(|line| line.starts_with("listening "));
    let line = line.expect("the servers are up");
    let mut ports = line.split(' ').skip(1).map(|port| port.parse().expect("a port"));
    let ports = [ports.next().expect("two ports"), ports.next().expect("two ports")];
    (child, ports)
}

#[tokio::test]
async fn servers_end_when_the_test_process_is_killed_or_interrupted() {
    for signal in [Signal::KILL, Signal::INT, Signal::TERM] {
        let (mut child, ports) =
            tokio::task::spawn_blocking(hold_servers).await.expect("it holds servers");
        assert!(ports.into_iter().all(is_listening));
        let root =
            std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("e2e-{}", child.id()));
        assert!(root.is_dir());
        kill_process(Pid::from_child(&child), signal).expect("it runs");
        child.wait().expect("a child can be waited for");
        until("the servers are gone", async || !ports.into_iter().any(is_listening)).await;
        until("their folder is gone", async || !root.exists()).await;
    }
}

#[tokio::test]
async fn servers_end_when_a_test_panics() {
    let cluster = Cluster::start_bare().await;
    let ports = cluster.listening();
    assert!(ports.into_iter().all(is_listening));
    let panicked = catch_unwind(AssertUnwindSafe(move || {
        let _cluster = cluster;
        std::panic::resume_unwind(Box::new("a test that fails"));
    }));
    assert!(panicked.is_err());
    assert!(!ports.into_iter().any(is_listening));
}

#[tokio::test]
async fn servers_can_be_stopped_held_and_started_again() {
    let mut cluster = Cluster::start().await;
    let access = Kubeconfig::default().with("it", cluster.admin());
    let desk = Desk::new(&access);
    let config = ledger("default", "web", "10.0.0.1:80");
    cluster.put(config.clone()).await;

    cluster.stop_api_server();
    let refused = desk.kubectl("get configmaps").await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("refused"), "{refused:?}");
    cluster.restart().await;
    assert!(cluster.get(&config).await.is_some());

    cluster.pause_api_server();
    let late = desk.kubectl("get configmaps --request-timeout=1s").await;
    assert_eq!(late.code, Some(1));
    cluster.resume_api_server();
    assert!(cluster.get(&config).await.is_some());

    cluster.stop_etcd();
    let broken = desk.kubectl("get configmaps --request-timeout=1s").await;
    assert_eq!(broken.code, Some(1));
    cluster.restart().await;
    assert!(cluster.get(&config).await.is_some());
    assert!(cluster.is_tainted());
}

#[tokio::test]
async fn a_pair_that_was_used_is_clean() {
    let pods =
        [pod("shop", "web-1", "10.0.0.1", "blue-1"), pod("shop", "web-2", "10.0.0.2", "blue-1")];
    let mut held = binding("shop", "web", GROUP);
    held["metadata"]["finalizers"] = json!(["elbv2.k8s.aws/resources"]);
    let mut world = vec![
        namespace("shop"),
        node("blue-1", "i-00000000000000001", "us-east-1a"),
        service("shop", "web", "NodePort"),
        slice("shop", "web", &pods),
        held.clone(),
        ledger("shop", "web", "10.0.0.1:80,10.0.0.2:80"),
        controller("v3.5.0", 2, 1),
        lease("2026-01-01T00:00:00.000000Z"),
    ];
    world.extend(pods.clone());

    let first = pair().await;
    for manifest in &world {
        let stored = first.blue.put(manifest.clone()).await;
        assert_eq!(stored["metadata"]["name"], manifest["metadata"]["name"]);
    }
    let stored = first.blue.get(&pods[0]).await.expect("it was put");
    assert_eq!(stored["status"]["podIP"], "10.0.0.1");
    let stored = first.blue.get(&world[2]).await.expect("it was put");
    assert!(stored["spec"]["ports"][0]["nodePort"].is_u64(), "{stored:#}");
    // A pod on a node goes only when a kubelet says so.
    first.blue.delete_gracefully(&pods[0]).await;
    let stored = first.blue.get(&pods[0]).await.expect("it is still terminating");
    assert!(stored["metadata"]["deletionTimestamp"].is_string());
    first.blue.delete(&held).await;
    assert!(first.blue.get(&held).await.is_some(), "its finalizer holds it");
    assert!(first.green.get(&world[0]).await.is_none(), "green is another cluster");

    first.blue.clear().await;
    for manifest in &world {
        assert_eq!(first.blue.get(manifest).await, None);
    }
    assert!(first.blue.get(&namespace("default")).await.is_some());
    first.blue.put(namespace("shop")).await;
    first.blue.clear().await;
}

#[tokio::test]
async fn objects_are_changed_by_putting_them_again_and_typing_mistakes_are_refused() {
    let pair = pair().await;
    let mut pod = pod("default", "web", "10.0.0.1", "blue-1");
    pair.blue.put(pod.clone()).await;
    pod["status"]["conditions"] =
        json!([condition("ContainersReady", "True"), condition("Ready", "False")]);
    pod["metadata"]["labels"] = json!({ "app": "web" });
    let stored = pair.blue.put(pod.clone()).await;
    assert_eq!(stored["status"]["conditions"].as_array().map(Vec::len), Some(2), "{stored:#}");
    assert_eq!(stored["metadata"]["labels"]["app"], "web");

    let mut wrong = binding("default", "web", GROUP);
    wrong["spec"]["multiClusterTargetgroup"] = json!(true);
    let refused = pair.blue.try_put(wrong).await;
    let why = refused.expect_err("there is no such field");
    assert!(why.contains("multiClusterTargetgroup"), "{why}");
}

#[tokio::test]
async fn a_user_may_do_what_its_rules_say_and_no_more() {
    let pair = pair().await;
    pair.blue.put(ledger("default", "web", "")).await;
    let everywhere = pair.blue.user(&[Rule {
        namespace: None,
        group: "elbv2.k8s.aws",
        resource: "targetgroupbindings",
        verbs: &["list", "get"],
    }]);
    let here = pair.blue.user(&[Rule {
        namespace: Some("default"),
        group: "",
        resource: "configmaps",
        verbs: &["list"],
    }]);
    let kubeconfig = Kubeconfig::default()
        .with("everywhere", everywhere.await)
        .with("here", here.await)
        .namespace("default")
        .current("here");
    let desk = Desk::new(&kubeconfig);
    assert_eq!(desk.kubectl("config current-context").await.stdout, "here\n");
    assert_eq!(desk.kubectl("get configmaps -o name").await.code, Some(0));
    for forbidden in [
        "get configmaps -A",
        "delete configmaps aws-lbc-targets-web",
        "--context everywhere get configmaps",
        "--context everywhere delete targetgroupbindings web",
    ] {
        let refused = desk.kubectl(forbidden).await;
        assert_eq!(refused.code, Some(1), "{forbidden}");
        assert!(refused.stderr.contains("Forbidden"), "{refused:?}");
    }
    let listed = desk.kubectl("--context everywhere get targetgroupbindings -A -o json").await;
    assert_eq!(listed.json()["items"], json!([]));
}

#[tokio::test]
async fn contexts_can_be_bad_in_every_way() {
    let pair = pair().await;
    let silent = SilentPort::open();
    let (blue, green) = (pair.blue.admin(), pair.green.admin());
    let kubeconfig = pair
        .kubeconfig()
        .with("wrong-ca", blue.clone().with_ca_of(&green))
        .with("wrong-token", blue.clone().with_token("nobody"))
        .with("dead", blue.clone().at(&dead_url()))
        .with("silent", blue.clone().at(&silent.url()))
        .with("exec", blue.clone().with_exec(&blue.exec_script()))
        .with("exec-fails", blue.clone().with_exec("echo no session >&2; exit 4"))
        .with("exec-asks", blue.clone().with_exec("read -r answer || exit 5; echo \"$answer\""));
    let desk = Desk::new(&kubeconfig);
    for good in ["blue", "green", "exec"] {
        let answer = desk.kubectl(&format!("--context {good} get namespaces -o name")).await;
        assert_eq!(answer.code, Some(0), "{good}: {answer:?}");
    }
    for (bad, why) in [
        ("wrong-ca", "unknown authority"),
        ("wrong-token", "logged in"),
        ("dead", "refused"),
        ("silent", "imeout"),
        ("exec-fails", "exit code 4"),
        ("exec-asks", "exit code 5"),
    ] {
        let answer =
            desk.kubectl(&format!("--context {bad} --request-timeout=1s get namespaces")).await;
        assert_eq!(answer.code, Some(1), "{bad}: {answer:?}");
        assert!(answer.stderr.contains(why), "{bad}: {answer:?}");
    }
}

#[tokio::test]
async fn programs_run_with_a_clean_environment_and_can_be_killed_and_signalled() {
    let desk = Desk::new(&Kubeconfig::default()).set("MCTG_READ_ONLY", "1");
    let sh = |script: &'static str| desk.start("/bin/sh".as_ref(), ["-c", script]);
    let env = sh("/usr/bin/env").finish().await;
    let mut names: Vec<_> =
        env.stdout.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    // What a shell sets by itself.
    names.retain(|name| !["PWD", "OLDPWD", "SHLVL", "_"].contains(name));
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "AWS_ACCESS_KEY_ID",
            "AWS_EC2_METADATA_DISABLED",
            "AWS_ENDPOINT_URL",
            "AWS_SECRET_ACCESS_KEY",
            "HOME",
            "KUBECONFIG",
            "MCTG_READ_ONLY",
            "PATH",
        ]
    );

    let said = sh("echo out; echo err >&2; exit 3").finish().await;
    assert_eq!((said.code, &*said.stdout, &*said.stderr), (Some(3), "out\n", "err\n"));

    let running = sh("echo before; touch started; exec sleep 600");
    until("it has started", async || desk.home().path().join("started").exists()).await;
    let killed = running.kill().await;
    assert_eq!((killed.code, &*killed.stdout), (None, "before\n"));

    // Not INT, which shells cannot trap where the tests run in the background.
    let running = sh("trap 'exit 143' TERM; touch waiting; while :; do sleep 0.05; done");
    until("it waits", async || desk.home().path().join("waiting").exists()).await;
    running.signal(Signal::TERM);
    assert_eq!(running.finish().await.code, Some(143));
}

#[tokio::test]
async fn kubectl_finds_the_plugin() {
    let desk = Desk::new(&Kubeconfig::default());
    assert_eq!(desk.mctg("--help").await.code, Some(0));
    let listed = desk.kubectl("plugin list --name-only").await;
    assert!(listed.stdout.lines().any(|name| name == "kubectl-mctg"), "{listed:?}");
}
