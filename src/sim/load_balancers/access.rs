//! The trait's methods, made of the model's operations.

use std::collections::{BTreeMap, BTreeSet};

use super::{LoadBalancers, NoAnswer};
use crate::elbv2::{ARNS_PER_CALL_MAX, Access, CallError, LoadBalancers as Door, Registration};
use crate::facts::{Forward, Listener, LoadBalancer, Reading, Silence, SilenceReason, TargetGroup};
use crate::sim::elbv2::{
    ApiError, Group, GroupFilter, ListenerFilter, LoadBalancer as Described, LoadBalancerFilter,
    Model, Operation, Page, Paging, RuleFilter, TargetRequest,
};
use crate::target::{Target, TargetDescription, TargetGroupArn};

impl LoadBalancers {
    async fn ask<T>(
        &self,
        access: &Access,
        operation: Operation,
        targets: Vec<Target>,
        effect: impl FnOnce(&mut Model) -> Result<T, ApiError>,
    ) -> Result<T, NoAnswer> {
        let effect = |model: &mut Model| match &access.role {
            Some(role) if model.is_denied(&role.arn) => {
                Err(ApiError::access_denied(&role.arn, operation.as_str()))
            }
            _ => effect(model),
        };
        self.call(operation, targets, effect).await.answer
    }

    /// Reads every page.
    async fn ask_all<T>(
        &self,
        access: &Access,
        operation: Operation,
        page: impl Fn(&Model, &Paging) -> Result<Page<T>, ApiError>,
    ) -> Result<Vec<T>, NoAnswer> {
        let mut all = Vec::new();
        let mut paging = Paging::default();
        loop {
            let page = self.ask(access, operation, Vec::new(), |m| page(m, &paging)).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => paging.marker = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Asks for up to 20 ARNs at once; where one of them makes the whole call fail, for each alone,
    /// so that it hides no other.
    async fn ask_each<K, T>(
        &self,
        access: &Access,
        operation: Operation,
        keys: &BTreeSet<K>,
        page: impl Fn(&Model, &[K], &Paging) -> Result<Page<(K, T)>, ApiError>,
    ) -> BTreeMap<K, Reading<T>>
    where
        K: Ord + Clone,
    {
        let keys: Vec<K> = keys.iter().cloned().collect();
        let mut found = BTreeMap::new();
        for batch in keys.chunks(ARNS_PER_CALL_MAX) {
            match self.ask_all(access, operation, |m, paging| page(m, batch, paging)).await {
                Ok(items) => found.extend(items.into_iter().map(|(key, item)| (key, Ok(item)))),
                Err(NoAnswer::Refused(error)) if batch.len() > 1 && names_one(&error) => {
                    for key in batch {
                        let alone = std::slice::from_ref(key);
                        let one = self.ask_all(access, operation, |m, p| page(m, alone, p)).await;
                        let one = one.map(|mut items| items.pop());
                        found.insert(key.clone(), present(one));
                    }
                }
                Err(no_answer) => {
                    let silence = silence(no_answer);
                    found.extend(batch.iter().map(|key| (key.clone(), Err(silence.clone()))));
                }
            }
        }
        found
    }
}

/// Says whether a refusal is about one of the ARNs that were asked for.
fn names_one(error: &ApiError) -> bool {
    error.code.ends_with("NotFound") || error.code == "ValidationError"
}

fn present<K, T>(one: Result<Option<(K, T)>, NoAnswer>) -> Reading<T> {
    match one {
        Ok(Some((_, item))) => Ok(item),
        Ok(None) => Err(Silence::new(SilenceReason::Garbled, "AWS left it out of its answer")),
        Err(no_answer) => Err(silence(no_answer)),
    }
}

impl Door for LoadBalancers {
    async fn target_groups(
        &self,
        access: &Access,
        arns: &BTreeSet<TargetGroupArn>,
    ) -> BTreeMap<TargetGroupArn, Reading<TargetGroup>> {
        self.ask_each(access, Operation::DescribeTargetGroups, arns, |model, batch, paging| {
            let arns = batch.iter().map(ToString::to_string).collect();
            let filter = GroupFilter { arns, ..GroupFilter::default() };
            let page = model.describe_target_groups(&filter, paging)?;
            let items = page.items.iter().map(|g| (g.arn.clone(), group_facts(model, g))).collect();
            Ok(Page { items, next: page.next })
        })
        .await
    }

    async fn target_group_by_name(&self, access: &Access, name: &str) -> Reading<TargetGroup> {
        let filter = GroupFilter { names: vec![name.to_owned()], ..GroupFilter::default() };
        let found = self
            .ask_all(access, Operation::DescribeTargetGroups, |model, paging| {
                let page = model.describe_target_groups(&filter, paging)?;
                let items = page.items.iter().map(|g| group_facts(model, g)).collect();
                Ok(Page { items, next: page.next })
            })
            .await;
        present(found.map(|mut groups| groups.pop().map(|group| ((), group))))
    }

    async fn targets(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
    ) -> Reading<Vec<TargetDescription>> {
        let operation = Operation::DescribeTargetHealth;
        let described = self
            .ask(access, operation, Vec::new(), |m| m.describe_target_health(arn.as_str(), &[]))
            .await
            .map_err(silence)?;
        Ok(described.into_iter().map(|described| described.description).collect())
    }

    async fn target_group_attributes(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
    ) -> Reading<BTreeMap<String, String>> {
        let operation = Operation::DescribeTargetGroupAttributes;
        self.ask(access, operation, Vec::new(), |m| {
            m.describe_target_group_attributes(arn.as_str())
        })
        .await
        .map_err(silence)
    }

    async fn tags(
        &self,
        access: &Access,
        arns: &BTreeSet<TargetGroupArn>,
    ) -> BTreeMap<TargetGroupArn, Reading<BTreeMap<String, String>>> {
        self.ask_each(access, Operation::DescribeTags, arns, |model, batch, _| {
            let names: Vec<String> = batch.iter().map(ToString::to_string).collect();
            let tags = model.describe_tags(&names)?.into_iter().map(|(_, tags)| tags);
            Ok(Page { items: batch.iter().cloned().zip(tags).collect(), next: None })
        })
        .await
    }

    async fn load_balancers(
        &self,
        access: &Access,
        arns: &BTreeSet<String>,
    ) -> BTreeMap<String, Reading<LoadBalancer>> {
        self.ask_each(access, Operation::DescribeLoadBalancers, arns, |model, batch, paging| {
            let filter = LoadBalancerFilter { arns: batch.to_vec(), names: Vec::new() };
            let page = model.describe_load_balancers(&filter, paging)?;
            let items = page.items.into_iter().map(|lb| (lb.arn.clone(), load_balancer_facts(lb)));
            Ok(Page { items: items.collect(), next: page.next })
        })
        .await
    }

    async fn load_balancer_attributes(
        &self,
        access: &Access,
        arn: &str,
    ) -> Reading<BTreeMap<String, String>> {
        let operation = Operation::DescribeLoadBalancerAttributes;
        self.ask(access, operation, Vec::new(), |m| m.describe_load_balancer_attributes(arn))
            .await
            .map_err(silence)
    }

    async fn listeners(&self, access: &Access, arn: &str) -> Reading<Vec<Listener>> {
        let filter = ListenerFilter { load_balancer_arn: Some(arn.to_owned()), arns: Vec::new() };
        let found = self
            .ask_all(access, Operation::DescribeListeners, |model, paging| {
                model.describe_listeners(&filter, paging)
            })
            .await
            .map_err(silence)?;
        let mut listeners = Vec::new();
        for listener in found {
            let filter = RuleFilter { listener_arn: Some(listener.arn.clone()), arns: Vec::new() };
            let rules = self
                .ask_all(access, Operation::DescribeRules, |model, paging| {
                    model.describe_rules(&filter, paging)
                })
                .await
                .map_err(silence)?;
            let of_rules = rules.into_iter().filter(|rule| !rule.is_default());
            let of_rules =
                of_rules.map(|rule| Forward { rule_arn: Some(rule.arn), weights: rule.forward });
            let default = Forward { rule_arn: None, weights: listener.forward };
            listeners.push(Listener {
                arn: listener.arn,
                port: Some(listener.port),
                protocol: Some(listener.protocol),
                forwards: std::iter::once(default)
                    .chain(of_rules)
                    .filter(|forward| !forward.weights.is_empty())
                    .collect(),
            });
        }
        Ok(listeners)
    }

    async fn register(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[Registration],
    ) -> Result<(), CallError> {
        let requests: Vec<TargetRequest> =
            targets.iter().map(|r| request(&r.target, r.availability_zone.as_deref())).collect();
        let targets = targets.iter().map(|registration| registration.target.clone()).collect();
        self.ask(access, Operation::RegisterTargets, targets, |model| {
            model.register_targets(arn.as_str(), &requests)
        })
        .await
        .map_err(call_error)
    }

    async fn deregister(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[TargetDescription],
    ) -> Result<(), CallError> {
        let requests: Vec<TargetRequest> =
            targets.iter().map(|d| request(&d.target, d.availability_zone.as_deref())).collect();
        let targets = targets.iter().map(|description| description.target.clone()).collect();
        self.ask(access, Operation::DeregisterTargets, targets, |model| {
            model.deregister_targets(arn.as_str(), &requests)
        })
        .await
        .map_err(call_error)
    }
}

fn request(target: &Target, zone: Option<&str>) -> TargetRequest {
    TargetRequest {
        id: target.id.clone(),
        port: Some(target.port.into()),
        zone: zone.map(str::to_owned),
        quic_server_id: target.quic_server_id.clone(),
    }
}

fn group_facts(model: &Model, group: &Group) -> TargetGroup {
    TargetGroup {
        arn: group.arn.clone(),
        target_type: group.target_type.clone(),
        ip_address_type: group.ip_address_type.clone(),
        protocol: Some(group.protocol.clone()),
        port: Some(group.port),
        vpc_id: Some(group.vpc_id.clone()),
        load_balancer_arns: model.load_balancer_arns(group).into_iter().collect(),
    }
}

fn load_balancer_facts(found: Described) -> LoadBalancer {
    LoadBalancer {
        arn: found.arn,
        name: found.name,
        kind: found.kind,
        dns_name: Some(found.dns_name),
        scheme: Some(found.scheme),
        state: Some(found.state),
        availability_zones: found.zones.into_keys().collect(),
        security_groups: found.security_groups,
    }
}

/// What the AWS adapter's callers would be told.
fn silence(no_answer: NoAnswer) -> Silence {
    match no_answer {
        NoAnswer::Refused(error) => Silence::new(reason(&error), error.to_string()),
        NoAnswer::Closed => Silence::new(
            SilenceReason::Unreachable,
            "the connection was closed before an answer came",
        ),
        NoAnswer::Garbage => {
            Silence::new(SilenceReason::Garbled, "the answer could not be understood")
        }
        NoAnswer::Silent => Silence::new(SilenceReason::Timeout, "no answer came in time"),
    }
}

fn reason(error: &ApiError) -> SilenceReason {
    match error.code.as_str() {
        "Throttling" | "ThrottlingException" => SilenceReason::Throttled,
        "AccessDenied" => SilenceReason::Forbidden,
        code if code.ends_with("NotFound") => SilenceReason::NotFound,
        _ if matches!(error.status, 401 | 403) => SilenceReason::Unauthorized,
        _ if error.status == 429 => SilenceReason::Throttled,
        _ if error.status >= 500 => SilenceReason::ServerError,
        _ => SilenceReason::Invalid,
    }
}

fn call_error(no_answer: NoAnswer) -> CallError {
    let NoAnswer::Refused(error) = &no_answer else {
        return CallError::Failed(silence(no_answer));
    };
    let message = || error.to_string();
    let outside =
        ["is outside the VPC", "is not in the VPC"].iter().any(|w| error.message.contains(w));
    let refused =
        ["cannot have its Availability Zone overridden", "you must specify an Availability Zone"]
            .iter()
            .any(|words| error.message.contains(words));
    match error.code.as_str() {
        "ValidationError" if outside => CallError::ZoneNeeded(message()),
        "ValidationError" if refused => CallError::ZoneRefused(message()),
        "TooManyTargets" => CallError::TooManyTargets(message()),
        "InvalidTarget" | "ValidationError" => CallError::InvalidTarget(message()),
        _ => CallError::Failed(silence(no_answer)),
    }
}
