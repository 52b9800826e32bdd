//! Why one try failed, from the errors of other libraries.

use std::error::Error as StdError;
use std::io;

use super::error::Cause;
use ntro_base::http::{DnsFailure, root_cause, source_chain};
use ntro_base::printable;

/// The most bytes shown of another library's error.
pub(super) const LONGEST_DETAIL: usize = 300;

/// Why one try got no answer.
pub(super) struct Failure {
    pub(super) cause: Cause,
    pub(super) detail: String,
    /// Whether the server may have received the request.
    pub(super) sent: bool,
}

impl Failure {
    pub(super) fn of(error: &reqwest::Error) -> Self {
        let cause = if error.is_timeout() {
            Cause::TimedOut
        } else {
            source_chain(error).find_map(cause).unwrap_or(Cause::Cut)
        };
        Self {
            cause,
            detail: printable(&root_cause(error), LONGEST_DETAIL),
            sent: !error.is_connect(),
        }
    }
}

/// Returns the cause that one error of a chain names.
fn cause(error: &(dyn StdError + 'static)) -> Option<Cause> {
    if error.is::<DnsFailure>() {
        return Some(Cause::Dns);
    }
    if error.is::<rustls::Error>() {
        return Some(Cause::Tls);
    }
    if let Some(error) = error.downcast_ref::<io::Error>() {
        return match error.kind() {
            io::ErrorKind::ConnectionRefused => Some(Cause::Refused),
            io::ErrorKind::TimedOut => Some(Cause::TimedOut),
            io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::AddrNotAvailable => Some(Cause::NoRoute),
            _ => None,
        };
    }
    // An unreachable proxy, or its refusal. The type is private to hyper-util, so match its text.
    error
        .to_string()
        .starts_with("tunnel error")
        .then_some(Cause::Proxy)
}
