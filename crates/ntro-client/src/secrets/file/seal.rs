use std::io::{self, BufReader, Read as _, Write as _};
use std::path::Path;

use age::{DecryptError, Decryptor, Encryptor, scrypt};
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::super::{Error, StoreKind};
use super::Identities;

/// The scrypt work factor: tenths of a second and 64 MiB.
///
/// The format's default depends on the machine that writes: 2^19 and half a gigabyte on a fast one,
/// for every key that is read.
const WORK_FACTOR: u8 = 16;
/// The highest accepted work factor of a file: seconds and 1 GiB.
const LARGEST_WORK_FACTOR: u8 = 20;

/// Seals and opens the file: a passphrase or identities.
pub(super) enum Seal {
    Passphrase(SecretString),
    Identity(Identities),
}

impl Seal {
    /// Returns whether a passphrase seals the file, according to its header.
    pub(super) fn is_passphrase(sealed: &[u8], path: &Path) -> Result<bool, Error> {
        Ok(decryptor(sealed, path)?.is_scrypt())
    }

    pub(super) fn open(&self, sealed: &[u8], path: &Path) -> Result<Zeroizing<Vec<u8>>, Error> {
        // Allocated at full size: a buffer that grows leaves copies behind.
        let mut plain = Zeroizing::new(Vec::with_capacity(sealed.len()));
        self.reader(sealed, path)?
            .read_to_end(&mut plain)
            .map_err(|_| corrupt(path, "its contents were cut off or changed"))?;
        Ok(plain)
    }

    pub(super) fn close(&self, plain: &str, path: &Path) -> Result<Vec<u8>, Error> {
        let failed = |error: &dyn std::error::Error| Error::Unavailable {
            store: StoreKind::File,
            reason: format!("cannot seal `{}`: {error}", path.display()),
        };
        let encryptor = match self {
            Self::Passphrase(passphrase) => {
                let mut recipient = scrypt::Recipient::new(passphrase.clone());
                recipient.set_work_factor(WORK_FACTOR);
                Encryptor::with_recipients([&recipient as &dyn age::Recipient].into_iter())
            }
            Self::Identity(identities) => {
                let recipients = identities.recipients()?;
                Encryptor::with_recipients(recipients.iter().map(|recipient| &**recipient))
            }
        }
        .map_err(|error| failed(&error))?;
        let seal = || -> io::Result<Vec<u8>> {
            let mut writer = encryptor.wrap_output(Vec::new())?;
            writer.write_all(plain.as_bytes())?;
            writer.finish()
        };
        seal().map_err(|error| failed(&error))
    }

    fn reader<'a>(
        &self,
        sealed: &'a [u8],
        path: &Path,
    ) -> Result<age::stream::StreamReader<BufReader<&'a [u8]>>, Error> {
        let decryptor = decryptor(sealed, path)?;
        match self {
            Self::Passphrase(passphrase) => {
                let mut identity = scrypt::Identity::new(passphrase.clone());
                identity.set_max_work_factor(LARGEST_WORK_FACTOR);
                decryptor.decrypt([&identity as &dyn age::Identity].into_iter())
            }
            Self::Identity(identities) => {
                let openers = identities.openers();
                decryptor.decrypt(openers.iter().map(|opener| &**opener))
            }
        }
        .map_err(|error| self.explain(error, path))
    }

    fn explain(&self, error: DecryptError, path: &Path) -> Error {
        match (error, self) {
            (DecryptError::ExcessiveWork { required, .. }, _) => Error::TooMuchWork {
                path: path.to_owned(),
                required,
                limit: LARGEST_WORK_FACTOR,
            },
            (
                DecryptError::NoMatchingKeys
                | DecryptError::KeyDecryptionFailed
                | DecryptError::DecryptionFailed,
                seal,
            ) => match seal {
                Self::Passphrase(_) => Error::WrongPassphrase {
                    path: path.to_owned(),
                },
                Self::Identity(identities) => Error::WrongIdentity {
                    path: path.to_owned(),
                    identity: identities.path.clone(),
                },
            },
            _ => corrupt(path, "its head was changed"),
        }
    }
}

fn decryptor<'a>(sealed: &'a [u8], path: &Path) -> Result<Decryptor<BufReader<&'a [u8]>>, Error> {
    Decryptor::new(BufReader::new(sealed)).map_err(|error| {
        corrupt(
            path,
            match error {
                DecryptError::UnknownFormat => "it is of a newer age format",
                _ => "it is not an age file, or was cut off",
            },
        )
    })
}

fn corrupt(path: &Path, reason: &str) -> Error {
    Error::Corrupt {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
