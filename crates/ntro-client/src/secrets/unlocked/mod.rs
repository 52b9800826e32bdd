//! The passphrase of the encrypted file, kept in the memory of the kernel for a while.
//!
//! The passphrase itself is kept: age derives the key of a file from it anew with each change, so
//! nothing less both opens and seals the file. It is in the session keyring alone. Unlike the
//! keyring of the user, a process that starts a session keyring of its own does not possess it.
//!
//! The kernel erases it at the end of the time; its content repeats that time, to report it.

#[cfg_attr(target_os = "linux", path = "kernel.rs")]
#[cfg_attr(not(target_os = "linux"), path = "unsupported.rs")]
mod platform;

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

/// Why a passphrase is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotKept(String);

/// A passphrase from the kernel.
pub(super) struct Kept {
    pub(super) passphrase: SecretString,
    pub(super) until: Timestamp,
}

/// The place in the kernel for the passphrase of one folder.
#[derive(Clone, Debug)]
pub struct Unlocked {
    description: String,
    period: Duration,
}

impl Unlocked {
    /// Returns the place for a folder, where passphrases are kept for `period`.
    ///
    /// # Errors
    ///
    /// Fails on a system without such a kernel.
    pub fn new(folder: &Path, period: Duration) -> Result<Self, NotKept> {
        platform::check()?;
        Ok(Self {
            description: format!("ntro:unlocked:{}", folder.display()),
            period,
        })
    }

    /// Returns the passphrase, if one is kept.
    pub(super) fn get(&self) -> Option<Kept> {
        let content = platform::read(&self.description).ok()??;
        let (until, passphrase) = std::str::from_utf8(&content).ok()?.split_once('\n')?;
        let until = Timestamp::from_second(until.parse().ok()?).ok()?;
        (until > Timestamp::now()).then(|| Kept {
            passphrase: passphrase.into(),
            until,
        })
    }

    /// Keeps a passphrase.
    pub(super) fn keep(&self, passphrase: &SecretString) -> Result<(), NotKept> {
        // The kernel counts in seconds, and 0 means for ever.
        let seconds = self.period.as_secs().max(1);
        let until = Timestamp::now()
            .as_second()
            .saturating_add_unsigned(seconds);
        let content = Zeroizing::new(format!("{until}\n{}", passphrase.expose_secret()));
        platform::write(&self.description, content.as_bytes(), seconds)
    }

    /// Erases the passphrase. Returns whether one was kept.
    pub fn forget(&self) -> bool {
        // Where it cannot be reached, it is not used either.
        platform::erase(&self.description).unwrap_or(false)
    }
}
