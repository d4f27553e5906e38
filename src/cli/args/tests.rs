//! Command lines as they are read, and those that are refused.

use std::time::Duration;

use clap::FromArgMatches;
use mctg::plan::Cap;

use super::values::{duration, max_deregister};
use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let matches = command(OsStr::new("kubectl-mctg")).try_get_matches_from(words)?;
    Cli::from_arg_matches(&matches)
}

fn help(argv0: &str, line: &str) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    let error = named(OsStr::new(argv0), Cli::command().term_width(80)).try_get_matches_from(words);
    error.unwrap_err().to_string()
}

#[test]
fn the_command_tree_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn flags_stand_before_or_after_the_verb() {
    for line in [
        "kubectl-mctg --demo -n shop status",
        "kubectl-mctg status --demo -n shop",
        "kubectl-mctg --demo status -n shop",
    ] {
        let cli = parse(line).unwrap();
        assert!(cli.global.demo, "{line}");
        assert_eq!(cli.global.namespace.as_deref(), Some("shop"), "{line}");
    }
}

#[test]
fn contexts_are_repeatable_and_separated_by_commas() {
    let cli = parse("kubectl-mctg status --context a,b --context c").unwrap();
    assert_eq!(cli.global.context, ["a", "b", "c"]);
}

#[test]
fn a_dry_run_without_a_mode_is_the_clients() {
    let dry_run = |line| match parse(line).unwrap().verb {
        Verb::Reconcile(args) => (args.dry_run, args.names.names),
        other => panic!("{other:?}"),
    };
    assert_eq!(dry_run("kubectl-mctg reconcile").0, DryRun::None);
    assert_eq!(dry_run("kubectl-mctg reconcile --dry-run=none").0, DryRun::None);
    assert_eq!(
        dry_run("kubectl-mctg reconcile --dry-run svc/web"),
        (DryRun::Client, vec!["svc/web".to_owned()])
    );
}

#[test]
fn waiting_can_be_switched_off() {
    let wait = |line| match parse(line).unwrap().verb {
        Verb::Reconcile(args) => args.wait,
        other => panic!("{other:?}"),
    };
    assert!(wait("kubectl-mctg reconcile"));
    assert!(wait("kubectl-mctg reconcile --wait"));
    assert!(!wait("kubectl-mctg reconcile --wait=false"));
}

#[test]
fn kubectl_flags_of_one_cluster_are_refused_by_name() {
    for (line, flag) in [
        ("kubectl-mctg status -s https://1.2.3.4", "--server"),
        ("kubectl-mctg status --token abc", "--token"),
        ("kubectl-mctg --cluster x status", "--cluster"),
        ("kubectl-mctg status --insecure-skip-tls-verify", "--insecure-skip-tls-verify"),
        ("kubectl-mctg status --client-key=k.pem", "--client-key"),
    ] {
        assert_eq!(parse(line).unwrap().refused.reason().map(|r| r.0), Some(flag), "{line}");
    }
    assert_eq!(parse("kubectl-mctg status").unwrap().refused.reason(), None);
}

#[test]
fn times_are_read_as_kubectl_reads_them() {
    assert_eq!(duration("10"), Ok(Duration::from_secs(10)));
    assert_eq!(duration("1m30s"), Ok(Duration::from_secs(90)));
    assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(duration("0"), Ok(Duration::ZERO));
    for text in ["", "soon", "-5s", "10 parsecs"] {
        assert!(duration(text).is_err(), "{text}");
    }
}

#[test]
fn a_cap_is_a_number_or_a_percentage() {
    assert_eq!(max_deregister("3"), Ok(Cap::Count(3)));
    assert_eq!(max_deregister("50%"), Ok(Cap::Percent(50)));
    for text in ["", "-1", "101%", "x%", "%"] {
        assert!(max_deregister(text).is_err(), "{text}");
    }
}

#[test]
fn usage_errors_exit_with_2() {
    for line in [
        "kubectl-mctg",
        "kubectl-mctg stauts",
        "kubectl-mctg status --no-such-flag",
        "kubectl-mctg status -o xml",
        "kubectl-mctg reconcile --via nobody",
        "kubectl-mctg status --all-contexts --context a",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn help_of_every_verb_has_examples_and_exit_codes() {
    for verb in [
        "status",
        "check",
        "diff",
        "reconcile",
        "enable",
        "disable",
        "manifests",
        "explain",
        "demo",
        "completion",
        "version",
    ] {
        let text = help("kubectl-mctg", &format!("kubectl-mctg {verb} --help"));
        assert!(text.contains(&format!("Usage: kubectl mctg {verb}")), "{text}");
        assert!(text.contains("Examples:\n"), "{text}");
        assert!(text.contains(&format!("  kubectl mctg {verb}")), "{text}");
        assert!(text.contains("Exit codes:\n  0  "), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}

#[test]
fn help_says_what_the_program_was_called_as() {
    let text = help("/usr/local/bin/mctg", "mctg status --help");
    assert!(text.contains("Usage: mctg status"), "{text}");
    assert!(!text.contains("kubectl mctg"), "{text}");
}

#[test]
fn help_of_a_verb_that_reads_no_cluster_hides_the_flags_that_choose_one() {
    let text = help("kubectl-mctg", "kubectl-mctg explain --help");
    assert!(text.contains("--output"), "{text}");
    assert!(!text.contains("--kubeconfig"), "{text}");
}
