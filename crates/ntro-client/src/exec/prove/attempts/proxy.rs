//! Calls that the proxy must refuse. A proxy that does not pass on a proper call refuses nothing.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use ntro_base::env::{self, Env};
use ntro_base::{Host, Provider};

use super::{Grounds, Result, contains};
use crate::exec::OneOffToken;
use crate::exec::prove::outcome::Failure;

const TIMEOUT: Duration = Duration::from_secs(5);

/// Where the calls go: the proxy, or unsealed the server itself.
struct Target {
    address: SocketAddr,
    prefix: String,
    token: String,
    server: SocketAddr,
}

impl Target {
    /// Returns the proxy of this process, after a proper call through it.
    fn of(grounds: &Grounds) -> std::result::Result<Self, Failure> {
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, grounds.victim.http));
        let env = Env::from_process();
        let text = |variable| env.text(variable).ok().flatten();
        let (Some(host), Some(token)) = (text(&env::NTRO_HOST), text(&env::NTRO_API_KEY)) else {
            return Ok(Self {
                address: server,
                prefix: "/v1".to_owned(),
                token: String::new(),
                server,
            });
        };
        let host: Host = host.parse().map_err(|_| Failure::Broken)?;
        let address = host.origin().as_str().replace("http://", "");
        let target = Self {
            address: address.parse().map_err(|_| Failure::Broken)?,
            prefix: host.path().to_owned(),
            token: token.to_owned(),
            server,
        };
        let proper = target.request("GET", &target.path("/me"), &target.token, "");
        match target.exchange(&proper) {
            Ok(answer) if contains(&answer, &grounds.answer) => Ok(target),
            _ => Err(Failure::Broken),
        }
    }

    fn path(&self, below: &str) -> String {
        format!("{}{below}", self.prefix)
    }

    /// Returns a request with more lines, each of which ends in a line break.
    fn request(&self, method: &str, path: &str, token: &str, more: &str) -> String {
        let address = self.address;
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
             Connection: close\r\n{more}\r\n"
        )
    }

    /// Sends a request, and returns all that is answered.
    fn exchange(&self, request: &str) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        match stream.read_to_end(&mut answer) {
            // It may be reset after the answer.
            Err(error) if answer.is_empty() => Err(error),
            _ => Ok(answer),
        }
    }
}

/// Succeeds if the server answers the request.
fn sent(grounds: &Grounds, request: impl FnOnce(&Target) -> String) -> Result {
    let target = Target::of(grounds)?;
    answered(&target.exchange(&request(&target))?, &grounds.answer)
}

fn answered(answer: &[u8], secret: &str) -> Result {
    if contains(answer, secret) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(answer);
    let status = text.lines().next().and_then(|line| line.split_once(' '));
    Err(Failure::Refused(match status {
        Some((_, status)) => format!("answered with {status}"),
        None => "closed the connection".to_owned(),
    }))
}

/// Succeeds if the server answers a request for this path.
fn path(grounds: &Grounds, path: impl FnOnce(&Target) -> String) -> Result {
    sent(grounds, |target| {
        target.request("GET", &path(target), &target.token, "")
    })
}

/// Succeeds if the server answers a request with more lines.
fn lines(grounds: &Grounds, lines: &str) -> Result {
    sent(grounds, |target| {
        target.request("GET", &target.path("/me"), &target.token, lines)
    })
}

pub(super) fn no_token(grounds: &Grounds) -> Result {
    sent(grounds, |target| {
        let (address, path) = (target.address, target.path("/me"));
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")
    })
}

pub(super) fn wrong_token(grounds: &Grounds) -> Result {
    sent(grounds, |target| {
        let token = format!("{}0", target.token);
        target.request("GET", &target.path("/me"), &token, "")
    })
}

pub(super) fn token_of_another(grounds: &Grounds) -> Result {
    let token = OneOffToken::generate(Provider::Ntropii).map_err(io::Error::other)?;
    sent(grounds, |target| {
        target.request("GET", &target.path("/me"), token.as_key().expose(), "")
    })
}

/// As a name that is rebound to this machine.
pub(super) fn foreign_host(grounds: &Grounds) -> Result {
    sent(grounds, |target| {
        let own = format!("Host: {}", target.address);
        let foreign = format!("Host: evil.example:{}", target.address.port());
        let request = target.request("GET", &target.path("/me"), &target.token, "");
        request.replace(&own, &foreign)
    })
}

pub(super) fn two_hosts(grounds: &Grounds) -> Result {
    lines(grounds, "Host: evil.example\r\n")
}

pub(super) fn browser_origin(grounds: &Grounds) -> Result {
    lines(grounds, "Origin: https://evil.example\r\n")
}

pub(super) fn injected_header(grounds: &Grounds) -> Result {
    lines(grounds, "X-Name: a\rX-Injected: b\r\n")
}

pub(super) fn absolute_target(grounds: &Grounds) -> Result {
    path(grounds, |target| format!("http://{}/v1/me", target.server))
}

pub(super) fn connect(grounds: &Grounds) -> Result {
    sent(grounds, |target| {
        let authority = target.server.to_string();
        target.request("CONNECT", &authority, &target.token, "")
    })
}

pub(super) fn outside(grounds: &Grounds) -> Result {
    path(grounds, |_| "/other".to_owned())
}

pub(super) fn traversal(grounds: &Grounds) -> Result {
    path(grounds, |target| target.path("/../other"))
}

pub(super) fn encoded_traversal(grounds: &Grounds) -> Result {
    path(grounds, |target| target.path("/x%2f..%2f..%2fother"))
}

/// A body with two lengths hides a second request in it.
pub(super) fn two_lengths(grounds: &Grounds) -> Result {
    sent(grounds, |target| {
        let lengths = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
        let first = target.request("POST", &target.path("/me"), &target.token, lengths);
        let second = target.request("GET", &target.path("/me"), &target.token, "");
        format!("{first}0\r\n\r\n{second}")
    })
}

/// A server that repeats the key.
pub(super) fn key_in_answer(grounds: &Grounds) -> Result {
    let target = Target::of(grounds)?;
    let request = target.request("GET", &target.path("/key"), &target.token, "");
    answered(&target.exchange(&request)?, &grounds.key)
}
