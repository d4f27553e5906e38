//! Contexts that do not work, each beside one that does and must be told in full.

use std::sync::{Arc, Mutex};

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::cluster::{Rule, until};
use crate::support::kubeconfig::{Access, Kubeconfig, dead_url};
use crate::support::programs::{Desk, Finished};
use crate::support::shop::Shop;
use crate::support::trouble::GONE;

/// The desk of somebody whose context `blue` works and whose `bad` leads to green in a bad way.
fn desk(shop: &Shop, bad: Access) -> Desk {
    let kubeconfig = Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("bad", bad);
    shop.desk_with(&kubeconfig)
}

/// Checks all that holds for any context that cannot be read at all; returns what `status` said.
async fn hides_nothing_else(bad: impl AsyncFnOnce(&Shop) -> Access, reason: &str) -> Finished {
    let shop = Shop::open().await;
    let desk = desk(&shop, bad(&shop).await);
    let before = shop.world().await;

    let text = desk.mctg("status --request-timeout 3s").await;
    text.ends(3).says("INCOMPLETE bad could not be read.").says("MCTG901 ContextUnreachable");
    text.says("That hides what it desires and tracks, and which bindings it has.");
    text.says("Read 1/2 contexts, 1/1 target groups").says("Exit 3.");
    text.says("export MCTG_CONTEXTS=blue");
    let document = desk.mctg("status -o json --request-timeout 3s").await;
    document.ends(3).tells_all_of("blue");
    assert_eq!(document.json()["complete"], false);
    let bad = document.context("bad");
    assert_eq!((&bad["reachable"], &bad["reason"]), (&json!(false), &json!(reason)), "{bad:#}");
    assert_eq!((&bad["bindings"], &bad["controllers"]), (&json!(null), &json!(null)), "{bad:#}");
    let classes: Vec<_> = document.json()["targetGroups"][0]["targets"]
        .as_array()
        .expect("targets were read")
        .iter()
        .map(|target| target["class"].clone())
        .collect();
    assert_eq!(classes, ["inSync", "inSync", "unknown", "inSync", "unknown"], "{document:#?}");

    desk.mctg("status --context blue").await.ends(0).says("OK");
    let refused = desk.mctg("reconcile --context bad --yes --request-timeout 3s").await;
    refused.ends(3).says("Nothing was done");
    assert_eq!(shop.world().await, before);
    text
}

#[tokio::test]
async fn a_shop_where_all_is_well_is_fine() {
    let shop = Shop::open().await;
    let desk = shop.machine();
    let before = shop.world().await;
    desk.mctg("status")
        .await
        .ends(0)
        .says("OK 1 shared target group, 2 clusters, 5/5 targets healthy.");
    let document = desk.mctg("status -o json").await;
    document.ends(0).tells_all_of("blue");
    document.tells_all_of("green");
    desk.mctg("reconcile --yes").await.ends(0).says("1 binding in sync. Nothing to do.");
    assert_eq!(shop.world().await, before);
}

#[tokio::test]
async fn a_ca_that_does_not_fit() {
    let said = hides_nothing_else(
        async |shop| shop.pair.green.admin().with_ca_of(&shop.pair.blue.admin()),
        "CertificateInvalid",
    );
    said.await.says("invalid peer certificate");
}

#[tokio::test]
async fn a_token_that_nobody_knows() {
    let said = hides_nothing_else(
        async |shop| shop.pair.green.admin().with_token("nobody"),
        "Unauthorized",
    );
    said.await.says("the API server does not accept the credentials (401 Unauthorized)");
}

#[tokio::test]
async fn a_port_where_nobody_listens() {
    let said =
        hides_nothing_else(async |shop| shop.pair.green.admin().at(&dead_url()), "Unreachable");
    said.await.says("bad: failed to list targetgroupbindings.elbv2.k8s.aws: https://127.0.0.1:");
}

#[tokio::test]
async fn a_name_that_does_not_resolve() {
    let said = hides_nothing_else(
        async |shop| shop.pair.green.admin().at("https://nowhere.invalid:6443"),
        "Unreachable",
    );
    said.await.says("https://nowhere.invalid:6443: ");
}

/// Accepts connections, answers nothing, and notes the order of what happens.
async fn silent_server() -> (String, Arc<Mutex<Vec<&'static str>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("https://{}", listener.local_addr().expect("it is bound"));
    let events: Arc<Mutex<Vec<_>>> = Arc::default();
    let noted = Arc::clone(&events);
    let note = move |event| noted.lock().expect("nothing panics while it holds it").push(event);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let note = note.clone();
            note("opened");
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
                note("closed");
            });
        }
    });
    (url, events)
}

#[tokio::test]
async fn a_context_that_accepts_and_never_answers_costs_its_timeout_once() {
    let (url, events) = silent_server().await;
    let shop = Shop::open().await;
    let desk = desk(&shop, shop.pair.green.admin().at(&url));
    let document = desk.mctg("status -o json --request-timeout 2s").await;
    document.ends(3).tells_all_of("blue");
    let bad = document.context("bad");
    assert_eq!(bad["reason"], "Timeout", "{bad:#}");
    assert_eq!(
        bad["message"],
        format!("failed to list targetgroupbindings.elbv2.k8s.aws: {url} gave no answer within 2s")
    );
    let events = events.lock().expect("nothing panics while it holds it").clone();
    let first_closed = events.iter().position(|event| *event == "closed");
    let last_opened = events.iter().rposition(|event| *event == "opened");
    assert!(last_opened.is_some() && first_closed > last_opened, "tried again: {events:?}");

    let said = hides_nothing_else(async |shop| shop.pair.green.admin().at(&url), "Timeout").await;
    said.says("gave no answer within 3s");
}

#[tokio::test]
async fn a_web_page_where_an_api_server_should_be() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = [0; 4096];
                let _ = stream.read(&mut bytes).await;
                let page = "<html>\u{1b}[31mPlease sign in</html>";
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: text/html";
                let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{page}", page.len());
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    let said = hides_nothing_else(async |shop| shop.pair.green.admin().at(&url), "Garbled").await;
    assert!(!said.stdout.contains('\u{1b}'), "{said:#?}");
}

#[tokio::test]
async fn a_plugin_that_asks_on_stdin() {
    let script = "echo 'password?' >&2; read -r answer || exit 5; echo \"$answer\"";
    let said = hides_nothing_else(
        async |shop| shop.pair.green.admin().with_exec(script),
        "CredentialPlugin",
    );
    said.await.says("the credential plugin `sh` failed (exit status: 5): password?");
}

#[tokio::test]
async fn a_plugin_that_hangs() {
    let said = hides_nothing_else(
        async |shop| shop.pair.green.admin().with_exec("sleep 600 & wait"),
        "CredentialPlugin",
    );
    said.await.says("the credential plugin `sh` did not end within 3s");
}

#[tokio::test]
async fn a_plugin_that_fails() {
    let script = "echo hunter2; echo 'the SSO session has expired' >&2; exit 255";
    let said = hides_nothing_else(
        async |shop| shop.pair.green.admin().with_exec(script),
        "CredentialPlugin",
    );
    said.await
        .says("the credential plugin `sh` failed (exit status: 255): the SSO session has expired");
}

#[tokio::test]
async fn a_plugin_that_prints_garbage() {
    let said = hides_nothing_else(
        async |shop| shop.pair.green.admin().with_exec("echo hunter2"),
        "CredentialPlugin",
    );
    said.await.says("the credential plugin `sh` printed no credential");
}

#[tokio::test]
async fn a_context_that_fails_keeps_the_other_from_deregistering() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    let desk = desk(&shop, shop.pair.green.admin().at(&dead_url()));
    let run = desk.mctg("reconcile --context blue --yes -o json").await;
    run.ends(3);
    let blue = run.row("blue");
    assert_eq!(blue["plan"]["register"], json!([{ "id": "10.0.12.31", "port": 80 }]), "{run:#?}");
    assert_eq!(
        blue["plan"]["blocked"],
        json!([{ "id": GONE[0], "port": 80, "action": "deregister", "reason": "silent", "waitingOn": "bad" }]),
        "{run:#?}"
    );
    assert_eq!(shop.elbv2.writes(), [("RegisterTargets".to_owned(), 1)]);
    let again = desk.mctg("reconcile --context blue --yes").await;
    again.ends(3).says("deregister 10.0.12.91:80: bad could not be read, and may serve from there");
}

/// What a user may do who may read everything.
const READS: [(&str, &str); 10] = [
    ("elbv2.k8s.aws", "targetgroupbindings"),
    ("eks.amazonaws.com", "targetgroupbindings"),
    ("", "services"),
    ("discovery.k8s.io", "endpointslices"),
    ("", "configmaps"),
    ("", "pods"),
    ("", "nodes"),
    ("apps", "deployments"),
    ("coordination.k8s.io", "leases"),
    ("batch", "cronjobs"),
];

/// A user of green who may read all but one kind.
async fn all_but(shop: &Shop, kept_from: &str) -> Access {
    let rules: Vec<_> = READS
        .iter()
        .filter(|(_, resource)| *resource != kept_from)
        .map(|(group, resource)| Rule { namespace: None, group, resource, verbs: &["get", "list"] })
        .collect();
    shop.pair.green.user(&rules).await
}

/// `status` of a user who may not read one kind in green; `hides` is what that hides.
async fn forbidden(resource: &str, hides: &str) -> Finished {
    let shop = Shop::open().await;
    let desk = desk(&shop, all_but(&shop, resource).await);
    let before = shop.world().await;
    let text = desk.mctg("status").await;
    text.ends(3).says("INCOMPLETE bad").says("MCTG902 Forbidden").says(hides);
    text.says("\" cannot ").says(&format!("resource \"{resource}\""));
    let document = desk.mctg("status -o json").await;
    document.ends(3).counts_all_of("blue");
    assert_eq!(document.json()["complete"], false);
    desk.mctg("reconcile --context bad --yes").await.ends(3);
    assert_eq!(shop.world().await, before);
    text
}

#[tokio::test]
async fn bindings_that_may_not_be_listed() {
    forbidden("targetgroupbindings", "That hides what it desires and tracks").await;
}

#[tokio::test]
async fn services_that_may_not_be_read() {
    forbidden("services", "That hides the endpoints of 1 binding.").await;
}

#[tokio::test]
async fn endpoint_slices_that_may_not_be_listed() {
    forbidden("endpointslices", "That hides the endpoints of 1 binding.").await;
}

#[tokio::test]
async fn pods_that_may_not_be_listed() {
    forbidden("pods", "That hides the endpoints of 1 binding.").await;
}

#[tokio::test]
async fn ledgers_that_may_not_be_read() {
    forbidden("configmaps", "That hides the ledger of 1 binding.").await;
}

#[tokio::test]
async fn a_controller_that_may_not_be_looked_for() {
    for resource in ["deployments", "leases"] {
        forbidden(resource, "That hides whether a controller is at work.").await;
    }
}

#[tokio::test]
async fn nodes_that_may_not_be_listed_matter_to_instance_targets_alone() {
    let shop = Shop::open().await;
    let desk = desk(&shop, all_but(&shop, "nodes").await);
    let document = desk.mctg("status -o json").await;
    document.tells_all_of("blue");
    document.tells_all_of("bad");
    document.ends(0);
}

#[tokio::test]
async fn bindings_of_one_namespace_are_read_where_all_may_not_be() {
    let shop = Shop::open().await;
    let rules = READS.map(|(group, resource)| Rule {
        namespace: Some("default"),
        group,
        resource,
        verbs: &["get", "list"],
    });
    let access = shop.pair.green.user(&rules).await;
    let kubeconfig = Kubeconfig::default()
        .with("blue", shop.pair.blue.admin())
        .with("bad", access)
        .namespace("default");
    let desk = shop.desk_with(&kubeconfig);
    let text = desk.mctg("status").await;
    text.ends(3).says("only namespace `default` was read: ");
    text.says("That hides the bindings of its other namespaces.");
    let document = desk.mctg("status -o json").await;
    document.tells_all_of("blue");
    document.tells_all_of("bad");
}

#[tokio::test]
async fn a_ledger_that_may_not_be_written_changes_nothing() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    shop.pair
        .green
        .put(crate::support::objects::ledger("default", "shop", "10.0.151.60:80,10.0.79.92:80"))
        .await;
    let desk = desk(&shop, all_but(&shop, "nothing").await);
    let before = shop.world().await;
    let run = desk.mctg("reconcile --context bad --yes").await;
    run.ends(3).says("failed to write the ledger").says("cannot patch resource \"configmaps\"");
    assert_eq!(shop.world().await, before);
}

#[tokio::test]
async fn an_api_server_that_comes_back_is_read_again() {
    let mut shop = Shop::open().await;
    let desk = shop.machine();
    shop.pair.green.stop_api_server();
    let document = desk.mctg("status -o json").await;
    document.ends(3).tells_all_of("blue");
    assert_eq!(document.context("green")["reason"], "Unreachable");
    shop.pair.green.restart().await;
    // A server that is ready may still be loading who may do what.
    until("green is read", async || desk.mctg("status").await.code == Some(0)).await;
    desk.mctg("status -o json").await.tells_all_of("green");

    shop.pair.green.stop_etcd();
    let document = desk.mctg("status -o json --request-timeout 3s").await;
    document.ends(3).tells_all_of("blue");
    let green = document.context("green");
    assert_eq!(green["reachable"], false, "{green:#}");
    desk.mctg("status --request-timeout 3s").await.ends(3).says("green could not be read.");
}
