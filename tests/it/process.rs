//! A process that holds a key hides its memory from other processes, and resets its settings for
//! child processes.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use ntro_base::ApiKey;
use rustix::process::{Pid, Signal, kill_process};

use crate::stores::helpers;
use crate::support::{Reply, Sandbox, Stub};

const TIMEOUT: Duration = Duration::from_secs(60);
const KEY: &str = "ntro_prod_good_k9Zr4MxQ2bLw";

/// An unprivileged user whose processes all have the same user id. Root of the namespace maps to no
/// user here.
pub struct PlainUser<'a> {
    sandbox: &'a Sandbox,
    pub ntro: PathBuf,
}

impl<'a> PlainUser<'a> {
    pub fn new(sandbox: &'a Sandbox) -> Self {
        let ntro = sandbox.copy_ntro();
        if rustix::process::geteuid().is_root() {
            let given = Command::new("chown")
                .args(["-R", "65534:65534"])
                .arg(sandbox.home().parent().unwrap())
                .status();
            assert!(given.unwrap().success());
        }
        Self { sandbox, ntro }
    }

    /// Prepares a program that runs as this user, under the child's user id.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = match rustix::process::geteuid().is_root() {
            false => Command::new(program),
            true => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
                command.arg(program);
                command
            }
        };
        self.sandbox.prepare(&mut command);
        command.stdin(Stdio::piped());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a shell command to its end.
    fn shell(&self, line: &str) -> Output {
        let mut command = self.command("sh".as_ref());
        command.arg("-c").arg(line).stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Starts `ntro` with a key and waits until it has sent the key to a server that never answers.
    fn holding(&self, silent: &Stub) -> Holding {
        let before = silent.seen().len();
        // Raises the core size limit, so that a missing core is not due to the machine. Also
        // restores SIGQUIT, which a shell ignores for background processes.
        let mut command = self.command("env".as_ref());
        command.args([
            "--default-signal=QUIT",
            "sh",
            "-c",
            r#"ulimit -S -c "$(ulimit -H -c)"; exec "$0" auth whoami"#,
        ]);
        command.arg(&self.ntro);
        let holding = Holding(command.spawn().unwrap());
        until("a request", || silent.seen().len() > before);
        holding
    }
}

/// A process that holds a key until this is dropped.
struct Holding(Child);

impl Drop for Holding {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[track_caller]
fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !condition() {
        assert!(Instant::now() < deadline, "{what} never came");
        std::thread::yield_now();
    }
}

fn silent() -> (Stub, Sandbox) {
    let stub = Stub::start(|_| Reply::Silence);
    let sandbox = Sandbox::new();
    sandbox.write_config(&format!(
        "[connections.production]\nhost = \"{}\"\napi_key = \"{KEY}\"\n",
        stub.host()
    ));
    (stub, sandbox)
}

#[test]
#[ignore = "needs setpriv and strace: run scripts/test"]
fn process_with_key_is_unreadable() {
    let (stub, sandbox) = silent();
    let user = PlainUser::new(&sandbox);
    let holding = user.holding(&stub);
    let mut ordinary = Holding(user.command("cat".as_ref()).spawn().unwrap());
    let comm = format!("/proc/{}/comm", ordinary.0.id());
    until("`cat`", || fs::read_to_string(&comm).unwrap() == "cat\n");

    let refused = |line: &str| {
        let output = user.shell(line);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{line}: {output:?}");
        text.contains("Permission denied") || text.contains("Operation not permitted")
    };
    let (ours, theirs) = (holding.0.id(), ordinary.0.id());
    for (file, how) in [("environ", "cat"), ("mem", "head -c 1"), ("maps", "cat")] {
        assert!(refused(&format!("{how} </proc/{ours}/{file}")), "{file}");
    }
    assert!(refused(&format!("strace -p {ours}")));
    // The same user may do all of that to an ordinary process. Reading its first page fails with
    // another error, since that page is not mapped.
    let other = user.shell(&format!("cat </proc/{theirs}/environ"));
    assert!(other.status.success(), "{other:?}");
    assert!(!refused(&format!("head -c 1 </proc/{theirs}/mem")));
    ordinary.0.kill().unwrap();

    let limits = fs::read_to_string(format!("/proc/{ours}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core: Vec<_> = core.unwrap().split_whitespace().skip(4).collect();
    assert_eq!(core, ["0", "0", "bytes"]);
}

#[test]
#[ignore = "needs setpriv: run scripts/test"]
fn crash_leaves_no_core() {
    let (stub, sandbox) = silent();
    let user = PlainUser::new(&sandbox);
    // SIGSEGV sent from outside is ignored by the handler of the Rust runtime.
    for signal in [Signal::ABORT, Signal::QUIT, Signal::ILL] {
        let mut holding = user.holding(&stub);
        kill_process(Pid::from_child(&holding.0), signal).unwrap();
        let status = holding.0.wait().unwrap();
        assert_eq!(status.signal(), Some(signal.as_raw()), "{status}");
        assert!(!status.core_dumped(), "{status}");
    }
}

/// Returns all files below a folder that users other than the owner can access.
fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    let mut open = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        if metadata.permissions().mode() & 0o077 != 0 {
            open.push(path.clone());
        }
        if metadata.is_dir() {
            open.extend(open_to_others(&path));
        }
    }
    open
}

#[test]
fn files_are_private_under_any_umask() {
    let sandbox = Sandbox::new();
    let run = |line: &str| {
        let script = format!("umask 000; {} {line}", env!("CARGO_BIN_EXE_ntro"));
        let shell = sandbox.program("sh".as_ref()).arg("-c").arg(script);
        shell.input(KEY).run().success().done();
    };
    let login = "auth login --no-verify --api-key-stdin --host http://localhost:1/v1";
    run(&format!("{login} --store plaintext --name plain"));
    sandbox.make_identity();
    run(&format!("{login} --store file --name sealed"));
    run("auth rename sealed other");
    run("admin --database sqlite:registry/authority.db organisation create Acme");
    assert!(sandbox.home().join("registry/authority.db").exists());
    assert!(sandbox.ntro_home().join("keys.age").exists());
    assert_eq!(open_to_others(&sandbox.home()), [] as [PathBuf; 0]);
}

#[test]
fn child_process_gets_user_umask() {
    let sandbox = Sandbox::new();
    sandbox.write_config(
        "[connections.local]\nhost = 'http://localhost:1'\nprovider = 'ontora'\n\
         admin_token_command = ['sh', '-c', 'umask >seen']\n",
    );
    for umask in ["0022", "0007", "0077"] {
        let script = format!(
            "umask {umask}; {} -c local key list --tenant acme",
            env!("CARGO_BIN_EXE_ntro")
        );
        let shell = sandbox.program("sh".as_ref()).arg("-c").arg(script);
        shell.run().exits(4).complains("printed nothing").done();
        let seen = fs::read_to_string(sandbox.home().join("seen")).unwrap();
        assert_eq!(seen.trim_end(), umask);
    }
}

/// Its files may hold a key.
#[test]
fn store_helper_creates_private_files() {
    let sandbox = Sandbox::new();
    sandbox.write_config(&helpers(&sandbox, None));
    let script = format!(
        "umask 000; {} auth login --no-verify --api-key-stdin --host http://localhost:1/v1 --store command",
        env!("CARGO_BIN_EXE_ntro")
    );
    let shell = sandbox.program("sh".as_ref()).arg("-c").arg(script);
    shell.input(KEY).run().success().done();
    let keys = fs::read_dir(sandbox.home().join("keys")).unwrap();
    let modes: Vec<_> = keys
        .map(|key| key.unwrap().metadata().unwrap().permissions().mode() & 0o777)
        .collect();
    assert_eq!(modes, [0o600]);
}

/// Reads the freed memory through the system, since safe Rust cannot.
#[test]
#[cfg(target_os = "linux")]
fn dropped_key_is_wiped() {
    use std::os::unix::fs::FileExt as _;

    const SECRET: &str = "Jf83nd72jfk38dhJKd8k9Zr4MxQ2bLwPq71mZxT5vYc";
    let memory = fs::File::open("/proc/self/mem").unwrap();
    let mut seen = [0; SECRET.len()];
    let mut look = |address: usize| {
        memory.read_exact_at(&mut seen, address as u64).unwrap();
        let parts = SECRET.as_bytes().windows(6);
        parts
            .filter(|part| seen.windows(6).any(|window| window == *part))
            .count()
    };
    let key: ApiKey = SECRET.parse().unwrap();
    let copy = key.clone();
    for key in [key, copy] {
        let address = key.expose().as_ptr() as usize;
        assert_eq!(look(address), SECRET.len() - 5);
        drop(key);
        assert_eq!(look(address), 0);
    }
}
