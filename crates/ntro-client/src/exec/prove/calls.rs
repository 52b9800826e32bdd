//! System calls of an attacker without a safe wrapper.

#![expect(unsafe_code, reason = "no crate wraps these calls safely")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use super::grounds::FileHandle;

/// Its type in `libc` depends on the system.
const TIOCSTI: u32 = 0x5412;
/// `MAX_HANDLE_SZ`.
const LONGEST_HANDLE: usize = 128;
const GET_KEYRING_ID: libc::c_int = 0;
const INVALIDATE: libc::c_int = 21;
const LINK: libc::c_int = 8;
const SEARCH: libc::c_int = 10;
const READ: libc::c_int = 11;
const SET_TIMEOUT: libc::c_int = 15;
/// The special numbers of the keyrings of the process, the session and the user.
const PROCESS_KEYRING: i32 = -2;
const SESSION_KEYRING: i32 = -3;
const USER_KEYRING: i32 = -4;

/// Adds a key to the user's and to the session keyring for five minutes. Returns the numbers of the
/// user's keyring and of both keys.
pub(super) fn plant_keys(name: &str, secret: &str) -> io::Result<[i32; 3]> {
    let ring = keyctl(GET_KEYRING_ID, [USER_KEYRING as usize, 1, 0, 0])? as i32;
    // The first key for a session can replace the session keyring, through which this process may
    // have reached the user's.
    keyctl(LINK, [ring as usize, PROCESS_KEYRING as usize, 0, 0])?;
    let name = CString::new(name)?;
    let mut numbers = [ring; 3];
    for (number, ring) in numbers[1..].iter_mut().zip([ring, SESSION_KEYRING]) {
        // SAFETY: Both strings end with a zero byte and the length is that of the payload;
        // all live until it returns.
        let key = unsafe {
            libc::syscall(
                libc::SYS_add_key,
                c"user".as_ptr(),
                name.as_ptr(),
                secret.as_ptr(),
                secret.len(),
                ring,
            )
        };
        *number = checked(key)? as i32;
        keyctl(SET_TIMEOUT, [*number as usize, 300, 0, 0])?;
    }
    Ok(numbers)
}

/// Removes a key.
pub(super) fn forget_key(key: i32) -> io::Result<()> {
    keyctl(INVALIDATE, [key as usize, 0, 0, 0]).map(drop)
}

/// Reads a key from the user's keyring by its name.
pub(super) fn read_key_by_name(name: &str) -> io::Result<Vec<u8>> {
    let ring = keyctl(GET_KEYRING_ID, [USER_KEYRING as usize, 0, 0, 0])? as i32;
    keyctl(LINK, [ring as usize, PROCESS_KEYRING as usize, 0, 0])?;
    find_key(ring, name)
}

/// Reads a key from the session keyring by its name.
pub(super) fn read_key_of_session(name: &str) -> io::Result<Vec<u8>> {
    find_key(SESSION_KEYRING, name)
}

fn find_key(ring: i32, name: &str) -> io::Result<Vec<u8>> {
    let name = CString::new(name)?;
    let kind = c"user".as_ptr() as usize;
    let key = keyctl(SEARCH, [ring as usize, kind, name.as_ptr() as usize, 0])?;
    read_key(key as i32)
}

/// Reads a key after linking the keyring that holds it, both by number.
pub(super) fn read_key_by_number(ring: i32, key: i32) -> io::Result<Vec<u8>> {
    keyctl(LINK, [ring as usize, PROCESS_KEYRING as usize, 0, 0])?;
    read_key(key)
}

fn read_key(key: i32) -> io::Result<Vec<u8>> {
    let mut secret = vec![0_u8; 256];
    let address = secret.as_mut_ptr() as usize;
    let length = keyctl(READ, [key as usize, address, secret.len(), 0])?;
    secret.truncate(length as usize);
    Ok(secret)
}

fn keyctl(operation: libc::c_int, arguments: [usize; 4]) -> io::Result<i64> {
    let [a, b, c, d] = arguments;
    // SAFETY: The callers above pass numbers, strings that end with a zero byte, and a buffer with
    // its length; all live until the call returns.
    checked(unsafe { libc::syscall(libc::SYS_keyctl, operation, a, b, c, d) })
}

/// Reads the memory of another process.
pub(super) fn read_memory(pid: i32, address: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0_u8; length];
    let local = libc::iovec {
        iov_base: bytes.as_mut_ptr().cast(),
        iov_len: length,
    };
    let remote = libc::iovec {
        iov_base: address as *mut libc::c_void,
        iov_len: length,
    };
    // SAFETY: The kernel writes at most `length` bytes to `bytes`. The other address belongs to the
    // other process.
    checked(unsafe { libc::process_vm_readv(pid, &local, 1, &remote, 1, 0) } as i64)?;
    Ok(bytes)
}

/// `struct file_handle` with room for each file system's.
#[repr(C)]
struct RawHandle {
    length: u32,
    kind: i32,
    bytes: [u8; LONGEST_HANDLE],
}

/// Returns the handle of a file.
pub(super) fn file_handle(path: &Path) -> io::Result<FileHandle> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let mut raw = RawHandle {
        length: LONGEST_HANDLE as u32,
        kind: 0,
        bytes: [0; LONGEST_HANDLE],
    };
    let mut mount = 0_i32;
    // SAFETY: The path ends with a zero byte, and the kernel writes at most `length` bytes to the
    // handle and one number to `mount`; all live until it returns.
    let done = unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            path.as_ptr(),
            &raw mut raw,
            &raw mut mount,
            0,
        )
    };
    checked(done)?;
    Ok(FileHandle {
        kind: raw.kind,
        bytes: raw.bytes[..raw.length as usize].to_vec(),
    })
}

/// Opens a file by its handle. `folder` is on the same file system.
pub(super) fn open_handle(folder: BorrowedFd<'_>, handle: &FileHandle) -> io::Result<OwnedFd> {
    let mut raw = RawHandle {
        length: handle.bytes.len() as u32,
        kind: handle.kind,
        bytes: [0; LONGEST_HANDLE],
    };
    let bytes = raw.bytes.get_mut(..handle.bytes.len());
    bytes
        .ok_or(io::ErrorKind::InvalidInput)?
        .copy_from_slice(&handle.bytes);
    // SAFETY: The kernel reads the handle, which lives until it returns.
    let opened = unsafe {
        libc::syscall(
            libc::SYS_open_by_handle_at,
            folder.as_raw_fd(),
            &raw const raw,
            libc::O_RDONLY | libc::O_CLOEXEC,
        )
    };
    let opened = checked(opened)?;
    // SAFETY: The kernel has made this descriptor for the caller, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(opened as i32) })
}

/// Attaches to another process as a debugger, without stopping it.
pub(super) fn trace(pid: i32) -> io::Result<()> {
    // SAFETY: `PTRACE_SEIZE` takes numbers only.
    checked(unsafe { libc::ptrace(libc::PTRACE_SEIZE, pid, 0_usize, 0_usize) }).map(drop)
}

/// Puts a character into the input of a terminal. `upper` is set in the half of the request that the
/// kernel ignores.
pub(super) fn type_character(
    terminal: BorrowedFd<'_>,
    character: u8,
    upper: u64,
) -> io::Result<()> {
    let request = u64::from(TIOCSTI) | upper << 32;
    // SAFETY: The request reads one byte, which lives until the call returns.
    let done = unsafe {
        libc::syscall(
            libc::SYS_ioctl,
            terminal.as_raw_fd(),
            request,
            &raw const character,
        )
    };
    checked(done).map(drop)
}

/// Asks a console for the state of its shift key, the most harmless of the requests that select and
/// paste text.
pub(super) fn ask_console(terminal: BorrowedFd<'_>) -> io::Result<()> {
    const SHIFT_STATE: u8 = 6;
    let mut request = SHIFT_STATE;
    // SAFETY: The request reads and writes one byte, which lives until the call returns.
    let done = unsafe {
        libc::syscall(
            libc::SYS_ioctl,
            terminal.as_raw_fd(),
            libc::TIOCLINUX,
            &raw mut request,
        )
    };
    checked(done).map(drop)
}

fn checked(result: i64) -> io::Result<i64> {
    match result {
        -1 => Err(io::Error::last_os_error()),
        result => Ok(result),
    }
}
