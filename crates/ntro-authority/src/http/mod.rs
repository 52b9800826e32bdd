//! The HTTP side: connections, the fast path, and one sub-router for each dialect.

mod accept;
mod access_log;
mod api_error;
mod authentication;
mod cached;
mod connection;
mod created;
mod dialect;
mod extract;
mod fields;
mod framing;
mod idle_clock;
mod listener;
mod ntropii;
mod ontora;
mod own;
mod page;
mod receipt;
mod router;
mod serve;
mod service;
mod tls;
mod usage;

pub(crate) use cached::identity_response;
pub(crate) use extract::parse_id;
pub use listener::Listener;
pub(crate) use receipt::receipt_header;
pub use router::router;
pub use serve::{serve, serve_on};
pub use tls::{Certificate, CertificateError};
