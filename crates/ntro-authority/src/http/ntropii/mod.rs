//! Ntropii's dialect: tenants and their keys.

pub(super) mod tenant_keys;
pub(super) mod tenants;
