//! Ntropii's dialect: keys and admin tokens in `Authorization`, errors as `{statusCode, message,
//! error}`.

mod audit;
mod caller;
mod dialect;
mod members;
mod policy;
pub(super) mod render;
mod router;
mod tenant_keys;
mod tenants;

pub(super) use dialect::Ntropii;
pub(super) use router::router;

use super::api_error::ErrorResponse;

/// The result of a handler of this dialect.
type Result<T> = std::result::Result<T, ErrorResponse<Ntropii>>;
