//! The rules for the new keys of a tenant. Ntropii itself has no such endpoint.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::Result;
use super::caller::find_tenant;
use crate::http::authentication::Admin;
use crate::http::extract::{Object, Path};
use crate::http::fields::FieldReader;
use crate::server::Authority;
use crate::store::KeyPolicy;

const FIELDS: [&str; 3] = ["longestLifeInDays", "expiryRequired", "allowedScopes"];

/// `GET /v1/workspace/tenants/{tenant}/policy`
pub(super) async fn show(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(name): Path<String>,
) -> Result<Json<Value>> {
    let registry = session.registry(&authority);
    let tenant = find_tenant(&registry, &name, |one| session.reaches(one)).await?;
    Ok(render(&registry.policy(tenant.id).await?))
}

/// `PUT /v1/workspace/tenants/{tenant}/policy`
pub(super) async fn replace(
    State(authority): State<Authority>,
    Admin(session): Admin,
    Path(name): Path<String>,
    Object(body): Object,
) -> Result<Json<Value>> {
    let registry = session.registry(&authority);
    let tenant = find_tenant(&registry, &name, |one| session.reaches(one)).await?;
    let mut fields = FieldReader::of(&body);
    let policy = fields.policy(FIELDS);
    fields.done()?;
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
