//! Every row of the precedence table, and the rules that bind a key to its origin.

use std::path::Path;

use secrecy::ExposeSecret as _;

use super::*;
use crate::config::{Config, NtroDir, Pin};
use crate::secrets::{self, Item, MemoryStore, SecretStore, StoreKind, StoreSettings, Stores};
use crate::state::{KeyRecord, KeyRecords};
use ntro_base::ApiKey;
use ntro_base::disk::FileLock;
use ntro_base::env::{self, Env, EnvVar};

pub(super) const CONFIG: &str = r#"
default_connection_name = "default"
[connections.default]
host = "https://default.example/v1"
default_tenant = "tenant-of-default"
[connections.flag]
host = "https://flag.example"
provider = "ontora"
default_tenant = "tenant-of-flag"
[connections.first]
host = "https://first.example"
[connections.second]
host = "https://second.example"
[connections.pin]
host = "https://pin.example"
[connections.plain]
host = "https://plain.example"
api_key = "ont_live_0123456789abcdefghijklmnopqrstuv"
[connections.hostless]
default_tenant = "x"
"#;

pub(super) struct World {
    flags: Flags,
    env: Env,
    pin: Option<Pin>,
    config: Config,
    records: KeyRecords,
    home: NtroDir,
}

impl World {
    fn new() -> Self {
        Self {
            flags: Flags::default(),
            env: Env::default(),
            pin: None,
            config: Config::parse(Path::new("config.toml"), CONFIG).unwrap(),
            records: KeyRecords::default(),
            home: NtroDir::at("/home/ada/.ntro"),
        }
    }

    fn connection(mut self, name: &str) -> Self {
        self.flags.connection = Some(name.parse().unwrap());
        self
    }

    fn host(mut self, host: &str) -> Self {
        self.flags.host = Some(host.parse().unwrap());
        self
    }

    fn tenant(mut self, tenant: &str) -> Self {
        self.flags.tenant = Some(tenant.parse().unwrap());
        self
    }

    fn env<const N: usize>(mut self, pairs: [(&EnvVar, &str); N]) -> Self {
        self.env = Env::from_pairs(pairs);
        self
    }

    fn pin(mut self, connection: Option<&str>, tenant: Option<&str>) -> Self {
        self.pin = Some(Pin {
            path: "/project/.ntro.toml".into(),
            connection: connection.map(str::to_owned),
            tenant: tenant.map(str::to_owned),
        });
        self
    }

    fn login(mut self, name: &str, store: StoreKind, origin: &str, prefix: &str) -> Self {
        let login = KeyRecord {
            store: store.to_string(),
            origin: origin.to_owned(),
            provider: "ntropii".to_owned(),
            key_prefix: prefix.to_owned(),
            stored_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            expires_at: None,
        };
        self.records.insert(name, login);
        self
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            flags: &self.flags,
            env: &self.env,
            pin: self.pin.as_ref(),
            config: &self.config,
            records: &self.records,
            home: &self.home,
        }
    }

    fn resolve(&self) -> Resolution {
        self.inputs().resolve()
    }

    fn name(&self) -> String {
        self.resolve().name().unwrap().unwrap().value.to_string()
    }

    fn error(&self) -> String {
        self.resolve()
            .connection(&closed())
            .unwrap_err()
            .to_string()
    }

    fn with_store(&self, item: Option<(&str, &str, &str)>) -> Result<Connection, Error> {
        let folder = tempfile::tempdir().unwrap();
        let lock = FileLock::acquire(&folder.path().join(".lock")).unwrap();
        let store = MemoryStore::new();
        if let Some((name, origin, key)) = item {
            let item = Item::new(name.parse().unwrap(), origin.parse().unwrap());
            store.put(&item, &key.parse().unwrap(), &lock).unwrap();
        }
        self.resolve().connection(&stores(&store))
    }
}

/// Stores that must not be opened.
pub(super) fn closed() -> Stores {
    struct Closed;
    impl SecretStore for Closed {
        fn kind(&self) -> StoreKind {
            panic!("a store was opened")
        }
        fn probe(&self) -> Result<(), secrets::Error> {
            panic!("a store was opened")
        }
        fn get(&self, _: &Item) -> Result<Option<ApiKey>, secrets::Error> {
            panic!("a store was opened")
        }
        fn put(&self, _: &Item, _: &ApiKey, _: &FileLock) -> Result<(), secrets::Error> {
            panic!("a store was opened")
        }
        fn erase(&self, _: &Item, _: &FileLock) -> Result<bool, secrets::Error> {
            panic!("a store was opened")
        }
        fn list(&self) -> Result<Vec<Item>, secrets::Error> {
            panic!("a store was opened")
        }
    }
    let none = Stores::new(StoreSettings::new("/nonexistent".into()));
    let kinds = StoreKind::ALL.into_iter();
    kinds.fold(none, |stores, kind| stores.with(kind, Box::new(Closed)))
}

/// Stores that all hold the same keys.
fn stores(store: &MemoryStore) -> Stores {
    let kinds = StoreKind::ALL.into_iter();
    kinds.fold(closed(), |stores, kind| {
        stores.with(kind, Box::new(store.clone()))
    })
}

#[test]
fn connection_sources_have_an_order() {
    let both = [
        (&env::NTRO_CONNECTION, "first"),
        (&env::NTRO_DEFAULT_CONNECTION_NAME, "second"),
    ];
    let all = || World::new().env(both).pin(Some("pin"), None);
    assert_eq!(all().connection("flag").name(), "flag");
    assert_eq!(all().name(), "first");
    assert_eq!(all().env([both[1]]).name(), "second");
    assert_eq!(all().env([]).name(), "pin");
    assert_eq!(World::new().pin(None, Some("t")).name(), "default");
}

#[test]
fn unknown_connection_is_never_replaced() {
    let both = [(&env::NTRO_HOST, "https://h"), (&env::NTRO_API_KEY, "k")];
    let error = World::new().env(both).connection("x").error();
    assert_eq!(
        error,
        "there is no connection `x` (named by `--connection`)"
    );
    let error = World::new()
        .env([(&env::NTRO_CONNECTION, "x")])
        .resolve()
        .name()
        .unwrap_err();
    let Error::UnknownConnection {
        known,
        source_of_value,
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(source_of_value, Source::Variable("NTRO_CONNECTION"));
    assert_eq!(
        known,
        [
            "default", "first", "flag", "hostless", "pin", "plain", "second"
        ]
    );
}

#[test]
fn host_sources_have_an_order() {
    let host = |world: World| world.resolve().host().unwrap().value.to_string();
    let env = [(&env::NTRO_HOST, "https://env.example")];
    assert_eq!(
        host(World::new().env(env).host("https://f.example")),
        "https://f.example"
    );
    assert_eq!(host(World::new().env(env)), "https://env.example");
    assert_eq!(host(World::new()), "https://default.example/v1");
    let error = World::new().connection("hostless").error();
    assert_eq!(
        error,
        "the connection `hostless` has no `host` in `config.toml`"
    );
    let error = World::new()
        .env([(&env::NTRO_HOST, "https://u:p@h")])
        .error();
    assert_eq!(
        error,
        "the variable `NTRO_HOST`: the host contains a user name or password before `@`"
    );
}

#[test]
fn tenant_sources_have_an_order() {
    let tenant = |world: World| {
        let resolution = world.resolve();
        let tenant = resolution.tenant().unwrap();
        tenant.map(|tenant| tenant.value.to_string())
    };
    let env = [(&env::NTRO_TENANT, "env")];
    let all = || World::new().env(env).pin(None, Some("pin"));
    assert_eq!(tenant(all().tenant("flag")).unwrap(), "flag");
    assert_eq!(tenant(all()).unwrap(), "env");
    assert_eq!(tenant(all().env([])).unwrap(), "pin");
    assert_eq!(tenant(World::new()).unwrap(), "tenant-of-default");
    assert_eq!(tenant(World::new().connection("first")), None);
}

#[test]
fn key_sources_have_an_order() {
    let key = |world: World| {
        let stored = ("plain", "https://plain.example", "stored-key");
        let connection = world.with_store(Some(stored)).unwrap();
        let origin = "https://plain.example".parse().unwrap();
        let key = connection
            .key
            .value
            .for_origin(&origin)
            .unwrap()
            .expose()
            .to_owned();
        (key, connection.key.source)
    };
    let plain = || World::new().connection("plain");
    let keyring = |world: World| {
        world.login(
            "plain",
            StoreKind::Keyring,
            "https://plain.example",
            "stored",
        )
    };
    let env = [(&env::NTRO_API_KEY, "env-key")];
    assert_eq!(
        key(keyring(plain().env(env))),
        ("env-key".to_owned(), Source::Variable("NTRO_API_KEY"))
    );
    assert_eq!(
        key(keyring(plain())),
        ("stored-key".to_owned(), Source::Store(StoreKind::Keyring))
    );
    let login = keyring(plain());
    let (found, source) = {
        let connection = login.with_store(None).unwrap();
        let origin = connection.host.value.origin();
        (
            connection
                .key
                .value
                .for_origin(&origin)
                .unwrap()
                .expose()
                .to_owned(),
            connection.key.source,
        )
    };
    assert_eq!(found, "ont_live_0123456789abcdefghijklmnopqrstuv");
    assert!(
        source.to_string().contains("connections.plain.api_key"),
        "{source}"
    );
    let error = World::new().with_store(None).unwrap_err().to_string();
    assert_eq!(error, "there is no API key for the connection `default`");
}

#[test]
fn provider_sources_have_an_order() {
    let provider = |world: World| world.resolve().provider().unwrap().value;
    assert_eq!(provider(World::new().connection("flag")), Provider::Ontora);
    assert_eq!(provider(World::new().connection("plain")), Provider::Ontora);
    let login = World::new().login("plain", StoreKind::Keyring, "https://plain.example", "x");
    assert_eq!(provider(login.connection("plain")), Provider::Ntropii);
    assert_eq!(provider(World::new()), Provider::Ntropii);
    let env = [(&env::NTRO_API_KEY, "ont_live_x")];
    assert_eq!(provider(World::new().env(env)), Provider::Ontora);
}

#[test]
fn given_key_decides_provider_of_given_host() {
    let ontora = [(&env::NTRO_API_KEY, "ont_live_x")];
    let ntropii = [(&env::NTRO_API_KEY, "ntro_prod_x")];
    let login = || World::new().login("first", StoreKind::Keyring, "https://first.example", "x");
    let provider = |world: &World| world.resolve().provider().unwrap().value;
    let there = |world: World| world.host("https://there.example");
    for world in [
        there(login().connection("first").env(ontora)),
        there(World::new().env(ontora)),
        World::new().env([ontora[0], (&env::NTRO_HOST, "https://there.example")]),
    ] {
        assert_eq!(provider(&world), Provider::Ontora);
        assert!(world.resolve().key().is_ok());
    }
    let flag = there(World::new().connection("flag").env(ntropii));
    assert_eq!(provider(&flag), Provider::Ntropii);
    // A key that looks like none goes where the connection belongs.
    let odd = World::new()
        .connection("flag")
        .env([(&env::NTRO_API_KEY, "sk-1")]);
    assert_eq!(provider(&there(odd)), Provider::Ontora);

    let refused = |world: World| match world.resolve().key() {
        Err(Error::KeyOfOtherProvider { key, other, .. }) => (key, other),
        other => panic!("{other:?}"),
    };
    let ours_elsewhere = (Provider::Ontora, Provider::Ntropii);
    for world in [
        login().connection("first").env(ontora),
        World::new().env(ontora).host("https://api.ntropii.com/v1"),
        World::new()
            .connection("flag")
            .env(ontora)
            .host("https://api.ntropii.com/v1"),
    ] {
        assert_eq!(refused(world), ours_elsewhere);
    }
    for world in [
        World::new().connection("flag").env(ntropii),
        World::new().connection("plain").env(ntropii),
        World::new().env(ntropii).host("https://api.ontora.com"),
    ] {
        assert_eq!(refused(world), (Provider::Ntropii, Provider::Ontora));
    }
}

#[test]
fn stored_key_stays_with_origin() {
    let there = "https://default.example";
    let stored = || World::new().login("default", StoreKind::Keyring, there, "p");
    let error = stored().host("https://default.example:8443").error();
    assert_eq!(
        error,
        "the stored API key of `default` belongs to https://default.example, not to https://default.example:8443 (named by `--host`)"
    );
    let error = stored()
        .env([(&env::NTRO_HOST, "http://default.example")])
        .error();
    assert!(
        error.ends_with("(named by the variable `NTRO_HOST`)"),
        "{error}"
    );
    // The host in the file was edited after the login.
    let error = World::new()
        .login("default", StoreKind::Keyring, "https://old.example", "p")
        .error();
    assert!(
        error.contains("belongs to https://old.example, not to https://default.example"),
        "{error}"
    );
    assert!(
        error.contains("`connections.default.host` in `config.toml`"),
        "{error}"
    );
    // Another path of the same origin is fine.
    let same = stored().host("https://default.example/v2");
    assert!(same.with_store(Some(("default", there, "k"))).is_ok());
    // A key from the environment is sent to the given host.
    let given = stored()
        .host("https://other.example")
        .env([(&env::NTRO_API_KEY, "given")]);
    let key = given.with_store(None).unwrap().key.value;
    assert_eq!(key.origin().as_str(), "https://other.example");
}

#[test]
fn own_plaintext_key_is_origin_bound() {
    let login = |prefix| {
        World::new().connection("plain").login(
            "plain",
            StoreKind::Plaintext,
            "https://old.example",
            prefix,
        )
    };
    let error = login("ont_live_0123")
        .resolve()
        .key()
        .unwrap_err()
        .to_string();
    assert!(error.contains("belongs to https://old.example"), "{error}");
    assert!(login("ont_live_zzzz").resolve().key().is_ok());
    assert!(World::new().connection("plain").resolve().key().is_ok());
}

#[test]
fn plaintext_key_follows_new_host() {
    let login = |origin: &str| {
        World::new()
            .connection("plain")
            .login("plain", StoreKind::Keyring, origin, "ntro_prod_old")
    };
    let there = Some(("plain", "https://old.example", "old"));
    let moved = login("https://old.example").with_store(there).unwrap();
    assert!(
        moved
            .key
            .source
            .to_string()
            .contains("connections.plain.api_key")
    );
    assert_eq!(moved.key.value.origin().as_str(), "https://plain.example");
    // The remaining login record is for Ntropii, but the key is for Ontora.
    assert_eq!(moved.provider.value, Provider::Ontora);
    // Neither key is sent to any other host.
    for host in ["https://other.example", "https://old.example"] {
        let elsewhere = login("https://old.example").host(host).with_store(None);
        assert!(elsewhere.is_err(), "{host}");
    }
    // At the origin of the login the stored key takes precedence.
    let there = Some(("plain", "https://plain.example", "old"));
    let stored = login("https://plain.example").with_store(there).unwrap();
    assert_eq!(stored.key.source, Source::Store(StoreKind::Keyring));
}

#[test]
fn edited_host_keeps_no_old_key() {
    let stored = || {
        World::new().connection("plain").login(
            "plain",
            StoreKind::Keyring,
            "https://old.example",
            "ntro_prod_old",
        )
    };
    for ours in [
        "store = 'keyring'",
        "provider = 'ontora'",
        "admin_token_command = ['t']",
    ] {
        let text = CONFIG.replace(
            "[connections.plain]",
            &format!("[connections.plain]\n{ours}"),
        );
        let world = World {
            config: Config::parse(Path::new("config.toml"), &text).unwrap(),
            ..stored()
        };
        let error = world.error();
        assert!(
            error.contains("belongs to https://old.example, not to https://plain.example"),
            "{ours}: {error}"
        );
    }
    // Without keys of `ntro`, an official login has written the entry.
    assert!(stored().with_store(None).is_ok());
}

#[test]
fn store_sources_have_an_order() {
    let store = |world: &World, name: &str| {
        world
            .inputs()
            .facts(&name.parse().unwrap())
            .store
            .map(|store| store.value)
    };
    assert_eq!(store(&World::new(), "default").unwrap(), StoreKind::Keyring);
    assert_eq!(store(&World::new(), "plain").unwrap(), StoreKind::Plaintext);
    let login = World::new().login("plain", StoreKind::File, "https://plain.example", "x");
    assert_eq!(store(&login, "plain").unwrap(), StoreKind::File);
    let text = CONFIG.replace(
        "[connections.plain]",
        "[connections.plain]\nstore = \"safe\"",
    );
    let named = World {
        config: Config::parse(Path::new("config.toml"), &text).unwrap(),
        ..login
    };
    assert_eq!(
        store(&named, "plain").unwrap_err().to_string(),
        "`connections.plain.store` in `config.toml`: unknown store `safe`: expected `keyring`, `file`, `keyutils`, `command` or `plaintext`"
    );
}

#[test]
fn environment_needs_no_connection() {
    let empty = || World {
        config: Config::default(),
        ..World::new()
    };
    assert!(matches!(
        empty().resolve().name(),
        Err(Error::NoConnection { .. })
    ));
    let env = [(&env::NTRO_API_KEY, "ont_live_x")];
    let connection = empty().env(env).with_store(None).unwrap();
    assert!(connection.name.is_none());
    assert_eq!(connection.host.value.as_str(), "https://api.ontora.com");
    let env = [(&env::NTRO_HOST, "localhost:3000/v1")];
    assert_eq!(
        empty().env(env).error(),
        "there is no API key for this call"
    );
}

#[test]
fn missing_keyring_matters_for_its_keys() {
    struct Absent;
    impl SecretStore for Absent {
        fn kind(&self) -> StoreKind {
            StoreKind::Keyring
        }
        fn probe(&self) -> Result<(), secrets::Error> {
            self.get_error().map(drop)
        }
        fn get(&self, _: &Item) -> Result<Option<ApiKey>, secrets::Error> {
            self.get_error()
        }
        fn put(&self, _: &Item, _: &ApiKey, _: &FileLock) -> Result<(), secrets::Error> {
            self.get_error().map(drop)
        }
        fn erase(&self, _: &Item, _: &FileLock) -> Result<bool, secrets::Error> {
            self.get_error().map(|_| false)
        }
        fn list(&self) -> Result<Vec<Item>, secrets::Error> {
            self.get_error().map(|_| Vec::new())
        }
    }
    impl Absent {
        fn get_error(&self) -> Result<Option<ApiKey>, secrets::Error> {
            Err(secrets::Error::Absent {
                store: self.kind(),
                reason: "no session bus".to_owned(),
            })
        }
    }
    let error = |world: World| {
        world
            .resolve()
            .connection(&closed().with(StoreKind::Keyring, Box::new(Absent)))
            .unwrap_err()
    };
    assert!(matches!(error(World::new()), Error::NoKey { .. }));
    let login = World::new().login(
        "default",
        StoreKind::Keyring,
        "https://default.example",
        "x",
    );
    assert!(matches!(error(login), Error::Store(_)));
}

#[test]
fn overriding_variables_are_refused_when_strict() {
    let hidden = |world: &World| -> Vec<(ResolvedValue, &'static str)> {
        let resolution = world.resolve();
        let shadows = resolution.shadows().unwrap();
        let hidden = shadows.iter().map(|shadow| (shadow.value, shadow.variable));
        hidden.collect()
    };
    let login = |env: &[(&EnvVar, &str)]| World {
        env: Env::from_pairs(env.iter().copied()),
        ..World::new().login(
            "default",
            StoreKind::Keyring,
            "https://default.example",
            "x",
        )
    };
    let none: [(ResolvedValue, &str); 0] = [];
    assert_eq!(hidden(&login(&[])), none);
    let key = (&env::NTRO_API_KEY, "k");
    let host = (&env::NTRO_HOST, "https://other.example");
    let tenant = (&env::NTRO_TENANT, "other");
    let connection = (&env::NTRO_CONNECTION, "first");
    let told = [
        (ResolvedValue::Host, "NTRO_HOST"),
        (ResolvedValue::Key, "NTRO_API_KEY"),
        (ResolvedValue::Tenant, "NTRO_TENANT"),
    ];
    assert_eq!(hidden(&login(&[key, host, tenant])), told);
    let told = [(ResolvedValue::Connection, "NTRO_CONNECTION")];
    assert_eq!(hidden(&login(&[connection])), told);
    // The selected connection has no key and no tenant to hide.
    let told = [
        (ResolvedValue::Connection, "NTRO_CONNECTION"),
        (ResolvedValue::Host, "NTRO_HOST"),
    ];
    assert_eq!(hidden(&login(&[connection, key, host, tenant])), told);
    for same in [
        (&env::NTRO_HOST, "default.example/v1/"),
        (&env::NTRO_CONNECTION, "default"),
        (&env::NTRO_TENANT, "tenant-of-default"),
    ] {
        assert_eq!(hidden(&login(&[same])), none);
    }
    assert_eq!(hidden(&World::new().env([key])), none);
    // A command line option hides both.
    let option = login(&[connection, tenant])
        .connection("default")
        .tenant("x");
    assert_eq!(hidden(&option), none);
    let pin = World::new().pin(Some("pin"), Some("t")).env([tenant]);
    assert_eq!(hidden(&pin), [(ResolvedValue::Tenant, "NTRO_TENANT")]);

    let strict = login(&[key, (&env::NTRO_STRICT, "1")]);
    let shadow = strict.resolve().shadows().unwrap()[0].clone();
    assert_eq!(
        strict.resolve().check(&shadow).unwrap_err().to_string(),
        "the variable `NTRO_API_KEY` overrides the stored API key of `default`, and `NTRO_STRICT` is set"
    );
    assert!(login(&[key]).resolve().check(&shadow).is_ok());
}

#[test]
fn production_sources_have_an_order() {
    let production = |name: &str, host: &str, line: &str, flag: Option<&str>| {
        let text = format!("[connections.{name}]\nhost = '{host}'\n{line}");
        let mut world = World {
            config: Config::parse(Path::new("config.toml"), &text).unwrap(),
            ..World::new().connection(name)
        };
        if let Some(flag) = flag {
            world = world.host(flag);
        }
        world.resolve().production().unwrap().is_some()
    };
    let (vendor, own, local) = (
        "https://api.ntropii.com/v1",
        "https://own.example",
        "http://localhost:3000/v1",
    );
    for (name, host, line, flag, expected) in [
        ("a", vendor, "", None, true),
        ("a", "https://api.eu.ontora.com", "", None, true),
        ("a", "https://acme.tenants.ntropii.com/v1", "", None, true),
        ("a", own, "", None, false),
        ("prod", own, "", None, true),
        ("production", own, "", None, true),
        ("production", local, "", None, false),
        ("a", local, "production = true", None, true),
        ("a", own, "production = true", None, true),
        ("a", vendor, "production = false", None, false),
        ("production", own, "production = false", None, false),
        // `production` in an entry applies only to the host of that entry.
        ("a", own, "production = false", Some(vendor), true),
        ("a", own, "production = true", Some(local), true),
        ("a", own, "", Some(vendor), true),
    ] {
        let what = format!("{name} {host} {line} {flag:?}");
        assert_eq!(production(name, host, line, flag), expected, "{what}");
    }
    let env = [
        (&env::NTRO_HOST, vendor),
        (&env::NTRO_API_KEY, "ntro_prod_x"),
    ];
    let alone = World {
        config: Config::default(),
        ..World::new().env(env)
    };
    let resolution = alone.resolve();
    let found = resolution.production().unwrap().unwrap();
    assert_eq!(found.to_string(), "https://api.ntropii.com");
}

#[test]
fn policy_decides_about_key() {
    let connection = |policy: &str, key: Option<&str>| {
        let text = format!("[connections.c]\nhost = 'https://c.example'\napi_key = 'k'\n{policy}");
        let world = World {
            config: Config::parse(Path::new("config.toml"), &text).unwrap(),
            ..World::new().connection("c")
        };
        let world = match key {
            Some(key) => world.env([(&env::NTRO_API_KEY, key)]),
            None => world,
        };
        world
            .resolve()
            .connection(&stores(&MemoryStore::new()))
            .unwrap()
    };
    let out = |connection: Connection, answer: Option<bool>| {
        let asked = |_: &ConnectionName| Ok::<_, Error>(answer.expect("nobody is to be asked"));
        let key = connection.reveal(asked);
        key.map(|key| key.expose().to_owned())
            .map_err(|error| error.to_string())
    };
    let keyless = "policy = 'keyless'";
    assert_eq!(out(connection("", None), None).unwrap(), "k");
    assert_eq!(out(connection("policy = 'none'", None), None).unwrap(), "k");
    assert_eq!(
        out(connection(keyless, None), None).unwrap_err(),
        "the policy of `c` is `keyless`: its API key is never revealed"
    );
    assert_eq!(out(connection(keyless, Some("e")), None).unwrap(), "e");
    let confirm = || connection("policy = 'confirm'", None);
    assert_eq!(out(confirm(), Some(true)).unwrap(), "k");
    assert_eq!(
        out(confirm(), Some(false)).unwrap_err(),
        "the API key of `c` was not revealed"
    );
}

#[test]
fn explanation_lists_sources_without_key() {
    let world = World::new()
        .env([(&env::NTRO_API_KEY, "ntro_prod_0123456789abcdefghijkl")])
        .login(
            "plain",
            StoreKind::Keyring,
            "https://plain.example",
            "ont_live_0123",
        )
        .connection("plain");
    let decision = world.resolve().key.trace.unwrap();
    let found: Vec<_> = decision
        .candidates
        .iter()
        .map(|place| place.found.as_deref())
        .collect();
    assert_eq!(
        found,
        [
            Some("ntro_prod_…"),
            Some("ont_live_0123…"),
            Some("ont_live_0123…")
        ]
    );
    assert_eq!(
        decision.winner().unwrap().source,
        Source::Variable("NTRO_API_KEY")
    );
}

#[test]
fn admin_token_sources_have_an_order() {
    let config = |command: &str| {
        let text = format!("{CONFIG}\n[connections.admin]\nhost = 'https://a.example'\n{command}");
        Config::parse(Path::new("config.toml"), &text).unwrap()
    };
    let world = |command: &str| World {
        config: config(command),
        ..World::new().connection("admin")
    };
    let token = |world: &World, on_stdin| world.resolve().admin_token(on_stdin);
    let command = "admin_token_command = ['ntro', 'admin', 'token']";
    let all = world(command).env([(&env::NTRO_ADMIN_TOKEN, "a.b.c")]);
    assert!(matches!(
        token(&all, true).unwrap(),
        AdminTokenSource::Stdin
    ));
    match token(&all, false).unwrap() {
        AdminTokenSource::Given(token) => assert_eq!(token.expose_secret(), "a.b.c"),
        other => panic!("{other:?}"),
    }
    match token(&world(command), false).unwrap() {
        AdminTokenSource::Command(command) => {
            assert_eq!(command.program, "ntro");
            assert_eq!(command.arguments, ["admin", "token"]);
            assert_eq!(
                command.source.to_string(),
                "`connections.admin.admin_token_command` in `config.toml`"
            );
        }
        other => panic!("{other:?}"),
    }
    for nothing in ["", "admin_token_command = []", "admin_token_command = ['']"] {
        let error = token(&world(nothing), false).unwrap_err().to_string();
        let expected = match nothing {
            "" => "there is no admin token for the connection `admin`",
            _ => "`connections.admin.admin_token_command` in `config.toml`: it names no program",
        };
        assert_eq!(error, expected);
    }
}

#[test]
fn admin_token_command_is_origin_bound() {
    let text = format!(
        "{CONFIG}\n[connections.admin]\nhost = 'https://a.example'\nadmin_token_command = ['t']"
    );
    let world = || World {
        config: Config::parse(Path::new("config.toml"), &text).unwrap(),
        ..World::new().connection("admin")
    };
    let error = world()
        .host("https://b.example")
        .resolve()
        .admin_token(false)
        .unwrap_err();
    assert!(
        matches!(error, Error::AdminTokenBoundElsewhere { .. }),
        "{error}"
    );
    let other_path = world().host("https://a.example/v1");
    assert!(other_path.resolve().admin_token(false).is_ok());
    // The host was edited after the login, so the command is bound to the earlier host.
    let edited = world().login(
        "admin",
        StoreKind::Keyring,
        "https://before.example",
        "ntro_x",
    );
    let error = edited.resolve().admin_token(false).unwrap_err();
    assert!(
        matches!(&error, Error::AdminTokenBoundElsewhere { bound, .. } if bound.as_str() == "https://before.example"),
        "{error}"
    );
    let given = world()
        .host("https://b.example")
        .env([(&env::NTRO_ADMIN_TOKEN, "a.b.c")]);
    assert!(given.resolve().admin_token(false).is_ok());
}
