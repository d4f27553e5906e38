//! The ledger: the ConfigMap in which a cluster keeps which targets are its own.
//!
//! One per binding, key `targets`, a list of `id:port[:0xhex]` joined by commas
//! (LBC 3.5, `pkg/targetgroupbinding/multicluster_manager.go`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;

use crate::binding::{Binding, Flavour};
use crate::target::Target;

/// The ConfigMap's key that holds the targets.
pub const KEY: &str = "targets";

/// The largest text this program writes, in bytes: Kubernetes refuses a ConfigMap over 1 MiB, and
/// the other keys, labels and managed fields, which are not ours to drop, count too.
pub const BYTES_MAX: usize = 1024 * 1024 - 64 * 1024;

/// A ledger as its cluster stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ledger {
    /// What it tracks.
    pub targets: BTreeSet<Target>,
    /// The size of its text in bytes.
    pub bytes: usize,
    /// Its resource version: a write that carries it fails if anybody wrote in between.
    pub version: String,
    /// When its text last changed, as far as its managed fields tell.
    pub changed_at: Option<Timestamp>,
    /// When anybody but the controller last wrote it: a controller that led already then does not
    /// know, and works by the text it has in memory (`facts/lbc.md` 2.1).
    pub foreign_write_at: Option<Timestamp>,
}

/// The field manager of the controller's writes (`facts/lbc.md` 6).
pub const CONTROLLER_FIELD_MANAGER: &str = "controller";

/// The text is no ledger: this entry is no `id:port[:0xhex]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{entry}` is no `id:port`")]
pub struct InvalidLedger {
    /// The entry that could not be read.
    pub entry: String,
}

/// Names the ledger of a binding.
pub fn name(flavour: Flavour, binding: &str) -> String {
    let prefix = match flavour {
        Flavour::LoadBalancerController => "aws-lbc-targets-",
        Flavour::AutoMode => "eks-lbc-targets-",
    };
    format!("{prefix}{binding}")
}

/// The release since which the controller tells ledgers in memory apart by `namespace/name`; before it
/// went by `namespace-name`, so that `a/b-c` and `a-b/c` shared one (`facts/lbc.md` 2.1).
pub const TOLD_APART_SINCE: [u32; 3] = [3, 5, 0];

/// Finds the multi-cluster bindings of a cluster whose ledgers a controller before
/// [`TOLD_APART_SINCE`] cannot tell apart in memory: by namespace and name, with another such binding
/// of each as `namespace/name`.
pub fn namesakes<'a>(
    bindings: impl Iterator<Item = &'a Binding>,
) -> BTreeMap<(String, String), String> {
    let mut by_key: BTreeMap<String, Vec<&Binding>> = BTreeMap::new();
    for binding in bindings {
        let is_lbc = binding.flavour == Flavour::LoadBalancerController;
        if is_lbc && binding.spec.multi_cluster_target_group {
            by_key.entry(memory_key(&binding.namespace, &binding.name)).or_default().push(binding);
        }
    }
    let mut namesakes = BTreeMap::new();
    for same in by_key.into_values().filter(|same| same.len() > 1) {
        for (index, binding) in same.iter().enumerate() {
            let other = same[usize::from(index == 0)];
            let key = (binding.namespace.clone(), binding.name.clone());
            namesakes.insert(key, format!("{}/{}", other.namespace, other.name));
        }
    }
    namesakes
}

/// The key in the memory of a controller before [`TOLD_APART_SINCE`].
pub(crate) fn memory_key(namespace: &str, name: &str) -> String {
    format!("{namespace}-{name}")
}

/// The binding that a ConfigMap of this name is the ledger of, whose binding it would be, and the
/// flavour; none where it is no ledger.
pub fn binding_of(configmap: &str) -> Option<(Flavour, &str)> {
    let own = [Flavour::LoadBalancerController, Flavour::AutoMode];
    let named = own
        .into_iter()
        .find_map(|flavour| Some((flavour, configmap.strip_prefix(name(flavour, "").as_str())?)));
    named.filter(|(_, binding)| !binding.is_empty())
}

/// Reads a ledger's text as a set: order, blanks and duplicates do not matter.
///
/// # Errors
///
/// Returns the first entry that is no `id:port[:0xhex]`.
pub fn parse(text: &str) -> Result<BTreeSet<Target>, InvalidLedger> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).map(parse_entry).collect()
}

/// Writes a ledger's text: sorted, joined by commas, so that equal sets give equal text.
pub fn format(targets: &BTreeSet<Target>) -> String {
    let entries: Vec<String> = targets.iter().map(Target::to_string).collect();
    entries.join(",")
}

fn parse_entry(entry: &str) -> Result<Target, InvalidLedger> {
    let invalid = || InvalidLedger { entry: entry.to_owned() };
    let (rest, last) = entry.rsplit_once(':').ok_or_else(invalid)?;
    let (address, server_id) = match last.strip_prefix("0x") {
        Some(hex) if !hex.is_empty() && hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            (rest, Some(last.to_owned()))
        }
        Some(_) => return Err(invalid()),
        None => (entry, None),
    };
    let (id, port) = address.rsplit_once(':').ok_or_else(invalid)?;
    if !is_target_id(id) || !port.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid());
    }
    let port = port.parse().map_err(|_| invalid())?;
    Ok(Target { id: id.to_owned(), port, quic_server_id: server_id })
}

/// An address, an instance id, or a hybrid node's id (`facts/lbc.md` 2.1).
fn is_target_id(id: &str) -> bool {
    let is_word = |rest: &str| {
        !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    id.parse::<IpAddr>().is_ok()
        || ["i-", "mi-", "hybrid-"]
            .iter()
            .any(|prefix| id.strip_prefix(prefix).is_some_and(is_word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn targets(list: &[(&str, u16)]) -> BTreeSet<Target> {
        list.iter().map(|(id, port)| Target::new(*id, *port)).collect()
    }

    #[test]
    fn each_flavour_has_its_own_ledger_name() {
        assert_eq!(name(Flavour::LoadBalancerController, "nginx"), "aws-lbc-targets-nginx");
        assert_eq!(name(Flavour::AutoMode, "nginx"), "eks-lbc-targets-nginx");
    }

    #[test]
    fn bindings_whose_names_join_alike_are_namesakes() {
        let binding = |namespace: &str, name: &str| Binding {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            ..crate::testing::binding("shop")
        };
        let of = |bindings: &[Binding]| -> Vec<String> {
            let namesakes = namesakes(bindings.iter()).into_iter();
            namesakes.map(|((ns, name), other)| format!("{ns}/{name}: {other}")).collect()
        };
        let mut alike = [binding("a", "b-c"), binding("a-b", "c"), binding("b", "c")];
        assert_eq!(of(&alike), ["a/b-c: a-b/c", "a-b/c: a/b-c"]);
        alike[1].spec.multi_cluster_target_group = false;
        assert_eq!(of(&alike), [""; 0], "an exclusive one has no ledger");
        alike[1].spec.multi_cluster_target_group = true;
        alike[1].flavour = Flavour::AutoMode;
        assert_eq!(of(&alike), [""; 0], "it is another controller's");
    }

    #[test]
    fn a_ledger_is_read_as_a_set() {
        let expected = targets(&[("10.0.0.1", 80), ("10.0.0.2", 80)]);
        assert_eq!(parse("10.0.0.2:80,10.0.0.1:80"), Ok(expected.clone()));
        assert_eq!(parse("10.0.0.2:80, 10.0.0.1:80,,10.0.0.2:80,\n"), Ok(expected));
        assert_eq!(parse(""), Ok(BTreeSet::new()));
    }

    #[test]
    fn instances_hybrid_nodes_ipv6_and_quic_ids_are_read() {
        assert_eq!(parse("i-0abc:30080"), Ok(targets(&[("i-0abc", 30080)])));
        assert_eq!(parse("hybrid-mi-0abc:30080"), Ok(targets(&[("hybrid-mi-0abc", 30080)])));
        assert_eq!(parse("2001:db8::1:80"), Ok(targets(&[("2001:db8::1", 80)])));
        let quic =
            Target { quic_server_id: Some("0xab".to_owned()), ..Target::new("10.0.0.1", 443) };
        assert_eq!(parse("10.0.0.1:443:0xab"), Ok(BTreeSet::from([quic])));
    }

    #[test]
    fn a_text_that_is_no_ledger_names_its_first_bad_entry() {
        for entry in [
            "hello",
            "10.0.0.1",
            "10.0.0.1:",
            ":80",
            "10.0.0.1:http",
            "10.0.0.1:70000",
            "10.0.0.1:+80",
            "10.0.0.1:80:0x",
            "10.0.0.1:80:0xzz",
            "10.0.0.1:80:81",
            "2001:db8::1",
            "web:80",
            "{\"a\":1}",
            "i-:80",
        ] {
            let text = format!("10.0.0.9:80,{entry}");
            assert_eq!(parse(&text), Err(InvalidLedger { entry: entry.to_owned() }), "{entry}");
        }
    }

    fn any_target() -> impl Strategy<Value = Target> {
        let id = prop_oneof![
            any::<std::net::Ipv4Addr>().prop_map(|ip| ip.to_string()),
            any::<std::net::Ipv6Addr>().prop_map(|ip| ip.to_string()),
            "i-[0-9a-f]{8,17}",
            "hybrid-mi-[0-9a-f]{17}",
        ];
        (id, any::<u16>(), proptest::option::of("0x[0-9a-f]{16}"))
            .prop_map(|(id, port, quic_server_id)| Target { id, port, quic_server_id })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(targets in proptest::collection::btree_set(any_target(), 0..40)) {
            prop_assert_eq!(parse(&format(&targets)), Ok(targets));
        }

        #[test]
        fn no_text_makes_reading_panic(text in ".{0,200}") {
            let _ = parse(&text);
        }
    }
}
