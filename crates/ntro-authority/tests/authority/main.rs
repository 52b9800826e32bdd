//! The authority over HTTP: one file for each group of routes, and one for each other promise.

#![allow(clippy::unwrap_used, reason = "a test ends at what it did not expect")]
#![allow(
    clippy::disallowed_methods,
    reason = "tests lay out files of their own"
)]

mod support;

mod admin_tokens;
mod answers;
mod api_keys;
mod audit;
mod audit_logs;
mod authorize;
mod authorize_table;
mod children;
mod discovery;
mod envelope;
mod expiry_webhook;
mod http2;
mod idempotency;
mod identity;
mod introspect;
mod leaks;
mod limits;
mod owners;
mod pages;
mod pauses;
mod policies;
mod quiet_rotation;
mod registry;
mod revocation;
mod rotation;
mod serving;
mod tenant_keys;
mod tenants;
mod tripwires;
mod trusted_proxies;
mod uses;
mod workspaces;
