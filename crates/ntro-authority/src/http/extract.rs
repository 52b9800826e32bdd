//! What an endpoint demands of its caller, as extractors.
//!
//! | extractor | demands |
//! | --- | --- |
//! | [`NtropiiKey`] | `Authorization: Bearer ntro_…` |
//! | [`OntoraKey`] | `X-API-Key: ont_…` |
//! | [`OwnKey`] | either of them: a key that acts on itself |
//! | [`User`] | a person's token; a good key is message that it is not enough |
//! | [`Admin`] | the token of an organisation's admin |
//! | [`Caller`] | Ntropii: a key, or the token of an organisation's admin |
//!
//! Every `DELETE` ends keys: it takes from a bucket of its own, so that no other request, of whomever
//! it may be, holds it up.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{self, ConnectInfo, DefaultBodyLimit, FromRequest, FromRequestParts, Request};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, HeaderName, Method};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::api_error::ApiError;
use super::service::Head;
use crate::actor::Actor;
use crate::registry::Registry;
use crate::server::Authority;
use crate::store::{MemberRecord, OrganisationRecord, Role, TenantRecord};
use crate::verify::CachedKey;
use crate::verify::rate_limits::{ClientNetwork, RateLimitKey};
use ntro_base::Provider;

/// Larger than any body that makes sense here.
const LARGEST_BODY: usize = 64 * 1024;
const LONGEST_IDEMPOTENCY_KEY: usize = 255;
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// A key of Ntropii.
pub(crate) struct NtropiiKey(pub(crate) Arc<CachedKey>);

/// A key of Ontora.
pub(crate) struct OntoraKey(pub(crate) Arc<CachedKey>);

/// A key of either provider.
pub(crate) struct OwnKey(pub(crate) Arc<CachedKey>);

/// A person, with whatever role.
pub(crate) struct User(pub(crate) Session);

/// An admin of an organisation.
pub(crate) struct Admin(pub(crate) Session);

/// Whoever may call the tenant endpoints.
pub(crate) enum Caller {
    /// A key, which reaches its own tenant.
    Key(Arc<CachedKey>),
    /// An admin, who reaches the organisation's tenants.
    Admin(Session),
}

/// A person who has shown a good token.
pub(crate) struct Session {
    pub(crate) actor: Actor,
    /// Issuer and subject, for the hash of an idempotency key.
    pub(crate) principal: String,
    pub(crate) subject: String,
    pub(crate) role: Role,
    /// `None` when the token names no organisation, or one that is not in the registry.
    pub(crate) organisation: Option<OrganisationRecord>,
}

impl Session {
    /// Returns the registry, as the caller uses it.
    pub(crate) fn registry(&self, authority: &Authority) -> Registry {
        authority.registry(self.actor.clone())
    }

    /// Returns whether the tenant is the caller's organisation's.
    pub(crate) fn reaches(&self, tenant: &TenantRecord) -> bool {
        self.organisation
            .as_ref()
            .is_some_and(|organisation| organisation.id == tenant.organisation_id)
    }

    fn admin(self) -> Result<Self, ApiError> {
        match self.role {
            Role::Admin => Ok(self),
            Role::Member => Err(ApiError::admin_required()),
        }
    }
}

/// Which headers a path's family looks at.
#[derive(Clone, Copy)]
enum Dialect {
    /// `Authorization` alone.
    Ntropii,
    /// `X-API-Key`, which decides alone when it is there; else `Authorization`.
    Ontora,
}

enum Credential<'a> {
    Key(&'a str, Provider),
    Token(&'a str),
}

/// Returns what the caller shows; a header that is there twice, or is no text, is no credential.
fn credential(headers: &HeaderMap, dialect: Dialect) -> Option<Credential<'_>> {
    if matches!(dialect, Dialect::Ontora) && headers.contains_key(&API_KEY) {
        return Some(Credential::Key(only(headers, &API_KEY)?, Provider::Ontora));
    }
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

fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

impl Authority {
    fn verify(&self, key: &str, provider: Provider) -> Result<Arc<CachedKey>, ApiError> {
        let now = Timestamp::now();
        Ok(self.key_cache().verify(key, provider, now)?)
    }

    /// Verifies a key that does more than look.
    fn verify_for(
        &self,
        parts: &Parts,
        key: &str,
        provider: Provider,
    ) -> Result<Arc<CachedKey>, ApiError> {
        if parts.method != Method::DELETE {
            return self.verify(key, provider);
        }
        let now = Timestamp::now();
        let key = self.key_cache().verify_unlimited(key, provider, now)?;
        let payer = RateLimitKey::RevokingKey(key.id, parts.uri.path().to_owned());
        self.rate_limit_keys()
            .take(&payer)
            .map_err(ApiError::limited)?;
        Ok(key)
    }

    /// Lets a failed authentication pay: when its source has failed too often, it is message to wait.
    fn failed(&self, source: Option<IpAddr>, error: ApiError) -> ApiError {
        match source {
            Some(source) if error.is_failed_authentication() => {
                match self.failures().take(&ClientNetwork::from(source)) {
                    Ok(()) => error,
                    Err(wait) => ApiError::limited(wait),
                }
            }
            _ => error,
        }
    }

    async fn session(&self, parts: &Parts, token: &str) -> Result<Session, ApiError> {
        let identity = self.tokens().verify(token).await?;
        let principal = format!("{} {}", identity.issuer, identity.subject);
        let actor = Actor::User {
            issuer: identity.issuer,
            subject: identity.subject.clone(),
        };
        let registry = self.registry(actor.clone());
        let organisation = match identity.organisation {
            Some(name) => registry.find_organisation(&name).await?,
            None => None,
        };
        let payer = match &organisation {
            None => RateLimitKey::Stranger(principal.clone()),
            Some(_) if parts.method == Method::DELETE => RateLimitKey::Revoker(principal.clone()),
            Some(organisation) => RateLimitKey::Organisation(organisation.id),
        };
        self.rate_limit_keys()
            .take(&payer)
            .map_err(ApiError::limited)?;
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
            subject: identity.subject,
            role: identity.role,
            organisation,
        })
    }

    async fn user(&self, parts: &Parts, dialect: Dialect) -> Result<Session, ApiError> {
        match credential(&parts.headers, dialect) {
            Some(Credential::Token(token)) => self.session(parts, token).await,
            Some(Credential::Key(key, provider)) => {
                // On Ontora's paths a key in `Authorization` is no credential at all.
                let expected = match dialect {
                    Dialect::Ntropii => Provider::Ntropii,
                    Dialect::Ontora => Provider::Ontora,
                };
                if provider != expected {
                    return Err(ApiError::unauthenticated());
                }
                self.verify(key, provider)?;
                Err(ApiError::jwt_required())
            }
            None => Err(ApiError::unauthenticated()),
        }
    }
}

fn dialect(parts: &Parts) -> Dialect {
    let path = parts.uri.path();
    if path == "/v1/me" || path.starts_with("/v1/workspace/") {
        Dialect::Ntropii
    } else {
        Dialect::Ontora
    }
}

/// Returns the address that a request came from, where it was noted.
pub(crate) fn source(extensions: &Extensions) -> Option<IpAddr> {
    extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(address)| address.ip())
}

impl NtropiiKey {
    fn find(authority: &Authority, headers: &HeaderMap) -> Result<Self, ApiError> {
        match credential(headers, Dialect::Ntropii) {
            Some(Credential::Key(key, Provider::Ntropii)) => {
                authority.verify(key, Provider::Ntropii).map(Self)
            }
            _ => Err(ApiError::unauthenticated()),
        }
    }

    /// As the extractor, out of a head, without waiting.
    pub(crate) fn fast_path(authority: &Authority, head: &Head<'_>) -> Result<Self, ApiError> {
        let found = Self::find(authority, head.headers);
        found.map_err(|error| authority.failed(head.source, error))
    }
}

impl OntoraKey {
    fn find(authority: &Authority, headers: &HeaderMap) -> Result<Self, ApiError> {
        match only(headers, &API_KEY) {
            Some(key) => authority.verify(key, Provider::Ontora).map(Self),
            None => Err(ApiError::unauthenticated()),
        }
    }

    /// As the extractor, out of a head, without waiting.
    pub(crate) fn fast_path(authority: &Authority, head: &Head<'_>) -> Result<Self, ApiError> {
        let found = Self::find(authority, head.headers);
        found.map_err(|error| authority.failed(head.source, error))
    }
}

macro_rules! extractor {
    ($name:ident, |$authority:ident, $parts:ident| $body:expr) => {
        impl FromRequestParts<Authority> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(
                parts: &mut Parts,
                $authority: &Authority,
            ) -> Result<Self, ApiError> {
                let $parts = &*parts;
                let found: Result<Self, ApiError> = $body;
                found.map_err(|error| $authority.failed(source(&$parts.extensions), error))
            }
        }
    };
}

extractor!(NtropiiKey, |authority, parts| {
    Self::find(authority, &parts.headers)
});

extractor!(OntoraKey, |authority, parts| {
    Self::find(authority, &parts.headers)
});

extractor!(OwnKey, |authority, parts| {
    match credential(&parts.headers, Dialect::Ontora) {
        Some(Credential::Key(key, provider)) => {
            authority.verify_for(parts, key, provider).map(Self)
        }
        _ => Err(ApiError::unauthenticated()),
    }
});

extractor!(User, |authority, parts| {
    authority.user(parts, dialect(parts)).await.map(Self)
});

extractor!(Admin, |authority, parts| {
    let session = authority.user(parts, dialect(parts)).await;
    session.and_then(Session::admin).map(Self)
});

extractor!(Caller, |authority, parts| {
    match credential(&parts.headers, Dialect::Ntropii) {
        Some(Credential::Key(key, provider)) => authority.verify(key, provider).map(Self::Key),
        Some(Credential::Token(token)) => authority
            .session(parts, token)
            .await
            .and_then(Session::admin)
            .map(Self::Admin),
        None => Err(ApiError::unauthenticated()),
    }
});

macro_rules! readable {
    ($(#[$doc:meta])* $name:ident, $message:literal) => {
        $(#[$doc])*
        pub(crate) struct $name<T>(pub(crate) T);

        impl<T: DeserializeOwned + Send> FromRequestParts<Authority> for $name<T> {
            type Rejection = ApiError;

            async fn from_request_parts(
                parts: &mut Parts,
                authority: &Authority,
            ) -> Result<Self, ApiError> {
                let found = extract::$name::from_request_parts(parts, authority).await;
                found
                    .map(|extract::$name(found)| Self(found))
                    .map_err(|_| ApiError::malformed($message))
            }
        }
    };
}

readable! {
    /// The variable parts of the path.
    Path, "The path cannot be read"
}

readable! {
    /// What stands behind the `?`.
    Query, "The query cannot be read"
}

/// A JSON object, and its bytes.
pub(crate) struct Object(pub(crate) Map<String, Value>);

impl FromRequest<Authority> for Object {
    type Rejection = ApiError;

    async fn from_request(mut request: Request, authority: &Authority) -> Result<Self, ApiError> {
        DefaultBodyLimit::max(LARGEST_BODY).apply(&mut request);
        let body = Bytes::from_request(request, authority);
        let bytes = tokio::time::timeout(authority.settings().timeout, body)
            .await
            .map_err(|_| ApiError::too_slow())?
            .map_err(|rejection| match rejection {
                BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => {
                    ApiError::too_large()
                }
                _ => ApiError::malformed("The body breaks off or is malformed"),
            })?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(object)) => Ok(Self(object)),
            Ok(_) => Err(ApiError::malformed("The body must be a JSON object")),
            Err(_) => Err(ApiError::malformed("The body is not JSON")),
        }
    }
}

/// The `Idempotency-Key`, if there is one.
pub(crate) struct IdempotencyKey(pub(crate) Option<String>);

impl FromRequestParts<Authority> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &Authority) -> Result<Self, ApiError> {
        const NAME: HeaderName = HeaderName::from_static("idempotency-key");
        if !parts.headers.contains_key(&NAME) {
            return Ok(Self(None));
        }
        match only(&parts.headers, &NAME) {
            Some(key) if (1..=LONGEST_IDEMPOTENCY_KEY).contains(&key.len()) => {
                Ok(Self(Some(key.to_owned())))
            }
            _ => Err(ApiError::invalid_field(
                ["header".into(), NAME.as_str().into()],
                "must have 1 to 255 visible characters",
                "value_error",
            )),
        }
    }
}

/// Reads an id: a UUID in any case, also with the mark of its kind in service of it.
pub(crate) fn parse_id(text: &str, mark: &str) -> Option<Uuid> {
    let text = text.strip_prefix(mark).unwrap_or(text);
    // No braces, no `urn:`, no UUID without its dashes.
    (text.len() == 36).then(|| Uuid::try_parse(text).ok())?
}
