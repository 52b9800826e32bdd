//! The authority's own endpoints: health, key sets, and questions about keys by gateways and
//! resource servers.

mod authorize;
mod health;
mod introspect;
mod leaks;
mod metrics;
mod openapi;
mod question;
mod router;
mod shape;

pub(super) use authorize::{AUTHORIZE, authorize};
pub(super) use metrics::metrics_service;
pub(super) use router::router;
pub(super) use shape::MergedShape;
