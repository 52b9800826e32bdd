//! Ontora's dialect: keys in `X-API-Key`, tokens in `Authorization`, errors as `{detail, code}`.
//!
//! Rotation, child keys and tripwires belong here too, though they accept the keys of both providers:
//! their paths are below Ontora's, and their clients expect Ontora's errors.

mod api_keys;
mod children;
mod current;
mod dialect;
mod policy;
pub(super) mod render;
mod rotation;
mod router;
mod tripwires;
mod workspaces;

pub(super) use dialect::Ontora;
pub(super) use router::router;

use super::api_error::ErrorResponse;

/// The result of a handler of this dialect.
type Result<T> = std::result::Result<T, ErrorResponse<Ontora>>;
