//! What a run must be permitted in a cluster, and what it does without: the one table of it.
//!
//! `kubectl mctg manifests` prints these rules, `docs/in-cluster.md` lists them, and a test on a
//! real API server takes away one after the other. Whoever embeds the library grants the same.

mod changes;
mod question;
mod reads;

pub use self::question::{Question, ServiceAccount};
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

fn full_resource(group: &str, resource: &str) -> String {
    if group.is_empty() { resource.to_owned() } else { format!("{resource}.{group}") }
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

/// Every rule, reading ones first.
pub const ALL: &[Permission] = &{
    let (reads, changes) = (reads::RULES, changes::RULES);
    let mut all = [reads[0]; reads::RULES.len() + changes::RULES.len()];
    let (of_reads, of_changes) = all.split_at_mut(reads.len());
    of_reads.copy_from_slice(reads);
    of_changes.copy_from_slice(changes);
    all
};

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
