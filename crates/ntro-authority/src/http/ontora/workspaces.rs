//! Workspaces: Ontora's name for the tenants of the caller's organisation.

use axum::Json;
use axum::extract::State;
use uuid::Uuid;

use super::{Result, render};
use crate::http::api_error::ApiError;
use crate::http::authentication::{Session, User};
use crate::http::extract::{Path, parse_id};
use crate::server::Authority;
use crate::store::TenantRecord;
use ntro_base::wire::ontora;

/// Returns the workspace with this id. A workspace out of the caller's reach gets the error of one
/// that does not exist.
pub(super) async fn workspace(
    authority: &Authority,
    session: &Session,
    id: Uuid,
) -> Result<TenantRecord> {
    let registry = session.registry(authority);
    let tenant = registry.find_tenant(&id.to_string()).await?;
    Ok(tenant
        .filter(|tenant| session.reaches(tenant))
        .ok_or_else(ApiError::workspace_forbidden)?)
}

/// `GET /v1/workspaces`
pub(super) async fn list(
    State(authority): State<Authority>,
    User(session): User,
) -> Result<Json<Vec<ontora::Workspace>>> {
    let Some(organisation) = &session.organisation else {
        return Ok(Json(Vec::new()));
    };
    let tenants = session
        .registry(&authority)
        .tenants(Some(organisation.id), None)
        .await?;
    Ok(Json(
        tenants
            .iter()
            .map(|tenant| render::workspace(tenant, session.role))
            .collect(),
    ))
}

/// `GET /v1/workspaces/{workspace}/members`: the users whose tokens the authority has accepted.
pub(super) async fn members(
    State(authority): State<Authority>,
    User(session): User,
    Path(id): Path<String>,
) -> Result<Json<Vec<ontora::Member>>> {
    let id = parse_id(&id, "ws_").ok_or_else(|| {
        ApiError::invalid_field(
            ["path".into(), "workspace_id".into()],
            "must be a UUID",
            "uuid_parsing",
        )
    })?;
    let tenant = workspace(&authority, &session, id).await?;
    let registry = session.registry(&authority);
    let members = registry.members(tenant.organisation_id).await?;
    Ok(Json(members.iter().map(render::member).collect()))
}
