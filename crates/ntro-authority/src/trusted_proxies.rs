//! The address of a client behind reverse proxies.
//!
//! A proxy appends the address that it has seen to `Forwarded` (RFC 7239) or `X-Forwarded-For`; the
//! rest of the header is a claim of the client. So the chain is read from its end, and the first
//! address that is no trusted proxy is the client.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use axum::http::header::FORWARDED;
use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A peer whose `Forwarded` or `X-Forwarded-For` is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// Every address of a network.
    Network(IpNet),
    /// Every process that may connect to a Unix socket of the server.
    Unix,
}

/// An error in the name of a trusted proxy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustedProxyError {
    /// Neither an address nor a network nor `unix`.
    #[error("expected an address, a network such as `10.0.0.0/8`, or `unix`")]
    Unknown,
    /// An address with bits beyond its prefix.
    #[error("the address has bits beyond its prefix: the network is `{0}`")]
    Host(IpNet),
    /// Every address of the protocol.
    #[error("every client could then choose its address: name the proxies")]
    Everyone,
}

impl TrustedProxy {
    /// Returns whether a peer is this one; on a Unix socket it has no address.
    fn is(self, peer: Option<IpAddr>) -> bool {
        match (self, peer) {
            (Self::Unix, None) => true,
            (Self::Network(network), Some(peer)) => network.contains(&peer.to_canonical()),
            _ => false,
        }
    }
}

impl FromStr for TrustedProxy {
    type Err = TrustedProxyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().map_err(|_| TrustedProxyError::Unknown)?,
        };
        if network.addr() != network.addr().to_canonical() {
            return Err(TrustedProxyError::Unknown);
        }
        if network.prefix_len() == 0 {
            return Err(TrustedProxyError::Everyone);
        }
        match network.trunc() {
            first if first == network => Ok(Self::Network(network)),
            first => Err(TrustedProxyError::Host(first)),
        }
    }
}

impl fmt::Display for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => network.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

/// The header in which trusted proxies name their clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardedHeader {
    /// `Forwarded`.
    Forwarded,
    /// `X-Forwarded-For`.
    XForwardedFor,
}

impl ForwardedHeader {
    const fn name(self) -> HeaderName {
        match self {
            Self::Forwarded => FORWARDED,
            Self::XForwardedFor => X_FORWARDED_FOR,
        }
    }

    /// Returns the address in one element of the header.
    fn address(self, element: &str) -> Option<IpAddr> {
        match self {
            Self::Forwarded => forwarded_for(element),
            Self::XForwardedFor => node(element),
        }
    }
}

/// The reverse proxies in front of the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies {
    /// The peers that are believed.
    pub proxies: Vec<TrustedProxy>,
    /// The header that they write. If it is `None`, either, and both must name the same client: the
    /// proxy may have written one, and its client the other.
    pub header: Option<ForwardedHeader>,
}

/// `Forwarded` and `X-Forwarded-For` name different clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DifferentClients;

impl TrustedProxies {
    /// Returns the address of the client behind `peer`.
    pub(crate) fn client(
        &self,
        peer: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> Result<Option<IpAddr>, DifferentClients> {
        if !self.trust(peer) {
            return Ok(peer);
        }
        if let Some(header) = self.header {
            return Ok(self.read(header, peer, headers));
        }
        let [one, other] = [ForwardedHeader::Forwarded, ForwardedHeader::XForwardedFor];
        match [one, other].map(|header| headers.contains_key(header.name())) {
            [false, false] => Ok(peer),
            [true, false] => Ok(self.read(one, peer, headers)),
            [false, true] => Ok(self.read(other, peer, headers)),
            [true, true] => {
                let client = self.read(one, peer, headers);
                let is_same = client == self.read(other, peer, headers);
                is_same.then_some(client).ok_or(DifferentClients)
            }
        }
    }

    fn trust(&self, peer: Option<IpAddr>) -> bool {
        self.proxies.iter().any(|proxy| proxy.is(peer))
    }

    /// Returns the first address from the end of the header that is no trusted proxy. Behind an
    /// element without an address, the last known proxy stands for all.
    fn read(
        &self,
        header: ForwardedHeader,
        peer: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> Option<IpAddr> {
        let values = headers.get_all(header.name()).iter().rev();
        let elements = values.flat_map(|value| value.as_bytes().rsplit(|&byte| byte == b','));
        let mut client = peer;
        for element in elements {
            let text = std::str::from_utf8(element).unwrap_or_default();
            let Some(address) = header.address(text.trim_matches([' ', '\t'])) else {
                break;
            };
            client = Some(address);
            if !self.trust(client) {
                break;
            }
        }
        client
    }
}

/// Reads an element of `Forwarded`, such as `for="[2001:db8::1]:80";proto=https`.
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut values = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    let (Some((_, value)), None) = (values.next(), values.next()) else {
        return None;
    };
    let value = value.trim();
    let quoted = value
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    node(quoted.unwrap_or(value))
}

/// Reads an address, with or without brackets and port.
fn node(text: &str) -> Option<IpAddr> {
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            address.contains(':').then_some((address, port))?
        }
        // An IPv6 address without brackets has no port.
        None => match text.split_once(':') {
            Some((_, rest)) if rest.contains(':') => (text, ""),
            Some((address, _)) => (address, &text[address.len()..]),
            None => (text, ""),
        },
    };
    if let Some(port) = port.strip_prefix(':') {
        port.parse::<u16>().ok()?;
    } else if !port.is_empty() {
        return None;
    }
    address
        .parse()
        .ok()
        .map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn headers(lines: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let name: HeaderName = name.parse().unwrap();
            headers.append(name, value.parse().unwrap());
        }
        headers
    }

    fn proxies(names: &[&str]) -> TrustedProxies {
        TrustedProxies {
            proxies: names.iter().map(|name| name.parse().unwrap()).collect(),
            header: None,
        }
    }

    #[test]
    fn proxy_is_address_or_network() {
        for (text, shown) in [
            ("127.0.0.1", "127.0.0.1/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("::1", "::1/128"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("unix", "unix"),
        ] {
            assert_eq!(text.parse::<TrustedProxy>().unwrap().to_string(), shown);
        }
        for (text, part) in [
            ("", "expected an address"),
            ("proxy.example", "expected an address"),
            ("10.0.0.0/33", "expected an address"),
            ("10.0.0.0/+8", "expected an address"),
            ("10.0.0.0/", "expected an address"),
            ("10.0.0.0/8/8", "expected an address"),
            ("::ffff:10.0.0.1", "expected an address"),
            ("Unix", "expected an address"),
            ("10.1.0.0/8", "the network is `10.0.0.0/8`"),
            ("2001:db8::1/64", "the network is `2001:db8::/64`"),
            ("0.0.0.0/0", "every client"),
            ("::/0", "every client"),
        ] {
            let error = text.parse::<TrustedProxy>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }

    #[test]
    fn client_is_rightmost_untrusted_hop() {
        let own = proxies(&["10.0.0.0/8", "2001:db8::1", "192.0.2.9"]);
        for (value, client) in [
            ("198.51.100.7", "198.51.100.7"),
            ("203.0.113.9, 198.51.100.7", "198.51.100.7"),
            ("203.0.113.9,198.51.100.7 , 10.9.9.9", "198.51.100.7"),
            ("198.51.100.7:4711", "198.51.100.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]:80, 2001:db8::1", "2001:db8::7"),
            ("::ffff:198.51.100.7", "198.51.100.7"),
            // All hops are proxies: the first one is the client.
            ("10.1.1.1, 192.0.2.9", "10.1.1.1"),
            // Without an address, the nearest known hop stands for the rest.
            ("", "10.0.0.1"),
            ("unknown", "10.0.0.1"),
            ("198.51.100.7, unknown", "10.0.0.1"),
            ("198.51.100.7, unknown, 10.2.2.2", "10.2.2.2"),
            ("198.51.100.7, 10.2.2.2,", "10.0.0.1"),
            ("198.51.100.7:99999", "10.0.0.1"),
            ("[198.51.100.7]", "10.0.0.1"),
            ("198.51.100.07", "10.0.0.1"),
            ("\u{e9}", "10.0.0.1"),
        ] {
            let headers = headers(&[("x-forwarded-for", value)]);
            let found = own.client(Some(address("10.0.0.1")), &headers);
            assert_eq!(found, Ok(Some(address(client))), "{value}");
        }
        let lines = [
            ("x-forwarded-for", "203.0.113.9"),
            ("x-forwarded-for", "198.51.100.7"),
        ];
        let found = own.client(Some(address("10.0.0.1")), &headers(&lines));
        assert_eq!(found, Ok(Some(address("198.51.100.7"))));
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        let own = proxies(&["10.0.0.0/8"]);
        for (value, client) in [
            ("for=198.51.100.7", "198.51.100.7"),
            (
                "For=\"198.51.100.7:80\";proto=http;by=10.0.0.1",
                "198.51.100.7",
            ),
            (
                "proto=http; for=\"[2001:db8:cafe::17]:4711\"",
                "2001:db8:cafe::17",
            ),
            (
                "for=203.0.113.9, for=198.51.100.7, for=10.0.0.4",
                "198.51.100.7",
            ),
            // A quote that the client leaves open does not hide what the proxy appends.
            ("for=\"203.0.113.9, for=198.51.100.7", "198.51.100.7"),
            ("for=198.51.100.7;for=203.0.113.9", "10.0.0.1"),
            ("for=_hidden", "10.0.0.1"),
            ("for=unknown", "10.0.0.1"),
            ("by=198.51.100.7", "10.0.0.1"),
            ("198.51.100.7", "10.0.0.1"),
            ("for", "10.0.0.1"),
        ] {
            let found = own.client(Some(address("10.0.0.1")), &headers(&[("forwarded", value)]));
            assert_eq!(found, Ok(Some(address(client))), "{value}");
        }
    }

    #[test]
    fn untrusted_peer_stays_the_client() {
        let headers = headers(&[
            ("x-forwarded-for", "198.51.100.7"),
            ("forwarded", "for=203.0.113.9"),
        ]);
        for own in [proxies(&[]), proxies(&["10.0.0.0/8", "::1"])] {
            for peer in [Some(address("192.0.2.1")), Some(address("::2")), None] {
                assert_eq!(own.client(peer, &headers), Ok(peer));
            }
        }
    }

    #[test]
    fn unix_socket_is_trusted_by_name() {
        let headers = headers(&[("x-forwarded-for", "198.51.100.7")]);
        let client = Some(address("198.51.100.7"));
        assert_eq!(proxies(&["unix"]).client(None, &headers), Ok(client));
        assert_eq!(proxies(&["::1"]).client(None, &headers), Ok(None));
        let peer = Some(address("::1"));
        assert_eq!(proxies(&["unix"]).client(peer, &headers), Ok(peer));
    }

    #[test]
    fn headers_must_name_one_client() {
        let both =
            |value: &str, other: &str| headers(&[("forwarded", value), ("x-forwarded-for", other)]);
        let peer = Some(address("::ffff:10.0.0.1"));
        let mut own = proxies(&["10.0.0.0/8"]);
        let same = both("for=198.51.100.7", "203.0.113.9, 198.51.100.7");
        assert_eq!(own.client(peer, &same), Ok(Some(address("198.51.100.7"))));
        let forged = both("for=203.0.113.9", "198.51.100.7");
        assert_eq!(own.client(peer, &forged), Err(DifferentClients));
        for (header, client) in [
            (ForwardedHeader::Forwarded, "203.0.113.9"),
            (ForwardedHeader::XForwardedFor, "198.51.100.7"),
        ] {
            own.header = Some(header);
            assert_eq!(own.client(peer, &forged), Ok(Some(address(client))));
        }
    }
}
