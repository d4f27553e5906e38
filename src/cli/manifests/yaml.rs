//! YAML with a comment above each rule.

use std::io::{self, Write};

use serde_json::Value;

use super::Document;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Writes documents one after the other.
pub(super) fn write(documents: &[Document], out: &mut dyn Write) -> io::Result<()> {
    let reconciles = documents.iter().any(|document| document.object["kind"] == "CronJob");
    if reconciles {
        writeln!(out, "# kubectl-mctg {VERSION}: reconcile in a cluster.")?;
        writeln!(out, "# The IAM policy it needs: the same command with --iam-policy.")?;
    } else {
        writeln!(out, "# kubectl-mctg {VERSION}: be read by a run in another cluster.")?;
    }
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            writeln!(out, "---")?;
        }
        one(document, out)?;
    }
    Ok(())
}

fn one(document: &Document, out: &mut dyn Write) -> io::Result<()> {
    let mut object = document.object.clone();
    let rules = match object.as_object_mut() {
        Some(fields) if !document.comments.is_empty() => fields.remove("rules"),
        _ => None,
    };
    out.write_all(text(&object)?.as_bytes())?;
    let Some(Value::Array(rules)) = rules else { return Ok(()) };
    writeln!(out, "rules:")?;
    for (rule, comment) in rules.into_iter().zip(&document.comments) {
        for line in comment {
            writeln!(out, "  # {line}")?;
        }
        for line in text(&Value::Array(vec![rule]))?.lines() {
            writeln!(out, "  {line}")?;
        }
    }
    Ok(())
}

fn text(value: &Value) -> io::Result<String> {
    let mut text = serde_saphyr::to_string(value).map_err(io::Error::other)?;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}
