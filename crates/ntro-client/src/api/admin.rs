//! The calls of an administrator: the keys of a tenant.

use std::collections::HashSet;
use std::fmt;

use reqwest::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use zeroize::Zeroizing;

use super::credential::Credential;
use super::error::Error;
use super::http::{Call, Http};
use super::key_info::{KeyInfo, NewKey};
use super::response::ServerResponse;
use super::settings::Settings;
use super::tenant::Tenant;
use super::transport::Transport;
use super::{ntropii, ontora};
use ntro_base::wire;
use ntro_base::{ApiKey, Host, KeyName, Origin, Provider, Scope, TenantSlug};

/// The most bytes of a JWT.
const LONGEST_TOKEN: usize = 16 * 1024;

/// The most pages of keys that are read.
const PAGES: usize = 200;

/// An administrator's JWT, bound to the origin that it was obtained for.
///
/// Like a key, it cannot be printed and is wiped on drop.
#[derive(Clone)]
pub struct AdminToken {
    token: SecretString,
    origin: Origin,
}

/// Why a text cannot be a JWT. Does not contain the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminTokenError {
    /// The text is empty or only white space.
    #[error("the admin token is empty")]
    Empty,
    /// Longer than any JWT.
    #[error("the admin token has {length} bytes, at most {LONGEST_TOKEN} are allowed")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Not three parts of letters, digits, `-` and `_`, joined by dots.
    #[error("the admin token is not a JWT: three parts joined by dots are expected")]
    NotAJwt,
}

impl AdminToken {
    /// Parses a JWT and wipes the text, also when it is not one. Ignores white space around it.
    pub fn bind(text: String, origin: Origin) -> Result<Self, AdminTokenError> {
        let text = Zeroizing::new(text);
        let token = text.trim();
        if token.is_empty() {
            return Err(AdminTokenError::Empty);
        }
        if token.len() > LONGEST_TOKEN {
            return Err(AdminTokenError::TooLong {
                length: token.len(),
            });
        }
        let parts = token.split('.').collect::<Vec<_>>();
        let is_part = |part: &&str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'='))
        };
        if parts.len() != 3 || !parts.iter().all(is_part) {
            return Err(AdminTokenError::NotAJwt);
        }
        Ok(Self {
            token: SecretString::from(token),
            origin,
        })
    }

    /// Returns the origin that the token is bound to.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn for_origin(&self, origin: &Origin) -> Option<&str> {
        (self.origin == *origin).then(|| self.token.expose_secret())
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AdminToken(… for {})", self.origin)
    }
}

/// A server and the administrator's token to call it with.
#[derive(Clone, Debug)]
pub struct AdminTarget {
    /// The API that the server speaks.
    pub provider: Provider,
    /// Its base URL.
    pub host: Host,
    /// The administrator's JWT.
    pub token: AdminToken,
    /// Whether plain `http` may leave this machine.
    pub insecure_http: bool,
}

/// The properties of a new key.
#[derive(Clone, Debug)]
pub struct KeyRequest {
    /// The tenant that it reaches (Ontora: the workspace's id).
    pub tenant: TenantSlug,
    /// Its display name.
    pub name: KeyName,
    /// Its scopes. Ontora demands at least one; keys of Ntropii have none.
    pub scopes: Vec<Scope>,
    /// In how many days it expires; `None` for never.
    pub expires_in_days: Option<u32>,
    /// Whether it may rotate itself; only authorities support this.
    pub may_rotate: bool,
}

/// The calls of an administrator.
///
/// Ontora documents these endpoints; for Ntropii only an authority has them.
pub struct AdminClient {
    provider: Provider,
    http: Http,
}

impl AdminClient {
    /// Makes a client for one target, without any I/O.
    #[must_use]
    pub fn new(target: AdminTarget, settings: Settings) -> Self {
        let transport = Transport::of_one(&settings);
        Self::through(&transport, target, settings)
    }

    /// Makes a client that shares its connections with others.
    #[must_use]
    pub fn through(transport: &Transport, target: AdminTarget, settings: Settings) -> Self {
        let AdminTarget {
            provider,
            host,
            token,
            insecure_http,
        } = target;
        Self {
            provider,
            http: Http::new(
                provider,
                host,
                Some(Credential::Token(token)),
                insecure_http,
                settings,
                transport.clone(),
            ),
        }
    }

    /// Returns the tenants that the administrator sees.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        match self.provider {
            Provider::Ntropii => {
                let call = Call::get(ntropii::tenants(self.http.host()));
                ntropii::tenant_list(&self.http.success(&call).await?)
            }
            Provider::Ontora => {
                let call = Call::get(ontora::workspaces(self.http.host()));
                ontora::workspace_list(&self.http.success(&call).await?)
            }
        }
    }

    /// Returns every key of a tenant in the server's order, revoked and expired ones included.
    pub async fn list_keys(&self, tenant: &TenantSlug) -> Result<Vec<KeyInfo>, Error> {
        match self.provider {
            Provider::Ntropii => {
                let call = Call::get(ntropii::tenant_keys(self.http.host(), tenant));
                ntropii::key_list(&self.http.success(&call).await?)
            }
            Provider::Ontora => self.list_workspace_keys(tenant).await,
        }
    }

    /// Reads all pages, within the timeout of one call. Stops at a page without new keys: a server
    /// without paging returns the same one again.
    async fn list_workspace_keys(&self, workspace: &TenantSlug) -> Result<Vec<KeyInfo>, Error> {
        let mut keys = Vec::new();
        let mut seen = HashSet::new();
        let deadline = self.http.deadline();
        for page in 0..PAGES {
            let offset = page * ontora::PAGE;
            let call = Call::get(ontora::key_page(self.http.host(), workspace, offset));
            let found = ontora::key_list(&self.http.success_by(&call, deadline).await?)?;
            let full = found.len() >= ontora::PAGE;
            let before = seen.len();
            keys.extend(
                found
                    .into_iter()
                    .filter(|key| key.id.is_none() || seen.insert(key.id.clone())),
            );
            if !full || seen.len() == before || keys.len() > PAGES * ontora::PAGE {
                break;
            }
        }
        Ok(keys)
    }

    /// Creates a key and returns it with its secret.
    ///
    /// The request carries an `Idempotency-Key`, so that it can be repeated without creating two
    /// keys. No server stores the secret of a key, so the answer to a repeated request contains only
    /// the key's description. That key is revoked, and another one is created.
    ///
    /// [`Error::KeyLost`] names a key that was created, whose secret was lost, and that could not be
    /// revoked either. After [`Error::Unreachable`] and [`Error::Unavailable`] a key may exist whose
    /// secret is lost; [`AdminClient::list_keys`] shows it.
    pub async fn create_key(&self, request: &KeyRequest) -> Result<NewKey, Error> {
        let (url, body) = self.creation(request);
        // The second attempt is for a lost answer. A server that loses two never returns secrets.
        let mut attempts = 2;
        loop {
            attempts -= 1;
            let answer = self
                .http
                .success(&Call::post_once(url.clone(), body.clone()))
                .await?;
            let (info, key) = created(self.provider, &answer)?;
            if let Some(key) = key {
                return Ok(NewKey { info, key });
            }
            let id = info
                .id
                .ok_or_else(|| answer.misshapen("it holds neither a key nor its id"))?;
            let lost = || Error::KeyLost {
                origin: self.http.host().origin(),
                id: id.clone(),
            };
            self.revoke_key(&request.tenant, &id)
                .await
                .map_err(|_| lost())?;
            if attempts == 0 {
                return Err(answer.misshapen("it holds no key"));
            }
        }
    }

    /// Creates a key under the name `attempt`, at most once however often the call is repeated.
    ///
    /// A repeated call returns only the description of the key, which is enough to revoke it. After
    /// an error the key may exist, or may still be created.
    pub async fn create_key_once(
        &self,
        request: &KeyRequest,
        attempt: &str,
    ) -> Result<(KeyInfo, Option<ApiKey>), Error> {
        let (url, body) = self.creation(request);
        let call = Call::post_once(url, body).known_by(attempt);
        created(self.provider, &self.http.success(&call).await?)
    }

    /// Revokes a key by its id. Succeeds when it is already revoked.
    pub async fn revoke_key(&self, tenant: &TenantSlug, id: &str) -> Result<(), Error> {
        let call = Call::delete(self.key_url(tenant, id));
        let answer = self.http.send(&call).await?;
        if answer.status == StatusCode::NOT_FOUND && answer.resent {
            // The server carried out the first request, and only the answer was lost.
            return Ok(());
        }
        answer.into_success().map(drop)
    }

    /// Pauses a key by its id, or resumes it. Only authorities support this.
    pub async fn set_paused(
        &self,
        tenant: &TenantSlug,
        id: &str,
        paused: bool,
    ) -> Result<KeyInfo, Error> {
        let key = self.key_url(tenant, id);
        let change = if paused { "pause" } else { "resume" };
        let call = Call::post(format!("{key}/{change}"));
        let answer = self.http.success(&call).await?;
        match self.provider {
            Provider::Ntropii => ntropii::tenant_key_of(&answer, answer.json()?),
            Provider::Ontora => ontora::key_of(&answer, answer.json()?),
        }
    }

    fn key_url(&self, tenant: &TenantSlug, id: &str) -> String {
        match self.provider {
            Provider::Ntropii => ntropii::tenant_key(self.http.host(), tenant, id),
            Provider::Ontora => ontora::key(self.http.host(), id),
        }
    }

    fn creation(&self, request: &KeyRequest) -> (String, Value) {
        let host = self.http.host();
        let KeyRequest {
            tenant,
            name,
            scopes,
            expires_in_days,
            may_rotate,
        } = request;
        match self.provider {
            Provider::Ntropii => (
                ntropii::tenant_keys(host, tenant),
                serde_json::json!(wire::ntropii::CreateTenantKey {
                    name: name.to_string(),
                    expires_in_days: *expires_in_days,
                    may_rotate: (!may_rotate).then_some(false),
                }),
            ),
            Provider::Ontora => (
                ontora::keys(host),
                serde_json::json!(wire::ontora::CreateApiKey {
                    name: name.to_string(),
                    workspace_id: tenant.to_string(),
                    scopes: scopes.iter().map(ToString::to_string).collect(),
                    expires_in_days: *expires_in_days,
                    may_rotate: (!may_rotate).then_some(false),
                }),
            ),
        }
    }
}

/// Parses the answer to a creation. Moves the secret out of it without a copy.
fn created(
    provider: Provider,
    answer: &ServerResponse,
) -> Result<(KeyInfo, Option<ApiKey>), Error> {
    let mut value = answer.value()?;
    let key = match value.get_mut("key").map(Value::take) {
        Some(Value::String(key)) => {
            Some(ApiKey::from_secret(key).map_err(|error| answer.misshapen(error))?)
        }
        _ => None,
    };
    let info = match provider {
        Provider::Ntropii => ntropii::tenant_key_of(answer, value)?,
        Provider::Ontora => ontora::key_of(answer, value)?,
    };
    Ok((info, key))
}

/// Parses the answer to a creation that must hold the key.
pub(super) fn new_key(provider: Provider, answer: ServerResponse) -> Result<NewKey, Error> {
    let answer = answer.into_success()?;
    match created(provider, &answer)? {
        (info, Some(key)) => Ok(NewKey { info, key }),
        (_, None) => Err(answer.misshapen("it holds no key")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_token_is_jwt_and_hidden() {
        let bind = |text: &str| AdminToken::bind(text.to_owned(), origin());
        assert_eq!(bind(" ").unwrap_err(), AdminTokenError::Empty);
        for text in ["ont_live_x", "a.b", "a..c", "a.b.c.d", "a.b c.d", "ä.b.c"] {
            assert_eq!(bind(text).unwrap_err(), AdminTokenError::NotAJwt, "{text}");
        }
        let long = format!("a.{}.c", "b".repeat(LONGEST_TOKEN));
        assert!(matches!(
            bind(&long).unwrap_err(),
            AdminTokenError::TooLong { .. }
        ));
        let token = bind(" eyJh.eyJz.c2ln\n").unwrap();
        assert_eq!(token.for_origin(&origin()), Some("eyJh.eyJz.c2ln"));
        assert_eq!(
            format!("{token:?}"),
            "AdminToken(… for https://api.ontora.com)"
        );
    }

    #[test]
    fn admin_token_is_bound_to_origin() {
        let token = AdminToken::bind("a.b.c".to_owned(), origin()).unwrap();
        let other = "http://api.ontora.com".parse().unwrap();
        assert_eq!(token.for_origin(&other), None);
    }

    fn origin() -> Origin {
        "https://api.ontora.com".parse().unwrap()
    }
}
