//! The documents are true: what they print is what the program prints, what they name is there.
//!
//! `MCTG_BLESS=1 cargo test --test suite documents` writes transcripts anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

const MCTG: &str = env!("CARGO_BIN_EXE_kubectl-mctg");

/// The documents with transcripts, each played on a simulated world of its own.
const TRANSCRIPTS: [&str; 4] = ["README.md", "docs/cli.md", "docs/reconcile.md", "docs/json.md"];

/// The documents that name commands.
const DOCUMENTS: [&str; 9] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/cli.md",
    "docs/findings.md",
    "docs/in-cluster.md",
    "docs/json.md",
    "docs/performance.md",
    "docs/reconcile.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(document: &str) -> String {
    std::fs::read_to_string(root().join(document)).unwrap_or_else(|why| panic!("{document}: {why}"))
}

/// A machine with nothing on it: no kubeconfig, no AWS, a state folder of its own.
struct Machine(PathBuf);

impl Machine {
    fn new(name: &str) -> Self {
        let name = format!("documents-{}-{}", name.replace('/', "-"), std::process::id());
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&home).expect("the target folder can be written");
        Self(home)
    }

    /// Runs the program, and returns what a terminal would show, with times that never change.
    fn run(&self, words: &[&str]) -> (Option<i32>, String) {
        let (mut reader, writer) = std::io::pipe().expect("there are pipes");
        let mut command = Command::new(MCTG);
        command.args(words).env_clear().env("HOME", &self.0).env("XDG_STATE_HOME", &self.0);
        command.stdin(std::process::Stdio::null());
        command.stdout(writer.try_clone().expect("a pipe can be cloned")).stderr(writer);
        let mut child = command.spawn().expect("cargo built the program");
        // Its ends of the pipe would keep the reader waiting.
        drop(command);
        let mut shown = String::new();
        reader.read_to_string(&mut shown).expect("it writes UTF-8");
        (child.wait().expect("a child can be waited for").code(), timeless(&shown))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // What stays lies in the target folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Replaces every time by one, and how long things took by nothing.
fn timeless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((separator, length)) = timestamp(rest) {
            let _ = write!(out, "2026-01-01{separator}12:00:00Z");
            rest = &rest[length..];
        } else if let Some(length) = took(rest) {
            out.push_str(" in 0.0 s");
            rest = &rest[length..];
        } else if let Some(length) = step(rest) {
            out.push_str("\n   0:00  ");
            rest = &rest[length..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    out
}

/// The separator and length of a time such as `2026-01-01 12:00:00Z` or `2026-01-01T12:00:00.123Z`.
fn timestamp(text: &str) -> Option<(char, usize)> {
    let fits =
        |(c, shape): (char, char)| if shape == '0' { c.is_ascii_digit() } else { c == shape };
    let separator = text.chars().nth(10).filter(|c| matches!(c, ' ' | 'T'))?;
    let shape = format!("0000-00-00{separator}00:00:00");
    let head = text.get(..shape.len())?;
    if !head.chars().zip(shape.chars()).all(fits) {
        return None;
    }
    let fraction = text[shape.len()..].find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let end = shape.len() + fraction;
    text[end..].starts_with('Z').then_some((separator, end + 1))
}

/// The length of ` in 1.2 s`.
fn took(text: &str) -> Option<usize> {
    let number = text.strip_prefix(" in ")?;
    let length = number.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    (length > 0 && number[length..].starts_with(" s")).then_some(4 + length + 2)
}

/// The length of the time that a step's line begins with.
fn step(text: &str) -> Option<usize> {
    let time = text.strip_prefix("\n   ")?;
    let length = time.find(|c: char| c != ':' && !c.is_ascii_digit())?;
    (length >= 4 && time[length..].starts_with("  ")).then_some(4 + length + 2)
}

/// Plays the transcripts of a document: what stands under `$ kubectl mctg ...` is what that shows.
fn played(document: &str, text: &str) -> String {
    let machine = Machine::new(document);
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let _ = writeln!(out, "{line}");
        if line != "```console" {
            continue;
        }
        while let Some(line) = lines.next_if(|line| *line != "```") {
            let Some(command) = line.strip_prefix("$ kubectl mctg ") else { continue };
            assert!(command.contains("--demo"), "{document}: only --demo can be played: {line}");
            let words: Vec<&str> = command.split_whitespace().collect();
            let (_, shown) = machine.run(&words);
            let _ = write!(out, "{line}\n{shown}");
            if lines.peek().is_some_and(|next| *next != "```") {
                while lines.next_if(|next| *next != "```" && !next.starts_with("$ ")).is_some() {}
            }
            if lines.peek().is_some_and(|next| next.starts_with("$ ")) {
                out.push('\n');
            }
        }
    }
    out
}

#[test]
fn what_documents_show_is_what_the_program_prints() {
    #[expect(clippy::disallowed_methods, reason = "a switch for whoever runs the test")]
    let bless = std::env::var_os("MCTG_BLESS").is_some();
    for document in TRANSCRIPTS {
        let text = read(document);
        let played = played(document, &text);
        if bless {
            std::fs::write(root().join(document), &played).expect("the document can be written");
        }
        let differs = || text.lines().zip(played.lines()).find(|(said, is)| said != is);
        assert!(
            bless || text == played,
            "{document} is behind, first here: {:?}\nrun MCTG_BLESS=1 cargo test --test suite documents",
            differs()
        );
    }
}

#[test]
fn a_transcript_is_compared_but_for_its_times() {
    let shown = "Read 2/2 contexts in 1.5 s at 2026-11-23 16:43:44Z.\n   1:02  registered\n\"2026-11-23T16:43:44.5Z\" in 3 zones";
    assert_eq!(
        timeless(shown),
        "Read 2/2 contexts in 0.0 s at 2026-01-01 12:00:00Z.\n   0:00  registered\n\"2026-01-01T12:00:00Z\" in 3 zones"
    );
}

/// The words after `kubectl mctg` in a line of a code block, without what the shell makes of the rest.
fn command(line: &str) -> Option<Vec<String>> {
    let line = line.trim_start().trim_start_matches("$ ");
    let is_assignment = |word: &&str| word.contains('=') && !word.starts_with('-');
    let words: Vec<&str> = line.split_whitespace().skip_while(is_assignment).collect();
    let ["kubectl", "mctg", words @ ..] = &words[..] else { return None };
    let of_the_shell = |word: &&&str| ["|", ">", "#", "&&", "||"].contains(*word);
    let words = words.iter().take_while(|word| !of_the_shell(word));
    Some(words.map(|word| word.replace(['\'', '"'], "")).collect())
}

#[test]
fn every_command_in_a_document_is_one_the_program_understands() {
    let machine = Machine::new("commands");
    let mut count = 0;
    for document in DOCUMENTS {
        let text = read(document);
        // Every second part lies between two fences.
        for line in text.split("```").skip(1).step_by(2).flat_map(str::lines) {
            let Some(words) = command(line) else { continue };
            let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
            words.push("--help");
            let (code, shown) = machine.run(&words);
            assert_eq!(code, Some(0), "{document}: {line}\n{shown}");
            count += 1;
        }
    }
    assert!(count > 30, "only {count} commands were found");
}

#[test]
fn links_between_documents_lead_somewhere() {
    for document in DOCUMENTS.into_iter().chain(["CHANGELOG.md"]) {
        let text = read(document);
        let folder = Path::new(document).parent().expect("a file has a folder");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { PathBuf::from(document) } else { folder.join(file) };
            let path = root().join(&target);
            assert!(path.exists(), "{document} links to {link}");
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(&path).expect("an anchor is in a document");
                let anchors = text.lines().filter(|line| line.starts_with('#')).map(anchor_of);
                assert!(anchors.into_iter().any(|it| it == anchor), "{document} links to {link}");
            }
        }
    }
}

/// The anchor that a heading gets where Markdown is shown.
fn anchor_of(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let first = words.next().unwrap_or_default();
    let rest = words.map(|word| word[..1].to_uppercase() + &word[1..]);
    std::iter::once(first.to_owned()).chain(rest).collect()
}

fn lower_first(name: &str) -> String {
    name[..1].to_lowercase() + &name[1..]
}

/// The lines between a type's opening and closing line.
fn body<'a>(source: &'a str, opening: &str) -> impl Iterator<Item = &'a str> {
    let after = source.split(&format!("\n{opening} {{\n")).nth(1);
    after.unwrap_or_else(|| panic!("no `{opening}`")).lines().take_while(|line| *line != "}")
}

/// The public fields of the structs in a source.
fn fields(source: &str) -> Vec<String> {
    let field = |line: &str| Some(line.strip_prefix("    pub ")?.split_once(':')?.0.to_owned());
    source.lines().filter_map(field).filter(|name| !name.contains(' ')).collect()
}

/// The variants of an enum.
fn variants(source: &str, name: &str) -> Vec<String> {
    let variant = |line: &str| Some(line.strip_prefix("    ")?.strip_suffix(',')?.to_owned());
    let found: Vec<String> = body(source, &format!("pub enum {name}"))
        .filter_map(variant)
        .filter(|name| name.chars().all(char::is_alphanumeric))
        .collect();
    assert!(found.len() > 1, "{name} has {found:?}");
    found
}

const REPORT: &str = concat!(
    include_str!("../../src/report.rs"),
    include_str!("../../src/report/status.rs"),
    include_str!("../../src/report/reconcile.rs"),
    include_str!("../../src/report/unclaimed.rs"),
    include_str!("../../src/report/changes.rs"),
    include_str!("../../src/report/check.rs"),
);
const PLAN: &str = include_str!("../../src/plan.rs");
const CHANGE: &str = concat!(
    include_str!("../../src/change.rs"),
    include_str!("../../src/change/check.rs"),
    include_str!("../../src/change/write.rs"),
);
const ENDPOINTS: &str = include_str!("../../src/endpoints.rs");

#[test]
fn every_field_of_the_json_documents_is_described() {
    let text = read("docs/json.md");
    let report = REPORT.replace("pub kind: String", "pub type: String");
    let mut names = fields(&report);
    for (source, opening) in [
        (include_str!("../../src/findings.rs"), "pub struct Finding"),
        (include_str!("../../src/target.rs"), "pub struct Target"),
        (include_str!("../../src/target.rs"), "pub struct Health"),
        (include_str!("../../src/binding.rs"), "pub struct Owner"),
        (ENDPOINTS, "pub struct LeftOut"),
        (CHANGE, "pub struct Check"),
        (CHANGE, "pub struct Detail"),
        (CHANGE, "pub struct Goal"),
        (CHANGE, "pub struct Next"),
    ] {
        names.extend(fields(&body(source, opening).collect::<Vec<_>>().join("\n")));
    }
    assert!(names.len() > 80, "{names:?}");
    for name in names {
        let name = camel(&name);
        assert!(text.contains(&format!("`{name}`")), "docs/json.md does not tell `{name}`");
    }
}

#[test]
fn every_word_of_the_json_documents_is_described() {
    let text = read("docs/json.md");
    for (source, name) in [
        (REPORT, "ShareBasis"),
        (REPORT, "BindingState"),
        (REPORT, "Outcome"),
        (REPORT, "StepResult"),
        (REPORT, "ItemOutcome"),
        (REPORT, "When"),
        (CHANGE, "Verdict"),
        (CHANGE, "ChangeAction"),
        (REPORT, "Verdict"),
        (PLAN, "Via"),
        (PLAN, "Action"),
        (PLAN, "BlockedReason"),
        (ENDPOINTS, "Unregistrable"),
        (ENDPOINTS, "LeftOutReason"),
        (include_str!("../../src/class.rs"), "Class"),
        (include_str!("../../src/checkpoint.rs"), "Checkpoint"),
        (include_str!("../../src/findings.rs"), "Severity"),
    ] {
        for word in variants(source, name) {
            let word = lower_first(&word);
            assert!(
                text.contains(&format!("`{word}`")),
                "docs/json.md does not tell `{word}` of {name}"
            );
        }
    }
    for word in variants(include_str!("../../src/facts/silence.rs"), "SilenceReason") {
        assert!(text.contains(&format!("`{word}`")), "docs/json.md does not tell `{word}`");
    }
}

#[test]
fn operators_are_told_what_to_do_with_every_outcome_and_reason() {
    let text = read("docs/reconcile.md");
    for name in ["Outcome", "BlockedReason"] {
        let source = if name == "Outcome" { REPORT } else { PLAN };
        for word in variants(source, name) {
            let row = format!("| `{}` |", lower_first(&word));
            assert!(text.contains(&row), "docs/reconcile.md has no row {row}");
        }
    }
}

#[test]
fn operators_are_told_of_every_event() {
    let text = read("docs/reconcile.md");
    let events = include_str!("../../src/events.rs");
    let quoted = events.split('"').skip(1).step_by(2);
    let is_reason = |it: &&str| {
        it.starts_with(char::is_uppercase) && it.len() > 7 && it.chars().all(char::is_alphabetic)
    };
    let mut reasons: BTreeSet<String> = quoted.filter(is_reason).map(str::to_owned).collect();
    assert!(reasons.len() > 6, "{reasons:?}");
    // The last two are never about a binding.
    let untold = ["Pending", "Unregistrable", "NotUnhealthy", "Initial"];
    let told = |word: &String| !untold.contains(&word.as_str());
    let blocked = variants(PLAN, "BlockedReason").into_iter().filter(told);
    reasons.extend(blocked.map(|word| format!("Blocked{word}")));
    for reason in reasons {
        assert!(
            text.contains(&format!("`{reason}`")),
            "docs/reconcile.md does not tell `{reason}`"
        );
    }
}

#[test]
fn the_iam_policy_allows_the_calls_that_are_made_and_no_others() {
    let adapter = concat!(
        include_str!("../../src/elbv2/aws.rs"),
        include_str!("../../src/elbv2/aws/listeners.rs"),
    );
    let pascal = |name: &str| {
        let name = camel(name);
        name[..1].to_uppercase() + &name[1..]
    };
    let calls = adapter.split('.').filter_map(|rest| Some(rest.split_once("()")?.0));
    let made: BTreeSet<String> = calls
        .filter(|call| {
            ["describe_", "register_", "deregister_"].iter().any(|verb| call.starts_with(verb))
        })
        .map(pascal)
        .collect();
    let readme = read("README.md");
    let allowed: BTreeSet<String> = readme
        .split("\"elasticloadbalancing:")
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('"')?.0.to_owned()))
        .collect();
    assert!(made.len() > 8, "{made:?}");
    assert_eq!(made, allowed);
}
