//! Several `ntro serve` on one PostgreSQL, and the history of what their clients see.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::history::{At, Seen, Verified, Violation, violations};
use super::postgres::Cluster;
use super::relay::Relay;
use super::serving::{ServerFolder, Serving};
use super::{tell, wire};

/// Revocations under one fault; `NTRO_TEST_REVOCATIONS` sets another number.
const REVOCATIONS: usize = 10;
/// Revocations at the same time.
const AT_ONCE: usize = 5;
/// Longer than any fault is noticed or repaired.
const PATIENCE: Duration = Duration::from_secs(60);

/// A registry in PostgreSQL, and processes that serve it, each through a relay.
pub struct Replicas {
    pub folder: ServerFolder,
    url: String,
    arguments: &'static [&'static str],
    replicas: RwLock<Vec<Replica>>,
    admin: String,
    tenant: String,
    clock: Instant,
    history: Mutex<Vec<Seen>>,
    keys: AtomicU32,
    slowest: Mutex<Duration>,
}

struct Replica {
    relay: Relay,
    serving: Option<Serving>,
}

/// A key that was created, and whose creation is answered.
pub struct TestKey {
    number: u32,
    pub id: String,
    text: String,
}

/// A request that is sent, and whose answer comes later.
struct Waiting {
    replica: usize,
    key: u32,
    sent: At,
    stream: TcpStream,
}

/// The outcome of a request to revoke a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revoking {
    Confirmed,
    /// 503.
    Unconfirmed,
    /// There was no answer.
    Lost,
}

impl Replicas {
    /// Starts three processes.
    pub fn start(cluster: &Cluster) -> Self {
        Self::start_with(cluster, cluster.folder(), &[])
    }

    /// Starts three processes with these arguments, which reach the database through the socket in a
    /// folder.
    pub fn start_with(
        cluster: &Cluster,
        server: &Path,
        arguments: &'static [&'static str],
    ) -> Self {
        let url = cluster.database();
        let folder = ServerFolder::on_postgres(&url);
        let token = folder.admin_ok("token --expires-in 1h");
        let tenants = folder.admin_ok("tenant list");
        let this = Self {
            folder,
            url,
            arguments,
            replicas: RwLock::default(),
            admin: format!("authorization: Bearer {}", token["token"].as_str().unwrap()),
            tenant: tenants[0]["id"].as_str().unwrap().to_owned(),
            clock: Instant::now(),
            history: Mutex::default(),
            keys: AtomicU32::new(0),
            slowest: Mutex::default(),
        };
        for _ in 0..3 {
            this.join(server);
        }
        this
    }

    /// Returns the name of the database.
    pub fn database(&self) -> &str {
        self.url.split(['/', '?']).nth(3).unwrap()
    }

    fn join(&self, server: &Path) {
        let relay = Relay::to(server);
        let serving = Some(self.serve(&relay));
        let mut replicas = self.replicas.write().unwrap();
        replicas.push(Replica { relay, serving });
    }

    /// Starts a process again, after it was killed.
    pub fn restart(&self, index: usize) {
        let serving = self.with_relay(index, |relay| self.serve(relay));
        self.replicas.write().unwrap()[index].serving = Some(serving);
    }

    fn serve(&self, relay: &Relay) -> Serving {
        let url = relay.url(&self.url);
        let variables = [("NTRO_DATABASE", &*url)];
        self.folder.serve_in(&variables, self.arguments)
    }

    pub fn with_relay<T>(&self, index: usize, then: impl FnOnce(&Relay) -> T) -> T {
        then(&self.replicas.read().unwrap()[index].relay)
    }

    pub fn signal(&self, index: usize, signal: Signal) {
        let replicas = self.replicas.read().unwrap();
        replicas[index].serving.as_ref().unwrap().signal(signal);
    }

    /// Kills a process, as a power cut would.
    pub fn kill(&self, index: usize) {
        let killed = self.replicas.write().unwrap()[index].serving.take();
        killed.unwrap().kill();
    }

    pub fn address(&self, index: usize) -> Option<SocketAddr> {
        let replicas = self.replicas.read().unwrap();
        Some(replicas[index].serving.as_ref()?.address)
    }

    fn live(&self) -> Vec<usize> {
        let replicas = self.replicas.read().unwrap();
        let live = replicas.iter().enumerate();
        live.filter(|(_, one)| one.serving.is_some())
            .map(|(index, _)| index)
            .collect()
    }

    fn now(&self) -> At {
        self.clock.elapsed().as_nanos().try_into().unwrap()
    }

    fn record(&self, seen: Seen) {
        self.history.lock().unwrap().push(seen);
    }

    /// Creates keys on the processes in turn, and verifies each of them on all.
    pub fn create(&self) -> Vec<TestKey> {
        let live = self.live();
        let create = |number: usize| {
            let key = self.create_on(live[number % live.len()]);
            for index in &live {
                assert_eq!(self.until_known(*index, &key), 200);
            }
            key
        };
        (0..AT_ONCE).map(create).collect()
    }

    fn create_on(&self, index: usize) -> TestKey {
        let number = self.keys.fetch_add(1, Ordering::Relaxed);
        let name = format!("key {number}");
        let body = json!({"name": name, "workspace_id": self.tenant, "scopes": ["*"]}).to_string();
        let address = self.address(index).unwrap();
        let (status, body) =
            wire::ask(address, "POST", "/v1/api-keys", &self.admin, &body).unwrap();
        assert_eq!(status, 201, "{body}");
        self.record(Seen::Created {
            key: number,
            answered: self.now(),
        });
        let made: Value = serde_json::from_str(&body).unwrap();
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        TestKey {
            number,
            id: text("id"),
            text: text("key"),
        }
    }

    /// Verifies a key on one process; `None` without an answer.
    pub fn verify(&self, index: usize, key: &TestKey) -> Option<u16> {
        let address = self.address(index)?;
        let sent = self.now();
        let header = format!("x-api-key: {}", key.text);
        let (status, _) = wire::ask(address, "GET", "/v1/api-keys/current", &header, "")?;
        self.saw(index, key.number, sent, status);
        Some(status)
    }

    fn saw(&self, replica: usize, key: u32, sent: At, status: u16) {
        let accepted = match status {
            200 => true,
            401 => false,
            503 => return,
            other => panic!("status {other}"),
        };
        self.record(Seen::Verified(Verified {
            key,
            replica,
            sent,
            answered: self.now(),
            accepted,
        }));
    }

    /// Verifies a key until the process knows; returns the status.
    pub fn until_known(&self, index: usize, key: &TestKey) -> u16 {
        let start = Instant::now();
        loop {
            match self.verify(index, key) {
                Some(status) if status != 503 => return status,
                _ => thread::sleep(Duration::from_millis(5)),
            }
            assert!(start.elapsed() < PATIENCE, "process {index} never knows");
        }
    }

    /// Sends a verification of each key to one process, and returns a function that waits for the
    /// answers.
    pub fn send<'a>(&'a self, index: usize, keys: &[TestKey]) -> impl FnOnce() + use<'a> {
        let address = self.address(index).unwrap();
        let send = |key: &TestKey| {
            let sent = self.now();
            let mut stream = wire::connect(address);
            let text = &key.text;
            let request = format!(
                "GET /v1/api-keys/current HTTP/1.1\r\nhost: a\r\nconnection: close\r\nx-api-key: {text}\r\n\r\n"
            );
            stream.write_all(request.as_bytes()).unwrap();
            Waiting {
                replica: index,
                key: key.number,
                sent,
                stream,
            }
        };
        let waiting: Vec<_> = keys.iter().map(send).collect();
        move || {
            for one in waiting {
                let mut line = String::new();
                BufReader::new(one.stream).read_line(&mut line).unwrap();
                self.saw(one.replica, one.key, one.sent, wire::status(&line).unwrap());
            }
        }
    }

    /// Asks a process once to revoke a key.
    pub fn ask_to_revoke(&self, index: usize, key: &TestKey) -> Revoking {
        let Some(address) = self.address(index) else {
            return Revoking::Lost;
        };
        self.record(Seen::Revoking {
            key: key.number,
            sent: self.now(),
        });
        let path = format!("/v1/api-keys/{}", key.id);
        match wire::ask(address, "DELETE", &path, &self.admin, "") {
            Some((204, _)) => {
                self.record(Seen::Revoked {
                    key: key.number,
                    answered: self.now(),
                });
                Revoking::Confirmed
            }
            Some((503, _)) => Revoking::Unconfirmed,
            Some((status, body)) => panic!("{status}: {body}"),
            None => Revoking::Lost,
        }
    }

    /// Asks one process to revoke a key until that is confirmed.
    pub fn revoke(&self, index: usize, key: &TestKey) {
        let start = Instant::now();
        while self.ask_to_revoke(index, key) != Revoking::Confirmed {
            assert!(start.elapsed() < PATIENCE, "process {index} never confirms");
            thread::sleep(Duration::from_millis(20));
        }
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = start.elapsed().max(*slowest);
    }

    /// Revokes a key as `ntro admin` does beside the processes.
    pub fn revoke_beside(&self, key: &TestKey) {
        self.record(Seen::Revoking {
            key: key.number,
            sent: self.now(),
        });
        self.folder.admin_ok(&format!("key revoke {}", key.id));
        self.record(Seen::Revoked {
            key: key.number,
            answered: self.now(),
        });
    }

    /// Revokes the keys at the same time, on these processes in turn.
    pub fn revoke_all(&self, processes: &[usize], keys: &[TestKey]) {
        thread::scope(|scope| {
            for (number, key) in keys.iter().enumerate() {
                let index = processes[number % processes.len()];
                scope.spawn(move || self.revoke(index, key));
            }
        });
    }

    /// Creates keys and calls `revoke` with them while every process verifies them, as often as the
    /// wanted number of revocations needs. Then every process must refuse them.
    pub fn rounds(&self, revoke: impl Fn(&[TestKey])) {
        let wanted = std::env::var("NTRO_TEST_REVOCATIONS");
        let wanted = wanted.map_or(REVOCATIONS, |number| number.parse().unwrap());
        for _ in 0..wanted.div_ceil(AT_ONCE) {
            let keys = self.create();
            let ended = AtomicBool::new(false);
            thread::scope(|scope| {
                for index in 0..self.replicas.read().unwrap().len() {
                    let (keys, ended) = (&keys, &ended);
                    scope.spawn(move || {
                        while !ended.load(Ordering::Relaxed) {
                            for key in keys {
                                if self.verify(index, key).is_none() {
                                    thread::sleep(Duration::from_millis(5));
                                }
                            }
                        }
                    });
                }
                // A failure must end the other threads too.
                let revoked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                    revoke(&keys);
                    for index in self.live() {
                        for key in &keys {
                            assert_eq!(self.until_known(index, key), 401, "process {index}");
                        }
                    }
                }));
                ended.store(true, Ordering::Relaxed);
                if let Err(panic) = revoked {
                    std::panic::resume_unwind(panic);
                }
            });
        }
    }

    /// Returns the broken promises.
    pub fn violations(&self) -> Vec<Violation> {
        violations(&self.history.lock().unwrap())
    }

    /// Asserts that no promise was broken.
    pub fn assert_strict(&self, fault: &str) {
        let history = self.history.lock().unwrap();
        let found = violations(&history);
        assert!(found.is_empty(), "{fault}: {found:?}");
        let count = |is: fn(&Seen) -> bool| history.iter().filter(|one| is(one)).count();
        tell(&format!(
            "{fault}: {} revocations, the slowest answered after {:?}; {} verifications accepted, \
             {} refused; none late, none taken back",
            count(|one| matches!(one, Seen::Revoked { .. })),
            self.slowest.lock().unwrap(),
            count(|one| matches!(one, Seen::Verified(Verified { accepted: true, .. }))),
            count(|one| matches!(
                one,
                Seen::Verified(Verified {
                    accepted: false,
                    ..
                })
            )),
        ));
    }
}
