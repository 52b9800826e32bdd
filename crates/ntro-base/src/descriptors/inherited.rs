//! Closes the descriptors that a process inherits. No safe wrapper exists, since a descriptor in use
//! could be closed.

#![expect(unsafe_code, reason = "close_range and close have no safe wrapper")]

/// Closes all descriptors but those of standard input, output and error.
///
/// For a process that outlives the one that started it: a pipe that it keeps open would never end.
/// Must be called before this process has opened a file.
pub fn close_inherited() {
    const FIRST: u32 = 3;

    #[cfg(target_os = "linux")]
    {
        // SAFETY: takes numbers only. No object of this process owns a descriptor yet.
        let result = unsafe { libc::syscall(libc::SYS_close_range, FIRST, u32::MAX, 0) };
        if result == 0 {
            return;
        }
    }
    // Kernels older than 5.9, and other systems.
    const MOST: u64 = 65_536;
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let limit = limit.current.unwrap_or(MOST).min(MOST);
    for descriptor in FIRST..u32::try_from(limit).unwrap_or(FIRST) {
        // SAFETY: as above; an unused number is an error without effect.
        unsafe { libc::close(descriptor.cast_signed()) };
    }
}
