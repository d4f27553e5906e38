//! Whether a cluster is reached through a proxy; pure.

use std::net::IpAddr;

/// Says whether `NO_PROXY` or locality keeps a host from the environment's proxy, by the rules of
/// Go's `httpproxy`, which kubectl follows: hosts, domains with or without a leading dot, addresses,
/// CIDR blocks, each perhaps with a port, and `*`.
pub(super) fn is_excepted(host: &str, port: Option<u16>, no_proxy: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']').to_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    if host == "localhost" || address.is_some_and(|address| address.is_loopback()) {
        return true;
    }
    no_proxy.split(',').map(|entry| entry.trim().to_lowercase()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let (Some(address), Some((block, bits))) = (address, entry.split_once('/')) {
            let block = block.parse().ok().zip(bits.parse().ok());
            return block.is_some_and(|(block, bits)| is_within(address, block, bits));
        }
        let (name, wanted) = match entry.rsplit_once(':') {
            Some((name, wanted)) if !name.contains(':') || name.ends_with(']') => {
                (name, wanted.parse().ok())
            }
            _ => (entry.as_str(), None),
        };
        if wanted.is_some() && wanted != port {
            return false;
        }
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let domain = name.trim_start_matches('*').trim_start_matches('.');
        let is_below = || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        !domain.is_empty() && ((host == domain && name == domain) || is_below())
    })
}

fn is_within(address: IpAddr, block: IpAddr, bits: u32) -> bool {
    let shared = |a: u128, b: u128, size: u32| {
        bits <= size && (bits == 0 || (a ^ b).checked_shr(size - bits).unwrap_or(0) == 0)
    };
    match (address, block) {
        (IpAddr::V4(a), IpAddr::V4(b)) => shared(a.to_bits().into(), b.to_bits().into(), 32),
        (IpAddr::V6(a), IpAddr::V6(b)) => shared(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_proxy_is_read_as_kubectl_reads_it() {
        let list =
            "example.com, .internal,*.corp, 10.0.0.0/8,192.168.1.5:6443,fd00::/8,2001:db8::1";
        for (host, port, expected) in [
            ("example.com", None, true),
            ("a.example.com", None, true),
            ("badexample.com", None, false),
            ("a.internal", None, true),
            ("internal", None, false),
            ("a.corp", None, true),
            ("10.255.0.1", None, true),
            ("11.0.0.1", None, false),
            ("192.168.1.5", Some(6443), true),
            ("192.168.1.5", Some(443), false),
            ("[fd00::1]", None, true),
            ("2001:db8::1", None, true),
            ("2001:db8::2", None, false),
            ("localhost", None, true),
            ("127.0.0.1", None, true),
        ] {
            assert_eq!(is_excepted(host, port, list), expected, "{host}");
        }
        assert!(is_excepted("anything.example", None, "*"));
        assert!(!is_excepted("anything.example", None, ""));
    }
}
