//! Which requests are forwarded.

use std::net::SocketAddr;

use hyper::header::{HOST, HeaderMap, HeaderName, ORIGIN};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode, Uri};
use ntro_base::Provider;

use super::keys::header_name;
use super::refusal::Refusal;
use super::{Child, Settings};

/// The values of `Host` that name a listener. A name that resolves to this machine, but is
/// another's, is none of them.
pub(super) enum OwnHosts {
    /// Those of a TCP address.
    Of(Vec<String>),
    /// Any: no web page reaches a Unix socket.
    Any,
}

impl OwnHosts {
    pub(super) fn of_address(address: SocketAddr) -> Self {
        let port = address.port();
        let ip = match address {
            SocketAddr::V4(address) => address.ip().to_string(),
            SocketAddr::V6(address) => format!("[{}]", address.ip()),
        };
        Self::Of(vec![format!("{ip}:{port}"), format!("localhost:{port}")])
    }

    fn contains(&self, host: &str) -> bool {
        match self {
            Self::Of(hosts) => hosts.iter().any(|own| own.eq_ignore_ascii_case(host)),
            Self::Any => true,
        }
    }
}

/// Checks the form of a request and where it comes from.
pub(super) fn check_form(parts: &Parts, hosts: &OwnHosts) -> Result<(), Refusal> {
    check_target(&parts.method, &parts.uri)?;
    let mut named = parts.headers.get_all(HOST).iter();
    let host = match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok(),
        _ => None,
    };
    match host {
        Some(host) if hosts.contains(host) => {}
        Some(_) => {
            return Err(Refusal::forbidden(
                "foreign_host",
                "the Host header does not name this proxy",
            ));
        }
        None => return Err(Refusal::malformed("the request needs one Host header")),
    }
    // Programs do not send them, browsers do.
    let of_browsers = [ORIGIN, HeaderName::from_static("sec-fetch-site")];
    match of_browsers
        .iter()
        .find(|name| parts.headers.contains_key(*name))
    {
        Some(name) => Err(Refusal::forbidden(
            "browser",
            format!("web pages may not use this proxy, and the request has the header `{name}`"),
        )),
        None => Ok(()),
    }
}

/// Refuses calls that answer with a key: a program that has one does not need the proxy. The path is
/// in its normal form.
pub(super) fn check_key_stays(method: &Method, path: &str) -> Result<(), Refusal> {
    const OF_KEYS: [&str; 2] = ["/api-keys/current/rotate", "/api-keys/current/children"];

    let path = path.strip_suffix('/').unwrap_or(path).to_ascii_lowercase();
    match method == Method::POST && OF_KEYS.iter().any(|end| path.ends_with(end)) {
        true => Err(Refusal::forbidden(
            "answers_with_key",
            "this proxy forwards no call that answers with a key",
        )),
        false => Ok(()),
    }
}

fn check_target(method: &Method, uri: &Uri) -> Result<(), Refusal> {
    if method == Method::CONNECT {
        return Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "no_tunnel",
            "this proxy opens no tunnels: use its URL as the base URL",
        ));
    }
    if method == Method::TRACE {
        // The answer would repeat the key.
        return Err(Refusal::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "no_trace",
            "this proxy forwards no TRACE",
        ));
    }
    match uri.scheme().is_none() && uri.authority().is_none() && uri.path().starts_with('/') {
        true => Ok(()),
        false => Err(Refusal::malformed(
            "the request target must be a path: use the URL of this proxy as the base URL",
        )),
    }
}

impl Settings {
    /// Returns the child whose token a request presents in the provider's header.
    pub(super) fn child_of(&self, headers: &HeaderMap) -> Result<&Child, Refusal> {
        let name = header_name(self.provider);
        let mut values = headers.get_all(&name).iter();
        let presented = match (values.next(), values.next()) {
            (Some(value), None) => token_of(self.provider, value.as_bytes()),
            _ => None,
        };
        // Each is compared, so that the time does not show which one is similar.
        let found = self.children.iter().fold(None, |found, child| {
            let is_own = presented.is_some_and(|presented| child.token.matches(presented));
            if is_own { Some(child) } else { found }
        });
        found.ok_or_else(|| {
            let (code, message) = match presented {
                Some(_) => (
                    "invalid_api_key",
                    "the token is not one of this proxy: it serves the programs that it was started for",
                ),
                None => (
                    "invalid_api_key",
                    "the request carries no token of this proxy",
                ),
            };
            Refusal::new(StatusCode::UNAUTHORIZED, code, message)
        })
    }
}

/// Returns the token in the value of a header.
fn token_of(provider: Provider, value: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer ";

    match provider {
        Provider::Ntropii => {
            let (scheme, token) = value.split_at_checked(SCHEME.len())?;
            scheme.eq_ignore_ascii_case(SCHEME).then_some(token)
        }
        Provider::Ontora => Some(value),
    }
}
