//! Which Service goes with which group, by which port, and under which name. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::world::World;
use super::{Groups, Request, Services};
use crate::binding::{Flavour, PortRef};
use crate::endpoints::{Service, ServicePort, service_port};
use crate::facts::{BindingFacts, ClusterFacts, Silence};
use crate::target::TargetGroupArn;

/// A candidate by namespace, Service and group.
pub(super) type Key = (String, String, Option<TargetGroupArn>);

/// A Service and a group that are to be joined.
#[derive(Clone, Debug)]
pub(super) struct Candidate<'a> {
    pub(super) namespace: String,
    pub(super) service_name: String,
    /// The Service here; none where there is none, or it is not known.
    pub(super) service: Option<&'a Service>,
    /// The group; none where nothing tells which.
    pub(super) arn: Option<TargetGroupArn>,
    /// The binding that joins them already.
    pub(super) existing: Option<&'a BindingFacts>,
    /// The Service's port.
    pub(super) port: Result<&'a ServicePort, NoPort>,
    /// The binding's name.
    pub(super) name: String,
}

/// Why the port is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoPort {
    /// The Service is not there, or not known.
    NoService,
    /// It has no such port.
    Missing(PortRef),
    /// It has several, and nothing tells which.
    Ambiguous,
}

impl Candidate<'_> {
    pub(super) fn key(&self) -> Key {
        (self.namespace.clone(), self.service_name.clone(), self.arn.clone())
    }

    /// As it was named.
    pub(super) fn named(&self) -> String {
        format!("svc/{}", self.service_name)
    }
}

/// All that was asked for, by namespace, Service and group.
pub(super) fn all<'a>(request: &Request, world: &'a World) -> Vec<Candidate<'a>> {
    let mut taken = names_taken(world);
    let mut found = Vec::new();
    for (namespace, service_name) in services(request, world) {
        for arn in groups(request, world, &namespace, &service_name) {
            let candidate = one(request, world, &namespace, &service_name, arn, &taken);
            taken.entry((namespace.clone(), candidate.name.clone())).or_insert_with(|| {
                candidate.arn.as_ref().map(ToString::to_string).unwrap_or_default()
            });
            found.push(candidate);
        }
    }
    found
}

/// The bindings here by namespace and name, each with its group's ARN as it is written.
fn names_taken(world: &World) -> BTreeMap<(String, String), String> {
    let bindings = world.bindings.iter().flatten();
    bindings
        .map(|it| ((it.namespace.clone(), it.name.clone()), it.spec.target_group_arn.clone()))
        .collect()
}

/// The Services that were asked for.
fn services(request: &Request, world: &World) -> BTreeSet<(String, String)> {
    match &request.services {
        Services::Named(names) => names.clone(),
        Services::Chosen { namespace, labels } => {
            let there = world.source(&request.groups);
            let shared = bindings(there).filter(|binding| is_shared(binding));
            shared
                .map(|it| (it.binding.namespace.clone(), it.binding.spec.service_ref.name.clone()))
                .filter(|(of, _)| namespace.as_ref().is_none_or(|only| only == of))
                .filter(|(of, name)| {
                    let here = world.service(&request.context, of, name);
                    here.is_some_and(|service| labels.selects(&service.labels))
                })
                .collect()
        }
    }
}

/// The groups that a Service is to be bound to; where nothing tells which, none once.
fn groups(
    request: &Request,
    world: &World,
    namespace: &str,
    service: &str,
) -> Vec<Option<TargetGroupArn>> {
    match &request.groups {
        Groups::Arns(arns) => arns.iter().cloned().map(Some).collect(),
        Groups::From(context) => {
            let of_service = |it: &&BindingFacts| is_of(it, namespace, service) && it.group.is_ok();
            let all: Vec<&BindingFacts> =
                bindings(world.cluster(context)).filter(of_service).collect();
            let shared: BTreeSet<_> = all
                .iter()
                .filter(|it| is_shared(it))
                .flat_map(|it| it.group.clone().ok())
                .collect();
            // What is not shared yet is refused by its name.
            let groups = if shared.is_empty() {
                all.iter().flat_map(|it| it.group.clone().ok()).collect()
            } else {
                shared
            };
            let mut groups: Vec<_> = groups.into_iter().map(Some).collect();
            if groups.is_empty() {
                groups.push(None);
            }
            groups
        }
    }
}

fn is_of(binding: &BindingFacts, namespace: &str, service: &str) -> bool {
    binding.binding.namespace == namespace && binding.binding.spec.service_ref.name == service
}

fn is_shared(binding: &BindingFacts) -> bool {
    binding.binding.spec.multi_cluster_target_group && !binding.binding.is_being_deleted()
}

fn bindings(cluster: Option<&ClusterFacts>) -> impl Iterator<Item = &BindingFacts> {
    cluster.into_iter().flat_map(ClusterFacts::bindings)
}

fn one<'a>(
    request: &Request,
    world: &'a World,
    namespace: &str,
    service_name: &str,
    arn: Option<TargetGroupArn>,
    taken: &BTreeMap<(String, String), String>,
) -> Candidate<'a> {
    let here = world.cluster(&request.context);
    let existing = bindings(here).find(|it| {
        is_of(it, namespace, service_name)
            && it.group.as_ref().ok() == arn.as_ref()
            && arn.is_some()
            && it.binding.flavour == Flavour::LoadBalancerController
    });
    let service = world.service(&request.context, namespace, service_name);
    let port = match service {
        None => Err(NoPort::NoService),
        Some(service) => port(request, world, service, arn.as_ref(), existing),
    };
    let name = name(request, service_name, port.as_ref().ok().copied(), &arn, existing, |name| {
        taken.contains_key(&(namespace.to_owned(), name.to_owned()))
    });
    Candidate {
        namespace: namespace.to_owned(),
        service_name: service_name.to_owned(),
        service,
        arn,
        existing,
        port,
        name,
    }
}

/// The port: as asked for, else that of the binding that is there, else the one that goes by the same
/// name or number where the group is bound already, else the only one.
fn port<'a>(
    request: &Request,
    world: &World,
    service: &'a Service,
    arn: Option<&TargetGroupArn>,
    existing: Option<&BindingFacts>,
) -> Result<&'a ServicePort, NoPort> {
    if let Some(asked) = &request.port {
        return find(service, asked).ok_or_else(|| NoPort::Missing(asked.clone()));
    }
    if let Some(existing) = existing
        && let Some(port) = service_port(service, &existing.binding.spec.service_ref.port)
    {
        return Ok(port);
    }
    let mut missing = None;
    for (cluster, binding) in elsewhere(request, world, service, arn) {
        let port = &binding.binding.spec.service_ref.port;
        let there = world.service(
            &cluster.context,
            &binding.binding.namespace,
            &binding.binding.spec.service_ref.name,
        );
        let by_name = there
            .and_then(|there| service_port(there, port))
            .filter(|port| !port.name.is_empty())
            .and_then(|port| service.ports.iter().find(|own| own.name == port.name));
        let number = there.and_then(|there| service_port(there, port)).map(|port| port.port);
        let by_number = || {
            let number = number.map(|number| PortRef::Number(number.into()));
            service_port(service, number.as_ref().unwrap_or(port))
        };
        match by_name.or_else(by_number) {
            Some(port) => return Ok(port),
            None => missing = missing.or_else(|| Some(port.clone())),
        }
    }
    match &service.ports[..] {
        [only] => Ok(only),
        [] => Err(NoPort::Missing(missing.unwrap_or_default())),
        _ => Err(missing.map_or(NoPort::Ambiguous, NoPort::Missing)),
    }
}

/// A port as it is written on a command line: a number, or a name.
fn find<'a>(service: &'a Service, asked: &PortRef) -> Option<&'a ServicePort> {
    service_port(service, asked)
}

/// The bindings of the group elsewhere that tell a port: those of the context it is taken from, else
/// those of the same Service, else any.
fn elsewhere<'w>(
    request: &Request,
    world: &'w World,
    service: &Service,
    arn: Option<&TargetGroupArn>,
) -> Vec<(&'w ClusterFacts, &'w BindingFacts)> {
    let here = world.cluster(&request.context).map(|cluster| &cluster.context);
    let from = world.source(&request.groups).map(|cluster| &cluster.context);
    let others = world.facts.clusters.iter().filter(|it| Some(&it.context) != here);
    let mut all: Vec<(&ClusterFacts, &BindingFacts)> = others
        .flat_map(|cluster| cluster.bindings().map(move |binding| (cluster, binding)))
        .filter(|(_, binding)| binding.group.as_ref().ok() == arn && arn.is_some())
        .collect();
    let rank = |(cluster, binding): &(&ClusterFacts, &BindingFacts)| {
        (Some(&cluster.context) != from, !is_of(binding, &service.namespace, &service.name))
    };
    all.sort_by_key(rank);
    all
}

/// The name: as asked for, else that of the binding that is there, else `<service>-<port>`, and on a
/// clash the end of the group's ARN with it.
fn name(
    request: &Request,
    service: &str,
    port: Option<&ServicePort>,
    arn: &Option<TargetGroupArn>,
    existing: Option<&BindingFacts>,
    is_taken: impl Fn(&str) -> bool,
) -> String {
    const SUFFIX: usize = 6;
    if let Some(existing) = existing {
        return existing.binding.name.clone();
    }
    if let Some(asked) = &request.name {
        return asked.clone();
    }
    let port = match port {
        Some(port) if !port.name.is_empty() => port.name.clone(),
        Some(port) => port.port.to_string(),
        None => return service.to_owned(),
    };
    let plain = format!("{service}-{port}");
    match arn {
        Some(arn) if is_taken(&plain) => {
            let text = arn.as_str();
            let suffix = text.get(text.len().saturating_sub(SUFFIX)..).unwrap_or_default();
            format!("{plain}-{suffix}")
        }
        _ => plain,
    }
}

/// The one of a Service's ports that a binding refers to by number, or where another has that number
/// too, by name (`facts/lbc.md` 3, S2).
pub(super) fn reference(service: &Service, port: &ServicePort) -> PortRef {
    let number = PortRef::Number(port.port.into());
    if service_port(service, &number) == Some(port) {
        number
    } else {
        PortRef::Name(port.name.clone())
    }
}

/// Why the candidates of a context are not known, if they are not.
pub(super) fn source_silence(request: &Request, world: &World) -> Option<Silence> {
    world.source(&request.groups)?.silence().cloned()
}
