use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde::de::MapAccess;
use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer};

use super::error::read_text;
use super::{Error, HelperEntry, SafetySettings};
use ntro_base::Policy;

/// The contents of `config.toml`. Unknown keys are ignored: they belong to other programs or to a
/// later version of this one.
#[derive(Debug, Default)]
pub struct Config {
    /// The file it was read from.
    pub path: PathBuf,
    /// Whether the file is there.
    pub exists: bool,
    /// `default_connection_name`.
    pub default_connection_name: Option<String>,
    /// The connections, by name.
    pub connections: BTreeMap<String, ConnectionEntry>,
    /// `[stores.command]`; specific to `ntro`, optional.
    pub command: Option<HelperEntry>,
}

/// One `[connections.<name>]`. The values are strings: each is parsed where it is used, so that an
/// error in one connection does not affect the others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(expecting = "a table")]
pub struct ConnectionEntry {
    /// Base URL.
    #[serde(default, deserialize_with = "non_empty")]
    pub host: Option<String>,
    /// The key in plain text, as the official clients store it.
    #[serde(default, deserialize_with = "secret")]
    pub api_key: Option<SecretString>,
    /// Slug or id of the tenant used when no other is named.
    #[serde(default, deserialize_with = "non_empty")]
    pub default_tenant: Option<String>,
    /// Slug or id of an entity; kept for the official clients.
    #[serde(default, deserialize_with = "non_empty")]
    pub default_entity: Option<String>,
    /// `ntropii` or `ontora`; specific to `ntro`, optional.
    #[serde(default, deserialize_with = "non_empty")]
    pub provider: Option<String>,
    /// The store of the key; specific to `ntro`, optional.
    #[serde(default, deserialize_with = "non_empty")]
    pub store: Option<String>,
    /// Command and arguments that print a fresh admin JWT; specific to `ntro`.
    #[serde(default)]
    pub admin_token_command: Option<Vec<String>>,
    /// The policy of the key; specific to `ntro`. An unknown value is an error, since guessing it
    /// could expose the key.
    #[serde(default, deserialize_with = "policy")]
    pub policy: Option<Policy>,
    /// Whether the connection counts as production, whatever its name and host are; specific to
    /// `ntro`.
    #[serde(default)]
    pub production: Option<bool>,
}

impl ConnectionEntry {
    /// Returns the safety settings of the entry, or `None` if the official clients have rewritten
    /// it: they drop all keys of `ntro`, so an entry that has any of them was last written by
    /// `ntro`.
    #[must_use]
    pub fn safety(&self) -> Option<SafetySettings> {
        let is_ours = self.has_own_keys() || self.policy.is_some() || self.production.is_some();
        is_ours.then_some(SafetySettings {
            policy: self.policy,
            production: self.production,
        })
    }
}

/// The file as it is deserialized.
#[derive(Deserialize)]
pub(super) struct Wire {
    #[serde(default, deserialize_with = "non_empty")]
    default_connection_name: Option<String>,
    #[serde(default, deserialize_with = "connections")]
    connections: BTreeMap<String, ConnectionEntry>,
    #[serde(default)]
    stores: StrictTable<StoresTable>,
}

/// Accepts only a table: serde would also accept an array, as the values of the fields in order.
#[derive(Default)]
struct StrictTable<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for StrictTable<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> serde::de::Visitor<'de> for Visitor<T> {
            type Value = StrictTable<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, table: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(table)).map(StrictTable)
            }
        }

        deserializer.deserialize_map(Visitor(PhantomData))
    }
}

/// Builds the map in one pass: a second map would cost a tenth of the time of reading a long file.
fn connections<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, ConnectionEntry>, D::Error> {
    struct Visitor;

    impl<'de> serde::de::Visitor<'de> for Visitor {
        type Value = BTreeMap<String, ConnectionEntry>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a table")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Self::Value, A::Error> {
            let mut entries = BTreeMap::new();
            while let Some((name, StrictTable(entry))) = table.next_entry()? {
                entries.insert(name, entry);
            }
            Ok(entries)
        }
    }

    deserializer.deserialize_map(Visitor)
}

#[derive(Default, Deserialize)]
#[serde(expecting = "a table")]
struct StoresTable {
    #[serde(default)]
    command: Option<StrictTable<HelperEntry>>,
}

impl Config {
    /// Reads the file; a missing one is an empty configuration.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read, is not TOML, or has a value of a wrong type.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let Some(text) = read_text(path)? else {
            return Ok(Self {
                path: path.to_owned(),
                ..Self::default()
            });
        };
        Self::parse(path, &text)
    }

    /// Reads the text of the file; `None` when it is missing.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be read or is not UTF-8.
    pub fn text(path: &Path) -> Result<Option<zeroize::Zeroizing<String>>, Error> {
        read_text(path)
    }

    /// Reads `text` as the content of the file at `path`.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, Error> {
        let wire: Wire = toml::from_str(text)
            .map_err(|error| Error::invalid(path, text, error.span(), error.message()))?;
        Ok(Self {
            path: path.to_owned(),
            exists: true,
            default_connection_name: wire.default_connection_name,
            connections: wire.connections,
            command: wire.stores.0.command.map(|command| command.0),
        })
    }

    /// Returns whether the file holds a key.
    #[must_use]
    pub fn holds_key(&self) -> bool {
        let mut entries = self.connections.values();
        entries.any(|entry| entry.api_key.is_some())
    }

    /// Returns the names of all connections, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.connections.keys().map(String::as_str)
    }

    /// Returns the default connection: the named one, or `production` if none is named, like the
    /// official clients.
    #[must_use]
    pub fn default_name(&self) -> Option<&str> {
        self.default_connection_name.as_deref().or_else(|| {
            self.connections
                .contains_key("production")
                .then_some("production")
        })
    }
}

impl ConnectionEntry {
    /// Returns whether the entry has a key that only a login of `ntro` writes; an official login
    /// leaves none. Safety settings do not count, since they are restored wherever they were
    /// dropped.
    #[must_use]
    pub fn has_own_keys(&self) -> bool {
        self.provider.is_some() || self.store.is_some() || self.admin_token_command.is_some()
    }
}

/// The official clients write empty strings for missing values.
fn non_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}

/// A policy, in `config.toml` or in `logins.toml`.
pub(super) fn policy<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Policy>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map(Some).map_err(serde::de::Error::custom)
}

/// Like [`non_empty`], without an error message that could repeat the value.
fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    struct Visitor;

    impl serde::de::Visitor<'_> for Visitor {
        type Value = Option<SecretString>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok((!text.trim().is_empty()).then(|| SecretString::from(text)))
        }

        fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Self::Value, E> {
            self.visit_str(&zeroize::Zeroizing::new(text))
        }

        fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Err(E::custom("invalid type: integer, expected a string"))
        }

        fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Err(E::custom("invalid type: float, expected a string"))
        }
    }

    deserializer.deserialize_any(Visitor)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("config.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn documented_file_parses() {
        let config = parse(
            r#"
            default_connection_name = "local"
            unknown = 1

            [connections.local]
            host = "http://localhost:3000/v1"
            api_key = "ntro_dev_key"
            default_tenant = "acme-fund-admin"
            default_entity = "acme-commercial-spv1"

            [connections.production]
            host = "https://api.ntropii.com/v1"
            api_key = ""
            colour = "red"
            "#,
        )
        .unwrap();
        assert_eq!(config.default_name(), Some("local"));
        assert_eq!(config.names().collect::<Vec<_>>(), ["local", "production"]);
        let local = &config.connections["local"];
        assert_eq!(
            local.api_key.as_ref().unwrap().expose_secret(),
            "ntro_dev_key"
        );
        assert_eq!(
            local.default_entity.as_deref(),
            Some("acme-commercial-spv1")
        );
        assert!(config.connections["production"].api_key.is_none());
    }

    #[test]
    fn command_store_helpers_parse() {
        let config = parse(
            r#"
            [stores.command]
            get = ["pass", "show", "ntro/{item}"]
            missing = ["is not in the password store", 3]
            timeout = 20
            "#,
        )
        .unwrap();
        let command = config.command.unwrap();
        assert_eq!(command.get, ["pass", "show", "ntro/{item}"]);
        assert_eq!(command.timeout, Some(20.0));
        assert_eq!(command.missing[1], super::super::MissingEntry::Code(3));
        assert!(command.store.is_empty());
        assert_eq!(parse("[stores]\nother = 1").unwrap().command, None);

        for (text, expected) in [
            (
                "[stores.command]\nget = 'pass'",
                "line 2, column 7: invalid type: string, expected an array",
            ),
            (
                "[stores.command]\ntimeout = 0",
                "line 2, column 11: expected a number of seconds above 0",
            ),
            (
                "[stores.command]\nmissing = [true]",
                "expected an exit code, or a part of the message on standard error",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn production_is_default() {
        assert_eq!(parse("").unwrap().default_name(), None);
        let config = parse("[connections.production]\nhost = 'x'\n[connections.a]").unwrap();
        assert_eq!(config.default_name(), Some("production"));
    }

    #[test]
    fn mistakes_have_position_without_line() {
        for (text, expected) in [
            ("a = 1\nb = [\n", "`config.toml`, line 2, column"),
            (
                "[connections.a]\nhost = 7",
                "line 2, column 8: invalid type: integer `7`, expected a string",
            ),
            ("connections = 3", "line 1, column 15: invalid type"),
            (
                "[connections]\na = ['http://localhost:1', 'ntro_dev_key', 'tenant']",
                "line 2, column 5: invalid type: array, expected a table",
            ),
            (
                "[[connections.a]]\nhost = 'http://localhost:1'",
                "line 1, column 1: invalid type: array, expected a table",
            ),
            (
                "[stores]\ncommand = [['pass']]",
                "line 2, column 11: invalid type: array, expected a table",
            ),
            (
                "[connections.a]\npolicy = \"keyles\"",
                "line 2, column 10: unknown policy: expected `keyless`, `confirm` or `none`",
            ),
            (
                "[connections.a]\nproduction = \"no\"",
                "line 2, column 14: invalid type: string, expected a boolean",
            ),
            (
                "[connections.\"ü\"]\napi_key = 12345678",
                "line 2, column 11: invalid type: integer, expected a string",
            ),
            ("[connections.a]\n[connections.a]", "line 2"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        for text in [
            "[connections.a]\napi_key = \"ntro_prod_secret",
            "[connections.a]\napi_key = ntro_prod_secret",
            "[connections.a]\napi_key = [\"ntro_prod_secret\"]",
            "[connections]\na = \"ntro_prod_secret\"",
            "connections = \"ntro_prod_secret\"",
        ] {
            let error = parse(text).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
