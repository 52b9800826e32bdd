//! Records the safety settings of connections in `config.toml`, so that they are not lost.
//!
//! The official clients drop every key of `ntro` when they rewrite the file, and a policy dropped
//! with it would protect nothing. So the settings are recorded in `logins.toml`: with every change
//! made by `ntro`, and when a connection is used, for settings edited by hand.

use std::time::Duration;

use super::{ConfigFiles, Error};
use crate::config::{Config, Document, NtroDir, SafetySettings};
use crate::state::KeyRecords;

/// Returns whether the configuration has safety settings that are not recorded.
#[must_use]
pub fn has_unrecorded_safety(config: &Config, records: &KeyRecords) -> bool {
    record(config, &mut records.clone())
}

/// Timeout for the lock. Commands that only use a connection should not wait long for writers.
const TIMEOUT: Duration = Duration::from_secs(1);

/// Records the safety settings in the configuration.
///
/// # Errors
///
/// Fails when the files cannot be read or written.
pub fn record_safety(home: &NtroDir) -> Result<(), Error> {
    let lock = home.lock_within(TIMEOUT)?;
    let files = ConfigFiles::read(home)?;
    if files.recorded {
        files.records.save(&home.logins(), &lock)?;
    }
    Ok(())
}

/// Records the settings of entries that have them, and removes the records of deleted connections.
/// Returns whether anything has changed.
///
/// The official clients write the file in place, so it may appear without connections. Therefore a
/// connection with a recorded login does not count as deleted.
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

/// Restores the recorded settings of entries that the official clients have rewritten.
pub(super) fn put_back(
    config: &Config,
    records: &KeyRecords,
    document: &mut Document,
) -> Result<(), Error> {
    let rewritten = config.connections.iter();
    let rewritten = rewritten.filter(|(_, entry)| entry.safety().is_none());
    let dropped: Vec<_> = rewritten
        .map(|(name, _)| (name.as_str(), records.safety(name)))
        .collect();
    let each = dropped.iter();
    document.set_each(
        "policy",
        each.clone()
            .filter_map(|(name, safety)| Some((*name, safety.policy?.as_str()))),
    )?;
    document.set_each(
        "production",
        each.filter_map(|(name, safety)| Some((*name, safety.production?))),
    )?;
    Ok(())
}

/// Writes safety settings into the entry of a connection, which is created if it does not exist.
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
