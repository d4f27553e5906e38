//! What targets live in: VPCs, subnets, instances.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// A VPC.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vpc {
    /// Its subnets. An address in none of them is outside, whatever the VPC's CIDRs say
    /// (`facts/elbv2.md` 1.2).
    pub subnets: Vec<Subnet>,
    /// The VPCs it is peered with.
    pub peers: BTreeSet<String>,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: String,
    /// Its zone.
    pub zone: String,
    /// Its addresses.
    pub cidr: IpNet,
}

impl Vpc {
    /// Adds a subnet; a `cidr` that is none adds nothing.
    #[must_use]
    pub fn subnet(mut self, zone: &str, cidr: &str) -> Self {
        if let Ok(cidr) = cidr.parse() {
            let id = format!("subnet-{:04}", self.subnets.len() + 1);
            self.subnets.push(Subnet { id, zone: zone.to_owned(), cidr });
        }
        self
    }

    /// Finds the zone of an address: none outside.
    pub(super) fn zone_of(&self, address: IpAddr) -> Option<&str> {
        let subnet = self.subnets.iter().find(|subnet| subnet.cidr.contains(&address))?;
        Some(&subnet.zone)
    }

    pub(super) fn has_zone(&self, zone: &str) -> bool {
        self.subnets.iter().any(|subnet| subnet.zone == zone)
    }
}

/// An EC2 instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its VPC.
    pub vpc_id: String,
    /// Its zone.
    pub zone: String,
    /// Its state.
    pub state: InstanceState,
}

/// An instance's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum InstanceState {
    /// Running.
    Running,
    /// Stopped, or on its way.
    Stopped,
    /// Gone for good.
    Terminated,
}
