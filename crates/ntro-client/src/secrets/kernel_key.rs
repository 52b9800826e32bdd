//! Keys in the keyrings of the Linux kernel.

use linux_keyutils::{Key, KeyError, KeyRing};
use rustix::io::Errno;
use zeroize::Zeroizing;

/// The kernel's size limit for one key.
pub(super) const LARGEST: usize = 32_767;

/// Returns a key by its description; `None` if there is none.
pub(super) fn find(ring: KeyRing, description: &str) -> Result<Option<Key>, KeyError> {
    unless_gone(ring.search(description))
}

/// Returns the content of a key; `None` if it was removed meanwhile.
pub(super) fn read(key: Key) -> Result<Option<Zeroizing<Vec<u8>>>, KeyError> {
    let mut bytes = Zeroizing::new(vec![0; LARGEST]);
    let length = unless_gone(key.read(&mut bytes))?;
    Ok(length.map(|length| {
        bytes.truncate(length);
        bytes
    }))
}

/// Returns whether a system call filter refused the call.
pub(super) fn is_blocked(error: KeyError) -> bool {
    const NO_SYSTEM_CALL: i32 = Errno::NOSYS.raw_os_error();
    matches!(
        error,
        KeyError::PermissionDenied | KeyError::Unknown(NO_SYSTEM_CALL)
    )
}

fn unless_gone<T>(result: Result<T, KeyError>) -> Result<Option<T>, KeyError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(KeyError::KeyDoesNotExist | KeyError::KeyExpired | KeyError::KeyRevoked) => Ok(None),
        Err(error) => Err(error),
    }
}
