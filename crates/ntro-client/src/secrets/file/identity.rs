use std::path::{Path, PathBuf};

use age::{DecryptError, ssh, x25519};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::super::{Error, Passphrase, PassphraseFor};
use ntro_base::disk::{self, FileLock};
use ntro_base::without_byte_order_mark;

/// Identity files have a few lines.
const LARGEST: u64 = 1 << 20;

/// The identities of a file made by `age-keygen`, or an SSH private key.
pub(super) struct Identities {
    pub(super) path: PathBuf,
    list: Vec<FileIdentity>,
}

enum FileIdentity {
    Age(x25519::Identity),
    Ssh(ssh::Identity),
    /// An SSH key whose passphrase is not known yet.
    Locked(ssh::EncryptedKey),
}

impl Identities {
    /// Reads an identity file; `None` when it does not exist.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let Some(bytes) = disk::read_bounded(path, LARGEST)? else {
            return Ok(None);
        };
        let bytes = Zeroizing::new(bytes);
        let sealed = || {
            "it is sealed with a passphrase itself: decrypt it with `age -d`, or use an SSH key with a passphrase".to_owned()
        };
        let list = std::str::from_utf8(without_byte_order_mark(&bytes))
            .map_err(|_| match bytes.starts_with(b"age-encryption.org/") {
                true => sealed(),
                false => "it is not text".to_owned(),
            })
            .and_then(|text| match text.trim_start() {
                text if text.starts_with("-----BEGIN AGE ") => Err(sealed()),
                text if text.starts_with("-----BEGIN ") => ssh_key(text).map(|key| vec![key]),
                text if text.starts_with("ssh-") => {
                    Err("it is an SSH public key, and the private one opens the file".to_owned())
                }
                _ => age_identities(text),
            })
            .map_err(|reason| bad(path, reason))?;
        Ok(Some(Self {
            path: path.to_owned(),
            list,
        }))
    }

    /// Returns whether they need a passphrase first.
    pub(super) fn are_locked(&self) -> bool {
        let locked = |identity: &FileIdentity| matches!(identity, FileIdentity::Locked(_));
        self.list.iter().any(locked)
    }

    /// Unlocks an SSH key with its passphrase.
    pub(super) fn unlock(mut self, passphrase: &Passphrase) -> Result<Self, Error> {
        for identity in &mut self.list {
            if let FileIdentity::Locked(key) = identity {
                let passphrase = passphrase.get(PassphraseFor::Identity, &self.path)?;
                let key = key.decrypt(passphrase).map_err(|error| match error {
                    DecryptError::KeyDecryptionFailed => Error::WrongPassphrase {
                        path: self.path.clone(),
                    },
                    _ => bad(&self.path, "it is a damaged SSH key".to_owned()),
                })?;
                *identity = FileIdentity::Ssh(key.into());
            }
        }
        Ok(self)
    }

    /// Returns the identities that open the file.
    pub(super) fn openers(&self) -> Vec<Box<dyn age::Identity>> {
        let opener = |identity: &FileIdentity| -> Option<Box<dyn age::Identity>> {
            match identity {
                FileIdentity::Age(identity) => Some(Box::new(identity.clone())),
                FileIdentity::Ssh(key) => Some(Box::new(key.clone())),
                FileIdentity::Locked(_) => None,
            }
        };
        self.list.iter().filter_map(opener).collect()
    }

    /// Returns the recipients to encrypt the file for.
    pub(super) fn recipients(&self) -> Result<Vec<Box<dyn age::Recipient>>, Error> {
        let ssh = |identity: ssh::Identity| match ssh::Recipient::try_from(identity) {
            Ok(recipient) => Ok(Box::new(recipient) as Box<dyn age::Recipient>),
            Err(_) => Err(bad(
                &self.path,
                "nothing can be sealed for this kind of SSH key".to_owned(),
            )),
        };
        let recipient = |identity: &FileIdentity| -> Result<Box<dyn age::Recipient>, Error> {
            match identity {
                FileIdentity::Age(identity) => Ok(Box::new(identity.to_public())),
                FileIdentity::Ssh(key) => ssh(key.clone()),
                FileIdentity::Locked(key) => ssh(key.clone().into()),
            }
        };
        self.list.iter().map(recipient).collect()
    }
}

fn bad(path: &Path, reason: String) -> Error {
    Error::BadIdentity {
        path: path.to_owned(),
        reason,
    }
}

fn age_identities(text: &str) -> Result<Vec<FileIdentity>, String> {
    let mut list = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // The line may be a secret.
        let identity = line
            .parse()
            .map_err(|_| format!("line {} is {}", index + 1, kind_of(line)))?;
        list.push(FileIdentity::Age(identity));
    }
    match list.is_empty() {
        true => Err("there is no identity in it".to_owned()),
        false => Ok(list),
    }
}

/// Says what a line is that is not an identity, without showing it.
fn kind_of(line: &str) -> &'static str {
    let line = line.to_ascii_uppercase();
    match &*Zeroizing::new(line) {
        line if line.starts_with("AGE-SECRET-KEY-PQ-1") => {
            "a post-quantum identity, which cannot be used here: make one with `age-keygen`, without `-pq`"
        }
        line if line.starts_with("AGE-SECRET-KEY-1") => "a damaged identity",
        line if line.starts_with("AGE-PLUGIN-") => {
            "an identity of an age plugin, which cannot be used here"
        }
        line if line.starts_with("AGE1") => "a public key, and the identity opens the file",
        _ => "not an identity as `age-keygen` makes it",
    }
}

fn ssh_key(text: &str) -> Result<FileIdentity, String> {
    use ssh::UnsupportedKey as U;

    let key = ssh::Identity::from_buffer(text.as_bytes(), None)
        .map_err(|_| "it is no SSH private key that can be read".to_owned())?;
    match key {
        key @ ssh::Identity::Unencrypted(_) => Ok(FileIdentity::Ssh(key)),
        // The passphrase is not needed to see that a key is of no use.
        ssh::Identity::Encrypted(key) => {
            match ssh::Recipient::try_from(ssh::Identity::from(key.clone())) {
                Err(ssh::ParseRecipientKeyError::Unsupported(kind)) => Err(unusable(&kind)),
                _ => Ok(FileIdentity::Locked(key)),
            }
        }
        ssh::Identity::Unsupported(U::EncryptedPem) => Err(
            "it is an SSH key in an old encrypted form, which `ssh-keygen -p` renews".to_owned(),
        ),
        ssh::Identity::Unsupported(U::EncryptedSsh(cipher)) => {
            Err(format!("it is an SSH key encrypted by `{cipher}`"))
        }
        ssh::Identity::Unsupported(U::Hardware(kind) | U::Type(kind)) => Err(unusable(&kind)),
    }
}

fn unusable(kind: &str) -> String {
    format!(
        "it is an SSH key of the kind `{kind}`, and only `ssh-ed25519` and `ssh-rsa` can open a file"
    )
}

/// Creates an identity file, readable by its owner alone, unless one exists.
///
/// Returns whether it was created. Fails if the existing file is not an identity file.
pub fn create_identity(path: &Path, lock: &FileLock) -> Result<bool, Error> {
    if Identities::read(path)?.is_some() {
        return Ok(false);
    }
    let identity = x25519::Identity::generate();
    let secret = identity.to_string();
    let text = Zeroizing::new(format!(
        "# created: {:.0}\n# public key: {}\n{}\n",
        jiff::Timestamp::now(),
        identity.to_public(),
        secret.expose_secret()
    ));
    disk::replace(path, text.as_bytes(), lock)?;
    Ok(true)
}
