//! What happens in a history, and how one that fails is shortened.

use mctg::facts::Aliveness;
use mctg::plan::{Cap, Prune, ViaChoice};
use mctg::sim::cluster::Request;
use mctg::sim::elbv2::Operation;

use super::targets::Kind;

/// The contexts.
pub(super) const CONTEXTS: [&str; 3] = ["blue", "green", "red"];

/// How many bindings a cluster can hold, each of a Service in a namespace of its own.
pub(super) const SLOTS_PER_CLUSTER: usize = 2;

/// How the world is laid out.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    /// Each cluster, and whether a controller is at work there.
    pub(super) controllers: Vec<Aliveness>,
    /// The bindings: two slots for each cluster; none where it is empty from the start.
    pub(super) slots: Vec<Option<Bound>>,
    pub(super) groups: Vec<Kind>,
    /// How many targets a group takes.
    pub(super) quota: Option<u32>,
    /// Whether all gets calm in the end, and a last run makes everything right.
    pub(super) settles: bool,
    /// Whether controllers take over then.
    pub(super) succession: bool,
}

/// How a slot is bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) group: usize,
    /// Whether it names its group instead of giving the ARN.
    pub(super) by_name: bool,
    pub(super) mode: Mode,
}

/// Whose a binding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Shared,
    /// Its flag is off.
    Exclusive,
    Auto,
}

/// Something that happens. Slots, clusters, groups, addresses and instances are given by index;
/// `number` stands for one of a group's targets.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// All that is desired is registered and tracked, as after a run long ago.
    Converge,
    /// A pod comes up where the address is free; in a QUIC group with the server id of its variant.
    PodUp {
        slot: usize,
        address: usize,
        variant: usize,
    },
    /// Whoever holds the address dies.
    PodDown {
        address: usize,
    },
    /// Whoever holds the address becomes ready, or not.
    Ready {
        address: usize,
        ready: bool,
    },
    /// More pods than one call takes come up, or die.
    CrowdUp {
        slot: usize,
    },
    CrowdDown {
        slot: usize,
    },
    /// An instance joins a cluster where it is free, leaves the one it is in, or becomes ready or not.
    NodeUp {
        cluster: usize,
        instance: usize,
    },
    NodeDown {
        instance: usize,
    },
    NodeReady {
        instance: usize,
        ready: bool,
    },
    /// A target passes its checks, or fails them.
    Health {
        number: usize,
        passing: bool,
    },
    ServiceDown {
        slot: usize,
    },
    ServiceUp {
        slot: usize,
    },
    /// The binding's deletion is asked for.
    Unbind {
        slot: usize,
    },
    /// A binding of that name is made where there is none.
    Bind {
        slot: usize,
    },
    /// The binding's flag is turned on or off.
    Flag {
        slot: usize,
        on: bool,
    },
    /// Somebody else registers or deregisters a target by hand.
    RegisterByHand {
        group: usize,
        number: usize,
    },
    DeregisterByHand {
        group: usize,
        number: usize,
    },
    /// Somebody else edits a ledger.
    LedgerAdd {
        slot: usize,
        number: usize,
    },
    LedgerDrop {
        slot: usize,
        number: usize,
    },
    LedgerGone {
        slot: usize,
    },
    LedgerGarbage {
        slot: usize,
    },
    /// The cluster's controller, if it has one, makes so many calls, or all that are due.
    ControllerWorks {
        cluster: usize,
        calls: usize,
    },
    /// It dies where it is, and starts anew with nothing in memory.
    ControllerRestarts {
        cluster: usize,
    },
    /// It is scaled to nothing, or up again.
    ControllerStops {
        cluster: usize,
    },
    ControllerStarts {
        cluster: usize,
    },
    Wait {
        seconds: u64,
    },
    Silence {
        cluster: usize,
        part: Part,
        forbidden: bool,
    },
    Speak {
        cluster: usize,
    },
    /// The `nth` request of a kind fails.
    ClusterFault {
        cluster: usize,
        request: Request,
        nth: usize,
        after: bool,
        conflict: bool,
    },
    ElbFault {
        operation: Operation,
        nth: usize,
        trouble: ElbTrouble,
    },
    /// AWS answers nothing for some calls.
    ElbOutage {
        calls: usize,
    },
    /// This program runs.
    Run(Run),
    /// It runs twice at once; the order decides whose step is next.
    AtOnce {
        runs: [Run; 2],
        order: u64,
    },
}

/// What a call to ELBv2 meets.
#[derive(Clone, Copy, Debug)]
pub(super) enum ElbTrouble {
    LostBefore,
    LostAfter,
    Throttled,
    /// 400
    Refused,
    /// 500
    Broken,
    Garbage,
}

/// What part of a cluster is silent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    Everything,
    Requests(Request),
    /// Lists over all namespaces, as a namespaced Role leaves them out.
    OverAllNamespaces,
    /// One kind of request in the namespace of a slot.
    InNamespace(Request, usize),
}

/// One run of this program.
#[derive(Clone, Debug, Default)]
pub(super) struct Run {
    /// The clusters it may write to, as bits.
    pub(super) acting: u8,
    /// The clusters it reads, as bits.
    pub(super) seeing: u8,
    pub(super) via: ViaChoice,
    /// Whether it acts beside a controller all the same.
    pub(super) force: bool,
    /// Whether it takes out what no cluster claims, and which of it.
    pub(super) prune: Option<Prune>,
    /// Whether nobody said yes to deregistering.
    pub(super) no_yes: bool,
    /// How many of a binding's tracked targets may go.
    pub(super) cap: Option<Cap>,
    /// What happens while somebody reads the plan and says yes to it; none asks nobody.
    pub(super) prompt: Option<Vec<Event>>,
    /// At which step it is killed, or its future dropped: for the world the same.
    pub(super) kill: Option<usize>,
    /// What happens at its steps.
    pub(super) between: Vec<(usize, Event)>,
}

impl Run {
    /// The runs that lack one thing.
    fn smaller(&self) -> Vec<Self> {
        let mut all: Vec<Self> = (0..self.between.len())
            .map(|inner| {
                let mut run = self.clone();
                run.between.remove(inner);
                run
            })
            .collect();
        if self.kill.is_some() {
            all.push(Self { kill: None, ..self.clone() });
        }
        if self.cap.is_some() {
            all.push(Self { cap: None, ..self.clone() });
        }
        if self.force {
            all.push(Self { force: false, ..self.clone() });
        }
        if self.prune.is_some() {
            all.push(Self { prune: None, ..self.clone() });
        }
        if self.no_yes {
            all.push(Self { no_yes: false, ..self.clone() });
        }
        if let Some(events) = &self.prompt {
            all.push(Self { prompt: None, ..self.clone() });
            all.extend((0..events.len()).map(|inner| {
                let mut events = events.clone();
                events.remove(inner);
                Self { prompt: Some(events), ..self.clone() }
            }));
        }
        all
    }
}

/// A layout, and what happens in it.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) layout: Layout,
    pub(super) events: Vec<Event>,
}

impl History {
    /// Leaves out whatever is not needed for `fails` to hold.
    pub(super) fn shrink(mut self, fails: impl Fn(&Self) -> bool) -> Self {
        loop {
            let smaller = self.smaller().into_iter().find(|candidate| fails(candidate));
            match smaller {
                Some(smaller) => self = smaller,
                None => return self,
            }
        }
    }

    /// The histories that lack one thing.
    fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for index in 0..self.events.len() {
            let mut without = self.clone();
            without.events.remove(index);
            all.push(without);
        }
        for (index, event) in self.events.iter().enumerate() {
            let smaller: Vec<Event> = match event {
                Event::Run(run) => run.smaller().into_iter().map(Event::Run).collect(),
                Event::AtOnce { runs, order } => {
                    let [one, other] = runs;
                    let alone = runs.iter().cloned().map(Event::Run);
                    let first = one.smaller().into_iter().map(|one| [one, other.clone()]);
                    let second = other.smaller().into_iter().map(|other| [one.clone(), other]);
                    let order = *order;
                    alone
                        .chain(first.chain(second).map(|runs| Event::AtOnce { runs, order }))
                        .collect()
                }
                _ => continue,
            };
            all.extend(smaller.into_iter().map(|event| {
                let mut with = self.clone();
                with.events[index] = event;
                with
            }));
        }
        for slot in 0..self.layout.slots.len() {
            if self.layout.slots[slot].is_some() {
                let mut without = self.clone();
                without.layout.slots[slot] = None;
                all.push(without);
            }
        }
        if self.layout.succession {
            let mut without = self.clone();
            without.layout.succession = false;
            all.push(without);
        }
        if self.layout.quota.is_some() {
            let mut without = self.clone();
            without.layout.quota = None;
            all.push(without);
        }
        all
    }
}
