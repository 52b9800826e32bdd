//! Policies of tenants, and the new keys that they allow.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::columns::{scopes, scopes_text};
use super::tenants::tenant_event;
use super::{Changed, SqlRow, SqlSession, values};
use crate::store::{ApiKeyRecord, AuditAction, KeyPolicy, PolicyViolations, StoreError};

/// Returns the policy of a tenant; the default one if it has none.
pub(super) fn find(session: &dyn SqlSession, tenant: Uuid) -> Result<KeyPolicy, StoreError> {
    let found = session.first(
        "SELECT longest_life, expiry_required, allowed_scopes FROM policies WHERE tenant_id = ?1",
        values![tenant],
        policy,
    )?;
    Ok(found.unwrap_or_default())
}

fn policy(row: &dyn SqlRow) -> Result<KeyPolicy, StoreError> {
    let days = row.get::<Option<i64>>(0)?.map(u32::try_from).transpose();
    let allowed = row.get::<Option<Cow<'_, str>>>(2)?;
    Ok(KeyPolicy {
        longest_life_in_days: days.map_err(|_| StoreError::Invalid { what: "policy" })?,
        expiry_required: row.get(1)?,
        allowed_scopes: allowed.map(|names| scopes(&names)).transpose()?,
    })
}

pub(super) fn set(
    session: &dyn SqlSession,
    tenant: Uuid,
    policy: &KeyPolicy,
    at: Timestamp,
) -> Result<Changed<bool>, StoreError> {
    let known = session.number(
        "SELECT count(*) FROM tenants WHERE id = ?1",
        values![tenant],
    )?;
    if known == 0 {
        return Ok(Changed::nothing(false));
    }
    let before = find(session, tenant)?;
    session.execute(
        "INSERT INTO policies (tenant_id, longest_life, expiry_required, allowed_scopes, \
         updated_at) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (tenant_id) DO UPDATE \
         SET longest_life = excluded.longest_life, expiry_required = excluded.expiry_required, \
         allowed_scopes = excluded.allowed_scopes, updated_at = excluded.updated_at",
        values![
            tenant,
            policy.longest_life_in_days,
            policy.expiry_required,
            policy.allowed_scopes.as_deref().map(scopes_text),
            at
        ],
    )?;
    let details = json!({"from": shown(&before), "to": shown(policy)});
    let event = tenant_event(AuditAction::SetTenantPolicy, tenant, details);
    Ok(Changed::audited(true, event))
}

/// Fails if the policy of its tenant does not allow a new key.
pub(super) fn check(session: &dyn SqlSession, key: &ApiKeyRecord) -> Result<(), StoreError> {
    let violations = find(session, key.tenant_id)?.violations(key);
    match violations.is_empty() {
        true => Ok(()),
        false => Err(StoreError::Policy(PolicyViolations(violations))),
    }
}

fn shown(policy: &KeyPolicy) -> Value {
    json!({
        "longest_life_in_days": policy.longest_life_in_days,
        "expiry_required": policy.expiry_required,
        "allowed_scopes": policy.allowed_scopes.as_deref().map(scopes_text),
    })
}
