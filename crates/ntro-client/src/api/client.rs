//! Calls made with an API key.

use reqwest::StatusCode;

use super::admin::created;
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

/// Whether a server says by this status that it has no such function.
fn is_unknown(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
    )
}

/// What a key can ask of its server.
///
/// Making one costs nothing: no connection, no certificates, no I/O before the first call.
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

    /// Makes a client that shares what its requests go out through.
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
            http: Http::new(host, credential, insecure_http, settings, transport.clone()),
        }
    }

    /// Returns the base URL that is called.
    #[must_use]
    pub fn host(&self) -> &Host {
        self.http.host()
    }

    pub(super) fn http(&self) -> &Http {
        &self.http
    }

    /// Returns the system that is spoken.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// Returns who the key belongs to.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] when the server does not accept the key, or any other [`Error`].
    pub async fn identity(&self) -> Result<Identity, Error> {
        match self.provider {
            Provider::Ntropii => {
                let call = Call::get(ntropii::me(self.host()));
                ntropii::identity(&self.known(&call).await?)
            }
            Provider::Ontora => {
                let call = Call::get(ontora::current_key(self.host()));
                ontora::identity(&self.known(&call).await?)
            }
        }
    }

    /// Returns the tenants that the key reaches. A key of Ontora reaches its one workspace.
    ///
    /// # Errors
    ///
    /// Any [`Error`].
    pub async fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        match self.provider {
            Provider::Ntropii => {
                let call = Call::get(ntropii::tenants(self.host()));
                ntropii::tenant_list(&self.known(&call).await?)
            }
            Provider::Ontora => Ok(vec![self.workspace().await?]),
        }
    }

    /// Returns one tenant, by its slug or id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is none, or none that the key reaches; for a workspace of
    /// Ontora that is not the key's own, [`Error::OutOfReach`]. Or any other [`Error`].
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

    /// Returns what the server tells of the presented key.
    ///
    /// # Errors
    ///
    /// [`Error::NotOffered`] when this server tells nothing of keys, or any other [`Error`].
    pub async fn current_key(&self) -> Result<KeyInfo, Error> {
        match self.provider {
            Provider::Ntropii => {
                let call = Call::get(ntropii::me(self.host()));
                let answer = self.known(&call).await?;
                ntropii::identity(&answer)?
                    .key
                    .ok_or_else(|| answer.not_offered("a description of the key"))
            }
            Provider::Ontora => {
                let call = Call::get(ontora::current_key(self.host()));
                ontora::current(&self.known(&call).await?)
            }
        }
    }

    /// Revokes the presented key by itself, which only an authority allows.
    ///
    /// # Errors
    ///
    /// [`Error::NotOffered`] when the server has no such function: the key is still live. Or any
    /// other [`Error`].
    pub async fn revoke_current(&self) -> Result<Revocation, Error> {
        let url = match self.provider {
            Provider::Ntropii => ntropii::current_key(self.host()),
            Provider::Ontora => ontora::current_key(self.host()),
        };
        let answer = self.http.send(&Call::delete(url)).await?;
        match answer.status {
            status if status.is_success() => Ok(Revocation::Revoked),
            StatusCode::UNAUTHORIZED if answer.resent => Ok(Revocation::Presumed),
            // A server that takes `current` for the id of a key says 404 or 422.
            StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::NOT_IMPLEMENTED => {
                Err(answer.not_offered("the revocation of a key by itself"))
            }
            // So does an authority that lets only administrators revoke.
            StatusCode::FORBIDDEN if answer.refusal().code.as_deref() == Some("jwt_required") => {
                Err(answer.not_offered("the revocation of a key by itself"))
            }
            _ => Err(answer.into_error()),
        }
    }

    /// Has the presented key mint its successor, which only an authority allows.
    ///
    /// The successor is pending: it ends with the key until it has revoked it by
    /// [`Client::revoke_predecessor`], and the next one takes its place. The request is sent once,
    /// under a name that no other has. After an error other than [`Error::NotOffered`] a successor
    /// may have been made all the same, or may yet be; [`Client::revoke_successor`] of the same
    /// name takes it back.
    ///
    /// # Errors
    ///
    /// [`Error::NotOffered`] when the server has no such function, or not for this key. Or any
    /// other [`Error`].
    pub async fn rotate_current(&self, attempt: &str) -> Result<NewKey, Error> {
        const WHAT: &str = "the rotation of a key by itself";

        let call = Call::post(self.current("/rotate")).known_by(attempt);
        let answer = self.http.send(&call).await?;
        let switched_off = ["rotation_off", "jwt_required"];
        match answer.status {
            status if status.is_success() => match created(self.provider, &answer)? {
                (info, Some(key)) => Ok(NewKey { info, key }),
                (_, None) => Err(answer.misshapen("it holds no key")),
            },
            status if is_unknown(status) => Err(answer.not_offered(WHAT)),
            StatusCode::FORBIDDEN
                if answer
                    .refusal()
                    .code
                    .is_some_and(|code| switched_off.contains(&code.as_str())) =>
            {
                Err(answer.not_offered(WHAT))
            }
            _ => Err(answer.into_error()),
        }
    }

    /// Revokes the pending successor that an attempt of the presented key has made, and sees to it
    /// that it makes none any more. That there is none is no error.
    ///
    /// # Errors
    ///
    /// [`Error::NotOffered`] when the server has no such function. Or any other [`Error`].
    pub async fn revoke_successor(&self, attempt: &str) -> Result<(), Error> {
        let call = Call::delete(self.current("/successor")).known_by(attempt);
        self.revoke_relative(&call).await
    }

    /// Revokes the key that minted the presented one, which stands by itself from then on. That
    /// there is none, or none any more, is no error.
    ///
    /// # Errors
    ///
    /// [`Error::NotOffered`] when the server has no such function. Or any other [`Error`].
    pub async fn revoke_predecessor(&self) -> Result<(), Error> {
        let call = Call::delete(self.current("/predecessor"));
        self.revoke_relative(&call).await
    }

    async fn revoke_relative(&self, call: &Call) -> Result<(), Error> {
        let answer = self.http.send(call).await?;
        if is_unknown(answer.status) {
            return Err(answer.not_offered("the rotation of a key by itself"));
        }
        answer.into_success().map(drop)
    }

    /// The authority's own endpoints for the presented key.
    fn current(&self, rest: &str) -> String {
        let current = match self.provider {
            Provider::Ntropii => ntropii::current_key(self.host()),
            Provider::Ontora => ontora::current_key(self.host()),
        };
        format!("{current}{rest}")
    }

    /// Makes a call that every server of this kind knows.
    async fn known(&self, call: &Call) -> Result<ServerResponse, Error> {
        self.http.success(call).await.map_err(|error| match error {
            Error::NotFound(refusal) => Error::UnknownApi(refusal),
            error => error,
        })
    }

    async fn workspace(&self) -> Result<Tenant, Error> {
        let call = Call::get(ontora::current_key(self.host()));
        let answer = self.known(&call).await?;
        ontora::workspace_of(&answer, &ontora::current(&answer)?)
    }
}
