//! What `config.toml` says of the safety of connections, kept from vanishing.
//!
//! The official clients drop every key of ours when they rewrite the file, and a policy that is
//! gone with it would protect nothing. So it is recorded in `logins.toml`: with every change that is
//! made here, and, for what was set with an editor, when the connection is used.

use std::time::Duration;

use super::{ConfigFiles, Error};
use crate::config::{Config, Document, NtroDir, SafetySettings};
use crate::state::KeyRecords;

/// Returns whether the configuration says anything of the safety of connections that is not recorded.
#[must_use]
pub fn has_unrecorded_safety(config: &Config, records: &KeyRecords) -> bool {
    record(config, &mut records.clone())
}

/// How long is waited for other writers. Whoever only uses a connection is not to stand in line.
const PATIENCE: Duration = Duration::from_secs(1);

/// Notes what the configuration says of the safety of connections.
///
/// # Errors
///
/// Fails when the files cannot be read or written.
pub fn record_safety(home: &NtroDir) -> Result<(), Error> {
    let lock = home.lock_within(PATIENCE)?;
    let files = ConfigFiles::read(home)?;
    if files.recorded {
        files.records.save(&home.logins(), &lock)?;
    }
    Ok(())
}

/// Notes what the entries say that speak for themselves, and forgets what is recorded of connections
/// that are gone; returns whether anything has changed.
///
/// The official clients write the file in place: read meanwhile, it has no connection. So one of
/// which a login is on record is not gone.
pub(super) fn record(config: &Config, records: &mut KeyRecords) -> bool {
    let mut changed = false;
    for (name, entry) in &config.connections {
        if let Some(safety) = entry.safety() {
            changed |= records.set_safety(name, safety);
        }
    }
    let gone: Vec<_> = records
        .guarded()
        .filter(|name| !config.connections.contains_key(*name) && records.get(name).is_none())
        .map(str::to_owned)
        .collect();
    for name in gone {
        changed |= records.set_safety(&name, SafetySettings::default());
    }
    changed
}

/// Writes what is recorded into the entries that do not speak for themselves.
pub(super) fn put_back(
    config: &Config,
    records: &KeyRecords,
    document: &mut Document,
) -> Result<(), Error> {
    for (name, entry) in &config.connections {
        if entry.safety().is_none() {
            write(records.safety(name), name, document)?;
        }
    }
    Ok(())
}

/// Writes a safety into the entry of a connection, which is made if there is none.
pub(super) fn write(
    safety: SafetySettings,
    name: &str,
    document: &mut Document,
) -> Result<(), Error> {
    let SafetySettings { policy, production } = safety;
    if let Some(policy) = policy {
        document.set(name, "policy", policy.as_str())?;
    }
    if let Some(production) = production {
        document.set(name, "production", production)?;
    }
    Ok(())
}
