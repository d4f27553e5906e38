//! Requests as forms: `Targets.member.1.Id=...`.

use std::collections::{BTreeMap, BTreeSet};

use crate::sim::elbv2::{ApiError, Paging, TargetRequest};
use crate::target::Target;

/// A request's members, by their path.
pub(super) struct Form {
    members: BTreeMap<String, String>,
}

impl Form {
    /// Reads a body; of members that are there twice the last one counts.
    pub(super) fn parse(body: &[u8]) -> Self {
        Self { members: form_urlencoded::parse(body).into_owned().collect() }
    }

    pub(super) fn get(&self, path: &str) -> Option<&str> {
        self.members.get(path).map(String::as_str)
    }

    /// A member that must be there. The text of its absence is AWS's general one.
    pub(super) fn required(&self, path: &str) -> Result<&str, ApiError> {
        self.get(path).ok_or_else(|| {
            let mut member = path.to_owned();
            if let Some(first) = member.get_mut(..1) {
                first.make_ascii_lowercase();
            }
            ApiError::new(400, "ValidationError", format!(
                "1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"
            ))
        })
    }

    /// The items of a list of texts, in order.
    pub(super) fn list(&self, path: &str) -> Vec<String> {
        let items = self.indices(path);
        items
            .iter()
            .filter_map(|index| self.get(&format!("{path}.member.{index}")))
            .map(str::to_owned)
            .collect()
    }

    pub(super) fn targets(&self) -> Result<Vec<TargetRequest>, ApiError> {
        self.indices("Targets").iter().map(|index| self.target(*index)).collect()
    }

    fn target(&self, index: u32) -> Result<TargetRequest, ApiError> {
        let member = |name: &str| self.get(&format!("Targets.member.{index}.{name}"));
        Ok(TargetRequest {
            id: member("Id").unwrap_or_default().to_owned(),
            port: member("Port").map(number).transpose()?,
            zone: member("AvailabilityZone").map(str::to_owned),
            quic_server_id: member("QuicServerId").map(str::to_owned),
        })
    }

    /// The targets as far as they can be read: for logs.
    pub(super) fn named_targets(&self) -> Vec<Target> {
        let indices = self.indices("Targets");
        let readable = indices.iter().filter_map(|index| self.target(*index).ok());
        readable
            .map(|target| Target {
                id: target.id,
                port: target.port.and_then(|port| u16::try_from(port).ok()).unwrap_or(0),
                quic_server_id: target.quic_server_id,
            })
            .collect()
    }

    pub(super) fn attributes(&self) -> Vec<(String, String)> {
        self.indices("Attributes")
            .iter()
            .map(|index| {
                let member = |name: &str| {
                    self.get(&format!("Attributes.member.{index}.{name}"))
                        .unwrap_or_default()
                        .to_owned()
                };
                (member("Key"), member("Value"))
            })
            .collect()
    }

    pub(super) fn paging(&self) -> Result<Paging, ApiError> {
        Ok(Paging {
            marker: self.get("Marker").map(str::to_owned),
            size: self.get("PageSize").map(number).transpose()?,
        })
    }

    /// The numbers of a list's items.
    fn indices(&self, path: &str) -> BTreeSet<u32> {
        let prefix = format!("{path}.member.");
        self.members
            .range(prefix.clone()..)
            .map_while(|(member, _)| member.strip_prefix(&prefix))
            .filter_map(|rest| rest.split('.').next()?.parse().ok())
            .collect()
    }
}

fn number(text: &str) -> Result<i64, ApiError> {
    text.parse()
        .map_err(|_| ApiError::new(400, "MalformedInput", format!("'{text}' is not a number")))
}
