//! The folder that a keyless child has in place of the user's.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use ntro_base::env::{self, Env};
use ntro_base::{ApiKey, ConnectionName, Host, Provider, TenantSlug, disk};
use ntro_client::config::{Document, NtroDir};
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::error::CliError;
use crate::exit::Kind;

const PREFIX: &str = "ntro-keyless-";

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
    remove_leftovers(&parent);
    let made = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent);
    made.map_err(|error| {
        let message = format!("cannot make a folder in `{}`: {error}", parent.display());
        CliError::new(Kind::Failure, message)
    })
}

/// Marks a folder as used until the file is dropped.
pub(in super::super) fn hold(folder: &Path) -> io::Result<File> {
    let held = File::open(folder)?;
    held.lock_shared()?;
    Ok(held)
}

/// Removes the folders of proxies that were killed, as the kernel does to each process of a container
/// whose first process ends.
fn remove_leftovers(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_named = name.as_encoded_bytes().starts_with(PREFIX.as_bytes());
        if is_named && is_leftover(&entry).unwrap_or_default() {
            let removed = fs::remove_dir_all(entry.path());
            tracing::debug!(?removed, "removed the folder of a killed proxy");
        }
    }
}

fn is_leftover(entry: &fs::DirEntry) -> io::Result<bool> {
    // A folder is made before it is held.
    const YOUNG: Duration = Duration::from_mins(1);

    let metadata = entry.metadata()?;
    let age = metadata.modified()?.elapsed();
    Ok(metadata.is_dir()
        && metadata.uid() == geteuid().as_raw()
        && age.is_ok_and(|age| age > YOUNG)
        && File::open(entry.path())?.try_lock().is_ok())
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
