use std::fmt;
use std::sync::Arc;

use ntro_base::TenantSlug;
use ntro_client::{api, resolve};

use crate::{Error, Identity, KeyInfo, Tenant};

/// Makes the calls of a key.
///
/// Idempotent calls are tried up to three times. `NTRO_TIMEOUT` bounds each call in all, 30
/// seconds by default. Clones share their connections to the server.
#[derive(Clone)]
pub struct Client {
    api: Arc<api::Client>,
    connection: resolve::Connection,
}

impl Client {
    pub(crate) fn new(api: api::Client, connection: resolve::Connection) -> Self {
        Self {
            api: Arc::new(api),
            connection,
        }
    }

    /// Returns who the key belongs to, and the tenants that it reaches.
    ///
    /// # Errors
    ///
    /// Fails when the server does not accept the key, or gives no answer.
    pub async fn whoami(&self) -> Result<Identity, Error> {
        let whoami = self.api.whoami().await?;
        let mut identity = whoami.identity;
        identity.tenants = Some(whoami.tenants);
        Ok(identity)
    }

    /// Returns the tenants that the key reaches.
    ///
    /// # Errors
    ///
    /// Fails when the server does not accept the key, or gives no answer.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, Error> {
        Ok(self.api.tenants().await?)
    }

    /// Returns one tenant, with its details.
    ///
    /// # Errors
    ///
    /// Fails when the key does not reach it, and when the server gives no answer.
    pub async fn tenant(&self, slug: &TenantSlug) -> Result<Tenant, Error> {
        Ok(self.api.tenant(slug).await?)
    }

    /// Returns the tenant that calls are about: the one that is named, or else the only one that
    /// the key reaches.
    ///
    /// # Errors
    ///
    /// Fails when the key does not reach the tenant that is named, and when none is named and the
    /// key reaches several.
    pub async fn active_tenant(&self) -> Result<Tenant, Error> {
        let tenants = self.api.tenants().await?;
        let named = self.connection.tenant.as_ref();
        let active = Tenant::active(named.map(|named| &named.value), &tenants);
        active.cloned().ok_or_else(|| match named {
            Some(wanted) => Error::out_of_reach(wanted, &tenants),
            None => Error::no_tenant(&tenants),
        })
    }

    /// Returns what the server knows of the key: its scopes, when it expires, and so on.
    ///
    /// # Errors
    ///
    /// Fails when the server does not accept the key, does not have this call, or gives no answer.
    pub async fn current_key(&self) -> Result<KeyInfo, Error> {
        Ok(self.api.current_key().await?)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
