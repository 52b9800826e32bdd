//! Moving keys between stores: every pair, every conflict, and a kill before every effect.

use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use insta::assert_snapshot;
use ntro_base::disk::FileLock;
use ntro_client::config::Config;
use ntro_client::ops::migrate::KeyLocation;
use ntro_client::resolve;
use ntro_client::secrets::{Item, SecretStore, StoreKind, StoreSettings};
use ntro_client::state::KeyRecords;
use serde_json::{Value, json};

use crate::stores::helpers;
use crate::support::{Mode, Sandbox, SecretService, Terminal, at_each_effect};

/// No test calls this server.
const ORIGIN: &str = "http://localhost:1";
const KEY: &str = "ntro_prod_k9Zr4MxQ2bLw_Jf83nd72jfk38dhJKd8";
const OTHER: &str = "ntro_test_Zu3Vb7Yp1aQe_Pw02mc61osl49ekHSf5";
const ONTORA: &str = "ont_live_h2Gd8KfW5sTn_Bx74vq90zaj16ylMNc3";

const YAML: &str =
    "# mine\nworkspace_id: 0b5e # ü\napi_key: KEY\nbase_url: ORIGIN\nother: [1, 2]\n";

/// The stores that keys are moved between. A new store needs a line in [`held`] if it takes more
/// than opening it.
const STORES: [StoreKind; 5] = StoreKind::ALL;

/// A home with a `file` store that opens without a passphrase.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox
}

fn login(sandbox: &Sandbox, name: &str, store: &str, key: &str) {
    sandbox.log_in(
        &format!("--no-verify --name {name} --store {store}"),
        &format!("{ORIGIN}/v1"),
        key,
    );
}

fn migrate(sandbox: &Sandbox, arguments: &str) -> String {
    sandbox
        .ntro(&format!("auth migrate {arguments}"))
        .transcript()
}

#[track_caller]
fn assert_token(sandbox: &Sandbox, name: &str, key: &str) {
    let token = sandbox.ntro("auth token -c").arg(name).run().success();
    assert_eq!(token.stdout.trim_end(), key);
}

fn item(name: &str) -> Item {
    Item::new(name.parse().unwrap(), ORIGIN.parse().unwrap())
}

/// Opens a store of a sandbox, except for its keyring.
fn opened(sandbox: &Sandbox, kind: StoreKind) -> Box<dyn SecretStore> {
    let config = Config::read(&sandbox.ntro_home().join("config.toml")).unwrap();
    let settings = StoreSettings {
        command: resolve::helpers(&config, &KeyRecords::default()),
        ..StoreSettings::new(sandbox.ntro_home())
    };
    settings.open(kind)
}

/// Reads a connection's key from a store, without the records of `ntro`.
fn held(
    sandbox: &Sandbox,
    service: Option<&SecretService>,
    kind: StoreKind,
    name: &str,
) -> Option<String> {
    if kind == StoreKind::Keyring {
        return service?.lookup(&["service", "ntro", "username", &item(name).account()]);
    }
    let key = opened(sandbox, kind).get(&item(name)).unwrap();
    key.map(|key| key.expose().to_owned())
}

/// Moves a key from the first store to the second and checks both.
fn a_pair(sandbox: &Sandbox, service: Option<&SecretService>, from: StoreKind, to: StoreKind) {
    login(sandbox, "local", from.as_str(), KEY);
    let login_record = sandbox.read("logins.toml");
    let arguments = format!("auth migrate --to {to} -o json");
    let moved = sandbox.ntro(&arguments).run().success();
    let forgets = moved.stderr.contains("in memory only: gone at reboot");
    assert_eq!(forgets, to == StoreKind::Keyutils, "{moved}");
    assert_eq!(
        moved.json(),
        json!([{
            "connection": "local",
            "from": [from.as_str()],
            "to": to.as_str(),
            "result": "moved",
            "key_prefix": "ntro_prod_k9Zr",
            "code": null,
            "message": null,
        }])
    );
    let place = format!("{from} to {to}");
    assert_eq!(held(sandbox, service, from, "local"), None, "{place}");
    assert_eq!(held(sandbox, service, to, "local").unwrap(), KEY, "{place}");
    assert_token(sandbox, "local", KEY);
    sandbox.assert_no_litter();
    let config = sandbox.config();
    assert!(config.contains(&format!("store = \"{to}\"")), "{config}");
    // The record keeps the age of the key. The helpers' table follows it while they are in use.
    let record = |text: &str| text.split("\n[stores").next().unwrap().to_owned();
    assert_eq!(
        record(&sandbox.read("logins.toml")),
        record(&login_record).replace(&format!("store = \"{from}\""), &format!("store = \"{to}\""))
    );

    let again = sandbox.contents();
    let again_says = sandbox.ntro(&arguments).run().success().json();
    assert_eq!(again_says[0]["result"], "already_there", "{place}");
    assert_eq!(sandbox.contents(), again, "{place}");
    sandbox.ntro("auth remove local").run().success().done();
}

fn pairs(among: &[StoreKind]) -> Vec<(StoreKind, StoreKind)> {
    let all = among
        .iter()
        .flat_map(|from| among.iter().map(|to| (*from, *to)));
    all.filter(|(from, to)| from != to).collect()
}

#[test]
fn key_moves_between_file_stores() {
    let sandbox = sandbox();
    for (from, to) in pairs(&[StoreKind::File, StoreKind::Plaintext]) {
        a_pair(&sandbox, None, from, to);
    }
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn key_moves_between_all_stores() {
    let service = SecretService::start(Mode::Unlocked);
    let _alone = alone_in_the_kernel();
    let mut sandbox = sandbox();
    sandbox.plug_in(&service);
    sandbox.write_config(&helpers(&sandbox, None));
    for (from, to) in pairs(&STORES) {
        a_pair(&sandbox, Some(&service), from, to);
    }
}

#[test]
fn output_lists_each_connection() {
    let sandbox = sandbox();
    sandbox.write_config(
        "[connections.theirs]\nhost = \"http://localhost:1/v1\"\napi_key = \"ntro_dev_key\"\n\n\
         [connections.empty]\nhost = \"https://api.ntropii.com/v1\"\napi_key = \"\"\n",
    );
    login(&sandbox, "ours", "plaintext", KEY);
    login(&sandbox, "there", "file", OTHER);
    let before = sandbox.contents();
    assert_snapshot!(migrate(&sandbox, "--all --to file --dry-run"), @r"
    exit code: 0
    ----- stdout -----
    CONNECTION  FROM       TO    RESULT         KEY
    empty       -          file  no key         -
    ours        plaintext  file  would move     ntro_prod_k9Zr…
    theirs      plaintext  file  would move     ntro…
    there       -          file  already there  ntro_test_Zu3V…
    ");
    assert_eq!(sandbox.contents(), before);
    assert_snapshot!(migrate(&sandbox, "--all --to file"), @r#"
    exit code: 0
    ----- stdout -----
    CONNECTION  FROM       TO    RESULT         KEY
    empty       -          file  no key         -
    ours        plaintext  file  moved          ntro_prod_k9Zr…
    theirs      plaintext  file  moved          ntro…
    there       -          file  already there  ntro_test_Zu3V…
    ----- stderr -----
    The official Ntropii clients no longer find these keys in `config.toml`. Set the variable `NTRO_API_KEY` for them:
    NTRO_API_KEY="$(ntro auth token -c ours)"
    NTRO_API_KEY="$(ntro auth token -c theirs)"
    "#);
    assert_snapshot!(migrate(&sandbox, "--all --to file -q"), @"exit code: 0");
    assert_snapshot!(migrate(&sandbox, "theirs --to plaintext"), @r"
    exit code: 0
    ----- stdout -----
    CONNECTION  FROM  TO         RESULT  KEY
    theirs      file  plaintext  moved   ntro…
    ----- stderr -----
    warning: every program of yours can read a key in `config.toml`
    ");
    assert_snapshot!(migrate(&sandbox, "empty --to file"), @r"
    exit code: 4
    ----- stdout -----
    CONNECTION  FROM  TO    RESULT  KEY
    empty       -     file  no key  -
    ");
    assert_snapshot!(migrate(&sandbox, "-c unknown --to file"), @r"
    exit code: 3
    ----- stderr -----
    error: there is no connection `unknown` (named by `--connection`)
      hint: the connections are: empty, ours, theirs, there
    ");
    assert_snapshot!(migrate(&sandbox, "unknown --to file"), @r"
    exit code: 3
    ----- stderr -----
    error: there is no connection `unknown`
      hint: the connections are: empty, ours, theirs, there
    ");
    assert_snapshot!(migrate(&sandbox, "ours"), @r"
        exit code: 8
        ----- stderr -----
        error: the keyring store is not available: the session bus refuses connections
          hint: to move keys elsewhere than there, name another store: `--to file`
        ");
    assert_token(&sandbox, "theirs", "ntro_dev_key");
    assert_token(&sandbox, "ours", KEY);
    sandbox.assert_no_litter();
}

#[test]
fn policy_prevents_plaintext() {
    let sandbox = sandbox();
    login(&sandbox, "guarded", "file --policy keyless", KEY);
    login(&sandbox, "open", "file", OTHER);
    login(&sandbox, "asking", "file --policy confirm", ONTORA);
    let before = sandbox.contents();
    assert_snapshot!(migrate(&sandbox, "guarded --to plaintext --no-interactive"), @r"
    exit code: 5
    ----- stderr -----
    error: the policy of `guarded` is `keyless`, and in plain text anybody could take its API key from `config.toml`
      hint: choose another store, `--to STORE`; to allow it, log in again with `ntro auth login --name guarded --store plaintext --policy none`
    ");
    assert_snapshot!(migrate(&sandbox, "asking --to plaintext"), @r"
    exit code: 5
    ----- stderr -----
    error: the policy of `asking` is `confirm`, and in plain text anybody could take its API key from `config.toml`
      hint: run the command on a terminal, without `--no-interactive`
    ");
    let mut terminal = Terminal::ntro(&sandbox, "auth migrate asking --to plaintext");
    terminal.expect("Put the API key of `asking` into `config.toml` in plain text?");
    terminal.line("n");
    terminal.end().exits(9).shows("was not revealed").done();
    let dry = "auth migrate --all --to plaintext --dry-run -o json";
    let dry = sandbox.ntro(dry).run().exits(5).json();
    let results = [&dry[0]["result"], &dry[1]["result"], &dry[2]["result"]];
    assert_eq!(results, ["would_move", "failed", "would_move"]);
    assert_eq!(sandbox.contents(), before);

    assert_snapshot!(migrate(&sandbox, "--all --to plaintext"), @r"
    exit code: 5
    ----- stdout -----
    CONNECTION  FROM  TO         RESULT  KEY
    asking      -     plaintext  failed  -                the policy of `asking` is `confirm`, and in plain text anybody could take its API key from `config.toml`
    guarded     -     plaintext  failed  -                the policy of `guarded` is `keyless`, and in plain text anybody could take its API key from `config.toml`
    open        file  plaintext  moved   ntro_test_Zu3V…
    ----- stderr -----
    `asking`: run the command on a terminal, without `--no-interactive`
    `guarded`: choose another store, `--to STORE`; to allow it, log in again with `ntro auth login --name guarded --store plaintext --policy none`
    warning: every program of yours can read a key in `config.toml`
    ");
    sandbox.assert_files_without(KEY);
    sandbox.assert_files_without(ONTORA);
    let mut terminal = Terminal::ntro(&sandbox, "auth migrate asking --to plaintext");
    terminal.expect("in plain text?").line("y");
    terminal.end().exits(0).done();
    assert!(sandbox.config().contains(ONTORA));
    // A key in plain text is not moved.
    sandbox
        .ntro("auth migrate asking --to plaintext")
        .run()
        .success()
        .done();
    sandbox
        .ntro("auth migrate asking --to file")
        .run()
        .success()
        .done();
    sandbox.assert_files_without(ONTORA);
}

#[test]
fn dry_run_creates_no_folder() {
    let sandbox = Sandbox::new();
    sandbox
        .ntro("auth migrate --all --dry-run")
        .run()
        .success()
        .done();
    assert!(!sandbox.ntro_home().exists());
    sandbox.ntro("auth migrate --all").run().success().done();
}

/// Adds a plain text key to a connection that has another.
fn add_plain(sandbox: &Sandbox, name: &str, key: &str) {
    let table = format!("[connections.{name}]\n");
    let with_key = format!("{table}api_key = \"{key}\"\n");
    sandbox.write_config(&sandbox.config().replace(&table, &with_key));
}

#[test]
fn conflicting_keys_are_reported() {
    let sandbox = sandbox();
    // A plain text key beside the stored one.
    login(&sandbox, "beside", "file", KEY);
    add_plain(&sandbox, "beside", OTHER);
    // Another key in the target store.
    login(&sandbox, "target", "file", OTHER);
    let text = sandbox.config().replace(
        "[connections.target]\n",
        &format!("[connections.target]\napi_key = \"{KEY}\"\n"),
    );
    let (head, tail) = text.split_once("[connections.target]").unwrap();
    let tail = tail.replace("\"file\"", "\"plaintext\"");
    sandbox.write_config(&format!("{head}[connections.target]{tail}"));
    // Two copies of the same key are not a conflict.
    login(&sandbox, "twice", "file", KEY);
    add_plain(&sandbox, "twice", KEY);
    let before = sandbox.contents();

    assert_snapshot!(migrate(&sandbox, "beside --to plaintext"), @r"
    exit code: 9
    ----- stderr -----
    error: there are different keys for `beside`: ntro_prod_k9Zr… in file, ntro_test_Zu3V… in plaintext
      hint: nothing was changed; log in with the key that is to stay, `ntro auth login --name beside --store plaintext`, or take the other one away
    ");
    assert_snapshot!(migrate(&sandbox, "target --to file"), @r"
    exit code: 9
    ----- stderr -----
    error: there are different keys for `target`: ntro_prod_k9Zr… in plaintext, ntro_test_Zu3V… in file
      hint: nothing was changed; log in with the key that is to stay, `ntro auth login --name target --store file`, or take the other one away
    ");
    sandbox
        .ntro("auth migrate beside --to file -o json")
        .run()
        .exits(9)
        .complains("conflict")
        .done();
    assert_eq!(sandbox.contents(), before);
    assert_snapshot!(migrate(&sandbox, "--all --to file"), @r#"
    exit code: 9
    ----- stdout -----
    CONNECTION  FROM       TO    RESULT    KEY
    beside      -          file  conflict  -                there are different keys for `beside`: ntro_prod_k9Zr… in file, ntro_test_Zu3V… in plaintext
    target      -          file  conflict  -                there are different keys for `target`: ntro_prod_k9Zr… in plaintext, ntro_test_Zu3V… in file
    twice       plaintext  file  moved     ntro_prod_k9Zr…
    ----- stderr -----
    `beside`: nothing was changed; log in with the key that is to stay, `ntro auth login --name beside --store file`, or take the other one away
    `target`: nothing was changed; log in with the key that is to stay, `ntro auth login --name target --store file`, or take the other one away
    The official Ntropii clients no longer find these keys in `config.toml`. Set the variable `NTRO_API_KEY` for them:
    NTRO_API_KEY="$(ntro auth token -c twice)"
    "#);
    assert_eq!(
        sandbox.contents()[".ntro/keys.age"],
        before[".ntro/keys.age"]
    );
    assert_eq!(sandbox.config().matches(KEY).count(), 1);
    assert_token(&sandbox, "beside", KEY);
    assert_token(&sandbox, "target", KEY);
    assert_token(&sandbox, "twice", KEY);
    sandbox.assert_no_litter();

    // Follows the hint.
    login(&sandbox, "target", "file", KEY);
    login(&sandbox, "beside", "file", KEY);
    let all = sandbox.ntro("auth migrate --all --to file").run();
    all.success().done();
    sandbox.assert_files_without(KEY);
}

#[test]
fn key_keeps_its_origin() {
    let sandbox = sandbox();
    login(&sandbox, "local", "plaintext", KEY);
    // A host edited by hand: no stored key is sent there.
    let moved = sandbox.config().replace("localhost:1/", "localhost:2/");
    sandbox.write_config(&moved);
    sandbox.ntro("auth token").run().exits(4).done();
    sandbox
        .ntro("auth migrate --to file")
        .run()
        .success()
        .done();
    sandbox.ntro("auth token").run().exits(4).done();
    let file = StoreKind::File;
    assert_eq!(held(&sandbox, None, file, "local").as_deref(), Some(KEY));
    assert_snapshot!(migrate(&sandbox, "--to plaintext"), @r"
    exit code: 4
    ----- stderr -----
    error: the stored API key of `local` belongs to http://localhost:1, not to http://localhost:2 (named by `connections.local.host` in `[HOME]/.ntro/config.toml`)
      hint: a stored key goes to its own origin only: set `NTRO_API_KEY` for this call, or log in with `ntro auth login --name local --host http://localhost:2 --overwrite`
    ");
    assert_eq!(held(&sandbox, None, file, "local").as_deref(), Some(KEY));
    let back = sandbox.config().replace("localhost:2/", "localhost:1/");
    sandbox.write_config(&back);
    assert_token(&sandbox, "local", KEY);
}

/// An official login to another server changed one of our connections.
#[test]
fn official_login_is_adopted() {
    let sandbox = sandbox();
    login(&sandbox, "local", "file", KEY);
    sandbox.write_config(&format!(
        "default_connection_name = \"local\"\n\n[connections.local]\n\
         host = \"http://localhost:2/v1\"\napi_key = \"{OTHER}\"\n"
    ));
    assert_token(&sandbox, "local", OTHER);
    assert_snapshot!(migrate(&sandbox, "--to file"), @r#"
    exit code: 0
    ----- stdout -----
    CONNECTION  FROM       TO    RESULT  KEY
    local       plaintext  file  moved   ntro_test_Zu3V…  an earlier key, for http://localhost:1, stays in the file store
    ----- stderr -----
    The official Ntropii clients no longer find these keys in `config.toml`. Set the variable `NTRO_API_KEY` for them:
    NTRO_API_KEY="$(ntro auth token -c local)"
    "#);
    assert_token(&sandbox, "local", OTHER);
    sandbox.assert_files_without(OTHER);
    // The previous key belongs to another server, and migrating does not remove it.
    assert_eq!(
        held(&sandbox, None, StoreKind::File, "local").as_deref(),
        Some(KEY)
    );
}

fn ontora_file(sandbox: &Sandbox) -> PathBuf {
    sandbox.home().join(".ontora/config.yaml")
}

fn yaml() -> String {
    YAML.replace("KEY", ONTORA).replace("ORIGIN", ORIGIN)
}

fn write_yaml(sandbox: &Sandbox, text: &str) {
    let file = ontora_file(sandbox);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn read_yaml(sandbox: &Sandbox) -> String {
    fs::read_to_string(ontora_file(sandbox)).unwrap()
}

#[test]
fn ontora_key_is_imported() {
    let sandbox = sandbox();
    assert_snapshot!(migrate(&sandbox, "--ontora --to file"), @r"
    exit code: 4
    ----- stderr -----
    error: there is no API key in `[HOME]/.ontora/config.yaml`
      hint: it is written by `ontora auth login`
    ");
    write_yaml(&sandbox, &yaml());
    let before = sandbox.contents();
    assert_snapshot!(migrate(&sandbox, "--ontora --to file --dry-run"), @r"
    exit code: 0
    ----- stdout -----
    CONNECTION  FROM                   TO    RESULT      KEY
    ontora      ~/.ontora/config.yaml  file  would move  ont_live_h2Gd…
    ");
    // Reports the imports that were not requested, and does not do them.
    assert_snapshot!(migrate(&sandbox, "--all --to file"), @r"
    exit code: 0
    ----- stderr -----
    `~/.ontora/config.yaml` also has a key in plain text: `ntro auth migrate --ontora` imports it
    ");
    assert_eq!(sandbox.contents(), before);

    assert_snapshot!(migrate(&sandbox, "--ontora --to file --keep"), @r"
    exit code: 0
    ----- stdout -----
    CONNECTION  FROM                   TO    RESULT  KEY
    ontora      ~/.ontora/config.yaml  file  copied  ont_live_h2Gd…
    ");
    assert_eq!(read_yaml(&sandbox), yaml());
    assert_token(&sandbox, "ontora", ONTORA);
    let kept = sandbox.ntro("auth migrate --ontora --to file --keep").run();
    kept.success().says("already there").done();

    assert_snapshot!(migrate(&sandbox, "--ontora --to file"), @r#"
    exit code: 0
    ----- stdout -----
    CONNECTION  FROM                   TO    RESULT  KEY
    ontora      ~/.ontora/config.yaml  file  moved   ont_live_h2Gd…
    ----- stderr -----
    The official `ontora` command has no key now. Set the variable `ONTORA_API_KEY` for it: ONTORA_API_KEY="$(ntro auth token -c ontora)"
    "#);
    assert_eq!(read_yaml(&sandbox), yaml().replace(ONTORA, "\"\""));
    assert_token(&sandbox, "ontora", ONTORA);
    assert_snapshot!(sandbox.config(), @r#"
    default_connection_name = "ontora"

    [connections.ontora]
    host = "http://localhost:1"
    provider = "ontora"
    default_tenant = "0b5e"
    store = "file"
    "#);
    sandbox.assert_files_without(ONTORA);
    sandbox.assert_no_litter();
    sandbox
        .ntro("auth migrate --ontora --to file")
        .run()
        .exits(4)
        .done();
    // With `--all`, nothing to import is a success.
    sandbox
        .ntro("auth migrate --all --ontora --to file")
        .run()
        .success()
        .says("already there")
        .done();
}

#[test]
fn import_refuses_to_overwrite() {
    let sandbox = sandbox();
    let refused = |arguments: &str| {
        let before = sandbox.contents();
        let says = migrate(&sandbox, arguments);
        assert_eq!(sandbox.contents(), before);
        says
    };
    write_yaml(&sandbox, &yaml());
    login(&sandbox, "ontora", "file", KEY);
    assert_snapshot!(refused("--ontora --to file"), @r"
    exit code: 9
    ----- stderr -----
    error: there are different keys for `ontora`: ntro_prod_k9Zr… in file, ont_live_h2Gd… in ~/.ontora/config.yaml
      hint: nothing was changed; import it under another name, `--ontora --name NAME`, or take one of the keys away
    ");
    write_yaml(&sandbox, &yaml().replace(ORIGIN, "https://api.ontora.com"));
    assert_snapshot!(refused("--ontora --to file"), @r"
    exit code: 9
    ----- stderr -----
    error: the connection `ontora` already exists for http://localhost:1, not for https://api.ontora.com
      hint: nothing was changed; import it under another name, `--ontora --name NAME`
    ");
    write_yaml(&sandbox, &yaml().replace(ORIGIN, "ftp://x"));
    assert_snapshot!(refused("--ontora --to file --name other"), @r"
    exit code: 3
    ----- stderr -----
    error: `[HOME]/.ontora/config.yaml`, line 4, column 11: the host has the scheme `ftp`: only `https` and `http` are possible
      hint: correct the file with an editor; nothing was changed
    ");
    write_yaml(&sandbox, &format!("{}# {ONTORA}\n", yaml()));
    assert_snapshot!(refused("--ontora --to file --name other"), @r"
    exit code: 3
    ----- stderr -----
    error: `[HOME]/.ontora/config.yaml`: cannot remove `api_key` without changing something else: the key appears a second time
      hint: take the key out of `[HOME]/.ontora/config.yaml` with an editor, after `--keep` has copied it; nothing was changed
    ");
    write_yaml(&sandbox, &format!("api_key: [{ONTORA}\n"));
    assert_snapshot!(refused("--ontora --to file --name other"), @r"
    exit code: 3
    ----- stderr -----
    error: `[HOME]/.ontora/config.yaml`, line 2, column 1: this is not YAML
      hint: correct the file with an editor; nothing was changed
    ");
    write_yaml(&sandbox, "api_key: your key\n");
    assert_snapshot!(refused("--ontora --to file --name other"), @r"
    exit code: 3
    ----- stderr -----
    error: `[HOME]/.ontora/config.yaml`, line 1, column 10: the API key contains a space at position 5: keys are visible ASCII characters only
      hint: correct the file with an editor; nothing was changed
    ");
    sandbox.assert_only_in(ONTORA, &[]);

    // Without host and workspace, the documented server is used.
    write_yaml(&sandbox, &format!("api_key: {ONTORA}\n"));
    let other = sandbox
        .ntro("auth migrate --ontora --to file --name other -o json")
        .run();
    assert_eq!(other.success().json()[0]["from"], json!(["ontora"]));
    let config = sandbox.config();
    let entry = config.split("[connections.other]").nth(1).unwrap();
    assert_eq!(
        entry.trim(),
        "host = \"https://api.ontora.com\"\nprovider = \"ontora\"\nstore = \"file\""
    );
}

#[test]
fn unwritable_file_changes_nothing() {
    let sandbox = sandbox();
    login(&sandbox, "local", "plaintext", KEY);
    let before = sandbox.contents();
    let ntro = env!("CARGO_BIN_EXE_ntro");
    // The journal has some hundred bytes; the encrypted file more than a block.
    for (limit, says) in [(0, "migrations.toml"), (1, "keys.age")] {
        let run = |line: &str| {
            sandbox
                .program("/bin/bash".as_ref())
                .arg("-c")
                .arg(format!(
                    "trap '' XFSZ; ulimit -f {limit}; exec '{ntro}' {line}"
                ))
                .run()
        };
        if limit == 1 {
            // Enough keys to exceed a kibibyte.
            for name in ["a", "b", "c", "d", "e", "f", "g", "h"] {
                login(&sandbox, name, "file", OTHER);
            }
        }
        let before = match limit {
            0 => before.clone(),
            _ => sandbox.contents(),
        };
        let failed = run("auth migrate local --to file");
        assert!(matches!(failed.code, Some(3 | 8)), "{failed}");
        failed.complains(says).complains("file too large").done();
        assert_eq!(sandbox.contents(), before, "{says}");
        assert_token(&sandbox, "local", KEY);
    }
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn hung_store_changes_nothing() {
    let service = SecretService::start(Mode::Unlocked);
    let mut sandbox = sandbox();
    sandbox.plug_in(&service);
    login(&sandbox, "in-file", "file", KEY);
    login(&sandbox, "in-keyring", "keyring", OTHER);
    login(&sandbox, "plain", "plaintext", KEY);
    let before = sandbox.contents();
    let refused = |complaint: &str| {
        for line in [
            "in-file --to keyring",
            "in-file",
            "plain",
            "in-keyring --to file",
            "in-keyring --to plaintext",
            "in-keyring --to file --dry-run",
        ] {
            sandbox
                .ntro(&format!("auth migrate {line}"))
                .env("NTRO_KEYRING_TIMEOUT", "0.3")
                .run()
                .exits(8)
                .complains(complaint)
                .done();
            assert_eq!(sandbox.contents(), before, "{line}");
        }
        // Each failure is reported, and connections that need no keyring are moved.
        let all = sandbox
            .ntro("auth migrate --all --to file --dry-run -o json")
            .env("NTRO_KEYRING_TIMEOUT", "0.3")
            .run()
            .exits(8)
            .json();
        let results: Vec<&Value> = all
            .as_array()
            .unwrap()
            .iter()
            .map(|row| &row["result"])
            .collect();
        assert_eq!(results, ["already_there", "failed", "would_move"]);
        assert_eq!(all[1]["code"], "secret_store");
        assert_eq!(sandbox.contents(), before);
    };
    service.hang();
    refused("did not answer within");
    service.resume();
    service.lock();
    refused("the keyring is locked");
}

#[test]
#[ignore = "needs D-Bus and gnome-keyring: run scripts/test"]
fn missing_keyring_is_reported() {
    for mode in [Mode::Absent, Mode::NoBus, Mode::Empty] {
        let service = SecretService::start(mode);
        let mut sandbox = sandbox();
        sandbox.plug_in(&service);
        login(&sandbox, "local", "file", KEY);
        let before = sandbox.contents();
        sandbox
            .ntro("auth migrate")
            .run()
            .exits(8)
            .complains("keyring")
            .done();
        assert_eq!(sandbox.contents(), before);
        assert_token(&sandbox, "local", KEY);
    }
}

/// A move, killed before each of its effects in turn.
struct Story {
    from: KeyLocation,
    to: StoreKind,
}

/// After a kill at any effect the key exists, the next run completes, and nothing is left over.
#[test]
#[ignore = "needs strace, D-Bus and gnome-keyring: run scripts/test"]
#[expect(clippy::print_stdout, reason = "how many kills it was is worth a line")]
fn kill_at_each_effect_keeps_key() {
    // Combines stores that need a set-up with a plain one, and the others with each other.
    let moves = [
        &[StoreKind::Keyring, StoreKind::File, StoreKind::Plaintext][..],
        &[StoreKind::File, StoreKind::Keyutils],
        &[StoreKind::File, StoreKind::Command],
    ];
    let moves = moves.into_iter().flat_map(pairs);
    let moves = moves.map(|(from, to)| (KeyLocation::Store(from), to));
    let imports = STORES.map(|to| (KeyLocation::Ontora, to));
    let stories = moves.chain(imports).map(|(from, to)| Story { from, to });
    let stories: Vec<_> = stories.collect();
    let kills: Vec<usize> = thread::scope(|scope| {
        let tell = |story| scope.spawn(move || Story::tell(story));
        let threads: Vec<_> = stories.iter().map(tell).collect();
        let threads = threads.into_iter();
        threads.map(|thread| thread.join().unwrap()).collect()
    });
    let total: usize = kills.iter().sum();
    println!("{total} kills: {kills:?}");
    assert!(total >= 250, "only {total} kills: {kills:?}");
}

impl Story {
    fn tell(&self) -> usize {
        let (to, import) = (self.to, self.from == KeyLocation::Ontora);
        let from = match self.from {
            KeyLocation::Store(kind) => Some(kind),
            KeyLocation::Ontora => None,
        };
        let uses = |kind| to == kind || from == Some(kind);
        // The keyring belongs to the user, not to the home: parallel tests would share their keys.
        let _alone = uses(StoreKind::Keyutils).then(alone_in_the_kernel);
        let keyring = StoreKind::Keyring;
        let service = uses(keyring).then(|| SecretService::start(Mode::Unlocked));
        let service = service.as_ref();
        let mut sandbox = sandbox();
        if let Some(service) = service {
            sandbox.plug_in(service);
        }
        let (name, key) = match import {
            true => ("ontora", ONTORA),
            false => ("local", KEY),
        };
        if uses(StoreKind::Command) {
            sandbox.write_config(&helpers(&sandbox, None));
        }
        login(&sandbox, "other", "file", OTHER);
        match from {
            None => write_yaml(&sandbox, &yaml()),
            Some(from) => login(&sandbox, name, from.as_str(), KEY),
        }
        let line = match import {
            true => format!("auth migrate --ontora --to {to}"),
            false => format!("auth migrate {name} --to {to}"),
        };
        let start = sandbox.contents();
        at_each_effect(
            &sandbox,
            &line,
            |_| {
                if let Some(service) = service {
                    service.clear(&["service", "ntro"]);
                }
                lay_out(&sandbox, &start);
                if from == Some(StoreKind::Keyring) {
                    service.unwrap().store(&item(name), KEY);
                }
                if uses(StoreKind::Keyutils) {
                    in_the_kernel(&sandbox, name, from == Some(StoreKind::Keyutils));
                }
            },
            |done| {
                let place = format!("{line}, killed after {done}");
                wait_for_helpers(&sandbox);
                let token = sandbox.ntro("auth token -c").arg(name).run();
                let has = token.stdout.trim_end() == key;
                // Before the import, the key is where the official client finds it.
                let there = import && read_yaml(&sandbox) == yaml();
                assert!(has || there, "{place}: {token}");

                let next = sandbox.ntro(&line).run();
                // Killed after its last effect, or before it printed the result: the move is
                // complete.
                let ended = import && next.code == Some(4);
                assert!(next.code == Some(0) || ended, "{place}: {next}");
                assert_token(&sandbox, name, key);
                assert_token(&sandbox, "other", OTHER);
                assert_eq!(
                    held(&sandbox, service, to, name).as_deref(),
                    Some(key),
                    "{place}"
                );
                if let Some(from) = from {
                    assert_eq!(held(&sandbox, service, from, name), None, "{place}");
                }
                if import {
                    assert_eq!(read_yaml(&sandbox), yaml().replace(ONTORA, "\"\""));
                    let beside = fs::read_dir(ontora_file(&sandbox).parent().unwrap());
                    assert_eq!(beside.unwrap().count(), 1, "{place}");
                }
                sandbox.assert_no_litter();
                let config = sandbox.config();
                let stated = config.matches(&format!("store = \"{to}\"")).count();
                assert_eq!(
                    stated,
                    1 + usize::from(to == StoreKind::File),
                    "{place}: {config}"
                );
            },
        )
    }
}

/// Serialises tests that use the kernel's keyring.
fn alone_in_the_kernel() -> MutexGuard<'static, ()> {
    static KERNEL: Mutex<()> = Mutex::new(());
    KERNEL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Stores the key in the kernel's keyring, or erases it.
fn in_the_kernel(sandbox: &Sandbox, name: &str, there: bool) {
    let lock = FileLock::acquire(&sandbox.ntro_home().join(".lock")).unwrap();
    let store = opened(sandbox, StoreKind::Keyutils);
    match there {
        true => store
            .put(&item(name), &KEY.parse().unwrap(), &lock)
            .unwrap(),
        false => drop(store.erase(&item(name), &lock).unwrap()),
    }
}

/// Waits for the helpers of a killed `ntro` to end.
fn wait_for_helpers(sandbox: &Sandbox) {
    let folder = sandbox.home().join("keys");
    let folder = folder.to_str().unwrap();
    let runs = |process: std::io::Result<fs::DirEntry>| {
        let line = fs::read(process.unwrap().path().join("cmdline"));
        line.is_ok_and(|line| String::from_utf8_lossy(&line).contains(folder))
    };
    while fs::read_dir("/proc").unwrap().any(runs) {
        thread::yield_now();
    }
}

/// Restores the files of a home exactly.
fn lay_out(sandbox: &Sandbox, contents: &std::collections::BTreeMap<String, Vec<u8>>) {
    let home = sandbox.home();
    for name in sandbox.files() {
        if !contents.contains_key(&name) {
            fs::remove_file(home.join(name)).unwrap();
        }
    }
    for (name, bytes) in contents {
        fs::write(home.join(name), bytes).unwrap();
    }
}

/// A logout after a kill erases every copy.
#[test]
#[ignore = "needs strace: run scripts/test"]
fn logout_after_kill_erases_every_copy() {
    let sandbox = sandbox();
    login(&sandbox, "local", "file", KEY);
    let start = sandbox.contents();
    let kills = at_each_effect(
        &sandbox,
        "auth migrate --to plaintext",
        |_| lay_out(&sandbox, &start),
        |done| {
            sandbox.ntro("auth logout").run().success().done();
            for kind in [StoreKind::File, StoreKind::Plaintext] {
                assert_eq!(held(&sandbox, None, kind, "local"), None, "{done}: {kind}");
            }
            sandbox.assert_no_litter();
            sandbox.ntro("auth token").run().exits(4).done();
        },
    );
    assert!(kills >= 20, "only {kills}");
}

/// A removal after a kill erases every copy, also after the official client removed the connection.
#[test]
#[ignore = "needs strace: run scripts/test"]
fn removal_after_kill_erases_every_copy() {
    let sandbox = sandbox();
    login(&sandbox, "local", "plaintext", KEY);
    let start = sandbox.contents();
    let kills = at_each_effect(
        &sandbox,
        "auth migrate --to file",
        |_| lay_out(&sandbox, &start),
        |done| {
            remove_officially(&sandbox, "local");
            sandbox.ntro("auth remove local").run().success().done();
            let file = held(&sandbox, None, StoreKind::File, "local");
            assert_eq!(file, None, "{done}");
            sandbox.assert_no_litter();
            sandbox.assert_files_without(KEY);
            assert!(!sandbox.read("logins.toml").contains(".local]"), "{done}");
        },
    );
    assert!(kills >= 20, "only {kills}");
}

/// A login after a kill decides: leftovers of the older key are erased.
#[test]
#[ignore = "needs strace: run scripts/test"]
fn login_after_kill_keeps_new_key() {
    let sandbox = sandbox();
    login(&sandbox, "local", "plaintext", KEY);
    let start = sandbox.contents();
    at_each_effect(
        &sandbox,
        "auth migrate --to file",
        |_| lay_out(&sandbox, &start),
        |done| {
            login(&sandbox, "local", "plaintext", OTHER);
            let next = sandbox.ntro("auth migrate --to file").run();
            assert_eq!(next.code, Some(0), "{done}: {next}");
            assert_token(&sandbox, "local", OTHER);
            assert_eq!(held(&sandbox, None, StoreKind::Plaintext, "local"), None);
            sandbox.assert_no_litter();
        },
    );
}

/// Removes a connection from `config.toml`, as the official clients do.
fn remove_officially(sandbox: &Sandbox, name: &str) {
    let config = sandbox.config();
    let (head, rest) = config
        .split_once(&format!("[connections.{name}]\n"))
        .unwrap();
    let tail = rest.find("\n[").map_or("", |next| &rest[next..]);
    sandbox.write_config(&format!("{head}{tail}"));
}

/// A home where a move from the encrypted file to helpers was killed before its last step, and its
/// connection was removed afterwards. `there` is the key in the helpers' store.
fn removed_on_the_way(there: &str) -> Sandbox {
    let sandbox = sandbox();
    sandbox.write_config(&helpers(&sandbox, None));
    login(&sandbox, "other", "file", OTHER);
    login(&sandbox, "local", "file --policy keyless", KEY);
    let lock = FileLock::acquire(&sandbox.ntro_home().join(".lock")).unwrap();
    let store = opened(&sandbox, StoreKind::Command);
    store
        .put(&item("local"), &there.parse().unwrap(), &lock)
        .unwrap();
    drop(lock);
    let noted = format!(
        "[migrations.local]\nfrom = [\"file\"]\nto = \"command\"\norigin = \"{ORIGIN}\"\nkey_prefix = \"ntro_prod_k9Zr\"\n"
    );
    fs::write(sandbox.ntro_home().join("migrations.toml"), noted).unwrap();
    remove_officially(&sandbox, "local");
    sandbox
}

#[track_caller]
fn assert_nothing_is_left(sandbox: &Sandbox) {
    sandbox.assert_files_without(KEY);
    sandbox.assert_no_litter();
    assert!(!sandbox.read("logins.toml").contains(".local]"));
    for kind in [StoreKind::File, StoreKind::Command] {
        assert_eq!(held(sandbox, None, kind, "local"), None, "{kind}");
    }
    assert_token(sandbox, "other", OTHER);
    let doctor = sandbox.ntro("doctor --offline").run();
    assert!(
        doctor
            .stdout
            .contains("no unfinished rotation or migration"),
        "{doctor}"
    );
    // The name can be used for another connection.
    login(sandbox, "local", "file", OTHER);
    assert_token(sandbox, "local", OTHER);
}

#[test]
fn orphaned_move_can_be_finished() {
    let sandbox = removed_on_the_way(KEY);
    let doctor = sandbox.ntro("doctor --offline").run();
    let doctor = doctor.says(
        "the key of `local` was being moved to another store when the connection was removed",
    );
    doctor.says("ntro auth remove local").done();
    // An empty configuration file, or one that was moved away for a while, has no connections
    // either.
    let before = sandbox.contents();
    for line in [
        "local --to file --dry-run",
        "local --to file",
        "--all --to file",
    ] {
        let refused = sandbox.ntro(&format!("auth migrate {line}")).run();
        let outcome = refused.exits(3);
        let text = format!("{}{}", outcome.stdout, outcome.stderr);
        assert!(text.contains("ntro auth remove local"), "{outcome}");
        assert_eq!(sandbox.contents(), before, "{line}");
    }
    assert_snapshot!(sandbox.ntro("auth remove local").transcript(), @r"
    exit code: 0
    ----- stdout -----
    ✓ removed what was left of the connection `local`, and its key from the stores file, command
    ");
    assert_nothing_is_left(&sandbox);
}

#[test]
fn orphaned_move_keeps_other_keys() {
    let sandbox = removed_on_the_way(OTHER);
    let removed = sandbox.ntro("auth remove local").run().success();
    removed
        .says("what was left of the connection `local`")
        .done();
    let command = StoreKind::Command;
    let held = held(&sandbox, None, command, "local");
    assert_eq!(held.as_deref(), Some(OTHER));
    sandbox.assert_files_without(KEY);
    sandbox.assert_no_litter();
}

#[test]
fn orphaned_copy_is_retried() {
    let sandbox = removed_on_the_way(KEY);
    let config = sandbox.config();
    let erase = format!("rm {}", sandbox.home().join("keys").display());
    assert!(config.contains(&erase), "{config}");
    sandbox.write_config(&config.replace(&erase, "echo sealed >&2; exit 2; "));
    let failed = sandbox.ntro("auth remove local").run().exits(8);
    failed.complains("sealed").done();
    sandbox.write_config(&config);
    sandbox.ntro("auth remove local").run().success().done();
    assert_nothing_is_left(&sandbox);
}

#[test]
fn leftovers_of_official_removal_are_erased() {
    let sandbox = sandbox();
    login(&sandbox, "other", "file", OTHER);
    login(&sandbox, "local", "file", KEY);
    remove_officially(&sandbox, "local");
    let doctor = sandbox.ntro("doctor --offline").run();
    doctor.says("ntro auth remove local").done();
    let logout = sandbox.ntro("auth logout local").run().exits(3);
    logout.complains("there is no connection `local`").done();
    assert_snapshot!(sandbox.ntro("auth remove local").transcript(), @r"
    exit code: 0
    ----- stdout -----
    ✓ removed what was left of the connection `local`, and its key from the file store
    ----- stderr -----
    note: the key ntro_prod_k9Zr… stays valid at http://localhost:1 until it is revoked there
    ");
    assert_eq!(held(&sandbox, None, StoreKind::File, "local"), None);
    assert!(!sandbox.read("logins.toml").contains(".local]"));
    assert_token(&sandbox, "other", OTHER);
    let remove = sandbox.ntro("auth remove local").run().exits(3);
    remove.complains("there is no connection `local`").done();
}
