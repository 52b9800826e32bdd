use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a file could not be read or written. Names the path always.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused an operation.
    #[error("cannot {action} `{}`: {}", path.display(), describe(source))]
    Io {
        /// What was to be done: "read", "write", …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The lock is held by another process for longer than we wait.
    #[error("{} has held the lock `{}` for {} s", name(*holder), path.display(), waited.as_secs())]
    Locked {
        /// The process, where the system tells.
        holder: Option<u32>,
        /// The lock file.
        path: PathBuf,
        /// How long was waited.
        waited: Duration,
    },
    /// The file is larger than anything that belongs there.
    #[error("`{}` is larger than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// Something else than a file stands there.
    #[error("`{}` is {is}, not a file", path.display())]
    NotAFile {
        /// Where it stands.
        path: PathBuf,
        /// What it is: "a folder", "a pipe", …
        is: &'static str,
    },
    /// Another user of the machine has laid the file there.
    #[error("`{}` belongs to another user (number {owner})", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The number of its owner.
        owner: u32,
    },
}

impl Error {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io {
            action,
            path,
            source,
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

/// The system's message without the "(os error 13)" that helps nobody.
fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((message, _)) => message.to_lowercase(),
        None => text,
    }
}
