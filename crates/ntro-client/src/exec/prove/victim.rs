//! A process that holds the canary, as any program of the user may hold a key.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::pty::{OpenptFlags, openpt, ptsname, unlockpt};

use super::grounds::{Grounds, Planted};
use super::line::print_line;

/// A server that is not attacked closes a call after this time.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Plants what a process can hold, reports it, and waits for the end of its input, whose first line
/// is a [`Grounds`]. Removes all that is planted.
pub(super) fn run(name: &str) -> io::Result<()> {
    set_dumpable_behavior(DumpableBehavior::Dumpable)?;
    let mut lines = io::stdin().lines();
    let line = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let grounds: Grounds = serde_json::from_str(&line)?;
    let planted = plant(name, &grounds);
    let done = planted.and_then(|file| lines.try_for_each(|line| line.map(drop)).map(|()| file));
    grounds.remove();
    done.map(drop)
}

/// Plants what a process can hold. Returns the file without a name.
fn plant(name: &str, grounds: &Grounds) -> io::Result<File> {
    let canary = grounds.canary.clone();
    let mut file = File::from(memfd_create("canary", MemfdFlags::CLOEXEC)?);
    file.write_all(canary.as_bytes())?;
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let terminal = new_terminal().ok();
    let mut planted = Planted {
        pid: rustix::process::getpid().as_raw_pid(),
        address: canary.as_ptr() as u64,
        descriptor: file.as_raw_fd(),
        handle: None,
        sockets: Vec::new(),
        tcp: tcp.local_addr()?.port(),
        udp: udp.local_addr()?.port(),
        http: http.local_addr()?.port(),
        terminal: terminal.as_ref().map(|(_, path)| path.clone()),
    };

    let mut listeners = vec![UnixListener::bind_addr(&SocketAddr::from_abstract_name(
        name,
    )?)?];
    for path in grounds.sockets() {
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
    let (answer, key) = (grounds.answer.clone(), grounds.key.clone());
    thread::spawn(move || {
        for stream in http.incoming().flatten() {
            let (answer, key) = (answer.clone(), key.clone());
            thread::spawn(move || serve(&stream, &answer, &key));
        }
    });
    print_line(&planted)?;
    // Its memory holds the canary at the reported address.
    std::mem::forget(canary);
    Ok(file)
}

/// Answers any request, as a server without protection: with the answer, or with the key if the path
/// ends in `/key`.
fn serve(stream: &TcpStream, answer: &str, key: &str) -> io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
    let target = first.split(' ').nth(1).unwrap_or_default();
    let body = if target.ends_with("/key") {
        key
    } else {
        answer
    };
    for line in lines {
        if line?.is_empty() {
            break;
        }
    }
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Makes a terminal. Returns the end of its owner, and the path of the other.
pub(super) fn new_terminal() -> io::Result<(OwnedFd, PathBuf)> {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    unlockpt(&master)?;
    let path = ptsname(&master, Vec::new())?;
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(path.to_bytes()));
    Ok((master, path))
}
