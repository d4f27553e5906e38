//! Which addresses and instances a group takes, and the zone it records for them
//! (`facts/elbv2.md` 1.2 and 1.4).

use std::net::{IpAddr, Ipv4Addr};

use ipnet::Ipv4Net;

use super::errors::ApiError;
use super::{Group, InstanceState, Model, OutsideWording, TargetRequest};

/// The addresses outside its VPC that an IPv4 group takes (1.4).
const PRIVATE_RANGES: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
];

/// The zone that stands for every zone.
const ALL: &str = "all";

impl Group {
    /// Says whether it is of an Application Load Balancer.
    fn is_alb(&self) -> bool {
        matches!(self.protocol.as_str(), "HTTP" | "HTTPS")
    }
}

impl Model {
    /// Decides the zone that is recorded for a target.
    pub(super) fn place(
        &self,
        group: &Group,
        request: &TargetRequest,
    ) -> Result<Option<String>, ApiError> {
        match group.target_type.as_str() {
            "ip" => self.place_address(group, request),
            "instance" => self.place_instance(group, request),
            _ => Ok(None),
        }
    }

    /// An instance must run, in the group's VPC; it takes no zone (1.4, 1.2 InvalidTarget).
    fn place_instance(
        &self,
        group: &Group,
        request: &TargetRequest,
    ) -> Result<Option<String>, ApiError> {
        let id = &request.id;
        if !id.starts_with("i-") {
            return Err(ApiError::validation(format!("Instance ID '{id}' is not valid")));
        }
        if request.zone.is_some() {
            // Unseen text.
            let message = "You cannot specify an Availability Zone for targets of type instance";
            return Err(ApiError::validation(message));
        }
        let running =
            self.instances.get(id).filter(|instance| instance.state == InstanceState::Running);
        let instance = running.ok_or_else(|| {
            ApiError::invalid_target(format!(
                "The following targets are not in a running state and cannot be registered: '{id}'"
            ))
        })?;
        if instance.vpc_id != group.vpc_id {
            // Unseen text.
            return Err(ApiError::invalid_target(format!(
                "The following targets are not within the target group's VPC '{}': '{id}'",
                group.vpc_id
            )));
        }
        Ok(Some(instance.zone.clone()))
    }

    fn place_address(
        &self,
        group: &Group,
        request: &TargetRequest,
    ) -> Result<Option<String>, ApiError> {
        let address = parse_address(group, &request.id)?;
        let vpc = self.vpcs.get(&group.vpc_id);
        let asked = request.zone.as_deref();
        match vpc.and_then(|vpc| vpc.zone_of(address)) {
            Some(zone) => place_inside(address, asked, zone),
            None => self.place_outside(group, address, asked),
        }
    }

    fn place_outside(
        &self,
        group: &Group,
        address: IpAddr,
        asked: Option<&str>,
    ) -> Result<Option<String>, ApiError> {
        if !self.is_reachable(group, address) {
            // Unseen text.
            return Err(ApiError::validation(format!(
                "The IP address '{address}' is not within a valid CIDR block"
            )));
        }
        let zone = asked.ok_or_else(|| {
            ApiError::validation(match self.settings.outside_wording {
                OutsideWording::OutsideTheVpc => format!(
                    "You must specify a valid Availability Zone or select 'all' for all enabled Availability zones, since the IP address '{address}' is outside the VPC"
                ),
                OutsideWording::NotInTheVpc => format!(
                    "The Availability Zone is required for IP address '{address}' because it is not in the VPC"
                ),
            })
        })?;
        let cross_zone = self.is_cross_zone(group);
        if zone == ALL {
            if group.refuses_all_zones || (group.is_alb() && !cross_zone) {
                return Err(ApiError::validation(format!(
                    "For the IP address '{address}', you must specify an Availability Zone"
                )));
            }
        } else if group.is_alb() && cross_zone {
            return Err(ApiError::validation(format!(
                "The Availability Zone for IP address '{address}' must be 'all' for Application Load Balancer target groups, when not within the VPC"
            )));
        } else if !self.vpcs.get(&group.vpc_id).is_some_and(|vpc| vpc.has_zone(zone)) {
            // Unseen text.
            let message = format!("The Availability Zone '{zone}' is not valid");
            return Err(ApiError::validation(message));
        }
        Ok(Some(zone.to_owned()))
    }

    /// Never a public IPv4 address; of IPv6 only the VPC's own and its peers' (1.4).
    fn is_reachable(&self, group: &Group, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => PRIVATE_RANGES.iter().any(|range| range.contains(&address)),
            IpAddr::V6(_) => {
                let peers = self.vpcs.get(&group.vpc_id).into_iter().flat_map(|vpc| &vpc.peers);
                peers
                    .filter_map(|peer| self.vpcs.get(peer))
                    .any(|peer| peer.zone_of(address).is_some())
            }
        }
    }
}

fn parse_address(group: &Group, id: &str) -> Result<IpAddr, ApiError> {
    let (address, family) = match group.ip_address_type.as_str() {
        "ipv6" => (id.parse().map(IpAddr::V6), "IPv6"),
        _ => (id.parse().map(IpAddr::V4), "IPv4"),
    };
    address.map_err(|_| {
        ApiError::validation(format!("The IP address '{id}' is not a valid {family} address"))
    })
}

fn place_inside(
    address: IpAddr,
    asked: Option<&str>,
    zone: &str,
) -> Result<Option<String>, ApiError> {
    match asked {
        Some(asked) if asked != zone => Err(ApiError::validation(format!(
            "The IP address '{address}' is within the VPC, and cannot have its Availability Zone overridden to '{asked}' from '{zone}'"
        ))),
        _ => Ok(Some(zone.to_owned())),
    }
}
