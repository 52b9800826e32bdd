//! The authority's own endpoints.

pub(super) mod health;
