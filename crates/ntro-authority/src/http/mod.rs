//! The HTTP side: connections, the fast path, and one sub-router for each dialect.

mod accept;
mod api_error;
mod authentication;
mod cached;
mod created;
mod dialect;
mod extract;
mod fields;
mod framing;
mod ntropii;
mod ontora;
mod own;
mod router;
mod serve;
mod service;

pub(crate) use cached::identity_response;
pub(crate) use extract::parse_id;
pub use router::router;
pub use serve::serve;
