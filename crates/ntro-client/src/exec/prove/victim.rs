//! A process that holds the canary, as any program of the user may hold a key.

use std::fs::File;
use std::io::{self, Write as _};
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};

use super::calls;
use super::grounds::Planted;
use super::line::print_line;

/// Plants what a process can hold, reports it, and waits for the end of its input. The first line of
/// the input is the canary; the others are the paths of sockets.
pub(super) fn run(name: &str) -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    let mut lines = io::stdin().lines();
    let canary = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let mut paths = Vec::new();
    for line in &mut lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        paths.push(PathBuf::from(line));
    }

    let mut file = File::from(memfd_create("canary", MemfdFlags::CLOEXEC)?);
    file.write_all(canary.as_bytes())?;
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let terminal = new_terminal().ok();
    let mut planted = Planted {
        pid: rustix::process::getpid().as_raw_pid(),
        address: canary.as_ptr() as u64,
        descriptor: file.as_raw_fd(),
        // The folder of `ntro` is the working folder.
        handle: calls::file_handle(Path::new(&format!(".{name}"))).ok(),
        sockets: Vec::new(),
        tcp: tcp.local_addr()?.port(),
        udp: udp.local_addr()?.port(),
        terminal: terminal.as_ref().map(|(_, path)| path.clone()),
    };

    let mut listeners = vec![UnixListener::bind_addr(&SocketAddr::from_abstract_name(
        name,
    )?)?];
    for path in paths {
        if let Ok(listener) = UnixListener::bind(&path) {
            planted.sockets.push(path);
            listeners.push(listener);
        }
    }
    for listener in listeners {
        let canary = canary.clone();
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let _ = stream.write_all(canary.as_bytes());
            }
        });
    }
    let answer = canary.clone();
    thread::spawn(move || {
        for mut stream in tcp.incoming().flatten() {
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let answer = canary.clone();
    thread::spawn(move || {
        let mut question = [0; 64];
        while let Ok((_, from)) = udp.recv_from(&mut question) {
            let _ = udp.send_to(answer.as_bytes(), from);
        }
    });
    if let Some((master, _)) = terminal {
        let line = format!("{canary}\n");
        // Another process may read a line first, so it is repeated.
        thread::spawn(move || {
            while rustix::io::write(&master, line.as_bytes()).is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
    }
    print_line(&planted)?;
    for line in lines {
        line?;
    }
    for path in &planted.sockets {
        let _ = std::fs::remove_file(path);
    }
    drop(file);
    Ok(())
}

/// Makes a terminal. Returns the end of its owner, and the path of the other.
pub(super) fn new_terminal() -> io::Result<(OwnedFd, PathBuf)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    unlockpt(&master)?;
    let path = ptsname(&master, Vec::new())?;
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(path.to_bytes()));
    Ok((master, path))
}
