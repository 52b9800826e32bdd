use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::process::{Command, Output};

use ntro_client::exec::prove::{Attempt, Battery, Outcome};
use ntro_client::exec::seal::SealLevel;

use crate::sandbox::{Sandbox, is_root};
use crate::sealed::Options;

/// Makes all attempts, unsealed and sealed.
fn attempts(sandbox: &Sandbox, options: &Options) -> (Vec<Attempt>, String) {
    let program = std::env::current_exe().unwrap();
    let battery = Battery::plant(&program, &options.files, options.level).unwrap();
    let arguments = battery.arguments().unwrap();
    let unsealed = run(Command::new(&arguments[0])
        .args(&arguments[1..])
        .current_dir(sandbox.path("home/project"))
        .env("HOME", sandbox.home())
        .stdin(battery.stdin().unwrap()));
    let mut sealed = sandbox.sealed(options, &program);
    let sealed = run(sealed.args(&arguments[1..]).stdin(battery.stdin().unwrap()));
    let judged = battery.judge(&unsealed.stdout, &sealed.stdout);
    (judged, String::from_utf8(sealed.stderr).unwrap())
}

#[track_caller]
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

fn named(attempts: &[Attempt], outcome: Outcome) -> Vec<String> {
    let with = attempts.iter().filter(|attempt| attempt.outcome == outcome);
    with.map(|attempt| format!("{} ({})", attempt.name, attempt.why))
        .collect()
}

/// Attempts that this machine or user may have nothing for.
const OPTIONAL: [&str; 11] = [
    "file: by handle",
    "file: disk",
    "memory: kernel",
    "socket: session bus",
    "socket: system bus",
    "socket: containers",
    "socket: display",
    "terminal: TIOCLINUX",
    "startup: control groups",
    "startup: crontab",
    "socket: tmux",
];

/// Attempts that only root can make.
const OF_ROOT: [&str; 2] = ["startup: system", "startup: kernel settings"];

#[track_caller]
fn refuses_all(level: SealLevel) {
    let sandbox = Sandbox::new();
    let (made, line) = attempts(&sandbox, &sandbox.options(level));
    assert_eq!(named(&made, Outcome::Succeeded), [""; 0], "{line}");
    for attempt in made
        .iter()
        .filter(|attempt| attempt.outcome == Outcome::NotTried)
    {
        let name = attempt.name.as_str();
        let expected = OPTIONAL.contains(&name)
            || OF_ROOT.contains(&name) && !is_root()
            || name.starts_with("network") && level == SealLevel::Store;
        assert!(expected, "{attempt:?}");
    }
    assert!(named(&made, Outcome::Refused).len() >= 30, "{made:#?}");
    let network = if level == SealLevel::Net {
        ", network"
    } else {
        "; the network stays open"
    };
    assert_eq!(
        line,
        format!(
            "sealed ({level}): key files, sockets, memory, kernel keyrings, terminal input, \
             signals, startup files{network}\n"
        )
    );
}

pub fn store_refuses_battery() {
    refuses_all(SealLevel::Store);
}

pub fn net_refuses_battery() {
    refuses_all(SealLevel::Net);
}

pub fn domain_alone_refuses_less() {
    let sandbox = Sandbox::new();
    let mut options = sandbox.options(SealLevel::Store);
    options.named = false;
    options.no_namespaces = true;
    let (made, line) = attempts(&sandbox, &options);
    assert_eq!(named(&made, Outcome::Succeeded), [""; 0], "{line}");
    assert!(named(&made, Outcome::Refused).len() >= 30, "{made:#?}");
}

/// Without a seal, the battery must find everything: a battery that finds nothing proves nothing.
pub fn seal_off_reaches_canaries() {
    let sandbox = Sandbox::new();
    let (made, line) = attempts(&sandbox, &sandbox.options(SealLevel::Off));
    assert_eq!(named(&made, Outcome::Refused), [""; 0]);
    assert!(named(&made, Outcome::Succeeded).len() >= 30, "{made:#?}");
    assert_eq!(line, "not sealed\n");
}

pub fn other_paths_are_hidden() {
    let sandbox = Sandbox::new();
    std::os::unix::fs::symlink(".ntro", sandbox.path("home/link")).unwrap();
    sandbox.is_refused("grep secret ~/link/config.toml");
    // The folder of `ntro` may be a link itself.
    fs::rename(
        sandbox.path("home/.ntro"),
        sandbox.path("home/project/real"),
    )
    .unwrap();
    std::os::unix::fs::symlink("project/real", sandbox.path("home/.ntro")).unwrap();
    sandbox.is_refused("grep secret ~/.ntro/config.toml");
    sandbox.is_refused("grep secret ~/project/real/config.toml");
    sandbox.is_refused(
        "mv ~/project/real ~/project/x && cat ~/project/x/*.toml && mv ~/project/x ~/project/real",
    );
    if is_root() {
        let other = sandbox.path("other");
        fs::create_dir(&other).unwrap();
        let line = format!("grep secret {}/project/real/config.toml", other.display());
        with_mount(&sandbox.home(), &other, || sandbox.is_refused(&line));
    }
}

/// Runs a test while a file or folder is mounted at another path as well.
fn with_mount(from: &Path, to: &Path, test: impl FnOnce()) {
    let run = |program: &str, arguments: &[&Path]| {
        let status = Command::new(program).args(arguments).status();
        assert!(status.unwrap().success());
    };
    run("mount", &[Path::new("--bind"), from, to]);
    let done = catch_unwind(AssertUnwindSafe(test));
    run("umount", &[to]);
    if let Err(panic) = done {
        resume_unwind(panic);
    }
}

/// A key file on a removable disk, whose folder stays visible.
pub fn key_on_removable_disk_is_hidden() {
    if !is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let disks = Path::new("/run/media");
    let is_new = !disks.exists();
    let disk = disks.join(format!("ntro-seal-{}", std::process::id()));
    fs::create_dir_all(&disk).unwrap();
    for name in ["identity.txt", "notes"] {
        fs::write(disk.join(name), "mine").unwrap();
    }
    let read = |level, name: &str| {
        let mut options = sandbox.options(level);
        options.files.secrets = vec![disk.join("identity.txt")];
        let mut command = sandbox.sealed(&options, Path::new("grep"));
        let output = command.arg("mine").arg(disk.join(name)).output().unwrap();
        output.status.success()
    };
    let read = [
        read(SealLevel::Off, "identity.txt"),
        read(SealLevel::Store, "notes"),
        read(SealLevel::Store, "identity.txt"),
    ];
    fs::remove_dir_all(&disk).unwrap();
    if is_new {
        let _ = fs::remove_dir(disks);
    }
    assert_eq!(read, [true, true, false]);
}

/// A name that is resolved is a message to its name server.
pub fn net_hides_name_services() {
    if !is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    let folder = Path::new("/run/nscd");
    let is_new = !folder.exists();
    fs::create_dir_all(folder).unwrap();
    let socket = folder.join(format!("ntro-seal-{}", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let line = format!(
        "import socket; socket.socket(socket.AF_UNIX).connect('{}')",
        socket.display()
    );
    let connects = |level| {
        let mut command = sandbox.sealed(&sandbox.options(level), Path::new("python3"));
        let output = command.args(["-c", &line]).output().unwrap();
        output.status.success()
    };
    let reached = [SealLevel::Off, SealLevel::Store, SealLevel::Net].map(connects);
    drop(listener);
    fs::remove_file(&socket).unwrap();
    if is_new {
        let _ = fs::remove_dir(folder);
    }
    assert_eq!(reached, [true, true, false]);
}

pub fn startup_files_stay() {
    for line in [
        "echo x >> ~/.bashrc",
        "mv ~/.bashrc ~/.bashrc.old && cp ~/.bashrc.old ~/.bashrc",
        "rm ~/.bashrc && echo '# mine' > ~/.bashrc",
        "echo x > ~/.bash_profile && rm ~/.bash_profile",
        "mkdir -p ~/.config/autostart && rmdir ~/.config/autostart",
        "mkdir -p ~/.config/systemd/user && rm -r ~/.config/systemd",
        "mv ~/.config ~/.config.old && mv ~/.config.old ~/.config",
        "mv ~/.local ~/.local.old && mv ~/.local.old ~/.local",
        "mv ~/.local/share ~/.local/share.old && mv ~/.local/share.old ~/.local/share",
        "mkdir ~/.ssh && rmdir ~/.ssh",
        "mkdir ~/.local/bin && rmdir ~/.local/bin",
        "cp ~/.bashrc ~/x && mv ~/x ~/.bashrc",
        "ln -s ~/project ~/.profile && rm ~/.profile",
        "mv $HOME $HOME.old && mv $HOME.old $HOME",
    ] {
        Sandbox::new().is_refused(line);
    }
}

pub fn linked_profile_stays() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("home/project/dotfiles")).unwrap();
    fs::write(sandbox.path("home/project/dotfiles/zshrc"), "# mine").unwrap();
    std::os::unix::fs::symlink("project/dotfiles/zshrc", sandbox.path("home/.zshrc")).unwrap();
    sandbox.is_refused("echo >> ~/project/dotfiles/zshrc");
    sandbox.is_refused("echo >> ~/.zshrc");
    sandbox.is_refused("mv ~/project/dotfiles ~/project/x && mv ~/project/x ~/project/dotfiles");
}

/// A profile whose link leads out of the home.
pub fn profile_elsewhere_stays() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("dotfiles")).unwrap();
    fs::write(sandbox.path("dotfiles/zshrc"), "# mine").unwrap();
    std::os::unix::fs::symlink("../dotfiles/zshrc", sandbox.path("home/.zshrc")).unwrap();
    sandbox.is_refused("echo >> ~/.zshrc");
    sandbox.is_refused("mv ~/../dotfiles/zshrc ~/../x && mv ~/../x ~/../dotfiles/zshrc");
}

/// Startup files that are mounts, as containers get them from outside.
pub fn mounted_startup_files_stay() {
    if !is_root() {
        return;
    }
    let sandbox = Sandbox::new();
    for folder in ["outside", "home/.ssh"] {
        fs::create_dir(sandbox.path(folder)).unwrap();
    }
    for file in ["outside/config", "home/.gitconfig"] {
        fs::write(sandbox.path(file), "").unwrap();
    }
    let (folder, file) = (sandbox.path("outside"), sandbox.path("outside/config"));
    with_mount(&folder, &sandbox.path("home/.ssh"), || {
        sandbox.is_refused("echo x >> ~/.ssh/config");
        sandbox.is_refused("touch ~/.ssh/rc && rm ~/.ssh/rc");
    });
    with_mount(&file, &sandbox.path("home/.gitconfig"), || {
        sandbox.is_refused("echo x >> ~/.gitconfig");
    });
    with_mount(&folder, &sandbox.path("home/.cache"), || {
        sandbox.works(SealLevel::Store, "touch ~/.cache/x && rm ~/.cache/x");
    });
}
