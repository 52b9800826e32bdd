use std::io;
use std::path::PathBuf;

use super::{Gap, SealLevel};

/// Why a child cannot be sealed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The level was named, and something that it promises cannot be had.
    #[error("cannot seal the child (`--seal {level}`): {gap}")]
    Unavailable {
        /// The level.
        level: SealLevel,
        /// The first thing that does not hold.
        gap: Gap,
    },
    /// The process is half sealed and must not start a child.
    #[error("cannot seal the child: {step}: {source}")]
    Failed {
        /// The step that failed.
        step: &'static str,
        /// The system's answer.
        source: io::Error,
    },
    /// The child would start in a folder that it must not see.
    #[error("the working folder `{}` is hidden from the child", .0.display())]
    WorkingFolder(PathBuf),
}
