use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, geteuid};
use serde::{Deserialize, Serialize};

use super::outcome::Failure;

/// Where the canary was planted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Grounds {
    pub(super) canary: String,
    /// A second canary, in the answers of a server that needs a key.
    pub(super) answer: String,
    /// The key that the proxy adds for this server.
    pub(super) key: String,
    /// Whether the sealed process has a proxy to this server.
    pub(super) proxied: bool,
    /// The connection of the user whose key the attempts look for.
    pub(super) connection: Option<String>,
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
    /// The port of the server that needs a key.
    pub(super) http: u16,
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

    /// Returns the folder of the proxy.
    pub(super) fn proxy_folder(&self) -> PathBuf {
        self.ntro_home.join(format!("{}-proxy", self.file_name()))
    }

    /// Returns where the victim listens: as a bus, as an agent, as tmux, and in the home.
    pub(super) fn sockets(&self) -> Vec<PathBuf> {
        let folders = [
            self.runtime_dir.clone(),
            Some("/tmp".into()),
            Some(tmux_folder()),
            self.home.clone(),
        ];
        let folders = folders.into_iter().flatten();
        folders
            .map(|folder| folder.join(format!("{}.sock", self.name)))
            .collect()
    }

    /// Removes the planted files.
    pub(super) fn remove(&self) {
        for file in self.files.iter().chain([&self.own_file()]) {
            let _ = fs::remove_file(file);
        }
        for socket in self.sockets() {
            let _ = fs::remove_file(socket);
        }
        let _ = fs::remove_dir_all(self.proxy_folder());
        if let Some(home) = &self.home {
            let _ = fs::remove_dir(home.join(self.file_name()));
        }
    }
}

/// Returns the folder in which tmux listens.
pub(super) fn tmux_folder() -> PathBuf {
    format!("/tmp/tmux-{}", geteuid().as_raw()).into()
}
