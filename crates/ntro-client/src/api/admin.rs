//! Calls made with an administrator's JWT: the keys of a tenant.

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

/// The longest text taken for a JWT.
const LONGEST_TOKEN: usize = 16 * 1024;

/// How many pages of keys are read at most.
const PAGES: usize = 200;

/// An administrator's JWT, bound to the origin that it was obtained for.
///
/// As a key, it cannot be printed and is wiped on drop.
#[derive(Clone)]
pub struct AdminToken {
    token: SecretString,
    origin: Origin,
}

/// Why a text cannot be a JWT. Says nothing of the text itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdminTokenError {
    /// Nothing, or only white space, was given.
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
    /// Takes a secret text for a JWT and wipes the text whether or not it is one. White space
    /// around it is dropped.
    ///
    /// # Errors
    ///
    /// When the text cannot be a JWT.
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

/// Where an administrator's calls go.
#[derive(Clone, Debug)]
pub struct AdminTarget {
    /// The system that is spoken there.
    pub provider: Provider,
    /// Its base URL.
    pub host: Host,
    /// The administrator's JWT.
    pub token: AdminToken,
    /// Whether plain `http` may leave this machine.
    pub insecure_http: bool,
}

/// What a key that is to be made shall be like.
#[derive(Clone, Debug)]
pub struct KeyRequest {
    /// The tenant that it shall reach (Ontora: the workspace's id).
    pub tenant: TenantSlug,
    /// Its display name.
    pub name: KeyName,
    /// Its scopes. Ontora demands at least one; keys of Ntropii have none.
    pub scopes: Vec<Scope>,
    /// In how many days it shall end; `None` for never.
    pub expires_in_days: Option<u32>,
    /// Whether it may rotate itself, where the server knows of that.
    pub may_rotate: bool,
}

/// What an administrator can ask of a server.
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
        let AdminTarget {
            provider,
            host,
            token,
            insecure_http,
        } = target;
        let transport = Transport::of_one(&settings);
        Self {
            provider,
            http: Http::new(
                host,
                Some(Credential::Token(token)),
                insecure_http,
                settings,
                transport,
            ),
        }
    }

    /// Returns the tenants that the administrator sees.
    ///
    /// # Errors
    ///
    /// Any [`Error`].
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

    /// Returns every key of a tenant, revoked and expired ones included, as the server orders them.
    ///
    /// # Errors
    ///
    /// Any [`Error`].
    pub async fn list_keys(&self, tenant: &TenantSlug) -> Result<Vec<KeyInfo>, Error> {
        match self.provider {
            Provider::Ntropii => {
                let call = Call::get(ntropii::tenant_keys(self.http.host(), tenant));
                ntropii::key_list(&self.http.success(&call).await?)
            }
            Provider::Ontora => self.list_workspace_keys(tenant).await,
        }
    }

    /// Reads page after page, all of them within the time of one call. A server that knows no pages
    /// gives the same one again, which ends it.
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

    /// Makes a key and returns it, this once.
    ///
    /// The request carries an `Idempotency-Key`, so one that got no answer is sent again without
    /// making two keys. But no server keeps the secret of a key: what it answers then is the key's
    /// description alone. That key is of no use to anyone, so it is revoked and one more is made.
    ///
    /// # Errors
    ///
    /// [`Error::KeyLost`] when a key was made, its secret was lost and it could not be revoked
    /// either: the error names it. Or any other [`Error`]; after [`Error::Unreachable`] and
    /// [`Error::Unavailable`] a key may have been made that nobody holds, which a look at the
    /// [list](Self::list_keys) tells.
    pub async fn create_key(&self, request: &KeyRequest) -> Result<NewKey, Error> {
        let (url, body) = self.creation(request);
        // The second time round is for a lost answer; losing two is the server's habit.
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

    /// Makes a key under a name for the attempt, at most once however often that is repeated.
    ///
    /// The second time, also when the first request arrives only then, what comes back is the
    /// description of the key alone: enough to revoke it.
    ///
    /// # Errors
    ///
    /// Any [`Error`]. The key may have been made all the same, or may yet be.
    pub async fn create_key_once(
        &self,
        request: &KeyRequest,
        attempt: &str,
    ) -> Result<(KeyInfo, Option<ApiKey>), Error> {
        let (url, body) = self.creation(request);
        let call = Call::post_once(url, body).known_by(attempt);
        created(self.provider, &self.http.success(&call).await?)
    }

    /// Revokes a key by its id. A key that was revoked before is no error.
    ///
    /// # Errors
    ///
    /// Any [`Error`].
    pub async fn revoke_key(&self, tenant: &TenantSlug, id: &str) -> Result<(), Error> {
        let url = match self.provider {
            Provider::Ntropii => ntropii::tenant_key(self.http.host(), tenant, id),
            Provider::Ontora => ontora::key(self.http.host(), id),
        };
        let answer = self.http.send(&Call::delete(url)).await?;
        if answer.status == StatusCode::NOT_FOUND && answer.resent {
            // The first request was carried out, and only its answer was lost.
            return Ok(());
        }
        answer.into_success().map(drop)
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

/// Reads the answer to a creation; the secret moves out of it without a copy.
pub(super) fn created(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_jwt_is_taken_and_none_is_shown() {
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
    fn a_token_comes_out_for_its_own_origin_only() {
        let token = AdminToken::bind("a.b.c".to_owned(), origin()).unwrap();
        let other = "http://api.ontora.com".parse().unwrap();
        assert_eq!(token.for_origin(&other), None);
    }

    fn origin() -> Origin {
        "https://api.ontora.com".parse().unwrap()
    }
}
