use super::{ConfigFiles, Error};
use crate::config::{Document, NtroDir, SafetySettings};
use ntro_base::disk::FileLock;
use ntro_base::{ConnectionName, Policy, TenantSlug};

/// Sets the default connection. Fails if it does not exist.
pub fn set_default(home: &NtroDir, name: &ConnectionName) -> Result<(), Error> {
    edit(home, name, |document| {
        document.set_default(name.as_str());
        Ok(())
    })
}

/// A change of safety settings; `None` leaves one as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct SafetyChange {
    /// How the key may be used.
    pub policy: Option<Policy>,
    /// Whether the connection counts as production; `Some(None)` lets host and name decide.
    pub production: Option<Option<bool>>,
}

impl SafetyChange {
    /// Returns the settings after the change.
    #[must_use]
    pub fn applied(self, before: SafetySettings) -> SafetySettings {
        SafetySettings {
            policy: self.policy.or(before.policy),
            production: self.production.unwrap_or(before.production),
        }
    }
}

/// Returns the safety settings of a connection. Fails if it does not exist.
pub fn safety_of(home: &NtroDir, name: &ConnectionName) -> Result<SafetySettings, Error> {
    let files = ConfigFiles::read_only(home)?;
    files.require(name)?;
    let entry = files.config.connections.get(name.as_str());
    let entry = entry.and_then(|entry| entry.safety());
    Ok(entry.unwrap_or_else(|| files.records.safety(name.as_str())))
}

/// Changes the safety settings of a connection, in `config.toml` and in their record.
pub fn set_safety(
    home: &NtroDir,
    name: &ConnectionName,
    change: SafetyChange,
) -> Result<(), Error> {
    let edit = |document: &mut Document| {
        let name = name.as_str();
        if let Some(policy) = change.policy {
            document.set(name, "policy", policy.as_str())?;
        }
        match change.production {
            Some(Some(production)) => document.set(name, "production", production)?,
            Some(None) => document.unset(name, "production"),
            None => {}
        }
        Ok(())
    };
    let Some(lock) = lock_unless_same(home, name, &edit)? else {
        return Ok(());
    };
    let mut files = ConfigFiles::read(home)?;
    files.require(name)?;
    let mut document = files.document(home)?;
    let after = change.applied(files.records.safety(name.as_str()));
    edit(&mut document)?;
    let document = document.finish()?;
    if files.records.set_safety(name.as_str(), after) || files.recorded {
        files.records.save(&home.logins(), &lock)?;
    }
    Ok(document.save(&lock)?)
}

/// Sets the default tenant of a connection.
pub fn set_default_tenant(
    home: &NtroDir,
    name: &ConnectionName,
    tenant: &TenantSlug,
) -> Result<(), Error> {
    edit(home, name, |document| {
        Ok(document.set(name.as_str(), "default_tenant", tenant.as_str())?)
    })
}

/// Sets the command that prints an admin JWT for a connection.
pub fn set_admin_token_command(
    home: &NtroDir,
    name: &ConnectionName,
    command: &[String],
) -> Result<(), Error> {
    edit(home, name, |document| {
        Ok(document.set(name.as_str(), "admin_token_command", command.to_vec())?)
    })
}

fn edit(
    home: &NtroDir,
    name: &ConnectionName,
    change: impl Fn(&mut Document) -> Result<(), Error>,
) -> Result<(), Error> {
    let Some(lock) = lock_unless_same(home, name, &change)? else {
        return Ok(());
    };
    let files = ConfigFiles::read(home)?;
    files.require(name)?;
    let mut document = files.document(home)?;
    change(&mut document)?;
    let document = document.finish()?;
    if files.recorded {
        files.records.save(&home.logins(), &lock)?;
    }
    Ok(document.save(&lock)?)
}

/// Takes the lock of the folder. Returns `None` where it cannot be taken, as in a read-only folder,
/// and the change would leave `config.toml` as it is.
fn lock_unless_same(
    home: &NtroDir,
    name: &ConnectionName,
    change: &dyn Fn(&mut Document) -> Result<(), Error>,
) -> Result<Option<FileLock>, Error> {
    let is_same = || -> Result<bool, Error> {
        let files = ConfigFiles::read_only(home)?;
        files.require(name)?;
        let mut document = files.document(home)?;
        change(&mut document)?;
        Ok(document.finish()?.is_same())
    };
    match home.lock() {
        Ok(lock) => Ok(Some(lock)),
        Err(_) if is_same().unwrap_or(false) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
