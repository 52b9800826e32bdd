use std::path::PathBuf;
use std::time::Duration;

use super::StoreKind;
use ntro_base::disk;

/// Why a store did not do what it was asked. Each variant is one answer to "what now?".
///
/// No variant holds a key or a passphrase.
#[derive(Clone, Debug, thiserror::Error)]
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
    /// What stands in `config.toml` in the place of a key is none.
    #[error("`{key}` in `{}` is not an API key: {reason}", path.display())]
    NotAPlainKey {
        /// The dotted key.
        key: String,
        /// The file.
        path: PathBuf,
        /// Why it is none.
        reason: String,
    },
    /// The `command` store is not set up, or not as it has to be: write it into `config.toml`.
    #[error("the `command` store is not set up: {reason}")]
    NotConfigured {
        /// What is missing or wrong.
        reason: String,
    },
    /// A helper of the `command` store ran and did not do what it is for: see what it says.
    #[error("the helper `{program}` {fault}{}", said(stderr))]
    Helper {
        /// What it was to do.
        call: HelperCall,
        /// Its program.
        program: String,
        /// What it did instead.
        fault: HelperFault,
        /// What it said on standard error, made fit for a terminal.
        stderr: String,
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
    /// Returns whether something lies in the place of the key that is none, as a helper leaves it
    /// that was given no key because `ntro` was killed.
    #[must_use]
    pub fn is_no_key(&self) -> bool {
        let fault = match self {
            Self::NotAKey { .. } | Self::NotAPlainKey { .. } => return true,
            Self::Helper { fault, .. } => fault,
            _ => return false,
        };
        matches!(
            fault,
            HelperFault::Nothing | HelperFault::Lines(_) | HelperFault::NotAKey(_)
        )
    }

    /// Returns whether asking the same store for another key would end the same way, and cost the
    /// same time or bother the same person again.
    #[must_use]
    pub fn is_of_the_whole_store(&self) -> bool {
        matches!(
            self,
            Self::Locked { .. }
                | Self::TimedOut { .. }
                | Self::NotConfigured { .. }
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

/// What a helper of the `command` store is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelperCall {
    /// Prints a key.
    Get,
    /// Stores the key on its standard input.
    Store,
    /// Erases a key.
    Erase,
    /// Prints the names of what is stored.
    List,
}

impl HelperCall {
    /// Returns the name under which its arguments stand in `[stores.command]`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Store => "store",
            Self::Erase => "erase",
            Self::List => "list",
        }
    }
}

/// What is wrong with what a helper did. Nothing of its output is in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelperFault {
    /// It ended with this code.
    #[error("failed with exit code {0}")]
    Failed(i32),
    /// A signal ended it.
    #[error("was ended by {0}")]
    Ended(String),
    /// It ended well and printed no key.
    #[error("printed nothing")]
    Nothing,
    /// It printed more than the key.
    #[error("printed {0} lines where the key alone was expected")]
    Lines(usize),
    /// It printed one line that is no key.
    #[error("printed something that is not an API key: {0}")]
    NotAKey(String),
    /// It said that it stored the key, and has none, or another one.
    #[error("did not keep the key that it was given")]
    NotKept,
}

fn said(stderr: &str) -> String {
    match stderr {
        "" => String::new(),
        stderr => format!(": {stderr}"),
    }
}
