use std::path::PathBuf;
use std::time::Duration;

use super::StoreKind;
use ntro_base::disk;

/// Why a store failed. Each variant suggests a different next step.
///
/// No variant holds a key or a passphrase.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store is not available on this machine: choose another one.
    #[error("the {store} store is not available: {reason}")]
    Absent {
        /// The store.
        store: StoreKind,
        /// The missing part.
        reason: String,
    },
    /// The store is locked, and `ntro` cannot prompt: unlock it, or run interactively.
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
        /// The timeout.
        after: Duration,
        /// Whether the store may still make a requested change.
        in_doubt: bool,
    },
    /// The store, or the user in its prompt, refused.
    #[error("the {store} refused: {reason}")]
    Refused {
        /// The store.
        store: StoreKind,
        /// The store's message.
        reason: String,
    },
    /// The store has no collection for keys, and creating one needs the user.
    #[error("the {store} has no collection yet to store a key in")]
    Empty {
        /// The store.
        store: StoreKind,
    },
    /// A passphrase is needed, and no source for it is available.
    #[error("a passphrase is needed for `{}`", path.display())]
    PassphraseRequired {
        /// The encrypted file.
        path: PathBuf,
        /// The purpose of the passphrase.
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
        /// The reason.
        reason: String,
    },
    /// The passphrase file, or another source of the passphrase, is unusable.
    #[error("cannot use the passphrase: {reason}")]
    BadPassphrase {
        /// The reason.
        reason: String,
    },
    /// The user cancelled the passphrase prompt.
    #[error("cancelled")]
    Cancelled,
    /// The user left the passphrase prompt for the previous question.
    #[error("cancelled")]
    SteppedBack,
    /// The stored data is damaged or was changed by another program.
    #[error("`{}` is damaged: {reason}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The encrypted file needs more work to open than the limit: encrypt it again with less.
    #[error(
        "`{}` asks for a scrypt work factor of 2^{required}, at most 2^{limit} is accepted",
        path.display()
    )]
    TooMuchWork {
        /// The encrypted file.
        path: PathBuf,
        /// The binary logarithm of the work it needs.
        required: u8,
        /// The binary logarithm of the limit.
        limit: u8,
    },
    /// The file has recipients whose identities are unknown, and a change would drop them.
    #[error(
        "`{}` is also sealed for {count} {} whose identity is not here, and a change would lock it for them",
        path.display(),
        if *count == 1 { "recipient" } else { "recipients" }
    )]
    ForeignRecipients {
        /// The encrypted file.
        path: PathBuf,
        /// How many there are.
        count: usize,
    },
    /// The item exists, but is not a key.
    #[error("the {store} holds something for `{account}` that is not an API key: {reason}")]
    NotAKey {
        /// The store.
        store: StoreKind,
        /// The account name of the item.
        account: String,
        /// The reason.
        reason: String,
    },
    /// The value in `config.toml` is not a key.
    #[error("`{key}` in `{}` is not an API key: {reason}", path.display())]
    NotAPlainKey {
        /// The dotted key.
        key: String,
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The `command` store is not configured, or wrongly: configure it in `config.toml`.
    #[error("the `command` store is not set up: {reason}")]
    NotConfigured {
        /// The reason.
        reason: String,
    },
    /// A helper of the `command` store failed: read its message.
    #[error("the helper `{program}` {fault}{}", said(stderr))]
    Helper {
        /// The operation.
        call: HelperCall,
        /// Its program.
        program: String,
        /// The fault.
        fault: HelperFault,
        /// Its standard error, cleaned for a terminal.
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
        /// Its message.
        reason: String,
    },
}

impl Error {
    /// Returns whether the item exists but is not a key, as after a kill of `ntro` while a helper
    /// waited for the key.
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

    /// Returns whether reading another key from the same store would fail in the same way, with the
    /// same delay or prompt.
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
                | Self::SteppedBack
                | Self::Corrupt { .. }
                | Self::TooMuchWork { .. }
        )
    }

    /// Returns whether the user could open the store: it is available, but the secret that opens it
    /// is missing or wrong.
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

/// An operation of a helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HelperCall {
    /// Prints a key.
    Get,
    /// Stores the key on its standard input.
    Store,
    /// Erases a key.
    Erase,
    /// Prints the names of the stored items.
    List,
}

impl HelperCall {
    /// Returns its key in `[stores.command]`.
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

/// The fault of a helper. Never contains its output.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HelperFault {
    /// It exited with this code.
    #[error("failed with exit code {0}")]
    Failed(i32),
    /// A signal ended it.
    #[error("was ended by {0}")]
    Ended(String),
    /// It succeeded and printed no key.
    #[error("printed nothing")]
    Nothing,
    /// It printed more than the key.
    #[error("printed {0} lines where the key alone was expected")]
    Lines(usize),
    /// It printed one line that is not a key.
    #[error("printed something that is not an API key: {0}")]
    NotAKey(String),
    /// It reported success, but stored no key or another one.
    #[error("did not keep the key that it was given")]
    NotKept,
}

fn said(stderr: &str) -> String {
    match stderr {
        "" => String::new(),
        stderr => format!(": {stderr}"),
    }
}
