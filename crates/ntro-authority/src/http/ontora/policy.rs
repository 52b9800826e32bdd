//! The rules for the new keys of a workspace. Ontora itself has no such endpoint.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Result;
use super::workspaces::{workspace, workspace_id};
use crate::http::authentication::{Admin, User};
use crate::http::extract::{Object, Path};
use crate::http::fields::FieldReader;
use crate::server::Authority;
use crate::store::KeyPolicy;

const FIELDS: [&str; 3] = ["longest_life_in_days", "expiry_required", "allowed_scopes"];

/// `GET /v1/workspaces/{workspace}/policy`
pub(super) async fn show(
    State(authority): State<Authority>,
    User(session): User,
    Path(id): Path<String>,
) -> Result<Json<Value>> {
    let tenant = workspace(&authority, &session, workspace_id(&id)?).await?;
    let policy = session.registry(&authority).policy(tenant.id).await?;
    Ok(render(&policy))
}

/// `PUT /v1/workspaces/{workspace}/policy`
pub(super) async fn replace(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(id): Path<String>,
    Object(body): Object,
) -> Result<Json<Value>> {
    let tenant = workspace(&authority, &session, workspace_id(&id)?).await?;
    let mut fields = FieldReader::of(&body);
    let policy = fields.policy(FIELDS);
    fields.done()?;
    let registry = session.registry(&authority);
    Ok(render(&registry.set_policy(tenant.id, policy).await?))
}

fn render(policy: &KeyPolicy) -> Json<Value> {
    let [life, expiry, scopes] = FIELDS;
    Json(json!({
        life: policy.longest_life_in_days,
        expiry: policy.expiry_required,
        scopes: policy.allowed_scope_names(),
    }))
}
