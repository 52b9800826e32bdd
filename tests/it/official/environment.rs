//! The official SDK and `ntro` choose the same host and the same key from the same environment and
//! file.

use serde_json::json;

use super::witness::Witness;
use super::{Stage, TENANT};
use ntro_base::Provider;

/// Three hosts of one authority: those of two connections, and one that no file mentions.
struct Crossroads {
    stage: Stage,
    witnesses: [(&'static str, Witness); 3],
    /// The keys of the two connections, and one that no file mentions.
    keys: [(&'static str, String); 3],
}

/// The settings of a run, and their effect according to the documentation and source of the SDK.
struct Row {
    connection: Option<&'static str>,
    variables: &'static [(&'static str, &'static str)],
    /// The host that the call uses, and the owner of the key.
    expected: (&'static str, &'static str),
}

impl Crossroads {
    fn new() -> Self {
        let stage = Stage::new();
        let origin = stage.authority.origin();
        let witnesses = ["a", "b", "elsewhere"].map(|name| (name, Witness::before(origin)));
        let keys = ["a", "b", "other"].map(|name| {
            let key = stage.authority.key(Provider::Ntropii, TENANT);
            (name, key.key)
        });
        let crossroads = Self {
            stage,
            witnesses,
            keys,
        };
        let connection = |index: usize| {
            format!(
                "[connections.{}]\nhost = \"{}\"\napi_key = \"{}\"\n",
                crossroads.keys[index].0,
                crossroads.host(crossroads.witnesses[index].0),
                crossroads.keys[index].1
            )
        };
        crossroads.stage.sandbox.write_config(&format!(
            "default_connection_name = \"a\"\n{}{}",
            connection(0),
            connection(1)
        ));
        crossroads
    }

    fn host(&self, name: &str) -> String {
        let (_, witness) = self
            .witnesses
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap();
        format!("{}/v1", witness.origin())
    }

    fn key(&self, name: &str) -> &str {
        let (_, key) = self.keys.iter().find(|(known, _)| *known == name).unwrap();
        key
    }

    fn variables(&self, row: &Row) -> Vec<(&'static str, String)> {
        let value = |name, value: &str| match name {
            "NTRO_HOST" if !value.is_empty() => self.host(value),
            "NTRO_API_KEY" if !value.is_empty() => self.key(value).to_owned(),
            _ => value.to_owned(),
        };
        row.variables
            .iter()
            .map(|(name, text)| (*name, value(*name, text)))
            .collect()
    }

    /// Returns the hosts called since the last time, with the keys used; each once.
    fn went(&self) -> Vec<(&'static str, &'static str)> {
        let mut went: Vec<_> = self
            .witnesses
            .iter()
            .flat_map(|(place, witness)| witness.take().into_iter().map(|seen| (*place, seen)))
            .map(|(place, seen)| {
                let given = seen
                    .header("authorization")
                    .and_then(|it| it.strip_prefix("Bearer "));
                let key = self
                    .keys
                    .iter()
                    .find(|(_, key)| Some(key.as_str()) == given);
                (place, key.map_or("none", |(name, _)| *name))
            })
            .collect();
        went.dedup();
        went
    }

    /// Calls with the official SDK; returns whether that succeeded.
    fn official(&self, row: &Row) -> bool {
        let request = json!({"connection": row.connection, "calls": [["identity.whoami_sync"]]});
        let run = self.stage.clients.python(&self.stage.sandbox, "sdk.py");
        let run = self
            .variables(row)
            .into_iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        let outcome = run.input(request.to_string()).run();
        outcome.code == Some(0) && outcome.json()[0]["result"].is_object()
    }

    /// Calls with our command line, and returns its exit code.
    fn ours(&self, row: &Row) -> Option<i32> {
        let run = self.stage.sandbox.ntro("auth whoami");
        let run = row
            .connection
            .into_iter()
            .fold(run, |run, name| run.args(&format!("-c {name}")));
        let run = self
            .variables(row)
            .into_iter()
            .fold(run, |run, (name, value)| run.env(name, value));
        run.run().code
    }
}

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn environment_selects_same_host_and_key() {
    let crossroads = Crossroads::new();
    for row in [
        Row {
            connection: None,
            variables: &[],
            expected: ("a", "a"),
        },
        Row {
            connection: Some("b"),
            variables: &[],
            expected: ("b", "b"),
        },
        Row {
            connection: None,
            variables: &[("NTRO_DEFAULT_CONNECTION_NAME", "b")],
            expected: ("b", "b"),
        },
        Row {
            connection: Some("a"),
            variables: &[("NTRO_DEFAULT_CONNECTION_NAME", "b")],
            expected: ("a", "a"),
        },
        Row {
            connection: Some("b"),
            variables: &[("NTRO_API_KEY", "other")],
            expected: ("b", "other"),
        },
        Row {
            connection: None,
            variables: &[("NTRO_HOST", "elsewhere"), ("NTRO_API_KEY", "other")],
            expected: ("elsewhere", "other"),
        },
        Row {
            connection: Some("b"),
            variables: &[("NTRO_HOST", "elsewhere"), ("NTRO_API_KEY", "other")],
            expected: ("elsewhere", "other"),
        },
        Row {
            connection: None,
            variables: &[
                ("NTRO_HOST", ""),
                ("NTRO_API_KEY", ""),
                ("NTRO_DEFAULT_CONNECTION_NAME", ""),
            ],
            expected: ("a", "a"),
        },
    ] {
        let set = (row.connection, row.variables);
        assert!(crossroads.official(&row), "{set:?}");
        assert_eq!(crossroads.went(), [row.expected], "the SDK, {set:?}");
        assert_eq!(crossroads.ours(&row), Some(0), "{set:?}");
        assert_eq!(crossroads.went(), [row.expected], "ours, {set:?}");
    }
}

#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn environment_works_without_file() {
    let crossroads = Crossroads::new();
    std::fs::remove_dir_all(crossroads.stage.sandbox.ntro_home()).unwrap();
    let row = Row {
        connection: None,
        variables: &[("NTRO_HOST", "elsewhere"), ("NTRO_API_KEY", "other")],
        expected: ("elsewhere", "other"),
    };
    assert!(crossroads.official(&row));
    assert_eq!(crossroads.went(), [row.expected]);
    assert_eq!(crossroads.ours(&row), Some(0));
    assert_eq!(crossroads.went(), [row.expected]);
}

/// An unknown name is an error, regardless of other settings.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn unknown_connection_makes_no_call() {
    let crossroads = Crossroads::new();
    let all = &[("NTRO_HOST", "elsewhere"), ("NTRO_API_KEY", "other")];
    for variables in [&all[..], &[]] {
        let row = Row {
            connection: Some("x"),
            variables,
            expected: ("", ""),
        };
        assert!(!crossroads.official(&row));
        assert_eq!(crossroads.ours(&row), Some(3));
        assert_eq!(crossroads.went(), []);
    }
}

/// A deliberate difference: the official clients send a stored key to any host.
#[test]
#[ignore = "needs the official clients: run scripts/test"]
fn stored_key_stays_with_its_host() {
    let crossroads = Crossroads::new();
    for connection in [None, Some("b")] {
        let row = Row {
            connection,
            variables: &[("NTRO_HOST", "elsewhere")],
            expected: ("elsewhere", connection.unwrap_or("a")),
        };
        assert!(crossroads.official(&row));
        assert_eq!(crossroads.went(), [row.expected]);
        assert_eq!(crossroads.ours(&row), Some(4));
        assert_eq!(crossroads.went(), []);
    }
}
