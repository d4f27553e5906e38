//! What a controller comes to in the end, at once: for worlds that begin where one has been at work.
//!
//! [`crate::sim::controller`] is the controller itself, with its memory and its single calls.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cluster, ClusterState};
use crate::binding::{Binding, Flavour};
use crate::ledger;
use crate::sim::LoadBalancers;
use crate::sim::controller::View;
use crate::sim::elbv2::{Model, TargetRequest};
use crate::target::Target;

impl Cluster {
    /// Reconciles every binding once, as a controller of either flavour would that knows the ledgers
    /// as they are stored, without regard to a checkpoint and without leaving one: register what is
    /// missing, deregister what its ledger tracks and nobody wants (an exclusive binding: whatever it
    /// does not know), write the ledger (`facts/lbc.md` 4).
    ///
    /// It is no step and no call. A binding whose Service or group does not answer is passed over.
    pub fn controller_pass(&self, load_balancers: &LoadBalancers) {
        self.with(|state| {
            load_balancers.with(|model| {
                let bindings: Vec<Binding> = [Flavour::LoadBalancerController, Flavour::AutoMode]
                    .into_iter()
                    .flat_map(|flavour| state.bindings(flavour).cloned().collect::<Vec<_>>())
                    .filter(|binding| !binding.is_being_deleted())
                    .collect();
                for binding in bindings {
                    reconcile(state, model, &binding);
                }
            });
        });
    }
}

fn reconcile(state: &mut ClusterState, model: &mut Model, binding: &Binding) {
    let arn = binding.spec.target_group_arn.as_str();
    let Some(desired) = desired(state, binding) else { return };
    let Ok(listed) = model.describe_target_health(arn, &[]) else { return };
    let registered: BTreeMap<Target, Option<String>> = listed
        .into_iter()
        .filter(|described| described.description.is_registered())
        .map(|described| (described.description.target, described.description.availability_zone))
        .collect();
    let name = ledger::name(binding.flavour, &binding.name);
    let tracked = state
        .ledger_text(&binding.namespace, &name)
        .and_then(|text| ledger::parse(text).ok())
        .unwrap_or_default();
    for target in desired.iter().filter(|target| !registered.contains_key(target)) {
        let plain = request(target, None);
        if model.register_targets(arn, &[plain]).is_err() {
            // Outside the VPC it takes `all`; what is refused then stays missing.
            let _ = model.register_targets(arn, &[request(target, Some("all"))]);
        }
    }
    let is_mine =
        |target: &Target| !binding.spec.multi_cluster_target_group || tracked.contains(target);
    let gone: Vec<TargetRequest> = registered
        .iter()
        .filter(|(target, _)| is_mine(target) && !desired.contains(target))
        .map(|(target, zone)| request(target, zone.as_deref()))
        .collect();
    if !gone.is_empty() {
        let _ = model.deregister_targets(arn, &gone);
    }
    if binding.spec.multi_cluster_target_group {
        let text = ledger::format(&desired);
        if state.ledger_text(&binding.namespace, &name) != Some(&text) {
            state.put_ledger(&binding.namespace, &name, &text);
        }
    }
    if let Some(binding) = state.binding_mut(&binding.namespace, &binding.name) {
        binding.has_finalizer = true;
    }
}

fn desired(state: &ClusterState, binding: &Binding) -> Option<BTreeSet<Target>> {
    let endpoints = View::of(state).endpoints(binding).ok()?;
    Some(endpoints.registrable().cloned().collect())
}

fn request(target: &Target, zone: Option<&str>) -> TargetRequest {
    TargetRequest {
        id: target.id.clone(),
        port: Some(target.port.into()),
        zone: zone.map(str::to_owned),
        quic_server_id: target.quic_server_id.clone(),
    }
}
