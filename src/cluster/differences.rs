//! How a controller's version and flags make it find other endpoints than LBC 3.5 by default
//! (`facts/lbc.md` 3). Pure.

use crate::binding::TargetType;
use crate::facts::{Difference, release};

/// Names what differs; `argument` looks up one of the controller's flags.
pub(super) fn of(
    version: Option<&str>,
    argument: impl Fn(&str) -> Option<String>,
) -> Vec<Difference> {
    let before = |other: [u32; 3]| version.and_then(release).is_some_and(|version| version < other);
    let shown = version.unwrap_or_default();
    let mut found = Vec::new();
    let mut differs = |target_type, how: String| found.push(Difference { target_type, how });
    let slices = argument("enable-endpoint-slices");
    if slices.as_deref().map_or(before([2, 14, 0]), is_false) {
        let how = match slices {
            Some(_) => "its flag --enable-endpoint-slices is false: it reads Endpoints".to_owned(),
            None => format!("{shown} reads Endpoints, not EndpointSlices"),
        };
        differs(Some(TargetType::Ip), how);
    } else if before([3, 4, 1]) {
        let how = format!("{shown} takes the EndpointSlices of both address families");
        differs(Some(TargetType::Ip), how);
    }
    if before([2, 12, 0]) {
        let how = format!("{shown} does not heed the taints of nodes about to go");
        differs(Some(TargetType::Instance), how);
    }
    let gates = argument("feature-gates").unwrap_or_default();
    if gates.split(',').any(|gate| gate.trim().eq_ignore_ascii_case("EndpointsFailOpen=false")) {
        differs(None, "its feature gate EndpointsFailOpen is off".to_owned());
    }
    if let Some(variable) = argument("quic-environment-variable-name")
        && variable != super::translate::QUIC_VARIABLE
    {
        let how = "its flag --quic-environment-variable-name names another variable".to_owned();
        differs(Some(TargetType::Ip), how);
    }
    found
}

fn is_false(value: &str) -> bool {
    ["false", "f", "0"].contains(&value.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(version: &str, flags: &[(&str, &str)]) -> Vec<String> {
        let argument = |name: &str| {
            let flag = flags.iter().find(|(flag, _)| *flag == name);
            flag.map(|(_, value)| (*value).to_owned())
        };
        of(Some(version), argument).into_iter().map(|difference| difference.how).collect()
    }

    #[test]
    fn the_newest_release_with_its_defaults_differs_in_nothing() {
        assert!(told("v3.5.0", &[]).is_empty());
        assert!(told("v3.4.1", &[("enable-endpoint-slices", "true")]).is_empty());
        assert!(of(None, |_| None).is_empty());
    }

    #[test]
    fn older_releases_find_endpoints_by_other_rules() {
        assert_eq!(
            told("v3.4.0", &[]),
            ["v3.4.0 takes the EndpointSlices of both address families"]
        );
        assert_eq!(told("v2.13.4", &[]), ["v2.13.4 reads Endpoints, not EndpointSlices"]);
        assert_eq!(told("v2.11.0", &[]).len(), 2);
    }

    #[test]
    fn flags_that_change_the_rules_are_named() {
        let flags = [
            ("enable-endpoint-slices", "false"),
            ("feature-gates", "NLBSecurityGroup=true,EndpointsFailOpen=false"),
            ("quic-environment-variable-name", "OWN_ID"),
        ];
        assert_eq!(told("v3.5.0", &flags).len(), 3);
    }

    #[test]
    fn a_version_is_read_with_and_without_its_letter_and_suffix() {
        assert_eq!(release("v3.5.0"), Some([3, 5, 0]));
        assert_eq!(release("2.10.1-eks.1"), Some([2, 10, 1]));
        assert_eq!(release("v3.5"), Some([3, 5, 0]));
        assert_eq!(release("latest"), None);
    }
}
