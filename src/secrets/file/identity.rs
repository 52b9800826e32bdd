use std::path::{Path, PathBuf};

use age::x25519;
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::super::Error;
use crate::disk::{self, FileLock};

/// Identity files hold some lines.
const LARGEST: u64 = 1 << 20;

/// The identities in an identity file as `age-keygen` makes it.
pub(super) struct Identities {
    pub(super) path: PathBuf,
    pub(super) list: Vec<x25519::Identity>,
}

impl Identities {
    /// Reads an identity file; `None` when there is none.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, Error> {
        let bad = |reason: String| Error::BadIdentity {
            path: path.to_owned(),
            reason,
        };
        let Some(bytes) = disk::read_bounded(path, LARGEST)? else {
            return Ok(None);
        };
        let bytes = Zeroizing::new(bytes);
        let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is not text".to_owned()))?;
        let mut list = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            // The line itself may be somebody's secret.
            list.push(line.parse().map_err(|_| {
                bad(format!(
                    "line {} is not an identity as `age-keygen` makes it",
                    index + 1
                ))
            })?);
        }
        if list.is_empty() {
            return Err(bad("there is no identity in it".to_owned()));
        }
        Ok(Some(Self {
            path: path.to_owned(),
            list,
        }))
    }
}

/// Makes a new identity file, readable by its owner alone, unless there is one already.
///
/// Returns whether it was made.
///
/// # Errors
///
/// Fails when the file cannot be written, or what stands there is no identity file.
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
