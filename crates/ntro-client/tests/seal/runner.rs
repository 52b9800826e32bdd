//! Runs the tests, as `cargo test` would.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::{Command, ExitCode};

/// An ordinary user of nearly every system, `daemon`: a bus refuses users that the system does not
/// list.
const STRANGER: &str = "1";

pub fn run(tests: &[(&str, fn())]) -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let mut filters = arguments
        .iter()
        .filter(|word| !word.starts_with('-'))
        .peekable();
    let any = filters.peek().is_none();
    let filters: Vec<_> = filters.collect();
    if arguments.iter().any(|word| word == "--list") {
        tests.iter().for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    let user = match rustix::process::geteuid().is_root() {
        true => "root",
        false => "a user",
    };
    let mut failed = 0;
    for (name, test) in tests {
        if !any && !filters.iter().any(|filter| name.contains(filter.as_str())) {
            continue;
        }
        let done = catch_unwind(AssertUnwindSafe(test));
        let word = if done.is_ok() { "ok" } else { "FAILED" };
        println!("test {name} (as {user}) ... {word}");
        failed += usize::from(done.is_err());
    }
    if user == "root" && !again_as_stranger(&arguments) {
        failed += 1;
    }
    println!("\ntest result (as {user}): {failed} failed");
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Whether a test needs programs besides Rust.
pub fn includes_ignored() -> bool {
    let asked = std::env::args().any(|word| word == "--include-ignored" || word == "--ignored");
    if !asked {
        println!("(ignored: needs programs that scripts/test installs)");
    }
    asked
}

fn again_as_stranger(arguments: &[String]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    open_to_all(folder.path());
    let copy = folder.path().join("seal");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    let status = Command::new("setpriv")
        .args(["--reuid", STRANGER, "--regid", STRANGER, "--clear-groups"])
        .arg(&copy)
        .args(arguments)
        .status();
    match status {
        Ok(status) => status.success(),
        Err(_) => {
            println!("(no setpriv: not tested as an ordinary user)");
            true
        }
    }
}

fn open_to_all(folder: &Path) {
    set_mode(folder, 0o755);
}

/// Sets the mode of a file or folder.
pub fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
