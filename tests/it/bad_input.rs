//! Invalid input: each error names its source and the next step, and changes nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use insta::assert_snapshot;
use ntro_base::disk::FileLock;

use crate::support::{Sandbox, Terminal};

const GOOD: &str = "\
[connections.local]
host = \"http://localhost:1/v1\"
api_key = \"ntro_dev_key\"
";

/// Shows the output of a command for a `config.toml`, and asserts that the file is unchanged.
fn with_config(command: &str, text: &str) -> String {
    let sandbox = Sandbox::new();
    sandbox.write_config(text);
    let before = sandbox.contents();
    let transcript = sandbox.ntro(command).transcript();
    let mut after = sandbox.contents();
    after.remove(".ntro/.lock");
    assert_eq!(after, before, "{command}: {transcript}");
    transcript
}

#[test]
fn invalid_toml_names_position() {
    let text = format!("{GOOD}api_key = 'secret-again'\n= 1\n");
    assert_snapshot!(with_config("auth token", &text), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/.ntro/config.toml`, line 4, column 1: duplicate key
          hint: correct the file with an editor; nothing was changed
        ");
    assert_snapshot!(with_config("auth list -o json", "a = 1\nb = = 2"), @r#"
        exit code: 3
        ----- stderr -----
        {"error":{"code":"config","hint":"correct the file with an editor; nothing was changed","message":"`[HOME]/.ntro/config.toml`, line 2, column 5: extra `=`, expected nothing","request_id":null}}
        "#);
    for command in [
        "auth use local",
        "auth logout",
        "auth rename local other",
        "auth login --no-verify --store plaintext --api-key ntro_new --host http://localhost:2",
    ] {
        let transcript = with_config(command, "[connections.local\nhost = 1");
        assert!(transcript.contains("exit code: 3"), "{transcript}");
        assert!(transcript.contains("line 1, column"), "{transcript}");
    }
}

/// Names and values that would control the terminal, and a password, as a hand-made file can hold
/// them.
const STEERING: &str = r#"
default_connection_name = "good"
[connections.good]
host = "http://localhost:1/v1"
default_tenant = "acme\u202Exyz"
[connections."evil\u001b[31m\nname"]
host = "http://ada:SECRET@localhost:1/\u001b]0;title\u0007"
default_tenant = "t\u0000"
store = "no\u001b[2Jsuch"
"#;

#[test]
fn files_cannot_control_terminal() {
    let sandbox = Sandbox::new();
    sandbox.write_config(STEERING);
    let list = sandbox.ntro("auth list").run().success();
    assert_snapshot!(list, @r"
        exit code: 0
        ----- stdout -----
           NAME                          PROVIDER  HOST                                           TENANT           STORE              KEY
           evil<U+001B>[31m<U+000A>name  -         http://…@localhost:1/<U+001B>]0;title<U+0007>  t<U+0000>        no<U+001B>[2Jsuch  none
        ●  good                          ntropii   http://localhost:1/v1                          acme<U+202E>xyz  keyring            none
        ");
    let unknown = sandbox.ntro("auth test -c nope").run().exits(3);
    assert_snapshot!(unknown, @r"
        exit code: 3
        ----- stderr -----
        error: there is no connection `nope` (named by `--connection`)
          hint: the connections are: evil<U+001B>[31m<U+000A>name, good
        ");
    for command in [
        "auth list --color always",
        "auth status --all --color always",
        "auth use nope",
        "auth test -c nope",
        "doctor --offline",
        "auth whoami",
    ] {
        let said = sandbox.ntro(command).transcript();
        for raw in ["\u{1b}]", "\u{1b}[31m\n", "\u{1b}[2J", "\u{202e}", "\u{0}"] {
            assert!(!said.contains(raw), "{command}: {said:?}");
        }
        assert!(!said.contains("SECRET"), "{command}: {said}");
    }
    // JSON output has the unchanged name.
    let list = sandbox.ntro("auth list -o json").run().success().json();
    let names: Vec<_> = list.as_array().unwrap().iter().collect();
    assert_eq!(names[0]["connection"], "evil\u{1b}[31m\nname");
    sandbox.assert_only_in("SECRET", &[".ntro/config.toml"]);

    sandbox.write_config("[connections.good]\npolicy = 'x'\n\"\\u001b[31mred\" = 1\n");
    let refused = sandbox.ntro("auth list").run().exits(3);
    assert!(!refused.stderr.contains('\u{1b}'), "{refused}");
    sandbox.write_config("[connections.good]\n\"\\u001b[31mred\" = 1\n");
    let noted = sandbox.ntro("doctor --offline").run();
    assert!(!noted.stdout.contains('\u{1b}'), "{noted}");
    noted.done();
}

#[test]
fn wrong_type_names_position() {
    assert_snapshot!(
        with_config("auth list", "[connections.local]\nhost = 3000\n"),
        @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/.ntro/config.toml`, line 2, column 8: invalid type: integer `3000`, expected a string
          hint: correct the file with an editor; nothing was changed
        "
    );
    assert_snapshot!(with_config("auth list", "connections = 1"), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/.ntro/config.toml`, line 1, column 15: invalid type: integer `1`, expected a table
          hint: correct the file with an editor; nothing was changed
        ");
    assert_snapshot!(with_config("auth use local", "[connections]\nlocal = 'x'"), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/.ntro/config.toml`, line 2, column 9: invalid type: string, expected a table
          hint: correct the file with an editor; nothing was changed
        ");
    assert_snapshot!(
        with_config("auth token", "[connections.local]\napi_key = ['ntro_secret']"),
        @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/.ntro/config.toml`, line 2, column 11: invalid type: array, expected a string
          hint: correct the file with an editor; nothing was changed
        "
    );
    assert_snapshot!(
        with_config("auth token", "default_connection_name = { a = 'b' }"),
        @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/.ntro/config.toml`, line 1, column 27: invalid type: table, expected a string
          hint: correct the file with an editor; nothing was changed
        "
    );
}

#[test]
fn unusable_host_gives_reason() {
    let with_host = |host: &str| {
        let text = format!("[connections.local]\n{host}\napi_key = \"ntro_dev_key\"\n");
        with_config("-c local auth token", &text)
    };
    assert_snapshot!(with_host(""), @r"
        exit code: 3
        ----- stderr -----
        error: the connection `local` has no `host` in `[HOME]/.ntro/config.toml`
          hint: run `ntro auth login --name local --host URL`
        ");
    assert_snapshot!(with_host("host = 'https://user:pass@api.example/v1'"), @r"
        exit code: 3
        ----- stderr -----
        error: `connections.local.host` in `[HOME]/.ntro/config.toml`: the host contains a user name or password before `@`
          hint: correct `connections.local.host` in `[HOME]/.ntro/config.toml`
        ");
    assert_snapshot!(with_host("host = 'https://api.example/v1?key=1'"), @r"
        exit code: 3
        ----- stderr -----
        error: `connections.local.host` in `[HOME]/.ntro/config.toml`: the host contains a query: only scheme, name, port and path are possible
          hint: correct `connections.local.host` in `[HOME]/.ntro/config.toml`
        ");
    assert_snapshot!(with_host("host = 'api.example/v1'"), @r"
        exit code: 0
        ----- stdout -----
        ntro_dev_key
        ");
    assert_snapshot!(with_host("host = 'ftp://api.example'"), @r"
        exit code: 3
        ----- stderr -----
        error: `connections.local.host` in `[HOME]/.ntro/config.toml`: the host has the scheme `ftp`: only `https` and `http` are possible
          hint: correct `connections.local.host` in `[HOME]/.ntro/config.toml`
        ");
}

#[test]
fn invalid_names_and_stores_are_refused() {
    assert_snapshot!(
        with_config("-c local auth token", &format!("{GOOD}store = 'vault'\n")),
        @r"
        exit code: 3
        ----- stderr -----
        error: `connections.local.store` in `[HOME]/.ntro/config.toml`: unknown store `vault`: expected `keyring`, `file`, `keyutils`, `command` or `plaintext`
          hint: correct `connections.local.store` in `[HOME]/.ntro/config.toml`
        "
    );
    assert_snapshot!(
        with_config("-c local auth token", &format!("{GOOD}provider = 'acme'\n")),
        @r"
        exit code: 3
        ----- stderr -----
        error: `connections.local.provider` in `[HOME]/.ntro/config.toml`: unknown provider `acme`: expected `ntropii` or `ontora`
          hint: correct `connections.local.provider` in `[HOME]/.ntro/config.toml`
        "
    );
    assert_snapshot!(
        with_config("auth login --store vault --api-key ntro_x", GOOD),
        @r"
        exit code: 2
        ----- stderr -----
        error: invalid value 'vault' for '--store <STORE>'
          [possible values: keyring, file, keyutils, command, plaintext]

        For more information, try '--help'.
        "
    );
    assert_snapshot!(with_config("auth rename local --", GOOD), @r"
        exit code: 2
        ----- stderr -----
        error: the following required arguments were not provided:
          <TO>

        Usage: ntro auth rename <FROM> <TO>

        For more information, try '--help'.
        ");
    let long = format!("auth rename local {}", "n".repeat(65));
    assert_snapshot!(with_config(&long, GOOD), @r"
        exit code: 2
        ----- stderr -----
        error: invalid value '…' for '<TO>': the connection name has 65 characters, at most 64 are allowed

        For more information, try '--help'.
        ");
    assert_snapshot!(with_config("auth token --host https://u@a.example", GOOD), @r"
        exit code: 2
        ----- stderr -----
        error: invalid value '…' for '--host <URL>': the host contains a user name or password before `@`

        For more information, try '--help'.
        ");
    assert_snapshot!(with_config("auth token --tenant a/b", GOOD), @r"
        exit code: 2
        ----- stderr -----
        error: invalid value 'a/b' for '--tenant <SLUG>': the tenant contains '/', which is not allowed there

        For more information, try '--help'.
        ");
}

#[test]
fn invalid_key_is_never_shown() {
    let sandbox = Sandbox::new();
    let login = |input: &[u8]| {
        sandbox
            .ntro("auth login --no-verify --store plaintext --api-key-stdin")
            .args("--host http://localhost:1/v1")
            .input(input)
            .transcript()
    };
    assert_snapshot!(login(b""), @r"
        exit code: 2
        ----- stderr -----
        error: standard input: the API key is empty
          hint: copy the key again, and nothing else
        ");
    assert_snapshot!(login(b" \n"), @r"
        exit code: 2
        ----- stderr -----
        error: standard input: the API key is empty
          hint: copy the key again, and nothing else
        ");
    assert_snapshot!(login("ntro_schlüssel_topsecret".as_bytes()), @r"
        exit code: 2
        ----- stderr -----
        error: standard input: the API key contains a character that is not ASCII at position 10: keys are visible ASCII characters only
          hint: copy the key again, and nothing else
        ");
    assert_snapshot!(login(b"ntro_a_topsecret\nntro_b_topsecret\n"), @r"
        exit code: 2
        ----- stderr -----
        error: standard input: the API key contains a line break at position 17: keys are visible ASCII characters only
          hint: copy the key again, and nothing else
        ");
    assert_snapshot!(login(b"ntro_\x1b[31mtopsecret"), @r"
        exit code: 2
        ----- stderr -----
        error: standard input: the API key contains a control character at position 6: keys are visible ASCII characters only
          hint: copy the key again, and nothing else
        ");
    assert_snapshot!(login(b"ntro_\xff\xfetopsecret"), @r"
        exit code: 2
        ----- stderr -----
        error: standard input is not UTF-8 text; it may be UTF-16, as some editors save it
          hint: save the key as UTF-8, or paste it on a terminal
        ");
    assert_snapshot!(login(format!("ntro_{}", "topsecret".repeat(1000)).as_bytes()), @r"
        exit code: 2
        ----- stderr -----
        error: standard input: the API key has 9005 bytes, at most 2500 are allowed
          hint: copy the key again, and nothing else
        ");
    assert_snapshot!(login(&b"topsecret".repeat(100_000)), @r"
        exit code: 2
        ----- stderr -----
        error: standard input has more than 65536 bytes, which no key has
          hint: pipe the key in, and nothing else
        ");
    assert_snapshot!(
        sandbox
            .ntro("auth login --no-verify --store plaintext --host http://localhost:1/v1")
            .arg("--api-key=a topsecret")
            .transcript(),
        @r"
        exit code: 2
        ----- stderr -----
        error: `--api-key`: the API key contains a space at position 2: keys are visible ASCII characters only
          hint: copy the key again, and nothing else
        "
    );
    assert_snapshot!(
        sandbox
            .ntro("auth whoami")
            .env("NTRO_API_KEY", "ntro_ö_topsecret")
            .env("NTRO_HOST", "http://localhost:1/v1")
            .transcript(),
        @r"
        exit code: 2
        ----- stderr -----
        error: the variable `NTRO_API_KEY`: the API key contains a character that is not ASCII at position 6: keys are visible ASCII characters only
          hint: correct the variable `NTRO_API_KEY`
        "
    );
    sandbox.assert_nowhere("topsecret");
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

#[test]
fn wrong_file_type_is_named() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.ntro_home().join("config.toml")).unwrap();
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: cannot read `[HOME]/.ntro/config.toml`: is a directory
          hint: `[HOME]/.ntro/config.toml` is a folder: move it away
        ");
    let login =
        "auth login --no-verify --store plaintext --api-key-stdin --host http://localhost:1";
    assert_snapshot!(sandbox.ntro(login).input("ntro_x").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: cannot read `[HOME]/.ntro/config.toml`: is a directory
          hint: `[HOME]/.ntro/config.toml` is a folder: move it away
        ");

    let sandbox = Sandbox::new();
    fs::write(sandbox.ntro_home(), "a file").unwrap();
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: cannot read `[HOME]/.ntro/config.toml`: not a directory
          hint: something on the way to `[HOME]/.ntro/config.toml` is not a folder
        ");
    assert_snapshot!(sandbox.ntro(login).input("ntro_x").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: cannot read `[HOME]/.ntro/config.toml`: not a directory
          hint: something on the way to `[HOME]/.ntro/config.toml` is not a folder
        ");
    assert_eq!(fs::read(sandbox.ntro_home()).unwrap(), b"a file");

    let sandbox = Sandbox::new();
    sandbox.write_config("");
    fs::write(sandbox.ntro_home().join("config.toml"), [0xff, 0xfe]).unwrap();
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/.ntro/config.toml` is not text in UTF-8
          hint: save `[HOME]/.ntro/config.toml` as UTF-8
        ");
    fs::write(
        sandbox.ntro_home().join("config.toml"),
        " ".repeat(20 << 20),
    )
    .unwrap();
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/.ntro/config.toml` is larger than 8388608 bytes
          hint: `[HOME]/.ntro/config.toml` is not a file of `ntro`: move it away
        ");

    let sandbox = Sandbox::new();
    sandbox.write_config(GOOD);
    fs::create_dir(sandbox.ntro_home().join(".lock")).unwrap();
    assert_snapshot!(sandbox.ntro("auth use local").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: cannot open the lock `[HOME]/.ntro/.lock`: is a directory
          hint: `[HOME]/.ntro/.lock` is a folder: move it away
        ");
}

#[test]
fn loose_permissions_are_reported_and_fixed() {
    let sandbox = Sandbox::new();
    sandbox.write_config(GOOD);
    let loosen = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let (folder, file) = (sandbox.ntro_home(), sandbox.ntro_home().join("config.toml"));
    loosen(&folder, 0o755);
    loosen(&file, 0o644);
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 0
        ----- stdout -----
           NAME   PROVIDER  HOST                   TENANT  STORE      KEY
           local  ntropii   http://localhost:1/v1  -       plaintext  stored
        ----- stderr -----
        warning: `[HOME]/.ntro` has the permissions 0755 and should have 0700; the next change fixes it
        warning: `[HOME]/.ntro/config.toml` has the permissions 0644 and should have 0600; the next change fixes it
        ");
    sandbox.ntro("auth use local").run().success().done();
    assert_eq!((mode(&folder), mode(&file)), (0o700, 0o600));
    assert!(sandbox.ntro("auth list").run().success().stderr.is_empty());
}

#[test]
fn invalid_variable_is_named() {
    let sandbox = Sandbox::new();
    assert_snapshot!(
        sandbox.ntro("auth use x").env("NTRO_HOME", "/dev/null/x").transcript(),
        @r"
        exit code: 3
        ----- stderr -----
        error: cannot create the folder `/dev/null/x`: not a directory
          hint: `NTRO_HOME` names no folder: set it to one that can be made and written
        "
    );
    assert_snapshot!(
        sandbox.ntro("auth list").env("NTRO_KEYRING_TIMEOUT", "soon").transcript(),
        @r"
        exit code: 0
        ----- stderr -----
        There are no connections yet: run `ntro auth login`.
        "
    );
    assert_snapshot!(
        sandbox
            .ntro("auth token")
            .env("NTRO_KEYRING_TIMEOUT", "soon")
            .env("NTRO_HOST", "http://localhost:1")
            .transcript(),
        @r"
        exit code: 2
        ----- stderr -----
        error: the variable `NTRO_KEYRING_TIMEOUT` is not a number of seconds above 0
          hint: set it to, for instance, `10`
        "
    );
}

#[test]
fn suggested_fix_is_safe() {
    let sandbox = Sandbox::new();
    sandbox.write_config(GOOD);
    assert_snapshot!(sandbox.ntro("auth rename local local").transcript(), @r"
        exit code: 9
        ----- stderr -----
        error: the connection is called `local` already
          hint: choose another name
        ");
    assert_snapshot!(
        sandbox.ntro("auth use local").env("NTRO_HOME", "/proc/x").transcript(),
        @r"
        exit code: 3
        ----- stderr -----
        error: cannot create the folder `/proc/x`: no such file or directory
          hint: `NTRO_HOME` names no folder: set it to one that can be made and written
        "
    );
    let file = sandbox.ntro_home().join("config.toml");
    let refused = sandbox.ntro("auth list").env("NTRO_HOME", file).run();
    refused
        .exits(3)
        .complains("hint: `NTRO_HOME` names no folder")
        .done();
    sandbox.write_config("[connections.a]\nhost = 'http://localhost:1'\napi_key = 'ké'\n");
    assert_snapshot!(sandbox.ntro("auth token").args("-c a").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: `connections.a.api_key` in `[HOME]/.ntro/config.toml` is not an API key: the API key contains a character that is not ASCII at position 2: keys are visible ASCII characters only
          hint: correct it with an editor, or log in again: `ntro auth login --name a`
        ");
    // Names that a shell would split are quoted.
    sandbox.write_config("[connections.'a $(b)']\nhost = 'http://localhost:1'\n");
    let refused = sandbox.ntro("auth token -c").arg("a $(b)").run().exits(4);
    refused
        .complains("`ntro auth login --name 'a $(b)'`")
        .done();
}

#[test]
fn damaged_key_file_has_fix() {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let login = "--no-verify --store file --name sealed";
    sandbox.log_in(login, "http://localhost:1/v1", "ntro_dev_key");
    fs::write(sandbox.ntro_home().join("keys.age"), "damaged").unwrap();
    assert_snapshot!(sandbox.ntro("auth test").transcript(), @r"
        exit code: 8
        ----- stderr -----
        error: `[HOME]/.ntro/keys.age` is damaged: it is not an age file
          hint: put a copy of `[HOME]/.ntro/keys.age` back, or move it away and log in again: without one its keys are lost
        ");
    let doctor = sandbox.ntro("doctor --offline").run().exits(1);
    assert!(!doctor.stdout.contains("→ \n"), "{doctor}");
    doctor.says("→ put a copy of `").done();
}

#[test]
fn connection_must_be_table() {
    for (text, place) in [
        (
            "[connections]\na = ['http://localhost:1', 'ntro_dev_key', 'acme']",
            "line 2, column 5",
        ),
        (
            "[[connections.a]]\nhost = 'http://localhost:1'\napi_key = 'ntro_dev_key'",
            "line 1, column 1",
        ),
    ] {
        for command in ["auth list", "auth token -c a", "auth use a"] {
            let refused = with_config(command, text);
            let told = format!("{place}: invalid type: array, expected a table");
            assert!(refused.contains("exit code: 3"), "{refused}");
            assert!(refused.contains(&told), "{refused}");
            assert!(!refused.contains("ntro_dev_key"), "{refused}");
        }
    }
}

#[test]
fn overlong_input_reports_limit() {
    let sandbox = Sandbox::new();
    let login = "auth login --no-verify --store plaintext --host localhost:1 --api-key-stdin";
    let refused = sandbox.ntro(login).input("k".repeat(100_000)).run();
    let refused = refused.exits(2);
    refused.complains("more than 65536 bytes").done();
}

#[test]
fn closed_stream_never_hangs() {
    let sandbox = Sandbox::new();
    sandbox.write_config(GOOD);
    for (line, code) in [
        (
            "ntro auth login --store plaintext --name x --host http://localhost:1 --api-key-stdin <&-",
            2,
        ),
        ("ntro -c local auth token >&-", 0),
        ("ntro -c local auth token >/dev/full", 1),
        ("ntro auth list 2>&-", 0),
        ("ntro auth list | true", 0),
    ] {
        let ended = Terminal::shell(&sandbox, line).end();
        assert_eq!(ended.code, code, "{line}: {}", ended.heard);
    }
}

/// Runs a shell command with the tested `ntro` as an unprivileged user: root of the namespace maps
/// to no user.
fn as_a_plain_user(sandbox: &Sandbox, line: &str) -> String {
    let folder = sandbox.home();
    let program = sandbox.copy_ntro();
    let script = format!("ntro() {{ '{}' \"$@\"; }}; {line}", program.display());
    let run = match rustix::process::geteuid().is_root() {
        false => sandbox.program("sh".as_ref()),
        true => {
            let given = Command::new("chown")
                .args(["-R", "65534:65534"])
                .arg(folder.parent().unwrap())
                .status();
            assert!(given.unwrap().success());
            sandbox
                .program("setpriv".as_ref())
                .args("--reuid 65534 --regid 65534 --clear-groups sh")
        }
    };
    run.arg("-c")
        .arg(script)
        .input("ntro_new_topsecret")
        .transcript()
}

const LOGIN: &str = "ntro auth login --no-verify --api-key-stdin --host http://localhost:1/v1";

#[test]
fn readonly_home_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write_config(GOOD);
    sandbox.ntro("auth use local").run().success().done();
    let before = sandbox.contents();
    let folder = sandbox.ntro_home();
    let set = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
    set(0o500);
    let run = |line: &str| as_a_plain_user(&sandbox, line);
    assert_snapshot!(run("ntro auth token"), @r"
        exit code: 0
        ----- stdout -----
        ntro_dev_key
        ");
    assert_snapshot!(run("ntro auth logout local"), @r"
        exit code: 3
        ----- stderr -----
        error: cannot write `[HOME]/.ntro/config.toml`: permission denied
          hint: make `[HOME]/.ntro` readable and writable for yourself
        ");
    assert_snapshot!(run(&format!("{LOGIN} --store plaintext")), @r"
        exit code: 3
        ----- stderr -----
        error: cannot write `[HOME]/.ntro/logins.toml`: permission denied
          hint: make `[HOME]/.ntro` readable and writable for yourself
        ");
    assert_snapshot!(run(&format!("NTRO_PASSPHRASE=x {LOGIN} --store file")), @r"
        exit code: 8
        ----- stderr -----
        error: cannot write to the folder `[HOME]/.ntro`: permission denied
          hint: make `[HOME]/.ntro` readable and writable for yourself
        ");
    fs::set_permissions(folder.join(".lock"), fs::Permissions::from_mode(0o400)).unwrap();
    assert_snapshot!(run("ntro auth logout local"), @r"
        exit code: 3
        ----- stderr -----
        error: cannot open the lock `[HOME]/.ntro/.lock`: permission denied
          hint: make `[HOME]/.ntro/.lock` readable and writable for yourself
        ");
    set(0o000);
    assert_snapshot!(run("ntro auth list"), @r"
        exit code: 3
        ----- stderr -----
        error: cannot read `[HOME]/.ntro/config.toml`: permission denied
          hint: make `[HOME]/.ntro/config.toml` readable and writable for yourself
        ");
    set(0o700);
    let mut after = sandbox.contents();
    after.remove("program");
    assert_eq!(after, before);
}

#[test]
fn full_disk_changes_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write_config(GOOD);
    sandbox.ntro("auth use local").run().success().done();
    let before = sandbox.contents();
    // No file may have any bytes; with the signal ignored, the write fails.
    let run = |line: &str| {
        let ntro = env!("CARGO_BIN_EXE_ntro");
        sandbox
            .program("sh".as_ref())
            .arg("-c")
            .arg(format!(
                "ntro() {{ '{ntro}' \"$@\"; }}; trap '' XFSZ; ulimit -f 0; {line}"
            ))
            .input("ntro_new_topsecret")
            .transcript()
    };
    assert_snapshot!(run("ntro auth token"), @r"
        exit code: 0
        ----- stdout -----
        ntro_dev_key
        ");
    assert_snapshot!(run("ntro auth logout local"), @r"
        exit code: 3
        ----- stderr -----
        error: cannot write `[HOME]/.ntro/config.toml`: file too large
          hint: raise the limit on the size of files, `ulimit -f`; nothing was changed
        ");
    assert_snapshot!(run(&format!("{LOGIN} --store plaintext")), @r"
        exit code: 3
        ----- stderr -----
        error: cannot write `[HOME]/.ntro/logins.toml`: file too large
          hint: raise the limit on the size of files, `ulimit -f`; nothing was changed
        ");
    assert_snapshot!(run(&format!("NTRO_PASSPHRASE=x {LOGIN} --store file")), @r"
        exit code: 8
        ----- stderr -----
        error: cannot write `[HOME]/.ntro/keys.age`: file too large
          hint: raise the limit on the size of files, `ulimit -f`; nothing was changed
        ");
    assert_eq!(sandbox.contents(), before);
    sandbox.assert_nowhere("topsecret");
}

#[test]
fn held_lock_times_out() {
    let sandbox = Sandbox::new();
    sandbox.write_config(GOOD);
    let before = sandbox.config();
    let lock = FileLock::acquire(&sandbox.ntro_home().join(".lock")).unwrap();
    sandbox.redacting(&std::process::id().to_string(), "[HOLDER]");
    assert_snapshot!(sandbox.ntro("auth use local").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: the process [HOLDER] has held the lock `[HOME]/.ntro/.lock` for 30 s
          hint: see what it does: `ps -fp [HOLDER]`; end it, or wait for it, and try again
        ");
    assert_eq!(sandbox.config(), before);
    // Commands that only read do not wait.
    sandbox.ntro("-c local auth token").run().success().done();
    drop(lock);
    sandbox.ntro("auth use local").run().success().done();
}
