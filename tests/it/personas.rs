//! Users of continuous integration, containers and services: without a home, a name, a writable
//! disk, a working folder, a reader, or file descriptors.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use insta::assert_snapshot;

use crate::support::{Outcome, Run, Sandbox, Stub};

const KEY: &str = "ntro_dev_good_topsecret";
const HOST: &str = "http://127.0.0.1:1/v1";
const CONFIG: &str =
    "[connections.local]\nhost = \"http://127.0.0.1:1/v1\"\napi_key = \"ntro_dev_key\"\n";

/// A user id without an entry in the system's list of users, and a server.
struct Stranger {
    sandbox: Sandbox,
    stub: Stub,
}

impl Stranger {
    fn new() -> Self {
        let sandbox = Sandbox::new();
        let stub = Stub::ntropii(&["acme"]);
        sandbox.redacting(&stub.host(), "[SERVER]");
        sandbox.copy_ntro();
        for folder in [sandbox.home().parent().unwrap(), &sandbox.home()] {
            fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { sandbox, stub }
    }

    /// Prepares a run of `ntro` by the stranger, without `HOME`; `line` may set variables first.
    fn run(&self, line: &str) -> Run<'_> {
        let options = "--reuid 65533 --regid 65533 --clear-groups env --unset=HOME";
        let program = self.sandbox.home().join("program");
        let line = line.replace("ntro ", &format!("{} ", program.display()));
        let setpriv = self.sandbox.as_root("setpriv").args(options);
        setpriv.args(&line).in_folder("/")
    }

    /// Asserts that the server has named the owner of the key, and what stands on standard error.
    #[track_caller]
    fn is_known(&self, outcome: &Outcome, stderr: &str) {
        assert_eq!(outcome.code, Some(0), "{outcome}");
        assert!(outcome.stdout.contains("dev@acme.test"), "{outcome}");
        assert_eq!(self.sandbox.redact(&outcome.stderr), stderr);
    }

    /// The same, with the key and the host in the environment.
    fn with_key(&self, line: &str) -> Run<'_> {
        let host = self.stub.host();
        self.run(&format!("NTRO_API_KEY={KEY} NTRO_HOST={host} {line}"))
    }
}

#[test]
#[ignore = "needs setpriv, and root or sudo without a password: run scripts/test"]
fn key_and_host_need_no_home() {
    let stranger = Stranger::new();
    stranger.is_known(&stranger.with_key("ntro auth whoami").run(), "");
    for line in [
        "NTRO_STRICT=1 ntro auth whoami",
        "HOME=/ ntro auth whoami",
        "HOME=/nonexistent ntro auth whoami",
        "ntro auth token",
        "ntro tenant list",
        "ntro auth explain",
    ] {
        let outcome = stranger.with_key(line).run().success();
        assert_eq!(outcome.stderr, "", "{line}");
    }
    assert_snapshot!(stranger.run("ntro auth list").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: there is no home folder, and `NTRO_HOME` is not set
          hint: set `NTRO_HOME` to a folder of your own
        ");
    stranger.is_known(
        &stranger.with_key("HOME=/dev/null ntro auth whoami").run(),
        "warning: cannot read `/dev/null/.ntro/config.toml`: not a directory; \
         key and host are set, so it is not needed
",
    );
    // Whether the variables hide a login cannot be seen.
    let strict = stranger.with_key("HOME=/dev/null NTRO_STRICT=1 ntro auth whoami");
    strict.run().exits(3).done();
}

#[test]
#[ignore = "needs setpriv, and root or sudo without a password: run scripts/test"]
fn unwritable_home_names_variable() {
    let stranger = Stranger::new();
    let login = format!(
        "ntro auth login --no-interactive --no-verify --store plaintext --api-key-stdin --host {HOST}"
    );
    let log_in = |home: &str| {
        let run = stranger.run(&format!("{home} {login}"));
        run.input(KEY).transcript()
    };
    assert_snapshot!(log_in("HOME=/"), @r"
        exit code: 3
        ----- stderr -----
        error: cannot create the folder `/.ntro`: permission denied
          hint: set `NTRO_HOME` to a folder of your own
        ");
    assert_snapshot!(log_in(""), @r"
        exit code: 3
        ----- stderr -----
        error: there is no home folder, and `NTRO_HOME` is not set
          hint: set `NTRO_HOME` to a folder of your own
        ");
    assert_snapshot!(log_in("HOME=/nonexistent"), @r"
        exit code: 3
        ----- stderr -----
        error: cannot create the folder `/nonexistent/.ntro`: permission denied
          hint: set `NTRO_HOME` to a folder of your own
        ");
}

#[test]
#[ignore = "needs setpriv, and root or sudo without a password: run scripts/test"]
fn closed_folder_hides_only_its_pin() {
    let stranger = Stranger::new();
    let closed = stranger.sandbox.home().join("closed");
    fs::create_dir(&closed).unwrap();
    let pin = "connection = \"nosuch\"";
    fs::write(closed.join(".ntro.toml"), pin).unwrap();
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
    // Root owns it where the tests run as root, and the tests' user otherwise: not the stranger.
    let run = stranger.with_key("ntro auth whoami").in_folder(&closed);
    stranger.is_known(
        &run.run(),
        "warning: `[HOME]/closed` cannot be searched for `.ntro.toml`: permission denied
",
    );
    // Above it, a pin is still found.
    fs::write(stranger.sandbox.home().join(".ntro.toml"), pin).unwrap();
    let chown = stranger.sandbox.as_root("chown").arg("65533");
    let chown = chown.arg(stranger.sandbox.home().join(".ntro.toml"));
    chown.run().success().done();
    let run = stranger
        .run("HOME=/nonexistent ntro auth whoami")
        .in_folder(&closed);
    assert_snapshot!(run.transcript(), @r"
        exit code: 3
        ----- stderr -----
        warning: `[HOME]/closed` cannot be searched for `.ntro.toml`: permission denied
        error: there is no connection `nosuch` (named by `[HOME]/.ntro.toml`)
          hint: there are no connections yet: run `ntro auth login`
        ");
}

#[test]
fn deleted_folder_has_no_pin() {
    let sandbox = Sandbox::new();
    sandbox.write_config(CONFIG);
    let script = format!(
        "mkdir gone; cd gone; rmdir ../gone; exec {} -c local auth token",
        env!("CARGO_BIN_EXE_ntro")
    );
    let shell = sandbox.program("sh".as_ref()).arg("-c").arg(script);
    let outcome = shell.run().success().says("ntro_dev_key");
    assert_eq!(outcome.stderr, "");
}

#[test]
#[ignore = "needs unshare: run scripts/test"]
fn readonly_root_needs_no_write() {
    let sandbox = Sandbox::new();
    let stub = Stub::ntropii(&["acme"]);
    sandbox.redacting(&stub.host(), "[SERVER]");
    let other = CONFIG.replace("local", "other");
    sandbox.write_config(&format!(
        "default_connection_name = \"local\"\n{CONFIG}policy = \"none\"\n{other}"
    ));
    // Mounts with flags that a user namespace may not change stay as they are.
    let script = format!(
        "ntro() {{ '{}' \"$@\"; }}\n\
         mount --bind . . && cd \"$PWD\" && mount -o remount,bind,ro .\n\
         cut -d' ' -f2 /proc/self/mounts | while read place; do\n\
             mount -o remount,bind,ro \"$place\" 2>/dev/null\n\
         done\n\
         for place in / .; do [ -w $place ] && echo \"$place is writable\"; done\n\
         ntro auth list\n\
         ntro -c local auth token\n\
         NTRO_API_KEY={KEY} NTRO_HOST={host} ntro auth whoami | grep -o dev@acme.test\n\
         echo {KEY} | ntro auth login --no-interactive --no-verify --api-key-stdin --store plaintext --name b --host {HOST}\n\
         ntro auth use local\n\
         ntro auth set local --policy none\n\
         ntro auth use other\n\
         NTRO_HOME=$PWD/other ntro auth use local",
        env!("CARGO_BIN_EXE_ntro"),
        host = stub.host(),
    );
    let before = sandbox.contents();
    let shell = sandbox.as_some_root("unshare").args("--mount sh -c");
    assert_snapshot!(shell.arg(script).transcript(), @r"
        exit code: 3
        ----- stdout -----
           NAME   PROVIDER  HOST                   TENANT  STORE      KEY
        ●  local  ntropii   http://127.0.0.1:1/v1  -       plaintext  stored
           other  ntropii   http://127.0.0.1:1/v1  -       plaintext  stored
        ntro_dev_key
        dev@acme.test
        ✓ `local` is the default connection now
        ✓ `local`: policy none, production decided by its host and name
        ----- stderr -----
        warning: the variable `NTRO_HOST` overrides the host of `local`, http://127.0.0.1:1/v1
        warning: the variable `NTRO_API_KEY` overrides the stored API key of `local`
        error: cannot open the lock `[HOME]/.ntro/.lock`: read-only file system
          hint: set `NTRO_HOME` to a folder that can be written
        error: cannot open the lock `[HOME]/.ntro/.lock`: read-only file system
          hint: set `NTRO_HOME` to a folder that can be written
        error: cannot create the folder `[HOME]/other`: read-only file system
          hint: `NTRO_HOME` names no folder: set it to one that can be made and written
        ");
    assert_eq!(sandbox.contents(), before);
}

#[test]
fn closed_pipes_end_no_command_in_panic() {
    let sandbox = Sandbox::new();
    sandbox.write_config(CONFIG);
    for line in [
        "--help",
        "auth list",
        "auth list -o json",
        "auth explain",
        "auth use local",
        "-c local auth token",
        "doctor --offline",
        "completions bash",
        "auth nosuch",
    ] {
        for end in [
            "| true",
            ">&-",
            "2>&-",
            "<&-",
            ">&- 2>&-",
            "<&- >&- 2>&-",
            "2>&1 | true",
        ] {
            let script = format!("'{}' {line} {end}", env!("CARGO_BIN_EXE_ntro"));
            let shell = sandbox.program("sh".as_ref()).arg("-c").arg(script);
            without_panic(shell.run());
        }
    }
}

#[test]
fn few_descriptors_end_no_command_in_panic() {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox.write_config(CONFIG);
    for line in [
        "auth list",
        "-c local auth whoami",
        "auth status",
        "auth rotate local --no-interactive",
        "doctor",
        "auth login --no-interactive --api-key-stdin --store file --name b --host http://127.0.0.1:1/v1",
        "auth login --no-interactive --api-key-stdin --store keyring --name b --host http://127.0.0.1:1/v1",
        "admin organisation list --database sqlite:x.db",
        "serve --database sqlite:x.db --listen 192.0.2.1:1",
    ] {
        for limit in 4..=12 {
            let script = format!(
                "ulimit -n {limit}; exec '{}' {line}",
                env!("CARGO_BIN_EXE_ntro")
            );
            let shell = sandbox.program("sh".as_ref()).arg("-c").arg(script);
            without_panic(shell.input(KEY).run());
        }
    }
    let few = |line: &str| {
        let script = format!("ulimit -n 7; exec '{}' {line}", env!("CARGO_BIN_EXE_ntro"));
        sandbox
            .program("sh".as_ref())
            .arg("-c")
            .arg(script)
            .transcript()
    };
    assert_snapshot!(few("-c local auth whoami"), @r"
        exit code: 1
        ----- stderr -----
        error: cannot start: Too many open files (os error 24)
          hint: raise the limit on open files, `ulimit -n`
        ");
}

#[track_caller]
fn without_panic(outcome: Outcome) {
    assert!(
        !outcome.stderr.contains("panicked"),
        "{}:\n{outcome}",
        outcome.line
    );
    // A closed pipe may end a command by its signal.
    assert!(
        outcome.code.is_none_or(|code| code < 100),
        "{}:\n{outcome}",
        outcome.line
    );
}
