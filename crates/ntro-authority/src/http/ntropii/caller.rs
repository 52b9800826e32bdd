use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::Ntropii;
use crate::http::api_error::{ApiError, ErrorResponse};
use crate::http::authentication::{Session, source};
use crate::http::dialect::{Credential, Dialect as _};
use crate::http::extract::parse_id;
use crate::registry::{Registry, is_slug};
use crate::server::Authority;
use crate::store::TenantRecord;
use crate::verify::CachedKey;

/// A caller of the tenant endpoints.
pub(super) enum Caller {
    /// A key, which reaches its own tenant.
    Key(Arc<CachedKey>),
    /// An admin, who reaches the organisation's tenants.
    Admin(Session),
}

impl Caller {
    /// Returns the registry, as the caller uses it.
    pub(super) fn registry(&self, authority: &Authority) -> Registry {
        match self {
            Self::Key(key) => authority.registry(key.actor()),
            Self::Admin(session) => session.registry(authority),
        }
    }

    /// Returns the tenant with this id or slug, if the caller reaches it.
    pub(super) async fn tenant(
        &self,
        authority: &Authority,
        name: &str,
    ) -> Result<TenantRecord, ApiError> {
        let registry = self.registry(authority);
        match self {
            Self::Key(key) => find_tenant(&registry, name, |one| key.tenant.id == one.id).await,
            Self::Admin(session) => find_tenant(&registry, name, |one| session.reaches(one)).await,
        }
    }

    async fn authenticate(authority: &Authority, parts: &Parts) -> Result<Self, ApiError> {
        match Ntropii::credential(&parts.headers) {
            Some(Credential::Key(key, provider)) => authority
                .verify(key, provider, source(&parts.extensions), &parts.headers)
                .map(Self::Key),
            Some(Credential::Token(token)) => authority
                .session(parts, token)
                .await
                .and_then(Session::admin)
                .map(Self::Admin),
            None => Err(ApiError::unauthenticated()),
        }
    }
}

impl FromRequestParts<Ntropii> for Caller {
    type Rejection = ErrorResponse<Ntropii>;

    async fn from_request_parts(
        parts: &mut Parts,
        Ntropii(authority): &Ntropii,
    ) -> Result<Self, Self::Rejection> {
        let caller = Self::authenticate(authority, parts).await;
        authority.counted(parts, caller)
    }
}

/// Returns the tenant with this id or slug. A tenant out of reach gets the error of one that does
/// not exist.
pub(super) async fn find_tenant(
    registry: &Registry,
    name: &str,
    is_reached: impl Fn(&TenantRecord) -> bool,
) -> Result<TenantRecord, ApiError> {
    let hidden = || ApiError::not_found("Tenant not found");
    let name = match parse_id(name, "ws_") {
        Some(id) => id.to_string(),
        None if is_slug(name) => name.to_owned(),
        None => return Err(hidden()),
    };
    let found = registry.find_tenant(&name).await?;
    found.filter(is_reached).ok_or_else(hidden)
}
