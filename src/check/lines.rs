//! The lines of one context: what each check makes of what was seen. Pure.

mod aws;
mod controller;

use jiff::SignedDuration;

use self::aws::aws;
use self::controller::{at_work, binding_type, bugs, controller, flags, webhook};
use super::Options;
use super::look::Look;
use super::permitted::{Granted, Missing};
use crate::facts::{Silence, SilenceReason};
use crate::findings::catalogue::{
    BOUND, CLOCKS, CONTEXT_UNREACHABLE, FORBIDDEN, PERMISSIONS, REACHABLE, Rule, SERVICE_ACCOUNT,
};
use crate::findings::{Severity, quoted};
use crate::report::Verdict;

/// How far clocks may be apart: with more, what is younger than a minute is not told from what is
/// older (`product.md` 3), and Leases are not told fresh from stale by our clock.
const APART_MAX: SignedDuration = SignedDuration::from_secs(30);

/// AWS takes no request that was signed longer ago than this (Signature Version 4).
const SIGNED_MAX: SignedDuration = SignedDuration::from_mins(5);

/// What came of one check.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) rule: &'static Rule,
    pub(super) verdict: Verdict,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// As what it is found, and how bad it is; none where it passed.
    pub(super) finding: Option<(&'static Rule, Severity)>,
}

fn passed(rule: &'static Rule, message: impl Into<String>) -> Line {
    Line { rule, verdict: Verdict::Passed, message: message.into(), hint: None, finding: None }
}

fn warning(rule: &'static Rule, message: impl Into<String>) -> Line {
    let finding = Some((rule, Severity::Warning));
    Line { verdict: Verdict::Warning, finding, ..passed(rule, message) }
}

fn failed(rule: &'static Rule, message: impl Into<String>) -> Line {
    let finding = Some((rule, Severity::Critical));
    Line { verdict: Verdict::Failed, finding, ..passed(rule, message) }
}

impl Line {
    fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// What decides a check was not told: that is found as what could not be read.
fn unknown(rule: &'static Rule, look: &Look, silence: &Silence) -> Line {
    let (told_as, hint) = if silence.reason == SilenceReason::Forbidden {
        (&FORBIDDEN, format!("{} auth can-i --list", kubectl(look)))
    } else {
        (&CONTEXT_UNREACHABLE, format!("{} get --raw /readyz", kubectl(look)))
    };
    let finding = Some((told_as, Severity::Critical));
    let line = passed(rule, sentence(&silence.message));
    Line { verdict: Verdict::Unknown, finding, ..line }.hint(hint)
}

/// The lines of a context, by code. `all` is every context, this one too.
pub(super) fn of(look: &Look, all: &[Look], options: &Options) -> Vec<Line> {
    let server = match &look.server {
        Ok(server) => server,
        // Nothing else can be told, and what hides it is told once.
        Err(silence) => {
            let line = unknown(&REACHABLE, look, silence);
            return vec![Line { verdict: Verdict::Failed, ..line }];
        }
    };
    let reachable = passed(&REACHABLE, format!("Kubernetes {}.", server.version));
    let mut lines = vec![reachable, binding_type(look)];
    lines.push(controller(look, options));
    if let Some(controller) = at_work(look) {
        lines.push(flags(look, all, controller));
        lines.extend(bugs(look, options, controller));
    }
    lines.push(webhook(look));
    lines.extend(permissions(look));
    lines.extend(service_account(look, options));
    lines.extend(bound(look, options));
    lines.extend(aws(look));
    lines.push(clocks(look));
    lines
}

fn permissions(look: &Look) -> Vec<Line> {
    match &look.own {
        Err(silence) => vec![unknown(&PERMISSIONS, look, silence)],
        Ok(verbs) => verbs
            .iter()
            .map(|granted| {
                let may = |what: &str| format!("This user {what} run {}", granted.verbs);
                let severe = !granted.writes;
                grants(&PERMISSIONS, &may("may"), &may("may not"), granted, severe)
                    .hint_where_not_passed(|| format!("{} auth can-i --list", kubectl(look)))
            })
            .collect(),
    }
}

fn service_account(look: &Look, options: &Options) -> Option<Line> {
    let account = options.service_account.as_ref()?;
    Some(match look.account.as_ref()? {
        Err(silence) => unknown(&SERVICE_ACCOUNT, look, silence),
        Ok(granted) => {
            let may = |what: &str| format!("The ServiceAccount {account} {what} run reconcile");
            let hint = || {
                format!(
                    "{} auth can-i --list --as {} -n {}",
                    kubectl(look),
                    account.user(),
                    account.namespace
                )
            };
            grants(&SERVICE_ACCOUNT, &may("may"), &may("may not"), granted, true)
                .hint_where_not_passed(hint)
        }
    })
}

impl Line {
    fn hint_where_not_passed(self, hint: impl FnOnce() -> String) -> Self {
        if self.finding.is_some() { self.hint(hint()) } else { self }
    }
}

/// Judges what is granted; what a verb does without is told, and is nothing wrong.
fn grants(rule: &'static Rule, may: &str, may_not: &str, granted: &Granted, severe: bool) -> Line {
    let (required, optional): (Vec<&Missing>, Vec<&Missing>) =
        granted.missing.iter().partition(|missing| missing.is_required());
    let list = |all: &[&Missing]| -> String {
        all.iter().map(|missing| missing.describe()).collect::<Vec<_>>().join("; ")
    };
    let optional = if optional.is_empty() {
        String::new()
    } else {
        format!(" Done without: {}.", list(&optional))
    };
    if required.is_empty() {
        return passed(rule, format!("{may}.{optional}"));
    }
    let message = format!("{may_not}. Missing: {}.{optional}", list(&required));
    if severe { failed(rule, message) } else { warning(rule, message) }
}

fn bound(look: &Look, options: &Options) -> Option<Line> {
    // Without the type there is nothing that could be bound, and that was said.
    if look.serves == Ok(false) && look.serves_auto_mode != Ok(true) {
        return None;
    }
    let bindings = match (&look.bindings, look.hidden.first()) {
        (Err(silence), _) | (Ok(_), Some(silence)) => return Some(unknown(&BOUND, look, silence)),
        (Ok(bindings), None) => bindings,
    };
    let shared = bindings.iter().filter(|it| it.spec.multi_cluster_target_group).count();
    let place =
        options.namespace.as_ref().map_or_else(String::new, |it| format!(" in namespace {it}"));
    Some(match bindings.len() {
        0 if options.pre => passed(&BOUND, format!("Nothing is bound{place}, nor needs to be.")),
        0 => {
            let hint = format!("kubectl mctg check --pre --context {}", quoted(&look.context));
            warning(&BOUND, format!("Nothing is bound{place} yet.")).hint(hint)
        }
        count => passed(
            &BOUND,
            format!("{}{place}, {shared} of them multi-cluster.", counted(count, "binding")),
        ),
    })
}

fn clocks(look: &Look) -> Line {
    let Some(ahead) = look.ahead else {
        return Line {
            verdict: Verdict::Unknown,
            finding: Some((&CLOCKS, Severity::Info)),
            ..passed(&CLOCKS, "The API server told no time: how far its clock is off is not known.")
        };
    };
    let off = ahead.abs();
    if off <= APART_MAX {
        return passed(&CLOCKS, "Its clock and ours agree.");
    }
    let direction = if ahead.is_positive() { "ahead of" } else { "behind" };
    let seconds = off.as_secs();
    let by = if seconds < 120 { format!("{seconds} s") } else { format!("{} min", seconds / 60) };
    let message = format!("Its clock is {by} {direction} ours.");
    let line = if off > SIGNED_MAX {
        let message = format!("{message} Where ours is the wrong one, AWS refuses what we sign.");
        failed(&CLOCKS, message)
    } else {
        let message = format!("{message} How old something is, is judged wrongly by that much.");
        warning(&CLOCKS, message)
    };
    line.hint("date -u")
}

fn kubectl(look: &Look) -> String {
    format!("kubectl --context {}", quoted(&look.context))
}

fn counted(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

fn sentence(fragment: &str) -> String {
    let ended = fragment.ends_with(['.', '?', '!', '…']);
    if ended { fragment.to_owned() } else { format!("{fragment}.") }
}

fn capital(fragment: &str) -> String {
    let mut rest = fragment.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}
