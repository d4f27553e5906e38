//! How many targets fit (`facts/elbv2.md` 3.1).

use std::collections::{BTreeMap, BTreeSet};

use super::errors::ApiError;
use super::{Group, LoadBalancer, Model};
use crate::target::Target;

/// The default quotas, under the names of DescribeAccountLimits.
pub(super) fn defaults() -> BTreeMap<String, u32> {
    let limits = [
        (PER_GROUP, 1_000),
        (PER_NLB, 3_000),
        (PER_NLB_ZONE, 500),
        (PER_ALB, 1_000),
        ("target-groups", 3_000),
        ("target-groups-per-action-on-network-load-balancer", 5),
        ("target-id-registrations-per-application-load-balancer", 1_000),
    ];
    limits.map(|(name, max)| (name.to_owned(), max)).into()
}

const PER_GROUP: &str = "targets-per-target-group";
const PER_NLB: &str = "targets-per-network-load-balancer";
const PER_NLB_ZONE: &str = "targets-per-availability-zone-per-network-load-balancer";
const PER_ALB: &str = "targets-per-application-load-balancer";

impl Model {
    /// Refuses what would not fit. Draining targets do not count, and `all` counts in no zone:
    /// neither is documented (`facts/elbv2.md` 9.4).
    pub(super) fn check_quotas(
        &self,
        group: &Group,
        added: &BTreeMap<Target, Option<String>>,
    ) -> Result<(), ApiError> {
        let arn = group.arn.as_str();
        let after: BTreeSet<&Target> = group.registered().chain(added.keys()).collect();
        let max = self.limit(PER_GROUP);
        if after.len() > max as usize {
            return Err(ApiError::too_many_targets(
                "target group",
                max,
                &format!("target group '{arn}'"),
            ));
        }
        for load_balancer in self.load_balancers_of(arn) {
            self.check_load_balancer(load_balancer, group, added)?;
        }
        Ok(())
    }

    fn check_load_balancer(
        &self,
        load_balancer: &LoadBalancer,
        group: &Group,
        added: &BTreeMap<Target, Option<String>>,
    ) -> Result<(), ApiError> {
        // One target in N groups counts N.
        let mut zones: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for other in self.groups.values().filter(|g| self.is_attached(g, load_balancer)) {
            for (_, state) in other.targets.iter().filter(|(_, s)| s.deregistered_at.is_none()) {
                *zones.entry(state.zone.as_deref()).or_default() += 1;
            }
        }
        for (target, zone) in added {
            if !group.is_registered(target) {
                *zones.entry(zone.as_deref()).or_default() += 1;
            }
        }
        let total: usize = zones.values().sum();
        let on = format!("load balancer '{}'", load_balancer.arn);
        let (max, what) = match load_balancer.kind.as_str() {
            "application" => (self.limit(PER_ALB), "load balancer"),
            // With cross-zone on, one zone's quota holds for all of them together.
            _ if self.is_cross_zone(group) => (self.limit(PER_NLB_ZONE), "load balancer"),
            _ => (self.limit(PER_NLB), "load balancer"),
        };
        if total > max as usize {
            return Err(ApiError::too_many_targets(what, max, &on));
        }
        let max = self.limit(PER_NLB_ZONE);
        let zonal = load_balancer.kind == "network";
        let full =
            zones.iter().find(|(zone, n)| zone.is_some_and(|z| z != "all") && **n > max as usize);
        match full.filter(|_| zonal) {
            Some(_) => {
                Err(ApiError::too_many_targets("load balancer per availability zone", max, &on))
            }
            None => Ok(()),
        }
    }

    fn limit(&self, name: &str) -> u32 {
        self.limits.get(name).copied().unwrap_or(u32::MAX)
    }
}

impl Group {
    fn is_registered(&self, target: &Target) -> bool {
        self.targets.get(target).is_some_and(|state| state.deregistered_at.is_none())
    }

    /// The targets that are registered: draining ones left out.
    pub fn registered(&self) -> impl Iterator<Item = &Target> {
        self.targets
            .iter()
            .filter(|(_, state)| state.deregistered_at.is_none())
            .map(|(target, _)| target)
    }
}
