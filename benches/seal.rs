//! The seal of a keyless child, compared with the same process without it.
//!
//! ```text
//! cargo bench --bench seal -- [--rounds 300]
//! ```
//!
//! Each run starts this program, which seals itself (or does not) and executes a static hello
//! world in its place. The runs take turns. Started by root, it measures an ordinary user as well.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a benchmark prints, and stops where something is wrong"
)]

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("only Linux has a seal");
}

#[cfg(target_os = "linux")]
mod programs;

#[cfg(target_os = "linux")]
fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--sealed", linux::BARE, _, program] => linux::become_isolated(program),
        ["--sealed", level, home, program] => linux::become_sealed(level, home, program),
        _ => linux::compare(&arguments),
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::process::CommandExt as _;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use ntro_client::exec::seal::{Plan, SealFiles, SealLevel};
    use rustix::thread::UnshareFlags;

    use crate::programs::{Linked, hello, installed};

    /// The most that a seal may take, in milliseconds.
    const MOST: f64 = 3.0;
    /// Instead of a level: a network namespace, with the user namespace that it needs.
    pub(crate) const BARE: &str = "bare";
    const LEVELS: [(&str, &str); 4] = [
        ("not sealed", "off"),
        ("`--seal store`", "store"),
        ("`--seal net`", "net"),
        ("a bare `unshare(CLONE_NEWUSER \\| CLONE_NEWNET)`", BARE),
    ];
    /// The time between two runs, in which the kernel removes the namespaces of the first.
    const PAUSE: Duration = Duration::from_millis(20);
    /// An ordinary user of nearly every system, `daemon`.
    const USER: &str = "1";

    #[expect(unsafe_code, reason = "no crate wraps this call safely")]
    pub(crate) fn become_isolated(program: &str) {
        let namespaces = UnshareFlags::NEWUSER | UnshareFlags::NEWNET;
        // SAFETY: Unsafe because of `CLONE_FILES`, which is not passed.
        unsafe { rustix::thread::unshare_unsafe(namespaces) }.unwrap();
        panic!("{}", Command::new(program).exec());
    }

    pub(crate) fn become_sealed(level: &str, home: &str, program: &str) {
        let home = PathBuf::from(home);
        let files = SealFiles {
            ntro_home: home.join(".ntro"),
            runtime_dir: None,
            programs: vec![home.join(".local/bin"), "/usr/bin".into()],
            home: Some(home),
            ..SealFiles::default()
        };
        let level: SealLevel = level.parse().unwrap();
        let sealed = Plan::new(level, files, true).and_then(Plan::enter).unwrap();
        drop(sealed);
        panic!("{}", Command::new(program).exec());
    }

    pub(crate) fn compare(arguments: &[String]) {
        let rounds = arguments.iter().position(|argument| argument == "--rounds");
        let rounds: usize = rounds.map_or(300, |at| arguments[at + 1].parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        open_to_all(folder.path());
        let home = home(folder.path());
        let program = installed(&std::env::current_exe().unwrap(), folder.path(), "seal");
        let built = arguments.iter().position(|argument| argument == "--hello");
        let hello = match built {
            Some(at) => PathBuf::from(&arguments[at + 1]),
            // The compiler is out of reach for the other user.
            None => hello(folder.path(), Linked::Statically),
        };

        let mut times = LEVELS.map(|_| Vec::new());
        for round in 0..=rounds {
            for ((_, level), times) in LEVELS.iter().zip(&mut times) {
                let mut command = Command::new(&program);
                command.arg("--sealed").arg(level).arg(&home).arg(&hello);
                command.current_dir(&home).stdin(Stdio::null());
                command.stdout(Stdio::null());
                std::thread::sleep(PAUSE);
                let start = Instant::now();
                assert!(command.status().unwrap().success());
                // The first round warms up.
                if round > 0 {
                    times.push(start.elapsed());
                }
            }
        }
        let is_root = rustix::process::geteuid().is_root();
        let user = if is_root { "root" } else { "an ordinary user" };
        println!("### As {user}, {rounds} rounds\n");
        println!("| child | least, ms | median, ms | more than not sealed, ms |");
        println!("| --- | ---: | ---: | ---: |");
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let mut plain = None;
        let mut more = 0.0_f64;
        for ((name, level), mut times) in LEVELS.iter().zip(times) {
            times.sort_unstable();
            let median = milliseconds(times[times.len() / 2]);
            let own = median - *plain.get_or_insert(median);
            if *level != BARE {
                more = more.max(own);
            }
            let least = milliseconds(times[0]);
            println!("| {name} | {least:.2} | {median:.2} | {own:.2} |");
        }
        println!();
        if is_root {
            let status = Command::new("setpriv")
                .args(["--reuid", USER, "--regid", USER, "--clear-groups"])
                .arg(&program)
                .args(arguments)
                .arg("--hello")
                .arg(&hello)
                .status();
            assert!(status.unwrap().success());
        }
        assert!(more <= MOST, "a seal takes more than {MOST} ms");
    }

    /// Makes a home with as many entries as that of a developer.
    fn home(folder: &Path) -> PathBuf {
        let home = folder.join("home");
        let folders = (0..20).flat_map(|number| {
            [".app", "folder", ".config/app", ".local/share/app"]
                .map(|name| home.join(format!("{name}{number}")))
        });
        let named = [".ntro", ".gnupg", ".ssh", ".local/share/keyrings"];
        for folder in folders.chain(named.map(|name| home.join(name))) {
            fs::create_dir_all(folder).unwrap();
        }
        for number in 0..10 {
            fs::write(home.join(format!(".file{number}")), "").unwrap();
        }
        home
    }

    fn open_to_all(folder: &Path) {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
}
