use std::net::IpAddr;

use hyper_util::client::proxy::matcher::Matcher;
use url::{Host, Url};

use crate::env::{self, Env};

/// The servers of `NO_PROXY`, which are called without a proxy.
///
/// An entry is a domain with all its subdomains (`a.example`, `.a.example`, `*.a.example`), an
/// address, a network (`10.0.0.0/8`) or `*`; `:PORT` restricts it to a port. Commas and spaces
/// separate entries.
pub struct NoProxy {
    any_port: Matcher,
    one_port: Vec<(u16, Matcher)>,
    unknown: Vec<String>,
}

impl NoProxy {
    /// Reads the variable.
    #[must_use]
    pub fn from_env(env: &Env) -> Self {
        let text = env.text(&env::NO_PROXY).ok().flatten().unwrap_or_default();
        let mut any_port = Vec::new();
        let mut one_port = Vec::new();
        let mut unknown = Vec::new();
        let entries = text.split(|c: char| c == ',' || c.is_whitespace());
        for entry in entries.filter(|entry| !entry.is_empty()) {
            match parse(entry) {
                Some((servers, None)) => any_port.push(servers),
                Some((servers, Some(port))) => one_port.push((port, exempting(&servers))),
                None => unknown.push(entry.to_owned()),
            }
        }
        Self {
            any_port: exempting(&any_port.join(",")),
            one_port,
            unknown,
        }
    }

    /// Returns whether a URL is called without a proxy.
    pub(super) fn contains(&self, url: &Url) -> bool {
        let Ok(uri) = url.as_str().parse() else {
            return false;
        };
        let port = url.port_or_known_default();
        let mut on_this_port = self.one_port.iter().filter(|(of, _)| Some(*of) == port);
        self.any_port.intercept(&uri).is_none()
            || on_this_port.any(|(_, servers)| servers.intercept(&uri).is_none())
    }

    /// Returns the entries that match no server, such as `10.*`.
    #[must_use]
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }
}

/// Returns a matcher of all servers except these.
fn exempting(servers: &str) -> Matcher {
    Matcher::builder()
        .all("http://proxy.invalid")
        .no(servers)
        .build()
}

/// Splits an entry into servers and a port. Returns `None` if it can match no server.
fn parse(entry: &str) -> Option<(String, Option<u16>)> {
    let is_whole = |host: &str| !host.contains(':') || host.ends_with(']');
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) if is_whole(host) => (host, Some(port.parse().ok()?)),
        _ => (entry, None),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let servers = match (host.split_once('/'), host.parse::<IpAddr>()) {
        (None, Ok(address)) => address.to_string(),
        (Some((network, bits)), _) => {
            let longest = match network.parse().ok()? {
                IpAddr::V4(_) => 32,
                IpAddr::V6(_) => 128,
            };
            (bits.parse::<u8>().ok()? <= longest).then(|| host.to_owned())?
        }
        (None, Err(_)) if host == "*" => host.to_owned(),
        (None, Err(_)) => {
            let domain = host.strip_prefix("*.").unwrap_or(host);
            let domain = domain.trim_start_matches('.').trim_end_matches('.');
            // As URLs have it: in lower case, and punycode for other letters.
            match Host::parse(domain).ok()? {
                Host::Domain(domain) if !domain.contains('*') => domain,
                _ => return None,
            }
        }
    };
    Some((servers, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> NoProxy {
        NoProxy::from_env(&Env::from_pairs([(&env::NO_PROXY, value)]))
    }

    #[test]
    fn entry_matches_servers() {
        for (value, url, expected) in [
            ("a.example", "https://a.example", true),
            ("a.example", "https://b.a.example:8443", true),
            ("a.example", "https://ba.example", false),
            ("A.Example.", "https://a.example", true),
            (".a.example", "https://b.a.example", true),
            ("*.a.example", "https://b.a.example", true),
            ("*.a.example", "https://c.b.a.example", true),
            ("*.a.example", "https://ba.example", false),
            ("bücher.example", "https://bücher.example", true),
            ("a.example:8443", "https://a.example:8443", true),
            ("a.example:8443", "https://a.example", false),
            ("a.example:443", "https://a.example", true),
            ("*.a.example:80", "http://b.a.example", true),
            ("*.a.example:80", "https://b.a.example", false),
            ("*", "https://a.example", true),
            ("*:8443", "https://a.example:8443", true),
            ("*:8443", "https://a.example", false),
            ("10.0.0.0/8", "https://10.1.2.3", true),
            ("10.0.0.0/8", "https://11.1.2.3", false),
            ("10.1.2.3:8443", "https://10.1.2.3:8443", true),
            ("10.1.2.3:8443", "https://10.1.2.3", false),
            ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443", true),
            ("[2001:db8::1]", "https://[2001:db8::1]", true),
            ("2001:db8::1", "https://[2001:db8::1]", true),
            ("2001:db8::/32", "https://[2001:db8::7]", true),
            ("x.example a.example", "https://a.example", true),
            (" x.example ,\ta.example , ", "https://a.example", true),
            ("x.example,10.*,a.example", "https://a.example", true),
            ("", "https://a.example", false),
        ] {
            let found = read(value).contains(&url.parse().unwrap());
            assert_eq!(found, expected, "{value:?} {url}");
        }
    }

    #[test]
    fn unknown_entries_are_kept() {
        for entry in [
            "10.*",
            "*example",
            "a.*.example",
            "https://a.example",
            "a.example:port",
            "a.example:65536",
            "10.0.0.0/33",
            "a.example/8",
        ] {
            let read = read(&format!("x.example, {entry}"));
            assert_eq!(read.unknown(), [entry]);
            assert!(read.contains(&"https://x.example".parse().unwrap()));
        }
        assert!(
            read("*, a, .b, *.c:1, ::1, 10.0.0.0/8")
                .unknown()
                .is_empty()
        );
    }
}
