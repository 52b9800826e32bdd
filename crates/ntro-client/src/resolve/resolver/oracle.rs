//! Every combination of options, variables, pin and files, against the table of precedence written
//! down a second time: as lists of who wins, and nothing else.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::resolve::Connection;
use crate::secrets::{self, Item, SecretStore, StoreKind};
use ntro_base::disk::FileLock;

const NAMES: [&str; 6] = ["flag", "first", "second", "pin", "default", "production"];

/// What is given in one of the worlds, a bit each.
#[derive(Clone, Copy, Debug)]
struct Given(u32);

const BITS: u32 = 15;

impl Given {
    fn is(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }

    fn some(self, bit: u32, value: &'static str) -> Option<&'static str> {
        self.is(bit).then_some(value)
    }

    fn names(self) -> [Option<&'static str>; 6] {
        [
            self.some(0, "flag"),
            self.some(1, "first"),
            self.some(2, "second"),
            self.some(3, "pin"),
            self.some(4, "default"),
            // Not in the table: what the official clients do where no default is named.
            self.some(5, "production"),
        ]
    }

    fn hosts(self) -> [Option<&'static str>; 2] {
        [
            self.some(6, "https://of-flag.example"),
            self.some(7, "https://of-variable.example"),
        ]
    }

    fn key_variable(self) -> Option<&'static str> {
        self.some(8, "ntro_prod_variable")
    }

    fn in_store(self) -> bool {
        self.is(9)
    }

    fn in_config(self) -> bool {
        self.is(10)
    }

    fn tenants(self) -> [Option<&'static str>; 3] {
        [
            self.some(11, "of-flag"),
            self.some(12, "of-variable"),
            self.some(13, "of-pin"),
        ]
    }

    fn has_default_tenant(self) -> bool {
        self.is(14)
    }

    /// What is to come of it: name, host, key and tenant, or nothing to call with.
    fn expected(self) -> Option<[Option<String>; 4]> {
        let first = |places: &[Option<&'static str>]| places.iter().copied().flatten().next();
        let name = first(&self.names());
        let own_host = name.map(|name| format!("https://{name}.example"));
        let host = first(&self.hosts()).map(str::to_owned);
        let host = host.or_else(|| own_host.clone());
        // With no connection and no host there is the environment's key, for the production host.
        let host = host.unwrap_or_else(|| "https://api.ntropii.com/v1".to_owned());
        let own_key = name.and_then(|name| {
            let stored = self.in_store().then(|| format!("ntro_prod_stored_{name}"));
            stored.or_else(|| {
                let plain = self.in_config();
                plain.then(|| format!("ntro_prod_plain_{name}"))
            })
        });
        // A stored key is sent to its own origin and nowhere else.
        let own_key = own_key.filter(|_| own_host.as_ref() == Some(&host));
        let key = self.key_variable().map(str::to_owned).or(own_key)?;
        let tenant = first(&self.tenants()).map(str::to_owned);
        let own_tenant = name.filter(|_| self.has_default_tenant());
        let tenant = tenant.or_else(|| own_tenant.map(|name| format!("of-{name}")));
        Some([name.map(str::to_owned), Some(host), Some(key), tenant])
    }
}

/// The files of a world, which many worlds share.
struct OracleFiles {
    config: Config,
    records: KeyRecords,
    home: NtroDir,
}

impl OracleFiles {
    /// The bits that the files depend on.
    const BITS: u32 = 1 << 4 | 1 << 5 | 1 << 9 | 1 << 10 | 1 << 14;

    fn new(given: Given) -> Self {
        let mut text = String::new();
        if given.is(4) {
            text.push_str("default_connection_name = 'default'\n");
        }
        let mut records = KeyRecords::default();
        for name in NAMES {
            if name == "production" && !given.is(5) {
                continue;
            }
            let origin = format!("https://{name}.example");
            text.push_str(&format!("[connections.{name}]\nhost = '{origin}'\n"));
            if given.has_default_tenant() {
                text.push_str(&format!("default_tenant = 'of-{name}'\n"));
            }
            if given.in_config() {
                text.push_str(&format!("api_key = 'ntro_prod_plain_{name}'\n"));
            }
            if given.in_store() {
                let login = KeyRecord {
                    store: StoreKind::File.to_string(),
                    origin,
                    provider: "ntropii".to_owned(),
                    key_prefix: "ntro_prod_stor".to_owned(),
                    stored_at: "2026-01-01T00:00:00Z".parse().unwrap(),
                    expires_at: None,
                };
                records.insert(name, login);
            }
        }
        Self {
            config: Config::parse(Path::new("config.toml"), &text).unwrap(),
            records,
            home: NtroDir::at("/home/ada/.ntro"),
        }
    }

    fn resolver<'a>(
        &'a self,
        flags: &'a Flags,
        env: &'a Env,
        pin: Option<&'a Pin>,
    ) -> Resolver<'a> {
        Resolver {
            flags,
            env,
            pin,
            config: &self.config,
            records: &self.records,
            home: &self.home,
        }
    }
}

/// A store that stands for the one of this kind, and in which every connection has a key if that
/// is given.
struct OracleKeys {
    kind: StoreKind,
    given: Given,
}

impl SecretStore for OracleKeys {
    fn kind(&self) -> StoreKind {
        self.kind
    }

    fn probe(&self) -> Result<(), secrets::Error> {
        Ok(())
    }

    fn get(&self, item: &Item) -> Result<Option<ApiKey>, secrets::Error> {
        let name = item.connection.as_str();
        assert_eq!(item.origin.as_str(), format!("https://{name}.example"));
        let what = match self.kind {
            StoreKind::File if self.given.in_store() => "stored",
            StoreKind::Plaintext if self.given.in_config() => "plain",
            _ => return Ok(None),
        };
        Ok(format!("ntro_prod_{what}_{name}").parse().ok())
    }

    fn put(&self, _: &Item, _: &ApiKey, _: &FileLock) -> Result<(), secrets::Error> {
        unreachable!("a call stores nothing")
    }

    fn erase(&self, _: &Item, _: &FileLock) -> Result<bool, secrets::Error> {
        unreachable!("a call erases nothing")
    }

    fn list(&self) -> Result<Vec<Item>, secrets::Error> {
        unreachable!("a call lists nothing")
    }
}

fn variables<const N: usize>(variables: [(&EnvVar, Option<&'static str>); N]) -> Env {
    let given = variables.into_iter();
    Env::from_pairs(given.filter_map(|(variable, value)| Some((variable, value?))))
}

fn pin(connection: Option<&str>, tenant: Option<&str>) -> Option<Pin> {
    (connection.is_some() || tenant.is_some()).then(|| Pin {
        path: "/project/.ntro.toml".into(),
        connection: connection.map(str::to_owned),
        tenant: tenant.map(str::to_owned),
    })
}

fn seen(connection: Connection) -> [Option<String>; 4] {
    let origin = connection.host.value.origin();
    let key = connection.key.value.for_origin(&origin);
    [
        connection.name.map(|name| name.value.to_string()),
        Some(connection.host.value.to_string()),
        key.map(|key| key.expose().to_owned()),
        connection.tenant.map(|tenant| tenant.value.to_string()),
    ]
}

#[test]
fn every_combination_comes_out_as_the_table_says() {
    let mut files = BTreeMap::new();
    let mut good = 0;
    for bits in 0..1_u32 << BITS {
        let given = Given(bits);
        let files = files
            .entry(bits & OracleFiles::BITS)
            .or_insert_with(|| OracleFiles::new(given));
        let [name, first, second, pinned, ..] = given.names();
        let [host, host_variable] = given.hosts();
        let [tenant, tenant_variable, pinned_tenant] = given.tenants();
        let flags = Flags {
            connection: name.map(|name| name.parse().unwrap()),
            host: host.map(|host| host.parse().unwrap()),
            tenant: tenant.map(|tenant| tenant.parse().unwrap()),
            ..Flags::default()
        };
        let env = variables([
            (&env::NTRO_CONNECTION, first),
            (&env::NTRO_DEFAULT_CONNECTION_NAME, second),
            (&env::NTRO_HOST, host_variable),
            (&env::NTRO_API_KEY, given.key_variable()),
            (&env::NTRO_TENANT, tenant_variable),
        ]);
        let pin = pin(pinned, pinned_tenant);
        let resolver = files.resolver(&flags, &env, pin.as_ref());
        let connection = resolver.connection(
            &StoreKind::ALL
                .into_iter()
                .fold(super::tests::closed(), |stores, kind| {
                    stores.with(kind, Box::new(OracleKeys { kind, given }))
                }),
        );
        good += u32::from(connection.is_ok());
        let seen = connection.ok().map(seen);
        assert_eq!(seen, given.expected(), "{bits:#017b}");
    }
    // Neither answer is the only one.
    assert!(good > 1 << (BITS - 2) && good < 1 << BITS, "{good}");
}

#[test]
fn an_unknown_name_is_an_error_wherever_it_stands_and_whatever_else_is_named() {
    let files = OracleFiles::new(Given(OracleFiles::BITS));
    // Weaker places that name a connection never step in.
    for strongest in 0..4 {
        let name = |place: usize| match place.cmp(&strongest) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => Some("ghost"),
            std::cmp::Ordering::Greater => Some("first"),
        };
        let flags = Flags {
            connection: name(0).map(|name| name.parse().unwrap()),
            ..Flags::default()
        };
        let env = variables([
            (&env::NTRO_CONNECTION, name(1)),
            (&env::NTRO_DEFAULT_CONNECTION_NAME, name(2)),
            (&env::NTRO_HOST, Some("https://of-variable.example")),
            (&env::NTRO_API_KEY, Some("ntro_prod_variable")),
        ]);
        let pin = pin(name(3), None);
        let resolver = files.resolver(&flags, &env, pin.as_ref());
        match resolver.connection(&super::tests::closed()) {
            Err(Error::UnknownConnection { name, known, .. }) => {
                assert_eq!(name, "ghost");
                assert_eq!(known.len(), NAMES.len());
            }
            other => panic!("{strongest}: {other:?}"),
        }
    }
}
