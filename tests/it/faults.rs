//! Faults of the machine: a full disk, a read-only home, files of another user, a lock held by a
//! stopped process. Errors are clear and no data is lost.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use ntro_base::Provider;
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Authority, Run, Sandbox};

const LOGIN: &str = "ntro auth login --no-verify --api-key-stdin --host http://localhost:1/v1";
const GOOD: &str =
    "[connections.local]\nhost = \"http://localhost:1/v1\"\napi_key = \"ntro_dev_key\"\n";

/// Runs a script with the folder of `ntro` on a small file system that is private to the script.
fn on_a_small_disk(sandbox: &Sandbox, script: &str) -> String {
    sandbox.write_config(GOOD);
    fs::rename(sandbox.ntro_home(), sandbox.home().join("seed")).unwrap();
    fs::create_dir(sandbox.ntro_home()).unwrap();
    let script = format!(
        "set -e; ntro() {{ '{}' \"$@\"; }}\n\
         mount -t tmpfs -o size=64k,mode=700 tmpfs .ntro\n\
         cp --preserve=mode seed/config.toml .ntro/\n\
         {script}",
        env!("CARGO_BIN_EXE_ntro")
    );
    let shell = sandbox.as_some_root("unshare").args("--mount sh -c");
    shell.arg(script).input("ntro_new_topsecret").transcript()
}

#[test]
#[ignore = "needs unshare: run scripts/test"]
fn full_disk_loses_nothing() {
    let sandbox = Sandbox::new();
    let script = format!(
        "dd if=/dev/zero of=.ntro/filler bs=4k 2>filling || true\n\
         {LOGIN} --store plaintext --name other && exit 99\n\
         ntro auth use local && exit 99\n\
         cmp seed/config.toml .ntro/config.toml\n\
         ls -A .ntro\n\
         ntro -c local auth token\n\
         rm .ntro/filler\n\
         echo ntro_new_topsecret | {LOGIN} --store plaintext --name other\n\
         ntro -c local auth token"
    );
    assert_snapshot!(on_a_small_disk(&sandbox, &script), @r"
        exit code: 0
        ----- stdout -----
        .lock
        config.toml
        filler
        ntro_dev_key
        ✓ logged in to `other`, without asking the server
        host     http://localhost:1/v1 (ntropii)
        key      ntro_n… in plain text in `config.toml`, where the official SDK reads it
        default  yes
        ntro_dev_key
        ----- stderr -----
        error: cannot write `[HOME]/.ntro/logins.toml`: no space left on device
          hint: make room on the disk; nothing was changed
        error: cannot write `[HOME]/.ntro/config.toml`: no space left on device
          hint: make room on the disk; nothing was changed
        ");
}

#[test]
#[ignore = "needs unshare: run scripts/test"]
fn readonly_home_keeps_files() {
    let sandbox = Sandbox::new();
    let script = format!(
        "mkfifo key\n\
         {LOGIN} --store plaintext --name other <key &\n\
         exec 3>key\n\
         mount -o remount,bind,ro .ntro\n\
         echo ntro_new_topsecret >&3; exec 3>&-\n\
         wait $! && exit 99\n\
         cmp seed/config.toml .ntro/config.toml\n\
         ls -A .ntro\n\
         ntro -c local auth token\n\
         mount -o remount,bind,rw .ntro\n\
         echo ntro_new_topsecret | {LOGIN} --store plaintext --name other\n\
         ntro -c local auth token"
    );
    assert_snapshot!(on_a_small_disk(&sandbox, &script), @r"
        exit code: 0
        ----- stdout -----
        config.toml
        ntro_dev_key
        ✓ logged in to `other`, without asking the server
        host     http://localhost:1/v1 (ntropii)
        key      ntro_n… in plain text in `config.toml`, where the official SDK reads it
        default  yes
        ntro_dev_key
        ----- stderr -----
        error: cannot open the lock `[HOME]/.ntro/.lock`: read-only file system
          hint: set `NTRO_HOME` to a folder that can be written
        ");
}

#[test]
#[ignore = "needs flock: run scripts/test"]
fn stopped_lock_holder_is_named() {
    let sandbox = Sandbox::new();
    sandbox.write_config(GOOD);
    sandbox.ntro("auth use local").run().success().done();
    let before = sandbox.contents();
    let mut command = Command::new("flock");
    sandbox.prepare(&mut command);
    let mut holder = command
        .args(["--no-fork", ".ntro/.lock", "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // It echoes as soon as it holds the lock.
    let mut input = holder.stdin.take().unwrap();
    input.write_all(b"x").unwrap();
    let mut echo = [0];
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut echo).unwrap();
    let pid = Pid::from_child(&holder);
    kill_process(pid, Signal::STOP).unwrap();
    sandbox.redacting(&holder.id().to_string(), "[HOLDER]");
    assert_snapshot!(sandbox.ntro("auth set local --policy confirm").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: the process [HOLDER] has held the lock `[HOME]/.ntro/.lock` for 30 s
          hint: see what it does: `ps -fp [HOLDER]`; end it, or wait for it, and try again
        ");
    assert_eq!(sandbox.contents(), before);
    sandbox.ntro("auth token").run().success().done();
    kill_process(pid, Signal::CONT).unwrap();
    drop(input);
    holder.wait().unwrap();
    sandbox
        .ntro("auth set local --policy confirm")
        .run()
        .success()
        .done();
}

#[test]
#[ignore = "needs setpriv, and root or sudo without a password: run scripts/test"]
fn users_cannot_read_each_others_keys() {
    let sandbox = Sandbox::new();
    sandbox.write_config(GOOD);
    let ntro = sandbox.copy_ntro();
    // Both users can reach the folder of `ntro`, but not enter it.
    for folder in [sandbox.home().parent().unwrap(), &sandbox.home()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let own = |owner: &str, path: &str| {
        let chown = sandbox.as_root("chown").arg("-R").arg(owner);
        chown.arg(sandbox.home().join(path)).run().success().done();
    };
    let run = |user: &str, line: &str| {
        let options = format!("--reuid {user} --regid {user} --clear-groups");
        let setpriv = sandbox.as_root("setpriv").args(&options);
        setpriv.arg(&ntro).args(line).transcript()
    };
    let before = sandbox.contents();
    let me = rustix::process::geteuid().as_raw().to_string();
    own("65533:65533", ".ntro");
    assert_snapshot!(run("65533", "-c local auth token"), @r"
        exit code: 0
        ----- stdout -----
        ntro_dev_key
        ");
    assert_snapshot!(run("65534", "-c local auth token"), @r"
        exit code: 3
        ----- stderr -----
        error: cannot read `[HOME]/.ntro/config.toml`: permission denied
          hint: make `[HOME]/.ntro/config.toml` readable and writable for yourself
        ");
    assert_snapshot!(run("65534", "auth use local"), @r"
        exit code: 3
        ----- stderr -----
        error: cannot open the lock `[HOME]/.ntro/.lock`: permission denied
          hint: make `[HOME]/.ntro/.lock` readable and writable for yourself
        ");
    own(&me, ".ntro");
    assert_eq!(sandbox.contents(), before);
    // A configuration that another user can change at any time.
    let config = sandbox.ntro_home().join("config.toml");
    fs::set_permissions(config, fs::Permissions::from_mode(0o644)).unwrap();
    own("65534:65534", ".ntro");
    own("65533:65533", ".ntro/config.toml");
    assert_snapshot!(run("65534", "-c local auth token"), @r"
        exit code: 0
        ----- stdout -----
        ntro_dev_key
        ----- stderr -----
        warning: `[HOME]/.ntro/config.toml` belongs to another user (number 65533), who can change it at any time
        warning: `[HOME]/.ntro/config.toml` has the permissions 0644 and should have 0600; the next change fixes it
        ");
    own(&me, ".ntro");
}

/// Percent-encoded, it is longer than a file name may be.
#[test]
fn longest_name_can_be_rotated() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ontora, "acme");
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let name = "\u{5317}".repeat(64);
    let options = format!("--store file --name {name}");
    sandbox.log_in(&options, &authority.host(Provider::Ontora), &key.key);
    let rotate = sandbox.ntro("auth rotate").arg(&name).run().success();
    rotate.says("is replaced by").done();
    sandbox.assert_no_litter();
}

/// The official clients truncate `config.toml` before they write it.
#[test]
fn policy_survives_truncated_config() {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let host = "http://localhost:1/v1";
    let log_in = |options: &str| {
        let options = format!("--no-verify --store file --name local {options}");
        sandbox.log_in(&options, host, "ntro_prod_topsecret");
    };
    let is_keyless = || {
        let token = sandbox.ntro("auth token -c local").run().exits(5);
        token.complains("is `keyless`").done();
    };
    log_in("--policy keyless");
    sandbox.write_config("");
    sandbox.log_in(
        "--no-verify --store file --name other",
        host,
        "ntro_dev_other",
    );
    let rewritten = format!("[connections.local]\nhost = \"{host}\"\n");
    sandbox.write_config(&rewritten);
    is_keyless();
    // A login without `--policy` keeps the policy as well.
    sandbox.write_config("");
    log_in("");
    is_keyless();
    // A removal drops it.
    sandbox.ntro("auth remove local").run().success().done();
    log_in("");
    sandbox.ntro("auth token -c local").run().success().done();
}

/// A home with its own connection, and a folder where another user may have placed a pin.
fn beside_a_pin() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    sandbox.write_config(GOOD);
    let folder = sandbox.home().join("project");
    fs::create_dir(&folder).unwrap();
    let pin = folder.join(".ntro.toml");
    (sandbox, pin)
}

/// Runs a command in the folder of the pin, with a key on standard input.
fn at<'a>(sandbox: &'a Sandbox, pin: &Path, line: &str) -> Run<'a> {
    let run = sandbox.ntro(line).in_folder(pin.parent().unwrap());
    run.input("ntro_new_topsecret")
}

#[test]
fn special_file_as_pin_never_blocks() {
    let (sandbox, pin) = beside_a_pin();
    let mkfifo = sandbox.program(Path::new("mkfifo")).arg(&pin);
    mkfifo.run().success().done();
    let refused = at(&sandbox, &pin, "auth token").transcript();
    assert_snapshot!(refused, @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/project/.ntro.toml` is a pipe, not a file
          hint: take it away, or run the command in another folder
        ");
    fs::remove_file(&pin).unwrap();
    symlink("/dev/stdin", &pin).unwrap();
    let login = LOGIN.strip_prefix("ntro ").unwrap();
    assert_eq!(at(&sandbox, &pin, login).transcript(), refused);
    fs::remove_file(&pin).unwrap();
    // A link to a regular file elsewhere in the project is a valid pin.
    symlink("pin.toml", &pin).unwrap();
    fs::write(pin.with_file_name("pin.toml"), "connection = \"local\"").unwrap();
    let token = at(&sandbox, &pin, "auth token").run().success();
    token.says("ntro_dev_key").done();
}

#[test]
#[ignore = "needs root or sudo without a password: run scripts/test"]
fn foreign_pin_is_refused() {
    let (sandbox, pin) = beside_a_pin();
    let elsewhere = sandbox.home().join("mine.toml");
    for path in [&pin, &elsewhere] {
        fs::write(path, "connection = \"local\"").unwrap();
    }
    let mine_then_theirs = || {
        at(&sandbox, &pin, "auth token").run().success().done();
        let chown = sandbox.as_root("chown").args("--no-dereference 65533");
        chown.arg(&pin).run().success().done();
        at(&sandbox, &pin, "auth token").transcript()
    };
    let refused = mine_then_theirs();
    assert_snapshot!(refused, @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/project/.ntro.toml` belongs to another user (number 65533)
          hint: take it away, or run the command in another folder; if you trust what it says, make it yours with `chown`
        ");
    // Neither does another user's link to a file of mine.
    fs::remove_file(&pin).unwrap();
    symlink(&elsewhere, &pin).unwrap();
    assert_eq!(mine_then_theirs(), refused);
}

/// Runs `ntro` with the clock shifted by `off`.
fn with_clock<'a>(sandbox: &'a Sandbox, off: &str, arguments: &str) -> Run<'a> {
    let faketime = sandbox.program("faketime".as_ref()).env("COLUMNS", "");
    let faketime = faketime.arg("-f").arg(off);
    faketime.arg(env!("CARGO_BIN_EXE_ntro")).args(arguments)
}

#[test]
#[ignore = "needs faketime: run scripts/test"]
fn wrong_clock_is_reported() {
    let authority = Authority::start();
    let key = authority.key_with(Provider::Ntropii, "acme-fund-admin", |new| {
        new.expires_in_days = Some(1);
    });
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox.redacting(&authority.origin(), "[AUTHORITY]");
    sandbox.redacting_key(&key, "KEY");
    let host = authority.host(Provider::Ntropii);
    let login = format!("auth login --api-key-stdin --store file --name local --host {host}");
    for off in ["+2d", "-1d"] {
        // The server has accepted the key, so it is stored, whatever the local clock shows.
        with_clock(&sandbox, off, &login)
            .input(&key.key)
            .run()
            .success()
            .done();
        let report = with_clock(&sandbox, off, "doctor -o json").run().success();
        let clock = report.json()["findings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|finding| finding["check"] == "clock")
            .cloned();
        let clock = clock.unwrap();
        assert_eq!(clock["level"], "warning", "{off}: {clock}");
        let way = if off.starts_with('+') {
            " s behind "
        } else {
            " s ahead of "
        };
        assert!(
            clock["message"].as_str().unwrap().contains(way),
            "{off}: {clock}"
        );
        with_clock(&sandbox, off, "auth whoami")
            .run()
            .success()
            .done();
        sandbox
            .ntro("auth token")
            .run()
            .success()
            .says(&key.key)
            .done();
    }
    // A key expires by the server's clock; warnings use the local clock.
    assert_snapshot!(with_clock(&sandbox, "+2d", "auth status").transcript(), @r"
        exit code: 0
        ----- stdout -----
        NAME   STATUS       HOST
        local  expires now  [AUTHORITY]/v1  the server accepts it, and by this machine's clock it has ended; `ntro doctor` compares the clocks
        ");
    assert_snapshot!(with_clock(&sandbox, "+0d", "auth status").transcript(), @r"
        exit code: 0
        ----- stdout -----
        NAME   STATUS               HOST
        local  expires in 23 hours  [AUTHORITY]/v1
        ");
    sandbox.assert_no_litter();
}
