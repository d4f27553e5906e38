//! krew installs the plugin: `krew/mctg.yaml` keeps its rules.
//!
//! krew checks these when it reads a manifest (`internal/index/validation`), its index's reviewers the rest.
//! It ignores fields that it does not know, so a typing mistake would pass there; here it does not.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

const MANIFEST: &str = include_str!("../../krew/mctg.yaml");

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Manifest {
    api_version: String,
    kind: String,
    metadata: Metadata,
    spec: Spec,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Spec {
    version: String,
    short_description: String,
    description: String,
    #[serde(default)]
    caveats: String,
    // Has to be a repository of ours, once there is one.
    homepage: Option<String>,
    platforms: Vec<Platform>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Platform {
    selector: Selector,
    uri: String,
    sha256: String,
    bin: String,
    files: Option<Vec<Files>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Selector {
    match_labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    from: String,
    to: String,
}

/// The pairs that krew's index accepts.
const PLATFORMS: [(&str, &[&str]); 3] = [
    ("linux", &["386", "amd64", "arm", "arm64", "ppc64le"]),
    ("darwin", &["386", "amd64", "arm64"]),
    ("windows", &["386", "amd64", "arm64"]),
];

/// Names that Windows keeps for devices.
const RESERVED: [&str; 4] = ["con", "prn", "aux", "nul"];

/// Lists the rules that a manifest for the file `mctg.yaml` breaks.
fn violations(yaml: &str) -> Vec<String> {
    let manifest: Manifest = match serde_saphyr::from_str(yaml) {
        Ok(manifest) => manifest,
        Err(error) => return vec![format!("it cannot be read: {error}")],
    };
    let mut broken = Vec::new();
    let mut rule = |holds: bool, rule: &str| {
        if !holds {
            broken.push(rule.to_owned());
        }
    };
    rule(
        manifest.api_version == "krew.googlecontainertools.github.com/v1alpha2",
        "the API version is krew's",
    );
    rule(manifest.kind == "Plugin", "the kind is Plugin");
    let name = &manifest.metadata.name;
    rule(name == "mctg", "the name is the file's");
    rule(name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)), "the name is a word");
    rule(!RESERVED.contains(&name.to_ascii_lowercase().as_str()), "the name is no Windows device");

    let spec = &manifest.spec;
    rule(spec.version == concat!("v", env!("CARGO_PKG_VERSION")), "the version is the package's");
    let short = &spec.short_description;
    rule(!short.trim().is_empty() && !short.contains('\n'), "the short description is one line");
    rule(short.chars().count() <= 50, "the short description has at most 50 characters");
    rule(!spec.description.trim().is_empty(), "there is a description");
    let mut lines = spec.description.lines().chain(spec.caveats.lines());
    rule(lines.all(|line| line.chars().count() <= 80), "texts are wrapped at 80 characters");
    rule(
        spec.homepage.as_ref().is_none_or(|page| page.starts_with("https://")),
        "the homepage is safe to visit",
    );

    rule(!spec.platforms.is_empty(), "there is a platform");
    let mut seen = BTreeSet::new();
    for platform in &spec.platforms {
        let labels = &platform.selector.match_labels;
        rule(labels.keys().eq(["arch", "os"]), "a platform is chosen by os and arch");
        let pair = (
            labels.get("os").map_or("", String::as_str),
            labels.get("arch").map_or("", String::as_str),
        );
        rule(
            PLATFORMS.iter().any(|(os, archs)| *os == pair.0 && archs.contains(&pair.1)),
            "the platform is supported",
        );
        rule(seen.insert(pair), "no two platforms overlap");
        rule(platform.uri.starts_with("https://"), "the address is safe to download from");
        rule(platform.uri.contains(&spec.version), "the address is this version's");
        rule(
            [".tar.gz", ".zip"].iter().any(|end| platform.uri.ends_with(end)),
            "the archive is one that krew unpacks",
        );
        let sum = &platform.sha256;
        rule(
            sum.len() == 64 && sum.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')),
            "the sum is 64 hexadecimal digits in lower case",
        );
        let files = platform.files.as_deref().unwrap_or_default();
        rule(platform.files.is_none() || !files.is_empty(), "files are left out or listed");
        rule(
            files.iter().all(|file| is_clean(&file.to) && !file.from.is_empty()),
            "files go to clean paths",
        );
        rule(files.iter().any(|file| file.from == "LICENSE"), "the licence comes along");
        rule(
            !platform.bin.is_empty()
                && files.iter().any(|file| file.from == platform.bin && file.to == "."),
            "the program is among the files",
        );
    }
    broken
}

/// Says whether a path is as Go's `filepath.Clean` leaves it and stays below.
fn is_clean(path: &str) -> bool {
    path == "." || path.split('/').all(|part| !["", ".", ".."].contains(&part))
}

#[test]
fn the_manifest_keeps_krews_rules() {
    assert_eq!(violations(MANIFEST), [""; 0]);
}

#[test]
fn a_manifest_that_breaks_a_rule_is_noticed() {
    let zeros = "0".repeat(64);
    for (from, to, broken) in [
        ("v1alpha2", "v1alpha1", "the API version is krew's"),
        ("kind: Plugin", "kind: Plug", "the kind is Plugin"),
        ("name: mctg", "name: mc tg", "the name is a word"),
        ("name: mctg", "name: other", "the name is the file's"),
        ("version: v", "version: v1", "the version is the package's"),
        (
            "shortDescription: ",
            "shortDescription: Share one and the same ",
            "at most 50 characters",
        ),
        ("shortDescription: ", "short: ", "cannot be read"),
        ("of each registers", "of each and every one of them registers", "wrapped at 80"),
        ("arch: arm64", "arch: amd64", "no two platforms overlap"),
        ("arch: arm64", "arch: mips", "the platform is supported"),
        ("          os: linux\n", "", "chosen by os and arch"),
        ("uri: https", "uri: http", "safe to download"),
        ("linux-amd64.tar.gz", "linux-amd64.tar.xz", "krew unpacks"),
        (zeros.as_str(), "ABC", "64 hexadecimal digits"),
        ("to: .", "to: ./", "clean paths"),
        ("from: LICENSE", "from: NOTICE", "the licence comes along"),
        ("bin: kubectl-mctg", "bin: mctg", "the program is among the files"),
    ] {
        let manifest = MANIFEST.replace(from, to);
        assert_ne!(manifest, MANIFEST, "{from}");
        let found = violations(&manifest);
        assert!(found.iter().any(|rule| rule.contains(broken)), "{from} -> {to}: {found:?}");
    }
}
