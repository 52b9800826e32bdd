//! Ntropii's tenants: a key sees its own, an admin those of the organisation.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::http::api_error::ApiError;
use crate::http::extract::{Caller, Object, Path, Query, parse_id};
use crate::http::fields::FieldReader;
use crate::http::render;
use crate::registry::{NewTenant, Registry, is_slug};
use crate::server::Authority;
use crate::store::{TenantRecord, TenantStatus};
use ntro_base::wire::ntropii;

#[derive(Deserialize)]
pub(crate) struct Filter {
    status: Option<String>,
}

impl Caller {
    /// Returns the registry, as the caller uses it.
    pub(crate) fn registry(&self, authority: &Authority) -> Registry {
        match self {
            Self::Key(key) => authority.registry(key.actor()),
            Self::Admin(session) => session.registry(authority),
        }
    }

    /// Returns the tenant with this id or slug, if the caller reaches it. Whether there is one
    /// that the caller does not reach is not told.
    pub(crate) async fn tenant(
        &self,
        authority: &Authority,
        name: &str,
    ) -> Result<TenantRecord, ApiError> {
        let hidden = || ApiError::not_found("Tenant not found");
        let name = match parse_id(name, "ws_") {
            Some(id) => id.to_string(),
            None if is_slug(name) => name.to_owned(),
            None => return Err(hidden()),
        };
        let found = self.registry(authority).find_tenant(&name).await?;
        let tenant = found.ok_or_else(hidden)?;
        let reaches = match self {
            Self::Key(key) => key.tenant.id == tenant.id,
            Self::Admin(session) => session.reaches(&tenant),
        };
        if reaches { Ok(tenant) } else { Err(hidden()) }
    }
}

/// `GET /v1/workspace/tenants`
pub(crate) async fn list(
    State(authority): State<Authority>,
    caller: Caller,
    Query(filter): Query<Filter>,
) -> Result<Json<Vec<ntropii::Tenant>>, ApiError> {
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
pub(crate) async fn info(
    State(authority): State<Authority>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ntropii::Tenant>, ApiError> {
    let tenant = caller.tenant(&authority, &name).await?;
    Ok(Json(render::tenant(&tenant)))
}

/// `POST /v1/workspace/tenants`
pub(crate) async fn create(
    State(authority): State<Authority>,
    caller: Caller,
    Object(body): Object,
) -> Result<(StatusCode, Json<ntropii::Tenant>), ApiError> {
    let Caller::Admin(session) = caller else {
        return Err(ApiError::jwt_required());
    };
    let registry = session.registry(&authority);
    let organisation = session
        .organisation
        .ok_or_else(ApiError::workspace_forbidden)?;
    let mut members = FieldReader::of(&body);
    let name = members.text("name");
    let slug = members.text("slug");
    let data_platform = members.parsed("dataPlatform");
    let data_platform_config_id = members.optional_text("dataPlatformConfigId");
    members.done()?;
    let (Some(name), Some(slug), Some(data_platform)) = (name, slug, data_platform) else {
        return Err(ApiError::internal());
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
pub(crate) async fn update(
    State(authority): State<Authority>,
    caller: Caller,
    Path(name): Path<String>,
    Object(body): Object,
) -> Result<Json<ntropii::Tenant>, ApiError> {
    let tenant = caller.tenant(&authority, &name).await?;
    let mut members = FieldReader::of(&body);
    for member in body.keys().filter(|&member| member != "config") {
        members.fault(
            [member.as_str().into()],
            "cannot be changed",
            "extra_forbidden",
        );
    }
    let config = match body.get("config") {
        Some(config @ Value::Object(_)) => Some(config.clone()),
        Some(_) => {
            members.fault(["config".into()], "must be an object", "dict_type");
            None
        }
        None => {
            members.fault(["config".into()], "field required", "missing");
            None
        }
    };
    members.done()?;
    let config = config.ok_or_else(ApiError::internal)?;
    let tenant = caller
        .registry(&authority)
        .set_tenant_config(tenant.id, config)
        .await?;
    Ok(Json(render::tenant(&tenant)))
}

/// `DELETE /v1/workspace/tenants/{tenant}`
pub(crate) async fn deprovision(
    State(authority): State<Authority>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ntropii::Tenant>, ApiError> {
    let tenant = caller.tenant(&authority, &name).await?;
    if matches!(caller, Caller::Key(_)) {
        return Err(ApiError::jwt_required());
    }
    let status = TenantStatus::Deprovisioning;
    let tenant = caller
        .registry(&authority)
        .set_tenant_status(tenant.id, status)
        .await?;
    Ok(Json(render::tenant(&tenant)))
}
