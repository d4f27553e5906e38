//! kubectl calls the plugin.

use crate::support::shop::Shop;

#[tokio::test]
async fn kubectl_passes_on_arguments_output_and_exit_code() {
    let shop = Shop::open().await;
    for (args, code) in [("status", 0), ("diff", 0), ("status nothing-like-it", 2)] {
        let run = shop.desk.kubectl(&format!("mctg {args}")).await.ended(code);
        assert_eq!(run.stdout.is_empty(), code == 2, "{run:#?}");
    }
    shop.drift().await;
    let json = shop.desk.kubectl("mctg status -o json --context blue,green").await.ended(1).json();
    assert_eq!(json["kind"], "Status");
    shop.desk.kubectl("mctg reconcile").await.ended(0);
    shop.desk.kubectl("mctg reconcile --context green").await.ended(3);
}

#[tokio::test]
async fn help_names_the_program_as_it_was_called() {
    let shop = Shop::new().await;
    let help = shop.desk.kubectl("mctg --help").await.ended(0);
    assert!(help.stdout.contains("Usage: kubectl mctg"), "{}", help.stdout);
    for verb in
        ["status", "diff", "reconcile", "manifests", "explain", "demo", "completion", "version"]
    {
        assert!(help.stdout.contains(verb), "{verb}");
        let own = shop.desk.kubectl(&format!("mctg {verb} --help")).await.ended(0);
        assert!(own.stdout.contains(&format!("kubectl mctg {verb}")), "{}", own.stdout);
        assert!(own.stdout.contains("Examples:") && own.stdout.contains("Exit"), "{}", own.stdout);
    }
}

#[tokio::test]
async fn kubectl_completes_the_plugins_words() {
    let shop = Shop::new().await;
    let script = shop.desk.mctg("completion kubectl").await.ended(0).stdout;
    let path = shop.desk.home().write("kubectl_complete-mctg", script);
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).expect("it is ours");
    let desk = shop.desk.on_path();
    let complete = async |words: &[&str]| {
        let args = ["__complete", "mctg"].into_iter().chain(words.iter().copied());
        desk.start_kubectl(args).finish().await.ended(0).stdout
    };
    let verbs = complete(&[""]).await;
    for verb in ["status", "diff", "reconcile", "explain", "demo"] {
        assert!(verbs.lines().any(|line| line.split('\t').next() == Some(verb)), "{verbs}");
    }
    assert!(complete(&["rec"]).await.starts_with("reconcile"));
    let contexts = complete(&["status", "--context", ""]).await;
    assert!(contexts.contains("blue") && contexts.contains("green"), "{contexts}");
    assert!(complete(&["explain", "MCTG20"]).await.contains("MCTG201"));
}
