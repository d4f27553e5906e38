//! The lines about what works in a cluster: its type, its controller, that one's flags, bugs and webhook.

use super::{Line, capital, counted, failed, kubectl, passed, sentence, unknown, warning};
use crate::binding::Flavour;
use crate::check::Options;
use crate::check::look::Look;
use crate::facts::{Aliveness, Controller, Silence, SilenceReason, Webhook};
use crate::findings::catalogue::{
    BINDING_TYPE, CONTROLLER_FLAGS, CONTROLLER_READY, KNOWN_BUGS, WEBHOOK_SERVED,
};
use crate::findings::{Severity, quoted};
use crate::known_bugs::{self, KnownBug, Uses};

/// The file with the CRDs of the newest chart, as the controller's installation guide names it (LBC
/// 3.5, `docs/deploy/installation.md`). Helm installs it and never upgrades it.
const CRDS: &str = "https://raw.githubusercontent.com/aws/eks-charts/master/stable/\
                    aws-load-balancer-controller/crds/crds.yaml";

/// The release with which groups could be shared.
const SHARES_SINCE: [u32; 3] = [2, 10, 0];

pub(super) fn binding_type(look: &Look) -> Line {
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
pub(super) fn at_work(look: &Look) -> Option<&Controller> {
    let found = look.controllers.as_ref().ok()?.iter();
    let is_at_work = |it: &&Controller| {
        it.flavour == Flavour::LoadBalancerController && it.alive != Aliveness::Absent
    };
    found.filter(is_at_work).max_by_key(|it| it.alive)
}

pub(super) fn controller(look: &Look, options: &Options) -> Line {
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

pub(super) fn flags(look: &Look, all: &[Look], controller: &Controller) -> Line {
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

pub(super) fn bugs(look: &Look, options: &Options, controller: &Controller) -> Option<Line> {
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

pub(super) fn webhook(look: &Look) -> Line {
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
