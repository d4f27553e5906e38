//! Reports as JSON and YAML: the same document, or one compact line for each binding.

use std::io::{self, Write};

use jiff::Timestamp;
use mctg::report::{
    BindingReport, BindingStatus, Changes, Check, CheckResult, ItemReport, Reconcile, Status,
    UnclaimedReport,
};
use mctg::target::TargetGroupArn;
use serde::Serialize;

/// Writes one JSON document.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn json(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, document)?;
    writeln!(out)
}

/// Writes one YAML document.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn yaml(document: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let text = serde_saphyr::to_string(document).map_err(io::Error::other)?;
    out.write_all(text.as_bytes())?;
    if text.ends_with('\n') { Ok(()) } else { writeln!(out) }
}

/// A binding's line of `status -o jsonl`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StatusLine<'a> {
    api_version: &'static str,
    kind: &'static str,
    observed_at: Timestamp,
    complete: bool,
    #[serde(skip_serializing_if = "is_false")]
    demo: bool,
    target_group_arn: &'a TargetGroupArn,
    #[serde(flatten)]
    binding: &'a BindingStatus,
}

/// A line of `check -o jsonl`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckLine<'a> {
    api_version: &'static str,
    kind: &'static str,
    observed_at: Timestamp,
    complete: bool,
    #[serde(skip_serializing_if = "is_false")]
    demo: bool,
    #[serde(flatten)]
    result: &'a CheckResult,
}

/// Writes a line for each result of a check.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn check_lines(report: &Check, out: &mut dyn Write) -> io::Result<()> {
    for result in &report.results {
        let line = CheckLine {
            api_version: report.api_version,
            kind: report.kind,
            observed_at: report.observed_at,
            complete: report.complete,
            demo: report.demo,
            result,
        };
        self::line(&line, out)?;
    }
    Ok(())
}

/// A binding's line of `reconcile -o jsonl`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ReconcileLine<'a> {
    api_version: &'static str,
    kind: &'static str,
    observed_at: Timestamp,
    dry_run: bool,
    complete: bool,
    interrupted: bool,
    #[serde(skip_serializing_if = "is_false")]
    demo: bool,
    #[serde(flatten)]
    binding: &'a BindingReport,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// Writes a line for each binding of a status.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn status_lines(report: &Status, out: &mut dyn Write) -> io::Result<()> {
    for group in &report.target_groups {
        for binding in &group.bindings {
            let line = StatusLine {
                api_version: report.api_version,
                kind: report.kind,
                observed_at: report.observed_at,
                complete: report.complete,
                demo: report.demo,
                target_group_arn: &group.arn,
                binding,
            };
            self::line(&line, out)?;
        }
    }
    Ok(())
}

/// Writes a line for each binding of a reconcile, then one for each group with targets that no
/// cluster claims, where they were asked for.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn reconcile_lines(report: &Reconcile, out: &mut dyn Write) -> io::Result<()> {
    for binding in &report.bindings {
        let line = ReconcileLine {
            api_version: report.api_version,
            kind: report.kind,
            observed_at: report.observed_at,
            dry_run: report.dry_run,
            complete: report.complete,
            interrupted: report.interrupted,
            demo: report.demo,
            binding,
        };
        self::line(&line, out)?;
    }
    for unclaimed in report.unclaimed.iter().flatten() {
        let line = UnclaimedLine {
            api_version: report.api_version,
            kind: report.kind,
            observed_at: report.observed_at,
            dry_run: report.dry_run,
            complete: report.complete,
            demo: report.demo,
            unclaimed,
        };
        self::line(&line, out)?;
    }
    Ok(())
}

/// A group's line of `reconcile -o jsonl --prune-unclaimed`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct UnclaimedLine<'a> {
    api_version: &'static str,
    kind: &'static str,
    observed_at: Timestamp,
    dry_run: bool,
    complete: bool,
    #[serde(skip_serializing_if = "is_false")]
    demo: bool,
    unclaimed: &'a UnclaimedReport,
}

/// An item's line of a verb that changes objects.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeLine<'a> {
    api_version: &'static str,
    kind: &'static str,
    observed_at: Timestamp,
    dry_run: bool,
    complete: bool,
    timed_out: bool,
    interrupted: bool,
    #[serde(skip_serializing_if = "is_false")]
    demo: bool,
    #[serde(flatten)]
    item: &'a ItemReport,
}

/// Writes a line for each thing that was asked for.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn change_lines(report: &Changes, out: &mut dyn Write) -> io::Result<()> {
    for item in &report.items {
        let line = ChangeLine {
            api_version: report.api_version,
            kind: report.kind,
            observed_at: report.observed_at,
            dry_run: report.dry_run,
            complete: report.complete,
            timed_out: report.timed_out,
            interrupted: report.interrupted,
            demo: report.demo,
            item,
        };
        self::line(&line, out)?;
    }
    Ok(())
}

/// Writes one compact line of JSON.
///
/// # Errors
///
/// Passes on what the writer says.
pub(crate) fn line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)
}
