//! The table of precedence: every combination of the sources of every value, decided in one pass.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::config::{Config, NtroDir, Pin};
use crate::secrets::StoreKind;
use crate::state::{KeyRecord, KeyRecords};
use ntro_base::env::{self, Env};

/// The rows of the table: the values that their sources hold, strongest first.
const CONNECTIONS: [&str; 5] = ["flag", "first", "second", "pinned", "chosen"];
const HOSTS: [&str; 3] = [
    "https://of-flag.example",
    "https://of-variable.example",
    "https://of-entry.example",
];
const KEYS: [&str; 3] = ["ntro_prod_variable", "ntro_prod_stored", "ntro_prod_plain"];
const TENANTS: [&str; 4] = ["of-flag", "of-variable", "of-pin", "of-entry"];

/// The sources of one row that have a value, a bit each.
#[derive(Clone, Copy)]
struct Given<const N: usize>([&'static str; N], u32);

impl<const N: usize> Given<N> {
    fn get(self, place: usize) -> Option<&'static str> {
        (self.1 >> place & 1 == 1).then_some(self.0[place])
    }

    /// The strongest value that is given, and its place.
    fn winner(self) -> Option<(usize, &'static str)> {
        (0..N).find_map(|place| Some((place, self.get(place)?)))
    }
}

fn config(default: Option<&str>, entry: &[(&str, Option<&str>)]) -> Config {
    let mut text = String::new();
    if let Some(name) = default {
        text += &format!("default_connection_name = '{name}'\n");
    }
    for name in CONNECTIONS.into_iter().chain(["production"]) {
        text += &format!("[connections.{name}]\n");
        for (key, value) in entry {
            if let Some(value) = value {
                text += &format!("{key} = '{value}'\n");
            }
        }
    }
    Config::parse(Path::new("config.toml"), &text).unwrap()
}

fn records(key: Option<&str>) -> KeyRecords {
    let mut records = KeyRecords::default();
    for name in CONNECTIONS.into_iter().chain(["production"]) {
        if let Some(key) = key {
            let record = KeyRecord {
                store: StoreKind::Keyring.to_string(),
                origin: HOSTS[2].to_owned(),
                provider: "ntropii".to_owned(),
                key_prefix: key.to_owned(),
                stored_at: "2026-01-01T00:00:00Z".parse().unwrap(),
                expires_at: None,
            };
            records.insert(name, record);
        }
    }
    records
}

/// Checks one row: which sources the trace names, in order, and which one wins.
fn check<T: std::fmt::Debug>(
    decided: &Decided<T>,
    sources: &[String],
    winner: Option<(usize, &str)>,
    place: &str,
) {
    let trace = decided.trace.as_ref().unwrap();
    let shown = trace.candidates.iter().map(|one| one.source.to_string());
    assert_eq!(shown.collect::<Vec<_>>(), sources, "{place}");
    let found = trace.winner().map(|winner| {
        let found = winner.found.as_deref().unwrap_or_default();
        (winner.source.to_string(), found.trim_end_matches('…'))
    });
    match (found, winner) {
        (None, None) => {}
        (Some((source, found)), Some((expected, value))) => {
            assert_eq!(source, sources[expected], "{place}");
            assert!(
                !found.is_empty() && value.starts_with(found),
                "{place}: {found}"
            );
            if let Ok(Some(outcome)) = &decided.outcome {
                assert_eq!(outcome.source.to_string(), source, "{place}");
            }
        }
        (found, winner) => panic!("{place}: {found:?}, not {winner:?}"),
    }
}

#[test]
fn every_row_follows_the_table() {
    let mut files = BTreeMap::new();
    for bits in 0..1_u32 << 15 {
        let connections = Given(CONNECTIONS, bits);
        let hosts = Given(HOSTS, bits >> 5);
        let keys = Given(KEYS, bits >> 8);
        let tenants = Given(TENANTS, bits >> 11);
        let in_files = [
            connections.get(4),
            hosts.get(2),
            keys.get(1),
            keys.get(2),
            tenants.get(3),
        ];
        let (config, records) = files.entry(in_files).or_insert_with(|| {
            let entry = [
                ("host", hosts.get(2)),
                ("api_key", keys.get(2)),
                ("default_tenant", tenants.get(3)),
            ];
            (config(connections.get(4), &entry), records(keys.get(1)))
        });
        let flags = Flags {
            connection: connections.get(0).map(|name| name.parse().unwrap()),
            host: hosts.get(0).map(|host| host.parse().unwrap()),
            tenant: tenants.get(0).map(|tenant| tenant.parse().unwrap()),
            ..Flags::default()
        };
        let variables = [
            (&env::NTRO_CONNECTION, connections.get(1)),
            (&env::NTRO_DEFAULT_CONNECTION_NAME, connections.get(2)),
            (&env::NTRO_HOST, hosts.get(1)),
            (&env::NTRO_API_KEY, keys.get(0)),
            (&env::NTRO_TENANT, tenants.get(1)),
        ];
        let variables = variables.into_iter();
        let variables = variables.filter_map(|(variable, value)| Some((variable, value?)));
        let pin = Pin {
            path: ".ntro.toml".into(),
            connection: connections.get(3).map(str::to_owned),
            tenant: tenants.get(2).map(str::to_owned),
        };
        let resolution = Inputs {
            flags: &flags,
            env: &Env::from_pairs(variables),
            pin: Some(&pin),
            config,
            records,
            home: &NtroDir::at("/home/ada/.ntro"),
        }
        .resolve();

        let place = format!("{bits:#017b}");
        let variable = |name| Source::Variable(name).to_string();
        let pin = "`.ntro.toml`".to_owned();
        // `production` is the default where no other is named.
        let winner = connections.winner().unwrap_or((4, "production"));
        let entry = |key| format!("`connections.{}.{key}` in `config.toml`", winner.1);
        let default = match connections.get(4) {
            Some(_) => "`default_connection_name` in `config.toml`".to_owned(),
            None => Source::Default.to_string(),
        };
        let sources = [
            "`--connection`".to_owned(),
            variable("NTRO_CONNECTION"),
            variable("NTRO_DEFAULT_CONNECTION_NAME"),
            pin.clone(),
            default,
        ];
        check(&resolution.connection, &sources, Some(winner), &place);
        let name = resolution.name().unwrap().unwrap();
        assert_eq!(name.value.as_str(), winner.1, "{place}");

        let sources = ["`--host`".to_owned(), variable("NTRO_HOST"), entry("host")];
        check(&resolution.host, &sources, hosts.winner(), &place);
        let host = resolution.host().ok().map(|host| host.value.as_str());
        assert_eq!(host, hosts.winner().map(|(_, host)| host), "{place}");

        let mut sources = vec![variable("NTRO_API_KEY"), "the keyring store".to_owned()];
        sources.push(entry("api_key"));
        let mut expected = keys.winner();
        if keys.get(1).is_none() && keys.get(2).is_some() {
            // A key in plain text alone makes that the store.
            sources.remove(1);
            expected = expected.map(|(place, key)| (place.min(1), key));
        }
        let trace = resolution.key.trace.as_ref().unwrap();
        let shown = trace.candidates.iter().map(|one| one.source.to_string());
        assert_eq!(shown.collect::<Vec<_>>(), sources, "{place}");
        let found = trace.winner().map(|winner| winner.source.to_string());
        let expected = expected.map(|(place, _)| sources[place].clone());
        assert_eq!(found, expected, "{place}");
        // The key of a store goes to its own host alone, and the variable's goes anywhere.
        let key = resolution.key().map(|key| &key.value);
        match (hosts.winner(), keys.get(0)) {
            (Some(_), Some(_)) => assert!(matches!(key, Ok(KeySource::Given(_))), "{place}"),
            (Some((2, _)), None) => assert!(matches!(key, Ok(KeySource::Stored(_))), "{place}"),
            (Some(_), None) if hosts.get(2).is_some() => {
                assert!(
                    matches!(key, Err(Error::KeyBoundElsewhere { .. })),
                    "{place}"
                );
            }
            _ => assert!(matches!(key, Err(Error::NoHost { .. })), "{place}"),
        }

        let sources = [
            "`--tenant`".to_owned(),
            variable("NTRO_TENANT"),
            pin,
            entry("default_tenant"),
        ];
        check(&resolution.tenant, &sources, tenants.winner(), &place);
        let tenant = resolution.tenant().unwrap();
        let tenant = tenant.map(|tenant| tenant.value.as_str());
        assert_eq!(
            tenant,
            tenants.winner().map(|(_, tenant)| tenant),
            "{place}"
        );
    }
}

#[test]
fn unknown_name_is_never_replaced() {
    let config = config(Some("first"), &[("host", Some(HOSTS[2]))]);
    // Weaker sources name a connection that exists.
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
        let variables = [
            (&env::NTRO_CONNECTION, name(1)),
            (&env::NTRO_DEFAULT_CONNECTION_NAME, name(2)),
            (&env::NTRO_HOST, Some(HOSTS[1])),
            (&env::NTRO_API_KEY, Some(KEYS[0])),
        ];
        let variables = variables.into_iter();
        let pin = Pin {
            path: ".ntro.toml".into(),
            connection: name(3).map(str::to_owned),
            tenant: None,
        };
        let resolution = Inputs {
            flags: &flags,
            env: &Env::from_pairs(variables.filter_map(|(key, value)| Some((key, value?)))),
            pin: Some(&pin),
            config: &config,
            records: &KeyRecords::default(),
            home: &NtroDir::at("/home/ada/.ntro"),
        }
        .resolve();
        for error in [resolution.name().err(), resolution.key().err()] {
            match error {
                Some(Error::UnknownConnection { name, known, .. }) => {
                    assert_eq!(name, "ghost");
                    assert_eq!(known.len(), CONNECTIONS.len() + 1);
                }
                other => panic!("{strongest}: {other:?}"),
            }
        }
    }
}
