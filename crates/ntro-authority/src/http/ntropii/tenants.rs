//! Tenants: a key reaches its own, an admin those of the organisation.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use super::caller::Caller;
use super::{Result, render};
use crate::http::api_error::ApiError;
use crate::http::extract::{Object, Path, Query};
use crate::http::fields::FieldReader;
use crate::registry::NewTenant;
use crate::server::Authority;
use crate::store::TenantStatus;
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
) -> Result<Json<Vec<ntropii::Tenant>>> {
    let status = match filter.status.as_deref() {
        None | Some("") => None,
        Some(status) => Some(status.parse::<TenantStatus>().map_err(|error| {
            ApiError::invalid_field(["query".into(), "status".into()], error.to_string(), "enum")
        })?),
    };
    let registry = caller.registry(&authority);
    let tenants = match &caller {
        Caller::Key(key) => {
            let own = registry.tenant(&key.tenant.id.to_string()).await?;
            let wanted = status.is_none_or(|status| own.status == status);
            if wanted { vec![own] } else { Vec::new() }
        }
        Caller::Admin(session) => match &session.organisation {
            Some(organisation) => {
                let organisation = Some(organisation.id);
                registry.tenants(organisation, status).await?
            }
            None => Vec::new(),
        },
    };
    Ok(Json(tenants.iter().map(render::tenant).collect()))
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
    Object(body): Object,
) -> Result<(StatusCode, Json<ntropii::Tenant>)> {
    let Caller::Admin(session) = caller else {
        return Err(ApiError::jwt_required().into());
    };
    let registry = session.registry(&authority);
    let organisation = session
        .organisation
        .ok_or_else(ApiError::workspace_forbidden)?;
    let mut fields = FieldReader::of(&body);
    let name = fields.text("name");
    let slug = fields.text("slug");
    let data_platform = fields.parsed("dataPlatform");
    let data_platform_config_id = fields.optional_text("dataPlatformConfigId");
    fields.done()?;
    let (Some(name), Some(slug), Some(data_platform)) = (name, slug, data_platform) else {
        return Err(ApiError::internal().into());
    };
    let tenant = registry
        .create_tenant(NewTenant {
            organisation_id: organisation.id,
            slug: slug.to_owned(),
            name: name.to_owned(),
            data_platform,
            data_platform_config_id: data_platform_config_id.map(str::to_owned),
        })
        .await?;
    Ok((StatusCode::CREATED, Json(render::tenant(&tenant))))
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
