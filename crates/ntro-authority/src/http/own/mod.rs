//! The authority's own endpoints, which need no credential.

mod health;
mod router;
mod shape;

pub(super) use router::router;
pub(super) use shape::MergedShape;
