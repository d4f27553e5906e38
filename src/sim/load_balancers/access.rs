//! The trait's methods, made of the model's operations.

use std::collections::{BTreeMap, BTreeSet};

use super::{LoadBalancers, NoAnswer};
use crate::elbv2::{
    ARNS_PER_CALL_MAX, Access, CallError, Fault, LoadBalancers as Door, Registration,
    TARGETS_PER_CALL_MAX, refused,
};
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
                Err(NoAnswer::Refused(error))
                    if batch.len() > 1 && fault(operation, &error).may_be_of_one() =>
                {
                    for key in batch {
                        let alone = std::slice::from_ref(key);
                        let one = self.ask_all(access, operation, |m, p| page(m, alone, p)).await;
                        let one = one.map(|mut items| items.pop());
                        found.insert(key.clone(), present(operation, one));
                    }
                }
                Err(no_answer) => {
                    let silence = silence(operation, no_answer);
                    found.extend(batch.iter().map(|key| (key.clone(), Err(silence.clone()))));
                }
            }
        }
        found
    }
}

fn present<K, T>(operation: Operation, one: Result<Option<(K, T)>, NoAnswer>) -> Reading<T> {
    match one {
        Ok(Some((_, item))) => Ok(item),
        Ok(None) => Err(Silence::new(SilenceReason::Garbled, "AWS left it out of its answer")),
        Err(no_answer) => Err(silence(operation, no_answer)),
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
        present(
            Operation::DescribeTargetGroups,
            found.map(|mut groups| groups.pop().map(|group| ((), group))),
        )
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
            .map_err(|lost| silence(Operation::DescribeTargetHealth, lost))?;
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
        .map_err(|lost| silence(Operation::DescribeTargetGroupAttributes, lost))
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
            .map_err(|lost| silence(Operation::DescribeLoadBalancerAttributes, lost))
    }

    async fn listeners(&self, access: &Access, arn: &str) -> Reading<Vec<Listener>> {
        let filter = ListenerFilter { load_balancer_arn: Some(arn.to_owned()), arns: Vec::new() };
        let found = self
            .ask_all(access, Operation::DescribeListeners, |model, paging| {
                model.describe_listeners(&filter, paging)
            })
            .await
            .map_err(|lost| silence(Operation::DescribeListeners, lost))?;
        let mut listeners = Vec::new();
        for listener in found {
            let filter = RuleFilter { listener_arn: Some(listener.arn.clone()), arns: Vec::new() };
            let rules = self
                .ask_all(access, Operation::DescribeRules, |model, paging| {
                    model.describe_rules(&filter, paging)
                })
                .await
                .map_err(|lost| silence(Operation::DescribeRules, lost))?;
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

    async fn account_limits(
        &self,
        access: &Access,
        _account: &str,
    ) -> Reading<BTreeMap<String, u64>> {
        let operation = Operation::DescribeAccountLimits;
        let limits = self
            .ask_all(access, operation, |model, paging| model.describe_account_limits(paging))
            .await
            .map_err(|lost| silence(operation, lost))?;
        Ok(limits.into_iter().map(|(name, max)| (name, u64::from(max))).collect())
    }

    async fn register(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[Registration],
    ) -> Result<(), CallError> {
        if !is_sent(Operation::RegisterTargets, targets.len())? {
            return Ok(());
        }
        let requests: Vec<TargetRequest> =
            targets.iter().map(|r| request(&r.target, r.availability_zone.as_deref())).collect();
        let targets = targets.iter().map(|registration| registration.target.clone()).collect();
        self.ask(access, Operation::RegisterTargets, targets, |model| {
            model.register_targets(arn.as_str(), &requests)
        })
        .await
        .map_err(|lost| call_error(Operation::RegisterTargets, lost))
    }

    async fn deregister(
        &self,
        access: &Access,
        arn: &TargetGroupArn,
        targets: &[TargetDescription],
    ) -> Result<(), CallError> {
        if !is_sent(Operation::DeregisterTargets, targets.len())? {
            return Ok(());
        }
        let requests: Vec<TargetRequest> =
            targets.iter().map(|d| request(&d.target, d.availability_zone.as_deref())).collect();
        let targets = targets.iter().map(|description| description.target.clone()).collect();
        self.ask(access, Operation::DeregisterTargets, targets, |model| {
            model.deregister_targets(arn.as_str(), &requests)
        })
        .await
        .map_err(|lost| call_error(Operation::DeregisterTargets, lost))
    }
}

/// Whether a batch is sent: an empty one is not, and one that is too large is the caller's mistake.
fn is_sent(operation: Operation, targets: usize) -> Result<bool, CallError> {
    if targets > TARGETS_PER_CALL_MAX {
        let said = format!("failed to {}: one call takes {TARGETS_PER_CALL_MAX}", doing(operation));
        return Err(CallError::Failed(Silence::new(SilenceReason::Invalid, said)));
    }
    Ok(targets > 0)
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
        health_check_port: Some(group.health_check_port.clone()),
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

/// What the AWS adapter's callers would be told: refusals are sorted by the adapter's own rules.
fn silence(operation: Operation, no_answer: NoAnswer) -> Silence {
    let (reason, said) = match no_answer {
        NoAnswer::Refused(error) => return fault(operation, &error).into(),
        NoAnswer::Closed => {
            (SilenceReason::Unreachable, "the connection was closed before an answer came")
        }
        NoAnswer::Garbage => (SilenceReason::Garbled, "the answer is not one of ELBv2"),
        NoAnswer::Silent => (SilenceReason::Timeout, "ELBv2 did not answer in time"),
    };
    Silence::new(reason, format!("failed to {}: {said}", doing(operation)))
}

fn call_error(operation: Operation, no_answer: NoAnswer) -> CallError {
    match no_answer {
        NoAnswer::Refused(error) => fault(operation, &error).into(),
        lost => CallError::Failed(silence(operation, lost)),
    }
}

fn fault(operation: Operation, error: &ApiError) -> Fault {
    refused(doing(operation), &error.code, Some(&error.message), error.status)
}

/// Completes "failed to".
fn doing(operation: Operation) -> &'static str {
    match operation {
        Operation::RegisterTargets => "register targets",
        Operation::DeregisterTargets => "deregister targets",
        Operation::DescribeTargetHealth => "list targets",
        Operation::DescribeTargetGroups => "describe target groups",
        Operation::DescribeTargetGroupAttributes => "read the attributes of a target group",
        Operation::DescribeLoadBalancers => "describe load balancers",
        Operation::DescribeLoadBalancerAttributes => "read the attributes of a load balancer",
        Operation::ModifyLoadBalancerAttributes => "change the attributes of a load balancer",
        Operation::DescribeTags => "read tags",
        Operation::DescribeListeners => "list listeners",
        Operation::DescribeRules => "list the rules of a listener",
        Operation::DescribeAccountLimits => "read the account's limits",
    }
}
