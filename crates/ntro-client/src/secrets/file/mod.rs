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
//! seals it. Writing keeps the kind of seal. Several identities in the identity file become several
//! recipients.

mod contents;
mod identity;
mod seal;

pub use identity::create_identity;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Error, Item, Passphrase, PassphraseFor, SecretStore, StoreKind, StoreSettings};
use contents::Contents;
use identity::Identities;
use ntro_base::ApiKey;
use ntro_base::disk::{self, FileLock};
use seal::Seal;

/// Room for thousands of keys; a larger file is rejected.
const LARGEST: u64 = 16 << 20;

pub(super) struct FileStore {
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
    sealed: Vec<u8>,
    seal: Seal,
    contents: Contents,
}

impl FileStore {
    pub(super) fn new(settings: &StoreSettings) -> Self {
        Self {
            folder: settings.folder.clone(),
            path: settings.folder.join(disk::KEYS),
            identity: settings.identity.clone(),
            passphrase: settings.passphrase.clone(),
            opened: Mutex::default(),
        }
    }

    /// Returns the sealed file; `None` if it does not exist.
    fn sealed(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(disk::read_bounded(&self.path, LARGEST)?)
    }

    /// Returns the seal of an existing file.
    fn seal_of(&self, sealed: &[u8]) -> Result<Seal, Error> {
        if Seal::is_passphrase(sealed, &self.path)? {
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
        match self.identities()? {
            Some(identities) => Ok(Seal::Identity(identities.unlock(&self.passphrase)?)),
            None => Ok(Seal::Passphrase(
                self.passphrase.get(PassphraseFor::Create, &self.path)?,
            )),
        }
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

    fn open(&self, sealed: Vec<u8>) -> Result<Opened, Error> {
        let seal = self.seal_of(&sealed)?;
        let contents = Contents::parse(&seal.open(&sealed, &self.path)?, &self.path)?;
        Ok(Opened {
            sealed,
            seal,
            contents,
        })
    }

    fn write(&self, seal: Seal, contents: Contents, lock: &FileLock) -> Result<Opened, Error> {
        let sealed = seal.close(&contents.to_toml(), &self.path)?;
        disk::replace(&self.path, &sealed, lock)?;
        Ok(Opened {
            sealed,
            seal,
            contents,
        })
    }
}

impl SecretStore for FileStore {
    fn kind(&self) -> StoreKind {
        StoreKind::File
    }

    fn probe(&self) -> Result<(), Error> {
        disk::ensure_writable(&self.folder)?;
        match &*self.opened()? {
            Some(_) => Ok(()),
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
        let (seal, mut contents) = match opened.take() {
            Some(opened) => (opened.seal, opened.contents),
            None => (self.new_seal()?, Contents::default()),
        };
        contents.put(item, key);
        *opened = Some(self.write(seal, contents, lock)?);
        Ok(())
    }

    fn erase(&self, item: &Item, lock: &FileLock) -> Result<bool, Error> {
        let mut opened = self.opened()?;
        let Some(mut file) = opened.take() else {
            return Ok(false);
        };
        let erased = file.contents.erase(item);
        *opened = Some(match erased {
            true => self.write(file.seal, file.contents, lock)?,
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
        let locked = Seal::is_passphrase(&sealed, &self.path)?
            || self
                .identities()?
                .is_some_and(|identities| identities.are_locked());
        if locked && self.passphrase.needs_a_person() {
            return Err(Error::Locked {
                store: StoreKind::File,
            });
        }
        let opened = self.opened()?;
        Ok(opened
            .as_ref()
            .map_or_else(Vec::new, |opened| opened.contents.items()))
    }
}
