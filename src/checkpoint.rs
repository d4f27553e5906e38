//! The controller's checkpoint, recomputed: whether it considers a binding done. Pure.
//!
//! The annotation holds two hashes, of the endpoints and of the spec. While both are as the
//! controller would compute them now, it skips the binding altogether, whatever ELBv2 says
//! (LBC 3.5, `pkg/targetgroupbinding/utils.go`).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::binding::{Binding, BindingSpec, CHECKPOINT_ANNOTATION};
use crate::endpoints::Endpoints;

/// How a binding's checkpoint compares with its endpoints and spec.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Checkpoint {
    /// The controller considers the binding done, and skips it.
    Current,
    /// Endpoints or spec changed since: the controller is behind.
    Stale,
    /// Empty: the controller is at work, failing, or was told to look again.
    Reset,
    /// No controller has ever finished with the binding.
    Absent,
}

/// Compares a binding's checkpoint with what the controller would compute now.
pub fn compare(binding: &Binding, endpoints: &Endpoints) -> Checkpoint {
    match binding.annotations.get(CHECKPOINT_ANNOTATION).map(String::as_str) {
        None => Checkpoint::Absent,
        Some("") => Checkpoint::Reset,
        Some(stored) if stored == compute(&binding.spec, endpoints) => Checkpoint::Current,
        Some(_) => Checkpoint::Stale,
    }
}

/// Computes the checkpoint of a binding as the controller does.
pub fn compute(spec: &BindingSpec, endpoints: &Endpoints) -> String {
    format!("{}/{}", hash(&endpoints_text(endpoints)), hash(&spec_text(spec)))
}

/// Every endpoint, those listed twice twice, with the milliseconds of its pod's or node's creation.
fn endpoints_text(endpoints: &Endpoints) -> String {
    let once = endpoints.desired.iter().map(|(target, endpoint)| (target, endpoint.created_at));
    let again = endpoints.repeats.iter().map(|(target, created_at)| (target, *created_at));
    let milliseconds = |(target, created_at): (_, Option<jiff::Timestamp>)| {
        format!("{target}:{}", created_at.map_or(0, jiff::Timestamp::as_millisecond))
    };
    let mut entries: Vec<String> = once.chain(again).map(milliseconds).collect();
    entries.sort_unstable();
    entries.join(",")
}

/// The spec as Go's encoder writes it, which escapes what could end a script.
fn spec_text(spec: &BindingSpec) -> String {
    // A spec of strings, numbers and lists always has a JSON form.
    let json = serde_json::to_string(spec).unwrap_or_default();
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                text.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            _ => text.push(c),
        }
    }
    text
}

fn hash(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoints::Endpoint;
    use crate::target::Target;

    /// The binding of the controller's own guide (`docs/guide/use_cases/multi_cluster`).
    fn guide() -> BindingSpec {
        serde_json::from_value(serde_json::json!({
            "ipAddressType": "ipv4",
            "multiClusterTargetGroup": true,
            "networking": {"ingress": [{
                "from": [{"securityGroup": {"groupID": "sg-06a2bd7d790ac1d2e"}}],
                "ports": [{"port": 32197, "protocol": "TCP"}],
            }]},
            "serviceRef": {"name": "echoserver", "port": 80},
            "targetGroupARN": "arn:aws:elasticloadbalancing:us-east-1:565768096483:targetgroup/k8s-echoserv-echoserv-cc0122e143/6816b87346280ee7",
            "targetType": "instance",
            "vpcID": "vpc-0a7ef5bd8943067a8",
        }))
        .unwrap()
    }

    #[test]
    fn the_spec_hashes_as_in_the_controllers_guide() {
        assert_eq!(hash(&spec_text(&guide())), "_4kBy3Yg64qrXzjvIb2LlC3O__ex1qjozynsqHXmPgo");
    }

    #[test]
    fn what_could_end_a_script_is_escaped_as_go_does() {
        let mut spec = guide();
        spec.service_ref.name = "a<b>&\u{2028}".to_owned();
        assert!(spec_text(&spec).contains(r#""name":"a\u003cb\u003e\u0026\u2028""#));
    }

    #[test]
    fn endpoints_are_sorted_as_text_with_their_age_and_repeats_count() {
        let endpoint = |created: &str| Endpoint {
            pod: None,
            node: None,
            zone: None,
            created_at: Some(created.parse().unwrap()),
            ready_since: None,
            unmet_gates: std::collections::BTreeSet::new(),
            unregistrable: None,
        };
        let mut endpoints = Endpoints::default();
        endpoints.desired.insert(Target::new("10.0.0.9", 80), endpoint("2024-10-15T19:46:06Z"));
        endpoints.desired.insert(Target::new("10.0.0.10", 80), endpoint("2024-10-15T19:46:07Z"));
        endpoints.repeats.push((Target::new("10.0.0.9", 80), None));
        assert_eq!(
            endpoints_text(&endpoints),
            "10.0.0.10:80:1729021567000,10.0.0.9:80:0,10.0.0.9:80:1729021566000"
        );
    }
}
