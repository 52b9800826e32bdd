use super::{ConfigFiles, Error};
use crate::config::{Document, NtroDir};
use ntro_base::{ConnectionName, TenantSlug};

/// Sets the default connection. Fails if it does not exist.
pub fn set_default(home: &NtroDir, name: &ConnectionName) -> Result<(), Error> {
    edit(home, name, |document| {
        document.set_default(name.as_str());
        Ok(())
    })
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
    change: impl FnOnce(&mut Document) -> Result<(), Error>,
) -> Result<(), Error> {
    let lock = home.lock()?;
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
