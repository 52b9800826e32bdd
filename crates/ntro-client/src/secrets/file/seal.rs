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

    /// Returns how many recipients of a file this seal would not keep.
    pub(super) fn foreign_recipients(&self, sealed: &[u8], path: &Path) -> Result<usize, Error> {
        let Self::Identity(identities) = self else {
            return Ok(0);
        };
        let mut own = 0;
        for opener in identities.openers() {
            let opened = decryptor(sealed, path)?.decrypt([&*opener].into_iter());
            own += usize::from(opened.is_ok());
        }
        Ok(recipients(sealed).count().saturating_sub(own))
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
            _ => corrupt(path, "its header was changed"),
        }
    }
}

fn decryptor<'a>(sealed: &'a [u8], path: &Path) -> Result<Decryptor<BufReader<&'a [u8]>>, Error> {
    Decryptor::new(BufReader::new(sealed))
        .map_err(|error| corrupt(path, head_fault(sealed, &error)))
}

/// Returns why a file has no header that can be read.
fn head_fault(sealed: &[u8], error: &DecryptError) -> &'static str {
    const FIRST_LINE: &[u8] = b"age-encryption.org/v1\n";

    let has_passphrase = || recipients(sealed).any(|kind| kind == b"scrypt");
    match error {
        _ if sealed.is_empty() => "it is empty",
        _ if FIRST_LINE.starts_with(sealed) => "it was cut off",
        _ if !sealed.starts_with(b"age-encryption.org/") => "it is not an age file",
        _ if sealed.starts_with(b"age-encryption.org/v1\r\n") => {
            "its line ends were changed: copy it as a binary file"
        }
        // age takes a header that it cannot parse for one of another version.
        DecryptError::UnknownFormat if !sealed.starts_with(FIRST_LINE) => {
            "it is of a newer age format"
        }
        _ if !sealed.split(|byte| *byte == b'\n').any(is_last) => "its header was cut off",
        _ if has_passphrase() && recipients(sealed).count() > 1 => {
            "its header has a passphrase beside other recipients, which age forbids"
        }
        DecryptError::Io(_) => "its contents were cut off",
        _ => "its header is not as age writes it",
    }
}

/// Returns whether a line of a header is its last one.
fn is_last(line: &[u8]) -> bool {
    line.starts_with(b"---")
}

/// Returns the kind of each recipient in the header of a file. Lines that age adds to keep readers
/// tolerant are none.
fn recipients(sealed: &[u8]) -> impl Iterator<Item = &[u8]> {
    sealed
        .split(|byte| *byte == b'\n')
        .take_while(|line| !is_last(line))
        .filter_map(|line| line.strip_prefix(b"-> "))
        .filter_map(|stanza| stanza.split(|byte| *byte == b' ').next())
        .filter(|kind| !kind.ends_with(b"-grease"))
}

pub(super) fn corrupt(path: &Path, reason: &str) -> Error {
    Error::Corrupt {
        path: path.to_owned(),
        reason: reason.to_owned(),
    }
}
