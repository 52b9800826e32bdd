//! The `file` store: every key in one file of the age format, `keys.age`.
//!
//! For machines with no keyring. It protects keys at rest: in a stolen disk, a backup or a synced
//! folder, as well as the passphrase or the identity file is kept. It does not protect them from
//! whoever can run programs as the same user while the passphrase is in a variable or the identity
//! lies beside the file.
//!
//! An identity is an age identity file or an SSH private key (`ssh-ed25519`, `ssh-rsa`); an SSH
//! key that has a passphrase asks for it in the same way as a file that is sealed with one.
//!
//! The `age` tool opens it: `age -d ~/.ntro/keys.age`, with `-i identity.txt` where an identity
//! seals it. Writing keeps how the file was sealed; several identities in the identity file are
//! several recipients.

mod contents;
mod identity;
mod seal;

pub use identity::create_identity;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::{Error, Item, Passphrase, PassphraseFor, SecretStore, StoreKind, StoreSettings};
use contents::Contents;
use identity::Identities;
use ntro_base::ApiKey;
use ntro_base::disk::{self, FileLock};
use seal::Seal;

/// Thousands of keys; a file that is larger is not ours.
const LARGEST: u64 = 16 << 20;

pub(super) struct FileStore {
    folder: PathBuf,
    path: PathBuf,
    identity: Option<PathBuf>,
    passphrase: Passphrase,
    /// The file as it was opened last: opening it again for each key would take longer than all
    /// else, and with a passphrase some tenths of a second each.
    opened: Mutex<Option<Opened>>,
}

/// What was in a file. The same sealed bytes hold the same keys.
struct Opened {
    sealed: Vec<u8>,
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

    /// The file as it lies on the disk; `None` when there is none yet.
    fn sealed(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(disk::read_bounded(&self.path, LARGEST)?)
    }

    /// What seals this file.
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

    /// What is to seal a file that does not exist yet.
    fn new_seal(&self) -> Result<Seal, Error> {
        match self.identities()? {
            Some(identities) => Ok(Seal::Identity(identities.unlock(&self.passphrase)?)),
            None => Ok(Seal::Passphrase(
                self.passphrase.get(PassphraseFor::Create, &self.path)?,
            )),
        }
    }

    /// The identity that was named, which must be there, else the usual one if it is there.
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

    fn contents(&self) -> Result<Option<(Contents, Seal)>, Error> {
        let Some(sealed) = self.sealed()? else {
            return Ok(None);
        };
        let seal = self.seal_of(&sealed)?;
        let contents = Contents::parse(&seal.open(&sealed, &self.path)?, &self.path)?;
        Ok(Some((contents, seal)))
    }

    fn write(&self, contents: &Contents, seal: &Seal, lock: &FileLock) -> Result<(), Error> {
        let sealed = seal.close(&contents.to_toml(), &self.path)?;
        Ok(disk::replace(&self.path, &sealed, lock)?)
    }
}

impl SecretStore for FileStore {
    fn kind(&self) -> StoreKind {
        StoreKind::File
    }

    /// Opens the head of the file, which tells whether the passphrase or the identity is right,
    /// and leaves the keys in it sealed.
    fn probe(&self) -> Result<(), Error> {
        disk::ensure_writable(&self.folder)?;
        match self.sealed()? {
            Some(sealed) => self.seal_of(&sealed)?.check(&sealed, &self.path),
            None => self.new_seal().map(drop),
        }
    }

    fn get(&self, item: &Item) -> Result<Option<ApiKey>, Error> {
        let Some(sealed) = self.sealed()? else {
            return Ok(None);
        };
        // Held meanwhile, so that two threads do not open it twice.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = opened.as_ref().filter(|opened| opened.sealed == sealed) {
            return Ok(opened.contents.get(item).cloned());
        }
        let plain = self.seal_of(&sealed)?.open(&sealed, &self.path)?;
        let contents = Contents::parse(&plain, &self.path)?;
        let opened = opened.insert(Opened { sealed, contents });
        Ok(opened.contents.get(item).cloned())
    }

    fn put(&self, item: &Item, key: &ApiKey, lock: &FileLock) -> Result<(), Error> {
        let (mut contents, seal) = match self.contents()? {
            Some(found) => found,
            None => (Contents::default(), self.new_seal()?),
        };
        contents.put(item, key);
        self.write(&contents, &seal, lock)
    }

    fn erase(&self, item: &Item, lock: &FileLock) -> Result<bool, Error> {
        let Some((mut contents, seal)) = self.contents()? else {
            return Ok(false);
        };
        let erased = contents.erase(item);
        if erased {
            self.write(&contents, &seal, lock)?;
        }
        Ok(erased)
    }

    /// A file sealed with a passphrase that only a person knows, or for an SSH key with one, is locked until they gave it.
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
        let plain = self.seal_of(&sealed)?.open(&sealed, &self.path)?;
        Ok(Contents::parse(&plain, &self.path)?.items())
    }
}
