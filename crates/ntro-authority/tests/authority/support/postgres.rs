//! A PostgreSQL server of the tests, started once for each process.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Starts a new server, or a standby of the one in the folder `$3`, and reports it. Ends the server
/// and removes its files when standard input ends, which it does with the process of the tests,
/// whatever ends that.
///
/// Only the making of the empty cluster does without `fsync`: nothing of it must survive.
const SCRIPT: &str = r#"
set -e
trap 'rm -rf -- "$2"' EXIT
if [ -z "$3" ]; then
    "$1/initdb" --no-sync --auth=trust --username=postgres --encoding=UTF8 --locale=C -D "$2/data" >/dev/null
else
    "$1/pg_basebackup" --host="$3" --username=postgres --write-recovery-conf --checkpoint=fast -D "$2/data"
fi
printf '%s\n' "listen_addresses = ''" "unix_socket_directories = '$2'" 'max_connections = 200' \
    >>"$2/data/postgresql.conf"
"$1/pg_ctl" -D "$2/data" -l "$2/log" -w start >/dev/null || { cat "$2/log" >&2; exit 1; }
echo ready
cat >/dev/null
"$1/pg_ctl" -D "$2/data" -m immediate stop >/dev/null
"#;

/// A running server. Dropping it ends the server.
pub(crate) struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    databases: AtomicUsize,
    /// Its standard input keeps the server running.
    server: Child,
}

impl Cluster {
    /// Returns the server that the tests of this process share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Starts a server for one test, which changes its settings.
    pub(crate) fn start() -> Self {
        let cluster = Self::run(Path::new(""));
        // Not a superuser, as in production.
        cluster.sql("postgres", "CREATE ROLE ntro LOGIN");
        cluster
    }

    /// Starts a standby of this server.
    #[allow(dead_code, reason = "only the tests of failovers use it")]
    pub(crate) fn standby(&self) -> Self {
        Self::run(&self.folder)
    }

    fn run(primary: &Path) -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new()
            .prefix("ntro-pg-")
            .tempdir()
            .unwrap()
            .keep();
        let mut command = as_ordinary_user(&folder);
        let mut server = command
            .args(["sh", "-c", SCRIPT, "sh"])
            .args([&programs, &folder])
            .arg(primary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(server.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "PostgreSQL does not start");
        Self {
            programs,
            folder,
            databases: AtomicUsize::new(0),
            server,
        }
    }

    /// Returns the folder of the server's socket.
    #[allow(dead_code, reason = "only the tests of whole processes use it")]
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Returns a command that runs a program as the user of the server.
    #[allow(dead_code, reason = "only the tests of whole processes use it")]
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = as_ordinary_user(&self.folder);
        command.arg(program);
        command
    }

    /// Runs `pg_ctl`, such as `-m immediate restart` or `promote`, and waits for the result.
    #[allow(dead_code, reason = "only the tests of whole processes use it")]
    pub(crate) fn control(&self, arguments: &[&str]) {
        let status = self
            .command(&self.programs.join("pg_ctl"))
            .arg("-D")
            .arg(self.folder.join("data"))
            .arg("-l")
            .arg(self.folder.join("log"))
            .arg("-w")
            .args(arguments)
            .stdout(Stdio::null())
            .status();
        assert!(status.unwrap().success(), "pg_ctl {arguments:?}");
    }

    /// Makes an empty database and returns its URL.
    pub(crate) fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("registry_{number}");
        self.sql("postgres", &format!("CREATE DATABASE {name} OWNER ntro"));
        format!("postgres://ntro@/{name}?host={}", self.folder.display())
    }

    /// Runs SQL in a database, as a superuser; returns the output.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let output = Command::new(self.programs.join("psql"))
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-h",
            ])
            .arg(&self.folder)
            .args(["-d", database, "-c", sql])
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{sql}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.server.stdin.take());
        self.server.wait().unwrap();
    }
}

/// Returns the folder of the server's programs, which Debian does not put into `PATH`.
fn programs() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let mut versions: Vec<PathBuf> = versions
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    versions.sort();
    folders.extend(versions.into_iter().rev().map(|one| one.join("bin")));
    folders
        .into_iter()
        .find(|folder| {
            let needed = ["initdb", "pg_basebackup", "pg_ctl", "psql"];
            needed.iter().all(|program| folder.join(program).exists())
        })
        .expect("PostgreSQL's `initdb` is not installed")
}

/// Returns a command to which a program is added. PostgreSQL refuses to run as root.
fn as_ordinary_user(folder: &Path) -> Command {
    let id = Command::new("id").arg("-u").output().unwrap().stdout;
    if id != b"0\n" {
        return Command::new("env");
    }
    let user = match Command::new("id").args(["-u", "postgres"]).output() {
        Ok(output) if output.status.success() => "postgres",
        _ => "nobody",
    };
    let status = Command::new("chown").arg(user).arg(folder).status();
    assert!(status.unwrap().success());
    let mut command = Command::new("setpriv");
    command.args(["--clear-groups", "--reuid", user, "--regid"]);
    let group = Command::new("id")
        .args(["-g", user])
        .output()
        .unwrap()
        .stdout;
    command.arg(String::from_utf8(group).unwrap().trim());
    command
}
