//! What only root may do.

use std::process::{Command, Stdio};

use super::{Run, Sandbox};

impl Sandbox {
    /// Prepares a run by root: as whoever runs the tests, or through `sudo` without a password.
    pub fn as_root(&self, program: &str) -> Run<'_> {
        if is_root() {
            self.program(program.as_ref())
        } else {
            self.program("sudo".as_ref())
                .args("--non-interactive --preserve-env")
                .arg(program)
        }
    }

    /// Prepares a run by root, where the root of a namespace is enough: for that nobody has to be
    /// root, if the system lets everybody make one. Ubuntu does not, and in a `chroot` nobody can.
    pub fn as_some_root(&self, program: &str) -> Run<'_> {
        if !is_root() && makes_namespaces() {
            self.program("unshare".as_ref())
                .arg("--map-root-user")
                .arg(program)
        } else {
            self.as_root(program)
        }
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn makes_namespaces() -> bool {
    let mut unshare = Command::new("unshare");
    unshare.args(["--map-root-user", "true"]);
    unshare.stderr(Stdio::null()).status().unwrap().success()
}
