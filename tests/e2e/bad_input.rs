//! What people mistype or leave out: said at once, in words, before anything is asked of anybody.

use crate::support::kubeconfig::{Kubeconfig, dead_url};
use crate::support::programs::{Desk, Finished};
use crate::support::shop::Shop;

/// A desk whose contexts lead nowhere: whoever asks them gets no answer.
fn nowhere() -> Desk {
    let access = |_: &str| {
        crate::support::kubeconfig::Access::new(&dead_url(), "/no/such/ca".as_ref(), "admin-token")
    };
    let names = ["prod-blue", "prod-green", "staging"];
    let kubeconfig =
        names.iter().fold(Kubeconfig::default(), |all, name| all.with(name, access(name)));
    Desk::new(&kubeconfig)
}

/// Runs it, and checks that it is a usage error that asked nobody.
async fn refused(args: &str) -> Finished {
    let said = nowhere().mctg(args).await;
    said.ends(2);
    assert_eq!(said.stdout, "", "{said:#?}");
    assert!(said.stderr.starts_with("error: "), "{said:#?}");
    said
}

#[tokio::test]
async fn a_context_that_is_unknown() {
    let said = refused("status --context prod-bleu").await;
    assert!(said.stderr.starts_with("error: no context `prod-bleu` in kubeconfig `"), "{said:#?}");
    assert!(said.stderr.contains("\nhint: did you mean `prod-blue`"), "{said:#?}");
    refused("status --context nothing-like-it").await.says("hint: there are `prod-blue`, ");
    refused("reconcile --context staging,prod-gren --yes").await.says("`prod-green`");
    refused("diff --observe stagin").await.says("`staging`");
    refused("status --context [").await.says("is no valid glob");
    let desk = nowhere().set("MCTG_CONTEXTS", "prd-*");
    desk.mctg("status").await.ends(2).says("(from MCTG_CONTEXTS)");
}

#[tokio::test]
async fn a_name_that_is_unknown() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    let before = shop.world().await;
    let desk = shop.machine();
    for verb in ["status", "diff", "reconcile --yes"] {
        let said = desk.mctg(&format!("{verb} svc/shpo")).await;
        said.ends(2).says("error: nothing that was read is called `svc/shpo`");
        said.says("hint: did you mean shop?");
    }
    let said = desk.mctg("status zzz -n nowhere").await;
    said.ends(2).says("is called `zzz` in namespace `nowhere`").says("status --all");
    desk.mctg("status pods/shop").await.ends(2);
    desk.mctg("status svc/").await.ends(2);
    assert_eq!(shop.world().await, before);
}

#[tokio::test]
async fn a_kubeconfig_that_is_missing_or_empty() {
    let desk = Desk::new(&Kubeconfig::default());
    let said = desk.mctg("status").await;
    said.ends(2).says("has no contexts").says("hint: make one");
    let said = desk.mctg("status --kubeconfig nowhere/config").await;
    said.ends(2).says("error: there is no kubeconfig `nowhere/config`");
    let said = nowhere().set("KUBECONFIG", "/nowhere/config").mctg("status").await;
    said.ends(2).says("error: there is no kubeconfig at `/nowhere/config`").says("hint: ");
    let said = nowhere().without("KUBECONFIG").mctg("status").await;
    said.ends(2).says("there is no kubeconfig at `").says(".kube/config`");
    let said = nowhere().without("KUBECONFIG").without("HOME").mctg("status").await;
    said.ends(2).says("there is no kubeconfig");
    desk.home().write("blank", "");
    desk.mctg("status --kubeconfig blank").await.ends(2).says("`blank` has no contexts");
}

#[tokio::test]
async fn a_kubeconfig_that_is_broken() {
    let desk = nowhere();
    for (name, text) in [
        ("tabs", "apiVersion: v1\nusers:\n- name: me\n  user:\n\ttoken: hunter2\n"),
        ("torn", "apiVersion: v1\nusers: [{name: me, user: {token: hunter2\n"),
        ("list", "- hunter2\n"),
        ("binary", "\u{1}\u{2}hunter2"),
        ("wrong", "apiVersion: v1\nkind: Config\ncontexts: hunter2\n"),
        (
            "numbers",
            "apiVersion: v1\nkind: Config\nusers:\n- name: me\n  user: {token: [hunter2]}\n",
        ),
    ] {
        desk.home().write(name, text);
        let said = desk.mctg(&format!("status --kubeconfig {name}")).await;
        said.ends(3).says(&format!("error: failed to read kubeconfig `{name}`: "));
        said.says(&format!("hint: see what kubectl says: kubectl config view --kubeconfig {name}"));
        assert_eq!(said.stdout, "", "{said:#?}");
    }
    let said = desk.mctg("status --kubeconfig .").await;
    said.ends(3).says("it is a folder");
}

#[tokio::test]
async fn flags_of_kubectl_that_mean_one_cluster() {
    for flag in [
        "--server https://127.0.0.1:1",
        "-s https://127.0.0.1:1",
        "--token hunter2",
        "--token=hunter2",
        "--cluster a",
        "--user a",
        "--client-key k",
        "--client-certificate c",
        "--certificate-authority c",
        "--insecure-skip-tls-verify",
        "--tls-server-name a",
        "--password hunter2",
        "--as-uid 1",
    ] {
        let said = refused(&format!("status {flag}")).await;
        said.says(" cannot be used here: ");
    }
}

#[tokio::test]
async fn values_that_cannot_be_meant() {
    for (args, says) in [
        ("status -o xml", "xml"),
        ("status --fail-on never-ever", "never-ever"),
        ("status --color sometimes", "sometimes"),
        ("status --request-timeout soon", "`soon` is no time such as 10s"),
        ("status --aws-qps 0", "no number above 0"),
        ("status --ignore MCTG[", "no code or glob"),
        ("status -l =", ""),
        ("status --nonsense", "--nonsense"),
        ("stauts", "stauts"),
        ("reconcile --max-deregister 200%", "`200%` is neither a number nor a percentage"),
        ("reconcile --max-deregister -1", ""),
        ("reconcile --via magic", "magic"),
        ("reconcile --timeout later", "`later` is no time"),
        ("reconcile --dry-run=maybe", "maybe"),
        ("reconcile --wait=perhaps", "perhaps"),
        ("status --all-contexts --context staging", "cannot be used with"),
        ("status -A -n shop", "cannot be used with"),
        ("explain MCTG999", "MCTG999"),
        ("completion tcsh", "tcsh"),
    ] {
        refused(args).await.says(says);
    }
}

#[tokio::test]
async fn nothing_is_written_where_that_is_forbidden() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    let before = shop.world().await;
    let desk = shop.machine().set("MCTG_READ_ONLY", "1");
    let said = desk.mctg("reconcile --yes").await;
    said.ends(1).says("error: nothing was changed: MCTG_READ_ONLY is set").says("--dry-run");
    desk.mctg("reconcile --dry-run --yes").await.ends(0).says("Nothing was changed.");
    desk.mctg("diff").await.ends(1);
    desk.mctg("status").await.ends(1);
    assert_eq!(shop.world().await, before);
}

#[tokio::test]
async fn nobody_is_asked_off_a_terminal() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    let run = shop.machine().mctg("reconcile").await;
    run.ends(3).says("nobody said yes; --yes does").says("1 registered, 0 deregistered");
    assert_eq!(shop.elbv2.writes(), [("RegisterTargets".to_owned(), 1)]);
}

#[tokio::test]
async fn a_reader_that_goes_away_is_no_failure() {
    let shop = Shop::open().await;
    let desk = shop.machine();
    let sh = |script: &'static str| desk.start("/bin/bash".as_ref(), ["-c", script]);
    let said = sh("kubectl-mctg status -o wide | head -1; exit ${PIPESTATUS[0]}").finish().await;
    said.ends(0);
    assert_eq!((said.stdout.lines().count(), &*said.stderr), (1, ""), "{said:#?}");
    // Stdout is closed before anything is written, then stderr too.
    sh("kubectl-mctg status >&-").finish().await.says_not("panicked");
    sh("kubectl-mctg status --context nope 2>&-").finish().await.ends(2);
    sh("kubectl-mctg --help | true; exit ${PIPESTATUS[0]}").finish().await.says_not("panicked");
    sh("kubectl-mctg status <&-").finish().await.ends(0).says("OK");
    let full = sh("kubectl-mctg status > /dev/full").finish().await;
    full.ends(3).says("error: failed to write to stdout: No space left on device");
}

#[tokio::test]
async fn colours_come_when_asked_for_and_never_on_a_pipe() {
    let shop = Shop::open().await;
    let plain = shop.machine().mctg("status").await;
    assert!(!plain.stdout.contains('\u{1b}'), "{plain:#?}");
    let asked = shop.machine().mctg("status --color always").await;
    assert!(asked.stdout.contains("\u{1b}["), "{asked:#?}");
    for desk in [shop.machine().set("NO_COLOR", "1"), shop.machine().set("TERM", "dumb")] {
        let said = desk.mctg("status").await;
        assert!(!said.stdout.contains('\u{1b}') && !said.stderr.contains('\u{1b}'), "{said:#?}");
    }
}

#[tokio::test]
async fn a_log_tells_calls_and_no_secret() {
    let shop = Shop::open().await;
    shop.drift_in_both().await;
    let exec = shop.pair.green.admin().with_exec(&shop.pair.green.admin().exec_script());
    let kubeconfig = Kubeconfig::default().with("blue", shop.pair.blue.admin()).with("green", exec);
    let desk = shop.desk_with(&kubeconfig);
    for args in ["status -v", "status -vv", "reconcile --all-contexts --yes -v"] {
        let said = desk.mctg(args).await;
        said.keeps_secrets();
        assert!(said.stderr.contains("DEBUG"), "{args}: {said:#?}");
        assert!(
            said.stderr.contains("DescribeTargetHealth") || said.stderr.contains("targets"),
            "{args}: {said:#?}"
        );
    }
}
