use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Returns the addresses of a name that can only be this machine; `None` for any other name.
///
/// RFC 6761 keeps `localhost` and all below it for this machine. No resolver is asked for them:
/// plain `http` is allowed there because nobody else can answer.
#[must_use]
pub fn loopback_addresses(name: &str) -> Option<[IpAddr; 2]> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let is_loopback = name == "localhost" || name.ends_with(".localhost");
    is_loopback.then_some([
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_names_are_known_without_asking() {
        for name in ["localhost", "LOCALHOST.", "a.b.localhost"] {
            let addresses = loopback_addresses(name);
            assert!(addresses.is_some_and(|all| all.iter().all(IpAddr::is_loopback)));
        }
        for name in ["localhost.example.com", "notlocalhost", ""] {
            assert_eq!(loopback_addresses(name), None, "{name}");
        }
    }
}
