//! Ontora's workspaces: the tenants of the caller's organisation under their other name.

use axum::Json;
use axum::extract::State;

use crate::http::api_error::ApiError;
use crate::http::extract::{Path, User, parse_id};
use crate::http::ontora::api_keys::workspace;
use crate::http::render;
use crate::server::Authority;
use ntro_base::wire::ontora;

/// `GET /v1/workspaces`
pub(crate) async fn list(
    State(authority): State<Authority>,
    User(session): User,
) -> Result<Json<Vec<ontora::Workspace>>, ApiError> {
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

/// `GET /v1/workspaces/{workspace}/members`: the people whose tokens were seen here.
pub(crate) async fn members(
    State(authority): State<Authority>,
    User(session): User,
    Path(id): Path<String>,
) -> Result<Json<Vec<ontora::Member>>, ApiError> {
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
