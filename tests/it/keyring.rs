//! A login and a call with a real Secret Service in each of its states.

use insta::assert_snapshot;
use ntro_base::Provider;

use crate::support::{Authority, IssuedKey, Mode, Sandbox, SecretService};

fn login(sandbox: &Sandbox, authority: &Authority, key: &IssuedKey, options: &str) -> String {
    sandbox
        .ntro("auth login --api-key-stdin")
        .args(&format!("--host {}", authority.host(Provider::Ntropii)))
        .args(options)
        .input(&key.key)
        .transcript()
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn keyring_key_is_readable_by_others() {
    let service = SecretService::start(Mode::Unlocked);
    let authority = Authority::start();
    let mut sandbox = Sandbox::new();
    sandbox.plug_in(&service);
    sandbox.redacting(&authority.origin(), "[AUTHORITY]");
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    sandbox.redacting_key(&key, "KEY");

    assert_snapshot!(login(&sandbox, &authority, &key, ""), @r"
        exit code: 0
        ----- stdout -----
        ✓ logged in to `local` as CI integration
        host     [AUTHORITY]/v1 (ntropii)
        key      [KEY PREFIX]… in the keyring of this system
        tenant   acme-fund-admin
        default  yes
        ");
    assert_snapshot!(sandbox.ntro("auth whoami").transcript(), @r"
        exit code: 0
        ----- stdout -----
        name          CI integration
        id            [UUID]
        organisation  Acme
        roles         tenant:admin
        tenants       acme-fund-admin
        tenant        acme-fund-admin
        key           [KEY PREFIX]… from the keyring store
        connection    local
        host          [AUTHORITY]/v1 (ntropii)
        ");
    sandbox.assert_nowhere(&key.key);
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says(&key.key)
        .done();

    let found = service.search(&["service", "ntro"]);
    let label = format!("label = ntro: local ({})", authority.origin());
    assert!(found.contains(&label), "{found}");
    let account = format!("local@{}", authority.origin());
    let stored = |account: &str| service.lookup(&["service", "ntro", "username", account]);
    assert_eq!(stored(&account).as_deref(), Some(key.key.as_str()));

    // Renaming moves the key, and removing erases it.
    sandbox
        .ntro("auth rename local production")
        .run()
        .success()
        .done();
    assert_eq!(stored(&account), None);
    let account = format!("production@{}", authority.origin());
    assert_eq!(stored(&account).as_deref(), Some(key.key.as_str()));
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says(&key.key)
        .done();
    sandbox
        .ntro("auth remove production")
        .run()
        .success()
        .done();
    assert_eq!(service.lookup(&["service", "ntro"]), None);
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn key_moves_without_leftovers() {
    let service = SecretService::start(Mode::Unlocked);
    let authority = Authority::start();
    let mut sandbox = Sandbox::new();
    sandbox.plug_in(&service);
    sandbox.make_identity();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let inside = || service.lookup(&["service", "ntro"]).is_some();
    let token = || {
        let token = sandbox.ntro("auth token").run().success();
        assert_eq!(token.stdout.trim_end(), key.key);
    };
    for (store, in_keyring, in_config) in [
        ("plaintext", false, true),
        ("file", false, false),
        ("keyring", true, false),
        ("plaintext", false, true),
        ("keyring", true, false),
        ("file", false, false),
    ] {
        drop(login(
            &sandbox,
            &authority,
            &key,
            &format!("--store {store}"),
        ));
        assert_eq!(inside(), in_keyring, "{store}");
        assert_eq!(sandbox.config().contains(&key.key), in_config, "{store}");
        token();
    }
    sandbox.ntro("auth logout").run().success().done();
    sandbox.ntro("auth token").run().exits(4).done();
}

/// A broken state and its message.
const BROKEN: [(Mode, &str); 5] = [
    (Mode::Locked, "the keyring is locked"),
    (Mode::Empty, "no collection"),
    (Mode::Hung, "did not answer within"),
    (Mode::Absent, "the keyring store is not available"),
    (Mode::NoBus, "the keyring store is not available"),
];

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn login_into_broken_keyring_writes_nothing() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    for (mode, complaint) in BROKEN {
        let service = SecretService::start(mode);
        let mut sandbox = Sandbox::new();
        sandbox.plug_in(&service);
        sandbox
            .ntro("auth login --api-key-stdin --no-interactive")
            .args(&format!("--host {}", authority.host(Provider::Ntropii)))
            .input(&key.key)
            .run()
            .exits(8)
            .complains(complaint)
            .complains("--store file")
            .done();
        assert_eq!(sandbox.files(), Vec::<String>::new(), "{mode:?}");
        sandbox.assert_nowhere(&key.key);

        // The store is checked first: the key is not even read from standard input.
        let unread = sandbox.ntro("auth login --api-key-stdin").run();
        unread.exits(8).complains(complaint).done();
        // Another store works.
        sandbox.make_identity();
        drop(login(&sandbox, &authority, &key, "--store file"));
        sandbox.ntro("auth whoami").run().success().done();
        sandbox.assert_nowhere(&key.key);
    }
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn broken_keyring_prevents_call() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    // A keyring without a collection has no key, which is a definite answer.
    let broken = BROKEN.into_iter().filter(|(mode, _)| *mode != Mode::Empty);
    for (mode, complaint) in broken {
        // Logs in while the keyring works.
        let well = SecretService::start(Mode::Unlocked);
        let mut sandbox = Sandbox::new();
        sandbox.plug_in(&well);
        drop(login(&sandbox, &authority, &key, ""));
        let before = sandbox.contents();

        let elsewhere = match mode {
            Mode::Locked => {
                well.lock();
                None
            }
            Mode::Hung => {
                well.hang();
                None
            }
            mode => Some(SecretService::start(mode)),
        };
        if let Some(service) = &elsewhere {
            sandbox.set("DBUS_SESSION_BUS_ADDRESS", "");
            sandbox.plug_in(service);
        }
        let commands = [
            "auth token",
            "auth whoami",
            "auth test",
            "auth logout",
            "auth logout --revoke",
            "auth remove local",
            "auth rename local other",
        ];
        for command in commands {
            sandbox
                .ntro(command)
                .run()
                .exits(8)
                .complains(complaint)
                .done();
            assert_eq!(sandbox.contents(), before, "{mode:?}: {command}");
        }
        sandbox.assert_nowhere(&key.key);
        // Commands that need no store work even while the service is stopped.
        for (command, says) in [
            ("auth list", "local"),
            ("auth explain", "the keyring store"),
            ("--help", "Usage"),
            ("auth login --help", "Usage"),
            ("--version", "ntro"),
        ] {
            sandbox.ntro(command).run().success().says(says).done();
        }
    }
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn resumed_keyring_still_has_key() {
    let service = SecretService::start(Mode::Unlocked);
    let authority = Authority::start();
    let mut sandbox = Sandbox::new();
    sandbox.plug_in(&service);
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    drop(login(&sandbox, &authority, &key, ""));
    service.hang();
    sandbox.ntro("auth token").run().exits(8).done();
    sandbox
        .ntro("auth token")
        .env("NTRO_KEYRING_TIMEOUT", "0.2")
        .run()
        .exits(8)
        .complains("within 0.2 s")
        .done();
    // A key from the environment needs no keyring.
    let whoami = sandbox.ntro("auth whoami").env("NTRO_API_KEY", &key.key);
    whoami.run().success().done();
    service.resume();
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says(&key.key)
        .done();
    service.lock();
    sandbox
        .ntro("auth token")
        .run()
        .exits(8)
        .complains("locked")
        .done();
}

/// Editors and AI tools start programs with these variables alone.
const BARE: &str =
    r#"env -i HOME="$HOME" LOGNAME=ada PATH="$PATH" SHELL=/bin/sh TERM=dumb USER=ada"#;

#[test]
#[ignore = "needs D-Bus, gnome-keyring and unshare: run scripts/test"]
fn bare_environment_finds_session_bus() {
    let service = SecretService::start(Mode::Unlocked);
    let authority = Authority::start();
    let mut sandbox = Sandbox::new();
    sandbox.plug_in(&service);
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let host = authority.host(Provider::Ntropii);
    sandbox.log_in("--store keyring", &host, &key.key);

    // A folder `/run` in which the bus is, or is not, at its usual place.
    let run = |prepare: &str| {
        let script = format!(
            "mount -t tmpfs none /run && mkdir -p /run/user/$(id -u) && {prepare} && \
             {BARE} '{ntro}' auth whoami && {BARE} '{ntro}' exec -- sh -c 'echo \"$NTRO_API_KEY\"'",
            ntro = env!("CARGO_BIN_EXE_ntro")
        );
        let run = sandbox.program("unshare".as_ref());
        run.args("--user --map-current-user --keep-caps --mount sh -c")
            .arg(script)
            .run()
    };
    let bus = r#"ln -s "${DBUS_SESSION_BUS_ADDRESS#unix:path=}" /run/user/$(id -u)/bus"#;
    let found = run(bus).success();
    assert!(
        found.stdout.ends_with(&format!("\n{}\n", key.key)),
        "{found}"
    );
    assert_eq!(found.stderr, "");

    run("true")
        .exits(8)
        .complains("there is no session bus at `/run/user/")
        .complains("pass it on to `ntro`")
        .done();
}
