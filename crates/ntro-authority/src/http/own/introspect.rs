//! `POST /v1/introspect`: the state of a key, for a resource server (RFC 7662).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde::Serialize;

use super::MergedShape;
use super::authorize::scope_text;
use crate::http::api_error::{ApiError, ErrorResponse};
use crate::http::authentication::{AnyKey, Session, source};
use crate::http::dialect::{Credential, Dialect as _};
use crate::http::extract::form_parameter;
use crate::http::ontora::Ontora;
use crate::http::service::Head;
use crate::registry::ISSUER;
use crate::server::Authority;
use crate::verify::{CachedKey, CachedTenant};

/// The caller. The endpoint must not tell strangers which keys are live.
enum Asker {
    /// A key, which learns about the keys of its tenant.
    Key(Arc<CachedKey>),
    /// An admin, who learns about the keys of the organisation.
    Admin(Session),
}

impl Asker {
    async fn authenticate(authority: &Authority, parts: &Parts) -> Result<Self, ApiError> {
        if let Some(Credential::Token(token)) = Ontora::credential(&parts.headers) {
            let session = authority.session(parts, token).await;
            let admin = session.and_then(Session::admin).map(Self::Admin);
            return admin
                .map_err(|error| authority.count_failure(source(&parts.extensions), error));
        }
        let AnyKey(key) = AnyKey::verify::<Ontora>(authority, &Head::from(parts))?;
        Ok(Self::Key(key))
    }

    fn reaches(&self, tenant: &CachedTenant) -> bool {
        match self {
            Self::Key(own) => own.tenant.id == tenant.id,
            Self::Admin(session) => session
                .organisation
                .as_ref()
                .is_some_and(|organisation| organisation.id == tenant.organisation_id),
        }
    }
}

/// The answer for a key that is live and in the caller's reach.
#[derive(Serialize)]
struct ActiveKey<'a> {
    active: bool,
    iss: &'static str,
    sub: String,
    client_id: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    tenant: &'a str,
    tenant_id: String,
    provider: &'static str,
}

impl<'a> ActiveKey<'a> {
    fn new(key: &'a CachedKey) -> Self {
        Self {
            active: true,
            iss: ISSUER,
            sub: key.id.to_string(),
            client_id: key.id.to_string(),
            scope: scope_text(key),
            exp: key.expires_at().map(Timestamp::as_second),
            tenant: &key.tenant.slug,
            tenant_id: key.tenant.id.to_string(),
            provider: key.provider.as_str(),
        }
    }
}

/// The answer for all other texts, whatever the reason.
#[derive(Serialize)]
struct Inactive {
    active: bool,
}

pub(super) async fn introspect(
    State(authority): State<Authority>,
    request: Request,
) -> Result<Response, ErrorResponse<MergedShape>> {
    let (parts, body) = request.into_parts();
    let asker = Asker::authenticate(&authority, &parts).await?;
    let source = source(&parts.extensions);
    let token = form_parameter(Request::from_parts(parts, body), &authority, "token").await?;
    let key = authority.introspect(&token, source)?;
    let answer = match key.filter(|key| asker.reaches(&key.tenant)) {
        Some(key) => Json(ActiveKey::new(&key)).into_response(),
        None => Json(Inactive { active: false }).into_response(),
    };
    Ok(([(CACHE_CONTROL, "no-store")], answer).into_response())
}
