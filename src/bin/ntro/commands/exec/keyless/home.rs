//! The folder that a keyless child has in place of the user's.

use std::path::Path;

use ntro_base::env::{self, Env};
use ntro_base::{ApiKey, ConnectionName, Host, Provider, TenantSlug, disk};
use ntro_client::config::{Document, NtroDir};
use tempfile::TempDir;

use crate::error::CliError;
use crate::exit::Kind;

/// The connection as the child sees it.
pub(crate) struct Shown<'a> {
    pub(crate) name: &'a ConnectionName,
    pub(crate) provider: Provider,
    /// The proxy.
    pub(crate) host: &'a Host,
    pub(crate) token: &'a ApiKey,
    pub(crate) tenant: Option<&'a TenantSlug>,
}

/// Makes an empty folder that only the user can read: in the runtime directory, else in the folder
/// for temporary files.
pub(super) fn create(env: &Env) -> Result<TempDir, CliError> {
    let runtime = env.path(&env::XDG_RUNTIME_DIR).ok().flatten();
    let runtime = runtime.filter(|folder| disk::ensure_writable(folder).is_ok());
    let parent = runtime.unwrap_or_else(std::env::temp_dir);
    let made = tempfile::Builder::new()
        .prefix("ntro-keyless-")
        .tempdir_in(&parent);
    made.map_err(|error| {
        let message = format!("cannot make a folder in `{}`: {error}", parent.display());
        CliError::new(Kind::Failure, message)
    })
}

/// Writes the configuration that the official clients read.
pub(crate) fn write(folder: &Path, shown: &Shown<'_>) -> Result<(), CliError> {
    let home = NtroDir::at(folder);
    let lock = home.lock().map_err(ntro_client::config::Error::from)?;
    let mut document = Document::read(&home.config())?;
    let name = shown.name.as_str();
    document.set_default(name);
    document.set(name, "host", shown.host.as_str())?;
    document.set(name, "api_key", shown.token.expose())?;
    document.set(name, "provider", shown.provider.as_str())?;
    if let Some(tenant) = shown.tenant {
        document.set(name, "default_tenant", tenant.as_str())?;
    }
    Ok(document.finish()?.save(&lock)?)
}
