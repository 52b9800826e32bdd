//! Ontora's dialect: workspaces and their keys.

pub(super) mod api_keys;
pub(super) mod rotation;
pub(super) mod workspaces;
