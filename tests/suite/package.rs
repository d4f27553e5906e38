//! The package keeps its word to those who build and embed it.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(args)
        .args(["--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
    assert!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

/// The crates (with their features) that are built with these flags of `cargo tree`.
fn tree(flags: &[&str]) -> BTreeSet<String> {
    let tree = cargo(
        &[&["tree", "--edges=normal", "--prefix=none", "--format={p} [{f}]"], flags].concat(),
    );
    // The first line is the package itself.
    tree.lines().skip(1).map(str::to_owned).collect()
}

fn names(tree: &BTreeSet<String>) -> BTreeSet<&str> {
    tree.iter().filter_map(|line| line.split(' ').next()).collect()
}

#[test]
fn the_library_alone_brings_no_crate_of_the_command_line() {
    let alone = tree(&["--no-default-features"]);
    let names = names(&alone);
    assert!(
        names.contains("kube") && names.contains("aws-sdk-elasticloadbalancingv2"),
        "{names:?}"
    );
    for unwanted in
        ["clap", "clap_complete", "globset", "owo-colors", "tabled", "tracing-subscriber"]
    {
        assert!(!names.contains(unwanted), "{unwanted} comes with the library");
    }
}

#[test]
fn the_library_alone_chooses_no_kubernetes_version() {
    let chosen = |tree: BTreeSet<String>| {
        let line = tree.into_iter().find(|line| line.starts_with("k8s-openapi "));
        line.expect("k8s-openapi is a dependency").contains("v1_")
    };
    assert!(!chosen(tree(&["--no-default-features", "--features=sim"])));
    assert!(chosen(tree(&[])), "the binary chooses one");
}

#[test]
fn one_tls_provider_serves_kubernetes_and_aws() {
    let all = tree(&["--all-features"]);
    let names = names(&all);
    assert!(names.contains("ring") && names.contains("rustls"), "{names:?}");
    for unwanted in ["aws-lc-rs", "aws-lc-sys", "native-tls", "openssl", "openssl-sys"] {
        assert!(!names.contains(unwanted), "{unwanted} is a second one");
    }
}

#[test]
fn no_dependency_needs_a_newer_compiler_than_we_say() {
    let version = |text: &str| -> Vec<u32> {
        text.split('.').map(|part| part.parse().expect("a Rust version is numbers")).collect()
    };
    let host = Command::new("rustc").arg("-vV").output().expect("rustc built this test");
    let host = String::from_utf8(host.stdout).expect("rustc writes UTF-8");
    let host =
        host.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc knows its host");
    let metadata =
        cargo(&["metadata", "--format-version=1", "--all-features", "--filter-platform", host]);
    let metadata: Value = serde_json::from_str(&metadata).expect("cargo writes JSON");
    let packages = metadata["packages"].as_array().expect("there are packages");
    assert!(packages.len() > 100, "only {} packages", packages.len());
    let ours = version(env!("CARGO_PKG_RUST_VERSION"));
    let newer: Vec<_> = packages
        .iter()
        .filter(|package| {
            package["rust_version"].as_str().is_some_and(|needs| version(needs) > ours)
        })
        .map(|package| package["name"].to_string())
        .collect();
    assert_eq!(newer, [""; 0]);
}
