//! The few targets that a history is about, as bits.
//!
//! An `ip` group holds addresses, a QUIC group addresses with a server id, an `instance` group nodes by
//! node port. Bits mean something within one kind of group only.

use mctg::target::Target;

/// A set of targets, as bits.
pub(super) type Set = u128;

/// The addresses that pods get, again and again: two zones, and one address outside the VPC.
pub(super) const ADDRESSES: [&str; 6] =
    ["10.0.0.11", "10.0.0.12", "10.0.64.13", "10.0.64.14", "10.0.128.15", "192.168.7.16"];

/// The instances: three of each cluster's, until they leave it for another one.
pub(super) const INSTANCES: [&str; 9] = [
    "i-00000001000000000",
    "i-00000001000000001",
    "i-00000001000000002",
    "i-00000002000000000",
    "i-00000002000000001",
    "i-00000002000000002",
    "i-00000003000000000",
    "i-00000003000000001",
    "i-00000003000000002",
];

/// The port that all pods serve at.
pub(super) const PORT: u16 = 8080;

/// The node port of the first Service of a cluster; the second one's is the next.
pub(super) const NODE_PORT: u16 = 30_080;

/// How many pods a crowd has: more than one call takes.
pub(super) const CROWD: usize = 105;

/// How many pods of one address are told apart in a QUIC group: without a server id, and with two.
pub(super) const VARIANTS: usize = 3;

/// The first bit of crowds and instances.
const OTHERS: usize = ADDRESSES.len() * VARIANTS;

/// What a group registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Ip,
    Instance,
    Quic,
}

impl Kind {
    /// The target that a number stands for.
    pub(super) fn target(self, number: usize) -> Target {
        match self {
            Self::Ip => Target::new(ADDRESSES[number % ADDRESSES.len()], PORT),
            Self::Quic => {
                let address = number % ADDRESSES.len();
                let variant = 1 + number / ADDRESSES.len() % (VARIANTS - 1);
                let quic_server_id = Some(format!("0x{variant:08x}{address:08x}"));
                Target { quic_server_id, ..Target::new(ADDRESSES[address], PORT) }
            }
            Self::Instance => {
                let place = u16::from(number / INSTANCES.len() % 2 == 1);
                Target::new(INSTANCES[number % INSTANCES.len()], NODE_PORT + place)
            }
        }
    }

    /// What of a set can be registered.
    pub(super) fn registrable(self, set: Set) -> Set {
        match self {
            Self::Ip | Self::Instance => set,
            Self::Quic => set & ((1 << OTHERS) - 1) & !((1 << ADDRESSES.len()) - 1),
        }
    }

    /// What keeps a set from being registered: other server ids at the same addresses.
    pub(super) fn rivals(self, set: Set) -> Set {
        match self {
            Self::Ip | Self::Instance => 0,
            Self::Quic => (0..ADDRESSES.len())
                .map(of_address)
                .filter(|all| set & all != 0)
                .fold(0, |rivals, all| rivals | (all & !set)),
        }
    }
}

/// The address of a pod of a crowd.
pub(super) fn crowd_address(number: usize) -> String {
    format!("10.0.32.{}", number + 1)
}

/// What the pod of an address has as its server id, in base64.
pub(super) fn server_id(variant: usize, address: usize) -> Option<&'static str> {
    const IDS: [[&str; 6]; 2] = [
        [
            "AAAAAQAAAAA=",
            "AAAAAQAAAAE=",
            "AAAAAQAAAAI=",
            "AAAAAQAAAAM=",
            "AAAAAQAAAAQ=",
            "AAAAAQAAAAU=",
        ],
        [
            "AAAAAgAAAAA=",
            "AAAAAgAAAAE=",
            "AAAAAgAAAAI=",
            "AAAAAgAAAAM=",
            "AAAAAgAAAAQ=",
            "AAAAAgAAAAU=",
        ],
    ];
    variant.checked_sub(1).map(|id| IDS[id][address])
}

/// The bit of the pod at an address, of which variant it may be.
pub(super) fn of_pod(address: &str, server_id: Option<&str>) -> Set {
    match ADDRESSES.iter().position(|known| *known == address) {
        Some(index) => {
            let variant = match server_id {
                None => 0,
                Some(id) if id.starts_with("AAAAAQ") => 1,
                Some(_) => 2,
            };
            1 << (variant * ADDRESSES.len() + index)
        }
        None => of_crowd(address),
    }
}

/// Every target that a known address stands for.
pub(super) fn of_address(index: usize) -> Set {
    (0..VARIANTS).fold(0, |set, variant| set | 1 << (variant * ADDRESSES.len() + index))
}

/// Every target that whoever holds an address holds.
pub(super) fn held(address: &str) -> Set {
    match ADDRESSES.iter().position(|known| *known == address) {
        Some(index) => of_address(index),
        None => of_crowd(address),
    }
}

fn of_crowd(address: &str) -> Set {
    let number = address.strip_prefix("10.0.32.").and_then(|last| last.parse::<usize>().ok());
    number.filter(|number| (1..=CROWD).contains(number)).map_or(0, |n| 1 << (OTHERS + n - 1))
}

/// The bit of an instance at a place's node port.
pub(super) fn of_instance(id: &str, place: usize) -> Set {
    let index = INSTANCES.iter().position(|known| *known == id);
    index.map_or(0, |index| 1 << (OTHERS + 2 * index + place))
}

pub(super) fn bit(target: &Target) -> Set {
    of_entry(&target.id, target.port, target.quic_server_id.as_deref())
}

fn of_entry(id: &str, port: u16, server_id: Option<&str>) -> Set {
    if id.starts_with("i-") {
        return match port.checked_sub(NODE_PORT) {
            Some(place @ (0 | 1)) => of_instance(id, usize::from(place)),
            _ => 0,
        };
    }
    let variant = match server_id {
        None => 0,
        Some(id) if id.starts_with("0x00000001") => 1,
        Some(_) => 2,
    };
    match ADDRESSES.iter().position(|known| *known == id) {
        Some(index) if port == PORT => 1 << (variant * ADDRESSES.len() + index),
        Some(_) => 0,
        None => of_crowd(id),
    }
}

pub(super) fn set<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Set {
    targets.into_iter().fold(0, |set, target| set | bit(target))
}

/// The set that a ledger's text holds; none where it is no ledger.
pub(super) fn of_ledger(text: &str) -> Option<Set> {
    let mut entries = text.split(',').filter(|entry| !entry.is_empty()).map(|entry| {
        let mut parts = entry.splitn(3, ':');
        let (id, port) = (parts.next()?, parts.next()?.parse().ok()?);
        Some(of_entry(id, port, parts.next()))
    });
    entries.try_fold(0, |set, bit: Option<Set>| Some(set | bit?))
}

/// Takes a set apart.
pub(super) fn each(mut set: Set) -> impl Iterator<Item = Set> {
    std::iter::from_fn(move || {
        let lowest = set & set.wrapping_neg();
        set &= !lowest;
        (lowest != 0).then_some(lowest)
    })
}

/// Writes a set for people.
pub(super) fn words(set: Set) -> String {
    let name = |bit: Set| {
        let number = bit.trailing_zeros() as usize;
        match number.checked_sub(OTHERS) {
            None => {
                let server = ["", " (server 1)", " (server 2)"][number / ADDRESSES.len()];
                format!("{}{server}", ADDRESSES[number % ADDRESSES.len()])
            }
            Some(other) => format!("{} or instance {}", crowd_address(other), other / 2),
        }
    };
    let more = match set.count_ones() {
        count @ 10.. => format!(" and {} more", count - 9),
        _ => String::new(),
    };
    each(set).map(name).take(9).collect::<Vec<_>>().join(", ") + &more
}

#[test]
fn targets_ledgers_and_bits_agree() {
    for kind in [Kind::Ip, Kind::Quic, Kind::Instance] {
        for number in 0..18 {
            let target = kind.target(number);
            assert_eq!(bit(&target).count_ones(), 1, "{target}");
            assert_eq!(of_ledger(&target.to_string()), Some(bit(&target)), "{target}");
        }
    }
    for variant in 0..VARIANTS {
        for (index, address) in ADDRESSES.iter().enumerate() {
            let pod = of_pod(address, server_id(variant, index));
            assert!(pod & of_address(index) != 0);
            if variant > 0 {
                assert_eq!(pod, bit(&Kind::Quic.target(index + (variant - 1) * ADDRESSES.len())));
            }
        }
    }
}
