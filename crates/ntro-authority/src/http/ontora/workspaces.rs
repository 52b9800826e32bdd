//! Workspaces: Ontora's name for the tenants of the caller's organisation.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Result, render};
use crate::http::api_error::ApiError;
use crate::http::authentication::{Admin, Session, User};
use crate::http::extract::{Path, parse_id};
use crate::http::page::Page;
use crate::server::Authority;
use crate::store::{TenantFilter, TenantRecord};

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

/// Returns the id of a workspace in a path.
pub(super) fn workspace_id(id: &str) -> Result<Uuid> {
    Ok(parse_id(id, "ws_").ok_or_else(|| {
        ApiError::invalid_field(
            ["path".into(), "workspace_id".into()],
            "must be a UUID",
            "uuid_parsing",
        )
    })?)
}

/// `GET /v1/workspaces`
pub(super) async fn list(
    State(authority): State<Authority>,
    User(session): User,
    page: Page,
) -> Result<Response> {
    let registry = session.registry(&authority);
    let after = match &page.cursor {
        None => None,
        Some(cursor) => {
            let id = parse_id(cursor, "ws_").ok_or_else(Page::unknown_cursor)?;
            let found = registry.find_tenant(&id.to_string()).await?;
            found
                .filter(|tenant| session.reaches(tenant))
                .ok_or_else(Page::unknown_cursor)?;
            Some(id)
        }
    };
    let tenants = match &session.organisation {
        None => Vec::new(),
        Some(organisation) => {
            let filter = TenantFilter {
                organisation: Some(organisation.id),
                status: None,
                after,
                limit: Some(page.wanted()),
            };
            registry.tenant_page(filter).await?
        }
    };
    let render = |tenant: &_| render::workspace(tenant, session.role);
    Ok(page.answer(tenants, |tenant| tenant.id.to_string(), render))
}

/// `GET /v1/workspaces/{workspace}/members`: the users whose tokens the authority has accepted.
pub(super) async fn members(
    State(authority): State<Authority>,
    User(session): User,
    Path(id): Path<String>,
    page: Page,
) -> Result<Response> {
    let tenant = workspace(&authority, &session, workspace_id(&id)?).await?;
    let registry = session.registry(&authority);
    let members = registry
        .member_page(tenant.organisation_id, page.cursor.clone(), page.wanted())
        .await?
        .ok_or_else(Page::unknown_cursor)?;
    Ok(page.answer(members, |member| member.user_id.clone(), render::member))
}

/// `DELETE /v1/workspaces/{workspace}/members/{user}/api-keys`: revokes the keys of both providers
/// that a user has in the workspace.
pub(super) async fn revoke_keys(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path((id, user)): Path<(String, String)>,
) -> Result<Json<Value>> {
    let tenant = workspace(&authority, &session, workspace_id(&id)?).await?;
    let registry = session.registry(&authority);
    let revoked = registry.revoke_keys_of(tenant.organisation_id, Some(tenant.id), &user);
    let ids: Vec<_> = revoked.await?.iter().map(Uuid::to_string).collect();
    Ok(Json(json!({"revoked": ids})))
}
