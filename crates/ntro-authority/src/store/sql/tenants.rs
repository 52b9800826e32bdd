//! Tenants.

use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use super::columns::{TENANT, tenant};
use super::{Changed, SqlSession, next_epoch, values};
use crate::store::{
    AuditAction, AuditEvent, AuditTarget, StoreError, TenantFilter, TenantRecord, TenantStatus,
};

pub(super) fn create(
    session: &dyn SqlSession,
    row: &TenantRecord,
) -> Result<Changed<()>, StoreError> {
    let changed = next_epoch(session)?;
    let added = session.execute(
        &format!(
            "INSERT INTO tenants ({TENANT}, changed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        ),
        values![
            row.id,
            row.organisation_id,
            &row.slug,
            &row.name,
            row.data_platform.as_str(),
            row.data_platform_config_id.as_ref(),
            row.status.as_str(),
            row.config.as_ref().map(Value::to_string),
            row.created_at,
            row.updated_at,
            changed
        ],
    );
    added.map_err(|error| error.conflict("a tenant with the slug", || row.slug.clone()))?;
    let details = json!({
        "slug": row.slug,
        "name": row.name,
        "data_platform": row.data_platform.as_str(),
    });
    let event = tenant_event(AuditAction::CreateTenant, row.id, details);
    Ok(Changed::audited((), event))
}

pub(super) fn list(
    session: &dyn SqlSession,
    filter: TenantFilter,
) -> Result<Vec<TenantRecord>, StoreError> {
    // The casts give the values a type where they are NULL.
    let sql = format!(
        "SELECT {TENANT} FROM tenants \
         WHERE (CAST(?1 AS TEXT) IS NULL OR organisation_id = ?1) \
         AND (CAST(?2 AS TEXT) IS NULL OR status = ?2) \
         AND (CAST(?3 AS TEXT) IS NULL OR number > (SELECT number FROM tenants WHERE id = ?3)) \
         ORDER BY number LIMIT ?4"
    );
    let values = values![
        filter.organisation,
        filter.status.map(TenantStatus::as_str),
        filter.after,
        filter.limit.map_or(i64::MAX, i64::from)
    ];
    session.rows(&sql, values, tenant)
}

pub(super) fn find(
    session: &dyn SqlSession,
    name: &str,
) -> Result<Option<TenantRecord>, StoreError> {
    let sql = format!("SELECT {TENANT} FROM tenants WHERE id = ?1 OR slug = ?1");
    session.first(&sql, values![name], tenant)
}

pub(super) fn rename(
    session: &dyn SqlSession,
    id: Uuid,
    name: &str,
    at: Timestamp,
) -> Result<Changed<Option<TenantRecord>>, StoreError> {
    let before = session.first(
        "SELECT name FROM tenants WHERE id = ?1",
        values![id],
        |row| row.get::<String>(0),
    )?;
    let Some(before) = before else {
        return Ok(Changed::nothing(None));
    };
    let sql =
        format!("UPDATE tenants SET name = ?2, updated_at = ?3 WHERE id = ?1 RETURNING {TENANT}");
    let after = session.first(&sql, values![id, name, at], tenant)?;
    show_again(session, "SELECT ?1", id)?;
    let details = json!({"from": before, "to": name});
    let event = tenant_event(AuditAction::RenameTenant, id, details);
    Ok(Changed::audited(after, event))
}

pub(super) fn set_status(
    session: &dyn SqlSession,
    id: Uuid,
    status: TenantStatus,
    at: Timestamp,
) -> Result<Changed<Option<TenantRecord>>, StoreError> {
    let sql = format!("SELECT {TENANT} FROM tenants WHERE id = ?1");
    let Some(before) = session.first(&sql, values![id], tenant)? else {
        return Ok(Changed::nothing(None));
    };
    if before.status.is_final() && !status.is_final() {
        return Ok(Changed::nothing(Some(before)));
    }
    // A new epoch even where the status stays: the answer waits for the confirmation that an
    // earlier call may have missed.
    let changed = next_epoch(session)?;
    let sql = format!(
        "UPDATE tenants SET status = ?2, updated_at = ?3, changed = ?4 WHERE id = ?1 \
         RETURNING {TENANT}"
    );
    let after = session.first(&sql, values![id, status.as_str(), at, changed], tenant)?;
    let details = json!({"from": before.status.as_str(), "to": status.as_str()});
    let event = tenant_event(AuditAction::SetTenantStatus, id, details);
    Ok(Changed::audited(after, event))
}

pub(super) fn set_config(
    session: &dyn SqlSession,
    id: Uuid,
    config: &Value,
    at: Timestamp,
) -> Result<Changed<Option<TenantRecord>>, StoreError> {
    let sql =
        format!("UPDATE tenants SET config = ?2, updated_at = ?3 WHERE id = ?1 RETURNING {TENANT}");
    let after = session.first(&sql, values![id, config.to_string(), at], tenant)?;
    let Some(after) = after else {
        return Ok(Changed::nothing(None));
    };
    // The settings themselves may hold a secret.
    let event = tenant_event(AuditAction::SetTenantConfig, id, json!({}));
    Ok(Changed::audited(Some(after), event))
}

/// Begins a new epoch for the tenants that a query selects, and for their keys, whose answers repeat
/// the names of both.
pub(super) fn show_again(
    session: &dyn SqlSession,
    tenants: &str,
    id: Uuid,
) -> Result<(), StoreError> {
    let changed = next_epoch(session)?;
    for (table, column, live) in [
        ("tenants", "id", ""),
        ("api_keys", "tenant_id", " AND revoked_at IS NULL"),
    ] {
        let sql = format!("UPDATE {table} SET changed = ?2 WHERE {column} IN ({tenants}){live}");
        session.execute(&sql, values![id, changed])?;
    }
    Ok(())
}

pub(super) fn tenant_event(action: AuditAction, id: Uuid, details: Value) -> AuditEvent {
    AuditEvent {
        action,
        target: AuditTarget::Tenant(id),
        organisation: None,
        tenant: Some(id),
        details,
    }
}
