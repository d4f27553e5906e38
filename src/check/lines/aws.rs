//! The lines about AWS: whether it knows us, and answers what is read.

use super::{Line, failed, passed, sentence};
use crate::check::look::Look;
use crate::facts::{Silence, SilenceReason};
use crate::findings::Severity;
use crate::findings::catalogue::{AWS_CREDENTIALS, AWS_READS, AWS_UNREADABLE, Rule};
use crate::report::Verdict;

pub(super) fn aws(look: &Look) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut credentials = Vec::new();
    let mut reads = Vec::new();
    for tried in &look.aws {
        let role = tried.access.role.as_ref().map(|role| format!(" as {}", role.arn));
        let region = &tried.access.region;
        let place = if region.is_empty() { String::new() } else { format!(" in {region}") };
        let whose = format!("{}{place}", role.unwrap_or_default());
        let first = tried.calls.first().map(|(_, answer)| answer);
        if let Some(Err(silence)) = first
            && is_about_credentials(silence)
        {
            lines.push(aws_failed(&AWS_CREDENTIALS, &whose, "credentials", silence));
            continue;
        }
        credentials.push(whose.clone());
        let unread =
            tried.calls.iter().filter_map(|(call, answer)| Some((*call, answer.as_ref().err()?)));
        let mut is_fine = true;
        for (call, silence) in unread {
            is_fine = false;
            lines.push(aws_failed(
                &AWS_READS,
                &whose,
                &format!("elasticloadbalancing:{call}"),
                silence,
            ));
        }
        if is_fine {
            let calls: Vec<&str> = tried.calls.iter().map(|(call, _)| *call).collect();
            let note = if tried.groups == 0 { ", tried without a group" } else { "" };
            reads.push(format!("{}{whose}{note}", calls.join(", ")));
        }
    }
    if !credentials.is_empty() {
        let shown: Vec<String> = credentials.iter().map(|it| format!("AWS knows us{it}")).collect();
        lines.push(passed(&AWS_CREDENTIALS, sentence(&shown.join("; "))));
    }
    if !reads.is_empty() {
        lines.push(passed(&AWS_READS, sentence(&reads.join("; "))));
    }
    lines.sort_by_key(|line| line.rule.code);
    lines
}

fn is_about_credentials(silence: &Silence) -> bool {
    matches!(
        silence.reason,
        SilenceReason::Unauthorized
            | SilenceReason::InvalidConfig
            | SilenceReason::CredentialPlugin
    )
}

/// What is refused is an answer; what never came leaves it open.
fn aws_failed(rule: &'static Rule, whose: &str, what: &str, silence: &Silence) -> Line {
    let message = sentence(&format!("{what}{whose}: {}", silence.message));
    let hint = "aws sts get-caller-identity";
    if is_about_credentials(silence) || silence.reason == SilenceReason::Forbidden {
        return failed(rule, message).hint(hint);
    }
    let finding = Some((&AWS_UNREADABLE, Severity::Critical));
    Line { verdict: Verdict::Unknown, finding, ..passed(rule, message) }.hint(hint)
}
