//! `kill -9` at every step between two effects, instead of at random instants.

use std::ffi::OsString;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Sandbox;

/// The system calls with effects outside the program: on files, kernel keyrings, and the peers of
/// sockets and pipes.
const EFFECTS: &str = "write,pwrite64,writev,sendto,sendmsg,sendmmsg,connect,\
    ?rename,renameat,renameat2,?link,linkat,?symlink,symlinkat,?unlink,unlinkat,?rmdir,\
    ?mkdir,mkdirat,ftruncate,fsync,fdatasync,fchmod,flock,add_key,keyctl,\
    execve,?fork,?vfork,clone,clone3";

/// Runs `ntro` with these arguments to its end, and then once for each of its effects, killed on
/// entry to that effect. Returns the number of kills.
///
/// `before` prepares the same state for each run and `after` checks the result; both get the number
/// of effects before the kill. Only effects of the main thread count; `ntro` has no others.
pub fn at_each_effect(
    sandbox: &Sandbox,
    arguments: &str,
    mut before: impl FnMut(usize),
    mut after: impl FnMut(usize),
) -> usize {
    let program = Path::new(env!("CARGO_BIN_EXE_ntro"));
    let mut done_before = 0;
    kill_at_each_effect(sandbox, program, arguments, |time| match time {
        Time::Before(done) => {
            done_before = done;
            before(done);
        }
        Time::After => after(done_before),
    })
}

/// When the callback is called.
enum Time {
    /// Before a run that is killed after this number of effects.
    Before(usize),
    /// After the run.
    After,
}

fn kill_at_each_effect(
    sandbox: &Sandbox,
    program: &Path,
    arguments: &str,
    mut each: impl FnMut(Time),
) -> usize {
    each(Time::Before(0));
    let effects = effects_of(sandbox, program, arguments);
    each(Time::After);
    assert!(!effects.is_empty(), "`{arguments}` has no effects");
    let mut kills = 0;
    for (done, effect) in effects.iter().enumerate() {
        // `strace` counts the calls of each kind separately.
        let number = effects[..=done].iter().filter(|other| *other == effect);
        each(Time::Before(done));
        if is_killed_at(sandbox, program, arguments, effect, number.count()) {
            kills += 1;
        }
        each(Time::After);
    }
    // Runs differ slightly in their waiting calls, but not by much.
    assert!(kills * 10 >= effects.len() * 9, "{kills} of {effects:?}");
    kills
}

/// Runs a program to its end and returns its effects in order, without the initial `execve`.
fn effects_of(sandbox: &Sandbox, program: &Path, arguments: &str) -> Vec<String> {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let mut output = OsString::from("--output=");
    output.push(trace.path());
    let mut strace = strace(sandbox);
    let status = strace
        .arg(output)
        .arg(format!("--trace={EFFECTS}"))
        .arg("--")
        .arg(program)
        .args(arguments.split_whitespace())
        .status()
        .unwrap();
    assert!(status.success(), "`{arguments}` ended with {status}");
    let trace = std::fs::read_to_string(trace.path()).unwrap();
    let calls = trace.lines().filter_map(|line| line.split_once('('));
    let effects = calls.map(|(name, _)| name.to_owned());
    effects.skip_while(|name| name == "execve").collect()
}

/// Runs a program and kills it on entry to an effect, given its number among those of its kind.
/// Returns whether the run got that far.
fn is_killed_at(
    sandbox: &Sandbox,
    program: &Path,
    arguments: &str,
    effect: &str,
    number: usize,
) -> bool {
    let status = strace(sandbox)
        .arg("--output=/dev/null")
        .arg(format!("--trace={effect}"))
        .arg(format!("--inject={effect}:signal=SIGKILL:when={number}"))
        .arg("--")
        .arg(program)
        .args(arguments.split_whitespace())
        .status()
        .unwrap();
    // `strace` ends with the signal of its child.
    match (status.signal(), status.code()) {
        (Some(9), _) => true,
        (None, Some(0)) => false,
        _ => panic!("`{arguments}` ended with {status}, neither killed nor well"),
    }
}

fn strace(sandbox: &Sandbox) -> Command {
    let mut strace = Command::new("strace");
    sandbox.prepare(&mut strace);
    strace
        .args(["-qqq", "--signal=none"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    strace
}

#[test]
#[ignore = "needs strace: run scripts/test"]
fn program_is_killed_at_each_effect() {
    let sandbox = Sandbox::new();
    let home = sandbox.home();
    let mut seen = Vec::new();
    let kills = kill_at_each_effect(
        &sandbox,
        Path::new("/bin/mkdir"),
        "a b",
        |time| match time {
            Time::Before(_) => {
                for name in ["a", "b"] {
                    let _ = std::fs::remove_dir(home.join(name));
                }
            }
            Time::After => seen.push(["a", "b"].map(|name| home.join(name).exists())),
        },
    );
    assert_eq!(seen, [[true, true], [false, false], [true, false]]);
    assert_eq!(kills, 2);
}

/// Effects of different kinds are all found: a link is created beside its target and then renamed.
#[test]
#[ignore = "needs strace: run scripts/test"]
fn kills_cover_different_effects() {
    let sandbox = Sandbox::new();
    let (home, link) = (sandbox.home(), sandbox.home().join("link"));
    let mut seen = std::collections::BTreeSet::new();
    kill_at_each_effect(
        &sandbox,
        Path::new("/bin/ln"),
        "-sfT new link",
        |time| match time {
            Time::Before(_) => {
                for entry in std::fs::read_dir(&home).unwrap() {
                    std::fs::remove_file(entry.unwrap().path()).unwrap();
                }
                std::os::unix::fs::symlink("old", &link).unwrap();
            }
            Time::After => {
                let target = std::fs::read_link(&link).unwrap();
                let files = std::fs::read_dir(&home).unwrap().count();
                seen.insert((target.display().to_string(), files));
            }
        },
    );
    let seen: Vec<_> = seen.iter().map(|(to, files)| (&**to, *files)).collect();
    assert_eq!(seen, [("new", 1), ("old", 1), ("old", 2)]);
}
