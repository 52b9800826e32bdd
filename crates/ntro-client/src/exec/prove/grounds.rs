use std::path::{Path, PathBuf};

use rustix::process::{Pid, geteuid};
use serde::{Deserialize, Serialize};

use super::outcome::Failure;

/// Where the canary was planted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Grounds {
    pub(super) canary: String,
    /// A name that nothing else has.
    pub(super) name: String,
    pub(super) home: Option<PathBuf>,
    pub(super) ntro_home: PathBuf,
    pub(super) runtime_dir: Option<PathBuf>,
    /// Whether the network is closed too.
    pub(super) net: bool,
    /// Files that contain the canary, each in another folder.
    pub(super) files: Vec<PathBuf>,
    /// The user's keyring in the kernel, a key in it, and one in the session keyring.
    pub(super) keys: Option<[i32; 3]>,
    pub(super) victim: Planted,
}

/// The files that the other process holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Planted {
    pub(super) pid: i32,
    /// The address of the canary in its memory.
    pub(super) address: u64,
    /// The number of a descriptor of a file without a name.
    pub(super) descriptor: i32,
    /// The handle of the planted file in the folder of `ntro`.
    pub(super) handle: Option<FileHandle>,
    /// Sockets that answer with the canary.
    pub(super) sockets: Vec<PathBuf>,
    pub(super) tcp: u16,
    pub(super) udp: u16,
    /// The other end of a terminal that the canary is typed into.
    pub(super) terminal: Option<PathBuf>,
}

/// The name of a file on its file system, without any path.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct FileHandle {
    pub(super) kind: i32,
    pub(super) bytes: Vec<u8>,
}

impl Planted {
    /// Returns the process.
    pub(super) fn process(&self) -> Result<Pid, Failure> {
        Pid::from_raw(self.pid).ok_or(Failure::NotTried("no victim"))
    }
}

impl Grounds {
    /// Returns the home folder.
    pub(super) fn home(&self) -> Result<&Path, Failure> {
        let none = Failure::NotTried("no home folder");
        self.home.as_deref().ok_or(none)
    }

    /// Returns the name of the planted file in each folder.
    pub(super) fn file_name(&self) -> String {
        format!(".{}", self.name)
    }

    /// Returns the planted file in the folder of `ntro`.
    pub(super) fn own_file(&self) -> PathBuf {
        self.ntro_home.join(self.file_name())
    }
}

/// Returns the folder in which tmux listens.
pub(super) fn tmux_folder() -> PathBuf {
    format!("/tmp/tmux-{}", geteuid().as_raw()).into()
}
