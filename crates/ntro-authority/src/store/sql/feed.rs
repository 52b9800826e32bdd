//! Epochs, and the changes since one.

use super::columns::{KEY, TENANT, TRIPWIRE, key, tenant, tripwire};
use super::{SqlSession, values};
use crate::store::{RegistryChange, StoreError};

/// Returns the epoch that the session sees.
pub(in crate::store) fn epoch(session: &dyn SqlSession) -> Result<i64, StoreError> {
    session.number("SELECT epoch FROM meta", values![])
}

/// Begins a new epoch and returns it, for the rows that change in it.
pub(in crate::store) fn next_epoch(session: &dyn SqlSession) -> Result<i64, StoreError> {
    session.number(
        "UPDATE meta SET epoch = epoch + 1 RETURNING epoch",
        values![],
    )
}

/// Returns what verification must know of the epochs after `since`. Before epoch 0 that is every
/// tenant, every live key and every tripwire.
pub(in crate::store) fn registry_changes(
    session: &dyn SqlSession,
    since: i64,
) -> Result<Vec<RegistryChange>, StoreError> {
    let mut changes = Vec::new();
    let tenants = format!(
        "SELECT {TENANT}, (SELECT organisations.name FROM organisations \
         WHERE organisations.id = organisation_id) AS owner FROM tenants WHERE changed > ?1"
    );
    session.for_each(&tenants, values![since], &mut |row| {
        let change = RegistryChange::Tenant(Box::new(tenant(row)?), row.get(10)?);
        changes.push(change);
        Ok(())
    })?;
    // Keys that were revoked before the start are not needed.
    let keys = format!(
        "SELECT {KEY} FROM api_keys WHERE changed > ?1 AND (revoked_at IS NULL OR ?1 >= 0)"
    );
    session.for_each(&keys, values![since], &mut |row| {
        changes.push(RegistryChange::Key(Box::new(key(row)?)));
        Ok(())
    })?;
    let tripwires = format!("SELECT {TRIPWIRE} FROM tripwires WHERE changed > ?1");
    session.for_each(&tripwires, values![since], &mut |row| {
        changes.push(RegistryChange::Tripwire(tripwire(row)?));
        Ok(())
    })?;
    Ok(changes)
}
