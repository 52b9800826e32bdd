//! A real nginx, Caddy or HAProxy, configured as `docs/forward-auth.md` says.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use crate::readme::blocks;

const PAGE: &str = "docs/forward-auth.md";
/// The addresses in the page.
const AUTHORITY: &str = "127.0.0.1:3000";
const UPSTREAM: &str = "127.0.0.1:8000";
/// Longer than any response takes.
const TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayKind {
    Nginx,
    Caddy,
    HaProxy,
}

impl GatewayKind {
    const fn program(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::HaProxy => "haproxy",
        }
    }

    /// Writes the configuration of the page, with the parts that a whole one needs; returns the
    /// arguments that name it.
    fn configure(self, folder: &Path, listen: SocketAddr, replace: &Replace) -> Vec<String> {
        let page = |language: &str| {
            let [block] = <[String; 1]>::try_from(blocks(PAGE, language)).unwrap();
            replace(&block)
        };
        let port = format!(":{}", listen.port());
        let shown = folder.display();
        let (name, text) = match self {
            Self::Nginx => {
                let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
                let temporary = temporary.map(|name| format!("{name}_temp_path {shown}/{name};\n"));
                let server = page("nginx").replace("127.0.0.1:8080", &listen.to_string());
                let text = format!(
                    "daemon off;\nmaster_process off;\npid {shown}/pid;\nerror_log {shown}/log;\n\
                     events {{}}\nhttp {{\naccess_log off;\n{}{server}}}\n",
                    temporary.concat()
                );
                ("nginx.conf", text)
            }
            Self::Caddy => {
                let site = page("caddyfile").replace(":8080", &port);
                let options = "admin off\nauto_https off\ndefault_bind 127.0.0.1\n";
                ("Caddyfile", format!("{{\n{options}}}\n{site}"))
            }
            Self::HaProxy => {
                let action = folder.join("ntro.lua");
                fs::write(&action, page("lua")).unwrap();
                let text = page("haproxy")
                    .replace("127.0.0.1:8080", &listen.to_string())
                    .replace("/etc/haproxy/ntro.lua", action.to_str().unwrap());
                ("haproxy.cfg", text)
            }
        };
        let file = folder.join(name);
        fs::write(&file, text).unwrap();
        let file = file.to_str().unwrap();
        let arguments = match self {
            Self::Nginx => vec!["-p", folder.to_str().unwrap(), "-c", file],
            Self::Caddy => vec!["run", "--adapter", "caddyfile", "--config", file],
            Self::HaProxy => vec!["-db", "-f", file],
        };
        arguments.into_iter().map(str::to_owned).collect()
    }
}

type Replace<'a> = dyn Fn(&str) -> String + 'a;

/// A running gateway, stopped when this is dropped.
pub struct Gateway {
    process: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Gateway {
    /// Starts a gateway that asks `authority` and passes requests to `upstream`.
    pub fn start(kind: GatewayKind, authority: SocketAddr, upstream: SocketAddr) -> Self {
        let replace = |text: &str| {
            text.replace(AUTHORITY, &authority.to_string())
                .replace(UPSTREAM, &upstream.to_string())
        };
        loop {
            // Another process may take the port meanwhile: then the gateway ends.
            let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let folder = tempfile::tempdir().unwrap();
            let arguments = kind.configure(folder.path(), address, &replace);
            let process = spawn(kind, &arguments, folder.path());
            let mut gateway = Self {
                process,
                address,
                _folder: folder,
            };
            if gateway.listens() {
                return gateway;
            }
        }
    }

    /// Waits until the gateway accepts connections, or returns false if it has ended.
    fn listens(&mut self) -> bool {
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.process.try_wait().unwrap() {
                let mut output = String::new();
                let stderr = self.process.stderr.as_mut().unwrap();
                stderr.read_to_string(&mut output).unwrap();
                let is_taken = ["in use", "cannot bind"]
                    .iter()
                    .any(|text| output.contains(text));
                assert!(is_taken, "{status}: {output}");
                return false;
            }
            std::thread::yield_now();
        }
        true
    }

    pub fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Sends these bytes on a new connection; returns the response to its end.
    pub fn send(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        read_message(&mut BufReader::new(stream))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts a program, which may be in a folder that users do not have in `PATH`.
fn spawn(kind: GatewayKind, arguments: &[String], home: &Path) -> Child {
    let program = PathBuf::from("/usr/sbin").join(kind.program());
    let program = match program.exists() {
        true => program,
        false => kind.program().into(),
    };
    Command::new(program)
        .args(arguments)
        .env("HOME", home)
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("XDG_DATA_HOME")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Reads the head and the body, if its length is given.
fn read_message(stream: &mut impl std::io::BufRead) -> String {
    let mut text = String::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        // A gateway may close the connection without a response.
        if stream.read_line(&mut line).unwrap_or(0) == 0 {
            return text;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
        text.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    // There is none after HEAD.
    let _ = stream.read_exact(&mut body);
    text.push_str(&String::from_utf8(body).unwrap());
    text
}

/// A service that answers every request with `[]`, and records the head.
pub struct EchoServer {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl EchoServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let record = Arc::clone(&seen);
        // The threads end with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let record = Arc::clone(&record);
                std::thread::spawn(move || {
                    // The gateway may close the connection at any time.
                    let _ = converse(stream.unwrap(), &record);
                });
            }
        });
        Self { address, seen }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the requests since the last call.
    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn converse(stream: TcpStream, seen: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut writer = stream;
    while !reader.fill_buf()?.is_empty() {
        let request = read_message(&mut reader);
        seen.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(request);
        writer.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n[]",
        )?;
    }
    Ok(())
}
