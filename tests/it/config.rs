//! `config.toml` and the folder around it: edits change nothing else, and a file that cannot be
//! edited or replaced is reported before anything has happened.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use insta::assert_snapshot;

use crate::support::{Reply, Run, Sandbox, Stub};

const HOST: &str = "http://127.0.0.1:1/v1";

/// Logs in to `name` without a server, with a key on standard input.
fn login<'a>(sandbox: &'a Sandbox, name: &str, store: &str) -> Run<'a> {
    sandbox
        .ntro("auth login --no-interactive --no-verify --api-key-stdin --host")
        .args(&format!("{HOST} --name {name} --store {store}"))
        .input("ntro_dev_topsecret")
}

#[test]
fn multi_line_string_survives_every_command() {
    let sandbox = Sandbox::new();
    let head = "note = \"\"\"\r\nhello\r\n# no comment\"\"\"\r\n";
    let a = format!("[connections.a]\r\nhost = \"{HOST}\"\r\n");
    sandbox.write_config(&format!("{head}{a}"));
    let default = "default_connection_name = \"a\"\r\n";
    sandbox.ntro("auth use a").run().success().done();
    assert_eq!(sandbox.config(), format!("{head}{default}{a}"));
    login(&sandbox, "b", "plaintext").run().success().done();
    let b = format!(
        "\r\n[connections.b]\r\nhost = \"{HOST}\"\r\nprovider = \"ntropii\"\r\n\
         store = \"plaintext\"\r\napi_key = \"ntro_dev_topsecret\"\r\n"
    );
    assert_eq!(sandbox.config(), format!("{head}{default}{a}{b}"));
    sandbox.ntro("auth rename b c").run().success().done();
    let c = b.replace(".b]", ".c]");
    assert_eq!(sandbox.config(), format!("{head}{default}{a}{c}"));
    sandbox.ntro("auth logout c").run().success().done();
    sandbox.ntro("auth remove c").run().success().done();
    assert_eq!(sandbox.config(), format!("{head}{default}{a}"));
    sandbox.ntro("auth remove a").run().success().done();
    assert_eq!(sandbox.config(), head);
}

#[test]
fn foreign_notation_survives_every_command() {
    let sandbox = Sandbox::new();
    let foreign = "apple.type = 1\norange.type =  2\napple.skin = 3\n\"name\".'last' = [ 1,2 ]\n";
    let tables = "[ \"\" . a ]\nx=nan\n\n[\"\".b]\n";
    let a = format!("[ connections . 'a' ]  # a\n\thost='{HOST}'\n");
    sandbox.write_config(&format!("{foreign}{a}{tables}"));
    login(&sandbox, "a", "plaintext").run().success().done();
    let default = "default_connection_name = \"a\"\n";
    let logged_in = format!(
        "[ connections . 'a' ]  # a\n\thost=\"{HOST}\"\n\tprovider = \"ntropii\"\n\
         \tstore = \"plaintext\"\n\tapi_key = \"ntro_dev_topsecret\"\n"
    );
    let expected = format!("{foreign}{default}{logged_in}{tables}");
    assert_eq!(sandbox.config(), expected);
    sandbox.ntro("auth rename a b").run().success().done();
    let expected = expected
        .replace(" 'a' ]", " b ]")
        .replace("\"a\"\n", "\"b\"\n");
    assert_eq!(sandbox.config(), expected);
    sandbox.ntro("auth remove b").run().success().done();
    assert_eq!(sandbox.config(), format!("{foreign}{tables}"));
}

#[test]
fn comments_stay_where_they_belong() {
    let sandbox = Sandbox::new();
    let head = "#:schema https://example.org/ntro.json\n# Managed by ops.\n\n";
    let a = format!("# of a\n[connections.a]\nhost = \"{HOST}\"\n# tenant = \"old\"\n\n");
    let b = format!("# of b\n[connections.b]\nhost = \"{HOST}\"\n");
    sandbox.write_config(&format!("{head}{a}{b}"));
    sandbox.ntro("auth use a").run().success().done();
    let default = "default_connection_name = \"a\"\n\n";
    assert_eq!(sandbox.config(), format!("{head}{default}{a}{b}"));
    sandbox.ntro("auth remove b").run().success().done();
    let kept = a.trim_end();
    assert_eq!(sandbox.config(), format!("{head}{default}{kept}\n"));
}

#[test]
fn dangling_link_is_reported_first() {
    let stub = Stub::start(|_| Reply::Silence);
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let config = sandbox.ntro_home().join("config.toml");
    symlink("/nonexistent/dotfiles/ntro.toml", &config).unwrap();
    let before = sandbox.contents();
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/.ntro/config.toml` is a symbolic link to `/nonexistent/dotfiles/ntro.toml`, which does not exist
          hint: create its target, or remove the link
        ");
    let login = format!(
        "auth login --no-interactive --api-key-stdin --host {}",
        stub.host()
    );
    let refused = sandbox.ntro(&login).input("ntro_dev_topsecret").run();
    refused.exits(3).complains("is a symbolic link to").done();
    assert_snapshot!(sandbox.ntro("doctor --offline").transcript(), @r"
        exit code: 1
        ----- stdout -----
        access     ✓ `[HOME]/.ntro` is private
        leftovers  ✓ no leftover files
        files      ✗ problem: `[HOME]/.ntro/config.toml` is a symbolic link to `/nonexistent/dotfiles/ntro.toml`, which does not exist
                     → create its target, or remove the link

        1 problem, 0 warnings
        ");
    assert_eq!(sandbox.contents(), before);

    fs::remove_dir_all(sandbox.ntro_home()).unwrap();
    symlink("../elsewhere", sandbox.ntro_home()).unwrap();
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: `[HOME]/.ntro` is a symbolic link to `[HOME]/../elsewhere`, which does not exist
          hint: create its target, or remove the link
        ");
    let refused = sandbox.ntro(&login).input("ntro_dev_topsecret").run();
    refused.exits(3).complains("is a symbolic link to").done();
    assert_snapshot!(sandbox.ntro("doctor --offline").transcript(), @r"
        exit code: 1
        ----- stdout -----
        access     ✗ problem: `[HOME]/.ntro` is a symbolic link to `[HOME]/../elsewhere`, which does not exist
                     → create its target, or remove the link
        leftovers  ✓ no leftover files

        1 problem, 0 warnings
        ");
    assert!(stub.seen().is_empty());
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

/// Runs a script as root of a mount namespace, where `ntro` is the tested program.
fn mounted(sandbox: &Sandbox, script: &str) -> String {
    let script = format!(
        "set -e; ntro() {{ '{}' \"$@\"; }}\n{script}",
        env!("CARGO_BIN_EXE_ntro")
    );
    let shell = sandbox.as_some_root("unshare").args("--mount sh -c");
    shell.arg(script).transcript()
}

#[test]
#[ignore = "needs unshare: run scripts/test"]
fn readonly_link_target_is_managed_elsewhere() {
    let sandbox = Sandbox::new();
    sandbox.write_config("");
    let config = sandbox.ntro_home().join("config.toml");
    fs::remove_file(&config).unwrap();
    let store = sandbox.home().join("store");
    fs::create_dir(&store).unwrap();
    let target = store.join("config.toml");
    let text = format!("default_connection_name = \"a\"\n[connections.a]\nhost = \"{HOST}\"\n");
    fs::write(&target, &text).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o444)).unwrap();
    symlink(&target, &config).unwrap();
    let script = "mount --bind store store; mount -o remount,bind,ro store\n\
         ntro auth list\n\
         ntro auth use a\n\
         ntro auth remove a && exit 99\n\
         ntro doctor --offline | head -1";
    assert_snapshot!(mounted(&sandbox, script), @r"
        exit code: 0
        ----- stdout -----
           NAME  PROVIDER  HOST                   TENANT  STORE    KEY
        ●  a     ntropii   http://127.0.0.1:1/v1  -       keyring  none
        ✓ `a` is the default connection now
        access      ✓ `[HOME]/.ntro` is private
        ----- stderr -----
        error: `[HOME]/.ntro/config.toml` is a link to `[HOME]/store/config.toml`, which cannot be written: it is managed elsewhere
          hint: nothing was changed; make the change there, or set `NTRO_HOME` to a folder of your own
        ");
    assert_eq!(fs::read_to_string(&target).unwrap(), text);

    // With a key in it, others can read the key; the next change could not fix that.
    let text = format!("{text}api_key = \"ntro_dev_topsecret\"\n");
    fs::set_permissions(&target, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&target, text).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o444)).unwrap();
    assert_snapshot!(sandbox.ntro("auth list").transcript(), @r"
        exit code: 0
        ----- stdout -----
           NAME  PROVIDER  HOST                   TENANT  STORE      KEY
        ●  a     ntropii   http://127.0.0.1:1/v1  -       plaintext  stored
        ----- stderr -----
        warning: `[HOME]/.ntro/config.toml` has the permissions 0444 and should have 0600
        ");
}

#[test]
#[ignore = "needs unshare: run scripts/test"]
fn file_mounted_by_itself_is_reported() {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    login(&sandbox, "a", "file").run().success().done();
    let before = sandbox.contents();
    let login = format!(
        "ntro auth login --no-interactive --no-verify --api-key-stdin --host {HOST} --name b"
    );
    let script = format!(
        "mount --bind .ntro/config.toml .ntro/config.toml\n\
         mount --bind .ntro/keys.age .ntro/keys.age\n\
         ntro auth use a\n\
         ntro auth rename a b && exit 99\n\
         echo ntro_dev_other | {login} --store file && exit 99\n\
         echo ntro_dev_other | {login} --store plaintext && exit 99\n\
         ls -A .ntro"
    );
    assert_snapshot!(mounted(&sandbox, &script), @r"
        exit code: 0
        ----- stdout -----
        ✓ `a` is the default connection now
        .lock
        config.toml
        identity.txt
        keys.age
        logins.toml
        ----- stderr -----
        error: cannot write `[HOME]/.ntro/keys.age`: device or resource busy
          hint: if it is mounted by itself, as into a container, mount the folder `[HOME]/.ntro`, not the file: a file can only be replaced whole
        error: cannot write `[HOME]/.ntro/keys.age`: device or resource busy
          hint: if it is mounted by itself, as into a container, mount the folder `[HOME]/.ntro`, not the file: a file can only be replaced whole
        error: cannot write `[HOME]/.ntro/config.toml`: device or resource busy
          hint: if it is mounted by itself, as into a container, mount the folder `[HOME]/.ntro`, not the file: a file can only be replaced whole
        ");
    assert_eq!(sandbox.contents(), before);
}

#[test]
#[ignore = "needs root or sudo without a password: run scripts/test"]
fn root_leaves_files_to_their_owner() {
    let sandbox = Sandbox::new();
    let own = |path: &Path| {
        let chown = sandbox.as_root("chown").args("-R 65533:65534").arg(path);
        chown.run().success().done();
    };
    sandbox.write_config(&format!("[connections.a]\nhost = \"{HOST}\"\n"));
    own(&sandbox.home());
    let root = |line: &str| {
        let run = sandbox.as_root(env!("CARGO_BIN_EXE_ntro")).args(line);
        run.env("HOME", sandbox.home())
            .input("ntro_dev_topsecret")
            .run()
    };
    let login = format!(
        "auth login --no-interactive --no-verify --api-key-stdin --store plaintext --host {HOST}"
    );
    root("auth use a").success().done();
    root(&format!("{login} --name b")).success().done();
    let all_owned = || {
        let ls = sandbox.as_root("find").arg(sandbox.ntro_home());
        let found = ls.args("-printf").arg("%P %U:%G\n").run().success().stdout;
        for line in found.lines() {
            assert!(line.ends_with(" 65533:65534"), "{found}");
        }
        assert!(
            found.contains("config.toml ") && found.contains("logins.toml "),
            "{found}"
        );
        assert!(found.contains(".lock "), "{found}");
    };
    all_owned();
    let report = root("doctor --offline -o json");
    report.says("and you are root").done();

    // A new folder belongs to the owner of the one around it.
    fs::remove_dir_all(sandbox.ntro_home()).unwrap();
    root(&format!("{login} --name c")).success().done();
    all_owned();
    let me = rustix::process::geteuid().as_raw().to_string();
    let chown = sandbox.as_root("chown").arg("-R").arg(me);
    chown.arg(sandbox.home()).run().success().done();
}

/// The user may put a link in the place of the lock; root must not give its target away.
#[test]
#[ignore = "needs root or sudo without a password: run scripts/test"]
fn root_gives_nothing_away_through_links() {
    let sandbox = Sandbox::new();
    sandbox.write_config(&format!("[connections.a]\nhost = \"{HOST}\"\n"));
    let owned_by = |owner: &str, path: &Path| {
        let chown = sandbox.as_root("chown").arg("--no-dereference");
        chown.arg(owner).arg(path).run().success().done();
    };
    let precious = sandbox.home().join("precious");
    fs::write(&precious, "").unwrap();
    owned_by("0:0", &precious);
    symlink(&precious, sandbox.ntro_home().join(".lock")).unwrap();
    owned_by("65533:65533", &sandbox.ntro_home());
    let run = sandbox
        .as_root(env!("CARGO_BIN_EXE_ntro"))
        .args("auth use a");
    run.env("HOME", sandbox.home()).run().success().done();
    let me = rustix::process::geteuid().as_raw().to_string();
    let stat = sandbox
        .as_root("stat")
        .args("--format %u:%g")
        .arg(&precious);
    assert_eq!(stat.run().success().stdout, "0:0\n");
    let chown = sandbox.as_root("chown").arg("-R").arg(me);
    chown.arg(sandbox.home()).run().success().done();
}

#[test]
#[ignore = "needs setpriv, and root or sudo without a password: run scripts/test"]
fn file_of_root_names_the_command() {
    let sandbox = Sandbox::new();
    sandbox.write_config(&format!("[connections.a]\nhost = \"{HOST}\"\n"));
    let program = sandbox.copy_ntro();
    for folder in [sandbox.home().parent().unwrap(), &sandbox.home()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let chown = |owner: &str, path: &str| {
        let chown = sandbox.as_root("chown").arg(owner);
        chown.arg(sandbox.home().join(path)).run().success().done();
    };
    chown("65533", ".ntro");
    chown("0:0", ".ntro/config.toml");
    let setpriv = sandbox
        .as_root("setpriv")
        .args("--reuid 65533 --regid 65533 --clear-groups");
    assert_snapshot!(setpriv.arg(&program).args("auth list").transcript(), @r#"
        exit code: 3
        ----- stderr -----
        error: cannot read `[HOME]/.ntro/config.toml`: permission denied
          hint: it belongs to the user with the number 0; if it should be yours, `sudo chown "$USER" [HOME]/.ntro/config.toml`
        "#);
    let me = rustix::process::geteuid().as_raw().to_string();
    chown(&me, ".ntro");
    chown(&me, ".ntro/config.toml");
}

#[test]
fn relative_home_is_refused() {
    let sandbox = Sandbox::new();
    for (variable, value) in [
        ("NTRO_HOME", "~/.ntro"),
        ("NTRO_HOME", " "),
        ("NTRO_HOME", "rel"),
        ("HOME", "rel"),
        ("HOME", "~"),
    ] {
        let refused = login(&sandbox, "a", "plaintext").env(variable, value).run();
        let what = format!("`{variable}` is `{value}`, which is not an absolute path");
        refused.exits(3).complains(&what).done();
    }
    assert_snapshot!(sandbox.ntro("auth list").env("NTRO_HOME", "~/.ntro").transcript(), @r"
        exit code: 3
        ----- stderr -----
        error: `NTRO_HOME` is `~/.ntro`, which is not an absolute path; `~` is not expanded there
          hint: set it to a path that begins with `/`
        ");
    for (options, variable) in [
        ("--database sqlite:~/t.db", None),
        ("--key-material ~/t", None),
        ("", Some(("NTRO_DATABASE", "sqlite:~/t.db"))),
        ("", Some(("NTRO_KEY_MATERIAL", "~/t"))),
    ] {
        let mut run = sandbox.ntro(&format!("admin organisation create Acme {options}"));
        if let Some((name, value)) = variable {
            run = run.env(name, value);
        }
        let refused = run.run();
        refused
            .exits(2)
            .complains("`~` is not expanded there")
            .done();
    }
    for variable in [
        "NTRO_IDENTITY_FILE",
        "NTRO_PASSPHRASE_FILE",
        "CREDENTIALS_DIRECTORY",
    ] {
        let refused = login(&sandbox, "a", "file").env(variable, "~/x").run();
        let what = format!("`{variable}` names `~/x`, and `~` is not expanded there");
        refused.exits(2).complains(&what).done();
    }
    let refused = sandbox.ntro("dev --data").arg("~/x").run().exits(2);
    refused.complains("`--data` names `~/x`, and").done();
    assert_eq!(sandbox.files(), Vec::<String>::new());
}

#[test]
fn carriage_return_ends_no_variable() {
    let sandbox = Sandbox::new();
    let home = sandbox.home().join("other");
    let with_return = |path: &Path| format!("{}\r", path.display());
    login(&sandbox, "a", "plaintext")
        .env("NTRO_HOME", with_return(&home))
        .env("NTRO_TIMEOUT", "5\r")
        .run()
        .success()
        .done();
    let list = sandbox
        .ntro("auth list")
        .env("HOME", with_return(&sandbox.home()));
    list.env("NTRO_HOME", "\r").run().success().done();
    assert!(home.join("config.toml").exists());
    let names = fs::read_dir(sandbox.home()).unwrap();
    assert_eq!(names.count(), 1);
}
