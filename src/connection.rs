use ntro_base::{ApiKey, ConnectionName, Host, KeyPrefix, Policy, Provider, TenantSlug};
use ntro_client::resolve;
use ntro_client::session::{self, Session};

use crate::{Client, Error, Options};

/// A host and its key, with everything else that a call needs.
#[derive(Clone, Debug)]
pub struct Connection {
    resolved: resolve::Connection,
    options: session::Options,
    client: Client,
}

impl Connection {
    /// Resolves the active connection and reads its key from the store.
    ///
    /// Sends no request to a server. It may wait for the system's keyring, at most
    /// `NTRO_KEYRING_TIMEOUT` seconds, and can be called inside a runtime.
    ///
    /// # Errors
    ///
    /// Fails when no connection is chosen, when a value is invalid, when no key is stored for the
    /// host, and when the store is locked or does not answer.
    pub fn resolve(options: Options) -> Result<Self, Error> {
        let options = options.0;
        let session = Session::new(options.clone());
        let resolved = session.connection()?;
        let client = Client::new(session.client(&resolved)?, resolved.clone());
        Ok(Self {
            resolved,
            options,
            client,
        })
    }

    /// Returns its name; `None` if the environment alone provides the host and the key.
    #[must_use]
    pub fn name(&self) -> Option<&ConnectionName> {
        self.resolved.name.as_ref().map(|name| &name.value)
    }

    /// Returns the API that the host serves.
    #[must_use]
    pub fn provider(&self) -> Provider {
        self.resolved.provider.value
    }

    /// Returns the base URL.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.resolved.host.value
    }

    /// Returns the tenant named by the options, the environment or the configuration. See
    /// [`Client::active_tenant`] for the tenant that a call uses.
    #[must_use]
    pub fn tenant(&self) -> Option<&TenantSlug> {
        self.resolved.tenant.as_ref().map(|tenant| &tenant.value)
    }

    /// Returns the displayable prefix of the key.
    #[must_use]
    pub fn key_prefix(&self) -> KeyPrefix {
        self.resolved.key.value.prefix()
    }

    /// Returns the policy of the key.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.resolved.policy
    }

    /// Returns the key itself, for use by another program.
    ///
    /// # Errors
    ///
    /// Fails with [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden) if the policy of the
    /// connection is `keyless`, and with [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) if it
    /// is `confirm` and the confirmation is missing.
    pub fn reveal_key(&self) -> Result<&ApiKey, Error> {
        Ok(self.options.reveal(&self.resolved)?)
    }

    /// Returns a client for its calls.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }
}
