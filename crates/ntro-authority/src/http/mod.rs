//! The HTTP side: connections, the fast path, and one sub-router for each dialect.

mod accept;
mod api_error;
mod extract;
mod fields;
mod identity;
mod ntropii;
mod ontora;
mod own;
pub(crate) mod render;
mod router;
mod serve;
mod service;

pub use router::router;
pub use serve::serve;
