//! Why one try failed, from the errors of other libraries.

use std::error::Error as StdError;
use std::io;

use reqwest::Url;

use super::error::Cause;
use super::tls;
use ntro_base::http::{DnsFailure, NamedProxy, root_cause, source_chain, tunnel_refusal};
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
        let detail = source_chain(error).find_map(explain);
        let detail = detail.unwrap_or_else(|| match cause {
            // The system says nothing else.
            Cause::Refused | Cause::TimedOut => String::new(),
            _ => root_cause(error),
        });
        Self {
            cause,
            detail: printable(&detail, LONGEST_DETAIL),
            sent: !error.is_connect(),
        }
    }

    pub(super) fn timed_out() -> Self {
        Self {
            cause: Cause::TimedOut,
            detail: String::new(),
            sent: true,
        }
    }

    /// Returns the failure of a proxy that refuses with a status.
    pub(super) fn of_proxy(proxy: &NamedProxy, status: u16) -> Self {
        let wants = match status {
            407 if proxy.url.username().is_empty() => ": it wants a user name and password",
            407 => ": it does not accept this user name and password",
            _ => "",
        };
        Self {
            cause: Cause::Proxy,
            detail: format!("`{}`, HTTP {status}{wants}", proxy.variable),
            sent: false,
        }
    }

    /// Names the variable of the proxy that failed, and the status of its refusal.
    pub(super) async fn at_proxy(self, proxy: &NamedProxy, server: &Url) -> Self {
        let status = match &*self.detail {
            UNAUTHORIZED => Some(407),
            UNSUCCESSFUL => tunnel_refusal(&proxy.url, server).await,
            _ => None,
        };
        match status {
            Some(status) => Self::of_proxy(proxy, status),
            None => Self {
                detail: match &*self.detail {
                    "" => format!("`{}`", proxy.variable),
                    detail => format!("`{}`, {detail}", proxy.variable),
                },
                ..self
            },
        }
    }
}

/// The texts of hyper-util's private error for a proxy that refuses a connection.
const UNAUTHORIZED: &str = "tunnel error: proxy authorization required";
const UNSUCCESSFUL: &str = "tunnel error: unsuccessful";

/// Returns better words for an error of a chain.
fn explain(error: &(dyn StdError + 'static)) -> Option<String> {
    match error.downcast_ref() {
        Some(error) => tls::explain(error),
        // The error is private to hyper.
        None if error.to_string() == "invalid HTTP version parsed" => {
            Some("its answer is not HTTP: does it speak `https`?".to_owned())
        }
        None => None,
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
