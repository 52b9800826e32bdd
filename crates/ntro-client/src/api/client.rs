//! Calls made with an API key.

use reqwest::StatusCode;

use super::admin::new_key;
use super::credential::Credential;
use super::error::Error;
use super::http::{Call, Http};
use super::identity::Identity;
use super::key_info::{KeyInfo, NewKey, Revocation};
use super::response::ServerResponse;
use super::settings::{Settings, Target};
use super::tenant::Tenant;
use super::transport::Transport;
use super::{ntropii, ontora};
use ntro_base::{Host, Provider, TenantSlug};

/// The calls of an API key.
///
/// Making a client costs nothing: no connection, no certificates, no I/O before the first call.
pub struct Client {
    provider: Provider,
    http: Http,
}

impl Client {
    /// Makes a client for one target.
    #[must_use]
    pub fn new(target: Target, settings: Settings) -> Self {
        let transport = Transport::of_one(&settings);
        Self::through(&transport, target, settings)
    }

    /// Makes a client that sends through a shared transport.
    #[must_use]
    pub fn through(transport: &Transport, target: Target, settings: Settings) -> Self {
        let Target {
            provider,
            host,
            key,
            insecure_http,
        } = target;
        let credential = key.map(|key| Credential::Key(provider, key));
        Self {
            provider,
            http: Http::new(
                provider,
                host,
                credential,
                insecure_http,
                settings,
                transport.clone(),
            ),
        }
    }

    /// Returns the base URL.
    #[must_use]
    pub fn host(&self) -> &Host {
        self.http.host()
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// Returns the API that the server speaks.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Returns the owner of the key; [`Error::Rejected`] when the server does not accept it.
    pub async fn identity(&self) -> Result<Identity, Error> {
        match self.provider {
            Provider::Ntropii => {
                let call = Call::get(ntropii::me(self.host()));
                ntropii::identity(&self.call_known(&call).await?)
            }
            Provider::Ontora => {
                let call = Call::get(ontora::current_key(self.host()));
                ontora::identity(&self.call_known(&call).await?)
            }
        }
    }

    /// Returns the tenants that the key reaches; for Ontora, its one workspace.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        match self.provider {
            Provider::Ntropii => {
                let call = Call::get(ntropii::tenants(self.host()));
                ntropii::tenant_list(&self.call_known(&call).await?)
            }
            Provider::Ontora => Ok(vec![self.workspace().await?]),
        }
    }

    /// Returns one tenant, by its slug or id.
    ///
    /// [`Error::NotFound`] when there is none, or none that the key reaches. [`Error::OutOfReach`]
    /// for a workspace of Ontora that is not the key's own.
    pub async fn tenant(&self, slug: &TenantSlug) -> Result<Tenant, Error> {
        match self.provider {
            Provider::Ntropii => {
                let call = Call::get(ntropii::tenant(self.host(), slug));
                ntropii::one_tenant(&self.http.success(&call).await?)
            }
            Provider::Ontora => {
                let workspace = self.workspace().await?;
                if workspace.is(slug) {
                    return Ok(workspace);
                }
                Err(Error::OutOfReach {
                    origin: self.host().origin(),
                    tenant: slug.clone(),
                    reachable: workspace.slug,
                })
            }
        }
    }

    /// Returns the server's description of the presented key.
    ///
    /// [`Error::NotOffered`] when this server describes no keys.
    pub async fn current_key(&self) -> Result<KeyInfo, Error> {
        match self.provider {
            Provider::Ntropii => {
                let call = Call::get(ntropii::me(self.host()));
                let answer = self.call_known(&call).await?;
                ntropii::identity(&answer)?
                    .key
                    .ok_or_else(|| answer.not_offered("a description of the key"))
            }
            Provider::Ontora => {
                let call = Call::get(ontora::current_key(self.host()));
                ontora::current(&self.call_known(&call).await?)
            }
        }
    }

    /// Revokes the presented key with itself, which only an authority allows.
    ///
    /// [`Error::NotOffered`] when the server lacks the endpoint: the key is still live.
    pub async fn revoke_current(&self) -> Result<Revocation, Error> {
        const FUNCTION: &str = "the revocation of a key by itself";

        let call = Call::delete(self.current(""));
        let answer = self.http.send(&call).await?.offered(FUNCTION)?;
        match answer.status {
            status if status.is_success() => Ok(Revocation::Revoked),
            StatusCode::UNAUTHORIZED if answer.resent => Ok(Revocation::Presumed),
            // A server that reads `current` as the id of a key answers 404 or 422.
            StatusCode::UNPROCESSABLE_ENTITY => Err(answer.not_offered(FUNCTION)),
            // An authority that lets only administrators revoke.
            StatusCode::FORBIDDEN if answer.refusal().code.as_deref() == Some("jwt_required") => {
                Err(answer.not_offered(FUNCTION))
            }
            _ => Err(answer.into_error()),
        }
    }

    /// Creates the successor of the presented key, which only an authority allows.
    ///
    /// The successor is pending: it ends with its predecessor unless it revokes it by
    /// [`Client::revoke_predecessor`], and a further successor replaces it. The request is sent once,
    /// under the unique name `attempt`. After an error other than [`Error::NotOffered`] a successor
    /// may exist or may still be created; [`Client::revoke_successor`] with the same name revokes
    /// it.
    ///
    /// [`Error::NotOffered`] when the server lacks the endpoint, or refuses it to this key.
    pub async fn rotate_current(&self, attempt: &str) -> Result<NewKey, Error> {
        const FUNCTION: &str = "the rotation of a key by itself";

        let call = Call::post(self.current("/rotate")).known_by(attempt);
        let answer = self.http.send(&call).await?.offered(FUNCTION)?;
        let switched_off = ["rotation_off", "jwt_required"];
        match answer.status {
            StatusCode::FORBIDDEN
                if answer
                    .refusal()
                    .code
                    .is_some_and(|code| switched_off.contains(&code.as_str())) =>
            {
                Err(answer.not_offered(FUNCTION))
            }
            _ => new_key(self.provider, answer),
        }
    }

    /// Revokes the pending successor that an attempt has created, and prevents the attempt from
    /// creating one later. Succeeds when there is none.
    ///
    /// [`Error::NotOffered`] when the server lacks the endpoint.
    pub async fn revoke_successor(&self, attempt: &str) -> Result<(), Error> {
        let call = Call::delete(self.current("/successor")).known_by(attempt);
        self.revoke_relative(&call).await
    }

    /// Revokes the predecessor of the presented key, which then no longer depends on it. Succeeds
    /// when there is none.
    ///
    /// [`Error::NotOffered`] when the server lacks the endpoint.
    pub async fn revoke_predecessor(&self) -> Result<(), Error> {
        let call = Call::delete(self.current("/predecessor"));
        self.revoke_relative(&call).await
    }

    /// Lets the server revoke the predecessor of the presented key once it was not used for some
    /// seconds.
    ///
    /// [`Error::NotOffered`] when the server lacks the endpoint.
    pub async fn end_predecessor_when_quiet(&self, seconds: u64) -> Result<(), Error> {
        const FUNCTION: &str = "the end of a key that is not used any more";

        let body = serde_json::json!({"end_when_quiet_for_seconds": seconds});
        let call = Call::put(self.current("/predecessor"), body);
        let answer = self.http.send(&call).await?.offered(FUNCTION)?;
        answer.into_success().map(drop)
    }

    async fn revoke_relative(&self, call: &Call) -> Result<(), Error> {
        let answer = self.http.send(call).await?;
        let answer = answer.offered("the rotation of a key by itself")?;
        answer.into_success().map(drop)
    }

    /// Returns the URL of one of the authority's endpoints for the presented key.
    pub(super) fn current(&self, rest: &str) -> String {
        let current = match self.provider {
            Provider::Ntropii => ntropii::current_key(self.host()),
            Provider::Ontora => ontora::current_key(self.host()),
        };
        format!("{current}{rest}")
    }

    /// Makes a call that every server of this API answers: a 404 means another API.
    async fn call_known(&self, call: &Call) -> Result<ServerResponse, Error> {
        self.http.success(call).await.map_err(|error| match error {
            Error::NotFound(refusal) => Error::UnknownApi(refusal),
            error => error,
        })
    }

    async fn workspace(&self) -> Result<Tenant, Error> {
        let call = Call::get(ontora::current_key(self.host()));
        let answer = self.call_known(&call).await?;
        ontora::workspace_of(&answer, &ontora::current(&answer)?)
    }
}
