use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use url::Url;

/// Returns the addresses of a name that can only be this machine; `None` for any other name.
///
/// RFC 6761 reserves `localhost` and every name below it for this machine. They never go to a
/// resolver, which could answer with another machine: plain `http` is allowed for them.
pub(crate) fn loopback_addresses(name: &str) -> Option<[IpAddr; 2]> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    is_loopback_name(&name).then_some([
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ])
}

/// Returns whether a name in lower case and without a trailing dot can only be this machine.
pub(crate) fn is_loopback_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Returns whether the host of a URL can only be this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => loopback_addresses(name).is_some(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_need_no_resolver() {
        for name in ["localhost", "LOCALHOST.", "a.b.localhost"] {
            let addresses = loopback_addresses(name);
            assert!(addresses.is_some_and(|all| all.iter().all(IpAddr::is_loopback)));
        }
        for name in ["localhost.example.com", "notlocalhost", ""] {
            assert_eq!(loopback_addresses(name), None, "{name}");
        }
    }
}
