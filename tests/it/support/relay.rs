//! A relay between a server and its PostgreSQL, which fails on demand.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// The name of PostgreSQL's socket in its folder.
const SOCKET: &str = ".s.PGSQL.5432";

/// What happens to connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    Open,
    /// They are closed, and new ones are refused.
    Cut,
    /// They stay open, and nothing passes.
    Frozen,
}

/// What happens to notifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notifications {
    Pass,
    Drop,
    Double,
    Delay(Duration),
}

/// A relay with a socket in a folder of its own.
pub struct Relay {
    folder: tempfile::TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    target: PathBuf,
    flow: Flow,
    notifications: Notifications,
    open: Vec<UnixStream>,
}

impl Relay {
    /// Relays to the server with its socket in this folder.
    pub fn to(server: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let shared = Arc::new(Shared {
            state: Mutex::new(State {
                target: server.join(SOCKET),
                flow: Flow::Open,
                notifications: Notifications::Pass,
                open: Vec::new(),
            }),
            changed: Condvar::new(),
        });
        let accepting = shared.clone();
        // Ends with the process.
        thread::spawn(move || {
            for client in listener.incoming() {
                accepting.accept(client.unwrap());
            }
        });
        Self { folder, shared }
    }

    /// Returns the URL of a database through the relay.
    pub fn url(&self, url: &str) -> String {
        let (database, _) = url.split_once("?host=").unwrap();
        format!("{database}?host={}", self.folder.path().display())
    }

    pub fn set_flow(&self, flow: Flow) {
        let mut state = self.shared.state.lock().unwrap();
        state.flow = flow;
        if flow == Flow::Cut {
            state.close_all();
        }
        self.shared.changed.notify_all();
    }

    pub fn set_notifications(&self, notifications: Notifications) {
        self.shared.state.lock().unwrap().notifications = notifications;
    }

    /// Relays to another server from now on.
    pub fn set_target(&self, server: &Path) {
        let mut state = self.shared.state.lock().unwrap();
        state.target = server.join(SOCKET);
        state.close_all();
    }
}

impl State {
    fn close_all(&mut self) {
        for stream in self.open.drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, client: UnixStream) {
        let mut state = self.state.lock().unwrap();
        if state.flow == Flow::Cut {
            return;
        }
        // A server that restarts has no socket.
        let Ok(server) = UnixStream::connect(&state.target) else {
            return;
        };
        for stream in [&client, &server] {
            state.open.push(stream.try_clone().unwrap());
        }
        drop(state);
        let (to_server, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let shared = self.clone();
        thread::spawn(move || shared.copy(client, to_server));
        let shared = self.clone();
        thread::spawn(move || shared.copy_messages(server, to_client));
    }

    /// Waits while nothing passes.
    fn wait(&self) {
        let state = self.state.lock().unwrap();
        let frozen = |state: &mut State| state.flow == Flow::Frozen;
        drop(self.changed.wait_while(state, frozen).unwrap());
    }

    fn copy(&self, mut from: UnixStream, mut to: UnixStream) {
        let mut bytes = [0; 8192];
        while let Ok(length) = from.read(&mut bytes)
            && length > 0
        {
            self.wait();
            if to.write_all(&bytes[..length]).is_err() {
                break;
            }
        }
        // It may be closed already.
        let _ = to.shutdown(Shutdown::Both);
    }

    /// Copies what the server sends: messages of a type, a length and a body.
    fn copy_messages(&self, mut from: UnixStream, mut to: UnixStream) {
        const NOTIFICATION: u8 = b'A';

        let mut head = [0; 5];
        while from.read_exact(&mut head).is_ok() {
            let length = u32::from_be_bytes(head[1..].try_into().unwrap());
            let mut message = head.to_vec();
            message.resize(usize::try_from(length).unwrap() + 1, 0);
            if from.read_exact(&mut message[5..]).is_err() {
                break;
            }
            self.wait();
            let notifications = self.state.lock().unwrap().notifications;
            let times = match notifications {
                _ if head[0] != NOTIFICATION => 1,
                Notifications::Pass => 1,
                Notifications::Drop => 0,
                Notifications::Double => 2,
                Notifications::Delay(time) => {
                    thread::sleep(time);
                    1
                }
            };
            if (0..times).any(|_| to.write_all(&message).is_err()) {
                break;
            }
        }
        // It may be closed already.
        let _ = to.shutdown(Shutdown::Both);
    }
}
