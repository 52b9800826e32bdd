//! System calls without a safe wrapper.

#![expect(unsafe_code, reason = "no crate wraps these calls safely")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::thread::UnshareFlags;

/// Moves the process into new namespaces.
pub(in crate::exec) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    // SAFETY: Unsafe because of `CLONE_FILES`, which takes the table of descriptors from other
    // threads; no caller passes it.
    debug_assert!(!flags.contains(UnshareFlags::FILES));
    Ok(unsafe { rustix::thread::unshare_unsafe(flags) }?)
}

/// Makes a mount and all mounts in it read-only. Fails before Linux 5.12.
pub(super) fn make_read_only(path: &Path) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    // SAFETY: The path ends with a zero byte, and the kernel reads as many bytes of the attributes
    // as the last argument names.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            libc::AT_FDCWD,
            path.as_ptr(),
            libc::AT_RECURSIVE,
            &raw const attributes,
            size_of_val(&attributes),
        )
    };
    match done {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Gives the process a new session keyring, without name and empty.
pub(super) fn join_new_session_keyring() -> io::Result<()> {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: The call takes a name or a null pointer, and touches no memory of the process.
    let serial = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            JOIN_SESSION_KEYRING,
            std::ptr::null::<libc::c_char>(),
        )
    };
    match serial {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Makes the descriptor with this number refer to another file; the caller looked it up in
/// `/proc/self/fd`.
pub(super) fn replace_descriptor(number: RawFd, file: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: `dup2` closes the old file of the number in the same step, and the number stays
    // valid, so an owner of it elsewhere still owns an open descriptor.
    match unsafe { libc::dup2(file.as_raw_fd(), number) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
