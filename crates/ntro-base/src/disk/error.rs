use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why a file could not be read or written. Every variant names the path.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused an operation.
    #[error("cannot {action} `{}`: {}", path.display(), describe(source))]
    Io {
        /// The operation that failed: "read", "write", …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: Arc<io::Error>,
    },
    /// Another process holds the lock for longer than the timeout.
    #[error("{} has held the lock `{}` for {} s", name(*holder), path.display(), waited.as_secs())]
    Locked {
        /// The process id, where the system reports it.
        holder: Option<u32>,
        /// The lock file.
        path: PathBuf,
        /// How long the caller waited.
        waited: Duration,
    },
    /// The file exceeds the size limit.
    #[error("`{}` is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit.
        limit: u64,
    },
    /// The path is not a regular file.
    #[error("`{}` is {is}, not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
        /// The kind of file: "a folder", "a pipe", …
        is: &'static str,
    },
    /// A symbolic link on the way to the file, or the file itself, leads nowhere.
    #[error("`{}` is a symbolic link to `{}`, which does not exist", path.display(), target.display())]
    DanglingLink {
        /// The link.
        path: PathBuf,
        /// Its target.
        target: PathBuf,
    },
    /// The file is a symbolic link, and its target is in a folder that cannot be written.
    #[error("`{}` is a link to `{}`, which cannot be written: it is managed elsewhere", path.display(), target.display())]
    ManagedElsewhere {
        /// The link.
        path: PathBuf,
        /// The file that it leads to.
        target: PathBuf,
    },
    /// The file belongs to another user of the machine.
    #[error("`{}` belongs to another user (number {owner})", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The user id of its owner.
        owner: u32,
    },
}

impl Error {
    /// Returns a function that names the operation and the path of a system error.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source: Arc::new(source),
        }
    }

    /// Returns the file or folder that the error is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self {
            Self::Io { path, .. }
            | Self::Locked { path, .. }
            | Self::TooLarge { path, .. }
            | Self::NotAFile { path, .. }
            | Self::DanglingLink { path, .. }
            | Self::ManagedElsewhere { path, .. }
            | Self::Foreign { path, .. } => path,
        }
    }
}

fn name(holder: Option<u32>) -> String {
    match holder {
        Some(pid) => format!("the process {pid}"),
        None => "another process".to_owned(),
    }
}

/// Returns the system's message without the "(os error 13)" at its end.
pub(crate) fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((message, _)) => message.to_lowercase(),
        None => text,
    }
}
