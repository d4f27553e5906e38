//! Attributes of load balancers that owners name, and the one that keeps owners (`facts/lbc.md` 5.3).

use std::collections::BTreeMap;

use super::annotations::parse_bool;
use super::stack::BuildError;
use crate::sim::elbv2::DELETION_PROTECTION;

/// Says whether an owner asks that it be not deleted.
pub(super) fn is_protected(attributes: &BTreeMap<String, String>) -> Result<bool, BuildError> {
    let Some(value) = attributes.get(DELETION_PROTECTION) else { return Ok(false) };
    let said = || format!("strconv.ParseBool: parsing \"{value}\": invalid syntax");
    parse_bool(value).ok_or_else(|| BuildError(said()))
}

/// What the controller says of an owner that is being deleted and asks that it be not.
pub(super) fn refused_deletion(kind: &str, name: &str) -> BuildError {
    BuildError(format!("deletion_protection is enabled, cannot delete the {kind}: {name}"))
}
