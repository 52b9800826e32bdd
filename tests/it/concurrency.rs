//! Many processes that change one home at the same time.

use std::thread;

use ntro_base::Provider;
use ntro_client::config::Config;

use crate::support::{Authority, Sandbox};

/// Number of parallel processes.
const MANY: usize = 40;
const HAND_MADE: &str = "# mine\n[connections.hand-made]\nhost = \"https://a.example/v1\" # here\n";

/// Starts a login for each name and key in parallel, and asserts that all succeed.
fn log_in_in_parallel(sandbox: &Sandbox, host: &str, options: &str, logins: &[(String, String)]) {
    thread::scope(|scope| {
        for (name, key) in logins {
            scope.spawn(move || {
                sandbox.log_in(&format!("--name {name} {options}"), host, key);
            });
        }
    });
}

fn no_two_writers_lose_anything(store: &str) {
    let authority = Authority::start();
    let host = authority.host(Provider::Ntropii);
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    // Text that the user wrote into the file survives all of them.
    sandbox.write_config(HAND_MADE);
    let logins: Vec<_> = (0..MANY)
        .map(|number| {
            let key = authority.key(Provider::Ntropii, "acme-fund-admin");
            (format!("c{number}"), key.key)
        })
        .collect();
    log_in_in_parallel(&sandbox, &host, &format!("--store {store}"), &logins);

    for (name, key) in &logins {
        let token = sandbox.ntro("auth token -c").arg(name).run().success();
        assert_eq!(token.stdout.trim_end(), key, "{name}");
    }
    let config = Config::parse("config.toml".as_ref(), &sandbox.config()).unwrap();
    assert_eq!(config.names().count(), MANY + 1);
    assert!(sandbox.config().contains(HAND_MADE));
    // Exactly one of them was the first, and became the default.
    let default = config.default_name().unwrap();
    assert!(logins.iter().any(|(name, _)| name == default));

    // Removes all of them again, half by logging out, half by removing.
    thread::scope(|scope| {
        for (number, (name, _)) in logins.iter().enumerate() {
            let command = ["auth logout", "auth remove"][number % 2];
            let sandbox = &sandbox;
            scope.spawn(move || sandbox.ntro(command).arg(name).run().success().done());
        }
    });
    for (_, key) in &logins {
        sandbox.assert_files_without(key);
    }
    let config = Config::parse("config.toml".as_ref(), &sandbox.config()).unwrap();
    assert_eq!(config.names().count(), MANY / 2 + 1);
    sandbox.assert_no_litter();
}

#[test]
fn parallel_logins_into_file_lose_nothing() {
    no_two_writers_lose_anything("file");
}

#[test]
fn parallel_logins_into_config_lose_nothing() {
    no_two_writers_lose_anything("plaintext");
}

#[test]
fn same_name_logins_keep_one() {
    let authority = Authority::start();
    let host = authority.host(Provider::Ntropii);
    for store in ["file", "plaintext"] {
        let sandbox = Sandbox::new();
        sandbox.make_identity();
        let keys: Vec<_> = (0..MANY)
            .map(|_| authority.key(Provider::Ntropii, "acme-fund-admin"))
            .collect();
        let logins: Vec<_> = keys
            .iter()
            .map(|key| ("one".to_owned(), key.key.clone()))
            .collect();
        log_in_in_parallel(&sandbox, &host, &format!("--store {store}"), &logins);
        let token = sandbox.ntro("auth token").run().success();
        let last = keys.iter().find(|key| key.key == token.stdout.trim_end());
        // The record belongs to the key in the store.
        let list = sandbox.ntro("auth list -o json").run().success().json();
        assert_eq!(list[0]["key_prefix"], last.unwrap().prefix.as_str());
        assert_eq!(list.as_array().unwrap().len(), 1);
        sandbox.assert_no_litter();
    }
}

#[test]
fn readers_never_see_partial_change() {
    let authority = Authority::start();
    let host = authority.host(Provider::Ntropii);
    let sandbox = Sandbox::new();
    sandbox.make_identity();
    let keys: Vec<_> = (0..8)
        .map(|_| authority.key(Provider::Ntropii, "acme-fund-admin").key)
        .collect();
    let store = |name: &str| format!("--store {name}");
    let login = |key: &String| [("one".to_owned(), key.clone())];
    log_in_in_parallel(&sandbox, &host, &store("file"), &login(&keys[0]));
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for (number, key) in keys.iter().enumerate() {
                let store = store(["plaintext", "file"][number % 2]);
                log_in_in_parallel(&sandbox, &host, &store, &login(key));
            }
        });
        while !writer.is_finished() {
            let token = sandbox.ntro("auth token").run().success();
            assert!(keys.iter().any(|key| key == token.stdout.trim_end()));
        }
    });
}
