//! A separate home to run `ntro` in.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use ntro_base::disk::FileLock;
use ntro_client::secrets::create_identity;
use tempfile::TempDir;

use super::{IssuedKey, Outcome, Run, SecretService};

/// Files by name, with their content.
pub type Contents = BTreeMap<String, Vec<u8>>;

/// A temporary home and an environment without the caller's variables.
///
/// It has no keyring until one is [plugged in](Self::plug_in), so a test cannot reach the user's
/// keyring. The output of all commands is kept for [`Self::assert_nowhere`].
pub struct Sandbox {
    folder: TempDir,
    environment: BTreeMap<OsString, OsString>,
    outcomes: Mutex<Vec<Outcome>>,
    redactions: Mutex<Vec<(String, String)>>,
}

impl Sandbox {
    /// Creates an empty home.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("ntro-it-")
            .tempdir()
            .unwrap();
        for name in ["home", "run"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        let mut sandbox = Self {
            folder,
            environment: BTreeMap::new(),
            outcomes: Mutex::default(),
            redactions: Mutex::default(),
        };
        sandbox.set("HOME", sandbox.home());
        sandbox.set("XDG_RUNTIME_DIR", sandbox.folder.path().join("run"));
        sandbox.set("PATH", std::env::var_os("PATH").unwrap());
        sandbox.set("LC_ALL", "C.UTF-8");
        // Makes the official clients' output the same everywhere.
        sandbox.set("NO_COLOR", "1");
        sandbox.set("TERM", "dumb");
        sandbox.set("COLUMNS", "140");
        let home = sandbox.home().to_str().unwrap().to_owned();
        sandbox.redacting(&home, "[HOME]");
        sandbox
    }

    /// Sets a variable for all later commands.
    pub fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.environment
            .insert(name.into(), value.as_ref().to_owned());
    }

    /// Creates an age identity, which opens the `file` store without a prompt.
    pub fn make_identity(&self) {
        let lock = FileLock::acquire(&self.ntro_home().join(".lock")).unwrap();
        create_identity(&self.ntro_home().join("identity.txt"), &lock).unwrap();
    }

    /// Connects all later commands to this Secret Service.
    pub fn plug_in(&mut self, service: &SecretService) {
        for (name, value) in service.environment() {
            self.set(name, value);
        }
    }

    /// Prepares a run of the tested `ntro`.
    pub fn ntro(&self, arguments: &str) -> Run<'_> {
        self.program(Path::new(env!("CARGO_BIN_EXE_ntro")))
            // Tables are as wide as their rows.
            .env("COLUMNS", "")
            .args(arguments)
    }

    /// Logs in, for tests of later steps.
    #[track_caller]
    pub fn log_in(&self, options: &str, host: &str, key: &str) {
        self.ntro("auth login --no-interactive --api-key-stdin")
            .args(&format!("{options} --host {host}"))
            .input(key)
            .run()
            .success()
            .done();
    }

    /// Prepares a run of another program in the same environment.
    pub fn program(&self, path: &Path) -> Run<'_> {
        Run::new(self, path)
    }

    /// Gives a command the environment and the working folder of this sandbox, for tests that start
    /// it themselves, for instance on a pseudo-terminal.
    pub fn prepare(&self, command: &mut Command) {
        command
            .env_clear()
            .envs(&self.environment)
            .current_dir(self.home());
    }

    /// Returns the home folder.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Returns the folder of `ntro` in it.
    pub fn ntro_home(&self) -> PathBuf {
        self.home().join(".ntro")
    }

    /// Returns the text of `config.toml`.
    pub fn config(&self) -> String {
        fs::read_to_string(self.ntro_home().join("config.toml")).unwrap()
    }

    /// Returns the text of a file in the folder of `ntro`.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.ntro_home().join(name)).unwrap()
    }

    /// Writes `config.toml`, with the mode that `ntro` uses.
    pub fn write_config(&self, text: &str) {
        let folder = self.ntro_home();
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
        let file = folder.join("config.toml");
        fs::write(&file, text).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// Returns the paths of all files in the home, relative to it and sorted.
    pub fn files(&self) -> Vec<String> {
        let home = self.home();
        files_below(&home)
            .iter()
            .map(|path| path.strip_prefix(&home).unwrap().display().to_string())
            .collect()
    }

    /// Returns all files in the home with their content.
    pub fn contents(&self) -> Contents {
        let home = self.home();
        let read = |name: String| {
            let bytes = fs::read(home.join(&name)).unwrap();
            (name, bytes)
        };
        self.files().into_iter().map(read).collect()
    }

    /// Asserts that a secret is in no output and in no file.
    #[track_caller]
    pub fn assert_nowhere(&self, secret: &str) {
        self.assert_only_in(secret, &[]);
    }

    /// Asserts that a secret is in no output, and in no files of the home except these.
    #[track_caller]
    pub fn assert_only_in(&self, secret: &str, files: &[&str]) {
        assert!(!secret.is_empty());
        for outcome in self.outcomes.lock().unwrap().iter() {
            let shown = outcome.stdout.contains(secret) || outcome.stderr.contains(secret);
            assert!(!shown, "`{}` shows the secret:\n{outcome}", outcome.line);
        }
        let folder = self.folder.path();
        for path in files_below(folder) {
            let allowed = files.iter().any(|name| path == self.home().join(name));
            let content = present(fs::read(&path)).unwrap_or_default();
            let inside = contains(&content, secret.as_bytes())
                || contains(path.as_os_str().as_bytes(), secret.as_bytes());
            assert!(
                allowed || !inside,
                "{} holds the secret",
                path.strip_prefix(folder).unwrap().display()
            );
        }
    }

    /// Asserts that the folder of `ntro` has only expected files.
    #[track_caller]
    pub fn assert_no_litter(&self) {
        let known = [
            ".lock",
            "config.toml",
            "identity.txt",
            "keys.age",
            "logins.toml",
        ];
        for entry in fs::read_dir(self.ntro_home()).unwrap() {
            let name = entry.unwrap().file_name();
            assert!(known.contains(&name.to_str().unwrap()), "{name:?} is left");
        }
    }

    /// Asserts that a secret is in no file of the home.
    #[track_caller]
    pub fn assert_files_without(&self, secret: &str) {
        for (name, bytes) in self.contents() {
            assert!(
                !contains(&bytes, secret.as_bytes()),
                "{name} holds the secret"
            );
        }
    }

    /// Shows `placeholder` for `text` in later redacted transcripts.
    pub fn redacting(&self, text: &str, placeholder: &str) {
        let mut redactions = self.redactions.lock().unwrap();
        redactions.push((text.to_owned(), placeholder.to_owned()));
        // Longest first, so that a text that contains another is replaced whole.
        redactions.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
    }

    /// Shows placeholders for a key and its prefix in later redacted transcripts.
    pub fn redacting_key(&self, key: &IssuedKey, name: &str) {
        self.redacting(&key.key, &format!("[{name}]"));
        self.redacting(&key.prefix, &format!("[{name} PREFIX]"));
    }

    /// Returns a transcript with values that differ between runs replaced: those registered by
    /// [`Self::redacting`], UUIDs, request ids and times.
    pub fn redact(&self, transcript: &impl ToString) -> String {
        let text = self
            .redactions
            .lock()
            .unwrap()
            .iter()
            .fold(transcript.to_string(), |text, (from, to)| {
                text.replace(from, to)
            });
        let text = replace_shape(&text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", "[UUID]");
        let text = replace_shape(&text, &"x".repeat(32), "[REQUEST ID]");
        let text = replace_shape(&text, "dddd-dd-ddTdd:dd:dd*Z", "[TIME]");
        replace_shape(&text, "dddd-dd-dd", "[DATE]")
    }

    pub(super) fn remember_text(&self, heard: &str) {
        self.remember(&Outcome {
            line: "a command on a terminal".to_owned(),
            code: None,
            stdout: heard.to_owned(),
            stderr: String::new(),
        });
    }

    pub(super) fn remember(&self, outcome: &Outcome) {
        self.outcomes.lock().unwrap().push(outcome.clone());
    }
}

/// Replaces texts of a format: `d` is a digit, `x` a lower-case hexadecimal digit, `*` an optional
/// fraction, and any other character itself.
fn replace_shape(text: &str, shape: &str, placeholder: &str) -> String {
    let length = |rest: &[u8]| {
        let mut length = 0;
        for shape in shape.bytes() {
            let byte = rest.get(length)?;
            length += match shape {
                b'd' if byte.is_ascii_digit() => 1,
                b'x' if byte.is_ascii_digit() || (b'a'..=b'f').contains(byte) => 1,
                b'*' => rest[length..]
                    .iter()
                    .take_while(|byte| **byte == b'.' || byte.is_ascii_digit())
                    .count(),
                _ if *byte == shape => 1,
                _ => return None,
            };
        }
        Some(length)
    };
    let mut result = String::new();
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        if let Some(length) = length(rest.as_bytes()) {
            result.push_str(placeholder);
            rest = &rest[length..];
        } else {
            result.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    result
}

/// Returns what was read; none if another process, such as a proxy that ends, has removed it.
fn present<T>(read: std::io::Result<T>) -> Option<T> {
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        read => Some(read.unwrap()),
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in present(fs::read_dir(folder)).into_iter().flatten() {
        let path = entry.unwrap().path();
        let Some(kind) = present(path.symlink_metadata()) else {
            continue;
        };
        let kind = kind.file_type();
        if kind.is_dir() {
            files.extend(files_below(&path));
        } else if kind.is_file() {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[test]
fn varying_text_is_redacted() {
    let sandbox = Sandbox::new();
    sandbox.redacting("http://127.0.0.1:41234", "[SERVER]");
    let text = format!(
        "{}/.ntro: http://127.0.0.1:41234/v1 → 3f2c8a10-9b7e-4d55-8c11-0a1b2c3d4e5f at \
         2026-11-21T09:08:07Z, 2026-11-21T09:08:07.125Z (2026-11-21)",
        sandbox.home().display()
    );
    insta::assert_snapshot!(
        sandbox.redact(&text),
        @"[HOME]/.ntro: [SERVER]/v1 → [UUID] at [TIME], [TIME] ([DATE])"
    );
}

#[test]
fn secrets_are_found_everywhere() {
    let shows = std::panic::catch_unwind(|| {
        let sandbox = Sandbox::new();
        sandbox
            .program(Path::new("/bin/echo"))
            .args("a key-1")
            .run()
            .done();
        sandbox.assert_nowhere("key-1");
    });
    assert!(shows.is_err());

    let sandbox = Sandbox::new();
    sandbox.write_config("api_key = \"key-2\"");
    sandbox.assert_nowhere("key-1");
    sandbox.assert_only_in("key-2", &[".ntro/config.toml"]);
    let holds = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        sandbox.assert_nowhere("key-2");
    }));
    assert!(holds.is_err());
}
