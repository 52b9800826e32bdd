use std::fmt;
use std::path::Path;
use std::sync::Arc;

use ntro_base::{ConnectionName, Host, TenantSlug};
use ntro_client::resolve::GivenBy;
use ntro_client::secrets::Error as StoreError;
use ntro_client::session::{self, AskPassphrase};
use secrecy::SecretString;

/// Options for resolving a connection.
///
/// Each method overrides what the environment, the project and the configuration say.
#[derive(Clone)]
pub struct Options(pub(crate) session::Options);

impl Options {
    /// Takes the variables and the current folder of this process into account.
    ///
    /// The variables are listed in the reference of `ntro`: `NTRO_CONNECTION`, `NTRO_HOST`,
    /// `NTRO_API_KEY`, `NTRO_TENANT`, `NTRO_TIMEOUT`, `NTRO_PASSPHRASE` and others. With
    /// `NTRO_STRICT`, a variable that overrides a stored value is an error.
    #[must_use]
    pub fn from_env() -> Self {
        Self::of(session::Options::from_env())
    }

    fn of(mut options: session::Options) -> Self {
        options.flags.given_by = GivenBy::Program;
        Self(options)
    }

    /// Uses the connection of this name.
    #[must_use]
    pub fn connection(mut self, name: ConnectionName) -> Self {
        self.0.flags.connection = Some(name);
        self
    }

    /// Uses this base URL instead of the connection's. A stored key is not sent to another origin
    /// than its own, so that needs `NTRO_API_KEY`.
    #[must_use]
    pub fn host(mut self, host: Host) -> Self {
        self.0.flags.host = Some(host);
        self
    }

    /// Uses this tenant instead of the connection's default tenant.
    #[must_use]
    pub fn tenant(mut self, tenant: TenantSlug) -> Self {
        self.0.flags.tenant = Some(tenant);
        self
    }

    /// Allows plain `http` to other machines.
    #[must_use]
    pub fn allow_insecure_http(mut self) -> Self {
        self.0.insecure_http = true;
        self
    }

    /// Calls `ask` for the passphrase of the encrypted key file, if no variable has it. `None`
    /// means that the person declined.
    #[must_use]
    pub fn ask_passphrase(
        mut self,
        ask: impl Fn() -> Option<SecretString> + Send + Sync + 'static,
    ) -> Self {
        let ask: AskPassphrase = Arc::new(move |_, _| ask().ok_or(StoreError::Cancelled));
        self.0.prompt = Arc::new(move || Some(Arc::clone(&ask)));
        self
    }

    /// Calls `confirm` before a key with the policy `confirm` is revealed. Without it, such a key
    /// is not revealed.
    #[must_use]
    pub fn confirm(
        mut self,
        confirm: impl Fn(&ConnectionName) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.0.confirm = Some(Arc::new(confirm));
        self
    }

    /// Passes warnings to `warn`, instead of logging them with `tracing`.
    #[must_use]
    pub fn warn(mut self, warn: impl Fn(&str) + Send + Sync + 'static) -> Self {
        self.0.notice = Arc::new(move |notice| warn(&notice.to_string()));
        self
    }

    /// Starts the search for `.ntro.toml` in this folder.
    #[must_use]
    pub fn folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.0.folder = Some(folder.as_ref().to_owned());
        self
    }
}

/// Without variables and `.ntro.toml` files.
impl Default for Options {
    fn default() -> Self {
        Self::of(session::Options::default())
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
