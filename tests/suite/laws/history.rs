//! What happens in a history: generated from a seed, and shrunk once it fails.

use mctg::facts::Aliveness;
use mctg::sim::cluster::Request;
use mctg::sim::elbv2::Operation;

/// The addresses that pods get, again and again: two zones, and one address outside the VPC.
pub(super) const ADDRESSES: [&str; 6] =
    ["10.0.0.11", "10.0.0.12", "10.0.64.13", "10.0.64.14", "10.0.128.15", "192.168.7.16"];

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
    pub(super) groups: usize,
    /// How many targets a group takes.
    pub(super) quota: Option<u32>,
}

/// How a slot is bound.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub(super) group: usize,
    /// Whether it names its group instead of giving the ARN.
    pub(super) by_name: bool,
}

/// Something that happens. Slots, clusters, groups and addresses are given by index.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// A pod comes up where the address is free.
    PodUp {
        slot: usize,
        address: usize,
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
    /// A target passes its checks, or fails them.
    Health {
        address: usize,
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
    /// Somebody else registers or deregisters a target by hand.
    RegisterByHand {
        group: usize,
        address: usize,
    },
    DeregisterByHand {
        group: usize,
        address: usize,
    },
    /// Somebody else edits a ledger.
    LedgerAdd {
        slot: usize,
        address: usize,
    },
    LedgerDrop {
        slot: usize,
        address: usize,
    },
    LedgerGone {
        slot: usize,
    },
    LedgerGarbage {
        slot: usize,
    },
    /// The cluster's controller makes a pass.
    ControllerPass {
        cluster: usize,
    },
    Wait {
        seconds: u64,
    },
    Silence {
        cluster: usize,
        part: Part,
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
        after: bool,
        throttled: bool,
    },
    /// This program runs.
    Run(Run),
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
    /// At which step it is killed.
    pub(super) kill: Option<usize>,
    /// What happens at its steps.
    pub(super) between: Vec<(usize, Event)>,
}

/// A layout, and what happens in it.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) layout: Layout,
    pub(super) events: Vec<Event>,
}

impl History {
    /// Makes the history of a seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let layout = layout(&mut dice);
        let mut events = Vec::new();
        for _ in 0..dice.between(3, 7) {
            let slot = dice.slot(&layout);
            events.push(Event::PodUp { slot, address: dice.below(ADDRESSES.len()) });
        }
        if dice.chance(70) {
            events.push(Event::Run(Run { acting: 7, seeing: 7, ..Run::default() }));
            events.push(Event::Wait { seconds: 100 });
        }
        for _ in 0..dice.between(2, 8) {
            let event = if dice.chance(35) {
                run(&mut dice, &layout, 0)
            } else {
                event(&mut dice, &layout)
            };
            events.push(event);
        }
        Self { layout, events }
    }

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
            let Event::Run(run) = event else { continue };
            let runs = (0..run.between.len()).map(|inner| {
                let mut run = run.clone();
                run.between.remove(inner);
                run
            });
            let tamer = run.kill.map(|_| Run { kill: None, ..run.clone() });
            for run in runs.chain(tamer) {
                let mut with = self.clone();
                with.events[index] = Event::Run(run);
                all.push(with);
            }
        }
        for slot in 0..self.layout.slots.len() {
            if self.layout.slots[slot].is_some() {
                let mut without = self.clone();
                without.layout.slots[slot] = None;
                all.push(without);
            }
        }
        if self.layout.quota.is_some() {
            let mut without = self.clone();
            without.layout.quota = None;
            all.push(without);
        }
        all
    }
}

fn layout(dice: &mut Dice) -> Layout {
    let clusters = *dice.pick(&[1, 2, 2, 2, 3]);
    let groups = *dice.pick(&[1, 1, 1, 2]);
    let controllers = (0..clusters)
        .map(|_| {
            *dice.pick(&[
                Aliveness::Absent,
                Aliveness::Absent,
                Aliveness::Absent,
                Aliveness::Absent,
                Aliveness::Alive,
                Aliveness::Unknown,
            ])
        })
        .collect();
    let slots = (0..clusters * SLOTS_PER_CLUSTER)
        .map(|slot| {
            let first = slot % SLOTS_PER_CLUSTER == 0;
            (first || dice.chance(40))
                .then(|| Bound { group: dice.below(groups), by_name: dice.chance(15) })
        })
        .collect();
    let quota = dice.chance(8).then(|| u32::try_from(dice.between(1, 4)).unwrap_or(1));
    Layout { controllers, slots, groups, quota }
}

fn event(dice: &mut Dice, layout: &Layout) -> Event {
    let address = dice.below(ADDRESSES.len());
    let slot = dice.slot(layout);
    let cluster = dice.below(layout.controllers.len());
    let group = dice.below(layout.groups);
    match dice.below(100) {
        0..22 => Event::PodUp { slot, address },
        22..40 => Event::PodDown { address },
        40..44 => Event::Ready { address, ready: dice.chance(50) },
        44..47 => Event::Health { address, passing: dice.chance(40) },
        47..49 => Event::ServiceDown { slot },
        49..51 => Event::ServiceUp { slot },
        51..54 => Event::Unbind { slot },
        54..56 => Event::Bind { slot },
        56..60 => Event::RegisterByHand { group, address },
        60..65 => Event::DeregisterByHand { group, address },
        65..68 => Event::LedgerAdd { slot, address },
        68..72 => Event::LedgerDrop { slot, address },
        72..74 => Event::LedgerGone { slot },
        74..75 => Event::LedgerGarbage { slot },
        75..79 => Event::ControllerPass { cluster },
        79..84 => Event::Wait { seconds: *dice.pick(&[10, 100, 100, 400]) },
        84..90 => Event::Silence { cluster, part: part(dice, layout) },
        90..92 => Event::Speak { cluster },
        92..96 => Event::ClusterFault {
            cluster,
            request: *dice.pick(&[
                Request::WriteLedger,
                Request::WriteLedger,
                Request::DeleteLedger,
                Request::RemoveFinalizer,
                Request::ReadLedger,
                Request::PodsWithAddress,
                Request::Controllers,
            ]),
            nth: dice.between(1, 3),
            after: dice.chance(50),
            conflict: dice.chance(30),
        },
        _ => Event::ElbFault {
            operation: *dice.pick(&[
                Operation::RegisterTargets,
                Operation::RegisterTargets,
                Operation::DeregisterTargets,
                Operation::DeregisterTargets,
                Operation::DescribeTargetHealth,
                Operation::DescribeTargetGroups,
                Operation::DescribeTags,
            ]),
            nth: dice.between(1, 3),
            after: dice.chance(50),
            throttled: dice.chance(50),
        },
    }
}

fn part(dice: &mut Dice, layout: &Layout) -> Part {
    let requests = [
        Request::Bindings,
        Request::Services,
        Request::EndpointSlices,
        Request::PodStubs,
        Request::Pods,
        Request::Nodes,
        Request::ReadLedger,
        Request::Controllers,
        Request::PodsWithAddress,
        Request::Identity,
    ];
    match dice.below(4) {
        0 => Part::Everything,
        1 => Part::Requests(*dice.pick(&requests)),
        2 => Part::OverAllNamespaces,
        _ => Part::InNamespace(
            *dice.pick(&[Request::Services, Request::EndpointSlices, Request::PodStubs]),
            dice.slot(layout),
        ),
    }
}

fn run(dice: &mut Dice, layout: &Layout, depth: usize) -> Event {
    let all = (1_u8 << layout.controllers.len()) - 1;
    let one = 1_u8 << dice.below(layout.controllers.len());
    let (acting, seeing) = *dice.pick(&[(all, all), (one, all), (one, all), (one, one)]);
    // A run over two clusters takes 50 to 120 steps; most of what matters is in its first 90.
    let kill = dice.chance(20).then(|| dice.below(100));
    let mut between = Vec::new();
    if depth == 0 && dice.chance(70) {
        for _ in 0..dice.between(1, 3) {
            let event = if dice.chance(15) { run(dice, layout, 1) } else { event(dice, layout) };
            between.push((dice.below(100), event));
        }
    }
    Event::Run(Run { acting, seeing, kill, between })
}

/// Numbers that are the same for the same seed (SplitMix64, Steele et al. 2014).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }

    fn between(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high - low + 1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn slot(&mut self, layout: &Layout) -> usize {
        let bound: Vec<usize> =
            (0..layout.slots.len()).filter(|slot| layout.slots[*slot].is_some()).collect();
        if bound.is_empty() { 0 } else { *self.pick(&bound) }
    }
}
