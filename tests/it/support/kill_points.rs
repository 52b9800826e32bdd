//! `kill -9` at every step between two effects, not at some instant.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Sandbox;

/// The system calls by which a program changes something outside of itself: files, the kernel's
/// keyrings, and whoever listens on a socket or a pipe.
const EFFECTS: &str = "write,pwrite64,writev,sendto,sendmsg,sendmmsg,connect,\
    ?rename,renameat,renameat2,?link,linkat,?symlink,symlinkat,?unlink,unlinkat,?rmdir,\
    ?mkdir,mkdirat,ftruncate,fsync,fdatasync,fchmod,flock,add_key,keyctl,\
    execve,?fork,?vfork,clone,clone3";

/// More than any command has: whoever gets here goes round in circles.
const LIMIT: usize = 2_000;

/// Runs `ntro` with these arguments again and again, each time killed on its way into the next of
/// its effects, until one run gets to its end. Returns how often it was killed.
///
/// `before` lays out the same state for each run and `after` looks at what it left; both are told
/// how many effects there were before the kill. Effects are counted in the thread that the
/// program starts with, where `ntro` makes all of its own.
pub fn at_each_effect(
    sandbox: &Sandbox,
    arguments: &str,
    mut before: impl FnMut(usize),
    mut after: impl FnMut(usize),
) -> usize {
    for done in 0..LIMIT {
        before(done);
        let killed = killed_before_effect(
            sandbox,
            Path::new(env!("CARGO_BIN_EXE_ntro")),
            arguments,
            done + 1,
        );
        after(done);
        if !killed {
            return done;
        }
    }
    panic!("`ntro {arguments}` had {LIMIT} effects and no end")
}

/// Runs a program and kills it on its way into the effect of this number. Returns whether it came
/// so far.
///
/// The `execve` by which the program itself starts is not counted.
fn killed_before_effect(sandbox: &Sandbox, program: &Path, arguments: &str, number: usize) -> bool {
    let mut command = Command::new("strace");
    sandbox.prepare(&mut command);
    let status = command
        .args(["-qqq", "--output=/dev/null", "--signal=none"])
        .arg(format!("--trace={EFFECTS}"))
        .arg(format!("--inject={EFFECTS}:signal=SIGKILL:when={number}"))
        .arg("--")
        .arg(program)
        .args(arguments.split_whitespace())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    // It ends by the signal that its child ended by.
    match (status.signal(), status.code()) {
        (Some(9), _) => true,
        (None, Some(0)) => false,
        _ => panic!("`{arguments}` ended with {status}, neither killed nor well"),
    }
}

#[test]
#[ignore = "needs strace: run scripts/test"]
fn a_program_is_killed_before_each_of_its_effects_in_turn() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    let there = || ["a", "b"].map(|name| home.join(name).exists());
    let mut seen = Vec::new();
    for number in 1.. {
        let program = Path::new("/bin/mkdir");
        let ended = !killed_before_effect(&sandbox, program, "a b", number);
        seen.push(there());
        for name in ["a", "b"] {
            let _ = std::fs::remove_dir(home.join(name));
        }
        if ended {
            break;
        }
    }
    assert_eq!(seen, [[false, false], [true, false], [true, true]]);
}
