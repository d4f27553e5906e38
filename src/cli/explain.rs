//! `explain` and `version`: what needs no cluster.

use mctg::findings::catalogue::{self, Rule};
use mctg::report::API_VERSION;
use serde::Serialize;

use super::args::Output;
use super::error::{CliError, near_misses};
use super::exit::Exit;
use super::render::{document, explain as text};
use super::terminal::Terminal;

/// The document of `explain`. Every kind has contexts and findings; here there are none.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explain {
    api_version: &'static str,
    kind: &'static str,
    rules: Vec<&'static Rule>,
    contexts: [(); 0],
    findings: [(); 0],
}

/// The document of `version`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    api_version: &'static str,
    kind: &'static str,
    version: &'static str,
    os: &'static str,
    arch: &'static str,
    contexts: [(); 0],
    findings: [(); 0],
}

/// Explains one finding, or lists all.
///
/// # Errors
///
/// There is no such finding.
pub(crate) fn explain(
    code: Option<&str>,
    output: Output,
    terminal: &Terminal,
) -> Result<Exit, CliError> {
    let one = code.map(find).transpose()?;
    let rules = one.map_or_else(|| catalogue::ALL.to_vec(), |rule| vec![rule]);
    let document = || Explain {
        api_version: API_VERSION,
        kind: "Explain",
        rules: rules.clone(),
        contexts: [],
        findings: [],
    };
    terminal.print(false, |look, out| match (output, one) {
        (Output::Json, _) => document::json(&document(), out),
        (Output::Yaml, _) => document::yaml(&document(), out),
        (Output::Jsonl, _) => rules.iter().try_for_each(|rule| document::line(rule, out)),
        (Output::Table | Output::Wide, Some(rule)) => text::one(rule, look, out),
        (Output::Table | Output::Wide, None) => text::all(&rules, out),
    })
}

fn find(query: &str) -> Result<&'static Rule, CliError> {
    catalogue::find(query).ok_or_else(|| {
        let codes = catalogue::ALL.iter().flat_map(|rule| [rule.code, rule.name]);
        let digits = query.chars().all(|c| c.is_ascii_digit());
        let wanted = if digits { format!("MCTG{query}") } else { query.to_owned() };
        let near = near_misses(&wanted, codes);
        let hint = if near.is_empty() {
            "kubectl mctg explain lists all".to_owned()
        } else {
            format!("did you mean {}? `kubectl mctg explain` lists all", near.join(", "))
        };
        CliError::usage(format!("there is no finding `{query}`")).hint(hint)
    })
}

/// Prints the version.
///
/// # Errors
///
/// Stdout cannot be written.
pub(crate) fn version(output: Output, terminal: &Terminal) -> Result<Exit, CliError> {
    let document = Version {
        api_version: API_VERSION,
        kind: "Version",
        version: env!("CARGO_PKG_VERSION"),
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
        contexts: [],
        findings: [],
    };
    terminal.print(false, |_, out| match output {
        Output::Json => document::json(&document, out),
        Output::Yaml => document::yaml(&document, out),
        Output::Jsonl => document::line(&document, out),
        Output::Table | Output::Wide => {
            writeln!(out, "kubectl-mctg {} ({}/{})", document.version, document.os, document.arch)
        }
    })
}
