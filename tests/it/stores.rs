//! Stores that need a set-up by the user: their messages and their effects.

use std::fs;
use std::path::Path;

use insta::assert_snapshot;
use ntro_base::Provider;

use crate::support::{Authority, IssuedKey, Mode, Run, Sandbox, SecretService, Terminal};

/// A sandbox, an authority and one of its keys, none of which appear in transcripts.
fn ground() -> (Sandbox, Authority, IssuedKey) {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let sandbox = Sandbox::new();
    sandbox.redacting(&authority.origin(), "[AUTHORITY]");
    sandbox.redacting_key(&key, "KEY");
    (sandbox, authority, key)
}

fn login<'a>(sandbox: &'a Sandbox, authority: &Authority, key: &IssuedKey, store: &str) -> Run<'a> {
    let host = authority.host(Provider::Ntropii);
    sandbox
        .ntro("auth login --api-key-stdin --name local --set-default")
        .args(&format!("--host {host} --store {store}"))
        .input(&key.key)
}

/// Helpers that keep keys in a folder of the sandbox; a script can replace one of them.
pub fn helpers(sandbox: &Sandbox, replaced: Option<(&str, &str)>) -> String {
    let folder = sandbox.home().join("keys");
    fs::create_dir_all(&folder).unwrap();
    let folder = folder.display();
    let script = |name: &str, usual: String| {
        let script = match replaced {
            Some((replaced, script)) if replaced == name => script.to_owned(),
            _ => usual,
        };
        format!("{name} = [\"sh\", \"-c\", '{script}', \"sh\", \"{{item}}\"]\n")
    };
    [
        "[stores.command]\n".to_owned(),
        script(
            "get",
            format!("[ -e {folder}/$1 ] || {{ echo no such item >&2; exit 3; }}; cat {folder}/$1"),
        ),
        script("store", format!("cat >{folder}/$1")),
        script("erase", format!("rm {folder}/$1")),
        "missing = [\"no such item\"]\ntimeout = 1\n".to_owned(),
    ]
    .concat()
}

/// Logs in, logs in again, rotates and logs out, each in a separate process.
fn key_changes(sandbox: &Sandbox, store: &str) {
    let authority = Authority::start();
    let [first, second] = [(); 2].map(|()| authority.key(Provider::Ntropii, "acme-fund-admin"));
    let token = || sandbox.ntro("auth token").run().success().stdout;
    for key in [&first, &second, &second] {
        login(sandbox, &authority, key, store)
            .run()
            .success()
            .done();
        assert_eq!(token().trim_end(), key.key, "{store}");
    }
    for _ in 0..2 {
        let before = token();
        sandbox.ntro("auth rotate").run().success().done();
        assert_ne!(token(), before, "{store}");
        sandbox.ntro("auth whoami").run().success().done();
    }
    sandbox.ntro("auth logout").run().success().done();
    sandbox.ntro("auth token").run().exits(4).done();
}

#[test]
fn key_changes_in_every_store() {
    for store in ["file", "plaintext", "command"] {
        let sandbox = Sandbox::new();
        sandbox.make_identity();
        sandbox.write_config(&helpers(&sandbox, None));
        key_changes(&sandbox, store);
    }
}

#[test]
#[ignore = "needs D-Bus, gnome-keyring and KeePassXC: run scripts/test"]
fn key_changes_in_every_keyring() {
    for mode in [Mode::Unlocked, Mode::KeePassXc] {
        let service = SecretService::start(mode);
        let mut sandbox = Sandbox::new();
        sandbox.plug_in(&service);
        key_changes(&sandbox, "keyring");
        assert_eq!(service.lookup(&["service", "ntro"]), None, "{mode:?}");
    }
}

#[test]
#[ignore = "needs keyctl: run scripts/test"]
fn key_changes_in_kernel() {
    key_changes(&Sandbox::new(), "keyutils");
}

#[test]
#[ignore = "needs keyctl: run scripts/test"]
fn keyutils_login_works() {
    let (sandbox, authority, key) = ground();
    assert_snapshot!(login(&sandbox, &authority, &key, "keyutils").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local` as CI integration
        host     [AUTHORITY]/v1 (ntropii)
        key      [KEY PREFIX]… in the keyring of the Linux kernel, in memory only: gone at reboot
        tenant   acme-fund-admin
        default  yes
        ");
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 0
        ----- stdout -----
           NAME   PROVIDER  HOST                       TENANT           STORE     KEY
        ●  local  ntropii   [AUTHORITY]/v1  acme-fund-admin  keyutils  stored
        ");
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says(&key.key)
        .done();

    // Another session, without a link to the user's keyring.
    let elsewhere = |arguments: &str| {
        sandbox
            .program(Path::new("keyctl"))
            .args("session -")
            .arg(env!("CARGO_BIN_EXE_ntro"))
            .args(arguments)
            .run()
            .success()
    };
    elsewhere("auth token").says(&key.key).done();
    elsewhere("auth logout").done();
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 4
        ----- stderr -----
        error: there is no API key for the connection `local`
          hint: run `ntro auth login --name local`, or set `NTRO_API_KEY`
        ");
    sandbox.assert_files_without(&key.key);
}

#[test]
#[ignore = "needs strace: run scripts/test"]
fn keyutils_errors_give_reason() {
    let (sandbox, authority, key) = ground();
    let host = authority.host(Provider::Ntropii);
    let answer = |call: &str, error: &str| {
        sandbox
            .program(Path::new("strace"))
            .args("-f -qq -o /dev/null")
            .args(&format!("-e trace={call} -e inject={call}:error={error}"))
            .arg(env!("CARGO_BIN_EXE_ntro"))
            .args("auth login --api-key-stdin --name local --store keyutils")
            .args(&format!("--host {host}"))
            .input(&key.key)
            .transcript()
    };
    // The answer of a container's seccomp filter.
    let blocked = answer("keyctl", "EPERM");
    assert_eq!(answer("keyctl", "ENOSYS"), blocked);
    assert_snapshot!(blocked, @r"
        exit code: 8
        ----- stderr -----
        error: the keyutils store is not available: the kernel's keyring is blocked, as it is in most containers
          hint: store the key elsewhere: `ntro auth login --name local --store file` (encrypted) or `--store plaintext`; or give it as `NTRO_API_KEY`
        ");
    assert_snapshot!(answer("keyctl", "EACCES"), @r"
        exit code: 8
        ----- stderr -----
        error: the keyutils refused: the kernel does not let this process have the keyring of its user
          hint: `ntro auth login --name local --store file` and `NTRO_API_KEY` do without it
        ");
    assert_snapshot!(answer("add_key", "EDQUOT"), @r"
        exit code: 8
        ----- stderr -----
        error: the keyutils failed: all that the kernel allows a user to keep there is used up, see `/proc/key-users`
          hint: `ntro auth login --name local --store file` and `NTRO_API_KEY` do without it
        ");
    assert!(!sandbox.files().iter().any(|file| file.ends_with(".toml")));
}

#[test]
fn command_store_login_works() {
    let (sandbox, authority, key) = ground();
    assert_snapshot!(login(&sandbox, &authority, &key, "command").transcript(), @r#"
        exit code: 3
        ----- stderr -----
        error: the `command` store is not set up: there is no `[stores.command]`
          hint: write a table `[stores.command]` into `config.toml`, with `get`, `store` and `erase`, for instance `get = ["pass", "show", "ntro/{item}"]`; docs/stores.md has one for each of the usual secret managers
        "#);
    let table = helpers(&sandbox, None);
    sandbox.write_config(&table);
    assert_snapshot!(login(&sandbox, &authority, &key, "command").transcript(), @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local` as CI integration
        host     [AUTHORITY]/v1 (ntropii)
        key      [KEY PREFIX]… in a secret manager, by the commands in `[stores.command]`
        tenant   acme-fund-admin
        default  yes
        ");
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 0
        ----- stdout -----
           NAME   PROVIDER  HOST                       TENANT           STORE    KEY
        ●  local  ntropii   [AUTHORITY]/v1  acme-fund-admin  command  stored
        ");
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says(&key.key)
        .done();
    sandbox
        .ntro("auth rename local elsewhere")
        .run()
        .success()
        .done();

    // The official client rewrites the file and drops unknown keys.
    let config = sandbox.config();
    assert!(config.contains("[stores.command]"), "{config}");
    sandbox.write_config(&format!(
        "default_connection_name = \"elsewhere\"\n\n[connections.elsewhere]\nhost = \"{}\"\n",
        authority.host(Provider::Ntropii)
    ));
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says(&key.key)
        .done();
    // The table in `config.toml` takes precedence.
    sandbox.write_config(&format!(
        "{}\n{}",
        sandbox.config(),
        helpers(&sandbox, Some(("get", "echo another-key")))
    ));
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says("another-key")
        .done();
    sandbox.write_config(&sandbox.config().replace("echo another-key", "cat keys/$1"));
    sandbox.ntro("auth logout").run().success().done();
    assert_eq!(
        fs::read_dir(sandbox.home().join("keys")).unwrap().count(),
        0
    );
    assert!(!sandbox.read("logins.toml").contains("[stores.command]"));
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 4
        ----- stderr -----
        error: there is no API key for the connection `elsewhere`
          hint: run `ntro auth login --name elsewhere`, or set `NTRO_API_KEY`
        ");
}

/// Helpers run only for commands that use the key.
#[test]
fn offline_commands_run_no_helper() {
    let (sandbox, authority, key) = ground();
    sandbox.write_config(&helpers(&sandbox, None));
    login(&sandbox, &authority, &key, "command")
        .run()
        .success()
        .done();
    let config = sandbox.config().replace("[\"sh\"", "[\"touch\", \"ran\"");
    sandbox.write_config(&config);
    for line in [
        "auth list",
        "auth use local",
        "auth explain",
        "--help",
        "completions bash",
    ] {
        sandbox.ntro(line).run().done();
        assert!(!sandbox.home().join("ran").exists(), "{line}");
    }
}

#[test]
fn helper_faults_have_hints() {
    let (sandbox, authority, key) = ground();
    let answer = |name: &str, script: &str| {
        sandbox.write_config(&helpers(&sandbox, Some((name, script))));
        login(&sandbox, &authority, &key, "command")
            .arg("--debug")
            .transcript()
    };
    // Each command fails before it asks for the key; some fail when it is stored.
    let usual = "[ $1 != ${1#ntro-probe} ] && { echo no such item >&2; exit 3; };";
    let mut all = String::new();
    for (name, script) in [
        ("get", "echo vault is sealed >&2; exit 2".to_owned()),
        ("get", "sleep 600".to_owned()),
        ("get", format!("{usual} true")),
        ("get", format!("{usual} echo one; echo two-secret")),
        ("get", format!("{usual} echo it is two-secret")),
        ("store", "cat >/dev/null".to_owned()),
        ("store", "cat >&2; exit 1".to_owned()),
    ] {
        let answer = answer(name, &script);
        assert!(!answer.contains("two-secret"), "{answer}");
        let kept: Vec<_> = answer
            .lines()
            .filter(|line| {
                ["exit code", "error", "hint"]
                    .iter()
                    .any(|word| line.trim_start().starts_with(word))
            })
            .collect();
        all.push_str(&kept.join("\n"));
        all.push('\n');
    }
    assert_snapshot!(all, @r"
        exit code: 8
        error: the helper `sh` failed with exit code 2: vault is sealed
          hint: if this is how it tells that there is no such item, add `2`, or better a part of what it says, to `missing` in `[stores.command]`; else run what `get` says by itself to see why
        exit code: 8
        error: the command did not answer within 1 s
          hint: a helper cannot ask on the terminal: unlock the secret manager first; `timeout` in `[stores.command]` gives it more time
        exit code: 8
        error: the helper `sh` printed nothing
          hint: let `get` in `[stores.command]` print the key alone, on one line
        exit code: 8
        error: the helper `sh` printed 2 lines where the key alone was expected
          hint: let `get` in `[stores.command]` print the key alone, on one line
        exit code: 8
        error: the helper `sh` printed something that is not an API key: the API key contains a space at position 3: keys are visible ASCII characters only
          hint: let `get` in `[stores.command]` print the key alone, on one line
        exit code: 8
        error: the helper `sh` did not keep the key that it was given
          hint: `store` in `[stores.command]` has to keep what it reads on standard input, and `get` has to print it
        exit code: 8
        error: the helper `sh` failed with exit code 1: …
          hint: run what `store` in `[stores.command]` says by itself to see why
        ");
    sandbox.write_config(&helpers(&sandbox, None).replace("[\"sh\"", "[\"no-such-program\""));
    assert_snapshot!(login(&sandbox, &authority, &key, "command").transcript(), @r"
        exit code: 8
        ----- stderr -----
        error: the command store is not available: `no-such-program` cannot be run: No such file or directory (os error 2)
          hint: install it, or correct `[stores.command]` in `config.toml`
        ");
    sandbox.assert_nowhere(&key.key);
}

/// An empty or invalid item, as left by a helper that received no key because `ntro` was killed.
#[test]
fn login_replaces_invalid_item() {
    let (sandbox, authority, key) = ground();
    sandbox.write_config(&helpers(&sandbox, None));
    let log_in = || {
        let login = login(&sandbox, &authority, &key, "command");
        login.run().success().done();
        let token = sandbox.ntro("auth token").run().success();
        assert_eq!(token.stdout.trim_end(), key.key);
    };
    log_in();
    let folder = sandbox.home().join("keys");
    let stored = fs::read_dir(folder).unwrap().next().unwrap().unwrap();
    for left in ["", "one\ntwo\n", "no key"] {
        fs::write(stored.path(), left).unwrap();
        let status = sandbox.ntro("auth status -o json").run().exits(8).json();
        assert_eq!(status[0]["state"], "failed", "{left:?}: {status}");
        log_in();
    }
}

#[test]
#[ignore = "needs OpenSSH: run scripts/test"]
fn ssh_key_opens_file() {
    let (mut sandbox, authority, key) = ground();
    let make = |name: &str, kind: &str, passphrase: &str| {
        sandbox
            .program(Path::new("ssh-keygen"))
            .args(&format!("-q -t {kind} -f {name} -N"))
            .arg(passphrase)
            .run()
            .success()
            .done();
    };
    make("plain", "ed25519", "");
    make("protected", "ed25519", "open sesame");
    make("other", "ecdsa", "");
    let home = sandbox.home();

    sandbox.set("NTRO_IDENTITY_FILE", home.join("plain"));
    login(&sandbox, &authority, &key, "file")
        .run()
        .success()
        .done();
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says(&key.key)
        .done();
    let with = |name: &str| {
        sandbox
            .ntro("auth token")
            .env("NTRO_IDENTITY_FILE", home.join(name))
    };
    assert_snapshot!(with("protected").env("NTRO_PASSPHRASE", "open sesame").transcript(), @r"
        exit code: 8
        ----- stderr -----
        error: the identity `[HOME]/protected` does not open `[HOME]/.ntro/keys.age`
          hint: name the right age identity or SSH key in `NTRO_IDENTITY_FILE`
        ");
    assert_snapshot!(with("protected").env("NTRO_PASSPHRASE", "wrong").transcript(), @r"
        exit code: 8
        ----- stderr -----
        error: the passphrase does not open `[HOME]/protected`
          hint: check `NTRO_PASSPHRASE` and `NTRO_PASSPHRASE_FILE`, or type it again
        ");
    assert_snapshot!(with("protected").transcript(), @r"
        exit code: 8
        ----- stderr -----
        error: a passphrase is needed for `[HOME]/protected`
          hint: set `NTRO_PASSPHRASE` or `NTRO_PASSPHRASE_FILE`, or name an age identity or an SSH key in `NTRO_IDENTITY_FILE`
        ");
    assert_snapshot!(with("other").transcript(), @r"
        exit code: 8
        ----- stderr -----
        error: cannot use the identity `[HOME]/other`: it is an SSH key of the kind `ecdsa-sha2-nistp256`, and only `ssh-ed25519` and `ssh-rsa` can open a file
          hint: name the right age identity or SSH key in `NTRO_IDENTITY_FILE`
        ");
    assert_snapshot!(with("plain.pub").transcript(), @r"
        exit code: 8
        ----- stderr -----
        error: cannot use the identity `[HOME]/plain.pub`: it is an SSH public key, and the private one opens the file
          hint: name the right age identity or SSH key in `NTRO_IDENTITY_FILE`
        ");
    fs::remove_file(sandbox.ntro_home().join("keys.age")).unwrap();

    sandbox.set("NTRO_IDENTITY_FILE", home.join("protected"));
    sandbox.set("NTRO_PASSPHRASE", "open sesame");
    login(&sandbox, &authority, &key, "file")
        .run()
        .success()
        .done();
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says(&key.key)
        .done();
    sandbox.assert_files_without(&key.key);
}

#[test]
fn systemd_credentials_open_file() {
    for (name, content) in [
        ("ntro-passphrase", "open sesame\n".to_owned()),
        ("ntro-identity", {
            let sandbox = Sandbox::new();
            sandbox.make_identity();
            sandbox.read("identity.txt")
        }),
    ] {
        let (mut sandbox, authority, key) = ground();
        let folder = sandbox.home().join("credentials");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join(name), content).unwrap();
        sandbox.set("CREDENTIALS_DIRECTORY", &folder);
        login(&sandbox, &authority, &key, "file")
            .run()
            .success()
            .done();
        sandbox
            .ntro("auth token")
            .run()
            .success()
            .says(&key.key)
            .done();
        // A variable of `ntro` takes precedence.
        let variable = match name {
            "ntro-identity" => "NTRO_IDENTITY_FILE",
            _ => "NTRO_PASSPHRASE_FILE",
        };
        sandbox
            .ntro("auth token")
            .env(variable, sandbox.home().join("nothing"))
            .run()
            .exits(8)
            .complains("nothing")
            .done();
        sandbox.assert_files_without(&key.key);
    }
}

/// Runs a script in a new session keyring, which ends with it.
fn in_session<'a>(sandbox: &'a Sandbox, line: &str) -> Terminal<'a> {
    let ntro = env!("CARGO_BIN_EXE_ntro");
    // Not the end of a path.
    let script = format!(" {line}").replace(" ntro ", &format!(" {ntro} "));
    Terminal::shell(sandbox, &format!("keyctl session - sh -c '{script}' 2>&1"))
}

/// Returns a home whose key file opens with a passphrase that is typed and kept, the authority, the
/// key, and the name under which the kernel keeps the passphrase.
fn unlockable() -> (Sandbox, Authority, IssuedKey, String) {
    let (mut sandbox, authority, key) = ground();
    sandbox.set("NTRO_PASSPHRASE", "open sesame");
    login(&sandbox, &authority, &key, "file")
        .run()
        .success()
        .done();
    sandbox.set("NTRO_PASSPHRASE", "");
    sandbox.set("NTRO_UNLOCK_FOR", "15m");
    let name = format!("ntro:unlocked:{}", sandbox.ntro_home().display());
    (sandbox, authority, key, name)
}

#[test]
#[ignore = "needs keyctl: run scripts/test"]
fn typed_passphrase_is_kept_in_session() {
    const PROMPT: &str = "Passphrase of the key file";
    let (sandbox, _authority, key, name) = unlockable();
    let script = format!(
        "ntro auth token; echo [2]; ntro auth token </dev/null; ntro auth status; \
         ntro doctor --offline | grep unlocked; \
         keyctl search @u user {name} >/dev/null 2>&1 || echo not of the user; \
         keyctl search @us user {name} >/dev/null 2>&1 || echo not of all sessions; \
         echo [3]; keyctl session - ntro auth token </dev/null; \
         echo [4]; NTRO_UNLOCK_FOR= ntro auth token </dev/null; \
         echo [5]; ntro auth lock; ntro auth lock; ntro auth token </dev/null"
    );
    let mut terminal = in_session(&sandbox, &script);
    terminal.expect(PROMPT).secret("open sesame");
    terminal.expect(&key.key).expect("[2]").expect(&key.key);
    terminal
        .expect("valid")
        .expect("the `file` store is unlocked until ");
    terminal.expect("the `file` store is unlocked until ");
    terminal
        .expect("not of the user")
        .expect("not of all sessions");
    terminal.expect("[3]").expect("a passphrase is needed");
    terminal.expect("[4]").expect("a passphrase is needed");
    terminal
        .expect("[5]")
        .expect("the `file` store is locked")
        .expect("the `file` store was not unlocked")
        .expect("a passphrase is needed");
    terminal.end().hides("open sesame").done();
    sandbox.assert_nowhere("open sesame");
}

#[test]
#[ignore = "needs keyctl: run scripts/test"]
fn sealed_program_misses_kept_passphrase() {
    let (sandbox, _authority, _, name) = unlockable();
    let search = format!("keyctl search @s user {name} >/dev/null && echo found || echo refused");
    // The proxy opens the store; its program gets nothing of that.
    let script = format!(
        "{search}; ntro exec --keyless -- sh -c \"{search}\"; {search}; \
         ntro exec --keyless --seal net -- sh -c \"{search}\"; \
         ntro exec --keyless --seal off -- sh -c \"{search}\""
    );
    let mut terminal = in_session(&sandbox, &script);
    terminal.expect("refused");
    terminal
        .expect("Passphrase of the key file")
        .secret("open sesame");
    for expected in ["refused", "found", "refused", "found"] {
        terminal.expect(expected);
    }
    terminal.end().exits(0).hides("open sesame").done();
}

#[test]
#[ignore = "needs keyctl: run scripts/test"]
fn bad_passphrase_is_asked_again() {
    const PROMPT: &str = "Passphrase of the key file";
    let (sandbox, _authority, key, name) = unlockable();
    // Another passphrase, a time that is over, and the kernel's own end.
    for (content, time) in [
        ("99999999999\\nwrong", "15m"),
        ("1\\nopen sesame", "15m"),
        ("junk", "15m"),
    ] {
        let script = format!(
            "printf \"{content}\" | keyctl padd user {name} @s >/dev/null; \
             NTRO_UNLOCK_FOR={time} ntro auth token; ntro auth token </dev/null"
        );
        let mut terminal = in_session(&sandbox, &script);
        terminal.expect(PROMPT).secret("open sesame");
        terminal.expect(&key.key).expect(&key.key);
        terminal.end().exits(0).hides("Wrong").done();
    }
    let script = "NTRO_UNLOCK_FOR=1s ntro auth token; sleep 2; ntro auth token </dev/null";
    let mut terminal = in_session(&sandbox, script);
    terminal.expect(PROMPT).secret("open sesame");
    terminal.expect(&key.key).expect("a passphrase is needed");
    terminal.end().exits(8).done();
}

#[test]
fn unlock_time_is_checked() {
    let (mut sandbox, authority, key) = ground();
    sandbox.make_identity();
    login(&sandbox, &authority, &key, "file")
        .run()
        .success()
        .done();
    sandbox.set("NTRO_UNLOCK_FOR", "15");
    assert_snapshot!(sandbox.ntro("auth token").transcript(), @r"
        exit code: 2
        ----- stderr -----
        error: the variable `NTRO_UNLOCK_FOR`: expected a whole number and `ms`, `s`, `m`, `h`, `d` or `w`, such as `30s` or `14d`
          hint: set it to, for instance, `15m`, or unset it
        ");
}
