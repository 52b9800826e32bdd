//! The callers that an endpoint accepts, as extractors that the dialect of the router configures.
//!
//! | extractor | accepts |
//! | --- | --- |
//! | [`ProviderKey`] | a key of the dialect's provider |
//! | [`AnyKey`] | a key of either provider |
//! | [`User`] | a user's token; a valid key gets 403 |
//! | [`Admin`] | the token of an organisation's admin |
//!
//! Every `DELETE` revokes something, so it has a rate limit apart: other requests cannot delay it.
//! So has a user's pause of a key.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, Method};
use jiff::Timestamp;

use super::access_log::record_caller;
use super::api_error::{ApiError, ErrorResponse};
use super::dialect::{Credential, Dialect};
use super::service::{ClientAddress, Head};
use crate::actor::Actor;
use crate::admin_auth::shown_subject;
use crate::metrics::METRICS;
use crate::registry::Registry;
use crate::server::Authority;
use crate::store::{MemberRecord, OrganisationRecord, Role, TenantRecord, Trip, UseOutcome};
use crate::verify::rate_limits::RateLimitKey;
use crate::verify::{CachedKey, Verdict};
use ntro_base::{ParsedKey, Provider};

/// A key of the dialect's provider.
pub(crate) struct ProviderKey(pub(crate) Arc<CachedKey>);

/// A key of either provider.
pub(crate) struct AnyKey(pub(crate) Arc<CachedKey>);

/// A user with any role.
pub(crate) struct User(pub(crate) Session);

/// An admin of an organisation.
pub(crate) struct Admin(pub(crate) Session);

/// A user with a valid token.
pub(crate) struct Session {
    pub(crate) actor: Actor,
    /// Issuer and subject, for the hash of an idempotency key.
    pub(crate) principal: String,
    /// The `sub` of the token.
    pub(crate) user_id: String,
    /// The subject as others see it.
    pub(crate) subject: String,
    pub(crate) role: Role,
    /// `None` if the token names no organisation, or one that is not in the registry.
    pub(crate) organisation: Option<OrganisationRecord>,
}

impl Session {
    /// Returns the registry, as the caller uses it.
    pub(crate) fn registry(&self, authority: &Authority) -> Registry {
        authority.registry(self.actor.clone())
    }

    /// Returns whether the tenant belongs to the caller's organisation.
    pub(crate) fn reaches(&self, tenant: &TenantRecord) -> bool {
        self.organisation
            .as_ref()
            .is_some_and(|organisation| organisation.id == tenant.organisation_id)
    }

    /// Returns the session if the user is an admin.
    pub(crate) fn admin(self) -> Result<Self, ApiError> {
        match self.role {
            Role::Admin => Ok(self),
            Role::Member => Err(ApiError::admin_required()),
        }
    }
}

/// Returns the credential in `Authorization: Bearer`.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<Credential<'_>> {
    let (scheme, value) = only(headers, &AUTHORIZATION)?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let value = value.trim();
    if value.split('.').count() == 3 {
        return Some(Credential::Token(value));
    }
    Some(Credential::Key(value, Provider::Ntropii))
}

/// Returns the value of a header that appears exactly once, as text.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Returns the address of the client, if it has one.
pub(crate) fn source(extensions: &Extensions) -> Option<IpAddr> {
    let ClientAddress(address) = extensions.get()?;
    Some(*address)
}

/// Returns whether a user's request takes access away.
fn takes_away(parts: &Parts) -> bool {
    parts.method == Method::DELETE || parts.uri.path().ends_with("/pause")
}

/// Returns the accepted key, or the error that the verdict is to the caller. Hands a presentation of
/// a tripwire's token to `record`.
fn accepted(verdict: Verdict, record: impl FnOnce(Trip)) -> Result<Arc<CachedKey>, ApiError> {
    match verdict {
        Verdict::Accepted(key) => {
            record_caller(|| Actor::Key(key.id));
            Ok(key)
        }
        Verdict::Refused(refusal) => Err(refusal.into()),
        Verdict::Tripped(trip) => {
            if let Some(trip) = trip {
                record(trip);
            }
            Err(ApiError::unauthenticated())
        }
        Verdict::CannotSay => Err(ApiError::unavailable()),
    }
}

impl Authority {
    /// Verifies the key of a request with this source and these headers.
    pub(crate) fn verify(
        &self,
        key: &str,
        provider: Provider,
        source: Option<IpAddr>,
        headers: &HeaderMap,
    ) -> Result<Arc<CachedKey>, ApiError> {
        let now = Timestamp::now();
        let key = self.accepted(self.key_cache().verify(key, provider, now), source)?;
        self.key_cache()
            .record_use(&key, now, source, || only(headers, &USER_AGENT));
        Ok(key)
    }

    /// Verifies the key in a request's head, which must also meet the conditions of `check`.
    fn verify_if<E: Into<ApiError> + Into<UseOutcome> + Copy>(
        &self,
        key: &str,
        provider: Provider,
        head: &Head<'_>,
        check: impl FnOnce(&CachedKey) -> Result<(), E>,
    ) -> Result<Arc<CachedKey>, ApiError> {
        let now = Timestamp::now();
        let verdict = self.key_cache().verify(key, provider, now);
        let key = self.accepted(verdict, head.source)?;
        if let Err(unmet) = check(&key) {
            self.key_cache().record_refusal(&key, unmet.into());
            return Err(unmet.into());
        }
        self.key_cache()
            .record_use(&key, now, head.source, || only(head.headers, &USER_AGENT));
        Ok(key)
    }

    /// Returns the accepted key, or the error that the verdict is to the caller.
    fn accepted(
        &self,
        verdict: Verdict,
        source: Option<IpAddr>,
    ) -> Result<Arc<CachedKey>, ApiError> {
        accepted(verdict, |trip| {
            let trip = Trip { source, ..trip };
            self.registry(Actor::System).record_trip(trip);
        })
    }

    /// Returns the live key with this text, which another than its owner asks about.
    pub(crate) fn introspect(
        &self,
        text: &str,
        source: Option<IpAddr>,
    ) -> Result<Option<Arc<CachedKey>>, ApiError> {
        let Some(parsed) = ParsedKey::parse(text) else {
            return Ok(None);
        };
        let now = Timestamp::now();
        let verdict = self
            .key_cache()
            .verify_unlimited(text, parsed.provider(), now);
        if let Verdict::CannotSay = verdict {
            return Err(ApiError::unavailable());
        }
        let key = self.accepted(verdict, source).ok();
        if let Some(key) = &key {
            // The request that is asked about came from elsewhere.
            self.key_cache().record_use(key, now, None, || None);
        }
        Ok(key)
    }

    /// Refuses a key in the header of the other provider.
    fn refuse(&self, key: &str, source: Option<IpAddr>) -> ApiError {
        let verdict = self.key_cache().refuse(key, Timestamp::now());
        match self.accepted(verdict, source) {
            Ok(_) => ApiError::unauthenticated(),
            Err(error) => error,
        }
    }

    /// Verifies a key for a request with these parts.
    fn verify_for(
        &self,
        parts: &Parts,
        key: &str,
        provider: Provider,
    ) -> Result<Arc<CachedKey>, ApiError> {
        if parts.method != Method::DELETE {
            return self.verify(key, provider, source(&parts.extensions), &parts.headers);
        }
        let now = Timestamp::now();
        let verdict = self.key_cache().verify_unlimited(key, provider, now);
        let source = source(&parts.extensions);
        let key = self.accepted(verdict, source)?;
        let path = parts.uri.path();
        let bucket = match key.parent {
            None => RateLimitKey::RevokingKey(key.id, path),
            Some(parent) => RateLimitKey::RevokingChildren(parent, path),
        };
        if let Err(exceeded) = self.take(&bucket) {
            self.key_cache().record_refusal(&key, UseOutcome::Limited);
            return Err(ApiError::limited(exceeded));
        }
        self.key_cache()
            .record_use(&key, now, source, || only(&parts.headers, &USER_AGENT));
        Ok(key)
    }

    /// Counts a failed authentication against its source, and limits a source with too many.
    pub(crate) fn count_failure(&self, source: Option<IpAddr>, error: ApiError) -> ApiError {
        match source {
            Some(source) if error.is_failed_authentication() => match self.take_failure(source) {
                Ok(()) => error,
                Err(exceeded) => {
                    METRICS.failures_limited.add(1);
                    ApiError::limited(exceeded)
                }
            },
            _ => error,
        }
    }

    /// Counts a failed authentication, and gives the error the shape of the dialect.
    pub(crate) fn counted<T, D>(
        &self,
        parts: &Parts,
        result: Result<T, ApiError>,
    ) -> Result<T, ErrorResponse<D>> {
        let source = source(&parts.extensions);
        result.map_err(|error| self.count_failure(source, error).into())
    }

    /// Authenticates a user.
    async fn user<D: Dialect>(&self, parts: &Parts) -> Result<Session, ApiError> {
        match D::credential(&parts.headers) {
            Some(Credential::Token(token)) => self.session(parts, token).await,
            Some(Credential::Key(key, provider)) if provider == D::PROVIDER => {
                self.verify(key, provider, source(&parts.extensions), &parts.headers)?;
                Err(ApiError::jwt_required())
            }
            Some(Credential::Key(key, _)) => Err(self.refuse(key, source(&parts.extensions))),
            None => Err(ApiError::unauthenticated()),
        }
    }

    /// Verifies a token, and counts the request against the limit of its organisation.
    pub(crate) async fn session(&self, parts: &Parts, token: &str) -> Result<Session, ApiError> {
        let identity = self.tokens().verify(token).await?;
        let principal = format!("{} {}", identity.issuer, identity.subject);
        let actor = Actor::User {
            issuer: identity.issuer,
            subject: identity.subject.clone(),
        };
        record_caller(|| actor.clone());
        let registry = self.registry(actor.clone());
        let organisation = match identity.organisation {
            Some(name) => registry.find_organisation(&name).await?,
            None => None,
        };
        let bucket = match &organisation {
            None => RateLimitKey::Stranger(&principal),
            Some(_) if takes_away(parts) => RateLimitKey::Revoker(&principal),
            Some(organisation) => RateLimitKey::Organisation(organisation.id),
        };
        self.take(&bucket).map_err(ApiError::limited)?;
        if let Some(organisation) = &organisation {
            let member = MemberRecord {
                user_id: identity.subject.clone(),
                role: identity.role,
                created_at: Timestamp::now(),
            };
            self.record_member(&registry, organisation.id, member).await;
        }
        Ok(Session {
            actor,
            principal,
            subject: shown_subject(&identity.subject),
            user_id: identity.subject,
            role: identity.role,
            organisation,
        })
    }
}

impl<D: Dialect> FromRef<D> for Authority {
    fn from_ref(dialect: &D) -> Self {
        dialect.authority().clone()
    }
}

impl ProviderKey {
    /// Verifies the key in a request's head, without waiting.
    pub(crate) fn verify<D: Dialect>(
        authority: &Authority,
        head: &Head<'_>,
    ) -> Result<Self, ApiError> {
        let verified = match D::credential(head.headers) {
            Some(Credential::Key(key, provider)) if provider == D::PROVIDER => {
                authority.verify(key, provider, head.source, head.headers)
            }
            Some(Credential::Key(key, _)) => Err(authority.refuse(key, head.source)),
            _ => Err(ApiError::unauthenticated()),
        };
        verified
            .map(Self)
            .map_err(|error| authority.count_failure(head.source, error))
    }
}

impl<D: Dialect> FromRequestParts<D> for ProviderKey {
    type Rejection = ErrorResponse<D>;

    async fn from_request_parts(parts: &mut Parts, dialect: &D) -> Result<Self, ErrorResponse<D>> {
        Ok(Self::verify::<D>(
            dialect.authority(),
            &Head::from(&*parts),
        )?)
    }
}

impl AnyKey {
    /// Verifies the key in a request's head, without waiting.
    pub(crate) fn verify<D: Dialect>(
        authority: &Authority,
        head: &Head<'_>,
    ) -> Result<Self, ApiError> {
        let verified = match D::credential(head.headers) {
            Some(Credential::Key(key, provider)) => {
                authority.verify(key, provider, head.source, head.headers)
            }
            _ => Err(ApiError::unauthenticated()),
        };
        verified
            .map(Self)
            .map_err(|error| authority.count_failure(head.source, error))
    }

    /// Verifies the key as [`AnyKey::verify`] does; it must also meet the conditions of `check`.
    pub(crate) fn verify_if<D: Dialect, E: Into<ApiError> + Into<UseOutcome> + Copy>(
        authority: &Authority,
        head: &Head<'_>,
        check: impl FnOnce(&CachedKey) -> Result<(), E>,
    ) -> Result<Self, ApiError> {
        let verified = match D::credential(head.headers) {
            Some(Credential::Key(key, provider)) => authority.verify_if(key, provider, head, check),
            _ => Err(ApiError::unauthenticated()),
        };
        verified
            .map(Self)
            .map_err(|error| authority.count_failure(head.source, error))
    }
}

impl<D: Dialect> FromRequestParts<D> for AnyKey {
    type Rejection = ErrorResponse<D>;

    async fn from_request_parts(parts: &mut Parts, dialect: &D) -> Result<Self, ErrorResponse<D>> {
        let authority = dialect.authority();
        let verified = match D::credential(&parts.headers) {
            Some(Credential::Key(key, provider)) => authority.verify_for(parts, key, provider),
            _ => Err(ApiError::unauthenticated()),
        };
        authority.counted(parts, verified.map(Self))
    }
}

impl<D: Dialect> FromRequestParts<D> for User {
    type Rejection = ErrorResponse<D>;

    async fn from_request_parts(parts: &mut Parts, dialect: &D) -> Result<Self, ErrorResponse<D>> {
        let authority = dialect.authority();
        let session = authority.user::<D>(parts).await;
        authority.counted(parts, session.map(Self))
    }
}

impl<D: Dialect> FromRequestParts<D> for Admin {
    type Rejection = ErrorResponse<D>;

    async fn from_request_parts(parts: &mut Parts, dialect: &D) -> Result<Self, ErrorResponse<D>> {
        let authority = dialect.authority();
        let session = authority.user::<D>(parts).await.and_then(Session::admin);
        authority.counted(parts, session.map(Self))
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header::RETRY_AFTER;
    use axum::response::IntoResponse as _;
    use serde_json::{Value, json};

    use super::*;
    use crate::http::api_error::ErrorShape;
    use crate::http::ntropii::Ntropii;
    use crate::http::ontora::Ontora;
    use crate::http::own::MergedShape;

    async fn cannot_say<E: ErrorShape>() -> Value {
        let Err(error) = accepted(Verdict::CannotSay, |_| ()) else {
            panic!("accepted");
        };
        let response = ErrorResponse::<E>::from(error).into_response();
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let body = axum::body::to_bytes(response.into_body(), 1_000).await;
        serde_json::from_slice(&body.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn cannot_say_answers_503() {
        let message = "Temporarily unavailable: try again";
        assert_eq!(
            cannot_say::<Ntropii>().await,
            json!({"statusCode": 503, "message": message, "error": "Service Unavailable"})
        );
        assert_eq!(
            cannot_say::<Ontora>().await,
            json!({"detail": message, "code": "unavailable"})
        );
        assert_eq!(
            cannot_say::<MergedShape>().await,
            json!({
                "statusCode": 503, "message": message, "error": "Service Unavailable",
                "detail": message, "code": "unavailable",
            })
        );
    }
}
