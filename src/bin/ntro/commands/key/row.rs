use jiff::Timestamp;
use ntro_client::api::KeyInfo;
use serde::Serialize;

/// A key at its server, as it is shown.
#[derive(Debug, Serialize)]
pub(super) struct KeyRow {
    pub(super) id: Option<String>,
    pub(super) prefix: Option<String>,
    pub(super) name: Option<String>,
    pub(super) status: &'static str,
    pub(super) tenant: Option<String>,
    pub(super) scopes: Option<Vec<String>>,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) created_at: Option<Timestamp>,
    pub(super) created_by: Option<String>,
    pub(super) last_used_at: Option<Timestamp>,
    pub(super) revoked_at: Option<Timestamp>,
}

impl KeyRow {
    pub(super) fn new(info: &KeyInfo, now: Timestamp) -> Self {
        Self {
            id: info.id.clone(),
            prefix: info.prefix.as_ref().map(ToString::to_string),
            name: info.name.clone(),
            status: match info.expires.at() {
                _ if info.revoked_at.is_some() => "revoked",
                Some(end) if end <= now => "expired",
                _ => "live",
            },
            tenant: info.tenant.clone(),
            scopes: info.scopes.clone(),
            expires_at: info.expires.at(),
            created_at: info.created_at,
            created_by: info.created_by.clone(),
            last_used_at: info.last_used_at,
            revoked_at: info.revoked_at,
        }
    }
}

/// The day of a moment, for a table.
pub(super) fn day(at: Option<Timestamp>) -> String {
    match at {
        Some(at) => at.strftime("%Y-%m-%d").to_string(),
        None => "-".to_owned(),
    }
}
