//! The targets of a group: the five-minute cache, and the calls that register and deregister
//! (`facts/lbc.md` 2.2, 4).

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::SignedDuration;

use super::api::{Api, Failure};
use super::memory::Listed;
use super::pass::Pass;
use crate::elbv2::Registration;
use crate::endpoints::{Endpoint, Unregistrable};
use crate::target::Target;

/// How long the targets of a group are remembered.
const TARGETS_TTL: SignedDuration = SignedDuration::from_mins(5);

/// How long the address ranges of a VPC are.
const VPC_TTL: SignedDuration = SignedDuration::from_mins(10);

/// How long it is remembered that a role does not see a VPC.
const INVISIBLE_VPC_TTL: SignedDuration = SignedDuration::from_mins(5);

/// How long it is remembered that a binding's targets need the zone of their node.
const NEEDS_ZONE_TTL: SignedDuration = SignedDuration::from_mins(60);

/// Targets of one call.
const CHUNK: usize = 200;

impl<A: Api> Pass<'_, A> {
    /// Lists the group's targets. What was listed less than five minutes ago is not listed again, but
    /// for targets that were not healthy then: a healthy one that went, or a foreign one that came,
    /// is not seen.
    pub(super) async fn list_targets(&self) -> Result<Vec<Listed>, Failure> {
        let known = self.remember(|memory| memory.targets.get(self.arn(), self.now).cloned());
        let Some(known) = known else {
            let all = self.describe(&[]).await?;
            self.remember(|memory| {
                memory.targets.insert(self.arn().clone(), all.clone(), self.now, TARGETS_TTL);
            });
            return Ok(all);
        };
        let (mut listed, others): (Vec<Listed>, Vec<Listed>) =
            known.into_iter().partition(Listed::is_healthy);
        if !others.is_empty() {
            let only: Vec<Target> = others.into_iter().map(|listed| listed.target).collect();
            let described = self.describe(&only).await?.into_iter();
            listed.extend(described.filter(|listed| !listed.is_not_registered()));
        }
        self.remember(|memory| {
            if let Some(known) = memory.targets.get_mut(self.arn(), self.now) {
                known.clone_from(&listed);
            }
        });
        Ok(listed)
    }

    async fn describe(&self, only: &[Target]) -> Result<Vec<Listed>, Failure> {
        let described = self.api().describe_targets(&self.binding.spec, only).await?;
        Ok(described.into_iter().map(Listed::from).collect())
    }

    /// Deregisters targets as they were listed: calls of 200, until one fails.
    pub(super) async fn deregister(&self, targets: &[Listed]) -> Result<(), Failure> {
        for chunk in targets.chunks(CHUNK) {
            let named: Vec<Registration> = chunk
                .iter()
                .map(|listed| Registration {
                    target: listed.target.clone(),
                    availability_zone: listed.zone.clone(),
                })
                .collect();
            self.api().deregister(&self.binding.spec, &named).await?;
            self.note(&named, false);
        }
        Ok(())
    }

    /// Registers endpoints: calls of 200, until one fails.
    pub(super) async fn register(&self, endpoints: &[(&Target, &Endpoint)]) -> Result<(), Failure> {
        if !self.is_ip() {
            let plain = endpoints.iter().map(|(target, _)| named(target, None)).collect();
            return self.send(plain).await;
        }
        let inside = self.vpc().await?;
        let by_node = self.remember(|memory| memory.needs_zone.get(self.key, self.now).is_some());
        let first = self.with_zones(endpoints, inside.as_deref(), by_node)?;
        match self.send(first).await {
            Err(failure) if asks_for_zone(&failure) && !by_node => {
                self.remember(|memory| {
                    memory.needs_zone.insert(self.key.clone(), (), self.now, NEEDS_ZONE_TTL);
                });
                self.send(self.with_zones(endpoints, inside.as_deref(), true)?).await
            }
            sent => sent,
        }
    }

    /// Gives addresses outside the VPC the zone `all`, or where that was refused their node's; a pod
    /// without the QUIC server id that its group needs is left out.
    fn with_zones(
        &self,
        endpoints: &[(&Target, &Endpoint)],
        inside: Option<&[IpNet]>,
        by_node: bool,
    ) -> Result<Vec<Registration>, Failure> {
        let mut registrations = Vec::new();
        for (target, endpoint) in endpoints {
            let address: IpAddr = target.id.parse().map_err(|_| {
                Failure::new("InvalidAddress", format!("`{}` is no address", target.id))
            })?;
            let is_outside =
                inside.is_none_or(|ranges| !ranges.iter().any(|range| range.contains(&address)));
            let of_node = endpoint.node.as_ref().and_then(|node| self.view.nodes.get(node)?.zone());
            let zone = match (is_outside, of_node) {
                (false, _) => None,
                (true, Some(zone)) if by_node && self.role().is_empty() => Some(zone),
                (true, _) => Some("all"),
            };
            if endpoint.unregistrable != Some(Unregistrable::NoQuicServerId) {
                registrations.push(named(target, zone));
            }
        }
        Ok(registrations)
    }

    /// The address ranges of the VPC that the targets are in: the binding's, else the cluster's. None
    /// where it is another account's, in which every address is outside.
    async fn vpc(&self) -> Result<Option<Vec<IpNet>>, Failure> {
        let spec = &self.binding.spec;
        let flags = &self.controller.flags;
        let id = if spec.vpc_id.is_empty() { &flags.vpc_id } else { &spec.vpc_id };
        let key = format!("{} {id}", self.role());
        if let Some(known) = self.remember(|memory| memory.vpcs.get(&key, self.now).cloned()) {
            return Ok(known);
        }
        let (ranges, ttl) = match self.api().vpc(id).await {
            Ok(ranges) => (Some(ranges), VPC_TTL),
            Err(failure) if failure.code == "InvalidVpcID.NotFound" && !self.role().is_empty() => {
                (None, INVISIBLE_VPC_TTL)
            }
            Err(failure) => return Err(failure),
        };
        self.remember(|memory| memory.vpcs.insert(key, ranges.clone(), self.now, ttl));
        Ok(ranges)
    }

    async fn send(&self, registrations: Vec<Registration>) -> Result<(), Failure> {
        for chunk in registrations.chunks(CHUNK) {
            self.api().register(&self.binding.spec, chunk).await?;
            self.note(chunk, true);
        }
        Ok(())
    }

    /// Notes in the cache what a call did: the health of these targets has to be asked for again.
    fn note(&self, changed: &[Registration], registered: bool) {
        self.remember(|memory| {
            let Some(known) = memory.targets.get_mut(self.arn(), self.now) else { return };
            for Registration { target, availability_zone } in changed {
                let same = |listed: &&mut Listed| {
                    (&listed.target.id, listed.target.port) == (&target.id, target.port)
                };
                match known.iter_mut().find(same) {
                    Some(listed) => listed.health = None,
                    None if registered => known.push(Listed {
                        target: target.clone(),
                        zone: availability_zone.clone(),
                        health: None,
                    }),
                    None => {}
                }
            }
        });
    }

    fn arn(&self) -> &String {
        &self.binding.spec.target_group_arn
    }

    fn role(&self) -> &str {
        &self.binding.spec.iam_role_arn_to_assume
    }
}

fn named(target: &Target, zone: Option<&str>) -> Registration {
    Registration { target: target.clone(), availability_zone: zone.map(str::to_owned) }
}

/// The one refusal that is answered with another zone (4, AZ).
fn asks_for_zone(failure: &Failure) -> bool {
    failure.code == "ValidationError"
        && failure.message.contains("you must specify an Availability Zone")
}
