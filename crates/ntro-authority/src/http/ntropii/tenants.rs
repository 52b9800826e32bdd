//! Tenants: a key reaches its own, an admin those of the organisation.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;

use super::caller::Caller;
use super::{Result, render};
use crate::http::api_error::ApiError;
use crate::http::created::answered;
use crate::http::extract::{IdempotencyKey, Object, Path, Query, parse_id};
use crate::http::fields::{FieldReader, creation_digest};
use crate::http::page::Page;
use crate::registry::NewTenant;
use crate::server::Authority;
use crate::store::{TenantFilter, TenantStatus};
use ntro_base::wire::ntropii;

#[derive(Deserialize)]
pub(super) struct Filter {
    status: Option<String>,
}

/// `GET /v1/workspace/tenants`
pub(super) async fn list(
    State(authority): State<Authority>,
    caller: Caller,
    Query(filter): Query<Filter>,
    page: Page,
) -> Result<Response> {
    let status = match filter.status.as_deref() {
        None | Some("") => None,
        Some(status) => Some(status.parse::<TenantStatus>().map_err(|error| {
            ApiError::invalid_field(["query".into(), "status".into()], error.to_string(), "enum")
        })?),
    };
    let registry = caller.registry(&authority);
    let after = match &page.cursor {
        None => None,
        Some(cursor) => {
            let found = match parse_id(cursor, "ws_") {
                Some(id) => caller.tenant(&authority, &id.to_string()).await.ok(),
                None => None,
            };
            Some(found.ok_or_else(Page::unknown_cursor)?.id)
        }
    };
    let tenants = match &caller {
        Caller::Key(key) => {
            let own = registry.tenant(&key.tenant.id.to_string()).await?;
            let wanted = after.is_none() && status.is_none_or(|status| own.status == status);
            if wanted { vec![own] } else { Vec::new() }
        }
        Caller::Admin(session) => match &session.organisation {
            Some(organisation) => {
                let filter = TenantFilter {
                    organisation: Some(organisation.id),
                    status,
                    after,
                    limit: Some(page.wanted()),
                };
                registry.tenant_page(filter).await?
            }
            None => Vec::new(),
        },
    };
    Ok(page.answer(tenants, |tenant| tenant.id.to_string(), render::tenant))
}

/// `GET /v1/workspace/tenants/{tenant}`
pub(super) async fn info(
    State(authority): State<Authority>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ntropii::Tenant>> {
    let tenant = caller.tenant(&authority, &name).await?;
    Ok(Json(render::tenant(&tenant)))
}

/// `POST /v1/workspace/tenants`
pub(super) async fn create(
    State(authority): State<Authority>,
    caller: Caller,
    idempotency: IdempotencyKey,
    Object(body): Object,
) -> Result<Response> {
    let Caller::Admin(session) = caller else {
        return Err(ApiError::jwt_required().into());
    };
    let registry = session.registry(&authority);
    let organisation = session.organisation.as_ref();
    let organisation = organisation.ok_or_else(ApiError::workspace_forbidden)?.id;
    let mut fields = FieldReader::of(&body);
    let name = fields.text("name");
    let slug = fields.text("slug");
    let data_platform = fields.parsed("dataPlatform");
    let data_platform_config_id = fields.optional_text("dataPlatformConfigId");
    fields.done()?;
    let (Some(name), Some(slug), Some(data_platform)) = (name, slug, data_platform) else {
        return Err(ApiError::internal().into());
    };
    let path = "POST /v1/workspace/tenants";
    let digest = creation_digest(idempotency, &session, path, organisation, &body);
    let new = NewTenant {
        organisation_id: organisation,
        slug: slug.to_owned(),
        name: name.to_owned(),
        data_platform,
        data_platform_config_id: data_platform_config_id.map(str::to_owned),
    };
    // Strings and numbers always serialize.
    let text = |tenant: &_| serde_json::to_string(&render::tenant(tenant)).unwrap_or_default();
    let answer = registry.answer_create_tenant(new, digest, text).await?;
    Ok(answered(answer))
}

/// `PATCH /v1/workspace/tenants/{tenant}`
pub(super) async fn update(
    State(authority): State<Authority>,
    caller: Caller,
    Path(name): Path<String>,
    Object(body): Object,
) -> Result<Json<ntropii::Tenant>> {
    let tenant = caller.tenant(&authority, &name).await?;
    let mut fields = FieldReader::of(&body);
    for field in body.keys().filter(|&field| field != "config") {
        fields.reject(
            [field.as_str().into()],
            "cannot be changed",
            "extra_forbidden",
        );
    }
    let config = match body.get("config") {
        Some(config @ Value::Object(_)) => Some(config.clone()),
        Some(_) => {
            fields.reject(["config".into()], "must be an object", "dict_type");
            None
        }
        None => {
            fields.reject(["config".into()], "field required", "missing");
            None
        }
    };
    fields.done()?;
    let config = config.ok_or_else(ApiError::internal)?;
    let tenant = caller
        .registry(&authority)
        .set_tenant_config(tenant.id, config)
        .await?;
    Ok(Json(render::tenant(&tenant)))
}

/// `DELETE /v1/workspace/tenants/{tenant}`
pub(super) async fn deprovision(
    State(authority): State<Authority>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ntropii::Tenant>> {
    let tenant = caller.tenant(&authority, &name).await?;
    if matches!(caller, Caller::Key(_)) {
        return Err(ApiError::jwt_required().into());
    }
    let status = TenantStatus::Deprovisioning;
    let tenant = caller
        .registry(&authority)
        .set_tenant_status(tenant.id, status)
        .await?;
    Ok(Json(render::tenant(&tenant)))
}
