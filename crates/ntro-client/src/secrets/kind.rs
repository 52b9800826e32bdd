use std::fmt;
use std::str::FromStr;

use ntro_base::printable;

/// One of the stores that a connection can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum StoreKind {
    /// The system's keyring: Secret Service, Keychain or Credential Manager.
    Keyring,
    /// An age-encrypted file in the folder of `ntro`.
    File,
    /// The keyring of the Linux kernel, in memory only.
    Keyutils,
    /// A secret manager with a command line, configured in `[stores.command]`.
    Command,
    /// `api_key` in `config.toml`, readable by every program that can read the file.
    Plaintext,
    /// An age-encrypted file for the connections of `ntro dev`, with an identity beside it. Only
    /// `ntro dev` chooses it.
    Dev,
    /// The memory of this process, for tests. No configuration can name it.
    Memory,
}

impl StoreKind {
    /// Every store that a person can choose, in the order in which prompts list them.
    pub const ALL: [Self; 5] = [
        Self::Keyring,
        Self::File,
        Self::Keyutils,
        Self::Command,
        Self::Plaintext,
    ];

    pub(super) const COUNT: usize = Self::ALL.len() + 2;

    /// Returns the name used in configuration, options and output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keyring => "keyring",
            Self::File => "file",
            Self::Keyutils => "keyutils",
            Self::Command => "command",
            Self::Plaintext => "plaintext",
            Self::Dev => "dev",
            Self::Memory => "memory",
        }
    }

    /// Returns a one-line summary of the store.
    #[must_use]
    pub const fn summary(self) -> &'static str {
        match self {
            Self::Keyring => "the keyring of this system",
            Self::File => "an encrypted file in the folder of `ntro`",
            Self::Keyutils => "the keyring of the Linux kernel, in memory only: gone at reboot",
            Self::Command => "a secret manager, by the commands in `[stores.command]`",
            Self::Plaintext => "in plain text in `config.toml`, where the official SDK reads it",
            Self::Dev => "the encrypted file of `ntro dev`",
            Self::Memory => "the memory of this process",
        }
    }
}

impl fmt::Display for StoreKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A store name that no configuration can have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown store `{0}`: expected `keyring`, `file`, `keyutils`, `command` or `plaintext`")]
pub struct UnknownStore(pub String);

impl FromStr for StoreKind {
    type Err = UnknownStore;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .chain([Self::Dev])
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| UnknownStore(printable(text, 64)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_parse_from_their_names() {
        for kind in StoreKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert!(UnknownStore("x".into()).to_string().contains(kind.as_str()));
        }
        assert_eq!("dev".parse(), Ok(StoreKind::Dev));
        assert!(StoreKind::Memory.as_str().parse::<StoreKind>().is_err());
    }
}
