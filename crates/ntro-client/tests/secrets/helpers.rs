//! Real secret managers behind the `command` store, configured as in docs/stores.md.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::project;

/// Returns the table under a heading of docs/stores.md, with `program` run with these variables.
pub fn preset(heading: &str, program: &str, run: &str, variables: &[(&str, &str)]) -> String {
    let page = std::fs::read_to_string(project("docs/stores.md")).unwrap();
    let (_, section) = page.split_once(&format!("\n### {heading}\n")).unwrap();
    let (_, table) = section.split_once("```toml\n").unwrap();
    let (table, _) = table.split_once("```").unwrap();
    let words: String = variables
        .iter()
        .map(|(name, value)| format!("\"{name}={value}\", "))
        .collect();
    let table = table.replace(
        &format!("[\"{program}\""),
        &format!("[\"env\", {words}\"{run}\""),
    );
    assert!(table.contains("\"env\""), "{table}");
    table
}

/// A new store of `pass` with its own GPG key.
pub struct PasswordStore {
    home: tempfile::TempDir,
}

impl PasswordStore {
    pub fn new() -> Self {
        // The agent's socket is in this folder, and the path of a socket must be short.
        let home = tempfile::Builder::new()
            .prefix("pass-")
            .tempdir_in("/tmp")
            .unwrap();
        let this = Self { home };
        std::fs::create_dir(this.path(".gnupg")).unwrap();
        std::fs::set_permissions(
            this.path(".gnupg"),
            std::os::unix::fs::PermissionsExt::from_mode(0o700),
        )
        .unwrap();
        this.run(
            "gpg --batch --quiet --passphrase= --quick-generate-key ntro@test.invalid default default never",
        );
        this.run("pass init ntro@test.invalid");
        this
    }

    /// Returns the documented settings for this store.
    pub fn settings(&self) -> String {
        let home = self.home.path().to_str().unwrap();
        preset("pass", "pass", "pass", &[("HOME", home)]).replace("/home/ada", home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn run(&self, line: &str) {
        let mut words = line.split(' ');
        let output = Command::new(words.next().unwrap())
            .args(words)
            .env("HOME", self.home.path())
            .env_remove("GNUPGHOME")
            .env_remove("PASSWORD_STORE_DIR")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
    }
}

impl Drop for PasswordStore {
    fn drop(&mut self) {
        self.run("gpgconf --kill all");
    }
}

/// An OpenBao server with in-memory storage.
pub struct OpenBao {
    server: Child,
    address: String,
    program: PathBuf,
}

impl OpenBao {
    const TOKEN: &str = "root";

    pub fn start() -> Self {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .unwrap()
            .join("clients/bin/bao");
        assert!(
            program.is_file(),
            "no OpenBao in {}: run scripts/test",
            program.display()
        );
        // Another process may take the port before the server does.
        (0..5)
            .find_map(|_| Self::try_start(&program))
            .expect("OpenBao starts")
    }

    fn try_start(program: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr();
        let address = port.unwrap().to_string();
        let mut server = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={}", Self::TOKEN))
            .arg(format!("-dev-listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        // The last line before it accepts calls.
        let ready = lines.any(|line| line.unwrap().contains("Root Token:"));
        let mut this = Self {
            server,
            address,
            program: program.to_owned(),
        };
        if ready {
            // Keeps reading, so that a full pipe does not stop the server.
            std::thread::spawn(move || lines.count());
            return Some(this);
        }
        let _ = this.server.wait();
        None
    }

    /// Returns the documented settings for this server.
    pub fn settings(&self) -> String {
        let address = format!("http://{}", self.address);
        preset(
            "OpenBao and Vault",
            "bao",
            self.program.to_str().unwrap(),
            &[("BAO_ADDR", &address), ("BAO_TOKEN", Self::TOKEN)],
        )
    }
}

impl Drop for OpenBao {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
