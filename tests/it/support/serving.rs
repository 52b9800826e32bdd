//! The real `ntro serve` and `ntro admin`, in a temporary folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::wire;

const NTRO: &str = env!("CARGO_BIN_EXE_ntro");

/// A folder with a registry that outlives its server processes.
pub struct ServerFolder {
    folder: tempfile::TempDir,
    /// The URL of its database, if that is not in the folder.
    postgres: Option<String>,
}

impl ServerFolder {
    /// Creates a registry with the organisation Acme and its tenant `acme-fund-admin`.
    pub fn new() -> Self {
        Self::with_database(None)
    }

    /// Creates the same in an empty PostgreSQL database.
    pub fn on_postgres(url: &str) -> Self {
        Self::with_database(Some(url.to_owned()))
    }

    fn with_database(postgres: Option<String>) -> Self {
        let server = Self {
            folder: tempfile::tempdir().unwrap(),
            postgres,
        };
        if server.postgres.is_some() {
            server.admin_ok("init");
        }
        server.admin_ok("organisation create Acme --external-id org_acme");
        server.admin_ok("tenant create acme-fund-admin");
        server
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(NTRO);
        self.prepare(&mut command);
        command
    }

    fn prepare(&self, command: &mut Command) {
        command
            .env_clear()
            .env("NTRO_HOME", self.folder())
            .stdin(Stdio::null());
        if let Some(url) = &self.postgres {
            command
                .env("NTRO_DATABASE", url)
                .env("NTRO_KEY_MATERIAL", self.folder().join("keys"));
        }
    }

    /// Runs `ntro admin`.
    pub fn admin(&self, line: &str) -> Output {
        self.command()
            .args(["admin", "-o", "json"])
            .args(line.split(' '))
            .output()
            .unwrap()
    }

    /// Runs `ntro admin`, asserts success and returns its JSON.
    pub fn admin_ok(&self, line: &str) -> Value {
        let output = self.admin(line);
        assert!(output.status.success(), "{line}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Creates a key of the tenant; returns its id and the key.
    pub fn key(&self, provider: &str) -> (String, String) {
        let scope = match provider {
            "ontora" => " --scope *",
            _ => "",
        };
        let made = self.admin_ok(&format!(
            "key create --tenant acme-fund-admin --provider {provider}{scope}"
        ));
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        (text("id"), text("key"))
    }

    pub fn serve(&self) -> Serving {
        self.serve_with(&[])
    }

    pub fn serve_with(&self, arguments: &[&str]) -> Serving {
        self.serve_in(&[], arguments)
    }

    /// Starts `ntro serve` with these variables.
    pub fn serve_in(&self, variables: &[(&str, &str)], arguments: &[&str]) -> Serving {
        let mut command = self.command();
        command.arg("serve").args(arguments);
        command.envs(variables.iter().copied());
        Serving::start(command)
    }

    /// Starts `ntro serve` where files are limited to `blocks` blocks of 512 bytes: the disk is
    /// then full.
    pub fn serve_on_a_small_disk(&self, blocks: u32) -> Serving {
        let mut command = Command::new("sh");
        self.prepare(&mut command);
        // Ignored signals stay ignored, so that a write fails instead of ending the process.
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" serve \"$@\"");
        command.args(["-c", &script, NTRO]);
        Serving::start(command)
    }
}

/// Answers every request, also those of a proxy, with this body until the test ends.
pub fn always(body: String) -> SocketAddr {
    always_with(|_| body)
}

/// As [`always`], with a body that contains the server's address.
pub fn always_with(body: impl FnOnce(SocketAddr) -> String) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let body = body(address);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = BufReader::new(&stream).lines();
            while head.next().is_some_and(|line| !line.unwrap().is_empty()) {}
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    address
}

/// A running `ntro serve`.
pub struct Serving {
    child: Child,
    _stdout: BufReader<ChildStdout>,
    pub address: SocketAddr,
    /// The number of its listeners.
    pub listeners: usize,
    /// URL of the listener for metrics.
    pub metrics: Option<String>,
}

impl Serving {
    /// Starts it on a free port, beside the other listeners of the command.
    pub fn start(mut command: Command) -> Self {
        command.args(["--listen", "127.0.0.1:0"]).args([
            "--rate-limit",
            "0",
            "--failure-limit",
            "0",
        ]);
        Self::start_as_is(command)
    }

    /// Starts it with no other arguments; one of its listeners must be an address.
    pub fn start_as_is(mut command: Command) -> Self {
        let mut child = command
            .args(["-o", "json"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut text = String::new();
        while !text.ends_with("\n}\n") {
            assert!(stdout.read_line(&mut text).unwrap() > 0, "it ended: {text}");
        }
        let listening: Value = serde_json::from_str(&text).unwrap();
        let listeners = listening["listeners"].as_array().unwrap();
        let addresses = listeners.iter().map(|one| one["address"].as_str().unwrap());
        Self {
            listeners: listeners.len(),
            metrics: listening["metrics"].as_str().map(str::to_owned),
            address: addresses.flat_map(str::parse).next().unwrap(),
            child,
            _stdout: stdout,
        }
    }

    /// Returns its standard error, which the command must have piped.
    pub fn take_stderr(&mut self) -> ChildStderr {
        self.child.stderr.take().unwrap()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        kill_process(id, signal).unwrap();
    }

    /// Stops it as a service manager does.
    pub fn end(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.child.wait().unwrap()
    }

    /// Waits for it to end.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Kills it, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Returns the status of a request with a key.
    pub fn verify(&self, key: &str) -> u16 {
        let (path, header) = if key.starts_with("ont_") {
            ("/v1/api-keys/current", format!("x-api-key: {key}"))
        } else {
            ("/v1/me", format!("authorization: Bearer {key}"))
        };
        wire::ask(self.address, "GET", path, &header, "").unwrap().0
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
