//! What a gateway asks: the conditions in the query of `/v1/authorize`.

use std::borrow::Cow;

use axum::http::HeaderName;
use axum::http::header::HOST;
use url::form_urlencoded;

use crate::http::api_error::ApiError;
use crate::http::authentication::only;
use crate::http::service::Head;
use crate::store::UseOutcome;
use crate::verify::{CachedKey, ScopeSet};

/// Begins the URI of the client's request, which is the rest of the query as it came.
const URI: &str = "uri=";

/// The conditions of a gateway. All must hold, so a caller who could add one would only narrow the
/// answer.
#[derive(Default)]
pub(super) struct Question<'a> {
    scopes: ScopeSet,
    tenant: Option<Cow<'a, str>>,
    wants_identity: bool,
    uri: Option<&'a str>,
}

impl<'a> Question<'a> {
    /// Reads a query. A parameter that is unknown or repeated is an error: a misspelt condition must
    /// not be one that always holds.
    pub(super) fn read(head: &Head<'a>) -> Result<Self, ApiError> {
        let mut question = Self::default();
        let query = head.query.unwrap_or_default();
        let query = match split_uri(query) {
            None => query,
            Some((_, _)) if is_forwarded(head, &URIS) => return Err(rejected("uri", "twice")),
            Some((query, uri)) => {
                question.uri = Some(uri);
                query
            }
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "scope" => question.require_scopes(&value)?,
                "tenant" if question.tenant.is_some() => return Err(rejected("tenant", "twice")),
                "tenant" => question.tenant = Some(value),
                "identity" if value == "signed" => question.wants_identity = true,
                "identity" => return Err(rejected("identity", "must be `signed`")),
                _ => return Err(rejected(&name, "unknown parameter")),
            }
        }
        Ok(question)
    }

    fn require_scopes(&mut self, names: &str) -> Result<(), ApiError> {
        for name in names.split(' ') {
            let scope = name.parse().map_err(|_| {
                rejected(
                    "scope",
                    "must be `interviews`, `exports`, `webhooks`, `mcp` or `*`",
                )
            })?;
            self.scopes.insert(scope);
        }
        Ok(())
    }

    /// Returns whether the key meets the conditions.
    pub(super) fn check(&self, key: &CachedKey) -> Result<(), UnmetCondition> {
        let is_its_tenant = |name: &Cow<'_, str>| key.tenant.is_named(name);
        if !self.tenant.as_ref().is_none_or(is_its_tenant) {
            return Err(UnmetCondition::Tenant);
        }
        if !key.scopes.grants(self.scopes) {
            return Err(UnmetCondition::Scope);
        }
        Ok(())
    }

    /// Returns the client's request if the question asks for a signed identity.
    pub(super) fn bound_to<'b>(
        &self,
        head: &'b Head<'a>,
    ) -> Result<Option<ClientRequest<'b>>, ApiError>
    where
        'a: 'b,
    {
        if !self.wants_identity {
            return Ok(None);
        }
        let found = match self.uri {
            Some(uri) => ClientRequest::new(
                Some(head.method.as_str()),
                only(head.headers, &HOST),
                Some(uri),
            ),
            None => ClientRequest::new(
                agreed(head, &METHODS)?,
                agreed(head, &HOSTS)?,
                agreed(head, &URIS)?,
            ),
        };
        found.map(Some).ok_or_else(|| {
            rejected(
                "identity",
                "needs the method, host and URI of the client's request",
            )
        })
    }
}

/// A condition that a key does not meet.
#[derive(Clone, Copy)]
pub(super) enum UnmetCondition {
    Tenant,
    Scope,
}

impl From<UnmetCondition> for ApiError {
    fn from(unmet: UnmetCondition) -> Self {
        match unmet {
            UnmetCondition::Tenant => Self::workspace_forbidden(),
            UnmetCondition::Scope => Self::insufficient_scope(),
        }
    }
}

impl From<UnmetCondition> for UseOutcome {
    fn from(unmet: UnmetCondition) -> Self {
        match unmet {
            UnmetCondition::Tenant => Self::Tenant,
            UnmetCondition::Scope => Self::Scope,
        }
    }
}

/// The request that an identity is signed for.
pub(super) struct ClientRequest<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
}

impl<'a> ClientRequest<'a> {
    fn new(method: Option<&'a str>, host: Option<&'a str>, uri: Option<&'a str>) -> Option<Self> {
        let path = uri?.split(['?', '#']).next()?;
        let is_whole = path.starts_with('/') || path == "*";
        let request = Self {
            method: method.filter(|method| !method.is_empty())?,
            host: host.filter(|host| !host.is_empty())?,
            path,
        };
        is_whole.then_some(request)
    }
}

/// The names of one property of the client's request, as Caddy and Traefik write it, and nginx.
type Forwarded = [HeaderName; 2];

const METHODS: Forwarded = [
    HeaderName::from_static("x-forwarded-method"),
    HeaderName::from_static("x-original-method"),
];
const HOSTS: Forwarded = [
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-original-host"),
];
const URIS: Forwarded = [
    HeaderName::from_static("x-forwarded-uri"),
    HeaderName::from_static("x-original-uri"),
];

/// Returns whether one of these headers is present.
fn is_forwarded(head: &Head<'_>, names: &Forwarded) -> bool {
    names.iter().any(|name| head.headers.contains_key(name))
}

/// Returns the value of the header that is present. A gateway sets one of the two: the other may come
/// from the client, so both must agree.
fn agreed<'a>(head: &Head<'a>, names: &Forwarded) -> Result<Option<&'a str>, ApiError> {
    let mut found = None;
    for name in names.iter().filter(|&name| head.headers.contains_key(name)) {
        let value = only(head.headers, name);
        if value.is_none() || found.is_some_and(|found| Some(found) != value) {
            return Err(rejected(name.as_str(), "has more than one value"));
        }
        found = value;
    }
    Ok(found)
}

/// Splits a query before `uri=`.
fn split_uri(query: &str) -> Option<(&str, &str)> {
    if let Some(uri) = query.strip_prefix(URI) {
        return Some(("", uri));
    }
    let start = query.find("&uri=")?;
    Some((&query[..start], &query[start + 1 + URI.len()..]))
}

fn rejected(name: &str, problem: &str) -> ApiError {
    ApiError::invalid_field(["query".into(), name.into()], problem, "value_error")
}
