//! The catalogue of findings: one source for diagnosing, `explain` and `docs/findings.md`.
//!
//! Codes, names and severities are `product.md` section 9. A rule is added here, raised where the
//! facts are judged, and explained nowhere else.

mod attachment;
mod check;
mod controllers;
mod owners;
mod reading;
mod sharing;
mod specs;
mod targets;
mod traffic;

use std::fmt::Write as _;

use serde::Serialize;

pub use self::attachment::{
    NOT_ATTACHED, NOT_FORWARDED, OUTSIDE_VPC, QUOTA_NEAR, ZONE_NOT_ENABLED,
};
pub use self::check::{
    AWS_CREDENTIALS, AWS_READS, BINDING_TYPE, BOUND, CLOCKS, CONTROLLER_FLAGS, CONTROLLER_READY,
    KNOWN_BUGS, PERMISSIONS, REACHABLE, SERVICE_ACCOUNT, WEBHOOK_SERVED,
};
pub use self::controllers::{
    BACKEND_NOT_FOUND, CONTROLLER_ABSENT, CONTROLLER_NOT_ALIVE, CONTROLLER_TOO_OLD, GATE_UNSERVED,
    RECONCILE_STALE, RULES_UNSERVED,
};
pub use self::owners::{
    BINDING_LOST, FLAG_NOT_IN_SOURCE, FOREIGN_CONTROLLER, ORPHAN_LEDGER, OWNER_UNPROTECTED,
};
pub use self::reading::{AWS_UNREADABLE, CONTEXT_UNREACHABLE, FORBIDDEN, OWNER_NOT_READ};
pub use self::sharing::{
    CONTESTED_TARGET, EXCLUSIVE_BINDING, LEDGER_MISSING, LEDGER_UNUSABLE, PHANTOM_TARGETS,
};
pub use self::specs::{BINDING_MISMATCH, EMPTY_PORTS_RULE, STACK_LABELS_ON_BINDING};
pub use self::targets::{
    DRIFT_HIDDEN, MISSING_TARGETS, STALE_TARGETS, TARGET_GROUP_GONE, UNCLAIMED_TARGETS,
    UNTRACKED_TARGETS,
};
pub use self::traffic::{FAIL_OPEN, SINGLE_CLUSTER};
use super::{Finding, Severity};

/// One kind of finding: what it is called, what it means and how it is repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// `MCTG` and three digits; never reused for something else.
    pub code: &'static str,
    /// Its name.
    pub name: &'static str,
    /// How bad it is, and on what that depends.
    pub severity: &'static str,
    /// The consequence in a few words, as the first line of `status` says it.
    pub gist: &'static str,
    /// When it is raised.
    pub when: &'static str,
    /// What it means for the traffic.
    pub meaning: &'static str,
    /// Why it happens.
    pub why: &'static str,
    /// How it is repaired, in the order to try.
    pub repair: &'static [Repair],
}

/// One way to repair something, or one step of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// What to do, and what to look out for.
    pub text: &'static str,
    /// The commands for it; words in capitals stand for names of yours.
    pub commands: &'static [&'static str],
}

/// How a difference of the ledger alone is repaired where a controller is at work.
const WITHOUT_CONTROLLER: Repair = Repair {
    text: "A controller keeps its ledger in memory, and writes it whole when it next registers or \
           deregisters something. To have it now: scale it to 0, reconcile, and scale it up again.",
    commands: &[
        "kubectl --context CONTEXT -n kube-system scale deployment \
         aws-load-balancer-controller --replicas=0",
        "kubectl mctg reconcile --context CONTEXT --via direct",
        "kubectl --context CONTEXT -n kube-system scale deployment \
         aws-load-balancer-controller --replicas=2",
    ],
};

impl Rule {
    /// Makes a finding of this kind; what it concerns is filled in by the caller.
    pub fn finding(&self, severity: Severity, message: impl Into<String>) -> Finding {
        Finding {
            code: self.code,
            name: self.name,
            severity,
            message: message.into(),
            fix: None,
            context: None,
            namespace: None,
            binding: None,
            target_group_arn: None,
            targets: Vec::new(),
        }
    }

    /// Says whether it means that something could not be read: such a finding makes a report
    /// incomplete, and nothing suppresses it.
    pub fn is_incompleteness(&self) -> bool {
        is_incompleteness(self.code)
    }
}

/// Says whether the finding of this code means that something could not be read (90x).
pub fn is_incompleteness(code: &str) -> bool {
    code.starts_with("MCTG90")
}

/// Finds a rule by its code (`MCTG201`, `mctg201`, `201`) or its name in any case.
pub fn find(query: &str) -> Option<&'static Rule> {
    let query = query.trim();
    let digits = match query.get(..4) {
        Some(prefix) if prefix.eq_ignore_ascii_case("mctg") => &query[4..],
        _ => query,
    };
    ALL.iter()
        .copied()
        .find(|rule| &rule.code[4..] == digits || rule.name.eq_ignore_ascii_case(query))
}

/// Every rule, by code.
pub const ALL: &[&Rule] = &[
    &EXCLUSIVE_BINDING,
    &FOREIGN_CONTROLLER,
    &CONTESTED_TARGET,
    &OWNER_UNPROTECTED,
    &STACK_LABELS_ON_BINDING,
    &PHANTOM_TARGETS,
    &LEDGER_MISSING,
    &EMPTY_PORTS_RULE,
    &FLAG_NOT_IN_SOURCE,
    &ORPHAN_LEDGER,
    &LEDGER_UNUSABLE,
    &MISSING_TARGETS,
    &STALE_TARGETS,
    &UNTRACKED_TARGETS,
    &UNCLAIMED_TARGETS,
    &DRIFT_HIDDEN,
    &BINDING_LOST,
    &TARGET_GROUP_GONE,
    &CONTROLLER_ABSENT,
    &CONTROLLER_TOO_OLD,
    &CONTROLLER_NOT_ALIVE,
    &BACKEND_NOT_FOUND,
    &RECONCILE_STALE,
    &GATE_UNSERVED,
    &RULES_UNSERVED,
    &NOT_ATTACHED,
    &NOT_FORWARDED,
    &ZONE_NOT_ENABLED,
    &BINDING_MISMATCH,
    &OUTSIDE_VPC,
    &FAIL_OPEN,
    &QUOTA_NEAR,
    &SINGLE_CLUSTER,
    &REACHABLE,
    &BINDING_TYPE,
    &CONTROLLER_READY,
    &CONTROLLER_FLAGS,
    &KNOWN_BUGS,
    &WEBHOOK_SERVED,
    &PERMISSIONS,
    &SERVICE_ACCOUNT,
    &BOUND,
    &AWS_CREDENTIALS,
    &AWS_READS,
    &CLOCKS,
    &CONTEXT_UNREACHABLE,
    &FORBIDDEN,
    &AWS_UNREADABLE,
    &OWNER_NOT_READ,
];

/// Writes the catalogue as the Markdown of `docs/findings.md`.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Findings\n\n\
         Made from `src/findings/catalogue/`; `MCTG_BLESS=1 cargo test` writes it anew.\n\
         `kubectl mctg explain CODE` shows the same on a terminal. Words in capitals stand for\n\
         names of yours.\n\n\
         | code | name | severity |\n|---|---|---|\n",
    );
    for rule in ALL {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "| [{}](#{}) | {} | {} |",
            rule.code,
            format!("{}-{}", rule.code, rule.name).to_lowercase(),
            rule.name,
            rule.severity
        );
    }
    for rule in ALL {
        let _ = write!(
            text,
            "\n## {} {}\n\nSeverity: {}.\n\n**When.** {}\n\n**What it means.** {}\n\n**Why it happens.** {}\n\n**Repair.**\n\n",
            rule.code, rule.name, rule.severity, rule.when, rule.meaning, rule.why
        );
        for repair in rule.repair {
            let _ = writeln!(text, "- {}", repair.text);
            if !repair.commands.is_empty() {
                let commands = repair.commands.join("\n  ");
                let _ = writeln!(text, "\n  ```sh\n  {commands}\n  ```\n");
            }
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_the_catalogue_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/findings.md");
        #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
        if std::env::var_os("MCTG_BLESS").is_some() {
            std::fs::write(path, markdown()).unwrap();
        }
        let document = std::fs::read_to_string(path).unwrap_or_default();
        assert!(document == markdown(), "docs/findings.md is behind: run MCTG_BLESS=1 cargo test");
    }

    #[test]
    fn a_code_is_known_once_and_the_list_is_sorted() {
        assert!(ALL.windows(2).all(|pair| pair[0].code < pair[1].code));
    }

    #[test]
    fn a_rule_is_found_by_code_by_digits_and_by_name_in_any_case() {
        for query in ["MCTG201", "mctg201", "201", "MissingTargets", "missingtargets", " 201 "] {
            assert_eq!(find(query), Some(&MISSING_TARGETS), "{query}");
        }
        for query in ["", "MCTG", "MCTG999", "20", "Missing", "mctgé"] {
            assert_eq!(find(query), None, "{query}");
        }
    }

    #[test]
    fn repairs_name_only_verbs_that_exist() {
        const VERBS: [&str; 13] = [
            "status",
            "check",
            "diff",
            "reconcile",
            "enable",
            "disable",
            "bind",
            "unbind",
            "manifests",
            "explain",
            "demo",
            "completion",
            "version",
        ];
        let commands = ALL.iter().flat_map(|rule| rule.repair).flat_map(|repair| repair.commands);
        for command in commands.filter(|command| command.starts_with("kubectl mctg ")) {
            let verb = command.split_whitespace().nth(2).unwrap_or_default();
            assert!(VERBS.contains(&verb), "{command}");
        }
    }

    #[test]
    fn only_what_could_not_be_read_is_incompleteness() {
        let codes: Vec<_> =
            ALL.iter().filter(|rule| rule.is_incompleteness()).map(|rule| rule.code).collect();
        assert_eq!(codes, ["MCTG901", "MCTG902", "MCTG903", "MCTG904"]);
    }
}
