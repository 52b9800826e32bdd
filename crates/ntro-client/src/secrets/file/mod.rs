//! The `file` store: every key in one file of the age format, `keys.age`.
//!
//! For machines without a keyring. It protects keys at rest, on a stolen disk, in a backup or in a
//! synced folder, as well as the passphrase or the identity file is kept. It does not protect them
//! from programs run by the same user while the passphrase is in a variable or the identity is next
//! to the file.
//!
//! An identity is an age identity file or an SSH private key (`ssh-ed25519`, `ssh-rsa`). An SSH key
//! with a passphrase asks for it in the same way as a file sealed with a passphrase.
//!
//! The `age` tool decrypts it: `age -d ~/.ntro/keys.age`, with `-i identity.txt` if an identity
//! seals it. Writing keeps the kind of seal and the armor. Several identities in the identity file
//! become several recipients. A file with a recipient whose identity is elsewhere is not written:
//! its header does not name the recipients for which it must be sealed again.

mod contents;
mod identity;
mod seal;
mod sealed;

pub use identity::create_identity;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Error, Item, Passphrase, PassphraseFor, SecretStore, StoreKind, StoreSettings};
use crate::config::NtroDir;
use contents::Contents;
use identity::Identities;
use ntro_base::ApiKey;
use ntro_base::disk::{self, FileLock};
use seal::Seal;
use sealed::Sealed;

/// Room for thousands of keys; a larger file is rejected.
const LARGEST: u64 = 16 << 20;

pub(super) struct FileStore {
    kind: StoreKind,
    folder: PathBuf,
    path: PathBuf,
    identity: Option<PathBuf>,
    passphrase: Passphrase,
    /// The file as it was last decrypted or written. Decrypting it with a passphrase takes tenths
    /// of a second.
    opened: Mutex<Option<Opened>>,
}

/// The decrypted contents of a file. A file with the same sealed bytes is not decrypted again.
struct Opened {
    sealed: Sealed,
    seal: Seal,
    contents: Contents,
}

impl FileStore {
    pub(super) fn new(settings: &StoreSettings) -> Self {
        Self {
            kind: StoreKind::File,
            folder: settings.folder.clone(),
            path: settings.folder.join(disk::KEYS),
            identity: settings.identity.clone(),
            passphrase: settings.passphrase.clone(),
            opened: Mutex::default(),
        }
    }

    /// Returns the store of `ntro dev`, which only the identity beside it opens.
    pub(super) fn of_dev(settings: &StoreSettings) -> Self {
        let dev = NtroDir::at(&settings.folder).dev();
        Self {
            kind: StoreKind::Dev,
            folder: dev.folder().to_owned(),
            path: dev.keys(),
            identity: None,
            passphrase: Passphrase::none(),
            opened: Mutex::default(),
        }
    }

    /// Returns the sealed file; `None` if it does not exist.
    fn sealed(&self) -> Result<Option<Sealed>, Error> {
        let file = disk::read_bounded(&self.path, LARGEST)?;
        file.map(|file| Sealed::decode(file, &self.path))
            .transpose()
    }

    /// Returns the seal of an existing file.
    fn seal_of(&self, sealed: &Sealed) -> Result<Seal, Error> {
        if Seal::is_passphrase(&sealed.bytes, &self.path)? {
            return Ok(Seal::Passphrase(
                self.passphrase.get(PassphraseFor::Open, &self.path)?,
            ));
        }
        match self.identities()? {
            Some(identities) => Ok(Seal::Identity(identities.unlock(&self.passphrase)?)),
            None => Err(Error::BadIdentity {
                path: self.folder.join(disk::IDENTITY),
                reason: format!("there is none, and one seals `{}`", self.path.display()),
            }),
        }
    }

    /// Returns the seal for a new file.
    fn new_seal(&self) -> Result<Seal, Error> {
        self.passphrase.open(|| match self.identities()? {
            Some(identities) => Ok(Seal::Identity(identities.unlock(&self.passphrase)?)),
            None => Ok(Seal::Passphrase(
                self.passphrase.get(PassphraseFor::Create, &self.path)?,
            )),
        })
    }

    /// Returns the named identity, which must exist, else the default one if it exists.
    fn identities(&self) -> Result<Option<Identities>, Error> {
        match &self.identity {
            Some(path) => match Identities::read(path)? {
                Some(identities) => Ok(Some(identities)),
                None => Err(Error::BadIdentity {
                    path: path.clone(),
                    reason: "there is no such file".to_owned(),
                }),
            },
            None => Identities::read(&self.folder.join(disk::IDENTITY)),
        }
    }

    /// Returns the current file, decrypted only if it changed since the last call; `None` if it
    /// does not exist.
    fn opened(&self) -> Result<MutexGuard<'_, Option<Opened>>, Error> {
        // Held while decrypting, so that two threads do not decrypt the file twice.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let sealed = self.sealed()?;
        if opened.as_ref().map(|opened| &opened.sealed) != sealed.as_ref() {
            *opened = None;
            *opened = sealed.map(|sealed| self.open(sealed)).transpose()?;
        }
        Ok(opened)
    }

    fn open(&self, sealed: Sealed) -> Result<Opened, Error> {
        let opened = self.passphrase.open(|| {
            let seal = self.seal_of(&sealed)?;
            let plain = seal.open(&sealed.bytes, &self.path)?;
            Ok((seal, plain))
        });
        let (seal, plain) = opened.map_err(|error| match error {
            // No variable names another identity for it.
            Error::WrongIdentity { .. } | Error::BadIdentity { .. }
                if self.kind == StoreKind::Dev =>
            {
                seal::corrupt(&self.path, &error.to_string())
            }
            error => error,
        })?;
        let contents = Contents::parse(&plain, &self.path)?;
        Ok(Opened {
            sealed,
            seal,
            contents,
        })
    }

    /// Checks that a change keeps the file readable for every recipient.
    fn check_recipients(&self, opened: &Opened) -> Result<(), Error> {
        let sealed = &opened.sealed.bytes;
        match opened.seal.foreign_recipients(sealed, &self.path)? {
            0 => Ok(()),
            count => Err(Error::ForeignRecipients {
                path: self.path.clone(),
                count,
            }),
        }
    }

    fn write(
        &self,
        seal: Seal,
        contents: Contents,
        is_armored: bool,
        lock: &FileLock,
    ) -> Result<Opened, Error> {
        let sealed = Sealed {
            bytes: seal.close(&contents.to_toml(), &self.path)?,
            is_armored,
        };
        let file = sealed.encode().map_err(|error| Error::Unavailable {
            store: self.kind,
            reason: error.to_string(),
        })?;
        disk::replace(&self.path, &file, lock)?;
        Ok(Opened {
            sealed,
            seal,
            contents,
        })
    }
}

/// Returns the identity that opens the key file of a store without a passphrase and is stored beside
/// it, where a copy of the folder includes it.
#[must_use]
pub fn identity_beside_keys(settings: &StoreSettings, kind: StoreKind) -> Option<PathBuf> {
    let store = match kind {
        StoreKind::File => FileStore::new(settings),
        StoreKind::Dev => FileStore::of_dev(settings),
        _ => return None,
    };
    let sealed = store.sealed().ok()??;
    let identities = store.identities().ok()??;
    let beside = identities.path.parent() == Some(store.folder.as_path());
    let opens = beside
        && !identities.are_locked()
        && !Seal::is_passphrase(&sealed.bytes, &store.path).unwrap_or(true);
    opens.then_some(identities.path)
}

impl SecretStore for FileStore {
    fn kind(&self) -> StoreKind {
        self.kind
    }

    fn probe(&self) -> Result<(), Error> {
        disk::ensure_writable(&self.folder)?;
        match &*self.opened()? {
            Some(opened) => self.check_recipients(opened),
            None => self.new_seal().map(drop),
        }
    }

    fn get(&self, item: &Item) -> Result<Option<ApiKey>, Error> {
        let opened = self.opened()?;
        let contents = opened.as_ref().map(|opened| &opened.contents);
        Ok(contents.and_then(|contents| contents.get(item).cloned()))
    }

    fn put(&self, item: &Item, key: &ApiKey, lock: &FileLock) -> Result<(), Error> {
        let mut opened = self.opened()?;
        if let Some(opened) = &*opened {
            self.check_recipients(opened)?;
        }
        let (seal, mut contents, is_armored) = match opened.take() {
            Some(opened) => (opened.seal, opened.contents, opened.sealed.is_armored),
            None => (self.new_seal()?, Contents::default(), false),
        };
        contents.put(item, key);
        *opened = Some(self.write(seal, contents, is_armored, lock)?);
        Ok(())
    }

    fn erase(&self, item: &Item, lock: &FileLock) -> Result<bool, Error> {
        let mut opened = self.opened()?;
        let Some(mut file) = opened.take() else {
            return Ok(false);
        };
        let erased = file.contents.erase(item);
        *opened = Some(match erased {
            true => {
                self.check_recipients(&file)?;
                self.write(file.seal, file.contents, file.sealed.is_armored, lock)?
            }
            false => file,
        });
        Ok(erased)
    }

    /// A file sealed with a passphrase that only a person knows, or for an SSH key with one, is
    /// locked until the passphrase is entered.
    fn list(&self) -> Result<Vec<Item>, Error> {
        let Some(sealed) = self.sealed()? else {
            return Ok(Vec::new());
        };
        let locked = Seal::is_passphrase(&sealed.bytes, &self.path)?
            || self
                .identities()?
                .is_some_and(|identities| identities.are_locked());
        if locked && self.passphrase.needs_a_person() {
            return Err(Error::Locked { store: self.kind });
        }
        let opened = self.opened()?;
        Ok(opened
            .as_ref()
            .map_or_else(Vec::new, |opened| opened.contents.items()))
    }
}
