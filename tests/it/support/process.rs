//! One run of one program, and its outcome.

use std::ffi::OsStr;
use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::Sandbox;

/// The time limit of a command. None comes near it, so a command that reaches it hangs.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A command about to run in a sandbox.
#[must_use = "nothing has run yet: `.run()`"]
pub struct Run<'a> {
    sandbox: &'a Sandbox,
    command: Command,
    input: Vec<u8>,
}

impl<'a> Run<'a> {
    pub(super) fn new(sandbox: &'a Sandbox, program: &Path) -> Self {
        let mut command = Command::new(program);
        sandbox.prepare(&mut command);
        Self {
            sandbox,
            command,
            input: Vec::new(),
        }
    }

    /// Adds arguments, separated by white space.
    pub fn args(self, line: &str) -> Self {
        line.split_whitespace().fold(self, Self::arg)
    }

    /// Adds one argument unchanged.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Sets a variable for this run.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Runs in another folder than the sandbox's home.
    pub fn in_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Sets the standard input, which is empty by default.
    pub fn input(mut self, text: impl AsRef<[u8]>) -> Self {
        self.input = text.as_ref().to_vec();
        self
    }

    /// Runs the command to its end, and returns its outcome as a redacted transcript for a
    /// snapshot.
    #[must_use]
    pub fn transcript(self) -> String {
        let sandbox = self.sandbox;
        sandbox.redact(&self.run())
    }

    /// Runs the command to its end.
    pub fn run(mut self) -> Outcome {
        let line = self.line();
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start `{line}`: {error}"));

        let pid = Pid::from_child(&child);
        let (ended, end) = mpsc::channel::<()>();
        let watch = thread::spawn(move || {
            let hangs = end.recv_timeout(TIMEOUT) == Err(mpsc::RecvTimeoutError::Timeout);
            if hangs {
                let _ = kill_process(pid, Signal::KILL);
            }
            hangs
        });
        let mut input = child.stdin.take().unwrap();
        let text = std::mem::take(&mut self.input);
        // A command that does not read its input may have ended already.
        let writer = thread::spawn(move || drop(input.write_all(&text)));
        let mut complaints = child.stderr.take().unwrap();
        let reader = thread::spawn(move || {
            let mut bytes = Vec::new();
            complaints.read_to_end(&mut bytes).unwrap();
            bytes
        });
        let mut stdout = Vec::new();
        let mut answer = child.stdout.take().unwrap();
        answer.read_to_end(&mut stdout).unwrap();
        let stderr = reader.join().unwrap();
        let status = child.wait().unwrap();
        drop(ended);
        writer.join().unwrap();
        assert!(!watch.join().unwrap(), "`{line}` hangs");

        let outcome = Outcome {
            line,
            code: status.code(),
            stdout: String::from_utf8(stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(stderr).expect("standard error is UTF-8"),
        };
        self.sandbox.remember(&outcome);
        outcome
    }

    fn line(&self) -> String {
        let program = Path::new(self.command.get_program());
        std::iter::once(program.file_name().unwrap())
            .chain(self.command.get_args())
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// The outcome of a command: exit code and output.
#[derive(Clone, Debug)]
#[must_use = "say what was to come of it, such as `.success()`"]
pub struct Outcome {
    /// The command line, without variables set for it.
    pub line: String,
    /// The exit code, or `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Asserts exit code 0.
    pub fn success(self) -> Self {
        self.exits(0)
    }

    /// Asserts an exit code.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "`{}`:\n{self}", self.line);
        self
    }

    /// Asserts that standard output contains a text.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(
            self.stdout.contains(text),
            "no {text:?} on standard output:\n{self}"
        );
        self
    }

    /// Asserts that standard error contains a text.
    #[track_caller]
    pub fn complains(self, text: &str) -> Self {
        assert!(
            self.stderr.contains(text),
            "no {text:?} on standard error:\n{self}"
        );
        self
    }

    /// Returns the JSON value on standard output.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{self}"))
    }

    /// Returns the JSON value of an error on standard error.
    #[track_caller]
    pub fn error(&self) -> serde_json::Value {
        let value: serde_json::Value =
            serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}:\n{self}"));
        value["error"].clone()
    }

    /// Ends a chain of assertions.
    pub fn done(self) {}
}

/// A transcript for snapshots. Redact it first: [`Sandbox::redact`].
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => writeln!(f, "exit code: {code}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                writeln!(f, "----- {name} -----\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}
