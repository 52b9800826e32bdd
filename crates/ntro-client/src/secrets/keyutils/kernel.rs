use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use linux_keyutils::{Key, KeyError, KeyRing, KeyRingIdentifier};
use zeroize::Zeroizing;

use super::super::kernel_key::{self, LARGEST, is_blocked};
use super::super::{Error, Item, SecretStore, StoreKind};
use ntro_base::ApiKey;
use ntro_base::disk::FileLock;

/// The kernel's keyring of the user.
pub(in super::super) struct KeyutilsStore {
    index: String,
}

impl KeyutilsStore {
    pub(in super::super) fn new(folder: &Path) -> Self {
        Self {
            index: format!("ntro:index:{}", folder.display()),
        }
    }

    /// Opens the keyring for reading.
    ///
    /// The kernel lets a thread read and change only keys that it *possesses*: those reachable from
    /// its thread, process or session keyring. A login through PAM links `@u` into the session
    /// keyring; services, containers, `sudo` and a plain `keyctl session` do not, and then every
    /// read is refused. So `@u` is linked into the process keyring, which needs no permission, does
    /// not affect other processes and ends with this one. Each thread has its own process keyring,
    /// so each call does this.
    fn ring() -> Result<KeyRing, Error> {
        let ring = KeyRing::from_special_id(KeyRingIdentifier::User, true).map_err(explain)?;
        KeyRing::from_special_id(KeyRingIdentifier::Process, true)
            .and_then(|own| own.link_keyring(ring))
            .map_err(explain)?;
        Ok(ring)
    }

    /// Returns the items in the index; other folders have separate indexes.
    fn indexed(&self, ring: KeyRing) -> Result<BTreeSet<Item>, Error> {
        let Some(key) = find(ring, &self.index)? else {
            return Ok(BTreeSet::new());
        };
        let Some(names) = read(key)? else {
            return Ok(BTreeSet::new());
        };
        let names = String::from_utf8_lossy(&names);
        Ok(names.lines().filter_map(Item::from_account).collect())
    }

    fn write_index(&self, ring: KeyRing, items: &BTreeSet<Item>) -> Result<(), Error> {
        if items.is_empty() {
            if let Some(key) = find(ring, &self.index)? {
                key.invalidate().map_err(explain)?;
            }
            return Ok(());
        }
        let names: String = items
            .iter()
            .map(|item| format!("{}\n", item.account()))
            .collect();
        if names.len() > LARGEST {
            return Err(Error::Unavailable {
                store: StoreKind::Keyutils,
                reason: format!(
                    "the names of more than {} keys are too long",
                    items.len() - 1
                ),
            });
        }
        ring.add_key(&self.index, &names).map_err(explain)?;
        Ok(())
    }
}

impl SecretStore for KeyutilsStore {
    fn kind(&self) -> StoreKind {
        StoreKind::Keyutils
    }

    fn probe(&self) -> Result<(), Error> {
        let ring = Self::ring()?;
        self.indexed(ring).map(drop)
    }

    fn get(&self, item: &Item) -> Result<Option<ApiKey>, Error> {
        let Some(key) = find(Self::ring()?, &description(item))? else {
            return Ok(None);
        };
        let Some(bytes) = read(key)? else {
            return Ok(None);
        };
        // Text that is not UTF-8 is not a key either, and is reported as such.
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match ApiKey::from_secret(text) {
            Ok(key) => Ok(Some(key)),
            Err(reason) => Err(Error::NotAKey {
                store: StoreKind::Keyutils,
                account: item.account(),
                reason: reason.to_string(),
            }),
        }
    }

    fn put(&self, item: &Item, key: &ApiKey, _lock: &FileLock) -> Result<(), Error> {
        let ring = Self::ring()?;
        let mut items = self.indexed(ring)?;
        // Adds the name first: a name without a key is skipped, but a key without a name would be
        // lost.
        if items.insert(item.clone()) {
            self.write_index(ring, &items)?;
        }
        if let Err(error) = ring.add_key(&description(item), key.expose()) {
            if matches!(find(ring, &description(item)), Ok(None)) && items.remove(item) {
                let _ = self.write_index(ring, &items);
            }
            return Err(explain(error));
        }
        Ok(())
    }

    fn erase(&self, item: &Item, _lock: &FileLock) -> Result<bool, Error> {
        let ring = Self::ring()?;
        let found = find(ring, &description(item))?;
        if let Some(key) = found {
            key.invalidate().map_err(explain)?;
        }
        let mut items = self.indexed(ring)?;
        if items.remove(item) {
            self.write_index(ring, &items)?;
        }
        Ok(found.is_some())
    }

    fn list(&self) -> Result<Vec<Item>, Error> {
        let ring = Self::ring()?;
        let mut items = Vec::new();
        for item in self.indexed(ring)? {
            if find(ring, &description(&item))?.is_some() {
                items.push(item);
            }
        }
        Ok(items)
    }
}

fn description(item: &Item) -> String {
    format!("ntro:{}", item.account())
}

fn find(ring: KeyRing, description: &str) -> Result<Option<Key>, Error> {
    kernel_key::find(ring, description).map_err(explain)
}

fn read(key: Key) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
    kernel_key::read(key).map_err(explain)
}

fn explain(error: KeyError) -> Error {
    let store = StoreKind::Keyutils;
    let unavailable = |reason: &str| Error::Unavailable {
        store,
        reason: reason.to_owned(),
    };
    match error {
        error if is_blocked(error) => Error::Absent {
            store,
            reason: "the kernel's keyring is blocked, as it is in most containers".to_owned(),
        },
        KeyError::AccessDenied => Error::Refused {
            store,
            reason: "the kernel does not let this process have the keyring of its user".to_owned(),
        },
        KeyError::QuotaExceeded => unavailable(
            "all that the kernel allows a user to keep there is used up, see `/proc/key-users`",
        ),
        KeyError::OutOfMemory => unavailable("the kernel is out of memory"),
        KeyError::Unknown(code) => unavailable(&io::Error::from_raw_os_error(code).to_string()),
        error => unavailable(&format!("the kernel answers {error:?}")),
    }
}
