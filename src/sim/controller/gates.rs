//! Readiness gates: pods that are ready only once the load balancer finds them healthy
//! (`facts/lbc.md` 3, Readiness gates).

use super::api::{Api, Failure, Gate};
use super::memory::Listed;
use super::pass::Pass;
use crate::binding::Binding;
use crate::endpoints::{Endpoint, Endpoints, GATE_PREFIX, PodName};
use crate::target::Target;

/// The condition type by which a pod waits for a binding.
pub(super) fn gate_of(binding: &Binding) -> String {
    format!("{GATE_PREFIX}{}", binding.name)
}

impl<A: Api> Pass<'_, A> {
    /// Says whether an endpoint's pod has the gate with another status than `True`: then a current
    /// checkpoint does not skip the pass (2.2; since 3.4).
    pub(super) fn has_pending_gate(&self, endpoints: &Endpoints) -> bool {
        let gates = endpoints.desired.values().filter_map(|endpoint| self.gate(endpoint));
        self.is_ip() && gates.into_iter().any(|(_, gate)| gate == Some(false))
    }

    /// Says whether a pod that is registered still waits.
    pub(super) fn waits_for_gate(&self, matched: &[(&Target, &Endpoint, Listed)]) -> bool {
        let waits = |endpoint: &Endpoint, listed: &Listed| {
            self.gate(endpoint).is_some() && !listed.is_healthy()
        };
        self.is_ip() && matched.iter().any(|(_, endpoint, listed)| waits(endpoint, listed))
    }

    /// Tells pods how their targets are, and says whether one of them has to wait on.
    pub(super) async fn update_gates(
        &self,
        matched: &[(&Target, &Endpoint, Listed)],
        registered: &[(&Target, &Endpoint)],
    ) -> Result<bool, Failure> {
        if !self.is_ip() {
            return Ok(false);
        }
        let known = matched.iter().map(|(_, endpoint, listed)| {
            let healthy = listed.health.is_some().then(|| listed.is_healthy());
            (*endpoint, healthy)
        });
        let fresh = registered.iter().map(|(_, endpoint)| (*endpoint, Some(false)));
        let mut waits = false;
        for (endpoint, healthy) in known.chain(fresh) {
            let Some((pod, gate)) = self.gate(endpoint) else { continue };
            waits |= healthy != Some(true);
            if gate != healthy {
                self.api().set_gate(pod, &gate_of(self.binding), healthy).await?;
            }
        }
        Ok(waits)
    }

    /// Lets every pod of the namespace that waits for this binding be ready.
    pub(super) async fn open_gates(&self) -> Result<(), Failure> {
        let gate = gate_of(self.binding);
        let waiting = self.view.gates.iter().filter(|(pod, gates)| {
            pod.namespace == self.binding.namespace
                && gates.get(&gate).is_some_and(|status| *status != Some(true))
        });
        for (pod, _) in waiting {
            self.api().set_gate(pod, &gate, Some(true)).await?;
        }
        Ok(())
    }

    /// The pod of an endpoint and its gate for this binding, where it declares one.
    fn gate<'e>(&self, endpoint: &'e Endpoint) -> Option<(&'e PodName, Gate)> {
        let pod = endpoint.pod.as_ref()?;
        let gate = self.view.gates.get(pod)?.get(&gate_of(self.binding))?;
        Some((pod, *gate))
    }
}
