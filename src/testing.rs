//! Facts in a few words, for the tests of everything that decides.
//!
//! A target is written as its last number (`3` is `10.0.0.3:80`), with its state behind it where it
//! is not healthy: `3-` draining, `3!` unhealthy, `3?` initial, `3~` unused.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::binding::{
    Binding, BindingSpec, CHECKPOINT_ANNOTATION, Flavour, PortRef, ServiceRef, TargetType,
};
use crate::endpoints::{Endpoint, Endpoints, PodName, Unresolved};
use crate::facts::{
    Aliveness, BindingFacts, ClusterFacts, Controller, Facts, Forward, GroupFacts, Listener,
    LoadBalancer, LoadBalancerFacts, Silence, SilenceReason, TargetGroup,
};
use crate::ledger::{self, Ledger};
use crate::objects::Objects;
use crate::target::{Health, HealthState, Target, TargetDescription, TargetGroupArn};

/// The group that every binding here names.
pub(crate) fn arn() -> TargetGroupArn {
    "arn:aws:elasticloadbalancing:us-east-1:111122223333:targetgroup/shop/0123456789abcdef"
        .parse()
        .unwrap()
}

/// The time of every observation here.
pub(crate) fn now() -> Timestamp {
    "2026-01-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn target(word: &str) -> Target {
    Target::new(format!("10.0.0.{}", word.trim_end_matches(['-', '!', '?', '~'])), 80)
}

pub(crate) fn targets(words: &str) -> BTreeSet<Target> {
    words.split_whitespace().map(target).collect()
}

/// Writes targets as they are written here.
pub(crate) fn words<'a>(targets: impl IntoIterator<Item = &'a Target>) -> String {
    let word = |target: &Target| target.id.trim_start_matches("10.0.0.").to_owned();
    targets.into_iter().map(word).collect::<Vec<_>>().join(" ")
}

/// Facts of one group, cluster by cluster.
pub(crate) struct World {
    pub(crate) facts: Facts,
}

/// Begins a world in which ELBv2 lists these targets; odd ones in zone `a`, even ones in zone `b`.
pub(crate) fn registered(list: &str) -> World {
    let described = |word: &str| {
        let state = match word.chars().last() {
            Some('-') => HealthState::Draining,
            Some('!') => HealthState::Unhealthy,
            Some('?') => HealthState::Initial,
            Some('~') => HealthState::Unused,
            _ => HealthState::Healthy,
        };
        let target = target(word);
        let even = target.id.ends_with(['0', '2', '4', '6', '8']);
        let availability_zone = Some(if even { "b" } else { "a" }.to_owned());
        TargetDescription { target, availability_zone, health: Health::plain(state) }
    };
    let listener = Listener {
        arn: "listener".to_owned(),
        port: Some(80),
        protocol: Some("TCP".to_owned()),
        forwards: vec![Forward {
            rule_arn: None,
            weights: BTreeMap::from([(arn().to_string(), 1)]),
        }],
    };
    let load_balancer = LoadBalancer {
        arn: "lb".to_owned(),
        name: "shop".to_owned(),
        kind: "network".to_owned(),
        dns_name: Some("shop.example.com".to_owned()),
        scheme: Some("internal".to_owned()),
        state: Some("active".to_owned()),
        availability_zones: ["a", "b"].map(str::to_owned).into(),
        security_groups: BTreeSet::new(),
    };
    let group = GroupFacts {
        group: Ok(TargetGroup {
            arn: arn(),
            target_type: "ip".to_owned(),
            ip_address_type: "ipv4".to_owned(),
            protocol: Some("TCP".to_owned()),
            port: Some(80),
            vpc_id: Some("vpc-1".to_owned()),
            health_check_port: Some("traffic-port".to_owned()),
            load_balancer_arns: BTreeSet::from(["lb".to_owned()]),
        }),
        targets: Ok(list.split_whitespace().map(described).collect()),
        attributes: Ok(BTreeMap::new()),
        tags: Ok(BTreeMap::new()),
        load_balancers: Ok(vec![LoadBalancerFacts {
            load_balancer,
            attributes: Ok(BTreeMap::new()),
            listeners: Ok(vec![listener]),
        }]),
    };
    let facts = Facts {
        observed_at: now(),
        clusters: Vec::new(),
        groups: BTreeMap::from([(arn(), group)]),
        account_limits: BTreeMap::new(),
        narrowed: false,
        left_out: BTreeSet::new(),
        lost: Vec::new(),
    };
    World { facts }
}

/// A multi-cluster binding in namespace `web`.
pub(crate) fn binding(name: &str) -> Binding {
    Binding {
        namespace: "web".to_owned(),
        name: name.to_owned(),
        uid: format!("uid-{name}"),
        flavour: Flavour::LoadBalancerController,
        created_at: None,
        changed_at: None,
        deleted_at: None,
        has_finalizer: false,
        failure: None,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
        spec: BindingSpec {
            target_group_arn: arn().to_string(),
            multi_cluster_target_group: true,
            target_type: Some(TargetType::Ip),
            service_ref: ServiceRef { name: "shop".to_owned(), port: PortRef::Number(80) },
            ..BindingSpec::default()
        },
    }
}

pub(crate) fn silence() -> Silence {
    Silence::new(SilenceReason::Timeout, "no answer in 10 s")
}

impl World {
    /// Adds a cluster with a binding that desires and tracks these targets; no ledger without `tracked`.
    pub(crate) fn cluster<'a>(
        mut self,
        context: &str,
        desired: &str,
        tracked: impl Into<Option<&'a str>>,
    ) -> Self {
        let cluster = ClusterFacts {
            context: context.to_owned(),
            cluster: Some(format!("{context}-cluster")),
            eks_name: None,
            also: Vec::new(),
            bindings_found: 0,
            namesakes: BTreeMap::new(),
            bindings: Ok(Vec::new()),
            hidden: Vec::new(),
            controllers: Ok(Vec::new()),
            reconcilers: Vec::new(),
            has_flag: None,
            unseen: Vec::new(),
            holders: BTreeMap::new(),
            objects: Objects::default(),
            orphans: Vec::new(),
        };
        self.facts.clusters.push(cluster);
        self.binding("shop", desired, tracked)
    }

    /// Adds a cluster that could not be read.
    pub(crate) fn silent(mut self, context: &str) -> Self {
        self = self.cluster(context, "", None);
        self.last().bindings = Err(silence());
        self
    }

    /// Adds a binding to the last cluster.
    pub(crate) fn binding<'a>(
        mut self,
        name: &str,
        desired: &str,
        tracked: impl Into<Option<&'a str>>,
    ) -> Self {
        let ledger = tracked.into().map(|words| {
            let targets = targets(words);
            Ledger {
                bytes: ledger::format(&targets).len(),
                targets,
                version: "1".to_owned(),
                changed_at: None,
                foreign_write_at: None,
            }
        });
        let desired = targets(desired).into_iter().map(|target| {
            let pod =
                PodName { namespace: "web".to_owned(), name: format!("pod-{}", words([&target])) };
            let endpoint = Endpoint {
                pod: Some(pod),
                node: None,
                zone: Some("a".to_owned()),
                created_at: None,
                ready_since: None,
                unmet_gates: BTreeSet::new(),
                unregistrable: None,
            };
            (target, endpoint)
        });
        let binding = BindingFacts {
            binding: binding(name),
            group: Ok(arn()),
            endpoints: Ok(Endpoints { desired: desired.collect(), ..Endpoints::default() }),
            ledger: Ok(ledger),
        };
        self.last().bindings_found += 1;
        self.last().bindings.as_mut().unwrap().push(binding);
        self
    }

    /// Changes the last binding of the last cluster.
    pub(crate) fn with(mut self, change: impl FnOnce(&mut BindingFacts)) -> Self {
        change(self.last().bindings.as_mut().unwrap().last_mut().unwrap());
        self
    }

    /// Says how the controller of the last cluster is.
    pub(crate) fn controller(mut self, alive: Aliveness) -> Self {
        let controller = Controller {
            flavour: Flavour::LoadBalancerController,
            version: Some("v3.5.0".to_owned()),
            alive,
            is_down: false,
            evidence: "lease renewed 4 s ago".to_owned(),
            cluster_name: None,
            watch_namespace: None,
            leads_since: None,
            max_targets: None,
            sync_period: None,
            differs: Vec::new(),
        };
        self.last().controllers = Ok(vec![controller]);
        self
    }

    /// Gives the last binding the checkpoint of a controller that is through with it.
    pub(crate) fn checkpoint(self) -> Self {
        self.with(|binding| {
            let endpoints = binding.endpoints.as_ref().unwrap();
            let current = crate::checkpoint::compute(&binding.binding.spec, endpoints);
            binding.binding.annotations.insert(CHECKPOINT_ANNOTATION.to_owned(), current);
        })
    }

    /// Changes the controller of the last cluster.
    pub(crate) fn with_controller(mut self, change: impl FnOnce(&mut Controller)) -> Self {
        change(self.last().controllers.as_mut().unwrap().last_mut().unwrap());
        self
    }

    /// Leaves the endpoints of the last binding unread.
    pub(crate) fn endpoints_unread(self) -> Self {
        self.with(|binding| binding.endpoints = Err(Unresolved::Silent(silence())))
    }

    /// Makes pods of the last cluster hold the addresses of these targets, or nobody.
    pub(crate) fn held(mut self, held: &str) -> Self {
        for target in targets(held) {
            let pod = crate::endpoints::Pod {
                name: PodName { namespace: "other".to_owned(), name: "holder".to_owned() },
                created_at: None,
                deleted_at: None,
                address: Some(target.id.clone()),
                node: None,
                containers_ready: true,
                ready_since: None,
                unmet_gates: BTreeSet::new(),
                quic_enabled: false,
                containers: Vec::new(),
            };
            self.last().holders.insert(target.id, Ok(vec![crate::facts::Holder::Pod(pod)]));
        }
        self
    }

    pub(crate) fn group(&mut self) -> &mut GroupFacts {
        self.facts.groups.get_mut(&arn()).unwrap()
    }

    pub(crate) fn last(&mut self) -> &mut ClusterFacts {
        self.facts.clusters.last_mut().unwrap()
    }
}
