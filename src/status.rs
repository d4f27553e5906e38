//! Facts in, the document of `status` out. Pure.

use std::collections::BTreeMap;

use crate::class::Class;
use crate::facts::{
    Aliveness, ClusterFacts, Controller, Facts, LoadBalancerFacts, LostContext, SilenceReason,
};
use crate::findings;
use crate::owner::{self, Standing};
use crate::report::{
    API_VERSION, BindingState, BindingStatus, Claim, ContextReport, ControllerReport, GroupStatus,
    HealthCounts, ListenerStatus, LoadBalancerStatus, ServiceReport, Status, TargetStatus,
};
use crate::selection::Selection;
use crate::share::{self, Shares};
use crate::target::{HealthState, Target, TargetDescription, TargetGroupArn};
use crate::view::{self, GroupView, TargetView};

/// Tells what was observed of the groups chosen, and what is wrong with them.
pub fn status(facts: &Facts, selection: &Selection) -> Status {
    let groups = view::groups(facts);
    let chosen: Vec<&GroupView<'_>> =
        groups.iter().filter(|group| selection.chooses_group(group)).collect();
    let findings = findings::diagnose(facts, &chosen, selection);
    Status {
        api_version: API_VERSION,
        kind: "Status",
        observed_at: facts.observed_at,
        complete: !findings.iter().any(findings::Finding::is_incompleteness),
        demo: false,
        contexts: contexts(facts),
        target_groups: chosen.iter().map(|group| group_status(facts, group)).collect(),
        findings,
    }
}

/// Tells what became of each context of the reading set.
pub fn contexts(facts: &Facts) -> Vec<ContextReport> {
    facts.clusters.iter().flat_map(cluster_contexts).chain(facts.lost.iter().map(lost)).collect()
}

fn lost(lost: &LostContext) -> ContextReport {
    ContextReport {
        context: lost.context.clone(),
        cluster: lost.cluster.clone(),
        reachable: false,
        reason: Some(lost.silence.reason),
        message: Some(lost.silence.message.clone()),
        warnings: Vec::new(),
        same_as: None,
        lost: true,
        bindings: None,
        controllers: None,
    }
}

fn cluster_contexts(cluster: &ClusterFacts) -> impl Iterator<Item = ContextReport> {
    let silence = cluster.silence();
    let own = ContextReport {
        context: cluster.context.clone(),
        cluster: cluster.cluster.clone(),
        reachable: cluster.bindings.is_ok(),
        reason: silence.map(|silence| silence.reason),
        message: silence.map(|silence| silence.message.clone()),
        warnings: cluster.unseen.iter().map(|silence| silence.message.clone()).collect(),
        same_as: None,
        lost: false,
        bindings: cluster.bindings.as_ref().ok().map(|_| cluster.bindings_found),
        controllers: cluster
            .controllers
            .as_ref()
            .ok()
            .map(|controllers| controllers.iter().map(controller).collect()),
    };
    let same = own.clone();
    let also = cluster.also.iter().map(move |context| ContextReport {
        context: context.clone(),
        same_as: Some(same.context.clone()),
        warnings: Vec::new(),
        ..same.clone()
    });
    std::iter::once(own).chain(also.collect::<Vec<_>>())
}

/// Tells what is known of a controller.
pub(crate) fn controller(found: &Controller) -> ControllerReport {
    ControllerReport {
        kind: found.flavour,
        version: found.version.clone(),
        alive: match found.alive {
            Aliveness::Alive => Some(true),
            Aliveness::Absent => Some(false),
            Aliveness::Unknown => None,
        },
        evidence: found.evidence.clone(),
    }
}

fn group_status(facts: &Facts, view: &GroupView<'_>) -> GroupStatus {
    let group = view.facts.group.as_ref().ok();
    let shares = share::shares(view);
    let owner = match owner::standing(facts, view) {
        Standing::Read(context) | Standing::Lost(context) => Some(context),
        Standing::NotRead(name) => Some(name),
        Standing::NotKnown => None,
    };
    GroupStatus {
        arn: view.arn.clone(),
        name: view.arn.name().to_owned(),
        region: view.arn.region().to_owned(),
        target_type: group.map(|group| group.target_type.clone()),
        ip_address_type: group.map(|group| group.ip_address_type.clone()),
        protocol: group.and_then(|group| group.protocol.clone()),
        port: group.and_then(|group| group.port),
        vpc_id: group.and_then(|group| group.vpc_id.clone()),
        cross_zone: view.cross_zone(),
        share_basis: shares.basis,
        load_balancers: view.facts.load_balancers.as_ref().ok().map(|all| {
            all.iter().map(|load_balancer| load_balancer_status(view.arn, load_balancer)).collect()
        }),
        health: view.facts.targets.as_ref().ok().map(|targets| health_counts(targets)),
        bindings: (0..view.bindings.len())
            .map(|index| binding_status(view, &shares, index))
            .collect(),
        targets: view.facts.targets.as_ref().ok().map(|_| {
            view.targets.iter().map(|(target, of)| target_status(view, target, of)).collect()
        }),
        if_lost: share::if_lost(view, &shares, owner.as_deref()),
    }
}

fn load_balancer_status(arn: &TargetGroupArn, facts: &LoadBalancerFacts) -> LoadBalancerStatus {
    let lb = &facts.load_balancer;
    let protection = |attributes: &BTreeMap<String, String>| {
        attributes.get("deletion_protection.enabled").map(|value| value == "true")
    };
    LoadBalancerStatus {
        arn: lb.arn.clone(),
        name: lb.name.clone(),
        kind: lb.kind.clone(),
        dns_name: lb.dns_name.clone(),
        scheme: lb.scheme.clone(),
        state: lb.state.clone(),
        deletion_protection: facts.attributes.as_ref().ok().and_then(protection),
        availability_zones: lb.availability_zones.iter().cloned().collect(),
        listeners: facts.listeners.as_ref().ok().map(|listeners| {
            let status = |listener: &crate::facts::Listener| ListenerStatus {
                arn: listener.arn.clone(),
                protocol: listener.protocol.clone(),
                port: listener.port,
                weight: listener
                    .forwards
                    .iter()
                    .filter_map(|forward| forward.part(arn))
                    .fold(0.0, f64::max),
            };
            listeners.iter().map(status).collect()
        }),
    }
}

fn health_counts(targets: &[TargetDescription]) -> HealthCounts {
    let mut counts = HealthCounts::default();
    for listed in targets {
        *match listed.health.state {
            HealthState::Healthy => &mut counts.healthy,
            HealthState::Initial => &mut counts.initial,
            HealthState::Unhealthy | HealthState::UnhealthyDraining => &mut counts.unhealthy,
            HealthState::Draining => &mut counts.draining,
            HealthState::Unused => &mut counts.unused,
            HealthState::Unavailable | HealthState::Other(_) => &mut counts.unavailable,
        } += 1;
    }
    counts
}

fn binding_status(view: &GroupView<'_>, shares: &Shares, index: usize) -> BindingStatus {
    let binding = &view.bindings[index];
    let facts = &binding.facts.binding;
    let desired = binding.desired();
    let tracked = binding.tracked();
    // With neither known, what belongs to it is not known either.
    let known = view.facts.targets.is_ok() && (desired.is_some() || tracked.flatten().is_some());
    let own = || {
        let claims =
            |of: &TargetView<'_>| of.desired_by.contains(&index) || of.tracked_by.contains(&index);
        view.targets.values().filter(move |of| claims(of))
    };
    let healthy_by_zone = || {
        let mut zones: BTreeMap<String, usize> = BTreeMap::new();
        for of in own().filter(|of| of.is_healthy()) {
            let zone = of.listed.and_then(|listed| listed.availability_zone.clone());
            *zones.entry(zone.unwrap_or_else(|| "unknown".to_owned())).or_default() += 1;
        }
        zones
    };
    BindingStatus {
        context: binding.cluster.context.clone(),
        namespace: facts.namespace.clone(),
        name: facts.name.clone(),
        controller: facts.flavour,
        multi_cluster: facts.spec.multi_cluster_target_group,
        owner: facts.owner(),
        service: ServiceReport {
            name: facts.spec.service_ref.name.clone(),
            port: facts.spec.service_ref.port.clone(),
        },
        desired: desired.map(BTreeMap::len),
        tracked: tracked.flatten().map(std::collections::BTreeSet::len),
        registered: known.then(|| own().filter(|of| of.is_registered()).count()),
        healthy: known.then(|| own().filter(|of| of.is_healthy()).count()),
        healthy_by_zone: known.then(healthy_by_zone),
        share: shares.by_binding[index],
        ledger_bytes: binding
            .facts
            .ledger
            .as_ref()
            .ok()
            .and_then(Option::as_ref)
            .map(|ledger| ledger.bytes),
        checkpoint: binding.checkpoint(),
        state: state(view, index),
        problem: binding.problem(),
        left_out: binding
            .facts
            .endpoints
            .as_ref()
            .map(|endpoints| endpoints.left_out.clone())
            .unwrap_or_default(),
    }
}

/// The state of a binding: the first that applies (`product.md` 8).
pub(crate) fn state(view: &GroupView<'_>, index: usize) -> BindingState {
    let binding = &view.bindings[index];
    let group_gone =
        matches!(&view.facts.group, Err(silence) if silence.reason == SilenceReason::NotFound);
    let ledger_is_none = matches!(
        &binding.facts.ledger,
        Err(crate::facts::LedgerFault::Invalid { .. } | crate::facts::LedgerFault::Immutable { .. })
    );
    let backend_missing = binding
        .facts
        .endpoints
        .as_ref()
        .is_err_and(crate::endpoints::Unresolved::is_backend_missing);
    let ledger_unread = matches!(&binding.facts.ledger, Err(crate::facts::LedgerFault::Silent(_)));
    let endpoints_unread = binding.desired().is_none();
    let group_unread = !group_gone && (view.facts.group.is_err() || view.facts.targets.is_err());
    let drift = |pending: bool| {
        view.targets.values().any(|of| {
            let claims = of.desired_by.contains(&index) || of.tracked_by.contains(&index);
            claims && of.class.is_drift() && of.pending == pending
        })
    };
    let undecided = || {
        let claims =
            |of: &&TargetView<'_>| of.desired_by.contains(&index) || of.tracked_by.contains(&index);
        view.targets.values().filter(claims).any(|of| of.class == Class::Unknown)
    };
    match () {
        () if endpoints_unread || ledger_unread || group_unread => BindingState::Unknown,
        // What cannot be decided because of it is no reason to keep quiet about what is broken.
        () if group_gone || ledger_is_none || backend_missing => BindingState::Failing,
        () if undecided() => BindingState::Unknown,
        () if !binding.facts.binding.spec.multi_cluster_target_group => BindingState::Exclusive,
        () if drift(false) => BindingState::Drifted,
        () if drift(true) => BindingState::Pending,
        () => BindingState::InSync,
    }
}

fn target_status(view: &GroupView<'_>, target: &Target, of: &TargetView<'_>) -> TargetStatus {
    let claims = |bindings: &[usize]| bindings.iter().map(|index| claim(view, *index)).collect();
    let endpoint = of.desired_by.iter().find_map(|index| view.bindings[*index].endpoint(target));
    TargetStatus {
        id: target.id.clone(),
        port: target.port,
        quic_server_id: target.quic_server_id.clone(),
        availability_zone: of.listed.and_then(|listed| listed.availability_zone.clone()),
        class: of.class,
        pending: of.pending,
        pod: endpoint.and_then(|endpoint| endpoint.pod.as_ref()).map(ToString::to_string),
        node: endpoint.and_then(|endpoint| endpoint.node.clone()),
        unregistrable: endpoint.and_then(|endpoint| endpoint.unregistrable),
        health: of.listed.map(|listed| listed.health.clone()),
        desired_by: claims(&of.desired_by),
        tracked_by: claims(&of.tracked_by),
    }
}

fn claim(view: &GroupView<'_>, index: usize) -> Claim {
    let reference = view.bindings[index].reference();
    Claim { context: reference.context, namespace: reference.namespace, binding: reference.name }
}
