use std::path::PathBuf;
use std::time::Duration;

use super::StoreKind;
use crate::disk;

/// Why a store did not do what it was asked. Each variant is one answer to "what now?".
///
/// No variant holds a key or a passphrase.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store is not on this machine: choose another one.
    #[error("there is no {store} here: {reason}")]
    Absent {
        /// The store.
        store: StoreKind,
        /// What is missing.
        reason: String,
    },
    /// The store is locked, and nobody is there to unlock it: unlock it, or run interactively.
    #[error("the {store} is locked")]
    Locked {
        /// The store.
        store: StoreKind,
    },
    /// The store did not answer: restart its service, or choose another one.
    #[error(
        "the {store} did not answer within {} s{}",
        after.as_secs_f32(),
        if *in_doubt { ", and may have made the change all the same" } else { "" }
    )]
    TimedOut {
        /// The store.
        store: StoreKind,
        /// The time it was given.
        after: Duration,
        /// Whether a change was under way that the store may still make.
        in_doubt: bool,
    },
    /// The store, or the person in front of its prompt, said no.
    #[error("the {store} refused: {reason}")]
    Refused {
        /// The store.
        store: StoreKind,
        /// What it said.
        reason: String,
    },
    /// The store has nothing yet to put a key into, and making it needs a person.
    #[error("the {store} has no collection yet to store a key in")]
    Empty {
        /// The store.
        store: StoreKind,
    },
    /// A passphrase is needed and there is no way to get one.
    #[error("a passphrase is needed for `{}`", path.display())]
    PassphraseRequired {
        /// The encrypted file.
        path: PathBuf,
        /// What the passphrase is needed for.
        purpose: super::PassphraseFor,
    },
    /// The passphrase does not open the file.
    #[error("the passphrase does not open `{}`", path.display())]
    WrongPassphrase {
        /// The encrypted file.
        path: PathBuf,
    },
    /// The identity does not open the file.
    #[error("the identity `{}` does not open `{}`", identity.display(), path.display())]
    WrongIdentity {
        /// The encrypted file.
        path: PathBuf,
        /// The identity file.
        identity: PathBuf,
    },
    /// The identity file is missing or is not one.
    #[error("cannot use the identity `{}`: {reason}", path.display())]
    BadIdentity {
        /// The identity file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The passphrase file, or what the passphrase comes from, cannot be used.
    #[error("cannot use the passphrase: {reason}")]
    BadPassphrase {
        /// What is wrong with it.
        reason: String,
    },
    /// The person asked for a passphrase did not want to give one: stop.
    #[error("cancelled")]
    Cancelled,
    /// What is stored is damaged or was changed by another program.
    #[error("`{}` is damaged: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
    /// The encrypted file asks for more work than is done for it: seal it anew with less.
    #[error(
        "`{}` asks for a scrypt work factor of 2^{required}, at most 2^{limit} is accepted",
        path.display()
    )]
    TooMuchWork {
        /// The encrypted file.
        path: PathBuf,
        /// The binary logarithm of the work it asks for.
        required: u8,
        /// The binary logarithm of the most that is done.
        limit: u8,
    },
    /// The item was found, and what it holds is not a key.
    #[error("the {store} holds something for `{account}` that is not an API key: {reason}")]
    NotAKey {
        /// The store.
        store: StoreKind,
        /// The account name of the item.
        account: String,
        /// Why it is none.
        reason: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Disk(#[from] disk::Error),
    /// The store failed in another way.
    #[error("the {store} failed: {reason}")]
    Unavailable {
        /// The store.
        store: StoreKind,
        /// What it said.
        reason: String,
    },
}

impl Error {
    /// Returns whether asking the same store for another key would end the same way, and cost the
    /// same time or bother the same person again.
    #[must_use]
    pub fn is_of_the_whole_store(&self) -> bool {
        matches!(
            self,
            Self::Locked { .. }
                | Self::TimedOut { .. }
                | Self::PassphraseRequired { .. }
                | Self::WrongPassphrase { .. }
                | Self::BadPassphrase { .. }
                | Self::WrongIdentity { .. }
                | Self::BadIdentity { .. }
                | Self::Cancelled
                | Self::Corrupt { .. }
                | Self::TooMuchWork { .. }
        )
    }

    /// Returns whether a person could open the store: it is there and works, and what opens it is
    /// missing or wrong.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        matches!(
            self,
            Self::Locked { .. }
                | Self::PassphraseRequired { .. }
                | Self::WrongPassphrase { .. }
                | Self::BadPassphrase { .. }
                | Self::WrongIdentity { .. }
                | Self::BadIdentity { .. }
        )
    }
}
