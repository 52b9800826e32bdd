use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ntro_base::ConnectionName;
use ntro_base::disk::{self, Finding};
use ntro_base::env::Env;
use secrecy::SecretString;

use crate::resolve::{Connection, Error, Flags, Shadow};
use crate::secrets::{self, NotKept, PassphraseFor};
use ntro_base::ApiKey;

/// Asks a person for a passphrase; [`secrets::Error::Cancelled`] means that they declined. The
/// number of the attempt is above 1 after a wrong one.
pub type AskPassphrase =
    Arc<dyn Fn(PassphraseFor, u8) -> Result<SecretString, secrets::Error> + Send + Sync>;

/// Asks a person whether to reveal the key of a connection.
pub type ConfirmReveal = Arc<dyn Fn(&ConnectionName) -> bool + Send + Sync>;

/// The inputs of a [`Session`](super::Session), as plain data.
#[derive(Clone)]
pub struct Options {
    /// The values that override every other source.
    pub flags: Flags,
    /// The environment.
    pub env: Env,
    /// The folder where the search for `.ntro.toml` starts; `None` ignores such files.
    pub folder: Option<PathBuf>,
    /// Whether plain `http` may leave this machine.
    pub insecure_http: bool,
    /// Returns the function that asks a person for the passphrase of the key file, which is called
    /// where no variable has it. `None` means that there is no person to ask, so a locked keyring
    /// is not unlocked either. Called when a store is first needed.
    pub prompt: Arc<dyn Fn() -> Option<AskPassphrase> + Send + Sync>,
    /// Asks whether to reveal a key whose policy is `confirm`. `None` refuses.
    pub confirm: Option<ConfirmReveal>,
    /// Receives warnings. By default they are logged.
    pub notice: Arc<dyn Fn(&Notice<'_>) + Send + Sync>,
}

impl Options {
    /// Takes the environment and the current folder of this process.
    #[must_use]
    pub fn from_env() -> Self {
        Self {
            env: Env::from_process(),
            // A folder that was removed holds no file.
            folder: std::env::current_dir().ok(),
            ..Self::default()
        }
    }

    /// Reveals the key of a connection, as far as its policy allows that.
    pub fn reveal<'c>(&self, connection: &'c Connection) -> Result<&'c ApiKey, Error> {
        connection.reveal(|name| Ok(self.confirm.as_ref().is_some_and(|confirm| confirm(name))))
    }

    pub(super) fn notice(&self, notice: &Notice<'_>) {
        (self.notice)(notice);
    }
}

/// An empty environment, no folder, and no person to ask.
impl Default for Options {
    fn default() -> Self {
        Self {
            flags: Flags::default(),
            env: Env::empty(),
            folder: None,
            insecure_http: false,
            prompt: Arc::new(|| None),
            confirm: None,
            notice: Arc::new(|notice| tracing::warn!("{notice}")),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("flags", &self.flags)
            .field("folder", &self.folder)
            .field("insecure_http", &self.insecure_http)
            .finish_non_exhaustive()
    }
}

/// A warning that does not stop a call.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Notice<'a> {
    /// A variable hides a value that would be used without it.
    Shadow(&'a Shadow),
    /// A line that a helper of the `command` store wrote to standard error.
    Helper(&'a str),
    /// Something odd in the answer of a server.
    Answer(&'a str),
    /// A file belongs to another user.
    ForeignOwner {
        /// The file.
        path: &'a Path,
        /// The user's number.
        owner: u32,
    },
    /// A file is open to other users.
    Permissions(&'a Finding),
    /// A file cannot be read; the call does not need it.
    Unread(&'a disk::Error),
    /// A typed passphrase cannot be kept.
    NotKept(&'a NotKept),
    /// The folder, in or below which the command runs, may have a pin that cannot be seen.
    ClosedFolder(&'a Path),
}

impl fmt::Display for Notice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shadow(shadow) => shadow.fmt(f),
            Self::Helper(text) | Self::Answer(text) => f.write_str(text),
            Self::ForeignOwner { path, owner } => write!(
                f,
                "`{}` belongs to another user (number {owner}), who can change it at any time",
                path.display()
            ),
            Self::Permissions(finding) => write!(
                f,
                "`{}` has the permissions {:04o} and should have {:04o}{}",
                finding.path.display(),
                finding.mode,
                finding.expected,
                match finding.is_link {
                    true => "",
                    false => "; the next change fixes it",
                }
            ),
            Self::Unread(error) => write!(f, "{error}; key and host are set, so it is not needed"),
            Self::NotKept(reason) => write!(f, "the passphrase is not kept: {reason}"),
            Self::ClosedFolder(folder) => write!(
                f,
                "`{}` cannot be searched for `.ntro.toml`: permission denied",
                folder.display()
            ),
        }
    }
}
