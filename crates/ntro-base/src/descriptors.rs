//! File descriptors, which the system limits for each process (`ulimit -n`).

#[cfg(unix)]
mod inherited;

use std::io;

#[cfg(unix)]
pub use inherited::close_inherited;

/// Returns an error if fewer descriptors are left than an asynchronous runtime needs.
///
/// Tokio needs five, and panics if it cannot get the last three.
#[cfg(unix)]
pub fn ensure_spare_descriptors() -> io::Result<()> {
    const NEEDED: usize = 8;

    let spare = (0..NEEDED).map(|_| rustix::io::dup(io::stderr()));
    match spare.collect::<Result<Vec<_>, _>>() {
        // Without standard error, there is nothing to duplicate, and one descriptor more is free.
        Ok(_) | Err(rustix::io::Errno::BADF) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Always succeeds: Windows has no such limit.
#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "the counterpart can fail")]
pub fn ensure_spare_descriptors() -> io::Result<()> {
    Ok(())
}

/// Returns whether an operation failed because all descriptors are in use.
#[cfg(unix)]
#[must_use]
pub fn is_shortage(error: &io::Error) -> bool {
    use rustix::io::Errno;

    let number = error.raw_os_error();
    [Errno::MFILE, Errno::NFILE]
        .iter()
        .any(|errno| number == Some(errno.raw_os_error()))
}

/// Always `false`: Windows has no such limit.
#[cfg(not(unix))]
#[must_use]
pub fn is_shortage(_error: &io::Error) -> bool {
    false
}
