//! The model against `facts/elbv2.md`, section by section.

use super::*;
use crate::target::HealthState;

mod describing;
mod draining;
mod healthy;
mod placing;
mod quota;

/// An NLB over three zones with one TCP `ip` group behind a listener.
struct Region {
    model: Model,
    group: TargetGroupArn,
    load_balancer: String,
    listener: String,
}

const VPC: &str = "vpc-1";

fn region() -> Region {
    let mut model = empty();
    let load_balancer = model.create_load_balancer(&NewLoadBalancer::new("shop", VPC));
    let group = model.create_target_group(&NewGroup::new("k8s-web-shop", VPC)).unwrap();
    let listener = model.create_listener(&load_balancer, "TCP", 80, &[(&group, 1)]).unwrap();
    Region { model, group, load_balancer, listener }
}

fn empty() -> Model {
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut model = Model::new("us-east-1", "111122223333", now);
    let vpc = Vpc::default()
        .subnet("us-east-1a", "10.0.0.0/18")
        .subnet("us-east-1b", "10.0.64.0/18")
        .subnet("us-east-1c", "10.0.128.0/18")
        .subnet("us-east-1a", "2001:db8:1::/64");
    model.add_vpc(VPC, vpc);
    model
}

impl Region {
    fn register(&mut self, requests: &[TargetRequest]) -> Result<(), ApiError> {
        self.model.register_targets(self.group.as_str(), requests)
    }

    fn deregister(&mut self, requests: &[TargetRequest]) -> Result<(), ApiError> {
        self.model.deregister_targets(self.group.as_str(), requests)
    }

    fn attribute(&mut self, key: &str, value: &str) {
        self.model.edit_group(&self.group, |group| {
            group.attributes.insert(key.to_owned(), value.to_owned());
        });
    }

    fn advance(&mut self, seconds: u64) {
        self.model.advance(Duration::from_secs(seconds));
    }

    /// `id:port zone state reason` of every target that is listed.
    fn listed(&self) -> Vec<String> {
        self.asked(&[])
    }

    fn asked(&self, queries: &[TargetQuery]) -> Vec<String> {
        let described = self.model.describe_target_health(self.group.as_str(), queries).unwrap();
        described.iter().map(show).collect()
    }

    fn states(&self) -> Vec<HealthState> {
        let described = self.model.describe_target_health(self.group.as_str(), &[]).unwrap();
        described.into_iter().map(|d| d.description.health.state).collect()
    }
}

fn show(described: &Described) -> String {
    let TargetDescriptionText { target, zone, state, reason } = text(described);
    format!("{target} {zone} {state} {reason}").trim_end().to_owned()
}

struct TargetDescriptionText {
    target: String,
    zone: String,
    state: String,
    reason: String,
}

fn text(described: &Described) -> TargetDescriptionText {
    let description = &described.description;
    TargetDescriptionText {
        target: description.target.to_string(),
        zone: description.availability_zone.clone().unwrap_or_else(|| "-".to_owned()),
        state: description.health.state.to_string(),
        reason: description.health.reason.clone().unwrap_or_default(),
    }
}

fn at(id: &str) -> TargetRequest {
    TargetRequest::new(id, 8080)
}

/// The code and text of a refusal.
fn refusal<T: std::fmt::Debug>(answer: Result<T, ApiError>) -> String {
    answer.unwrap_err().to_string()
}

#[test]
fn the_state_survives_json() {
    let mut region = region();
    region.register(&[at("10.0.0.1"), at("10.0.64.1")]).unwrap();
    region.deregister(&[at("10.0.0.1")]).unwrap();
    region.model.set_condition("10.0.64.1", Condition::Failing);
    region.model.set_throttle(Some(Throttle::documented(region.model.now())));
    let text = serde_json::to_string(&region.model).unwrap();
    assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), region.model);
}
