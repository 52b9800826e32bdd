//! A proxy to a server that makes one request fail.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

/// The kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The response has this status and a body that no client can read.
    Status(u16),
    /// The connection is closed, with nothing or half of the response sent.
    Cut,
    /// The response arrives after the client's deadline.
    Late,
    /// The server stops and stays down.
    Dead,
}

/// When the fault happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before the server receives the request.
    Before,
    /// After the server has processed the request, so the client does not learn the result.
    After,
}

/// A listener that forwards requests to a server, except those planned to fail.
pub struct Faulty {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: Mutex<SocketAddr>,
    when_dead: Mutex<Box<dyn FnMut() + Send>>,
    plan: Mutex<Plan>,
    changed: Condvar,
}

#[derive(Default)]
struct Plan {
    fault: Option<(usize, Fault, When)>,
    /// Whether repetitions of the same request fail as well.
    again: bool,
    seen: usize,
    hit: Option<String>,
    dead: bool,
    listening: bool,
}

impl Faulty {
    /// Starts a proxy for a server.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server: Mutex::new(server),
            when_dead: Mutex::new(Box::new(|| {})),
            plan: Mutex::default(),
            changed: Condvar::new(),
        });
        let ours = Arc::clone(&shared);
        // The threads end with the process.
        thread::spawn(move || ours.listen(listener));
        Self { address, shared }
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Forwards to another server from here on.
    pub fn lead_to(&self, server: SocketAddr) {
        *self.shared.server.lock().unwrap() = server;
    }

    /// Sets the action that stops the server, for [`Fault::Dead`].
    pub fn when_dead(&self, act: impl FnMut() + Send + 'static) {
        *self.shared.when_dead.lock().unwrap() = Box::new(act);
    }

    /// Makes the request with this number, counted from 1, fail; with `again`, also later requests
    /// with the same method and path.
    pub fn plan(&self, number: usize, fault: Fault, when: When, again: bool) {
        self.heal();
        let mut plan = self.shared.plan.lock().unwrap();
        *plan = Plan {
            fault: Some((number, fault, when)),
            again,
            listening: plan.listening,
            ..Plan::default()
        };
    }

    /// Ends the faults. Returns the request that failed, if any.
    pub fn heal(&self) -> Option<String> {
        let mut plan = self.shared.plan.lock().unwrap();
        let hit = plan.hit.take();
        *plan = Plan {
            listening: plan.listening,
            ..Plan::default()
        };
        self.shared.changed.notify_all();
        while !plan.listening {
            plan = self.shared.changed.wait(plan).unwrap();
        }
        hit
    }
}

impl Shared {
    fn listen(self: Arc<Self>, first: TcpListener) {
        let address = first.local_addr().unwrap();
        let mut listener = Some(first);
        loop {
            let open = listener
                .take()
                .unwrap_or_else(|| TcpListener::bind(address).unwrap());
            self.set_listening(true);
            for stream in open.incoming() {
                if self.plan.lock().unwrap().dead {
                    break;
                }
                let shared = Arc::clone(&self);
                thread::spawn(move || {
                    // Either side may hang up at any time.
                    let _ = shared.converse(stream.unwrap());
                });
            }
            drop(open);
            self.set_listening(false);
            let mut plan = self.plan.lock().unwrap();
            while plan.dead {
                plan = self.changed.wait(plan).unwrap();
            }
        }
    }

    fn set_listening(&self, listening: bool) {
        self.plan.lock().unwrap().listening = listening;
        self.changed.notify_all();
    }

    /// Returns the fault for a request, if any.
    fn fault(&self, request: &str) -> Option<(Fault, When)> {
        let mut plan = self.plan.lock().unwrap();
        plan.seen += 1;
        let (number, fault, when) = plan.fault?;
        let same = plan.again && plan.hit.as_deref() == Some(request);
        if plan.seen != number && !same {
            return None;
        }
        plan.hit = Some(request.to_owned());
        Some((fault, when))
    }

    fn converse(&self, mut client: TcpStream) -> std::io::Result<()> {
        let Some((line, request)) = read_message(&client)? else {
            return Ok(());
        };
        let name = line
            .rsplit_once(' ')
            .map_or(line.as_str(), |(name, _)| name);
        match self.fault(name) {
            None => client.write_all(&self.forward(&request)?),
            Some((fault, when)) => {
                let answer = match when {
                    When::Before => Vec::new(),
                    When::After => self.forward(&request)?,
                };
                self.go_wrong(client, fault, &answer)
            }
        }
    }

    fn go_wrong(&self, mut client: TcpStream, fault: Fault, answer: &[u8]) -> std::io::Result<()> {
        match fault {
            Fault::Status(status) => write!(
                client,
                "HTTP/1.1 {status} Status\r\ncontent-type: text/plain\r\n\
                 content-length: 4\r\nconnection: close\r\n\r\noops"
            ),
            Fault::Cut => {
                client.write_all(&answer[..answer.len() / 2])?;
                client.shutdown(Shutdown::Both)
            }
            Fault::Late => {
                client.read_to_end(&mut Vec::new())?;
                client.write_all(answer)
            }
            Fault::Dead => {
                self.when_dead.lock().unwrap()();
                self.plan.lock().unwrap().dead = true;
                // Connects once, since the listener checks the flag on the next connection.
                drop(TcpStream::connect(client.local_addr()?));
                let mut plan = self.plan.lock().unwrap();
                while plan.dead && plan.listening {
                    plan = self.changed.wait(plan).unwrap();
                }
                drop(plan);
                client.shutdown(Shutdown::Both)
            }
        }
    }

    /// Forwards a request and returns the response.
    fn forward(&self, request: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut server = TcpStream::connect(*self.server.lock().unwrap())?;
        server.write_all(request)?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer)?;
        Ok(answer)
    }
}

/// Reads a request: its first line, and the whole text with `connection: close`.
fn read_message(stream: &TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(None);
    }
    let mut whole = first.clone().into_bytes();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let lower = header.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if header.trim().is_empty() {
            break;
        }
        if !lower.starts_with("connection:") {
            whole.extend(header.into_bytes());
        }
    }
    whole.extend(b"connection: close\r\n\r\n");
    reader.take(length).read_to_end(&mut whole)?;
    Ok(Some((first.trim_end().to_owned(), whole)))
}
