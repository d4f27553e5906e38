//! Making the model's world: what Terraform, a controller or a console would have made.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::attributes::{DELETION_PROTECTION, group_attributes, load_balancer_attributes};
use super::errors::{ApiError, Kind};
use super::{
    Condition, Group, Instance, InstanceState, Listener, LoadBalancer, Model, Rule, Throttle, Vpc,
};
use crate::target::TargetGroupArn;

/// A target group to make; the default is an IPv4 `ip` group for TCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGroup {
    /// Its name.
    pub name: String,
    /// `ip`, `instance`, `alb` or `lambda`.
    pub target_type: String,
    /// `ipv4` or `ipv6`.
    pub ip_address_type: String,
    /// Its protocol.
    pub protocol: String,
    /// Its default port.
    pub port: u16,
    /// Its VPC.
    pub vpc_id: String,
}

impl NewGroup {
    /// Names an IPv4 `ip` group for TCP.
    pub fn new(name: &str, vpc_id: &str) -> Self {
        Self {
            name: name.to_owned(),
            target_type: "ip".to_owned(),
            ip_address_type: "ipv4".to_owned(),
            protocol: "TCP".to_owned(),
            port: 80,
            vpc_id: vpc_id.to_owned(),
        }
    }

    /// Makes it one for instances.
    #[must_use]
    pub fn instance(mut self) -> Self {
        self.target_type = "instance".to_owned();
        self
    }

    /// Makes it one for IPv6.
    #[must_use]
    pub fn ipv6(mut self) -> Self {
        self.ip_address_type = "ipv6".to_owned();
        self
    }

    /// Gives it another protocol.
    #[must_use]
    pub fn protocol(mut self, protocol: &str) -> Self {
        self.protocol = protocol.to_owned();
        self
    }
}

/// A load balancer to make; the default is an internet-facing NLB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLoadBalancer {
    /// Its name.
    pub name: String,
    /// `network` or `application`.
    pub kind: String,
    /// `internal` or `internet-facing`.
    pub scheme: String,
    /// Its VPC: it serves all its zones.
    pub vpc_id: String,
}

impl NewLoadBalancer {
    /// Names an internet-facing NLB.
    pub fn new(name: &str, vpc_id: &str) -> Self {
        Self {
            name: name.to_owned(),
            kind: "network".to_owned(),
            scheme: "internet-facing".to_owned(),
            vpc_id: vpc_id.to_owned(),
        }
    }

    /// Makes it an ALB.
    #[must_use]
    pub fn application(mut self) -> Self {
        self.kind = "application".to_owned();
        self
    }
}

impl Model {
    /// Adds a VPC.
    pub fn add_vpc(&mut self, id: &str, vpc: Vpc) {
        self.vpcs.insert(id.to_owned(), vpc);
    }

    /// Adds a running instance.
    pub fn add_instance(&mut self, id: &str, vpc_id: &str, zone: &str) {
        let instance = Instance {
            vpc_id: vpc_id.to_owned(),
            zone: zone.to_owned(),
            state: InstanceState::Running,
        };
        self.instances.insert(id.to_owned(), instance);
    }

    /// Starts, stops or terminates an instance.
    pub fn set_instance_state(&mut self, id: &str, state: InstanceState) {
        if let Some(instance) = self.instances.get_mut(id) {
            instance.state = state;
        }
    }

    /// Makes a target group with the attributes of its kind (`facts/elbv2.md` 2.2).
    ///
    /// # Errors
    ///
    /// `ValidationError` for a name that makes no ARN.
    pub fn create_target_group(&mut self, new: &NewGroup) -> Result<TargetGroupArn, ApiError> {
        let id = self.next_id();
        let arn = format!(
            "arn:aws:elasticloadbalancing:{}:{}:targetgroup/{}/{id}",
            self.region, self.account, new.name
        );
        let arn: TargetGroupArn = arn.parse().map_err(|_| {
            ApiError::validation(format!("Target group name '{}' is not valid", new.name))
        })?;
        let group = Group {
            arn: arn.clone(),
            target_type: new.target_type.clone(),
            ip_address_type: new.ip_address_type.clone(),
            protocol: new.protocol.clone(),
            port: new.port,
            vpc_id: new.vpc_id.clone(),
            health_check_port: "traffic-port".to_owned(),
            attributes: group_attributes(new),
            tags: BTreeMap::new(),
            refuses_all_zones: false,
            targets: BTreeMap::new(),
        };
        self.groups.insert(arn.as_str().to_owned(), group);
        Ok(arn)
    }

    /// Makes a load balancer that serves every zone of its VPC.
    pub fn create_load_balancer(&mut self, new: &NewLoadBalancer) -> String {
        let id = self.next_id();
        let short = match new.kind.as_str() {
            "application" => "app",
            _ => "net",
        };
        let arn = format!(
            "arn:aws:elasticloadbalancing:{}:{}:loadbalancer/{short}/{}/{id}",
            self.region, self.account, new.name
        );
        let subnets = self.vpcs.get(&new.vpc_id).into_iter().flat_map(|vpc| &vpc.subnets);
        let load_balancer = LoadBalancer {
            arn: arn.clone(),
            name: new.name.clone(),
            kind: new.kind.clone(),
            dns_name: format!("{}-{id}.elb.{}.amazonaws.com", new.name, self.region),
            scheme: new.scheme.clone(),
            state: "active".to_owned(),
            vpc_id: new.vpc_id.clone(),
            ip_address_type: "ipv4".to_owned(),
            zones: subnets.map(|s| (s.zone.clone(), s.id.clone())).collect(),
            shifted_zones: BTreeSet::new(),
            security_groups: BTreeSet::new(),
            attributes: load_balancer_attributes(new),
            tags: BTreeMap::new(),
        };
        self.load_balancers.insert(arn.clone(), load_balancer);
        arn
    }

    /// Makes a listener that forwards to groups by weight.
    ///
    /// # Errors
    ///
    /// `LoadBalancerNotFound`, `TargetGroupNotFound`; `TargetGroupAssociationLimit` for a group of
    /// another load balancer (`facts/elbv2.md` 4.1).
    pub fn create_listener(
        &mut self,
        load_balancer: &str,
        protocol: &str,
        port: u16,
        forward: &[(&TargetGroupArn, u32)],
    ) -> Result<String, ApiError> {
        self.check_arn(load_balancer, Kind::LoadBalancer)?;
        self.load_balancer(load_balancer)?;
        let forward = self.check_forward(load_balancer, forward)?;
        let id = self.next_id();
        let arn = format!("{}/{id}", load_balancer.replacen(":loadbalancer/", ":listener/", 1));
        let listener = Listener {
            arn: arn.clone(),
            load_balancer_arn: load_balancer.to_owned(),
            port,
            protocol: protocol.to_owned(),
            forward,
        };
        self.listeners.insert(arn.clone(), listener);
        self.settle();
        Ok(arn)
    }

    /// Makes a rule that forwards to groups by weight.
    ///
    /// # Errors
    ///
    /// As [`Self::create_listener`], and `ListenerNotFound`.
    pub fn create_rule(
        &mut self,
        listener: &str,
        priority: u32,
        forward: &[(&TargetGroupArn, u32)],
    ) -> Result<String, ApiError> {
        let load_balancer = self.listener(listener)?.load_balancer_arn.clone();
        let forward = self.check_forward(&load_balancer, forward)?;
        let id = self.next_id();
        let arn = format!("{}/{id}", listener.replacen(":listener/", ":listener-rule/", 1));
        let rule = Rule {
            arn: arn.clone(),
            listener_arn: listener.to_owned(),
            priority: priority.to_string(),
            forward,
        };
        self.rules.insert(arn.clone(), rule);
        self.settle();
        Ok(arn)
    }

    fn check_forward(
        &self,
        load_balancer: &str,
        forward: &[(&TargetGroupArn, u32)],
    ) -> Result<BTreeMap<String, u32>, ApiError> {
        for (group, _) in forward {
            self.group(group.as_str())?;
            if self.load_balancers_of(group.as_str()).any(|lb| lb.arn != load_balancer) {
                return Err(ApiError::new(
                    400,
                    "TargetGroupAssociationLimit",
                    format!(
                        "The following target groups cannot be associated with more than one load balancer: {group}"
                    ),
                ));
            }
        }
        Ok(forward.iter().map(|(group, weight)| (group.as_str().to_owned(), *weight)).collect())
    }

    /// Deletes a listener and its rules; groups and their targets stay (4.1).
    ///
    /// # Errors
    ///
    /// `ListenerNotFound`.
    pub fn delete_listener(&mut self, arn: &str) -> Result<(), ApiError> {
        self.listener(arn)?;
        self.listeners.remove(arn);
        self.rules.retain(|_, rule| rule.listener_arn != arn);
        self.settle();
        Ok(())
    }

    /// Deletes a rule.
    pub fn delete_rule(&mut self, arn: &str) {
        self.rules.remove(arn);
        self.settle();
    }

    /// Deletes a load balancer and its listeners; groups and their targets stay (4.1).
    ///
    /// # Errors
    ///
    /// `LoadBalancerNotFound`; `OperationNotPermitted` under deletion protection.
    pub fn delete_load_balancer(&mut self, arn: &str) -> Result<(), ApiError> {
        let load_balancer = self.load_balancer(arn)?;
        if load_balancer.attributes.get(DELETION_PROTECTION).is_some_and(|on| on == "true") {
            return Err(ApiError::new(
                400,
                "OperationNotPermitted",
                format!(
                    "Load balancer '{arn}' cannot be deleted because deletion protection is enabled"
                ),
            ));
        }
        self.load_balancers.remove(arn);
        let listeners: Vec<String> = self
            .listeners
            .values()
            .filter(|listener| listener.load_balancer_arn == arn)
            .map(|listener| listener.arn.clone())
            .collect();
        for listener in listeners {
            self.delete_listener(&listener)?;
        }
        self.settle();
        Ok(())
    }

    /// Deletes a target group; registered targets are no obstacle (4.1).
    ///
    /// # Errors
    ///
    /// `TargetGroupNotFound`; `ResourceInUse` while an action names it.
    pub fn delete_target_group(&mut self, arn: &TargetGroupArn) -> Result<(), ApiError> {
        self.group(arn.as_str())?;
        if self.load_balancers_of(arn.as_str()).next().is_some() {
            let message =
                format!("Target group '{arn}' is currently in use by a listener or a rule");
            return Err(ApiError::new(400, "ResourceInUse", message));
        }
        self.groups.remove(arn.as_str());
        Ok(())
    }

    /// Changes a group as its owner may: attributes, tags, health-check port.
    pub fn edit_group(&mut self, arn: &TargetGroupArn, edit: impl FnOnce(&mut Group)) {
        if let Some(group) = self.groups.get_mut(arn.as_str()) {
            edit(group);
        }
        self.settle();
    }

    /// Changes a load balancer as its owner may: zones, attributes, tags, state.
    pub fn edit_load_balancer(&mut self, arn: &str, edit: impl FnOnce(&mut LoadBalancer)) {
        if let Some(load_balancer) = self.load_balancers.get_mut(arn) {
            edit(load_balancer);
        }
        self.settle();
    }

    /// The groups.
    pub(in crate::sim) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// The load balancers.
    pub(in crate::sim) fn load_balancers(&self) -> impl Iterator<Item = &LoadBalancer> {
        self.load_balancers.values()
    }

    /// The listeners of a load balancer.
    pub(in crate::sim) fn listeners_of(&self, arn: &str) -> impl Iterator<Item = &Listener> {
        self.listeners.values().filter(move |listener| listener.load_balancer_arn == arn)
    }

    /// A listener.
    pub(in crate::sim) fn listener_of(&self, arn: &str) -> Option<&Listener> {
        self.listeners.get(arn)
    }

    /// The rules of a listener.
    pub(in crate::sim) fn rules_of(&self, arn: &str) -> impl Iterator<Item = &Rule> {
        self.rules.values().filter(move |rule| rule.listener_arn == arn)
    }

    /// Decides how an address, an instance id or an `id:port` answers its checks.
    pub fn set_condition(&mut self, id: &str, condition: Condition) {
        self.conditions.insert(id.to_owned(), condition);
    }

    /// Sets a quota, by its name in DescribeAccountLimits.
    pub fn set_limit(&mut self, name: &str, max: u32) {
        self.limits.insert(name.to_owned(), max);
    }

    /// Turns the account's throttling on, or off again.
    pub fn set_throttle(&mut self, throttle: Option<Throttle>) {
        self.throttle = throttle;
    }

    /// Takes one call off the buckets.
    ///
    /// # Errors
    ///
    /// `Throttling` where they are empty.
    pub fn admit(&mut self, operation: super::Operation) -> Result<(), ApiError> {
        let now = self.now;
        match &mut self.throttle {
            Some(throttle) => throttle.take(operation, now),
            None => Ok(()),
        }
    }

    /// The address ranges of a VPC: those of its subnets, since nothing else of it is known. None
    /// where there is no such VPC.
    pub fn vpc_ranges(&self, id: &str) -> Option<Vec<IpNet>> {
        let vpc = self.vpcs.get(id)?;
        Some(vpc.subnets.iter().map(|subnet| subnet.cidr).collect())
    }

    /// Lets a role do nothing from now on.
    pub fn deny_role(&mut self, role: &str) {
        self.denied_roles.insert(role.to_owned());
    }

    /// Says whether a role may do nothing.
    pub fn is_denied(&self, role: &str) -> bool {
        self.denied_roles.contains(role)
    }
}
