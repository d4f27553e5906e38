//! What a run must be permitted in a cluster, and what it does without: the one table of it.
//!
//! `kubectl mctg manifests` prints these rules, `docs/in-cluster.md` lists them, and a test on a
//! real API server takes away one after the other. Whoever embeds the library grants the same.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::plan::ViaChoice;

/// What kind of run asks for permissions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Run {
    /// Whether it changes anything (`reconcile`), or only reads (`status`, `diff`).
    pub writes: bool,
    /// The verb, where it changes bindings themselves or what they were made for.
    pub change: Option<Changing>,
    /// Whether it tells what is wrong beyond what is registered (`status`).
    pub tells: bool,
    /// Who is asked to act.
    pub via: ViaChoice,
    /// Whether it writes events on the bindings.
    pub events: bool,
    /// Whether it reads other clusters beside this one.
    pub several_clusters: bool,
    /// Whether it is granted only the namespaces of the bindings it is about.
    pub namespaced: bool,
}

/// The verbs that change bindings themselves, or what they were made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changing {
    /// `enable`.
    Enable,
    /// `disable`.
    Disable,
    /// `bind`.
    Bind,
    /// `unbind`.
    Unbind,
}

impl Changing {
    /// The verb as it is written on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enable => "enable",
            Self::Disable => "disable",
            Self::Bind => "bind",
            Self::Unbind => "unbind",
        }
    }
}

/// One rule: verbs on a resource, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permission {
    /// The API group; empty for the core one.
    pub group: &'static str,
    /// The resource, plural.
    pub resource: &'static str,
    /// The verbs.
    pub verbs: &'static [&'static str],
    /// The objects it can be limited to.
    pub objects: Objects,
    /// Where it is to be granted.
    pub place: Place,
    /// Whether a run does without.
    pub need: Need,
    /// What it is for, to complete "it is needed ...".
    pub why: &'static str,
    /// What happens without it.
    pub without: &'static str,
    when: When,
}

/// One thing that somebody may do or not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Question {
    /// The API group; empty for the core one.
    pub group: String,
    /// The resource, plural.
    pub resource: String,
    /// The verb.
    pub verb: String,
    /// The namespace; none means all of them.
    pub namespace: Option<String>,
    /// The object; none means any.
    pub name: Option<String>,
}

impl Question {
    /// The resource as RBAC's messages write it, such as `targetgroupbindings.elbv2.k8s.aws`.
    pub fn full_resource(&self) -> String {
        full_resource(&self.group, &self.resource)
    }

    /// The same and the verb: `targetgroupbindings.elbv2.k8s.aws:list`.
    pub fn resource_and_verb(&self) -> String {
        format!("{}:{}", self.full_resource(), self.verb)
    }
}

fn full_resource(group: &str, resource: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
}

/// A ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ServiceAccount {
    /// The user that it is to an API server.
    pub fn user(&self) -> String {
        format!("system:serviceaccount:{}:{}", self.namespace, self.name)
    }

    /// The groups that every ServiceAccount of its namespace is in.
    pub fn groups(&self) -> [String; 3] {
        [
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{}", self.namespace),
            "system:authenticated".to_owned(),
        ]
    }
}

/// Writes `namespace/name`.
impl fmt::Display for ServiceAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// Reads `namespace/name`.
impl FromStr for ServiceAccount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let part = |text: &str| {
            let is_plain =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
            !text.is_empty() && text.chars().all(is_plain)
        };
        match text.split_once('/') {
            Some((namespace, name)) if part(namespace) && part(name) => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err("a ServiceAccount is written NAMESPACE/NAME".to_owned()),
        }
    }
}

/// The objects that a rule can be limited to by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objects {
    /// Names are not known beforehand, or the verb knows none.
    Any,
    /// Just these.
    These(&'static [&'static str]),
    /// The ledgers of the bindings that are named.
    Ledgers,
    /// The bindings that are named.
    Bindings,
}

/// Where a rule is to be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In the whole cluster.
    Cluster,
    /// In the namespaces of the bindings.
    Namespace,
}

/// Whether a run does without a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Without it the run fails (exit code 3) and names it.
    Required,
    /// Without it the run warns and goes on.
    Optional,
}

impl Need {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
        }
    }
}

/// Which runs a rule is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Always,
    /// Where findings are made of it, and nothing is done with it; these verbs look at it too, before
    /// they change anything.
    Telling(&'static [Changing]),
    Writing,
    /// These verbs.
    Changing(&'static [Changing]),
    /// Where this program may act itself, and not only make controllers act.
    Acting,
    Events,
    SeveralClusters,
    /// Where the namespaces' own rules do not already hold it.
    Namespaced,
}

/// The verbs that switch a flag where it is set.
const SWITCHES: &[Changing] = &[Changing::Enable, Changing::Disable];

/// The Lease by which a controller shows that it is alive (`facts/lbc.md` 6).
const LEASE: &[&str] = &["aws-load-balancer-controller-leader"];

/// Every rule, reading ones first.
pub const ALL: &[Permission] = &[
    Permission {
        group: "elbv2.k8s.aws",
        resource: "targetgroupbindings",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Required,
        why: "to find the bindings, and who else desires a target",
        without: "the cluster counts as not read, and nothing is done",
        when: When::Always,
    },
    Permission {
        group: "eks.amazonaws.com",
        resource: "targetgroupbindings",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Required,
        why: "to find the bindings of EKS Auto Mode, where it serves them",
        without: "where Auto Mode serves bindings the run is incomplete; elsewhere nothing",
        when: When::Always,
    },
    Permission {
        group: "",
        resource: "nodes",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Required,
        why: "for targets that are instances, and pods that are not ready",
        without: "such endpoints are unknown: nothing of theirs is deregistered",
        when: When::Always,
    },
    Permission {
        group: "apps",
        resource: "deployments",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Required,
        why: "to know whether a controller is installed",
        without: "whether one is at work is unknown, and what only its absence allows is refused",
        when: When::Always,
    },
    Permission {
        group: "coordination.k8s.io",
        resource: "leases",
        verbs: &["list"],
        objects: Objects::These(LEASE),
        place: Place::Cluster,
        need: Need::Required,
        why: "to know whether a controller is alive",
        without: "whether one is at work is unknown, and what only its absence allows is refused",
        when: When::Always,
    },
    Permission {
        group: "batch",
        resource: "cronjobs",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "to see this program's own CronJobs",
        without: "status cannot tell that one works in the place of a controller",
        when: When::Always,
    },
    Permission {
        group: "",
        resource: "namespaces",
        verbs: &["get"],
        objects: Objects::These(&["kube-system"]),
        place: Place::Cluster,
        need: Need::Optional,
        why: "to tell two contexts of one cluster from two clusters",
        without: "they are told apart by their bindings, else by the API server's address",
        when: When::SeveralClusters,
    },
    Permission {
        group: "",
        resource: "pods",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "to see who holds the address of a target that is no endpoint any more",
        without: "such a target stays where another cluster may own it",
        when: When::Namespaced,
    },
    Permission {
        group: "",
        resource: "services",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Required,
        why: "for what bindings register",
        without: "their endpoints are unknown: nothing of theirs is changed",
        when: When::Always,
    },
    Permission {
        group: "discovery.k8s.io",
        resource: "endpointslices",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Required,
        why: "for what bindings register",
        without: "their endpoints are unknown: nothing of theirs is changed",
        when: When::Always,
    },
    Permission {
        group: "",
        resource: "pods",
        verbs: &["get", "list"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Required,
        why: "for what bindings register; whole pods only where they are not ready",
        without: "their endpoints are unknown: nothing of theirs is changed",
        when: When::Always,
    },
    Permission {
        group: "",
        resource: "configmaps",
        verbs: &["get"],
        objects: Objects::Ledgers,
        place: Place::Namespace,
        need: Need::Required,
        why: "to read ledgers, aws-lbc-targets-BINDING",
        without: "what is tracked is unknown: nothing of theirs is changed",
        when: When::Always,
    },
    Permission {
        group: "",
        resource: "services",
        verbs: &["get"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Optional,
        why: "to see whether the Service a binding was made for is protected, and where its flag comes from",
        without: "findings 104, 110 and 206 are not made of it, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "networking.k8s.io",
        resource: "ingresses",
        verbs: &["get", "list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "the same for Ingresses and their groups",
        without: "findings 104, 110 and 206 are not made of them, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "networking.k8s.io",
        resource: "ingressclasses",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "to know whose an Ingress is",
        without: "findings 104, 110 and 206 are not made of Ingresses, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "elbv2.k8s.aws",
        resource: "ingressclassparams",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "to know what a class sets for its Ingresses",
        without: "findings 104, 110 and 206 are not made of Ingresses, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "gateway.networking.k8s.io",
        resource: "gateways",
        verbs: &["get"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "the same for Gateways",
        without: "findings 104, 110 and 206 are not made of them, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "gateway.networking.k8s.io",
        resource: "gatewayclasses",
        verbs: &["get"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "to know whose a Gateway is",
        without: "findings 104, 110 and 206 are not made of Gateways, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "gateway.networking.k8s.io",
        resource: "httproutes",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "where a flag is set by route",
        without: "finding 110 is not made of such Gateways, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "gateway.networking.k8s.io",
        resource: "grpcroutes",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "where a flag is set by route",
        without: "finding 110 is not made of such Gateways, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "gateway.networking.k8s.io",
        resource: "tcproutes",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "where a flag is set by route",
        without: "finding 110 is not made of such Gateways, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "gateway.networking.k8s.io",
        resource: "udproutes",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "where a flag is set by route",
        without: "finding 110 is not made of such Gateways, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "gateway.networking.k8s.io",
        resource: "tlsroutes",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "where a flag is set by route",
        without: "finding 110 is not made of such Gateways, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "gateway.k8s.aws",
        resource: "targetgroupconfigurations",
        verbs: &["get", "list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "to see where the flag of a Gateway's binding comes from",
        without: "finding 110 is not made of Gateways, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "gateway.k8s.aws",
        resource: "loadbalancerconfigurations",
        verbs: &["get"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "to see whether a Gateway is protected",
        without: "finding 104 is not made of Gateways, nor a flag switched that depends on it",
        when: When::Telling(SWITCHES),
    },
    Permission {
        group: "elbv2.services.k8s.aws",
        resource: "targetgroups",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "to see whether ACK manages a shared target group too",
        without: "finding 102 is not made, and bind does not refuse for it",
        when: When::Telling(&[Changing::Bind]),
    },
    Permission {
        group: "",
        resource: "configmaps",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Optional,
        why: "to find ledgers without a binding; only names are read",
        without: "finding 111 is not made",
        when: When::Telling(&[]),
    },
    Permission {
        group: "",
        resource: "configmaps",
        verbs: &["patch", "delete"],
        objects: Objects::Ledgers,
        place: Place::Namespace,
        need: Need::Required,
        why: "to write ledgers before targets are registered, and after",
        without: "nothing is registered, as it would leak",
        when: When::Acting,
    },
    Permission {
        group: "",
        resource: "configmaps",
        verbs: &["create"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Required,
        why: "to make a ledger that is not there; this cannot be limited by name",
        without: "a binding without a ledger gets none, and nothing of it is registered",
        when: When::Acting,
    },
    Permission {
        group: "elbv2.k8s.aws",
        resource: "targetgroupbindings",
        verbs: &["get"],
        objects: Objects::Bindings,
        place: Place::Namespace,
        need: Need::Required,
        why: "to look at a binding that is being deleted before its finalizer goes",
        without: "where no controller is, such a binding is never gone",
        when: When::Acting,
    },
    Permission {
        group: "elbv2.k8s.aws",
        resource: "targetgroupbindings",
        verbs: &["patch"],
        objects: Objects::Bindings,
        place: Place::Namespace,
        need: Need::Required,
        why: "to make a controller look again, or take its finalizer off where none is",
        without: "what is the controller's to do is left undone",
        when: When::Writing,
    },
    Permission {
        group: "",
        resource: "events",
        verbs: &["get", "create", "patch"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Optional,
        why: "to tell on the binding what changed or was withheld",
        without: "only the run's own output tells",
        when: When::Events,
    },
    Permission {
        group: "",
        resource: "services",
        verbs: &["patch"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Required,
        why: "to annotate the Service that a binding was made for, or that is behind an Ingress",
        without: "what is set on a Service is not switched, and it is not protected",
        when: When::Changing(SWITCHES),
    },
    Permission {
        group: "networking.k8s.io",
        resource: "ingresses",
        verbs: &["patch"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Required,
        why: "the same for Ingresses",
        without: "what is set on an Ingress is not switched, and it is not protected",
        when: When::Changing(SWITCHES),
    },
    Permission {
        group: "elbv2.k8s.aws",
        resource: "targetgroupbindings",
        verbs: &["get", "patch"],
        objects: Objects::Bindings,
        place: Place::Namespace,
        need: Need::Required,
        why: "to set the flag of a binding that was made by hand",
        without: "such a binding is not switched",
        when: When::Changing(SWITCHES),
    },
    Permission {
        group: "gateway.k8s.aws",
        resource: "targetgroupconfigurations",
        verbs: &["patch"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Optional,
        why: "to set the flag of a Gateway's bindings",
        without: "what is set there is not switched",
        when: When::Changing(SWITCHES),
    },
    Permission {
        group: "gateway.k8s.aws",
        resource: "targetgroupconfigurations",
        verbs: &["create"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Optional,
        why: "where a Gateway's Service has none yet",
        without: "a Gateway's binding whose Service has none is not switched",
        when: When::Changing(&[Changing::Enable]),
    },
    Permission {
        group: "gateway.k8s.aws",
        resource: "loadbalancerconfigurations",
        verbs: &["patch"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Optional,
        why: "to protect a Gateway from being deleted with what is shared, or no longer",
        without: "its protection is not touched: enable needs --deletion-protection=false",
        when: When::Changing(SWITCHES),
    },
    Permission {
        group: "",
        resource: "configmaps",
        verbs: &["delete"],
        objects: Objects::Ledgers,
        place: Place::Namespace,
        need: Need::Required,
        why: "to delete the ledger of a binding that is exclusive again",
        without: "it is left behind (MCTG111)",
        when: When::Changing(&[Changing::Disable]),
    },
    Permission {
        group: "elbv2.k8s.aws",
        resource: "targetgroupbindings",
        verbs: &["create", "patch"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Required,
        why: "to make a binding by server-side apply, or to make it what it should be",
        without: "nothing is bound",
        when: When::Changing(&[Changing::Bind]),
    },
    Permission {
        group: "",
        resource: "configmaps",
        verbs: &["delete"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Optional,
        why: "to delete an old ledger of the name with --discard-ledger",
        without: "that option fails; nothing is bound",
        when: When::Changing(&[Changing::Bind]),
    },
    Permission {
        group: "admissionregistration.k8s.io",
        resource: "mutatingwebhookconfigurations",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "to know whether somebody is behind the webhook that a binding passes",
        without: "that nobody is there is told by the write that fails",
        when: When::Changing(&[Changing::Bind]),
    },
    Permission {
        group: "admissionregistration.k8s.io",
        resource: "validatingwebhookconfigurations",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Cluster,
        need: Need::Optional,
        why: "to know whether somebody is behind the webhook that a binding passes",
        without: "that nobody is there is told by the write that fails",
        when: When::Changing(&[Changing::Bind]),
    },
    Permission {
        group: "elbv2.k8s.aws",
        resource: "targetgroupbindings",
        verbs: &["delete"],
        objects: Objects::Bindings,
        place: Place::Namespace,
        need: Need::Required,
        why: "to take a binding out",
        without: "nothing leaves the group; what would have is noted",
        when: When::Changing(&[Changing::Unbind]),
    },
    Permission {
        group: "elbv2.k8s.aws",
        resource: "targetgroupbindings",
        verbs: &["get", "patch"],
        objects: Objects::Bindings,
        place: Place::Namespace,
        need: Need::Optional,
        why: "to take the finalizer of a controller that is gone off a binding that is being deleted",
        without: "where no controller is any more, a binding that had one is never gone",
        when: When::Changing(&[Changing::Unbind]),
    },
    Permission {
        group: "",
        resource: "configmaps",
        verbs: &["get", "create", "update", "delete"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Required,
        why: "to note what leaves in mctg-unbind-BINDING, and to delete that and the ledger at the end",
        without: "nothing is begun, or what is left over stays",
        when: When::Changing(&[Changing::Unbind]),
    },
    Permission {
        group: "",
        resource: "configmaps",
        verbs: &["list"],
        objects: Objects::Any,
        place: Place::Namespace,
        need: Need::Optional,
        why: "to find what an earlier run noted, by a label",
        without: "a run that was interrupted is gone on with only by the name of the binding",
        when: When::Changing(&[Changing::Unbind]),
    },
];

/// The verbs that read or change clusters, and what kind of run each is: what a user is asked about
/// who wants to know beforehand.
pub const VERBS: &[(&str, Run)] = &[
    ("status and diff", READS),
    ("reconcile", Run { writes: true, tells: false, ..READS }),
    ("enable", changing(Changing::Enable)),
    ("disable", changing(Changing::Disable)),
    ("bind", changing(Changing::Bind)),
    ("unbind", changing(Changing::Unbind)),
];

const READS: Run = Run {
    writes: false,
    via: ViaChoice::Auto,
    events: false,
    several_clusters: false,
    namespaced: false,
    tells: true,
    change: None,
};

const fn changing(verb: Changing) -> Run {
    Run { change: Some(verb), tells: false, ..READS }
}

impl Run {
    /// Says whether it changes anything in the cluster.
    pub fn changes(&self) -> bool {
        self.writes || self.change.is_some()
    }
}

impl Permission {
    /// The resource as RBAC's messages write it, such as `targetgroupbindings.elbv2.k8s.aws`.
    pub fn full_resource(&self) -> String {
        full_resource(self.group, self.resource)
    }

    /// Says whether it lets anything be changed.
    pub fn changes(&self) -> bool {
        !self.verbs.iter().all(|verb| ["get", "list", "watch"].contains(verb))
    }

    /// Says whether only runs that change something need it, be it to look before they do.
    pub fn is_for_changes(&self) -> bool {
        matches!(self.when, When::Writing | When::Acting | When::Events | When::Changing(_))
    }

    /// Says whether a kind of run needs the rule.
    pub fn is_for(&self, run: &Run) -> bool {
        match self.when {
            When::Always => true,
            When::Telling(verbs) => {
                run.tells || run.change.is_some_and(|verb| verbs.contains(&verb))
            }
            When::Writing => run.writes,
            When::Changing(verbs) => run.change.is_some_and(|verb| verbs.contains(&verb)),
            When::Acting => run.writes && run.via != ViaChoice::Controller,
            When::Events => run.writes && run.events,
            When::SeveralClusters => run.several_clusters,
            When::Namespaced => run.namespaced,
        }
    }
}

/// The rules of a kind of run, in the order of [`ALL`].
pub fn of(run: &Run) -> impl Iterator<Item = &'static Permission> {
    ALL.iter().filter(move |permission| permission.is_for(run))
}

#[cfg(test)]
mod tests;
