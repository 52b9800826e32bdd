//! The rules that every HTTP client of `ntro` obeys.
//!
//! The API client and the authority's key set fetcher both send through [`HttpClient`]; `ntro proxy`
//! does too, unless its server needs neither TLS nor a proxy: then it uses a [`PlainConnector`].
//!
//! * No redirect is followed.
//! * Loopback names resolve without DNS, and loopback hosts are called without a proxy.
//! * `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` come from one snapshot of the
//!   environment; an unusable proxy is an error.
//! * Certificates are checked against the system's roots, or on Linux against `SSL_CERT_FILE` and
//!   `SSL_CERT_DIR` alone where they are set.
//! * No compressed answer is asked for, and bodies are read up to a limit.

mod body;
mod client;
mod dns;
mod error;
mod loopback;
mod no_proxy;
mod plain;
mod proxy;
mod roots;
mod tunnel;

pub use body::read_body;
pub use client::HttpClient;
pub use dns::DnsFailure;
pub use error::{ClientError, root_cause, source_chain};
pub(crate) use loopback::{is_loopback, is_loopback_name, loopback_addresses};
pub use no_proxy::NoProxy;
pub use plain::{ConnectError, PlainConnector};
pub use proxy::{BadProxy, NamedProxy, Proxies};
pub use roots::{BadRoots, CustomRoots};
pub use tunnel::tunnel_refusal;
