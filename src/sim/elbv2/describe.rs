//! The other describe operations, and ModifyLoadBalancerAttributes (`facts/elbv2.md` 1.1, 2.2).

use std::collections::{BTreeMap, BTreeSet};

use super::errors::{ApiError, Kind};
use super::{Group, Listener, LoadBalancer, Model, Page, Paging, Rule};

/// The most ARNs or names of one call (1.1).
const ARNS_MAX: usize = 20;

/// The most attributes of one call (1.1).
const ATTRIBUTES_MAX: usize = 20;

/// A resource's tags.
type Tags = BTreeMap<String, String>;

/// Which target groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupFilter {
    /// Those of a load balancer.
    pub load_balancer_arn: Option<String>,
    /// Those of these ARNs.
    pub arns: Vec<String>,
    /// Those of these names.
    pub names: Vec<String>,
}

/// Which load balancers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoadBalancerFilter {
    /// Those of these ARNs.
    pub arns: Vec<String>,
    /// Those of these names.
    pub names: Vec<String>,
}

/// Which listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListenerFilter {
    /// Those of a load balancer.
    pub load_balancer_arn: Option<String>,
    /// Those of these ARNs.
    pub arns: Vec<String>,
}

/// Which rules.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RuleFilter {
    /// Those of a listener, its default action included.
    pub listener_arn: Option<String>,
    /// Those of these ARNs.
    pub arns: Vec<String>,
}

impl Model {
    /// DescribeTargetGroups: one kind of filter, at most 20 ARNs or names.
    ///
    /// # Errors
    ///
    /// `TargetGroupNotFound`, `LoadBalancerNotFound`, `ValidationError`.
    pub fn describe_target_groups(
        &self,
        filter: &GroupFilter,
        paging: &Paging,
    ) -> Result<Page<Group>, ApiError> {
        let kinds =
            [filter.load_balancer_arn.is_some(), !filter.arns.is_empty(), !filter.names.is_empty()];
        one_filter(&kinds)?;
        at_most(ARNS_MAX, filter.arns.len().max(filter.names.len()), "target groups")?;
        let groups: Vec<Group> = if let Some(arn) = &filter.load_balancer_arn {
            self.check_arn(arn, Kind::LoadBalancer)?;
            let load_balancer = self.load_balancer(arn)?;
            self.groups.values().filter(|g| self.is_attached(g, load_balancer)).cloned().collect()
        } else if !filter.arns.is_empty() {
            for arn in &filter.arns {
                self.check_arn(arn, Kind::TargetGroup)?;
            }
            filter.arns.iter().map(|arn| self.group(arn).cloned()).collect::<Result<_, _>>()?
        } else if !filter.names.is_empty() {
            let named = |name: &String| {
                let found = self.groups.values().find(|group| group.arn.name() == name);
                found.cloned().ok_or_else(|| ApiError::not_found(Kind::TargetGroup))
            };
            filter.names.iter().map(named).collect::<Result<_, _>>()?
        } else {
            self.groups.values().cloned().collect()
        };
        paging.cut(groups, self.settings.page_size_max)
    }

    /// DescribeTargetGroupAttributes.
    ///
    /// # Errors
    ///
    /// `TargetGroupNotFound`, `ValidationError`.
    pub fn describe_target_group_attributes(
        &self,
        arn: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        self.check_arn(arn, Kind::TargetGroup)?;
        Ok(self.group(arn)?.attributes.clone())
    }

    /// DescribeLoadBalancers: at most 20 ARNs or names.
    ///
    /// # Errors
    ///
    /// `LoadBalancerNotFound`, `ValidationError`.
    pub fn describe_load_balancers(
        &self,
        filter: &LoadBalancerFilter,
        paging: &Paging,
    ) -> Result<Page<LoadBalancer>, ApiError> {
        one_filter(&[!filter.arns.is_empty(), !filter.names.is_empty()])?;
        at_most(ARNS_MAX, filter.arns.len().max(filter.names.len()), "load balancers")?;
        let found: Vec<LoadBalancer> = if !filter.arns.is_empty() {
            for arn in &filter.arns {
                self.check_arn(arn, Kind::LoadBalancer)?;
            }
            filter
                .arns
                .iter()
                .map(|arn| self.load_balancer(arn).cloned())
                .collect::<Result<_, _>>()?
        } else if !filter.names.is_empty() {
            let named = |name: &String| {
                let found = self.load_balancers.values().find(|lb| lb.name == *name);
                found.cloned().ok_or_else(|| ApiError::not_found(Kind::LoadBalancer))
            };
            filter.names.iter().map(named).collect::<Result<_, _>>()?
        } else {
            self.load_balancers.values().cloned().collect()
        };
        paging.cut(found, self.settings.page_size_max)
    }

    /// DescribeLoadBalancerAttributes.
    ///
    /// # Errors
    ///
    /// `LoadBalancerNotFound`, `ValidationError`.
    pub fn describe_load_balancer_attributes(
        &self,
        arn: &str,
    ) -> Result<BTreeMap<String, String>, ApiError> {
        self.check_arn(arn, Kind::LoadBalancer)?;
        Ok(self.load_balancer(arn)?.attributes.clone())
    }

    /// ModifyLoadBalancerAttributes: answers all attributes as they are then.
    ///
    /// # Errors
    ///
    /// `LoadBalancerNotFound`, `InvalidConfigurationRequest` for a key it does not have,
    /// `ValidationError`.
    pub fn modify_load_balancer_attributes(
        &mut self,
        arn: &str,
        changes: &[(String, String)],
    ) -> Result<BTreeMap<String, String>, ApiError> {
        self.check_arn(arn, Kind::LoadBalancer)?;
        self.load_balancer(arn)?;
        if changes.is_empty() || changes.len() > ATTRIBUTES_MAX {
            // Unseen text.
            return Err(ApiError::validation("You must specify 1 to 20 attributes"));
        }
        let load_balancer = self
            .load_balancers
            .get_mut(arn)
            .ok_or_else(|| ApiError::not_found(Kind::LoadBalancer))?;
        if let Some((key, _)) =
            changes.iter().find(|(key, _)| !load_balancer.attributes.contains_key(key))
        {
            let message = format!("Load balancer attribute key '{key}' is not recognized");
            return Err(ApiError::new(400, "InvalidConfigurationRequest", message));
        }
        load_balancer.attributes.extend(changes.iter().cloned());
        Ok(load_balancer.attributes.clone())
    }

    /// DescribeTags of target groups and load balancers: 1 to 20 ARNs, answered in that order.
    ///
    /// # Errors
    ///
    /// `TargetGroupNotFound`, `LoadBalancerNotFound`, `ValidationError`.
    pub fn describe_tags(&self, arns: &[String]) -> Result<Vec<(String, Tags)>, ApiError> {
        if arns.is_empty() {
            // Unseen text.
            return Err(ApiError::validation("ResourceArns cannot be empty"));
        }
        at_most(ARNS_MAX, arns.len(), "resources")?;
        let tags = |arn: &String| {
            let tags = if arn.contains(":loadbalancer/") {
                self.check_arn(arn, Kind::LoadBalancer)?;
                &self.load_balancer(arn)?.tags
            } else {
                self.check_arn(arn, Kind::TargetGroup)?;
                &self.group(arn)?.tags
            };
            Ok((arn.clone(), tags.clone()))
        };
        arns.iter().map(tags).collect()
    }

    /// DescribeListeners.
    ///
    /// # Errors
    ///
    /// `LoadBalancerNotFound`, `ListenerNotFound`, `ValidationError`.
    pub fn describe_listeners(
        &self,
        filter: &ListenerFilter,
        paging: &Paging,
    ) -> Result<Page<Listener>, ApiError> {
        exactly_one_filter(
            filter.load_balancer_arn.is_some(),
            !filter.arns.is_empty(),
            "a load balancer or listeners",
        )?;
        let found: Vec<Listener> = if let Some(arn) = &filter.load_balancer_arn {
            self.check_arn(arn, Kind::LoadBalancer)?;
            self.load_balancer(arn)?;
            self.listeners.values().filter(|l| l.load_balancer_arn == *arn).cloned().collect()
        } else {
            filter.arns.iter().map(|arn| self.listener(arn).cloned()).collect::<Result<_, _>>()?
        };
        paging.cut(found, self.settings.page_size_max)
    }

    /// DescribeRules: by priority; a listener's default action is a rule too, the last one.
    ///
    /// # Errors
    ///
    /// `ListenerNotFound`, `RuleNotFound`, `ValidationError`.
    pub fn describe_rules(
        &self,
        filter: &RuleFilter,
        paging: &Paging,
    ) -> Result<Page<Rule>, ApiError> {
        exactly_one_filter(
            filter.listener_arn.is_some(),
            !filter.arns.is_empty(),
            "a listener or rules",
        )?;
        let found: Vec<Rule> = if let Some(arn) = &filter.listener_arn {
            let listener = self.listener(arn)?;
            let of_listener = self.rules.values().filter(|rule| rule.listener_arn == *arn);
            let mut rules: Vec<Rule> = of_listener.cloned().collect();
            rules.sort_by_key(|rule| rule.priority.parse::<u32>().ok());
            rules.push(default_rule(listener));
            rules
        } else {
            let named = |arn: &String| {
                self.check_arn(arn, Kind::Rule)?;
                self.rules.get(arn).cloned().ok_or_else(|| ApiError::not_found(Kind::Rule))
            };
            filter.arns.iter().map(named).collect::<Result<_, _>>()?
        };
        paging.cut(found, self.settings.page_size_max)
    }

    /// DescribeAccountLimits: quotas by name (3.1).
    ///
    /// # Errors
    ///
    /// `ValidationError`.
    pub fn describe_account_limits(
        &self,
        paging: &Paging,
    ) -> Result<Page<(String, u32)>, ApiError> {
        let limits = self.limits.iter().map(|(name, max)| (name.clone(), *max)).collect();
        paging.cut(limits, self.settings.page_size_max)
    }

    /// The load balancers whose listeners or rules forward to a group (4.1).
    pub(super) fn load_balancers_of(&self, group: &str) -> impl Iterator<Item = &LoadBalancer> {
        let by_rule = self.rules.values().filter(|rule| rule.forward.contains_key(group));
        let by_rule = by_rule.filter_map(|rule| self.listeners.get(&rule.listener_arn));
        let by_default = self.listeners.values().filter(|l| l.forward.contains_key(group));
        let arns: BTreeSet<&String> =
            by_default.chain(by_rule).map(|listener| &listener.load_balancer_arn).collect();
        arns.into_iter().filter_map(|arn| self.load_balancers.get(arn))
    }

    /// The ARNs of the load balancers that a group is attached to.
    pub fn load_balancer_arns(&self, group: &Group) -> Vec<String> {
        self.load_balancers_of(group.arn.as_str()).map(|lb| lb.arn.clone()).collect()
    }

    pub(super) fn is_attached(&self, group: &Group, load_balancer: &LoadBalancer) -> bool {
        self.load_balancers_of(group.arn.as_str()).any(|lb| lb.arn == load_balancer.arn)
    }

    /// Whether cross-zone is on: the group's attribute wins over the load balancer's (2.2, 4.2).
    pub(super) fn is_cross_zone(&self, group: &Group) -> bool {
        const KEY: &str = "load_balancing.cross_zone.enabled";
        match group.attributes.get(KEY).map(String::as_str) {
            Some("true") => true,
            Some("false") => false,
            _ => self
                .load_balancers_of(group.arn.as_str())
                .any(|lb| lb.attributes.get(KEY).is_some_and(|on| on == "true")),
        }
    }

    pub(super) fn group(&self, arn: &str) -> Result<&Group, ApiError> {
        self.groups.get(arn).ok_or_else(|| ApiError::not_found(Kind::TargetGroup))
    }

    pub(super) fn group_mut(&mut self, arn: &str) -> Result<&mut Group, ApiError> {
        self.groups.get_mut(arn).ok_or_else(|| ApiError::not_found(Kind::TargetGroup))
    }

    pub(super) fn load_balancer(&self, arn: &str) -> Result<&LoadBalancer, ApiError> {
        self.load_balancers.get(arn).ok_or_else(|| ApiError::not_found(Kind::LoadBalancer))
    }

    pub(super) fn listener(&self, arn: &str) -> Result<&Listener, ApiError> {
        self.check_arn(arn, Kind::Listener)?;
        self.listeners.get(arn).ok_or_else(|| ApiError::not_found(Kind::Listener))
    }

    /// An ARN of another region is refused like one that is none (1.2).
    pub(super) fn check_arn(&self, arn: &str, kind: Kind) -> Result<(), ApiError> {
        let fields: Vec<&str> = arn.splitn(6, ':').collect();
        match fields[..] {
            ["arn", _, "elasticloadbalancing", region, _, resource]
                if region == self.region && resource.starts_with(kind.prefix()) =>
            {
                Ok(())
            }
            _ => Err(ApiError::malformed_arn(arn, kind.words())),
        }
    }
}

fn default_rule(listener: &Listener) -> Rule {
    Rule {
        arn: format!("{}/default", listener.arn.replacen(":listener/", ":listener-rule/", 1)),
        listener_arn: listener.arn.clone(),
        priority: "default".to_owned(),
        forward: listener.forward.clone(),
    }
}

fn at_most(limit: usize, count: usize, what: &str) -> Result<(), ApiError> {
    if count > limit { Err(ApiError::too_many_to_describe(limit, what)) } else { Ok(()) }
}

// The texts of the two below are unseen.
fn one_filter(kinds: &[bool]) -> Result<(), ApiError> {
    if kinds.iter().filter(|given| **given).count() > 1 {
        return Err(ApiError::validation("You must specify only one kind of filter"));
    }
    Ok(())
}

fn exactly_one_filter(first: bool, second: bool, what: &str) -> Result<(), ApiError> {
    if first == second {
        return Err(ApiError::validation(format!("You must specify either {what}")));
    }
    Ok(())
}
