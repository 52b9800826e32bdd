//! What `config.toml` says of the safety of connections, kept from vanishing.
//!
//! The official clients drop every key of ours when they rewrite the file, and a policy that is
//! gone with it would protect nothing. So it is noted in `logins.toml`: with every change that is
//! made here, and, for what was set with an editor, when the connection is used.

use std::time::Duration;

use super::{Error, Files};
use crate::config::{Config, Document, Guard, Home, Logins};

/// Returns whether the configuration says anything of the safety of connections that is not noted.
#[must_use]
pub fn unnoted_guards(config: &Config, logins: &Logins) -> bool {
    note(config, &mut logins.clone())
}

/// How long is waited for other writers. Whoever only uses a connection is not to stand in line.
const PATIENCE: Duration = Duration::from_secs(1);

/// Notes what the configuration says of the safety of connections.
///
/// # Errors
///
/// Fails when the files cannot be read or written.
pub fn note_guards(home: &Home) -> Result<(), Error> {
    let lock = home.lock_within(PATIENCE)?;
    let files = Files::read(home)?;
    if files.noted {
        files.logins.save(&home.logins(), &lock)?;
    }
    Ok(())
}

/// Notes what the entries say that speak for themselves, and forgets what is noted of connections
/// that are gone; returns whether anything has changed.
///
/// The official clients write the file in place: read meanwhile, it has no connection. So one of
/// which a login is on record is not gone.
pub(super) fn note(config: &Config, logins: &mut Logins) -> bool {
    let mut changed = false;
    for (name, entry) in &config.connections {
        if let Some(guard) = entry.guard() {
            changed |= logins.set_guard(name, guard);
        }
    }
    let gone: Vec<_> = logins
        .guarded()
        .filter(|name| !config.connections.contains_key(*name) && logins.get(name).is_none())
        .map(str::to_owned)
        .collect();
    for name in gone {
        changed |= logins.set_guard(&name, Guard::default());
    }
    changed
}

/// Writes what is noted into the entries that do not speak for themselves.
pub(super) fn put_back(
    config: &Config,
    logins: &Logins,
    document: &mut Document,
) -> Result<(), Error> {
    for (name, entry) in &config.connections {
        if entry.guard().is_none() {
            write(logins.guard(name), name, document)?;
        }
    }
    Ok(())
}

/// Writes a guard into the entry of a connection, which is made if there is none.
pub(super) fn write(guard: Guard, name: &str, document: &mut Document) -> Result<(), Error> {
    let Guard { policy, production } = guard;
    if let Some(policy) = policy {
        document.set(name, "policy", policy.as_str())?;
    }
    if let Some(production) = production {
        document.set(name, "production", production)?;
    }
    Ok(())
}
