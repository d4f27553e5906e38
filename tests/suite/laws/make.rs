//! Makes histories from seeds.

use mctg::facts::Aliveness;
use mctg::plan::{Cap, Prune, ViaChoice};
use mctg::sim::cluster::Request;
use mctg::sim::elbv2::Operation;

use super::history::{
    Bound, ElbTrouble, Event, History, Layout, Mode, Part, Run, SLOTS_PER_CLUSTER,
};
use super::targets::{ADDRESSES, INSTANCES, Kind, VARIANTS};

/// One history in so many has a crowd in it: they take long.
const CROWDED_ONE_IN: u64 = 400;

impl History {
    /// Makes the history of a seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let layout = layout(&mut dice);
        let mut events = Vec::new();
        for _ in 0..dice.between(3, 7) {
            let slot = dice.slot(&layout);
            let (address, variant) = (dice.below(ADDRESSES.len()), dice.below(VARIANTS));
            events.push(Event::PodUp { slot, address, variant });
        }
        if seed % CROWDED_ONE_IN == CROWDED_ONE_IN - 1 {
            events.push(Event::CrowdUp { slot: dice.slot(&layout) });
        }
        let reuse = if dice.chance(25) { reuse(&mut dice, &layout) } else { None };
        match dice.below(100) {
            _ if reuse.is_some() => events.extend(reuse.into_iter().flatten()),
            0..65 => events.push(Event::Converge),
            65..80 => {
                events.push(Event::Run(Run { acting: 7, seeing: 7, ..Run::default() }));
                events.push(Event::Wait { seconds: 100 });
            }
            _ => {}
        }
        for _ in 0..dice.between(2, 6) {
            let event = match dice.below(100) {
                0..31 => {
                    events.push(Event::Run(run(&mut dice, &layout, 0)));
                    works(&mut dice, &layout)
                }
                31..35 => {
                    let runs = [run(&mut dice, &layout, 1), run(&mut dice, &layout, 1)];
                    Event::AtOnce { runs, order: dice.next() }
                }
                _ => event(&mut dice, &layout),
            };
            events.push(event);
        }
        if seed % CROWDED_ONE_IN == CROWDED_ONE_IN - 1 {
            let at = dice.between(events.len() / 2, events.len());
            events.insert(at, Event::CrowdDown { slot: dice.slot(&layout) });
        }
        let events = ventures(&mut Dice::new(!seed), &layout, events);
        Self { layout, events }
    }
}

fn layout(dice: &mut Dice) -> Layout {
    let clusters = *dice.pick(&[1, 2, 2, 2, 3]);
    let groups: Vec<Kind> = (0..*dice.pick(&[1, 1, 1, 2]))
        .map(|_| match dice.below(100) {
            0..10 => Kind::Instance,
            10..20 => Kind::Quic,
            _ => Kind::Ip,
        })
        .collect();
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
            let mode = match dice.below(100) {
                0..4 => Mode::Exclusive,
                4..8 => Mode::Auto,
                _ => Mode::Shared,
            };
            let (group, by_name) = (dice.below(groups.len()), dice.chance(15));
            (first || dice.chance(40)).then_some(Bound { group, by_name, mode })
        })
        .collect();
    let quota = dice.chance(8).then(|| u32::try_from(dice.between(1, 4)).unwrap_or(1));
    // That is the dearest part of a history.
    let settles = dice.chance(50);
    let succession = dice.chance(30);
    Layout { controllers, slots, groups, quota, settles, succession }
}

fn event(dice: &mut Dice, layout: &Layout) -> Event {
    let address = dice.below(ADDRESSES.len());
    let number = dice.below(2 * INSTANCES.len());
    let instance = dice.below(INSTANCES.len());
    let slot = dice.slot(layout);
    let cluster = dice.below(layout.controllers.len());
    let group = dice.below(layout.groups.len());
    let of_nodes = layout.groups.contains(&Kind::Instance);
    match dice.below(100) {
        0..22 if of_nodes && dice.chance(60) => Event::NodeUp { cluster, instance },
        0..22 => Event::PodUp { slot, address, variant: dice.below(VARIANTS) },
        22..40 if of_nodes && dice.chance(60) => Event::NodeDown { instance },
        22..40 => Event::PodDown { address },
        40..43 if of_nodes => Event::NodeReady { instance, ready: dice.chance(50) },
        40..43 => Event::Ready { address, ready: dice.chance(50) },
        43..46 => Event::Health { number, passing: dice.chance(40) },
        46..48 => Event::ServiceDown { slot },
        48..50 => Event::ServiceUp { slot },
        50..53 => Event::Unbind { slot },
        53..55 => Event::Bind { slot },
        55..56 => Event::Flag { slot, on: dice.chance(50) },
        56..60 => Event::RegisterByHand { group, number },
        60..65 => Event::DeregisterByHand { group, number },
        65..69 => Event::LedgerAdd { slot, number },
        69..72 => Event::LedgerDrop { slot, number },
        72..74 => Event::LedgerGone { slot },
        74..75 => Event::LedgerGarbage { slot },
        75..76 if dice.chance(50) => Event::ControllerStops { cluster },
        75..76 => Event::ControllerStarts { cluster },
        76..77 => Event::ControllerRestarts { cluster },
        77..78 => works(dice, layout),
        78..82 => Event::Wait { seconds: *dice.pick(&[10, 100, 100, 400]) },
        82..88 => Event::Silence { cluster, part: part(dice, layout), forbidden: dice.chance(50) },
        88..90 => Event::Speak { cluster },
        90..94 => Event::ClusterFault {
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
        94..95 => Event::ElbOutage { calls: dice.between(1, 8) },
        _ => Event::ElbFault {
            operation: *dice.pick(&[
                Operation::RegisterTargets,
                Operation::RegisterTargets,
                Operation::DeregisterTargets,
                Operation::DeregisterTargets,
                Operation::DeregisterTargets,
                Operation::DescribeTargetHealth,
                Operation::DescribeTargetGroups,
                Operation::DescribeTags,
            ]),
            nth: *dice.pick(&[1, 1, 2, 3]),
            trouble: *dice.pick(&[
                ElbTrouble::LostBefore,
                ElbTrouble::LostAfter,
                ElbTrouble::LostAfter,
                ElbTrouble::Throttled,
                ElbTrouble::Refused,
                ElbTrouble::Broken,
                ElbTrouble::Garbage,
            ]),
        },
    }
}

/// An address that a live controller still tracks comes up in another cluster: the pod died when its
/// target had been taken out by somebody else, and then no pass lets go of it (`facts/lbc.md` 2.1).
fn reuse(dice: &mut Dice, layout: &Layout) -> Option<Vec<Event>> {
    let shares = |slot: usize| layout.slots[slot].filter(|bound| bound.mode == Mode::Shared);
    let cluster = |slot: usize| slot / SLOTS_PER_CLUSTER;
    let slots = || (0..layout.slots.len()).filter_map(|slot| Some((slot, shares(slot)?.group)));
    let pairs = slots().flat_map(|one| slots().map(move |other| (one, other)));
    let pairs: Vec<(usize, usize, usize)> = pairs
        .filter(|((one, group), (other, of))| group == of && cluster(*one) != cluster(*other))
        .filter(|((one, _), _)| layout.controllers[cluster(*one)] == Aliveness::Alive)
        .filter(|((_, group), _)| layout.groups[*group] == Kind::Ip)
        .map(|((one, group), (other, _))| (one, other, group))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let (one, other, group) = *dice.pick(&pairs);
    let (address, variant) = (dice.below(ADDRESSES.len()), 0);
    let all_calls =
        |slot: usize| Event::ControllerWorks { cluster: cluster(slot), calls: usize::MAX };
    Some(vec![
        Event::PodDown { address },
        Event::PodUp { slot: one, address, variant },
        Event::Converge,
        Event::DeregisterByHand { group, number: address },
        Event::PodDown { address },
        all_calls(one),
        Event::PodUp { slot: other, address, variant },
        all_calls(other),
        Event::Run(Run { acting: 1 << cluster(other), seeing: 7, ..Run::default() }),
        Event::Wait { seconds: 400 },
        Event::Run(run(dice, layout, 1)),
        all_calls(one),
    ])
}

/// A controller works, if there is one; now and then it gets no further than a few calls.
fn works(dice: &mut Dice, layout: &Layout) -> Event {
    let with: Vec<usize> = (0..layout.controllers.len())
        .filter(|cluster| layout.controllers[*cluster] != Aliveness::Absent)
        .collect();
    let cluster = if with.is_empty() { 0 } else { *dice.pick(&with) };
    let calls = if dice.chance(75) { usize::MAX } else { dice.between(1, 8) };
    Event::ControllerWorks { cluster, calls }
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

fn run(dice: &mut Dice, layout: &Layout, depth: usize) -> Run {
    let all = (1_u8 << layout.controllers.len()) - 1;
    let one = 1_u8 << dice.below(layout.controllers.len());
    let (acting, seeing) = *dice.pick(&[(all, all), (one, all), (one, all), (one, one)]);
    // A run over two clusters takes 50 to 120 steps; most of what matters is in its first 90.
    let kill = dice.chance(20).then(|| dice.below(100));
    let via = match dice.below(100) {
        _ if layout.controllers.iter().all(|it| *it == Aliveness::Absent) => ViaChoice::Auto,
        0..10 => ViaChoice::Controller,
        10..15 => ViaChoice::Direct,
        _ => ViaChoice::Auto,
    };
    let no_yes = dice.chance(5);
    let cap =
        dice.chance(10).then(|| *dice.pick(&[Cap::Count(0), Cap::Count(1), Cap::Percent(50)]));
    let prompt = (depth == 0 && dice.chance(12))
        .then(|| (0..dice.between(0, 2)).map(|_| event(dice, layout)).collect());
    let mut between = Vec::new();
    if depth == 0 && dice.chance(70) {
        for _ in 0..dice.between(1, 3) {
            let event = match dice.below(100) {
                0..12 => Event::Run(run(dice, layout, 1)),
                12..25 => works(dice, layout),
                _ => event(dice, layout),
            };
            between.push((dice.below(100), event));
        }
    }
    Run { acting, seeing, via, no_yes, cap, prompt, kill, between, ..Run::default() }
}

/// Some runs act beside a controller by force, some take out what no cluster claims.
///
/// With dice of their own, so that all else of a history stays what it is without them.
fn ventures(dice: &mut Dice, layout: &Layout, events: Vec<Event>) -> Vec<Event> {
    let mut all = Vec::new();
    for mut event in events {
        let runs = match &mut event {
            Event::Run(run) => std::slice::from_mut(run),
            Event::AtOnce { runs, .. } => runs,
            _ => &mut [],
        };
        for run in runs {
            if venture(dice, run) {
                all.extend(leave_behind(dice, layout));
            }
            for (_, event) in &mut run.between {
                if let Event::Run(run) = event {
                    venture(dice, run);
                }
            }
        }
        all.push(event);
    }
    all
}

/// Says whether the run takes out what no cluster claims.
fn venture(dice: &mut Dice, run: &mut Run) -> bool {
    if run.via == ViaChoice::Direct || dice.chance(3) {
        (run.via, run.force) = (ViaChoice::Direct, dice.chance(70));
    }
    if dice.chance(12) {
        let include_healthy = dice.chance(40);
        run.prune = Some(Prune { include_healthy });
        // Else nothing is ever known to be unclaimed.
        if dice.chance(70) {
            run.seeing = u8::MAX;
        }
    }
    run.prune.is_some()
}

/// Targets are registered by hand and left there; some of them fail their checks.
fn leave_behind(dice: &mut Dice, layout: &Layout) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..dice.between(0, 2) {
        let (group, number) = (dice.below(layout.groups.len()), dice.below(2 * INSTANCES.len()));
        events.push(Event::RegisterByHand { group, number });
        if dice.chance(60) {
            events.push(Event::Health { number, passing: false });
        }
        if dice.chance(80) {
            events.push(Event::Wait { seconds: 100 });
        }
    }
    events
}

/// Numbers that are the same for the same seed (SplitMix64, Steele et al. 2014).
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
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
