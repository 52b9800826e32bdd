//! Audit logs as tiles (`c2sp.org/tlog-tiles`), for the admins of the organisation. Ntropii itself
//! has no such endpoints.

use axum::extract::State;
use axum::http::HeaderName;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};

use super::Result;
use super::caller::find_tenant;
use crate::http::api_error::ApiError;
use crate::http::authentication::{Admin, Session};
use crate::http::extract::Path;
use crate::registry::{AuditLogName, Registry};
use crate::server::Authority;
use crate::transparency::TilePath;

/// The headers of a checkpoint, which changes.
const CHECKPOINT: [(HeaderName, &str); 2] = [
    (CONTENT_TYPE, "text/plain; charset=utf-8"),
    (CACHE_CONTROL, "no-store"),
];
/// The headers of a tile, which never changes.
const TILE: [(HeaderName, &str); 2] = [
    (CONTENT_TYPE, "application/octet-stream"),
    (CACHE_CONTROL, "private, max-age=31536000, immutable"),
];

/// `GET /v1/workspace/audit/checkpoint`
pub(super) async fn organisation_checkpoint(
    State(authority): State<Authority>,
    Admin(session): Admin,
) -> Result<Response> {
    let log = organisation_log(&session)?;
    checkpoint(&session.registry(&authority), &log).await
}

/// `GET /v1/workspace/audit/tile/{tile}`
pub(super) async fn organisation_tile(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(path): Path<String>,
) -> Result<Response> {
    let log = organisation_log(&session)?;
    tile(&session.registry(&authority), &log, &path).await
}

/// `GET /v1/workspace/tenants/{tenant}/audit/checkpoint`
pub(super) async fn tenant_checkpoint(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(name): Path<String>,
) -> Result<Response> {
    let registry = session.registry(&authority);
    let tenant = find_tenant(&registry, &name, |one| session.reaches(one)).await?;
    checkpoint(&registry, &AuditLogName::tenant(tenant.id)).await
}

/// `GET /v1/workspace/tenants/{tenant}/audit/tile/{tile}`
pub(super) async fn tenant_tile(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path((name, path)): Path<(String, String)>,
) -> Result<Response> {
    let registry = session.registry(&authority);
    let tenant = find_tenant(&registry, &name, |one| session.reaches(one)).await?;
    tile(&registry, &AuditLogName::tenant(tenant.id), &path).await
}

fn organisation_log(session: &Session) -> Result<AuditLogName> {
    let organisation = session.organisation.as_ref();
    let organisation = organisation.ok_or_else(ApiError::workspace_forbidden)?;
    Ok(AuditLogName::organisation(organisation.id))
}

async fn checkpoint(registry: &Registry, log: &AuditLogName) -> Result<Response> {
    let note = registry.audit_checkpoint(log).await?;
    Ok((CHECKPOINT, note).into_response())
}

async fn tile(registry: &Registry, log: &AuditLogName, path: &str) -> Result<Response> {
    let found = match TilePath::parse(path) {
        Some(tile) => registry.audit_tile(log, tile).await?,
        None => None,
    };
    let bytes = found.ok_or_else(|| ApiError::not_found("Tile not found"))?;
    Ok((TILE, bytes).into_response())
}
