//! What the table must hold, and the documents that repeat it.

use std::iter;

use super::*;

const START: &str = "<!-- rules: made from src/permissions.rs by MCTG_BLESS=1 cargo test -->\n";
const END: &str = "<!-- end of rules -->\n";

fn words(verbs: &[Changing]) -> impl Iterator<Item = &'static str> {
    verbs.iter().map(|verb| verb.as_str())
}

fn listed(words: impl Iterator<Item = &'static str>) -> String {
    words.map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

fn markdown() -> String {
    let mut text =
        "| rule | where | needed for | need | without it |\n|---|---|---|---|---|\n".to_owned();
    for it in ALL {
        let group = if it.group.is_empty() { String::new() } else { format!(".{}", it.group) };
        let objects = match it.objects {
            Objects::Any => String::new(),
            Objects::These(names) => format!(" `{}`", names.join("`, `")),
            Objects::Ledgers => " of bindings named".to_owned(),
            Objects::Bindings => " named".to_owned(),
        };
        let place = match it.place {
            Place::Cluster => "cluster",
            Place::Namespace => "namespaces",
        };
        let runs = match it.when {
            When::Always => "all".to_owned(),
            When::Telling(verbs) => listed(iter::once("status").chain(words(verbs))),
            When::Writing => "`reconcile`".to_owned(),
            When::Changing(verbs) => listed(words(verbs)),
            When::Acting => "`reconcile`, unless `--via controller`".to_owned(),
            When::Events => "events".to_owned(),
            When::SeveralClusters => "peers".to_owned(),
            When::Namespaced => "namespaces only".to_owned(),
        };
        text += &format!(
            "| {} `{}{group}`{objects}: {} | {place} | {runs} | {} | {} |\n",
            it.verbs.join(", "),
            it.resource,
            it.why,
            it.need.as_str(),
            it.without,
        );
    }
    text
}

#[test]
fn the_document_lists_the_rules() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/in-cluster.md");
    let document = std::fs::read_to_string(path).unwrap();
    let (before, rest) = document.split_once(START).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let current = format!("{before}{START}{}{END}{after}", markdown());
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
    if std::env::var_os("MCTG_BLESS").is_some() {
        std::fs::write(path, current).unwrap();
        return;
    }
    assert!(document == current, "docs/in-cluster.md is behind: run MCTG_BLESS=1 cargo test");
}

#[test]
fn what_only_reads_is_granted_no_verb_that_writes() {
    let (events, several_clusters, namespaced) = (true, true, true);
    let run = Run { events, several_clusters, namespaced, tells: true, ..Run::default() };
    for permission in of(&run) {
        assert!(!permission.changes(), "{permission:?}");
    }
}

#[test]
fn a_run_that_leaves_all_to_controllers_writes_no_ledger() {
    let run = Run { writes: true, via: ViaChoice::Controller, ..Run::default() };
    let writes: Vec<_> = of(&run).filter(|it| it.changes()).collect();
    let [patch] = writes[..] else { panic!("{writes:?}") };
    assert_eq!((patch.resource, patch.verbs), ("targetgroupbindings", &["patch"][..]));
}

#[test]
fn every_verb_that_changes_something_needs_a_rule_that_does_and_no_other_verb_does() {
    for (verb, run) in VERBS {
        let required =
            |it: &Permission| it.changes() && it.need == Need::Required && it.is_for(run);
        assert_eq!(ALL.iter().any(required), run.changes(), "{verb}");
    }
}

#[test]
fn each_verb_may_make_just_what_it_makes() {
    let told = |change| {
        let run = Run { change: Some(change), ..Run::default() };
        let made = of(&run).filter(|it| it.changes()).flat_map(|it| {
            let made = it.verbs.iter().filter(|verb| ["create", "delete"].contains(verb));
            made.map(|verb| format!("{verb} {}", it.resource))
        });
        made.collect::<Vec<_>>().join(", ")
    };
    assert_eq!(told(Changing::Enable), "create targetgroupconfigurations");
    assert_eq!(told(Changing::Disable), "delete configmaps");
    assert_eq!(told(Changing::Bind), "create targetgroupbindings, delete configmaps");
    let unbind = "delete targetgroupbindings, create configmaps, delete configmaps";
    assert_eq!(told(Changing::Unbind), unbind);
}

#[test]
fn secrets_and_wildcards_are_never_asked_for() {
    for permission in ALL {
        assert_ne!(permission.resource, "secrets");
        let words = [permission.group, permission.resource];
        assert!(words.iter().chain(permission.verbs).all(|word| *word != "*"));
    }
}

#[test]
fn a_run_in_all_namespaces_lists_pods_once() {
    let pods = |namespaced| {
        let run = Run { namespaced, ..Run::default() };
        of(&run).filter(|it| it.resource == "pods").count()
    };
    assert_eq!((pods(false), pods(true)), (1, 2));
}

/// The README's roles are for people at a terminal, the printed ones for a CronJob: the same
/// verbs on the same resources, but for names, and for lists in place of single objects.
#[cfg(feature = "cli")]
#[test]
fn the_roles_of_the_readme_hold_these_rules() {
    use std::collections::BTreeSet;

    use serde_json::Value;

    let readme = include_str!("../../README.md");
    let yaml = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut granted = BTreeSet::new();
    for document in yaml.unwrap().split("---\n") {
        let role: Value = serde_saphyr::from_str(document).unwrap();
        let words =
            |value: &Value| -> Vec<String> { serde_json::from_value(value.clone()).unwrap() };
        for rule in role["rules"].as_array().unwrap() {
            for group in words(&rule["apiGroups"]) {
                for resource in words(&rule["resources"]) {
                    for verb in words(&rule["verbs"]) {
                        granted.insert((group.clone(), resource.clone(), verb));
                    }
                }
            }
        }
    }
    let run =
        Run { writes: true, tells: true, events: true, several_clusters: true, ..Run::default() };
    let needed: BTreeSet<_> = of(&run)
        .flat_map(|it| {
            let name =
                |verb: &&str| (it.group.to_owned(), it.resource.to_owned(), (*verb).to_owned());
            it.verbs.iter().map(name)
        })
        .collect();
    assert_eq!(granted, needed);
}
