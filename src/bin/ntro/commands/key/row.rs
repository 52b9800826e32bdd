use jiff::Timestamp;
use ntro_client::api::KeyInfo;
use serde::Serialize;

use crate::output::whole_seconds;

/// Key as reported by its server.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct KeyRow {
    /// Id of the key.
    pub(super) id: Option<String>,
    /// Prefix of the key.
    pub(super) key_prefix: Option<String>,
    /// Id of the key that created it, if it is a child key.
    pub(super) parent_id: Option<String>,
    /// Display name of the key.
    pub(super) name: Option<String>,
    /// Whether the server accepts the key.
    #[cfg_attr(test, schemars(extend("enum" = ["live", "paused", "expired", "revoked"])))]
    pub(super) state: &'static str,
    /// Id of the tenant of the key.
    pub(super) tenant: Option<String>,
    /// Display name of the tenant of the key.
    pub(super) tenant_name: Option<String>,
    /// Scopes of the key.
    pub(super) scopes: Option<Vec<String>>,
    /// When the key expires.
    pub(super) expires_at: Option<Timestamp>,
    /// When the key was created.
    pub(super) created_at: Option<Timestamp>,
    /// Creator of the key.
    pub(super) created_by: Option<String>,
    /// When the server last accepted the key.
    pub(super) last_used_at: Option<Timestamp>,
    /// When the key was revoked.
    pub(super) revoked_at: Option<Timestamp>,
    /// When the key was paused, if it is.
    pub(super) paused_at: Option<Timestamp>,
}

impl KeyRow {
    pub(super) fn new(info: &KeyInfo, now: Timestamp) -> Self {
        Self {
            id: info.id.clone(),
            key_prefix: info.prefix.as_ref().map(ToString::to_string),
            parent_id: info.parent.clone(),
            name: info.name.clone(),
            state: match info.expires.at() {
                // The server revokes expired children.
                Some(end) if info.revoked_at.unwrap_or(now) >= end => "expired",
                _ if info.revoked_at.is_some() => "revoked",
                _ if info.paused_at.is_some() => "paused",
                _ => "live",
            },
            tenant: info.tenant.clone(),
            tenant_name: info.tenant_name.clone(),
            scopes: info.scopes.clone(),
            expires_at: info.expires.at().map(whole_seconds),
            created_at: info.created_at.map(whole_seconds),
            created_by: info.created_by.clone(),
            last_used_at: info.last_used_at.map(whole_seconds),
            revoked_at: info.revoked_at.map(whole_seconds),
            paused_at: info.paused_at.map(whole_seconds),
        }
    }
}

/// Formats a time as a date for a table.
pub(super) fn day(at: Option<Timestamp>) -> String {
    match at {
        Some(at) => at.strftime("%Y-%m-%d").to_string(),
        None => "-".to_owned(),
    }
}
