use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use ntro_client::exec::seal::{SealFiles, SealLevel};

use crate::sealed::Options;

/// The home of a user, and what is in it.
pub struct Sandbox {
    folder: tempfile::TempDir,
}

impl Sandbox {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sandbox = Self { folder };
        for name in [
            "runtime",
            "generated",
            "home/.ntro",
            "home/.ontora",
            "home/.gnupg",
            "home/.password-store",
            "home/.local/share/keyrings",
            "home/.local/share/app",
            "home/.config/app",
            "home/.config/op",
            "home/.cache",
            "home/project",
        ] {
            fs::create_dir_all(sandbox.path(name)).unwrap();
        }
        for (name, text) in [
            ("home/.bashrc", "# mine"),
            ("home/.claude.json", "{}"),
            ("home/notes", "mine"),
            ("home/.ntro/config.toml", "secret"),
            ("generated/config.toml", "token"),
        ] {
            fs::write(sandbox.path(name), text).unwrap();
        }
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub fn files(&self) -> SealFiles {
        SealFiles {
            home: Some(self.home()),
            ntro_home: self.path("home/.ntro"),
            generated_home: Some(self.path("generated")),
            runtime_dir: Some(self.path("runtime")),
            secrets: Vec::new(),
            programs: vec![self.path("home/.local/bin"), "/usr/bin".into()],
        }
    }

    pub fn options(&self, level: SealLevel) -> Options {
        Options {
            level,
            named: level != SealLevel::Off,
            no_namespaces: false,
            files: self.files(),
        }
    }

    /// Prepares a command that runs sealed, in the project of the user.
    pub fn sealed(&self, options: &Options, program: &Path) -> Command {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(options.arguments()).arg(program);
        command.current_dir(self.path("home/project"));
        command.env("HOME", self.home());
        command
    }

    /// Runs a line of a shell, sealed.
    pub fn shell(&self, level: SealLevel, line: &str) -> Output {
        let mut command = self.sealed(&self.options(level), Path::new("/bin/sh"));
        command.args(["-c", line]).stdin(Stdio::null());
        command.output().unwrap()
    }

    /// Asserts that a line of a shell succeeds without a seal and fails with it.
    #[track_caller]
    pub fn is_refused(&self, line: &str) {
        let unsealed = self.shell(SealLevel::Off, line);
        assert!(unsealed.status.success(), "unsealed: {line}: {unsealed:?}");
        let sealed = self.shell(SealLevel::Store, line);
        assert!(!sealed.status.success(), "sealed: {line}: {sealed:?}");
    }

    /// Asserts that a line of a shell succeeds in a sealed process.
    #[track_caller]
    pub fn works(&self, level: SealLevel, line: &str) -> String {
        let output = self.shell(level, line);
        assert!(output.status.success(), "{line}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }
}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| File::open(folder.join(program)).is_ok())
}
