//! The one interface of an empty network namespace, and its only listener.

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use rustix::net::{recv, send, socket_with};

// Of `linux/netlink.h`, `linux/rtnetlink.h` and `linux/if.h`.
const NEW_LINK: u16 = 16;
const ERROR: u16 = 2;
const REQUEST: u16 = 1;
const ACKNOWLEDGE: u16 = 4;
const UP: u32 = 1;
/// The index of `lo` in each network namespace.
const LOOPBACK: i32 = 1;
const HEADER: usize = 16;

/// Brings the interface up and listens on a free port.
pub(super) fn listen() -> io::Result<TcpListener> {
    bring_up()?;
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
}

fn bring_up() -> io::Result<()> {
    let socket = socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        None,
    )?;
    send(&socket, &request(), SendFlags::empty())?;
    let mut answer = [0; 256];
    let (length, _) = recv(&socket, &mut answer[..], RecvFlags::empty())?;
    outcome(&answer[..length])
}

fn request() -> Vec<u8> {
    let mut link = Vec::new();
    // `struct ifinfomsg`: family, type, index, flags, and the flags that change.
    link.extend([0; 4]);
    link.extend(LOOPBACK.to_ne_bytes());
    link.extend(UP.to_ne_bytes());
    link.extend(UP.to_ne_bytes());
    let length = u32::try_from(HEADER + link.len()).expect("32 bytes");
    // `struct nlmsghdr`: length, type, flags, sequence, sender.
    let mut message = Vec::new();
    message.extend(length.to_ne_bytes());
    message.extend(NEW_LINK.to_ne_bytes());
    message.extend((REQUEST | ACKNOWLEDGE).to_ne_bytes());
    message.extend([0; 8]);
    message.extend(link);
    message
}

/// Reads the acknowledgement: an error message with the number 0.
fn outcome(answer: &[u8]) -> io::Result<()> {
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok());
    let number = answer.get(HEADER..HEADER + 4);
    let number = number.and_then(|bytes| bytes.try_into().ok());
    match (kind.map(u16::from_ne_bytes), number.map(i32::from_ne_bytes)) {
        (Some(ERROR), Some(0)) => Ok(()),
        (Some(ERROR), Some(number)) => Err(io::Error::from_raw_os_error(-number)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}
