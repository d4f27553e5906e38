//! The lines of one context: what each check makes of what was seen. Pure.

use jiff::SignedDuration;

use super::Options;
use super::look::Look;
use super::permitted::{Granted, Missing};
use crate::binding::Flavour;
use crate::facts::{Aliveness, Controller, Silence, SilenceReason, Webhook};
use crate::findings::catalogue::{
    AWS_CREDENTIALS, AWS_READS, AWS_UNREADABLE, BINDING_TYPE, BOUND, CLOCKS, CONTEXT_UNREACHABLE,
    CONTROLLER_FLAGS, CONTROLLER_READY, FORBIDDEN, KNOWN_BUGS, PERMISSIONS, REACHABLE, Rule,
    SERVICE_ACCOUNT, WEBHOOK_SERVED,
};
use crate::findings::{Severity, quoted};
use crate::known_bugs::{self, KnownBug, Uses};
use crate::report::Verdict;

/// The file with the CRDs of the newest chart, as the controller's installation guide names it (LBC
/// 3.5, `docs/deploy/installation.md`). Helm installs it and never upgrades it.
const CRDS: &str = "https://raw.githubusercontent.com/aws/eks-charts/master/stable/\
                    aws-load-balancer-controller/crds/crds.yaml";

/// The release with which groups could be shared.
const SHARES_SINCE: [u32; 3] = [2, 10, 0];

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

fn binding_type(look: &Look) -> Line {
    let line = kubectl(look);
    let apply = format!("{line} apply --server-side --force-conflicts -f {CRDS}");
    match (&look.serves, &look.has_flag) {
        (Ok(false), _) if look.serves_auto_mode == Ok(true) => passed(
            &BINDING_TYPE,
            "Only EKS Auto Mode's TargetGroupBinding is there; it is read and reported, not written.",
        ),
        (Ok(false), _) => failed(
            &BINDING_TYPE,
            "The type TargetGroupBinding (elbv2.k8s.aws) is not there: its CRD is not installed.",
        )
        .hint(apply),
        (Err(silence), _) | (Ok(true), Err(silence)) => unknown(&BINDING_TYPE, look, silence),
        (Ok(true), Ok(false)) => failed(
            &BINDING_TYPE,
            "The type TargetGroupBinding has no multiClusterTargetGroup: no binding here can share a group. Its CRD \
             is older than 2.10; Helm does not upgrade CRDs.",
        )
        .hint(apply),
        (Ok(true), Ok(true)) => {
            passed(&BINDING_TYPE, "TargetGroupBinding has multiClusterTargetGroup.")
        }
    }
}

/// The AWS Load Balancer Controller that is at work, or may be.
fn at_work(look: &Look) -> Option<&Controller> {
    let found = look.controllers.as_ref().ok()?.iter();
    let is_at_work = |it: &&Controller| {
        it.flavour == Flavour::LoadBalancerController && it.alive != Aliveness::Absent
    };
    found.filter(is_at_work).max_by_key(|it| it.alive)
}

fn controller(look: &Look, options: &Options) -> Line {
    let found = match &look.controllers {
        Ok(found) => found,
        Err(silence) => return unknown(&CONTROLLER_READY, look, silence),
    };
    let line = kubectl(look);
    let Some(controller) = at_work(look) else {
        if look.serves_auto_mode == Ok(true) && look.serves != Ok(true) {
            return passed(&CONTROLLER_READY, "EKS Auto Mode, which runs outside of the cluster.");
        }
        let is_installed = found.iter().any(|it| it.flavour == Flavour::LoadBalancerController);
        let message = if is_installed {
            "The AWS Load Balancer Controller is scaled to 0."
        } else {
            "The AWS Load Balancer Controller is not installed."
        };
        let hint = if is_installed {
            format!(
                "{line} -n kube-system scale deployment aws-load-balancer-controller --replicas=2"
            )
        } else {
            format!(
                "helm --kube-context {} upgrade --install aws-load-balancer-controller \
                 eks/aws-load-balancer-controller -n kube-system --set clusterName={}",
                quoted(&look.context),
                look.eks_name.as_deref().map_or_else(|| "NAME".to_owned(), quoted)
            )
        };
        let stand_in = look.reconcilers.iter().find(|reconciler| !reconciler.suspended);
        return match stand_in {
            Some(reconciler) if !options.pre => passed(
                &CONTROLLER_READY,
                format!("No controller; the CronJob {reconciler} is there in its place."),
            ),
            None if !options.pre => warning(&CONTROLLER_READY, message).hint(hint),
            _ => failed(&CONTROLLER_READY, message).hint(hint),
        };
    };
    let version = controller.version.as_deref();
    let name = format!("AWS Load Balancer Controller {}", version.unwrap_or("of unknown version"));
    let evidence = &controller.evidence;
    if controller.is_before(SHARES_SINCE) == Some(true) {
        return failed(
            &CONTROLLER_READY,
            format!("{name} takes out of a group whatever is not its own: sharing takes 2.10."),
        )
        .hint(format!(
            "helm --kube-context {} upgrade aws-load-balancer-controller eks/aws-load-balancer-controller \
             -n kube-system --reuse-values",
            quoted(&look.context)
        ));
    }
    let pods = format!("{line} get pods -A -l app.kubernetes.io/name=aws-load-balancer-controller");
    match controller.alive {
        Aliveness::Alive => passed(&CONTROLLER_READY, format!("{name}: {evidence}.")),
        _ if controller.is_down => {
            failed(&CONTROLLER_READY, format!("{name} is not at work: {evidence}.")).hint(pods)
        }
        _ => {
            let message = format!("whether {name} is at work is not certain: {evidence}");
            let silence = Silence::new(SilenceReason::Forbidden, message);
            unknown(&CONTROLLER_READY, look, &silence)
        }
    }
}

fn flags(look: &Look, all: &[Look], controller: &Controller) -> Line {
    let mut wrong: Vec<String> = Vec::new();
    let mut told: Vec<String> = Vec::new();
    if let Some(name) = &controller.cluster_name {
        told.push(format!("--cluster-name {name}"));
        if let Some(eks_name) = &look.eks_name
            && eks_name != name
        {
            wrong.push(format!(
                "its --cluster-name is {name}, and the cluster is {eks_name} to EKS: what it makes is tagged with the \
                 wrong name"
            ));
        }
        let twin = all.iter().find(|other| {
            other
                .identity
                .as_ref()
                .ok()
                .zip(look.identity.as_ref().ok())
                .is_some_and(|(a, b)| a != b)
                && at_work(other).and_then(|it| it.cluster_name.as_ref()) == Some(name)
        });
        if let Some(twin) = twin {
            wrong.push(format!(
                "the controller of {} has the same --cluster-name {name}: each takes the other's load balancers and \
                 rules for its own",
                twin.context
            ));
        }
    }
    if let Some(namespace) = &controller.watch_namespace {
        let left_out = look.bindings.iter().flatten().filter(|binding| {
            binding.flavour == Flavour::LoadBalancerController && binding.namespace != *namespace
        });
        match left_out.count() {
            0 => told.push(format!("--watch-namespace {namespace}")),
            count => wrong.push(format!(
                "its --watch-namespace is {namespace}: {} elsewhere nobody serves",
                counted(count, "binding")
            )),
        }
    }
    if let Some(limit) = controller.max_targets {
        told.push(format!("--max-targets-per-target-group {limit}"));
    }
    let (by_flag, by_version): (Vec<_>, Vec<_>) =
        controller.differs.iter().map(|it| it.how.clone()).partition(|how| how.starts_with("its "));
    wrong.extend(by_flag);
    told.extend(by_version);
    if wrong.is_empty() {
        let told = if told.is_empty() {
            "Nothing out of the ordinary".to_owned()
        } else {
            told.join("; ")
        };
        passed(&CONTROLLER_FLAGS, sentence(&told))
    } else {
        let hint = format!(
            "{} get deployments -A -l app.kubernetes.io/name=aws-load-balancer-controller -o yaml",
            kubectl(look)
        );
        warning(&CONTROLLER_FLAGS, sentence(&capital(&wrong.join("; ")))).hint(hint)
    }
}

fn bugs(look: &Look, options: &Options, controller: &Controller) -> Option<Line> {
    // One that knows nothing of sharing was told of already.
    let version = controller.version.as_deref()?;
    if controller.is_before(SHARES_SINCE) == Some(true) {
        return None;
    }
    let uses = match &look.bindings {
        Ok(bindings) if !options.pre || !bindings.is_empty() => Uses::of(bindings),
        _ => Uses::ALL,
    };
    let found = known_bugs::known_bugs(Some(version), &uses);
    let Some(worst) = found.first() else {
        return Some(passed(&KNOWN_BUGS, format!("None of {version} that matters here.")));
    };
    let describe = |bug: &&KnownBug| {
        let fixed =
            bug.fixed_in().map_or_else(String::new, |release| format!("; mended in {release}"));
        format!("#{}: {}{fixed}. Until then {}.", bug.issue, bug.what, bug.meanwhile)
    };
    let text: Vec<String> = found.iter().map(describe).collect();
    let text = format!("{version} has {}. {}", counted(found.len(), "known bug"), text.join(" "));
    let upgrade = format!(
        "helm --kube-context {} upgrade aws-load-balancer-controller eks/aws-load-balancer-controller -n kube-system \
         --reuse-values",
        quoted(&look.context)
    );
    let is_mended = found.iter().any(|bug| bug.severity == worst.severity && bug.fixed.is_some());
    let line = match worst.severity {
        Severity::Info => passed(&KNOWN_BUGS, text),
        Severity::Warning => warning(&KNOWN_BUGS, text),
        Severity::Critical => failed(&KNOWN_BUGS, text),
    };
    Some(if is_mended && line.finding.is_some() { line.hint(upgrade) } else { line })
}

fn webhook(look: &Look) -> Line {
    match &look.webhook {
        Err(silence) => unknown(&WEBHOOK_SERVED, look, silence),
        Ok(Webhook::Served) => passed(&WEBHOOK_SERVED, "Somebody answers when a binding is written."),
        Ok(Webhook::Absent) => {
            passed(&WEBHOOK_SERVED, "There is none: bindings are stored as they are sent.")
        }
        Ok(Webhook::Unserved(why)) => failed(
            &WEBHOOK_SERVED,
            format!(
                "No binding can be created, changed or nudged: {why}, and the API server asks it about each."
            ),
        )
        .hint(format!(
            "{} get pods -A -l app.kubernetes.io/name=aws-load-balancer-controller",
            kubectl(look)
        )),
    }
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

fn aws(look: &Look) -> Vec<Line> {
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
