//! A private Secret Service for a test, by `scripts/with-secret-service`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use ntro_client::secrets::Item;
use rustix::process::{Pid, Signal, kill_process};

use super::project;

/// The state that the service starts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The login collection is unlocked.
    Unlocked,
    /// As `Unlocked`, with KeePassXC.
    KeePassXc,
    /// The collection is locked, and no prompt can be shown to unlock it.
    Locked,
    /// The service runs and has no collection.
    Empty,
    /// The service takes calls and never answers.
    Hung,
    /// There is a bus without a Secret Service.
    Absent,
    /// There is no bus.
    NoBus,
}

impl Mode {
    /// Every mode.
    pub const ALL: [Self; 7] = [
        Self::Unlocked,
        Self::KeePassXc,
        Self::Locked,
        Self::Empty,
        Self::Hung,
        Self::Absent,
        Self::NoBus,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Unlocked => "unlocked",
            Self::KeePassXc => "keepassxc",
            Self::Locked => "locked",
            Self::Empty => "empty",
            Self::Hung => "hung",
            Self::Absent => "absent",
            Self::NoBus => "nobus",
        }
    }
}

/// A running service, stopped when this is dropped or the test is killed.
pub struct SecretService {
    runner: Child,
    environment: Vec<(&'static str, String)>,
    daemon: Option<Pid>,
}

impl SecretService {
    /// Starts a service.
    pub fn start(mode: Mode) -> Self {
        // The command in the service ends with its input: when this process closes it or ends.
        let mut runner = Command::new(project("scripts/with-secret-service"))
            .args(["--mode", mode.name(), "--", "sh", "-c"])
            .arg(
                r#"echo "$XDG_RUNTIME_DIR"
                echo "$DBUS_SESSION_BUS_ADDRESS"
                echo "$SECRET_SERVICE_PID"
                exec cat"#,
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(runner.stdout.take().unwrap());
        let [runtime, bus, pid] = [(); 3].map(|()| line(&mut lines));

        let mut environment = vec![("XDG_RUNTIME_DIR", runtime)];
        if !bus.is_empty() {
            environment.push(("DBUS_SESSION_BUS_ADDRESS", bus));
        }
        Self {
            runner,
            environment,
            daemon: pid.parse().ok().and_then(Pid::from_raw),
        }
    }

    /// Returns the variables for reaching the service.
    pub fn environment(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
    }

    /// Returns the process id of the daemon, or 0 where there is none.
    #[allow(dead_code, reason = "the tests of the client crate use it")]
    pub fn daemon_id(&self) -> i32 {
        Pid::as_raw(self.daemon)
    }

    /// Locks the login collection.
    pub fn lock(&self) {
        let output = self.call(
            "dbus-send",
            &[
                "--session",
                "--print-reply=literal",
                "--dest=org.freedesktop.secrets",
                "/org/freedesktop/secrets",
                "org.freedesktop.Secret.Service.Lock",
                "array:objpath:/org/freedesktop/secrets/aliases/default",
            ],
        );
        assert!(output.status.success(), "cannot lock: {output:?}");
    }

    /// Stops the daemon: it runs, but does not answer.
    pub fn hang(&self) {
        kill_process(self.daemon.unwrap(), Signal::STOP).unwrap();
    }

    /// Resumes a daemon that was [stopped](Self::hang).
    pub fn resume(&self) {
        kill_process(self.daemon.unwrap(), Signal::CONT).unwrap();
    }

    /// Looks up a secret as any other program would: attributes and values in turn.
    pub fn lookup(&self, attributes: &[&str]) -> Option<String> {
        let output = self.call("secret-tool", &[&["lookup"], attributes].concat());
        let found = output.status.success();
        found.then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// Lists the items with these attributes in the format of `secret-tool`: labels, attributes and
    /// secrets.
    pub fn search(&self, attributes: &[&str]) -> String {
        let output = self.call("secret-tool", &[&["search", "--all"], attributes].concat());
        // `secret-tool` prints attributes on standard error.
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    /// Erases every item with these attributes.
    pub fn clear(&self, attributes: &[&str]) {
        // No match is not an error here.
        let _ = self.call("secret-tool", &[&["clear"], attributes].concat());
    }

    /// Stores a key as `ntro` does.
    pub fn store(&self, item: &Item, key: &str) {
        let mut child = Command::new("secret-tool")
            .args(["store", "--label", &item.label(), "service", "ntro"])
            .args(["username", &item.account()])
            .args(["connection", item.connection.as_str()])
            .args(["origin", item.origin.as_str(), "application", "ntro"])
            .envs(self.environment())
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(key.as_bytes()).unwrap();
        drop(input);
        assert!(child.wait().unwrap().success());
    }

    fn call(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(program)
            .args(arguments)
            .envs(self.environment())
            .output()
            .unwrap()
    }
}

impl Drop for SecretService {
    fn drop(&mut self) {
        drop(self.runner.stdin.take());
        let ended = self.runner.wait();
        if !std::thread::panicking() {
            assert!(ended.unwrap().success());
        }
    }
}

#[track_caller]
fn line(lines: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    assert!(
        line.ends_with('\n'),
        "no Secret Service; scripts/test installs what it needs"
    );
    line.trim_end().to_owned()
}
