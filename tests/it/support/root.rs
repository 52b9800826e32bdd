//! Commands that need root.

use std::process::{Command, Stdio};

use super::{Run, Sandbox};

impl Sandbox {
    /// Prepares a run as root: directly where the tests run as root, otherwise through `sudo`
    /// without a password.
    pub fn as_root(&self, program: &str) -> Run<'_> {
        if is_root() {
            self.program(program.as_ref())
        } else {
            self.program("sudo".as_ref())
                .args("--non-interactive --preserve-env")
                .arg(program)
        }
    }

    /// Prepares a run as root of a user namespace, where that is enough. It needs no real root if
    /// the system allows unprivileged namespaces; Ubuntu does not, and they are impossible in a
    /// `chroot`.
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
