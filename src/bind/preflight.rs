//! What must hold before a binding is written: of the Service and the group. Pure.
//!
//! What must hold of the cluster that it is written to is in [`cluster`].

mod cluster;
mod fit;
mod ledger;
mod sharing;

use super::Request;
use super::after::After;
use super::candidate::{Candidate, NoPort, source_silence};
use super::networking::{self, Found};
use super::world::World;
use crate::binding::Flavour;
use crate::change::{Check, Manifest, Verdict};
use crate::endpoints::{Endpoints, Service, ServiceType, Unresolved};
use crate::facts::{ClusterFacts, Silence, SilenceReason, TargetGroup};
use crate::findings::catalogue::{
    AWS_UNREADABLE, BACKEND_NOT_FOUND, CONTEXT_UNREACHABLE, QUOTA_NEAR, TARGET_GROUP_GONE,
};
use crate::findings::{self, counted, quoted};
use crate::view::GroupView;

/// What is looked at, and all that was read about it.
pub(super) struct Subject<'a> {
    pub(super) request: &'a Request,
    pub(super) world: &'a World,
    pub(super) candidate: &'a Candidate<'a>,
    pub(super) here: Option<&'a ClusterFacts>,
    pub(super) view: Option<&'a GroupView<'a>>,
    pub(super) manifest: Option<&'a Manifest>,
    pub(super) offer: Option<Result<&'a Endpoints, &'a Unresolved>>,
    pub(super) after: Option<&'a After>,
}

impl<'a> Subject<'a> {
    fn group(&self) -> Option<&'a TargetGroup> {
        self.view?.facts.group.as_ref().ok()
    }

    fn context(&self) -> String {
        quoted(&self.request.context)
    }

    /// What a command about an object of the namespace begins with.
    fn kubectl(&self) -> String {
        format!("kubectl --context {} -n {}", self.context(), self.candidate.namespace)
    }

    /// The Service, as messages name it.
    fn service(&self) -> String {
        let Candidate { namespace, service_name, .. } = self.candidate;
        format!("{namespace}/{service_name}")
    }
}

/// Looks at everything; the order is that in which it is told.
pub(super) fn checks(it: &Subject<'_>) -> Vec<Check> {
    let mut checks = contexts(it);
    checks.push(service(it));
    let has_endpoints = |service: &&Service| service.kind != ServiceType::ExternalName;
    checks.extend(it.candidate.service.filter(has_endpoints).map(|service| port(it, service)));
    checks.extend(group(it));
    if let (Some(group), Some(service), Ok(port)) =
        (it.group(), it.candidate.service, &it.candidate.port)
    {
        checks.push(fit::check(it, group, service, port));
    }
    checks.extend(sharing::exclusive(it));
    checks.extend(sharing::foreign(it));
    checks.extend(cluster::checks(it));
    checks.extend(binding(it));
    checks.extend(ledger::checks(it));
    checks.extend(sources(it));
    checks.extend(endpoints(it));
    checks.extend(own_load_balancer(it));
    checks.extend(room(it));
    checks
}

/// Clusters of the reading set that are not known: they may bind the group too.
fn contexts(it: &Subject<'_>) -> Vec<Check> {
    let here = it.here.map(|cluster| &cluster.context);
    let from = it.world.source(&it.request.groups).filter(|_| it.candidate.arn.is_none());
    let others = it.world.facts.clusters.iter().filter(|cluster| {
        // No yes goes on without the one that would tell which group it is.
        Some(&cluster.context) != here && from.is_none_or(|from| from.context != cluster.context)
    });
    let mut checks = Vec::new();
    if let Some((from, silence)) = from.and_then(|from| Some((from, from.silence()?))) {
        let message = format!("what {} shares is not known: {silence}", from.context);
        checks.push(Check::of(&CONTEXT_UNREACHABLE, Verdict::Unknown, message));
    }
    for cluster in others {
        let Some(silence) = cluster.silence() else { continue };
        let message =
            format!("{} was not read, and may bind the group too: {silence}", cluster.context);
        checks.push(
            Check::of(&CONTEXT_UNREACHABLE, Verdict::NeedsYes, message)
                .hint("--yes goes on without it; --observe names the contexts to read"),
        );
    }
    if checks.is_empty() {
        checks.push(Check::passed("Contexts", "every context was read"));
    }
    checks
}

fn service(it: &Subject<'_>) -> Check {
    let Candidate { namespace, service, .. } = it.candidate;
    match service {
        Some(service) if service.kind == ServiceType::ExternalName => {
            let message = format!("Service {} is a DNS alias, and has no endpoints", it.service());
            Check::of(&BACKEND_NOT_FOUND, Verdict::Refused, message)
        }
        Some(_) => Check::passed("Service", format!("Service {} is there", it.service())),
        None => match it.world.services_unread(&it.request.context, namespace) {
            Some(silence) => unknown("Service", &silence),
            None => {
                let message =
                    format!("Service {} does not exist in {}", it.service(), it.request.context);
                Check::of(&BACKEND_NOT_FOUND, Verdict::Refused, message)
                    .hint(format!("{} get services", it.kubectl()))
            }
        },
    }
}

fn port(it: &Subject<'_>, service: &Service) -> Check {
    let all = || {
        let each = service.ports.iter().map(|port| match port.name.as_str() {
            "" => port.port.to_string(),
            name => format!("{} ({name})", port.port),
        });
        networking::join(&each.collect::<Vec<_>>())
    };
    match &it.candidate.port {
        Ok(port) => Check::passed("Port", format!("port {} is there", port.port)),
        Err(NoPort::Ambiguous) => Check::refused(
            "Port",
            format!("Service {} has the ports {}, and nothing tells which", it.service(), all()),
        )
        .hint("choose one with --port"),
        Err(_) if service.ports.is_empty() => {
            let message = format!("Service {} has no ports", it.service());
            Check::of(&BACKEND_NOT_FOUND, Verdict::Refused, message)
        }
        Err(NoPort::Missing(port)) => {
            let message = format!("Service {} has no port {port}, but {}", it.service(), all());
            Check::of(&BACKEND_NOT_FOUND, Verdict::Refused, message).hint("choose one with --port")
        }
        Err(NoPort::NoService) => Check::refused("Port", "the Service is not known"),
    }
}

/// The group; nothing where the cluster that would tell which was not read.
fn group(it: &Subject<'_>) -> Option<Check> {
    let Some(arn) = &it.candidate.arn else {
        let from = it.request.groups.source()?;
        if source_silence(it.request, it.world).is_some() {
            return None;
        }
        let message = format!("{from} binds no target group to Service {}", it.service());
        let hint = format!("kubectl mctg status --all --context {}", quoted(from));
        return Some(Check::refused("TargetGroup", message).hint(hint));
    };
    Some(match it.view.map(|view| &view.facts.group) {
        Some(Ok(group)) => {
            let protocol = group.protocol.as_deref().unwrap_or("no protocol");
            let message = format!("{} is there: {}, {protocol}", arn.name(), group.target_type);
            Check::passed("TargetGroup", message)
        }
        Some(Err(silence)) if silence.reason == SilenceReason::NotFound => {
            let message = format!("{arn} does not exist in the account that was asked: {silence}");
            Check::of(&TARGET_GROUP_GONE, Verdict::Refused, message)
        }
        Some(Err(silence)) => {
            let message = format!("{} could not be read: {silence}", arn.name());
            Check::of(&AWS_UNREADABLE, Verdict::Unknown, message)
        }
        None => Check::of(&AWS_UNREADABLE, Verdict::Unknown, format!("{arn} was not read")),
    })
}

/// The binding that joins the two already, and who else has its name.
fn binding(it: &Subject<'_>) -> Option<Check> {
    let manifest = it.manifest?;
    if let Some(existing) = it.candidate.existing {
        let name = format!("{}/{}", existing.binding.namespace, existing.binding.name);
        if existing.binding.is_being_deleted() {
            let message = format!("{name} binds it and is being deleted");
            return Some(Check::refused("Binding", message).hint("run it again once that is gone"));
        }
        if existing.binding.spec == manifest.spec {
            return Some(Check::passed("Binding", format!("{name} binds it already")));
        }
        let message = format!("{name} binds it already, and differs");
        return Some(Check::new("Binding", Verdict::NeedsYes, message));
    }
    let taken = match &it.world.bindings {
        Err(silence) => return Some(unknown("Name", silence)),
        Ok(bindings) => bindings
            .iter()
            .find(|it| it.namespace == manifest.namespace && it.name == manifest.name),
    };
    Some(match taken {
        None => Check::passed("Name", format!("{} is free", manifest.name)),
        Some(other) => {
            let group = match other.spec.target_group_arn.rsplit('/').nth(1) {
                Some(name) => name,
                None => other.spec.target_group_name.as_str(),
            };
            let message = format!(
                "{}/{} is there already: it binds svc/{} to {group}",
                other.namespace, other.name, other.spec.service_ref.name
            );
            Check::refused("Name", message).hint("choose another with --name")
        }
    })
}

/// Who may reach the targets.
fn sources(it: &Subject<'_>) -> Option<Check> {
    if it.candidate.existing.is_some() || it.group().is_none() {
        return None;
    }
    Some(match networking::find(it.request, it.world, it.candidate) {
        Found::Peers(peers, _) => {
            let message = format!("{} may reach the targets", counted(peers.len(), "source"));
            Check::passed("Sources", message)
        }
        Found::Unmanaged => Check::passed("Sources", "who may reach the targets is up to others"),
        Found::Unknown(silence) => unknown("Sources", &silence),
        Found::Nothing => Check::refused(
            "Sources",
            "nothing tells who may reach the targets: no binding of the group lets anybody in, and the load balancer \
             has no security group",
        )
        .hint("say who with --source-security-group or --source-cidr, or --no-networking where rules are made elsewhere"),
    })
}

/// What would be registered, and whether anybody else claims it.
fn endpoints(it: &Subject<'_>) -> Vec<Check> {
    let offer = match it.offer {
        None => return Vec::new(),
        Some(Err(Unresolved::Silent(silence))) => return vec![unknown("Endpoints", silence)],
        Some(Err(unresolved)) => {
            return vec![Check::refused("Endpoints", unresolved.to_string())];
        }
        Some(Ok(offer)) => offer,
    };
    let number = offer.registrable().count();
    let mut checks = vec![match number {
        0 => Check::new("Endpoints", Verdict::Warning, "nothing is ready to be registered"),
        _ => Check::passed("Endpoints", format!("{} to register", counted(number, "target"))),
    }];
    let left = offer.desired.len() - number;
    if left > 0 {
        let message = format!("{} that the group cannot take", counted(left, "endpoint"));
        checks.push(Check::new("Endpoints", Verdict::Warning, message));
    }
    checks.extend(sharing::contested(it, offer));
    checks
}

/// A Service of type LoadBalancer serves through its own too.
fn own_load_balancer(it: &Subject<'_>) -> Option<Check> {
    let service = it.candidate.service?;
    let generated = it.candidate.existing.is_some_and(|it| it.binding.owner().is_some());
    if service.kind != ServiceType::LoadBalancer || generated {
        return None;
    }
    let message = format!(
        "Service {} is of type LoadBalancer: it has a load balancer of its own, which goes on serving it",
        it.service()
    );
    Some(Check::new("OwnLoadBalancer", Verdict::Warning, message))
}

/// Whether the group can take as many, and what happens until they were checked.
fn room(it: &Subject<'_>) -> Vec<Check> {
    const NEAR_PERCENT: usize = 80;
    let mut checks = Vec::new();
    let Some(after) = it.after else { return checks };
    if let (Some(targets), Ok(limit)) = (after.targets, usize::try_from(after.limit)) {
        let message = format!("the group will hold {targets} targets of {limit} allowed");
        checks.push(match targets * 100 > limit * NEAR_PERCENT {
            true => Check::of(&QUOTA_NEAR, Verdict::Warning, message),
            false => Check::passed(QUOTA_NEAR.name, message),
        });
    }
    let controller = it.here.and_then(|it| it.controller_of(Flavour::LoadBalancerController));
    if let (Some(targets), Some(max)) = (after.targets, controller.and_then(|it| it.max_targets))
        && targets > max
    {
        let message = format!(
            "the controller here registers up to {max} in all (--max-targets-per-target-group), and the group will hold \
             {targets}"
        );
        checks.push(Check::new("ControllerLimit", Verdict::Warning, message));
    }
    if let Some((at_first, percent, then)) = after.dip() {
        let message = format!(
            "until the new targets are checked {at_first}% of the group is healthy, and under {percent}% {then}"
        );
        checks.push(Check::new("MinimumHealth", Verdict::Warning, message));
    }
    if let Some(finding) = it.view.and_then(findings::unreached) {
        let mut check = Check::new(finding.name, Verdict::Warning, finding.message);
        check.code = Some(finding.code);
        checks.push(check);
    }
    checks
}

/// What could not be read.
fn unknown(name: &'static str, silence: &Silence) -> Check {
    Check::new(name, Verdict::Unknown, silence.message.clone())
}
