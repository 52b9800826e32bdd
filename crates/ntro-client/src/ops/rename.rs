use super::{ConfigFiles, Error};
use crate::config::{NtroDir, SafetySettings};
use crate::secrets::{self, Item, StoreKind, Stores};
use ntro_base::ConnectionName;

/// Renames a connection, together with its key and its role as the default.
///
/// The key and its record briefly exist under both names, so that either name works at any time.
///
/// # Errors
///
/// Fails when the connection does not exist, when the new name is taken, and when the key cannot be
/// moved.
pub fn rename(
    home: &NtroDir,
    from: &ConnectionName,
    to: &ConnectionName,
    stores: &Stores,
) -> Result<(), Error> {
    let lock = home.lock()?;
    let mut files = ConfigFiles::read(home)?;
    files.require(from)?;
    for name in [from, to] {
        super::require_settled(home, name)?;
    }
    if from == to {
        return Err(Error::SameName { name: to.clone() });
    }
    if files.config.connections.contains_key(to.as_str()) {
        return Err(Error::NameTaken { name: to.clone() });
    }
    let stored = files.stored_key(home, from).ok();
    let stored = stored.filter(|stored| stored.kind != StoreKind::Plaintext);
    let mut moved = None;
    if let Some(stored) = stored {
        let store = stores.get(stored.kind);
        let key = match store.get(&stored.item) {
            Err(secrets::Error::Absent { .. }) if !stored.recorded => None,
            answer => answer?,
        };
        if let Some(key) = key {
            let item = Item::new(to.clone(), stored.item.origin.clone());
            store.put(&item, &key, &lock)?;
            moved = Some((store, stored.item, item));
        }
    }
    let mut change = || {
        let mut document = files.document(home)?;
        document.rename_connection(from.as_str(), to.as_str())?;
        if document.default_name().as_deref() == Some(from.as_str()) {
            document.set_default(to.as_str());
        }
        let document = document.finish()?;
        let login = files.records.get(from.as_str()).cloned();
        let safety = files.records.safety(from.as_str());
        let mut changed = files.records.set_safety(to.as_str(), safety) | files.recorded;
        if let Some(login) = login {
            files.records.insert(to.as_str(), login);
            changed = true;
        }
        if changed {
            files.records.save(&home.logins(), &lock)?;
        }
        document.save(&lock)?;
        let mut changed = files
            .records
            .set_safety(from.as_str(), SafetySettings::default());
        changed |= files.records.remove(from.as_str()).is_some();
        if changed {
            files.records.save(&home.logins(), &lock)?;
        }
        Ok(())
    };
    if let Err(first) = change() {
        let undone = moved.map(|(store, _, item)| store.erase(&item, &lock));
        return Err(match undone {
            Some(Err(second)) => Error::HalfDone {
                first: Box::new(first),
                second,
            },
            _ => first,
        });
    }
    if let Some((store, item, _)) = moved {
        store.erase(&item, &lock)?;
    }
    Ok(())
}
