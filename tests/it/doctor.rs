//! The findings of `doctor`: each test creates a defect, checks the finding and, where possible,
//! the fix.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use ntro_base::Provider;
use serde_json::json;

use crate::support::{Authority, Outcome, Reply, Sandbox, Stub, at_each_effect};

/// A home with one connection in the encrypted file.
fn logged_in(host: &str, key: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    sandbox.log_in("--no-verify --store file --name acme", host, key);
    sandbox
}

/// Returns all findings except successes, as `level check: message → fix`.
fn findings(outcome: &Outcome) -> String {
    let report = outcome.json();
    let lines = report["findings"].as_array().unwrap().iter();
    let lines = lines.filter(|finding| finding["level"] != "ok" || finding["fixed"] == true);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("-").to_owned();
    lines
        .map(|finding| {
            let fixed = finding["fixed"] == true;
            format!(
                "{} {}: {}\n  → {}\n",
                if fixed {
                    "fixed".to_owned()
                } else {
                    text(&finding["level"])
                },
                text(&finding["check"]),
                text(&finding["message"]),
                text(&finding["fix"]),
            )
        })
        .collect()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn healthy_home_has_no_findings() {
    let authority = Authority::start();
    let key = authority.key(Provider::Ntropii, "acme-fund-admin");
    let sandbox = logged_in(&authority.host(Provider::Ntropii), &key.key);
    sandbox.redacting(&authority.origin(), "[AUTHORITY]");
    let report = sandbox.ntro("doctor").run().success();
    // Durations differ from run to run.
    let report = sandbox.redact(&report);
    let report: Vec<_> = report
        .lines()
        .map(|line| line.split(", in ").next().unwrap())
        .collect();
    assert_snapshot!(report.join("\n"), @r"
        exit code: 0
        ----- stdout -----
        access      ✓ `[HOME]/.ntro` is private
        leftovers   ✓ no leftover files
        files       ✓ `config.toml` is in order and has 1 connection
        variables   ✓ no variable overrides what is stored
        unfinished  ✓ no unfinished rotation or migration
        clear keys  ✓ no connection has a plain-text key
        origins     ✓ every key is bound to the host of its connection
        stores      ✓ the `file` store answers
        stores      ✓ `[HOME]/.ntro/identity.txt` beside the key file opens it: a copy of the folder has both
        network     ✓ no proxy is set
        seal        ✓ a keyless program reaches no key
        servers     ✓ [AUTHORITY] answers
        clock       ✓ agrees with that of [AUTHORITY]

        No problems found.
        ");
    sandbox.assert_nowhere(&key.key);

    let stub = Stub::start(|_| Reply::unauthorized());
    let sandbox = logged_in(&stub.host(), "ntro_prod_good");
    sandbox.ntro("doctor").run().success().done();
    assert!(!stub.seen().is_empty());
    assert!(stub.seen().iter().all(|request| request.key.is_none()));
    let seen = stub.seen().len();
    sandbox.ntro("doctor --offline").run().success().done();
    assert_eq!(stub.seen().len(), seen, "offline asked a server");
}

#[test]
fn new_machine_gets_first_step() {
    let sandbox = Sandbox::new();
    let report = sandbox.ntro("doctor --offline -o json").run().success();
    assert_snapshot!(sandbox.redact(&findings(&report)), @r"
        warning access: there is no `[HOME]/.ntro` yet
          → ntro auth login
        warning stores: the keyring store is not available: the session bus refuses connections
          → store the key elsewhere: `ntro auth login --store file` (encrypted) or `--store plaintext`; or give it as `NTRO_API_KEY`
        ");
}

/// A symbolic link `config.toml` puts temporary files beside its target.
#[test]
fn leftover_behind_symbolic_link_is_found() {
    let sandbox = logged_in("http://localhost:1/v1", "ntro_prod_good");
    let dotfiles = sandbox.home().join("dotfiles");
    fs::create_dir(&dotfiles).unwrap();
    let config = sandbox.ntro_home().join("config.toml");
    fs::rename(&config, dotfiles.join("ntro.toml")).unwrap();
    symlink("../dotfiles/ntro.toml", &config).unwrap();
    let left = dotfiles.join("ntro.toml.tmp");
    fs::write(&left, "api_key = \"ntro_half_secret\"").unwrap();
    let found = sandbox.ntro("doctor --offline -o json").run().success();
    assert_snapshot!(sandbox.redact(&findings(&found)), @r"
        warning leftovers: `[HOME]/.ntro/../dotfiles/ntro.toml.tmp` is left over from a killed command
          → ntro doctor --fix
        ");
    sandbox
        .ntro("doctor --offline --fix")
        .run()
        .success()
        .done();
    sandbox.assert_files_without("ntro_half_secret");
    assert!(fs::symlink_metadata(&config).unwrap().is_symlink());
}

#[test]
fn fix_option_repairs_what_it_can() {
    let sandbox = logged_in("http://localhost:1/v1", "ntro_prod_good");
    let home = sandbox.ntro_home();
    set_mode(&home, 0o755);
    set_mode(&home.join("config.toml"), 0o644);
    fs::write(home.join("logins.toml.tmp"), "half").unwrap();
    let found = sandbox.ntro("doctor --offline -o json").run().success();
    assert_snapshot!(sandbox.redact(&findings(&found)), @r"
        warning access: `[HOME]/.ntro` has the permissions 0755, which give access to others
          → chmod 700 [HOME]/.ntro
        warning access: `[HOME]/.ntro/config.toml` has the permissions 0644, which give access to others
          → chmod 600 [HOME]/.ntro/config.toml
        warning leftovers: `[HOME]/.ntro/logins.toml.tmp` is left over from a killed command
          → ntro doctor --fix
        ");

    let fixed = sandbox
        .ntro("doctor --offline --fix -o json")
        .run()
        .success();
    assert_snapshot!(sandbox.redact(&findings(&fixed)), @r"
        fixed access: `[HOME]/.ntro` had the permissions 0755, which gave access to others
          → -
        fixed access: `[HOME]/.ntro/config.toml` had the permissions 0644, which gave access to others
          → -
        fixed leftovers: `[HOME]/.ntro/logins.toml.tmp` is left over from a killed command
          → -
        ");
    let again = sandbox.ntro("doctor --offline -o json").run().success();
    assert_eq!(findings(&again), "");
    sandbox.assert_no_litter();
    sandbox
        .ntro("auth token")
        .run()
        .success()
        .says("ntro_prod_good")
        .done();
}

#[test]
fn config_mistakes_are_found() {
    let sandbox = logged_in("http://localhost:1/v1", "ntro_prod_good");
    let config = sandbox.config();
    sandbox.write_config(&format!(
        "default_connection_name = 'gone'\ncolour = 'red'\n{}\n\
         [connections.nohost]\nstore = 'file'\n\
         [connections.badhost]\nstore = 'file'\nhost = 'https://u:p@a.example'\n\
         [connections.clear]\nhost = 'http://localhost:1/v1'\napi_key = 'ntro_prod_clear'\n",
        config
            .replace("default_connection_name = \"acme\"\n", "")
            .replace("http://localhost:1/v1", "http://localhost:2/v1")
    ));
    let found = sandbox.ntro("doctor --offline -o json").run().exits(1);
    assert_snapshot!(sandbox.redact(&findings(&found)), @r"
        warning files: `colour` in `config.toml` is an unknown key
          → correct or remove it
        problem files: the connection `badhost`: the host contains a user name or password before `@`
          → correct its `host` in `config.toml`
        problem files: the connection `nohost` has no host
          → ntro auth login --name nohost --host URL
        problem files: `default_connection_name` is `gone`, and there is no such connection
          → ntro auth use NAME
        warning clear keys: `config.toml` has the key of `clear` in plain text
          → ntro auth migrate clear --to file
        warning origins: the key of `acme` is for http://localhost:1, and the connection calls http://localhost:2
          → ntro auth login --name acme --host http://localhost:2/v1 --overwrite
        ");
    sandbox.assert_only_in("ntro_prod_clear", &[".ntro/config.toml"]);

    sandbox.write_config("[connections.acme\n");
    let found = sandbox.ntro("doctor --offline -o json").run().exits(1);
    assert_snapshot!(sandbox.redact(&findings(&found)), @r"
        problem files: `[HOME]/.ntro/config.toml`, line 1, column 18: unclosed table, expected `]`
          → correct the file with an editor; nothing was changed
        ");
}

#[test]
fn shadowing_variables_are_named() {
    let sandbox = logged_in("http://localhost:1/v1", "ntro_prod_good");
    let found = sandbox
        .ntro("doctor --offline -o json")
        .env("NTRO_API_KEY", "ntro_prod_other")
        .env("https_proxy", "http://ada:secret@proxy.example:3128")
        .env("SSL_CERT_FILE", "/nowhere/ca.pem")
        .run()
        .exits(1);
    assert_snapshot!(sandbox.redact(&findings(&found)), @r"
        warning variables: `NTRO_API_KEY` overrides the stored API key of `acme`
          → unset NTRO_API_KEY
        problem network: the variable `SSL_CERT_FILE` names `/nowhere/ca.pem`, which cannot be read: No such file or directory (os error 2)
          → unset SSL_CERT_FILE
        ");
    sandbox.assert_nowhere("secret");
    sandbox.assert_nowhere("ntro_prod_other");
}

#[test]
fn unreachable_proxy_is_found() {
    let sandbox = logged_in("http://localhost:1/v1", "ntro_prod_good");
    let found = sandbox
        .ntro("doctor --offline -o json")
        .env("https_proxy", "socks5://ada:secret@proxy.example:1080")
        .env("ALL_PROXY", ":::secret")
        .run()
        .exits(1);
    assert_snapshot!(findings(&found), @r"
        problem network: the variable `HTTPS_PROXY` names no proxy: only `http` and `https` proxies are supported
          → set `HTTPS_PROXY`, or `https_proxy` where that is what is set, to `http://HOST:PORT`, or unset it
        problem network: the variable `ALL_PROXY` names no proxy: it is not of the form `http://HOST:PORT`
          → set `ALL_PROXY`, or `all_proxy` where that is what is set, to `http://HOST:PORT`, or unset it
        ");
    let refused = sandbox
        .ntro("auth test --host https://ntropii.invalid/v1")
        .env("NTRO_API_KEY", "ntro_prod_other")
        .env("https_proxy", "socks9://ada:secret@proxy.example:1080")
        .run()
        .exits(2);
    assert_snapshot!(refused, @r"
        exit code: 2
        ----- stderr -----
        warning: the variable `NTRO_API_KEY` overrides the stored API key of `acme`
        error: the variable `HTTPS_PROXY` names no proxy: only `http` and `https` proxies are supported
          hint: set `HTTPS_PROXY`, or `https_proxy` where that is what is set, to `http://HOST:PORT`, or unset it
        ");
    sandbox.assert_nowhere("secret");
}

#[test]
fn missing_stored_key_is_problem() {
    let sandbox = logged_in("http://localhost:1/v1", "ntro_prod_good");
    let home = sandbox.ntro_home();
    fs::rename(home.join("keys.age"), home.join("elsewhere")).unwrap();
    let found = sandbox.ntro("doctor --offline -o json").run().exits(1);
    assert_snapshot!(sandbox.redact(&findings(&found)), @r"
        problem stores: the `file` store has no key for `acme` at http://localhost:1
          → ntro auth login --name acme
        ");

    // A key without a connection is kept and named.
    fs::rename(home.join("elsewhere"), home.join("keys.age")).unwrap();
    sandbox.write_config("");
    fs::remove_file(home.join("logins.toml")).unwrap();
    sandbox.log_in(
        "--no-verify --store file --name other",
        "localhost:1/v1",
        "ntro_prod_other",
    );
    let found = sandbox.ntro("doctor --offline -o json").run().success();
    assert_snapshot!(sandbox.redact(&findings(&found)), @r"
        warning stores: the `file` store has a key for `acme` at http://localhost:1, which no connection uses
          → point the connection there again, or erase it with the store's own tool
        ");

    fs::write(home.join("identity.txt"), "no identity").unwrap();
    let found = sandbox.ntro("doctor --offline -o json").run().exits(1);
    assert_snapshot!(sandbox.redact(&findings(&found)), @r"
        problem stores: cannot use the identity `[HOME]/.ntro/identity.txt`: line 1 is not an identity as `age-keygen` makes it
          → name the right age identity or SSH key in `NTRO_IDENTITY_FILE`
        ");
}

#[test]
fn server_and_clock_are_checked() {
    let day = Duration::from_secs(86_400);
    let date = httpdate::fmt_http_date(SystemTime::now() + day);
    let fast = Stub::start(move |_| Reply::Dated(date.clone(), 401, json!({})));
    let wrong = Stub::start(|_| Reply::Json(404, json!({})));
    let broken = Stub::start(|_| Reply::Json(500, json!({})));
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/v1", listener.local_addr().unwrap())
    };
    let sandbox = logged_in(&fast.host(), "ntro_prod_good");
    sandbox.redacting(&fast.origin(), "[FAST]");
    for (name, host, shown) in [
        ("wrong", wrong.host(), "[WRONG]"),
        ("broken", broken.host(), "[BROKEN]"),
        ("gone", gone.clone(), "[GONE]"),
    ] {
        sandbox.redacting(host.strip_suffix("/v1").unwrap(), shown);
        sandbox.log_in(
            &format!("--no-verify --store file --name {name}"),
            &host,
            "ntro_prod_good",
        );
    }
    let found = sandbox.ntro("doctor -o json").run().exits(1);
    let mut found: Vec<_> = findings(&found)
        .split_inclusive("\n  ")
        .collect::<String>()
        .lines()
        .map(|line| sandbox.redact(&line))
        .map(|line| match line.split_once(" is 86") {
            // The answer takes a moment.
            Some((start, rest)) => {
                format!("{start} is [A DAY] {}", rest.split_once(' ').unwrap().1)
            }
            None => line,
        })
        .collect();
    // In the order of their ports.
    found.sort();
    assert_snapshot!(found.join("\n"), @r"
          → check the host, and that the server is running
          → correct the host: most Ntropii APIs have a path that ends in `/v1`
          → set this machine's clock: `timedatectl set-ntp true`
          → try again later, or report it to its operator
        problem servers: [BROKEN]/v1 answers with HTTP 500
        problem servers: [WRONG]/v1 answers, but does not serve this API
        problem servers: cannot reach `[GONE]`: the connection was refused
        warning clock: the clock of [FAST] is [A DAY] s ahead of this machine's
        ");
}

#[test]
fn origin_is_listed_once() {
    let stub = Stub::start(|request| {
        let now = httpdate::fmt_http_date(SystemTime::now());
        let status = if request.path.starts_with("/wrong") {
            404
        } else {
            401
        };
        Reply::Dated(now, status, json!({}))
    });
    let sandbox = logged_in(&stub.host(), "ntro_prod_good");
    sandbox.redacting(&stub.origin(), "[ORIGIN]");
    for path in ["v2", "wrong/v1", "wrong/v2"] {
        let name = path.replace('/', "-");
        let host = format!("{}/{path}", stub.origin());
        let options = format!("--no-verify --store file --name {name}");
        sandbox.log_in(&options, &host, "ntro_prod_good");
    }
    let report = sandbox.redact(&sandbox.ntro("doctor").run().exits(1));
    let lines: Vec<_> = report
        .lines()
        .filter(|line| line.contains("[ORIGIN]") && !line.contains("origins"))
        .map(|line| line.split(", in ").next().unwrap().trim_end())
        .collect();
    assert_snapshot!(lines.join("\n"), @r"
        servers     ✗ problem: [ORIGIN]/wrong/v1 answers, but does not serve this API
        servers     ✗ problem: [ORIGIN]/wrong/v2 answers, but does not serve this API
        servers     ✓ [ORIGIN] answers
        clock       ✓ agrees with that of [ORIGIN]
        ");
}

#[test]
fn unknown_exemption_is_named() {
    let sandbox = logged_in("http://localhost:1/v1", "ntro_prod_good");
    let found = sandbox
        .ntro("doctor --offline -o json")
        .env("NO_PROXY", "*.a.example, b.example:8443 10.0.0.0/8,10.*")
        .run()
        .success();
    assert_snapshot!(findings(&found), @r"
        warning network: `10.*` in `NO_PROXY` matches no server
          → write a domain (`a.example`), an address or a network (`10.0.0.0/8`), with `:PORT` for one port only
        ");
    let found = sandbox
        .ntro("doctor --offline -o json")
        .env("HTTPS_PROXY", "http://ada:pass#secret@proxy.example:3128")
        .run()
        .exits(1);
    assert!(findings(&found).contains("written `%23`"), "{found}");
    sandbox.assert_nowhere("secret");
}

#[test]
fn ontora_client_key_is_found() {
    let sandbox = logged_in("http://localhost:1/v1", "ntro_prod_good");
    let folder = sandbox.home().join(".ontora");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("config.yaml"), "api_key: ont_live_clear\n").unwrap();
    let found = sandbox.ntro("doctor --offline -o json").run().success();
    assert_snapshot!(sandbox.redact(&findings(&found)), @r"
        warning clear keys: `[HOME]/.ontora/config.yaml` has a key in plain text
          → ntro auth migrate --ontora --to file
        ");
    fs::write(folder.join("config.yaml"), "api_key: [\n").unwrap();
    let found = sandbox.ntro("doctor --offline -o json").run().success();
    assert_snapshot!(sandbox.redact(&findings(&found)), @r"
        warning clear keys: `[HOME]/.ontora/config.yaml`, line 2, column 1: this is not YAML
          → correct the file with an editor; nothing was changed
        ");
    sandbox.assert_only_in("ont_live_clear", &[".ontora/config.yaml"]);
}

#[test]
#[ignore = "needs strace: run scripts/test"]
fn unfinished_work_is_found() {
    let sandbox = logged_in("http://localhost:1/v1", "ntro_prod_good");
    let begun = sandbox.ntro_home().join("migrations.toml");
    let mut found = 0;
    at_each_effect(
        &sandbox,
        "auth migrate acme --to plaintext",
        |_| {
            sandbox
                .ntro("auth migrate acme --to file")
                .run()
                .success()
                .done()
        },
        |_| {
            let report = sandbox.ntro("doctor --offline -o json").run().success();
            let told = findings(&report).contains("`acme` was being moved");
            assert_eq!(told, begun.exists(), "{report}");
            found += u32::from(begun.exists());
        },
    );
    assert!(found > 2, "only {found} were cut off in between");
}
